r"""Loss and accuracy on test rows along the way, and when to stop, forecast before training.

With :math:`H = J J^T` on the training rows, :math:`H_* = J_* J^T` from them to the test rows, and
the polynomials A, B, c of `inertial.method.response`,

.. math:: f_*(t) = f_*(0) - s H_* \left( A_t(sH)\,\xi_0 + B_t(sH)\,h \right) - c_t h_*, \qquad
          h = J w_0, \; h_* = J_* w_0

where B and c are there only with weight decay.  In the eigenbasis of H this is exact at every step;
from K Lanczos steps on :math:`\xi_0` (and on h) it is exact up to step K - 1, for every step size,
momentum and schedule from the same K products.  Other losses than squares have no such polynomials:
`learning_curve` runs the recursion of the outputs instead, at one product per step.

Two stopping times follow.  The first step with the lowest test loss needs test rows.  Generalised
cross-validation needs none (Craven and Wahba 1979; for early stopping an estimate that need not be
consistent, Patil, Wu and Tibshirani 2024, arXiv 2402.16793):

.. math:: \mathrm{GCV}_t = \frac{|\xi_t|^2 / N}{(\mathrm{tr}\,(1 - sH A_t(sH)) / N)^2}

with the trace over all N eigenvalues, and infinite where momentum has carried it below zero.  Where
not all eigenvalues are known the trace is estimated (Hutchinson 1990): it is the mean of
:math:`z^T (1 - sH A_t(sH)) z` over vectors z of random signs, each from the Gauss rule of K Lanczos
steps on z, with an error from their spread and from leaving out a quarter of the nodes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, brief, whole
from inertial._types import Eigenvalues
from inertial.linear.lanczos import Lanczos, lanczos
from inertial.linear.spectrum import Spectrum
from inertial.linear.tangent import Tangent, tangent
from inertial.method.recursion import Recursion
from inertial.method.response import response
from inertial.problem.loss import LOSSES, hits_of
from inertial.problem.problem import Flat, Linearised, Trainable
from inertial.simulation.linearised import Transformation, linearised_outputs

DENSE = 1000
"""Numbers of outputs up to which the whole kernel is taken from products, if not told otherwise."""

_FIRST, _MOST = 16, 128
"""Lanczos steps to begin with, and at most."""

_STANDS = 1e-3
"""Relative change of the losses, when a quarter of the nodes is left out, from which more come."""

_PROBES, _PROBED = 6, 32
"""Random vectors that estimate a trace, and Lanczos steps on each at most."""

_NUMBERS = 2**22
"""Outputs, over steps and rows, that are held at once."""


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """Losses at steps 0 to T, of a forecast or of a real run, and where it is best to stop.

    Parameters
    ----------
    method
        The method.
    loss
        Loss on the training rows, shape (T + 1,).
    test_loss, test_accuracy
        Loss on the test rows, and the share of them that is classified right; None without test
        rows, and without classes.
    gcv
        Generalised cross-validation, from the training rows alone; None for other losses than
        squares.
    gcv_error
        Standard error of it, where its trace is estimated; None where it is exact.
    error
        Largest relative change of a loss when a quarter of the Lanczos steps is left out; 0 where
        the forecast of the linearised model is exact.

    """

    __repr__ = brief

    method: Recursion | Transformation
    loss: Float[np.ndarray, "t"]
    test_loss: Float[np.ndarray, "t"] | None = None
    test_accuracy: Float[np.ndarray, "t"] | None = None
    gcv: Float[np.ndarray, "t"] | None = None
    error: float = 0.0
    gcv_error: Float[np.ndarray, "t"] | None = None

    @property
    def best_step(self) -> int | None:
        """First step with the lowest test loss."""
        return _lowest(self.test_loss)

    @property
    def gcv_step(self) -> int | None:
        """First step with the lowest generalised cross-validation."""
        return _lowest(self.gcv)

    @property
    def gcv_steps(self) -> tuple[int, int] | None:
        """First and last step that two standard errors cannot tell from `gcv_step`."""
        lowest = self.gcv_step
        if lowest is None or self.gcv is None:
            return None
        if self.gcv_error is None:
            return lowest, lowest
        most = self.gcv[lowest] + 2 * self.gcv_error[lowest]
        with np.errstate(invalid="ignore"):
            near = np.flatnonzero(self.gcv - 2 * self.gcv_error <= most)
        return int(near[0]), int(near[-1])


def _lowest(values: Float[np.ndarray, "t"] | None) -> int | None:
    if values is None or not np.isfinite(values).any():
        return None
    return int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))


@dataclass(frozen=True, eq=False)
class Rows:
    """One set of rows as the linearised model sees it.

    Parameters
    ----------
    outputs, shrunk
        f and ``J w_0`` at the start, flat.
    loss_of, accuracy_of
        Loss and accuracy as functions of flat outputs; None where no accuracy is defined.

    """

    outputs: Flat
    shrunk: Flat
    loss_of: Callable[[Flat], float]
    accuracy_of: Callable[[Flat], float] | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """A start in modes, and what each mode does to the outputs.

    Parameters
    ----------
    nodes
        Eigenvalues, >= 0.
    coordinates
        What the start has along each mode.
    train, test
        What a unit along each mode (a column) adds to the outputs; None without test rows.

    """

    nodes: Eigenvalues
    coordinates: Float[np.ndarray, "k"]
    train: Float[np.ndarray, "N k"]
    test: Float[np.ndarray, "M k"] | None


@dataclass(frozen=True, eq=False, repr=False)
class OutputModes:
    """What the outputs of every method at every step follow from, for a loss ``s/2 |f - y|^2``.

    Parameters
    ----------
    train, test
        The rows.
    residual
        The residual at the start in modes of ``sH``.
    shrunk
        ``J w_0`` in modes, if there is weight decay.
    decay
        Rate alpha of weight decay.
    whole
        Whether the nodes are all N eigenvalues.
    targets
        Targets of the training rows, flat.

    """

    __repr__ = brief

    train: Rows
    test: Rows | None
    residual: Part
    targets: Flat
    shrunk: Part | None = None
    decay: float = 0.0
    whole: bool = False

    def outputs(
        self, method: Recursion, steps: int
    ) -> Iterator[tuple[Float[np.ndarray, "b N"], Float[np.ndarray, "b M"] | None]]:
        """Yield outputs on training and test rows at steps 0 to `steps`, some steps at a time."""
        first = response(method, self.residual.nodes, steps, decay=self.decay)
        driven = first.residual * self.residual.coordinates
        fading = None
        if self.shrunk is not None:
            second = response(method, self.shrunk.nodes, steps, decay=self.decay)
            fading = second.shrunk * self.shrunk.coordinates
        size = len(self.train.outputs) + (0 if self.test is None else len(self.test.outputs))
        count = max(1, _NUMBERS // size)
        for start in range(0, steps + 1, count):
            block = slice(start, start + count)
            found: list[Any] = []
            for name in ("train", "test"):
                rows: Rows | None = getattr(self, name)
                if rows is None:
                    found.append(None)
                    continue
                with np.errstate(over="ignore", invalid="ignore"):
                    out = rows.outputs - driven[block] @ getattr(self.residual, name).T
                    if fading is not None:
                        out = out - fading[block] @ getattr(self.shrunk, name).T
                        out = out - np.outer(first.decayed[block], rows.shrunk)
                found.append(out)
            yield found[0], found[1]

    def curve(self, method: Recursion, steps: int) -> Curve:
        """Return losses, accuracy and cross-validation of a method at steps 0 to `steps`."""
        losses, squares, test_losses, hits = [], [], [], []
        for train, test in self.outputs(method, steps):
            losses += [self.train.loss_of(f) for f in train]
            squares += np.sum((train - self.targets) ** 2, axis=1).tolist()
            if self.test is not None and test is not None:
                test_losses += [self.test.loss_of(f) for f in test]
                if self.test.accuracy_of is not None:
                    hits += [self.test.accuracy_of(f) for f in test]
        return Curve(
            method,
            np.array(losses),
            np.array(test_losses) if test_losses else None,
            np.array(hits) if hits else None,
            self._gcv(method, np.array(squares)) if self.whole else None,
        )

    def _gcv(self, method: Recursion, squares: Float[np.ndarray, "t"]) -> Float[np.ndarray, "t"]:
        nodes = self.residual.nodes
        found = response(method, nodes, len(squares) - 1, decay=self.decay)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            left = np.mean(1 - nodes * found.residual, axis=1)
            return np.where(left > 0, squares / len(nodes) / left**2, np.inf)


def output_modes(
    problem: Trainable, *, products: int | None = None, operator: Tangent | None = None
) -> OutputModes:
    """Take the modes of a problem with a squared loss: its whole kernel, or from Lanczos steps.

    Parameters
    ----------
    problem
        Model, loss, start, training and test rows.
    products
        Lanczos steps K to take; the whole kernel, one product per output, if absent.
    operator
        The tangent operator at the start, to go on from products that it has taken.

    Raises
    ------
    InvalidInput
        If the loss is no multiple of the sum of squares, or the problem cannot be linearised.

    """
    if not problem.loss.squared:
        raise InvalidInput(
            f"the loss {problem.loss.name} has no modes of its own; take learning_curve, or a "
            "problem with 'mse' or 'half_sum'."
        )
    operator = operator or tangent(problem)
    scale = float(operator.curvature.times(np.ones((1, 1)))[0, 0]) ** 2
    pull = operator.linearised.pull
    train, test = _rows(problem, operator)
    test_push = None if problem.test is None else problem.test.linearise().push
    targets = np.asarray(problem.y, float).reshape(-1)
    residual = train.outputs - targets

    def on_test_rows(vectors: Float[np.ndarray, "N k"]) -> Float[np.ndarray, "M k"] | None:
        if test_push is None:
            return None
        return scale * np.stack([test_push(pull(v)) for v in vectors.T], axis=1)

    if products is None:
        gram = np.stack([operator.product(v) for v in np.eye(len(residual))], axis=1)
        nodes, basis = np.linalg.eigh((gram + gram.T) / 2)
        nodes, test_part = np.maximum(nodes, 0.0), on_test_rows(basis)

        def part(start: Flat) -> Part:
            return Part(nodes, start @ basis, basis * nodes, test_part)
    else:

        def part(start: Flat) -> Part:
            if start is residual:
                found = operator.lanczos(products)
                return _ritz(found, products, residual, on_test_rows)
            return _ritz(lanczos(operator.product, start, products), products, start, on_test_rows)

    shrunk = part(train.shrunk) if problem.decay and train.shrunk.any() else None
    return OutputModes(
        train, test, part(residual), targets, shrunk, problem.decay, whole=products is None
    )


def learning_curve(
    problem: Trainable,
    method: Recursion | Transformation,
    *,
    steps: int,
    operator: Tangent | None = None,
) -> Curve:
    """Forecast the losses of the linearised model on training and test rows, and the accuracy.

    Up to 1,000 outputs under a squared loss the whole kernel is taken, which gives generalised
    cross-validation too; of more, Lanczos steps are added until the losses stand, and the trace of
    cross-validation is estimated from steps on six random vectors.  Other losses run the recursion
    of the outputs, exact for the linearised model, at one product per step.

    Parameters
    ----------
    problem
        Model, loss, start and rows; with ``test=`` for the test rows and ``decay=`` for weight
        decay.
    method
        The method; Adam and the like, or for a `Problem` any transformation of optax, run the
        recursion of the outputs too.
    steps
        Last step, at least 1.
    operator
        The tangent operator at the start, to go on from products that it has taken.

    Raises
    ------
    InvalidInput
        If `steps` is not a whole number of at least 1, a schedule is shorter, or the problem cannot
        be linearised.

    """
    whole("steps", steps)
    operator = operator or tangent(problem)
    count = operator.linearised.outputs.size
    if not problem.loss.squared or not isinstance(method, Recursion):
        return _by_recursion(problem, operator, method, steps)
    if count <= DENSE:
        return output_modes(problem, operator=operator).curve(method, steps)
    most = min(_MOST, steps + 1)
    products, before = min(_FIRST, most), None
    while True:
        curve = output_modes(problem, products=products, operator=operator).curve(method, steps)
        fewer = output_modes(problem, products=max(1, 3 * products // 4), operator=operator)
        before = fewer.curve(method, steps)
        exact = products > steps
        error = 0.0 if exact else _change(curve, before)
        if error <= _STANDS or products >= most:
            squares = curve.loss * _squares_of(problem, operator)
            gcv, gcv_error = _estimated(
                operator, method, squares, min(products, _PROBED), problem.decay
            )
            return replace(curve, error=error, gcv=gcv, gcv_error=gcv_error)
        products = min(2 * products, most)


def _squares_of(problem: Trainable, operator: Tangent) -> float:
    """Return the sum of squares that a squared loss of 1 stands for."""
    outputs = operator.linearised.outputs
    squares = float(np.sum((outputs.reshape(-1) - np.asarray(problem.y, float).reshape(-1)) ** 2))
    return squares / max(problem.loss_of(outputs), 1e-300)


def _estimated(
    operator: Tangent,
    method: Recursion,
    squares: Float[np.ndarray, "t"],
    products: int,
    decay: float,
) -> tuple[Float[np.ndarray, "t"], Float[np.ndarray, "t"]]:
    """Estimate generalised cross-validation from Lanczos steps on random signs; with its error."""
    size, random = operator.linearised.outputs.size, np.random.default_rng(0)
    found: list[list[Float[np.ndarray, t]]] = []
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(_PROBES):
            taken = lanczos(operator.product, random.choice((-1.0, 1.0), size), products)
            rules = [taken.nodes(k) for k in (taken.steps, max(1, 3 * taken.steps // 4))]
            found.append(
                [
                    _left(method, nodes, weights, len(squares) - 1, decay) / size
                    for nodes, weights, _ in rules
                ]
            )
        left, fewer = (np.array(part) for part in zip(*found, strict=True))
        mean, spread = left.mean(axis=0), left.std(axis=0, ddof=1) / np.sqrt(_PROBES)
        error = np.hypot(spread, (left - fewer).mean(axis=0))
        gcv = np.where(mean > 0, squares / size / mean**2, np.inf)
        return gcv, np.where(mean > 0, 2 * gcv * error / mean, np.inf)


def _left(
    method: Recursion, nodes: Eigenvalues, weights: Float[np.ndarray, "k"], steps: int, decay: float
) -> Float[np.ndarray, "t"]:
    """Return ``sum_j w_j (1 - l_j A_t(l_j))`` at steps 0 to `steps`."""
    nodes = np.maximum(nodes, 0.0)
    found = response(method, nodes, steps, decay=decay).residual
    return np.asarray((1 - nodes * found) @ weights)


def _change(one: Curve, other: Curve) -> float:
    """Return the largest relative difference of two forecasts' losses."""
    worst = 0.0
    for name in ("loss", "test_loss"):
        here, there = getattr(one, name), getattr(other, name)
        if here is None:
            continue
        with np.errstate(invalid="ignore", over="ignore"):
            change = np.abs(here - there) / np.maximum(np.abs(here), 1e-300)
        worst = max(worst, float(np.nan_to_num(change, nan=np.inf).max()))
    return worst


