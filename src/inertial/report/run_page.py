"""One page about a stored run: what was run, what to use, and every figure with its numbers.

Everything on the page is read from the run's arrays and manifest; nothing is trained or forecast
again.  Statistics over seeds are those of the figures: mean, and range as a band.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput, one_of, whole
from inertial.report.figures import STYLES
from inertial.report.page import packed, render
from inertial.theory.audit import AuditEntry

SCRIPTS = ("charts.js", "report.js")

MOST_NUMBERS = 70_000
"""Numbers along the steps that a page holds; longer runs are thinned to every k-th step."""

_NEEDED = ("loss", "eta", "beta", "gamma", "method", "seed", "step")
_FACTS = ("data", "n", "d", "width", "rule", "kernel", "data_sha256")
_ALONG = ("method", "seed", "step")
_TARGETS = (0.1, 0.01, 0.001)
_CONVERGENCE = ("loss", "forecast_loss")
_DISTANCES = ("max_distance", "mean_distance")
_VERDICTS = ("holds", "violated", "vacuous", "unresolved", "not applicable", "unverifiable")


@dataclass(frozen=True)
class _Row:
    """A method's line of the summary table; None where a seed did not get there."""

    key: str
    label: str
    eta: float
    beta: float
    gamma: float
    steps_to: tuple[float | None, ...]
    last: tuple[float, float, float]
    distance: float | None
    pattern_change: float | None
    forecast_error: float | None
    diverged: int


def report_page(
    arrays: xr.Dataset,
    manifest: Mapping[str, Any],
    audit: Sequence[AuditEntry] | None = None,
    *,
    command: str | None = None,
) -> str:
    """Return the page of a run, self-contained.

    Parameters
    ----------
    arrays, manifest
        What `read_run` returned.
    audit
        Entries of an audit of this run; without them the page has no such section.
    command
        The command that makes this page.

    Raises
    ------
    InvalidInput
        If the arrays are not those of a comparison.

    """
    _check(arrays)
    rows = [_row(arrays.sel({"method": name}), str(name)) for name in arrays.method.values]
    every = _stride(arrays)
    return render(
        "report.html",
        SCRIPTS,
        _document(arrays, every),
        arrays=arrays.attrs | {name: int(arrays.attrs[name]) for name in ("n", "d", "width")},
        manifest=manifest,
        settings=_mapping(manifest, "settings"),
        data=_mapping(manifest, "data"),
        seeds=arrays.sizes["seed"],
        rows=rows,
        targets=_TARGETS,
        best=_best(rows),
        plain=next((row for row in rows if row.key == "gradient_descent"), None),
        ends=_ends(arrays),
        every=every,
        steps=int(arrays.step.values[-1]),
        has={name: name in arrays for name in (*_DISTANCES, "pattern_change", "eigenvalue")},
        others=_others(arrays),
        audit=audit,
        counts=_counts(audit or ()),
        command=command,
    )


def _check(arrays: xr.Dataset) -> None:
    """Refuse arrays that are not those of a comparison."""
    missing = [name for name in _NEEDED if name not in arrays.variables]
    missing += [name for name in _FACTS if name not in arrays.attrs]
    if missing:
        raise InvalidInput(
            f"the run lacks {', '.join(missing)}, so it is no comparison; give the folder that "
            "`inertial compare` made."
        )
    for name in ("n", "d", "width"):
        whole(name, int(arrays.attrs[name]))
    for name in arrays.method.values:
        one_of("method of the run", str(name), STYLES)


def _document(arrays: xr.Dataset, every: int) -> dict[str, Any]:
    """Everything the figures draw, number by number as it is stored."""
    thin = arrays.isel({"step": slice(None, None, every)})
    spectrum = (
        {name: packed(np.asarray(arrays[name].values, float)) for name in ("eigenvalue", "weight")}
        if {"eigenvalue", "weight"} <= set(arrays)
        else None
    )
    return {
        "methods": [str(name) for name in arrays.method.values],
        "labels": {key: style.label for key, style in STYLES.items()},
        "seeds": [int(seed) for seed in arrays.seed.values],
        "steps": [int(step) for step in thin.step.values],
        "series": {
            name: packed(np.asarray(thin[name].transpose(*_ALONG).values, float))
            for name in _series(arrays)
        },
        "others": _others(arrays),
        "spectrum": spectrum,
    }


