r"""Heavy ball on batches: its limit in the mean square, two plateaus, and what lies between.

A batch of B of n rows adds noise with the share :math:`\tau = (n-B)/(B(n-1))`.  With
eigenvectors spread evenly over the rows, the expected loss decays while
:math:`\sum_k g_k/(1+g_k) < 1` (Velikanov, Kuznedelev and Yarotsky 2023, arXiv 2206.11124).  For
heavy ball, with :math:`c = \tau(1+\beta)/(1-\beta)` and :math:`u_k = \eta l_k/(2(1+\beta))`,

.. math:: \frac{g_k}{1+g_k} = \frac{c\,u_k}{1 - (1-c)\,u_k}.

So at c = 1 the limit is :math:`\eta\,\mathrm{tr}H = 2(1+\beta)`; for noisier batches it is near
:math:`2(1-\beta)/(\tau\,\mathrm{tr}H)`, for larger ones near :math:`2(1+\beta)/l_{max}`, the two
plateaus of Andreyev et al. (2026), and always between the first and

.. math:: \frac{2(1+\beta)}{c\,\mathrm{tr}H + (1-c)\,l_{max}},

because the denominators above lie between 1 and that of the largest mode (derived).
"""

import numpy as np
from scipy.optimize import brentq

from inertial.theory.catalog.quantities import HEAVY_BALL, POSITIVE_DEFINITE, WITHOUT_CORRECTION
from inertial.theory.evidence import Evidence, Missing
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Theorem


def noise(e: Evidence) -> float:
    """Share tau of a batch's noise; 0 for all rows."""
    n = e.kernel.size
    batch = e.run.batch or n
    return (n - batch) / (batch * (n - 1)) if batch < n else 0.0


def _c(e: Evidence) -> float:
    return noise(e) * (1 + e.run.beta) / (1 - e.run.beta)


def _trace(e: Evidence) -> float:
    return float(e.kernel.eigenvalues.sum())


def limit(e: Evidence) -> float:
    """Step size at which the modes' shares add up to 1."""
    top, c = 2 * (1 + e.run.beta) / e.kernel.largest, _c(e)
    if c == 0:
        return top
    shares = e.kernel.eigenvalues / e.kernel.largest

    def over(u: float) -> float:
        return float(np.sum(c * u * shares / (1 - (1 - c) * u * shares))) - 1

    return float(top * brentq(over, 0.0, 1.0, xtol=1e-14))


def _low(e: Evidence) -> float:
    """Plateau of small batches; infinite without noise."""
    tau = noise(e)
    return 2 * (1 - e.run.beta) / (tau * _trace(e)) if tau else np.inf


def _high(e: Evidence) -> float:
    return 2 * (1 + e.run.beta) / e.kernel.largest


def _between(e: Evidence) -> float:
    c = _c(e)
    return 2 * (1 + e.run.beta) / (c * _trace(e) + (1 - c) * e.kernel.largest)


def _small_sides(e: Evidence) -> tuple[Series, Series]:
    if not noise(e):
        raise Missing("every gradient is that of all rows; make a run with --batch")
    slack = 1 - e.kernel.largest / _trace(e)
    return np.array([_low(e), limit(e)]), np.array([limit(e), _low(e) / slack])


def _large_sides(e: Evidence) -> tuple[Series, Series]:
    slack = 1 + _c(e) * _trace(e) / e.kernel.largest
    return np.array([_high(e) / slack, limit(e)]), np.array([limit(e), _high(e)])


def _crossover_sides(e: Evidence) -> tuple[Series, Series]:
    ends = sorted((_low(e), _between(e)))
    return np.array([ends[0], limit(e)]), np.array([limit(e), min(ends[1], _high(e))])


SMALL = Assumption("tau (1 + beta) >= 1 - beta: batches are small", lambda e: _c(e) - 1)
LARGE = Assumption("tau (1 + beta) <= 1 - beta: batches are large", lambda e: 1 - _c(e))
BELOW = Assumption(
    "eta times the kernel's largest eigenvalue is at or below 2 (1 + beta) at the start",
    lambda e: float(1 - e.run.eta * e.probes.largest[0] / (2 * (1 + e.run.beta))),
)

THEOREMS = (
    Theorem(
        key="plateau-small-batches",
        source="Andreyev et al. (2026), plateau 2(1 - beta)/eta (bounds derived)",
        statement=(
            "On small batches heavy ball is stable in the mean square up to eta tau tr H = "
            "2 (1 - beta), and not beyond that over 1 - l_max/tr H."
        ),
        covers=("plateaus",),
        scope="run",
        always=True,
        batches=True,
        methods=HEAVY_BALL,
        assumptions=(POSITIVE_DEFINITE, SMALL),
        left=lambda e: _small_sides(e)[0],
        right=lambda e: _small_sides(e)[1],
        axis="entry",
    ),
    Theorem(
        key="plateau-large-batches",
        source="Andreyev et al. (2026), plateau 2(1 + beta)/eta (bounds derived)",
        statement=(
            "On large batches heavy ball is stable in the mean square up to eta l_max = 2 (1 + "
            "beta) over 1 + tau (1 + beta)/(1 - beta) tr H/l_max, and not beyond 2 (1 + beta)."
        ),
        covers=("plateaus",),
        scope="run",
        always=True,
        batches=True,
        methods=HEAVY_BALL,
        assumptions=(POSITIVE_DEFINITE, LARGE),
        left=lambda e: _large_sides(e)[0],
        right=lambda e: _large_sides(e)[1],
        axis="entry",
    ),
    Theorem(
        key="stability-crossover",
        source="derived",
        statement=(
            "On any batch the limit lies between 2 (1 - beta)/(tau tr H) and 2 (1 + beta)/"
            "(c tr H + (1 - c) l_max), c = tau (1 + beta)/(1 - beta)."
        ),
        covers=("stability crossover",),
        scope="run",
        always=True,
        batches=True,
        methods=WITHOUT_CORRECTION,
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _crossover_sides(e)[0],
        right=lambda e: _crossover_sides(e)[1],
        axis="entry",
    ),
    Theorem(
        key="sharpness-large-batches",
        source="Andreyev et al. (2026), plateau 2(1 + beta)/eta",
        statement=(
            "On large batches eta times the kernel's largest eigenvalue stays at or below 2 (1 + "
            "beta), from a start that is."
        ),
        covers=("plateaus",),
        scope="run",
        batches=True,
        methods=HEAVY_BALL,
        assumptions=(LARGE, BELOW),
        left=lambda e: e.run.eta * e.probes.largest,
        right=lambda e: 2 * (1 + e.run.beta),
        at=lambda e: e.probes.steps,
    ),
)
