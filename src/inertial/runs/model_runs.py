r"""One run of any model: what is measured at a start, and what is recorded beside the training.

At a start K products with the tangent operator M give a measure, from which the loss of every
linear method is forecast: exact for the linearised model up to step K - 1 under a squared loss.
Under another loss, or by an optimiser of optax, the linearised model is trained itself, at one
product per step.  Along the run the kernel is looked at a few times:

.. math:: |(H_t - H_0) g| / |H_0 g|, \qquad \lambda_{max}(M_t)

with :math:`H = J J^T` and g the gradient of the loss in the outputs at the start.  H is without the
curvature of the loss, which falls under cross-entropy wherever a model learns.
"""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial.data.loading import Provenance, digest
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Spectrum
from inertial.linear.tangent import Tangent, tangent
from inertial.method.batch import Modes, noise_share
from inertial.method.bound import lower_bound, unreachable_share
from inertial.method.curve import forecast_loss, steps_to
from inertial.method.recursion import Recursion
from inertial.method.trust import distance
from inertial.problem.loss import Outputs
from inertial.problem.problem import Problem, Trainable
from inertial.runs.measures import SAME_START
from inertial.runs.observables import OBSERVABLES, coefficients_of, first_steps, padded
from inertial.runs.spec import ModelName, Spec
from inertial.runs.stopping import forecasts_of, observables_of
from inertial.runs.tuning import RESOLUTION, teller
from inertial.simulation.batched import (
    expected_on_batches,
    losses_on_batches,
    modes_for_batches,
    spectrum_for_batches,
)
from inertial.simulation.curves import DENSE, OutputModes, learning_curve, output_modes
from inertial.simulation.linearised import choose_adam
from inertial.simulation.simulate import simulate
from inertial.simulation.transformations import Optax

PRODUCTS = 96
"""Products at a start, at most: those of `inertial.runs.tuning`."""

LOOKS = 9
"""Steps, evenly spread over a run, at which the kernel is looked at."""

ADAM = "adam"
"""The optimiser of optax that has a rule: `inertial.simulation.linearised.choose_adam`."""

_SHARP = 12
"""Products at a look, for the largest eigenvalue."""

_FAR, _FAR_ON_BATCHES = 20_000, 1_000
"""How far ahead step counts are forecast, whatever the length of the run: on all rows, and where
every step takes a product with an N x N array."""


@dataclass(frozen=True, eq=False)
class Starts:
    """A model with its random starts and the rows that it is trained on.

    Parameters
    ----------
    make
        From a seed to the problem with that start.
    text
        What names the model.
    many
        Whether seeds give different starts; if not, `make` ignores them.
    data
        What the rows are.
    source_sha256
        Hash of the file that holds the model's function, if there is one.

    """

    make: Callable[[int], Trainable]
    text: str
    many: bool
    data: Provenance
    source_sha256: str | None = None


def starts_of(problem: Trainable) -> Starts:
    """Return the starts of a problem: any seed if its model draws them, or its own one."""
    data = _rows_of(problem)
    name = problem.model.rpartition(", ")[0]  # without the number of its parameters
    if isinstance(problem, Problem) and problem.draws:
        return Starts(problem.at_seed, name, many=True, data=data)
    return Starts(lambda _seed: problem, name, many=False, data=data)


def _rows_of(problem: Trainable) -> Provenance:
    """Say what the rows of a problem are, by their content."""
    x, y = (np.asarray(getattr(problem, part), float) for part in ("x", "y"))
    x, y, loss = x.reshape(len(x), -1), y if y.size > len(y) else y.reshape(-1), problem.loss
    return Provenance(
        name="arrays",
        task="classification" if loss.classes or loss.labels else "regression",
        n=len(x),
        d=x.shape[1],
        source="arrays in memory",
        sha256=digest(x, y),
        normalize=False,
        standardize=False,
        dedupe=False,
        rows=len(x),
        dropped=0,
        label=None,
        seed=None,
    )


