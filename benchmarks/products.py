"""Cost of the generic path: products with J J', and steps, against plain jitted autodiff.

``python -m benchmarks.products [ROWS]`` (10,000 if absent): an MLP 784-512-512-10 under the mean
square, and the papers' network through JVP, VJP and automatic differentiation.  Times are medians
of ratios within one run; peaks of memory are those of processes of their own, less what imports
take.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import memory
from benchmarks.__main__ import ratio
from inertial import MLP, Problem, TwoLayerReLU, nesterov, tangent, tune

STEPS = 4
"""Steps or products that are timed at once."""


def problem(rows: int, *, papers: bool = False) -> Problem:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 784)).astype(np.float32) / 28
    if papers:
        model = TwoLayerReLU(2000, 784)
        start = model.init(jax.random.key(0, impl="threefry2x32"))
        return Problem.from_apply(
            model.apply, start, x, np.ones(rows), loss="half_sum", trainable=TwoLayerReLU.trainable
        )
    return Problem(MLP(784, (512, 512), 10), "mse", x, rng.standard_normal((rows, 10)))


def plain(one: Problem) -> Callable[[], object]:
    """A jitted step of Nesterov's method by automatic differentiation, and nothing else."""

    @jax.jit
    def step(w: list, buffer: list) -> tuple[list, list]:
        gradient = jax.grad(one.objective)(w, one.x, one.targets)
        buffer = [0.9 * b + g for b, g in zip(buffer, gradient, strict=True)]
        w = [a - 1e-6 * (g + 0.9 * b) for a, g, b in zip(w, gradient, buffer, strict=True)]
        return w, buffer

    state = one.begin().w, [jnp.zeros_like(w) for w in one.begin().w]

    def run() -> object:
        carry = state
        for _ in range(STEPS):
            carry = step(*carry)
        return carry

    return run


def ours(one: Problem) -> Callable[[], object]:
    """The same steps by the package."""
    coefficients = nesterov(1e-6, 0.9).coefficients(0, STEPS)
    return lambda: one.advance(one.begin(), *coefficients)[0].w


def products(one: Problem) -> Callable[[], object]:
    operator = tangent(one)
    return lambda: [operator.product(operator.start) for _ in range(STEPS)]


def answer(one: Problem) -> float:
    """Seconds of 40 products and the forecast's advice for half of the loss at the start."""
    began = time.perf_counter()
    tangent(one).lanczos(40)
    tune(one, target=0.5, trials=0)
    return time.perf_counter() - began


WORK = {"step": plain, "product": products, "ours": ours}


def peak(what: str, rows: int, *, papers: bool) -> int:
    """Bytes that the work takes at its peak, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.products", "--peak", what, str(rows), str(papers)]
    return int(json.loads(subprocess.run(words, check=True, capture_output=True).stdout))


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--peak"]:
        what, rows, papers = words[1], int(words[2]), words[3] == "True"
        jax.block_until_ready(WORK[what](problem(16, papers=papers))())
        before = memory.peak_kilobytes()
        jax.block_until_ready(WORK[what](problem(rows, papers=papers))())
        print(1024 * (memory.peak_kilobytes() - before))
        return
    rows = int(words[0]) if words else 10_000
    print("| measured | figure | bar |\n|---|---|---|")
    for papers, name in ((False, "MLP 784-512-512-10"), (True, "papers' network, 2,000 neurons")):
        one = problem(rows, papers=papers)
        step = plain(one)
        took = 1 / ratio(products(one), step)
        print(f"| {name}, {rows:,} rows: time of a product / a step | {took:.2f} | ≤ 1.5 |")
        print(f"| {name}: time of our step / plain | {1 / ratio(ours(one), step):.2f} | ≤ 1.3 |")
        least = peak("step", rows, papers=papers)
        for what, bar in (("product", "≤ 2"), ("ours", "no bar")):
            share = peak(what, rows, papers=papers) / least
            print(f"| {name}: memory of {what} / a step | {share:.2f} | {bar} |")
        if not papers:
            print(f"| {name}: 40 products and the answer, s | {answer(one):.0f} | ≤ 120 |")


if __name__ == "__main__":
    main()
