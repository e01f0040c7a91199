"""How a sentence names an option: as it is written where the sentence is read.

A note or a refusal says what to do otherwise, and is made far below the command line.  Whatever
reads it, it names an option that exists there: ``--drop NAME`` in a terminal, ``drop=['NAME']`` in
Python.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_Value = str | bool | list[str] | None

_IN_TERMINAL = ContextVar("_IN_TERMINAL", default=False)


@contextmanager
def terminal() -> Iterator[None]:
    """Have options written as those of the command line."""
    before = _IN_TERMINAL.set(True)
    try:
        yield
    finally:
        _IN_TERMINAL.reset(before)


def option(name: str, value: _Value = None, *, flag: str = "") -> str:
    """Return an option as the reader writes it.

    Parameters
    ----------
    name
        The argument in Python.
    value
        What to give; None leaves that open.
    flag
        The option of the command line that does this, where it has another name.

    """
    if not _IN_TERMINAL.get():
        return f"{name}=" if value is None else f"{name}={value!r}"
    if value is None or isinstance(value, bool):
        return f"--no-{name}" if value is False and not flag else f"--{flag or name}"
    return f"--{flag or name} {shlex.join([value] if isinstance(value, str) else value)}"
