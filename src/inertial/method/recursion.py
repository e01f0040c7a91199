r"""Gradient methods with momentum as one two-step recursion; a method is its coefficients.

.. math:: w_{t+1} = w_t + \beta_t (w_t - w_{t-1}) - \eta g_t - \gamma_t \eta (g_t - g_{t-1})

with :math:`g_t` the gradient at :math:`w_t`.  Three instances (Liu, Pan
and Tao 2022, eqs. 2, 3, 6):

- gradient descent: beta = gamma = 0,
- heavy ball: gamma = 0,
- Nesterov: gamma = beta, constant or ``t / (t + d)`` (Bu, Xu and Chen 2021, eq. 4.1).

Start.  ``w_{-1} = w_0`` always.  `zero` sets ``g_{-1} = 0``: the first Nesterov step is
``(1 + beta) eta g_0``, as in optax, PyTorch, Keras and Algorithm 1 of Liu, Pan and Tao.  `copy`
sets ``g_{-1} = g_0``: the first step is ``eta g_0``, as in their residual equations.

Sequence.  Nesterov's method has two: the extrapolated one, where the gradient is taken, and the
other, ``v_{t+1} = w_t - eta g_t``.  The recursion is exact for the extrapolated one on any loss
with start `zero`; the other one obeys it only for affine gradients and with start `copy`.  Here w
is always the sequence where the gradient is taken.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, one_of, positive, unit_interval
from inertial._types import MethodName

Start = Literal["zero", "copy"]
Sequence = Literal["iterate", "extrapolated"]


@dataclass(frozen=True)
class Method:
    """Coefficients of the two-step recursion.

    Parameters
    ----------
    name
        Which of the three families.
    eta
        Step size, > 0, for the loss ``1/2 sum (f - y)^2``.
    beta
        Momentum, in [0, 1); with `friction` its limit, 1.
    gamma
        Weight of the gradient correction, between 0 and `beta`.
    friction
        The constant d > 0 of ``beta_t = gamma_t = t / (t + d)``, or None for constant coefficients.
    start
        What stands for the gradient before the first, see the module.

    Raises
    ------
    InvalidInput
        If a coefficient is outside its range.

    """

    name: MethodName
    eta: float
    beta: float = 0.0
    gamma: float = 0.0
    friction: float | None = None
    start: Start = "zero"

    def __post_init__(self) -> None:
        positive("eta", self.eta)
        if self.friction is None:
            unit_interval("beta", self.beta)
        else:
            positive("friction", self.friction)
            if self.beta != 1:
                raise InvalidInput(f"beta is {self.beta}; with friction give a 1, its limit.")
        if not 0 <= self.gamma <= self.beta:
            raise InvalidInput(f"gamma is {self.gamma}; give a number between 0 and beta.")
        if self.name == "gradient_descent" and self.beta:
            raise InvalidInput(f"beta is {self.beta}; gradient descent has none, give a 0.")
        one_of("start", self.start, get_args(Start))
        one_of("method", self.name, get_args(MethodName))

    @property
    def sequence(self) -> Sequence:
        """Name of the sequence that w is; without gradient correction there is only one."""
        return "extrapolated" if self.gamma > 0 else "iterate"

    def coefficients(
        self, first: int, count: int
    ) -> tuple[Float[np.ndarray, "count"], Float[np.ndarray, "count"]]:
        """``beta_t`` and ``gamma_t`` for ``t = first, ..., first + count - 1``.

        They belong to the recursion with ``g_{-1} = 0``; start `copy` is ``gamma_0 = 0``.
        """
        t = np.arange(first, first + count)
        weight = np.ones(count) if self.friction is None else t / (t + self.friction)
        gamma = self.gamma * weight
        if self.start == "copy":
            gamma = np.where(t == 0, 0.0, gamma)
        return self.beta * weight, gamma


def gradient_descent(eta: float) -> Method:
    """Gradient descent: ``w_{t+1} = w_t - eta g_t``."""
    return Method("gradient_descent", eta)


def heavy_ball(eta: float, beta: float) -> Method:
    """Heavy ball (Polyak 1964): momentum without gradient correction.

    The same iterates as the buffer form ``M_t = beta M_{t-1} + g_t, w_{t+1} = w_t - eta M_t`` of
    Wang and Abernethy (2020, Algorithm 1), of optax and of PyTorch.
    """
    return Method("heavy_ball", eta, beta)


def nesterov(eta: float, beta: float, *, start: Start = "zero") -> Method:
    """Nesterov's method with constant momentum (Liu, Pan and Tao 2022, Algorithm 1)."""
    return Method("nesterov", eta, beta, beta, start=start)


def nesterov_varying(eta: float, friction: float = 3.0) -> Method:
    """Nesterov's method with ``beta_t = t / (t + d)``, d = `friction` (Bu, Xu and Chen 2021)."""
    return Method("nesterov", eta, 1.0, 1.0, friction=friction)
