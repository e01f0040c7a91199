"""Tuning that is checked by real runs."""

import math
import re
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_breast_cancer, load_wine

from inertial import (
    MLP,
    InvalidInput,
    Problem,
    TwoLayerReLU,
    compare,
    heavy_ball,
    load,
    simulate,
    tangent,
    tune,
)
from inertial.method.recursion import label
from inertial.runs.exploration import explore_model
from inertial.runs.model_runs import starts_of
from inertial.runs.trials import AFTER, BUDGET, REFINED, Search, Trial, held, setting, settled
from inertial.runs.tuning import _entry, _Forecast, _jumps, _repeated


def cancer(activation="relu", loss="mse"):
    x, y = load_breast_cancer(return_X_y=True)
    x, y = x[:100], y[:100].astype(float)
    x = (x - x.mean(0)) / x.std(0)
    y = (y - y.mean()) / y.std() if loss == "mse" else y
    return Problem(MLP(30, (32, 32), 1, activation), loss, x, y)


def wine():
    x, y = load_wine(return_X_y=True)
    return Problem(MLP(13, (32,), 3, "tanh"), "cross_entropy", (x - x.mean(0)) / x.std(0), y)


@pytest.mark.parametrize(
    ("losses", "steps"),
    [
        ([2.0, *[1.0] * 6], 1),
        ([2.0, *[1.0] * 5], None),  # five more are asked for after the first
        ([2.0, 1.0, 2.0, *[1.0] * 6], 3),
        ([*[2.0] * 40, *[1.0] * 11], 40),
        ([*[2.0] * 40, *[1.0] * 10], None),  # a quarter of forty
        ([2.0, 1.0, math.nan, *[0.5] * 6], 3),
    ],
)
def test_settled_means_there_and_staying_for_a_quarter_of_the_steps(losses, steps):
    assert settled(np.array(losses), 1.0) == steps


def test_a_setting_is_a_share_of_the_stability_limit():
    for family, limit in (("heavy_ball", 2 * 1.8), ("nesterov", 2 * 1.8 / 2.6)):
        eta, beta, gamma = setting(family, 0.5, 0.8).method(4.0).constant
        assert beta == 0.8
        assert gamma == (0.8 if family == "nesterov" else 0.0)
        assert eta == pytest.approx(0.5 * limit / 4, rel=5e-4)  # four digits are kept


@pytest.fixture(scope="module")
def advised():
    problem = cancer()
    return problem, tune(problem, target=0.1, against={"lr": 0.01, "momentum": 0.9})


def test_the_promised_steps_are_those_of_a_run_with_the_copied_line(advised):
    problem, advice = advised
    line = advice.lines.splitlines()[0]
    optimiser = eval(line, {"optax": optax})  # noqa: S307 - our own line
    model = MLP(30, (32, 32), 1)
    params = model.init(jax.random.key(0, impl="threefry2x32"))
    x, y = problem.x, problem.targets

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(lambda p: jnp.mean((model.apply(p, x) - y) ** 2))(
            params
        )
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(params, updates), state, value

    state, losses = optimiser.init(params), []
    for _ in range(2 * advice.best.measured_steps + 10):
        params, state, value = step(params, state)
        losses.append(float(value))
    losses = np.array(losses)
    assert settled(losses, 0.1 * losses[0]) == advice.best.measured_steps


def test_the_answer_says_how_far_the_recommended_run_was_looked_at(advised):
    _, advice = advised
    seen = advice.best.measured_steps + max(20, advice.best.measured_steps)
    assert len(advice.best.losses) == seen + 1
    words = f"nobody looked at the recommended run beyond step {seen:,}"
    assert words in advice.table
    left = replace(advice, best=replace(advice.best, leaves=seen))
    assert "nobody looked" not in left.table


def test_the_advice_is_not_beaten_by_much_on_a_grid(advised):
    problem, advice = advised
    counts = []
    for family in ("heavy_ball", "nesterov"):
        for share in (0.2, 0.4):
            for beta in (0.6, 0.8, 0.92):
                method = setting(family, share, beta).method(advice.largest[0])
                _, losses = problem.advance(problem.begin(), *method.coefficients(0, 80))
                counts.append(settled(losses, 0.1 * losses[0]) or 1000)
    assert advice.best.measured_steps <= 1.35 * min(counts)  # the worst that is promised


def test_the_search_takes_a_fiftieth_of_a_grid(advised):
    _, advice = advised
    steps = advice.best.measured_steps
    assert advice.passes <= 800 / 50 * (steps + held(steps))
    assert sum(len(trial.losses) for trial in advice.trials) < advice.passes
    assert {trial.outcome for trial in advice.trials} <= {"settled", "stopped", "diverged"}
    assert all(trial.state is None for trial in advice.trials)


def test_what_is_compared_with_is_trained_as_it_is(advised):
    problem, advice = advised
    method = heavy_ball(0.01, 0.9)
    _, losses = problem.advance(problem.begin(), *method.coefficients(0, 400))
    assert advice.against.method == method
    assert advice.against.measured_steps == settled(losses, 0.1 * losses[0])
    assert advice.against.measured_steps > advice.best.measured_steps


