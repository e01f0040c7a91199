"""What a run records, with name, dimensions and unit; and how runs are joined.

The schema of every stored file follows from `OBSERVABLES`: one run has these dimensions, and joined
runs have theirs before them.  The dimension over methods is called `optimizer`, because `sel` of
xarray has a keyword named `method`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.method.recursion import Recursion
from inertial.simulation.transformations import Optax

MISSING = "missing"
"""Status of a run that is not there."""

_COEFFICIENTS = ("eta", "beta", "gamma")


@dataclass(frozen=True)
class Observable:
    """A recorded quantity: its dimensions in one run, what it is, and its unit."""

    dims: tuple[str, ...]
    long_name: str
    unit: str = ""


OBSERVABLES: Mapping[str, Observable] = {
    "loss": Observable(("step",), "1/2 |f - y|^2", "squared target"),
    "max_distance": Observable(("step",), "largest distance of a neuron from its start", "weight"),
    "mean_distance": Observable(("step",), "mean distance of a neuron from its start", "weight"),
    "pattern_change": Observable(("step",), "share of changed activation patterns"),
    "forecast_loss": Observable(("step",), "loss of the linearised network", "squared target"),
    "bound_loss": Observable(
        ("step",),
        "loss of the linearised network that no gradient method can beat",
        "squared target",
    ),
    "unreachable": Observable(
        (), "share of the loss at the start that no gradient method takes away, linearised"
    ),
    "forecast_spread": Observable(
        ("step",),
        "estimated standard deviation of the forecast loss over batches",
        "squared target",
    ),
    "schedule_eta": Observable(("step",), "step size of the update from this step"),
    "schedule_beta": Observable(("step",), "momentum of the update from this step"),
    "residual": Observable(("step", "sample"), "f - y", "target"),
    "forecast_steps": Observable(
        ("share",), "forecast step at this share of the initial loss, NaN if far beyond", "step"
    ),
    "flow_loss": Observable(
        ("flow", "step"),
        "loss of the flow on the linearised network, at the steps' times",
        "squared target",
    ),
    "eigenvalue": Observable(("mode",), "eigenvalues of the infinite-width kernel"),
    "weight": Observable(
        ("mode",),
        "expected squared modal coordinates of the initial residual",
        "squared target",
    ),
    "start_eigenvalue": Observable(("mode",), "eigenvalues of the finite network's kernel there"),
    "start_weight": Observable(
        ("mode",), "squared modal coordinates of the initial residual in its", "squared target"
    ),
    "distance": Observable(("step",), "|w_t - w_0| over all trained parameters", "weight"),
    "forecast_distance": Observable(("step",), "|w_t - w_0| of the linearised model", "weight"),
    "kernel_drift": Observable(
        ("look",), "|(H_t - H_0) g| / |H_0 g|, H = J J' and g the first gradient in the outputs"
    ),
    "sharpness": Observable(
        ("look",), "largest eigenvalue of the tangent operator M_t", "1/step size"
    ),
    "test_loss": Observable(("step",), "loss on the test rows", "loss"),
    "test_accuracy": Observable(("step",), "share of the test rows classified right"),
    "forecast_test_loss": Observable(
        ("step",), "loss of the linearised model on the test rows", "loss"
    ),
    "forecast_test_accuracy": Observable(
        ("step",), "share of the test rows classified right by the linearised model"
    ),
    "gcv": Observable(
        ("step",), "generalised cross-validation of the linearised model, training rows alone"
    ),
    "node": Observable(("rank",), "nodes of the Gauss rule at the start, ascending", "1/step size"),
    "node_weight": Observable(("rank",), "their weights: twice the loss at the start in all"),
}
"""Every recorded quantity by its name."""

_SHARED = ("eigenvalue", "weight")
"""What all runs on one data set have in common."""


def coefficients_of(method: Recursion | Optax) -> dict[str, float]:
    """Return the constants of a method by name; NaN for what it does not have, or changes."""
    if isinstance(method, Optax):
        return dict(zip(_COEFFICIENTS, (method.eta, np.nan, np.nan), strict=True))
    if method.steps is not None:
        return dict.fromkeys(_COEFFICIENTS, float("nan"))
    return dict(zip(_COEFFICIENTS, method.constant, strict=True))


def first_steps(
    losses: Float[np.ndarray, "t"], shares: Sequence[float]
) -> Float[np.ndarray, "share"]:
    """Return the first steps at shares of the first loss; NaN where it is not reached."""
    reached = [np.flatnonzero(losses <= share * losses[0]) for share in shares]
    return np.array([float(at[0]) if at.size else np.nan for at in reached])


def padded(name: str, values: Any, length: int) -> Float[np.ndarray, "..."]:  # noqa: ANN401
    """Fill up to `length` steps with NaN what ends with a divergence."""
    if values is None:
        raise ValueError(f"the record of {name} is missing")
    if OBSERVABLES[name].dims[:1] != ("step",):
        return np.asarray(values)
    filled = np.full((length, *values.shape[1:]), np.nan)
    filled[: len(values)] = values
    return filled


def join(
    runs: Sequence[xr.Dataset],
    along: Sequence[str] = ("optimizer", "seed"),
    axes: Mapping[str, Sequence[Any]] | None = None,
) -> xr.Dataset:
    """Join runs along what they differ in; NaN, and the status `missing`, where there is none.

    Parameters
    ----------
    runs
        What `inertial.runs.execution.execute` returned, at least one, with as many steps.
    along
        Attributes that become dimensions.
    axes
        Their values in order; by default as they first occur.

    Returns
    -------
    xr.Dataset
        The runs' observables over `along` and their own dimensions; `status`, `diverged_at` and the
        coefficients of the methods besides.

    """
    places = [tuple(run.attrs[name] for name in along) for run in runs]
    found = (list(dict.fromkeys(column)) for column in zip(*places, strict=True))
    values = dict(zip(along, found, strict=True)) | {k: list(v) for k, v in (axes or {}).items()}
    indices = [
        tuple(values[name].index(value) for name, value in zip(along, place, strict=True))
        for place in places
    ]
    shape = tuple(len(values[name]) for name in along)
    coords: dict[str, Any] = dict(values)
    variables: dict[str, Any] = {}
    for name, observable in OBSERVABLES.items():
        having = [(at, run) for at, run in zip(indices, runs, strict=True) if name in run]
        if not having or (name in _SHARED and "data" in along):
            continue
        about = {"long_name": observable.long_name}
        if observable.unit:
            about["units"] = observable.unit
        if name in _SHARED:
            variables[name] = (observable.dims, having[0][1][name].values, about)
            continue
        first = having[0][1]
        coords |= {d: first[d].values for d in observable.dims if d in first.coords}
        if name == "flow_loss":
            variables |= _flows(having, along, shape)
            coords["flow"] = [str(key) for _, run in having for key in run.flow.values]
            coords["flow"] = list(dict.fromkeys(coords["flow"]))
            continue
        joined = np.full((*shape, *first[name].shape), np.nan)
        for at, run in having:
            joined[at] = run[name].values
        variables[name] = ((*along, *observable.dims), joined, about)
    variables |= _outcomes(runs, indices, along, shape)
    return xr.Dataset(variables, coords=coords)


def _outcomes(
    runs: Sequence[xr.Dataset],
    indices: Sequence[tuple[int, ...]],
    along: Sequence[str],
    shape: tuple[int, ...],
) -> dict[str, Any]:
    """How the runs ended, and the coefficients, which depend on data and method only."""
    status = np.full(shape, MISSING, dtype=object)
    diverged_at = np.full(shape, -1)
    tuned = [i for i, name in enumerate(along) if name in {"data", "rule", "optimizer"}]
    coefficients = {name: np.full([shape[i] for i in tuned], np.nan) for name in _COEFFICIENTS}
    for run, at in zip(runs, indices, strict=True):
        status[at], diverged_at[at] = run.attrs["status"], run.attrs["diverged_at"]
        for name, array in coefficients.items():
            array[tuple(at[i] for i in tuned)] = run.attrs[name]
    return {
        "status": (tuple(along), status, {"long_name": "how the run ended"}),
        "diverged_at": (
            tuple(along),
            diverged_at,
            {"long_name": "step of the divergence, -1 if there was none"},
        ),
        **{
            name: (tuple(along[i] for i in tuned), array, {})
            for name, array in coefficients.items()
        },
    }


def _flows(
    having: Sequence[tuple[tuple[int, ...], xr.Dataset]],
    along: Sequence[str],
    shape: tuple[int, ...],
) -> dict[str, Any]:
    """Join the flows' losses over flow and all but the method, for each flow has one method."""
    kept = [i for i, name in enumerate(along) if name != "optimizer"]
    methods = {
        str(key): str(run.attrs["optimizer"]) for _, run in having for key in run.flow.values
    }
    keys = list(methods)
    joined = np.full((len(keys), *(shape[i] for i in kept), having[0][1].sizes["step"]), np.nan)
    for at, run in having:
        for key, losses in zip(run.flow.values, run.flow_loss.values, strict=True):
            joined[(keys.index(str(key)), *(at[i] for i in kept))] = losses
    observable = OBSERVABLES["flow_loss"]
    dims = ("flow", *(along[i] for i in kept), "step")
    return {
        "flow_loss": (dims, joined, {"long_name": observable.long_name}),
        "flow_method": (
            ("flow",),
            np.array([methods[key] for key in keys], dtype=object),
            {"long_name": "method that it is set beside"},
        ),
    }
