"""Kernels against Monte Carlo, the Jacobian, and the exact condition for positive definiteness."""

import jax
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import unit_inputs
from inertial import (
    Data,
    TwoLayerReLU,
    extremes,
    finite_gram,
    infinite_gram,
    load,
    measure_of,
    output_covariance,
)
from inertial.linear import kernel
from inertial.linear.kernel import entry_error
from inertial.linear.spectrum import known
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
    # A few roundings of the rotated entries, which move an angle by as much.
    np.testing.assert_allclose(infinite_gram(x @ rotation), infinite_gram(x), rtol=0, atol=1e-14)


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
@pytest.mark.parametrize("angle", [0.1, 0.04, 1e-3, 1e-7, 1e-8, 1e-12])
def test_an_angle_of_any_size_is_right_to_rounding(angle, side):
    """On both sides of where the cosine hands over, and far below what a cosine can tell."""
    x = np.array([[3.0, 0.0], [side * 2 * np.cos(angle), side * 2 * np.sin(angle)]])
    with mpmath.workdps(40):
        u, v = (mpmath.matrix(row.tolist()) for row in x)
        cross = u[0] * v[1] - u[1] * v[0]
        dot = u[0] * v[0] + u[1] * v[1]
        between = mpmath.atan2(abs(cross), dot)
        expected = dot * (mpmath.pi - between) / (2 * mpmath.pi)
        spread = (abs(cross) + (mpmath.pi - between) * dot) / (2 * mpmath.pi)
        for matrix, value in ((infinite_gram(x), expected), (output_covariance(x), spread)):
            assert abs(matrix[0, 1] - value) <= entry_error(x)
    assert entry_error(x) < 2e-13


def test_nearly_opposite_rows_leave_the_smallest_eigenvalue_its_digits():
    """Ten rows, two of them 1e-7 from opposite: against eigenvalues of 40 digits."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((10, 2))
    x[7] = -1.3 * x[2] + 1e-7 * np.array([-x[2, 1], x[2, 0]])
    x[9] = 0.8 * x[4] + 1e-7 * np.array([-x[4, 1], x[4, 0]])
    ends = measure_of(Data(x, np.ones(10), load("sphere", n=10, dim=2).provenance)).ends
    with mpmath.workdps(40):
        rows = [mpmath.matrix(row.tolist()) for row in x]
        gram = mpmath.matrix(10, 10)
        for i, u in enumerate(rows):
            for j, v in enumerate(rows):
                dot = u[0] * v[0] + u[1] * v[1]
                angle = mpmath.atan2(abs(u[0] * v[1] - u[1] * v[0]), dot)
                gram[i, j] = dot * (mpmath.pi - angle) / (2 * mpmath.pi)
        values = sorted(mpmath.eigsy(gram, eigvals_only=True))
        smallest, largest = float(values[0]), float(values[-1])
    assert abs(ends.smallest - smallest) <= ends.smallest_error < 1e-4 * smallest
    assert abs(ends.largest - largest) <= ends.largest_error
    condition = largest / smallest
    assert abs(ends.condition_number - condition) <= ends.condition_error
    shown = known(ends.smallest, ends.smallest_error)
    last = 10.0 ** (np.floor(np.log10(smallest)) - len(shown.split("e")[0].replace(".", "")) + 1)
    assert abs(float(shown) - smallest) <= last
    assert len(shown) < len(f"{ends.smallest:.6g}")


def test_many_nearly_parallel_rows_are_taken_in_parts(monkeypatch, rng):
    x = 1 + 1e-5 * rng.standard_normal((40, 3))
    whole = infinite_gram(x)
    monkeypatch.setattr(kernel, "_NUMBERS", 30)
    np.testing.assert_array_equal(infinite_gram(x), whole)
