"""The residual recursion written out in NumPy with full kernel matrices, and the papers' prints."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import methods, residual_and_gradient, unit_inputs
from inertial._checks import InvalidInput
from inertial.linear.kernel import finite_gram
from inertial.method.recursion import (
    Recursion,
    gradient_descent,
    heavy_ball,
    nesterov,
)
from inertial.problem.flips import flippable
from inertial.problem.model import TwoLayerReLU
from inertial.simulation import kernel_products
from inertial.simulation.decomposition import decompose_residual
from inertial.simulation.train import train
from inertial.theory.catalog.residual import THEOREMS
from inertial.theory.evidence import Evidence, Kernel, Records

NETWORK = TwoLayerReLU(60, 3)
STEPS = 12
METHODS = {
    name: method for name, method in methods(3.0).items() if not isinstance(method.eta, tuple)
}
ROUNDING = 1e-13
"""Outputs are sums of 60 terms below 3, residuals are of size 1, errors add up over two steps."""


@pytest.fixture
def problem(rng):
    return unit_inputs(rng, 15, 3), rng.standard_normal(15)


def weights_and_gradients(network, x, y, method, *, seed, steps):
    """The method in its textbook forms: ``w_0, ..., w_T``, ``g_0, ..., g_T`` and the signs."""
    w, a = (np.asarray(part, np.float64) for part in network.init(jax.random.key(seed)))
    weights, gradients = [w], [residual_and_gradient(w, a, x, y)[1]]
    eta, beta, gamma = method.coefficients(0, steps)
    previous_w, previous_g = w, np.zeros_like(w)
    for t in range(steps):
        w, g = weights[-1], gradients[-1]
        step = beta[t] * (w - previous_w) - eta[t] * (g + gamma[t] * (g - previous_g))
        previous_w, previous_g = w, g
        weights.append(w + step)
        gradients.append(residual_and_gradient(w + step, a, x, y)[1])
    return np.array(weights), np.array(gradients), a


def flippable_gram(x, w, member):
    """Row i counts the neurons of sample i's set alone: Liu, Pan and Tao (2022, A.2)."""
    on = x @ w.T >= 0
    return (x @ x.T) * ((on & member).astype(float) @ on.T) / len(w)


def flippable_output(x, w, a, member):
    return np.where(member, np.maximum(x @ w.T, 0), 0) @ a / np.sqrt(len(a))


def jacobian_gram(x, w, a):
    """``J J'`` from automatic differentiation of a network written here."""

    def network(v):
        return jnp.where(x @ v.T >= 0, x @ v.T, 0) @ a / np.sqrt(len(a))

    with jax.enable_x64(True):
        jacobian = np.asarray(jax.jacfwd(network)(jnp.asarray(w))).reshape(len(x), -1)
    return jacobian @ jacobian.T


class Reference:
    """Everything in the two lemmas at steps t, with full matrices, and with index -1 as asked."""

    def __init__(self, x, y, method, radius, *, seed=0):
        self.w, _, a = weights_and_gradients(NETWORK, x, y, method, seed=seed, steps=STEPS)
        member = flippable(x, self.w[0], radius)
        self.xi = np.array([residual_and_gradient(w, a, x, y)[0] for w in self.w])
        self.gram = [jacobian_gram(x, w, a) for w in self.w]
        self.part = [flippable_gram(x, w, member) for w in self.w]
        self.output = np.array([flippable_output(x, w, a, member) for w in self.w])
        self.method = method
        self.before = self.xi[0]

    def previous(self, t):
        """``xi, H, H-perp`` and the flippable output at t - 1, the start's where t is 0."""
        if t == 0:
            return self.before, self.gram[0], self.part[0], self.output[0]
        return self.xi[t - 1], self.gram[t - 1], self.part[t - 1], self.output[t - 1]

    def moved(self, t):
        beta, output = self.method.constant[1], self.previous(t)[3]
        return self.output[t + 1] - self.output[t] - beta * (self.output[t] - output)

    def nesterov(self, t):
        """Liu, Pan and Tao (2022, Lemma 1): psi, phi and the right side."""
        eta, beta, h0 = self.method.constant[0], self.method.constant[1], self.gram[0]
        xi, (before, gram, part, _) = self.xi[t], self.previous(t)
        psi = beta * eta * (gram - h0) @ before - (1 + beta) * eta * (self.gram[t] - h0) @ xi
        phi = (1 + beta) * eta * self.part[t] @ xi - beta * eta * part @ before + self.moved(t)
        change = xi - before
        return psi, phi, xi - eta * h0 @ xi + beta * change - eta * beta * h0 @ change + psi + phi

    def heavy_ball(self, t, sign=1):
        """Wang and Abernethy (2020, Lemma 1): phi and the right side; they print sign = -1."""
        eta, beta, xi = self.method.constant[0], self.method.constant[1], self.xi[t]
        phi = sign * eta * self.part[t] @ xi + self.moved(t)
        return phi, xi - eta * self.gram[t] @ xi + beta * (xi - self.previous(t)[0]) + phi


