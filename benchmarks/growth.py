r"""How cost grows with n, m and d: ``python -m benchmarks.growth [TOPIC...] [--figure FILE]``.

Some five minutes in all, on one core and in CPU seconds, which other work on the machine touches
least.  Looks go round over the sizes, so that a slow minute touches all of them alike; the fastest
at every size counts, and

.. math:: t(s) = b s^p

is fitted to them by least squares of logarithms.  A constant part beside it soaks up the exponent:
with one, quiet runs of the same code differed by 0.2.  Ranges are chosen by time over work: they
begin where what grows slower no longer counts, and end before that jumps, as at a size that leaves
the processor's cache.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from benchmarks.__main__ import cho_factor, sphere, stepper
from inertial import infinite_gram
from inertial.linear.kernel import TILE, TiledKernel
from inertial.linear.lanczos import lanczos, product_with
from inertial.runs.style import house_style

LOOKS = 7
"""Looks at every size."""


class Growth(NamedTuple):
    """Times at sizes of something; theory's exponent, and whether the code is ours."""

    what: str
    size: str
    theory: int
    sizes: list[int]
    times: list[float]
    ours: bool = True

    def fit(self) -> tuple[float, float]:
        """Return the factor and the exponent: b, p of ``b s^p``, sizes over the largest."""
        sizes = np.array(self.sizes) / self.sizes[-1]
        power, factor = np.polyfit(np.log(sizes), np.log(self.times), 1)
        return float(np.exp(factor)), float(power)

    def row(self) -> tuple[str, str, str]:
        return (
            f"{self.what} with {self.size}, exponent over {', '.join(map(str, self.sizes))}",
            f"{self.fit()[1]:.2f}",
            f"{self.theory - 0.1:.1f} to {self.theory + 0.1:.1f}" if self.ours else "LAPACK's own",
        )


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of all threads of this process."""
    began = time.process_time()
    jax.block_until_ready(work())
    return time.process_time() - began


def grown(
    what: str, size: str, theory: int, sizes: list[int], work: Callable[[int], Callable]
) -> Growth:
    runs = [work(one) for one in sizes]
    rounds = [[seconds(run) for run in runs] for _ in range(1 + LOOKS)]  # the first one compiles
    return Growth(what, size, theory, sizes, np.min(rounds[1:], axis=0).tolist())


def steps() -> Iterator[Growth]:
    """A step takes 4 n d m operations, and some on each of the n m outputs of neurons."""
    sizes = [2000, 4000, 6000, 8000, 12000, 16000]
    yield grown("step", "n", 1, sizes, lambda n: stepper(n, 784, 2048, 1))
    sizes = [2400, 3200, 4000, 4800, 6000, 7200]  # a tile's weights have left the cache
    yield grown("step", "d", 1, sizes, lambda d: stepper(1000, d, 4096, 1))
    sizes = [8192, 12288, 16384, 24576, 32768, 49152]
    yield grown("step", "m", 1, sizes, lambda m: stepper(1000, 784, m, 1))


def measures() -> Iterator[Growth]:
    """Lanczos takes 2 n^2 operations a step, a factorisation n^3 / 3."""

    def nodes(n: int) -> Callable[[], object]:
        gram, start = infinite_gram(sphere(n, 100)[0]), np.ones(n)
        return lambda: lanczos(product_with(gram), start, 80).diagonal

    sizes = [5000, 6000, 7500, 9000, 11000, 14000]  # smaller ones are partly cached
    yield grown("measure with 80 nodes", "n", 2, sizes, nodes)

    def cholesky(n: int) -> Callable[[], object]:
        return partial(cho_factor, infinite_gram(sphere(n, 100)[0]))

    found = grown("one Cholesky factorisation", "n", 3, [3000, 4500, 6500, 9500], cholesky)
    yield found._replace(ours=False)


def tiles() -> Iterator[Growth]:
    """A pass over the tiles takes n (n + TILE) (d / 2 + const) operations."""

    def passing(n: int, d: int) -> Callable[[], object]:
        kernel, block = TiledKernel(sphere(n, d)[0], "float32"), np.ones((n, 32))
        return lambda: kernel.product(block)

    sizes = [16 * TILE, 20 * TILE, 28 * TILE, 36 * TILE, 48 * TILE, 64 * TILE]
    yield grown("tiled product", "n", 2, sizes, lambda n: passing(n, 100))
    sizes = [1600, 2000, 2400, 3200, 4000, 4800]  # all rows stay in the cache
    yield grown("tiled product", "d", 1, sizes, lambda d: passing(1500, d))


TOPICS = {"step": steps, "measure": measures, "tiles": tiles}


def draw(found: list[Growth], path: Path) -> None:
    """Draw CPU seconds over sizes on logarithmic axes, with each fit and with theory's slope."""
    with house_style():
        columns = min(4, len(found))
        rows = -(-len(found) // columns)
        figure = Figure(figsize=(2.3 * columns, 2.3 * rows), layout="constrained")
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for growth, panel in zip(found, panels, strict=False):
            factor, power = growth.fit()
            sizes = np.geomspace(growth.sizes[0], growth.sizes[-1], 30) / growth.sizes[-1]
            at = sizes * growth.sizes[-1]
            theory = growth.times[-1] * sizes**growth.theory
            panel.loglog(at, theory, ":", color="0.6", label="theory's exponent")
            panel.loglog(at, factor * sizes**power, color="#0072B2", label="$b\\,s^p$")
            panel.loglog(growth.sizes, growth.times, "o", color="black", ms=4, label="measured")
            panel.set_title(f"{growth.what}\np = {power:.2f} (theory {growth.theory})", fontsize=8)
            panel.set_xlabel(growth.size)
            panel.minorticks_off()
            shown = [growth.sizes[k] for k in (0, len(growth.sizes) // 2, -1)]
            panel.set_xticks(shown, [str(size) for size in shown], fontsize=7)
            ends = growth.times[0], growth.times[-1]
            panel.set_yticks(ends, [f"{value:.2g}" for value in ends], fontsize=7)
        for panel in panels[::columns]:
            panel.set_ylabel("CPU seconds")
        for panel in panels[len(found) :]:
            panel.axis("off")
        handles, labels = panels[0].get_legend_handles_labels()
        if len(panels) > len(found):
            panels[-1].legend(handles, labels, loc="center")
        else:
            panels[0].legend(handles, labels)
        figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TOPICS, []])
    parser.add_argument("--figure", type=Path, help="draw the times and their fits into this file")
    arguments = parser.parse_args()
    print("| measured | figure | bar |\n|---|---|---|", flush=True)
    found = []
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before JAX counts the cores
    with threadpool_limits(1):
        for name in arguments.names or TOPICS:
            for growth in TOPICS[name]():
                found.append(growth)
                print(f"| {' | '.join(growth.row())} |", flush=True)
    if arguments.figure:
        draw(found, arguments.figure)


if __name__ == "__main__":
    main()
