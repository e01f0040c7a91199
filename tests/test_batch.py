"""Moments against every batch there is, limits against the exact operator, best settings."""

from itertools import combinations, product

import numpy as np
import pytest

from inertial import (
    InvalidInput,
    Measure,
    decompose,
    forecast_loss,
    gradient_descent,
    heavy_ball,
    infinite_gram,
    load,
    measure_of,
    nesterov,
    nesterov_varying,
    stability_limit,
)
from inertial.linear.expected import spectrum_of
from inertial.linear.measure import dense
from inertial.method.batch import (
    Modes,
    batch_sizes,
    distance_on_batches,
    excess,
    fastest_for_batch,
    forecast_batches,
    forecast_batches_on_rows,
    largest_step,
    modes_of,
    noise_gain,
    noise_share,
)
from inertial.method.recursion import FAMILIES
from inertial.method.trust import distance


@pytest.fixture(scope="module")
def digits():
    """Kernel of 40 rows, decomposed, and a residual."""
    data = load("digits", n=40)
    return infinite_gram(data.x), decompose(infinite_gram(data.x)), data.y


def operators(method, gram, t, sampled):
    """Map of ``(xi_t, xi_{t-1}, s_{t-1})`` by one step, where ``s_t = sampled xi_t``."""
    eta, beta, gamma = method.coefficients(0, t + 1)
    n, last = len(gram), eta[t - 1] if t else 0.0
    one, nothing = np.eye(n), np.zeros((n, n))
    top = (1 + beta[t]) * one - (1 + gamma[t]) * eta[t] * gram @ sampled
    return np.block(
        [
            [top, -beta[t] * one, gamma[t] * last * gram],
            [one, nothing, nothing],
            [sampled, nothing, nothing],
        ]
    )


def by_enumeration(method, gram, start, batches, steps):
    """Exact ``E L_t``: the mean over all batches at each step."""
    n = len(gram)
    moment = np.zeros((3 * n, 3 * n))
    moment[: 2 * n, : 2 * n] = np.tile(np.outer(start, start), (2, 2))
    losses = []
    for t in range(steps + 1):
        losses.append(0.5 * np.trace(moment[:n, :n]))
        moment = sum(
            (m := operators(method, gram, t, np.diag(b))) @ moment @ m.T for b in batches
        ) / len(batches)
    return np.array(losses)


def exactly(method, gram, start, share, steps):
    """The same from the covariance of the noise, ``share (n diag(M) - M)``."""
    n = len(gram)
    moment = np.zeros((3 * n, 3 * n))
    moment[: 2 * n, : 2 * n] = np.tile(np.outer(start, start), (2, 2))
    losses = []
    for t in range(steps + 1):
        here = moment[:n, :n]
        losses.append(0.5 * np.trace(here))
        mean = operators(method, gram, t, np.eye(n))
        eta, _, gamma = method.coefficients(t, 1)
        push = np.vstack([-(1 + gamma[0]) * eta[0] * gram, np.zeros((n, n)), np.eye(n)])
        noise = share * (n * np.diag(np.diag(here)) - here)
        moment = mean @ moment @ mean.T + push @ noise @ push.T
    return np.array(losses)


