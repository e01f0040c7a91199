r"""Lyapunov functions of the flows: value, exact derivative, and the rate they are claimed to have.

For a constant kernel H, residual D with velocity E, :math:`\hat L = \tfrac{1}{2} D \cdot H D` and
:math:`\mu` at most the smallest eigenvalue, each function V is claimed to obey

.. math:: \dot V \le -\rho V,

so that :math:`V(t) \le e^{-\rho t} V(0)`.  All four are sums over the modes of a quadratic form in
(D, E); so are their derivatives, written here as the sources print them, after using the equation
of the flow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, positive, whole
from inertial._types import Eigenvalues
from inertial.method.flow import (
    Flow,
    heavy_ball_flow,
    high_resolution_heavy_ball,
    high_resolution_nesterov,
    nesterov_flow,
)
from inertial.simulate.integrate import solve

HEAVY_BALL_RATE = 2 - float(np.sqrt(2))
"""The factor of sqrt(mu) in the rate of `high_resolution_heavy_ball_energy`."""

_ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Relative error of value and derivative: a sum over modes of a few products each."""

_Times: TypeAlias = Float[np.ndarray, "T 1"]
_Modes: TypeAlias = Float[np.ndarray, "T n"]

_Form: TypeAlias = Callable[[_Times, Eigenvalues, _Modes, _Modes], _Modes]
"""From time, eigenvalues, D and E to one summand a mode."""


@dataclass(frozen=True)
class Lyapunov:
    """A Lyapunov function: the flow it belongs to, its forms, and its claimed rate.

    Parameters
    ----------
    name
        What it is called.
    source
        Author, year and equation.
    flow
        The flow along which `derivative` is exact.
    value, derivative
        Each mode's share of V and of its derivative along the flow, from ``(t, l, D, E)``.
    rate
        The claim is ``V' <= -rate V``.

    """

    name: str
    source: str
    flow: Flow
    value: _Form
    derivative: _Form
    rate: float


@dataclass(frozen=True)
class Descent:
    """A Lyapunov function along a path, one entry a time.

    Parameters
    ----------
    times
        Times, shape (T,).
    value
        V.
    derivative
        Its derivative along a flow; along iterates its difference quotient over the next step.
    bound
        What the derivative must not exceed.

    """

    times: Float[np.ndarray, "T"]
    value: Float[np.ndarray, "T"]
    derivative: Float[np.ndarray, "T"]
    bound: Float[np.ndarray, "T"]

    @property
    def first_violation(self) -> float | None:
        """The first time at which the derivative exceeds its bound by more than rounding."""
        slack = _ROUNDING * (np.abs(self.derivative) + np.abs(self.bound))
        violated = np.flatnonzero(self.derivative > self.bound + slack)
        return float(self.times[violated[0]]) if violated.size else None


def along_flow(
    function: Lyapunov,
    eigenvalues: Eigenvalues,
    start: Float[np.ndarray, "n"],
    times: Float[np.ndarray, "T"],
) -> Descent:
    """Follow a Lyapunov function along its flow from rest.

    Parameters
    ----------
    function
        The function with its flow.
    eigenvalues
        Eigenvalues of the constant kernel, shape (n,).
    start
        Modal coordinates of the residual at the start, shape (n,).
    times
        Times t >= 0, shape (T,); t > 0 for an `exponent` between 2 and 3.

    """
    path = solve(function.flow, eigenvalues, times)
    where = (times[:, None], eigenvalues, start * path.amplitude, start * path.velocity)
    value = function.value(*where).sum(axis=1)
    derivative = function.derivative(*where).sum(axis=1)
    return Descent(times, value, derivative, -function.rate * value)


def along_iterates(
    function: Lyapunov,
    eigenvalues: Eigenvalues,
    modes: Float[np.ndarray, "T n"],
    eta: float,
) -> Descent:
    r"""Follow a Lyapunov function along consecutive iterates of a method.

    With ``t = k sqrt(eta)``, :math:`E_k = (\xi_k - \xi_{k-1})/\sqrt\eta` and
    :math:`\xi_{-1} = \xi_0`.  In place of the derivative stands
    :math:`(V_{k+1} - V_k)/\sqrt\eta`, and of the bound the inequality integrated over one step,
    :math:`-(1 - e^{-\rho\sqrt\eta})\,V_k/\sqrt\eta`.

    Parameters
    ----------
    function
        The function; its flow is the limit of the method.
    eigenvalues
        Eigenvalues of the constant kernel, shape (n,).
    modes
        Modal coordinates of the residual at steps 0, 1, ..., shape (T, n), T > 1.
    eta
        The method's step size.

    Returns
    -------
    Descent
        One entry a step, T - 1 in all.

    """
    whole("the number of iterates", len(modes), least=2)
    step = float(np.sqrt(positive("eta", eta)))
    times = np.arange(len(modes)) * step
    velocity = np.diff(modes, axis=0, prepend=modes[:1]) / step
    value = function.value(times[:, None], eigenvalues, modes, velocity).sum(axis=1)
    bound = np.expm1(-function.rate * step) / step * value[:-1]
    return Descent(times[:-1], value[:-1], np.diff(value) / step, bound)


