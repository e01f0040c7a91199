"""One real run beside the promise: the papers' network, trained at a recommended setting.

The promise is made twice.  In expectation over starts it needs no start; for one start it uses that
start's own residual, and it is this one that a run can keep: one start differs from another by more
than a run differs from its forecast.
"""

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from inertial._checks import Notice, significant
from inertial._types import Targets
from inertial.data import Data
from inertial.linear.measure import Measure, dense
from inertial.linear.spectrum import Spectrum
from inertial.method.batch import forecast_batches, noise_share
from inertial.method.curve import STEPS_LIMIT, forecast_loss, steps_to
from inertial.method.recursion import Recursion, label
from inertial.method.response import decayed_loss
from inertial.method.rules import fastest
from inertial.method.trust import CLOSE, WIDEST, Trust, rounded_up, trust
from inertial.problem.model import TwoLayerReLU, outputs, start_key
from inertial.problem.problem import Problem
from inertial.runs.shown import at, came_lowest, of_steps
from inertial.runs.trials import Search, Trial, handicap, held, setting, settled
from inertial.simulation.span import Span, span
from inertial.simulation.train import initial_residual, train

_PATIENCE = 3
"""A run ends after this many times the promised steps."""

LONGEST = 1_000
"""Promised steps up to which a run is made."""

_LOOKED = 2**25
"""Steps times modes that are evaluated to see where a forecast settles: two seconds at most."""

_MOMENT = 1e8
"""Rows times neurons of a start that is drawn to be judged: half a second on two cores."""

_DRAWN = 10
"""Rows whose outputs take as long as drawing one weight of every neuron."""

_EVEN = 1.5
"""Largest over mean squared length of rows from which batches have a notice."""

_WIDER = 1.2
"""Ratio of two widths of which the second is looked at where the first is too narrow, at least."""

_RESERVE = 1.5
"""What a width is multiplied by where its own start is not looked at."""

_SLACK = 0.95
"""Share of the target that a setting for one start goes to, where that takes no more steps."""

UNTRAINED = "trials 0, for the forecast alone"
"""What to ask for where a target is too small for a real run."""

_MOST = 3_000
"""And after this many in any case."""

_WORK = 2e11
"""Weights times rows times passes that a search may take: about a minute on two cores."""

_PASSES = (1_000, 30_000)
"""Passes that a search may take however much or little they cost."""


@dataclass(frozen=True)
class Check:
    """What one run did.

    Parameters
    ----------
    name
        Name of the method.
    method
        The method that was run.
    width, seed
        Neurons of the network, and the seed of its start.
    target
        Share of the loss at the start, in (0, 1).
    promised
        Forecast step at the target, for this start; None if it is not reached.
    measured
        First step at the target, as it is promised; None if it was not reached in `steps`.
    steps
        Number of steps that were run.
    growth
        Largest loss up to there over the first, >= 1.
    diverged
        Whether the run diverged.
    lowest
        Smallest loss up to there over the first, in [0, 1].
    lowest_at
        Step of that loss.
    settles
        Step from which the loss stays at the target, `inertial.runs.trials.settled`; None if that
        was not seen, as where the run ends with the step `measured`.
    leaves
        Later step, before twice as many, at which it is above the target again; None if it stays,
        or if it was not seen that far.
    lost
        Whether it leaves and is not back before twice that step.

    """

    name: str
    method: Recursion
    width: int
    seed: int
    target: float
    promised: int | None
    measured: int | None
    steps: int
    growth: float
    diverged: bool
    lowest: float
    lowest_at: int
    settles: int | None = None
    leaves: int | None = None
    lost: bool = False

    @property
    def order(self) -> tuple[float, float]:
        """What runs are sorted by: the step from which the loss stays, then the first one.

        One that leaves again counts as slower, as in a search; a schedule, which ends soon after
        its target, as one that stays.
        """
        reached = math.inf if self.measured is None else self.measured
        stays = self.settles if self.method.steps is None else self.measured
        if stays is None:
            return math.inf, reached
        return handicap(self.leaves, lost=self.lost) * stays, reached

    @property
    def stays(self) -> str:
        """Say from where the loss stays at the target, if that is not where it gets there."""
        if self.settles is None or (self.settles == self.measured and self.leaves is None):
            return ""
        end = "" if self.leaves is None else f" to {self.leaves - 1:,}"
        return f", where it stays from {self.settles:,}{end}"

    @property
    def nearness(self) -> str:
        """Say how near the target it came, and when."""
        return came_lowest(
            self.name, self.method, self.lowest, self.lowest_at, self.steps, self.target
        )

    @property
    def kept(self) -> bool:
        """Whether the measured steps are within 20 % of the promised ones, or one step."""
        if self.promised is None or self.measured is None:
            return False
        return abs(self.measured - self.promised) <= max(1.0, CLOSE * self.promised)

    @property
    def late(self) -> bool:
        """Whether it took longer than a promise that is kept may, or did not get there."""
        slow = self.measured is None or self.promised is None or self.measured > self.promised
        return slow and not self.kept

    @property
    def document(self) -> dict[str, Any]:
        """Its numbers by name, as JSON has them."""
        words = ("width", "seed", "promised", "measured", "kept", "settles")
        return {
            "method": self.name,
            **{word: getattr(self.method, word) for word in ("eta", "beta", "gamma")},
            **{word: getattr(self, word) for word in words},
            "leaves_at": self.leaves,
            "lost": self.lost,
            **{word: getattr(self, word) for word in ("steps", "growth", "lowest", "lowest_at")},
        }


