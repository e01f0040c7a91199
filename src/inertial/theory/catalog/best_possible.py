r"""The least loss that gradients can reach, and the schedule that reaches it at every step.

With a constant kernel whatever moves along gradients it has seen has a residual
:math:`p(H)\,\xi_0`, p of degree t with p(0) = 1 (Golub and Meurant 2010, chapter 2).  The least one
is :math:`\xi_0` without its part in the span of :math:`H\xi_0, \dots, H^t\xi_0`.
"""

import numpy as np
from jaxtyping import Float

from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Theorem

_SCHEDULED = 8
"""Steps that the raw schedule is followed for, at most: its step sizes magnify rounding."""

_UNIT = 2.0**-50
"""Rounding of a term of the recursion, with that of its coefficients, as a share of it."""

_AGREE = 1e-6
"""What is left of the digits then."""

_ROUNDING = 1e-12
"""Rounding of a loss, as a share of the first."""

_SPENT = 1e-13
"""A new direction this short, relative to the one that it was made from, is rounding."""


def least_shares(
    values: Float[np.ndarray, "n"], modes: Float[np.ndarray, "n"], steps: int
) -> Series:
    """Least losses at steps 0 to `steps` over the first: a projection at each step."""
    rest = modes / np.linalg.norm(modes)
    basis = np.zeros((len(values), 0))
    image, shares = rest, np.zeros(steps + 1)
    shares[0] = 1.0
    for t in range(1, min(steps, len(values)) + 1):
        image = values * image
        size = np.linalg.norm(image)
        for _ in range(2):
            image = image - basis @ (basis.T @ image)
        length = np.linalg.norm(image)
        if length <= _SPENT * size:
            break
        image = image / length
        basis = np.column_stack([basis, image])
        rest = rest - image * (image @ rest)
        shares[t] = rest @ rest
    return shares


def scheduled_shares(
    values: Float[np.ndarray, "n"], modes: Float[np.ndarray, "n"], steps: int
) -> tuple[Series, Series]:
    """Losses over the first of the schedule from the polynomials orthogonal for ``l dmu(l)``.

    Beside them a bound on their rounding, which runs through the same recursion in sizes.
    """
    weights = values * modes**2
    now, before, mass, eta = np.ones_like(values), np.zeros_like(values), 1.0, 0.0
    p, step, shares = np.ones_like(values), np.zeros_like(values), [1.0]
    lost, lost_step, rounding = np.zeros_like(values), np.zeros_like(values), [0.0]
    for _ in range(steps):
        last, mass = mass, float(weights @ now**2)
        mean = float(weights @ (values * now**2)) / mass
        square = mass / last if eta else 0.0
        now, before = (values - mean) * now - square * before, now
        momentum, eta = square * eta, 1 / (mean - square * eta)
        carried, pulled = momentum * eta * step, eta * values * p
        lost_step = (
            abs(momentum * eta) * lost_step
            + abs(eta) * values * lost
            + _UNIT * (abs(carried) + abs(pulled))
        )
        step = carried - pulled
        p = p + step
        lost = lost + lost_step + _UNIT * abs(p)
        shares.append(float(modes**2 @ p**2 / (modes @ modes)))
        rounding.append(float(modes**2 @ (2 * abs(p) * lost + lost**2) / (modes @ modes)))
    return np.array(shares), np.array(rounding)


def steps_seen(values: Float[np.ndarray, "n"], modes: Float[np.ndarray, "n"]) -> int:
    """Return the steps before the first whose loss rounding may hide."""
    shares, rounding = scheduled_shares(values, modes, min(_SCHEDULED, len(values) - 1))
    hidden = rounding > np.maximum(_AGREE * shares, _ROUNDING)
    return int(np.argmax(hidden)) - 1 if hidden.any() else len(shares) - 1


def _modes(e: Evidence) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    spectrum = e.start.spectrum
    return spectrum.eigenvalues, spectrum.modes(e.start.residual)


def _bound(e: Evidence) -> Series:
    shares = least_shares(*_modes(e), int(e.run.steps[-1]))
    return np.asarray(e.run.loss[0] * shares[e.run.steps])


def _loss_noise(e: Evidence) -> Series:
    return np.asarray(e.run.norm * e.run.rounding + e.run.rounding**2 / 2)


NO_FLIP = Assumption(
    "no activation changes, so that the kernel is constant", lambda e: -float(e.run.change.max())
)

THEOREMS = (
    Theorem(
        key="lower-bound",
        source="derived (minimal residuals; Golub and Meurant 2010, chapter 2)",
        statement=(
            "No method that follows gradients has less loss at step t than the best polynomial of "
            "degree t in H_0."
        ),
        covers=("lower bound",),
        scope="run",
        assumptions=(NO_FLIP,),
        left=_bound,
        right=lambda e: e.run.loss,
        noise=_loss_noise,
    ),
    Theorem(
        key="optimal-schedule",
        source="derived (after Pedregosa and Scieur 2020, arXiv 2002.04756)",
        statement=(
            "Heavy ball with the step sizes and momenta of the polynomials orthogonal for l dmu(l) "
            "reaches the lower bound at every step (linearised network, first eight steps at most: "
            "as far as rounding lets it be seen)."
        ),
        covers=("optimal schedule",),
        scope="start",
        always=True,
        left=lambda e: scheduled_shares(*_modes(e), steps_seen(*_modes(e)))[0],
        right=lambda e: least_shares(*_modes(e), steps_seen(*_modes(e))),
        relation="equal",
        at=lambda e: np.arange(steps_seen(*_modes(e)) + 1),
        axis="step",
        noise=lambda _: _ROUNDING,
        tolerance=_AGREE,
    ),
)