@pytest.mark.parametrize(("share", "wins"), [(1, True), (0.1, False)])
def test_a_setting_to_compare_with_is_recommended_where_it_takes_fewer_steps(advised, share, wins):
    problem, advice = advised
    eta, beta, gamma = advice.setting.constant
    given = replace(advice.setting, eta=share * eta, beta=beta, gamma=gamma)
    beside = tune(problem, target=0.1, trials=1, against=given)  # a single trial is far from it
    assert beside.against.method == given
    assert (beside.best is beside.against) == wins
    if wins:
        assert (beside.steps, beside.steps_are) == (advice.steps, "measured")
        assert ", measured on the model itself, the setting to compare with" in str(beside)
        assert beside.best.leaves == advice.best.leaves
        assert beside.best.steps_to == advice.best.steps_to
        assert len(beside.plot().axes[0].lines) >= 3
    else:
        assert beside.setting != given
        assert "the setting to compare with" not in str(beside)


def test_few_steps_are_tried_with_little_momentum_too():
    """One step of gradient descent at half of the limit is all that one mode takes."""
    x = np.eye(4)
    apply = lambda w, rows: rows @ w  # noqa: E731
    problem = Problem.from_apply(apply, np.zeros(4, np.float32), x, np.ones(4), loss="half_sum")
    advice = tune(problem, target=1e-3)
    assert advice.best.method.constant[1:] == (0.0, 0.0)
    assert advice.steps == 1


def test_trust_compares_the_forecast_with_the_run(advised):
    _, advice = advised
    for entry in advice.methods:
        if entry.measured_steps is not None and entry.steps_to is not None:
            near = abs(entry.steps_to - entry.measured_steps) <= max(0.15 * entry.measured_steps, 1)
            assert entry.trust == ("holds" if near else "departs")


def test_a_forecast_is_looked_for_beyond_the_run_and_told_as_far_as_it_was(rng):
    """Of a model that is linear, under a loss where each step of the forecast is a product."""
    x = rng.standard_normal((12, 20))
    apply = lambda w, rows: rows @ w  # noqa: E731
    problem = Problem.from_apply(
        apply,
        np.zeros((20, 1), np.float32),
        x,
        (x[:, 0] > 0).astype(float),
        loss="binary_cross_entropy",
    )
    target, method = 0.1, heavy_ball(0.05, 0.5)
    operator = tangent(problem)
    losses = simulate(problem, method, steps=900).loss
    steps = settled(losses, target * losses[0])
    assert 80 < steps < 400
    for measured, verdict in ((round(steps / 1.12), "holds"), (steps // 6, "departs")):
        trial = Trial(setting("heavy_ball", 0.5, 0.5), method, "settled", measured, losses=losses)
        entry = _entry("heavy_ball", method, trial, _Forecast(problem, operator, target), 0.5)
        assert entry.trust == verdict
        assert len(entry.forecast) == measured + held(measured) + 1
        if verdict == "holds":
            assert (entry.steps_to, entry.beyond) == (steps, None)
        else:
            assert entry.steps_to is None
            assert 2 * measured < entry.beyond < steps


def test_where_the_forecast_was_not_found_the_table_says_how_far_it_was_followed(advised):
    _, advice = advised
    lost = replace(advice.best, steps_to=None, beyond=1234)
    told = replace(advice, best=lost, methods=(lost,))
    assert re.search(r"^steps, linearised model +over 1,234", str(told), re.MULTILINE)


def test_printing_gives_the_table_and_the_lines(advised):
    _, advice = advised
    text = str(advice)
    assert advice.recommendation in text
    assert "torch.optim.SGD(model.parameters(), lr=" in text
    assert "compared with" in text
    assert text.replace("<", "&lt;").replace(">", "&gt;") in advice._repr_html_()
    assert len(advice.to_dataframe()) == len(advice.trials)
    assert advice.setting == advice.best.method
    assert advice.suggestion["lr"] == advice.setting.constant[0]
    assert "weight_decay" not in advice.suggestion
    decayed = replace(advice, decay=0.03)
    assert decayed.suggestion == advice.suggestion | {"weight_decay": 0.03}
    for word, value in decayed.suggestion.items():  # what is printed, in its digits
        assert f"{word}={value if isinstance(value, bool) else format(value, '.6g')}" in str(
            decayed
        )
    axes = advice.plot().axes[0]
    assert len(axes.lines) == len(advice.trials) + 5
    axes = advice.plot(runs={"my loop": advice.best.losses}).axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "my loop" in names
    assert f"{label(advice.best.name)}, recommended" in names
    assert "compared with: step size 0.01, momentum 0.9" in names
    (mine,) = [line for line in axes.lines if line.get_label() == "my loop"]
    assert (mine.get_marker(), mine.get_linestyle()) == ("o", "None")  # on the recommended run
    (apart,) = (
        line
        for line in advice.plot(runs={"apart": advice.best.losses**2}).axes[0].lines
        if line.get_label() == "apart"
    )
    assert apart.get_linestyle() == "-"
    words = f"{advice.best.measured_steps} steps to 10 %"
    assert words in [text.get_text() for text in axes.texts]


def test_twice_gives_the_same_bits():
    first, second = (tune(wine(), target=0.05, seed=3, trials=12) for _ in range(2))
    assert str(first) == str(second)
    np.testing.assert_array_equal(first.best.losses, second.best.losses)


def test_forecast_alone_says_that_it_is_unchecked():
    advice = tune(cancer(), target=0.1, trials=0)
    assert advice.best.trust == "unchecked"
    assert advice.best.measured_steps is None
    assert advice.best.steps_to > 0
    assert "not checked by a real run" in str(advice)


def test_on_the_wide_network_of_the_papers_the_forecast_holds():
    data = load("diabetes", n=60, standardize=True)
    problem = Problem(TwoLayerReLU(4000, data.x.shape[1]), "half_sum", data.x, data.y)
    advice = tune(problem, target=0.3, trials=8)
    assert advice.trust == "holds"
    assert advice.bound <= advice.best.measured_steps


def test_who_only_touched_the_target_is_not_said_to_be_above_it(advised):
    advice = advised[1]
    low = replace(advice.best, measured_steps=None, losses=advice.start * np.array([1, 0.098, 0.3]))
    none = replace(advice, best=low).recommendation
    assert none.startswith("No setting stayed at 10 % of the loss at the start in ")
    assert "got the lowest, to 9.8 %" in none
    assert "a larger batch" not in none  # but where it is noise that takes the loss back
    on_batches = replace(advice, best=low, batch=5).recommendation
    assert "got the lowest, to 9.8 %. Give a larger batch, or a larger target" in on_batches
    beside = replace(advice, against=replace(low, losses=np.ones(8)))
    assert "what it is compared with was trained for 7 steps\n" in str(beside)
    assert "was trained for" not in str(replace(advice, against=None))
    above = replace(low, losses=advice.start * np.array([1, 0.102, 0.3]))
    assert "No setting reached 10 %" in replace(advice, best=above).recommendation


def test_a_search_that_finds_nothing_says_so():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 2)), rng.standard_normal(40)
    advice = tune(Problem(MLP(2, (2,), 1), "mse", x, y), target=0.01, trials=5)
    assert advice.best.measured_steps is None
    assert "No setting reached 1 %" in str(advice)
    assert "Give a larger target or more trials." in advice.recommendation


