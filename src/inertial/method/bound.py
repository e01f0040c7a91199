r"""The loss that no method which follows gradients can beat, and the fewest steps to a target.

Whatever uses gradients at the points it has seen moves within ``w_0 + span(g_0, ..., g_{t-1})``, so
on a problem with measure :math:`\mu` its loss is :math:`\tfrac{1}{2} \int p^2 d\mu` with a
polynomial p of degree t and p(0) = 1.  With :math:`\pi_j` orthonormal for :math:`\mu`, the least
such value is

.. math:: 2 L_t \ge \Bigl(\sum_{j \le t} \pi_j(0)^2\Bigr)^{-1}

(the Christoffel function at 0; Golub and Meurant 2010, chapter 2).  Conjugate gradients on the
normal equations attain it.  The :math:`\pi_j(0)` follow from Lanczos' coefficients a and b by

.. math:: b_{j+1} \pi_{j+1}(0) = -a_j \pi_j(0) - b_j \pi_{j-1}(0), \qquad
          \pi_0 = \mu(\mathbb{R})^{-1/2}.

What lies where the kernel is zero stays: p(0) = 1, so it adds to the bound of the rest.

Error.  Nodes are known up to :math:`\delta`, a share of the largest one, and higher nodes are
easier.  The same sum at :math:`-\delta` instead of 0 is the bound with every node :math:`\delta`
higher.  The error is twice that change: nodes that move apart from each other can do a little more
than nodes that move together (measured, not proved).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from inertial._checks import InvalidInput, brief, fraction, whole
from inertial.linear.lanczos import Lanczos, lanczos
from inertial.linear.measure import RESOLUTION, Measure

_LIMIT = 1_000
"""Steps after which `fewest_steps` gives up; the bound falls faster than any method."""

_FIRST = 64
"""Steps that `fewest_steps` looks at first."""


@dataclass(frozen=True, eq=False, repr=False)
class Bound:
    """Loss below which no gradient method gets, and how uncertain that is.

    Parameters
    ----------
    loss
        Bound at steps 0, 1, ... for the nodes as they are, >= 0.
    error
        What nodes that are off within their resolution can take away from it, >= 0.

    """

    __repr__ = brief

    loss: Float[np.ndarray, "T"]
    error: Float[np.ndarray, "T"]

    @property
    def certain(self) -> Float[np.ndarray, "T"]:
        """``loss - error``, at least 0: what counts as the bound."""
        return np.asarray(np.maximum(self.loss - self.error, 0.0))


def lower_bound(measure: Measure, steps: int, *, resolution: float = RESOLUTION) -> Bound:
    """Return the loss at steps 0 to `steps` that no gradient method can beat.

    Parameters
    ----------
    measure
        Spectral measure of the problem.  Of a Gauss rule with K nodes the bound is that of the
        whole problem up to step K - 1, and 0 from step K on, which is true and says nothing.
    steps
        Last step, at least 1.
    resolution
        Share of the largest node that nodes may be off: 1e-13 for a decomposition in double
        precision, about 1e-6 for products in single precision.  Up to 1e-13, nodes within it count
        as zero; beyond, such a node may as well be a small one, and what lies there can vanish.

    Raises
    ------
    InvalidInput
        If the measure has no weight, or `steps` or `resolution` makes no sense.

    """
    count = whole("steps", steps) + 1
    still = _still(measure, resolution) & (resolution <= RESOLUTION)
    stays, nodes, weights = (
        measure.weights[still].sum(),
        measure.nodes[~still],
        measure.weights[~still],
    )
    if not weights.any():
        return Bound(np.full(count, 0.5 * stays), np.zeros(count))
    found = _jacobi(nodes, weights, count)
    shift = resolution * float(measure.nodes[-1])
    exact, cautious = (_christoffel(found, z, count) for z in (0.0, -shift))
    return Bound(0.5 * (stays + exact), exact - cautious)


def unreachable_share(measure: Measure, *, resolution: float = RESOLUTION) -> float:
    """Return the share of the initial loss that no gradient method takes away.

    It is the weight where the kernel is zero: gradients have no component there.

    Parameters
    ----------
    measure
        Spectral measure of the problem.
    resolution
        Share of the largest node up to which a node counts as zero.

    Returns
    -------
    float
        From 0 to 1; a target below it is never reached.

    Raises
    ------
    InvalidInput
        If the measure has no weight, or `resolution` makes no sense.

    """
    still = _still(measure, resolution)
    return float(measure.weights[still].sum() / measure.total)


def said_of_zero(share: float, target: float, *, resolution: float = RESOLUTION) -> str | None:
    """Say that no gradient method gets to a target, and why; None where one does.

    With a `resolution` above that of double precision it is said that this may be so: what counts
    as zero then may be small, and the nodes of a measure do not part there as the modes do.
    """
    if share <= target:
        return None
    lies = "of the loss at the start lies where its kernel is"
    if resolution <= RESOLUTION:
        return (
            f"no gradient method reaches {100 * target:g} % on the linearised model: "
            f"{100 * share:.3g} % {lies} zero to within {RESOLUTION:g} of its largest eigenvalue, "
            "and stays"
        )
    known = float(f"{100 * share:.1g}")
    lies = f"{f'{known:g} %' if known > 100 * target else 'as much'} {lies}"
    return (
        f"{100 * target:g} % may be out of reach of every gradient method on the linearised "
        f"model: about {lies} below {resolution:g} of its largest eigenvalue, which single "
        "precision does not tell from zero; where it is zero the loss stays"
    )


def fewest_steps(
    measure: Measure, target: float, *, resolution: float = RESOLUTION, limit: int = _LIMIT
) -> int | None:
    """Return the steps to a share of the initial loss that no gradient method can undercut.

    The first step at which the certain bound is at most `target` times the loss at the start; None
    if it is still above at `limit`, or always (`unreachable_share`).

    Parameters
    ----------
    measure, resolution
        As for `lower_bound`.
    target
        Share of the initial loss, in (0, 1).
    limit
        Where the search ends.

    """
    threshold = fraction("target", target) * 0.5 * measure.total
    if resolution <= RESOLUTION and unreachable_share(measure, resolution=resolution) > target:
        return None
    steps = min(_FIRST, whole("limit", limit))
    while True:
        reached = np.flatnonzero(
            lower_bound(measure, steps, resolution=resolution).certain <= threshold
        )
        if reached.size:
            return int(reached[0])
        if steps == limit:
            return None
        steps = min(4 * steps, limit)


def _still(measure: Measure, resolution: float) -> Bool[np.ndarray, "k"]:
    """Which nodes count as zero."""
    if not 0 <= resolution < 1:
        raise InvalidInput(f"resolution is {resolution}; give a number of at least 0 and below 1.")
    if not measure.weights.any():
        raise InvalidInput("the measure has no weight; give a problem whose loss is above 0.")
    return np.asarray(measure.nodes <= resolution * measure.nodes[-1])


def _jacobi(nodes: Float[np.ndarray, "k"], weights: Float[np.ndarray, "k"], steps: int) -> Lanczos:
    """Recurrence coefficients of the orthonormal polynomials of nodes and weights."""
    nodes, weights = nodes[weights > 0], weights[weights > 0]
    return lanczos(lambda v: nodes * v, np.sqrt(weights), steps)


def _christoffel(found: Lanczos, z: float, count: int) -> Float[np.ndarray, "count"]:
    """``1 / sum_{j <= t} pi_j(z)^2`` for t = 0, ..., count - 1; 0 once the nodes are used up."""
    beyond = [*found.off_diagonal, found.residual]
    before, here = 0.0, 1 / found.norm
    total, value = 0.0, np.zeros(count)
    for t in range(min(found.steps, count)):
        with np.errstate(over="ignore"):  # a sum beyond the largest double is a bound of 0
            total += here**2
        value[t] = 1 / total
        if beyond[t] == 0.0 or not np.isfinite(total):
            break
        last = beyond[t - 1] if t else 0.0
        before, here = here, ((z - found.diagonal[t]) * here - last * before) / beyond[t]
    return value
