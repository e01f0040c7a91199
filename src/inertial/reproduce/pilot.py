"""What an item without training will take, from parts of its data sets timed on this machine.

Every data set that the item goes through is loaded, and its kernel's decomposition timed on the
first rows.  The item's own work is timed on a quarter and on half of the first set, and
extrapolated as a power of n.
"""

import time
from dataclasses import replace

import numpy as np

from inertial._checks import InvalidInput
from inertial.reproduce.item import Compute, Item, Scale
from inertial.runs.config import DataSet
from inertial.runs.cost import Prediction, decomposing, kernel_memory
from inertial.runs.execution import prepare
from inertial.runs.spec import load_data

_GROWTH = (0.0, 3.0)
"""Range of the power: from what looks at the ends of the spectrum to a decomposition."""


def predict_item(item: Item, data: tuple[DataSet, ...], scale: Scale) -> Prediction:
    """Predict the cost of an item that trains nothing.

    The seconds are NaN if the first data set cannot be used with so few rows, for instance because
    a column is constant over them: the whole one may still be.
    """
    if item.compute is None:
        raise ValueError(f"{item.key} trains: its study predicts the cost")
    sets = {"all": data, "first": data[:1], "none": ()}[item.uses]
    if not sets:
        return Prediction(0.0, (), kernel_memory(()), 0, 1)
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
