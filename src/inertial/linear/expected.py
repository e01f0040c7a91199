r"""The measure of a data set at infinite width, expected over the network's random start.

The outputs at the start have mean zero and covariance :math:`\Sigma` (`output_covariance`), so the
residual :math:`f(w_0) - y` has, on the eigenvectors v_k of the kernel,

.. math:: E\,(v_k \cdot \xi_0)^2 = (v_k \cdot y)^2 + v_k^T \Sigma v_k,

which add up to :math:`\tfrac{1}{2} \sum |x_i|^2 + |y|^2`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import numpy as np
import scipy.linalg
from jaxtyping import Float

from inertial._checks import InvalidInput, significant
from inertial._memory import available, check_memory
from inertial._types import Eigenvalues, Gram, Inputs, Targets
from inertial.data import Data, antiparallel_rows, parallel_rows
from inertial.linear.ends import extremes
from inertial.linear.kernel import TiledKernel, entry_error, infinite_gram, output_covariance, tiles
from inertial.linear.krylov import Product, RitzPairs, gauss_rules, ritz_pairs
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Extremes, Spectrum, decompose

_COPIES = 3
"""n x n arrays alive at once while a kernel is decomposed, at least."""

_NAMED = 3
"""Pairs of rows that an error message names."""


_FULL_BELOW = 2000
"""Below this n a full decomposition is as cheap as the block Krylov space."""

_BLOCK = 32
"""Columns of the block Krylov space: y and random outputs."""

_STEPS = 16
"""Products with a block: at n = 2,000 twice as many change step counts by one at most."""

_SAMPLES, _SAMPLE_STEPS = 8, 8
"""Random outputs that show where the weight outside the space lies, and products with each."""

_NEURONS = 16
"""Width of the random networks; their outputs' covariance is the same at any."""

FULL_SECONDS = 2e-9
"""Seconds of a full decomposition, over n^3, on a slow core."""

_TIMED = 1024
"""Rows on which a pass over the kernel is timed."""

_ARRAYS = 4
"""Arrays as large as the space's basis that are held at once, at most."""

_SHARE = 0.8
"""Share of the memory there is that an n x n array and the vectors may take."""

_TILED = "kernel, tile by tile"
"""What is being done where products are computed anew."""


def measure_of(data: Data, *, progress: Callable[[str, int, int], None] | None = None) -> Measure:
    r"""Return the expected measure of `data`, and both ends of its kernel's spectrum.

    Below 2,000 rows from a full decomposition, exact at every step.  Above, from the Ritz pairs of
    the block Krylov space of y and random outputs: weights of converged pairs are exact, the
    weight left over, ``tr Sigma - sum u' Sigma u``, is exact in sum and spread over the nodes of
    random outputs outside that space.  Losses are then off by a few thousandths, and an eigenvalue
    lies within each end's error, without proof that it is the outermost one (`extremes` proves it).
    Beyond the memory for one n x n array, tiles are computed as they are needed, in single
    precision, and the smallest eigenvalue may lie far below the smallest Ritz value.  That takes
    long, and `progress` is told what is done, how much of it, and of how much.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding; the message names the rows that make it so.  If not
        even the vectors fit into memory.

    """
    match _route(data.x)[0]:
        case "dense":
            return spectrum_of(data)[1]
        case "held":
            gram = infinite_gram(data.x)
            ends = checked_ends(extremes(gram, inside=True, proven=False), data.x)
            kernel = TiledKernel(data.x, "float32")
            return _from_blocks(data, lambda block: gram @ block, kernel, ends)
        case "tiled":
            kernel = TiledKernel(data.x, "float32", passed=_counting(progress))
            return _from_blocks(data, kernel.product, kernel, None)


def _counting(
    progress: Callable[[str, int, int], None] | None,
) -> Callable[[float], None] | None:
    """Count products of vectors with the kernel, of all that `_from_blocks` takes."""
    if progress is None:
        return None
    every = 2 * _BLOCK * _STEPS + _SAMPLES * _SAMPLE_STEPS
    done, lock = 0.0, Lock()

    def count(part: float) -> None:
        nonlocal done
        with lock:  # strips are multiplied in several threads
            done += part
            progress(_TILED, int(done), every)

    return count


