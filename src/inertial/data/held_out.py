"""Rows that are held out of training: a seeded share of the rows, or rows of their own.

They are set apart before anything is fitted: medians, texts' columns, means and variances are those
of the training rows.
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from inertial._checks import InvalidInput, fraction, listed, printable
from inertial.data.readers import Table


@dataclass(frozen=True)
class Held:
    """What is asked for: a share, or a table; and the seed of a share."""

    share: float | None = None
    table: Table | None = None
    title: str = ""
    seed: int = 0


NOTHING = Held()
"""No test rows."""


def share_of(test: Any) -> float | None:  # noqa: ANN401 - whatever was given
    """Return `test` as a share if it is a number, or a text that is one; None if it names rows.

    Raises
    ------
    InvalidInput
        If it is a number outside (0, 1).

    """
    if isinstance(test, PathLike):
        return None
    if isinstance(test, str):
        try:
            test = float(test)
        except ValueError:
            return None
        if Path(str(test)).exists():
            return None
    if isinstance(test, bool) or not isinstance(test, int | float | np.number):
        return None
    return fraction("test", float(test))


def split(
    rows: int, share: float, seed: int, labels: Int[np.ndarray, "n"] | None, names: tuple[str, ...]
) -> tuple[Int[np.ndarray, "train"], Int[np.ndarray, "test"]]:
    """Return the places of training and test rows, each ascending; every class has its share.

    Parameters
    ----------
    rows
        Number of rows.
    share
        Share of them to hold out, in (0, 1).
    seed
        Seed of the draw.
    labels, names
        Classes of the rows with their names; None for a draw from all rows alike.

    Raises
    ------
    InvalidInput
        If there would be no test rows, fewer than 2 training rows, or none of some class on either
        side.

    """
    from sklearn.model_selection import train_test_split

    count = round(share * rows)
    if count < 1 or rows - count < 2:
        raise InvalidInput(
            f"test is {share:g} of {rows} rows, which leaves {rows - count} to train on and "
            f"{count} to test; give another fraction or more rows."
        )
    sizes = np.unique(labels, return_counts=True)[1] if labels is not None else np.zeros(0)
    # Where it cannot be, some class is missing on one side, which is said below.
    stratified = sizes.size > 0 and sizes.min() > 1 and sizes.size <= min(count, rows - count)
    train, test = train_test_split(
        np.arange(rows), test_size=count, random_state=seed, stratify=labels if stratified else None
    )
    for part in (train, test):
        gone = np.zeros(0, int) if labels is None else np.setdiff1d(labels, labels[part])
        if gone.size:
            name = printable(names[gone[0]], 30)
            raise InvalidInput(
                f"test is {share:g} of {rows} rows, which leaves no rows of class {name!r} on one "
                "side; give another fraction, or more rows of it."
            )
    return np.sort(train), np.sort(test)


def check_columns(wanted: list[str], there: list[str], title: str) -> None:
    """Refuse a table that lacks a column of the training rows."""
    missing = [name for name in wanted if name not in there]
    if missing:
        raise InvalidInput(
            f"{title} lacks columns of the training rows: {listed(missing, 5)}; "
            "give a table with the same names."
        )


def check_classes(labels: Int[np.ndarray, "n"], names: tuple[str, ...], count: int) -> None:
    """Refuse test rows of a class that none of the first `count` rows has."""
    new = np.setdiff1d(labels[count:], labels[:count])
    if new.size:
        raise InvalidInput(
            f"the test rows have the class {printable(names[new[0]], 30)!r}, which no training row "
            "has; leave these rows out, or train on some."
        )
