r"""Continuous-time limits of gradient methods as one family; a flow is its coefficients.

.. math:: M \ddot w + \bigl(a + \tfrac{d}{t} + b\,\nabla^2 L\bigr) \dot w
          + \bigl(c + \tfrac{e}{t}\bigr) \nabla L = 0

with :math:`\nabla^2 L = J^T J` the full Gauss-Newton matrix, which is the Hessian between changes
of an activation.  With a constant kernel H the residual obeys the same equation mode by mode,

.. math:: M \ddot x + (a + d/t + b l) \dot x + (c + e/t)\, l\, x = 0.

Instances:

- gradient flow: M = 0, a = c = 1 (Bu, Xu and Chen 2021, eq. 2.2),
- Newton flow: M = 0, b = c = 1, so that every mode with l > 0 decays as ``exp(-t)``,
- heavy ball with friction: M = c = 1, ``a = 2 sqrt(mu)`` (ibid., eq. 3.3),
- Nesterov: M = c = 1 and d (ibid., eq. 4.2),
- high resolution: ``a = 2 sqrt(mu)``, ``c = 1 + sqrt(mu s)``, and for Nesterov ``b = sqrt(s)``
  (Liu, Tao, Wang and Pan 2022, eqs. 6 and 7),
- high resolution for convex losses: ``d = 3, b = sqrt(s), c = 1, e = 3 sqrt(s) / 2`` (Shi, Du,
  Jordan and Su 2021).

Time.  Step k of a method with step size eta is at ``t = k eta`` for M = 0 and at
``t = k sqrt(eta)`` for M = 1; this belongs to the flow, see `Flow.time`.

Start.  The sources set ``w'(0) = 0``.  Where d > 0, t = 0 is singular and the regular solution is
meant, whose velocity there is ``-(e/d)`` times the gradient.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Array, Float, Int

from inertial._checks import InvalidInput, positive
from inertial.method.recursion import Recursion


@dataclass(frozen=True)
class Flow:
    """Coefficients of the family's equation; all of them at least zero.

    Parameters
    ----------
    name
        What the flow is called.
    source
        Author, year and equation.
    mass
        M, 0 for a first-order flow and 1 for a second-order one.
    friction, vanishing_friction, hessian_friction
        a, d and b: constant, decaying as ``d/t``, and multiplying the Hessian.
    force, vanishing_force
        c and e: weight of the gradient, constant and decaying as ``e/t``.
    initial_velocity
        ``w'(0)`` as a multiple of the gradient there; 0 in the sources.

    Raises
    ------
    InvalidInput
        If a coefficient is outside its range or contradicts the others.

    """

    name: str
    source: str
    mass: int = 1
    friction: float = 0.0
    vanishing_friction: float = 0.0
    hessian_friction: float = 0.0
    force: float = 1.0
    vanishing_force: float = 0.0
    initial_velocity: float = 0.0

    def __post_init__(self) -> None:
        if self.mass not in (0, 1):
            raise InvalidInput(
                f"mass is {self.mass}; give 0 for a flow of first order, 1 for one of second order."
            )
        positive("force", self.force)
        for field in ("friction", "vanishing_friction", "hessian_friction", "vanishing_force"):
            if not 0 <= getattr(self, field) < np.inf:
                raise InvalidInput(
                    f"{field} is {getattr(self, field)}; give a finite number of at least 0."
                )
        singular = self.vanishing_friction > 0
        if self.mass == 0 and (singular or self.initial_velocity or not self._first_order_friction):
            raise InvalidInput(
                "a flow of mass 0 has friction or hessian_friction, and neither vanishing "
                "coefficients nor an initial_velocity; drop them or set mass to 1."
            )
        if self.vanishing_force and not singular:
            raise InvalidInput("vanishing_force without vanishing_friction has no start at t = 0.")
        if self.initial_velocity and singular:
            raise InvalidInput("vanishing_friction fixes the initial velocity; leave it at 0.")

    @property
    def _first_order_friction(self) -> float:
        return self.friction + self.hessian_friction

    @property
    def time_unit(self) -> Literal["eta", "sqrt(eta)"]:
        """Time that passes in one step of a method with step size eta."""
        return "sqrt(eta)" if self.mass else "eta"

    def time(self, steps: Int[np.ndarray, "T"], eta: float) -> Float[np.ndarray, "T"]:
        """Return the times of the given steps of a method with step size `eta`."""
        return steps * (np.sqrt(eta) if self.mass else eta)

    def acceleration(
        self,
        time: Float[Array, ""],
        velocity: Float[Array, "..."],
        gradient: Float[Array, "..."],
        hessian_velocity: Float[Array, "..."],
    ) -> Float[Array, "..."]:
        """``w''`` at a time > 0 (>= 0 without vanishing coefficients); mass 1 only.

        `hessian_velocity` is the Hessian times `velocity`.
        """
        rest = self.hessian_friction * hessian_velocity
        if self.vanishing_friction:
            rest += (self.vanishing_friction * velocity + self.vanishing_force * gradient) / time
        return -(self.friction * velocity + self.force * gradient + rest)

    def start(
        self,
        time: Float[Array, ""],
        gradient: Float[Array, "..."],
        hessian_gradient: Float[Array, "..."],
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        r"""Displacement and velocity at a small `time` >= 0, to second order; mass 1 only.

        Balancing powers of t in the equation gives the regular solution

        .. math:: \dot w(0) = v g, \qquad
                  \ddot w(0) = -\frac{(a v + c) g + (b + e) v\,\nabla^2 L\, g}{1 + d}

        with v the initial velocity, which is ``-e/d`` where d > 0.
        """
        v = self.initial_velocity
        if self.vanishing_friction:
            v = -self.vanishing_force / self.vanishing_friction
        along = -(self.friction * v + self.force) / (1 + self.vanishing_friction)
        across = -(self.hessian_friction + self.vanishing_force) * v / (1 + self.vanishing_friction)
        change = along * gradient + across * hessian_gradient
        return time * v * gradient + time**2 / 2 * change, v * gradient + time * change


def gradient_flow() -> Flow:
    """Gradient flow ``w' = -grad L`` (Bu, Xu and Chen 2021, eq. 2.2)."""
    return Flow("gradient_flow", "Bu, Xu and Chen (2021), eq. 2.2", mass=0, friction=1.0)


