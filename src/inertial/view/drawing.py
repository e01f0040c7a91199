"""All figures of stored results by their keys, how they are written, and which a study has.

Figures are functions of stored results only.  Every one names its data, n, m, seeds and rule.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from inertial import files
from inertial.files import folder_in
from inertial.runs.study import Stored
from inertial.runs.style import house_style, style_of
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

_BY_METHOD = {
    "convergence": "convergence",
    "distance_by_method": "largest distance of a neuron from its start",
    "patterns_by_method": "share of changed activation patterns",
}
_BY_WIDTH = {
    "distance_by_width": "largest distance of a neuron from its start",
    "patterns_by_width": "share of changed activation patterns",
    "forecast_error": "forecast error",
}


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


def draw(stored: Stored, out: Path) -> list[Path]:
    """Draw a study by method at every width and by width for every method; return the PNG paths.

    They are FOLDER/figures/NAME/convergence-RULE-WIDTH.{png,svg,pdf} and so on.

    Raises
    ------
    InvalidInput
        If they cannot be written.

    """
    folder = folder_in(out, "figures", stored.name)
    drawn = []
    for result in stored.results:
        for key, words, about, part in _parts(result):
            title = f"{stored.name}: {words}"
            stem = f"{key.replace('_', '-')}-{result.attrs['rule']}-{about}"
            named = part.assign_attrs(title=title, missing=stored.missing)
            save(key, named, folder, stem)
            drawn.append(folder / f"{stem}.png")
    return drawn


def _parts(result: xr.Dataset) -> Iterator[tuple[str, str, str, xr.Dataset]]:
    """Yield key, words, end of the file's name and numbers of every figure."""
    single = result.sizes["optimizer"] == 1 < result.sizes["width"]
    for width in result.width.values:
        for key, words in list(_BY_METHOD.items())[: 1 if single else None]:
            yield key, words, f"{width}", result.sel(width=[width])
    if result.sizes["width"] == 1:
        return
    for method in result.optimizer.values:
        for key, words in _BY_WIDTH.items():
            label = style_of(str(method)).label
            part = result.sel({"optimizer": [method]}).sortby("width")
            yield key, f"{words}, {label}", str(method).replace("_", "-"), part
