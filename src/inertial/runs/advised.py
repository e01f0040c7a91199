"""What `tune` returns for data or a measure, and how it is said."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from inertial._checks import below_one, one_of
from inertial.data import Provenance
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Extremes, known
from inertial.method.conventions import snippet
from inertial.method.curve import STEPS_LIMIT, forecast_loss, steps_to
from inertial.method.modes import spectral_radius, stability_limit
from inertial.method.recursion import Recursion, label
from inertial.method.response import decayed_loss
from inertial.method.rules import DEFAULT_RULE
from inertial.method.trust import Trust
from inertial.runs.check import Check, first_step, nearest, said, settles
from inertial.runs.ranking import place
from inertial.runs.shown import (
    Curve,
    Promised,
    advised,
    at,
    columns,
    count,
    draw,
    mark,
    of_steps,
    of_tried,
)
from inertial.runs.stopping import Stopping
from inertial.runs.trials import held, settled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_DRAWN = 1.3
"""Curves are drawn for this many times the steps of the best method."""

_LONGEST = 5_000
"""And for this many steps at most."""

FAR = 5_000
"""Steps after which a forecast with weight decay is given up."""


@dataclass(frozen=True)
class MethodAdvice:
    """A tuned method with its forecast.

    Parameters
    ----------
    name
        Name of the method.
    method
        Its coefficients.
    rule
        The rule that chose them; `trials` where it was real runs, `this start` where the setting is
        that of the start trained.
    spectral_radius
        Largest factor of a mode in a step, >= 0; below 1 every mode decays.
    eta_limit
        Step size below which every mode decays at this momentum.
    steps_to
        Forecast number of steps to the target; None if beyond the search limit.
    settles
        Forecast step from which the loss stays there, `inertial.runs.trials.settled`: later than
        `steps_to` where it rings back above the target; None if not seen.
    trust
        Whether that holds at the width asked for; None without a network, and for what real runs
        put in place of the forecast.

    """

    name: str
    method: Recursion
    rule: str
    spectral_radius: float
    eta_limit: float
    steps_to: int | None
    settles: int | None
    trust: Trust | None

    @property
    def rings(self) -> bool:
        """Whether the forecast is above the target again, or not seen to stay there."""
        return self.settles != self.steps_to


_UNJUDGED = "Trust: not judged under weight decay, which shrinks the weights; go by a real run."


@dataclass(frozen=True, repr=False)
class Advice(Promised):
    """What `tune` returns for data or a measure; printed, it is a table.

    Parameters
    ----------
    data
        Which arrays these were; None for a measure of one's own, for which no network can be
        trained.
    measure
        Spectral measure of the start.
    target
        Share of the loss at the start, in (0, 1).
    methods
        One entry for each method.
    bound
        Steps to the target that no gradient method can undercut on the linearised network; None
        beyond the search limit, and with weight decay.
    checks
        The real runs, that of the best method first; the one that `measured` names is recommended.
    decay
        Rate of weight decay, >= 0.
    floor
        Share of the expected loss at the start that the decay leaves at the end, in [0, 1).
    stopping
        What happens on the test rows; None without.
    targets
        Coordinates of the targets in the kernel's basis, which the forecast with decay needs; None
        without decay.
    """

    data: Provenance | None
    measure: Measure
    target: float
    methods: tuple[MethodAdvice, ...]
    bound: int | None = None
    checks: tuple[Check, ...] = ()
    decay: float = 0.0
    floor: float = 0.0
    stopping: Stopping | None = None
    targets: Float[np.ndarray, "n"] | None = None

    @property
    def measured(self) -> Check | None:
        """The run whose loss stays at the target from the fewest steps, or None.

        Where no run was seen to stay there, as it ended with the first step at the target, that
        step counts.  Of equals it is the forecast's own; None where none reached the target.
        """
        reached = [run for run in self.checks if run.measured is not None]
        return min(reached, key=lambda run: run.order, default=None)

    @property
    def replaced(self) -> Check | None:
        """The run `measured`, where it is not that of the best method by the forecast."""
        return None if self.measured in self.checks[:1] else self.measured

    @property
    def nearest(self) -> Check | None:
        """The run that came lowest, where none reached the target; else None."""
        return nearest(self.checks)

    @property
    def setting(self) -> Recursion:
        """What to train with: the forecast's best method, or what real runs put in its place."""
        run = self._recommended
        return self.best.method if run is None else run.method

    @property
    def _kept(self) -> bool:
        return not self.checks or (self.replaced is None and self.checks[0].kept)

    @property
    def _forecast_steps(self) -> int | None:
        return self.best.steps_to

    @property
    def _measured_steps(self) -> int | None:
        return None if self.measured is None else self.measured.measured

    @property
    def _recommended(self) -> Check | None:
        """The run whose setting takes the place of the forecast's best method, or None."""
        return self.replaced or self.nearest

    @property
    def entries(self) -> tuple[MethodAdvice, ...]:
        """All that is tabulated: the methods, and the setting recommended if it is none of them."""
        run = self._recommended
        if run is None or run.method in [entry.method for entry in self.methods]:
            return self.methods
        rule = "this start" if self.checks[0].kept else "trials"
        found = forecast_entry(
            run.name, run.method, rule, self.measure, self.target, self.targets, decay=self.decay
        )
        return (*self.methods, found)

    def run_of(self, entry: MethodAdvice) -> Check | None:
        """Return the real run at the setting of an entry, or None."""
        return next((run for run in self.checks if run.method == entry.method), None)

    @property
    def extremes(self) -> Extremes:
        """Both ends of the kernel's spectrum."""
        return self.measure.ends

    @property
    def best(self) -> MethodAdvice:
        """The forecast's own choice: the fewest steps to the target, or the smallest radius.

        What is recommended, once there are real runs, is `setting`.
        """
        return min(self.methods, key=lambda m: (place(forecast=m.steps_to), m.spectral_radius))

    def of(self, name: str) -> MethodAdvice:
        """Return the entry of a method by name.

        Raises
        ------
        InvalidInput
            If the rule defines no such method.

        """
        entries = {entry.name: entry for entry in self.methods}
        return entries[one_of("method", name, entries)]

    @property
    def share_of_limit(self) -> float:
        """Step size of `setting` over the stability limit that is tabulated."""
        entry = next(entry for entry in self.entries if entry.method == self.setting)
        return entry.method.constant[0] / entry.eta_limit

    @property
    def growth(self) -> float | None:
        """Largest loss over the first in the run at `setting`; None if it diverged or is none."""
        run = next((run for run in self.checks if run.method == self.setting), None)
        return None if run is None or run.diverged else run.growth

    @property
    def _use(self) -> str:
        """Which method at which setting, in how many steps, beside what else there is."""
        best, run = self.best, None if self._kept else self.measured
        share = f"{self.target:g} of the initial loss"
        if run is not None:
            return (
                f"Use {at(run.name, self.setting)}: {of_steps(self.steps)} to {share}{run.stays}, "
                f"measured on the network itself (width {run.width:,}, seed {run.seed})"
                f"{of_tried(len(self.checks))}{self._left(run)}."
            )
        if self.checks and self.measured is None:
            first, tried = self.checks[0], len(self.checks)
            none = "No setting" if tried > 1 else "The forecast setting never"
            came = "it diverged" if tried == 1 else "all diverged"
            if (low := self.nearest) is not None:
                came = low.nearness
            give = "a larger target" + (" or more trials" if tried == 1 else "")
            if best.trust is not None:
                give = best.trust.instead(give)
            return (
                f"{none} reached {share} on the network itself (width {first.width:,}, seed "
                f"{first.seed}; {tried} tried): {came}. Give {give}."
            )
        where = "at infinite width" if self.data is not None else "for this kernel"
        limit = FAR if self.decay else STEPS_LIMIT
        if best.steps_to is None:
            grid = best.rule == DEFAULT_RULE
            why = (
                f": {100 * self.floor:.2g} % stay under weight decay {self.decay:g}; take a larger "
                "target"
                if self.floor >= self.target
                else f" within {limit:,} steps, by the forecast {where}; take "
                + ("" if grid else f"the rule {DEFAULT_RULE} or ")
                + "a larger target"
            )
            looked = "constant setting that was looked at" if grid else f"setting of {best.rule}"
            return (
                f"No {looked} reaches {share}{why}. In the long run the fastest of them is "
                f"{at(best.name, self.setting)}."
            )
        others = []
        if any(self.setting.constant[1:]):
            descent = self.of("gradient_descent").steps_to
            over = f"more than {limit:,}"
            others.append(f"gradient descent: {over if descent is None else count(descent)}")
        if self.bound is not None:
            others.append(f"no gradient method below {self.bound}")
        beside = f" ({'; '.join(others)})" if others else ""
        stays = ""
        if best.rings:
            seen = f"stays from {count(best.settles)}" if best.settles else "is not seen to stay"
            stays = f", where it {seen}"
        return (
            f"Use {at(best.name, self.setting)}: {of_steps(self.steps)} to "
            f"{share}{stays}, forecast {where}{beside}."
        )

    def _left(self, run: Check) -> str:
        """Say of a run that ended where it reached the target if its forecast leaves it again."""
        entry = next(entry for entry in self.entries if entry.method == run.method)
        if run.settles or run.steps != run.measured or not entry.rings:
            return ""
        stays = f"stays from {entry.settles:,}" if entry.settles else "is not seen to stay"
        return (
            "; the run ended there, while its forecast gets there first at "
            f"{count(entry.steps_to)} and {stays}"
        )

    @property
    def checked(self) -> str:
        """Promised and measured steps side by side, in a sentence."""
        if self.data is None:
            return (
                "Unchecked: without a network nothing can be trained; steps are those of a model "
                "whose kernel stays what it is."
            )
        return said(self.checks[0] if self.checks else None, used=self.setting)

    @property
    def lines(self) -> str:
        """Lines to copy for optax, PyTorch and Keras, with the network and loss they are for."""
        method = self.setting
        if self.data is None:
            about = (
                "# for the loss 0.5 * (r ** 2).sum() over all residuals r, with this kernel J J' "
                "at the start"
            )
            return f"{about}\n{snippet(method)}"
        n, eta = self.data.n, method.constant[0]
        return (
            "# for the papers' two-layer ReLU network (--module torch prints it); for a model of "
            "your own: inertial tune --model\n"
            f"# for the loss 0.5 * ((f - y) ** 2).sum() over all {n:,} rows:\n"
            f"{snippet(method, decay=self.decay)}\n"
            "# for a mean over these rows, or any number of rows like them, the same with a "
            "learning rate of\n"
            f"# {n * eta:.4g} for 0.5 * ((f - y) ** 2).mean(), {n * eta / 2:.4g} for a mean "
            "without the 0.5 (MSELoss, mse)"
            + (
                f",\n# and a weight decay of {self.decay / n:.4g} and {2 * self.decay / n:.4g}"
                if self.decay
                else ""
            )
        )

    @property
    def table(self) -> str:
        """Trust, recommendation, real run, lines to copy, and a column per method."""
        ends, trusted = self.extremes, self.best.trust
        head = [self.recommendation, self.checked]
        if self.decay:
            head.insert(0, _UNJUDGED)
            beyond = ", above the target" if self.floor >= self.target else ""
            head.append(
                f"By the linearised network, with weight decay {self.decay:g} the loss, without "
                f"the penalty, ends at {100 * self.floor:.2g} % of its start in the mean over "
                f"starts{beyond}."
            )
        head += self.stopping.sentences if self.stopping is not None else ()
        if trusted is not None:
            head.insert(0, f"Trust: {trusted.sentence}")
        size = (
            f"the given kernel: {ends.size:,} eigenvalue{'s' if ends.size > 1 else ''}, "
            if self.data is None
            else f"{self.data.name}: n = {self.data.n:,}, d = {self.data.d:,}; eigenvalues "
        )
        alike = "all " if ends.size > 1 else ""
        span = (
            f"{alike}{known(ends.largest, ends.largest_error)}"
            if ends.smallest == ends.largest
            else f"{known(ends.smallest, ends.smallest_error)} to "
            f"{known(ends.largest, ends.largest_error)}"
        )
        facts = (
            f"{size}{span}, condition number "
            f"{known(ends.condition_number, ends.condition_error, 5)}"
        )
        entries = self.entries
        rows = [
            ["", *(label(m.name) for m in entries)],
            ["rule", *(m.rule for m in entries)],
            ["eta", *(f"{m.method.constant[0]:.5g}" for m in entries)],
            ["beta", *(below_one(m.method.constant[1], 5) for m in entries)],
            ["spectral radius", *(below_one(m.spectral_radius, 6) for m in entries)],
            ["stability limit of eta", *(f"{m.eta_limit:.5g}" for m in entries)],
            [f"steps to {100 * self.target:g} %", *(count(m.steps_to) for m in entries)],
        ]
        if any(m.rings for m in entries):
            rows.append(["stays there from", *(count(m.settles) for m in entries)])
        if self.checks:
            runs = [self.run_of(entry) for entry in entries]
            rows.append(
                ["measured", *(count(None if run is None else run.measured) for run in runs)]
            )
            if any(run is not None and run.stays for run in runs):
                stays = (count(None if run is None else run.settles) for run in runs)
                rows.append(["measured, stays from", *stays])
        return "\n".join([*head, "", self.lines, "", facts, *columns(rows), *self._notes(entries)])

    def _notes(self, entries: tuple[MethodAdvice, ...]) -> list[str]:
        """Say what the columns of the table do not say of themselves."""
        notes = []
        plain = [m.name for m in entries if not m.method.constant[1]]
        if any(m.steps_to is None and m.method.constant[0] >= m.eta_limit for m in entries):
            notes.append("the forecast of a setting beyond the stability limit grows: no steps")
        if any(name != "gradient_descent" for name in plain):
            notes.append("without momentum (beta 0) every method is gradient descent")
        if self.data is not None:
            notes += [
                "steps are forecast for the linearised network, from the expected loss at the start"
            ]
        if self.measure.proven is not None:
            notes.append(
                "the measure is that of a block Krylov space: losses are right to a few thousandths"
            )
        if not self.extremes.proven:
            notes.append(
                "both ends are eigenvalues to the digits shown; that none lies beyond them is not "
                "proven"
            )
        return notes

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row per method, and one for the setting recommended if it is none of them.

        Its setting, limit, radius, forecast `steps`, the step from which the forecast `settles` at
        the target, and `trust` in them; `measured_steps` of a real run to the first step at the
        target, and whether that `kept` the promise to its start; the step from which its loss was
        seen to stay there, `measured_settles`; `recommended` marks the advice.
        """
        import pandas as pd

        runs = [self.run_of(entry) for entry in self.entries]
        return pd.DataFrame(
            [
                {
                    "method": entry.name,
                    "rule": entry.rule,
                    **dict(zip(("eta", "beta", "gamma"), entry.method.constant, strict=True)),
                    "spectral_radius": entry.spectral_radius,
                    "eta_limit": entry.eta_limit,
                    "steps": entry.steps_to,
                    "settles": entry.settles,
                    "measured_steps": None if run is None else run.measured,
                    "trust": None if entry.trust is None else entry.trust.verdict,
                    "kept": None if run is None else run.kept,
                    "measured_settles": None if run is None else run.settles,
                    "recommended": entry.method == self.setting,
                }
                for entry, run in zip(self.entries, runs, strict=True)
            ]
        ).astype(
            dict.fromkeys(("steps", "settles", "measured_steps", "measured_settles"), "Int64")
            | {"kept": "boolean"}
        )

    def plot(self) -> "Figure":
        """Draw the forecast losses of all that is tabulated, the target, and the real run there."""
        known_steps = [m.steps_to for m in self.methods if m.steps_to is not None]
        reached = None if self.measured is None else self.measured.measured
        seen = max(max(known_steps, default=_LONGEST), reached or 0)
        last = max(20, min(_LONGEST, int(_DRAWN * seen)))
        curves = [
            Curve(m.name, self.expected(m.method, last), True)
            if m in self.methods
            else advised(m.name, m.method, self.expected(m.method, last))
            for m in self.entries
        ]
        figure = draw(curves, target=self.target)
        if reached is not None:
            mark(figure, reached, self.target, ", measured")
        return figure

    def expected(self, method: Recursion, steps: int) -> Float[np.ndarray, "t"]:
        """Forecast the expected loss at steps 0 to `steps`, without the penalty of weight decay."""
        if self.targets is None:
            return forecast_loss(method, self.measure, np.arange(steps + 1))
        return expected_decayed(method, self.measure, self.targets, steps, self.decay)


def expected_decayed(
    method: Recursion,
    measure: Measure,
    targets: Float[np.ndarray, "n"],
    steps: int,
    decay: float,
) -> Float[np.ndarray, "t"]:
    """Forecast the expected loss with weight decay at steps 0 to `steps`, without the penalty.

    The outputs at a start, ``J w_0``, are independent of the targets: their parts add up.
    """
    spread, nodes = np.sqrt(np.maximum(measure.weights - targets**2, 0.0)), measure.nodes
    drawn = decayed_loss(method, nodes, spread, spread, steps, decay=decay)
    still = decayed_loss(method, nodes, targets, np.zeros_like(targets), steps, decay=decay)
    return np.asarray(drawn + still)


def forecast_entry(
    name: str,
    method: Recursion,
    rule: str,
    kernel: Measure,
    target: float,
    targets: Float[np.ndarray, "n"] | None = None,
    *,
    decay: float = 0.0,
    trust: Trust | None = None,
) -> MethodAdvice:
    """Forecast a setting on the kernel's measure; with weight decay it needs the targets' modes."""
    measure = kernel.shifted(decay) if decay else kernel
    spectrum = np.array([measure.smallest, *measure.nodes, measure.largest])
    if targets is None:
        steps, stays = steps_to(method, measure, target), settles(method, measure, target)
    else:
        losses = expected_decayed(method, kernel, targets, FAR + held(FAR), decay)
        steps, stays = first_step(losses[: FAR + 1], target), settled(losses, target * losses[0])
    return MethodAdvice(
        name,
        method,
        rule,
        spectral_radius(method, spectrum),
        stability_limit(method) / measure.largest,
        steps,
        None if steps is None else stays,
        trust,
    )
