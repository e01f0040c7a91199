"""Figures of the reproduced items, as functions of stored results only.

One panel a data set; colours, markers and dashes tell lines apart without colour.  Every figure
names its data, n, m, seeds and rule.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inertial.report.figures import SETTINGS, STYLES

KINDS = ("png", "svg", "pdf")

_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")
_RULE_MARKS = {"paper": "o", "quadratic": "s", "forecast": "*"}
_FLOW_COLOURS = {
    "gradient_flow": "#0072B2",
    "heavy_ball_flow": "#D55E00",
    "nesterov_flow, d = 3": "#009E73",
    "nesterov_flow, d = 6": "#CC79A7",
}
_FLOW_NAMES = {
    "gradient_flow": "gradient flow",
    "heavy_ball_flow": "heavy ball with friction",
    "nesterov_flow, d = 3": "Nesterov, friction 3/t",
    "nesterov_flow, d = 6": "Nesterov, friction 6/t",
}
_LOSS = r"loss $\frac{1}{2}\,\Sigma\,(f-y)^2$"
_DISTANCE = r"$\max_r\,|w_r(t) - w_r(0)|$"
_PATTERNS = "share of changed patterns"


def save(key: str, result: xr.Dataset, folder: Path) -> None:
    """Draw a figure and write it as ``figure.png``, ``.svg`` and ``.pdf``."""
    with mpl.rc_context(SETTINGS):
        figure = FIGURES[key](result)
        for kind in KINDS:
            stamp = {"Date": None} if kind == "svg" else {"CreationDate": None}
            figure.savefig(
                folder / f"figure.{kind}", dpi=200, metadata={} if kind == "png" else stamp
            )


def convergence(result: xr.Dataset) -> Figure:
    """Loss against step, mean and range over seeds, the forecast dashed."""
    figure, panels = _panels(result, _facts(result))
    for name, axes in panels:
        part = result.sel(data=name).isel(width=0)
        for method in result.method.values:
            style, run = STYLES[str(method)], part.sel({"method": method})
            loss = run.loss.transpose("seed", "step").values
            steps = run.step.values
            axes.fill_between(
                steps, loss.min(0), loss.max(0), color=style.colour, alpha=0.2, linewidth=0
            )
            axes.plot(
                steps,
                loss.mean(0),
                color=style.colour,
                marker=style.marker,
                markevery=max(1, len(steps) // 6),
                markersize=4,
                linewidth=1.1,
                label=style.label,
            )
            forecast = run.forecast_loss.mean("seed")
            axes.plot(steps, forecast, color=style.colour, linestyle=(0, (3, 2)), linewidth=0.7)
        axes.set_yscale("log")
    _outer_labels(panels, "step", _LOSS)
    panels[0][1].plot([], [], color="0.3", linestyle=(0, (3, 2)), linewidth=0.9, label="forecast")
    _legend(figure, panels[0][1])
    return figure


def _by_width(variable: str, label: str) -> Callable[[xr.Dataset], Figure]:
    def draw(result: xr.Dataset) -> Figure:
        figure, panels = _panels(result, _facts(result))
        shades = mpl.colormaps["viridis"](np.linspace(0, 0.85, result.sizes["width"]))
        for name, axes in panels:
            mean = result[variable].sel({"data": name, "method": "nesterov"}).mean("seed")
            for i, width in enumerate(result.width.values):
                axes.plot(
                    result.step,
                    mean.sel(width=width),
                    color=shades[i],
                    linestyle=_DASHES[i % len(_DASHES)],
                    label=f"m = {int(width):,}",
                )
            axes.set_ylim(bottom=0)
        _outer_labels(panels, "step", label)
        _legend(figure, panels[0][1])
        return figure

    return draw


def _by_method(variable: str, label: str) -> Callable[[xr.Dataset], Figure]:
    def draw(result: xr.Dataset) -> Figure:
        figure, panels = _panels(result, _facts(result))
        for name, axes in panels:
            part = result[variable].sel(data=name).isel(width=0)
            for method in result.method.values:
                style = STYLES[str(method)]
                values = part.sel({"method": method}).transpose("seed", "step").values
                steps = result.step.values
                axes.fill_between(
                    steps, values.min(0), values.max(0), color=style.colour, alpha=0.2, linewidth=0
                )
                axes.plot(
                    steps,
                    values.mean(0),
                    color=style.colour,
                    marker=style.marker,
                    markevery=max(1, len(steps) // 6),
                    markersize=4,
                    label=style.label,
                )
            axes.set_ylim(bottom=0)
        _outer_labels(panels, "step", label)
        _legend(figure, panels[0][1])
        return figure

    return draw


def table1(result: xr.Dataset) -> Figure:
    """Draw the table: one row a data set and method."""
    head: tuple[str, ...] = (
        "data",
        "n",
        r"$\lambda_{min}$",
        r"$\lambda_{max}$",
        "method",
        r"$\eta$",
        r"$\beta$",
    )
    head += ("1 - factor,\nexact", "1 - factor,\nclaimed", "steps\nto 10 %", "steps\nto 1 %")
    rows = []
    for name in result.data.values:
        for i, method in enumerate(result.method.values):
            row = result.sel({"data": name, "method": method})
            first = (
                str(name),
                f"{int(row.n):,}",
                f"{float(row.lambda_min):.3g}",
                f"{float(row.lambda_max):.4g}",
            )
            rows.append(
                (
                    *(first if i == 0 else ("",) * 4),
                    STYLES[str(method)].label,
                    f"{float(row.eta):.3g}",
                    f"{float(row.beta):.4f}",
                    f"{1 - float(row.radius):.2e}",
                    f"{1 - float(row.claimed):.2e}",
                    *(_count(float(row[f"steps_{t}"])) for t in ("0.1", "0.01")),
                )
            )
    figure = _figure(9.6, 0.24 * (len(rows) + 3) + 0.6)
    axes = figure.add_subplot()
    axes.axis("off")
    table = axes.table(cellText=rows, colLabels=head, loc="center")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.auto_set_column_width(list(range(len(head))))
    for (line, _), cell in table.get_celld().items():
        cell.set_height((2.0 if line == 0 else 1.0) / (len(rows) + 2))
        cell.set_linewidth(0.6)
        cell.visible_edges = "B" if line % result.sizes["method"] == 0 else ""
    figure.suptitle(_facts(result), fontsize=8, color="0.3", x=0.01, ha="left")
    return figure


def rate(result: xr.Dataset) -> Figure:
    """Draw the rate of Nesterov's high-resolution flow beside the other coefficients."""
    figure = _figure(5.6, 3.8)
    axes = figure.add_subplot()
    axes.plot(result.alpha, result.correct, color="#009E73", label=r"Nesterov, with $9\alpha^2$")
    axes.plot(
        result.alpha,
        result.printed,
        color="#CC79A7",
        linestyle="--",
        label=r"as printed, with $\alpha^2$",
    )
    flat: tuple[tuple[float, str, Any], ...] = (
        (float(result.attrs["heavy_ball"]), r"heavy ball, $2 - \sqrt{2}$", "-."),
    )
    flat += tuple(
        (float(result.attrs[k]), k, d) for k, d in (("earlier, 1/4", ":"), ("earlier, 3/7", "--"))
    )
    for value, label, dashes in flat:
        axes.axhline(value, color="0.25", linestyle=dashes, linewidth=1, label=label)
    axes.set(
        xlabel=r"$\alpha = \sqrt{2\lambda_0 s}/4$",
        ylabel=r"rate, in units of $\sqrt{\lambda_0/2}$",
        xlim=(0, 0.5),
        ylim=(0, 0.8),
    )
    axes.legend(loc="lower right", ncols=2)
    return _titled(figure, axes, "formula, no data")


