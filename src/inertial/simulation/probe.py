r"""The kernel along a run: how far it moves from its start and which eigenvalues it keeps.

The published proofs rest on :math:`\lambda_{\min}(H_t)` staying above half the smallest eigenvalue
of the infinite-width kernel, which :math:`\|H_t - H_0\| < \lambda_0 / 4` secures (Bu, Xu and Chen
2021, Lemma 5; Wang and Abernethy 2020, Lemma 7).  Both are measured here at sampled steps, beside
the drift that the neurons within reach of a flip allow, `inertial.problem.flips`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from jaxtyping import Float, Int

from inertial._checks import InvalidInput
from inertial._types import Gram, Inputs, Targets
from inertial.linear.ends import extremes
from inertial.linear.kernel import finite_gram
from inertial.method.recursion import Recursion
from inertial.problem.flips import Flips, survey_flips
from inertial.problem.model import TwoLayerReLU
from inertial.simulation.span import span
from inertial.simulation.train import Order, Precision, train
from inertial.simulation.trajectory import Trajectory

_DENSE_BELOW = 2000
"""Below this n all eigenvalues cost less than the two ends by Lanczos."""

_LANCZOS_FROM = 64
"""From this n on Lanczos is cheaper for a spectral norm."""

_TOLERANCE = 1e-6
"""Relative accuracy of a spectral norm."""


@dataclass(frozen=True)
class KernelProbe:
    """Measurements of the finite Gram matrix ``H_t`` at sampled steps of one run.

    Parameters
    ----------
    steps
        The sampled steps t, ascending, the first of them 0, shape (T,).
    smallest, largest
        Ends of the spectrum of ``H_t``.
    drift_spectral, drift_frobenius
        Spectral and Frobenius norm of ``H_t - H_0``.
    max_distance
        Largest ``|w_r(t) - w_r(0)|`` over the neurons r.
    flips
        What can flip in the smallest balls that hold every sample; its `kernel_drift` bounds every
        `drift_frobenius`.

    """

    steps: Int[np.ndarray, "T"]
    smallest: Float[np.ndarray, "T"]
    largest: Float[np.ndarray, "T"]
    drift_spectral: Float[np.ndarray, "T"]
    drift_frobenius: Float[np.ndarray, "T"]
    max_distance: Float[np.ndarray, "T"]
    flips: Flips


def probe(
    network: TwoLayerReLU,
    x: Inputs,
    y: Targets,
    method: Recursion,
    *,
    seed: int,
    steps: int,
    at: Collection[int],
    precision: Precision = "float32",
    batch: int | None = None,
    order: Order = "fresh",
) -> tuple[Trajectory, KernelProbe]:
    """Train as `inertial.simulation.train.train` does and measure the kernel on the way.

    Three n x n matrices are held at once.  A sample costs ``2 n^2 m`` operations, as much as
    ``n / (2 d)`` steps of training, and the ends of one spectrum.

    Parameters
    ----------
    network, x, y, method, seed, steps, precision, batch, order
        As for `train`.
    at
        Steps to sample, between 0 and `steps`; step 0 is always sampled.

    Returns
    -------
    tuple[Trajectory, KernelProbe]
        The run, and the kernel at the sampled steps it reached.  Kernels are built in float64 from
        the weights of the run.

    Raises
    ------
    InvalidInput
        If a step in `at` is not a whole number from 0 to `steps`, or as `train` does.

    """
    beyond = [t for t in at if t not in range(steps + 1)]
    if beyond:
        raise InvalidInput(f"at holds {beyond[0]}; give whole steps from 0 to {steps}.")
    within = span(x)
    observer = _Observer(within.x)
    run = train(
        network,
        x,
        y,
        method,
        seed=seed,
        steps=steps,
        precision=precision,
        within=within,
        batch=batch,
        order=order,
        snapshots={0, *at},
        observe=observer,
    )
    sampled, smallest, largest, spectral, frobenius, distance = map(
        np.array, zip(*observer.samples, strict=True)
    )
    flips = survey_flips(within.x, observer.start, float(distance.max()))
    return run, KernelProbe(sampled, smallest, largest, spectral, frobenius, distance, flips)


class _Sample(NamedTuple):
    """One entry of every array of `KernelProbe`, in its order."""

    step: int
    smallest: float
    largest: float
    drift_spectral: float
    drift_frobenius: float
    max_distance: float


class _Observer:
    """Measures the kernel where training calls it; keeps the first weights and kernel."""

    def __init__(self, x: Inputs) -> None:
        self.x = x
        self.samples: list[_Sample] = []
        self.start: Float[np.ndarray, "m d"]
        self._start_gram: Gram

    def __call__(self, step: int, weights: Float[np.ndarray, "m d"]) -> None:
        w = weights.astype(np.float64)
        gram = finite_gram(self.x, w)
        if step == 0:
            self.start, self._start_gram = w, gram
        smallest, largest = _ends(gram)
        drift = gram - self._start_gram
        distance = float(np.linalg.norm(w - self.start, axis=1).max())
        self.samples.append(
            _Sample(
                step,
                smallest,
                largest,
                _spectral_norm(drift),
                float(np.linalg.norm(drift)),
                distance,
            )
        )


def _ends(gram: Gram) -> tuple[float, float]:
    """Smallest and largest eigenvalue."""
    if gram.shape[0] < _DENSE_BELOW:
        values = scipy.linalg.eigvalsh(gram, check_finite=False)
        return float(values[0]), float(values[-1])
    ends = extremes(gram)
    return ends.smallest, ends.largest


def _spectral_norm(symmetric: Gram) -> float:
    """Largest absolute eigenvalue."""
    size = symmetric.shape[0]
    if size < _LANCZOS_FROM or not symmetric.any():
        return float(np.linalg.norm(symmetric, 2))
    start = np.random.default_rng(0).standard_normal(size)
    values = scipy.sparse.linalg.eigsh(
        symmetric, k=1, v0=start, tol=_TOLERANCE, return_eigenvectors=False
    )
    return float(abs(values[0]))