@pytest.mark.parametrize(
    "ask",
    [
        tune,
        partial(tune, trials=0),
        partial(tune, batch=5),
        partial(tune, methods="adam"),
        compare,
        lambda problem: explore_model(starts_of(problem)),
    ],
)
def test_a_start_from_which_no_step_leads_away_is_refused(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 3))

    def network(bias):
        def apply(params, x):
            return jax.nn.relu(x @ params[0] + params[1]) @ params[2]

        params = [rng.standard_normal((3, 4)), np.full(4, bias), rng.standard_normal((4, 1))]
        return Problem.from_apply(apply, params, x, np.sin(x[:, 0]))

    with pytest.raises(InvalidInput, match=r"no step lowers the loss; give another start\."):
        ask(network(-50.0))
    assert list(tmp_path.rglob("*.nc")) == []
    ask(network(0.1))


def test_where_small_steps_go_far_more_momentum_is_tried():
    """Three classes as numbers: with momentum 0.8 the loss leaves the target again and again."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 4))
    draw.normal(size=60)
    y = draw.integers(0, 3, 60).astype(float)
    x, y = ((one - one.mean(axis=0)) / one.std(axis=0) for one in (x, y))
    problem = Problem(MLP(5, (16,), 1), "mse", np.column_stack([x, np.ones(60)]), y)
    advice = tune(problem)
    first = next(i for i, trial in enumerate(advice.trials) if trial.steps is not None)
    assert max(trial.setting.beta for trial in advice.trials[8:first]) > 0.9
    method, steps = advice.best.method, advice.best.measured_steps
    loss = simulate(problem, method, steps=steps + held(steps)).loss
    assert settled(loss, 0.1 * loss[0]) == steps
    assert steps < 1_000  # a grid of 72 settings finds 399


def test_a_race_that_is_lengthened_ends_where_the_search_does():
    """One beside a winner of few steps may train no longer than the winner's allow it."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((40, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    problem = Problem(MLP(3, (16, 16)), "mse", x, y)
    largest = tangent(problem).measure(40).largest
    search = Search(problem, largest, 0.1, trials=30, families=("nesterov",), longest=700)
    search.run()
    lengths = [len(trial.losses) for trial in search.trials]
    assert min(lengths) > 0
    assert max(lengths) == 700


def test_under_a_cross_entropy_nobody_is_told_to_scale_the_targets():
    x = load("digits", n=60).x
    y = (x > x.mean()).astype(float)
    advice = tune(Problem(MLP(64, (8,), 64), "binary_cross_entropy", x, y), target=0.99, trials=4)
    assert "asks for little" in advice.table
    assert "; give a smaller target\n" in advice.table
    assert "variance 1" not in advice.table
    unreached = replace(advice, best=replace(advice.best, measured_steps=None))
    assert "variance 1" not in unreached.table


