"""Commands that are killed or interrupted at a random moment.

``python -m tests.fuzz.stops kill --count 100`` ends each command that writes with SIGKILL, and
looks: every file there is whole, the same command then ends well, and leaves the same bits and
nothing else.  ``python -m tests.fuzz.stops interrupt --count 100`` sends SIGINT to the command and
its processes, as a terminal does: exit code 130, one sentence, nothing half-written, nobody left.
The moments come from a seed, between the package's first line and the end, which is followed as the
machine gets slower or faster; a command that ended before its moment is started again.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SMALL = ["--label", "y", "--n", "20", "--width", "30", "--steps", "20"]
TUNE = ["--label", "y", "--n", "20", "--trials", "0", "--spectrum", "spectrum.npz"]
COMMANDS = {
    "tune": ["tune", "own.csv", *TUNE],
    "compare": ["compare", "own.csv", *SMALL, "--rule", "paper", "--seeds", "1", "--out", "new"],
    "report": ["report", "run", "-o", "report.html"],
    "explore": ["explore", "own.csv", *SMALL, "--runs", "1", "-o", "explore.html"],
    "figures": ["figures", "done"],
    "study": ["study", "small.toml", "--out", "out"],
    "workers": ["study", "small.toml", "--out", "out", "--workers", "2"],
    "reproduce": ["reproduce", "liu2022-ode/fig1", "--out", "reproduced"],
}
STUDY = """name = "small"
data = [{ name = "own.csv", label = "y" }]
methods = ["gradient_descent", "nesterov"]
rules = ["paper"]
widths = [30]
seeds = [0, 1]
steps = 20
"""
SCRIPT = """import os, sys
if __name__ == "__main__":
    os.write(int(sys.argv.pop(1)), b".")
from inertial.commands.process import script
if __name__ == "__main__":
    sys.exit(script())
"""
"""What is installed as the command `inertial`, and says when Python itself has started."""

EARLIEST = 0.05
"""Seconds from there to the first moment."""

SHORTER, LONGER = 0.95, 1.01
"""What the last moment is multiplied by when a command was too fast for it, and when it was not."""

PATIENCE = 120
"""Seconds for a command to end after its signal."""

CHANGING = {"started", "wall_seconds", "cost", "seconds", "machine", "commit", "arrays_sha256"}
"""Entries of documents that say when and how fast."""


@dataclass(frozen=True)
class Place:
    """Where commands run: the files that they need, a folder to run in, and compiled programs."""

    base: Path
    here: Path
    cache: Path

    def start(self, words: list[str]) -> "subprocess.Popen[str]":
        """Start a command in a group of its own, and come back at the package's first line."""
        ready, tell = os.pipe()
        process = subprocess.Popen(
            [sys.executable, self.base.with_name("inertial"), str(tell), *words],
            cwd=self.here,
            env=os.environ | {"XDG_CACHE_HOME": str(self.cache), "TMPDIR": str(self.cache)},
            pass_fds=[tell],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        return process

    def fresh(self) -> None:
        """Put the files as they were at first."""
        shutil.rmtree(self.here, ignore_errors=True)
        shutil.copytree(self.base, self.here)

    def files(self) -> dict[str, str]:
        """Return what each file holds, as far as it does not say when and how fast."""
        paths = (path for path in sorted(self.here.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.here)): said(path) for path in paths}


def said(path: Path) -> str:
    """Return the hash of a file without what changes from run to run."""
    content = path.read_bytes()
    if path.suffix == ".json":
        content = json.dumps(still(json.loads(content)), sort_keys=True).encode()
    if path.suffix == ".html":
        content = re.sub(rb"\d+(\.\d+)?(e-?\d+)? (s|ms|min)\b", b"", content)
        content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:+]+", b"", content)
    return hashlib.sha256(content).hexdigest()


def still(document: object) -> object:
    """Return a document without its changing entries."""
    if isinstance(document, dict):
        return {key: still(value) for key, value in document.items() if key not in CHANGING}
    return [still(value) for value in document] if isinstance(document, list) else document


