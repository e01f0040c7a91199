"""Kernels against Monte Carlo, the Jacobian, and the exact condition for positive definiteness."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import unit_inputs
from inertial import TwoLayerReLU, extremes, finite_gram, infinite_gram, load, output_covariance
from inertial.problem.model import outputs


def test_infinite_gram_is_the_mean_of_finite_grams(rng):
    x = rng.standard_normal((7, 4)) * 3  # general norms
    samples = np.array([finite_gram(x, rng.standard_normal((2000, 4))) for _ in range(50)])
    error = samples.std(axis=0) / np.sqrt(len(samples))
    # 28 different entries: 5 standard errors are exceeded once in 60,000 tries.
    assert (np.abs(samples.mean(axis=0) - infinite_gram(x)) <= 5 * error + 1e-12).all()


def test_finite_gram_is_the_jacobian_times_its_transpose(rng):
    x, w = rng.standard_normal((6, 3)), rng.standard_normal((11, 3))
    a = rng.choice([-1.0, 1.0], 11)
    with jax.enable_x64(True):
        jacobian = np.asarray(jax.jacobian(outputs)(w, a, x)).reshape(6, -1)
    np.testing.assert_allclose(finite_gram(x, w), jacobian @ jacobian.T, rtol=0, atol=1e-12)


def test_more_rows_than_a_block_are_all_filled(rng):
    x, w = rng.standard_normal((1030, 3)), rng.standard_normal((600, 3))
    active = (x @ w.T >= 0).astype(float)
    expected = (x @ x.T) * (active @ active.T) / 600
    np.testing.assert_allclose(finite_gram(x, w), expected, rtol=0, atol=1e-12)
    angle = np.arccos(np.clip(x @ x.T / np.outer(*2 * [np.linalg.norm(x, axis=1)]), -1, 1))
    # arccos at nearly equal directions keeps half its digits.
    np.testing.assert_allclose(
        infinite_gram(x), (x @ x.T) * (np.pi - angle) / (2 * np.pi), rtol=0, atol=1e-6
    )


def test_output_covariance_is_that_of_random_networks(rng):
    x = rng.standard_normal((5, 3))
    width, draws = 64, 4000
    w = rng.standard_normal((draws, width, 3))
    a = rng.choice([-1.0, 1.0], (draws, width))
    f = np.einsum("sr,srn->sn", a, np.maximum(w @ x.T, 0)) / np.sqrt(width)
    products = f[:, :, None] * f[:, None, :]
    error = products.std(axis=0) / np.sqrt(draws)
    assert (np.abs(products.mean(axis=0) - output_covariance(x)) <= 5 * error).all()


@given(st.integers(2, 30), st.integers(1, 8), st.integers(0, 2**31))
def test_diagonal_trace_and_symmetry(n, d, seed):
    x = np.random.default_rng(seed).standard_normal((n, d))
    squares = np.sum(x**2, axis=1)
    for gram in (infinite_gram(x), output_covariance(x)):
        np.testing.assert_allclose(np.diag(gram), squares / 2, rtol=1e-14)
        np.testing.assert_allclose(gram, gram.T, rtol=0, atol=1e-15 * squares.max() * d)
        assert np.linalg.eigvalsh(gram)[0] >= -n * 1e-15 * squares.sum()


@given(st.integers(0, 2**31))
def test_permuting_samples_permutes_the_kernel(seed):
    rng = np.random.default_rng(seed)
    x, order = unit_inputs(rng, 12, 5), rng.permutation(12)
    # Blocked sums of five products: a few roundings.
    np.testing.assert_allclose(
        infinite_gram(x[order]), infinite_gram(x)[np.ix_(order, order)], rtol=0, atol=1e-14
    )


@given(st.integers(0, 2**31))
def test_rotating_the_inputs_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    x = unit_inputs(rng, 9, 4)
    rotation, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    # arccos has slope 1/sin(angle): two of nine random directions come as close as 1e-2.
    np.testing.assert_allclose(infinite_gram(x @ rotation), infinite_gram(x), rtol=0, atol=1e-12)


def test_positive_definite_exactly_without_parallel_and_dependent_antiparallel_rows():
    cross = np.array([[1.0, 0], [0, 1], [np.sqrt(0.5), np.sqrt(0.5)]])
    independent = np.vstack([cross[:2], -cross[:2]])
    dependent = np.vstack([cross, -cross])
    assert extremes(infinite_gram(independent)).smallest == pytest.approx(0.5)
    assert extremes(infinite_gram(dependent)).singular
    assert extremes(infinite_gram(np.vstack([cross, 2 * cross[:1]]))).singular
    assert not extremes(infinite_gram(cross)).singular


def test_a_neuron_on_the_boundary_counts_as_active():
    x, w = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [-1.0, 1.0]])
    np.testing.assert_array_equal(finite_gram(x, w), [[0.5, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("n", "smallest", "largest", "condition"),
    [(300, 0.0178195, 91.584, 5139.5), (1000, 0.0121052, 303.129, 25041)],
)
def test_fashion_mnist_has_the_known_spectrum(n, smallest, largest, condition):
    """Values of an independent float64 implementation, to the digits it was given with."""
    from inertial.data import locate

    if locate("fashion-mnist") is None:
        pytest.skip("Fashion-MNIST is not on this machine")
    data = load("fashion-mnist", n=n)
    if "train" not in data.provenance.source:
        pytest.skip("only Fashion-MNIST's test files are on this machine")
    ends = extremes(infinite_gram(data.x))
    assert ends.smallest == pytest.approx(smallest, rel=5e-6)
    assert ends.largest == pytest.approx(largest, rel=2e-6)
    assert ends.condition_number == pytest.approx(condition, rel=2e-5)


def test_the_finite_kernel_tends_to_the_infinite_one(rng):
    x = unit_inputs(rng, 20, 6)
    limit = infinite_gram(x)
    gaps = [
        np.median(
            [
                np.linalg.norm(
                    finite_gram(x, np.asarray(TwoLayerReLU(m, 6).init(jax.random.key(s))[0]))
                    - limit
                )
                for s in range(8)
            ]
        )
        for m in (100, 1600)
    ]
    # Fluctuations of a mean over m neurons: 16 times the width, a quarter of the gap.
    assert 0.15 < gaps[1] / gaps[0] < 0.4


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("angle", [1e-6, 3e-7])
def test_a_small_angle_is_seen_as_such(angle, side):
    """Just above the rounding of a cosine the kernel is still that of the angle."""
    x = np.array([[1.0, 0.0], [side * np.cos(angle), side * np.sin(angle)]])
    between = angle if side > 0 else np.pi - angle
    expected = side * np.cos(angle) * (np.pi - between) / (2 * np.pi)
    # arccos near 1 turns a rounding of the cosine, eps, into eps / angle.
    bound = 2 * np.finfo(float).eps / angle
    assert abs(infinite_gram(x)[0, 1] - expected) <= bound
    assert angle / (2 * np.pi) > 20 * bound  # taking the angle for 0 would be seen


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_an_angle_below_the_rounding_of_a_cosine_is_none(side):
    x = np.array([[1.0, 0.0], [side, side * 1.2e-7]])
    assert infinite_gram(x)[0, 1] == (0.5 if side > 0 else 0.0)