def test_who_has_standardised_is_not_told_to_standardise():
    """A floor of the model keeps its best step far below the limit, and so does nothing else."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    x, y = ((one - one.mean(axis=0)) / one.std(axis=0) for one in (x, y))
    found = tune(Problem(MLP(3, (1,), 1), "mse", x, y), target=0.01, trials=8)
    tiny = replace(found.best, share=0.01)
    for advice in (found, replace(found, best=tiny)):
        assert advice.recommendation.endswith("Give a larger target or more trials.")
        assert "variance 1" not in str(advice)
    raw = Problem(MLP(3, (1,), 1), "half_sum", x, 10 * y + 100)
    large = tune(raw, target=0.001, trials=2)
    assert large.residual == pytest.approx(2 * large.start / 60)
    assert "targets of mean 0 and variance 1" in str(replace(large, best=tiny))


def test_what_nothing_reaches_ends_with_the_passes_and_says_so():
    """Two rows of one input with different targets, whose mean is the best that there is."""
    x, y = np.ones((2, 1)), np.array([1.0, -1.0])
    problem = Problem(MLP(1, (3,), 1, "tanh"), "mse", x, y)
    advice = tune(problem, target=0.1, passes=150)
    trained = sum(len(trial.losses) for trial in advice.trials)
    assert trained <= 150  # no search goes beyond, and the products before it count too
    assert advice.lacks == "passes"
    assert "No setting reached 10 % of the loss at the start in " in advice.recommendation
    differ = (
        "Give inputs that differ from row to row, for the model answers all of these alike, or a "
        "larger target."
    )
    assert advice.recommendation.endswith(differ)
    # Followed: a target that is larger than the lowest share it names is reached.
    low = float(re.search(r"got the lowest, to (.*) %\.", advice.recommendation)[1]) / 100
    assert low == pytest.approx(advice.best.losses.min() / advice.start, rel=0.005)
    assert tune(problem, target=1.01 * low, passes=400).best.measured_steps
    longer = tune(problem, target=0.1, passes=400)
    assert sum(len(trial.losses) for trial in longer.trials) > trained
    rested = tune(problem, target=0.1, methods="adam")  # all its runs come to rest
    assert rested.lacks == ""  # it ends by itself, where smaller steps come less far
    assert rested.recommendation.endswith(differ)
    dead = [np.ones((1, 3)), np.full(3, -50.0), np.ones((3, 1)), np.ones(1)]

    def relu(params, x):
        return jax.nn.relu(x @ params[0] + params[1]) @ params[2] + params[3]

    apart = np.array([[1.0], [2.0]])
    start = tune(Problem.from_apply(relu, dead, apart, y), target=0.1, passes=150).recommendation
    assert start.endswith(
        "Give another start, for at this one the model answers all rows alike, or a larger target."
    )
    alive = [dead[0], np.array([-1.5, 0.0, 0.0]), *dead[2:]]  # followed
    assert tune(Problem.from_apply(relu, alive, apart, y), target=0.1).best.measured_steps
    apart = Problem(MLP(1, (3,), 1, "tanh"), "mse", np.array([[1.0], [1.001]]), y)
    lacking = tune(apart, target=0.1, passes=150).recommendation
    assert lacking.endswith("Give a larger target or more passes.")


def test_targets_as_they_come_are_reached_by_steps_far_below_the_limit():
    """Means of 150 drive the network off; the first races diverge, or rest at the targets' mean."""
    data = load("diabetes")
    problem = Problem(MLP(10, (64, 64), 1, "relu"), "mse", data.x, data.y)
    advice = tune(problem, target=0.15)  # the mean alone leaves 20 %
    assert advice.best.measured_steps is not None
    assert advice.best.share < 0.02
    assert "the model leaves its start at once" in str(advice)
    scaled = Problem(
        MLP(10, (64, 64), 1, "relu"), "mse", data.x, (data.y - data.y.mean()) / data.y.std()
    )
    remedied = tune(scaled, target=0.6)
    assert remedied.best.share > 0.02
    assert "the model leaves" not in str(remedied)


@pytest.mark.parametrize(("target", "trials"), [(0.3, 8), (0.01, 60)])
def test_where_the_scale_is_in_the_way_the_remedy_is_to_standardise(target, trials):
    data = load("diabetes")
    targets = 1000 * (data.y + 100)
    model = MLP(10, (32, 32), 1, "gelu")
    raw = tune(Problem(model, "mse", data.x, targets), target=target, trials=trials)
    assert raw.best.measured_steps is None
    assert raw.recommendation.endswith("Give inputs and targets of mean 0 and variance 1.")
    assert "larger target" not in str(raw)
    assert "smaller target" not in str(raw)
    x, y = ((values - values.mean(axis=0)) / values.std(axis=0) for values in (data.x, targets))
    remedied = tune(Problem(model, "mse", x, y), target=0.3, trials=8)
    assert remedied.best.measured_steps is not None


def test_no_more_trials_and_passes_are_made_than_allowed():
    problem = cancer()
    largest = tangent(problem).lanczos(12).largest[0]
    few = Search(problem, largest, 1e-3, trials=3)
    few.run()
    assert len(few.trials) == 3
    bounded = Search(problem, largest, 1e-9, trials=60, passes=200)
    bounded.run()
    assert bounded.best is None
    assert 200 <= bounded.passes < 200 + 5  # each of the five that race ends with a step
    assert bounded.lacks == "passes"
    assert {trial.outcome for trial in bounded.trials} <= {"stopped", "diverged"}


def test_a_target_that_constant_outputs_reach_is_called_little():
    """Inputs as they come: a loss of 10 % of the start is worse than the shares of the classes."""
    x, y = load_wine(return_X_y=True)
    model = MLP(13, (64,), 3, "relu")
    raw = tune(Problem(model, "cross_entropy", x, y), target=0.1, trials=6)
    assert raw.target * raw.start > raw.constant == pytest.approx(1.0860, abs=1e-4)
    assert "asks for little: outputs that are the same for every row have 1.086" in raw.table
    scaled = (x - x.mean(0)) / x.std(0)
    assert (
        "asks for little"
        not in tune(Problem(model, "cross_entropy", scaled, y), target=0.1, trials=6).table
    )


def test_trials_end_where_they_cannot_win():
    problem = cancer()
    search = Search(problem, tangent(problem).lanczos(12).largest[0], 0.1, trials=3)
    best = search.try_out(setting("heavy_ball", 0.12, 0.8))
    assert best.outcome == "settled"
    slow = search.try_out(setting("heavy_ball", 0.003, 0.5))
    assert slow.outcome == "stopped"
    assert len(slow.losses) <= math.ceil(best.steps / 2)
    assert search.passes == len(best.losses) + len(slow.losses)


