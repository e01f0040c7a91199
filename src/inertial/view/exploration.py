"""A data set to play with: its spectrum, every rule's tuned point, and a few real runs to compare.

The page computes forecasts itself, from the spectrum, in the formulas of `inertial.method`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial._checks import fraction, whole
from inertial._types import Eigenvalues
from inertial.data import Data, Provenance
from inertial.linear.expected import measure_of
from inertial.method.recursion import Recursion
from inertial.method.rules import RULES, choose
from inertial.problem.model import TwoLayerReLU
from inertial.simulate.span import span
from inertial.simulate.train import train
from inertial.view.page import render

MOST_NODES = 600
"""Eigenvalues above this number are merged, so that the page stays small and quick."""

SCRIPTS = ("numerics.js", "charts.js", "explorer.js")

_RULE_OF_RUNS = "forecast"


@dataclass(frozen=True)
class Trials:
    """The real runs of a page: every method at its tuned setting, `seeds` random starts each."""

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

    `nodes` and `weights` are the eigenvalues, ascending, with the expected squared modal
    coordinates of the initial residual, merged if there are more than 600.
    """

    data: Provenance
    nodes: Eigenvalues
    weights: Float[np.ndarray, "k"]
    points: tuple[TunedPoint, ...]
    trials: Trials
    curves: tuple[Curve, ...]


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
    measure = measure_of(data)
    points = tuple(
        TunedPoint(rule.key, rule.source, choose(rule.key, name, measure, target=trials.target))
        for rule in RULES.values()
        for name in rule.methods
    )
    methods = [point.method for point in points if point.rule == _RULE_OF_RUNS]
    measure = measure.merged(MOST_NODES)
    curves = _train(data, methods, trials, progress or (lambda *_: None))
    return Exploration(data.provenance, measure.nodes, measure.weights, points, trials, curves)


def page(exploration: Exploration, command: str | None = None) -> str:
    """Return the interactive page, self-contained."""
    document = {
        "data": {
            key: value
            for key, value in asdict(exploration.data).items()
            if key in ("name", "task", "n", "d")
        },
        "spectrum": {
            "nodes": exploration.nodes.tolist(),
            "weights": exploration.weights.tolist(),
        },
        "target": exploration.trials.target,
        "points": [
            {"rule": point.rule, "source": point.source, **_coefficients(point.method)}
            for point in exploration.points
        ],
        "runs": [
            {**_coefficients(curve.method), "loss": [_plain(row) for row in curve.loss]}
            for curve in exploration.curves
        ],
    }
    return render(
        "explorer.html",
        SCRIPTS,
        document,
        data=exploration.data,
        merged=len(exploration.nodes) < exploration.data.n,
        count=len(exploration.nodes),
        smallest=float(exploration.nodes[0]),
        largest=float(exploration.nodes[-1]),
        trials=exploration.trials,
        command=command,
        version=version("inertial"),
    )


def _coefficients(method: Recursion) -> dict[str, Any]:
    return {
        "method": method.name,
        **dict(zip(("eta", "beta", "gamma"), method.constant, strict=True)),
    }


def _plain(values: Float[np.ndarray, "T"]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


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
