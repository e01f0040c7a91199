"""The lower bound against least squares over Krylov spaces, and against schedules of all kinds."""

import mpmath
import numpy as np
import pytest

from inertial import (
    InvalidInput,
    Measure,
    Recursion,
    chebyshev,
    forecast_loss,
    heavy_ball,
    nesterov,
)
from inertial.linear.lanczos import lanczos
from inertial.linear.measure import RESOLUTION
from inertial.method.bound import (
    fewest_steps,
    lower_bound,
    said_of_zero,
    unreachable_share,
)
from inertial.theory.catalog.best_possible import least_shares, scheduled_shares, steps_seen


@pytest.fixture
def measure(rng):
    return Measure(np.sort(10 ** rng.uniform(-3, 0, 60)), rng.exponential(size=60))


def least_squares(nodes, weights, steps, digits=80):
    """Least ``1/2 sum w p(l)^2`` over polynomials of degree t with p(0) = 1, in many digits."""
    with mpmath.workdps(digits):
        l, w = ([mpmath.mpf(float(v)) for v in part] for part in (nodes, weights))
        losses = [mpmath.fsum(w) / 2]
        for t in range(1, steps + 1):
            moments = [
                mpmath.fsum(b * a**k for a, b in zip(l, w, strict=True)) for k in range(2 * t + 1)
            ]
            system = mpmath.matrix(t, t)
            right = mpmath.matrix(t, 1)
            for i in range(t):
                right[i] = -moments[i + 1]
                for j in range(t):
                    system[i, j] = moments[i + j + 2]
            c = mpmath.lu_solve(system, right)
            value = moments[0] + mpmath.fsum(c[i] * moments[i + 1] for i in range(t))
            losses.append(value / 2)
        return np.array([float(v) for v in losses])


def test_equals_least_squares_over_krylov_spaces(measure):
    exact = least_squares(measure.nodes, measure.weights, 14)
    found = lower_bound(measure, 14)
    # Three-term recurrences lose digits as the sum grows; the error that is claimed covers it.
    np.testing.assert_allclose(found.loss, exact, rtol=1e-10)
    assert (found.certain <= exact * (1 + 1e-15)).all()
    assert (found.error >= 0).all()


def test_no_schedule_gets_below(measure, rng):
    """Constants, Chebyshev and 300 random schedules, good and bad."""
    steps = np.arange(41)
    bound = lower_bound(measure, 40).certain
    methods = [chebyshev(measure.smallest, measure.largest, steps=40)]
    for _ in range(300):
        eta = rng.uniform(0, 2.2, 40) / measure.largest
        methods.append(Recursion(tuple(eta), tuple(rng.uniform(0, 1, 40))))
    methods += [m(s, b) for m in (heavy_ball, nesterov) for s in (0.3, 1) for b in (0.5, 0.9)]
    for method in methods:
        assert (forecast_loss(method, measure, steps) >= bound * (1 - 1e-14)).all()


def test_conjugate_gradients_attain_it(measure):
    """Least squares by conjugate gradients on ``H x = xi`` in the norm of the residual (MINRES)."""
    nodes, residual = measure.nodes, np.sqrt(measure.weights)
    direction, losses = residual.copy(), [0.5 * residual @ residual]
    for _ in range(12):
        image = nodes * direction
        gram = residual @ (nodes * residual)
        step = gram / (image @ image)
        residual = residual - step * image
        direction = residual + residual @ (nodes * residual) / gram * direction
        losses.append(0.5 * residual @ residual)
    np.testing.assert_allclose(lower_bound(measure, 12).loss, losses, rtol=1e-8)


def test_a_gauss_rule_gives_the_same_bound_as_far_as_it_is_exact(rng):
    basis = np.linalg.qr(rng.standard_normal((50, 50)))[0]
    values = np.sort(10 ** rng.uniform(-3, 0, 50))
    start = rng.standard_normal(50)
    gauss = lanczos(lambda v: basis @ (values * (basis.T @ v)), start, 10).measure()
    exact = Measure(values, (basis.T @ start) ** 2)
    few, whole = lower_bound(gauss, 12).loss, lower_bound(exact, 12).loss
    np.testing.assert_allclose(few[:10], whole[:10], rtol=1e-9)
    assert (few[10:] == 0).all()


def test_the_error_covers_nodes_that_are_off(measure, rng):
    """Nodes moved anywhere within the resolution never bring the bound below the certain one."""
    resolution = 1e-4
    certain = lower_bound(measure, 20, resolution=resolution).certain
    for _ in range(50):
        moved = measure.nodes + resolution * measure.largest * rng.uniform(-1, 1, 60)
        order = np.argsort(moved)
        other = Measure(np.maximum(moved[order], 0), measure.weights[order])
        assert (lower_bound(other, 20).loss >= certain * (1 - 1e-9)).all()


@pytest.mark.parametrize("target", [0.3, 0.01, 1e-4])
def test_the_fewest_steps_are_the_first_below_the_target(measure, target):
    steps = fewest_steps(measure, target)
    bound = lower_bound(measure, 60).certain
    assert bound[steps] <= target * bound[0] < bound[steps - 1]


