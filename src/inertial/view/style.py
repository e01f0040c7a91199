"""How every figure looks, whatever a reader's own matplotlib settings say.

Figures are drawn on `Figure` objects with Agg's canvas, never through pyplot, so that no backend
for windows is looked for.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

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
