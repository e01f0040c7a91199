r"""Kernel matrices of the two-layer ReLU network: infinite width, finite width, output covariance.

With angle :math:`\theta_{ij}` between the inputs, the neural tangent kernel at infinite width is

.. math:: \bar H_{ij} = \frac{x_i \cdot x_j}{2\pi} (\pi - \theta_{ij})

(Liu, Pan and Tao 2022, eq. 12, there for unit norms), and the Gram matrix at width m is

.. math:: H(W)_{ij} = \frac{x_i \cdot x_j}{m}\,\#\{r : w_r \cdot x_i \ge 0, w_r \cdot x_j \ge 0\}

(ibid., eq. 11).  Every matrix is built in float64, tile by tile, so that besides the result no
array of its size exists.

Near 0 and :math:`\pi` an angle from its cosine keeps half of its digits.  There it comes from

.. math:: \theta = 2\,\mathrm{atan2}(|u - v|, |u + v|)

for the unit vectors u and v (Kahan 2006, "How futile are mindless assessments of roundoff", 12),
which is right to a few roundings at every angle.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float, Inexact, Int
from threadpoolctl import threadpool_limits

from inertial._types import Gram, Inputs
from inertial.data.parallel import unit_rows

TILE = 512
"""Rows and columns of a tile; larger ones leave the processor's cache."""

_STEEP = 1e-3
"""1 - |cosine| below which the angle is taken from differences.

At this cosine a rounding of it is 22 in the angle; over a tile such pairs are few.
"""

_NEURONS = 2048
"""Neurons whose co-activations are counted at once."""

_NUMBERS = 2**20
"""Differences that are held at once."""

Tile = Inexact[np.ndarray, "r c"]

Block = Float[np.ndarray, "n k"]

Part = TypeVar("Part")
Result = TypeVar("Result")

_Entry = Callable[[Tile, Tile], Tile]
"""From cosines and angles to entries of unit inputs."""


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
    return _filled(x, tangent)


def output_covariance(x: Inputs) -> Gram:
    r"""Covariance of the network's outputs at its random start (the same at every width).

    .. math:: \Sigma_{ij} = \frac{|x_i||x_j|}{2\pi}(\sin\theta + (\pi-\theta)\cos\theta)

    The arc-cosine kernel of degree one (Cho and Saul 2009, eq. 6) with signs of variance one.  Its
    trace is ``sum |x_i|^2 / 2``: the expected squared norm of the outputs.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d), of any norm.

    Returns
    -------
    Gram
        Array of shape (n, n), float64.

    """
    return _filled(x, covariance)


def entry_error(x: Inputs) -> float:
    """Bound the norm of what rounding of the entries does to `infinite_gram`.

    A cosine of d products is off by at most d/2 + 2 eps, an entry by four times that and the norms
    of its rows: ``|c|/(2 pi sin)`` is below 4 where the angle comes from the cosine.
    """
    eps = float(np.finfo(np.float64).eps)
    return float(4 * (x.shape[1] / 2 + 2) * eps * np.sum(np.square(x)))


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
    n, width = len(x), len(w)
    gram = np.zeros((n, n))
    for neurons in tiles(width, _NEURONS):
        active = (x @ w[neurons].T >= 0).astype(np.float32)
        for rows in tiles(n):
            gram[rows] += active[rows] @ active.T
    for rows in tiles(n):
        gram[rows] *= (x[rows] @ x.T) / width
    return gram


def infinite_cross(z: Float[np.ndarray, "t d"], x: Inputs) -> Float[np.ndarray, "t n"]:
    """Neural tangent kernel at infinite width between other rows z and the rows x.

    With z = x the same as `infinite_gram`.  It carries what is learned on x to z.
    """
    (zs, z_norms), (xs, x_norms) = ((unit_rows(v), np.linalg.norm(v, axis=1)) for v in (z, x))
    cross = np.empty((len(z), len(x)))
    for rows in tiles(len(z)):
        for columns in tiles(len(x)):
            scales = z_norms[rows, None] * x_norms[columns]
            cross[rows, columns] = scales * tangent(*angles(zs[rows], xs[columns]))
    return cross


def finite_cross(
    z: Float[np.ndarray, "t d"], x: Inputs, w: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, "t n"]:
    """Return the kernel of the finite network with hidden weights `w` between rows z and x."""
    cross = np.zeros((len(z), len(x)))
    for neurons in tiles(len(w), _NEURONS):
        active, other = ((v @ w[neurons].T >= 0).astype(np.float32) for v in (x, z))
        cross += other @ active.T
    return np.asarray(cross * (z @ x.T) / len(w))


