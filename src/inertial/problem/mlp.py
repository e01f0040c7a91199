r"""The multilayer perceptron that people mean, started as PyTorch starts its linear layers.

.. math:: h_{l+1} = \phi(W_l h_l + b_l), \qquad f = W_L h_L + b_L

Every entry of :math:`W_l, b_l` is uniform in :math:`\pm 1/\sqrt{\text{inputs of the layer}}`
(``torch.nn.Linear.reset_parameters``).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from inertial._checks import InvalidInput, one_of, whole

LEAK = 0.01
"""Slope of leaky ReLU below zero."""

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=LEAK),
    "abs": jnp.abs,
    "erf": jax.scipy.special.erf,
    "tanh": jnp.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
}

Layers = list[tuple[Array, Array]]


@dataclass(frozen=True)
class MLP:
    """Layers of the widths `hidden` between `inputs` and `outputs` coordinates.

    Raises
    ------
    InvalidInput
        If a width is not a whole number of at least 1, or the activation is unknown.

    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int = 1
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, list | tuple):
            raise InvalidInput(
                f"hidden is {self.hidden!r}; give a tuple of widths, such as (256,)."
            )
        object.__setattr__(self, "hidden", tuple(self.hidden))
        for width in (self.inputs, *self.hidden, self.outputs):
            whole("width", width)
        one_of("activation", self.activation, ACTIVATIONS)

    def init(self, key: PRNGKeyArray) -> Layers:
        """Draw weights, shape (out, in), and biases of every layer."""
        sizes = (self.inputs, *self.hidden, self.outputs)
        layers = []
        for i, (before, after) in enumerate(itertools.pairwise(sizes)):
            draws = [jax.random.fold_in(key, 2 * i + part) for part in (0, 1)]
            bound = 1 / np.sqrt(before)
            shapes = ((after, before), (after,))
            w, b = (
                jax.random.uniform(draw, shape, jnp.float32, -bound, bound)
                for draw, shape in zip(draws, shapes, strict=True)
            )
            layers.append((w, b))
        return layers

    def apply(self, params: Layers, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        """Return the outputs, shape (n, k)."""
        phi, hidden = ACTIVATIONS[self.activation], x.reshape(len(x), -1)
        for w, b in params[:-1]:
            hidden = phi(hidden @ w.T + b)
        w, b = params[-1]
        return hidden @ w.T + b
