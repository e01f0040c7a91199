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
"""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from inertial._checks import InvalidInput, one_of, positive, unit_interval, whole
from inertial.method import recursion as methods
from inertial.method.recursion import Recursion

Loss = Literal["half_sum", "sum", "half_mean", "mean"]
"""``1/2 sum r^2``, ``sum r^2``, ``1/(2n) sum r^2`` and ``1/n sum r^2`` over n residuals r."""

_SCALE: dict[Loss, float] = {"half_sum": 1.0, "sum": 2.0, "half_mean": 1.0, "mean": 2.0}


class SGD(TypedDict):
    """Keywords of ``optax.sgd`` and of ``keras.optimizers.SGD``."""

    learning_rate: float
    momentum: float
    nesterov: bool


class TorchSGD(TypedDict):
    """Keywords of ``torch.optim.SGD``, besides the parameters."""

    lr: float
    momentum: float
    nesterov: bool


def to_optax(method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None) -> SGD:
    """Keywords of ``optax.sgd`` that give the method's iterates.

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
    eta, beta, gamma = method.constant
    if gamma not in (0.0, beta):
        raise InvalidInput(f"gamma is {gamma}; the optimisers know 0 and beta = {beta} only.")
    if method.start == "copy" and gamma:
        raise InvalidInput(
            "the method's start is 'copy' and the optimisers begin with a buffer of zero; give a "
            "method with start 'zero'."
        )
    return SGD(
        learning_rate=eta / scale(loss, rows),
        momentum=beta,
        nesterov=gamma > 0,
    )


def to_keras(method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None) -> SGD:
    """Keywords of ``keras.optimizers.SGD``; parameters and errors are those of `to_optax`."""
    return to_optax(method, loss=loss, rows=rows)


def to_torch(method: Recursion, *, loss: Loss = "half_sum", rows: int | None = None) -> TorchSGD:
    """Keywords of ``torch.optim.SGD``; parameters and errors are those of `to_optax`.

    PyTorch's `dampening` stays at its default, 0.
    """
    words = to_optax(method, loss=loss, rows=rows)
    return TorchSGD(
        lr=words["learning_rate"], momentum=words["momentum"], nesterov=words["nesterov"]
    )


def snippet(method: Recursion) -> str:
    """Lines to copy for the three libraries, without the keywords that stand at their defaults."""

    def words(keywords: SGD | TorchSGD) -> str:
        given = {key: value for key, value in keywords.items() if value}
        return ", ".join(
            f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in given.items()
        )

    return (
        f"optax.sgd({words(to_optax(method))})\n"
        f"torch.optim.SGD(model.parameters(), {words(to_torch(method))})\n"
        f"keras.optimizers.SGD({words(to_keras(method))})"
    )


def from_sgd(
    learning_rate: float,
    momentum: float = 0.0,
    *,
    nesterov: bool = False,
    loss: Loss = "half_sum",
    rows: int | None = None,
) -> Recursion:
    """Return the method that an optimiser of optax, PyTorch or Keras runs.

    Parameters
    ----------
    learning_rate, momentum, nesterov
        As given to the optimiser; PyTorch calls the first one `lr`.
    loss, rows
        As for `to_optax`.

    Raises
    ------
    InvalidInput
        If a number is outside its range, or a mean comes without `rows`.

    """
    eta = positive("learning_rate", learning_rate) * scale(loss, rows)
    beta = unit_interval("momentum", momentum)
    if not beta:
        return methods.gradient_descent(eta)
    family = methods.nesterov if nesterov else methods.heavy_ball
    return family(eta, beta)


def method_of(words: Recursion | Mapping[str, Any]) -> Recursion:
    """Return the method that a mapping such as ``dict(lr=0.01, momentum=0.9)`` means.

    Keys are those of PyTorch and optax: `lr` or `learning_rate`, and `momentum` and `nesterov`.

    Raises
    ------
    InvalidInput
        If the step size is missing, or there is any other key.

    """
    if isinstance(words, Recursion):
        return words
    left = dict(words)
    step = left.pop("lr", left.pop("learning_rate", None))
    momentum, with_correction = left.pop("momentum", 0.0), left.pop("nesterov", False)
    if step is None or left:
        raise InvalidInput(
            f"the setting is {dict(words)}; give lr, and momentum and nesterov if you like."
        )
    return from_sgd(step, momentum, nesterov=bool(with_correction))


def scale(loss: Loss, rows: int | None) -> float:
    """Factor c between a loss and ``1/2 sum r^2``."""
    factor = _SCALE[one_of("loss", loss, _SCALE)]
    if loss in ("half_sum", "sum"):
        return factor
    if rows is None:
        raise InvalidInput(f"loss is {loss!r} but rows is missing; give the number of residuals.")
    return factor / whole("rows", rows)
