r"""Rows that point the same way, or opposite ways.

The kernel of the two-layer network sees an input only through its direction and its norm, so two
inputs with :math:`x_j = c\,x_i`, :math:`c > 0`, give linearly dependent rows: its smallest
eigenvalue is 0 and no rate can be had from it.

Rows are compared as unit vectors.  A fixed random projection sorts them on a line, where the
same directions are neighbours; only neighbours are compared in full.  That takes n d operations
and n log n comparisons, and no n x n array.

Two unit inputs at a small angle :math:`\theta` give an eigenvalue of :math:`\theta / 2\pi` or less.
Rounding hides it below :math:`n \epsilon \lambda_n`, where :math:`\lambda_n \le n / 2`, so rows
closer than

.. math:: \pi n^2 \epsilon

count as equal.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from inertial._types import Inputs

_EPS = float(np.finfo(np.float64).eps)


def parallel_rows(x: Inputs, *, tolerance: float | None = None) -> list[tuple[int, int]]:
    """Return the rows that are positive multiples of an earlier row.

    Parameters
    ----------
    x
        Inputs, n rows of d.
    tolerance
        Largest distance between unit vectors that count as equal; by default what the kernel of n
        rows cannot tell apart, and no less than what rounding does to unit vectors.

    Returns
    -------
    list
        Pairs (i, j), i < j, ascending in j.  Each such j stands once, with the earliest row i it
        is a multiple of, so there are fewer than n pairs.  Rows of zeros equal one another.

    """
    first = _first_alike(unit_rows(x), _resolved(x) if tolerance is None else tolerance)
    return [(int(i), j) for j, i in enumerate(first) if i < j]


def antiparallel_rows(x: Inputs, *, tolerance: float | None = None) -> list[tuple[int, int]]:
    """Return the rows that are negative multiples of an earlier row.

    Arguments and pairs are those of `parallel_rows`; rows of zeros have no opposite.
    """
    units, tolerance = unit_rows(x), _resolved(x) if tolerance is None else tolerance
    places = np.flatnonzero(units.any(axis=1))
    first = places[_first_alike(units[places], tolerance)]
    leaders = np.unique(first)
    # Leaders are pairwise different, so a mirrored leader can only meet the leader opposite it.
    mirrored = np.vstack([units[leaders], -units[leaders]])
    met = _first_alike(mirrored, tolerance)[len(leaders) :]
    opposite = {int(leaders[k]): int(leaders[i]) for k, i in enumerate(met) if i < len(leaders)}
    pairs = ((opposite.get(int(i)), int(j)) for i, j in zip(first, places, strict=True))
    return [(i, j) for i, j in pairs if i is not None and i < j]


def unit_rows(x: Inputs) -> Inputs:
    """Return the rows of `x`, n by d, divided by their norms; rows of zeros stay as they are."""
    _, exponent = np.frexp(np.abs(x).max(axis=1))
    # A power of two is exact, and keeps the squares of large and small entries in range.
    scaled = np.ldexp(x, -exponent[:, None])
    norm = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norm > 0, norm, 1.0))


def _resolved(x: Inputs) -> float:
    """Return the distance of unit vectors from which the kernel of these rows tells them apart."""
    n, d = x.shape
    # The norm of d numbers is off by half of d roundings, and a quotient by a few.
    return float(max(np.pi * n**2, d / 2 + 8) * _EPS)


def _first_alike(units: Inputs, tolerance: float) -> Int[np.ndarray, "n"]:
    """Return, for each row, the earliest row equal to it: its own index if there is none."""
    first = np.arange(len(units))
    for cluster in _neighbours(units, tolerance):
        leaders: list[int] = []
        for j in cluster:
            near = np.linalg.norm(units[leaders] - units[j], axis=1) <= tolerance
            if near.any():
                first[j] = leaders[int(near.argmax())]
            else:
                leaders.append(int(j))
    return first


def _neighbours(units: Inputs, tolerance: float) -> Iterator[Int[np.ndarray, "k"]]:
    """Yield ascending indices of two rows or more whose projections lie too close to tell apart."""
    d = units.shape[1]
    axis = np.random.default_rng(0).standard_normal(d)
    shadow = units @ (axis / np.linalg.norm(axis))
    order = np.argsort(shadow)
    # A sum of d products is off by at most d roundings, in each of the two rows.
    apart = np.diff(shadow[order]) > tolerance + 2 * (d + 2) * _EPS
    for cluster in np.split(order, np.flatnonzero(apart) + 1):
        if len(cluster) > 1:
            yield np.sort(cluster)
