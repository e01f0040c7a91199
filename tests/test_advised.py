"""Advice as people read it: a table, a frame, a figure; for data, arrays and measures alike."""

import dataclasses
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from inertial import (
    MLP,
    InvalidInput,
    Measure,
    Problem,
    extremes,
    forecast_loss,
    heavy_ball,
    infinite_gram,
    load,
    measure_of,
    nesterov,
    plot_measure,
    tune,
)
from inertial._checks import Notice
from inertial.commands.documents import of_advice
from inertial.linear.spectrum import decompose
from inertial.method.bound import unreachable_share
from inertial.method.recursion import gradient_descent, label
from inertial.runs import check
from inertial.runs.shown import Curve, called, draw, mark, of_steps
from inertial.runs.trials import settled


@pytest.fixture(scope="module")
def data():
    return load("digits", n=40)


@pytest.fixture(scope="module")
def results(data):
    """One of each kind of advice for data."""
    return {
        "Advice": tune(data, target=0.05, trials=1, width=100),
        "BatchAdvice": tune(data, batch=10, target=0.1, trials=0),
        "ScheduleAdvice": tune(data, "optimal", target=0.1, trials=0),
    }


@pytest.mark.parametrize("kind", ["Advice", "BatchAdvice", "ScheduleAdvice"])
def test_advice_prints_as_its_table_and_is_one_sentence_on_a_prompt(results, kind):
    advice = results[kind]
    text = str(advice)
    assert text == advice.table
    assert advice.recommendation in text.splitlines()
    assert "optax." in text
    assert repr(advice) == f"<{kind}: {advice.recommendation}>"


def test_without_momentum_the_winner_is_called_gradient_descent():
    equal = tune(Measure(np.ones(2), np.ones(2)))
    assert equal.setting.beta == 0
    assert equal.recommendation.startswith("Use gradient descent with eta 1: 1 step to 0.01")
    assert "gradient descent: 1" not in equal.recommendation  # nothing beside itself
    assert {entry.method.constant for entry in equal.methods} == {(1.0, 0.0, 0.0)}
    assert called("heavy_ball", (1.0, 0.0, 0.0)) == "gradient descent"
    assert called("adam", (0.1, 0.0, 0.0)) == "Adam"  # which is something else without momentum
    uneven = tune(Measure(np.array([1.0, 100.0]), np.ones(2)))
    assert uneven.recommendation.startswith(f"Use heavy ball with eta {uneven.setting.eta:.4g}, m")


def test_columns_keep_their_methods_names_where_none_has_momentum():
    for spectrum, said in (
        ([3.0], "the given kernel: 1 eigenvalue, 3, condition number 1"),
        ([2.0, 2.0], "the given kernel: 2 eigenvalues, all 2, condition number 1"),
    ):
        lines = tune(spectrum=spectrum).table.splitlines()
        at = lines.index(said)
        assert re.split(" {2,}", lines[at + 1].strip()) == [
            *("gradient descent", "heavy ball", "Nesterov")
        ]
        assert "without momentum (beta 0) every method is gradient descent" in lines
    uneven = tune(Measure(np.array([1.0, 100.0]), np.ones(2))).table
    assert "2 eigenvalues, 1 to 100, condition" in uneven
    assert "without momentum" not in uneven


def test_one_step_is_one_step():
    said = tune(spectrum=[1.0, 1.0], target=0.5).recommendation
    assert ": 1 step to 0.5 of" in said
    assert [of_steps(x) for x in (1, 1.0, 2.5, 1200, None)] == [
        *("1 step", "1 step", "2.5 steps", "1,200 steps"),
        "- steps",
    ]


def test_a_checked_run_without_momentum_is_called_gradient_descent(results):
    advice = results["Advice"]
    (run,) = advice.checks
    assert run.name != "gradient_descent"
    assert f"): {label(run.name)} promised" in advice.checked
    still = dataclasses.replace(run, method=gradient_descent(0.1))
    assert "): gradient descent promised" in check.said(still)


