"""The network's start against its moments, and its outputs against a loop."""

import jax
import numpy as np
import pytest

from helpers import unit_inputs
from inertial import MLP, InvalidInput, TwoLayerReLU, WideNetwork, initial_residual
from inertial.problem.model import outputs


def test_outputs_are_the_sum_over_neurons(rng):
    w, a, x = rng.standard_normal((5, 3)), rng.choice([-1.0, 1.0], 5), rng.standard_normal((4, 3))
    expected = [sum(a[r] * max(w[r] @ x[i], 0.0) for r in range(5)) / np.sqrt(5) for i in range(4)]
    with jax.enable_x64(True):
        np.testing.assert_allclose(outputs(w, a, x), expected, rtol=1e-14)


def test_the_start_is_gaussian_with_random_signs():
    w, a = TwoLayerReLU(20_000, 10).init(jax.random.key(3))
    w, a = np.asarray(w), np.asarray(a)
    assert set(np.unique(a)) == {-1.0, 1.0}
    # 200,000 entries: five standard errors of mean 1/sqrt(N), variance sqrt(2/N), sign 1/sqrt(m).
    assert abs(w.mean()) < 5 / np.sqrt(w.size)
    assert abs(w.var() - 1) < 5 * np.sqrt(2 / w.size)
    assert abs(a.mean()) < 5 / np.sqrt(a.size)


def test_both_precisions_start_at_one_point():
    single = TwoLayerReLU(50, 3).init(jax.random.key(1))
    with jax.enable_x64(True):
        double = TwoLayerReLU(50, 3).init(jax.random.key(1), jax.numpy.float64)
    for one, other in zip(single, double, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_the_mean_squared_residual_at_the_start_is_exact(rng):
    x, y = 2 * unit_inputs(rng, 12, 4), rng.standard_normal(12)
    squares = [np.sum(initial_residual(TwoLayerReLU(30, 4), x, y, seed=s) ** 2) for s in range(300)]
    expected = 0.5 * np.sum(x**2) + np.sum(y**2)
    assert abs(np.mean(squares) - expected) < 5 * np.std(squares) / np.sqrt(len(squares))


@pytest.mark.parametrize("width", [0, -3])
def test_a_width_that_makes_no_sense_is_refused(width):
    with pytest.raises(InvalidInput, match=f"width is {width}; give a whole number"):
        TwoLayerReLU(width, 3)


@pytest.mark.parametrize("model", [TwoLayerReLU(5, 3), MLP(3, (5,)), WideNetwork(5, 3)])
def test_keys_of_both_kinds_draw_one_start(model):
    typed, raw = model.init(jax.random.key(2)), model.init(jax.random.PRNGKey(2))
    jax.tree.map(np.testing.assert_array_equal, typed, raw)


def test_weights_and_signs_are_drawn_independently():
    """With one input coordinate each neuron has one weight: its sign must not tell the output's."""
    w, a = map(np.asarray, TwoLayerReLU(10_000, 1).init(jax.random.key(5)))
    assert abs(np.mean(np.sign(w[:, 0]) * a)) < 5 / np.sqrt(10_000)  # five standard errors


def test_a_recorded_seed_names_the_same_network_in_every_version():
    """Runs on disk and other programs rely on these two streams of jax.random."""
    key = jax.random.key(11)
    w, a = TwoLayerReLU(40, 3).init(key)
    weights = jax.random.normal(jax.random.fold_in(key, 0), (40, 3))
    signs = jax.random.bernoulli(jax.random.fold_in(key, 1), shape=(40,))
    np.testing.assert_array_equal(w, weights)
    np.testing.assert_array_equal(a, np.where(signs, 1.0, -1.0))
