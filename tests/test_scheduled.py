"""The rule `optimal`: what is printed is the schedule, and what is promised its forecast."""

import dataclasses
import json

import numpy as np
import pytest

from helpers import run
from inertial import (
    InvalidInput,
    Settings,
    TwoLayerReLU,
    compare,
    forecast_loss,
    heavy_ball,
    load,
    measure_of,
    optimal_schedule,
    train,
    trust,
    tune,
)
from inertial.commands.documents import of_schedule
from inertial.method.trust import HOLDS
from inertial.runs import scheduled
from inertial.runs.trials import held


@pytest.fixture(scope="module")
def data():
    return load("digits", n=40)


@pytest.fixture(scope="module")
def advice(data):
    return tune(data, "optimal", width=1000)


def test_the_advice_is_the_forecast_of_the_schedule(data, advice):
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


@pytest.fixture(scope="module")
def hard():
    """So large targets, and so narrow a network, that no promise is kept."""
    return load("diabetes", n=40, standardize=False)


@pytest.fixture(scope="module")
def missed(hard):
    return tune(hard, "optimal", width=100, target=0.1, trials=8)


def test_where_the_schedule_gets_there_late_constants_are_searched(hard, missed):
    assert missed.check.late
    assert 1 <= len(missed.searched) <= 7
    found = missed.replaced
    assert found.settles == min(r.settles for r in missed.searched if r.settles is not None)
    assert missed.check.measured is None or found.settles < missed.check.measured
    run = train(
        TwoLayerReLU(100, hard.x.shape[1]), hard.x, hard.y, missed.setting,
        seed=0, steps=found.settles + held(found.settles),
    )  # fmt: skip
    # It settles there, up to single precision.
    assert (run.loss[found.settles :] <= 0.101 * run.loss[0]).all()
    assert run.loss[found.settles - 1] > 0.099 * run.loss[0]


def test_the_faster_constants_are_recommended_in_the_place_of_the_schedule(missed):
    eta, beta, gamma = missed.setting.constant
    begins = f"with eta {eta:.4g}, momentum {beta:.4g}, not the schedule: "
    assert f"{begins}{missed.replaced.measured} steps to 0.1 of" in missed.recommendation
    assert f"the fastest of {1 + len(missed.searched)} settings" in missed.recommendation
    assert f"lr={eta:.6g}, momentum={beta:.6g}" in missed.lines
    assert "RATE" not in missed.table
    assert "eta_t" not in missed.table
    document = of_schedule(missed)
    assert document["setting"] == {"eta": eta, "beta": beta, "gamma": gamma}
    assert document["checks"][0]["method"] == "schedule"
    assert len(document["checks"]) == 1 + len(missed.searched)


def test_constants_beyond_the_limit_are_said_to_be_for_this_start_alone(missed):
    edge = 2 * 1.5 / missed.measure.largest  # 2 (1 + beta)/lambda_max of heavy ball
    method = heavy_ball(1.2 * edge, 0.5)
    found = dataclasses.replace(missed.replaced, name="heavy_ball", method=method, growth=2.66)
    advice = dataclasses.replace(missed, searched=(found,))
    assert advice.recommendation.endswith(
        " settings. Its step is 1.2 times the stability limit: it is for this width and start "
        "alone; its loss first rises to 2.7 times its start."
    )
    document = of_schedule(advice)
    assert (document["share_of_limit"], document["growth"]) == pytest.approx((1.2, 2.66))
    run = dataclasses.replace(missed.check, promised=4, measured=9, growth=2.2, diverged=False)
    kept = dataclasses.replace(missed, check=run, searched=())
    assert kept.share_of_limit is None  # a schedule has a limit at each step
    assert kept.recommendation.endswith("). Its loss first rises to 2.2 times its start.")


def test_the_faster_constants_are_in_frame_and_figure(missed):
    frame, found = missed.to_dataframe(), missed.replaced
    own = frame[frame.recommended]
    assert set(own.method) == {found.name}
    assert set(zip(own.eta, own.beta, own.gamma, strict=True)) == {missed.setting.constant}
    assert list(own.step) == list(frame.step[frame.method == "schedule"])
    losses = forecast_loss(missed.setting, missed.measure, np.arange(len(own)))
    assert np.array_equal(own.loss, losses)
    (axes,) = missed.plot().axes
    drawn = [line.get_ydata() for line in axes.lines]
    assert any(
        len(one) >= len(own) and np.allclose(one[: len(own)], losses / losses[0]) for one in drawn
    )
    marked = ([found.measured], [0.1])
    assert marked in [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]


