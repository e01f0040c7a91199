"""What batches do to the linearised model: its expected loss, by moments or by running it.

The noise of a batch needs the whole kernel at the start, so all of this is for some thousands of
outputs at most.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial.linear.spectrum import Spectrum, decompose
from inertial.linear.tangent import Tangent
from inertial.method.batch import BatchForecast, Modes, forecast_batches_on_rows
from inertial.method.recursion import Recursion
from inertial.problem.loss import Curvature
from inertial.problem.problem import Trainable
from inertial.simulation.train import batch_rows

MOST_OUTPUTS = 3_000
"""Outputs whose kernel is decomposed for the noise of batches, at most."""

_DRAWS, _DRAWN_FROM = 16, 2**40
"""Runs on batches that stand for their mean, and the first of their seeds: no run has that one."""

_IDENTITY = Curvature(lambda v: v, lambda v: v, lambda v: v)
"""What a loss without curvature of its own has."""


def spectrum_for_batches(problem: Trainable, operator: Tangent) -> Spectrum | None:
    """Return the decomposed tangent operator of squares; None for other losses.

    Raises
    ------
    InvalidInput
        If the outputs are too many.

    """
    size = operator.start.size
    if size > MOST_OUTPUTS:
        raise InvalidInput(
            f"the noise of a batch needs the whole kernel, and {size:,} outputs are too many; "
            f"take fewer rows, for {MOST_OUTPUTS:,} outputs at most."
        )
    if not problem.loss.squared:
        return None
    found = decompose(operator.matrix(), overwrite=True)
    return Spectrum(np.maximum(found.eigenvalues, 0.0), found.basis)


def modes_for_batches(problem: Trainable, operator: Tangent, spectrum: Spectrum) -> Modes:
    """Return the modes of one output of a row, an average, for settings and limits on batches."""
    outputs = operator.start.size // problem.rows
    weights = spectrum.modes(operator.start) ** 2 / outputs
    return Modes(spectrum.eigenvalues, weights, np.full(len(weights), 1 / outputs))


def expected_on_batches(
    method: Recursion,
    problem: Trainable,
    operator: Tangent,
    spectrum: Spectrum,
    batch: int,
    steps: int,
) -> BatchForecast:
    """Forecast the expected loss of the linearised model on fresh batches, by its moments."""
    shrunk = None
    if problem.decay:
        linearised = operator.linearised
        pushed = linearised.push(linearised.weights).reshape(linearised.outputs.shape)
        shrunk = operator.curvature.transposed(pushed).reshape(-1)
    return forecast_batches_on_rows(
        method, spectrum, operator.start, batch, steps,
        outputs=operator.start.size // problem.rows, decay=problem.decay, shrunk=shrunk,
    )  # fmt: skip


def losses_on_batches(
    problem: Trainable, operator: Tangent, method: Recursion, batch: int, steps: int
) -> Float[np.ndarray, "draw t"]:
    r"""Return the losses of the linearised model on fresh batches, in sixteen runs.

    Under squares the moments of `inertial.method.batch` say what their mean tends to; under other
    losses nothing does.  With the kernel as an array a step of all runs is one product: u is
    :math:`\eta_t (H P_t g_t + \alpha (f_t - f_0 + J w_0))`, and :math:`P_t` leaves n/B of the rows
    of the batch.

    Parameters
    ----------
    problem, operator, method, steps
        As for `inertial.simulation.linearised.linearised_loss`.
    batch
        Rows whose gradient a step takes.

    """
    start, alpha, n = operator.linearised, problem.decay, problem.rows
    plain = replace(operator, curvature=_IDENTITY, products=0, found=None)
    kernel = plain.matrix()
    operator.products += plain.products
    first = np.repeat(start.outputs[None], _DRAWS, axis=0)
    shrunk = start.push(start.weights).reshape(start.outputs.shape) if alpha else 0.0
    eta, beta, gamma = method.coefficients(0, steps)
    f, move, drive = first, np.zeros_like(first), np.zeros_like(first)
    losses = np.empty((_DRAWS, steps + 1))
    for t in range(steps + 1):
        losses[:, t] = [problem.loss_of(one) for one in f]
        if t == steps or not np.isfinite(losses[:, t]).all():
            losses[:, t + 1 :] = np.inf
            break
        taken = np.zeros_like(f)
        for i, one in enumerate(f):
            rows = batch_rows(n, batch, "fresh", _DRAWN_FROM + i, t, 1)[0]
            taken[i, rows] = n / batch * problem.gradient_of(one)[rows]
        before, drive = drive, (taken.reshape(_DRAWS, -1) @ kernel).reshape(f.shape)
        drive = eta[t] * (drive + alpha * (f - first + shrunk))
        move = beta[t] * move - drive - gamma[t] * (drive - before)
        f = f + move
    return losses
