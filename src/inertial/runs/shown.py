"""How results are shown: as a table of text, in notebooks, as one line, and as curves."""

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float

from inertial._checks import below_one, plain, significant
from inertial.linear.measure import Measure
from inertial.method.recursion import FAMILIES, Recursion, label
from inertial.runs.ranking import as_left

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Shown(ABC):
    """A result that prints as its table, and shows arrays nowhere."""

    @property
    @abstractmethod
    def recommendation(self) -> str:
        """The result in one sentence."""

    @property
    @abstractmethod
    def table(self) -> str:
        """What there is to know, as text."""

    @abstractmethod
    def to_dataframe(self) -> "pd.DataFrame":
        """Return the table's numbers."""

    @abstractmethod
    def plot(self) -> "Figure":
        """Draw losses against steps."""

    def __str__(self) -> str:
        return plain(self.table)

    def __repr__(self) -> str:
        return plain(f"<{type(self).__name__}: {self.recommendation}>")

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


_RISES = 2.0
"""Times its start from which a loss that first rises is told of."""


class Promised(Shown):
    """Advice from a forecast, which real runs of the papers' network may keep or break."""

    @property
    @abstractmethod
    def share_of_limit(self) -> float | None:
        """Step size of `setting` over the stability limit that is tabulated; None of a schedule."""

    @property
    @abstractmethod
    def growth(self) -> float | None:
        """Largest loss over the first in the run at `setting`; None if it diverged or is none."""

    @property
    @abstractmethod
    def _use(self) -> str:
        """Which method at which setting, in how many steps."""

    @property
    def recommendation(self) -> str:
        """Which method at which setting, in how many steps, and what its run did beyond limits."""
        cautions, share = [], self.share_of_limit
        if self.growth is None:
            return self._use
        if share is not None and share >= 1:
            cautions.append(
                f"its step is {share:.3g} times the stability limit: it is for this width and "
                "start alone"
            )
        if self.growth > _RISES:
            rise = significant(self.growth, 2)
            cautions.append(f"its loss first rises to {rise} times its start")
        said = "; ".join(cautions)
        return f"{self._use} {said[0].upper()}{said[1:]}." if said else self._use

    @property
    @abstractmethod
    def _kept(self) -> bool:
        """Whether real runs kept to the forecast of the recommended setting, or none were made."""

    @property
    @abstractmethod
    def _forecast_steps(self) -> int | None:
        """Forecast steps to the target of the forecast's own choice."""

    @property
    @abstractmethod
    def _measured_steps(self) -> int | None:
        """Steps to the target of the real run of the recommended setting."""

    @property
    def steps(self) -> int | None:
        """Steps to the first one at the target at `setting`, as the recommendation says them.

        They are measured where real runs replaced the forecast, or broke its promise, and forecast
        otherwise: `steps_are` says which.  None where the target is not reached.
        """
        return self._forecast_steps if self._kept else self._measured_steps

    @property
    def steps_are(self) -> Literal["measured", "forecast"]:
        """Whether `steps` were counted on a real run or are forecast."""
        return "forecast" if self._kept else "measured"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def count(value: float | None) -> str:
    """Return a number of steps as it is read, a dash where there is none."""
    return "-" if value is None else f"{value:,.1f}".removesuffix(".0")


def of_steps(value: float | None) -> str:
    """Return a number of steps with its noun: 1 step, 2.5 steps."""
    return f"{count(value)} step{'' if value == 1 else 's'}"


def of_tried(settings: int) -> str:
    """Say of the fastest run how many settings it was compared with, if there were others."""
    return f", the fastest of {settings} settings" if settings > 1 else ""


def called(name: str, constants: tuple[float, float, float]) -> str:
    """Return what a method is called; without momentum each of them is gradient descent."""
    plain = name in FAMILIES and not any(constants[1:])
    return label("gradient_descent" if plain else name)


def at(name: str, method: Recursion) -> str:
    """Return a method by name with its constants: heavy ball with eta 0.03, momentum 0.75."""
    eta, beta, _ = method.constant
    words = f"{called(name, method.constant)} with eta {eta:.4g}"
    return words + (f", momentum {below_one(beta)}" if beta else "")


