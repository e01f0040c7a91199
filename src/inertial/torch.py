"""Problems of PyTorch modules: ``pip install inertial[torch]``.

`problem` makes of a module, its data and its loss what `inertial.tune` takes.  Products with the
Jacobian are ``torch.func``'s; the module and its parameters are left as they were.
"""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from inertial._checks import InvalidInput, Notice, needed, nonnegative, printable

needed("torch", "torch")
import torch  # noqa: E402

from inertial._memory import check_parameters  # noqa: E402
from inertial.problem.loss import (  # noqa: E402
    LOSSES,
    Loss,
    Outputs,
    Slope,
    batch_factor,
    of_some_rows,
    shapes_of,
)
from inertial.problem.problem import (  # noqa: E402
    SIDE_BY_SIDE,
    Batches,
    Flat,
    check_targets,
    refuse_parts,
)

BLOCK = 4096
"""Rows that are linearised at once, at most."""

_NAMED = {
    torch.nn.MSELoss: "mse",
    torch.nn.CrossEntropyLoss: "cross_entropy",
    torch.nn.BCEWithLogitsLoss: "binary_cross_entropy",
}

_FUNCTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mse": torch.nn.functional.mse_loss,
    "half_sum": lambda f, y: 0.5 * ((f - y) ** 2).sum(),
    "cross_entropy": torch.nn.functional.cross_entropy,
    "binary_cross_entropy": torch.nn.functional.binary_cross_entropy_with_logits,
}

_ON_LOGITS: dict[type, tuple[str, str]] = {
    torch.nn.NLLLoss: ("LogSoftmax", "torch.nn.CrossEntropyLoss(), which is the same loss"),
    torch.nn.BCELoss: ("Sigmoid", "torch.nn.BCEWithLogitsLoss(), which is the same loss"),
    torch.nn.KLDivLoss: (
        "LogSoftmax",
        (
            "torch.nn.CrossEntropyLoss() with the shares of classes as targets, which has the "
            "gradient of reduction='batchmean'"
        ),
    ),
}
"""Losses of a last layer's outputs: that layer, and the loss of what goes into it."""

Tensors = dict[str, torch.Tensor]


@contextlib.contextmanager
def _plain_kernels() -> Iterator[None]:
    """Use the kernels of attention, encoders and recurrent layers that have forward derivatives."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # switching oneDNN off speaks of Intel's graphics cards
        flags = torch.backends.mkldnn.flags(enabled=False)
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with flags, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


def _single(values: torch.Tensor) -> torch.Tensor:
    """Return numbers in half precision in single precision, and all others as they are."""
    return (
        values.float() if values.is_floating_point() and values.element_size() < _FOUR else values
    )


_FOUR = 4
"""Bytes of a number in single precision."""

Kernels = Callable[[], contextlib.AbstractContextManager[None]]


def _kernels(
    forward: Callable[[Tensors, torch.Tensor], torch.Tensor], w: Tensors, x: torch.Tensor
) -> Kernels:
    """Return a context in which the module can be differentiated forwards.

    Raises
    ------
    InvalidInput
        If there is none.

    """
    for kernels in (contextlib.nullcontext, _plain_kernels):
        try:
            with kernels():
                _forwards(forward, w, x, w)
        except (NotImplementedError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
        else:
            return kernels
    raise InvalidInput(
        f"the module cannot be differentiated forwards ({reason}); give one of other operations."
    )


def _forwards(
    forward: Callable[[Tensors, torch.Tensor], torch.Tensor],
    w: Tensors,
    x: torch.Tensor,
    direction: Tensors,
) -> torch.Tensor:
    """Return the product of the Jacobian at `w` with a direction."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script`", FutureWarning)  # of torch's own use
        found: torch.Tensor = torch.func.jvp(lambda v: forward(v, x), (w,), (direction,))[1]
    return found


class State(NamedTuple):
    """Parameters w_t, the last step w_t - w_{t-1}, and eta_{t-1} g_{t-1}, by name."""

    w: Tensors
    step: Tensors
    scaled: Tensors


_CHANGED = (
    "the loss changes a tensor that it is given or holds; give one that depends on the outputs and "
    "targets alone, and count or average outside of it."
)


