"""Figures that need no training: tables and curves of kernels and formulas."""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from inertial.runs.measures import envelope
from inertial.runs.style import new_figure, style_of
from inertial.view.scaffold import DASHES, captioned, legend_below, plain

_RULE_MARKS = {"paper": "o", "quadratic": "s", "forecast": "*"}
_FLOWS = {
    "gradient_flow": ("gradient flow", "#0072B2"),
    "heavy_ball_flow": ("heavy ball with friction", "#D55E00"),
    "nesterov_flow, d = 3": ("Nesterov, friction 3/t", "#009E73"),
    "nesterov_flow, d = 6": ("Nesterov, friction 6/t", "#CC79A7"),
}
_FLOW_MARKS = {"heavy_ball_flow": "s", "nesterov_flow, d = 3": "^", "nesterov_flow, d = 6": "D"}

_SPEEDS = np.arange(-4.0, -0.9, 0.25)
"""Contours of log10(1 - radius)."""

_HEAD = (
    "data",
    "n",
    "d",
    r"$\lambda_\mathrm{min}$",
    r"$\lambda_\mathrm{max}$",
    "optimizer",
    r"$\eta$",
    r"$\beta$",
    "1 - factor,\nexact",
    "1 - factor,\nclaimed",
    "steps\nto 10 %",
    "steps\nto 1 %",
)
_TEXTS = (0, 5)
"""Columns of the table that hold words."""

_ROW, _HEAD_ROW = 0.25, 0.5
"""Heights of the table's rows, in inches."""


def table1(result: xr.Dataset) -> Figure:
    """Draw the table: one row per data set and method."""
    rows = [
        _row(result.sel({"data": name, "optimizer": method}), first=i == 0)
        for name in result.data.values
        for i, method in enumerate(result.optimizer.values)
    ]
    height = _ROW * len(rows) + _HEAD_ROW
    figure = new_figure(10.2, height + 0.5)
    axes = figure.add_subplot()
    axes.axis("off")
    table = axes.table(cellText=rows, colLabels=_HEAD, bbox=Bbox.unit())
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    table.auto_set_column_width(list(range(len(_HEAD))))
    for (line, column), cell in table.get_celld().items():
        cell.set_height((_HEAD_ROW if line == 0 else _ROW) / height)
        cell.set_linewidth(0.6)
        cell.visible_edges = "B" if line % result.sizes["optimizer"] == 0 else ""
        cell.set_text_props(ha="left" if column in _TEXTS else "right")
    captioned(
        figure,
        f"{result.attrs.get('title', 'Table')}; infinite-width kernel, expected start, "
        f"rule: {result.attrs['rule']}",
    )
    return figure


def rate(result: xr.Dataset) -> Figure:
    """Draw the rate of Nesterov's high-resolution flow beside the other coefficients."""
    figure = new_figure(5.8, 3.9)
    axes = figure.add_subplot()
    alpha, correct, printed = (result[k].values for k in ("alpha", "correct", "printed"))
    axes.plot(alpha, correct, color="#009E73", linewidth=2)
    axes.plot(alpha, printed, color="#CC79A7", linestyle="--", linewidth=1.6)
    flat = {
        r"heavy ball, $2 - \sqrt{2}$": ("heavy_ball", "-."),
        "an earlier coefficient, 3/7": ("earlier, 3/7", (0, (6, 2))),
        "an earlier coefficient, 1/4": ("earlier, 1/4", ":"),
    }
    for label, (key, dashes) in flat.items():
        value = float(result.attrs[key])
        axes.axhline(value, color="0.25", linestyle=dashes, linewidth=1)
        axes.text(0.01, value - 0.008, label, va="top", color="0.25")
    axes.text(0.49, correct[-1] + 0.008, r"Nesterov, with $9\alpha^2$", ha="right")
    axes.text(0.4, printed[400] + 0.012, r"as printed, with $\alpha^2$", ha="right")
    axes.set(
        xlabel=r"$\alpha = \sqrt{2\lambda_0 s}/4$",
        ylabel=r"rate, in units of $\sqrt{\lambda_0/2}$",
        xlim=(0, 0.5),
        ylim=(0, 0.8),
    )
    captioned(figure, "formula, no data")
    return figure


