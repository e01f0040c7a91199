r"""Residual and kernel-vector products at one point of a run, without any kernel matrix.

With the Jacobian :math:`J_t` of the outputs at :math:`w_t`, the product with a kernel matrix is

.. math:: H_t \xi = J_t (J_t' \xi)

and :math:`J_t' \xi_t` is the gradient (Liu, Pan and Tao 2022, eqs. 9 and 11).  Restricting the
outer sum over neurons to those that can flip on sample i gives row i of :math:`H_t^\perp`, which is
not symmetric.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from inertial._types import Inputs, Targets
from inertial.problem.flips import flippable

_BLOCK_ROWS = 512
"""Samples whose preactivations are held at once."""


class Block(NamedTuple):
    """Samples, which neurons are active on them at the start, and which can flip."""

    x: Float[Array, "b d"]
    y: Float[Array, "b"]
    active: Bool[Array, "b m"]
    flippable: Bool[Array, "b m"]


class Products(NamedTuple):
    r"""Measured at :math:`w_t`, in float64; stacked along a run, with a leading axis of points.

    Parameters
    ----------
    residual
        :math:`\xi_t`.
    flippable_output
        The part of the outputs that comes from the neurons that can flip on the sample.
    kernel, start_kernel, flippable_kernel
        :math:`H_t \xi_t`, :math:`H_0 \xi_t` and :math:`H_t^\perp \xi_t`.
    outside
        Pairs (neuron, sample) whose activation differs from the start outside the flippable ones.

    """

    residual: Float[np.ndarray, "*points n"]
    flippable_output: Float[np.ndarray, "*points n"]
    kernel: Float[np.ndarray, "*points n"]
    start_kernel: Float[np.ndarray, "*points n"]
    flippable_kernel: Float[np.ndarray, "*points n"]
    outside: Int[np.ndarray, "*points"]


def lay_out(x: Inputs, y: Targets, start: Float[Array, "m d"], radius: float) -> list[Block]:
    """Cut the samples into blocks, with the activations and the flippable neurons at `start`.

    Call it, like `measure`, where JAX has float64 enabled.
    """
    blocks = []
    for first in range(0, x.shape[0], _BLOCK_ROWS):
        rows = x[first : first + _BLOCK_ROWS]
        member = jnp.asarray(flippable(rows, np.asarray(start), radius))
        inputs = jnp.asarray(rows)
        targets = jnp.asarray(y[first : first + _BLOCK_ROWS])
        blocks.append(Block(inputs, targets, inputs @ start.T >= 0, member))
    return blocks


def measure(
    blocks: list[Block], output_weights: Float[Array, "m"], w: Float[Array, "m d"]
) -> tuple[Products, Float[Array, "m d"]]:
    """Measure at weights `w`, and return the gradient of the loss with respect to them too.

    Parameters
    ----------
    blocks
        What `lay_out` returned.
    output_weights
        Signs over the square root of the width, shape (m,).
    w
        Hidden weights as rows, shape (m, d).

    """
    gradient = start_gradient = jnp.zeros_like(w)
    forward = []
    for block in blocks:
        measured, at_w, at_start = _forward(block, output_weights, w)
        forward.append(measured)
        gradient += at_w
        start_gradient += at_start
    products = [_multiply(b, output_weights, w, gradient, start_gradient) for b in blocks]
    residual, part, outside = zip(*forward, strict=True)
    kernel, start_kernel, flippable_kernel = map(np.concatenate, zip(*products, strict=True))
    outputs = np.concatenate(residual), np.concatenate(part)
    return Products(
        *outputs, kernel, start_kernel, flippable_kernel, outside=np.asarray(sum(outside))
    ), gradient


@jax.jit
def _forward(
    block: Block, output_weights: Float[Array, "m"], w: Float[Array, "m d"]
) -> tuple[tuple[Array, Array, Int[Array, ""]], Float[Array, "m d"], Float[Array, "m d"]]:
    r"""Residual, flippable neurons' output, other flips; :math:`J_t'\xi` and :math:`J_0'\xi`."""
    preactivation = block.x @ w.T
    active = preactivation >= 0
    output = jnp.where(active, preactivation, 0)
    residual = output @ output_weights - block.y
    part = jnp.where(block.flippable, output, 0) @ output_weights
    outside = jnp.sum((active != block.active) & ~block.flippable)
    at_w, at_start = (
        (jnp.where(pattern, residual[:, None], 0) * output_weights).T @ block.x
        for pattern in (active, block.active)
    )
    return (residual, part, outside), at_w, at_start


@jax.jit
def _multiply(
    block: Block,
    output_weights: Float[Array, "m"],
    w: Float[Array, "m d"],
    gradient: Float[Array, "m d"],
    start_gradient: Float[Array, "m d"],
) -> tuple[Float[Array, "b"], Float[Array, "b"], Float[Array, "b"]]:
    r"""Rows of :math:`H_t \xi`, :math:`H_0 \xi` and :math:`H_t^\perp \xi`."""
    slope = jnp.where(block.x @ w.T >= 0, block.x @ gradient.T, 0)
    start_slope = jnp.where(block.active, block.x @ start_gradient.T, 0)
    part = jnp.where(block.flippable, slope, 0)
    return slope @ output_weights, start_slope @ output_weights, part @ output_weights
