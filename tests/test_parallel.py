from itertools import combinations
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inertial.data.parallel import antiparallel_rows, parallel_rows, unit_rows
from inertial.linear.kernel import infinite_gram
from inertial.linear.spectrum import decompose


@st.composite
def scaled_integer_rows(draw):
    """Integer rows, each times a positive number: their directions are known exactly."""
    d = draw(st.integers(1, 4))
    row = st.lists(st.integers(-4, 4), min_size=d, max_size=d)
    rows = draw(st.lists(row, min_size=1, max_size=12))
    factor = st.floats(1e-3, 1e3) | st.sampled_from([1.0, 1e-150, 1e200])
    factors = draw(st.lists(factor, min_size=len(rows), max_size=len(rows)))
    return rows, np.array(rows, dtype=float) * np.array(factors)[:, None]


def direction(row):
    return tuple(v // (gcd(*row) or 1) for v in row)


def opposite(row):
    return tuple(-v for v in direction(row))


def earliest_pairs(rows, same):
    pairs = {}
    for i, j in combinations(range(len(rows)), 2):
        if same(rows[i], rows[j]):
            pairs.setdefault(j, i)
    return [(i, j) for j, i in sorted(pairs.items())]


@given(scaled_integer_rows())
def test_parallel_rows_are_the_positive_multiples(case):
    rows, x = case
    expected = earliest_pairs(rows, lambda a, b: direction(a) == direction(b))
    assert parallel_rows(x) == expected


@given(scaled_integer_rows())
def test_antiparallel_rows_are_the_negative_multiples(case):
    rows, x = case
    expected = earliest_pairs(rows, lambda a, b: any(a) and opposite(a) == direction(b))
    assert antiparallel_rows(x) == expected


@given(scaled_integer_rows())
def test_nothing_is_left_to_drop_after_dropping(case):
    _, x = case
    left = np.delete(x, [j for _, j in parallel_rows(x)], axis=0)
    assert parallel_rows(left) == []


@given(scaled_integer_rows())
def test_unit_rows_have_norm_one_or_are_zero(case):
    rows, x = case
    norms = np.linalg.norm(unit_rows(x), axis=1)
    expected = [1.0 if any(row) else 0.0 for row in rows]
    # Three roundings: of the sum of squares, its root and the quotient.
    np.testing.assert_allclose(norms, expected, rtol=0, atol=1e-15)


def test_multiples_are_found_among_many_long_rows():
    generator = np.random.default_rng(1)
    x = generator.uniform(0, 1, size=(3000, 784))
    x[2500] = 0.1 * x[17]
    x[2999] = 3.7 * x[17]
    x[1234] = -np.pi * x[5]
    assert parallel_rows(x) == [(17, 2500), (17, 2999)]
    assert antiparallel_rows(x) == [(5, 1234)]


@pytest.mark.parametrize(("angle", "found"), [(1e-15, True), (1e-6, False)])
def test_the_tolerance_is_rounding_of_unit_vectors(angle, found):
    # In two dimensions 8 sqrt(2) machine epsilons, about 2.5e-15.
    x = np.array([[1.0, 0.0], [1.0, angle]])
    assert bool(parallel_rows(x)) == found
    assert bool(antiparallel_rows(x * [[1.0], [-1.0]])) == found


def test_a_wider_tolerance_can_be_given():
    x = np.array([[1.0, 0.0], [1.0, 1e-8]])
    assert parallel_rows(x, tolerance=2e-8) == [(0, 1)]
    assert parallel_rows(x, tolerance=5e-9) == []


def test_equal_rows_stay_cheap_at_any_number():
    # One pair a row: ten thousand equal rows have fifty million pairs.
    x = np.ones((10_000, 2))
    assert parallel_rows(x) == [(0, j) for j in range(1, 10_000)]
    x[5_000:] *= -1
    assert antiparallel_rows(x) == [(0, j) for j in range(5_000, 10_000)]


@pytest.mark.parametrize("n", [2, 10, 60])
def test_rows_that_are_kept_apart_are_apart_for_the_kernel(n):
    # The least the default tells apart, as its docstring says; both sides of it.
    limit = max(np.pi * n**2, n / 2 + 8) * np.finfo(float).eps
    x = np.eye(n)
    x[1] = x[0]
    for share, found in ((0.5, True), (4, False)):
        x[1, -1] = share * limit
        assert parallel_rows(x) == ([(0, 1)] if found else [])
    assert not decompose(infinite_gram(x)).extremes.singular
