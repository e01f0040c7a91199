"""Audits of stored folders: what is measured again, what JSON and LaTeX say."""

import copy
import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from helpers import run
from inertial import InvalidInput, Settings, compare, load, read_run
from inertial.theory.audit import audit
from inertial.theory.catalog import CATALOG
from inertial.theory.gather import StoredRun
from inertial.view.auditing import audit_folders, measured
from inertial.view.verdicts import (
    KINDS,
    MEASURED,
    VERDICTS,
    _sentence,
    audit_table,
    finding,
    headline,
    summary,
)


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
        assert "audit it with --measure" in bare.of(key).reason
        assert measured.of(key).verdict == "holds"
    # Nothing that was settled before comes out otherwise.
    for entry, again in zip(bare.entries, measured.entries, strict=True):
        assert entry.verdict in ("unverifiable", again.verdict)


def test_the_remedy_for_activations_that_change_at_once_works(tmp_path):
    """A far smaller step size keeps the activations, and so the kernel, up to the first probe."""
    found = {}
    for eta in (None, 1e-9):
        settings = Settings(width=200, seeds=(0,), steps=12, eta=eta, beta=eta and 0.5)
        run = compare(load("digits", n=30), settings, out=tmp_path / str(eta)).run
        found[eta] = audit_folders([run], measure=True).of("kernel-constant-corrected")
    assert "a far smaller step size keeps them" in found[None].reason
    assert found[1e-9].verdict == "holds"


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
    assert summary(bare.entries).answer in " ".join(out.split())
    assert " ".join(out.split()).endswith(MEASURED)


def test_of_several_settings_the_one_that_misses_most_is_named(folder):
    one = StoredRun("a", *read_run(folder))
    manifest, arrays = copy.deepcopy(one.manifest), one.arrays.copy(deep=True)
    for k, method in enumerate(manifest["methods"]):
        method["eta"] *= 1.25
        arrays["eta"].values[k] = method["eta"]
    other = StoredRun("b", arrays, manifest)
    entry = audit([one, other]).of("nesterov-loss")
    assert entry.verdict == "not applicable"
    (missed,) = (a for a in entry.assumptions if a.name.startswith("eta ="))
    assert (missed.margin, missed.where) == (pytest.approx(-0.25, abs=1e-5), "b, seed 0, nesterov")
    assert f"misses {missed.name!r} by 0.25 (b, seed 0, nesterov)" in finding(entry)
    assert "seed 0" not in finding(replace(entry, by_run={}))


