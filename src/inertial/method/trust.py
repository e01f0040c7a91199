r"""How far a network will move, known before training, and whether its forecast can be believed.

The forecast takes the tangent kernel at the start for the kernel along the run.  That is as good as
the weights stay where they are, and how far they go follows from the measure:

.. math:: w_t - w_0 = -J^T q_t(H)\,\xi_0, \qquad |w_t - w_0|^2 = \int \lambda\,q_t^2\,d\mu, \qquad
          p_t = 1 - \lambda q_t

where q_t runs the method's own recursion, so that nothing is divided by small eigenvalues:

.. math:: q_{t+1} = q_t + \beta_t (q_t - q_{t-1}) + \eta_t p_t
          + \gamma_t (\eta_t p_t - \eta_{t-1} p_{t-1}), \qquad q_0 = q_{-1} = 0.

The movement :math:`\rho_t = |w_t - w_0| / \sqrt m` is the root mean square over the m neurons of
how far each one goes.  A kernel that is off by a share of :math:`\rho` shifts the phase of every
mode a little at each step, so what counts is the strain

.. math:: \rho_t \cdot \min\Bigl(t, \frac{2\sqrt t}{1 - \beta}\Bigr).

A mode remembers :math:`1/(1 - \beta)` steps, and what is older has no phase left to shift: gradient
descent's t counts as :math:`2\sqrt t`, the steps of the momentum method in its place.  The two meet
at :math:`t = 4/(1 - \beta)^2`, which no momentum method that is tuned was seen to pass.

A schedule's polynomial can be steeper than that of constants: Chebyshev's is, up to t^2.  So its
strain is :math:`\rho_t \max(t, S_t)`, with S what a relative error of the eigenvalues makes of the
residual, as a share of it:

.. math:: S_t = \Bigl(\frac{\int (\lambda\,p_t'(\lambda))^2\,d\mu}{\int p_t^2\,d\mu}\Bigr)^{1/2}.

On 738 trained networks (docs/trust.md) step counts were within 20 %, or a step, in 518 of 527 with
a strain below 2.5, in 124 of 186 up to 8, and in 4 of 25 from 8 to 10; of schedules in 220 of 222,
132 of 154, and 57 of 91 from 8 to 16.  Movement alone does not separate them: 0.16 was too much for
188 steps, and 2.1 was not for 2.

Rows in a plane, as those of a table of one column with its constant, lie on a half circle, where
less is too much: step counts were within 20 %, or a step, in 215 of 218 with a strain below 0.7,
in 10 of 21 up to 1, and in 8 of 97 beyond.  On smooth functions of two columns it was 200 of 206
below 1.5, and 21 of 38 up to 2.5.
"""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float

from inertial._checks import significant, whole
from inertial.linear.measure import Measure
from inertial.method.batch import distance_on_batches, forecast_batches, noise_share
from inertial.method.curve import steps_to
from inertial.method.modes import amplification
from inertial.method.recursion import Recursion

Verdict = Literal["holds", "departs", "does not hold here"]

HOLDS = 2.5
"""Strain below which forecast step counts came true within 20 % in 49 of 50 runs."""

DEPARTS = 8.0
"""Strain from which one of six did, and from 10 on hardly any."""

IN_A_PLANE, OF_FEW = 0.7, 1.5
"""Strains below which they did for two inputs, and for 3 to `FEW`, a constant one among them."""

FEW = 5
"""Inputs, a constant one among them, that are few."""

Kind = Literal["constants", "schedule", "batches"]

KEPT: dict[Kind, tuple[int, int]] = {
    "constants": (124, 186),
    "schedule": (132, 154),
    "batches": (99, 119),
}
"""Forecasts between the two that came true, of how many: what *departs* means of each kind."""

_IN_WORDS = {3: "three", 6: "six", 7: "seven"}

DIGITS = (2, 1)
"""Digits of a movement that are known: where the forecast on all rows holds, and elsewhere.

Below a strain of `HOLDS` it was within 5 % of the measured one in 49 of 50 networks, beyond in two
of three, and on batches, which have their luck, in three of four (docs/trust.md).
"""

APART = 0.15
"""A forecast holds within this share of the measured steps, or within a step."""

CLOSE = 0.2
"""Share of the promised steps within which a measured count keeps the promise."""

STEPS = 1_000
"""Steps that the movement is looked at over, where the target is not forecast to be reached."""

WIDEST = 1_000_000
"""Width up to which one is proposed: there the activations of 1,000 rows take 4 GB."""

_NUDGE = 1e-5
"""Relative step of the difference that is a derivative by the eigenvalue's logarithm."""

_FARTHEST = 1e15
"""Widths needed are not told apart beyond this."""

_EXPECTED = 1.5
"""Mean square of the residual at the start, for unit inputs and standardised targets."""

STANDARDISED = "inputs and targets of mean 0 and variance 1"
"""What to give where the targets' scale is in the way."""

LARGE = 2 * _EXPECTED
"""Mean square residual at the start above which the targets' scale is to blame."""

