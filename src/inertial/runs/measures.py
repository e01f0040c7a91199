r"""What tables print, figures draw and claims judge of runs: one definition for all.

Heavy ball rings: its loss at a single step is where the swing happens to be.  So losses are drawn,
and compared at the end of a run, as means over a window of steps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from inertial.linear.measure import Measure
from inertial.method.modes import stability_limit
from inertial.method.recursion import Recursion
from inertial.method.trust import APART, CLOSE, Trust, agree, trust
from inertial.simulation.train import DIVERGED

_WINDOWS = 15
"""Windows in a run."""

SAME_START = 1e-5
"""Relative difference up to which rounding tells the numbers of one start apart."""


def window(result: xr.Dataset) -> int:
    """Return the length of the window: an odd number of steps, about 1/15 of the run."""
    return max(1, int(result.step.values[-1]) // _WINDOWS) | 1


def last_mean(loss: xr.DataArray, count: int) -> xr.DataArray:
    """Return the mean over the last `count` steps; NaN if the run did not get there."""
    return loss.isel(step=slice(-count, None)).mean("step", skipna=False)


def windowed(
    values: Float[np.ndarray, "seed T"], count: int
) -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """Return mean, lowest and highest over all seeds and the window around every step.

    At the start the window is shorter and reaches back half way at most, so that the first fall is
    not blurred; at the end it stays where it is, so that the last mean is that of `last_mean`.
    """
    steps = np.arange(values.shape[1])
    reach = np.minimum(steps // 2, count // 2)
    first = np.minimum(steps - reach, max(0, len(steps) - count))
    last = np.minimum(steps + reach, steps[-1])
    parts = [values[:, a : b + 1] for a, b in zip(first, last, strict=True)]
    mean, low, high = ([getattr(part, what)() for part in parts] for what in ("mean", "min", "max"))
    return np.array(mean), np.array(low), np.array(high)


def forecast_error(result: xr.Dataset) -> xr.DataArray:
    r"""Largest gap of the residual norms over a run, as a share of the first norm.

    .. math:: \max_t \bigl|\sqrt{L_t} - \sqrt{\hat L_t}\bigr| / \sqrt{L_0}
    """
    gap = np.abs(np.sqrt(result.loss) - np.sqrt(result.forecast_loss)).max("step")
    share: xr.DataArray = gap / np.sqrt(result.loss.isel(step=0))
    return share


def steps_to_share(loss: xr.DataArray, share: float) -> float | None:
    """Mean over seeds of the first step at a share of the first loss; None unless all get there."""
    found = first_at(loss, share)
    return None if np.isnan(found).any() else float(found.mean())


def first_at(loss: xr.DataArray, share: float) -> Float[np.ndarray, "seed"]:
    """First step of each seed at a share of its first loss; NaN where it does not get there."""
    reached = ~_above(loss, share)
    return np.where(reached.any(axis=1), loss.step.values[reached.argmax(axis=1)], np.nan)


def share_left(loss: xr.DataArray) -> float:
    """Share of the first loss that is left at the last step recorded, mean over seeds."""
    return float(np.mean([last_of(row) / row[0] for row in loss.transpose("seed", "step").values]))


def last_of(values: Float[np.ndarray, "T"]) -> float:
    """Return the last record of a run, before the padding that follows a divergence."""
    recorded = values[~np.isnan(values)]
    return float(recorded[-1]) if recorded.size else np.nan


def stays_from(loss: xr.DataArray, share: float) -> int | None:
    """First step from which every start stays at a share of its first loss, to the run's end.

    None if the last step still has a start above.
    """
    above = np.flatnonzero(_above(loss, share).any(axis=0))
    after = int(above[-1]) + 1 if above.size else 0
    return int(loss.step.values[after]) if after < loss.sizes["step"] else None


def arrived_at(loss: xr.DataArray, share: float) -> int:
    """How many starts got to a share of their first loss."""
    return int((~_above(loss, share)).any(axis=1).sum())


def partly_at(loss: xr.DataArray, share: float) -> bool:
    """Whether some start got to a share of its first loss, though not every one."""
    return 0 < arrived_at(loss, share) < loss.sizes["seed"]


def rings_back(loss: xr.DataArray, share: float) -> bool:
    """Whether some start is above a share of its first loss after it has been there."""
    above = _above(loss, share)
    return bool((above & np.logical_or.accumulate(~above, axis=1)).any())


def _above(loss: xr.DataArray, share: float) -> Bool[np.ndarray, "seed T"]:
    """Where the loss is above a share of its first, or is none as the run has diverged."""
    above: np.ndarray = ~(loss <= share * loss.isel(step=0)).transpose("seed", "step").values
    return above


def diverged(run: xr.Dataset) -> xr.DataArray:
    """Which seeds diverged, or grew a thousandfold on the way: runs of older versions said so not.

    Dimensions are those of the losses without `step`.
    """
    found = _grown(run.loss)
    return found | (run.status == "diverged") if "status" in run else found


def unforeseen(run: xr.Dataset) -> xr.DataArray:
    """Which seeds diverged although their forecast did not: it does not describe them."""
    found = diverged(run)
    return found & ~_grown(run.forecast_loss) if "forecast_loss" in run else found & False


def _grown(loss: xr.DataArray) -> xr.DataArray:
    grown: xr.DataArray = loss.max("step") > DIVERGED * loss.isel(step=0, drop=True)
    return grown


def trust_of(run: xr.Dataset, target: float, width: int) -> Trust | None:
    """Judge the forecast of one method by the stored spectrum, as `tune` does; None without one.

    Of forecasts on the starts' own kernels, the least trusted is judged.

    Batches make the movement that of the expected loss.  None with weight decay, which shrinks the
    weights at any width, besides what the loss moves.

    Parameters
    ----------
    run
        The arrays of `compare`, or of a panel of a study, at one method.
    target
        Share of the initial loss that was asked for.
    width
        Neurons of the network.

    """
    method = _recursion(run)
    if not {"eigenvalue", "weight"} <= set(run) or method is None or run.attrs.get("decay"):
        return None
    batch, inputs = (
        None if (count := run.attrs.get(name)) is None else int(count) for name in ("batch", "d")
    )
    pairs = [(run.eigenvalue.values, run.weight.values)]
    if "start_eigenvalue" in run:
        own = (run[name].transpose("seed", "mode") for name in ("start_eigenvalue", "start_weight"))
        pairs = list(zip(*(array.values for array in own), strict=True))
    judged = [
        trust(method, Measure(*pair), width, target=target, inputs=inputs, batch=batch)
        for pair in pairs
    ]
    return max(judged, key=attrgetter("strain"))


def _recursion(run: xr.Dataset) -> Recursion | None:
    """Return the method of stored coefficients, constants or a schedule's; None if not there."""
    if np.isfinite(float(run.eta + run.beta)):
        return Recursion(float(run.eta), float(run.beta), float(run.gamma))
    if "schedule_eta" not in run:
        return None
    eta, beta = (
        run[name].transpose("seed", "step").values[0, :-1]
        for name in ("schedule_eta", "schedule_beta")
    )
    return Recursion(tuple(eta), tuple(beta)) if np.isfinite([eta, beta]).all() else None


