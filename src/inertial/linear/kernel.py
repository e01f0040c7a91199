r"""Kernel matrices of the two-layer ReLU network: infinite width, finite width, output covariance.

With angle :math:`\theta_{ij}` between the inputs, the neural tangent kernel at infinite width is

.. math:: \bar H_{ij} = \frac{x_i \cdot x_j}{2\pi} (\pi - \theta_{ij})

(Liu, Pan and Tao 2022, eq. 12, there for unit norms), and the Gram matrix at width m is

.. math:: H(W)_{ij} = \frac{x_i \cdot x_j}{m}\,\#\{r : w_r \cdot x_i \ge 0, w_r \cdot x_j \ge 0\}

(ibid., eq. 11).  Every matrix is built in float64 from blocks of rows, so that besides the result
no array of its size exists.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from inertial._types import Gram, Inputs
from inertial.data.parallel import SAME_DIRECTION

_BLOCK_ROWS = 512
"""Rows of the kernel computed at once; larger blocks are not faster at n = 10,000."""

_PARALLEL = SAME_DIRECTION**2 / 2
"""1 - |cosine| below this is rounding of the dot product: the inputs count as parallel."""


_Entry = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def infinite_gram(x: Inputs) -> Gram:
    """Neural tangent kernel of the infinitely wide ReLU network, any input norms.

    Liu, Pan and Tao (2022), eq. (12), times the norms.  Its diagonal is ``|x_i|^2 / 2``.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d), none of them zero.

    Returns
    -------
    Gram
        Shape (n, n), float64, symmetric, positive semi-definite.

    """
    return _from_angles(x, _tangent)


def output_covariance(x: Inputs) -> Gram:
    r"""Covariance of the network's outputs at its random start (the same at every width).

    .. math:: \Sigma_{ij} = \frac{|x_i||x_j|}{2\pi}(\sin\theta + (\pi-\theta)\cos\theta)

    The arc-cosine kernel of degree one (Cho and Saul 2009, eq. 6) with signs of variance one.  Its
    trace is ``sum |x_i|^2 / 2``: the expected squared norm of the outputs.
    """
    return _from_angles(x, _covariance)


def finite_gram(x: Inputs, w: Float[np.ndarray, "m d"]) -> Gram:
    """Gram matrix of the finite network with hidden weights `w`.

    Liu, Pan and Tao (2022), eq. (11): equal to ``J @ J.T`` for the Jacobian J of the outputs with
    respect to the hidden weights.  A neuron with ``w_r . x_i == 0`` counts as active.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d).
    w
        Hidden weights as rows, shape (m, d).

    Returns
    -------
    Gram
        Shape (n, n), float64; co-activation counts are exact (integers below 2^24 in float32).

    """
    n, width = x.shape[0], w.shape[0]
    with jax.enable_x64(True):
        inputs = jnp.asarray(x)
        counts = jnp.zeros((n, n), jnp.float32)
        neurons = max(1, min(width, _BLOCK_ROWS))
        for start in range(0, width, neurons):
            counts = _add_coactivations(counts, inputs, jnp.asarray(w[start : start + neurons]))
        gram = np.empty((n, n))
        for start in range(0, n, _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            gram[rows] = _dots(inputs[rows], inputs) * (counts[rows].astype(jnp.float64) / width)
    return gram


def _from_angles(x: Inputs, entry: _Entry) -> Gram:
    """Fill a symmetric matrix from (dot product, product of norms, angle), block by block."""
    n = x.shape[0]
    gram = np.empty((n, n))
    with jax.enable_x64(True):
        inputs = jnp.asarray(x)
        for start in range(0, n, _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            gram[rows] = _block(entry, inputs[rows], inputs)
    return gram


@partial(jax.jit, static_argnames="entry")
def _block(entry: _Entry, rows: jax.Array, x: jax.Array) -> jax.Array:
    norms = jnp.linalg.norm(rows, axis=1)[:, None] * jnp.linalg.norm(x, axis=1)
    dot = rows @ x.T
    cosine = dot / norms
    cosine = jnp.where(jnp.abs(cosine) > 1 - _PARALLEL, jnp.sign(cosine), cosine)
    return entry(dot, norms, jnp.arccos(cosine))


def _tangent(dot: jax.Array, _norms: jax.Array, angle: jax.Array) -> jax.Array:
    return dot * (jnp.pi - angle) / (2 * jnp.pi)


def _covariance(dot: jax.Array, norms: jax.Array, angle: jax.Array) -> jax.Array:
    return (norms * jnp.sin(angle) + (jnp.pi - angle) * dot) / (2 * jnp.pi)


@jax.jit
def _dots(rows: jax.Array, x: jax.Array) -> jax.Array:
    return rows @ x.T


@jax.jit
def _add_coactivations(counts: jax.Array, x: jax.Array, w: jax.Array) -> jax.Array:
    active = (x @ w.T >= 0).astype(jnp.float32)
    return counts + active @ active.T
