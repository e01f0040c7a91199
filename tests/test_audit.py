"""Audits of stored runs: complete, counted over seeds, and honest about damaged input."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import pytest
import scipy.stats

from catalog_cases import of_inputs
from inertial import Settings, compare, load, read_run
from inertial._checks import InvalidInput
from inertial.method.recursion import Recursion, nesterov, nesterov_varying
from inertial.problem.model import TwoLayerReLU
from inertial.simulation.decomposition import decompose_residual
from inertial.simulation.probe import probe
from inertial.simulation.train import train
from inertial.theory import audit as auditing
from inertial.theory.audit import audit
from inertial.theory.catalog import CATALOG
from inertial.theory.catalog.quantities import NESTEROV
from inertial.theory.evidence import Records
from inertial.theory.gather import StoredRun, at_seed, gather, recursion_of
from inertial.theory.start import Start
from inertial.theory.theorem import evaluate
from inertial.view.verdicts import finding

WIDTH, STEPS = 256, 20
RUN_SCOPE = {theorem.key for theorem in CATALOG if theorem.scope == "run" and not theorem.open}


@pytest.fixture(scope="module")
def data():
    return load("sphere", n=30, dim=20, seed=4)


@pytest.fixture(scope="module")
def stored(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit") / "run"
    settings = Settings(width=WIDTH, seeds=(0, 1), steps=STEPS, record_residuals=True, rule="paper")
    compare(data, settings, out=out)
    return StoredRun("run", *read_run(out))


@pytest.fixture(scope="module")
def judged(stored):
    return audit([stored])


def edit(stored, **changes):
    """The run with arrays replaced: name = function of the old values."""
    arrays = stored.arrays.copy(deep=True)
    for name, change in changes.items():
        arrays[name].values[...] = change(arrays[name].values)
    return replace(stored, arrays=arrays)


def planted(shape, size, spread):
    """Rise to `size` at the last step: less by the share `spread` on a seed, more on the other."""
    rise = np.array([[1 - spread], [1 + spread]]) * np.linspace(0, 1, shape[-1])
    return np.broadcast_to(np.asarray(size)[..., None] * rise, shape)


def with_manifest(stored, path, value):
    manifest = json.loads(json.dumps(stored.manifest))
    place = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return replace(stored, manifest=manifest)


def numbers(document):
    """All keys and values of a nested document."""
    if isinstance(document, Mapping):
        return [x for value in document.values() for x in numbers(value)]
    if isinstance(document, list | tuple):
        return [x for value in document for x in numbers(value)]
    return [document]


def test_every_theorem_has_one_entry(judged):
    assert [entry.theorem for entry in judged.entries] == [theorem.key for theorem in CATALOG]
    assert judged.notes == ()


def test_an_audit_prints_on_one_line_and_is_a_row_per_statement_as_a_frame(judged):
    text = repr(judged)
    assert text.startswith(f"<Audit: {len(CATALOG)} statements on {judged.runs[0]}")
    of_run = [entry.verdict for entry in judged.entries if entry.kind == "run"]
    assert f"{of_run.count('holds')} holds" in text
    assert "\n" not in text
    assert len(text) < 300
    frame = judged.to_dataframe()
    assert frame.theorem.tolist() == [theorem.key for theorem in CATALOG]
    assert frame.verdict.tolist() == [entry.verdict for entry in judged.entries]


def test_entries_are_plain_json(judged):
    text = json.dumps([asdict(entry) for entry in judged.entries], allow_nan=False)
    first = json.loads(text)[0]
    wanted = {"theorem", "source", "statement", "verdict", "margin", "first_violation"}
    assert wanted <= set(first)
    assert set(first["assumptions"][0]) == {"name", "margin", "where"}
    assert not any(isinstance(x, float) and not np.isfinite(x) for x in numbers(json.loads(text)))


@pytest.mark.parametrize(
    ("key", "source", "verdict"),
    [
        ("companion-printed", "Wang and Abernethy (2020), Lemma 3", "violated"),
        ("companion-corrected", "Wang and Abernethy (2020), Lemma 3", "holds"),
        ("nesterov-rate-printed", "Liu, Tao, Wang and Pan (2022), Theorem 3.2", "violated"),
        ("nesterov-rate-corrected", "Liu, Tao, Wang and Pan (2022), Theorem 3.2", "holds"),
        ("friction-loss-printed", "Bu, Xu and Chen (2021), eq. (3.4)", "violated"),
        ("friction-loss-corrected", "Bu, Xu and Chen (2021), eq. (3.4)", "holds"),
        ("block-corner-printed", "Liu, Pan and Tao (2022), eq. (23)", "violated"),
        ("nesterov-middle-printed", "Liu, Pan and Tao (2022), eq. (C.1)", "violated"),
        ("first-step-printed", "Liu, Pan and Tao (2022), eq. (6), Remark 1", "violated"),
        ("first-step-corrected", "Liu, Pan and Tao (2022), eq. (6), Remark 1", "holds"),
    ],
)
def test_the_known_slips_show(judged, key, source, verdict):
    entry = judged.of(key)
    assert (entry.source, entry.verdict) == (source, verdict)


def test_printed_friction_bound_fails_at_time_zero(judged):
    assert judged.of("friction-loss-printed").first_violation == 0


def test_counts_are_one_a_run_a_seed_or_a_method(judged, stored):
    for theorem in CATALOG:
        methods = sum(
            theorem.methods is None or theorem.methods.include(recursion_of(record))
            for record in stored.manifest["methods"]
        )
        units = {"kernel": 1, "start": 2, "run": 2 * methods}[theorem.scope]
        assert sum(judged.of(theorem.key).counts.values()) == units


def test_start_is_the_one_that_was_trained(stored, data):
    evidence = at_seed(gather(stored), 1)
    trained = stored.arrays["residual"].sel({"seed": 1}).isel({"step": 0, "optimizer": 0}).values
    # The run started in float32.
    np.testing.assert_allclose(evidence.start.residual, trained, rtol=0, atol=1e-5)
    rebuilt = of_inputs(data.x, WIDTH).start
    # J J' xi through the network against the kernel matrix, whose counts are kept in float32.
    image = rebuilt.forward(rebuilt.backward(rebuilt.residual))
    np.testing.assert_allclose(image, rebuilt.gram @ rebuilt.residual, rtol=1e-5, atol=1e-6)


def test_theorem_on_absent_methods_is_not_applicable(stored):
    only = edit(stored)
    only = replace(
        only,
        arrays=only.arrays.isel({"optimizer": [0]}),
        manifest={**only.manifest, "methods": only.manifest["methods"][:1]},
    )
    entry = audit([only]).of("nesterov-loss")
    assert (entry.verdict, entry.reason, entry.counts) == (
        "not applicable",
        f"no run of {NESTEROV.name}",
        {},
    )


def test_decomposition_and_probes_make_the_identities_checkable(stored, data):
    network = TwoLayerReLU(WIDTH, data.x.shape[1])
    splits, probes = {}, {}
    for record in stored.manifest["methods"]:
        method = recursion_of(record)
        key = (method.name, 0)
        splits[key] = decompose_residual(network, data.x, data.y, method, seed=0, steps=5)
        at = range(0, STEPS + 1, 5)
        probes[key] = probe(network, data.x, data.y, method, seed=0, steps=STEPS, at=at)[1]
    result = audit([replace(stored, decompositions=splits, probes=probes)])
    for key in ("nesterov-recursion", "heavy-ball-recursion", "unrolled", "weight-steps"):
        assert result.of(key).counts["holds"] > 0, result.of(key)
        assert result.of(key).counts["unverifiable"] > 0
    assert result.of("remainder-sign-printed").verdict == "violated"
    assert result.of("drift-worst-case").counts["holds"] == 3


NOT_ON_KERNEL = [
    theorem
    for theorem in CATALOG
    if theorem.scope != "kernel" or theorem.key == "companion-printed"
]


def damaged(runs):
    """Audit by the theorems that look at more than the kernel, and one that does not."""
    return audit(runs, theorems=NOT_ON_KERNEL)


# --- bad input ------------------------------------------------------------------------------------


def test_run_of_another_version_is_named(stored):
    result = damaged([with_manifest(stored, ("packages", "inertial"), "0.0.1")])
    assert "version 0.0.1" in result.notes[0]


@pytest.mark.parametrize("name", ["loss", "eigenvalue", "status", "eta"])
def test_run_without_an_array_is_refused(stored, name):
    with pytest.raises(InvalidInput, match=name):
        damaged([replace(stored, arrays=stored.arrays.drop_vars(name))])


@pytest.mark.parametrize("name", ["settings", "data", "methods"])
def test_run_without_a_manifest_entry_is_refused(stored, name):
    manifest = {key: value for key, value in stored.manifest.items() if key != name}
    with pytest.raises(InvalidInput, match=name):
        damaged([replace(stored, manifest=manifest)])


@pytest.mark.parametrize("factor", [1 - 1e-6, 0.0, -1.0, np.nan])
def test_edited_eigenvalue_is_refused(stored, factor):
    def change(values):
        return np.where(np.arange(len(values)) == 0, factor * values, values)

    with pytest.raises(InvalidInput, match="eigenvalues"):
        damaged([edit(stored, eigenvalue=change)])


def only_at_step(step, value):
    def change(values):
        changed = values.copy()
        changed[:, :, step] = value
        return changed

    return change


def test_a_loss_that_is_slightly_off_its_residual_is_named(stored):
    def change(values):
        changed = values.copy()
        changed[:, :, 7] *= 1 + 1e-4
        return changed

    result = damaged([edit(stored, loss=change)])
    assert any("step 7 is not half the squared residual" in note for note in result.notes)


@pytest.mark.parametrize("value", [1e-9, np.nan, -1.0])
def test_edited_loss_is_named_and_never_holds(stored, value):
    result = damaged([edit(stored, loss=only_at_step(7, value))])
    assert any("loss" in note for note in result.notes)
    for key in RUN_SCOPE:
        assert set(result.of(key).counts) <= {"unverifiable", "not applicable"}, key


def test_edited_first_loss_shows_without_residuals(stored):
    bare = replace(stored, arrays=stored.arrays.drop_vars("residual"))
    result = damaged([edit(bare, loss=only_at_step(0, 1.0))])
    assert any("start of seed 0" in note for note in result.notes)
    assert result.of("gradient-size").counts == {"unverifiable": 2}


@pytest.mark.parametrize(("off", "named"), [(0.9e-3, False), (1.1e-3, True)])
def test_a_rebuilt_start_is_the_run_s_up_to_the_tolerance_of_single_precision(stored, off, named):
    """Both sides of 1e-3; the recorded loss itself is off by float32's rounding, below 1e-6."""
    assert stored.manifest["settings"]["precision"] == "float32"
    bare = replace(stored, arrays=stored.arrays.drop_vars("residual"))

    def change(values):
        changed = values.copy()
        changed[:, :, 0] *= 1 + off
        return changed

    evidence = at_seed(gather(edit(bare, loss=change)), 0)
    assert ("start" in evidence.lacking) == named


