r"""Forecast losses and step counts of the linearised network from nodes and weights alone.

The loss is :math:`\tfrac{1}{2} \sum_k w_k\,a_t(\lambda_k)^2` with :math:`w_k` the squared
coordinates of the residual at the start and :math:`a_t` the amplification of an eigenvalue:
eigenvectors are not needed.
"""

import numpy as np
from jaxtyping import Float, Int

from inertial._checks import positive
from inertial._types import Eigenvalues
from inertial.linear.measure import Measure
from inertial.method.modes import amplification, companion, only_falls, recursion
from inertial.method.recursion import Recursion

_BLOCK = 2**21
"""Largest steps x modes array that is evaluated at once."""

_FIRST = 64
"""Steps in the first block of a search, at least."""

_SPAN = 512
"""Steps in the later blocks, at most."""

_BATCH = 64
"""Blocks that are searched at once, at most."""

_SLACK = 1e-9
"""Error of a block's losses, relative to the swing of its modes; far above what rounding makes."""

_HOPELESS = 1e12
"""A forecast that has grown this much since its lowest point is unstable and will not come back."""

STEPS_LIMIT = 1_000_000
"""Where the search for a step count gives up."""


def forecast_loss(
    method: Recursion, measure: Measure, steps: Int[np.ndarray, "T"]
) -> Float[np.ndarray, "T"]:
    """Forecast ``1/2 sum_k weights_k a_t(lambda_k)^2`` at the given steps.

    A mode of weight zero adds nothing, even where its factor overflows.

    Parameters
    ----------
    method
        The method.
    measure
        Spectral measure of the start: nodes and weights.
    steps
        Steps t >= 0, shape (T,).

    Returns
    -------
    Float[ndarray, "T"]
        The losses; infinite where an unstable mode overflows.

    """
    return _loss(method, *_filled(measure), steps)


def _filled(measure: Measure) -> tuple[Eigenvalues, Float[np.ndarray, "n"]]:
    """Nodes and weights without the modes of weight zero."""
    there = measure.weights != 0
    return measure.nodes[there], measure.weights[there]


