"""The arrays of a comparison: every run with its forecast and flows, over method, seed and step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.data import Provenance
from inertial.linear.measure import Measure
from inertial.method.recursion import Recursion
from inertial.runs.settings import COMPANIONS, Settings
from inertial.simulate.trajectory import Trajectory


@dataclass(frozen=True)
class Pair:
    """A measured run, its forecast with the step counts to the shares, and its flows' losses."""

    measured: Trajectory
    forecast: Trajectory
    steps_to: tuple[int | None, ...]
    flows: dict[str, Float[np.ndarray, "T"]]


def dataset(
    runs: Sequence[Sequence[Pair]],
    provenance: Provenance,
    measure: Measure,
    methods: Mapping[str, Recursion],
    settings: Settings,
) -> xr.Dataset:
    """All records over (method, seed, step); NaN after a divergence, which `status` names."""
    length = settings.steps + 1

    def stack(read: Callable[[Pair], Float[np.ndarray, "T ..."] | None]) -> Any:  # noqa: ANN401
        rows = [[_pad(read(pair), length) for pair in row] for row in runs]
        return np.array(rows)

    along = ("optimizer", "seed", "step")
    variables: dict[str, tuple[tuple[str, ...], Any, dict[str, str]]] = {
        "loss": (along, stack(lambda p: p.measured.loss), {"long_name": "1/2 |f - y|^2"}),
        "max_distance": (
            along,
            stack(lambda p: p.measured.max_distance),
            {"long_name": "largest distance of a neuron from its start"},
        ),
        "mean_distance": (
            along,
            stack(lambda p: p.measured.mean_distance),
            {"long_name": "mean distance of a neuron from its start"},
        ),
        "pattern_change": (
            along,
            stack(lambda p: p.measured.pattern_change),
            {"long_name": "share of changed activation patterns"},
        ),
        "forecast_loss": (
            along,
            stack(lambda p: p.forecast.loss),
            {"long_name": f"loss of the linearised network, {settings.kernel}-width kernel"},
        ),
        "forecast_steps": (
            (*along[:2], "share"),
            np.array([[pair.steps_to for pair in row] for row in runs], dtype=float),
            {"long_name": "forecast step at this share of the initial loss, NaN if far beyond"},
        ),
        "status": (
            along[:2],
            np.array([[pair.measured.status for pair in row] for row in runs], dtype=object),
            {"long_name": "how the run ended"},
        ),
        "diverged_at": (
            along[:2],
            np.array([[_or(pair.measured.diverged_at, -1) for pair in row] for row in runs]),
            {"long_name": "step of the divergence, -1 if there was none"},
        ),
        "eigenvalue": (
            ("mode",),
            measure.nodes,
            {"long_name": "eigenvalues of the infinite-width kernel"},
        ),
        "weight": (
            ("mode",),
            measure.weights,
            {"long_name": "expected squared modal coordinates of the initial residual"},
        ),
    }
    if settings.record_residuals:
        variables["residual"] = (
            (*along, "sample"),
            stack(lambda p: p.measured.residual),
            {"long_name": "f - y"},
        )
    if settings.flows:
        losses = [
            [pair.flows[key] for row in runs for pair in row if key in pair.flows]
            for key in settings.flows
        ]
        variables["flow_loss"] = (
            ("flow", *along[1:]),
            np.array(losses),
            {"long_name": "loss of the flow on the linearised network, at the steps' times"},
        )
        limits = np.array([COMPANIONS[key].method for key in settings.flows], dtype=object)
        variables["flow_method"] = (("flow",), limits, {"long_name": "method it is a limit of"})
    constants = zip(*(method.constant for method in methods.values()), strict=True)
    for name, values in zip(("eta", "beta", "gamma"), constants, strict=True):
        variables[name] = (("optimizer",), np.array(values), {})
    return xr.Dataset(
        variables,
        coords={
            "optimizer": list(methods),
            "seed": list(settings.seeds),
            "step": np.arange(length),
            "share": list(settings.shares),
            **({"flow": list(settings.flows)} if settings.flows else {}),
        },
        attrs=_attributes(provenance, settings),
    )


def _attributes(provenance: Provenance, settings: Settings) -> dict[str, str | int]:
    return {
        "title": f"inertial compare {provenance.name}",
        "data": provenance.name,
        "n": provenance.n,
        "d": provenance.d,
        "data_sha256": provenance.sha256,
        "width": settings.width,
        "rule": "given" if settings.eta is not None else settings.rule,
        "kernel": settings.kernel,
    }


def _pad(values: Float[np.ndarray, "T ..."] | None, length: int) -> Float[np.ndarray, "L ..."]:
    if values is None:
        raise ValueError("a trainer's record is missing")
    padded = np.full((length, *values.shape[1:]), np.nan)
    padded[: len(values)] = values
    return padded


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
