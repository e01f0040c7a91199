r"""The spectrum of a kernel matrix: its two ends cheaply, or all of it with the basis.

In the basis of eigenvectors the linearised residual falls apart into n independent modes; the
smallest and largest eigenvalue alone decide step size and momentum in the published rules.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from jaxtyping import Float
from scipy.linalg.blas import dtrsv

from inertial._checks import InvalidInput
from inertial._types import Eigenvalues, Gram
from inertial.linear.kernel import tiles

DENSE_BELOW = 1500
"""Below this n all eigenvalues are cheaper than a factorisation and Lanczos."""

_TOLERANCE = 1e-8
"""Relative accuracy asked of both ends."""

_COARSE = 1e-2
"""Relative residual at which Lanczos on an inverse stops; the next shift does the rest."""

_CLUSTER = 3
"""Residuals that the outermost eigenvalue may be away: in a cluster it need not be the nearest."""

_STEPS = 40
"""Lanczos vectors between restarts: about as long as one factorisation."""

_BLOCK = 256
"""Rows that are compared with columns at a time."""

_RESTARTS = 20
"""Restarts after which all eigenvalues are cheaper than going on."""


@dataclass(frozen=True)
class Extremes:
    """Smallest and largest eigenvalue, each with a bound on its error.

    No eigenvalue lies below ``smallest - smallest_error`` or above ``largest + largest_error``: a
    Cholesky factorisation at these shifts ran to its end, which proves ``H - s I`` or its negative
    positive definite up to a rounding that the errors include (Rump 2006, "Verification of positive
    definiteness").  After a full decomposition they are its backward error instead.  What rounding
    of the matrix's entries adds is included where it was given.

    Where `proven` is false, an eigenvalue lies within each error of its end, but others may lie
    beyond: they come from products with the matrix alone.
    """

    smallest: float
    largest: float
    smallest_error: float
    largest_error: float
    size: int
    proven: bool = True

    @property
    def condition_number(self) -> float:
        """Largest over smallest eigenvalue; infinite when the matrix is singular to rounding."""
        return np.inf if self.singular else self.largest / self.smallest

    @property
    def condition_error(self) -> float:
        """Bound on the error of the condition number."""
        if self.singular:
            return np.inf
        shares = self.largest_error / self.largest + self.smallest_error / self.smallest
        return self.condition_number * shares

    def with_entries(self, error: float) -> "Extremes":
        """Return the same ends with what entries that are off by a matrix of this norm add."""
        return replace(
            self,
            smallest_error=self.smallest_error + error,
            largest_error=self.largest_error + error,
        )

    @property
    def singular(self) -> bool:
        """Whether the smallest eigenvalue is below n times the rounding of the largest."""
        return self.smallest <= self.size * float(np.finfo(np.float64).eps) * self.largest


@dataclass(frozen=True)
class Spectrum:
    """All eigenvalues in ascending order and the orthonormal basis, one eigenvector per column."""

    eigenvalues: Eigenvalues
    basis: Float[np.ndarray, "n n"]

    def modes(self, residual: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "... n"]:
        """Coordinates of residuals in the eigenbasis: ``c_k = v_k . residual``."""
        return np.asarray(residual @ self.basis)

    def residual(self, modes: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "... n"]:
        """Residuals from their coordinates: the inverse of `modes`."""
        return np.asarray(modes @ self.basis.T)

    @property
    def extremes(self) -> Extremes:
        """Both ends of this spectrum."""
        return ends_of(self.eigenvalues)


class _NotPositiveError(Exception):
    """The matrix is no kernel matrix: it has an eigenvalue below zero by more than rounding."""


def decompose(gram: Gram, *, overwrite: bool = False) -> Spectrum:
    """All eigenvalues and eigenvectors of a symmetric matrix (LAPACK, divide and conquer).

    `overwrite` lets the decomposition use the memory of `gram`, which holds no matrix afterwards.

    Raises
    ------
    InvalidInput
        If the matrix holds NaN or infinity, or differs from its transpose by more than rounding.

    """
    eigenvalues, basis = scipy.linalg.eigh(
        _symmetric(_finite(gram)), driver="evd", overwrite_a=overwrite, check_finite=False
    )
    return Spectrum(eigenvalues, basis)


def extremes(gram: Gram, *, inside: bool = False) -> Extremes:
    """Smallest and largest eigenvalue without a full decomposition.

    Lanczos for the largest; for the smallest Lanczos on the inverse of ``H - s I`` with a shift s
    that moves up to it; Cholesky factorisations prove both.  A factor takes one triangle of a
    symmetric matrix, and the other one keeps the matrix: so one array is all that is held.  A
    matrix that has no factorisation, but has one when a few roundings are added to its diagonal, is
    singular to rounding: its smallest eigenvalue is returned as 0, with these roundings as error.
    A matrix that is not positive to rounding is decomposed in full.

    Parameters
    ----------
    gram
        Symmetric matrix, shape (n, n).
    inside
        Work inside `gram`, which is as before afterwards, instead of in a copy.

    """
    size = _finite(gram).shape[0]
    if size < DENSE_BELOW:
        return ends_of(scipy.linalg.eigvalsh(gram, check_finite=False))
    matrix = _Triangles(gram if inside else np.array(gram))
    try:
        largest, largest_error = _largest(matrix)
        smallest, smallest_error = _smallest(matrix)
    except (scipy.sparse.linalg.ArpackError, _NotPositiveError):
        matrix.restore()
        return ends_of(scipy.linalg.eigvalsh(matrix.array, check_finite=False))
    finally:
        matrix.restore()
    return Extremes(min(smallest, largest), largest, smallest_error, largest_error, size)


class _Triangles:
    """A symmetric matrix below the diagonal of an array, and factors above it."""

    def __init__(self, array: Gram) -> None:
        self.array = array
        self.diagonal = np.diag(array).copy()

    def restore(self) -> None:
        """Mirror the matrix back over a factor."""
        for rows in tiles(len(self.array)):
            for columns in tiles(len(self.array)):
                if columns.start > rows.start:
                    self.array[rows, columns] = self.array[columns, rows].T
            corner = self.array[rows, rows]
            corner[...] = np.tril(corner, -1) + np.tril(corner, -1).T
        self.array.flat[:: len(self.array) + 1] = self.diagonal

    def factorise(self, shift: float, sign: int = 1) -> Gram | None:
        """Cholesky factor of ``sign (H - shift I)``, above the diagonal; none if not positive."""
        self.restore()
        n = len(self.array)
        if sign < 0:
            for row in range(n):
                np.negative(self.array[row, row:], out=self.array[row, row:])
        self.array.flat[:: n + 1] = sign * (self.diagonal - shift)
        try:
            # Above the diagonal in this order is below it in LAPACK's: nothing is copied.
            factor, _ = scipy.linalg.cho_factor(
                self.array.T, lower=True, overwrite_a=True, check_finite=False
            )
        except scipy.linalg.LinAlgError:
            return None
        return np.asarray(factor)


def known(value: float, error: float, most: int = 6) -> str:
    """Write a number with the digits that its error leaves, at most `most`.

    The last digit is off by at most one half for the error and one half for rounding it.

    Examples
    --------
    >>> known(2.7848123e-08, 3e-12), known(1.5, 0.0), known(1e-12, 1e-11)
    ('2.785e-08', '1.5', 'below 2e-11')

    """
    if not error < abs(value) / 2:
        return f"below {abs(value) + error:.1g}" if math.isfinite(value) else f"{value:g}"
    digits = most
    if error > 0:
        digits = math.floor(math.log10(abs(value))) + 1 - math.ceil(math.log10(2 * error))
    return f"{value:.{max(1, min(most, digits))}g}"


def ends_of(eigenvalues: Eigenvalues) -> Extremes:
    """Both ends of all eigenvalues, with the backward error of a decomposition as bound."""
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    error = len(eigenvalues) * float(np.finfo(np.float64).eps) * max(largest, -smallest)
    return Extremes(smallest, largest, error, error, len(eigenvalues))


def _largest(matrix: _Triangles) -> tuple[float, float]:
    """Return the largest eigenvalue and a proven bound on its error."""
    value, residual = _lanczos(matrix.array, _TOLERANCE)
    if value <= 0:
        raise _NotPositiveError
    size = len(matrix.diagonal)
    rounding = _rounding(size * value, size)
    margin = _CLUSTER * residual + rounding
    while matrix.factorise(value + margin, sign=-1) is None:
        margin *= 10
    return value, margin + rounding


def _smallest(matrix: _Triangles) -> tuple[float, float]:
    """Return the smallest eigenvalue and a proven bound on its error.

    Lanczos separates eigenvalues by their distance from the shift, so a cluster falls apart once
    the shift is as close to it as the cluster is wide.  Each pass takes the distance down by a
    factor of 0.03 or far more, and its factorisation proves that nothing lies below.
    """
    rounding, proven = _rounding(float(matrix.diagonal.sum()), len(matrix.diagonal)), 0.0
    factor = matrix.factorise(proven)
    if factor is None:
        if matrix.factorise(-2 * rounding) is None:
            raise _NotPositiveError
        return 0.0, 3 * rounding
    while True:
        inverse_value, residual = _lanczos(_inverse(factor), _COARSE)
        value = proven + 1 / inverse_value
        margin = _CLUSTER * residual / inverse_value**2 + rounding
        factor = None
        while factor is None and value - margin > proven:
            shift = value - margin
            factor = matrix.factorise(shift)
            margin *= 10
        if factor is not None:
            proven = shift
        if factor is None or value - proven <= _TOLERANCE * value + 2 * rounding:
            # Twice: once for the factorisation, once for the solves with it.
            return value, value - proven + 2 * rounding


def _rounding(trace: float, size: int) -> float:
    """Bound the backward error of a factorisation of a positive matrix (Rump 2006).

    And that of two solves with its factor, or of a product with it: the trace of a positive matrix
    is above the norm of the matrix and of its modulus.
    """
    return size * float(np.finfo(np.float64).eps) * trace


def _inverse(factor: Gram) -> scipy.sparse.linalg.LinearOperator:
    """Multiply by the inverse of ``L L^T``; for one vector faster than `scipy.linalg.cho_solve`."""

    def solve(vector: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        half = dtrsv(factor, vector, lower=1)
        return np.asarray(dtrsv(factor, half, lower=1, trans=1))

    return scipy.sparse.linalg.LinearOperator(factor.shape, matvec=solve, dtype=np.float64)


def _lanczos(
    operator: Gram | scipy.sparse.linalg.LinearOperator, tolerance: float
) -> tuple[float, float]:
    """Return the largest eigenvalue and the norm of its vector's residual."""
    size = operator.shape[0]
    values, vectors = scipy.sparse.linalg.eigsh(
        operator,
        k=1,
        which="LA",
        v0=np.random.default_rng(0).standard_normal(size),
        ncv=min(size, _STEPS),
        maxiter=_RESTARTS,
        tol=tolerance,
    )
    value, vector = float(values[0]), vectors[:, 0]
    return value, float(np.linalg.norm(operator @ vector - value * vector))


def _finite(gram: Gram) -> Gram:
    if not np.isfinite(gram).all():
        raise InvalidInput(
            "the kernel matrix holds NaN or infinity; check the inputs it was built from."
        )
    return gram


def _symmetric(gram: Gram) -> Gram:
    """Return a matrix that is its transpose to n roundings of its largest entry."""
    largest = max(float(gram.max()), -float(gram.min()))
    allowed = len(gram) * float(np.finfo(np.float64).eps) * largest
    for first in range(0, len(gram), _BLOCK):
        rows = slice(first, first + _BLOCK)
        if np.abs(gram[rows] - gram[:, rows].T).max() > allowed:
            raise InvalidInput(
                "the kernel matrix is not symmetric; give one that equals its transpose, such as "
                "(H + H.T) / 2."
            )
    return gram