def theta(result: xr.Dataset) -> Figure:
    """Draw theta on (0, 1) and near 0."""
    figure = _figure(7.2, 3.2)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.plot(result.alpha, result.theta, color="#D55E00", label=r"$\theta(\alpha)$")
        axes.plot(
            result.alpha,
            np.sqrt(result.alpha),
            color="0.3",
            linestyle="--",
            label=r"$\sqrt{\alpha}$",
        )
        axes.set(xlabel=r"$\alpha$")
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    right.set(xscale="log", yscale="log")
    left.set(ylabel=r"$\theta(\alpha)$", xlim=(0, 1), ylim=(0, 1))
    left.legend()
    return _titled(figure, left, "formula, no data")


def iterations(result: xr.Dataset) -> Figure:
    """Draw the iterations of both methods, by the bounds and by the exact forecast."""
    figure = _figure(7.6, 3.6)
    axes = figure.add_subplot()
    places = np.arange(result.sizes["data"])
    bars = (
        ("bound_plain", "gradient descent, bound", "#0072B2", "//", -0.3),
        ("bound_momentum", "heavy ball, bound", "#D55E00", "//", -0.1),
        ("plain", "gradient descent, forecast", "#0072B2", "", 0.1),
        ("momentum", "heavy ball, forecast", "#D55E00", "", 0.3),
    )
    for key, label, colour, hatch, shift in bars:
        axes.bar(
            places + shift,
            result[key],
            width=0.2,
            label=label,
            facecolor=colour if not hatch else "white",
            edgecolor=colour,
            hatch=hatch,
        )
    names = [f"{v}\nn = {int(n)}" for v, n in zip(result.data.values, result.n, strict=True)]
    axes.set_xticks(places, names)
    axes.set(yscale="log", ylabel="iterations to 1 % of |f - y|")
    figure.legend(loc="outside lower center", ncols=4, fontsize=8)
    return _titled(figure, axes, "linearised network, rule: wang2020 (constant of eta: 1)")


