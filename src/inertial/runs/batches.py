"""Advice for training on batches: step size, momentum, steps and samples, and the useful sizes."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inertial._checks import InvalidInput, below_one, fraction, measurable, significant, whole
from inertial.data import Data, Provenance
from inertial.linear.expected import need_of, spectrum_of
from inertial.linear.measure import Measure
from inertial.method.batch import (
    BatchSizes,
    batch_sizes,
    fastest_for_batch,
    forecast_batches,
    largest_step,
)
from inertial.method.conventions import snippet
from inertial.method.recursion import METHODS, Recursion, label
from inertial.method.trust import Trust
from inertial.problem.model import TwoLayerReLU
from inertial.runs.check import (
    LONGEST,
    UNTRAINED,
    Check,
    Starts,
    check,
    check_batch,
    first_step,
    passes_for,
    problem_within,
    proposed,
    said,
)
from inertial.runs.ranking import place
from inertial.runs.shown import (
    Curve,
    Promised,
    advised,
    at,
    came_lowest,
    columns,
    count,
    draw,
    mark,
    of_steps,
    of_tried,
)
from inertial.runs.tuning import TRIALS, ModelAdvice, TunedMethod, tune_problem
from inertial.simulation.span import span

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MOST_DRAWN = 2_000
"""Steps that curves are drawn for at most."""

_FAR = 5_000
"""Steps after which a forecast is given up."""


@dataclass(frozen=True)
class BatchMethod:
    """A method tuned for a batch.

    Parameters
    ----------
    name
        Name of the method.
    method
        Its coefficients.
    eta_limit
        Step size from which the expected loss grows.
    steps_to
        Step at which the expected loss is at the target; None if beyond 5,000.
    samples_to
        `steps_to` times the batch; None where that is.

    """

    name: str
    method: Recursion
    eta_limit: float
    steps_to: int | None
    samples_to: int | None


@dataclass(frozen=True, repr=False)
class BatchAdvice(Promised):
    """What `tune` returns for a batch: an entry for each method, and the sizes that matter.

    Parameters
    ----------
    data
        Which arrays these were.
    measure
        Spectral measure of the start.
    target
        Share of the loss at the start, in (0, 1).
    batch
        Rows in a batch, from 1 to n.
    sizes
        The sizes that matter.
    methods
        One entry for each method.
    trust
        Whether the forecast of the best method holds at the width asked for.
    check
        A real run of the best method on such batches; None if there was none.
    searched
        What a search on the same batches found; None unless that run took a fifth longer than
        promised.

    """

    data: Provenance
    measure: Measure
    target: float
    batch: int
    sizes: BatchSizes
    methods: tuple[BatchMethod, ...]
    trust: Trust
    check: Check | None = None
    searched: ModelAdvice | None = None

    @property
    def replaced(self) -> TunedMethod | None:
        """What the search found, where it stays before the best method's run gets there.

        Where neither does, it is what came lower.
        """
        if self.check is None or self.searched is None:
            return None
        found, run = self.searched.best, self.check
        if found.measured_steps is None and run.measured is None:
            return found if run.diverged or _lowest(found) < run.lowest else None
        before = place(reached=run.measured)
        return found if place(reached=found.measured_steps) < before else None

    @property
    def setting(self) -> Recursion:
        """What to train with: the forecast's best method, or what real runs put in its place."""
        method = self.best.method if self.replaced is None else self.replaced.method
        assert isinstance(method, Recursion)  # noqa: S101 - as those with momentum are
        return method

    @property
    def best(self) -> BatchMethod:
        """The forecast's own choice, with the fewest steps of the expected loss to the target.

        What is recommended, once there are real runs, is `setting`.
        """
        return min(self.methods, key=_order)

    @property
    def entries(self) -> tuple[BatchMethod, ...]:
        """All that is tabulated: the methods, and the setting that real runs put in their place."""
        found = self.replaced
        if found is None:
            return self.methods
        _, beta, _ = found.method.constant
        limit = largest_step(found.name, beta, self.measure, self.batch)
        steps = forecast_batches(self.setting, self.measure, self.batch, _FAR).steps_to(self.target)
        return (*self.methods, _entry(found.name, self.setting, limit, steps, self.batch))

    def measured(self, entry: BatchMethod) -> int | None:
        """Return the first step at the target of the real run at an entry's setting, or None."""
        found = self.replaced
        if found is not None and entry.method == found.method:
            return first_step(found.losses, self.target)
        run = self.check
        return None if run is None or entry.method != run.method else run.measured

    @property
    def _kept(self) -> bool:
        return self.check is None or (self.replaced is None and self.check.kept)

    @property
    def _forecast_steps(self) -> int | None:
        return self.best.steps_to

    @property
    def _measured_steps(self) -> int | None:
        return self.measured(next(one for one in self.entries if one.method == self.setting))

    @property
    def share_of_limit(self) -> float:
        """Step size of `setting` over the step size from which the expected loss grows."""
        entry = next(entry for entry in self.entries if entry.method == self.setting)
        return entry.method.constant[0] / entry.eta_limit

    @property
    def growth(self) -> float | None:
        """Largest loss over the first in the run at `setting`; None if it diverged or is none."""
        if self.replaced is not None:
            return float(np.nanmax(self.replaced.losses) / self.replaced.losses[0])
        return None if self.check is None or self.check.diverged else self.check.growth

    @property
    def _use(self) -> str:
        """Which method at which setting, in how many steps and samples."""
        best, plain, found, run = self.best, self.methods[0], self.replaced, self.check
        name = best.name if found is None else found.name
        use = f"On batches of {self.batch:,} use {at(name, self.setting)}"
        share = f"{self.target:g} of the initial loss"
        if run is not None and self._missed:
            nearest = run.nearness
            if found is not None:
                when, steps = int(np.nanargmin(found.losses)), len(found.losses) - 1
                nearest = came_lowest(name, self.setting, _lowest(found), when, steps, self.target)
            elif run.diverged:
                nearest = "it diverged"
            more = ", or more trials" if self._tried == 1 else ""
            give = self.trust.instead(f"a larger target or batch{more}")
            return (
                f"No setting reached {share} on batches of {self.batch:,} on the network itself "
                f"(width {run.width:,}, seed {run.seed}; {self._tried} tried): {nearest}. "
                f"Give {give}."
            )
        if found is not None and self.searched is not None and run is not None:
            stays = found.measured_steps
            where = "is not seen to stay" if stays is None else f"stays from {stays:,}"
            if self.searched.draws:
                where += f" (on {self.searched.other_draws})"
            return (
                f"{use}: {self._cost(self.steps)} to {share}, where it {where}, measured on the "
                f"network itself (width {run.width:,}, seed {run.seed}){of_tried(self._tried)}."
            )
        if run is not None and not self._kept:
            return (
                f"{use}: {self._cost(self.steps)} to {share}, measured on the network itself "
                f"(width {run.width:,}, seed {run.seed}){of_tried(self._tried)}."
            )
        beside = f" ({label(plain.name)}: {_within(plain.steps_to)})"
        return (
            f"{use}: {self._cost(self.steps)} to {share}, forecast at infinite width"
            f"{'' if best.name == plain.name else beside}."
        )

    def _cost(self, steps: int | None) -> str:
        if steps is None:
            return _within(steps)
        return f"{of_steps(steps)}, {steps * self.batch:,} samples,"

    @property
    def _missed(self) -> bool:
        """Whether there were real runs, and none reached the target."""
        return self.check is not None and not self._kept and self.steps is None

    @property
    def _tried(self) -> int:
        return 1 + (0 if self.searched is None else len(self.searched.trials))

    @property
    def checked(self) -> str:
        """Promised and measured steps side by side, in a sentence."""
        return said(self.check, batches=True)

    @property
    def lines(self) -> str:
        """Lines to copy for optax, PyTorch and Keras, with the network and loss they are for."""
        return (
            "# for the papers' two-layer ReLU network and the loss "
            "(0.5 * ((f - y) ** 2)).mean() over the batch;\n"
            "# for a mean of squares without the 0.5 divide the step size by 2\n"
            + snippet(self.setting, loss="half_mean", rows=self.data.n)
        )

    @property
    def table(self) -> str:
        """Trust, recommendation, real run, useful sizes, lines to copy, and a column per method."""
        methods, share, n = self.entries, f"{100 * self.target:g} %", self.data.n
        rows = [
            ["", *(label(m.name) for m in methods)],
            ["rule", *self._rules],
            ["eta", *(f"{m.method.constant[0]:.5g}" for m in methods)],
            ["beta", *(below_one(m.method.constant[1], 5) for m in methods)],
            ["stability limit of eta", *(f"{m.eta_limit:.5g}" for m in methods)],
            [f"steps to {share}", *(count(m.steps_to) for m in methods)],
            [f"samples to {share}", *(count(m.samples_to) for m in methods)],
        ]
        if self.check is not None:
            rows.append(["steps, measured", *(count(self.measured(m)) for m in methods)])
        if self.replaced is not None:
            stays = ["-"] * len(self.methods) + [count(self.replaced.measured_steps)]
            rows.append(["measured, stays from", *stays])
        return "\n".join(
            [
                f"Trust: {self.trust.sentence}",
                self.recommendation,
                self.checked,
                of_sizes(self.sizes, n),
                "",
                self.lines,
                "",
                f"{self.data.name}: n = {n:,}, batches of {self.batch:,}; eta is for the sum",
                *columns(rows),
                "steps are those of all rows' expected loss, on fresh batches, at infinite width",
            ]
        )

    @property
    def _rules(self) -> list[str]:
        """What chose each entry."""
        return ["forecast"] * len(self.methods) + ["trials"] * (self.replaced is not None)

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row per method, and one for the setting that real runs put in their place.

        Its setting, limit, forecast `steps` and `samples`, and `measured_steps` of a real run, all
        to the first step at the target; `recommended` marks the advice.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "method": entry.name,
                    "rule": rule,
                    **dict(zip(("eta", "beta", "gamma"), entry.method.constant, strict=True)),
                    "eta_limit": entry.eta_limit,
                    "steps": entry.steps_to,
                    "samples": entry.samples_to,
                    "measured_steps": self.measured(entry),
                    "recommended": entry.method == self.setting,
                }
                for entry, rule in zip(self.entries, self._rules, strict=True)
            ]
        ).astype({"steps": "Int64", "samples": "Int64", "measured_steps": "Int64"})

    def plot(self) -> "Figure":
        """Draw the expected losses of all that is tabulated against samples, target and run."""
        known = [m.steps_to for m in self.methods if m.steps_to is not None]
        runs = [steps for m in self.entries if (steps := self.measured(m)) is not None]
        seen = max([*(known or [_MOST_DRAWN]), *runs])
        last = max(20, min(_MOST_DRAWN, int(1.3 * seen)))
        curves = []
        for m in self.entries:
            loss = forecast_batches(m.method, self.measure, self.batch, last).loss
            own = m in self.methods
            curves.append(Curve(m.name, loss, True) if own else advised(m.name, m.method, loss))
        figure = draw(curves, target=self.target, xlabel="samples", scale=self.batch)
        if runs:
            mark(figure, min(runs), self.target, ", measured", scale=self.batch)
        return figure


