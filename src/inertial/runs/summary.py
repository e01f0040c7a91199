"""One row a method, from the arrays of a comparison."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.runs.measures import forecast_error, steps_to_share


@dataclass(frozen=True)
class Summary:
    """One method's row: means over the seeds unless the name says otherwise.

    `steps_to` holds, for each share of the initial loss, the step counts forecast from the seeds'
    own starts and the ones measured; None if a seed did not get there.
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


def summarize(arrays: xr.Dataset, name: str) -> Summary:
    """One method's row of the table, from the stored arrays."""
    run = arrays.sel({"optimizer": name})
    ends = np.where(run.diverged_at < 0, run.sizes["step"] - 1, run.diverged_at)

    def last(name: str) -> Float[np.ndarray, "seed"]:
        return run[name].transpose("seed", "step").values[np.arange(len(ends)), ends]

    diverged = bool((run.status == "diverged").any())
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
        status="diverged" if diverged else "finished",
    )


def _mean(counts: Float[np.ndarray, "seed"]) -> float | None:
    return None if np.isnan(counts).any() else float(counts.mean())
