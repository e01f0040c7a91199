"""Forecasts on test rows and with weight decay against explicit recursions of linear models."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import methods
from inertial import (
    Problem,
    Recursion,
    decompose,
    gradient_descent,
    heavy_ball,
    learning_curve,
    nesterov,
    simulate,
    to_optax,
    train,
)
from inertial._checks import InvalidInput
from inertial.linear.kernel import finite_cross, finite_gram, infinite_cross, infinite_gram
from inertial.linear.tangent import tangent
from inertial.method.response import response
from inertial.problem.loss import LOSSES, hits_of
from inertial.problem.model import TwoLayerReLU, start_key
from inertial.simulation.curves import kernel_modes, output_modes

METHODS = methods(45.0)


def walk(method, w, gradient, steps):
    """Iterates of the recursion as its definition says, in float64."""
    eta, beta, gamma = method.coefficients(0, steps)
    step, before, found = np.zeros_like(w), np.zeros_like(w), [w]
    for t in range(steps):
        scaled = eta[t] * gradient(w)
        step = beta[t] * step - scaled - gamma[t] * (scaled - before)
        w, before = w + step, scaled
        found.append(w)
    return np.array(found)


@pytest.fixture(scope="module")
def linear():
    """A linear model with two outputs, its rows, its test rows and its start, in float64."""
    rng = np.random.default_rng(3)
    x, z = rng.standard_normal((12, 7)), rng.standard_normal((9, 7))
    w = rng.standard_normal((7, 2))
    return x, z, w, rng.standard_normal((12, 2)), rng.standard_normal((9, 2))


def built(linear, loss="half_sum", decay=0.0):
    x, z, w, y, held = linear
    if loss == "cross_entropy":
        y, held = y.argmax(axis=1), held.argmax(axis=1)
    with jax.enable_x64(True):
        return Problem.from_apply(
            lambda p, rows: rows @ p, jnp.asarray(w), x, y, loss=loss, test=(z, held), decay=decay
        )


@pytest.mark.parametrize("decay", [0.0, 0.7])
@pytest.mark.parametrize("name", METHODS)
def test_decay_in_modes_is_the_recursion_of_the_weights(name, decay):
    # H is diagonal here, so each weight is a mode of its own: w = w_0 - s J'(A r + B h) - c w_0.
    scale = np.sqrt([0.0, 0.3, 4.0, 40.0])
    start, y = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.3, 0.2, -1.0, 2.0])
    method = METHODS[name]
    ws = walk(method, start, lambda w: scale * (scale * w - y) + decay * w, 40)
    found = response(method, scale**2, 40, decay=decay)
    residual, shrunk = scale * start - y, scale * start
    moved = scale * (found.residual * residual + found.shrunk * shrunk)
    forecast = start - moved - found.decayed[:, None] * start
    # Rounding of 40 steps.
    np.testing.assert_allclose(forecast, ws, rtol=0, atol=1e-12 * np.abs(ws).max())


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("name", METHODS)
def test_outputs_of_all_modes_are_those_of_the_linear_model(linear, name, decay):
    x, z, w, y, _ = linear
    with jax.enable_x64(True):
        problem = built(linear, decay=decay)
        ((train, test),) = output_modes(problem).outputs(METHODS[name], 40)
    ws = walk(METHODS[name], w, lambda v: x.T @ (x @ v - y) + decay * v, 40)
    for found, rows in ((train, x), (test, z)):
        exact = (rows @ ws).reshape(41, -1)
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-9 * np.abs(exact).max())


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_lanczos_is_exact_up_to_its_last_step_but_one_and_not_beyond(linear, decay):
    x, z, w, y, _ = linear
    method, count = METHODS["nesterov"], 5
    with jax.enable_x64(True):
        problem = built(linear, decay=decay)
        ((train, test),) = output_modes(problem, products=count).outputs(method, 20)
    ws = walk(method, w, lambda v: x.T @ (x @ v - y) + decay * v, 20)
    for found, rows in ((train, x), (test, z)):
        error = np.abs(found - (rows @ ws).reshape(21, -1)).max(axis=1)
        assert error[:count].max() < 1e-9 * np.abs(rows @ ws).max()
        assert error[count + 2 :].min() > 1e-6


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_a_linear_models_curve_is_its_training(linear, loss, decay):
    method = nesterov(0.5, 0.9) if loss == "cross_entropy" else nesterov(0.15, 0.9)
    with jax.enable_x64(True):
        problem = built(linear, loss, decay)
        curve = learning_curve(problem, method, steps=30)
        wanted = ["test_loss", *(["test_accuracy"] if loss == "cross_entropy" else [])]
        run = simulate(problem, method, steps=30, observables=wanted)
    # Steps of training are single precision's even with float64 arrays: coefficients are.
    np.testing.assert_allclose(curve.loss, run.loss, rtol=2e-5)
    np.testing.assert_allclose(curve.test_loss, run.records["test_loss"], rtol=2e-5)
    if loss == "cross_entropy":
        assert curve.gcv is None
        np.testing.assert_array_equal(curve.test_accuracy, run.records["test_accuracy"])
    else:
        assert curve.test_accuracy is None
        with pytest.raises(InvalidInput, match="needs targets that are classes"):
            simulate(problem, method, steps=3, observables=("test_accuracy",))


def test_cross_validation_is_that_of_the_smoother_matrix(linear):
    x, _, w, y, _ = linear
    method, decay, n = METHODS["heavy ball"], 0.5, 12
    one = (x, linear[1], w[:, :1], y[:, :1], linear[4][:, :1])
    with jax.enable_x64(True):
        curve = learning_curve(built(one, decay=decay), method, steps=25)

    def outputs(targets):
        ws = walk(method, w[:, :1], lambda v: x.T @ (x @ v - targets) + decay * v, 25)
        return (x @ ws)[:, :, 0]

    # The smoother's trace by changing one target after the other, which is exact as it is linear.
    base = outputs(y[:, :1])
    trace = sum(outputs(y[:, :1] + np.eye(n)[:, [i]])[:, i] - base[:, i] for i in range(n))
    squares = np.sum((base - y[:, 0]) ** 2, axis=1)
    expected = squares / n / ((n - trace) / n) ** 2
    assert (n - trace > 0).all()
    np.testing.assert_allclose(curve.gcv, expected, rtol=1e-9)
    assert curve.gcv_step == int(np.argmin(expected))
    assert curve.best_step == int(np.argmin(curve.test_loss))


def test_decay_ends_at_ridge_regression(linear):
    x, z, _, y, _ = linear
    decay = 3.0
    ridge = np.linalg.solve(x.T @ x + decay * np.eye(7), x.T @ y)
    with jax.enable_x64(True):
        modes = output_modes(built(linear, decay=decay))
        *_, (train, test) = modes.outputs(METHODS["nesterov"], 2000)
    np.testing.assert_allclose(train[-1], (x @ ridge).ravel(), atol=1e-10)
    np.testing.assert_allclose(test[-1], (z @ ridge).ravel(), atol=1e-10)


def test_kernels_between_other_rows_are_blocks_of_the_whole_kernel():
    rng = np.random.default_rng(0)
    rows, w = rng.standard_normal((11, 4)), rng.standard_normal((30, 4))
    rows[7] = 2 * rows[1]  # the same direction in both sets, where a cosine loses the angle
    x, z = rows[:6], rows[6:]
    np.testing.assert_allclose(infinite_cross(z, x), infinite_gram(rows)[6:, :6], atol=1e-15)
    np.testing.assert_allclose(finite_cross(z, x, w), finite_gram(rows, w)[6:, :6], atol=1e-15)


def test_accuracy_is_counted_where_targets_are_classes():
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    assert hits_of(LOSSES["cross_entropy"], np.array([0, 2]))(logits, np.array([0, 2])) == 0.5
    one_hot = np.eye(3)[[0, 2]]
    assert hits_of(LOSSES["mse"], one_hot)(logits, one_hot) == 0.5
    signs = np.array([[1.0], [-1.0], [1.0]])
    assert hits_of(LOSSES["half_sum"], signs)(np.array([[0.1], [0.2], [3.0]]), signs) == 2 / 3
    bits = (signs + 1) / 2
    # A logit of 0.1 is the class 1, an output of 0.1 for targets 0 and 1 is not.
    outputs = np.array([[0.1], [-0.2], [0.6]])
    assert hits_of(LOSSES["binary_cross_entropy"], bits)(outputs, bits) == 1
    assert hits_of(LOSSES["mse"], bits)(outputs, bits) == 2 / 3
    assert hits_of(LOSSES["mse"], np.arange(3.0)[:, None]) is None
    # Of several outputs whole rows are counted, whatever the loss.
    assert hits_of(LOSSES["binary_cross_entropy"], one_hot)(logits, one_hot) == 0
    assert hits_of(LOSSES["binary_cross_entropy"], one_hot)(2 * one_hot - 1, one_hot) == 1
    many, found = np.array([[1, 0, 1], [0, 0, 1]]), np.array([[0.1, -2.0, 3.0], [0.1, -1.0, 2.0]])
    assert hits_of(LOSSES["binary_cross_entropy"], many)(found, many) == 0.5
    assert hits_of(LOSSES["mse"], many.astype(float)) is None


@pytest.mark.parametrize(
    ("decay", "remedy"),
    [(-0.1, "a finite number of at least 0"), (np.inf, "a finite number of"), (np.nan, "a number")],
)
def test_a_negative_decay_is_refused(linear, decay, remedy):
    with pytest.raises(InvalidInput, match=f"decay is .*; give {remedy}"):
        built(linear, decay=decay)


def test_test_rows_of_another_shape_are_refused(linear):
    x, z, w, y, held = linear
    with pytest.raises(InvalidInput, match="the test inputs have shape"):
        Problem.from_apply(lambda p, r: r @ p, w, x, y, test=(z[:, :3], held))


def test_a_schedule_and_a_constant_give_one_response():
    constant = heavy_ball(0.1, 0.5)
    schedule = Recursion((0.1,) * 9, (0.5,) * 9)
    for one, other in zip(
        response(constant, np.arange(4.0), 9, decay=0.1),
        response(schedule, np.arange(4.0), 9, decay=0.1),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_more_lanczos_steps_are_taken_until_the_losses_stand(linear, monkeypatch):
    monkeypatch.setattr("inertial.simulation.curves.DENSE", 3)
    with jax.enable_x64(True):
        problem = built(linear)
        operator = tangent(problem)
        curve = learning_curve(problem, METHODS["heavy ball"], steps=60, operator=operator)
        exact = output_modes(problem).curve(METHODS["heavy ball"], 60)
    assert curve.error <= 1e-3
    assert curve.gcv_error is not None
    assert exact.gcv_error is None
    np.testing.assert_allclose(curve.test_loss, exact.test_loss, rtol=1e-3)


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("loss", ["half_sum", "mse"])
def test_an_estimated_cross_validation_is_the_exact_one_within_its_error(loss, decay, monkeypatch):
    rng = np.random.default_rng(8)
    x = rng.standard_normal((300, 40)) / np.sqrt(40) * np.geomspace(1, 0.03, 40)
    y = x @ rng.standard_normal((40, 1)) + 0.1 * rng.standard_normal((300, 1))
    rows = x, x[:5], np.zeros((40, 1)), y, y[:5]
    unit = 1.0 if loss == "half_sum" else 2 / 300
    method, decay = nesterov(0.06 / unit, 0.9), decay * unit
    with jax.enable_x64(True):
        exact = learning_curve(built(rows, loss, decay), method, steps=60)
        monkeypatch.setattr("inertial.simulation.curves.DENSE", 3)
        found = learning_curve(built(rows, loss, decay), method, steps=60)
    assert np.isfinite(exact.gcv).all()
    assert found.gcv[0] == pytest.approx(exact.gcv[0], rel=1e-9)  # the trace of 1 needs no luck
    off = np.abs(found.gcv - exact.gcv)[1:] / found.gcv_error[1:]
    assert (off < 4).all()  # standard errors of six draws
    assert np.sqrt(np.mean(off**2)) > 0.05  # and they are no wider than they have to be
    assert (found.gcv_error[1:] < 0.05 * found.gcv[1:]).all()
    first, last = found.gcv_steps
    assert first <= exact.gcv_step <= last


@pytest.fixture(scope="module")
def papers():
    """The papers' network on inputs of a small span, with test rows outside of it."""
    rng = np.random.default_rng(5)
    x, z = np.zeros((8, 6)), rng.standard_normal((5, 6))
    x[:, :3] = rng.standard_normal((8, 3))
    return TwoLayerReLU(40, 6), x, rng.standard_normal(8), z, np.sign(rng.standard_normal(5))


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_training_with_decay_and_test_rows_is_the_recursion_of_the_weights(papers, decay):
    network, x, y, z, _ = papers
    method = nesterov(0.05, 0.8)
    with jax.enable_x64(True):
        w, signs = (np.asarray(part) for part in network.init(start_key(1), jnp.float64))
    signs = signs / np.sqrt(40)

    def gradient(v):
        active = x @ v.T >= 0
        residual = np.maximum(x @ v.T, 0) @ signs - y
        return (active * residual[:, None]).T @ x * signs[:, None] + decay * v

    ws = walk(method, w, gradient, 20)
    run = train(
        network, x, y, method, seed=1, steps=20, precision="float64", decay=decay, held_out=z
    )
    exact = np.array([np.maximum(z @ v.T, 0) @ signs for v in ws])
    np.testing.assert_allclose(run.test_outputs, exact, atol=1e-12)
    distance = np.linalg.norm(ws[-1] - w, axis=1).max()
    assert run.max_distance[-1] == pytest.approx(distance, rel=1e-10)


