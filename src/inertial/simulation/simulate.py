"""One way to train: any problem, a recursion or an optax transformation, and what to record.

The papers' network under their loss is trained by the tiled step of `inertial.simulation.step`,
found by the types of model and loss; everything else by automatic differentiation.  Both are the
same recursion, which tests hold them to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, one_of, whole
from inertial.method.batch import noise_share
from inertial.method.recursion import Recursion
from inertial.problem.loss import hits_of
from inertial.problem.model import TwoLayerReLU
from inertial.problem.problem import (
    Batches,
    Problem,
    State,
    Trainable,
    decayed,
    loss_and_gradient,
)
from inertial.simulation import adapted
from inertial.simulation.linearised import Transformation, for_problem
from inertial.simulation.train import DIVERGED, Order, batch_rows, train
from inertial.simulation.trajectory import Status

if TYPE_CHECKING:
    import xarray as xr


class Observable(NamedTuple):
    """What can be recorded along a run: its dimensions, what it is, and its unit."""

    dims: tuple[str, ...]
    long_name: str
    unit: str


OBSERVABLES: Mapping[str, Observable] = {
    "loss": Observable(("step",), "loss of the problem", "loss"),
    "residual": Observable(
        ("step", "output"), "gradient of the loss in the outputs", "loss/output"
    ),
    "outputs": Observable(("step", "output"), "outputs, row by row", "output"),
    "distance": Observable(("step",), "|w_t - w_0| over all trained parameters", "weight"),
    "max_distance": Observable(("step",), "largest distance of a neuron from its start", "weight"),
    "mean_distance": Observable(("step",), "mean distance of a neuron from its start", "weight"),
    "pattern_change": Observable(("step",), "share of changed activation patterns", "1"),
    "test_loss": Observable(("step",), "loss on the test rows", "loss"),
    "test_accuracy": Observable(("step",), "share of test rows classified right", "1"),
}
"""Every observable by its name; distances of neurons and patterns are the papers' network's, and
the last two need a problem with test rows."""

_TEST = ("test_loss", "test_accuracy")
_ANY = ("loss", "residual", "outputs", "distance", *_TEST)
NEURONS = ("max_distance", "mean_distance", "pattern_change")
"""What is recorded of the neurons of the papers' network."""

_TILED = ("loss", "residual", *NEURONS, *_TEST)


@dataclass(frozen=True, eq=False)
class Run:
    """Records of one run at steps 0, 1, ..., up to its end or its divergence.

    Parameters
    ----------
    method
        The recursion, or the name of the transformation.
    records
        One array per observable, steps first.
    status
        `diverged` if the loss stopped being finite or passed a thousand times its start; the
        records then end with that step.

    """

    method: Recursion | str
    records: Mapping[str, Float[np.ndarray, "t ..."]] = field(repr=False)
    status: Status

    @property
    def loss(self) -> Float[np.ndarray, "t"]:
        """Loss at every step."""
        return self.records["loss"]

    @property
    def diverged_at(self) -> int | None:
        """The step at which the run diverged, or None."""
        return len(self.loss) - 1 if self.status == "diverged" else None

    def steps_to(self, share: float) -> int | None:
        """First step whose loss is at most `share` of the first, or None."""
        reached = np.flatnonzero(self.loss <= share * self.loss[0])
        return int(reached[0]) if reached.size else None

    def to_dataset(self) -> "xr.Dataset":
        """Return the records with names, dimensions and units."""
        import xarray as xr  # takes half a second, which `tune` does without

        variables = {
            name: (
                OBSERVABLES[name].dims,
                values,
                {"long_name": OBSERVABLES[name].long_name, "units": OBSERVABLES[name].unit},
            )
            for name, values in self.records.items()
        }
        return xr.Dataset(
            variables,
            coords={"step": np.arange(len(self.loss))},
            attrs={"method": repr(self.method), "status": self.status},
        )


