r"""Losses that fall like powers of time, for spectra that do: three exponents.

For eigenvalues :math:`\lambda_k \sim k^{-a}` with weights :math:`w_k \sim k^{-b}` the measure is
:math:`\lambda^{s-1} d\lambda` near 0, with s = (b - 1)/a, and

- gradient descent has :math:`L_t \sim t^{-s}`,
- Nesterov's flow with friction d/t has :math:`t^{-\min(2s,\,d)}`: modes oscillate with
  amplitude :math:`(\sqrt\lambda t)^{-d/2}`,
- Nesterov's method with momentum t/(t + d) has :math:`t^{-\min(2s,\,s + d/2)}`: its gradient
  correction damps each oscillation by :math:`(1 - \eta\lambda)^{t/2}` besides, which the flow
  knows nothing of, so that modes above 1/t are gone.

Exponents are measured between a step and its double on :math:`\lambda^{s-1} d\lambda`, 0 to 1.
"""

from functools import cache

import numpy as np
from jaxtyping import Float

from inertial.theory.catalog.quantities import vanishing_flow
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Theorem

PAIRS = np.array([[0.5, 3.0], [0.6, 0.5], [1.0, 1.0], [1.5, 2.0]])
"""Exponents s of the measure, each with a friction d."""

_STEP = 2048
"""The exponent is measured from here to twice as many steps."""

_TIME = 128
"""The same for flows."""

_ACCURACY = 5e-3
"""How near the exponents are to their limits then, relative."""

_DECADES = 14
"""Eigenvalues reach from 1 down to ten to minus this, far below 1/t^2."""

_MODES = 4000
"""Number of eigenvalues, equally spaced in their logarithm: 30 for each oscillation at 1/t."""


def _measure(s: float) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Nodes from 1 down, and weights of the trapezoidal rule in the logarithm."""
    nodes = np.geomspace(10.0**-_DECADES, 1.0, _MODES)
    weights = nodes**s
    weights[[0, -1]] /= 2
    return nodes, weights


@cache
def measured_exponent(s: float, d: float | None) -> float:
    """Return the exponent of Nesterov's method at step size 1, or of gradient descent's at 1/2."""
    nodes, weights = _measure(s)
    p, before, gradient = np.ones_like(nodes), np.ones_like(nodes), np.zeros_like(nodes)
    losses = []
    for t in range(2 * _STEP + 1):
        if t in (_STEP, 2 * _STEP):
            losses.append(float(weights @ p**2))
        beta, eta = (0.0, 0.5) if d is None else (t / (t + d), 1.0)
        last, gradient = gradient, eta * nodes * p
        p, before = p + beta * (p - before) - gradient - beta * (gradient - last), p
    return float(np.log2(losses[0] / losses[1]))


def _discrete(d: Float[np.ndarray, "k"] | None) -> Series:
    frictions = [None] * len(PAIRS) if d is None else d.tolist()
    return np.array(
        [measured_exponent(float(s), f) for s, f in zip(PAIRS[:, 0], frictions, strict=True)]
    )


def _flow(e: Evidence) -> Series:
    found = []
    for s, d in PAIRS:
        nodes, weights = _measure(s)
        times = np.array([_TIME, 2 * _TIME], float)
        losses = e.solver(vanishing_flow(float(d)), nodes, times).amplitude ** 2 @ weights
        found.append(np.log2(losses[0] / losses[1]))
    return np.array(found)


_S, _D = PAIRS.T

THEOREMS = (
    Theorem(
        key="power-law-gradient-descent",
        source="derived",
        statement="On l^(s-1) dl, gradient descent's loss falls like t^-s.",
        covers=("power laws",),
        left=lambda _: _discrete(None),
        right=lambda _: _S,
        relation="equal",
        at=lambda _: _S,
        axis="s",
        tolerance=_ACCURACY,
    ),
    Theorem(
        key="power-law-nesterov",
        source="derived",
        statement=(
            "On l^(s-1) dl, Nesterov's method with momentum t/(t+d) has a loss like "
            "t^-min(2s, s + d/2)."
        ),
        covers=("power laws",),
        left=lambda _: _discrete(_D),
        right=lambda _: np.minimum(2 * _S, _S + _D / 2),
        relation="equal",
        at=lambda _: _S,
        axis="s",
        tolerance=_ACCURACY,
    ),
    Theorem(
        key="power-law-nesterov-flow",
        source="derived",
        statement=(
            "On l^(s-1) dl, Nesterov's flow with friction d/t has a loss like t^-min(2s, d): "
            "slower than the method where d < 2s."
        ),
        covers=("power laws",),
        left=_flow,
        right=lambda _: np.minimum(2 * _S, _D),
        relation="equal",
        at=lambda _: _S,
        axis="s",
        tolerance=_ACCURACY,
    ),
)
