"""How raw rows become the inputs and targets of an experiment.

`prepare` takes four steps, in this order:

1. the first n rows in file order;
2. with `standardize`, every input column to mean 0 and variance 1 over these rows, and so the
   targets of a regression;
3. with `dedupe`, rows that are now positive multiples of an earlier row are dropped;
4. with `normalize`, every input to norm 1.

Liu, Pan and Tao (2022, section 5.1) take the first and the last step alone.
"""

from dataclasses import dataclass

import numpy as np

from inertial._checks import InvalidInput
from inertial._types import Inputs, Targets
from inertial.data.parallel import parallel_rows, unit_rows
from inertial.data.readers import Raw
from inertial.data.sources import Task

MOST_ROWS = 10_000
"""Rows taken when n is not given; the paper's number."""


_LARGEST = 1e15
"""Largest target: training is done in single precision and squares residuals."""


@dataclass(frozen=True)
class Preparation:
    """The steps to take besides the cut."""

    normalize: bool
    standardize: bool
    dedupe: bool


@dataclass(frozen=True)
class Prepared:
    """Inputs (n by d), targets (n), and how many rows the third step dropped."""

    x: Inputs
    y: Targets
    dropped: int


def prepare(raw: Raw, steps: Preparation, *, n: int, task: Task, title: str) -> Prepared:
    """Return what is left of `raw` after `steps`; `title` is its name in messages.

    Raises `InvalidInput` if there are fewer than n rows or than 2, if all targets are equal, if a
    column to standardise is constant, and if a row to normalise is zero.
    """
    taken = _cut(raw, n, title)
    if steps.standardize:
        taken = _standardized(taken, task, title)
    _check_norms(taken.x, title)
    left = _deduped(taken) if steps.dedupe else taken
    if len(left.y) < 2:
        raise InvalidInput(
            f"all {len(taken.y)} rows of {title} are positive multiples of the first; give data "
            f"with at least 2 directions, or leave dedupe out."
        )
    _check_targets(left.y, task, title)
    x = unit_rows(left.x) if steps.normalize else left.x
    return Prepared(x, left.y, dropped=len(taken.y) - len(left.y))


def infer_task(y: Targets, task: Task | None, title: str) -> Task:
    """Return `task`, or by default classification if the targets take exactly two values."""
    values = len(np.unique(y))
    if task == "classification" and values != 2:
        raise InvalidInput(
            f"task is 'classification', but the targets of {title} have {values} distinct values; "
            f"give a target with exactly 2, or task 'regression'."
        )
    return task or ("classification" if values == 2 else "regression")


def _cut(raw: Raw, n: int, title: str) -> Raw:
    rows = len(raw.y)
    if rows < 2:
        raise InvalidInput(f"{title} has fewer than 2 usable rows ({rows}); give more data.")
    if n > rows:
        raise InvalidInput(f"n is {n}, but {title} has {rows} rows; give an n of at most {rows}.")
    return Raw(raw.x[:n], raw.y[:n], raw.columns)


def _standardized(raw: Raw, task: Task, title: str) -> Raw:
    x = _column_scaled(raw.x, raw.columns, title)
    if task == "classification":
        return Raw(x, raw.y, raw.columns)
    _check_targets(raw.y, task, title)
    return Raw(x, _column_scaled(raw.y[:, None], ("target",), title)[:, 0], raw.columns)


def _column_scaled(x: Inputs, columns: tuple[str, ...], title: str) -> Inputs:
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = x.mean(axis=0), x.std(axis=0)
    flat = x.min(axis=0) == x.max(axis=0)
    if (bad := np.flatnonzero(flat | ~np.isfinite(spread) | (spread == 0))).size:
        what = "constant" if flat[bad[0]] else "too large or too small to square"
        raise InvalidInput(
            f"column {columns[bad[0]]!r} of {title} is {what} over the {len(x)} rows taken, so it "
            f"cannot be standardised; remove or rescale it, or leave standardize out."
        )
    scaled = (x - mean) / spread
    # What is left of an entry equal to the mean is rounding, and must not become a direction.
    noise = 4 * np.finfo(np.float64).eps * np.abs(x).max(axis=0) / spread
    return np.asarray(np.where(np.abs(scaled) <= noise, 0.0, scaled))


def _deduped(raw: Raw) -> Raw:
    repeated = [j for _, j in parallel_rows(raw.x)]
    return Raw(np.delete(raw.x, repeated, axis=0), np.delete(raw.y, repeated), raw.columns)


def _check_targets(y: Targets, task: Task, title: str) -> None:
    if np.abs(y).max() > _LARGEST:
        raise InvalidInput(
            f"the targets of {title} reach {np.abs(y).max():g}, beyond what single precision can "
            f"square; rescale them to at most {_LARGEST:g}, or standardise."
        )
    if y.min() < y.max():
        return
    what = "belong to one class" if task == "classification" else "have one target"
    remedy = "another seed" if title == "sphere" else "another target column"
    raise InvalidInput(
        f"all {len(y)} rows of {title} {what}, {y[0]:g}; take more rows or {remedy}."
    )


def _check_norms(x: Inputs, title: str) -> None:
    zero = np.flatnonzero(~x.any(axis=1)) + 1
    if zero.size:
        rows = "row" if zero.size == 1 else "rows"
        named = ", ".join(str(row) for row in zero[:5]) + (", ..." if zero.size > 5 else "")
        raise InvalidInput(
            f"{title} has inputs that are zero in every column and so have no direction, in {rows} "
            f"{named} of those taken; remove them."
        )
