"""When to stop: loss and accuracy on test rows, along the forecast and along a real run.

Three steps are told apart, each called what it is: that of the lowest forecast on the test rows,
that of the lowest loss of the real run there, and that of generalised cross-validation, which knows
the training rows alone (`inertial.simulation.curves`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial._checks import significant
from inertial.data import Data
from inertial.linear.kernel import finite_cross, infinite_cross
from inertial.linear.spectrum import Spectrum
from inertial.linear.tangent import Tangent
from inertial.method.adaptive import Adaptive
from inertial.method.recursion import Recursion, label
from inertial.problem.loss import hits_of
from inertial.problem.model import TwoLayerReLU, start_key
from inertial.problem.problem import Problem, Trainable
from inertial.simulation.curves import Curve, OutputModes, kernel_modes, learning_curve
from inertial.simulation.simulate import simulate

_HORIZON = (4, 100, 2_000)
"""A run goes on for this many times the steps to the target, at least and at most so many steps."""


@dataclass(frozen=True, eq=False)
class Stopping:
    """What happens on test rows with one method, and where to stop.

    Parameters
    ----------
    name
        What the method is called.
    rows
        Number of test rows.
    mean
        Factor from a loss on the test rows to its mean over them.
    forecast
        The linearised model.
    run
        The real one; None if it was not trained.

    """

    name: str
    rows: int
    mean: float
    forecast: Curve
    run: Curve | None = None

    @property
    def cost(self) -> float | None:
        """Test loss of the run at the forecast's step, as a share above its lowest."""
        if self.run is None or self.run.test_loss is None:
            return None
        losses = self.run.test_loss
        there = losses[min(self.forecast.best_step or 0, len(losses) - 1)]
        return float(there / np.nanmin(losses)) - 1

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is said of it, a line each."""
        forecast = (
            f"On {self.rows:,} test rows, {label(self.name)}: the forecast on the test rows is "
            f"lowest at {self._at(self.forecast)}."
        )
        said = [forecast]
        if self.run is not None:
            said.append(f"The real run is lowest there at {self._at(self.run)}.")
            if self.cost is not None and self.cost > 0:
                said[-1] = (
                    f"{said[-1][:-1]}; stopped at the forecast's step its loss is "
                    f"{significant(100 * self.cost, 2)} % higher."
                )
        step, between = self.forecast.gcv_step, self.forecast.gcv_steps
        if step is not None and between is not None:
            unsure = (
                ""
                if between[0] == between[1]
                else f" (its trace is estimated: between {between[0]:,} and {between[1]:,})"
            )
            said.append(
                "Generalised cross-validation, from the training rows alone, is lowest at step "
                f"{step:,}{_end(step, self.forecast)}{unsure}."
            )
        return tuple(said)

    def _at(self, curve: Curve) -> str:
        step = curve.best_step
        if step is None or curve.test_loss is None:
            return "no step, as it is not finite"
        hits = curve.test_accuracy
        right = "" if hits is None else f", {100 * hits[step]:.3g} % right"
        loss = self.mean * curve.test_loss[step]
        return f"step {step:,}{_end(step, curve)} (mean loss {loss:.3g}{right})"

    @property
    def document(self) -> dict[str, Any]:
        """Its numbers by name, as JSON has them."""
        return {
            "method": self.name,
            "rows": self.rows,
            "steps": len(self.forecast.loss) - 1,
            "forecast": self._summary(self.forecast),
            "gcv_step": self.forecast.gcv_step,
            "gcv_steps": self.forecast.gcv_steps,
            "run": None if self.run is None else self._summary(self.run),
            "cost": self.cost,
        }

    def _summary(self, curve: Curve) -> dict[str, Any]:
        step, losses, hits = curve.best_step, curve.test_loss, curve.test_accuracy
        return {
            "best_step": step,
            "mean_test_loss": None if step is None or losses is None else self.mean * losses[step],
            "test_accuracy": None if step is None or hits is None else hits[step],
        }


def _end(step: int, curve: Curve) -> str:
    return ", the last one" if step == len(curve.loss) - 1 else ""


def horizon(steps: int | None) -> int:
    """Return the steps that a curve is followed for, from those to the target."""
    times, least, most = _HORIZON
    return most if steps is None else min(most, max(least, times * steps))


def network_modes(
    data: Data,
    spectrum: Spectrum,
    *,
    width: int,
    seed: int = 0,
    decay: float = 0.0,
    finite: bool = False,
) -> OutputModes:
    """Return the modes of the papers' network at one start, with the test rows of the data.

    Parameters
    ----------
    data
        Training and test rows.
    spectrum
        The kernel of the training rows, decomposed.
    width, seed
        Neurons, and the start.
    decay
        Rate of weight decay.
    finite
        Whether `spectrum` is that of the start's own kernel instead of the infinite network's.

    """
    w, signs = (
        np.asarray(part, float)
        for part in TwoLayerReLU(width, data.x.shape[1]).init(start_key(seed))
    )
    sets = [data] if data.test is None else [data, data.test]
    starts = [np.maximum(rows.x @ w.T, 0) @ signs / np.sqrt(width) for rows in sets]
    cross = None
    if data.test is not None:
        z = data.test.x
        cross = finite_cross(z, data.x, w) if finite else infinite_cross(z, data.x)
    return kernel_modes(
        spectrum,
        (starts[0], data.y),
        None if data.test is None or cross is None else (cross, starts[1], data.test.y),
        decay=decay,
    )


def stopping_of_data(
    method: Recursion,
    data: Data,
    spectrum: Spectrum | None,
    *,
    name: str,
    width: int,
    steps: int,
    train: bool,
    seed: int = 0,
    decay: float = 0.0,
) -> Stopping:
    """Follow the papers' network on the test rows of the data, from one start.

    Parameters
    ----------
    method, name
        The method, and what it is called.
    data
        Training and test rows.
    spectrum
        Decomposed kernel of infinite width; if there is none, the forecast is that of the start's
        own kernel, by Lanczos steps.
    width
        Neurons.
    steps
        Last step.
    train
        Whether to train the network as well.
    seed
        Seed of the start.
    decay
        Rate of weight decay.

    """
    test = data.test
    assert test is not None  # noqa: S101 - asked for only then
    problem = Problem(
        TwoLayerReLU(width, data.x.shape[1]),
        "half_sum",
        data.x,
        data.y,
        test=(test.x, test.y),
        seed=seed,
        decay=decay,
    )
    if spectrum is None:
        forecast = learning_curve(problem, method, steps=steps)
    else:
        modes = network_modes(data, spectrum, width=width, seed=seed, decay=decay)
        forecast = modes.curve(method, steps)
    run = trained(problem, method, steps) if train else None
    return Stopping(name, len(test.y), 1 / len(test.y), forecast, run)


def stopping_of(
    problem: Trainable,
    method: Recursion | Adaptive,
    *,
    name: str,
    steps: int,
    train: bool,
    operator: Tangent | None = None,
) -> Stopping:
    """Follow a problem on its test rows; `operator` is its tangent operator, if it is there."""
    assert problem.test is not None  # noqa: S101 - asked for only then
    forecast = learning_curve(problem, method, steps=steps, operator=operator)
    rows = problem.test.rows
    run = trained(problem, method, steps) if train else None
    mean = 1 / rows if problem.loss.name == "half_sum" else 1.0
    return Stopping(name, rows, mean, forecast, run)


def forecasts_of(curve: Curve) -> dict[str, Float[np.ndarray, "t"]]:
    """Return a forecast as a stored run has it."""
    found = {
        "forecast_loss": curve.loss,
        "forecast_test_loss": curve.test_loss,
        "forecast_test_accuracy": curve.test_accuracy,
        "gcv": curve.gcv if curve.test_loss is not None else None,
    }
    return {name: values for name, values in found.items() if values is not None}


def observables_of(problem: Trainable) -> tuple[str, ...]:
    """Names of what can be recorded on the test rows of a problem, if it has some."""
    if problem.test is None:
        return ()
    classes = hits_of(problem.loss, problem.y) is not None
    return ("test_loss", "test_accuracy") if classes else ("test_loss",)


def trained(problem: Trainable, method: Recursion | Adaptive, steps: int) -> Curve:
    """Train, and return what happened on training and test rows."""
    run = simulate(problem, method, steps=steps, observables=observables_of(problem))
    return Curve(method, run.loss, run.records["test_loss"], run.records.get("test_accuracy"))
