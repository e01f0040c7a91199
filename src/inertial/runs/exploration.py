r"""What an interactive page needs: a measure, tuned settings, real runs, and how far to trust them.

Of a data set, the measure is that of the papers' network at infinite width; of a model, the Gauss
rule of products with its tangent at the start.  Other forecasts the page computes itself, from the
measure, in the formulas of `inertial.method`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial.data import Data, Provenance
from inertial.linear.measure import Measure
from inertial.method.batch import (
    BatchSizes,
    Modes,
    batch_sizes,
    fastest_for_batch,
    modes_of,
)
from inertial.method.bound import lower_bound, said_of_zero
from inertial.method.race import STEPS as RACE
from inertial.method.recursion import METHODS, Recursion
from inertial.method.rules import DEFAULT_RULE, RULES, choose, fastest
from inertial.method.trust import Trust
from inertial.runs.check import check_batch
from inertial.runs.execution import Prepared, execute, method_of, start_of
from inertial.runs.meanings import Meaning, meanings
from inertial.runs.measures import (
    arrived_at,
    rings_back,
    stays_from,
    steps_to_share,
    trust_of,
    verdict_of,
)
from inertial.runs.model_runs import Starts, run_model, start_of_model
from inertial.runs.observables import join
from inertial.runs.settings import TRIALS_RULE, ModelSettings, Settings
from inertial.runs.spec import Spec, model_specs, specs
from inertial.runs.trials import held
from inertial.runs.tuning import RESOLUTION, TRIALS, tune_problem

MOST_MODES = 240
"""The same for the moments of batches, which a page runs at every move of a slider."""

BATCH_RULE = "batch"
"""What a setting for batches is called by."""

_BATCH_SOURCE = (
    "this project: fewest steps until the expected loss on batches of {:,} stays at the target"
)

_MUCH = 0.01
"""Share of the target that is much of the loss where nothing is resolved."""

MARGIN = 0.6
"""Largest share of the stability limit for a model, whose kernel moves."""

_BOUND_STEPS, _BOUND_LEAST = 300, 1e-10
"""Where the lower bound ends: a step, and a share of the first loss."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""


@dataclass(frozen=True)
class TunedPoint:
    """A method, by the name of its family, as one rule tunes it, maybe without momentum.

    Of real runs that did not get to the target it is the one that came `lowest`.
    """

    name: str
    rule: str
    source: str
    method: Recursion
    lowest: bool = False


@dataclass(frozen=True, eq=False)
class Curve:
    """Losses of one method over its starts and steps, NaN after a divergence, and their forecast.

    `name` and `rule` are those of its `TunedPoint`; `forecast` the mean over the starts of the
    linearised network's losses.  `promised` and `measured` are steps to the target, None where it
    was not reached from every start, and `arrived` the starts that got there; `rings` says whether
    a run is above it again, and `stays` from which step every one stays there to its end, None if
    one does not.  `trust` is what was known before the training, if anything, and `drift` the
    largest change of a model's kernel, as a share of it.
    """

    name: str
    rule: str
    method: Recursion
    loss: Float[np.ndarray, "seed T"]
    forecast: Float[np.ndarray, "T"]
    promised: float | None
    measured: float | None
    arrived: int
    rings: bool
    stays: int | None
    verdict: str
    trust: Trust | None = None
    drift: float | None = None

    @property
    def diverged(self) -> bool:
        """Whether a run ended before its last step."""
        return bool(np.isnan(self.loss).any())

    @property
    def grows(self) -> bool:
        """Whether the forecast has not fallen by the last step."""
        return not self.forecast[-1] < self.forecast[0]


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
        Nodes and weights: every eigenvalue, or the nodes that stand for them from 2,000 rows on.
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
    batch
        Rows in a fresh batch of each step of these runs; None for all of them.
    outputs
        Outputs of a row: `modes` are those of one of them, an average.
    evaluation
        What has to be known where the model has layers that act otherwise in training; empty where
        it has none.
    doubt
        Why no gradient method may get to the target; empty where one does.

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
    batch: int | None = None
    outputs: int = 1
    evaluation: str = ""
    doubt: str = ""


