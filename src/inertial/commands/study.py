"""`inertial study`: compute what is missing of a study."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inertial import _json, files
from inertial._checks import InvalidInput
from inertial.commands.options import ANOTHER_CSV, THIS_PROCESS, Out, WorkerOptions, computing
from inertial.commands.terminal import (
    about,
    announce,
    console,
    duration,
    progress_or_lines,
    say,
    write,
)

if TYPE_CHECKING:
    from inertial.runs.study import Report


def study(
    file: Path | None = None,
    *,
    out: Out | None = None,
    options: WorkerOptions = THIS_PROCESS,
    template: bool = False,
    csv: Path | None = None,
    json: bool = False,
) -> None:
    """Compute what is missing of the study in FILE; interrupt and repeat it at will.

    Parameters
    ----------
    file
        A TOML file: data sets, methods, rules, widths, seeds, steps.
    out
        Folder of the study (default: runs/NAME).
    template
        Print a commented study that runs as it is.
    csv
        Write the losses and distances of all its runs, a row per step, to this CSV file.
    json
        Print one JSON document at the end.
    """
    from inertial.runs.config import TEMPLATE, read_config
    from inertial.runs.frames import to_dataframe, write_csv
    from inertial.runs.study import Folder, read_study, run_study

    if template:
        write(TEMPLATE)
        return
    if file is None:
        raise InvalidInput("no study is given; name a TOML file, or see inertial study --template.")
    if csv is not None:
        files.check_writable(csv, remedy=ANOTHER_CSV)
    asked = read_config(file)
    folder = Folder(out or Path("runs") / asked.name)
    try:
        with progress_or_lines() as show, computing(options) as means:
            report = run_study(asked, folder, progress=show, announce=announce, **means)
    except KeyboardInterrupt:
        words = " before a run was finished"
        if folder.holds_runs:
            words = f"; finished runs are stored in {folder.path}"
        say("note", f"stopped{words}; the same command goes on.")
        sys.exit(130)
    if csv is not None:
        found = read_study(folder.path / "studies" / f"{asked.name}.json")
        write_csv(to_dataframe(found), csv, remedy=ANOTHER_CSV)
    if json:
        write(_json.dumps(_document(report)))
    else:
        _show(report)
    if report.failures:
        sys.exit(1)


def _document(report: "Report") -> dict[str, object]:
    return {
        "folder": str(report.folder.path),
        "runs": len(report.runs),
        "computed": report.computed,
        "stored_before": report.stored_before,
        "computed_elsewhere": report.computed_elsewhere,
        "damaged": report.damaged,
        "failed": [{"run": f.run.label, "reason": f.reason} for f in report.failures],
        "predicted_seconds": report.predicted.seconds,
        "seconds": report.seconds,
        "threads": dict(report.threads),
    }


def _show(report: "Report") -> None:
    """Print what became of the runs."""
    out = console()
    words = f"{report.computed} computed, {report.stored_before} stored before"
    if report.computed_elsewhere:
        words += f", {report.computed_elsewhere} by another process"
    out.print(f"{len(report.runs)} runs: {words}, {len(report.failures)} failed")
    if report.damaged:
        out.print(f"damaged run files, computed again: {report.damaged}")
    for failure in report.failures:
        out.print(f"failed  {failure.run.label}: {failure.reason}")
    if report.computed:
        out.print(
            f"time    {duration(report.seconds)} of computing, "
            f"predicted {about(report.predicted.seconds)}"
        )
    if report.note is not None:
        say("note", report.note)
    out.print(f"runs    {report.folder.path}")
