"""From a folder to what is stored there: a run of `inertial compare`, or a study.

A study is a folder with ``studies/NAME.json``, or that file itself where the folder holds several.
"""

from pathlib import Path

from inertial._checks import InvalidInput
from inertial.runs import store
from inertial.runs.study import Folder, read_index
from inertial.theory.gather import StoredRun
from inertial.view.study_panels import StudyPanels, arrange


def read(source: Path) -> StoredRun | StudyPanels:
    """Read a run or a study.

    Raises
    ------
    InvalidInput
        If there is neither, or what is there is damaged.

    """
    path = _index(source)
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


def _index(source: Path) -> Path | None:
    """Find the index of the study at a path; None if the path is not one of a study."""
    if source.is_file():
        return source
    found = sorted((source / "studies").glob("*.json"))
    if len(found) > 1:
        raise InvalidInput(
            f"{source} holds {len(found)} studies; give one of them: "
            f"{', '.join(str(path) for path in found)}."
        )
    return found[0] if found else None
