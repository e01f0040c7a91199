"""Audits of stored folders: what is measured again, what JSON and LaTeX say."""

import json

import numpy as np
import pytest

from helpers import run
from inertial import InvalidInput, Settings, compare, load, read_run
from inertial.view.auditing import audit_folders
from inertial.view.verdicts import VERDICTS, audit_table, finding, headline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    settings = Settings(width=200, seeds=(0,), steps=12, record_residuals=True, rule="paper")
    return compare(load("digits", n=30), settings, out=tmp_path_factory.mktemp("r") / "run").run


@pytest.fixture(scope="module")
def bare(folder):
    return audit_folders([folder])


def test_measuring_again_settles_what_a_run_does_not_hold(folder, bare):
    measured = audit_folders([folder], measure=True)
    settled = {
        e.theorem
        for e, again in zip(bare.entries, measured.entries, strict=True)
        if e.verdict == "unverifiable" and again.verdict != "unverifiable"
    }
    assert {"heavy-ball-recursion", "nesterov-recursion"} <= settled
    for key in ("heavy-ball-recursion", "nesterov-recursion"):
        assert measured.of(key).verdict == "holds"
    # Nothing that was settled before comes out otherwise.
    for entry, again in zip(bare.entries, measured.entries, strict=True):
        assert entry.verdict in ("unverifiable", again.verdict)


def test_json_is_a_list_with_the_promised_keys(capsys, folder):
    code, out, _ = run(capsys, "audit", folder, "--json")
    assert code == 0
    entries = json.loads(out)
    keys = {
        "theorem", "source", "statement", "verdict", "margin", "first_violation", "assumptions",
    }  # fmt: skip
    for entry in entries:
        assert keys <= set(entry)
        assert entry["verdict"] in VERDICTS
        assert all({"name", "margin"} <= set(a) for a in entry["assumptions"])
    forms = {(e["erratum"], e["form"]) for e in entries if e["erratum"]}
    assert {form for _, form in forms} == {"printed", "corrected"}
    assert all(
        (erratum, other) in forms for erratum, _ in forms for other in ("printed", "corrected")
    )


def test_the_spectral_norm_claim_is_violated_and_the_radius_holds(bare):
    printed, corrected = (
        next(
            e
            for e in bare.entries
            if e.source == "Wang and Abernethy (2020), Lemma 3" and e.form == form
        )
        for form in ("printed", "corrected")
    )
    assert printed.verdict == "violated"
    assert corrected.verdict in ("holds", "not applicable")
    assert corrected.finding != "violated"


def test_the_table_and_the_listing_name_every_entry(capsys, folder, bare):
    code, out, _ = run(capsys, "audit", folder)
    assert code == 0
    for entry in bare.entries:
        assert headline(entry) in out
        assert finding(entry) in out
    tex = audit_table(bare.entries)
    assert tex.count(r" \\") == len(bare.entries) + 1
    body = tex.split("\n")[2:-2]
    assert len(body) == len(bare.entries)
    for line in body:
        stripped = line.replace(r"\_", "").replace(r"\&", "").replace(r"\%", "")
        assert stripped.count("&") == 3
        assert "_" not in stripped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "run"), (["nowhere"], "nowhere is not a run"), (["."], "is not a run")],
)
def test_folders_that_are_no_runs_are_named(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "audit", *arguments)
    assert (code, out) == (2, "")
    assert message in err.lower()
    assert err.count("\n") == 1


def test_no_run_at_all_is_refused():
    with pytest.raises(InvalidInput, match="no run is given"):
        audit_folders([])


def test_several_runs_are_judged_together(folder, bare, tmp_path):
    settings = Settings(width=100, seeds=(5,), steps=6, methods=("heavy_ball",))
    other = compare(load("diabetes", n=30), settings, out=tmp_path / "other").run
    both = audit_folders([folder, other])
    assert both.runs == (str(folder), str(other))
    for one, two in zip(bare.entries, both.entries, strict=True):
        assert sum(two.counts.values()) >= sum(one.counts.values())
        if one.verdict == "violated":
            assert two.verdict == "violated"
        assert one.by_run == {}
        assert two.by_run.get(str(folder), one.verdict) == one.verdict


def test_the_stored_run_is_left_as_it_was(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    audit_folders([folder], measure=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert np.isfinite(read_run(folder)[0].loss).all()
