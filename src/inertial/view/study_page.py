"""One page about a study: what to use on each data set, every setting beside the others.

Everything is read from the study's index and the runs that are stored; a run that is missing, was
refused or is damaged is named, and the statistics are over those that are there.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from inertial.method.recursion import FAMILIES, label
from inertial.theory.audit import WEIGHT, AuditEntry
from inertial.theory.sources import SOURCES
from inertial.view import panels
from inertial.view.page import render
from inertial.view.study_panels import Group, Panel, StudyPanels
from inertial.view.verdicts import KINDS, VERDICTS, summary

SCRIPTS = ("charts.js", "report.js")

_SHOWN_LACKING = 60


def study_page(
    arranged: StudyPanels,
    audit: Sequence[AuditEntry] | None = None,
    *,
    folder: str,
    command: str | None = None,
    measuring: str | None = None,
) -> str:
    """Return the page of a study, self-contained.

    Parameters
    ----------
    arranged
        The study, with the kernels where they were measured again.
    audit
        Entries of an audit of all its panels; without them the page has no such section.
    folder
        The study's folder, as the reader names it.
    command
        The command that makes this page.
    measuring
        The command that makes it with the kernels; named where there are none.

    """
    study, groups = arranged.study, arranged.groups
    modes = sum(group.arrays.sizes["mode"] for group in groups)
    every = panels.stride([panel.run.arrays for panel in arranged.panels], modes)
    return render(
        "study.html",
        SCRIPTS,
        _document(groups, every),
        study=study,
        toml=as_toml(study),
        groups=groups,
        several={what: len(study[what]) > 1 for what in ("rules", "widths", "seeds")},
        lacking=arranged.lacking[:_SHOWN_LACKING],
        lacks=len(arranged.lacking),
        total=arranged.total,
        seconds=arranged.seconds,
        codes=arranged.codes,
        manifest=arranged.panels[0].run.manifest,
        failed=any(not panel.ranking.reached for panel in arranged.panels),
        diverged=any(panel.best.diverged for panel in arranged.panels),
        rings=any(panel.ranking.best.staying() for panel in arranged.panels),
        every=every,
        kernel=any(panel.run.probes for panel in arranged.panels),
        measuring=measuring,
        audit=audit,
        summary=summary(audit or ()),
        kinds=KINDS,
        meanings=VERDICTS,
        weight=WEIGHT,
        papers=SOURCES,
        folder=folder,
        words={
            "folder": shlex.quote(folder),
            "file": shlex.quote(f"{study['name']}.toml"),
        },
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
        "labels": {name: label(name) for name in FAMILIES},
        "panels": [
            panels.numbers(panel.run.arrays, every)
            | {
                "kernel": panels.kernel(panel.run),
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
        "spectra": [
            {"id": f"{group.id}-", "file": _file(f"{group.name}-")} | one
            for group in groups
            for one in panels.spectrum(group.arrays)
        ],
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