def distance(values):
    return np.abs(values).max()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_method_obeys_its_recursion(problem, method, seed):
    found = decompose_residual(NETWORK, *problem, method, seed=seed, steps=STEPS)
    assert_exact(found)
    # Otherwise nothing above was tested.
    assert np.abs(found.phi).max() > 1e-3
    assert np.abs(found.psi).max() > 1e-3


@given(
    seed=st.integers(0, 1000),
    eta=st.floats(0.01, 0.3),
    beta=st.floats(0, 0.9),
    share=st.floats(0, 1),
)
def test_identities_and_bounds_for_any_coefficients_and_input_norms(seed, eta, beta, share):
    rng = np.random.default_rng(seed)
    x = unit_inputs(rng, 15, 3) * rng.uniform(0.2, 1.5, (15, 1))
    method = Recursion(eta, beta, beta * share)
    y = rng.standard_normal(15)
    assert_exact(decompose_residual(NETWORK, x, y, method, seed=seed, steps=5))


@pytest.mark.parametrize(("n", "d", "m"), [(1, 1, 1), (3, 6, 20)])
def test_identities_and_bounds_for_any_shape(rng, n, d, m):
    x, y = unit_inputs(rng, n, d), rng.standard_normal(n)
    assert_exact(decompose_residual(TwoLayerReLU(m, d), x, y, nesterov(0.1, 0.7), seed=0, steps=5))


def assert_exact(found):
    assert found.identity_error.max() < ROUNDING
    assert found.step_error.max() < ROUNDING
    assert found.displacement_error.max() < ROUNDING
    assert found.outside.max() == 0


def test_nesterov_matches_the_lemma_written_with_matrices(problem):
    """Start zero is the lemma with ``xi_{-1} = (I - eta H_0)^{-1} xi_0`` and psi_0 = 0."""
    method = nesterov(0.2, 0.7)
    found = decompose_residual(NETWORK, *problem, method, seed=0, steps=STEPS)
    reference = Reference(*problem, method, found.radius)
    np.testing.assert_allclose(found.residual, reference.xi, rtol=0, atol=ROUNDING)
    for t in range(1, STEPS):
        psi, phi, right = reference.nesterov(t)
        assert distance(psi - found.psi[t]) < ROUNDING
        assert distance(phi - found.phi[t]) < ROUNDING
        assert distance(right - reference.xi[t + 1]) < ROUNDING
    xi, h0 = reference.xi[0], reference.gram[0]
    identity = np.eye(len(xi))
    before = np.linalg.solve(identity - method.constant[0] * h0, xi)
    linear = (identity - method.constant[0] * h0) @ (xi + method.constant[1] * (xi - before))
    assert distance(linear + found.phi[0] - reference.xi[1]) < ROUNDING
    assert distance(found.psi[0]) < ROUNDING


def test_nesterov_with_a_copied_start_matches_the_lemma_from_the_first_step(problem):
    method = nesterov(0.2, 0.7, start="copy")
    found = decompose_residual(NETWORK, *problem, method, seed=0, steps=STEPS)
    reference = Reference(*problem, method, found.radius)
    for t in range(STEPS):
        _, phi, right = reference.nesterov(t)
        assert distance(phi - found.phi[t]) < ROUNDING
        assert distance(right - reference.xi[t + 1]) < ROUNDING
    assert found.printed_error.max() < ROUNDING


