"""The log-determinant against the one of the whole matrix."""

import numpy as np
import pytest

from helpers import unit_inputs
from inertial import InvalidInput, infinite_gram, load, log_determinant


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_the_error_bar_covers_the_log_determinant(name):
    x = load(name, n=150).x
    exact = np.linalg.slogdet(infinite_gram(x))[1]
    misses = []
    for seed in range(3):
        value, error = log_determinant(x, seed=seed, steps=60)
        misses.append((value - exact) / error)
        assert error < 0.04 * abs(exact)
    # Student's t with 15 degrees of freedom is beyond 5 once in 6,000 draws.
    assert np.abs(misses).max() < 5
    assert np.abs(misses).max() > 0.1  # and the bars are not far too long


def test_more_probes_make_the_error_smaller_and_tiles_change_nothing(rng):
    x = unit_inputs(rng, 90, 6)
    few, many = (log_determinant(x, probes=p, steps=90) for p in (8, 128))
    assert 0.1 < many.error / few.error < 0.6
    assert log_determinant(x, steps=90, rows=17) == pytest.approx(
        log_determinant(x, steps=90, rows=64), rel=1e-9
    )


def test_single_precision_tiles_leave_the_log_determinant(rng):
    x = unit_inputs(rng, 90, 6)
    value, error = log_determinant(x, precision="float32")
    assert 0 < abs(value - log_determinant(x).value) < 0.01 * error


def test_a_single_probe_has_no_error(rng):
    with pytest.raises(InvalidInput, match="probes is 1"):
        log_determinant(unit_inputs(rng, 9, 3), probes=1)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_singular_kernel_has_no_log_determinant_and_the_remedy_gives_one(rng, precision):
    x = rng.standard_normal((60, 5))
    x[1] = 3 * x[0]
    with pytest.raises(InvalidInput, match=rf"singular in {precision}.*multiples of others"):
        log_determinant(x, steps=60, precision=precision)
    assert np.isfinite(
        log_determinant(np.delete(x, 1, axis=0), steps=60, precision=precision)
    ).all()
