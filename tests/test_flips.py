"""The flippable sets against brute force over the ball, and the drift bound against real drift."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf
from scipy.stats import binom

from helpers import unit_inputs
from inertial._checks import InvalidInput
from inertial.linear.kernel import finite_gram
from inertial.problem import flips as module
from inertial.problem.flips import flippable, survey_flips


def scaled_inputs(rng, n, d):
    """Rows of different norms, so that a missing norm shows."""
    return unit_inputs(rng, n, d) * rng.uniform(0.3, 3.0, (n, 1))


def active(w, x):
    return w @ x.T >= 0


def in_the_ball(rng, w, radius):
    """Weights within `radius` of `w`: half of them on the sphere, half inside it."""
    step = rng.standard_normal(w.shape)
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    length = np.where(rng.random(len(w)) < 0.5, radius, radius * rng.random(len(w)))
    return w + step * length[:, None]


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 1, 20), (6, 3, 20), (3, 5, 1)]),
    radius=st.floats(0, 3),
)
def test_no_weights_in_the_ball_flip_a_neuron_outside_the_set(seed, shape, radius):
    n, d, m = shape
    rng = np.random.default_rng(seed)
    x, w = scaled_inputs(rng, n, d), rng.standard_normal((m, d))
    member = flippable(x, w, radius)
    for _ in range(50):
        flipped = (active(in_the_ball(rng, w, radius), x) != active(w, x)).T
        assert not (flipped & ~member).any()


@given(seed=st.integers(0, 2**32 - 1), d=st.sampled_from([1, 4]), radius=st.floats(0.01, 3))
def test_the_weights_nearest_to_the_other_side_flip_exactly_the_members(seed, d, radius):
    rng = np.random.default_rng(seed)
    x, w = scaled_inputs(rng, 6, d), rng.standard_normal((30, d))
    member = flippable(x, w, radius)
    assert member.shape == (6, 30)
    for i, sample in enumerate(x):
        against = np.where(active(w, sample[None])[:, 0], -1.0, 1.0)
        moved = w + radius * against[:, None] * sample / np.linalg.norm(sample)
        flipped = (active(moved, x) != active(w, x))[:, i]
        np.testing.assert_array_equal(flipped, member[i])


def test_the_ends_of_the_interval():
    """In one dimension w . x is w itself: -R flips (to 0, which is active), R does not (to 0)."""
    w = np.array([[-0.5], [np.nextafter(-0.5, -1)], [0.5], [np.nextafter(0.5, 0)]])
    assert flippable(np.array([[1.0]]), w, 0.5)[0].tolist() == [True, False, False, True]


def test_nothing_flips_in_a_ball_of_radius_zero(rng):
    x, w = scaled_inputs(rng, 5, 3), rng.standard_normal((40, 3))
    assert not flippable(x, np.vstack([w, np.zeros((1, 3))]), 0.0).any()


@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.01, 100))
def test_the_sets_do_not_depend_on_the_inputs_norms(seed, factor):
    rng = np.random.default_rng(seed)
    x, w = unit_inputs(rng, 5, 3), rng.standard_normal((40, 3))
    np.testing.assert_array_equal(flippable(factor * x, w, 0.4), flippable(x, w, 0.4))


@pytest.mark.parametrize("radius", [-0.1, math.nan, math.inf])
def test_a_radius_must_be_finite_and_not_negative(rng, radius):
    with pytest.raises(InvalidInput, match="radius is"):
        flippable(unit_inputs(rng, 2, 2), np.ones((3, 2)), radius)


def counts_over_starts(rng, x, m, radius, starts):
    """Counts of each start and sample: many independent starts are the rows of one matrix."""
    w = rng.standard_normal((starts * m, x.shape[1]))
    return flippable(x, w, radius).reshape(len(x), starts, m).sum(axis=2).T


def test_counts_are_binomial_with_the_stated_mean(rng):
    """Over starts, the count on one sample is Binomial(m, p) with m p = m erf(R / sqrt 2)."""
    m, radius, starts = 200, 0.3, 2000
    x = 2.5 * unit_inputs(rng, 1, 4)
    counts = counts_over_starts(rng, x, m, radius, starts)
    p = erf(radius / math.sqrt(2))
    # 4 standard errors of a mean and of a standard deviation: a chance of about 1e-4 each.
    deviation = binom.std(m, p)
    assert abs(counts.mean() - m * p) < 4 * deviation / math.sqrt(starts)
    assert abs(counts.std() / deviation - 1) < 4 / math.sqrt(2 * starts)


def test_published_count_limit_fails_no_more_often_than_it_may(rng):
    """m R = 3 leaves a chance of n exp(-3) = 0.25 of failure; an eighth of the limit fails more."""
    n, m, radius, starts = 5, 30, 0.1, 400
    x = unit_inputs(rng, n, 3)
    largest = counts_over_starts(rng, x, m, radius, starts).max(axis=1)
    allowed, limit = n * math.exp(-m * radius), 4 * m * radius
    assert np.mean(largest > limit) <= allowed
    assert np.mean(largest > limit / 8) > allowed


@pytest.mark.parametrize("rows", [512, 4])
def test_drift_bound_is_the_worst_case_over_the_sets(rng, rows, monkeypatch):
    """Blocks of 4 rows and one block give the norm of the matrix written out."""
    monkeypatch.setattr(module, "_BLOCK_ROWS", rows)
    x, w = scaled_inputs(rng, 11, 3), rng.standard_normal((60, 3))
    flips = survey_flips(x, w, 0.5)
    member = flippable(x, w, 0.5)
    either = np.array([[(a | b).sum() for a in member] for b in member])
    # 11 x 11 sums in float64.
    expected = np.linalg.norm(np.abs(x @ x.T) * either / 60)
    assert flips.kernel_drift == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(flips.counts, member.sum(axis=1))


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 20), (6, 20), (4, 1)]),
    radius=st.floats(0.01, 3),
)
def test_the_kernel_never_drifts_further_than_the_bound(seed, shape, radius):
    n, m = shape
    rng = np.random.default_rng(seed)
    x, w = scaled_inputs(rng, n, 3), rng.standard_normal((m, 3))
    bound, start = survey_flips(x, w, radius).kernel_drift, finite_gram(x, w)
    # Towards one sample at a time is where the flips are.
    candidates = [w + sign * radius * row / np.linalg.norm(row) for row in x for sign in (-1, 1)]
    candidates += [in_the_ball(rng, w, radius) for _ in range(20)]
    for moved in candidates:
        assert np.linalg.norm(finite_gram(x, moved) - start) <= bound * (1 + 1e-12)


def test_the_bound_is_reached_on_one_sample():
    """All neurons active and within reach: the kernel's only entry can fall from 1 to 0."""
    x, w = np.array([[1.0]]), np.full((7, 1), 0.5)
    drift = finite_gram(x, w) - finite_gram(x, w - 0.6)
    assert survey_flips(x, w, 0.6).kernel_drift == drift[0, 0] == 1.0


def test_published_drift_limit_holds_with_its_confidence(rng):
    """Here m R = 100 leaves a chance of n^2 exp(-10) = 0.5 %; 40 starts."""
    n, m, radius = 10, 1000, 0.1
    for _ in range(40):
        flips = survey_flips(unit_inputs(rng, n, 5), rng.standard_normal((m, 5)), radius)
        assert flips.kernel_drift <= 2 * n * radius
