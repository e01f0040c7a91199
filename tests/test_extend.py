"""A method is one constructor and its line in a table, a model one function, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.datasets import load_wine

import inertial
from helpers import run
from inertial import ModelSettings, Problem, compare, tune
from inertial.theory.catalog import nesterov

CONSTRUCTOR = '''
def half_corrected(eta: float, beta: float) -> Recursion:
    """Momentum with half of Nesterov's gradient correction."""
    return Recursion(eta, beta, beta / 2)


FAMILIES: dict'''


def test_a_method_is_added_in_one_file_and_tuned_trained_and_reported(tmp_path):
    copy = tmp_path / "src" / "inertial"
    shutil.copytree(Path(inertial.__file__).parent, copy)
    file = copy / "method" / "recursion.py"
    text = file.read_text(encoding="utf-8").replace("\nFAMILIES: dict", CONSTRUCTOR, 1)
    line = '    "quasi_hyperbolic": quasi_hyperbolic,\n'
    assert line in text
    added = line + line.replace("quasi_hyperbolic", "half_corrected")
    file.write_text(text.replace(line, added), encoding="utf-8")

    def command(*words):
        done = subprocess.run(
            [sys.executable, "-m", "inertial", *words],
            env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    words = ("--methods", "gradient_descent,half_corrected", "--width", "200", "--seeds", "1")
    told = command(
        "compare", "digits", "--n", "40", *words, "--steps", "40", "--out", "r", "--json"
    )
    plain, own = json.loads(told)["methods"]
    assert 0 < own["gamma"] == pytest.approx(own["beta"] / 2)
    assert own["loss_last_mean"] < plain["loss_last_mean"] < plain["loss_first"]
    assert own["steps_to"]["0.01"]["predicted"] < plain["steps_to"]["0.01"]["predicted"]
    command("report", "r", "-o", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<span class="swatch c-half_corrected"></span>half corrected' in page
    verdicts = {
        one["theorem"]: one["verdict"] for one in json.loads(command("audit", "r", "--json"))
    }
    of_a_run = [one.key for one in nesterov.THEOREMS if one.scope == "run"]
    assert {verdicts[key] for key in of_a_run} == {"not applicable"}


def test_an_ordinary_function_is_tuned_compared_and_reported(tmp_path, capsys):
    x, y = load_wine(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0))[::3]
    first, second = jax.random.split(jax.random.key(1))
    params = (jax.random.normal(first, (13, 20)) / 4, jax.random.normal(second, (20, 3)) / 4)
    problem = Problem.from_apply(
        lambda w, x: jax.numpy.tanh(x @ w[0]) @ w[1], params, x, y[::3], loss="cross_entropy"
    )
    advice = tune(problem, target=0.2, trials=4)
    assert advice.checked
    settings = ModelSettings(
        methods=("heavy_ball", "nesterov"), steps=20, eta=0.5, beta=0.8, target=0.2
    )
    result = compare(problem, settings, out=tmp_path / "run")
    assert np.isfinite(result.arrays.loss.isel(step=-1)).all()
    code, _, err = run(capsys, "report", tmp_path / "run", "-o", tmp_path / "page.html")
    assert code == 0, err
    assert "under the loss cross_entropy" in (tmp_path / "page.html").read_text(encoding="utf-8")
