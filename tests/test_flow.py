"""The family's coefficients: instances, time units, starts, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inertial import gradient_descent, heavy_ball, nesterov, nesterov_varying
from inertial._checks import InvalidInput
from inertial.method.flow import (
    Flow,
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

positive = st.floats(1e-3, 1.0)


def test_time_passes_in_eta_for_mass_zero_and_in_its_root_for_mass_one():
    steps = np.array([0, 3, 10])
    for flow in (gradient_flow(), newton_flow()):
        assert flow.time_unit == "eta"
        np.testing.assert_array_equal(flow.time(steps, 0.04), [0.0, 3 * 0.04, 10 * 0.04])
    for flow in (heavy_ball_flow(0.1), nesterov_flow()):
        assert flow.time_unit == "sqrt(eta)"
        np.testing.assert_array_equal(flow.time(steps, 0.04), [0.0, 3 * 0.2, 10 * 0.2])


@given(positive)
def test_high_resolution_flows_lose_their_corrections_as_s_vanishes(mu):
    s = 1e-20
    for flow in (high_resolution_heavy_ball(mu, s), high_resolution_nesterov(mu, s)):
        limit = heavy_ball_flow(mu)
        # The corrections are sqrt(mu s) <= 1e-10 and sqrt(s) = 1e-10.
        assert flow.friction == limit.friction
        assert flow.force == pytest.approx(limit.force, abs=1e-9)
        assert flow.hessian_friction <= 1e-9


@given(positive, st.floats(1e-6, 0.5))
def test_the_momentum_of_the_strongly_convex_rule_has_friction_two_root_mu(mu, s):
    # (1 - beta)/sqrt(s) is the friction up to a relative O(sqrt(mu s)).
    beta = strongly_convex_momentum(mu, s)
    friction = (1 - beta) / np.sqrt(s)
    assert friction * (1 + np.sqrt(mu * s)) == pytest.approx(heavy_ball_flow(mu).friction, rel=1e-9)


@pytest.mark.parametrize(
    ("method", "factor"),
    [
        (gradient_descent(0.04), 0.5),
        (heavy_ball(0.04, 0.7), 0.5),
        (nesterov(0.04, 0.7), 1.2),
        (nesterov(0.04, 0.7, start="copy"), 0.5),
        (nesterov_varying(0.04), 0.5),
    ],
)
def test_a_flow_started_like_a_method_makes_its_first_step(method, factor):
    flow = started_like(heavy_ball_flow(0.1), method)
    # First steps written out: eta g_0, and (1 + beta) eta g_0 for Nesterov from zero.
    assert flow.initial_velocity == pytest.approx(-factor * 0.2)


@pytest.mark.parametrize(
    "flow",
    [
        heavy_ball_flow(0.1),
        nesterov_flow(4.0),
        high_resolution_convex_nesterov(0.04),
        started_like(high_resolution_nesterov(0.1, 0.04), nesterov(0.04, 0.7)),
    ],
    ids=lambda flow: flow.name,
)
def test_the_start_solves_the_equation_near_zero(flow):
    # On one mode l = 1: x'' from the equation at time t, against x'' of the start's parabola.
    residuals = []
    for t in (1e-2, 5e-3):
        displacement, velocity = flow.start(jnp.asarray(t), jnp.ones(1), jnp.ones(1))
        ahead = flow.start(jnp.asarray(2 * t), jnp.ones(1), jnp.ones(1))[1]
        x = 1 + displacement
        acceleration = flow.acceleration(jnp.asarray(t), velocity, x, velocity)
        residuals.append(abs(float((acceleration - (ahead - velocity) / t)[0])))
    # The next power of t is missing, so the equation's residual halves with t.
    assert residuals[0] < 0.05
    assert residuals[1] < 0.6 * residuals[0]


@pytest.mark.parametrize(
    "change",
    [
        {"mass": 2},
        {"mass": -1},
        {"mass": 0},
        {"mass": 0, "friction": 1.0, "vanishing_friction": 3.0},
        {"mass": 0, "friction": 1.0, "initial_velocity": -0.1},
        {"friction": -1.0},
        {"hessian_friction": np.inf},
        {"force": 0.0},
        {"vanishing_force": 1.0},
        {"vanishing_friction": 3.0, "initial_velocity": -0.1},
    ],
)
def test_contradictory_coefficients_are_refused(change):
    with pytest.raises(InvalidInput):
        Flow("flow", "nowhere", **change)


def test_constructors_refuse_what_is_not_positive():
    for make in (heavy_ball_flow, nesterov_flow, high_resolution_convex_nesterov):
        with pytest.raises(InvalidInput):
            make(0.0)
    with pytest.raises(InvalidInput):
        high_resolution_heavy_ball(0.1, -1.0)
