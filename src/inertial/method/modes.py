r"""A method on one eigenvalue of the kernel: roots, rate, stability, and any step in closed form.

On the linearised network the residual's coordinate on an eigenvalue l obeys

.. math:: \xi_{t+1} = T \xi_t - D \xi_{t-1}, \qquad
          T = 1 + \beta - (1 + \gamma) \eta l, \quad D = \beta - \gamma \eta l

(the companion matrix of Liu, Pan and Tao 2022, eqs. 22-23, mode by mode).  With the roots
:math:`z_\pm = (T \pm \sqrt{T^2 - 4D})/2` and :math:`U_t = (z_+^{t+1} - z_-^{t+1})/(z_+ - z_-)`,

.. math:: \xi_t = (U_t - q\,U_{t-1})\,\xi_0, \qquad q = \beta\ \text{(start zero) or}\ D\
          \text{(start copy)}.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from inertial._checks import InvalidInput
from inertial._types import Eigenvalues
from inertial.method.recursion import Recursion

Coefficient = float | Float[np.ndarray, "n"]
"""A number for all modes, or one for each."""

_NEAR_ONE = 0.5
"""Ratio of real roots above which their power is taken through log1p, to keep its digits."""


def companion(
    method: Recursion, eigenvalues: Eigenvalues
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Trace T and determinant D of each mode's 2 x 2 companion matrix ``[[T, -D], [1, 0]]``."""
    eta, beta, gamma = method.constant
    return _companion(eta * eigenvalues, beta, gamma)