class Scripted(Problem):
    """A problem whose k-th run has the k-th curve, whatever the setting."""

    def __init__(self, *curves):
        super().__init__(MLP(1, (2,), 1), "mse", np.ones((2, 1)), np.ones(2))
        self.curves, self.begun = curves, 0

    def loss_of(self, _outputs):
        return 1.0

    def begin(self):
        self.begun += 1
        return self.begun - 1, 0

    def advance(self, state, eta, _beta, _gamma):
        run, done = state
        return (run, done + len(eta)), self.curves[run][done : done + len(eta)]


def falling(steps, leaves=200, back=200):
    """A loss that halves to just the target, 0.1, at a step, and may rise between two others."""
    t = np.arange(200)
    losses = np.where(t < steps, 0.1 ** (t / steps) * 1.01, 0.1)
    return np.where((leaves <= t) & (t < back), 5.0, losses)


def resting(until):
    """A loss that rests just above the target, 0.1, and falls below it at a step."""
    return np.where(np.arange(200) < until, 0.11 + 0.5 ** np.arange(200), 0.05)


class RestsWithMomentum(Scripted):
    """With momentum the loss rests just above the target, 0.1; without any it falls below it."""

    def advance(self, state, eta, beta, _gamma):
        run, done = state
        t = done + np.arange(len(eta))
        fallen = np.where(t < 24, 0.95**t, 0.05)
        return (run, done + len(eta)), np.where(beta[0] > 0, 0.11 + 0.5**t, fallen)


class Noisy(Scripted):
    """Steps below a size stay at the target; larger ones touch it, and noise takes them back."""

    def __init__(self, enough):
        super().__init__()
        self.enough = enough

    def advance(self, state, eta, _beta, _gamma):
        run, done = state
        t = done + np.arange(len(eta))
        falls = 1 / (1 + t / 100)
        touching = np.where(t % 50 == 49, 0.05, falls + 0.11)
        return (run, done + len(eta)), np.where(
            eta[0] < self.enough, np.where(t < 60, falls + 0.2, 0.05), touching
        )


def test_who_touches_the_target_and_does_not_stay_takes_smaller_steps(monkeypatch):
    """On batches noise of larger steps is more: half of the smallest of the races is enough."""
    with monkeypatch.context() as races_alone:
        races_alone.setattr(Search, "_calmer", lambda _: None)
        search = Search(Noisy(0.0), 1.0, 0.1, trials=60, passes=20_000)
        search.run()
    assert search.best is None
    smallest = min(trial.method.eta for trial in search.trials if trial.setting.beta > 0)
    search = Search(Noisy(0.9 * smallest), 1.0, 0.1, trials=60, passes=20_000)
    search.run()
    assert search.best.steps == 60
    assert search.best.method.eta < 0.9 * smallest
    assert search.best.setting.beta > 0.5


@pytest.mark.parametrize(
    ("settles", "touches", "tried"),
    [(60, 30, 3), (60, 31, 0), (62, 31, 3), (60, 200, 0), (40, 15, 0), (41, 15, 3)],
)
def test_smaller_steps_are_tried_of_what_was_at_the_target_in_half_the_winner_s_steps(
    settles, touches, tried
):
    """On batches, whose noise falls with the step size; here the second of them takes 20 steps."""
    later, touching = (
        np.where(np.arange(200) == step, 0.05, 0.11 + 0.9 ** np.arange(200))
        for step in (touches + 1, touches)
    )
    curves = later, touching, falling(settles), resting(200), falling(20), resting(200)
    search = Search(Scripted(*curves), 1.0, 0.1, trials=60)
    settings = [setting("heavy_ball", share, 0.8) for share in (0.1, 0.3, 0.2)]
    search._lengthening(settings, 100)
    assert search.best.steps == settles
    search._steadier()
    more = search.trials[3:]
    first = settings[1]
    assert [one.setting for one in more] == [
        replace(first, u=first.u - less) for less in (1, 2, 3)
    ][:tried]
    assert search.best.steps == (20 if tried else settles)


def test_a_setting_of_less_noise_is_found_where_the_race_found_one_of_much_momentum(monkeypatch):
    """A race with all rows in mind takes more momentum where the loss is held up by noise."""
    rng = np.random.default_rng(8)
    x = rng.standard_normal((80, 5))
    y = np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.2 * rng.standard_normal(80)
    problem = Problem(MLP(5, (16,), 1, "tanh"), "mse", x, (y - y.mean()) / y.std(), seed=8)
    found = tune(problem, target=0.1, batch=16)
    with monkeypatch.context() as without:
        without.setattr(Search, "_steadier", lambda _: None)
        slower = tune(problem, target=0.1, batch=16)
    assert 1.5 * found.best.measured_steps < slower.best.measured_steps
    assert 1 - found.best.method.constant[1] > 2 * (1 - slower.best.method.constant[1])


class RestsWithout(Scripted):
    """With momentum the loss falls for ever, but never to the target; without any it rests."""

    def advance(self, state, eta, beta, _gamma):
        run, done = state
        t = done + np.arange(len(eta))
        return (run, done + len(eta)), np.where(beta[0] > 0, 0.2 + 1 / (1 + t), 0.9 + 0.1 * (t < 1))


@pytest.mark.parametrize("families", [("heavy_ball", "nesterov"), ("nesterov",)])
def test_where_momentum_comes_to_rest_none_at_all_is_tried(families):
    search = Search(RestsWithMomentum(), 1.0, 0.1, trials=60, families=families)
    search.run()
    first = next(i for i, trial in enumerate(search.trials) if trial.steps is not None)
    assert min(trial.setting.beta for trial in search.trials[: first - 3]) > 0.5
    assert search.best.steps == 24
    assert search.best.setting.beta == 0
    assert search.best.setting.family == families[0]