def test_tiles_and_differentiation_record_the_same_test_rows(papers):
    network, x, _, z, held = papers
    y = np.sign(x[:, 0])
    wanted = ("test_loss", "test_accuracy")
    problem = Problem(network, "half_sum", x, y, seed=1, test=(z, held), decay=0.2)
    method = heavy_ball(0.05, 0.8)
    tiled = simulate(problem, method, steps=15, observables=wanted)
    other = simulate(problem, method, steps=15, observables=(*wanted, "distance"))
    # Both in single precision.
    np.testing.assert_allclose(tiled.records["test_loss"], other.records["test_loss"], rtol=1e-4)
    np.testing.assert_array_equal(tiled.records["test_accuracy"], other.records["test_accuracy"])
    assert tiled.to_dataset().test_accuracy.attrs["units"] == "1"


def test_optax_gets_the_gradient_with_decay(papers):
    network, x, y, z, held = papers
    problem = Problem(network, "half_sum", x, y, test=(z, held), decay=0.3)
    method = heavy_ball(0.02, 0.7)
    ours = simulate(problem, method, steps=12, observables=("test_loss",))
    theirs = simulate(problem, optax.sgd(**to_optax(method)), steps=12, observables=("test_loss",))
    np.testing.assert_allclose(ours.records["test_loss"], theirs.records["test_loss"], rtol=1e-5)