def said(run: Check | None, *, used: Recursion | None = None, batches: bool = False) -> str:
    """Say in a sentence what was promised and measured, and of which setting if not that `used`."""
    if run is None:
        return "Unchecked: no network was trained."
    missed = "diverged" if run.diverged else f"not reached in {of_steps(run.steps)}"
    measured = f": {missed}" if run.measured is None else f" {run.measured:,}"
    kept = "" if run.kept else " The promise does not hold."
    if run.measured is not None and not (run.kept or run.late):
        measured, kept = f"{measured}{run.stays}", " It got there sooner than promised."
    promised = f"promised {of_steps(run.promised)} for this start"
    if run.promised is None:
        promised = "is forecast not to get there from this start"
        kept = "" if run.measured is None else " The forecast does not hold."
    name = label(run.name if run.method.beta else "gradient_descent")
    if used is not None and used != run.method:
        name = at(run.name, run.method)
    return (
        f"Checked by a real run{' on such batches' if batches else ''} (width {run.width:,}, seed "
        f"{run.seed}): {name} {promised}, measured{measured}.{kept}"
    )


def nearest(runs: Sequence[Check]) -> Check | None:
    """Return the run that came lowest of those that did not diverge, where none got there."""
    if any(run.measured is not None for run in runs):
        return None
    stayed = [run for run in runs if not run.diverged]
    return min(stayed, key=lambda run: run.lowest, default=None)


def start_measure(spectrum: Spectrum, residual: Targets) -> Measure:
    """Return the measure of one start: its residual in the basis of the kernel."""
    return dense(spectrum, spectrum.modes(residual) ** 2)


