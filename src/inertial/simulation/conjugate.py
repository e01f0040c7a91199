r"""Nonlinear conjugate gradients: how near to the lower bound a real network can be brought.

.. math:: d_t = -g_t + b_t d_{t-1}, \qquad
          b_t = \max\Bigl(0, \frac{g_t \cdot (g_t - g_{t-1})}{|g_{t-1}|^2}\Bigr), \qquad
          w_{t+1} = w_t + \alpha_t d_t, \qquad
          \alpha_t = \frac{-g_t \cdot d_t}{(J_t d_t)^T A_t\, J_t d_t + a |d_t|^2}

(Polak and Ribiere 1969, restarted where b would be negative; J_t the Jacobian of the outputs there,
A_t the Hessian of the loss in them, a the rate of weight decay, with which :math:`a w_t` is part of
g_t).  On a model that is linear in its parameters, with a squared loss, these are conjugate
gradients, and without decay they attain the lower bound at every step.  It is heavy ball with
:math:`\eta_t = \alpha_t` and :math:`\beta_t = \alpha_t b_t / \alpha_{t-1}`, chosen along the way: a
reference line, not a method to train with, as each step takes two gradients and a product with J.
"""

from typing import Any

import jax
import numpy as np

from inertial._checks import whole
from inertial.method.recursion import Recursion
from inertial.problem.problem import Trainable
from inertial.simulation.simulate import Run
from inertial.simulation.train import DIVERGED


def conjugate_gradients(problem: Trainable, *, steps: int) -> Run:
    """Train a problem from its start by nonlinear conjugate gradients.

    Parameters
    ----------
    problem
        Model, loss, start and rows: `Problem`, or what `inertial.torch.problem` returns.
    steps
        Number of updates at most; fewer where the gradient or the curvature along it is 0.

    Returns
    -------
    Run
        The losses, without the penalty of weight decay; its method is the heavy ball that was
        chosen, one entry per step.

    """
    whole("steps", steps)
    state = problem.begin()
    before: Any = None
    direction: Any = None
    eta, beta, losses = [], [], []
    square = alpha = 0.0
    for _ in range(steps):
        at = problem.linearise(state)
        losses.append(problem.loss_of(at.outputs))
        if not losses[-1] <= DIVERGED * losses[0]:
            break
        gradient = at.pull(problem.gradient_of(at.outputs).reshape(-1))
        if problem.decay:
            gradient = jax.tree.map(lambda g, w: g + problem.decay * w, gradient, at.weights)
        last, square = square, _dot(gradient, gradient)
        keep = max(0.0, (square - _dot(gradient, before)) / last) if last else 0.0
        direction, slope, curvature = _along(problem, at, gradient, direction, keep)
        if keep and not slope < 0:
            keep = 0.0
            direction, slope, curvature = _along(problem, at, gradient, None, 0.0)
        if not (slope < 0 < curvature):
            break
        old, alpha = alpha, -slope / curvature
        eta.append(alpha)
        beta.append(float(alpha * keep / old) if keep else 0.0)
        state, _ = problem.advance(state, *np.array([[eta[-1]], [beta[-1]], [0.0]]))
        before = gradient
    else:
        losses.append(problem.loss_of(problem.linearise(state).outputs))
    grown = not losses[-1] <= DIVERGED * losses[0]
    return Run(
        Recursion(tuple(eta), tuple(beta)) if eta else "conjugate gradients",
        {"loss": np.array(losses)},
        "diverged" if grown else "finished",
    )


def _along(
    problem: Trainable,
    at: Any,  # noqa: ANN401 - a linearised model
    gradient: Any,  # noqa: ANN401 - a tree of arrays of any framework
    direction: Any,  # noqa: ANN401
    keep: float,
) -> tuple[Any, float, float]:
    """Return the new direction, with the slope and curvature along it of what is minimised."""
    new = jax.tree.map(lambda g: -g, gradient)
    if keep:
        new = jax.tree.map(lambda d, old: d + keep * old, new, direction)
    moved = at.push(new).reshape(at.outputs.shape)
    curved = problem.hessian_of(at.outputs)(moved)
    penalty = problem.decay * _dot(new, new)
    return new, _dot(gradient, new), float(np.sum(moved * curved)) + penalty


def _dot(one: Any, other: Any) -> float:  # noqa: ANN401
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return float(sum(float((a * b).sum()) for a, b in pairs))