def test_without_momentum_a_race_takes_as_many_passes_as_the_others_did():
    """Nothing gets there: those of no momentum fall for ever, but never to the target."""
    problem = RestsWithMomentum()
    problem.advance = lambda state, eta, _beta, _gamma: (
        (state[0], state[1] + len(eta)),
        0.2 + 1 / (1 + state[1] + np.arange(len(eta))),
    )
    for passes, plainly in ((math.inf, 1 / 2), (3_000, 1 / 4)):
        search = Search(problem, 1.0, 0.1, trials=60, passes=passes)
        search.run()
        assert search.best is None
        plain = sum(len(trial.losses) for trial in search.trials if trial.setting.beta == 0)
        assert 0 < plain <= plainly * search.passes + 1
        assert search.lacks == ("" if passes == math.inf else "passes")
    # Where those without momentum rest, what momentum had too few passes for is still said.
    search = Search(RestsWithout(), 1.0, 0.1, trials=60, passes=3_000)
    search.run()
    assert search.passes < 3_000
    assert search.lacks == "passes"


def test_a_winner_of_few_steps_goes_on_for_twenty_more():
    """What diverges after some steps at the target is seen to leave it."""
    for leaves, seen in ((24, 24), (26, None)):
        search = Search(Scripted(*[falling(5, leaves)] * 9), 1.0, 0.1, trials=9)
        search.try_out(setting("heavy_ball", 0.3, 0.8))
        search.confirm()
        assert (search.best.steps, search.best.leaves) == (5, seen)


def test_a_loss_that_rests_goes_on_before_smaller_steps_are_tried():
    """What waits on a plateau is no step that is too large: it falls soon after the first race."""
    above = np.full(200, 1.1)
    search = Search(Scripted(resting(45), *[above] * 60), 1.0, 0.1, trials=60)
    search.run()
    assert search.best.setting == search.trials[0].setting == setting("heavy_ball", 0.12, 0.8)
    assert search.best.steps == 45
    assert [len(trial.losses) for trial in search.trials[1:5]] == [40] * 4  # these never fell
    assert {trial.setting.u for trial in search.trials} >= {math.log2(0.12) - 0.6}


def test_on_a_plateau_a_trial_has_to_be_no_lower_than_the_winner_was():
    """It waits at 0.9 and falls at a step; what waits higher than the winner did is stopped."""
    t = np.arange(200)
    winner = np.where(t < 30, 0.9, 0.05)
    for height, outcome in ((0.89, "settled"), (0.91, "stopped")):
        search = Search(Scripted(winner, np.where(t < 19, height, 0.05)), 1.0, 0.1, trials=9)
        search.try_out(setting("heavy_ball", 0.1, 0.8))
        found = search.try_out(setting("heavy_ball", 0.2, 0.8))
        assert found.outcome == outcome
        assert len(found.losses) >= 15  # half of the winner's steps


def test_the_leader_of_a_race_goes_on_in_the_next_one():
    """It needs more steps than a race has, and with more momentum everything diverges."""
    slow, gone = falling(90), np.full(200, 1e9)
    search = Search(Scripted(slow, *[gone] * 60), 1.0, 0.1, trials=8)
    search.run()
    assert search.best is search.trials[0]
    assert search.best.steps == 90
    assert min(trial.setting.u for trial in search.trials[:8]) == math.log2(0.12) - 1


def test_where_smaller_steps_come_less_far_the_lowest_runs_go_on_longer():
    """All rest for 160 steps: the four smaller ones higher, and then the lowest is trained on."""
    t = np.arange(400)
    rest = lambda height, until: np.where(t < until, height, 0.05)  # noqa: E731
    larger, smaller = [rest(0.5, 400)] + [rest(0.6, 400)] * 4, [rest(0.9, 400)] * 4
    search = Search(Scripted(*larger, *smaller, *[rest(0.5, 150)] * 3), 1.0, 0.1, trials=12)
    search.run()
    assert search.best.steps == 150
    lowest = search.trials[0].setting
    assert [trial.setting.u for trial in search.trials[9:12]] == [lowest.u - k for k in range(3)]
    assert {trial.setting.v for trial in search.trials[9:12]} == {lowest.v}


@pytest.mark.parametrize(("until", "steps", "less"), [(24, 24, 0), (1000, 10, 2)])
def test_one_family_goes_on_where_its_loss_rests_and_then_takes_smaller_steps(until, steps, less):
    """Three that fall after the first race of 16 steps, or that rest for good."""
    curves = [resting(until)] * 3 + [falling(10)] * 60
    families, most = ("gradient_descent",), 6 if less else 3
    search = Search(Scripted(*curves), 1.0, 0.1, trials=most, families=families)
    search.run()
    assert search.best.steps == steps
    assert search.trials[most - 3].setting.u == search.trials[0].setting.u - less


def test_one_family_trains_on_beside_what_falls_the_lowest_that_seems_to_rest():
    """It falls at step 20, after the first race; the one that falls needs more than there are."""
    curves = resting(20), falling(150), resting(1000)
    search = Search(
        Scripted(*curves), 1.0, 0.1, trials=3, families=("gradient_descent",), longest=40
    )
    search.run()
    assert search.best is search.trials[0]
    assert search.best.steps == 20


def test_a_search_whose_first_race_was_not_enough_has_passes_around_its_winner():
    """They come after those of the races, which on a fiftieth of a grid would leave fewer."""
    others = [resting(1000)] * 4 + [np.full(200, 0.9)] * 60
    search = Search(Scripted(resting(41), *others), 1.0, 0.1, trials=60)
    search.run()
    run = 41 + held(41)
    races = sum(len(trial.losses) for trial in search.trials[:5])
    around = sum(len(trial.losses) for trial in search.trials[5:])
    assert races + around > (BUDGET - AFTER) * run
    assert REFINED * run <= around < (REFINED + 1) * run