def _series(arrays: xr.Dataset) -> list[str]:
    """Names of all numbers over (method, seed, step)."""
    return [
        str(name)
        for name, values in arrays.data_vars.items()
        if set(values.dims) == set(_ALONG) and values.dtype.kind in "fiu"
    ]


def _others(arrays: xr.Dataset) -> list[dict[str, str]]:
    """List the records that have no figure of their own; each gets one, under its long name."""
    known = {*_CONVERGENCE, *_DISTANCES, "pattern_change"}
    return [
        {"name": name, "title": str(arrays[name].attrs.get("long_name", name))}
        for name in _series(arrays)
        if name not in known
    ]


def _mapping(manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = manifest.get(key)
    return value if isinstance(value, Mapping) else {}


def _stride(arrays: xr.Dataset) -> int:
    """Keep every how many-th step, so that the page stays small."""
    sizes = arrays.sizes
    numbers = len(_series(arrays)) * sizes["method"] * sizes["seed"] * sizes["step"]
    return max(1, math.ceil(numbers / MOST_NUMBERS))


def _row(run: xr.Dataset, name: str) -> _Row:
    loss = run.loss.transpose("seed", "step").values
    diverged = int((run.status == "diverged").sum()) if "status" in run else 0
    last = np.array([_last(values) for values in loss])
    return _Row(
        key=name,
        label=STYLES[name].label,
        eta=float(run.eta),
        beta=float(run.beta),
        gamma=float(run.gamma),
        steps_to=tuple(_steps_to(run.loss, target) for target in _TARGETS),
        last=(float(last.mean()), float(last.min()), float(last.max())),
        distance=_final_mean(run, "max_distance"),
        pattern_change=_final_mean(run, "pattern_change"),
        forecast_error=_forecast_error(run),
        diverged=diverged,
    )


def _last(values: np.ndarray) -> float:
    """Return the last record of a run, before the padding that follows a divergence."""
    recorded = values[~np.isnan(values)]
    return float(recorded[-1]) if recorded.size else math.nan


def _final_mean(run: xr.Dataset, name: str) -> float | None:
    if name not in run:
        return None
    return float(np.mean([_last(row) for row in run[name].transpose("seed", "step").values]))


def _steps_to(loss: xr.DataArray, share: float) -> float | None:
    """Mean over seeds of the first step at a share of the first loss; None unless all get there."""
    reached = (loss <= share * loss.isel(step=0)).transpose("seed", "step").values
    if not reached.any(axis=1).all():
        return None
    return float(loss.step.values[reached.argmax(axis=1)].mean())


def _forecast_error(run: xr.Dataset) -> float | None:
    r"""Return the mean over seeds of ``max_t |sqrt(L) - sqrt(forecast)| / sqrt(L_0)``."""
    if "forecast_loss" not in run:
        return None
    gap = np.abs(np.sqrt(run.loss) - np.sqrt(run.forecast_loss)).max("step")
    return float((gap / np.sqrt(run.loss.isel(step=0))).mean())


def _best(rows: Sequence[_Row]) -> dict[str, Any]:
    """Pick the method that got to the smallest target that any of them reached, and when."""
    safe = [row for row in rows if not row.diverged]
    for index in reversed(range(len(_TARGETS))):
        reached = [(row.steps_to[index], row) for row in safe if row.steps_to[index] is not None]
        if reached:
            steps, row = min(reached, key=lambda pair: pair[0] or 0)
            return {"row": row, "steps": steps, "target": _TARGETS[index], "index": index}
    row = min(safe or rows, key=lambda one: one.last[0])
    return {"row": row, "steps": None, "target": None, "index": None}


def _ends(arrays: xr.Dataset) -> tuple[float, float] | None:
    if "eigenvalue" not in arrays:
        return None
    values = arrays.eigenvalue.values
    return float(values[0]), float(values[-1])


def _counts(audit: Sequence[AuditEntry]) -> list[tuple[str, int]]:
    """Count the verdicts in their fixed order, without the known slips as printed."""
    found = [entry.verdict for entry in audit if entry.form != "printed"]
    return [(verdict, found.count(verdict)) for verdict in _VERDICTS if verdict in found]
