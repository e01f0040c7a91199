r"""Both ends of a kernel's spectrum, without all of it.

The largest eigenvalue comes from Lanczos.  For the smallest a Cholesky factor in single precision
is inverse enough: with it, each residual :math:`r = H u - \theta u` gives a direction
:math:`(H - \sigma I)^{-1} r` to extend the space by, in which H itself, in double precision, has
its Ritz values (Davidson 1975, "The iterative calculation of a few of the lowest eigenvalues").
With the exact inverse this is Lanczos on it.  The residuals of several Ritz values go together:
a pass over the factor and one over H, which take the time, serve them all.  The shift
:math:`\sigma` is 0, unless the steps that found the largest eigenvalue show where the spectrum
begins: then a shift just below takes apart what is crowded there.

What is found is proven by one factorisation in double precision just below it, and at the top by

.. math:: \lambda_2^2 \le \sum_{k \ge 2} \lambda_k^2 \le |H|_F^2 - \theta_1^2 - 2 |r|^2

where that is below :math:`\theta_1^2`, or else by one factorisation as well.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.linalg.blas import dtrsv

from inertial._types import Gram
from inertial.linear.kernel import tiles
from inertial.linear.lanczos import lanczos, product_with
from inertial.linear.spectrum import Extremes, ends_of, finite

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

DENSE_BELOW = 1500
"""Below this n all eigenvalues are cheaper than a factorisation and Lanczos."""

_TOLERANCE = 1e-8
"""Relative accuracy asked of both ends."""

_COARSE = 1e-2
"""Relative residual at which Lanczos on an inverse stops; the next shift does the rest."""

_BACK = 0.98
"""Where the beginning of the spectrum was taken to be too high, what is left of it."""

_CLUSTER = 3
"""Residuals that the outermost eigenvalue may be away: in a cluster it need not be the nearest."""

_STEPS = 40
"""Vectors of a space before it is restarted: about as long as one factorisation."""

_LOOK = 10
"""Lanczos steps between two looks at both ends."""

_BEGINNING = 60
"""Lanczos steps in which the beginning of the spectrum is looked for, where it shows."""

_RESTARTS = 20
"""Restarts after which all eigenvalues are cheaper than going on."""

_MOST = 160
"""Vectors of a space from which an end is taken, at most: about as long as half a factorisation."""

_BLOCK = 8
"""Vectors that the space of the smallest eigenvalue grows by in one pass over the matrix."""

_LARGEST = 46_340
"""Rows up to which LAPACK's 32-bit numbers count the entries of a packed triangle."""

_PANEL = 512
"""Columns of a triangle that are packed at once."""

_NOTHING_LEFT = 1e-13
"""A new direction this much shorter than it was is rounding: the space is spent."""

Vector = Float[np.ndarray, "n"]
Block = Float[np.ndarray, "n _"]


class _NotPositiveError(Exception):
    """The matrix is no kernel matrix: it has an eigenvalue below zero by more than rounding."""


def extremes(gram: Gram, *, inside: bool = False, proven: bool = True) -> Extremes:
    """Smallest and largest eigenvalue without a full decomposition.

    Factorisations in double precision prove both.  A factor takes one triangle of a symmetric
    matrix, and the other one keeps the matrix: so one array is held, and a quarter of one for the
    factor in single precision.  A matrix that has no factorisation, but has one when a few
    roundings are added to its diagonal, is singular to rounding: its smallest eigenvalue is
    returned as 0, with these roundings as error.  A matrix that is not positive to rounding is
    decomposed in full.

    Parameters
    ----------
    gram
        Symmetric matrix, shape (n, n).
    inside
        Work inside `gram`, which is as before afterwards, instead of in a copy.
    proven
        Whether to prove that nothing lies beyond the ends; if not, the errors are norms of
        residuals, within which there is an eigenvalue, and the time is about half.

    """
    size = finite(gram).shape[0]
    if size < DENSE_BELOW:
        return ends_of(scipy.linalg.eigvalsh(gram, check_finite=False))
    from scipy.sparse.linalg import ArpackError

    matrix = _Triangles(gram if inside else np.array(gram))
    try:
        top = _top(matrix.array)
        largest_error = _above(matrix, top, proven=proven)
        smallest, smallest_error, certain = _smallest(matrix, top.beginning, proven=proven)
    except (ArpackError, _NotPositiveError):
        matrix.restore()
        return ends_of(scipy.linalg.eigvalsh(matrix.array, check_finite=False))
    finally:
        matrix.restore()
    return Extremes(
        min(smallest, top.value),
        top.value,
        smallest_error,
        largest_error,
        size,
        proven and certain,
    )


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


