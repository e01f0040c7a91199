"""Every Ctrl-C ends the command, also one that falls into a destructor or a garbage collection.

Python prints an exception that is raised there, and goes on; JAX has such a place.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN_SECONDS = 0.05
"""Time after which an interrupt that was lost is raised again."""


@contextmanager
def every_interrupt() -> Iterator[None]:
    """Raise `KeyboardInterrupt` again, by an alarm, where Python would ignore it.

    SIGTERM counts as Ctrl-C.  For the main thread; everything is afterwards as it was.
    """
    before = sys.unraisablehook

    def hook(ignored: "UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            before(ignored)

    numbers = (signal.SIGTERM, signal.SIGALRM)
    handlers = [signal.signal(number, signal.default_int_handler) for number in numbers]
    sys.unraisablehook = hook
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = before
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