def test_the_latex_table_is_whole_and_escaped(bare, tmp_path):
    """Every entry a row, packages named, formulas set; compiled where LaTeX is installed."""
    tex = audit_table(bare.entries)
    packages = r"\usepackage{array,booktabs,longtable,url}"
    assert tex.startswith(f"% In the preamble: {packages}\n")
    for word in (r"\caption{", r"\toprule", r"\endhead", r"\endlastfoot", "arxiv.org"):
        assert word in tex
    rows = [line for line in tex.split("\n") if line.count(" & ") == 3]
    assert len(rows) == len(bare.entries) + 2
    for line in rows:
        assert unescaped(line).count("{") == unescaped(line).count("}")
        assert line.count("$") % 2 == 0
        text = "".join(unescaped(line).split("$")[::2])
        assert not set("_^<>|#") & set(text), line
    if (compiler := shutil.which("pdflatex")) is None:
        return
    page = tmp_path / "table.tex"
    head = rf"\documentclass{{article}}{packages}\begin{{document}}"
    page.write_text(f"{head}\n{tex}\n\\end{{document}}\n", encoding="utf-8")
    command = [compiler, "-interaction=nonstopmode", "-halt-on-error", page.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    # A formula may stick out of its cell by a letter or two; the table is not wider than its page.
    assert not [w for w in re.findall(r"\(([\d.]+)pt too wide", done.stdout) if float(w) > 20]


def test_what_cannot_be_verified_says_why_also_where_its_claim_fails(bare):
    entry = next(entry for entry in bare.entries if entry.verdict == "unverifiable")
    failed = replace(entry, finding="violated", first_violation=5, reason="a constant is open")
    assert "first violated at" in finding(failed)
    assert "a constant is open" in finding(failed)
    assert "a constant is open" not in finding(replace(failed, verdict="violated"))
    strict = "first violated at step 5, where the sides are equal and the claim is strict"
    told = finding(replace(failed, verdict="violated", margin=0.0, reason=strict))
    assert strict in told
    assert told.count("first violated") == 1


def test_formulas_of_every_statement_are_whole():
    """No bracket opens in a formula and closes in the text, and no name stays outside."""
    for theorem in CATALOG:
        parts = _sentence(theorem.statement).split("$")
        for formula in parts[1::2]:
            assert formula.count("[") == formula.count("]"), theorem.statement
            assert formula.count(r"\{") == formula.count(r"\}"), theorem.statement
        assert not any(re.search(r"(^| )\d[\d.]* $", text) for text in parts[:-1:2])  # factors
        prose = re.findall("[A-Za-z_]+", " ".join(parts[::2]))
        assert not set(prose) & {"sqrt", "eta", "beta", "lambda", "kappa", "dmu"}, theorem.statement


@pytest.mark.parametrize(
    ("words", "formula"),
    [
        ("lambda_max(H_0) L(0)", r"\lambda _{\max }(H_{0}) L(0)"),
        ("t^-min(2s, d)", r"t^{-\min (2s, d)}"),
        ("eta sum beta^i g_i", r"\eta \sum \beta ^{i} g_{i}"),
        ("M^t [psi_i + phi_i; 0]", r"M^{t} [\psi _{i} + \varphi _{i}; 0]"),
        ("2 n R", "2 n R"),
        ("2 (1 + beta)", r"2 (1 + \beta )"),
        ("(48*360*12 sqrt(2) n^1.5)^2", r"(48\cdot 360\cdot 12 \sqrt{2} n^{1.5})^{2}"),
        ("f_0 - f* + 2", "f_{0} - f^{*} + 2"),
    ],
)
def test_formulas_as_a_reader_writes_them(words, formula):
    assert _sentence(words) == f"${formula}$"


def unescaped(line):
    return re.sub(r"\\[_&%#$^{}]", "", line)


@pytest.mark.parametrize(
    ("statement", "formula"),
    [
        ("|x| is small.", r"$\vert x\vert $"),
        ("It is <= lambda_0/4.", r"$\le \lambda _{0}/4$"),
        ("At most sqrt(n/m) |xi|.", r"$\sqrt{n/m} \vert \xi \vert $"),
        ("exp(-sqrt(lambda_0/2) t)", r"\exp (-\sqrt{\lambda _{0}/2} t)"),
        ("The limit k^.5 t^-min(2s, d) holds.", r"$k^{.5} t^{-\min (2s, d)}$"),
        ("The bound is A(alpha, d) -rho(a).", r"$A(\alpha , d) -\rho (a)$"),
        ("eta tau tr H at the radius R.", r"$\eta \tau \mathrm{tr}\, H$ at the radius $R$."),
        ("Within 1e-9 of it, 100 % & more.", r"Within $1\cdot 10^{-9}$ of it, 100 \% \& more"),
    ],
)
def test_formulas_are_set_as_formulas(statement, formula):
    assert formula in _sentence(statement)


def test_the_answer_counts_only_what_depends_on_the_run(bare):
    short = summary(bare.entries)
    assert sum(sum(part.values()) for part in short.counts.values()) == len(bare.entries)
    for kind in KINDS:
        verdicts = [e.verdict for e in bare.entries if e.kind == kind]
        assert short.counts[kind] == {v: verdicts.count(v) for v in VERDICTS if v in verdicts}
    # Algebra holds on any run, and misprints are not held against the theory.
    assert short.counts["algebra"].get("violated", 0) == 0
    assert short.counts["misprint"]["violated"] > 20
    only = [replace(e, verdict="not applicable") if e.kind == "run" else e for e in bare.entries]
    assert summary(only).answer.startswith("It cannot be said")
    run = next(k for k, e in enumerate(bare.entries) if e.kind == "run")
    for verdict, answer in (("holds", "In part: 1 of"), ("violated", "No: 1 of")):
        only[run] = replace(only[run], verdict=verdict)
        assert summary(only).answer.startswith(answer)
    few = [replace(e, verdict="holds") for e in only if e.kind == "run"][:2]
    assert summary([few[0], replace(few[1], verdict="not applicable")]).answer.startswith(
        "Yes: 1 of 2"
    )


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        ("violated", "No: 1 of 1 statements about the run fail{one} though they apply."),
        ("holds", "Yes: 1 of 1 statements about the run apply and hold{one}; none fails{any}."),
        ("vacuous", "It cannot be said: none of 1 statements about the run applies{any}."),
    ],
)
def test_the_answer_on_several_settings_says_that_one_is_enough(bare, verdict, answer):
    """A statement holds on one setting of two and misses an assumption on the other."""
    entry = replace(next(e for e in bare.entries if e.kind == "run"), verdict=verdict)
    both = replace(entry, by_run={"a": verdict, "b": "not applicable"})
    assert summary([entry]).answer == answer.format(one="", any="")
    assert summary([both]).answer == answer.format(one=" in at least one setting", any=" in any")


