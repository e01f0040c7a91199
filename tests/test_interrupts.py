"""An interrupt ends the command wherever it falls."""

import gc
import signal
import sys
import threading
import time
from contextlib import suppress

import pytest

from inertial.commands import interrupts
from inertial.commands.interrupts import every_interrupt


class Falls:
    """Raises where Python ignores it."""

    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def collect(error):
    """Raise an error inside a garbage collection, and go on for a while."""
    one = Falls(error)
    one.itself = one
    del one
    gc.collect()
    time.sleep(0.5)


@pytest.fixture
def ignored(monkeypatch):
    """What Python says it ignores."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_type))
    return seen


def state():
    handlers = [
        signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    ]
    return sys.unraisablehook, handlers, signal.getitimer(signal.ITIMER_REAL)


def test_an_interrupt_in_a_garbage_collection_arrives(ignored):
    before = state()
    with pytest.raises(KeyboardInterrupt), every_interrupt():
        collect(KeyboardInterrupt())
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
    monkeypatch.setattr(interrupts, "_LOST_SECONDS", 0.1)
    before = state()

    def drop():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        time.sleep(0.5)

    with pytest.raises(KeyboardInterrupt), every_interrupt():
        drop()
    assert state() == before


def test_no_timer_keeps_an_interrupted_command_alive():
    timer = threading.Timer(3600, print)
    timer.start()
    with every_interrupt():
        pass
    assert timer.is_alive()
    with pytest.raises(KeyboardInterrupt), every_interrupt():
        signal.raise_signal(signal.SIGINT)
    timer.join(timeout=5)
    assert not timer.is_alive()


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
