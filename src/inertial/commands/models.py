"""Models that a command is given by name: built in, or a function of the user's own."""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inertial._checks import InvalidInput

if TYPE_CHECKING:
    from inertial.data import Data
    from inertial.problem.problem import Trainable
    from inertial.runs.tuning import ModelAdvice

_FORM = "give mlp:256x2, or module:function with function(inputs, outputs)"


def problem_of(text: str, data: "Data", loss: str | None) -> "Trainable":
    """Return the problem of a model on data.

    Parameters
    ----------
    text
        ``mlp:256x2:tanh`` and the like, or ``module:function``; the function gets the numbers of
        inputs and outputs, and returns ``(params, apply)`` or a ``torch.nn.Module``.
    data
        What was loaded; classes are told apart by one output if there are two, or one a class.
    loss
        Name of the loss; by default `mse` for numbers, `binary_cross_entropy` for two classes,
        `cross_entropy` for more.

    Raises
    ------
    InvalidInput
        If there is no such model, or it does not fit the data.

    """
    from inertial.problem.mlp import parse
    from inertial.problem.problem import Problem

    y, outputs, loss = _targets(data, loss)
    if text.split(":", maxsplit=1)[0] == "mlp":
        return Problem(parse(text, data.x.shape[1], outputs), loss, data.x, y)
    made = _call(text, data.x.shape[1], outputs)
    if isinstance(made, tuple) and len(made) == 2 and callable(made[1]):
        return Problem.from_apply(made[1], made[0], data.x, y, loss=loss)
    if "torch" in sys.modules:
        import torch

        from inertial.torch import problem

        if isinstance(made, torch.nn.Module):
            return problem(made, data.x, y, loss=loss)
    raise InvalidInput(
        f"{text} returned a {type(made).__name__!r}; return (params, apply) or a torch.nn.Module."
    )


def _targets(data: "Data", loss: str | None) -> tuple[Any, int, str]:
    """Return targets, number of outputs and loss."""
    if data.provenance.task == "regression" or loss in ("mse", "half_sum"):
        return data.y, 1, loss or "mse"
    labels = (data.y > 0).astype(int) if data.labels is None else data.labels
    classes = int(labels.max()) + 1
    loss = loss or ("binary_cross_entropy" if classes == 2 else "cross_entropy")
    return labels, 1 if loss == "binary_cross_entropy" else classes, loss


def _call(text: str, inputs: int, outputs: int) -> Any:  # noqa: ANN401 - whatever it returns
    name, _, function = text.partition(":")
    if not function:
        raise InvalidInput(f"the model is {text!r}; {_FORM}.")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"there is no module {error.name!r} here ({Path.cwd()}); {_FORM}."
        ) from error
    finally:
        sys.path.pop(0)
    if not callable(getattr(module, function, None)):
        raise InvalidInput(f"the module {name!r} has no function {function!r}; {_FORM}.")
    return getattr(module, function)(inputs, outputs)


def document(advice: "ModelAdvice", data: "Data") -> dict[str, Any]:
    """Return the advice as a JSON document."""
    from dataclasses import asdict

    taken = asdict(data.provenance)
    shown = [*advice.methods, *([advice.against] if advice.against else [])]
    return {
        "recommendation": advice.recommendation,
        "target": advice.target,
        "model": advice.model,
        "loss": advice.loss,
        "data": {key: taken[key] for key in ("name", "n", "d", "task", "sha256")},
        "checked": advice.checked,
        "trust": advice.trust,
        "bound": advice.bound,
        "passes": advice.passes,
        "largest_eigenvalue": advice.largest[0],
        "lines": advice.lines.splitlines(),
        "methods": [
            {
                "method": entry.name,
                **dict(zip(("eta", "beta", "gamma"), entry.method.constant, strict=True)),
                "share_of_limit": entry.share,
                "steps_to": entry.steps_to,
                "measured_steps": entry.measured_steps,
                "trust": entry.trust,
            }
            for entry in shown
        ],
    }
