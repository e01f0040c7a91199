"""`compare` with test rows and weight decay: what is stored, said, shown and refused."""

import dataclasses
import json

import numpy as np
import pytest

from helpers import run
from inertial import (
    MLP,
    InvalidInput,
    Problem,
    Settings,
    compare,
    load,
    measure_of,
    read_run,
    simulate,
    tune,
)
from inertial.method.schedule import for_measure
from inertial.problem.model import TwoLayerReLU
from inertial.runs.measures import stopping_of_runs
from inertial.runs.settings import ModelSettings
from inertial.simulation.curves import learning_curve
from inertial.theory.gather import StoredRun, gather

STORED = ("test_loss", "test_accuracy", "forecast_test_loss", "forecast_test_accuracy")


@pytest.fixture(scope="module")
def digits():
    return load("digits", n=60, test=0.25)


@pytest.fixture(scope="module")
def of_network(digits, tmp_path_factory):
    settings = Settings(
        methods=("nesterov", "adam"), width=50, seeds=(1, 2), steps=12, decay=0.3, kernel="finite"
    )
    return compare(digits, settings, out=tmp_path_factory.mktemp("runs") / "r")


def test_what_is_stored_of_the_papers_network_is_its_training(digits, of_network):
    arrays, manifest = read_run(of_network.run)
    assert {*STORED, "gcv"} <= set(arrays)
    assert "bound_loss" not in arrays
    assert (arrays.attrs["decay"], arrays.attrs["test_rows"]) == (0.3, 15)
    assert manifest["settings"]["decay"] == 0.3
    problem = Problem(
        TwoLayerReLU(50, 64), "half_sum", digits.x, digits.y, seed=2,
        test=(digits.test.x, digits.test.y), decay=0.3,
    )  # fmt: skip
    one = arrays.sel(optimizer="nesterov", seed=2)
    from inertial import nesterov

    method = nesterov(float(one.eta), float(one.beta))
    real = simulate(problem, method, steps=12, observables=("test_loss", "test_accuracy"))
    np.testing.assert_allclose(one.test_loss, real.records["test_loss"], rtol=1e-5)
    np.testing.assert_allclose(one.test_accuracy, real.records["test_accuracy"])
    # The kernel of the start itself: the linearised network, to single precision's products.
    curve = learning_curve(problem, method, steps=12)
    np.testing.assert_allclose(one.forecast_loss, curve.loss, rtol=1e-4)
    np.testing.assert_allclose(one.forecast_test_loss, curve.test_loss, rtol=1e-4)
    np.testing.assert_allclose(one.gcv, curve.gcv, rtol=1e-4)


def test_a_model_and_its_classes_are_stored_too(digits, tmp_path):
    y, held = ((data.y > 0).astype(int) for data in (digits, digits.test))
    problem = Problem(
        MLP(64, (6,), 2), "cross_entropy", digits.x, y, test=(digits.test.x, held), decay=0.01
    )
    settings = ModelSettings(methods=("nesterov",), seeds=(0,), steps=9, eta=0.3, beta=0.5)
    arrays = compare(problem, settings, out=tmp_path / "r").arrays
    assert set(STORED) <= set(arrays)
    assert "gcv" not in arrays
    assert (arrays.attrs["decay"], arrays.attrs["test_rows"]) == (0.01, 15)
    curve = learning_curve(problem, _method(arrays), steps=9)
    np.testing.assert_allclose(arrays.forecast_test_loss.values.ravel(), curve.test_loss)


def _method(arrays):
    from inertial import nesterov

    return nesterov(float(arrays.eta[0]), float(arrays.beta[0]))


def test_where_to_stop_is_counted_over_the_seeds(of_network):
    one = of_network.arrays.sel(optimizer="nesterov")
    found = stopping_of_runs(one)
    steps = np.argmin(one.forecast_test_loss.values, axis=1)
    assert found["forecast"] == steps.mean()
    assert found["gcv"] == np.argmin(one.gcv.values, axis=1).mean()
    losses = one.test_loss.values
    excess = losses[np.arange(2), steps] / losses.min(axis=1) - 1
    assert found["cost"] == pytest.approx(excess.mean())
    assert of_network.methods[0].stopping == found
    measured = stopping_of_runs(one.drop_vars(["forecast_test_loss", "gcv"]))
    assert measured == found | {"forecast": None, "gcv": None, "cost": None}


def test_runs_on_batches_show_their_test_rows_without_a_forecast(tmp_path):
    data = load("digits", n=60, test=0.25)
    settings = Settings(width=50, steps=6, seeds=(0,), methods=("nesterov",), batch=8)
    result = compare(data, settings, out=tmp_path / "run")
    assert "lowest loss on the test rows, run: step" in result.table
    assert run_report(result.run, tmp_path / "r.html") == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'id="test"' in page
    assert "lowest loss of the run there: step" in page
    assert "stop by the forecast" not in page
    assert "batches of 8, hidden layer trained only" in page


