"""Closed forms of the flows against matrix exponentials, Bessel functions, ODEs and iterates."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from inertial import amplification, gradient_descent, heavy_ball, nesterov, nesterov_varying
from inertial._checks import InvalidInput
from inertial.method.flow import (
    gradient_flow,
    heavy_ball_flow,
    high_resolution_convex_nesterov,
    high_resolution_heavy_ball,
    high_resolution_nesterov,
    nesterov_flow,
    newton_flow,
    started_like,
    strongly_convex_momentum,
)
from inertial.simulation.integrate import flow_loss, solve

MU, S = 0.05, 0.25
EIGENVALUES = np.array([0.0, 1e-9, 1e-3, 0.02, MU, 0.06, 0.5, 1.0, 4.0])
TIMES = np.array([7.5, 0.0, 0.3, 2.0, 40.0])
SECOND_ORDER = [
    heavy_ball_flow(MU),
    high_resolution_heavy_ball(MU, S),
    high_resolution_nesterov(MU, S),
    replace(high_resolution_nesterov(MU, S), initial_velocity=-0.7),
    replace(heavy_ball_flow(MU), friction=0.0),
    replace(heavy_ball_flow(MU), friction=1e4),
]


def by_exponential(flow, eigenvalue, time):
    """``exp(A t)`` on (value, velocity), without regard to the damping."""
    friction = flow.friction + flow.hessian_friction * eigenvalue
    matrix = np.array([[0.0, 1.0], [-flow.force * eigenvalue, -friction]])
    return scipy.linalg.expm(matrix * time) @ [1.0, flow.initial_velocity * eigenvalue]


@pytest.mark.parametrize("flow", SECOND_ORDER)
def test_constant_coefficients_are_the_matrix_exponential(flow):
    solution = solve(flow, EIGENVALUES, TIMES)
    expected = np.array([[by_exponential(flow, l, t) for l in EIGENVALUES] for t in TIMES])
    assert solution.closed_form
    # expm loses about eps |A t|: up to 1e-16 * 4e5 for friction 1e4.
    loose = 1e-9 if flow.friction > 1 else 1e-12
    np.testing.assert_allclose(solution.amplitude, expected[..., 0], rtol=0, atol=loose)
    np.testing.assert_allclose(solution.velocity, expected[..., 1], rtol=0, atol=loose)


@given(st.floats(-1e-6, 1e-6))
def test_nothing_is_lost_around_critical_damping(offset):
    # l = mu (1 + offset): within 1e-6 of critical, x = e^{-ht}(1 + ht) up to (wt)^2/2 <= 1e-6 * 8.
    flow, t = heavy_ball_flow(MU), np.array([0.0, 1.0, 20.0])
    x = solve(flow, np.array([MU * (1 + offset)]), t).amplitude[:, 0]
    damped = np.sqrt(MU) * t
    np.testing.assert_allclose(
        x, np.exp(-damped) * (1 + damped), rtol=0, atol=4e-6 * damped.max() ** 2
    )
    exact = solve(flow, np.array([MU]), t).amplitude[:, 0]
    np.testing.assert_allclose(exact, np.exp(-damped) * (1 + damped), rtol=1e-13)


def test_large_friction_keeps_the_slow_exponent():
    # x ~ e^{-l t / a}; computed as a difference h - sqrt(h^2 - l) it would have no digits left.
    flow = replace(heavy_ball_flow(MU), friction=1e8)
    x = solve(flow, np.array([1.0]), np.array([1e8]))
    assert x.amplitude[0, 0] == pytest.approx(np.exp(-1.0), rel=1e-12)
    assert x.velocity[0, 0] == pytest.approx(-1e-8 * np.exp(-1.0), rel=1e-12)


def test_first_order_flows_are_exponentials():
    t = np.array([0.0, 0.5, 3.0])
    gradient, newton = (solve(flow, EIGENVALUES, t) for flow in (gradient_flow(), newton_flow()))
    decay = np.exp(-np.outer(t, EIGENVALUES))
    np.testing.assert_allclose(gradient.amplitude, decay, rtol=1e-15)
    np.testing.assert_allclose(gradient.velocity, -EIGENVALUES * decay, rtol=1e-15)
    moving = EIGENVALUES > 0
    every = np.exp(-np.outer(t, moving))
    np.testing.assert_allclose(newton.amplitude, every, rtol=1e-15)
    np.testing.assert_allclose(newton.velocity, -(moving * every), rtol=1e-15)


def test_newton_flow_is_the_smallest_solution_of_its_equation(rng):
    """``w' = -(J'J)^+ J' r`` by the pseudo-inverse, J of rank 3 with 5 rows."""
    jacobian = rng.normal(size=(5, 3)) @ rng.normal(size=(3, 8))
    residual, times = rng.normal(size=5), np.array([0.0, 0.7, 5.0])
    gauss_newton = jacobian.T @ jacobian
    field = -jacobian @ np.linalg.pinv(gauss_newton, rcond=1e-10) @ jacobian.T
    expected = [0.5 * np.sum((scipy.linalg.expm(field * t) @ residual) ** 2) for t in times]
    # As computed, two eigenvalues of the kernel are zero up to rounding, of either sign.
    eigenvalues, basis = np.linalg.eigh(jacobian @ jacobian.T)
    weights = (basis.T @ residual) ** 2
    np.testing.assert_allclose(
        flow_loss(newton_flow(), eigenvalues, weights, times), expected, rtol=1e-9
    )
    # An eigenvalue that is small and known is not zero.
    loss = flow_loss(newton_flow(), np.array([1e-14, 1.0]), np.ones(2), np.array([5.0]))
    assert loss[0] == pytest.approx(np.exp(-10.0))


