r"""Kernels of fully connected networks of infinite width: dual activations, layer by layer.

For (u, v) normal with mean zero and the covariance :math:`\Sigma` of two inputs, an activation
:math:`\phi` has the duals

.. math:: \hat\phi(\Sigma) = E\,\phi(u)\phi(v), \qquad \hat\phi'(\Sigma) = E\,\phi'(u)\phi'(v).

The covariance of the preactivations and the tangent kernel of `WideNetwork` then follow from
:math:`\Sigma_0 = \Theta_0 = X X^T` by

.. math:: \Sigma_l = \hat\phi(\Sigma_{l-1}), \qquad
          \Theta_l = \Sigma_l + \Theta_{l-1} \circ \hat\phi'(\Sigma_{l-1})

(Jacot, Gabriel and Hongler 2018, Theorem 1), without :math:`\Sigma_L` where the output layer is
fixed, and :math:`\Sigma_L` alone where nothing else is trained.  :math:`\Sigma_L` is the covariance
of the outputs at the random start.

- Piecewise linear, :math:`\phi(z) = a z + b |z|` (ReLU a = b = 1/2, leaky ReLU, absolute value):
  :math:`\hat\phi = a^2 \Sigma_{12} + \tfrac{2}{\pi} b^2 s (\sin\theta + (\pi/2-\theta)\cos\theta)`
  and :math:`\hat\phi' = a^2 + b^2 (1 - 2\theta/\pi)`, with the angle :math:`\theta` between the
  inputs and s the product of the standard deviations (Cho and Saul 2009, eqs. 4 to 6).  The angle
  of the next layer keeps the digits of small ones, by
  :math:`1 - \cos\theta' = 1 - \cos\theta - \tfrac{2}{\pi} \tfrac{b^2}{a^2 + b^2} (\sin\theta -
  \theta\cos\theta)`, so that equal rows have equal kernels.
- erf: :math:`\hat\phi = \tfrac{2}{\pi} \arcsin(2\Sigma_{12}/r)`,
  :math:`\hat\phi' = \tfrac{4}{\pi} / \sqrt{r^2 - 4\Sigma_{12}^2}` with
  :math:`r^2 = (1 + 2\Sigma_{11})(1 + 2\Sigma_{22})` (Williams 1997, eq. 11); the difference is
  :math:`1 + 2\Sigma_{11} + 2\Sigma_{22} + 4\Sigma_{11}\Sigma_{22}\sin^2\theta`.
- tanh and GELU: the trapezoidal rule, whose error falls exponentially with the number of nodes
  (Trefethen and Weideman 2014, section 5), in the variable of larger deviation, whose nodes lie
  nearer together where the activation bends (:math:`u = k \sinh t`); given u, v is normal with mean
  m and deviation r.  For GELU, :math:`z \Phi(z)`, the mean over v is closed: with :math:`q^2 = 1 +
  r^2` and :math:`a = m/q` it is :math:`m \Phi(a) + (r^2/q) \varphi(a)`, and its derivative in m
  that of the slope.  For tanh it is a sum over nodes of v, in units of r where r is small; else at
  fixed ones, for what is left of tanh without :math:`\mathrm{erf}(\sqrt\pi v/2)`, whose mean is
  :math:`\mathrm{erf}(\sqrt\pi m/\sqrt{4 + 2\pi r^2})`.

With k outputs the kernel of all n k of them is the one here for each output, and 0 between two.
"""

import math
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial._types import Gram, Inputs
from inertial.data.parallel import unit_rows
from inertial.linear.kernel import angles, tiles
from inertial.linear.measure import Measure
from inertial.linear.spectrum import decompose
from inertial.problem.networks import LEAK, WideNetwork
from inertial.problem.problem import Problem

NODES, _APART = 96, 0.12
"""Nodes of a quadrature, at least, and their largest distance in t: the error is below 1e-9."""

_REACH = 8.5
"""Standard deviations that the nodes cover on both sides."""

_BENT, _NARROW = 20.0, 2.0
"""Where tanh and erf differ in double precision, and deviations in whose units nodes may lie."""

CLOSED = ("relu", "leaky_relu", "abs", "erf")
"""Activations whose duals have a closed form; of the others 200 rows take seconds."""

_ROWS = 64
"""Rows whose entries the quadrature fills at once."""

Duals = tuple[Gram, Gram]
"""Of values and of slopes, for all pairs of rows."""