def came_lowest(
    name: str, method: Recursion, lowest: float, when: int, steps: int, target: float
) -> str:
    """Say how far the best run came and when, where none reached the target."""
    came = f"{at(name, method)} got the lowest, to {as_left(lowest, target)} of it"
    return (
        f"{came} in {of_steps(steps)}" if when == steps else f"{came} at step {when:,} of {steps:,}"
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """Losses at steps 0, 1, ..., of a method by name; dashed if they are forecast.

    `label` stands in the legend instead of the method's name.  A curve with a `marker` has some of
    them, and of one that `covers` another they are all that is drawn.
    """

    name: str
    losses: Float[np.ndarray, "t"]
    forecast: bool = False
    lowest: Float[np.ndarray, "t"] | None = None
    highest: Float[np.ndarray, "t"] | None = None
    colour: str | None = None
    label: str | None = None
    marker: str | None = None
    covers: bool = False


def advised(name: str, method: Recursion, losses: Float[np.ndarray, "t"]) -> Curve:
    """Return the forecast of a setting that real runs put in the place of the best forecast's."""
    words = f"{called(name, method.constant)}, recommended, forecast"
    return Curve(name, losses, True, colour="0.15", label=words)


_MIDDLE = 0.5
"""Left of this share of a figure's width the words of a mark are right of it."""

_FEW = 4
"""Names in a legend that there is room for beside the curves."""

_MARKERS = 12
"""Markers along a curve that has some."""


def draw(
    curves: Sequence[Curve],
    *,
    target: float | None = None,
    xlabel: str = "step",
    scale: float = 1.0,
) -> "Figure":
    """Draw losses against steps, in the look of all figures; a reader's settings stay.

    Parameters
    ----------
    curves
        Losses, each shown as a share of its first.
    target
        Share to mark.
    xlabel, scale
        What is counted along the axis, and how much of it a step is.

    """
    from inertial.runs.style import house_style, new_figure, style_of

    with house_style():
        figure = new_figure(6.4, 4.0)
        axes = figure.add_subplot()
        lowest, named = 1.0, set()
        for curve in curves:
            style, first = style_of(curve.name), curve.losses[0]
            colour = curve.colour or style.colour
            steps, share = scale * np.arange(len(curve.losses)), curve.losses / first
            if curve.lowest is not None and curve.highest is not None:
                low, high = curve.lowest / first, curve.highest / first
                axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
            words = curve.label or (f"{style.label}, forecast" if curve.forecast else style.label)
            (line,) = axes.plot(steps, share, color=colour, linewidth=1.3)
            line.set_linestyle("--" if curve.forecast else "-")
            if curve.marker is not None:
                line.set(marker=curve.marker, markersize=4.5, markerfacecolor="white")
                line.set_markevery(max(1, len(steps) // _MARKERS))
            if curve.covers:
                line.set_linestyle("none")
            if words not in named:
                line.set_label(words)
            named.add(words)
            lowest = min(lowest, *share[np.isfinite(share) & (share > 0)])
        if target is not None:
            axes.axhline(target, color="0.4", linewidth=0.8, linestyle=":")
            lowest = min(lowest, target)
        axes.set(
            xlabel=xlabel, ylabel="loss / loss at the start", yscale="log", ylim=(lowest / 3, 10)
        )
        axes.margins(x=0.01)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        if len(named) > _FEW:  # there is no room for them beside the curves
            figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        else:
            axes.legend(loc="upper right", fontsize=8)
    return figure


def mark(
    figure: "Figure", steps: int, target: float, words: str = "", *, scale: float = 1.0
) -> None:
    """Mark in a figure of `draw` the steps in which the target was reached."""
    from inertial.runs.style import house_style

    axes, at = figure.axes[0], (scale * steps, target)
    right = axes.transLimits.transform(at)[0] < _MIDDLE
    with house_style():
        axes.plot(*at, "o", color="black", markersize=4, zorder=3)
        axes.annotate(
            f"{of_steps(steps)} to {100 * target:g} %{words}",
            at,
            xytext=(6, 6) if right else (-4, -6),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if right else "top",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )


def plot_measure(measure: Measure) -> "Figure":
    r"""Draw where the loss lies on the kernel's spectrum: its density, and all of it up to a place.

    A stem at each node :math:`\lambda_k` has the height :math:`w_k / \sum_j w_j`, the share of the
    loss at the start that lies there; the line is the sum of these shares up to :math:`\lambda`.
    Nodes of a Lanczos measure stand for the eigenvalues around them (Golub and Meurant 2010).

    Parameters
    ----------
    measure
        Of a problem, of data or of a spectrum.  What lies at 0 is named, for it has no place on a
        logarithmic axis.

    Returns
    -------
    Figure
        Of matplotlib, in the look of all figures.

    """
    from inertial.runs.style import house_style, new_figure

    shares, there = measure.weights / measure.total, measure.nodes > 0
    nodes, heights = measure.nodes[there], shares[there]
    with house_style():
        figure = new_figure(6.4, 4.0)
        axes = figure.add_subplot()
        axes.vlines(nodes, 0, heights, color="#0072B2", linewidth=1.5, label="share of the loss")
        axes.plot(nodes, heights, "o", color="#0072B2", markersize=3)
        below = shares[~there].sum()
        total = below + np.cumsum(heights)
        axes.step(nodes, total, where="post", color="#D55E00", linewidth=1.3, label="up to here")
        axes.set(xlabel="eigenvalue", ylabel="share of the loss at the start", xscale="log")
        axes.set_ylim(0, 1.05)
        if below:
            axes.set_title(f"{100 * below:.2g} % of the loss lie at 0, and stay", fontsize=9)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.legend(loc="upper left", fontsize=8)
    return figure
