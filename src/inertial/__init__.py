"""The right step size and momentum for any model, and for wide networks the theory behind them.

Data, problem, measure, tuned method, run: the names in ``__init__.pyi`` are the whole public
interface, and each is imported when it is first used.  Functions stand behind `inertial._door`,
which refuses what does not fit their signatures.
"""

from importlib.metadata import version
from inspect import isclass
from typing import Any

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = version("inertial")


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    found = _load(name)
    if callable(found) and not isclass(found):
        from inertial._door import door

        found = door(found)
    globals()[name] = found
    return found
