r"""Liu, Tao, Wang and Pan (2022): decay coefficients and constants of the high-resolution flows.

:math:`c = \sqrt{\lambda_0 s/2}` and :math:`\alpha = \sqrt{2\lambda_0 s}/4 = c/2`.  The decay
coefficients are maxima of minima; they are found here by brute force, not from their closed forms.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from inertial.theory.catalog.quantities import (
    POSITIVE_DEFINITE,
    admissible,
    fine_step,
    lambda_0,
)
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Theorem

_ALPHAS = np.linspace(0.0, 0.5, 26)[1:]
"""Values of alpha in (0, 1/2]."""

_SMALL_C = np.linspace(0.0, 1 / np.sqrt(2), 15)

_ALL_C = np.linspace(0.0, 1.0, 21)
"""Values of c up to 1/sqrt(2), and up to 1, which is all that s <= 2/lambda_m says."""

_BRUTE_FORCE = 1e-6
"""Relative accuracy of a maximum at a kink."""

_HEAVY_BALL_RATE = 2 - np.sqrt(2)


@cache
def nesterov_rate(alpha: float) -> float:
    """Return ``max_phi min{2/(3+2 phi), 4(1+alpha)/(2+1/phi), 4/(1+phi)}`` by brute force."""

    def lowest(logarithm: float) -> float:
        phi = np.exp(logarithm)
        return float(min(2 / (3 + 2 * phi), 4 * (1 + alpha) / (2 + 1 / phi), 4 / (1 + phi)))

    return _highest(lowest)


@cache
def heavy_ball_rate() -> float:
    """Return ``max_{phi, z} min{2z, 4/(2+1/phi), (1-z)/(1+phi)}`` by brute force."""

    def lowest(logarithm: float) -> float:
        phi = np.exp(logarithm)
        z = brentq(lambda z: 2 * z - (1 - z) / (1 + phi), 0.0, 1.0)
        return float(min(2 * z, 4 / (2 + 1 / phi)))

    return _highest(lowest)


def _highest(lowest: Callable[[float], float]) -> float:
    """Maximum of a unimodal function of log phi: a scan, then refined around the best point."""
    scan = np.linspace(-8.0, 8.0, 801)
    best = scan[np.argmax([lowest(point) for point in scan])]
    found = minimize_scalar(
        lambda point: -lowest(point),
        bounds=(best - 0.02, best + 0.02),
        method="bounded",
        options={"xatol": 1e-13},
    )
    return float(-found.fun)


def _closed_form(square: float) -> Series:
    """Return ``(4 + 3a - sqrt(8 + 16a + square a^2))/2`` over the alphas."""
    a = _ALPHAS
    return (4 + 3 * a - np.sqrt(8 + 16 * a + square * a**2)) / 2


def _rates(_: Evidence) -> Series:
    return np.array([nesterov_rate(a) for a in _ALPHAS])


def _speed_constant(c: Series) -> Series:
    """Return the constant that eq. (21) needs, in units of ``sqrt(Lhat n/(lambda_0^2 m))``."""
    return np.asarray((1 + c) * np.sqrt(12) / (np.sqrt(2) - _HEAVY_BALL_RATE / (2 * np.sqrt(2))))


def _root_rate(alpha: float) -> float:
    """Return the decay of sqrt(L) in units of sqrt(lambda_0)."""
    return float(nesterov_rate(alpha) / (2 * np.sqrt(2)))


def _exponent(friction: Series, stiffness: Series) -> Series:
    """Return the decay of the slower solution of ``x'' + p x' + q x = 0``."""
    half = friction / 2
    return np.asarray(half - np.sqrt(np.maximum(half**2 - stiffness, 0.0)))


