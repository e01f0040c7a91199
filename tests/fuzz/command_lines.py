"""Odd command lines: each ends with a result or with one sentence, and writes nothing unasked.

All run in one process but one of `REAL`, which is a process of its own, as the shell starts it.
"""

import contextlib
import io
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

from fuzz.harness import SECONDS, Fault
from inertial import InvalidInput
from inertial._checks import plain
from inertial.commands.main import main

REAL = 100
"""One of so many lines is run by the installed command."""

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
SMALL: dict[str, list[str]] = {
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

MODELS = [
    "", "mlp", "mlp:", "mlp:3", "mlp:0", "mlp:-1", "mlp:3x", "mlp:3x0", "mlp:99999999999", "mlp:3x999999",
    "mlp:3,", "mlp:3:tan", "x:y", "os:system", ":", "json:dumps", "\x1b[2J:x", "a.b.c:d", "mlp:3:tanh",
]  # fmt: skip

OPTIONS = {
    "--n": NUMBERS, "--width": NUMBERS, "--steps": NUMBERS, "--runs": NUMBERS, "--seeds": NUMBERS,
    "--dim": NUMBERS, "--data-seed": NUMBERS, "--target": NUMBERS, "--eta": NUMBERS,
    "--beta": NUMBERS, "--workers": ["-1", "1.5", "", "x", "9" * 20], "--rule": WORDS,
    "--scheduler": ["", "x", "tls://", "tcp://:x", "http://x", "tcp://127.0.0.1:1"],
    "--methods": WORDS, "--flows": WORDS, "--record": WORDS, "--label": WORDS, "--drop": WORDS,
    "--kernel": WORDS, "--precision": WORDS, "--scale": WORDS, "--out": PATHS, "-o": PATHS,
    "--spectrum": PATHS, "--data-dir": PATHS, "--json": [], "--tex": [], "--measure": [],
    "--no-audit": [], "--dedupe": [], "--standardize": [], "--no-normalize": [], "--help": [],
    "--version": [], "--no-such-option": [], "--template": [], "--model": MODELS, "--loss": WORDS,
    "--trials": NUMBERS, "--batch": NUMBERS, "--decay": NUMBERS, "--test": NUMBERS + PATHS,
    "--module": WORDS, "--from-spectrum": PATHS, "--weights": PATHS, "--residual": PATHS,
}  # fmt: skip

COMPUTING = {"tune", "compare", "explore", "study", "plan"}
"""Commands whose good lines take a second, and so are tried less often."""


def line(seed: int) -> list[str]:
    """Return the words of one command line: a quick one with up to three things spoiled."""
    rng = random.Random(seed)
    command = rng.choices(list(SMALL), [1 if name in COMPUTING else 2 for name in SMALL])[0]
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


def prepare(base: Path) -> None:
    """Keep the user's cache out of it."""
    os.environ["XDG_CACHE_HOME"] = str(base)


def furnish(inside: Path) -> None:
    """Make what the lines name, in the folder that they run in."""
    rng = np.random.default_rng(0)
    rows = ["a,b,c", *(",".join(f"{v:.4f}" for v in row) for row in rng.standard_normal((20, 3)))]
    (inside / "own.csv").write_text("\n".join(rows))
    (inside / "own.txt").write_text("\n".join(rows))
    (inside / "folder").mkdir()
    (inside / "link.csv").symlink_to("own.csv")
    os.mkfifo(inside / "fifo.csv")
    (inside / "broken.toml").write_text("name = [")
    (inside / "small.toml").write_text(
        'name = "small"\ndata = [{ name = "sphere", rows = 8, dim = 3 }]\nwidths = [5]\n'
        'seeds = [0]\nsteps = 2\nrules = ["paper"]\nmethods = ["nesterov"]\n'
    )


def attempt(seed: int, folder: Path, _: None) -> None:
    """Run the line of a seed."""
    inside = folder / "inside"
    inside.mkdir()
    furnish(inside)
    os.chdir(inside)
    words = line(seed)
    real = seed % REAL == 0 and not any("\0" in word for word in words)
    code, out, err = (in_process if real else here)(words)
    _judge(words, code, out, err)
    if os.listdir(folder) != ["inside"]:  # noqa: PTH208 - names are all that counts
        raise Fault(f"{words} wrote elsewhere")
    if code:
        raise InvalidInput(f"{words} was refused.")


def _judge(words: list[str], code: object, out: str, err: str) -> None:
    """Look at how a line ended and at what it said."""
    if code not in {0, 1, 2}:
        raise Fault(f"{words} ended with {code}: {err[-300:]}")
    said = (out + err).replace("\n", "")
    if plain(said) != said or "Traceback" in said:
        raise Fault(f"{words} printed {said[-300:]!r}")
    errors = [one for one in err.splitlines() if one.startswith("inertial: error: ")]
    if code == 2 and (
        len(errors) != 1 or err.splitlines()[-1] != errors[0] or len(errors[0]) > 1200
    ):
        raise Fault(f"{words} said {err[-1500:]!r}")


def here(words: list[str]) -> tuple[object, str, str]:
    """Run a line in this process; return exit code, output and errors."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with warnings.catch_warnings():
                warnings.resetwarnings()
                main(words)
            code: object = 0
        except SystemExit as stop:
            code = stop.code or 0
    return code, out.getvalue(), err.getvalue()


def in_process(words: list[str]) -> tuple[object, str, str]:
    """Run a line as the shell does."""
    done = subprocess.run(
        [sys.executable, "-m", "inertial", *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
