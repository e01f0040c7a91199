"""Bu, Xu and Chen (2021): heavy ball with friction against Nesterov's flow, and discrete runs.

The slides name the illustration and not its setting, so the setting is ours: one data set's kernel,
the expected start, flows in closed form and methods by their exact forecast, at step size 1/4 of
the largest eigenvalue's inverse.
"""

from itertools import pairwise

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from inertial.method.curve import forecast_loss
from inertial.method.flow import gradient_flow, heavy_ball_flow, nesterov_flow
from inertial.method.recursion import heavy_ball, nesterov_varying
from inertial.reproduce.item import Claim, Item, Scale, known, of_data, slope_of_log
from inertial.runs.config import DataSet
from inertial.runs.execution import prepare
from inertial.runs.measures import envelope
from inertial.simulation.integrate import flow_loss

FRICTIONS = (3.0, 6.0)
"""The constants d of Nesterov's flow."""

_STEP = 0.25
"""Step size of the discrete runs, times the largest eigenvalue."""

_DECAYED = 1e-12
"""Share of the first loss below which curves are not looked at: rounding comes near."""

_FAR = 30.0
"""Where the envelope of Nesterov's flow is a power: from this multiple of 1/sqrt(lambda_min) on."""


def illustration(data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Losses along the flows and the methods on the first data set's kernel."""
    prepared = prepare(data[0])
    values, weights, ends = prepared.measure.nodes, prepared.measure.weights, prepared.measure.ends
    slow = 1 / np.sqrt(ends.smallest)
    times = np.unique(np.concatenate([np.geomspace(0.02 * slow, 600 * slow, 3000)]))
    flows = {
        "gradient_flow": gradient_flow(),
        "heavy_ball_flow": heavy_ball_flow(ends.smallest / 2),
    }
    flows |= {f"nesterov_flow, d = {d:g}": nesterov_flow(d) for d in FRICTIONS}
    continuous = {k: flow_loss(flow, values, weights, times) for k, flow in flows.items()}
    eta = _STEP / ends.largest
    steps = np.unique(np.geomspace(1, 40 * slow / np.sqrt(eta), 2000).astype(int))
    damping = 1 - 2 * np.sqrt(ends.smallest / 2 * eta)
    methods = {"heavy_ball_flow": heavy_ball(eta, float(damping))}
    methods |= {
        f"nesterov_flow, d = {d:g}": nesterov_varying(eta, d, steps=int(steps[-1]))
        for d in FRICTIONS
    }
    discrete = {k: forecast_loss(m, prepared.measure, steps) for k, m in methods.items()}
    provenance = prepared.data.provenance
    return xr.Dataset(
        {
            "flow_loss": (("flow", "time"), np.array(list(continuous.values()))),
            "run_loss": (("run", "run_time"), np.array(list(discrete.values()))),
        },
        coords={
            "flow": list(continuous),
            "time": times,
            "run": list(discrete),
            "run_time": steps * np.sqrt(eta),
        },
        attrs={
            "data": provenance.name,
            "n": provenance.n,
            "d": provenance.d,
            "lambda_min": ends.smallest,
            "lambda_max": ends.largest,
            "eta": eta,
            "first": float(weights.sum() / 2),
            "first_pseudo": float(weights @ values / 2),
        },
    )


def illustration_claims(result: xr.Dataset) -> list[Claim]:
    """Heavy ball with friction is straight in the log, Nesterov's envelope in the log-log plot."""
    name, smallest = str(result.attrs["data"]), float(result.attrs["lambda_min"])
    time, first = result.time.values, float(result.attrs["first"])
    friction = result.flow_loss.sel(flow="heavy_ball_flow").values
    seen = friction > _DECAYED * first
    rates = _rates(time, envelope(friction), seen & (time > 2 / np.sqrt(smallest)))
    rates /= np.sqrt(2 * smallest)
    bound = 4 / smallest * np.exp(-np.sqrt(smallest / 2) * time) * result.attrs["first_pseudo"]
    printed = bound * smallest / 4
    worst, worst_printed = (
        float((friction / most)[seen].max(initial=0.0)) for most in (bound, printed)
    )
    claims = [
        of_data(
            "from this start, heavy ball with friction: L <= (4/lambda_0) exp(-sqrt(lambda_0/2) t) "
            "times the first pseudo-loss",
            name,
            known(worst <= 1, friction),
            f"largest ratio {worst:.2g}",
        ),
        of_data(
            "from this start, the same without the factor 4/lambda_0, as printed in eq. 3.4",
            name,
            known(worst_printed <= 1, friction),
            f"largest ratio {worst_printed:.2g}",
        ),
        of_data(
            "heavy ball with friction is straight in the semilog plot: in each third its loss "
            "has the rate sqrt(2 lambda_0), within 15 %",
            name,
            known((np.abs(rates - 1) < 0.15).all(), rates),
            f"{', '.join(f'{rate:.3f}' for rate in rates)} times sqrt(2 lambda_0)",
        ),
    ]
    far = time > _FAR / np.sqrt(smallest)
    for d in FRICTIONS:
        loss = result.flow_loss.sel(flow=f"nesterov_flow, d = {d:g}").values[far]
        slope = slope_of_log(np.log(time[far]), envelope(loss))
        claims.append(
            of_data(
                f"the envelope of Nesterov's flow with d = {d:g} falls as t^-{d:g}, within 0.3",
                name,
                known(abs(slope + d) < 0.3, slope),
                f"slope {slope:.2f}",
            )
        )
    end = np.flatnonzero(seen)[-1] if seen.any() else 0
    nesterov = result.flow_loss.sel(flow=[f"nesterov_flow, d = {d:g}" for d in FRICTIONS])
    others = nesterov.isel(time=end).values
    claims.append(
        of_data(
            "heavy ball with friction ends below Nesterov's flow",
            name,
            known((friction[end] < others).all(), friction, others),
            f"at t = {time[end]:.0f}",
        )
    )
    return claims


def _rates(
    time: Float[np.ndarray, "T"], loss: Float[np.ndarray, "T"], part: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "3"]:
    """Exponential rates in each third of the times of a part, NaN where it is too short."""
    if not part.any():
        return np.full(3, np.nan)
    edges = np.linspace(time[part][0], time[part][-1], 4)
    thirds = [part & (time >= low) & (time <= high) for low, high in pairwise(edges)]
    return -np.array([slope_of_log(time[third], loss[third]) for third in thirds])


ITEMS = (
    Item(
        "bu2021/illustration",
        "Nesterov's flow against heavy ball with friction, and discrete runs",
        "Bu, Xu and Chen (2021), slides",
        illustration_claims,
        "flows",
        compute=illustration,
        uses="first",
    ),
)
