"""What is known of one run: the infinite kernel always, inputs, start and records if there are any.

A theorem asks for what it needs; what is not there raises `Missing` with the reason, which becomes
the verdict `unverifiable`.  Everything derived is computed when first asked for and kept, so that a
hundred theorems share one kernel matrix of the start.  Nothing is held per neuron, sample and step.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from inertial._types import Eigenvalues, Inputs
from inertial.method.recursion import Recursion
from inertial.problem.flips import Flips
from inertial.simulation.integrate import solve
from inertial.theory.start import Series, Solver, Start

Precision = Literal["float32", "float64"]

_ROUNDING = 32.0
"""Rounding of a recorded residual norm, in units of the precision times the scale of the outputs.

Measured on digits and sphere, widths 1,000 and 4,000: float32 runs stay within 14 of their float64
twins until an activation differs; from there on heavy ball's two runs part, each of them a run.
"""

_RELATIVE_DISTANCE = {"float32": 1e-4, "float64": 1e-9}
"""Rounding of a recorded distance, relative; in the same runs it was at most 1.4e-5."""

_Part = TypeVar("_Part")


class Missing(Exception):  # noqa: N818 - says what it is about
    """What a theorem needs and the evidence lacks; the message says which and what to do."""


@dataclass(frozen=True)
class Kernel:
    """The infinite kernel of the data.

    Parameters
    ----------
    eigenvalues
        All n, ascending.

    """

    eigenvalues: Eigenvalues

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue, lambda_0 in the sources."""
        return float(self.eigenvalues[0])

    @property
    def largest(self) -> float:
        """The largest eigenvalue."""
        return float(self.eigenvalues[-1])

    @property
    def size(self) -> int:
        """Number of samples n."""
        return len(self.eigenvalues)

    @property
    def singular_below(self) -> float:
        """Rounding of the smallest eigenvalue; at or below it the kernel counts as singular."""
        return float(self.size * np.finfo(np.float64).eps * abs(self.largest))


@dataclass(frozen=True)
class Records:
    """What was recorded along one run, up to its end or its divergence.

    Parameters
    ----------
    method, width, precision
        What was run.
    steps
        Steps that were recorded, ascending, shape (T,).
    loss
        Loss at these, shape (T,).
    scale
        Size of the outputs that rounding is relative to, > 0.
    max_distance
        Largest distance of a neuron from its start; None if it was not recorded.
    pattern_change
        Share of activations that changed, in [0, 1]; None if it was not recorded.
    residual
        Residuals, shape (T, n); None if they were not stored.
    diverged_at
        Step of the divergence; None without.
    batch
        Rows in a gradient; None if it is all of them.

    """

    method: Recursion
    width: int
    precision: Precision
    steps: Int[np.ndarray, "T"]
    loss: Series
    scale: float
    max_distance: Series | None = None
    pattern_change: Series | None = None
    residual: Float[np.ndarray, "T n"] | None = None
    diverged_at: int | None = None
    batch: int | None = None

    @property
    def eta(self) -> float:
        """Step size, of a method with constant coefficients."""
        return self._constant(0)

    @property
    def beta(self) -> float:
        """Momentum, of a method with constant coefficients."""
        return self._constant(1)

    def _constant(self, place: int) -> float:
        if self.method.steps is not None:
            raise Missing("the coefficients change from step to step; this is for constant ones")
        return self.method.constant[place]

    @cached_property
    def norm(self) -> Series:
        """``|xi_t|``, which the loss is half the square of."""
        return np.asarray(np.sqrt(2 * self.loss))

    @cached_property
    def pair_norm(self) -> Series:
        """``|[xi_t; xi_{t-1}]|`` with ``xi_{-1} = xi_0``."""
        before = np.concatenate([self.norm[:1], self.norm[:-1]])
        return np.asarray(np.hypot(self.norm, before))

    @property
    def rounding(self) -> float:
        """Rounding of `norm`, absolute."""
        return _ROUNDING * float(np.finfo(self.precision).eps) * self.scale

    @property
    def distance(self) -> Series:
        """Largest distance of a neuron from its start."""
        return _there(self.max_distance, "the run stores no distances; make it again")

    @property
    def distance_rounding(self) -> Series:
        """Rounding of `distance`, absolute."""
        return _RELATIVE_DISTANCE[self.precision] * self.distance

    @property
    def radius(self) -> float:
        """Largest distance of any neuron at any step, rounded up."""
        return float((self.distance + self.distance_rounding).max())

    @property
    def change(self) -> Series:
        """Share of the pairs (neuron, sample) whose activation differs from the start."""
        return _there(self.pattern_change, "the run stores no pattern changes; make it again")

    @property
    def vectors(self) -> Float[np.ndarray, "T n"]:
        """The residual vectors."""
        return _there(
            self.residual, "the run stores no residuals; make it again with --record residuals"
        )


