r"""Gradient methods with momentum as one two-step recursion; a method is its coefficients.

.. math:: w_{t+1} = w_t + \beta_t (w_t - w_{t-1}) - \eta_t g_t
          - \gamma_t (\eta_t g_t - \eta_{t-1} g_{t-1})

with :math:`g_t` the gradient at :math:`w_t`.  Instances (Liu, Pan and Tao 2022, eqs. 2, 3, 6):

- gradient descent: beta = gamma = 0,
- heavy ball: gamma = 0,
- Nesterov: gamma = beta, constant or ``t / (t + d)`` (Bu, Xu and Chen 2021, eq. 4.1),
- quasi-hyperbolic and triple momentum: gamma apart from beta,
- Chebyshev's method: eta and beta that change from step to step.

Start.  ``w_{-1} = w_0`` always.  `zero` sets ``g_{-1} = 0``: the first Nesterov step is
``(1 + beta) eta g_0``, as in optax, PyTorch, Keras and Algorithm 1 of Liu, Pan and Tao.  `copy`
sets ``g_{-1} = g_0``: the first step is ``eta g_0``, as in their residual equations.

Sequence.  Nesterov's method has two: the extrapolated one, where the gradient is taken, and the
other, ``v_{t+1} = w_t - eta g_t``.  The recursion is exact for the extrapolated one on any loss
with start `zero`; the other one obeys it only for affine gradients and with start `copy`.  Here w
is always the sequence where the gradient is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, one_of, positive, unit_interval, whole

Start = Literal["zero", "copy"]
Sequence = Literal["iterate", "extrapolated"]
Coefficient = float | tuple[float, ...]

REMEDY = "give a Recursion, such as heavy_ball(eta, beta) or advice.setting"
"""What to pass where a method is asked for."""

_SHOWN = 3
"""Entries of a schedule that are shown."""


class Coefficients(NamedTuple):
    """Coefficients at consecutive steps, with ``g_{-1} = 0``.

    Parameters
    ----------
    eta, beta, gamma
        Step size, momentum and correction of each step, shape (count,).

    """

    eta: Float[np.ndarray, "count"]
    beta: Float[np.ndarray, "count"]
    gamma: Float[np.ndarray, "count"]


@dataclass(frozen=True, repr=False)
class Recursion:
    """Coefficients of the two-step recursion: constants, or schedules with one entry per step.

    Parameters
    ----------
    eta
        Step size, > 0, for the loss that is differentiated.
    beta
        Momentum: a constant in [0, 1), or a schedule of numbers of at least 0.
    gamma
        Weight of the gradient correction, at least 0, and 0 where there is no momentum.
    start
        What stands for the gradient before the first, see the module.

    Raises
    ------
    InvalidInput
        If a coefficient is outside its range, or schedules differ in length.

    """

    eta: Coefficient
    beta: Coefficient = 0.0
    gamma: Coefficient = 0.0
    start: Start = "zero"

    def __post_init__(self) -> None:
        one_of("start", self.start, get_args(Start))
        for name in ("eta", "beta", "gamma"):
            object.__setattr__(self, name, _coefficient(name, getattr(self, name)))
        if self._plain:
            return
        if isinstance(self.beta, float):
            unit_interval("beta", self.beta)
        lengths = {len(part) for part in self._schedules}
        if len(lengths) > 1:
            raise InvalidInput(
                f"the schedules have {' and '.join(map(str, sorted(lengths)))} entries; give all "
                "of them one length."
            )
        eta, beta, gamma = np.broadcast_arrays(self.eta, self.beta, self.gamma)
        for name, values, low in (
            ("eta", eta, eta > 0),
            ("beta", beta, beta >= 0),
            ("gamma", gamma, gamma >= 0),
        ):
            wrong = np.atleast_1d(values)[~np.atleast_1d(low & np.isfinite(values))]
            if wrong.size:
                bound = "greater than 0" if name == "eta" else "of at least 0"
                raise InvalidInput(f"{name} is {wrong[0]}; give a finite number {bound}.")
        alone = np.atleast_1d((beta == 0) & (gamma > 0))
        if alone[1 if alone.size > 1 else 0 :].any():
            raise InvalidInput(
                f"gamma is {np.atleast_1d(gamma)[np.flatnonzero(alone)[-1]]} where beta is 0; a "
                "correction needs momentum, give a gamma of 0 there."
            )

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={_shown(getattr(self, name))}" for name in Coefficients._fields)
        return f"Recursion({parts}, start={self.start!r})"

    @property
    def _plain(self) -> bool:
        """Whether all are constants within their ranges; a search makes thousands of these."""
        if self._schedules:
            return False
        eta, beta, gamma = self.constant
        return 0 < eta < inf and 0 <= beta < 1 and 0 <= gamma < inf and (beta > 0 or gamma == 0)

    @property
    def _schedules(self) -> list[tuple[float, ...]]:
        return [v for v in (self.eta, self.beta, self.gamma) if isinstance(v, tuple)]

    @property
    def steps(self) -> int | None:
        """Number of updates that a schedule has entries for; None if all are constants."""
        return len(self._schedules[0]) if self._schedules else None

    @property
    def name(self) -> str:
        """What the literature calls a method with these coefficients.

        `gradient_descent`, `heavy_ball`, `nesterov` (start `zero`), `nesterov_copy`,
        `nesterov_varying` (constant step), `momentum` for other constants, `schedule` for others.
        """
        eta, beta, gamma = (np.asarray(v) for v in (self.eta, self.beta, self.gamma))
        if self.steps is not None:
            varying = eta.ndim == 0 and self.start == "zero" and np.array_equal(beta, gamma)
            return "nesterov_varying" if varying else "schedule"
        if gamma == 0:
            return "heavy_ball" if beta > 0 else "gradient_descent"
        if gamma == beta:
            return "nesterov" if self.start == "zero" else "nesterov_copy"
        return "momentum"

    @property
    def sequence(self) -> Sequence:
        """Name of the sequence that w is; without gradient correction there is only one."""
        return "extrapolated" if np.any(np.asarray(self.gamma) > 0) else "iterate"

    @property
    def constant(self) -> tuple[float, float, float]:
        """``(eta, beta, gamma)`` of a method whose coefficients are constants.

        Raises
        ------
        InvalidInput
            If one of them is a schedule.

        """
        eta, beta, gamma = self.eta, self.beta, self.gamma
        if isinstance(eta, tuple) or isinstance(beta, tuple) or isinstance(gamma, tuple):
            raise InvalidInput(
                "the coefficients change from step to step, and this needs constants; give a "
                "method with constant eta, beta and gamma."
            )
        return eta, beta, gamma

    def coefficients(self, first: int, count: int) -> Coefficients:
        """``eta_t``, ``beta_t`` and ``gamma_t`` for ``t = first, ..., first + count - 1``.

        They belong to the recursion with ``g_{-1} = 0``; start `copy` is ``gamma_0 = 0``.

        Raises
        ------
        InvalidInput
            If a schedule is shorter than that.

        """
        if self.steps is not None and first + count > self.steps:
            raise InvalidInput(
                f"the schedule has {self.steps} entries and the run takes {first + count} steps; "
                "give a longer schedule or take fewer steps."
            )
        eta, beta, gamma = (
            np.array(value[first : first + count])
            if isinstance(value, tuple)
            else np.full(count, value)
            for value in (self.eta, self.beta, self.gamma)
        )
        if self.start == "copy" and first == 0:
            gamma[:1] = 0.0
        return Coefficients(eta, beta, gamma)


def gradient_descent(eta: float) -> Recursion:
    """Gradient descent: ``w_{t+1} = w_t - eta g_t``.

    Parameters
    ----------
    eta
        Step size, > 0; it belongs to the loss that is differentiated.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    return Recursion(eta)