def _by_recursion(
    problem: Trainable, operator: Tangent, method: Recursion | Transformation, steps: int
) -> Curve:
    train, test = _rows(problem, operator)
    losses, test_losses, hits = [], [], []
    for f, held in linearised_outputs(problem, operator, method, steps):
        losses.append(train.loss_of(f.reshape(-1)))
        if test is not None and held is not None:
            test_losses.append(test.loss_of(held.reshape(-1)))
            if test.accuracy_of is not None:
                hits.append(test.accuracy_of(held.reshape(-1)))
        if not np.isfinite(losses[-1]):
            break
    return Curve(
        method,
        np.array(losses),
        np.array(test_losses) if test_losses else None,
        np.array(hits) if hits else None,
    )


def kernel_modes(
    spectrum: Spectrum,
    train: tuple[Flat, Flat],
    test: tuple[Float[np.ndarray, "M N"], Float[np.ndarray, "M"], Float[np.ndarray, "M"]]
    | None = None,
    *,
    decay: float = 0.0,
) -> OutputModes:
    """Return the modes of a decomposed kernel under half of the sum of squares.

    Parameters
    ----------
    spectrum
        The kernel of the training rows.
    train
        Outputs at the start, and targets.
    test
        The kernel from the training rows to the test rows, and outputs and targets there.
    decay
        Rate of weight decay.  The outputs have to be linear in the size of the trained weights
        together, as the papers' network's are: ``J w_0 = f_0``.

    """
    hits = hits_of(LOSSES["half_sum"], train[1][:, None])

    def seen(outputs: Flat, targets: Flat) -> Rows:
        def accuracy_of(f: Flat) -> float:
            assert hits is not None  # noqa: S101 - asked for only then
            return hits(f[:, None], targets)

        return Rows(
            outputs,
            outputs,
            lambda f: 0.5 * float(np.sum((f - targets) ** 2)),
            None if hits is None else accuracy_of,
        )

    nodes = np.maximum(spectrum.eigenvalues, 0.0)
    outward = None if test is None else test[0] @ spectrum.basis
    here = spectrum.basis * nodes
    residual = Part(nodes, spectrum.modes(train[0] - train[1]), here, outward)
    shrunk = Part(nodes, spectrum.modes(train[0]), here, outward) if decay else None
    return OutputModes(
        seen(*train),
        None if test is None else seen(*test[1:]),
        residual,
        train[1],
        shrunk,
        decay,
        whole=True,
    )


