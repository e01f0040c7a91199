"""What surrounds a command: streams, variables and the cache of compiled programs.

A command gives the same numbers and figures wherever it is started: settings that other programs
need (how strict JAX is, how matplotlib shows windows) do not reach it.
"""

import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path

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
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
"""Variables that are set unless they are already: what is worth keeping in the cache."""


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