def test_a_checked_setting_that_is_not_the_one_to_use_is_named(results):
    advice = results["Advice"]
    (run,) = advice.checks
    assert run.method == advice.setting
    other = dataclasses.replace(run, method=heavy_ball(0.125, 0.75))
    assert dataclasses.replace(advice, checks=(other, run)).measured is other  # of equals
    later = dataclasses.replace(other, measured=other.measured + 1, settles=other.measured + 1)
    found = dataclasses.replace(advice, checks=(later, run)).checked
    assert f"): {label(run.name)} with eta 0.125, momentum 0.75 promised" in found


def test_what_no_run_reached_is_no_recommendation(results):
    advice = results["Advice"]
    (run,) = advice.checks
    missed = dataclasses.replace(run, measured=None, lowest=0.3)
    for checks, begins in {
        (missed,): "The forecast setting never reached 0.05 of the initial loss",
        (missed, missed): "No setting reached 0.05 of the initial loss",
    }.items():
        said = dataclasses.replace(advice, checks=checks).recommendation
        assert said.startswith(begins)
        assert "Give a larger target" in said
    assert dataclasses.replace(advice, checks=(missed, run)).recommendation.startswith("Use ")


def test_where_no_run_reached_the_target_the_lowest_is_there_to_copy(results):
    advice = results["Advice"]
    (run,) = advice.checks
    missed = dataclasses.replace(run, measured=None, lowest=0.3)
    lower = dataclasses.replace(
        missed, name="nesterov", method=nesterov(0.01, 0.5), lowest=0.2, lowest_at=70, steps=70
    )
    diverged = dataclasses.replace(missed, lowest=0.1, diverged=True)
    found = dataclasses.replace(advice, checks=(missed, lower, diverged))
    assert found.nearest is lower
    assert found.setting == lower.method
    low = "Nesterov with eta 0.01, momentum 0.5 got the lowest, to 0.2 of it in 70 steps."
    assert low in found.recommendation
    passed = dataclasses.replace(lower, lowest_at=12)
    assert f"{low.removesuffix('in 70 steps.')}at step 12 of 70." in (
        dataclasses.replace(advice, checks=(missed, passed)).recommendation
    )
    assert "lr=0.01, momentum=0.5" in found.lines
    assert dataclasses.replace(advice, checks=(missed, run)).nearest is None
    nowhere = dataclasses.replace(advice, checks=(diverged, diverged))
    assert "all diverged. Give a larger target." in nowhere.recommendation


def test_where_the_targets_scale_is_in_the_way_both_sentences_name_the_same_remedy():
    hard = load("diabetes", n=40, standardize=False)
    advice = tune(hard, target=1e-4, width=20, trials=3)
    assert advice.measured is None
    assert "standardise the targets" in advice.best.trust.sentence
    assert advice.recommendation.endswith(
        "Give inputs and targets of mean 0 and variance 1, with --standardize (standardize=True)."
    )
    assert "larger target" not in advice.table


@pytest.mark.parametrize("kind", ["Advice", "BatchAdvice", "ScheduleAdvice"])
def test_a_notebook_gets_the_table_with_names_escaped(results, kind):
    advice = results[kind]
    named = dataclasses.replace(
        advice, data=dataclasses.replace(advice.data, name="<b>\x1b[31m.csv")
    )
    page = named._repr_html_()
    assert page.startswith("<pre>")
    assert "<b>" not in page
    assert "\x1b" not in page
    if kind != "ScheduleAdvice":  # which names its rows, not its data
        assert r"&lt;b&gt;\x1b[31m.csv" in page


def test_frames_hold_what_the_entries_hold(results):
    frame = results["Advice"].to_dataframe()
    for row, entry in zip(frame.itertuples(), results["Advice"].methods, strict=True):
        assert (row.method, row.eta, row.steps) == (entry.name, entry.method.eta, entry.steps_to)
    checked = frame.set_index("method").measured_steps.dropna()
    (run,) = results["Advice"].checks
    assert checked.to_dict() == {run.name: run.measured}
    batches = results["BatchAdvice"].to_dataframe()
    assert (batches.samples == 10 * batches.steps).all()
    schedule = results["ScheduleAdvice"]
    assert schedule.to_dataframe().loss.is_monotonic_decreasing
    assert len(schedule.to_dataframe()) == schedule.method.steps


