"""Figures as functions of stored results only: arrays in, figure out, nothing recomputed.

How a method looks stands in `inertial.runs.style`.
"""

import warnings
from io import BytesIO
from pathlib import Path

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inertial import files
from inertial._checks import Notice
from inertial.method.recursion import label
from inertial.runs.style import MethodStyle, house_style, style_of
from inertial.view.scaffold import captioned, frame_losses, new_figure, shade_bound

FORMATS = ("png", "svg")


def convergence(arrays: xr.Dataset) -> Figure:
    """Loss against step: mean over seeds with the min-max band, the forecast dashed.

    Parameters
    ----------
    arrays
        A run of `compare`: `loss` and `forecast_loss` over (method, seed, step).

    """
    with house_style():
        figure = new_figure(5.6, 4.0)
        axes = figure.add_subplot()
        for name in arrays.optimizer.values:
            _draw_method(axes, arrays.sel({"optimizer": name}), style_of(str(name)))
        if "flow_loss" in arrays:
            _draw_flows(axes, arrays)
        axes.set(xlabel="step", yscale="log", ylabel=r"loss $\frac{1}{2}\,\Sigma\,(f-y)^2$")
        axes.set_xlim(0, int(arrays.step.values[-1]))
        frame_losses(axes, arrays.loss.values)
        shade_bound(axes, arrays)
        axes.grid(visible=True, which="major", linewidth=0.4, alpha=0.5)
        axes.plot([], [], color="0.35", linestyle="--", linewidth=1.2, label="forecast")
        columns = 3 if {"flow_loss", "bound_loss"} & set(arrays) else 4
        figure.legend(loc="outside lower center", ncols=columns, fontsize=8)
        captioned(figure, _caption(arrays))
    return figure


def save_convergence(arrays: xr.Dataset, folder: Path) -> Path | None:
    """Write `convergence` as ``convergence.png`` and ``convergence.svg`` into a folder.

    The run is complete without it: what keeps it from being drawn is a warning, and None.
    """
    try:
        figure = convergence(arrays)
        with house_style():
            for kind in FORMATS:
                stamp = {"Date": None} if kind == "svg" else {}
                drawn = BytesIO()
                figure.savefig(drawn, format=kind, dpi=200, metadata=stamp)
                files.write(folder / f"convergence.{kind}", drawn.getvalue())
    except (OSError, RuntimeError, ValueError) as error:
        warnings.warn(
            f"the figure could not be drawn ({error}); the run's arrays and manifest are complete.",
            Notice,
            stacklevel=2,
        )
        return None
    return folder / "convergence.png"


def _draw_method(axes: Axes, run: xr.Dataset, style: MethodStyle) -> None:
    step = run.step.values
    ended = "status" in run and bool((run.status == "diverged").any())
    loss, forecast = (run[name].transpose("seed", "step") for name in ("loss", "forecast_loss"))
    low, high, mean = (getattr(loss, what)("seed", skipna=False) for what in ("min", "max", "mean"))
    axes.fill_between(step, low, high, color=style.colour, alpha=0.2, linewidth=0)
    axes.plot(
        step,
        mean,
        color=style.colour,
        label=style.label + (" (diverged)" if ended else ""),
        linewidth=1.4,
        marker=style.marker,
        markersize=4,
        markevery=max(1, len(step) // 8),
    )
    axes.plot(
        step,
        forecast.mean("seed", skipna=False),
        color=style.colour,
        linestyle="--",
        linewidth=1.1,
    )


def _draw_flows(axes: Axes, arrays: xr.Dataset) -> None:
    """Dot every flow in the colour of the method that it is a limit of."""
    patterns: dict[str, list[str]] = {}
    for key in arrays.flow.values:
        run = arrays.sel(flow=key)
        method = str(run.flow_method.values)
        dots = (":", "-.")[len(patterns.setdefault(method, []))]
        patterns[method].append(dots)
        axes.plot(
            run.step.values,
            run.flow_loss.mean("seed").values,
            color=style_of(method).colour,
            linestyle=dots,
            linewidth=1.3,
            label=label(str(key)),
        )


def _caption(arrays: xr.Dataset) -> str:
    seeds = arrays.sizes["seed"]
    facts = arrays.attrs
    name = "".join(c if c.isprintable() else "?" for c in str(facts["data"]))
    return (
        f"{name}: n = {facts['n']:,}, d = {facts['d']:,}, width m = {facts['width']:,}, "
        f"{seeds} seed{'s (mean and range)' if seeds > 1 else ''}, rule: {facts['rule']}"
    )
