"""Theorems, lemmas and facts of the five papers, bounds of their proofs, and a few beyond them.

A module per subject.  `inertial.theory.sources` lists what must be covered.  To add a theorem,
write one `Theorem` into the module of its subject, its three cases into the tests (one that holds,
one outside its assumptions, one planted violation), and both of its sides, written out apart.
"""

from inertial.theory.catalog import (
    batches,
    best_possible,
    decay_rates,
    friction,
    gradient_descent,
    heavy_ball,
    high_resolution,
    kernels,
    lyapunov,
    nesterov,
    power_laws,
    residual,
    vanishing,
    worst_cases,
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
    *best_possible.THEOREMS,
    *power_laws.THEOREMS,
    *batches.THEOREMS,
    *worst_cases.THEOREMS,
)
"""All theorems, kernels first."""
