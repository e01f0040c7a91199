r"""Step size and momentum for any model, checked by real training.

The tangent operator at the start gives the stability limit, a forecast and, with it, an idea of how
far the linearised model is to be trusted.  What is recommended was trained: `Search` tries settings
on the real model, and the number of steps in the advice is the one that was counted there.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from inertial._checks import (
    InvalidInput,
    below_one,
    fraction,
    measurable,
    one_of,
    significant,
    whole,
)
from inertial.linear.duals import CLOSED, expected_measure
from inertial.linear.measure import Measure
from inertial.linear.tangent import Tangent, tangent
from inertial.method import adaptive
from inertial.method.adaptive import ADAPTIVE, Adaptive, rmsprop
from inertial.method.batch import fastest_for_batch, largest_step
from inertial.method.bound import fewest_steps, said_of_zero, unreachable_share
from inertial.method.conventions import in_evaluation, method_of, snippet, to_torch
from inertial.method.curve import forecast_loss, steps_to
from inertial.method.modes import stability_limit
from inertial.method.race import STEPS as RACE
from inertial.method.recursion import Recursion, label
from inertial.method.rules import fastest
from inertial.method.trust import LARGE, STANDARDISED, agree
from inertial.problem.loss import Outputs, constant_loss
from inertial.problem.networks import WideNetwork
from inertial.problem.problem import Problem, Trainable
from inertial.runs.check import UNTRAINED
from inertial.runs.ranking import Place, percent_left, place
from inertial.runs.settings import check_order
from inertial.runs.shown import Curve, Shown, called, columns, draw, mark
from inertial.runs.stopping import Stopping, horizon, stopping_of
from inertial.runs.trials import (
    LONGEST,
    MOMENTUM,
    Limit,
    Search,
    Setting,
    Trial,
    held,
    setting,
    settled,
    typical,
)
from inertial.simulation.batched import (
    expected_on_batches,
    modes_for_batches,
    spectrum_for_batches,
)
from inertial.simulation.curves import DENSE
from inertial.simulation.linearised import CAUTION, linearised_outputs, sign_step
from inertial.simulation.simulate import Draw, draws_of
from inertial.simulation.train import Order

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TRIALS = 60
"""Trials that are made at most, unless their passes end the search before."""

PASSES = 50_000
"""Passes after which a search ends: a fiftieth of a grid of runs of 3,700 steps."""

PRODUCT = 1.5
"""Passes that a product with the tangent operator counts as."""

METHODS = (*MOMENTUM, "gradient_descent", *ADAPTIVE)
"""Families that can be searched."""

_FIRST, _ROUGH, _MOST = 8, 32, 96
"""Products to begin with, and at most: for a rough idea, and for a forecast."""

FORECAST_MARGIN = 0.6
"""Share of the stability limit that forecast settings of a model keep to."""

_FAR = 0.02
"""A step below this share of the limit at the start means that a model leaves its start at once."""

_DECOMPOSED, _INTEGRATED = 1000, 200
"""Rows up to which the expected kernel is decomposed, in closed form and from quadrature."""

_AGAINST = 20
"""A setting to compare with is trained for this many times the best one's steps, at most."""

_UNSETTLED = 1_000
"""Steps that are forecast, at most, of a run that did not reach the target."""

_HALVED = 5
"""Times that a step on batches is halved, at most, where nothing is trained."""

_EXPECTED = 10_000
"""Steps of the expected loss on batches, at most, where nothing is trained."""

_DRAWS = 4
"""Other draws of the batches that a recommendation is trained on."""

_NUDGES, _APART = {"larger": 1e-6, "smaller": -1e-6}, 0.15
"""Shares by which step sizes of repeats differ, and by which steps and losses may."""

_LONG = 100
"""Steps from which on a recommendation is repeated though its loss stays."""

_BY_THE_LOSS = ", so look at the loss and stop by that"

_JUMP, _HIGH = 1.3, 0.5
"""Its loss jumps where one step takes it up by this factor, above this share of the target."""

_ROUNDING = 1e-5
"""Share of the largest output by which rounding tells equal rows apart."""

RESOLUTION = 1e-6
"""Share of the largest node up to which nodes from products in single precision are known."""