METHODS = [
    gradient_descent(0.3),
    heavy_ball(0.3, 0.7),
    nesterov(0.25, 0.8),
    nesterov(0.25, 0.8, start="copy"),
    nesterov_varying(0.25, steps=30),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{m.name}")
@pytest.mark.parametrize("replacement", [False, True])
def test_the_noise_of_all_batches_is_the_formula_of_its_covariance(rng, method, replacement):
    n, batch = 5, 2
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
    gram, start = (basis * rng.uniform(0.1, 1, n)) @ basis.T, rng.standard_normal(n)
    choices = product(range(n), repeat=batch) if replacement else combinations(range(n), batch)
    batches = [np.bincount(chosen, minlength=n) * n / batch for chosen in choices]
    share = noise_share(batch, n, replacement=replacement)
    np.testing.assert_allclose(
        by_enumeration(method, gram, start, batches, 12),
        exactly(method, gram, start, share, 12),
        rtol=1e-10,
    )


@pytest.mark.parametrize("batch", [2, 15])
@pytest.mark.parametrize("name", ["gradient_descent", "heavy_ball", "nesterov"])
def test_forecasts_are_near_the_exact_moments(digits, name, batch):
    gram, spectrum, residual = digits
    measure = dense(spectrum, spectrum.modes(residual) ** 2)
    beta = 0.0 if name == "gradient_descent" else 0.8
    method = FAMILIES[name](0.5 * largest_step(name, beta, measure, batch), beta)
    exact = exactly(method, gram, residual, noise_share(batch, 40), 60)
    flat = forecast_batches(method, measure, batch, 60).loss
    on_rows = forecast_batches_on_rows(method, spectrum, residual, batch, 60).loss
    # Few rows and small batches are the worst case: 5 % here (docs/batch.md).
    np.testing.assert_allclose(flat, exact, rtol=0.055)
    np.testing.assert_allclose(on_rows, exact, rtol=0.015)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{m.name}")
def test_the_full_batch_is_the_forecast(digits, method):
    _, spectrum, residual = digits
    measure = dense(spectrum, spectrum.modes(residual) ** 2)
    found = forecast_batches(method, measure, 40, 25)
    np.testing.assert_allclose(found.loss, forecast_loss(method, measure, np.arange(26)), rtol=1e-9)
    np.testing.assert_array_equal(found.loss, found.mean_loss)
    assert (found.spread == 0).all()


def test_the_mean_loss_is_the_forecast_of_the_full_batch(digits):
    _, spectrum, residual = digits
    measure = dense(spectrum, spectrum.modes(residual) ** 2)
    found = forecast_batches(nesterov(0.05, 0.9), measure, 4, 40)
    expected = forecast_loss(nesterov(0.05, 0.9), measure, np.arange(41))
    np.testing.assert_allclose(found.mean_loss, expected, rtol=1e-9)
    assert (found.loss[1:] > found.mean_loss[1:]).all()


def linear_losses(method, gram, residual, batch, runs, steps):
    """Losses of runs of the linearised network on fresh batches, shape (steps + 1, runs)."""
    rng, (eta, beta, gamma) = np.random.default_rng(20260101), method.constant
    here = np.tile(residual, (runs, 1))
    before, gone, losses, n = here, 0, [], len(residual)
    for _ in range(steps + 1):
        losses.append(0.5 * (here**2).sum(axis=1))
        chosen = rng.random((runs, n)).argsort(axis=1).argsort(axis=1) < batch
        gradient = eta * (n / batch * chosen * here) @ gram
        ahead = here + beta * (here - before) - gradient - gamma * (gradient - gone)
        here, before, gone = ahead, here, gradient
    return np.array(losses)


def test_the_spread_is_that_of_many_runs(digits):
    """Of 3,000 runs of the linear model; normal, independent modes are an approximation."""
    gram, spectrum, residual = digits
    method, batch, runs = heavy_ball(0.05, 0.8), 8, 3000
    losses = linear_losses(method, gram, residual, batch, runs, 30)
    found = forecast_batches_on_rows(method, spectrum, residual, batch, 30)
    # Three standard errors of the mean, and half of the model's own 1 %.
    slack = 3 * losses.std(axis=1) / runs**0.5 + 0.005 * found.loss
    assert (np.abs(losses.mean(axis=1) - found.loss) <= slack).all()
    np.testing.assert_allclose(found.spread[1:], losses.std(axis=1)[1:], rtol=0.25)


def test_the_spread_of_a_table_is_wider_than_its_forecast():
    data = load("diabetes", n=60, standardize=True)
    spectrum, measure = spectrum_of(data)
    gram = (spectrum.basis * spectrum.eigenvalues) @ spectrum.basis.T
    method, _ = fastest_for_batch("nesterov", measure, 12)
    losses = linear_losses(method, gram, data.y, 12, 2000, 60)
    found = forecast_batches_on_rows(method, spectrum, data.y, 12, 60)
    wider = losses.std(axis=1)[20:] / found.spread[20:]
    # The deviation of 2,000 with a heavy tail is known to 5 % or so.
    assert 1.3 < wider.min() < wider.max() < 2.5 * 1.1


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{m.name}")
def test_all_rows_move_the_weights_as_without_batches(digits, method):
    _, spectrum, residual = digits
    measure = dense(spectrum, spectrum.modes(residual) ** 2)
    # Here the residual's change is divided by eigenvalues from 0.1 on, there nothing is.
    np.testing.assert_allclose(
        distance_on_batches(method, measure, 40, 25), distance(method, measure, 25), rtol=1e-9
    )


def test_the_weights_move_on_batches_as_far_as_in_many_runs(digits, rng):
    """Of 3,000 runs of a linear model whose weights are trained, with the kernel's root for J."""
    gram, spectrum, residual = digits
    method, batch, runs = nesterov(0.03, 0.7), 3, 3000
    root = (spectrum.basis * np.sqrt(spectrum.eigenvalues)) @ spectrum.basis.T
    np.testing.assert_allclose(root @ root, gram, atol=1e-12)
    weights = before = last = np.zeros((runs, 40))
    squares = []
    for _ in range(31):
        squares.append((weights**2).sum(axis=1))
        chosen = rng.random((runs, 40)).argsort(axis=1) < batch
        gradient = (40 / batch * chosen * (residual + weights @ root)) @ root
        drive = method.eta * gradient
        step = method.beta * (weights - before) - drive - method.gamma * (drive - last)
        weights, before, last = weights + step, weights, drive
    squares = np.array(squares)
    measure = dense(spectrum, spectrum.modes(residual) ** 2)
    found = distance_on_batches(method, measure, batch, 30) ** 2
    # Three standard errors of the mean, and the flat moments' own error, which is 2 % here.
    slack = 3 * squares.std(axis=1) / runs**0.5 + 0.02 * found
    assert (np.abs(squares.mean(axis=1) - found) <= slack).all()
    assert (found[5:] > 1.06 * distance(method, measure, 30)[5:] ** 2).all()


def test_merged_modes_count_eigenvalues(rng):
    """Each eigenvalue twice: the same forecast from half as many nodes with counts of two."""
    values, weights = np.sort(rng.uniform(0.1, 1, 8)), rng.exponential(size=16)
    twice = Measure(np.repeat(values, 2), weights)
    merged = Modes(values, weights.reshape(8, 2).sum(axis=1), np.full(8, 2.0))
    method = nesterov(0.2, 0.7)
    whole, few = (forecast_batches(method, modes, 3, 20) for modes in (twice, merged))
    np.testing.assert_allclose(few.loss, whole.loss, rtol=1e-12)
    assert excess(method, merged, 3) == pytest.approx(excess(method, twice, 3))
    far = [distance_on_batches(method, modes, 3, 20) for modes in (twice, merged)]
    np.testing.assert_allclose(far[1], far[0], rtol=1e-12)


def test_merging_changes_little():
    measure = Measure(np.geomspace(1e-4, 1, 1000), np.geomspace(0.1, 1, 1000))
    modes = modes_of(measure, most=100)
    assert modes.rows == 1000
    assert modes.weights.sum() == pytest.approx(measure.total)
    assert modes.counts @ modes.nodes == pytest.approx(measure.nodes.sum())
    whole, few = (forecast_batches(heavy_ball(0.01, 0.9), m, 10, 200) for m in (measure, modes))
    np.testing.assert_allclose(few.loss, whole.loss, rtol=5e-3)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    ("name", "beta"), [("gradient_descent", 0.0), ("heavy_ball", 0.9), ("nesterov", 0.9)]
)
def test_the_limit_is_where_the_exact_operator_stops_contracting(digits, name, beta, batch):
    gram, residual = digits[0][:16, :16], digits[2][:16]
    spectrum = decompose(gram)
    measure = dense(spectrum, spectrum.modes(residual) ** 2)
    limit = largest_step(name, beta, measure, batch)
    share = noise_share(batch, 16)
    for stretch, grows in ((0.97, False), (1.03, True)):
        losses = exactly(FAMILIES[name](stretch * limit, beta), gram, residual, share, 1000)
        # The slowest mode of the moments decides long before.
        assert (losses[1000] > losses[900]) == grows