def flows(result: xr.Dataset) -> Figure:
    """Draw losses along flows and methods, semilog and log-log."""
    figure = _figure(8.6, 3.9)
    left, right = figure.subplots(1, 2, sharey=True)
    scale = np.sqrt(float(result.attrs["lambda_min"]))
    first = float(result.attrs["first"])
    for axes in (left, right):
        for i, name in enumerate(str(value) for value in result.flow.values):
            axes.plot(
                result.time * scale,
                result.flow_loss.sel(flow=name) / first,
                color=_FLOW_COLOURS[name],
                linestyle=_DASHES[i],
                linewidth=1.2,
                label=_FLOW_NAMES[name],
            )
        for name in (str(value) for value in result.run.values):
            loss = result.run_loss.sel(run=name) / first
            picked = _spread(result.run_time.values * scale, loss.values, log=axes is right)
            axes.plot(
                *picked,
                color=_FLOW_COLOURS[name],
                linestyle="none",
                marker="o",
                markersize=3,
                markerfacecolor="white",
            )
        axes.set(yscale="log", ylim=(1e-10, 3), xlabel=r"$\sqrt{\lambda_{min}}\,t$")
    left.set(xlim=(0, 30), ylabel="loss / first loss")
    right.set(xscale="log", xlim=(0.02, 600))
    left.plot([], [], "o", color="0.3", markerfacecolor="white", markersize=3, label="discrete run")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    facts = result.attrs
    words = f"{facts['data']}: n = {facts['n']}, d = {facts['d']}, infinite width, expected start"
    return _titled(figure, left, f"{words}; runs at eta = 1/(4 lambda_max)")


def phase(result: xr.Dataset) -> Figure:
    """Draw the radius over step size and momentum, one row a method."""
    names = [str(value) for value in result.data.values]
    figure = _figure(2.0 * len(names) + 1.6, 5.2)
    grid = figure.subplots(2, len(names), sharex=True, sharey=True, squeeze=False)
    levels = np.linspace(-4, 0, 9)
    image = None
    for row, method in zip(grid, result.method.values, strict=True):
        for axes, name in zip(row, names, strict=True):
            part = result.sel({"data": name, "method": method})
            radius = part.radius.transpose("beta", "eta").values
            speed = np.log10(np.where(radius < 1, np.maximum(1 - radius, 1e-4), np.nan))
            image = axes.contourf(
                part.eta, 1 - part.beta, speed, levels=levels, cmap="cividis", extend="min"
            )
            axes.plot(part.limit, 1 - part.beta, color="black", linewidth=1.2)
            for rule, mark in _RULE_MARKS.items():
                at = part.sel(rule=rule)
                axes.plot(
                    at.tuned_eta,
                    np.maximum(1 - at.tuned_beta, 1e-4),
                    mark,
                    color="white",
                    markeredgecolor="black",
                    markersize=10 if mark == "*" else 6,
                    linestyle="none",
                    label=rule,
                )
            axes.set(yscale="log", xlim=(0, 4), ylim=(1e-4, 1))
            if method == result.method.values[0]:
                axes.set_title(f"{name}\nn = {int(part.n)}", fontsize=8)
        row[0].set_ylabel(f"{STYLES[str(method)].label}\n" + r"$1 - \beta$")
    for axes in grid[-1]:
        axes.set_xlabel(r"$\eta\,\lambda_{max}$")
    if image is not None:
        bar = figure.colorbar(image, ax=grid, shrink=0.8)
        bar.set_label(r"$\log_{10}(1 - \mathrm{radius})$")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, title="tuning rule")
    words = "infinite-width kernel; black: stability limit; white: unstable"
    figure.suptitle(words, fontsize=8, color="0.3", x=0.01, ha="left")
    return figure


