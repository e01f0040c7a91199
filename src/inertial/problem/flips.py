r"""Which neurons can flip while the weights stay in balls, and what that can do to the kernel.

Neuron r can change its activation on sample i inside ``|w_r - w_r(0)| <= R`` exactly if

.. math:: -R|x_i| \le w_r(0) \cdot x_i < R|x_i|

(the left end belongs to the set, the right one does not, because a neuron at 0 is active).  These
are the sets :math:`S_i^\perp` of Liu, Pan and Tao (2022, section 4.2) and Wang and Abernethy (2020,
Lemma 2).  A neuron outside keeps its activation, so that for all weights in the balls

.. math:: \|H(W) - H_0\|_F \le \Bigl\| \tfrac{|x_i \cdot x_j|}{m}
          \#(S_i^\perp \cup S_j^\perp) \Bigr\|_F

(the worst case behind Wang and Abernethy 2020, Lemma 7).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from inertial._checks import InvalidInput
from inertial._types import Inputs

_BLOCK_ROWS = 512
"""Samples whose preactivations, or whose pairs, are held at once."""


@dataclass(frozen=True)
class Flips:
    """What can flip inside the balls of `radius` R around one start.

    Parameters
    ----------
    radius
        Radius R of the ball around each neuron's first weights, at least 0.
    width
        Number of neurons m.
    counts
        Number of neurons that can flip on each sample, shape (n,).
    kernel_drift
        Largest value that the counts allow for ``|H(W) - H_0|_F`` anywhere in the balls.

    """

    radius: float
    width: int
    counts: Int[np.ndarray, "n"]
    kernel_drift: float


def flippable(x: Inputs, w: Float[np.ndarray, "m d"], radius: float) -> Bool[np.ndarray, "n m"]:
    """Whether neuron r can change its activation on sample i within `radius` of its weights.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d).
    w
        Hidden weights at the start as rows, shape (m, d).
    radius
        Radius R of the closed ball, at least 0.

    Returns
    -------
    Bool[np.ndarray, "n m"]
        One byte per pair, from preactivations in float64.

    Raises
    ------
    InvalidInput
        If `radius` is negative or not finite.

    """
    if not (math.isfinite(radius) and radius >= 0):
        raise InvalidInput(f"radius is {radius}; give a finite number of at least 0.")
    member = np.empty((x.shape[0], w.shape[0]), np.bool_)
    with jax.enable_x64(True):
        weights, reach = jnp.asarray(w, jnp.float64), jnp.asarray(radius, jnp.float64)
        for start in range(0, x.shape[0], _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            member[rows] = _member(jnp.asarray(x[rows]), weights, reach)
    return member


def survey_flips(x: Inputs, w: Float[np.ndarray, "m d"], radius: float) -> Flips:
    """Count the neurons that can flip and bound the kernel's drift, for one start and radius.

    Parameters and exceptions are those of `flippable`.  The pairs of samples pass in blocks:
    besides one byte per pair (sample, neuron), nothing of size n x m or n x n is held.
    """
    member = flippable(x, w, radius)
    counts = member.sum(axis=1)
    squares = 0.0
    samples = _Samples(x, member, counts)
    with jax.enable_x64(True):
        for start in range(0, x.shape[0], _BLOCK_ROWS):
            rows = _take(samples, start)
            squares += float(_union_squares(rows, rows))
            for other in range(start + _BLOCK_ROWS, x.shape[0], _BLOCK_ROWS):
                squares += 2 * float(_union_squares(rows, _take(samples, other)))
    return Flips(float(radius), w.shape[0], counts, math.sqrt(squares) / w.shape[0])


@jax.jit
def _member(
    x: Float[Array, "b d"], w: Float[Array, "m d"], radius: Float[Array, ""]
) -> Bool[Array, "b m"]:
    preactivation = x @ w.T
    reach = radius * jnp.linalg.norm(x, axis=1)[:, None]
    return jnp.logical_and(-reach <= preactivation, preactivation < reach)


class _Samples(NamedTuple):
    """A block of inputs, which neurons can flip on them, and how many."""

    x: Float[np.ndarray, "b d"] | Float[Array, "b d"]
    member: Bool[np.ndarray, "b m"] | Bool[Array, "b m"]
    counts: Int[np.ndarray, "b"] | Int[Array, "b"]


def _take(samples: _Samples, start: int) -> _Samples:
    return _Samples(*(part[start : start + _BLOCK_ROWS] for part in samples))


@jax.jit
def _union_squares(rows: _Samples, columns: _Samples) -> Float[Array, ""]:
    """Sum of squares of ``x_i . x_j #(S_i or S_j)``; the counts are exact below 2^24 neurons."""
    both = rows.member.astype(jnp.float32) @ columns.member.astype(jnp.float32).T
    union = rows.counts[:, None] + columns.counts - both.astype(jnp.float64)
    return jnp.sum((rows.x @ columns.x.T * union) ** 2)
