"""From the folder of a run or of a study to its page."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inertial.data import given_folder
from inertial.theory.audit import audit
from inertial.theory.gather import StoredRun
from inertial.view.auditing import Progress, measured, read, runs_of
from inertial.view.run_page import model_page, report_page
from inertial.view.study_page import study_page


@dataclass(frozen=True)
class Page:
    """A page, and what was noticed on the way.

    Parameters
    ----------
    html
        The whole page, with its figures inside; nothing is loaded from elsewhere.
    notes
        Sentences about what is missing or was left out; empty if nothing was.

    """

    html: str
    notes: tuple[str, ...]


def report(
    source: str | Path,
    *,
    judge: bool = True,
    measure: bool = False,
    data_dir: str | Path | None = None,
    command: str | None = None,
    measuring: str | None = None,
    progress: Progress | None = None,
) -> Page:
    """Make the page of a run or a study.

    Parameters
    ----------
    source
        Folder of a run or of a study, or the index of a study.
    judge
        Whether to judge the theorems.
    measure
        Whether to run everything again for its kernels.
    data_dir
        Folder to look in for the data first.
    command, measuring
        The command that makes the page, and the one that makes it with the kernels measured: both
        are printed on it.
    progress
        Called along the way.

    Returns
    -------
    Page
        One self-contained page as text, and notes.

    Raises
    ------
    InvalidInput
        If there is neither a run nor a study, or what is there is damaged, or if the folder to
        look in does not exist.

    """
    given_folder(data_dir)  # refused where it is none, used or not
    source = Path(source)
    found = read(source)
    if isinstance(found, StoredRun) and "model" in found.manifest:
        return Page(model_page(found, command=command), _left_out(judge=judge, measure=measure))
    if isinstance(found, StoredRun) and found.manifest.get("settings", {}).get("decay"):
        note = "the theorems are for training without weight decay; none is judged on this run."
        return Page(report_page(found, command=command), (note,) if judge or measure else ())
    again = partial(measured, data_dir=data_dir, progress=progress)
    if measure:
        found = again(found) if isinstance(found, StoredRun) else found.measured(again)
    judged = audit(runs_of(found), data_dir=data_dir, progress=progress) if judge else None
    entries = judged.entries if judged else None
    if isinstance(found, StoredRun):
        html = report_page(found, entries, command=command, measuring=measuring)
    else:
        folder = source.parents[1] if source.is_file() else source
        html = study_page(found, entries, folder=str(folder), command=command, measuring=measuring)
    return Page(html, judged.notes if judged else ())


def _left_out(*, judge: bool, measure: bool) -> tuple[str, ...]:
    """Say what a page about a model has no use for."""
    notes = []
    if judge:
        notes.append("the theorems are about the papers' network; none is judged on this model.")
    if measure:
        notes.append("the run stores how its kernel moved; nothing is measured again.")
    return tuple(notes)
