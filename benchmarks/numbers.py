"""Bars of docs/batch.md: ``python -m benchmarks.numbers moments|spread|batch|luck|speed``.

``batch --methods heavy_ball --sizes 40 --runs 240`` decides one line of the table.
"""

import argparse
import itertools
import time

import numpy as np
from sklearn.datasets import load_wine
from tests.test_batch import exactly, linear_losses

from inertial import (
    TwoLayerReLU,
    fastest_for_batch,
    forecast_batches,
    heavy_ball,
    initial_residual,
    load,
    lower_bound,
    movement,
    optimal_schedule,
    train,
)
from inertial.linear.expected import measure_of, spectrum_of
from inertial.linear.measure import dense
from inertial.method.batch import forecast_batches_on_rows, largest_step, noise_share
from inertial.method.recursion import FAMILIES, METHODS
from inertial.simulation.span import span
from inertial.simulation.train import batch_rows
from inertial.theory.start import Start

PARTS = (1.0, 0.5, 0.25)
"""Shares of the step that is best for a batch."""


def moments(methods: list[str], sizes: list[int], steps: int = 60) -> None:
    """Largest error of the expected loss on batches against the exact n x n moments, n = 200.

    The residual is that of a network of 2,000 neurons at the start, seed 0.
    """
    data = load("digits", n=200)
    start = initial_residual(TwoLayerReLU(2000, data.x.shape[1]), data.x, data.y, seed=0)
    spectrum, measure = spectrum_of(data)
    gram = (spectrum.basis * spectrum.eigenvalues) @ spectrum.basis.T
    own = dense(spectrum, spectrum.modes(start) ** 2)
    print("| method | batch | share of the limit | with overlaps | flat |\n|" + "---|" * 5)
    for kind, size, part in itertools.product(methods, sizes, (1.0, 0.5)):
        best, _ = fastest_for_batch(kind, measure, size)
        eta, beta, _ = best.constant
        method = FAMILIES[kind](part * eta, beta)
        exact = exactly(method, gram, start, noise_share(size, 200), steps)
        errors = [
            f"{100 * np.abs(found.loss / exact - 1).max():.1f} %"
            for found in (
                forecast_batches_on_rows(method, spectrum, start, size, steps),
                forecast_batches(method, own, size, steps),
            )
        ]
        share = part * eta / largest_step(kind, beta, measure, size)
        print(f"| {kind} | {size} | {share:.2f} | {' | '.join(errors)} |", flush=True)


def spread(methods: list[str], sizes: list[int], runs: int = 2000, steps: int = 60) -> None:
    """Forecast spread of the loss on batches over that of runs of the linearised network, n = 100.

    Each at steps 20, 40 and 60 of the step that is best for a batch, and of half of it.
    """
    wine = load_wine(as_frame=True).frame.drop(columns="target")
    sets = {
        "digits": load("digits", n=100),
        "diabetes": load("diabetes", n=100, standardize=True),
        "wine": load(wine.drop(columns="alcohol"), wine.alcohol, n=100, standardize=True),
    }
    print("| data | method | batch | share of the best step | step 20 | 40 | 60 |\n|" + "---|" * 7)
    for (name, data), kind, size, part in itertools.product(
        sets.items(), methods, sizes, (1.0, 0.5)
    ):
        start = initial_residual(TwoLayerReLU(2000, data.x.shape[1]), data.x, data.y, seed=0)
        spectrum, measure = spectrum_of(data)
        gram = (spectrum.basis * spectrum.eigenvalues) @ spectrum.basis.T
        best, _ = fastest_for_batch(kind, measure, size)
        eta, beta, _ = best.constant
        method = FAMILIES[kind](part * eta, beta)
        found = forecast_batches_on_rows(method, spectrum, start, size, steps)
        losses = linear_losses(method, gram, start, size, runs, steps)
        ratios = [f"{found.spread[t] / losses[t].std():.2f}" for t in (20, 40, 60)]
        print(f"| {name} | {kind} | {size} | {part:g} | {' | '.join(ratios)} |", flush=True)


def batch(methods: list[str], sizes: list[int], runs: int, steps: int = 60) -> None:
    """Mean of real runs on batches, n = 200, m = 2,000, against the forecast.

    `as seen` is the mean of the runs over the forecast of their own starts and kernels, less one.
    `same batches` puts the linearised network, run on each run's own batches, in the place of the
    luck of the draw: the forecast plus the mean of (real - linearised), over the forecast.
    """
    data = load("digits", n=200)
    measure, n = measure_of(data), len(data.x)
    network, within = TwoLayerReLU(2000, data.x.shape[1]), span(data.x)
    starts = [Start(data.x, data.y, 2000, seed) for seed in range(runs)]
    print(
        "| method | batch | order | share of the limit | as seen | same batches |\n|" + "---|" * 6
    )
    for kind, size, part in itertools.product(methods, sizes, PARTS):
        best, _ = fastest_for_batch(kind, measure, size)
        eta, beta, _ = best.constant
        method = FAMILIES[kind](part * eta, beta)
        share = part * eta / largest_step(kind, beta, measure, size)
        expected = np.array(
            [
                forecast_batches_on_rows(method, s.spectrum, s.residual, size, steps).loss
                for s in starts
            ]
        )
        for order in ("fresh", "shuffled"):
            seen, linear = [], []
            for start in starts:
                run = train(
                    network, data.x, data.y, method, seed=start.seed, steps=steps, within=within,
                    batch=size, order=order,
                )  # fmt: skip
                rows = batch_rows(n, size, order, start.seed, 0, steps)
                seen.append(run.loss)
                linear.append(_linear(method, start.gram, start.residual, rows))
            cells = []
            for values in (np.array(seen) - expected, np.array(seen) - np.array(linear)):
                mean = expected.mean(axis=0)
                error, noise = values.mean(axis=0) / mean, values.std(axis=0) / mean / runs**0.5
                at = int(np.abs(error).argmax())
                cells.append(f"{100 * error[at]:+.1f} +- {100 * noise[at]:.1f} % at {at}")
            print(f"| {kind} | {size} | {order} | {share:.2f} | {' | '.join(cells)} |", flush=True)


