"""Models that a command is given by name: built in, or a function of the user's own."""

import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inertial._checks import InvalidInput

if TYPE_CHECKING:
    from inertial.data import Data
    from inertial.problem.problem import Trainable
    from inertial.runs.model_runs import Starts

_FORM = "give mlp:256x2, or module:function with function(inputs, outputs)"


_SEED = ("seed", "key")
"""Names of a parameter that a function takes its random start by."""


def problem_of(
    text: str,
    data: "Data",
    loss: str | None,
    seed: int = 0,
    *,
    decay: float = 0.0,
    devices: int = 1,
) -> "Trainable":
    """Return the problem of a model on data.

    Parameters
    ----------
    text
        ``mlp:256x2:tanh`` and the like, or ``module:function``; the function gets the numbers of
        inputs and outputs, and `seed` or `key` if it has such a parameter, and returns
        ``(params, apply)`` or a ``torch.nn.Module``.
    data
        What was loaded; classes are told apart by one output if there are two, or one per class.
    loss
        Name of the loss; by default `mse` for numbers, `binary_cross_entropy` for two classes,
        `cross_entropy` for more.
    seed
        Seed of the start; PyTorch's generator is set to it while the function runs.
    decay
        Rate of weight decay.
    devices
        Devices of every process that the rows are spread over.

    Raises
    ------
    InvalidInput
        If there is no such model, it does not fit the data, or it is one of PyTorch and to be
        spread.

    """
    from inertial.problem.networks import is_named, parse
    from inertial.problem.problem import Problem

    y, outputs, loss = _targets(data, loss)
    more: dict[str, Any] = {"decay": decay}
    if data.test is not None:
        more["test"] = data.test.x, _targets(data.test, loss)[0]
    if is_named(text):
        model = parse(text, data.x.shape[1], outputs)
        return Problem(model, loss, data.x, y, seed=seed, devices=devices, **more)
    made = _call(text, data.x.shape[1], outputs, seed)
    if isinstance(made, tuple) and len(made) == 2 and callable(made[1]):
        with _said(text):
            return Problem.from_apply(
                made[1], made[0], data.x, y, loss=loss, devices=devices, **more
            )
    if "torch" in sys.modules:
        import torch

        from inertial.torch import problem

        if isinstance(made, torch.nn.Module):
            refuse_devices(devices, text)
            return problem(made, data.x, y, loss=loss, **more)
    raise InvalidInput(
        f"{text} returned a {type(made).__name__!r}; return (params, apply) or a torch.nn.Module."
    )


def refuse_devices(devices: int, text: str) -> None:
    """Refuse to spread the rows of a model of PyTorch.

    Raises
    ------
    InvalidInput
        If there are several devices or processes.

    """
    import jax

    if devices * jax.process_count() > 1:
        raise InvalidInput(
            f"{text} is a PyTorch module, which runs on one device; leave out --devices and "
            "--processes, or give the model in JAX."
        )


def starts_of(
    text: str, data: "Data", loss: str | None, *, decay: float = 0.0, devices: int = 1
) -> "Starts":
    """Return a model's random starts: a function is called again for every seed.

    It is if it takes a `seed` or a `key`, or makes a PyTorch module; else it has one start.
    Parameters and errors are those of `problem_of`.
    """
    from inertial.problem.networks import is_named
    from inertial.problem.problem import Problem
    from inertial.runs.model_runs import Starts

    if is_named(text):
        first = problem_of(text, data, loss, decay=decay, devices=devices)
        assert isinstance(first, Problem)  # noqa: S101 - a perceptron is one of JAX
        return Starts(first.at_seed, text, many=True, data=data.provenance)
    function = _function(text)
    many = _seed_of(function) is not None
    if not many:
        first = problem_of(text, data, loss, decay=decay, devices=devices)
        many = not isinstance(first, Problem)
    source = inspect.getsourcefile(function)
    return Starts(
        partial(problem_of, text, data, loss, decay=decay, devices=devices)
        if many
        else lambda _seed: first,
        text,
        many=many,
        data=data.provenance,
        source_sha256=None
        if source is None
        else hashlib.sha256(Path(source).read_bytes()).hexdigest(),
    )


def _targets(data: "Data", loss: str | None) -> tuple[Any, int, str]:
    """Return targets, number of outputs and loss."""
    if data.provenance.task == "regression" or loss in ("mse", "half_sum"):
        return data.y, 1, "mse" if loss is None else loss
    labels = (data.y > 0).astype(int) if data.labels is None else data.labels
    classes = int(labels.max()) + 1
    if loss is None:
        loss = "binary_cross_entropy" if classes == 2 else "cross_entropy"
    return labels, 1 if loss == "binary_cross_entropy" else classes, loss


def _call(text: str, inputs: int, outputs: int, seed: int) -> Any:  # noqa: ANN401 - anything
    function = _function(text)
    name = _seed_of(function)
    given: dict[str, Any] = {}
    if name == "seed":
        given = {name: seed}
    elif name == "key":
        from inertial.problem.model import start_key

        given = {name: start_key(seed)}
    with _torch_seed(seed), _said(text):
        return function(inputs, outputs, **given)


def _function(text: str) -> Any:  # noqa: ANN401 - a function of the user's
    name, _, function = text.partition(":")
    if name.endswith(".py"):
        raise InvalidInput(
            f"the model is {text!r}; in the folder of the file, give {Path(name).stem}:{function}."
        )
    if not function or name.startswith(".") or not name:
        raise InvalidInput(f"the model is {text!r}; {_FORM}.")
    sys.path.insert(0, str(Path.cwd()))
    try:
        with _said(text):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.partition(".")[0]):
            wanted = "inertial[torch]" if error.name == "torch" else error.name
            raise InvalidInput(
                f"the module {name!r} imports {error.name!r}, which is not installed; "
                f"pip install {wanted!r}."
            ) from error
        raise InvalidInput(
            f"there is no module {error.name!r} here ({Path.cwd()}); {_FORM}."
        ) from error
    finally:
        sys.path.pop(0)
    if not callable(getattr(module, function, None)):
        raise InvalidInput(f"the module {name!r} has no function {function!r}; {_FORM}.")
    return getattr(module, function)


@contextmanager
def _said(text: str) -> Iterator[None]:
    """Say in one sentence what went wrong in a user's own code, and where."""
    try:
        yield
    except (InvalidInput, ModuleNotFoundError):
        raise
    except Exception as error:
        frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        own = [(f.name, line) for f, line in frames if f.parent == Path.cwd()]
        place = " in line {1} of {0}".format(*own[-1]) if own else ""
        raise InvalidInput(
            f"the model {text} fails{place} ({type(error).__name__}: {error}); correct it."
        ) from error


def _seed_of(function: Any) -> str | None:  # noqa: ANN401
    """Return the name of the parameter that a function takes its start by, if it has one."""
    try:
        names = inspect.signature(function).parameters
    except (TypeError, ValueError):  # something built in
        return None
    return next((name for name in _SEED if name in names), None)


@contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """Set PyTorch's generator, if it is there, and leave it as it was."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