def _entry(
    name: str, method: Recursion, limit: float, steps: int | None, batch: int
) -> BatchMethod:
    return BatchMethod(name, method, limit, steps, None if steps is None else steps * batch)


def _within(steps: int | None) -> str:
    return f"more than {_FAR:,} steps" if steps is None else of_steps(steps)


def _lowest(found: TunedMethod) -> float:
    return float(np.nanmin(found.losses) / found.losses[0])


def _order(method: BatchMethod) -> tuple[float, ...]:
    return place(forecast=method.steps_to)


def _saved(root: float) -> str:
    """Say what momentum saves in the long run, from the root of the condition number.

    Of the rates (k - 1) / (k + 1) of gradient descent and, with the root in place of k, of heavy
    ball; see `inertial.method.rules`.
    """
    if root < 1 + _ROUNDING:
        return "saves nothing, for all eigenvalues are equal"
    plain, ball = ((k - 1) / (k + 1) for k in (root**2, root))
    return (
        f"saves {100 * (1 - math.log(plain) / math.log(ball)):.2g} % of the steps in the long run "
        f"at most, for the eigenvalues lie within a factor of {root**2:.2g}"
    )


_ROUNDING = 1e-6
"""Condition numbers that are nearer to 1 are 1."""


def of_sizes(sizes: BatchSizes, rows: int) -> str:
    """Say at which batches of so many rows noise limits the step, and momentum pays."""
    low, high = significant(sizes.noise_limits_below, 2), significant(sizes.momentum_pays_above, 2)
    noisy = (
        f"on batches below about {low} rows, with momentum also above"
        if float(low.replace(",", "")) > 1  # about 1 row is no batch
        else "on no batch"
    )
    if sizes.momentum_pays_above < sizes.noise_limits_below:
        useful = _saved(2 * sizes.momentum_pays_above / sizes.noise_limits_below)
    elif sizes.momentum_pays_above <= rows:
        useful = f"pays nearly in full from about {high} rows on"
    else:
        useful = "pays nearly in full on no batch short of all rows"
    return f"Noise limits the step more than curvature does {noisy}; constant momentum {useful}."


