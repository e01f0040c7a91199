"""Console, tables, progress and notes: what the commands share in speaking to a person.

Everything that is printed passes `plain`: names of files and columns are a stranger's, and must
neither steer the terminal nor turn the order of letters around.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from typing import TYPE_CHECKING, Any

from inertial._checks import plain, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from inertial.runs.cost import Prediction
    from inertial.runs.shown import Shown

Progress = Callable[[str, int, int], None]
"""What is told what is being done, how much of it is done, and out of how much."""

_PIPED_WIDTH = 200
"""Columns of tables that no terminal limits."""

_LONGEST = 1_000
"""Characters of a message: a list of thousands of names is no help."""

_LINE_SECONDS = 60
"""Time between two lines of progress in a log."""


def write(text: str) -> None:
    """Write text to standard output."""
    sys.stdout.write(plain(text))


def say(kind: str, text: str) -> None:
    """Write a note, a warning or an error to standard error: one line, long ones cut inside."""
    line = printable(text, most=None)
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    sys.stderr.write(f"inertial: {kind}: {line}\n")


def console() -> "Console":
    """Return standard output, without guessing at numbers or markup in users' names."""
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        """A console through which no text steers the terminal, and that knows a closed pipe."""

        def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - Rich's own
            return super().render_str(plain(text), **options)

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    piped = not sys.stdout.isatty()
    return PlainConsole(
        highlight=False,
        markup=False,
        emoji=False,
        width=_PIPED_WIDTH if piped else None,
        soft_wrap=piped,
    )


def table(columns: Sequence[str]) -> "Table":
    """Return a table with one column per title, numbers to the right, beside one of titles."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("")
    for title in columns:
        made.add_column(title, justify="right")
    return made


def show_table(result: "Shown") -> None:
    """Print a result as its table, with the recommendation in bold."""
    out = console()
    for line in str(result).splitlines():
        out.print(line, style="bold" if line == result.recommendation else None)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show a bar with the time left on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    errors, silent = Console(stderr=True), not sys.stderr.isatty()
    with Progress(*columns, console=errors, transient=True, disable=silent) as bar:
        task = bar.add_task("kernel and spectrum", total=None)

        def show(label: str, done: int, total: int) -> None:
            # What nobody knows the end of moves; of a total of 0 rich says that it has ended.
            bar.tasks[0].total = total or None
            bar.update(task, description=plain(label), completed=done)

        yield show


@contextmanager
def progress_or_lines() -> Iterator[Progress]:
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
            left = about((total - done) / 1000)
            say("note", f"{done / total:.0%} done, predicted {left} of computing left: {label}")

    yield show_line


def announce(predicted: "Prediction", missing: int | None) -> None:
    """Say what is about to happen, on standard error; None is an item that trains nothing."""
    if missing == 0:
        say("note", "all runs are stored")
    else:
        what = "nothing to train" if missing is None else f"runs to compute: {missing}"
        say("note", f"{what}, predicted {costs(predicted)}")


def costs(predicted: "Prediction") -> str:
    """Return time, if it is known, memory and disk in words."""
    shared = f" on {predicted.workers} workers" if predicted.workers > 1 else ""
    seconds = predicted.seconds
    time_taken = "time unknown" if isnan(seconds) else f"{about(seconds)} by the clock"
    return (
        f"{time_taken}{shared}, {predicted.memory / 1e9:.1f} GB of memory per "
        f"process, {predicted.disk / 1e6:,.1f} MB of disk"
    )


def about(seconds: float) -> str:
    """Return a predicted time by the clock, in whole units: it is known to a third or so."""
    if seconds < 1:
        return "less than 1 s"
    value, unit = duration(seconds).split()
    return f"about {float(value):.0f} {unit}"


def duration(seconds: float) -> str:
    """Return seconds in the unit they are read in."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
