"""One array of numbers from a file: .npy, .npz or text.  Nothing is ever unpickled."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from inertial import files
from inertial._checks import InvalidInput
from inertial.data.lookup import TEXTS, kind
from inertial.data.readers import npy_array, npz_array, read_csv
from inertial.data.unpack import MOST_BYTES


def read_array(path: Path, *, vector: bool = False) -> Float[np.ndarray, "..."]:
    """Return the array in a file, as float64.

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
        array = npy_array(files.read(path, MOST_BYTES), path).astype(np.float64)
    elif path.suffix == ".npz":
        array = npz_array(path).astype(np.float64)
    elif kind(path) in TEXTS:
        array = _numbers(path)
    else:
        raise InvalidInput(f"{path} is not an array; give a file that ends in .npy, .npz or .csv.")
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
