"""Advice for batches: its numbers are those of the forecast, and mistakes are one sentence."""

import dataclasses
import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from helpers import run
from inertial import (
    InvalidInput,
    Settings,
    TwoLayerReLU,
    batch_sizes,
    compare,
    forecast_batches,
    initial_residual,
    load,
    measure_of,
    movement,
    stability_limit,
    steps_to,
    train,
    trust,
    tune,
)
from inertial.commands.documents import of_batch
from inertial.linear.expected import spectrum_of
from inertial.method.batch import distance_on_batches, excess, largest_step
from inertial.method.recursion import Recursion
from inertial.runs import batches
from inertial.runs.check import judged, start_measure
from inertial.runs.exploration import explore
from inertial.runs.trials import held


@pytest.fixture(scope="module")
def data():
    return load("digits", n=40)


@pytest.fixture(scope="module")
def advice(data):
    return tune(data, batch=5, width=300, trials=1)


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


def test_the_promise_is_that_of_the_expected_loss_from_the_start(data, advice):
    spectrum, measure = spectrum_of(data)
    residual = initial_residual(TwoLayerReLU(300, data.x.shape[1]), data.x, data.y, seed=0)
    own, method = start_measure(spectrum, residual), advice.best.method
    promised = forecast_batches(method, own, 5, 3000).steps_to(0.01)
    assert advice.check.promised == promised
    others = steps_to(method, own, 0.01), forecast_batches(method, measure, 5, 3000).steps_to(0.01)
    assert promised not in others


def test_a_run_that_is_there_early_starts_no_search(data, advice, monkeypatch):
    early = dataclasses.replace(advice.check, promised=20, measured=10)
    monkeypatch.setattr(batches, "check", lambda *_, **__: early)
    found = tune(data, batch=5, width=300)
    assert found.check is early
    assert found.searched is None
    assert ": 10 steps, 50 samples, to 0.01" in found.recommendation


def test_the_more_doubtful_of_mean_and_start_is_said(data, advice):
    spectrum, measure = spectrum_of(data)
    method, mean = advice.best.method, trust(advice.best.method, measure, 300, rows=40, batch=5)
    starts = []
    for seed in range(6):
        residual = initial_residual(TwoLayerReLU(300, data.x.shape[1]), data.x, data.y, seed=seed)
        own = start_measure(spectrum, residual)
        starts.append(trust(method, own, 300, batch=5).strain)
        found = judged(method, measure, own, 300, rows=40, batch=5)
        assert found.strain == pytest.approx(max(mean.strain, starts[-1]))
    assert min(starts) < mean.strain < max(starts)


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


@pytest.fixture(scope="module")
def hard():
    """So large targets, and so narrow a network, that no promise is kept."""
    return load("diabetes", n=40, standardize=False)


@pytest.fixture(scope="module")
def missed(hard):
    return tune(hard, batch=20, width=20, trials=6)


def test_where_the_promise_is_not_kept_settings_are_searched_on_the_same_batches(hard, missed):
    assert not missed.check.kept
    assert missed.check.measured is None or missed.check.measured > missed.check.promised
    found = missed.searched.best
    assert 1 <= len(missed.searched.trials) <= 5
    assert missed.replaced is found
    assert missed.setting == found.method
    assert missed.check.measured is None or found.measured_steps < missed.check.measured
    run = train(
        TwoLayerReLU(20, hard.x.shape[1]), hard.x, hard.y, missed.setting,
        seed=0, steps=found.measured_steps + held(found.measured_steps), batch=20,
    )  # fmt: skip
    # The same rows at each step: it settles there, up to single precision.
    assert (run.loss[found.measured_steps :] <= 0.0101 * run.loss[0]).all()
    assert run.loss[found.measured_steps - 1] > 0.0099 * run.loss[0]