@pytest.mark.parametrize("kind", ["Advice", "BatchAdvice", "ScheduleAdvice"])
def test_a_figure_shows_the_forecast_and_leaves_the_readers_settings(results, kind, tmp_path):
    before = dict(mpl.rcParams)
    with mpl.rc_context({"text.usetex": True, "axes.facecolor": "red"}):
        figure = results[kind].plot()
        figure.savefig(tmp_path / "figure.png")
        assert mpl.rcParams["axes.facecolor"] == "red"
    assert dict(mpl.rcParams) == before
    (axes,) = figure.axes
    assert axes.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    first = axes.get_lines()[0]
    assert first.get_ydata()[0] == 1.0
    assert first.get_ydata().min() <= results[kind].target


@pytest.mark.parametrize("methods", [2, 6])
def test_a_legend_of_many_names_is_below_the_curves(methods):
    losses = np.geomspace(1, 1e-3, 50)
    figure = draw([Curve(f"method {i}", losses, label=f"method {i}") for i in range(methods)])
    figure.canvas.draw()
    axes = figure.axes[0]
    if methods == 2:
        assert axes.get_legend() is not None
        return
    (legend,) = figure.legends
    assert axes.get_legend() is None
    assert legend.get_window_extent().y1 < axes.get_tightbbox().y0
    assert len(legend.get_texts()) == methods


def test_a_notebook_shows_a_figure_whatever_its_backend_is(results, tmp_path):
    """A kernel without %matplotlib inline knows figures of pyplot alone."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(results["Advice"].plot()._repr_png_())
    shown = mpl.image.imread(picture)
    assert min(shown.shape[:2]) > 300
    assert shown[..., :3].std() > 0.05


@pytest.mark.parametrize("steps", [1, 4, 40, 60, 96])
def test_the_words_of_a_mark_are_inside_the_axes(steps):
    """Left of its dot there is no room where it is near the start, and right of it near the end."""
    figure = draw([Curve("heavy_ball", np.geomspace(1, 1e-4, 101))], target=0.01)
    mark(figure, steps, 0.01, ", measured")
    figure.canvas.draw()
    (words,) = figure.axes[0].texts
    inside, box = figure.axes[0].get_window_extent(), words.get_window_extent()
    assert inside.x0 < box.x0 < box.x1 < inside.x1


def test_arrays_frames_and_names_are_tuned_like_what_load_returns():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    expected = tune(load(x, y), trials=0).methods
    assert tune(x, y, trials=0).methods == expected
    assert tune(x.tolist(), y.tolist(), trials=0).methods == expected
    frame = pd.DataFrame(x, columns=list("abcd"))
    of_frame = tune(load(frame, pd.Series(y)), "paper", trials=0)
    assert tune(frame, pd.Series(y), rule="paper", trials=0).methods == of_frame.methods
    assert tune(frame, y=pd.Series(y), rule="paper", trials=0).methods == of_frame.methods
    assert tune("digits", "paper", trials=0).data == load("digits").provenance


def test_a_given_spectrum_is_tuned_as_that_of_data_is(data):
    """The measure decides: the expected one of data, passed back in, gives the same methods."""
    measure = measure_of(data)
    expected = tune(data, trials=0)
    shuffled = np.random.default_rng(0).permutation(len(measure.nodes))
    for advice in (
        tune(measure),
        tune(spectrum=measure.nodes[shuffled], weights=measure.weights[shuffled]),
    ):
        assert [m.steps_to for m in advice.methods] == [m.steps_to for m in expected.methods]
        assert advice.best.method.constant == pytest.approx(expected.best.method.constant)
        assert advice.bound == expected.bound
        assert advice.data is None
        assert advice.checks == ()
        assert advice.checked.startswith("Unchecked: without a network nothing can be trained")
        assert "0.5 * (r ** 2).sum()" in advice.lines
        assert "given kernel: 40 eigenvalues" in str(advice)


def test_a_given_kernel_forecasts_its_own_recursion():
    """``r' = r - eta K r`` written out, to the step at which the target is reached."""
    rng = np.random.default_rng(1)
    j, residual = rng.standard_normal((12, 30)), rng.standard_normal((12, 2))
    kernel = j @ j.T
    entry = tune(kernel=kernel, residual=residual, target=0.03).of("gradient_descent")
    r, losses = residual, []
    for _ in range(entry.steps_to + 1):
        losses.append(0.5 * (r**2).sum())
        r = r - entry.method.eta * kernel @ r
    assert losses[-1] <= 0.03 * losses[0] < losses[-2]
    measure = Measure.from_kernel(kernel, residual)
    steps = np.arange(len(losses))
    np.testing.assert_allclose(forecast_loss(entry.method, measure, steps), losses, rtol=1e-9)


