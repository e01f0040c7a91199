r"""The optimal schedule of step sizes and momenta for a measure, smoothed so that networks follow.

The residual polynomials that are orthogonal for :math:`\lambda\,d\mu` have the least loss at every
step at once.  Their recurrence coefficients (a, b) give a heavy ball whose step size and momentum
change (Pedregosa and Scieur 2020, arXiv 2002.04756; `inertial.method.recursion.from_jacobi`):

.. math:: \eta_t = \frac{1}{a_t - b_t^2 \eta_{t-1}}, \qquad
          \beta_t = b_t^2 \eta_t \eta_{t-1}, \qquad \eta_{-1} = 0.

That raw schedule knows the nodes by heart: its steps reach a thousand times the stability limit,
and a network, whose kernel is a little different, blows up.  So a share of mass is spread over
:math:`[0, 1.05\,\lambda_{max}]` by the arcsine law, the one for which Chebyshev's polynomials are
orthogonal: the polynomials stay small between the nodes too, and the schedule tends to Chebyshev's.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, one_of, positive, whole
from inertial._door import door
from inertial.linear.lanczos import lanczos
from inertial.linear.measure import Measure
from inertial.method.conventions import Loss, scale
from inertial.method.recursion import Recursion, chebyshev, from_jacobi

SCHEDULES = ("optimal", "chebyshev")
"""Rules that give a step size and a momentum for each step: heavy ball's, from a measure."""

SMOOTHING = 1e-2
"""Spread mass as a share of the measure's; docs/bound.md has what networks do at others."""

REACH = 1.05
"""Upper end of the spread mass, as a multiple of the largest eigenvalue."""

_NODES = 1000
"""Chebyshev nodes that stand for the arcsine law: its first 1,000 recurrence coefficients."""

_MERGED = 400
"""Nodes that the measure is merged into, at most."""

_EXACT = 400
"""Steps whose coefficients are computed; later ones are heavy ball's, see `optimal_schedule`."""


def for_measure(rule: str, measure: Measure, steps: int) -> Recursion:
    """Return the schedule of a rule in `SCHEDULES` for a measure and a number of updates.

    Raises
    ------
    InvalidInput
        If there is no such rule, or the measure does not allow it: Chebyshev's method needs a
        smallest eigenvalue above 0.

    """
    if one_of("rule", rule, SCHEDULES) == "optimal":
        return optimal_schedule(measure, steps)
    return chebyshev(measure.smallest, measure.largest, steps=steps)


class Schedules(NamedTuple):
    """Learning rate and momentum of an optimiser.

    Parameters
    ----------
    learning_rate, momentum
        One entry for each step.

    """

    learning_rate: Float[np.ndarray, "steps"]
    momentum: Float[np.ndarray, "steps"]


def optimal_schedule(
    measure: Measure, steps: int, *, smoothing: float = SMOOTHING, reach: float = REACH
) -> Recursion:
    r"""Return the smoothed optimal schedule for a measure.

    Beyond 400 steps it goes on as heavy ball with what Chebyshev's method has at step 400,
    :math:`\beta = 1 - 2/400`, and the largest step at which all of the spread mass oscillates,
    :math:`\eta = (1 + \sqrt\beta)^2 / (1.05\,\lambda_{max})`.

    Parameters
    ----------
    measure
        Spectral measure of the problem.
    steps
        Number of updates that the schedule is made for.
    smoothing
        Spread mass as a share of the measure's total, > 0.  Less follows the measure more closely
        and forgives less.
    reach
        Upper end of the spread mass as a multiple of the largest eigenvalue, at least 1.

    Raises
    ------
    InvalidInput
        If an argument is out of range, or the measure has no weight.

    """
    whole("steps", steps)
    positive("smoothing", smoothing)
    if not reach >= 1:
        raise InvalidInput(f"reach is {reach}; give a number of at least 1.")
    if not measure.total > 0:
        raise InvalidInput("the measure has no weight; give a problem whose loss is above 0.")
    few, top = measure.merged(_MERGED), reach * measure.largest
    angles = (2 * np.arange(_NODES) + 1) * np.pi / (2 * _NODES)
    spread = top * np.sin(angles / 2) ** 2
    nodes = np.concatenate([few.nodes, spread])
    mass = np.concatenate([few.weights, np.full(_NODES, smoothing * measure.total / _NODES)])
    count = min(steps, _EXACT)
    found = lanczos(lambda v: nodes * v, np.sqrt(nodes * mass), count)
    exact = from_jacobi(found.diagonal, np.append(0.0, found.off_diagonal**2))
    eta, beta, _ = exact.coefficients(0, len(found.diagonal))
    tail = 1 - 2 / _EXACT
    eta = np.pad(eta, (0, steps - len(eta)), constant_values=(1 + tail**0.5) ** 2 / top)
    beta = np.pad(beta, (0, steps - len(beta)), constant_values=tail)
    return Recursion(tuple(eta.tolist()), tuple(beta.tolist()))


