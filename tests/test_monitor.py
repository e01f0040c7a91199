"""Watching a loop: sharpness, drift and forecast at the parameters that are given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inertial import (
    MLP,
    InvalidInput,
    Monitor,
    Problem,
    heavy_ball,
    nesterov,
    simulate,
    steps_to,
    tangent,
)
from inertial.runs.style import style_of


def linear_problem(rng, decay=0.0):
    x, y = rng.standard_normal((20, 4)), rng.standard_normal((20, 1))
    return Problem.from_apply(lambda w, x: x @ w, jnp.ones((4, 1)), x, y, decay=decay)


def test_on_a_linear_model_nothing_drifts_and_the_share_is_the_start_s(rng):
    problem = linear_problem(rng)
    method = nesterov(0.1, 0.8)
    monitor = Monitor(problem, method, every=10)
    largest = tangent(problem).lanczos(4).largest[0]
    assert monitor.look(5, jnp.ones((4, 1))) is None
    for step in (0, 10):
        found = monitor.look(step, jnp.full((4, 1), 1.0 + step))
        # Nesterov's limit is 2 (1 + beta) / (1 + 2 beta); another start of Lanczos finds the node
        # again within some roundings of products in single precision.
        assert found["share_of_limit"] == pytest.approx(0.1 * largest * 2.6 / 3.6, rel=1e-4)
        assert found["kernel_drift"] < 1e-6
    assert list(monitor.to_dataframe().step) == [0, 10]
    figure = monitor.plot()
    assert len(figure.axes) == 3
    # Colour and name are the method's, and the limit is named.
    (line,) = figure.axes[0].lines
    assert line.get_color() == style_of(monitor.method.name).colour
    assert figure.get_suptitle() == style_of(monitor.method.name).label
    assert "diverges above" in figure.axes[1].texts[0].get_text()


@pytest.mark.parametrize(("share", "grows"), [(0.98, False), (1.02, True)])
def test_with_decay_the_model_diverges_above_a_share_of_one(rng, share, grows):
    problem = linear_problem(rng, decay=3.0)
    eta = share * 2 * 1.5 / (tangent(problem).lanczos(4).largest[0] + 3.0)
    monitor = Monitor(problem, heavy_ball(eta, 0.5), every=1)
    found = monitor.look(0, jnp.ones((4, 1)))
    assert found["share_of_limit"] == pytest.approx(share, rel=1e-4)
    assert np.isnan(found["forecast_steps"])
    loss = simulate(problem, heavy_ball(eta, 0.5), steps=400).loss
    assert (loss[-1] > 10 * loss[0]) == grows


def test_drift_is_the_change_of_the_product_with_the_first_residual(rng):
    x, y = rng.standard_normal((15, 4)), rng.standard_normal(15)
    problem = Problem(MLP(4, (8,), 1, "tanh"), "mse", x, y)
    method = heavy_ball(0.2, 0.8)
    monitor = Monitor(problem, {"lr": 0.2, "momentum": 0.8}, every=1)
    state, _ = problem.advance(problem.begin(), *method.coefficients(0, 30))
    params = [(state.w[0], state.w[1]), (state.w[2], state.w[3])]
    found = monitor.look(30, params)
    first, here = tangent(problem), tangent(problem, state)
    gradient = problem.gradient_of(first.linearised.outputs)
    before, after = first.plain(gradient), here.plain(gradient)
    expected = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert found["kernel_drift"] == pytest.approx(expected, rel=1e-4)
    assert expected > 0.01
    exact = steps_to(method, here.measure(15), 0.1)
    assert here.measure(12).proven < exact  # twelve products show no more than eleven steps
    assert np.isnan(found["forecast_steps"])
    monitor = Monitor(problem, {"lr": 0.2, "momentum": 0.8}, every=1, products=15)
    assert monitor.look(30, params)["forecast_steps"] == exact


def test_under_cross_entropy_a_linear_model_does_not_drift_but_flattens(rng):
    x, y = rng.standard_normal((20, 4)), rng.integers(0, 3, 20)
    start = jnp.zeros((4, 3))
    problem = Problem.from_apply(lambda w, x: x @ w, start, x, y, loss="cross_entropy")
    monitor = Monitor(problem, {"lr": 1.0}, every=1)
    state, _ = problem.advance(problem.begin(), *heavy_ball(1.0, 0.8).coefficients(0, 300))
    first, last = monitor.look(0, start), monitor.look(300, state.w[0])
    assert last["kernel_drift"] < 1e-6  # J J' is that of the start, up to single precision
    assert last["sharpness"] < 0.9 * first["sharpness"]  # and the loss's curvature is not


def test_a_look_at_a_run_that_diverged_or_has_arrived_ends_no_training(rng):
    x = rng.standard_normal((20, 4)).astype(np.float32)
    problem = Problem.from_apply(lambda w, x: x @ w, jnp.ones((4, 1)), x, np.zeros((20, 1)))
    monitor = Monitor(problem, {"lr": 0.1}, every=1)
    for value, loss in ((0.0, 0.0), (np.inf, np.nan), (np.nan, np.nan)):
        found = monitor.look(0, jnp.full((4, 1), value))
        np.testing.assert_equal(found["loss"], loss)
        assert np.isnan([found["share_of_limit"], found["kernel_drift"]]).all()
    assert len(monitor.plot().axes) == 3


def test_losses_within_one_decade_are_labelled_as_they_are(rng):
    monitor = Monitor(linear_problem(rng), {"lr": 0.1}, every=1)
    for step, loss in enumerate((0.9, 0.6, 0.25)):
        monitor.records.append(
            {"step": step, "loss": loss, "share_of_limit": 0.5, "kernel_drift": 0.0}
        )
    figure = monitor.plot()
    figure.canvas.draw()
    low, high = figure.axes[0].get_ylim()
    ticks = figure.axes[0].yaxis.get_minor_ticks()
    shown = {t.label1.get_text() for t in ticks if low < t.get_loc() < high}
    assert shown == {"0.3", "0.5", "0.7"}


def test_parameters_of_another_model_are_refused(rng):
    monitor = Monitor(linear_problem(rng), {"lr": 0.1})
    with pytest.raises(InvalidInput, match="other names or shapes"):
        monitor.look(0, jnp.ones((5, 1)))
    with pytest.raises(InvalidInput, match="of type str; give floating point"):
        monitor.look(0, "nonsense")
    with pytest.raises(InvalidInput, match=r"have no values inside jax\.jit"):
        jax.jit(lambda w: monitor.look(0, w))(jnp.ones((4, 1)))
    with pytest.raises(InvalidInput, match="step is -1; give a whole number"):
        monitor.look(-1, jnp.ones((4, 1)))
    with pytest.raises(InvalidInput, match="give lr"):
        Monitor(linear_problem(rng), {"momentum": 0.9})
