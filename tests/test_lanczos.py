"""Gauss rules from Lanczos against full decompositions."""

import numpy as np
import pytest

from inertial import InvalidInput, Measure, forecast_loss, gradient_descent, heavy_ball, nesterov
from inertial.linear.lanczos import lanczos, product_with

METHODS = (gradient_descent(0.9), heavy_ball(0.7, 0.9), nesterov(0.4, 0.95))


@pytest.fixture
def kernel():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((80, 80)))[0]
    values = np.sort(10 ** rng.uniform(-4, 0, 80))
    return values, basis, (basis * values) @ basis.T, rng.standard_normal(80)


@pytest.mark.parametrize(
    "held", [np.ascontiguousarray, np.asfortranarray, lambda gram: np.kron(gram, [1, 0])[:, ::2]]
)
def test_a_product_with_a_symmetric_matrix_reads_one_triangle(kernel, held):
    *_, gram, start = kernel
    half = held(np.where(np.tri(len(gram)), gram, np.nan))
    other = held(np.where(np.tri(len(gram)), gram, np.nan).T)
    found = [product_with(one)(start) for one in (half, other)]
    right = [one for one in found if np.isfinite(one).all()]
    assert len(right) == 1
    np.testing.assert_allclose(right[0], gram @ start, rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 5, 20])
def test_losses_are_exact_up_to_the_step_before_the_number_of_products(kernel, steps):
    values, basis, gram, start = kernel
    found = lanczos(lambda v: gram @ v, start, steps)
    exact, gauss = Measure(values, (basis.T @ start) ** 2), found.measure()
    assert gauss.proven == steps - 1
    at = np.arange(steps + 1)
    for method in METHODS:
        ours, theirs = forecast_loss(method, gauss, at), forecast_loss(method, exact, at)
        # Degree 2t <= 2K - 1 is exact; rounding grows with the polynomial's size only.
        np.testing.assert_allclose(ours[:steps], theirs[:steps], rtol=1e-12)
    if steps < 20:  # one step later it is not: the bound is sharp where nodes have not converged
        assert abs(ours[steps] / theirs[steps] - 1) > 1e-9


def test_the_largest_node_comes_with_a_true_bound(kernel):
    values, _, gram, start = kernel
    for steps in (2, 4, 8, 16):
        largest, bound = lanczos(lambda v: gram @ v, start, steps).largest
        assert np.abs(values - largest).min() <= bound * (1 + 1e-9) + 1e-14


def test_a_start_in_three_modes_ends_after_three_products(kernel):
    values, basis, gram, _ = kernel
    start = basis[:, [5, 40, 79]] @ np.array([1.0, 2.0, 3.0])
    found = lanczos(lambda v: gram @ v, start, 30)
    assert found.steps == 3
    assert found.measure().proven is None
    np.testing.assert_allclose(found.measure().nodes, values[[5, 40, 79]], rtol=1e-9)
    np.testing.assert_allclose(found.measure().weights, [1, 4, 9], rtol=1e-9)


def test_going_on_gives_what_one_run_gives(kernel):
    *_, gram, start = kernel
    whole = lanczos(lambda v: gram @ v, start, 12)
    half = lanczos(lambda v: gram @ v, start, 7)
    again = lanczos(lambda v: gram @ v, start, 12, resume=half)
    np.testing.assert_allclose(again.diagonal, whole.diagonal, rtol=1e-12)
    np.testing.assert_allclose(again.off_diagonal, whole.off_diagonal, rtol=1e-12)
    np.testing.assert_array_equal(half.measure().nodes, whole.measure(7).nodes)


def test_all_modes_give_the_whole_measure(kernel):
    values, basis, gram, start = kernel
    found = lanczos(lambda v: gram @ v, start, 200).measure()
    assert (len(found.nodes), found.proven) == (80, None)
    np.testing.assert_allclose(found.nodes, values, rtol=1e-9)
    np.testing.assert_allclose(found.weights, (basis.T @ start) ** 2, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("start", [np.zeros(4), np.full(4, np.nan)])
def test_a_start_without_direction_is_refused(start):
    with pytest.raises(InvalidInput, match="the residual at the start"):
        lanczos(lambda v: v, start, 2)


def test_a_product_that_is_not_finite_is_refused():
    with pytest.raises(InvalidInput, match="a product with the kernel is not finite"):
        lanczos(lambda v: v * np.inf, np.ones(4), 2)
