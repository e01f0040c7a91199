"""What the number of threads does to the numbers: ``python -m benchmarks.threads``.

The same runs in a process with one core and in one with two: the largest relative difference of the
loss along 200 steps, and of its forecast.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RUNS = [("digits", 360, 2000), ("sphere", 1000, 4000)]
"""Data, rows and width."""

PRECISIONS = ("float32", "float64")


def compute(file: str, cores: int) -> None:
    """Compute all runs in this process, on its first cores, and write them."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ["OPENBLAS_NUM_THREADS"] = str(cores)
    from inertial import Settings, compare, load

    found = {}
    for name, rows, width in RUNS:
        for precision in PRECISIONS:
            settings = Settings(methods=("nesterov",), width=width, seeds=(0,), precision=precision)
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run"
                arrays = compare(load(name, n=rows), settings, out=out).arrays
            what = f"{name}, n={rows}, m={width}, {precision}"
            found[f"loss, {what}"] = arrays.loss.values
            if precision == PRECISIONS[0]:
                found[f"forecast, {name}, n={rows}"] = arrays.forecast_loss.values
    np.savez(file, **found)


def main() -> None:
    if len(sys.argv) > 1:
        compute(sys.argv[1], int(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for cores in (1, 2):
            command = [
                sys.executable,
                "-m",
                "benchmarks.threads",
                f"{folder}/{cores}.npz",
                str(cores),
            ]
            subprocess.run(command, check=True)
        one, two = (np.load(f"{folder}/{cores}.npz") for cores in (1, 2))
        print("| largest relative difference, 1 thread and 2 | figure |\n|---|---|")
        for name in one:
            print(f"| {name} | {np.nanmax(np.abs(two[name] / one[name] - 1)):.1e} |")


if __name__ == "__main__":
    main()
