"""Promised and measured steps against strain: ``python -m benchmarks.trust > docs/trust.csv``.

Sixteen data sets of at most 150 rows, targets scaled 0.1 to 10, gradient descent, heavy ball and
Nesterov by the rule `forecast`, to 10 % and to 1 % of the loss, widths 1,000 and 4,000, one start.
Networks whose promise is at most 700 steps and whose strain is below 10 are trained.  The limits of
`inertial.method.trust` were set on the first six sets, and the other ten were trained afterwards.
``--summary docs/trust.csv`` counts how often a verdict was right.  ``--batches`` trains instead on
batches of a tenth and a third of the rows, targets scaled 0.1 to 1, one draw of batches, the first
six sets and iris, and counts by strain.  ``--away`` trains far from tuned settings: heavy ball and
Nesterov with momenta of 0.1 to 0.7 and a tenth, a third and 0.9 of gradient descent's step size, to
10 %, two starts, width 1,000, whatever the strain.  ``--schedules`` trains with the schedules
`optimal` and `chebyshev` from two starts, on the first six sets or those that are named, and counts
by the strain of the more doubtful of mean and start, as `tune` judges, and by that of the mean, as
`compare` does.  ``--movement`` sets the
largest movement on the way to the target beside the predicted one, on the first six sets or those
that are named, from start 0 or that of ``--start``, with ``--batches`` on such batches.
``--small`` asks `tune` for 30 tables of 30 to 80 rows and two to eight columns drawn at random,
sines with noise or two to four classes, at widths 2,000 and 8,000, to 10 % and to 1 %, from two
starts.  ``--curves 1 2 6`` trains on tables of so many columns, the sum over them of one of seven
functions, with noise, 60 and 200 rows, to 10 %, widths 1,000 to 16,000, two starts.  Needs the
extra `bench` and the real data (INERTIAL_DATA).
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.papers_grid import CASES, HELD_OUT, ROWS
from inertial import (
    TwoLayerReLU,
    heavy_ball,
    initial_residual,
    load,
    nesterov,
    steps_to,
    train,
    trust,
    tune,
)
from inertial.data import Data
from inertial.linear.expected import spectrum_of
from inertial.method.batch import fastest_for_batch, forecast_batches
from inertial.method.recursion import METHODS, Recursion
from inertial.method.rules import choose
from inertial.method.schedule import SCHEDULES, for_measure
from inertial.method.trust import DEPARTS, HOLDS, IN_A_PLANE
from inertial.runs.check import CLOSE, judged, start_measure
from inertial.simulation.span import Span, span

FIRST: dict[str, Callable[[], Data]] = {
    "digits": partial(load, "digits", n=ROWS),
    "diabetes": partial(load, "diabetes", n=ROWS, standardize=True),
    "energy": partial(load, "energy", n=ROWS, standardize=True),
    "sphere": partial(load, "sphere", n=ROWS),
    "yacht": partial(load, "yacht", n=ROWS, standardize=True),
    "housing": partial(load, "housing", n=ROWS, standardize=True),
}
LATER = {name: make for name, (make, _) in CASES.items() if name not in FIRST}
OTHERS = {name: make for name, (make, _) in HELD_OUT.items()}
SCALES, WIDTHS, TARGETS = (0.1, 0.3, 1.0, 3.0, 10.0), (1000, 4000), (0.1, 0.01)
FEW, SHARES = SCALES[:3], (10, 3)
BETAS, PARTS = (0.1, 0.25, 0.5, 0.7), (0.1, 1 / 3, 0.9)
MOST, STRAIN = 700, 10.0
FAR = 200
NAMES = (
    "data", "seed", "targets", "method", "target", "width", "expected", "promised", "measured",
    "movement", "strain",
)  # fmt: skip


def rows(name: str, seed: int) -> None:
    """Print one line a network of a data set."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    base = (FIRST | LATER)[name]()
    for scale in SCALES:
        data = replace(base, y=base.y * scale)
        spectrum, measure = spectrum_of(data)
        for width in WIDTHS:
            network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
            residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
            own = start_measure(spectrum, residual)
            for target in TARGETS:
                for kind in METHODS:
                    method = choose("forecast", kind, measure, target=target)
                    found = judged(method, measure, own, width, target=target, rows=len(data.x))
                    promised = steps_to(method, own, target, limit=MOST)
                    if promised is None or found.strain >= STRAIN:
                        continue
                    run = train(
                        network, data.x, data.y, method,
                        seed=seed, steps=2 * promised + 20, within=within,
                    )  # fmt: skip
                    expected = steps_to(method, measure, target)
                    measured = run.steps_to(target)
                    out.writerow(
                        [name, seed, scale, kind, target, width, expected, promised, measured,
                         f"{found.movement:.4f}", f"{found.strain:.4f}"]
                    )  # fmt: skip
        sys.stdout.flush()


