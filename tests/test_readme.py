"""The README's Python runs, its commands write what they say, and its files are there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from inertial.commands.main import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
SMALL = {
    "compare": ["--width", "50", "--n", "40", "--steps", "20"],
    "explore": ["--width", "50", "--n", "40", "--steps", "20", "--runs", "1"],
}
"""What makes a command quick without changing what it writes."""


def steps_of(example):
    """Commands of an example, each with the output that the README shows."""
    for part in example.split("$ .venv/bin/inertial ")[1:]:
        command, _, shown = part.partition("\n")
        yield shlex.split(command), shown.splitlines()


def test_the_python_example_runs(tmp_path):
    _, code = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    code = code.replace("seeds=(0, 1)", "width=50, seeds=(0, 1)")
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "heavy_ball" in out or "nesterov" in out
    assert "<xarray.DataArray 'loss'" in out


def test_the_first_journey_keeps_its_promise(tmp_path):
    code, _ = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    code += """
run = inertial.simulate(problem, advice.setting, steps=2 * advice.best.measured_steps)
print(run.steps_to(0.03), advice.best.measured_steps)
"""
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert re.fullmatch(
        r"Use .* with step size .* and momentum .*: \d+ steps to 3 % .*measured on the model.*",
        out[0],
    )
    shown = re.search(r"```\n(Use .*?)```", TEXT, re.DOTALL)[1].splitlines()
    begins = [line.partition("(")[0] for line in shown[1:]]  # another processor, other numbers
    assert [line.partition("(")[0] for line in out[1 : len(shown)]] == begins
    reached, promised = map(int, out[-1].split())
    assert reached <= promised


@pytest.mark.parametrize("example", EXAMPLES, ids=["tune", "compare", "study"])
def test_the_examples_shown_run_and_say_what_is_shown(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words, shown in steps_of(example):
        if ">" in words:
            *command, _, to = words
            main(command)
            Path(to).write_text(shortened(capsys.readouterr().out), encoding="utf-8")
            continue
        main([*words, *without_repeats(words)])
        assert capsys.readouterr().out.splitlines()[: len(shown)] == shown
        for line in shown:
            if line.startswith("page"):
                assert Path(line.split()[1]).read_text(encoding="utf-8").startswith("<!doctype")


def shortened(study):
    """Return the template of a study with one small data set and a few steps."""
    for old, new in (
        ('"digits",', '{ name = "digits", rows = 30 },'),
        ('    { name = "diabetes", rows = 200, standardize = true, dedupe = true },\n', ""),
        ("widths = [250, 500]", "widths = [20]"),
        ("steps = 100", "steps = 5"),
    ):
        assert study.count(old) == 1
        study = study.replace(old, new)
    return study


def without_repeats(words):
    """Options that make a command quick, save those that it gives itself."""
    pairs = SMALL.get(words[0], [])
    return [
        word
        for option, value in zip(pairs[::2], pairs[1::2], strict=True)
        if option not in words
        for word in (option, value)
    ]


def test_the_number_of_statements_is_that_of_the_catalogue():
    from inertial.theory.catalog import CATALOG

    (number,) = re.findall(r"(\d+) statements, those of five papers", TEXT)
    page = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
    assert int(number) == len(CATALOG)
    assert re.findall(r"(\d+) statements", page) == [number]


def test_the_steps_of_the_figure_are_those_of_the_recommendation():
    (steps,) = re.findall(r"^Use .* (\d+) steps to 0\.01", TEXT, re.MULTILINE)
    script = (ROOT / "docs" / "images" / "momentum.py").read_text(encoding="utf-8")
    assert f"STEPS = {steps}\n" in script
    assert f"after {steps} steps" in TEXT


def test_the_make_targets_shown_exist():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"^make ([a-z]+)", TEXT, re.MULTILINE)
    assert shown
    assert set(shown) <= set(targets)


def test_the_files_named_are_there_and_small():
    named = [*re.findall(r'(?:src|srcset)="([^"]+)"', TEXT), *re.findall(r"\]\(([^)]+)\)", TEXT)]
    assert len(named) >= 4
    for name in named:
        if name.startswith("https://"):
            continue
        # A page that loads in a blink, also over a slow line.
        assert 0 < (ROOT / name).stat().st_size < 300_000