def test_the_report_shows_the_test_rows_and_the_lines_have_the_decay(of_network, tmp_path):
    path = tmp_path / "r.html"
    assert run_report(of_network.run, path) == 0
    page = path.read_text(encoding="utf-8")
    for text in (
        'id="test"',
        'id="accuracy"',
        "stop by the forecast on the test rows",
        "stop by cross-validation (GCV), training rows alone",
        "0.3",
    ):
        assert text in page


def run_report(folder, path):
    from inertial.commands.main import main

    try:
        main(["report", str(folder), "-o", str(path)])
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_a_forecast_is_not_judged_under_weight_decay():
    """It shrinks the weights by a share of themselves at any width, which no strain counts."""
    data = load("digits", n=40)
    settings = Settings(methods=("nesterov",), width=50, steps=3, seeds=(0,))
    for decay, judged in ((0.0, True), (0.5, False)):
        (row,) = compare(data, dataclasses.replace(settings, decay=decay)).methods
        advice = tune(data, width=50, decay=decay, trials=0)
        assert {row.trust is not None, advice.best.trust is not None} == {judged}
        assert advice.table.startswith("Trust: the forecast") == judged
        assert advice.table.startswith("Trust: not judged under weight decay") != judged


def test_schedules_with_decay_are_those_of_the_shifted_eigenvalues(tmp_path):
    data, width = load("digits", n=60), 4000
    settings = Settings(
        width=width, steps=12, seeds=(0,), methods=("optimal", "chebyshev"), decay=0.5
    )
    arrays, _ = read_run(compare(data, settings, out=tmp_path / "run").run)
    measure = measure_of(data).shifted(0.5)
    problem = Problem(TwoLayerReLU(width, 64), "half_sum", data.x, data.y, decay=0.5)
    for name in settings.methods:
        one = arrays.sel(optimizer=name, seed=0)
        run = simulate(problem, for_measure(name, measure, 12), steps=12)
        np.testing.assert_allclose(one.loss, run.loss, rtol=1e-4)  # single precision
        off = np.abs(one.loss - one.forecast_loss) / one.loss[0]
        assert (off < 0.05).all()  # a width of 4,000


def test_theorems_are_not_judged_with_decay(of_network):
    arrays, manifest = read_run(of_network.run)
    with pytest.raises(InvalidInput, match="trained with weight decay"):
        gather(StoredRun("r", arrays, manifest))


def test_the_command_says_where_to_stop(capsys, tmp_path):
    words = (
        "compare", "digits", "--n", "60", "--width", "50", "--seeds", "1", "--steps", "12",
        "--test", "0.25", "--methods", "nesterov",
    )  # fmt: skip
    code, out, _ = run(capsys, *words, "--out", tmp_path / "a")
    assert code == 0
    assert "stop by the forecast on the test rows" in out
    code, out, _ = run(capsys, *words, "--json", "--out", tmp_path / "b")
    found = json.loads(out)["methods"][0]["stopping"]
    assert {"forecast", "gcv", "run", "cost", "accuracy"} <= set(found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--decay", "-1"), "decay is -1.0; give a finite number of at least 0"),
        (("--test", "1"), "test is 1.0; give a number between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(capsys, tmp_path, words, message):
    code, out, err = run(capsys, "compare", "digits", "--n", "40", *words, "--out", tmp_path / "r")
    assert (code, out) == (2, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_with_test_rows_goes_on_by_whole_runs(digits, tmp_path):
    """A finished run is taken as it is, an unfinished one starts again; other rows are others."""
    settings = Settings(methods=("gradient_descent", "nesterov"), width=20, seeds=(0,), steps=30)
    whole = compare(digits, settings, out=tmp_path / "whole").arrays
    kept, seen = tmp_path / "kept", []

    def stop(label, *_):
        seen.append(label)
        if label.startswith("nesterov"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(digits, settings, out=tmp_path / "run", progress=stop, checkpoints=kept)
    assert sorted(path.suffix for path in kept.iterdir()) == [".json", ".nc"]

    # The same training rows with other test rows: nothing that was kept is of them.
    others = dataclasses.replace(
        digits,
        test=dataclasses.replace(digits.test, y=-digits.test.y),
        provenance=dataclasses.replace(digits.provenance, test_sha256="0" * 64),
    )
    steps = []
    found = compare(
        others,
        settings,
        out=tmp_path / "others",
        progress=lambda _, done, __: steps.append(done),
        checkpoints=kept,
    ).arrays
    assert steps[0] < 31
    assert not np.array_equal(found.test_loss, whole.test_loss)
    np.testing.assert_array_equal(found.loss, whole.loss)

    steps.clear()
    again = compare(
        digits,
        settings,
        out=tmp_path / "run",
        progress=lambda _, done, __: steps.append(done),
        checkpoints=kept,
    ).arrays
    assert steps[0] == 31  # the first run whole, at once
    for name in whole:
        np.testing.assert_array_equal(again[name], whole[name])
    assert not kept.exists()