def test_what_the_search_found_is_what_is_recommended(missed):
    eta, beta, _ = missed.setting.constant
    losses, stays = missed.searched.best.losses, missed.searched.best.measured_steps
    steps, first = int(np.argmax(losses <= 0.01 * losses[0])), missed.recommendation
    assert steps < stays
    assert (missed.steps, missed.steps_are) == (steps, "measured")
    assert f"eta {eta:.4g}, momentum {beta:.4g}: {steps} steps, {20 * steps:,} samples," in first
    assert f", where it stays from {stays} (on {len(missed.searched.draws)} other draws: " in first
    assert f"the fastest of {1 + len(missed.searched.trials)} settings" in first
    # For a mean over the batch the step is that of the sum over all rows, times the rows.
    assert f"lr={40 * eta:.6g}, momentum={beta:.6g}" in missed.lines
    document = of_batch(missed)
    assert document["setting"]["eta"] == eta
    assert (document["search"]["measured"], document["search"]["settles"]) == (steps, stays)
    assert (document["steps"], document["steps_are"]) == (steps, "measured")


def test_a_setting_found_beyond_the_limit_is_said_to_be_for_this_start_alone(missed):
    best = missed.searched.best
    limit = largest_step(best.name, best.method.beta, missed.measure, 20)
    method = dataclasses.replace(best.method, eta=1.25 * limit)
    losses = best.losses.copy()
    losses[1] = 3.14 * losses[0]
    found = dataclasses.replace(best, method=method, losses=losses)
    searched = dataclasses.replace(missed.searched, best=found)
    advice = dataclasses.replace(missed, searched=searched)
    assert advice.replaced is found
    assert advice.recommendation.endswith(
        " settings. Its step is 1.25 times the stability limit: it is for this width and start "
        "alone; its loss first rises to 3.1 times its start."
    )
    document = of_batch(advice)
    assert (document["share_of_limit"], document["growth"]) == pytest.approx((1.25, 3.14))
    run = dataclasses.replace(missed.check, growth=2.5, diverged=False)
    alone = dataclasses.replace(missed, check=run, searched=None)
    assert alone.recommendation.endswith(" Its loss first rises to 2.5 times its start.")


def test_what_the_search_found_is_in_table_frame_and_figure(missed):
    frame, run = missed.to_dataframe(), missed.searched.best
    (row,) = frame[frame.recommended].itertuples()
    assert (row.eta, row.beta, row.gamma) == missed.setting.constant
    assert (row.rule, row.measured_steps) == ("trials", missed.steps)
    assert row.eta_limit == largest_step(run.name, row.beta, missed.measure, 20)
    forecast = forecast_batches(missed.setting, missed.measure, 20, 2000)
    steps = forecast.steps_to(0.01)
    assert (row.steps, row.samples) == ((pd.NA, pd.NA) if steps is None else (steps, 20 * steps))
    first = frame[(frame.method == missed.best.name) & (frame.rule == "forecast")]
    assert first.measured_steps.isna().item() == (missed.check.measured is None)
    lines = {line.split("  ")[0]: line.split() for line in missed.table.splitlines()}
    assert lines["eta"][-1] == f"{row.eta:.5g}"
    assert lines["rule"][1:] == list(frame.rule)
    assert lines["steps, measured"][-1] == str(missed.steps)
    assert lines["measured, stays from"][-1] == str(run.measured_steps)
    (axes,) = missed.plot().axes
    losses = forecast.loss / forecast.loss[0]
    drawn = [line.get_ydata() for line in axes.lines]
    assert any(len(one) > 2 and np.allclose(one, losses[: len(one)]) for one in drawn)
    marked = ([20 * missed.steps], [0.01])
    assert marked in [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]


