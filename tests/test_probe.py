"""The sampled kernel against the Jacobian of the network at weights of an independent run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import residual_and_gradient, unit_inputs
from inertial._checks import InvalidInput
from inertial.linear.kernel import finite_gram
from inertial.method.recursion import gradient_descent, nesterov
from inertial.problem.model import TwoLayerReLU, outputs
from inertial.simulation import probe as module
from inertial.simulation.probe import probe
from inertial.simulation.train import train

NETWORK = TwoLayerReLU(200, 4)


@pytest.fixture
def problem(rng):
    return unit_inputs(rng, 20, 4), rng.standard_normal(20)


def start(network, seed):
    w, a = network.init(jax.random.key(seed))
    return np.asarray(w, np.float64), np.asarray(a, np.float64)


def jacobian_gram(w, a, x):
    with jax.enable_x64(True):
        jacobian = jax.jacfwd(lambda v: outputs(v, jnp.asarray(a), jnp.asarray(x)))(jnp.asarray(w))
    flat = np.asarray(jacobian).reshape(len(x), -1)
    return flat @ flat.T


def test_samples_are_the_kernels_of_the_run(problem):
    """Gradient descent written out in NumPy, kernels from automatic differentiation."""
    x, y = problem
    _, found = probe(
        NETWORK, x, y, gradient_descent(0.3), seed=3, steps=12, at=[12, 5], precision="float64"
    )
    w, a = start(NETWORK, 3)
    first, kernels, distance = w, [], []
    for t in range(13):
        if t in (0, 5, 12):
            kernels.append(jacobian_gram(w, a, x))
            distance.append(np.linalg.norm(w - first, axis=1).max())
        w = w - 0.3 * residual_and_gradient(w, a, x, y)[1]
    assert found.steps.tolist() == [0, 5, 12]
    drift = [kernel - kernels[0] for kernel in kernels]
    expected = {
        "smallest": [np.linalg.eigvalsh(kernel)[0] for kernel in kernels],
        "largest": [np.linalg.eigvalsh(kernel)[-1] for kernel in kernels],
        "drift_spectral": [np.linalg.norm(d, 2) for d in drift],
        "drift_frobenius": [np.linalg.norm(d) for d in drift],
        "max_distance": distance,
    }
    for name, values in expected.items():
        # Sums of 200 products in float64; a neuron on the wrong side would show as 1/200.
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-10, atol=1e-12)
    assert found.drift_frobenius[-1] > 0


def test_probing_leaves_the_run_as_it_is(problem):
    x, y = problem
    method = nesterov(0.1, 0.8)
    run, _ = probe(NETWORK, x, y, method, seed=1, steps=90, at=[1, 30, 64, 65, 90])
    plain = train(NETWORK, x, y, method, seed=1, steps=90)
    np.testing.assert_array_equal(run.loss, plain.loss)
    np.testing.assert_array_equal(run.max_distance, plain.max_distance)


def test_drift_stays_below_what_the_flips_allow(problem):
    x, y = problem
    run, found = probe(NETWORK, x, y, nesterov(0.1, 0.8), seed=1, steps=60, at=range(0, 61, 10))
    assert (found.drift_spectral <= found.drift_frobenius).all()
    assert (found.drift_frobenius <= found.flips.kernel_drift).all()
    assert found.flips.radius == found.max_distance.max()
    # The run measures its distances in float32.
    np.testing.assert_allclose(found.max_distance, run.max_distance[found.steps], rtol=1e-5)


def test_lanczos_and_full_decomposition_agree(rng, monkeypatch):
    """With 100 samples the ends are dense and the norm is by Lanczos; then the other way round."""
    x, y = unit_inputs(rng, 100, 10), rng.standard_normal(100)
    arguments = (TwoLayerReLU(400, 10), x, y, gradient_descent(0.3))
    _, dense = probe(*arguments, seed=0, steps=5, at=[5])
    monkeypatch.setattr(module, "_DENSE_BELOW", 0)
    monkeypatch.setattr(module, "_LANCZOS_FROM", 200)
    _, other = probe(*arguments, seed=0, steps=5, at=[5])
    for name in ("smallest", "largest", "drift_spectral"):
        # `_TOLERANCE` bounds the residual of Lanczos; the error of the value is its square.
        np.testing.assert_allclose(getattr(dense, name), getattr(other, name), rtol=1e-9)


def test_inputs_in_a_subspace_are_probed_in_their_span(rng):
    """In 10 of 50 dimensions training runs in the span; the kernel is that of the whole inputs."""
    x, y = unit_inputs(rng, 10, 50), rng.standard_normal(10)
    network = TwoLayerReLU(100, 50)
    _, found = probe(network, x, y, gradient_descent(0.3), seed=0, steps=1, at=[1])
    w, _ = start(network, 0)
    values = np.linalg.eigvalsh(finite_gram(x, w))
    np.testing.assert_allclose([found.smallest[0], found.largest[0]], values[[0, -1]], rtol=1e-12)


def test_a_diverged_run_is_probed_as_far_as_it_went(problem):
    x, y = problem
    run, found = probe(NETWORK, x, y, gradient_descent(5.0), seed=0, steps=200, at=[0, 2, 200])
    assert run.status == "diverged"
    assert found.steps.tolist() == [0, 2]


@pytest.mark.parametrize("step", [-1, 11, 2.5])
def test_steps_outside_the_run_are_refused(problem, step):
    x, y = problem
    with pytest.raises(InvalidInput, match="at holds"):
        probe(NETWORK, x, y, gradient_descent(0.1), seed=0, steps=10, at=[3, step])
