"""The residual's exact recursion on a finite network, its remainders, steps and flips."""

import numpy as np

from inertial.theory.catalog.quantities import SHORT_INPUTS, kappa, lambda_0, upper
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Theorem

_ROUNDING = 1e-9
"""Relative error of an identity that still counts as rounding, in float64."""

_STEPS = 40
"""Steps of heavy ball on a mode, by its buffer form."""


def _at(e: Evidence) -> Series:
    """Return the steps of the decomposition."""
    return np.arange(len(e.decomposition.identity_error), dtype=float)


def _reach(e: Evidence) -> Series:
    """Return the share of pairs that can flip within the largest distance so far."""
    grown = np.maximum.accumulate(e.run.distance + e.run.distance_rounding)
    return e.start.flippable_share(grown)


def _first_step(e: Evidence, *, extrapolated: bool) -> float:
    """Return the largest first step of a neuron: eta g_0, or (1 + beta) eta g_0."""
    factor = 1 + e.run.beta if extrapolated else 1.0
    return factor * e.run.eta * float(e.start.gradient_norms.max())


def _recorded_first_step(e: Evidence) -> float:
    return float(e.run.distance[1]) if len(e.run.distance) > 1 else np.nan


def _buffer_modes(e: Evidence) -> tuple[float, float, Series]:
    """Step size, momentum and modes of heavy ball at 002's Table 1."""
    return (
        1 / upper(e),
        (1 - 1 / (2 * np.sqrt(kappa(e)))) ** 2,
        np.array([lambda_0(e), e.kernel.largest]),
    )


def _by_buffer(e: Evidence) -> Series:
    """Heavy ball on two modes as ``M = beta M + l x, x -= eta M``, by its two last values."""
    eta, beta, modes = _buffer_modes(e)
    value, buffer = np.ones(2), np.zeros(2)
    for _ in range(_STEPS):
        buffer = beta * buffer + modes * value
        value = value - eta * buffer
    return 2 + value


def _by_matrix(e: Evidence, *, printed: bool) -> Series:
    """Return the same by eq. (23), with -beta H_0 or -beta I in its corner."""
    eta, beta, modes = _buffer_modes(e)
    value, before = np.ones(2), np.ones(2)
    for _ in range(_STEPS):
        corner = beta * modes if printed else beta
        value, before = (1 + beta - eta * modes) * value - corner * before, value
    return 2 + value


def _unrolled(e: Evidence) -> Series:
    """Relative error of ``xi_t`` rebuilt from the remainders alone, by the linear recursion."""
    split, gram = e.decomposition, e.start.gram
    method, xi = split.method, split.residual
    eta, beta, gamma = method.coefficients(0, len(split.phi))
    state, before, kernel_before = xi[0], xi[0], np.zeros_like(xi[0])
    errors = []
    for t, remainder in enumerate(split.phi + split.psi):
        image = gram @ state
        after = state + beta[t] * (state - before) + remainder
        after = after - eta[t] * ((1 + gamma[t]) * image - gamma[t] * kernel_before)
        before, state, kernel_before = state, after, image
        errors.append(np.abs(state - xi[t + 1]).max() / np.abs(xi[0]).max())
    return np.array(errors)


