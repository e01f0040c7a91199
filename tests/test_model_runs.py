"""Comparisons on any model: what is recorded of a run, beside what forecast, and by what name."""

import dataclasses
import hashlib
import json
import warnings
from dataclasses import asdict

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from helpers import of_several, run
from inertial import (
    MLP,
    InvalidInput,
    ModelSettings,
    Problem,
    Settings,
    compare,
    heavy_ball,
    load,
    lower_bound,
    read_run,
    report,
    tangent,
    tune,
)
from inertial._checks import Notice
from inertial.method.recursion import label
from inertial.method.trust import distance
from inertial.runs.config import DataSet
from inertial.runs.measures import summarize, verdict_of
from inertial.runs.model_runs import run_model, start_of_model, starts_of
from inertial.runs.spec import ModelName, Run, Spec
from inertial.runs.trials import Trial, setting
from inertial.runs.tuning import _winner
from inertial.simulation.transformations import TRANSFORMATIONS, Optax
from inertial.theory.gather import StoredRun
from inertial.view.run_page import model_page

BY_HAND = ModelSettings(eta=0.05, beta=0.8, steps=30, target=0.5)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(7)
    return random.standard_normal((24, 5)), random.standard_normal(24)


@pytest.fixture(scope="module")
def linear(rows):
    """A model that is its own linearisation."""
    return Problem.from_apply(lambda w, x: x @ w, jnp.full(5, 0.3), *rows)


@pytest.fixture(scope="module")
def perceptron(rows):
    return Problem(MLP(5, (16,), activation="tanh"), "mse", *rows)


def of(arrays, name):
    return arrays.sel({"optimizer": name})


def test_a_linear_model_is_its_forecast_whatever_trains_it(linear, tmp_path):
    settings = ModelSettings(
        methods=("gradient_descent", "heavy_ball", "nesterov", "adam", "lion"),
        eta=0.05, beta=0.8, steps=30, target=0.9,
    )  # fmt: skip
    result = compare(linear, settings, out=tmp_path / "run")
    arrays = result.arrays
    # Thirty steps in float32 against a forecast in float64 from products in float32.
    np.testing.assert_allclose(arrays.loss, arrays.forecast_loss, rtol=1e-4)
    assert float(arrays.kernel_drift.max()) < 1e-5
    moved = arrays[["distance", "forecast_distance"]].sel(optimizer=list(settings.methods[:3]))
    np.testing.assert_allclose(moved.distance, moved.forecast_distance, atol=1e-4)
    assert arrays.forecast_distance.sel(optimizer=["adam", "lion"]).isnull().all()
    assert {row.verdict for row in result.methods} == {"holds"}
    assert all(row.kernel_drift < 1e-5 for row in result.methods)
    largest = tangent(linear).lanczos(5).largest[0]
    np.testing.assert_allclose(arrays.sharpness, largest, rtol=1e-5)
    heavy = result.methods[1]
    assert heavy.sharpest == pytest.approx(0.05 * largest / (2 * 1.8), rel=1e-5)
    # No gradient method beats the bound, and Adam in five coordinates is none of its kind.
    three = arrays.sel(optimizer=list(settings.methods[:3]))
    assert (three.loss >= three.bound_loss * (1 - 1e-4)).all()


def test_under_another_loss_the_linearised_model_is_trained_itself(rows, tmp_path):
    x, y = rows
    problem = Problem.from_apply(
        lambda w, x: x @ w, jnp.zeros(5), x, (y > 0).astype(int), loss="binary_cross_entropy"
    )
    arrays = compare(problem, BY_HAND, out=tmp_path / "run").arrays
    np.testing.assert_allclose(arrays.loss, arrays.forecast_loss, rtol=1e-4)
    assert "forecast_distance" not in arrays
    assert "bound_loss" not in arrays
    assert arrays.attrs["proven"] == 30