def test_rows_name_authors_and_years(bare):
    for entry in bare.entries:
        assert re.match(r"derived|(d')?[A-Z][a-z]+.* \(20\d\d\), ", headline(entry)), headline(
            entry
        )


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("loss", lambda v: np.where(np.arange(13) > 5, 0.5 * v, v), "norm of the residual"),
        ("max_distance", lambda v: 0.5 * v, "largest distance"),
        ("pattern_change", lambda v: 0 * v, "share of changed activations"),
        ("loss", lambda v: v[:, ::-1] if v.shape[1] > 1 else v[::-1], "norm of the residual"),
    ],
    ids=["losses", "distances", "zeroed flips", "swapped"],
)
def test_falsified_records_part_from_a_second_run(folder, name, change, words):
    """Nothing says so without a second run; with it no statement counts on such records."""
    run = measured(StoredRun(str(folder), *read_run(folder)))
    clean = audit([run])
    assert not any("second run" in note for note in clean.notes)
    arrays = run.arrays.copy(deep=True).drop_vars("residual")
    arrays[name].values[...] = change(arrays[name].values)
    judged = audit([replace(run, arrays=arrays)])
    assert any("part from a second run" in n and words in n for n in judged.notes), judged.notes
    assert judged.of("kernel-constant-printed").counts.get("holds", 0) == 0
    assert judged.of("flip-sets-corrected").counts.get("unverifiable", 0) > 0


def test_a_difference_within_a_thousandth_is_told_and_judged(folder):
    run = measured(StoredRun(str(folder), *read_run(folder)))
    arrays = run.arrays.copy(deep=True).drop_vars("residual")
    arrays["loss"].values[..., 8] += 1e-4 * arrays["loss"].values[..., 0]
    judged = audit([replace(run, arrays=arrays)])
    assert any("at step 8" in note for note in judged.notes)
    assert judged.of("flip-sets-corrected").counts == {"holds": 3}


@pytest.mark.parametrize("place", ["beside", "given"])
def test_a_relative_file_is_found_from_another_folder(tmp_path, monkeypatch, capsys, place):
    """Recorded relative to where it was run: near the run, or in --data-dir."""
    rng = np.random.default_rng(0)
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    rows = np.round(rng.standard_normal((12, 4)), 3)
    table = "a,b,c,y\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    (home / "own.csv").write_text(table, encoding="utf-8")
    monkeypatch.chdir(home)
    settings = Settings(width=50, seeds=(0,), steps=4)
    compare(load("own.csv", label="y"), settings, out=home / "run")
    monkeypatch.chdir(away)
    where, options = home / "run", []
    if place == "given":
        where, options = (home / "run").rename(away / "run"), ["--data-dir", str(home)]
    code, out, err = run(capsys, "audit", where, "--json", *options)
    assert code == 0
    assert "cannot be loaded" not in err
    entry = next(e for e in json.loads(out) if e["theorem"] == "gradient-size")
    assert entry["verdict"] != "unverifiable"
    (home / "own.csv").unlink()
    for form in ("--json", "--tex"):
        code, _, err = run(capsys, "audit", where, form, *options)
        assert code == 0
        assert "note: " in err
        assert "cannot be loaded" in err


