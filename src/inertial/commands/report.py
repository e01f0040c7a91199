"""`inertial report`: one page about a run or a study."""

from pathlib import Path

from inertial import files
from inertial.commands.options import Page, command_line
from inertial.commands.terminal import progress, say, write


def report(
    source: Path,
    *,
    out: Page = Path("report.html"),
    audit: bool = True,
    measure: bool = False,
    data_dir: Path | None = None,
) -> None:
    """Write one page about SOURCE: what to use, every figure with its numbers, theorems judged.

    Parameters
    ----------
    source
        Folder of a run (`inertial compare`) or of a study (`inertial study`), or the index of a
        study.
    out
        File to write.
    audit
        Judge the theorems; --no-audit leaves them out and is quicker.
    measure
        Run everything again to measure how the kernels drift. Takes about as long as it did.
    data_dir
        Folder to look in first for the data (default: the one INERTIAL_DATA names).
    """
    from inertial.view import reporting

    files.check_writable(out)
    with progress() as show:
        page = reporting.report(
            source,
            judge=audit,
            measure=measure,
            data_dir=data_dir,
            command=command_line(),
            measuring=command_line("--measure"),
            progress=show,
        )
    for note in page.notes:
        say("note", note)
    files.write(out, page.html)
    write(f"page    {out}\n")
