"""The command line as a process of its own: what the installed command `inertial` runs.

It imports next to nothing, so that an interrupt while a command is still being imported ends as any
other does.
"""

import gc
import os
import signal
import sys
from contextlib import suppress

_COLLECT_AFTER = 20_000
"""Objects made between two looks for unreachable cycles: imports make many that all stay."""


def script() -> None:
    """Run the command line.

    After an interrupt the process ends at once, without waiting for threads of other libraries,
    whose work may be in compiled code that does not survive the interpreter's end; first it lets go
    of what the interrupt left open, so that temporary files are removed.  An interrupt after the
    command has ended changes nothing any more.
    """
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    try:
        from inertial.commands.environment import open_streams, set_variables

        open_streams()
        set_variables()
        from inertial.commands.main import main

        main()
    except KeyboardInterrupt:
        os._exit(130)
    except SystemExit as stop:
        if stop.code == 130:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _let_go(stop)
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            os._exit(130)
        raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _let_go(error: BaseException | None) -> None:
    """Clear the frames that an error left, whose open files and folders then end in order."""
    from traceback import clear_frames

    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__context__