THEOREMS = (
    Theorem(
        key="nesterov-recursion",
        source="002 Lemma 1, eqs. (19) and (20)",
        statement="Nesterov's residual recursion with psi and phi is exact (error over |xi_0|).",
        covers=("002 Lemma 1",),
        scope="run",
        methods=("nesterov",),
        left=lambda e: e.decomposition.identity_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="heavy-ball-recursion",
        source="003 Lemma 1, eq. (14)",
        statement="Heavy ball's residual recursion with phi is exact (error over |xi_0|).",
        covers=("003 Lemma 1",),
        scope="run",
        methods=("gradient_descent", "heavy_ball"),
        left=lambda e: e.decomposition.identity_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="heavy-ball-remainder",
        source="003 Lemma 1",
        statement=(
            "|phi_t[i]| is at most 2 eta sqrt(n) #S_i/m (|xi_t| + beta sum beta^(t-1-s) |xi_s|)."
        ),
        covers=("003 Lemma 1",),
        scope="run",
        methods=("gradient_descent", "heavy_ball"),
        assumptions=(SHORT_INPUTS,),
        left=lambda e: e.decomposition.ratio,
        right=lambda _: 1.0,
        at=_at,
    ),
    Theorem(
        key="nesterov-remainder-printed",
        source="002 eq. (21)",
        statement=(
            "|phi_t[i]| obeys the bound with (2 + 4 beta) |xi_t| + 3 beta |xi_(t-1)| + the sum."
        ),
        covers=("002 Lemma 1", "E-002-3"),
        form="printed",
        erratum="E-002-3",
        scope="run",
        methods=("nesterov",),
        assumptions=(SHORT_INPUTS,),
        left=lambda e: e.decomposition.printed_ratio,
        right=lambda _: 1.0,
        at=_at,
    ),
    Theorem(
        key="nesterov-remainder-corrected",
        source="002 eq. (21)",
        statement=(
            "|phi_t[i]| obeys the bound with (2 + 2 beta) |xi_t| + 4 beta |xi_(t-1)| + the sum."
        ),
        covers=("002 Lemma 1", "E-002-3"),
        form="corrected",
        erratum="E-002-3",
        scope="run",
        methods=("nesterov",),
        assumptions=(SHORT_INPUTS,),
        left=lambda e: e.decomposition.ratio,
        right=lambda _: 1.0,
        at=_at,
    ),
    Theorem(
        key="remainder-sign-printed",
        source="003 eq. (29)",
        statement="Heavy ball's recursion is exact with -eta H_S xi_t in phi (error over |xi_0|).",
        covers=("E-003-2",),
        form="printed",
        erratum="E-003-2",
        scope="run",
        methods=("gradient_descent", "heavy_ball"),
        left=lambda e: e.decomposition.printed_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="remainder-sign-corrected",
        source="003 eq. (29)",
        statement="Heavy ball's recursion is exact with +eta H_S xi_t in phi (error over |xi_0|).",
        covers=("E-003-2",),
        form="corrected",
        erratum="E-003-2",
        scope="run",
        methods=("gradient_descent", "heavy_ball"),
        left=lambda e: e.decomposition.identity_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="unrolled",
        source="002 eq. (24)",
        statement="z_t = M^t z_0 + sum M^(t-1-i) [psi_i + phi_i; 0] (error over |xi_0|).",
        covers=("002 (24)",),
        scope="run",
        left=_unrolled,
        right=lambda _: 1e-7,
        at=lambda e: _at(e) + 1,
    ),
    Theorem(
        key="weight-steps",
        source="002 eq. (A.3)",
        statement="w_t - w_(t-1) = -eta g_(t-1) - eta sum beta^(t-i) g_i (relative error).",
        covers=("002 (A.3)",),
        scope="run",
        left=lambda e: e.decomposition.step_error,
        right=lambda _: _ROUNDING,
        at=lambda e: _at(e) + 1,
    ),
    Theorem(
        key="first-step-printed",
        source="002 eq. (6), Remark 1",
        statement="Algorithm 1 starts like xi_(-1) = xi_0: its first step is eta g_0.",
        covers=("E-002-1",),
        form="printed",
        erratum="E-002-1",
        scope="run",
        methods=("nesterov",),
        left=_recorded_first_step,
        right=lambda e: _first_step(e, extrapolated=False),
        relation="equal",
        tolerance=1e-4,
    ),
    Theorem(
        key="first-step-corrected",
        source="002 eq. (6), Remark 1",
        statement="Algorithm 1's first step is (1 + beta) eta g_0.",
        covers=("E-002-1",),
        form="corrected",
        erratum="E-002-1",
        scope="run",
        methods=("nesterov",),
        left=_recorded_first_step,
        right=lambda e: _first_step(e, extrapolated=True),
        relation="equal",
        tolerance=1e-4,
    ),
    Theorem(
        key="block-corner-printed",
        source="002 eq. (23)",
        statement="Heavy ball's block matrix has -beta H_0 in its corner.",
        covers=("E-002-2",),
        form="printed",
        erratum="E-002-2",
        left=lambda e: _by_matrix(e, printed=True),
        right=_by_buffer,
        relation="equal",
    ),
    Theorem(
        key="block-corner-corrected",
        source="002 eq. (23)",
        statement="Heavy ball's block matrix has -beta I in its corner.",
        covers=("E-002-2",),
        form="corrected",
        erratum="E-002-2",
        left=lambda e: _by_matrix(e, printed=False),
        right=_by_buffer,
        relation="equal",
    ),
    Theorem(
        key="flip-sets-printed",
        source="002 Remark 3",
        statement="The neurons within reach of a flip are those that have flipped.",
        covers=("E-002-10",),
        form="printed",
        erratum="E-002-10",
        scope="run",
        left=_reach,
        right=lambda e: e.run.change,
    ),
    Theorem(
        key="flip-sets-corrected",
        source="002 Remark 3",
        statement="The neurons that have flipped are among those within reach of a flip.",
        covers=("E-002-10", "actual flips"),
        form="corrected",
        erratum="E-002-10",
        scope="run",
        left=lambda e: e.run.change,
        right=_reach,
    ),
    Theorem(
        key="flip-share",
        source="002 Remark 3",
        statement="The share of changed activations is at most 4 R, R the largest distance so far.",
        covers=("002 Remark 3",),
        scope="run",
        left=lambda e: e.run.change,
        right=lambda e: 4 * np.maximum.accumulate(e.run.distance),
        noise=lambda e: 4 * e.run.distance_rounding,
        trivial=lambda _: 1.0,
    ),
    Theorem(
        key="width-scaling",
        source="002 Remark 3",
        statement="Largest distance and share of changed activations are of order 1/sqrt(m).",
        covers=("002 Remark 3",),
        open="the constant of the order is left open; runs at several widths show the slope",
    ),
)
