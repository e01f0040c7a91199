"""What an item consists of, and the scales it is made at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.runs.config import DataSet, Study

Verdict = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Claim:
    """A statement of a paper, checked on one data set.

    `data` is empty for a statement about formulas, `seeds` says for how many of how many it holds,
    and `measured` what was found.  It is undecided where a number that it needs is missing.
    """

    statement: str
    data: str
    verdict: Verdict
    seeds: str
    measured: str


@dataclass(frozen=True)
class Scale:
    """How large an item is made.

    `width` and `widths` keep the papers' ratios; `steps` is our choice, for the papers give none.
    """

    name: Literal["quick", "paper"]
    rows: int
    width: int
    widths: tuple[int, ...]
    seeds: tuple[int, ...]
    steps: int
    spectrum_rows: int


QUICK = Scale("quick", 300, 2000, (250, 500, 1000, 2000, 4000), (0, 1, 2), 300, 300)
PAPER = Scale(
    "paper", 10_000, 20_000, (1250, 2500, 5000, 10_000, 20_000), (0, 1, 2, 3, 4), 1000, 2000
)
SCALES = {scale.name: scale for scale in (QUICK, PAPER)}


BISECTED = 10**13
"""Where counting of gradient descent's steps stops: they are bisected, not looked at in turn."""

Compute = Callable[[tuple[DataSet, ...], Scale], xr.Dataset]


@dataclass(frozen=True)
class Item:
    """A figure or table.

    Parameters
    ----------
    key
        Paper and figure, such as ``liu2022/fig2``.
    title, source
        What it shows, and where it is printed.
    claims
        From the stored result to the checked statements.
    figure
        Key of `inertial.view.drawing.FIGURES`.
    study
        From data sets and scale to the runs it takes, or None if nothing is trained.
    compute
        From data sets and scale to the result, if nothing is trained.
    uses
        Which data sets `compute` looks at.

    """

    key: str
    title: str
    source: str
    claims: Callable[[xr.Dataset], list[Claim]]
    figure: str
    study: Callable[[tuple[DataSet, ...], Scale], Study] | None = None
    compute: Compute | None = None
    uses: Literal["all", "first", "none"] = "all"


def verdict(holds: bool | None) -> Verdict:  # noqa: FBT001 - the verdict's only question
    """Return the word for a truth value, or for None, which is unknown."""
    return "undecided" if holds is None else "holds" if holds else "fails"


def known(holds: np.bool | bool, *numbers: float | Float[np.ndarray, "_"]) -> bool | None:  # noqa: FBT001
    """Return a comparison's truth value, or None if one of the numbers it is about is missing."""
    return None if any(np.isnan(number).any() for number in numbers) else bool(holds)


def slope_of_log(x: Float[np.ndarray, "k"], values: Float[np.ndarray, "k"]) -> float:
    """Return the slope of the logarithm over x, or NaN if a value is missing or zero."""
    if len(x) < 2 or not (values > 0).all():
        return float("nan")
    return float(np.polyfit(x, np.log(values), 1)[0])


def counted(steps: float) -> str:
    """Say how many steps, or that there are too many to count."""
    return "too many to count" if np.isnan(steps) else f"{steps:,.0f}"


def per_seed(statement: str, data: str, holds: list[bool | None], measured: str) -> Claim:
    """Check a statement on every seed: it fails if it does on one, and holds if it does on all."""
    if missing := holds.count(None):
        measured += f"; a run is missing or diverged on {missing} of {len(holds)} seeds"
    everywhere = False if False in holds else None if missing else True
    return Claim(
        statement, data, verdict(everywhere), f"{holds.count(True)} of {len(holds)} seeds", measured
    )


def of_formula(statement: str, holds: bool, measured: str) -> Claim:  # noqa: FBT001
    """Check a statement that needs no data."""
    return Claim(statement, "", verdict(holds), "", measured)


def of_data(statement: str, data: str, holds: bool | None, measured: str) -> Claim:  # noqa: FBT001
    """Check a statement about a data set that needs no training."""
    return Claim(statement, data, verdict(holds), "", measured)
