"""Where to stop, foreseen and real: ``python -m benchmarks.stopping [NAME...] [--csv FILE]``.

The papers' network of 1,000 neurons on scikit-learn's data sets, 30 % of the rows held out, every
method at the setting of the rule `forecast` for 1 % of the loss and at half of its step size.  For
two starts: the step of the lowest forecast on the test rows, that of generalised cross-validation,
which knows the training rows alone, that of the lowest test loss of the real run, and how far the
run's test loss at the first two lies above its lowest.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn import datasets

from inertial import Data, Problem, Recursion, TwoLayerReLU, load, spectrum_of
from inertial.method.rules import choose
from inertial.runs.stopping import network_modes, trained

WIDTH, STEPS, SEEDS = 1000, 300, (0, 1)
FIELDS = ("data", "method", "share", "seed", "forecast", "gcv", "run", "cost", "gcv_cost")


def noisy(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn every fifth label round, the same ones always."""
    turned = np.random.default_rng(0).random(len(y)) < 0.2
    return x, np.where(turned, -y, y)


def cases() -> dict[str, Data]:
    pixels, digit = datasets.load_digits(return_X_y=True)
    pair = np.isin(digit, (3, 8))
    three = np.where(digit[pair] == 3, 1.0, -1.0)
    cancer, malignant = datasets.load_breast_cancer(return_X_y=True)
    wine = datasets.load_wine().data
    options = {"standardize": True, "constant": True, "dedupe": True, "test": 0.3}
    return {
        "diabetes": load("diabetes", **options),
        "breast cancer": load(cancer, 2.0 * malignant - 1, **options),
        "wine, alcohol": load(wine[:, 1:], wine[:, 0], **options),
        "digits 3, 8": load(pixels[pair] / 16, three, test=0.3),
        "digits 3, 8, noisy": load(*noisy(pixels[pair] / 16, three), test=0.3),
        "breast cancer, noisy": load(*noisy(cancer, 2.0 * malignant - 1), **options),
    }


def measured(name: str, data: Data) -> list[dict[str, object]]:
    if data.test is None:
        raise ValueError(f"{name} has no test rows")
    spectrum, measure = spectrum_of(data)
    found: list[dict[str, object]] = []
    for method in ("gradient_descent", "heavy_ball", "nesterov"):
        eta, beta, gamma = choose("forecast", method, measure, target=0.01).constant
        for share in (1.0, 0.5):
            chosen = Recursion(share * eta, beta, gamma)
            for seed in SEEDS:
                curve = network_modes(data, spectrum, width=WIDTH, seed=seed).curve(chosen, STEPS)
                problem = Problem(
                    TwoLayerReLU(WIDTH, data.x.shape[1]), "half_sum", data.x, data.y, seed=seed,
                    test=(data.test.x, data.test.y),
                )  # fmt: skip
                losses = np.asarray(trained(problem, chosen, STEPS).test_loss)
                lowest, last = float(np.nanmin(losses)), len(losses) - 1
                at, cross = curve.best_step or 0, curve.gcv_step or 0
                row = (
                    name, method, share, seed, at, cross, int(np.nanargmin(losses)),
                    losses[min(at, last)] / lowest - 1, losses[min(cross, last)] / lowest - 1,
                )  # fmt: skip
                found.append(dict(zip(FIELDS, row, strict=True)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--csv")
    given = parser.parse_args()
    known = cases()
    rows = [row for name in given.names or known for row in measured(name, known[name])]
    if given.csv:
        with Path(given.csv).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(
                {k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()}
                for row in rows
            )
    print("| data | method | share of the step | forecast / GCV / run | cost | cost of GCV |")
    print("|---|---|--:|---|--:|--:|")
    for one, two in zip(rows[::2], rows[1::2], strict=True):
        pair = (one, two)
        steps = ", ".join(f"{r['forecast']} / {r['gcv']} / {r['run']}" for r in pair)
        costs = [
            ", ".join(f"{100 * float(str(r[key])):.1f} %" for r in pair)
            for key in ("cost", "gcv_cost")
        ]
        words = str(one["method"]).replace("_", " ")
        print(f"| {one['data']} | {words} | {one['share']} | {steps} | {' | '.join(costs)} |")


if __name__ == "__main__":
    main()
