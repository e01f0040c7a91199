"""From a folder to what is stored there: a run of `inertial compare`, or a study.

A study is a folder with ``studies/NAME.json``, or that file itself where the folder holds several.
"""

from pathlib import Path

from inertial.runs import store
from inertial.runs.study import Folder, index_of, read_index
from inertial.theory.gather import StoredRun
from inertial.view.study_panels import StudyPanels, arrange


def read(source: Path) -> StoredRun | StudyPanels:
    """Read a run or a study.

    Raises
    ------
    InvalidInput
        If there is neither, or what is there is damaged.

    """
    path = index_of(source)
    if path is None:
        return StoredRun(str(source), *store.read_run(source))
    index, folder = read_index(path), Folder(path.parents[1])
    keys = [str(entry["key"]) for entry in index["runs"] if folder.holds(entry["key"])]
    found = {key: folder.read_key(key) for key in keys}
    return arrange(
        index,
        {key: record for key, record in found.items() if record is not None},
        damaged=[key for key, record in found.items() if record is None],
    )


def runs_of(found: StoredRun | StudyPanels) -> list[StoredRun]:
    """Return a run as it is, and of a study one a data set, rule and width."""
    return [found] if isinstance(found, StoredRun) else [panel.run for panel in found.panels]
