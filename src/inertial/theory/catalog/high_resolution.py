r"""Liu, Tao, Wang and Pan (2022): flows of heavy ball and Nesterov to order sqrt(s).

The statements hold for all :math:`0 < s \le 2/\lambda_m`; three up to that are looked at.
"""

import numpy as np

from inertial.method.flow import Flow
from inertial.theory.catalog.decay_rates import nesterov_rate
from inertial.theory.catalog.friction import distance_times
from inertial.theory.catalog.quantities import (
    POSITIVE_DEFINITE,
    SHORT_INPUTS,
    START_KEEPS_HALF,
    admissible,
    fine_heavy_ball,
    fine_nesterov,
    fine_step,
    friction_flow,
    lambda_0,
    times,
    worst_loss,
)
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Theorem

_HEAVY_BALL_RATE = 2 - np.sqrt(2)


def _steps(e: Evidence) -> Series:
    """Return step sizes s up to the largest admitted one."""
    return fine_step(e) * np.array([1e-3, 0.1, 1.0])


def _alpha(e: Evidence, s: float) -> float:
    return float(np.sqrt(2 * lambda_0(e) * s) / 4)


def _heavy_ball_loss(e: Evidence) -> Series:
    flows = (fine_heavy_ball(e, s) for s in _steps(e))
    return np.asarray(
        np.max([worst_loss(e, flow, against_pseudo_loss=True) for flow in flows], axis=0)
    )


def _nesterov_loss(e: Evidence) -> Series:
    """Return the worst loss over its own bound's decay, whose rate depends on s."""
    scaled = []
    for s in _steps(e):
        rate = nesterov_rate(_alpha(e, s)) * np.sqrt(lambda_0(e) / 2)
        loss = worst_loss(e, fine_nesterov(e, s), against_pseudo_loss=True)
        scaled.append(loss * np.exp(rate * times(e)))
    return np.asarray(np.max(scaled, axis=0))


def _heavy_ball_bound(e: Evidence) -> Series:
    return np.asarray(
        6 / lambda_0(e) * np.exp(-_HEAVY_BALL_RATE * np.sqrt(lambda_0(e) / 2) * times(e))
    )


def _distance(e: Evidence, flow: Flow) -> Series:
    return e.start.linear_distance(flow, distance_times(e), e.solver)


def _distance_unit(e: Evidence) -> float:
    """Return ``sqrt(Lhat(0) n/(lambda_0^3 m))``."""
    share = e.start.pseudo_loss * len(e.start.x) / e.start.width
    return float(np.sqrt(share / lambda_0(e) ** 3))


def _distance_bound(e: Evidence) -> float:
    """Return ``(1+c) sqrt(12 Lhat n/(lambda_0 m)) / ((b - r/2) r/2)``, valid for every c."""
    low = lambda_0(e)
    c = np.sqrt(low * fine_step(e) / 2)
    rate, friction = _HEAVY_BALL_RATE * np.sqrt(low / 2), np.sqrt(2 * low)
    speed = (1 + c) * np.sqrt(12 * e.start.pseudo_loss * len(e.start.x) / (low * e.start.width))
    return float(speed / ((friction - rate / 2) * rate / 2))


def _block_hessian(e: Evidence) -> float:
    """Return ``|sum_r (J_r J_r')^2 xi_0|``: what the neurons' own Hessians give."""
    start = e.start
    gradient = start.backward(start.residual)
    outputs = np.where(start.active, gradient @ start.x.T, 0.0) / start.width
    blocks = np.where(start.active, outputs, 0.0) @ start.x
    image = np.where(start.active, blocks @ start.x.T, 0.0)
    return float(np.linalg.norm(start.weights[1] / np.sqrt(start.width) @ image))


def _full_hessian(e: Evidence) -> float:
    """Return ``|J (J'J) J' xi_0|`` through the network."""
    start = e.start
    once = start.forward(start.backward(start.residual))
    return float(np.linalg.norm(start.forward(start.backward(once))))


def _squared_gram(e: Evidence) -> float:
    start = e.start
    return float(np.linalg.norm(start.gram @ (start.gram @ start.residual)))