@dataclass(frozen=True, eq=False)
class ModelStart:
    """A problem at one start, with what its forecasts and looks at its kernel need.

    `norm` is the length of all trained parameters, `probe` the gradient g of the loss in the
    outputs and `image` the product H g; `bound` is the loss that no gradient method can beat on the
    linearised model, for squares without weight decay.  With decay or test rows, `modes` carry the
    forecasts of squares; for batches, `spectrum` does, and `on_batches` keeps their forecasts: all
    seeds of a model with one start share them.
    """

    problem: Trainable
    operator: Tangent
    measure: Measure
    name: ModelName
    norm: float
    parameters: int
    probe: Outputs = field(repr=False)
    image: Outputs = field(repr=False)
    bound: Float[np.ndarray, "t"] | None = field(repr=False)
    modes: OutputModes | None = field(repr=False, default=None)
    spectrum: Spectrum | None = field(repr=False, default=None)
    on_batches: dict[Hashable, dict[str, Float[np.ndarray, "..."]]] = field(
        repr=False, default_factory=dict
    )

    def same_as(self, other: "ModelStart") -> bool:
        """Whether both have the same trained parameters, and what is not trained alike too."""
        largest = self.measure.largest, other.measure.largest
        return self.name == other.name and bool(np.isclose(*largest, rtol=SAME_START))

    @property
    def batch_modes(self) -> Modes:
        """The modes of one output of a row, an average: for settings and limits on batches."""
        assert self.spectrum is not None  # noqa: S101 - there is for squares and a batch
        return modes_for_batches(self.problem, self.operator, self.spectrum)


