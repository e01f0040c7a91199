"""How long a command takes from a cold process, as ratios to `python -c "import jax"`.

Run `python -m benchmarks.startup`.  Each command runs several times in turn with the others, and
the fastest counts, once by the clock and once in CPU seconds with one BLAS thread, which other work
on the machine touches less.  The first turn fills the cache of compiled programs and writes byte
code, as installing does, and does not count.
"""

import os
import subprocess
import sys
import time

REPEATS = 7
COMMANDS = {
    "import jax": ["-c", "import jax"],
    "inertial --help": ["-m", "inertial", "--help"],
    "inertial tune digits": ["-m", "inertial", "tune", "digits"],
    "inertial tune digits --trials 0": [
        *("-m", "inertial", "tune", "digits", "--trials", "0"),
    ],
}
BARS = {
    "inertial --help": "≤ 0.5",
    "inertial tune digits": "≤ 2.0",
    "inertial tune digits --trials 0": "no bar",
}


def seconds(words: list[str], threads: dict[str, str]) -> tuple[float, float]:
    """Wall time and CPU time of one process."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], env=kept | threads, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime


def main() -> None:
    """Run all commands in turn, and print the table."""
    clock: dict[str, list[float]] = {name: [] for name in COMMANDS}
    cpu: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS + 1):
        for name, words in COMMANDS.items():
            clock[name].append(seconds(words, {})[0])
            cpu[name].append(seconds(words, {"OPENBLAS_NUM_THREADS": "1"})[1])
    print("| measured | figure | bar |\n|---|---|---|")
    for name, bar in BARS.items():
        wall, busy = (
            tuple(min(taken[one][1:]) for one in (name, "import jax")) for taken in (clock, cpu)
        )
        figure = f"{wall[0] / wall[1]:.2f} ({wall[0]:.2f} s / {wall[1]:.2f} s)"
        print(f"| `{name}` / `python -c 'import jax'`, cold process | {figure} | {bar} |")
        print(f"| the same in CPU seconds | {busy[0] / busy[1]:.2f} | no bar |")


if __name__ == "__main__":
    main()
