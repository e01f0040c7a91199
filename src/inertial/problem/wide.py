r"""Fully connected networks in the parameterisation whose tangent kernel has a limit in the width.

.. math:: z_1 = W_1 x, \quad z_{l+1} = \tfrac{1}{\sqrt m} W_{l+1}\,\phi(z_l), \qquad
          f = \tfrac{1}{\sqrt m} A\,\phi(z_L)

with every entry of W standard normal, and of A 1 or -1 with equal probability (Jacot, Gabriel and
Hongler 2018, arXiv 1806.07572, without biases; there inputs are scaled too).  With one hidden
layer, ReLU and A fixed it is the papers' network.  The limits are those of `inertial.linear.duals`.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from inertial._checks import one_of, whole
from inertial.problem.mlp import ACTIVATIONS

Trained = Literal["all", "hidden", "output"]
"""Which weights are trained: all, W alone (the papers' choice), or A alone."""


class Weights(TypedDict):
    """W_1, ..., W_L, and A."""

    hidden: list[Array]
    output: Array


@dataclass(frozen=True)
class WideNetwork:
    """`depth` hidden layers of `width` neurons between `inputs` and `outputs` coordinates.

    Parameters
    ----------
    width
        Neurons m of every hidden layer.
    inputs, outputs
        Coordinates of a row, and outputs of the network for it.
    depth
        Hidden layers L.
    activation
        `relu`, `leaky_relu` (slope 0.01 below zero), `abs`, `erf`, `tanh` or `gelu`.
    trained
        `all`, `hidden` or `output` weights.

    Raises
    ------
    InvalidInput
        If a number is not a whole one of at least 1, or a word is unknown.

    """

    width: int
    inputs: int
    outputs: int = 1
    depth: int = 1
    activation: str = "relu"
    trained: Trained = "all"

    def __post_init__(self) -> None:
        for name in ("width", "inputs", "outputs", "depth"):
            whole(name, getattr(self, name))
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("trained", self.trained, ("all", "hidden", "output"))

    def init(self, key: PRNGKeyArray) -> Weights:
        """Draw W and A."""
        sizes = (self.inputs, *[self.width] * (self.depth - 1))
        hidden = [
            jax.random.normal(jax.random.fold_in(key, i), (self.width, before), jnp.float32)
            for i, before in enumerate(sizes)
        ]
        shape = (self.outputs, self.width)
        signs = jax.random.rademacher(jax.random.fold_in(key, self.depth), shape, jnp.float32)
        return Weights(hidden=hidden, output=signs)

    def apply(self, params: Weights, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        """Return the outputs, shape (n, k)."""
        phi, scale = ACTIVATIONS[self.activation], 1 / np.sqrt(self.width)
        first, *others = params["hidden"]
        z = x.reshape(len(x), -1) @ first.T
        for w in others:
            z = scale * (phi(z) @ w.T)
        outputs: Array = scale * (phi(z) @ params["output"].T)
        return outputs

    def trainable(self, path: str) -> bool:
        """Say whether the weights at a path of the parameters are trained."""
        return self.trained == "all" or path.split("/", maxsplit=1)[0] == self.trained
