"""What `inertial study` and `inertial plan` do and print."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from rich.console import Console

from inertial import _json
from inertial._checks import InvalidInput, whole
from inertial.commands.printing import progress
from inertial.runs.config import TEMPLATE, read_study
from inertial.runs.cost import Prediction, predict
from inertial.runs.job import runs
from inertial.runs.ledger import Ledger, Progress
from inertial.runs.records import Folder
from inertial.runs.runner import Report, run_study

_LINE_SECONDS = 60
"""Time between two lines of progress in a log."""


@dataclass(frozen=True)
class Hands:
    """Who computes: this process, a number of local ones (0: one per core), or a scheduler's."""

    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None:
            whole("workers", self.workers, least=0)
            if self.scheduler is not None:
                raise InvalidInput("workers and scheduler are both given; give one of them.")


@contextmanager
def at_work(hands: Hands) -> Iterator[dict[str, Any]]:
    """Give the engine and the predictor for `run_study`, as keyword arguments."""
    if hands.workers is None and hands.scheduler is None:
        yield {}
        return
    from inertial.runs.cluster import connected, engine, local_cluster, predictor

    place = connected(hands.scheduler) if hands.scheduler else local_cluster(hands.workers)
    with place as client:
        yield {"engine": engine(client), "predictor": predictor(client)}


def show_template() -> None:
    """Print a study that runs as it is."""
    sys.stdout.write(TEMPLATE)


def show_plan(path: Path, out: Path | None, hands: Hands, *, as_json: bool) -> None:
    """Predict the cost of what is missing of a study, and print it."""
    study = read_study(path)
    folder = Folder(out or Path("runs") / study.name)
    ledger = Ledger(study, folder, runs(study))
    missing = ledger.missing
    with at_work(hands) as means:
        predicted: Prediction = means.get("predictor", predict)(missing, spectra=folder.spectra)
    if as_json:
        document = {
            "study": study.name,
            "runs": len(ledger.runs),
            "missing": len(missing),
            "seconds": predicted.seconds,
            "memory_bytes": predicted.memory,
            "disk_bytes": predicted.disk,
            "workers": predicted.workers,
        }
        sys.stdout.write(_json.dumps(document))
        return
    console = Console(highlight=False, markup=False)
    console.print(
        f"{study.name}: {len(ledger.runs)} runs, {len(missing)} of them missing in {folder.path}"
    )
    console.print(f"predicted {in_words(predicted)}")


def conduct(path: Path, out: Path | None, hands: Hands, *, as_json: bool) -> None:
    """Compute what is missing of a study, and print what became of it."""
    study = read_study(path)
    folder = Folder(out or Path("runs") / study.name)
    try:
        with watch() as show, at_work(hands) as means:
            report = run_study(study, folder, progress=show, announce=announce, **means)
    except KeyboardInterrupt:
        say(f"stopped; finished runs are stored in {folder.path}, the same command goes on.")
        sys.exit(130)
    _print_report(report, as_json=as_json)
    if report.failures:
        sys.exit(1)


@contextmanager
def watch() -> Iterator[Progress]:
    """Show progress with the time left: a bar on a terminal, in a log a line every minute."""
    if sys.stderr.isatty():
        with progress() as show:
            yield show
        return
    last = time.monotonic()

    def show_line(label: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS and total:
            last = time.monotonic()
            left = duration((total - done) / 1000)
            say(f"{done / total:.0%} done, predicted {left} of computing left: {label}")

    yield show_line


def announce(predicted: Prediction, missing: int | None) -> None:
    """Say what is about to happen, on standard error; None is an item that trains nothing."""
    if missing == 0:
        say("all runs are stored")
    else:
        what = "nothing to train" if missing is None else f"runs to compute: {missing}"
        say(f"{what}, predicted {in_words(predicted)}")


def say(words: str) -> None:
    """Write a note to standard error."""
    sys.stderr.write(f"inertial: note: {words}\n")


def in_words(predicted: Prediction) -> str:
    """Say time, if it is known, memory and disk."""
    shared = f" on {predicted.workers} workers" if predicted.workers > 1 else ""
    seconds = predicted.seconds
    time_taken = "time unknown" if isnan(seconds) else duration(seconds)
    return (
        f"{time_taken}{shared}, {predicted.memory / 1e9:.1f} GB of memory a "
        f"process, {predicted.disk / 1e6:,.1f} MB of disk"
    )


def duration(seconds: float) -> str:
    """Return seconds in the unit they are read in."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _print_report(report: Report, *, as_json: bool) -> None:
    predicted = report.predicted.seconds
    if as_json:
        document = {
            "folder": str(report.folder.path),
            "runs": len(report.runs),
            "computed": report.computed,
            "stored_before": report.stored_before,
            "computed_elsewhere": report.computed_elsewhere,
            "damaged": report.damaged,
            "failed": [{"run": f.run.job.label, "reason": f.reason} for f in report.failures],
            "predicted_seconds": predicted,
            "seconds": report.seconds,
        }
        sys.stdout.write(_json.dumps(document))
        return
    console = Console(highlight=False, markup=False)
    words = f"{report.computed} computed, {report.stored_before} stored before"
    if report.computed_elsewhere:
        words += f", {report.computed_elsewhere} by another process"
    console.print(f"{len(report.runs)} runs: {words}, {len(report.failures)} failed")
    if report.damaged:
        console.print(f"damaged run files, computed again: {report.damaged}")
    for failure in report.failures:
        console.print(f"failed  {failure.run.job.label}: {failure.reason}")
    if report.computed:
        console.print(
            f"time    {duration(report.seconds)} of computing, predicted {duration(predicted)}"
        )
    console.print(f"runs    {report.folder.path}")
