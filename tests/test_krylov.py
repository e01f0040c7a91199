"""Ritz pairs and joint Gauss rules against full decompositions."""

import numpy as np
import pytest

from inertial.linear.krylov import gauss_rules, ritz_pairs
from inertial.linear.lanczos import lanczos


@pytest.fixture
def kernel():
    rng = np.random.default_rng(7)
    basis = np.linalg.qr(rng.standard_normal((120, 120)))[0]
    values = np.sort(np.arange(1, 121) ** -1.5)
    return values, basis, (basis * values) @ basis.T, rng.standard_normal((120, 6))


def test_every_ritz_pair_is_one_to_its_residual(kernel):
    values, _, gram, start = kernel
    pairs = ritz_pairs(lambda block: gram @ block, start, 7)
    images = gram @ pairs.vectors - pairs.vectors * pairs.values
    np.testing.assert_allclose(np.linalg.norm(images, axis=0), pairs.residuals, atol=1e-13)
    identity = pairs.vectors.T @ pairs.vectors
    np.testing.assert_allclose(identity, np.eye(42), rtol=0, atol=1e-12)
    nearest = np.abs(values[:, None] - pairs.values).min(axis=0)
    assert (nearest <= pairs.residuals + 1e-13).all()
    # The top end has converged, the space holds the start.
    np.testing.assert_allclose(pairs.values[-3:], values[-3:], rtol=1e-9)
    assert np.abs(pairs.outside(start)).max() < 1e-12


def test_a_space_as_large_as_the_matrix_has_all_eigenvalues(kernel):
    values, _, gram, start = kernel
    pairs = ritz_pairs(lambda block: gram @ block, start, 20)
    np.testing.assert_allclose(pairs.values, values, rtol=0, atol=1e-13)


def test_weights_of_the_first_columns_are_a_gauss_rule(kernel):
    """Polynomials up to degree 2q - 1 on a start vector are exact."""
    values, basis, gram, start = kernel
    pairs = ritz_pairs(lambda block: gram @ block, start, 4)
    weights = (start[:, 0] @ pairs.vectors) ** 2
    for degree in range(8):
        exact = values**degree @ (basis.T @ start[:, 0]) ** 2
        assert weights @ pairs.values**degree == pytest.approx(exact, rel=1e-12)


def test_joint_rules_are_those_of_each_column(kernel):
    *_, gram, start = kernel
    nodes, weights = gauss_rules(lambda block: gram @ block, start, 5)
    apart = [lanczos(lambda v: gram @ v, column, 5).measure() for column in start.T]
    np.testing.assert_allclose(nodes, np.concatenate([m.nodes for m in apart]), rtol=1e-10)
    np.testing.assert_allclose(weights, np.concatenate([m.weights for m in apart]), rtol=1e-8)


def test_a_column_in_two_modes_is_spent_after_two_products(kernel):
    values, basis, gram, start = kernel
    starts = np.column_stack([start[:, 0], basis[:, [3, 110]] @ np.array([3.0, 4.0])])
    nodes, weights = gauss_rules(lambda block: gram @ block, starts, 5)
    there = weights[5:] > 1e-12
    np.testing.assert_allclose(nodes[5:][there], values[[3, 110]], rtol=1e-10)
    np.testing.assert_allclose(weights[5:][there], [9, 16], rtol=1e-10)