@dataclass(frozen=True)
class Need:
    """What `measure_of` will take: how the kernel is treated, bytes of memory, and seconds."""

    route: Literal["dense", "held", "tiled"]
    bytes: float
    seconds: float

    def __str__(self) -> str:
        how = "tile by tile" if self.route == "tiled" else "as one array"
        return (
            f"about {self.bytes / 2**30:.2g} GiB of memory and {max(1.0, self.seconds / 60):.2g} "
            f"minutes, with the kernel {how}"
        )


def need_of(x: Inputs) -> Need:
    """Say what `measure_of` will take on these inputs, from one tile timed on this machine.

    Raises
    ------
    InvalidInput
        If not even the vectors fit into memory; the message has the number of rows that do.

    """
    route, memory = _route(x)
    n, rows = len(x), min(len(x), _TIMED)
    if route == "dense":
        return Need(route, memory, n**3 * FULL_SECONDS)
    kernel = TiledKernel(x[:rows], "float64" if route == "held" else "float32")
    kernel.product(np.ones((rows, 1)))  # the first pass meets cold memory
    passing = _seconds(lambda: kernel.product(np.ones((rows, _BLOCK)))) * (n / rows) ** 2
    if route == "tiled":
        return Need(route, memory, (2 * _STEPS + _SAMPLE_STEPS) * passing)
    square = np.ones((rows, rows))
    multiplying = _seconds(lambda: square @ square) * (n / rows) ** 3
    # Half a factorisation of n^3 / 3 with its solves, and products with every vector of the space.
    return Need(route, memory, (1 / 6 + 2 * _BLOCK * _STEPS / n) * multiplying + 2 * passing)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _route(x: Inputs) -> tuple[Literal["dense", "held", "tiled"], float]:
    """Choose by the number of rows and the memory, in bytes; refuse what has no room."""
    n, d = x.shape
    memory = available()
    if n < _FULL_BELOW:
        return "dense", 24.0 * n**2
    vectors = 8.0 * n * (_ARRAYS * _BLOCK * _STEPS + 2 * d)
    if vectors > memory:
        raise InvalidInput(
            f"the vectors of {n:,} rows need {significant(vectors / 2**30)} GiB of memory and "
            f"there are {memory / 2**30:.3g} for them; take at most "
            f"{int(n * memory / vectors):,} rows with --n."
        )
    whole = vectors + 8.0 * n**2
    return ("held", whole) if whole <= _SHARE * memory else ("tiled", vectors)


def _from_blocks(
    data: Data, product: Product, kernel: TiledKernel, ends: Extremes | None
) -> Measure:
    """Build the measure from Ritz pairs, with what is left outside their space."""
    rng = np.random.default_rng(0)
    starts = np.column_stack([data.y, _outputs(data.x, _BLOCK - 1, rng)])
    pairs = ritz_pairs(product, starts, _STEPS)
    weights = (data.y @ pairs.vectors) ** 2 + kernel.spread(pairs.vectors)
    left = max(0.0, float(data.y @ data.y) + kernel.trace - float(weights.sum()))
    outside = pairs.outside(_outputs(data.x, _SAMPLES, rng))
    nodes, shares = gauss_rules(lambda block: pairs.outside(product(block)), outside, _SAMPLE_STEPS)
    nodes = np.concatenate([pairs.values, nodes])
    weights = np.concatenate([weights, left / shares.sum() * shares])
    order = np.argsort(nodes)
    if ends is None:
        ends = _ritz_ends(pairs)
    return Measure(nodes[order], weights[order], ends, proven=0)


def _ritz_ends(pairs: RitzPairs) -> Extremes:
    """Outermost Ritz values with their residual norms, and the rounding of the tiles."""
    rounding = float(np.finfo(np.float32).eps) * float(pairs.values[-1])
    low, high = pairs.residuals[[0, -1]] + rounding
    return Extremes(
        float(pairs.values[0]),
        float(pairs.values[-1]),
        float(low),
        float(high),
        len(pairs.vectors),
        proven=False,
    )