def simulate(
    problem: Trainable,
    method: Recursion | Transformation,
    *,
    steps: int,
    observables: Sequence[str] = ("loss",),
    batch: int | None = None,
    order: Order = "fresh",
    seed: int | None = None,
    progress: Callable[[int], None] | None = None,
    look: Callable[[int, Any], None] | None = None,
) -> Run:
    """Train a problem from its start, and record.

    Parameters
    ----------
    problem
        Model, loss, start and rows: `Problem`, or what `inertial.torch.problem` returns.
    method
        A recursion, `Adaptive`, or any optax transformation, such as ``optax.lion(1e-3)``.
    steps
        Number of updates; records are at steps 0, ..., `steps`.
    observables
        Names of `OBSERVABLES`; the loss is always among the records.
    batch
        Rows whose gradient a step takes; all of them if absent.  The records belong to all rows,
        and eta stays the step of the loss of all rows.
    order
        Of the batches: `fresh` rows at each step, or `shuffled` for epochs, as in
        `inertial.simulation.train.train`.
    seed
        Seed of their draws; that of the problem's start if absent.
    progress
        Called with the number of steps just done.
    look
        Called with every step, the last one too, and the problem's state there, for
        `Trainable.linearise` and the like.

    Raises
    ------
    InvalidInput
        If `steps` is not a whole number of at least 1, a schedule is shorter, an observable is not
        known here, a PyTorch module is to be trained on batches by another method than a
        recursion, the batch is not a whole number from 1 to the number of rows, or the loss is no
        sum or mean over rows.

    """
    whole("steps", steps)
    wanted = tuple(dict.fromkeys(("loss", *observables)))
    for name in wanted:
        one_of("observable", name, OBSERVABLES)
    _check_test(problem, wanted)
    seed = getattr(problem, "seed", 0) if seed is None else seed
    draw = draws_of(problem, batch, order, seed)
    if isinstance(method, Recursion):
        method.coefficients(0, steps)
        tiled = _papers_network(problem) if problem.loss.name == "half_sum" else None
        own_draws = batch is None or seed == getattr(problem, "seed", 0)
        if tiled is not None and look is None and set(wanted) <= set(_TILED) and own_draws:
            given = {"batch": batch, "order": order, "progress": progress}
            return _by_tiles(problem, tiled, method, steps, wanted, **given)
    for name in wanted:
        if name not in _ANY and (name not in NEURONS or _papers_network(problem) is None):
            raise InvalidInput(
                f"the observable {name!r} is for the papers' network; choose among "
                f"{', '.join(_ANY)}."
            )
    recorder = _Recorder(problem, wanted, look)
    if isinstance(method, Recursion):
        return _by_recursion(problem, method, steps, recorder, draw, progress)
    if not isinstance(problem, Problem):
        if batch is not None:
            raise InvalidInput(
                "on batches a PyTorch module is trained by a Recursion alone; give one, or leave "
                "out the batch."
            )
        return _adapted(problem, for_problem(problem, method), steps, recorder, progress)
    return _by_optax(problem, method, steps, recorder, draw, progress)


Draw = Callable[[int, int], Batches | None]
"""From a first step and a number of steps to their batches; None stands for all rows."""


def draws_of(problem: Trainable, batch: int | None, order: Order = "fresh", seed: int = 0) -> Draw:
    """Return the draws of batches, the same however a run is cut into pieces.

    Raises
    ------
    InvalidInput
        If the batch is not a whole number from 1 to the number of rows, the order is unknown, or
        the loss is no sum or mean over rows.

    """
    one_of("order", order, ("fresh", "shuffled"))
    n = problem.rows
    if batch is None or noise_share(batch, n) == 0:
        return lambda _first, _count: None
    factor = problem.batch_factor(batch)
    return lambda first, count: Batches(batch_rows(n, batch, order, seed, first, count), factor)