def theta(result: xr.Dataset) -> Figure:
    """Draw theta on (0, 1) and near 0."""
    figure = new_figure(7.2, 3.4)
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
    left.set(ylabel=r"exponent $\theta(\alpha)$", xlim=(0, 1), ylim=(0, 1))
    left.legend()
    captioned(figure, "formula, no data")
    return figure


def iterations(result: xr.Dataset) -> Figure:
    """Draw the iterations of both methods: bounds hollow, exact forecasts filled."""
    figure = new_figure(7.6, 3.8)
    axes = figure.add_subplot()
    places = np.arange(result.sizes["data"])
    columns = (
        ("bound_plain", "gradient_descent", "bound", -0.12),
        ("bound_momentum", "heavy_ball", "bound", -0.12),
        ("plain", "gradient_descent", "forecast", 0.12),
        ("momentum", "heavy_ball", "forecast", 0.12),
    )
    for key, method, kind, shift in columns:
        style = style_of(method)
        axes.plot(
            places + shift,
            result[key],
            linestyle="none",
            marker=style.marker,
            markersize=8,
            color=style.colour,
            markerfacecolor="white" if kind == "bound" else style.colour,
            label=f"{style.label}, {kind}",
        )
    for low, high, shift in (
        ("bound_momentum", "bound_plain", -0.12),
        ("momentum", "plain", 0.12),
    ):
        axes.vlines(places + shift, result[low], result[high], color="0.7", linewidth=1, zorder=0)
    pairs = zip(result.data.values, result.n, strict=True)
    axes.set_xticks(places, [f"{plain(str(name))}\nn = {int(n):,}" for name, n in pairs])
    axes.set(yscale="log", ylabel="iterations to 1 % of |f - y|")
    axes.grid(visible=True, axis="y", linewidth=0.4, alpha=0.5)
    legend_below(figure, axes, columns=2)
    captioned(figure, "linearised network, infinite width, expected start, rule: wang2020")
    return figure


def flows(result: xr.Dataset) -> Figure:
    """Draw the envelopes of losses along flows and methods, semilog and log-log."""
    figure = new_figure(8.6, 4.1)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        _draw_flows(axes, result, log=axes is right)
        axes.set(yscale="log", ylim=(1e-10, 3), xlabel=r"$\sqrt{\lambda_\mathrm{min}}\,t$")
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    left.set(xlim=(0, 30), ylabel="loss / first loss")
    right.set(xscale="log", xlim=(0.02, 600))
    left.plot([], [], "o", color="0.3", markerfacecolor="white", markersize=4, label="discrete run")
    legend_below(figure, left, columns=3)
    known = result.attrs
    captioned(
        figure,
        f"{known['data']}: n = {known['n']:,}, d = {known['d']:,}, infinite width, expected start; "
        "lines: largest loss from t on (the swings in light); runs at η = 1/(4 λₘₐₓ)",
    )
    return figure


def phase(result: xr.Dataset) -> Figure:
    """Draw the radius over step size and momentum, one row per method."""
    names = [str(value) for value in result.data.values]
    figure = new_figure(1.6 * len(names) + 1.6, 4.9)
    grid = figure.subplots(2, len(names), sharex=True, sharey=True, squeeze=False)
    image: Any = None
    for row, method in zip(grid, result.optimizer.values, strict=True):
        for axes, name in zip(row, names, strict=True):
            part = result.sel({"data": name, "optimizer": method})
            image = _draw_phase(axes, part)
            if method == result.optimizer.values[0]:
                axes.set_title(f"{plain(name)}\nn = {int(part.n):,}", fontsize=9, parse_math=False)
        row[0].set_ylabel(f"{style_of(str(method)).label}\n" + r"$1 - \beta$")
    for axes in grid[-1]:
        axes.set_xlabel(r"$\eta\,\lambda_\mathrm{max}$")
    bar = figure.colorbar(image, ax=grid, shrink=0.8)
    bar.set_label(r"$\log_{10}(1 - \mathrm{radius})$: higher is faster")
    legend_below(figure, grid[0, 0], columns=3)
    captioned(
        figure,
        "infinite-width kernel; points: tuning rules; thick line: stability limit; white: unstable",
    )
    return figure


