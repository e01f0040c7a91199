"""From data to everything a tuning rule or a forecast needs to know about it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial._types import Gram, Inputs, Targets
from inertial.data import Data, antiparallel_rows, parallel_rows
from inertial.linear.kernel import infinite_gram, output_covariance
from inertial.linear.measure import Measure, dense
from inertial.linear.spectrum import Extremes, Spectrum, decompose, extremes

_NAMED = 3
"""Pairs of rows that an error message names."""


@dataclass(frozen=True)
class Landscape:
    """The infinite-width kernel of a data set in its eigenbasis.

    `weights` are the expected squared modal coordinates of the residual at the random start.
    """

    data: Data
    spectrum: Spectrum
    weights: Float[np.ndarray, "n"]

    @property
    def measure(self) -> Measure:
        """The spectral measure of the expected residual."""
        return dense(self.spectrum, self.weights)

    @property
    def extremes(self) -> Extremes:
        """Smallest and largest eigenvalue."""
        return self.spectrum.extremes


def survey(data: Data) -> Landscape:
    """Decompose the infinite-width kernel of `data`.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding; the message names the rows that make it so.

    """
    spectrum = decompose(infinite_gram(data.x), overwrite=True)
    if spectrum.extremes.singular:
        raise InvalidInput(singular_reason(data.x))
    return Landscape(data, spectrum, expected_weights(spectrum, data.y, output_covariance(data.x)))


def kernel_extremes(data: Data) -> Extremes:
    """Smallest and largest eigenvalue of the infinite-width kernel, without decomposing it.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding, as `survey` does.

    """
    ends = extremes(infinite_gram(data.x))
    if ends.singular:
        raise InvalidInput(singular_reason(data.x))
    return ends


def expected_weights(
    spectrum: Spectrum, targets: Targets, covariance: Gram
) -> Float[np.ndarray, "n"]:
    r"""Return the expected squared modal coordinates of ``f(w_0) - y`` over the random start.

    .. math:: E\,c_k^2 = (v_k \cdot y)^2 + v_k^T \Sigma v_k

    because the outputs at the start have mean zero and covariance :math:`\Sigma` (`covariance`).
    Their sum is ``1/2 sum |x_i|^2 + |y|^2``.
    """
    spread = np.einsum("ik,ik->k", spectrum.basis, covariance @ spectrum.basis)
    return np.asarray(spectrum.modes(targets) ** 2 + spread)


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
