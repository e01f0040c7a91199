r"""Training of the linearised model, under any loss and by any method.

.. math:: f_{t+1} = f_t + \beta_t (f_t - f_{t-1}) - H u_t, \qquad
          u_t = \eta_t g_t + \gamma_t (\eta_t g_t - \eta_{t-1} g_{t-1})

with :math:`H = J J^T` at the start and g the gradient of the loss in the outputs: exact for the
linearised model, one product per step.  A transformation that looks at single parameters, such as
Adam, gets the gradient :math:`J^T g_t`, and its step d moves the outputs by J d.

Adam's first step is :math:`-\eta\,\mathrm{sign}(J^T g_0)`.  Along it the loss, to second order with
A its Hessian in the outputs, is lowest at

.. math:: \eta_* = \frac{g_0^T J s}{(J s)^T A\,J s}, \qquad s = \mathrm{sign}(J^T g_0).
"""

from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Float

from inertial.linear.tangent import Tangent
from inertial.method.adaptive import Adaptive, adam
from inertial.method.recursion import Recursion
from inertial.problem.problem import Trainable


@runtime_checkable
class Transformation(Protocol):
    """What turns gradients into steps: `Adaptive`, or any transformation of optax."""

    def init(self, params: Any, /) -> Any:  # noqa: ANN401 - opaque
        """Return the memory before the first step."""

    def update(self, gradient: Any, memory: Any, params: Any, /) -> tuple[Any, Any]:  # noqa: ANN401
        """Return the step and the new memory."""


def linearised_loss(
    problem: Trainable, operator: Tangent, method: Recursion | Transformation, steps: int
) -> Float[np.ndarray, "t"]:
    """Return the losses of the linearised model at steps 0 to `steps`, or until it diverges.

    Parameters
    ----------
    problem
        Model, loss, start and rows.
    operator
        Its tangent at the start.
    method
        A recursion, `Adaptive`, or for a `Problem` any transformation of optax.
    steps
        Number of updates; each takes one product.

    """
    if not isinstance(method, Recursion):
        return _transformed(problem, operator, method, steps)
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


def _transformed(
    problem: Trainable, operator: Tangent, method: Transformation, steps: int
) -> Float[np.ndarray, "t"]:
    f, linear = operator.linearised.outputs, operator.linearised
    w = problem.begin().w
    memory, losses = method.init(w), [operator.loss]
    for _ in range(steps):
        operator.products += 1
        gradient = linear.pull(problem.gradient_of(f).reshape(-1))
        step, memory = method.update(gradient, memory, w)
        w = jax.tree.map(lambda a, b: a + b, w, step)
        f = f + linear.push(step).reshape(f.shape)
        losses.append(problem.loss_of(f))
        if not np.isfinite(losses[-1]):
            break
    return np.array(losses)


CAUTION = 0.5
"""Share of the best first step that Adam's step size is set to.

On six problems (regression and classes; ReLU, tanh, GELU; widths 32 to 1,000; momentum 0.9) the
fastest step size on the real model was between 1/4 and 2 of it, and half of it took at most 2.4
times the steps.
"""


def sign_step(problem: Trainable, operator: Tangent) -> float:
    r"""Return :math:`\eta_*`, the step of the signs that lowers the loss most, from one product."""
    linear, outputs = operator.linearised, operator.linearised.outputs
    gradient = problem.gradient_of(outputs)
    # The sign of any framework's arrays; 0 / tiny where a gradient is 0.
    signs = jax.tree.map(lambda g: g / (abs(g) + 1e-30), linear.pull(gradient.reshape(-1)))
    moved = linear.push(signs).reshape(outputs.shape)
    operator.products += 1
    return float(np.sum(gradient * moved) / np.sum(moved * problem.hessian_of(outputs)(moved)))


def choose_adam(problem: Trainable, operator: Tangent) -> Adaptive:
    """Return Adam at its usual decays, with `CAUTION` of `sign_step` as its step size."""
    return adam(float(f"{CAUTION * sign_step(problem, operator):.4g}"))
