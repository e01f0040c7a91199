"""Figures draw the stored numbers, and name data, n, m, seeds and rule."""

import numpy as np
import pytest
import xarray as xr

from inertial.report.figures import STYLES
from inertial.report.paper_figures import FIGURES, save


@pytest.fixture
def stored(rng):
    along = ("data", "method", "width", "seed", "step")
    shape = (2, 3, 2, 3, 6)
    names = ("loss", "forecast_loss", "max_distance", "pattern_change")
    return xr.Dataset(
        {name: (along, rng.uniform(0.1, 1, shape)) for name in names},
        coords={
            "data": ["first", "<second>"],
            "method": list(STYLES),
            "width": [1000, 2000],
            "seed": [0, 1, 2],
            "step": np.arange(6),
        },
        attrs={"rule": "paper", "title": "What it shows"},
    ).assign(n=("data", [1234, 50]), d=("data", [7, 8]))


def words(figure):
    texts = [axes.get_title() + axes.get_title(loc="left") for axes in figure.axes]
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return " ".join([figure.get_suptitle(), *texts, *legends])


@pytest.mark.parametrize(
    "key",
    [
        "convergence",
        "distance_by_width",
        "patterns_by_width",
        "distance_by_method",
        "patterns_by_method",
    ],
)
def test_panels_name_everything(stored, key):
    said = words(FIGURES[key](stored))
    for fact in ("first (n = 1,234, d = 7)", "m = 1,000", "3 seeds", "rule: paper"):
        assert fact in said


def test_convergence_draws_the_mean_over_seeds(stored):
    axes = FIGURES["convergence"](stored).axes[1]
    for name, style in STYLES.items():
        line = next(line for line in axes.lines if line.get_label() == style.label)
        expected = stored.loss.sel({"data": "<second>", "method": name}).isel(width=0).mean("seed")
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert (line.get_color(), line.get_marker()) == (style.colour, style.marker)


def test_widths_differ_in_dashes_as_well_as_colour(stored):
    axes = FIGURES["distance_by_width"](stored).axes[0]
    assert len({line.get_linestyle() for line in axes.lines}) == len(axes.lines) == 2
    expected = stored.max_distance.sel({"data": "first", "method": "nesterov", "width": 2000})
    np.testing.assert_allclose(axes.lines[1].get_ydata(), expected.mean("seed"))


def test_the_forecast_error_is_drawn_as_defined(stored):
    axes = FIGURES["forecast_error"](stored).axes[0]
    part = stored.sel({"data": "first", "method": "nesterov"}).transpose("width", "seed", "step")
    roots = np.sqrt(part.loss.values), np.sqrt(part.forecast_loss.values)
    gap = np.abs(roots[0] - roots[1]).max(-1) / roots[0][..., 0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), gap.mean(-1))


def test_all_three_kinds_of_file_are_written(stored, tmp_path):
    save("convergence", stored, tmp_path)
    kinds = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    for suffix, magic in kinds.items():
        assert (tmp_path / f"figure{suffix}").read_bytes().startswith(magic)