@given(st.floats(0.2, 12.0))
def test_vanishing_friction_is_a_bessel_function(d):
    t, nu = np.array([0.5, 3.0, 50.0]), (d - 1) / 2
    z = np.outer(t, np.sqrt(EIGENVALUES[4:]))
    solution = solve(nesterov_flow(d), EIGENVALUES[4:], t)
    scale = scipy.special.gamma(nu + 1) * (2 / z) ** nu
    # Phases up to z = 100 are known to 100 eps = 2e-14 in both; the scale is below 1e3 here.
    np.testing.assert_allclose(
        solution.amplitude, scale * scipy.special.jv(nu, z), rtol=0, atol=1e-11
    )
    slope = -np.sqrt(EIGENVALUES[4:]) * scale * scipy.special.jv(nu + 1, z)
    np.testing.assert_allclose(solution.velocity, slope, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("d", "closed"), [(2.0, np.sinc), (4.0, None)])
def test_even_friction_is_elementary(d, closed):
    z = np.array([0.1, 1.0, 7.0, 60.0])
    x = solve(nesterov_flow(d), np.ones(1), z).amplitude[:, 0]
    elementary = closed(z / np.pi) if closed else 3 * (np.sin(z) - z * np.cos(z)) / z**3
    # At z = 0.1 the second form loses 1/z^3 = 1e3 of its digits.
    np.testing.assert_allclose(x, elementary, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [1.5, 3.0, 6.0])
def test_the_loss_of_vanishing_friction_has_envelope_t_to_minus_d(d):
    t = np.concatenate([np.linspace(a, 1.2 * a, 2000) for a in (100.0, 1000.0)])
    amplitude = solve(nesterov_flow(d), np.ones(1), t).amplitude[:, 0]
    peaks = np.abs(t ** (d / 2) * amplitude).reshape(2, -1).max(axis=1)
    # Each interval holds maxima; the next term of the expansion is O(1/t^2), the grid's error less.
    assert peaks[1] == pytest.approx(peaks[0], rel=1e-3)


