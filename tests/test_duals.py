"""The family around the papers' network: duals, the recursion over layers, and finite widths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special

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
from inertial.linear.duals import CLOSED, duals
from inertial.problem.networks import ACTIVATIONS


def by_integration(phi, covariance):
    """``E phi(u) phi(v)`` by the rule of Gauss on the parts between the kinks."""
    root = np.linalg.cholesky(covariance)
    nodes, weights = np.polynomial.legendre.leggauss(160)

    def between(low, high):
        """Nodes and weights of intervals, in rows."""
        half = (np.asarray(high) - low)[..., None] / 2
        return low[..., None] + half * (1 + nodes), half * weights

    total = 0.0
    for ends in ((-8, 0), (0, 8)):
        first, outer = between(*map(np.array, ends))
        kink = np.clip(-root[1, 0] * first / root[1, 1], -9, 9)
        for low, high in ((np.full_like(kink, -9), kink), (kink, np.full_like(kink, 9))):
            second, inner = between(low, high)
            v = root[1, 0] * first[:, None] + root[1, 1] * second
            density = np.exp(-(first[:, None] ** 2 + second**2) / 2) / (2 * np.pi)
            total += outer @ (phi(root[0, 0] * first) * np.sum(inner * phi(v) * density, axis=1))
    return total


@pytest.mark.parametrize("activation", CLOSED)
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
        expected = by_integration(lambda z, t=table: np.interp(z, grid, t), covariance)
        assert own[0, 1] == pytest.approx(expected, abs=2e-4 if own is slope else 1e-6)


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_the_quadrature_has_converged(activation, monkeypatch):
    """Rows of norm 0.1 to 100, as raw tables have them, with parallel and opposite ones."""
    rng = np.random.default_rng(0)
    x = unit_inputs(rng, 8, 3) * np.geomspace(0.1, 100, 8)[:, None]
    x = np.vstack([x, 7 * x[:2], -x[:2]])
    first = duals(activation, x @ x.T)
    monkeypatch.setattr("inertial.linear.duals.NODES", 200)
    for few, many in zip(first, duals(activation, x @ x.T), strict=True):
        scale = np.sqrt(np.outer(np.diag(many), np.diag(many)))
        assert np.abs((few - many) / scale).max() < 1e-9


@pytest.mark.parametrize("deviations", [(0.1, 28.0), (1.0, 3.0), (5.0, 5.0), (28.0, 9.0)])
@pytest.mark.parametrize("correlation", [-1.0, -0.7, 0.3, 0.999])
def test_the_quadrature_is_a_sum_over_a_dense_grid(deviations, correlation):
    """Nodes so near together that each bend of the activations has many, whatever the norms."""
    grid = np.linspace(-9, 9, 3001)
    weights = np.exp(-(grid**2) / 2)
    weights /= weights.sum()
    one, other = deviations
    u = one * grid
    v = other * (correlation * grid[:, None] + np.sqrt(1 - correlation**2) * grid)
    product = correlation * one * other
    covariance = np.array([[one**2, product], [product, other**2]])
    density = np.exp(-np.square([u, *v]) / 2) / np.sqrt(2 * np.pi)
    below = scipy.special.ndtr([u, *v])
    tanh = np.tanh([u, *v])
    for activation, (values, slopes) in {
        "tanh": (tanh, 1 - tanh**2),
        "gelu": (np.array([u, *v]) * below, below + np.array([u, *v]) * density),
    }.items():
        for own, all_ in zip(duals(activation, covariance), (values, slopes), strict=True):
            dense = weights @ (all_[0] * (all_[1:] @ weights))
            scale = np.sqrt(own[0, 0] * own[1, 1])
            # Here 9 deviations are kept, and there 8.5: the tails have 1e-17 of the weight.
            assert own[0, 1] == pytest.approx(dense, abs=1e-9 * scale)


def test_at_the_norms_of_a_raw_table_the_kernel_is_the_mean_of_sampled_neurons(rng):
    """Of a slope as narrow as tanh's between nodes of 28 deviations nothing would be seen."""
    x = unit_inputs(rng, 6, 5) * np.array([1.0, 5.0, 10.0, 14.0, 28.0, 28.0])[:, None]
    kernel, covariance = expected_kernels(WideNetwork(8, 5, 1, 1, "tanh"), x)
    w = rng.standard_normal((400_000, 5))
    values = np.tanh(w @ x.T)
    sampled = values.T @ values / len(w)
    slopes = 1 - values**2
    tangents = sampled + (x @ x.T) * (slopes.T @ slopes) / len(w)
    np.testing.assert_allclose(covariance, sampled, atol=5 / np.sqrt(len(w)))
    # A slope is nonzero for one in 28 neurons at the largest norm: relative to the entries of it.
    np.testing.assert_allclose(np.diag(kernel), np.diag(tangents), rtol=0.05)
    np.testing.assert_allclose(kernel, tangents, atol=0.05 * kernel.max())


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("depth", [1, 3])
def test_equal_rows_have_equal_kernels(activation, depth):
    """What is opposite in two of them no gradient method takes away: the eigenvalue is 0."""
    for seed in range(5):
        x = np.random.default_rng(seed).standard_normal((9, 5))
        x[1], x[2] = x[0], (-x[0] if activation == "abs" else x[2])
        equal = [0, 1, 2][: 2 + (activation == "abs")]
        kernel, covariance = expected_kernels(WideNetwork(8, 5, depth, 1, activation), x)
        for matrix in (covariance, kernel) if activation != "abs" else (covariance,):
            within = matrix[np.ix_(equal, equal)]
            assert np.ptp(within) <= 1e-14 * within.max()
            smallest = np.linalg.eigvalsh(matrix)[0]
            assert abs(smallest) < 1e-13 * np.trace(matrix)


