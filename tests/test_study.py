"""A study reads its file strictly, gives runs an identity, and survives anything."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial

import jax
import numpy as np
import pytest
import xarray as xr

from helpers import DAMAGES, flip_in_directory, full_disk
from inertial import InvalidInput
from inertial.files import lock
from inertial.linear.expected import measure_of
from inertial.runs import execution
from inertial.runs import study as studies
from inertial.runs.config import TEMPLATE, DataSet, Study, parse_study, read_config
from inertial.runs.cost import Prediction
from inertial.runs.execution import compute, prepare, read_checkpoint, write_checkpoint
from inertial.runs.spec import Run, load_data, runs
from inertial.runs.study import Folder, Ledger, run_study

SMALL = Study(
    "small",
    (DataSet("sphere", rows=24, dim=4),),
    methods=("gradient_descent", "nesterov"),
    rules=("paper",),
    widths=(30,),
    seeds=(0, 1),
    steps=20,
)


def free(missing, **_):
    """A prediction without timing anything."""
    return Prediction(1.0, (1.0,) * len(missing), 1, 1, 1)


quickly = partial(run_study, predictor=free)


def test_the_template_is_a_study_of_every_combination():
    study = parse_study(TEMPLATE, "template")
    expected = len(study.data) * len(study.methods) * len(study.widths) * len(study.seeds)
    assert len(runs(study)) == expected == len({run.key for run in runs(study)})
    assert study.data[1] == DataSet("diabetes", rows=200, standardize=True, dedupe=True)


def test_another_number_of_threads_is_recorded_and_said(tmp_path):
    """Of a study, two of whose runs had one thread; and of a run that goes on from a state."""
    folder = Folder(tmp_path / "study")
    assert quickly(SMALL, folder).note is None
    (now,) = quickly(SMALL, folder).threads
    for key in [run.key for run in runs(SMALL)][:2]:
        file = folder.path / "runs" / f"{key}.json"
        manifest = json.loads(file.read_text())
        manifest["machine"]["threads"] = {"xla": 77, "blas": 1}
        file.write_text(json.dumps(manifest))
    again = quickly(SMALL, folder)
    assert again.threads == {"77 (1 of BLAS)": 2, now: 2}
    assert f"(2 with 77 (1 of BLAS), 2 with {now})" in again.note

    state = tmp_path / "states" / "one.npz"
    states = []
    run = runs(SMALL)[0]
    whole = compute(run)
    prepared = execution.prepare(run.data)
    execution.execute(run.spec, prepared, save=states.append, save_seconds=0)
    write_checkpoint(state, states[0], "mark")
    assert (
        read_checkpoint(state, "mark", run.spec, prepared) is not None
    )  # no notice: warnings are errors
    with np.load(state) as stored:
        arrays = {**stored, "threads": "77"}
    with state.open("wb") as file:
        np.savez(file, **arrays)
    with pytest.warns(match=f"an interrupted run had 77 threads and this process has {now}"):
        assert read_checkpoint(state, "mark", run.spec, prepared) is not None
    assert whole.manifest["machine"]["threads"].keys() == {"xla", "blas"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("widths =", "width =", ["'width'", "did you mean 'widths'"]),
        ("rows = 200", "row = 200", ["data set 2: ", "'row'", "did you mean 'rows'"]),
        ("steps = 100", 'steps = "100"', ["steps is '100'", "a whole number"]),
        ("steps = 100", "steps = 100.0", ["steps is 100.0", "a whole number"]),
        ("steps = 100", "steps = 0", ["steps is 0"]),
        ("[250, 500]", "[250, 2.5]", ["widths is", "list of values, each a whole number"]),
        ("[250, 500]", "[250, 250]", ["widths", "each of them once"]),
        ('["forecast"]', '["forecasts"]', ["did you mean 'forecast'"]),
        ('"float32"', '"float16"', ["precision is", "'float32', 'float64'"]),
        ("seeds = [0, 1]", "seeds = [true]", ["seeds is", "whole number"]),
        ('name = "first-look"', "", ["has no 'name'"]),
        ('name = "first-look"', 'name = "a/b"', ["letters"]),
        ("first-look", "雪" * 67, ["name has 201 bytes", "at most 200"]),
        ("steps = 100", "steps 100", ["not valid TOML", "line 36"]),
        ("dedupe = true", 'dedupe = "yes"', ["data set 2: dedupe is 'yes'", "true or false"]),
    ],
)
def test_a_mistake_is_named_with_its_key(old, new, words):
    assert old in TEMPLATE
    with pytest.raises(InvalidInput, match=r"^mine.toml") as caught:
        parse_study(TEMPLATE.replace(old, new, 1), "mine.toml")
    for word in words:
        assert word in str(caught.value)


DATA = """name = "mine"
data = [
    {name = "digits", rows = 10},
    {name = "a # b", rows = 20, dedupe = true},
]
steps = 3
widths = [10]
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rows = 20", "rows = true", ", data set 2: rows is True; give a whole number"),
        ('"a # b"', "5", ", data set 2: name is 5; give a text"),
        ("rows = 20", "rows = 1", ", data set 2: rows is 1; .*at least 2"),
        ('name = "a # b", ', "", ", data set 2 has no 'name'"),
        ('"mine"', "5", ": name is 5; give a text"),
        ("[10]", "[-5]", ": widths is -5; .*at least 1"),
        ("[10]", "[10]\nseeds = [4294967296]", ": seeds is 4294967296; .*below 4294967296"),
        ("[10]", "[10_000_000_000]", ": widths is 10000000000; .*below"),
        ("[10]", "[10]\n[extra]\nrows = 1", ": the key 'extra' is unknown"),
        ("[10]", '[10]\nrules = ["papers"]', ": .*did you mean 'paper'"),
        ("    {name", "    7,\n    {name", ", data set 1 is 7; give a name"),
    ],
)
def test_a_mistake_is_placed_in_its_data_set(old, new, words):
    assert old in DATA
    with pytest.raises(InvalidInput, match=rf"^mine.toml{words}"):
        parse_study(DATA.replace(old, new, 1), "mine.toml")


