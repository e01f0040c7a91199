"""Beyond the papers: where methods converge how fast, and how good the forecast is at a width."""

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.linear.spectrum import Extremes
from inertial.method.modes import spectral_radius, stability_limit
from inertial.method.recursion import Recursion, heavy_ball, nesterov
from inertial.method.rules import RULES
from inertial.reproduce.item import Claim, Item, Scale, known, of_data, slope_of_log
from inertial.reproduce.liu2022 import width_study
from inertial.runs.config import DataSet
from inertial.runs.execution import prepare, tuned
from inertial.runs.measures import forecast_error

MOMENTUM: tuple[str, ...] = ("heavy_ball", "nesterov")

_ETAS = np.linspace(0.05, 4.0, 120)
"""Step sizes of the phase diagram, times the largest eigenvalue."""

_BETAS = 1 - np.geomspace(1, 1e-4, 120)
"""Momenta of the phase diagram."""

_RULES = ("paper", "quadratic", "forecast")

_TARGET = 0.01


def phase(data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Spectral radius over step size and momentum, and where the rules put the methods."""
    names, radius, tuned_at, limits, sizes = [], [], [], [], []
    for item in data:
        prepared = prepare(item)
        ends = prepared.measure.ends
        names.append(prepared.data.provenance.name)
        sizes.append(prepared.data.provenance.n)
        radius.append([_radii(name, ends) for name in MOMENTUM])
        limits.append([[stability_limit(_method(m, 1.0, b)) for b in _BETAS] for m in MOMENTUM])
        tuned_at.append(
            [[_point(item, rule, m, ends.largest) for rule in _RULES] for m in MOMENTUM]
        )
    points = np.array(tuned_at)
    along = ("data", "optimizer")
    return xr.Dataset(
        {
            "radius": ((*along, "beta", "eta"), np.array(radius)),
            "limit": ((*along, "beta"), np.array(limits)),
            "tuned_eta": ((*along, "rule"), points[..., 0]),
            "tuned_beta": ((*along, "rule"), points[..., 1]),
            "tuned_radius": ((*along, "rule"), points[..., 2]),
            "n": ("data", np.array(sizes)),
        },
        coords={
            "data": names,
            "optimizer": list(MOMENTUM),
            "beta": _BETAS,
            "eta": _ETAS,
            "rule": list(_RULES),
        },
        attrs={"rule": ", ".join(_RULES)},
    )


def phase_claims(result: xr.Dataset) -> list[Claim]:
    """Check that the stability limit is the border, and that `quadratic` is the fastest."""
    claims = []
    for name in (str(value) for value in result.data.values):
        for method in MOMENTUM:
            part = result.sel({"data": name, "optimizer": method})
            inside = part.eta < part.limit
            agree = ((part.radius < 1) == inside).transpose("beta", "eta").values
            claims.append(
                of_data(
                    f"{method}: the radius is below 1 exactly below the limit "
                    "2(1 + beta)/(1 + 2 gamma) of eta times the largest eigenvalue",
                    name,
                    bool(agree.all()),
                    f"{agree.sum():,} of {agree.size:,} grid points",
                )
            )
            best = float(part.tuned_radius.sel(rule="quadratic"))
            grid = float(part.radius.min())
            claims.append(
                of_data(
                    f"{method}: no grid point has a smaller radius than the rule `quadratic`",
                    name,
                    best <= grid * (1 + 1e-12),
                    f"1 - radius: rule {1 - best:.3g}, best of the grid {1 - grid:.3g}",
                )
            )
    return claims


def _method(name: str, eta: float, beta: float) -> Recursion:
    return (heavy_ball if name == "heavy_ball" else nesterov)(eta, beta)


def _radii(name: str, ends: Extremes) -> Float[np.ndarray, "b e"]:
    """Spectral radius on the grid: along the spectrum it falls, then rises, so its ends decide."""
    scaled = np.array([ends.smallest, ends.largest]) / ends.largest
    rows = [
        [spectral_radius(_method(name, float(e), float(b)), scaled) for e in _ETAS] for b in _BETAS
    ]
    return np.array(rows)


def _point(item: DataSet, rule: str, name: str, largest: float) -> tuple[float, float, float]:
    """Where a rule puts a method, and its radius there."""
    method = tuned(item, rule, name, _TARGET)
    values = prepare(item).measure.nodes
    eta, beta, _ = method.constant
    return eta * largest, beta, spectral_radius(method, values)


def forecast_claims(result: xr.Dataset) -> list[Claim]:
    """Check that the error falls with the width."""
    claims = []
    whole = forecast_error(result).where(result.loss.notnull().all("step"))
    error = whole.sel({"optimizer": "nesterov"}).mean("seed", skipna=False)
    for name in (str(value) for value in result.data.values):
        values = error.sel(data=name).values
        slope = slope_of_log(np.log(result.width.values), values)
        claims.append(
            of_data(
                "the forecast error is smaller at the largest width than at the smallest, by more "
                "than half",
                name,
                known(values[-1] < values[0] / 2, values[0], values[-1]),
                ", ".join(f"{v:.2g}" for v in values) + f"; log-log slope {slope:.2f}",
            )
        )
    return claims


ITEMS = (
    Item(
        "beyond/phase-diagram",
        "Spectral radius over step size and momentum, with the tuned points",
        f"this project; rules {', '.join(RULES[key].source for key in _RULES[:2])}",
        phase_claims,
        "phase",
        compute=phase,
    ),
    Item(
        "beyond/forecast-error",
        "Error of the forecast against width",
        "this project",
        forecast_claims,
        "forecast_error",
        study=width_study,
    ),
)
