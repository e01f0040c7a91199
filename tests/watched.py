"""Run commands and print what they touch: ``python watched.py SCRIPT WORDS...``, each a JSON list.

The script is run after them, in the same process.

Python tells an audit hook of every file that is opened, every process and every connection before
it happens; libraries in C may open files of their own, such as fonts, without a word.
"""

import json
import os
import sys
from contextlib import suppress

seen = set()
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def place(path):
    """Return a path as an absolute one; a descriptor is none."""
    return os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes) else ""


def hook(event, arguments):
    """Note an event that touches something."""
    if event == "open":
        path, mode, flags = arguments
        writes = flags & WRITES if isinstance(flags, int) else "r" not in str(mode)
        seen.add(("write" if writes else "read", place(path)))
    elif event in {"os.rename", "os.link", "os.symlink"}:
        seen.update(("write", place(path)) for path in arguments[:2])
    elif event in {"os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.utime"}:
        seen.add(("write", place(arguments[0])))
    elif event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn")):
        seen.add((event, str(arguments)[:200]))


def main():
    """Watch each command."""
    from inertial.commands.environment import set_variables

    set_variables()
    from inertial.commands.main import main as command

    sys.addaudithook(hook)
    codes = []
    for words in sys.argv[2:]:
        code = 0
        try:
            command(json.loads(words))
        except SystemExit as stop:
            code = stop.code
        codes.append(code)
    exec(sys.argv[1], {})  # noqa: S102 - the test's own
    with suppress(ValueError):
        sys.stdout.flush()
    sys.stdout.write("\n" + json.dumps({"codes": codes, "seen": sorted(seen)}))


main()
