"""Figures of a study from what is stored: by method at every width, by width for every method.

FOLDER/figures/NAME/convergence-RULE-WIDTH.{png,svg,pdf} and so on.
"""

from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from inertial.files import folder_in
from inertial.runs.study import Stored
from inertial.runs.style import style_of
from inertial.view.paper_figures import save

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


def draw(stored: Stored, out: Path) -> list[Path]:
    """Draw a study, and return the paths of the figures as PNG.

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
    lonely = result.sizes["optimizer"] == 1 < result.sizes["width"]
    for width in result.width.values:
        for key, words in list(_BY_METHOD.items())[: 1 if lonely else None]:
            yield key, words, f"{width}", result.sel(width=[width])
    if result.sizes["width"] == 1:
        return
    for method in result.optimizer.values:
        for key, words in _BY_WIDTH.items():
            label = style_of(str(method)).label
            part = result.sel({"optimizer": [method]}).sortby("width")
            yield key, f"{words}, {label}", str(method).replace("_", "-"), part
