r"""The spectral measure of a problem: everything that a forecast of the loss needs to know.

With eigenvalues :math:`\lambda_k` of the tangent kernel and :math:`w_k = (v_k \cdot \xi_0)^2`,

.. math:: \mu = \sum_k w_k \delta_{\lambda_k}, \qquad 2 L_t = \int p_t(\lambda)^2 \, d\mu

for the residual polynomial p_t of any linear method: the measure decides every loss curve, at every
step size and momentum.  It comes from a dense decomposition, exact at every step, or as the Gauss
rule of K Lanczos steps from the residual, exact at every step up to K - 1 (Golub and Meurant 2010,
chapter 6).
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from inertial._checks import InvalidInput, Notice, numbers
from inertial.linear.spectrum import Extremes, Spectrum, decompose, ends_of

RESOLUTION = 1e-13
"""Share of the largest node up to which nodes in double precision are known."""

_ROUNDING = 1e-6
"""Share of the largest node, and of the total weight, below which a negative one is rounding.

That of products in single precision; see `inertial.linear.tangent`.
"""

_MIRRORED = 4.0
"""Eigenvalues up to this many times the size of those below 0 may be rounding as these are."""


@dataclass(frozen=True, eq=False)
class Measure:
    """Nodes in ascending order with their weights.

    Parameters
    ----------
    nodes
        Eigenvalues, or the nodes of a Gauss rule, ascending, shape (k,).  Negative ones within
        rounding count as 0.
    weights
        Squared coordinates of the residual, or their expectation, shape (k,); their sum is twice
        the loss at the start.
    extremes
        Both ends of the operator's spectrum where more is known than the outermost nodes.
    proven
        Step up to which forecast losses are exact; None if they are at every step.
    holds
        Step up to which they were measured to stand when more nodes were taken.

    Raises
    ------
    InvalidInput
        If the arrays are of different or no length, not finite, not ascending, or negative beyond
        rounding.

    """

    nodes: Float[np.ndarray, "k"]
    weights: Float[np.ndarray, "k"]
    extremes: Extremes | None = None
    proven: int | None = None
    holds: int | None = None

    def __post_init__(self) -> None:
        nodes = numbers("the measure's nodes", self.nodes, "k")
        weights = numbers("the measure's weights", self.weights, "k")
        if nodes.shape != weights.shape or not nodes.size:
            raise InvalidInput(
                f"the measure has nodes of shape {nodes.shape} and weights of shape "
                f"{weights.shape}; give one weight for each node, and at least one."
            )
        for name, values, allowed in (
            ("node", nodes, _ROUNDING * np.abs(nodes).max()),
            ("weight", weights, _ROUNDING * np.abs(weights).sum()),
        ):
            wrong = values[values < -allowed]
            if wrong.size:
                raise InvalidInput(
                    f"the measure has the {name} {wrong.min():.4g}; a kernel's are not below 0, "
                    "check the kernel and the residual that it comes from."
                )
        if (np.diff(nodes) < 0).any():
            raise InvalidInput(
                "the measure's nodes are not ascending; Measure.from_spectrum(nodes, weights) "
                "sorts both."
            )
        object.__setattr__(self, "nodes", np.maximum(nodes, 0.0))
        object.__setattr__(self, "weights", np.maximum(weights, 0.0))

    def __repr__(self) -> str:
        proven = "every step" if self.proven is None else f"step {self.proven}"
        return (
            f"Measure({len(self.nodes)} nodes from {self.smallest:.4g} to {self.largest:.4g}, "
            f"total {self.total:.6g}, exact to {proven})"
        )

    @classmethod
    def from_spectrum(cls, eigenvalues: ArrayLike, weights: ArrayLike | None = None) -> "Measure":
        """Return the measure of a kernel's eigenvalues and the residual's squared coordinates.

        Eigenvalues up to four times the size of those below 0 are rounding like these: they count
        as 0, which a `Notice` says where there is weight on them.

        Parameters
        ----------
        eigenvalues
            In any order, shape (n,).
        weights
            One for each eigenvalue, in their order, shape (n,); equal ones unless given, which is
            the expectation over residuals of no direction.

        Raises
        ------
        InvalidInput
            If the arrays are no finite vectors of one length, or hold a number below 0 by more than
            rounding, or no eigenvalue or no weight is above 0.

        """
        nodes = numbers("the spectrum", eigenvalues, "n")
        mass = np.ones(len(nodes)) if weights is None else numbers("the weights", weights, "n")
        if len(mass) != len(nodes) or not len(nodes):
            raise InvalidInput(
                f"there are {len(nodes)} eigenvalues and {len(mass)} weights; give one weight for "
                "each eigenvalue, and at least one."
            )
        return cls._of_eigenvalues(nodes, mass, "others are below 0", 0.0)

    @classmethod
    def _of_eigenvalues(
        cls,
        nodes: Float[np.ndarray, "n"],
        mass: Float[np.ndarray, "n"],
        why: str,
        rounding: float,
    ) -> "Measure":
        """Return the measure in which what is told from 0 neither by `rounding` nor signs is 0."""
        order = np.argsort(nodes, kind="stable")
        made = cls(nodes[order], mass[order])
        rounding = max(rounding, -_MIRRORED * float(nodes.min(initial=0.0)))
        known = RESOLUTION * made.largest
        lost = (made.nodes > known) & (made.nodes <= rounding) & (made.weights > 0)
        if lost.any():
            near = made.nodes <= rounding
            share = made.weights[near].sum() / made.total
            warnings.warn(
                f"{near.sum():,} of {len(nodes):,} eigenvalues are not told from 0 ({why}) and "
                f"count as 0: {100 * share:.3g} % of the loss lies on such; compute the kernel in "
                "double precision if they are not 0.",
                Notice,
                stacklevel=3,
            )
            made = cls(np.where(near, 0.0, made.nodes), made.weights)
        if not made.largest > 0 or not made.total > 0:
            raise InvalidInput(
                "all eigenvalues or all weights are 0, so nothing moves; check what they come from."
            )
        return made

    @classmethod
    def from_kernel(cls, kernel: ArrayLike, residual: ArrayLike) -> "Measure":
        r"""Return the measure of a kernel matrix and a residual at the start.

        Entries K that are off by a share u are a matrix off by at most :math:`u |K|_F`, and no
        eigenvalue moves by more (Weyl): those of a kernel in single precision, u = 1.2e-7, that are
        smaller count as 0, which a `Notice` says where there is weight on them.

        Parameters
        ----------
        kernel
            Symmetric and positive semidefinite up to rounding, shape (n, n): of the loss
            :math:`\tfrac{1}{2} |f - y|^2`, so J J'.
        residual
            Outputs minus targets, shape (n,), or (n, k) for k outputs that share the kernel.

        Raises
        ------
        InvalidInput
            If the kernel is not square or not symmetric, has eigenvalues below 0, the shapes do
            not go together, or a number is not finite.

        """
        matrix = numbers("the kernel", kernel, "n", "n")
        if matrix.shape[0] != matrix.shape[1] or not len(matrix):
            raise InvalidInput(f"the kernel has the shape {matrix.shape}; give a square matrix.")
        outputs = len(getattr(residual, "shape", "n")) == 2
        start = numbers("the residual", residual, *("n", "k")[: 1 + outputs])
        if len(start) != len(matrix):
            raise InvalidInput(
                f"the kernel has {len(matrix)} rows and the residual {len(start)}; give one "
                "residual for each row."
            )
        dtype = np.asarray(kernel).dtype
        off = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
        rounding = off * float(np.linalg.norm(matrix))
        spectrum = decompose(matrix)
        modes = spectrum.basis.T @ start.reshape(len(start), -1)
        return cls._of_eigenvalues(
            spectrum.eigenvalues, (modes**2).sum(axis=1), f"the kernel is in {dtype}", rounding
        )

    @property
    def ends(self) -> Extremes:
        """Both ends of the spectrum, with bounds on their errors where they are known."""
        return ends_of(self.nodes) if self.extremes is None else self.extremes

    @property
    def smallest(self) -> float:
        """Smallest eigenvalue."""
        return self.ends.smallest

    @property
    def largest(self) -> float:
        """Largest eigenvalue."""
        return self.ends.largest

    @property
    def total(self) -> float:
        """Sum of the weights: twice the loss at the start."""
        return float(self.weights.sum())

    def shifted(self, decay: float) -> "Measure":
        """Return the measure with every eigenvalue moved up by the rate of a weight decay."""
        ends = replace(self.ends, smallest=self.smallest + decay, largest=self.largest + decay)
        return replace(self, nodes=self.nodes + decay, extremes=ends)

    def merged(self, most: int) -> "Measure":
        """Merge nodes within bins of equal ratio, each at its weighted mean, into at most `most`.

        Both outermost nodes, which decide stability and rate, stay as they are; so does the sum of
        the weights.  Nodes below 1e-9 of the largest share one bin.
        """
        if len(self.nodes) <= most:
            return self
        nodes, weights = self.nodes, self.weights
        low = max(float(nodes[0]), 1e-9 * float(nodes[-1]))
        edges = np.geomspace(low, float(nodes[-1]), most - 1)
        bins = np.searchsorted(edges[1:-1], nodes[1:-1])
        mass = np.bincount(bins, weights[1:-1])
        moment = np.bincount(bins, weights[1:-1] * nodes[1:-1])
        filled = mass > 0
        return Measure(
            np.concatenate([nodes[:1], moment[filled] / mass[filled], nodes[-1:]]),
            np.concatenate([weights[:1], mass[filled], weights[-1:]]),
            self.ends,
        )


def dense(spectrum: Spectrum, weights: Float[np.ndarray, "n"]) -> Measure:
    """Return the measure of a decomposed kernel with the squared coordinates of its residual."""
    return Measure(spectrum.eigenvalues, weights, spectrum.extremes)
