r"""Worst cases over all functions with curvatures in [mu, L], which spectra must stay below.

Guarantees for every L-smooth, mu-strongly convex function hold for quadratic ones, so that on the
kernel's eigenvalues (:math:`\mu = \lambda_0`, :math:`L = \lambda_{max}`) the recursion of the
forecast must keep them; their worst values are known from semidefinite programs (Goujaud et al.
2024, `PEPit <https://github.com/PerformanceEstimation/PEPit>`_).

The converse fails for heavy ball (Goujaud, Taylor and Dieuleveut 2023).  With
:math:`z_t = e^{2\pi i t/K}` and the convex hull C of the points :math:`v_t = c z_t`,

.. math:: \nabla f(x) = \mu x + (L - \mu) P_C(x), \qquad
          c = \frac{(1 + \beta - z_1 - \beta \bar z_1)/\eta - \mu}{L - \mu},

is the gradient of such a function with its minimum at 0, and heavy ball goes round the :math:`z_t`
for ever where :math:`v_t` is the point of C nearest to :math:`z_t`: where
:math:`\langle z_0 - v_0, v_s - v_0 \rangle \le 0` for all s.
"""

import numpy as np
from jaxtyping import Complex, Float

from inertial.method.modes import amplification
from inertial.method.recursion import Recursion, heavy_ball, nesterov
from inertial.theory.catalog.quantities import NESTEROV, POSITIVE_DEFINITE, steps_of, unstated
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Theorem

_DOUBLINGS = 4
"""Silver schedules of 1, 2, 4 and 8 steps."""

_POINTS = range(3, 129)
"""Numbers of points of the cycles that are tried."""

_ROUNDS = 400
"""Steps that a cycle is followed for: three times round the longest."""


def _shares(e: Evidence, method: Recursion, steps: Series) -> Float[np.ndarray, "T n"]:
    """Squares of every mode's residual over the first."""
    return np.asarray(amplification(method, e.kernel.eigenvalues, steps.astype(int)) ** 2)


def _condition(e: Evidence) -> float:
    return e.kernel.largest / e.kernel.smallest


def _slow_rate(e: Evidence) -> float:
    """``1 - eta mu`` at half the largest step size, eta = 1/(2 L)."""
    return 1 - 1 / (2 * _condition(e))


def _slow_ball(e: Evidence) -> Recursion:
    return heavy_ball(1 / (2 * e.kernel.largest), float(np.sqrt(_slow_rate(e) / 2)))


def _fast_rate(e: Evidence) -> float:
    return 1 - 1 / float(np.sqrt(_condition(e)))


def _fast(e: Evidence) -> Recursion:
    rate = _fast_rate(e)
    return nesterov(1 / e.kernel.largest, rate / (2 - rate), start="copy")


def _after(rate: float) -> Series:
    """Return the steps from the first on."""
    return steps_of(rate)[1:]


def _fast_left(e: Evidence) -> Series:
    """Largest ``(f_t - f*)/(f_0 - f* + mu |x_0 - x*|^2/2)``."""
    share = 1 / (1 + e.kernel.smallest / e.kernel.eigenvalues)
    return np.asarray((share * _shares(e, _fast(e), _after(_fast_rate(e)))).max(axis=1))


def _silver(condition: float) -> tuple[list[Float[np.ndarray, "s"]], Series]:
    """Step sizes times L of the schedules, each twice as long as the last, and their rates."""
    z = 1 / condition
    rest = 1 - z
    schedules, rates = [], []
    steps = np.array([_normalised(z, condition)])
    for _ in range(_DOUBLINGS):
        schedules.append(steps)
        rates.append((rest / (1 + z)) ** 2)
        root = float(np.sqrt(1 + rest**2))
        short, z = z / (rest + root), z * (rest + root)
        # 1 - z for the new z, without its cancellation.
        rest = rest**2 * (1 - (1 - rest) / (1 + root))
        body = steps[:-1]
        ends = (_normalised(short, condition), _normalised(z, condition))
        steps = np.concatenate([body, ends[:1], body, ends[1:]])
    return schedules, np.array(rates)


def _normalised(t: float, condition: float) -> float:
    return (1 + condition * t) / (1 + t)


def _silver_left(e: Evidence) -> Series:
    shares = e.kernel.eigenvalues / e.kernel.largest
    schedules, _ = _silver(_condition(e))
    return np.array([np.prod(1 - np.outer(shares, h), axis=1).max() ** 2 for h in schedules])


def _tuned(e: Evidence) -> tuple[float, float]:
    """Step size times L, and momentum, that are fastest on quadratics (Polyak 1964)."""
    root = float(np.sqrt(_condition(e)))
    return 4 * root**2 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2


def _corner(e: Evidence, points: int) -> complex:
    """Corner v_0 of the polygon around which a cycle of so many points goes, for L = 1."""
    eta, beta = _tuned(e)
    mu = 1 / _condition(e)
    turn = np.exp(2j * np.pi / points)
    return complex(((1 + beta - turn - beta / turn) / eta - mu) / (1 - mu))


def _clearance(e: Evidence, points: int) -> float:
    """Least ``-<z_0 - v_0, v_s - v_0>/|v_0|^2``: at least 0 where the cycle exists."""
    corner = _corner(e, points)
    others = np.exp(2j * np.pi * np.arange(1, points) / points) - 1
    return float(-np.real((1 / corner - 1) * np.conj(others)).max())


