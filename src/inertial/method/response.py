r"""What training has done to the weights after t steps, mode by mode, with or without weight decay.

For the loss ``s/2 |f - y|^2`` with the penalty ``alpha/2 |w|^2``, of which every step adds
:math:`\alpha w` to the gradient (`weight_decay` of PyTorch's SGD, ``optax.add_decayed_weights``
before the momentum), the linearised model has

.. math:: w_t - w_0 = -s J^T \left( A_t(sH)\,\xi_0 + B_t(sH)\,J w_0 \right) - c_t w_0

with :math:`H = J J^T` and :math:`\xi_0 = f_0 - y`.  The three obey the method's own recursion, so
nothing is divided by small eigenvalues:

.. math:: X_{t+1} = X_t + \beta_t (X_t - X_{t-1}) + \eta_t D_t
          + \gamma_t (\eta_t D_t - \eta_{t-1} D_{t-1}), \qquad X_0 = X_{-1} = 0

with the drives :math:`D = 1 - (l + \alpha) A`, :math:`-(l + \alpha) B - c` and
:math:`\alpha (1 - c)`.  Eliminating them gives :math:`\xi_t = \xi^* + p_t(sH + \alpha) (\xi_0 -
\xi^*)` with :math:`\xi^* = \alpha (sH + \alpha)^{-1} (f_0 - J w_0 - y)`: decay shifts every
eigenvalue by alpha, and the end away from the targets.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from inertial._checks import nonnegative, whole
from inertial._types import Eigenvalues
from inertial.method.recursion import Recursion


class Response(NamedTuple):
    """A_t, B_t at every node, shape (T + 1, k), and c_t, shape (T + 1,), at steps 0 to T."""

    residual: Float[np.ndarray, "t k"]
    shrunk: Float[np.ndarray, "t k"]
    decayed: Float[np.ndarray, "t"]


def response(method: Recursion, nodes: Eigenvalues, steps: int, *, decay: float = 0.0) -> Response:
    """Run the recursion of the module on every node.

    Parameters
    ----------
    method
        The method.
    nodes
        Eigenvalues l of ``sH``, shape (k,).
    steps
        Last step T, at least 1.
    decay
        The rate alpha, at least 0.

    Returns
    -------
    Response
        Infinite where an unstable mode overflows.

    """
    eta, beta, gamma = method.coefficients(0, whole("steps", steps))
    count, shifted = len(nodes), nodes + nonnegative("decay", decay)
    here = np.zeros(2 * count + 1)
    step, drive = np.zeros_like(here), np.zeros_like(here)
    found = np.zeros((steps + 1, len(here)))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            first, second, third = here[:count], here[count:-1], here[-1]
            before = drive
            drive = eta[t] * np.concatenate(
                [1 - shifted * first, -shifted * second - third, [decay * (1 - third)]]
            )
            step = beta[t] * step + drive + gamma[t] * (drive - before)
            here = here + step
            found[t + 1] = here
    found = np.where(np.isnan(found), np.inf, found)
    return Response(found[:, :count], found[:, count:-1], found[:, -1])


def decayed_loss(
    method: Recursion,
    nodes: Eigenvalues,
    residual: Float[np.ndarray, "k"],
    shrunk: Float[np.ndarray, "k"],
    steps: int,
    *,
    decay: float,
) -> Float[np.ndarray, "t"]:
    r"""Forecast ``1/2 |xi_t|^2`` at steps 0 to `steps`, without the penalty.

    .. math:: \xi_t = (1 - l A_t)\,\xi_0 - (l B_t + c_t)\,h

    mode by mode, with `residual` the coordinates of :math:`\xi_0` and `shrunk` those of :math:`h =
    J w_0`.
    """
    found = response(method, nodes, steps, decay=decay)
    with np.errstate(over="ignore", invalid="ignore"):
        left = residual * (1 - nodes * found.residual)
        left = left - shrunk * (nodes * found.shrunk + found.decayed[:, None])
        losses = 0.5 * np.sum(left**2, axis=1)
    return np.where(np.isnan(losses), np.inf, losses)