def test_what_a_kernel_in_single_precision_does_not_tell_from_zero_counts_as_zero():
    """Thirty parameters leave ten of forty directions, whatever eigenvalues rounding gives them."""
    rng = np.random.default_rng(0)
    j, residual = rng.standard_normal((40, 30)), rng.standard_normal(40)
    kernel = (j @ j.T).astype(np.float32)
    outside = residual - j @ np.linalg.lstsq(j, residual)[0]
    share = (outside**2).sum() / (residual**2).sum()
    told = f"10 of 40 .* .the kernel is in float32. and count as 0: {100 * share:.3g} % of the loss"
    with pytest.warns(Notice, match=told):
        measure = Measure.from_kernel(kernel, residual)
    assert unreachable_share(measure) == pytest.approx(share, rel=1e-2)
    # The same by the signs alone, where what the kernel was computed in is no longer known.
    values, basis = np.linalg.eigh(kernel.astype(float))
    with pytest.warns(Notice, match="10 of 40 .* .others are below 0. and count as 0"):
        measure = Measure.from_spectrum(values, (basis.T @ residual) ** 2)
    assert unreachable_share(measure) == pytest.approx(share, rel=1e-2)


@pytest.mark.filterwarnings("error")
def test_small_eigenvalues_that_are_known_are_kept():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    for low, dtype in ((1e-5, np.float32), (1e-11, np.float64)):
        nodes = np.geomspace(low, 1, 20)
        kernel = (basis * nodes) @ basis.T
        kernel = ((kernel + kernel.T) / 2).astype(dtype)
        found = Measure.from_kernel(kernel, np.ones(20)).nodes
        np.testing.assert_allclose(found, nodes, rtol=2e-2 if dtype == np.float32 else 1e-4)
    spectrum = np.geomspace(1e-9, 1, 20).astype(np.float32)  # each is known to seven digits
    np.testing.assert_allclose(Measure.from_spectrum(spectrum).nodes, spectrum)


