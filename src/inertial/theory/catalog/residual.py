"""The residual's exact recursion on a finite network, its remainders, steps and flips."""

import numpy as np

from inertial.theory.catalog.quantities import (
    NESTEROV,
    NESTEROV_ALGORITHM,
    SHORT_INPUTS,
    WITHOUT_CORRECTION,
    kappa,
    lambda_0,
    upper,
)
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
    return float(e.run.distance[1]) if e.run.steps[-1] else np.nan


def _buffer_modes(e: Evidence) -> tuple[float, float, Series]:
    """Step size, momentum and modes of heavy ball at Liu, Pan and Tao's Table 1."""
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


def _share_a_sample(e: Evidence) -> Series:
    """Return the largest ``|phi_t[i]|/#S_i``; where nothing can flip phi is 0."""
    counts = e.decomposition.counts
    some = counts > 0
    return np.asarray((np.abs(e.decomposition.phi[:, some]) / counts[some]).max(1, initial=0.0))


def _share_of_most(e: Evidence) -> Series:
    """Return the largest ``|phi_t[i]|`` over the largest of the counts."""
    largest, most = np.abs(e.decomposition.phi).max(axis=1), e.decomposition.counts.max()
    return np.asarray(largest / most if most else largest)


def _unit(e: Evidence) -> float:
    """Return ``eta sqrt(n)/m``, what a flip moves an output by for a residual of norm 1."""
    return float(e.run.eta * np.sqrt(e.kernel.size) / e.run.width)


def _norms(e: Evidence) -> Series:
    """Return ``|xi_0|, |xi_1|, ...`` of the decomposed steps."""
    return np.asarray(np.linalg.norm(e.decomposition.residual[:-1], axis=1))


def _tails(norms: Series, beta: float) -> Series:
    """Return ``sum_{s<t} beta^(t-1-s) |xi_s|`` at every t."""
    tail, tails = 0.0, []
    for norm in norms:
        tails.append(tail)
        tail = beta * tail + norm
    return np.array(tails)


def _heavy_ball_remainder(e: Evidence) -> Series:
    """Return ``2 eta sqrt(n)/m (|xi_t| + beta sum_{s<t} beta^(t-1-s) |xi_s|)``."""
    norms, beta = _norms(e), e.run.beta
    return np.asarray(2 * _unit(e) * (norms + beta * _tails(norms, beta)))