def test_edited_coefficients_are_named(stored):
    result = damaged([edit(stored, beta=lambda values: values + 0.01)])
    assert any("coefficients" in note for note in result.notes)
    assert result.of("flip-share").counts == {"unverifiable": 6}


def test_run_cut_short_is_named(stored):
    short = edit(stored, diverged_at=lambda values: 0 * values + 5)
    result = damaged([replace(short, arrays=short.arrays.isel({"step": slice(0, 3)}))])
    assert any("not complete" in note for note in result.notes)


def test_run_without_residuals_is_judged(stored):
    bare = replace(stored, arrays=stored.arrays.drop_vars("residual"))
    assert damaged([bare]).of("flip-sets-corrected").counts == {"holds": 6}


def test_other_data_are_named(stored):
    result = damaged([with_manifest(stored, ("data", "sha256"), "0" * 64)])
    assert "SHA-256 differs" in result.notes[0]
    assert result.of("gradient-size").verdict == "unverifiable"
    # What needs the stored spectrum only is judged all the same.
    assert result.of("companion-printed").verdict == "violated"


def test_data_that_cannot_be_found_are_named(stored):
    result = damaged([with_manifest(stored, ("data", "name"), "nowhere")])
    assert "cannot be loaded" in result.notes[0]
    assert result.of("gradient-size").verdict == "unverifiable"