class _Doubling(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
    """Every tensor that an operation takes or makes is on the host, and in double precision.

    So are those that a function of one's own holds, such as weights of classes: of each it gets
    one copy.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        named = {name: self.taken(value) for name, value in (kwargs or {}).items()}
        found = func(*self.taken(args), **named)
        return _doubled(found) if isinstance(found, torch.Tensor) else found

    def taken(self, value: Any) -> Any:  # noqa: ANN401 - any argument
        """Return an argument with its tensors in double precision."""
        if type(value) in (list, tuple):
            return type(value)(map(self.taken, value))
        if not isinstance(value, torch.Tensor) or _doubled(value) is value:
            return value
        if id(value) not in self.copies:  # which hold the tensor, so that its id stays its own
            self.copies[id(value)] = value, _doubled(value)
        return self.copies[id(value)][1]

    def refuse_changes(self) -> None:
        """Raise unless the copies are still those of what was held."""
        for held, copied in self.copies.values():
            if not torch.allclose(_doubled(held), copied, rtol=0, atol=0, equal_nan=True):
                raise InvalidInput(_CHANGED)


def _doubled(value: torch.Tensor) -> torch.Tensor:
    return value.to("cpu", torch.float64 if value.is_floating_point() else value.dtype)


def _in_doubles(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Return a loss for outputs in double precision on the host: what it holds is, if need be."""
    if isinstance(function, torch.nn.Module):
        function = copy.deepcopy(function).to("cpu", torch.float64)

    def doubled(outputs: torch.Tensor, targets: torch.Tensor) -> Any:  # noqa: ANN401 - unchecked yet
        try:
            return function(outputs, targets)
        except RuntimeError:  # of two precisions or devices, for one
            with _Doubling() as mode:
                found = function(outputs, targets)
            mode.refuse_changes()
            return found

    return doubled


def _slope(loss: Callable[..., torch.Tensor]) -> Slope:
    """Return the gradient of a loss in the outputs, of arrays."""

    def slope(
        outputs: Shaped[np.ndarray, "..."], targets: Shaped[np.ndarray, "..."]
    ) -> Shaped[np.ndarray, "..."]:
        given = torch.as_tensor(targets)
        found = torch.func.grad(lambda f: loss(f, given))(torch.as_tensor(outputs))
        return np.asarray(found.numpy(force=True))

    return slope


@dataclass(frozen=True, eq=False)
class _Linearised:
    outputs: Outputs
    forward: Callable[[Tensors, torch.Tensor], torch.Tensor]
    w: Tensors
    blocks: tuple[torch.Tensor, ...]
    kernels: Kernels

    def pull(self, v: Flat) -> Tensors:
        kind = next(iter(self.w.values()))
        cotangents = torch.as_tensor(v.reshape(self.outputs.shape), dtype=kind.dtype)
        parts = torch.split(cotangents.to(kind.device), [len(x) for x in self.blocks])
        total: Tensors = {}
        for x, part in zip(self.blocks, parts, strict=True):
            back = torch.func.vjp(lambda w, x=x: self.forward(w, x), self.w)[1]
            (found,) = back(part)
            total = {k: total[k] + g if total else g for k, g in found.items()}
        return total

    def push(self, direction: Tensors) -> Flat:
        direction = {k: direction[k] for k in self.w}  # in that order, which jvp asks for
        with self.kernels():
            parts = [_forwards(self.forward, self.w, x, direction) for x in self.blocks]
        return np.asarray(torch.cat(parts).detach().cpu().double().numpy()).reshape(-1)

    @property
    def weights(self) -> Tensors:
        return self.w

    def norms(self, direction: Tensors) -> dict[str, float]:
        return {name: float(v.norm()) for name, v in direction.items()}


class TorchProblem:
    """A module with its loss, its start and the rows it is trained on; made by `problem`."""

    def __init__(
        self,
        module: torch.nn.Module,
        loss: Loss,
        function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        asked: Any = None,  # noqa: ANN401 - a name, a module or a function
        test: tuple[torch.Tensor, torch.Tensor] | None = None,
        decay: float = 0.0,
    ) -> None:
        self.decay = nonnegative("decay", decay)
        inner = copy.deepcopy(module).eval()
        trained = {k: p for k, p in inner.named_parameters() if p.requires_grad}
        if not trained:
            raise InvalidInput("the module has no parameter that is trained; give one that has.")
        for name, p in trained.items():
            if torch.nn.parameter.is_lazy(p) or p.is_meta:
                raise InvalidInput(
                    f"the parameter {name!r} has no values yet; call the module once on its "
                    "inputs, or load its parameters."
                )
            if not p.is_floating_point():
                raise InvalidInput(
                    f"the parameter {name!r} is of type {p.dtype}; give floating point, or set its "
                    "requires_grad to False."
                )
        check_parameters(sum(p.nbytes for p in trained.values()))
        fixed = {k: p.detach() for k, p in inner.named_parameters() if k not in trained}
        fixed |= {k: b.detach() for k, b in inner.named_buffers()}
        self._start = {k: p.detach().clone() for k, p in trained.items()}
        first = next(iter(self._start.values()))
        self.x = x.detach().to(first.device, first.dtype if x.is_floating_point() else x.dtype)
        if not self.x.ndim or not len(self.x):
            raise InvalidInput("there are no rows; give inputs with at least one.")
        self.loss, self._function = loss, function
        self._double = _in_doubles(function)
        self.parameters = sum(p.numel() for p in self._start.values())
        self.evaluation = _in_evaluation(module)
        self.model = f"{type(module).__name__}, {self.parameters:,} parameters"

        def forward(w: Tensors, rows: torch.Tensor) -> torch.Tensor:
            kind = next(iter(w.values())).dtype
            rest = fixed if kind == first.dtype else {k: _single(b) for k, b in fixed.items()}
            out = torch.func.functional_call(inner, {**rest, **w}, (rows,))
            plain = isinstance(out, torch.Tensor)
            if not plain or out.ndim not in (1, 2) or len(out) != len(rows):
                gives = f"outputs of shape {tuple(out.shape)}" if plain else type(out).__name__
                raise InvalidInput(
                    f"the module gives {gives} for {len(rows)} rows; give one with outputs of "
                    f"shape (n,) or (n, k), {SIDE_BY_SIDE}."
                )
            return out.reshape(len(rows), -1)

        self._forward = forward
        self._kernels: Kernels = contextlib.nullcontext
        outputs = self._first()
        single = {k: _single(p) for k, p in self._start.items()}
        _refuse_changes(forward, single, _single(self.x), outputs)
        self._kernels = _kernels(forward, single, _single(self.x[:1]))
        self._take(outputs, y)
        self.told = self._shape(asked, inner, outputs, y) if callable(asked) else ""
        self._check(outputs)
        self.test: TorchProblem | None = None if test is None else self._on(*test)

    def _shape(
        self,
        asked: Callable[..., torch.Tensor],
        inner: torch.nn.Module,
        outputs: Outputs,
        y: torch.Tensor,
    ) -> str:
        """Call a loss of one's own on the shapes that it is for, and say what has to be known."""
        with torch.no_grad():
            row = inner(self.x[:1]).shape[1:]
        own = outputs.reshape(len(outputs), *row)
        shapes = shapes_of(_slope(_in_doubles(asked)), own, self.y, tuple(y.shape))
        if self._function is asked:
            self._function = shapes.calling(asked)
            self._double = shapes.calling(self._double)
        return shapes.told

    def _first(self) -> Outputs:
        """Return the outputs at the start."""
        try:
            return self.linearise().outputs
        except InvalidInput:
            raise
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            said = (str(error).splitlines() or [""])[0]
            raise InvalidInput(
                f"the module cannot take inputs of shape {tuple(self.x.shape)} and type "
                f"{self.x.dtype} ({said}); give those that it takes."
            ) from error

    def _take(self, outputs: Outputs, y: torch.Tensor) -> None:
        """Check the targets and take them."""
        first = next(iter(self._start.values()))
        y = y.float() if y.dtype == torch.bfloat16 else y  # of which NumPy has none
        self.y = check_targets(self.loss, outputs, y.detach().cpu().numpy())
        self.targets = torch.as_tensor(self.y, device=first.device)
        if self.targets.is_floating_point():  # class numbers are none
            self.targets = self.targets.to(first.dtype)

    def _check(self, outputs: Outputs) -> None:
        """Refuse a loss that gives no finite number or no gradient at the start."""
        try:
            value = self.loss_of(outputs)
            self.gradient_of(outputs)
        except InvalidInput:
            raise
        except (TypeError, ValueError, RuntimeError) as error:
            said = str(error).splitlines()[0]
            if "mutate a captured Tensor" in said:
                raise InvalidInput(_CHANGED) from error
            raise InvalidInput(
                f"the loss {self.loss.name} cannot take outputs of shape {outputs.shape} and "
                f"targets of shape {self.y.shape} ({said}); give a function of both."
            ) from error
        if not np.isfinite(value):
            raise InvalidInput(
                f"the loss at the start is {value}; check the inputs, the targets and the "
                "parameters for entries that are not finite or far too large."
            )

    def _on(self, x: torch.Tensor, y: torch.Tensor) -> "TorchProblem":
        """Return the same module, loss and start on other rows."""
        other = copy.copy(self)
        other.x = x.detach().to(self.x.device, self.x.dtype)
        if other.x.shape[1:] != self.x.shape[1:] or not len(other.x):
            raise InvalidInput(
                f"the test inputs have shape {tuple(x.shape)} and the training inputs "
                f"{tuple(self.x.shape)}; give rows of the same shape."
            )
        other.test = None
        outputs = other._first()  # noqa: SLF001 - its own class
        other._take(outputs, y)  # noqa: SLF001
        of_some_rows(self.loss, lambda: other.loss_of(outputs))
        return other

    def __repr__(self) -> str:
        return f"TorchProblem({self.model}, loss {self.loss.name}, {self.rows} rows)"

    @property
    def rows(self) -> int:
        """Number n of rows."""
        return len(self.x)

    def linearise(self, state: State | None = None) -> _Linearised:
        """Linearise at a state of training, or at the start, in blocks of rows."""
        w = self._start if state is None else state.w
        w = {k: _single(p) for k, p in w.items()}  # half precision has no digits for a measure
        blocks = tuple(torch.split(_single(self.x), BLOCK))
        with torch.no_grad():
            outputs = torch.cat([self._forward(w, x) for x in blocks])
        return _Linearised(outputs.cpu().double().numpy(), self._forward, w, blocks, self._kernels)

    def _doubles(self) -> torch.Tensor:
        return torch.as_tensor(self.y)

    def loss_of(self, outputs: Outputs) -> float:
        """Loss at some outputs, in float64."""
        found = self._double(torch.as_tensor(outputs), self._doubles())
        if not isinstance(found, torch.Tensor):
            raise InvalidInput(
                f"the loss {self.loss.name} gives a {type(found).__name__}; give a function that "
                "returns a tensor of one number, without .item() or float()."
            )
        if found.numel() != 1:
            raise InvalidInput(
                f"the loss {self.loss.name} gives {found.numel():,} numbers; give a function that "
                "returns one, such as their mean or their sum."
            )
        return float(found.detach())

    def gradient_of(self, outputs: Outputs) -> Outputs:
        """Gradient of the loss in the outputs, in float64."""
        y = self._doubles()
        found = torch.func.grad(lambda f: self._double(f, y))(torch.as_tensor(outputs))
        return np.asarray(found.numpy(force=True))

    def hessian_of(self, outputs: Outputs) -> Callable[[Outputs], Outputs]:
        """Products with the Hessian of the loss in the outputs, in float64."""
        y = self._doubles()
        gradient = torch.func.grad(lambda f: self._double(f, y))
        # Symmetric, so that a backward product does; not every loss has a forward one.
        backward = torch.func.vjp(gradient, torch.as_tensor(outputs))[1]

        def times(v: Outputs) -> Outputs:
            try:
                (found,) = backward(torch.as_tensor(v))
            except RuntimeError as error:
                raise InvalidInput(
                    f"PyTorch has no second derivative of the loss {self.loss.name} "
                    f"({str(error).splitlines()[0]}); write it with operations that have one, such "
                    "as clamp, squares and sum."
                ) from error
            return np.asarray(found.numpy(force=True))

        return times

    def parameters_of(self, state: State | None = None) -> dict[str, np.ndarray]:
        """Return the trained parameters at a state of training, or at the start, by name."""
        w = self._start if state is None else state.w
        return {name: _single(p).detach().cpu().numpy() for name, p in w.items()}

    def begin(self) -> State:
        """Return the start, at rest."""
        zero = {k: torch.zeros_like(p) for k, p in self._start.items()}
        return State(self._start, zero, zero)

    def distance(self, state: State) -> float:
        """Return ``|w_t - w_0|`` over all trained parameters."""
        squares = [float(((w - self._start[k]) ** 2).sum()) for k, w in state.w.items()]
        return float(np.sqrt(sum(squares)))

    def state_of(self, params: torch.nn.Module) -> State:
        """Return the state at rest at the parameters of a module like this one.

        Raises
        ------
        InvalidInput
            If it is no module with the same parameters.

        """
        named = dict(params.named_parameters()) if isinstance(params, torch.nn.Module) else {}
        if any(k not in named or named[k].shape != p.shape for k, p in self._start.items()):
            raise InvalidInput(
                "the parameters have other names or shapes than those of the problem; give the "
                "module that is trained."
            )
        if any(named[k].is_meta for k in self._start):
            raise InvalidInput("the parameters have no values; give the module that is trained.")
        w = {k: named[k].detach().to(p, copy=True) for k, p in self._start.items()}
        zero = {k: torch.zeros_like(p) for k, p in w.items()}
        return State(w, zero, zero)

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
        w, step, scaled = state
        losses = []
        for t, (e, b, c) in enumerate(zip(*(v.tolist() for v in (eta, beta, gamma)), strict=True)):
            leaves = {k: p.detach().requires_grad_() for k, p in w.items()}
            x, y, factor = self.x, self.targets, 1.0
            if batches is not None:
                rows = torch.as_tensor(batches.rows[t], device=x.device)
                x, y, factor = x[rows], y[rows], batches.factor
                with torch.no_grad():
                    losses.append(float(self._function(self._forward(w, self.x), self.targets)))
            with torch.enable_grad():
                loss = factor * self._function(self._forward(leaves, x), y)
                gradients = list(torch.autograd.grad(loss, list(leaves.values())))
            if batches is None:
                losses.append(float(loss.detach()))
            if self.decay:
                gradients = [g + self.decay * p for g, p in zip(gradients, w.values(), strict=True)]
            fresh = {k: e * g for k, g in zip(w, gradients, strict=True)}
            step = {k: b * step[k] - fresh[k] - c * (fresh[k] - scaled[k]) for k in w}
            w = {k: w[k] + step[k] for k in w}
            scaled = fresh
        return State(w, step, scaled), np.array(losses)

    def batch_factor(self, batch: int) -> float:
        """Return what the gradient of B of n rows is multiplied by, to be on average that of all.

        Raises
        ------
        InvalidInput
            If the loss is no sum or mean over rows.

        """

        def gradient(outputs: Outputs, y: np.ndarray) -> Outputs:
            given = torch.as_tensor(y)
            found = torch.func.grad(lambda f: self._double(f, given))(torch.as_tensor(outputs))
            return np.asarray(found.numpy())

        return batch_factor(self.loss, gradient, lambda: self.linearise().outputs, self.y, batch)


def problem(
    module: torch.nn.Module,
    x: Any,  # noqa: ANN401 - a tensor, an array or a loader
    y: Any = None,  # noqa: ANN401
    *,
    loss: Any = "mse",  # noqa: ANN401 - a name, a module or a function
    test: Any = None,  # noqa: ANN401 - a pair, or a loader
    decay: float = 0.0,
) -> TorchProblem:
    """Return the problem of a PyTorch module, for `inertial.tune`.

    Dropout and batch normalisation act as in evaluation mode.  The module is copied and left as it
    is; parameters with ``requires_grad`` are trained.

    Parameters
    ----------
    module
        From a batch of inputs to outputs of shape (n,) or (n, k).
    x, y
        Tensors or arrays, rows first; or a ``DataLoader`` of pairs as `x` alone, whose batches are
        put together in the order in which they come.
    loss
        ``torch.nn.MSELoss()``, ``CrossEntropyLoss()``, ``BCEWithLogitsLoss()`` as they stand, a
        name (`mse`, `half_sum`, `cross_entropy`, `binary_cross_entropy`), or any function of
        outputs and targets with a number.
    test
        Inputs and targets that are held out, or a ``DataLoader`` of such pairs, on which loss and
        accuracy can be forecast and recorded.
    decay
        Rate of weight decay, as `weight_decay` of ``torch.optim.SGD``.

    Raises
    ------
    InvalidInput
        If the module changes its state, outputs and targets do not fit, the loss at the start is
        not finite, or the decay is negative.

    """
    if not isinstance(module, torch.nn.Module):
        raise InvalidInput(f"module is {printable(repr(module), 40)}; give a torch.nn.Module.")
    if y is None:
        x, y = _gathered(x)
    refuse_parts(x, y)
    x, y = _tensor("inputs", x), _tensor("targets", y)
    x, y = _counted(loss, x, y)
    known, function = _loss(loss, y)
    told = _in_evaluation(module)
    if told and module.training:
        warnings.warn(f"{told}.", Notice, stacklevel=2)
    held = None
    if test is not None:
        pair = test if isinstance(test, tuple) else _gathered(test)
        if len(pair) != _PAIR:
            raise InvalidInput(f"test has {len(pair)} parts; give inputs and targets.")
        refuse_parts(*pair)
        held = _counted(loss, _tensor("inputs", pair[0]), _tensor("targets", pair[1]))
    made = TorchProblem(module, known, function, x, y, asked=loss, test=held, decay=decay)
    if made.told:
        warnings.warn(made.told, Notice, stacklevel=2)
    return made


def _counted(
    loss: Any,  # noqa: ANN401 - a name, a module or a function
    x: torch.Tensor,
    y: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows that count: without those whose class a cross-entropy ignores.

    Neither the mean over the rest nor the sum has them, and no row acts on another in evaluation.
    """
    numbers = x.ndim > 0 and y.shape in ((len(x),), (len(x), 1))
    if not isinstance(loss, torch.nn.CrossEntropyLoss) or not numbers:
        return x, y
    kept = y.reshape(-1) != loss.ignore_index
    left = int((~kept).sum())
    if not left:
        return x, y
    if left == len(y):
        raise InvalidInput(
            f"all targets are {loss.ignore_index}, which the loss ignores; give rows with classes."
        )
    warnings.warn(
        f"{left} of {len(y)} rows are left out, since the loss ignores their target "
        f"{loss.ignore_index}, and nothing changes on all rows; leave them out of your batches.",
        Notice,
        stacklevel=3,
    )
    return x[kept.to(x.device)], y[kept]


def _in_evaluation(module: torch.nn.Module) -> str:
    """Say which layers act otherwise in training, and what to do; empty if there are none."""
    parts = list(module.modules())
    acts = []
    # These bases have no other names.
    if any(isinstance(part, torch.nn.modules.dropout._DropoutNd) for part in parts):  # noqa: SLF001
        acts.append("dropout is off")
    normed = [part for part in parts if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001
    if any(part.running_mean is not None for part in normed):
        acts.append("batch normalisation keeps to its stored means and variances")
    if not acts:
        return ""
    return (
        f"all of this is for evaluation mode, where {' and '.join(acts)}: call module.eval() "
        "before your loop; in training mode the setting is a first guess, and the steps do not hold"
    )


def _gathered(loader: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
    """Put the batches of a loader together."""
    if not isinstance(loader, torch.utils.data.DataLoader):
        raise InvalidInput("y is missing; give targets, or a DataLoader of pairs instead of x.")
    if isinstance(loader.sampler, torch.utils.data.RandomSampler):
        warnings.warn(
            "the loader shuffles; its rows are taken once and stay in that order, which full-batch "
            "training does not depend on.",
            Notice,
            stacklevel=3,
        )
    pairs = list(loader)
    given = [len(pair[0]) for pair in pairs if _is_pair(pair)]
    counted = loader.drop_last and isinstance(loader.sampler, Sized)  # a stream has no length
    left = len(loader.sampler) - sum(given) if counted else 0
    if given and left > 0:
        warnings.warn(
            f"{left} rows are left out, since the loader has drop_last=True; take a loader without "
            "it for all rows.",
            Notice,
            stacklevel=3,
        )
    if not pairs or not all(map(_is_pair, pairs)):
        raise InvalidInput(
            "the loader gives no pairs; give one of inputs and targets, each in one tensor."
        )
    try:
        return torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])
    except RuntimeError:
        raise InvalidInput(
            "the loader gives rows of several shapes; give one whose rows have one shape."
        ) from None


def _is_pair(batch: object) -> bool:
    """Whether a batch is inputs and targets."""
    return (
        isinstance(batch, list | tuple)
        and len(batch) == _PAIR
        and all(isinstance(part, torch.Tensor) for part in batch)
    )


_PAIR = 2
"""Inputs and targets."""


def _loss(loss: Any, y: torch.Tensor) -> tuple[Loss, Callable[..., torch.Tensor]]:  # noqa: ANN401
    """Return a loss of torch as ours, with the function that computes it."""
    if type(loss) in _ON_LOGITS:
        layer, better = _ON_LOGITS[type(loss)]
        raise InvalidInput(
            f"{type(loss).__name__} is a loss of what {layer} gives; give the module without its "
            f"last {layer}, and {better}."
        )
    if getattr(loss, "reduction", None) == "none":
        raise InvalidInput(
            f"{type(loss).__name__} has reduction='none', a loss for each row; give it "
            "reduction='mean' or 'sum'."
        )
    name = loss if isinstance(loss, str) else _NAMED.get(type(loss))
    shares = isinstance(loss, torch.nn.CrossEntropyLoss) and y.ndim > 1 and y.is_floating_point()
    plain = isinstance(loss, str) or (
        name is not None
        and loss.reduction == "mean"
        and all(getattr(loss, part, None) is None for part in ("weight", "pos_weight"))
        and not getattr(loss, "label_smoothing", 0.0)
        and not shares
    )
    if name is not None and plain:
        if name not in LOSSES:
            raise InvalidInput(f"loss is {name!r}; choose one of {', '.join(LOSSES)}.")
        return LOSSES[name], _FUNCTIONS[name]
    if not callable(loss):
        raise InvalidInput(f"loss is a {type(loss).__name__!r}; give a name or a torch loss.")
    if isinstance(loss, type):
        raise InvalidInput(f"loss is the class {loss.__name__}; call it: {loss.__name__}().")
    classes = isinstance(loss, torch.nn.CrossEntropyLoss) and not shares
    named = getattr(loss, "__name__", None)  # that of a function; an object has none
    called = named if isinstance(named, str) else type(loss).__name__
    return Loss(called, loss, classes=classes), loss


def _tensor(what: str, values: Any) -> torch.Tensor:  # noqa: ANN401 - a tensor, an array or a frame
    """Return a tensor of real numbers."""
    found = values if isinstance(values, torch.Tensor) else None
    try:
        if found is None:
            array = np.asarray(values)
            found = torch.as_tensor(array if array.flags.writeable else array.copy())
    except (TypeError, ValueError):
        pass
    if found is not None:
        if found.layout != torch.strided or found.is_complex() or found.is_meta:
            raise InvalidInput(
                f"the {what} are sparse, complex or without values; give a plain tensor of real "
                "numbers."
            )
        return found
    remedy = (
        "for classes, numpy.unique(y, return_inverse=True)[1] numbers them"
        if what == "targets"
        else "give a tensor or an array of numbers, rows first"
    )
    raise InvalidInput(f"the {what} are not numbers; {remedy}.")


def _refuse_changes(
    forward: Callable[[Tensors, torch.Tensor], torch.Tensor],
    w: Tensors,
    x: torch.Tensor,
    outputs: Outputs,
) -> None:
    """Raise unless the module gives finite numbers, and one answer for the same input."""
    if not np.isfinite(outputs).all():
        if not torch.isfinite(x).all():
            raise InvalidInput("the inputs have entries that are not finite; remove or fill them.")
        raise InvalidInput(
            "the module's outputs at the start are not all finite; check its parameters, or scale "
            "the inputs."
        )
    with torch.no_grad():
        again = forward(w, x[:2]).cpu().double().numpy()
    # To ten bits, as of convolutions on GPUs, other sizes of a product give other answers.
    digits = 1e-5 if x.device.type == "cpu" else 3e-3
    if not np.allclose(again, outputs[:2], rtol=1e-3, atol=digits * np.abs(outputs).max()):
        raise InvalidInput(
            "the module gives two answers for the same input, or mixes rows; give one without "
            "random numbers and without state that changes."
        )
