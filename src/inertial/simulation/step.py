r"""One training step on the device: two matrix products, and everything else in passing.

The neurons pass in tiles, twice.  Forwards, each tile adds its share of the outputs and leaves one
sign bit a neuron and sample; backwards, the bits and the residual give the tile's whole gradient.
No n x m array of numbers is kept; where there is one tile only, its signs pass as they are.  The
update runs on all tiles at once, and in place: inside the
loop, one thread would copy its results into the array of the others.

On several devices each has an equal number of tiles; the n outputs of a step are all that is summed
over them.

The recursion of `inertial.method.recursion` runs in its one-buffer form.  With
:math:`\rho = \gamma / \beta` and :math:`p_t = w_t - w_{t-1} + \rho \eta g_{t-1}`,

.. math:: p_{t+1} = \beta_t p_t - (1 + \gamma_t - \rho) \eta g_t, \qquad
          w_{t+1} = w_t + p_{t+1} - \rho \eta g_t

is the same iteration, since :math:`\gamma_t = \rho \beta_t` wherever :math:`p_t` is not zero.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int, UInt8

from inertial._memory import make_room_for_programs
from inertial._types import Inputs, Targets
from inertial.method.recursion import Recursion
from inertial.problem.devices import AXIS, EVERYWHERE, PARTS, placed

Rows = TypeVar("Rows")
"""Arrays with a row for each sample."""

_TILE_NEURONS = (512, 4096)
"""Fewest neurons of a tile aimed at, and most; docs/benchmarks.md has the measurement behind it."""

_TILE_NEURONS_OF_BLOCKS = 2048
"""Fewest neurons of a tile aimed at whose rows pass in blocks; measured there, too."""

_TILE_ENTRIES = 2**23
"""Wanted number of entries, samples x neurons, of a tile."""

_BLOCK_ROWS = 2000
"""Most rows of a tile that pass at once on a CPU: what is between its products stays in cache."""

CHUNK = 64
"""Most steps that one call of `advance` takes."""

product = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
"""Product in the arithmetic of the arrays: GPUs would round the factors to ten bits otherwise."""


class Problem(NamedTuple):
    """What stays fixed along a run; neurons in tiles, padded with neurons of weight zero.

    `patterns` has the sign bits at the start, `residual` is the one there; `decay` is the rate of
    weight decay, None for none.
    """

    x: Float[Array, "n d"]
    y: Float[Array, "n"]
    output_weights: Float[Array, "tiles b"]
    start: Float[Array, "tiles b d"]
    patterns: UInt8[Array, "tiles n bytes"]
    residual: Float[Array, "n"]
    decay: Float[Array, ""] | None = None


class State(NamedTuple):
    """``w_t - w_0`` and the buffer ``p_t``.

    The displacement is kept instead of w_t: it is smaller by 1/sqrt(m), and keeps its digits.
    """

    displacement: Float[Array, "tiles b d"]
    momentum: Float[Array, "tiles b d"]


class Buffers(NamedTuple):
    """Measurements at consecutive steps; distances are the largest and the sum in each tile."""

    residual: Float[Array, "steps n"]
    changed: Int[Array, "steps tiles"]
    max_distance: Float[Array, "steps tiles"]
    sum_distance: Float[Array, "steps tiles"]


def layout(n: int, width: int, devices: int = 1) -> tuple[int, int]:
    """Return the number of equal tiles that the neurons pass in, and the neurons of one.

    The number is a multiple of that of the devices.
    """
    fewest, most = _TILE_NEURONS
    if rows_at_once(n) < n:
        fewest = min(most, _TILE_NEURONS_OF_BLOCKS)
    wanted = min(most, max(fewest, _TILE_ENTRIES // n))
    tiles = devices * -(-width // (wanted * devices))
    return tiles, -(-width // tiles)


def rows_at_once(n: int) -> int:
    """Return how many of n rows of a tile pass at once, at most.

    They do in blocks on CPUs alone, where it was measured.
    """
    return min(n, _BLOCK_ROWS) if jax.default_backend() == "cpu" else n


def tiled(values: Array, n: int, mesh: Mesh | None = None) -> Array:
    """Lay an array over the neurons out in the tiles of `layout`, on the devices of a mesh."""
    tiles, neurons = layout(n, len(values), 1 if mesh is None else mesh.size)
    return placed(_cut((values,), tiles, neurons)[0], mesh, PARTS)


@partial(jax.jit, static_argnums=(1, 2))
def _cut(arrays: tuple[Array, ...], tiles: int, neurons: int) -> tuple[Array, ...]:
    """Cut arrays into tiles, with zeros behind their ends."""

    def cut(values: Array) -> Array:
        width, *rest = values.shape
        padding = [(0, tiles * neurons - width), *((0, 0) for _ in rest)]
        return jnp.pad(values, padding).reshape(tiles, neurons, *rest)

    return tuple(map(cut, arrays))


def prepare(
    x: Inputs,
    y: Targets,
    start: Float[Array, "m d"],
    output_weights: Float[Array, "m"],
    mesh: Mesh | None = None,
    decay: float = 0.0,
) -> Problem:
    """Lay out a problem in the arithmetic of `start`, its neurons on the devices of a mesh."""
    n, dtype = len(x), start.dtype
    make_room_for_programs((*x.shape, *start.shape, str(dtype)))
    inputs, targets = (placed(part.astype(dtype), mesh, EVERYWHERE) for part in (x, y))
    sizes = layout(n, len(start), 1 if mesh is None else mesh.size)
    laid = _cut((output_weights, start), *sizes)
    weights, neurons = (placed(part, mesh, PARTS) for part in laid)
    residual, patterns = _begin(inputs, targets, weights, neurons, mesh)
    rate = placed(np.asarray(decay, dtype), mesh, EVERYWHERE) if decay else None
    return Problem(inputs, targets, weights, neurons, patterns, residual, rate)


def at_rest(problem: Problem) -> State:
    """Return the state at the start."""
    return State(jnp.zeros_like(problem.start), jnp.zeros_like(problem.start))


def device_coefficients(
    method: Recursion, first: int, dtype: jnp.dtype | type
) -> Float[np.ndarray, "steps 3"]:
    r"""``(1 - beta_t, (1 + gamma_t) eta_t - c_t, c_t)`` for the next steps, rounded once.

    With the buffer :math:`p_{t+1} = \beta_t p_t - d_t g_t` and :math:`w_{t+1} = w_t + p_{t+1} - c_t
    g_t`, the recursion asks for :math:`c_t = \gamma_{t+1} \eta_t / \beta_{t+1}` and :math:`d_t +
    c_t = (1 + \gamma_t) \eta_t`.  Momentum comes as its distance from 1, which single
    precision would round away.
    """
    count = CHUNK + 1 if method.steps is None else min(CHUNK + 1, method.steps - first)
    eta, beta, gamma = method.coefficients(first, count)
    ratio = np.divide(gamma, beta, out=np.zeros(count), where=beta > 0)
    # After a schedule's last entry the buffer is of no use any more.
    ratio = np.append(ratio[1:], ratio[-1:])
    coefficients = np.stack([1 - beta, (1 + gamma - ratio) * eta, ratio * eta], axis=1)[:CHUNK]
    padded = np.pad(coefficients, [(0, CHUNK - len(coefficients)), (0, 0)])
    return padded.astype(dtype)


@partial(jax.jit, donate_argnames="state", static_argnames="mesh")
def advance(
    problem: Problem,
    state: State,
    coefficients: Float[Array, "steps 3"],
    count: int | Int[Array, ""],
    rows: Int[Array, "steps batch"] | None = None,
    mesh: Mesh | None = None,
) -> tuple[State, Buffers]:
    """Take `count` steps; one compilation serves every count up to the chunk.

    With `rows`, the gradient of each step is that of its rows, times n over their number; what is
    measured belongs to all rows.  With a mesh, the one of `prepare`, each device takes the steps of
    its own neurons.
    """
    if mesh is None:
        return _advance(problem, state, coefficients, count, rows, shared=False)
    parts = Problem._make([EVERYWHERE, EVERYWHERE, PARTS, PARTS, PARTS, EVERYWHERE, EVERYWHERE])
    spread = jax.shard_map(
        partial(_advance, shared=True),
        mesh=mesh,
        in_specs=(parts, PARTS, EVERYWHERE, EVERYWHERE, EVERYWHERE),
        out_specs=(PARTS, EVERYWHERE),
        check_vma=False,
    )
    moved: tuple[State, Buffers] = spread(problem, state, coefficients, count, rows)
    return moved


def _advance(
    problem: Problem,
    state: State,
    coefficients: Float[Array, "steps 3"],
    count: int | Int[Array, ""],
    rows: Int[Array, "steps batch"] | None,
    *,
    shared: bool,
) -> tuple[State, Buffers]:
    """Take the steps of one device's neurons."""
    take = partial(_step, shared=shared)
    first = None if rows is None else rows[0]
    shapes = jax.eval_shape(take, problem, state, coefficients[0], first)[1]
    buffers = jax.tree.map(lambda s: jnp.zeros((len(coefficients), *s.shape), s.dtype), shapes)

    def body(i: Array, carry: tuple[State, Buffers]) -> tuple[State, Buffers]:
        state, buffers = carry
        chosen = None if rows is None else rows[i]
        state, measured = take(problem, state, coefficients[i], chosen)
        return state, jax.tree.map(lambda b, value: b.at[i].set(value), buffers, measured)

    moved, measured = jax.lax.fori_loop(0, count, body, (state, buffers))
    if shared:  # tiles of all devices, once for all steps
        residual, *tiles = measured
        whole = (jax.lax.all_gather(part, AXIS, axis=1, tiled=True) for part in tiles)
        measured = Buffers(residual, *whole)
    return moved, measured


