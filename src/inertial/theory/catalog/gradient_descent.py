"""Gradient descent on the finite network, and the bounds on a neuron's gradient that all use."""

import numpy as np

from inertial.theory.catalog.quantities import GRADIENT_DESCENT, SHORT_INPUTS, lambda_0
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Theorem


def _contraction(e: Evidence) -> float:
    """Margin of ``|1 - eta l| <= 1 - eta lambda_0/2`` on every eigenvalue of H_0."""
    eta, modes = e.run.eta, e.start.spectrum.eigenvalues
    allowed = 1 - eta * lambda_0(e) / 2
    return float(allowed - np.abs(1 - eta * modes[[0, -1]]).max())


def _squared_decay(e: Evidence) -> Series:
    rate = 1 - e.run.eta * lambda_0(e) / 2
    return np.asarray(np.maximum(rate, 0.0) ** e.run.steps * e.run.norm[0] ** 2)


def squared_noise(e: Evidence) -> Series:
    """Return the rounding of the squared residual norm."""
    return 2 * e.run.norm * e.run.rounding + e.run.rounding**2


CONTRACTS = Assumption(
    "every mode of H_0 contracts by at least 1 - eta lambda_0/2 (what eta is for)", _contraction
)

THEOREMS = (
    Theorem(
        key="gradient-descent-loss",
        source="Wang and Abernethy (2020), Theorem 1, eq. (7)",
        statement=(
            "Gradient descent has |xi_t|^2 <= (1 - eta lambda_0/2)^t |xi_0|^2, where every mode of "
            "H_0 contracts so; the source asks for eta = O(lambda_0/n^2) and a width instead, with "
            "constants left open."
        ),
        covers=("003 Thm1",),
        scope="run",
        methods=GRADIENT_DESCENT,
        assumptions=(CONTRACTS,),
        left=lambda e: e.run.norm**2,
        right=_squared_decay,
        noise=squared_noise,
        trivial=lambda e: e.run.norm[0] ** 2,
    ),
    Theorem(
        key="gradient-descent-table",
        source="Liu, Pan and Tao (2022), Table 1",
        statement=(
            "Gradient descent with eta = Theta(1/lambda_max) decays as (1 - Theta(1/kappa))^t."
        ),
        covers=("002 Table 1",),
        open="both constants are left open",
    ),
    Theorem(
        key="gradient-size",
        source="Liu, Pan and Tao (2022), Appendix A; Wang and Abernethy (2020), Appendix A",
        statement="No neuron's gradient exceeds sqrt(n/m) |xi| (at the start).",
        covers=("gradient bound",),
        scope="start",
        always=True,
        assumptions=(SHORT_INPUTS,),
        left=lambda e: float(e.start.gradient_norms.max()),
        right=lambda e: float(
            np.sqrt(len(e.start.x) / e.start.width) * np.linalg.norm(e.start.residual)
        ),
    ),
)
