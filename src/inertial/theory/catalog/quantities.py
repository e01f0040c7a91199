r"""The sources' constants, written out from the papers and from nothing else in this project.

With the infinite kernel's ends :math:`\lambda_0` and :math:`\lambda_{max}`: the curvature
:math:`\mu = \lambda_0/2`; the bounds :math:`\lambda = \tfrac{3}{4}\lambda_0` and
:math:`\hat\lambda = \lambda_{max} + \tfrac{1}{4}\lambda_0` on the start's kernel, and their ratio
:math:`\kappa = \tfrac{4}{3}\,\mathrm{cond} + \tfrac{1}{3}` (Liu, Pan and Tao 2022, Theorem 1 and
eq. 28).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from inertial.method.flow import Flow
from inertial.method.recursion import Recursion
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Methods

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
    return Flow(
        "heavy ball with friction", "Bu, Xu and Chen (2021), eq. (3.3)", friction=_friction(e)
    )


def vanishing_flow(d: float) -> Flow:
    """Nesterov's flow with friction ``d/t`` (Bu, Xu and Chen 2021, eq. 4.2)."""
    return Flow("d/t", "Bu, Xu and Chen (2021), eq. (4.2)", vanishing_friction=d)


def fine_step(e: Evidence) -> float:
    """Largest step size ``s = 2/lambda_m`` that Liu, Tao, Wang and Pan (2022) admit."""
    return 2 / upper(e)


def fine_heavy_ball(e: Evidence, s: float) -> Flow:
    """High-resolution heavy ball (Liu, Tao, Wang and Pan 2022, eq. 12)."""
    force = 1 + float(np.sqrt(lambda_0(e) * s / 2))
    return Flow(
        "high-resolution heavy ball",
        "Liu, Tao, Wang and Pan (2022), eq. (12)",
        friction=_friction(e),
        force=force,
    )


def fine_nesterov(e: Evidence, s: float) -> Flow:
    """High-resolution Nesterov (Liu, Tao, Wang and Pan 2022, eq. 13)."""
    return Flow(
        "high-resolution Nesterov",
        "Liu, Tao, Wang and Pan (2022), eq. (13)",
        friction=_friction(e),
        hessian_friction=float(np.sqrt(s)),
        force=1 + float(np.sqrt(lambda_0(e) * s / 2)),
    )


def _friction(e: Evidence) -> float:
    return float(np.sqrt(2 * lambda_0(e)))


def agreement(actual: float, published: float) -> float:
    """Signed margin of "this coefficient is the published one", as a share of the published one."""
    return _AGREES - abs(actual - published) / abs(published)


class Companions(NamedTuple):
    """Companion matrices ``[[T, -D], [1, 0]]`` of some modes.

    The `discriminant` ``T^2 - 4 D`` is given apart, because of slow modes it is all cancellation.
    """

    trace: Float[np.ndarray, "k"]
    determinant: Float[np.ndarray, "k"]
    discriminant: Float[np.ndarray, "k"]


def heavy_ball_companions(eta: float, root: float, modes: Float[np.ndarray, "k"]) -> Companions:
    """Heavy ball's, with momentum ``root^2``: T = 1 + beta - eta l, D = beta."""
    scaled = eta * modes
    discriminant = -(scaled - (1 - root) ** 2) * ((1 + root) ** 2 - scaled)
    return Companions(1 + root**2 - scaled, np.full_like(modes, root**2), discriminant)


def nesterov_companions(eta: float, beta: float, modes: Float[np.ndarray, "k"]) -> Companions:
    """Nesterov's: T = (1 + beta)(1 - eta l), D = beta (1 - eta l)."""
    kept = 1 - eta * modes
    discriminant = kept * ((1 - beta) ** 2 - (1 + beta) ** 2 * eta * modes)
    return Companions((1 + beta) * kept, beta * kept, discriminant)