def test_what_is_stored_is_read_back_with_the_models_name(perceptron, tmp_path):
    settings = ModelSettings(eta=0.05, beta=0.8, steps=20, seeds=(0, 4), methods=("heavy_ball",))
    result = compare(perceptron, settings, out=tmp_path / "run", command="as typed")
    arrays, manifest = read_run(result.run)
    assert arrays.identical(result.arrays)
    for name in ("loss", "forecast_loss", "bound_loss", "distance", "forecast_distance"):
        assert arrays[name].dims == ("optimizer", "seed", "step")
    for name in ("kernel_drift", "sharpness"):
        assert arrays[name].dims == ("optimizer", "seed", "look")
    assert list(arrays.look.values) == [0, 2, 5, 7, 10, 12, 15, 17, 20]
    assert arrays.node.dims == arrays.node_weight.dims == ("optimizer", "seed", "rank")
    first = arrays.isel(optimizer=0, step=0)
    # A Gauss rule's weights sum to twice the loss at the start.
    np.testing.assert_allclose(first.node_weight.sum("rank"), 2 * first.loss, rtol=1e-5)
    named = manifest["model"]
    assert (named["text"], named["loss"], named["parameters"]) == ("MLP", "mse", 113)
    assert set(named["starts"]) == {"0", "4"}
    assert len(set(named["starts"].values())) == 2
    assert manifest["settings"] == json.loads(json.dumps(asdict(settings)))
    assert (arrays.attrs["n"], arrays.attrs["d"], arrays.attrs["loss"]) == (24, 5, "mse")
    norms = [np.sqrt(sum((v**2).sum() for v in perceptron.at_seed(s).parameters_of().values()))
             for s in (0, 4)]  # fmt: skip
    np.testing.assert_allclose(arrays.start_norm, norms, rtol=1e-6)


def test_movement_and_bound_are_those_of_the_starts_measure(perceptron, tmp_path):
    run_ = compare(perceptron, BY_HAND, out=tmp_path / "run").arrays.isel(seed=1)
    measure = tangent(perceptron.at_seed(1)).measure(24)
    expected = distance(heavy_ball(0.05, 0.8), measure, 30)
    np.testing.assert_allclose(of(run_, "heavy_ball").forecast_distance, expected, rtol=1e-4)
    bound = lower_bound(measure, 30, resolution=1e-6).certain
    np.testing.assert_allclose(of(run_, "heavy_ball").bound_loss, bound, rtol=1e-3, atol=1e-9)


def test_the_change_of_the_kernel_is_that_of_the_jacobians(rows, tmp_path):
    """Written out with dense Jacobians, under cross-entropy, whose curvature is left out."""
    x, y = rows
    problem = Problem(MLP(5, (6,), activation="tanh"), "binary_cross_entropy", x, (y > 0) * 1)
    settings = ModelSettings(methods=("heavy_ball",), eta=1.0, beta=0.8, steps=8, seeds=(0,))
    arrays = compare(problem, settings, out=tmp_path / "run").arrays.isel(optimizer=0, seed=0)

    def kernel(state):
        linear = problem.linearise(state)
        return np.array([linear.push(linear.pull(unit)) for unit in np.eye(24)])

    state, _ = problem.advance(problem.begin(), *heavy_ball(1.0, 0.8).coefficients(0, 8))
    start = problem.linearise().outputs
    g = problem.gradient_of(start)[:, 0]
    np.testing.assert_allclose(g, (1 / (1 + np.exp(-start[:, 0])) - (y > 0)) / 24, rtol=1e-9)
    before, after = kernel(None) @ g, kernel(state) @ g
    expected = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert expected > 0.05
    np.testing.assert_allclose(arrays.kernel_drift.isel(look=-1), expected, rtol=1e-4)


