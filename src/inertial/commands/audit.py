"""`inertial audit`: every theorem of the papers, judged on stored runs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inertial import _json
from inertial.commands.terminal import console, progress, write

if TYPE_CHECKING:
    from inertial.theory.audit import Audit


def audit(
    runs: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())],
    /,
    *,
    measure: bool = False,
    data_dir: Path | None = None,
    json: bool = False,
    tex: bool = False,
) -> None:
    """Judge every theorem of the papers on stored runs, with margins and missed assumptions.

    Parameters
    ----------
    runs
        Folders that `inertial compare` made, or `inertial study`.
    measure
        Run everything again for what the folders do not hold: kernels along the run, and the exact
        split of the residual. Takes about as long as the runs did.
    data_dir
        Folder to look in for the data first.
    json
        Print one JSON list instead of the table.
    tex
        Print a LaTeX table instead.
    """
    from inertial.view.auditing import audit_folders
    from inertial.view.verdicts import audit_table

    with progress() as show:
        judged = audit_folders(runs, measure=measure, data_dir=data_dir, progress=show)
    if json:
        write(_json.dumps([asdict(entry) for entry in judged.entries]))
    elif tex:
        write(audit_table(judged.entries))
    else:
        _show(judged)


def _show(judged: "Audit") -> None:
    """Print verdicts with margins and reasons."""
    from inertial.view.verdicts import VERDICTS, finding, headline

    out = console()
    for verdict, meaning in VERDICTS.items():
        entries = [entry for entry in judged.entries if entry.verdict == verdict]
        if not entries:
            continue
        out.print(f"\n{verdict} ({len(entries)}): {meaning}", style="bold")
        for entry in entries:
            out.print(f"  {headline(entry)}\n      {entry.statement}\n      {finding(entry)}")
    for note in judged.notes:
        out.print(f"note: {note}")