def on_batches(name: str) -> list[tuple[float, int, int | None]]:
    """Return strain, promised and measured steps of every network that is trained on batches."""
    base, found = (FIRST | LATER)[name](), []
    for scale, width, share in product(FEW, WIDTHS, SHARES):
        data = replace(base, y=base.y * scale)
        spectrum, measure = spectrum_of(data)
        network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
        residual = initial_residual(network, data.x, data.y, seed=0, within=within)
        own, batch = start_measure(spectrum, residual), len(data.x) // share
        for target, kind in product(TARGETS, METHODS):
            method, _ = fastest_for_batch(kind, measure, batch, target=target)
            strain = judged(
                method, measure, own, width, target=target, rows=len(data.x), batch=batch
            ).strain
            promised = forecast_batches(method, own, batch, MOST).steps_to(target)
            if promised is None or strain >= STRAIN:
                continue
            run = train(
                network, data.x, data.y, method,
                seed=0, steps=2 * promised + 20, within=within, batch=batch,
            )  # fmt: skip
            found.append((strain, promised, run.steps_to(target)))
    return found


def away(name: str, seed: int) -> Iterator[tuple[float, int, int | None]]:
    """Yield strain, promised and measured steps of networks at settings that nobody tuned."""
    data, target = (FIRST | LATER)[name](), TARGETS[0]
    spectrum, measure = spectrum_of(data)
    network, within = TwoLayerReLU(WIDTHS[0], data.x.shape[1]), span(data.x)
    residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
    own = start_measure(spectrum, residual)
    best = choose("forecast", "gradient_descent", measure, target=target).eta
    for family, beta, share in product((heavy_ball, nesterov), BETAS, PARTS):
        method = family(share * best, beta)
        promised = steps_to(method, own, target, limit=MOST)
        if promised is None:
            continue
        found = judged(method, measure, own, WIDTHS[0], target=target, rows=len(data.x))
        run = train(
            network, data.x, data.y, method, seed=seed, steps=2 * promised + 20, within=within
        )
        yield found.strain, promised, run.steps_to(target)


def scheduled(rule: str, name: str) -> Iterator[tuple[float, float, int, int | None]]:
    """Yield strain with the start and of the mean, promised and measured steps of a schedule."""
    base = (FIRST | LATER)[name]()
    for scale in SCALES:
        data = replace(base, y=base.y * scale)
        spectrum, measure = spectrum_of(data)
        method, within = for_measure(rule, measure, MOST), span(data.x)
        for width, seed in product(WIDTHS, (0, 1)):
            network = TwoLayerReLU(width, data.x.shape[1])
            residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
            own = start_measure(spectrum, residual)
            for target in TARGETS:
                mean = trust(method, measure, width, target=target).strain
                found = judged(method, measure, own, width, target=target, rows=len(data.x))
                promised = steps_to(method, own, target, limit=MOST)
                if promised is None or mean >= 2 * DEPARTS:
                    continue
                run = train(
                    network, data.x, data.y, method,
                    seed=seed, steps=min(MOST, 2 * promised + 20), within=within,
                )  # fmt: skip
                yield found.strain, mean, promised, run.steps_to(target)


def farthest(
    network: TwoLayerReLU,
    data: Data,
    method: Recursion,
    steps: int,
    *,
    seed: int,
    within: Span,
    batch: int | None,
) -> float:
    """Return the largest movement of a network on its way."""
    start, squares = np.empty(0), []

    def look(t: int, w: np.ndarray) -> None:
        nonlocal start
        start = w if t == 0 else start
        squares.append(((w - start) ** 2).sum() / len(w))

    train(
        network, data.x, data.y, method, seed=seed, steps=steps, within=within, batch=batch,
        snapshots=range(steps + 1), observe=look,
    )  # fmt: skip
    return float(max(squares) ** 0.5)


