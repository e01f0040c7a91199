"""The door of the package: what is passed to a public function fits its signature, or is refused.

`inertial.NAME` is a function behind this door; inside the house functions call each other without
it.  Lists and arrays of other libraries become NumPy's where an array is asked for.  What fits no
annotation raises `InvalidInput` with the remedy; what an annotation cannot say, such as a range,
the function checks itself.
"""

import inspect
import types
from collections.abc import Callable, Sequence
from functools import cache, partial, wraps
from typing import Any, Literal, Protocol, Union, get_args, get_origin

from inertial._checks import InvalidInput, number, numbers, one_of, printable

_REMEDIES = {
    "Recursion": "a Recursion, such as heavy_ball(eta, beta) or advice.setting",
    "Measure": "a Measure, such as measure_of(data) or Measure.from_kernel(kernel, residual)",
    "Spectrum": "a Spectrum, such as decompose(kernel)",
    "Data": "what load() returned",
    "TwoLayerReLU": "a TwoLayerReLU(width, inputs)",
    "Trainable": "a Problem, or what inertial.torch.problem returns",
    "Settings": "Settings(...)",
    "Dataset": "read_run(folder)[0], read_study(folder) or the arrays of compare",
    "ParameterGroups": "a torch.optim.SGD",
    "Model": "an object with init and apply, or use Problem.from_apply(apply, params, ...)",
    "str": "a text",
    "Path": "a path",
}
"""What to give where one of these is asked for, by its name."""

_Fit = Callable[[str, Any], Any]
"""Takes a name and a value, and returns the value as it is meant, or raises InvalidInput."""