@pytest.mark.parametrize(
    ("slower", "back", "wins"),
    [
        (22, 31, 22),  # 20 steps count as 23
        (24, 31, 20),
        (24, 60, 20),
        (24, 61, 24),  # twice the step at which it left: they count as 40
        (39, 61, 39),
    ],
)
def test_a_winner_that_leaves_the_target_again_may_lose(slower, back, wins):
    runs = falling(slower), falling(20, 30, back), falling(slower)
    search = Search(Scripted(*runs), 1.0, 0.1, trials=9)
    search.try_out(setting("heavy_ball", 0.3, 0.8))
    search.try_out(setting("heavy_ball", 0.4, 0.8))
    left = search.best
    assert left.steps == 20
    search.confirm()
    assert (left.leaves, left.lost) == (30, back > 60)
    assert (search.best.steps, search.best.leaves) == (wins, 30 if search.best is left else None)
    assert len(search.trials) == 2
    assert all(trial.state is None for trial in search.trials)


def test_smaller_steps_are_tried_where_the_winner_does_not_come_back():
    """Here of the third step that is smaller: two leave as well, and it takes 30 steps for 20."""
    gone, stays = falling(20, 30), falling(30)
    search = Search(Scripted(gone, gone, gone, stays), 1.0, 0.1, trials=9)
    first = search.try_out(setting("heavy_ball", 0.4, 0.8)).setting
    search.confirm()
    assert [trial.setting.u - first.u for trial in search.trials] == pytest.approx(
        [0, -0.3, -0.6, -1.2]
    )
    assert (search.best.steps, search.best.leaves, search.best.lost) == (30, None, False)
    alone = Search(Scripted(*[gone] * 4), 1.0, 0.1, trials=9)
    alone.try_out(setting("heavy_ball", 0.4, 0.8))
    alone.confirm()
    assert (alone.best.steps, alone.best.leaves, alone.best.lost) == (20, 30, True)


@pytest.mark.parametrize(
    ("again", "said"),
    [
        ((20,), "; stop there, for at step 31 the loss is above it again."),
        ((23,), "; stop there, for at step 31 the loss is above it again."),
        ((24,), "at a step size larger by a millionth it takes 24, so look at the loss"),
        ((16,), "at a step size larger by a millionth it takes 16, so look at the loss"),
        ((None,), "it is not in twice the steps, so look at the loss"),
        ((20, 21), "; stop there, for at step 31 the loss is above it again."),
        (
            (20, 22),
            "at step sizes larger and smaller by a millionth it takes 20 and 22, so look at",
        ),
        ((20, 24), "at a step size smaller by a millionth it takes 24, so look at the loss"),
    ],
)
def test_where_rounding_decides_the_steps_the_answer_says_so(advised, again, said):
    advice = advised[1]
    best = replace(advice.best, measured_steps=20, leaves=31)
    assert said in replace(advice, best=best, repeats=again).recommendation
    stays = replace(advice, best=replace(best, leaves=None), repeats=again).recommendation
    assert "above it again" not in stays
    assert ("; rounding decides " in stays) != ("stop there" in said)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ((None,), None),
        ((27,), "larger by a millionth the loss is above it again at step 27"),
        ((None, 31), "smaller by a millionth the loss is above it again at step 31"),
    ],
)
def test_where_rounding_decides_whether_a_loss_stays_the_answer_says_so(advised, left, said):
    advice = advised[1]
    best = replace(advice.best, leaves=None)
    again = (best.measured_steps,) * len(left)
    words = replace(advice, best=best, repeats=again, repeats_leave=left).recommendation
    if said is None:
        assert "rounding" not in words
    else:
        rest = f"; rounding decides whether it stays: at a step size {said}"
        assert words.endswith(f"{rest}, so look at the loss and stop by that.")


@pytest.mark.parametrize(
    ("factor", "of_target", "jumps"),
    [(1.31, 0.52, True), (1.29, 0.52, False), (1.31, 0.48, False), (9.0, 0.9, True)],
)
def test_a_loss_jumps_where_a_step_takes_it_up_near_the_target(advised, factor, of_target, jumps):
    low = 0.1 * of_target / factor
    losses = 2 * np.array([1.0, 0.02, 1.0, 0.09, 0.05, low, 0.1 * of_target, low])
    best = replace(advised[1].best, losses=losses, measured_steps=3)  # not what came before
    assert _jumps(best, 0.1) == jumps


def test_what_jumps_is_trained_again_for_as_long_as_it_was_looked_at():
    problem, method = cancer("relu", "mse"), heavy_ball(0.02, 0.97)
    losses = simulate(problem, method, steps=200).loss
    for target in np.linspace(0.05, 0.5, 46):
        steps, above = settled(losses, target * losses[0]), losses > target * losses[0]
        later = [] if steps is None else np.flatnonzero(above[steps : 2 * steps + 1])
        if len(later):
            break
    best = replace(
        tune(problem, target=0.1, trials=0).best, method=method, measured_steps=steps, leaves=None
    )
    calm = np.minimum.accumulate(losses[: 2 * steps])
    assert not list(_repeated(problem, replace(best, losses=calm), target))
    jumps = calm.copy()
    jumps[steps + 3 :] = target * losses[0]
    jumps[steps + 2] /= 2
    (trial,) = _repeated(problem, replace(best, losses=jumps), target)
    assert (trial.steps, trial.leaves) == (steps, steps + later[0])


