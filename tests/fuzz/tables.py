"""Tables: damaged and hostile text and Parquet, packed or not."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from fuzz.damage import damaged
from fuzz.harness import Fault
from inertial import load

CELLS = [
    "", "?", "nan", "-inf", "1e999", "-1e-999", "9" * 5000, "0x10", "1,000", "1.000,5", "1_000",
    "١٢٣", "True", "no", "\x00", "\x1b[2J", "\u202e", "\ud7ff", '"', '""', "'", "#", "%", "a;b", "a\tb",
    "2020-01-01", "99999-99-99", "=1+1", "x" * 10_000, "\ufeff", "\u2028", "\x0b", "\x85", "NULL", "-",
    "1e308", "-1e308", "5e-324", "9007199254740993", "18446744073709551617", "1e", "e5", "+", ".",
]  # fmt: skip
"""Cells that tables have and that readers stumble over."""


def frame(rng: np.random.Generator) -> pd.DataFrame:
    """Return a small table of mixed columns with the target y."""
    rows = int(rng.integers(2, 40))
    made = {
        "a": rng.normal(size=rows),
        "b": rng.integers(-5, 2**60, rows),
        "c": rng.choice(["red", "blue", "green"], rows),
        "d": pd.date_range("2020", periods=rows),
        "e": rng.random(rows) < 0.5,
        "f": np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows)),
        "y": rng.normal(size=rows) if rng.random() < 0.5 else rng.integers(0, 3, rows),
    }
    names = [name for name in made if name == "y" or rng.random() < 0.6]
    return pd.DataFrame({name: made[name] for name in names})


def text(rng: np.random.Generator) -> bytes:
    """Return a table as text, with hostile cells and lines in some places."""
    table = frame(rng)
    content = table.to_csv(
        sep=str(rng.choice([",", ";", "\t", "|", " "])),
        decimal=str(rng.choice([".", ","])),
        index=bool(rng.random() < 0.3),
        header=bool(rng.random() < 0.8),
        quoting=int(rng.choice([0, 1, 2])),
    )
    lines = content.split("\n")
    for _ in range(int(rng.integers(0, 4))):
        at = int(rng.integers(len(lines)))
        cells = re.split(r"([,;\t| ])", lines[at])
        cells[int(rng.integers(len(cells)))] = str(rng.choice(CELLS))
        lines[at] = "".join(cells)
    if rng.random() < 0.2:
        lines.insert(
            int(rng.integers(len(lines))), str(rng.choice(["# note", "", "title", ",,,,,"]))
        )
    codec = str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    return str(rng.choice(["\n", "\r\n", "\r"])).join(lines).encode(codec, errors="replace")


def parquet(rng: np.random.Generator) -> bytes:
    """Return a table as Parquet, in one of its packings."""
    file = io.BytesIO()
    table = frame(rng)
    if rng.random() < 0.3:
        table["nested"] = [[1, 2]] * len(table)
    if rng.random() < 0.3:
        table = table.astype({name: "category" for name in table if name == "c"})
    table.to_parquet(file, compression=str(rng.choice(["none", "snappy", "gzip", "zstd"])))
    return file.getvalue()


def packed(rng: np.random.Generator, name: str, content: bytes) -> tuple[str, bytes]:
    """Pack a text in one of four ways, or leave it."""
    match int(rng.integers(8)):
        case 0:
            return f"{name}.gz", gzip.compress(content)
        case 1:
            return f"{name}.bz2", bz2.compress(content)
        case 2:
            return f"{name}.xz", lzma.compress(content)
        case 3:
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive_:
                archive_.writestr(name, content)
            return f"{name}.zip", file.getvalue()
    return name, content


def made(seed: int) -> tuple[str, bytes]:
    """Return the name and the content of the file that belongs to a seed."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.3:
        name, content = "t.parquet", parquet(rng)
    else:
        ending = str(rng.choice(["csv", "tsv", "txt", "dat"]))
        content = text(rng)
        if rng.random() < 0.5:
            content = damaged(rng, content)
        name, content = packed(rng, f"t.{ending}", content)
    return name, content if rng.random() < 0.3 else damaged(rng, content)


def prepare(_: Path) -> None:
    """Nothing is shared."""


def attempt(seed: int, folder: Path, _: None) -> tuple[str, ...]:
    """Load the table of a seed."""
    name, content = made(seed)
    path = folder / name
    path.write_bytes(content)
    rng = np.random.default_rng(seed)
    options = {"label": str(rng.choice(["y", "y", "y", "1", "2"]))}
    for option in ("raw", "standardize", "dedupe"):
        if rng.random() < 0.2:
            options[option] = True
    return finite(load(path, **options))


def finite(data) -> tuple[str, ...]:
    """Return what was said of data whose numbers are all finite."""
    if not (np.isfinite(data.x).all() and np.isfinite(data.y).all()):
        raise Fault("numbers that are not finite")
    return data.provenance.notes
