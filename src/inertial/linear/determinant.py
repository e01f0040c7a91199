r"""The kernel's log-determinant from products, with an error bar.

.. math:: \log\det H = \mathrm{tr} \log H = E\, z^T (\log H)\, z

for random signs z, each term by the Gauss rule of Lanczos steps from z (Ubaru, Chen and Saad 2017,
"Fast estimation of tr(f(A)) via stochastic Lanczos quadrature").
"""

from typing import NamedTuple

import numpy as np

from inertial._checks import whole
from inertial._types import Inputs
from inertial.linear.krylov import gauss_rules
from inertial.linear.tiles import TiledKernel


class Estimate(NamedTuple):
    """A mean over probes and its standard error."""

    value: float
    error: float


def log_determinant(
    x: Inputs, *, probes: int = 16, steps: int = 60, seed: int = 0, rows: int | None = None
) -> Estimate:
    """Estimate the log-determinant of `infinite_gram`, without an n x n array.

    Parameters
    ----------
    x
        Inputs as rows, shape (n, d).
    probes
        Random sign vectors, at least 2; the error falls with their square root.
    steps
        Lanczos steps from each; as many as resolve the smallest eigenvalues.
    seed
        Seed of the signs.
    rows
        Rows of a tile; it changes the result by rounding only.

    Returns
    -------
    Estimate
        Value and standard error.

    """
    whole("probes", probes, least=2)
    n = len(x)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (n, probes))
    kernel = TiledKernel(x) if rows is None else TiledKernel(x, rows=rows)
    count = min(whole("steps", steps), n)
    nodes, weights = gauss_rules(kernel.product, signs, count)
    logarithms = np.log(np.where(weights > 0, nodes, 1.0))
    terms = (weights * logarithms).reshape(probes, count).sum(axis=1)
    return Estimate(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(probes)))
