"""Batches of any model: the steps, the factor of a loss, expected losses, tuning, and the pages."""

from dataclasses import replace
from itertools import combinations

import jax.numpy as jnp
import numpy as np
import pytest

from helpers import run
from inertial import (
    MLP,
    InvalidInput,
    ModelSettings,
    Problem,
    Settings,
    TwoLayerReLU,
    compare,
    gradient_descent,
    heavy_ball,
    load,
    nesterov,
    read_run,
    simulate,
    tangent,
    tune,
)
from inertial.linear.spectrum import decompose
from inertial.method.batch import forecast_batches_on_rows, noise_share
from inertial.method.flow import (
    gradient_flow,
    heavy_ball_flow,
    high_resolution_nesterov,
    nesterov_flow,
)
from inertial.runs import model_runs, tuning
from inertial.runs.exploration import explore_model
from inertial.runs.model_runs import starts_of
from inertial.runs.trials import Search, setting, settled, typical
from inertial.simulation.batched import expected_on_batches, losses_on_batches, spectrum_for_batches
from inertial.simulation.integrate import decayed_flow_loss, solve
from inertial.simulation.simulate import draws_of
from inertial.simulation.train import batch_rows
from inertial.view.reporting import report

METHODS = (gradient_descent(0.1), heavy_ball(0.05, 0.8), nesterov(0.05, 0.8))


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(3)
    return random.standard_normal((20, 4)), random.standard_normal((20, 2))


def linear(rows, **options):
    """Two outputs that are linear in the parameters: the model is its own linearisation."""
    return Problem.from_apply(lambda w, x: x @ w, jnp.full((4, 2), 0.3), *rows, **options)


@pytest.mark.parametrize("order", ["fresh", "shuffled"])
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_a_problem_takes_the_steps_that_the_papers_network_takes(rows, method, order):
    x, y = rows
    problem = Problem(TwoLayerReLU(200, 4), "half_sum", x, y[:, 0], seed=2)
    given = {"steps": 70, "batch": 6, "order": order}
    tiled = simulate(problem, method, **given)
    plain = simulate(problem, method, observables=("distance",), **given)
    np.testing.assert_allclose(plain.loss, tiled.loss, rtol=1e-4)  # seventy steps in float32
    other = simulate(problem, method, seed=5, **given)
    assert other.loss[0] == pytest.approx(tiled.loss[0])
    assert not np.allclose(other.loss[1:], tiled.loss[1:], rtol=1e-3)


@pytest.mark.parametrize("loss", ["mse", "half_sum"])
def test_a_step_takes_the_gradient_that_stands_for_all_rows(rows, loss):
    x, y = rows
    problem, w = linear(rows, loss=loss, decay=0.3), np.full((4, 2), 0.3)
    found = simulate(problem, gradient_descent(0.01), steps=5, batch=5)
    losses = []
    for chosen in batch_rows(20, 5, "fresh", 0, 0, 6):
        scale = 0.5 if loss == "half_sum" else 1 / y.size
        losses.append(scale * np.sum((x @ w - y) ** 2))
        gradient = 2 * scale * 20 / 5 * x[chosen].T @ (x[chosen] @ w - y[chosen])
        w = w - 0.01 * (gradient + 0.3 * w)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-5)


def test_optimisers_of_optax_see_the_same_batches(rows):
    import optax

    found = simulate(linear(rows), optax.sgd(0.05, 0.8), steps=12, batch=5)
    own = simulate(linear(rows), heavy_ball(0.05, 0.8), steps=12, batch=5)
    np.testing.assert_allclose(found.loss, own.loss, rtol=1e-5)


def test_pytorch_takes_the_same_steps(rows):
    torch = pytest.importorskip("torch")
    from inertial.torch import problem as torch_problem

    layer = torch.nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.3)
    x, y = (np.asarray(part, np.float32) for part in rows)
    given = {"steps": 12, "batch": 5, "order": "shuffled"}
    for loss in ("mse", "half_sum"):
        found = simulate(torch_problem(layer, x, y, loss=loss), heavy_ball(0.01, 0.8), **given)
        own = simulate(linear(rows, loss=loss), heavy_ball(0.01, 0.8), **given)
        np.testing.assert_allclose(found.loss, own.loss, rtol=1e-5)
    smooth = torch_problem(layer, x, y, loss=torch.nn.SmoothL1Loss(reduction="sum"))
    assert smooth.batch_factor(5) == 4.0


