r"""Exact forecast of the linearised network, mode by mode, at any step directly.

Each coordinate of the residual in the kernel's eigenbasis is multiplied by the amplification of its
eigenvalue; the loss needs the squares of the coordinates only (`inertial.method.curve`).
"""

import numpy as np
from jaxtyping import Int

from inertial._types import Targets
from inertial.linear.measure import dense
from inertial.linear.spectrum import Spectrum
from inertial.method.curve import forecast_loss
from inertial.method.modes import amplification
from inertial.method.recursion import Recursion
from inertial.simulation.trajectory import Trajectory


def forecast(
    method: Recursion,
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
    loss = forecast_loss(method, dense(spectrum, start**2), steps)
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
