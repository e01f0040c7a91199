"""The table of docs/benchmarks.md on whatever device JAX finds: ``python -m benchmarks.gpu``.

Under five minutes; ``--seconds 60`` takes fewer shapes.  Markdown on standard output, and with
``--json FILE`` the same rows, the device's name and JAX's version in a file.  Both sides of a ratio
run in turn on the same device; above 1, ours is faster.  Both multiply in full single precision
where a row says nothing else: left alone, JAX rounds factors to ten bits on a GPU.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.__main__ import METHOD, autodiff, products, seconds, sphere, stepper
from benchmarks.products import STEPS, answer, plain, problem
from benchmarks.products import ours as generic
from benchmarks.products import products as tangents
from inertial import TwoLayerReLU, train
from inertial.problem.devices import mesh_of
from inertial.simulation import step

SHAPES = [
    (360, 51, 2000), (1000, 784, 2000), (2000, 784, 20_000), (10_000, 784, 20_000),
    (10_000, 784, 100_000), (50_000, 3072, 100_000),
]  # fmt: skip
"""Shapes in order of their cost; those that would take too long are left out."""

PAIRS = 5

ALGORITHMS = ("TF32_TF32_F32_X3", "BF16_BF16_F32_X3", "BF16_BF16_F32_X6", "BF16_BF16_F32_X9")
"""Products of single precision from several of factors with fewer bits, as JAX names them."""

Row = dict[str, str | float]

Maker = Callable[[int, int, int, int], Callable[[], object]]
"""From n, d, m and the number of steps to what takes them."""


def paired(ours: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of ours, and of the other's over ours."""
    ours(), other()
    times = [(seconds(ours), seconds(other)) for _ in range(PAIRS)]
    return statistics.median(a for a, _ in times), statistics.median(b / a for a, b in times)


def multiplied(precision: str | None, make: Maker) -> Maker:
    """What `make` makes, with matrix products of that precision."""

    def made(n: int, d: int, m: int, steps: int) -> Callable[[], object]:
        with jax.default_matmul_precision(precision):
            work = make(n, d, m, steps)

        def run() -> object:
            with jax.default_matmul_precision(precision):
                return work()

        return run

    return made


def torch_autograd(n: int, d: int, m: int, steps: int) -> Callable[[], object]:
    """The step in PyTorch with its own optimiser, on the device that JAX uses."""
    import torch

    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    x, y = (torch.tensor(v, dtype=torch.float32, device=device) for v in sphere(n, d))
    w = torch.randn(m, d, requires_grad=True, device=device)
    a = torch.sign(torch.randn(m, device=device)) / m**0.5
    optimiser = torch.optim.SGD([w], lr=METHOD.eta, momentum=METHOD.beta, nesterov=True)

    def run() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            (0.5 * ((torch.relu(x @ w.T) @ a - y) ** 2).sum()).backward()
            optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def rows(most: float) -> Iterator[Row]:
    began = time.perf_counter()
    others = {
        "matrix products alone": multiplied("highest", products),
        "plain autodiff": multiplied("highest", autodiff),
    }
    if jax.default_backend() == "gpu":
        others["plain autodiff with factors of ten bits"] = multiplied(None, autodiff)
    try:
        import torch

        if torch.cuda.is_available() == (jax.default_backend() == "gpu"):
            others["PyTorch autograd"] = torch_autograd
    except ImportError:
        pass
    rate, exponents = 5e10, []
    for n, d, m in SHAPES:
        work = 4.0 * n * d * m
        if time.perf_counter() - began + 40 * work / rate > most:
            yield {"measured": f"n={n}, d={d}, m={m}", "figure": "left out: it would take too long"}
            continue
        count = min(step.CHUNK, max(1, int(2 * rate / work)))
        ours, what = stepper(n, d, m, count), f"n={n}, d={d}, m={m}"
        for name, other in others.items():
            try:
                taken, figure = paired(ours, other(n, d, m, count))
            except (RuntimeError, MemoryError) as error:
                yield {"measured": f"step rate / {name}, {what}", "figure": type(error).__name__}
                continue
            rate = count * work / taken
            yield {"measured": f"step rate / {name}, {what}", "figure": round(figure, 2)}
        yield {"measured": f"TFLOP/s of a step, {what}", "figure": round(rate / 1e12, 3)}
        exponents.append((work, taken / count))
    if len(exponents) > 2:
        flops, times = np.log(np.array(exponents)).T
        slope = float(np.polyfit(flops[1:], times[1:], 1)[0])
        yield {"measured": "growth of a step with n d m, exponent", "figure": round(slope, 2)}
    yield from memory_rows()
    yield from precision_rows()
    yield from split_rows()
    yield from algorithm_rows()
    yield from model_rows()
    if len(jax.devices()) > 1:
        yield from device_rows()