def expected_kernels(network: WideNetwork, x: Inputs) -> tuple[Gram, Gram]:
    """Return the tangent kernel and the output covariance of a network at infinite width.

    Parameters
    ----------
    network
        Its depth, activation and trained weights; the width does not matter.
    x
        Inputs as rows, shape (n, d), none of them zero.

    Returns
    -------
    tuple[Gram, Gram]
        Two arrays of shape (n, n), for one output.

    Raises
    ------
    InvalidInput
        If a row has not as many numbers as the network has inputs, or all of them are zero.

    """
    rows = np.asarray(x, float).reshape(len(x), -1)
    if rows.shape[1] != network.inputs:
        raise InvalidInput(
            f"the rows have {rows.shape[1]} numbers and the network has {network.inputs} inputs; "
            "give it as many."
        )
    if not rows.any(axis=1).all():
        raise InvalidInput("a row is zero, and has no kernel at infinite width; leave it out.")
    covariance = rows @ rows.T
    angle: Gram | None = _angles(rows)
    tangent = covariance if network.trained != "output" else np.zeros_like(covariance)
    for layer in range(network.depth):
        value, slope = duals(network.activation, covariance, angle)
        tangent, covariance = tangent * slope, value
        angle = _next(network.activation, angle)
        # The last layer's own share is that of A, every other one's that of the next W.
        own = network.trained == "all" or (network.trained == "output") == (
            layer == network.depth - 1
        )
        if own:
            tangent = tangent + covariance
    return tangent, covariance


def duals(activation: str, covariance: Gram, angle: Gram | None = None) -> Duals:
    """Return ``E phi(u) phi(v)`` and ``E phi'(u) phi'(v)`` for every pair of a covariance.

    The `angle` between two of them, if it is known with more digits than its cosine has.
    """
    deviation = np.sqrt(np.diag(covariance))
    if angle is None:
        angle = np.arccos(np.clip(covariance / np.outer(deviation, deviation), -1, 1))
        np.fill_diagonal(angle, 0.0)
    if activation in _SLOPES:
        return _piecewise_linear(*_SLOPES[activation], deviation, angle)
    if activation == "erf":
        return _erf(deviation, angle)
    return _quadrature(activation, deviation, angle)


_SLOPES = {"relu": (1.0, 0.0), "leaky_relu": (1.0, LEAK), "abs": (1.0, -1.0)}
"""Slopes above and below zero."""


def _angles(rows: Inputs) -> Gram:
    """Return the angles between rows, 0 between equal ones."""
    units = unit_rows(rows)
    angle = angles(units, units)[1]
    np.fill_diagonal(angle, 0.0)
    return angle


def _next(activation: str, angle: Gram | None) -> Gram | None:
    """Return the angles of the next layer; None where their cosines have digits enough."""
    if angle is None or activation not in _SLOPES:
        return None
    above, below = _SLOPES[activation]
    a, b = (above + below) / 2, (above - below) / 2
    if not a:  # opposite rows are equal ones
        angle = np.minimum(angle, np.pi - angle)
    share = 2 / np.pi * b**2 / (a**2 + b**2)
    gap = 2 * np.sin(angle / 2) ** 2 - share * (np.sin(angle) - angle * np.cos(angle))
    return np.asarray(2 * np.arcsin(np.sqrt(np.clip(gap / 2, 0, 1))))


def _piecewise_linear(
    above: float, below: float, deviation: Float[np.ndarray, "n"], angle: Gram
) -> Duals:
    a, b = (above + below) / 2, (above - below) / 2
    scale, cosine = np.outer(deviation, deviation), np.cos(angle)
    absolute = 2 / np.pi * (np.sin(angle) + (np.pi / 2 - angle) * cosine)
    return scale * (a**2 * cosine + b**2 * absolute), a**2 + b**2 * (1 - 2 * angle / np.pi)


def _erf(deviation: Float[np.ndarray, "n"], angle: Gram) -> Duals:
    variance, scale = deviation**2, np.outer(deviation, deviation)
    root = np.sqrt(1 + 2 * np.add.outer(variance, variance) + (2 * scale * np.sin(angle)) ** 2)
    return 2 / np.pi * np.arctan2(2 * scale * np.cos(angle), root), 4 / np.pi / root


Both = tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]
"""Values and slopes."""


def _tanh(z: Float[np.ndarray, "..."]) -> Both:
    value = np.tanh(z)
    return value, 1 - value**2


