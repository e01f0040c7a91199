"""Damaged and hostile input at every door: each is taken, or refused in one sentence.

``python -m tests.fuzz DOOR... --count 10000`` makes that many inputs a door from seeds and gives
them to the package in child processes.  It ends with exit code 1 if any raised something else than
`InvalidInput`, took longer than a minute, held more than 2 GiB, or ended its process; each such
input is named with its seed, and ``--count 1 --first SEED`` makes it again.

A door is a module with two functions: ``prepare(folder)`` makes what all its inputs need, once a
process; ``attempt(seed, folder, prepared)`` makes the input of a seed in an empty folder, gives it
to the package, and returns what was said besides, or raises.
"""

import argparse
import importlib
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from inertial import InvalidInput
from inertial._checks import Notice, plain

DOORS = (
    *("tables", "arrays", "images", "study_files", "run_folders", "study_folders"),
    "command_lines",
)
SECONDS = 60
BYTES = 2 * 2**30
_GUARD = 8 * 2**30
"""Bytes that a child may not get at all, so that a bomb does not take the machine."""

_CHUNK = 1250
"""Inputs of one child: most of its first ten seconds are imports."""

_PROGRESS = 60
"""Seconds between two lines about a door."""


class Fault(Exception):  # noqa: N818 - what is looked for
    """Something that must not happen, other than an exception."""


class Hang(BaseException):
    """An input took too long; no handler of the package catches this."""


@dataclass
class Outcome:
    """What became of the inputs of a door."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    peak: int = 0

    def add(self, seed: int, result: str, peak: int) -> None:
        """Count one input."""
        if result not in ("taken", "refused"):
            self.faults.append(f"seed {seed}: {result}")
            result = "fault"
        if self.peak <= BYTES < peak:
            self.faults.append(f"seed {seed}: {peak / 2**30:.1f} GiB held")
        self.counts[result] += 1
        self.peak = max(self.peak, peak)


def attempts(name: str, first: int, count: int) -> Iterator[tuple[int, str, int]]:
    """Yield seed, what became of its input, and the bytes that this process took at most for it."""
    door = importlib.import_module(f"{__package__}.{name}")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    held = _peak()
    before, here = signal.signal(signal.SIGALRM, too_long), Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        base = Path(place, "base")
        base.mkdir()
        prepared = door.prepare(base)
        for seed in range(first, first + count):
            folder = Path(place, "at")
            folder.mkdir()
            try:
                result = attempted(door, seed, folder, prepared)
            finally:
                os.chdir(here)
                shutil.rmtree(folder)
            yield seed, result, _peak() - held
    signal.signal(signal.SIGALRM, before)


def attempted(door, seed: int, folder: Path, prepared) -> str:
    """Return `taken` or `refused`, or what must not happen."""
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", Notice)
            said = door.attempt(seed, folder, prepared) or ()
        result = "taken"
    except InvalidInput as refusal:
        said, result = (str(refusal),), "refused"
    except Fault as fault:
        return str(fault)
    except Hang:
        return "a hang"
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - what is looked for
        return f"{type(error).__name__}: {str(error)[:200]!r} at {_place(error)}"
    finally:
        signal.alarm(0)
    for text in said:
        if plain(text) != text or not text.endswith("."):
            return f"a sentence that is none: {text!r}"
    return result


def _place(error: BaseException) -> str:
    """Name the last line of the package that an error went through."""
    place, trace = "", error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if "/inertial/" in file:
            place = f"{Path(file).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def too_long(*_: object) -> None:
    """Handle the alarm."""
    raise Hang


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s*(\d+)", status)[0]) * 1024


def child(name: str, first: int, count: int) -> None:
    """Say on standard output what becomes of each input."""
    resource.setrlimit(resource.RLIMIT_DATA, (_GUARD, _GUARD))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    for seed, result, peak in attempts(name, first, count):
        out.write(f"{seed}\t{peak}\t{plain(result).replace(chr(10), ' ')}\n")


def watched(name: str, first: int, count: int) -> Outcome:
    """Run children until all inputs of a part have been tried; none is waited for in vain."""
    found, place, last = Outcome(), first, first + count
    while place < last:
        command = [sys.executable, "-m", "tests.fuzz", name, "--child"]
        command += ["--first", str(place), "--count", str(last - place)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        for line in _lines(process):
            seed, peak, result = line.split("\t", 2)
            found.add(int(seed), result, int(peak))
            place = int(seed) + 1
        process.kill()
        _, said = process.communicate()
        if place < last:  # the input of this seed ended the process, or never came back
            words = said.decode(errors="replace").strip().splitlines()[-1:]
            found.add(place, f"the process ended or hung: {process.returncode} {words}", 0)
            place += 1
    return found


def _lines(process: "subprocess.Popen[bytes]") -> Iterator[str]:
    """Yield whole lines of a process as they come, until it ends or is silent for too long."""
    rest, quiet = b"", 5 * SECONDS  # the first after what all inputs need has been made
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(quiet):
            content = os.read(process.stdout.fileno(), 2**16)
            if not content:
                return
            *lines, rest = (rest + content).split(b"\n")
            yield from (line.decode() for line in lines)


def run(name: str, first: int, count: int, jobs: int = 1) -> Outcome:
    """Try the inputs of `count` seeds at a door, in child processes."""
    size = min(_CHUNK, -(-count // jobs))
    parts = [(s, min(size, first + count - s)) for s in range(first, first + count, size)]
    whole, said = Outcome(), time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(lambda one: watched(name, *one), parts):
            whole.counts.update(part.counts)
            whole.faults += part.faults
            whole.peak = max(whole.peak, part.peak)
            if time.monotonic() - said > _PROGRESS:
                said = time.monotonic()
                print(f"{name}: {whole.counts.total()} of {count}", flush=True)
    return whole


def main() -> None:
    """Try many inputs at one door or more."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("doors", nargs="+", choices=[*DOORS, "all"])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.doors[0], options.first, options.count)
        return
    with tempfile.TemporaryDirectory() as cache:
        # Each child would compile the same programs again.
        os.environ["JAX_COMPILATION_CACHE_DIR"] = cache
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        failed = tried(options)
    sys.exit(failed)


def tried(options: argparse.Namespace) -> bool:
    """Try the doors, say what happened, and return whether something was wrong."""
    failed, doors = 0, DOORS if "all" in options.doors else options.doors
    start = time.monotonic()
    for name in doors:
        began = time.monotonic()
        found = run(name, options.first, options.count, options.jobs)
        for fault in found.faults:
            print(f"{name} {fault}")
        counts = ", ".join(f"{number} {what}" for what, number in sorted(found.counts.items()))
        print(
            f"{name}: {counts}; at most {found.peak / 2**30:.2f} GiB held; "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
        failed += len(found.faults)
    print(
        f"fuzz: {'FAILED' if failed else 'passed'}: {len(doors)} doors, {options.count} inputs "
        f"each from seed {options.first}, {failed} faults; {time.monotonic() - start:.0f} s"
    )
    return failed > 0