def steps_of(rate: float) -> Float[np.ndarray, "T"]:
    """Return the first 200 steps, and later ones up to 20 decay times of `rate`."""
    last = 20 / max(1 - rate, np.finfo(float).eps)
    later = np.geomspace(200, max(last, 400), 800)
    return np.unique(np.concatenate([np.arange(200), np.rint(later)]))


def solution(
    companions: Companions, steps: Float[np.ndarray, "T"], rate: float
) -> Float[np.ndarray, "T k"]:
    """``U_t / rate^t``, with ``U_{t+1} = T U_t - D U_{t-1}``, ``U_0 = 1`` and ``U_{-1} = 0``.

    ``U_t = z_1^t (1 - q^{t+1})/(1 - q)`` for the roots z_1 and ``z_2 = q z_1``.
    """
    large, ratio = _roots(companions)
    slope = np.log(ratio)
    t = steps[:, None]
    with np.errstate(all="ignore"):
        sums = np.where(slope == 0, t + 1, np.expm1((t + 1) * slope) / np.expm1(slope))
        return np.asarray(np.real((large / rate) ** t * sums))


def _roots(
    companions: Companions,
) -> tuple[Complex[np.ndarray, "k"], Complex[np.ndarray, "k"]]:
    """Return the larger root of every mode, and the other one over it, both complex."""
    trace, _, discriminant = (part.astype(complex) for part in companions)
    width = np.sqrt(discriminant)
    large = (trace + np.where(trace.real >= 0, 1, -1) * width) / 2
    return large, companions.determinant / large**2


def powers(
    companions: Companions, steps: Float[np.ndarray, "T"], rate: float
) -> Float[np.ndarray, "T k"]:
    """Spectral norms of the powers ``(M / rate)^t`` at the given steps t."""
    now, before, older = (solution(companions, steps - lag, rate) / rate**lag for lag in range(3))
    d = companions.determinant
    squares = now**2 + (d * before) ** 2 + before**2 + (d * older) ** 2
    with np.errstate(all="ignore"):
        area = (d / rate**2) ** steps[:, None]
        return np.asarray(np.sqrt((squares + np.sqrt(np.maximum(squares**2 - 4 * area**2, 0))) / 2))


def radius(companions: Companions) -> float:
    """Largest spectral radius of the companions."""
    return float(np.abs(_roots(companions)[0]).max())


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


def _constant(method: Recursion) -> bool:
    return method.steps is None


def _gradient_descent(method: Recursion) -> float:
    return -max(method.constant[1:]) if _constant(method) else -1.0


def _without_correction(method: Recursion) -> float:
    return -method.constant[2] if _constant(method) else -1.0


def _heavy_ball(method: Recursion) -> float:
    if not _constant(method) or method.constant[1] == 0:
        return -1.0
    return -method.constant[2]


def _nesterov(method: Recursion) -> float:
    if not _constant(method) or method.constant[1] == 0:
        return -1.0
    return -abs(method.constant[2] - method.constant[1])


def _algorithm(method: Recursion) -> float:
    return _nesterov(method) if method.start == "zero" else -1.0


GRADIENT_DESCENT = Methods("gradient descent (beta = gamma = 0)", _gradient_descent)
WITHOUT_CORRECTION = Methods(
    "gradient descent or heavy ball (gamma = 0, constant coefficients)", _without_correction
)
HEAVY_BALL = Methods("heavy ball (gamma = 0 < beta, constant coefficients)", _heavy_ball)
NESTEROV = Methods("Nesterov's method (gamma = beta > 0, constant coefficients)", _nesterov)
NESTEROV_ALGORITHM = Methods(
    "Nesterov's method as an algorithm (gamma = beta > 0, constant, first step (1 + beta) eta g_0)",
    _algorithm,
)


def unstated(what: str) -> Assumption:
    """Return an assumption whose constant the source leaves open."""
    return Assumption(f"{what}, constant left open", lambda _: None)


def free_chance(_: Evidence) -> None:
    """Return nothing: "with probability 1 - delta", for any delta, at a width to match."""