@dataclass(frozen=True, eq=False)
class TunedMethod:
    """A setting with what is forecast of it and what was measured.

    Parameters
    ----------
    name
        One of `METHODS`.
    method
        Step size, momentum and correction, for the loss of the problem.
    share
        Step size as a share of the stability limit at the start; for Adam and RMSprop, of that on
        the preconditioned kernel where the run ended, NaN without a run or with weight decay.
    steps_to
        Steps that the linearised model takes to the target; None if it was not found.
    beyond
        Last step at which the linearised model was seen above the target, where `steps_to` is None;
        None if it was not looked at.
    measured_steps
        Steps that the real model took until its loss settled at the target; None without a trial,
        or if it did not get there.
    leaves
        Step before twice as many, or twenty more, at which the real model is above the target
        again; None if it stays, or if it was not seen that far.
    lost
        Whether it leaves and is not back before twice that step.
    trust
        `holds` if both agree within 15 % or a step, `departs` if not or if one of them alone gets
        there, `unchecked` without a trial, or where neither does.
    losses, forecast
        Loss of the real and of the linearised model at steps 0, 1, ...; empty where there is none.
    draws
        Measured steps on other draws of the batches, None where it did not get there; empty where
        there are none.

    """

    name: str
    method: Recursion | Adaptive
    share: float
    steps_to: int | None
    measured_steps: int | None
    leaves: int | None
    lost: bool
    trust: str
    losses: Float[np.ndarray, "t"]
    forecast: Float[np.ndarray, "s"]
    draws: tuple[int | None, ...] = ()
    beyond: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class ModelAdvice(Shown):
    """What `tune` returns for a problem; printed, it is a table with lines to copy.

    Parameters
    ----------
    model, loss
        What they are called.
    rows
        Number of training rows.
    target
        Share of the loss at the start, in (0, 1).
    start
        Loss at the start.
    residual
        Mean square residual at the start, of squares; NaN under another loss.
    measure
        Spectral measure of the tangent operator at the start.
    largest
        Its largest eigenvalue, and a bound on the error.
    best
        The recommendation.
    methods
        The best setting of each method.
    trials
        Every setting that was tried.
    against
        A setting of one's own to compare with; None if none was given.  It is `best` where it takes
        fewer steps.
    bound
        Steps that no gradient method can undercut on the linearised model; None for other losses
        than squares, with weight decay, or where the products do not reach that far.
    passes
        Cost of the search: losses and gradients of all rows, a product counted as 1.5.
    unreachable
        Share of the loss at the start, from 0 to 1, that lies where the kernel is zero as far as
        single precision shows: where it is zero no gradient method takes it away.  0 where there is
        no bound.
    decay
        Rate of weight decay, >= 0.
    stopping
        What happens on the test rows, by one more run of the best setting, which `passes` does not
        count; None without test rows.
    infinite_width
        Forecast of the recommendation's steps from the expected kernel of a `WideNetwork`; None for
        other models.
    constant
        Least loss of outputs that are the same for every row: a target above it asks for little.
        None where the loss is a function of one's own.
    lacks
        What the search ended for want of, `trials` or `passes`; empty if neither.
    evaluation
        What has to be known where the model has layers that act otherwise in training; empty where
        it has none.
    batch
        Rows of a batch, >= 1; None for gradients of all rows.  All trials saw the same draw of
        batches, and forecasts are those of the expected loss on fresh ones.
    order
        Of the batches: `fresh` or `shuffled`.
    factor
        What the gradient of a batch is multiplied by to stand for that of all rows, > 0.
    repeats
        Steps of the recommendation again, with gradients of all rows, at a step size larger by a
        millionth, and at one smaller by that where then the losses part though the steps do not:
        made where its loss leaves the target again, jumps there, or takes a hundred steps or more.
        None where it did not get there.
    repeats_leave
        Steps at which these are above the target again where the recommendation stays, for as long
        as that was looked at; None where they stay.
    alike
        Where no setting got there and the model cannot tell one row from another: whether `inputs`
        are the same in all, or only the answers at this `start`; empty otherwise.
    """

    model: str
    loss: str
    rows: int
    target: float
    start: float
    residual: float
    measure: Measure
    largest: tuple[float, float]
    best: TunedMethod
    methods: tuple[TunedMethod, ...]
    trials: tuple[Trial, ...]
    against: TunedMethod | None
    bound: int | None
    passes: float
    unreachable: float = 0.0
    decay: float = 0.0
    stopping: Stopping | None = None
    infinite_width: int | None = None
    constant: float | None = None
    lacks: str = ""
    evaluation: str = ""
    batch: int | None = None
    order: Order = "fresh"
    factor: float = 1.0
    repeats: tuple[int | None, ...] = ()
    repeats_leave: tuple[int | None, ...] = ()
    alike: Literal["", "inputs", "start"] = ""

    @property
    def checked(self) -> bool:
        """Whether real training stands behind the recommendation."""
        return bool(self.trials)

    @property
    def trust(self) -> str:
        """Whether forecast and real run of the recommendation agree: `TunedMethod.trust`."""
        return self.best.trust

    @property
    def setting(self) -> Recursion | Adaptive:
        """What to train with: the method of `best`."""
        return self.best.method

    @property
    def steps(self) -> int | None:
        """Steps from which the loss stays at the target at this setting: `steps_are` says of what.

        None where the target is not reached.
        """
        return self.best.measured_steps if self.checked else self.best.steps_to

    @property
    def steps_are(self) -> Literal["measured", "forecast"]:
        """Whether `steps` were counted on a real run or are forecast."""
        return "measured" if self.checked else "forecast"

    @property
    def suggestion(self) -> dict[str, Any]:
        """Keywords of ``torch.optim.SGD``, or of ``torch.optim.Adam`` or ``RMSprop``."""
        method = self.setting
        words = method.keywords if isinstance(method, Adaptive) else to_torch(method)
        return {**words, **({"weight_decay": self.decay} if self.decay else {})}

    @property
    def lines(self) -> str:
        """Lines to copy for optax, PyTorch and Keras: for this model and this loss."""
        method = self.setting
        if isinstance(method, Adaptive):
            lines = adaptive.lines(method, decay=self.decay)
        else:
            lines = snippet(method, decay=self.decay)
        return in_evaluation(lines) if self.evaluation else lines

    @property
    def recommendation(self) -> str:
        """The advice in one sentence."""
        best, share = self.best, f"{100 * self.target:g} %"
        eta, beta, _ = best.method.constant
        words = f"{called(best.name, best.method.constant)} with step size {eta:.4g}" + (
            f" and momentum {below_one(beta)}" if beta else ""
        )
        if not self.checked:
            forecast = (
                "not found, go by real runs (trials above 0)"
                if best.steps_to is None
                else f"{best.steps_to:,}"
            )
            return (
                f"Use {words}: steps to {share} of the loss at the start by the linearised model: "
                f"{forecast}; not checked by a real run."
            )
        if best.measured_steps is None:
            more = f" or more {self.lacks}" if self.lacks else ""
            remedy = STANDARDISED if self._scaled_badly else f"a larger target{more}"
            if self.alike and not self._asks_for_little:
                remedy = f"{_TO_TELL_APART[self.alike]}, or a larger target"
            lowest = float(np.nanmin(best.losses)) / self.start
            came = "stayed at" if lowest <= self.target else "reached"
            if self.batch is not None and lowest <= self.target:  # noise takes it back
                remedy = f"a larger batch, or {remedy}"
            return (
                f"No setting {came} {share} of the loss at the start in {self.passes:,.0f} passes; "
                f"{words} got the lowest, to {percent_left(lowest, self.target)}. Give {remedy}."
            )
        return (
            f"Use {words}: {_steps(best.measured_steps)} to {share} of the loss at the start, "
            f"measured on the model itself{self._on_batches}"
            + (", the setting to compare with" if best is self.against else "")
            + (" in evaluation mode" if self.evaluation else "")
            + self._leaving
            + "."
        )

    @property
    def _leaving(self) -> str:
        """Say that the loss comes back; on batches another draw may not have arrived by then."""
        best, rises = self.best, f"at step {self.best.leaves or 0:,} the loss is above it again"
        if self.batch is not None:
            words = (
                ""
                if best.leaves is None
                else f"; at step {best.leaves:,} of this draw the loss is above it again"
            )
            if math.isinf(typical(best.measured_steps or 0, best.draws)):
                words += (
                    "; no setting tried arrives on most draws: give a larger batch, or a larger "
                    "target"
                )
            return words
        before = "; " if best.leaves is None else f"; {rises}, and "
        for again, than in zip(self.repeats, _NUDGES, strict=False):
            if _as_measured(again, best):
                continue
            return (
                before
                + f"rounding decides when it is there: at a step size {than} by a millionth it "
                + ("is not in twice the steps" if again is None else f"takes {again:,}")
                + _BY_THE_LOSS
            )
        # There is a second one where the first had other losses on the way.
        if len(self.repeats) == len(_NUDGES) and not any(self.repeats_leave):
            counts = [again or 0 for again in self.repeats]
            if any(abs(again - (best.measured_steps or 0)) > 1 for again in counts):
                return (
                    f"{before}rounding decides the losses on the way: at step sizes "
                    f"{' and '.join(_NUDGES)} by a millionth it takes "
                    f"{' and '.join(f'{again:,}' for again in counts)}{_BY_THE_LOSS}"
                )
        if best.leaves is None:
            for left, than in zip(self.repeats_leave, _NUDGES, strict=False):
                if left is not None:
                    return (
                        f"; rounding decides whether it stays: at a step size {than} by a "
                        f"millionth the loss is above it again at step {left:,}{_BY_THE_LOSS}"
                    )
            return ""
        return f"; stop there, for {rises}" + (" and does not come back" if best.lost else "")

    @property
    def _beyond(self) -> str:
        """Say how far the recommended run was looked at, and what the one on test rows did then."""
        best, longer = self.best, None if self.stopping is None else self.stopping.run
        if best.measured_steps is None or best.leaves is not None:
            return ""
        seen = len(best.losses)
        losses = best.losses if longer is None or len(longer.loss) < seen else longer.loss
        above = np.flatnonzero(~(losses[seen:] <= self.target * self.start))
        if above.size:
            return f"; the run on the test rows is above it again at step {seen + above[0]:,}"
        return f"; nobody looked at the recommended run beyond step {len(losses) - 1:,}"

    @property
    def _leaves_at_once(self) -> bool:
        """Whether the step is far below the limit under squares, for targets are too large."""
        return self.best.share < _FAR and self.residual > LARGE

    @property
    def _asks_for_little(self) -> bool:
        """Whether outputs that are the same for every row reach the target."""
        return self.constant is not None and self.target * self.start >= self.constant

    @property
    def _squares(self) -> bool:
        """Whether the loss is one of squares, for which targets can be scaled."""
        return not np.isnan(self.residual)

    @property
    def _scaled_badly(self) -> bool:
        return self._squares and (self._leaves_at_once or self._asks_for_little)

    @property
    def _on_batches(self) -> str:
        """Say which batches, and what happens on other draws of them."""
        if self.batch is None:
            return ""
        kind = "fresh batches" if self.order == "fresh" else "shuffled batches"
        return f" on {kind} of {self.batch:,} (on {self.other_draws})"

    @property
    def draws(self) -> tuple[int | None, ...]:
        """Steps of the recommendation on other draws of the batches; None where it did not settle.

        Of the settings that were fastest on one draw it has the lowest median of them all.
        """
        return self.best.draws

    @property
    def other_draws(self) -> str:
        """What the recommendation took on other draws of the batches, in words."""
        reached = [steps for steps in self.draws if steps is not None]
        missed = len(self.draws) - len(reached)
        span_ = f"{min(reached):,} to {max(reached):,}" if reached else ""
        words = ", ".join([span_] * bool(reached) + [f"not reached on {missed}"] * bool(missed))
        return f"{len(self.draws)} other draws: {words}"

    @property
    def _stayed(self) -> int:
        """Trials that settled at the target."""
        return sum(trial.outcome == "settled" for trial in self.trials)

    @property
    def _notes_on_batches(self) -> list[str]:
        """Say what steps are counted of, and what a sum over a batch is multiplied by."""
        if self.batch is None:
            return []
        counted = "losses are those of all rows; the linearised model's, expected on fresh batches"
        notes = [counted]
        if self.draws and self._stayed > 1:
            notes.append(
                "the recommendation has the lowest median over all draws of the settings that are "
                "fastest on the first"
            )
        if self.factor != 1:
            notes.append(
                f"multiply the loss of a batch by {self.factor:.6g}, all rows over those of the "
                "batch, so that it stands for all"
            )
        return notes

    @property
    def table(self) -> str:
        """The recommendation, the lines to copy, and the best setting of every family."""
        headings = [label(entry.name) for entry in self.methods]
        rows = [["", *headings, *(["compared with"] if self.against is not None else [])]]
        rows += [[title, *(cell(m) for m in self._shown)] for title, cell in _CELLS]
        notes = list(self.stopping.sentences) if self.stopping is not None else []
        if self.evaluation:
            notes.append(self.evaluation)
        if self.decay:
            notes.append(f"with weight decay {self.decay:g}; losses are those without the penalty")
        of_rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        notes.append(
            f"{self.model}; loss {self.loss} over {of_rows}, {self.start:.4g} at the start"
        )
        notes.append(f"steps are those from which the loss stays at the target{self._beyond}")
        notes += self._notes_on_batches
        if self._asks_for_little:
            reached = self.best.measured_steps is not None
            remedies = ["a smaller target"] * reached + [STANDARDISED] * self._squares
            notes.append(
                f"the target, a loss of {self.target * self.start:.4g}, asks for little: "
                f"outputs that are the same for every row have {self.constant:.4g}"
                + (f"; give {', or '.join(remedies)}" if remedies else "")
            )
        if self.bound is not None:
            notes.append(f"no gradient method takes fewer steps than {self.bound:,} (linearised)")
        doubt = said_of_zero(self.unreachable, self.target, resolution=RESOLUTION)
        if doubt is not None:
            notes.append(doubt)
        if self.infinite_width is not None:
            notes.append(f"at infinite width, expected: {self.infinite_width:,} steps (forecast)")
        if self._leaves_at_once:
            notes.append(
                f"the step is {self.best.share:.2g} of the limit at the start: the model leaves "
                "its start at once; targets of mean 0 and variance 1 allow larger steps"
            )
        if self.against is not None and self.against.measured_steps is None and self.checked:
            seen = len(self.against.losses) - 1
            notes.append(f"what it is compared with was trained for {seen:,} steps")
        if any(isinstance(entry.method, Adaptive) for entry in self.methods):
            notes.append(
                "Adam's and RMSprop's share is that of the limit on the preconditioned kernel "
                "where the run ended" + (", not known with weight decay" if self.decay else "")
            )
        notes += self._notes_on_search
        tried = f"{len(self.trials)} trials, {self._stayed} stayed at the target"
        notes.append(
            f"{tried}, {self.passes:,.0f} passes"
            if self.checked
            else f"forecast alone, not checked by a real run; {self.passes:,.0f} passes"
        )
        return "\n".join([self.recommendation, "", self.lines, "", *columns(rows), "", *notes])

    @property
    def _notes_on_search(self) -> list[str]:
        """What the search left out, where it found a setting."""
        if self.best.measured_steps is None:
            return []
        notes = []
        left = [label(one.name) for one in self.methods if one.measured_steps is None]
        if left:
            notes.append(
                f"no trial of {' or '.join(left)} reached the target before the search left it: "
                "where it stood is no advice"
            )
        if self.lacks == "passes":
            notes.append("the search ended with its passes: more may find a faster setting")
        return notes

    @property
    def _shown(self) -> tuple[TunedMethod, ...]:
        return self.methods + ((self.against,) if self.against is not None else ())

    def of(self, name: str) -> TunedMethod:
        """Return the best setting of a family by name.

        Raises
        ------
        InvalidInput
            If no setting of that family was tried.

        """
        entries = {entry.name: entry for entry in self.methods}
        return entries[one_of("method", name, entries)]

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row per trial: setting, outcome, steps to the target, length of the run."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "method": trial.setting.family,
                    "lr": trial.method.constant[0],
                    "momentum": trial.method.constant[1],
                    "share": trial.setting.share,
                    "outcome": trial.outcome,
                    "steps": trial.steps,
                    "passes": len(trial.losses),
                }
                for trial in self.trials
            ],
            columns=["method", "lr", "momentum", "share", "outcome", "steps", "passes"],
        ).astype({"steps": "Int64"})

    def plot(
        self, *, runs: Mapping[str, Sequence[float] | Float[np.ndarray, "t"]] | None = None
    ) -> "Figure":
        """Draw the recommended run and its forecast, beside all trials or runs of your own.

        Parameters
        ----------
        runs
            Losses of runs of your own at steps 0, 1, ..., by what they are called; one that lies on
            the recommended run is drawn as markers on it.

        """
        best, own = self.best, runs or {}
        curves = [Curve("other trials", trial.losses) for trial in self.trials if not own]
        if self.against is not None and self.against is not best:
            eta, beta, _ = self.against.method.constant
            words = f"compared with: step size {eta:.4g}, momentum {below_one(beta)}"
            curves.append(Curve("compared with", self.against.losses, label=words))
        if best.losses.size:
            words = f"{label(best.name)}, recommended"
            curves.append(Curve(best.name, best.losses, label=words))
        if best.forecast.size:
            curves.append(Curve(best.name, best.forecast, forecast=True, colour="0.15"))
        for i, (name, losses) in enumerate(own.items()):
            given = np.asarray(losses, float)
            curves.append(
                Curve(
                    name,
                    given,
                    colour=f"C{(6, 9, 2, 4)[i % 4]}",
                    marker=_MARKED[i % 4],
                    covers=_on_one_line(given, best.losses),
                )
            )
        seen = max(len(best.losses), len(best.forecast), 2)
        longest = max(10, int(1.6 * (2 * (best.measured_steps or 0) or seen)))
        figure = draw(
            [
                replace(curve, losses=curve.losses[:longest])
                for curve in curves
                if curve.losses.size
            ],
            target=self.target,
        )
        if best.measured_steps is not None:
            mark(figure, best.measured_steps, self.target)
        return figure


