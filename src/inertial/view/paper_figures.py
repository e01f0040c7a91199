"""All figures of stored results by their keys, and how they are written.

Figures are functions of stored results only.  Every one names its data, n, m, seeds and rule.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from inertial import files
from inertial.runs.style import house_style
from inertial.view import kernel_figures, law_figures, run_figures

KINDS = ("png", "svg", "pdf")

_DISTANCE = r"$\max_r\,|w_r(t) - w_r(0)|$"
_PATTERNS = "share of changed patterns"

FIGURES: dict[str, Callable[[xr.Dataset], Figure]] = {
    "convergence": run_figures.convergence,
    "distance_by_width": run_figures.by_width("max_distance", _DISTANCE),
    "patterns_by_width": run_figures.by_width("pattern_change", _PATTERNS),
    "distance_by_method": run_figures.by_method("max_distance", _DISTANCE),
    "patterns_by_method": run_figures.by_method("pattern_change", _PATTERNS),
    "forecast_error": run_figures.forecast_error,
    "table1": kernel_figures.table1,
    "rate": kernel_figures.rate,
    "theta": kernel_figures.theta,
    "iterations": kernel_figures.iterations,
    "flows": kernel_figures.flows,
    "phase": kernel_figures.phase,
    "power_laws": law_figures.power_laws,
    "batch_limit": law_figures.batch_limit,
}
"""Figures by the keys that items name."""


def save(key: str, result: xr.Dataset, folder: Path, stem: str = "figure") -> None:
    """Draw a figure and write it as ``figure.png``, ``.svg`` and ``.pdf`` into a folder."""
    with house_style():
        figure = FIGURES[key](result)
        for kind in KINDS:
            stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
            drawn = BytesIO()
            figure.savefig(drawn, format=kind, dpi=200, metadata=stamp)
            name = f"{stem}.{kind}"
            files.write(files.below(folder, name), drawn.getvalue(), remedy=files.STAYS)
