"""Scaffolding of figures: panels with their data sets' names and sizes, legends, and captions."""

import re
import textwrap
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inertial.runs.style import new_figure

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

_ACROSS = 3
"""Panels in a row."""

_LETTERS = 14
"""Letters of a caption in an inch."""

_TOGETHER = "\N{NO-BREAK SPACE}"
"""Between words of a caption that stay on one line."""

_TOP = 1e6
"""An axis ends at this many times the first loss, however far a loss grows."""

_BOTTOM = 0.1
"""It ends at this share of the lowest measured loss, below which only forecasts go."""

_ABOVE = 10.0
"""A forecast is drawn up to this many times the largest measured loss, so that runs stay apart."""

_ROOM = 1.3
"""Factor between the outermost loss and the end of the axis."""


def panels(result: xr.Dataset, caption: str) -> tuple[Figure, list[tuple[str, Axes]]]:
    """One panel per data set, titled with its name, n and d."""
    names = [str(value) for value in result.data.values]
    columns = min(_ACROSS, len(names))
    rows = -(-len(names) // columns)
    # A single panel is wider, so that caption and legend find room.
    size = (5.8, 3.9) if len(names) == 1 else (3.0 * columns + 0.4, 2.3 * rows + 0.9)
    figure = new_figure(*size)
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axes in grid[len(names) :]:
        axes.axis("off")
    for name, axes in zip(names, grid, strict=False):
        part = result.sel(data=name)
        words = f"{plain(name)} (n = {int(part.n):,}, d = {int(part.d):,})"
        axes.set_title(words, fontsize=9, parse_math=False)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.margins(x=0.03)  # room for the whole of a marker on the last step
    captioned(figure, caption)
    return figure, list(zip(names, grid, strict=False))


def outer_labels(drawn: list[tuple[str, Axes]], x: str, y: str) -> None:
    """Label the axes along the left and the lower rim."""
    columns = min(_ACROSS, len(drawn))
    for i, (_, axes) in enumerate(drawn):
        if i % columns == 0:
            axes.set_ylabel(y)
        if i >= len(drawn) - columns:
            axes.set_xlabel(x)
            axes.tick_params(labelbottom=True)


def legend_below(figure: Figure, axes: Axes, columns: int = 5) -> None:
    """Put the legend of one panel below all of them, in as many columns as have room."""
    handles, labels = axes.get_legend_handles_labels()
    for count in range(min(columns, len(labels)), 0, -1):
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=count, handlelength=3
        )
        if count == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def captioned(figure: Figure, words: str) -> None:
    """Write a few words over the whole figure, in as many lines as they need.

    A line ends behind a comma or semicolon, unless what is between two of them is long.
    """
    most = int(_LETTERS * figure.get_figwidth())
    groups = [
        part.replace(" ", _TOGETHER) if len(part) <= most / 2 else part
        for part in re.split(r"(?<=[,;]) ", words)
    ]
    wrapped = textwrap.wrap(" ".join(groups), most, break_on_hyphens=False)
    lines = [line.replace(_TOGETHER, " ") for line in wrapped]
    figure.suptitle("\n".join(lines), fontsize=8, color="0.3", x=0.01, ha="left", parse_math=False)


def frame_losses(axes: Axes, measured: Float[np.ndarray, "..."]) -> None:
    """Limit an axis of losses, and mark every line that leaves it or ends before the last step.

    What was measured is shown in full up to 1e6 times its first loss, and a forecast from a tenth
    of the lowest of them up to ten times the largest.  A triangle on the rim says where a line
    leaves, a cross where it ends because a run diverged: no line is cut in silence.

    Parameters
    ----------
    axes
        Axes with all lines drawn, the losses on a logarithmic scale.
    measured
        All measured losses, the steps last; NaN after a divergence.

    """
    known = measured[np.isfinite(measured) & (measured > 0)]
    if not known.size:
        return
    starts = measured[..., 0]
    first = float(starts[np.isfinite(starts) & (starts > 0)].max(initial=0.0)) or float(known.max())
    drawn = np.concatenate([known, *(np.asarray(line.get_ydata(), float) for line in axes.lines)])
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    high = min(max(float(known.max()), float(drawn.max())), _ABOVE * float(known.max()))
    high = min(high, _TOP * first)
    low = max(min(float(known.min()), float(drawn.min())), _BOTTOM * float(known.min()))
    axes.set_ylim(low / _ROOM, high * _ROOM)
    for line in list(axes.lines):
        x, y = (np.asarray(part, float) for part in line.get_data())
        for marker, place in _exits(x, y, low / _ROOM, high * _ROOM):
            axes.plot(
                *place, marker=marker, color=line.get_color(), markersize=6, clip_on=False, zorder=5
            )


def shade_bound(axes: Axes, run: xr.Dataset) -> None:
    """Shade the losses that no gradient method reaches, if they are stored: mean over the seeds.

    It is the bound of the linearised network, which conjugate gradients attain there.  Call it
    after `frame_losses`: the axis stays as it is.

    Parameters
    ----------
    axes
        Axes of losses against step, on a logarithmic scale.
    run
        Runs of all methods on one data set at one width; `bound_loss` over (optimizer, seed, step).

    """
    if "bound_loss" not in run:
        return
    known = run.bound_loss.stack(run=("optimizer", "seed")).dropna("run", how="all")
    bound, low = known.mean("run").values, axes.get_ylim()[0]
    axes.fill_between(
        run.step.values,
        low,
        np.maximum(bound, low),
        where=bound > 0,
        color="0.6",
        alpha=0.35,
        linewidth=0,
        zorder=0,
        label="no gradient method (linearised)",
    )


def _exits(
    x: Float[np.ndarray, "T"], y: Float[np.ndarray, "T"], low: float, high: float
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield the markers of a line: where it leaves the axis, and where it ends early."""
    with np.errstate(invalid="ignore"):
        inside = (y >= low) & (y <= high)
    for at in np.flatnonzero(inside[:-1] & ~inside[1:]):
        if y[at + 1] > high:
            yield "^", (float(x[at + 1]), high)
        elif y[at + 1] < low:
            yield "v", (float(x[at + 1]), low)
        elif np.isnan(y[at + 1 :]).all():
            yield "x", (float(x[at]), float(y[at]))


def facts(result: xr.Dataset, of_seeds: str, title: str | None = None) -> str:
    """Say what is shown, the width, the seeds with what is made of them, and the rule."""
    words = [str(result.attrs.get("title", "")) if title is None else title]
    widths = [f"{int(value):,}" for value in result.width.values]
    words.append(f"width m = {widths[0]}" + (f" to {widths[-1]}" if widths[1:] else ""))
    words.append(of_seeds)
    words.append(f"rule: {result.attrs['rule']}")
    if missing := int(result.attrs.get("missing", 0)):
        words.append(f"missing runs: {missing}")
    return ", ".join(word for word in words if word)


def seeds(result: xr.Dataset) -> str:
    """Return how many seeds there are, in words."""
    count = result.sizes["seed"]
    return f"{count} seed{'s' if count > 1 else ''}"


def plain(name: str) -> str:
    """Return a name without what no font can draw."""
    return "".join(c if c.isprintable() else "?" for c in name)


def shades(count: int) -> list[tuple[float, ...]]:
    """Return colours from dark to light for ordered lines, all dark enough for white paper."""
    colours = mpl.colormaps["viridis"]
    return [tuple(colours(0.8 * i / max(1, count - 1))) for i in range(count)]