def check(
    method: Recursion,
    data: Data,
    measure: Measure,
    spectrum: Spectrum | None,
    *,
    name: str = "",
    width: int = 2000,
    seed: int = 0,
    target: float = 0.01,
    most: int = _MOST,
    batch: int | None = None,
    decay: float = 0.0,
) -> Check:
    """Train the papers' network once at a setting, and hold its steps against their forecast.

    Parameters
    ----------
    method
        The setting.
    data
        Inputs and targets.
    measure
        Expected measure of the problem.
    spectrum
        Decomposed kernel, for the promise to this start; if there is none, the expected measure
        makes the promise.
    name
        What the method is called; by its coefficients unless given.
    width
        Neurons of the hidden layer.
    seed
        Seed of the start.
    target
        Share of the initial loss to reach.
    most
        Steps that the run ends after in any case.
    batch
        Rows in each step's batch, which also makes the promise one of the expected loss; all rows
        if absent.  It needs a spectrum.
    decay
        Rate of weight decay.  It needs a spectrum too.

    """
    network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
    residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
    if batch is None:
        promised = _promise(method, residual, data.y, measure, spectrum, target, decay=decay)
    else:
        own = measure if spectrum is None else start_measure(spectrum, residual)
        promised = forecast_batches(method, own, batch, _MOST).steps_to(target)
    steps = min(most, _PATIENCE * max(20, _MOST if promised is None else promised))
    if method.steps is not None:
        steps = min(steps, method.steps)
    run = train(
        network,
        data.x,
        data.y,
        method,
        seed=seed,
        steps=steps,
        within=within,
        batch=batch,
        decay=decay,
        target=target,
    )
    return Check(
        name or method.name,
        method,
        width,
        seed,
        target,
        promised,
        run.steps_to(target),
        int(run.steps[-1]),
        float(run.loss.max() / run.loss[0]),
        run.status == "diverged",
        float(np.nanmin(run.loss) / run.loss[0]),
        int(run.steps[np.nanargmin(run.loss)]),
    )


def measure_at_start(
    data: Data, spectrum: Spectrum, *, width: int = 2000, seed: int = 0
) -> Measure:
    """Measure of the residual that a network starts from: `start_measure` without training it."""
    network = TwoLayerReLU(width, data.x.shape[1])
    return start_measure(spectrum, initial_residual(network, data.x, data.y, seed=seed))


@dataclass(frozen=True, eq=False)
class Starts:
    """Measures of the starts of one seed, by width: `measure_at_start`, each computed once.

    Parameters
    ----------
    data, spectrum
        The data, and their decomposed kernel.
    seed
        Seed of the starts.

    """

    data: Data
    spectrum: Spectrum
    seed: int = 0
    _known: dict[int, Measure] = dataclasses.field(default_factory=dict, repr=False)

    def at(self, width: int) -> Measure:
        """Return the measure at a width."""
        if width not in self._known:
            self._known[width] = measure_at_start(
                self.data, self.spectrum, width=width, seed=self.seed
            )
        return self._known[width]

    @property
    def widest(self) -> int:
        """Width up to which a start is drawn in a moment."""
        n, d = self.data.x.shape
        return min(int(_MOMENT / max(n, _DRAWN * d)), WIDEST)


def check_batch(data: Data, batch: int) -> None:
    """Refuse a batch that the rows do not have, and say where they are too uneven for batches.

    The expected loss takes eigenvectors as even over the rows.  Where one row is longer than the
    mean, so is its part in the noise, and the true limit of step sizes is up to as many times
    lower.

    Raises
    ------
    InvalidInput
        If the batch is not a whole number from 1 to the number of rows.

    """
    if not noise_share(batch, len(data.x)):
        return
    squares = (data.x**2).sum(axis=1)
    longest = float(squares.max() / squares.mean())
    if longest > _EVEN:
        warnings.warn(
            f"the longest row has {significant(longest, 2)} times the mean squared length, and the "
            "expected loss on batches takes rows as even: its step sizes may be as many times too "
            "large; leave out --no-normalize (normalize=False), or go by a real run.",
            Notice,
            stacklevel=3,
        )


def judged(
    method: Recursion,
    measure: Measure,
    own: Measure | None,
    width: int,
    *,
    target: float = 0.01,
    rows: int,
    inputs: int | None = None,
    batch: int | None = None,
) -> Trust:
    """Judge a forecast in expectation and for the start to be trained: the more doubtful verdict.

    What the mean over starts does in a few steps can take one start many, and then its weights go
    farther.

    Parameters
    ----------
    method, width, target, rows, inputs, batch
        As for `trust`.
    measure
        Expected measure.
    own
        Measure of the start, `measure_at_start`, or None where the kernel is not decomposed.

    """
    found = [
        trust(method, one, width, target=target, rows=rows, inputs=inputs, batch=batch)
        for one in (measure, own)
        if one is not None
    ]
    return max(found, key=lambda t: t.strain)