def _check_test(problem: Trainable, wanted: Sequence[str]) -> None:
    """Refuse observables of test rows where there are none, or no classes."""
    if problem.test is None and (asked := [name for name in wanted if name in _TEST]):
        raise InvalidInput(
            f"the observable {asked[0]!r} needs test rows; give the problem some with test=(x, y)."
        )
    if "test_accuracy" in wanted and hits_of(problem.loss, problem.y) is None:
        raise InvalidInput(
            "the observable 'test_accuracy' needs targets that are classes; take 'test_loss'."
        )


def _papers_network(problem: Trainable) -> TwoLayerReLU | None:
    """Return the network if it is the papers'."""
    given = problem.given if isinstance(problem, Problem) else None
    return given if isinstance(given, TwoLayerReLU) else None


def _by_tiles(
    problem: Trainable,
    network: TwoLayerReLU,
    method: Recursion,
    steps: int,
    wanted: Sequence[str],
    **given: Any,  # noqa: ANN401 - batch, order and progress
) -> Run:
    assert isinstance(problem, Problem)  # noqa: S101 - what `_papers_network` found
    run = train(
        network,
        np.asarray(problem.x, float),
        np.asarray(problem.y, float).reshape(-1),
        method,
        seed=problem.seed,
        steps=steps,
        record_residual="residual" in wanted,
        decay=problem.decay,
        held_out=None
        if problem.test is None or not set(_TEST) & set(wanted)
        else np.asarray(problem.test.x, float),
        devices=problem.devices,
        **given,
    )
    records = {name: getattr(run, name) for name in wanted if name not in _TEST}
    if problem.test is not None and run.test_outputs is not None:
        test, hits = problem.test, hits_of(problem.loss, problem.y)
        columns = [f[:, None] for f in run.test_outputs]
        if "test_loss" in wanted:
            records["test_loss"] = np.array([test.loss_of(f) for f in columns])
        if "test_accuracy" in wanted and hits is not None:
            records["test_accuracy"] = np.array([hits(f, test.y) for f in columns])
    return Run(method, records, run.status)