_TO_TELL_APART = {
    "inputs": "inputs that differ from row to row, for the model answers all of these alike",
    "start": "another start, for at this one the model answers all rows alike",
}


def _steps(number: int) -> str:
    return "1 step" if number == 1 else f"{number:,} steps"


def _on_one_line(one: Float[np.ndarray, "t"], other: Float[np.ndarray, "s"]) -> bool:
    """Whether two runs have the same shares of their first loss, as far as both go."""
    both = min(len(one), len(other))
    return both > 0 and np.allclose(one[:both] / one[0], other[:both] / other[0], rtol=_WIDTH)


_WIDTH = 0.03
"""Change of a loss that a line in a figure hides."""

_MARKED = ("o", "s", "D", "^")
"""Markers of a reader's own runs."""


def _or_dash(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _leaving(found: TunedMethod) -> str:
    return "" if found.leaves is None else f" (leaves at {found.leaves:,})"


_CELLS: tuple[tuple[str, Callable[[TunedMethod], str]], ...] = (
    ("step size", lambda m: f"{m.method.constant[0]:.4g}"),
    ("momentum", lambda m: below_one(m.method.constant[1])),
    (
        "share of the limit at the start",
        lambda m: "-" if np.isnan(m.share) else significant(m.share, 2),
    ),
    ("steps, measured", lambda m: _or_dash(m.measured_steps) + _leaving(m)),
    (
        "steps, linearised model",
        lambda m: _or_dash(m.steps_to) if m.beyond is None else f"over {m.beyond:,}",
    ),
    ("the linearised model", lambda m: m.trust),
)


def tune_problem(
    problem: Trainable,
    *,
    target: float = 0.1,
    trials: int = TRIALS,
    passes: int = PASSES,
    methods: Sequence[str] = MOMENTUM,
    each: bool = False,
    against: Recursion | Mapping[str, Any] | None = None,
    batch: int | None = None,
    order: Order = "fresh",
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> ModelAdvice:
    """Find the step size and momentum with which a model reaches a target loss in fewest steps.

    Parameters
    ----------
    problem
        Model, loss, start and rows: `Problem`, or what `inertial.torch.problem` returns.
    target
        Share of the loss at the start to reach and stay at, in (0, 1).
    trials
        Settings that are trained, at most; 0 gives the forecast alone.
    passes
        Losses with gradient of all rows after which a search ends, also if no setting has reached
        the target.  The forecast, the run of the winner to twice its steps and, with a batch, those
        on other draws come on top.
    methods
        Families to search, of `METHODS`.  Heavy ball and Nesterov share a search, and each other
        one has its own, which is as long; so has the one of the two that lost to settings which
        fail on most draws of the batches, or whose loss does not come back.
    each
        Search a family alone where the shared search left it before it reached the target, since
        it could not win: for a comparison, in which every method is to be at its best.
    against
        A setting to compare with: a method, or ``dict(lr=0.01, momentum=0.9, nesterov=True)``.
    batch
        Rows whose gradient a step of every trial takes, all of them if absent; the families are
        linear ones then.
    order
        Of the batches: `fresh` rows at each step, or `shuffled` for epochs.
    seed
        Seed of the settings that are drawn at the end of the search, and of the batches.
    progress
        Called with a label, trials so far and the most there can be, after a few steps each; before
        the trials after each product, with 0 and 0.

    Raises
    ------
    InvalidInput
        If the target, the trials or the passes make no sense, or the problem cannot be linearised.

    """
    fraction("target", target)
    if whole("trials", trials, least=0):
        kinds = {str(array.dtype) for array in problem.parameters_of().values()}
        measurable(target, "float64" if "float64" in kinds else "float32", UNTRAINED)
    whole("passes", passes)
    families = _families(methods)
    _check_batches(batch, order, families)
    rival = None if against is None else method_of(against, problem.decay)
    operator = tangent(problem, told=teller(progress, "forecast"))
    if not operator.loss > 0:
        raise InvalidInput(
            f"the loss at the start is {operator.loss:.4g}, and a target is a share of it; give a "
            "loss whose least value is 0, by adding a number to yours."
        )
    operator.check_moves()
    # Decay moves every eigenvalue up.
    largest = operator.lanczos(_FIRST).largest[0] + problem.decay
    draws = _draws(problem, batch, order, seed)
    forecast = _Forecast(problem, operator, target, batch)
    noisy = forecast.noisy
    found: list[tuple[Trial, Search | None]] = []
    tried: list[Trial] = []
    spent, longest, start = PRODUCT * forecast.counted, LONGEST, operator.loss
    while families:
        group = families.pop(0)
        unit: float | Limit = _unit(group[0], problem, operator, largest)
        if noisy is not None and noisy.modes is not None:
            unit = noisy.limit
        if not trials:
            for one in forecast.settings(group):
                arriving = forecast.arriving(one, unit)
                found.append((Trial(arriving, arriving.method(unit)), None))
            continue
        search = Search(
            problem, unit, target, trials=trials, families=group, longest=longest, seed=seed,
            passes=passes, spent=0.0 if tried else spent, draws=draws, progress=progress,
        )  # fmt: skip
        search.run()
        spent, start = search.passes + (spent if tried else 0.0), search.start
        winners = [_winner(search.trials, family, search.best) for family in group]
        tried += search.trials
        if search.best is not None and search.best.steps is not None:
            longest = min(longest, _AGAINST * search.best.steps)
            if len(group) > 1 and (each or search.best.fails):
                left = [one for one in winners if one is not None and _left(one, search.best)]
                families = [*((one.setting.family,) for one in left), *families]
                winners = [one for one in winners if one not in left]
        found += [(trial, search) for trial in winners if trial is not None]
    measured = [trial for trial, _ in found]
    first = min(found, key=_led)[0] if trials else None
    entries = [
        _entry(
            trial.setting.family,
            trial.method,
            trial,
            forecast if first in (None, trial) else None,
            _share(trial, search, operator, largest, noisy),
        )
        for trial, search in found
    ]
    best = min(entries, key=_forecast_order) if first is None else entries[measured.index(first)]
    best, compared = _beside(best, first, rival, forecast, largest, draws)
    bounded = problem.loss.squared and not problem.decay and batch is None
    again = [] if batch else list(_repeated(problem, best, target))
    spent += PRODUCT * (operator.products - forecast.counted)
    won = None if first is None else found[measured.index(first)][1]
    return ModelAdvice(
        model=problem.model,
        loss=problem.loss.name,
        rows=problem.rows,
        target=target,
        start=start,
        residual=_mean_square(problem, operator),
        measure=forecast.measure,
        largest=operator.lanczos(_FIRST).largest,
        best=best,
        methods=tuple(entries),
        trials=tuple(tried),
        against=compared,
        bound=_bound(forecast.measure, target) if bounded else None,
        passes=spent + sum(len(trial.losses) for trial in again),
        unreachable=_unreachable(forecast.measure) if bounded else 0.0,
        decay=problem.decay,
        stopping=None if batch else _stopping(problem, best, operator, train=trials > 0),
        infinite_width=None if batch else _infinite_width(problem, best.method, target),
        constant=constant_loss(problem.loss, problem.y),
        lacks="" if won is None else won.lacks,
        evaluation=problem.evaluation,
        batch=batch,
        order=order,
        factor=1.0 if batch is None else problem.batch_factor(batch),
        repeats=tuple(trial.steps for trial in again),
        repeats_leave=tuple(trial.leaves for trial in again),
        alike=_alike(problem, operator) if trials and best.measured_steps is None else "",
    )


def teller(
    progress: Callable[[str, int, int], None] | None, what: str
) -> Callable[[int], None] | None:
    """Return what tells `progress` of each product; how many there will be nobody knows: 0 of 0."""
    return progress and (lambda count: progress(f"{what}, {count} products", 0, 0))


def _alike(problem: Trainable, operator: Tangent) -> Literal["", "inputs", "start"]:
    """Say by what all rows have one answer, also after a step for the first of them."""
    outputs = operator.linearised.outputs
    unit = np.zeros_like(outputs)
    unit[0] = 1
    if len(outputs) == 1 or not (_same_rows(outputs) and _same_rows(operator.plain(unit))):
        return ""
    return "inputs" if bool((problem.x == problem.x[:1]).all()) else "start"


def _mean_square(problem: Trainable, operator: Tangent) -> float:
    """Return the mean square residual at the start, of squares; NaN under another loss."""
    if not problem.loss.squared:
        return np.nan
    parts = 1.0 if problem.loss.name == "mse" else operator.start.size / 2
    return operator.loss / parts


def _same_rows(values: Outputs) -> bool:
    return bool(np.ptp(values, axis=0).max() <= _ROUNDING * np.abs(values).max())


def _draws(problem: Trainable, batch: int | None, order: Order, seed: int) -> list[Draw]:
    """Return the draw of batches that all trials see, and others; none for all rows."""
    if batch is None:
        return []
    return [draws_of(problem, batch, order, seed + k) for k in range(_DRAWS + 1)]


def _beside(
    best: TunedMethod,
    trained: Trial | None,
    method: Recursion | None,
    forecast: "_Forecast",
    largest: float,
    draws: Sequence[Draw],
) -> tuple[TunedMethod, TunedMethod | None]:
    """Train with a setting of one's own, for a multiple of the steps that the best one takes.

    It is the best one itself where that was `trained` and takes more steps.
    """
    if method is None:
        return best, None
    longest = min(LONGEST, _AGAINST * (best.measured_steps or best.steps_to or 100))
    search = Search(forecast.problem, largest, forecast.target, trials=0, draws=draws)
    trial = search.alone(setting("heavy_ball", 1.0, 0.5), method, longest, watched=True)
    share = method.constant[0] * largest / stability_limit(method)
    wins = trained is not None and trial.typical < trained.typical
    own = _entry(method.name, method, trial, forecast if wins else None, share)
    return own if wins else best, own


def _stopping(
    problem: Trainable, best: TunedMethod, operator: Tangent, *, train: bool
) -> Stopping | None:
    """Say what happens on the test rows, if there are some; one more run with `train`."""
    if problem.test is None:
        return None
    steps = horizon(best.measured_steps or best.steps_to)
    return stopping_of(
        problem, best.method, name=best.name, steps=steps, train=train, operator=operator
    )


def _repeated(problem: Trainable, best: TunedMethod, target: float) -> Iterator[Trial]:
    """Train again where the loss leaves, jumps or is long under way: its steps may be one of many.

    One repeat that has other losses on the way may have as many steps by luck: there is another.
    Where the loss stays for as long as it was looked at, so long is the repeat.
    """
    if best.measured_steps is None or not isinstance(best.method, Recursion):
        return
    stays = best.leaves is None
    if stays and best.measured_steps < _LONG and not _jumps(best, target):
        return
    any_, most = setting("heavy_ball", 1.0, 0.5), 2 * best.measured_steps + held(0)
    for nudge in _NUDGES.values():
        nudged = replace(best.method, eta=best.method.constant[0] * (1 + nudge))
        trial = Search(problem, 1.0, target, trials=0).alone(any_, nudged, most, watched=stays)
        yield trial
        if trial.leaves is not None or not _as_measured(trial.steps, best):
            return
        if not _parted(best, trial):
            return


def _jumps(best: TunedMethod, target: float) -> bool:
    """Whether a step takes the loss up by `_JUMP` to `_HIGH` of the target, where it settled."""
    after, high = best.losses[best.measured_steps :], _HIGH * target * best.losses[0]
    return bool(((after[1:] > _JUMP * after[:-1]) & (after[1:] > high)).any())


def _as_measured(again: int | None, best: TunedMethod) -> bool:
    """Whether a repeat took about the steps that were measured."""
    steps = best.measured_steps or 0
    return again is not None and abs(again - steps) <= max(1, _APART * steps)


def _parted(best: TunedMethod, trial: Trial) -> bool:
    """Whether the losses of a repeat are others on the way."""
    steps = min(len(best.losses), len(trial.losses))
    known, again = best.losses[:steps], trial.losses[:steps]
    return not (np.abs(again - known) <= _APART * known).all()


class _OnBatches:
    """What the noise of batches does to limits and forecasts, for squares of few outputs.

    `modes` is None where it is not known: under other losses, and for more outputs.
    """

    def __init__(self, problem: Trainable, operator: Tangent, batch: int) -> None:
        self.problem, self.operator, self.batch = problem, operator, batch
        self.spectrum = self.modes = None
        if operator.start.size <= DENSE:
            self.spectrum = spectrum_for_batches(problem, operator)
        if self.spectrum is not None:
            self.modes = modes_for_batches(problem, operator, self.spectrum)

    def limit(self, family: str, beta: float) -> float:
        """Return the step size from which the expected loss grows."""
        assert self.modes is not None  # noqa: S101 - asked for only then
        return largest_step(family, beta, self.modes, self.batch, decay=self.problem.decay)

    def fastest(self, family: str, target: float) -> Recursion:
        """Return the setting with the fewest steps of the expected loss, at 0.6 of the limit."""
        assert self.modes is not None  # noqa: S101 - asked for only then
        return fastest_for_batch(
            family, self.modes, self.batch, target=target, margin=FORECAST_MARGIN,
            decay=self.problem.decay,
        )[0]  # fmt: skip

    def losses(self, method: Recursion, steps: int) -> Float[np.ndarray, "t"]:
        """Return the expected loss at steps 0 to `steps`; empty where it is not known."""
        if self.spectrum is None:
            return np.empty(0)
        return expected_on_batches(
            method, self.problem, self.operator, self.spectrum, self.batch, steps
        ).loss


class _Forecast:
    """Forecasts of the linearised model, from as many products as their answers need."""

    def __init__(
        self,
        problem: Trainable,
        operator: Tangent,
        target: float,
        batch: int | None = None,
    ) -> None:
        self.problem, self.operator, self.target = problem, operator, target
        self.counted = operator.products
        self.measure = operator.measure(_FIRST)
        self.noisy = None if batch is None else _OnBatches(problem, operator, batch)

    def settings(self, families: Sequence[str]) -> list[Setting]:
        """Return the settings that the measure ranks first, at 0.6 of the limit.

        For an adaptive method it is `CAUTION` of the best step along the signs.
        """
        if families[0] in ADAPTIVE:
            momentum = 0.9 if families[0] == "adam" else 0.0
            return [setting(family, CAUTION, momentum) for family in families]
        if self.noisy is not None and self.noisy.modes is not None:
            chosen = [self.noisy.fastest(family, self.target) for family in families]
            return [
                setting(name, m.constant[0] / self.noisy.limit(name, m.constant[1]), m.constant[1])
                for name, m in zip(families, chosen, strict=True)
            ]
        # The quadratic model of other losses than squares is no better for more products.
        most = _MOST if self.problem.loss.squared else _ROUGH
        self._raise(
            fastest(families[0], self.measure, self.target, margin=FORECAST_MARGIN, steps=RACE),
            most,
        )
        found = []
        for family in families:
            method = fastest(family, self.measure, self.target, margin=FORECAST_MARGIN, steps=RACE)
            eta, beta, _ = method.constant
            share = eta * self.measure.largest / stability_limit(method)
            found.append(setting(family, share, min(beta, 0.999)))
        return found

    def of(
        self, method: Recursion | Adaptive, length: int, *, most: int = 0, whole: bool = True
    ) -> tuple[int | None, Float[np.ndarray, "t"]]:
        """Return the steps to the target, and the losses of some steps, `whole` or until then.

        Where each step is a product, the target is looked for among `most` losses.
        """
        if self.noisy is not None and isinstance(method, Recursion):
            return self._on_batches(self.noisy, method, length, whole=whole)
        plain = self.problem.loss.squared and not self.problem.decay
        if plain and isinstance(method, Recursion):
            count = self._raise(method, max(2 * _FIRST, length))
            return count, forecast_loss(method, self.measure, np.arange(length))
        losses, steps = np.empty(0), None
        for outputs, _ in linearised_outputs(
            self.problem, self.operator, method, max(length, most) - 1, test=False
        ):
            losses = np.append(losses, self.problem.loss_of(outputs))
            steps = settled(losses, self.target * losses[0])
            enough = steps is not None and (not whole or len(losses) >= length)
            if not np.isfinite(losses[-1]) or enough:
                break
        return steps, losses

    def arriving(self, one: Setting, unit: float | Limit) -> Setting:
        """Halve the step where the expected loss on batches does not get to the target.

        The settings come from eigenvectors that are even over the rows; those of rows that differ
        in size are not, and then the noise is larger.
        """
        if self.noisy is None or self.noisy.spectrum is None:
            return one
        smaller = (replace(one, u=one.u - halved) for halved in range(_HALVED + 1))
        reach = (less for less in smaller if self.of(less.method(unit), 100, whole=False)[0])
        return next(reach, one)

    def _on_batches(
        self, noisy: _OnBatches, method: Recursion, length: int, *, whole: bool
    ) -> tuple[int | None, Float[np.ndarray, "t"]]:
        """Look at four times as many steps, and where nothing was trained at `_EXPECTED`."""
        most = 4 * length
        while True:
            losses = noisy.losses(method, most)
            if not losses.size:
                return None, losses
            steps = settled(losses, self.target * losses[0])
            if whole or steps is not None or most >= _EXPECTED or not np.isfinite(losses[-1]):
                return steps, losses
            most = min(_EXPECTED, 4 * most)

    def _raise(self, method: Recursion, most: int = _MOST) -> int | None:
        """Take more products, `most` at most, until the step count of a method stands."""
        most = min(most, _MOST)
        while True:
            steps = self.operator.lanczos(_FIRST).steps
            self.measure = self.operator.measure(steps)
            count = self._count(method, self.measure)
            fewer = self._count(method, self.operator.measure(max(1, 3 * steps // 4)))
            stands = self.measure.proven is None or (count is not None and count < steps)
            if stands or (count == fewer and steps > _FIRST) or steps >= most:
                return count
            self.operator.lanczos(min(2 * steps, most))

    def _count(self, method: Recursion, measure: Measure) -> int | None:
        first = steps_to(method, measure, self.target, limit=LONGEST)
        if first is None:
            return None
        losses = forecast_loss(method, measure, np.arange(4 * first + 20))
        return settled(losses, self.target * losses[0])


def _entry(
    name: str,
    method: Recursion | Adaptive,
    trial: Trial,
    forecast: _Forecast | None,
    share: float,
) -> TunedMethod:
    """Set the forecast of a method beside its real run."""
    steps, losses, beyond = None, np.empty(0), None
    if forecast is not None:
        length, most = len(trial.losses) or 100, 0
        if trial.steps is not None:
            length = trial.steps + held(trial.steps) + 1
            most = 2 * length  # so that one which is later, as far as the two still agree, is seen
        elif trial.losses.size:  # there is no end to look at
            length = min(length, _UNSETTLED)
        steps, losses = forecast.of(method, length, most=most, whole=trial.losses.size > 0)
        if steps is None and losses.size:
            above = ~(losses <= forecast.target * losses[0])
            beyond = int(np.flatnonzero(above)[-1])
        losses = losses[:length]
    trust = "unchecked"
    if trial.steps is not None and steps is not None:
        trust = "holds" if agree(steps, trial.steps) else "departs"
    elif trial.losses.size and losses.size and (trial.steps, steps) != (None, None):
        trust = "departs"
    return TunedMethod(
        name,
        method,
        share,
        steps,
        trial.steps,
        trial.leaves,
        trial.lost,
        trust,
        trial.losses,
        losses,
        trial.draws,
        beyond,
    )


def _check_batches(batch: int | None, order: Order, families: list[tuple[str, ...]]) -> None:
    check_order(batch, order)
    if batch is not None and any(name in ADAPTIVE for group in families for name in group):
        raise InvalidInput(
            "Adam and RMSprop are searched on all rows alone; leave them out, or the batch."
        )


def _families(methods: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the families that are searched together, those with a search of their own last."""
    if isinstance(methods, str):
        methods = (methods,)
    for name in methods:
        one_of("method", name, METHODS)
    if not methods:
        raise InvalidInput("methods is empty; give at least one.")
    together = tuple(name for name in MOMENTUM if name in methods)
    alone = tuple((name,) for name in METHODS if name in methods and name not in MOMENTUM)
    return [group for group in (together, *alone) if group]


def _unit(family: str, problem: Trainable, operator: Tangent, largest: float) -> float:
    """Return one over the step size whose share of the limit is 1."""
    if family not in ADAPTIVE:
        return largest
    step = sign_step(problem, operator)
    # RMSprop's first step is 1/sqrt(1 - decay) as long as one along the signs.
    return (1 if family == "adam" else (1 - rmsprop(1.0).beta2) ** -0.5) / step


def _share(
    trial: Trial,
    search: Search | None,
    operator: Tangent,
    largest: float,
    noisy: _OnBatches | None,
) -> float:
    """Return the step as a share of the limit at the start, or where an adaptive run ended."""
    method = trial.method
    if isinstance(method, Recursion):
        if noisy is not None and noisy.modes is not None:
            return method.constant[0] / noisy.limit(trial.setting.family, method.constant[1])
        return method.constant[0] * largest / stability_limit(method)
    if search is None or search.best is not trial or search.ended is None:
        return np.nan
    if search.problem.decay:  # which the preconditioner scales for each parameter by itself
        return np.nan
    try:
        there = tangent(search.problem, search.ended.state)
    except InvalidInput:  # at a minimum there is nothing to be measured
        return np.nan
    scaled = there.preconditioned(method.inverse(search.ended.moments))
    sharpness = scaled.lanczos(_FIRST).largest[0]
    operator.products += scaled.products
    return method.eta * sharpness / method.limit


def _winner(trials: list[Trial], family: str, best: Trial | None = None) -> Trial | None:
    """Return the `best` of all if it is of a family, or else its trial with the fewest steps.

    Where none settled it is the one with the lowest loss.
    """
    if best is not None and best.setting.family == family:
        return best
    own = [trial for trial in trials if trial.setting.family == family]
    if not own:
        return None
    return min(own, key=_order)


def _left(trial: Trial, best: Trial) -> bool:
    """Whether a family's trial says too little of it: it was left, or lost to one that fails."""
    return trial.steps is None or (best.fails and trial is not best)


def _led(one: tuple[Trial, Search | None]) -> tuple[bool, Place]:
    """Sort the best of a search before what was not trained on other draws."""
    trial, search = one
    return search is not None and search.best not in (None, trial), _order(trial)


def _order(trial: Trial) -> Place:
    return place(
        reached=None if trial.steps is None else trial.typical,
        left=float(np.nanmin(trial.losses)),
        diverged=trial.outcome == "diverged",
    )


def _forecast_order(entry: TunedMethod) -> Place:
    return place(forecast=entry.steps_to)


def _infinite_width(problem: Trainable, method: Recursion | Adaptive, target: float) -> int | None:
    """Forecast steps from the expected kernel, where it is known and decomposed in a moment."""
    if (
        not isinstance(method, Recursion)
        or not isinstance(problem, Problem)
        or not isinstance(problem.given, WideNetwork)
    ):
        return None
    most = _DECOMPOSED if problem.given.activation in CLOSED else _INTEGRATED
    if not problem.loss.squared or problem.decay or problem.rows > most:
        return None
    return steps_to(method, expected_measure(problem), target, limit=LONGEST)


def _unreachable(measure: Measure) -> float:
    return unreachable_share(measure, resolution=RESOLUTION)


def _bound(measure: Measure, target: float) -> int | None:
    found = fewest_steps(measure, target, resolution=RESOLUTION)
    known = measure.proven is None or (found is not None and found <= measure.proven)
    return found if known else None
