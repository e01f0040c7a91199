"""Arrays and frames of one's own: passed in, or one array from a file.  Nothing is unpickled."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from inertial import files
from inertial._checks import InvalidInput
from inertial.data.columns import Choices
from inertial.data.lookup import TEXTS, kind
from inertial.data.readers import (
    Raw,
    Table,
    finite_arrays,
    npy_array,
    npz_array,
    numbered,
    read_csv,
    reshaped,
)
from inertial.data.unpack import MOST_BYTES


def is_frame(x: object) -> bool:
    """Say whether `x` is a frame or a series, without importing pandas."""
    kind = type(x)
    return kind.__name__ in ("DataFrame", "Series") and hasattr(
        x, "columns" if kind.__name__ == "DataFrame" else "to_frame"
    )


def from_frame(x: Any, y: Any, choices: Choices) -> tuple[Table, Choices]:  # noqa: ANN401
    """Return a frame with its target as a column, and the choices with that column's name."""
    import pandas as pd

    frame = x if hasattr(x, "columns") else x.to_frame() if is_frame(x) else _framed(x)
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
    paired = is_frame(x) and isinstance(y, pd.DataFrame | pd.Series)
    if paired and not y.index.equals(frame.index):
        raise InvalidInput(
            "x and y have different indexes; give y.loc[x.index] to pair rows by label, or "
            "y.to_numpy() to pair them by place."
        )
    name = getattr(y, "name", None)
    label = "y" if name is None else str(name)
    while label in {str(column) for column in frame.columns}:
        label += "'"
    whole = frame.reset_index(drop=True)
    whole = pd.concat([whole, pd.Series(target, name=label)], axis=1)
    return Table(whole), replace(choices, label=label, apart=True)


def of_texts(y: object) -> bool:
    """Say whether targets are texts, which are classes; texts of numbers in objects are not."""
    try:
        values = np.asarray(y)
        values = values.astype(np.float64) if values.dtype == object else values
    except (ValueError, TypeError, RuntimeError):
        values = np.asarray(y, object)
        return any(isinstance(value, str) for value in values.reshape(-1))
    return values.dtype.kind == "U"


def _framed(x: object) -> Any:  # noqa: ANN401
    """Return an array of inputs as a frame, its columns called 1, 2, 3 and so on."""
    import pandas as pd

    inputs = _array(x, "x")
    if inputs.ndim != 2 or inputs.shape[1] == 0:
        raise InvalidInput(
            f"x has the shape {inputs.shape}; give x as (n, d) with d of at least 1."
        )
    return pd.DataFrame(inputs, columns=list(numbered(inputs.shape[1])))


def from_arrays(x: object, y: object) -> Raw:
    """Return two arrays, or what turns into arrays, as float64.

    Raises
    ------
    InvalidInput
        If x is sparse, is no n by d array of numbers, or y holds no n targets.

    """
    if y is None and not hasattr(x, "tocsr"):
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
    if hasattr(values, "tocsr"):
        raise InvalidInput(f"{name} is a sparse matrix; pass it as {name}.toarray().")
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
        remedies = {"c": f"give {name}.real or abs({name})", "M": "give days since the first"}
        remedy = remedies.get(array.dtype.kind, "pass texts in a pandas DataFrame")
        raise InvalidInput(f"{name} holds {array.dtype}, not real numbers; {remedy}.")
    return array


def read_array(path: Path, *, vector: bool = False) -> Float[np.ndarray, "..."]:
    """Return the array in a file, as float64; what is in single precision stays so.

    Parameters
    ----------
    path
        A .npy file, a .npz file with one array, or a table of numbers, packed or not; its header
        and its index are left out.
    vector
        Whether one row or one column is to be a vector.

    Raises
    ------
    InvalidInput
        If the file is missing or none of these, or holds something else than numbers.

    """
    if not path.exists():
        raise InvalidInput(f"{path} is not a file; give the path of one that exists.")
    if path.suffix == ".npy":
        array = npy_array(files.read(path, MOST_BYTES), path)
    elif path.suffix == ".npz":
        array = npz_array(path)
    elif kind(path) in TEXTS:
        array = _numbers(path)
    else:
        raise InvalidInput(f"{path} is not an array; give a file that ends in .npy, .npz or .csv.")
    if array.dtype != np.float32:
        array = array.astype(np.float64)
    return array.reshape(-1) if vector and 1 in array.shape else array


def _numbers(path: Path) -> Float[np.ndarray, "n k"]:
    """Return the cells of a table of text."""
    table = read_csv(path)
    cells = table.frame.drop(columns=list(table.indexes))
    wrong = [str(name) for name, dtype in cells.dtypes.items() if dtype.kind not in "biuf"]
    if wrong or not cells.size:
        what = f"column {wrong[0]!r} holds texts" if wrong else "there are none"
        raise InvalidInput(f"{path} is not an array of numbers: {what}; leave out all but numbers.")
    return np.asarray(cells, np.float64)
