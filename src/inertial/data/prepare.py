"""How numbers become the inputs and targets of an experiment.

`prepare` takes five steps, in this order:

1. with `standardize`, every input column to mean 0 and variance 1 over the rows taken, and so the
   targets of a regression; columns that do not vary are left out;
2. with `constant`, a column of ones is added, so that inputs are told apart by more than direction;
3. with `dedupe`, rows that are now positive multiples of an earlier row are dropped; with a
   constant column these have the same inputs, and the mean of their targets is taken, or their most
   frequent class;
4. with `normalize`, every input to norm 1.

Tables have all four by default, arrays and the named sets the last alone: so do Liu, Pan and Tao
(2022, section 5.1).  Which rows are taken stands in `columns` for tables; of everything else it is
the first n (`cut`).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from inertial._checks import InvalidInput, listed, printable
from inertial._surface import option
from inertial._types import Inputs, Targets
from inertial.data.parallel import parallel_rows, unit_rows
from inertial.data.readers import Raw
from inertial.data.sources import Task

MOST_ROWS = 10_000
"""Rows taken when n is not given; the paper's number."""

FEW_ROWS = 20
"""Fewer rows than this get a note."""

_LARGEST = 1e15
"""Largest target: training is done in single precision and squares residuals."""

_DOMINATES = 1e7
"""A column this much larger than all others decides the direction of every row alone."""

_FLAT, _MANY = 0.02, 50
"""Share of the squared inputs outside of a plane that is little; columns that are not looked at."""

_MEAN_SHARE = 0.9
"""Share of the squared targets that their mean may have without a note; of +1 and -1, its fourth
power: one class in nine of ten rows."""


@dataclass(frozen=True)
class Preparation:
    """The steps to take."""

    normalize: bool
    standardize: bool
    dedupe: bool
    constant: bool = False


@dataclass(frozen=True)
class Prepared:
    """What the steps left, how many rows the third one dropped, notes on both; and test rows."""

    raw: Raw
    dropped: int
    notes: tuple[str, ...]
    test: Raw | None = None


def cut(raw: Raw, n: int, title: str) -> Raw:
    """Return the first n rows.

    Raises `InvalidInput` if there are fewer than n rows or than 2.
    """
    rows = len(raw.y)
    if rows < 2:
        raise InvalidInput(f"{title} has fewer than 2 usable rows ({rows}); give more data.")
    if n > rows:
        raise InvalidInput(f"n is {n}, but {title} has {rows} rows; give an n of at most {rows}.")
    return _rows(raw, np.arange(rows) < n)


def prepare(raw: Raw, steps: Preparation, *, task: Task, title: str, held: int = 0) -> Prepared:
    """Return what is left of `raw` after `steps`; `title` is its name in messages.

    The last `held` rows are test rows: they are scaled as the others are, and nothing is fitted on
    them.
    Raises `InvalidInput` if all targets are equal, if all inputs to normalise have one direction,
    and if a row to normalise is zero.
    """
    notes: list[str] = []
    fitted = len(raw.y) - held
    taken = _standardized(raw, task, title, notes, fitted) if steps.standardize else raw
    if steps.constant:
        ones = np.ones((len(taken.y), 1))
        taken = replace(taken, x=np.hstack([taken.x, ones]), columns=(*taken.columns, "constant"))
    _check_norms(taken.x, title)
    test = None
    if held:
        notes += _known_rows(taken.x, fitted, constant=steps.constant)
        test = _rows(taken, np.arange(len(taken.y)) >= fitted)
        taken = _rows(taken, np.arange(len(taken.y)) < fitted)
    first = np.arange(len(taken.y))
    for i, j in parallel_rows(taken.x) if steps.normalize or steps.dedupe else ():
        first[j] = i
    repeated = first < np.arange(len(first))
    if repeated.sum() == len(taken.y) - 1:
        raise _one_direction(taken, steps, title)
    if repeated.any():
        notes.append(_repeats(taken.y, first, steps, task))
    if steps.dedupe and steps.constant:
        taken = _merged(taken, first, task)
    left = _rows(taken, ~repeated) if steps.dedupe else taken
    _check_targets(left.y, task, title)
    notes += _doubts(left.y, task)
    x = unit_rows(left.x) if steps.normalize else left.x
    if steps.dedupe and steps.constant and 2 < x.shape[1] <= _MANY and _flat(x):
        notes.append(
            "the inputs lie nearly in a plane, as those of one column do, where a forecast of the "
            "papers' network that is said to hold may not; go by a real run."
        )
    if test is not None and steps.normalize:
        test = replace(test, x=unit_rows(test.x))
    return Prepared(replace(left, x=x), len(taken.y) - len(left.y), tuple(notes), test)


