"""From the folder of a run or of a study to its page.

A run is what `inertial compare` wrote, a study what `inertial study` wrote: a folder with
``studies/NAME.json``, or that file itself where the folder holds several studies.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inertial import store
from inertial._checks import InvalidInput
from inertial.auditing import measured
from inertial.report.run_page import report_page
from inertial.report.study_page import study_page
from inertial.study.records import read_record
from inertial.theory.audit import audit
from inertial.theory.gather import StoredRun


@dataclass(frozen=True)
class Page:
    """A page's HTML, and what was noticed on the way."""

    html: str
    notes: tuple[str, ...]


def report(
    source: Path,
    *,
    judge: bool = True,
    measure: bool = False,
    data_dir: Path | None = None,
    command: str | None = None,
    measuring: str | None = None,
) -> Page:
    """Make the page of a run or a study.

    Parameters
    ----------
    source
        Folder of a run or of a study, or the index of a study.
    judge
        Whether to judge the theorems on a run.
    measure
        Whether to run a run again for its kernels.
    data_dir
        Folder to look in for the data first.
    command, measuring
        The command that makes the page, and the one that makes it with the kernels measured.

    Raises
    ------
    InvalidInput
        If there is neither a run nor a study, or what is there is damaged.

    """
    index = _index(source)
    if index is None:
        run = StoredRun(str(source), *store.read_run(source))
        return _run_page(
            run, judge=judge, measure=measure, data_dir=data_dir, words=(command, measuring)
        )
    if measure:
        raise InvalidInput(
            f"{source} is a study, and kernels are measured on single runs; leave --measure out, "
            "or give the folder of a run that inertial compare made."
        )
    return Page(_study_page(index, command), ())


def _run_page(
    run: StoredRun,
    *,
    judge: bool,
    measure: bool,
    data_dir: Path | None,
    words: tuple[str | None, str | None],
) -> Page:
    if measure:
        run = measured(run, data_dir)
    judged = audit([run], data_dir=data_dir) if judge else None
    html = report_page(
        run.arrays,
        run.manifest,
        judged.entries if judged else None,
        probes=run.probes,
        command=words[0],
        measuring=words[1],
    )
    return Page(html, judged.notes if judged else ())


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


def _study_page(index: Path, command: str | None) -> str:
    """Read what is stored of a study, and make its page."""
    folder = index.parent.parent
    document = _read_index(index)
    files = {str(entry["key"]): folder / str(entry["file"]) for entry in document["runs"]}
    read = {key: read_record(path) for key, path in files.items() if path.exists()}
    return study_page(
        document,
        {key: record for key, record in read.items() if record is not None},
        folder=str(folder),
        damaged=[key for key, record in read.items() if record is None],
        command=command,
    )


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
