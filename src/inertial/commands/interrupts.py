"""Every Ctrl-C ends the command, also one that is raised where exceptions are lost.

In a destructor or a garbage collection Python prints it and goes on, and JAX has such a place;
compiled code may drop it without a word.  And JAX's start leaves a timer of a minute behind if it
is interrupted, for which the process would wait.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType

_AGAIN_SECONDS = 0.05
"""Time after which an interrupt that Python has ignored is raised again."""

_LOST_SECONDS = 20.0
"""Time after which any is raised again, unless the command has ended: long enough to tidy up."""


@contextmanager
def every_interrupt() -> Iterator[None]:
    """Raise `KeyboardInterrupt` again, by an alarm, where it was lost.

    SIGTERM counts as Ctrl-C, which stays ignored if it was.  For the main thread; everything is
    afterwards as it was.
    """
    before, interrupted = sys.unraisablehook, False

    def stop(number: int, frame: "FrameType | None") -> None:
        nonlocal interrupted
        interrupted = True
        signal.setitimer(signal.ITIMER_REAL, _LOST_SECONDS)
        signal.default_int_handler(number, frame)

    def hook(ignored: "UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            before(ignored)

    numbers = [signal.SIGTERM, signal.SIGALRM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        numbers.append(signal.SIGINT)
    handlers = [signal.signal(number, stop) for number in numbers]
    sys.unraisablehook = hook
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if interrupted:
            for thread in threading.enumerate():
                if isinstance(thread, threading.Timer):
                    thread.cancel()
        sys.unraisablehook = before
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
