"""Advice for batches: its numbers are those of the forecast, and mistakes are one sentence."""

import json

import numpy as np
import pytest

from helpers import run
from inertial import (
    InvalidInput,
    Settings,
    batch_sizes,
    forecast_batches,
    load,
    measure_of,
    movement,
    stability_limit,
    trust,
    tune,
)
from inertial.method.batch import distance_on_batches, excess
from inertial.method.recursion import Recursion


@pytest.fixture(scope="module")
def data():
    return load("digits", n=40)


@pytest.fixture(scope="module")
def advice(data):
    return tune(data, batch=5, width=300)


def test_every_number_is_that_of_the_forecast(data, advice):
    measure = measure_of(data)
    assert advice.sizes == batch_sizes(measure)
    for entry in advice.methods:
        loss = forecast_batches(entry.method, measure, 5, entry.steps_to + 20).loss
        # The search runs on merged modes: one step apart at most on these 40 rows.
        reached = int(np.flatnonzero(loss <= 0.01 * loss[0])[0])
        assert entry.steps_to == pytest.approx(reached, abs=1)
        assert entry.samples_to == 5 * entry.steps_to
        eta, beta, gamma = entry.method.constant
        assert eta < entry.eta_limit
        for share, grows in ((0.999, False), (1.001, True)):
            at = Recursion(share * entry.eta_limit, beta, gamma)
            assert (excess(at, measure, 5) > 1) == grows
    assert advice.best.steps_to == min(entry.steps_to for entry in advice.methods)


def test_the_best_setting_is_trained_on_such_batches(advice):
    made = advice.check
    assert (made.method, made.width, made.seed) == (advice.best.method, 300, 0)
    assert made.measured is not None
    assert not made.diverged


def test_the_best_setting_is_judged_on_such_batches(data, advice):
    """Noise moves the weights farther; the more doubtful of mean and start decides."""
    measure, best = measure_of(data), advice.best
    steps = forecast_batches(best.method, measure, 5, 100).steps_to(0.01)
    far = distance_on_batches(best.method, measure, 5, steps).max() / 300**0.5
    assert advice.trust.width == 300
    assert advice.trust.strain >= 0.999 * far * steps
    assert far > movement(best.method, measure, 300, steps).max()
    needed = advice.trust.width_needed
    wide = tune(data, batch=5, width=needed, trials=0).trust
    assert (advice.trust.verdict, wide.verdict) == ("does not hold here", "holds")


def test_a_batch_of_all_rows_has_no_noise(data):
    full = tune(data, batch=40, trials=0)
    best = full.best
    own = trust(best.method, full.measure, 2000, rows=40)
    assert full.trust.strain >= own.strain * (1 - 1e-9)
    assert full.check is None
    for entry in full.methods:
        limit = stability_limit(entry.method) / full.measure.largest
        assert entry.eta_limit == pytest.approx(limit, rel=1e-9)


@pytest.mark.parametrize(
    ("batch", "remedy"),
    [(b, r"a whole number .* from 1 to 40") for b in (0, -1, 41)] + [(True, "a number")],
)
def test_a_batch_that_makes_no_sense_is_refused_before_the_work(data, batch, remedy):
    with pytest.raises(InvalidInput, match=rf"batch is .*; give {remedy}\."):
        tune(data, batch=batch)


def test_a_batch_is_for_data_and_has_its_own_rule(data):
    with pytest.raises(InvalidInput, match="leave out the batch or the rule"):
        tune(data, "paper", batch=5)
    with pytest.raises(InvalidInput, match="a batch is for a problem or data"):
        tune(measure_of(data), batch=5)


def test_more_rows_than_can_be_decomposed_are_refused(data, monkeypatch):
    from inertial.linear.expected import need_of
    from inertial.runs import batches

    class Large:
        route = "krylov"

    assert need_of(data.x).route == "dense"
    monkeypatch.setattr(batches, "need_of", lambda _: Large)
    with pytest.raises(InvalidInput, match="take fewer rows, with n"):
        tune(data, batch=5)


def test_the_command_prints_steps_samples_and_sizes(capsys):
    code, out, err = run(capsys, "tune", "digits", "--n", 40, "--batch", 5, "--trials", 0)
    assert code == 0, err
    trust, first, checked, sizes, *rest = out.splitlines()
    assert trust.startswith("Trust: the forecast ")
    assert first.startswith("On batches of 5 use ")
    assert "samples, to 0.01 of the initial loss, forecast at infinite width" in first
    assert checked == "Unchecked: no network was trained."
    assert sizes.startswith("Noise limits the step on batches below ")
    code, text, _ = run(capsys, "tune", "digits", "--n", 40, "--batch", 5, "--trials", 0, "--json")
    document = json.loads(text)
    best = min(document["methods"], key=lambda row: row["steps_to"])
    # For a mean over the batch the step is that of the sum over all rows, times the rows.
    assert any(f"learning_rate={40 * best['eta']:.6g}, " in line for line in rest)
    assert set(document) == {
        "trust", "recommendation", "batch", "target", "data", "sizes", "checks", "methods",
    }  # fmt: skip
    assert best["samples_to"] == 5 * best["steps_to"]
    assert document["checks"] == []


@pytest.mark.parametrize("other", [{}, {"batch": 5}, {"rule": "optimal"}])
def test_a_target_that_training_cannot_show_is_refused(data, other):
    """Below the square of float32's unit roundoff, 2^-24; a forecast alone has float64."""
    with pytest.raises(
        InvalidInput, match=r"target is 3\.5e-15, .* float32 .* 3\.6e-15 .*trials 0"
    ):
        tune(data, target=3.5e-15, **other)
    if other != {"rule": "optimal"}:  # such a schedule is longer than the rule makes any
        assert tune(data, target=3.5e-15, trials=0, **other).target == 3.5e-15


def test_a_comparison_shows_a_smaller_target_in_float64():
    with pytest.raises(InvalidInput, match="the precision float64"):
        Settings(target=1e-20)
    assert Settings(target=1e-20, precision="float64").target == 1e-20
    with pytest.raises(InvalidInput, match=r"float64 is not seen below 1\.2e-32"):
        Settings(target=1e-33, precision="float64")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch", 0], "batch is 0; give a whole number of rows from 1 to 40"),
        (["--batch", 41], "batch is 41; give a whole number of rows from 1 to 40"),
        (["--batch", 2.5], "give a whole number"),
        (["--batch", 5, "--rule", "paper"], "leave out --rule and --spectrum"),
        (["--batch", 5, "--spectrum", "s.npy"], "leave out --rule and --spectrum"),
    ],
)
def test_a_mistake_is_one_sentence(capsys, words, message):
    code, out, err = run(capsys, "tune", "digits", "--n", 40, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
