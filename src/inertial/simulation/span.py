r"""The inputs in coordinates of their own span.

Where the inputs span only r < d dimensions, training can run in their span: with an orthonormal
basis Q of the rows, ``W Q`` and ``X Q`` give the same outputs, gradients and distances, since W
never leaves ``W_0 + span``; a Gaussian W stays Gaussian.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float

from inertial._types import Inputs

_WORTH = 0.9
"""Use the span if its dimension is below this share of d."""


@dataclass(frozen=True)
class Span:
    """Inputs in coordinates of their own span, or as they are where that saves nothing.

    `x` has shape (n, r), `basis` (d, r) with orthonormal columns, or is None when r = d.
    """

    x: Float[np.ndarray, "n r"]
    basis: Float[np.ndarray, "d r"] | None


def span(x: Inputs) -> Span:
    """Coordinates of the inputs in an orthonormal basis of their rows, if that is worth it.

    The rank counts the singular values above the rounding of the largest one (float64).
    """
    _, values, rows = scipy.linalg.svd(x, full_matrices=False, check_finite=False)
    rank = int(np.sum(values > max(x.shape) * np.finfo(np.float64).eps * values[0]))
    if not saves(rank, x.shape[1]):
        return Span(x, None)
    basis = np.ascontiguousarray(rows[:rank].T)
    return Span(x @ basis, basis)


def saves(rank: int, d: int) -> bool:
    """Whether training in a span of this dimension is worth the change of coordinates."""
    return rank < _WORTH * d
