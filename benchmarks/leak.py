"""Memory of a process that tunes many data sets of changing size: ``python -m benchmarks.leak``.

A compilation for every shape would be kept for good.  The bar: 1,000 calls add less than 100 MB
after the first hundred.  Exit code 1 if it is missed.

No two of a thousand calls have data of one shape, and their sizes come in mixed order, so that the
first hundred calls have small and large ones.  Every recommendation is checked by a real run,
and one of ten that fails its check is searched for, as a command does by itself; the network is
narrow and the target near: what stays in memory is programs, and a long run has no more of them.
"""

import argparse
import sys
import time

import numpy as np

from benchmarks.memory import resident_kilobytes
from inertial import load, tune

BAR = 100.0
"""MB that may be added after the first hundred calls."""

_FIRST = 100

_SEARCHED = 10
"""One of so many calls may train several settings."""


def megabytes(calls: int, smallest: int = 50, sizes: int = 150, seed: int = 0) -> list[float]:
    """Return the memory of this process after each of so many calls, and say it on the way."""
    order = np.random.default_rng(seed).permutation(sizes)
    used: list[float] = []
    began = time.monotonic()
    for call in range(calls):
        size = smallest + int(order[call % sizes])
        data = load("sphere", n=size, dim=3 + call % 7, seed=seed + call)
        tune(data, width=100, target=0.3, trials=5 if call % _SEARCHED == 0 else 1)
        used.append(resident_kilobytes() / 1e3)
        if (call + 1) % 50 == 0:
            seconds = time.monotonic() - began
            print(f"{call + 1} of {calls}: {used[-1]:.0f} MB, {seconds:.0f} s", flush=True)
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    used = megabytes(options.calls, seed=options.seed)
    first = min(_FIRST, options.calls) - 1
    growth = max(used[first:]) - used[first]
    print(
        f"leak: {'FAILED' if growth > BAR else 'passed'}: {options.calls} calls of tune, "
        f"{growth:.0f} MB more than after the first {first + 1}, at most {BAR:.0f}; "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(growth > BAR)


if __name__ == "__main__":
    main()