def heavy_ball(eta: float, beta: float) -> Recursion:
    """Heavy ball (Polyak 1964): momentum without gradient correction.

    The same iterates as the buffer form ``M_t = beta M_{t-1} + g_t, w_{t+1} = w_t - eta M_t`` of
    Wang and Abernethy (2020, Algorithm 1), of optax and of PyTorch.

    Parameters
    ----------
    eta
        Step size, > 0; it belongs to the loss that is differentiated.
    beta
        Momentum, in [0, 1).

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    return Recursion(eta, beta)


def nesterov(eta: float, beta: float, *, start: Start = "zero") -> Recursion:
    """Nesterov's method with constant momentum (Liu, Pan and Tao 2022, Algorithm 1).

    Parameters
    ----------
    eta
        Step size, > 0; it belongs to the loss that is differentiated.
    beta
        Momentum, in [0, 1).
    start
        `zero` for momentum 0 before the first step, `copy` for a first gradient that counts as
        unchanged; see `Recursion`.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    return Recursion(eta, beta, beta, start)


def nesterov_varying(eta: float, friction: float = 3.0, *, steps: int = 10_000) -> Recursion:
    """Nesterov's method with ``beta_t = t / (t + d)``, d = `friction` (Bu, Xu and Chen 2021).

    The first step has no momentum.

    Parameters
    ----------
    eta
        Step size, > 0; it belongs to the loss that is differentiated.
    friction
        d, > 0.
    steps
        Updates that the schedule is made for, at least 1.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    t = np.arange(whole("steps", steps))
    beta = tuple((t / (t + positive("friction", friction))).tolist())
    return Recursion(eta, beta, beta)


def averaged(eta: float, beta: float) -> Recursion:
    r"""Heavy ball on an exponential average of gradients, ``m' = beta m + (1 - beta) g``.

    The convention of Adam's first moment, of ``optax.ema`` and of PyTorch's `dampening` = `beta`
    (from its second step on): heavy ball with step :math:`(1-\beta)\eta`.

    Parameters
    ----------
    eta
        Step size, > 0; it belongs to the loss that is differentiated.
    beta
        Momentum, in [0, 1).

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    return heavy_ball((1 - unit_interval("beta", beta)) * positive("eta", eta), beta)