class _Top(NamedTuple):
    """Largest Ritz value, its residual norm, an estimate of its error, and a shift for the others.

    `beginning` is a little below the smallest eigenvalue if the steps show it, else 0.
    """

    value: float
    residual: float
    estimate: float
    beginning: float


def _top(array: Gram) -> _Top:
    """Take Lanczos steps until the largest Ritz value is accurate, and look at the smallest.

    At an edge that is filled, its error falls as 1 over the squared steps.  The last two thirds of
    them then take away eight times what is left: as far below it the shift lies, since the fall
    may also be less steady.
    """
    size, found, product = len(array), None, product_with(array)
    most = min(_MOST, size)
    for steps in range(min(_LOOK, most), most + 1, _LOOK):
        found = lanczos(product, _anywhere(size), steps, resume=found)
        values, _, residuals = found.nodes()
        value, residual = float(values[-1]), float(residuals[-1])
        estimate = _estimated(residual, value - float(values[-2]) if len(values) > 1 else 0.0)
        lowest = float(values[0])
        fell = float(found.nodes(found.steps // 3 or 1)[0][0]) - lowest
        shows = 2 * fell < lowest
        accurate = estimate <= _TOLERANCE * value
        if found.steps < steps or (accurate and not (shows and steps < _BEGINNING)):
            break
    return _Top(value, residual, estimate, lowest - fell if shows else 0.0)


def _estimated(residual: float, gap: float) -> float:
    """Error of a Ritz value with this residual norm and distance to the next one."""
    return min(residual, residual**2 / gap) if gap else residual


class _End(NamedTuple):
    """A smallest Ritz value, its residual norm, and an estimate of its error."""

    value: float
    residual: float
    estimate: float


def _bottom(
    product: Callable[[Block], Block], inverse: Callable[[Block], Block], size: int
) -> _End:
    """Smallest Ritz value of a space that grows by residuals times an approximate inverse."""
    most = min(size, _MOST)
    basis, images, small = np.empty((size, most)), np.empty((size, most)), np.zeros((most, most))
    end, count = _End(np.nan, np.inf, np.inf), 0
    residuals = _anywhere(size, min(size, _BLOCK))
    while count < most:
        following = _new(inverse(residuals), basis[:, :count])[:, : most - count]
        if not following.size:
            break
        fresh = slice(count, count + following.shape[1])
        count = fresh.stop
        basis[:, fresh], images[:, fresh] = following, product(following)
        small[:count, fresh] = basis[:, :count].T @ images[:, fresh]
        small[fresh, :count] = small[:count, fresh].T
        values, vectors = scipy.linalg.eigh(
            small[:count, :count], subset_by_index=(0, min(count, _BLOCK) - 1), check_finite=False
        )
        residuals = images[:, :count] @ vectors - values * (basis[:, :count] @ vectors)
        lengths = np.linalg.norm(residuals, axis=0)
        gap = float(values[1] - values[0]) if len(values) > 1 else 0.0
        end = _End(float(values[0]), float(lengths[0]), _estimated(float(lengths[0]), gap))
        # As many times below what is asked as the proof then leaves room for.
        if 2 * _CLUSTER * end.estimate <= _TOLERANCE * abs(end.value):
            break
        residuals = residuals[:, lengths > 0] / lengths[lengths > 0]
    return end


def _new(block: Block, basis: Block) -> Block:
    """Orthonormal columns that span what a block adds to a basis."""
    block = block / np.linalg.norm(block, axis=0)
    for _ in range(2):
        block = block - basis @ (basis.T @ block)
        block, upper, _ = scipy.linalg.qr(block, mode="economic", pivoting=True, check_finite=False)
        block = block[:, np.abs(np.diag(upper)) > _NOTHING_LEFT]
    return block


class _Single:
    """A Cholesky factor in single precision, of a quarter of the memory of the matrix.

    Its triangle is stored in LAPACK's rectangular full packed format (Gustavson, Wasniewski,
    Dongarra and Langou 2010, "Rectangular full packed format for Cholesky's algorithm").
    """

    def __init__(self, packed: Float[np.ndarray, "_"], size: int, scale: float) -> None:
        self.packed, self.size, self.scale = packed, size, scale

    @classmethod
    def of(cls, gram: Gram, shift: float) -> "_Single | None":
        """Factorise ``H - shift I``; none if that fails, or has more entries than LAPACK counts."""
        size = len(gram)
        if size > _LARGEST:
            return None
        scale = float(np.diag(gram).max())
        packed = _packed(gram, shift, scale).ravel()
        packed, failed = scipy.linalg.lapack.spftrf(size, packed, uplo="L", overwrite_a=1)
        if failed or not np.isfinite(packed).all():
            return None
        return cls(packed, size, scale)

    def solve(self, block: Block) -> Block:
        """Return the approximate inverse times a block of vectors."""
        right = np.array(block, np.float32, order="F")
        found, _ = scipy.linalg.lapack.spftrs(self.size, self.packed, right, uplo="L")
        return np.asarray(found, np.float64) / self.scale


def _packed(gram: Gram, shift: float, scale: float) -> Float[np.ndarray, "_ _"]:
    """Lower triangle of ``(H - shift I) / scale`` as LAPACK packs it: columns are rows here.

    Column c < h = n - n // 2 of the triangle begins in its row c, or one below where n is even.
    Above it lies the transpose of the triangle from row h on.
    """
    size = len(gram)
    half, odd = size - size // 2, size % 2
    even = 1 - odd
    found = np.empty((half, size + even), np.float32)
    for columns in tiles(half, _PANEL):
        first, end = columns.start, columns.stop
        found[columns, end + even :] = gram[columns, end:] / scale
        found[columns, :first] = (
            gram[half + first - odd : half + end - odd, half : half + first] / scale
        )
        column, row = np.arange(first, end)[:, None], np.arange(first, end + even)[None, :]
        below = row - even >= column
        left = np.where(below, column, half + column - odd)
        right = np.where(below, row - even, np.minimum(half + row, size - 1))
        found[columns, first : end + even] = gram[left, right] / scale
    upper, lower = np.arange(half), np.arange(size - half)
    found[upper, upper + even] -= np.float32(shift / scale)
    found[lower + odd, lower] -= np.float32(shift / scale)
    return found


def _above(matrix: _Triangles, top: _Top, *, proven: bool) -> float:
    """Bound the error of the largest eigenvalue."""
    size, array, value = len(matrix.diagonal), matrix.array, top.value
    if value <= 0:
        raise _NotPositiveError
    eps = float(np.finfo(np.float64).eps)
    square = float(np.vdot(array, array))
    inaccurate = size * eps * float(np.sqrt(square))
    left = max(0.0, square - value**2 - 2 * top.residual**2)
    others = float(np.sqrt(left + size * eps * square))
    if others < value:
        # The larger eigenvalue of [[value, residual], [residual, others]].
        return top.residual**2 / (value - others) + inaccurate
    if not proven:
        return top.residual + inaccurate
    rounding = _rounding(size * value, size)
    margin = _CLUSTER * top.estimate + rounding
    while matrix.factorise(value + margin, sign=-1) is None:
        margin *= 10
    matrix.restore()
    return margin + rounding


def _smallest(matrix: _Triangles, beginning: float, *, proven: bool) -> tuple[float, float, bool]:
    """Return the smallest eigenvalue, a bound on its error, and whether it is proven.

    Each factorisation in double precision proves that nothing lies below its shift.  Where the
    value is not close enough to the shift, Lanczos on the inverse there goes on: it separates
    eigenvalues by their distance from the shift, so a cluster falls apart once the shift is as
    close to it as the cluster is wide.  Each pass takes the distance down by a factor of 0.03 or
    far more.
    """
    size = len(matrix.diagonal)
    rounding = _rounding(float(matrix.diagonal.sum()), size)
    low, factor, value = 0.0, None, np.nan
    shift, single = beginning, _Single.of(matrix.array, beginning)
    while single is None and shift:  # a shift above the smallest eigenvalue
        shift = _BACK * shift if shift == beginning else 0.0
        single = _Single.of(matrix.array, shift)
    if single is not None:
        end = _bottom(lambda block: matrix.array @ block, single.solve, size)
        if not proven and end.residual < _COARSE * end.value:
            return end.value, end.residual + rounding, False
        value = end.value
        del single
        low, factor = _below(matrix, value, _CLUSTER * end.estimate + rounding, low)
    if factor is None:
        factor, value = matrix.factorise(0.0), np.nan
    if factor is None:
        if matrix.factorise(-2 * rounding) is None:
            raise _NotPositiveError
        return 0.0, 3 * rounding, True
    while not value - low <= _TOLERANCE * value + 2 * rounding:
        inverse_value, residual = _lanczos(_inverse(factor), _COARSE)
        value = low + 1 / inverse_value
        margin = _CLUSTER * residual / inverse_value**2 + rounding
        closer, factor = _below(matrix, value, margin, low)
        if factor is None:
            break
        low = closer
    # Twice: once for the factorisation, once for the solves with it.
    return value, value - low + 2 * rounding, True


def _below(
    matrix: _Triangles, value: float, margin: float, low: float
) -> tuple[float, Gram | None]:
    """Factorise at a shift below a value by a margin, or ten times it, ..., above `low`."""
    while value - margin > low:
        factor = matrix.factorise(value - margin)
        if factor is not None:
            return value - margin, factor
        margin *= 10
    return low, None


def _anywhere(*shape: int) -> Float[np.ndarray, "..."]:
    return np.random.default_rng(0).standard_normal(shape)


def _rounding(trace: float, size: int) -> float:
    """Bound the backward error of a factorisation of a positive matrix (Rump 2006).

    And that of two solves with its factor, or of a product with it: the trace of a positive matrix
    is above the norm of the matrix and of its modulus.
    """
    return size * float(np.finfo(np.float64).eps) * trace


def _inverse(factor: Gram) -> "LinearOperator":
    """Multiply by the inverse of ``L L^T``; for one vector faster than `scipy.linalg.cho_solve`."""
    from scipy.sparse.linalg import LinearOperator

    def solve(vector: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        half = dtrsv(factor, vector, lower=1)
        return np.asarray(dtrsv(factor, half, lower=1, trans=1))

    return LinearOperator(factor.shape, matvec=solve, dtype=np.float64)


def _lanczos(operator: "LinearOperator", tolerance: float) -> tuple[float, float]:
    """Return the largest eigenvalue and the norm of its vector's residual."""
    from scipy.sparse.linalg import eigsh

    size = operator.shape[0]
    values, vectors = eigsh(
        operator,
        k=1,
        which="LA",
        v0=_anywhere(size),
        ncv=min(size, _STEPS),
        maxiter=_RESTARTS,
        tol=tolerance,
    )
    value, vector = float(values[0]), vectors[:, 0]
    return value, float(np.linalg.norm(operator @ vector - value * vector))