def proposed(
    method: Recursion,
    measure: Measure,
    starts: Starts | None,
    width: int,
    *,
    target: float = 0.01,
    rows: int,
    inputs: int | None = None,
    batch: int | None = None,
) -> Trust:
    """Judge as `judged`, and propose a width at which the forecast holds for the start there too.

    A network of another width has another start.  One that is too wide to be drawn in a moment has
    half as many neurons more than this start asks for.

    Parameters
    ----------
    method, measure, width, target, rows, inputs, batch
        As for `judged`.
    starts
        The starts, or None where the kernel is not decomposed.

    """
    judge = partial(judged, method, measure, target=target, rows=rows, inputs=inputs, batch=batch)
    if starts is None:
        return judge(None, width)
    found = asked = judge(starts.at(width), width)
    if not np.isfinite(found.strain):
        return found
    while asked.verdict != "holds":
        wider = rounded_up(max(asked.width_needed, _WIDER * asked.width))
        if wider > starts.widest:
            return found.needing(math.ceil(_RESERVE * asked.width_needed))
        asked = judge(starts.at(wider), wider)
        found = found.needing(wider)
    return found


def _promise(
    method: Recursion,
    residual: Targets,
    y: Targets,
    measure: Measure,
    spectrum: Spectrum | None,
    target: float,
    *,
    decay: float,
) -> int | None:
    """Forecast the steps of a start; in expectation where the kernel is not decomposed."""
    if spectrum is None:
        return steps_to(method, measure, target)
    if not decay:
        return steps_to(method, start_measure(spectrum, residual), target)
    modes = spectrum.modes(residual), spectrum.modes(residual + y)
    losses = decayed_loss(method, spectrum.eigenvalues, *modes, _MOST, decay=decay)
    return first_step(losses, target)


def first_step(losses: Float[np.ndarray, "t"], target: float) -> int | None:
    """First step at a share of the first loss, or None."""
    reached = np.flatnonzero(losses <= target * losses[0])
    return int(reached[0]) if reached.size else None


def search(
    first: Check,
    data: Data,
    measure: Measure,
    spectrum: Spectrum | None,
    *,
    trials: int,
    decay: float = 0.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Check, ...]:
    """Go on from a check whose promise was not kept, by `inertial.runs.trials.Search`.

    Parameters
    ----------
    first
        The check of the recommendation.
    data, measure, spectrum
        As for `check`.
    trials
        Runs at most, the first one included.
    decay
        Rate of weight decay, by which the measure is shifted already.
    progress
        Called with a label, runs so far and the most there can be whenever one has ended.

    Returns
    -------
    tuple[Check, ...]
        All runs, the first one first; of a setting with constants it is trained once more, until
        its loss settles or up to three times the steps that it took to get there.

    """
    if trials < 2:
        return (first,)
    network, within = TwoLayerReLU(first.width, data.x.shape[1]), span(data.x)
    problem = problem_within(network, within, data.y, seed=first.seed, decay=decay)
    found = Search(
        problem,
        measure.largest,
        first.target,
        trials=trials - 1,
        passes=passes_for(problem),
        progress=progress,
    )
    found.run()
    residual = initial_residual(network, data.x, data.y, seed=first.seed, within=within)

    def entry(trial: Trial) -> Check:
        method = trial.method
        assert isinstance(method, Recursion)  # noqa: S101 - as those with momentum are
        return Check(
            trial.setting.family,
            method,
            first.width,
            first.seed,
            first.target,
            _promise(method, residual, data.y, measure, spectrum, first.target, decay=decay),
            first_step(trial.losses, first.target),
            len(trial.losses) - 1,
            float(np.nanmax(trial.losses) / trial.losses[0]),
            trial.outcome == "diverged",
            float(np.nanmin(trial.losses) / trial.losses[0]),
            int(np.nanargmin(trial.losses)),
            trial.steps,
            trial.leaves,
            trial.lost,
        )

    if first.measured is not None and first.method.steps is None:
        longest = min(_MOST, _PATIENCE * max(20, first.measured))
        alone = found.alone(setting("heavy_ball", 1.0, 0.5), first.method, longest)
        first = dataclasses.replace(first, settles=alone.steps)
    return (first, *map(entry, found.trials))


