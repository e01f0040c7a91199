r"""From this project's methods to the optimisers of optax, PyTorch and Keras, and back.

The three libraries take the same hyperparameters and run the same recursion with start `zero`, on
the sequence where the gradient is taken.  With u the buffer, g the gradient, :math:`\mu` momentum:

.. math:: u_{t+1} = \mu u_t + g_t, \quad u_0 = 0, \qquad
          w_{t+1} = w_t - \eta u_{t+1} \ \text{ or, with nesterov, }\
          w_{t+1} = w_t - \eta (g_t + \mu u_{t+1})

(the documentation of ``optax.sgd`` and ``torch.optim.SGD``; ``keras.optimizers.SGD`` keeps
:math:`v = -\eta u` instead).  Eliminating u gives the two-step recursion with beta = :math:`\mu`
and gamma = 0, or gamma = :math:`\mu` with nesterov.

Loss.  Step sizes here belong to ``1/2 sum r^2``.  For c times that loss the same iterates take
``eta / c``; momentum stays.

PyTorch's `dampening` :math:`\tau` makes the buffer :math:`u_{t+1} = \mu u_t + (1 - \tau) g_t`, but
not its first one, which is :math:`g_0`: step size :math:`\eta` once and
:math:`(1 - \tau)\eta` from then on.
"""

import warnings
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from inertial._checks import (
    InvalidInput,
    Notice,
    below_one,
    instance,
    nonnegative,
    one_of,
    positive,
    printable,
    unit_interval,
    whole,
)
from inertial.method import recursion as methods
from inertial.method.recursion import Recursion

Loss = Literal["half_sum", "sum", "half_mean", "mean"]
"""``1/2 sum r^2``, ``sum r^2``, ``1/(2n) sum r^2`` and ``1/n sum r^2`` over n residuals r."""

_SCALE: dict[Loss, float] = {"half_sum": 1.0, "sum": 2.0, "half_mean": 1.0, "mean": 2.0}


_KEYWORDS = ("lr", "learning_rate", "momentum", "nesterov", "dampening", "weight_decay")


class SGD(TypedDict):
    """Keywords of ``optax.sgd`` and of ``keras.optimizers.SGD``.

    Parameters
    ----------
    learning_rate
        For the loss that was named.
    momentum, nesterov
        Absent where there is no momentum.

    """

    learning_rate: float
    momentum: NotRequired[float]
    nesterov: NotRequired[bool]


class TorchSGD(TypedDict):
    """Keywords of ``torch.optim.SGD``, besides the parameters.

    Parameters
    ----------
    lr
        Learning rate, for the loss that was named.
    momentum, nesterov
        Absent where there is no momentum.

    """

    lr: float
    momentum: NotRequired[float]
    nesterov: NotRequired[bool]


def to_optax(method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None) -> SGD:
    """Keywords of ``optax.sgd`` that give the method's iterates.

    Gradient descent gets no momentum, not even 0, for which optax would keep a buffer.

    Parameters
    ----------
    method
        A method with constant coefficients and start `zero`.
    loss
        The loss that is differentiated there.
    rows
        Number n of residuals that a mean is taken over; needed for the two means.

    Raises
    ------
    InvalidInput
        If no setting of the library gives these iterates, or a mean comes without `rows`.

    """
    instance("the method", method, Recursion, methods.REMEDY)
    eta, beta, gamma = method.constant
    if gamma not in (0.0, beta):
        raise InvalidInput(f"gamma is {gamma}; the optimisers know 0 and beta = {beta} only.")
    if method.start == "copy" and gamma:
        raise InvalidInput(
            "the method's start is 'copy' and the optimisers begin with a buffer of zero; give a "
            "method with start 'zero'."
        )
    rate = eta / scale(loss, rows)
    if not beta:
        return SGD(learning_rate=rate)
    return SGD(learning_rate=rate, momentum=beta, nesterov=gamma > 0)


def to_keras(method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None) -> SGD:
    """Keywords of ``keras.optimizers.SGD`` that give the method's iterates.

    Parameters
    ----------
    method, loss, rows
        As for `to_optax`, which says what is refused.

    """
    return to_optax(method, loss=loss, rows=rows)


def to_torch(method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None) -> TorchSGD:
    """Keywords of ``torch.optim.SGD`` that give the method's iterates.

    PyTorch's `dampening` stays at its default, 0.

    Parameters
    ----------
    method, loss, rows
        As for `to_optax`, which says what is refused.

    """
    words = to_optax(method, loss=loss, rows=rows)
    if "momentum" not in words:
        return TorchSGD(lr=words["learning_rate"])
    return TorchSGD(
        lr=words["learning_rate"], momentum=words["momentum"], nesterov=words["nesterov"]
    )


def keywords(words: SGD | TorchSGD) -> str:
    """Write keywords as they stand in a call, without those that stand at their defaults."""
    given = {key: value for key, value in words.items() if value}
    return ", ".join(
        f"{key}={_written(key, value)}" if isinstance(value, float) else f"{key}={value}"
        for key, value in given.items()
    )


def _written(key: str, value: float) -> str:
    return below_one(value, 6) if key == "momentum" else f"{value:.6g}"


