"""One panel: methods from the same starts on one data set, with one rule and one width.

A run of `compare` is one panel and a study has many.  A panel is an `xr.Dataset` over (method,
seed, step) as `compare` stores it; runs that a study still misses have the status ``missing`` and
no numbers.  Statistics over seeds are those of the figures: mean, and range as a band.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial._checks import fraction
from inertial.method.conventions import from_sgd, snippet
from inertial.method.recursion import FAMILIES, label
from inertial.method.schedule import SCHEDULES
from inertial.method.trust import Trust
from inertial.runs.measures import (
    diverged,
    first_at,
    forecast_error,
    last_of,
    misses,
    partly_at,
    rings_back,
    share_left,
    stays_from,
    steps_to_share,
    stopping_of_runs,
    trust_of,
    trusted,
    unforeseen,
)
from inertial.runs.ranking import Ranking, Standing, rank
from inertial.runs.settings import Settings
from inertial.runs.style import style_of
from inertial.simulation.transformations import TRANSFORMATIONS, Optax
from inertial.theory.gather import StoredRun
from inertial.view.page import packed

MOST_NUMBERS = 90_000
"""Numbers that a page holds; longer runs are thinned to every k-th step."""

LEAST_NUMBERS = 30_000
"""Of these, how many there is room for along the steps, however many eigenvalues there are."""

TARGETS = (0.1, 0.01, 0.001)
"""Shares of the initial loss whose step counts are shown."""

SCRIPTS = ("charts.js", "report.js")
"""Scripts of every report."""

KNOWN = (*FAMILIES, *SCHEDULES, *TRANSFORMATIONS)
"""Methods that a run may have."""

DISTANCES = ("max_distance", "mean_distance")

_ALONG = ("optimizer", "seed", "step")
_MODES = ("eigenvalue", "weight")
_KERNEL = ("drift_spectral", "drift_frobenius", "smallest")
_FIGURED = {"loss", "forecast_loss", "bound_loss", *DISTANCES, "pattern_change"}
_FIGURED |= {"distance", "forecast_distance", "test_loss", "forecast_test_loss", "gcv"}
_FIGURED |= {"test_accuracy", "forecast_test_accuracy"}


@dataclass(frozen=True)
class Row:
    """A method's line of the summary table; None where a seed did not get there.

    `steps_to` are measured steps to shares of the initial loss, `forecast` those to the target that
    were forecast, `promised` says whether some start's forecast got there, though not every one's,
    `partly` says whether some start got to it, though not every one, `stays` is the
    step from which every start stays there (`stays_from`), and `rings` says whether one is above in
    between; `left` is the share of the loss at the end; `unforeseen` counts the diverged runs whose
    forecast did not diverge, `trust` judges the forecast, and `missed` says whether the mean steps
    to the target are not those forecast (`misses`).  `stored` of `seeds` runs are there;
    everything else is a statistic over those.
    """

    key: str
    label: str
    eta: float
    beta: float
    gamma: float
    steps_to: dict[float, float | None]
    forecast: float | None
    promised: bool
    partly: bool
    rings: bool
    stays: int | None
    left: float
    last: tuple[float, float, float]
    distance: float | None
    pattern_change: float | None
    forecast_error: float | None
    diverged: int
    unforeseen: int
    trust: Trust | None
    missed: bool
    stored: int
    seeds: int

    @property
    def trusted(self) -> str:
        """What a table says of trust."""
        return trusted(self.trust, missed=self.missed)


def shares_of(target: float) -> tuple[float, ...]:
    """Shares of the initial loss whose step counts are shown, with the one that was asked for."""
    return tuple(sorted({*TARGETS, target}, reverse=True))


def rows_of(arrays: xr.Dataset, target: float, width: int) -> list[Row]:
    """Return the summary table of a panel, one row per method."""
    return [
        _row(arrays.sel({"optimizer": name}), str(name), target, width)
        for name in arrays.optimizer.values
    ]


def ranked(rows: Sequence[Row], target: float) -> Ranking:
    """Rank the methods of a panel by what was asked."""
    return rank(
        target,
        [
            Standing(
                row.key,
                row.steps_to[target],
                row.forecast,
                row.left,
                row.diverged,
                row.partly,
                row.rings,
                row.stays,
                row.promised,
            )
            for row in rows
        ],
    )


def labels() -> dict[str, str]:
    """Return how methods are written on a page."""
    return {name: label(name) for name in KNOWN}


def momentum_of(row: Row) -> float | None:
    """Return the momentum of a row; None without one, and for optimisers of optax."""
    return row.beta if row.beta > 0 else None


def lines_of(row: Row, decay: float = 0.0, *, rows: int | None = None) -> str:
    """Return the lines to copy for a row, with weight decay at a rate.

    Those of a sum over rows become those of a mean over a batch where the number of all `rows` is
    given.
    """
    if row.key in TRANSFORMATIONS:
        return Optax(row.key, row.eta).lines(decay)
    if row.key in SCHEDULES:
        return (
            "# from inertial.method.schedule import TorchSchedule, for_measure\n"
            f"# for_measure({row.key!r}, measure, steps) is the schedule, and the run's file holds "
            "it;\n# TorchSchedule(optimizer, schedule, loss=..., rows=...) sets it step by step"
        )
    method = from_sgd(row.eta, row.beta, nesterov=row.gamma > 0)
    if rows is None:
        return snippet(method, decay=decay)
    return snippet(method, loss="half_mean", rows=rows, decay=decay / rows)


def target_of(manifest: Mapping[str, Any]) -> float:
    """Share of the loss that was asked for; that of the settings' default where none is stored."""
    given = mapping(manifest, "settings").get("target", Settings.target)
    return fraction("target of the run", given)