def test_diverged_run_is_never_counted_as_holding(stored):
    # As a comparison stores it: NaN after the step that showed the divergence.
    def ended(values):
        later = np.arange(STEPS + 1) > 5
        return np.where(later.reshape(-1, *[1] * (values.ndim - 3)), np.nan, values)

    names = ("loss", "max_distance", "pattern_change", "residual")
    diverged = edit(stored, **dict.fromkeys(names, ended), diverged_at=lambda v: 0 * v + 5)
    result = damaged([diverged])
    methods, seeds = (stored.arrays.sizes[name] for name in ("optimizer", "seed"))
    (said,) = (note for note in result.notes if "diverged" in note)
    assert f"{methods * seeds} of {methods * seeds} runs diverged (gradient descent, " in said
    assert said.endswith("); what is said of these is of the steps before.")
    verdicts = {result.of(key).verdict for key in RUN_SCOPE}
    assert verdicts <= {"violated", "not applicable", "unverifiable"}
    assert result.of("flip-sets-corrected").reason == "the run diverged at step 5"
    # What the steps before the divergence refute stays refuted.
    assert result.of("kernel-constant-printed").verdict == "violated"


# --- methods that are only called Nesterov --------------------------------------------------------


def test_other_methods_are_not_judged_as_nesterov(data):
    """A copied start, a varying momentum, a half correction: no verdict that speaks of another."""
    methods = {
        "nesterov_copy": nesterov(0.2, 0.6, start="copy"),
        "nesterov_varying": nesterov_varying(0.2, 3.0, steps=STEPS + 1),
        "momentum": Recursion(0.2, 0.6, 0.3),
    }
    entries = {}
    for name, method in methods.items():
        split = decompose_residual(
            TwoLayerReLU(WIDTH, data.x.shape[1]), data.x, data.y, method, seed=0, steps=5
        )
        start = Start(data.x, data.y, WIDTH, 0)
        run = train(
            TwoLayerReLU(WIDTH, data.x.shape[1]), data.x, data.y, method, seed=0, steps=STEPS
        )
        records = Records(
            method, WIDTH, "float32", run.steps, run.loss, 1.0, run.max_distance, run.pattern_change
        )
        evidence = replace(
            of_inputs(data.x, WIDTH), at_start=start, along_run=records, decomposed=split
        )
        entries[name] = {t.key: evaluate(t, evidence) for t in CATALOG if t.scope == "run"}
    for name, found in entries.items():
        # Algorithm 1's first step is not theirs, in either form.
        for form in ("printed", "corrected"):
            assert found[f"first-step-{form}"].verdict == "not applicable", name
        assert found["weight-steps"].verdict == "not applicable"
        # What is an identity holds for them too, where it is about them.
        assert found["unrolled"].verdict == "holds"
        corrected = [e.verdict for e in found.values() if e.form != "printed"]
        assert "violated" not in corrected
    lemma = {name: found["nesterov-recursion"].verdict for name, found in entries.items()}
    assert lemma == {
        "nesterov_copy": "holds",
        "nesterov_varying": "not applicable",
        "momentum": "not applicable",
    }


