r"""The papers' network as a module to copy, for PyTorch, Flax and Keras.

The lines that `inertial tune` prints are for this network: hidden weights from N(0, 1), which are
trained, and signs that stay, :math:`f = m^{-1/2} \sum_r a_r \max(w_r \cdot x, 0)`.  A network of
the same shape with another scale or another start needs another step size.
"""

from inertial._checks import nonnegative, one_of, whole
from inertial.method.conventions import Loss, keras_decay, optimisers
from inertial.method.recursion import Recursion

_TORCH = """\
import torch


class TwoLayerReLU(torch.nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(width, inputs))
        self.register_buffer("signs", 2.0 * torch.randint(0, 2, (width,)) - 1.0)

    def forward(self, x):
        return torch.relu(x @ self.weight.T) @ self.signs / len(self.signs) ** 0.5


model = TwoLayerReLU({inputs}, {width})
"""

_FLAX = """\
import jax
from flax import nnx


class TwoLayerReLU(nnx.Module):
    def __init__(self, inputs, width, rngs):
        self.weight = nnx.Param(jax.random.normal(rngs.params(), (width, inputs)))
        self.signs = nnx.Variable(jax.random.rademacher(rngs.params(), (width,), float))

    def __call__(self, x):
        return jax.nn.relu(x @ self.weight[...].T) @ self.signs[...] / len(self.signs[...]) ** 0.5


model = TwoLayerReLU({inputs}, {width}, nnx.Rngs(0))
"""

_KERAS = """\
import keras


class TwoLayerReLU(keras.Model):
    def __init__(self, inputs, width):
        super().__init__()
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.weight = self.add_weight(shape=(inputs, width), initializer=normal{regularised})
        self.signs = self.add_weight(shape=(width,), initializer="zeros", trainable=False)
        self.signs.assign(2.0 * keras.random.randint((width,), 0, 2) - 1.0)

    def call(self, x):
        hidden = keras.ops.relu(x @ self.weight)
        return hidden @ self.signs / self.signs.shape[0] ** 0.5


model = TwoLayerReLU({inputs}, {width})
"""

_OPTIMISERS = {
    "torch": "optimiser = {torch}\n",
    "flax": "import optax\n\noptimiser = nnx.Optimizer(model, {optax}, wrt=nnx.Param)\n",
    "keras": "optimiser = {keras}\n",
}

LIBRARIES = {"torch": _TORCH, "flax": _FLAX, "keras": _KERAS}
"""Source of the module by library."""


def module_source(
    library: str,
    width: int,
    inputs: int,
    method: Recursion | None = None,
    *,
    loss: Loss = "half_sum",
    rows: int | None = None,
    decay: float = 0.0,
) -> str:
    """Return the source of the papers' network, and of its optimiser, in another library.

    Parameters
    ----------
    library
        `torch`, `flax` or `keras`.
    width
        Neurons m of the hidden layer.
    inputs
        Coordinates d of the inputs; outputs for (n, d) are of shape (n,).
    method
        Method of constant coefficients; without one there is no optimiser.
    loss, rows
        The loss that is differentiated there, as for `to_optax`.
    decay
        Rate of weight decay for that loss, >= 0: of the optimiser, or in Keras, whose own is
        another one, of the weights.

    Returns
    -------
    str
        Python, which makes ``model`` and ``optimiser``.

    Raises
    ------
    InvalidInput
        If there is no such library, a width is not a whole number of at least 1, the decay is
        negative, or the library's optimiser cannot run the method.

    """
    source = LIBRARIES[one_of("library", library, LIBRARIES)].format(
        inputs=whole("inputs", inputs),
        width=whole("width", width),
        regularised=f", regularizer={keras_decay(decay)}" if nonnegative("decay", decay) else "",
    )
    if method is None:
        return source
    made = optimisers(method, loss=loss, rows=rows, decay=decay)
    return source + _OPTIMISERS[library].format(**made)