def explore(
    data: Data, settings: Settings | None = None, *, progress: Progress | None = None
) -> Exploration:
    """Measure a data set, tune every method by every rule, and train each a little.

    Parameters
    ----------
    data
        What `load` returned.
    settings
        Size of the real runs, at the settings of the rule `forecast`; with a batch, at those with
        the fewest steps of the expected loss on such batches.
    progress
        Called along the way.

    Raises
    ------
    InvalidInput
        If the kernel is singular, or gradient descent or heavy ball are not among the methods.

    """
    settings = settings or Settings(width=1000, seeds=(0, 1, 2), steps=100)
    if not {"gradient_descent", "heavy_ball"} <= set(settings.methods):
        raise InvalidInput(
            "the page compares gradient descent with heavy ball; leave them among the methods."
        )
    prepared = Prepared.of(data)
    measure = prepared.measure
    points = tuple(
        TunedPoint(
            name, rule.key, rule.source, choose(rule.key, name, measure, target=settings.target)
        )
        for rule in RULES.values()
        for name in METHODS
        if name in rule.methods
    )
    if settings.batch is not None:
        check_batch(data, settings.batch)
        source = _BATCH_SOURCE.format(settings.batch)
        points += tuple(
            TunedPoint(spec.method, BATCH_RULE, source, _for_batch(spec, prepared))
            for spec in specs(replace(settings, seeds=settings.seeds[:1]))
        )
    rule = settings.rule if settings.batch is None else BATCH_RULE
    tuned = {p.name: p.method for p in points if p.rule == rule}
    runs = join(list(_runs(settings, prepared, tuned, progress or (lambda *_: None))))
    runs = runs.assign_attrs(
        {"width": settings.width, "d": data.provenance.d}
        | ({} if settings.batch is None else {"batch": settings.batch})
    )
    return Exploration(
        data.provenance,
        f"two-layer ReLU network of {settings.width:,} neurons",
        "half_sum",
        None,
        settings.width,
        settings.target,
        measure,
        modes_of(measure, most=MOST_MODES),
        batch_sizes(measure),
        _trimmed(lower_bound(measure, _BOUND_STEPS).certain),
        True,
        0.5 * measure.total,
        points,
        tuple(
            _curve(name, runs.sel({"optimizer": name}), rule, tuned[name], settings.target)
            for name in settings.methods
        ),
        meanings(data, prepared.spectrum, measure.weights),
        settings.batch,
    )


def _for_batch(spec: Spec, prepared: Prepared) -> Recursion:
    method = method_of(spec, prepared)
    assert isinstance(method, Recursion)  # noqa: S101 - the methods of the papers are
    return method


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


def _curve(name: str, run: xr.Dataset, rule: str, method: Recursion, target: float) -> Curve:
    """Sum up the runs of one method from all starts."""
    width, counts = run.attrs.get("width"), run.forecast_steps.sel(share=target).values
    judged = None if width is None else trust_of(run, target, width)
    drift = float(run.kernel_drift.max()) if "look" in run else None
    return Curve(
        name,
        rule,
        method,
        run.loss.transpose("seed", "step").values,
        run.forecast_loss.mean("seed").values,
        float(counts.mean()) if np.isfinite(counts).all() else None,
        steps_to_share(run.loss, target),
        arrived_at(run.loss, target),
        rings_back(run.loss, target),
        stays_from(run.loss, target),
        verdict_of(run, target) if judged is None else judged.verdict,
        judged,
        drift,
    )


