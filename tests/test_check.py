"""Checks by a real run: kept where the network is lazy, a search where it is not."""

import pytest

from inertial import heavy_ball, load, steps_to, train, tune
from inertial.linear.expected import spectrum_of
from inertial.problem.model import TwoLayerReLU
from inertial.runs.check import Check, check, search, start_measure
from inertial.simulation.train import initial_residual


@pytest.fixture(scope="module")
def digits():
    data = load("digits", n=60)
    return data, *spectrum_of(data)


def test_it_holds_a_run_against_the_forecast_of_its_own_start(digits):
    data, spectrum, measure = digits
    method = heavy_ball(1 / measure.largest, 0.7)
    found = check(method, data, measure, spectrum, width=1000, seed=3, target=0.1)
    network = TwoLayerReLU(1000, data.x.shape[1])
    run = train(network, data.x, data.y, method, seed=3, steps=60)
    residual = initial_residual(network, data.x, data.y, seed=3)
    own = start_measure(spectrum, residual)
    assert own.total == pytest.approx(2 * run.loss[0], rel=1e-5)
    assert (found.promised, found.measured) == (steps_to(method, own, 0.1), run.steps_to(0.1))
    assert found.kept
    assert found.name == "heavy_ball"


@pytest.mark.parametrize(
    ("promised", "measured", "kept"),
    [(20, 24, True), (20, 25, False), (20, 15, False), (2, 3, True), (20, None, False),
     (None, 20, False)],
)  # fmt: skip
def test_a_promise_is_kept_within_a_fifth_or_a_step(promised, measured, kept):
    found = Check("", heavy_ball(1, 0.5), 10, 0, 0.1, promised, measured, 50, 1.0, diverged=False)
    assert found.kept == kept


def test_where_it_does_not_hold_other_settings_are_tried_and_none_runs_longer_than_the_best(digits):
    data, spectrum, measure = digits
    method = heavy_ball(1.7 / measure.largest, 0.9)
    first = Check("heavy_ball", method, 50, 0, 0.1, 5, 40, 60, 1.0, diverged=False)
    assert not first.kept
    runs = search(first, data, measure, spectrum, trials=3)
    assert runs[0] is first
    assert 1 < len(runs) <= 3
    assert len({run.method for run in runs}) == len(runs)
    best = first.measured
    for run in runs[1:]:
        assert best is None or run.steps <= max(1, best)
        best = min((m for m in (best, run.measured) if m is not None), default=None)


def test_tune_checks_its_best_method_once_if_it_keeps_the_promise():
    advice = tune(load("digits", n=60), target=0.1)
    (run,) = advice.checks
    assert run.kept
    assert run.method == advice.best.method
    assert advice.measured is run
    assert advice.bound <= run.measured
    assert advice.of("nesterov").trust.verdict == "holds"
    assert tune(load("digits", n=60), target=0.1, trials=0).checks == ()