def quasi_hyperbolic(eta: float, beta: float, nu: float = 0.7) -> Recursion:
    r"""Quasi-hyperbolic momentum (Ma and Yarats 2019, arXiv 1810.06801, eqs. 3 and 4).

    With ``m' = beta m + (1 - beta) g``, it is ``w' = w - eta ((1 - nu) g + nu m')``.  Eliminating
    m gives the recursion with step :math:`(1-\beta)\eta` and
    :math:`\gamma = \beta(1-\nu)/(1-\beta)`.

    Parameters
    ----------
    eta
        Step size, > 0; it belongs to the loss that is differentiated.
    beta
        Momentum, in [0, 1).
    nu
        Share of the momentum in the step, in [0, 1]; 1 is `averaged`.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    if not 0 <= nu <= 1:
        raise InvalidInput(f"nu is {nu}; give a number from 0 to 1.")
    rest = 1 - unit_interval("beta", beta)
    return Recursion(rest * positive("eta", eta), beta, beta * (1 - nu) / rest)


def triple_momentum(smallest: float, largest: float) -> Recursion:
    r"""Triple momentum (Van Scoy, Freeman and Lynch 2018, Table I) for curvatures in [mu, L].

    With :math:`\rho = 1 - \sqrt{\mu/L}`: :math:`\eta = (1+\rho)/L`, :math:`\beta =
    \rho^2/(2-\rho)`, :math:`\gamma = \rho^2/((1+\rho)(2-\rho))`; w is the sequence where the
    gradient is taken, which obeys the recursion exactly.

    Parameters
    ----------
    smallest, largest
        Ends mu and L of the curvatures, 0 < mu <= L.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    _check_ends(smallest, largest)
    rho = 1 - np.sqrt(smallest / largest)
    beta, gamma = rho**2 / (2 - rho), rho**2 / ((1 + rho) * (2 - rho))
    return Recursion(float((1 + rho) / largest), float(beta), float(gamma))


def _check_ends(smallest: float, largest: float) -> None:
    """Refuse ends of the curvatures that are not 0 < mu <= L.

    Raises
    ------
    InvalidInput
        If they are not.

    """
    if positive("smallest", smallest) > positive("largest", largest):
        raise InvalidInput(f"smallest is {smallest} and largest {largest}; give the smaller first.")