def test_another_seed_is_the_problem_made_with_it(rows, perceptron):
    fresh = Problem(MLP(5, (16,), activation="tanh"), "mse", *rows, seed=3)
    again = perceptron.at_seed(3)
    assert again.seed == 3
    for name, values in fresh.parameters_of().items():
        np.testing.assert_array_equal(again.parameters_of()[name], values)
    coefficients = (np.full(5, 0.1), np.full(5, 0.8), np.zeros(5))
    assert again.advance(again.begin(), *coefficients)[1].tolist() == (
        fresh.advance(fresh.begin(), *coefficients)[1].tolist()
    )
    assert perceptron.at_seed(0) is perceptron


def test_the_default_settings_are_those_that_tune_recommends(perceptron, tmp_path):
    settings = ModelSettings(seeds=(0,), steps=5, target=0.6)
    result = compare(perceptron, settings, out=tmp_path / "run")
    advice = tune(perceptron, target=0.6)
    rows_ = {row.method: row for row in result.methods}
    descent = tune(perceptron, target=0.6, methods="gradient_descent")
    for entry in (*advice.methods, descent.best):
        row = rows_[entry.name]
        assert (row.eta, row.beta, row.gamma) == entry.method.constant
        assert row.rule == "trials"
    forecast = ModelSettings(seeds=(0,), steps=5, target=0.6, rule="forecast")
    unchecked = compare(perceptron, forecast, out=tmp_path / "unchecked")
    promised = tune(perceptron, target=0.6, trials=0)
    assert [row.rule for row in unchecked.methods] == ["forecast"] * 3
    for entry in promised.methods:
        row = next(row for row in unchecked.methods if row.method == entry.name)
        assert (row.eta, row.beta) == entry.method.constant[:2]


