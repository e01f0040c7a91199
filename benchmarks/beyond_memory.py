"""What is known of a kernel that is never an array: ``python -m benchmarks.beyond_memory [n]``.

Uniform points on a sphere, d = 100; 50,000 of them if absent, which take about 12 minutes of two
cores.  `inertial tune sphere --n 50000 --dim 100 --trials 0` adds the recommendation.
"""

import argparse
import resource
import time
from collections.abc import Iterator

from inertial import load, log_determinant
from inertial.linear.expected import measure_of
from inertial.linear.kernel import TiledKernel

STEPS = 24
"""Lanczos steps of the log-determinant: at n = 3,000 as many more change it by 1e-8."""


def rows(n: int) -> Iterator[tuple[str, str, str]]:
    data = load("sphere", n=n, dim=100)
    began = time.process_time()
    measure = measure_of(data)
    taken = time.process_time() - began
    ends = measure.ends
    yield "smallest Ritz value", f"{ends.smallest:.3g} ± {ends.smallest_error:.1g}", "no bar"
    yield "largest eigenvalue", f"{ends.largest:.6g} ± {ends.largest_error:.1g}", "no bar"
    yield "CPU seconds of the measure", f"{taken:.0f}", "no bar"
    yield "trace", f"{TiledKernel(data.x).trace:.12g}", "exact"
    began = time.process_time()
    value, error = log_determinant(data.x, probes=8, steps=STEPS, precision="float32")
    yield "log-determinant, 8 probes", f"{value:.6g} ± {error:.2g}", "no bar"
    yield "its CPU seconds", f"{time.process_time() - began:.0f}", "no bar"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    yield "peak memory, GiB", f"{peak:.2f}", "≤ 24"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=50_000)
    n = parser.parse_args().n
    print("| measured | figure | bar |\n|---|---|---|", flush=True)
    for what, figure, bar in rows(n):
        print(f"| {what}, sphere, n={n} | {figure} | {bar} |", flush=True)


if __name__ == "__main__":
    main()
