"""Predicted movement against the definition in many digits, a linear model, and real networks."""

import dataclasses
import re
from pathlib import Path

import jax
import mpmath
import numpy as np
import pandas as pd
import pytest

from inertial import (
    Measure,
    Settings,
    TwoLayerReLU,
    chebyshev,
    compare,
    decompose,
    finite_gram,
    gradient_descent,
    heavy_ball,
    initial_residual,
    load,
    measure_of,
    nesterov,
    nesterov_varying,
    optimal_schedule,
    steps_to,
    train,
    tune,
)
from inertial.linear.expected import spectrum_of
from inertial.linear.measure import dense
from inertial.method.batch import distance_on_batches, fastest_for_batch, forecast_batches
from inertial.method.modes import amplification
from inertial.method.trust import (
    DEPARTS,
    HOLDS,
    IN_A_PLANE,
    KEPT,
    WIDEST,
    Trust,
    agree,
    distance,
    movement,
    sensitivity,
    trust,
)
from inertial.runs.check import Starts, judged, proposed
from inertial.runs.exploration import explore
from inertial.simulation.span import span
from inertial.view.explorer_page import explorer_page

DOCS = Path(__file__).parents[1] / "docs"

METHODS = [
    gradient_descent(0.9),
    heavy_ball(1.1, 0.8),
    nesterov(0.8, 0.9),
    nesterov(0.8, 0.9, start="copy"),
    nesterov_varying(0.8, steps=40),
    chebyshev(0.01, 1.05, steps=40),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_it_is_the_quotient_that_it_does_not_take(method):
    """``q = (1 - p) / l`` with p in 40 digits, where l is small enough to lose half of 16."""
    nodes, weights = np.array([1e-9, 1e-3, 0.3, 1.0]), np.array([2.0, 1.0, 0.5, 3.0])
    eta, beta, gamma = method.coefficients(0, 30)
    with mpmath.workdps(40):
        total = [mpmath.mpf(0)] * 31
        for l, w in zip(nodes, weights, strict=True):
            p, step, gradient = mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)
            for t in range(30):
                before, gradient = gradient, mpmath.mpf(eta[t]) * mpmath.mpf(l) * p
                step = beta[t] * step - gradient - gamma[t] * (gradient - before)
                p += step
                total[t + 1] += mpmath.mpf(l) * ((1 - p) / mpmath.mpf(l)) ** 2 * mpmath.mpf(w)
        exact = [float(mpmath.sqrt(value)) for value in total]
    np.testing.assert_allclose(distance(method, Measure(nodes, weights), 30), exact, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_it_is_how_far_a_linear_model_moves(rng, method):
    """Gradient steps on ``1/2 |J w - y|^2`` in the space of parameters."""
    jacobian, y = rng.standard_normal((6, 15)) / 6, rng.standard_normal(6)
    spectrum = decompose(jacobian @ jacobian.T)
    eta, beta, gamma = method.coefficients(0, 20)
    w, step, scaled, far = np.zeros(15), np.zeros(15), np.zeros(15), [0.0]
    for t in range(20):
        before, scaled = scaled, eta[t] * jacobian.T @ (jacobian @ w - y)
        step = beta[t] * step - scaled - gamma[t] * (scaled - before)
        w = w + step
        far.append(np.linalg.norm(w))
    measure = dense(spectrum, spectrum.modes(y) ** 2)
    np.testing.assert_allclose(distance(method, measure, 20), far, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS[:5], ids=lambda m: m.name)
def test_it_agrees_with_the_amplification(method):
    nodes = np.geomspace(1e-2, 1, 9)
    factor = amplification(method, nodes, np.arange(31))
    expected = np.sqrt(((1 - factor) ** 2 / nodes).sum(axis=1))
    found = distance(method, Measure(nodes, np.ones(9)), 30)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_movement_is_that_of_real_networks_within_five_percent():
    """Two methods and scales of the targets; below 0.3, with the kernel and residual of the run."""
    base = load("digits", n=60)
    network = TwoLayerReLU(2000, base.x.shape[1])
    within = span(base.x)
    w, _ = network.init(jax.random.key(1))
    spectrum = decompose(finite_gram(base.x, np.asarray(w)))
    for scale in (0.2, 1.0):
        y = scale * base.y
        residual = initial_residual(network, base.x, y, seed=1)
        measure = dense(spectrum, spectrum.modes(residual) ** 2)
        for method in (heavy_ball(1 / measure.largest, 0.7), nesterov(0.5 / measure.largest, 0.8)):
            seen = {}
            train(
                network, base.x, y, method, seed=1, steps=30, within=within,
                snapshots=(0, 10, 30), observe=lambda t, at, seen=seen: seen.setdefault(t, at),
            )  # fmt: skip
            predicted = movement(method, measure, 2000, 30)
            for t in (10, 30):
                real = np.sqrt(((seen[t] - seen[0]) ** 2).sum() / 2000)
                assert predicted[t] < 0.3
                assert real == pytest.approx(predicted[t], rel=0.05)


@pytest.fixture(scope="module")
def data():
    return load("digits", n=100)


@pytest.fixture(scope="module")
def measure(data):
    return measure_of(data)


def test_the_width_needed_is_where_the_verdict_turns(measure):
    method = heavy_ball(1 / measure.largest, 0.7)
    found = trust(method, measure, 50)
    assert found.verdict == "does not hold here"
    assert found.remedy
    wide, narrow = (trust(method, measure, found.width_needed + more) for more in (1, -1))
    assert (wide.verdict, narrow.verdict) == ("holds", "departs")
    assert wide.strain < HOLDS <= narrow.strain < DEPARTS
    assert not wide.remedy


@pytest.mark.parametrize("family", [heavy_ball, nesterov])
@pytest.mark.parametrize(
    ("beta", "share", "counted"),
    [
        (0.0, 1.5, lambda t: t),  # 3 steps, and 2 sqrt(3) were more
        (0.0, 0.05, lambda t: 2 * t**0.5),
        (0.5, 0.2, lambda t: t),  # 11 steps, of a bend at 16
        (0.5, 0.05, lambda t: 4 * t**0.5),
        (0.75, 0.1, lambda t: t),
        (0.75, 0.01, lambda t: 8 * t**0.5),
    ],
)
def test_strain_is_movement_times_steps_that_a_memory_sums(measure, family, beta, share, counted):
    method = family(share / measure.largest, beta)
    steps = steps_to(method, measure, 0.1)
    found = trust(method, measure, 500, target=0.1)
    assert found.movement == pytest.approx(movement(method, measure, 500, steps).max())
    assert found.strain == pytest.approx(found.movement * counted(steps))


def test_strain_goes_over_into_that_of_gradient_descent(measure):
    eta = 0.05 / measure.largest
    plain = trust(gradient_descent(eta), measure, 500, target=0.1)
    for small in (1e-4, 1e-9):
        one = trust(heavy_ball(eta, small), measure, 500, target=0.1)
        assert one.strain == pytest.approx(plain.strain, rel=3 * small)


@pytest.mark.parametrize("kind", ["gradient_descent", "nesterov"])
def test_on_batches_strain_is_of_the_movement_and_the_steps_there(measure, kind):
    method, _ = fastest_for_batch(kind, measure, 5, target=0.1)
    steps = forecast_batches(method, measure, 5, 500).steps_to(0.1)
    found = trust(method, measure, 500, target=0.1, batch=5)
    far = distance_on_batches(method, measure, 5, steps).max() / 500**0.5
    assert found.movement == pytest.approx(far)
    assert found.strain == pytest.approx(far * (steps if method.constant[1] else 2 * steps**0.5))
    slow = gradient_descent(1e-6 / measure.largest)
    far = distance_on_batches(slow, measure, 5, 1000).max() / 500**0.5
    assert trust(slow, measure, 500, batch=5).movement == pytest.approx(far, rel=1e-12)


def slope_by_recursion(method, measure, steps):
    """S_t from the recursion of ``d = l p'(l)``, which the product rule makes of that of p."""
    eta, beta, gamma = method.coefficients(0, steps)
    p, d, dp, dd = np.ones_like(measure.nodes), 0.0, 0.0, 0.0
    force, slope = 0.0, 0.0
    for t in range(steps):
        old, old_slope = force, slope
        force, slope = eta[t] * measure.nodes * p, eta[t] * measure.nodes * (p + d)
        dp = beta[t] * dp - force - gamma[t] * (force - old)
        dd = beta[t] * dd - slope - gamma[t] * (slope - old_slope)
        p, d = p + dp, d + dd
    return np.sqrt((d**2 @ measure.weights) / (p**2 @ measure.weights))


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("steps", [1, 7, 30])
def test_sensitivity_is_the_derivative_by_the_eigenvalues_logarithm(method, steps):
    measure = Measure(np.array([1e-3, 0.02, 0.3, 1.0]), np.array([2.0, 1.0, 0.5, 3.0]))
    expected = slope_by_recursion(method, measure, steps)
    assert sensitivity(method, measure, steps) == pytest.approx(expected, rel=1e-4)


def test_sensitivity_has_its_ends(measure):
    """Nothing is left of the residual, or more than there are numbers for."""
    assert sensitivity(gradient_descent(1.0), Measure(np.ones(1), np.ones(1)), 2) == 0
    assert sensitivity(gradient_descent(10.0), measure, 200) == np.inf


def test_of_a_schedule_its_steepness_counts_or_its_steps(measure):
    """Steeper than t where it equioscillates; of a momentum that climbs slowly t is more."""
    steep, flat = optimal_schedule(measure, 1000), nesterov_varying(0.5 / measure.largest)
    for method, steeper in ((steep, True), (flat, False)):
        steps = steps_to(method, measure, 0.01)
        slope = slope_by_recursion(method, measure, steps)
        assert (slope > 2 * steps, slope < steps / 2) == (steeper, not steeper)
        found = trust(method, measure, 500)
        expected = movement(method, measure, 500, steps).max() * max(steps, slope)
        assert found.strain == pytest.approx(expected, rel=1e-5)
    short = optimal_schedule(measure, 3)
    found = trust(short, measure, 500, target=1e-6)
    assert found.movement == pytest.approx(movement(short, measure, 500, 3).max())
    slope = slope_by_recursion(short, measure, 3)
    assert found.strain == pytest.approx(found.movement * max(3, slope), rel=1e-5)


@pytest.mark.parametrize(
    ("rows", "width", "target", "verdict"),
    [
        # Promises kept by starts 0 to 11: 8, 9, 9 and 10 of 12, then all.
        (100, 1500, 0.01, "departs"),
        (150, 2000, 0.01, "does not hold here"),
        (200, 2500, 0.01, "departs"),
        (150, 4000, 0.01, "departs"),
        (100, 1500, 0.1, "holds"),
        (150, 2000, 0.1, "holds"),
        (200, 2500, 0.1, "holds"),
    ],
)
def test_a_schedule_holds_where_its_promises_were_kept(rows, width, target, verdict):
    measure = measure_of(load("digits", n=rows))
    found = trust(optimal_schedule(measure, 100), measure, width, target=target)
    assert found.verdict == verdict
    assert (found.strain < HOLDS) == (target == 0.1)


def counted(*lines):
    """Sum the counts ``a of b`` of lines."""
    pairs = [pair for line in lines for pair in re.findall(r"(\d+) of (\d+)", line)]
    return tuple(sum(map(int, numbers)) for numbers in zip(*pairs, strict=True))


def test_departs_says_how_often_it_was_so_of_constants_schedules_and_batches(monkeypatch):
    """By the counts of the docs, from which the words follow."""
    text = (DOCS / "trust.md").read_text() + (DOCS / "batch.md").read_text()
    found = re.findall(r"^\|[^|]+\| \*departs\* \|.* of .*$", text, re.MULTILINE)
    *constants, schedules, batches = found
    assert counted(*constants) == KEPT["constants"]
    assert counted(schedules) == KEPT["schedule"]
    assert counted(batches) == KEPT["batches"]
    measure = measure_of(load("digits", n=100))
    method, schedule = heavy_ball(1 / measure.largest, 0.7), optimal_schedule(measure, 100)

    def sentence(one, batch=None):
        alone = trust(one, measure, 1, batch=batch).strain
        return trust(one, measure, round((alone / 4) ** 2), batch=batch).sentence

    assert sentence(method).startswith("the forecast to 1 % departs in one of three such runs (")
    assert sentence(schedule).startswith("the forecast to 1 % departs in one of seven such runs (")
    slow = gradient_descent(0.1 / measure.largest)
    assert sentence(slow, 20).startswith(
        "the forecast over 1,000 steps departs in one of six such runs ("
    )
    monkeypatch.setitem(KEPT, "schedule", (9, 12))
    assert "one of 4 such runs" in sentence(schedule)


def test_large_targets_are_to_be_standardised_and_following_it_helps(data, measure):
    large = dataclasses.replace(data, y=100 * data.y)
    method = heavy_ball(1 / measure.largest, 0.7)
    found = trust(method, measure_of(large), 2000)
    assert found.verdict == "does not hold here"
    assert "standardise the targets" in found.remedy
    assert found.width_needed > WIDEST
    assert f"); {found.remedy}" in found.sentence
    assert trust(method, measure, 2000).strain < found.strain / 50


def test_the_sentence_has_the_remedy_where_one_is_needed(measure):
    method = heavy_ball(1 / measure.largest, 0.8)
    good, bad = (trust(method, measure, width).sentence for width in (10**9, 10))
    assert good.startswith("the forecast to 1 % holds (width 1,000,000,000: movement ")
    assert "would" not in good
    assert bad.startswith("the forecast to 1 % does not hold here (width 10: ")
    assert bad.endswith(trust(method, measure, 10).remedy)


@pytest.mark.parametrize("width", [2, 10, 100])
def test_the_width_that_is_said_is_one_from_which_it_holds(measure, width):
    method = heavy_ball(1 / measure.largest, 0.8)
    said = trust(method, measure, width).sentence
    number = int(re.search(r"from a width of ([\d,]+);", said)[1].replace(",", ""))
    assert trust(method, measure, number).verdict == "holds"


def test_a_run_that_grows_holds_at_no_width(measure):
    found = trust(heavy_ball(10 / measure.largest, 0.9), measure, 2000)
    assert found.verdict == "does not hold here"
    assert found.width_needed == 10**15


def width_at(method, measure, strain):
    """Return a width at which the strain is this: it falls with the root of the width."""
    return round((trust(method, measure, 1).strain / strain) ** 2)


@pytest.mark.parametrize(
    ("inputs", "strain", "verdict"),
    [
        *((None, 2.45, "holds"), (6, 2.45, "holds"), (6, 2.55, "departs"), (6, 7.9, "departs")),
        *((5, 1.45, "holds"), (3, 1.55, "departs"), (5, 8.1, "does not hold here")),
        *((None, 8.1, "does not hold here"), (2, 0.68, "holds"), (2, 0.72, "does not hold here")),
    ],
)
def test_the_verdict_turns_at_the_published_strains(measure, inputs, strain, verdict):
    method = heavy_ball(1 / measure.largest, 0.7)
    large = Measure(measure.nodes, 100 * measure.weights)
    found = trust(method, large, width_at(method, large, strain), inputs=inputs)
    assert found.verdict == verdict
    needed = trust(method, large, found.width_needed, inputs=inputs)
    assert needed.verdict == "holds"


def test_on_a_table_of_one_column_every_answer_has_its_lower_limit():
    """Three sines on a half circle, of which 7 steps were promised and 10 are taken."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 200)
    table = pd.DataFrame({"x": x, "y": np.sin(3 * x) + 0.1 * rng.standard_normal(200)})
    data = load(table, label="y")
    assert data.x.shape[1] == 2  # the constant is one of them
    advice = tune(data, target=0.1, trials=1)
    found = advice.best.trust
    assert found.limits == (IN_A_PLANE, IN_A_PLANE)
    assert IN_A_PLANE < found.strain < HOLDS
    assert found.verdict == "does not hold here"
    assert not advice.checks[0].kept
    assert tune(data, batch=20, target=0.1, trials=0).trust.limits == found.limits
    few = Settings(width=50, seeds=(0,), steps=3, methods=("gradient_descent", "heavy_ball"))
    page = explore(data, few)
    assert all(curve.trust.limits == found.limits for curve in page.curves)
    assert all(row.trust.limits == found.limits for row in compare(data, few).methods)
    assert re.search(rf'"holds": ?{IN_A_PLANE}, ?"departs": ?{IN_A_PLANE}', explorer_page(page))


@pytest.mark.parametrize(("strain", "digits"), [(2.45, 2), (2.55, 1), (8.1, 1)])
def test_a_movement_is_said_with_the_digits_that_are_known(measure, strain, digits):
    """Two where the forecast holds and one beyond; the number itself keeps all of them."""
    method = heavy_ball(1 / measure.largest, 0.7)
    large = Measure(measure.nodes, 100 * measure.weights)
    found = trust(method, large, width_at(method, large, strain))
    assert found.movement_digits == digits
    about = "about " if digits == 1 else ""
    assert f": movement {about}{found.movement:.{digits}g}, strain" in found.sentence
    assert float(f"{found.movement:.2g}") != found.movement


def test_a_large_movement_is_said_in_full(measure):
    """One digit of a number above 10 has no exponent."""
    method = heavy_ball(1 / measure.largest, 0.7)
    unit = trust(method, measure, 1).movement
    large = Measure(measure.nodes, measure.weights * (73 / unit) ** 2)
    assert ": movement about 70, strain" in trust(method, large, 1).sentence


def test_on_batches_one_digit_of_a_movement_is_known(measure):
    """One draw of batches goes farther than the mean, or less far."""
    method, _ = fastest_for_batch("nesterov", measure, 5, target=0.1)
    found = trust(method, measure, 10**6, target=0.1, batch=5)
    assert found.verdict == "holds"
    assert found.movement_digits == 1
    alone = trust(method, measure, 10**6, target=0.1)
    assert alone.movement_digits == 2
    # A batch of all rows has no luck.
    assert trust(method, measure, 10**6, target=0.1, batch=len(measure.nodes)) == alone


@pytest.mark.parametrize(
    ("forecast", "measured", "same"),
    [(86, 100, True), (84, 100, False), (114, 100, True), (116, 100, False), (3, 2, True),
     (3, 1, False)],
)  # fmt: skip
def test_counts_agree_within_fifteen_percent_or_a_step(forecast, measured, same):
    assert agree(forecast, measured) == same


def test_a_target_that_is_not_reached_is_followed_for_a_thousand_steps(measure):
    slow = gradient_descent(1e-4 / measure.largest)
    assert steps_to(slow, measure, 0.01, limit=2000) is None
    found = trust(slow, measure, 2000)
    assert found.movement == pytest.approx(movement(slow, measure, 2000, 1000)[-1], rel=1e-12)
    # Weights that move on and on show where the look ended.
    assert movement(slow, measure, 2000, 1001)[-1] > found.movement * (1 + 1e-5)


def test_the_target_is_a_hundredth_and_a_target_that_is_there_takes_a_step(measure):
    method = heavy_ball(1 / measure.largest, 0.7)
    assert trust(method, measure, 2000) == trust(method, measure, 2000, target=0.01)
    first = movement(method, measure, 2000, 1)[-1]
    assert trust(method, measure, 2000, target=0.9999).strain == pytest.approx(first)


@pytest.mark.parametrize(("square", "said"), [(2.95, False), (3.05, True)])
def test_targets_are_to_blame_from_twice_the_usual_residual(measure, square, said):
    scaled = Measure(measure.nodes, measure.weights * square * 100 / measure.total)
    remedy = trust(heavy_ball(1 / measure.largest, 0.7), scaled, 1, rows=100).remedy
    assert ("standardise the targets" in remedy) == said
    assert ("about 1.5 with standardised targets" in remedy) == said


@pytest.mark.parametrize(("needed", "said"), [(0.985e6, True), (1.02e6, False)])
def test_a_width_is_proposed_below_a_million(measure, needed, said):
    method = heavy_ball(1 / measure.largest, 0.7)
    factor = needed / (trust(method, measure, 1).strain / HOLDS) ** 2
    scaled = Measure(measure.nodes, measure.weights * factor)
    found = trust(method, scaled, 1, rows=10**9)
    asked = "; ask again with --width 990000 to train one so wide, or go by a real run."
    assert found.sentence.endswith(asked) == said
    assert ("would hold from a width of" in found.sentence) == said
    assert found.sentence.endswith(f"; {found.remedy}")
    assert found.width_needed == pytest.approx(needed, rel=1e-5)


@pytest.mark.parametrize(("needed", "said"), [(12_345, "13,000"), (5.5, "6"), (123, "130")])
def test_a_proposed_width_has_two_digits(measure, needed, said):
    method = heavy_ball(1 / measure.largest, 0.7)
    factor = needed / 2 / (trust(method, measure, 2).strain / HOLDS) ** 2
    scaled = Measure(measure.nodes, measure.weights * factor)
    assert f"from a width of {said}; " in trust(method, scaled, 2, rows=10**9).sentence


def test_a_start_that_goes_farther_than_the_mean_is_judged_by_itself(data):
    """Of several starts, those with more strain than the mean count, and the others do not."""
    spectrum, measure = spectrum_of(data)
    method = heavy_ball(1 / measure.largest, 0.7)
    mean = trust(method, measure, 2000, rows=100)
    starts = [Starts(data, spectrum, seed).at(2000) for seed in range(6)]
    found = [judged(method, measure, own, 2000, rows=100) for own in starts]
    network = TwoLayerReLU(2000, data.x.shape[1])
    for seed, one in enumerate(found):
        residual = initial_residual(network, data.x, data.y, seed=seed)
        own = trust(method, dense(spectrum, spectrum.modes(residual) ** 2), 2000)
        assert one.strain == max(own.strain, mean.strain)
    assert len({one.strain for one in found}) > 1
    assert judged(method, measure, None, 2000, rows=100) == mean


@pytest.mark.parametrize("seed", range(4))
def test_the_width_that_is_proposed_holds_for_the_start_that_it_has(data, seed):
    """A network of another width has another start: its own says whether the forecast holds."""
    spectrum, measure = spectrum_of(data)
    method = heavy_ball(1 / measure.largest, 0.7)
    found = proposed(method, measure, Starts(data, spectrum, seed), 50, target=0.1, rows=100)
    assert found.verdict != "holds"
    words = f"ask again with --width {found.width_needed} "
    assert words in found.sentence
    own = Starts(data, spectrum, seed).at(found.width_needed)
    again = judged(method, measure, own, found.width_needed, target=0.1, rows=100)
    assert again.verdict == "holds"


def test_a_start_that_is_not_drawn_in_a_moment_gets_a_reserve(data, monkeypatch):
    spectrum, measure = spectrum_of(data)
    method, starts = heavy_ball(1 / measure.largest, 0.7), Starts(data, spectrum)
    first = [trust(method, one, 50, target=0.1, rows=100) for one in (measure, starts.at(50))]
    needed = max(first, key=lambda t: t.strain).width_needed
    monkeypatch.setattr("inertial.runs.check._MOMENT", 10 * data.x.shape[1] * (needed - 1))
    found = proposed(method, measure, starts, 50, target=0.1, rows=100)
    assert found.width_needed == pytest.approx(1.5 * needed, abs=1)


def test_no_start_is_drawn_that_takes_long_or_that_nobody_trains(data):
    """Neither many rows nor many columns, nor a width beyond those that are proposed."""
    spectrum, _ = spectrum_of(data)

    def widest(n, d):
        return Starts(dataclasses.replace(data, x=np.zeros((n, d)), y=np.zeros(n)), spectrum).widest

    assert widest(1000, 10) == 100_000
    assert widest(100, 1000) == 10_000
    assert widest(10, 1) == WIDEST


def test_who_has_a_schedule_is_not_told_to_lower_its_step_size(measure):
    many = Measure(measure.nodes, 1e4 * measure.weights)
    found = [
        trust(method, many, 1, target=0.01, rows=10**9)
        for method in (optimal_schedule(measure, 50), heavy_ball(1 / measure.largest, 0.7))
    ]
    assert [one.remedy for one in found] == [
        "go by a real run, or take constants, by the rule forecast.",
        "go by a real run, and lower the step size where it does not settle.",
    ]


@pytest.mark.parametrize("batch", [None, 20])
def test_it_says_to_which_target_or_over_how_many_steps_it_is_judged(measure, batch):
    """What holds to 30 % of the loss may be lost on the way to 1 %."""
    method = gradient_descent(1 / measure.largest)
    spans = {
        target: trust(method, measure, 1000, target=target, batch=batch).span
        for target in (0.3, 1e-9)
    }
    assert spans == {0.3: "to 30 %", 1e-9: "over 1,000 steps"}
    near, far = (trust(method, measure, 1000, target=share, batch=batch) for share in spans)
    assert near.strain < far.strain / 3
    assert near.sentence.startswith(f"the forecast to 30 % {near.verdict}")
    assert far.sentence.startswith(f"the forecast over 1,000 steps {far.verdict}")
    lost = trust(gradient_descent(2.2 / measure.largest), measure, 1000, batch=batch)
    assert (lost.strain, lost.verdict) == (np.inf, "does not hold here")
    assert "the forecast loss grows" in lost.sentence


def test_a_strain_beside_a_limit_is_told_from_it():
    """2.5 is not below 2.5, and 2.499 is."""
    found = Trust(0.1, 1, 2.5, 100, "to 1 %", 101, "departs", "")
    assert "strain 2.5)" in dataclasses.replace(found, strain=2.5).sentence
    assert "strain 2.499)" in dataclasses.replace(found, strain=2.4988, verdict="holds").sentence
    assert "strain 2.51)" in dataclasses.replace(found, strain=2.51).sentence