def _step(
    problem: Problem,
    state: State,
    coefficients: Float[Array, "3"],
    rows: Int[Array, "batch"] | None,
    *,
    shared: bool,
) -> tuple[State, Buffers]:
    """Measure at ``w_t`` and update."""
    residual, patterns, *distances, signs = _forwards(
        *problem[:4], state.displacement, shared=shared
    )
    damping, drive, correction = coefficients
    x, error = problem.x, residual
    if rows is not None:
        x, error = x[rows], residual[rows] * (len(x) / len(rows))

    def backwards(_: None, tile: tuple[Array, ...]) -> tuple[None, tuple[Array, Array]]:
        weights, pattern, start = tile
        marks = pattern if signs is None else signs

        def pulled(marks: Array, error: Array, x: Array) -> Array:
            active = marks
            if signs is None:
                active = jnp.unpackbits(marks, axis=1, count=len(weights)).astype(bool)
            return product(jnp.where(active, error[:, None], 0).T, x)

        gradient = _summed(pulled, marks if rows is None else marks[rows], error, x)
        changed = jnp.sum(jnp.bitwise_count(pattern ^ start), dtype=jnp.int32)
        return None, (gradient * weights[:, None], changed)

    tiles = (problem.output_weights, patterns, problem.patterns)
    _, (gradient, changed) = jax.lax.scan(backwards, None, tiles)
    if problem.decay is not None:
        gradient = gradient + problem.decay * (problem.start + state.displacement)
    momentum = state.momentum - damping * state.momentum - drive * gradient
    moved = State(state.displacement + momentum - correction * gradient, momentum)
    return moved, Buffers(residual, changed, *distances)


