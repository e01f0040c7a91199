"""Steps of the smoothed optimal schedule against tuned heavy ball and Nesterov, on real networks.

``python -m benchmarks.schedules`` prints the tables of docs/bound.md: seven data sets, of each two
widths at which every method's predicted movement is below 0.1, three starts, to 1 % and 0.1 % of
the loss.  Constants are tuned by the rule `forecast` for that target, all on the expected start.
``--quick`` makes one data set with one width.  The papers' sets are found as everywhere.
"""

import argparse
import statistics
from itertools import product

import numpy as np

from inertial import (
    Problem,
    TwoLayerReLU,
    conjugate_gradients,
    fewest_steps,
    load,
    movement,
    optimal_schedule,
    train,
)
from inertial.linear.expected import measure_of
from inertial.method.curve import steps_to
from inertial.method.rules import choose
from inertial.simulation.span import span

SETS = {
    "digits": ({"n": 200}, 1.0),
    "mnist": ({"n": 150}, 1.0),
    "fashion-mnist": ({"n": 150}, 0.3),
    "diabetes": ({"n": 150, "standardize": True}, 0.1),
    "housing": ({"n": 150, "standardize": True}, 0.1),
    "energy": ({"n": 150, "standardize": True}, 0.1),
    "sphere": ({"n": 150, "dim": 30}, 0.3),
}
"""Rows and preparation, and what targets are multiplied by so that lazy widths can be afforded."""

SHARES = (0.01, 0.001)
SEEDS = (0, 1, 2)
LAZY = 0.1
PATIENCE = 3
"""A run ends after this many times the forecast steps, and at least 30."""

METHODS = ("schedule", "heavy_ball", "nesterov")


def needed(methods, measure):  # noqa: ANN001, ANN201
    """Return the width from which all movements on the way to the targets are below 0.1."""
    far = [
        movement(method, measure, 1, steps_to(method, measure, share)).max()
        for (_, share), method in methods.items()
    ]
    return int(np.ceil((max(far) / LAZY) ** 2 / 1000)) * 1000


def main(quick: bool) -> None:  # noqa: FBT001
    """Print a row per data set, width and target, and what they come to."""
    print(
        "| data, rows | targets x | width | to | bound | conjugate gradients | schedule | "
        "heavy ball | Nesterov | steps saved |\n|---|---|--:|---|--:|--:|--:|--:|--:|--:|"
    )
    saved, runs, diverged = {share: [] for share in SHARES}, 0, 0
    for name, (options, scale) in list(SETS.items())[: 1 if quick else None]:
        data = load(name, **options)
        data = type(data)(data.x, data.y * scale, data.provenance)
        measure, within = measure_of(data), span(data.x)
        methods = {}
        for share in SHARES:
            methods["schedule", share] = optimal_schedule(measure, 1000)
            for kind in METHODS[1:]:
                methods[kind, share] = choose("forecast", kind, measure, target=share)
        width = needed(methods, measure)
        for m in (width,) if quick else (width, 2 * width):
            network = TwoLayerReLU(m, data.x.shape[1])
            counts = {key: [] for key in methods}
            for (kind, share), seed in product(methods, SEEDS):
                method = methods[kind, share]
                steps = max(30, PATIENCE * steps_to(method, measure, share))
                run = train(network, data.x, data.y, method, seed=seed, steps=steps, within=within)
                counts[kind, share].append(run.steps_to(share) or np.inf)
                runs += 1
                diverged += run.status == "diverged"
            problem = Problem(network, "half_sum", data.x, data.y)
            best = conjugate_gradients(problem, steps=60)
            for share in SHARES:
                medians = [statistics.median(counts[kind, share]) for kind in METHODS]
                gain = 1 - medians[0] / min(medians[1:])
                saved[share].append(gain)
                cells = ["> 60" if (c := best.steps_to(share)) is None else f"{c}"]
                cells += ["never" if np.isinf(m) else f"{m:.0f}" for m in medians]
                print(
                    f"| {name}, {len(data.x)} | {scale:g} | {m:,} | {100 * share:g} % | "
                    f"{fewest_steps(measure, share)} | {' | '.join(cells)} | {100 * gain:.0f} % |",
                    flush=True,
                )
    print()
    for share, gains in saved.items():
        print(
            f"To {100 * share:g} % of the loss the schedule takes "
            f"{100 * statistics.median(gains):.0f} % fewer steps than the better of both in the "
            f"median, {100 * min(gains):.0f} % to {100 * max(gains):.0f} %."
        )
    print(f"{diverged} of {runs} runs diverged.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    main(parser.parse_args().quick)
