"""`inertial report`: one page about a run or a study."""

from pathlib import Path

from inertial import files
from inertial.commands.options import ANOTHER_CSV, Page, command_line
from inertial.commands.terminal import progress, say, write


def report(
    source: Path,
    *,
    out: Page = Path("report.html"),
    audit: bool = True,
    measure: bool = False,
    data_dir: Path | None = None,
    csv: Path | None = None,
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
        Run everything again to measure how the kernels drift. Takes about as long as the runs did.
    data_dir
        Folder to look in first for the data (default: the one INERTIAL_DATA names).
    csv
        Write losses and distances as well, a row per run and step, to this CSV file.
    """
    from inertial.runs.frames import to_dataframe, write_csv
    from inertial.runs.store import read_run
    from inertial.runs.study import index_of, read_study
    from inertial.view import reporting

    files.check_writable(out)
    if csv is not None:
        files.check_writable(csv, remedy=ANOTHER_CSV)
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
    if csv is not None:
        arrays = read_run(source)[0] if index_of(source) is None else read_study(source)
        write_csv(to_dataframe(arrays), csv, remedy=ANOTHER_CSV)
        write(f"numbers {csv}\n")
