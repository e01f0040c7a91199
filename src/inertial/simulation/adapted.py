"""Training by Adam, RMSprop or optax, in any framework: a gradient, an update, a step.

The gradient is that of the loss, ``J' dl/df``, from the model linearised where it stands.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from inertial.problem.problem import Trainable
from inertial.simulation.linearised import Transformation


class Adapted(NamedTuple):
    """A state of training, and what its method remembers: moments of gradients."""

    state: Any
    moments: Any


def begin(problem: Trainable, method: Transformation) -> Adapted:
    """Return the start of a problem, before the first update."""
    state = problem.begin()
    return Adapted(state, method.init(state.w))


def advance(
    problem: Trainable, method: Transformation, at: Adapted, count: int
) -> tuple[Adapted, Float[np.ndarray, "count"]]:
    """Take `count` steps; return the state, and the loss before each step."""
    (state, memory), losses = at, np.empty(count)
    for t in range(count):
        here = problem.linearise(state)
        losses[t] = problem.loss_of(here.outputs)
        gradient = here.pull(problem.gradient_of(here.outputs).reshape(-1))
        if problem.decay:
            gradient = jax.tree.map(lambda g, w: g + problem.decay * w, gradient, state.w)
        step, memory = method.update(gradient, memory, state.w)
        state = state._replace(w=jax.tree.map(lambda w, d: w + d, state.w, step))
    return Adapted(state, memory), losses