def test_what_leaves_is_trained_again_at_about_the_same_step_size():
    problem = cancer("relu", "mse")
    method = heavy_ball(0.02, 0.9)
    best = replace(tune(problem, target=0.1, trials=0).best, method=method)
    losses = simulate(problem, method, steps=100).loss
    best = replace(best, losses=losses, measured_steps=settled(losses, 0.1 * losses[0]), leaves=90)
    (trial,) = _repeated(problem, best, 0.1)
    assert trial.steps == best.measured_steps
    assert trial.method.constant[0] == pytest.approx(0.02, rel=2e-6)
    assert trial.method.constant[0] != 0.02
    assert not list(_repeated(problem, replace(best, leaves=None), 0.1))
    assert not list(_repeated(problem, replace(best, leaves=None, measured_steps=99), 0.1))
    assert len(list(_repeated(problem, replace(best, leaves=None, measured_steps=100), 0.1))) == 1
    # One that has other steps as well is enough.
    fewer = replace(best, losses=2 * losses, measured_steps=best.measured_steps // 2)
    assert len(list(_repeated(problem, fewer, 0.1))) == 1
    # Where the losses of the first are others on the way, a step size smaller by as much is next.
    for share, many in ((0.88, 1), (0.86, 2), (np.nan, 2)):
        swung = losses.copy()
        swung[5] *= share
        trials = list(_repeated(problem, replace(best, losses=swung), 0.1))
        assert [trial.steps for trial in trials] == [best.measured_steps] * many
        changes = [trial.method.constant[0] / 0.02 - 1 for trial in trials]
        assert changes == pytest.approx([1e-6, -1e-6][:many], rel=1e-6)


def test_the_advice_says_where_its_loss_leaves_the_target_again(advised):
    _, advice = advised
    assert advice.best.leaves is None
    assert (advice.best.losses[advice.best.measured_steps :] <= 0.1 * advice.start).all()
    assert len(advice.best.losses) > 2 * advice.best.measured_steps
    left = replace(advice, best=replace(advice.best, leaves=99))
    assert left.recommendation.endswith("stop there, for at step 99 the loss is above it again.")
    lost = replace(left, best=replace(left.best, lost=True))
    assert lost.recommendation.endswith("above it again and does not come back.")


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("target is 1.5", {"target": 1.5}),
        ("trials is -1", {"trials": -1}),
        ("passes is 0", {"passes": 0}),
        ("give lr or learning_rate", {"against": {"momentum": 0.9}}),
        ("give the problem decay=0.1", {"against": {"lr": 0.1, "weight_decay": 0.1}}),
    ],
)
def test_a_mistake_is_one_sentence(words, options):
    with pytest.raises(InvalidInput, match=words):
        tune(cancer(), **options)


def test_no_share_of_a_loss_below_zero_is_a_target():
    """A likelihood may be below 0, where every share of it is reached before the first step."""
    x, y = load_wine(return_X_y=True)

    def shifted(outputs, y):
        return jnp.mean((outputs - y) ** 2) - 100

    with pytest.raises(InvalidInput, match="whose least value is 0"):
        tune(Problem(MLP(13, (4,), 1), shifted, (x - x.mean(0)) / x.std(0), y[:, None]))


def test_nothing_else_is_tuned():
    with pytest.raises(InvalidInput, match="nothing to tune in a 'MLP'; give a Problem"):
        tune(MLP(2, (3,)))


_SLOWER = setting("heavy_ball", 0.75, 0.95)
_FASTER = setting("nesterov", 1.25, 0.985)


class _TwoValleys(Problem):
    """Losses that fall evenly: to 1 % in 100 steps of `_SLOWER`, in 75 of `_FASTER`.

    Away from them it takes more, twice as many at a step of 2^0.7 times as long or short.
    """

    def loss_of(self, _outputs):
        return 1.0

    def begin(self):
        return 0

    def advance(self, done, eta, beta, gamma):
        best, least = (_FASTER, 75) if gamma[0] else (_SLOWER, 100)
        share = eta[0] * (1 + 2 * gamma[0]) / (2 * (1 + beta[0]))
        u, v = math.log2(share) - best.u, -math.log2(1 - beta[0]) - best.v
        steps = least * (1 + 2 * u**2 + v**2 / 4)
        return done + len(eta), 0.01 ** ((done + np.arange(len(eta))) / steps)


def two_valleys():
    return _TwoValleys(MLP(1, (2,), 1), "mse", np.ones((2, 1)), np.ones(2))


@pytest.mark.parametrize("bounds", [{"trials": 10}, {"trials": 40, "passes": 800}])
def test_a_search_that_ends_early_has_looked_at_both_families(bounds):
    search = Search(two_valleys(), 1.0, 0.01, **bounds)
    search.run()
    assert search.lacks == next(reversed(bounds))
    assert search.best.setting.family == "nesterov"


def test_nesterov_beyond_the_limit_is_found_beside_the_best_heavy_ball():
    problem = two_valleys()
    search = Search(problem, 1.0, 0.01, trials=40)
    search.run()
    first = next(trial for trial in search.trials if trial.outcome == "settled")
    assert (first.setting.family, first.steps) == ("heavy_ball", 100)  # the races do not see it
    assert search.best.setting.family == "nesterov"
    assert (
        search.best.steps <= 1.1 * 75
    )  # what is tried is 2^0.14 from the best step, 5 % more steps
    assert search.passes <= 800 / 50 * (75 + held(75))
