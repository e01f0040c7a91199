"""Stored arrays as tidy frames and as CSV: one row per run and step, crossed with nothing else."""

from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from inertial import files
from inertial._checks import one_of, plain
from inertial.runs.observables import OBSERVABLES

if TYPE_CHECKING:
    import pandas as pd

_OWN = tuple(dict.fromkeys(d for one in OBSERVABLES.values() for d in one.dims))
"""Dimensions that records have of their own; all others tell runs apart."""

_FACTS = ("data", "rule", "optimizer", "width", "seed")
"""What tells runs apart, in the order of the columns."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""Characters that a text begins with which a spreadsheet takes for a formula."""


def to_dataframe(arrays: xr.Dataset, over: str = "step") -> "pd.DataFrame":
    """Return the records over one dimension as a tidy frame.

    Parameters
    ----------
    arrays
        What `read_run`, `read_study` or `compare` returned (its `arrays`).
    over
        `step` for losses and distances; `share` for forecast step counts, `mode` for the spectrum,
        `flow` for flows, `sample` for residuals, where they were recorded.

    Returns
    -------
    pd.DataFrame
        One row for each run and each value of `over`, with what tells runs apart, how they ended
        and their coefficients; rows without any number are left out.

    Raises
    ------
    InvalidInput
        If nothing is recorded over that dimension.

    """
    here = {
        dim: [
            name
            for name, found in arrays.data_vars.items()
            if dim in found.dims and not {*found.dims} & {*_OWN} - {dim, _beside(dim)}
        ]
        for dim in _OWN
    }
    names = here[one_of("over", over, [dim for dim, found in here.items() if found])]
    dims = {dim for name in names if name in OBSERVABLES for dim in arrays[name].dims}
    names = [name for name in names if {*arrays[name].dims} <= dims]
    about = [name for name, found in arrays.data_vars.items() if {*found.dims} <= dims]
    frame = arrays[about].to_dataframe().reset_index()
    numbers = [name for name in names if arrays[name].dtype.kind == "f"]
    frame = frame.dropna(subset=numbers, how="all") if numbers else frame
    for name in _FACTS:
        if name not in frame and name in arrays.attrs:
            frame[name] = arrays.attrs[name]
    first = [name for name in (*_FACTS, *_OWN) if name in frame]
    rest = [name for name in frame if name not in first]
    records = sorted(rest, key=lambda name: name not in names)
    tidy: pd.DataFrame = frame[[*first, *records]].reset_index(drop=True)
    return tidy


def _beside(dim: str) -> str:
    """Return the dimension that records over `dim` may have besides."""
    return "step" if dim in {"flow", "sample"} else dim


def write_csv(frame: "pd.DataFrame", path: Path, *, remedy: str = files.ANOTHER) -> None:
    """Write a frame as CSV, whole or not at all, with no text that a spreadsheet would compute.

    Such a text, a name of data like ``=1+1.csv`` or of a column, gets an apostrophe before it;
    control characters are written out.

    Raises
    ------
    InvalidInput
        If the file cannot be written.

    """
    import pandas as pd

    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    safe = frame.assign(**{str(name): frame[name].map(_neutral) for name in texts})
    safe.columns = [_neutral(name) for name in safe.columns]
    files.write(path, safe.to_csv(index=False, lineterminator="\n"), remedy=remedy)


def _neutral(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = plain(cell)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
