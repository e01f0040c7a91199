"""A data set to play with: its measure, every rule's tuned point, what its modes are, real runs.

What an interactive page needs; forecasts it computes itself, from the measure, in the formulas of
`inertial.method`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from inertial._checks import fraction, whole
from inertial.data import Data, Provenance
from inertial.linear.expected import spectrum_of
from inertial.linear.measure import Measure
from inertial.method.recursion import Recursion
from inertial.method.rules import RULES, choose
from inertial.problem.model import TwoLayerReLU
from inertial.runs.meanings import Meaning, meanings
from inertial.simulation.span import span
from inertial.simulation.train import train

MOST_NODES = 600
"""Eigenvalues above this number are merged, so that a page stays small and quick."""

RULE_OF_RUNS = "forecast"
"""The rule that tunes the real runs."""


@dataclass(frozen=True)
class Trials:
    """The real runs: every method at its tuned setting, `seeds` random starts each."""

    seeds: int = 3
    steps: int = 100
    width: int = 1000
    target: float = 0.01

    def __post_init__(self) -> None:
        whole("runs", self.seeds)
        whole("steps", self.steps)
        whole("width", self.width)
        fraction("target", self.target)


@dataclass(frozen=True)
class TunedPoint:
    """A method as one rule tunes it."""

    rule: str
    source: str
    method: Recursion


@dataclass(frozen=True)
class Curve:
    """Losses of one method over its seeds and steps; NaN after a divergence."""

    method: Recursion
    loss: Float[np.ndarray, "seed T"]


@dataclass(frozen=True)
class Exploration:
    """What `explore` returns.

    `measure` has the expected squared modal coordinates of the initial residual as its weights, and
    at most 600 nodes; `meanings` say what some of the modes are in terms of the inputs.
    """

    data: Provenance
    measure: Measure
    points: tuple[TunedPoint, ...]
    trials: Trials
    curves: tuple[Curve, ...]
    meanings: tuple[Meaning, ...]


def explore(
    data: Data,
    trials: Trials | None = None,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Exploration:
    """Measure a data set, tune every method by every rule, and train each a little.

    Parameters
    ----------
    data
        What `load` returned.
    trials
        Size of the real runs, at the settings of the rule `forecast`.
    progress
        Called with what is being done, steps done and steps in all.

    Raises
    ------
    InvalidInput
        If the kernel is singular.

    """
    trials = trials or Trials()
    spectrum, measure = spectrum_of(data)
    points = tuple(
        TunedPoint(rule.key, rule.source, choose(rule.key, name, measure, target=trials.target))
        for rule in RULES.values()
        for name in rule.methods
    )
    methods = [point.method for point in points if point.rule == RULE_OF_RUNS]
    curves = _train(data, methods, trials, progress or (lambda *_: None))
    return Exploration(
        data.provenance,
        measure.merged(MOST_NODES),
        points,
        trials,
        curves,
        meanings(data, spectrum, measure.weights),
    )


def _train(
    data: Data,
    methods: Sequence[Recursion],
    trials: Trials,
    report: Callable[[str, int, int], None],
) -> tuple[Curve, ...]:
    """Train every method from the same starts."""
    within = span(data.x)
    network = TwoLayerReLU(trials.width, data.x.shape[1])
    loss = np.full((len(methods), trials.seeds, trials.steps + 1), np.nan)
    total = loss.size
    for row, method in enumerate(methods):
        for seed in range(trials.seeds):
            report(
                f"{method.name}, seed {seed}", (row * trials.seeds + seed) * loss.shape[2], total
            )
            run = train(
                network, data.x, data.y, method, seed=seed, steps=trials.steps, within=within
            )
            loss[row, seed, : len(run.loss)] = run.loss
    return tuple(Curve(method, block) for method, block in zip(methods, loss, strict=True))
