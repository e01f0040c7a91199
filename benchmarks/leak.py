"""Memory of a process that tunes many data sets of changing size: ``python -m benchmarks.leak``.

A compilation for every shape would be kept for good; the table shows what is.
"""

import argparse
import sys

import numpy as np

from benchmarks.memory import resident_kilobytes
from inertial import load, tune


def growth(calls: int, smallest: int = 50, sizes: int = 150) -> float:
    """KiB that a call adds, by the slope over the second half of the calls."""
    used = []
    for call in range(calls):
        tune(load("sphere", n=smallest + call % sizes, dim=5))
        used.append(resident_kilobytes())
    late = np.arange(calls // 2, calls)
    return float(np.polyfit(late, np.array(used)[late], 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    calls = parser.parse_args().calls
    sys.stdout.write(f"{calls} calls of tune: {growth(calls):.2f} KiB a call in the second half\n")


if __name__ == "__main__":
    main()
