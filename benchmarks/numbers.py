"""Bars of docs/bound.md and batch.md: ``python -m benchmarks.numbers schedule|batch|speed``."""

import argparse
import statistics
import time

import numpy as np

from inertial import (
    TwoLayerReLU,
    decompose,
    fastest_for_batch,
    fewest_steps,
    forecast_batches,
    heavy_ball,
    infinite_gram,
    initial_residual,
    load,
    lower_bound,
    movement,
    optimal_schedule,
    train,
)
from inertial.linear.expected import measure_of
from inertial.method.rules import choose
from inertial.runs.check import start_measure
from inertial.simulation.span import span

LAZY = {
    "digits": ("digits", {"n": 300}, 1.0),
    "mnist 200": ("mnist", {"n": 200}, 1.0),
    "diabetes x 0.1": ("diabetes", {"n": 300, "standardize": True}, 0.1),
    "sphere x 0.2": ("sphere", {"n": 200}, 0.2),
    "housing x 0.3": ("housing", {"n": 300, "standardize": True}, 0.3),
}
SHARES = (0.01, 0.001)


def schedule() -> None:
    """Real networks with a predicted movement under 0.1: schedule against tuned constants."""
    print("| data | width | movement | to | bound | schedule | heavy ball | Nesterov |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (key, options, scale) in LAZY.items():
        data = load(key, **options)
        data = type(data)(data.x, data.y * scale, data.provenance)
        measure = measure_of(data)
        schedules = optimal_schedule(measure, 400)
        for width in (4000, 12_000):
            far = movement(schedules, measure, width, 50).max()
            network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
            for share in SHARES:
                methods = {
                    "schedule": schedules,
                    "heavy_ball": choose("forecast", "heavy_ball", measure, target=share),
                    "nesterov": choose("forecast", "nesterov", measure, target=share),
                }
                cells = {}
                for label, method in methods.items():
                    runs = [
                        train(network, data.x, data.y, method, seed=seed, steps=200, within=within)
                        for seed in (0, 1, 2)
                    ]
                    counts = [run.steps_to(share) or 999 for run in runs]
                    grown = any(run.status == "diverged" for run in runs)
                    median = statistics.median(counts)
                    cells[label] = ("> 200" if median == 999 else f"{median}") + "!" * grown
                print(
                    f"| {name} | {width:,} | {far:.2f} | {100 * share:g} % | "
                    f"{fewest_steps(measure, share)} | {' | '.join(cells.values())} |",
                    flush=True,
                )


def batch(runs: int = 24, steps: int = 60) -> None:
    """Mean of real runs with fresh batches, n = 200, m = 2,000, against the forecast."""
    data = load("digits", n=200)
    spectrum = decompose(infinite_gram(data.x))
    measure = measure_of(data)
    network, within = TwoLayerReLU(2000, data.x.shape[1]), span(data.x)
    print(
        "| method | batch | order | largest error to step 60 | error of the mean |\n"
        "|---|---|---|---|---|"
    )
    for kind in ("gradient_descent", "heavy_ball", "nesterov"):
        for size in (10, 40):
            method, _ = fastest_for_batch(kind, measure, size)
            for order in ("fresh", "shuffled"):
                seen, expected = [], []
                for seed in range(runs):
                    run = train(
                        network, data.x, data.y, method, seed=seed, steps=steps, within=within,
                        batch=size, order=order,
                    )  # fmt: skip
                    seen.append(run.loss)
                    residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
                    own = start_measure(spectrum, residual)
                    expected.append(forecast_batches(method, own, size, steps).loss)
                mean = np.mean(expected, axis=0)
                error = np.mean(seen, axis=0) / mean - 1
                noise = np.std(np.array(seen) - expected, axis=0) / mean / runs**0.5
                at = int(np.abs(error).argmax())
                print(
                    f"| {kind} | {size} | {order} | {100 * error[at]:+.0f} % at {at} | "
                    f"{100 * noise[at]:.0f} % |",
                    flush=True,
                )


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
    parser.add_argument("part", choices=("schedule", "batch", "speed"))
    {"schedule": schedule, "batch": batch, "speed": speed}[parser.parse_args().part]()