def test_a_number_of_thousands_of_digits_is_one_sentence():
    for number in ("9" * 5000, "0x" + "f" * 5000):
        with pytest.raises(InvalidInput, match="nests too deep or has a huge number; take that"):
            parse_study(TEMPLATE.replace("steps = 100", f"steps = {number}"), "mine.toml")


def test_a_study_with_a_byte_order_mark_is_the_study(tmp_path):
    """As the editors of some systems save UTF-8."""
    (tmp_path / "mine.toml").write_text(TEMPLATE, encoding="utf-8-sig")
    assert read_config(tmp_path / "mine.toml") == parse_study(TEMPLATE, "template")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InvalidInput, match=r"cannot be read \(No such file"):
        read_config(tmp_path / "none.toml")


def test_identity_depends_on_configuration_data_and_result_version():
    (first, *_) = runs(SMALL)
    assert Run(first.spec, first.data, first.data_sha256, first.version).key == first.key
    others = [
        replace(first, data_sha256="0" * 64),
        replace(first, version=first.version + 1),
        *(
            replace(first, spec=replace(first.spec, **{name: value}))
            for name, value in {
                "method": "heavy_ball",
                "rule": "quadratic",
                "width": 31,
                "seed": 5,
                "steps": 21,
                "precision": "float64",
                "kernel": "finite",
                "flows": ("gradient_flow",),
            }.items()
        ),
    ]
    assert len({first.key, *(other.key for other in others)}) == 1 + len(others)
    # Only the rule `forecast` reads the target, and only the arrays' hash counts for the data.
    assert replace(first, spec=replace(first.spec, target=0.5)).key == first.key
    assert replace(first, data=DataSet("elsewhere.csv")).key == first.key
    aimed = replace(first, spec=replace(first.spec, rule="forecast"))
    assert replace(aimed, spec=replace(aimed.spec, target=0.5)).key != aimed.key


def test_a_run_says_what_it_was_computed_on_and_with():
    arrays, manifest = compute(runs(SMALL)[0])
    data = load_data(SMALL.data[0])
    assert manifest["data"] == asdict(data.provenance)
    assert manifest["packages"]["jax"] == jax.__version__
    assert {"python", "commit", "machine", "result_version"} <= set(manifest)
    measure = measure_of(data)
    np.testing.assert_array_equal(arrays.eigenvalue, measure.nodes)
    np.testing.assert_array_equal(arrays.weight, measure.weights)


