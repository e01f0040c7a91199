"""Checks let good values through and name bad ones."""

from decimal import Decimal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from inertial._checks import (
    InvalidInput,
    fraction,
    measurable,
    number,
    numbers,
    one_of,
    positive,
    random_key,
    significant,
    unit_interval,
    whole,
)


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
    with pytest.raises(InvalidInput, match=r"did you mean 'Preis \(Tsd. EUR\)'"):
        one_of("label", "preis", ("Zimmer", "Preis (Tsd. EUR)"))
    assert one_of("rule", "paper", ("paper", "quadratic")) == "paper"
    with pytest.raises(InvalidInput, match="did you mean 'paper'"):
        one_of("rule", "papers", ("paper", "quadratic"))


@given(st.floats(min_value=-1e12, max_value=1e12), st.integers(1, 4))
def test_numbers_are_written_with_the_digits_that_count_and_without_exponents(value, digits):
    text = significant(value, digits)
    assert float(text.replace(",", "")) == float(f"{value:.{digits}g}")
    assert "e+" not in text or abs(value) > 0.9e9
    assert [significant(x, 2) for x in (355.0, 1349.0, 0.123)] == ["360", "1,300", "0.12"]


@pytest.mark.parametrize(
    "value", ["0.5", b"1", True, np.True_, None, 1j, [0.5], np.array([0.5]), 10**400, object()]
)
def test_what_is_no_number_is_said_to_be_none(value):
    with pytest.raises(InvalidInput, match=r"eta is .*; give a number"):
        number("eta", value)


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.array(0.5), jnp.array(0.5), Decimal("0.5")]
)
def test_numbers_of_any_library_are_numbers(value):
    assert number("eta", value) == 0.5


@pytest.mark.parametrize(
    "value",
    [[1, 2], (1.0, 2.0), np.array([1, 2]), jnp.array([1.0, 2.0]), pd.Series([1, 2], dtype="Int64")],
)
def test_vectors_of_any_library_are_vectors(value):
    found = numbers("x", value, "n")
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "value",
    ["a", None, 3, ["a", "b"], [[1], [2, 3]], [1j, 2], [True, False], {1, 2}, [[1.0]], [np.nan],
     scipy.sparse.eye_array(2), pd.Series([1, None], dtype="Int64")],
)  # fmt: skip
def test_what_is_no_vector_of_numbers_is_said_to_be_none(value):
    with pytest.raises(InvalidInput, match=r"x (is a .*shape \(n,\)|holds NaN)"):
        numbers("x", value, "n")


def test_a_target_is_a_share_that_the_precision_shows():
    for precision, unit in (("float32", 2.0**-24), ("float64", 2.0**-53)):
        assert measurable(unit**2, precision, "") == unit**2
        for wrong in (0.99 * unit**2, 0.0, 1.0):
            with pytest.raises(InvalidInput):
                measurable(wrong, precision, "")


@pytest.mark.parametrize("array", [np.array([1j, 2]), np.array(["a", "b"]), np.array([True])])
def test_an_array_of_another_kind_is_told_by_its_kind(array):
    """Its shape is right, so that to name the shape alone would mislead."""
    with pytest.raises(InvalidInput, match=f"s holds {array.dtype}; give real numbers of shape"):
        numbers("s", array, "n")


@pytest.mark.parametrize("value", [0, None, np.zeros(2), jax.random.split(jax.random.key(0))])
def test_what_is_no_key_is_refused_with_what_makes_one(value):
    with pytest.raises(InvalidInput, match=r"^key is .+; give jax\.random\.key\(0\), or .+\.$"):
        random_key(value)


def test_keys_of_both_kinds_are_keys():
    random_key(jax.random.key(0))
    random_key(jax.random.PRNGKey(0))
