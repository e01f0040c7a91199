"""Figures as functions of stored results only: arrays in, figure out, nothing recomputed.

How a method looks stands in `inertial.runs.style`.
"""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inertial import files
from inertial._checks import Notice
from inertial.method.recursion import label
from inertial.runs.style import MethodStyle, house_style, new_figure, style_of
from inertial.view.scaffold import captioned, frame_losses, plain, shade_bound

FORMATS = ("png", "svg")


def convergence(arrays: xr.Dataset) -> Figure:
    """Loss against step: mean over seeds with the min-max band, the forecast dashed.

    Of a model other than the papers' network, beside it how far its parameters and its kernel move.

    Parameters
    ----------
    arrays
        A run of `compare`: `loss` and `forecast_loss` over (method, seed, step).

    """
    of_model = "model" in arrays.attrs
    with house_style():
        figure = new_figure(8.4 if of_model else 5.6, 4.0)
        grid = figure.add_gridspec(2, 2, width_ratios=(2, 1)) if of_model else None
        axes = figure.add_subplot() if grid is None else figure.add_subplot(grid[:, 0])
        for name in arrays.optimizer.values:
            _draw_method(axes, arrays.sel({"optimizer": name}), style_of(str(name)))
        if "flow_loss" in arrays:
            _draw_flows(axes, arrays)
        ylabel = rf"loss ({arrays.attrs['loss']})" if of_model else _HALF_SUM
        axes.set(xlabel="step", yscale="log")
        axes.set_ylabel(ylabel, parse_math=not of_model)
        axes.set_xlim(0, int(arrays.step.values[-1]))
        frame_losses(axes, arrays.loss.values)
        shade_bound(axes, arrays)
        axes.grid(visible=True, which="major", linewidth=0.4, alpha=0.5)
        axes.plot([], [], color="0.35", linestyle="--", linewidth=1.2, label="forecast")
        if grid is not None:
            beside = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
            _draw_movement(beside[0], arrays)
            _draw_drift(beside[1], arrays)
        columns = 3 if not of_model and {"flow_loss", "bound_loss"} & set(arrays) else 4
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize=8
        )
        captioned(figure, _caption(arrays))
    return figure


_HALF_SUM = r"loss $\frac{1}{2}\,\Sigma\,(f-y)^2$"


def _draw_movement(axes: Axes, arrays: xr.Dataset) -> None:
    """Draw how far the parameters move, by their length at the start; the forecast dashed."""
    long = bool((arrays.start_norm > 0).all())
    norm = arrays.start_norm if long else 1.0
    for name in arrays.optimizer.values:
        run, style = arrays.sel({"optimizer": name}), style_of(str(name))
        for what, dash in (("distance", "-"), ("forecast_distance", "--")):
            if what in run:
                share = run[what] / norm
                axes.plot(
                    run.step.values,
                    share.mean("seed", skipna=False).values,
                    color=style.colour,
                    linestyle=dash,
                    linewidth=1.2,
                )
    measured = (arrays.distance / norm).values
    axes.set_ylim(0, 1.5 * float(np.nanmax(measured)) or None)
    axes.set_xlim(0, int(arrays.step.values[-1]))
    axes.set_title(r"movement $|w - w_0|" + (r"\,/\,|w_0|$" if long else "$"), fontsize=8)
    axes.tick_params(labelbottom=False)


def _draw_drift(axes: Axes, arrays: xr.Dataset) -> None:
    """Draw the change of the kernel at the looks at it."""
    for name in arrays.optimizer.values:
        run, style = arrays.sel({"optimizer": name}), style_of(str(name))
        axes.plot(
            run.look.values,
            run.kernel_drift.mean("seed", skipna=False).values,
            color=style.colour,
            marker=style.marker,
            markersize=3,
            linewidth=1.2,
        )
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, int(arrays.step.values[-1]))
    axes.set_title("change of the kernel, relative", fontsize=8)
    axes.set_xlabel("step")


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
    every = max(1, len(step) // 8)
    axes.plot(
        step,
        mean,
        color=style.colour,
        label=style.label + (" (diverged)" if ended else ""),
        linewidth=1.4,
        marker=style.marker,
        markersize=4,
        markevery=(every // 2, every),  # away from the rim, where they would be cut
    )
    axes.plot(
        step,
        forecast.mean("seed", skipna=False),
        color=style.colour,
        linestyle="--",
        linewidth=1.1,
    )


def _draw_flows(axes: Axes, arrays: xr.Dataset) -> None:
    """Dot every flow in the colour of the method that it is set beside."""
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
    name = plain(str(facts["data"]))
    model = (
        f"{plain(str(facts['model']))}, {facts['parameters']:,} parameters"
        if "model" in facts
        else f"width m = {facts['width']:,}"
    )
    return (
        f"{name}: n = {facts['n']:,}, d = {facts['d']:,}, {model}, "
        f"{seeds} seed{'s (mean and range)' if seeds > 1 else ''}, rule: {facts['rule']}"
    )
