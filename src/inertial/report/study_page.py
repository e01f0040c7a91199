"""One page about a study: what to use on each data set, every setting beside the others.

Everything is read from the study's index and the runs that are stored; a run that is missing, was
refused or is damaged is named, and the statistics are over those that are there.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from inertial._checks import InvalidInput
from inertial.report import panels
from inertial.report.figures import STYLES
from inertial.report.page import render
from inertial.report.study_panels import Group, Panel, checked, groups_of, lacking_of

SCRIPTS = ("charts.js", "report.js")

_SHOWN_LACKING = 60


def study_page(
    index: Mapping[str, Any],
    records: Mapping[str, xr.Dataset],
    *,
    folder: str,
    damaged: Sequence[str] = (),
    command: str | None = None,
) -> str:
    """Return the page of a study, self-contained.

    Parameters
    ----------
    index
        The study and its runs, as the study's index lists them.
    records
        The stored runs, by key.
    folder
        The study's folder, as the reader names it.
    damaged
        Keys of runs whose file cannot be read.
    command
        The command that makes this page.

    Raises
    ------
    InvalidInput
        If no run is stored, or the index or a run is not that of a study.

    """
    study, entries = checked(index, records)
    groups = groups_of(study, entries, records)
    if not groups:
        raise InvalidInput(
            f"no run of the study {study['name']} is stored yet; run inertial study first."
        )
    every = panels.stride([panel.arrays for group in groups for panel in group.panels])
    lacking = lacking_of(entries, records, damaged)
    return render(
        "study.html",
        SCRIPTS,
        _document(groups, every),
        study=study,
        toml=as_toml(study),
        groups=groups,
        several={what: len(study[what]) > 1 for what in ("rules", "widths")},
        lacking=lacking[:_SHOWN_LACKING],
        lacks=len(lacking),
        total=len(entries),
        seconds=sum(float(record.attrs["seconds"]) for record in records.values()),
        codes=sorted({str(entry.get("code")) for entry in entries}),
        targets=panels.TARGETS,
        every=every,
        folder=folder,
        command=command,
    )


def as_toml(study: Mapping[str, Any]) -> str:
    """Write a study as the TOML file that makes it again."""
    lines = []
    for key, item in study.items():
        if key == "data":
            lines += ["data = [", *(f"    {_table(one)}," for one in item), "]"]
        else:
            lines.append(f"{key} = {_value(item)}")
    return "\n".join(lines)


def _table(entries: Mapping[str, Any]) -> str:
    """Write an inline table; what is None is left out."""
    there = {key: item for key, item in entries.items() if item is not None}
    return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in there.items()) + " }"


def _value(item: object) -> str:
    """Write a value: JSON's lists, numbers, words and texts are TOML's, save one character."""
    return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")


def _document(groups: Sequence[Group], every: int) -> dict[str, Any]:
    """Everything the figures draw."""
    return {
        "labels": {key: style.label for key, style in STYLES.items()},
        "panels": [
            panels.numbers(panel.arrays, every)
            | {
                "id": f"{panel.id}-",
                "file": _file(f"{group.name}-{panel.rule}-m{panel.width}-"),
                "group": place,
                "others": [],
            }
            for place, group in enumerate(groups)
            for panel in group.panels
        ],
        "widths": [
            {"id": f"{widths.id}-", "file": _file(f"{group.name}-{widths.rule}-"), "rows": rows}
            for group in groups
            for widths in group.widths
            for rows in [[_by_width(panel, row) for panel in widths.panels for row in panel.rows]]
        ],
        "spectrum": None,
        "kernel": None,
    }


def _by_width(panel: Panel, row: panels.Row) -> dict[str, Any]:
    """Where a method's runs ended, at one width."""
    return {
        "method": row.key,
        "width": panel.width,
        "max_distance": row.distance,
        "pattern_change": row.pattern_change,
        "forecast_error": row.forecast_error,
    }


def _file(text: str) -> str:
    """Keep what every file system takes."""
    return re.sub(r"[^\w-]+", "-", text)
