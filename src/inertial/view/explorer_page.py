"""The interactive page of a data set: what `inertial.runs.exploration` found, and its scripts.

The page computes forecasts itself, from the measure, in the formulas of `inertial.method`.
"""

import base64
from dataclasses import astuple
from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial.linear.measure import Measure
from inertial.method.batch import Modes
from inertial.method.curve import STEPS_LIMIT
from inertial.method.race import STEPS as RACE
from inertial.method.recursion import label
from inertial.method.rules import MARGIN as RULE_MARGIN
from inertial.method.trust import DIGITS, STEPS, limits_of
from inertial.runs.batches import of_sizes
from inertial.runs.exploration import MARGIN, Curve, Exploration, TunedPoint
from inertial.runs.meanings import Meaning
from inertial.runs.measures import misses
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
    lowest = {point.name for point in exploration.points if point.lowest}
    measure, data, modes = exploration.measure, exploration.data, exploration.modes
    document = {
        "data": {key: getattr(data, key) for key in _FACTS},
        "spectrum": {"nodes": measure.nodes.tolist(), "weights": measure.weights.tolist()},
        "modes": None if modes is None else _modes(modes, measure),
        "sizes": None if exploration.sizes is None else list(astuple(exploration.sizes)),
        "bound": _plain(exploration.bound),
        "loss": "loss ½ Σ (f − y)²" if exploration.width else f"loss, {exploration.loss}",
        "offset": 0 if exploration.squared else exploration.start - 0.5 * measure.total,
        "proven": measure.proven,
        "few": exploration.width is not None and len(measure.nodes) < data.n,
        "squared": exploration.squared,
        "batch": exploration.batch,
        "outputs": exploration.outputs,
        "trust": None
        if exploration.width is None
        else {
            "width": exploration.width,
            "steps": STEPS,
            **dict(zip(("holds", "departs"), limits_of(data.d), strict=True)),
            "digits": DIGITS,
        },
        "target": exploration.target,
        "race": {"margin": MARGIN, "steps": RACE}
        if exploration.width is None
        else {"margin": RULE_MARGIN, "steps": STEPS_LIMIT},
        "points": [
            {"rule": point.rule, "source": point.source, **_coefficients(point)}
            for point in exploration.points
        ],
        "runs": [
            {
                "rule": curve.rule,
                **_coefficients(curve),
                "loss": [_plain(row) for row in curve.loss],
                "forecast": _plain(curve.forecast),
                "measured": curve.measured,
                "arrived": curve.arrived,
                "lowest": curve.name in lowest and not curve.arrived,
                "rings": curve.rings,
                "stays": curve.stays,
                "diverged": curve.diverged,
            }
            for curve in exploration.curves
        ],
        "meanings": [_meaning(one) for one in exploration.meanings],
    }
    steps = exploration.curves[0].loss.shape[1] - 1
    # Under squares counts are known beyond the run.
    growing = [c.name for c in exploration.curves if exploration.squared and c.grows]
    return render(
        "explorer.html",
        SCRIPTS,
        document,
        exploration=exploration,
        data=data,
        merged=document["few"],
        steps=steps,
        short=[
            label(one.name)
            for one in exploration.curves
            if one.measured is None
            and not (one.arrived or one.diverged or one.name in growing)
            and (one.promised is None or one.promised > steps)
        ],
        growing=growing,
        partly=[
            label(one.name)
            for one in exploration.curves
            if one.measured is None and one.arrived and not one.diverged
        ],
        starts=exploration.curves[0].loss.shape[0],
        worst=max(exploration.curves, key=_strain),
        missing=[
            label(one.name)
            for one in exploration.curves
            if one.trust is not None
            and one.trust.verdict == "holds"
            and misses(one.promised, one.measured, steps)
        ],
        departing=[label(one.name) for one in exploration.curves if one.verdict == "departs"],
        unchecked=all(one.verdict == "unchecked" for one in exploration.curves),
        drift=max((one.drift or 0.0 for one in exploration.curves), default=0.0),
        label=label,
        count_of_nodes=f"{len(measure.nodes):,}",
        proven=measure.proven,
        batch_words=of_sizes(exploration.sizes, data.n) if exploration.sizes else "",
        pictures=any(one.picture is not None for one in exploration.meanings),
        command=command,
        version=version("inertial"),
    )


def _strain(curve: Curve) -> float:
    return 0.0 if curve.trust is None else curve.trust.strain


def _modes(modes: Modes, measure: Measure) -> dict[str, list[float]]:
    """Give every eigenvalue's count; nodes and weights only where they are not the measure's."""
    described = {"counts": modes.counts.tolist()}
    pairs = ((modes.nodes, measure.nodes), (modes.weights, measure.weights))
    if not all(np.array_equal(own, other) for own, other in pairs):
        described |= {"nodes": modes.nodes.tolist(), "weights": modes.weights.tolist()}
    return described


def _coefficients(one: TunedPoint | Curve) -> dict[str, Any]:
    return {
        "method": one.name,
        **dict(zip(("eta", "beta", "gamma"), one.method.constant, strict=True)),
    }


def _plain(values: Float[np.ndarray, "T"]) -> list[float | None]:
    """Write numbers that are drawn with nine digits, and null where there is none."""
    return [float(f"{value:.9g}") if np.isfinite(value) else None for value in values]


def _meaning(one: Meaning) -> dict[str, Any]:
    """Describe a mode; its pictures as one byte per pixel."""
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
