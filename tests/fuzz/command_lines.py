"""Odd command lines end with a result or with one sentence, soon, and write nothing unasked.

The lines are made from a seed.  A few run with the tests; more on demand:
`INERTIAL_FUZZ=10000 python -m pytest tests/fuzz/test_command_lines.py`.
"""

import contextlib
import io
import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest

from inertial.commands.main import main

COUNT = int(os.environ.get("INERTIAL_FUZZ", "40"))
SECONDS = 600
"""A line that takes longer hangs: on a quiet machine none takes a tenth of it."""

PATHS = [
    "", ".", "/", "..", "~nouser/x.csv", "./~x.csv", "~", "a\0b.csv", "own.csv", "./own.csv",
    "missing.csv", "folder", "fifo.csv", "link.csv", "/dev/null", "/dev/zero", "/dev/full",
    "x" * 300, "x" * 300 + ".csv", "\x1b[31mred.csv", "\u202egnp.csv", "\udc80.csv", "雪.csv",
    "own.txt", "small.toml", "broken.toml", "own.csv/x", "-", "--", "[bold]x[/].csv", "%s.csv",
]  # fmt: skip
NUMBERS = [
    "0", "1", "2", "3", "-1", "1.5", "nan", "inf", "-inf", "1e400", "", " ", "x", "0x10", "1_0",
    "９", "²", "9" * 20, "9" * 5000, "-" + "9" * 20, "1e-400", "0.01", "2,3", ",", "true",
]  # fmt: skip
WORDS = [
    "",
    ",",
    "paper",
    "forecast",
    "papr",
    "nesterov",
    "nesterov,nesterov",
    "\x1b[2J",
    "a" * 3000,
]
SMALL = {
    "tune": ["own.csv", "--n", "12"],
    "compare": ["own.csv", "--n", "12", "--width", "9", "--steps", "3", "--seeds", "1"],
    "explore": ["own.csv", "--n", "12", "--width", "9", "--steps", "3", "--runs", "1"],
    "report": ["folder"],
    "audit": ["folder"],
    "plan": ["small.toml"],
    "study": ["small.toml"],
    "figures": ["folder"],
    "doctor": [],
    "reproduce": ["--list"],
    "data list": [],
    "data info": ["own.csv"],
    "nonsense": [],
}
"""Lines that are quick, to be spoiled."""

OPTIONS = {
    "--n": NUMBERS, "--width": NUMBERS, "--steps": NUMBERS, "--runs": NUMBERS, "--seeds": NUMBERS,
    "--dim": NUMBERS, "--data-seed": NUMBERS, "--target": NUMBERS, "--eta": NUMBERS,
    "--beta": NUMBERS, "--workers": ["-1", "1.5", "", "x", "9" * 20], "--rule": WORDS,
    "--scheduler": ["", "x", "tls://", "tcp://:x", "http://x", "tcp://127.0.0.1:1"],
    "--methods": WORDS, "--flows": WORDS, "--record": WORDS, "--label": WORDS, "--drop": WORDS,
    "--kernel": WORDS, "--precision": WORDS, "--scale": WORDS, "--out": PATHS, "-o": PATHS,
    "--spectrum": PATHS, "--data-dir": PATHS, "--json": [], "--tex": [], "--measure": [],
    "--no-audit": [], "--dedupe": [], "--standardize": [], "--no-normalize": [], "--help": [],
    "--version": [], "--no-such-option": [], "--template": [],
}  # fmt: skip


def line(seed):
    """Return the words of one command line: a quick one with up to three things spoiled."""
    rng = random.Random(seed)
    command = rng.choice(list(SMALL))
    words = [*command.split(), *SMALL[command]]
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        if kind < 0.25 and len(words) > 1:
            words[rng.randrange(1, len(words))] = rng.choice(PATHS + NUMBERS + WORDS)
        elif kind < 0.35:
            del words[rng.randint(0, len(words)) :]
        else:
            option = rng.choice(list(OPTIONS))
            words += [option, *([rng.choice(OPTIONS[option])] if OPTIONS[option] else [])]
    return words


class Hanging(BaseException):
    """A line took too long; no handler of ours catches this."""


def too_long(*_):
    raise Hanging


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what the lines name, where nothing else may be changed."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    rows = ["a,b,c", *(",".join(f"{v:.4f}" for v in row) for row in rng.standard_normal((20, 3)))]
    Path("own.csv").write_text("\n".join(rows))
    Path("own.txt").write_text("\n".join(rows))
    Path("folder").mkdir()
    Path("link.csv").symlink_to("own.csv")
    os.mkfifo("fifo.csv")
    Path("broken.toml").write_text("name = [")
    Path("small.toml").write_text(
        'name = "small"\ndata = [{ name = "sphere", rows = 8, dim = 3 }]\nwidths = [5]\n'
        'seeds = [0]\nsteps = 2\nrules = ["paper"]\nmethods = ["nesterov"]\n'
    )
    return tmp_path


def run(words):
    """Return exit code, output and errors of a line."""
    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(words)
                code = 0
            except SystemExit as stop:
                code = stop.code or 0
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return code, out.getvalue(), err.getvalue()


def test_odd_command_lines_end_well(folder):
    above = sorted(path.name for path in folder.iterdir())
    for seed in range(COUNT):
        words = line(seed)
        code, out, err = run(words)
        assert code in {0, 1, 2}, (seed, words, code)
        text = out + err
        assert not {"\x1b", "\u202e", "\0"} & set(text), (seed, words)
        if code == 2:
            last = err.splitlines()[-1]
            assert last.startswith("inertial: error: "), (seed, words, err)
            assert err.count("inertial: error: ") == 1, (seed, words, err)
            assert len(last) < 1200, (seed, words)
        assert sorted(path.name for path in folder.iterdir()) in (above, ["cache", *above]), words
