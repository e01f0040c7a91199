r"""Run a method on the finite network, full batch.

A step is two matrix products of ``2 n d m`` operations each.  The samples pass in blocks, because a
sample's gradient needs only its own residual: no n x m array is kept.  Where the inputs span only
r < d dimensions, training runs in their span: with an orthonormal basis Q of the rows, ``W Q`` and
``X Q`` give the same outputs, gradients and distances, since W never leaves ``W_0 + span``.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float, Int, UInt8

from inertial._checks import one_of, whole
from inertial._types import Inputs, Targets
from inertial.dynamics.method import Method
from inertial.dynamics.trajectory import Trajectory
from inertial.problem.network import Network

Precision = Literal["float32", "float64"]

_BLOCK_ROWS = 1024
"""Rows of a block; docs/benchmarks.md has the measurement behind it."""

_BLOCK_ENTRIES = 2**25
"""Largest rows x neurons block, so that very wide networks take fewer rows at once."""

_CHUNK = 64
"""Most steps between two looks from Python: at progress, divergence and Ctrl-C."""

_LOOK_SECONDS = 0.5
"""Wanted time between two looks."""

DIVERGED = 1e9
"""A loss this many times the first counts as divergence.

Stable heavy ball at a double root first grows by 0.135 times the condition number, when all of the
loss is in the largest mode; real kernels reach condition numbers of 1e7.
"""

_WORTH = 0.9
"""Train in the inputs' span if its dimension is below this share of d."""


@dataclass(frozen=True)
class Span:
    """Inputs in coordinates of their own span, or as they are where that saves nothing.

    `x` has shape (n, r), `basis` (d, r) with orthonormal columns, or is None when r = d.
    """

    x: Float[np.ndarray, "n r"]
    basis: Float[np.ndarray, "d r"] | None


def span(x: Inputs) -> Span:
    """Coordinates of the inputs in an orthonormal basis of their rows, if that is worth it.

    The rank counts the singular values above the rounding of the largest one (float64).
    """
    _, values, rows = scipy.linalg.svd(x, full_matrices=False, check_finite=False)
    rank = int(np.sum(values > max(x.shape) * np.finfo(np.float64).eps * values[0]))
    if rank >= _WORTH * x.shape[1]:
        return Span(x, None)
    basis = np.ascontiguousarray(rows[:rank].T)
    return Span(x @ basis, basis)


