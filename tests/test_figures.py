"""The convergence figure draws the stored numbers."""

import numpy as np
import pytest
import xarray as xr

from inertial.runs.style import STYLES
from inertial.view.figures import convergence
from inertial.view.scaffold import legend_below, new_figure


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    shape = (2, 3, 5)
    along = ("optimizer", "seed", "step")
    return xr.Dataset(
        {
            "loss": (along, rng.uniform(1, 9, shape)),
            "forecast_loss": (along, rng.uniform(1, 9, shape)),
        },
        coords={"optimizer": ["heavy_ball", "nesterov"], "seed": [0, 1, 2], "step": np.arange(5)},
        attrs={"data": "some <data>", "n": 1234, "d": 5, "width": 6000, "rule": "paper"},
    )


def test_lines_are_means_and_bands_are_ranges(arrays):
    axes = convergence(arrays).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    for name in ("heavy_ball", "nesterov"):
        style, run = STYLES[name], arrays.sel({"optimizer": name})
        drawn = lines[style.label]
        np.testing.assert_allclose(drawn.get_ydata(), run.loss.mean("seed"))
        assert drawn.get_color() == style.colour
    dashed = [line for line in axes.lines if line.get_linestyle() == "--" and len(line.get_ydata())]
    np.testing.assert_allclose(
        [line.get_ydata() for line in dashed], arrays.forecast_loss.mean("seed")
    )
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    run = arrays.loss.sel({"optimizer": "heavy_ball"})
    assert set(np.round(band, 9)) >= set(
        np.round(np.concatenate([run.min("seed"), run.max("seed")]), 9)
    )
    assert axes.get_yscale() == "log"


@pytest.mark.parametrize("steps", [20, 40, 60, 80, 100])
def test_no_marker_is_on_the_rim(arrays, steps):
    long = arrays.reindex(step=np.arange(steps + 1), method="ffill")
    for line in convergence(long).axes[0].lines:
        if line.get_label() in {style.label for style in STYLES.values()}:
            start, every = line.get_markevery()
            marked = line.get_xdata()[start::every]
            assert marked.size >= 7
            assert marked[0] > 0
            assert marked[-1] < steps


def test_the_figure_names_data_size_width_seeds_and_rule(arrays):
    assert (
        convergence(arrays).get_suptitle().replace("\n", " ")
        == "some <data>: n = 1,234, d = 5, width m = 6,000, 3 seeds (mean and range), rule: paper"
    )


def test_the_region_below_the_bound_is_shaded_up_to_its_mean_and_moves_no_axis(arrays):
    plain = convergence(arrays).axes[0]
    # A run that is missing, and steps beyond those that the bound was taken to.
    bound = np.full(arrays.loss.shape, np.nan)
    bound[:, :2, :3] = [[9.0, 2.0, 1e-9], [7.0, 1.0, 1e-9]]
    axes = convergence(arrays.assign(bound_loss=(arrays.loss.dims, bound))).axes[0]
    (region,) = (one for one in axes.collections if "no gradient method" in one.get_label())
    low = plain.get_ylim()[0]
    corners = region.get_paths()[0].vertices
    edge = {step: max(y for x, y in corners if x == step) for step in (0, 1, 2)}
    assert edge == {0: 8.0, 1: 1.5, 2: low}
    assert corners[:, 0].max() == 2
    assert axes.get_ylim() == plain.get_ylim()


def test_methods_differ_in_colour_and_marker():
    for what in ("colour", "marker", "label"):
        assert len({getattr(style, what) for style in STYLES.values()}) == len(STYLES)


def test_a_long_legend_takes_more_lines_instead_of_leaving_the_figure():
    figure = new_figure(5.0, 3.0)
    axes = figure.add_subplot()
    for i in range(5):
        axes.plot([0, 1], [i, i], label=f"a method with a long name, {i}")
    legend_below(figure, axes)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