def test_a_loss_of_ones_own_is_a_sum_or_a_mean_or_refused(rows):
    def total(f, y):
        return jnp.sum(jnp.abs(f - y) ** 1.5)

    def mean(f, y):
        return jnp.mean(jnp.abs(f - y) ** 1.5)

    def root(f, y):
        return jnp.sqrt(jnp.mean((f - y) ** 2))

    assert linear(rows, loss=total).batch_factor(5) == 4.0
    assert linear(rows, loss=mean).batch_factor(5) == 1.0
    with pytest.raises(InvalidInput, match="no sum or mean over rows"):
        simulate(linear(rows, loss=root), gradient_descent(0.1), steps=2, batch=5)


def test_a_loss_that_holds_a_number_for_each_row_has_its_way_out(rows):
    """On batches and on test rows it cannot be taken; as a column of the targets it can."""
    weights = jnp.linspace(0.5, 2, 20)[:, None]

    def held(f, y):
        return jnp.mean(weights * (f - y) ** 2)

    def taken(f, y):
        return jnp.mean(y[:, 1:] * (f[:, :1] - y[:, :1]) ** 2)

    said = r"on some of the rows alone .*; give what it holds for every row as further columns"
    method = gradient_descent(0.1)
    x, y = rows[0], rows[1][:, :1]
    start = jnp.full((x.shape[1], 1), 0.3)

    def made(targets, loss, test=None):
        return Problem.from_apply(lambda w, x: x @ w, start, x, targets, loss=loss, test=test)

    problem = made(y, held)
    simulate(problem, method, steps=2)
    with pytest.raises(InvalidInput, match=said):
        simulate(problem, method, steps=2, batch=5)
    with pytest.raises(InvalidInput, match=said):
        made(y, held, (x[:7], y[:7]))
    beside = np.concatenate([y, np.asarray(weights)], axis=1)
    followed = made(beside, taken, (x[:7], beside[:7]))
    simulate(followed, method, steps=2, batch=5)
    assert followed.loss_of(x @ np.asarray(start)) == pytest.approx(
        problem.loss_of(x @ np.asarray(start))
    )


def exact_losses(method, kernel, start, outputs, batch, steps, *, decay=0.0, shrunk=0.0):
    """``E L_t`` of the linearised model from every batch that there is, at each step."""
    size, n = len(kernel), len(kernel) // outputs
    eta, beta, gamma = method.constant
    pull = decay * (shrunk - start)
    # The state: residual, the one before, the last step's gradient, and 1 for what decay adds.
    moment = np.outer(*(np.concatenate([start, start, np.zeros(size), [1.0]]),) * 2)
    one, nothing, losses = np.eye(size), np.zeros((size, size)), []
    for _ in range(steps + 1):
        losses.append(0.5 * np.trace(moment[:size, :size]))
        found = 0.0
        for chosen in combinations(range(n), batch):
            taken = np.zeros(n)
            taken[list(chosen)] = n / batch
            gradient = kernel @ np.diag(np.repeat(taken, outputs)) + decay * one
            step = np.block(
                [
                    [(1 + beta) * one - (1 + gamma) * eta * gradient, -beta * one,
                     gamma * eta * one, -(1 + gamma) * eta * pull[:, None]],
                    [one, nothing, nothing, np.zeros((size, 1))],
                    [gradient, nothing, nothing, pull[:, None]],
                    [np.zeros((1, 3 * size)), np.ones((1, 1))],
                ]
            )  # fmt: skip
            found = found + step @ moment @ step.T
        moment = found / len(list(combinations(range(n), batch)))
    return np.array(losses)


@pytest.mark.parametrize("decay", [0.0, 0.4])
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_moments_of_two_outputs_against_every_batch_there_is(method, decay):
    random = np.random.default_rng(1)
    features = random.standard_normal((12, 9))
    kernel = features @ features.T / 9
    start, shrunk = random.standard_normal((2, 12))
    exact = exact_losses(method, kernel, start, 2, 2, 12, decay=decay, shrunk=shrunk)
    found = forecast_batches_on_rows(
        method, decompose(kernel), start, 2, 12, outputs=2, decay=decay, shrunk=shrunk
    ).loss
    # The noise of the first step is exact; later what is left out are correlations of modes.
    np.testing.assert_allclose(found[:2], exact[:2], rtol=1e-10)
    np.testing.assert_allclose(found, exact, rtol=0.1)
    without = forecast_batches_on_rows(method, decompose(kernel), start, 2, 12, outputs=2).loss
    assert decay == 0 or not np.allclose(without, exact, rtol=0.1)
    assert noise_share(2, 6) > 0


