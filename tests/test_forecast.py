"""Forecasts against the dense residual recursion and brute-force step counts."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import methods, unit_inputs
from inertial import (
    Spectrum,
    decompose,
    forecast,
    forecast_loss,
    gradient_descent,
    heavy_ball,
    infinite_gram,
    nesterov,
    nesterov_varying,
    steps_to,
)
from inertial.linear.measure import Measure
from inertial.method import curve as module
from inertial.method.modes import amplification, only_falls, stability_limit

METHODS = methods(3.0).values()


@pytest.fixture
def problem(rng):
    return infinite_gram(unit_inputs(rng, 25, 5)), rng.standard_normal(25)


def dense_residuals(method, gram, residual, count):
    """The recursion on the residual vector with the n x n kernel, as the papers write it."""
    eta, beta, gamma = method.coefficients(0, count)
    rows, step, before = [residual], np.zeros_like(residual), np.zeros_like(residual)
    for t in range(count):
        image = eta[t] * gram @ residual
        step = beta[t] * step - image - gamma[t] * (image - before)
        residual, before = residual + step, image
        rows.append(residual)
    return np.array(rows)


@pytest.mark.parametrize("method", METHODS)
def test_every_step_is_the_dense_recursion(problem, method):
    gram, residual = problem
    steps = np.array([0, 1, 2, 5, 40, 100])
    expected = dense_residuals(method, gram, residual, 100)[steps]
    run = forecast(method, decompose(gram), residual, steps, record_residual=True)
    np.testing.assert_allclose(run.residual, expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(run.loss, 0.5 * np.sum(expected**2, axis=1), rtol=0, atol=1e-10)
    assert run.status == "finished"


@given(st.integers(0, 2**31))
def test_rotating_the_basis_changes_no_loss(seed):
    rng = np.random.default_rng(seed)
    spectrum = decompose(infinite_gram(unit_inputs(rng, 10, 4)))
    residual, steps = rng.standard_normal(10), np.arange(30)
    rotation, _ = np.linalg.qr(rng.standard_normal((10, 10)))
    turned = Spectrum(spectrum.eigenvalues, rotation @ spectrum.basis)
    method = nesterov(0.3, 0.8)
    np.testing.assert_allclose(
        forecast(method, turned, rotation @ residual, steps).loss,
        forecast(method, spectrum, residual, steps).loss,
        rtol=1e-9,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fraction", [0.5, 0.01])
def test_steps_to_is_the_first_step_at_the_target(problem, method, fraction):
    gram, residual = problem
    spectrum = decompose(gram)
    weights = spectrum.modes(residual) ** 2
    loss = forecast_loss(method, Measure(spectrum.eigenvalues, weights), np.arange(20_000))
    expected = int(np.flatnonzero(loss <= fraction * loss[0])[0])
    assert steps_to(method, Measure(spectrum.eigenvalues, weights), fraction) == expected


def test_steps_beyond_the_limit_are_none():
    eigenvalues, weights = np.array([1e-3, 1.0]), np.ones(2)
    for method in (gradient_descent(0.5), heavy_ball(0.5, 0.5), nesterov_varying(0.5)):
        exact = steps_to(method, Measure(eigenvalues, weights), 0.01)
        assert steps_to(method, Measure(eigenvalues, weights), 0.01, limit=exact) == exact
        assert steps_to(method, Measure(eigenvalues, weights), 0.01, limit=exact - 1) is None


def test_a_step_size_above_the_limit_diverges_with_a_status_and_a_step():
    spectrum = Spectrum(np.array([0.1, 1.0]), np.eye(2))
    for method in (gradient_descent(4.0), heavy_ball(5.0, 0.5), nesterov(5.0, 0.5)):
        run = forecast(method, spectrum, np.ones(2), np.arange(2000))
        assert run.status == "diverged"
        assert run.diverged_at == len(run.loss) - 1
        assert np.isfinite(run.loss[:-1]).all()
        assert not np.isfinite(run.loss[-1])
        assert steps_to(method, Measure(spectrum.eigenvalues, np.ones(2)), 1e-3) is None


@pytest.mark.parametrize("method", METHODS)
def test_no_step_is_lost_between_the_blocks_of_a_search(problem, method, monkeypatch):
    """Blocks of seven steps meet every record of the loss, wherever in a block it falls."""
    monkeypatch.setattr(module, "_BLOCK", 7)
    monkeypatch.setattr(module, "_FIRST", 7)
    gram, residual = problem
    spectrum = decompose(gram)
    weights = spectrum.modes(residual) ** 2
    steps = np.arange(60)
    run = forecast(method, spectrum, residual, steps)
    lowest = np.minimum.accumulate(run.loss)
    records = [t for t in steps[1:] if run.loss[t] < (1 - 1e-9) * lowest[t - 1]]
    assert {t % 7 for t in records} == set(range(7))
    for t in records:
        # The fraction is a hair above this record and below the one before.
        fraction = run.loss[t] / run.loss[0] * (1 + 1e-10)
        assert steps_to(method, Measure(spectrum.eigenvalues, weights), fraction) == t


@given(
    st.integers(0, 2**31),
    st.sampled_from([heavy_ball, nesterov]),
    st.floats(0.01, 1.02),
    st.floats(-4, 0),
    st.floats(-8, -0.1),
)
def test_a_search_by_blocks_is_one_step_by_step(seed, family, share, friction, decades):
    """For stiff spectra, near the limit of stability and above it, down to 1e-8 of the loss."""
    rng = np.random.default_rng(seed)
    eigenvalues = np.sort(10 ** rng.uniform(-5, 0, 20))
    weights = 10 ** rng.uniform(-3, 0, 20)
    unit = family(1.0, 1 - 10**friction)
    method = replace(unit, eta=share * stability_limit(unit) / eigenvalues[-1])
    loss = forecast_loss(method, Measure(eigenvalues, weights), np.arange(4001))
    fraction = 10**decades
    reached = np.flatnonzero(loss <= fraction * 0.5 * weights.sum())
    expected = int(reached[0]) if reached.size else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", 1)
        patch.setattr(module, "_FIRST", 50)
        assert steps_to(method, Measure(eigenvalues, weights), fraction, limit=4000) == expected


def test_a_search_far_out_is_cheap(monkeypatch):
    """What is evaluated in closed form is the ends of blocks, a small share of the steps."""
    evaluated = []

    def counted(method, eigenvalues, steps):
        evaluated.append(len(steps))
        return amplification(method, eigenvalues, steps)

    monkeypatch.setattr(module, "amplification", counted)
    monkeypatch.setattr(module, "_BLOCK", 2**10)
    eigenvalues = np.array([1e-5, 1.0])
    step = steps_to(heavy_ball(0.1, 0.5), Measure(eigenvalues, np.ones(2)), 1e-2)
    assert step > 100_000
    assert sum(evaluated) < 0.1 * step


def test_a_stable_forecast_that_first_grows_is_followed_down(monkeypatch):
    """At a double root the loss of the largest mode grows by 0.135 times the condition number."""
    root = 1 - 1e-4
    method, one = heavy_ball((1 + root) ** 2, root**2), np.ones(1)
    loss = forecast_loss(method, Measure(one, one), np.arange(200_000))
    assert loss.max() > 1e7 * loss[0]
    monkeypatch.setattr(module, "_BLOCK", 4 * 64)  # a search looks at a quarter of it at once
    expected = int(np.flatnonzero(loss <= 1e-3 * loss[0])[0])
    assert steps_to(method, Measure(one, one), 1e-3) == expected


def test_an_unstable_forecast_is_given_up_long_before_the_limit(monkeypatch):
    looked = []

    evaluate = module._loss

    def loss_at(method, eigenvalues, weights, steps):
        looked.extend(steps)
        return evaluate(method, eigenvalues, weights, steps)

    monkeypatch.setattr(module, "_loss", loss_at)
    # A factor of about 1.6 in the residual a step: 1e12 in the loss is reached after some thirty.
    assert (
        steps_to(heavy_ball(5.0, 0.9), Measure(np.ones(1), np.ones(1)), 1e-3, limit=10**7) is None
    )
    assert 0 < len(looked) <= module._BLOCK


@pytest.mark.parametrize("shape", [heavy_ball, nesterov])
def test_a_mode_without_weight_changes_nothing(shape):
    """Even where it overflows, as of a data set with targets that have no share of it."""
    method, slow = shape(5.0, 0.5), np.array([1e-3])
    both = np.array([1e-3, 1.0])
    expected = steps_to(method, Measure(slow, np.ones(1)), 1e-3)
    assert 100 < expected < 10_000
    assert steps_to(method, Measure(both, np.array([1.0, 0.0])), 1e-3) == expected
    steps = np.arange(expected)
    alone = forecast_loss(method, Measure(slow, np.ones(1)), steps)
    np.testing.assert_array_equal(
        forecast_loss(method, Measure(both, np.array([1.0, 0.0])), steps), alone
    )
    assert steps_to(method, Measure(both, np.zeros(2)), 1e-3) == 0


def test_a_slightly_weighted_mode_that_explodes_is_given_up():
    assert (
        steps_to(
            heavy_ball(5.0, 0.5), Measure(np.array([1e-3, 1.0]), np.array([1.0, 1e-300])), 1e-3
        )
        is None
    )


def test_just_above_its_limit_gradient_descent_may_reach_the_target_before_it_grows():
    eigenvalues, weights = np.array([0.5, 1.0]), np.array([1.0, 2e-6])
    method = gradient_descent(2.2)
    loss = forecast_loss(method, Measure(eigenvalues, weights), np.arange(8))
    low = np.flatnonzero(loss <= 7.5e-6 * loss[0])
    assert low.size
    assert low[-1] < 7
    assert steps_to(method, Measure(eigenvalues, weights), 7.5e-6) == low[0]


def test_many_modes_are_searched_to_the_limit_that_was_asked_for():
    """Twenty thousand modes, and a step close to a million: the plateau is not walked through."""
    eigenvalues = np.geomspace(1e-5, 1.0, 20_000)
    method = heavy_ball(0.5, 0.2)
    measure = Measure(eigenvalues, eigenvalues**-0.9)
    found = steps_to(method, measure, 1e-3)
    assert 200_000 < found < 1_000_000
    loss = forecast_loss(method, measure, np.array([found - 1, found]))
    assert loss[1] <= 1e-3 * measure.total / 2 < loss[0]
    assert steps_to(method, measure, 1e-3, limit=found - 1) is None


@given(
    st.floats(0.0, 0.9999),
    st.floats(-8, 0),
    st.sampled_from([heavy_ball, nesterov, lambda *c: nesterov(*c, start="copy")]),
)
def test_modes_said_to_fall_do_so_and_slow_ones_are_among_them(beta, decades, make):
    method = make(0.9 * stability_limit(make(1.0, beta)), beta)
    nodes = 10 ** np.linspace(decades, 0, 60)
    factor = amplification(method, nodes, np.arange(3000))
    falls = (factor[:-1] >= factor[1:] - 1e-12).all(axis=0) & (factor >= -1e-12).all(axis=0)
    claimed = only_falls(method, nodes)
    assert falls[claimed].all()
    # Real roots: below (1 - sqrt(beta))^2 without correction, ((1 - beta) / (1 + beta))^2 with it.
    border = (1 - beta) ** 2 / (1 + beta) ** 2 if method.constant[2] else (1 - beta**0.5) ** 2
    assert claimed[method.constant[0] * nodes < 0.99 * border].all()


@pytest.mark.parametrize("decades", [-8, -10, -12, -14])
def test_slow_gradient_descent_is_counted_to_the_step(decades):
    """Against logarithms of 50 digits: the factor itself rounds to 1 - 1e-16 at best."""
    scaled = 1.3 * 10.0**decades
    with mpmath.workdps(50):
        exact = mpmath.ceil(mpmath.log("1e-4") / (2 * mpmath.log1p(-mpmath.mpf(scaled))))
    one = np.ones(1)
    counted = steps_to(gradient_descent(scaled), Measure(one, one), 1e-4, limit=10**16)
    # 1e-4 is no double, and the exponential rounds its result: 1e-15 of ln(1e4) / 2.
    assert abs(counted - int(exact)) <= max(1, 1e-15 * int(exact))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.name} {method.start}")
def test_the_whole_loss_is_reached_at_once(method, rng):
    for _ in range(20):
        assert (
            steps_to(method, Measure(np.sort(rng.uniform(0, 1, 9)), rng.uniform(0, 1, 9)), 1.0) == 0
        )
