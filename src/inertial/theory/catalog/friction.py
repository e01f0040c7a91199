r"""Bu, Xu and Chen (2021) and their slides: gradient flow and heavy ball with friction.

With a constant kernel every statement on the loss is one on its modes, so the worst case over all
starts, and over all kernels with eigenvalues from :math:`\lambda_0/2` to the largest, is computed.
"""

import numpy as np

from inertial.method.flow import Flow
from inertial.theory.catalog.quantities import (
    POSITIVE_DEFINITE,
    SHORT_INPUTS,
    START_KEEPS_HALF,
    UNIT_INPUTS,
    admissible,
    friction_flow,
    lambda_0,
    times,
    worst_loss,
)
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Theorem

_DISTANCE_TIMES = 400
"""Times besides 0 at which distances are looked at."""


def _gradient_flow_loss(e: Evidence) -> Series:
    flow = Flow("gradient flow", "Bu, Xu and Chen (2021), eq. (2.2)", mass=0, friction=1.0)
    return worst_loss(e, flow, against_pseudo_loss=False)


def _friction_loss(e: Evidence) -> Series:
    return worst_loss(e, friction_flow(e), against_pseudo_loss=True)


def _friction_pseudo_loss(e: Evidence) -> Series:
    """Return the worst ``Lhat(t)/Lhat(0)``, which is that of the loss: sums over the same modes."""
    return worst_loss(e, friction_flow(e), against_pseudo_loss=False)


def _friction_decay(e: Evidence, prefactor: float) -> Series:
    return np.asarray(prefactor * np.exp(-np.sqrt(lambda_0(e) / 2) * times(e)))


def distance_times(e: Evidence) -> Series:
    """Return times up to ten decay times of the slowest mode, when the weights rest."""
    slow = 1 / np.sqrt(lambda_0(e) / 2)
    return np.concatenate([[0.0], np.geomspace(slow / 10, 10 * slow, _DISTANCE_TIMES)])


def _friction_distance(e: Evidence) -> Series:
    return e.start.linear_distance(friction_flow(e), distance_times(e), e.solver)


def _distance_bound(e: Evidence, *, printed: bool) -> float:
    share = e.start.pseudo_loss * e.kernel.size / e.start.width
    if printed:
        return float(np.sqrt(share / (9 * lambda_0(e) / 2)))
    return float(8 / 3 * (2 / lambda_0(e)) ** 1.5 * np.sqrt(share))


_BELOW_HALF = Assumption("lambda_0 < 1/2", lambda e: 1 - 2 * lambda_0(e) - 1e-6)

