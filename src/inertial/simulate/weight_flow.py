r"""A flow on the weights of the finite network, where the kernel moves.

.. math:: \ddot W + a(t)\,\dot W + J^T\bigl(b\,J\dot W + c(t)\,\xi\bigr) = 0

with J the Jacobian of the outputs and :math:`\xi` the residual.  :math:`J^T J` is the full
Gauss-Newton matrix; Liu, Tao, Wang and Pan (2022, eq. 7) print its diagonal blocks, which do not
give their equation (13) of the residual.  First-order flows solve
:math:`(a + b J^T J) \dot W = -c J^T \xi`, that is

.. math:: \dot W = -c\,J^T (a I + b J J^T)^{-1} \xi.

Integrated by Tsitouras's method of order 5 in float64, in the displacement from the start.  The
field jumps where an activation changes, and a neuron may slide along such a boundary, so the steps
are controlled by what an error does to the outputs: errors e_r of the weights change them by

.. math:: |\delta f| \le |X|_F\, m^{-1/2} \sum_r |e_r|,

which is kept below a tolerance times the initial residual.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from inertial._checks import InvalidInput, positive
from inertial._types import Inputs, Targets
from inertial.method.flow import Flow
from inertial.problem.model import TwoLayerReLU
from inertial.simulate.integrate import SINGULAR_START

TOLERANCE = 1e-5
"""Local error of a step as a share of the initial residual, see the module."""

_MAX_STEPS = 1_000_000
"""Limit on the integrator's steps."""


@dataclass(frozen=True)
class WeightFlow:
    """The finite network along a flow, one row a time.

    Parameters
    ----------
    times
        Times, ascending, shape (T,), in the unit of the flow.
    loss
        ``1/2 |f - y|^2``.
    residual
        ``f - y``, shape (T, n); what a constant kernel predicts is
        ``spectrum.residual(spectrum.modes(residual[0]) * solve(...).amplitude)``.
    max_distance
        Largest ``|w_r(t) - w_r(0)|`` over the neurons.
    pattern_change
        Share of the pairs (neuron, sample) whose activation differs from the start.

    """

    times: Float[np.ndarray, "T"]
    loss: Float[np.ndarray, "T"]
    residual: Float[np.ndarray, "T n"]
    max_distance: Float[np.ndarray, "T"]
    pattern_change: Float[np.ndarray, "T"]


def follow(
    network: TwoLayerReLU,
    x: Inputs,
    y: Targets,
    flow: Flow,
    times: Float[np.ndarray, "T"],
    *,
    seed: int,
    tolerance: float = TOLERANCE,
) -> WeightFlow:
    """Integrate `flow` on the hidden weights from the random start of `seed`.

    The start is that of `inertial.simulate.train.train` in float64 with the same seed.  All samples
    are held at once: this is for small problems.

    Parameters
    ----------
    network
        Width and input dimension.
    x, y
        Inputs, shape (n, d), and targets, shape (n,).
    flow
        The flow; where t = 0 is singular it starts at 1e-8 in units of ``1/sqrt(sum |x_i|^2)``.
    times
        Ascending times t >= 0, shape (T,), in the unit of the flow.
    seed
        Seed of the start.
    tolerance
        Bound on what one step's error does to the residual, as a share of its start.

    Returns
    -------
    WeightFlow
        Loss, residuals and diagnostics at `times`.

    Raises
    ------
    InvalidInput
        If the times do not ascend from at least 0, the tolerance is not positive, or the flow needs
        more than a million steps.

    """
    positive("tolerance", tolerance)
    if not (np.isfinite(times).all() and times[0] >= 0 and (np.diff(times) > 0).all()):
        raise InvalidInput(
            "times does not ascend from at least 0; sort it and drop repeated times."
        )
    first = SINGULAR_START / float(np.linalg.norm(x)) if flow.vanishing_friction else 0.0
    with jax.enable_x64(True):
        w, a = network.init(jax.random.key(seed), jnp.float64)
        problem = _Problem(jnp.asarray(x), jnp.asarray(y), w, a / np.sqrt(network.width))
        records, finished = _run(
            flow,
            problem,
            jnp.asarray(np.maximum(times, first)),
            jnp.asarray(first),
            jnp.asarray(tolerance),
        )
        residual, distance, changed = map(np.asarray, records)
    if not finished:
        raise InvalidInput(
            f"{flow.name} needs more than {_MAX_STEPS} steps; raise the tolerance or end earlier."
        )
    return WeightFlow(times, 0.5 * np.sum(residual**2, axis=1), residual, distance, changed)