def general(flow, eigenvalue, times):
    """The same mode by SciPy from an early time, where three terms of the series suffice."""
    start = 1e-6
    v = -flow.vanishing_force * eigenvalue / flow.vanishing_friction

    def field(t, state):
        x, y = state
        a = flow.friction + flow.vanishing_friction / t + flow.hessian_friction * eigenvalue
        return [y, -a * y - (flow.force + flow.vanishing_force / t) * eigenvalue * x]

    solution = scipy.integrate.solve_ivp(
        field, (start, times.max()), [1 + v * start, v], "Radau", times, rtol=1e-9, atol=1e-11
    )
    return solution.y


def test_a_force_that_varies_is_integrated_to_the_stated_tolerance():
    flow, times = high_resolution_convex_nesterov(S), np.array([0.2, 1.0, 8.0])
    solution = solve(flow, np.array([0.05, 1.0, 4.0]), times)
    assert not solution.closed_form
    for mode, eigenvalue in enumerate([0.05, 1.0, 4.0]):
        value, velocity = general(flow, eigenvalue, times)
        # The reference itself, with relative tolerance 1e-9 and a start at 1e-6, is the limit.
        np.testing.assert_allclose(solution.amplitude[:, mode], value, rtol=0, atol=1e-6)
        np.testing.assert_allclose(solution.velocity[:, mode], velocity, rtol=0, atol=1e-6)


def test_the_convex_high_resolution_flow_is_nesterovs_to_first_order():
    """Shi, Du, Jordan and Su start it at 3 sqrt(s)/2; the plain d/t flow is half an order worse."""
    modes, distance = np.array([0.3, 1.0]), []
    for s in (1e-3, 1e-4):
        steps = np.arange(int(5 / np.sqrt(s)))
        iterates = amplification(nesterov_varying(s, 3.0), modes, steps)
        flow = solve(high_resolution_convex_nesterov(s), modes, (steps + 1.5) * np.sqrt(s))
        distance.append(np.abs(iterates - flow.amplitude).max())
    assert np.log10(distance[0] / distance[1]) == pytest.approx(1, abs=0.05)


def test_the_numerical_route_agrees_with_the_closed_form_where_both_apply():
    # A constant friction of 1e-300 changes nothing but sends the flow to the integrator.
    times = np.array([5.0, 0.0, 30.0, 5.0])
    exact = solve(nesterov_flow(), EIGENVALUES, times)
    numerical = solve(replace(nesterov_flow(), friction=1e-300), EIGENVALUES, times)
    assert exact.closed_form
    assert not numerical.closed_form
    # Local errors of 1e-10 over the few hundred steps of ten oscillations.
    np.testing.assert_allclose(numerical.amplitude, exact.amplitude, rtol=0, atol=2e-8)
    np.testing.assert_allclose(numerical.velocity, exact.velocity, rtol=0, atol=2e-8)


@given(st.floats(0.1, 10.0))
def test_rescaling_the_kernel_rescales_time(scale):
    # l -> scale l is t -> sqrt(scale) t for mass 1 if mu and 1/s scale along, scale t for mass 0.
    pairs = [
        (gradient_flow(), gradient_flow(), scale),
        (nesterov_flow(), nesterov_flow(), np.sqrt(scale)),
        (heavy_ball_flow(MU), heavy_ball_flow(scale * MU), np.sqrt(scale)),
        (
            high_resolution_nesterov(MU, S),
            high_resolution_nesterov(scale * MU, S / scale),
            np.sqrt(scale),
        ),
    ]
    for flow, scaled, speed in pairs:
        expected = solve(flow, EIGENVALUES, speed * TIMES).amplitude
        found = solve(scaled, scale * EIGENVALUES, TIMES).amplitude
        # Phases up to sqrt(40) * 40 carry an error of a few hundred eps.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_the_loss_sums_the_modes(rng):
    flow, weights = heavy_ball_flow(MU), rng.uniform(size=len(EIGENVALUES))
    expected = [
        0.5 * sum(w * by_exponential(flow, l, t)[0] ** 2 for w, l in zip(weights, EIGENVALUES))  # noqa: B905
        for t in TIMES
    ]
    np.testing.assert_allclose(flow_loss(flow, EIGENVALUES, weights, TIMES), expected, rtol=1e-12)


