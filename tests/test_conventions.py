"""Converters: the libraries' own update rules give the iterates of the method and back."""

import jax
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inertial import (
    InvalidInput,
    Recursion,
    forecast_loss,
    from_sgd,
    gradient_descent,
    heavy_ball,
    nesterov,
    nesterov_varying,
    to_keras,
    to_optax,
    to_torch,
)
from inertial._checks import Notice
from inertial.linear.measure import Measure
from inertial.method.conventions import keywords, method_of

STEPS = 12
ROUNDING = 1e-12
"""Twelve steps of a few operations each on numbers of order one, with room."""

J = np.array([[1.0, 0.4, 0.0], [-0.3, 0.8, 0.5], [0.2, 0.1, 1.1], [0.6, -0.7, 0.3]])
Y = np.array([0.7, -1.1, 0.4, 0.9])
START = np.array([0.4, -0.9, 0.7])
N = len(Y)
CHOSEN = [gradient_descent(0.05), heavy_ball(0.05, 0.8), nesterov(0.05, 0.8)]
LOSSES = ["half_sum", "sum", "half_mean", "mean"]


def gradient(w, loss="half_sum"):
    """Gradient of the loss of that name of the residual ``r = J w - Y``, written out."""
    r = J @ w - Y
    return {
        "half_sum": J.T @ r,
        "sum": 2 * J.T @ r,
        "half_mean": J.T @ r / N,
        "mean": 2 * J.T @ r / N,
    }[loss]


def two_step(method):
    """The project's recursion, written out."""
    w, before, old = START, START, np.zeros(3)
    iterates = [w]
    eta, beta, gamma = method.coefficients(0, STEPS)
    for t in range(STEPS):
        g = gradient(w)
        after = w + beta[t] * (w - before) - eta[t] * (g + gamma[t] * (g - old))
        w, before, old = after, w, g
        iterates.append(w)
    return np.array(iterates)


def optax_sgd(loss, **keywords):
    with jax.enable_x64(True):
        optimiser = optax.sgd(**keywords)
        w, iterates = jax.numpy.asarray(START), [START]
        state = optimiser.init(w)
        for _ in range(STEPS):
            g = jax.numpy.asarray(gradient(np.asarray(w), loss))
            updates, state = optimiser.update(g, state)
            w = optax.apply_updates(w, updates)
            iterates.append(np.asarray(w))
    return np.array(iterates)


def torch_sgd(loss, *, lr, momentum=0.0, nesterov=False, dampening=0.0):
    """The algorithm in the documentation of torch.optim.SGD, weight decay zero."""
    if nesterov and momentum <= 0:
        raise ValueError("Nesterov momentum requires a momentum and zero dampening")
    w, b, iterates = START, 0.0, [START]
    for t in range(1, STEPS + 1):
        g = gradient(w, loss)
        if momentum != 0:
            b = momentum * b + (1 - dampening) * g if t > 1 else g
            g = g + momentum * b if nesterov else b
        w = w - lr * g
        iterates.append(w)
    return np.array(iterates)


def keras_sgd(loss, *, learning_rate, momentum=0.0, nesterov=False):
    """The update rules in the documentation of keras.optimizers.SGD."""
    w, velocity, iterates = START, np.zeros(3), [START]
    for _ in range(STEPS):
        g = gradient(w, loss)
        if momentum == 0:
            w = w - learning_rate * g
        else:
            velocity = momentum * velocity - learning_rate * g
            w = w + momentum * velocity - learning_rate * g if nesterov else w + velocity
        iterates.append(w)
    return np.array(iterates)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("method", CHOSEN, ids=lambda m: m.name)
@pytest.mark.parametrize(
    ("convert", "run"),
    [(to_optax, optax_sgd), (to_torch, torch_sgd), (to_keras, keras_sgd)],
    ids=["optax", "torch", "keras"],
)
def test_each_library_makes_the_iterates_of_the_method_on_each_loss(convert, run, method, loss):
    iterates = run(loss, **convert(method, loss=loss, rows=N))
    np.testing.assert_allclose(iterates, two_step(method), rtol=0, atol=ROUNDING)


@given(
    st.floats(1e-6, 10), st.floats(0, 0.999), st.booleans(), st.sampled_from(LOSSES),
    st.integers(1, 10_000),
)  # fmt: skip
def test_from_sgd_undoes_to_optax(rate, momentum, corrected, loss, rows):
    method = from_sgd(rate, momentum, nesterov=corrected, loss=loss, rows=rows)
    words = to_optax(method, loss=loss, rows=rows)
    assert words["learning_rate"] == pytest.approx(rate, rel=1e-15)  # a product and a quotient
    assert words.get("momentum", 0.0) == momentum
    assert words.get("nesterov", False) == (corrected and momentum > 0)
    assert to_torch(method, loss=loss, rows=rows)["lr"] == words["learning_rate"]


@pytest.mark.parametrize(
    ("momentum", "text"),
    [
        (0.9, "0.9"),
        (0.753806, "0.753806"),
        (0.99999844, "0.9999984"),
        (1 - 2.5e-11, "0.999999999975"),
    ],
)
def test_a_line_never_rounds_a_momentum_to_one(momentum, text):
    """With momentum 1 nothing decays: what it lacks keeps two digits."""
    assert f"momentum={text}" in keywords(to_torch(heavy_ball(0.1, momentum)))
    kept = 1 - float(text)
    assert kept == pytest.approx(1 - momentum, rel=0.05)