_SCALE = "standardise the targets"


@dataclass(frozen=True)
class Trust:
    """Whether a forecast describes the real network, before it is trained.

    Parameters
    ----------
    movement
        The largest `movement` on the way to the target, at `width`, >= 0.
    movement_digits
        Digits of it that are known, 2 or 1: `DIGITS`.
    strain
        `movement` times the number of steps t, or ``2 sqrt(t) / (1 - beta)`` if less; of a
        schedule times `sensitivity`, if more than t; >= 0.
    width
        Neurons m of the network that was asked about.
    span
        How far it was looked at: `to 1 %` of the initial loss, or, where the target is not
        forecast to be reached, `over 1,000 steps`.
    width_needed
        Neurons from which the forecast holds; said only up to `WIDEST`.
    verdict
        `holds`, `departs` or `does not hold here`, by the strain.
    remedy
        A sentence; empty where the forecast holds already.
    kind
        What was counted to say how often such a forecast departs: `constants` or a `schedule` on
        all rows, or `batches`.
    limits
        Strains from which the verdict is `departs`, and `does not hold here`.

    """

    movement: float
    movement_digits: int
    strain: float
    width: int
    span: str
    width_needed: int
    verdict: Verdict
    remedy: str
    kind: Kind = "constants"
    limits: tuple[float, float] = (HOLDS, DEPARTS)

    @property
    def sentence(self) -> str:
        """What is said of it: verdict, movement and strain, and the remedy if one is needed."""
        if not np.isfinite(self.strain):
            return (
                f"the forecast {self.verdict}: the forecast loss grows; take a step size below the "
                "stability limit, or go by a real run."
            )
        often = f" in {self._how_often} such runs" if self.verdict == "departs" else ""
        strain = significant(self.strain, 2)
        if float(f"{self.strain:.2g}") in self.limits:  # on which side of the limit it lies
            strain = significant(self.strain, 4)
        digits = self.movement_digits
        about = "about " if digits == 1 else ""
        said = (
            f"the forecast {self.span} {self.verdict}{often} (width {self.width:,}: movement "
            f"{about}{significant(self.movement, digits)}, strain {strain})."
        )
        if self.verdict == "holds":
            return said
        if self.width_needed > WIDEST:
            return f"{said[:-1]}; {self.remedy}"
        return (
            f"{said} It would hold from a width of {rounded_up(self.width_needed):,}; {self.remedy}"
        )

    def needing(self, width: int) -> "Trust":
        """Return the same with another width from which the forecast holds."""
        scaled = self.remedy.startswith(_SCALE)
        return replace(
            self, width_needed=width, remedy=self.remedy if scaled else _ask_again(width, self.kind)
        )

    @property
    def _how_often(self) -> str:
        """Of how many runs of a kind, where the verdict was *departs*, one did."""
        kept, every = KEPT[self.kind]
        several = round(every / (every - kept))
        return f"one of {_IN_WORDS.get(several, several)}"

    def instead(self, more: str) -> str:
        """Say what to give where no run got to the target: `more`, but first targets in scale."""
        if self.remedy.startswith(_SCALE):
            return f"{STANDARDISED}, with --standardize (standardize=True)"
        return more