def test_only_runs_that_counted_give_margins():
    """A run outside the assumptions lends its margin to no verdict."""
    theorem = next(t for t in CATALOG if t.key == "gradient-size")
    made = evaluate(theorem, of_inputs(np.eye(3)))
    long = evaluate(theorem, of_inputs(40 * np.eye(3)))
    assert (made.verdict, long.verdict) == ("holds", "not applicable")
    units = [auditing._Judgement(e, n, n, n, None) for e, n in ((made, "a"), (long, "b"))]
    joined = auditing._combine(theorem, units)
    assert (joined.verdict, joined.margin, joined.ratio) == ("holds", made.margin, made.ratio)
    assert [a.margin for a in joined.assumptions] == [a.margin for a in made.assumptions]
    assert joined.counts == {"holds": 1, "not applicable": 1}
    assert "holds in 1, not applicable in 1" in finding(joined)
    # Where no run counted, the margins say how far they were from it.
    alone = auditing._combine(theorem, units[1:])
    assert alone.assumptions[0].margin < 0


def test_margin_and_ratio_are_of_the_run_that_the_sentence_names():
    """A vacuous run that is nearer to its bound lends its numbers to no run that holds."""
    theorem = next(t for t in CATALOG if t.key == "gradient-size")
    made = evaluate(theorem, of_inputs(np.eye(3)))
    near = replace(made, verdict="vacuous", margin=0.01, ratio=0.99)
    units = [auditing._Judgement(e, n, n, n, None) for e, n in ((near, "near"), (made, "made"))]
    joined = auditing._combine(theorem, units)
    assert (joined.where, joined.margin, joined.ratio) == ("made", made.margin, made.ratio)
    assert joined.reason == made.reason
    alone = auditing._combine(theorem, units[:1])
    assert (alone.where, alone.margin, alone.ratio) == ("near", 0.01, 0.99)