def newton_flow() -> Flow:
    """Newton flow ``J'J w' = -grad L``, smallest w': with an invertible kernel ``r' = -r``.

    Every mode decays as ``exp(-t)``; only one whose eigenvalue is zero, up to n times the rounding
    of the largest, stays.  It is the limit of Newton's method, and not of gradient descent.  Named
    by Bu, Xu and Chen (2021) as an extension; this form is derived.
    """
    source = "Bu, Xu and Chen (2021), outlook; form derived"
    return Flow("newton_flow", source, mass=0, hessian_friction=1.0)


def heavy_ball_flow(mu: float) -> Flow:
    """Heavy ball with friction ``2 sqrt(mu)``, mu = lambda_0/2 (Bu, Xu and Chen 2021, eq. 3.3)."""
    friction = 2 * float(np.sqrt(positive("mu", mu)))
    return Flow("heavy_ball_flow", "Bu, Xu and Chen (2021), eq. 3.3", friction=friction)


def nesterov_flow(d: float = 3.0) -> Flow:
    """Nesterov's flow with friction ``d/t`` (Bu, Xu and Chen 2021, eq. 4.2)."""
    source = "Bu, Xu and Chen (2021), eq. 4.2"
    return Flow("nesterov_flow", source, vanishing_friction=positive("d", d))


def high_resolution_heavy_ball(mu: float, s: float) -> Flow:
    """Heavy ball to order ``sqrt(s)`` (Liu, Tao, Wang and Pan 2022, eq. 6, ``1 + sqrt(mu s)``)."""
    return Flow(
        "high_resolution_heavy_ball",
        "Liu, Tao, Wang and Pan (2022), eq. 6",
        friction=2 * float(np.sqrt(positive("mu", mu))),
        force=1 + float(np.sqrt(mu * positive("s", s))),
    )


def high_resolution_nesterov(mu: float, s: float) -> Flow:
    """Nesterov to order ``sqrt(s)`` (Liu, Tao, Wang and Pan 2022, eq. 7, with the full Hessian)."""
    return replace(
        high_resolution_heavy_ball(mu, s),
        name="high_resolution_nesterov",
        source="Liu, Tao, Wang and Pan (2022), eq. 7",
        hessian_friction=float(np.sqrt(s)),
    )


def high_resolution_convex_nesterov(s: float) -> Flow:
    """Nesterov with ``beta_t = t/(t+3)`` to order ``sqrt(s)`` (Shi, Du, Jordan and Su 2021, NAG-C).

    They start at ``t = 3 sqrt(s)/2``; here it is the solution that is regular at t = 0.
    """
    root = float(np.sqrt(positive("s", s)))
    return Flow(
        "high_resolution_convex_nesterov",
        "Shi, Du, Jordan and Su (2021), NAG-C",
        vanishing_friction=3.0,
        hessian_friction=root,
        vanishing_force=1.5 * root,
    )


def started_like(flow: Flow, method: Recursion) -> Flow:
    r"""Return the flow with the velocity that makes a high-resolution flow accurate to O(s).

    .. math:: \dot w(0) = \frac{w_1 - w_0}{\sqrt s} + \frac{\sqrt s}{2} g_0
              = -\sqrt s\,(\tfrac{1}{2} + \gamma_0)\, g_0

    (Derived: the Taylor expansion of the flow over the method's first step.)  About
    ``-sqrt(s)/2`` for heavy ball and ``-3 sqrt(s)/2`` for Nesterov from `zero`.
    """
    eta, _, gamma = method.coefficients(0, 1)
    return replace(flow, initial_velocity=-float(np.sqrt(eta[0]) * (0.5 + gamma[0])))


def strongly_convex_momentum(mu: float, s: float) -> float:
    """Momentum ``(1 - sqrt(mu s)) / (1 + sqrt(mu s))`` whose limit has friction ``2 sqrt(mu)``.

    Liu, Tao, Wang and Pan (2022), after Shi, Du, Jordan and Su (2021).
    """
    root = float(np.sqrt(positive("mu", mu) * positive("s", s)))
    return (1 - root) / (1 + root)
