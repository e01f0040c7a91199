"""Odd command lines: each ends with a result or with one sentence, and writes nothing unasked.

All run in one process but one of `REAL`, which is a process of its own, as the shell starts it.
"""

import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np

from fuzz.harness import SECONDS, Fault
from inertial import InvalidInput, Settings, compare, load
from inertial._checks import plain
from inertial.commands.main import app, main

REAL = 100
"""One of so many lines is run by the installed command."""

PATHS = [
    "", ".", "/proc", "..", "~nouser/x.csv", "./~x.csv", "~", "a\0b.csv", "own.csv", "./own.csv",
    "missing.csv", "folder", "fifo.csv", "link.csv", "/dev/null", "/dev/zero", "/dev/full",
    "x" * 300, "x" * 300 + ".csv", "\x1b[31mred.csv", "\u202egnp.csv", "\udc80.csv", "雪.csv",
    "own.txt", "small.toml", "broken.toml", "own.csv/x", "-", "--", "[bold]x[/].csv", "%s.csv",
]  # fmt: skip
"""Names of files; not "/", for there root may write what the line asks for."""
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
_DATA = ["own.csv", "--n", "12"]
_MODEL = [*_DATA, "--model", "mlp:3"]
_SHORT = ["--steps", "3"]
_TRAINED = [*_DATA, "--width", "9", *_SHORT]
SMALL: dict[str, list[list[str]]] = {
    "tune": [
        [*_DATA, "--trials", "0"],
        [*_DATA, "--trials", "0", "--batch", "4"],
        [*_DATA, "--trials", "0", "--rule", "optimal"],
        [*_DATA, "--trials", "0", "--test", "0.25", "--decay", "0.01"],
        [*_MODEL, "--trials", "0"],
        ["--from-spectrum", "spectrum.npy", "--weights", "weights.npy"],
        ["--kernel", "kernel.npy", "--residual", "weights.npy"],
    ],
    "compare": [
        [*_TRAINED, "--seeds", "1"],
        [*_TRAINED, "--seeds", "1", "--rule", "optimal", "--test", "0.25"],
        [*_TRAINED, "--seeds", "1", "--batch", "4", "--order", "shuffled", "--decay", "0.1"],
        [*_TRAINED, "--seeds", "1", "--checkpoint", "kept", "--csv", "runs.csv", "--out", "new"],
        [*_MODEL, *_SHORT, "--seeds", "1", "--eta", "0.01", "--methods", "gradient_descent"],
    ],
    "explore": [[*_TRAINED, "--runs", "1"], [*_MODEL, *_SHORT, "--trials", "0"]],
    "report": [["run"], ["run", "--no-audit", "--csv", "runs.csv"], ["folder"]],
    "audit": [["run"], ["run", "--tex"], ["folder"]],
    "plan": [["small.toml"]],
    "study": [["small.toml"], ["small.toml", "--csv", "runs.csv"], ["--template"]],
    "figures": [["run"], ["folder"]],
    "doctor": [[]],
    "reproduce": [["--list"]],
    "data list": [[]],
    "data info": [["own.csv"]],
    "nonsense": [[]],
}
"""Lines that are quick, to be spoiled."""

MODELS = [
    "", "mlp", "mlp:", "mlp:3", "mlp:0", "mlp:-1", "mlp:3x", "mlp:3x0", "mlp:99999999999", "mlp:3x999999",
    "mlp:3,", "mlp:3:tan", "x:y", "os:system", ":", "json:dumps", "\x1b[2J:x", "a.b.c:d", "mlp:3:tanh",
    "own:jax", "own:raises", "own:number", "own:shouts", "own:nothing", "own:sleeps", "broken:x", "./own:jax",
]  # fmt: skip

RULES = ["forecast", "paper", "quadratic", "wang2020", "optimal", "chebyshev", "trials", *WORDS]
METHODS = ["gradient_descent", "heavy_ball,nesterov", "adam", "optimal", "quasi_hyperbolic", *WORDS]
FILES = ["spectrum.npy", "weights.npy", "kernel.npy", "hostile.npy", "own.csv", *PATHS]
VALUES = {
    "--workers": ["-1", "1.5", "", "x", "9" * 20],
    "--scheduler": ["", "x", "tls://", "tcp://:x", "http://x", "tcp://127.0.0.1:1"],
    "--coordinator": ["", "x", "x:y", ":0", "localhost:99999", "a:b:c", "\x1b[2J:1", "localhost:-1"],
    "--rule": RULES, "--methods": METHODS, "--model": MODELS,
    "--loss": ["mse", "half_sum", "cross_entropy", "binary_cross_entropy", *WORDS],
    "--test": ["0.25", "0.5", "own.csv", *NUMBERS, *PATHS],
    "--flows": ["gradient_flow", "nesterov_flow", *WORDS], "--record": ["residuals", *WORDS],
    "--label": ["a", "c", *WORDS], "--drop": ["a", *WORDS], "--keep": ["a", *WORDS],
    "--from-spectrum": FILES, "--weights": FILES, "--kernel": ["finite", "infinite", *FILES],
    "--residual": FILES, "--seeds": ["1,", "2", *NUMBERS],
}  # fmt: skip
"""What options are given, if their kind does not say it."""