def door(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that holds its arguments against the annotations, then calls `function`."""

    @cache
    def plan() -> tuple[inspect.Signature, dict[str, _Fit]]:
        signature = inspect.signature(function)
        fits = {name: _fit(one.annotation) for name, one in signature.parameters.items()}
        return signature, {name: fit for name, fit in fits.items() if fit is not None}

    @wraps(function)
    def checked(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - those of the function
        signature, fits = plan()
        try:
            bound = signature.bind(*given, **named)
        except TypeError as error:
            for (name, _), value in zip(signature.parameters.items(), given, strict=False):
                if name in fits:
                    fits[name](name, value)
            raise InvalidInput(
                f"{function.__qualname__}: {error}; give {_taken(signature)}."
            ) from None
        for name, value in bound.arguments.items():
            if name in fits:
                bound.arguments[name] = fits[name](name, value)
        _same_sizes(signature, bound.arguments)
        return function(*bound.args, **bound.kwargs)

    return checked


def _taken(signature: inspect.Signature) -> str:
    """Return the arguments of a function in words, those that are given by name with a sign."""
    named = inspect.Parameter.KEYWORD_ONLY
    parts = [f"{p.name}=" * (p.kind is named) or p.name for p in signature.parameters.values()]
    return ", ".join(part for part in parts if part != "self")


def _same_sizes(signature: inspect.Signature, values: dict[str, Any]) -> None:
    """Refuse arrays whose dimensions of one letter differ in size."""
    sizes: dict[str, tuple[str, int]] = {}
    for name, value in values.items():
        letters = getattr(signature.parameters[name].annotation, "dim_str", "").split()
        for letter, size in zip(letters, getattr(value, "shape", ()), strict=False):
            first, known = sizes.setdefault(letter, (name, size))
            if size != known and letter.isalpha():
                raise InvalidInput(
                    f"{name} has {size} where {first} has {known}; give arrays of one length "
                    f"{letter}."
                )


def _fit(annotation: Any) -> _Fit | None:  # noqa: ANN401 - any annotation
    """Return the check that an annotation stands for; None where it says nothing to check."""
    fit = _PLAIN.get(annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        fit = _any_of(parts)
    elif origin is Literal:
        fit = partial(one_of, choices=parts)
    elif origin is Sequence and parts == (str,):
        fit = _texts
    elif hasattr(annotation, "dim_str"):
        fit = _array(annotation)
    elif isinstance(annotation, type) and annotation not in _ANYTHING and fit is None:
        fit = partial(_of_kind, kinds=(annotation,))
    return fit


def _any_of(options: tuple[Any, ...]) -> _Fit | None:
    """Return a check that one of several annotations, or None, is met."""
    classes = tuple(
        o for o in options if isinstance(o, type) and o not in _PLAIN and o is not _NONE
    )
    others = [_fit(o) for o in options if o is not _NONE and o not in classes]
    if None in others:
        return None
    fits = [fit for fit in others if fit is not None]
    if classes:
        fits.append(partial(_of_kind, kinds=classes))

    def first(name: str, value: Any) -> Any:  # noqa: ANN401
        if value is None and _NONE in options:
            return None
        for fit in fits[:-1]:
            try:
                return fit(name, value)
            except InvalidInput:
                continue
        return fits[-1](name, value)

    return first


def _special(kind: type) -> bool:
    """Whether a class is a plain value's, or stands for arrays or for anything."""
    return kind in _PLAIN or kind in _ANYTHING or hasattr(kind, "dim_str")


def _of_kind(name: str, value: Any, kinds: tuple[type, ...]) -> Any:  # noqa: ANN401
    """Return a value that is of one of these classes, or has what one of these protocols asks."""
    for kind in kinds:
        if Protocol in kind.__bases__:
            asked = {*vars(kind), *kind.__annotations__}
            asked = {word for word in asked if not word.startswith("_")}
            if all(hasattr(value, word) for word in asked) and not isinstance(value, type):
                return value
        elif isinstance(value, kind):
            return value
    wanted = " or ".join(_REMEDIES.get(kind.__name__, f"a {kind.__name__}") for kind in kinds)
    raise InvalidInput(f"{name} is {printable(repr(value), 40)}; give {wanted}.")


def _array(annotation: Any) -> _Fit | None:  # noqa: ANN401 - jaxtyping's
    """Return the check of an annotated array of numbers."""
    shape, kinds = annotation.dim_str.split(), {str(kind)[:3] for kind in annotation.dtypes}
    if "..." in annotation.dim_str or not kinds & {"flo", "int"}:
        return None

    def fit(name: str, value: Any) -> Any:  # noqa: ANN401
        found = numbers(name, value, *shape)
        if "flo" in kinds:
            return found
        if (found != found.round()).any():
            raise InvalidInput(
                f"{name} holds {found[found != found.round()][0]}; give whole numbers."
            )
        return found.astype("int64")

    return fit


def _whole(name: str, value: Any) -> int:  # noqa: ANN401
    found = number(name, value)
    if not found.is_integer():
        raise InvalidInput(f"{name} is {value}; give a whole number.")
    return int(value)


def _float(name: str, value: Any) -> float:  # noqa: ANN401
    found = number(name, value)
    if found != found:  # noqa: PLR0124 - NaN
        raise InvalidInput(f"{name} is {value}; give a number.")
    return found


def _truth(name: str, value: Any) -> bool:  # noqa: ANN401
    shape = getattr(value, "shape", ())
    if shape or str(getattr(value, "dtype", type(value).__name__)) != "bool":
        raise InvalidInput(f"{name} is {printable(repr(value), 40)}; give True or False.")
    return bool(value)


def _text(name: str, value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is {printable(repr(value), 40)}; give a text.")
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(value, list | tuple | set) or not all(isinstance(v, str) for v in value):
        raise InvalidInput(f"{name} is {printable(repr(value), 40)}; give a list of names.")
    return tuple(value)


_NONE = type(None)
_ANYTHING = (Any, object, _NONE, inspect.Parameter.empty)
_PLAIN: dict[Any, _Fit] = {float: _float, int: _whole, bool: _truth, str: _text}
"""Checks of Python's own numbers, truth values and texts."""
