"""An interrupt ends the command wherever it falls, and nobody else's timer."""

import gc
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from inertial.commands import environment
from inertial.commands.environment import every_interrupt

PATIENCE = 60
"""Seconds for what takes milliseconds on a quiet machine; the tests do not wait for them."""


class Falls:
    """Raises where Python ignores it."""

    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def collect(error):
    """Raise an error inside a garbage collection, where Python ignores it."""
    one = Falls(error)
    one.itself = one
    del one
    gc.collect()


def wait():
    """Wait in small steps, between which an interrupt arrives."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture
def ignored(monkeypatch):
    """What Python says it ignores."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_type))
    return seen


def state():
    """What belongs to others."""
    handlers = [
        signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    ]
    return sys.unraisablehook, handlers, signal.getitimer(signal.ITIMER_REAL)


def lost_in_a_collection():
    collect(KeyboardInterrupt())
    wait()


def test_an_interrupt_in_a_garbage_collection_arrives(ignored):
    before = state()
    with pytest.raises(KeyboardInterrupt), every_interrupt():
        lost_in_a_collection()
    assert state() == before
    assert ignored == []


def test_without_it_the_interrupt_is_lost(ignored):
    collect(KeyboardInterrupt())
    assert ignored == [KeyboardInterrupt]


def test_other_errors_are_said_as_before(ignored):
    with every_interrupt():
        collect(ValueError())
    assert ignored == [ValueError]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_was_dropped_comes_again(monkeypatch, number):
    monkeypatch.setattr(environment, "_LOST_SECONDS", 0.1)
    before = state()

    def drop():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        wait()

    with pytest.raises(KeyboardInterrupt), every_interrupt():
        drop()
    assert state() == before


def test_timers_of_others_go_on_and_ours_do_not():
    others = threading.Timer(3600, print)
    others.start()
    signal.setitimer(signal.ITIMER_REAL, 3600)
    try:
        before = set(threading.enumerate())
        with pytest.raises(KeyboardInterrupt), every_interrupt():
            signal.raise_signal(signal.SIGINT)
        assert others.is_alive()
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 3000
        for thread in set(threading.enumerate()) - before:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        others.cancel()


def test_an_ignored_interrupt_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with every_interrupt():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_sigterm_is_an_interrupt():
    before = state()
    with pytest.raises(KeyboardInterrupt), every_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert state() == before


def test_in_another_thread_nothing_is_touched():
    before, inside = state(), []

    def work():
        with every_interrupt():
            inside.append(state())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


def test_an_interrupt_while_commands_are_imported_ends_as_any_other():
    code = (
        "import signal, sys; from importlib.abc import MetaPathFinder\n"
        "class Interrupting(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'inertial.commands.tune': signal.raise_signal(signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from inertial.commands.process import script; script()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_an_interrupt_after_the_end_changes_nothing():
    code = (
        "import atexit, os, signal, sys; sys.argv = ['inertial', '--version']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "from inertial.commands.process import script; script()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupt_while_a_compiled_module_is_loaded_waits_for_its_end():
    """A module that meets an exception while it is being made may end the process."""
    loaded = []

    class Loader(environment.ExtensionFileLoader):
        def exec_module(self, module):
            signal.raise_signal(signal.SIGINT)
            loaded.append(module)

    def load():
        Loader("name", "name.so").exec_module("whole")
        wait()

    with pytest.raises(KeyboardInterrupt), every_interrupt():
        load()
    assert loaded == ["whole"]


def cleans_up_badly(first):
    """Fail to clean up after an error, as a library does whose file was cut short."""
    try:
        raise first
    finally:
        raise AttributeError("no position")


def test_an_error_while_cleaning_up_does_not_hide_the_interrupt():
    with pytest.raises(KeyboardInterrupt), every_interrupt():
        cleans_up_badly(KeyboardInterrupt())


def test_an_error_while_cleaning_up_after_another_stays_what_it_is():
    with pytest.raises(AttributeError), every_interrupt():
        cleans_up_badly(ValueError())


def test_what_an_interrupt_left_open_ends_before_the_process(tmp_path):
    """As where it falls on the way into a block or out of it, whose end does not run then."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from inertial import files\n"
        "from inertial.commands import main\n"
        "def interrupted():\n"
        f"    block = files.writing(Path({str(tmp_path / 'page.html')!r}), remedy='')\n"
        "    block.__enter__()\n"
        "    raise KeyboardInterrupt\n"
        "def stopped():\n"
        "    try:\n"
        "        interrupted()\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(130)\n"
        "main.main = stopped\n"
        "from inertial.commands.process import script; script()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 130, done.stderr
    assert list(tmp_path.iterdir()) == []


class Resolving:
    """Stands for another object that is being made, and cannot be asked for anything yet."""

    @property
    def __class__(self):
        raise ImportError("circular import")

    def resolve(self):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_asks_no_object_on_its_way():
    with pytest.raises(KeyboardInterrupt), every_interrupt():
        Resolving().resolve()