def forecast_error(result: xr.Dataset) -> Figure:
    """Draw the forecast's error against width, with the slope -1/2."""
    gap = np.abs(np.sqrt(result.loss) - np.sqrt(result.forecast_loss)).max("step")
    error = (gap / np.sqrt(result.loss.isel(step=0))).sel({"method": "nesterov"})
    figure = _figure(6.0, 4.0)
    axes = figure.add_subplot()
    shades = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "0.5")
    for i, name in enumerate(str(value) for value in result.data.values):
        values = error.sel(data=name).transpose("seed", "width").values
        axes.plot(
            result.width,
            values.mean(0),
            color=shades[i % len(shades)],
            marker=(*_MARKERS, "P", "X", "*")[i % 8],
            linestyle=_DASHES[i % len(_DASHES)],
            label=f"{name} (n = {int(result.n.sel(data=name))})",
        )
    width = result.width.values
    guide = float(error.mean()) * (width / np.median(width)) ** -0.5
    axes.plot(width, guide, color="0.4", linewidth=0.8, label=r"slope $-1/2$")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="width m",
        ylabel=r"$\max_t |\sqrt{L} - \sqrt{\hat L}| / \sqrt{L_0}$",
    )
    axes.set_xticks(width, [f"{int(value):,}" for value in width])
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return _titled(figure, axes, f"Nesterov, {_seeds(result)}, rule: {result.attrs['rule']}")


FIGURES: dict[str, Callable[[xr.Dataset], Figure]] = {
    "convergence": convergence,
    "distance_by_width": _by_width("max_distance", _DISTANCE),
    "patterns_by_width": _by_width("pattern_change", _PATTERNS),
    "distance_by_method": _by_method("max_distance", _DISTANCE),
    "patterns_by_method": _by_method("pattern_change", _PATTERNS),
    "table1": table1,
    "rate": rate,
    "theta": theta,
    "iterations": iterations,
    "flows": flows,
    "phase": phase,
    "forecast_error": forecast_error,
}
"""Figures by the keys that items name."""


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(result: xr.Dataset, facts: str) -> tuple[Figure, list[tuple[str, Axes]]]:
    """One panel a data set, at most three in a row, titled with its n and d."""
    names = [str(value) for value in result.data.values]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = _figure(3.0 * columns + 0.4, 2.3 * rows + 0.9)
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axes in grid[len(names) :]:
        axes.axis("off")
    for name, axes in zip(names, grid, strict=False):
        part = result.sel(data=name)
        axes.set_title(f"{name} (n = {int(part.n):,}, d = {int(part.d):,})", fontsize=9)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.margins(x=0.01)
    figure.suptitle(facts, fontsize=8, color="0.3", x=0.01, ha="left")
    return figure, list(zip(names, grid, strict=False))


def _outer_labels(panels: list[tuple[str, Axes]], x: str, y: str) -> None:
    columns = min(3, len(panels))
    for i, (_, axes) in enumerate(panels):
        if i % columns == 0:
            axes.set_ylabel(y)
        if i >= len(panels) - columns:
            axes.set_xlabel(x)
            axes.tick_params(labelbottom=True)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))


def _facts(result: xr.Dataset) -> str:
    words = [str(result.attrs.get("title", ""))]
    if "width" in result.dims:
        widths = [f"{int(value):,}" for value in result.width.values]
        words.append(f"width m = {widths[0]}" + (f" to {widths[-1]}" if widths[1:] else ""))
        words.append(_seeds(result))
    words.append(f"rule: {result.attrs['rule']}")
    return ", ".join(word for word in words if word)


def _seeds(result: xr.Dataset) -> str:
    count = result.sizes["seed"]
    return f"{count} seed{'s' if count > 1 else ''}"


def _titled(figure: Figure, axes: Axes, words: str) -> Figure:
    axes.set_title(words, loc="left", fontsize=8, color="0.3")
    return figure


def _spread(
    time: Float[np.ndarray, "T"], loss: Float[np.ndarray, "T"], *, log: bool
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Pick points at about equal distances along an axis."""
    wanted = np.geomspace(0.02, 600, 40) if log else np.linspace(0.3, 30, 25)
    inside = wanted[(wanted >= time[0]) & (wanted <= time[-1])]
    picked = np.unique(np.searchsorted(time, inside))
    return time[picked], loss[picked]


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "-"
