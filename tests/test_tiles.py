"""Tiled products against the whole matrices, at every tile size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inertial import infinite_gram, output_covariance
from inertial.linear.kernel import TiledKernel


@given(st.integers(2, 60), st.integers(1, 8), st.integers(1, 70), st.integers(0, 2**31))
def test_tiles_of_any_size_multiply_as_the_whole_does(n, d, rows, seed):
    rng = np.random.default_rng(seed)
    x, block = rng.standard_normal((n, d)), rng.standard_normal((n, 3))
    x[n // 2] = -2 * x[0] + 1e-9 * x[n // 2]  # an angle that a cosine does not see
    gram, spread = infinite_gram(x), output_covariance(x)
    size = float(np.sum(x**2)) * np.linalg.norm(block)
    for precision, rounding in (("float64", 1e-14), ("float32", 2e-6)):
        kernel = TiledKernel(x, precision, rows)
        np.testing.assert_allclose(
            kernel.product(block), gram @ block, rtol=0, atol=rounding * size
        )
        np.testing.assert_allclose(
            kernel.spread(block),
            np.einsum("ik,ij,jk->k", block, spread, block),
            rtol=0,
            atol=rounding * size * np.linalg.norm(block),
        )
        assert kernel.trace == pytest.approx(np.trace(gram), rel=1e-14)


def test_single_precision_tiles_are_that_precise_and_no_more(rng):
    x, block = rng.standard_normal((90, 5)), rng.standard_normal((90, 2))
    exact = TiledKernel(x, "float64").product(block)
    gap = np.abs(TiledKernel(x, "float32").product(block) - exact).max() / np.abs(exact).max()
    assert 1e-9 < gap < 1e-5
