r"""Training of the linearised model, under any loss and by any method.

.. math:: f_{t+1} = f_t + \beta_t (f_t - f_{t-1}) - u_t - \gamma_t (u_t - u_{t-1}), \qquad
          u_t = \eta_t \left( H g_t + \alpha (f_t - f_0 + J w_0) \right)

with :math:`H = J J^T` at the start, g the gradient of the loss in the outputs and :math:`\alpha`
the weight decay: exact for the linearised model, one product per step.  Outputs on test rows follow
with :math:`H_* = J_* J^T` and :math:`J_*` in place of H and J.  A transformation that looks at
single parameters, such as Adam, gets the gradient :math:`J^T g_t`, and its step d moves the outputs
by J d.

Adam's first step is :math:`-\eta\,\mathrm{sign}(J^T g_0)`.  Along it the loss, to second order with
A its Hessian in the outputs, is lowest at

.. math:: \eta_* = \frac{g_0^T J s}{(J s)^T A\,J s}, \qquad s = \mathrm{sign}(J^T g_0).
"""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Float

from inertial.linear.tangent import Tangent
from inertial.method.adaptive import Adaptive, adam
from inertial.method.recursion import Recursion
from inertial.problem.loss import Outputs
from inertial.problem.problem import Linearised, Problem, Trainable


@runtime_checkable
class Transformation(Protocol):
    """What turns gradients into steps: `Adaptive`, or any transformation of optax."""

    def init(self, params: Any, /) -> Any:  # noqa: ANN401 - opaque
        """Return the memory before the first step."""

    def update(self, gradient: Any, memory: Any, params: Any, /) -> tuple[Any, Any]:  # noqa: ANN401
        """Return the step and the new memory."""


class _Hosted:
    """A transformation of optax, for parameters that are tensors of PyTorch."""

    def __init__(self, transformation: Transformation) -> None:
        self.start = jax.jit(transformation.init)
        self.step = jax.jit(transformation.update)

    def init(self, params: Any, /) -> Any:  # noqa: ANN401
        return self.start(_arrays(params))

    def update(self, gradient: Any, memory: Any, params: Any, /) -> tuple[Any, Any]:  # noqa: ANN401
        step, memory = self.step(_arrays(gradient), memory, _arrays(params))
        return jax.tree.map(lambda p, d: p.new_tensor(np.array(d)), params, step), memory


def _arrays(tensors: Any) -> Any:  # noqa: ANN401 - a tree of them
    return jax.tree.map(lambda t: t.detach().cpu().numpy(), tensors)


def for_problem(problem: Trainable, transformation: Transformation) -> Transformation:
    """Return a transformation for the arrays of a problem's framework."""
    of_any = isinstance(problem, Problem) or isinstance(transformation, Adaptive)
    return transformation if of_any else _Hosted(transformation)


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
        A recursion, `Adaptive`, or any transformation of optax.
    steps
        Number of updates; each takes one product.

    """
    losses = []
    for f, _ in linearised_outputs(problem, operator, method, steps, test=False):
        losses.append(problem.loss_of(f))
        if not np.isfinite(losses[-1]):
            break
    return np.array(losses)


def linearised_outputs(
    problem: Trainable,
    operator: Tangent,
    method: Recursion | Transformation,
    steps: int,
    *,
    test: bool = True,
) -> Iterator[tuple[Outputs, Outputs | None]]:
    """Yield the outputs of the linearised model at steps 0 to `steps`, on test rows too.

    Parameters
    ----------
    problem, operator, method, steps
        As for `linearised_loss`.
    test
        Whether to carry the test rows along, if the problem has some.

    """
    held = problem.test.linearise() if test and problem.test is not None else None
    sets: list[Linearised] = [operator.linearised] if held is None else [operator.linearised, held]
    if isinstance(method, Recursion):
        moving = _moving(problem, operator, sets, method, steps)
    else:
        given = for_problem(problem, method)
        moving = _transformed(problem, operator, sets, given, steps)
    for outputs in moving:
        yield outputs[0], None if held is None else outputs[1]


def _moving(
    problem: Trainable,
    operator: Tangent,
    sets: list[Linearised],
    method: Recursion,
    steps: int,
) -> Iterator[list[Outputs]]:
    eta, beta, gamma = method.coefficients(0, steps)
    start, alpha = operator.linearised, problem.decay
    outputs = [one.outputs for one in sets]
    pulls = [one.push(start.weights).reshape(one.outputs.shape) for one in sets] if alpha else []
    moves, drives = [np.zeros_like(f) for f in outputs], [np.zeros_like(f) for f in outputs]
    yield list(outputs)
    for t in range(steps):
        operator.count()
        direction = start.pull(problem.gradient_of(outputs[0]).reshape(-1))
        for i, one in enumerate(sets):
            drive = one.push(direction).reshape(one.outputs.shape)
            if alpha:
                drive = drive + alpha * (outputs[i] - one.outputs + pulls[i])
            drive = eta[t] * drive
            moves[i] = beta[t] * moves[i] - drive - gamma[t] * (drive - drives[i])
            drives[i], outputs[i] = drive, outputs[i] + moves[i]
        yield list(outputs)


def _transformed(
    problem: Trainable,
    operator: Tangent,
    sets: list[Linearised],
    method: Transformation,
    steps: int,
) -> Iterator[list[Outputs]]:
    outputs, w = [one.outputs for one in sets], problem.begin().w
    memory, alpha = method.init(w), problem.decay
    yield list(outputs)
    for _ in range(steps):
        operator.count()
        gradient = operator.linearised.pull(problem.gradient_of(outputs[0]).reshape(-1))
        if alpha:
            gradient = jax.tree.map(lambda g, a: g + alpha * a, gradient, w)
        step, memory = method.update(gradient, memory, w)
        w = jax.tree.map(lambda a, b: a + b, w, step)
        outputs = [
            f + one.push(step).reshape(f.shape) for f, one in zip(outputs, sets, strict=True)
        ]
        yield list(outputs)


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
    operator.count()
    return float(np.sum(gradient * moved) / np.sum(moved * problem.hessian_of(outputs)(moved)))


def choose_adam(problem: Trainable, operator: Tangent) -> Adaptive:
    """Return Adam at its usual decays, with `CAUTION` of `sign_step` as its step size."""
    return adam(float(f"{CAUTION * sign_step(problem, operator):.4g}"))