def precision_rows() -> Iterator[Row]:
    """How far single precision is from double after 100 steps."""
    x, y = sphere(500, 64)
    runs = [
        train(TwoLayerReLU(4000, 64), x, y, METHOD, seed=0, steps=100, precision=precision)
        for precision in ("float32", "float64")
    ]
    gap = float(np.abs(runs[0].loss / runs[1].loss - 1).max())
    what = "largest relative difference of the loss, single and double precision, 100 steps"
    yield {"measured": what, "figure": f"{gap:.1e}"}


def memory_rows(n: int = 10_000, d: int = 784, m: int = 20_000) -> Iterator[Row]:
    """What the compiled programs of a step hold on the device, ours and plain autodiff's."""

    def floats(*sizes: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sizes, jnp.float32)

    def plain(
        w: jax.Array, buffer: jax.Array, x: jax.Array, y: jax.Array, a: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        gradient = jax.grad(lambda v: 0.5 * jnp.sum((jnp.maximum(x @ v.T, 0) @ a - y) ** 2))(w)
        buffer = 0.9 * buffer + gradient
        return w - 1e-3 * (gradient + 0.9 * buffer), buffer

    tiles, neurons = step.layout(n, m)
    signs = jax.ShapeDtypeStruct((tiles, n, -(-neurons // 8)), jnp.uint8)
    laid = floats(tiles, neurons, d)
    problem = step.Problem(floats(n, d), floats(n), floats(tiles, neurons), laid, signs, floats(n))
    count = jax.ShapeDtypeStruct((), jnp.int32)
    programs = [
        step.advance.lower(problem, step.State(laid, laid), floats(step.CHUNK, 3), count),
        jax.jit(plain, donate_argnums=(0, 1)).lower(
            floats(m, d), floats(m, d), floats(n, d), floats(n), floats(m)
        ),
    ]
    needed = []
    for program in programs:
        found = program.compile().memory_analysis()
        held = found.argument_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
        needed.append(held + found.temp_size_in_bytes)
    ours, other = (round(size / 2**20) for size in needed)
    yield {
        "measured": f"memory of a step / plain autodiff, n={n}, d={d}, m={m}",
        "figure": f"{needed[0] / needed[1]:.2f} ({ours} MiB / {other} MiB)",
    }


def split_rows(n: int = 2000, d: int = 784, m: int = 8192) -> Iterator[Row]:
    """A step's two products from bfloat16 parts, against single precision, on 8-bit pixels.

    Pixels and masks are exact in bfloat16; weights, and residuals times pixels' rows, are split in
    parts of 8 bits each, whose products are added up in single precision.
    """
    rng = np.random.default_rng(0)
    pixels, w = rng.integers(0, 256, (n, d)), rng.standard_normal((m, d))
    masks, r = rng.integers(0, 2, (n, m)), rng.standard_normal(n)
    exact = [pixels.astype(float) @ w.T, masks.T.astype(float) @ (r[:, None] * pixels)]
    single = [jnp.asarray(v, jnp.float32) for v in (pixels, w, masks, r)]
    low = [jnp.asarray(v, jnp.bfloat16) for v in (pixels, masks)]

    @jax.jit
    def plain(
        x: jax.Array, w: jax.Array, masks: jax.Array, r: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        highest = jax.lax.Precision.HIGHEST
        forwards = jnp.matmul(x, w.T, precision=highest)
        return forwards, jnp.matmul((masks * r[:, None]).T, x, precision=highest)

    def parts_of(values: jax.Array, count: int) -> Iterator[jax.Array]:
        for _ in range(count):
            # A conversion there and back would be taken out by the compiler.
            rounded = jax.lax.reduce_precision(values, exponent_bits=8, mantissa_bits=7)
            yield rounded.astype(jnp.bfloat16)
            values = values - rounded

    def product(a: jax.Array, b: jax.Array, axis: int) -> jax.Array:
        axes = (((axis,), (axis,)), ((), ()))
        return jax.lax.dot_general(a, b, axes, preferred_element_type=jnp.float32)

    for count in (2, 3):

        @jax.jit
        def split(
            x: jax.Array, w: jax.Array, masks: jax.Array, r: jax.Array, count: int = count
        ) -> tuple[jax.Array, jax.Array]:
            forwards = sum(product(x, part, 1) for part in parts_of(w, count))
            rows = r[:, None] * x.astype(jnp.float32)
            return forwards, sum(product(masks, part, 0) for part in parts_of(rows, count))

        args = (low[0], single[1], low[1], single[3])
        _, rate = paired(lambda: split(*args), lambda: plain(*single))  # noqa: B023 - called at once
        what = f"n={n}, d={d}, m={m}"
        yield {
            "measured": f"both products from {count} bfloat16 parts / single precision, {what}",
            "figure": round(rate, 2),
        }
        both = (split(*args), plain(*single))
        errors = [
            max(
                float(np.abs(np.asarray(one, float) - true).max() / np.abs(true).max())
                for one, true in zip(found, exact, strict=True)
            )
            for found in both
        ]
        yield {
            "measured": f"largest error of the same / of single precision, {what}",
            "figure": f"{errors[0]:.1e} / {errors[1]:.1e}",
        }


def algorithm_rows(n: int = 2000, d: int = 784, m: int = 8192) -> Iterator[Row]:
    """A step's two products in the algorithms that the compiler offers, against full precision."""
    rng = np.random.default_rng(0)
    x, w, r = (rng.standard_normal(shape) for shape in ((n, d), (m, d), (n, 1)))
    masks = rng.integers(0, 2, (n, m))
    exact = [x @ w.T, (masks * r).T @ x]
    arrays = [jnp.asarray(v, jnp.float32) for v in (x, w, masks * r)]

    def both(precision: object) -> Callable[[], list[jax.Array]]:
        @jax.jit
        def pair(x: jax.Array, w: jax.Array, z: jax.Array) -> list[jax.Array]:
            times = partial(jnp.matmul, precision=precision)
            return [times(x, w.T), times(z.T, x)]

        return lambda: pair(*arrays)

    def error(found: list[jax.Array]) -> float:
        pairs = zip(found, exact, strict=True)
        return max(float(np.abs(one - true).max() / np.abs(true).max()) for one, true in pairs)

    full = both(jax.lax.Precision.HIGHEST)
    what = f"n={n}, d={d}, m={m}"
    yield {
        "measured": f"largest error of single precision, {what}",
        "figure": f"{error(full()):.1e}",
    }
    for name in ALGORITHMS:
        tried = both(jax.lax.DotAlgorithmPreset[name])
        try:
            _, rate = paired(tried, full)
        except (ValueError, RuntimeError) as reason:
            yield {"measured": f"both products by {name}", "figure": type(reason).__name__}
            continue
        figure = f"{rate:.2f} (error {error(tried()):.1e})"
        yield {"measured": f"both products by {name} / single precision, {what}", "figure": figure}


def model_rows(count: int = 10_000) -> Iterator[Row]:
    """The generic path on a model of one's own, multiplied as JAX does by default."""
    one = problem(count)
    step = plain(one)
    for what, run in (("a step", generic(one)), ("a product with J J'", tangents(one))):
        taken, figure = paired(run, step)
        measured = f"{what} / a plain step, MLP 784-512-512-10, {count:,} rows"
        yield {"measured": measured, "figure": f"{figure:.2f} ({1000 * taken / STEPS:.2f} ms)"}
    figure = round(answer(one), 1)
    yield {"measured": "seconds of 40 products and the answer, the same", "figure": figure}


def device_rows() -> Iterator[Row]:
    """All devices of this machine against one."""
    count = len(jax.local_devices())
    n, d, m = 10_000, 784, 20_000
    x, y = sphere(n, d)
    start, signs = TwoLayerReLU(m, d).init(jax.random.key(0))
    coefficients = step.device_coefficients(METHOD, 0, jnp.float32)

    def running(devices: int) -> Callable[[], object]:
        mesh = mesh_of(devices)
        problem = step.prepare(x, y, start, signs / m**0.5, mesh)
        state = step.at_rest(problem)

        def run() -> object:
            nonlocal state
            state, buffers = step.advance(problem, state, coefficients, 8, mesh=mesh)
            return buffers

        return run

    _, figure = paired(running(count), running(1))
    what = f"{count} devices / 1, n={n}, d={d}, m={m}"
    yield {"measured": what, "figure": round(figure, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=240.0, help="time it may take")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    device = jax.devices()[0]
    name = f"{len(jax.devices())} x {device.device_kind} ({device.platform})"
    print(f"{name}, {len(os.sched_getaffinity(0))} cores, jax {jax.__version__}\n")
    print("| measured | figure |\n|---|---|", flush=True)
    found = []
    for row in rows(arguments.seconds):
        found.append(row)
        print(f"| {row['measured']} | {row['figure']} |", flush=True)
    if arguments.json:
        document = {"device": name, "jax": jax.__version__, "rows": found}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
