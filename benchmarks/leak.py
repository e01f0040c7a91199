"""Memory of a process that tunes many data sets of changing size: ``python -m benchmarks.leak``.

A compilation for every shape would be kept for good.  The bar: 1,000 calls add less than 100 MB
after the first hundred.  Exit code 1 if it is missed.
"""

import argparse
import sys
import time

from benchmarks.memory import resident_kilobytes
from inertial import load, tune

BAR = 100.0
"""MB that may be added after the first hundred calls."""

_FIRST = 100


def megabytes(calls: int, smallest: int = 50, sizes: int = 150) -> list[float]:
    """Return the memory of this process after each of so many calls."""
    used = []
    for call in range(calls):
        tune(load("sphere", n=smallest + call % sizes, dim=3 + call % 7))
        used.append(resident_kilobytes() / 1e3)
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    calls = parser.parse_args().calls
    began = time.monotonic()
    used = megabytes(calls)
    first = used[min(_FIRST, calls - 1)]
    growth = max(used[min(_FIRST, calls - 1) :]) - first
    marks = ", ".join(f"{used[at - 1]:.0f}" for at in range(50, calls + 1, max(50, calls // 10)))
    print(f"MB on the way: {marks}")
    print(
        f"{calls} calls of tune: {growth:.0f} MB more than after the first {_FIRST}; "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(growth > BAR)


if __name__ == "__main__":
    main()