def _nesterov_remainder(e: Evidence, now: float, before: float) -> Series:
    """Return eq. (21)'s bound with given weights of ``|xi_t|`` and ``|xi_{t-1}|``."""
    norms, beta = _norms(e), e.run.beta
    previous = np.concatenate([norms[:1], norms[:-1]])
    sums = 2 * beta**2 * _tails(norms, beta)
    return np.asarray(_unit(e) * (now * norms + before * previous + sums))


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
        source="Liu, Pan and Tao (2022), Lemma 1, eqs. (19) and (20)",
        statement="Nesterov's residual recursion with psi and phi is exact (error over |xi_0|).",
        covers=("002 Lemma 1",),
        scope="run",
        always=True,
        methods=NESTEROV,
        left=lambda e: e.decomposition.identity_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="heavy-ball-recursion",
        source="Wang and Abernethy (2020), Lemma 1, eq. (14)",
        statement="Heavy ball's residual recursion with phi is exact (error over |xi_0|).",
        covers=("003 Lemma 1",),
        scope="run",
        always=True,
        methods=WITHOUT_CORRECTION,
        left=lambda e: e.decomposition.identity_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="heavy-ball-remainder",
        source="Wang and Abernethy (2020), Lemma 1",
        statement=(
            "|phi_t[i]| is at most 2 eta sqrt(n) #S_i/m (|xi_t| + beta sum beta^(t-1-s) |xi_s|)."
        ),
        covers=("003 Lemma 1",),
        scope="run",
        always=True,
        methods=WITHOUT_CORRECTION,
        assumptions=(SHORT_INPUTS,),
        left=_share_a_sample,
        right=_heavy_ball_remainder,
        at=_at,
    ),
    Theorem(
        key="nesterov-remainder-printed",
        source="Liu, Pan and Tao (2022), eq. (21)",
        statement=(
            "|phi_t[i]| obeys the bound with (2 + 4 beta) |xi_t| + 3 beta |xi_(t-1)| + the sum."
        ),
        covers=("002 Lemma 1", "E-002-3"),
        form="printed",
        erratum="E-002-3",
        scope="run",
        methods=NESTEROV,
        assumptions=(SHORT_INPUTS,),
        left=_share_of_most,
        right=lambda e: _nesterov_remainder(e, 2 + 4 * e.run.beta, 3 * e.run.beta),
        at=_at,
    ),
    Theorem(
        key="nesterov-remainder-corrected",
        source="Liu, Pan and Tao (2022), eq. (21)",
        statement=(
            "|phi_t[i]| obeys the bound with (2 + 2 beta) |xi_t| + 4 beta |xi_(t-1)| + the sum."
        ),
        covers=("002 Lemma 1", "E-002-3"),
        form="corrected",
        erratum="E-002-3",
        scope="run",
        always=True,
        methods=NESTEROV,
        assumptions=(SHORT_INPUTS,),
        left=_share_of_most,
        right=lambda e: _nesterov_remainder(e, 2 + 2 * e.run.beta, 4 * e.run.beta),
        at=_at,
    ),
    Theorem(
        key="nesterov-remainder-sharper",
        source="derived, after Liu, Pan and Tao (2022), eq. (21)",
        statement=(
            "|phi_t[i]| obeys the bound with (2 + 2 beta) |xi_t| + 2 beta |xi_(t-1)| + the sum, "
            "and #S_i of its own sample."
        ),
        covers=("002 Lemma 1",),
        scope="run",
        always=True,
        methods=NESTEROV,
        assumptions=(SHORT_INPUTS,),
        left=_share_a_sample,
        right=lambda e: _nesterov_remainder(e, 2 + 2 * e.run.beta, 2 * e.run.beta),
        at=_at,
    ),
    Theorem(
        key="remainder-sign-printed",
        source="Wang and Abernethy (2020), eq. (29)",
        statement="Heavy ball's recursion is exact with -eta H_S xi_t in phi (error over |xi_0|).",
        covers=("E-003-2",),
        form="printed",
        erratum="E-003-2",
        scope="run",
        methods=WITHOUT_CORRECTION,
        left=lambda e: e.decomposition.printed_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="remainder-sign-corrected",
        source="Wang and Abernethy (2020), eq. (29)",
        statement="Heavy ball's recursion is exact with +eta H_S xi_t in phi (error over |xi_0|).",
        covers=("E-003-2",),
        form="corrected",
        erratum="E-003-2",
        scope="run",
        always=True,
        methods=WITHOUT_CORRECTION,
        left=lambda e: e.decomposition.identity_error,
        right=lambda _: _ROUNDING,
        at=_at,
    ),
    Theorem(
        key="unrolled",
        source="Liu, Pan and Tao (2022), eq. (24)",
        statement="z_t = M^t z_0 + sum M^(t-1-i) [psi_i + phi_i; 0] (error over |xi_0|).",
        covers=("002 (24)",),
        scope="run",
        always=True,
        left=_unrolled,
        right=lambda _: 1e-7,
        at=lambda e: _at(e) + 1,
    ),
    Theorem(
        key="weight-steps",
        source="Liu, Pan and Tao (2022), eq. (A.3)",
        statement="w_t - w_(t-1) = -eta g_(t-1) - eta sum beta^(t-i) g_i (relative error).",
        covers=("002 (A.3)",),
        scope="run",
        always=True,
        methods=NESTEROV_ALGORITHM,
        left=lambda e: e.decomposition.step_error,
        right=lambda _: _ROUNDING,
        at=lambda e: _at(e) + 1,
    ),
    Theorem(
        key="first-step-printed",
        source="Liu, Pan and Tao (2022), eq. (6), Remark 1",
        statement="Algorithm 1 starts like xi_(-1) = xi_0: its first step is eta g_0.",
        covers=("E-002-1",),
        form="printed",
        erratum="E-002-1",
        scope="run",
        methods=NESTEROV_ALGORITHM,
        left=_recorded_first_step,
        right=lambda e: _first_step(e, extrapolated=False),
        relation="equal",
        tolerance=1e-4,
    ),
    Theorem(
        key="first-step-corrected",
        source="Liu, Pan and Tao (2022), eq. (6), Remark 1",
        statement="Algorithm 1's first step is (1 + beta) eta g_0.",
        covers=("E-002-1",),
        form="corrected",
        erratum="E-002-1",
        scope="run",
        always=True,
        methods=NESTEROV_ALGORITHM,
        left=_recorded_first_step,
        right=lambda e: _first_step(e, extrapolated=True),
        relation="equal",
        tolerance=1e-4,
    ),
    Theorem(
        key="block-corner-printed",
        source="Liu, Pan and Tao (2022), eq. (23)",
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
        source="Liu, Pan and Tao (2022), eq. (23)",
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
        source="Liu, Pan and Tao (2022), Remark 3",
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
        source="Liu, Pan and Tao (2022), Remark 3",
        statement="The neurons that have flipped are among those within reach of a flip.",
        covers=("E-002-10", "actual flips"),
        form="corrected",
        erratum="E-002-10",
        scope="run",
        always=True,
        left=lambda e: e.run.change,
        right=_reach,
    ),
    Theorem(
        key="flip-share",
        source="Liu, Pan and Tao (2022), Remark 3",
        statement="The share of changed activations is at most 4 R, R the largest distance so far.",
        covers=("002 Remark 3",),
        scope="run",
        left=lambda e: e.run.change[1:],  # at the start both sides are 0
        right=lambda e: 4 * np.maximum.accumulate(e.run.distance)[1:],
        noise=lambda e: 4 * e.run.distance_rounding[1:],
        at=lambda e: np.arange(1, len(e.run.change)),
        trivial=lambda _: 1.0,
    ),
    Theorem(
        key="width-scaling",
        source="Liu, Pan and Tao (2022), Remark 3",
        statement="Largest distance and share of changed activations are of order 1/sqrt(m).",
        covers=("002 Remark 3",),
        scope="run",
        open="the constant of the order is left open; runs at several widths show the slope",
        scaling=(
            ("largest distance", lambda e: float(e.run.distance.max())),
            ("largest share of changed activations", lambda e: float(e.run.change.max())),
        ),
    ),
)
