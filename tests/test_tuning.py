"""Rules against brute-force optima, and the claims their sources make for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inertial import (
    Extremes,
    InvalidInput,
    Settings,
    forecast_loss,
    gradient_descent,
    heavy_ball,
    load,
    measure_of,
    nesterov,
    spectral_radius,
    stability_limit,
    steps_to,
    tune,
)
from inertial.linear.measure import Measure
from inertial.method import race
from inertial.method.rules import METHODS, RULES, choose, fastest
from inertial.runs.check import settles
from inertial.runs.config import DataSet, Study

conditions = st.floats(1.5, 1e6)


def ends(condition, largest=3.0, size=50):
    return Extremes(largest / condition, largest, 0.0, 0.0, size)


@pytest.fixture(scope="module")
def measure():
    return measure_of(load("digits", n=150))


def by(rule):
    """The rule's choice from both ends of the spectrum alone."""

    def tuned(name, ends):
        pair = np.array([ends.smallest, ends.largest])
        return choose(rule, name, Measure(pair, np.ones(2), ends))

    return tuned


paper, quadratic, wang = by("paper"), by("quadratic"), by("wang2020")


@given(conditions)
def test_the_paper_rule_has_the_radii_of_its_theorem(condition):
    """Claimed rates 1 - 1/(2 sqrt k), heavy ball exactly, Nesterov at most 1 - 2/(3 sqrt k)."""
    extremes = ends(condition)
    kappa = 4 / 3 * condition + 1 / 3
    # The rule is made for spectra inside [3/4 lambda_min, lambda_max + lambda_min/4].
    spectrum = np.linspace(0.75 * extremes.smallest, extremes.largest + extremes.smallest / 4, 200)
    root = np.sqrt(kappa)
    assert spectral_radius(paper("heavy_ball", extremes), spectrum) == pytest.approx(
        1 - 1 / (2 * root), abs=1e-7
    )
    assert spectral_radius(paper("nesterov", extremes), spectrum) <= 1 - 2 / (3 * root) + 1e-7
    assert spectral_radius(paper("gradient_descent", extremes), spectrum) == pytest.approx(
        1 - 1 / kappa
    )


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("condition", [2.0, 30.0, 1000.0])
def test_the_quadratic_rule_beats_its_neighbours(name, condition):
    """No step size or momentum nearby has a smaller spectral radius on [mu, L]."""
    extremes = ends(condition)
    spectrum = np.geomspace(extremes.smallest, extremes.largest, 400)
    best = quadratic(name, extremes)
    radius = spectral_radius(best, spectrum)
    for stretch in (0.95, 0.99, 1.0, 1.01, 1.05):
        for push in (-0.02, -0.005, 0.0, 0.005, 0.02):
            beta = float(np.clip(best.constant[1] + push * (1 - best.constant[1]), 0, 0.9999))
            eta = best.constant[0] * stretch
            other = nesterov(eta, beta) if name == "nesterov" else heavy_ball(eta, beta)
            if name == "gradient_descent":
                other = heavy_ball(eta, 0.0)
            # Double roots: the radius at the optimum is exact to sqrt(eps) only.
            assert spectral_radius(other, spectrum) >= radius - 1e-7


@given(conditions)
def test_the_quadratic_rule_has_the_rates_of_its_sources(condition):
    extremes = ends(condition)
    spectrum = np.array([extremes.smallest, extremes.largest])
    root = np.sqrt(condition)
    expected = {
        "gradient_descent": (condition - 1) / (condition + 1),
        "heavy_ball": (root - 1) / (root + 1),
        "nesterov": 1 - 2 / np.sqrt(3 * condition + 1),
    }
    for name, rate in expected.items():
        assert spectral_radius(quadratic(name, extremes), spectrum) == pytest.approx(rate, abs=1e-7)


@given(conditions)
def test_wang_and_abernethys_momentum_is_the_square_of_their_rate(condition):
    extremes = ends(condition)
    method = wang("heavy_ball", extremes)
    rate = 1 - np.sqrt(method.constant[0] * extremes.smallest / 2)
    assert method.constant[0] * extremes.smallest <= 0.5
    spectrum = np.array([extremes.smallest / 2, extremes.smallest, extremes.largest])
    assert spectral_radius(method, spectrum) == pytest.approx(rate, abs=1e-7)