def test_two_nodes_take_two_steps():
    measure = Measure(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    # One step: eta = (1 + 3) / (1 + 9) leaves 1/2 ((1 - eta)^2 + (1 - 3 eta)^2) = 0.2.
    np.testing.assert_allclose(lower_bound(measure, 2).loss, [1.0, 0.2, 0.0], atol=1e-15)
    assert fewest_steps(measure, 0.19) == 2


def test_where_the_search_ends_there_is_no_number(measure):
    assert fewest_steps(measure, 1e-6, limit=3) is None
    # Beyond the first block of 64 steps: found at the limit, and not one step before it.
    slow = Measure(np.geomspace(1e-5, 1, 400), np.ones(400))
    steps = fewest_steps(slow, 1e-2)
    assert steps is not None
    assert steps > 64
    assert fewest_steps(slow, 1e-2, limit=steps) == steps
    assert fewest_steps(slow, 1e-2, limit=steps - 1) is None


@pytest.mark.parametrize("resolution", [-1e-9, 1.0, float("nan")])
def test_a_resolution_is_a_share(measure, resolution):
    with pytest.raises(InvalidInput, match="resolution is"):
        lower_bound(measure, 3, resolution=resolution)


def test_a_measure_needs_weight():
    with pytest.raises(InvalidInput, match="no weight"):
        lower_bound(Measure(np.ones(2), np.zeros(2)), 3)


def test_a_bound_below_the_smallest_double_is_0_without_a_warning():
    """On a factor of two it falls by 34 at each step: below 1e-308 after some 200 of them."""
    measure = Measure(np.linspace(1, 2, 300), np.ones(300))
    found = lower_bound(measure, 299)
    assert found.loss[-1] == 0
    assert (np.diff(found.loss) <= 0).all()
    # Chebyshev's rate on the interval, which 300 nodes fill well enough for a hundred steps.
    rate = ((2**0.5 - 1) / (2**0.5 + 1)) ** 2
    seen = found.loss[1:100]
    np.testing.assert_allclose(seen[1:] / seen[:-1], rate, rtol=0.2)


def test_what_lies_where_the_kernel_is_zero_stays():
    """A quarter of the weight at 0: the rest is gone in two steps, as without it."""
    measure = Measure(np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.75, 0.75]))
    rest = lower_bound(Measure(np.array([1.0, 3.0]), np.array([0.75, 0.75])), 3)
    found = lower_bound(measure, 3)
    np.testing.assert_allclose(found.loss, rest.loss + 0.25, rtol=1e-14)
    np.testing.assert_allclose(found.certain[2:], 0.25, rtol=1e-9)
    assert unreachable_share(measure) == 0.25
    np.testing.assert_allclose(found.loss[:2], least_squares(measure.nodes, measure.weights, 1))


@pytest.mark.parametrize(("target", "steps"), [(0.2501, 2), (0.2499, None)])
def test_a_target_below_what_stays_is_never_reached(target, steps):
    measure = Measure(np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.75, 0.75]))
    assert fewest_steps(measure, target) == steps


@pytest.mark.parametrize(("share", "stays"), [(0.9, 0.5), (1.1, 0.0)])
def test_a_node_within_the_resolution_counts_as_zero(share, stays):
    measure = Measure(np.array([share * RESOLUTION, 1.0]), np.ones(2))
    assert unreachable_share(measure) == stays
    assert lower_bound(measure, 5).certain[-1] == pytest.approx(stays, abs=1e-12)


def test_a_kernel_that_is_zero_moves_nothing():
    measure = Measure(np.zeros(2), np.ones(2))
    np.testing.assert_array_equal(lower_bound(measure, 3).certain, 1.0)
    assert unreachable_share(measure) == 1.0


def test_in_single_precision_a_node_near_zero_may_be_a_small_one():
    measure = Measure(np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.75, 0.75]))
    assert lower_bound(measure, 3, resolution=1e-6).certain[-1] == 0.0
    assert fewest_steps(measure, 0.2, resolution=1e-6) == 3


def test_what_is_never_reached_is_said_in_percent():
    assert said_of_zero(0.25, 0.25) is None
    assert said_of_zero(0.25, 0.01) == (
        "no gradient method reaches 1 % on the linearised model: 25 % of the loss at the start "
        "lies where its kernel is zero to within 1e-13 of its largest eigenvalue, and stays"
    )


def test_in_single_precision_a_target_may_be_out_of_reach_and_no_more():
    said = said_of_zero(0.442, 0.01, resolution=1e-6)
    assert said is not None
    assert said.startswith(
        "1 % may be out of reach of every gradient method on the linearised model: about 40 % of"
    )
    assert "about 100 % of" in str(said_of_zero(0.996, 0.01, resolution=1e-6))
    assert "12 % may be out" in str(said_of_zero(0.14, 0.12, resolution=1e-6))
    assert "model: about as much of the loss" in str(said_of_zero(0.14, 0.12, resolution=1e-6))
    assert "below 1e-06 of its largest eigenvalue" in said
    assert said_of_zero(0.25, 0.25, resolution=1e-6) is None


def test_a_resolution_of_nearly_all_leaves_nothing_certain(measure):
    assert (lower_bound(measure, 3, resolution=0.9).certain[1:] == 0).all()


@pytest.mark.parametrize(("steepest", "whole"), [(4.0, True), (200.0, False)])
def test_the_schedule_is_compared_as_far_as_rounding_lets_it_be_seen(steepest, whole):
    # One mode that is far steeper than the others, and has most of the loss, magnifies rounding.
    values, modes = np.append(np.geomspace(1e-3, 4, 39), 1.2 * steepest), np.ones(40)
    modes[-1] = steepest
    seen = steps_seen(values, modes)
    assert seen >= 4
    assert (seen == 8) == whole
    reached, _ = scheduled_shares(values, modes, seen)
    np.testing.assert_allclose(reached, least_shares(values, modes, seen), rtol=1e-6)
    # The bound covers what rounding did, and beyond the comparison it did harm.
    shares, rounding = scheduled_shares(values, modes, 8)
    gap = np.abs(shares - least_shares(values, modes, 8))
    assert np.all(gap <= rounding + 1e-15)
    assert (gap[-1] < 1e-6 * shares[-1]) == whole
