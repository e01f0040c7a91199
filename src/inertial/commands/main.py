"""The command line: which commands there are, and how each ends.

Tables and JSON go to standard output; progress, notes and warnings to standard error.  Exit codes:
0, 2 for a mistake in what was passed in, 1 for a failing disk or a failed run of a study, 130 after
Ctrl-C or SIGTERM, 141 for a pipe that was closed.  Heavy imports wait until a command runs.
"""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import reduce
from operator import getitem

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from inertial import __version__
from inertial._checks import InvalidInput, LostProcessError, Notice, listed, printable
from inertial._surface import terminal
from inertial.commands import data
from inertial.commands.audit import audit
from inertial.commands.compare import compare
from inertial.commands.doctor import doctor
from inertial.commands.environment import every_interrupt
from inertial.commands.explore import explore
from inertial.commands.figures import figures
from inertial.commands.plan import plan
from inertial.commands.report import report
from inertial.commands.reproduce import reproduce
from inertial.commands.study import study
from inertial.commands.terminal import console, say
from inertial.commands.tune import tune

app = App(
    name="inertial",
    help="Momentum on wide neural networks: tune it, train with it, and set the exact forecast of "
    "the linearised network beside the truth.",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
COMMANDS = (tune, compare, explore, report, audit, study, plan, reproduce, figures, doctor)
for command in COMMANDS:
    app.command(command)
app.command(data.app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake ends with one sentence and exit code 2."""
    with warnings.catch_warnings(), terminal():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", Notice)
        warnings.showwarning = _once()
        try:
            _refuse_zeros(sys.argv[1:] if arguments is None else arguments)
            with every_interrupt():
                app(arguments, exit_on_error=False, print_error=False, console=console())
                sys.stdout.flush()
        except (InvalidInput, CycloptsError) as error:
            say("error", _sentence(error, sys.argv if arguments is None else arguments))
            _leave(2)
        except LostProcessError as error:
            say("error", str(error))
            _leave(1)
        except MemoryError:
            say("error", "there is not enough memory for this; take fewer rows, neurons or steps.")
            sys.exit(2)
        except (RuntimeError, AssertionError):
            if "JAX_PLATFORMS" not in os.environ or _jax_starts():
                raise
            say(
                "error",
                f"JAX_PLATFORMS is {os.environ['JAX_PLATFORMS']!r}, which JAX cannot use on this "
                "machine; unset it, or set it to cpu.",
            )
            sys.exit(2)
        except BrokenPipeError:
            _close_output()
            sys.exit(141)
        except OSError as error:
            _close_output()
            say("error", f"{error.strerror or error}: {error.filename or 'a file'}; check it.")
            sys.exit(1)
        except KeyboardInterrupt:
            say("note", "stopped; nothing was left half-written.")
            sys.exit(130)


def _once() -> Callable[..., None]:
    """Return what prints warnings: each sentence once, though every start of a model may say it."""
    said: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in said:
            said.add(str(message))
            say("warning", str(message))

    return show


_ELSEWHERE = {
    "--lr": "--eta",
    "--learning-rate": "--eta",
    "--step-size": "--eta",
    "--momentum": "--beta",
    "--epochs": "--steps",
    "--iterations": "--steps",
    "--batch-size": "--batch",
    "--weight-decay": "--decay",
    "--neurons": "--width",
    "--optimizer": "--methods",
    "--method": "--methods",
    "--seed": "--seeds",
    "--output": "--out",
    "--target-column": "--label",
}
"""What other tools call our options."""


def _sentence(error: Exception, arguments: list[str]) -> str:
    """Say what was wrong, with a hint where the parser has none or a wrong one."""
    if isinstance(error, UnknownOptionError):
        return _renamed(error) or _elsewhere(error) or str(error)
    if isinstance(error, CoercionError) and error.token is not None:
        wrong = f"{error.token.keyword or 'a number'} is {printable(error.token.value)!r}"
        if error.target_type is float or error.msg is not None:
            return f"{wrong}; give a {'' if error.msg is None else 'whole '}number."
    if isinstance(error, UnusedCliTokensError):
        return _one_too_many(error)
    if isinstance(error, MissingArgumentError) and "--methods" in arguments:
        return f"{error} --methods takes every word up to the next option: put DATA before it."
    return str(error)


def _elsewhere(error: UnknownOptionError) -> str | None:
    """Name the commands that have an option which is unknown here, if there are any."""
    word = (error.token.keyword or error.token.value).split("=", 1)[0]
    names = [command.__name__ for command in COMMANDS]
    having = [f"inertial {name}" for name in names if word in _options(name)]
    return f"Unknown option: {word}; it is one of {listed(having)}." if having else None


def _options(*command: str) -> set[str]:
    """Return the names of a command's options."""
    options = reduce(getitem, command, app).assemble_argument_collection()
    return {name for option in options if option.parse for name in option.names}


def _one_too_many(error: UnusedCliTokensError) -> str:
    """Name the first word that no option takes, and `--label` where it may be meant."""
    word = printable((error.unused_tokens or [""])[0])
    command = error.command_chain or ()
    labelled = "--label" in _options(*command)
    label = f", or write --label {word} for a target column" if labelled else ""
    return f"{word!r} is a word too many for {' '.join(command)}; leave it out{label}."


def _renamed(error: UnknownOptionError) -> str | None:
    """Name the option that other tools call by a name which is unknown here, if it exists."""
    word = (error.token.keyword or error.token.value).split("=", 1)[0]
    if word not in _ELSEWHERE:
        return None
    known = {name for option in error.argument_collection if option.parse for name in option.names}
    hint = f" Did you mean {_ELSEWHERE[word]}?" if _ELSEWHERE[word] in known else ""
    return f"Unknown option: {word}.{hint}"


def _leave(code: int) -> None:
    """End; one of several processes at once, for the others cannot be waited for any more."""
    jax = sys.modules.get("jax")
    if jax is not None and jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _refuse_zeros(arguments: list[str]) -> None:
    for word in arguments:
        if "\0" in word:
            raise InvalidInput(f"{printable(word)!r} holds a zero character; leave it out.")


def _jax_starts() -> bool:
    """Whether JAX finds a device on the platforms that it was told to use."""
    import jax

    try:
        return bool(jax.devices())
    except (RuntimeError, AssertionError):
        return False


def _close_output() -> None:
    """Send what standard output still holds to nowhere: it cannot be written."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