def test_first_step_as_printed_is_off_by_the_stated_vector(problem):
    """``-eta beta (H_0 - H-perp_0) xi_0``, and rounding in every later step."""
    method = nesterov(0.2, 0.7)
    found = decompose_residual(NETWORK, *problem, method, seed=0, steps=STEPS)
    reference = Reference(*problem, method, found.radius)
    error = reference.xi[1] - reference.nesterov(0)[2]
    stated = -0.2 * 0.7 * (reference.gram[0] - reference.part[0]) @ reference.xi[0]
    assert distance(error - stated) < ROUNDING
    expected = distance(stated) / distance(reference.xi[0])
    # A relative error of 1e-13 of a number of size 0.01.
    assert found.printed_error[0] == pytest.approx(expected, rel=1e-10)
    assert found.printed_error[0] > 1e-3
    assert found.printed_error[1:].max() < ROUNDING


@pytest.mark.parametrize("name", ["gradient descent", "heavy ball"])
def test_heavy_ball_has_a_plus_where_a_minus_is_printed(problem, name):
    method = METHODS[name]
    found = decompose_residual(NETWORK, *problem, method, seed=0, steps=STEPS)
    reference = Reference(*problem, method, found.radius)
    scale = distance(reference.xi[0])
    for t in range(STEPS):
        phi, right = reference.heavy_ball(t)
        assert distance(phi - found.phi[t]) < ROUNDING
        assert distance(right - reference.xi[t + 1]) < ROUNDING
        printed = distance(reference.heavy_ball(t, sign=-1)[1] - reference.xi[t + 1])
        assert found.printed_error[t] == pytest.approx(printed / scale, rel=1e-9)
    assert found.printed_error.max() > 0.1


def test_residuals_unroll_from_the_remainders(problem):
    """``z_T = M^T z_0 + sum M^(T-1-i) [psi_i + phi_i; 0]`` (Liu, Pan and Tao 2022, eq. 24)."""
    method = nesterov(0.2, 0.7, start="copy")
    found = decompose_residual(NETWORK, *problem, method, seed=0, steps=STEPS)
    n = len(problem[1])
    w, _, _ = weights_and_gradients(NETWORK, *problem, method, seed=0, steps=1)
    forward = np.eye(n) - 0.2 * finite_gram(problem[0], w[0])
    matrix = np.block([[1.7 * forward, -0.7 * forward], [np.eye(n), np.zeros((n, n))]])
    z = np.concatenate([found.residual[0], found.residual[0]])
    for phi, psi in zip(found.phi, found.psi, strict=True):
        z = matrix @ z + np.concatenate([psi + phi, np.zeros(n)])
    # Twelve steps of a stable matrix of norm below 3.
    np.testing.assert_allclose(z, found.residual[[-1, -2]].reshape(-1), rtol=0, atol=100 * ROUNDING)


@pytest.mark.parametrize("start", ["zero", "copy"])
def test_closed_form_of_nesterovs_weights(problem, start):
    """``-eta g_{t-1} - eta sum_{i<t} beta^(t-i) g_i`` (eq. A.3), and its sum over the steps.

    With the copied start the sum begins at i = 1.
    """
    method = nesterov(0.2, 0.7, start=start)
    w, g, _ = weights_and_gradients(NETWORK, *problem, method, seed=0, steps=STEPS)
    first = 0 if start == "zero" else 1
    total = np.zeros_like(w[0])
    for t in range(1, STEPS + 1):
        tail = sum((0.7 ** (t - i) * g[i] for i in range(first, t)), np.zeros_like(g[0]))
        step = -0.2 * (g[t - 1] + tail)
        total += step
        assert distance(w[t] - w[t - 1] - step) < ROUNDING
        assert distance(w[t] - w[0] - total) < ROUNDING


def test_distances_and_flips_are_those_of_the_run(problem):
    x, y = problem
    method = heavy_ball(0.3, 0.7)
    found = decompose_residual(NETWORK, x, y, method, seed=0, steps=STEPS)
    run = train(NETWORK, x, y, method, seed=0, steps=STEPS, precision="float64")
    np.testing.assert_allclose(found.max_distance, run.max_distance, rtol=1e-12)
    assert found.max_distance.max() <= found.radius <= found.max_distance.max() * (1 + 1e-8)
    assert run.pattern_change[-1] > 0
    assert found.outside.max() == 0


