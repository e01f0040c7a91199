"""Both sides of every statement against values that are written out independently."""

from dataclasses import replace

import numpy as np
import pytest

from catalog_values import VALUES, ball, check, descent, fast
from inertial.theory.catalog import CATALOG
from inertial.theory.theorem import evaluate

JUDGED = [theorem for theorem in CATALOG if not theorem.open]
BY_KEY = {theorem.key: theorem for theorem in CATALOG}


def test_every_judged_statement_has_its_values():
    assert set(VALUES) == {theorem.key for theorem in JUDGED}


@pytest.mark.parametrize("theorem", JUDGED, ids=lambda t: t.key)
def test_both_sides_are_those_of_the_paper(theorem):
    assert check(theorem) is None


@pytest.mark.parametrize("theorem", JUDGED, ids=lambda t: t.key)
def test_a_lie_of_one_percent_is_caught(theorem):
    """Rounding and tolerance never hide a percent, nor see one where there is none."""
    evidence, right = VALUES[theorem.key].evidence(), theorem.right
    if theorem.tolerance > 0.01 or not np.any(np.asarray(right(evidence))):
        pytest.skip("the statement itself allows more, or its bound is 0")
    for factor in (1.01, 0.99):
        shape = np.shape(theorem.left(evidence))
        told = np.broadcast_to(
            factor * right(evidence), np.broadcast_shapes(shape, np.shape(right(evidence)))
        )
        liar = replace(theorem, left=lambda _, told=told: told)
        wanted = factor > 1 or theorem.relation == "equal"
        assert (evaluate(liar, evidence).finding == "violated") == wanted


@pytest.mark.parametrize(
    ("key", "evidence", "record"),
    [
        ("gradient-descent-loss", descent, "norm"),
        ("decay-on-run", ball, "pair"),
        ("nesterov-loss", fast, "pair"),
        ("heavy-ball-distance", ball, "max_distance"),
        ("nesterov-distance", fast, "max_distance"),
        ("nesterov-distance-from-zero", fast, "max_distance"),
        ("flip-share", ball, "pattern_change"),
    ],
)
def test_a_record_one_percent_beyond_its_bound_is_caught(key, evidence, record):
    """The last record alone is moved, to both sides of the value written out for the bound."""
    values, run = VALUES[key], evidence().run
    bound = float(values.right(6))
    for factor, finding in ((1.01, "violated"), (0.99, "not violated")):
        if record in ("norm", "pair"):
            square = factor * bound if record == "norm" else (factor * bound) ** 2
            loss = run.loss.copy()
            loss[6] = square / 2 if record == "norm" else (square - run.norm[5] ** 2) / 2
            told = replace(run, loss=loss)
        else:
            series = getattr(run, record).copy()
            series[6] = factor * bound
            told = replace(run, **{record: series})
        found = evaluate(BY_KEY[key], replace(evidence(), along_run=told)).finding
        assert (found == "violated") == (finding == "violated"), (factor, found)
