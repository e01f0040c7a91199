"""What surrounds a command: streams, variables, the cache of compiled programs, and interrupts.

A command gives the same numbers and figures wherever it is started: settings that other programs
need (how strict JAX is, how matplotlib shows windows) do not reach it.

Every Ctrl-C ends the command, also one that is raised where exceptions are lost: in a destructor or
a garbage collection Python prints it and goes on, and JAX has such a place; compiled code may drop
it without a word.  One that comes while a compiled module is being loaded is raised after that, for
such a module may end the process instead.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType


_OTHERS = (
    "JAX_DEBUG_INFS",
    "JAX_DEBUG_NANS",
    "JAX_DISABLE_JIT",
    "JAX_ENABLE_CHECKS",
    "JAX_ENABLE_X64",
    "JAX_NUMPY_DTYPE_PROMOTION",
    "JAX_NUMPY_RANK_PROMOTION",
    "JAX_TRANSFER_GUARD",
    "MATPLOTLIBRC",
)
"""Variables that would change or break results; they are meant for a reader's own programs."""

_DEFAULTS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.02",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
"""Variables that are set unless they are already: what is worth keeping in the cache."""

_AGAIN_SECONDS = 0.05
"""Time after which an interrupt that Python has ignored is raised again."""

_LOST_SECONDS = 20.0
"""Time after which any is raised again, unless the command has ended: long enough to tidy up."""


def open_streams() -> None:
    """Give the process all three standard streams, and let every name be printed.

    A stream that the caller closed is open on the null device, so that no file of ours gets its
    number; characters that an encoding lacks are written as escapes.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115 - a descriptor, for as long as the process lives
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def set_variables() -> None:
    """Set what the libraries read from the environment, before they are imported.

    JAX keeps compiled programs in the user's cache folder, unless its variables say otherwise: the
    second time a command starts faster.  Where that folder cannot be written, nothing is kept.
    What libraries note for their developers below an error is not shown.
    """
    for name in _OTHERS:
        os.environ.pop(name, None)
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger().setLevel(logging.ERROR)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ and (folder := _cache()):
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)


def _cache() -> Path | None:
    """Return the folder for compiled programs, or None if it cannot be made or written."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no error without a home
    folder = Path(root) / "inertial" / "compiled"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError):
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


@contextmanager
def every_interrupt() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on SIGINT and SIGTERM, and again where it was lost.

    An error that a library raises while it cleans up after the interrupt does not hide it.  SIGINT
    stays ignored if it was.  Outside the main thread, where no signal arrives, nothing
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

    def stop(_number: int, frame: "FrameType | None") -> None:
        if _loads(frame):
            again(_AGAIN_SECONDS)
            return
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
        with _not_hidden():
            yield
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _not_hidden() -> Iterator[None]:
    """Raise the interrupt in place of an error that came up while it was on its way."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            cause = cause.__context__
        raise


def _loads(frame: "FrameType | None") -> bool:
    """Whether a compiled module is being loaded in this frame or a caller of it.

    Types alone are looked at: to ask an object, as `isinstance` does, may run code of its own.
    """
    while frame is not None:
        if issubclass(type(frame.f_locals.get("self")), ExtensionFileLoader):
            return True
        frame = frame.f_back
    return False
