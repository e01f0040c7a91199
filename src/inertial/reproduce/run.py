"""Make an item: compute what is missing, store the result, check the claims, draw the figure.

OUT/runs/KEY.{nc,json}         one run, shared by all items
OUT/ITEM/result.{nc,json}      what figure and claims are functions of, and what it cost
OUT/ITEM/claims.json           checked statements
OUT/ITEM/figure.{png,svg,pdf}
OUT/index.html                 every item with its verdict
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isnan
from pathlib import Path

import numpy as np
import xarray as xr

from inertial import files
from inertial._checks import InvalidInput, printable
from inertial.files import STAYS
from inertial.reproduce.catalog import data_sets, find
from inertial.reproduce.item import Claim, Compute, Item, Scale
from inertial.runs.config import DataSet
from inertial.runs.cost import Prediction, decomposing, kernel_memory
from inertial.runs.execution import prepare
from inertial.runs.spec import load_data
from inertial.runs.store import Record, environment, read_record, write_record
from inertial.runs.study import Engine, Folder, Progress, Report, join_all, run_study
from inertial.view.drawing import save

_OTHERS = (LookupError, AttributeError, TypeError, ValueError, ArithmeticError)
"""What claims and figures of arrays raise that an item does not make."""

_GROWTH = (0.0, 3.0)
"""Range of the power: from what looks at the ends of the spectrum to a decomposition."""


@dataclass(frozen=True)
class Outcome:
    """An item that has been made."""

    item: Item
    folder: Path
    claims: tuple[Claim, ...]
    predicted: float | None
    seconds: float

    @property
    def failing(self) -> tuple[Claim, ...]:
        """Claims that do not hold."""
        return tuple(claim for claim in self.claims if claim.verdict == "fails")


def item_folder(out: Path, key: str) -> Path:
    """Return the folder of an item."""
    return out / key.replace("/", "-")


def make(
    item: Item,
    scale: Scale,
    names: tuple[str, ...],
    out: Path,
    *,
    progress: Progress | None = None,
    announce: Callable[[Prediction, int | None], None] | None = None,
    engine: Engine | None = None,
    predictor: Callable[..., Prediction] | None = None,
) -> Outcome:
    """Make an item.

    Parameters
    ----------
    item, scale
        What, and how large.
    names
        Data sets.
    out
        Folder of all items; runs that are stored there are not computed again.
    progress, announce, engine, predictor
        As in `inertial.runs.study.run_study`; nothing is trained if the number announced is None.

    Raises
    ------
    InvalidInput
        If nothing could be computed, or the folder cannot be written.

    """
    began = time.perf_counter()
    predicted: float | None

    def start(cost: Prediction, missing: int | None) -> None:
        """Start the clock once the cost is predicted: what the prediction times is not its own."""
        nonlocal began
        if announce is not None:
            announce(cost, missing)
        began = time.perf_counter()

    if item.study is not None:
        study = item.study(data_sets(names, scale, trained=True), scale)
        report = run_study(
            study,
            Folder(out),
            progress=progress,
            announce=start,
            engine=engine,
            predictor=predictor,
        )
        result, predicted = gather(report), report.predicted.seconds
    elif item.compute is not None:
        data = data_sets(names, scale, trained=False)
        cost = predict_item(item, data, scale)
        start(cost, None)
        predicted = None if isnan(cost.seconds) else cost.seconds
        result = item.compute(data, scale)
    else:
        raise ValueError(f"{item.key} has neither study nor computation")
    result = result.assign_attrs(
        item=item.key, title=item.title, source=item.source, scale=scale.name
    )
    seconds = time.perf_counter() - began
    folder = files.folder_in(out, item_folder(out, item.key).name)
    taken = {"seconds": seconds} | ({} if predicted is None else {"predicted_seconds": predicted})
    record = Record(result, {"cost": taken, **environment()})
    write_record(*_files(folder), record)
    return _judge(item, record, folder)


def _files(folder: Path) -> tuple[Path, Path]:
    """Where arrays and manifest of an item's result are."""
    return files.below(folder, "result.nc"), files.below(folder, "result.json")