def test_a_mean_loss_takes_n_times_the_step_size():
    assert to_optax(heavy_ball(0.01, 0.9), loss="half_mean", rows=300)["learning_rate"] == (
        pytest.approx(3.0)
    )
    assert from_sgd(3.0, 0.9, loss="half_mean", rows=300).eta == pytest.approx(0.01)


def test_gradient_descent_goes_out_without_a_buffer():
    """`optax.sgd` keeps a trace for a momentum of 0, and PyTorch and Keras for any other."""
    assert to_optax(gradient_descent(0.1)) == {"learning_rate": 0.1} == to_keras(heavy_ball(0.1, 0))
    assert to_torch(gradient_descent(0.1)) == {"lr": 0.1}
    state = optax.sgd(**to_optax(gradient_descent(0.1))).init(jax.numpy.zeros(3))
    assert not jax.tree.leaves(state)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_a_dampened_optimiser_is_a_schedule_whose_first_step_is_whole(momentum):
    words = {"lr": 0.1, "momentum": momentum, "dampening": 0.6}
    method = from_sgd(**words, loss="sum", steps=STEPS)
    np.testing.assert_allclose(two_step(method), torch_sgd("sum", **words), atol=ROUNDING)
    if momentum:
        later = Recursion(*(float(c[1]) for c in method.coefficients(0, 2)))
        assert later == averaged_by(0.6, heavy_ball(0.2, momentum))


def averaged_by(share, method):
    """The method that dampening leaves from the second step on."""
    return heavy_ball((1 - share) * method.constant[0], method.constant[1])


def test_the_methods_read_from_keywords_forecast_what_the_library_does():
    values, vectors = np.linalg.eigh(J @ J.T)
    weights = (vectors.T @ (J @ START - Y)) ** 2
    method = from_sgd(0.1, 0.7, nesterov=True, loss="mean", rows=N)
    iterates = torch_sgd("mean", lr=0.1, momentum=0.7, nesterov=True)
    loss = 0.5 * ((iterates @ J.T - Y) ** 2).sum(axis=1)
    predicted = forecast_loss(method, Measure(values, weights), np.arange(STEPS + 1))
    np.testing.assert_allclose(predicted, loss, rtol=1e-10)  # closed form against 12 steps


@pytest.mark.parametrize(
    "make",
    [
        lambda: to_optax(nesterov_varying(0.1)),
        lambda: to_torch(Recursion(0.1, 0.5, 0.25)),
        lambda: to_keras(nesterov(0.1, 0.5, start="copy")),
        lambda: to_optax(heavy_ball(0.1, 0.5), loss="mean"),
        lambda: to_optax(heavy_ball(0.1, 0.5), loss="mean", rows=0),
        lambda: from_sgd(0.0),
        lambda: from_sgd(0.1, 1.0),
        from_sgd,
        lambda: from_sgd(0.1, lr=0.1),
        lambda: from_sgd(0.1, 0.9, dampening=0.5, nesterov=True),
        lambda: from_sgd(0.1, 0.9, dampening=1.0),
        lambda: from_sgd(0.1, weight_decay=-1e-4),
        lambda: method_of({"lr": 0.1, "weight_decay": 0.1}),
        lambda: method_of({"lr": 0.1, "weight_decay": 0.1}, decay=0.2),
        lambda: method_of({"lr": 0.1, "momentun": 0.9}),
        lambda: method_of({"momentum": 0.9}),
    ],
)
def test_what_cannot_be_converted_is_refused_with_a_reason(make):
    with pytest.raises(InvalidInput, match=r"give|only|leave|did you mean 'momentum'"):
        make()


def test_a_start_that_makes_no_difference_is_converted():
    plain = to_optax(Recursion(0.1, 0.5, start="copy"))
    assert plain == to_optax(heavy_ball(0.1, 0.5))


def test_weight_decay_is_the_problems_and_the_method_is_exact_with_it():
    """SGD's own loop with decay is the recursion on the loss plus the decay's square."""
    rng = np.random.default_rng(4)
    j, y, w = rng.normal(size=(6, 4)), rng.normal(size=6), rng.normal(size=4)
    lr, momentum, decay, rows = 0.05, 0.8, 0.3, 6
    with pytest.warns(Notice, match=r"decay=0.9\b"):  # the mean's 0.3 is 0.9 of 1/2 sum r^2
        method = from_sgd(lr, momentum, weight_decay=decay, nesterov=True, loss="mean", rows=rows)
    ours, before, last = w, w, 0.0
    buffer, theirs = np.zeros(4), w
    for _ in range(9):
        gradient = 2 / rows * j.T @ (j @ theirs - y) + decay * theirs
        buffer = momentum * buffer + gradient
        theirs = theirs - lr * (gradient + momentum * buffer)
        slope = j.T @ (j @ ours - y) + 0.9 * ours
        moved = method.beta * (ours - before) - method.gamma * method.eta * (slope - last)
        ours, before, last = ours - method.eta * slope + moved, ours, slope
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)  # rounding of nine steps
    assert method_of({"lr": lr, "weight_decay": decay}, decay=decay).eta == lr
