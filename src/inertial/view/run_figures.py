"""Figures of trained networks: one panel per data set, lines told apart without colour too."""

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inertial.runs.measures import forecast_error as error_of
from inertial.runs.measures import window, windowed
from inertial.runs.style import MethodStyle, new_figure, style_of
from inertial.view.scaffold import (
    DASHES,
    MARKERS,
    captioned,
    facts,
    frame_losses,
    legend_below,
    outer_labels,
    panels,
    plain,
    seeds,
    shade_bound,
    shades,
)

Seeds = Float[np.ndarray, "seed T"]

_LOSS = r"loss $\frac{1}{2}\,\Sigma\,(f-y)^2$"
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "0.5")


def convergence(result: xr.Dataset) -> Figure:
    """Loss and its forecast against step: mean over seeds and a window, band their range."""
    count = window(result)
    how = f"mean and range of {seeds(result)}" if result.sizes["seed"] > 1 else "1 seed"
    if count > 1:
        how = f"mean and range of {seeds(result)} in windows of {count} steps"
    figure, drawn = panels(result, facts(result, how))
    for name, axes in drawn:
        for style, run in _methods(result, name):
            loss, forecast = _runs(run, "loss"), _runs(run, "forecast_loss")
            if not len(loss):
                continue
            _line_with_band(axes, run.step.values, windowed(loss, count), style)
            _dashed(axes, run.step.values, windowed(forecast, count)[0], style)
        axes.set_yscale("log")
        shown = result.sel(data=name).isel(width=0)
        frame_losses(axes, shown.loss.values)
        shade_bound(axes, shown)
    outer_labels(drawn, "step", _LOSS)
    _dashed(drawn[0][1], np.arange(0), np.zeros(0), MethodStyle("forecast", "0.3", "o"))
    legend_below(figure, drawn[0][1])
    return figure


def by_method(variable: str, label: str) -> Callable[[xr.Dataset], Figure]:
    """Return the figure of a quantity against step, one line per method."""

    def draw(result: xr.Dataset) -> Figure:
        how = f"mean and range of {seeds(result)}" if result.sizes["seed"] > 1 else "1 seed"
        figure, drawn = panels(result, facts(result, how))
        for name, axes in drawn:
            for style, run in _methods(result, name):
                if len(values := _runs(run, variable)):
                    _line_with_band(axes, run.step.values, windowed(values, 1), style)
            axes.set_ylim(bottom=0)
        outer_labels(drawn, "step", label)
        legend_below(figure, drawn[0][1])
        return figure

    return draw


def by_width(variable: str, label: str) -> Callable[[xr.Dataset], Figure]:
    """Return the figure of a quantity of one method against step, one line per width."""

    def draw(result: xr.Dataset) -> Figure:
        how = f"mean of {seeds(result)}" if result.sizes["seed"] > 1 else "1 seed"
        figure, drawn = panels(result, facts(result, how))
        colours = shades(result.sizes["width"])
        for name, axes in drawn:
            for i, width in enumerate(result.width.values):
                run = result.sel({"data": name, "width": width}).isel(optimizer=0)
                if len(values := _runs(run, variable)):
                    axes.plot(
                        result.step,
                        values.mean(0),
                        color=colours[i],
                        linestyle=DASHES[i % len(DASHES)],
                        label=f"m = {int(width):,}",
                    )
            axes.set_ylim(bottom=0)
        outer_labels(drawn, "step", label)
        legend_below(figure, drawn[0][1])
        return figure

    return draw


def forecast_error(result: xr.Dataset) -> Figure:
    """Draw the forecast's error against width, with the slope -1/2."""
    error = error_of(result).isel(optimizer=0).mean("seed")
    figure = new_figure(6.0, 4.2)
    axes = figure.add_subplot()
    for i, name in enumerate(str(value) for value in result.data.values):
        axes.plot(
            result.width,
            error.sel(data=name).values,
            color=_PALETTE[i % len(_PALETTE)],
            marker=MARKERS[i % len(MARKERS)],
            linestyle=DASHES[i % len(DASHES)],
            label=f"{plain(name)} (n = {int(result.n.sel(data=name)):,})",
        )
    width = result.width.values
    guide = float(error.mean()) * (width / np.median(width)) ** -0.5
    axes.plot(width, guide, color="0.4", linewidth=0.8, label=r"slope $-1/2$")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="width m",
        ylabel=r"forecast error $\max_t |\sqrt{L} - \sqrt{\hat L}|\,/\,\sqrt{L_0}$",
    )
    axes.set_xticks(width, [f"{int(value):,}" for value in width])
    axes.xaxis.minorticks_off()
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    legend_below(figure, axes, columns=3)
    how = f"mean of {seeds(result)}" if result.sizes["seed"] > 1 else "1 seed"
    captioned(figure, facts(result, how, style_of(str(result.optimizer.values[0])).label))
    return figure


def _methods(result: xr.Dataset, name: str) -> Iterator[tuple[MethodStyle, xr.Dataset]]:
    """Yield the style and the runs of every method on a data set, at the only width."""
    part = result.sel(data=name).isel(width=0)
    for method in result.optimizer.values:
        yield style_of(str(method)), part.sel({"optimizer": method})


def _runs(run: xr.Dataset, variable: str) -> Seeds:
    """Return the values of all seeds that are stored; NaN where a run has ended early."""
    stored = run.loss.isel(step=0).notnull().values
    return np.asarray(run[variable].transpose("seed", "step").values[stored])


def _line_with_band(
    axes: Axes,
    steps: Int[np.ndarray, "T"],
    drawn: tuple[Float[np.ndarray, "T"], ...],
    style: MethodStyle,
) -> None:
    mean, low, high = drawn
    every = max(1, len(steps) // 6)
    axes.fill_between(steps, low, high, color=style.colour, alpha=0.2, linewidth=0)
    axes.plot(
        steps,
        mean,
        color=style.colour,
        marker=style.marker,
        markevery=(every, every),  # none where all lines begin, on the rim
        markersize=4.5,
        linewidth=1.3,
        label=style.label,
    )


def _dashed(
    axes: Axes,
    steps: Int[np.ndarray, "T"],
    values: Float[np.ndarray, "T"],
    style: MethodStyle,
) -> None:
    """Draw a forecast: dashed, with the method's marker hollow between those of the run."""
    every = max(1, len(steps) // 6)
    axes.plot(
        steps,
        values,
        color=style.colour,
        marker=style.marker,
        markerfacecolor="white",
        markevery=(every // 2, every),
        markersize=3.5,
        linestyle=(0, (3, 2)),
        linewidth=0.8,
        label="forecast" if style.label == "forecast" else "_forecast",
    )
