"""Arrays, frames and series that are passed in, as what the readers of files return."""

from contextlib import suppress
from typing import Any

import numpy as np
from jaxtyping import Shaped

from inertial._checks import InvalidInput
from inertial.data.columns import Choices
from inertial.data.readers import Raw, Table, finite_arrays, reshaped


def is_frame(x: object) -> bool:
    """Say whether `x` is a frame or a series, without importing pandas."""
    kind = type(x)
    return kind.__name__ in ("DataFrame", "Series") and hasattr(
        x, "columns" if kind.__name__ == "DataFrame" else "to_frame"
    )


def from_frame(x: Any, y: Any, choices: Choices) -> tuple[Table, Choices]:  # noqa: ANN401
    """Return a frame with its target as a column, and the choices with that column's name."""
    import pandas as pd

    frame = x if hasattr(x, "columns") else x.to_frame()
    if not isinstance(frame, pd.DataFrame):
        frame = frame.to_pandas()
    if y is None:
        return Table(frame), choices
    if choices.label is not None:
        raise InvalidInput(
            f"label is {choices.label!r}, but y holds the targets; leave one of them out."
        )
    target = np.asarray(y) if not isinstance(y, pd.Series) else y.array
    if getattr(target, "ndim", 1) == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if getattr(target, "ndim", 1) != 1 or len(target) != len(frame):
        raise InvalidInput(
            f"x has {len(frame)} rows and y the shape {np.shape(target)}; give y as one target "
            "per row."
        )
    name = getattr(y, "name", None)
    label = "y" if name is None else str(name)
    while label in {str(column) for column in frame.columns}:
        label += "'"
    whole = frame.reset_index(drop=True)
    whole = pd.concat([whole, pd.Series(target, name=label)], axis=1)
    return Table(whole), Choices(label, choices.task, choices.keep, choices.drop, choices.raw)


def from_arrays(x: object, y: object) -> Raw:
    """Return two arrays, or what turns into arrays, as float64.

    Raises
    ------
    InvalidInput
        If x is sparse, is no n by d array of numbers, or y holds no n targets.

    """
    if hasattr(x, "tocsr"):
        raise InvalidInput("x is a sparse matrix; pass it as x.toarray().")
    if y is None:
        raise InvalidInput("x has no targets; pass them as well: load(x, y).")
    inputs, targets = _array(x, "x"), _array(y, "y")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if inputs.ndim != 2 or inputs.shape[1] == 0 or targets.shape != inputs.shape[:1]:
        raise InvalidInput(
            f"x has the shape {inputs.shape} and y {targets.shape}; give x as (n, d) with d of at "
            f"least 1, and y as (n,){reshaped(inputs, targets)}."
        )
    return finite_arrays(inputs, targets, "the arrays")


def _array(values: object, name: str) -> Shaped[np.ndarray, "..."]:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        raise InvalidInput(
            f"{name} is not an array of numbers; give rows of the same length."
        ) from None
    if array.dtype == object:
        with suppress(ValueError, TypeError):
            array = array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            f"{name} holds {array.dtype}, not real numbers; pass texts in a pandas DataFrame or "
            f"Series."
        )
    return array
