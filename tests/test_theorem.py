"""Verdicts: what each one means, from both sides."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_cases import healthy, records, run
from inertial.method.recursion import (
    Recursion,
    gradient_descent,
    heavy_ball,
    nesterov,
    nesterov_varying,
)
from inertial.theory.catalog.quantities import (
    GRADIENT_DESCENT,
    HEAVY_BALL,
    NESTEROV,
    NESTEROV_ALGORITHM,
    WITHOUT_CORRECTION,
)
from inertial.theory.evidence import Missing
from inertial.theory.theorem import Assumption, Theorem, evaluate


def theorem(left, right, **fields):
    """A made-up theorem whose sides are given."""
    return Theorem(
        key="t",
        source="000 t",
        statement="t.",
        covers=("t",),
        left=left if callable(left) else lambda _: np.asarray(left, float),
        right=right if callable(right) else lambda _: np.asarray(right, float),
        **{"axis": "step", **fields},
    )


def judge(left, right, evidence=None, **fields):
    return evaluate(theorem(left, right, **fields), evidence or healthy())


def lacking(_):
    raise Missing("nothing there")


def test_holds_with_the_worst_ratio():
    entry = judge([1, 3, 2], [4, 4, 4])
    assert (entry.verdict, entry.ratio, entry.margin) == ("holds", 0.75, 0.25)
    assert entry.first_violation is None


def test_violated_names_the_first_step_and_a_negative_margin():
    entry = judge([1, 5, 6], [4, 4, 4])
    assert (entry.verdict, entry.first_violation, entry.margin) == ("violated", 1, -0.5)


def test_violation_is_reported_on_its_axis():
    entry = judge([1, 5], [4, 4], at=lambda _: np.array([0.5, 2.5]), axis="time")
    assert (entry.first_violation, entry.axis) == (2.5, "time")


def test_a_bound_that_is_met_exactly_holds():
    assert judge([4.0], [4.0]).verdict == "holds"
    assert judge([4.0 * (1 + 1e-12)], [4.0]).verdict == "holds"
    assert judge([4.0 * (1 + 1e-6)], [4.0]).verdict == "violated"


def test_the_margin_is_0_where_sides_are_equal_within_rounding():
    """Its sign is then no accident of the last digit, and above 0 only where a claim holds."""
    assert judge([1.0, 4.0 * (1 + 1e-12)], [4.0, 4.0]).margin == 0
    assert judge([4.0 * (1 - 1e-12)], [4.0]).margin == pytest.approx(1e-12, rel=1e-3)
    noisy = judge([1.0, 4.0 * (1 + 1e-12)], [4.0, 4.0], noise=lambda _: 1e-13)
    assert (noisy.verdict, noisy.margin) == ("holds", 0)
    for near in (1 + 1e-12, 1, 1 - 1e-12):
        strict = judge([1.0, 4.0 * near], [4.0, 4.0], relation="below")
        assert (strict.verdict, strict.margin) == ("violated", 0)
        said = "first violated at step 1, where the sides are equal and the claim is strict"
        assert strict.reason == said
    over = judge([1.0, 4.0 * (1 + 1e-6)], [4.0, 4.0], relation="below")
    assert over.margin == pytest.approx(-1e-6, rel=1e-3)
    assert over.reason == "first violated at step 1"


def test_strict_relation_is_violated_by_equality():
    assert judge([4.0], [4.0], relation="below").verdict == "violated"
    assert judge([3.9], [4.0], relation="below").verdict == "holds"


def test_equality_is_missed_on_both_sides():
    for factor, verdict in ((1.0, "holds"), (1.01, "violated"), (0.99, "violated")):
        entry = judge([4.0 * factor], [4.0], relation="equal")
        assert entry.verdict == verdict
        assert (entry.margin >= 0) == (verdict == "holds")


def test_margin_below_the_rounding_is_unresolved_on_both_sides():
    for left in (3.95, 4.05):
        entry = judge([1.0, left], [4.0, 4.0], noise=lambda _: 0.1)
        assert entry.verdict == "unresolved"
        assert "step 1" in entry.reason
    assert judge([3.85], [4.0], noise=lambda _: 0.1).verdict == "holds"
    assert judge([4.15], [4.0], noise=lambda _: 0.1).verdict == "violated"


def test_the_same_number_on_both_sides_is_not_a_matter_of_rounding():
    assert judge([4.0, 1.0], [4.0, 2.0], noise=lambda _: 0.1).verdict == "holds"


def test_bound_below_the_rounding_is_not_counted_but_named():
    entry = judge([1.0, 0.05], [2.0, 1e-5], noise=lambda _: 0.1)
    assert (entry.verdict, entry.ratio) == ("holds", 0.5)
    assert "1 step below rounding" in entry.reason
    assert judge([0.05], [1e-5], noise=lambda _: 0.1).verdict == "unresolved"
    # A bound just above the rounding is counted.
    assert judge([1.0, 0.12], [2.0, 0.15], noise=lambda _: 0.1).verdict == "unresolved"
    # A left side far above the rounding violates even such a bound.
    assert judge([1.0], [1e-5], noise=lambda _: 0.1).verdict == "violated"


def test_equality_without_digits_is_unresolved():
    entry = judge([0.01], [0.02], relation="equal", noise=lambda _: 0.1)
    assert entry.verdict == "unresolved"


def test_bound_that_never_beats_the_trivial_one_is_vacuous():
    assert judge([1, 1], [5, 4], trivial=lambda _: 4.0).verdict == "vacuous"
    assert judge([1, 1], [5, 3], trivial=lambda _: 4.0).verdict == "holds"
    assert judge([1, 9], [5, 4], trivial=lambda _: 4.0).verdict == "violated"


def test_an_infinite_bound_says_nothing():
    assert judge([1.0], [np.inf]).verdict == "vacuous"
    entry = judge([1.0, 1.0], [2.0, np.inf])
    assert (entry.verdict, entry.ratio) == ("vacuous", 0.5)
    assert "infinite at step 1" in entry.reason
    assert judge([3.0, 1.0], [2.0, np.inf]).verdict == "violated"
    assert judge([np.inf], [np.inf]).verdict == "unverifiable"


def test_sides_that_cannot_be_computed_are_unverifiable():
    def fail(_):
        raise np.linalg.LinAlgError("did not converge")

    entry = judge(fail, [1.0])
    assert (entry.verdict, entry.finding) == ("unverifiable", "unverifiable")
    assert "did not converge" in entry.reason


def test_what_was_looked_at_is_part_of_the_verdict():
    entry = judge([1.0, 1.0, 3.0], 2.0, at=lambda _: np.array([0.5, 1.0, 4.0]), axis="time")
    assert entry.looked_at == "3 values of time from 0.5 to 4"
    assert judge([1.0], 2.0).looked_at == ""


def test_statements_are_about_the_run_or_algebra_or_misprints():
    def kind(**fields):
        return theorem([1.0], [1.0], **fields).kind

    assert kind() == kind(scope="run", always=True) == "algebra"
    assert kind(scope="run") == kind(scope="start") == "run"
    assert kind(form="printed", erratum="E-000-1") == "misprint"


def test_unmet_assumption_outweighs_the_comparison_and_keeps_it():
    unmet = Assumption("a", lambda _: -0.5)
    entry = judge([5.0], [4.0], assumptions=(Assumption("b", lambda _: 1.0), unmet))
    assert (entry.verdict, entry.finding) == ("not applicable", "violated")
    assert "0.5: a" in entry.reason


def test_unknown_assumption_is_never_counted_as_true():
    for margin in (lambda _: None, lacking, lambda _: float("nan")):
        entry = judge([1.0], [4.0], assumptions=(Assumption("a", margin),))
        assert (entry.verdict, entry.finding) == ("unverifiable", "holds")
        assert entry.assumptions[0].margin is None


def test_assumption_met_with_equality_is_met():
    assert judge([1.0], [4.0], assumptions=(Assumption("a", lambda _: 0.0),)).verdict == "holds"


@pytest.mark.parametrize("left", [lacking, [np.nan], [1.0, np.nan], []])
def test_missing_or_undefined_side_is_unverifiable(left):
    entry = judge(left, 4.0)
    assert entry.verdict == "unverifiable"
    assert entry.reason


def test_infinite_left_side_is_violated_and_stays_json():
    entry = judge([np.inf, 1.0], [4.0, 0.0])
    assert (entry.verdict, entry.ratio, entry.margin) == ("violated", None, None)
    json.dumps(asdict(entry), allow_nan=False)


def test_conditions_on_the_method_are_conditions_on_its_coefficients():
    fields = {"scope": "run", "methods": NESTEROV}
    varying = nesterov_varying(0.1, 3.0, steps=60)
    half = Recursion(0.1, 0.5, 0.25)
    for method, met in (
        (nesterov(0.1, 0.5), True),
        (nesterov(0.1, 0.5, start="copy"), True),
        (half, False),
        (varying, False),
        (heavy_ball(0.1, 0.5), False),
        (gradient_descent(0.1), False),
    ):
        entry = judge([1.0], [4.0], run(method), **fields)
        assert entry.verdict == ("holds" if met else "not applicable"), method
        assert [a.name for a in entry.assumptions] == ([] if met else [NESTEROV.name])
    assert NESTEROV.margin(half) == -0.25


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        (GRADIENT_DESCENT, {"gd"}),
        (WITHOUT_CORRECTION, {"gd", "hb"}),
        (HEAVY_BALL, {"hb"}),
        (NESTEROV, {"nag", "copy"}),
        (NESTEROV_ALGORITHM, {"nag"}),
    ],
)
def test_every_condition_from_both_sides(condition, met):
    methods = {
        "gd": gradient_descent(0.1),
        "hb": heavy_ball(0.1, 0.5),
        "nag": nesterov(0.1, 0.5),
        "copy": nesterov(0.1, 0.5, start="copy"),
        "half": Recursion(0.1, 0.5, 0.25),
        "varying": nesterov_varying(0.1, 3.0, steps=60),
        "schedule": Recursion(0.1, (0.5, 0.4)),
    }
    assert {name for name, method in methods.items() if condition.include(method)} == met


def test_diverged_run_never_holds_but_can_violate():
    diverged = run(gradient_descent(0.1), diverged_at=7)
    assert judge([1.0], [4.0], diverged, scope="run").verdict == "unverifiable"
    assert "step 7" in judge([1.0], [4.0], diverged, scope="run").reason
    assert judge([5.0], [4.0], diverged, scope="run").verdict == "violated"


def test_float32_rounding_larger_than_a_margin_is_unresolved():
    # 4e-6 relative lies below 32 units of float32, far above those of float64.
    for precision, verdict in (("float32", "unresolved"), ("float64", "holds")):
        evidence = run(gradient_descent(0.1), precision=precision)
        entry = judge(
            lambda e: e.run.norm[:3],
            lambda e: e.run.norm[:3] + 1e-6 * e.run.scale,
            evidence,
            scope="run",
            noise=lambda e: e.run.rounding,
        )
        assert entry.verdict == verdict


def test_pair_norm_repeats_the_first_residual():
    made = records(gradient_descent(0.1))
    np.testing.assert_allclose(made.pair_norm[:2], [2 * np.sqrt(2), np.hypot(1, 2)], rtol=1e-15)


@given(st.floats(1e-6, 1e6), st.lists(st.floats(0.01, 10), min_size=1, max_size=5))
def test_units_do_not_matter(unit, left):
    plain, scaled = (judge(u * np.array(left), u * 2.0) for u in (1.0, unit))
    assert (plain.verdict, plain.first_violation) == (scaled.verdict, scaled.first_violation)
    assert scaled.ratio == pytest.approx(plain.ratio, rel=1e-12)


@pytest.mark.parametrize(
    "fields",
    [
        {"left": None, "right": lambda _: 1.0},
        {"left": None, "right": None},
        {"left": lambda _: 1.0, "right": lambda _: 1.0, "form": "printed"},
        {"left": lambda _: 1.0, "right": lambda _: 1.0, "erratum": "E-000-1"},
    ],
)
def test_half_a_theorem_is_refused(fields):
    with pytest.raises(ValueError, match="theorem t"):
        Theorem(key="t", source="000 t", statement="t.", covers=("t",), **fields)


@pytest.mark.parametrize("speaks", [False, True])
def test_a_run_on_batches_is_judged_only_by_what_speaks_of_batches(speaks):
    evidence = run(gradient_descent(0.5))
    on_batch = replace(evidence, along_run=replace(evidence.run, batch=3))
    fields = {"scope": "run", "batches": speaks}
    assert judge([1.0], [2.0], evidence, **fields).verdict == "holds"
    entry = judge([1.0], [2.0], on_batch, **fields)
    assert entry.verdict == ("holds" if speaks else "not applicable")
    margins = {assumption.name: assumption.margin for assumption in entry.assumptions}
    # Three of four rows.
    assert margins == ({} if speaks else {"every gradient is that of all rows": -0.25})
