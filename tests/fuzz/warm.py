"""A process with everything imported, which forks itself for each command that is to be stopped.

The standard library's fork server imports this module; see `fuzz.stops`.  JAX has no threads until
it is used, so that a fork is sound.
"""

import importlib
import os
import pkgutil
import signal
import sys
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import inertial
from inertial.commands.environment import set_variables

_WRITING = {
    "open",
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
}
"""Events of Python that change a folder, or may."""

WARM = "INERTIAL_FUZZ_WARM"
"""Variable that the fork server has in its environment."""


def warm() -> None:
    """Import what commands import."""
    set_variables()
    for module in pkgutil.walk_packages(inertial.__path__, "inertial."):
        if module.name != "inertial.torch":
            importlib.import_module(module.name)
    for name in ("h5netcdf", "matplotlib.backends.backend_agg", "msgspec", "optax", "pandas"):
        importlib.import_module(name)
    warnings.filterwarnings("ignore", message=".*fork.*", category=RuntimeWarning)


class Plan(NamedTuple):
    """Which change of its folder a command is stopped before, from 1 (0 for none), and how.

    By the signal `number`, or, if it is not 0, by its end `wait` seconds later.
    """

    event: int
    number: int
    wait: float


def command(words: list[str], here: Path, said: Path, tell: Connection, plan: Plan) -> None:
    """Run a command in this process, and stop it before or after a change of its folder.

    Parameters
    ----------
    words, here
        The command and the folder that it runs in.
    said
        File for its standard error.
    tell
        Gets a byte at the start and another before each change of `here`.
    plan
        When.

    """
    from inertial.commands.process import script

    os.setsid()
    os.chdir(here)
    errors = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = ["inertial", *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def stop() -> None:
        if plan.wait:
            signal.setitimer(signal.ITIMER_REAL, plan.wait)
        else:
            os.killpg(0, plan.number)

    sys.addaudithook(changes(here, tell, plan.event, stop))
    os.write(tell.fileno(), b".")
    script()


def changes(
    here: Path, tell: Connection, event: int, stop: Callable[[], None]
) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that counts the changes of a folder, and calls `stop` before one."""
    count, root = 0, str(here)

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if name not in _WRITING or not isinstance(arguments[0], str | os.PathLike):
            return
        if name == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if not os.path.abspath(arguments[0]).startswith(root):  # noqa: PTH100 - no link followed
            return
        count += 1
        os.write(tell.fileno(), b".")
        if count == event:
            stop()

    return hook


if WARM in os.environ:
    warm()
