"""The interactive page of a data set: what `inertial.runs.exploration` found, and its scripts.

The page computes forecasts itself, from the measure, in the formulas of `inertial.method`.
"""

import base64
from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial.method.recursion import Recursion
from inertial.runs.exploration import RULE_OF_RUNS, Exploration
from inertial.runs.meanings import Meaning
from inertial.view.page import render

SCRIPTS = (
    "numerics.js",
    "charts.js",
    "explorer.js",
    "explorer_plane.js",
    "explorer_modes.js",
    "explorer_losses.js",
    "explorer_lesson.js",
    "explorer_controls.js",
)
"""The state first, then what draws it, then what moves it."""

_FACTS = ("name", "task", "n", "d")


def explorer_page(exploration: Exploration, command: str | None = None) -> str:
    """Return the interactive page, self-contained.

    Parameters
    ----------
    exploration
        What `explore` found.
    command
        The command that makes this page.

    """
    measure, data = exploration.measure, exploration.data
    document = {
        "data": {key: getattr(data, key) for key in _FACTS},
        "spectrum": {"nodes": measure.nodes.tolist(), "weights": measure.weights.tolist()},
        "target": exploration.trials.target,
        "tuned": RULE_OF_RUNS,
        "points": [
            {"rule": point.rule, "source": point.source, **_coefficients(point.method)}
            for point in exploration.points
        ],
        "runs": [
            {**_coefficients(curve.method), "loss": [_plain(row) for row in curve.loss]}
            for curve in exploration.curves
        ],
        "meanings": [_meaning(one) for one in exploration.meanings],
    }
    return render(
        "explorer.html",
        SCRIPTS,
        document,
        data=data,
        merged=len(measure.nodes) < data.n,
        count=len(measure.nodes),
        smallest=measure.smallest,
        largest=measure.largest,
        trials=exploration.trials,
        meanings=exploration.meanings,
        pictures=any(one.picture is not None for one in exploration.meanings),
        command=command,
        version=version("inertial"),
    )


def _coefficients(method: Recursion) -> dict[str, Any]:
    return {
        "method": method.name,
        **dict(zip(("eta", "beta", "gamma"), method.constant, strict=True)),
    }


def _plain(values: Float[np.ndarray, "T"]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _meaning(one: Meaning) -> dict[str, Any]:
    """Describe a mode; its pictures as one byte a pixel."""
    described: dict[str, Any] = {
        "place": one.place,
        "eigenvalue": one.eigenvalue,
        "share": one.share,
        "columns": [[name, round(value, 4)] for name, value in one.columns],
    }
    if one.picture is not None and one.low is not None and one.high is not None:
        described["shape"] = list(one.picture.shape)
        described["picture"] = _bytes(127.5 + 127.5 * one.picture)
        described["low"] = [_bytes(255 * example) for example in one.low]
        described["high"] = [_bytes(255 * example) for example in one.high]
    return described


def _bytes(values: Float[np.ndarray, "h w"]) -> str:
    return base64.b64encode(np.rint(values).astype(np.uint8).tobytes()).decode("ascii")
