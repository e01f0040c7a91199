"""Checks of what a user passes in, made once at the edge.

Each check returns its value or raises `InvalidInput` with one sentence that says what is wrong,
where, and what to do.  The command line turns that exception into exit code 2.
"""

import dataclasses
import difflib
import importlib
import math
import re
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np

_Choice = TypeVar("_Choice", bound=str)
_Kind = TypeVar("_Kind")


_STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Characters that no printed text holds."""

_IN_FULL = 1e9
"""Numbers are written without an exponent up to here."""


def plain(text: str) -> str:
    r"""Return text with every character that steers a terminal written out, such as ``\x1b``.

    These are control characters other than tabulator and line feed, the marks that reverse the
    direction of writing, separators of lines, tags, and halves of characters (bytes of a file name
    that are no UTF-8).
    """
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def printable(text: object, most: int | None = 60) -> str:
    """Return `text` on one line, cut to `most` characters, with nothing a terminal would obey."""
    line = " ".join(str(text).split())
    if most is not None and len(line) > most:
        line = line[: most - 3] + "..."
    return plain(line)


def significant(value: float, digits: int = 3) -> str:
    """Return a number with that many digits that count: 360 and 1,300, not 3.6e+02 and 1.3e+03."""
    text = f"{value:.{digits}g}"
    rounded = float(text)
    return f"{rounded:,.0f}" if "e+" in text and abs(rounded) < _IN_FULL else text


def below_one(momentum: float, digits: int = 4) -> str:
    """Return a momentum with that many digits, and more where two of ``1 - momentum`` need them.

    Near 1 it is this difference that decides: 0.9999985, not 1.
    """
    if 0 < momentum < 1:
        digits = max(digits, 1 - math.floor(math.log10(1 - momentum)))
    return f"{momentum:.{digits}g}"


def needed(module: str, extra: str) -> ModuleType:
    """Return a library that is installed with the extra of that name.

    Raises
    ------
    InvalidInput
        If it is not installed, with the command that installs it.

    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InvalidInput(
            f"{module} is not installed; add it with: pip install 'inertial[{extra}]'."
        ) from None


def listed(names: Iterable[object], most: int = 20) -> str:
    """Return names with commas between them, fit to be printed; long lists are cut."""
    known = [printable(name, 40) for name in names]
    more = f", ... ({len(known)} in all)" if len(known) > most else ""
    return ", ".join(known[:most]) + more


