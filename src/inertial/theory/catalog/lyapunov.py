r"""Lyapunov functions of Liu, Tao, Wang and Pan (2022) and Bu, Xu and Chen (2021), mode by mode.

On a mode of a constant kernel, V is a quadratic form :math:`z^T M z` in
:math:`z = (\Delta, \dot\Delta)` and the flow is :math:`\dot z = A z`, so
:math:`\dot V = z^T (MA + A^T M) z`.  That :math:`\dot V \le -\rho V` for every state is a statement
on 2 x 2 matrices: the smallest generalised eigenvalue of :math:`-(MA + A^T M)` against M is at
least :math:`\rho`.
"""

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh

from inertial.method.flow import Flow
from inertial.theory.catalog.decay_rates import nesterov_rate
from inertial.theory.catalog.quantities import (
    POSITIVE_DEFINITE,
    admissible,
    fine_heavy_ball,
    fine_nesterov,
    fine_step,
    friction_flow,
    lambda_0,
    times,
    upper,
    vanishing_flow,
)
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Theorem

Forms = Float[np.ndarray, "k 2 2"]

_D = 6.0
"""The d of the d/t flow that is looked at."""


def _square(on_value: Series, on_velocity: Series) -> Forms:
    """Form of ``(a D + b E)^2``."""
    vector = np.stack(np.broadcast_arrays(on_value, on_velocity), axis=1)
    return np.asarray(vector[:, :, None] * vector[:, None, :])


def _fine_form(e: Evidence, modes: Series, *, nesterov: bool) -> Forms:
    """``(1+c) l D^2/2 + E^2/4 + (E + sqrt(2 lambda_0) D [+ sqrt(s) l D])^2/4``."""
    s, one, zero = fine_step(e), np.ones_like(modes), np.zeros_like(modes)
    c = np.sqrt(lambda_0(e) * s / 2)
    mixed = np.sqrt(2 * lambda_0(e)) + (np.sqrt(s) * modes if nesterov else zero)
    potential = _square(np.sqrt((1 + c) * modes / 2), zero)
    return potential + _square(zero, one) / 4 + _square(mixed, one) / 4


def _friction_form(e: Evidence, modes: Series) -> Forms:
    """``l D^2/2 + (sqrt(mu) D + E)^2/2``."""
    one, zero = np.ones_like(modes), np.zeros_like(modes)
    mixed = np.full_like(modes, np.sqrt(lambda_0(e) / 2))
    return _square(np.sqrt(modes / 2), zero) + _square(mixed, one) / 2


def _derivative(form: Forms, flow: Flow, modes: Series) -> Forms:
    """Form of the derivative along a flow with constant coefficients."""
    zero, one = np.zeros_like(modes), np.ones_like(modes)
    friction = flow.friction + flow.hessian_friction * modes
    step = np.stack(
        [np.stack([zero, one], 1), np.stack([-flow.force * modes, -friction], 1)], axis=1
    )
    return np.asarray(form @ step + np.swapaxes(form @ step, 1, 2))


def _decay(form: Forms, flow: Flow, modes: Series) -> Series:
    """Return the largest rate with ``V' <= -rate V`` on each mode."""
    slope = -_derivative(form, flow, modes)
    return np.array([eigh(a, b, eigvals_only=True)[0] for a, b in zip(slope, form, strict=True)])


def _modes(e: Evidence) -> Series:
    return admissible(e, lambda_0(e) / 2)


def _fine_modes(e: Evidence) -> Series:
    return admissible(e, lambda_0(e) / 2, upper(e))


def _fine_decay(e: Evidence, *, nesterov: bool) -> Series:
    flow = (fine_nesterov if nesterov else fine_heavy_ball)(e, fine_step(e))
    modes = _fine_modes(e)
    return _decay(_fine_form(e, modes, nesterov=nesterov), flow, modes)


def _nesterov_claim(e: Evidence) -> float:
    alpha = float(np.sqrt(2 * lambda_0(e) * fine_step(e)) / 4)
    return float(nesterov_rate(alpha) * np.sqrt(lambda_0(e) / 2))


def _stated_derivative(e: Evidence) -> Series:
    """Size of the derivative as it is stated for Nesterov, on a fixed set of states."""
    modes, s = _fine_modes(e), fine_step(e)
    low, c = lambda_0(e), np.sqrt(lambda_0(e) * s / 2)
    value, speed = _states(modes)
    return np.asarray(
        np.sqrt(low / 2) * speed**2
        + np.sqrt(s) / 2 * modes * speed**2
        + (1 + c) * np.sqrt(2 * low) * modes * value**2 / 2
        + np.sqrt(s) / 2 * (1 + c) * (modes * value) ** 2
    )


