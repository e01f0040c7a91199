"""The network's random start for one seed: weights, residual, kernel and linearisation, in float64.

What a run of `inertial.simulation.train` starts from, in NumPy; computed when first asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float

from inertial._types import Eigenvalues, Gram, Inputs, Targets
from inertial.linear.kernel import finite_gram, infinite_gram
from inertial.linear.spectrum import Spectrum, decompose
from inertial.method.flow import Flow
from inertial.problem.flips import Flips, survey_flips
from inertial.problem.model import TwoLayerReLU, start_key
from inertial.simulation.integrate import ModalSolution

Series: TypeAlias = Float[np.ndarray, "T"]
Solver = Callable[[Flow, Eigenvalues, Float[np.ndarray, "T"]], ModalSolution]
"""From a flow, eigenvalues and times to value and velocity of every mode that starts at 1."""

_COARSE = 16
"""Every which time all neurons are followed along a flow."""

_FARTHEST = 8
"""Neurons that are followed at all times, of each of those."""


@dataclass(frozen=True)
class Start:
    """The network's random start for one seed, in float64.

    Parameters
    ----------
    x, y
        Inputs, shape (n, d), and targets, shape (n,).
    width, seed
        Neurons, and the seed.

    """

    x: Inputs
    y: Targets
    width: int
    seed: int

    @cached_property
    def weights(self) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m"]]:
        """Hidden weights and output signs."""
        with jax.enable_x64(True):
            network = TwoLayerReLU(self.width, self.x.shape[1])
            w, a = network.init(start_key(self.seed), jnp.float64)
            return np.asarray(w), np.asarray(a)

    @cached_property
    def _preactivation(self) -> Float[np.ndarray, "m n"]:
        return np.asarray(self.weights[0] @ self.x.T)

    @cached_property
    def active(self) -> Bool[np.ndarray, "m n"]:
        """Which neurons are on for which samples; one at 0 is on."""
        return np.asarray(self._preactivation >= 0)

    @cached_property
    def residual(self) -> Targets:
        """``f(w_0) - y``."""
        scale = self.weights[1] / np.sqrt(self.width)
        return np.asarray(scale @ np.maximum(self._preactivation, 0) - self.y)

    @cached_property
    def gram(self) -> Gram:
        """Kernel matrix H_0 of the finite network."""
        return finite_gram(self.x, self.weights[0])

    @cached_property
    def spectrum(self) -> Spectrum:
        """H_0 in its eigenbasis."""
        return decompose(self.gram)

    @cached_property
    def _kernel_error(self) -> Gram:
        return np.asarray(self.gram - infinite_gram(self.x))

    @cached_property
    def kernel_distance(self) -> float:
        """Spectral norm of H_0 minus the infinite kernel."""
        return float(np.abs(scipy.linalg.eigvalsh(self._kernel_error)).max())

    @cached_property
    def kernel_distance_frobenius(self) -> float:
        """Frobenius norm of H_0 minus the infinite kernel."""
        return float(np.linalg.norm(self._kernel_error))

    @property
    def pseudo_loss(self) -> float:
        """``1/2 xi_0 . H_0 xi_0``."""
        return float(self.residual @ self.gram @ self.residual / 2)

    def backward(self, residual: Targets) -> Float[np.ndarray, "m d"]:
        """``J' residual``, one row per neuron: the gradient if `residual` is the residual."""
        scale = self.weights[1][:, None] / np.sqrt(self.width)
        return np.asarray(np.where(self.active, residual, 0.0) @ self.x * scale)

    def forward(self, direction: Float[np.ndarray, "m d"]) -> Targets:
        """``J direction``: the change of the outputs to first order."""
        scale = self.weights[1] / np.sqrt(self.width)
        return np.asarray(scale @ np.where(self.active, direction @ self.x.T, 0.0))

    @cached_property
    def gradient_norms(self) -> Float[np.ndarray, "m"]:
        """Norm of each neuron's gradient."""
        return np.asarray(np.linalg.norm(self.backward(self.residual), axis=1))

    @cached_property
    def _sorted_reach(self) -> Float[np.ndarray, "pairs"]:
        reach = self._preactivation / np.linalg.norm(self.x, axis=1)
        return np.sort(reach.astype(np.float32).ravel())

    def flippable_share(self, radius: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
        """Share of pairs (neuron, sample) that can flip within each radius."""
        reach = self._sorted_reach
        ends = radius.astype(np.float32)
        inside = np.searchsorted(reach, ends) - np.searchsorted(reach, -ends)
        return inside / len(reach)

    def flips(self, radius: float) -> Flips:
        """Return what can flip within `radius`; kept for the last radius asked for."""
        kept: dict[float, Flips] = self.__dict__.setdefault("_flips", {})
        if radius not in kept:
            kept.clear()
            kept[radius] = survey_flips(self.x, self.weights[0], radius)
        return kept[radius]

    def linear_distance(self, flow: Flow, times: Float[np.ndarray, "T"], solver: Solver) -> Series:
        r"""Largest ``|w_r(t) - w_r(0)|`` of the linearised network along a flow.

        Every flow moves the weights by ``J' c`` with ``H_0 c = xi(t) - xi_0``.  All neurons are
        followed at every sixteenth time, and those that are among the farthest there at all times.
        """
        modes = self.spectrum.modes(self.residual)
        value = solver(flow, self.spectrum.eigenvalues, times).amplitude
        coordinates = self.spectrum.residual(modes * (value - 1) / self.spectrum.eigenvalues)
        farthest: set[int] = set()
        for c in coordinates[::_COARSE]:
            farthest.update(np.argsort(np.linalg.norm(self.backward(c), axis=1))[-_FARTHEST:])
        some = sorted(farthest)
        active, scale = self.active[some], 1 / np.sqrt(self.width)
        return np.array(
            [
                np.linalg.norm(np.where(active, c, 0.0) @ self.x, axis=1).max() * scale
                for c in coordinates
            ]
        )
