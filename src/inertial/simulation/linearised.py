r"""Training of the linearised model in the space of its outputs, under any loss.

.. math:: f_{t+1} = f_t + \beta_t (f_t - f_{t-1}) - H u_t, \qquad
          u_t = \eta_t g_t + \gamma_t (\eta_t g_t - \eta_{t-1} g_{t-1})

with :math:`H = J J^T` at the start and g the gradient of the loss in the outputs: exact for the
linearised model, one product per step.
"""

import numpy as np
from jaxtyping import Float

from inertial.linear.tangent import Tangent
from inertial.method.recursion import Recursion
from inertial.problem.problem import Trainable


def linearised_loss(
    problem: Trainable, operator: Tangent, method: Recursion, steps: int
) -> Float[np.ndarray, "t"]:
    """Return the losses of the linearised model at steps 0 to `steps`, or until it diverges."""
    eta, beta, gamma = method.coefficients(0, steps)
    f = operator.linearised.outputs
    step, scaled = np.zeros_like(f), np.zeros_like(f)
    losses = [operator.loss]
    for t in range(steps):
        fresh = eta[t] * problem.gradient_of(f)
        drive = fresh + gamma[t] * (fresh - scaled)
        step, scaled = beta[t] * step - operator.plain(drive), fresh
        f = f + step
        losses.append(problem.loss_of(f))
        if not np.isfinite(losses[-1]):
            break
    return np.array(losses)