@pytest.mark.parametrize("name", METHODS)
def test_the_forecast_rule_is_as_good_as_an_exhaustive_search(measure, name):
    """No setting of a finer grid inside the margin settles below the target clearly sooner."""
    target = 0.01
    count = steps_to(fastest(name, measure, target), measure, target)
    steps = np.arange(2 * count)
    settle = []
    for beta in [0.0] if name == "gradient_descent" else 1 - np.geomspace(0.01, 0.5, 25):
        gamma = beta if name == "nesterov" else 0.0
        limit = 2 * (1 + beta) / (1 + 2 * gamma) / measure.largest
        for share in np.linspace(0.1, 0.9, 33):
            make = nesterov if gamma else heavy_ball
            loss = forecast_loss(make(share * limit, beta), measure, steps)
            above = np.flatnonzero(loss > target * loss[0])
            settle.append(above[-1] + 1)
    # The rule's grid is 40 x 50; between its points lie at most a step or two.
    assert count <= min(settle) + 2


def test_the_forecast_rule_keeps_its_margin(measure):
    for name in METHODS:
        method = choose("forecast", name, measure)
        share = method.constant[0] * measure.largest / stability_limit(method)
        assert 0 < share <= 0.9 * (1 + 1e-12)


@pytest.mark.parametrize("condition", [1.0, 2.0, 10.0, 1e4])
@pytest.mark.parametrize("target", [0.1, 1e-4, 1e-8])
def test_the_forecast_rule_is_no_slower_than_what_was_published(condition, target):
    eigenvalues = np.linspace(1.0, condition, 30)
    weights = np.ones(30)
    extremes = Extremes(1.0, condition, 0.0, 0.0, 30)

    def settled(method):
        steps = np.arange(6000)
        loss = forecast_loss(method, Measure(eigenvalues, weights), steps)
        return np.flatnonzero(loss > target * loss[0])[-1] + 1

    for name in METHODS:
        ours = settled(fastest(name, Measure(eigenvalues, weights), target))
        for rule in (paper, quadratic):
            other = rule(name, extremes)
            if other.constant[0] * condition <= 0.9 * stability_limit(other):
                assert ours <= settled(other)
        if name != "gradient_descent":
            assert ours <= settled(
                fastest("gradient_descent", Measure(eigenvalues, weights), target)
            )


def test_every_rule_on_one_spectrum_by_hand():
    """lambda from 1 to 9, n = 10: condition 9, kappa = 37/3, bound 9.25."""
    extremes = Extremes(1.0, 9.0, 0.0, 0.0, 10)
    root = np.sqrt(37 / 3)
    expected = {
        (paper, "gradient_descent"): (4 / 37, 0.0),
        (paper, "heavy_ball"): (4 / 37, (1 - 1 / (2 * root)) ** 2),
        (paper, "nesterov"): (2 / 37, (3 * root - 2) / (3 * root + 2)),
        (quadratic, "gradient_descent"): (0.2, 0.0),
        (quadratic, "heavy_ball"): (4 / 16, 0.25),
        (quadratic, "nesterov"): (4 / 28, (28**0.5 - 2) / (28**0.5 + 2)),
        (wang, "gradient_descent"): (0.01, 0.0),
        (wang, "heavy_ball"): (0.01, (1 - np.sqrt(0.005)) ** 2),
    }
    for (rule, name), (eta, beta) in expected.items():
        method = rule(name, extremes)
        assert (method.constant[0], method.constant[1]) == pytest.approx((eta, beta)), (rule, name)
        assert method.constant[2] == (method.constant[1] if name == "nesterov" else 0.0)


