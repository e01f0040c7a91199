"""The rule `optimal`: what is printed is the schedule, and what is promised its forecast."""

import json

import numpy as np
import pytest

from helpers import run
from inertial import InvalidInput, forecast_loss, load, measure_of, optimal_schedule, tune


@pytest.fixture(scope="module")
def data():
    return load("digits", n=40)


def test_the_advice_is_the_forecast_of_the_schedule(data):
    advice = tune(data, "optimal", width=1000)
    measure, steps = measure_of(data), advice.steps_to
    loss = forecast_loss(advice.method, measure, np.arange(steps + 1))
    assert loss[steps] <= 0.01 * loss[0] < loss[steps - 1]
    assert advice.bound <= steps <= tune(data, trials=0).best.steps_to
    assert advice.method == optimal_schedule(measure, 3 * steps)
    assert advice.check.method == advice.method
    assert advice.check.measured is not None


def test_a_target_that_it_does_not_reach_is_refused(data):
    with pytest.raises(InvalidInput, match="take a larger target, or the rule forecast"):
        tune(data, "optimal", target=1e-300, trials=0)


def test_the_lines_to_copy_hold_the_schedule(capsys):
    words = ("tune", "digits", "--n", 40, "--rule", "optimal", "--trials", 0)
    code, out, err = run(capsys, *words)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("Trust: the forecast ")
    assert lines[1].startswith("Use the optimal schedule: ")
    assert lines[2] == "Unchecked: no network was trained."
    rate = next(line for line in lines if line.startswith("RATE = "))
    document = json.loads(run(capsys, *words, "--json")[1])
    (method,) = document["methods"]
    assert (method["method"], method["rule"]) == ("schedule", "optimal")
    assert np.allclose(json.loads(rate.removeprefix("RATE = ")), method["eta"], rtol=1e-8)
    compile(out[out.index("class Schedule") : out.index("optimizer = keras")], "copied", "exec")