def test_where_no_setting_gets_there_it_says_so(hard):
    advice = tune(hard, batch=20, width=20, trials=3, target=1e-4)
    assert advice.recommendation.startswith("No setting reached 0.0001 of the initial loss")
    assert "3 tried" in advice.recommendation
    found = advice.searched.best.losses
    low = min(advice.check.lowest, found.min() / found[0])
    if advice.replaced is not None:
        when, last = int(found.argmin()), len(found) - 1
        said = f"in {last:,} steps" if when == last else f"at step {when:,} of {last:,}"
        assert f"got the lowest, to {low:.3g} of it {said}" in advice.recommendation
    assert f"got the lowest, to {low:.3g} of it " in advice.recommendation
    assert advice.trust.remedy.startswith("standardise the targets")
    assert advice.recommendation.endswith(
        "Give inputs and targets of mean 0 and variance 1, with --standardize (standardize=True)."
    )
    near = dataclasses.replace(advice, trust=dataclasses.replace(advice.trust, remedy=""))
    assert near.recommendation.endswith("Give a larger target or batch.")
    assert (advice.replaced is None) == (low == advice.check.lowest)
    one = tune(hard, batch=20, width=20, trials=1, target=1e-4)
    assert one.recommendation.startswith("No setting reached")
    assert one.setting == one.best.method


def test_a_promise_that_does_not_hold_is_not_what_is_recommended():
    data = load("diabetes", n=60)
    advice = tune(data, batch=20, width=100, target=0.05, trials=1)
    assert not advice.check.kept
    steps = advice.check.measured
    assert f": {steps} steps, {20 * steps} samples, to 0.05" in advice.recommendation
    assert "measured on the network itself (width 100, seed 0)." in advice.recommendation


def test_one_trial_is_one_run(hard):
    advice = tune(hard, batch=20, width=20, trials=1)
    assert not advice.check.kept
    assert advice.check is not None
    assert advice.searched is None


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
    with pytest.raises(InvalidInput, match="a batch has a rule of its own; leave out the rule"):
        tune(data, "paper", batch=5)
    with pytest.raises(InvalidInput, match="a measure, which has no rows"):
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
    assert re.fullmatch(
        r"Noise limits the step more than curvature does on batches below about [\d.]+ rows, with "
        r"momentum also above; constant momentum pays nearly in full "
        r"(from about [\d,]+ rows on|on no batch short of all rows)\.",
        sizes,
    )
    code, text, _ = run(capsys, "tune", "digits", "--n", 40, "--batch", 5, "--trials", 0, "--json")
    document = json.loads(text)
    best = min(document["methods"], key=lambda row: row["steps_to"])
    # For a mean over the batch the step is that of the sum over all rows, times the rows.
    assert any(f"learning_rate={40 * best['eta']:.6g}, " in line for line in rest)
    assert set(document) == {
        "trust", "recommendation", "setting", "search", "batch", "target", "data", "sizes",
        "checks", "methods", "steps", "steps_are", "share_of_limit", "growth",
    }  # fmt: skip
    assert best["samples_to"] == 5 * best["steps_to"]
    assert (document["checks"], document["search"]) == ([], None)


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


@pytest.mark.parametrize(("normalize", "batch"), [(False, 4), (True, 4), (False, 40)])
def test_rows_of_uneven_length_have_a_notice_and_its_remedy_is_one(normalize, batch):
    """Followed, the remedy leaves none: rows have length 1.  All of them as a batch have none."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((40, 6)) * rng.lognormal(0, 0.8, (40, 1))
    data = load(x, np.sin(x[:, 0]), normalize=normalize)
    said = r"the longest row has .* times the mean .*leave out --no-normalize \(normalize=False\)"
    two = ("gradient_descent", "heavy_ball")
    small = Settings(width=50, seeds=(0,), steps=2, batch=batch, methods=two)
    calls = (
        lambda: tune(data, batch=batch, target=0.5, width=50, trials=0),
        lambda: compare(data, small),
        lambda: explore(data, small),
    )
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert any(re.search(said, str(one.message)) for one in caught) == (
            not normalize and batch < 40
        )
