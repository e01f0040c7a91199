"""Commands that are killed or interrupted at a random moment.

``python -m tests.fuzz.stops kill --count 100`` ends each command that writes with SIGKILL, and
looks: every file there is whole, the same command then ends well, and leaves the same bits and
nothing else.  It is killed up to `IN_A_ROW` times in one folder before it may end.
``python -m tests.fuzz.stops interrupt --count 100`` sends SIGINT to the command and its processes,
as a terminal does: exit code 130, one sentence, nothing half-written, nobody left.

Half of the moments come from the whole duration, the other half are changes of the folder: just
before a file is opened, renamed or removed, or up to `AFTER` seconds later.  All come from a seed.
Most commands are forked from a process that has everything imported, with the first change of the
folder soon; one of `REAL` is started as the shell starts it, imports included.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import warm

SMALL = ["--label", "y", "--n", "12", "--width", "9", "--steps", "5", "--rule", "paper"]
MODEL = ["--label", "y", "--n", "12", "--steps", "5", "--model", "mlp:4"]
COMPARE = ["--seeds", "1", "--out", "new", "--csv", "runs.csv"]
STUDY = ["study", "small.toml", "--csv", "runs.csv", "--out"]
COMMANDS = {
    "workers": [*STUDY, "out", "--workers", "2"],
    "reproduce": ["reproduce", "liu2022-ode/fig1", "--out", "reproduced"],
    "study": [*STUDY, "out"],
    "figures": ["figures", "done"],
    "report": ["report", "run", "-o", "report.html", "--csv", "runs.csv"],
    "measured": ["report", "run", "--measure", "-o", "report.html"],
    "explore": ["explore", "own.csv", *SMALL[:-2], "--runs", "1", "-o", "explore.html"],
    "explore of a model": ["explore", "own.csv", *MODEL, "--trials", "0", "-o", "explore.html"],
    "compare": ["compare", "own.csv", *SMALL, *COMPARE, "--checkpoint", "kept"],
    "compare of a model": [
        *("compare", "own.csv", *MODEL, *COMPARE, "--eta", "0.01"),
        *("--methods", "gradient_descent"),
    ],
    "tune": ["tune", "own.csv", *SMALL[:4], "--trials", "0", "--spectrum", "spectrum.npy"],
}
"""Every command that writes a file, with each of its options that does."""

NEEDS = {
    "report": (["compare", "own.csv", *SMALL, "--seeds", "1", "--out", "run"]),
    "measured": (["compare", "own.csv", *SMALL, "--seeds", "1", "--out", "run"]),
    "figures": [*STUDY, "done"],
}
"""What is run beforehand."""

CONFIG = """name = "small"
data = [{ name = "own.csv", label = "y" }]
methods = ["gradient_descent", "nesterov"]
rules = ["paper"]
widths = [9]
seeds = [0]
steps = 5
"""
SCRIPT = """import os, sys
from inertial.commands.process import script
if __name__ == "__main__":
    os.write(int(sys.argv.pop(1)), b".")
    sys.exit(script())
"""
"""What is installed as the command `inertial`, and says when it has that function."""

EARLIEST = 0.01
"""Seconds from there to the first moment of a command that is started as the shell does."""

AFTER = 0.003
"""Longest time from a change of the folder to the kill, in seconds: while the file is written."""

REAL = {"kill": 20, "interrupt": 5}
"""One of so many is started as the shell starts it."""

ALWAYS_REAL = {"workers"}
"""Commands that start processes themselves, from their own main module."""

IN_A_ROW = 5
"""Kills before the repeat."""

_KILLED = {-signal.SIGKILL, -signal.SIGALRM}

PROGRESS = 60
"""Seconds between two lines about a command."""

PATIENCE = 120
"""Seconds for a command to end after its signal."""

CHANGING = {"started", "wall_seconds", "cost", "seconds", "machine", "commit", "arrays_sha256"}
"""Entries of documents that say when and how fast."""


@dataclass(frozen=True)
class Moment:
    """When a command is stopped: at a time, or before a change of its folder and a little later."""

    seconds: float | None = None
    event: int = 0
    wait: float = 0.0
    real: bool = False

    def __str__(self) -> str:
        kind = "as the shell starts it, " if self.real else ""
        if self.seconds is not None:
            return f"{kind}at {self.seconds:.3f} s"
        return f"{kind}{1e3 * self.wait:.1f} ms after change {self.event}"


NEVER, NEVER_REAL = Moment(), Moment(real=True)
FORKS = multiprocessing.get_context("forkserver")


@dataclass
class Running:
    """A command that was started: in a fork, or in a process of its own."""

    process: "multiprocessing.process.BaseProcess | subprocess.Popen[bytes]"
    ready: int
    said: Path

    @property
    def pid(self) -> int:
        """Its process, which leads its group."""
        return self.process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit code, None if it still runs after so many seconds."""
        if isinstance(self.process, subprocess.Popen):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
            return self.process.returncode
        self.process.join(seconds)
        return self.process.exitcode

    def errors(self) -> str:
        """Return what it said on standard error."""
        return self.said.read_text(errors="replace")

    def changes(self) -> int:
        """Return how often it changed its folder, at most; once, when it has ended."""
        os.set_blocking(self.ready, False)
        with suppress(BlockingIOError):
            return len(os.read(self.ready, 2**16))
        return 0


