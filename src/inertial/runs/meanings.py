r"""What a mode of the kernel is in terms of the inputs.

An eigenvector :math:`v_k` weighs the examples.  The same weights on the inputs give

.. math:: u_k = X^T v_k / |X^T v_k|,

the pattern of inputs that the mode tells apart: for images a picture, for a table the columns with
the largest entries.  :math:`|X^T v_k|^2` is the share of the inputs' own spread along the mode;
where it is near zero the mode is none of the inputs' linear patterns.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from inertial._types import Inputs
from inertial.data import Data
from inertial.linear.spectrum import Spectrum

MOST_MODES = 16
"""Modes that are described."""

_COLUMNS = 6
"""Strongest columns that are named of a table."""

_EXAMPLES = 2
"""Examples at either end that are shown of images."""

_SHAPES = {
    "digits": (8, 8),
    "mnist": (28, 28),
    "fashion-mnist": (28, 28),
    "cifar10": (32, 32),
}
"""Height and width of the named image sets."""


@dataclass(frozen=True)
class Meaning:
    """One mode: place in the ascending spectrum, eigenvalue, share of the loss, pattern of inputs.

    `columns` are the strongest entries of the pattern with the names of their columns, strongest
    first.  Of images, `picture` is the pattern, with largest size 1, and `low` and `high` are the
    examples at both ends of the eigenvector, with values in [0, 1]; elsewhere they are None.
    """

    place: int
    eigenvalue: float
    share: float
    columns: tuple[tuple[str, float], ...]
    picture: Float[np.ndarray, "h w"] | None = None
    low: Float[np.ndarray, "e h w"] | None = None
    high: Float[np.ndarray, "e h w"] | None = None


def meanings(
    data: Data, spectrum: Spectrum, weights: Float[np.ndarray, "n"], most: int = MOST_MODES
) -> tuple[Meaning, ...]:
    """Describe the modes that carry most of the loss, and both ends of the spectrum.

    Parameters
    ----------
    data
        Inputs (n by d); `provenance.name` tells which sets are images.
    spectrum
        Eigenvalues, ascending, and eigenvectors of the kernel of these inputs.
    weights
        Squared modal coordinates of the residual, shape (n,).
    most
        How many modes to describe.

    """
    size = len(weights)
    heaviest = np.argsort(-weights, kind="stable")[: max(0, min(most, size) - 2)]
    places = sorted({0, size - 1, *heaviest.tolist()})
    shape = _shape(data)
    total = float(weights.sum())
    return tuple(
        _meaning(data, spectrum, place, float(weights[place]) / total, shape) for place in places
    )


def _meaning(
    data: Data, spectrum: Spectrum, place: int, share: float, shape: tuple[int, int] | None
) -> Meaning:
    x, vector = data.x, spectrum.basis[:, place]
    pattern = x.T @ vector
    pattern /= np.linalg.norm(pattern) or 1.0
    # An eigenvector has no sign of its own: the strongest entry becomes positive.
    if pattern[np.argmax(np.abs(pattern))] < 0:
        vector, pattern = -vector, -pattern
    strongest = np.argsort(-np.abs(pattern), kind="stable")[:_COLUMNS]
    columns = tuple((_named(data, int(column)), float(pattern[column])) for column in strongest)
    eigenvalue = float(spectrum.eigenvalues[place])
    if shape is None:
        return Meaning(place, eigenvalue, share, columns)
    order = np.argsort(vector, kind="stable")
    picture = _grey(pattern[None], shape)[0]
    return Meaning(
        place,
        eigenvalue,
        share,
        columns,
        picture / (np.abs(picture).max() or 1.0),
        _examples(x[order[:_EXAMPLES]], shape),
        _examples(x[order[::-1][:_EXAMPLES]], shape),
    )


def _named(data: Data, column: int) -> str:
    """Name of a column; its number where it has none."""
    name = data.columns[column] if column < len(data.columns) else str(column + 1)
    return f"column {name}" if name.isdecimal() else name


def _examples(rows: Inputs, shape: tuple[int, int]) -> Float[np.ndarray, "e h w"]:
    """Return rows as pictures, each from its darkest to its brightest pixel."""
    grey = _grey(rows, shape)
    low = grey.min(axis=(1, 2), keepdims=True)
    high = grey.max(axis=(1, 2), keepdims=True)
    return np.asarray((grey - low) / np.where(high > low, high - low, 1))


def _grey(rows: Inputs, shape: tuple[int, int]) -> Float[np.ndarray, "e h w"]:
    """Return pixels as pictures, the mean of the channels where there are three."""
    return np.asarray(rows.reshape(len(rows), -1, *shape).mean(axis=1))


def _shape(data: Data) -> tuple[int, int] | None:
    """Height and width of a set's images, if it is one of images."""
    shape = _SHAPES.get(data.provenance.name)
    if shape is None or data.x.shape[1] % (shape[0] * shape[1]):
        return None
    return shape