class InvalidInput(ValueError):  # noqa: N818 - reads as what it is: the input, not our code
    """A mistake in what was passed in; the message is one sentence with the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, most=None))


class LostProcessError(RuntimeError):
    """Another process of the same run has ended or cannot be reached; the message is a sentence."""


class Notice(UserWarning):
    """A warning of this package: one sentence on what the user may want to change."""


def number(name: str, value: Any) -> float:  # noqa: ANN401 - whatever can be converted
    """Return `value` as a plain number, if it is one: no text, no truth value, no array."""
    found = math.nan
    known = not (
        isinstance(value, str | bytes) or _is_truth(value) or bool(getattr(value, "shape", ()))
    )
    if known:
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError):
            known = False
    if not known:
        raise InvalidInput(f"{name} is {printable(repr(value))}; give a number.")
    return found


def _is_truth(value: object) -> bool:
    """Whether a value is True or False, of Python or of an array library."""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool"


def positive(name: str, value: float) -> float:
    """Return `value` if it is finite and greater than zero."""
    found = number(name, value)
    if not (math.isfinite(found) and found > 0):
        raise InvalidInput(f"{name} is {value}; give a finite number greater than 0.")
    return value


def nonnegative(name: str, value: float) -> float:
    """Return `value` if it is finite and at least zero."""
    found = number(name, value)
    if not (math.isfinite(found) and found >= 0):
        raise InvalidInput(f"{name} is {value}; give a finite number of at least 0.")
    return found


def unit_interval(name: str, value: float) -> float:
    """Return `value` if it lies in [0, 1)."""
    if not 0 <= number(name, value) < 1:
        raise InvalidInput(f"{name} is {value}; give a number of at least 0 and below 1.")
    return value


SEEDS = 2**32
"""Number of different seeds that the random generator tells apart."""


def whole(name: str, value: int, *, least: int = 1, below: int | None = None) -> int:
    """Return `value` if it is a whole number of at least `least`, and below `below`."""
    found = number(name, value)
    if not math.isfinite(found) or int(value) != value or value < least:
        raise InvalidInput(f"{name} is {value}; give a whole number of at least {least}.")
    if below is not None and value >= below:
        raise InvalidInput(f"{name} is {value}; give a whole number below {below}.")
    return int(value)


def _comparable(names: list[_Choice]) -> list[_Choice]:
    """Return the names that comparing letter by letter takes no long time for."""
    return [name for name in names if len(name) <= 100][:1000]


def one_of(name: str, value: str, choices: Iterable[_Choice]) -> _Choice:
    """Return the one of `choices` that equals `value`; name the nearest one otherwise."""
    known = list(choices)
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is {printable(repr(value))}; choose one of {listed(known)}.")
    if value not in known:
        close = difflib.get_close_matches(value[:100], _comparable(known), n=1)
        within = [one for one in known if value and value.lower() in one.lower()]
        near = [str(one) for one in (*close, *within)]
        hint = f"did you mean {printable(near[0])!r}? " if near else ""
        raise InvalidInput(f"{name} is {printable(value)!r}; {hint}choose one of {listed(known)}.")
    return known[known.index(value)]


def fraction(name: str, value: float) -> float:
    """Return `value` if it lies strictly between 0 and 1."""
    if not 0 < number(name, value) < 1:
        raise InvalidInput(f"{name} is {value}; give a number between 0 and 1.")
    return value


def measurable(value: float, precision: str, instead: str) -> float:
    """Return a target, a share of the loss at the start, if training in that precision can show it.

    A residual of outputs as large as their targets is rounded to a share u of them, the unit
    roundoff, and its loss to a share u^2.  `instead` is what to do besides taking a larger one.
    """
    least = {"float32": 2.0**-48, "float64": 2.0**-106}[precision]
    if fraction("target", value) < least:
        raise InvalidInput(
            f"target is {value:g}, and a loss in {precision} is not seen below {least:.1e} of its "
            f"start; give a larger one, or {instead}."
        )
    return value


def instance(name: str, value: object, kind: type[_Kind], remedy: str) -> _Kind:
    """Return `value` if it is of that kind; `remedy` says where such a thing comes from."""
    if not isinstance(value, kind):
        raise InvalidInput(
            f"{name} is {printable(repr(value), 40)} and not a {kind.__name__}; {remedy}."
        )
    return value


def random_key(value: Any) -> None:  # noqa: ANN401 - whatever may be a key
    """Refuse what JAX draws nothing from; one key of `jax.random.key` or `PRNGKey` will do."""
    import jax

    try:
        jax.random.fold_in(value, 0)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"key is {printable(repr(value), 40)} and not one key of JAX; give jax.random.key(0), "
            "or another seed in place of 0."
        ) from None


def numbers(
    name: str,
    value: Any,  # noqa: ANN401 - whatever turns into an array
    *shape: str,
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return `value` as a finite float64 array with one dimension for each letter of `shape`.

    Lists, frames, series and arrays of other libraries will do.
    """
    import numpy as np

    words = f"({', '.join(shape)}{',' if len(shape) == 1 else ''})"
    try:
        array = np.asarray(value)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        array = np.empty((), dtype=np.str_)
    kind = getattr(getattr(value, "dtype", None), "kind", "O")
    if kind not in "iufO":
        raise InvalidInput(f"{name} holds {value.dtype}; give real numbers of shape {words}.")
    if array.dtype.kind not in "iuf" or array.ndim != len(shape):
        found = getattr(value, "shape", None)
        raise InvalidInput(
            f"{name} is a {type(value).__name__}"
            f"{'' if found is None else f' of shape {tuple(found)}'}; give real numbers of shape "
            f"{words}."
        )
    if not np.isfinite(array).all():
        raise InvalidInput(f"{name} holds NaN or infinite numbers; give finite ones.")
    return array.astype(np.float64, copy=False)


def brief(result: Any) -> str:  # noqa: ANN401 - any dataclass
    """Return a dataclass on one line, with the shapes of its arrays instead of their numbers."""
    fields = {one.name: getattr(result, one.name) for one in dataclasses.fields(result)}
    parts = [f"{name}={_short(value)}" for name, value in fields.items() if value is not None]
    return f"{type(result).__name__}({', '.join(parts)})"


def _short(value: object) -> str:
    shape = getattr(value, "shape", ())
    if shape:
        return f"<{' x '.join(map(str, shape))}>"
    if isinstance(value, tuple | list | dict) and len(value) > 3:
        return f"<{len(value)} entries>"
    sizes = getattr(value, "sizes", None)
    if isinstance(sizes, Mapping):
        return f"<{', '.join(f'{name}: {size}' for name, size in sizes.items())}>"
    text = printable(repr(value), most=None)
    return text if len(text) <= 80 else f"<{type(value).__name__}>"
