"""Damaged and hostile data files: each is read, or refused in one sentence; nothing else happens.

``python tests/fuzz/data_files.py --count 10000`` makes that many files from a seed, loads each in
a few child processes, and ends with exit code 1 if any raised something else than `InvalidInput`,
took longer than 60 seconds, held more than 2 GiB, or gave numbers that are not finite.
"""

import argparse
import bz2
import gzip
import io
import lzma
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from inertial import InvalidInput, load
from inertial._checks import plain

SECONDS = 60
BYTES = 2 * 2**30
_CHUNK = 500

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


def archive(rng: np.random.Generator) -> bytes:
    """Return arrays as .npz."""
    file = io.BytesIO()
    rows, kinds = int(rng.integers(0, 30)), ["<f8", ">f4", "<i8", "?", "<u2", "<c16", "<U3"]
    x = rng.normal(size=(rows, int(rng.integers(0, 5)))).astype(str(rng.choice(kinds)))
    write = np.savez if rng.random() < 0.5 else np.savez_compressed
    write(file, **{str(rng.choice(["x", "X"], p=[0.9, 0.1])): x, "y": rng.normal(size=rows)})
    return file.getvalue()


def damaged(rng: np.random.Generator, content: bytes) -> bytes:
    """Flip, cut, repeat, insert or replace bytes."""
    data = bytearray(content)
    for _ in range(int(rng.choice([0, 0, 1, 1, 2, 3]))):
        at = int(rng.integers(len(data) + 1))
        length = int(rng.integers(1, 1 + max(1, len(data) // 4)))
        match int(rng.integers(6)):
            case 0 if at < len(data):
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at:]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at:at] = rng.bytes(min(length, 64))
            case 4:
                data[at : at + length] = b"\xff" * length
            case _:
                del data[at : at + length]
    return bytes(data)


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
    match int(rng.integers(4)):
        case 0:
            name, content = "t.parquet", parquet(rng)
        case 1:
            name, content = "t.npz", archive(rng)
        case _:
            ending = str(rng.choice(["csv", "tsv", "txt", "dat"]))
            content = text(rng)
            if rng.random() < 0.5:
                content = damaged(rng, content)
            name, content = packed(rng, f"t.{ending}", content)
    return name, content if rng.random() < 0.3 else damaged(rng, content)


def outcome(seed: int, folder: Path) -> str:
    """Load the file of a seed; return `read` or `refused`, or what must not happen."""
    name, content = made(seed)
    path = folder / name
    path.write_bytes(content)
    rng = np.random.default_rng(seed)
    options = {} if name.endswith(".npz") else {"label": str(rng.choice(["y", "y", "y", "1", "2"]))}
    for option in ("raw", "standardize", "dedupe"):
        if rng.random() < 0.2 and (option != "raw" or options):
            options[option] = True
    started = time.monotonic()
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            data = load(path, **options)
        finite = np.isfinite(data.x).all() and np.isfinite(data.y).all()
        said = data.provenance.notes
        result = "read" if finite else "numbers that are not finite"
    except InvalidInput as refusal:
        said = (str(refusal),)
        result = "refused"
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - what is looked for
        return f"{type(error).__name__}: {str(error)[:200]!r}"
    finally:
        signal.alarm(0)
        path.unlink()
    if not all(plain(text_) == text_ and text_.endswith(".") for text_ in said):
        return f"a sentence that is none: {said!r}"
    if time.monotonic() - started > SECONDS:
        return "a hang"
    return result


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def run(first: int, count: int) -> tuple[Counter[str], list[str]]:
    """Load the files of `count` seeds; return how many were read and refused, and the faults."""
    signal.signal(signal.SIGALRM, _interrupted)
    counts: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            result = outcome(seed, Path(folder))
            counts[result if result in ("read", "refused") else "fault"] += 1
            if result not in ("read", "refused"):
                faults.append(f"seed {seed}: {result}")
    return counts, faults


def main() -> None:
    """Load many files in child processes, or the part of one child."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    if options.child:
        counts, faults = run(options.first, options.count)
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if held > BYTES:
            faults.append(f"{held / 2**30:.1f} GiB held from seed {options.first}")
        print("\n".join([*faults, f"{counts['read']} {counts['refused']} {held}"]))
        sys.exit(bool(faults))
    read = refused = most = 0
    failed = False
    for first in range(options.first, options.first + options.count, _CHUNK):
        count = min(_CHUNK, options.first + options.count - first)
        command = [
            sys.executable,
            __file__,
            "--child",
            "--first",
            str(first),
            "--count",
            str(count),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        *faults, last = done.stdout.splitlines() or [""]
        failed |= bool(done.returncode)
        for fault in faults:
            print(fault)
        if done.returncode not in (0, 1) or not last:
            print(
                f"a child that started at seed {first} ended with {done.returncode}: {done.stderr[-500:]}"
            )
            continue
        more = [int(word) for word in last.split()]
        read, refused, most = read + more[0], refused + more[1], max(most, more[2])
    print(f"{read} read, {refused} refused, at most {most / 2**30:.2f} GiB held")
    sys.exit(failed)


if __name__ == "__main__":
    main()