def test_margin_ratio_and_first_violation_are_of_one_run():
    """The one with the worst margin, though another decides by the assumption that it misses."""
    theorem = next(t for t in CATALOG if t.key == "gradient-size")
    units = []
    for size, margin, ratio, first in (
        (40.0, -0.5, 1.5, 52.0), (400.0, -0.1, 1.1, 61.0), (4.0, 0.2, 0.8, None),
        (41.0, None, None, 7.0),
    ):  # fmt: skip
        entry = replace(
            evaluate(theorem, of_inputs(size * np.eye(3))),
            margin=margin, ratio=ratio, first_violation=first, finding="violated",
        )  # fmt: skip
        units.append(auditing._Judgement(entry, *3 * (f"{size:g}",), None))
    for order in (units, units[::-1]):
        joined = auditing._combine(theorem, order)
        assert joined.verdict == "not applicable"
        assert joined.where == "400"
        assert (joined.margin, joined.ratio, joined.first_violation) == (-0.5, 1.5, 52.0)
    endless = [one._replace(entry=replace(one.entry, margin=None, ratio=None)) for one in units]
    for order in (endless[2:], endless[:1:-1]):
        assert auditing._combine(theorem, order).first_violation == 7.0


def test_the_reason_is_of_the_run_that_misses_an_assumption_most():
    """A sentence and the margins beside it tell the same number, whichever run comes first."""
    theorem = next(t for t in CATALOG if t.key == "gradient-size")
    units = []
    for size in (40.0, 400.0):  # the claim's own margin ranks them the other way round
        entry = replace(evaluate(theorem, of_inputs(size * np.eye(3))), margin=size)
        units.append(auditing._Judgement(entry, *3 * (f"{size:g}",), None))
    for order in (units, units[::-1]):
        joined = auditing._combine(theorem, order)
        (missed,) = (a for a in joined.assumptions if a.margin is not None and a.margin < 0)
        assert joined.where == "400"
        assert joined.reason == f"assumption missed by {-missed.margin:.3g}: {missed.name}"


# --- over starts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("held", "seeds"), [(0, 5), (4, 5), (5, 5), (93, 100)])
def test_interval_is_clopper_and_pearsons(judged, held, seeds):
    entry = judged.of("flip-share")
    single = auditing._Judgement  # the unit of counting
    template = auditing.evaluate(CATALOG[0], gather_kernel())
    judgements = [
        single(replace(template, finding="holds" if k < held else "violated"), "", "", str(k), None)
        for k in range(seeds)
    ]
    counted = auditing._frequency(judgements)
    low = scipy.stats.beta.ppf(0.025, held, seeds - held + 1) if held else 0.0
    high = scipy.stats.beta.ppf(0.975, held + 1, seeds - held) if held < seeds else 1.0
    assert (counted.held, counted.seeds) == (held, seeds)
    np.testing.assert_allclose([counted.low, counted.high], [low, high], rtol=0, atol=1e-9)
    assert entry.frequency is None


def gather_kernel():
    return of_inputs(np.eye(3))


@pytest.mark.parametrize(
    ("promised", "high", "verdict"),
    [(0.99, 0.5, "violated"), (0.4, 0.5, "unresolved"), (None, 0.5, None)],
)
def test_failures_refute_a_probability_only_if_they_are_too_many(promised, high, verdict):
    frequency = auditing.Frequency(1, 5, 0.0, high, promised)
    assert auditing._weigh("violated", "r", frequency)[0] == (verdict or "violated")
    reason = auditing._weigh("violated", "r", replace(frequency, problems=3))[1]
    assert ("held on 1 of 5 starts of 3 problems (data and width)" in reason) == bool(promised)