def _loss(
    method: Recursion,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    steps: Int[np.ndarray, "T"],
) -> Float[np.ndarray, "T"]:
    loss = np.empty(len(steps))
    rows = len(steps) if method.steps is not None else max(1, _BLOCK // max(1, len(eigenvalues)))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for first in range(0, len(steps), rows):
            block = slice(first, first + rows)
            loss[block] = 0.5 * amplification(method, eigenvalues, steps[block]) ** 2 @ weights
    return loss


def steps_to(
    method: Recursion,
    measure: Measure,
    fraction: float,
    *,
    limit: int = STEPS_LIMIT,
) -> int | None:
    """First step whose forecast loss is at most `fraction` of the loss at the start.

    Gradient descent's forecast only falls, so its step is bisected.  Momentum makes the loss ring:
    its modes without oscillation only fall, and every step is looked at from where they alone
    are low enough.

    Parameters
    ----------
    method
        The method.
    measure
        Spectral measure of the start: nodes and weights.
    fraction
        Share of the loss at the start, > 0.
    limit
        Last step that is looked at.

    Returns
    -------
    int | None
        The step, or None if it lies beyond `limit` or the schedule's end.

    Raises
    ------
    InvalidInput
        If the share is not above 0: no loss gets to 0 but by rounding.

    """
    target = positive("fraction", fraction) * 0.5 * measure.total
    eigenvalues, weights = _filled(measure)
    if fraction >= 1 or not len(eigenvalues):  # sums may round apart
        return 0
    if method.steps is not None:
        return _by_recursion(method, eigenvalues, weights, target, min(limit, method.steps))
    eta, beta, _ = method.constant
    if beta == 0 and eta * eigenvalues.max() <= 2:
        return _bisect(method, eigenvalues, weights, target, limit)
    falling = only_falls(method, eigenvalues)
    first: int | None = 0
    if falling.any():
        # A little above the target, for both sums round.
        slow = eigenvalues[falling], weights[falling], target * (1 + _SLACK)
        first = _bisect(method, *slow, limit)
    if first is None:
        return None
    return _by_blocks(method, eigenvalues, weights, target, limit, first)


def _by_recursion(
    method: Recursion,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    target: float,
    limit: int,
) -> int | None:
    """Run a schedule's recursion until the loss is low enough, or has grown hopelessly."""
    lowest = np.inf
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for step, residual in enumerate(recursion(method, eigenvalues, limit)):
            loss = 0.5 * residual**2 @ weights
            if loss <= target:
                return step
            lowest = min(lowest, loss)
            if not loss <= _HOPELESS * lowest:
                return None
    return None


def _by_blocks(
    method: Recursion,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    target: float,
    limit: int,
    first: int,
) -> int | None:
    r"""Look from step `first` on: singly in pieces that double, at later ones by a matrix product.

    With :math:`y_s = x_s - x_{s-1}`, the recursion from any step s on is the same linear map,
    :math:`x_{s+j} = P_j x_s + V_j y_s`, so the losses of a block of steps are
    :math:`\tfrac{1}{2} \sum_k w_k (P_{jk}^2 x_k^2 + 2 P_{jk} V_{jk} x_k y_k + V_{jk}^2 y_k^2)`.
    Every block starts from the closed form, so that errors do not add up, and what seems to be low
    enough is evaluated in closed form before it counts.
    """
    length, lowest, count = max(_FIRST, _BLOCK // (4 * len(eigenvalues))), np.inf, 1
    singly = min(first + length, limit + 1)
    while first < singly:
        steps = np.arange(first, min(first + _FIRST * count, singly))
        loss = _loss(method, eigenvalues, weights, steps)
        if (reached := np.flatnonzero(loss <= target)).size:
            return int(steps[reached[0]])
        lowest, first, count = min(lowest, loss.min()), int(steps[-1]) + 1, 2 * count
        if loss[-1] > _HOPELESS * lowest:
            return None
    if first > limit:
        return None
    count = 1
    length = min(length, _SPAN)
    with np.errstate(over="ignore", invalid="ignore"):
        forms = _block_forms(method, eigenvalues, length)
    while first <= limit:
        starts = first + length * np.arange(count)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            here, before = (amplification(method, eigenvalues, at) for at in (starts, starts - 1))
            change = here - before
            squares = forms[0] @ (weights * here**2).T + forms[2] @ (weights * change**2).T
            losses = (0.5 * squares + forms[1] @ (weights * here * change).T).T.ravel()
            near = np.flatnonzero(losses - _SLACK * squares.T.ravel() <= target)
        steps = first + near[first + near <= limit]
        exact = _loss(method, eigenvalues, weights, steps)
        if (reached := np.flatnonzero(exact <= target)).size:
            return int(steps[reached[0]])
        lowest = min(lowest, losses.min())
        if not losses[-1] <= _HOPELESS * lowest:
            return None
        first += length * count
        count = min(2 * count, _BATCH)
    return None


def _block_forms(
    method: Recursion, eigenvalues: Eigenvalues, length: int
) -> tuple[Float[np.ndarray, "j n"], Float[np.ndarray, "j n"], Float[np.ndarray, "j n"]]:
    """``P^2``, ``P V`` and ``V^2`` of `_by_blocks` for the steps of a block."""
    trace, determinant = companion(method, eigenvalues)
    value, speed = np.empty((2, length, len(eigenvalues)))
    # x_{s+1} = T x_s - D (x_s - y_s), and so on.
    value[0], speed[0] = 1.0, 0.0
    value[1:2], speed[1:2] = trace - determinant, determinant
    for j in range(2, length):
        value[j] = trace * value[j - 1] - determinant * value[j - 2]
        speed[j] = trace * speed[j - 1] - determinant * speed[j - 2]
    return value**2, value * speed, speed**2


def _bisect(
    method: Recursion,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    target: float,
    limit: int,
) -> int | None:
    def reached(step: int) -> bool:
        return bool(_loss(method, eigenvalues, weights, np.array([step]))[0] <= target)

    low, high = -1, 1
    while not reached(high):
        low, high = high, 2 * high
        if low >= limit:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high if high <= limit else None