_Records: TypeAlias = tuple[Float[Array, "T n"], Float[Array, "T"], Float[Array, "T"]]
"""Residual, largest distance and share of changed activations."""


class _Problem(NamedTuple):
    x: Float[Array, "n d"]
    y: Float[Array, "n"]
    start: Float[Array, "m d"]
    output_weights: Float[Array, "m"]


class _Linearised(NamedTuple):
    """Residual and Jacobian at some weights; J is held as the activation pattern."""

    problem: _Problem
    residual: Float[Array, "n"]
    active: Float[Array, "n m"]

    def jacobian(self, direction: Float[Array, "m d"]) -> Float[Array, "n"]:
        """Return J times a direction in weight space."""
        return (self.active * (self.problem.x @ direction.T)) @ self.problem.output_weights

    def transposed(self, vector: Float[Array, "n"]) -> Float[Array, "m d"]:
        """Return J transposed times a vector over the samples; of the residual, the gradient."""
        weighted = (self.active * vector[:, None]).T @ self.problem.x
        return weighted * self.problem.output_weights[:, None]

    def gram(self) -> Float[Array, "n n"]:
        """Return ``J J^T``."""
        scaled = self.active * self.problem.output_weights
        return (self.problem.x @ self.problem.x.T) * (scaled @ scaled.T)


def _linearise(problem: _Problem, displacement: Float[Array, "m d"]) -> _Linearised:
    preactivation = problem.x @ (problem.start + displacement).T
    residual = jnp.maximum(preactivation, 0) @ problem.output_weights - problem.y
    return _Linearised(problem, residual, (preactivation >= 0).astype(residual.dtype))


def _field(flow: Flow, problem: _Problem, time: Array, state: Array) -> Array:
    """Time derivative of the state: the displacement, and for mass 1 its velocity."""
    here = _linearise(problem, state[0])
    if flow.mass:
        velocity = state[1]
        gradient = here.transposed(here.residual)
        bent = here.transposed(here.jacobian(velocity)) if flow.hessian_friction else velocity
        return jnp.stack([velocity, flow.acceleration(time, velocity, gradient, bent)])
    target = here.residual / (flow.friction or 1.0)
    if flow.hessian_friction:
        system = flow.friction * jnp.eye(len(target)) + flow.hessian_friction * here.gram()
        target = jnp.linalg.solve(system, here.residual)
    return -flow.force * here.transposed(target)[None]


@partial(jax.jit, static_argnames="flow")
def _run(
    flow: Flow,
    problem: _Problem,
    times: Float[Array, "T"],
    first: Float[Array, ""],
    tolerance: Float[Array, ""],
) -> tuple[_Records, Bool[Array, ""]]:
    """Return the records at `times` and whether the integration got to the last of them."""
    here = _linearise(problem, jnp.zeros_like(problem.start))
    gradient = here.transposed(here.residual)
    inputs = jnp.linalg.norm(problem.x)

    def measure(state: Array) -> tuple[Array, Array, Array]:
        now = _linearise(problem, state[0])
        distance = jnp.linalg.norm(state[0], axis=1).max()
        return now.residual, distance, jnp.mean(now.active != here.active)

    def effect(error: Array) -> Array:
        """Bound the outputs' change; a velocity acts over the time ``1 / |X|``."""
        neurons = jnp.linalg.norm(error, axis=-1).sum(axis=-1) / jnp.sqrt(error.shape[1])
        return jnp.max(neurons * inputs ** jnp.array([1.0, 0.0])[: len(neurons)])

    start = jnp.zeros_like(gradient)[None]
    if flow.mass:
        start = jnp.stack(flow.start(first, gradient, here.transposed(here.jacobian(gradient))))
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda time, state, _: _field(flow, problem, jnp.asarray(time), state)),
        diffrax.Tsit5(),
        t0=first,
        t1=times[-1],
        dt0=None,
        y0=start,
        saveat=diffrax.SaveAt(ts=times, fn=lambda _, state, __: measure(state)),
        stepsize_controller=diffrax.PIDController(
            rtol=0.0, atol=tolerance * jnp.linalg.norm(here.residual), norm=effect
        ),
        max_steps=_MAX_STEPS,
        throw=False,
    )
    return solution.ys, solution.result == diffrax.RESULTS.successful
