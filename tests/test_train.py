"""Training against a plain NumPy loop, automatic differentiation, and the exact forecast."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import methods, residual_and_gradient, unit_inputs
from inertial import (
    InvalidInput,
    TwoLayerReLU,
    decompose,
    finite_gram,
    forecast,
    gradient_descent,
    heavy_ball,
    infinite_gram,
    initial_residual,
    nesterov,
    train,
)
from inertial.problem.model import outputs, start_key
from inertial.simulation import step as device
from inertial.simulation import train as module
from inertial.simulation.span import span

METHODS = methods(4.0)


@pytest.fixture
def problem(rng):
    return unit_inputs(rng, 30, 5), rng.standard_normal(30)


def plain_run(network, x, y, method, seed, steps):
    """The recursion on the weights themselves, no blocks, no span, float64 NumPy."""
    with jax.enable_x64(True):
        w0, a = (np.asarray(v) for v in network.init(jax.random.key(seed), jnp.float64))
    eta, beta, gamma = method.coefficients(0, steps + 1)
    w, step, before, rows = w0.copy(), np.zeros_like(w0), np.zeros_like(w0), []
    for t in range(steps + 1):
        residual, gradient = residual_and_gradient(w, a, x, y)
        moved = np.linalg.norm(w - w0, axis=1)
        flipped = np.mean((w @ x.T >= 0) != (w0 @ x.T >= 0))
        rows.append((0.5 * np.sum(residual**2), moved.max(), moved.mean(), flipped))
        step = beta[t] * step - eta[t] * gradient - gamma[t] * (eta[t] * gradient - before)
        w, before = w + step, eta[t] * gradient
    return np.array(rows).T


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_training_is_the_plain_recursion(problem, method):
    network = TwoLayerReLU(70, 5)
    run = train(network, *problem, method, seed=2, steps=40, precision="float64")
    loss, largest, mean, flipped = plain_run(network, *problem, method, 2, 40)
    # Sums in another order, 40 steps of a contracting map: a few roundings.
    np.testing.assert_allclose(run.loss, loss, rtol=1e-10)
    np.testing.assert_allclose(run.max_distance, largest, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(run.mean_distance, mean, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(run.pattern_change, flipped)
    assert (run.status, list(run.steps)) == ("finished", list(range(41)))


def test_the_helper_gradient_is_automatic_differentiation(problem, rng):
    x, y = problem
    w, a = rng.standard_normal((9, 5)), rng.choice([-1.0, 1.0], 9)
    with jax.enable_x64(True):
        gradient = jax.grad(lambda w: 0.5 * jnp.sum((outputs(w, a, x) - y) ** 2))(jnp.asarray(w))
    np.testing.assert_allclose(residual_and_gradient(w, a, x, y)[1], gradient, rtol=0, atol=1e-13)


@pytest.mark.parametrize("neurons", [1, 4, 9, 16, 64])
def test_tiles_change_nothing(problem, monkeypatch, neurons):
    network = TwoLayerReLU(22, 5)  # tiles of 4 and of 9 at most leave two neurons of padding
    whole = train(network, *problem, nesterov(0.1, 0.8), seed=0, steps=30, precision="float64")
    monkeypatch.setattr(device, "_TILE_NEURONS", (1, neurons))
    tiled = train(
        network,
        *problem,
        nesterov(0.1, 0.8),
        seed=0,
        steps=30,
        precision="float64",
        record_residual=True,
    )
    np.testing.assert_allclose(tiled.loss, whole.loss, rtol=1e-11)
    np.testing.assert_array_equal(tiled.pattern_change, whole.pattern_change)
    np.testing.assert_allclose(tiled.max_distance, whole.max_distance, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(tiled.mean_distance, whole.mean_distance, rtol=1e-11, atol=1e-15)
    assert tiled.residual.shape == (31, 30)
    np.testing.assert_allclose(0.5 * np.sum(tiled.residual**2, axis=1), tiled.loss)


@pytest.fixture
def block_rows(monkeypatch):
    """Set how many rows pass at once, for programs that are compiled from then on."""

    def set_to(rows):
        monkeypatch.setattr(device, "_BLOCK_ROWS", rows)
        jax.clear_caches()

    yield set_to
    jax.clear_caches()


@pytest.mark.parametrize("neurons", [4, 22])  # several tiles, and one whose signs are kept
@pytest.mark.parametrize(("rows", "batch"), [(1, None), (7, None), (8, None), (29, None), (8, 11)])
def test_blocks_of_rows_change_nothing(problem, monkeypatch, block_rows, rows, neurons, batch):
    """Of 30 rows, all of them and batches: equal blocks, and such that leave some over."""
    monkeypatch.setattr(device, "_TILE_NEURONS", (1, neurons))
    given = (TwoLayerReLU(22, 5), *problem, nesterov(0.1, 0.8))
    options = {"seed": 0, "steps": 30, "precision": "float64", "record_residual": True}
    whole = train(*given, **options, batch=batch)
    block_rows(rows)
    blocks = train(*given, **options, batch=batch)
    np.testing.assert_allclose(blocks.residual, whole.residual, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(blocks.pattern_change, whole.pattern_change)
    np.testing.assert_allclose(blocks.max_distance, whole.max_distance, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(("n", "count"), [(2000, 1), (2001, 2), (10_000, 5), (9_999, 5)])
def test_blocks_are_of_two_thousand_rows_at_most(n, count):
    (equal,), rest = device._blocks(jnp.arange(n))
    assert len(equal) == count
    over = np.arange(0) if rest is None else np.asarray(rest[0])
    assert len(over) < count
    np.testing.assert_array_equal(np.append(np.asarray(equal).reshape(-1), over), np.arange(n))


def test_tiles_get_narrower_with_the_rows_until_those_pass_in_blocks(monkeypatch):
    assert [device.layout(n, 20_000)[1] for n in (2000, 4000, 8000, 40_000)] == [
        4000,
        2000,
        2000,
        2000,
    ]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")  # all rows at once
    assert [device.layout(n, 20_000)[1] for n in (2000, 4000, 8000, 40_000)] == [
        4000,
        2000,
        1000,
        500,
    ]


@given(st.integers(1, 60_000), st.integers(1, 60_000))
def test_tiles_hold_every_neuron_and_little_else(n, width):
    tiles, neurons = device.layout(n, width)
    assert tiles * (neurons - 1) < width <= tiles * neurons
    assert neurons <= device._TILE_NEURONS[1]


def test_the_inputs_own_span_changes_nothing(rng):
    x = unit_inputs(rng, 25, 3) @ np.linalg.qr(rng.standard_normal((8, 3)))[0].T
    y = rng.standard_normal(25)
    inner = span(x)
    assert inner.x.shape == (25, 3)
    np.testing.assert_allclose(inner.x @ inner.basis.T, x, rtol=0, atol=1e-14)
    run = train(
        TwoLayerReLU(40, 8), x, y, heavy_ball(0.2, 0.8), seed=1, steps=30, precision="float64"
    )
    loss, largest, mean, flipped = plain_run(TwoLayerReLU(40, 8), x, y, heavy_ball(0.2, 0.8), 1, 30)
    np.testing.assert_allclose(run.loss, loss, rtol=1e-10)
    np.testing.assert_allclose(run.max_distance, largest, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(run.mean_distance, mean, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(run.pattern_change, flipped)


def test_no_product_of_a_run_is_left_to_the_device(rng):
    """GPUs round the factors of a product to ten bits unless it asks for more."""
    arrays = [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in [(9, 6), (9,)]]
    start = jax.make_jaxpr(module._in_span)(*arrays, jnp.ones((6, 2), jnp.float32))
    problem = device.prepare(rng.standard_normal((5, 6)), np.ones(5), *arrays)
    coefficients = device.device_coefficients(nesterov(0.1, 0.8), 0, jnp.float32)
    steps = jax.make_jaxpr(device.advance)(problem, device.at_rest(problem), coefficients, 2)
    for program, products in ((start, 1), (steps, 3)):
        text = str(program)
        assert text.count("dot_general[") == products
        assert text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") == products


def test_a_span_that_saves_little_is_not_used(rng):
    x = unit_inputs(rng, 40, 6)
    assert span(x).basis is None


def test_float32_follows_float64(problem):
    arguments = (TwoLayerReLU(500, 5), *problem, nesterov(0.1, 0.8))
    single = train(*arguments, seed=0, steps=50)
    double = train(*arguments, seed=0, steps=50, precision="float64")
    # A step loses some 1e-7 of the residual, and the map contracts.
    np.testing.assert_allclose(single.loss, double.loss, rtol=1e-4)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(problem):
    runs = [
        train(TwoLayerReLU(60, 5), *problem, nesterov(0.1, 0.8), seed=s, steps=90)
        for s in (4, 4, 5)
    ]
    np.testing.assert_array_equal(runs[0].loss, runs[1].loss)
    assert (runs[0].loss != runs[2].loss).any()


def test_the_initial_residual_is_the_first_recorded_one(problem):
    run = train(
        TwoLayerReLU(60, 5), *problem, METHODS["heavy ball"], seed=3, steps=1, precision="float64",
        record_residual=True,
    )  # fmt: skip
    expected = initial_residual(TwoLayerReLU(60, 5), *problem, seed=3)
    # The same sums in another order.
    np.testing.assert_allclose(run.residual[0], expected, rtol=0, atol=1e-13)


def test_the_initial_residual_does_not_depend_on_how_many_rows_pass_at_once(problem, monkeypatch):
    whole = initial_residual(TwoLayerReLU(60, 5), *problem, seed=3)
    monkeypatch.setattr(module, "_ENTRIES", 4 * 60)  # four rows at once
    parts = initial_residual(TwoLayerReLU(60, 5), *problem, seed=3)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", [7, 2**31 + 7, 2**40 + 7])
def test_both_precisions_start_at_one_point_that_the_whole_seed_decides(problem, seed):
    single, double = (
        train(TwoLayerReLU(60, 5), *problem, gradient_descent(0.1), seed=seed, steps=1, precision=p)
        for p in ("float32", "float64")
    )
    np.testing.assert_allclose(single.loss[0], double.loss[0], rtol=1e-5)  # single precision
    with jax.enable_x64(True):
        key = jax.random.key_data(jax.random.key(seed, impl="threefry2x32"))
    np.testing.assert_array_equal(jax.random.key_data(start_key(seed)), key)


def test_a_run_with_a_target_is_the_whole_run_up_to_there(problem):
    def run(target):
        return train(
            TwoLayerReLU(60, 5), *problem, METHODS["heavy ball"], seed=3, steps=90, target=target
        )

    whole = run(None)
    reached = whole.steps_to(0.3)
    part, beyond = run(0.3), run(1e-9)
    assert 0 < reached < 90
    assert part.steps[-1] == part.steps_to(0.3) == reached
    assert part.status == "finished"
    np.testing.assert_array_equal(part.loss, whole.loss[: reached + 1])
    np.testing.assert_array_equal(beyond.loss, whole.loss)  # a target that is not reached


def test_a_run_with_a_target_that_diverges_says_so(problem):
    run = train(
        TwoLayerReLU(60, 5), *problem, heavy_ball(300.0, 0.9), seed=0, steps=500, target=1e-3
    )
    assert run.status == "diverged"
    assert not run.loss[-1] <= module.DIVERGED * run.loss[0]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_divergence_ends_with_a_status_and_a_step(problem, precision):
    run = train(
        TwoLayerReLU(60, 5),
        *problem,
        heavy_ball(300.0, 0.9),
        seed=0,
        steps=500,
        precision=precision,
    )
    assert run.status == "diverged"
    assert run.diverged_at == run.steps[-1] < 500
    assert len(run.loss) == len(run.max_distance) == len(run.pattern_change) == len(run.steps)
    assert (run.loss[:-1] <= module.DIVERGED * run.loss[0]).all()
    assert not run.loss[-1] <= module.DIVERGED * run.loss[0]


def test_progress_counts_every_step_once(problem):
    seen = []
    train(
        TwoLayerReLU(30, 5),
        *problem,
        METHODS["gradient descent"],
        seed=0,
        steps=130,
        progress=seen.append,
    )
    assert sum(seen) == 131


def median_gap(x, y, width, method, steps=60):
    """Median over seeds of the largest gap between the losses of network and linearisation."""
    gaps = []
    for seed in range(8):
        network = TwoLayerReLU(width, x.shape[1])
        w, _ = network.init(jax.random.key(seed))
        spectrum = decompose(finite_gram(x, np.asarray(w)))
        residual = initial_residual(network, x, y, seed=seed)
        run = train(network, x, y, method, seed=seed, steps=steps, precision="float64")
        linear = forecast(method, spectrum, residual, np.arange(steps + 1))
        gaps.append(np.max(np.abs(np.sqrt(run.loss) - np.sqrt(linear.loss)) / run.loss[0] ** 0.5))
    return np.median(gaps)


def test_a_run_ends_where_progress_says_so(problem):
    seen = []

    def look(count):
        seen.append(count)
        return len(seen) == 3

    words = {"seed": 0, "precision": "float64"}
    network = TwoLayerReLU(8, 5)
    short = train(network, *problem, nesterov(0.1, 0.8), steps=500, progress=look, **words)
    whole = train(network, *problem, nesterov(0.1, 0.8), steps=500, **words)
    assert (short.status, len(short.loss)) == ("finished", sum(seen))
    assert len(seen) == 3
    np.testing.assert_array_equal(short.loss, whole.loss[: sum(seen)])


def test_wider_networks_follow_their_linearisation_more_closely(problem):
    # ReLU shows no clean power of the width at sizes a test can run, so only the decrease counts.
    x, y = problem
    gaps = [median_gap(x, y, m, nesterov(0.1, 0.8)) for m in (100, 1600, 25600)]
    assert gaps[0] > 1.5 * gaps[1] > 1.5**2 * gaps[2]


def test_the_stability_limit_holds_on_a_wide_network(problem):
    """Just below the limit the loss falls; just above it grows, as the theory says."""
    x, y = problem
    largest = decompose(infinite_gram(x)).eigenvalues[-1]
    network = TwoLayerReLU(20_000, 5)
    w, _ = network.init(jax.random.key(0))
    largest = decompose(finite_gram(x, np.asarray(w))).eigenvalues[-1]
    below = train(network, x, y, gradient_descent(1.9 / largest), seed=0, steps=60)
    above = train(network, x, y, gradient_descent(2.1 / largest), seed=0, steps=60)
    assert below.loss[-1] < 0.5 * below.loss[0]
    assert above.loss.max() > 2 * above.loss[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"steps": 0}, "steps is 0; give a whole"), ({"steps": -2}, "steps is -2; give a whole")],
)
def test_steps_that_make_no_sense_are_refused(problem, arguments, message):
    with pytest.raises(InvalidInput, match=message):
        train(TwoLayerReLU(5, 5), *problem, METHODS["gradient descent"], seed=0, **arguments)


def test_snapshots_are_the_weights_of_exactly_the_steps_asked_for(problem):
    """The residual of the weights that were shown is the one recorded at that step."""
    x, y = problem
    asked, seen = [0, 1, 6, 7, 29, 40], {}
    run = train(
        TwoLayerReLU(70, 5), x, y, heavy_ball(0.2, 0.8), seed=2, steps=40, precision="float64",
        record_residual=True, snapshots=asked, observe=seen.__setitem__,
    )  # fmt: skip
    assert list(seen) == asked
    with jax.enable_x64(True):
        _, a = TwoLayerReLU(70, 5).init(jax.random.key(2), jnp.float64)
    for step, w in seen.items():
        residual, _ = residual_and_gradient(w, np.asarray(a), x, y)
        # The same products in another order.
        np.testing.assert_allclose(residual, run.residual[step], rtol=0, atol=1e-12)


def test_a_step_is_compiled_once_for_each_shape(problem, caplog):
    """Methods, seeds and numbers of steps share a program; another width has its own."""
    device.advance.clear_cache()
    with jax.log_compiles(True), caplog.at_level(logging.WARNING):
        for width in (61, 62):
            for method in METHODS.values():
                for seed, steps in ((0, 3), (1, 90)):
                    train(TwoLayerReLU(width, 5), *problem, method, seed=seed, steps=steps)
    messages = [record.getMessage() for record in caplog.records]
    assert sum(m.startswith("Compiling") and "advance" in m for m in messages) == 2
