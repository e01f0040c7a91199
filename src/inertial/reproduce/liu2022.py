r"""Liu, Pan and Tao (2022): Figures 2 to 6 and Table 1.

Full batch, inputs of norm 1, step size and momentum from the analytic kernel by their Table 1.
Left open there and chosen here: gradient descent's constant, 1; rows, the first in file order;
regression columns and targets standardised, multiples of earlier rows dropped; number of steps.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.method.curve import STEPS_LIMIT, steps_to
from inertial.method.modes import spectral_radius
from inertial.method.recursion import METHODS
from inertial.method.rules import choose
from inertial.reproduce.item import (
    BISECTED,
    Claim,
    Item,
    Scale,
    counted,
    known,
    of_data,
    per_seed,
    slope_of_log,
)
from inertial.runs.config import DataSet, Study
from inertial.runs.execution import prepare
from inertial.runs.measures import last_mean, window

SOURCE = "Liu, Pan and Tao (2022)"

COMPARABLE = 1.1
"""Ratio up to which one number counts as about another."""

SLOPES = (-0.7, -0.3)
"""Log-log slopes in the width that count as about -1/2."""

_TARGETS = (0.1, 0.01)


def convergence_study(data: tuple[DataSet, ...], scale: Scale) -> Study:
    """Three methods at the largest common width (Figures 2, 5 and 6)."""
    return Study(
        "liu2022-methods", data, METHODS, ("paper",), (scale.width,), scale.seeds, scale.steps
    )


def width_study(data: tuple[DataSet, ...], scale: Scale) -> Study:
    """Nesterov at five widths (Figures 3 and 4)."""
    return Study(
        "liu2022-widths", data, ("nesterov",), ("paper",), scale.widths, scale.seeds, scale.steps
    )


def figure2_claims(result: xr.Dataset) -> list[Claim]:
    """Nesterov ends below gradient descent, and below or about heavy ball, in the last window."""
    claims, count = [], window(result)
    when = f"mean loss over the last {count} steps" if count > 1 else "last loss"
    for name in _names(result):
        loss = result.loss.sel(data=name).isel(width=0)
        end = {str(m): last_mean(loss.sel({"optimizer": m}), count).values for m in METHODS}
        first = float(loss.isel(step=0).mean())
        words = ", ".join(f"{m} {end[m].mean() / first:.2g}" for m in METHODS)
        measured = f"share of the first loss: {words}"
        claims += [
            per_seed(
                f"Nesterov ends below gradient descent ({when})",
                name,
                _compared(end["nesterov"], end["gradient_descent"]),
                measured,
            ),
            per_seed(
                f"Nesterov ends below or about heavy ball ({when}, at most {COMPARABLE:g} times)",
                name,
                _compared(end["nesterov"], end["heavy_ball"], COMPARABLE),
                measured,
            ),
        ]
    return claims


def width_claims(variable: str, words: str) -> Callable[[xr.Dataset], list[Claim]]:
    """Return the claims that a quantity falls with the width, about as its square root."""

    def claims(result: xr.Dataset) -> list[Claim]:
        made = []
        for name in _names(result):
            whole = result[variable].sel({"data": name, "optimizer": "nesterov"})
            highest = whole.max("step", skipna=False)
            by_seed = highest.transpose("seed", "width").values
            widths = result.width.values
            mean = by_seed.mean(axis=0)
            slope = slope_of_log(np.log(widths), mean)
            measured = ", ".join(f"{v:.3g}" for v in mean) + f"; log-log slope {slope:.2f}"
            falls = [known((np.diff(row) < 0).all(), row) for row in by_seed]
            made += [
                per_seed(f"the {words} decreases with every doubling of m", name, falls, measured),
                of_data(
                    f"the {words} falls about as 1/sqrt(m) (slope {SLOPES[0]} to {SLOPES[1]})",
                    name,
                    known(SLOPES[0] <= slope <= SLOPES[1], slope),
                    measured + ("; a number is missing or zero" if np.isnan(slope) else ""),
                ),
            ]
        return made

    return claims


def method_claims(variable: str, words: str) -> Callable[[xr.Dataset], list[Claim]]:
    """Return the claims that momentum moves the weights more, Nesterov at most about heavy ball."""

    def claims(result: xr.Dataset) -> list[Claim]:
        made = []
        for name in _names(result):
            highest = result[variable].sel(data=name).isel(width=0).max("step", skipna=False)
            top = {str(m): highest.sel({"optimizer": m}).values for m in METHODS}
            measured = ", ".join(f"{m} {top[m].mean():.3g}" for m in METHODS)
            plain = top["gradient_descent"]
            for other, title in (("nesterov", "Nesterov"), ("heavy_ball", "heavy ball")):
                made.append(
                    per_seed(
                        f"{title}'s {words} is larger than gradient descent's",
                        name,
                        _compared(plain, top[other]),
                        measured,
                    )
                )
            made.append(
                per_seed(
                    f"Nesterov's {words} is below or about heavy ball's (at most "
                    f"{COMPARABLE:g} times)",
                    name,
                    _compared(top["nesterov"], top["heavy_ball"], COMPARABLE),
                    measured,
                )
            )
        return made

    return claims


def table1(data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Evaluate the rules, their exact and claimed factors per step, and the forecast steps."""
    rows: dict[str, list[float]] = {}
    sizes, names = [], []
    for item in data:
        prepared = prepare(item)
        ends, provenance = prepared.measure.ends, prepared.data.provenance
        names.append(provenance.name)
        sizes.append((provenance.n, provenance.d, ends.smallest, ends.largest))
        root = np.sqrt(4 / 3 * ends.condition_number + 1 / 3)
        claimed = {
            "gradient_descent": 1 - 1 / root**2,
            "heavy_ball": 1 - 1 / (4 * root),
            "nesterov": 1 - 1 / (2 * root),
        }
        for name in METHODS:
            method = choose("paper", name, prepared.measure)
            limit = BISECTED if name == "gradient_descent" else STEPS_LIMIT
            row = {
                "eta": method.constant[0],
                "beta": method.constant[1],
                "radius": spectral_radius(method, prepared.measure.nodes),
                "claimed": float(claimed[name]),
                **{
                    f"steps_{target:g}": steps_to(method, prepared.measure, target, limit=limit)
                    or np.nan
                    for target in _TARGETS
                },
            }
            for key, value in row.items():
                rows.setdefault(key, []).append(float(value))
    shape = (len(data), len(METHODS))
    variables = {k: (("data", "optimizer"), np.array(v).reshape(shape)) for k, v in rows.items()}
    n, d, smallest, largest = (("data", np.array(column)) for column in zip(*sizes, strict=True))
    return xr.Dataset(
        {**variables, "n": n, "d": d, "lambda_min": smallest, "lambda_max": largest},
        coords={"data": names, "optimizer": list(METHODS)},
        attrs={"rule": "paper"},
    )