def _companion(
    scaled: Float[np.ndarray, "n"], beta: Coefficient, gamma: Coefficient
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    return 1 + beta - (1 + gamma) * scaled, beta - gamma * scaled


def roots(method: Recursion, eigenvalues: Eigenvalues) -> Complex[np.ndarray, "2 n"]:
    """Both roots of ``z^2 - T z + D`` for every eigenvalue, of a method with constants.

    Parameters
    ----------
    method
        A method with constants.
    eigenvalues
        Eigenvalues of the kernel, shape (n,).

    Returns
    -------
    Complex[ndarray, "2 n"]
        The root with the larger real part first.

    """
    trace, _ = companion(method, eigenvalues)
    eta, beta, gamma = method.constant
    offset = np.sqrt(_discriminant(eta * eigenvalues, beta, gamma).astype(complex))
    return np.stack([trace + offset, trace - offset]) / 2


def spectral_radius(method: Recursion, eigenvalues: Eigenvalues) -> float:
    """Largest modulus of a root over all modes: the asymptotic factor per step.

    Parameters
    ----------
    method
        A method with constants.
    eigenvalues
        Eigenvalues of the kernel, shape (n,).

    """
    return float(np.abs(roots(method, eigenvalues)).max())


def stability_limit(method: Recursion) -> float:
    """Bound on ``eta * lambda_max`` below which every mode decays: ``2(1+beta)/(1+2 gamma)``.

    From ``|D| < 1`` and ``|T| < 1 + D`` at the largest eigenvalue; one formula for every
    ``0 <= beta < 1`` and ``gamma >= 0``.  Of a schedule it is the smallest over its entries.

    Parameters
    ----------
    method
        A method; its step size does not matter.

    """
    beta, gamma = np.asarray(method.beta), np.asarray(method.gamma)
    return float(np.min(2 * (1 + beta) / (1 + 2 * gamma)))


def amplification(
    method: Recursion, eigenvalues: Eigenvalues, steps: Int[np.ndarray, "T"]
) -> Float[np.ndarray, "T n"]:
    """Factor ``xi_t / xi_0`` of every mode at the given steps, each step directly.

    With varying momentum the coefficients change at every step and the recursion is run up to the
    largest of `steps`; with constant momentum the closed form of the module is used.

    Parameters
    ----------
    method
        The method.
    eigenvalues
        Eigenvalues of the kernel, shape (n,), in any order.
    steps
        Steps t >= 0, shape (T,), in any order.

    Returns
    -------
    Float[np.ndarray, "T n"]
        One row per step; infinite where an unstable mode overflows.

    Raises
    ------
    InvalidInput
        If a step lies before the start.

    """
    if len(steps) and np.min(steps) < 0:
        raise InvalidInput(
            f"steps holds {np.min(steps)}; the start is step 0, give steps from 0 on."
        )
    if method.steps is not None:
        return _by_recursion(method, eigenvalues, steps)
    eta, beta, gamma = method.constant
    if beta == 0:
        return _powers(eta * eigenvalues, steps)
    return closed_form(eta * eigenvalues, beta, gamma, steps, copy=method.start == "copy")


def closed_form(
    scaled: Float[np.ndarray, "n"],
    beta: Coefficient,
    gamma: Coefficient,
    steps: Int[np.ndarray, "T"],
    *,
    copy: bool = False,
) -> Float[np.ndarray, "T n"]:
    """Factor ``xi_t / xi_0`` at the given steps, for momentum that may differ from mode to mode.

    Parameters
    ----------
    scaled
        Step size times eigenvalue, shape (n,).
    beta, gamma
        Momentum and gradient correction: numbers, or one per mode.
    steps
        Steps t >= 0, shape (T,).
    copy
        Whether the start is `copy`, as in `Recursion`.

    """
    trace, determinant = _companion(scaled, beta, gamma)
    history = determinant if copy else np.broadcast_to(beta, trace.shape)
    factor = np.empty((len(steps), len(scaled)))
    t = steps[:, None].astype(float)
    discriminant = _discriminant(scaled, beta, gamma)
    complex_roots = discriminant < 0
    for modes, partial_sums in ((complex_roots, _sine_ratios), (~complex_roots, _geometric_sums)):
        if modes.any():
            # Roots of a negative trace are those of its absolute value with the sign changed.
            sign = np.where(trace[modes] < 0, -1.0, 1.0)
            scale, here, before = partial_sums(
                np.abs(trace[modes]), determinant[modes], discriminant[modes], t
            )
            with np.errstate(over="ignore"):
                grown = sign ** (t % 2) * scale ** np.maximum(t - 1, 0)
                factor[:, modes] = grown * (scale * here - sign * history[modes] * before)
    factor[steps == 0] = 1.0
    return factor


def _powers(
    scaled: Float[np.ndarray, "n"], steps: Int[np.ndarray, "T"]
) -> Float[np.ndarray, "T n"]:
    """``(1 - eta l)^t`` of gradient descent, by logarithms: ``1 - eta l`` would lose the digits."""
    sign = np.where(scaled > 1, -1.0, 1.0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        below, above = np.log1p(-np.minimum(scaled, 1)), np.log(np.maximum(scaled, 1) - 1)
        logarithm = np.where(scaled > 1, above, below)
        signs = np.where(steps[:, None] % 2 == 1, sign, 1.0)
        factor: Float[np.ndarray, "T n"] = signs * np.exp(steps[:, None] * logarithm)
    factor[steps == 0] = 1.0
    return factor


def _discriminant(
    scaled: Float[np.ndarray, "n"], beta: Coefficient, gamma: Coefficient
) -> Float[np.ndarray, "n"]:
    """``T^2 - 4 D``, which with ``s = (1 - beta) + (1 + gamma) eta l`` is ``s^2 - 4 eta l``.

    The second form keeps the digits where ``1 - beta`` and ``eta l`` are small, the first where T
    and D are: there the second would be rounding alone, of either sign, also where D is 0.
    """
    trace, determinant = _companion(scaled, beta, gamma)
    distance = (1 - beta) + (1 + gamma) * scaled
    return np.asarray(
        np.where(np.abs(trace) < 1, trace**2 - 4 * determinant, distance**2 - 4 * scaled)
    )


def _sine_ratios(
    trace: Float[np.ndarray, "k"],
    determinant: Float[np.ndarray, "k"],
    discriminant: Float[np.ndarray, "k"],
    t: Float[np.ndarray, "T 1"],
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "T k"], Float[np.ndarray, "T k"]]:
    """Modulus r of complex roots, and ``U_t / r^t`` and ``U_{t-1} / r^{t-1}``."""
    height = np.sqrt(-discriminant)
    angle, modulus = np.arctan2(height, trace), np.sqrt(determinant)
    sine = height / (2 * modulus)
    return modulus, np.sin((t + 1) * angle) / sine, np.sin(t * angle) / sine


def _geometric_sums(
    trace: Float[np.ndarray, "k"],
    determinant: Float[np.ndarray, "k"],
    discriminant: Float[np.ndarray, "k"],
    t: Float[np.ndarray, "T 1"],
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "T k"], Float[np.ndarray, "T k"]]:
    """Larger real root z, and ``U_t / z^t`` and ``U_{t-1} / z^{t-1}``: sums of a geometric series.

    The gap ``1 - z_-/z_+`` comes from the discriminant, so that near a double root, where the sum
    tends to t + 1, few digits are lost.
    """
    offset = np.sqrt(discriminant)
    larger = (trace + offset) / 2
    safe = np.where(larger > 0, larger, 1.0)
    gap = np.where(larger > 0, offset / safe, 1.0)
    ratio = np.where(larger > 0, determinant / safe**2, 0.0)
    close = ratio > _NEAR_ONE
    logarithm = np.log1p(-np.where(close, gap, 0.0))

    double = close & (gap == 0)
    divisor = np.where(double, 1.0, gap)

    after, before = (
        np.where(
            double,
            terms,
            np.where(close, -np.expm1(terms * logarithm), 1 - ratio**terms) / divisor,
        )
        for terms in (t + 1, t)
    )
    return larger, after, before


