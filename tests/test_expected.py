"""The expected measure against Monte Carlo, and the words for a singular kernel."""

import numpy as np
import pytest

from helpers import unit_inputs
from inertial import (
    InvalidInput,
    TwoLayerReLU,
    decompose,
    infinite_gram,
    initial_residual,
    load,
    measure_of,
    spectrum_of,
)
from inertial.linear.expected import expected_weights, singular_reason
from inertial.linear.kernel import output_covariance


def test_expected_weights_are_means_over_random_starts(rng):
    x, y = unit_inputs(rng, 8, 3), rng.standard_normal(8)
    spectrum = decompose(infinite_gram(x))
    weights = expected_weights(spectrum, y, output_covariance(x))
    draws = np.array(
        [
            spectrum.modes(initial_residual(TwoLayerReLU(40, 3), x, y, seed=s)) ** 2
            for s in range(600)
        ]
    )
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - weights) < 5 * error).all()
    assert weights.sum() == pytest.approx(0.5 * np.sum(x**2) + np.sum(y**2))


def test_repeated_rows_are_named_with_the_remedy(tmp_path, rng):
    x = unit_inputs(rng, 80, 4)
    x[7], x[60] = 2 * x[3], x[3]
    np.savez(tmp_path / "own.npz", x=x, y=rng.standard_normal(80))
    data = load(tmp_path / "own.npz")
    for study in (measure_of, spectrum_of):
        with pytest.raises(InvalidInput, match=r"\(4 and 8, 4 and 61; pairs: 2\); .*--dedupe"):
            study(data)
    assert measure_of(load(tmp_path / "own.npz", dedupe=True)).smallest > 0


def test_other_reasons_are_told_apart(rng):
    cross = np.array([[1.0, 0], [0, 1], [np.sqrt(0.5), np.sqrt(0.5)]])
    assert "antiparallel rows 1 and 4" in singular_reason(np.vstack([cross, -cross]))
    assert "nearly parallel" in singular_reason(unit_inputs(rng, 10, 3))