def chebyshev(smallest: float, largest: float, *, steps: int) -> Recursion:
    r"""Chebyshev's semi-iterative method for curvatures in [mu, L] (Golub and Varga 1961).

    With :math:`a = (L + \mu)/2`, :math:`b_1^2 = (L-\mu)^2/8` and :math:`b_t^2 = (L-\mu)^2/16`:
    :math:`\eta_t = 1/(a - b_t^2 \eta_{t-1})` and :math:`\beta_t = b_t^2 \eta_t \eta_{t-1}`, with
    :math:`\eta_{-1} = 0`.

    Parameters
    ----------
    smallest, largest
        Ends mu and L of the curvatures, 0 < mu <= L.
    steps
        Updates that the schedule is made for, at least 1.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    _check_ends(smallest, largest)
    squares = np.full(whole("steps", steps), (largest - smallest) ** 2 / 16)
    squares[1:2] *= 2
    return from_jacobi(np.full(steps, (largest + smallest) / 2), squares)


def from_jacobi(
    diagonal: Float[np.ndarray, "steps"], squares: Float[np.ndarray, "steps"]
) -> Recursion:
    r"""Return the method whose residual polynomials have these recurrence coefficients.

    :math:`\eta_t = 1/(a_t - b_t^2 \eta_{t-1})`, :math:`\beta_t = b_t^2 \eta_t \eta_{t-1}` with
    :math:`\eta_{-1} = 0` for the three-term recurrence with diagonal a and squared off-diagonal
    :math:`b^2` (:math:`b_0` is not used) of polynomials orthogonal for ``l dmu(l)`` (Pedregosa and
    Scieur 2020, arXiv 2002.04756).
    """
    eta, beta, before = np.empty(len(diagonal)), np.zeros(len(diagonal)), 0.0
    for t, (a, square) in enumerate(zip(diagonal, squares, strict=True)):
        eta[t] = 1 / (a - square * before)
        beta[t] = square * eta[t] * before
        before = eta[t]
    return Recursion(tuple(eta.tolist()), tuple(beta.tolist()))


FAMILIES: dict[str, Callable[[float, float], Recursion]] = {
    "gradient_descent": lambda eta, _beta: gradient_descent(eta),
    "heavy_ball": heavy_ball,
    "nesterov": nesterov,
    "quasi_hyperbolic": quasi_hyperbolic,
}
"""Methods with a step size and a momentum that a rule can choose; the names users give."""

METHODS = ("gradient_descent", "heavy_ball", "nesterov")
"""The methods of the papers, which commands run unless others are named."""


_WRITTEN = {
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "amsgrad": "AMSGrad",
    "radam": "RAdam",
    "adabelief": "AdaBelief",
    "adamax": "AdaMax",
    "yogi": "Yogi",
    "rmsprop": "RMSprop",
    "adagrad": "AdaGrad",
    "lion": "Lion",
    "lamb": "LAMB",
    "optimal": "optimal schedule",
    "chebyshev": "Chebyshev's schedule",
}
"""How optimisers of optax and schedules are written."""


def label(name: str) -> str:
    """Return the name of a method, flow or optimiser as it is written in sentences."""
    if name in _WRITTEN:
        return _WRITTEN[name]
    return name.replace("_", " ").replace("nesterov", "Nesterov").replace("newton", "Newton")


def _coefficient(name: str, value: object) -> Coefficient:
    """Turn a number into a float, and anything with a length into a tuple of floats."""
    if type(value) is float:
        return value
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"{name} is {str(value)[:40]!r}; give a number, or one number per step."
        ) from None
    if array.ndim == 0:
        return float(array)
    if array.ndim > 1 or not array.size:
        raise InvalidInput(
            f"{name} has shape {array.shape}; give a number, or one number per step."
        )
    return tuple(array.tolist())


def _shown(value: Coefficient) -> str:
    if isinstance(value, float):
        return repr(value)
    head = ", ".join(f"{entry:.6g}" for entry in value[:_SHOWN])
    return f"({head}{', ...' if len(value) > _SHOWN else ','})"