@pytest.fixture(scope="module")
def compared(rows, tmp_path_factory):
    """Twenty-four draws of batches from one start, with weight decay."""
    out = tmp_path_factory.mktemp("models") / "run"
    settings = ModelSettings(eta=0.1, beta=0.6, steps=30, seeds=tuple(range(24)), target=0.9)
    problem = linear(rows, decay=0.05)
    return problem, compare(problem, settings, batch=5, out=out)


def test_the_mean_of_many_draws_is_the_expected_loss(compared):
    problem, result = compared
    arrays = result.arrays
    assert (arrays.attrs["batch"], arrays.attrs["order"]) == (5, "fresh")
    for name in map(str, arrays.optimizer.values):
        losses = arrays.loss.sel({"optimizer": name}).transpose("seed", "step").values
        expected = arrays.forecast_loss.sel({"optimizer": name}).isel(seed=0).values
        error = losses.std(axis=0, ddof=1) / np.sqrt(24)
        # Three standard errors, and what the moments leave out: `test_moments_of_two_outputs...`.
        assert (np.abs(losses.mean(axis=0) - expected) < 3 * error + 0.05 * expected).all()
        assert losses[:, -1].std() > 0
    own = simulate(
        problem, nesterov(0.1, 0.6), steps=30, batch=5, seed=7, observables=("distance",)
    )
    found = arrays.loss.sel({"optimizer": "nesterov", "seed": 7})
    np.testing.assert_allclose(found, own.loss, rtol=1e-6)


def counted(calls, function):
    def counting(*given):
        calls.append(given)
        return function(*given)

    return counting


@pytest.mark.parametrize("loss", ["half_sum", "binary_cross_entropy"])
def test_seeds_of_one_start_share_a_forecast_on_batches(rows, loss, tmp_path, monkeypatch):
    x, y = rows
    weights, calls = jnp.full(4, 0.3), []
    problem = Problem.from_apply(
        lambda w, x: x @ w, weights, x, (y[:, 0] > 0).astype(float), loss=loss
    )
    for function in (expected_on_batches, losses_on_batches):
        monkeypatch.setattr(model_runs, function.__name__, counted(calls, function))
    settings = ModelSettings(eta=0.01, beta=0.6, steps=5, seeds=(0, 1, 2), target=0.9)
    arrays = compare(problem, settings, batch=5, out=tmp_path / "run").arrays
    assert len(calls) == arrays.sizes["optimizer"] == 3
    assert (
        np.ptp(arrays.forecast_loss.values, axis=arrays.forecast_loss.get_axis_num("seed")).max()
        == 0
    )
    assert arrays.forecast_loss.notnull().all()


def test_what_is_of_all_rows_is_not_said_of_batches(compared):
    _, result = compared
    assert not {"bound_loss", "forecast_distance"} & set(result.arrays)
    assert "samples to 90 %: forecast / run" in result.table
    assert "fresh rows at each step" in result.table
    assert read_run(result.run)[1]["settings"]["batch"] == 5
    page = report(result.run).html
    assert "on fresh batches of 5" in page
    assert "the expected loss on fresh batches of the model linearised" in page


def test_other_losses_are_forecast_by_runs_of_the_linearised_model(rows):
    x, y = rows
    problem = linear((x, (y[:, 0] > 0).astype(int)), loss="cross_entropy")
    operator, method = tangent(problem), heavy_ball(0.5, 0.8)
    forecast = losses_on_batches(problem, operator, method, 5, 25)
    assert np.ptp(forecast[:, -1]) > 0
    real = [simulate(problem, method, steps=25, batch=5, seed=s).loss for s in range(24)]
    error = np.hypot(
        *(part.std(axis=0, ddof=1) / np.sqrt(len(part)) for part in (forecast, np.array(real)))
    )
    assert (np.abs(forecast.mean(axis=0) - np.mean(real, axis=0)) <= 3 * error + 1e-6).all()
    squares = linear(rows)
    by_runs = losses_on_batches(squares, tangent(squares), method, 20, 9)
    full = simulate(squares, method, steps=9).loss
    np.testing.assert_allclose(by_runs, np.tile(full, (16, 1)), rtol=1e-4)


