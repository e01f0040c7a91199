"""Figures draw the stored numbers, and name data, n, m, seeds and rule."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

from inertial.runs.style import STYLES
from inertial.view.drawing import FIGURES, save
from inertial.view.scaffold import captioned, new_figure


@pytest.fixture
def stored(rng):
    along = ("data", "optimizer", "width", "seed", "step")
    shape = (2, 3, 2, 3, 6)
    names = ("loss", "forecast_loss", "max_distance", "pattern_change")
    return xr.Dataset(
        {name: (along, rng.uniform(0.1, 1, shape)) for name in names},
        coords={
            "data": ["first", "<second>"],
            "optimizer": list(STYLES),
            "width": [1000, 2000],
            "seed": [0, 1, 2],
            "step": np.arange(6),
        },
        attrs={"rule": "paper", "title": "What it shows"},
    ).assign(n=("data", [1234, 50]), d=("data", [7, 8]))


def words(figure):
    texts = [axes.get_title() + axes.get_title(loc="left") for axes in figure.axes]
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return " ".join([figure.get_suptitle().replace("\n", " "), *texts, *legends])


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
        expected = (
            stored.loss.sel({"data": "<second>", "optimizer": name}).isel(width=0).mean("seed")
        )
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert (line.get_color(), line.get_marker()) == (style.colour, style.marker)


def test_widths_differ_in_dashes_as_well_as_colour(stored):
    axes = FIGURES["distance_by_width"](stored.sel({"optimizer": ["nesterov"]})).axes[0]
    assert len({line.get_linestyle() for line in axes.lines}) == len(axes.lines) == 2
    expected = stored.max_distance.sel({"data": "first", "optimizer": "nesterov", "width": 2000})
    np.testing.assert_allclose(axes.lines[1].get_ydata(), expected.mean("seed"))


def test_the_forecast_error_is_drawn_as_defined(stored):
    axes = FIGURES["forecast_error"](stored.sel({"optimizer": ["nesterov"]})).axes[0]
    part = stored.sel({"data": "first", "optimizer": "nesterov"}).transpose("width", "seed", "step")
    roots = np.sqrt(part.loss.values), np.sqrt(part.forecast_loss.values)
    gap = np.abs(roots[0] - roots[1]).max(-1) / roots[0][..., 0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), gap.mean(-1))


def test_convergence_is_smoothed_over_the_window_that_it_names(stored):
    long = stored.isel(step=[0] * 101).assign_coords(step=np.arange(101))
    ringing = 2 + np.cos(2 * np.pi * long.step / 7)
    figure = FIGURES["convergence"](long.assign(loss=long.loss * 0 + ringing))
    assert "3 seeds in windows of 7 steps" in words(figure)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    # The window of 100 steps is 7, one period: 1e-12 for a mean of 21 numbers.
    np.testing.assert_allclose(lines["Nesterov"].get_ydata()[6:-3], 2, atol=1e-12)


def test_missing_seeds_are_left_out_and_counted_and_a_divergence_leaves_visibly(stored):
    part = stored.copy(deep=True).assign_attrs(missing=4, rule="paper")
    for name in ("loss", "max_distance", "forecast_loss", "pattern_change"):
        part[name].loc[{"data": "first", "optimizer": "nesterov", "seed": 2}] = np.nan
        part[name].loc[{"data": "first", "optimizer": "heavy_ball"}] = np.nan
    part.loss.loc[{"data": "first", "optimizer": "gradient_descent", "seed": 0, "step": 4}] = 1e9
    figure = FIGURES["convergence"](part)
    assert "missing runs: 4" in words(figure)
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    expected = part.loss.sel({"data": "first", "optimizer": "nesterov", "seed": [0, 1]}).isel(
        width=0
    )
    np.testing.assert_allclose(drawn["Nesterov"], expected.mean("seed"))
    assert "heavy ball" not in drawn
    # The curve that leaves is drawn to its end and marked where it crosses the rim.
    assert drawn["gradient descent"][4] > 1e8
    top = figure.axes[0].get_ylim()[1]
    assert top < 1e7
    exits = [
        line
        for line in figure.axes[0].lines
        if line.get_marker() == "^" and len(line.get_xdata()) == 1
    ]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in exits] == [(4, top)]
    assert exits[0].get_color() == STYLES["gradient_descent"].colour


def test_a_forecast_that_grows_leaves_the_figure_and_the_runs_stay_apart(stored):
    part = stored.copy(deep=True)
    part.forecast_loss.loc[{"data": "first", "optimizer": "heavy_ball", "step": 4}] = 1e5
    axes = FIGURES["convergence"](part).axes[0]
    most = float(part.loss.sel({"data": "first"}).max())
    top = axes.get_ylim()[1]
    assert top == pytest.approx(13 * most)  # ten times, and the room of 1.3 at the rim
    marks = [line for line in axes.lines if line.get_marker() == "^" and len(line.get_xdata()) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == [(4, top)]
    assert marks[0].get_color() == STYLES["heavy_ball"].colour


@pytest.mark.parametrize("first", [np.inf, np.nan, 0.0])
def test_a_first_loss_that_is_none_costs_no_figure(stored, first):
    part = stored.copy(deep=True)
    part.loss.loc[{"step": 0}] = first
    low, high = FIGURES["convergence"](part).axes[0].get_ylim()
    assert 0 < low < high < np.inf


@pytest.mark.parametrize("key", ["distance_by_method", "convergence"])
def test_lines_differ_in_marker_as_well_as_colour(stored, key):
    lines = [line for line in FIGURES[key](stored).axes[0].lines if line.get_label()[0] != "_"]
    methods = [line for line in lines if line.get_label() != "forecast"]
    assert len({line.get_marker() for line in methods}) == len(methods) == 3
    assert "None" not in {line.get_marker() for line in methods}


def test_all_three_kinds_of_file_are_written(stored, tmp_path):
    save("convergence", stored, tmp_path)
    kinds = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    for suffix, magic in kinds.items():
        assert (tmp_path / f"figure{suffix}").read_bytes().startswith(magic)


def test_a_run_that_ends_is_marked_where_it_ends(stored):
    part = stored.copy(deep=True)
    part.loss.loc[{"data": "first", "optimizer": "nesterov", "step": [3, 4, 5]}] = np.nan
    axes = FIGURES["convergence"](part).axes[0]
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    line = next(one for one in axes.lines if one.get_label() == "Nesterov")
    assert cross.get_xdata()[0] == 2
    assert cross.get_ydata()[0] == line.get_ydata()[2]


def test_long_captions_stay_within_the_figure(stored):
    figure = FIGURES["convergence"](stored.isel(data=[0]).assign_attrs(title="many words " * 30))
    figure.draw_without_rendering()
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width


@pytest.mark.parametrize("width", [2.5, 3, 4, 5.8, 9.4])
def test_a_caption_never_breaks_between_a_word_and_what_it_names(width):
    figure = new_figure(width, 2)
    words = "digits: n = 1,797, d = 64, width m = 1,000, 3 seeds, large-scale, rule: forecast"
    captioned(figure, words)
    lines = figure.get_suptitle().split("\n")
    assert " ".join(lines) == words
    assert all(line.endswith(",") for line in lines[:-1])
    assert len(lines) > 1 or width > 5


@pytest.mark.parametrize("key", ["distance_by_method", "patterns_by_method"])
def test_no_marker_is_cut_by_the_rim(stored, key):
    rising = stored.copy(deep=True)
    for name in ("max_distance", "pattern_change"):
        rising[name] = rising[name] * rising.step
    figure = FIGURES[key](rising)
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_window_extent()
        for line in axes.lines:
            reach = (line.get_markersize() / 2 + line.get_markeredgewidth()) * figure.dpi / 72
            start, every = line.get_markevery()
            places = axes.transData.transform(line.get_xydata()[start::every])
            assert (places > np.array([box.x0, box.y0]) + reach).all()
            assert (places < np.array([box.x1, box.y1]) - reach).all()


@pytest.fixture
def foreign():
    """A reader's settings that would change every figure, or break it where there is no TeX."""
    settings = {
        "text.usetex": True,
        "font.size": 31,
        "savefig.transparent": True,
        "lines.linewidth": 9,
    }
    with mpl.rc_context(settings):
        yield settings


def test_a_readers_own_settings_change_nothing(stored, tmp_path, request):
    save("convergence", stored, tmp_path, "plain")
    request.getfixturevalue("foreign")
    save("convergence", stored, tmp_path, "foreign")
    assert mpl.rcParams["font.size"] == 31
    for kind in ("png", "svg"):
        plain, foreign = (tmp_path / f"{stem}.{kind}" for stem in ("plain", "foreign"))
        assert plain.read_bytes() == foreign.read_bytes()
