"""Comparisons on batches and with schedules: what is run, forecast, stored, judged and shown."""

import json
import re

import numpy as np
import pytest

from helpers import run
from inertial import (
    InvalidInput,
    Recursion,
    Settings,
    TwoLayerReLU,
    chebyshev,
    compare,
    infinite_gram,
    load,
    measure_of,
    nesterov,
    read_run,
    train,
    trust,
)
from inertial._checks import Notice
from inertial.linear.spectrum import decompose
from inertial.method.batch import fastest_for_batch, forecast_batches, forecast_batches_on_rows
from inertial.method.schedule import optimal_schedule
from inertial.problem.model import start_key
from inertial.runs.comparison import StabilityWarning
from inertial.runs.measures import summarize
from inertial.simulation.train import batch_rows, initial_residual
from inertial.view.auditing import audit_folders
from inertial.view.reporting import report

WIDTH, STEPS, BATCH = 300, 30, 8


@pytest.fixture(scope="module")
def data():
    return load("digits", n=40)


@pytest.fixture(scope="module")
def stored(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("batch") / "run"
    settings = Settings(width=WIDTH, seeds=(0, 3), steps=STEPS, target=0.1)
    compare(data, settings, batch=BATCH, out=out)
    return out, *read_run(out)


def test_runs_are_those_of_training_on_the_same_batches(data, stored):
    _, arrays, manifest = stored
    record = next(m for m in manifest["methods"] if m["name"] == "nesterov")
    method = nesterov(record["eta"], record["beta"])
    own = train(TwoLayerReLU(WIDTH, 64), data.x, data.y, method, seed=3, steps=STEPS, batch=BATCH)
    found = arrays.loss.sel({"optimizer": "nesterov", "seed": 3}).values
    np.testing.assert_array_equal(found, own.loss)
    assert (manifest["settings"]["batch"], manifest["settings"]["order"]) == (BATCH, "fresh")
    assert arrays.attrs["batch"] == BATCH


def test_trust_on_batches_is_that_of_the_expected_loss(data, stored):
    _, arrays, _ = stored
    measure = measure_of(data)
    for row in (summarize(arrays, str(name), 0.1) for name in arrays.optimizer.values):
        method = Recursion(row.eta, row.beta, row.gamma)
        assert row.trust == trust(method, measure, WIDTH, target=0.1, batch=BATCH)


def test_the_methods_are_tuned_for_the_batch_and_forecast_from_each_start(data, stored):
    _, arrays, _ = stored
    measure = measure_of(data)
    wanted, _ = fastest_for_batch("heavy_ball", measure, BATCH, target=0.1)
    part = arrays.sel({"optimizer": "heavy_ball"})
    assert (float(part.eta), float(part.beta)) == pytest.approx(wanted.constant[:2])
    residual = initial_residual(TwoLayerReLU(WIDTH, 64), data.x, data.y, seed=3)
    spectrum = decompose(infinite_gram(data.x))
    expected = forecast_batches_on_rows(wanted, spectrum, residual, BATCH, STEPS)
    np.testing.assert_allclose(part.forecast_loss.sel(seed=3), expected.loss, rtol=1e-6)
    np.testing.assert_allclose(part.forecast_spread.sel(seed=3), expected.spread, rtol=1e-5)
    counts = part.forecast_steps.sel({"seed": 3, "share": 0.1})
    assert float(counts) == expected.steps_to(0.1)


@pytest.mark.parametrize(("unevenness", "steps", "grows"), [(0.8, 20, True), (0.3, 100, False)])
def test_no_count_is_promised_that_the_expected_loss_on_the_rows_does_not_keep(
    tmp_path, unevenness, steps, grows
):
    """On uneven rows it grows, or is far above the target, where on even ones it falls."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((40, 6)) * rng.lognormal(0, unevenness, (40, 1))
    uneven = load(x, np.sin(x[:, 0]), normalize=False)
    settings = Settings(
        methods=("heavy_ball", "nesterov"), width=50, seeds=(0,), steps=steps, batch=4, target=0.01
    )
    with pytest.warns(Notice, match="the longest row"):
        result = compare(uneven, settings, out=tmp_path / "run")
    for row in result.methods:
        loss = result.of(row.method).forecast_loss.values[0]
        assert (loss[-1] > loss[0]) == grows
        even = forecast_batches(
            Recursion(row.eta, row.beta, row.gamma), measure_of(uneven), 4, 5000
        )
        assert even.steps_to(0.01) < steps or grows
        assert row.steps_to["0.01"]["predicted"] is None


def test_no_bound_is_drawn_where_gradients_are_those_of_some_rows(stored):
    assert "bound_loss" not in stored[1]


def test_epochs_are_another_run_with_the_same_forecast(data, stored, tmp_path):
    settings = Settings(
        methods=("heavy_ball",), width=WIDTH, seeds=(3,), steps=STEPS, target=0.1, order="shuffled",
        batch=BATCH,
    )  # fmt: skip
    epochs = compare(data, settings, out=tmp_path / "run").arrays
    fresh = stored[1].sel({"optimizer": ["heavy_ball"], "seed": [3]})
    assert (epochs.loss.values[..., 1:] != fresh.loss.values[..., 1:]).any()
    np.testing.assert_array_equal(epochs.forecast_loss.values, fresh.forecast_loss.values)


def test_all_rows_as_a_batch_are_the_full_batch(data, tmp_path):
    settings = Settings(methods=("nesterov",), width=WIDTH, seeds=(0,), steps=9, eta=0.02, beta=0.8)
    whole = compare(data, settings, out=tmp_path / "whole").arrays
    batch = compare(data, settings, batch=40, out=tmp_path / "batch").arrays
    np.testing.assert_array_equal(whole.loss, batch.loss)
    np.testing.assert_allclose(whole.forecast_loss, batch.forecast_loss, rtol=1e-9)


def test_the_audit_judges_batches_by_what_speaks_of_them(stored):
    audit = audit_folders([stored[0]], measure=True)
    assert audit.notes == ()
    assert audit.of("stability-crossover").verdict == "holds"
    assert audit.of("sharpness-large-batches").verdict == "holds"
    entry = audit.of("gradient-descent-loss")
    assert entry.verdict == "not applicable"
    margins = {a.name: a.margin for a in entry.assumptions}
    assert margins["every gradient is that of all rows"] == pytest.approx(BATCH / 40 - 1)


def test_the_report_names_the_batch(stored):
    page = report(stored[0]).html
    assert f"on fresh batches of {BATCH}" in page
    assert "the expected loss on fresh batches" in page


def test_the_lines_of_the_report_are_for_a_mean_over_the_batch(data, stored):
    """Who copies them has the page's losses; a sum over the batch, or a mean, is not its sum."""
    out, arrays, _ = stored
    text = report(out).html
    line = re.search(r"torch\.optim\.SGD\(model\.parameters\(\), (.*)\)", text)[1]
    lr, beta = (float(re.search(rf"{word}=([\d.e-]+)", line)[1]) for word in ("lr", "momentum"))
    name = {"Nesterov": "nesterov", "heavy ball": "heavy_ball"}[
        re.search(r"Use <strong>(.*?)</strong>", text)[1]
    ]
    assert ("nesterov=True" in line) == (name == "nesterov")
    w, signs = (np.asarray(one, float) for one in TwoLayerReLU(WIDTH, 64).init(start_key(3)))
    v, losses = np.zeros_like(w), []
    for t in range(STEPS + 1):
        residual = np.maximum(data.x @ w.T, 0) @ signs / np.sqrt(WIDTH) - data.y
        losses.append(0.5 * residual @ residual)
        rows = batch_rows(40, BATCH, "fresh", 3, t, 1)[0]
        active = (data.x[rows] @ w.T > 0) * signs / np.sqrt(WIDTH)
        g = (active * residual[rows, None]).T @ data.x[rows] / BATCH
        v = beta * v + g  # as PyTorch has it, whose first buffer is the first gradient
        w = w - lr * (g + beta * v if name == "nesterov" else v)
    found = arrays.loss.sel({"optimizer": name, "seed": 3}).values
    np.testing.assert_allclose(losses, found, rtol=1e-3)
    assert f"for the mean of ½ (f − y)² over a batch, multiply them by {len(data.y)}." in text


def test_a_step_beyond_the_limit_for_the_batch_is_warned_of(data, tmp_path):
    settings = Settings(methods=("gradient_descent",), width=50, seeds=(0,), steps=2, eta=0.15)
    with pytest.warns(StabilityWarning, match="on batches of 1: take a smaller step"):
        compare(data, settings, batch=1, out=tmp_path / "run")


@pytest.mark.parametrize("batch", [0, 41])
def test_a_batch_that_is_none_leaves_nothing_behind(data, tmp_path, batch):
    with pytest.raises(InvalidInput, match="batch"):
        compare(data, Settings(width=50), batch=batch, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"batch": 4, "flows": ("gradient_flow",)}, "gradient_flow: for gradients of all rows"),
        ({"batch": 4, "rule": "optimal"}, "optimal: for gradients of all rows"),
        ({"batch": 4, "methods": ("adam",)}, "adam: for gradients of all rows"),
        ({"order": "shuffled"}, "an order is given without a batch"),
    ],
)
def test_what_does_not_go_with_a_batch(given, says):
    with pytest.raises(InvalidInput, match=says):
        Settings(**given)


