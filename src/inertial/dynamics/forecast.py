r"""Exact forecast of the linearised network, mode by mode, at any step directly.

Each coordinate of the residual in the kernel's eigenbasis is multiplied by the amplification of its
eigenvalue, so the loss is :math:`\tfrac{1}{2} \sum_k c_k^2\,a_t(\lambda_k)^2` with :math:`c_k` the
coordinates at the start.  Only their squares, the weights, matter for the loss.
"""

import numpy as np
from jaxtyping import Float, Int

from inertial._types import Eigenvalues, Targets
from inertial.dynamics.method import Method
from inertial.dynamics.modes import amplification
from inertial.dynamics.trajectory import Trajectory
from inertial.problem.spectrum import Spectrum

_BLOCK = 2**21
"""Largest steps x modes array that is evaluated at once."""

_FIRST = 64
"""Steps in the first block of a search."""

_HOPELESS = 1e12
"""A forecast that has grown this much since its lowest point is unstable and will not come back."""

STEPS_LIMIT = 1_000_000
"""Where the search for a step count gives up."""

_SEARCH_ENTRIES = 3 * 10**8
"""Steps x modes after which a search step by step gives up, some seconds to a minute."""


def forecast(
    method: Method,
    spectrum: Spectrum,
    residual: Targets,
    steps: Int[np.ndarray, "T"],
    *,
    record_residual: bool = False,
) -> Trajectory:
    """Trajectory of the linearised network from an initial residual.

    Parameters
    ----------
    method
        The method.
    spectrum
        Decomposed kernel, of the infinite or of a finite network.
    residual
        ``f(w_0) - y``, shape (n,).
    steps
        Steps to evaluate, ascending, shape (T,).
    record_residual
        Whether to return the residual vectors besides the loss.

    Returns
    -------
    Trajectory
        With loss, and residual if asked for; an overflowing forecast has status `diverged`.

    """
    start = spectrum.modes(residual)
    loss = forecast_loss(method, spectrum.eigenvalues, start**2, steps)
    vectors = None
    if record_residual:
        vectors = spectrum.residual(start * amplification(method, spectrum.eigenvalues, steps))
    finite = bool(np.isfinite(loss).all())
    last = len(steps) if finite else int(np.flatnonzero(~np.isfinite(loss))[0]) + 1
    return Trajectory(
        method,
        steps[:last],
        loss[:last],
        "finished" if finite else "diverged",
        residual=None if vectors is None else vectors[:last],
    )


def forecast_loss(
    method: Method,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    steps: Int[np.ndarray, "T"],
) -> Float[np.ndarray, "T"]:
    """Forecast ``1/2 sum_k weights_k a_t(lambda_k)^2`` at the given steps.

    `weights` are the squared modal coordinates of the initial residual, or their expectation.
    """
    loss = np.empty(len(steps))
    rows = len(steps) if method.friction is not None else max(1, _BLOCK // len(eigenvalues))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for first in range(0, len(steps), rows):
            block = slice(first, first + rows)
            loss[block] = 0.5 * amplification(method, eigenvalues, steps[block]) ** 2 @ weights
    return loss


def steps_to(
    method: Method,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    fraction: float,
    *,
    limit: int = STEPS_LIMIT,
) -> int | None:
    """First step whose forecast loss is at most `fraction` of the loss at the start.

    Gradient descent's forecast only falls, so its step is bisected; momentum makes the loss ring,
    so every step is looked at in blocks, as far as half a minute goes.  None if the step lies
    beyond `limit` or that.
    """
    target = fraction * 0.5 * float(weights.sum())
    if method.beta == 0 and method.eta * eigenvalues.max() <= 2:
        return _bisect(method, eigenvalues, weights, target, limit)
    varying = method.friction is not None
    block = _FIRST if varying else max(_FIRST, _BLOCK // (4 * len(eigenvalues)))
    limit = min(limit, _SEARCH_ENTRIES // len(eigenvalues))
    first = 0
    while first <= limit:
        steps = np.arange(first, min(first + block, limit + 1))
        loss = forecast_loss(method, eigenvalues, weights, steps)
        reached = np.flatnonzero(loss <= target)
        if reached.size:
            return first + int(reached[0])
        if loss[-1] > _HOPELESS * loss.min():
            return None
        first += block
        if varying:  # each block runs the recursion from the start
            block = first
    return None


def _bisect(
    method: Method,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    target: float,
    limit: int,
) -> int | None:
    def reached(step: int) -> bool:
        return bool(forecast_loss(method, eigenvalues, weights, np.array([step]))[0] <= target)

    low, high = -1, 1
    while not reached(high):
        low, high = high, 2 * high
        if low >= limit:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high if high <= limit else None