def _outputs(x: Inputs, count: int, rng: np.random.Generator) -> Float[np.ndarray, "n k"]:
    """Return outputs of `count` random networks: their covariance is that of any width."""
    w = rng.standard_normal((x.shape[1], count * _NEURONS))
    signs = rng.choice([-1.0, 1.0], (count, _NEURONS)) / np.sqrt(_NEURONS)
    outputs = np.empty((len(x), count))
    for rows in tiles(len(x)):
        active = np.maximum(x[rows] @ w, 0).reshape(-1, count, _NEURONS)
        outputs[rows] = np.einsum("ijk,jk->ij", active, signs)
    return outputs


def eigenvalues_of(data: Data) -> Eigenvalues:
    """All eigenvalues of the kernel of `data`, ascending, from a full decomposition."""
    gram = infinite_gram(data.x)
    return np.asarray(scipy.linalg.eigvalsh(gram, overwrite_a=True, check_finite=False))


def spectrum_of(data: Data) -> tuple[Spectrum, Measure]:
    """Decompose the kernel of `data`; return its eigenvectors as well as the expected measure.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding; the message names the rows that make it so.

    """
    check_memory(_COPIES * 8 * len(data.y) ** 2, "take fewer rows, with --n")
    spectrum = decompose(infinite_gram(data.x), overwrite=True)
    ends = checked_ends(spectrum.extremes, data.x)
    weights = expected_weights(spectrum, data.y, output_covariance(data.x))
    return spectrum, Measure(spectrum.eigenvalues, weights, ends)


def expected_weights(
    spectrum: Spectrum, targets: Targets, covariance: Gram
) -> Float[np.ndarray, "n"]:
    """Return the expected squared modal coordinates of the residual at the random start."""
    spread = np.einsum("ik,ik->k", spectrum.basis, covariance @ spectrum.basis)
    return np.asarray(spectrum.modes(targets) ** 2 + spread)


def checked_ends(ends: Extremes, x: Inputs) -> Extremes:
    """Return the ends of the kernel of `x` with the error of its entries; refuse a singular one."""
    if ends.singular:
        raise InvalidInput(singular_reason(x))
    return ends.with_entries(entry_error(x))


def singular_reason(x: Inputs) -> str:
    """Say in one sentence which rows of `x` make the kernel's smallest eigenvalue zero.

    It is positive exactly if no two inputs are positive multiples of each other and the directions
    of the antiparallel pairs are linearly independent.  In floating point it also vanishes where
    the squared norms differ by more than the digits: it is at most half the smallest of them.
    """
    problem = "the kernel's smallest eigenvalue is zero to rounding, so no rule applies"
    if pairs := parallel_rows(x):
        return (
            f"{problem}: rows are positive multiples of earlier ones ({_name(pairs)}; pairs: "
            f"{len(pairs)}); drop the later row of each with --dedupe (dedupe=True)."
        )
    if pairs := antiparallel_rows(x):
        return (
            f"{problem}: the directions of the antiparallel rows {_name(pairs)} depend on each "
            "other; remove one row of each such pair."
        )
    norms = np.linalg.norm(x, axis=1)
    low, high = float(norms.min()), float(norms.max())
    if low**2 <= len(x) * np.finfo(np.float64).eps * high**2:
        return (
            f"{problem}: the rows' norms range from {low:.3g} to {high:.3g}, and the kernel of the "
            "short ones is lost in the rounding of the long ones; leave the rows at unit norm "
            "(normalize=True) or standardise the columns (--standardize)."
        )
    return f"{problem}: inputs are nearly parallel; remove near-duplicates or use fewer rows."


def _name(pairs: list[tuple[int, int]]) -> str:
    named = ", ".join(f"{i + 1} and {j + 1}" for i, j in pairs[:_NAMED])
    return f"{named}, ..." if len(pairs) > _NAMED else named