def nesterov_rate(alpha: float) -> float:
    r"""Factor of sqrt(mu) in the rate of `high_resolution_nesterov_energy`.

    .. math:: \rho_N(\alpha) = \tfrac{1}{2}\bigl(4 + 3\alpha - \sqrt{8 + 16\alpha + 9\alpha^2}\bigr)
              = \max_{\varphi > 0} \min\Bigl\{\frac{2}{3 + 2\varphi},
                \frac{4(1 + \alpha)}{2 + 1/\varphi}, \frac{4}{1 + \varphi}\Bigr\}

    (Liu, Tao, Wang and Pan 2022, eq. 25), with ``alpha = sqrt(mu s)/2`` in [0, 1/2].
    """
    if not 0 <= alpha <= 0.5:
        raise InvalidInput(
            f"alpha is {alpha}; give a number between 0 and 1/2 (s <= 2/lambda_max)."
        )
    return float(4 + 3 * alpha - np.sqrt(8 + 16 * alpha + 9 * alpha**2)) / 2


def high_resolution_heavy_ball_energy(mu: float, s: float) -> Lyapunov:
    r"""Liu, Tao, Wang and Pan (2022), eq. 15, with rate :math:`(2 - \sqrt2)\sqrt\mu` (eq. 17).

    .. math:: V = (1 + \sqrt{\mu s}) \hat L + \tfrac{1}{4} |E|^2 + \tfrac{1}{4} |E + 2\sqrt\mu D|^2
    """
    flow, root = high_resolution_heavy_ball(mu, s), float(np.sqrt(mu))
    return Lyapunov(
        "high_resolution_heavy_ball_energy",
        "Liu, Tao, Wang and Pan (2022), eqs. 15 and 17",
        flow,
        lambda _, l, D, E: flow.force / 2 * l * D**2 + (E**2 + (E + 2 * root * D) ** 2) / 4,
        lambda _, l, D, E: -root * (E**2 + flow.force * l * D**2),
        HEAVY_BALL_RATE * root,
    )


def high_resolution_nesterov_energy(mu: float, s: float) -> Lyapunov:
    r"""Liu, Tao, Wang and Pan (2022), eq. 24, with rate :math:`\rho_N \sqrt\mu` if s lmax <= 2.

    .. math:: V = (1 + \sqrt{\mu s}) \hat L + \tfrac{1}{4} |E|^2
                  + \tfrac{1}{4} |E + 2\sqrt\mu D + \sqrt s H D|^2
    """
    flow, root = high_resolution_nesterov(mu, s), float(np.sqrt(mu))
    b = flow.hessian_friction
    return Lyapunov(
        "high_resolution_nesterov_energy",
        "Liu, Tao, Wang and Pan (2022), eqs. 24 and 25",
        flow,
        lambda _, l, D, E: (
            flow.force / 2 * l * D**2 + (E**2 + (E + (2 * root + b * l) * D) ** 2) / 4
        ),
        lambda _, l, D, E: -(root + b / 2 * l) * (E**2 + flow.force * l * D**2),
        nesterov_rate(root * b / 2) * root,
    )


def heavy_ball_energy(mu: float) -> Lyapunov:
    r"""Bu, Xu and Chen (2021), eq. A.6, with rate :math:`\sqrt\mu`: attained from rest at l = mu.

    .. math:: V = \hat L + \tfrac{1}{2} |\sqrt\mu D + E|^2
    """
    flow, root = heavy_ball_flow(mu), float(np.sqrt(mu))
    return Lyapunov(
        "heavy_ball_energy",
        "Bu, Xu and Chen (2021), eq. A.6",
        flow,
        lambda _, l, D, E: (l * D**2 + (root * D + E) ** 2) / 2,
        lambda _, l, D, E: -root * (l * D**2 + root * E * D + E**2),
        root,
    )


def nesterov_energy(d: float = 3.0, exponent: float = 2.0) -> Lyapunov:
    r"""Bu, Xu and Chen (2021), eq. B.1, claimed not to grow: true for exponent 2 and d >= 2 only.

    .. math:: V = t^A \hat L + \frac{k^2 t^{A-2}}{8} \Bigl|D + \frac{2t}{k} E\Bigr|^2,
              \qquad k = 2 d - A

    with A = `exponent`, at least 2 and below 2 d.
    """
    flow, k = nesterov_flow(d), 2 * d - exponent
    if not 2 <= exponent < 2 * d:
        raise InvalidInput(f"exponent is {exponent}; give a number of at least 2 and below 2 d.")

    def value(t: _Times, l: Eigenvalues, D: _Modes, E: _Modes) -> _Modes:
        form: _Modes = t ** (exponent - 2) * (t**2 / 2 * l * D**2 + (k * D + 2 * t * E) ** 2 / 8)
        return form

    def derivative(t: _Times, l: Eigenvalues, D: _Modes, E: _Modes) -> _Modes:
        change: _Modes = (exponent - d) * t ** (exponent - 1) * l * D**2
        if exponent > 2:  # at 2 these terms vanish, also at t = 0
            change += (exponent - 2) * k / 8 * t ** (exponent - 3) * (k * D + 2 * t * E) * D
        return change

    source = "Bu, Xu and Chen (2021), eq. B.1"
    return Lyapunov("nesterov_energy", source, flow, value, derivative, 0.0)
