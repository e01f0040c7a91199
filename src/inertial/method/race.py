r"""The race among many settings of one method: who is below a target first, and stays there.

A setting *settles at r* if its forecast loss is at most the threshold at every step from r up to
``r + max(r / 4, 20)``; the winner settles first, of equals it has the lowest loss at the end.  All
settings share the measure's nodes, so that one closed form gives all losses at one step.  A setting
that settles is below at one of few marks, each mark being within reach of the one before; the steps
between two marks are halved, and single steps are taken only by who is below at both of their ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from inertial.method.modes import closed_form
from inertial.method.recursion import Recursion

HOLD = (0.25, 20)
"""Share of the steps, and least number of steps, that the loss has to stay below the threshold."""

STEPS = 5_000
"""Where a race of settings for real runs ends if nobody has settled."""

_SINGLE = 16
"""Steps that are taken one by one instead of halved."""

_HEAVIEST = 40
"""Nodes that are looked at first: they put most settings above the threshold."""

_ENTRIES = 2**14
"""Settings x nodes that are evaluated at once: they stay in the processor's cache."""

Members = Int[np.ndarray, "_"]
"""Indices of settings, ascending."""


def first_to_settle(
    settings: Sequence[Recursion],
    nodes: Float[np.ndarray, "k"],
    mass: Float[np.ndarray, "k"],
    target: float,
    *,
    steps: int = STEPS,
) -> int | None:
    """Return the index of the setting that settles first; None if none does before the last step.

    Parameters
    ----------
    settings
        Methods with constants, all with start `zero`.
    nodes, mass
        Nodes of a measure and their weights.
    target
        Share of the loss at the start, in (0, 1).
    steps
        Where the race ends: no loss is looked at from this step on.

    """
    race, low = _race_of(settings, nodes, mass, target), 0
    for high in _marks(steps):
        winner = race.first(race.below(np.arange(len(settings)), high), low, high)
        if winner is not None:
            return winner
        low = high
    return None


def lowest(
    settings: Sequence[Recursion],
    nodes: Float[np.ndarray, "k"],
    mass: Float[np.ndarray, "k"],
    step: int,
) -> int:
    """Return the index of the setting with the lowest loss at a step; the rest as above."""
    race = _race_of(settings, nodes, mass, 1.0)
    return int(np.argmin(race.losses(np.arange(len(settings)), step)))


def settled_by(r: int) -> int:
    """Step up to which a loss stays low that settles at r."""
    share, least = HOLD
    return int(np.ceil(r + max(share * r, least)))


def _marks(steps: int) -> Iterator[int]:
    """Yield steps of which one is in every stretch that a settling setting stays low for."""
    mark = 0
    while settled_by(mark + 1) < steps:
        mark = settled_by(mark + 1)
        yield mark


def _race_of(
    settings: Sequence[Recursion],
    nodes: Float[np.ndarray, "k"],
    mass: Float[np.ndarray, "k"],
    target: float,
) -> "_Race":
    coefficients = np.array([method.constant for method in settings])
    order = np.argsort(-mass, kind="stable")
    return _Race(coefficients, nodes[order], mass[order], target * mass.sum())


@dataclass(frozen=True)
class _Race:
    """Settings as rows (eta, beta, gamma), and nodes with descending mass."""

    coefficients: Float[np.ndarray, "settings 3"]
    nodes: Float[np.ndarray, "k"]
    mass: Float[np.ndarray, "k"]
    threshold: float

    def losses(self, members: Members, step: int) -> Float[np.ndarray, "_"]:
        """Twice the losses at one step, in closed form."""
        return self._partial(members, step, slice(None))

    def below(self, members: Members, step: int) -> Members:
        """Return those whose loss at a step is at most the threshold."""
        loss = np.zeros(len(members))
        for part in (slice(_HEAVIEST), slice(_HEAVIEST, 3 * _HEAVIEST), slice(3 * _HEAVIEST, None)):
            loss += self._partial(members, step, part)
            members, loss = members[loss <= self.threshold], loss[loss <= self.threshold]
        return members

    def first(self, members: Members, low: int, high: int) -> int | None:
        """Return who settles first after `low` and up to `high`, among those below at `high`.

        Who settles there stays below until `high`, and beyond until ``settled_by(low + 1)``.
        """
        due = settled_by(low + 1)
        if due > high:
            members = self.below(members, due)
        if not members.size:
            return None
        if high - low <= _SINGLE:
            return self._step_by_step(members, low, high)
        middle = (low + high) // 2
        early = self.first(self.below(members, middle), low, middle)
        return self.first(members, middle, high) if early is None else early

    def _partial(self, members: Members, step: int, part: slice) -> Float[np.ndarray, "_"]:
        mass, loss = self.mass[part], np.zeros(len(members))
        rows = max(1, _ENTRIES // max(1, len(mass)))
        for first in range(0, len(members), rows):
            group = slice(first, first + rows)
            loss[group] = self._residuals(members[group], step, part) ** 2 @ mass
        return loss

    def _residuals(
        self, members: Members, step: int, part: slice = slice(None)
    ) -> Float[np.ndarray, "c k"]:
        nodes = self.nodes[part]
        eta, beta, gamma = (
            np.repeat(column, len(nodes)) for column in self.coefficients[members].T
        )
        scaled = eta * np.tile(nodes, len(members))
        residuals = closed_form(scaled, beta, gamma, np.array([step]))
        return residuals.reshape(len(members), len(nodes))

    def _step_by_step(self, members: Members, low: int, high: int) -> int | None:
        """Take single steps: ``v <- D v - eta l x``, ``x <- x + v`` on every mode."""
        eta, beta, gamma = self.coefficients[members].T[:, :, None]
        scaled = eta * self.nodes
        determinant = beta - gamma * scaled
        here = self._residuals(members, low + 1)
        change = here - self._residuals(members, low)
        since = np.full(len(members), low + 1)
        for step in range(low + 1, high):
            since[here**2 @ self.mass > self.threshold] = step + 1
            change *= determinant
            change -= scaled * here
            here += change
        for r in np.unique(since):
            who = np.flatnonzero(since == r)
            winner = self._stays(members[who], here[who], change[who], high, settled_by(int(r)))
            if winner is not None:
                return winner
        return None

    def _stays(
        self,
        members: Members,
        here: Float[np.ndarray, "c k"],
        change: Float[np.ndarray, "c k"],
        step: int,
        due: int,
    ) -> int | None:
        """Return the lowest at step `due` of those that stay below until then, from `step` on."""
        eta, beta, gamma = self.coefficients[members].T[:, :, None]
        scaled = eta * self.nodes
        determinant = beta - gamma * scaled
        while True:
            loss = here**2 @ self.mass
            kept = loss <= self.threshold
            if not kept.any():
                return None
            if not kept.all():
                members, loss = members[kept], loss[kept]
                here, change, scaled, determinant = (
                    part[kept] for part in (here, change, scaled, determinant)
                )
            if step == due:
                return int(members[np.argmin(loss)])
            change = determinant * change - scaled * here
            here = here + change
            step += 1