def test_the_slope_of_erf_keeps_its_digits_at_any_norm(rng):
    x = unit_inputs(rng, 5, 3) * np.geomspace(1, 1e9, 5)[:, None]
    kernel, covariance = expected_kernels(WideNetwork(8, 3, 1, 1, "erf"), x)
    squares = np.sum(x**2, axis=1)
    slopes = (np.diag(kernel) - np.diag(covariance)) / squares
    np.testing.assert_allclose(slopes, 4 / np.pi / np.sqrt(1 + 4 * squares), rtol=1e-9)


def test_far_from_zero_gelu_is_relu_and_tanh_a_sign(rng):
    """At norms of 1e6 the bend is a point; its slope's square is another's, on the diagonal."""
    x = 1e6 * unit_inputs(rng, 6, 4)
    found = {
        activation: expected_kernels(WideNetwork(8, 4, 1, 1, activation), x)
        for activation in ("gelu", "relu", "tanh", "erf")
    }
    squares = np.diag(found["tanh"][0] - found["tanh"][1]) / np.diag(
        found["erf"][0] - found["erf"][1]
    )
    np.testing.assert_allclose(squares, 4 / 3 / (4 / np.sqrt(2 * np.pi)), rtol=1e-5)
    for matrices in found.values():
        np.fill_diagonal(matrices[0], 0.0)
    for smooth, sharp in (("gelu", "relu"), ("tanh", "erf")):
        for one, other in zip(found[smooth], found[sharp], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())


def test_with_one_hidden_relu_layer_it_is_the_papers_kernel(rng):
    x = 3 * rng.standard_normal((9, 4))
    network = WideNetwork(8, 4, trained="hidden")
    kernel, covariance = expected_kernels(network, x)
    np.testing.assert_allclose(kernel, infinite_gram(x), atol=1e-14 * kernel.max())
    np.testing.assert_allclose(covariance, output_covariance(x), atol=1e-14 * kernel.max())
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