def start_of_model(
    starts: Starts,
    seed: int,
    steps: int,
    *,
    batch: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> ModelStart:
    """Measure a start, with as many products as a run of `steps` steps is forecast exactly by.

    For a batch, whose noise needs every eigenvalue, squares are decomposed: a product an output.
    `progress` is told of every product, here and in forecasts from this start: their number is not
    known beforehand, so 0 of 0 are done.

    Raises
    ------
    InvalidInput
        If the problem cannot be linearised, the batch is none of its rows, or its outputs are too
        many to be decomposed.

    """
    problem = starts.make(seed)
    if batch is not None:
        noise_share(batch, problem.rows)
        problem.batch_factor(batch)
    operator = tangent(problem, told=teller(progress, f"start {seed}"))
    operator.check_moves()
    measure = operator.measure(min(steps + 1, PRODUCTS))
    probe = problem.gradient_of(operator.linearised.outputs)
    arrays = problem.parameters_of()
    hashed = hashlib.sha256()
    for name, values in arrays.items():
        hashed.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        hashed.update(np.ascontiguousarray(values).tobytes())
    return ModelStart(
        problem,
        operator,
        measure,
        ModelName(starts.text, problem.loss.name, hashed.hexdigest(), starts.source_sha256),
        float(np.sqrt(sum(float((np.asarray(v, float) ** 2).sum()) for v in arrays.values()))),
        sum(values.size for values in arrays.values()),
        probe,
        operator.plain(probe),
        lower_bound(measure, steps, resolution=RESOLUTION).certain
        if problem.loss.squared and not problem.decay
        else None,
        _modes(problem, operator, steps),
        None if batch is None else spectrum_for_batches(problem, operator),
    )


def _modes(problem: Trainable, operator: Tangent, steps: int) -> OutputModes | None:
    """Return the modes of squares where there is decay or are test rows: all of few outputs."""
    if not problem.loss.squared or not (problem.decay or problem.test is not None):
        return None
    few = operator.linearised.outputs.size <= DENSE
    products = None if few else min(steps + 1, PRODUCTS)
    return output_modes(problem, products=products, operator=operator)


def optimiser_of(name: str, problem: Trainable, operator: Tangent) -> Optax:
    """Return an optimiser of optax at the step size of its rule, or at the usual one."""
    if name == ADAM:
        return Optax(name, choose_adam(problem, operator).eta)
    return Optax(name)


def run_model(
    spec: Spec,
    start: ModelStart,
    method: Recursion | Optax,
    *,
    advance: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Train a model from a start, and set the linearised one beside it.

    Parameters
    ----------
    spec
        How; `width`, `kernel`, `flows` and `precision` are of no meaning here.
    start
        From where.
    method
        Step size and momentum, or an optimiser of optax.
    advance
        Called with the number of steps just done.

    Returns
    -------
    xr.Dataset
        The `OBSERVABLES` of one run over `step`, the kernel over `look`, NaN after a divergence.

    """
    looks = _Looks(start, spec.steps)
    run = simulate(
        start.problem,
        method if isinstance(method, Recursion) else method.build(),
        steps=spec.steps,
        observables=("distance", *observables_of(start.problem)),
        batch=spec.batch,
        order=spec.order or "fresh",
        seed=spec.seed,
        progress=advance,
        look=looks,
    )
    nodes = min(spec.steps + 1, PRODUCTS)
    found = {
        **run.records,
        "kernel_drift": np.array(looks.drift),
        "sharpness": np.array(looks.sharpness),
        "node": _filled(start.measure.nodes, nodes),
        "node_weight": _filled(start.measure.weights, nodes),
    }
    length = spec.steps + 1
    found |= _forecast(spec, start, method)
    if start.bound is not None and spec.batch is None:
        found["bound_loss"] = start.bound[:length]
        found["unreachable"] = np.array(unreachable_share(start.measure, resolution=RESOLUTION))
    variables = {
        name: (OBSERVABLES[name].dims, padded(name, values, length))
        for name, values in found.items()
    }
    coords = {"step": np.arange(length), "look": looks.at, "share": list(spec.shares)}
    whole = spec.batch is not None or not start.problem.loss.squared
    proven = None if whole else start.measure.proven
    return xr.Dataset(
        variables,
        coords=coords,
        attrs={
            "optimizer": spec.method,
            "rule": spec.rule,
            "seed": spec.seed,
            "target": spec.target,
            **coefficients_of(method),
            "start_norm": start.norm,
            "start_sha256": start.name.start_sha256,
            "proven": spec.steps if proven is None else min(proven, spec.steps),
            "status": run.status,
            "diverged_at": -1 if run.diverged_at is None else run.diverged_at,
        },
    )


class _Looks:
    """The kernel at a few steps of a run, against that of the start."""

    def __init__(self, start: ModelStart, steps: int) -> None:
        self.start = start
        self.at = np.unique(np.linspace(0, steps, LOOKS).astype(int))
        self.drift = np.full(len(self.at), np.nan)
        self.sharpness = np.full(len(self.at), np.nan)

    def __call__(self, step: int, state: object) -> None:
        place = int(np.searchsorted(self.at, step))
        if place == len(self.at) or self.at[place] != step:
            return
        start = self.start
        try:
            here = tangent(start.problem, state) if step else start.operator
            change = here.plain(start.probe) - start.image
            self.drift[place] = np.linalg.norm(change) / np.linalg.norm(start.image)
            self.sharpness[place] = here.lanczos(_SHARP).largest[0]
        except InvalidInput:  # at a minimum there is no curvature to be looked at
            return


def _forecast(
    spec: Spec, start: ModelStart, method: Recursion | Optax
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return losses, step counts and, where the measure gives it, movement of the linear model."""
    problem, given = start.problem, method.build() if isinstance(method, Optax) else method
    if spec.batch is not None:
        assert isinstance(given, Recursion)  # noqa: S101 - the settings refuse others
        asked = given, spec.batch, spec.steps, spec.shares
        if asked not in start.on_batches:
            start.on_batches[asked] = _forecast_batches(spec, start, given)
        return start.on_batches[asked]
    if not isinstance(given, Recursion) or not problem.loss.squared:
        curve = learning_curve(problem, given, steps=spec.steps, operator=start.operator)
        return forecasts_of(curve) | {"forecast_steps": first_steps(curve.loss, spec.shares)}
    found = {}
    if start.modes is not None:
        curve = start.modes.curve(given, spec.steps)
        found = forecasts_of(curve)
        if problem.decay:
            return found | {"forecast_steps": first_steps(curve.loss, spec.shares)}
    counted = [steps_to(given, start.measure, share, limit=_FAR) for share in spec.shares]
    return found | {
        "forecast_loss": forecast_loss(given, start.measure, np.arange(spec.steps + 1)),
        "forecast_distance": distance(given, start.measure, spec.steps),
        "forecast_steps": np.array(counted, dtype=float),
    }


def _forecast_batches(
    spec: Spec, start: ModelStart, method: Recursion
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the expected loss on fresh batches with its spread, and its step counts."""
    assert spec.batch is not None  # noqa: S101 - the caller has looked
    if start.spectrum is None:
        losses = losses_on_batches(start.problem, start.operator, method, spec.batch, spec.steps)
        mean = losses.mean(axis=0)
        found = {"forecast_loss": mean, "forecast_spread": losses.std(axis=0, ddof=1)}
        return found | {"forecast_steps": first_steps(mean, spec.shares)}
    far = max(spec.steps, _FAR_ON_BATCHES)
    known = expected_on_batches(
        method, start.problem, start.operator, start.spectrum, spec.batch, far
    )
    near = slice(spec.steps + 1)
    return {
        "forecast_loss": known.loss[near],
        "forecast_spread": known.spread[near],
        "forecast_steps": first_steps(known.loss, spec.shares),
    }


def _filled(values: Float[np.ndarray, "k"], length: int) -> Float[np.ndarray, "length"]:
    """Fill up with NaN what the start had no more directions for."""
    filled = np.full(length, np.nan)
    filled[: len(values)] = values
    return filled
