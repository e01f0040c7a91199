r"""A flow on the eigenvalues of a constant kernel: value and velocity of every mode at any time.

With constant coefficients, ``h = (a + b l)/2`` and ``q = c l``, the mode that starts at 1 with
velocity v is

.. math:: x = e^{-ht}\Bigl(\cos\omega t + (v + h)\frac{\sin\omega t}{\omega}\Bigr), \qquad
          \dot x = e^{-ht}\Bigl(v\cos\omega t - (q + h v)\frac{\sin\omega t}{\omega}\Bigr)

with :math:`\omega^2 = q - h^2`, hyperbolic functions where that is negative, and t in place of the
quotient where it is zero.  With friction ``d/t`` alone it is (Su, Boyd and Candes 2016, sec. 3.2)

.. math:: x = {}_0F_1\bigl(; \tfrac{d+1}{2}; -\tfrac{c l t^2}{4}\bigr),

a Bessel function times a power.  First-order flows are exponentials.  Any other flow is integrated
numerically (Dormand and Prince, order 8) to the tolerances below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Bool, Float

from inertial._checks import InvalidInput, needed
from inertial._types import Eigenvalues
from inertial.method.flow import Flow

RELATIVE_TOLERANCE = 1e-10
"""Local error of the numerical integration, relative to the largest mode."""

ABSOLUTE_TOLERANCE = 1e-12
"""The same, relative to the value 1 that every mode starts from."""

SINGULAR_START = 1e-8
"""Where integration starts if t = 0 is singular, in units of ``1 / sqrt(lambda_max)``.

The start is of second order, so that its error is far below rounding.
"""

_MAX_STEPS = 200_000
"""Limit on the integrator's steps; one oscillation of the fastest mode takes about ten."""

_BLOCK = 2**21
"""Largest times x modes array that the loss is computed from at once."""

_Pair: TypeAlias = tuple[Float[np.ndarray, "T k"], Float[np.ndarray, "T k"]]


@dataclass(frozen=True)
class ModalSolution:
    """Value and derivative of every mode that starts at 1, one row for each time.

    Parameters
    ----------
    amplitude, velocity
        The value, and its derivative in the flow's time.
    closed_form
        Whether they are exact to rounding, or come from numerical integration.

    """

    amplitude: Float[np.ndarray, "T n"]
    velocity: Float[np.ndarray, "T n"]
    closed_form: bool


def solve(flow: Flow, eigenvalues: Eigenvalues, times: Float[np.ndarray, "T"]) -> ModalSolution:
    """Solve a flow for every mode at the given times, each time directly where possible.

    Parameters
    ----------
    flow
        The flow.
    eigenvalues
        Eigenvalues of the kernel, at least zero up to rounding, shape (n,), in any order.
    times
        Times t >= 0, shape (T,), in any order, in the unit of the flow (`Flow.time`).

    Returns
    -------
    ModalSolution
        Values, velocities, and whether a closed form was used.

    Raises
    ------
    InvalidInput
        If a time or an eigenvalue is negative or not finite, or a flow without closed form needs
        more than 200,000 steps.

    """
    if not (np.isfinite(times).all() and (times >= 0).all()):
        raise InvalidInput("times holds a negative or non-finite time; give times of at least 0.")
    if not (eigenvalues >= -_rounding(eigenvalues)).all():
        raise InvalidInput("eigenvalues holds a negative one; a kernel has none, check its source.")
    modes = np.maximum(eigenvalues, 0.0)
    closed = _closed_form(flow)
    with np.errstate(under="ignore"):
        amplitude, velocity = (closed or _integrate)(flow, modes, times)
    return ModalSolution(amplitude, velocity, closed is not None)