def test_a_model_with_its_parameters_has_one_start_and_says_so(linear, tmp_path):
    settings = ModelSettings(eta=0.05, beta=0.8, steps=3, seeds=(2, 5))
    with pytest.warns(Notice, match="there is one start"):
        result = compare(linear, settings, out=tmp_path / "run")
    assert list(result.arrays.seed.values) == [2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(linear, ModelSettings(eta=0.05, beta=0.8, steps=3), out=tmp_path / "alone")
    with pytest.raises(InvalidInput, match="has one start only"):
        linear.at_seed(1)


def test_settings_of_the_other_kind_are_refused(linear, tmp_path):
    with pytest.raises(InvalidInput, match="ModelSettings for a problem"):
        compare(linear, Settings(), out=tmp_path / "run")
    for changes, words in (
        ({"rule": "paper"}, "choose one of trials, forecast"),
        ({"rule": "forecast", "eta": 0.1, "beta": 0.5}, "are both given"),
        ({"eta": 0.1}, "eta is given without beta"),
        ({"eta": 0.1, "beta": 0.5, "methods": ("adam", "lion")}, "has none"),
        ({"methods": ("adamm",)}, "did you mean 'adam'"),
        ({"target": 1.5}, "target is 1.5"),
    ):
        with pytest.raises(InvalidInput, match=words):
            ModelSettings(**changes)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_every_optimiser_runs_by_its_name_alone(linear, name):
    start = start_of_model(starts_of(linear), 0, 2)
    spec = Spec(name, "usual", 0, 0, 2, 0.1, "float32", model=start.name, shares=(0.5,))
    found = run_model(spec, start, Optax(name))
    assert found.loss[2] < found.loss[0]
    assert (found.attrs["eta"], found.attrs["status"]) == (1e-3, "finished")
    assert np.isnan(found.attrs["beta"])


def test_a_divergence_leaves_gaps_and_the_forecast_departs(perceptron, tmp_path):
    settings = ModelSettings(methods=("gradient_descent",), eta=40.0, steps=60, seeds=(0,))
    with pytest.warns(Notice, match="not below the stability limit"):
        result = compare(perceptron, settings, out=tmp_path / "run")
    row, arrays = result.methods[0], result.arrays.isel(optimizer=0, seed=0)
    if row.status == "diverged":
        ended = int(arrays.diverged_at)
        assert arrays.loss.isel(step=slice(ended + 1, None)).isnull().all()
        assert arrays.kernel_drift.isel(look=-1).isnull()
    assert row.verdict == "departs"


@pytest.mark.parametrize(
    ("forecast", "measured", "verdict"),
    [
        *((20, 20, "holds"), (23, 20, "holds"), (24, 20, "departs"), (3, 2, "holds")),
        *((30, None, "departs"), (None, 20, "departs"), (None, None, "unchecked")),
    ],
)
def test_a_forecast_holds_within_15_percent_or_a_step(
    linear, tmp_path, forecast, measured, verdict
):
    settings = ModelSettings(methods=("heavy_ball",), eta=0.05, beta=0.8, steps=40, target=0.2)
    arrays = compare(linear, settings, out=tmp_path / "run").arrays.isel(optimizer=0)
    loss = np.full(41, 1.0)
    if measured is not None:
        loss[measured:] = 0.1
    arrays.loss[0] = arrays.forecast_loss[0] = loss
    arrays.forecast_steps[0] = np.nan if forecast is None else forecast
    assert verdict_of(arrays, 0.2) == verdict


def test_a_run_that_diverged_unforeseen_keeps_no_forecast_though_it_was_at_the_target(
    linear, tmp_path
):
    settings = ModelSettings(methods=("heavy_ball",), eta=0.05, beta=0.8, steps=40, target=0.9)
    result = compare(linear, settings, out=tmp_path / "run")
    assert result.methods[0].verdict == "holds"
    lost = result.arrays.copy(deep=True)
    lost.loss[0, 0, -10:] = 1e9
    lost.status[0, 0], lost.diverged_at[0, 0] = "diverged", 31
    again = summarize(lost, "heavy_ball", 0.9)
    reached = again.steps_to["0.9"]["measured"]
    assert reached == result.methods[0].steps_to["0.9"]["measured"]
    assert (again.status, again.unforeseen, again.verdict) == ("diverged", 1, "departs")
    both = dataclasses.replace(result, arrays=lost, methods=(again,))
    assert both.recommendation.startswith(
        f"heavy ball reached 90 % of the loss at the start in {reached:g} steps (forecast: "
    )
    assert both.recommendation.endswith(
        "), and diverged, as every method did in the end; take a smaller step."
    )


@pytest.mark.parametrize(
    ("run", "forecast", "verdict"),
    [
        ([1.0, 0.1, 0.1, 0.1, 0.1], [1.0, 0.1, 0.1, 0.1, 0.1], "holds"),
        ([1.0, 0.1, 0.5, 0.1, 0.1], [1.0, 0.1, 0.5, 0.1, 0.1], "holds"),
        ([1.0, 0.1, 0.5, 0.1, 0.1], [1.0, 0.1, 0.1, 0.1, 0.1], "departs"),
        ([1.0, 0.1, 0.1, 0.1, 0.5], [1.0, 0.1, 0.1, 0.1, 0.1], "departs"),
        ([1.0, 0.1, 0.1, 0.1, 0.5], [1.0, 0.1, 0.1, 0.1, 0.5], "holds"),
    ],
)
def test_a_run_that_rings_back_where_its_forecast_does_not_departs(
    linear, tmp_path, run, forecast, verdict
):
    """Though both are at the target first at the same step."""
    settings = ModelSettings(methods=("heavy_ball",), eta=0.05, beta=0.8, steps=40, target=0.2)
    arrays = compare(linear, settings, out=tmp_path / "run").arrays.isel(optimizer=0)
    for name, part in (("loss", run), ("forecast_loss", forecast)):
        arrays[name][0] = np.interp(np.arange(41), np.arange(5) * 10, part)
    arrays.forecast_steps[0] = np.flatnonzero(arrays.forecast_loss[0] <= 0.2)[0]
    assert verdict_of(arrays, 0.2) == verdict


@pytest.mark.parametrize("share", [0.99, 1.01])
def test_where_a_run_was_above_its_limit_rounding_is_said_to_decide(linear, tmp_path, share):
    settings = ModelSettings(
        methods=("heavy_ball",), eta=0.05, beta=0.8, steps=40, target=0.2, seeds=(0,)
    )
    found = compare(linear, settings, out=tmp_path / "run")
    arrays = found.arrays
    arrays.loss[0, 0] = np.interp(np.arange(41), np.arange(5) * 10, [1.0, 0.1, 0.5, 0.1, 0.1])
    methods = tuple(
        dataclasses.replace(summarize(arrays, row.method, 0.2), sharpest=share)
        for row in found.methods
    )
    said = dataclasses.replace(found, arrays=arrays, methods=methods)
    assert "stays below: " in said.note
    assert ("rounding can decide" in said.note) == (share > 1)
    arrays.sharpness[:] = share * 2 * (1 + 0.8) / 0.05
    page = model_page(StoredRun("run", arrays, read_run(found.run)[1]))
    assert ("rounding can decide" in page) == (share > 1)


def test_a_trial_that_diverged_is_recommended_last():
    one = setting("heavy_ball", 0.5, 0.8)
    lost = Trial(one, one.method(1.0), "diverged", losses=np.array([1.0, 0.1, 1e9]))
    stopped = Trial(one, one.method(1.0), "stopped", losses=np.array([1.0, 0.9, 0.8]))
    assert _winner([lost, stopped], "heavy_ball") is stopped


def test_an_identity_from_before_models_stays():
    """The thirteen fields of a first `Spec` in the order of their names, data and version."""
    spec = Spec("nesterov", "paper", 30, 3, 20, 0.01, "float64")
    before = {
        "method": "nesterov", "rule": "paper", "width": 30, "seed": 3, "steps": 20,
        "precision": "float64", "eta": None, "beta": None, "kernel": "infinite", "shares": [],
        "record_residuals": False, "flows": [],
    }  # fmt: skip
    facts = json.dumps([before, "0f", 1, "threefry2x32"], sort_keys=True)
    data = DataSet("sphere", rows=24, dim=4)
    assert Run(spec, data, "0f", 1).key == hashlib.sha256(facts.encode()).hexdigest()[:24]
    keys = set()
    for name in (None, ModelName("mlp:8", "mse", "a"), ModelName("mlp:8", "mse", "b")):
        of_model = Spec("nesterov", "paper", 0, 3, 20, 0.01, "float64", model=name)
        keys.add(Run(of_model, data, "0f", 1).key)
    assert len(keys) == 3


SOURCE = """
import warnings
import jax, jax.numpy as jnp
from inertial._checks import Notice

def draws(inputs, outputs, seed):
    return jax.random.normal(jax.random.key(seed), (inputs, outputs)), lambda w, x: x @ w

def keyed(inputs, outputs, key=None):
    return jax.random.normal(key, (inputs, outputs)), lambda w, x: x @ w

def fixed(inputs, outputs):
    return jnp.zeros((inputs, outputs)), lambda w, x: x @ w

def stuck(inputs, outputs, seed):
    warnings.warn("a word on every start.", Notice)
    return draws(inputs, outputs, 0)

def half_stuck(inputs, outputs, seed):
    return draws(inputs, outputs, seed // 2)

def features(inputs, outputs, seed):
    fixed_ = jax.random.normal(jax.random.key(seed), (inputs, 30))
    return jnp.zeros((30, outputs)), lambda w, x: jnp.tanh(x @ fixed_) @ w
"""


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    name = f"own_model_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return name


WORDS = ("--n", 40, "--steps", 12, "--methods", "heavy_ball", "--eta", 0.5, "--beta", 0.5)


@pytest.mark.parametrize("function", ["draws", "keyed", "fixed"])
def test_a_function_is_called_for_every_start_if_it_takes_one(own_model, capsys, function):
    code, _, err = run(
        capsys, "compare", "digits", *WORDS, "--model", f"{own_model}:{function}", "--seeds", 3,
        "--out", "run",
    )  # fmt: skip
    assert code == 0
    arrays, manifest = read_run("run")
    hashes = manifest["model"]["starts"]
    assert len(hashes) == len(set(hashes.values())) == (1 if function == "fixed" else 3)
    assert ("takes no seed, so there is one start" in err) == (function == "fixed")
    content = hashlib.sha256(SOURCE.encode()).hexdigest()
    assert manifest["model"]["source_sha256"] == content
    assert manifest["model"]["text"] == f"{own_model}:{function}"
    assert arrays.attrs["loss"] == "binary_cross_entropy"


@pytest.mark.parametrize(
    ("function", "starts", "words"),
    [
        (
            "stuck",
            1,
            "gives the same parameters for every seed, so there is one start; let it take",
        ),
        ("half_stuck", 2, "for some of the 3 seeds, so there are 2 starts; let it take a seed"),
        ("features", 3, ""),
    ],
)
def test_seeds_that_give_one_start_are_counted_once(own_model, capsys, function, starts, words):
    """`features` trains zeros on a kernel that every seed draws: these are starts of their own."""
    words_of_all = ("compare", "digits", *WORDS, "--model", f"{own_model}:{function}", "--seeds", 3)
    code, out, err = run(capsys, *words_of_all, "--out", "run")
    assert code == 0, err
    assert err.count("the same parameters") == (starts < 3)
    assert words in err
    assert err.count("a word on every start") == (function == "stuck")
    assert f" rows, {starts} start{'s' if starts > 1 else ''}\n" in out
    assert ("final loss, range" in out) == (starts > 1)
    arrays, manifest = read_run("run")
    assert arrays.sizes["seed"] == len(manifest["settings"]["seeds"]) == starts
    page = report("run").html
    assert ("Mean over starts" in page) == ("final loss, range" in page) == (starts > 1)
    assert (of_several(page) == []) == (starts == 1)
    assert ("linearised at its start" in out) == (starts == 1)
    which = "some" if starts > 1 else "all"
    said = f", for {which} of the 3 seeds gave the same parameters."
    assert f"from {starts} start{'s' if starts > 1 else ''}{said if starts < 3 else '.'}" in page


def test_seeds_of_one_start_draw_batches(own_model, capsys):
    words = ("compare", "digits", *WORDS, "--model", f"{own_model}:stuck", "--seeds", 3)
    code, out, err = run(capsys, *words, "--batch", 8, "--out", "run")
    assert code == 0, err
    assert "the same parameters" not in err
    assert "1 start with 3 draws of the batches" in out
    page = report("run").html
    assert "from 1 start with 3 draws of the batches." in page
    assert "Mean over draws of the batches with the range as a band" in page
    assert not {"any start", "starts", "seeds"} & set(of_several(page))


def test_a_run_that_was_stored_with_one_start_thrice_is_said_to_have_one(rows, tmp_path):
    """As runs were before seeds of one start were counted once."""
    problem = Problem(MLP(5, (16,)), "mse", *rows)
    settings = dataclasses.replace(BY_HAND, seeds=(0,), methods=("heavy_ball",))
    arrays, manifest = read_run(compare(problem, settings, out=tmp_path / "run").run)
    arrays = xr.concat([arrays.assign_coords(seed=[seed]) for seed in range(3)], "seed", "minimal")
    manifest["model"]["starts"] = dict.fromkeys("012", manifest["model"]["starts"]["0"])
    page = model_page(StoredRun("run", arrays, manifest))
    assert "from 1 start, for all of the 3 seeds gave the same parameters." in page
    assert "Mean over starts" not in page


def test_every_product_and_every_few_steps_are_told_of(rows, tmp_path):
    """From the first product on: nothing that takes long is silent until it has ended."""
    told = []
    settings = ModelSettings(methods=("nesterov",), seeds=(0, 1), steps=5, target=0.3)
    x, y = rows
    problem = Problem(MLP(5, (30,)), "binary_cross_entropy", x, (y > 0).astype(int))
    compare(problem, settings, out=tmp_path / "run", progress=lambda *what: told.append(what))
    for start in (0, 1):
        counts = [one for one in told if one[0].startswith(f"start {start}, ")]
        assert counts[0] == (f"start {start}, 1 products", 0, 0)
        assert [int(label.split()[2]) for label, _, _ in counts] == list(range(1, len(counts) + 1))
        assert len(counts) > settings.steps + 1
    assert ("forecast, 1 products", 0, 0) in told
    passes = [label for label, _, _ in told if label.startswith("trials, ")]
    trials = max(done for label, done, _ in told if label.startswith("trials, "))
    assert len(passes) > 2 * trials
    assert [done for label, done, _ in told if label == "nesterov, seed 1"][-1] == 11


def test_a_pytorch_module_starts_anew_for_every_seed(tmp_path, capsys, monkeypatch):
    """And PyTorch's own generator is left where it was."""
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    (tmp_path / "own_torch_model.py").write_text(
        "import torch\n\ndef build(inputs, outputs):\n    return torch.nn.Linear(inputs, outputs)\n"
    )
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    hashes = []
    for folder in ("run", "again"):
        code, _, _ = run(
            capsys, "compare", "digits", *WORDS, "--model", "own_torch_model:build", "--seeds", 2,
            "--out", folder,
        )  # fmt: skip
        assert code == 0
        hashes.append(read_run(folder)[1]["model"]["starts"])
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0].values())) == 2
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_commands_of_a_run_on_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ("compare", "digits", "--n", 40, "--steps", 12, "--seeds", 2, "--model", "mlp:8:tanh")
    methods = ("--methods", "heavy_ball,adam", "--target", 0.5, "--out", "run")
    code, out, err = run(capsys, *words, *methods, "--json")
    assert code == 0, err
    document = json.loads(out)
    heavy, adam = document["methods"]
    assert (heavy["rule"], adam["rule"]) == ("trials", "first step")
    assert adam["beta"] is None
    assert heavy["verdict"] in ("holds", "departs", "unchecked")
    assert (tmp_path / "run" / "convergence.png").exists()

    code, out, err = run(capsys, "report", "run", "--measure")
    assert code == 0
    assert "none is judged on this model" in err
    assert "nothing is measured again" in err
    page = (tmp_path / "report.html").read_text()
    assert "none is judged on this model" in page
    assert "mlp:8:tanh" in page
    assert "optax.adam(" in page or "torch.optim.SGD(" in page

    code, _, err = run(capsys, "audit", "run")
    assert code == 2
    assert "give a run without --model" in err


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        (("--model", "mlp:8", "--width", 50), "--width: for the papers' network"),
        (("--model", "mlp:8", "--kernel", "finite", "--flows", "newton_flow"), "--kernel and --fl"),
        (("--loss", "mse"), "give one with --model"),
        (("--model", "mlp:8", "--rule", "paper"), "choose one of trials, forecast"),
        (("--model", "mlp:0"), "width is 0"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(capsys, tmp_path, options, mistake):
    code, _, err = run(capsys, "compare", "digits", "--n", 20, "--out", tmp_path / "run", *options)
    assert code == 2
    assert mistake in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("side", [0.97, 1.03])
def test_what_a_linear_model_cannot_fit_is_said_to_be_out_of_reach_perhaps(
    linear, rows, side, tmp_path
):
    """24 rows and five columns: least squares leave what lies across their span."""
    x, y = rows
    start = x @ np.full(5, 0.3) - y
    left = start - x @ np.linalg.lstsq(x, start, rcond=None)[0]
    share = (left @ left) / (start @ start)
    target = float(side * share)
    settings = ModelSettings(eta=0.05, beta=0.5, steps=10, target=target, methods=("heavy_ball",))
    result = compare(linear, settings, out=tmp_path / "run")
    assert result.unreachable == pytest.approx(share, rel=1e-5)
    advice = tune(linear, target=target, trials=2)
    assert advice.unreachable == pytest.approx(share, rel=1e-5)
    about = float(f"{100 * share:.1g}")  # nodes do not part at that line as the modes do
    much = f"{about:g} %" if about > 100 * target else "as much"
    said = f"about {much} of the loss at the start lies where its kernel is below 1e-06"
    never = side < 1
    assert (said in "\n".join(result.trust)) == never
    assert (said in model_page(StoredRun("run", *read_run(result.run)))) == never
    assert (said in advice.table) == never
    assert 1 <= advice.bound <= 6  # five columns: conjugate gradients end there


def test_under_another_loss_nothing_is_said_of_a_kernel_that_is_zero(rows, tmp_path):
    x, y = rows
    problem = Problem.from_apply(
        lambda w, x: x @ w, jnp.zeros(5), x, (y > 0).astype(int), loss="binary_cross_entropy"
    )
    assert compare(problem, BY_HAND, out=tmp_path / "run").unreachable == 0.0
    assert tune(problem, trials=0).unreachable == 0.0


def test_a_comparison_shows_each_method_at_its_best(tmp_path):
    """A search of both leaves the one that cannot win; alone it gets to the target."""
    data = load("digits")
    problem = Problem(
        MLP(64, (64, 64)), "binary_cross_entropy", data.x, (data.y > 0).astype(int), seed=0
    )
    shared = tune(problem)
    (left,) = (entry.name for entry in shared.methods if entry.measured_steps is None)
    assert f"no trial of {label(left)} reached the target" in shared.table
    settings = ModelSettings(methods=("heavy_ball", "nesterov"), steps=40, seeds=(0,))
    compared = compare(problem, settings, out=tmp_path / "run")
    (row,) = (row for row in compared.methods if row.method == left)
    alone = tune(problem, methods=(left,)).best
    assert row.steps_to["0.1"]["measured"] == alone.measured_steps
    assert (row.eta, row.beta) == pytest.approx(alone.method.constant[:2])


def test_a_comparison_says_which_methods_no_trial_brought_to_the_target(rows, tmp_path):
    x, y = rows
    noise = np.where(np.arange(len(y)) % 2, 1.0, -1.0)
    problem = Problem.from_apply(lambda w, x: x @ w, jnp.zeros(5), x, noise)
    lowest = np.linalg.lstsq(x, noise, rcond=None)[1][0] / len(y)
    settings = ModelSettings(methods=("gradient_descent",), target=lowest / 2, steps=10)
    with pytest.warns(Notice, match="no trial of gradient descent reached"):
        compare(problem, settings, out=tmp_path / "run")
    reachable = dataclasses.replace(settings, target=(1 + lowest) / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        compare(problem, reachable, out=tmp_path / "reached")


def test_a_method_that_was_sooner_and_diverged_is_told(linear, tmp_path):
    """Twice beyond the limit the loss dips once and grows: the other was not first."""
    settings = ModelSettings(eta=0.05, beta=0.8, steps=20, target=0.9)
    result = compare(linear, settings, out=tmp_path / "run")
    best = result.ranking.best
    faster = dataclasses.replace(best, name="nesterov", reached=best.reached / 2, diverged=True)
    both = dataclasses.replace(result.ranking, order=(best, faster))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(result), "ranking", property(lambda _: both))
        said = result.recommendation
    assert " first" not in said
    assert f"Nesterov did in {faster.reached:g}" in said
    assert "and diverged" in said
