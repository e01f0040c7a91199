"""Lyapunov functions: derivatives against differences, rates against brute force, violations."""

from functools import partial

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from inertial import amplification, heavy_ball, nesterov
from inertial._checks import InvalidInput
from inertial.method.flow import strongly_convex_momentum
from inertial.theory.lyapunov import (
    HEAVY_BALL_RATE,
    along_flow,
    along_iterates,
    heavy_ball_energy,
    high_resolution_heavy_ball_energy,
    high_resolution_nesterov_energy,
    nesterov_energy,
    nesterov_rate,
)

MU, LARGEST = 0.05, 1.0
EIGENVALUES = np.geomspace(MU, LARGEST, 9)
START = np.random.default_rng(2).standard_normal(9)
TIMES = np.linspace(0.0, 60.0, 400)
FUNCTIONS = [
    high_resolution_heavy_ball_energy(MU, 2 / LARGEST),
    high_resolution_nesterov_energy(MU, 2 / LARGEST),
    high_resolution_nesterov_energy(MU, 0.1),
    heavy_ball_energy(MU),
    nesterov_energy(),
    nesterov_energy(2.0),
    nesterov_energy(9.0),
]
RISING = [nesterov_energy(9.0, 6.0), nesterov_energy(7.5, 4.5)]


@pytest.mark.parametrize("function", FUNCTIONS + RISING)
def test_the_derivative_is_that_of_the_value_along_the_flow(function):
    times, step = np.linspace(0.5, 30.0, 60), 1e-4
    exact = along_flow(function, EIGENVALUES, START, times)
    before, after = (
        along_flow(function, EIGENVALUES, START, times + side).value for side in (-step, step)
    )
    # Central difference: error step^2 V'''/6, about 1e-8 of V on modes up to 1, plus eps V / step.
    np.testing.assert_allclose(
        exact.derivative, (after - before) / (2 * step), rtol=0, atol=1e-7 * exact.value.max()
    )


@pytest.mark.parametrize("function", FUNCTIONS + RISING)
@given(st.floats(0.01, 5.0), st.floats(-2, 2), st.floats(-2, 2), st.floats(0.5, 9.0))
def test_the_derivative_is_exact_for_every_state(function, l, D, E, t):
    # The chain rule with E' from the family's equation; V is quadratic in (D, E), so that central
    # differences with a step of 1 are exact in them, and a small one is used in t only.
    flow = function.flow
    friction = flow.friction + flow.vanishing_friction / t + flow.hessian_friction * l
    acceleration = -friction * E - flow.force * l * D

    def value(t, D, E):
        return float(
            function.value(*(np.full((1, 1), t), np.full(1, l), *np.array([[[D]], [[E]]])))[0, 0]
        )

    along_D = (value(t, D + 1, E) - value(t, D - 1, E)) / 2
    along_E = (value(t, D, E + 1) - value(t, D, E - 1)) / 2
    along_t = (value(t + 1e-5, D, E) - value(t - 1e-5, D, E)) / 2e-5
    found = function.derivative(np.full((1, 1), t), np.full(1, l), *np.array([[[D]], [[E]]]))[0, 0]
    size = value(t, abs(D) + 1, abs(E) + 1)
    # eps V / 1e-5 from the difference in t.
    assert found == pytest.approx(along_D * E + along_E * acceleration + along_t, abs=1e-9 * size)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_claimed_rate_holds_along_the_flow(function):
    descent = along_flow(function, EIGENVALUES, START, TIMES)
    assert descent.first_violation is None
    assert (descent.value <= descent.value[0] * np.exp(-function.rate * TIMES) * (1 + 1e-12)).all()


@pytest.mark.parametrize("function", RISING)
def test_with_a_larger_exponent_the_function_rises(function):
    descent = along_flow(function, EIGENVALUES, START, TIMES[1:])
    assert descent.first_violation is not None
    assert (np.diff(descent.value) > 0).any()


def test_vanishing_friction_needs_d_of_two():
    below = along_flow(nesterov_energy(1.9), EIGENVALUES, START, TIMES)
    assert below.first_violation == TIMES[1]
    assert along_flow(nesterov_energy(2.0), EIGENVALUES, START, TIMES).first_violation is None


def test_the_rate_of_the_heavy_ball_energy_is_attained_at_its_smallest_mode():
    function = heavy_ball_energy(MU)
    at_mu = along_flow(function, np.array([MU]), np.ones(1), np.zeros(1))
    assert at_mu.derivative[0] == pytest.approx(at_mu.bound[0], rel=1e-14)
    assert at_mu.first_violation is None
    # A mode below mu breaks it, one above has room.
    below = along_flow(function, np.array([0.99 * MU]), np.ones(1), np.zeros(1))
    assert below.first_violation == 0.0
    above = along_flow(function, np.array([1.01 * MU]), np.ones(1), np.zeros(1))
    assert above.derivative[0] < above.bound[0]


def test_heavy_ball_rate_is_the_sources_max_min():
    def least(parameters):
        phi, z = parameters
        return -min(2 * z, 4 / (2 + 1 / phi), (1 - z) / (1 + phi))

    best = min(
        scipy.optimize.minimize(least, start, method="Nelder-Mead", options={"xatol": 1e-10}).fun
        for start in ([0.1, 0.2], [0.3, 0.4], [1.0, 0.5])
    )
    assert -best == pytest.approx(HEAVY_BALL_RATE, abs=1e-6)  # the search's own accuracy