@runtime_checkable
class Probes(Protocol):
    """Kernel matrices at some steps of a run, see `inertial.simulation.probe`."""

    @property
    def steps(self) -> Int[np.ndarray, "T"]:
        """Sampled steps; the first is 0."""

    @property
    def smallest(self) -> Series:
        """Smallest eigenvalue of H_t."""

    @property
    def largest(self) -> Series:
        """Largest eigenvalue of H_t."""

    @property
    def drift_spectral(self) -> Series:
        """``|H_t - H_0|``, spectral norm."""

    @property
    def drift_frobenius(self) -> Series:
        """``|H_t - H_0|``, Frobenius norm."""

    @property
    def flips(self) -> Flips:
        """What can flip in the smallest balls that hold every sample."""


@runtime_checkable
class Decomposed(Protocol):
    """The exact split of a run's residuals, see `inertial.simulation.decomposition`."""

    @property
    def method(self) -> Recursion:
        """The method."""

    @property
    def phi(self) -> Float[np.ndarray, "T n"]:
        """Remainder of the neurons that can flip."""

    @property
    def psi(self) -> Float[np.ndarray, "T n"]:
        """Remainder of the moving kernel."""

    @property
    def residual(self) -> Float[np.ndarray, "points n"]:
        """Residuals."""

    @property
    def identity_error(self) -> Float[np.ndarray, "T"]:
        """Relative error of the recursion."""

    @property
    def printed_error(self) -> Float[np.ndarray, "T"]:
        """The same for the published form."""

    @property
    def step_error(self) -> Float[np.ndarray, "T"]:
        """Relative error of the closed form of the steps."""

    @property
    def counts(self) -> Int[np.ndarray, "n"]:
        """Number of neurons that can flip on each sample."""

    @property
    def radius(self) -> float:
        """Radius of the balls in which they can."""


@dataclass(frozen=True)
class Evidence:
    """Everything known of one run; only the infinite kernel is always there.

    Parameters
    ----------
    kernel
        The infinite kernel's eigenvalues.
    inputs
        The inputs, where they could be loaded.
    at_start, along_run, probed, decomposed
        The random start, the records, kernel matrices and the residuals' split, if there are any.
    lacking
        Why a part is not there, by its name.
    solver
        Solves flows on a constant kernel.

    """

    kernel: Kernel
    inputs: Inputs | None = None
    at_start: Start | None = None
    along_run: Records | None = None
    probed: Probes | None = None
    decomposed: Decomposed | None = None
    lacking: dict[str, str] = field(default_factory=dict)
    solver: Solver = solve

    @property
    def x(self) -> Inputs:
        """The inputs."""
        return self._part(self.inputs, "inputs", "the run's data could not be loaded")

    @property
    def start(self) -> Start:
        """The random start."""
        return self._part(self.at_start, "start", "the run's start could not be rebuilt")

    @property
    def run(self) -> Records:
        """The records."""
        return self._part(self.along_run, "run", "there is no run to look at")

    @property
    def probes(self) -> Probes:
        """Kernel matrices along the run."""
        reason = "the run holds no kernel matrices after its start; audit it with --measure"
        return self._part(self.probed, "probes", reason)

    @property
    def decomposition(self) -> Decomposed:
        """The residuals' split."""
        reason = "the run's residuals are not split along the kernel; audit it with --measure"
        return self._part(self.decomposed, "decomposition", reason)

    def _part(self, part: _Part | None, name: str, reason: str) -> _Part:
        return _there(part, self.lacking.get(name, reason))


def _there(part: _Part | None, reason: str) -> _Part:
    if part is None:
        raise Missing(reason)
    return part
