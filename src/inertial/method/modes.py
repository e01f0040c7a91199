r"""A method on one eigenvalue of the kernel: roots, rate, stability, and any step in closed form.

On the linearised network the residual's coordinate on an eigenvalue l obeys

.. math:: \xi_{t+1} = T \xi_t - D \xi_{t-1}, \qquad
          T = 1 + \beta - (1 + \gamma) \eta l, \quad D = \beta - \gamma \eta l

(the companion matrix of Liu, Pan and Tao 2022, eqs. 22-23, mode by mode).  With the roots
:math:`z_\pm = (T \pm \sqrt{T^2 - 4D})/2` and :math:`U_t = (z_+^{t+1} - z_-^{t+1})/(z_+ - z_-)`,

.. math:: \xi_t = (U_t - q\,U_{t-1})\,\xi_0, \qquad q = \beta\ \text{(start zero) or}\ D\
          \text{(start copy)}.
"""

import numpy as np
from jaxtyping import Complex, Float, Int

from inertial._types import Eigenvalues
from inertial.method.recursion import Recursion

_NEAR_ONE = 0.5
"""Ratio of real roots above which their power is taken through log1p, to keep its digits."""


def companion(
    method: Recursion, eigenvalues: Eigenvalues
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Trace T and determinant D of each mode's 2 x 2 companion matrix ``[[T, -D], [1, 0]]``."""
    eta, beta, gamma = method.constant
    scaled = eta * eigenvalues
    return 1 + beta - (1 + gamma) * scaled, beta - gamma * scaled


def roots(method: Recursion, eigenvalues: Eigenvalues) -> Complex[np.ndarray, "2 n"]:
    """Both roots of ``z^2 - T z + D`` for every eigenvalue, of a method with constants."""
    trace, _ = companion(method, eigenvalues)
    offset = np.sqrt(_discriminant(method, eigenvalues).astype(complex))
    return np.stack([trace + offset, trace - offset]) / 2


def spectral_radius(method: Recursion, eigenvalues: Eigenvalues) -> float:
    """Largest modulus of a root over all modes: the asymptotic factor per step."""
    return float(np.abs(roots(method, eigenvalues)).max())


def stability_limit(method: Recursion) -> float:
    """Bound on ``eta * lambda_max`` below which every mode decays: ``2(1+beta)/(1+2 gamma)``.

    From ``|D| < 1`` and ``|T| < 1 + D`` at the largest eigenvalue; one formula for every
    ``0 <= beta < 1`` and ``gamma >= 0``.  Of a schedule it is the smallest over its entries.
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
        One row a step; infinite where an unstable mode overflows.

    """
    if method.steps is not None:
        return _by_recursion(method, eigenvalues, steps)
    eta, beta, _ = method.constant
    if beta == 0:
        return _powers(eta * eigenvalues, steps)
    trace, determinant = companion(method, eigenvalues)
    history = determinant if method.start == "copy" else np.full_like(trace, beta)
    factor = np.empty((len(steps), len(eigenvalues)))
    t = steps[:, None].astype(float)
    discriminant = _discriminant(method, eigenvalues)
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


def _discriminant(method: Recursion, eigenvalues: Eigenvalues) -> Float[np.ndarray, "n"]:
    """``T^2 - 4 D``, which with ``s = (1 - beta) + (1 + gamma) eta l`` is ``s^2 - 4 eta l``.

    The second form keeps the digits where ``1 - beta`` and ``eta l`` are small, the first where T
    and D are: there the second would be rounding alone, of either sign, also where D is 0.
    """
    trace, determinant = companion(method, eigenvalues)
    eta, beta, gamma = method.constant
    scaled = eta * eigenvalues
    distance = (1 - beta) + (1 + gamma) * scaled
    return np.where(np.abs(trace) < 1, trace**2 - 4 * determinant, distance**2 - 4 * scaled)


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

    def partial_sum(terms: Float[np.ndarray, "T 1"]) -> Float[np.ndarray, "T k"]:
        missing = np.where(close, -np.expm1(terms * logarithm), 1 - ratio**terms)
        return np.where(double, terms, missing / divisor)

    return larger, partial_sum(t + 1), partial_sum(t)


def _by_recursion(
    method: Recursion, eigenvalues: Eigenvalues, steps: Int[np.ndarray, "T"]
) -> Float[np.ndarray, "T n"]:
    """Run the recursion mode by mode and keep the rows asked for."""
    last = int(steps.max())
    eta, beta, gamma = method.coefficients(0, last)
    wanted = {int(t): np.flatnonzero(steps == t) for t in steps}
    factor = np.empty((len(steps), len(eigenvalues)))
    residual = np.ones(len(eigenvalues))
    step, gradient = np.zeros_like(residual), np.zeros_like(residual)
    with np.errstate(over="ignore", invalid="ignore"):
        factor[wanted.get(0, [])] = residual
        for t in range(last):
            previous, gradient = gradient, eta[t] * eigenvalues * residual
            step = beta[t] * step - gradient - gamma[t] * (gradient - previous)
            residual = residual + step
            factor[wanted.get(t + 1, [])] = residual
    return np.where(np.isnan(factor), np.inf, factor)