@dataclass(frozen=True)
class Place:
    """Where a command runs: the files that it needs, a folder to run in, and its words."""

    base: Path
    here: Path
    words: list[str]

    def start(self, moment: Moment = NEVER, number: int = signal.SIGKILL) -> Running:
        """Start the command in a group of its own, and come back at the package's first line."""
        said = self.base.with_name("said")
        if moment.real:
            ready, tell = os.pipe()
            with said.open("wb") as errors:
                process = subprocess.Popen(
                    [sys.executable, self.base.with_name("inertial"), str(tell), *self.words],
                    cwd=self.here, pass_fds=[tell], stdout=subprocess.DEVNULL, stderr=errors,
                    start_new_session=True,
                )  # fmt: skip
            os.close(tell)
        else:
            ours, there = FORKS.Pipe(duplex=False)
            process = FORKS.Process(
                target=warm.command,
                args=(
                    *(self.words, self.here, said, there),
                    warm.Plan(moment.event, number, moment.wait),
                ),
            )
            process.start()
            there.close()
            ready = os.dup(ours.fileno())
            ours.close()
        os.read(ready, 1)
        return Running(process, ready, said)

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


@dataclass(frozen=True)
class Known:
    """What a command does if nobody stops it, twice: as the shell starts it, and in a fork."""

    files: dict[str, str]
    real: float
    forked: float
    changes: int

    def shorter(self, moment: Moment, seconds: float) -> "Known":
        """Return this for a command that ended within so many seconds, before its moment."""
        if moment.real:
            return replace(self, real=min(self.real, seconds))
        return replace(self, forked=min(self.forked, seconds))

    def moment(self, rng: random.Random, how: str, name: str) -> Moment:
        """Choose a moment."""
        if name in ALWAYS_REAL or rng.random() < 1 / REAL[how]:
            return Moment(rng.uniform(EARLIEST, self.real), real=True)
        if rng.random() < 0.5:
            return Moment(rng.uniform(0, self.forked))
        wait = rng.uniform(0, AFTER) if how == "kill" and rng.random() < 0.5 else 0.0
        return Moment(None, rng.randint(1, self.changes), wait)


def prepare(folder: Path, name: str) -> tuple[Place, Known]:
    """Make what a command needs, and look at how long it takes and what it leaves."""
    place = Place(folder / "base", folder / "here", COMMANDS[name])
    place.base.mkdir(parents=True)
    place.base.with_name("inertial").write_text(SCRIPT)
    rng = random.Random(0)
    rows = [",".join(f"{rng.gauss(0, 1):.5f}" for _ in range(4)) for _ in range(30)]
    (place.base / "own.csv").write_text("\n".join(["a,b,c,y", *rows]))
    (place.base / "small.toml").write_text(CONFIG)
    place.fresh()
    if name in NEEDS:
        whole(Place(place.base, place.here, NEEDS[name]), NEVER)
    shutil.rmtree(place.base)
    shutil.copytree(place.here, place.base)
    moments = [NEVER_REAL, NEVER_REAL]  # the second time with compiled programs
    if name not in ALWAYS_REAL:
        moments.append(NEVER)
    seconds, changes, files = [], 0, []
    for moment in moments:
        place.fresh()
        began = time.monotonic()
        changes = whole(place, moment)
        seconds.append(time.monotonic() - began)
        files.append(place.files())
    if files[0] != files[-1]:
        raise SystemExit(f"{name}: other bits the second time")
    return place, Known(files[0], seconds[1], seconds[-1], changes)


def whole(place: Place, moment: Moment) -> int:
    """Run a command, which must end well; return how often it changed its folder."""
    running = place.start(moment)
    if running.wait():
        raise SystemExit(f"{place.words} failed: {running.errors()}")
    return running.changes()


