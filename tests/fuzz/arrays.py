"""Arrays: damaged and hostile NumPy archives, with members that claim what they do not hold."""

import io
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np

from fuzz.damage import damaged
from fuzz.tables import finite
from inertial import load

KINDS = ["<f8", ">f4", "<i8", "?", "<u2", "<c16", "<U3", "<f2", "<i1", "<M8[s]", "|V4", ">u8"]
SHAPES = [(), (0,), (-1, 3), (2**62, 4), (2**40,), (5,), (5, 0), (1,) * 40, (3, 4, 5), ("x",), None]
SPECIAL = [np.nan, np.inf, -np.inf, 1e308, 5e-324, 0.0]


def array(rng: np.random.Generator, rows: int, rank: int) -> np.ndarray:
    """Return numbers of some kind and shape."""
    shape = (rows, int(rng.integers(0, 5)))[: max(rank, 0)]
    values = rng.normal(size=shape)
    if rng.random() < 0.1 and values.size:
        values.flat[int(rng.integers(values.size))] = rng.choice(SPECIAL)
    with np.errstate(all="ignore"):
        kind = "<f8" if rng.random() < 0.8 else str(rng.choice(KINDS))
        made = (values * 100).astype("<i8").astype(kind) if kind in ("<M8[s]", "|V4") else values
        return np.asfortranarray(made.astype(kind)) if rng.random() < 0.2 else made.astype(kind)


def member(rng: np.random.Generator, rows: int, rank: int) -> bytes:
    """Return an .npy file, with a header of its own in some."""
    file = io.BytesIO()
    values = array(rng, rows, rank)
    if rng.random() < 0.05:
        np.save(file, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
        return file.getvalue()
    if rng.random() < 0.03:
        return pickle.dumps(values)
    if rng.random() < 0.1:
        shape = SHAPES[int(rng.integers(len(SHAPES)))]
        header = {"descr": values.dtype.str, "fortran_order": False, "shape": shape}
        text = repr(header).encode()
        if rng.random() < 0.3:
            text = text.replace(b"}", b", 'x': " + b"[" * 200 + b"]" * 200 + b"}")
        text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
        file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values.tobytes())
        return file.getvalue()
    np.lib.format.write_array(file, values, version=[(1, 0), (2, 0), (3, 0)][int(rng.integers(3))])
    return file.getvalue()


def made(seed: int) -> bytes:
    """Return the archive that belongs to a seed."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(0, 30))
    file = io.BytesIO()
    packing = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]
    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(file, "w", packing[int(rng.integers(4))]) as archive,
    ):
        warnings.simplefilter("ignore")  # two members of one name
        for name, rank in (("x", 2), ("y", 1)):
            named = str(
                rng.choice([name, name.upper(), f"../{name}", "z"], p=[0.9, 0.04, 0.03, 0.03])
            )
            archive.writestr(f"{named}.npy", member(rng, rows, rank))
    content = file.getvalue()
    return content if rng.random() < 0.6 else damaged(rng, content)


def prepare(_: Path) -> None:
    """Nothing is shared."""


def attempt(seed: int, folder: Path, _: None) -> tuple[str, ...]:
    """Load the archive of a seed."""
    path = folder / "t.npz"
    path.write_bytes(made(seed))
    return finite(load(path))