@pytest.mark.parametrize("name", ["heavy_ball", "nesterov", "quasi_hyperbolic"])
@pytest.mark.parametrize("beta", [0.3, 0.9])
def test_the_full_batch_has_the_limit_of_the_modes(digits, name, beta):
    _, spectrum, residual = digits
    measure = dense(spectrum, residual**2)
    unit = FAMILIES[name](1.0, beta)
    limit = stability_limit(unit) / measure.largest / unit.constant[0]
    assert largest_step(name, beta, measure, 40) == pytest.approx(limit)
    assert largest_step(name, beta, measure, 1) < limit


def test_small_batches_of_heavy_ball_end_at_the_other_plateau():
    """``eta tau tr H = 2 (1 - beta)`` for many small modes (Andreyev et al. 2026)."""
    measure = Measure(np.full(4000, 0.01), np.ones(4000))
    for beta in (0.0, 0.5, 0.9):
        plateau = 2 * (1 - beta) / (noise_share(1, 4000) * 40)
        assert largest_step("heavy_ball", beta, measure, 1) == pytest.approx(plateau, rel=0.01)


def test_the_gain_of_heavy_ball_is_its_short_form():
    l, eta, beta, share = np.geomspace(1e-9, 1, 20), 1.3, 0.8, 0.07
    short = share * eta * l * (1 + beta) / ((1 - beta) * (2 * (1 + beta) - eta * l))
    found = noise_gain(np.array([[eta]]), np.array([[beta]]), np.array([[0.0]]), l, share)[0]
    np.testing.assert_allclose(found, short, rtol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_the_gain_is_the_stationary_variance_of_a_mode(decay):
    """Run one mode with noise of power 1 until its variance stands; decay makes no noise."""
    eta, beta, l = 0.6, 0.7, 1.0 - decay
    trace, determinant, b0, b1 = (
        1 + beta - (1 + beta) * eta,
        beta - beta * eta,
        -1.7 * eta * l,
        0.7 * eta * l,
    )
    impulse, before, variance = b0, 0.0, 0.0
    for t in range(400):
        variance += impulse**2
        impulse, before = trace * impulse - determinant * before + (b1 if t == 0 else 0), impulse
    settings = (np.array([[v]]) for v in (eta, beta, beta))
    gain = noise_gain(*settings, np.array([l]), 1.0, decay)[0, 0]
    assert gain == pytest.approx(variance)


def test_a_mode_where_the_kernel_is_zero_is_the_limit_of_a_small_one():
    """It moves no weight and sets no limit, and its residual adds to the noise of the others."""
    nodes, weights, method = np.geomspace(1e-6, 1, 40), np.ones(40), nesterov(0.2, 0.7)
    small, zero = nodes.copy(), nodes.copy()
    small[0], zero[0] = 1e-14, 0.0
    near, at = Measure(small, weights), Measure(zero, weights)
    np.testing.assert_allclose(
        distance_on_batches(method, at, 3, 20),
        distance_on_batches(method, near, 3, 20),
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        distance_on_batches(method, at, 40, 20), distance(method, at, 20), rtol=1e-9
    )
    for name in ("heavy_ball", "nesterov"):
        limit = largest_step(name, 0.7, at, 3)
        assert limit == pytest.approx(largest_step(name, 0.7, near, 3))
        assert limit > 0


@pytest.mark.parametrize("batch", [2, 20, 120])
@pytest.mark.parametrize("name", ["gradient_descent", "heavy_ball", "nesterov"])
def test_the_best_setting_is_near_the_best_of_a_grid(name, batch):
    data = load("digits", n=120)
    spectrum = decompose(infinite_gram(data.x))
    measure = dense(spectrum, spectrum.modes(data.y) ** 2)
    method, steps = fastest_for_batch(name, measure, batch, target=0.05)
    found = forecast_batches(method, measure, batch, 2 * steps)
    assert found.steps_to(0.05) == steps
    assert (found.loss[steps:] <= 0.05 * found.loss[0])[: max(20, steps // 4)].all()
    best = np.inf
    for beta in [0.0] if name == "gradient_descent" else 1 - np.geomspace(0.8, 0.02, 12):
        limit = largest_step(name, float(beta), measure, batch)
        for share in np.linspace(0.09, 0.9, 10):
            other = forecast_batches(
                FAMILIES[name](share * limit, float(beta)), measure, batch, steps
            )
            settled = np.flatnonzero(other.loss <= 0.05 * other.loss[0])
            best = min(best, settled[0] if settled.size else np.inf)
    # The grid does not ask its loss to stay below the target.
    assert steps <= max(1.1 * best, best + 2)


def test_sizes(digits):
    _, spectrum, residual = digits
    measure = dense(spectrum, residual**2)
    sizes, values = batch_sizes(measure), spectrum.eigenvalues
    assert sizes.noise_limits_below == pytest.approx(values.sum() / values[-1])
    assert sizes.momentum_pays_above == pytest.approx(
        values.sum() / (2 * np.sqrt(values[0] * values[-1]))
    )


@pytest.mark.parametrize(("batch", "saved"), [(1, 27), (3, 51), (76, 80), (360, 84)])
def test_momentum_saves_on_batches_what_the_page_says(batch, saved):
    measure = measure_of(load("digits"))
    names = ("gradient_descent", "heavy_ball", "nesterov")
    plain, *others = (fastest_for_batch(name, measure, batch)[1] for name in names)
    assert round(100 * (1 - min(others) / plain)) == saved


@pytest.mark.parametrize("batch", [0, -1, 41, True])
def test_a_batch_is_a_whole_number_of_rows(batch):
    with pytest.raises(InvalidInput, match="batch is"):
        noise_share(batch, 40)