def test_the_loss_does_not_depend_on_its_blocks(rng, monkeypatch):
    weights = rng.uniform(size=len(EIGENVALUES))
    whole = flow_loss(nesterov_flow(), EIGENVALUES, weights, TIMES)
    monkeypatch.setattr("inertial.simulation.integrate._BLOCK", 2 * len(EIGENVALUES))
    np.testing.assert_allclose(flow_loss(nesterov_flow(), EIGENVALUES, weights, TIMES), whole)


def test_negative_times_and_eigenvalues_are_refused():
    with pytest.raises(InvalidInput, match="times"):
        solve(gradient_flow(), EIGENVALUES, np.array([-1.0]))
    with pytest.raises(InvalidInput, match="eigenvalues"):
        solve(gradient_flow(), np.array([-1e-3, 1.0]), TIMES)
    # Below zero by rounding only, an eigenvalue is zero.
    rounding = solve(nesterov_flow(), np.array([-1e-17, 1.0]), TIMES)
    np.testing.assert_array_equal(rounding.amplitude[:, 0], 1.0)


def strongly_convex(make, flow, s, *, started=False):
    method = make(s, strongly_convex_momentum(MU, s))
    limit = flow(MU, s)
    return method, started_like(limit, method) if started else limit


ORDERS = {
    "gradient descent": (lambda s: (gradient_descent(s), gradient_flow()), 1.0),
    "heavy ball": (
        partial(strongly_convex, heavy_ball, lambda mu, _: heavy_ball_flow(mu)),
        0.5,
    ),
    "Nesterov": (partial(strongly_convex, nesterov, lambda mu, _: heavy_ball_flow(mu)), 0.5),
    "Nesterov d/t": (lambda s: (nesterov_varying(s, 4.0), nesterov_flow(4.0)), 0.5),
    "fine heavy ball from rest": (
        partial(strongly_convex, heavy_ball, high_resolution_heavy_ball),
        0.5,
    ),
    "fine heavy ball": (
        partial(strongly_convex, heavy_ball, high_resolution_heavy_ball, started=True),
        1.0,
    ),
    "fine Nesterov": (
        partial(strongly_convex, nesterov, high_resolution_nesterov, started=True),
        1.0,
    ),
    "fine Nesterov, start copy": (
        partial(
            strongly_convex, partial(nesterov, start="copy"), high_resolution_nesterov, started=True
        ),
        1.0,
    ),
    "heavy ball, fine start only": (
        partial(strongly_convex, heavy_ball, lambda mu, _: heavy_ball_flow(mu), started=True),
        0.5,
    ),
}


def distance_to_flow(method, flow, modes):
    """Largest distance of iterates and flow over all modes and steps up to time 10."""
    steps = np.arange(int(10 / flow.time(np.ones(1, int), method.eta)[0]) + 1)
    along = solve(flow, modes, flow.time(steps, method.eta)).amplitude
    return np.abs(amplification(method, modes, steps) - along).max()


@pytest.mark.parametrize("name", ORDERS)
def test_iterates_approach_their_flow_with_the_stated_order(name):
    pair, order = ORDERS[name]
    etas = 4.0 ** -np.arange(3, 8)
    distance = [distance_to_flow(*pair(float(eta)), np.geomspace(MU, 1.0, 12)) for eta in etas]
    assert (np.diff(distance) < 0).all()
    # The project's bar for a deterministic order, on the finest pairs.
    slope = np.polyfit(np.log(etas[-3:]), np.log(distance[-3:]), 1)[0]
    assert slope == pytest.approx(order, abs=0.15)
