"""The type checker of the tests: beartype that remembers what it has found right.

Inner loops ask one question many thousand times.  An answer is kept only where the types, shapes
and dtypes of arguments and result decide it, and only "right" is kept.
"""

from functools import wraps

import jax
import numpy as np
from beartype import BeartypeConf, beartype

_LONGEST = 100
"""Length above which a text or a tuple is checked each time instead of remembered."""

_sorts = {}


class _UnknownError(Exception):
    """What an annotation says of a value is not decided by what we can remember of it."""


def _sort(kind):
    """Return by what values of a type are told apart."""
    if issubclass(kind, (np.ndarray, np.generic, jax.Array)):
        return "array"
    if kind in (bool, int, str):
        return "value"  # for Literal
    if kind is tuple:
        return "tuple"
    opaque = kind is type or hasattr(kind, "__len__") or hasattr(kind, "shape")
    return "opaque" if opaque else "type"


def _kind(value):
    """Return all that an annotation can ask of a value."""
    kind = type(value)
    sort = _sorts.get(kind)
    if sort is None:
        sort = _sorts[kind] = _sort(kind)
    if sort == "array":
        return kind, value.shape, value.dtype
    if sort == "type":
        return kind
    if sort == "value" and (kind is not str or len(value) <= _LONGEST):
        return kind, value
    if sort == "tuple" and len(value) <= _LONGEST:
        # beartype draws one item where there may be any number: all must be of one kind.
        items = {_kind(item) for item in value}
        if len(items) <= 1:
            return kind, len(value), *items
    raise _UnknownError


def check(function):
    """Check arguments and result as beartype does, once for each combination of kinds."""
    checked = beartype(conf=BeartypeConf(is_pep484_tower=True))(function)
    right = set()

    @wraps(function)
    def remembered(*arguments, **named):
        try:
            key = (*map(_kind, arguments), *named, *map(_kind, named.values()))
        except _UnknownError:
            checked(*arguments, **named)
            return
        if key not in right:
            checked(*arguments, **named)
            right.add(key)

    return remembered