def prepare(folder: Path, name: str) -> tuple[Place, float, dict[str, str]]:
    """Make what a command needs, and run it twice: how long it takes, and what it leaves."""
    place = Place(folder / "base", folder / "here", folder / "cache")
    for one in (place.base, place.cache):
        one.mkdir(parents=True)
    place.base.with_name("inertial").write_text(SCRIPT)
    rng = random.Random(0)
    rows = [",".join(f"{rng.gauss(0, 1):.5f}" for _ in range(4)) for _ in range(30)]
    (place.base / "own.csv").write_text("\n".join(["a,b,c,y", *rows]))
    (place.base / "small.toml").write_text(STUDY)
    place.fresh()
    place.fresh()
    needs = {
        "report": [*COMMANDS["compare"][:-1], "run"],
        "figures": [*COMMANDS["study"][:-1], "done"],
    }
    if name in needs:
        finished(place.start(needs[name]))
    shutil.rmtree(place.base)
    shutil.copytree(place.here, place.base)
    seconds = 0.0
    for _ in range(2):  # the second time with compiled programs
        place.fresh()
        began = time.monotonic()
        finished(place.start(COMMANDS[name]))
        seconds = time.monotonic() - began
    return place, seconds, place.files()


def finished(process: "subprocess.Popen[str]") -> str:
    """Wait for a command that must end well."""
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{process.args} ended with {process.returncode}: {errors}")
    return errors


def group_ends(group: int) -> bool:
    """Whether all processes of a group are gone soon."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return False


def broken(there: dict[str, str], before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the names of files that are neither as before nor as at the end."""
    return [
        name
        for name, content in there.items()
        if name in after
        and content not in (before.get(name), after[name])
        and not name.endswith(".json")  # an index on its way: that it parses, `said` has shown
    ]


def killed(place: Place, name: str, moment: float, after: dict[str, str]) -> str | None:
    """Kill a command and repeat it; return what is wrong, or None."""
    place.fresh()
    before = place.files()
    process = place.start(COMMANDS[name])
    time.sleep(moment)
    if process.poll() is not None:
        process.communicate()
        return "too late"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if not group_ends(process.pid):
        return "processes are left"
    try:
        half = broken(place.files(), before, after)
    except ValueError as error:
        return f"a document is half-written: {error}"
    if half:
        return f"half-written: {half}"
    again = place.start(COMMANDS[name])
    _, errors = again.communicate()
    exists = name == "compare" and "exists already" in errors
    if again.returncode and not exists:
        return f"the repeat ended with {again.returncode}: {errors[-300:]}"
    found = place.files()
    left, other = sorted(set(found) ^ set(after)), [k for k in found if found[k] != after.get(k)]
    return f"left or lacking: {left}; other bits: {other}" if left or other else None


def interrupted(place: Place, name: str, moment: float, after: dict[str, str]) -> str | None:
    """Interrupt a command and its processes; return what is wrong, or None."""
    place.fresh()
    before = place.files()
    process = place.start(COMMANDS[name])
    time.sleep(moment)
    if process.poll() is not None:
        process.communicate()
        return "too late"
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "it went on"
    if process.returncode == 0:
        return "too late"
    lines = [line for line in errors.splitlines() if "stopped" in line]
    others = [line for line in errors.splitlines() if not line.startswith("inertial: ")]
    if process.returncode != 130 or len(lines) > 1 or others:
        return f"exit code {process.returncode}: {errors[-500:]!r}"
    if not group_ends(process.pid):
        return "processes are left"
    found = place.files()
    half = broken(found, before, after)
    partial = [path for path in found if path.endswith(".partial")]
    return f"half-written or left: {half + partial}" if half or partial else None


def stopped(folder: Path, how: str, name: str, count: int, seed: int) -> bool:
    """Stop a command so many times, say what happened, and return whether something was wrong."""
    stop = killed if how == "kill" else interrupted
    place, seconds, after = prepare(folder, name)
    rng, last = random.Random(f"{seed} {name}"), seconds
    counts, began = Counter(), time.monotonic()
    while counts["ended"] < count:
        moment = rng.uniform(EARLIEST, max(last, 2 * EARLIEST))
        wrong = stop(place, name, moment, after)
        if wrong == "too late":
            counts["too late"] += 1
            last *= SHORTER
            continue
        counts["ended"] += 1
        last *= LONGER
        if wrong:
            counts["wrong"] += 1
            print(f"{name}, {moment:.2f} of {last:.2f} s: {wrong}", flush=True)
    took = time.monotonic() - began
    print(
        f"{name}: {count} times within {seconds:.1f} s, {counts['wrong']} wrong, "
        f"{counts['too late']} too late, {took:.0f} s",
        flush=True,
    )
    return counts["wrong"] > 0


def main() -> None:
    """Stop each command a number of times."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.stops", description=__doc__)
    parser.add_argument("how", choices=["kill", "interrupt"])
    parser.add_argument("--count", type=int, default=100, help="times that each command is stopped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        wrong = pool.map(
            lambda name: stopped(
                Path(folder, name), options.how, name, options.count, options.seed
            ),
            options.only,
        )
        sys.exit(any(list(wrong)))


if __name__ == "__main__":
    main()
