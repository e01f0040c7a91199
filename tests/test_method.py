"""The recursion against textbook two-line forms and against optax, on a nonlinear loss."""

from functools import partial

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
    averaged,
    chebyshev,
    gradient_descent,
    heavy_ball,
    nesterov,
    nesterov_varying,
    quasi_hyperbolic,
    triple_momentum,
)
from inertial.method import recursion as module

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


@pytest.mark.parametrize("nu", [0.0, 0.7, 1.0])
def test_quasi_hyperbolic_momentum_is_its_textbook_form(nu):
    eta, beta, w, average, iterates = 0.05, 0.9, START, np.zeros(3), [START]
    for _ in range(STEPS):
        g = gradient(w)
        average = beta * average + (1 - beta) * g
        w = w - eta * ((1 - nu) * g + nu * average)
        iterates.append(w)
    method = quasi_hyperbolic(eta, beta, nu)
    np.testing.assert_allclose(recursion(method, START), np.array(iterates), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(
        recursion(averaged(eta, beta), START), recursion(quasi_hyperbolic(eta, beta, 1.0), START)
    )


def test_triple_momentum_is_its_textbook_form_where_the_gradient_is_taken():
    """Van Scoy, Freeman and Lynch (2018), eq. 9: xi and y = (1 + gamma) xi - gamma xi_before."""
    mu, largest = 0.3, 4.0
    rho = 1 - np.sqrt(mu / largest)
    alpha, beta = (1 + rho) / largest, rho**2 / (2 - rho)
    gamma = rho**2 / ((1 + rho) * (2 - rho))
    hessian, low = np.array([0.3, 1.0, 4.0]), np.array([1.0, -1.0, 0.5])
    xi = before = START
    points = []
    for _ in range(STEPS + 1):
        y = (1 + gamma) * xi - gamma * before
        points.append(y)
        xi, before = (1 + beta) * xi - beta * before - alpha * hessian * (y - low), xi
    ours = recursion(triple_momentum(mu, largest), START, lambda w: hessian * (w - low))
    np.testing.assert_allclose(ours, np.array(points), rtol=0, atol=ROUNDING)
    # Its rate is rho for every curvature in between, which is what it was made for.
    error = np.abs(ours[-1] - low).max()
    assert error < 4 * rho**STEPS * np.abs(START - low).max() * STEPS


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_chebyshev_leaves_the_polynomial_of_least_maximum(steps):
    mu, largest = 0.1, 3.0
    modes = np.linspace(mu, largest, 400)
    left = np.array(
        [recursion_on_mode(chebyshev(mu, largest, steps=steps), mode)[-1] for mode in modes]
    )
    centre = (largest + mu) / (largest - mu)
    least = 1 / np.cosh(steps * np.arccosh(centre))
    assert np.abs(left).max() == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("made", [triple_momentum, partial(chebyshev, steps=3)])
def test_ends_of_the_curvatures_have_an_order(made):
    made(1.0, 1.0)
    with pytest.raises(InvalidInput, match=r"smallest is 1\.2 and largest 1\.0; give the smaller"):
        made(1.2, 1.0)


def recursion_on_mode(method, mode):
    eta, beta, gamma = method.coefficients(0, method.steps)
    values, step, old = [1.0], 0.0, 0.0
    for t in range(method.steps):
        fresh = eta[t] * mode * values[-1]
        step, old = beta[t] * step - fresh - gamma[t] * (fresh - old), fresh
        values.append(values[-1] + step)
    return values


def test_names_follow_from_coefficients():
    assert [method.name for method in (
        gradient_descent(0.1), heavy_ball(0.1, 0.0), heavy_ball(0.1, 0.5), nesterov(0.1, 0.5),
        nesterov(0.1, 0.5, start="copy"), nesterov_varying(0.1), Recursion(0.1, 0.5, 0.2),
        chebyshev(0.1, 1.0, steps=3),
    )] == [
        "gradient_descent", "gradient_descent", "heavy_ball", "nesterov", "nesterov_copy",
        "nesterov_varying", "momentum", "schedule",
    ]  # fmt: skip


def test_a_schedule_is_shown_short_compared_by_value_and_never_overrun():
    method = Recursion((0.1,) * 5, (0.0, 0.1, 1.2, 0.3, 0.4))
    assert module._coefficient("eta", np.full(5, 0.1)) == method.eta
    assert module._coefficient("beta", [0, 0.1, 1.2, 0.3, 0.4]) == method.beta
    for wrong in ("a", [[0.1]], []):
        with pytest.raises(InvalidInput, match="give a number, or one number per step"):
            module._coefficient("eta", wrong)
    assert repr(method) == (
        "Recursion(eta=(0.1, 0.1, 0.1, ...), beta=(0, 0.1, 1.2, ...), gamma=0.0, start='zero')"
    )
    with pytest.raises(InvalidInput, match="the schedule has 5 entries and the run takes 6 steps"):
        method.coefficients(2, 4)
    with pytest.raises(InvalidInput, match="change from step to step"):
        _ = method.constant
