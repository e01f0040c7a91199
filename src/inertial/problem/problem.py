r"""A problem: model, loss, start and rows; what it takes to linearise it and to train it.

Everything that measures, forecasts and tunes uses `Trainable` alone: outputs at the start, the loss
as a function of the outputs, products with the Jacobian, and steps of real training.  `Problem` is
that for JAX models, `inertial.torch.problem` for PyTorch's.
"""

import copy
import itertools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Float, Int, Shaped

from inertial._checks import InvalidInput, Notice, nonnegative, whole
from inertial._door import door
from inertial._memory import check_parameters
from inertial.problem.devices import EVERYWHERE, PARTS, mesh_of, placed, together
from inertial.problem.loss import Loss, Outputs, batch_factor, loss_of, of_some_rows, shapes_of
from inertial.problem.model import Model, start_key

Params: TypeAlias = Any
"""A tree of arrays of the model's framework."""

Flat = Float[np.ndarray, "N"]
"""One number per output: N = n k."""


class Batches(NamedTuple):
    """Rows whose gradient each of some steps takes, and the factor by which it is multiplied."""

    rows: Int[np.ndarray, "count batch"]
    factor: float


CHUNK = 64
"""Steps that are compiled as one loop; any smaller number runs in the same one."""

_SHOWN = 3


@runtime_checkable
class Linearised(Protocol):
    """The model around some parameters: outputs f and products with the Jacobian J, N x p."""

    @property
    def outputs(self) -> Outputs:
        """Outputs there, shape (n, k)."""

    def pull(self, v: Flat) -> Params:
        """Return ``J' v``."""

    def push(self, direction: Params) -> Flat:
        """Return ``J u`` for a direction u in parameters."""

    def norms(self, direction: Params) -> dict[str, float]:
        """Length of the direction in every array of parameters, by name."""

    @property
    def weights(self) -> Params:
        """The trained parameters there, as a direction."""


@runtime_checkable
class Trainable(Protocol):
    """What is needed of a problem in any framework.

    States are opaque: `begin` returns the start at rest, `advance` takes a state further and leaves
    the old one as it was.
    """

    @property
    def loss(self) -> Loss:
        """The loss, of which eta is the step."""

    @property
    def model(self) -> str:
        """The model in a few words."""

    @property
    def rows(self) -> int:
        """Number n of rows."""

    @property
    def test(self) -> "Trainable | None":
        """The same model on rows that are held out, or None."""

    @property
    def decay(self) -> float:
        """Rate alpha of weight decay: every step adds ``alpha w`` to the gradient of the loss."""

    @property
    def x(self) -> Any:  # noqa: ANN401 - any array
        """Inputs, rows first."""

    @property
    def y(self) -> Any:  # noqa: ANN401 - any array
        """Targets, on the host."""

    @property
    def evaluation(self) -> str:
        """What has to be known if layers act otherwise in training; empty if there are none."""

    def linearise(self, state: Any = None) -> Linearised:  # noqa: ANN401 - opaque
        """Linearise at a state of training, or at the start."""

    def state_of(self, params: Any) -> Any:  # noqa: ANN401 - opaque
        """Return the state at rest at other parameters of the same model."""

    def loss_of(self, outputs: Outputs) -> float:
        """Loss at some outputs, in float64."""

    def gradient_of(self, outputs: Outputs) -> Outputs:
        """Gradient of the loss in the outputs, in float64."""

    def hessian_of(self, outputs: Outputs) -> Callable[[Outputs], Outputs]:
        """Products with the Hessian of the loss in the outputs, in float64."""

    def parameters_of(self, state: Any = None) -> dict[str, np.ndarray]:  # noqa: ANN401 - opaque
        """Return the trained parameters at a state of training, or at the start, by name."""

    def begin(self) -> Any:  # noqa: ANN401 - opaque
        """Return the start, at rest."""

    def distance(self, state: Any) -> float:  # noqa: ANN401 - opaque
        """Return ``|w_t - w_0|`` over all trained parameters."""

    def advance(
        self,
        state: Any,  # noqa: ANN401 - opaque
        eta: Float[np.ndarray, "count"],
        beta: Float[np.ndarray, "count"],
        gamma: Float[np.ndarray, "count"],
        batches: Batches | None = None,
    ) -> tuple[Any, Float[np.ndarray, "count"]]:
        """Take one step per entry; return the state, and the loss of all rows before each step.

        With `batches`, each step takes the gradient of its own rows alone.
        """

    def batch_factor(self, batch: int) -> float:
        """Factor by which the gradient of a batch stands for that of all rows."""