def plain_race(candidates, nodes, mass, target, steps):
    """Every candidate takes every step; who is below and stays there first has won."""
    eta, beta, gamma = np.array([method.constant for method in candidates]).T[:, :, None]
    scaled = eta * nodes
    residual, step, gradient = np.ones_like(scaled), np.zeros_like(scaled), np.zeros_like(scaled)
    since = np.zeros(len(candidates))
    for t in range(steps):
        loss = residual**2 @ mass
        since[loss > target * mass.sum()] = t + 1
        settled = np.flatnonzero(since + np.maximum(0.25 * since, 20) <= t)
        if settled.size:
            first = settled[since[settled] == since[settled].min()]
            return int(first[np.argmin(loss[first])])
        previous, gradient = gradient, scaled * residual
        step = beta * step - gradient - gamma * (gradient - previous)
        residual = residual + step
    return None


@given(
    st.integers(0, 2**31),
    st.integers(1, 60),
    st.floats(0.0, 7.0),
    st.floats(-6.0, -0.05),
    st.sampled_from(["heavy_ball", "nesterov"]),
)
def test_the_race_has_the_winner_that_taking_every_step_has(seed, count, decades, target, name):
    """Also where nobody settles, where the loss rings, and where one mode holds all."""
    rng = np.random.default_rng(seed)
    nodes = np.sort(10 ** rng.uniform(-decades, 0, count))
    mass = 10 ** rng.uniform(-3, 0, count)
    betas, shares = 1 - 10 ** rng.uniform(-3.5, 0, 40), rng.uniform(0.02, 0.9, 40)
    make = {"heavy_ball": heavy_ball, "nesterov": nesterov}[name]
    settings = [
        make(float(share * stability_limit(make(1.0, float(beta))) / nodes[-1]), float(beta))
        for beta, share in zip(betas, shares, strict=True)
    ]
    ours = race.first_to_settle(settings, nodes, mass, 10**target, steps=1500)
    plain = plain_race(settings, nodes, mass, 10**target, 1500)
    assert (ours is None) == (plain is None)
    if ours != plain:  # only a tie of rounding may fall differently
        last = np.array([1499])
        losses = [forecast_loss(settings[i], Measure(nodes, mass), last)[0] for i in (ours, plain)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-9, abs=1e-13 * mass.sum())


def test_a_mark_lies_in_every_stretch_that_a_setting_stays_low_for():
    marks = np.array(list(race._marks(5000)))
    for r in range(1, 5000):
        if race.settled_by(r) < 5000:
            assert ((marks >= r) & (marks <= race.settled_by(r))).any()


@pytest.mark.parametrize("steps", [5_000, 200_000])
def test_a_target_out_of_reach_gets_the_lowest_loss(steps):
    eigenvalues, weights = np.geomspace(1e-12, 1.0, 20), np.ones(20)
    ours = fastest("heavy_ball", Measure(eigenvalues, weights), 1e-9, steps=steps)
    last = np.array([steps - 1])
    lowest = forecast_loss(ours, Measure(eigenvalues, weights), last)[0]
    for beta in (0.0, 0.5, 0.9, 0.99):
        for share in (0.2, 0.5, 0.9):
            other = heavy_ball(share * 2 * (1 + beta), beta)
            assert lowest <= forecast_loss(other, Measure(eigenvalues, weights), last)[0] * 1.02


def test_what_lies_at_zero_does_not_decide_by_rounding():
    """A fifth of the loss stays: a million steps later all settings are as low but for rounding."""
    measure = Measure(np.array([0.0, 0.01, 0.1, 0.5, 1.0]), np.ones(5))
    for name in ("heavy_ball", "nesterov"):
        assert fastest(name, measure, 0.01) == fastest(name, measure, 0.01, steps=5_000)


@pytest.mark.parametrize("condition", [1e8, 1e10])
def test_ill_conditioned_kernels_get_momenta_near_one(condition):
    """Polyak's setting for the ends, the best rate of all, is no faster by more than rings."""
    measure = Measure(np.geomspace(1, condition, 60), np.ones(60))
    ours = fastest("heavy_ball", measure, 0.01)
    steps = settles(ours, measure, 0.01)
    for share in (1.0, 0.5, 0.2):  # of the distance of Polyak's momentum from 1, and of its step
        polyak = RULES["quadratic"].choices["heavy_ball"](measure, 0.01)
        beta = 1 - share * (1 - polyak.constant[1])
        for part in (0.3, 0.6, 0.9):
            other = heavy_ball(2 * part * (1 + beta) / condition, beta)
            # It settles no earlier than it is first there, which is found at once.
            for count in (steps_to, settles):
                found = count(other, measure, 0.01)
                if found is None or steps <= 1.1 * found:  # momenta lie 1.23 times apart
                    break
            else:
                pytest.fail(f"{other} is faster")