def optimisers(
    method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None, decay: float = 0.0
) -> dict[str, str]:
    """Return the optimiser's expression for optax, torch and keras.

    Parameters and errors are those of `to_optax`.  `decay` is the rate of weight decay for the loss
    that is differentiated there.  Keras' own ``weight_decay`` is another one, that is not
    multiplied by the momentum, so its expression has none: see `keras_decay`.
    """
    optax, torch = to_optax(method, loss=loss, rows=rows), to_torch(method, loss=loss, rows=rows)
    plain, more = f"optax.sgd({keywords(optax)})", ""
    if decay:
        plain = f"optax.chain(optax.add_decayed_weights({decay:.6g}), {plain})"
        more = f", weight_decay={decay:.6g}"
    return {
        "optax": plain,
        "torch": f"torch.optim.SGD(model.parameters(), {keywords(torch)}{more})",
        "keras": f"keras.optimizers.SGD({keywords(optax)})",
    }


def keras_decay(decay: float) -> str:
    """Return the regulariser of Keras whose gradient is that of weight decay."""
    return f"keras.regularizers.L2({decay / 2:.6g})"


def snippet(
    method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None, decay: float = 0.0
) -> str:
    """Lines to copy for the three libraries; parameters and errors are those of `optimisers`."""
    lines = "\n".join(optimisers(method, loss=loss, rows=rows, decay=decay).values())
    return f"{lines}  # and {keras_decay(decay)} on every weight" if decay else lines


def in_evaluation(lines: str) -> str:
    """Lines to copy for a model with layers that act otherwise in training: PyTorch's says how."""
    return "\n".join(
        f"{line}  # after model.eval()" if line.startswith("torch") else line
        for line in lines.splitlines()
    )


def from_sgd(
    learning_rate: float | None = None,
    momentum: float = 0.0,
    *,
    lr: float | None = None,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    loss: Loss = "half_sum",
    rows: int | None = None,
    steps: int = 10_000,
) -> Recursion:
    """Return the method that an optimiser of optax, PyTorch or Keras runs.

    Parameters
    ----------
    learning_rate, momentum, nesterov
        As given to the optimiser.
    lr
        PyTorch's name of the first one.
    dampening
        PyTorch's, in [0, 1); with momentum the step size then changes once, after the first step.
    weight_decay
        Rate alpha that adds ``alpha w`` to the gradient.  The method is that of the loss with
        ``alpha/2 |w|^2`` besides, so the decay belongs to the problem; a warning names it.
    loss, rows
        As for `to_optax`.
    steps
        Updates that the schedule of a dampened method is made for.

    Raises
    ------
    InvalidInput
        If a number is outside its range, a mean comes without `rows`, or dampening comes with
        nesterov, which PyTorch does not have either.

    """
    rate = learning_rate if lr is None else lr
    if rate is None or (lr is not None and learning_rate is not None):
        raise InvalidInput("an optimiser has one step size; give lr or learning_rate.")
    factor = scale(loss, rows)
    eta = positive("the learning rate", rate) * factor
    beta, damped = unit_interval("momentum", momentum), unit_interval("dampening", dampening)
    decay = nonnegative("weight_decay", 0.0 if weight_decay is None else weight_decay)
    if decay:
        warnings.warn(
            f"weight_decay is part of the problem, not of the method, which is exact with it; give "
            f"the problem or the settings decay={decay / factor:.6g}.",
            Notice,
            stacklevel=2,
        )
    if not beta:
        return methods.gradient_descent(eta)
    if not damped:
        return methods.nesterov(eta, beta) if nesterov else methods.heavy_ball(eta, beta)
    if nesterov:
        raise InvalidInput(
            f"dampening is {damped} with nesterov, which PyTorch refuses too; leave one out."
        )
    count = whole("steps", steps)
    return Recursion((eta, *[(1 - damped) * eta] * (count - 1)), (beta,) * count)


def method_of(words: Recursion | Mapping[str, Any], decay: float = 0.0) -> Recursion:
    """Return the method that a mapping such as ``dict(lr=0.01, momentum=0.9)`` means.

    Keys are those of PyTorch and optax, as `from_sgd` takes them; `decay` is the problem's.

    Raises
    ------
    InvalidInput
        If the step size is missing, there is any other key, or a weight decay that the problem does
        not have.

    """
    if isinstance(words, Recursion):
        return words
    if not isinstance(words, Mapping):
        raise InvalidInput(
            f"the setting is {printable(words)!r}; give a Recursion, or a mapping such as "
            "dict(lr=0.01, momentum=0.9)."
        )
    for word in words:
        one_of("the setting's keyword", word, _KEYWORDS)
    own = words.get("weight_decay") or 0.0
    if own != decay and "weight_decay" in words:
        raise InvalidInput(
            f"weight_decay is {printable(own)} in the setting and {decay:g} in the problem; give "
            f"the problem decay={printable(own)}."
        )
    return from_sgd(**{**words, "weight_decay": 0.0})


def scale(loss: Loss, rows: int | None) -> float:
    """Factor c between a loss and ``1/2 sum r^2``."""
    factor = _SCALE[one_of("loss", loss, _SCALE)]
    if loss in ("half_sum", "sum"):
        return factor
    if rows is None:
        raise InvalidInput(f"loss is {loss!r} but rows is missing; give the number of residuals.")
    return factor / whole("rows", rows)