def explore_model(
    starts: Starts,
    settings: ModelSettings | None = None,
    *,
    trials: int = TRIALS,
    progress: Progress | None = None,
) -> Exploration:
    """Measure a model at its first start, tune every method, and train each from there.

    The settings are those that real runs find (`inertial.tune`), or where no run was made of a
    method those of the rule `forecast`, at 0.6 of the stability limit at most.  Nodes below what
    products in single precision resolve are raised to that.

    Parameters
    ----------
    starts
        The model, its loss and rows.
    settings
        Steps of the real runs, or more if the best setting takes them, the target, and the batch.
    trials
        Settings that are trained to find the best, at most; 0 for forecasts alone.
    progress
        Called along the way.

    Raises
    ------
    InvalidInput
        If the problem cannot be linearised.

    """
    settings, report = settings or ModelSettings(steps=100), progress or (lambda *_: None)
    seed, batch = (settings.seeds or (0,))[0], settings.batch
    start = start_of_model(starts, seed, settings.steps, batch=batch, progress=report)
    problem, found = start.problem, start.measure
    advice = tune_problem(
        problem, target=settings.target, trials=trials, methods=METHODS, each=True, batch=batch,
        order=settings.order, progress=progress,
    )  # fmt: skip
    modes = None
    if start.spectrum is not None:
        modes = modes_of(start.batch_modes, most=MOST_MODES)
        modes = replace(modes, nodes=np.maximum(modes.nodes, RESOLUTION * modes.nodes[-1]))
    measure = _resolved(found, settings.target)
    forecast = f"{RULES[DEFAULT_RULE].source}, at {MARGIN:g} of the stability limit at most"
    points = [
        TunedPoint(
            one,
            DEFAULT_RULE,
            forecast,
            fastest(one, measure, settings.target, margin=MARGIN, steps=RACE),
        )
        for one in METHODS
    ]
    if modes is not None and batch is not None:
        source = _BATCH_SOURCE.format(batch)
        points += [
            TunedPoint(
                name,
                BATCH_RULE,
                source,
                fastest_for_batch(name, modes, batch, target=settings.target, margin=MARGIN)[0],
            )
            for name in METHODS
        ]
    if advice.checked:
        kind = "" if batch is None else f" on batches of {batch:,}"
        tried = Counter(trial.setting.family for trial in advice.trials)
        points += [
            TunedPoint(
                entry.name,
                TRIALS_RULE,
                f"the {'lowest' if entry.measured_steps is None else 'best'} of "
                f"{tried[entry.name]} real runs of this network with this method{kind}"
                + (", none of which got to the target" if entry.measured_steps is None else ""),
                entry.method,
                lowest=entry.measured_steps is None,
            )
            for entry in advice.methods
            if isinstance(entry.method, Recursion)
        ]
    tuned = {point.name: point for point in points}
    reached = advice.best.measured_steps or 0
    wanted = replace(settings, methods=METHODS, steps=max(settings.steps, reached + held(reached)))
    rules = {name: point.rule for name, point in tuned.items()}
    runs: list[xr.Dataset] = []
    for spec in model_specs(wanted, rules, {seed: start.name}):
        report(spec.method, len(runs) * spec.steps, len(METHODS) * spec.steps)
        runs.append(run_model(spec, start, tuned[spec.method].method))
    joined = join(runs).assign_attrs({} if batch is None else {"batch": batch})
    return Exploration(
        starts.data,
        problem.model,
        problem.loss.name,
        starts.text,
        None,
        settings.target,
        measure,
        modes,
        None if modes is None else batch_sizes(modes),
        np.empty(0) if start.bound is None else _trimmed(start.bound),
        problem.loss.squared,
        start.operator.loss,
        tuple(points),
        tuple(
            _curve(name, joined.sel({"optimizer": name}), point.rule, point.method, settings.target)
            for name, point in tuned.items()
        ),
        (),
        batch,
        1 if modes is None else start.operator.start.size // problem.rows,
        problem.evaluation,
        said_of_zero(advice.unreachable, settings.target, resolution=RESOLUTION) or "",
    )


def _resolved(found: Measure, target: float) -> Measure:
    """Raise nodes to what single precision resolves; much of the loss there limits the steps."""
    lowest = RESOLUTION * found.largest
    raised = found.weights[found.nodes < lowest].sum() > _MUCH * target * found.total
    proven = found.nodes.size - 1 if raised and found.proven is None else found.proven
    return Measure(np.maximum(found.nodes, lowest), found.weights, proven=proven)


def _trimmed(bound: Float[np.ndarray, "t"]) -> Float[np.ndarray, "s"]:
    """Leave out what is below all that is drawn."""
    return bound[: 1 + int(np.sum(bound > _BOUND_LEAST * bound[:1]))]
