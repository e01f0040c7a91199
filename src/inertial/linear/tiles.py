r"""The kernel at infinite width as an operator: tile by tile, nothing of its size held.

A tile of cosines, angles and entries is made, used for its product and dropped; as the matrix is
symmetric, each tile above the diagonal serves its mirror image as well.  One pass takes
:math:`n^2 (d/2 + \text{const})` operations for the entries and :math:`2 n^2 k` for k vectors, so
vectors are best multiplied in blocks.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from inertial._types import Inputs
from inertial.data.parallel import unit_rows
from inertial.linear.kernel import angles, covariance, tangent, tiles

Block = Float[np.ndarray, "n k"]

_ROWS = 512
"""Rows and columns of a tile: larger ones leave the processor's cache."""


@dataclass(frozen=True, eq=False)
class TiledKernel:
    """`infinite_gram` and `output_covariance` of inputs, for products only.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d).
    precision
        Of the tiles: float32 takes less than half the time and leaves entries 1e-6 of the largest.
    rows
        Rows and columns of a tile; like the number of cores, it changes results by rounding only.

    """

    x: Inputs
    precision: Literal["float32", "float64"] = "float64"
    rows: int = _ROWS

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

        def share(first: int) -> Block:
            """Products of every so many-th strip, from the diagonal to the right."""
            result = np.zeros_like(block)
            for rows in strips[first::workers]:
                for columns in strips[strips.index(rows) :]:
                    cosine, angle = angles(units[rows], units[columns])
                    if rows == columns:
                        np.fill_diagonal(cosine, 1.0)
                        np.fill_diagonal(angle, 0.0)
                    entries = entry(cosine, angle)
                    result[rows] += entries @ scaled[columns]
                    if rows != columns:
                        result[columns] += entries.T @ scaled[rows]
            return result

        workers = min(len(os.sched_getaffinity(0)), len(strips))
        with ThreadPoolExecutor(workers) as pool:  # NumPy lets other threads run meanwhile
            result = sum(pool.map(share, range(workers)))
        return np.asarray(self._norms[:, None] * result)
