"""Draw the README's figure, light and dark: ``.venv/bin/python docs/images/momentum.py``.

Left: the forecast loss of heavy ball on `digits` at every step size and momentum.  Right: networks
trained at the settings of the rule `forecast`, and their forecasts.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import inertial
from inertial.linear.expected import measure_of
from inertial.linear.measure import Measure
from inertial.method.modes import stability_limit
from inertial.method.recursion import heavy_ball
from inertial.method.rules import choose
from inertial.runs.style import SETTINGS, STYLES
from inertial.simulation.forecast import forecast_loss

STEPS = 24
"""Steps after which the plane shows the loss: those that the recommended setting takes to 1 %."""

TOP = 3.0
"""The plane ends at momentum 1 - 10^-3."""

SCALED, LEVELS = np.geomspace(1e-2, 4, 160), np.linspace(0, TOP, 120)

RULES = {
    "paper": ("^", "Liu, Pan, Tao"),
    "quadratic": ("s", "quadratic"),
    "forecast": ("*", "ours"),
}


@dataclass(frozen=True)
class Theme:
    """Background, ink, colours of the methods, and of the plane from little to much loss."""

    paper: str
    ink: str
    methods: tuple[str, str, str]
    ramp: str


THEMES = {
    "light": Theme("#ffffff", "#1f2328", ("#0072b2", "#d55e00", "#009e73"), "YlGnBu_r"),
    "dark": Theme("#0d1117", "#e6edf3", ("#56b4e9", "#ff8c42", "#35c79b"), "YlGnBu"),
}


def main() -> None:
    """Compute once, draw twice."""
    data = inertial.load("digits")
    measure = measure_of(data)
    settings = inertial.Settings(rule="forecast", seeds=(0, 1, 2), steps=60, width=8000)
    with TemporaryDirectory() as folder:
        arrays = inertial.compare(data, settings, out=Path(folder) / "run").arrays
    share = share_left(measure, SCALED, LEVELS)
    for name, theme in THEMES.items():
        inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
        settled = {**SETTINGS, **dict.fromkeys(inked, theme.ink), "axes.facecolor": theme.paper}
        with mpl.rc_context({**settled, "font.size": 10}):
            figure = Figure(figsize=(9.6, 3.7), layout="constrained", facecolor=theme.paper)
            left, right = figure.subplots(1, 2, width_ratios=(1, 1.12))
            draw_plane(left, measure, share, theme)
            draw_runs(right, arrays, theme)
            figure.savefig(Path(__file__).with_name(f"momentum-{name}.png"), dpi=170)


def share_left(
    measure: Measure, scaled: Float[np.ndarray, "e"], levels: Float[np.ndarray, "b"]
) -> Float[np.ndarray, "b e"]:
    """Share of the loss that is left after `STEPS` steps; NaN where heavy ball diverges."""
    values = measure.nodes
    found = np.full((len(levels), len(scaled)), np.nan)
    for i, level in enumerate(levels):
        for j, eta in enumerate(scaled / values[-1]):
            method = heavy_ball(float(eta), float(1 - 10**-level))
            if eta * values[-1] < stability_limit(method):
                loss = forecast_loss(method, measure, np.array([0, STEPS]))
                found[i, j] = loss[1] / loss[0]
    return found


def draw_plane(axes: Axes, measure: Measure, share: Float[np.ndarray, "b e"], theme: Theme) -> None:
    """Colour every setting, mark the boundary and the tuned points."""
    shown = axes.contourf(
        SCALED,
        LEVELS,
        np.log10(share),
        levels=np.linspace(-2.4, 0, 13),
        cmap=theme.ramp,
        extend="both",
    )
    edge = [stability_limit(heavy_ball(1.0, float(1 - 10**-level))) for level in LEVELS]
    axes.plot(np.minimum(edge, SCALED[-1]), LEVELS, color=theme.ink, linewidth=1.4)
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    for rule, (marker, label) in RULES.items():
        method = choose(rule, "heavy_ball", measure, target=0.01)
        place = method.constant[0] * measure.largest, -np.log10(1 - method.constant[1])
        style = {"color": "#d55e00", "markeredgecolor": "white", "clip_on": False, "zorder": 3}
        axes.plot(*place, marker, markersize=14 if marker == "*" else 9, **style)
        offset = {"xytext": (-9, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
        axes.annotate(label, place, color="black", bbox=box, **offset)
    axes.set(xscale="log", ylabel=r"momentum $\beta$")
    axes.set_xlabel(r"step size × largest eigenvalue, $\eta\lambda_{\max}$")
    axes.set_xticks([0.01, 0.1, 1, 2, 4], ["0.01", "0.1", "1", "2", "4"])
    axes.set_yticks([0, -np.log10(0.5), 1, 2, 3], ["0", "0.5", "0.9", "0.99", "0.999"])
    axes.set_title(f"forecast: loss left after {STEPS} steps", fontsize=10.5, loc="left")
    bar = axes.figure.colorbar(shown, ax=axes, ticks=[-2, -1, 0], pad=0.02, aspect=28)
    bar.ax.set_yticklabels(["1 %", "10 %", "100 %"])
    bar.outline.set_visible(False)


def draw_runs(axes: Axes, arrays: xr.Dataset, theme: Theme) -> None:
    """Draw measured losses as bands and lines, forecasts dashed."""
    dashed = {"linestyle": (0, (3, 2)), "linewidth": 1.3}
    for name, colour in zip(arrays.optimizer.values, theme.methods, strict=True):
        run = arrays.sel({"optimizer": name})
        low, high = run.loss.min("seed"), run.loss.max("seed")
        axes.fill_between(run.step, low, high, color=colour, alpha=0.25, linewidth=0)
        label = STYLES[str(name)].label
        axes.plot(run.step, run.loss.mean("seed"), color=colour, linewidth=1.9, label=label)
        axes.plot(run.step, run.forecast_loss.mean("seed"), color=colour, **dashed)
    axes.plot([], [], color=theme.ink, label="forecast", **dashed)
    axes.set(xlabel="step", ylabel="loss", yscale="log", xlim=(0, int(arrays.step[-1])))
    facts = f"n = {arrays.attrs['n']}, m = {arrays.attrs['width']:,}, {arrays.sizes['seed']} starts"
    axes.set_title(f"measured: {facts}", fontsize=10.5, loc="left")
    axes.grid(visible=True, linewidth=0.4, alpha=0.35)
    axes.legend(fontsize=9.5)


if __name__ == "__main__":
    main()