def only_falls(method: Recursion, eigenvalues: Eigenvalues) -> Bool[np.ndarray, "n"]:
    r"""Modes whose factor is positive and falls at every step, of a method with constants.

    Sufficient: both roots are real, :math:`0 \le z_- \le z_+ < 1`, and :math:`q \le z_+`.  Then
    :math:`\xi_t = (z_+^t (z_+ - q) - z_-^t (z_- - q)) / (z_+ - z_-) \ge 0` and, from
    :math:`v_{t+1} = D v_t - \eta l \xi_t` with :math:`v_t = \xi_t - \xi_{t-1}`, no step is upward.
    """
    eta, beta, gamma = method.constant
    trace, determinant = companion(method, eigenvalues)
    discriminant = _discriminant(eta * eigenvalues, beta, gamma)
    larger = (trace + np.sqrt(np.maximum(discriminant, 0.0))) / 2
    history = determinant if method.start == "copy" else beta
    real = (discriminant >= 0) & (determinant >= 0) & (trace >= 0)
    return np.asarray(real & (larger < 1) & (larger >= history))


def recursion(
    method: Recursion, eigenvalues: Eigenvalues, last: int
) -> Iterator[Float[np.ndarray, "n"]]:
    """Yield the factor of every mode at the steps ``0, ..., last``, by the recursion itself."""
    eta, beta, gamma = method.coefficients(0, last)
    residual = np.ones(len(eigenvalues))
    step, gradient = np.zeros_like(residual), np.zeros_like(residual)
    yield residual
    for t in range(last):
        previous, gradient = gradient, eta[t] * eigenvalues * residual
        step = beta[t] * step - gradient - gamma[t] * (gradient - previous)
        residual = residual + step
        yield residual


def _by_recursion(
    method: Recursion, eigenvalues: Eigenvalues, steps: Int[np.ndarray, "T"]
) -> Float[np.ndarray, "T n"]:
    """Run the recursion mode by mode and keep the rows asked for."""
    factor = np.empty((len(steps), len(eigenvalues)))
    with np.errstate(over="ignore", invalid="ignore"):
        for t, residual in enumerate(recursion(method, eigenvalues, int(steps.max()))):
            factor[steps == t] = residual
    return np.where(np.isnan(factor), np.inf, factor)