def share_of_limit(run: xr.Dataset) -> xr.DataArray:
    r"""Return :math:`\eta \lambda_{max}(M_t)` as a share of the limit, at the looks of a method.

    It is NaN for optimisers of optax, whose limit is another operator's.
    """
    if not np.isfinite(float(run.beta)):
        nothing: xr.DataArray = run.sharpness * np.nan
        return nothing
    limit = stability_limit(Recursion(float(run.eta), float(run.beta), float(run.gamma)))
    share: xr.DataArray = run.sharpness * float(run.eta) / limit
    return share


def verdict_of(run: xr.Dataset, target: float) -> str:
    """Judge the forecast of a model by its run.

    `holds` if the step counts to the target agree from every start that reached it; `departs` if
    they do not from one, if it was forecast within the run and the model did not get there, if a
    run rings back above the target till another step than its forecast, or if it diverged and that
    did not.  Where neither is there within the run it is `unchecked`, unless `forecast_error` is
    above 15 % by then.  On batches the forecast is of the expected loss: the mean of the runs is
    held to it.
    """
    if "batch" in run.attrs:
        means = run[["loss", "forecast_loss", "forecast_steps"]].mean("seed", skipna=False)
        run = means.expand_dims(seed=[0])
    found = []
    last = int(run.step.values[-1])
    for seed in run.seed.values:
        one = run.sel({"seed": [seed]})
        forecast = _mean(one.forecast_steps.sel(share=target).values)
        measured = steps_to_share(one.loss, target)
        missed = forecast is not None and forecast <= last
        apart = not float(forecast_error(one).max()) <= APART
        if unforeseen(one).any() or ("batch" not in run.attrs and _rings_apart(one, target)):
            found.append(False)
        elif measured is not None:
            found.append(forecast is not None and agree(forecast, measured))
        elif missed or apart:
            found.append(False)
    if not found:
        return "unchecked"
    return "holds" if all(found) else "departs"


def _rings_apart(run: xr.Dataset, target: float) -> bool:
    """Whether a run is above the target again, and stays there from a step that is not forecast."""
    if not rings_back(run.loss, target):
        return False
    forecast = run.forecast_loss.broadcast_like(run.loss)
    expected, stays = (stays_from(loss, target) for loss in (forecast, run.loss))
    if expected is None or stays is None:
        return expected != stays
    return not agree(expected, stays)


