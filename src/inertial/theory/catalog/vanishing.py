"""Bu, Xu and Chen (2021) and their slides: Nesterov's flow with friction d/t, on a constant kernel.

Its modes are Bessel functions; a constant that the paper leaves open is found from them.
"""

import numpy as np
from scipy.integrate import quad
from scipy.special import gammaln, jv

from inertial.theory.catalog.quantities import (
    POSITIVE_DEFINITE,
    lambda_0,
    times,
    vanishing_flow,
    worst_loss,
)
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Theorem

_VANISHING = 9.0
"""The d of the d/t flow that is looked at; the statements ask for d > 6."""

_POWER = 6.0
"""The exponent A = 2d/3, the largest that they admit."""

_LATE = np.array([50.0, 100.0, 200.0, 400.0])
"""Late times, in units of ``1/sqrt(l)``."""


def _bessel_peak(d: float, power: float) -> float:
    """Return the largest ``tau^A x(tau)^2`` of the d/t flow with l = 1, through Bessel's J."""
    tau = np.linspace(1e-3, 400.0, 400_001)
    order = (d - 1) / 2
    logarithm = gammaln(order + 1) + order * np.log(2 / tau)
    return float(np.max(tau**power * (np.exp(logarithm) * jv(order, tau)) ** 2))


def _vanishing_loss(e: Evidence) -> Series:
    return worst_loss(e, vanishing_flow(_VANISHING), against_pseudo_loss=False)[1:]


def _vanishing_bound(e: Evidence) -> Series:
    unit = lambda_0(e) / 2 * times(e)[1:] ** 2
    return _bessel_peak(_VANISHING, _POWER) * unit ** (-_POWER / 2)


def _prefactor_slope(e: Evidence) -> float:
    """Return by which power of l the largest ``t^A L(t)`` over the pseudo-loss at 0 changes."""
    modes = lambda_0(e) * np.array([1.0, 4.0])
    time = times(e) / np.sqrt(modes / lambda_0(e))[:, None]
    peaks = []
    for mode, t in zip(modes, time, strict=True):
        value = e.solver(vanishing_flow(_VANISHING), np.array([mode]), t).amplitude[:, 0]
        peaks.append((t**_POWER * value**2).max() / mode)
    return float(-np.log(peaks[1] / peaks[0]) / np.log(4))


def _late_displacement(e: Evidence) -> Series:
    """Return ``|c(t)|`` of the slowest mode at late times, over its limit ``1/l``."""
    low = np.array([lambda_0(e)])
    value = e.solver(vanishing_flow(_VANISHING), low, _LATE / np.sqrt(low[0])).amplitude
    return np.asarray(np.abs(1 - value[:, 0]))


def _late_deviation(e: Evidence) -> Series:
    low = np.array([lambda_0(e)])
    value = e.solver(vanishing_flow(_VANISHING), low, _LATE / np.sqrt(low[0])).amplitude
    return np.asarray(np.abs(value[:, 0]))


def _proof_integral(_: Evidence) -> Series:
    """Return the proof's ``int_epsilon^1 t^{1-A/2} dt`` for smaller and smaller epsilon."""
    ends = np.array([1e-2, 1e-3, 1e-4])
    return np.array([quad(lambda t: t ** (1 - _POWER / 2), end, 1.0)[0] for end in ends])


THEOREMS = (
    Theorem(
        key="vanishing-loss-constant",
        source="Bu, Xu and Chen (2021), Theorem 3, eq. (4.4)",
        statement="The d/t flow has L(t) <= A(alpha, d) t^(-2d/3) Lhat(0).",
        covers=("001 Thm3/L8",),
        open="the constant A(alpha, d) is left open",
    ),
    Theorem(
        key="vanishing-loss-slides",
        source="Bu (2021), Nesterov theorem",
        statement="The d/t flow has L(t) <= A(alpha, d, lambda_0) t^(-alpha) L(0).",
        covers=("004 NAG",),
        open="the constants of the bound and of the width are left open",
    ),
    Theorem(
        key="vanishing-loss",
        source="Bu, Xu and Chen (2021), Lemma 8 (constant derived)",
        statement=(
            "The d/t flow, d = 9, has L(t) <= K (lambda_0 t^2/2)^(-3) L(0), K from Bessel's J."
        ),
        covers=("001 Thm3/L8",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_vanishing_loss,
        right=_vanishing_bound,
        at=lambda e: times(e)[1:],
        axis="time",
        tolerance=1e-6,
    ),
    Theorem(
        key="vanishing-prefactor-printed",
        source="Bu, Xu and Chen (2021), Lemma 8",
        statement="The d/t flow's bound against Lhat(0) grows like lambda_0^(-alpha/2), alpha = 6.",
        covers=("E-001-6",),
        form="printed",
        erratum="E-001-6",
        assumptions=(POSITIVE_DEFINITE,),
        left=_prefactor_slope,
        right=lambda _: _POWER / 2,
        relation="equal",
        tolerance=1e-6,
        false="scaling time forces the other exponent",
    ),
    Theorem(
        key="vanishing-prefactor-corrected",
        source="Bu, Xu and Chen (2021), Lemma 8",
        statement=(
            "The d/t flow's bound against Lhat(0) grows like lambda_0^(-1-alpha/2), alpha = 6."
        ),
        covers=("E-001-6",),
        form="corrected",
        erratum="E-001-6",
        assumptions=(POSITIVE_DEFINITE,),
        left=_prefactor_slope,
        right=lambda _: 1 + _POWER / 2,
        relation="equal",
        tolerance=1e-6,
    ),
    Theorem(
        key="vanishing-distance-printed",
        source="Bu, Xu and Chen (2021), Lemma 8, proof",
        statement=(
            "Along the d/t flow the distance from the start falls like t^(-alpha), alpha = 6."
        ),
        covers=("E-001-7",),
        form="printed",
        erratum="E-001-7",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _late_displacement(e) / _late_displacement(e)[0],
        right=lambda _: 2 * (_LATE / _LATE[0]) ** -_POWER,
        at=lambda _: _LATE,
        axis="time sqrt(lambda_0)",
        false="the weights end at an interpolating solution, not at their start",
    ),
    Theorem(
        key="vanishing-distance-corrected",
        source="Bu, Xu and Chen (2021), Lemma 8, proof",
        statement=(
            "Along the d/t flow the distance from the final weights falls like t^(-alpha/2), "
            "alpha = 6."
        ),
        covers=("E-001-7",),
        form="corrected",
        erratum="E-001-7",
        assumptions=(POSITIVE_DEFINITE,),
        left=_late_deviation,
        right=lambda _: np.sqrt(_bessel_peak(_VANISHING, _POWER)) * _LATE ** (-_POWER / 2),
        at=lambda _: _LATE,
        axis="time sqrt(lambda_0)",
    ),
    Theorem(
        key="vanishing-proof-integral",
        source="Bu, Xu and Chen (2021), Lemma 8, proof",
        statement="The proof's integral of t^(1-alpha/2) from epsilon, alpha = 6, stays bounded.",
        covers=("001 Thm3/L8",),
        left=_proof_integral,
        right=lambda e: 2 * _proof_integral(e)[0],
        false="the integral diverges for alpha > 4",
    ),
)
