"""What an item without training will take, from smaller ones timed on this machine.

It is made with a quarter and with half of the rows of the first data set; the time is carried on as
a power of n, times the number of data sets if it goes through all of them.
"""

import time
from dataclasses import replace

import numpy as np

from inertial.reproduce.item import Item, Scale
from inertial.study.config import DataSet
from inertial.study.cost import Prediction
from inertial.study.space import kernel_memory

_GROWTH = (0.0, 3.0)
"""Range of the power: from formulas, which have no rows, to the decomposition of a kernel."""


def predict_item(item: Item, data: tuple[DataSet, ...], scale: Scale) -> Prediction:
    """Predict the cost of an item that trains nothing."""
    if item.compute is None:
        raise ValueError(f"{item.key} trains: its study predicts the cost")
    if not data:
        return Prediction(0.0, (), kernel_memory(()), 0, 1)
    taken = []
    for part in (4, 2):
        rows = max(2, data[0].rows // part)
        began = time.perf_counter()
        result = item.compute((replace(data[0], rows=rows),), scale)
        taken.append(time.perf_counter() - began)
    power = float(np.clip(np.log2(taken[1] / taken[0]), *_GROWTH))
    seconds = taken[1] * 2**power * (len(data) if "data" in result.dims else 1)
    return Prediction(seconds, (seconds,), kernel_memory(data), 0, 1)
