"""The runs of a study as panels: for each data set, one panel per rule and width.

A panel is a run as `inertial compare` stores one, with all methods and seeds.  The index says which
runs there should be; what is not stored is listed as lacking.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from inertial._checks import InvalidInput, fraction, one_of
from inertial.method.recursion import FAMILIES
from inertial.runs.measures import distinct_names
from inertial.runs.observables import join
from inertial.runs.ranking import Ranking
from inertial.runs.store import Record
from inertial.runs.style import style_of
from inertial.theory.gather import StoredRun
from inertial.view import panels
from inertial.view.panels import Row

_RECORDS = ("loss", "forecast_loss", *panels.DISTANCES, "pattern_change", "eigenvalue", "weight")
_FACTS = (
    *("data", "data_sha256", "n", "d", "rule", "optimizer", "width", "seed", "precision"),
    *("status", "diverged_at", "eta", "beta", "gamma"),
)
_PARTS = ("settings", "data", "methods", "cost")


@dataclass(frozen=True)
class Panel:
    """All methods and seeds of one rule and width on one data set, and what was measured again."""

    id: str
    rule: str
    width: int
    run: StoredRun
    rows: list[Row]

    target: float

    @property
    def ranking(self) -> Ranking:
        """The methods, the one to use first."""
        return panels.ranked(self.rows, self.target)

    @property
    def best(self) -> Row:
        """The method to use."""
        return next(row for row in self.rows if row.key == self.ranking.best.name)

    @property
    def plain(self) -> Row | None:
        """Gradient descent."""
        return panels.gradient_descent_of(self.rows)


@dataclass(frozen=True)
class Widths:
    """The panels of one rule, at several widths."""

    id: str
    rule: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Group:
    """A data set of the study, as its record says, and its panels."""

    id: str
    name: str
    data: Mapping[str, Any]
    panels: tuple[Panel, ...]

    @property
    def arrays(self) -> xr.Dataset:
        """Arrays of a panel, for what all of them share: the spectrum."""
        return self.panels[0].run.arrays

    @property
    def ends(self) -> tuple[float, float] | None:
        """Smallest and largest eigenvalue."""
        return panels.ends(self.arrays)

    @property
    def doubted(self) -> tuple[Panel, Row, str] | None:
        """Of the methods to use the one least in doubt, where the forecast of none holds, and why.

        A study has no option for its widths.
        """
        best = [(panel, panel.best) for panel in self.panels]
        known = [(row.trust, panel, row) for panel, row in best if row.trust]
        if not known:
            return None
        trust, panel, row = min(known, key=lambda one: one[0].strain)
        said = re.sub(r"--width (\d+)", r"widths = [\1] in the study", trust.sentence)
        return None if trust.verdict == "holds" else (panel, row, said)

    @property
    def widths(self) -> tuple[Widths, ...]:
        """The rules with at least two widths."""
        rules = dict.fromkeys(panel.rule for panel in self.panels)
        made = (
            Widths(f"{self.id}r{i}", rule, tuple(p for p in self.panels if p.rule == rule))
            for i, rule in enumerate(rules)
        )
        return tuple(widths for widths in made if len(widths.panels) > 1)


@dataclass(frozen=True)
class Lacking:
    """A run that is not there, and why."""

    label: str
    state: str
    reason: str | None


@dataclass(frozen=True)
class StudyPanels:
    """A study as it is stored.

    `total` runs there should be, of which the `lacking` ones are not there; the others took
    `seconds` and were computed by code of the versions `codes`.
    """

    study: Mapping[str, Any]
    groups: tuple[Group, ...]
    lacking: tuple[Lacking, ...]
    total: int
    seconds: float
    codes: tuple[str, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels."""
        return tuple(panel for group in self.groups for panel in group.panels)

    def measured(self, measure: Callable[[StoredRun], StoredRun]) -> "StudyPanels":
        """Return the study with every panel's run as `measure` gives it back."""
        groups = (
            replace(
                group,
                panels=tuple(replace(panel, run=measure(panel.run)) for panel in group.panels),
            )
            for group in self.groups
        )
        return replace(self, groups=tuple(groups))


def arrange(
    index: Mapping[str, Any], records: Mapping[str, Record], damaged: Sequence[str] = ()
) -> StudyPanels:
    """Arrange the runs of a study.

    Parameters
    ----------
    index
        The study and its runs, as the study's index lists them.
    records
        The stored runs, by key.
    damaged
        Keys of runs whose file cannot be read.

    Raises
    ------
    InvalidInput
        If no run is stored, or the index or a run is not that of a study.

    """
    study, entries = _checked(index, records)
    if not records:
        raise InvalidInput(
            f"no run of the study {study['name']} is stored yet; run inertial study first."
        )
    return StudyPanels(
        study,
        _groups(study, entries, records),
        _lacking(entries, records, damaged),
        len(entries),
        sum(float(record.manifest["cost"]["seconds"]) for record in records.values()),
        tuple(sorted({str(entry.get("result_version")) for entry in entries})),
    )


