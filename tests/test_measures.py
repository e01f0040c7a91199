"""Windows, envelopes and errors are what they are said to be."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from inertial import Trust
from inertial.runs.measures import (
    envelope,
    last_mean,
    misses,
    partly_at,
    rings_back,
    stays_from,
    trusted,
    window,
    windowed,
)


def of_length(steps):
    return xr.Dataset(coords={"step": np.arange(steps + 1)})


@pytest.mark.parametrize(("steps", "count"), [(6, 1), (100, 7), (300, 21), (1000, 67)])
def test_the_window_is_odd_and_a_fifteenth_of_the_run(steps, count):
    assert window(of_length(steps)) == count
    assert count % 2 == 1
    assert abs(count - steps / 15) <= 1


def test_a_swing_that_fits_the_window_is_averaged_out(rng):
    steps = np.arange(60)
    swing = np.cos(2 * np.pi * steps / 7)
    values = np.stack([5 + swing, 7 - swing])
    mean, low, high = windowed(values, 7)
    # Whole periods of a cosine sum to zero: 1e-12 for sums of seven numbers.
    np.testing.assert_allclose(mean[6:-3], 6, atol=1e-12)
    np.testing.assert_allclose(low[6:-3], values.min(), atol=1e-12)
    np.testing.assert_allclose(high[6:-3], values.max(), atol=1e-12)
    raw = rng.uniform(1, 2, (3, 40))
    mean, low, high = windowed(raw, 9)
    assert (low <= raw.min(0)).all()
    assert (high >= raw.max(0)).all()
    assert mean[20] == pytest.approx(raw[:, 16:25].mean())


def test_the_first_fall_is_not_blurred_and_the_end_looks_back():
    fall = np.array([[1000.0, 1, 1, 1, 1, 1, 1, 7]])
    mean, _, high = windowed(fall, 5)
    assert (mean[0], mean[1], mean[2]) == (1000, 1, 1)
    assert high[2] == 1
    assert mean[-1] == pytest.approx((1 + 1 + 1 + 1 + 7) / 5)


@pytest.mark.parametrize("steps", [6, 14, 100, 301])
def test_the_curve_ends_where_the_claims_look(rng, steps):
    raw, count = rng.uniform(1, 2, (3, steps + 1)), window(of_length(steps))
    mean, low, high = windowed(raw, count)
    compared = last_mean(xr.DataArray(raw, dims=("seed", "step")), count)
    # Means of the same numbers in another order: rounding.
    assert mean[-1] == pytest.approx(float(compared.mean()), rel=1e-14)
    assert (low[-1], high[-1]) == (raw[:, -count:].min(), raw[:, -count:].max())


LOW, HIGH = 0.05, 0.5
STAYS = [1, HIGH, *[LOW] * 20]
RINGS = [1, LOW, HIGH, LOW, LOW, HIGH, HIGH, *[LOW] * 8]


@pytest.mark.parametrize(
    ("predicted", "measured", "said"),
    [
        (10.0, 12.0, False),
        (10.0, 12.1, True),
        (10.0, 8.0, False),
        (10.0, 7.9, True),
        (3.0, 4.0, False),
        (3.0, 4.1, True),
        (None, 50.0, True),
        (None, None, False),
        (83.0, None, True),  # 99.6 of 100
        (84.0, None, False),  # it may be there at 100.8
    ],
)
def test_runs_depart_beyond_a_fifth_and_a_step(predicted, measured, said):
    assert misses(predicted, measured, 100) == said


def test_a_verdict_that_holds_says_where_runs_depart():
    holds = Trust(0.1, 2, 1.0, 100, "to 1 %", 20, "holds", "")
    doubted = dataclasses.replace(holds, verdict="departs")
    assert trusted(None, missed=True) == "–"
    assert [trusted(holds, missed=one) for one in (False, True)] == ["holds", "holds; runs depart"]
    assert trusted(doubted, missed=True) == "departs"


@pytest.mark.parametrize(
    ("starts", "rings", "stays"),
    [
        ([STAYS], False, 2),
        ([RINGS], True, 7),
        ([RINGS, STAYS[: len(RINGS)]], True, 7),
        ([RINGS, [*RINGS[:7], HIGH, *[LOW] * 7]], True, 8),
        ([RINGS, [*[1] * 9, *[LOW] * 6]], True, 9),  # the slowest does not ring, and counts too
        ([[*RINGS, HIGH]], True, None),
        ([STAYS, [*STAYS[:9], HIGH, *[LOW] * 12]], True, 10),
        ([STAYS[:4]], False, 2),
        ([RINGS, [1, *[HIGH] * 14]], True, None),  # one never gets there
        ([[1, *[HIGH] * 14]], False, None),
        ([[*RINGS[:7], 1e6, np.nan]], True, None),  # and is gone
    ],
)
def test_every_start_stays_from_the_step_after_the_last_above(starts, rings, stays):
    """Whether one rings back or is slow: what any start does above the target moves the step."""
    loss = xr.DataArray(
        np.array(starts, float),
        dims=("seed", "step"),
        coords={"step": 3 * np.arange(len(starts[0]))},
    )
    for scaled in (loss, loss * xr.DataArray([4.0, 9.0][: len(starts)], dims="seed")):
        assert rings_back(scaled, 0.1) == rings
        there = [min(start) <= LOW for start in starts]
        assert partly_at(scaled, 0.1) == (any(there) and not all(there))
        assert stays_from(scaled.transpose("step", "seed"), 0.1) == (
            None if stays is None else 3 * stays
        )


def test_the_last_mean_needs_a_run_that_got_there():
    loss = xr.DataArray([[4.0, 3, 2, 1], [4, 3, np.nan, np.nan]], dims=("seed", "step"))
    assert last_mean(loss, 3).values[0] == 2
    assert np.isnan(last_mean(loss, 3).values[1])


def test_the_envelope_is_the_least_falling_curve_above(rng):
    values = rng.uniform(size=50)
    upper = envelope(values)
    assert (np.diff(upper) <= 0).all()
    assert (upper >= values).all()
    touched = np.append(np.diff(upper) < 0, True)
    np.testing.assert_array_equal(upper[touched], values[touched])