ALONE = {"--devices", "--processes", "--coordinator", "--process-index"}
"""Options that change what a process is: such a line is a process of its own."""

COMPUTING = {"tune", "compare", "explore", "study", "plan", "report", "audit"}
"""Commands whose good lines take a second, and so are tried less often."""


def options() -> dict[str, dict[str, list[str]]]:
    """Return the options of every command, from the command line itself, and what to give them."""
    found = {}
    for command in SMALL:
        at = app
        for word in command.split() if command != "nonsense" else ["tune"]:
            at = at[word]
        given = {"--help": [], "--version": [], "--no-such-option": []}
        for one in at.assemble_argument_collection():
            for name in one.names:
                if name.startswith("-"):
                    given[name] = _values(name, one.hint, one.token_count()[0])
        found[command] = given
    return found


def _values(name: str, hint: Any, count: int) -> list[str]:
    """Return words for an option: its own, those of its kind, or none for a switch."""
    kinds = {hint, *get_args(hint)}
    choices = [word for kind in kinds for word in get_args(kind) if isinstance(word, str)]
    if name in VALUES:
        return VALUES[name]
    if not count or bool in kinds:
        return []
    if kinds & {int, float}:
        return NUMBERS
    return PATHS if Path in kinds else [*choices, *WORDS]


OPTIONS = options()


def line(seed: int) -> list[str]:
    """Return the words of one command line: a quick one with up to three things spoiled."""
    rng = random.Random(seed)
    command = rng.choices(list(SMALL), [1 if name in COMPUTING else 2 for name in SMALL])[0]
    words = [*command.split(), *rng.choice(SMALL[command])]
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        if kind < 0.25 and len(words) > 1:
            words[rng.randrange(1, len(words))] = rng.choice(PATHS + NUMBERS + WORDS)
        elif kind < 0.35:
            del words[rng.randint(0, len(words)) :]
        else:
            # One of five is an option of another command.
            known = OPTIONS[rng.choice(list(SMALL)) if rng.random() < 0.2 else command]
            option = rng.choice(list(known))
            words += [option, *([rng.choice(known[option])] if known[option] else [])]
    return words


OWN = """import time

import jax.numpy as jnp


def jax(inputs, outputs):
    return {"a<b>\\x1b[2J": jnp.ones((inputs, outputs))}, lambda p, x: x @ p["a<b>\\x1b[2J"]


def raises(inputs, outputs):
    raise RuntimeError("\\x1b[2J\\u202e<script>alert(1)</script>\\nTraceback")


def number(inputs, outputs):
    return 3


def shouts(inputs, outputs):
    return {}, lambda p, x: 1 / 0


def nothing(inputs, outputs):
    return {"w": jnp.zeros(0)}, lambda p, x: x[:, :outputs] * jnp.nan


def sleeps(inputs, outputs):
    return type("\\x1b[2J", (), {})()
"""
"""Models of a user's own, most of which are none."""


def prepare(base: Path) -> Path:
    """Keep the user's cache out of it, and make a run for commands that read one."""
    os.environ["XDG_CACHE_HOME"] = str(base)
    settings = Settings(width=9, seeds=(0,), steps=3, rule="paper")
    return compare(load("sphere", n=8, dim=3), settings, out=base / "run").run


def furnish(inside: Path, run: Path) -> None:
    """Make what the lines name, in the folder that they run in."""
    rng = np.random.default_rng(0)
    rows = ["a,b,c", *(",".join(f"{v:.4f}" for v in row) for row in rng.standard_normal((20, 3)))]
    (inside / "own.csv").write_text("\n".join(rows))
    (inside / "own.txt").write_text("\n".join(rows))
    (inside / "own.py").write_text(OWN)
    (inside / "broken.py").write_text("def x(:\n")
    shutil.copytree(run, inside / "run")
    np.save(inside / "spectrum.npy", np.arange(1.0, 5))
    np.save(inside / "weights.npy", np.ones(4))
    np.save(inside / "kernel.npy", np.diag(np.arange(1.0, 5)))
    np.save(inside / "hostile.npy", np.array([np.nan, -1, np.inf]))
    (inside / "folder").mkdir()
    (inside / "link.csv").symlink_to("own.csv")
    os.mkfifo(inside / "fifo.csv")
    (inside / "broken.toml").write_text("name = [")
    (inside / "small.toml").write_text(
        'name = "small"\ndata = [{ name = "sphere", rows = 8, dim = 3 }]\nwidths = [5]\n'
        'seeds = [0]\nsteps = 2\nrules = ["paper"]\nmethods = ["nesterov"]\n'
    )


def attempt(seed: int, folder: Path, run: Path) -> None:
    """Run the line of a seed."""
    inside = folder / "inside"
    inside.mkdir()
    furnish(inside, run)
    os.chdir(inside)
    words = line(seed)
    alone = seed % REAL == 0 or not ALONE.isdisjoint(words)
    real = alone and not any("\0" in word for word in words)
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