def test_trials_train_on_batches_and_other_draws_are_told(rows):
    x, y = rows
    problem = Problem(MLP(4, (16,), 2, activation="tanh"), "half_sum", x, y)
    advice = tune(problem, batch=5, target=0.5, trials=12)
    best, steps = advice.best, len(advice.best.losses)
    again = simulate(problem, best.method, steps=steps, batch=5, seed=0).loss
    np.testing.assert_allclose(again[:steps], best.losses, rtol=1e-4)
    assert settled(again, 0.5 * again[0]) == best.measured_steps
    other = simulate(problem, best.method, steps=3 * (best.measured_steps + 5), batch=5, seed=1)
    assert settled(other.loss, 0.5 * other.loss[0]) == advice.draws[0]
    assert len(advice.draws) == 4
    assert "on fresh batches of 5 (on 4 other draws:" in advice.recommendation
    assert "multiply the loss of a batch by 4" in advice.table
    operator = tangent(problem)
    spectrum = spectrum_for_batches(problem, operator)
    expected = expected_on_batches(best.method, problem, operator, spectrum, 5, steps - 1).loss
    np.testing.assert_allclose(best.forecast, expected[: len(best.forecast)], rtol=1e-6)


def test_on_batches_the_lowest_median_of_the_draws_is_recommended(rows):
    """On one draw the luckiest of many settings wins; the others' steps are those of own runs."""
    x, y = rows
    problem = Problem(MLP(4, (16,), 2, activation="tanh"), "half_sum", x, y)
    advice = tune(problem, batch=10, target=0.4, trials=20)
    drawn = [trial for trial in advice.trials if trial.draws]
    counts = {trial.method: typical(trial.counts, trial.draws) for trial in drawn}
    assert len(drawn) > 1
    assert min(drawn, key=lambda trial: trial.counts).method != advice.best.method
    assert counts[advice.best.method] == min(counts.values())
    assert advice.draws == next(t.draws for t in drawn if t.method == advice.best.method)
    for trial in drawn[:2]:
        for seed, steps in enumerate(trial.draws, start=1):
            most = 3 * (trial.steps + 5)
            loss = simulate(problem, trial.method, steps=most, batch=10, seed=seed).loss
            assert settled(loss[: most + 1], 0.4 * loss[0]) == steps
    if len(drawn) < 4:
        rest = [trial.counts for trial in advice.trials if not trial.draws]
        assert min(rest) >= min(counts.values())
    assert "lowest median over all draws" in advice.table
    one = tune(problem, target=0.4, trials=20)
    assert one.draws == ()
    assert "draws" not in one.table


@pytest.mark.parametrize("target", [0.3, 0.8])
def test_little_momentum_is_tried_on_batches_where_few_steps_are_enough(rows, target):
    """Settings of much momentum alone may arrive soon on one draw and late on the others."""
    x, y = rows
    problem = Problem(MLP(4, (16,), 2, activation="tanh"), "half_sum", x, y)
    little = {setting("heavy_ball", 0.5, 0.0), setting("nesterov", 0.5, 0.5)}
    for batch, most in ((10, 40), (None, 5)):
        trials = tune(problem, batch=batch, target=target, trials=20).trials
        at = [i for i, trial in enumerate(trials) if trial.setting in little]
        assert len(at) in (0, 2)
        raced = trials[: at[0]] if at else trials
        assert bool(at) == (min(trial.steps for trial in raced if trial.steps is not None) <= most)


@pytest.mark.parametrize(
    ("draws", "median"),
    [
        ((), 10.0),
        ((12, 30, 11, None), 12.0),
        ((None, None, 9, 30), 30.0),
        ((None, None, None, 9), np.inf),
    ],
)
def test_what_never_settles_counts_as_later_than_all(draws, median):
    assert typical(10.0, draws) == median


def test_what_settles_on_few_draws_makes_room_for_smaller_steps(rows):
    """Where all but a small step fail on the others, as here by decree, that is found."""
    problem, limit = linear(rows), tangent(linear(rows)).lanczos(8).largest[0]
    draws = [draws_of(problem, 10, seed=seed) for seed in range(5)]
    given = {"problem": problem, "largest": limit, "target": 0.8, "trials": 30, "draws": draws}
    plain = Search(**given)
    plain.run()

    class Unlucky(Search):
        def _look_on(self, trial):
            super()._look_on(trial)
            if trial.setting.u > plain.best.setting.u - 1:
                trial.draws = (None,) * 4

    search = Unlucky(**given)
    search.run()
    assert not search.best.fails
    assert search.best.setting.u <= plain.best.setting.u - 1


