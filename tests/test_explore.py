"""The explorer computes what Python computes, in a real browser, and runs nothing from a file."""

import csv
import dataclasses
import io
import itertools
import re
import xml.etree.ElementTree as ET
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser import PHONE, VIEWS, accessibility_faults, chromium, opened, scrolls_sideways, settle
from inertial import Problem, compare, load, measure_of
from inertial.commands.main import main
from inertial.linear.measure import Measure
from inertial.linear.tangent import tangent
from inertial.method.batch import (
    distance_on_batches,
    excess,
    fastest_for_batch,
    forecast_batches,
    largest_step,
    modes_of,
)
from inertial.method.bound import lower_bound
from inertial.method.curve import forecast_loss, steps_to
from inertial.method.flow import (
    gradient_flow,
    heavy_ball_flow,
    high_resolution_heavy_ball,
    high_resolution_nesterov,
    nesterov_flow,
    started_like,
)
from inertial.method.modes import amplification, roots, spectral_radius, stability_limit
from inertial.method.recursion import (
    gradient_descent,
    heavy_ball,
    label,
    nesterov,
    nesterov_varying,
)
from inertial.method.rules import choose
from inertial.method.trust import trust
from inertial.problem.networks import MLP
from inertial.runs.batches import of_sizes
from inertial.runs.exploration import MOST_MODES, explore, explore_model
from inertial.runs.meanings import MOST_MODES as MOST_MEANINGS
from inertial.runs.model_runs import starts_of
from inertial.runs.settings import ModelSettings, Settings
from inertial.runs.trials import held, settled
from inertial.simulation.integrate import flow_loss, solve
from inertial.simulation.linearised import linearised_loss
from inertial.simulation.simulate import simulate
from inertial.view.explorer_page import explorer_page

__all__ = ["chromium"]

NAUGHTY = "<script>alert(1)</script>"
LABEL = '"><img src=x onerror=alert(2)>'
METHODS = ("gradient_descent", "heavy_ball", "nesterov", "nesterov_varying")

# Both sides evaluate the same closed forms; what differs is the last digit of sin, pow and log1p,
# carried through at most a few hundred steps.
CLOSE = {"rtol": 1e-9, "atol": 1e-13}


@pytest.fixture(scope="module")
def exploration():
    data = load("digits", n=60)
    found = explore(data, Settings(seeds=(0, 1), steps=40, width=100))
    named = dataclasses.replace(data.provenance, name=NAUGHTY, label=LABEL)
    return dataclasses.replace(found, data=named)


