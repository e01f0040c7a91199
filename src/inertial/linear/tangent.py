r"""The tangent operator of any model: products with J J', and what follows from some of them.

.. math:: M = B^T J J^T B, \qquad A = B B^T

with J the Jacobian of all N = nk outputs in the parameters and A the Hessian of the loss in the
outputs: M has the eigenvalues that a step of the user's own loss meets.  A product takes one VJP
and one JVP; J is never formed, and an N x N array only where it is asked for.  With
:math:`\xi_0 = d\ell/df = B z_0`, the measure of M from z_0 forecasts the loss of every linear
method; it is exact for the linearised model under a squared loss, and a local quadratic model of
other losses.

Products in single precision resolve nodes down to about 1e-6 of the largest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, brief
from inertial._memory import check_memory
from inertial.linear.lanczos import Lanczos, lanczos
from inertial.linear.measure import Measure, dense
from inertial.linear.spectrum import decompose
from inertial.problem.loss import Curvature, Outputs, curvature_of
from inertial.problem.problem import Flat, Linearised, Trainable


@dataclass(eq=False, repr=False)
class Tangent:
    """The operator M at the start of a problem, or at a state of its training.

    Parameters
    ----------
    linearised
        The model linearised there: its outputs, and products with J and J'.
    curvature
        Hessian of the loss in the outputs, as a factor.
    start
        What Lanczos starts from, flat: the residual, in the coordinates of M.
    loss
        Loss there.
    products
        Number of products taken so far.
    found
        What Lanczos has found so far; None before.
    told
        Called after each product, with the number of those taken so far.

    """

    __repr__ = brief

    linearised: Linearised
    curvature: Curvature
    start: Flat
    loss: float
    products: int = 0
    found: Lanczos | None = field(default=None, repr=False)
    told: Callable[[int], None] | None = field(default=None, repr=False)

    def product(self, v: Flat) -> Flat:
        """Return ``M v``."""
        weighted = self.curvature.times(v.reshape(self.linearised.outputs.shape))
        return self.curvature.transposed(self.plain(weighted)).reshape(-1)

    def plain(self, v: Outputs) -> Outputs:
        """Return ``J J' v`` for an array of the outputs' shape."""
        found = self.linearised.push(self.linearised.pull(v.reshape(-1))).reshape(v.shape)
        self.count()
        return found

    def count(self) -> None:
        """Count a product that was taken, here or with `linearised` alone."""
        self.products += 1
        if self.told is not None:
            self.told(self.products)

    def lanczos(self, steps: int) -> Lanczos:
        """Take Lanczos steps from the residual, up to `steps` in all; earlier ones are kept."""
        if self.found is None or self.found.steps < steps:
            self.found = lanczos(self.product, self.start, steps, resume=self.found)
        return self.found

    def check_moves(self) -> None:
        """Refuse a place from which no step along the gradient of the loss leads away.

        Raises
        ------
        InvalidInput
            If the gradient of the loss in the parameters is zero, though that in the outputs is
            not.

        """
        if self.lanczos(1).largest[0] <= 0:
            raise InvalidInput(
                "the gradient of the loss in the parameters is zero at the start, so no step "
                "lowers the loss; give another start."
            )

    def measure(self, steps: int | None = None) -> Measure:
        """Return the Gauss rule of `steps` products as a measure, or all of it, decomposed."""
        if steps is None:
            spectrum = decompose(self.matrix(), overwrite=True)
            return dense(spectrum, spectrum.modes(self.start) ** 2)
        found = self.lanczos(steps)
        return found.measure(min(steps, found.steps))

    def matrix(self) -> Float[np.ndarray, "N N"]:
        """Return M as an array, a product a column: for some thousands of outputs at most.

        Nothing else of that size is held.  The rounding by which products in single precision
        differ from those of the transpose is shared between both halves.

        Raises
        ------
        InvalidInput
            If there is no memory for it.

        """
        size = self.start.size
        check_memory(8 * size**2, "take fewer rows, or measure(steps), which needs no array")
        found = np.empty((size, size))
        unit = np.zeros(size)
        for i in range(size):
            unit[i] = 1
            found[i] = self.product(unit)
            unit[i] = 0
        for i in range(size):
            mean = (found[i, i:] + found[i:, i]) / 2
            found[i, i:] = found[i:, i] = mean
        return found

    def preconditioned(self, inverse: Any) -> "Tangent":  # noqa: ANN401 - a tree of arrays
        """Return the operator of ``J P^-1 J'`` in place of ``J J'``, with P diagonal.

        Parameters
        ----------
        inverse
            The diagonal of ``P^-1``: a tree of the problem's trained parameters, or a list of its
            arrays in their order; see `Adaptive.inverse`.

        Raises
        ------
        InvalidInput
            If the arrays are not of the shapes of the parameters.

        """
        named = self.linearised.weights
        if isinstance(named, dict) and isinstance(inverse, list | tuple):
            inverse = dict(zip(named, inverse, strict=False))
        weights, shape = jax.tree.flatten(named)
        given = jax.tree.leaves(inverse)
        shapes = [[np.shape(array) for array in arrays] for arrays in (given, weights)]
        if shapes[0] != shapes[1]:
            raise InvalidInput(
                f"the diagonal has arrays of shapes {shapes[0]} and the parameters {shapes[1]}; "
                "give one number for each trained parameter."
            )
        inverse = jax.tree.unflatten(shape, given)
        return replace(
            self, linearised=_Preconditioned(self.linearised, inverse), products=0, found=None
        )

    def shares(self, v: Flat) -> dict[str, float]:
        """Shares of every array of parameters in ``v' M v``."""
        weighted = self.curvature.times(v.reshape(self.linearised.outputs.shape)).reshape(-1)
        parts = {k: x**2 for k, x in self.linearised.norms(self.linearised.pull(weighted)).items()}
        total = sum(parts.values())
        return {name: part / total for name, part in parts.items()}