def distance(method: Recursion, measure: Measure, steps: int) -> Float[np.ndarray, "T"]:
    """Predict ``|w_t - w_0|`` of all trained weights at steps 0 to `steps`.

    Parameters
    ----------
    method
        The method.
    measure
        Spectral measure of the problem.
    steps
        Last step, at least 1.

    """
    eta, beta, gamma = method.coefficients(0, whole("steps", steps))
    nodes = measure.nodes
    here, step = np.zeros_like(nodes), np.zeros_like(nodes)
    drive, squares = np.zeros_like(nodes), np.zeros(steps + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            before, drive = drive, eta[t] * (1 - nodes * here)
            step = beta[t] * step + drive + gamma[t] * (drive - before)
            here = here + step
            squares[t + 1] = (nodes * here**2) @ measure.weights
    return np.sqrt(np.where(np.isnan(squares), np.inf, squares))


def movement(method: Recursion, measure: Measure, width: int, steps: int) -> Float[np.ndarray, "T"]:
    """Predict the root mean square of ``|w_r(t) - w_r(0)|`` over the neurons r of one hidden layer.

    Parameters
    ----------
    method
        The method, with constants or a schedule of at least `steps` entries.
    measure
        Spectral measure at the start.
    width
        Neurons m, at least 1.
    steps
        Last step, at least 1.

    Returns
    -------
    Float[ndarray, "T"]
        One number per step, from 0 to `steps`.

    """
    return np.asarray(distance(method, measure, steps) / np.sqrt(whole("width", width)))


def trust(
    method: Recursion,
    measure: Measure,
    width: int,
    *,
    target: float = 0.01,
    rows: int | None = None,
    inputs: int | None = None,
    batch: int | None = None,
) -> Trust:
    """Judge before training whether the forecast of `method` will describe a network.

    Parameters
    ----------
    method
        The method that is forecast.
    measure
        Spectral measure of the problem, in the papers' scaling: outputs divided by ``sqrt(width)``.
    width
        Neurons m of the hidden layer.
    target
        Share of the initial loss that the run goes to.
    rows
        Number of samples, if not one for each node.
    inputs
        Number of inputs, a constant one among them: of few the limits are lower.
    batch
        Rows of fresh batches, on which steps are those of the expected loss, and the movement is
        the root of its mean square; all rows if absent.

    """
    limit = _limit(method)
    if batch is not None and not noise_share(batch, len(measure.nodes)):
        batch = None
    if batch is None:
        reached = steps_to(method, measure, target, limit=limit)
        steps = limit if reached is None else max(1, reached)
        far = distance(method, measure, steps)
        with np.errstate(over="ignore"):
            left = amplification(method, measure.nodes, np.array([steps]))[0] ** 2
        grows = not left @ measure.weights <= measure.total
    else:
        forecast = forecast_batches(method, measure, batch, limit)
        reached = forecast.steps_to(target)
        steps = limit if reached is None else max(1, reached)
        far = distance_on_batches(method, measure, batch, steps)
        grows = not forecast.loss[-1] <= forecast.loss[0]
    span = f"over {steps:,} steps" if reached is None else f"to {100 * target:g} %"
    largest = float(far.max() / whole("width", width) ** 0.5)
    strain = np.inf if reached is None and grows else largest * _counted(method, measure, steps)
    limits = limits_of(inputs)
    needed = int(np.ceil(min(width * (strain / limits[0]) ** 2, _FARTHEST)))
    verdict: Verdict = (
        "holds" if strain < limits[0] else "departs" if strain < limits[1] else "does not hold here"
    )
    residual = measure.total / (rows or len(measure.nodes))
    kind: Kind = "constants" if method.steps is None else "schedule"
    if batch is not None:
        kind = "batches"
    remedy = "" if verdict == "holds" else _remedy(residual, needed, kind)
    digits = DIGITS[verdict != "holds" or batch is not None]
    return Trust(largest, digits, strain, width, span, needed, verdict, remedy, kind, limits)


def limits_of(inputs: int | None) -> tuple[float, float]:
    """Return the strains from which the verdict is `departs`, and `does not hold here`."""
    if inputs is None or inputs > FEW:
        return HOLDS, DEPARTS
    return (IN_A_PLANE, IN_A_PLANE) if inputs <= 2 else (OF_FEW, DEPARTS)


def sensitivity(method: Recursion, measure: Measure, steps: int) -> float:
    r"""Relative change of the residual for one of all eigenvalues: S_t of the module, at `steps`.

    Parameters
    ----------
    method
        The method, with constants or a schedule of at least `steps` entries.
    measure
        Spectral measure of the problem.
    steps
        Step t, at least 0.

    Returns
    -------
    float
        A number >= 0, infinite where the residual overflows; 0 where nothing is left of it.

    """
    with np.errstate(over="ignore", invalid="ignore"):
        low, here, high = (
            amplification(method, scale * measure.nodes, np.array([steps]))[0]
            for scale in (1 - _NUDGE, 1, 1 + _NUDGE)
        )
        slope, left = (
            float(value**2 @ measure.weights) for value in ((high - low) / (2 * _NUDGE), here)
        )
    if not np.isfinite(slope + left):
        return np.inf
    return (slope / left) ** 0.5 if left else 0.0


def _counted(method: Recursion, measure: Measure, steps: int) -> float:
    """Return the steps that a movement is multiplied by."""
    if method.steps is not None:
        return max(float(steps), sensitivity(method, measure, steps))
    _, beta, _ = method.constant
    return steps / max(1.0, (1 - beta) * sqrt(steps) / 2)


def agree(forecast: float, measured: float) -> bool:
    """Whether a forecast step count is within 15 % of the measured one, or within one step."""
    return abs(forecast - measured) <= max(APART * measured, 1)


def _limit(method: Recursion) -> int:
    return STEPS if method.steps is None else min(STEPS, method.steps)


def _remedy(residual: float, needed: int, kind: Kind) -> str:
    if residual > LARGE:
        return (
            f"{_SCALE}: the mean square residual at the start is "
            f"{significant(residual)}, and about {_EXPECTED:g} with standardised targets."
        )
    return _ask_again(needed, kind)


def _ask_again(width: int, kind: Kind) -> str:
    if width <= WIDEST:
        return (
            f"ask again with --width {rounded_up(width)} to train one so wide, or go by a real run."
        )
    if kind == "schedule":
        return "go by a real run, or take constants, by the rule forecast."
    return "go by a real run, and lower the step size where it does not settle."


def rounded_up(value: float) -> int:
    """Return the least number of two digits that is not below a number of at least 1."""
    unit = 10 ** max(0, int(np.floor(np.log10(value))) - 1)
    return int(np.ceil(value / unit) * unit)
