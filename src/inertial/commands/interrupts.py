"""Every Ctrl-C ends the command, also one that is raised where exceptions are lost.

In a destructor or a garbage collection Python prints it and goes on, and JAX has such a place;
compiled code may drop it without a word.
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
    """Raise `KeyboardInterrupt` on SIGINT and SIGTERM, and again where it was lost.

    SIGINT stays ignored if it was.  Outside the main thread, where no signal arrives, nothing
    happens; everything is afterwards as it was.
    """
    thread = threading.current_thread()
    if thread is not threading.main_thread():
        yield
        return
    hook, timers = sys.unraisablehook, []

    def again(seconds: float) -> None:
        timer = threading.Timer(seconds, signal.pthread_kill, (thread.ident, signal.SIGTERM))
        timer.daemon = True
        timers.append(timer)
        timer.start()

    def stop(_number: int, _frame: "FrameType | None") -> None:
        again(_LOST_SECONDS)
        raise KeyboardInterrupt

    def lost(ignored: "UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            again(_AGAIN_SECONDS)
        else:
            hook(ignored)

    handlers = {signal.SIGTERM: signal.signal(signal.SIGTERM, stop)}
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        handlers[signal.SIGINT] = signal.signal(signal.SIGINT, stop)
    sys.unraisablehook = lost
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)
