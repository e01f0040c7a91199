"""Statements on the kernel matrices: positive definiteness, concentration, drift along a run."""

import math

import numpy as np
from scipy.linalg import eigvalsh

from inertial.data import antiparallel_rows, parallel_rows
from inertial.linear.kernel import infinite_gram
from inertial.theory.catalog.quantities import (
    POSITIVE_DEFINITE,
    SHORT_INPUTS,
    START_IS_NEAR,
    UNIT_INPUTS,
    free_chance,
    kappa,
    lambda_0,
    unstated,
    upper,
)
from inertial.theory.evidence import Evidence, Missing
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Form, Theorem

_HEXAGON = np.array([[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3])
"""Three pairs of opposite directions in the plane: all inputs differ, the kernel is singular."""


def _regularity(e: Evidence) -> float:
    """Return 1 if the exact condition for a positive definite kernel is met, else 0."""
    if parallel_rows(e.x):
        return 0.0
    pairs = antiparallel_rows(e.x)
    directions = e.x[[i for i, _ in pairs]]
    return float(not pairs or np.linalg.matrix_rank(directions) == len(pairs))


def _definite(e: Evidence) -> float:
    return float(e.kernel.smallest > e.kernel.singular_below)


def _no_parallel(e: Evidence) -> float:
    return 0.5 - len(parallel_rows(e.x)) - len(antiparallel_rows(e.x))


def _hexagon_ends(_: Evidence) -> tuple[float, float]:
    values = eigvalsh(infinite_gram(_HEXAGON))
    return float(6 * np.finfo(float).eps * values[-1]), float(max(values[0], 0.0))


def _strict_half(e: Evidence) -> Series:
    """Return lambda_0 of the run and of two orthogonal inputs."""
    return np.array([lambda_0(e), eigvalsh(infinite_gram(np.eye(2)))[0]])


def _start_ends(e: Evidence) -> tuple[float, float]:
    values = e.start.spectrum.eigenvalues
    return float(values[0]), float(values[-1])


def _condition(e: Evidence) -> float:
    low, high = _start_ends(e)
    return high / low if low > 0 else math.inf


def _ball(e: Evidence) -> float:
    return 1 - e.run.radius


def _flip_counts(e: Evidence) -> float:
    return float(e.start.flips(e.run.radius).counts.max())


def _drift_allowed(e: Evidence) -> float:
    return e.start.flips(e.run.radius).kernel_drift


def _largest_drift(e: Evidence) -> float:
    return float(np.linalg.norm(e.x @ e.x.T))


def _drift_chance(e: Evidence) -> float:
    return 1 - e.kernel.size**2 * math.exp(-e.run.width * e.run.radius / 10)


def _count_chance(e: Evidence) -> float:
    return 1 - e.kernel.size * math.exp(-e.run.width * e.run.radius)


def _quiet_drift(e: Evidence) -> Series:
    """Return the kernel's drift at the probed steps before any activation has changed."""
    quiet = np.interp(e.probes.steps, e.run.steps, e.run.change) == 0
    if not quiet[e.probes.steps > 0].any():
        raise Missing(
            "activations have changed by the first probed step; a far smaller step size keeps them"
        )
    return np.where(quiet, e.probes.drift_frobenius, 0.0)


def _one_sided_gram(e: Evidence) -> float:
    """Return the size of ``x_i . x_j #{r on i}/m``, the pair of indicators with one index twice."""
    share = e.start.active.mean(axis=0)
    return float(np.linalg.norm(e.x @ e.x.T * share[:, None] @ e.start.residual))


def _jacobian_gram(e: Evidence) -> float:
    """Return ``|J J' xi_0|`` through the network itself."""
    return float(np.linalg.norm(e.start.forward(e.start.backward(e.start.residual))))


_BALL = Assumption("the run stays within a ball of radius R in (0, 1)", _ball)


def _drift_largest(form: Form, quarters: int) -> Theorem:
    """Return the bound on the largest eigenvalue along a run, of one or of two quarters."""
    return Theorem(
        key=f"drift-largest-{form}",
        source="Liu, Tao, Wang and Pan (2022), Lemma 2.3",
        statement=(
            "Neurons within k delta lambda_0/n^2 of their start keep "
            f"eig(H_t) < lambda_max + {quarters}/4 lambda_0."
        ),
        covers=("K2", "E-000-4"),
        form=form,
        erratum="E-000-4",
        scope="run",
        assumptions=(unstated("|w_r(t) - w_r(0)| <= k delta lambda_0/n^2"),),
        left=lambda e: e.probes.largest,
        right=lambda e: e.kernel.largest + quarters * lambda_0(e) / 4,
        relation="below",
        at=lambda e: e.probes.steps,
        chance=free_chance,
    )


THEOREMS: tuple[Theorem, ...] = (
    Theorem(
        key="kernel-positive",
        source=(
            "Liu, Tao, Wang and Pan (2022), Lemma 2.1; Bu, Xu and Chen (2021), Facts 2.1 and 2.2"
        ),
        statement="If no two inputs are parallel, the infinite kernel is positive definite.",
        covers=("000 L2.1, 001 F2.1/2.2",),
        assumptions=(Assumption("no two inputs are parallel or opposite", _no_parallel),),
        left=lambda e: e.kernel.singular_below,
        right=lambda e: max(e.kernel.smallest, 0.0),
        relation="below",
    ),
    Theorem(
        key="kernel-positive-exact",
        source="derived",
        statement=(
            "The infinite kernel is positive definite exactly if no two inputs are positive "
            "multiples and the directions of the opposite pairs are linearly independent."
        ),
        covers=("Positive definiteness",),
        left=_regularity,
        right=_definite,
        relation="equal",
    ),
    Theorem(
        key="kernel-distinct-inputs-printed",
        source="Liu, Pan and Tao (2022), eq. (12)",
        statement="Distinct inputs are enough for a positive definite kernel (six in the plane).",
        covers=("E-002-9",),
        form="printed",
        erratum="E-002-9",
        left=lambda e: _hexagon_ends(e)[0],
        right=lambda e: _hexagon_ends(e)[1],
        relation="below",
        false="the counterexample does not depend on the run",
    ),
    Theorem(
        key="kernel-distinct-inputs-corrected",
        source="Liu, Pan and Tao (2022), eq. (12)",
        statement=(
            "Inputs of which no two are parallel or opposite have a positive definite kernel."
        ),
        covers=("E-002-9",),
        form="corrected",
        erratum="E-002-9",
        assumptions=(Assumption("no two inputs are parallel or opposite", _no_parallel),),
        left=lambda e: e.kernel.singular_below,
        right=lambda e: max(e.kernel.smallest, 0.0),
        relation="below",
    ),
    Theorem(
        key="start-near",
        source="Bu, Xu and Chen (2021), Lemma 4; Liu, Tao, Wang and Pan (2022), Lemma 2.2",
        statement="|H_0 - H_inf| <= lambda_0/4 with probability 1 - delta for large width.",
        covers=("K1",),
        scope="start",
        assumptions=(unstated("m >= C n^2/lambda_0^2 log(n^2/delta)"),),
        left=lambda e: e.start.kernel_distance,
        right=lambda e: lambda_0(e) / 4,
        chance=free_chance,
    ),
    Theorem(
        key="start-near-frobenius",
        source="Liu, Pan and Tao (2022), Lemma 4; Wang and Abernethy (2020), Lemma 6",
        statement="|H_0 - H_inf|_F <= lambda_0/4 with probability 1 - delta for large width.",
        covers=("K1", "002 L4, 003 L6"),
        scope="start",
        assumptions=(unstated("m >= C n^2/lambda_0^2 log(n/delta)"),),
        left=lambda e: e.start.kernel_distance_frobenius,
        right=lambda e: lambda_0(e) / 4,
        chance=free_chance,
    ),
    Theorem(
        key="start-smallest",
        source="Bu, Xu and Chen (2021), Lemma 4",
        statement=(
            "H_0 within lambda_0/4 of the infinite kernel has eigenvalues of 3/4 lambda_0 or more."
        ),
        covers=("K1",),
        scope="start",
        always=True,
        assumptions=(START_IS_NEAR,),
        left=lambda e: 0.75 * lambda_0(e),
        right=lambda e: _start_ends(e)[0],
    ),
    Theorem(
        key="start-largest",
        source="Liu, Pan and Tao (2022), Lemma 4",
        statement=(
            "H_0 within lambda_0/4 of the infinite kernel has eigenvalues of at most "
            "lambda_max + lambda_0/4."
        ),
        covers=("K1", "002 L4, 003 L6"),
        scope="start",
        always=True,
        assumptions=(START_IS_NEAR,),
        left=lambda e: _start_ends(e)[1],
        right=upper,
    ),
    Theorem(
        key="start-condition",
        source="Liu, Pan and Tao (2022), eq. (28)",
        statement="H_0 within lambda_0/4 of the infinite kernel has cond(H_0) <= 4/3 cond + 1/3.",
        covers=("K1",),
        scope="start",
        always=True,
        assumptions=(START_IS_NEAR,),
        left=_condition,
        right=kappa,
    ),
    Theorem(
        key="drift-quarter",
        source="Bu, Xu and Chen (2021), Lemma 5; Liu, Tao, Wang and Pan (2022), Lemma 2.3",
        statement=(
            "Neurons within k delta lambda_0/n^2 of their start keep |H_t - H_0| < lambda_0/4."
        ),
        covers=("K2",),
        scope="run",
        assumptions=(unstated("|w_r(t) - w_r(0)| <= k delta lambda_0/n^2"),),
        left=lambda e: e.probes.drift_spectral,
        right=lambda e: lambda_0(e) / 4,
        relation="below",
        at=lambda e: e.probes.steps,
        chance=free_chance,
    ),
    Theorem(
        key="drift-half",
        source="Bu, Xu and Chen (2021), Lemma 5; Liu, Tao, Wang and Pan (2022), Lemma 2.3",
        statement="Neurons within k delta lambda_0/n^2 of their start keep eig(H_t) > lambda_0/2.",
        covers=("K2",),
        scope="run",
        assumptions=(unstated("|w_r(t) - w_r(0)| <= k delta lambda_0/n^2"),),
        left=lambda e: lambda_0(e) / 2,
        right=lambda e: e.probes.smallest,
        relation="below",
        at=lambda e: e.probes.steps,
        chance=free_chance,
    ),
    _drift_largest("printed", 1),
    _drift_largest("corrected", 2),
    Theorem(
        key="drift-allowed",
        source="Liu, Pan and Tao (2022), Lemma 6; Wang and Abernethy (2020), Lemma 7",
        statement=(
            "The drift |H - H_0|_F that flips within the run's radius R allow is at most 2 n R."
        ),
        covers=("K3",),
        scope="run",
        assumptions=(SHORT_INPUTS, _BALL),
        left=_drift_allowed,
        right=lambda e: 2 * e.kernel.size * e.run.radius,
        trivial=_largest_drift,
        chance=_drift_chance,
    ),
    Theorem(
        key="drift-worst-case",
        source="Wang and Abernethy (2020), Lemma 7, proof",
        statement="|H_t - H_0|_F is at most what the neurons within reach of a flip allow.",
        covers=("K3",),
        scope="run",
        always=True,
        left=lambda e: e.probes.drift_frobenius,
        right=lambda e: e.probes.flips.kernel_drift,
        at=lambda e: e.probes.steps,
    ),
    Theorem(
        key="flippable-count",
        source="Liu, Pan and Tao (2022), Lemma 5; Wang and Abernethy (2020), Lemma 2",
        statement="At most 4 m R neurons can flip on any sample within the run's radius R.",
        covers=("K4",),
        scope="run",
        assumptions=(_BALL,),
        left=_flip_counts,
        right=lambda e: 4 * e.run.width * e.run.radius,
        trivial=lambda e: float(e.run.width),
        chance=_count_chance,
    ),
    Theorem(
        key="start-residual-size",
        source="Liu, Pan and Tao (2022), Lemma 7; Wang and Abernethy (2020), Lemma 8",
        statement="|xi_0|^2 is of order n log(m/delta) log^2(n/delta) with probability 1 - delta.",
        covers=("K5",),
        scope="start",
        open="the constant of the order is left open",
        chance=free_chance,
    ),
    Theorem(
        key="quarter-bounds-printed",
        source="Liu, Tao, Wang and Pan (2022), Lemma 2.3",
        statement=(
            "Two drifts of lambda_0/4 leave the largest eigenvalue below lambda_max + lambda_0/4."
        ),
        covers=("E-000-4",),
        form="printed",
        erratum="E-000-4",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 2 * lambda_0(e) / 4,
        right=lambda e: upper(e) - e.kernel.largest,
        false="the two quarters add up for every kernel",
    ),
    Theorem(
        key="quarter-bounds-corrected",
        source="Liu, Tao, Wang and Pan (2022), Lemma 2.3",
        statement=(
            "Two drifts of lambda_0/4 leave the largest eigenvalue below lambda_max + lambda_0/2."
        ),
        covers=("E-000-4",),
        form="corrected",
        erratum="E-000-4",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 2 * lambda_0(e) / 4,
        right=lambda e: lambda_0(e) / 2,
    ),
    Theorem(
        key="pseudo-loss-size-printed",
        source="Liu, Tao, Wang and Pan (2022), remarks on the width",
        statement="The pseudo-loss at the start is at least of order n lambda_0/delta.",
        covers=("E-000-9",),
        form="printed",
        erratum="E-000-9",
        open="the constant of the order is left open, and the proof needs an upper bound instead",
    ),
    Theorem(
        key="pseudo-loss-size-corrected",
        source="Liu, Tao, Wang and Pan (2022), remarks on the width",
        statement="The pseudo-loss at the start is at most lambda_max(H_0) L(0).",
        covers=("E-000-9",),
        form="corrected",
        erratum="E-000-9",
        scope="start",
        always=True,
        left=lambda e: e.start.pseudo_loss,
        right=lambda e: _start_ends(e)[1] * float(e.start.residual @ e.start.residual) / 2,
    ),
    Theorem(
        key="half-strict-printed",
        source="Bu, Xu and Chen (2021), Theorem 2, remark",
        statement="lambda_0 < 1/2 for unit inputs (this run's, and two orthogonal ones).",
        covers=("E-001-10",),
        form="printed",
        erratum="E-001-10",
        assumptions=(UNIT_INPUTS,),
        left=_strict_half,
        right=lambda _: 0.5,
        relation="below",
        false="two orthogonal inputs have lambda_0 = 1/2 whatever the run",
    ),
    Theorem(
        key="half-strict-corrected",
        source="Bu, Xu and Chen (2021), Theorem 2, remark",
        statement="lambda_0 <= 1/2 for unit inputs, with equality for orthogonal ones.",
        covers=("E-001-10",),
        form="corrected",
        erratum="E-001-10",
        assumptions=(UNIT_INPUTS,),
        left=_strict_half,
        right=lambda _: 0.5,
    ),
    Theorem(
        key="kernel-constant-printed",
        source="Bu, Xu and Chen (2021), eq. (A.7)",
        statement="The kernel never changes along a run: no activation ever does.",
        covers=("E-001-9",),
        form="printed",
        erratum="E-001-9",
        scope="run",
        always=True,
        left=lambda e: e.run.change,
        right=lambda _: 0.0,
    ),
    Theorem(
        key="kernel-constant-corrected",
        source="Bu, Xu and Chen (2021), eq. (A.7)",
        statement="The kernel is that of the start as long as no activation has changed.",
        covers=("E-001-9",),
        form="corrected",
        erratum="E-001-9",
        scope="run",
        always=True,
        left=_quiet_drift,
        right=lambda e: 1e-12 * _largest_drift(e),
        at=lambda e: e.probes.steps,
    ),
    Theorem(
        key="gram-indicators-printed",
        source="Liu, Pan and Tao (2022), eq. (A.2)",
        statement=(
            "The kernel's last sum counts one sample's activation twice: "
            "x_i.x_j sum I_i I_i/m for x_i.x_j sum I_i I_j/m."
        ),
        covers=("E-002-11",),
        form="printed",
        erratum="E-002-11",
        scope="start",
        always=True,
        left=_one_sided_gram,
        right=_jacobian_gram,
        relation="equal",
    ),
    Theorem(
        key="gram-indicators-corrected",
        source="Liu, Pan and Tao (2022), eq. (A.2)",
        statement="The kernel counts neurons that are on for both samples: H_0 xi_0 = J J' xi_0.",
        covers=("E-002-11",),
        form="corrected",
        erratum="E-002-11",
        scope="start",
        always=True,
        left=lambda e: float(np.linalg.norm(e.start.gram @ e.start.residual)),
        right=_jacobian_gram,
        relation="equal",
    ),
    Theorem(
        key="start-upper-extra-printed",
        source="Liu, Pan and Tao (2022), Theorem 1",
        statement=(
            "kappa = 4/3 cond + 1/3 follows from lambda_max + lambda/4 with lambda = 3/4 lambda_0."
        ),
        covers=("E-002-5",),
        form="printed",
        erratum="E-002-5",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 0.75 * kappa(e) - e.kernel.largest / lambda_0(e),
        right=lambda _: 3 / 16,
        relation="equal",
        tolerance=1e-3,
        false="the two numbers are 1/4 and 3/16 for every kernel",
    ),
    Theorem(
        key="start-upper-extra-corrected",
        source="Liu, Pan and Tao (2022), Theorem 1",
        statement="kappa = 4/3 cond + 1/3 follows from lambda_max + lambda_0/4.",
        covers=("E-002-5",),
        form="corrected",
        erratum="E-002-5",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 0.75 * kappa(e) - e.kernel.largest / lambda_0(e),
        right=lambda _: 1 / 4,
        relation="equal",
        tolerance=1e-3,
    ),
)