@pytest.mark.parametrize("unlucky", ["first", "all"])
def test_where_the_best_fails_on_other_draws_the_other_family_has_a_search(
    rows, monkeypatch, unlucky
):
    """By decree in the search that both share, or in every one: then a remedy is named."""
    shared = []

    class Unlucky(Search):
        def _look_on(self, trial):
            super()._look_on(trial)
            if len(self.families) > 1:
                shared.append(trial.setting.family)
            if unlucky == "all" or len(self.families) > 1:
                trial.draws = (None,) * 4

    monkeypatch.setattr(tuning, "Search", Unlucky)
    advice = tune(linear(rows), batch=10, target=0.8, trials=12)
    assert {entry.name for entry in advice.methods} == {"heavy_ball", "nesterov"}
    remedy = "no setting tried arrives on most draws: give a larger batch, or a larger target."
    assert advice.recommendation.endswith(remedy) == (unlucky == "all")
    if unlucky == "first":
        assert advice.best.name not in shared
        assert advice.draws.count(None) < 3


def test_a_forecast_alone_is_within_the_limit_for_the_batch(rows):
    advice = tune(linear(rows), batch=1, target=0.95, trials=0)
    assert {entry.share for entry in advice.methods} <= {
        share for share in (entry.share for entry in advice.methods) if share <= 0.61
    }
    full = tune(linear(rows), target=0.95, trials=0)
    assert advice.best.method.eta < full.best.method.eta


def test_a_forecast_alone_on_uneven_rows_arrives_or_says_where_it_ended(monkeypatch):
    random, scales = np.random.default_rng(3), np.array([1, 0.5, 0.1, 0.07])
    x = random.standard_normal((20, 4)) * scales
    problem = Problem.from_apply(
        lambda w, x: x @ w, jnp.zeros((4, 1)), x, x @ (1 / scales)[:, None]
    )
    operator = tangent(problem)
    spectrum = spectrum_for_batches(problem, operator)

    def recommended():
        advice = tune(problem, batch=1, target=0.05, trials=0)
        best = advice.best
        losses = expected_on_batches(best.method, problem, operator, spectrum, 1, 3_000).loss
        return advice.recommendation, best.steps_to, settled(losses, 0.05 * losses[0])

    monkeypatch.setattr(tuning, "_EXPECTED", 3_000)
    said, steps, own = recommended()
    assert steps == own > 300
    assert f"by the linearised model: {steps:,};" in said
    monkeypatch.setattr(tuning, "_EXPECTED", 300)
    said, steps, own = recommended()
    assert steps is None
    assert "not found, go by real runs (trials above 0); not checked" in said
    monkeypatch.setattr(tuning, "_EXPECTED", 3_000)
    monkeypatch.setattr(tuning, "_HALVED", 0)  # the step that rows of one size would allow
    said, steps, own = recommended()
    assert (steps, own) == (None, None)


@pytest.mark.parametrize("batch", [None, 5])
def test_a_loss_that_comes_back_is_told_in_the_table_and_not_as_an_order_on_batches(rows, batch):
    advice = tune(linear(rows), batch=batch, target=0.9, trials=6)
    best = replace(advice.best, leaves=1234)
    said = replace(advice, best=best, methods=(best,))
    assert f"{best.measured_steps} (leaves at 1,234)" in said.table
    assert ("stop there, for at step 1,234" in said.recommendation) == (batch is None)
    assert ("at step 1,234 of this draw" in said.recommendation) == (batch is not None)
    assert "leaves at" not in advice.table or advice.best.leaves is not None


def test_a_page_opens_on_batches_of_a_model(rows):
    found = explore_model(
        starts_of(linear(rows)), ModelSettings(steps=20, target=0.95, batch=5), trials=6
    )
    assert (found.batch, found.outputs) == (5, 2)
    assert found.modes.counts.sum() == pytest.approx(20)
    assert {point.rule for point in found.points} >= {"forecast", "batch"}
    assert all(curve.loss.shape == (1, 21) for curve in found.curves)


