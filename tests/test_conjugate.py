"""Conjugate gradients attain the lower bound where that is exact, and come near it on networks."""

import jax.numpy as jnp
import numpy as np
import pytest

from inertial import (
    Problem,
    TwoLayerReLU,
    conjugate_gradients,
    gradient_descent,
    load,
    lower_bound,
    measure_of,
    simulate,
    tangent,
)
from inertial.method.rules import choose


@pytest.fixture
def linear(rng):
    """A model that is linear in its parameters, with two outputs per row."""
    x = rng.standard_normal((12, 8)) * np.geomspace(1, 3, 8)
    y = rng.standard_normal((12, 2))
    params = {"a": jnp.zeros((8, 2)), "b": jnp.zeros(2)}
    return Problem.from_apply(lambda p, x: x @ p["a"] + p["b"], params, x, y, loss="mse")


def test_on_a_linear_model_they_attain_the_lower_bound(linear):
    run = conjugate_gradients(linear, steps=6)
    bound = lower_bound(tangent(linear).measure(20), 6).loss
    # Single precision: the loss is known to some 1e-5 of what is left above the minimum.
    np.testing.assert_allclose(run.loss, bound, rtol=1e-4)


def test_they_are_heavy_ball_with_the_coefficients_that_were_chosen(linear):
    run = conjugate_gradients(linear, steps=6)
    again = simulate(linear, run.method, steps=6)
    np.testing.assert_allclose(again.loss, run.loss, rtol=1e-5)
    assert run.method.gamma == 0


def test_on_a_wide_network_they_are_between_the_bound_and_heavy_ball():
    data = load("digits", n=100)
    problem = Problem(TwoLayerReLU(4000, data.x.shape[1]), "half_sum", data.x, data.y, seed=1)
    run = conjugate_gradients(problem, steps=12)
    method = choose("forecast", "heavy_ball", measure_of(data))
    ball = simulate(problem, method, steps=12)
    assert run.loss[12] < 0.5 * ball.loss[12]
    bound = lower_bound(tangent(problem).measure(20), 12).loss
    # The kernel moves a little, so that the bound of the start is one of it only nearly.
    assert (run.loss > 0.9 * bound).all()


@pytest.mark.parametrize("decay", [0.5, 60.0])
def test_with_decay_they_minimise_loss_and_penalty(rng, decay):
    """As many steps as there are parameters, and then only rounding is left to take away."""
    x, y, w = rng.standard_normal((18, 5)), rng.standard_normal(18), 3 * np.ones(5)
    hessian, shift = x.T @ x + decay * np.eye(5), x.T @ y
    direction = left = shift - hessian @ w
    losses = [0.5 * np.sum((x @ w - y) ** 2)]
    for _ in range(5):  # as Hestenes and Stiefel (1952) have them
        size = left @ left / (direction @ hessian @ direction)
        w = w + size * direction
        fresh = left - size * hessian @ direction
        direction, left = fresh + (fresh @ fresh) / (left @ left) * direction, fresh
        losses.append(0.5 * np.sum((x @ w - y) ** 2))
    start = jnp.full(5, 3.0)
    problem = Problem.from_apply(lambda p, x: x @ p, start, x, y, loss="half_sum", decay=decay)
    run = conjugate_gradients(problem, steps=5)
    np.testing.assert_allclose(run.loss, losses, rtol=2e-5)  # single precision
    np.testing.assert_allclose(w, np.linalg.solve(hessian, shift), rtol=1e-9)


def test_they_end_at_a_minimum():
    params, y = jnp.zeros(4), np.array([1.0, 2.0, 2.0, -1.0])
    problem = Problem.from_apply(lambda p, x: x @ p, params, np.eye(4), y)
    run = conjugate_gradients(problem, steps=9)
    # One eigenvalue, 1/2: one step, exact in binary, and then no gradient.
    assert run.loss.tolist() == [2.5, 0.0]
    assert run.method.eta == (2.0,)
    assert run.status == "finished"


def test_they_do_with_any_loss(rng):
    x, y = rng.standard_normal((20, 3)), rng.integers(0, 3, 20)
    params = {"w": 0.1 * jnp.ones((3, 3))}
    problem = Problem.from_apply(lambda p, x: x @ p["w"], params, x, y, loss="cross_entropy")
    run = conjugate_gradients(problem, steps=15)
    plain = gradient_descent(1 / tangent(problem).measure(5).largest)
    best = simulate(problem, plain, steps=15)
    assert run.loss[-1] < best.loss[-1]
