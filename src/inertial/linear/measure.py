r"""The spectral measure of a problem: everything that a forecast of the loss needs to know.

With eigenvalues :math:`\lambda_k` of the tangent kernel and :math:`w_k = (v_k \cdot \xi_0)^2`,

.. math:: \mu = \sum_k w_k \delta_{\lambda_k}, \qquad 2 L_t = \int p_t(\lambda)^2 \, d\mu

for the residual polynomial p_t of any linear method: the measure decides every loss curve, at every
step size and momentum.  It comes from a dense decomposition, exact at every step, or as the Gauss
rule of K Lanczos steps from the residual, exact at every step up to K - 1 (Golub and Meurant 2010,
chapter 6).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial.linear.spectrum import Extremes, Spectrum, ends_of

_ROUNDING = 1e-6
"""Share of the largest node, and of the total weight, below which a negative one is rounding.

That of products in single precision; see `inertial.linear.tangent`.
"""


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
        nodes, weights = (np.asarray(part, float) for part in (self.nodes, self.weights))
        if nodes.ndim != 1 or nodes.shape != weights.shape or not nodes.size:
            raise InvalidInput(
                f"the measure has nodes of shape {nodes.shape} and weights of shape "
                f"{weights.shape}; give one weight for each node, and at least one."
            )
        for name, values, allowed in (
            ("node", nodes, _ROUNDING * np.abs(nodes).max()),
            ("weight", weights, _ROUNDING * np.abs(weights).sum()),
        ):
            wrong = values[~(values >= -allowed)]
            if wrong.size or not np.isfinite(values).all():
                found = wrong[0] if wrong.size else values[~np.isfinite(values)][0]
                raise InvalidInput(
                    f"the measure has the {name} {found:.4g}; a kernel's are finite and not below "
                    "0, check the kernel and the residual that it comes from."
                )
        if (np.diff(nodes) < 0).any():
            raise InvalidInput("the measure's nodes are not ascending; sort them with the weights.")
        object.__setattr__(self, "nodes", np.maximum(nodes, 0.0))
        object.__setattr__(self, "weights", np.maximum(weights, 0.0))

    def __repr__(self) -> str:
        proven = "every step" if self.proven is None else f"step {self.proven}"
        return (
            f"Measure({len(self.nodes)} nodes from {self.smallest:.4g} to {self.largest:.4g}, "
            f"total {self.total:.6g}, exact to {proven})"
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