class State(NamedTuple):
    """Parameters w_t, the last step w_t - w_{t-1}, and eta_{t-1} g_{t-1}, as lists of arrays."""

    w: list[jax.Array]
    step: list[jax.Array]
    scaled: list[jax.Array]


@partial(jax.tree_util.register_dataclass, data_fields=["array"], meta_fields=["count"])
@dataclass(frozen=True)
class Spread:
    """Inputs with their rows on the devices of a mesh, as many on each.

    The last row is repeated until that is so; `count` rows count.
    """

    array: jax.Array
    count: int


@dataclass(frozen=True, eq=False)
class _Linearised:
    """The model linearised in blocks of rows; each holds what its two products need."""

    outputs: Outputs
    names: tuple[str, ...]
    start: list[jax.Array]
    blocks: list[Callable[..., jax.Array]]
    lengths: list[int]

    def pull(self, v: Flat) -> list[jax.Array]:
        parts = np.split(v.reshape(self.outputs.shape), np.cumsum(self.lengths)[:-1])
        total: list[jax.Array] | None = None
        for block, part in zip(self.blocks, parts, strict=True):
            found = _pull(block, self.start, part)
            total = found if total is None else [a + b for a, b in zip(total, found, strict=True)]
        assert total is not None  # noqa: S101 - there is at least one row
        return total

    def push(self, direction: list[jax.Array]) -> Flat:
        parts = [_here(_push(block, direction)) for block in self.blocks]
        return np.concatenate([part.reshape(-1) for part in parts])

    @property
    def weights(self) -> list[jax.Array]:
        return self.start

    def norms(self, direction: list[jax.Array]) -> dict[str, float]:
        lengths = [jnp.linalg.norm(leaf.ravel()) for leaf in direction]
        return {name: float(_here(v)) for name, v in zip(self.names, lengths, strict=True)}


def _here(values: jax.Array) -> Float[np.ndarray, "..."]:
    """Return what all devices have, as soon as they have it."""
    with together():
        return np.asarray(values, float)


@jax.jit
def _pull(forward: Any, start: list[jax.Array], v: jax.Array) -> list[jax.Array]:  # noqa: ANN401
    image = jax.eval_shape(forward, start)
    (found,) = jax.linear_transpose(forward, start)(v.astype(image.dtype))
    return found  # type: ignore[no-any-return]


@jax.jit
def _push(forward: Any, direction: list[jax.Array]) -> jax.Array:  # noqa: ANN401
    return forward(direction)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class _Given:
    """A function and the parameters that it starts from, as a model."""

    apply: Callable[[Params, Any], Any]
    params: Params

    def init(self, _key: object) -> Params:
        return self.params


def _drawn(model: Model, seed: int) -> Params:
    """Draw the start of a seed, whatever generator and layout the process is set to."""
    with jax.threefry_partitionable(True):
        return model.init(start_key(whole("seed", seed, least=0)))


def _name(model: Model) -> str:
    if isinstance(model, _Given):
        return getattr(model.apply, "__name__", type(model.apply).__name__)
    return type(model).__name__


SIDE_BY_SIDE = (
    "all outputs of a row side by side, and a loss of your own that splits and reshapes them"
)
"""What to do where a row has several outputs, or outputs of more dimensions."""


def _flat(given: Any, n: int) -> jax.Array:  # noqa: ANN401 - what a model gives
    """Return outputs of n rows in the shape (n, k)."""
    try:
        out = jnp.asarray(given)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"the model gives a {type(given).__name__}; give an array of shape (n,) or (n, k), "
            f"{SIDE_BY_SIDE}."
        ) from None
    if out.ndim not in (1, 2) or len(out) != n:
        raise InvalidInput(
            f"the model gives outputs of shape {out.shape} for {n} rows; give one of shape (n,) or "
            f"(n, k), {SIDE_BY_SIDE}."
        )
    return out.reshape(n, -1)