def group_ends(group: int) -> bool:
    """Whether all processes of a group are gone soon."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
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


def stop(running: Running, moment: Moment, number: int) -> int | None:
    """Send a signal at its moment; return the exit code, None if the command went on."""
    if moment.seconds is not None and running.wait(moment.seconds) is None:
        with suppress(ProcessLookupError):
            (os.kill if number == signal.SIGKILL else os.killpg)(running.pid, number)
    return running.wait(PATIENCE)


class Stopped(NamedTuple):
    """What became of a command: how often it was stopped, and what is wrong."""

    stops: int
    what: str
    wrong: str | None


def kills(place: Place, name: str, known: Known, rng: random.Random) -> Iterator[Stopped]:
    """Kill a command up to `IN_A_ROW` times in one folder, repeat it, and begin again."""
    while True:
        place.fresh()
        before, moments, code = place.files(), [], -signal.SIGKILL
        while len(moments) < IN_A_ROW and code in _KILLED:
            moments.append(known.moment(rng, "kill", name))
            running = place.start(moments[-1])
            code = stop(running, moments[-1], signal.SIGKILL)
            if code in _KILLED:
                ended = group_ends(running.pid)
                wrong = half(place, before, known.files) if ended else "processes are left"
                yield Stopped(1, str(moments[-1]), wrong)
        if code in _KILLED:
            running = place.start()
            code = running.wait()
        yield Stopped(0, ", ".join(map(str, moments)), repeated(place, name, known, running))


def half(place: Place, before: dict[str, str], after: dict[str, str]) -> str | None:
    """Say what is half-written."""
    try:
        found = broken(place.files(), before, after)
    except ValueError as error:
        return f"a document is half-written: {error}"
    return f"half-written: {found}" if found else None


def repeated(place: Place, name: str, known: Known, running: Running) -> str | None:
    """Say what is wrong with what a command left that was repeated to its end."""
    code, errors = running.wait(), running.errors()
    exists = name.startswith("compare") and "exists already" in errors
    if code and not exists:
        return f"the repeat ended with {code}: {errors[-300:]}"
    found, after = place.files(), known.files
    # A run that was complete is not made again, nor its table, nor are its checkpoints removed.
    lacking = after.keys() - found.keys() - ({"runs.csv"} if exists else set())
    left = {path for path in found.keys() - after.keys() if not (exists and "kept/" in path)}
    other = [name for name in found.keys() & after.keys() if found[name] != after[name]]
    if lacking or left or other:
        return f"lacking: {sorted(lacking)}; left: {sorted(left)}; other bits: {other}"
    return None


def interrupts(place: Place, name: str, known: Known, rng: random.Random) -> Iterator[Stopped]:
    """Interrupt a command and its processes, again and again in a new folder."""
    while True:
        place.fresh()
        before, moment = place.files(), known.moment(rng, "interrupt", name)
        running = place.start(moment, signal.SIGINT)
        began = time.monotonic()
        code = stop(running, moment, signal.SIGINT)
        if code == 0:
            known = known.shorter(moment, time.monotonic() - began)
            yield Stopped(0, str(moment), None)
            continue
        errors = running.errors()
        lines = [line for line in errors.splitlines() if "stopped" in line]
        others = [line for line in errors.splitlines() if not line.startswith("inertial: ")]
        if code is None:
            os.killpg(running.pid, signal.SIGKILL)
            wrong = "it went on"
        elif code != 130 or len(lines) > 1 or others:
            wrong = f"exit code {code}: {errors[-500:]!r}"
        elif not group_ends(running.pid):
            wrong = "processes are left"
        else:
            wrong = half(place, before, known.files)
            partial = [path for path in place.files() if path.endswith(".partial")]
            wrong = f"left: {partial}" if partial else wrong
        yield Stopped(1, str(moment), wrong)


def stopped(folder: Path, how: str, name: str, count: int, seed: int) -> bool:
    """Stop a command so many times, say what happened, and return whether something was wrong."""
    began = said = time.monotonic()
    place, known = prepare(folder, name)
    stops = wrongs = others = 0
    one = Stopped(0, "", None)
    each = (kills if how == "kill" else interrupts)(
        place, name, known, random.Random(f"{seed} {name}")
    )
    while stops < count or (how == "kill" and one.stops):  # the last kills are repeated too
        one = next(each)
        stops += one.stops
        others += not one.stops
        if one.wrong:
            wrongs += 1
            print(f"{name}, {one.what}: {one.wrong}", flush=True)
        if time.monotonic() - said > PROGRESS:
            said = time.monotonic()
            print(f"{name}: {stops} of {count}, {wrongs} wrong", flush=True)
    print(
        f"{name}: {stops} times, {wrongs} wrong; {others} "
        f"{'repeats' if how == 'kill' else 'too late'}; {known.forked:.1f} s and {known.changes} "
        f"changes unless stopped; {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return wrongs > 0


def main() -> None:
    """Stop each command a number of times."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.stops", description=__doc__)
    parser.add_argument("how", choices=["kill", "interrupt"])
    parser.add_argument("--count", type=int, default=100, help="times that each command is stopped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        environment(Path(folder))
        wrong = sum(
            pool.map(
                lambda name: stopped(
                    Path(folder, name), options.how, name, options.count, options.seed
                ),
                options.only,
            )
        )
    print(
        f"{options.how}: {'FAILED' if wrong else 'passed'}: {len(options.only)} commands, each "
        f"{options.count} times, seed {options.seed}; {wrong} of them wrong; "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(wrong > 0)


def environment(folder: Path) -> None:
    """Give all commands one cache and one folder for temporary files, and the fork server too."""
    cache = folder / "cache"
    cache.mkdir()
    os.environ |= {
        warm.WARM: "1",
        "XDG_CACHE_HOME": str(cache),
        "TMPDIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    FORKS.set_forkserver_preload(["tests.fuzz.warm"])


if __name__ == "__main__":
    main()