def to_optax_schedules(
    method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None
) -> Schedules:
    r"""Entries for ``optax.inject_hyperparams(optax.sgd)`` and for ``torch.optim.SGD``.

    Their buffer ``u' = momentum_t u + g, w' = w - lr_t u'`` runs the recursion with
    ``lr_t = eta_t`` and :math:`momentum_t = \beta_t \eta_{t-1} / \eta_t`.  The first momentum meets
    a buffer of zero and is free: it repeats the second, because at 0 PyTorch keeps no buffer.

    Parameters
    ----------
    method
        A schedule without gradient correction.
    loss, rows
        As for `inertial.to_optax`.

    Raises
    ------
    InvalidInput
        If the method has constants only, or a gradient correction.

    """
    eta, beta = _entries(method)
    momentum = beta.copy()
    momentum[1:] *= eta[:-1] / eta[1:]
    momentum[:1] = momentum[1:2]
    return Schedules(eta / scale(loss, rows), momentum)


def to_keras_schedules(
    method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None
) -> Schedules:
    r"""Entries for ``keras.optimizers.SGD``, whose buffer is the step, ``v' = beta_t v - eta_t g``.

    Parameters, the first momentum and errors are those of `to_optax_schedules`.

    Parameters
    ----------
    method, loss, rows
        As for `to_optax_schedules`.

    """
    eta, beta = _entries(method)
    momentum = beta.copy()
    momentum[:1] = momentum[1:2]
    return Schedules(eta / scale(loss, rows), momentum)


@runtime_checkable
class ParameterGroups(Protocol):
    """What a ``torch.optim.SGD`` shows of itself."""

    param_groups: list[dict[str, Any]]


class TorchSchedule:
    """A scheduler for ``torch.optim.SGD``: call `step` after each ``optimizer.step()``.

    Sets ``lr`` and ``momentum`` of every parameter group, at once for the first step; after the
    last entry both stay.  PyTorch itself is not imported.

    Parameters
    ----------
    optimizer
        The ``torch.optim.SGD`` to steer, without nesterov and dampening.
    method, loss, rows
        As for `to_optax_schedules`.

    """

    @door
    def __init__(
        self,
        optimizer: ParameterGroups,
        method: Recursion,
        *,
        loss: Loss = "half_sum",
        rows: int | None = None,
    ) -> None:
        self._optimizer = optimizer
        self._entries = to_optax_schedules(method, loss=loss, rows=rows)
        self._done = 0
        self._apply()

    def step(self) -> None:
        """Go on to the next entry."""
        self._done += 1
        self._apply()

    def state_dict(self) -> dict[str, int]:
        """Return what a checkpoint needs."""
        return {"done": self._done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where a checkpoint was taken."""
        self._done = whole("done", state["done"], least=0)
        self._apply()

    def _apply(self) -> None:
        at = min(self._done, len(self._entries.momentum) - 1)
        for group in self._optimizer.param_groups:
            group["lr"] = float(self._entries.learning_rate[at])
            group["momentum"] = float(self._entries.momentum[at])


def keras_lines(method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None) -> str:
    """Lines to copy: a Keras callback that sets both numbers before each batch.

    The optimiser begins with a momentum above 0, so that it keeps a buffer, and the model runs
    eagerly: a compiled step would keep the first momentum.
    """
    rate, momentum = to_keras_schedules(method, loss=loss, rows=rows)
    rates, momenta = (", ".join(f"{v:.9g}" for v in part) for part in (rate, momentum))
    return f"""\
LEARNING_RATE = [{rates}]
MOMENTUM = [{momenta}]

class Schedule(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        at = min(int(self.model.optimizer.iterations), len(MOMENTUM) - 1)
        self.model.optimizer.learning_rate = LEARNING_RATE[at]
        self.model.optimizer.momentum = MOMENTUM[at]

optimizer = keras.optimizers.SGD(LEARNING_RATE[0], momentum=MOMENTUM[0])
# model.compile(optimizer, loss=..., run_eagerly=True); model.fit(..., callbacks=[Schedule()])
"""


def _entries(method: Recursion) -> Schedules:
    if method.steps is None:
        raise InvalidInput(
            "the coefficients are constants, which need no schedule; use to_optax, to_torch or "
            "to_keras."
        )
    eta, beta, gamma = method.coefficients(0, method.steps)
    if gamma.any():
        raise InvalidInput(
            "the schedule has a gradient correction, which no optimiser runs with a momentum that "
            "changes; give a schedule whose gamma is 0."
        )
    return Schedules(eta, beta)