def layout(n: int, width: int) -> tuple[int, int]:
    """Return the number of equal blocks that n samples pass in, and the rows of one."""
    most = min(n, _BLOCK_ROWS, max(64, _BLOCK_ENTRIES // width))
    blocks = -(-n // most)
    return blocks, -(-n // blocks)


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on, bit for bit: the state before `step` and the records up to it.

    `displacement`, `last_step` and `gradient` are ``w_t - w_0``, ``w_t - w_{t-1}`` and ``g_{t-1}``
    in the coordinates of the inputs' span, which must be the same when the run goes on; `residual`
    has no columns unless residuals are recorded.
    """

    step: int
    displacement: Float[np.ndarray, "m r"]
    last_step: Float[np.ndarray, "m r"]
    gradient: Float[np.ndarray, "m r"]
    loss: Float[np.ndarray, "t"]
    residual: Float[np.ndarray, "t k"]
    pattern_change: Float[np.ndarray, "t"]
    max_distance: Float[np.ndarray, "t"]
    mean_distance: Float[np.ndarray, "t"]


def train(
    network: Network,
    x: Inputs,
    y: Targets,
    method: Method,
    *,
    seed: int,
    steps: int,
    precision: Precision = "float32",
    record_residual: bool = False,
    within: Span | None = None,
    progress: Callable[[int], None] | None = None,
    snapshots: Collection[int] = (),
    observe: Callable[[int, Float[np.ndarray, "m r"]], None] | None = None,
    resume: Checkpoint | None = None,
    save: Callable[[Checkpoint], None] | None = None,
    save_seconds: float = 30.0,
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
    progress
        Called with the number of steps just done, every half second or so.
    snapshots, observe
        Steps t at which `observe` is called with t and the weights ``w_t``, in the coordinates of
        the inputs' span.
    resume
        Where an interrupted run with the same arguments goes on; the result has the same bits.
    save, save_seconds
        Called with a checkpoint whenever this many seconds have passed since the last one.

    Returns
    -------
    Trajectory
        Loss, distances and pattern changes; ends early with status `diverged` if the loss does.

    Raises
    ------
    InvalidInput
        If `steps` is not a whole number of at least 1 or `precision` is unknown.

    """
    whole("steps", steps)
    one_of("precision", precision, ("float32", "float64"))
    n = x.shape[0]
    with jax.enable_x64(precision == "float64"):
        problem = _prepare(network, within or span(x), y, seed, precision)
        state, records = _begin(problem, resume)
        done = len(records[0].loss) if records else 0
        threshold = DIVERGED * records[0].loss[0] if records else np.inf
        count, saved = 1, time.monotonic()
        while done <= steps:
            if observe is not None and done in snapshots:
                observe(done, np.asarray(problem.start + state.displacement))
            count = min([count, *(t - done for t in snapshots if t > done)])
            began = time.perf_counter()
            coefficients = _device_coefficients(method, done, problem.start.dtype)
            state, buffers = _advance(problem, state, coefficients, count)
            records.append(_on_host(buffers, count, n, network.width, residual=record_residual))
            if done == 0:
                threshold = DIVERGED * records[0].loss[0]
            if progress is not None:
                progress(count)
            if not (records[-1].loss <= threshold).all():
                break
            done += count
            elapsed = max(time.perf_counter() - began, 1e-9)
            count = min(max(1, int(count * _LOOK_SECONDS / elapsed)), 2 * count, _CHUNK)
            count = min(count, steps + 1 - done)
            if save is not None and done <= steps and time.monotonic() - saved >= save_seconds:
                save(_checkpoint(state, records))
                saved = time.monotonic()
    return _assemble(method, records, threshold, record_residual=record_residual)


def initial_residual(
    network: Network, x: Inputs, y: Targets, *, seed: int, within: Span | None = None
) -> Targets:
    """``f(w_0) - y`` of the network that `train` starts from with `seed`, shape (n,), float64."""
    with jax.enable_x64(True):
        problem = _prepare(network, within or span(x), y, seed, "float64")
        return np.asarray(_measure(problem, problem.start)[0]).reshape(-1)[: x.shape[0]]


class _Problem(NamedTuple):
    """What stays fixed along a run; samples in blocks, padded with zero rows."""

    x: Float[Array, "blocks b d"]
    y: Float[Array, "blocks b"]
    output_weights: Float[Array, "m"]
    start: Float[Array, "m d"]
    patterns: UInt8[Array, "blocks b bytes"]


class _State(NamedTuple):
    """``w_t - w_0``, ``w_t - w_{t-1}`` and ``g_{t-1}``.

    The displacement is kept instead of w_t: it is smaller by 1/sqrt(m), and keeps its digits.
    """

    displacement: Float[Array, "m d"]
    step: Float[Array, "m d"]
    gradient: Float[Array, "m d"]


class _Buffers(NamedTuple):
    """Measurements at consecutive steps, on the device."""

    residual: Float[Array, "steps blocks b"]
    changed: Int[Array, "steps blocks"]
    max_distance: Float[Array, "steps"]
    mean_distance: Float[Array, "steps"]


class _Record(NamedTuple):
    """The same on the host, in float64."""

    loss: Float[np.ndarray, "steps"]
    residual: Float[np.ndarray, "steps n"]
    pattern_change: Float[np.ndarray, "steps"]
    max_distance: Float[np.ndarray, "steps"]
    mean_distance: Float[np.ndarray, "steps"]


def _prepare(
    network: Network, within: Span, y: Targets, seed: int, precision: Precision
) -> _Problem:
    """Lay the samples out in equal blocks and draw the start."""
    n, inputs = within.x.shape
    blocks, rows = layout(n, network.width)
    padded = np.zeros((blocks * rows, inputs))
    padded[:n] = within.x
    targets = np.zeros(blocks * rows)
    targets[:n] = y
    dtype = jnp.dtype(precision)
    w, a = network.init(jax.random.key(seed), dtype)
    if within.basis is not None:
        w = w @ jnp.asarray(within.basis, dtype)
    problem = _Problem(
        jnp.asarray(padded.reshape(blocks, rows, inputs), dtype),
        jnp.asarray(targets.reshape(blocks, rows), dtype),
        a / np.sqrt(network.width).astype(dtype),
        w,
        jnp.zeros((blocks, rows, -(-network.width // 8)), jnp.uint8),
    )
    return problem._replace(patterns=_measure(problem, w)[1])


def _begin(problem: _Problem, resume: Checkpoint | None) -> tuple[_State, list[_Record]]:
    """State and records at the start, or where a checkpoint was taken."""
    if resume is None:
        return _State(*(jnp.zeros_like(problem.start) for _ in _State._fields)), []
    state = (resume.displacement, resume.last_step, resume.gradient)
    record = _Record(*(getattr(resume, name) for name in _Record._fields))
    return _State(*(jnp.array(part, problem.start.dtype) for part in state)), [record]


def _checkpoint(state: _State, records: list[_Record]) -> Checkpoint:
    joined = _join(records)
    displacement, step, gradient = (np.array(part) for part in state)
    return Checkpoint(len(joined.loss), displacement, step, gradient, *joined)


def _join(records: list[_Record]) -> _Record:
    return _Record(*(np.concatenate(parts) for parts in zip(*records, strict=True)))


def _device_coefficients(method: Method, first: int, dtype: jnp.dtype) -> Float[Array, "steps 3"]:
    """``(1 - beta_t, eta, gamma_t eta)`` for the next steps, rounded once.

    Momentum comes as its distance from 1, which single precision would round away.
    """
    beta, gamma = method.coefficients(first, _CHUNK)
    eta = np.full(_CHUNK, method.eta)
    return jnp.asarray(np.stack([1 - beta, eta, gamma * eta], axis=1), dtype)


def _block(
    problem: _Problem, w: Float[Array, "m d"], x: Float[Array, "b d"], y: Float[Array, "b"]
) -> tuple[Float[Array, "b"], Array]:
    """Residuals of one block of samples, and which neurons are active on each."""
    preactivation = x @ w.T
    residual = jnp.maximum(preactivation, 0) @ problem.output_weights - y
    return residual, preactivation >= 0


@jax.jit
def _measure(
    problem: _Problem, w: Float[Array, "m d"]
) -> tuple[Float[Array, "blocks b"], UInt8[Array, "blocks b bytes"]]:
    """Residuals and activation patterns, one bit a neuron."""

    def block(_: None, samples: tuple[Array, Array]) -> tuple[None, tuple[Array, Array]]:
        residual, active = _block(problem, w, *samples)
        return None, (residual, jnp.packbits(active, axis=1))

    return jax.lax.scan(block, None, (problem.x, problem.y))[1]


def _step(
    problem: _Problem, state: _State, coefficients: Float[Array, "3"]
) -> tuple[_State, _Buffers]:
    """Measure at ``w_t`` and update: the recursion of `inertial.dynamics.method`."""
    w = problem.start + state.displacement

    def block(
        gradient: Array, samples: tuple[Array, Array, Array]
    ) -> tuple[Array, tuple[Array, Array]]:
        x, y, start = samples
        residual, active = _block(problem, w, x, y)
        gradient += jnp.where(active, residual[:, None], 0).T @ x
        changed = jnp.bitwise_count(jnp.packbits(active, axis=1) ^ start)
        return gradient, (residual, jnp.sum(changed, dtype=jnp.int32))

    gradient, (residual, changed) = jax.lax.scan(
        block, jnp.zeros_like(w), (problem.x, problem.y, problem.patterns)
    )
    gradient *= problem.output_weights[:, None]
    distance = jnp.linalg.norm(state.displacement, axis=1)
    damping, eta, correction = coefficients
    step = (
        state.step
        - damping * state.step
        - eta * gradient
        - correction * (gradient - state.gradient)
    )
    measured = _Buffers(residual, changed, distance.max(), distance.mean())
    return _State(state.displacement + step, step, gradient), measured


@partial(jax.jit, donate_argnames="state")
def _advance(
    problem: _Problem,
    state: _State,
    coefficients: Float[Array, "steps 3"],
    count: int | Int[Array, ""],
) -> tuple[_State, _Buffers]:
    """Take `count` steps; one compilation serves every count up to the chunk."""
    shapes = jax.eval_shape(_step, problem, state, coefficients[0])[1]
    buffers = jax.tree.map(lambda s: jnp.zeros((len(coefficients), *s.shape), s.dtype), shapes)

    def body(i: Array, carry: tuple[_State, _Buffers]) -> tuple[_State, _Buffers]:
        state, buffers = carry
        state, measured = _step(problem, state, coefficients[i])
        return state, jax.tree.map(lambda b, value: b.at[i].set(value), buffers, measured)

    final: tuple[_State, _Buffers] = jax.lax.fori_loop(0, count, body, (state, buffers))
    return final


def _on_host(buffers: _Buffers, count: int, n: int, width: int, *, residual: bool) -> _Record:
    vectors = np.asarray(buffers.residual[:count], np.float64).reshape(count, -1)[:, :n]
    changed = np.asarray(buffers.changed[:count], np.float64).sum(axis=1)
    with np.errstate(over="ignore"):
        loss = 0.5 * np.sum(vectors**2, axis=1)
    return _Record(
        loss,
        vectors if residual else vectors[:, :0].copy(),
        changed / (n * width),
        np.asarray(buffers.max_distance[:count], np.float64),
        np.asarray(buffers.mean_distance[:count], np.float64),
    )


def _assemble(
    method: Method, records: list[_Record], threshold: float, *, record_residual: bool
) -> Trajectory:
    """Join the records; after a divergence they end with the step that showed it."""
    joined = _join(records)
    beyond = np.flatnonzero(~(joined.loss <= threshold))
    length = int(beyond[0]) + 1 if beyond.size else len(joined.loss)
    return Trajectory(
        method,
        np.arange(length),
        joined.loss[:length],
        "diverged" if beyond.size else "finished",
        max_distance=joined.max_distance[:length],
        mean_distance=joined.mean_distance[:length],
        pattern_change=joined.pattern_change[:length],
        residual=joined.residual[:length] if record_residual else None,
    )