class _Recorder:
    """Collects records and notices a divergence."""

    def __init__(
        self,
        problem: Trainable,
        wanted: Sequence[str],
        look: Callable[[int, Any], None] | None,
    ) -> None:
        self.problem, self.wanted, self.look = problem, wanted, look
        self.start = problem.begin()
        self.hits = hits_of(problem.loss, problem.y) or (lambda _f, _y: float("nan"))
        self.records: dict[str, list[Any]] = {name: [] for name in wanted}

    @property
    def stride(self) -> int:
        """Steps from one look at a state to the next."""
        return _CHUNK if len(self.wanted) == 1 and self.look is None else 1

    def note(self, losses: Float[np.ndarray, "count"], state: Any) -> bool:  # noqa: ANN401
        """Record the losses and, if asked for, what is known of a state; say whether to go on."""
        step = len(self.records["loss"])
        self.records["loss"] += losses.tolist()
        for name, value in self._of(state).items():
            self.records[name].append(value)
        if not bool((losses <= DIVERGED * self.records["loss"][0]).all()):
            return False
        if self.look is not None:
            self.look(step, state)
        return True

    def _of(self, state: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return what is recorded of a state besides its loss."""
        found: dict[str, Any] = {}
        if {"outputs", "residual"} & set(self.wanted):
            outputs = self.problem.linearise(state).outputs
            found["outputs"] = outputs.reshape(-1)
            found["residual"] = self.problem.gradient_of(outputs).reshape(-1)
        if "distance" in self.wanted:
            found["distance"] = self.problem.distance(state)
        if set(NEURONS) & set(self.wanted):
            found |= _neurons(self.problem, state)
        test = self.problem.test
        if test is not None and set(_TEST) & set(self.wanted):
            held = test.linearise(state).outputs
            found["test_loss"] = test.loss_of(held)
            found["test_accuracy"] = self.hits(held, test.y)
        return {name: found[name] for name in self.wanted if name != "loss"}

    def run(self, method: Recursion | str) -> Run:
        """Return the records up to the divergence, if there was one."""
        records = {name: np.array(values, float) for name, values in self.records.items()}
        beyond = np.flatnonzero(~(records["loss"] <= DIVERGED * records["loss"][0]))
        if not beyond.size:
            return Run(method, records, "finished")
        end = int(beyond[0]) + 1
        return Run(method, {k: v[:end] for k, v in records.items()}, "diverged")


def _neurons(problem: Trainable, state: Any) -> dict[str, float]:  # noqa: ANN401
    """Distances of the papers' neurons from their start, and the share of changed patterns."""
    assert isinstance(problem, Problem)  # noqa: S101 - what `_papers_network` found
    (first,), (w,) = (problem.parameters_of(at).values() for at in (None, state))
    distance = np.linalg.norm(np.asarray(w, float) - np.asarray(first, float), axis=1)
    x = np.asarray(problem.x)
    return {
        "max_distance": float(distance.max()),
        "mean_distance": float(distance.mean()),
        "pattern_change": float(np.mean((x @ w.T >= 0) != (x @ first.T >= 0))),
    }


_CHUNK = 64
"""Steps between two looks where only the loss is recorded."""


def _by_recursion(
    problem: Trainable,
    method: Recursion,
    steps: int,
    recorder: _Recorder,
    draw: Draw,
    progress: Callable[[int], None] | None,
) -> Run:
    state, size = recorder.start, recorder.stride
    for first in range(0, steps, size):
        count = min(size, steps - first)
        coefficients = method.coefficients(first, count)
        after, losses = problem.advance(state, *coefficients, draw(first, count))
        if not recorder.note(losses, state):
            return recorder.run(method)
        state = after
        if progress is not None:
            progress(count)
    recorder.note(np.array([problem.loss_of(problem.linearise(state).outputs)]), state)
    return recorder.run(method)


def _adapted(
    problem: Trainable,
    method: Transformation,
    steps: int,
    recorder: _Recorder,
    progress: Callable[[int], None] | None,
) -> Run:
    """Train a model of any framework by Adam, RMSprop or a transformation of optax."""
    name = getattr(method, "name", "optax")
    at = adapted.begin(problem, method)
    for _ in range(steps):
        after, losses = adapted.advance(problem, method, at, 1)
        if not recorder.note(losses, at.state):
            return recorder.run(name)
        at = after
        if progress is not None:
            progress(1)
    recorder.note(np.array([problem.loss_of(problem.linearise(at.state).outputs)]), at.state)
    return recorder.run(name)


def _by_optax(
    problem: Problem,
    transformation: Transformation,
    steps: int,
    recorder: _Recorder,
    draw: Draw,
    progress: Callable[[int], None] | None,
) -> Run:
    import jax

    @jax.jit
    def step(
        w: list[jax.Array],
        memory: Any,  # noqa: ANN401 - the transformation's
        x: Any,  # noqa: ANN401 - inputs
        y: jax.Array,
        *batch: Any,  # noqa: ANN401 - rows and a factor
    ) -> tuple[list[jax.Array], Any, jax.Array]:
        loss, gradient = loss_and_gradient(problem.objective, w, x, y, *batch)
        gradient = decayed(gradient, w, problem.decay)
        updates, memory = transformation.update(gradient, memory, w)
        return jax.tree.map(lambda a, b: a + b, w, updates), memory, loss

    name = getattr(transformation, "name", "optax")
    start: State = recorder.start
    w, memory = start.w, jax.jit(transformation.init)(start.w)
    for t in range(steps):
        batches = draw(t, 1)
        batch = () if batches is None else (batches.rows[0], np.float32(batches.factor))
        after, memory, loss = step(w, memory, problem.inputs, problem.targets, *batch)
        if not recorder.note(np.array([float(loss)]), start._replace(w=w)):
            return recorder.run(name)
        w = after
        if progress is not None:
            progress(1)
    state = start._replace(w=w)
    recorder.note(np.array([problem.loss_of(problem.linearise(state).outputs)]), state)
    return recorder.run(name)
