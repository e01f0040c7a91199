"""Data sets in the formats of their publishers: IDX pairs, CIFAR-10's batches, tables of numbers."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np

from fuzz.damage import damaged
from fuzz.tables import finite
from image_files import cifar_archive, cifar_batches, idx_bytes
from inertial import load
from inertial.data.images import CIFAR_BATCHES


def idx(rng: np.random.Generator, folder: Path) -> str:
    """Write an IDX pair; sizes, dimensions and classes may not belong together."""
    count, side = int(rng.integers(0, 30)), int(rng.integers(0, 9))
    pixels = rng.integers(0, 256, (count, side, int(rng.choice([side, 1]))), dtype=np.uint8)
    labels = rng.integers(
        0, int(rng.choice([2, 3, 256], p=[0.5, 0.4, 0.1])), count + int(rng.random() < 0.1)
    )
    arrays = {"images-idx3": pixels, "labels-idx1": labels}
    if rng.random() < 0.1:
        arrays["images-idx3"] = labels
    part = str(rng.choice(["train", "t10k"]))
    for name, array in arrays.items():
        content = bytearray(idx_bytes(array))
        if rng.random() < 0.1:
            content[4:8] = bytes(rng.choice([0, 1, 127, 255], 4).astype(np.uint8))
        packed = rng.random() < 0.5
        kept = gzip.compress(content) if packed else bytes(content)
        kept = kept if rng.random() < 0.8 else damaged(rng, kept)
        place = folder / "mnist" / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(kept)
    return "mnist"


def cifar(rng: np.random.Generator, folder: Path) -> str:
    """Write CIFAR-10's five batches or their archive, which may hold links and other names."""
    batches, _ = cifar_batches(
        rng.integers(0, int(rng.choice([2, 10, 12], p=[0.5, 0.4, 0.1])), int(rng.integers(0, 9)))
    )
    batches = [one if rng.random() < 0.95 else damaged(rng, one) for one in batches]
    if rng.random() < 0.5:
        content = cifar_archive(zip(CIFAR_BATCHES, batches, strict=True))
        if rng.random() < 0.2:
            content = with_links()
        (folder / "cifar-10-binary.tar.gz").write_bytes(
            content if rng.random() < 0.7 else damaged(rng, content)
        )
        return "cifar10"
    for name, content in zip(CIFAR_BATCHES, batches, strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return "cifar10"


def with_links() -> bytes:
    """Return an archive whose members lead elsewhere."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, kind in zip(
            CIFAR_BATCHES,
            [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE],
            strict=True,
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    return packed.getvalue()


def table(rng: np.random.Generator, folder: Path) -> str:
    """Write a published table of numbers."""
    content = io.BytesIO()
    np.savetxt(
        content, rng.normal(size=(int(rng.integers(0, 20)), int(rng.integers(1, 6)))), fmt="%.5g"
    )
    place = folder / "yacht" / "data.txt"
    place.parent.mkdir()
    words = content.getvalue()
    if rng.random() < 0.3:
        words = words.replace(b".", rng.choice([b"e", b" ", b"\0", b"nan", b"9" * 400, b"\xff"]), 2)
    place.write_bytes(words if rng.random() < 0.5 else damaged(rng, words))
    return "yacht"


def prepare(base: Path) -> None:
    """Keep the user's cache out of it: what is not found would be downloaded."""
    os.environ["XDG_CACHE_HOME"] = str(base)


def attempt(seed: int, folder: Path, _: None) -> tuple[str, ...]:
    """Load the data set of a seed."""
    rng = np.random.default_rng(seed)
    name = (idx, cifar, table)[int(rng.integers(3))](rng, folder)
    options = {"standardize": True} if rng.random() < 0.2 else {}
    return finite(load(name, data_dir=folder, **options))
