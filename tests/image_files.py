"""Small image files in the published formats, for the tests to write themselves."""

import gzip
import io
import struct
import tarfile

import numpy as np


def idx_bytes(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def images(labels, seed=0, side=3):
    """Return random pixels, n x side x side, none of them all zero."""
    generator = np.random.default_rng(seed)
    return generator.integers(1, 256, size=(len(labels), side, side), dtype=np.uint8)


def write_idx(folder, labels, *, part="train", packed=False, seed=0):
    """Write an IDX pair and return its pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = images(labels, seed)
    for kind, array in (("images-idx3", pixels), ("labels-idx1", np.array(labels))):
        content = idx_bytes(array)
        path = folder / f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
    return pixels


def cifar_batches(labels):
    """Return five batches of binary CIFAR-10 with these labels each, and all pixels in order."""
    batches, pixels = [], []
    for k in range(5):
        block = np.random.default_rng(k).integers(1, 256, size=(len(labels), 3072), dtype=np.uint8)
        batches.append(np.column_stack([np.array(labels, np.uint8), block]).tobytes())
        pixels.append(block)
    return batches, np.concatenate(pixels)


def write_cifar(folder, labels):
    folder.mkdir(parents=True, exist_ok=True)
    batches, pixels = cifar_batches(labels)
    for k, batch in enumerate(batches, start=1):
        (folder / f"data_batch_{k}.bin").write_bytes(batch)
    return pixels


def cifar_archive(members):
    """Return a .tar.gz of (name, bytes) pairs."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
