"""One real run beside the promise: the papers' network, trained at a recommended setting.

The promise is made twice.  In expectation over starts it needs no start; for one start it uses that
start's own residual, and it is this one that a run can keep: one start differs from another by more
than a run differs from its forecast.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial._types import Targets
from inertial.data import Data
from inertial.linear.measure import Measure, dense
from inertial.linear.spectrum import Spectrum
from inertial.method.batch import forecast_batches
from inertial.method.curve import steps_to
from inertial.method.recursion import Recursion, label
from inertial.method.response import decayed_loss
from inertial.method.rules import fastest
from inertial.problem.model import TwoLayerReLU
from inertial.runs.shown import count
from inertial.simulation.span import span
from inertial.simulation.train import initial_residual, train

CLOSE = 0.2
"""Share of the promised steps within which a measured count keeps the promise."""

MARGINS = (0.9, 0.6, 0.35)
"""Shares of the stability limit that `search` tries, the recommendation's own first."""

_PATIENCE = 3
"""A run ends after this many times the promised steps."""

LONGEST = 1_000
"""Promised steps up to which a run is made."""

_MOST = 3_000
"""And after this many in any case."""


@dataclass(frozen=True)
class Check:
    """What one run did.

    `name` is the method's; `promised` is the forecast for this start, `measured` the first step at
    the target, None if it was not reached in `steps`; `growth` is the largest loss over the first.
    """

    name: str
    method: Recursion
    width: int
    seed: int
    target: float
    promised: int | None
    measured: int | None
    steps: int
    growth: float
    diverged: bool

    @property
    def kept(self) -> bool:
        """Whether the measured steps are within 20 % of the promised ones, or one step."""
        if self.promised is None or self.measured is None:
            return False
        return abs(self.measured - self.promised) <= max(1.0, CLOSE * self.promised)

    @property
    def document(self) -> dict[str, Any]:
        """Its numbers by name, as JSON has them."""
        words = ("width", "seed", "promised", "measured", "kept", "steps", "growth")
        return {
            "method": self.name,
            **{word: getattr(self.method, word) for word in ("eta", "beta", "gamma")},
            **{word: getattr(self, word) for word in words},
        }


def said(run: Check | None, *, batches: bool = False) -> str:
    """Say in a sentence what was promised and measured."""
    if run is None:
        return "Unchecked: no network was trained."
    missed = "diverged" if run.diverged else f"not reached in {run.steps:,}"
    measured = missed if run.measured is None else count(run.measured)
    kept = "" if run.kept else " The promise does not hold."
    return (
        f"Checked by a real run{' on such batches' if batches else ''} (width {run.width:,}, seed "
        f"{run.seed}): {label(run.name)} promised {count(run.promised)} steps for this start, "
        f"measured {measured}.{kept}"
    )


def start_measure(spectrum: Spectrum, residual: Targets) -> Measure:
    """Return the measure of one start: its residual in the basis of the kernel."""
    return dense(spectrum, spectrum.modes(residual) ** 2)


def check(
    method: Recursion,
    data: Data,
    measure: Measure,
    spectrum: Spectrum | None,
    *,
    name: str = "",
    width: int = 2000,
    seed: int = 0,
    target: float = 0.01,
    most: int = _MOST,
    batch: int | None = None,
    decay: float = 0.0,
) -> Check:
    """Train the papers' network once at a setting, and hold its steps against their forecast.

    Parameters
    ----------
    method
        The setting.
    data
        Inputs and targets.
    measure
        Expected measure of the problem.
    spectrum
        Decomposed kernel, for the promise to this start; if there is none, the expected measure
        makes the promise.
    name
        What the method is called; by its coefficients unless given.
    width
        Neurons of the hidden layer.
    seed
        Seed of the start.
    target
        Share of the initial loss to reach.
    most
        Steps that the run ends after in any case.
    batch
        Rows in each step's batch, which also makes the promise one of the expected loss; all rows
        if absent.  It needs a spectrum.
    decay
        Rate of weight decay.  It needs a spectrum too.

    """
    network, within = TwoLayerReLU(width, data.x.shape[1]), span(data.x)
    residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
    own = measure if spectrum is None else start_measure(spectrum, residual)
    if decay and spectrum is not None:
        losses = decayed_loss(
            method,
            spectrum.eigenvalues,
            spectrum.modes(residual),
            spectrum.modes(residual + data.y),
            _MOST,
            decay=decay,
        )
        promised = first_step(losses, target)
    elif batch is None:
        promised = steps_to(method, own, target)
    else:
        promised = forecast_batches(method, own, batch, _MOST).steps_to(target)
    steps = min(most, _PATIENCE * max(20, _MOST if promised is None else promised))
    if method.steps is not None:
        steps = min(steps, method.steps)
    run = train(
        network,
        data.x,
        data.y,
        method,
        seed=seed,
        steps=steps,
        within=within,
        batch=batch,
        decay=decay,
    )
    return Check(
        name or method.name,
        method,
        width,
        seed,
        target,
        promised,
        run.steps_to(target),
        int(run.steps[-1]),
        float(run.loss.max() / run.loss[0]),
        run.status == "diverged",
    )


def first_step(losses: Float[np.ndarray, "t"], target: float) -> int | None:
    """First step at a share of the first loss, or None."""
    reached = np.flatnonzero(losses <= target * losses[0])
    return int(reached[0]) if reached.size else None


def search(
    first: Check,
    data: Data,
    measure: Measure,
    spectrum: Spectrum | None,
    *,
    trials: int,
    decay: float = 0.0,
) -> tuple[Check, ...]:
    """Go on from a check whose promise was not kept: other momenta, smaller shares of the limit.

    Heavy ball and Nesterov by the rule `forecast`, at each of `MARGINS`, until `trials` runs are
    done; a run ends when it can no longer be faster than the fastest before it.

    Parameters
    ----------
    first
        The check of the recommendation.
    data, measure, spectrum
        As for `check`.
    trials
        Runs at most, the first one included.
    decay
        Rate of weight decay, by which the measure is shifted already.

    Returns
    -------
    tuple[Check, ...]
        All runs, the first one first.

    """
    done = [first]
    for margin in MARGINS:
        for name in ("nesterov", "heavy_ball"):
            method = fastest(name, measure, first.target, margin=margin)
            if len(done) >= trials or any(method == run.method for run in done):
                continue
            limit = min((run.measured for run in done if run.measured is not None), default=_MOST)
            done.append(
                check(
                    method, data, measure, spectrum, name=name, width=first.width, seed=first.seed,
                    target=first.target, most=max(1, limit), decay=decay,
                )
            )  # fmt: skip
    return tuple(done)