def counted(method, nodes, weights, target):
    """First step at the target, and that from which a quarter as many follow, by the recursion."""
    x = before = np.ones(len(nodes))
    low, (eta, beta, _) = [], method.constant
    for _ in range(1_000):
        low.append(weights @ x**2 <= target * weights.sum())
        x, before = x + beta * (x - before) - eta * nodes * x, x
    stays = (r for r in range(800) if all(low[r : r + max(5, -(-r // 4)) + 1]))
    return low.index(True), next(stays)


@pytest.mark.parametrize(
    ("nodes", "weights", "rule", "expected"),
    [
        ([1.0, 100.0], [1.0, 1.0], "paper", (16, 21)),  # the best method rings once
        ([0.01, 1.0, 100.0], [1.0, 1.0, 1.0], "paper", (139, 225)),
        ([0.001, 0.3, 1.0], [1e-3, 0.5, 0.5], "paper", (13, 84)),  # beyond 4 times the first
        ([1.0, 100.0], [1.0, 1.0], "forecast", (10, 10)),
    ],
)
def test_a_loss_that_rings_back_above_the_target_is_said_beside_its_first_step(
    nodes, weights, rule, expected
):
    nodes, weights = np.array(nodes), np.array(weights)
    advice = tune(Measure(nodes, weights), rule, target=0.1)
    entry = advice.of("heavy_ball")
    assert (entry.steps_to, entry.settles) == expected
    assert counted(entry.method, nodes, weights, 0.1) == expected
    assert entry.rings == (expected[0] < expected[1])
    falls = advice.of("gradient_descent")
    assert falls.settles == falls.steps_to
    frame = advice.to_dataframe().set_index("method")
    assert frame.settles["heavy_ball"] == expected[1]
    rows = [line for line in advice.table.splitlines() if line.startswith("stays there from")]
    assert [row.split()[4] for row in rows] == [str(expected[1])] * entry.rings
    for one in advice.methods:
        said = dataclasses.replace(advice, methods=(falls, one)).recommendation
        if one.name == "heavy_ball" and expected[0] < falls.steps_to:
            stays = f", where it stays from {expected[1]}" if entry.rings else ""
            assert f": {expected[0]} steps to 0.1 of the initial loss{stays}, forecast" in said
    unseen = dataclasses.replace(entry, settles=None)
    said = dataclasses.replace(advice, methods=(falls, unseen)).recommendation
    assert (", where it is not seen to stay, forecast" in said) == (expected[0] < falls.steps_to)


def test_a_run_that_ended_where_its_forecast_leaves_again_says_so(results):
    advice = results["Advice"]
    (run,) = (dataclasses.replace(run, promised=1) for run in advice.checks)
    assert run.steps == run.measured > 2
    assert not run.kept
    for settles, said in (
        (advice.best.steps_to, "seed 0)."),
        (1234, f"gets there first at {advice.best.steps_to} and stays from 1,234."),
        (None, f"gets there first at {advice.best.steps_to} and is not seen to stay."),
    ):
        best = dataclasses.replace(advice.best, settles=settles)
        ringing = dataclasses.replace(advice, methods=(best,), checks=(run,))
        assert ringing.recommendation.endswith(said)
    longer = dataclasses.replace(run, steps=run.steps + 9)  # it was seen to settle
    assert "ended there" not in dataclasses.replace(ringing, checks=(longer,)).recommendation


def test_of_runs_that_were_seen_to_stay_the_first_to_do_so_is_recommended(results):
    advice = results["Advice"]
    (run,) = advice.checks
    first = dataclasses.replace(run, promised=5, measured=30, settles=45, steps=50)
    rings = dataclasses.replace(first, method=nesterov(0.01, 0.5), measured=20)

    def tried(**words):
        other = dataclasses.replace(rings, **words)
        return other, dataclasses.replace(advice, checks=(first, other))

    other, found = tried(settles=44)
    assert found.measured is found.replaced is other
    assert (found.steps, found.steps_are) == (20, "measured")
    said = ": 20 steps to 0.05 of the initial loss, where it stays from 44, measured on"
    assert said in found.recommendation
    lines = [re.split(" {2,}", line)[:1] + line.split()[-1:] for line in found.table.splitlines()]
    assert ["measured", "20"] in lines
    assert ["measured, stays from", "44"] in lines
    row = found.to_dataframe().iloc[-1]
    assert (row.measured_steps, row.measured_settles) == (20, 44)
    document = of_advice(found)
    assert (document["steps"], document["steps_are"]) == (20, "measured")
    run = document["checks"][1]
    assert (run["measured"], run["settles"], run["leaves_at"]) == (20, 44, None)
    lost = {"leaves": 60, "lost": True}
    for words in ({"settles": 46}, {"settles": None}, {"settles": 40, "leaves": 60}):
        assert tried(**words)[1].measured is first  # one that leaves counts 15 % more
    assert tried(settles=23, **lost)[1].measured is first  # twice as many
    for words in ({"settles": 22, **lost}, {"settles": 39, "leaves": 60}):
        other, found = tried(**words)
        assert found.measured is other
    assert ", where it stays from 39 to 59, measured on" in found.recommendation


def test_a_setting_beyond_the_limit_is_said_to_be_for_this_start_alone(results):
    """Its step over the limit beside it in the table, and how far its loss first rises."""
    advice = results["Advice"]
    (run,) = advice.checks
    edge = 2 * 1.5 / advice.measure.largest  # 2 (1 + beta)/lambda_max of heavy ball

    def tried(share, growth, **words):
        method = heavy_ball(share * edge, 0.5)
        return dataclasses.replace(
            advice,
            checks=(
                dataclasses.replace(run, promised=1, measured=None),
                dataclasses.replace(run, name="heavy_ball", method=method, growth=growth, **words),
            ),
        )

    found = tried(1.14, 5.94)
    first, _, said = found.recommendation.partition(". ")
    assert first.startswith("Use heavy ball with eta ")
    assert said == (
        "Its step is 1.14 times the stability limit: it is for this width and start alone; its "
        "loss first rises to 5.9 times its start."
    )
    limit = float(
        next(x for x in found.table.splitlines() if x.startswith("stability")).split()[-1]
    )
    assert found.setting.eta / limit == pytest.approx(1.14, rel=1e-4)
    document = of_advice(found)
    assert document["recommendation"] == found.recommendation
    assert document["share_of_limit"] == pytest.approx(1.14)
    assert document["growth"] == 5.94
    for share, growth, ends in (
        (1.0001, 1.9, "it is for this width and start alone."),
        (0.9999, 2.1, " Its loss first rises to 2.1 times its start."),
        (0.9999, 1.9, "the fastest of 2 settings."),
    ):
        assert tried(share, growth).recommendation.endswith(ends)
    lowest = tried(1.14, 5.94, measured=None, lowest=0.01)  # there to copy, too
    assert lowest.recommendation.startswith("No setting reached")
    assert "Its step is 1.14 times" in lowest.recommendation
    lost = tried(1.14, 1e9, measured=None, diverged=True)
    assert lost.growth is None or "rises" not in lost.recommendation
    assert "stability limit" not in dataclasses.replace(advice, checks=()).recommendation


def test_steps_are_those_of_the_recommendation_and_say_whose_they_are(results):
    for advice in results.values():
        steps = advice.steps_to if hasattr(advice, "steps_to") else advice.best.steps_to
        if not getattr(advice, "checks", ()):
            assert (advice.steps, advice.steps_are) == (steps, "forecast")
        assert f": {advice.steps} steps" in advice.recommendation
    advice = results["Advice"]
    (run,) = advice.checks
    for promised, measured, expected in (
        (20, 20, (advice.best.steps_to, "forecast")),  # what is kept is said in expectation
        (20, 30, (30, "measured")),
        (20, None, (None, "measured")),
    ):
        one = dataclasses.replace(run, promised=promised, measured=measured)
        found = dataclasses.replace(advice, checks=(one,))
        assert (found.steps, found.steps_are) == expected


def test_a_forecast_with_weight_decay_settles_where_its_own_losses_do(data):
    advice = tune(data, "paper", target=0.3, decay=1e-3, trials=0)
    for entry in advice.methods:
        losses = advice.expected(entry.method, 2_000)
        assert (entry.steps_to, entry.settles) == (
            int(np.argmax(losses <= 0.3 * losses[0])),
            settled(losses, 0.3 * losses[0]),
        )
    assert any(entry.rings for entry in advice.methods)


def test_a_singular_kernel_keeps_what_lies_where_it_is_zero():
    measure = Measure.from_spectrum([0.0, 1.0, 2.0], [0.5, 1.0, 8.5])
    assert tune(measure, target=0.06).best.steps_to > 0
    with pytest.raises(
        InvalidInput,
        match=r"below 5 % of the loss, which lies where the kernel is 0 to within 1e-13",
    ):
        tune(measure, target=0.05)
    with pytest.raises(InvalidInput, match=r"singular.*take the rule forecast"):
        tune(measure, "paper", target=0.2)


def test_a_target_beyond_the_search_is_said_in_words_and_not_by_a_dash():
    """A mode of eigenvalue 3e-12 that holds two thirds of the loss takes over 1,000,000 steps."""
    nodes, weights = np.logspace(-11.5, 1, 40), np.r_[1.0, np.full(39, 0.01)]
    said = tune(Measure(nodes, weights)).recommendation
    assert said.startswith(
        "No constant setting that was looked at reaches 0.01 of the initial loss within 1,000,000 "
        "steps, by the forecast for this kernel; take a larger target. In the long run the fastest"
    )
    # Heavy ball needs some sqrt(kappa) = 14,000 steps, gradient descent some kappa = 2e8.
    nodes = np.geomspace(5e-8, 10, 40)
    said = tune(Measure(nodes, weights)).recommendation
    assert "(gradient descent: more than 1,000,000; no gradient method below" in said


def test_a_spectrum_is_taken_in_any_order_and_its_weights_go_with_it():
    nodes, weights = np.array([3.0, 0.5, 1.0]), np.array([1.0, 2.0, 4.0])
    with pytest.raises(InvalidInput, match=r"Measure.from_spectrum\(nodes, weights\) sorts both"):
        Measure(nodes, weights)
    made = Measure.from_spectrum(nodes, weights)
    assert (made.nodes.tolist(), made.weights.tolist()) == ([0.5, 1.0, 3.0], [2.0, 4.0, 1.0])


@pytest.mark.parametrize("tiny", [0.0, -1e-9])
def test_eigenvalues_below_zero_within_rounding_are_zero(tiny):
    assert Measure.from_spectrum([1.0, tiny], [1.0, 1e-12]).smallest == 0.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"spectrum": [1.0, -0.1]}, "the node -0.1; a kernel's are not below 0"),
        ({"spectrum": [1.0, np.nan]}, "the spectrum holds NaN"),
        ({"spectrum": [[1.0]]}, r"shape \(n,\)"),
        ({"spectrum": []}, "give one weight for each eigenvalue"),
        ({"spectrum": [1.0, 2.0], "weights": [1.0]}, "2 eigenvalues and 1 weights"),
        ({"spectrum": [1.0], "weights": [-1.0]}, "the weight -1"),
        ({"spectrum": [0.0, 0.0]}, "all eigenvalues or all weights are 0"),
        ({"weights": [1.0]}, "give one of the two"),
        ({"kernel": np.eye(2)}, "a kernel with a residual"),
        ({"kernel": np.eye(2), "residual": [1.0], "spectrum": [1.0]}, "give one of the two"),
        ({"kernel": np.ones((2, 3)), "residual": [1.0, 1.0]}, r"shape \(2, 3\); give a square"),
        ({"kernel": [[1.0, 0.5], [0.0, 1.0]], "residual": [1.0, 1.0]}, "not symmetric"),
        ({"kernel": [[1.0, 2.0], [2.0, 1.0]], "residual": [1.0, 1.0]}, "the node -1"),
        ({"kernel": np.eye(3), "residual": [1.0, 1.0]}, "3 rows and the residual 2"),
        ({"kernel": [[np.inf]], "residual": [1.0]}, "the kernel holds NaN or infinite"),
    ],
)
def test_what_is_no_measure_is_refused_in_a_sentence(words, message):
    with pytest.raises(InvalidInput, match=message):
        tune(**words)


def problem_of(data):
    return Problem(MLP(data.x.shape[1], (2,), 1), "mse", data.x, data.y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda data: tune(data, widht=10), "the option is 'widht'; did you mean 'width'"),
        (lambda data: tune(data, "papr"), "did you mean 'paper'"),
        (lambda data: tune(data, y=[1.0]), "y is given beside data that have targets"),
        (lambda data: tune(data, spectrum=[1.0]), "are both given"),
        (lambda _: tune(3.0), "nothing to tune in a 'float'"),
        (lambda _: tune(), "nothing to tune; give first, without a name, a Problem"),
        (lambda data: tune(measure=measure_of(data)), r"or a Measure: tune\(measure\)"),
        (
            lambda data: tune(measure_of(data), batch=2),
            "no rows to draw from; give the data",
        ),
        (lambda data: tune(data, label="y"), "the option is 'label'"),
        (
            lambda data: tune(problem_of(data), order="shuffled"),
            "an order is given without a batch",
        ),
        (lambda data: tune(problem_of(data), decay=0.1), "give it to Problem or to inertial.torch"),
        (lambda data: tune(problem_of(data), batch=2, test=data), "test is part of a problem"),
        (lambda data: tune(problem_of(data), foo=1), "rule, batch, target, trials, [^b]*$"),
        (lambda data: tune(print, data.x, data.y), r"Problem\(model, x, y, loss=...\), or where"),
        (lambda _: tune([[1.0], [2.0]]), "pass them as well: load"),
        (lambda data: tune(data, batch=2, rule="paper"), "leave out the rule or the batch"),
        (lambda data: tune(measure_of(data), "optimal"), r"optimal_schedule\(measure, steps\)"),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_a_sentence(data, make, message):
    with pytest.raises(InvalidInput, match=message):
        make(data)


def test_a_mean_over_more_rows_takes_the_same_step_size():
    """The limit n/lambda_max of a mean's step size hardly moves from 120 to 360 rows."""
    few, many = (extremes(infinite_gram(load("digits", n=n).x)).largest / n for n in (120, 360))
    assert few == pytest.approx(many, rel=0.05)


def test_a_kernel_of_several_outputs_counts_each():
    rng = np.random.default_rng(2)
    j, residual = rng.standard_normal((6, 9)), rng.standard_normal((6, 3))
    whole = Measure.from_kernel(np.kron(j @ j.T, np.eye(3)), residual.reshape(-1))
    shared = Measure.from_kernel(j @ j.T, residual)
    for power in range(5):
        moment = [float(m.weights @ m.nodes**power) for m in (whole, shared)]
        assert moment[0] == pytest.approx(moment[1], rel=1e-10)
    spectrum = decompose(j @ j.T)
    assert shared.nodes == pytest.approx(spectrum.eigenvalues)


def test_a_measure_is_drawn_where_its_loss_lies():
    figure = plot_measure(Measure(np.array([0.0, 1.0, 10.0]), np.array([1.0, 1.0, 2.0])))
    (axes,) = figure.axes
    dots, line = axes.lines
    np.testing.assert_allclose(dots.get_ydata(), [0.25, 0.5])
    np.testing.assert_allclose(line.get_ydata(), [0.5, 1.0])  # what lies at 0 is below both
    assert axes.get_title().startswith("25 % of the loss lie at 0")
    whole = plot_measure(Measure(np.array([1.0]), np.array([3.0])))
    assert not whole.axes[0].get_title()


def test_an_entry_is_asked_for_by_name_and_another_name_is_a_sentence(results):
    advice = results["Advice"]
    for entry in advice.methods:
        assert advice.of(entry.name) is entry
    with pytest.raises(InvalidInput, match=r"method is 'adam'; choose one of .*heavy_ball"):
        advice.of("adam")


def test_tables_are_tuned_with_the_options_of_load(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "y"])
    frame.to_parquet(tmp_path / "m.parquet")
    expected = tune(load(frame, label="y", drop=("b",)), target=0.1, trials=0)
    for data in (frame, tmp_path / "m.parquet", str(tmp_path / "m.parquet")):
        found = tune(data, label="y", drop=("b",), target=0.1, trials=0)
        assert found.setting == expected.setting
    with pytest.raises(InvalidInput, match=r"pass --label \(label=\) with one of a, b, y"):
        tune(frame)