class Problem:
    """A JAX model with its loss, its start and the rows it is trained on.

    Parameters
    ----------
    model
        A model with ``init(key) -> params`` and ``apply(params, x)``; for a function and parameters
        use `Problem.from_apply`.
    loss
        `mse`, `half_sum`, `cross_entropy`, `binary_cross_entropy`, or a function
        ``loss(outputs, y) -> scalar``.  Step sizes are always those of this loss.
    x, y
        Inputs, rows first, and targets: numbers of the outputs' shape, or class numbers for
        `cross_entropy`, or 0 and 1 for `binary_cross_entropy`.
    seed
        Seed of the start.
    trainable
        Which arrays are trained: from their path, such as ``layers/0/weight``, to True or False.
        All, if absent.
    test
        Inputs and targets that are held out: nothing is trained on them, and the loss and accuracy
        there can be forecast and recorded.
    decay
        Rate alpha of weight decay, at least 0: every step adds ``alpha w`` to the gradient, as
        `weight_decay` of PyTorch's SGD does.  The loss stays that of the rows.
    devices
        Devices of every process that the rows are spread over; the parameters are on all of them.

    Attributes
    ----------
    names
        Paths of the trained arrays, such as ``layers/0/weight``.
    parameters
        How many numbers are trained.
    given
        The model that was passed in; `model` is its name.
    inputs, targets
        x and y on the devices.
    objective
        The loss as a function of the trained arrays, inputs and targets.

    Raises
    ------
    InvalidInput
        If shapes do not fit, parameters are not floating point, targets are outside their range,
        the model gives two outputs for one input, the loss at the start is not finite, the decay
        is negative, or there are fewer devices.

    """

    evaluation = ""

    @door
    def __init__(
        self,
        model: Model,
        loss: str | Callable[..., object],
        x: Any,  # noqa: ANN401 - any array
        y: Any,  # noqa: ANN401
        *,
        seed: int = 0,
        trainable: Callable[[str], bool] | None = None,
        test: tuple[Any, Any] | None = None,
        decay: float = 0.0,
        devices: int = 1,
    ) -> None:
        refuse_parts(x, y)
        self.devices, self._mesh = devices, mesh_of(devices)
        self.decay = nonnegative("decay", decay)
        params = _drawn(model, seed)
        apply = model.apply
        self.loss, self._loss = loss_of(loss), loss
        self._trainable = trainable or getattr(model, "trainable", None)
        leaves, names, rebuild = _split(params, self._trainable)
        check_parameters(sum(leaf.nbytes for leaf in leaves))
        self.x, self.inputs = self._spread(_inputs(x, leaves))
        self.names = tuple(names)
        self.parameters = sum(leaf.size for leaf in leaves)
        self.model = f"{_name(model)}, {self.parameters:,} parameters"
        self.given, self.seed = model, seed

        def forward(w: list[jax.Array], rows: jax.Array | Spread) -> jax.Array:
            if isinstance(rows, Spread):
                w, array = self._held(w, EVERYWHERE), self._held(rows.array, PARTS)
                return self._held(forward(w, array), EVERYWHERE)[: rows.count]  # type: ignore[no-any-return]
            return _flat(apply(rebuild(w), rows), len(rows))

        self._start = self._everywhere(leaves)

        @jax.jit
        def linear(w: list[jax.Array], rows: jax.Array | Spread) -> Any:  # noqa: ANN401
            # GPUs would round the factors of a product to ten bits, fewer than a measure needs.
            with jax.default_matmul_precision("highest"):
                return jax.linearize(lambda v: forward(v, rows), w)

        self._linear = linear
        outputs = self._outputs(forward, leaves)
        self.y, self._came = check_targets(self.loss, outputs, y), np.shape(y)
        kind = None if self.loss.classes else jnp.result_type(outputs.dtype)
        if callable(loss):
            slope, one = jax.grad(loss), apply(rebuild(leaves), jnp.asarray(self.x[:2]))
            shapes = shapes_of(
                lambda f, t: np.asarray(slope(jnp.asarray(f), jnp.asarray(t, kind))),
                outputs.reshape(len(outputs), *np.shape(one)[1:]),
                self.y,
                self._came,
            )
            if shapes.told:
                warnings.warn(shapes.told, Notice, stacklevel=2)
            self.loss = replace(self.loss, value=shapes.calling(loss))
        value = self.loss.value
        self._value = jax.jit(value)
        self._gradient = jax.jit(jax.grad(value))
        self._hessian = jax.jit(
            lambda f, y, v: jax.jvp(lambda g: jax.grad(value)(g, y), (f,), (v,))[1]
        )
        self.targets = self._everywhere(jnp.asarray(self.y, kind))

        def objective(w: list[jax.Array], rows: jax.Array | Spread, y: jax.Array) -> jax.Array:
            return value(forward(w, rows), y)

        self.objective = objective
        advance = partial(take_steps, objective, decay=self.decay)
        self._advance = (
            jax.jit(advance)
            if self._mesh is None
            else jax.jit(advance, out_shardings=NamedSharding(self._mesh, EVERYWHERE))
        )
        try:
            first = self.loss_of(np.asarray(outputs, float))
        except (TypeError, ValueError) as error:
            traced = isinstance(error, jax.errors.JAXTypeError)
            raise InvalidInput(
                f"the loss {self.loss.name} gives no number for outputs of shape {outputs.shape} "
                f"and targets of shape {self.y.shape} ({_line(error)}); give a function "
                f"loss(outputs, y) {'of jax.numpy ' if traced else ''}that returns one"
                f"{', without float() or .item()' if traced else ''}."
            ) from error
        if not np.isfinite(first):
            raise InvalidInput(
                f"the loss at the start is {first}; check the inputs, the targets and the "
                "parameters for entries that are not finite or far too large."
            )
        self.test: Problem | None = None if test is None else self._on(*test)

    @classmethod
    def from_apply(
        cls,
        apply: Callable[[Params, Any], Any],
        params: Params,
        x: Any,  # noqa: ANN401 - any array
        y: Any,  # noqa: ANN401
        *,
        loss: str | Callable[..., object] = "mse",
        trainable: Callable[[str], bool] | None = None,
        test: tuple[Any, Any] | None = None,
        decay: float = 0.0,
        devices: int = 1,
    ) -> "Problem":
        """Return the problem of a pure function ``apply(params, x) -> (n,) or (n, k)``.

        `params` is any tree of arrays: the start.  The rest is as for `Problem`.
        """
        return cls(
            _Given(apply, params),
            loss,
            x,
            y,
            trainable=trainable,
            test=test,
            decay=decay,
            devices=devices,
        )

    def _held(self, values: Any, spec: PartitionSpec) -> Any:  # noqa: ANN401 - a tree of arrays
        """Say to the compiler where values are."""
        assert self._mesh is not None  # noqa: S101 - there are rows on a mesh
        there = NamedSharding(self._mesh, spec)
        return jax.lax.with_sharding_constraint(values, there)  # type: ignore[no-untyped-call]

    def _everywhere(self, values: Any) -> Any:  # noqa: ANN401 - a tree of arrays
        """Return arrays on every device."""
        if self._mesh is None:
            return values
        return jax.tree.map(lambda leaf: placed(leaf, self._mesh, EVERYWHERE), values)

    def _spread(self, x: Any) -> tuple[Any, jax.Array | Spread]:  # noqa: ANN401 - any array
        """Return inputs, and where the model takes them: on the device, or rows on several."""
        if self._mesh is None:
            return (there := jnp.asarray(x)), there
        x = np.asarray(x)
        more = np.repeat(x[-1:], -len(x) % self._mesh.size, axis=0)
        return x, Spread(placed(np.concatenate([x, more]), self._mesh, PARTS), len(x))

    def _on(self, x: Any, y: Any) -> "Problem":  # noqa: ANN401
        """Return the same model, loss and start on other rows."""
        refuse_parts(x, y)
        other = copy.copy(self)
        other.x, other.inputs = self._spread(_inputs(x, self._start))
        if other.x.shape[1:] != self.x.shape[1:]:
            raise InvalidInput(
                f"the test inputs have shape {other.x.shape} and the training inputs "
                f"{self.x.shape}; give rows of the same shape."
            )
        other.test = None
        outputs = other.linearise().outputs
        other.y = check_targets(self.loss, outputs, y)
        other.targets = self._everywhere(jnp.asarray(other.y, self.targets.dtype))
        of_some_rows(self.loss, lambda: other.loss_of(outputs))
        return other

    def _outputs(
        self, forward: Callable[..., jax.Array], start: list[jax.Array]
    ) -> Shaped[np.ndarray, "n k"]:
        """Return the outputs at the start; raise unless they are finite and twice the same."""
        try:
            # To ten bits, as on GPUs, other sizes of a product give other answers.
            with jax.default_matmul_precision("highest"):
                outputs = np.asarray(jax.jit(forward)(self._start, self.inputs))
                again = forward(start, jnp.asarray(self.x[:2]))
        except TypeError as error:
            if not isinstance(error, jax.errors.JAXTypeError):
                raise InvalidInput(
                    f"the model cannot take inputs of shape {self.x.shape} ({_line(error)}); give "
                    "inputs and parameters that go together."
                ) from error
            raise InvalidInput(
                "the model is not a pure function of its parameters and inputs "
                f"({type(error).__name__}); give one without side effects or Python branches on "
                "values."
            ) from error
        if not np.isfinite(outputs).all():
            raise InvalidInput(
                "the model's outputs at the start are not all finite; check its parameters, or "
                "scale the inputs."
            )
        if not jnp.allclose(again, outputs[:2], rtol=1e-3, atol=1e-5 * np.abs(outputs).max()):
            raise InvalidInput(
                "the model gives two answers for the same input, or mixes rows; give one in "
                "evaluation mode, without dropout, random numbers or batch statistics."
            )
        return outputs

    def __repr__(self) -> str:
        return f"Problem({self.model}, loss {self.loss.name}, {self.rows} rows)"

    @property
    def rows(self) -> int:
        """Number n of rows."""
        return len(self.x)

    def linearise(self, state: State | None = None) -> Linearised:
        """Linearise at a state of training, or at the start, in blocks of rows."""
        # Half precision has no digits for a measure.
        w = [_single(leaf) for leaf in (self._start if state is None else state.w)]
        inputs = jax.tree.map(_single, self.inputs)
        count = 1 if isinstance(inputs, Spread) else -(-self.rows // BLOCK)
        edges = np.linspace(0, self.rows, count + 1).astype(int)
        spans = list(itertools.pairwise(edges))
        parts = [
            self._linear(w, inputs if isinstance(inputs, Spread) else inputs[a:b]) for a, b in spans
        ]
        outputs = np.concatenate([_here(part[0]) for part in parts])
        return _Linearised(
            outputs, self.names, w, [part[1] for part in parts], [int(b - a) for a, b in spans]
        )

    def loss_of(self, outputs: Outputs) -> float:
        """Loss at some outputs, in float64."""
        with jax.enable_x64(True):
            return float(self._value(*self._doubles(outputs)))

    def gradient_of(self, outputs: Outputs) -> Outputs:
        """Gradient of the loss in the outputs, in float64."""
        with jax.enable_x64(True):
            return np.asarray(self._gradient(*self._doubles(outputs)), float)

    def hessian_of(self, outputs: Outputs) -> Callable[[Outputs], Outputs]:
        """Products with the Hessian of the loss in the outputs, in float64."""

        def times(v: Outputs) -> Outputs:
            with jax.enable_x64(True):
                return np.asarray(self._hessian(*self._doubles(outputs), jnp.asarray(v)), float)

        return times

    def _doubles(self, outputs: Outputs) -> tuple[jax.Array, jax.Array]:
        kind = jnp.int64 if self.loss.classes else jnp.float64
        return jnp.asarray(outputs, jnp.float64), jnp.asarray(self.y, kind)

    def at_seed(self, seed: int) -> "Problem":
        """Return the problem with the start of another seed; what was compiled is shared.

        Raises
        ------
        InvalidInput
            If the model came with its parameters, so that it has one start only.

        """
        if seed == self.seed:
            return self
        if not self.draws:
            raise InvalidInput(
                "the model came with its parameters, so it has one start only; give a model with "
                "init and apply to start it from several seeds."
            )
        if self._trainable is not None:  # what is not trained is drawn as well
            held = None if self.test is None else (self.test.x, self.test.y)
            return Problem(
                self.given,
                self._loss,
                self.x,
                self.y.reshape(self._came),
                seed=seed,
                trainable=self._trainable,
                test=held,
                decay=self.decay,
                devices=self.devices,
            )
        other = copy.copy(self)
        other.seed, other._start = seed, self.state_of(_drawn(self.given, seed)).w  # noqa: SLF001 - ours
        if self.test is not None:
            other.test = copy.copy(self.test)
            other.test._start = other._start  # noqa: SLF001 - ours
        first = other.loss_of(other.linearise().outputs)
        if not np.isfinite(first):
            raise InvalidInput(f"the loss at the start of seed {seed} is {first}; leave it out.")
        return other

    @property
    def draws(self) -> bool:
        """Whether the start is drawn with a seed."""
        return not isinstance(self.given, _Given)

    def parameters_of(self, state: State | None = None) -> dict[str, np.ndarray]:
        """Return the trained parameters at a state of training, or at the start, by name."""
        leaves = jax.device_get(self._start if state is None else state.w)
        return dict(zip(self.names, leaves, strict=True))

    def begin(self) -> State:
        """Return the start, at rest."""
        zero = [jnp.zeros_like(leaf) for leaf in self._start]
        return State(self._start, zero, zero)

    def distance(self, state: State) -> float:
        """Return ``|w_t - w_0|`` over all trained parameters."""
        squares = [jnp.sum((a - b) ** 2) for a, b in zip(state.w, self._start, strict=True)]
        return float(np.sqrt(sum(float(_here(square)) for square in squares)))

    def state_of(self, params: Params) -> State:
        """Return the state at rest at other parameters of the same model.

        Raises
        ------
        InvalidInput
            If their names or shapes are not those of the start, or they are inside ``jax.jit``.

        """
        leaves, names, _ = _split(params, self._trainable)
        if names != list(self.names) or [leaf.shape for leaf in leaves] != [
            leaf.shape for leaf in self._start
        ]:
            raise InvalidInput(
                "the parameters have other names or shapes than those of the problem; give those "
                "of the same model."
            )
        try:
            for leaf in leaves:
                leaf.devices()
        except jax.errors.ConcretizationTypeError:
            raise InvalidInput(
                "the parameters have no values inside jax.jit; give them outside of it."
            ) from None
        leaves = self._everywhere(leaves)
        zero = [jnp.zeros_like(leaf) for leaf in leaves]
        return State(leaves, zero, zero)

    def advance(
        self,
        state: State,
        eta: Float[np.ndarray, "count"],
        beta: Float[np.ndarray, "count"],
        gamma: Float[np.ndarray, "count"],
        batches: Batches | None = None,
    ) -> tuple[State, Float[np.ndarray, "count"]]:
        """Take one step per entry; return the state, and the loss of all rows before each step.

        With `batches`, each step takes the gradient of its own rows alone.
        """
        losses = []
        own: dict[str, Any] = {}
        for first in range(0, len(eta), CHUNK):
            block = slice(first, first + CHUNK)
            count = len(eta[block])
            padded = np.zeros((CHUNK, 3), np.float32)
            padded[:count] = np.stack([eta[block], beta[block], gamma[block]], axis=1)
            if batches is not None:
                rows = np.zeros((CHUNK, batches.rows.shape[1]), np.int32)
                rows[:count] = batches.rows[block]
                own = {"rows": rows, "factor": np.float32(batches.factor)}
            state, found = self._advance(state, self.inputs, self.targets, padded, count, **own)
            losses.append(_here(found)[:count])
        return state, np.concatenate(losses)

    def batch_factor(self, batch: int) -> float:
        """Return what the gradient of B of n rows is multiplied by, to be on average that of all.

        Raises
        ------
        InvalidInput
            If the loss is no sum or mean over rows.

        """

        def gradient(outputs: Outputs, y: Shaped[np.ndarray, "..."]) -> Outputs:
            with jax.enable_x64(True):
                return np.asarray(self._gradient(jnp.asarray(outputs), jnp.asarray(y)), float)

        return batch_factor(self.loss, gradient, lambda: self.linearise().outputs, self.y, batch)


BLOCK = 4096
"""Rows that are linearised at once, at most."""


def take_steps(
    objective: Callable[..., jax.Array],
    state: State,
    x: jax.Array | Spread,
    y: jax.Array,
    coefficients: jax.Array,
    count: int | jax.Array,
    *,
    rows: jax.Array | None = None,
    factor: float | jax.Array = 1.0,
    decay: float = 0.0,
) -> tuple[State, jax.Array]:
    """Take `count` of the `CHUNK` steps whose eta, beta, gamma are rows of `coefficients`.

    With `rows`, shape (`CHUNK`, B), each step takes `factor` times the gradient on its own.
    """

    def body(i: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        (w, step, scaled), losses = carry
        chosen = None if rows is None else rows[i]
        loss, gradient = loss_and_gradient(objective, w, x, y, chosen, factor)
        gradient = decayed(gradient, w, decay)
        eta, beta, gamma = coefficients[i]
        fresh = [(eta * g).astype(g.dtype) for g in gradient]
        moved = [
            (beta * d - f - gamma * (f - s)).astype(f.dtype)
            for d, f, s in zip(step, fresh, scaled, strict=True)
        ]
        w = [a + b for a, b in zip(w, moved, strict=True)]
        return State(w, moved, fresh), losses.at[i].set(loss.astype(losses.dtype))

    finished: tuple[State, jax.Array] = jax.lax.fori_loop(0, count, body, (state, jnp.zeros(CHUNK)))
    return finished


def loss_and_gradient(
    objective: Callable[..., jax.Array],
    w: list[jax.Array],
    x: jax.Array | Spread,
    y: jax.Array,
    rows: jax.Array | None = None,
    factor: float | jax.Array = 1.0,
) -> tuple[jax.Array, list[jax.Array]]:
    """Return the loss of all rows, and its gradient or `factor` times that of some rows."""
    if rows is None:
        return jax.value_and_grad(objective)(w, x, y)
    part = (x.array if isinstance(x, Spread) else x)[rows]
    gradient = jax.grad(objective)(w, part, y[rows])
    return objective(w, x, y), [(factor * g).astype(g.dtype) for g in gradient]


def decayed(gradient: list[jax.Array], w: list[jax.Array], decay: float) -> list[jax.Array]:
    """Return the gradient with what weight decay adds to it."""
    if not decay:
        return gradient
    return [g + jnp.asarray(decay, g.dtype) * a for g, a in zip(gradient, w, strict=True)]


def _split(
    params: Params, trainable: Callable[[str], bool] | None
) -> tuple[list[jax.Array], list[str], Callable[[list[jax.Array]], Params]]:
    """Separate the arrays that are trained; return them, their paths and the way back."""
    pairs, tree = jax.tree_util.tree_flatten_with_path(params)
    paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in pairs]
    everything = [leaf for _, leaf in pairs]
    chosen = [i for i, path in enumerate(paths) if trainable is None or trainable(path)]
    if not chosen:
        raise InvalidInput(
            f"no parameter is trained; `trainable` leaves out all of {', '.join(paths[:_SHOWN])}"
            f"{', ...' if len(paths) > _SHOWN else ''}."
            if paths
            else "the model has no parameters; give those that it starts from."
        )
    leaves = []
    for i in chosen:
        try:
            leaves.append(jnp.array(everything[i]))
        except (TypeError, ValueError):
            kind = type(everything[i]).__name__
        else:
            kind = str(leaves[-1].dtype)
            if jnp.issubdtype(leaves[-1].dtype, jnp.floating):
                continue
        raise InvalidInput(
            f"the parameter {paths[i]!r} is of type {kind}; give floating point, or leave it "
            "out with trainable=."
            if paths[i]
            else f"the parameters are of type {kind}; give floating point, as a tree of arrays."
        )

    def rebuild(leaves: list[jax.Array]) -> Params:
        full = list(everything)
        for i, leaf in zip(chosen, leaves, strict=True):
            full[i] = leaf
        return jax.tree_util.tree_unflatten(tree, full)

    return leaves, [paths[i] for i in chosen], rebuild


def _single(values: jax.Array) -> jax.Array:
    """Return numbers in half precision in single precision, and all others as they are."""
    half = jnp.issubdtype(values.dtype, jnp.floating) and values.dtype.itemsize < _FOUR
    return values.astype(jnp.float32) if half else values


_FOUR = 4
"""Bytes of a number in single precision."""


def _line(error: Exception) -> str:
    """Return the first line of what went wrong."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _inputs(x: Any, leaves: list[jax.Array]) -> jax.Array | Shaped[np.ndarray, "n ..."]:  # noqa: ANN401
    """Return the inputs where they are, floating point in the precision of the parameters."""
    try:
        array = np.asarray(x) if not isinstance(x, jax.Array) else x
    except (TypeError, ValueError, RuntimeError):
        array = np.empty((), np.str_)
    if array.dtype.kind in "OUSMm":
        raise InvalidInput(
            f"the inputs are a {type(x).__name__} of something else than numbers; give an array of "
            "numbers, one row for each target."
        )
    if array.ndim < 1 or not len(array):
        raise InvalidInput(f"the inputs have shape {array.shape}; give at least one row.")
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise InvalidInput("the inputs have entries that are not finite; remove or fill them.")
        return array.astype(leaves[0].dtype)
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype))


def refuse_parts(x: Any, y: Any) -> None:  # noqa: ANN401 - whatever is passed in
    """Refuse inputs or targets in several arrays: parts as long as the other has rows.

    Raises
    ------
    InvalidInput
        If either is a dictionary, or such a list or tuple.

    """
    for what, shape, splits, values, other in (
        ("targets", "(n,) or (n, k)", "the loss", y, x),
        ("inputs", "(n, ...)", "the model", x, y),
    ):
        rows = _length(other)
        if isinstance(values, Mapping) or (
            isinstance(values, list | tuple)
            and rows
            and len(values) not in (0, rows)
            and all(_length(part) == rows for part in values)
        ):
            raise InvalidInput(
                f"the {what} are a {type(values).__name__}; give one array of shape {shape}, with "
                f"several {what} side by side in it, which {splits} splits."
            )


def _length(values: Any) -> int | None:  # noqa: ANN401
    """Return how many rows an array has, or a list of numbers or arrays; None if it is neither."""
    if isinstance(values, list | tuple):
        return len(values)
    shape = getattr(values, "shape", ())
    return shape[0] if shape else None


def check_targets(loss: Loss, outputs: Any, y: Any) -> Shaped[np.ndarray, "..."]:  # noqa: ANN401
    """Return targets in the shape that the loss needs beside outputs of shape (n, k).

    Raises
    ------
    InvalidInput
        If they are of another shape, outside their range, or not finite.

    """
    n, k = outputs.shape
    try:
        targets = np.asarray(y)
    except (TypeError, ValueError, RuntimeError):
        raise InvalidInput(
            f"the targets are a {type(y).__name__} of rows of several lengths; give an array."
        ) from None
    if targets.dtype.kind in "OUS":
        try:
            targets = targets.astype(float)
        except (TypeError, ValueError):
            raise InvalidInput(
                "the targets are not numbers; for classes, numpy.unique(y, return_inverse=True)[1] "
                "numbers them."
            ) from None
    if loss.classes:
        return _classes(targets, n, k)
    if targets.size == n * k and targets.shape[:1] == (n,):
        targets = targets.reshape(n, k).astype(float)
    elif loss.name in ("mse", "half_sum", "binary_cross_entropy"):
        hint = (
            "for class numbers give loss='cross_entropy'"
            if targets.shape in ((n,), (n, 1)) and k > 1
            else "give one target per output"
        )
        raise InvalidInput(
            f"the outputs have shape {(n, k)} and the targets {targets.shape}; {hint}."
        )
    if not np.isfinite(targets).all():
        raise InvalidInput("the targets have entries that are not finite; remove these rows.")
    if loss.labels and not ((targets >= 0) & (targets <= 1)).all():
        signs = set(np.unique(targets)) == {-1.0, 1.0}
        raise InvalidInput(
            f"the targets range from {targets.min():g} to {targets.max():g}; binary_cross_entropy "
            f"needs 0 and 1{': give (y + 1) / 2' if signs else ''}."
        )
    return targets


def _classes(targets: Shaped[np.ndarray, "..."], n: int, k: int) -> Shaped[np.ndarray, "..."]:
    if targets.shape not in ((n,), (n, 1)):
        raise InvalidInput(
            f"the targets have shape {targets.shape}; cross_entropy needs one class number per "
            f"row, shape ({n},)."
        )
    numbers = targets.reshape(n)
    if not np.array_equal(numbers, np.round(numbers)) or numbers.min() < 0 or numbers.max() >= k:
        many = (
            f"the model has {k} outputs; give whole numbers from 0 to {k - 1}, one per class, and "
            "leave rows without a class out of inputs and targets"
        )
        one = (
            "the model has one output; give it one per class, or take the loss "
            "binary_cross_entropy for targets of 0 and 1, mse for numbers"
        )
        raise InvalidInput(
            f"the targets range from {numbers.min():g} to {numbers.max():g} and "
            f"{many if k > 1 else one}."
        )
    return numbers.astype(np.int64)
