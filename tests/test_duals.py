"""The family around the papers' network: duals, the recursion over layers, and finite widths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from helpers import run, unit_inputs
from inertial import (
    InvalidInput,
    Problem,
    TwoLayerReLU,
    WideNetwork,
    expected_kernels,
    expected_measure,
    forecast_loss,
    heavy_ball,
    infinite_gram,
    output_covariance,
    tangent,
    tune,
)
from inertial.linear.duals import duals
from inertial.problem.networks import ACTIVATIONS


def by_integration(phi, covariance):
    """``E phi(u) phi(v)`` by adaptive integration of the parts between the kinks."""
    root = np.linalg.cholesky(covariance)

    def integrand(second, first):
        u = root[0, 0] * first
        v = root[1, 0] * first + root[1, 1] * second
        return phi(u) * phi(v) * np.exp(-(first**2 + second**2) / 2) / (2 * np.pi)

    total = 0.0
    for low, high in ((-8, 0), (0, 8)):
        for side in (-1, 1):

            def kink(first, side=side):
                at = -root[1, 0] * first / root[1, 1]
                return (-9.0, at) if side < 0 else (at, 9.0)

            total += scipy.integrate.dblquad(
                integrand,
                low,
                high,
                lambda first, kink=kink: np.clip(kink(first)[0], -9, 9),
                lambda first, kink=kink: np.clip(kink(first)[1], -9, 9),
                epsabs=1e-9,
            )[0]
    return total


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_duals_are_expectations(activation):
    covariance = np.array([[1.3, -0.5], [-0.5, 0.8]])
    value, slope = duals(activation, covariance)
    with jax.enable_x64(True):
        phi = jax.jit(ACTIVATIONS[activation])
        grad = jax.jit(jax.grad(ACTIVATIONS[activation]))
        grid = np.linspace(-14, 14, 200_001)
        exact = np.asarray(phi(jnp.asarray(grid)))
        slopes = np.asarray(jax.vmap(grad)(jnp.asarray(grid)))
    # Interpolated values are right to 1e-8, and to 1e-4 in the step of a kink.
    for own, table in ((value, exact), (slope, slopes)):
        expected = by_integration(lambda z, t=table: float(np.interp(z, grid, t)), covariance)
        assert own[0, 1] == pytest.approx(expected, abs=2e-4 if own is slope else 1e-6)


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_the_quadrature_has_converged(activation, monkeypatch):
    rng = np.random.default_rng(0)
    x = 2 * unit_inputs(rng, 6, 3)
    first = duals(activation, x @ x.T)
    monkeypatch.setattr("inertial.linear.duals.NODES", 160)
    for few, many in zip(first, duals(activation, x @ x.T), strict=True):
        np.testing.assert_allclose(few, many, rtol=0, atol=1e-6 * np.abs(many).max())


def test_with_one_hidden_relu_layer_it_is_the_papers_kernel(rng):
    x = 3 * rng.standard_normal((9, 4))
    network = WideNetwork(8, 4, trained="hidden")
    kernel, covariance = expected_kernels(network, x)
    # The papers' entries take angles that keep their digits; here they come from cosines.
    np.testing.assert_allclose(kernel, infinite_gram(x), atol=1e-7 * kernel.max())
    np.testing.assert_allclose(covariance, output_covariance(x), atol=1e-7 * kernel.max())
    w, a = TwoLayerReLU(8, 4).init(jax.random.key(1))
    ours = network.apply({"hidden": [w], "output": a[None]}, jnp.asarray(x, jnp.float32))
    theirs = TwoLayerReLU(8, 4).apply((w, a), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(ours[:, 0], theirs, rtol=1e-5, atol=1e-5)


def test_rows_have_as_many_numbers_as_the_network_has_inputs_and_none_is_zero(rng):
    network, rows = WideNetwork(8, 3, depth=2), rng.standard_normal((4, 3))
    for wrong, message in (
        (rows[:, :2], "the rows have 2 numbers and the network has 3 inputs"),
        (rows * [[1], [0], [1], [1]], "a row is zero"),
    ):
        with pytest.raises(InvalidInput, match=message):
            expected_kernels(network, wrong)


def test_shares_of_the_layers_add_up(rng):
    x = unit_inputs(rng, 7, 3)
    parts = {
        trained: expected_kernels(WideNetwork(1, 3, depth=3, trained=trained), x)[0]
        for trained in ("all", "hidden", "output")
    }
    np.testing.assert_allclose(parts["all"], parts["hidden"] + parts["output"], rtol=1e-12)


FAMILY = [
    *((activation, 1, 1, "all") for activation in ACTIVATIONS),
    ("relu", 3, 1, "all"),
    ("erf", 2, 1, "hidden"),
    ("gelu", 1, 2, "all"),
]


@pytest.mark.parametrize(("activation", "depth", "outputs", "trained"), FAMILY)
def test_finite_networks_tend_to_the_limit_like_the_root_of_the_width(
    rng, activation, depth, outputs, trained
):
    x = unit_inputs(rng, 5, 3)
    limit = np.kron(
        expected_kernels(WideNetwork(1, 3, 1, depth, activation, trained), x)[0],
        np.eye(outputs),
    )

    def gap(width):
        network = WideNetwork(width, 3, outputs, depth, activation, trained)

        @jax.jit
        def gram(key):
            params = network.init(key)
            jacobian = jax.jacobian(network.apply)(params, jnp.asarray(x, jnp.float32))
            chosen = {"all": ("hidden", "output")}.get(trained, (trained,))
            leaves = jax.tree.leaves({name: jacobian[name] for name in chosen})
            flat = jnp.concatenate([leaf.reshape(5 * outputs, -1) for leaf in leaves], axis=1)
            return flat @ flat.T

        keys = jax.random.split(jax.random.key(0, impl="threefry2x32"), 12)
        return np.median([np.linalg.norm(np.asarray(gram(key), float) - limit) for key in keys])

    # Fluctuations of a mean over m neurons: 16 times the width, a quarter of the gap, +- the
    # spread of a median of twelve.
    assert 0.12 < gap(1024) / gap(64) < 0.45


def test_the_expected_measure_is_the_mean_over_starts(rng):
    x, y = unit_inputs(rng, 12, 4), rng.standard_normal((12, 2))
    network = WideNetwork(4096, 4, 2, activation="erf")
    problems = [Problem(network, "mse", x, y, seed=seed) for seed in range(8)]
    expected = expected_measure(problems[0])
    method, steps = heavy_ball(0.5 / expected.largest, 0.5), np.array([0, 3, 10])
    losses = [forecast_loss(method, tangent(one).measure(12), steps) for one in problems]
    # The kernel at this width is off by a percent; starts differ by much more.
    error = np.std(losses, axis=0) / np.sqrt(len(problems))
    assert (
        np.abs(np.mean(losses, axis=0) - forecast_loss(method, expected, steps)) < 4 * error
    ).all()
    assert expected.total == pytest.approx(2 * forecast_loss(method, expected, steps)[0])


def test_tuning_says_what_is_expected_at_infinite_width(rng, capsys):
    x, y = unit_inputs(rng, 20, 5), np.sign(rng.standard_normal(20))
    advice = tune(Problem(WideNetwork(512, 5), "half_sum", x, y), target=0.3, trials=0)
    assert advice.infinite_width is not None
    assert f"at infinite width, expected: {advice.infinite_width:,} steps" in str(advice)
    code, out, _ = run(
        capsys, "tune", "digits", "--n", 40, "--model", "wide:64:erf", "--loss", "mse",
        "--target", 0.5, "--trials", 0,
    )  # fmt: skip
    assert code == 0
    assert "at infinite width, expected" in out
    assert run(capsys, "tune", "digits", "--n", 40, "--model", "wide:64,32")[0] == 2


def test_only_its_own_kernel_is_known(rng):
    x, y = unit_inputs(rng, 5, 3), np.ones(5)
    for problem in (
        Problem(TwoLayerReLU(8, 3), "half_sum", x, y),
        Problem(WideNetwork(8, 3), "binary_cross_entropy", x, y),
    ):
        with pytest.raises(InvalidInput, match="known for a WideNetwork under mse or half_sum"):
            expected_measure(problem)
    with pytest.raises(InvalidInput, match="did you mean 'gelu'"):
        WideNetwork(8, 3, activation="gelo")
    with pytest.raises(InvalidInput, match="depth is 0"):
        WideNetwork(8, 3, depth=0)
