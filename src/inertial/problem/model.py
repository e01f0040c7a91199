r"""The two-layer ReLU network of the papers, its random start and its loss.

.. math:: f_i = \frac{1}{\sqrt m} \sum_r a_r \max(w_r \cdot x_i, 0), \qquad
          L = \tfrac{1}{2} \sum_i (f_i - y_i)^2

(Liu, Pan and Tao 2022, eqs. 7 and 8).  The loss is the SUM over samples: for a mean loss multiply
the step size by n.  Only W is trained; the signs a stay.  ReLU's slope at 0 is 1 everywhere.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from inertial._checks import random_key, whole

GENERATOR = "threefry2x32"
"""Generator of every random start: the name by which `jax.random.key` knows it."""


@runtime_checkable
class Model(Protocol):
    """What a model of its own needs: a random start, and outputs."""

    def init(self, key: PRNGKeyArray) -> Any:  # noqa: ANN401 - any tree of arrays
        """Draw parameters: any tree of arrays."""

    def apply(self, params: Any, x: Any) -> Any:  # noqa: ANN401
        """Return outputs of shape (n,) or (n, k) for inputs with n rows."""


@dataclass(frozen=True)
class TwoLayerReLU:
    """The papers' network.

    Parameters
    ----------
    width
        Neurons m, at least 1.
    inputs
        Coordinates d of a row, at least 1.

    Raises
    ------
    InvalidInput
        If a width is not a whole number of at least 1.

    """

    width: int
    inputs: int

    def __post_init__(self) -> None:
        whole("width", self.width)
        whole("inputs", self.inputs)

    def init(
        self, key: PRNGKeyArray, dtype: jnp.dtype | type = jnp.float32
    ) -> tuple[Float[jax.Array, "m d"], Float[jax.Array, "m"]]:
        """Draw ``w_r ~ N(0, I)`` and signs ``a_r = +-1`` with equal probability.

        The draw is made in float32 and converted, so that both precisions start at one point.

        Raises
        ------
        InvalidInput
            If `key` is not one key of JAX.

        """
        random_key(key)
        with jax.enable_x64(False), jax.threefry_partitionable(True):
            weights, signs = _drawn(key, self.width, self.inputs)
        return weights.astype(dtype), signs.astype(dtype)

    def apply(
        self,
        params: tuple[Float[jax.Array, "m d"], Float[jax.Array, "m"]],
        x: Float[jax.Array, "n d"],
    ) -> Float[jax.Array, "n"]:
        """Return the outputs with the parameters that `init` draws."""
        return outputs(*params, x)

    @staticmethod
    def trainable(path: str) -> bool:
        """Say that the hidden weights, the first of the parameters, are trained alone."""
        return path == "0"


def start_key(seed: int) -> PRNGKeyArray:
    """Return the key of a random start.

    Its generator is named here, so that a seed means the same start whatever ``JAX_DEFAULT_PRNG_
    IMPL`` says; `TwoLayerReLU.init` fixes the one flag of the generator that changes its numbers.
    """
    # The key of `jax.random.key`, which in single precision leaves out the upper half of a seed.
    words = np.array(divmod(seed % 2**64, 2**32), np.uint32)
    key: PRNGKeyArray = jax.random.wrap_key_data(jnp.asarray(words, jnp.uint32), impl=GENERATOR)
    return key


@partial(jax.jit, static_argnums=(1, 2))
def _drawn(
    key: PRNGKeyArray, width: int, inputs: int
) -> tuple[Float[jax.Array, "m d"], Float[jax.Array, "m"]]:
    """Draw the start of `TwoLayerReLU.init` in one program."""
    weights = jax.random.normal(jax.random.fold_in(key, 0), (width, inputs), jnp.float32)
    return weights, jax.random.rademacher(jax.random.fold_in(key, 1), (width,), jnp.float32)


def outputs(
    w: Float[np.ndarray, "m d"] | Float[jax.Array, "m d"],
    a: Float[np.ndarray, "m"] | Float[jax.Array, "m"],
    x: Float[np.ndarray, "n d"] | Float[jax.Array, "n d"],
) -> Float[jax.Array, "n"]:
    """Return the outputs of the network with hidden weights `w` and signs `a`, shape (n,)."""
    return jnp.maximum(x @ w.T, 0) @ a / jnp.sqrt(jnp.asarray(w.shape[0], w.dtype))
