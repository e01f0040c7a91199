"""Readers of images: IDX (MNIST, Fashion-MNIST) and the binary version of CIFAR-10.

Both keep the classes 0 and 1, as targets +1 and -1, in file order, with pixels between 0 and 1.
A file that is not what it should be raises `InvalidInput`.  No archive is unpacked to disk.
"""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from inertial._checks import InvalidInput
from inertial.data.readers import Raw, numbered
from inertial.data.unpack import read_bytes

_CIFAR_RECORD = 1 + 3 * 32 * 32
_BATCH_BYTES = 10_000 * _CIFAR_RECORD
CIFAR_BATCHES = tuple(f"cifar-10-batches-bin/data_batch_{k}.bin" for k in range(1, 6))
"""The five training files, as the archive names them."""


def read_idx(images: Path, labels: Path) -> Raw:
    """Read the classes 0 (target +1) and 1 (target -1) of an IDX pair, gzip-compressed or not."""
    pixels, classes = _idx(images, rank=3), _idx(labels, rank=1)
    if len(pixels) != len(classes):
        raise InvalidInput(
            f"{images} holds {len(pixels)} images but {labels} holds {len(classes)} labels; "
            f"give two files that belong together."
        )
    return _two_classes(pixels.reshape(len(pixels), int(np.prod(pixels.shape[1:]))), classes)


def read_cifar(files: Sequence[Path]) -> Raw:
    """Read the classes 0 (target +1) and 1 (target -1) of CIFAR-10's binary version.

    `files` are the five batches, or the one archive (.tar.gz) that holds them.
    """
    batches = (
        _archived(files[0])
        if len(files) == 1
        else [(str(file), read_bytes(file)) for file in files]
    )
    records = []
    for where, content in batches:
        if not content or len(content) % _CIFAR_RECORD:
            raise InvalidInput(
                f"{where} has {len(content)} bytes, not a multiple of {_CIFAR_RECORD} (one record "
                f"of CIFAR-10's binary version); copy or download it again."
            )
        block = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_RECORD)
        if (worst := int(block[:, 0].max())) > 9:
            raise InvalidInput(
                f"{where} has the label {worst} where CIFAR-10 ends at 9; give a file of its "
                f"binary version."
            )
        records.append(block[block[:, 0] < 2])
    kept = np.concatenate(records)
    return _two_classes(kept[:, 1:], kept[:, 0])


def _idx(path: Path, rank: int) -> UInt8[np.ndarray, "..."]:
    """Return the array of unsigned bytes in an IDX file that has `rank` dimensions."""
    content = read_bytes(path)
    magic, start = bytes([0, 0, 8, rank]), 4 + 4 * rank
    if not content.startswith(magic):
        raise InvalidInput(
            f"{path} starts with the bytes {content[:4].hex() or 'of an empty file'} where IDX "
            f"needs {magic.hex()}; give the original file."
        )
    shape = tuple(
        int(size) for size in np.frombuffer(content[4:start].ljust(4 * rank, b"\0"), ">u4")
    )
    if len(content) >= start and 0 in shape:
        raise InvalidInput(f"{path} holds an array of shape {shape}; give a file with data in it.")
    want = start + int(np.prod(shape, dtype=object))
    if len(content) != want:
        raise InvalidInput(
            f"{path} has {len(content)} bytes where its header asks for {want}; it is truncated or "
            f"damaged, so copy or download it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _two_classes(pixels: UInt8[np.ndarray, "n d"], classes: UInt8[np.ndarray, "n"]) -> Raw:
    kept = classes < 2
    target = np.where(classes[kept] == 0, 1.0, -1.0)
    return Raw(pixels[kept] / 255.0, target, numbered(pixels.shape[1]))


def _archived(path: Path) -> list[tuple[str, bytes]]:
    """Return the five batches of CIFAR-10's archive, read in memory by their exact names."""
    found: dict[str, bytes] = {}
    content = read_bytes(path)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                if member.name in CIFAR_BATCHES and member.isreg():
                    file = archive.extractfile(member)
                    # One byte more than a batch can have tells that it has too many.
                    found[member.name] = file.read(_BATCH_BYTES + 1) if file else b""
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a damaged archive makes its reader raise anything
        raise InvalidInput(
            f"{path} is truncated or not a .tar.gz archive; copy or download it again."
        ) from None
    if missing := [name for name in CIFAR_BATCHES if name not in found]:
        raise InvalidInput(
            f"{path} lacks {missing[0]}; give the archive of CIFAR-10's binary version."
        )
    return [(f"{name} in {path}", found[name]) for name in CIFAR_BATCHES]
