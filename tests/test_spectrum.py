"""The ends of a spectrum against the full decomposition, and the basis against its definition."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from helpers import unit_inputs
from inertial import InvalidInput, decompose, extremes, infinite_gram
from inertial.problem import spectrum


@pytest.fixture(params=[4, 10**6], ids=["lanczos", "dense"], autouse=True, scope="module")
def route(request):
    """Every test runs on both routes to the ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectrum, "_DENSE_BELOW", request.param)
        yield request.param


def with_spectrum(rng, eigenvalues):
    basis, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    return (basis * eigenvalues) @ basis.T


@given(st.integers(2, 150), st.integers(0, 2**31), st.floats(1.0, 8.0))
def test_both_ends_are_those_of_the_full_decomposition(n, seed, decades):
    rng = np.random.default_rng(seed)
    gram = with_spectrum(rng, np.geomspace(10**-decades, 1.0, n))
    gram = (gram + gram.T) / 2
    full, ends = scipy.linalg.eigvalsh(gram), extremes(gram)
    # Both sides err by a few n eps of the largest eigenvalue, 1.
    bound = 8 * n * np.finfo(float).eps
    assert abs(ends.smallest - full[0]) <= bound + ends.smallest_error
    assert abs(ends.largest - full[-1]) <= bound + ends.largest_error
    # The condition number times the rounding of a product with the matrix, or Lanczos' own stop.
    assert ends.smallest_error <= 1e-6 * ends.smallest + bound
    assert ends.condition_number == pytest.approx(full[-1] / full[0], rel=1e-6)


def test_the_stated_error_bounds_the_true_one(rng):
    eigenvalues = np.geomspace(1e-4, 10.0, 200)
    ends = extremes(with_spectrum(rng, eigenvalues))
    rounding = 200 * np.finfo(float).eps * 10
    assert abs(ends.smallest - eigenvalues[0]) <= ends.smallest_error + rounding
    assert abs(ends.largest - eigenvalues[-1]) <= ends.largest_error + rounding


@pytest.mark.parametrize("n", [20, 100])
def test_a_repeated_row_makes_the_kernel_singular(rng, n):
    x = unit_inputs(rng, n, 5)
    x[-1] = x[0]
    ends = extremes(infinite_gram(x))
    assert ends.singular
    assert ends.condition_number == np.inf


def test_modes_and_residuals_are_inverse_and_diagonalise(rng):
    gram = infinite_gram(unit_inputs(rng, 30, 6))
    full = decompose(gram)
    residual = rng.standard_normal((4, 30))
    np.testing.assert_allclose(full.residual(full.modes(residual)), residual, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        full.modes(residual @ gram), full.eigenvalues * full.modes(residual), rtol=0, atol=1e-12
    )
    assert (np.diff(full.eigenvalues) >= 0).all()


def test_nan_is_refused(rng):
    gram = with_spectrum(rng, np.ones(70))
    gram[3, 4] = np.nan
    for solve in (extremes, decompose):
        with pytest.raises(InvalidInput, match="NaN"):
            solve(gram)