def _exact_derivative(e: Evidence) -> Series:
    modes = _fine_modes(e)
    form = _derivative(_fine_form(e, modes, nesterov=True), fine_nesterov(e, fine_step(e)), modes)
    state = np.stack(_states(modes), axis=1)
    return np.asarray(-np.einsum("ki,kij,kj->k", state, form, state))


def _states(modes: Series) -> tuple[Series, Series]:
    """One state per mode, with value and velocity of both signs."""
    angle = np.linspace(0.1, 3.0, len(modes))
    return np.cos(angle), np.sqrt(modes) * np.sin(angle)


def _vanishing_energy(e: Evidence, power: float) -> Float[np.ndarray, "T k"]:
    """``t^A Lhat + k^2 t^{A-2}/8 (D + 2t/k E)^2`` of every mode along the d/t flow, k = 2d - A."""
    modes, time = _modes(e), times(e)[1:, None]
    solution = e.solver(vanishing_flow(_D), modes, time[:, 0])
    value, speed = solution.amplitude, solution.velocity
    k = 2 * _D - power
    mixed = value + 2 * time / k * speed
    return np.asarray(
        time**power * modes * value**2 / 2 + k**2 * time ** (power - 2) / 8 * mixed**2
    )


def _next_energy(e: Evidence, power: float) -> Series:
    """Largest ratio of the energy at a time to that at the time before, over the modes."""
    energy = _vanishing_energy(e, power)
    return np.asarray((energy[1:] / energy[:-1]).max(axis=1))


THEOREMS = (
    Theorem(
        key="lyapunov-fine-heavy-ball",
        source="Liu, Tao, Wang and Pan (2022), eqs. (15) and (17)",
        statement=(
            "V' <= -(2 - sqrt(2)) sqrt(lambda_0/2) V for every state of high-resolution heavy ball "
            "(at s = 2/lambda_m, the largest that it is stated for)."
        ),
        covers=("000 (15), HB",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: (2 - np.sqrt(2)) * float(np.sqrt(lambda_0(e) / 2)),
        right=lambda e: _fine_decay(e, nesterov=False),
        at=_fine_modes,
        axis="eigenvalue",
    ),
    Theorem(
        key="lyapunov-fine-nesterov",
        source="Liu, Tao, Wang and Pan (2022), eqs. (24) to (26)",
        statement=(
            "V' <= -rho(a) sqrt(lambda_0/2) V for every state of high-resolution Nesterov "
            "(at s = 2/lambda_m, the largest that it is stated for)."
        ),
        covers=("000 (24), NAG",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_nesterov_claim,
        right=lambda e: _fine_decay(e, nesterov=True),
        at=_fine_modes,
        axis="eigenvalue",
    ),
    Theorem(
        key="lyapunov-fine-nesterov-derivative",
        source="Liu, Tao, Wang and Pan (2022), eq. (24), proof",
        statement=(
            "The derivative of V along high-resolution Nesterov has the stated four terms "
            "(at s = 2/lambda_m)."
        ),
        covers=("000 (24), NAG",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_stated_derivative,
        right=_exact_derivative,
        relation="equal",
        at=_fine_modes,
        axis="eigenvalue",
    ),
    Theorem(
        key="lyapunov-friction",
        source="Bu, Xu and Chen (2021), eq. (A.6)",
        statement="V' <= -sqrt(lambda_0/2) V for every state of heavy ball with friction.",
        covers=("001 (A.6), HBF",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: float(np.sqrt(lambda_0(e) / 2)),
        right=lambda e: _decay(_friction_form(e, _modes(e)), friction_flow(e), _modes(e)),
        at=_modes,
        axis="eigenvalue",
    ),
    Theorem(
        key="lyapunov-vanishing",
        source="Bu, Xu and Chen (2021), eq. (B.1)",
        statement="With exponent 2 the d/t flow's V never rises (d = 6, ratio from time to time).",
        covers=("001 (B.1), d/t",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _next_energy(e, 2.0),
        right=lambda _: 1.0,
        at=lambda e: times(e)[2:],
        axis="time",
        tolerance=1e-8,
    ),
    Theorem(
        key="lyapunov-vanishing-higher",
        source="Bu, Xu and Chen (2021), eq. (B.1)",
        statement=(
            "With exponent 2d/3 = 4 the d/t flow's V never rises (d = 6, ratio from time to time)."
        ),
        covers=("001 (B.1), d/t",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _next_energy(e, 4.0),
        right=lambda _: 1.0,
        at=lambda e: times(e)[2:],
        axis="time",
        tolerance=1e-8,
        false="above the exponent 2 this V rises at first",
    ),
)
