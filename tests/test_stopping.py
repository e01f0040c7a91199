"""What `tune` says of test rows and weight decay: its forecasts are those of the real thing."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import run
from inertial import (
    MLP,
    InvalidInput,
    Problem,
    decompose,
    heavy_ball,
    load,
    nesterov,
    spectrum_of,
    tune,
)
from inertial.linear.kernel import finite_gram
from inertial.method.conventions import snippet
from inertial.method.response import decayed_loss
from inertial.problem.model import TwoLayerReLU, start_key
from inertial.runs.check import first_step
from inertial.runs.stopping import Stopping, horizon, network_modes, trained
from inertial.simulation.curves import Curve, learning_curve


@pytest.fixture(scope="module")
def digits():
    return load("digits", n=80, test=0.25)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_modes_of_a_networks_own_kernel_are_its_linearisation(digits, decay):
    width, seed = 60, 3
    network = TwoLayerReLU(width, digits.x.shape[1])
    w, _ = network.init(start_key(seed))
    spectrum = decompose(finite_gram(digits.x, np.asarray(w, float)))
    method = nesterov(0.05, 0.8)
    modes = network_modes(digits, spectrum, width=width, seed=seed, decay=decay, finite=True).curve(
        method, 60
    )
    test = digits.test.x, digits.test.y
    with jax.enable_x64(True):
        params = tuple(jnp.asarray(part, jnp.float64) for part in network.init(start_key(seed)))
        problem = Problem.from_apply(
            network.apply, params, digits.x, digits.y, loss="half_sum",
            trainable=network.trainable, test=test, decay=decay,
        )  # fmt: skip
        curve = learning_curve(problem, method, steps=60)
    np.testing.assert_allclose(modes.loss, curve.loss, rtol=1e-9)
    np.testing.assert_allclose(modes.test_loss, curve.test_loss, rtol=1e-9)
    np.testing.assert_array_equal(modes.test_accuracy, curve.test_accuracy)
    np.testing.assert_allclose(modes.gcv, curve.gcv, rtol=1e-8)


def test_the_forecast_at_infinite_width_is_what_wide_networks_do_on_test_rows(digits):
    spectrum, _ = spectrum_of(digits)
    method = heavy_ball(0.1, 0.6)
    gaps = []
    for width in (100, 6400):
        forecast = network_modes(digits, spectrum, width=width).curve(method, 30)
        problem = Problem(
            TwoLayerReLU(width, digits.x.shape[1]), "half_sum", digits.x, digits.y,
            test=(digits.test.x, digits.test.y),
        )  # fmt: skip

        real = trained(problem, method, 30)
        gaps.append(np.abs(np.log(real.test_loss / forecast.test_loss)).max())
    assert gaps[1] < gaps[0] / 2
    assert gaps[1] < 0.1


def test_the_steps_of_decay_are_counted_on_the_expected_loss(digits):
    advice = tune(digits, target=0.2, width=200, trials=0, decay=0.4)
    assert advice.bound is None
    entry = advice.of("nesterov")
    # The mean over many starts of the loss that decayed_loss gives for each of them.
    spectrum, _ = spectrum_of(digits)
    network, rng = TwoLayerReLU(200, digits.x.shape[1]), np.random.default_rng(0)
    losses = np.zeros(200 + 1)
    for _ in range(300):
        w = rng.standard_normal((200, network.inputs))
        f = np.maximum(digits.x @ w.T, 0) @ rng.choice([-1.0, 1.0], 200) / np.sqrt(200)
        start, shrunk = spectrum.modes(f - digits.y), spectrum.modes(f)
        losses += decayed_loss(entry.method, spectrum.eigenvalues, start, shrunk, 200, decay=0.4)
    # 300 starts know the loss to about 3 %: a step or two.
    assert entry.steps_to == pytest.approx(first_step(losses, 0.2), abs=2)
    assert entry.eta_limit < tune(digits, trials=0).of("nesterov").eta_limit * 2


def test_a_loss_with_decay_that_stays_above_the_target_is_never_promised(digits):
    advice = tune(digits, target=0.001, width=100, trials=1, decay=5.0)
    assert advice.best.steps_to is None
    assert not advice.checks
    # What is left is what the forecast goes to, over many starts.
    spectrum, _ = spectrum_of(digits)
    targets, nodes = spectrum.modes(digits.y), spectrum.eigenvalues
    end = decayed_loss(advice.best.method, nodes, targets, 0 * targets, 3000, decay=5.0)[-1]
    assert advice.floor == pytest.approx(2 * end / advice.measure.total)
    share = f"{100 * advice.floor:.2g} % stay under weight decay 5; take a larger target."
    assert advice.recommendation.startswith("No constant setting that was looked at reaches 0.001")
    assert share in str(advice)
    assert "a weight decay of 0.08333 and 0.1667" in advice.lines  # 5 over 60 rows
    assert advice.stopping.run is not None


def test_decay_is_kept_in_a_real_run(digits):
    advice = tune(digits, target=0.1, width=4000, trials=1, decay=0.2)
    assert advice.checks[0].kept
    assert "weight_decay=0.2" in snippet(advice.best.method, decay=advice.decay)


def test_a_problems_advice_has_the_test_rows_and_the_decay(digits):
    problem = Problem(
        MLP(digits.x.shape[1], (16,), 1), "mse", digits.x, digits.y,
        test=(digits.test.x, digits.test.y), decay=1e-3,
    )  # fmt: skip
    advice = tune(problem, target=0.3, trials=3)
    assert advice.stopping.rows == 20
    assert "weight_decay=0.001" in advice.lines
    assert "test rows" in str(advice)
    assert advice.bound is None
    # What the longer run on the test rows did is known too.
    best, run = advice.best, advice.stopping.run
    assert (best.leaves, len(run.loss) > len(best.losses)) == (None, True)
    assert f"nobody looked at the recommended run beyond step {len(run.loss) - 1:,}" in str(advice)
    risen = np.where(np.arange(len(run.loss)) == len(best.losses) + 2, advice.start, run.loss)
    again = dataclasses.replace(advice.stopping, run=dataclasses.replace(run, loss=risen))
    told = str(dataclasses.replace(advice, stopping=again))
    said = f"; the run on the test rows is above it again at step {len(best.losses) + 2:,}\n"
    assert said in told
    assert "nobody looked" not in told
    settings = advice.stopping.forecast
    assert len(settings.loss) == horizon(advice.best.measured_steps or advice.best.steps_to) + 1


def test_the_cost_of_the_forecasts_step_is_measured_on_the_run():
    method = nesterov(0.1, 0.5)
    gcv = np.array([3.0, 2.0, 1.0, 2.0])
    forecast = Curve(method, np.ones(4), np.array([4.0, 2.0, 3.0, 3.0]), gcv=gcv)
    real = Curve(method, np.ones(4), np.array([4.0, 3.0, 2.0, 5.0]))
    stopping = Stopping("nesterov", 2, 0.5, forecast, real)
    assert stopping.cost == 0.5
    first, second, third = stopping.sentences
    assert first.endswith("the forecast on the test rows is lowest at step 1 (mean loss 1).")
    assert "the real run is lowest there at step 2 (mean loss 1);" in second.lower()
    assert second.endswith("stopped at the forecast's step its loss is 50 % higher.")
    assert third.endswith("from the training rows alone, is lowest at step 2.")
    falling = dataclasses.replace(forecast, test_loss=np.array([4.0, 3.0, 2.0, 1.0]))
    assert "step 3, the last one" in dataclasses.replace(stopping, forecast=falling).sentences[0]


def test_the_command_prints_and_writes_what_happens_on_test_rows(capsys):
    words = ("tune", "digits", "--n", "60", "--width", "100", "--test", "0.25", "--decay", "0.1")
    words += ("--trials", "1")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "On 15 test rows" in out
    assert "Generalised cross-validation, from the training rows alone" in out
    assert (
        "By the linearised network, with weight decay 0.1 the loss, without the penalty, ends at"
        in out
    )
    code, out, _ = run(capsys, *words, "--json")
    document = json.loads(out)
    assert document["decay"] == 0.1
    assert document["stopping"]["rows"] == 15
    assert document["stopping"]["run"]["test_accuracy"] > 0.5
    code, out, _ = run(
        capsys, "tune", "digits", "--n", "60", "--model", "mlp:8", "--trials", "1",
        "--test", "0.25", "--json",
    )  # fmt: skip
    assert json.loads(out)["stopping"]["rows"] == 15


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--decay", "-1"), "decay is -1.0; give a finite number of at least 0"),
        (("--test", "1.2"), "test is 1.2; give a number between 0 and 1"),
        (("--test", "0.001"), "which leaves"),
        (("--test", "nowhere.csv"), "digits is a named set; give a share"),
        (("--test", "0.2", "--batch", "8"), "with --batch, tune says nothing of test rows"),
        (("--decay", "0.1", "--rule", "optimal"), "leave out --decay, or take inertial compare"),
        (("--decay", "0.1", "--batch", "8"), "nothing of weight decay; leave out --decay, or"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(capsys, words, message):
    code, out, err = run(capsys, "tune", "digits", "--n", "40", *words)
    assert code == 2
    assert not out
    assert message in err
    assert err.strip().count("\n") == 0


def test_a_model_is_tuned_on_batches_with_decay_as_in_python(capsys):
    code, out, _ = run(
        capsys, "tune", "digits", "--n", "40", "--model", "mlp:8", "--trials", "2",
        "--target", "0.5", "--batch", "8", "--decay", "0.01",
    )  # fmt: skip
    assert code == 0
    assert "weight_decay=0.01" in out
    assert "with weight decay 0.01; losses are those without the penalty" in out


@pytest.mark.parametrize("way", [("--rule", "optimal"), ("--batch", "8")])
def test_compare_has_decay_and_test_rows_where_tune_has_not(capsys, tmp_path, way):
    code, out, _ = run(
        capsys, "compare", "digits", "--n", "40", "--width", "100", "--steps", "8", "--seeds", "1",
        *way, "--decay", "0.1", "--test", "0.25", "--out", str(tmp_path / "made"),
    )  # fmt: skip
    assert code == 0
    assert "lowest loss on the test rows" in out


def test_decay_needs_all_eigenvalues_and_constant_rules(digits):
    for way in ({"rule": "optimal"}, {"batch": 8}):
        with pytest.raises(InvalidInput, match=r"leave decay out, or take compare with Settings"):
            tune(digits, **way, decay=0.1)
    with pytest.raises(InvalidInput, match=r"decay is -0\.1"):
        tune(digits, decay=-0.1)
