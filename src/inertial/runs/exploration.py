r"""What an interactive page needs: a measure, tuned settings, real runs, and how far to trust them.

Of a data set, the measure is that of the papers' network at infinite width; of a model, the Gauss
rule of products with its tangent at the start.  Other forecasts the page computes itself, from the
measure, in the formulas of `inertial.method`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial._checks import fraction, whole
from inertial.data import Data, Provenance
from inertial.linear.measure import Measure
from inertial.linear.tangent import Tangent, tangent
from inertial.method.batch import BatchSizes, Modes, batch_sizes, modes_of
from inertial.method.bound import lower_bound
from inertial.method.curve import forecast_loss
from inertial.method.recursion import METHODS, Recursion
from inertial.method.rules import DEFAULT_RULE, RULES, choose, fastest
from inertial.method.trust import Trust, Verdict
from inertial.problem.problem import Trainable
from inertial.runs.execution import Prepared, execute, start_of
from inertial.runs.meanings import Meaning, meanings
from inertial.runs.measures import APART, agree, steps_to_share, trust_of
from inertial.runs.observables import join
from inertial.runs.settings import Settings
from inertial.runs.spec import specs
from inertial.runs.trials import settled
from inertial.runs.tuning import RESOLUTION, TRIALS, tune_problem
from inertial.simulation.linearised import linearised_loss
from inertial.simulation.simulate import simulate

MOST_NODES = 600
"""Eigenvalues above this number are merged, so that a page stays small and quick."""

MOST_MODES = 240
"""The same for the moments of batches, which a page runs at every move of a slider."""

MOST_PRODUCTS = 128
"""Products with the tangent of a model, at most; fewer for shorter runs."""

TRIALS_RULE = "trials"
"""What a setting that real runs of a model found is called by."""

MARGIN = 0.6
"""Largest share of the stability limit for a model, whose kernel moves."""

_BOUND_STEPS, _BOUND_LEAST = 300, 1e-10
"""Where the lower bound ends: a step, and a share of the first loss."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""


@dataclass(frozen=True)
class TunedPoint:
    """A method as one rule tunes it."""

    rule: str
    source: str
    method: Recursion


@dataclass(frozen=True, eq=False)
class Curve:
    """Losses of one method over its starts and steps, NaN after a divergence, and their forecast.

    `rule` is that of its `TunedPoint`; `forecast` the mean over the starts of the linearised
    network's losses.  `promised` and `measured` are steps to the target, None where it was not
    reached; `trust` is what was known before the training, if anything.
    """

    rule: str
    method: Recursion
    loss: Float[np.ndarray, "seed T"]
    forecast: Float[np.ndarray, "T"]
    promised: float | None
    measured: float | None
    verdict: Verdict
    trust: Trust | None = None

    @property
    def diverged(self) -> bool:
        """Whether a run ended before its last step."""
        return bool(np.isnan(self.loss).any())


@dataclass(frozen=True, eq=False)
class Exploration:
    """What `explore` and `explore_model` return.

    Parameters
    ----------
    data
        Which rows.
    network, loss
        What was trained, in words, and the name of its loss.
    model
        What a command calls the model; None for the papers' network.
    width
        Neurons of the papers' network; None for a model.
    target
        Share of the initial loss that counts as reached.
    measure
        Nodes and weights, at most 600.
    modes
        Every eigenvalue with its count, for batches; None where only products were taken.
    sizes
        The batch sizes that matter, with `modes`.
    bound
        Loss at steps 0, 1, ... that no gradient method can beat; empty where it is not known.
    squared
        Whether half the measure's total is the loss at the start; under another loss than squares
        the measure belongs to the loss's quadratic model there.
    start
        Loss at the start.
    points, curves, meanings
        Tuned settings, real runs at one of them for each method, and what modes are.

    """

    data: Provenance
    network: str
    loss: str
    model: str | None
    width: int | None
    target: float
    measure: Measure
    modes: Modes | None
    sizes: BatchSizes | None
    bound: Float[np.ndarray, "t"]
    squared: bool
    start: float
    points: tuple[TunedPoint, ...]
    curves: tuple[Curve, ...]
    meanings: tuple[Meaning, ...]


def explore(
    data: Data, settings: Settings | None = None, *, progress: Progress | None = None
) -> Exploration:
    """Measure a data set, tune every method by every rule, and train each a little.

    Parameters
    ----------
    data
        What `load` returned.
    settings
        Size of the real runs, at the settings of the rule `forecast`.
    progress
        Called along the way.

    Raises
    ------
    InvalidInput
        If the kernel is singular.

    """
    settings = settings or Settings(width=1000, seeds=(0, 1, 2), steps=100)
    prepared = Prepared.of(data)
    measure = prepared.measure
    points = tuple(
        TunedPoint(rule.key, rule.source, choose(rule.key, name, measure, target=settings.target))
        for rule in RULES.values()
        for name in METHODS
        if name in rule.methods
    )
    tuned = {p.method.name: p.method for p in points if p.rule == settings.rule}
    runs = join(list(_runs(settings, prepared, tuned, progress or (lambda *_: None))))
    return Exploration(
        data.provenance,
        f"two-layer ReLU network of {settings.width:,} neurons",
        "half_sum",
        None,
        settings.width,
        settings.target,
        measure.merged(MOST_NODES),
        modes_of(measure, most=MOST_MODES),
        batch_sizes(measure),
        _trimmed(lower_bound(measure, _BOUND_STEPS).certain),
        True,
        0.5 * measure.total,
        points,
        tuple(_curve(runs, name, tuned[name], settings) for name in settings.methods),
        meanings(data, prepared.spectrum, measure.weights),
    )