def tune_batch(
    data: Data,
    batch: int,
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    progress: Callable[[str, int, int], None] | None = None,
) -> BatchAdvice:
    """Tune the papers' methods for fresh batches of a size, judge the best one and train it once.

    Where that run takes a fifth longer than promised, settings are searched by real runs on the
    same batches, as for a model (`inertial.runs.tuning.tune_problem`), and the fastest of them is
    trained on four other draws of the batches.

    Parameters
    ----------
    data
        What `load` returned.
    batch
        Rows in a batch, up to all of them.
    target
        Share of the initial loss that the expected loss is to reach, in (0, 1).
    width
        Neurons of the network that is trained.
    trials
        Runs at most, 0 for the forecast alone; one is made if it promises at most 1,000 steps.
    progress
        Called with a label, runs so far and the most there can be whenever one has ended.

    Raises
    ------
    InvalidInput
        If the batch is not a whole number from 1 to the number of rows, another argument makes no
        sense, the kernel is singular, or too large to be decomposed.

    """
    check_batch(data, batch)
    fraction("target", target)
    whole("width", width)
    if whole("trials", trials, least=0):
        measurable(target, "float32", UNTRAINED)
    if need_of(data.x).route != "dense":
        raise InvalidInput(
            f"the noise of a batch needs every eigenvalue, and {len(data.x):,} rows have too many "
            "to compute; take fewer rows, with n."
        )
    spectrum, measure = spectrum_of(data)
    methods = []
    for name in METHODS:
        method, steps = fastest_for_batch(name, measure, batch, target=target)
        _, beta, _ = method.constant
        limit = largest_step(name, beta, measure, batch)
        methods.append(_entry(name, method, limit, steps, batch))
    best = min(methods, key=_order)
    starts = Starts(data, spectrum)
    found = proposed(
        best.method, measure, starts, width,
        target=target, rows=len(data.x), inputs=data.x.shape[1], batch=batch,
    )  # fmt: skip
    sizes = batch_sizes(measure)
    advice = BatchAdvice(data.provenance, measure, target, batch, sizes, tuple(methods), found)
    if not trials or best.steps_to is None or best.steps_to > LONGEST:
        return advice
    run = check(
        best.method, data, measure, spectrum,
        name=best.name, width=width, target=target, batch=batch,
    )  # fmt: skip
    if not run.late or trials == 1:
        return dataclasses.replace(advice, check=run)
    network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
    problem = problem_within(network, within, data.y, seed=run.seed)
    searched = tune_problem(
        problem, target=target, trials=trials - 1, passes=passes_for(problem), batch=batch,
        seed=run.seed, progress=progress,
    )  # fmt: skip
    return dataclasses.replace(advice, check=run, searched=searched)
