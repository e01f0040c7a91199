"""Figures of this project's own laws: exponents on power laws, limits of the step on batches."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from inertial.runs.style import new_figure
from inertial.view.scaffold import (
    captioned,
    legend_below,
    outer_labels,
    panels,
    shades,
)

_LINES = {
    "gradient_descent": ("gradient descent", "#0072B2", -9),
    "nesterov": ("Nesterov, momentum t/(t + d)", "#009E73", -3),
    "nesterov_flow": ("its ODE, friction d/t", "#CC79A7", 2),
}
"""Words and colour of a line, and where its exponent is written, in points."""


def power_laws(result: xr.Dataset) -> Figure:
    """Draw losses on power laws, with dashed lines of the predicted exponents."""
    count = result.sizes["case"]
    figure = new_figure(3.0 * count + 0.4, 3.7)
    grid = figure.subplots(1, count, sharex=True, squeeze=False)[0]
    steps = result.step.values.astype(float)
    late = steps >= steps[-1] ** 0.5
    for i, axes in enumerate(grid):
        part = result.isel(case=i)
        for line, (words, colour, place) in _LINES.items():
            loss = part.loss.sel(line=line).values / float(part["first"])
            exponent = float(part.predicted.sel(line=line))
            axes.loglog(steps, loss, color=colour, label=words, linewidth=1.4)
            guide = 2.2 * loss[-1] * (steps[late] / steps[-1]) ** -exponent
            axes.plot(steps[late], guide, color=colour, linestyle="--", linewidth=0.9)
            axes.annotate(
                f"$t^{{-{exponent:g}}}$",
                (steps[-1], loss[-1]),
                xytext=(4, place),
                textcoords="offset points",
                fontsize=8,
                color=colour,
                annotation_clip=False,
            )
        axes.set_title(f"s = {float(part.s):g}, d = {float(part.d):g}", fontsize=9)
        axes.set(xlabel="step or time", ylabel="loss / first loss" if i == 0 else "")
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    legend_below(figure, grid[0], columns=3)
    captioned(
        figure,
        "formula, no data: spectra like λˢ⁻¹ dλ; dashed: the predicted exponents, aside",
    )
    return figure


def batch_limit(result: xr.Dataset) -> Figure:
    """Draw the limit of the step against the batch, one panel per data set."""
    figure, drawn = panels(
        result,
        "heavy ball in the mean square, fresh batches, infinite-width kernel; dashed: small "
        "batches, 2(1 − β)/(τ tr H); dotted: large ones, 2(1 + β)/λₘₐₓ; shaded: "
        "between both closed forms",
    )
    colours = shades(result.sizes["beta"])
    for name, axes in drawn:
        part = result.sel(data=name).dropna("place", subset=["batch"])
        batch = part.batch.values
        for beta, colour in zip(part.beta.values, colours, strict=True):
            line = part.sel(beta=beta)
            top = 2 * (1 + float(beta))
            low, between = line.low.values, np.minimum(line.between.values, top)
            axes.fill_between(batch, np.minimum(low, top), between, color=colour, alpha=0.2, lw=0)
            axes.loglog(
                batch, line.limit, color=colour, marker="o", markersize=2.5,
                label=rf"$\beta$ = {beta:g}",
            )  # fmt: skip
            under = low <= 1.5 * top
            axes.plot(batch[under], low[under], color=colour, linestyle="--", linewidth=0.9)
            axes.axhline(top, color=colour, linestyle=":", linewidth=0.9)
        axes.yaxis.set_minor_formatter(NullFormatter())
    outer_labels(drawn, "rows in a batch", r"largest $\eta\,\lambda_\mathrm{max}$")
    legend_below(figure, drawn[0][1], columns=3)
    return figure