def _exponents(e: Evidence, *, nesterov: bool, above: bool) -> Series:
    """Return the decays of a flow's modes from lambda_0/2 on, or from just above it."""
    low = lambda_0(e) / 2
    modes = admissible(e, low * (1.01 if above else 1.0))
    s = fine_step(e)
    friction = 2 * np.sqrt(low) + (np.sqrt(s) * modes if nesterov else 0 * modes)
    return _exponent(friction, (1 + np.sqrt(low * s)) * modes)


THEOREMS = (
    Theorem(
        key="nesterov-rate-printed",
        source="Liu, Tao, Wang and Pan (2022), Theorem 3.2",
        statement="The max-min coefficient is (4 + 3a - sqrt(8 + 16a + a^2))/2.",
        covers=("E-000-3",),
        form="printed",
        erratum="E-000-3",
        left=lambda _: _closed_form(1.0),
        right=_rates,
        relation="equal",
        tolerance=_BRUTE_FORCE,
        at=lambda _: _ALPHAS,
        axis="alpha",
        false="the maximum does not depend on the run",
    ),
    Theorem(
        key="nesterov-rate-corrected",
        source="Liu, Tao, Wang and Pan (2022), Theorem 3.2",
        statement="The max-min coefficient is (4 + 3a - sqrt(8 + 16a + 9a^2))/2.",
        covers=("E-000-3",),
        form="corrected",
        erratum="E-000-3",
        left=lambda _: _closed_form(9.0),
        right=_rates,
        relation="equal",
        tolerance=_BRUTE_FORCE,
        at=lambda _: _ALPHAS,
        axis="alpha",
    ),
    Theorem(
        key="heavy-ball-rate",
        source="Liu, Tao, Wang and Pan (2022), eq. (16)",
        statement="The max-min coefficient of heavy ball is 2 - sqrt(2).",
        covers=("000 Thm3.1/L3.1",),
        left=lambda _: float(_HEAVY_BALL_RATE),
        right=lambda _: heavy_ball_rate(),
        relation="equal",
    ),
    Theorem(
        key="nesterov-rate-range",
        source="Liu, Tao, Wang and Pan (2022), eq. (29)",
        statement=(
            "For 0 < a <= 1/2 the coefficient lies between 2 - sqrt(2) and (11 - sqrt(73))/4."
        ),
        covers=("000 (29)",),
        left=lambda e: np.concatenate([np.full(len(_ALPHAS), _HEAVY_BALL_RATE), _rates(e)]),
        right=lambda e: np.concatenate([_rates(e), np.full(len(_ALPHAS), (11 - np.sqrt(73)) / 4)]),
        at=lambda _: np.concatenate([_ALPHAS, _ALPHAS]),
        axis="alpha",
        tolerance=_BRUTE_FORCE,
    ),
    Theorem(
        key="start-curvature-printed",
        source="Liu, Tao, Wang and Pan (2022), before eq. (27)",
        statement=(
            "Eigenvalues of H_0 of at least 3/4 lambda_0 give (3/4) lambda_0 |xi|^2 <= Lhat(0)."
        ),
        covers=("E-000-5",),
        form="printed",
        erratum="E-000-5",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 0.75 * lambda_0(e),
        right=lambda e: float(admissible(e, 0.75 * lambda_0(e)).min()) / 2,
        false="Lhat carries a factor 1/2",
    ),
    Theorem(
        key="start-curvature-corrected",
        source="Liu, Tao, Wang and Pan (2022), before eq. (27)",
        statement=(
            "Eigenvalues of H_0 of at least 3/4 lambda_0 give (3/8) lambda_0 |xi|^2 <= Lhat(0)."
        ),
        covers=("E-000-5",),
        form="corrected",
        erratum="E-000-5",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 0.375 * lambda_0(e),
        right=lambda e: float(admissible(e, 0.75 * lambda_0(e)).min()) / 2,
    ),
    Theorem(
        key="speed-constant-printed",
        source="Liu, Tao, Wang and Pan (2022), eq. (21)",
        statement=(
            "The speed's constant is at most sqrt(24) for every s <= 2/lambda_m, so for c <= 1."
        ),
        covers=("E-000-6",),
        form="printed",
        erratum="E-000-6",
        left=lambda _: _speed_constant(_ALL_C),
        right=lambda _: float(np.sqrt(24)),
        at=lambda _: _ALL_C,
        axis="c",
        false="c = 1 needs 5.74",
    ),
    Theorem(
        key="speed-constant-corrected",
        source="Liu, Tao, Wang and Pan (2022), eq. (21)",
        statement="The speed's constant is at most sqrt(24) for c <= 1/sqrt(2).",
        covers=("E-000-6",),
        form="corrected",
        erratum="E-000-6",
        left=lambda _: _speed_constant(_SMALL_C),
        right=lambda _: float(np.sqrt(24)),
        at=lambda _: _SMALL_C,
        axis="c",
    ),
    Theorem(
        key="speed-decay-printed",
        source="Liu, Tao, Wang and Pan (2022), after eq. (28)",
        statement=(
            "Nesterov's speed decays as exp(-0.292 sqrt(lambda_0) t), no faster than sqrt(L)."
        ),
        covers=("E-000-7",),
        form="printed",
        erratum="E-000-7",
        left=lambda _: 0.292,
        right=lambda _: np.array([_root_rate(a) for a in _ALPHAS]),
        at=lambda _: _ALPHAS,
        axis="alpha",
        false="sqrt(L) decays with at most 0.218",
    ),
    Theorem(
        key="speed-decay-corrected",
        source="Liu, Tao, Wang and Pan (2022), after eq. (28)",
        statement=(
            "Nesterov's speed decays as exp(-0.207 sqrt(lambda_0) t), no faster than sqrt(L)."
        ),
        covers=("E-000-7",),
        form="corrected",
        erratum="E-000-7",
        left=lambda _: 0.207,
        right=lambda _: np.array([_root_rate(a) for a in _ALPHAS]),
        at=lambda _: _ALPHAS,
        axis="alpha",
    ),
    Theorem(
        key="nesterov-faster-printed",
        source="Liu, Tao, Wang and Pan (2022), after eq. (29)",
        statement=(
            "Nesterov's slowest exponent exceeds heavy ball's on every mode from lambda_0/2 on."
        ),
        covers=("E-000-8",),
        form="printed",
        erratum="E-000-8",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _exponents(e, nesterov=False, above=False),
        right=lambda e: _exponents(e, nesterov=True, above=False),
        relation="below",
        at=lambda e: admissible(e, lambda_0(e) / 2),
        axis="eigenvalue",
        false="at lambda_0/2 the two exponents are equal",
    ),
    Theorem(
        key="nesterov-faster-corrected",
        source="Liu, Tao, Wang and Pan (2022), after eq. (29)",
        statement=(
            "Nesterov's slowest exponent exceeds heavy ball's on every mode above lambda_0/2."
        ),
        covers=("E-000-8",),
        form="corrected",
        erratum="E-000-8",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _exponents(e, nesterov=False, above=True),
        right=lambda e: _exponents(e, nesterov=True, above=True),
        relation="below",
        at=lambda e: admissible(e, 1.01 * lambda_0(e) / 2),
        axis="eigenvalue",
    ),
    Theorem(
        key="wording-printed",
        source="Liu, Tao, Wang and Pan (2022), several places",
        statement=(
            "Sums run over m neurons where samples are meant, weights are drawn from N(0, 1)."
        ),
        covers=("E-000-10",),
        form="printed",
        erratum="E-000-10",
        open="wording: there is nothing to compute",
    ),
    Theorem(
        key="wording-corrected",
        source="Liu, Tao, Wang and Pan (2022), several places",
        statement="Sums run over the n samples, weights are drawn from N(0, I).",
        covers=("E-000-10",),
        form="corrected",
        erratum="E-000-10",
        open="wording: there is nothing to compute",
    ),
)
