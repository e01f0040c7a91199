"""How cost grows with n, m and d: ``python -m benchmarks.growth [step|measure|tiles]``.

About two minutes in all.  Exponents are fitted to the fastest of three looks at every size, largest
sizes first, where fixed costs no longer count.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import scipy.linalg

from benchmarks.__main__ import seconds, sphere, stepper
from inertial import extremes, infinite_gram
from inertial.linear.kernel import TiledKernel
from inertial.linear.lanczos import lanczos

Row = tuple[str, str, str]


def fitted(sizes: list[int], work: Callable[[int], Callable[[], object]]) -> float:
    """Exponent of the time over the size."""
    times = []
    for size in sizes:
        run = work(size)
        run()
        times.append(min(seconds(run) for _ in range(3)))
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def row(what: str, sizes: list[int], theory: float, work: Callable[[int], Callable]) -> Row:
    figure = fitted(sizes, work)
    bar = f"{theory - 0.1:.1f} to {theory + 0.1:.1f}"
    return f"{what}, exponent over {sizes}", f"{figure:.2f}", bar


def step_rows() -> Iterator[Row]:
    """A step takes 4 n d m operations."""
    yield row("step with n", [1000, 2000, 4000], 1, lambda n: stepper(n, 784, 4096, 2))
    yield row("step with d", [400, 800, 1600], 1, lambda d: stepper(2000, d, 4096, 2))
    yield row("step with m", [4096, 8192, 16384], 1, lambda m: stepper(2000, 784, m, 2))


def measure_rows() -> Iterator[Row]:
    """Lanczos takes n^2 operations a step, a factorisation n^3 / 3."""
    sizes = [2000, 4000, 8000]
    grams = {n: infinite_gram(sphere(n, 100)[0]) for n in sizes}

    def nodes(n: int) -> Callable[[], object]:
        start = np.ones(n)
        return lambda: lanczos(lambda v: grams[n] @ v, start, 80).diagonal

    def cholesky(n: int) -> Callable[[], object]:
        return lambda: scipy.linalg.cho_factor(grams[n], lower=True, check_finite=False)[0]

    yield row("measure with 80 nodes, with n", sizes, 2, nodes)
    yield row("one Cholesky factorisation, with n", sizes, 3, cholesky)
    ratios = [
        statistics.median(seconds(partial(extremes, grams[n])) / seconds(cholesky(n)) for _ in "ab")
        for n in sizes
    ]
    for n, ratio in zip(sizes, ratios, strict=True):
        yield f"extreme eigenvalues / one Cholesky, sphere, n={n}", f"{ratio:.2f}", "no bar"


def tile_rows() -> Iterator[Row]:
    """A pass over the tiles takes n^2 (d / 2 + const) operations."""

    def passing(n: int, d: int) -> Callable[[], object]:
        kernel, block = TiledKernel(sphere(n, d)[0], "float32"), np.ones((n, 32))
        return lambda: kernel.product(block)

    yield row("tiled product with n", [2000, 4000, 8000], 2, lambda n: passing(n, 100))
    sizes = [800, 1600, 3200]
    figure = fitted(sizes, lambda d: passing(3000, d))
    yield f"tiled product with d, exponent over {sizes}", f"{figure:.2f}", "below 1: constant part"


TOPICS = {"step": step_rows, "measure": measure_rows, "tiles": tile_rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TOPICS, []])
    print("| measured | figure | bar |\n|---|---|---|", flush=True)
    for name in parser.parse_args().names or TOPICS:
        for found in TOPICS[name]():
            print(f"| {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
