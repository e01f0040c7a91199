"""What modes are in terms of the inputs: planted patterns are found again."""

import dataclasses

import numpy as np
import pytest

from inertial import load
from inertial.linear.expected import spectrum_of
from inertial.runs.meanings import meanings


@pytest.fixture(scope="module")
def digits():
    return load("digits", n=60)


def test_a_pattern_is_the_inputs_weighed_by_the_eigenvector(digits):
    spectrum, measure = spectrum_of(digits)
    for one in meanings(digits, spectrum, measure.weights):
        pattern = digits.x.T @ spectrum.basis[:, one.place]
        pattern /= np.linalg.norm(pattern)
        assert one.eigenvalue == spectrum.eigenvalues[one.place]
        np.testing.assert_allclose(one.share, measure.weights[one.place] / measure.total)
        picture = pattern.reshape(8, 8) / np.abs(pattern).max()
        # The strongest entry is positive, whichever sign the eigenvector came with.
        sign = np.sign(pattern[np.argmax(np.abs(pattern))])
        np.testing.assert_allclose(one.picture, sign * picture, atol=1e-12)
        assert np.max(one.picture) == 1


def test_the_heaviest_modes_and_both_ends_are_described(digits):
    spectrum, measure = spectrum_of(digits)
    places = [one.place for one in meanings(digits, spectrum, measure.weights, most=7)]
    assert places == sorted(set(places))
    assert {0, 59, *np.argsort(-measure.weights)[:5]} == set(places)


def test_examples_at_both_ends_are_of_the_classes_that_a_mode_separates(digits):
    spectrum, measure = spectrum_of(digits)
    found = meanings(digits, spectrum, measure.weights)
    heaviest = max(found, key=lambda one: one.share)
    vector = spectrum.basis[:, heaviest.place]
    ends = digits.y[[np.argmin(vector), np.argmax(vector)]]
    assert ends[0] * ends[1] == -1
    assert heaviest.low.shape == heaviest.high.shape == (2, 8, 8)
    assert heaviest.low.min() == heaviest.high.min() == 0
    assert heaviest.low.max() == heaviest.high.max() == 1


def test_a_column_that_decides_the_kernel_is_named_first(rng):
    """One column ten times as large as the others is what the largest modes are made of."""
    x = rng.standard_normal((40, 5)) * [1, 1, 10, 1, 1]
    table = load("diabetes", n=40)
    facts = dataclasses.replace(table.provenance, d=5)
    data = dataclasses.replace(table, x=x, provenance=facts, columns=("a", "b", "mass", "4", "5"))
    spectrum, measure = spectrum_of(data)
    steepest = meanings(data, spectrum, measure.weights)[-1]
    assert steepest.picture is None
    name, value = steepest.columns[0]
    assert name == "mass"
    assert value > 0.9
    assert {other for other, _ in steepest.columns} == {"a", "b", "mass", "column 4", "column 5"}