def passes_for(problem: Problem) -> int:
    """Return the passes that a search of this problem may take."""
    least, most = _PASSES
    return min(most, max(least, int(_WORK / (problem.parameters * problem.rows))))


def from_start(
    first: Check, data: Data, measure: Measure, spectrum: Spectrum, *, trials: int
) -> tuple[Check, ...]:
    """Go on from a check whose promise was kept, where this start can be faster than the mean.

    Heavy ball or Nesterov by the rule `forecast`, tuned for the residual of this start, is trained
    if it promises to settle at the target in a fifth fewer steps: a loss that stays there in the
    mean can come back above it from one start.  Of settings that are as fast, one that goes 5 %
    below the target is taken, since a real loss is not quite the forecast one.

    Parameters
    ----------
    first
        The check of the recommendation.
    data, measure, spectrum
        As for `check`.
    trials
        Runs at most, the first one included.

    Returns
    -------
    tuple[Check, ...]
        One or two runs, the first one first.

    """
    if trials < 2:
        return (first,)
    own = measure_at_start(data, spectrum, width=first.width, seed=first.seed)
    found = [
        (name, fastest(name, own, share * first.target))
        for share in (_SLACK, 1.0)
        for name in ("heavy_ball", "nesterov")
    ]
    steps = [settles(method, own, first.target) or math.inf for _, method in found]
    if min(steps) > (1 - CLOSE) * (settles(first.method, own, first.target) or math.inf):
        return (first,)
    name, method = found[int(np.argmin(steps))]
    run = check(
        method, data, measure, spectrum,
        name=name, width=first.width, seed=first.seed, target=first.target,
    )  # fmt: skip
    return first, run


def settles(method: Recursion, measure: Measure, target: float) -> int | None:
    """Forecast the step at which the loss settles at the target, `settled`: it may ring before.

    Parameters
    ----------
    method
        A method with constants.
    measure
        Spectral measure of the start, shifted by the decay where there is one.
    target
        Share of the loss at the start, in (0, 1).

    Returns
    -------
    int | None
        The step, at least `steps_to`; None if it is not seen up to `STEPS_LIMIT`, or within the
        `_LOOKED` losses of modes that are evaluated.

    """
    first = steps_to(method, measure, target)
    eta, beta, _ = method.constant
    if first is None or (beta == 0 and eta * measure.largest <= 2):  # every mode only falls
        return first
    most = min(STEPS_LIMIT, max(1, _LOOKED // len(measure.nodes)))
    level, losses = target * 0.5 * measure.total, np.full(first, math.inf)
    last = first + held(first) + 1
    while len(losses) < last <= most:
        more = forecast_loss(method, measure, np.arange(len(losses), last))
        losses = np.concatenate([losses, more])
        if (step := settled(losses, level)) is not None:
            return step
        last = min(most, 2 * last)
    return None


def problem_within(
    network: TwoLayerReLU, within: Span, y: Targets, *, seed: int = 0, decay: float = 0.0
) -> Problem:
    """Return the papers' network and loss as a problem, in the coordinates of the inputs' span.

    Its runs are those of `train` with the same seed, up to rounding.
    """
    w, a = network.init(start_key(seed))
    if within.basis is not None:
        w = w @ jnp.asarray(within.basis, w.dtype)
    return Problem.from_apply(
        lambda params, x: outputs(params[0], params[1], x),
        (w, a),
        within.x,
        y,
        loss="half_sum",
        trainable=network.trainable,
        decay=decay,
    )