@given(st.floats(0.0, 0.5))
def test_nesterov_rate_is_the_sources_max_min(alpha):
    # One function rises in phi and two fall: a fine grid brackets the maximum.
    phi = np.geomspace(1e-2, 10.0, 400_001)
    bounds = [2 / (3 + 2 * phi), 4 * (1 + alpha) / (2 + 1 / phi), 4 / (1 + phi)]
    brute = np.minimum.reduce(bounds).max()
    # Slopes are below 4 and the grid's spacing near the maximum 0.2 is 4e-6.
    assert nesterov_rate(alpha) == pytest.approx(brute, abs=2e-5)
    assert HEAVY_BALL_RATE <= nesterov_rate(alpha) <= (11 - np.sqrt(73)) / 4 + 1e-15


def test_the_rates_leave_room_for_every_state_and_no_more_than_the_best_constant():
    # The best constant of each mode is a generalised eigenvalue of the two forms on (D, E).
    basis = np.eye(2)

    def matrix(form, l):
        def at(u):
            return form(np.ones((1, 1)), np.full(1, l), *np.reshape(u, (2, 1, 1)))[0, 0]

        cross = (at(basis[0] + basis[1]) - at(basis[0]) - at(basis[1])) / 2
        return np.array([[at(basis[0]), cross], [cross, at(basis[1])]])

    for function in FUNCTIONS[:4]:
        best = min(
            scipy.linalg.eigh(
                -matrix(function.derivative, l), matrix(function.value, l), eigvals_only=True
            )[0]
            for l in np.geomspace(MU, LARGEST, 200)
        )
        assert best >= function.rate * (1 - 1e-12)
        assert best <= 2 * np.sqrt(MU)


def test_nesterov_rate_refuses_a_step_beyond_its_range():
    with pytest.raises(InvalidInput, match="alpha"):
        nesterov_rate(0.51)
    with pytest.raises(InvalidInput, match="exponent"):
        nesterov_energy(3.0, 6.0)


@pytest.mark.parametrize(
    ("make", "function"),
    [
        (heavy_ball, heavy_ball_energy(MU)),
        # From `zero` the first step is twice as long, and the first quotient with it.
        (partial(nesterov, start="copy"), heavy_ball_energy(MU)),
    ],
)
def test_along_iterates_value_and_quotient_converge_to_the_flow(make, function):
    errors = []
    for eta in (1e-4, 2.5e-5):
        steps = np.arange(round(5 / np.sqrt(eta)))
        method = make(eta, strongly_convex_momentum(MU, eta))
        modes = START * amplification(method, EIGENVALUES, steps)
        discrete = along_iterates(function, EIGENVALUES, modes, eta)
        flow = along_flow(function, EIGENVALUES, START, discrete.times)
        errors.append(
            [
                np.abs(discrete.value - flow.value).max(),
                np.abs(discrete.derivative - flow.derivative).max(),
                np.abs(discrete.bound - flow.bound).max(),
            ]
        )
    # First order in sqrt(eta), which is halved: between 1/2 -+ 0.1.
    ratio = np.array(errors[1]) / errors[0]
    assert ((ratio > 0.4) & (ratio < 0.6)).all()


def test_an_unstable_method_is_caught_at_its_first_rise():
    eta = 3.9  # heavy ball with this momentum is stable below 2 (1 + beta) / lambda_max = 2.6
    method = heavy_ball(eta, 0.3)
    modes = START * amplification(method, EIGENVALUES, np.arange(12))
    descent = along_iterates(heavy_ball_energy(MU), EIGENVALUES, modes, eta)
    first = np.flatnonzero(descent.derivative > descent.bound)[0]
    assert descent.first_violation == descent.times[first]
    assert descent.value[-1] > descent.value[0]


def test_iterates_need_two_of_them():
    with pytest.raises(InvalidInput, match="iterates"):
        along_iterates(heavy_ball_energy(MU), EIGENVALUES, START[None], 0.1)


def test_value_is_the_stated_form_outside_the_eigenbasis(rng):
    H = np.diag(EIGENVALUES)
    rotation = np.linalg.qr(rng.standard_normal((9, 9)))[0]
    H, D, E = rotation @ H @ rotation.T, rotation @ START, rotation @ START[::-1]
    s, where = 0.1, (np.full((1, 1), 3.0), EIGENVALUES, START[None], START[None, ::-1])
    c, pseudo = 1 + np.sqrt(MU * s), D @ H @ D / 2
    expected = {
        high_resolution_heavy_ball_energy(MU, s): c * pseudo
        + (E @ E + np.sum((E + 2 * np.sqrt(MU) * D) ** 2)) / 4,
        high_resolution_nesterov_energy(MU, s): c * pseudo
        + (E @ E + np.sum((E + 2 * np.sqrt(MU) * D + np.sqrt(s) * H @ D) ** 2)) / 4,
        heavy_ball_energy(MU): pseudo + np.sum((np.sqrt(MU) * D + E) ** 2) / 2,
        nesterov_energy(6.0, 3.5): 3.0**3.5 * pseudo
        + 8.5**2 * 3.0**1.5 / 8 * np.sum((D + 6 / 8.5 * E) ** 2),
    }
    for function, value in expected.items():
        assert function.value(*where).sum() == pytest.approx(value, rel=1e-12)
