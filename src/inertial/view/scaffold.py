"""Scaffolding of figures: panels with their data sets' names and sizes, legends, and captions."""

import matplotlib as mpl
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

_ACROSS = 3
"""Panels in a row."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches that keeps its parts from overlapping."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(result: xr.Dataset, caption: str) -> tuple[Figure, list[tuple[str, Axes]]]:
    """One panel a data set, titled with its name, n and d."""
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
        axes.margins(x=0.01)
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
    """Put the legend of one panel below all of them."""
    handles, labels = axes.get_legend_handles_labels()
    count = min(columns, len(labels))
    figure.legend(handles, labels, loc="outside lower center", ncols=count, handlelength=3)


def captioned(figure: Figure, words: str) -> None:
    """Write a line over the whole figure."""
    figure.suptitle(words, fontsize=8, color="0.3", x=0.01, ha="left", parse_math=False)


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
