"""Every theorem of the catalogue: complete, and caught when it is made to lie."""

import re
from dataclasses import replace

import numpy as np
import pytest

from catalog_cases import CASES, NOTHING, healthy, probed, run, spread
from inertial.method.recursion import gradient_descent
from inertial.theory.catalog import CATALOG
from inertial.theory.sources import SLIPS, SOURCES, STATEMENTS
from inertial.theory.theorem import evaluate

AUTHORS = tuple(source.label for source in SOURCES)
BY_KEY = {theorem.key: theorem for theorem in CATALOG}
JUDGED = [theorem for theorem in CATALOG if not theorem.open]

RESULTS, ERRATA = set(STATEMENTS), set(SLIPS)


def unknown(entry):
    return any(assumption.margin is None for assumption in entry.assumptions)


def lied(theorem, case):
    """The entry of the planted lie."""
    if callable(case.lie):
        return evaluate(theorem, case.lie())
    factor, right = case.lie, theorem.right
    liar = replace(theorem, right=lambda e: factor * right(e))
    return evaluate(liar, case.holds())


def test_every_result_is_covered_and_nothing_else():
    covered = {label for theorem in CATALOG for label in theorem.covers}
    assert covered == RESULTS | ERRATA


@pytest.mark.parametrize("erratum", sorted(ERRATA))
def test_every_erratum_has_both_forms(erratum):
    forms = sorted(theorem.form for theorem in CATALOG if theorem.erratum == erratum)
    assert forms[: len(forms) // 2] == ["corrected"] * (len(forms) // 2)
    assert forms.count("printed") == forms.count("corrected") > 0


def test_the_lists_say_in_a_sentence_what_each_label_is():
    assert len(RESULTS) >= 45
    assert len(ERRATA) == 37
    for text in STATEMENTS.values():
        assert text.endswith(".")
    for slip in SLIPS.values():
        assert slip.where
        assert slip.printed != slip.corrected


def test_keys_are_unique_and_sources_name_a_file():
    assert len(BY_KEY) == len(CATALOG)
    for theorem in CATALOG:
        assert theorem.source.startswith(("derived", *AUTHORS)), theorem.source
        assert not re.search(r"\b00[0-4]\b", theorem.source + theorem.statement)
        assert theorem.statement.endswith("."), theorem.key


def test_every_theorem_has_its_cases():
    assert set(CASES) == set(BY_KEY)


@pytest.mark.parametrize("theorem", JUDGED, ids=lambda t: t.key)
def test_holds_where_it_should(theorem):
    case = CASES[theorem.key]
    if case.holds is None:
        assert theorem.false, "say in the catalogue why it never holds"
        return
    assert not theorem.false
    entry = evaluate(theorem, case.holds())
    assert entry.finding == "holds", entry
    # An assumption with an open constant is never counted as met.
    assert entry.verdict == ("unverifiable" if unknown(entry) else "holds"), entry


@pytest.mark.parametrize("theorem", JUDGED, ids=lambda t: t.key)
def test_not_applicable_outside_its_assumptions(theorem):
    case = CASES[theorem.key]
    if case.outside is None:
        entry = evaluate(theorem, (case.holds or healthy)())
        assert theorem.methods is None
        assert all(assumption.margin is None for assumption in entry.assumptions), entry
        return
    entry = evaluate(theorem, case.outside())
    assert entry.verdict == "not applicable", entry
    assert any(a.margin is not None and a.margin < 0 for a in entry.assumptions)


@pytest.mark.parametrize("theorem", JUDGED, ids=lambda t: t.key)
def test_planted_lie_is_caught(theorem):
    entry = lied(theorem, CASES[theorem.key])
    assert entry.finding == "violated", entry
    assert entry.verdict == ("unverifiable" if unknown(entry) else "violated"), entry


@pytest.mark.parametrize(
    ("key", "ratio"),
    [
        ("gradient-flow-loss", 1.0),
        ("friction-loss-corrected", 2 / np.e),
        ("friction-lemma-printed", 4 / np.e),
        ("friction-true-rate", 1.0),
        ("vanishing-loss", 1.0),
        ("lyapunov-friction", 1.0),
        ("companion-corrected", 1.0),
        ("nesterov-powers-edge-corrected", 1.0),
        ("start-curvature-corrected", 1.0),
    ],
)
def test_known_extremes_are_reached(key, ratio):
    # Times and eigenvalues lie on grids: a peak between their points is missed by up to a percent.
    assert evaluate(BY_KEY[key], healthy()).ratio == pytest.approx(ratio, rel=0.015)


@pytest.mark.parametrize("theorem", [t for t in CATALOG if t.open], ids=lambda t: t.key)
def test_open_statements_are_never_judged(theorem):
    assert CASES[theorem.key] is NOTHING
    for evidence in (healthy(), spread(), run(gradient_descent(0.5))):
        entry = evaluate(theorem, evidence)
        assert (entry.verdict, entry.reason) == ("unverifiable", theorem.open)


def test_kernel_that_moves_before_the_first_probe_says_nothing_about_rest():
    entry = evaluate(BY_KEY["kernel-constant-corrected"], probed(changed=np.arange(41.0)))
    assert entry.verdict == "unverifiable"
    assert "probe earlier" in entry.reason


MORE_THAN_KERNEL = [theorem for theorem in JUDGED if theorem.scope != "kernel"]


@pytest.mark.parametrize("theorem", MORE_THAN_KERNEL, ids=lambda t: t.key)
def test_what_is_missing_is_never_counted_as_true(theorem):
    entry = evaluate(theorem, healthy())
    assert entry.verdict == "unverifiable", entry
    assert entry.reason
