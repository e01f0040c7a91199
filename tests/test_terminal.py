"""What is printed steers no terminal, and what surrounds a command changes nothing in it."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import rich.progress

from inertial import _checks
from inertial._checks import InvalidInput, Notice, needed, plain
from inertial.commands import environment, main, terminal

SOURCES = Path(__file__).parents[1] / "src" / "inertial"
TUNE = ("tune", "digits", "--n", "30")
COMPARE = ("compare", "digits", "--n", "20", "--width", "9", "--steps", "2", "--seeds", "1")


def inertial(*words, cwd, shell=None, **variables):
    """Run the command as a process of its own, through a shell if `shell` says how."""
    command = [sys.executable, "-m", "inertial", *words]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    return subprocess.run(
        command, capture_output=True, check=False, cwd=cwd, env=os.environ | variables, timeout=300
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("\udc80", "\\udc80"),
        ("\x9b", "\\x9b"),
        ("one\n\ttwo", "one\n\ttwo"),
        ("雪 é 👩‍🔬", "雪 é 👩‍🔬"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text, shown, capsys):
    assert plain(text) == shown
    terminal.write(text)
    terminal.console().print(text, style="bold")
    made = terminal.table([text])
    made.add_row(text, text)
    terminal.console().print(made)
    terminal.say("note", text)
    printed = "".join(capsys.readouterr())
    assert not any(sign in printed for sign in text if plain(sign) != sign)


def test_a_long_message_is_cut_inside_and_keeps_its_remedy(capsys):
    terminal.say("error", "start " + "x" * 100_000 + " remedy")
    err = capsys.readouterr().err
    assert len(err) < 1100
    assert err.startswith("inertial: error: start")
    assert err.endswith("remedy\n")


def test_every_warning_of_ours_is_a_notice():
    known = {"Notice"}
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES.rglob("*.py")]
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "Notice" for base in node.bases
            ):
                known.add(node.name)
    calls = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
    ]
    assert calls
    for call in calls:
        words = [*call.args[1:], *(word.value for word in call.keywords if word.arg == "category")]
        assert ast.unparse(words[0]) in known, ast.unparse(call)


def test_warnings_of_others_are_not_ours(capsys, monkeypatch):
    def noisy(*_, **__):
        import warnings

        warnings.warn("of a library", UserWarning, stacklevel=1)
        warnings.warn("of ours", Notice, stacklevel=1)

    monkeypatch.setattr(main, "app", noisy)
    main.main([])
    assert capsys.readouterr().err == "inertial: warning: of ours\n"


@pytest.mark.parametrize("platforms", ["nonsense", "cuda"])
def test_a_platform_that_is_not_there_is_one_sentence_and_its_remedy_works(tmp_path, platforms):
    done = inertial(*COMPARE, cwd=tmp_path, JAX_PLATFORMS=platforms)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert f"JAX_PLATFORMS is '{platforms}'" in line
    assert "set it to cpu" in line
    assert inertial(*COMPARE, cwd=tmp_path, JAX_PLATFORMS="cpu").returncode == 0


def test_the_package_is_the_command_and_a_word_of_help_imports_no_jax(tmp_path):
    done = inertial("--version", cwd=tmp_path)
    assert done.stdout.decode() == version("inertial") + "\n"
    timed = inertial("--help", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert b"Usage: inertial COMMAND" in timed.stdout
    assert b"inertial.commands.main" in timed.stderr
    assert not re.search(rb"\| +(jax|xarray|matplotlib)$", timed.stderr, re.MULTILINE)


def test_settings_for_other_programs_change_nothing(tmp_path):
    (tmp_path / "matplotlibrc").write_text("nonsense : 1\nbackend : nonsense\n")
    plain_run = inertial(*COMPARE, "--json", "--out", "one", cwd=tmp_path)
    odd = inertial(
        *COMPARE, "--json", "--out", "two", cwd=tmp_path, JAX_NUMPY_RANK_PROMOTION="raise",
        JAX_ENABLE_X64="1", JAX_DEBUG_NANS="1", MPLBACKEND="nonsense", PYTHONWARNINGS="error",
        PYTHONIOENCODING="ascii", MATPLOTLIBRC=str(tmp_path / "matplotlibrc"),
    )  # fmt: skip
    assert (plain_run.returncode, odd.returncode) == (0, 0), odd.stderr
    assert json.loads(odd.stdout)["methods"] == json.loads(plain_run.stdout)["methods"]


@pytest.mark.parametrize(
    ("shell", "code"),
    [("| true; exit ${PIPESTATUS[0]}", 141), (">/dev/full", 1), (">&-", 0), ("<&- >&- 2>&-", 0)],
)
@pytest.mark.parametrize("words", [("data", "list"), ("--help",)])
def test_an_output_that_takes_nothing_ends_the_command_in_order(tmp_path, words, shell, code):
    done = inertial(*words, cwd=tmp_path, shell=shell)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") <= 1


def test_colours_follow_the_wish_of_the_user(tmp_path):
    forced = inertial(*TUNE, cwd=tmp_path, FORCE_COLOR="1")
    assert b"\x1b[1mUse" in forced.stdout
    assert forced.stderr == b""
    for variables in ({}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        done = inertial("--help", cwd=tmp_path, **variables)
        assert b"\x1b[3" not in done.stdout


def test_compiled_programs_are_kept_in_the_cache_and_an_unusable_one_is_no_fault(
    tmp_path, monkeypatch
):
    for name in ("COMPILATION_CACHE_DIR", "PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        monkeypatch.delenv(f"JAX_{name}", raising=False)  # those of the tests
    cache = tmp_path / "cache"
    done = inertial(*COMPARE, cwd=tmp_path, XDG_CACHE_HOME=str(cache))
    assert done.returncode == 0, done.stderr
    assert list(cache.glob("inertial/compiled/*"))
    (tmp_path / "file").write_text("")
    done = inertial(*COMPARE, "--out", "b", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_cache_of_the_users_own_is_kept(monkeypatch):
    for name in (*environment._OTHERS, *environment._DEFAULTS, "MPLBACKEND"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "mine")
    environment.set_variables()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "mine"
    assert not set(environment._OTHERS) & set(os.environ)


def test_a_library_that_is_not_installed_is_named_with_its_command():
    assert needed("numpy", "ode") is np
    with pytest.raises(InvalidInput, match=r"pip install 'inertial\[ode\]'"):
        needed("no_such_library", "ode")


def test_many_choices_are_cut():
    names = [f"choice{i}" for i in range(1000)]
    with pytest.raises(InvalidInput, match=r"\(1000 in all\)") as caught:
        _checks.one_of("name", "other", names)
    assert len(str(caught.value)) < 1000


def test_a_bar_whose_end_nobody_knows_goes_on(monkeypatch):
    """Rich takes a total of 0 for an end, and stops its clock."""
    bars = []

    class Watched(rich.progress.Progress):
        def __init__(self, *columns, **words):
            super().__init__(*columns, **words)
            bars.append(self)

    monkeypatch.setattr(rich.progress, "Progress", Watched)
    with terminal.progress() as show:
        (task,) = bars[0].tasks
        for done, total, finished in ((0, 0, False), (3, 5, False), (1, 0, False), (5, 5, True)):
            show("products", done, total)
            assert task.finished == finished
            assert task.total == (total or None)
