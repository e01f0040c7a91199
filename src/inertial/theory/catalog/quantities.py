r"""The sources' constants, written out from the papers and from nothing else in this project.

With the infinite kernel's ends :math:`\lambda_0` and :math:`\lambda_{max}`: the curvature
:math:`\mu = \lambda_0/2`; the bounds :math:`\lambda = \tfrac{3}{4}\lambda_0` and
:math:`\hat\lambda = \lambda_{max} + \tfrac{1}{4}\lambda_0` on the start's kernel, and their ratio
:math:`\kappa = \tfrac{4}{3}\,\mathrm{cond} + \tfrac{1}{3}` (Liu, Pan and Tao 2022, Theorem 1 and
eq. 28).
"""

import numpy as np
from jaxtyping import Float

from inertial.method.flow import Flow
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption

MODES = 60
"""Eigenvalues that a worst case over an interval of them looks at, both ends among them."""

TIMES = 120
"""Times that a flow is looked at, besides 0."""

_AGREES = 1e-6
"""Relative difference up to which a run's coefficient counts as the published one."""


def lambda_0(e: Evidence) -> float:
    """Smallest eigenvalue of the infinite kernel."""
    return e.kernel.smallest


def upper(e: Evidence) -> float:
    """Largest eigenvalue of the infinite kernel plus lambda_0 / 4."""
    return e.kernel.largest + e.kernel.smallest / 4


def kappa(e: Evidence) -> float:
    """``4/3 cond + 1/3``."""
    return 4 * e.kernel.largest / (3 * e.kernel.smallest) + 1 / 3


def admissible(e: Evidence, lowest: float, highest: float | None = None) -> Float[np.ndarray, "k"]:
    """Eigenvalues from `lowest` to `highest`, by default the kernel's largest."""
    return np.geomspace(lowest, e.kernel.largest if highest is None else highest, MODES)


def times(e: Evidence) -> Series:
    """0, and times from a tenth of the fastest mode's period to 20 times the slowest's decay."""
    fast = 0.1 / np.sqrt(max(e.kernel.largest, e.kernel.smallest))
    slow = 20 / np.sqrt(e.kernel.smallest / 2)
    return np.concatenate([[0.0], np.geomspace(fast, slow, TIMES)])


def worst_loss(e: Evidence, flow: Flow, *, against_pseudo_loss: bool) -> Series:
    r"""Largest ``L(t)/L(0)``, or ``L(t)`` over the pseudo-loss at 0, along a flow.

    Over all starts and all constant kernels with eigenvalues between :math:`\lambda_0/2` and the
    largest one: :math:`\max_l x_l(t)^2`, or :math:`\max_l x_l(t)^2 / l`, because both losses are
    sums over the modes.
    """
    modes = admissible(e, lambda_0(e) / 2)
    value = e.solver(flow, modes, times(e)).amplitude
    return np.asarray((value**2 / (modes if against_pseudo_loss else 1.0)).max(axis=1))


def friction_flow(e: Evidence) -> Flow:
    """Heavy ball with friction ``sqrt(2 lambda_0)`` (Bu, Xu and Chen 2021, eq. 3.3)."""
    return Flow("heavy ball with friction", "001 eq. (3.3)", friction=_friction(e))


def vanishing_flow(d: float) -> Flow:
    """Nesterov's flow with friction ``d/t`` (Bu, Xu and Chen 2021, eq. 4.2)."""
    return Flow("d/t", "001 eq. (4.2)", vanishing_friction=d)


def fine_step(e: Evidence) -> float:
    """Largest step size ``s = 2/lambda_m`` that Liu, Tao, Wang and Pan (2022) admit."""
    return 2 / upper(e)


def fine_heavy_ball(e: Evidence, s: float) -> Flow:
    """High-resolution heavy ball (Liu, Tao, Wang and Pan 2022, eq. 12)."""
    force = 1 + float(np.sqrt(lambda_0(e) * s / 2))
    return Flow("high-resolution heavy ball", "000 eq. (12)", friction=_friction(e), force=force)


def fine_nesterov(e: Evidence, s: float) -> Flow:
    """High-resolution Nesterov (Liu, Tao, Wang and Pan 2022, eq. 13)."""
    return Flow(
        "high-resolution Nesterov",
        "000 eq. (13)",
        friction=_friction(e),
        hessian_friction=float(np.sqrt(s)),
        force=1 + float(np.sqrt(lambda_0(e) * s / 2)),
    )


def _friction(e: Evidence) -> float:
    return float(np.sqrt(2 * lambda_0(e)))


def agreement(actual: float, published: float) -> float:
    """Signed margin of "this coefficient is the published one"."""
    return _AGREES - abs(actual - published) / max(abs(published), 1e-300)


def powers(
    trace: Float[np.ndarray, "k"], determinant: Float[np.ndarray, "k"], count: int
) -> Float[np.ndarray, "T k"]:
    """Spectral norms of the powers 0, ..., count of the companions ``[[T, -D], [1, 0]]``."""
    step = companions(trace, determinant)
    power = np.broadcast_to(np.eye(2), step.shape)
    norms = []
    for _ in range(count + 1):
        norms.append(np.linalg.norm(power, 2, axis=(1, 2)))
        power = step @ power
    return np.array(norms)


def companions(
    trace: Float[np.ndarray, "k"], determinant: Float[np.ndarray, "k"]
) -> Float[np.ndarray, "k 2 2"]:
    """One companion matrix ``[[T, -D], [1, 0]]`` a mode."""
    one, zero = np.ones_like(trace), np.zeros_like(trace)
    return np.stack([np.stack([trace, -determinant], 1), np.stack([one, zero], 1)], 1)


def radius(trace: Float[np.ndarray, "k"], determinant: Float[np.ndarray, "k"]) -> float:
    """Largest spectral radius of the companions, from their eigenvalues."""
    return float(np.abs(np.linalg.eigvals(companions(trace, determinant))).max())


def _positive_definite(e: Evidence) -> float:
    return 1 - e.kernel.singular_below / max(e.kernel.smallest, float(np.finfo(float).tiny))


def _unit_inputs(e: Evidence) -> float:
    return 1e-9 - float(np.abs(np.linalg.norm(e.x, axis=1) - 1).max())


def _inputs_at_most_one(e: Evidence) -> float:
    return 1e-9 + 1 - float(np.linalg.norm(e.x, axis=1).max())


def _start_keeps_half(e: Evidence) -> float:
    return 2 * float(e.start.spectrum.eigenvalues[0]) / lambda_0(e) - 1


def _start_is_near(e: Evidence) -> float:
    return 1 - 4 * e.start.kernel_distance / lambda_0(e)


POSITIVE_DEFINITE = Assumption("the infinite kernel is positive definite", _positive_definite)
UNIT_INPUTS = Assumption("the inputs have norm 1", _unit_inputs)
SHORT_INPUTS = Assumption("the inputs have norm at most 1", _inputs_at_most_one)
START_KEEPS_HALF = Assumption("smallest eigenvalue of H_0 at least lambda_0 / 2", _start_keeps_half)
START_IS_NEAR = Assumption(
    "H_0 within lambda_0 / 4 of the infinite kernel (what the width is for)", _start_is_near
)


def unstated(what: str) -> Assumption:
    """Return an assumption whose constant the source leaves open."""
    return Assumption(f"{what}, constant left open", lambda _: None)


def free_chance(_: Evidence) -> None:
    """Return nothing: "with probability 1 - delta", for any delta, at a width to match."""