def _momentum_force(e: Evidence) -> float:
    """Return ``2/(1+beta)``, the force of heavy ball's flow with momentum (1 - c)/(1 + c)."""
    root = np.sqrt(lambda_0(e) / 2 * fine_step(e))
    beta = (1 - root) / (1 + root)
    return float(2 / (1 + beta))


def _slide_gap(e: Evidence, s: float) -> float:
    """Return the largest distance between high-resolution Nesterov and friction on the modes."""
    modes, time = admissible(e, lambda_0(e) / 2), times(e)
    fine = e.solver(fine_nesterov(e, s), modes, time).amplitude
    coarse = e.solver(friction_flow(e), modes, time).amplitude
    return float(np.abs(fine - coarse).max())


def _conditioned(e: Evidence) -> float:
    """Return how far ``s <= 2/lambda_m`` leaves c at most 1."""
    return 1 - float(np.sqrt(lambda_0(e) * fine_step(e) / 2))


_C_AT_MOST_ONE = Assumption("c = sqrt(lambda_0 s/2) at most 1", _conditioned)

_QUARTERS = np.array([1.0, 0.25, 0.0625])
"""Shares of a tiny step size at which the order in s is seen."""


def _tiny_steps(e: Evidence) -> Series:
    """Return steps s so small that ``sqrt(s) lambda_max/sqrt(mu)``, the gap's size, is 1e-3."""
    return 1e-6 * (lambda_0(e) / 2) / e.kernel.largest**2 * _QUARTERS