THEOREMS = (
    Theorem(
        key="gradient-flow-loss",
        source="Bu, Xu and Chen (2021), Theorem 1, eq. (2.7)",
        statement="Gradient flow has L(t) <= exp(-lambda_0 t) L(0).",
        covers=("001 Thm1, (2.7)",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_gradient_flow_loss,
        right=lambda e: np.exp(-lambda_0(e) * times(e)),
        at=times,
        axis="time",
    ),
    Theorem(
        key="friction-loss-printed",
        source="Bu, Xu and Chen (2021), eq. (3.4)",
        statement=(
            "Heavy ball with friction has L(t) <= exp(-sqrt(lambda_0/2) t) Lhat(0) from every "
            "start, on eigenvalues of at least lambda_0/2."
        ),
        covers=("001 Thm2/(3.4)", "E-001-2"),
        form="printed",
        erratum="E-001-2",
        assumptions=(POSITIVE_DEFINITE,),
        left=_friction_loss,
        right=lambda e: _friction_decay(e, 1.0),
        at=times,
        axis="time",
    ),
    Theorem(
        key="friction-loss-corrected",
        source="Bu, Xu and Chen (2021), eq. (3.4)",
        statement=(
            "Heavy ball with friction has L(t) <= (4/lambda_0) exp(-sqrt(lambda_0/2) t) Lhat(0) "
            "from every start, on eigenvalues of at least lambda_0/2."
        ),
        covers=("001 Thm2/(3.4)", "E-001-2"),
        form="corrected",
        erratum="E-001-2",
        assumptions=(POSITIVE_DEFINITE,),
        left=_friction_loss,
        right=lambda e: _friction_decay(e, 4 / lambda_0(e)),
        at=times,
        axis="time",
    ),
    Theorem(
        key="friction-lemma-printed",
        source="Bu, Xu and Chen (2021), Lemma 6",
        statement=(
            "Eigenvalues of at least lambda_0/2 give L <= (2/lambda_0) exp(-sqrt(lambda_0/2) t) "
            "Lhat(0)."
        ),
        covers=("001 L6", "E-001-3"),
        form="printed",
        erratum="E-001-3",
        assumptions=(POSITIVE_DEFINITE,),
        left=_friction_loss,
        right=lambda e: _friction_decay(e, 2 / lambda_0(e)),
        at=times,
        axis="time",
        false="at the eigenvalue lambda_0/2 the bound is exceeded by 4/e",
    ),
    Theorem(
        key="friction-lemma-corrected",
        source="Bu, Xu and Chen (2021), Lemma 6",
        statement=(
            "Eigenvalues of at least lambda_0/2 give L <= (4/lambda_0) exp(-sqrt(lambda_0/2) t) "
            "Lhat(0)."
        ),
        covers=("001 L6", "E-001-3"),
        form="corrected",
        erratum="E-001-3",
        assumptions=(POSITIVE_DEFINITE,),
        left=_friction_loss,
        right=lambda e: _friction_decay(e, 4 / lambda_0(e)),
        at=times,
        axis="time",
    ),
    Theorem(
        key="friction-pseudo-loss-printed",
        source="Bu, Xu and Chen (2021), eq. (A.8)",
        statement=(
            "Eigenvalues of at least lambda_0/2 give Lhat(t) <= exp(-sqrt(lambda_0/2) t) Lhat(0)."
        ),
        covers=("001 (A.8)", "E-001-2"),
        form="printed",
        erratum="E-001-2",
        assumptions=(POSITIVE_DEFINITE,),
        left=_friction_pseudo_loss,
        right=lambda e: _friction_decay(e, 1.0),
        at=times,
        axis="time",
        false="at the eigenvalue lambda_0/2 the bound is exceeded by 4/e",
    ),
    Theorem(
        key="friction-pseudo-loss-corrected",
        source="Bu, Xu and Chen (2021), eq. (A.8)",
        statement=(
            "Eigenvalues of at least lambda_0/2 give Lhat(t) <= 2 exp(-sqrt(lambda_0/2) t) Lhat(0)."
        ),
        covers=("001 (A.8)", "E-001-2"),
        form="corrected",
        erratum="E-001-2",
        assumptions=(POSITIVE_DEFINITE,),
        left=_friction_pseudo_loss,
        right=lambda e: _friction_decay(e, 2.0),
        at=times,
        axis="time",
    ),
    Theorem(
        key="friction-coefficient-printed",
        source="Bu, Xu and Chen (2021), Theorem 2",
        statement="The friction b = sqrt(2 lambda_0^2) is twice the curvature's square root.",
        covers=("E-001-1",),
        form="printed",
        erratum="E-001-1",
        left=lambda e: float(np.sqrt(2 * lambda_0(e) ** 2)),
        right=lambda e: float(2 * np.sqrt(lambda_0(e) / 2)),
        relation="equal",
    ),
    Theorem(
        key="friction-coefficient-corrected",
        source="Bu, Xu and Chen (2021), Theorem 2",
        statement="The friction b = sqrt(2 lambda_0) is twice the curvature's square root.",
        covers=("E-001-1",),
        form="corrected",
        erratum="E-001-1",
        left=lambda e: friction_flow(e).friction,
        right=lambda e: float(2 * np.sqrt(lambda_0(e) / 2)),
        relation="equal",
    ),
    Theorem(
        key="friction-distance-printed",
        source="Bu, Xu and Chen (2021), Lemma 6, proof",
        statement=(
            "Heavy ball with friction moves no neuron beyond sqrt(n Lhat(0)/(9 m lambda_0/2))."
        ),
        covers=("001 A, distance", "E-001-4"),
        form="printed",
        erratum="E-001-4",
        scope="start",
        assumptions=(SHORT_INPUTS, START_KEEPS_HALF),
        left=_friction_distance,
        right=lambda e: _distance_bound(e, printed=True),
        at=distance_times,
        axis="time",
    ),
    Theorem(
        key="friction-distance-corrected",
        source="Bu, Xu and Chen (2021), Lemma 6, proof",
        statement=(
            "Heavy ball with friction moves no neuron beyond (8/3) (2/lambda_0)^(3/2) "
            "sqrt(n Lhat(0)/m) (linearised network)."
        ),
        covers=("001 A, distance", "E-001-4"),
        form="corrected",
        erratum="E-001-4",
        scope="start",
        assumptions=(SHORT_INPUTS, START_KEEPS_HALF),
        left=_friction_distance,
        right=lambda e: _distance_bound(e, printed=False),
        at=distance_times,
        axis="time",
    ),
    Theorem(
        key="bootstrap",
        source="Bu, Xu and Chen (2021), Lemmas 7 and 9; Liu, Tao, Wang and Pan (2022), Lemma 3.2",
        statement="If R'(t) < R always, then the eigenvalue, distance and loss bounds hold always.",
        covers=("001 L7/L9, 000 L3.2",),
        open="R holds an unnamed constant, and R'(t) undefined ones",
    ),
    Theorem(
        key="widths-printed",
        source="Bu, Xu and Chen (2021), Theorems 1 to 3",
        statement=(
            "Widths of order n^6/delta^3, n^5/(delta^2 lambda_0^2.5 b^2) and n^5/(delta^2 "
            "lambda_0^2.5) suffice."
        ),
        covers=("E-001-5",),
        form="printed",
        erratum="E-001-5",
        open="the constants of the widths are left open",
    ),
    Theorem(
        key="widths-corrected",
        source="Bu, Xu and Chen (2021), Theorems 1 to 3",
        statement=(
            "Widths of order n^6/(delta^3 lambda_0^4) "
            "(and the slides' for d/t) are what the proofs use."
        ),
        covers=("E-001-5",),
        form="corrected",
        erratum="E-001-5",
        open="the constants of the widths are left open",
    ),
    Theorem(
        key="friction-beats-gradient-flow",
        source="Bu, Xu and Chen (2021), Theorem 2, remark",
        statement=(
            "For lambda_0 < 1/2 the friction bound decays faster: sqrt(lambda_0/2) > lambda_0."
        ),
        covers=("001 remark after Thm2",),
        assumptions=(UNIT_INPUTS, _BELOW_HALF),
        left=lambda_0,
        right=lambda e: float(np.sqrt(lambda_0(e) / 2)),
        relation="below",
    ),
    Theorem(
        key="friction-true-rate",
        source="Bu, Xu and Chen (2021), Theorem 2, remark (derived)",
        statement="From lambda_0 up, friction gives L(t) <= 2 exp(-sqrt(2 lambda_0) t) L(0).",
        covers=("001 remark after Thm2",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: (
            e.solver(friction_flow(e), admissible(e, lambda_0(e)), times(e)).amplitude ** 2
        ).max(axis=1),
        right=lambda e: 2 * np.exp(-np.sqrt(2 * lambda_0(e)) * times(e)),
        at=times,
        axis="time",
    ),
)
