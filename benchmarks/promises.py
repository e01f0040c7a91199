"""Promised and measured steps on ten data sets: ``python -m benchmarks.promises [NAME...]``.

Needs the real data (INERTIAL_DATA).  Each row is one recommendation of `forecast` at width 2,000 on
two starts: movement and strain before training, the verdict, and what the runs did.
"""

import argparse

from inertial import InvalidInput, load, steps_to, trust
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
}
WIDTH, TARGET, SEEDS = 2000, 0.01, (0, 1)


def rows(names: list[str]) -> None:
    print(
        "| data | method | expected | movement | strain | verdict | promised / measured | right |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name in names:
        key, options = CASES[name]
        try:
            data = load(key, **options)
            spectrum, measure = spectrum_of(data)
        except InvalidInput as error:
            print(f"| {name} | {error} |||||||")
            continue
        for kind in ("heavy_ball", "nesterov"):
            method = choose("forecast", kind, measure, target=TARGET)
            verdict = trust(method, measure, WIDTH, target=TARGET)
            runs = [
                check(method, data, measure, spectrum, width=WIDTH, seed=seed, target=TARGET)
                for seed in SEEDS
            ]
            counts = ", ".join(f"{r.promised} / {r.measured or f'> {r.steps}'}" for r in runs)
            said = verdict.verdict != "holds"
            print(
                f"| {name} | {kind} | {steps_to(method, measure, TARGET)} | "
                f"{verdict.movement:.2f} | {verdict.strain:.1f} | {verdict.verdict} | {counts} | "
                f"{'yes' if said or all(r.kept for r in runs) else 'NO'} |",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CASES))
    rows(parser.parse_args().names)