def redraw(out: Path) -> list[Outcome]:
    """Check and draw every stored item below a folder once more, without computing.

    Raises
    ------
    InvalidInput
        If one is damaged.

    """
    made, damaged = [], []
    for place in sorted(out.glob("*/result.json")):
        try:
            folder = files.below(out, place.parent.name)
            record = read_record(*_files(folder))
            item = find(str(record.arrays.attrs.get("item")))
            made.append(_judge(item, record, folder))
        except InvalidInput as error:
            damaged.append(f"{place.parent} ({error})")
        except _OTHERS as error:
            said = printable(f"{type(error).__name__}: {error}")
            damaged.append(f"{place.parent} (its arrays are not those of its item: {said})")
    if damaged:
        raise InvalidInput(
            f"{', '.join(damaged)}: the stored result is damaged; make the item again with "
            "inertial reproduce (the others are drawn)."
        )
    return made


def gather(report: Report) -> xr.Dataset:
    """Join the runs of a study over (data, method, width, seed, step)."""
    found = map(report.folder.read, report.runs)
    stored = [record.arrays for record in found if record is not None]
    if not stored:
        reason = report.failures[0].reason if report.failures else "no run is stored"
        raise InvalidInput(f"nothing was computed: {reason}")
    return join_all(stored).assign_attrs(missing=len(report.runs) - len(stored))


def _judge(item: Item, record: Record, folder: Path) -> Outcome:
    """Check the claims of a stored result, and draw it."""
    result, cost = record.arrays, record.manifest.get("cost") or {}
    claims = tuple(item.claims(result))
    predicted, seconds = cost.get("predicted_seconds"), float(cost.get("seconds", 0.0))
    document = {
        "item": item.key,
        "title": item.title,
        "source": item.source,
        "scale": result.attrs["scale"],
        "predicted_seconds": predicted,
        "seconds": seconds,
        "claims": [asdict(claim) for claim in claims],
    }
    save(item.figure, result, folder)
    files.write(
        files.below(folder, "claims.json"), json.dumps(document, indent=1) + "\n", remedy=STAYS
    )
    return Outcome(item, folder, claims, predicted, seconds)


def failures(made: Sequence[Outcome]) -> int:
    """Count the claims that fail."""
    return sum(len(one.failing) for one in made)


def predict_item(item: Item, data: tuple[DataSet, ...], scale: Scale) -> Prediction:
    """Predict the cost of an item that trains nothing, from parts timed on this machine.

    Every data set that the item goes through is loaded, and its kernel's decomposition timed on the
    first rows.  The item's own work is timed on a quarter and on half of the first set, and
    extrapolated as a power of n.

    The seconds are NaN if there are no data sets to try it on, or the first cannot be used with so
    few rows, for instance because a column is constant over them: the whole one may still be.
    """
    if item.compute is None:
        raise ValueError(f"{item.key} trains: its study predicts the cost")
    sets = {"all": data, "first": data[:1], "none": ()}[item.uses]
    if not sets:
        return Prediction(np.nan, (), kernel_memory(()), 0, 1)
    try:
        own = _own(item.compute, sets[0], scale)
    except InvalidInput:
        own = np.nan, 1.0
    seconds = sum(_seconds(one, *own) for one in sets)
    return Prediction(seconds, (seconds,), kernel_memory(sets), 0, 1)


def _own(compute: Compute, data: DataSet, scale: Scale) -> tuple[float, float]:
    """Seconds of an item's own work on a data set that is prepared, c n^p: c and p."""
    n = len(load_data(data).y)
    taken = []
    for part in (4, 4, 2):  # what is done once, such as importing, is in the first
        some = (replace(data, rows=max(2, n // part)),)
        prepare(some[0])
        began = time.perf_counter()
        compute(some, scale)
        taken.append(time.perf_counter() - began)
    _, quarter, half = taken
    power = float(np.clip(np.log2(half / quarter), *_GROWTH))
    return float(half / (n / 2) ** power), power


def _seconds(data: DataSet, factor: float, power: float) -> float:
    """Seconds to load and decompose a data set, and for the item's own work on it."""
    began = time.perf_counter()
    whole = load_data(data)
    loading = time.perf_counter() - began
    return float(loading + decomposing(whole, warm=True) + factor * len(whole.y) ** power)
