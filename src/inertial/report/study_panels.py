"""The runs of a study as panels: for each data set, one panel a rule and width.

The index says which runs there should be; what is not stored is listed as lacking.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput, one_of
from inertial.report import panels
from inertial.report.figures import STYLES

_RECORDS = ("loss", "forecast_loss", *panels.DISTANCES, "pattern_change")
_FACTS = ("data", "data_source", "data_sha256", "n", "d", "eta", "beta", "gamma", "seconds")


@dataclass(frozen=True)
class Panel:
    """All methods and seeds of one rule and width on one data set."""

    id: str
    rule: str
    width: int
    arrays: xr.Dataset
    rows: list[panels.Row]

    @property
    def best(self) -> panels.Best:
        """The method to use."""
        return panels.best_of(self.rows)

    @property
    def plain(self) -> panels.Row | None:
        """Gradient descent."""
        return panels.plain_of(self.rows)


@dataclass(frozen=True)
class Widths:
    """The panels of one rule, at several widths."""

    id: str
    rule: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Group:
    """A data set of the study: facts of one of its stored runs, and its panels."""

    id: str
    name: str
    facts: Mapping[str, Any]
    panels: tuple[Panel, ...]

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


def checked(
    index: Mapping[str, Any], records: Mapping[str, xr.Dataset]
) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """Refuse what is no index of a study, or runs that are not those of one."""
    try:
        study, entries = index["study"], list(index["runs"])
        for name in study["methods"]:
            one_of("method of the study", str(name), STYLES)
        for part in ("name", "data", "rules", "widths", "seeds", "steps", "target"):
            study[part]
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
        missing = [name for name in _FACTS if name not in record.attrs]
        missing += [name for name in _RECORDS if name not in record]
        if missing or record.sizes["step"] != study["steps"] + 1:
            lacks = f"lacks {', '.join(missing)}" if missing else "has another number of steps"
            raise InvalidInput(f"the run {key} of the study {lacks}; delete it and make it again.")
    return study, entries


def groups_of(
    study: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    records: Mapping[str, xr.Dataset],
) -> tuple[Group, ...]:
    """Return the data sets with at least one stored run, in the order of the study."""
    found: dict[str, dict[tuple[str, int], list[Mapping[str, Any]]]] = {}
    for entry in entries:
        if entry["key"] in records:
            data, rule, width = _place(entry)
            found.setdefault(data, {}).setdefault((rule, width), []).append(entry)
    groups: list[Group] = []
    for places in found.values():
        first = records[next(iter(places.values()))[0]["key"]]
        made = tuple(
            _panel(f"g{len(groups)}p{i}", place, study, stored, records)
            for i, (place, stored) in enumerate(
                sorted(places.items(), key=lambda item: _order(study, item[0]))
            )
        )
        groups.append(Group(f"g{len(groups)}", str(first.attrs["data"]), first.attrs, made))
    return tuple(groups)


def lacking_of(
    entries: Sequence[Mapping[str, Any]], records: Mapping[str, xr.Dataset], damaged: Sequence[str]
) -> list[Lacking]:
    """List the runs that are not there."""
    return [
        Lacking(
            f"{Path(str(entry['data']['name'])).name}, {STYLES[entry['method']].label}, "
            f"{entry['rule']}, m = {entry['width']:,}, seed {entry['seed']}",
            _state(entry, damaged),
            entry.get("reason"),
        )
        for entry in entries
        if entry["key"] not in records
    ]


def _place(entry: Mapping[str, Any]) -> tuple[str, str, int]:
    """Return data set, rule and width of a run, which name its panel."""
    return json.dumps(entry["data"], sort_keys=True), str(entry["rule"]), int(entry["width"])


def _order(study: Mapping[str, Any], place: tuple[str, int]) -> tuple[int, int]:
    return list(study["rules"]).index(place[0]), place[1]


def _panel(
    key: str,
    place: tuple[str, int],
    study: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    records: Mapping[str, xr.Dataset],
) -> Panel:
    """Arrange the stored runs of one rule and width as `compare` does."""
    there = {entry["method"] for entry in entries}
    methods = [name for name in study["methods"] if name in there]
    seeds = list(study["seeds"])
    shape = (len(methods), len(seeds), study["steps"] + 1)
    values = {name: np.full(shape, np.nan) for name in _RECORDS}
    status = np.full(shape[:2], "missing", dtype=object)
    coefficients = {name: np.full(len(methods), np.nan) for name in ("eta", "beta", "gamma")}
    for entry in entries:
        record = records[entry["key"]]
        i, j = methods.index(entry["method"]), seeds.index(entry["seed"])
        status[i, j] = str(record.attrs.get("status", "finished"))
        for name in _RECORDS:
            values[name][i, j] = record[name].values
        for name, array in coefficients.items():
            array[i] = record.attrs[name]
    along = ("method", "seed", "step")
    arrays = xr.Dataset(
        {name: (along, array) for name, array in values.items()}
        | {"status": (along[:2], status)}
        | {name: (along[:1], array) for name, array in coefficients.items()},
        coords={"method": methods, "seed": seeds, "step": np.arange(shape[2])},
    )
    return Panel(key, *place, arrays, panels.rows_of(arrays))


def _state(entry: Mapping[str, Any], damaged: Sequence[str]) -> str:
    if entry["key"] in damaged:
        return "damaged"
    return "failed" if entry["state"] == "failed" else "missing"
