r"""Losses as functions of the outputs: value, gradient and curvature.

With outputs f of shape (n, k), :math:`\xi = d\ell/df` and A the Hessian of the loss in f, block
diagonal with one k x k block a row.  Any factor B with :math:`A = B B^T` turns the linearised
dynamics near the start, :math:`\xi_{t+1} = \xi_t - \eta A H \xi_t`, into symmetric ones,
:math:`z_{t+1} = z_t - \eta B^T H B z_t` with :math:`\xi = B z`.

- mean square and half of the sum of squares: A = s, with s = 2/(nk) and s = 1;
- cross-entropy: A = (diag(p) - p p')/n and B = diag(sqrt p) (1 - sqrt(p) sqrt(p)')/sqrt(n);
- binary cross-entropy: A = p(1-p)/(nk);
- any other: k products with its Hessian.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from inertial._checks import InvalidInput, one_of

Outputs = Float[np.ndarray, "n k"]
Value = Callable[[jax.Array, jax.Array], jax.Array]
"""From outputs, shape (n, k), and targets to the loss."""

_FLAT = 1e-12
"""Curvature below this share of the gradient's size counts as none."""

_SLACK = 1e-6
"""Relative rounding that is allowed when it is checked that rows are independent."""


_ALIKE = 1e-4
"""Relative rounding of a gradient in single precision."""


@dataclass(frozen=True)
class Curvature:
    """The Hessian A of a loss in its outputs as a factor B, ``A = B B'``.

    Parameters
    ----------
    times, transposed, solve
        ``v -> B v``, ``v -> B' v`` and ``v -> B^+ v``, each on arrays of the outputs' shape.

    """

    times: Callable[[Outputs], Outputs]
    transposed: Callable[[Outputs], Outputs]
    solve: Callable[[Outputs], Outputs]


@dataclass(frozen=True)
class Loss:
    """A loss by name or by function, as `loss_of` makes it.

    Parameters
    ----------
    name
        Name of the loss, or of the function.
    value
        The loss as a function of outputs and targets.
    classes
        Whether targets are class numbers.
    labels
        Whether targets are 0 or 1.

    """

    name: str
    value: Value
    classes: bool = False
    labels: bool = False

    @property
    def squared(self) -> bool:
        """Whether the loss is a multiple of the sum of squares."""
        return self.name in ("mse", "half_sum")


def _mse(f: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean((f - y) ** 2)


def _half_sum(f: jax.Array, y: jax.Array) -> jax.Array:
    return 0.5 * jnp.sum((f - y) ** 2)


def _cross_entropy(f: jax.Array, y: jax.Array) -> jax.Array:
    chosen = jnp.take_along_axis(f, y.reshape(-1, 1), axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(f, axis=1) - chosen)


def _binary(f: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(jax.nn.softplus(f) - f * y)


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("mse", _mse),
        Loss("half_sum", _half_sum),
        Loss("cross_entropy", _cross_entropy, classes=True),
        Loss("binary_cross_entropy", _binary, labels=True),
    )
}
"""Mean square over all entries, half of the sum of squares, mean cross-entropy over rows with class
numbers as targets, and mean binary cross-entropy of logits."""


def loss_of(loss: str | Callable[..., Any]) -> Loss:
    """Return the loss of that name, or the loss that a function ``loss(outputs, y)`` is.

    Raises
    ------
    InvalidInput
        If no loss has the name.

    """
    if isinstance(loss, str):
        return LOSSES[one_of("loss", loss, LOSSES)]
    if not callable(loss) or isinstance(loss, type):
        raise InvalidInput(
            f"loss is {type(loss).__name__!r}; give a name among {', '.join(LOSSES)}, or a "
            "function loss(outputs, y)."
        )

    return Loss(getattr(loss, "__name__", type(loss).__name__), loss)