def _known_rows(x: Inputs, fitted: int, *, constant: bool) -> list[str]:
    """Return a note on test rows, which stand behind the others, that repeat one of them."""
    known = {j for i, j in parallel_rows(x) if i < fitted <= j}
    what = "inputs" if constant else "direction"
    note = (
        f"{len(known):,} of {len(x) - fitted:,} test rows repeat the {what} of a training row, so "
        "the test says less about new rows; leave them out of one side."
    )
    return [note] if known else []


def infer_task(y: Targets, task: Task | None, title: str) -> Task:
    """Return `task`, or by default classification if the targets take exactly two values."""
    values = len(np.unique(y))
    if task == "classification" and values != 2:
        raise InvalidInput(
            f"task is 'classification', but the targets of {title} have {values} distinct values; "
            f"give a target with exactly 2, a table or frame, whose target may have more, or task "
            f"'regression'."
        )
    return task or ("classification" if values == 2 else "regression")


def _rows(raw: Raw, kept: Bool[np.ndarray, "n"]) -> Raw:
    labels = None if raw.labels is None else raw.labels[kept]
    return replace(raw, x=raw.x[kept], y=raw.y[kept], labels=labels)


def _merged(raw: Raw, first: Int[np.ndarray, "n"], task: Task) -> Raw:
    """Give every first row the mean target, or the most frequent class, of all with its inputs."""
    n = len(first)
    if task == "regression":
        counts = np.maximum(np.bincount(first, minlength=n), 1)
        return replace(raw, y=np.bincount(first, raw.y, n) / counts)
    _, example, labels = np.unique(
        raw.y if raw.labels is None else raw.labels, return_index=True, return_inverse=True
    )
    votes = np.zeros((n, len(example)))
    np.add.at(votes, (first, labels), 1.0)
    # Of classes that are as frequent, the first row's own is taken.
    votes[np.arange(n), labels] += 0.5
    chosen = example[votes.argmax(axis=1)]
    return replace(raw, y=raw.y[chosen], labels=None if raw.labels is None else raw.labels[chosen])


def _standardized(raw: Raw, task: Task, title: str, notes: list[str], fitted: int) -> Raw:
    varies = raw.x[:fitted].min(axis=0) < raw.x[:fitted].max(axis=0)
    if not varies.any():
        raise InvalidInput(
            f"no input column of {title} varies over the {fitted} rows taken; take more rows, "
            f"or give inputs that vary."
        )
    flat = [name for name, moves in zip(raw.columns, varies, strict=True) if not moves]
    if flat:
        notes.append(f"left out as they do not vary over the rows taken: {listed(flat, 5)}.")
    columns = tuple(name for name, moves in zip(raw.columns, varies, strict=True) if moves)
    x = np.column_stack([_scaled(column, fitted) for column in raw.x[:, varies].T])
    if task == "classification":
        return replace(raw, x=x, columns=columns)
    _check_varies(raw.y[:fitted], task, title)
    return replace(raw, x=x, y=_scaled(raw.y, fitted), columns=columns)


def _scaled(column: Float[np.ndarray, "n"], fitted: int) -> Float[np.ndarray, "n"]:
    """Return a column that varies with mean 0 and variance 1 over its first `fitted` rows."""
    # A power of two is exact, and keeps squares in range; so do differences of near numbers, which
    # keeps what a large offset would round away.
    near = np.ldexp(column, -int(np.frexp(np.abs(column).max())[1]))
    known = near[:fitted]
    near = near - known[np.abs(known - known.mean()).argmin()]
    near = np.ldexp(near, -int(np.frexp(np.abs(near).max())[1]))
    mean, spread = near[:fitted].mean(), near[:fitted].std()
    scaled = (near - mean) / spread
    # What is left of an entry equal to the mean is rounding, and must not become a direction.
    noise = 4 * np.finfo(np.float64).eps * np.abs(near).max() / spread
    return np.asarray(np.where(np.abs(scaled) <= noise, 0.0, scaled))


