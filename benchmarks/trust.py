"""Promised and measured steps against movement: ``python -m benchmarks.trust > docs/trust.csv``.

Six data sets, targets scaled 0.1 to 4, heavy ball and Nesterov by the rule `forecast`, two widths,
one start; needs the real data (INERTIAL_DATA).  `movement` is predicted for that start.
"""

import csv
import sys

import jax
import numpy as np

from inertial import TwoLayerReLU, decompose, finite_gram, initial_residual, load, steps_to, train
from inertial.linear.expected import spectrum_of
from inertial.method.rules import choose
from inertial.method.trust import trust
from inertial.runs.check import start_measure

SETS = {
    "digits": {"n": 300},
    "diabetes": {"n": 300, "standardize": True},
    "energy": {"n": 300, "standardize": True},
    "sphere": {"n": 200},
    "yacht": {"standardize": True},
    "housing": {"n": 300, "standardize": True},
}
NAMES = (
    "data", "targets", "method", "width", "expected", "promised", "promised_by_own_kernel",
    "measured", "movement",
)  # fmt: skip


def main() -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(NAMES)
    for name, options in SETS.items():
        base = load(name, **options)
        for scale in (0.1, 0.5, 1.0, 4.0):
            data = type(base)(base.x, base.y * scale, base.provenance)
            spectrum, measure = spectrum_of(data)
            for kind in ("heavy_ball", "nesterov"):
                method = choose("forecast", kind, measure)
                expected = steps_to(method, measure, 0.01)
                for width in (1000, 8000):
                    network = TwoLayerReLU(width, data.x.shape[1])
                    residual = initial_residual(network, data.x, data.y, seed=0)
                    w, _ = network.init(jax.random.key(0))
                    finite = decompose(finite_gram(data.x, np.asarray(w)))
                    own = start_measure(spectrum, residual)
                    promised = steps_to(method, own, 0.01, limit=5000)
                    steps = min(2 * max(expected or 0, promised or 0), 600)
                    run = train(network, data.x, data.y, method, seed=0, steps=steps)
                    out.writerow(
                        [
                            name, scale, kind, width, expected, promised,
                            steps_to(method, start_measure(finite, residual), 0.01, limit=5000),
                            run.steps_to(0.01), f"{trust(method, own, width).movement:.3f}",
                        ]
                    )  # fmt: skip


if __name__ == "__main__":
    main()
