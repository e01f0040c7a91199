"""Runs of a study joined to one as `inertial compare` stores it, over methods and seeds.

What follows, pages and audits, then need not know which of the two commands a run comes from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inertial._checks import InvalidInput
from inertial.runs.observables import join
from inertial.runs.store import Record
from inertial.theory.gather import StoredRun
from inertial.view import panels

_RECORDS = ("loss", "forecast_loss", *panels.DISTANCES, "pattern_change", "eigenvalue", "weight")
_FACTS = (
    *("data", "data_sha256", "n", "d", "rule", "optimizer", "width", "seed", "precision"),
    *("status", "diverged_at", "eta", "beta", "gamma"),
)
_PARTS = ("settings", "data", "methods", "cost")


def check_record(key: str, record: Record, steps: int) -> None:
    """Refuse what is no run of a study with so many steps."""
    arrays, manifest = record
    missing = [name for name in _FACTS if name not in arrays.attrs]
    missing += [name for name in _RECORDS if name not in arrays]
    missing += [name for name in _PARTS if not manifest.get(name)]
    missing += [] if "seconds" in (manifest.get("cost") or {}) else ["seconds"]
    if missing or arrays.sizes.get("step") != steps + 1:
        lacks = f"lacks {', '.join(missing)}" if missing else "has another number of steps"
        raise InvalidInput(f"the run {key} of the study {lacks}; delete it and make it again.")


def joined(
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
    first = found[0].manifest
    manifest = {
        **first,
        "settings": {**first["settings"], "methods": methods, "seeds": seeds},
        "methods": [by_method[method].manifest["methods"][0] for method in methods],
    }
    return StoredRun(name, arrays, manifest)