def _one_direction(raw: Raw, steps: Preparation, title: str) -> InvalidInput:
    """Say why all rows point the same way, and what tells them apart."""
    rows, d = raw.x.shape
    size = np.abs(raw.x).min(axis=0)
    others = np.abs(raw.x).max(axis=0)
    largest = int(size.argmax())
    problem = f"all {rows} rows of {title} are positive multiples of the first"
    if d == 1:
        problem = f"{title} has one input column, of one sign, so {problem}"
    elif size[largest] > _DOMINATES * np.delete(others, largest).max():
        problem = (
            f"column {printable(raw.columns[largest])!r} is so much larger than the others that "
            f"{problem} to rounding"
        )
    if (steps.standardize and steps.constant) or (size == others).all():
        return InvalidInput(f"{problem}; give data with at least 2 different inputs.")
    return InvalidInput(
        f"{problem}; pass {option('standardize', True)} and {option('constant', True)}, or give "
        f"data with at least 2 directions."
    )


def _repeats(y: Targets, first: Int[np.ndarray, "n"], steps: Preparation, task: Task) -> str:
    """Say how many rows repeat earlier ones, and how many of these have another target."""
    rows = len(first)
    count = int((first < np.arange(rows)).sum())
    what = "inputs" if steps.constant else "direction"
    other = int((y != y[first]).sum())
    known = f" ({other:,} with another target)" if other else ""
    if not steps.dedupe:
        return (
            f"{count:,} of {rows:,} rows repeat the {what} of an earlier one{known} and are kept; "
            f"{option('dedupe', True)} drops them, which forecasts of the papers' network need."
        )
    merged = "averaging their targets" if task == "regression" else "counting their classes"
    how = f" after {merged}" if steps.constant else ""
    return (
        f"{count:,} of {rows:,} rows repeat the {what} of an earlier one{known} and are "
        f"dropped{how}, {rows - count:,} are left, which forecasts of the papers' network need; a "
        f"network of your own ({option('dedupe', False, flag='model')}) can be trained on all."
    )


def _flat(x: Inputs) -> bool:
    """Whether rows lie in a plane but for a share `_FLAT` of their squares."""
    squares = np.linalg.svd(x, compute_uv=False) ** 2
    return bool(squares[2:].sum() < _FLAT * squares.sum())


def _doubts(y: Targets, task: Task) -> list[str]:
    """Return notes where advice from these targets means little."""
    notes = []
    if len(y) < FEW_ROWS:
        notes.append(f"{len(y)} rows are few, and advice from them says little about more rows.")
    scale = np.abs(y).max()
    share = float((y / scale).mean() ** 2 / ((y / scale) ** 2).mean())
    if task == "classification" and set(y) == {1.0, -1.0}:
        if share > _MEAN_SHARE**4:
            notes.append(
                f"{(1 + share**0.5) / 2:.1%} of the rows are of one class, which a network learns "
                f"in a few steps, so step counts say little about the other; take more rows of it."
            )
    elif share > _MEAN_SHARE:
        known = f"{100 * share:.4g}" if share < 0.9999 else "more than 99.99"
        remedy = (
            "write the classes as 1 and -1"
            if task == "classification"
            else f"{option('standardize', True)} takes it away"
        )
        notes.append(
            f"{known} % of the squared targets is their mean, which a network learns in a few "
            f"steps, so step counts say little about the rest; {remedy}."
        )
    return notes


def _check_targets(y: Targets, task: Task, title: str) -> None:
    if np.abs(y).max() > _LARGEST:
        raise InvalidInput(
            f"the targets of {title} reach {np.abs(y).max():g}, beyond what single precision can "
            f"square; rescale them to at most {_LARGEST:g}, or pass "
            f"{option('standardize', True)}."
        )
    _check_varies(y, task, title)


def _check_varies(y: Targets, task: Task, title: str) -> None:
    if y.min() < y.max():
        return
    what = "belong to one class" if task == "classification" else f"have one target, {y[0]:g}"
    remedy = "another seed" if title == "sphere" else "another target column"
    raise InvalidInput(f"all {len(y)} rows of {title} {what}; take more rows or {remedy}.")


def _check_norms(x: Inputs, title: str) -> None:
    zero = np.flatnonzero(~x.any(axis=1)) + 1
    if zero.size:
        rows = "row" if zero.size == 1 else "rows"
        named = ", ".join(str(row) for row in zero[:5]) + (", ..." if zero.size > 5 else "")
        raise InvalidInput(
            f"{title} has inputs that are zero in every column and so have no direction, in {rows} "
            f"{named} of those taken; remove them, or pass "
            f"{option('constant', True)}."
        )
