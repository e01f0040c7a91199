"""Every numbered statement of the five papers, in one tuple; a module a subject.

To add a theorem, write one `Theorem` into the module of its subject, and its three cases into the
tests: one that holds, one outside its assumptions, one planted violation.
"""

from inertial.theory.catalog import (
    decay_rates,
    friction,
    gradient_descent,
    heavy_ball,
    high_resolution,
    kernels,
    lyapunov,
    nesterov,
    residual,
    vanishing,
)
from inertial.theory.theorem import Theorem

CATALOG: tuple[Theorem, ...] = (
    *kernels.THEOREMS,
    *residual.THEOREMS,
    *gradient_descent.THEOREMS,
    *heavy_ball.THEOREMS,
    *nesterov.THEOREMS,
    *friction.THEOREMS,
    *vanishing.THEOREMS,
    *decay_rates.THEOREMS,
    *high_resolution.THEOREMS,
    *lyapunov.THEOREMS,
)
"""All theorems, kernels first."""
