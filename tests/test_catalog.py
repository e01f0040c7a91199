"""Every theorem of the catalogue: complete, and caught when it is made to lie."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog_cases import CASES, NOTHING, healthy, probed, run, spread
from inertial.method.recursion import gradient_descent
from inertial.theory.catalog import CATALOG
from inertial.theory.theorem import evaluate

BY_KEY = {theorem.key: theorem for theorem in CATALOG}
JUDGED = [theorem for theorem in CATALOG if not theorem.open]

RESULTS = """
Positive definiteness|K1|K2|K3|K4|K5|002 Lemma 1|003 Lemma 1|002 (A.3)|002 (24)|actual flips
000 (15), HB|000 (24), NAG|001 (A.6), HBF|001 (B.1), d/t
001 Thm1, (2.7)|000 L2.1, 001 F2.1/2.2|001 Thm2/(3.4)|001 L6|001 A, distance|001 Thm3/L8|004 NAG
001 remark after Thm2|001 L7/L9, 000 L3.2|000 Thm3.1/L3.1|000 Thm3.2/L3.3|000 (29)|002 L2|002 L3
HB twin (derived)|002 Thm1 (29)|002 (30)|002 E.4-E.9|002 Remark 3|002 Table 1|003 Thm1|003 L3
003 L4|003 L9|003 Thm2 (8),(9)|003 theta|003 (10)
"""
RESULTS = {label for line in RESULTS.split("\n") for label in line.split("|") if label}
ERRATA = {
    f"E-{paper}-{number}"
    for paper, count in {"000": 10, "001": 10, "002": 11, "003": 5, "004": 1}.items()
    for number in range(1, count + 1)
}


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
    assert covered - {"gradient bound"} == RESULTS | ERRATA


@pytest.mark.parametrize("erratum", sorted(ERRATA))
def test_every_erratum_has_both_forms(erratum):
    forms = sorted(theorem.form for theorem in CATALOG if theorem.erratum == erratum)
    assert forms == ["corrected", "printed"]


def test_the_lists_are_those_of_the_formula_sheet():
    folder = os.environ.get("INERTIAL_DATA")
    sheet = Path(folder).parent / "THEORY.md" if folder else None
    if sheet is None or not sheet.is_file():
        pytest.skip(
            "THEORY.md, the formula sheet these lists were taken from, is not beside the folder "
            "that INERTIAL_DATA names"
        )
    text = sheet.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| (E-\d{3}-\d+) \|", text, re.MULTILINE)) == ERRATA
    for heading in ("## 7.", "## 8."):
        section = text.split(heading)[1].split("\n## ")[0]
        rows = {row.split("|")[1].strip() for row in section.split("\n") if row.startswith("| ")}
        assert rows - {"id"} <= RESULTS
    kernels = text.split("## 3.")[1].split("\n## ")[0]
    assert set(re.findall(r"^ *(K\d) ", kernels, re.MULTILINE)) <= RESULTS


def test_keys_are_unique_and_sources_name_a_file():
    assert len(BY_KEY) == len(CATALOG)
    for theorem in CATALOG:
        assert re.match(r"00[0-4] |derived", theorem.source), theorem.source
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
        assert not theorem.methods
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