def test_observables_of_test_rows_need_test_rows(papers):
    network, x, y, _, _ = papers
    with pytest.raises(InvalidInput, match="needs test rows; give the problem some with test="):
        simulate(
            Problem(network, "half_sum", x, y),
            gradient_descent(0.01),
            steps=2,
            observables=("test_loss",),
        )


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_torch_and_jax_forecast_and_train_alike(linear):
    torch = pytest.importorskip("torch")
    from inertial.torch import problem as torch_problem

    x, z, w, y, held = linear
    labels, held_labels = y.argmax(axis=1), held.argmax(axis=1)
    module = torch.nn.Linear(7, 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.as_tensor(w.T))
    method = nesterov(0.2, 0.8)
    theirs = torch_problem(
        module,
        torch.as_tensor(x),
        torch.as_tensor(labels),
        loss=torch.nn.CrossEntropyLoss(),
        test=(torch.as_tensor(z), torch.as_tensor(held_labels)),
        decay=0.1,
    )
    ours = Problem.from_apply(
        lambda p, rows: rows @ p,
        jnp.asarray(w),
        x,
        labels,
        loss="cross_entropy",
        test=(z, held_labels),
        decay=0.1,
    )
    wanted = ("test_loss", "test_accuracy")
    runs = [simulate(p, method, steps=20, observables=wanted) for p in (ours, theirs)]
    curves = [learning_curve(p, method, steps=20) for p in (ours, theirs)]
    for one in (*runs, *curves[1:]):
        losses = one.records["test_loss"] if hasattr(one, "records") else one.test_loss
        np.testing.assert_allclose(losses, curves[0].test_loss, rtol=1e-5)
    # What torch's own optimiser does with weight_decay is the same training.
    optimiser = torch.optim.SGD(
        module.parameters(), lr=0.2, momentum=0.8, nesterov=True, weight_decay=0.1
    )
    inputs, targets = torch.as_tensor(x).float(), torch.as_tensor(labels)
    for _ in range(3):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(module(inputs), targets).backward()
        optimiser.step()
    with torch.no_grad():
        extrapolated = torch.nn.functional.cross_entropy(module(inputs), targets)
    assert float(extrapolated) == pytest.approx(curves[0].loss[3], rel=1e-5)


def test_cross_validation_gives_nothing_where_its_trace_is_negative():
    # One mode: the factor 1 - l A of heavy ball near its limit is negative at every odd step.
    spectrum = decompose(np.eye(2))
    modes = kernel_modes(spectrum, (np.zeros(2), np.ones(2)))
    curve = modes.curve(gradient_descent(1.5), 4)
    np.testing.assert_array_equal(np.isinf(curve.gcv), [False, True, False, True, False])
    assert curve.gcv_step == 0