def _runs(
    settings: Settings, prepared: Prepared, tuned: dict[str, Recursion], report: Progress
) -> Iterator[xr.Dataset]:
    """Train every method from every start."""
    wanted = list(specs(settings))
    total, done, seed = len(wanted) * settings.steps, 0, None
    for spec in wanted:
        if spec.seed != seed:
            seed, start = spec.seed, start_of(spec, prepared)
        report(f"{spec.method}, seed {spec.seed}", done, total)
        yield execute(spec, prepared, tuned[spec.method], start=start)
        done += settings.steps


def _curve(runs: xr.Dataset, name: str, method: Recursion, settings: Settings) -> Curve:
    run = runs.sel({"optimizer": name})
    judged = trust_of(run, settings.target, settings.width)
    assert judged is not None  # noqa: S101 - the runs have their measure
    return Curve(
        settings.rule,
        method,
        run.loss.transpose("seed", "step").values,
        run.forecast_loss.mean("seed").values,
        steps_to_share(run.forecast_loss, settings.target),
        steps_to_share(run.loss, settings.target),
        judged.verdict,
        judged,
    )


def explore_model(
    problem: Trainable,
    data: Provenance,
    *,
    name: str = "",
    steps: int = 100,
    target: float = 0.1,
    trials: int = TRIALS,
    progress: Progress | None = None,
) -> Exploration:
    """Measure a model at its start, tune every method, and train each from there.

    The settings are those that real runs find (`inertial.tune`), or where no run was made of a
    method those of the rule `forecast`, at 0.6 of the stability limit at most.  As many products
    are taken as make the forecast of the runs exact under a squared loss, but at most 128.  Nodes
    below what single precision resolves are raised to that.

    Parameters
    ----------
    problem
        Model, loss, start and rows.
    data
        Which rows these are.
    name
        What a command calls the model; its own words if there is none.
    steps
        Updates of the real runs.
    target
        Share of the initial loss to reach.
    trials
        Settings that are trained to find the best, at most; 0 for forecasts alone.
    progress
        Called along the way.

    Raises
    ------
    InvalidInput
        If `steps` or `target` makes no sense, or the problem cannot be linearised.

    """
    whole("steps", steps)
    fraction("target", target)
    whole("trials", trials, least=0)
    found = tune_problem(problem, target=target, trials=trials, progress=progress)
    operator = tangent(problem)
    rule = operator.measure(min(steps + 1, MOST_PRODUCTS))
    measure = Measure(
        np.maximum(rule.nodes, RESOLUTION * rule.largest), rule.weights, proven=rule.proven
    )
    forecast = f"{RULES[DEFAULT_RULE].source}, at {MARGIN:g} of the stability limit at most"
    points = [
        TunedPoint(DEFAULT_RULE, forecast, fastest(one, measure, target, margin=MARGIN))
        for one in METHODS
    ]
    if found.checked:
        source = f"the best of {len(found.trials)} real runs of this network"
        points += [TunedPoint(TRIALS_RULE, source, entry.method) for entry in found.methods]
    squared = problem.loss.squared
    last = _BOUND_STEPS if rule.proven is None else max(1, rule.proven)
    bound = lower_bound(rule, last, resolution=RESOLUTION).certain if squared else np.empty(0)
    curves: list[Curve] = []
    for point in {point.method.name: point for point in points}.values():
        if progress is not None:
            progress(point.method.name, len(curves) * steps, len(METHODS) * steps)
        curves.append(_trained(problem, operator, measure, point, steps, target))
    return Exploration(
        data,
        problem.model,
        problem.loss.name,
        name or problem.model,
        None,
        target,
        measure,
        None,
        None,
        _trimmed(bound),
        squared,
        operator.loss,
        tuple(points),
        tuple(curves),
        (),
    )


def _trained(
    problem: Trainable,
    operator: Tangent,
    measure: Measure,
    point: TunedPoint,
    steps: int,
    target: float,
) -> Curve:
    """Train a model, and set the linearised one beside it."""
    method = point.method
    run = simulate(problem, method, steps=steps)
    loss = np.full(steps + 1, np.nan)
    loss[: len(run.loss)] = run.loss
    if problem.loss.squared:
        forecast = forecast_loss(method, measure, np.arange(steps + 1))
    else:
        forecast = np.full(steps + 1, np.nan)
        linear = linearised_loss(problem, operator, method, steps)
        forecast[: len(linear)] = linear
    level = target * operator.loss
    promised, measured = settled(forecast, level), settled(loss, level)
    if promised is not None and measured is not None:
        near = agree(promised, measured)
    else:
        gap = np.abs(np.sqrt(loss) - np.sqrt(forecast)).max() / np.sqrt(operator.loss)
        near = promised is measured and gap <= APART
    verdict: Verdict = "holds" if near else "departs"
    return Curve(point.rule, method, loss[None], forecast, promised, measured, verdict)


def _trimmed(bound: Float[np.ndarray, "t"]) -> Float[np.ndarray, "s"]:
    """Leave out what is below all that is drawn."""
    return bound[: 1 + int(np.sum(bound > _BOUND_LEAST * bound[:1]))]