class Killed(Exception):  # noqa: N818
    """Stands for the end of a process."""


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_an_interrupted_run_goes_on_with_the_same_bits(tmp_path, monkeypatch, precision):
    monkeypatch.setattr("inertial.simulation.step._TILE_NEURONS", (1, 4))  # eight tiles, padded
    run = runs(replace(SMALL, steps=60, methods=("nesterov",), precision=precision))[0]
    whole = compute(run).arrays
    path, counts = tmp_path / "state.npz", []

    def die(count):
        counts.append(count)
        if sum(counts) > 20:
            raise Killed

    with pytest.raises(Killed):
        compute(run, checkpoint=path, advance=die, save_seconds=0.0)
    resumed_at = []
    again = compute(run, checkpoint=path, advance=resumed_at.append, save_seconds=0.0).arrays
    assert 0 < resumed_at[0] <= 20
    assert sum(resumed_at) == 61
    xr.testing.assert_identical(again, whole)


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_not_used(tmp_path):
    path, run = tmp_path / "made" / "state.npz", runs(replace(SMALL, steps=40))[0]
    compute(run, checkpoint=path, save_seconds=0.0)
    state = None
    with np.load(path) as stored:
        fingerprint = str(stored["fingerprint"])
    its = run.spec, prepare(run.data)
    state = read_checkpoint(path, fingerprint, *its)
    assert state is not None
    assert state.step == len(state.loss)
    assert read_checkpoint(path, "another", *its) is None
    path.write_bytes(path.read_bytes()[:-100])
    assert read_checkpoint(path, fingerprint, *its) is None
    with pytest.warns(UserWarning, match="no checkpoint could be written"):
        write_checkpoint(path / "below-a-file" / "x.npz", state, fingerprint)


FORGED = [
    *({name: None} for name in ("step", "displacement", "loss", "fingerprint")),
    *({"step": step} for step in (np.arange(3), np.array("x"), -1, 10**6)),
    *({"displacement": array} for array in (np.zeros((3, 4)), np.zeros(30), np.array(["x"]))),
    *({"loss": array} for array in (np.zeros(0), np.zeros((5, 5)), np.zeros(10**6))),
    {"residual": np.zeros((1, 24))},
    {"more": np.zeros(3)},
]  # fmt: skip
"""What a stranger may have written over the arrays of a checkpoint, with the right fingerprint."""


def test_a_forged_checkpoint_is_not_used(tmp_path):
    path, run = tmp_path / "made" / "state.npz", runs(replace(SMALL, steps=40))[0]
    compute(run, checkpoint=path, save_seconds=0.0)
    with np.load(path) as stored:
        arrays = dict(stored)

    def used(save=np.savez, **forged):
        found = {**arrays, **forged}
        save(path, **{name: array for name, array in found.items() if array is not None})
        its = run.spec, prepare(run.data)
        return read_checkpoint(path, str(arrays["fingerprint"]), *its) is not None

    assert used()
    assert [forged for forged in FORGED if used(**forged)] == []
    assert not used(np.savez_compressed)  # it may unpack to any size
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("loss", b"no array")
    assert not used(lambda *_, **__: None)
    path.write_bytes(np.lib.format.magic(1, 0))
    assert not used(lambda *_, **__: None)


@pytest.mark.parametrize(("at", "bits"), DAMAGES)
def test_a_checkpoint_with_a_damaged_directory_is_not_used(tmp_path, at, bits):
    path, run = tmp_path / "made" / "state.npz", runs(replace(SMALL, steps=40))[0]
    compute(run, checkpoint=path, save_seconds=0.0)
    flip_in_directory(path, at, bits)
    assert compute(run, checkpoint=path).manifest["cost"]["resumed_at"] == 0


