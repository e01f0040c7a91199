"""How every figure looks, whatever a reader's own matplotlib settings say.

Figures are drawn on `Figure` objects with Agg's canvas, never through pyplot, so that no backend
for windows is looked for.  One colour and one marker per method everywhere, from the Okabe-Ito
palette, so that figures read in black and white and for colour-blind readers.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inertial.method.recursion import FAMILIES, label
from inertial.method.schedule import SCHEDULES
from inertial.simulation.transformations import TRANSFORMATIONS

SETTINGS: dict[Any, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.frameon": False,
    "svg.hashsalt": "inertial",
}
"""What differs from matplotlib's own defaults."""

_SURROUNDINGS = ("backend", "backend_fallback", "interactive", "toolbar")
"""Settings of the process, not of figures."""


_DOTS = 110
"""Dots per inch of a figure in a notebook."""


class Picture(Figure):
    """A figure that a notebook shows, though pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=_DOTS)
        return picture.getvalue()


def new_figure(width: float, height: float) -> Picture:
    """Return an empty figure of a size in inches that keeps its parts from overlapping."""
    figure = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class MethodStyle:
    """How a method looks in every figure."""

    label: str
    colour: str
    marker: str


STYLES = {
    "gradient_descent": MethodStyle("gradient descent", "#0072B2", "o"),
    "heavy_ball": MethodStyle("heavy ball", "#D55E00", "s"),
    "nesterov": MethodStyle("Nesterov", "#009E73", "^"),
}
"""The methods of the papers, in the Okabe-Ito palette."""

_BESIDE = {
    "other trials": MethodStyle("other trials", "0.8", ""),
    "compared with": MethodStyle("compared with", "#E69F00", "v"),
}
"""What stands beside a recommended setting."""

_MORE = (
    *(("#CC79A7", "D"), ("#B07C00", "P"), ("#56B4E9", "X"), ("#332288", "v"), ("#6B6B6B", "*")),
)
"""Colours and markers of methods besides the papers', in turn."""

_OTHERS = (*(name for name in FAMILIES if name not in STYLES), *TRANSFORMATIONS, *SCHEDULES)


def style_of(name: str) -> MethodStyle:
    """Return how a method is drawn."""
    if name in STYLES or name in _BESIDE:
        return STYLES.get(name) or _BESIDE[name]
    place = _OTHERS.index(name) if name in _OTHERS else 0
    return MethodStyle(label(name), *_MORE[place % len(_MORE)])


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save with matplotlib's defaults and `SETTINGS`; a reader's own come back after.

    A ``matplotlibrc``, a style or ``text.usetex`` changes nothing inside.  Characters that the font
    lacks are drawn as boxes without a word: names of data come in any script.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", mpl.MatplotlibDeprecationWarning)
        mpl.rcParams.update(
            {key: value for key, value in mpl.rcParamsDefault.items() if key not in _SURROUNDINGS}
        )
        mpl.rcParams.update(SETTINGS)
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        yield
