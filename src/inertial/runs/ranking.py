"""Which of several trained methods to use: first what was asked, then how near they came.

What was asked is a share of the initial loss.  A method that reached it comes before one that did
not; of two that did, the one with fewer steps; of two that did not, the one that did from some
start, or else with less of its loss left.  A method that diverged, from any start, comes last.
Where none got there, the forecast says what was expected: nobody is advised on a target that was
not asked for.  Steps count to the first one there: who stops there has what was asked, even where
the loss would ring back above it.

Everything that recommends a method asks `place`: what is not known of it (nothing was trained, or
nothing forecast) does not count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inertial._checks import significant

Place = tuple[bool, float, bool, float, float]
"""What methods are sorted by."""


@dataclass(frozen=True)
class Standing:
    """How a method did on the way to the target.

    Parameters
    ----------
    name
        Key of the method.
    reached
        Measured steps to the target, mean over seeds; None if some seed did not get there.
    forecast
        Forecast steps to the target, mean over starts; None if that of some start does not get
        there within what was looked at.
    left
        Share of the initial loss that is left at the end, mean over seeds.
    diverged
        How many runs diverged.
    partly
        Whether some start got there, though not every one.
    rings
        Whether the loss of some start is above the target after it has been there.
    stays
        First step from which every start stays there, to the end of the run; None if one is above
        it at the end.
    promised
        Whether the forecast of some start gets there, though not that of every one.

    """

    name: str
    reached: float | None
    forecast: float | None
    left: float
    diverged: int
    partly: bool = False
    rings: bool = False
    stays: int | None = None
    promised: bool = False

    @property
    def unforeseen(self) -> str:
        """What is said of the forecast where `forecast` is None."""
        if self.promised:
            return "there from some starts only"
        return "not there within what was looked at"

    def staying(self, start: str | None = None) -> str:
        """Say in the rest of a sentence from where it stays at the target, if it rings back.

        `start` is what there are several of, as their steps are a mean: a start, say.
        """
        if not self.rings or self.reached is None or self.diverged:
            return ""
        if self.stays is None:
            return f", {f'with some {start}' if start else 'and is'} above it at the end"
        return (
            f", {f'with every {start}' if start else 'and stays'} below it from step "
            f"{self.stays:,} to the end"
        )


def percent_left(left: float, target: float) -> str:
    """Say what is left in percent, in as many digits as tell it from a target that was missed."""
    return f"{as_left(100 * left, 100 * target)} %"


def as_left(left: float, target: float) -> str:
    """Say what is left in as many digits as tell it from a target that was missed, at least 3."""
    digits = 3
    while digits < _MOST and float(f"{left:.{digits}g}") <= target < left:
        digits += 1
    return significant(left, digits)


_MOST = 7
"""Digits of a share, at most: losses have no more."""


@dataclass(frozen=True)
class Ranking:
    """Methods in the order in which to choose them, for one target.

    Parameters
    ----------
    target
        Share of the loss at the start, in (0, 1).
    order
        The methods, the one to choose first.

    """

    target: float
    order: tuple[Standing, ...]

    @property
    def best(self) -> Standing:
        """The method to choose."""
        return self.order[0]

    @property
    def reached(self) -> bool:
        """Whether any method reached the target from every start."""
        return self.best.reached is not None and not self.best.diverged

    @property
    def rings(self) -> bool:
        """Whether a method that reached the target rings back above it."""
        return any(one.staying() for one in self.order)

    @property
    def in_part(self) -> bool:
        """Whether no method got there from every start, and the best did from some."""
        return not self.best.diverged and self.best.partly

    @property
    def predicted(self) -> Standing | None:
        """The method with the fewest forecast steps; None if no method has them."""
        known = [one for one in self.order if one.forecast is not None]
        return min(known, key=lambda one: place(forecast=one.forecast), default=None)


def rank(target: float, standings: Sequence[Standing]) -> Ranking:
    """Put methods in their order; of equal ones, the earlier stays before the later."""
    return Ranking(target, tuple(sorted(standings, key=_place_of)))


def place(
    *,
    reached: float | None = None,
    forecast: float | None = None,
    left: float = math.nan,
    diverged: bool = False,
    partly: bool = False,
) -> Place:
    """Return what methods are sorted by: parts as in `Standing`, what is better first."""
    return (
        diverged,
        math.inf if reached is None else reached,
        not partly,
        math.inf if math.isnan(left) else left,
        math.inf if forecast is None else forecast,
    )


def _place_of(one: Standing) -> Place:
    return place(
        reached=one.reached,
        forecast=one.forecast,
        left=one.left,
        diverged=one.diverged > 0,
        partly=one.partly,
    )