def table1_claims(result: xr.Dataset) -> list[Claim]:
    """Exact factors stay below the claimed ones, and Nesterov needs the fewest steps."""
    claims = []
    for name in _names(result):
        row = result.sel(data=name)
        for method in ("heavy_ball", "nesterov"):
            exact, claimed = (
                float(row[k].sel({"optimizer": method})) for k in ("radius", "claimed")
            )
            claims.append(
                of_data(
                    f"{method}: the factor per step of the linearised network is at most the "
                    "claimed one",
                    name,
                    known(exact <= claimed, exact, claimed),
                    f"1 - factor: exact {1 - exact:.3g}, claimed {1 - claimed:.3g}",
                )
            )
        steps = {m: float(row["steps_0.01"].sel({"optimizer": m})) for m in METHODS}
        plain, nesterov = steps["gradient_descent"], steps["nesterov"]
        claims.append(
            of_data(
                "predicted steps to 1 %: Nesterov below gradient descent",
                name,
                known(nesterov < plain, nesterov, plain),
                ", ".join(f"{m} {counted(count)}" for m, count in steps.items()),
            )
        )
    return claims


def _compared(
    smaller: Float[np.ndarray, "seeds"],
    larger: Float[np.ndarray, "seeds"],
    times: float | None = None,
) -> list[bool | None]:
    """Whether one number is below another, or at most so many times it, on every seed."""
    below = smaller < larger if times is None else smaller <= times * larger
    return [known(b, *pair) for b, *pair in zip(below, smaller, larger, strict=True)]


def _names(result: xr.Dataset) -> list[str]:
    return [str(name) for name in result.data.values]


ITEMS = (
    Item(
        "liu2022/table1",
        "Eigenvalues, hyperparameters, factors per step and predicted steps",
        f"{SOURCE}, Table 1",
        table1_claims,
        "table1",
        compute=table1,
    ),
    Item(
        "liu2022/fig2",
        "Convergence of gradient descent, heavy ball and Nesterov",
        f"{SOURCE}, Figure 2",
        figure2_claims,
        "convergence",
        study=convergence_study,
    ),
    Item(
        "liu2022/fig3",
        "Largest distance of a neuron from its start, Nesterov, by width",
        f"{SOURCE}, Figure 3",
        width_claims("max_distance", "largest distance from the start"),
        "distance_by_width",
        study=width_study,
    ),
    Item(
        "liu2022/fig4",
        "Share of changed activation patterns, Nesterov, by width",
        f"{SOURCE}, Figure 4",
        width_claims("pattern_change", "share of changed patterns"),
        "patterns_by_width",
        study=width_study,
    ),
    Item(
        "liu2022/fig5",
        "Largest distance of a neuron from its start, by method",
        f"{SOURCE}, Figure 5",
        method_claims("max_distance", "largest distance"),
        "distance_by_method",
        study=convergence_study,
    ),
    Item(
        "liu2022/fig6",
        "Share of changed activation patterns, by method",
        f"{SOURCE}, Figure 6",
        method_claims("pattern_change", "share of changed patterns"),
        "patterns_by_method",
        study=convergence_study,
    ),
)
