"""What runs have left behind, joined over data, optimizer, width, seed and step, by rule."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput
from inertial.runs.measures import distinct_names
from inertial.runs.records import Folder, read_record

VARIABLES = ("loss", "max_distance", "pattern_change", "forecast_loss")

_ALONG = ("data", "optimizer", "width", "seed")


@dataclass(frozen=True)
class Stored:
    """A study as it lies in a folder: its runs that can be read, and how many cannot.

    `results` holds one data set a rule, as `join` returns it.
    """

    name: str
    results: tuple[xr.Dataset, ...]
    missing: int


def join(runs: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join stored runs of one rule; combinations that no run has are NaN.

    Data sets, methods, widths and seeds keep the order of the runs.  Data sets of the same name,
    such as different numbers of rows of one file, are told apart by their hash.
    """
    names = distinct_names(run.attrs for run in runs)
    places = [
        (names[str(run.attrs["data_sha256"])], *(run.attrs[k] for k in _ALONG[1:])) for run in runs
    ]
    axes = [list(dict.fromkeys(column)) for column in zip(*places, strict=True)]
    steps = runs[0].step.values
    shape = (*map(len, axes), len(steps))
    arrays = {name: np.full(shape, np.nan) for name in VARIABLES}
    for run, place in zip(runs, places, strict=True):
        at = tuple(axis.index(value) for axis, value in zip(axes, place, strict=True))
        for name, array in arrays.items():
            array[at] = run[name].values
    first = {names[str(run.attrs["data_sha256"])]: run.attrs for run in reversed(runs)}
    sizes = {k: ("data", np.array([first[name][k] for name in axes[0]])) for k in ("n", "d")}
    return xr.Dataset(
        {name: ((*_ALONG, "step"), array) for name, array in arrays.items()} | sizes,
        coords=dict(zip(_ALONG, axes, strict=True)) | {"step": steps},
        attrs={"rule": runs[0].attrs["rule"]},
    )


def read_studies(path: Path) -> list[Stored]:
    """Read all studies in a folder from their indices, without computing anything.

    Raises
    ------
    InvalidInput
        If an index is damaged.

    """
    return [_read(index, Folder(path)) for index in sorted(path.glob("studies/*.json"))]


def _read(index: Path, folder: Folder) -> Stored:
    try:
        document = json.loads(index.read_text(encoding="utf-8"))
        name, entries = str(document["study"]["name"]), document["runs"]
        runs = [read_record(folder.path / entry["file"], entry["key"]) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput(
            f"{index} is damaged; repeat inertial study, which writes it again."
        ) from None
    by_rule: dict[str, list[xr.Dataset]] = {}
    for run in runs:
        if run is not None:
            by_rule.setdefault(str(run.attrs["rule"]), []).append(run)
    results = tuple(join(group) for group in by_rule.values())
    return Stored(name, results, sum(run is None for run in runs))