def flow_loss(
    flow: Flow,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    times: Float[np.ndarray, "T"],
) -> Float[np.ndarray, "T"]:
    """Loss ``1/2 sum_k weights_k x_k(t)^2`` of the linearised network along a flow.

    `weights` are the squared modal coordinates of the initial residual, or their expectation.
    """
    rows = max(1, _BLOCK // len(eigenvalues)) if _closed_form(flow) else max(1, len(times))
    loss = np.empty(len(times))
    for first in range(0, len(times), rows):
        block = slice(first, first + rows)
        amplitude = solve(flow, eigenvalues, times[block]).amplitude
        with np.errstate(under="ignore"):
            loss[block] = 0.5 * amplitude**2 @ weights
    return loss


def decayed_flow_loss(
    flow: Flow,
    eigenvalues: Eigenvalues,
    residual: Float[np.ndarray, "n"],
    shrunk: Float[np.ndarray, "n"],
    times: Float[np.ndarray, "T"],
    *,
    decay: float,
) -> Float[np.ndarray, "T"]:
    r"""Loss ``1/2 |xi(t)|^2`` along a flow with weight decay, without the penalty.

    A flow is linear in the distance from where it comes to rest, and decay moves every eigenvalue
    up, so with x(l) the mode of the flow without decay

    .. math:: \xi_k(t) = \xi^*_k + x_t(l_k + \alpha)\,(\xi_k(0) - \xi^*_k), \qquad
              \xi^*_k = \frac{\alpha\,(\xi_k(0) - h_k)}{l_k + \alpha},

    as in `inertial.method.response`, with `residual` the coordinates of :math:`\xi(0)` and `shrunk`
    those of :math:`h = J w_0`.
    """
    shifted = np.maximum(eigenvalues, 0.0) + decay
    end = decay * (residual - shrunk) / shifted
    amplitude = solve(flow, shifted, times).amplitude
    with np.errstate(under="ignore"):
        return np.asarray(0.5 * np.sum((end + amplitude * (residual - end)) ** 2, axis=1))


def _rounding(eigenvalues: Eigenvalues) -> float:
    """Return n times the rounding of the largest; up to it an eigenvalue is zero."""
    largest = np.abs(eigenvalues).max(initial=0)
    return float(len(eigenvalues) * np.finfo(np.float64).eps * largest)


def _closed_form(
    flow: Flow,
) -> Callable[[Flow, Eigenvalues, Float[np.ndarray, "T"]], _Pair] | None:
    """Return the solver of the flow's kind, or None."""
    if flow.mass == 0:
        return _exponential
    if flow.vanishing_friction == 0:
        return _oscillator
    only_vanishing = flow.friction == flow.hessian_friction == flow.vanishing_force == 0
    return _bessel if only_vanishing else None


def _exponential(flow: Flow, modes: Eigenvalues, times: Float[np.ndarray, "T"]) -> _Pair:
    """Rate ``c l / (a + b l)``; without constant friction it is ``c/b``, and 0 where l is zero."""
    if flow.friction:
        rate = flow.force * modes / (flow.friction + flow.hessian_friction * modes)
    else:
        rate = np.where(modes > _rounding(modes), flow.force / flow.hessian_friction, 0.0)
    value = np.exp(-times[:, None] * rate)
    return value, -rate * value


def _oscillator(flow: Flow, modes: Eigenvalues, times: Float[np.ndarray, "T"]) -> _Pair:
    half, stiffness = (flow.friction + flow.hessian_friction * modes) / 2, flow.force * modes
    initial = flow.initial_velocity * modes
    discriminant = stiffness - half**2
    value = np.empty((len(times), len(modes)))
    velocity = np.empty_like(value)
    for chosen, parts in ((discriminant >= 0, _trigonometric), (discriminant < 0, _hyperbolic)):
        if not chosen.any():
            continue
        # A slice instead of a mask saves copies in the usual case that all modes are alike.
        k = slice(None) if chosen.all() else chosen
        h, q, v = half[k], stiffness[k], initial[k]
        cosine, sine = parts(h, q, np.sqrt(np.abs(discriminant[k])), times[:, None])
        value[:, k] = cosine + (v + h) * sine
        velocity[:, k] = v * cosine - (q + h * v) * sine
    return value, velocity


def _trigonometric(
    h: Float[np.ndarray, "k"],
    _q: Float[np.ndarray, "k"],
    omega: Float[np.ndarray, "k"],
    t: Float[np.ndarray, "T 1"],
) -> _Pair:
    """``e^{-ht} cos wt`` and ``e^{-ht} sin(wt) / w``, whose limit at w = 0 is ``t e^{-ht}``."""
    phase, decay = t * omega, np.exp(-t * h)
    quotient = np.sin(phase) / np.where(omega > 0, omega, 1.0)
    if not omega.all():
        quotient[:, omega == 0] = t
    return decay * np.cos(phase), decay * quotient


def _hyperbolic(
    h: Float[np.ndarray, "k"],
    q: Float[np.ndarray, "k"],
    omega: Float[np.ndarray, "k"],
    t: Float[np.ndarray, "T 1"],
) -> _Pair:
    """``e^{-ht} cosh wt`` and ``e^{-ht} sinh(wt) / w``.

    The slow exponent ``h - w`` is taken as ``q / (h + w)`` and ``1 - e^{-2wt}`` through expm1, so
    that no digits are lost however large the friction.
    """
    slow = np.exp(-t * (q / (h + omega)))
    lost = np.expm1(-2 * omega * t)
    return slow * (1 + lost / 2), slow * lost / (-2 * omega)


def _bessel(flow: Flow, modes: Eigenvalues, times: Float[np.ndarray, "T"]) -> _Pair:
    """0F1, whose derivative in its argument is 0F1 of the next order over the order."""
    order = (flow.vanishing_friction + 1) / 2
    stiffness = flow.force * modes
    argument = -(times[:, None] ** 2) / 4 * stiffness
    slope = -times[:, None] / (2 * order) * stiffness
    value = scipy.special.hyp0f1(order, argument)
    return value, slope * scipy.special.hyp0f1(order + 1, argument)


def _integrate(flow: Flow, modes: Eigenvalues, times: Float[np.ndarray, "T"]) -> _Pair:
    """Integrate all modes together; repeated times are integrated once."""
    first = SINGULAR_START / float(np.sqrt(modes.max()) or 1.0)
    wanted, where = np.unique(np.maximum(times, first), return_inverse=True)
    with jax.enable_x64(True):
        states, finished = _run(flow, jnp.asarray(modes), jnp.asarray(wanted), jnp.asarray(first))
        state = np.asarray(states)
    if not finished:
        raise InvalidInput(f"{flow.name} needs more than {_MAX_STEPS} steps; give earlier times.")
    return state[where, 0], state[where, 1]


@partial(jax.jit, static_argnames="flow")
def _run(
    flow: Flow, modes: Float[Array, "n"], times: Float[Array, "T"], first: Float[Array, ""]
) -> tuple[Float[Array, "T 2 n"], Bool[Array, ""]]:
    """Return value and velocity at `times`, and whether the last of them was reached."""

    def field(time: Array, state: Array) -> Array:
        value, velocity = state
        change = flow.acceleration(time, velocity, modes * value, modes * velocity)
        return jnp.stack([velocity, change])

    diffrax = needed("diffrax", "ode")
    displacement, velocity = flow.start(first, modes, modes**2)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda time, state, _: field(jnp.asarray(time), state)),
        diffrax.Dopri8(),
        t0=first,
        t1=times[-1],
        dt0=None,
        y0=jnp.stack([1 + displacement, velocity]),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(
            rtol=RELATIVE_TOLERANCE,
            atol=ABSOLUTE_TOLERANCE,
            norm=lambda error: jnp.max(jnp.abs(error)),
        ),
        max_steps=_MAX_STEPS,
        throw=False,
    )
    return solution.ys, solution.result == diffrax.RESULTS.successful