def test_the_commands_take_batches_of_a_model(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["digits", "--n", "30", "--model", "mlp:8", "--loss", "mse", "--batch", "6"]
    assert run(capsys, "explore", *words, "--steps", "12", "--trials", "3")[0] == 0
    page = (tmp_path / "explore.html").read_text(encoding="utf-8")
    assert "on fresh batches of 6 rows" in page
    assert '"batch": 6' in page
    given = ["--eta", "0.05", "--beta", "0.5", "--steps", "8", "--order", "shuffled"]
    assert run(capsys, "compare", *words, *given, "--seeds", "2", "--out", "run")[0] == 0
    assert read_run(tmp_path / "run")[0].attrs["order"] == "shuffled"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"batch": 21}, "batch is 21; give a whole number of rows from 1 to 20"),
        ({"batch": 0}, "batch is 0"),
        ({"order": "shuffled"}, "order is given without a batch"),
        ({"batch": 4, "methods": ("adam",)}, "adam: for gradients of all rows"),
    ],
)
def test_what_is_no_batch_of_a_model_leaves_nothing_behind(rows, tmp_path, given, says):
    with pytest.raises(InvalidInput, match=says):
        compare(linear(rows), ModelSettings(**given), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_outputs_that_are_too_many_are_refused(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("inertial.simulation.batched.MOST_OUTPUTS", 39)
    with pytest.raises(InvalidInput, match="40 outputs are too many; take fewer rows"):
        compare(linear(rows), batch=5, out=tmp_path / "run")


# --- weight decay ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flow",
    [gradient_flow(), heavy_ball_flow(0.3), high_resolution_nesterov(0.3, 0.01), nesterov_flow()],
    ids=lambda flow: flow.name,
)
def test_a_flow_with_decay_is_that_of_the_penalised_loss(flow):
    """Of parameters w with features J: the flow of the quadratic J'J + alpha, from its own end."""
    random = np.random.default_rng(5)
    features, targets, w = (random.standard_normal(size) for size in ((6, 4), 6, 4))
    alpha, times = 0.7, np.linspace(0.0, 6.0, 25)
    hessian = features.T @ features + alpha * np.eye(4)
    values, vectors = np.linalg.eigh(hessian)
    rest = np.linalg.solve(hessian, features.T @ targets)
    modes = solve(flow, values, times).amplitude
    path = rest + (modes * ((w - rest) @ vectors)) @ vectors.T
    expected = 0.5 * np.sum((path @ features.T - targets) ** 2, axis=1)
    spectrum = decompose(features @ features.T)
    outputs = features @ w
    found = decayed_flow_loss(
        flow, spectrum.eigenvalues, spectrum.modes(outputs - targets), spectrum.modes(outputs),
        times, decay=alpha,
    )  # fmt: skip
    # Closed forms to rounding; Nesterov's flow with an eigenvalue of alpha alone is integrated.
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_flows_and_batches_are_compared_with_decay(tmp_path):
    data = load("digits", n=30)
    shared = {"methods": ("gradient_descent",), "width": 2000, "seeds": (0,), "eta": 0.005}
    slow = compare(
        data, Settings(**shared, steps=60, decay=0.5, flows=("gradient_flow",)), out=tmp_path / "f"
    ).arrays.squeeze()
    # Of first order in a step: eta (l_max + alpha) / 2 of the decay per unit of time.
    np.testing.assert_allclose(slow.flow_loss, slow.forecast_loss, rtol=0.05)
    assert float(np.abs(slow.flow_loss - slow.forecast_loss).max()) > 0
    noisy = compare(
        data, Settings(**shared, steps=30, decay=0.5, batch=30), out=tmp_path / "b"
    ).arrays.squeeze()
    np.testing.assert_allclose(noisy.forecast_loss, slow.forecast_loss[:31], rtol=1e-8)


def test_the_picture_of_advice_with_decay_is_of_the_forecast_with_decay():
    data = load("digits", n=40)
    advice = tune(data, decay=2.0, target=0.5, trials=0)
    for entry in advice.methods:
        losses = advice.expected(entry.method, 4000)
        assert losses[-1] == pytest.approx(advice.floor * losses[0], rel=1e-3)
        assert int(np.argmax(losses <= 0.5 * losses[0])) == entry.steps_to
    figure = advice.plot()
    drawn = [line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) > 2]
    own = advice.expected(advice.methods[0].method, len(drawn[0]) - 1)
    np.testing.assert_allclose(drawn[0], own / own[0])
