"""The README's Python runs and its commands exist."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    code = code.replace("seeds=(0, 1)", "width=50, seeds=(0, 1)")
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "heavy_ball" in out or "nesterov" in out
    assert "<xarray.DataArray 'loss'" in out


def test_the_recommendation_shown_is_the_one_given(tmp_path):
    command, shown = re.search(r"\$ \.venv/bin/inertial (tune .*)\n(Use .*)\n", TEXT).groups()
    out = subprocess.run(
        [sys.executable, "-m", "inertial.cli", *command.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert out.splitlines()[0] == shown


def test_the_make_targets_shown_exist():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"^make ([a-z]+)", TEXT, re.MULTILINE)
    assert shown
    assert set(shown) <= set(targets)