@dataclass(frozen=True)
class _Preconditioned:
    """A linearised model whose directions are scaled entry by entry before they are pushed."""

    plain: Linearised
    inverse: Any

    @property
    def outputs(self) -> Outputs:
        return self.plain.outputs

    @property
    def weights(self) -> Any:  # noqa: ANN401 - opaque
        return self.plain.weights

    def pull(self, v: Flat) -> Any:  # noqa: ANN401
        return self.plain.pull(v)

    def push(self, direction: Any) -> Flat:  # noqa: ANN401
        return self.plain.push(jax.tree.map(lambda u, q: u * q, direction, self.inverse))

    def norms(self, direction: Any) -> dict[str, float]:  # noqa: ANN401
        halves = jax.tree.map(lambda u, q: u * q**0.5, direction, self.inverse)
        return self.plain.norms(halves)


def tangent(
    problem: Trainable, state: object = None, *, told: Callable[[int], None] | None = None
) -> Tangent:
    """Linearise a problem at its start, or at a state of training.

    Parameters
    ----------
    problem
        Model, loss, start and rows.
    state
        Where; at the start if absent.
    told
        Called after each product, with the number of those taken so far.

    Raises
    ------
    InvalidInput
        If the loss has no curvature in the outputs, or no gradient.

    """
    linearised = problem.linearise(state)
    outputs = linearised.outputs
    gradient = problem.gradient_of(outputs)
    if not np.isfinite(gradient).all():
        raise InvalidInput(
            "the gradient of the loss in the outputs is not finite; the model has diverged, or its "
            "inputs, targets or parameters are far too large."
        )
    if not np.abs(gradient).max() > 0:
        away = (1 + np.abs(outputs)) * np.cos(np.arange(outputs.size)).reshape(outputs.shape)
        probes = (problem.gradient_of(outputs + far * away) for far in (-3, 3))
        if any(np.abs(gradient).max() > 0 for gradient in probes):
            raise InvalidInput(
                "the loss has no gradient at the start; it is at a minimum already, give another "
                "start."
            )
        raise InvalidInput(
            "the loss does not change with the outputs, as the cross-entropy of one output does "
            "not; give one output per class, or another loss."
        )
    curvature = curvature_of(problem.loss, outputs, gradient, problem.hessian_of(outputs))
    residual = curvature.solve(gradient).reshape(-1)
    return Tangent(linearised, curvature, residual, problem.loss_of(outputs), told=told)