def test_the_command_tells_samples_as_well_as_steps(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "compare digits --n 40 --width 50 --seeds 1 --steps 20 --target 0.5 --batch 5 --out r"
    code, out, err = run(capsys, *words.split())
    assert code == 0, err
    assert "batches of 5 of 40 rows, fresh rows at each step" in out
    assert "samples to 50 %: forecast / run" in out
    code, _, err = run(capsys, *words.replace("--batch 5", "--batch 41").split())
    assert code == 2
    assert "batch is 41; give a whole number of rows from 1 to 40." in err


# --- schedules ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scheduled(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("schedule") / "run"
    settings = Settings(
        methods=("heavy_ball", "chebyshev"), width=4000, seeds=(0, 1), steps=STEPS, rule="optimal"
    )
    compare(data, settings, out=out)
    return out, *read_run(out)


def test_a_schedule_is_run_beside_the_methods_and_stored_step_by_step(data, scheduled):
    _, arrays, manifest = scheduled
    measure = measure_of(data)
    assert list(arrays.optimizer.values) == ["heavy_ball", "chebyshev", "optimal"]
    for name, wanted in (
        ("optimal", optimal_schedule(measure, STEPS)),
        ("chebyshev", chebyshev(measure.smallest, measure.largest, steps=STEPS)),
    ):
        part = arrays.sel({"optimizer": name})
        for key, values in (("schedule_eta", wanted.eta), ("schedule_beta", wanted.beta)):
            np.testing.assert_allclose(part[key].values[:, :-1], [values] * 2)
        assert np.isnan(part.eta)
        own = train(TwoLayerReLU(4000, 64), data.x, data.y, wanted, seed=1, steps=STEPS)
        np.testing.assert_allclose(part.loss.sel(seed=1), own.loss, rtol=1e-6)
    assert np.isnan(arrays.schedule_eta.sel({"optimizer": "heavy_ball"})).all()
    recorded = {method["name"]: method for method in manifest["methods"]}
    assert len(recorded["optimal"]["eta"]) == STEPS


def test_the_forecast_of_the_schedule_is_kept_where_it_is_trusted(scheduled):
    part = scheduled[1].sel({"optimizer": "optimal"})
    gap = np.abs(np.sqrt(part.loss) - np.sqrt(part.forecast_loss)).max()
    # Width 4,000, infinite-width kernel: a few percent of the first norm.
    assert float(gap / np.sqrt(part.loss.isel(step=0)).min()) < 0.1


def test_schedules_are_audited_and_reported(scheduled):
    audit = audit_folders([scheduled[0]], measure=True)
    assert audit.notes == ()
    assert audit.of("lower-bound").finding == "holds"
    page = report(scheduled[0]).html
    assert "optimal schedule" in page
    assert not re.search(r">\s*nan\b|size nan", page)


def test_the_command_runs_a_schedule_and_judges_it_before(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "compare digits --n 40 --width 100 --seeds 1 --steps 20 --rule optimal --json --out r"
    code, out, err = run(capsys, *words.split())
    assert code == 0, err
    rows = {row["method"]: row for row in json.loads(out)["methods"]}
    assert list(rows) == ["gradient_descent", "heavy_ball", "nesterov", "optimal"]
    assert (rows["optimal"]["rule"], rows["optimal"]["eta"]) == ("optimal", None)
    assert rows["optimal"]["trust"]["verdict"]