def _checked(
    index: Mapping[str, Any], records: Mapping[str, Record]
) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """Refuse what is no index of a study, or runs that are not those of one."""
    try:
        study, entries = index["study"], list(index["runs"])
        for name in study["methods"]:
            one_of("method of the study", str(name), FAMILIES)
        for part in ("name", "data", "rules", "widths", "seeds", "steps", "target"):
            study[part]
        fraction("target of the study", study["target"])
        for entry in entries:
            _, rule, _ = _place(entry)
            study["rules"].index(rule)
            study["methods"].index(entry["method"])
            study["seeds"].index(entry["seed"])
            entry["key"], entry["state"], entry["data"]["name"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"the index of the study is damaged ({error}); repeat inertial study, which writes it "
            "again."
        ) from None
    for key, record in records.items():
        _check_record(key, record, study["steps"])
    return study, entries


def _groups(
    study: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    records: Mapping[str, Record],
) -> tuple[Group, ...]:
    """Return the data sets with at least one stored run, in the order of the study."""
    names = distinct_names([record.arrays.attrs for record in records.values()])
    found: dict[str, dict[tuple[str, int], list[Mapping[str, Any]]]] = {}
    for entry in entries:
        if entry["key"] in records:
            data, rule, width = _place(entry)
            found.setdefault(data, {}).setdefault((rule, width), []).append(entry)
    groups: list[Group] = []
    for places in found.values():
        first = records[next(iter(places.values()))[0]["key"]]
        name = names[str(first.arrays.attrs["data_sha256"])]
        made = tuple(
            _panel(f"g{len(groups)}p{i}", name, study, stored, records)
            for i, (_, stored) in enumerate(
                sorted(places.items(), key=lambda item: _order(study, item[0]))
            )
        )
        groups.append(Group(f"g{len(groups)}", name, made[0].run.manifest["data"], made))
    return tuple(groups)


def _lacking(
    entries: Sequence[Mapping[str, Any]], records: Mapping[str, Record], damaged: Sequence[str]
) -> tuple[Lacking, ...]:
    """List the runs that are not there."""
    return tuple(
        Lacking(
            f"{Path(str(entry['data']['name'])).name}, {style_of(entry['method']).label}, "
            f"{entry['rule']}, m = {entry['width']:,}, seed {entry['seed']}",
            _state(entry, damaged),
            entry.get("reason"),
        )
        for entry in entries
        if entry["key"] not in records
    )


def _state(entry: Mapping[str, Any], damaged: Sequence[str]) -> str:
    if entry["key"] in damaged:
        return "damaged"
    return "failed" if entry["state"] == "failed" else "missing"


def _place(entry: Mapping[str, Any]) -> tuple[str, str, int]:
    """Return data set, rule and width of a run, which name its panel."""
    return json.dumps(entry["data"], sort_keys=True), str(entry["rule"]), int(entry["width"])


def _order(study: Mapping[str, Any], place: tuple[str, int]) -> tuple[int, int]:
    return list(study["rules"]).index(place[0]), place[1]


def _panel(
    key: str,
    name: str,
    study: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    records: Mapping[str, Record],
) -> Panel:
    _, rule, width = _place(entries[0])
    run = _joined(f"{name}, {rule}, m = {width:,}", study, entries, records)
    target = float(study["target"])
    return Panel(key, rule, width, run, panels.rows_of(run.arrays, target, width), target)


def _check_record(key: str, record: Record, steps: int) -> None:
    """Refuse what is no run of a study with so many steps."""
    arrays, manifest = record
    missing = [name for name in _FACTS if name not in arrays.attrs]
    missing += [name for name in _RECORDS if name not in arrays]
    missing += [name for name in _PARTS if not manifest.get(name)]
    missing += [] if "seconds" in (manifest.get("cost") or {}) else ["seconds"]
    if missing or arrays.sizes.get("step") != steps + 1:
        lacks = f"lacks {', '.join(missing)}" if missing else "has another number of steps"
        raise InvalidInput(f"the run {key} of the study {lacks}; delete it and make it again.")


def _joined(
    name: str,
    study: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    records: Mapping[str, Record],
) -> StoredRun:
    """Join stored runs of one data set, rule and width.

    Parameters
    ----------
    name
        What the run is to be called.
    study
        The study, which gives methods and seeds their order.
    entries
        The runs, as the study's index lists them; at least one.
    records
        The stored runs, by key.

    """
    found = [records[entry["key"]] for entry in entries]
    by_method = {record.arrays.attrs["optimizer"]: record for record in found}
    methods = [method for method in study["methods"] if method in by_method]
    seeds = list(study["seeds"])
    arrays = join([record.arrays for record in found], axes={"optimizer": methods, "seed": seeds})
    arrays.attrs["d"] = found[0].arrays.attrs["d"]
    first = found[0].manifest
    manifest = {
        **first,
        "settings": {**first["settings"], "methods": methods, "seeds": seeds},
        "methods": [by_method[method].manifest["methods"][0] for method in methods],
    }
    return StoredRun(name, arrays, manifest)