Slope = Callable[[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]], Shaped[np.ndarray, "..."]]
"""From outputs and targets to the gradient of the loss in the outputs."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of a row's outputs and target with which a loss of one's own is called.

    Parameters
    ----------
    outputs, target
        As the model and its reader give them, or (k,) for both.
    told
        What has to be known of the reader's own loop; empty if nothing.

    """

    outputs: tuple[int, ...]
    target: tuple[int, ...]
    told: str = ""

    def calling(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        """Return the loss of outputs of shape (n, k) and the targets beside them."""
        return lambda f, y: loss(
            f.reshape((len(f), *self.outputs)), y.reshape((len(y), *self.target))
        )


def shapes_of(
    slope: Slope,
    outputs: Shaped[np.ndarray, "..."],
    targets: Shaped[np.ndarray, "..."],
    given: tuple[int, ...],
) -> Shapes:
    """Find out which shapes a loss of one's own is for.

    They are those that it meets in one's own loop, unless it cannot take them, or does not tell
    whose target is whose there, as a loss of every row with all targets, and does where both have
    the shape (n, k).

    Parameters
    ----------
    slope
        The gradient of the loss.
    outputs
        Of all rows, in the model's own shape.
    targets
        In the shape beside outputs of shape (n, k).
    given
        Shape in which they came.

    """
    own = Shapes(outputs.shape[1:], given[1:])
    flat = Shapes((int(np.prod(outputs.shape[1:])),), targets.shape[1:])
    kept = _pairs(own.calling(slope), outputs, targets)
    if kept or not _pairs(flat.calling(slope), outputs, targets):
        return own
    does = "refuse them" if kept is None else "compare each row with all targets"
    right = outputs.shape if flat.target == flat.outputs else targets.shape
    return replace(
        flat,
        told=f"the model's outputs have shape {outputs.shape} and the targets {given}: in your own "
        f"loop the loss would {does}; give targets of shape {right} there.",
    )


def _pairs(
    slope: Slope, outputs: Shaped[np.ndarray, "..."], targets: Shaped[np.ndarray, "..."]
) -> bool | None:
    """Whether the gradient changes where rows change their targets with each other.

    None if the loss cannot take these shapes.  Whatever is the same for all orders of the targets,
    such as their variance or weights of classes, stays as it is.
    """
    order = np.argsort(targets.reshape(len(targets), -1).astype(float).sum(axis=1), kind="stable")
    others = targets.copy()
    others[order] = targets[order[::-1]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a library's own word on shapes
            here, there = (np.asarray(slope(outputs, y)) for y in (targets, others))
    except Exception:  # noqa: BLE001 - whatever a loss of one's own raises
        return None
    return bool(np.abs(there - here).max() > _ALIKE * np.abs(here).max())


def batch_factor(
    loss: Loss,
    gradient: Callable[[Outputs, Shaped[np.ndarray, "..."]], Outputs],
    outputs: Callable[[], Outputs],
    targets: Shaped[np.ndarray, "..."],
    batch: int,
) -> float:
    """Return what the gradient of B of n rows is multiplied by, to be on average that of all.

    It is 1 for a mean over rows and n/B for a sum.  What a function of one's own is, shows in its
    gradient, on the outputs of the third of the rows where that is largest, and on all.

    Raises
    ------
    InvalidInput
        If it is neither: then no gradient of some rows stands for that of all.

    """
    n = len(targets)
    if loss.name in LOSSES:
        return n / batch if loss.name == "half_sum" else 1.0
    f = outputs()
    whole = gradient(f, targets)
    rows = np.argsort(np.linalg.norm(whole, axis=1))[-max(1, n // 3) :]
    own = of_some_rows(loss, lambda: gradient(f[rows], targets[rows]))
    for factor, share in ((n / batch, 1.0), (1.0, n / len(rows))):
        if np.abs(own - share * whole[rows]).max() <= _SLACK * np.abs(own).max():
            return factor
    raise InvalidInput(
        f"the loss {loss.name} is no sum or mean over rows, so the gradient of some does not stand "
        "for that of all; leave out the batch, or give such a loss."
    )


def of_some_rows(loss: Loss, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it gives
    """Return what a call of a loss on some of the rows gives.

    Raises
    ------
    InvalidInput
        If it fails there, as one does that holds a number for each row.

    """
    try:
        return call()
    except InvalidInput:
        raise
    except Exception as error:
        said = (str(error).splitlines() or [""])[0].rstrip(".")
        raise InvalidInput(
            f"the loss {loss.name} cannot be taken on some of the rows alone ({said}); give what "
            "it holds for every row as further columns of the targets, and split them in the loss."
        ) from error


def constant_loss(loss: Loss, targets: Shaped[np.ndarray, "..."]) -> float | None:
    """Least loss of outputs that are the same for every row; None for a function of one's own."""
    if loss.squared:
        spread = ((targets - targets.mean(axis=0)) ** 2).sum()
        return float(spread / targets.size if loss.name == "mse" else spread / 2)
    if loss.name == "cross_entropy":
        shares = np.unique(targets, return_counts=True)[1] / targets.size
        return float(-(shares * np.log(shares)).sum())
    if loss.name == "binary_cross_entropy":
        from scipy.special import xlogy

        share = targets.mean(axis=0)
        return float(-(xlogy(share, share) + xlogy(1 - share, 1 - share)).mean())
    return None


Hits = Callable[[Outputs, Shaped[np.ndarray, "..."]], float]
"""From outputs, shape (n, k), and targets to the share of rows that are classified right."""


def hits_of(loss: Loss, targets: Shaped[np.ndarray, "..."]) -> Hits | None:
    """Return how the accuracy is counted, or None where the targets are no classes.

    Class numbers are met by the largest output.  So are, under squares, rows of targets that have
    one value in one column and another in all others (one-hot).  Single targets of two values are
    told apart by their middle.  Under `binary_cross_entropy` outputs are told apart by 0, and a
    row of several is right where all of them are.
    """
    if loss.classes:
        return lambda f, y: float(np.mean(np.argmax(f, axis=1) == np.ravel(y)))
    values = np.unique(targets)
    if len(values) != 2 or not (loss.squared or loss.labels):
        return None
    middle = values.mean()
    if loss.labels:
        return lambda f, y: float(np.mean(((f > 0) == (y.reshape(f.shape) > middle)).all(axis=1)))
    if targets.ndim > 1 and targets.shape[1] > 1:
        if not (np.sum(targets > middle, axis=1) == 1).all():
            return None
        return lambda f, y: float(np.mean(np.argmax(f, axis=1) == np.argmax(y, axis=1)))
    return lambda f, y: float(np.mean((np.ravel(f) > middle) == (np.ravel(y) > middle)))


def curvature_of(
    loss: Loss,
    outputs: Outputs,
    gradient: Outputs,
    hessian_times: Callable[[Outputs], Outputs],
) -> Curvature:
    """Return the factor of a loss's Hessian at some outputs.

    Parameters
    ----------
    loss
        The loss; the named ones have closed forms.
    outputs, gradient
        Outputs f, shape (n, k), and the gradient of the loss there.
    hessian_times
        From an array of the outputs' shape to the product with A; used for other losses.

    Raises
    ------
    InvalidInput
        If the loss has no curvature there, is not convex in the outputs, or couples rows.

    """
    n, k = outputs.shape
    if loss.squared:
        root = np.sqrt(2 / (n * k)) if loss.name == "mse" else 1.0
        return Curvature(lambda v: root * v, lambda v: root * v, lambda v: v / root)
    if loss.name == "cross_entropy":
        return _softmax_curvature(outputs)
    return _by_rows(gradient, hessian_times)


def _softmax_curvature(outputs: Outputs) -> Curvature:
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    root = np.sqrt(np.maximum(shifted / shifted.sum(axis=1, keepdims=True), 1e-300))
    scale = np.sqrt(len(outputs))

    def centred(v: Outputs) -> Outputs:
        return np.asarray(v - root * np.sum(root * v, axis=1, keepdims=True))

    return Curvature(
        lambda v: root * centred(v) / scale,
        lambda v: centred(root * v) / scale,
        lambda v: centred(v / root) * scale,
    )


def _by_rows(gradient: Outputs, hessian_times: Callable[[Outputs], Outputs]) -> Curvature:
    """Take every row's block from k products, and its symmetric square root."""
    n, k = gradient.shape
    blocks = np.empty((n, k, k))
    for j in range(k):
        unit = np.zeros((n, k))
        unit[:, j] = 1.0
        blocks[:, :, j] = hessian_times(unit)
    probe = np.cos(np.arange(n * k, dtype=float)).reshape(n, k)
    image, expected = hessian_times(probe), np.einsum("nij,nj->ni", blocks, probe)
    size = np.abs(blocks).max()
    largest = max(size, np.abs(image).max())  # that of a loss over pairs is in no block
    if not np.isfinite(largest) or largest <= _FLAT * np.abs(gradient).max():
        raise InvalidInput(
            "the loss has no curvature in the outputs at the start, so no step size follows from "
            "it; give a loss such as 'mse', or a smooth one instead of an absolute value."
        )
    if np.abs(image - expected).max() > _SLACK * largest:
        raise InvalidInput(
            "the loss couples rows with each other, as one over pairs does; give a loss that is a "
            "sum or mean over rows."
        )
    values, vectors = np.linalg.eigh((blocks + blocks.transpose(0, 2, 1)) / 2)
    if values.min() < -_SLACK * size:
        raise InvalidInput(
            "the loss is not convex in the outputs at the start; give a loss such as 'mse' or "
            "'cross_entropy'."
        )
    roots = np.sqrt(np.maximum(values, 0.0))
    inverse = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > np.sqrt(_FLAT * size))

    def spread(diagonal: Float[np.ndarray, "n k"]) -> Callable[[Outputs], Outputs]:
        return lambda v: np.einsum("nij,nj,nlj,nl->ni", vectors, diagonal, vectors, v)

    return Curvature(spread(roots), spread(roots), spread(inverse))
