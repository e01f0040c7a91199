r"""The measure of a data set at infinite width, expected over the network's random start.

The outputs at the start have mean zero and covariance :math:`\Sigma` (`output_covariance`), so the
residual :math:`f(w_0) - y` has, on the eigenvectors v_k of the kernel,

.. math:: E\,(v_k \cdot \xi_0)^2 = (v_k \cdot y)^2 + v_k^T \Sigma v_k,

which add up to :math:`\tfrac12 \sum |x_i|^2 + |y|^2`.
"""

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial._types import Gram, Inputs, Targets
from inertial.data import Data, antiparallel_rows, parallel_rows
from inertial.linear.kernel import entry_error, infinite_gram, output_covariance
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Extremes, Spectrum, decompose

_NAMED = 3
"""Pairs of rows that an error message names."""


def measure_of(data: Data) -> Measure:
    """Return the expected measure of `data`, and both ends of its kernel's spectrum.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding; the message names the rows that make it so.

    """
    return spectrum_of(data)[1]


def spectrum_of(data: Data) -> tuple[Spectrum, Measure]:
    """Decompose the kernel of `data`; return its eigenvectors as well as the expected measure.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding; the message names the rows that make it so.

    """
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
    of the antiparallel pairs are linearly independent.
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
    return f"{problem}: inputs are nearly parallel; remove near-duplicates or use fewer rows."


def _name(pairs: list[tuple[int, int]]) -> str:
    named = ", ".join(f"{i + 1} and {j + 1}" for i, j in pairs[:_NAMED])
    return f"{named}, ..." if len(pairs) > _NAMED else named
