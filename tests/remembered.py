"""The type checker of the tests: beartype that remembers what it has found right.

Inner loops ask one question many thousand times.  An answer is kept only where the types, shapes
and dtypes of arguments and result decide it, and only "right" is kept.
"""

from functools import wraps

import jax
import numpy as np
from beartype import BeartypeConf, beartype

_ARRAYS = (np.ndarray, np.generic, jax.Array)
_VALUES = (bool, int, str)
_LONGEST = 100
"""Length above which a text is checked each time instead of remembered."""


class _UnknownError(Exception):
    """What an annotation says of a value is not decided by what we can remember of it."""


def _kind(value):
    """Return all that an annotation can ask of a value: values are asked of by ``Literal``."""
    kind = type(value)
    if isinstance(value, _ARRAYS):
        return kind, value.shape, value.dtype
    if kind in _VALUES and (kind is not str or len(value) <= _LONGEST):
        return kind, value
    if kind is type or hasattr(kind, "__len__") or hasattr(kind, "shape"):
        raise _UnknownError
    return kind


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
