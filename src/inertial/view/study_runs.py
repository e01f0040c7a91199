"""Runs of a study joined to one as `inertial compare` stores it, over methods and seeds.

What follows, pages and audits, then need not know which of the two commands a run comes from.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput
from inertial.theory.gather import StoredRun
from inertial.view import panels

_RECORDS = ("loss", "forecast_loss", *panels.DISTANCES, "pattern_change")
_MODES = ("eigenvalue", "weight")
_COEFFICIENTS = ("eta", "beta", "gamma")
_TEXTS = ("provenance", "environment")
_FACTS = (
    *("data", "data_sha256", "n", "d", "precision", "status", "diverged_at", "seconds"),
    *(*_COEFFICIENTS, *_TEXTS),
)


def check_record(key: str, record: xr.Dataset, steps: int) -> None:
    """Refuse what is no run of a study with so many steps."""
    missing = [name for name in _FACTS if name not in record.attrs]
    missing += [name for name in (*_RECORDS, *_MODES) if name not in record]
    if missing or record.sizes["step"] != steps + 1:
        lacks = f"lacks {', '.join(missing)}" if missing else "has another number of steps"
        raise InvalidInput(f"the run {key} of the study {lacks}; delete it and make it again.")


def joined(
    name: str,
    study: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    records: Mapping[str, xr.Dataset],
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

    Raises
    ------
    InvalidInput
        If what a run says of its data or versions is damaged.

    """
    there = {entry["method"]: records[entry["key"]] for entry in entries}
    methods = {method: there[method] for method in study["methods"] if method in there}
    key = entries[0]["key"]
    first = records[key].attrs
    data, environment = (_read(first, part, key) for part in _TEXTS)
    manifest = {
        "settings": {
            "width": int(entries[0]["width"]),
            "rule": str(entries[0]["rule"]),
            "precision": str(first["precision"]),
            "seeds": list(study["seeds"]),
            "steps": int(study["steps"]),
        },
        "methods": [
            {"name": method, "start": "zero"}
            | {part: float(one.attrs[part]) for part in _COEFFICIENTS}
            for method, one in methods.items()
        ],
        "data": data,
        **environment,
    }
    return StoredRun(name, _arrays(study, list(methods), entries, records), manifest)


def _arrays(
    study: Mapping[str, Any],
    methods: Sequence[str],
    entries: Sequence[Mapping[str, Any]],
    records: Mapping[str, xr.Dataset],
) -> xr.Dataset:
    """All records over (method, seed, step); NaN, and the status `missing`, where there is none."""
    seeds = list(study["seeds"])
    shape = (len(methods), len(seeds), study["steps"] + 1)
    values = {name: np.full(shape, np.nan) for name in _RECORDS}
    status = np.full(shape[:2], "missing", dtype=object)
    diverged_at = np.full(shape[:2], -1)
    coefficients = {name: np.full(len(methods), np.nan) for name in _COEFFICIENTS}
    for entry in entries:
        record = records[entry["key"]]
        i, j = methods.index(entry["method"]), seeds.index(entry["seed"])
        status[i, j], diverged_at[i, j] = record.attrs["status"], record.attrs["diverged_at"]
        for name in _RECORDS:
            values[name][i, j] = record[name].values
        for name, array in coefficients.items():
            array[i] = record.attrs[name]
    along = ("optimizer", "seed", "step")
    return xr.Dataset(
        {name: (along, array) for name, array in values.items()}
        | {"status": (along[:2], status), "diverged_at": (along[:2], diverged_at)}
        | {name: (along[:1], array) for name, array in coefficients.items()}
        | {name: ("mode", records[entries[0]["key"]][name].values) for name in _MODES},
        coords={"optimizer": list(methods), "seed": seeds, "step": np.arange(shape[2])},
    )


def _read(attributes: Mapping[str, Any], part: str, key: str) -> dict[str, Any]:
    """Read a mapping from an attribute."""
    try:
        document = json.loads(attributes[part])
    except (TypeError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise InvalidInput(
            f"the {part} of the run {key} of the study is damaged; delete it and make it again."
        )
    return document
