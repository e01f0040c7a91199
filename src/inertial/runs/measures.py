r"""What tables print, figures draw and claims judge of runs: one definition for all.

Heavy ball rings: its loss at a single step is where the swing happens to be.  So losses are drawn,
and compared at the end of a run, as means over a window of steps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.linear.measure import Measure
from inertial.method.recursion import Recursion
from inertial.method.trust import Trust, trust
from inertial.simulation.train import DIVERGED

_WINDOWS = 15
"""Windows in a run."""


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
    reached = (loss <= share * loss.isel(step=0)).transpose("seed", "step").values
    if not reached.any(axis=1).all():
        return None
    return float(loss.step.values[reached.argmax(axis=1)].mean())


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
    """Judge the forecast of one method by the stored spectrum; None where none is stored.

    Parameters
    ----------
    run
        The arrays of `compare`, or of a panel of a study, at one method.
    target
        Share of the initial loss that was asked for.
    width
        Neurons of the network.

    """
    if not {"eigenvalue", "weight"} <= set(run) or not np.isfinite(float(run.eta)):
        return None
    measure = Measure(run.eigenvalue.values, run.weight.values)
    method = Recursion(float(run.eta), float(run.beta), float(run.gamma))
    return trust(method, measure, width, target=target)


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

    `steps_to` holds, for each share of the initial loss, the step counts forecast from the seeds'
    own starts and the ones measured; None if a seed did not get there.  `unforeseen` is how many
    runs diverged although their forecast did not; `trust` what was known of that before training.
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
    max_distance_mean: float
    pattern_change_mean: float
    forecast_error: float
    status: str
    unforeseen: int
    trust: Trust | None


def summarize(arrays: xr.Dataset, name: str, target: float) -> Summary:
    """One method's row of the table, from the stored arrays and the share that was asked for."""
    run = arrays.sel({"optimizer": name})
    ends = np.where(run.diverged_at < 0, run.sizes["step"] - 1, run.diverged_at)

    def last(name: str) -> Float[np.ndarray, "seed"]:
        return run[name].transpose("seed", "step").values[np.arange(len(ends)), ends]

    return Summary(
        method=name,
        rule=str(arrays.attrs["rule"]),
        eta=float(run.eta),
        beta=float(run.beta),
        gamma=float(run.gamma),
        steps_to={
            f"{fraction:g}": {
                "predicted": _mean(run.forecast_steps.sel(share=fraction).values),
                "measured": steps_to_share(run.loss, fraction),
            }
            for fraction in run.share.values
        },
        loss_first=float(run.loss.isel(step=0).mean()),
        loss_last_mean=float(last("loss").mean()),
        loss_last_min=float(last("loss").min()),
        loss_last_max=float(last("loss").max()),
        max_distance_mean=float(last("max_distance").mean()),
        pattern_change_mean=float(last("pattern_change").mean()),
        forecast_error=float(forecast_error(run).mean()),
        status="diverged" if diverged(run).any() else "finished",
        unforeseen=int(unforeseen(run).sum()),
        trust=trust_of(run, target, int(arrays.attrs["width"])),
    )


def _mean(counts: Float[np.ndarray, "seed"]) -> float | None:
    return None if np.isnan(counts).any() else float(counts.mean())
