r"""Run a method on the finite network, full batch.

This side keeps the records, looks for divergence and takes checkpoints; the arithmetic of a step is
in `inertial.simulation.step`, and runs in the inputs' own span where that is smaller.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from inertial._checks import nonnegative, one_of, whole
from inertial._types import Inputs, Targets
from inertial.linear.kernel import tiles
from inertial.method.batch import noise_share
from inertial.method.recursion import Recursion
from inertial.problem.devices import agreed, first_process, gathered, mesh_of, together
from inertial.problem.model import TwoLayerReLU, start_key
from inertial.simulation import step
from inertial.simulation.span import Span, span
from inertial.simulation.trajectory import Trajectory

Precision = Literal["float32", "float64"]

Order = Literal["fresh", "shuffled"]
"""Batches drawn anew at each step, or the parts of a permutation that is drawn for each epoch."""

Neurons = Float[np.ndarray, "m r"]
"""Hidden weights, in the coordinates of the inputs' span."""

_LOOK_SECONDS = 0.5
"""Wanted time between two looks."""

_ENTRIES = 2**22
"""Rows times neurons that outputs at the start are computed for at once."""

DIVERGED = 1e3
"""A loss this many times the first counts as divergence.

Recommended settings grow by a factor of five at most on the way (docs/trust.md); what grows a
thousandfold has left its forecast, also if it comes down again.
"""


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on, bit for bit: the state before `step` and the records up to it.

    `displacement` is ``w_t - w_0`` and `momentum` the buffer of `inertial.simulation.step`, both in
    the coordinates of the inputs' span, which must be the same when the run goes on; `residual` has
    no columns unless residuals are recorded.
    """

    step: int
    displacement: Float[np.ndarray, "m r"]
    momentum: Float[np.ndarray, "m r"]
    loss: Float[np.ndarray, "t"]
    residual: Float[np.ndarray, "t k"]
    pattern_change: Float[np.ndarray, "t"]
    max_distance: Float[np.ndarray, "t"]
    mean_distance: Float[np.ndarray, "t"]


def train(
    network: TwoLayerReLU,
    x: Inputs,
    y: Targets,
    method: Recursion,
    *,
    seed: int,
    steps: int,
    precision: Precision = "float32",
    record_residual: bool = False,
    within: Span | None = None,
    batch: int | None = None,
    order: Order = "fresh",
    decay: float = 0.0,
    target: float | None = None,
    held_out: Float[np.ndarray, "k d"] | None = None,
    progress: Callable[[int], bool | None] | None = None,
    snapshots: Collection[int] = (),
    observe: Callable[[int, Float[np.ndarray, "m r"]], None] | None = None,
    resume: Checkpoint | None = None,
    save: Callable[[Checkpoint], None] | None = None,
    save_seconds: float = 30.0,
    devices: int = 1,
) -> Trajectory:
    """Train the hidden layer by `method` from the random start of `seed`.

    Parameters
    ----------
    network
        Width and input dimension.
    x, y
        Inputs, shape (n, d), and targets, shape (n,).
    method
        Step size and momentum.
    seed
        Seed of the start; one seed gives every method the same start.
    steps
        Number of updates; records are at steps 0, ..., `steps`.
    precision
        Arithmetic of the network.  The loss is summed in float64 in both.
    record_residual
        Whether to keep ``f(w_t) - y`` at every step, an array of (steps + 1) x n.
    within
        What `span` returned for `x`, to share it among runs; computed if absent.
    batch
        Rows whose gradient a step takes, times n over their number; all of them if absent.  The
        records belong to all rows.
    order
        `fresh` for new rows at each step, `shuffled` for epochs: each row once per epoch, but for
        the rows that a last, smaller batch would have.
    decay
        Rate alpha of weight decay, at least 0: every step adds ``alpha W`` to the gradient.
    target
        Share of the first loss; the run ends at the first step whose loss is at most that.
    held_out
        Rows to record the outputs on at every step; none are trained on.
    progress
        Called with the number of steps just done, every half second or so; if it returns True, the
        run ends there.
    snapshots, observe
        Steps t at which `observe` is called with t and the weights ``w_t``, in the coordinates of
        the inputs' span.
    resume
        Where an interrupted run with the same arguments goes on; the result has the same bits.
    save, save_seconds
        Called with a checkpoint whenever this many seconds have passed since the last one; of
        several processes, in the first alone.
    devices
        Devices of each process that the neurons are spread over; results change by rounding only.

    Returns
    -------
    Trajectory
        Loss, distances and pattern changes; ends early with status `diverged` if the loss does.

    Raises
    ------
    InvalidInput
        If `steps` is not a whole number of at least 1, `batch` not one up to the number of rows,
        `decay` is negative, `precision` or `order` is unknown, or there are fewer devices.
    LostProcessError
        If another of several processes has ended.

    """
    whole("steps", steps)
    nonnegative("decay", decay)
    one_of("order", order, ("fresh", "shuffled"))
    if batch is not None:
        noise_share(batch, len(x))
    one_of("precision", precision, ("float32", "float64"))
    mesh = mesh_of(devices)
    # Decay shrinks what lies outside of the inputs' span as well.
    within = Span(x, None) if decay else within or span(x)
    with jax.enable_x64(precision == "float64"), together():
        problem = _draw(network, within, y, seed, precision, mesh, decay=decay)
        test = None if held_out is None else _test_rows(network, within, held_out, seed, precision)
        watch = _Watch(test, observe, snapshots)
        state, records = _begin(problem, resume, mesh)
        done = len(records[0].loss) if records else 0
        count, saved = 1, time.monotonic()
        while done <= steps:
            watch.look(
                done,
                lambda: _neurons(problem.start + state.displacement, network.width, mesh),  # noqa: B023 - called at once
            )
            count = watch.limit(done, count)
            began = time.perf_counter()
            coefficients = step.device_coefficients(method, done, problem.start.dtype)
            rows = None
            if batch is not None and batch < len(x):
                rows = batch_rows(len(x), batch, order, seed, done, step.CHUNK)
            state, buffers = step.advance(problem, state, coefficients, count, rows, mesh)
            records.append(_on_host(buffers, count, network.width, residual=record_residual))
            enough = progress is not None and progress(count)
            if enough or _end(records[-1].loss, records[0].loss[0], target) is not None:
                break
            done += count
            elapsed = max(time.perf_counter() - began, 1e-9)
            count = min(max(1, int(count * _LOOK_SECONDS / elapsed)), 2 * count, step.CHUNK)
            count = min(count, steps + 1 - done)
            due = save is not None and time.monotonic() - saved >= save_seconds
            alike = agreed(np.array([count, due], float), mesh)
            count = int(alike[0])
            if save is not None and alike[1] and done <= steps:
                found = _checkpoint(state, records, network.width, mesh)
                if first_process():
                    save(found)
                saved = time.monotonic()
    run = _assemble(method, records, target, record_residual=record_residual)
    if test is None:
        return run
    return replace(run, test_outputs=np.array(watch.outputs)[: len(run.loss)])


class _Watch:
    """What looks at the weights on the way: outputs on test rows at every step, and `observe`."""

    def __init__(
        self,
        test: Callable[[Neurons], Float[np.ndarray, "k"]] | None,
        observe: Callable[[int, Neurons], None] | None,
        snapshots: Collection[int],
    ) -> None:
        self.test, self.observe, self.snapshots = test, observe, snapshots
        self.outputs: list[np.ndarray] = []

    def look(self, done: int, neurons: Callable[[], Neurons]) -> None:
        """Look at the weights before step `done`."""
        if self.test is not None:
            self.outputs.append(self.test(neurons()))
        if self.observe is not None and done in self.snapshots:
            self.observe(done, neurons())

    def limit(self, done: int, count: int) -> int:
        """Return the number of steps to the next look, `count` at most."""
        if self.test is not None:
            return 1
        return min([count, *(t - done for t in self.snapshots if t > done)])


def batch_rows(
    n: int, batch: int, order: Order, seed: int, first: int, count: int
) -> Int[np.ndarray, "count batch"]:
    """Rows of the batches of steps `first`, ..., the same however a run is cut into pieces.

    Parameters
    ----------
    n, batch
        Number of rows, and of rows in a batch.
    order
        See `train`.
    seed
        Seed of the run; its start does not depend on these draws.
    first, count
        First step and number of steps.

    """
    if order == "fresh":
        chosen = [
            np.random.default_rng((seed, 0, t)).permutation(n)[:batch]
            for t in range(first, first + count)
        ]
        return np.array(chosen)
    each = n // batch
    epochs = range(first // each, (first + count - 1) // each + 1)
    parts = [
        np.random.default_rng((seed, 1, epoch)).permutation(n)[: each * batch].reshape(each, batch)
        for epoch in epochs
    ]
    start = first % each
    return np.concatenate(parts)[start : start + count]


def initial_residual(
    network: TwoLayerReLU, x: Inputs, y: Targets, *, seed: int, within: Span | None = None
) -> Targets:
    """``f(w_0) - y`` of the network that `train` starts from with `seed`, shape (n,), float64.

    Parameters
    ----------
    network, x, y, seed
        As for `train`.
    within
        The inputs' span, in which fewer numbers are multiplied, where it is known already.

    """
    within = within or Span(x, None)
    w, a = (np.asarray(part, np.float64) for part in network.init(start_key(seed)))
    if within.basis is not None:
        w = w @ within.basis
    residual = -np.asarray(y, np.float64)
    for rows in tiles(len(within.x), max(1, _ENTRIES // network.width)):
        residual[rows] += np.maximum(within.x[rows] @ w.T, 0) @ a / np.sqrt(network.width)
    return residual


class _Record(NamedTuple):
    """Measurements at consecutive steps, on the host, in float64."""

    loss: Float[np.ndarray, "steps"]
    residual: Float[np.ndarray, "steps n"]
    pattern_change: Float[np.ndarray, "steps"]
    max_distance: Float[np.ndarray, "steps"]
    mean_distance: Float[np.ndarray, "steps"]


def _draw(
    network: TwoLayerReLU,
    within: Span,
    y: Targets,
    seed: int,
    precision: Precision,
    mesh: Mesh | None = None,
    *,
    decay: float = 0.0,
) -> step.Problem:
    """Draw the start and lay the problem out."""
    dtype = jnp.dtype(precision)
    w, a = network.init(start_key(seed), dtype)
    basis = None if within.basis is None else jnp.asarray(within.basis, dtype)
    w, a = _in_span(w, a, basis)
    return step.prepare(within.x, y, w, a, mesh, decay)


@jax.jit
def _in_span(
    w: Float[jax.Array, "m d"], a: Float[jax.Array, "m"], basis: Float[jax.Array, "d r"] | None
) -> tuple[Float[jax.Array, "m r"], Float[jax.Array, "m"]]:
    """Hidden weights in the coordinates of the span, and the output weights of the signs."""
    scaled = a / np.sqrt(len(a)).astype(a.dtype)
    return w if basis is None else step.product(w, basis), scaled


def _test_rows(
    network: TwoLayerReLU,
    within: Span,
    z: Float[np.ndarray, "k d"],
    seed: int,
    precision: Precision,
) -> Callable[[Float[np.ndarray, "m r"]], Float[np.ndarray, "k"]]:
    """Return outputs on the rows z as a function of the weights in the span of the others.

    Outside of that span the weights stay as they were drawn, and act on z all the same.
    """
    w, a = (np.asarray(part) for part in network.init(start_key(seed), jnp.dtype(precision)))
    signs = a / np.sqrt(network.width).astype(w.dtype)
    inside, beyond = z.astype(w.dtype), np.zeros((), w.dtype)
    if within.basis is not None:
        inside = (z @ within.basis).astype(w.dtype)
        beyond = (z - (z @ within.basis) @ within.basis.T).astype(w.dtype) @ w.T

    def outputs(neurons: Float[np.ndarray, "m r"]) -> Float[np.ndarray, "k"]:
        return np.asarray(np.maximum(inside @ neurons.T + beyond, 0) @ signs, float)

    return outputs


def _begin(
    problem: step.Problem, resume: Checkpoint | None, mesh: Mesh | None
) -> tuple[step.State, list[_Record]]:
    """State and records at the start, or where a checkpoint was taken."""
    if resume is None:
        return step.at_rest(problem), []
    n, dtype = len(problem.y), problem.start.dtype
    parts = (jnp.array(part, dtype) for part in (resume.displacement, resume.momentum))
    record = _Record(*(getattr(resume, name) for name in _Record._fields))
    return step.State(*(step.tiled(part, n, mesh) for part in parts)), [record]


def _checkpoint(
    state: step.State, records: list[_Record], width: int, mesh: Mesh | None
) -> Checkpoint:
    joined = _join(records)
    displacement, momentum = (_neurons(part, width, mesh) for part in state)
    return Checkpoint(len(joined.loss), displacement, momentum, *joined)


def _neurons(
    tiles: Float[jax.Array, "tiles b r"], width: int, mesh: Mesh | None
) -> Float[np.ndarray, "m r"]:
    """Rows of the neurons on the host, without the padding."""
    return gathered(tiles, mesh).reshape(-1, tiles.shape[-1])[:width]


def _join(records: list[_Record]) -> _Record:
    return _Record(*(np.concatenate(parts) for parts in zip(*records, strict=True)))


def _on_host(buffers: step.Buffers, count: int, width: int, *, residual: bool) -> _Record:
    """Fetch `count` records; cut here, for on the device each count would be a program more."""
    vectors, changed, largest, total = (
        np.asarray(part.addressable_data(0))[:count].astype(np.float64) for part in buffers
    )
    with np.errstate(over="ignore"):
        loss = 0.5 * np.sum(vectors**2, axis=1)
    return _Record(
        loss,
        vectors if residual else vectors[:, :0].copy(),
        changed.sum(axis=1) / (vectors.shape[1] * width),
        largest.max(axis=1),
        total.sum(axis=1) / width,
    )


def _end(losses: Float[np.ndarray, "t"], first: float, target: float | None) -> int | None:
    """Index of the first loss that shows a divergence or is at the target; None if none does."""
    ends = ~(losses <= DIVERGED * first)
    if target is not None:
        ends |= losses <= target * first
    return int(np.argmax(ends)) if ends.any() else None


def _assemble(
    method: Recursion, records: list[_Record], target: float | None, *, record_residual: bool
) -> Trajectory:
    """Join the records; they end with the step that showed a divergence or reached the target."""
    joined = _join(records)
    first = joined.loss[0]
    last = _end(joined.loss, first, target)
    length = len(joined.loss) if last is None else last + 1
    diverged = not joined.loss[length - 1] <= DIVERGED * first
    return Trajectory(
        method,
        np.arange(length),
        joined.loss[:length],
        "diverged" if diverged else "finished",
        max_distance=joined.max_distance[:length],
        mean_distance=joined.mean_distance[:length],
        pattern_change=joined.pattern_change[:length],
        residual=joined.residual[:length] if record_residual else None,
    )