def _row(row: xr.Dataset, *, first: bool) -> tuple[str, ...]:
    """Return a row of the table; only a data set's first one names it."""
    facts = (
        plain(str(row.data.values)),
        f"{int(row.n):,}",
        f"{int(row.d):,}",
        f"{float(row.lambda_min):#.3g}",
        f"{float(row.lambda_max):#.4g}",
    )
    return (
        *(facts if first else ("",) * len(facts)),
        style_of(str(row.optimizer.values)).label,
        f"{float(row.eta):#.3g}",
        f"{float(row.beta):.4f}" if float(row.beta) else "0",
        f"{1 - float(row.radius):.2e}",
        f"{1 - float(row.claimed):.2e}",
        *(_count(float(row[f"steps_{target}"])) for target in ("0.1", "0.01")),
    )


def _draw_flows(axes: Axes, result: xr.Dataset, *, log: bool) -> None:
    scale = np.sqrt(float(result.attrs["lambda_min"]))
    first = float(result.attrs["first"])
    for i, (name, (label, colour)) in enumerate(_FLOWS.items()):
        loss = result.flow_loss.sel(flow=name).values / first
        time = result.time.values * scale
        axes.plot(time, loss, color=colour, linewidth=0.5, alpha=0.3)
        axes.plot(time, envelope(loss), color=colour, linestyle=DASHES[i], label=label)
    for name, mark in _FLOW_MARKS.items():
        loss = envelope(result.run_loss.sel(run=name).values) / first
        axes.plot(
            *_spread(result.run_time.values * scale, loss, log=log),
            color=_FLOWS[name][1],
            linestyle="none",
            marker=mark,
            markersize=4,
            markerfacecolor="white",
        )


def _draw_phase(axes: Axes, part: xr.Dataset) -> Any:  # noqa: ANN401 - a set of contours
    radius = part.radius.transpose("beta", "eta").values
    speed = np.log10(np.where(radius < 1, np.maximum(1 - radius, 1e-4), np.nan))
    place = (part.eta, 1 - part.beta, speed)
    image = axes.contourf(*place, levels=_SPEEDS, cmap="cividis", extend="both")
    axes.contour(*place, levels=_SPEEDS[::4], colors="black", linewidths=0.4, linestyles="-")
    axes.plot(part.limit, 1 - part.beta, color="black", linewidth=1.6)
    for rule, mark in _RULE_MARKS.items():
        at = part.sel(rule=rule)
        axes.plot(
            at.tuned_eta,
            np.maximum(1 - at.tuned_beta, 1e-4),
            mark,
            color="white",
            markeredgecolor="black",
            markersize=11 if mark == "*" else 6,
            linestyle="none",
            clip_on=False,
            zorder=3,
            label=f"rule {rule}",
        )
    axes.set(yscale="log", xlim=(0, 4), ylim=(1e-4, 1))
    return image


def _spread(
    time: Float[np.ndarray, "T"], loss: Float[np.ndarray, "T"], *, log: bool
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Pick points at about equal distances along an axis."""
    wanted = np.geomspace(0.02, 600, 25) if log else np.linspace(0.3, 30, 16)
    inside = wanted[(wanted >= time[0]) & (wanted <= time[-1])]
    picked = np.unique(np.searchsorted(time, inside))
    return time[picked], loss[picked]


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "-"
