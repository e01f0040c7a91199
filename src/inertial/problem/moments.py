r"""Steps scaled by running moments of the gradient: the update of Adam and RMSprop.

.. math:: m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \quad
          v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \qquad
          w_{t+1} = w_t - \eta\,\frac{m_t / c_1}{\sqrt{v_t / c_2} + \epsilon}

with :math:`c_i = 1 - \beta_i^t` at the t-th update (Kingma and Ba 2015, Algorithm 1), or
:math:`c_i = 1` without correction (Tieleman and Hinton 2012, for :math:`\beta_1 = 0`).  A tree of
any framework's arrays will do.
"""

from typing import Any, NamedTuple, TypeAlias

import jax

Tree: TypeAlias = Any
"""A list or dictionary of arrays, of JAX or PyTorch."""


class Scaling(NamedTuple):
    """The numbers of an update; `corrected` is 1 with the correction of the start, and else 0."""

    eta: float
    beta1: float
    beta2: float
    eps: float
    corrected: float


class Moments(NamedTuple):
    """m and v, and how many updates they come from."""

    mean: Tree
    square: Tree
    count: Any


class Scaled(NamedTuple):
    """A state of training: parameters, and the moments of their gradients."""

    w: Tree
    moments: Moments


def at_rest(w: Tree) -> Moments:
    """Return the moments before the first update."""
    zero = jax.tree.map(lambda leaf: 0 * leaf, w)
    return Moments(zero, zero, 0)


def update(scaling: Scaling, gradient: Tree, moments: Moments) -> tuple[Tree, Moments]:
    """Return ``w_{t+1} - w_t`` and the new moments."""
    b1, b2 = scaling.beta1, scaling.beta2
    mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, moments.mean, gradient)
    square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, moments.square, gradient)
    now = Moments(mean, square, moments.count + 1)
    rate = scaling.eta / _correction(scaling, b1, now.count)
    inverse = inverse_of(scaling, now)
    return jax.tree.map(lambda m, q: -rate * m * q, mean, inverse), now


def inverse_of(scaling: Scaling, moments: Moments) -> Tree:
    r"""Return :math:`1/(\sqrt{v_t / c_2} + \epsilon)`: the diagonal of the inverse preconditioner.

    There has to be one update behind the moments.
    """
    correction = _correction(scaling, scaling.beta2, moments.count)
    return jax.tree.map(lambda v: 1 / ((v / correction) ** 0.5 + scaling.eps), moments.square)


def _correction(scaling: Scaling, beta: float, count: Any) -> Any:  # noqa: ANN401 - may be traced
    return 1 - scaling.corrected * beta**count