def test_a_checkpoint_of_another_step_size_is_not_used(tmp_path, monkeypatch):
    path, run = tmp_path / "made" / "state.npz", runs(replace(SMALL, steps=40))[0]
    compute(run, checkpoint=path, save_seconds=0.0)
    assert compute(run, checkpoint=path).manifest["cost"]["resumed_at"] > 0

    def rounded_otherwise(*key):
        method = tuned(*key)
        return replace(method, eta=float(np.nextafter(method.constant[0], 1)))

    tuned = execution.tuned
    monkeypatch.setattr(execution, "tuned", rounded_otherwise)
    assert compute(run, checkpoint=path).manifest["cost"]["resumed_at"] == 0


def test_steps_may_arrive_while_progress_is_drawn_and_of_runs_it_does_not_know(tmp_path):
    one, other, *_ = runs(SMALL)
    drawn = []

    class Arriving(dict):
        """While the first run is looked up, steps of another arrive, as from another thread."""

        def __getitem__(self, key):
            if key == one.key and len(self) and not drawn:
                drawn.append(key)
                bar.advance(other)(1)
            return super().__getitem__(key)

    ledger = Ledger(SMALL, Folder(tmp_path), (one, other))
    ledger.runs = Arriving(ledger.runs)
    shown = []
    bar = studies.Bar(ledger, lambda *what: shown.append(what), free((one, other)))
    bar.advance(one)(1)
    assert [label for label, *_ in shown] == [other.label, one.label]
    ledger.outcomes[other.key] = "stored before"
    late = studies.Bar(ledger, lambda *what: shown.append(what), free((one,)))
    late.advance(other)(1)
    assert shown[-1] == (other.label, 0, 1000)


def test_a_second_time_nothing_is_computed(tmp_path):
    first = quickly(SMALL, Folder(tmp_path))
    assert (first.computed, first.stored_before, first.failures) == (4, 0, ())
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert len(stamps) == 2 * 4  # arrays and manifest
    second = quickly(replace(SMALL, name="other-name"), Folder(tmp_path))
    assert (second.computed, second.stored_before) == (0, 4)
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    more = quickly(replace(SMALL, seeds=(0, 1, 2)), Folder(tmp_path))
    assert (more.computed, more.stored_before) == (2, 4)
    assert sorted(p.name for p in (tmp_path / "studies").iterdir()) == [
        "other-name.json",
        "small.json",
    ]
    assert not list(tmp_path.glob("*/.*"))
    assert not list((tmp_path / "locks").iterdir())


def test_a_study_with_the_longest_name_is_written_and_read(tmp_path):
    name = "雪" * 66 + "ab"  # 200 bytes
    quickly(replace(SMALL, name=name, seeds=(0,)), Folder(tmp_path))
    assert studies.read_study(tmp_path).attrs["study"] == name
    assert [stored.name for stored in studies.read_studies(tmp_path)] == [name]


def test_a_stored_run_describes_itself(tmp_path):
    report = quickly(SMALL, Folder(tmp_path))
    run = report.runs[-1]
    arrays, manifest = report.folder.read(run)
    assert manifest["key"] == run.key
    assert arrays.attrs["data_sha256"] == run.data_sha256
    assert {k: arrays.attrs[k] for k in ("optimizer", "rule", "width", "seed")} == {
        k: asdict(run.spec)[k.replace("optimizer", "method")]
        for k in ("optimizer", "rule", "width", "seed")
    }
    assert arrays.sizes["step"] == 21
    assert np.isfinite(arrays.loss).all()
    assert arrays.loss[-1] < arrays.loss[0]


def test_runs_and_index_say_what_was_predicted_and_what_it_took(tmp_path):
    def predicted(missing, **_):
        return Prediction(9.0, tuple(1.0 + k for k in range(len(missing))), 123, 1, 1)

    report = run_study(SMALL, Folder(tmp_path), predictor=predicted)
    run_study(SMALL, Folder(tmp_path), predictor=predicted)  # changes nothing
    entries = json.loads((tmp_path / "studies" / "small.json").read_text())["runs"]
    assert [entry["cost"]["predicted_seconds"] for entry in entries] == [1.0, 2.0, 3.0, 4.0]
    for run, entry in zip(report.runs, entries, strict=True):
        facts = report.folder.read(run).manifest["cost"]
        assert entry["cost"] == {name: facts[name] for name in entry["cost"]}
        assert (facts["predicted_memory_bytes"], facts["resumed_at"]) == (123, 0)
        assert 0 < facts["setup_seconds"] < facts["seconds"]
        assert facts["peak_memory_bytes"] > 1e7  # any Python with JAX in it