def tiles(n: int, size: int = TILE) -> Iterator[slice]:
    """Slices of at most `size` rows that cover n rows."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def angles(u: Inexact[np.ndarray, "r d"], v: Inexact[np.ndarray, "c d"]) -> tuple[Tile, Tile]:
    """Cosines and angles between the unit rows of `u` and those of `v`, in their precision."""
    cosine = u @ v.T
    np.clip(cosine, -1, 1, out=cosine)
    angle = np.arccos(cosine)
    i, j = np.nonzero(np.abs(cosine) > 1 - _STEEP)
    for part in tiles(len(i), max(1, _NUMBERS // u.shape[1])):
        angle[i[part], j[part]] = _small_angles(u, v, i[part], j[part])
    return cosine, angle


def _small_angles(
    u: Inexact[np.ndarray, "r d"],
    v: Inexact[np.ndarray, "c d"],
    i: Int[np.ndarray, "k"],
    j: Int[np.ndarray, "k"],
) -> Inexact[np.ndarray, "k"]:
    first, second = u[i], v[j]
    apart, together = (np.linalg.norm(pair, axis=1) for pair in (first - second, first + second))
    return np.asarray(2 * np.arctan2(apart, together))


def tangent(cosine: Tile, angle: Tile) -> Tile:
    """Entries of `infinite_gram` for unit inputs."""
    return np.asarray(cosine * ((np.pi - angle) / (2 * np.pi)))


def covariance(cosine: Tile, angle: Tile) -> Tile:
    """Entries of `output_covariance` for unit inputs."""
    return np.asarray((np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi))


def _filled(x: Inputs, entry: _Entry) -> Gram:
    """Fill a symmetric matrix, each tile above the diagonal and its mirror image at once."""
    units, norms = unit_rows(x), np.linalg.norm(x, axis=1)
    gram = np.empty((len(x), len(x)))

    def fill(rows: slice) -> None:
        for columns in tiles(len(x)):
            if columns.start >= rows.start:
                cosine, angle = angles(units[rows], units[columns])
                if rows == columns:
                    np.fill_diagonal(cosine, 1.0)
                    np.fill_diagonal(angle, 0.0)
                scales = norms[rows, None] * norms[columns]
                gram[rows, columns] = scales * entry(cosine, angle)
                gram[columns, rows] = gram[rows, columns].T

    _in_threads(fill, tiles(len(x)))
    return gram


def _in_threads(work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Do the parts of some work on all cores; each multiplies its small matrices with one of them.

    BLAS would take all cores for each of them as well, and its threads wait for each other: where
    other programs run, a pass over the tiles then takes ten times as long.
    """
    with ThreadPoolExecutor(_cores()) as pool, threadpool_limits(1, user_api="blas"):
        return list(pool.map(work, parts))  # NumPy lets other threads run meanwhile


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, eq=False)
class TiledKernel:
    """`infinite_gram` and `output_covariance` of inputs, for products: nothing so large is held.

    A tile of cosines, angles and entries is made, used for its product and dropped; each tile above
    the diagonal serves its mirror image as well.  One pass takes ``n^2 (d/2 + const)`` operations
    for the entries and ``2 n^2 k`` for k vectors, so vectors are best multiplied in blocks.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d).
    precision
        Of the tiles: float32 takes less than half the time and leaves entries 1e-6 of the largest.
    rows
        Rows and columns of a tile; like the number of cores, it changes results by rounding only.
    passed
        Told, after each strip of tiles, its part of all tiles, times the vectors.

    """

    x: Inputs
    precision: Literal["float32", "float64"] = "float64"
    rows: int = TILE
    passed: Callable[[float], None] | None = None

    @cached_property
    def _norms(self) -> Float[np.ndarray, "n"]:
        return np.asarray(np.linalg.norm(self.x, axis=1))

    @property
    def trace(self) -> float:
        """Trace of the kernel, and of the covariance: ``sum |x_i|^2 / 2``."""
        return float(np.sum(self._norms**2) / 2)

    def product(self, block: Block) -> Block:
        """Return the kernel times a block of vectors."""
        return self._products(block, spread=False)

    def spread(self, block: Block) -> Float[np.ndarray, "k"]:
        r"""Return :math:`v^T \Sigma v` for every column v, with the covariance of the outputs."""
        return np.asarray(np.einsum("ik,ik->k", block, self._products(block, spread=True)))

    def _products(self, block: Block, *, spread: bool) -> Block:
        entry = covariance if spread else tangent
        units = unit_rows(self.x).astype(self.precision)
        scaled = (self._norms[:, None] * block).astype(self.precision)
        strips = list(tiles(len(units), self.rows))
        every = len(strips) * (len(strips) + 1) / 2

        def share(first: int) -> Block:
            """Products of every so many-th strip, from the diagonal to the right."""
            result = np.zeros_like(block)
            for row in range(first, len(strips), workers):
                rows = strips[row]
                for columns in strips[row:]:
                    cosine, angle = angles(units[rows], units[columns])
                    if rows == columns:
                        np.fill_diagonal(cosine, 1.0)
                        np.fill_diagonal(angle, 0.0)
                    entries = entry(cosine, angle)
                    result[rows] += entries @ scaled[columns]
                    if rows != columns:
                        result[columns] += entries.T @ scaled[rows]
                if self.passed is not None:
                    self.passed((len(strips) - row) / every * block.shape[1])
            return result

        workers = min(_cores(), len(strips))
        return np.asarray(self._norms[:, None] * sum(_in_threads(share, range(workers))))