@partial(jax.jit, static_argnames="mesh")
def _begin(
    x: Float[Array, "n d"],
    y: Float[Array, "n"],
    output_weights: Float[Array, "tiles b"],
    start: Float[Array, "tiles b d"],
    mesh: Mesh | None,
) -> tuple[Float[Array, "n"], UInt8[Array, "tiles n bytes"]]:
    """Residual and patterns at the start."""

    def forwards(*problem: Array) -> tuple[Array, Array]:
        return _forwards(*problem, shared=mesh is not None)[:2]

    if mesh is not None:
        forwards = jax.shard_map(
            forwards,
            mesh=mesh,
            in_specs=(EVERYWHERE, EVERYWHERE, PARTS, PARTS, PARTS),
            out_specs=(EVERYWHERE, PARTS),
            check_vma=False,
        )
    residual, patterns = forwards(x, y, output_weights, start, jnp.zeros_like(start))
    return residual, patterns


def _forwards(
    x: Float[Array, "n d"],
    y: Float[Array, "n"],
    output_weights: Float[Array, "tiles b"],
    start: Float[Array, "tiles b d"],
    displacement: Float[Array, "tiles b d"],
    *,
    shared: bool,
) -> tuple[
    Float[Array, "n"],
    UInt8[Array, "tiles n bytes"],
    Float[Array, "tiles"],
    Float[Array, "tiles"],
    Bool[Array, "n b"] | None,
]:
    """Residuals; where the neurons are active; largest and summed distances of each tile.

    Last, where the neurons of a single tile are active, not as bits.
    """
    Tile = tuple[Array, Array, Array, Array | None]
    single = len(output_weights) == 1

    def add(residual: Array, tile: tuple[Array, Array, Array]) -> tuple[Array, Tile]:
        weights, start, displacement = tile
        neurons = (start + displacement).T

        def passed(x: Array) -> tuple[Array, Array, Array | None]:
            preactivation = product(x, neurons)
            outputs = product(jnp.maximum(preactivation, 0), weights)
            active = preactivation >= 0
            return outputs, jnp.packbits(active, axis=1), active if single else None

        outputs, patterns, kept = _joined(passed, x)
        distance = jnp.linalg.norm(displacement, axis=1)
        return residual + outputs, (patterns, distance.max(), distance.sum(), kept)

    begin = jnp.where(jax.lax.axis_index(AXIS) == 0, -y, 0) if shared else -y
    tiles = (output_weights, start, displacement)
    residual, (patterns, largest, total, kept) = jax.lax.scan(add, begin, tiles)
    if shared:
        residual = jax.lax.psum(residual, AXIS)  # type: ignore[no-untyped-call]
    return residual, patterns, largest, total, None if kept is None else kept[0]


