"""The rule `optimal`: a step size and a momentum for each step, judged and checked."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inertial._checks import InvalidInput, fraction, measurable, whole
from inertial.data import Data, Provenance
from inertial.linear.expected import measure_of, need_of, spectrum_of
from inertial.linear.measure import Measure
from inertial.method.bound import fewest_steps
from inertial.method.conventions import snippet
from inertial.method.curve import forecast_loss, steps_to
from inertial.method.modes import stability_limit
from inertial.method.recursion import Recursion
from inertial.method.schedule import keras_lines, optimal_schedule, to_optax_schedules
from inertial.method.trust import Trust
from inertial.runs.check import (
    LONGEST,
    UNTRAINED,
    Check,
    Starts,
    check,
    nearest,
    proposed,
    said,
    search,
)
from inertial.runs.ranking import as_left
from inertial.runs.shown import (
    Curve,
    Promised,
    advised,
    at,
    draw,
    mark,
    of_steps,
    of_tried,
)
from inertial.runs.tuning import TRIALS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SHOWN = 6
"""Entries that are shown beside each other; the lines to copy have all."""

OPTIMAL = "optimal"
"""Key of the rule."""

_DRAWN = 5_000
"""Steps that curves of constants are drawn for at most."""

_BEYOND = 3
"""Entries that are made, as a multiple of the steps: a start may take longer than the mean."""


@dataclass(frozen=True, repr=False)
class ScheduleAdvice(Promised):
    """What `tune` returns for the rule `optimal`.

    Parameters
    ----------
    data
        Which arrays these were.
    measure
        Spectral measure of the start.
    target
        Share of the loss at the start, in (0, 1).
    method
        The schedule, with entries for three times `steps_to`.
    steps_to
        Forecast step at the target.
    trust
        Whether the forecast holds at the width asked for.
    bound
        Steps that no gradient method can undercut; None beyond the search limit.
    check
        A real run; None if there was none.
    searched
        Runs of constants that a search tried; none unless that run took a fifth longer than
        promised.

    """

    data: Provenance
    measure: Measure
    target: float
    method: Recursion
    steps_to: int
    trust: Trust
    bound: int | None
    check: Check | None = None
    searched: tuple[Check, ...] = ()

    @property
    def replaced(self) -> Check | None:
        """The run of constants that settles first, where it does before the schedule gets there.

        A schedule ends soon after its target, where nobody sees whether it would stay.
        Where neither got there, the one that came lowest, if it came lower than the schedule.
        """
        if self.check is None:
            return None
        found = min(self.searched, key=lambda run: run.order, default=self.check)
        if (low := nearest((self.check, *self.searched))) is not None:
            return None if low is self.check else low
        return found if found.order < self.check.order else None

    @property
    def setting(self) -> Recursion:
        """What to train with: the schedule, or the constants that real runs put in its place."""
        return self.method if self.replaced is None else self.replaced.method

    @property
    def _kept(self) -> bool:
        return self.check is None or self.check.kept

    @property
    def _forecast_steps(self) -> int | None:
        return self.steps_to

    @property
    def _measured_steps(self) -> int | None:
        run = self.replaced or self.check
        return None if run is None else run.measured

    @property
    def share_of_limit(self) -> float | None:
        """Step size of constants over their stability limit; None of the schedule."""
        if self.replaced is None:
            return None
        return self.setting.constant[0] * self.measure.largest / stability_limit(self.setting)

    @property
    def growth(self) -> float | None:
        """Largest loss over the first in the run at `setting`; None if it diverged or is none."""
        run = self.replaced or self.check
        return None if run is None or run.diverged else run.growth

    @property
    def _use(self) -> str:
        """In how many steps, as measured where the forecast's promise is not kept."""
        run, found, share = self.check, self.replaced, f"{self.target:g} of the initial loss"
        if run is not None and not self._kept:
            lowest = as_left(run.lowest, self.target)
            tried, network = 1 + len(self.searched), f"width {run.width:,}, seed {run.seed}"
            if run.measured is None and (found is None or found.measured is None):
                none = "No setting" if self.searched else "The schedule never"
                came = "it diverged" if run.diverged else f"it came to {lowest} of it"
                if found is not None:
                    came = found.nearness
                elif self.searched and not run.diverged:
                    came = f"the schedule got the lowest, to {lowest} of it"
                return (
                    f"{none} reached {share} on the network itself ({network}; {tried} tried): "
                    f"{came}. Give {self.trust.instead('a larger target')}."
                )
            if found is not None:
                return (
                    f"Use {at(found.name, found.method)}, not the schedule: "
                    f"{of_steps(self.steps)} to {share}{found.stays}, measured on the network "
                    f"itself ({network}){of_tried(tried)}."
                )
            return (
                f"Use the optimal schedule: {of_steps(self.steps)} to {share}, measured on the "
                f"network itself ({network}){of_tried(tried)}."
            )
        bound = "" if self.bound is None else f" (no gradient method below {self.bound})"
        return (
            f"Use the optimal schedule: {of_steps(self.steps)} to {share}, forecast at infinite "
            f"width{bound}."
        )

    @property
    def checked(self) -> str:
        """Promised and measured steps side by side, in a sentence."""
        return said(self.check)

    @property
    def lines(self) -> str:
        """Lines to copy for optax, PyTorch and Keras, with the network and loss they are for."""
        about = [
            "# for the papers' two-layer ReLU network and the loss",
            f"# 0.5 * ((f - y) ** 2).sum() over all {self.data.n:,} rows, in full batches",
        ]
        if self.replaced is not None:
            return "\n".join([*about, snippet(self.setting)])
        rate, momentum = to_optax_schedules(self.method)
        arrays = [
            f"{name} = [{', '.join(f'{v:.9g}' for v in values)}]"
            for name, values in (("RATE", rate), ("MOMENTUM", momentum))
        ]
        return "\n".join(
            [
                *about,
                *arrays,
                "# optax, with rate, momentum = jnp.array(RATE), jnp.array(MOMENTUM):",
                "optax.inject_hyperparams(optax.sgd)(",
                "    learning_rate=lambda t: rate[t], momentum=lambda t: momentum[t])",
                "# PyTorch, before step t of torch.optim.SGD:",
                "for group in optimizer.param_groups:",
                "    group.update(lr=RATE[t], momentum=MOMENTUM[t])",
                "# Keras:",
                keras_lines(self.method),
            ]
        )

    @property
    def table(self) -> str:
        """Trust, recommendation, real run, the first entries of a schedule, and lines to copy."""
        head = [f"Trust: {self.trust.sentence}", self.recommendation, self.checked]
        if self.replaced is None:
            eta, beta, _ = self.method.coefficients(0, min(_SHOWN, self.method.steps or _SHOWN))
            head += [
                f"eta_t   {', '.join(f'{v:.4g}' for v in eta)}, ...",
                f"beta_t  {', '.join(f'{v:.4g}' for v in beta)}, ...",
            ]
        return "\n".join([*head, "", self.lines])

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row per step of the schedule, and of constants that runs put in its place.

        Step size, momentum, and the forecast loss before the step; `recommended` marks the advice.
        """
        import pandas as pd

        found = self.replaced
        shown = {"schedule": self.method} | ({} if found is None else {found.name: found.method})
        steps = self.method.steps or 0
        frames = []
        for name, method in shown.items():
            eta, beta, gamma = method.coefficients(0, steps)
            loss = forecast_loss(method, self.measure, np.arange(steps))
            frame = pd.DataFrame({"eta": eta, "beta": beta, "gamma": gamma, "loss": loss})
            frame.insert(0, "method", name)
            frame.insert(1, "step", np.arange(steps))
            frames.append(frame.assign(recommended=method == self.setting))
        return pd.concat(frames, ignore_index=True)

    def plot(self) -> "Figure":
        """Draw the forecast losses of all that may be recommended, the target, and the run."""
        found, run = self.replaced, self.replaced or self.check
        reached = None if run is None else run.measured
        last = self.method.steps or 0
        losses = forecast_loss(self.method, self.measure, np.arange(last + 1))
        curves = [Curve("optimal schedule", losses, forecast=True)]
        if found is not None:
            steps = np.arange(min(_DRAWN, max(last, int(1.3 * (reached or 0)))) + 1)
            losses = forecast_loss(found.method, self.measure, steps)
            curves.append(advised(found.name, found.method, losses))
        figure = draw(curves, target=self.target)
        if reached is not None:
            mark(figure, reached, self.target, ", measured")
        return figure


def tune_schedule(
    data: Data,
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    progress: Callable[[str, int, int], None] | None = None,
) -> ScheduleAdvice:
    """Make the smoothed optimal schedule for data, and train the papers' network with it once.

    Where that run takes a fifth longer than promised, constants are searched by real runs from the
    same start (`inertial.runs.check.search`), and the faster of both is recommended.

    Parameters
    ----------
    data
        What `load` returned.
    target
        Share of the initial loss to reach, in (0, 1).
    width
        Neurons that trust and the run are for.
    trials
        Runs at most, that of the schedule included; 0 for the forecast alone.
    progress
        Told what is done, how much of it, and of how much.

    Raises
    ------
    InvalidInput
        If an argument makes no sense, the kernel is singular, or the target is beyond 1,000 steps.

    """
    fraction("target", target)
    whole("width", width)
    if whole("trials", trials, least=0):
        measurable(target, "float32", UNTRAINED)
    dense = need_of(data.x).route == "dense"
    spectrum, measure = spectrum_of(data) if dense else (None, measure_of(data))
    whole_length = optimal_schedule(measure, LONGEST)
    steps = steps_to(whole_length, measure, target)
    if steps is None:
        raise InvalidInput(
            f"the schedule does not reach {target:g} of the loss in {LONGEST:,} steps; take a "
            "larger target, or the rule forecast."
        )
    # Its first entries do not depend on how many are made.
    method = optimal_schedule(measure, max(1, min(LONGEST, _BEYOND * steps)))
    starts = None if spectrum is None else Starts(data, spectrum)
    found = proposed(
        method, measure, starts, width, target=target, rows=len(data.x), inputs=data.x.shape[1]
    )
    bound = fewest_steps(measure, target)
    advice = ScheduleAdvice(data.provenance, measure, target, method, steps, found, bound)
    if not trials:
        return advice
    run = check(method, data, measure, spectrum, name="schedule", width=width, target=target)
    _, *others = (
        search(run, data, measure, spectrum, trials=trials, progress=progress)
        if run.late
        else (run,)
    )
    return dataclasses.replace(advice, check=run, searched=tuple(others))