def test_a_rule_that_gets_nowhere_is_named_and_not_all_settings():
    """Its own limit is no limit of constant settings: the rule forecast gets there."""
    powers = 1 / np.arange(1, 201) ** 1.5
    said = tune(spectrum=powers, rule="wang2020").recommendation
    assert "No setting of wang2020 reaches" in said
    assert "take the rule forecast" in said
    assert tune(spectrum=powers, rule="forecast").best.steps_to is not None


def test_a_rule_whose_momentum_rounds_to_one_is_refused():
    with pytest.raises(InvalidInput, match=r"momentum is rounded to 1; take the rule forecast"):
        tune(spectrum=np.geomspace(1e-17, 1e-12, 9), rule="wang2020")
    assert tune(spectrum=np.geomspace(1e-17, 1e-12, 9)).best.steps_to is not None


def test_a_rule_for_inputs_of_norm_one_is_refused_where_it_diverges():
    for value in (2.0, 3.0):
        with pytest.raises(InvalidInput, match="wang2020 is for kernels of inputs of norm 1"):
            tune(spectrum=[value], rule="wang2020")
    assert tune(spectrum=[1.4], rule="wang2020").best.steps_to is not None  # 1.4^2 is below 2


def test_an_unknown_option_is_answered_with_all_that_there_are():
    x = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(InvalidInput, match=r"batch.*label.*test.*target"):
        tune(x, x[:, 0], foo=1)
    with pytest.raises(InvalidInput, match=r"choose one of rule, target\."):
        tune(spectrum=[3.0, 2.0, 1.0], decay=0.1)  # there are no rows to draw batches from