def test_any_larger_radius_will_do_and_a_smaller_one_will_not(problem):
    """With R = 0 nothing counts as flippable, so that the identity fails at the first flip."""
    arguments = (NETWORK, *problem, heavy_ball(0.3, 0.7))
    own = decompose_residual(*arguments, seed=0, steps=STEPS)
    larger = decompose_residual(*arguments, seed=0, steps=STEPS, radius=2 * own.radius)
    assert larger.identity_error.max() < ROUNDING
    assert larger.counts.sum() > own.counts.sum()
    none = decompose_residual(*arguments, seed=0, steps=STEPS, radius=0.0)
    assert none.counts.sum() == 0
    assert (none.phi == 0).all()
    flipped = none.outside > 0
    assert (none.identity_error[flipped[1:]] > 1e-6).all()
    assert flipped.any()
    run = train(NETWORK, *problem, heavy_ball(0.3, 0.7), seed=0, steps=STEPS, precision="float64")
    pairs = NETWORK.width * len(problem[1])
    # A count divided by the number of pairs and multiplied again.
    np.testing.assert_allclose(none.outside, run.pattern_change * pairs, rtol=1e-12)


def test_blocks_of_samples_change_nothing(problem, monkeypatch):
    arguments = (NETWORK, *problem, nesterov(0.2, 0.7))
    whole = decompose_residual(*arguments, seed=0, steps=STEPS)
    monkeypatch.setattr(kernel_products, "_BLOCK_ROWS", 4)
    cut = decompose_residual(*arguments, seed=0, steps=STEPS)
    for name in ("residual", "phi", "psi", "counts", "max_distance"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), rtol=0, atol=ROUNDING)
    assert cut.identity_error.max() < ROUNDING


def test_inputs_in_a_subspace(rng):
    """Three of 40 dimensions: the run happens in the span, distances included."""
    x = unit_inputs(rng, 8, 3) @ np.linalg.qr(rng.standard_normal((40, 3)))[0].T
    y, network = rng.standard_normal(8), TwoLayerReLU(50, 40)
    found = decompose_residual(network, x, y, heavy_ball(0.3, 0.7), seed=0, steps=5)
    w, _, _ = weights_and_gradients(network, x, y, heavy_ball(0.3, 0.7), seed=0, steps=5)
    expected = np.linalg.norm(w - w[0], axis=2).max(axis=1)
    np.testing.assert_allclose(found.max_distance, expected, rtol=0, atol=ROUNDING)
    assert found.identity_error.max() < ROUNDING


@pytest.mark.parametrize(
    ("method", "key"),
    [
        (gradient_descent(0.3), "heavy-ball-remainder"),
        (heavy_ball(0.3, 0.7), "heavy-ball-remainder"),
        (nesterov(0.2, 0.7), "nesterov-remainder-sharper"),
        (nesterov(0.2, 0.7, start="copy"), "nesterov-remainder-sharper"),
    ],
    ids=str,
)
def test_the_papers_bound_lies_just_above_the_triangle_inequality(problem, method, key):
    """Sums of absolute values of all terms of phi, from the weights' true steps.

    They lie within a factor 10 of the catalogue's bound, so that a bound too small by 10 would
    fail; phi itself is a thousand times smaller, because its terms cancel.
    """
    x, y = problem
    found = decompose_residual(NETWORK, x, y, method, seed=0, steps=STEPS)
    run = Records(method, NETWORK.width, "float64", np.arange(1), np.ones(1), 1.0)
    evidence = Evidence(Kernel(np.ones(len(y))), along_run=run, decomposed=found)
    bound = next(t for t in THEOREMS if t.key == key).right(evidence)
    w, _, _ = weights_and_gradients(NETWORK, x, y, method, seed=0, steps=STEPS)
    member = flippable(x, w[0], found.radius)
    step = np.linalg.norm(np.diff(w, axis=0, prepend=w[:1]), axis=2)
    share = np.abs(found.residual).sum(axis=1) * method.constant[0] / NETWORK.width
    _, beta, gamma = method.coefficients(0, STEPS)
    for t in range(STEPS):
        kernel = (1 + gamma[t]) * share[t] + (gamma[t] * share[t - 1] if t else 0.0)
        moved = member @ (step[t + 1] + beta[t] * step[t]) / np.sqrt(NETWORK.width)
        total = found.counts * kernel + moved
        assert (total <= bound[t] * found.counts).all()
        assert total.max() > 0.1 * bound[t] * found.counts.max()


def test_a_diverging_run_is_refused(problem):
    with pytest.raises(InvalidInput, match="diverges at step"):
        decompose_residual(NETWORK, *problem, gradient_descent(50.0), seed=0, steps=200)


def test_the_result_is_frozen(problem):
    found = decompose_residual(NETWORK, *problem, gradient_descent(0.1), seed=0, steps=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.radius = 1.0
