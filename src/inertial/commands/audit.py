"""`inertial audit`: every theorem of the papers, judged on stored runs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inertial import _json
from inertial._checks import InvalidInput
from inertial.commands.terminal import console, progress, say, write

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
    if json and tex:
        raise InvalidInput("--json and --tex are two forms of one table; give one of them.")
    from inertial.view.auditing import audit_folders
    from inertial.view.verdicts import audit_table

    with progress() as show:
        judged = audit_folders(runs, measure=measure, data_dir=data_dir, progress=show)
    for note in judged.notes:
        say("note", note)
    if json:
        write(_json.dumps([asdict(entry) for entry in judged.entries]))
    elif tex:
        write(audit_table(judged.entries))
    else:
        _show(judged)


def _show(judged: "Audit") -> None:
    """Print the answer, then every entry with its margin and reason."""
    from inertial.view.verdicts import KINDS, MEASURED, VERDICTS, finding, headline, summary

    out = console()
    short = summary(judged.entries)
    out.print("Does the theory hold on these data?", style="bold")
    out.print(f"{short.answer} {short.reason}")
    for kind, title in KINDS.items():
        out.print(f"\n{title} ({sum(short.counts[kind].values())})", style="bold")
        for verdict, number in short.counts[kind].items():
            out.print(f"\n{verdict} ({number}): {VERDICTS[verdict]}", style="bold")
            for entry in judged.entries:
                if (entry.kind, entry.verdict) == (kind, verdict):
                    lines = (headline(entry), f"    {entry.statement}", f"    {finding(entry)}")
                    out.print("\n".join(f"  {line}" for line in lines))
    out.print(f"\n{MEASURED}")
