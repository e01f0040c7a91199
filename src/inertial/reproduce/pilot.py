"""What an item without training will take, from smaller ones timed on this machine.

It is made with a quarter and with half of the rows of the first data set; the time is carried on as
a power of n, to the whole of it and to the other data sets if the item goes through all of them.
The kernel is compiled for each of the sizes before the clock starts: a constant in both times would
flatten the power.  Where the work is a search whose length the data decide, this can be off by a
factor of two.
"""

import time
from dataclasses import replace

import numpy as np

from inertial._checks import InvalidInput
from inertial.problem.landscape import survey
from inertial.reproduce.item import Item, Scale
from inertial.study.config import DataSet
from inertial.study.cost import Prediction
from inertial.study.job import load_data
from inertial.study.space import dimensions, kernel_memory

_GROWTH = (0.0, 3.0)
"""Range of the power: from formulas, which have no rows, to the decomposition of a kernel."""


def predict_item(item: Item, data: tuple[DataSet, ...], scale: Scale) -> Prediction:
    """Predict the cost of an item that trains nothing.

    The seconds are NaN if the first data set cannot be used with so few rows, for instance because
    a column is constant over them: the whole one may still be.
    """
    if item.compute is None:
        raise ValueError(f"{item.key} trains: its study predicts the cost")
    if not data:
        return Prediction(0.0, (), kernel_memory(()), 0, 1)
    taken = []
    rows = [dimensions(one)[0] for one in data]
    try:
        for part in (4, 4, 2):  # what is done once, such as importing, is in the first
            some = replace(data[0], rows=max(2, rows[0] // part))
            survey(load_data(some))
            began = time.perf_counter()
            result = item.compute((some,), scale)
            taken.append(time.perf_counter() - began)
    except InvalidInput:
        return Prediction(np.nan, (np.nan,), kernel_memory(data), 0, 1)
    _, quarter, half = taken
    power = float(np.clip(np.log2(half / quarter), *_GROWTH))
    sizes = np.array(rows if "data" in result.dims else rows[:1]) / rows[0]
    seconds = float(half * 2**power * np.sum(sizes**power))
    return Prediction(seconds, (seconds,), kernel_memory(data), 0, 1)