def moved(name: str, seed: int, *, on_batches: bool) -> Iterator[tuple[str, float, float, float]]:
    """Yield method, strain, and the largest movement up to the target, predicted and measured."""
    base = (FIRST | LATER | OTHERS)[name]()
    sizes = [len(base.x) // share for share in SHARES] if on_batches else [None]
    for scale, width in product(FEW if on_batches else SCALES, WIDTHS):
        data = replace(base, y=base.y * scale)
        spectrum, measure = spectrum_of(data)
        network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
        residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
        own = start_measure(spectrum, residual)
        for target, kind, batch in product(TARGETS, METHODS, sizes):
            if batch is None:
                method = choose("forecast", kind, measure, target=target)
                steps = steps_to(method, own, target, limit=FAR)
            else:
                method, _ = fastest_for_batch(kind, measure, batch, target=target)
                steps = forecast_batches(method, own, batch, FAR).steps_to(target)
            found = trust(method, own, width, target=target, batch=batch)
            if steps is None or found.strain > STRAIN:
                continue
            measured = farthest(network, data, method, steps, seed=seed, within=within, batch=batch)
            yield kind, found.strain, found.movement, measured


def movements(names: list[str], seed: int, *, on_batches: bool) -> None:
    """Print by method, strain and size how far off predicted movements are."""
    table = [row for name in names for row in moved(name, seed, on_batches=on_batches)]
    strains = ((0.0, HOLDS), (HOLDS, DEPARTS), (DEPARTS, STRAIN))
    for kind, (low, high), (least, most) in product(METHODS, strains, ((0.0, 0.3), (0.3, np.inf))):
        off = [
            100 * abs(measured / predicted - 1)
            for name, strain, predicted, measured in table
            if name == kind and low <= strain < high and least <= predicted < most
        ]
        middle, worst = (np.median(off), max(off)) if off else (np.nan, np.nan)
        sys.stdout.write(
            f"{kind}, strain {low:g} to {high:g}, movement {least:g} to {most:g}: {len(off)} "
            f"networks, movement off by {middle:.1f} % in the median, {worst:.1f} % at most, by "
            f"more than 5 % in {sum(one > 5 for one in off)}\n"
        )


def counted(
    what: str,
    table: list[tuple[float, int, int | None]],
    most: float,
    limits: tuple[float, ...] = (HOLDS, DEPARTS),
) -> None:
    """Count by strain how many steps were within 20 % or a step, and within 30 % or two."""
    for low, high in pairwise((0.0, *limits, most)):
        rows = [(p, m) for strain, p, m in table if low <= strain < high]
        counts = [
            sum(m is not None and abs(m - p) <= max(steps, part * p) for p, m in rows)
            for part, steps in ((CLOSE, 1), (0.3, 2))
        ]
        sys.stdout.write(
            f"{what}: strain {low:g} to {high:g}: {counts[0]} of {len(rows)} within 20 % or a "
            f"step, {counts[1]} within 30 % or two\n"
        )


def drawn(number: int) -> Data:
    """Return a small table drawn at random: odd ones are regressions, even ones classes."""
    rng = np.random.default_rng(number)
    n, d = int(rng.integers(30, 81)), int(rng.integers(2, 9))
    x = rng.standard_normal((n, d))
    table = pd.DataFrame(x, columns=[f"input {k}" for k in range(d)])
    if number % 2:
        table["y"] = np.sin(x[:, 0]) + 0.5 * x[:, -1] + 0.2 * rng.standard_normal(n)
    else:
        k = 2 + number % 3
        classes = np.argmax(x @ rng.standard_normal((d, k)) + rng.standard_normal((n, k)), axis=1)
        table["y"] = np.array(["ash", "elm", "oak", "yew"])[classes]
    return load(table, label="y")


def small() -> Iterator[tuple[float, int, int | None]]:
    """Yield strain, promised and measured steps of what `tune` recommends for small tables."""
    for number in range(30):
        data = drawn(number)
        for target, width, seed in product(TARGETS, (2000, 8000), (0, 1)):
            advice = tune(data, target=target, width=width, seed=seed, trials=1)
            for check in advice.checks:
                if check.promised is not None:
                    yield advice.best.trust.strain, check.promised, check.measured


CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sine": np.sin,
    "two sines": lambda x: np.sin(2 * x),
    "three sines": lambda x: np.sin(3 * x),
    "corner": np.abs,
    "step": np.sign,
    "cubic": lambda x: x**3 - 2 * x,
    "exponential": np.exp,
}
"""What a table of few columns has for targets, on [-2, 2]."""


