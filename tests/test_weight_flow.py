"""Flows on weights: against the modal solution while no activation changes, then against width."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from helpers import residual_and_gradient, unit_inputs
from inertial import TwoLayerReLU, decompose, finite_gram, gradient_descent, train
from inertial._checks import InvalidInput
from inertial.method.flow import (
    gradient_flow,
    high_resolution_convex_nesterov,
    high_resolution_nesterov,
    newton_flow,
)
from inertial.simulate.integrate import solve
from inertial.simulate.weight_flow import TOLERANCE, follow

SEED, TIMES = 3, np.array([0.0, 0.5, 2.0, 6.0])
FLOWS = [
    gradient_flow(),
    replace(gradient_flow(), friction=2.0, force=1.5),
    newton_flow(),
    replace(newton_flow(), friction=0.5),
    replace(high_resolution_nesterov(0.05, 0.3), initial_velocity=-0.5),
    high_resolution_convex_nesterov(0.3),
]


def started(rng, width=60, n=6):
    """Inputs, a network, its first weights and signs, and the kernel's spectrum there."""
    x, network = unit_inputs(rng, n, 5), TwoLayerReLU(width, 5)
    with jax.enable_x64(True):
        w, a = map(np.asarray, network.init(jax.random.key(SEED), np.float64))
    return x, network, w, a, decompose(finite_gram(x, w))


def constant_kernel(spectrum, flow, residual):
    amplitude = solve(flow, spectrum.eigenvalues, TIMES).amplitude
    return spectrum.residual(spectrum.modes(residual) * amplitude)


@pytest.mark.parametrize("flow", FLOWS)
def test_between_activation_changes_the_flow_is_the_modal_solution(rng, flow):
    x, network, w, a, spectrum = started(rng)
    outputs, _ = residual_and_gradient(w, a, x, 0.0)
    y = outputs + 1e-4 * rng.standard_normal(6)
    run = follow(network, x, y, flow, TIMES, seed=SEED, tolerance=1e-9)
    # Weights this close to their start leave every activation as it was: the model is linear.
    assert (run.pattern_change == 0).all()
    scale = np.linalg.norm(run.residual[0])
    assert 0 < scale < 1e-3
    # At most a few hundred steps of local error 1e-9 (and 1e-8 / |X| of skipped time).
    np.testing.assert_allclose(
        run.residual, constant_kernel(spectrum, flow, run.residual[0]), rtol=0, atol=2e-7 * scale
    )
    np.testing.assert_allclose(run.loss, 0.5 * np.sum(run.residual**2, axis=1))


def test_the_constant_kernel_comes_closer_with_width():
    flow, y, distance = high_resolution_nesterov(0.05, 1.0), np.linspace(-1, 1, 10), []
    for width in (100, 1600):
        x, network, _, _, spectrum = started(np.random.default_rng(5), width, 10)
        run = follow(network, x, y, flow, TIMES, seed=SEED)
        assert run.pattern_change[-1] > 0
        assert run.max_distance[0] == 0
        moved = constant_kernel(spectrum, flow, run.residual[0]) - run.residual
        distance.append(np.abs(moved).max() / np.linalg.norm(run.residual[0]))
    # 16 times the width; 1/sqrt(m) is a factor of 4, but one start of a ReLU network scatters.
    assert distance[1] < distance[0] / 2
    # The diagonal blocks of J'J, at most n/m each, would leave the flow without its correction.
    without = replace(flow, hessian_friction=0.0)
    blocks = constant_kernel(spectrum, without, run.residual[0]) - run.residual
    assert np.abs(moved).max() < 0.2 * np.abs(blocks).max()


def test_gradient_descent_with_a_small_step_follows_gradient_flow(rng):
    x, network, *_ = started(rng)
    y, eta = rng.standard_normal(6), 1 / 512
    steps = (TIMES / eta).astype(int)
    iterates = train(
        network, x, y, gradient_descent(eta), seed=SEED, steps=int(steps[-1]), precision="float64"
    )
    run = follow(network, x, y, gradient_flow(), TIMES, seed=SEED)
    assert run.pattern_change[-1] > 0
    # Euler's error: relative eta lambda_max^2 t of the loss, at most 6/512 for lambda_max = 1.
    np.testing.assert_allclose(run.loss, iterates.loss[steps], rtol=0.015)
    np.testing.assert_allclose(run.max_distance, iterates.max_distance[steps], rtol=0.015)
    # A neuron that slides along a boundary is on either side of it: up to three pairs of 360.
    np.testing.assert_allclose(
        run.pattern_change, iterates.pattern_change[steps], rtol=0, atol=3.1 / 360
    )


def test_a_smaller_tolerance_changes_less_than_the_larger_one_allows(rng):
    x, network, *_ = started(rng)
    y = rng.standard_normal(6)
    coarse, fine = (
        follow(network, x, y, gradient_flow(), TIMES, seed=SEED, tolerance=tolerance)
        for tolerance in (TOLERANCE, TOLERANCE / 30)
    )
    assert fine.pattern_change[-1] > 0
    # The tolerance is per step; a run of some hundred steps may collect that many.
    error = np.linalg.norm(coarse.residual - fine.residual, axis=1).max()
    assert 0 < error < 100 * TOLERANCE * np.linalg.norm(fine.residual[0])


def test_unusable_times_and_tolerances_are_refused(rng):
    x, network, *_ = started(rng)
    for times in (np.array([-1.0, 1.0]), np.array([1.0, 1.0]), np.array([0.0, np.inf])):
        with pytest.raises(InvalidInput, match="times"):
            follow(network, x, np.zeros(6), gradient_flow(), times, seed=0)
    with pytest.raises(InvalidInput, match="tolerance"):
        follow(network, x, np.zeros(6), gradient_flow(), TIMES, seed=0, tolerance=0.0)


def test_too_many_steps_are_reported(rng, monkeypatch):
    monkeypatch.setattr("inertial.simulate.weight_flow._MAX_STEPS", 7)
    x, network, *_ = started(rng, 61)  # a shape of its own, because the limit is compiled in
    with pytest.raises(InvalidInput, match="more than 7 steps"):
        follow(network, x, np.ones(6), gradient_flow(), TIMES, seed=0)