def _mean_of_tanh(mean: Float[np.ndarray, "k"], deviation: Float[np.ndarray, "k"]) -> Both:
    """Return the means of tanh and of its slope over normal numbers."""
    from scipy.special import erf

    value, slope = np.empty_like(mean), np.empty_like(mean)
    narrow = deviation <= _NARROW
    nodes = np.linspace(-_REACH, _REACH, NODES)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    m, r = (part[narrow] for part in (mean, deviation))
    for total, found in zip((value, slope), _tanh(m[:, None] + r[:, None] * nodes), strict=True):
        total[narrow] = found @ weights
    m, r = (part[~narrow] for part in (mean, deviation))
    nodes = np.linspace(-_BENT, _BENT, NODES + NODES // 2)
    there = np.exp(-(((nodes - m[:, None]) / r[:, None]) ** 2) / 2)
    there *= (nodes[1] - nodes[0]) / (np.sqrt(2 * np.pi) * r[:, None])
    inner = np.sqrt(np.pi) / 2
    curve, bend = _tanh(nodes)
    straight = erf(inner * m / np.sqrt(1 + 2 * (inner * r) ** 2))
    value[~narrow] = straight + there @ (curve - erf(inner * nodes))
    slope[~narrow] = there @ bend
    return value, slope


def _gelu(z: Float[np.ndarray, "..."]) -> Both:
    return _mean_of_gelu(z, np.zeros_like(z))


def _mean_of_gelu(mean: Float[np.ndarray, "..."], deviation: Float[np.ndarray, "..."]) -> Both:
    """Return the means of GELU and of its slope over normal numbers."""
    from scipy.special import ndtr

    wide = np.sqrt(1 + deviation**2)
    at = mean / wide
    below, density = ndtr(at), np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
    return mean * below + deviation**2 / wide * density, below + at / wide**2 * density


_WITH_MEANS: dict[str, tuple[Callable[..., Both], Callable[..., Both]]] = {
    "tanh": (_tanh, _mean_of_tanh),
    "gelu": (_gelu, _mean_of_gelu),
}
"""Activations that have no closed form here, and their means over normal numbers."""


def _quadrature(activation: str, deviation: Float[np.ndarray, "n"], angle: Gram) -> Duals:
    """Condition v on u, the one of larger deviation: ``m = u cos(angle) dev v / dev u``."""
    phi, mean_of = _WITH_MEANS[activation]
    order = np.argsort(-deviation)
    angle, deviation = angle[np.ix_(order, order)], deviation[order]
    # Nodes of u: of one unit of t near zero, and of a constant factor far away.
    unit = np.minimum(deviation, 1.0)
    last = np.arcsinh(_REACH * deviation / unit)
    t = np.linspace(-last, last, max(NODES, math.ceil(2 * last.max() / _APART)))
    nodes = unit * np.sinh(t)
    weights = np.exp(-((nodes / deviation) ** 2) / 2) * np.cosh(t)
    weights /= weights.sum(axis=0)
    value, slope = np.zeros(angle.shape), np.zeros(angle.shape)
    for rows in tiles(len(angle), _ROWS):
        shift = np.cos(angle[rows]) * deviation / deviation[rows, None]
        rest = np.sin(angle[rows]) * deviation
        for node, weight in zip(nodes[:, rows], weights[:, rows], strict=True):
            means = mean_of((shift * node[:, None]).reshape(-1), rest.reshape(-1))
            for total, own, other in zip((value, slope), phi(node), means, strict=True):
                total[rows] += (weight * own)[:, None] * other.reshape(rest.shape)
    back = np.argsort(order)
    found = (np.triu(total) + np.triu(total, 1).T for total in (value, slope))
    value, slope = (total[np.ix_(back, back)] for total in found)
    return value, slope


def expected_measure(problem: Problem) -> Measure:
    r"""Return the measure of a `WideNetwork`'s problem, expected over its start, at infinite width.

    .. math:: E\,(v_k \cdot \xi_0)^2 = |v_k^T Y|^2 + K\,v_k^T \Sigma_L v_k

    for K outputs, with targets Y and eigenvectors v_k of :math:`\Theta_L`; nodes and weights carry
    the factor of the loss.

    Raises
    ------
    InvalidInput
        If the model is no `WideNetwork`, or the loss is no multiple of the sum of squares.

    """
    network = problem.given
    if not isinstance(network, WideNetwork) or not problem.loss.squared:
        raise InvalidInput(
            "the kernel at infinite width is known for a WideNetwork under mse or half_sum; take "
            "the measure at the start instead, tangent(problem).measure(40)."
        )
    scale = 2 / problem.y.size if problem.loss.name == "mse" else 1.0
    tangent, covariance = expected_kernels(network, np.asarray(jax.device_get(problem.x), float))
    spectrum = decompose(tangent, overwrite=True)
    basis = spectrum.basis
    weights = np.sum((basis.T @ problem.y) ** 2, axis=1) + problem.y.shape[1] * np.einsum(
        "ik,ik->k", basis, covariance @ basis
    )
    return Measure(scale * spectrum.eigenvalues, scale * weights)