def misses(predicted: float | None, measured: float | None, last: int) -> bool:
    """Whether mean steps are not those forecast, to a fifth or a step: what trust promises.

    A run that ended above at its `last` step was forecast to be there by then, as much earlier.
    """
    if measured is None:
        return predicted is not None and predicted + max(1, CLOSE * predicted) <= last
    return predicted is None or abs(measured - predicted) > max(1, CLOSE * predicted)


def trusted(trust: Trust | None, *, missed: bool) -> str:
    """Say in a cell what trust says, and if runs do not keep what it says."""
    if trust is None:
        return "–"
    return f"{trust.verdict}; runs depart" if missed and trust.verdict == "holds" else trust.verdict


def envelope(values: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Return the largest value from every point on: the falling envelope of a ringing curve."""
    return np.asarray(np.maximum.accumulate(values[::-1])[::-1])


def distinct_names(runs: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Name data sets, by their hash; those of one name get four digits of it besides."""
    names = {str(run["data_sha256"]): str(run["data"]) for run in runs}
    alike = list(names.values())
    return {
        sha: f"{name} {sha[:4]}" if alike.count(name) > 1 else name for sha, name in names.items()
    }


@dataclass(frozen=True)
class Summary:
    """One method's row: means over the seeds unless the name says otherwise.

    Parameters
    ----------
    method, rule
        Name of the method, and of the rule that chose its setting.
    eta, beta, gamma
        Step size, momentum and correction.
    steps_to
        For each share of the initial loss, as text, the steps `predicted` from the seeds' own
        starts and those `measured`, to the first one there; None if a seed did not get there.
        From step `stays` on every seed stays there (`stays_from`); None if one is above at the end.
    loss_first
        Loss at step 0.
    loss_last_mean, loss_last_min, loss_last_max
        Loss at the last step: mean, smallest and largest of the seeds.
    max_distance_mean
        Largest distance ``|w_r - w_r(0)|`` of a neuron, >= 0; None for other models.
    pattern_change_mean
        Share of activations that are not those of the start, in [0, 1]; None for other models.
    forecast_error
        Largest gap between the square roots of both losses, as a share of the first, >= 0.
    status
        `diverged` if one of the runs did, or `finished`.
    unforeseen
        Number of runs that diverged although their forecast did not.
    trust
        What was known of that before training; None for other models.
    missed
        Whether the mean steps to the target are not those forecast (`misses`), for the papers'
        network.
    movement, movement_forecast
        Share of its start's length that the parameters moved, measured and forecast; None for the
        papers' network.
    kernel_drift
        Relative change of the kernel, >= 0; None for the papers' network, or where it was not
        measured.
    sharpest
        Largest share of the stability limit on the way; above 1 the linearised model diverges from
        there.  None where it was not measured.
    verdict
        Whether the forecast was kept (`verdict_of`); None for the papers' network.
    stopping
        Where to stop on the test rows (`stopping_of_runs`); None without test rows.

    """

    method: str
    rule: str
    eta: float
    beta: float
    gamma: float
    steps_to: dict[str, dict[str, float | None]]
    loss_first: float
    loss_last_mean: float
    loss_last_min: float
    loss_last_max: float
    max_distance_mean: float | None
    pattern_change_mean: float | None
    forecast_error: float
    status: str
    unforeseen: int
    trust: Trust | None
    movement: float | None = None
    movement_forecast: float | None = None
    kernel_drift: float | None = None
    sharpest: float | None = None
    verdict: str | None = None
    stopping: dict[str, float | None] | None = None
    missed: bool = False


def starts_in(arrays: xr.Dataset) -> int:
    """Count the different starts of a run on a model.

    Seeds are of one start where the length of their parameters, their first loss and their largest
    eigenvalue are the same up to rounding.
    """
    first = arrays.isel(optimizer=0)
    facts = (first.start_norm, first.loss.isel(step=0), first.node.max("rank"))
    kept: list[np.ndarray] = []
    for one in np.stack([values.to_numpy() for values in facts], axis=1):
        if not any(np.allclose(one, other, rtol=SAME_START, atol=0) for other in kept):
            kept.append(one)
    return len(kept)


def repeated(arrays: xr.Dataset) -> str | None:
    """Return what the steps of a run are means over: a start, or a draw; None if neither."""
    seeds = arrays.sizes["seed"]
    if (starts_in(arrays) if "model" in arrays.attrs else seeds) > 1:
        return "start"
    return "draw" if seeds > 1 and "batch" in arrays.attrs else None


def summarize(arrays: xr.Dataset, name: str, target: float) -> Summary:
    """One method's row of the table, from the stored arrays and the share that was asked for."""
    run = arrays.sel({"optimizer": name})
    ends = np.where(run.diverged_at < 0, run.sizes["step"] - 1, run.diverged_at)

    def last(name: str) -> Float[np.ndarray, "seed"]:
        return run[name].transpose("seed", "step").values[np.arange(len(ends)), ends]

    def mean_of_last(name: str) -> float | None:
        return float(last(name).mean()) if name in run else None

    steps_to = {
        f"{fraction:g}": {
            "predicted": _mean(run.forecast_steps.sel(share=fraction).values),
            "measured": steps_to_share(run.loss, fraction),
            "stays": stays_from(run.loss, fraction),
        }
        for fraction in run.share.values
    }
    asked, judged = steps_to[f"{target:g}"], "width" in arrays.attrs
    return Summary(
        method=name,
        rule=str(run.chosen_by.values if "chosen_by" in run else arrays.attrs["rule"]),
        eta=float(run.eta),
        beta=float(run.beta),
        gamma=float(run.gamma),
        steps_to=steps_to,
        loss_first=float(run.loss.isel(step=0).mean()),
        loss_last_mean=float(last("loss").mean()),
        loss_last_min=float(last("loss").min()),
        loss_last_max=float(last("loss").max()),
        max_distance_mean=mean_of_last("max_distance"),
        pattern_change_mean=mean_of_last("pattern_change"),
        forecast_error=float(forecast_error(run).mean()),
        status="diverged" if diverged(run).any() else "finished",
        unforeseen=int(unforeseen(run).sum()),
        trust=trust_of(run, target, int(arrays.attrs["width"])) if judged else None,
        missed=judged and misses(asked["predicted"], asked["measured"], int(run.step.values[-1])),
        stopping=stopping_of_runs(run),
        **_of_model(run, target, ends),
    )


def stopping_of_runs(run: xr.Dataset) -> dict[str, float | None] | None:
    """Say where one method is best on the test rows; None without any.

    Means over the seeds: `forecast`, `run` and `gcv` are the steps of the lowest forecast on the
    test rows, of the lowest loss there, and of the lowest cross-validation; `lowest` is that loss
    over its start, `cost` the share that the loss at the forecast's step lies above it, and
    `accuracy` the highest share of test rows that a run classifies right.  Runs on batches have no
    forecast there.
    """
    if "test_loss" not in run:
        return None
    kept = [run.isel(seed=i) for i in range(run.sizes["seed"])]
    forecast = "forecast_test_loss" in run
    steps: dict[str, list[float]] = {"forecast": [], "run": [], "gcv": [], "lowest": [], "cost": []}
    for one in kept:
        losses = one.test_loss.values
        at = {
            "forecast": _lowest(one.forecast_test_loss.values) if forecast else np.nan,
            "run": _lowest(losses),
            "gcv": _lowest(one.gcv.values) if "gcv" in one else np.nan,
        }
        for name, step in at.items():
            steps[name].append(step)
        if np.isfinite(at["run"]):
            lowest = losses[int(at["run"])]
            steps["lowest"].append(lowest / losses[0])
        if np.isfinite(at["run"]) and np.isfinite(at["forecast"]):
            steps["cost"].append(losses[int(at["forecast"])] / lowest - 1)
    found = {name: _mean(np.array(values)) if values else None for name, values in steps.items()}
    if "test_accuracy" in run:
        found["accuracy"] = float(run.test_accuracy.max("step").mean())
    return found


def _lowest(values: Float[np.ndarray, "t"]) -> float:
    """First step with the lowest finite value, NaN if there is none."""
    there = np.where(np.isfinite(values), values, np.inf)
    return float(np.argmin(there)) if np.isfinite(there).any() else float("nan")


def _of_model(run: xr.Dataset, target: float, ends: Int[np.ndarray, "seed"]) -> dict[str, Any]:
    """Return what is known of a model that is not the papers' network."""
    if "model" not in run.attrs:
        return {}
    found: dict[str, Any] = {"verdict": verdict_of(run, target)}
    for name, what in (("movement", "distance"), ("movement_forecast", "forecast_distance")):
        if what in run:
            moved = run[what].transpose("seed", "step").values[np.arange(len(ends)), ends]
            with np.errstate(divide="ignore", invalid="ignore"):  # a start at zero has no length
                found[name] = float((moved / run.start_norm.values).mean())
    found["kernel_drift"] = float(run.kernel_drift.isel(look=-1).mean())
    found["sharpest"] = float(share_of_limit(run).max())
    return {k: v if isinstance(v, str) or np.isfinite(v) else None for k, v in found.items()}


def _mean(counts: Float[np.ndarray, "seed"]) -> float | None:
    return None if np.isnan(counts).any() else float(counts.mean())
