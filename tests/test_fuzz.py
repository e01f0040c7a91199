"""A few of the damaged and hostile inputs at every door; `fuzz` makes any number."""

import signal
import time

import pytest

from fuzz import harness
from fuzz.harness import Outcome, attempts

FEW = {
    "tables": 200,
    "arrays": 200,
    "images": 100,
    "study_files": 200,
    "run_folders": 30,
    "study_folders": 30,
    "command_lines": 40,
}
"""Inputs a door: seconds of them."""


@pytest.mark.parametrize("door", FEW)
def test_what_is_damaged_is_taken_or_refused_in_one_sentence(door):
    found = Outcome()
    for one in attempts(door, 0, FEW[door]):
        found.add(*one)
    assert found.faults == []
    # The damage leaves some whole and makes others unreadable: both happen.
    assert min(found.counts["taken"], found.counts["refused"]) >= FEW[door] // 20


class Door:
    """A door that does what it is told."""

    def __init__(self, does):
        self.attempt = lambda *_: does()


def falls():
    raise KeyError


def waits():
    time.sleep(60)


@pytest.mark.parametrize(
    ("does", "found"),
    [
        (lambda: ("A sentence.",), "taken"),
        (lambda: ("\x1b[2J.",), "a sentence that is none"),
        (lambda: ("no full stop",), "a sentence that is none"),
        (falls, "KeyError"),
        (waits, "a hang"),
    ],
)
def test_what_must_not_happen_is_found(tmp_path, monkeypatch, does, found):
    monkeypatch.setattr(harness, "SECONDS", 1)
    before = signal.signal(signal.SIGALRM, harness.too_long)
    try:
        assert harness.attempted(Door(does), 0, tmp_path, None).startswith(found)
    finally:
        signal.signal(signal.SIGALRM, before)
