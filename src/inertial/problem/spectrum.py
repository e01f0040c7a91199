r"""The spectrum of a kernel matrix: its two ends cheaply, or all of it with the basis.

In the basis of eigenvectors the linearised residual falls apart into n independent modes; the
smallest and largest eigenvalue alone decide step size and momentum in the published rules.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial._types import Eigenvalues, Gram

_DENSE_BELOW = 1500
"""Below this n all eigenvalues are cheaper than a factorisation and Lanczos."""

_TOLERANCE = 1e-7
"""Relative residual at which Lanczos stops."""


@dataclass(frozen=True)
class Extremes:
    """Smallest and largest eigenvalue, each with a bound on its error.

    A symmetric matrix has an eigenvalue within ``|H v - l v|`` of l for every unit vector v
    (Parlett 1980, theorem 4.5.1); `smallest_error` and `largest_error` are these residual norms,
    plus the rounding of a product with H.  That it is the outermost one rests on Lanczos having
    started from a random vector.  Errors are those of the matrix as given: two rows at an angle t
    leave the smallest eigenvalue with a relative error of up to ``eps / t^2`` from its entries.
    """

    smallest: float
    largest: float
    smallest_error: float
    largest_error: float
    size: int

    @property
    def condition_number(self) -> float:
        """Largest over smallest eigenvalue; infinite when the matrix is singular to rounding."""
        return np.inf if self.singular else self.largest / self.smallest

    @property
    def singular(self) -> bool:
        """Whether the smallest eigenvalue is below n times the rounding of the largest."""
        return self.smallest <= self.size * float(np.finfo(np.float64).eps) * self.largest


@dataclass(frozen=True)
class Spectrum:
    """All eigenvalues in ascending order and the orthonormal basis, one eigenvector a column."""

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
        return _ends(self.eigenvalues)


def decompose(gram: Gram, *, overwrite: bool = False) -> Spectrum:
    """All eigenvalues and eigenvectors of a symmetric matrix (LAPACK, divide and conquer).

    `overwrite` lets the decomposition use the memory of `gram`, which holds no matrix afterwards.
    """
    eigenvalues, basis = scipy.linalg.eigh(
        _finite(gram), driver="evd", overwrite_a=overwrite, check_finite=False
    )
    return Spectrum(eigenvalues, basis)


def extremes(gram: Gram) -> Extremes:
    """Smallest and largest eigenvalue without a full decomposition.

    Lanczos for the largest; for the smallest a Cholesky factorisation and Lanczos on the inverse.
    One matrix of the size of `gram` is held besides it.  A matrix that has no factorisation is
    singular to rounding: its smallest eigenvalue is returned as 0, with the rounding as error.
    """
    size = gram.shape[0]
    if size < _DENSE_BELOW:
        return _ends(scipy.linalg.eigvalsh(_finite(gram), check_finite=False))
    largest, largest_error = _lanczos(_finite(gram))
    try:
        factor = scipy.linalg.cho_factor(gram, lower=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        rounding = float(size * np.finfo(np.float64).eps * largest)
        return Extremes(0.0, largest, rounding, largest_error, size)
    inverse = scipy.sparse.linalg.LinearOperator(
        gram.shape,
        matvec=lambda v: scipy.linalg.cho_solve(factor, v, check_finite=False),
        dtype=np.float64,
    )
    smallest, smallest_error = _lanczos(gram, inverse)
    return Extremes(min(smallest, largest), largest, smallest_error, largest_error, size)


def _ends(eigenvalues: Eigenvalues) -> Extremes:
    """Both ends of all eigenvalues, with the backward error of a decomposition as bound."""
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    error = len(eigenvalues) * float(np.finfo(np.float64).eps) * largest
    return Extremes(smallest, largest, error, error, len(eigenvalues))


def _lanczos(
    gram: Gram, inverse: scipy.sparse.linalg.LinearOperator | None = None
) -> tuple[float, float]:
    """Return the largest eigenvalue, or with `inverse` the smallest, and its residual norm.

    An eigenvalue's error is the square of its vector's, so Lanczos may stop early; two steps of
    inverse iteration then clear the vector of the large eigenvalues, which blow up the residual.
    """
    start = np.random.default_rng(0).standard_normal(gram.shape[0])
    operator = gram if inverse is None else inverse
    _, vectors = scipy.sparse.linalg.eigsh(operator, k=1, which="LA", v0=start, tol=_TOLERANCE)
    vector = vectors[:, 0]
    for _ in range(2):
        vector = operator @ vector
        vector = vector / np.linalg.norm(vector)
    image = gram @ vector
    value = float(vector @ image)
    rounding = len(vector) * float(np.finfo(np.float64).eps) * float(np.linalg.norm(image))
    return value, float(np.linalg.norm(image - value * vector)) + rounding


def _finite(gram: Gram) -> Gram:
    if not np.isfinite(gram).all():
        raise InvalidInput(
            "the kernel matrix holds NaN or infinity; check the inputs it was built from."
        )
    return gram