def mapping(manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a part of a manifest, empty if it is not there."""
    value = manifest.get(key)
    return value if isinstance(value, Mapping) else {}


def gradient_descent_of(rows: Sequence[Row]) -> Row | None:
    """Return the row of gradient descent, if there is one."""
    return next((row for row in rows if row.key == "gradient_descent"), None)


def stride(panels: Sequence[xr.Dataset], modes: int = 0) -> int:
    """Keep every how many-th step, so that a page with panels and spectra stays small.

    `modes` eigenvalues stand on the page, each with its weight.
    """
    numbers = sum(
        int(arrays[name].size)
        for arrays in panels
        for name in (*series(arrays), *(("flow_loss",) if "flow_loss" in arrays else ()))
    )
    return max(1, math.ceil(numbers / max(LEAST_NUMBERS, MOST_NUMBERS - 2 * modes)))


def series(arrays: xr.Dataset) -> list[str]:
    """Names of all numbers over (method, seed, step)."""
    return [
        str(name)
        for name, values in arrays.data_vars.items()
        if set(values.dims) == set(_ALONG) and values.dtype.kind in "fiu"
    ]


def others(arrays: xr.Dataset) -> list[dict[str, str]]:
    """List the records that have no figure of their own; each gets one, under its long name."""
    return [
        {"name": name, "title": str(arrays[name].attrs.get("long_name", name))}
        for name in series(arrays)
        if name not in _FIGURED
    ]


def stopping(arrays: xr.Dataset) -> dict[str, Any]:
    """Return what a page has of the test rows: where to stop, and if there are classes."""
    if "test_loss" not in arrays or "test_rows" not in arrays.attrs:
        return {"stopping": None, "accuracy": False}
    names = [str(name) for name in arrays.optimizer.values]
    return {
        "stopping": {name: stopping_of_runs(arrays.sel({"optimizer": name})) for name in names},
        "accuracy": "test_accuracy" in arrays,
    }


def ends(arrays: xr.Dataset) -> tuple[float, float] | None:
    """Smallest and largest eigenvalue, if the spectrum is stored."""
    if "eigenvalue" not in arrays:
        return None
    values = arrays.eigenvalue.values
    return float(values[0]), float(values[-1])


def spectrum(arrays: xr.Dataset) -> list[dict[str, Any]]:
    """Eigenvalues, ascending, and weights: what the figures of a spectrum draw, if it is stored."""
    if not set(_MODES) <= set(arrays):
        return []
    return [{name: packed(np.asarray(arrays[name].values, float)) for name in _MODES}]


def kernel(run: StoredRun) -> dict[str, Any] | None:
    """Kernels measured again, if they were, as a panel over the sampled steps.

    `least` is the smallest eigenvalue of the infinite-width kernel.  A diverged run has none.
    """
    if not run.probes:
        return None
    arrays, steps = run.arrays, next(iter(run.probes.values())).steps
    methods, seeds = arrays.optimizer.values, arrays.seed.values
    shape = (len(methods), len(seeds), len(steps))
    values = {name: np.full(shape, np.nan) for name in _KERNEL}
    status = np.full(shape[:2], "missing", dtype=object)
    for i, method in enumerate(methods):
        for j, seed in enumerate(seeds):
            probe = run.probes.get((str(method), int(seed)))
            if probe is not None:
                status[i, j] = "finished"
                for name in _KERNEL:
                    values[name][i, j] = getattr(probe, name)
    panel = xr.Dataset(
        {name: (_ALONG, array) for name, array in values.items()}
        | {"status": (_ALONG[:2], status)},
        coords={"optimizer": methods, "seed": seeds, "step": steps},
    )
    return numbers(panel) | {"least": None if (two := ends(arrays)) is None else two[0]}


def numbers(arrays: xr.Dataset, every: int = 1) -> dict[str, Any]:
    """Everything the figures of a panel draw, number by number as it is stored."""
    thin = arrays.isel({"step": slice(None, None, every)})
    return {
        "methods": [str(name) for name in arrays.optimizer.values],
        "seeds": [int(seed) for seed in arrays.seed.values],
        "steps": [int(step) for step in thin.step.values],
        "stored": _stored(arrays).transpose("optimizer", "seed").values.tolist(),
        "series": {
            name: packed(np.asarray(thin[name].transpose(*_ALONG).values, float))
            for name in series(arrays)
        },
        "flows": _flows(thin),
    }


def _flows(thin: xr.Dataset) -> list[dict[str, Any]]:
    """Losses over (seed, step) of the flows, each with the method that it is set beside."""
    if "flow_loss" not in thin:
        return []
    return [
        {
            "name": str(key),
            "label": label(str(key)),
            "method": str(thin.flow_method.sel(flow=key).values),
            "loss": packed(
                np.asarray(thin.flow_loss.sel(flow=key).transpose(*_ALONG[1:]).values, float)
            ),
        }
        for key in thin.flow.values
    ]


def _stored(arrays: xr.Dataset) -> xr.DataArray:
    """Which runs are there, over (method, seed)."""
    if "status" in arrays:
        return arrays["status"].astype(str) != "missing"
    return xr.ones_like(arrays["loss"].isel(step=0, drop=True), dtype=bool)


def _row(run: xr.Dataset, name: str, target: float, width: int) -> Row:
    seeds = run.sizes["seed"]
    run = run.isel({"seed": np.flatnonzero(_stored(run).values)})
    loss = run.loss.transpose("seed", "step").values
    last, foreseen = np.array([last_of(values) for values in loss]), _forecast_steps(run, target)
    steps_to = {share: steps_to_share(run.loss, share) for share in shares_of(target)}
    forecast = None if foreseen is None or np.isnan(foreseen).any() else float(foreseen.mean())
    return Row(
        key=name,
        label=style_of(name).label,
        eta=float(run.eta),
        beta=float(run.beta),
        gamma=float(run.gamma),
        steps_to=steps_to,
        forecast=forecast,
        promised=foreseen is not None and 0 < int(np.isnan(foreseen).sum()) < len(foreseen),
        partly=partly_at(run.loss, target),
        rings=rings_back(run.loss, target),
        stays=stays_from(run.loss, target),
        left=share_left(run.loss),
        last=(float(last.mean()), float(last.min()), float(last.max())),
        distance=_final_mean(run, "max_distance"),
        pattern_change=_final_mean(run, "pattern_change"),
        forecast_error=float(forecast_error(run).mean()) if "forecast_loss" in run else None,
        diverged=int(diverged(run).sum()),
        unforeseen=int(unforeseen(run).sum()),
        trust=trust_of(run, target, width),
        missed=misses(forecast, steps_to[target], int(run.step.values[-1])),
        stored=run.sizes["seed"],
        seeds=seeds,
    )


def _forecast_steps(run: xr.Dataset, target: float) -> Float[np.ndarray, "seed"] | None:
    """Forecast step counts: as stored, far beyond the run, or as its curve shows; NaN where none.

    None without a forecast.
    """
    if "forecast_steps" in run and (run.share == target).any():
        return np.asarray(run.forecast_steps.sel({"share": target}).values, float)
    return first_at(run.forecast_loss, target) if "forecast_loss" in run else None


def _final_mean(run: xr.Dataset, name: str) -> float | None:
    if name not in run:
        return None
    return float(np.mean([last_of(row) for row in run[name].transpose("seed", "step").values]))