def best_cycle(e: Evidence) -> int:
    """Return the number of points whose cycle is the safest."""
    return max(_POINTS, key=lambda points: _clearance(e, points))


def corners(e: Evidence, points: int) -> Complex[np.ndarray, "K"]:
    """Corners of the polygon C for a cycle of so many points."""
    return np.asarray(_corner(e, points) * np.exp(2j * np.pi * np.arange(points) / points))


def nearest(x: complex, polygon: Complex[np.ndarray, "K"]) -> complex:
    """Point of a convex polygon nearest to `x`; its corners counterclockwise."""
    edges = np.roll(polygon, -1) - polygon
    seen = (x - polygon) * np.conj(edges)
    if (seen.imag <= 0).any():
        found = polygon + np.clip(seen.real / np.abs(edges) ** 2, 0, 1) * edges
        return complex(found[np.argmin(np.abs(x - found))])
    return x


def radii(e: Evidence, shift: float = 0.0) -> Series:
    """Distances of heavy ball from the minimum, from two points of the cycle on.

    Parameters
    ----------
    e
        Evidence whose kernel gives mu and L.
    shift
        How far beside the cycle it starts, as a share of its radius.

    Returns
    -------
    Series
        Distances over that of the cycle, one per step.

    """
    points = best_cycle(e)
    polygon = corners(e, points)
    eta, beta = _tuned(e)
    mu = 1 / _condition(e)
    before, x = complex(np.exp(-2j * np.pi / points)), 1 + shift + 0j
    found = []
    for _ in range(_ROUNDS):
        gradient = mu * x + (1 - mu) * nearest(x, polygon)
        before, x = x, x - eta * gradient + beta * (x - before)
        found.append(abs(x))
    return np.array(found)


CYCLES = Assumption(
    "a cycle of 3 to 128 points exists (condition numbers from 18 on)",
    lambda e: _clearance(e, best_cycle(e)),
)

THEOREMS = (
    Theorem(
        key="heavy-ball-worst-case",
        source="Ghadimi, Feyzmahdavian and Johansson (2015), Theorem 4",
        statement=(
            "With eta = 1/(2 L) and beta = sqrt((1 - eta mu)/2) heavy ball's loss is at most (1 - "
            "eta mu)^t times the first, on any smooth strongly convex function and so on the "
            "kernel."
        ),
        covers=("worst case of heavy ball",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _shares(e, _slow_ball(e), _after(_slow_rate(e))).max(axis=1),
        right=lambda e: _slow_rate(e) ** _after(_slow_rate(e)),
        at=lambda e: _after(_slow_rate(e)),
        axis="step",
    ),
    Theorem(
        key="nesterov-worst-case",
        source="d'Aspremont, Scieur and Taylor (2021), Corollary 4.15",
        statement=(
            "With eta = 1/L and momentum (1 - sqrt(mu/L))/(1 + sqrt(mu/L)) Nesterov's loss is at "
            "most (1 - sqrt(mu/L))^t (f_0 - f* + mu |x_0 - x*|^2/2), so on the kernel too."
        ),
        covers=("worst case of Nesterov",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_fast_left,
        right=lambda e: _fast_rate(e) ** _after(_fast_rate(e)),
        at=lambda e: _after(_fast_rate(e)),
        axis="step",
    ),
    Theorem(
        key="silver-worst-case",
        source="Altschuler and Parrilo (2023), Theorem 4.1",
        statement=(
            "After 1, 2, 4 and 8 steps of the silver schedule of gradient descent the slowest "
            "mode's square is the worst case of all smooth strongly convex functions."
        ),
        covers=("worst case of silver steps",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_silver_left,
        right=lambda e: _silver(_condition(e))[1],
        relation="equal",
        at=lambda _: 2.0 ** np.arange(_DOUBLINGS),
        axis="step",
    ),
    Theorem(
        key="heavy-ball-cycle",
        source="Goujaud, Taylor and Dieuleveut (2023), cycles of heavy ball",
        statement=(
            "Heavy ball at the setting that is fastest on quadratics with curvatures from mu to L "
            "goes round a cycle for ever on another smooth strongly convex function with the same "
            "curvatures: it is not accelerated beyond quadratics."
        ),
        covers=("heavy ball is not accelerated",),
        assumptions=(POSITIVE_DEFINITE, CYCLES),
        left=radii,
        right=lambda _: 1.0,
        relation="equal",
        axis="step",
    ),
    Theorem(
        key="nesterov-deep-rate",
        source="Liao and Kyrillidis (2024), rate of Nesterov",
        statement=(
            "On wide deep ReLU networks Nesterov's loss falls like (1 - Theta(1/sqrt(kappa)))^t; "
            "compared as 2 (1 - 1/sqrt(kappa))^t, kappa = l_max/lambda_0."
        ),
        covers=("deep Nesterov",),
        scope="run",
        methods=NESTEROV,
        assumptions=(
            POSITIVE_DEFINITE,
            unstated("the rate 1 - Theta(1/sqrt(kappa)), its prefactor and the width"),
        ),
        left=lambda e: e.run.loss,
        right=lambda e: 2 * e.run.loss[0] * _fast_rate(e) ** e.run.steps,
        at=lambda e: e.run.steps,
        noise=lambda e: e.run.norm * e.run.rounding + e.run.rounding**2 / 2,
    ),
)