def test_a_promise_of_nothing_on_one_start_says_nothing_of_the_others():
    """A probability that is not above 0 is vacuous on its start, and holds where there is one."""
    theorem = next(t for t in CATALOG if t.chance is not None)
    sides = dict.fromkeys(("left", "right"), lambda _: np.ones(3))
    plain = {"assumptions": (), "methods": None, "trivial": None, "noise": None, "at": None}

    def judged_with(*promises, ratio=1.0):
        found = []
        for seed, promised in enumerate(promises):
            claim = replace(theorem, **plain, **sides, chance=lambda _, p=promised: p)
            claim = replace(claim, left=lambda _: ratio * np.ones(3))
            unit = auditing._Unit("kernel", f"run {seed}", f"{seed}", f"{seed}", gather_kernel())
            found.append(auditing._judge(claim, unit))
        return auditing._combine(claim, found)

    assert judged_with(-0.6, -0.1).verdict == "vacuous"
    assert judged_with(-0.6).reason == "the promised probability is not above 0"
    mixed = judged_with(-0.6, 0.99, 0.8)
    assert (mixed.verdict, mixed.counts) == ("holds", {"vacuous": 1, "holds": 2})
    assert (mixed.frequency.seeds, mixed.frequency.promised) == (2, 0.8)
    assert set(mixed.by_run.values()) == {"vacuous", "holds"}
    # A failure where nothing is promised refutes nothing.
    assert judged_with(-0.6, ratio=2.0).verdict == "vacuous"
    assert judged_with(*[0.999] * 5, ratio=2.0).verdict == "violated"


def test_runs_from_one_start_are_counted_once(stored, judged):
    """Rules of a study share their starts: more rules do not narrow the interval."""
    twice = audit([stored, replace(stored, name="again")])
    for key in ("start-near", "decay-on-run"):
        assert twice.of(key).frequency == judged.of(key).frequency
    wider = {**stored.manifest, "settings": {**stored.manifest["settings"], "width": 2 * WIDTH}}
    other = audit([stored, replace(stored, name="wider", manifest=wider)])
    assert other.of("decay-on-run").frequency.seeds == 4
    for entries, words in (
        (twice, "of 2 starts ("),
        (other, "of 4 starts of 2 problems (data and"),
    ):
        assert words in finding(entries.of("decay-on-run"))


def test_runs_at_several_widths_show_the_slope_of_what_is_of_an_order_in_the_width(stored, judged):
    """Distances are planted at a power for each method, shares at -1 for all."""
    runs = []
    for width in (64, 256, 1024):
        manifest = with_manifest(stored, ("settings", "width"), width).manifest
        one = edit(
            replace(stored, name=f"m{width}", manifest=manifest),
            max_distance=lambda a, m=width: planted(
                a.shape, [[m**-0.5], [m**-0.4], [m**-0.45]], 16 / m
            ),
            pattern_change=lambda a, m=width: planted(a.shape, 1 / m, 16 / m),
        )
        runs.append(one)
    alone, entry = judged.of("width-scaling"), audit(runs).of("width-scaling")
    assert alone.verdict == entry.verdict == "unverifiable"
    assert alone.reason.endswith("show the slope")
    assert entry.reason == (
        f"{alone.reason}: of the largest distance -0.50 to -0.40, of the largest share of changed "
        "activations -1.00 (logarithms against log m, means over seeds)"
    )
    assert entry.reason in finding(entry)
    assert entry.where == ""  # no single run says it
    # A run that diverged has no size, and where nothing changes there is no logarithm.
    broken = [edit(run, diverged_at=lambda a: np.full_like(a, 5)) for run in runs]
    still = [edit(run, pattern_change=np.zeros_like) for run in (broken[0], *runs[1:])]
    assert "-0.50 to -0.40 (log" in audit(still).of("width-scaling").reason
    assert audit(broken).of("width-scaling").reason == alone.reason


def test_a_statement_with_a_probability_is_counted_over_starts(judged):
    counted = judged.of("start-near").frequency
    assert counted.seeds == 2
    assert counted.promised is None
    assert 0 <= counted.low <= counted.held / 2 <= counted.high <= 1
