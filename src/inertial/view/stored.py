"""From a folder to what is stored there: a run of `inertial compare`, or a study.

A study is a folder with ``studies/NAME.json``, or that file itself where the folder holds several.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inertial._checks import InvalidInput
from inertial.runs import store
from inertial.runs.records import read_record
from inertial.theory.gather import StoredRun
from inertial.view.study_panels import StudyPanels, arrange


def read(source: Path) -> StoredRun | StudyPanels:
    """Read a run or a study.

    Raises
    ------
    InvalidInput
        If there is neither, or what is there is damaged.

    """
    index = _index(source)
    if index is None:
        return StoredRun(str(source), *store.read_run(source))
    document = _read_index(index)
    files = {str(entry["key"]): index.parents[1] / str(entry["file"]) for entry in document["runs"]}
    found = {key: read_record(path, key) for key, path in files.items() if path.exists()}
    return arrange(
        document,
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


def _read_index(index: Path) -> Mapping[str, Any]:
    try:
        document: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        for entry in document["runs"]:
            entry["key"], entry["file"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput(
            f"{index} is not the index of a study; give the folder of a run or of a study."
        ) from None
    return document
