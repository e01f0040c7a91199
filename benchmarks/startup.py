"""How long a command takes from a cold process, as ratios to `python -c "import jax"`.

Run `python -m benchmarks.startup`.  Each command runs several times in turn with the others, and
the fastest counts.  The first turn fills the cache of compiled programs, and does not count.
"""

import subprocess
import sys
import time

REPEATS = 7
COMMANDS = {
    "import jax": ["-c", "import jax"],
    "inertial --help": ["-m", "inertial", "--help"],
    "inertial tune digits": ["-m", "inertial", "tune", "digits"],
}
BARS = {"inertial --help": 0.5, "inertial tune digits": 2.0}


def seconds(words: list[str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS + 1):
        for name, words in COMMANDS.items():
            times[name].append(seconds(words))
    fastest = {name: min(taken[1:]) for name, taken in times.items()}
    base = fastest["import jax"]
    print("| measured | figure | bar |\n|---|---|---|")
    for name, bar in BARS.items():
        taken = f"{fastest[name] / base:.2f} ({fastest[name]:.2f} s / {base:.2f} s)"
        print(f"| `{name}` / `python -c 'import jax'`, cold process | {taken} | ≤ {bar} |")


if __name__ == "__main__":
    main()
