"""Fully connected networks: as people train them, and as the theory of wide networks has them."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from inertial._checks import InvalidInput, one_of, random_key, whole
from inertial._memory import check_parameters

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
    r"""Layers of the widths `hidden` between `inputs` and `outputs` coordinates.

    .. math:: h_{l+1} = \phi(W_l h_l + b_l), \qquad f = W_L h_L + b_L

    Every entry of :math:`W_l, b_l` is uniform in :math:`\pm 1/\sqrt{\text{inputs of the layer}}`,
    as PyTorch starts its linear layers (``torch.nn.Linear.reset_parameters``).

    Parameters
    ----------
    inputs, outputs
        Coordinates of a row and of its output, at least 1.
    hidden
        Width of each hidden layer, at least 1; none for a linear model.
    activation
        One of `ACTIVATIONS`.

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
        """Draw weights, shape (out, in), and biases of every layer.

        Raises
        ------
        InvalidInput
            If `key` is not one key of JAX, or there is no memory for them.

        """
        random_key(key)
        sizes = (self.inputs, *self.hidden, self.outputs)
        check_parameters(
            4 * sum((before + 1) * after for before, after in itertools.pairwise(sizes))
        )
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


Trained = Literal["all", "hidden", "output"]
"""Which weights are trained: all, W alone (the papers' choice), or A alone."""


class Weights(TypedDict):
    """W_1, ..., W_L, and A."""

    hidden: list[Array]
    output: Array


@dataclass(frozen=True)
class WideNetwork:
    r"""`depth` hidden layers of `width` neurons between `inputs` and `outputs` coordinates.

    .. math:: z_1 = W_1 x, \quad z_{l+1} = \tfrac{1}{\sqrt m} W_{l+1}\,\phi(z_l), \qquad
              f = \tfrac{1}{\sqrt m} A\,\phi(z_L)

    with every entry of W standard normal, and of A 1 or -1 with equal probability: the
    parameterisation whose tangent kernel has a limit in the width (Jacot, Gabriel and Hongler 2018,
    arXiv 1806.07572, without biases; there inputs are scaled too).  With one hidden layer, ReLU and
    A fixed it is the papers' network.  The limits are those of `inertial.linear.duals`.

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
        """Draw W and A.

        Raises
        ------
        InvalidInput
            If `key` is not one key of JAX, or there is no memory for them.

        """
        random_key(key)
        sizes = (self.inputs, *[self.width] * (self.depth - 1))
        check_parameters(4 * self.width * (sum(sizes) + self.outputs))
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


NAMES = ("mlp", "wide")
"""What the text that names a network begins with."""

_FORM = re.compile(r"(?P<kind>mlp|wide):(?P<widths>[0-9x,]+)(:(?P<activation>[a-z_]+))?")


def is_named(text: str) -> bool:
    """Whether a text means a network of this module."""
    return text.split(":", maxsplit=1)[0] in NAMES


def parse(text: str, inputs: int, outputs: int) -> MLP | WideNetwork:
    """Read ``mlp:256x2:tanh``, two layers of 256, or ``mlp:300,100``, two of these widths.

    ``wide:4000`` or ``wide:1000x3:erf`` is a `WideNetwork` of which all weights are trained.

    Raises
    ------
    InvalidInput
        If the text has another form.

    """
    found = _FORM.fullmatch(text)
    try:
        widths = () if found is None else _widths(found["widths"])
    except ValueError:
        widths = ()
    wide = found is not None and found["kind"] == "wide"
    if found is None or not widths or (wide and len(set(widths)) > 1):
        raise InvalidInput(
            f"the model is {text!r}; give mlp:256x2 for two hidden layers of 256, mlp:300,100 for "
            "layers of 300 and 100, wide:1000x2 for two of 1,000 that have a limit in the width, "
            "with :tanh or :gelu behind it for another activation than relu."
        )
    activation = found["activation"] or "relu"
    if wide:
        return WideNetwork(widths[0], inputs, outputs, len(widths), activation)
    return MLP(inputs, widths, outputs, activation)


def _widths(text: str) -> tuple[int, ...]:
    if "x" in text:
        width, depth = text.split("x")
        return (int(width),) * int(depth)
    return tuple(int(part) for part in text.split(","))
