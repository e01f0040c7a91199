"""The recursion against textbook two-line forms and against optax, on a nonlinear loss."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inertial import (
    InvalidInput,
    Recursion,
    gradient_descent,
    heavy_ball,
    nesterov,
    nesterov_varying,
    quasi_hyperbolic,
)

# Both sides do the same few operations a step in float64; 40 steps of a contracting map.
ROUNDING = 1e-12
STEPS = 40


def gradient(w):
    """Gradient of sum(log cosh w) + 1/4 |w|^4: smooth and not affine."""
    return np.tanh(w) + w * np.sum(w**2)


def affine(w):
    return np.array([1.0, 2.0, 0.3]) * w - np.array([0.5, -1.0, 2.0])


def recursion(method, w, grad=gradient):
    """The two-step recursion with g_{-1} = 0, as its docstring writes it."""
    iterates, step, old = [w], np.zeros_like(w), np.zeros_like(w)
    eta, beta, gamma = method.coefficients(0, STEPS)
    for t in range(STEPS):
        g = eta[t] * grad(w)
        step = beta[t] * step - g - gamma[t] * (g - old)
        w, old = w + step, g
        iterates.append(w)
    return np.array(iterates)


START = np.array([0.4, -0.9, 0.7])


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("corrected", [False, True])
def test_the_recursion_is_optax_sgd(beta, corrected):
    method = nesterov(0.05, beta) if corrected else heavy_ball(0.05, beta)
    with jax.enable_x64(True):
        optimiser = optax.sgd(0.05, momentum=beta, nesterov=corrected)
        w = jnp.asarray(START)
        state, iterates = optimiser.init(w), [START]
        for _ in range(STEPS):
            updates, state = optimiser.update(jnp.asarray(gradient(np.asarray(w))), state)
            w = optax.apply_updates(w, updates)
            iterates.append(np.asarray(w))
    np.testing.assert_allclose(recursion(method, START), np.array(iterates), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("method", [nesterov(0.05, 0.8), nesterov_varying(0.05, 3.0)])
def test_start_zero_is_the_two_sequence_form_in_the_extrapolated_sequence(method):
    w = v = START
    iterates = [w]
    eta, beta, _ = method.coefficients(0, STEPS)
    for t in range(STEPS):
        after = w - eta[t] * gradient(w)
        w, v = after + beta[t] * (after - v), after
        iterates.append(w)
    np.testing.assert_allclose(recursion(method, START), np.array(iterates), rtol=0, atol=ROUNDING)
    assert method.sequence == "extrapolated"


def test_start_copy_is_the_other_sequence_for_affine_gradients_only():
    eta, beta = 0.05, 0.8

    def other_sequence(grad):
        v = w = START
        iterates = [v]
        for _ in range(STEPS):
            after = w - eta * grad(w)
            w, v = after + beta * (after - v), after
            iterates.append(v)
        return np.array(iterates)

    copy = nesterov(eta, beta, start="copy")
    same = recursion(copy, START, affine)
    np.testing.assert_allclose(same, other_sequence(affine), rtol=0, atol=ROUNDING)
    gap = np.abs(recursion(copy, START) - other_sequence(gradient)).max()
    assert gap > 1e-3  # not rounding: the identity fails off affine gradients


def test_heavy_ball_is_the_momentum_buffer():
    eta, beta = 0.05, 0.9
    w, buffer, iterates = START, np.zeros(3), [START]
    for _ in range(STEPS):
        buffer = beta * buffer + gradient(w)
        w = w - eta * buffer
        iterates.append(w)
    method = heavy_ball(eta, beta)
    np.testing.assert_allclose(recursion(method, START), np.array(iterates), rtol=0, atol=ROUNDING)
    assert method.sequence == "iterate"


@given(st.floats(0.01, 0.99), st.integers(1, 20))
def test_first_steps_follow_the_start_convention(beta, d):
    eta = 0.05
    first = {
        "zero": recursion(nesterov(eta, beta), START)[1],
        "copy": recursion(nesterov(eta, beta, start="copy"), START)[1],
        "varying": recursion(nesterov_varying(eta, float(d)), START)[1],
    }
    plain = START - eta * gradient(START)
    np.testing.assert_allclose(first["zero"], START - (1 + beta) * eta * gradient(START))
    np.testing.assert_allclose(first["copy"], plain)
    np.testing.assert_allclose(first["varying"], plain)


@pytest.mark.parametrize(
    "make",
    [
        lambda: gradient_descent(0.0),
        lambda: gradient_descent(float("nan")),
        lambda: heavy_ball(0.1, 1.0),
        lambda: heavy_ball(0.1, -0.1),
        lambda: Recursion(0.1, 0.0, 0.6),
        lambda: Recursion(0.1, 0.5, -0.1),
        lambda: Recursion((0.1, 0.1), (0.5, 0.5, 0.5)),
        lambda: Recursion((0.1, float("nan"))),
        lambda: quasi_hyperbolic(0.1, 0.9, 1.5),
        lambda: nesterov_varying(0.1, 0.0),
    ],
)
def test_coefficients_out_of_range_are_refused_with_a_remedy(make):
    with pytest.raises(InvalidInput, match="give "):
        make()