def _blocks(*arrays: Array) -> tuple[tuple[Array, ...], tuple[Array, ...] | None]:
    """Cut rows into equal blocks of at most `rows_at_once`, and the few that are left, if any."""
    n = len(arrays[0])
    count = -(-n // max(1, rows_at_once(n)))
    size = n // max(1, count)
    whole = count * size
    equal = tuple(a[:whole].reshape(count, size, *a.shape[1:]) for a in arrays)
    return equal, tuple(a[whole:] for a in arrays) if whole < n else None


def _joined(function: Callable[[Array], Rows], x: Array) -> Rows:
    """Return a function of the rows, which pass in blocks."""
    (equal,), rest = _blocks(x)
    if len(equal) == 1:
        return function(equal[0])
    found: Rows
    found = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), jax.lax.map(function, equal))
    if rest is not None:
        found = jax.tree.map(lambda *parts: jnp.concatenate(parts), found, function(*rest))
    return found


def _summed(function: Callable[..., Array], *arrays: Array) -> Array:
    """Return the sum of a function of the rows over the blocks that they pass in."""
    equal, rest = _blocks(*arrays)
    first = tuple(part[0] for part in equal)
    if len(equal[0]) == 1:
        return function(*first)
    shape = jax.eval_shape(function, *first)
    nothing = jnp.zeros(shape.shape, shape.dtype)
    total: Array
    total, _ = jax.lax.scan(lambda sum_, block: (sum_ + function(*block), None), nothing, equal)
    return total if rest is None else total + function(*rest)