@pytest.mark.parametrize(
    "damage", ["truncated", "numbers", "attributes", "manifest", "another run"]
)
def test_a_damaged_run_is_computed_again_and_the_others_stay(tmp_path, damage):
    folder = Folder(tmp_path)
    report = quickly(SMALL, folder)
    victim, *others = report.runs
    before = folder.read(victim)
    path = folder.run_file(victim)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "another run":
        for one in (path, path.with_suffix(".json")):
            one.write_bytes(folder.run_file(others[0]).with_suffix(one.suffix).read_bytes())
    elif damage == "manifest":
        path.with_suffix(".json").write_text("{}")
    else:
        values, facts = before.arrays.loss.values, before.arrays.attrs
        part = values.tobytes() if damage == "numbers" else facts["data_sha256"].encode()
        content[content.index(part) + 3] ^= 1
        path.write_bytes(content)
    stamps = {other: folder.run_file(other).stat().st_mtime_ns for other in others}
    again = quickly(SMALL, folder)
    assert (again.computed, again.damaged) == (1, 1)
    assert stamps == {other: folder.run_file(other).stat().st_mtime_ns for other in others}
    xr.testing.assert_identical(folder.read(victim).arrays, before.arrays)


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    quickly(replace(SMALL, seeds=(0,)), folder)

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InvalidInput, match=r"No space left.*what is stored stays"):
        quickly(SMALL, folder)
    monkeypatch.undo()
    assert len(list((tmp_path / "runs").glob("*.json"))) == 2
    assert not list((tmp_path / "locks").iterdir())
    assert quickly(SMALL, folder).computed == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"cannot be written.*another folder"):
        quickly(SMALL, Folder(tmp_path / "file"))


def test_a_run_that_cannot_be_computed_is_reported_and_the_others_go_on(tmp_path, monkeypatch):
    def refuse(run, **options):
        if run.spec.seed == 0:
            raise InvalidInput("the data set is gone")
        return compute(run, **options)

    monkeypatch.setattr(studies, "compute", refuse)
    report = quickly(SMALL, Folder(tmp_path))
    assert report.computed == 2
    assert [failure.run.spec.seed for failure in report.failures] == [0, 0]
    assert report.failures[0].reason == "the data set is gone"


def test_a_run_without_memory_costs_the_others_nothing(tmp_path, monkeypatch):
    def exhaust(run, **options):
        if run.spec.seed == 0:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nallocating")
        return compute(run, **options)

    monkeypatch.setattr(studies, "compute", exhaust)
    report = quickly(SMALL, Folder(tmp_path))
    assert report.computed == 2
    assert {failure.reason for failure in report.failures} == {
        "it failed with JaxRuntimeError: RESOURCE_EXHAUSTED: Out of memory"
    }


def test_a_file_that_changes_is_read_and_tuned_again(tmp_path, rng):
    """Also by a process that lives on, such as a worker: a run belongs to the data it names."""
    path = tmp_path / "own.npz"
    study = replace(SMALL, data=(DataSet(str(path)), DataSet("sphere", rows=24, dim=4)))

    def both():
        np.savez(path, x=rng.standard_normal((12, 3)), y=rng.standard_normal(12))
        own, *_, sphere = runs(study)
        first = compute(own)
        compute(sphere)
        return own, first

    both()
    own, second = both()
    execution._prepared.cache_clear()
    execution.tuned.cache_clear()
    assert second.arrays.attrs["eta"] == compute(own).arrays.attrs["eta"]


def test_other_data_than_the_study_s_are_refused():
    run = replace(runs(SMALL)[0], data_sha256="0" * 64)
    with pytest.raises(InvalidInput, match="differs from the study's"):
        compute(run)
    with pytest.raises(InvalidInput, match="has result version 0 and inertial"):
        compute(replace(runs(SMALL)[0], version=0))