def _ritz(
    found: Lanczos,
    steps: int,
    start: Flat,
    on_test_rows: Callable[[Float[np.ndarray, "N k"]], Float[np.ndarray, "M k"] | None],
) -> Part:
    """Return the Ritz values of Lanczos steps as nodes, with their vectors' outputs."""
    k = min(steps, found.steps)
    values, rotation = np.linalg.eigh(
        np.diag(found.diagonal[:k])
        + np.diag(found.off_diagonal[: k - 1], 1)
        + np.diag(found.off_diagonal[: k - 1], -1)
    )
    vectors = found.basis[:, :k] @ rotation
    return Part(
        np.maximum(values, 0.0),
        float(np.linalg.norm(start)) * rotation[0],
        vectors * values,
        on_test_rows(vectors),
    )


def _rows(problem: Trainable, operator: Tangent) -> tuple[Rows, Rows | None]:
    """Return both sets of rows, at the start."""
    hits = hits_of(problem.loss, problem.y)

    def seen(rows: Trainable, linear: Linearised) -> Rows:
        outputs = linear.outputs
        flat, shape = outputs.reshape(-1), outputs.shape

        def loss_of(f: Flat) -> float:
            return rows.loss_of(f.reshape(shape))

        def accuracy_of(f: Flat) -> float:
            assert hits is not None  # noqa: S101 - asked for only then
            return hits(f.reshape(shape), rows.y)

        shrunk = linear.push(operator.linearised.weights) if problem.decay else np.zeros_like(flat)
        return Rows(flat, shrunk, loss_of, None if hits is None else accuracy_of)

    held = problem.test
    return seen(problem, operator.linearised), None if held is None else seen(
        held, held.linearise()
    )