@pytest.fixture(scope="module")
def file(exploration, tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "explore.html"
    path.write_text(explorer_page(exploration, f"inertial explore {NAUGHTY}"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shared(chromium, file):
    """One open page for tests that only ask it for numbers."""
    with opened(chromium, file) as view:
        yield view


def method_of(state):
    """The Python method of the state that a page shows."""
    eta, beta = state["eta"], state["beta"]
    return {
        "gradient_descent": lambda: gradient_descent(eta),
        "heavy_ball": lambda: heavy_ball(eta, beta),
        "nesterov": lambda: nesterov(eta, beta),
        "nesterov_varying": lambda: nesterov_varying(eta, state["friction"]),
    }[state["method"]]()


def as_script(method, friction=None):
    """Write a method as the page has it; of varying momentum the limit 1 and the friction."""
    eta, beta, gamma = (method.eta, 1, 1) if friction else method.constant
    return {"name": method.name, "eta": eta, "beta": beta, "gamma": gamma, "friction": friction}


def limit_radius(eta, nodes):
    """Radius where momentum t / (t + d) tends to: beta = gamma = 1."""
    return max(np.abs(np.roots([1, -(2 - 2 * eta * l), 1 - eta * l])).max() for l in nodes)


def numbers_of(view):
    state, now = view.evaluate("""() => [inertial.state, {
        steps: inertial.now.steps, loss: Array.from(inertial.now.loss),
        shown: Object.fromEntries([
            "radius", "steps-to", "steps-stay", "loss-share", "limit-share"].map(
            (id) => [id, document.getElementById(id).dataset.value])),
    }]""")
    return state, now


FARTHEST = 20_000
"""Last step at which the page begins to count."""


def staying(losses, share=0.01):
    """Step from which a loss stays at a share of its start, found by trying each."""
    below = losses <= share * losses[0]
    for first in np.flatnonzero(below).tolist():
        more = max(5, -(-first // 4))
        if first + more < len(below) and below[first : first + more + 1].all():
            return first
    return None


def said_to_stay(losses, share=0.01, *, joint=""):
    """What follows on the first step: from where the loss stays there, and its last step there.

    The latter before twice as many steps as it took to stay, or twenty more.
    """
    above, stays = losses > share * losses[0], staying(losses, share)
    if above.all():
        return ""
    if stays is None:
        return f"{joint}leaves again"
    left = np.flatnonzero(above[stays : stays + max(20, stays) + 1])
    words = f" from {stays:,}" if stays > np.argmin(above) else ""
    words += f" until {stays + left[0] - 1:,}" if len(left) else ""
    return f"{joint}stays{words}" if words else ""


def assert_page_is_right(view, exploration):
    """Readouts and curve are what Python gives for the state."""
    state, now = numbers_of(view)
    nodes, weights = exploration.measure.nodes, exploration.measure.weights
    method = method_of(state)
    shown = now["shown"]
    loss = forecast_loss(method, Measure(nodes, weights), np.array(now["steps"]))
    np.testing.assert_allclose(np.array(now["loss"], float), loss, **CLOSE)
    varying = state["method"] == "nesterov_varying"
    radius = limit_radius(state["eta"], nodes) if varying else spectral_radius(method, nodes)
    np.testing.assert_allclose(float(shown["radius"]), radius, **CLOSE)
    np.testing.assert_allclose(float(shown["loss-share"]), 2 * loss[-1] / weights.sum(), **CLOSE)
    limit = (4 / 3 if varying else stability_limit(method)) / nodes[-1]
    np.testing.assert_allclose(float(shown["limit-share"]), state["eta"] / limit, **CLOSE)
    expected = steps_to(method, Measure(nodes, weights), exploration.target, limit=20_000)
    assert shown["steps-to"] == ("null" if expected is None else str(expected))
    last = method.steps or 2 * FARTHEST
    beyond = forecast_loss(method, Measure(nodes, weights), np.arange(last + 1))
    stays = staying(beyond, exploration.target)
    assert shown["steps-stay"] == ("null" if stays is None else str(stays))
    assert view.locator("#steps-stay").inner_text() == said_to_stay(beyond, exploration.target)
    return state


def sampled(nodes):
    """Methods all over the plane: gliding, swinging, negative and double roots, unstable."""
    rng = np.random.default_rng(5)
    largest = nodes[-1]
    found = []
    for _ in range(30):
        eta = 10 ** rng.uniform(-3, 0.55) / largest
        beta = 1 - 10 ** -rng.uniform(0, 3.5)
        found += [gradient_descent(eta), heavy_ball(eta, beta), nesterov(eta, beta)]
    critical = float((1 - np.sqrt(0.25)) ** 2)
    return [*found, heavy_ball(0.25 / largest, critical), heavy_ball(0.5 / largest, 0.0)]


def test_modes_roots_and_limits_are_those_of_python(shared, exploration):
    nodes, steps = exploration.measure.nodes, np.array([0, 1, 2, 3, 7, 40, 301])
    for method in sampled(nodes):
        amplitudes, pairs, radius, limit = shared.evaluate(
            """([m, nodes, steps]) => [
                nodes.map((l) => Array.from(inertial.numerics.history(m, l, steps))),
                nodes.map((l) => inertial.numerics.roots(m, l)),
                inertial.numerics.spectralRadius(m, nodes), inertial.numerics.stabilityLimit(m)]""",
            [as_script(method), nodes.tolist(), steps.tolist()],
        )
        expected = amplification(method, nodes, steps)
        # Beside a zero of the oscillation, digits are those of its envelope.
        envelope = np.abs(expected).max(axis=1, keepdims=True)
        assert np.all(np.abs(np.array(amplitudes).T - expected) <= 1e-9 * envelope)
        pairs = np.array(pairs)
        np.testing.assert_allclose(
            [pairs[:, 0] + 1j * pairs[:, 1], pairs[:, 2] + 1j * pairs[:, 3]],
            roots(method, nodes),
            # Near a double root the square root of the discriminant has half the digits.
            rtol=1e-7,
            atol=1e-9,
        )
        np.testing.assert_allclose(radius, spectral_radius(method, nodes), rtol=1e-9)
        np.testing.assert_allclose(limit, stability_limit(method), rtol=1e-15)


def test_a_loss_settles_as_in_trials(shared, rng):
    """On losses that rise again a step before their stay would count, with it and one after.

    The one that counts is left at that step.
    """
    for _ in range(60):
        first = int(rng.integers(0, 60))
        more = max(5, -(-first // 4)) + int(rng.integers(-1, 2))
        losses = np.repeat([2.0, 1.0, 2.0, 0.5], [first, more, 3, 40])
        found = shared.evaluate(
            """(losses) => {
                const seen = inertial.numerics.watch(1);
                losses.forEach((loss, t) => seen.look(t, loss));
                return [seen.first, seen.stays, seen.leaves];
            }""",
            losses.tolist(),
        )
        stays = settled(losses, 1.0)
        assert found == [first, stays, first + more if stays == first else None]


@pytest.mark.parametrize(("rows", "share"), [(2, 0.01), (30, 0.01), (1, 0.1)])
def test_where_a_loss_touches_and_stays_is_that_of_the_recursion(shared, rng, rows, share):
    """Step by step on the modes themselves, and the rule by looking at every step."""
    nodes, limit = np.sort(10 ** rng.uniform(-1, 0, rows)), 400
    weights, ringing, never, leaving = rng.uniform(0.1, 1, rows), 0, 0, 0
    for eta, beta in itertools.product(
        [0.01, 0.3, 1.0, 1.7, 2.1], [0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999]
    ):
        for make in (heavy_ball, nesterov):
            method = make(eta / nodes[-1], beta)
            x, step, before, losses = np.ones(rows), 0, 0, []
            for _ in range(2 * limit + 1):
                losses.append(0.5 * weights @ x**2)
                if not losses[-1] <= 1e12 * losses[0]:
                    break
                gradient = method.eta * nodes * x
                step = method.beta * step - gradient - method.gamma * (gradient - before)
                x, before = x + step, gradient
            losses = np.array(losses)
            first = np.flatnonzero(losses[: limit + 1] <= share * losses[0])
            stays = staying(losses, share)
            stays = stays if stays is not None and stays <= limit else None
            # Up to the last step that may be its first there, and one before it.
            for last in (limit, stays, stays and stays - 1):
                if last is None:
                    continue
                found = shared.evaluate(
                    """([m, nodes, weights, share, limit]) => {
                        const { first, stays, leaves } = inertial.numerics.settles(
                            m, nodes, weights, share, limit);
                        return [first, stays, leaves];
                    }""",
                    [as_script(method), nodes.tolist(), weights.tolist(), share, last],
                )
                touched = first[first <= last]
                expected = stays if stays is not None and stays <= last else None
                later = losses[: 0 if expected is None else 1 + stays + max(20, stays)]
                left = stays and np.flatnonzero(later[stays:] > share * losses[0])
                leaves = int(stays + left[0]) if len(later) and len(left) else None
                assert found == [int(touched[0]) if len(touched) else None, expected, leaves]
                leaving += leaves is not None
            ringing += stays is not None and stays > first[0]
            never += len(first) > 0 and stays is None
    assert ringing >= 5
    assert never
    assert (leaving > 0) == (rows == 1)  # a slow swing of a mode that is alone


def test_a_loss_that_rings_is_said_to_touch_and_to_stay(chromium, file, exploration):
    """The tile, the curve under the pointer and what is spoken, with "Ripples"."""
    with opened(chromium, file) as view:
        view.get_by_role("button", name="Ripples").click()
        settle(view)
        state = assert_page_is_right(view, exploration)
        shown = numbers_of(view)[1]["shown"]
        first, stays = int(shown["steps-to"]), int(shown["steps-stay"])
        assert first < stays
        assert view.locator("#steps-stay").is_visible()
        assert view.locator("#steps-stay").inner_text() == f"stays from {stays:,}"
        view.locator("#steps").press("ArrowRight")
        words = f"heavy ball: {first:,} steps to the target, stays from {stays:,}, loss after"
        view.locator("p[role=status]", has_text=words).wait_for(state="attached", timeout=5000)
        view.locator("#plane").focus()
        view.keyboard.press("ArrowRight")
        settle(view)
        moved, (first, stays) = view.evaluate(
            "[inertial.state, [inertial.now.reached.first, inertial.now.reached.stays]]"
        )
        assert moved["eta"] != state["eta"]
        assert f": {first:,} steps to 1\N{NO-BREAK SPACE}%, stays from {stays:,}" in (
            view.locator("#plane .tip").inner_text()
        )


def test_the_opening_says_in_what_its_setting_is_the_best(chromium, file, exploration):
    """None of others has the loss stay below the target sooner; some touch it sooner."""
    measure, target = exploration.measure, exploration.target
    with opened(chromium, file) as view:
        said = view.locator("#lesson").inner_text()
        state, now = numbers_of(view)
        last = view.locator("#thread li").nth(4).inner_text()
    assert said == (
        "Of heavy ball’s settings that the rule “forecast” tries, up to 90\N{NO-BREAK SPACE}% of "
        "the stability limit, this one has the loss stay below the target soonest."
    )
    assert "The best" not in last
    assert (
        "for the loss to stay below the target soonest, the rule “forecast” takes for heavy ball η"
        in last
    )
    stays, steps = int(now["shown"]["steps-stay"]), np.arange(200)
    others = [
        heavy_ball(share * stability_limit(heavy_ball(1.0, beta)) / measure.largest, beta)
        for beta in (state["beta"], *np.linspace(0, 0.95, 39))
        for share in np.linspace(0.1, 0.9, 33)
    ]
    losses = np.array([forecast_loss(method, measure, steps) for method in others])
    below = losses <= target * 0.5 * measure.total
    touches = np.where(below.any(axis=1), below.argmax(axis=1), len(steps))
    kept = np.logical_and.accumulate(below[:, ::-1], axis=1)[:, ::-1]
    lasting = np.where(kept.any(axis=1), kept.argmax(axis=1), len(steps))
    assert lasting.min() >= stays - 1  # other grids than the rule's may have one step less
    assert touches.min() < min(stays, int(now["shown"]["steps-to"]))


@pytest.mark.parametrize("slow", ["heavy_ball", "nesterov"])
def test_the_lesson_names_nesterov_where_it_is_sooner(chromium, exploration, tmp_path, slow):
    make = {"heavy_ball": heavy_ball, "nesterov": nesterov}[slow]
    slower = make(0.1 / exploration.measure.largest, 0.3)
    points, curves = (
        tuple(dataclasses.replace(one, method=slower) if one.name == slow else one for one in many)
        for many in (exploration.points, exploration.curves)
    )
    path = tmp_path / "page.html"
    changed = dataclasses.replace(exploration, points=points, curves=curves)
    path.write_text(explorer_page(changed), encoding="utf-8")
    with opened(chromium, path) as view:
        last = view.locator("#thread li").nth(4).inner_text()
    ball, other = (
        staying(forecast_loss(one.method, exploration.measure, np.arange(5000)))
        for name in ("heavy_ball", "nesterov")
        for one in points
        if (one.name, one.rule) == (name, "forecast")
    )
    said = "”. By the forecast on all rows, Nesterov’s setting is sooner: with η = "
    assert (said in last) == (other < ball)
    assert (other < ball) == (slow == "heavy_ball")


@pytest.mark.parametrize(
    ("slow", "rule", "said"),
    [
        # Reached between the 20,000 steps that the page counts and the million of the rule.
        (2e-6, "forecast",
         ("has the loss stay below the target soonest.", "the loss to stay below the target")),
        (1e-9, "forecast",
         ("has the loss lowest after 1,000,000 steps.", "the lowest loss after 1,000,000 steps")),
        (1e-9, "batch", ("expected loss on such batches lowest after 5,000 steps.", "Weighing")),
        (1e-9, "trials",
         ("Real runs of this network found this setting.", "For heavy ball, real runs of this")),
        (1e-9, "lowest",
         ("to the target; with this setting the loss came lowest.", "lowest was heavy ball with")),
    ],
)  # fmt: skip
def test_where_no_setting_gets_there_the_opening_does_not_say_so(
    chromium, exploration, tmp_path, slow, rule, said
):
    """A tenth of the loss lies in one mode more, slow enough for the target never to be reached."""
    measure, curves = exploration.measure, exploration.curves
    nodes = np.r_[slow * measure.largest, measure.nodes]
    weights = np.r_[measure.total / 9, measure.weights]
    path = tmp_path / "page.html"
    changed = dataclasses.replace(
        exploration,
        measure=Measure(nodes, weights),
        modes=None,
        points=tuple(
            dataclasses.replace(point, lowest=rule == "lowest") for point in exploration.points
        ),
        curves=tuple(
            dataclasses.replace(curve, rule=rule.replace("lowest", "trials"), arrived=0)
            for curve in curves
        ),
    )
    path.write_text(explorer_page(changed), encoding="utf-8")
    with opened(chromium, path) as view:
        assert view.locator("#lesson").inner_text().endswith(said[0])
        assert said[1] in view.locator("#thread li").nth(4).inner_text()
        assert view.locator("#steps-to").inner_text() == "over 20,000"


def test_varying_momentum_is_that_of_python(shared, exploration):
    steps = np.array([0, 1, 5, 60, 200])
    for friction in (1.0, 3.0, 7.5):
        method = nesterov_varying(0.9 / exploration.measure.nodes[-1], friction)
        loss = shared.evaluate(
            """([m, nodes, weights, steps]) =>
                Array.from(inertial.numerics.forecast(m, nodes, weights, steps))""",
            [
                as_script(method, friction),
                exploration.measure.nodes.tolist(),
                exploration.measure.weights.tolist(),
                steps.tolist(),
            ],
        )
        expected = forecast_loss(method, exploration.measure, steps)
        np.testing.assert_allclose(loss, expected, **CLOSE)


def flows_of(method, friction):
    """The flows that the page shows beside a method, named in the project's own terms."""
    if method.name == "gradient_descent":
        return [gradient_flow()]
    if friction is not None:
        return [nesterov_flow(friction)]
    mu = ((1 - method.constant[1]) / (1 + method.constant[1])) ** 2 / method.constant[0]
    fine = high_resolution_nesterov if method.constant[2] else high_resolution_heavy_ball
    return [heavy_ball_flow(mu), started_like(fine(mu, method.constant[0]), method)]


@pytest.mark.parametrize("share", [0.02, 0.8])
@pytest.mark.parametrize("name", METHODS)
def test_flows_are_those_of_python(shared, exploration, name, share):
    nodes, weights = exploration.measure.nodes, exploration.measure.weights
    state = {"method": name, "eta": share / nodes[-1], "beta": 0.9, "friction": 4.0}
    friction = state["friction"] if name == "nesterov_varying" else None
    method, steps = method_of(state), np.array([0, 1, 2, 5, 11, 30, 90, 400])
    values, losses = shared.evaluate(
        """([m, nodes, weights, steps]) => {
            const { flows, flowValue, flowTime, flowLoss } = inertial.numerics;
            return [
              flows(m).map((flow) => nodes.map(
                (l) => steps.map((k) => flowValue(flow, l, flowTime(flow, m, k))))),
              flows(m).map((flow) => Array.from(flowLoss(flow, m, nodes, weights, steps)))];
        }""",
        [as_script(method, friction), nodes.tolist(), weights.tolist(), steps.tolist()],
    )
    expected = flows_of(method, friction)
    assert len(values) == len(expected)
    for flow, value, loss in zip(expected, values, losses, strict=True):
        times = flow.time(steps, method.eta)
        # The page's Bessel functions are good to 1e-11 of their start, 1; so is its cancellation.
        np.testing.assert_allclose(
            np.array(value).T, solve(flow, nodes, times).amplitude, rtol=1e-9, atol=1e-10
        )
        np.testing.assert_allclose(
            loss, flow_loss(flow, nodes, weights, times), rtol=1e-9, atol=1e-10 * weights.sum()
        )


@pytest.mark.parametrize("name", ["heavy_ball", "nesterov"])
def test_flows_are_limits_where_momentum_rises_to_one_as_their_captions_say(name):
    """At kept friction the gap falls with the step size; at kept momentum it stays."""
    make, mode = {"heavy_ball": heavy_ball, "nesterov": nesterov}[name], np.array([1.0])

    def gap(eta, beta):
        # As many steps as leave about 1/e of the mode.
        steps = np.array([round((1 - beta) / eta)])
        method = make(eta, beta)
        times = flows_of(method, None)[0].time(steps, eta)
        flow = solve(flows_of(method, None)[0], mode, times).amplitude
        return abs(amplification(method, mode, steps) - flow).item()

    kept = [gap(eta, 0.45) for eta in (1e-3, 1e-5)]
    risen = [gap(eta, (1 - 5 * np.sqrt(eta)) / (1 + 5 * np.sqrt(eta))) for eta in (1e-3, 1e-5)]
    assert kept[1] == pytest.approx(kept[0], rel=0.01)
    assert kept[1] == pytest.approx(np.exp(-0.725) - np.exp(-1), rel=0.01)
    assert risen[1] == pytest.approx(risen[0] / 10, rel=0.2)  # of order sqrt(eta)


def test_the_hypergeometric_function_at_both_sides_of_its_crossover(shared):
    from scipy.special import hyp0f1

    z = np.array([0.0, 0.3, 5.0, 13.9, 14.0, 14.1, 30.0, 500.0])
    for order in (1.0, 1.5, 2.0, 3.7, 6.5):
        values = shared.evaluate(
            "([order, z]) => z.map((one) => inertial.numerics.hypergeometric(order, one))",
            [order, z.tolist()],
        )
        np.testing.assert_allclose(values, hyp0f1(order, -(z**2) / 4), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", METHODS)
def test_keys_move_the_numbers_to_those_of_python(chromium, file, exploration, name):
    with opened(chromium, file) as view:
        view.locator("input[name=method]:checked").focus()
        for _ in range(4):
            if view.evaluate("inertial.state.method") == name:
                break
            view.keyboard.press("ArrowRight")
        settle(view)
        before = assert_page_is_right(view, exploration)
        assert before["method"] == name
        moved = ["eta"]
        if name in ("heavy_ball", "nesterov"):
            moved.append("beta")
        if name == "nesterov_varying":
            moved.append("friction")
        for knob in moved:
            view.locator(f"#{knob}").focus()
            for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "PageDown"):
                view.keyboard.press(key)
        view.locator("#steps").focus()
        view.keyboard.press("ArrowRight")
        settle(view)
        after = assert_page_is_right(view, exploration)
        assert all(after[knob] != before[knob] for knob in [*moved, "steps"])


def test_the_shared_address_restores_the_view(chromium, file, exploration):
    with opened(chromium, file) as view:
        view.get_by_role("button", name="Ripples").click()
        view.locator("input[name=colour][value=loss]").check()
        view.locator("#eta-number").fill("0.0123456789012345")
        view.keyboard.press("Enter")
        view.locator("#mode").focus()
        view.keyboard.press("Home")
        settle(view)
        state, now = numbers_of(view)
        assert state["eta"] == 0.0123456789012345
        assert (state["mode"], state["colour"]) == (0, "loss")
        address = view.evaluate("location.hash")
    with opened(chromium, file, address) as again:
        assert numbers_of(again) == (state, now)
        assert_page_is_right(again, exploration)


@pytest.mark.parametrize(
    "address",
    [
        f"#method={NAUGHTY}&eta=alert(1)&beta=nan",
        "#eta=-5&beta=7&friction=0&steps=1e9&mode=-3",
        "#eta=1e300&beta=1&steps=2.5&mode=99999&colour=x",
        "#&&==&%zz",
    ],
)
def test_a_broken_address_is_survived(chromium, file, exploration, address):
    with opened(chromium, file, address) as view:
        state, _ = numbers_of(view)
        assert state["method"] in METHODS
        assert 0 < state["eta"] <= 10 / exploration.measure.nodes[-1]
        assert 0 <= state["beta"] < 1
        assert 10 <= state["steps"] <= 2000
        assert 0 <= state["mode"] < len(exploration.measure.nodes)


@pytest.mark.parametrize("name", METHODS)
def test_the_far_corner_is_survived(chromium, file, name):
    """Every method at the largest values: numbers overflow, and no view fails or shows NaN."""
    with opened(chromium, file, f"#method={name}&eta=1e9&beta=1&friction=12&steps=2000") as view:
        assert view.locator("#radius").inner_text() == "grows"
        assert view.locator("#loss-share").inner_text().startswith("> ")
        assert "NaN" not in view.locator("body").inner_text()
        assert view.locator("#flow-loss svg").count()


OUT_OF_RANGE = "{} is out of range; the nearest that is not was taken."


def test_a_number_field_shows_what_is_taken(chromium, file, exploration):
    with opened(chromium, file) as view:
        before, _ = numbers_of(view)
        kept = f"{before['eta']:.4g}"
        most = 10 / exploration.measure.nodes[-1]
        for text, taken, words in (
            ("-1", before["eta"], f"-1 is no step size: it has to be above 0, so {kept} stays."),
            ("0", before["eta"], f"0 is no step size: it has to be above 0, so {kept} stays."),
            ("5", most, OUT_OF_RANGE.format("5")),
            ("0.01", 0.01, ""),
        ):
            view.locator("#eta-number").fill(text)
            view.keyboard.press("Enter")
            settle(view)
            state, _ = numbers_of(view)
            shown = float(view.locator("#eta-number").input_value())
            np.testing.assert_allclose(shown, state["eta"], rtol=1e-5)  # six digits
            np.testing.assert_allclose(state["eta"], taken, rtol=1e-12)
            assert view.locator("#lesson").inner_text() == words


def test_momentum_near_one_is_told_by_what_it_lacks(chromium, file):
    """Four digits of 0.99999 would say 1."""
    with opened(chromium, file, "#method=heavy_ball&beta=0.99999") as view:
        assert view.locator("#beta-top-hint").inner_text() == "1 − 10⁻⁵"
        assert "momentum 1 − 10⁻⁵" in view.locator("#plane").get_attribute("aria-label")


@pytest.mark.parametrize(
    ("name", "momentum", "tip"),
    [
        ("gradient_descent", "gradient descent with X, momentum 0", ", β 0:"),
        ("nesterov_varying", "Nesterov, t/(t+d) with X, momentum t/(t + 3)", ", β t/(t + 3):"),
        ("nesterov", "Nesterov with X, momentum 0.7", ", β 0.7:"),
    ],
)
def test_the_plane_is_read_out_with_the_momentum_that_the_method_has(
    chromium, file, exploration, name, momentum, tip
):
    eta = 0.5 / exploration.measure.largest
    address = f"#method={name}&eta={eta}&beta=0.7&friction=3"
    with opened(chromium, file, address) as view:
        said = view.locator("#plane").get_attribute("aria-label")
        view.locator("#plane").focus()
        view.keyboard.press("ArrowRight")
        view.keyboard.press("ArrowLeft")
        settle(view)
        assert tip in view.locator("#plane .tip").inner_text()
    size = "step size times largest eigenvalue 0.5"
    assert said.endswith(f"the setting is {momentum.replace('X', size)}")


@pytest.mark.parametrize(
    ("method", "scaled"), [("gradient_descent", 1.98), ("gradient_descent", 0.9), ("heavy_ball", 2)]
)
def test_roots_read_out_tell_swings_from_jumps(chromium, file, exploration, method, scaled):
    nodes = exploration.measure.nodes
    eta = scaled / nodes[-1]
    made = gradient_descent(eta) if method == "gradient_descent" else heavy_ball(eta, 0.3)
    both = roots(made, nodes)
    real = np.abs(both.imag).max(axis=0) == 0
    far = np.take_along_axis(both.real, np.abs(both).argmax(axis=0)[None], axis=0)[0]
    jumps = int((real & (far < 0)).sum())
    with opened(chromium, file, f"#method={method}&eta={eta}&beta=0.3") as view:
        said = view.locator("#disc").get_attribute("aria-label")
    words = f"{jumps} jump from side to side, " if jumps else ""
    assert jumps > 0 or scaled != 1.98
    assert f"{(~real).sum()} of {len(nodes)} eigenvalues swing, {words}the others glide" in said


def test_a_mode_that_jumps_is_drawn_jumping_however_many_steps(chromium, file):
    with opened(chromium, file, "#steps=1000") as view:
        view.get_by_role("button", name="Edge of stability").click()
        settle(view)
        assert numbers_of(view)[0]["steps"] == 1000
        with view.expect_download() as download:
            view.locator('[data-save="flow-mode.csv"]').click()
        lines = download.value.path().read_text(encoding="utf-8").splitlines()
        assert lines[0] == "series,step,value,low,high"
        values = [
            float(line.split(",")[2]) for line in lines if line.startswith("gradient descent")
        ]
        assert len(values) == 1001
        assert all(a * b < 0 for a, b in itertools.pairwise(values))
        # In the picture one line of a row is of one colour, the next of the other.
        warm, cold = view.evaluate("""() => {
            const canvas = document.querySelector("#heat canvas");
            const top = canvas.getContext("2d").getImageData(8, 0, 1, 4).data;
            const red = (i) => top[4 * i] - top[4 * i + 2];
            return [Math.max(red(0), red(1), red(2)), Math.min(red(0), red(1), red(2))];
        }""")
        assert warm > 0 > cold


def test_a_finger_scrolls_over_the_plane_and_taps_it(chromium, file):
    with opened(chromium, file, **PHONE) as view:
        assert view.locator("#plane").evaluate("(e) => getComputedStyle(e).touchAction") == "pan-y"
        before, _ = numbers_of(view)
        view.locator("#plane").scroll_into_view_if_needed()
        box = view.locator("#plane").bounding_box()
        view.touchscreen.tap(box["x"] + 8, box["y"] + 0.5 * box["height"])  # left of the axis
        settle(view)
        assert numbers_of(view)[0] == before
        view.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
        settle(view)
        assert numbers_of(view)[0]["eta"] != before["eta"]


def test_the_plane_is_moved_by_mouse_and_keys(chromium, file, exploration):
    with opened(chromium, file) as view:
        view.locator("#plane").scroll_into_view_if_needed()
        box = view.locator("#plane").bounding_box()
        view.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])
        view.mouse.down()
        view.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
        view.mouse.up()
        settle(view)
        dragged = assert_page_is_right(view, exploration)
        ring = view.locator("#here").bounding_box()
        # The ring is where the mouse let go, to a pixel.
        assert abs(ring["x"] + ring["width"] / 2 - box["x"] - 0.5 * box["width"]) < 1.5
        assert abs(ring["y"] + ring["height"] / 2 - box["y"] - 0.4 * box["height"]) < 1.5
        view.locator("#plane").focus()
        view.keyboard.press("Shift+ArrowRight")
        view.keyboard.press("ArrowDown")
        settle(view)
        moved = assert_page_is_right(view, exploration)
        np.testing.assert_allclose(moved["eta"], dragged["eta"] * 10**0.25, rtol=1e-12)
        assert moved["beta"] < dragged["beta"]


def test_tuned_points_and_presets_are_reached(chromium, file, exploration):
    with opened(chromium, file) as view:
        for point in exploration.points[1::3]:
            view.evaluate(
                "(name) => document.querySelector(`input[value=${name}]`).click()",
                point.method.name,
            )
            settle(view)
            view.locator(f"#points [data-rule={point.rule}]").click()
            settle(view)
            state = assert_page_is_right(view, exploration)
            assert method_of(state) == point.method
        for preset in ("critical", "edge", "table", "ripples"):
            view.locator(f"[data-preset={preset}]").click()
            settle(view)
            assert_page_is_right(view, exploration)
        view.locator("[data-preset=critical]").click()
        settle(view)
        state, _ = numbers_of(view)
        both = roots(method_of(state), exploration.measure.nodes[[state["mode"]]])
        # Both roots meet, up to the square root of rounding.
        assert abs(both[0, 0] - both[1, 0]) < 1e-7


@pytest.mark.parametrize(("scheme", "faster"), [("light", "Darker"), ("dark", "Brighter")])
def test_the_plane_says_which_end_of_its_colours_is_fast(chromium, file, scheme, faster):
    """The word and the picture agree: luminance of a fast and of a slow setting."""
    with opened(chromium, file, color_scheme=scheme) as view:
        view.locator("input[value=heavy_ball]").check()
        settle(view)
        assert view.locator("#plane-caption").inner_text().startswith(f"{faster} is faster")
        slow, fast = view.evaluate("""() => {
            const [canvas] = document.querySelectorAll("#plane canvas");
            const copy = new OffscreenCanvas(canvas.width, canvas.height);
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const light = (x, y) => context.getImageData(x * copy.width, y * copy.height, 1, 1)
                .data.slice(0, 3).reduce((a, b) => a + b, 0);
            return [light(0.05, 0.95), light(0.9, 0.6)];
        }""")
        assert (fast > slow) == (faster == "Brighter")


@pytest.mark.parametrize(("first", "second"), [(0.4, 0.4), (1.1, 1.1)])
def test_another_method_keeps_the_share_of_its_limit(chromium, file, exploration, first, second):
    largest = exploration.measure.largest
    eta = first * stability_limit(heavy_ball(1.0, 0.9)) / largest
    with opened(chromium, file, f"#method=heavy_ball&eta={eta}&beta=0.9") as view:
        for name in ("nesterov", "gradient_descent", "nesterov_varying", "heavy_ball"):
            view.locator(f"input[name=method][value={name}]").check(force=True)
            settle(view)
            shown = view.locator("#limit-share").get_attribute("data-value")
            np.testing.assert_allclose(float(shown), second, rtol=1e-12)
            assert view.locator("#why").is_visible() == (first > 1)


def test_a_setting_that_diverges_says_why(chromium, file, exploration):
    nodes, weights = exploration.measure.nodes, exploration.measure.weights
    with opened(chromium, file, f"#method=nesterov&eta={2 / nodes[-1]}&beta=0.9") as view:
        text = view.locator("#why").inner_text()
        method = nesterov(2 / nodes[-1], 0.9)
        growing = np.abs(roots(method, nodes)).max(axis=0) >= 1
        assert "2(1+β)/(1+2β) = 1.357" in text  # 3.8 / 2.8
        assert f"{growing.sum()} steepest" in text or growing.sum() == 1
        assert f"{100 * weights[growing].sum() / weights.sum():.3g}" in text
        assert f"{spectral_radius(method, nodes):.4g}" in text


def trained(make, etas, measure, steps):
    """Loss after so many steps of the method itself, for all step sizes at once."""
    beta, gamma = make(1.0).constant[1:]
    now = last = np.ones((len(etas), len(measure.nodes)))
    before = np.zeros_like(now)
    for _ in range(steps):
        push = etas[:, None] * measure.nodes * now
        now, last = now + beta * (now - last) - push - gamma * (push - before), now
        before = push
    return 0.5 * now**2 @ measure.weights


def test_the_best_step_leaves_least_of_the_loss(shared, exploration):
    from scipy.optimize import minimize_scalar

    measure = exploration.measure
    for make, step in (
        (gradient_descent, 1),
        (gradient_descent, 12),
        (lambda e: heavy_ball(e, 0.6), 9),
        # The loss rings with the step size: it has several valleys, narrow ones near the limit.
        (lambda e: heavy_ball(e, 0.9), 15),
        (lambda e: heavy_ball(e, 0.65), 10),
        (lambda e: heavy_ball(e, 0.65), 15),
        (lambda e: heavy_ball(e, 0.9), 60),
        (lambda e: heavy_ball(e, 0.97), 200),
        (lambda e: heavy_ball(e, 0.99), 200),
        (lambda e: nesterov(e, 0.99), 150),
    ):
        limit = stability_limit(make(1.0)) / measure.largest
        eta = shared.evaluate(
            """([m, n, w, t, limit]) => inertial.numerics.bestStep(
                m, limit, (one) => inertial.numerics.forecast(one, n, w, [t])[0],
                Math.max(240, 10 * t), 400)""",
            [as_script(make(0.1)), measure.nodes.tolist(), measure.weights.tolist(), step, limit],
        )

        def left(eta, make=make, step=step):
            return float(forecast_loss(make(eta), measure, np.array([step]))[0])

        assert 0 < eta < limit
        fine = limit * np.linspace(1e-3, 0.999, 4000)
        best = left(fine[np.argmin(trained(make, fine, measure, step))])
        # The least of another grid; the golden sections then only go below it.
        assert left(eta) <= best * (1 + 1e-9)
        if step == 1:
            # One step of gradient descent: the quadratic's own minimum, in closed form.
            w, l = measure.weights, measure.nodes
            np.testing.assert_allclose(eta, (w @ l) / (w @ l**2), rtol=1e-6)
            assert (
                minimize_scalar(left, bounds=(0, limit), method="bounded").fun >= left(eta) * 0.999
            )


def test_regimes_are_those_of_the_roots(shared, exploration):
    nodes = exploration.measure.nodes
    for method in sampled(nodes):
        told = shared.evaluate(
            "([m, nodes]) => nodes.map((l) => inertial.numerics.regime(m, l))",
            [as_script(method), nodes.tolist()],
        )
        for word, pair in zip(told, roots(method, nodes).T, strict=True):
            far = pair[np.argmax(np.abs(pair))]
            if abs(abs(far) - 1) < 1e-9 or abs(pair[0] - pair[1]) < 1e-6:
                continue  # on a border
            if abs(far) >= 1:
                assert word == "grows"
            elif abs(far.imag) > 0:
                assert word == "swings"
            else:
                assert word == ("flips" if far.real < 0 else "glides")


def regime_of(name, scaled, beta):
    """Regime of a mode from its polynomial z^2 - T z + D, by Jury's conditions, in fractions."""
    scaled, beta = Fraction(scaled), Fraction(beta)
    gamma = beta if name == "nesterov" else 0
    trace, determinant = 1 + beta - (1 + gamma) * scaled, beta - gamma * scaled
    if abs(trace) >= 1 + determinant or determinant >= 1:
        return "grows"
    if beta > 0 and trace == determinant == 0:
        return "ends"
    if trace**2 < 4 * determinant:
        return "swings"
    return "flips" if trace < 0 else "glides"


@pytest.mark.parametrize("name", METHODS[:3])
@pytest.mark.parametrize("scaled", [1e-6, 0.3, 0.594, 1.0, 1.3, 1.9, 2.5, 3.99, 4.2])
def test_regimes_change_where_the_exact_roots_do(shared, name, scaled):
    method = {"name": name, "eta": scaled, "beta": 0, "gamma": 0, "friction": None}
    most = 2.6 if name == "gradient_descent" else 0.9999
    parts = shared.evaluate("([m, most]) => inertial.numerics.regimes(m, 1, most)", [method, most])

    def kind(value):
        by_step = name == "gradient_descent"
        return regime_of(name, *((value, 0) if by_step else (scaled, value)))

    assert [parts[0]["from"], parts[-1]["to"]] == [0, most]
    for before, after in itertools.pairwise(parts):
        assert before["to"] == after["from"]
        assert before["kind"] != after["kind"]
    for part in parts:
        low, high = part["from"] * (1 + 1e-12), part["to"] * (1 - 1e-12)
        for value in np.linspace(low or 1e-12, high, 5):
            assert kind(value) == part["kind"]
    for value in np.linspace(0, most, 500)[1:-1]:
        assert kind(value) in {p["kind"] for p in parts if p["from"] <= value <= p["to"]}


def test_the_strip_of_regimes_has_the_critical_momentum_of_its_caption(chromium, file, exploration):
    largest = exploration.measure.largest
    with opened(chromium, file, f"#method=heavy_ball&eta={0.3 / largest}&beta=0.5") as view:
        mode = exploration.measure.nodes[numbers_of(view)[0]["mode"]]
        _, rows = saved_rows(view, "regimes.csv")
        critical = (1 - np.sqrt(0.3 / largest * mode)) ** 2
        assert rows[:, 2].tolist() == ["glides", "swings"]
        np.testing.assert_allclose(rows[:, 0].astype(float), [0, critical], rtol=1e-12)
        caption = re.search(
            r"β = \(1 − √\(ηλ\)\)² = ([\d.]+)\.", view.locator("#phase-words").inner_text()
        )[1]
        view.locator("#regimes").focus()
        view.keyboard.press("Home")
        assert f"β 0 to {caption}: glides" in view.locator("#regimes .tip").inner_text()
        # The words stay inside their box.
        assert view.locator("#regimes .tip").evaluate("(box) => box.scrollWidth <= box.clientWidth")
        drawn = view.locator("#regimes .regime").evaluate_all(
            "(all) => all.map((one) => [one.x.baseVal.value, one.width.baseVal.value])"
        )
        (start, first), (_, second) = drawn
        ends = -np.log10([1 - critical, 1e-4]) / 4
        np.testing.assert_allclose(first / (first + second), ends[0], rtol=1e-6)  # floats of SVG
        assert start == 48
        view.locator("input[name=method][value=gradient_descent]").check()
        settle(view)
        _, rows = saved_rows(view, "regimes.csv")
    assert rows.tolist() == [["0", "1", "glides"], ["1", "2", "flips"], ["2", "2.6", "grows"]]


def phase_words(view, method, mode):
    """What is said of a mode at a setting of heavy ball or Nesterov."""
    view.evaluate(
        "(address) => { location.hash = address; }",
        f"method={method.name}&eta={method.eta}&beta={method.beta}&mode={mode}",
    )
    settle(view)
    return view.locator("#phase-words").inner_text()


@pytest.mark.parametrize("make", [heavy_ball, nesterov])
def test_critically_damped_is_a_mode_that_decays_as_fast_as_it_can(
    chromium, file, exploration, make
):
    """At tiny steps too, where both roots are near 1; never at twice or half the friction."""
    nodes = exploration.measure.nodes
    with opened(chromium, file) as view:
        for mode, scaled in ((len(nodes) - 1, 0.3), (len(nodes) - 1, 1e-3), (0, 1e-4), (0, 1e-8)):
            root = np.sqrt(scaled)
            critical = (1 - root) ** 2 if make is heavy_ball else (1 - root) / (1 + root)
            for share in (0.05, 0.5, 0.9, 1, 1.1, 2, 20):
                beta = 1 - share * (1 - critical)
                if not 0 < beta <= 0.99999:  # the most that the page takes
                    continue
                said = phase_words(view, make(scaled / nodes[mode], beta), mode)
                kind = "over" if share > 1 else "critically " if share == 1 else "under"
                assert f": {kind}damped:" in said, (scaled, share)


def test_critical_is_as_near_as_four_digits_of_a_setting_get(chromium, file, exploration):
    nodes = exploration.measure.nodes
    with opened(chromium, file) as view:
        for scaled in (0.3, 0.1, 0.01):
            eta = float(f"{scaled / nodes[-1]:.4g}")
            exact = (1 - np.sqrt(scaled)) ** 2
            for beta in (float(f"{exact:.4g}"), exact + 5e-5, exact - 5e-5):
                method = heavy_ball(eta, beta)
                assert "critically damped" in phase_words(view, method, len(nodes) - 1)
                rate = -np.log(spectral_radius(method, nodes[-1:]))
                assert rate == pytest.approx(-np.log(1 - np.sqrt(scaled)), rel=0.04)


def test_what_lies_just_below_one_is_told_by_what_it_lacks(chromium, file, exploration):
    """The factor and the roots of a flat mode, and its critical momentum."""
    l = exploration.measure.nodes[0]
    method = heavy_ball(1e-11 / l, 0.99999)
    with opened(chromium, file) as view:
        said = phase_words(view, method, 0)
        assert "β = (1 − √(ηλ))² = 1 − 6.32·10⁻⁶." in said
        view.locator("#disc").focus()
        view.keyboard.press("ArrowUp")
        view.keyboard.press("Home")
        settle(view)
        spoken = view.locator("p[role=status]", has_text="a step")
        spoken.wait_for(state="attached", timeout=5000)
        digits = float(f"{1e6 * (1 - spectral_radius(method, np.array([l]))):.3g}")
        assert f"factor 1 − {digits:g}·10⁻⁶ a step" in spoken.inner_text()
        assert "1.0000" not in view.locator("#disc .tip").inner_text()
        assert view.locator("#radius").inner_text().startswith("× (1 − ")


def saved_rows(view, name):
    """Head and rows of a table that a figure saves."""
    with view.expect_download() as download:
        view.locator(f'[data-save="{name}"]').click()
    head, *rows = csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8")))
    return head, np.array(rows)


def test_the_saved_plane_is_the_grid_of_its_colours(chromium, file, exploration):
    nodes = exploration.measure.nodes
    with opened(chromium, file, f"#eta={1 / nodes[-1]}&beta=0.8&steps=30") as view:
        head, rows = saved_rows(view, "plane.csv")
    assert head == ["method", "rule", "step size", "momentum", "steps a factor of ten"]
    grid = rows[rows[:, 1] == ""]
    assert len(grid) == 61 * 41
    assert {*rows[rows[:, 1] != ""][:, 1]} >= {"paper", "at the ring"}
    for _, _, eta, beta, steps in grid[::97]:
        method = heavy_ball(float(eta), float(beta))
        radius = spectral_radius(method, nodes[[0, -1]])
        if radius < 1 - 1e-12:  # beyond, neither has a digit left
            assert float(steps) == pytest.approx(-np.log(10) / np.log(radius), rel=1e-6)
        else:
            assert steps == ""


def test_path_phase_and_bars_are_those_of_python(chromium, file, exploration):
    nodes, weights = exploration.measure.nodes, exploration.measure.weights
    method, mode = heavy_ball(0.7 / nodes[-1], 0.8), len(nodes) - 3
    address = f"#method=heavy_ball&eta={method.eta}&beta=0.8&steps=30&at=7&mode={mode}"
    with opened(chromium, file, address) as view:
        steps = np.arange(31)
        _, rows = saved_rows(view, "phase.csv")
        position, velocity = rows.astype(float)[:, 1:].T
        expected = amplification(method, nodes[[mode]], steps)[:, 0]
        np.testing.assert_allclose(position, expected, **CLOSE)
        unit = np.sqrt(method.eta * nodes[mode])
        np.testing.assert_allclose(velocity[1:], np.diff(expected) / unit, rtol=1e-8, atol=1e-12)
        _, rows = saved_rows(view, "path.csv")
        flat, steep = rows.astype(float)[:, 1:].T
        start = np.sqrt(weights / nodes)
        np.testing.assert_allclose(
            steep, start[-1] * amplification(method, nodes[-1:], steps)[:, 0], **CLOSE
        )
        (place,) = np.flatnonzero(np.isclose(start, flat[0], rtol=1e-12))
        assert nodes[place] < nodes[-1] / 3
        np.testing.assert_allclose(
            flat, start[place] * amplification(method, nodes[[place]], steps)[:, 0], **CLOSE
        )
        _, rows = saved_rows(view, "errors.csv")
        low, high, count, first, left = rows.astype(float).T
        assert count.sum() == len(nodes)
        factor = amplification(method, nodes, np.array([7]))[0]
        share = weights / weights.sum()
        np.testing.assert_allclose([first.sum(), left.sum()], [1, share @ factor**2], rtol=1e-9)
        for i in np.flatnonzero(count):
            inside = (nodes >= low[i] * (1 - 1e-12)) & (nodes <= high[i] * (1 + 1e-12))
            if inside.sum() == count[i]:
                np.testing.assert_allclose(left[i], (share * factor**2)[inside].sum(), rtol=1e-9)
        said = view.inner_text("#bars-words")
        assert "the largest part" in said
        assert "most" not in said
        assert float(re.search(r"\(([\d.]+)\s%\)", said)[1]) == pytest.approx(
            100 * left.max() / left.sum(), rel=2e-2
        )


def test_the_largest_part_of_the_error_lies_where_it_is_said(chromium, file, exploration):
    """At the one eigenvalue of its bar, by its own number; of several, between the bar's ends."""
    nodes, weights, alone = exploration.measure.nodes, exploration.measure.weights, set()
    for at in (0, 1, 30, 400):
        address = f"#method=gradient_descent&eta={1 / nodes[-1]}&steps=400&at={at}"
        with opened(chromium, file, address) as view:
            said = view.inner_text("#bars-words")
        part, one, low, high = re.search(
            r"\(([\d.]+)\s%\) at (?:the eigenvalue (.+)|eigenvalues between (.+) and (.+))\.$",
            said,
        ).groups()
        low, high = (one, one) if one else (low, high)
        left = (
            weights * amplification(gradient_descent(1 / nodes[-1]), nodes, np.array([at]))[0] ** 2
        )
        # What is read has four digits.
        inside = (nodes >= float(low) * (1 - 1e-3)) & (nodes <= float(high) * (1 + 1e-3))
        assert left[inside].sum() / left.sum() == pytest.approx(float(part) / 100, rel=2e-2)
        assert (inside.sum() == 1) == (one is not None)
        alone.add(one is not None)
    assert alone == {True, False}


FIGURES = (
    *("path", "plane", "curve", "errors", "roots"),
    *("phase", "regimes", "modes", "meaning", "loss"),
    *("batches", "flow-mode", "flow-loss"),
)


def test_a_share_beside_a_whole_is_told_from_one(shared):
    """A method that diverges is not at 100 % of its limit."""
    told = shared.evaluate(
        "(values) => values.map((value) => explorer.percent(value))",
        [1, 1 + 1e-12, 3.542 / 3.535, 1.00002, 0.9996, 0.42, 1.234, 0.99],
    )
    said = ["100", "100", "100.2", "100.002", "99.96", "42", "123", "99"]
    assert [one.removesuffix("\N{NO-BREAK SPACE}%") for one in told] == said


def test_a_bar_that_is_higher_than_its_figure_is_said_to_be(chromium, file, exploration):
    for share, beyond in ((0.5, False), (1.3, True)):
        eta = 2 * share / exploration.measure.largest
        with opened(chromium, file, f"#method=gradient_descent&eta={eta}&at=20") as view:
            said = view.locator("#bars-words").inner_text()
            assert ("▲: higher than the figure." in said) == beyond
            assert (view.locator("#bars .mark").count() > 0) == beyond


def test_every_figure_saves_its_picture_and_its_numbers(chromium, file):
    halos = 0
    for some in (
        FIGURES[:5],
        FIGURES[5:10],
        FIGURES[10:],
    ):  # Chromium lets one page save ten files in a row
        with opened(chromium, file) as view:
            for name in some:
                _, rows = saved_rows(view, f"{name}.csv")
                assert len(rows)
                with view.expect_download() as download:
                    view.locator(f'[data-save="{name}.svg"]').click()
                root = ET.fromstring(download.value.path().read_text("utf-8"))  # noqa: S314 - ours
                tags = [one.tag.rpartition("}")[2] for one in root.iter()]
                assert ("image" in tags) == (name in {"plane", "roots", "modes", "meaning"})
                assert root.find("{http://www.w3.org/2000/svg}title").text
                assert not any(one.get("class") for one in root.iter())
                words = " ".join(root.itertext())
                assert ("a factor of ten" in words) == (name == "plane")
                assert ("▲ Liu–Pan–Tao" in words) == (name == "plane")
                assert ("what is left of a mode" in words) == (name == "modes")
                for said in ("outlined: at the start", "filled: what is left", "square roots"):
                    assert (said in words) == (name == "errors")
                assert ("forecast of a run" in words) == (name == "loss")
                assert not {"", "forecast of a run"} & {*rows[:, 0]} or name != "loss"
                # Behind a text lies its halo, which covers it if it is drawn last.
                for one in root.iter("{http://www.w3.org/2000/svg}text"):
                    halo = one.get("stroke", "none") != "none"
                    assert one.get("paint-order", "normal").startswith("stroke") == halo
                    halos += halo
    assert halos


def test_no_text_in_a_saved_table_is_a_formula(chromium, exploration, tmp_path):
    """The columns of a table have the names that its maker gave them."""
    names = ("=1+1", " @SUM(A1)", "-a", "mass")
    table = tuple((name, -0.5) for name in names)
    named = tuple(
        dataclasses.replace(one, columns=table, picture=None, low=None, high=None)
        for one in exploration.meanings
    )
    page = explorer_page(dataclasses.replace(exploration, meanings=named), "inertial explore")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with opened(chromium, tmp_path / "page.html") as view:
        _, rows = saved_rows(view, "meaning.csv")
    assert rows[:, 0].tolist() == ["'=1+1", "' @SUM(A1)", "'-a", "mass"]
    assert set(rows[:, 1].astype(float)) == {-0.5}  # numbers below 0 stay numbers


@pytest.mark.parametrize("batch", [4, 8, 60])
@pytest.mark.parametrize("name", METHODS)
def test_the_best_step_is_that_of_the_batch(chromium, file, exploration, name, batch):
    """No step size of a fine grid has less expected loss after as many steps."""
    measure, steps = exploration.measure, 12
    address = f"#method={name}&beta=0.7&friction=3&batch={batch}&at={steps}&steps=40&eta=0.01"
    with opened(chromium, file, address) as view:
        view.get_by_role("button", name="Best step size for this many steps").click()
        settle(view)
        state, _ = numbers_of(view)
        said = view.locator("#lesson").inner_text()
        why = view.locator("#why").inner_text()
    assert (state["method"], state["batch"], state["at"]) == (name, batch, steps)

    def left(eta):
        method = method_of(state | {"eta": eta})
        if batch == 60:
            return float(forecast_loss(method, measure, np.array([steps]))[0])
        return float(forecast_batches(method, exploration.modes, batch, steps).loss[steps])

    varying = name == "nesterov_varying"
    limit = stability_limit(method_of(state)) / measure.largest
    if varying:
        limit = 4 / 3 / measure.largest
    elif batch < 60:
        limit = largest_step(name, state["beta"] * (name != "gradient_descent"), measure, batch)
    assert 0 < state["eta"] < limit
    assert left(state["eta"]) <= min(map(left, limit * np.linspace(1e-3, 0.999, 300))) * (1 + 1e-9)
    assert why == "" or varying
    end = f"loss after {steps} steps" + (f" on batches of {batch} rows" if batch < 60 else "")
    end += " at this momentum" if name in ("heavy_ball", "nesterov") else ""
    assert said.endswith(f"least of the {'expected ' * (batch < 60)}{end}.")


def test_captions_of_the_flows_name_the_momentum_where_it_is_constant(chromium, file):
    with opened(chromium, file) as view:
        for method in METHODS:
            view.locator(f"input[name=method][value={method}]").check(force=True)
            settle(view)
            texts = [view.locator(name).inner_text() for name in ("#flow-limit", "#flow-parts")]
            constant = method in {"heavy_ball", "nesterov"}
            assert ["β rises to 1 with it" in texts[0], "far from 1" in texts[1]] == [constant] * 2
            assert constant or texts == ["", ""]


def test_five_steps_of_the_thread_are_states_of_the_address(chromium, file, exploration):
    largest = exploration.measure.largest
    with opened(chromium, file) as view:
        links = view.locator("#thread a")
        assert links.count() == 5
        addresses, states, regimes = [], [], []
        for i in range(5):
            links.nth(i).click()
            settle(view)
            states.append(assert_page_is_right(view, exploration))
            addresses.append(view.evaluate("location.hash"))
            regimes.append(view.locator("#phase-words").inner_text())
            assert links.nth(i).get_attribute("aria-current") == "step"
            assert links.nth(i).get_attribute("href") == addresses[-1]
        # Another setting is no step of the thread any more.
        view.locator("#eta-top").press("ArrowLeft")
        settle(view)
        assert numbers_of(view)[0]["thread"] == 0
        spoken = view.locator("#eta-top").get_attribute("aria-valuetext")
        assert spoken == view.locator("#eta-top-hint").inner_text()
        assert view.locator("#thread [aria-current]").count() == 0
    assert [state["method"] for state in states] == ["gradient_descent"] * 2 + ["heavy_ball"] * 3
    np.testing.assert_allclose(
        [s["eta"] * largest for s in states[:4]], [1, 1.98, 1, 1], rtol=1e-12
    )
    mode = exploration.measure.nodes[[states[2]["mode"]]]
    both = roots(heavy_ball(states[2]["eta"], states[2]["beta"]), mode)
    assert abs(both[0, 0] - both[1, 0]) < 1e-7  # critically damped, which the portrait says too
    assert ["critically damped" in words for words in regimes] == [False, False, True, False, False]
    assert "underdamped" in regimes[3]
    assert np.abs(roots(heavy_ball(states[3]["eta"], states[3]["beta"]), mode).imag).min() > 0.01
    tuned = next(
        p.method
        for p in exploration.points
        if p.rule == "forecast" and p.method.name == "heavy_ball"
    )
    assert method_of(states[4]) == tuned
    ball = next(c for c in exploration.curves if c.method.name == "heavy_ball")
    with opened(chromium, file, addresses[3]) as again:
        assert numbers_of(again)[0] == states[3]
        first, second, fourth, last = (
            again.locator("#thread li").nth(i).inner_text() for i in (0, 1, 3, 4)
        )
    assert first.endswith("The loss waits for the flat ones.")
    assert "A larger step helps the flat directions, but at η = " in second
    (before, still), (rung, stays) = (
        (
            steps_to(method_of(s), exploration.measure, exploration.target),
            staying(forecast_loss(method_of(s), exploration.measure, np.arange(5000))),
        )
        for s in states[2:4]
    )
    assert rung < stays
    percent = "1\N{NO-BREAK SPACE}%"
    assert f"it touches {percent} after {rung:,} steps and stays from {stays:,};" in fourth
    assert before == still
    assert f"critically damped, it takes {before:,} steps to {percent}." in fourth
    assert ("flatter modes gain" in fourth) == (stays < still)
    # What the networks did stands beside what the forecast has.
    real = "did not get there" if ball.measured is None else f"took {ball.measured:.4g} step"
    assert real in last
    assert ball.measured is None or "on average" in last
    # The second step's count is that of the tuned step size, which is not called the best there is.
    plain = next(
        p.method
        for p in exploration.points
        if p.rule == "forecast" and p.method.name == "gradient_descent"
    )
    promised = steps_to(plain, exploration.measure, exploration.target)
    assert (
        f"{100 * plain.eta * largest / 2:.3g}\N{NO-BREAK SPACE}% of that limit: by the forecast"
        in second
    )
    assert f"{promised:,} steps to" in second
    assert "best" not in second


def test_a_figure_reads_out_what_is_under_pointer_and_focus(chromium, file):
    with opened(chromium, file, "#steps=40") as view:
        _, now = numbers_of(view)
        chart = view.locator("#loss > svg")
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        left, right = box["x"] + 56, box["x"] + box["width"] - 14  # the margins of a chart
        view.mouse.move(left + (right - left) * 10 / 40, box["y"] + 100)
        told = view.locator("#loss .tip").inner_text()
        assert "step 10" in told
        assert f"{now['loss'][10]:.4g}" in told
        view.mouse.move(5, 5)
        assert view.locator("#loss .tip").is_hidden()
        # The same by keys, and aloud.
        view.locator('[data-run="gradient_descent"]').focus()
        chart.focus()
        for _ in range(3):
            view.keyboard.press("ArrowRight")
        assert "step 3" in view.locator("#loss .tip").inner_text()
        view.wait_for_timeout(450)
        said = view.locator("body > [role=status]").inner_text()
        assert f"{now['loss'][3]:.4g}" in said


@pytest.mark.parametrize("steps", [30, 500])  # of 30, 400 points are no multiple
def test_a_flow_is_read_out_at_whole_steps(chromium, file, exploration, steps):
    """As its method, and with its own value at the time of that step."""
    with opened(chromium, file, f"#steps={steps}") as view:
        chart = view.locator("#flow-loss > svg")
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        heads = set()
        for share in (0.31, 0.47, 0.83):
            view.mouse.move(box["x"] + share * box["width"], box["y"] + 100)
            heads.add(view.locator("#flow-loss .tip strong").inner_text())
        assert len(heads) == 3
        assert all(re.fullmatch(r"step \d+", head) for head in heads), heads
        # Seen by keys, each step; its flows are those of Python at that time.
        state, _ = numbers_of(view)
        view.locator("#mode").focus()
        chart.focus()
        for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
            view.keyboard.press(key)
        told = view.locator("#flow-loss .tip").inner_text()
        step = int(re.match(r"step (\d+)", told)[1])
        assert step == 3 * max(1, round((steps + 1) / 100))
        method, measure = method_of(state), exploration.measure
        for flow in flows_of(method, None):
            at = flow.time(np.array([step]), method.eta)
            assert f"{flow_loss(flow, measure.nodes, measure.weights, at)[0]:.4g}" in told


def test_of_a_mode_that_swings_fast_its_flow_shows_the_first_steps_and_says_so(
    chromium, file, exploration
):
    """Eight swings of the steepest mode, and all steps of a flat one."""
    largest = exploration.measure.nodes[-1]
    setting = f"method=heavy_ball&eta={2.9 / largest}&beta=0.5&steps=2000"
    friction = (1 - 0.5) / (1 + 0.5)  # half of it, times the root of eta: a flat mode never swings
    swings = round(8 * 2 * np.pi / (2.9 - friction**2) ** 0.5)
    for mode, said in ((len(exploration.measure.nodes) - 1, True), (0, False)):
        with opened(chromium, file, f"#{setting}&mode={mode}") as view:
            words = view.locator("#flow-caption").inner_text()
            ticks = view.locator("#flow-mode > svg").text_content()
        assert (f"The first {swings} steps of 2,000, about 8 swings" in words) == said
        assert ("2,000" not in ticks) == said


def test_the_plane_shows_the_curve_of_the_setting_under_the_pointer(chromium, file, exploration):
    with opened(chromium, file) as view:
        view.locator("#plane").scroll_into_view_if_needed()
        box = view.locator("#plane").bounding_box()
        # Whole pixels: a click is rounded to them.
        x, y = round(box["x"] + 0.5 * box["width"]), round(box["y"] + 0.4 * box["height"])
        view.mouse.move(x, y)
        settle(view)
        assert "under the pointer" in view.locator("#plane-curve .legend").inner_text()
        words = view.locator("#plane-setting").inner_text()
        view.mouse.click(x, y)
        settle(view)
        state, _ = numbers_of(view)
        assert words.startswith(f"η {state['eta']:.4g}".rstrip("0"))
        steps = steps_to(method_of(state), exploration.measure, exploration.target)
        told = int(re.search(r": ([\d,]+) steps", words).group(1).replace(",", ""))
        # The curve is that of the 48 nodes that the plane is coloured from.
        assert abs(told - steps) <= max(1, 0.1 * steps)


def test_a_root_read_out_is_the_one_farther_out(chromium, file, exploration):
    nodes = exploration.measure.nodes
    ball = heavy_ball(5 / nodes[-1], 0.5)
    far = roots(ball, nodes[-1:]).real.min()
    address = f"#method=heavy_ball&eta={ball.eta}&beta={ball.beta}&mode={len(nodes) - 1}"
    with opened(chromium, file, address) as view:
        view.locator("#disc").focus()
        view.keyboard.press("ArrowUp")
        settle(view)
        told = view.locator("#disc .tip").inner_text()
        label = view.locator("#disc text.halo").last.text_content()
    said = f"\N{MINUS SIGN}{-far:.4g}"
    assert said in told
    assert said in label  # it lies outside of the picture


def texts_of_pictures(view):
    """Texts in plots: whether a line runs through one, its halo's width, and that of a space."""
    return view.evaluate("""() => [...document.querySelectorAll(".plot > svg text")].map((text) => {
        text.scrollIntoView({ block: "center" });
        const box = text.getBoundingClientRect(), style = getComputedStyle(text);
        const crosses = (one, x, y) => one !== text && one.closest("svg") === text.closest("svg")
            && one.isPointInStroke && getComputedStyle(one).stroke !== "none"
            && one.isPointInStroke(
                new DOMPoint(x, y).matrixTransform(one.getScreenCTM().inverse()));
        let struck = false;
        for (let x = box.left + 1; x < box.right; x += 1)
            for (let y = box.top + 3; y < box.bottom - 3; y += 1)
                struck ||= document.elementsFromPoint(x, y).some((one) => crosses(one, x, y));
        const context = document.createElement("canvas").getContext("2d");
        context.font = style.font;
        return { text: text.textContent, struck, space: context.measureText(" ").width,
            halo: style.stroke === "none" ? 0 : parseFloat(style.strokeWidth),
            own: style.stroke === getComputedStyle(document.body).backgroundColor };
    })""")


@pytest.mark.parametrize(
    ("scheme", "media"), [("light", "screen"), ("dark", "screen"), ("dark", "print")]
)
def test_no_line_strikes_through_the_words_of_a_picture(chromium, file, exploration, scheme, media):
    """Not in the gap of a space either, where what is left of a line reads as a minus sign."""
    last, struck = len(exploration.measure.nodes) - 1, set()
    with opened(chromium, file, **PHONE, color_scheme=scheme) as view:
        view.emulate_media(media=media, color_scheme=scheme)
        for address in ("", f"#beta=0.5&mode={last}", "#beta=0.99", f"#eta=9&mode={last}"):
            view.evaluate("address => { location.hash = address }", address)
            settle(view)
            for one in texts_of_pictures(view):
                if one["struck"] or one["halo"]:
                    assert one["halo"] > 1.5 * one["space"], one
                    assert one["own"], one
                    struck |= {one["text"]} if one["struck"] else set()
    assert struck


def test_roots_and_heat_map_are_moved_by_keys(chromium, file, exploration):
    last = len(exploration.measure.nodes) - 1
    with opened(chromium, file, f"#mode={last}&at=5") as view:
        view.locator("#disc").focus()
        view.keyboard.press("ArrowDown")
        view.keyboard.press("ArrowDown")
        settle(view)
        nodes = exploration.measure.nodes
        assert f"λ = {nodes[last - 2]:.4g}".rstrip("0") in view.locator("#disc .tip").inner_text()
        view.locator("#heat").focus()
        view.keyboard.press("ArrowUp")
        view.keyboard.press("ArrowRight")
        settle(view)
        assert view.locator("#disc .tip").is_hidden()
        assert "step 6, λ" in view.locator("#heat .tip").inner_text()
        state, _ = numbers_of(view)
        assert (state["mode"], state["at"]) == (last - 1, 6)
        view.locator("#opening").focus()
        view.keyboard.press("ArrowRight")
        settle(view)
        assert "step 7" in view.locator("#opening .tip").inner_text()
        for figure, key, kept, end in (
            ("#heat", "End", "at", state["steps"]),
            ("#heat", "Home", "at", 0),
            ("#disc", "Home", "mode", 0),
            ("#disc", "End", "mode", last),
            ("#opening", "End", "at", state["steps"]),
        ):
            view.locator(figure).focus()
            view.keyboard.press(key)
            settle(view)
            assert numbers_of(view)[0][kept] == end
        view.locator("#bars").focus()
        view.keyboard.press("ArrowRight")
        assert "λ" in view.locator("#bars .tip").inner_text()
        view.locator("#phase").focus()
        view.keyboard.press("ArrowRight")
        assert "step 1" in view.locator("#phase .tip").inner_text()
        view.locator("#regimes").focus()
        for _ in range(9):
            view.keyboard.press("ArrowRight")
        assert "swings" in view.locator("#regimes .tip").inner_text()
        view.locator("#plane").focus()
        view.keyboard.press("ArrowLeft")
        settle(view)
        assert "to 1" in view.locator("#plane .tip").inner_text()
        view.locator("#eta").focus()
        assert view.locator("#plane .tip").is_hidden()


def test_a_phase_portrait_holds_its_run_or_says_where_it_leaves(chromium, file, exploration):
    last = len(exploration.measure.nodes) - 1
    eta = 3.5 / exploration.measure.largest
    address = f"#method=heavy_ball&eta={eta}&beta=0.8&steps=60&mode={last}"
    with opened(chromium, file, address) as view:
        _, rows = saved_rows(view, "phase.csv")
        assert np.abs(rows.astype(float)[:, 1:]).max() > 1.45  # wider than the usual picture
        outside = """() => {
            const frame = document.querySelector("#phase clipPath rect").getBBox();
            return [...document.querySelectorAll("#phase g circle")].filter((dot) => {
                const [x, y] = [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))];
                return x < frame.x || x > frame.x + frame.width || y < frame.y || y > frame.y + frame.height;
            }).length; }"""  # noqa: E501
        assert view.evaluate(outside) == 0
        assert "leaves the picture" not in view.locator("#phase").inner_text()
        view.locator("#eta-number").fill(str(1.2 * eta))
        view.keyboard.press("Enter")
        settle(view)
        assert "leaves the picture at step" in view.locator("#phase").text_content()


def test_the_first_tab_skips_to_the_figures(chromium, file):
    with opened(chromium, file) as view:
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.className") == "skip"
        view.keyboard.press("Enter")
        settle(view)
        assert view.evaluate("document.activeElement.id") == "main"


def test_a_curve_that_leaves_or_ends_is_marked(shared):
    exits = shared.evaluate("""() => charts.exits(
        { x: [0, 1, 2, 3, 4, 5, 6, 7], y: [1, 20, 2, 0.01, 3, Infinity, 4, NaN] }, [0.1, 10])""")
    assert [(one["kind"], one["x"]) for one in exits] == [
        ("up", 1),
        ("down", 3),
        ("up", 5),
        ("end", 6),
    ]
    dots = shared.evaluate("""() => charts.exits(
        { x: [0, 1, 2, 3, 4, 5], y: [1, 9, 12, -9, -1, NaN], dots: 2 }, [-8, 8], false)""")
    assert [(one["kind"], one["x"]) for one in dots] == [("up", 1), ("up", 2), ("down", 3)]


@pytest.mark.parametrize(("share", "beyond"), [(0.4, False), (0.997, False), (1.2, True)])
def test_the_flow_of_a_mode_shows_every_dot_or_says_where_it_is_beyond(
    chromium, file, exploration, share, beyond
):
    """Swings that are wider than the start, near the limit; above it, one mark for each step."""
    last = len(exploration.measure.nodes) - 1
    eta = share * 3.8 / exploration.measure.largest
    address = f"#method=heavy_ball&eta={eta}&beta=0.9&steps=40&mode={last}"
    with opened(chromium, file, address) as view:
        _, rows = saved_rows(view, "flow-mode.csv")
        factor = rows[rows[:, 0] == "heavy ball"][:, 2].astype(float)
        assert np.abs(factor).max() > 1.08 or share < 0.5  # more than it starts from
        outside, marked = view.evaluate("""() => {
            const chart = document.querySelector("#flow-mode > svg");
            const frame = chart.querySelector("clipPath rect").getBBox();
            const dots = [...chart.querySelectorAll("g > g > circle.c-ink")];
            return [dots.filter((dot) => {
                const y = Number(dot.getAttribute("cy")), r = Number(dot.getAttribute("r"));
                return y - r < frame.y || y + r > frame.y + frame.height; }).length,
                chart.querySelectorAll(".mark.c-ink").length]; }""")
        said = "▲ and ▼: steps beyond the figure." in view.inner_text("#flow-caption")
    expected = int((np.abs(factor) > 1.08 * 8).sum()) if beyond else 0
    assert outside <= marked == expected
    assert (expected > 0) == said == beyond


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_clipped_on_paper(chromium, file, width):
    with opened(chromium, file, viewport={"width": width, "height": 800}) as view:
        view.evaluate("dispatchEvent(new Event('beforeprint'))")
        view.emulate_media(media="print")
        view.set_viewport_size({"width": 688, "height": 1000})  # A4 within its margins
        settle(view)
        assert not scrolls_sideways(view)
        wide = view.evaluate("""() => [...document.querySelectorAll("svg, canvas")]
            .filter((one) => one.getBoundingClientRect().right > 689)
            .map((one) => one.outerHTML.slice(0, 80))""")
        assert wide == []
        # The marks in the plane keep their names, and the names their marks.
        assert view.locator("#points").is_visible()
        for button in view.locator("#points button").all():
            assert button.is_visible()
        view.evaluate("dispatchEvent(new Event('afterprint'))")


def drawn(pdf):
    """Length of what is drawn on the page; fonts are no ASCII."""
    streams = re.findall(rb"stream\r?\n(\x78.*?)endstream", pdf, re.DOTALL)
    texts = (zlib.decompressobj().decompress(one) for one in streams)
    return max(len(one) for one in texts if one.isascii())


@pytest.mark.parametrize("format_", ["A4", "Letter"])
def test_no_sheet_of_the_explorer_is_half_empty(chromium, file, format_):
    """What a batch allows, the flows and the footer are on one sheet, the sixth."""
    with opened(chromium, file) as view:
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", view.pdf(format=format_))) == 6


def test_paper_begins_with_picture_and_lesson(chromium, file):
    """And not with a page that is empty below its head, as a grid of one row would leave it."""

    with opened(chromium, file) as view:
        whole = drawn(view.pdf(format="A4", page_ranges="1"))
        view.evaluate("document.querySelector('main').style.display = 'none'")
        head = drawn(view.pdf(format="A4", page_ranges="1"))
    assert whole > 2 * head > 0


def test_the_five_steps_are_on_one_sheet(chromium, file):
    """Also where the head is longer: a sheet is another without them only where they all are."""

    def lengths(view, steps, sheets):
        """Draw some sheets without the first steps."""
        view.evaluate(
            """steps => [...document.querySelectorAll(".thread li")].forEach((one, i) => {
                one.style.visibility = i < steps ? "hidden" : ""; })""",
            steps,
        )
        return [drawn(view.pdf(format="A4", page_ranges=sheet)) for sheet in sheets]

    with opened(chromium, file) as view:
        for height in range(0, 500, 125):
            view.evaluate(
                "h => { document.querySelector('main').style.paddingTop = h }", f"{height}px"
            )
            whole, none = (lengths(view, steps, "123") for steps in (0, 5))
            (place,) = (i for i in range(3) if none[i] != whole[i])
            (all_but_first,) = lengths(view, 1, str(place + 1))
            assert none[place] < all_but_first < whole[place]


def test_paper_asks_for_no_hand(chromium, file):
    """What is moved and pressed on the screen is not on paper."""
    asked = re.compile("Move the two sliders|Drag the ring|Press ")
    with opened(chromium, file) as view:
        assert len(asked.findall(view.locator("body").inner_text())) >= 2
        view.emulate_media(media="print")
        assert asked.findall(view.locator("body").inner_text()) == []


def test_the_last_page_on_paper_is_never_the_footer_alone(chromium, file):
    """It holds the last figures too, wherever the pages before it end."""

    with opened(chromium, file) as view:
        for height in range(0, 1000, 200):
            view.evaluate(
                "h => { document.querySelector('main').style.paddingTop = h }", f"{height}px"
            )
            pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", view.pdf(format="A4")))
            last = drawn(view.pdf(format="A4", page_ranges=str(pages)))
            assert last > 50_000  # a footer has a tenth of that, a chart far more


def test_modes_are_shown_as_pictures(shared, exploration):
    assert shared.locator("#meaning image").count() == 5
    assert shared.locator("#meaning-strip button").count() == len(exploration.meanings)
    shared.locator("#meaning-strip button").first.click()
    settle(shared)
    assert numbers_of(shared)[0]["mode"] == len(exploration.measure.nodes) - 1
    assert "Mode 1 of 60" in shared.locator("#meaning-words").inner_text()


def test_names_from_files_stay_text(shared):
    assert shared.locator("h1").inner_text() == f"Momentum on {NAUGHTY}"
    assert LABEL in shared.locator("footer").inner_text()
    assert shared.title() == f"Momentum on {NAUGHTY}"
    assert shared.locator("script").count() == 2
    assert shared.locator("footer img").count() == 0


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_no_serious_accessibility_fault(chromium, file, options):
    with opened(chromium, file, **options) as view:
        assert accessibility_faults(view) == []
        assert not scrolls_sideways(view)


def test_the_page_holds_no_address_to_load_from(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r'(src|href|action)="(?!data:|#)', text)
    assert "url(http" not in text
    assert len(text) < 500_000


def test_one_eigenvalue_leaves_no_method_momentum_and_the_page_stands(chromium, tmp_path):
    """Orthogonal rows have a kernel of I/2: one step of size 2 ends it, whatever the method."""
    data = load(np.eye(3), np.array([1.0, -1.0, 1.0]))
    found = explore(data, Settings(seeds=(0,), steps=10, width=300))
    assert [curve.name for curve in found.curves] == list(METHODS[:3])
    assert [curve.method.constant[1] for curve in found.curves] == [0, 0, 0]
    page = tmp_path / "one.html"
    page.write_text(explorer_page(found), encoding="utf-8")
    with opened(chromium, page) as view:
        text = view.locator("body").inner_text()
        assert "gradient descent 1 / 1, heavy ball 1 / 1, Nesterov 1 / 1." in text
        assert "NaN" not in text
        assert "All directions are equally steep here, and done after one step." in text
        assert "times flatter" not in text
        assert "all 1 of them" not in text
        assert numbers_of(view)[0]["method"] == "heavy_ball"


def test_the_runs_are_those_of_compare_and_near_their_forecast(exploration, tmp_path):
    settings = Settings(seeds=(0, 1), steps=40, width=100)
    arrays = compare(load("digits", n=60), settings, out=tmp_path / "run").arrays
    for curve in exploration.curves:
        run = arrays.sel({"optimizer": curve.method.name})
        np.testing.assert_array_equal(curve.loss, run.loss)
        np.testing.assert_allclose(curve.forecast, run.forecast_loss.mean("seed"), rtol=1e-12)
        assert curve.loss.shape == (2, 41)
        expected = curve.forecast
        # 100 neurons and two starts: the same size and direction, no more.
        assert curve.loss.mean(0)[-1] < 0.5 * curve.loss.mean(0)[0]
        assert 0.2 < curve.loss.mean() / expected.mean() < 5


def test_every_eigenvalue_is_on_the_page_as_far_as_all_are_known():
    """Merged, steep and heavy ones drift out of phase under momentum near 1."""
    data = load("sphere", n=1100, dim=5)
    two = ("gradient_descent", "heavy_ball")
    found = explore(data, Settings(methods=two, seeds=(0,), steps=5, width=20))
    np.testing.assert_array_equal(found.measure.nodes, measure_of(data).nodes)
    assert len(found.measure.nodes) == 1100


@pytest.mark.parametrize("few", [False, True])
def test_where_nodes_stand_for_eigenvalues_counts_are_near(chromium, exploration, tmp_path, few):
    n = len(exploration.measure.nodes)
    facts = dataclasses.replace(exploration.data, n=2000 if few else n)
    path = tmp_path / "explore.html"
    page = explorer_page(dataclasses.replace(exploration, data=facts, modes=None, sizes=None))
    path.write_text(page, encoding="utf-8")
    assert (f"{n} nodes stand for the 2,000 eigenvalues" in page) == few
    assert ("Forecasts are exact for the linearised network" in page) != few
    address = f"#method=heavy_ball&eta={0.5 / exploration.measure.largest}&beta=0.8"
    with opened(chromium, path, address) as view:
        for mark in ("#steps-to", "#loss-share"):
            assert view.locator(mark).inner_text().startswith("≈") == few
        assert f"all {'2,000' if few else n} of them" in view.locator("#thread").inner_text()
    far = f"#method=gradient_descent&eta={30 / exploration.measure.largest}"
    with opened(chromium, path, far) as view:
        assert (
            bool(re.search(r"The \d+ steepest modes grow", view.locator("#why").inner_text()))
            != few
        )


def test_the_largest_page_keeps_to_its_size(exploration):
    """With all nodes, modes, pictures and the bound, and runs of a thousand steps."""
    rng = np.random.default_rng(2)
    measure = Measure(np.sort(rng.random(1999)), rng.random(1999))
    pictures = {"low": rng.random((2, 32, 32)), "high": rng.random((2, 32, 32))}
    one = dataclasses.replace(exploration.meanings[0], picture=rng.random((32, 32)), **pictures)
    long = [
        dataclasses.replace(c, loss=rng.random((3, 1001)), forecast=rng.random(1001))
        for c in exploration.curves
    ]
    largest = dataclasses.replace(
        exploration,
        measure=measure,
        modes=modes_of(measure, most=MOST_MODES),
        bound=np.geomspace(1, 1e-10, 301),
        meanings=(one,) * MOST_MEANINGS,
        curves=tuple(long),
    )
    assert len(explorer_page(largest, "inertial explore").encode()) < 1_500_000


@given(st.floats(-3, 0.6), st.floats(0, 4), st.booleans())
def test_the_largest_root_belongs_to_an_end_of_the_spectrum(power, level, corrected):
    """The plane is coloured from the two ends alone."""
    modes = np.geomspace(1e-5, 1, 300)
    make = nesterov if corrected else heavy_ball
    method = make(10**power, 1 - 10**-level)
    moduli = np.abs(roots(method, modes)).max(axis=0)
    # Equal up to the rounding of a double root.
    assert moduli.max() <= max(moduli[0], moduli[-1]) * (1 + 1e-7)


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = load("digits", n=60)
    np.savez("<b>my & data.npz", x=data.x, y=data.y)
    # The shapes of the fixture's runs, so that nothing is compiled again.
    words = ["explore", "<b>my & data.npz", "--runs", "1", "--steps", "40", "--width", "100"]
    main([*words, "-o", "page.html"])
    assert "page.html" in capsys.readouterr().out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;my &amp; data" in text
    assert "<b>my" not in text


# ---- batches ----


@pytest.mark.parametrize(
    ("low", "said"),
    [(1.04, "on no batch"), (1.06, "on batches below about 1.1 rows"), (4.2, "4.2 rows, with")],
)
def test_noise_limits_no_step_where_only_one_row_is_below(exploration, low, said):
    sizes = dataclasses.replace(exploration.sizes, noise_limits_below=low)
    text = explorer_page(dataclasses.replace(exploration, sizes=sizes))
    assert re.search(
        rf"Noise limits the step more than curvature does (?:on batches below about )?{said}", text
    )


@pytest.mark.parametrize(
    ("high", "said"), [(60, "from about 60 rows on"), (61, "on no batch short of all rows")]
)
def test_momentum_pays_in_full_at_the_latest_with_all_rows(exploration, high, said):
    assert exploration.data.n == 60
    sizes = dataclasses.replace(exploration.sizes, momentum_pays_above=high)
    text = explorer_page(dataclasses.replace(exploration, sizes=sizes))
    assert f"constant momentum pays nearly in full {said}." in text


def test_where_eigenvalues_are_near_one_another_momentum_and_large_steps_help_nothing(
    chromium, tmp_path
):
    """Nearly orthogonal rows, of condition number 1.7: what helps one direction harms another."""
    data = load("sphere", n=20, dim=1000)
    found = explore(data, Settings(width=50, seeds=(0,), steps=10))
    measure = found.measure
    assert measure.largest < 4 * measure.smallest
    page = tmp_path / "near.html"
    page.write_text(explorer_page(found), encoding="utf-8")
    with opened(chromium, page) as view:
        first, second = (view.locator("#thread li").nth(i).inner_text() for i in (0, 1))
        legend = view.locator("#batches .legend").inner_text()
        said = view.locator("section:has(#batches) .caption").inner_text()
    # Steps to a tiny share, by rates: gradient descent tuned for both ends, and heavy ball.
    condition = measure.largest / measure.smallest
    best = [choose("quadratic", name, measure) for name in ("gradient_descent", "heavy_ball")]
    rates = [spectral_radius(one, measure.nodes[[0, -1]]) for one in best]
    saved = 1 - np.log(rates[0]) / np.log(rates[1])
    assert (
        f"momentum saves {100 * saved:.2g} % of the steps in the long run at most, for the "
        f"eigenvalues lie within a factor of {condition:.2g}."
    ) in said.replace("\N{NO-BREAK SPACE}", " ")
    assert "waits for the flat ones" not in first
    assert "A larger step helps" not in second
    assert "At η = 2/λₘₐₓ = " in second
    assert "noise limits the step" in legend
    assert "momentum pays" not in legend


def test_moments_of_batches_are_those_of_python(shared, exploration):
    # Merged, so that some of them count for several.
    modes, rng = modes_of(exploration.measure, most=25), np.random.default_rng(3)
    assert modes.counts.max() > 2
    ringing = 0
    given = {name: getattr(modes, name).tolist() for name in ("nodes", "weights", "counts")}
    swinging = [heavy_ball(0.3 / exploration.measure.largest, beta) for beta in (0.9, 0.95)]
    for method in sampled(exploration.measure.nodes)[::4] + swinging:
        batch = 58 if method in swinging else int(rng.integers(1, 60))
        expected = forecast_batches(method, modes, batch, 80)
        found, limit, size = shared.evaluate(
            """([m, batch, modes]) => {
                const noise = inertial.numerics.noiseShare(batch, 60);
                const found = inertial.numerics.moments(m, modes, noise, 80, 0.01, 80);
                return [{ added: Array.from(found.added, String), spread: Array.from(found.spread, String), moved: Array.from(found.moved), reached: [found.reached.first, found.reached.stays] },
                    inertial.numerics.batchLimit(m, modes, noise), inertial.numerics.excess(m, m.eta, modes, noise)];
            }""",  # noqa: E501
            [as_script(method), batch, given],
        )
        added = [float(value.replace("Infinity", "inf")) for value in found["added"]]
        spread = [float(value.replace("Infinity", "inf")) for value in found["spread"]]
        # The same sums in another order, over 80 steps; what overflows here does a little later
        # there.
        small = expected.loss < 1e150
        total = expected.mean_loss + added
        np.testing.assert_allclose(total[small], expected.loss[small], rtol=1e-9)
        np.testing.assert_allclose(np.array(spread)[small], expected.spread[small], rtol=1e-8)
        far = distance_on_batches(method, modes, batch, 80)
        moved = np.array(found["moved"], float)
        np.testing.assert_allclose(moved[small], far[small], rtol=1e-8)
        stays = staying(forecast_batches(method, modes, batch, 100).loss)
        assert found["reached"] == [
            expected.steps_to(0.01),
            None if stays is None or stays > 80 else stays,
        ]
        ringing += stays is not None and stays != expected.steps_to(0.01)
        own = excess(method, modes, batch)
        assert size == pytest.approx(own, rel=1e-9) or (size is None and np.isinf(own))
        largest = largest_step(method.name, method.constant[1], modes, batch)
        assert limit == pytest.approx(largest, rel=1e-9)
    assert ringing


def random_spectrum(rng, n):
    return np.sort(10 ** rng.uniform(-4, 2, n)), rng.uniform(0.1, 1, n)


def test_merging_for_batches_hardly_moves_what_noise_adds(rng):
    eigenvalues, weights = random_spectrum(rng, 2000)
    measure = Measure(eigenvalues, weights)
    modes = modes_of(measure, most=MOST_MODES)
    for method in (heavy_ball(0.3 / eigenvalues[-1], 0.8), nesterov(0.2 / eigenvalues[-1], 0.9)):
        few, all_ = (forecast_batches(method, one, 200, 300) for one in (modes, measure))
        # A bin spans a ratio of 10^(6/240), 6 %; half of that at most, and of no sign.
        np.testing.assert_allclose(
            few.loss - few.mean_loss, all_.loss - all_.mean_loss, rtol=0.01, atol=1e-9
        )


def test_the_slider_of_the_batch_ends_with_all_rows(chromium, rng, tmp_path):
    """The logarithm of 442 is no multiple of a step of the slider."""
    x = rng.standard_normal((442, 3))
    found = explore(load(x, np.sign(x[:, 0])), Settings(seeds=(0,), steps=5, width=20))
    page = tmp_path / "rows.html"
    page.write_text(explorer_page(found), encoding="utf-8")
    with opened(chromium, page) as view:
        for key, rows in (("Home", 1), ("End", 442)):
            view.locator("#batch").press(key)
            settle(view)
            assert numbers_of(view)[0]["batch"] == rows
        assert "all 442 rows" in view.locator("#batch-hint").inner_text()
        keys = ("ArrowLeft", "ArrowUp", "Home", "ArrowRight", "ArrowUp", "ArrowDown", "ArrowLeft")
        for key, rows in zip(keys, (439, 442, 1, 2, 3, 2, 1), strict=True):
            view.locator("#batch").press(key)
            settle(view)
            assert numbers_of(view)[0]["batch"] == rows, key
            stands = view.locator("#batch").evaluate("(e) => e.valueAsNumber")
            assert stands == pytest.approx(1000 * np.log(rows) / np.log(442), abs=0.5)


def near(count):
    """A count that is not exact, as the page has it."""
    return f"≈\N{NO-BREAK SPACE}{int(float(f'{count + 1e-6:.2g}')):,}"


def test_the_slider_of_the_batch_moves_the_numbers_to_those_of_python(chromium, file, exploration):
    measure = exploration.measure
    address = f"#method=nesterov&eta={0.2 / measure.largest}&beta=0.8&steps=60"
    with opened(chromium, file, address) as view:
        assert numbers_of(view)[0]["batch"] == 60
        assert view.locator("#batch-note").is_hidden()
        view.locator("#batch").focus()
        view.keyboard.press("Home")
        for _ in range(3):
            view.keyboard.press("PageUp")
        settle(view)
        state, now = numbers_of(view)
        assert 1 < state["batch"] < 60
        method = method_of(state)
        expected = forecast_batches(method, measure, state["batch"], 5000)
        np.testing.assert_allclose(now["loss"], expected.loss[:61], rtol=1e-9)
        reached = expected.steps_to(exploration.target)
        assert now["shown"]["steps-to"] == str(reached)
        assert view.locator("#steps-to").inner_text() == near(reached)
        assert view.locator("#samples-to").inner_text() == near(reached * state["batch"])
        samples = view.locator("#samples-to").evaluate("(e) => e.dataset.value")
        assert samples == str(reached * state["batch"])
        limit = largest_step("nesterov", 0.8, measure, state["batch"])
        assert float(now["shown"]["limit-share"]) == pytest.approx(state["eta"] / limit, rel=1e-9)
        assert view.locator("#batch-note").is_visible()
        judged = trust(method, measure, 100, target=exploration.target, batch=state["batch"])
        strain = float(view.locator("#trust-here").evaluate("(e) => e.dataset.value"))
        assert strain == pytest.approx(judged.strain, rel=1e-9)
        assert judged.verdict.startswith(view.locator("#trust-here").inner_text())
        assert said_here(view) in judged.sentence
        # The band of the loss: one standard deviation as a factor, both ways.
        head, rows = saved_rows(view, "loss.csv")
        own = rows[[row[0].startswith("expected at your setting") for row in rows]]
        assert head == ["series", "step", "value", "low", "high"]
        value, low, high = own[:, 2:].astype(float).T
        np.testing.assert_allclose(high - value, expected.spread[:61], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(low * high, value**2, rtol=1e-9)
        # Beyond the limit for the batch, but not that for all rows, the page says why it diverges.
        view.evaluate("(eta) => { location.hash = `${location.hash}&eta=${eta}`; }", 1.05 * limit)
        view.locator("#eta-number").fill(str(1.05 * limit))
        view.keyboard.press("Enter")
        settle(view)
        why = view.locator("#why").inner_text()
        assert why.startswith("Diverges on batches of ")
        assert "at this momentum. Take a smaller step, less momentum or a larger batch." in why
        assert view.locator("#steps-to").inner_text() == "never"
        assert view.locator("#radius").inner_text().startswith("×")


def test_words_on_batches_are_those_of_what_is_drawn(chromium, file, exploration):
    """Shaded without batches, grey with them; gradient descent has no momentum to lower."""
    n, address = exploration.data.n, "#method=gradient_descent&eta=1000&beta=0&batch="
    for batch in (1, n):
        with opened(chromium, file, f"{address}{batch}") as view:
            assert view.locator("#spread-words").is_visible() == (batch < n)
            assert view.locator("#bound-words").is_visible() == (batch == n)
            heavy = view.locator("#heavy-words").inner_text()
            assert heavy.startswith("the expected loss on batches") == (batch < n)
            for button in ("[data-preset=edge]", "[data-preset=table]", "[data-rule=quadratic]"):
                view.locator(button).click()
                settle(view)
                said = view.locator("#lesson").inner_text()
                assert ("for gradients of all rows; batches add noise." in said) == (batch < n)
            assert "less momentum" not in view.locator("#why").inner_text()
    largest = largest_step("gradient_descent", 0.0, exploration.modes, 1)
    with opened(chromium, file, f"#method=gradient_descent&eta={1.1 * largest}&batch=1") as view:
        assert re.search(
            r"grows from ηλₘₐₓ = [\d.]+ on\. Take a smaller step or a larger batch",
            view.locator("#why").inner_text(),
        )


def test_where_no_step_is_stable_the_page_asks_for_the_batch_from_which_one_is(
    chromium, file, exploration
):
    """Momentum that goes to 1 adds up the noise of small batches at any step.

    With a gain of half the noise's share a mode, as steps go to 0, they have to be more than a
    third of the rows.
    """

    def shown(batch, eta=1e-4):
        with opened(chromium, file, f"#method=nesterov_varying&eta={eta}&batch={batch}") as view:
            words = [view.locator(one).inner_text() for one in ("#why", "#plane-caption")]
            assert view.locator("#why").is_visible() == bool(words[0])
            return words

    why, caption = shown(2)
    assert "grows at any step size, as the momentum goes to 1. Take a batch of" in why
    assert "to the top edge and beyond, where the line comes to a step of 0." in caption
    enough = int(re.search(r"Take a batch of (\d+) rows or more\.", why)[1])
    assert enough == exploration.data.n // 3 + 1
    assert shown(enough - 1)[0].replace(f"of {enough - 1} rows:", "of 2 rows:") == why
    followed, caption = shown(enough)
    assert "at any step size" not in followed
    assert "to the top edge." in caption
    largest = 1.3 / exploration.measure.largest  # below 4/3, the limit for all rows
    said, _ = shown(enough, largest)
    assert re.search(r"grows from ηλₘₐₓ = \S+ on\. Take a smaller step or a larger batch\.", said)


def test_the_limits_against_the_batch_are_those_of_python(chromium, file, exploration):
    with opened(chromium, file, "#method=heavy_ball&beta=0.9") as view:
        _, rows = saved_rows(view, "batches.csv")
        for size, step, scaled in rows.astype(float)[::6]:
            expected = largest_step("heavy_ball", 0.9, exploration.modes, int(size))
            assert step == pytest.approx(expected, rel=1e-9)
            assert scaled == pytest.approx(step * exploration.measure.largest, rel=1e-12)
        words = view.locator("section:has(#batches) .caption").inner_text()
        legend = view.locator("#batches .legend").inner_text()
    sizes, n = exploration.sizes, exploration.data.n
    assert of_sizes(sizes, n) in words  # what `tune --batch` prints
    assert f"{sizes.noise_limits_below:.2g} rows" in words
    # The mark in the chart says what the words say.
    pays = f"{sizes.momentum_pays_above:.2g}"
    assert f"constant momentum pays nearly in full from about {pays} rows on" in words
    assert f"constant momentum pays nearly in full from {pays}" in legend


@pytest.mark.parametrize(
    ("method", "momentum"),
    [
        ("gradient_descent", ""),
        ("heavy_ball", ", at your momentum"),
        ("nesterov_varying", ", at momentum 1, to which yours climbs"),
    ],
)
def test_a_limit_on_batches_names_the_momentum_that_there_is(chromium, file, method, momentum):
    with opened(chromium, file, f"#method={method}") as view:
        words = view.locator("section:has(#batches) .caption").inner_text()
    assert f"loss on fresh batches grows{momentum}. " in words


def test_trust_at_a_setting_is_that_of_python(chromium, file, exploration):
    largest = exploration.measure.largest
    for method in (
        heavy_ball(0.5 / largest, 0.8),
        heavy_ball(0.02 / largest, 0.4),
        nesterov(0.3 / largest, 0.9),
        nesterov_varying(0.02 / largest),
        gradient_descent(0.05 / largest),
        gradient_descent(1.5 / largest),
        gradient_descent(3 / largest),
    ):
        beta = "" if method.steps else f"&beta={method.beta}"
        with opened(chromium, file, f"#method={method.name}&eta={method.eta}{beta}") as view:
            strain = float(view.locator("#trust-here").evaluate("(e) => e.dataset.value"))
            judged = trust(method, exploration.measure, 100, target=exploration.target)
            word = view.locator("#trust-here").inner_text()
            if np.isfinite(judged.strain):
                assert strain == pytest.approx(judged.strain, rel=1e-9)
                assert word
                assert judged.verdict.startswith(word)
                assert said_here(view) in judged.sentence
            else:
                assert (word, movement_here(view)) == ("no forecast", "")


@pytest.mark.parametrize(("strain", "about"), [(2.4, ""), (2.6, "about ")])
def test_a_movement_has_the_digits_that_python_gives_it(
    chromium, exploration, tmp_path, strain, about
):
    method = heavy_ball(0.5 / exploration.measure.largest, 0.8)
    narrow = trust(method, exploration.measure, 100, target=exploration.target)
    width = round(100 * (narrow.strain / strain) ** 2)
    path = tmp_path / "explore.html"
    page = explorer_page(dataclasses.replace(exploration, width=width), "inertial explore")
    path.write_text(page, encoding="utf-8")
    judged = trust(method, exploration.measure, width, target=exploration.target)
    with opened(chromium, path, f"#method=heavy_ball&eta={method.eta}&beta=0.8") as view:
        assert movement_here(view).startswith(f"to 1\N{NO-BREAK SPACE}%: movement {about}0")
        assert said_here(view) in judged.sentence


def movement_here(view):
    return view.locator("#trust-why").inner_text()


def said_here(view):
    """The movement and the strain, as Python's sentence has them behind its verdict."""
    return f"{movement_here(view).partition(': ')[2]})"


@pytest.mark.parametrize(
    ("stays", "head", "lesson"),
    [
        (
            None,
            "(some start above it at the end)",
            "took 7 steps on average, with some start above it at the end:",
        ),
        (
            9,
            "(all stay from 9 to the end)",
            "took 7 steps on average, with every start below it from step 9 to the end:",
        ),
    ],
)
def test_a_real_run_that_rings_back_above_the_target_is_told(
    chromium, exploration, tmp_path, stays, head, lesson
):
    def page(**changes):
        curves = tuple(
            dataclasses.replace(one, measured=7.0, **changes) if one.name == "heavy_ball" else one
            for one in exploration.curves
        )
        return explorer_page(dataclasses.replace(exploration, curves=curves))

    path = tmp_path / "explore.html"
    path.write_text(page(rings=True, stays=stays), encoding="utf-8")
    with opened(chromium, path) as view:
        assert f" / 7 {head}" in view.locator("#trust").inner_text()
        assert lesson in view.locator("#thread").inner_text()
    path.write_text(page(rings=False, stays=7), encoding="utf-8")
    with opened(chromium, path) as view:
        assert "at the end" not in view.locator("#trust").inner_text()
        assert "took 7 steps on average:" in view.locator("#thread").inner_text()


def test_what_rings_is_seen_on_the_runs_of_a_model(of_model):
    for curve in of_model.curves:
        low = curve.loss[0] <= of_model.target * curve.loss[0][0]
        if curve.measured is not None:
            after = low[int(curve.measured) :]
            assert curve.rings == (not after.all())
            assert curve.stays == (len(low) - np.argmin(low[::-1]) if low[-1] else None)


def test_the_page_begins_with_the_verdict_and_the_real_steps(shared, exploration):
    first = shared.locator("header p.lede").first.inner_text()
    worst = max(exploration.curves, key=lambda curve: curve.trust.strain)
    assert first.startswith(f"Trust, least for {label(worst.method.name)}: {worst.trust.sentence}")
    for curve in exploration.curves:
        promised, measured = (
            f"over {40}" if one is None else f"{one:,.1f}".removesuffix(".0")
            for one in (curve.promised, curve.measured)
        )
        if curve.measured is None and curve.arrived:
            measured = f"from {curve.arrived} of 2 starts in 40"
        assert f"{promised} / {measured}" in first
    assert any(curve.arrived == 1 for curve in exploration.curves)


def test_the_page_says_which_runs_were_too_short_for_their_forecasts(exploration):
    def head(promised, measured, arrived=0, *, squared=True, **changes):
        curves = tuple(
            dataclasses.replace(
                one, promised=promised, measured=measured, arrived=arrived, **changes
            )
            for one in exploration.curves
        )
        changed = dataclasses.replace(exploration, curves=curves, squared=squared)
        return explorer_page(changed).partition("<main")[0]

    for promised in (41.0, None):
        said = "In 40 steps neither forecast nor runs get there with any method: <code>--steps"
        assert said in head(promised, None)
    for kept in (head(40.0, None), head(41.0, 39.0, 2)):
        assert "trains longer" not in kept
    grown = head(None, None, forecast=np.linspace(1.0, 2.0, 41))
    assert "grows / over 40" in grown
    assert "trains longer" not in grown
    # Under another loss nothing is known beyond the run: it may be the swing of a short one.
    swing = head(None, None, forecast=np.linspace(1.0, 2.0, 41), squared=False)
    assert "over 40 / over 40" in swing
    assert "trains longer" in swing
    some = head(38.0, None, 1)
    assert "/ from 1 of 2 starts in 40" in some
    said = "In 40 steps the runs with any method get there from some starts only: <code>--steps"
    assert said in some
    first, *others = exploration.curves
    both = (
        dataclasses.replace(first, promised=None, measured=None, arrived=0),
        *(dataclasses.replace(one, promised=38.0, measured=None, arrived=1) for one in others),
    )
    mixed = explorer_page(dataclasses.replace(exploration, curves=both)).partition("<main")[0]
    assert (
        f"neither forecast nor runs get there with {label(first.name)}, and those with "
        f"{label(others[0].name)} and {label(others[1].name)} do from some starts only: <code>"
    ) in mixed


def test_a_page_to_give_away_names_the_file_and_not_its_folder(exploration):
    own = dataclasses.replace(exploration.data, name="own.csv", source="/home/mine/own.csv")
    text = explorer_page(dataclasses.replace(exploration, data=own))
    assert "own.csv" in text
    assert "/home/mine" not in text


def test_the_page_says_from_which_start_its_counts_are(shared):
    said = shared.locator("#counts").inner_text()
    assert "from the starts that were trained; these, from the mean over starts" in said
    assert "Not exact, with counts marked ≈: on batches" in said


def test_the_bound_is_shaded_and_nothing_that_is_forecast_goes_below(chromium, file, exploration):
    expected = lower_bound(exploration.measure, 40).certain
    with opened(chromium, file, "#steps=40") as view:
        assert "no gradient method" in view.locator("#loss .legend").inner_text()
        _, rows = saved_rows(view, "loss.csv")
        value = rows[[row[0] == "no gradient method below" for row in rows]][:, 2].astype(float)
        # The page writes nine digits.
        np.testing.assert_allclose(value, expected[: len(value)], rtol=1e-8)
        _, now = numbers_of(view)
        assert (np.array(now["loss"])[: len(value)] >= value * (1 - 1e-8)).all()


def test_runs_on_batches_stand_beside_their_expected_loss(chromium, tmp_path):
    settings = Settings(width=100, seeds=(0, 1), steps=30, batch=8, target=0.1)
    data = load("digits", n=60)
    found = explore(data, settings)
    compared = compare(data, settings, out=tmp_path / "run")
    for curve, row in zip(found.curves, compared.methods, strict=True):
        run = compared.of(curve.method.name)
        assert curve.trust == row.trust
        assert curve.trust.kind == "batches"
        low = curve.loss <= found.target * curve.loss[:, :1]
        assert curve.arrived == low.any(axis=1).sum()
        assert curve.rule == "batch"
        tuned, _ = fastest_for_batch(curve.method.name, measure_of(data), 8, target=0.1)
        assert curve.method == tuned
        np.testing.assert_array_equal(curve.loss, run.loss)
        np.testing.assert_allclose(curve.forecast, run.forecast_loss.mean("seed"), rtol=1e-12)
    path = tmp_path / "page.html"
    path.write_text(explorer_page(found), encoding="utf-8")
    with opened(chromium, path) as view:
        state, _ = numbers_of(view)
        ball = next(c.method for c in found.curves if c.method.name == "heavy_ball")
        assert (state["batch"], method_of(state)) == (8, ball)
        head = view.locator("header").inner_text()
        assert head.index("Trust, least for") < head.index("batches of 8")
        assert "no gradient method" not in view.locator("#loss .legend").inner_text()
        assert view.locator("#points [data-rule=batch][aria-pressed=true]").count() == 1
        assert (
            "the expected loss on such batches stay below" in view.locator("#lesson").inner_text()
        )
        # The lesson is for all rows; its last step says what batches change, and what runs did.
        for_all = next(
            p.method for p in found.points if p.rule == "forecast" and p.method.name == "heavy_ball"
        )
        last = view.locator("#thread li").nth(4).inner_text()
        limit = largest_step("heavy_ball", for_all.constant[1], measure_of(data), 8)
        assert ("the expected loss grows with it" in last) == (for_all.eta >= limit)
        assert "On batches of 8 " in last
        assert f"tuned for them, heavy ball has η = {ball.eta:.4g} " in last
        measured = next(c.measured for c in found.curves if c.method.name == "heavy_ball")
        assert ("did not get there" if measured is None else f"took {measured:.4g} st") in last


# ---- models ----


def small_model(loss):
    data = load("digits", n=60)
    y = data.y if loss == "mse" else (data.y > 0).astype(int)
    network = MLP(data.x.shape[1], (16,), activation="tanh")
    return Problem(network, loss, data.x, y)


@pytest.fixture(scope="module")
def of_model():
    starts = dataclasses.replace(starts_of(small_model("mse")), text="mlp:16:tanh")
    return explore_model(starts, ModelSettings(steps=30), trials=6)


@pytest.fixture(scope="module")
def model_file(of_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.html"
    path.write_text(explorer_page(of_model), encoding="utf-8")
    return path


def test_a_models_measure_forecasts_it_exactly_as_far_as_it_says(of_model):
    assert of_model.measure.proven == 30
    problem = small_model("mse")
    for curve in of_model.curves:
        exact = linearised_loss(problem, tangent(problem), curve.method, 30)
        # Products are taken in single precision.
        np.testing.assert_allclose(curve.forecast, exact, rtol=1e-3, atol=1e-6 * exact[0])
        run = simulate(problem, curve.method, steps=30)
        np.testing.assert_array_equal(curve.loss[0][: len(run.loss)], run.loss)
    # At the start both are the same sum, rounded in two orders.
    forecast = of_model.curves[0].forecast[: len(of_model.bound)]
    assert (of_model.bound <= (1 + 1e-12) * forecast).all()


def test_a_models_verdict_is_what_forecast_and_run_say():
    starts = starts_of(small_model("mse"))
    found = explore_model(starts, ModelSettings(steps=30, target=0.3), trials=0)
    assert {point.rule for point in found.points} == {"forecast"}
    for curve in found.curves:
        if curve.measured is not None:
            near = abs(curve.promised - curve.measured) <= max(0.15 * curve.measured, 1)
            assert curve.verdict == ("holds" if near and not curve.diverged else "departs")
        assert curve.drift > 0
    assert any(curve.measured is not None for curve in found.curves)


def test_the_real_runs_of_a_model_last_until_its_best_setting_arrives():
    starts = starts_of(small_model("mse"))
    found = explore_model(starts, ModelSettings(steps=2), trials=6)
    stays = [settled(curve.loss[0], found.target * curve.loss[0][0]) for curve in found.curves]
    best = min(step for step in stays if step is not None)
    assert best > 2
    assert {curve.loss.shape[1] for curve in found.curves} == {1 + best + held(best)}


def test_the_page_of_a_model_says_which_network_and_how_far(chromium, model_file, of_model):
    with opened(chromium, model_file) as view:
        head = view.locator("header").inner_text()
        assert head.index("Trust: the forecast") < head.index("mlp:16:tanh") < head.index("mse")
        assert f"exact up to step {of_model.measure.proven}," in head
        state, now = numbers_of(view)
        assert state["colour"] == "loss"
        expected = forecast_loss(method_of(state), of_model.measure, np.array(now["steps"]))
        np.testing.assert_allclose(now["loss"], expected, **CLOSE)
        ball = next(c.method for c in of_model.curves if c.method.name == "heavy_ball")
        assert method_of(state) == ball
        assert view.locator("#batch").count() == view.locator("[data-preset=table]").count() == 0
        assert "NaN" not in view.locator("body").inner_text()
        # A count is marked exactly where the nodes prove it no longer.
        thread = view.locator("#thread").inner_text()
        assert "each method was searched by itself: “tune” searches heavy ball" in thread
        counts = re.findall(r"(≈\s|over )?([\d,]+) steps (?:to|before)", thread)
        assert len(counts) >= 3
        for sign, count in counts:
            assert bool(sign) == (int(count.replace(",", "")) > of_model.measure.proven)
        told = view.evaluate("[20, 30, 31, 60, 61, 2045].map((steps) => explorer.counted(steps))")
        near = [f"≈\N{NO-BREAK SPACE}{steps}" for steps in (31, 60)]
        assert told == ["20", "30", *near, "over 60", "over 60"]
        view.locator("#steps").press("End")
        settle(view)
        assert "exact up to step 30" in view.locator("#loss .legend").inner_text()


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_no_serious_accessibility_fault_on_a_models_page(chromium, model_file, options):
    with opened(chromium, model_file, **options) as view:
        assert accessibility_faults(view) == []
        assert not scrolls_sideways(view)


def lesson_of(chromium, exploration, path):
    """The five steps of a page, each as its state and its words."""
    path.write_text(explorer_page(exploration), encoding="utf-8")
    with opened(chromium, path) as view:
        steps = []
        for i in range(5):
            view.locator("#thread a").nth(i).click()
            settle(view)
            told = [view.locator(one).inner_text() for one in ("#steps-to", "#steps-stay")]
            steps.append(
                (numbers_of(view)[0], view.locator("#thread li").nth(i).inner_text(), told)
            )
    return steps


@pytest.mark.parametrize("flatter", [True, False])
def test_where_no_count_is_told_the_lesson_says_what_is_left(chromium, of_model, tmp_path, flatter):
    """Two modes have nothing to gain by ringing; many flatter ones have."""
    measure = of_model.measure
    nodes = np.geomspace(1e-4, 1, 12) if flatter else np.array([0.02, 1.0])
    measure = dataclasses.replace(measure, nodes=nodes, weights=np.ones_like(nodes))
    assert measure.proven == 30
    found = dataclasses.replace(of_model, measure=measure, target=1e-30)
    steps = lesson_of(chromium, found, tmp_path / "page.html")

    def left(state):
        losses = forecast_loss(method_of(state), measure, np.array([0, 30]))
        return losses[1] / losses[0]

    (_, second, _), (third, *_), (fourth, words, _), (_, fifth, _) = steps[1:]
    rung, damped = left(fourth), left(third)
    assert (rung < damped) == flatter == ("flatter modes gain" in words) != ("not gain" in words)
    numbers = re.search(
        r": after 30 steps ([\d.]+)\s% of it is left; critically damped, ([\d.]+)\s%\.", words
    )
    np.testing.assert_allclose(
        [float(n) for n in numbers.groups()], [100 * rung, 100 * damped], 5e-3
    )
    assert re.search(r"it is still at \S+\s% of the loss after 30 steps\.", second)
    assert re.search(r"it is still at \S+\s% after 30 steps\.", fifth)
    for _, words, told in steps:
        assert not re.search("over|touches|stays from", words)
        assert told == ["over 60", ""]


@pytest.mark.parametrize(
    ("target", "weights", "said"),
    [
        (
            0.1,
            [1.0, 1e-3],
            "Yet the loss is there sooner, for a while: it takes 13 steps to 10 % and",
        ),
        (
            0.5,
            [1.0, 1e-3],
            "Yet the mode gets to its goal sooner, and the loss is there sooner: it",
        ),
        (0.5, [0.3, 1e-3], "Yet flatter modes gain by it, and with them the loss: it"),
    ],
)
def test_the_lesson_says_what_is_gained_by_ringing(
    chromium, of_model, tmp_path, target, weights, said
):
    """Of the mode at 0.01, seven tenths of the loss lie in one four times flatter at the end."""
    flat, steep = weights
    measure = dataclasses.replace(
        of_model.measure,
        nodes=np.array([2.5e-3, 0.01, 1.0]),
        weights=np.array([1 - flat, flat, steep]),
    )
    found = dataclasses.replace(of_model, measure=measure, target=target)
    steps = lesson_of(chromium, found, tmp_path / "page.html")
    state, words, told = steps[3]
    losses = forecast_loss(method_of(state), measure, np.arange(200))
    assert said in words.replace("\N{NO-BREAK SPACE}", " ")
    assert told == [str(np.argmax(losses <= target * losses[0])), said_to_stay(losses, target)]
    calm = forecast_loss(method_of(steps[2][0]), measure, np.arange(200))
    parts = [
        forecast_loss(method_of(one[0]), Measure(nodes, share), np.array([int(told[0])]))[0]
        for one in (steps[2], steps[3])
        for nodes, share in [(measure.nodes[:1], measure.weights[:1])]
    ]
    gained = calm[int(told[0])] - losses[int(told[0])]
    assert ("flatter" in said) == (2 * (parts[0] - parts[1]) > gained > 0)


@pytest.mark.parametrize("ratio", [1e-6, 1e-3, 3e-3, 0.1])
def test_ripples_swing_however_flat_the_mode_is(chromium, of_model, tmp_path, ratio):
    measure = dataclasses.replace(
        of_model.measure, nodes=np.array([ratio, 1.0]), weights=np.array([0.9, 0.1])
    )
    path = tmp_path / "page.html"
    path.write_text(explorer_page(dataclasses.replace(of_model, measure=measure)), encoding="utf-8")
    with opened(chromium, path) as view:
        view.locator("[data-preset=ripples]").click()
        settle(view)
        state = numbers_of(view)[0]
        assert "swings back, again and again" in view.locator("#lesson").inner_text()
        assert state["mode"] == 0
        assert (1 - np.sqrt(state["eta"] * ratio)) ** 2 < state["beta"]
        # A link that is pasted has words of its own or none, and one within the page leaves them.
        view.evaluate("location.hash = '#main'")
        settle(view)
        assert "swings back, again and again" in view.locator("#lesson").inner_text()
        view.evaluate("(address) => { location.hash = address; }", "#method=nesterov&beta=0.5")
        settle(view)
        assert numbers_of(view)[0]["method"] == "nesterov"
        assert view.locator("#lesson").inner_text() == ""


def test_where_all_eigenvalues_are_one_the_step_of_the_lesson_is_critical(
    chromium, of_model, tmp_path
):
    """Both roots are 0: done in a step, with nothing left whose largest part is anywhere."""
    measure = dataclasses.replace(of_model.measure, nodes=np.full(4, 0.5), weights=np.ones(4))
    path = tmp_path / "page.html"
    path.write_text(explorer_page(dataclasses.replace(of_model, measure=measure)), encoding="utf-8")
    with opened(chromium, path) as view:
        for i, kind in enumerate(
            ["critically damped", "jumps", "critically damped", "underdamped"]
        ):
            view.locator("#thread a").nth(i).click()
            settle(view)
            assert kind in view.locator("#phase-words").inner_text()
            assert "Critical damping" not in view.locator("#phase-words").inner_text()
            left = view.locator("#bars-words").inner_text()
            assert (
                ("largest part" in left) == (i in {1, 3}) != (": 0\N{NO-BREAK SPACE}% of" in left)
            )


@pytest.mark.parametrize("share", [0.6, 1e-4])
def test_what_single_precision_does_not_resolve_is_not_promised(chromium, tmp_path, share):
    """Three columns, and much of the loss where the kernel is below a millionth of its largest."""
    random = np.random.default_rng(0)
    x, _ = np.linalg.qr(random.standard_normal((40, 3)))
    y = x @ np.sqrt([[0.5], [0.5 - share / 2], [share / 2]])
    x = x * [1.0, 0.5, 1e-4]
    made = Problem.from_apply(lambda w, x: x @ w, np.zeros((3, 1), np.float32), x, y)
    found = explore_model(starts_of(made), ModelSettings(steps=10, target=0.1), trials=0)
    unresolved = share / 2 > 0.1
    assert (found.measure.proven is None) != unresolved
    if unresolved:
        assert found.measure.proven == found.measure.nodes.size - 1
    assert bool(found.doubt) == unresolved
    path = tmp_path / "page.html"
    path.write_text(explorer_page(found), encoding="utf-8")
    with opened(chromium, path) as view:
        head = view.locator("header").inner_text()
        assert ("exact at every step" in head) != unresolved
        assert ("10 % may be out of reach of every gradient method" in head) == unresolved
        assert "trains longer" not in head or not unresolved


def test_a_count_that_is_told_beside_one_that_is_not_is_less(chromium, of_model, tmp_path):
    nodes = np.array([0.05, 1.0])
    measure = dataclasses.replace(of_model.measure, nodes=nodes, weights=np.ones(2))
    found = dataclasses.replace(of_model, measure=measure, target=1e-3)
    words = lesson_of(chromium, found, tmp_path / "page.html")[3][1]
    assert re.search(r"does not gain by it: it is still at [\d.]+\s% after 30 steps; crit", words)
    assert re.search(r"critically damped, it takes \d+ steps to 0\.1\s%\.", words)


@pytest.mark.parametrize(("target", "said"), [(1e-9, "diverges."), (0.9, "and diverges later.")])
def test_the_lesson_says_where_real_runs_chose_what_the_forecast_has_diverge(
    chromium, of_model, tmp_path, target, said
):
    def beyond(curve):
        beta = curve.method.constant[1]
        eta = 1.01 * stability_limit(heavy_ball(1.0, beta)) / of_model.measure.largest
        made = heavy_ball(eta, beta) if beta else gradient_descent(eta)
        return dataclasses.replace(curve, method=made, rule="trials")

    curves = tuple(map(beyond, of_model.curves))
    found = dataclasses.replace(of_model, curves=curves, target=target)
    steps = lesson_of(chromium, found, tmp_path / "page.html")
    assert "101\N{NO-BREAK SPACE}% of that limit: by the forecast it" in steps[1][1]
    for _, words, _ in (steps[1], steps[4]):
        assert re.search(f"by the forecast it [^.]*{re.escape(said)}", words)
        assert target == 0.9 or "steps to" not in words


def test_counts_that_are_near_have_two_digits_and_are_not_told_apart_by_less(chromium, model_file):
    with opened(chromium, model_file) as view:
        near = "[12547, 1254, 125, 99].map((steps) => explorer.counted(steps / 1000, true, 1000))"
        assert view.evaluate(near) == [
            f"≈\N{NO-BREAK SPACE}{count}" for count in ("13,000", "1,300", "130", "99")
        ]
        for (first, stays), said in (
            ((20, 20), ""),
            ((20, 25), "stays from 25"),
            ((20, 31), "stays from ≈\N{NO-BREAK SPACE}31"),
            ((20, 61), "stays only after 60"),
            ((20, None), "leaves again"),
            ((61, 70), ""),
            ((None, None), ""),
        ):
            found = view.evaluate(
                "(one) => explorer.staying(one)", {"first": first, "stays": stays}
            )
            assert found == said
        same = "(one) => explorer.staying({ first: 1251, stays: 1254 }, '', true)"
        assert view.evaluate(same) == ""


def test_another_loss_is_forecast_as_its_quadratic_model(chromium, tmp_path):
    problem = small_model("binary_cross_entropy")
    found = explore_model(starts_of(problem), ModelSettings(steps=20), trials=0)
    assert found.bound.size == 0
    path = tmp_path / "page.html"
    path.write_text(explorer_page(found), encoding="utf-8")
    with opened(chromium, path) as view:
        assert "quadratic model" in view.locator("header").inner_text()
        assert "exact up to" not in view.locator("header").inner_text()
        # The head's counts are the linearised network's, those of the lesson are not.
        lesson = view.locator(".thread").inner_text()
        assert "by the quadratic model" in lesson
        assert "the forecast" not in lesson
        _, rows = saved_rows(view, "loss.csv")
        drawn = rows[[row[0].startswith("quadratic model at your setting") for row in rows]]
        # The model has the loss and the gradient of the real one at the start: a first small step
        # changes both alike.
        start = float(drawn[0, 2])
        assert start == pytest.approx(found.start, rel=1e-6)
        view.locator("input[value=gradient_descent]").check()
        view.locator("#eta-number").fill(str(1e-3 / found.measure.largest))
        view.keyboard.press("Enter")
        settle(view)
        _, rows = saved_rows(view, "loss.csv")
        drawn = rows[[row[0].startswith("quadratic model at your setting") for row in rows]]
        method = gradient_descent(1e-3 / found.measure.largest)
        real = simulate(problem, method, steps=1).loss
        fallen = start - float(drawn[1, 2])
        assert fallen == pytest.approx(real[0] - real[1], rel=0.02)


def test_the_command_takes_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["explore", "digits", "--n", "40", "--model", "mlp:8", "--loss", "mse", "--steps", "10"]
    main([*words, "--trials", "0", "-o", "page.html"])
    assert "mlp:8" in (tmp_path / "page.html").read_text(encoding="utf-8")
    for loss, slider in (("mse", True), ("cross_entropy", False)):
        own = [loss if word == "mse" else word for word in words]
        main([*own, "--trials", "0", "--batch", "8", "-o", "batch.html"])
        page = (tmp_path / "batch.html").read_text(encoding="utf-8")
        assert ('id="batch-knob"' in page) == slider
        assert ("No slider for the batch" in page) != slider
    for wrong, told in (
        ((*words, "--width", "20"), "--runs and --width are for the papers' network"),
        ((*words, "--batch", "41"), "batch is 41"),
        (("explore", "digits", "--n", "30", "--batch", "0"), "batch is 0"),
        (("explore", "digits", "--n", "30", "--batch", "31"), "batch is 31"),
        (("explore", "digits", "--loss", "mse"), "--loss needs a model"),
        (("explore", "digits", "--trials", "3"), "--trials needs a model"),
    ):
        with pytest.raises(SystemExit) as end:
            main([*wrong, "-o", "none.html"])
        assert end.value.code == 2
        assert told in capsys.readouterr().err
        assert not (tmp_path / "none.html").exists()


def test_its_curve_is_exact_and_not_of_merged_modes(chromium, file, exploration):
    with opened(chromium, file) as view:
        state, _ = numbers_of(view)
        _, rows = saved_rows(view, "curve.csv")
    method = heavy_ball(state["eta"], state["beta"])
    assert state["method"] == "heavy_ball"
    measure = exploration.measure
    losses = forecast_loss(method, measure, rows[:, 1].astype(int)) / (0.5 * measure.total)
    np.testing.assert_allclose(rows[:, 2].astype(float), losses, rtol=1e-9)


def test_its_curve_on_batches_is_the_expected_loss_of_all_outputs(chromium, exploration, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(explorer_page(dataclasses.replace(exploration, outputs=3)))
    with opened(chromium, path, "#method=heavy_ball&beta=0.5&batch=20&steps=60") as view:
        _, now = numbers_of(view)
        _, rows = saved_rows(view, "curve.csv")
    losses = np.array(now["loss"]) / (0.5 * exploration.measure.weights.sum())
    np.testing.assert_allclose(rows[:, 2].astype(float), losses, rtol=1e-9)


def test_two_is_not_said_to_be_two(chromium, file, exploration):
    eta = 2.5 / exploration.measure.largest
    with opened(chromium, file, f"#method=gradient_descent&eta={eta}") as view:
        said = view.locator("#why").inner_text()
    assert "is not below 2. " in said


def test_just_beyond_the_limit_the_reason_tells_both_sides_apart(chromium, file, exploration):
    eta = (2 + 4e-5) / exploration.measure.largest
    with opened(chromium, file, f"#method=gradient_descent&eta={eta}") as view:
        said = view.locator("#why").inner_text()
    assert re.search(r"ηλₘₐₓ is not below 2 but 100\.002\s% of it\. ", said)
    assert "by a factor of up to 1 + 4·10⁻⁵ a step" in said


def test_no_axis_has_a_single_tick(chromium, file):
    """One tick is no scale: ranges just over a multiple of the step, at the width of a phone."""
    with opened(chromium, file) as view:
        counts = view.evaluate(
            """() => [1.04, 1.3, 1.51, 1.6, 3.2, 16, 160].flatMap((end) => [200, 260, 700].map(
                (width) => charts.frame(width, 200, { domain: [-end, end], title: "" },
                    { domain: [0, 1], title: "" }).axes.querySelectorAll(".axis").length - 1))"""
        )
    assert min(counts) >= 2
    assert max(counts) <= 16
