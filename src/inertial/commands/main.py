"""The command line: which commands there are, and how each ends.

Tables and JSON go to standard output; progress, notes and warnings to standard error.  Exit codes:
0, 2 for a mistake in what was passed in, 1 for a failing disk or a failed run of a study, 130 after
Ctrl-C or SIGTERM, 141 for a pipe that was closed.  Heavy imports wait until a command runs.
"""

import os
import sys
import warnings

from cyclopts import App, CycloptsError, MissingArgumentError

from inertial import __version__
from inertial._checks import InvalidInput
from inertial.commands import data
from inertial.commands.audit import audit
from inertial.commands.compare import compare
from inertial.commands.doctor import doctor
from inertial.commands.explore import explore
from inertial.commands.figures import figures
from inertial.commands.interrupts import every_interrupt
from inertial.commands.plan import plan
from inertial.commands.report import report
from inertial.commands.reproduce import reproduce
from inertial.commands.study import study
from inertial.commands.terminal import say
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
for command in (tune, compare, explore, report, audit, study, plan, reproduce, figures, doctor):
    app.command(command)
app.command(data.app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake ends with one sentence and exit code 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: say("warning", str(message))
        try:
            with every_interrupt():
                app(arguments, exit_on_error=False, print_error=False)
        except (InvalidInput, CycloptsError) as error:
            hint = ""
            if isinstance(error, MissingArgumentError) and "--methods" in (arguments or sys.argv):
                hint = " --methods takes every word up to the next option: put DATA before it."
            say("error", " ".join(str(error).split()) + hint)
            sys.exit(2)
        except MemoryError:
            say("error", "there is not enough memory for this; take fewer rows, neurons or steps.")
            sys.exit(2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except OSError as error:
            say("error", f"{error.strerror or error}: {error.filename or 'a file'}; see to it.")
            sys.exit(1)
        except KeyboardInterrupt:
            say("note", "stopped; nothing was left half-written.")
            sys.exit(130)


if __name__ == "__main__":
    main()