def test_a_late_schedule_that_is_the_fastest_is_kept_with_its_steps_as_measured(missed):
    (first, *_), run = missed.searched, dataclasses.replace(missed.check, promised=4, measured=9)
    slower = dataclasses.replace(first, measured=9, settles=9)  # of equals the schedule
    advice = dataclasses.replace(missed, check=run, searched=(slower,))
    assert advice.replaced is None
    assert advice.setting == advice.method
    assert advice.recommendation == (
        "Use the optimal schedule: 9 steps to 0.1 of the initial loss, measured on the network "
        "itself (width 100, seed 0), the fastest of 2 settings. Its loss first rises to "
        f"{run.growth:.2g} times its start."
    )
    assert "eta_t" in advice.table


def test_what_no_run_reached_is_not_recommended(hard, missed):
    run = dataclasses.replace(missed.check, measured=None)
    none = tuple(dataclasses.replace(one, measured=None) for one in missed.searched)
    said = dataclasses.replace(missed, check=run, searched=none).recommendation
    assert said.startswith("No setting reached 0.1 of the initial loss on the network itself")
    assert f"{1 + len(none)} tried" in said
    assert missed.trust.remedy.startswith("standardise the targets")
    scale = "Give inputs and targets of mean 0 and variance 1, with --standardize"
    assert said.endswith(f"{scale} (standardize=True).")
    near = dataclasses.replace(missed.trust, remedy="")
    said = dataclasses.replace(missed, check=run, searched=none, trust=near).recommendation
    assert said.endswith("Give a larger target.")
    low = dataclasses.replace(none[0], lowest=0.2, lowest_at=16, steps=30, diverged=False)
    found = dataclasses.replace(missed, check=run, searched=(low,))
    over = dataclasses.replace(found, check=dataclasses.replace(run, lowest=0.3, diverged=False))
    assert over.setting == low.method
    assert "got the lowest, to 0.2 of it at step 16 of 30. Give inputs" in over.recommendation
    under = dataclasses.replace(found, check=dataclasses.replace(run, lowest=0.1, diverged=False))
    assert under.setting == missed.method
    assert "the schedule got the lowest, to 0.1 of it. Give inputs" in under.recommendation
    once = tune(hard, "optimal", width=100, target=0.1, trials=1)
    assert not once.searched
    assert once.recommendation.startswith("The schedule never reached 0.1 of the initial loss")


def test_a_promise_that_is_kept_needs_no_search(advice):
    assert advice.check.kept
    assert not advice.searched
    assert f": {advice.steps_to} steps to 0.01 of the initial loss, forecast" in (
        advice.recommendation
    )
    assert advice.setting == advice.method


def test_a_schedule_that_is_there_early_starts_no_search(data, advice, monkeypatch):
    early = dataclasses.replace(advice.check, promised=20, measured=10)
    monkeypatch.setattr(scheduled, "check", lambda *_, **__: early)
    found = tune(data, "optimal", width=1000)
    assert not found.searched
    assert found.recommendation.startswith("Use the optimal schedule: 10 steps to 0.01 of")


def test_tune_and_compare_say_one_verdict_of_a_schedule(data, advice):
    """By its steepness: its movement times its steps alone would hold."""
    measure = measure_of(data)
    expected = trust(optimal_schedule(measure, 60), measure, 1000)
    assert expected.movement * advice.steps_to < HOLDS < expected.strain
    said = compare(data, Settings(rule="optimal", width=1000, seeds=(0,), steps=60, target=0.01))
    row = next(row for row in said.methods if row.method == "optimal")
    assert row.trust.strain == pytest.approx(expected.strain)
    assert advice.trust.strain >= expected.strain * (1 - 1e-6)
    assert of_schedule(advice)["trust"]["verdict"] == advice.trust.verdict != "holds"
    assert advice.table.startswith(f"Trust: {advice.trust.sentence}")