@pytest.mark.parametrize("target", [0.5, 0.1, 1e-12])
def test_of_gradient_descents_with_as_many_steps_the_lowest_loss_wins(target):
    for nodes in (np.full(3, 2.0), np.array([0.3, 1.0, 1.1])):
        kernel = Measure(nodes, np.ones(3))
        ours = fastest("gradient_descent", kernel, target)
        steps = steps_to(ours, kernel, target)
        lowest = forecast_loss(ours, kernel, np.array([steps]))[0]
        for share in np.linspace(0.018, 0.9, 50):  # of its own grid
            other = heavy_ball(2 * share / nodes.max(), 0.0)
            count = steps_to(other, kernel, target)
            assert count is None or count >= steps
            if count == steps:
                assert lowest <= forecast_loss(other, kernel, np.array([steps]))[0]
    assert fastest("gradient_descent", Measure(np.full(3, 2.0), np.ones(3)), 0.5).eta == 0.5


def test_merging_keeps_ends_and_mass_and_hardly_moves_the_forecast(rng):
    eigenvalues, weights = np.sort(10 ** rng.uniform(-4, 2, 5000)), rng.uniform(0.1, 1, 5000)
    merged = Measure(eigenvalues, weights).merged(600)
    nodes, mass = merged.nodes, merged.weights
    assert len(nodes) <= 600
    assert (nodes[0], nodes[-1]) == (eigenvalues[0], eigenvalues[-1])
    assert np.all(np.diff(nodes) >= 0)
    np.testing.assert_allclose(mass.sum(), weights.sum(), rtol=1e-12)
    for method in (gradient_descent(1.8 / nodes[-1]), heavy_ball(1 / nodes[-1], 0.95)):
        steps = np.arange(0, 60, 7)
        # A bin spans a ratio of 10^(6/600), 2.3 %; the mean within it moves a loss by far less.
        np.testing.assert_allclose(
            forecast_loss(method, Measure(nodes, mass), steps),
            forecast_loss(method, Measure(eigenvalues, weights), steps),
            rtol=2e-3,
        )


def test_merging_eigenvalues_changes_the_choice_little():
    rng = np.random.default_rng(0)
    eigenvalues = np.sort(np.concatenate([rng.uniform(1e-3, 1, 1500), [20.0, 300.0]]))
    weights = np.concatenate([rng.uniform(0, 1, 1500), [300.0, 2000.0]])
    method = fastest("nesterov", Measure(eigenvalues, weights), 0.05)
    merged = steps_to(method, Measure(eigenvalues, weights), 0.05)
    few = np.concatenate([eigenvalues[:1500:4], eigenvalues[-2:]])
    mass = np.concatenate([weights[:1500].reshape(-1, 4).sum(axis=1), weights[-2:]])
    exact = steps_to(
        fastest("nesterov", Measure(few, mass), 0.05), Measure(eigenvalues, weights), 0.05
    )
    assert merged == pytest.approx(exact, rel=0.1)


def test_what_a_rule_does_not_define_is_refused(measure):
    with pytest.raises(InvalidInput, match=r"wang2020' does not define nesterov, only gradient"):
        choose("wang2020", "nesterov", measure)
    with pytest.raises(InvalidInput, match="did you mean 'paper'"):
        choose("papre", "nesterov", measure)
    with pytest.raises(InvalidInput, match=r"target is 1.5"):
        choose("forecast", "nesterov", measure, target=1.5)


def test_compare_and_a_study_run_what_tune_recommends_unless_they_are_told():
    recommended = {entry.rule for entry in tune(load("digits", n=30), trials=0).methods}
    assert recommended == {Settings().rule} == {*Study("any", (DataSet("digits"),)).rules}
    assert recommended == {"forecast"}


def test_every_rule_names_its_source():
    for key, rule in RULES.items():
        assert key == rule.key
        assert rule.source
        assert set(rule.methods) <= set(METHODS)