THEOREMS = (
    Theorem(
        key="activation-force-printed",
        source="Liu, Tao, Wang and Pan (2022), eqs. (1), (6) and (7)",
        statement=(
            "Heavy ball with momentum (1 - sqrt(mu s))/(1 + sqrt(mu s)) has the flow's force "
            "1 + sqrt(mu) s."
        ),
        covers=("E-000-1",),
        form="printed",
        erratum="E-000-1",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 1 + float(np.sqrt(lambda_0(e) / 2)) * fine_step(e),
        right=_momentum_force,
        relation="equal",
    ),
    Theorem(
        key="activation-force-corrected",
        source="Liu, Tao, Wang and Pan (2022), eqs. (1), (6) and (7)",
        statement=(
            "Heavy ball with momentum (1 - sqrt(mu s))/(1 + sqrt(mu s)) has the flow's force "
            "1 + sqrt(mu s)."
        ),
        covers=("E-000-1",),
        form="corrected",
        erratum="E-000-1",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: fine_heavy_ball(e, fine_step(e)).force,
        right=_momentum_force,
        relation="equal",
    ),
    Theorem(
        key="hessian-printed",
        source="Liu, Tao, Wang and Pan (2022), eqs. (7), (9) and (28)",
        statement="Each neuron's own Hessian gives the error equation's term H xi'.",
        covers=("E-000-2",),
        form="printed",
        erratum="E-000-2",
        scope="start",
        always=True,
        left=_block_hessian,
        right=_squared_gram,
        relation="equal",
    ),
    Theorem(
        key="hessian-corrected",
        source="Liu, Tao, Wang and Pan (2022), eqs. (7), (9) and (28)",
        statement="The full matrix J'J gives the error equation's term H xi'.",
        covers=("E-000-2",),
        form="corrected",
        erratum="E-000-2",
        scope="start",
        always=True,
        left=_full_hessian,
        right=_squared_gram,
        relation="equal",
    ),
    Theorem(
        key="fine-heavy-ball-loss",
        source="Liu, Tao, Wang and Pan (2022), Theorem 3.1, Lemma 3.1",
        statement=(
            "High-resolution heavy ball has L(t) <= (6/lambda_0) Lhat(0) "
            "exp(-(2 - sqrt(2)) sqrt(lambda_0/2) t)."
        ),
        covers=("000 Thm3.1/L3.1",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_heavy_ball_loss,
        right=_heavy_ball_bound,
        at=times,
        axis="time",
    ),
    Theorem(
        key="fine-heavy-ball-distance-printed",
        source="Liu, Tao, Wang and Pan (2022), Lemma 3.1",
        statement=(
            "High-resolution heavy ball moves no neuron beyond "
            "10 sqrt(6 Lhat(0) n/(lambda_0^3 m)) for every s <= 2/lambda_m."
        ),
        covers=("000 Thm3.1/L3.1", "E-000-6"),
        form="printed",
        erratum="E-000-6",
        scope="start",
        assumptions=(SHORT_INPUTS, START_KEEPS_HALF),
        left=lambda e: _distance(e, fine_heavy_ball(e, fine_step(e))),
        right=lambda e: 10 * float(np.sqrt(6)) * _distance_unit(e),
        at=distance_times,
        axis="time",
    ),
    Theorem(
        key="fine-heavy-ball-distance-corrected",
        source="Liu, Tao, Wang and Pan (2022), Lemma 3.1",
        statement=(
            "High-resolution heavy ball moves no neuron beyond "
            "(1+c) sqrt(12 Lhat(0) n/(lambda_0 m))/((b - r/2) r/2) (linearised network)."
        ),
        covers=("000 Thm3.1/L3.1", "E-000-6"),
        form="corrected",
        erratum="E-000-6",
        scope="start",
        assumptions=(SHORT_INPUTS, START_KEEPS_HALF),
        left=lambda e: _distance(e, fine_heavy_ball(e, fine_step(e))),
        right=_distance_bound,
        at=distance_times,
        axis="time",
    ),
    Theorem(
        key="fine-nesterov-loss",
        source="Liu, Tao, Wang and Pan (2022), Theorem 3.2, Lemma 3.3",
        statement=(
            "High-resolution Nesterov has L(t) <= (26/(3 lambda_0)) Lhat(0) "
            "exp(-rho(a) sqrt(lambda_0/2) t), both sides times the exponential."
        ),
        covers=("000 Thm3.2/L3.3",),
        assumptions=(POSITIVE_DEFINITE, _C_AT_MOST_ONE),
        left=_nesterov_loss,
        right=lambda e: 26 / (3 * lambda_0(e)),
        at=times,
        axis="time",
    ),
    Theorem(
        key="fine-nesterov-loss-sharper",
        source="Liu, Tao, Wang and Pan (2022), Lemma 3.3 (derived)",
        statement="High-resolution Nesterov's prefactor 26/(3 lambda_0) can be 8/lambda_0.",
        covers=("000 Thm3.2/L3.3",),
        assumptions=(POSITIVE_DEFINITE, _C_AT_MOST_ONE),
        left=_nesterov_loss,
        right=lambda e: 8 / lambda_0(e),
        at=times,
        axis="time",
    ),
    Theorem(
        key="fine-nesterov-distance",
        source="Liu, Tao, Wang and Pan (2022), Lemma 3.3",
        statement=(
            "High-resolution Nesterov moves no neuron beyond 25 sqrt(Lhat(0) n/(lambda_0^3 m)) "
            "(linearised network)."
        ),
        covers=("000 Thm3.2/L3.3",),
        scope="start",
        assumptions=(SHORT_INPUTS, START_KEEPS_HALF),
        left=lambda e: _distance(e, fine_nesterov(e, fine_step(e))),
        right=lambda e: 25 * _distance_unit(e),
        at=distance_times,
        axis="time",
    ),
    Theorem(
        key="slide-same-dynamics-printed",
        source="Bu (2021), NAG-SC slide",
        statement=(
            "Nesterov with constant momentum has the error dynamics of friction, at s = 2/lambda_m."
        ),
        covers=("E-004-1",),
        form="printed",
        erratum="E-004-1",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: 1 + _slide_gap(e, fine_step(e)),
        right=lambda _: 1.0,
        relation="equal",
    ),
    Theorem(
        key="slide-same-dynamics-corrected",
        source="Bu (2021), NAG-SC slide",
        statement=(
            "The two error dynamics agree as s -> 0: a quarter of s leaves at most 0.6 of the gap."
        ),
        covers=("E-004-1",),
        form="corrected",
        erratum="E-004-1",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: np.array([_slide_gap(e, s) for s in _tiny_steps(e)[1:]]),
        right=lambda e: 0.6 * np.array([_slide_gap(e, s) for s in _tiny_steps(e)[:-1]]),
        at=lambda e: _tiny_steps(e)[1:],
        axis="s",
    ),
)
