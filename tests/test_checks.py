"""Checks let good values through and name bad ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inertial._checks import InvalidInput, fraction, one_of, positive, unit_interval, whole


@given(st.floats(min_value=1e-300, allow_infinity=False, allow_nan=False))
def test_positive_numbers_pass(value):
    assert positive("eta", value) == value


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_other_numbers_do_not(value):
    with pytest.raises(InvalidInput, match=f"eta is {value}"):
        positive("eta", value)


def test_intervals_are_sharp():
    assert unit_interval("beta", 0.0) == 0.0
    assert fraction("target", 1e-9) == 1e-9
    for bad in (1.0, -1e-9, float("nan")):
        with pytest.raises(InvalidInput):
            unit_interval("beta", bad)
    for bad in (0.0, 1.0, float("nan")):
        with pytest.raises(InvalidInput):
            fraction("target", bad)


def test_whole_numbers_have_a_least_one():
    assert whole("n", 2, least=2) == 2
    with pytest.raises(InvalidInput, match="n is 1; give a whole number of at least 2"):
        whole("n", 1, least=2)


def test_the_nearest_choice_is_named():
    assert one_of("rule", "paper", ("paper", "quadratic")) == "paper"
    with pytest.raises(InvalidInput, match="did you mean 'paper'"):
        one_of("rule", "papers", ("paper", "quadratic"))