def curves(columns: int) -> Iterator[tuple[float, int, int | None]]:
    """Yield strain, promised and measured steps on tables of few input columns."""
    for (number, curve), n in product(enumerate(CURVES.values()), (60, 200)):
        rng = np.random.default_rng(1000 * number + n)
        x = rng.uniform(-2, 2, (n, columns))
        table = pd.DataFrame(x, columns=[f"input {k}" for k in range(columns)])
        table["y"] = curve(x).sum(axis=1) + 0.1 * rng.standard_normal(n)
        data, target = load(table, label="y"), TARGETS[0]
        spectrum, measure = spectrum_of(data)
        for width, seed, family in product((1000, 2000, 4000, 16000), (0, 1), METHODS):
            network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
            residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
            own = start_measure(spectrum, residual)
            method = choose("forecast", family, measure, target=target)
            promised = steps_to(method, own, target, limit=MOST)
            if promised is None:
                continue
            found = judged(method, measure, own, width, target=target, rows=len(data.x))
            run = train(
                network, data.x, data.y, method, seed=seed, steps=2 * promised + 20, within=within
            )
            yield found.strain, promised, run.steps_to(target)


def made(columns: Sequence[int], *, drawn_too: bool) -> None:
    """Count on tables that are made here: of so many columns, and those drawn at random."""
    if drawn_too:
        counted("small tables", list(small()), np.inf)
    for number in columns:
        limits = (IN_A_PLANE, 1.0, 1.5, HOLDS)
        counted(f"curves, {number} columns", list(curves(number)), np.inf, limits)


def kept(row: dict[str, str]) -> bool:
    """Whether the measured steps are within 20 % of the promised ones, or one step."""
    if not row["measured"]:
        return False
    promised, measured = int(row["promised"]), int(row["measured"])
    return abs(measured - promised) <= max(1, CLOSE * promised)


def summary(path: Path) -> None:
    """Count kept promises by strain: on the sets that the limits were set on, and on the others."""
    with path.open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for what, names in (("limits were set on", FIRST), ("trained afterwards", LATER)):
        for low, high in ((0.0, HOLDS), (HOLDS, 5.0), (5.0, DEPARTS), (DEPARTS, STRAIN)):
            chosen = [
                kept(row)
                for row in table
                if row["data"] in names and low <= float(row["strain"]) < high
            ]
            sys.stdout.write(
                f"{what}: strain {low:g} to {high:g}: {sum(chosen)} of {len(chosen)}\n"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--summary", type=Path)
    parser.add_argument("--batches", action="store_true")
    parser.add_argument("--away", action="store_true")
    parser.add_argument("--schedules", action="store_true")
    parser.add_argument("--movement", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--curves", type=int, nargs="*", default=[])
    parser.add_argument("--start", type=int, default=0)
    given = parser.parse_args()
    if given.summary is not None:
        summary(given.summary)
        return
    if given.movement:
        movements(given.names or list(FIRST), given.start, on_batches=given.batches)
        return
    if given.batches:
        names = given.names or [*FIRST, "iris"]
        counted("batches", [row for name in names for row in on_batches(name)], STRAIN)
        return
    if given.away:
        names = given.names or ["digits", "iris", "wine", "diabetes"]
        counted("away", [row for one in product(names, (0, 1)) for row in away(*one)], np.inf)
        return
    if given.small or given.curves:
        made(given.curves, drawn_too=given.small)
        return
    if given.schedules:
        for rule in SCHEDULES:
            table = [row for name in given.names or FIRST for row in scheduled(rule, name)]
            for what, which in ((rule, 0), (f"{rule}, mean alone", 1)):
                counted(what, [(row[which], *row[2:]) for row in table], 2 * DEPARTS)
        return
    csv.writer(sys.stdout, lineterminator="\n").writerow(NAMES)
    for name in given.names or [*FIRST, *LATER]:
        rows(name, 0 if name in FIRST else 1)


if __name__ == "__main__":
    main()
