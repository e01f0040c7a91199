r"""The spectrum of a kernel matrix: its two ends, or all of it with the basis.

In the basis of eigenvectors the linearised residual falls apart into n independent modes; the
smallest and largest eigenvalue alone decide step size and momentum in the published rules.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial._types import Eigenvalues, Gram

_BLOCK = 256
"""Rows that are compared with columns at a time."""


@dataclass(frozen=True)
class Extremes:
    """Smallest and largest eigenvalue, each with a bound on its error.

    No eigenvalue lies below ``smallest - smallest_error`` or above ``largest + largest_error``: a
    Cholesky factorisation at these shifts ran to its end, which proves ``H - s I`` or its negative
    positive definite up to a rounding that the errors include (Rump 2006, "Verification of positive
    definiteness"); or, at the top, all other eigenvalues together are smaller.  After a full
    decomposition they are its backward error instead.  What rounding of the matrix's entries adds
    is included where it was given.

    Parameters
    ----------
    smallest, largest
        The eigenvalues; below zero by rounding at most for a kernel.
    smallest_error, largest_error
        Bounds on their errors, >= 0, in the unit of the eigenvalues.
    size
        Rows of the matrix.
    proven
        False where the eigenvalues come from products with the matrix alone: one lies within each
        error of its end, but others may lie beyond.

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


@dataclass(frozen=True, repr=False)
class Spectrum:
    """A full decomposition.

    Parameters
    ----------
    eigenvalues
        All n, ascending.
    basis
        Orthonormal eigenvectors, one in each column.

    """

    eigenvalues: Eigenvalues
    basis: Float[np.ndarray, "n n"]

    def __repr__(self) -> str:
        low, high = self.eigenvalues[0], self.eigenvalues[-1]
        return f"Spectrum({len(self.eigenvalues)} eigenvalues from {low:.4g} to {high:.4g})"

    def modes(self, residual: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "... n"]:
        """Coordinates of residuals in the eigenbasis: ``c_k = v_k . residual``."""
        if residual.shape[-1] != len(self.basis):
            raise InvalidInput(
                f"the residual has {residual.shape[-1]} entries and the kernel {len(self.basis)} "
                "rows; give one residual for each row."
            )
        return np.asarray(residual @ self.basis)

    def residual(self, modes: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "... n"]:
        """Residuals from their coordinates: the inverse of `modes`."""
        return np.asarray(modes @ self.basis.T)

    @property
    def extremes(self) -> Extremes:
        """Both ends of this spectrum."""
        return ends_of(self.eigenvalues)


def decompose(gram: Gram, *, overwrite: bool = False) -> Spectrum:
    """All eigenvalues and eigenvectors of a symmetric matrix (LAPACK, divide and conquer).

    `overwrite` lets the decomposition use the memory of `gram`, which holds no matrix afterwards.

    Raises
    ------
    InvalidInput
        If the matrix holds NaN or infinity, or differs from its transpose by more than rounding.

    """
    eigenvalues, basis = scipy.linalg.eigh(
        _symmetric(finite(gram)), driver="evd", overwrite_a=overwrite, check_finite=False
    )
    return Spectrum(eigenvalues, basis)


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


def finite(gram: Gram) -> Gram:
    """Return a matrix whose entries are finite.

    Raises
    ------
    InvalidInput
        If one is not.

    """
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