@pytest.mark.parametrize("kind", ["arrays", "frame", "frame and targets"])
def test_data_that_were_passed_in_are_taken_from_the_file_that_the_refusal_names(
    tmp_path, monkeypatch, capsys, kind
):
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((24, 4)), rng.standard_normal(24)
    frame = pd.DataFrame(x, columns=list("abcd")).assign(text=["u", "v", "w"] * 8)
    data = {
        "arrays": lambda: load(x, y, test=(x[:5] + 0.1, y[:5])),
        "frame": lambda: load(frame.assign(goal=y), label="goal", test=0.2, seed=3),
        "frame and targets": lambda: load(frame, y, n=20, seed=4),
    }[kind]()
    compare(data, Settings(methods=("heavy_ball",), width=50, seeds=(0,), steps=4), out="run")
    code, out, err = run(capsys, "audit", "run", "--measure")
    assert (code, out) == (2, "")
    said = re.search(r"not stored; save them by (\w+)\.(\w+)\((.*)\)(.*)\.\n$", err)
    whose, call, path, more = said.groups()
    if whose == "numpy":
        assert (call, path, more) == ("savez", repr("run/arrays.npz") + ", x=x, y=y", "")
        np.savez("run/arrays.npz", x=x, y=y)
    else:
        label = "goal" if kind == "frame" else "y"
        assert (call, path) == ("to_parquet", repr("run/frame.parquet"))
        assert more == f", the target as its column {label!r}"
        frame.assign(**{label: y}).to_parquet("run/frame.parquet")
    for words in (["run", "--measure"], ["run"]):
        code, out, err = run(capsys, "audit", *words, "--json")
        assert code == 0
        assert "cannot be loaded" not in err
        entry = next(e for e in json.loads(out) if e["theorem"] == "gradient-size")
        assert entry["verdict"] != "unverifiable"
    if whose == "numpy":
        np.savez("run/arrays.npz", x=x, y=y + 1e-9)
        assert "SHA-256 differs" in run(capsys, "audit", "run", "--json")[2]


@pytest.mark.parametrize("command", ["audit", "report"])
def test_a_data_folder_that_does_not_exist_is_refused(
    capsys, folder, tmp_path, monkeypatch, command
):
    """By the sentence of `load`, also where nothing is looked for in it."""
    monkeypatch.chdir(tmp_path)
    said = "the data folder nowhere does not exist; create it or name another."
    for more in ([], ["--no-audit"] if command == "report" else ["--measure"]):
        code, out, err = run(capsys, command, folder, "--data-dir", "nowhere", *more)
        assert (code, out) == (2, "")
        assert err == f"inertial: error: {said}\n"
    assert run(capsys, "compare", "digits", "--data-dir", "nowhere")[2].endswith(f": {said}\n")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "nowhere").mkdir()
    assert run(capsys, command, folder, "--data-dir", "nowhere")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "run"),
        (["nowhere"], "nowhere is not a run"),
        (["."], "is not a run"),
        (["nowhere", "--json", "--tex"], "two forms of one table; give one of them"),
    ],
)
def test_folders_that_are_no_runs_are_named(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "audit", *arguments)
    assert (code, out) == (2, "")
    assert message in err.lower()
    assert err.count("\n") == 1


def test_no_run_at_all_is_refused():
    with pytest.raises(InvalidInput, match=r"folders is \[\]; give the folders"):
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