def _linear(method, gram, start, rows):  # noqa: ANN001, ANN202
    """Losses of the linearised network on given batches."""
    eta, beta, gamma = method.constant
    here, before, last, losses = start, start, np.zeros_like(start), [0.5 * start @ start]
    for chosen in rows:
        drive = np.zeros_like(start)
        drive[chosen] = here[chosen] * len(start) / len(chosen)
        drive = eta * gram @ drive
        step = beta * (here - before) - drive - gamma * (drive - last)
        here, before, last = here + step, here, drive
        losses.append(0.5 * here @ here)
    return np.array(losses)


def luck(methods: list[str], sizes: list[int], runs: int, steps: int = 60) -> None:
    """How far the mean of a few runs of the linear model itself is from its forecast, n = 200.

    At the worst step, in the median of 50 groups of `runs` and in nine of ten; and of all runs
    together; then of as many runs on shuffled epochs.  The residual is that of a network of 2,000
    neurons at the start, seed 0.
    """
    data = load("digits", n=200)
    start = initial_residual(TwoLayerReLU(2000, data.x.shape[1]), data.x, data.y, seed=0)
    spectrum, measure = spectrum_of(data)
    gram = (spectrum.basis * spectrum.eigenvalues) @ spectrum.basis.T
    groups = 50
    print(
        "| method | batch | share of the limit | median | nine of ten | all | epochs |\n|"
        + "---|" * 7
    )
    for kind, size, part in itertools.product(methods, sizes, PARTS):
        best, _ = fastest_for_batch(kind, measure, size)
        eta, beta, _ = best.constant
        method = FAMILIES[kind](part * eta, beta)
        share = part * eta / largest_step(kind, beta, measure, size)
        expected = forecast_batches_on_rows(method, spectrum, start, size, steps).loss
        # From the start in each row, which so does not depend on what else is asked for.
        rng = np.random.default_rng(0)
        fresh, epochs = (
            np.reshape(
                _many(
                    method, gram, start, size, steps, shuffled=shuffled, rng=rng, runs=groups * runs
                ),
                (steps + 1, groups, runs),
            )
            / expected[:, None, None]
            - 1
            for shuffled in (False, True)
        )
        worst = np.abs(fresh.mean(axis=2)).max(axis=0)
        whole = (np.abs(found.mean(axis=(1, 2))).max() for found in (fresh, epochs))
        cells = [np.median(worst), np.quantile(worst, 0.9), *whole]
        shown = " | ".join(f"{100 * cell:.1f} %" for cell in cells)
        print(f"| {kind} | {size} | {share:.2f} | {shown} |", flush=True)


def _many(method, gram, start, size, steps, *, shuffled, rng, runs):  # noqa: ANN001, ANN202
    """Losses of many runs of the linearised network, each on batches of its own."""
    eta, beta, gamma = method.constant
    n = len(start)
    here = before = np.tile(start, (runs, 1))
    last, losses = np.zeros_like(here), [0.5 * (here**2).sum(axis=1)]
    for t in range(steps):
        part = t % (n // size) if shuffled else 0
        if part == 0:
            ranks = rng.random(here.shape).argsort(axis=1).argsort(axis=1)
        chosen = (ranks >= part * size) & (ranks < (part + 1) * size)
        drive = eta * (n / size) * (chosen * here) @ gram
        step = beta * (here - before) - drive - gamma * (drive - last)
        here, before, last = here + step, here, drive
        losses.append(0.5 * (here**2).sum(axis=1))
    return np.array(losses)


def speed() -> None:
    """Seconds of the four numbers beside those of the measure, n = 2,000, and of batch tuning."""
    data = load("sphere", n=2000, dim=50)

    def timed(work):  # noqa: ANN001, ANN202
        began = time.perf_counter()
        found = work()
        return time.perf_counter() - began, found

    whole, measure = timed(lambda: measure_of(data))
    method = heavy_ball(1 / measure.largest, 0.9)
    parts = {
        "bound": timed(lambda: lower_bound(measure, 100))[0],
        "schedule": timed(lambda: optimal_schedule(measure, 400))[0],
        "batch forecast of 1,000 steps": timed(
            lambda: forecast_batches(method, measure, 100, 1000)
        )[0],
        "trust": timed(lambda: movement(method, measure, 2000, 1000))[0],
    }
    print(f"measure {whole:.2f} s; " + ", ".join(f"{k} {v:.2f} s" for k, v in parts.items()))
    print(f"together / measure: {sum(parts.values()) / whole:.2f} (bar: below 1)")
    few = measure_of(load("diabetes", n=400))
    for kind in ("heavy_ball", "nesterov"):
        print(kind, f"{timed(lambda k=kind: fastest_for_batch(k, few, 40))[0]:.1f} s (bar: 5 s)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("moments", "spread", "batch", "luck", "speed"))
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--sizes", nargs="*", type=int, default=[10, 40])
    parser.add_argument("--runs", type=int, default=24)
    chosen = parser.parse_args()
    if chosen.part == "speed":
        speed()
    elif chosen.part == "moments":
        moments(chosen.methods, chosen.sizes)
    elif chosen.part == "spread":
        spread(chosen.methods, chosen.sizes)
    elif chosen.part == "luck":
        luck(chosen.methods, chosen.sizes, chosen.runs)
    else:
        batch(chosen.methods, chosen.sizes, chosen.runs)
