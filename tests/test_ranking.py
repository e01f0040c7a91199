"""Methods are ranked by what was asked, and by nothing else."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from inertial.runs.ranking import Standing, as_left, percent_left, place, rank

FAST = Standing("fast", 7, 6, 0.003, 0)
SLOW = Standing("slow", 9, 5, 0.001, 0)
NEAR = Standing("near", None, 53, 0.02, 0)
FAR = Standing("far", None, None, 0.4, 0)
GONE = Standing("gone", 3, 4, 0.001, 1)
LOST = Standing("lost", None, None, float("nan"), 2)


def test_the_order_is_what_was_asked_then_what_is_left_then_divergence():
    for given in itertools.permutations([FAST, SLOW, NEAR, FAR, GONE, LOST]):
        found = rank(0.01, given)
        assert found.order == (FAST, SLOW, NEAR, FAR, GONE, LOST)
        assert found.best is FAST
        assert found.reached


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (0.1, "10 %"),
        (0.1022, "10.2 %"),
        (0.10004, "10.004 %"),
        (0.0999, "9.99 %"),
        (25.7, "2,570 %"),
        (float("nan"), "nan %"),
    ],
)
def test_what_missed_a_target_is_not_said_to_be_at_it(left, said):
    assert percent_left(left, 0.1) == said
    number = float(said[:-2].replace(",", "")) / 100
    assert float(as_left(left, 0.1)) == pytest.approx(number, nan_ok=True)
    assert not left > 0.1 or float(said.removesuffix(" %").replace(",", "")) > 10


def test_of_methods_that_take_as_long_the_one_with_less_left_comes_first():
    assert (
        rank(0.1, [Standing("one", 7, 7, 0.05, 0), Standing("other", 7, 9, 0.02, 0)]).best.name
        == "other"
    )


def test_without_one_that_got_there_the_forecast_says_what_was_expected():
    found = rank(0.01, [FAR, NEAR])
    assert not found.reached
    assert found.best is NEAR
    assert found.predicted is NEAR
    assert rank(0.01, [FAR]).predicted is None


def test_a_method_that_diverged_from_a_start_has_not_reached_anything():
    assert not rank(0.01, [GONE]).reached
    assert np.isnan(rank(0.01, [LOST]).best.left)


def test_what_is_not_known_of_a_method_does_not_count():
    """Advice before training and a report after it sort by one key."""
    forecast = [
        Standing(str(i), None, steps, float("nan"), 0) for i, steps in enumerate((9, 4, None))
    ]
    assert [one.name for one in rank(0.01, forecast).order] == ["1", "0", "2"]
    assert min((9, 4, None), key=lambda steps: place(forecast=steps)) == 4
    assert place(reached=7, forecast=100) < place(reached=8, forecast=1) < place(forecast=1)
    assert place(left=0.5) < place(left=0.6, forecast=2) < place(forecast=2) < place()
    assert place() < place(reached=1, diverged=True)


def test_a_start_may_be_at_the_target_though_not_every_one_is():
    """The mean says neither: one start far above hides another that got there."""
    for left in (0.008, 0.5):
        part = Standing("one", None, 7, left, 0, partly=True)
        assert rank(0.01, [part]).in_part
        assert not rank(0.01, [replace(part, partly=False)]).in_part
        assert not rank(0.01, [part, Standing("other", 9, 9, 0.004, 0)]).in_part
        assert not rank(0.01, [replace(part, diverged=1)]).in_part
        assert rank(0.01, [FAR, NEAR, part]).best == part
