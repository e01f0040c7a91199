r"""Eigenpairs, Gauss rules and the log-determinant from blocks of products with a matrix.

From a block B of k orthonormal columns, q products with H span
:math:`\{B, HB, \ldots, H^{q-1}B\}`; the eigenpairs of H in that space are its Ritz pairs (Golub and
Van Loan 2013, 10.3.6).  An eigenvalue of H lies within the residual norm of every Ritz value; those
at the top end have converged to rounding after few products.

.. math:: \log\det H = \mathrm{tr} \log H = E\, z^T (\log H)\, z

for random signs z, each term by the Gauss rule of Lanczos steps from z (Ubaru, Chen and Saad 2017,
"Fast estimation of tr(f(A)) via stochastic Lanczos quadrature").
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float

from inertial._checks import InvalidInput, one_of, whole
from inertial._types import Inputs
from inertial.linear.kernel import TILE, TiledKernel

Block = Float[np.ndarray, "n k"]
Product = Callable[[Block], Block]
"""From a block of columns to their products with H."""

_NOTHING_LEFT = 1e-13
"""A new direction this much shorter than H is large is rounding."""


@dataclass(frozen=True, eq=False)
class RitzPairs:
    """Ritz values, ascending, vectors as columns, and norms of ``H u - theta u``."""

    values: Float[np.ndarray, "m"]
    vectors: Float[np.ndarray, "n m"]
    residuals: Float[np.ndarray, "m"]

    def outside(self, block: Block) -> Block:
        """Return the part of a block that is orthogonal to all vectors."""
        for _ in range(2):
            block = block - self.vectors @ (self.vectors.T @ block)
        return block


def ritz_pairs(product: Product, start: Block, steps: int) -> RitzPairs:
    """Return the Ritz pairs of the block Krylov space of `steps` products.

    Parameters
    ----------
    product
        From a block of columns to their products with a symmetric H.
    start
        Columns that are linearly independent, shape (n, k), with ``k steps <= n``.
    steps
        Number q of products with a block.

    """
    (n, k), m = start.shape, start.shape[1] * steps
    basis, small = np.empty((n, m)), np.zeros((m, m))
    block = np.linalg.qr(start)[0]
    coupling = np.zeros((k, k))
    for step in range(steps):
        here = slice(step * k, (step + 1) * k)
        basis[:, here] = block
        image = product(block)
        small[here, here] = block.T @ image
        known = basis[:, : here.stop]
        for _ in range(2):  # once leaves what rounding makes of directions that have converged
            image = image - known @ (known.T @ image)
        block, coupling = np.linalg.qr(image)
        block = np.linalg.qr(block - known @ (known.T @ block))[0]
        if step + 1 < steps:
            beyond = slice(here.stop, here.stop + k)
            small[beyond, here], small[here, beyond] = coupling, coupling.T
    values, rotation = scipy.linalg.eigh((small + small.T) / 2, check_finite=False)
    residuals = np.linalg.norm(coupling @ rotation[m - k :], axis=0)
    return RitzPairs(values, basis @ rotation, residuals)


def gauss_rules(
    product: Product, starts: Block, steps: int
) -> tuple[Float[np.ndarray, "j"], Float[np.ndarray, "j"]]:
    """Nodes and weights of the Gauss rules of all columns together, each from its own Lanczos.

    The weights add up to the sum of the columns' squared norms.  A column whose modes are spent
    before has nodes 0 of weight 0.
    """
    squares = np.sum(starts**2, axis=0)
    count = starts.shape[1]
    diagonal, beyond = np.zeros((steps, count)), np.zeros((steps, count))
    vectors = [starts / np.sqrt(squares)]
    for step in range(steps):
        image = product(vectors[-1])
        diagonal[step] = np.sum(vectors[-1] * image, axis=0)
        for _ in range(2):
            for earlier in vectors:
                image = image - earlier * np.sum(earlier * image, axis=0)
        length = np.linalg.norm(image, axis=0)
        spent = length <= _NOTHING_LEFT * np.abs(diagonal).max(axis=0)
        beyond[step] = np.where(spent, 0.0, length)
        vectors.append(np.where(spent, 0.0, image / np.where(spent, 1.0, length)))
    rules = [scipy.linalg.eigh_tridiagonal(diagonal[:, j], beyond[:-1, j]) for j in range(count)]
    nodes = np.concatenate([values for values, _ in rules])
    weights = [square * first[0] ** 2 for square, (_, first) in zip(squares, rules, strict=True)]
    return nodes, np.concatenate(weights)


class Estimate(NamedTuple):
    """A mean over probes.

    Parameters
    ----------
    value
        The mean.
    error
        Its standard error, >= 0.

    """

    value: float
    error: float


def log_determinant(
    x: Inputs,
    *,
    probes: int = 16,
    steps: int = 60,
    seed: int = 0,
    rows: int = TILE,
    precision: Literal["float32", "float64"] = "float64",
) -> Estimate:
    """Estimate the log-determinant of `infinite_gram`, without an n x n array.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d).
    probes
        Random sign vectors, at least 2; the error falls with their square root.
    steps
        Lanczos steps from each; as many as resolve the smallest eigenvalues.
    seed
        Seed of the signs.
    rows
        Rows of a tile; it changes the result by rounding only.
    precision
        Of the tiles: float32 takes half the time, where no eigenvalue is below 1e-6 of the largest.

    Returns
    -------
    Estimate
        Value and standard error.

    Raises
    ------
    InvalidInput
        If a count is out of range, or the kernel is singular in this precision.

    """
    whole("probes", probes, least=2)
    n = len(x)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (n, probes))
    kernel = TiledKernel(x, one_of("precision", precision, ("float32", "float64")), rows)
    count = min(whole("steps", steps), n)
    nodes, weights = gauss_rules(kernel.product, signs, count)
    least = float(np.finfo(precision).eps) * nodes.max()
    if (nodes[weights > 0] <= least).any():
        raise InvalidInput(
            f"the kernel is singular in {precision}, so that its determinant is not known from 0; "
            "leave out rows that are multiples of others, or add a little noise to them."
        )
    logarithms = np.log(np.where(weights > 0, nodes, 1.0))
    terms = (weights * logarithms).reshape(probes, count).sum(axis=1)
    return Estimate(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(probes)))