def python(code, **environment):
    """Start another process on a piece of code."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def wait_for(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_lock_is_another_process_s_until_that_dies(tmp_path):
    path = tmp_path / "key"
    holder = python(f"""
        import time
        from pathlib import Path
        from inertial.files import lock
        assert lock(Path({str(path)!r})) is not None
        print("held", flush=True)
        time.sleep(600)
    """)
    assert holder.stdout.readline() == "held\n"
    assert lock(path) is None
    assert str(holder.pid) in path.read_text()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    held = lock(path)
    assert held is not None
    held.release()
    assert not path.exists()


def test_the_lock_of_a_run_whose_owner_died_when_it_was_stored_goes(tmp_path):
    run, other = runs(SMALL)[:2]
    folder = Folder(tmp_path)
    ledger = Ledger(SMALL, folder, (run,))
    ledger.claim()
    ledger.store(run, compute(run))
    for one in (run, other):
        folder.lock(one).release()
        (tmp_path / "locks" / one.key).write_text("a host 1\n")
    Ledger(SMALL, folder, (run, other))
    assert [left.name for left in (tmp_path / "locks").iterdir()] == [other.key]
    held = folder.lock(run)
    Ledger(SMALL, folder, (run,))
    assert (tmp_path / "locks" / run.key).exists()
    held.release()


STUDY = """
    from pathlib import Path
    from inertial.runs.config import DataSet, Study
    from inertial.runs.cost import Prediction
    from inertial.runs.study import Folder
    from inertial.runs.study import in_process, run_study
    from functools import partial
    free = lambda missing, **_: Prediction(1.0, (1.0,) * len(missing), 1, 1, 1)
    study = Study(**{study!r})
    print("ready", flush=True)
    input()
    report = run_study(study, Folder(Path({out!r})), predictor=free,
                       engine=partial(in_process, save_seconds={save}))
    print(report.computed, report.computed_elsewhere + report.stored_before, flush=True)
"""


def study_code(study, out, save=30.0):
    fields = {name: getattr(study, name) for name in study.__dataclass_fields__}
    return STUDY.format(study=fields, out=str(out), save=save)


def started(*codes):
    """Start studies at the same moment, when all their processes have imported everything."""
    processes = [python(code) for code in codes]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def test_killed_at_any_moment_the_rest_is_computed_with_the_same_bits(tmp_path):
    study = replace(SMALL, methods=("nesterov",), seeds=(0, 1), steps=8_000)

    def checkpoints():
        found = tmp_path.glob("killed/checkpoints/*.npz")
        with suppress(FileNotFoundError):  # its run has just been stored
            return {path: path.stat().st_mtime_ns for path in found}

    for _ in range(2):  # the second process goes on from the first one's state, and dies too
        before = checkpoints()
        (process,) = started(study_code(study, tmp_path / "killed", save=0.05))
        wait_for(lambda before=before: checkpoints() != before)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    begun = len(list(tmp_path.glob("killed/runs/*.nc")))
    assert begun < 2
    went_on = quickly(study, Folder(tmp_path / "killed"))
    assert (went_on.computed, went_on.stored_before) == (2 - begun, begun)
    quickly(study, Folder(tmp_path / "straight"))
    for path in tmp_path.glob("straight/runs/*.nc"):
        expected = path.read_bytes()
        assert (tmp_path / "killed" / "runs" / path.name).read_bytes() == expected
    assert not list(tmp_path.glob("killed/checkpoints/*"))
    assert not list(tmp_path.glob("killed/*/.*"))


def test_two_processes_share_a_study(tmp_path):
    study = replace(SMALL, seeds=tuple(range(6)), steps=300)
    both = started(*[study_code(study, tmp_path)] * 2)
    counts = [tuple(map(int, process.communicate()[0].split())) for process in both]
    assert sum(computed for computed, _ in counts) == 12
    assert all(sum(pair) == 12 for pair in counts)
    assert len(list((tmp_path / "runs").glob("*.nc"))) == 12


def test_the_spectrum_of_a_data_set_is_computed_once(tmp_path, monkeypatch):
    calls = []
    execution._prepared.cache_clear()
    surveyed = execution.kept_spectrum
    monkeypatch.setattr(
        execution, "kept_spectrum", lambda data, to: calls.append(data) or surveyed(data, to)
    )
    quickly(SMALL, Folder(tmp_path))
    assert len(calls) == 1
