"""study, plan, reproduce and figures as a user runs them: exit codes, one document, sentences."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from helpers import full_disk, run
from inertial.commands.main import main
from inertial.reproduce import catalog, item
from inertial.runs.config import TEMPLATE
from inertial.runs.study import Stored, in_process, join_all
from inertial.view import drawing

SMALL = """\
name = "small"
data = [{ name = "sphere", rows = 24, dim = 4 }]
methods = ["nesterov"]
rules = ["paper"]
widths = [20, 30]
seeds = [0]
steps = 12
"""


RECORDS = ("loss", "max_distance", "pattern_change", "forecast_loss")


def mistake(capsys, *arguments):
    """Run what must end with exit code 2 and one sentence; return the sentence."""
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, ""), err
    *notes, last = err.splitlines()
    assert last.startswith("inertial: error: ")
    assert all(note.startswith("inertial: note: ") for note in notes)
    return last


@pytest.fixture(autouse=True)
def in_a_folder_with_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with all runs of the study, made once."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(SMALL)
    main(["study", str(folder / "small.toml"), "--out", str(folder / "out"), "--json"])
    return folder / "out"


@pytest.fixture
def done(finished, tmp_path):
    """A copy of the finished folder, to be spoiled."""
    return shutil.copytree(finished, tmp_path / "done")


def test_an_interrupt_says_that_runs_are_stored_only_where_some_are(capsys, monkeypatch, done):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("inertial.runs.study.predict", interrupted)
    for folder, words in {
        "new": "stopped before a run was finished; the same command goes on.",
        str(done): f"stopped; finished runs are stored in {done}; the same command goes on.",
    }.items():
        code, _, err = run(capsys, "study", "small.toml", "--out", folder)
        assert code == 130
        assert " ".join(err.splitlines()[-1].split()) == f"inertial: note: {words}"


def test_a_study_leaves_the_folder_for_temporary_files_alone(tmp_path):
    """So that a full one costs nothing: no entry comes or goes, which would change its time."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before = temporary.stat().st_mtime_ns
    words = [sys.executable, "-m", "inertial", "study", "small.toml", "--out", "out"]
    subprocess.run(words, check=True, env=os.environ | {"TMPDIR": str(temporary)})
    assert temporary.stat().st_mtime_ns == before
    assert len(list((tmp_path / "out" / "runs").glob("*.json"))) == 2


def test_a_study_prints_one_document_and_a_second_time_computes_nothing(capsys, monkeypatch):
    monkeypatch.setattr("inertial.commands.terminal._LINE_SECONDS", 0)
    code, out, err = run(capsys, "study", "small.toml", "--json")
    document = json.loads(out)
    assert code == 0
    # How long depends on what else the machine does.
    assert re.search(r"runs to compute: 2, predicted (less than|about) \d+ s by the clock", err)
    assert "100% done, predicted less than 1 s of computing left: sphere, nesterov" in err
    assert set(document) == {
        "folder", "runs", "computed", "stored_before", "computed_elsewhere", "damaged", "failed",
        "predicted_seconds", "seconds", "threads",
    }  # fmt: skip
    assert (document["folder"], document["computed"]) == ("runs/small", 2)
    code, out, err = run(capsys, "study", "small.toml")
    assert code == 0
    assert "2 runs: 0 computed, 2 stored before, 0 failed" in out
    assert "all runs are stored" in err


def test_a_plan_prints_one_document_and_runs_nothing(capsys, tmp_path, done):
    code, out, _ = run(capsys, "plan", "small.toml", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["runs"], document["missing"]) == (2, 2)
    assert document["data"] == [{"name": "sphere", "n": 24, "d": 4}]
    assert min(document[k] for k in ("seconds", "memory_bytes", "disk_bytes")) > 0
    assert not (tmp_path / "runs").exists()
    code, out, _ = run(capsys, "plan", "small.toml", "--out", done)
    assert "2 runs, 0 of them missing" in out
    assert "sphere: 24 rows of 4" in out


def test_the_template_is_printed(capsys):
    code, out, _ = run(capsys, "study", "--template")
    assert (code, out) == (0, TEMPLATE)
    assert "no study is given" in mistake(capsys, "study")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("widths", "width", ["small.toml: ", "'width'", "did you mean 'widths'"]),
        ("steps = 12", 'steps = "12"', ["small.toml: ", "steps is '12'", "a whole number"]),
        ("rows = 24", "row = 24", ["small.toml, data set 1: ", "did you mean 'rows'"]),
        ('"sphere"', '"spheer"', ["spheer"]),
    ],
)
@pytest.mark.parametrize("command", ["study", "plan"])
def test_a_mistake_in_the_file_is_one_sentence(capsys, tmp_path, command, old, new, words):
    assert old in SMALL
    (tmp_path / "wrong-small.toml").write_text(SMALL.replace(old, new, 1))
    said = mistake(capsys, command, "wrong-small.toml")
    assert all(word in said for word in words)
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(capsys, tmp_path):
    # A file in the way: like a read-only folder, but so for the superuser too.
    (tmp_path / "blocked").write_text("")
    said = mistake(capsys, "study", "small.toml", "--out", "blocked")
    assert "cannot be written" in said
    assert "another folder" in said
    assert "cannot be written" in mistake(
        capsys, "reproduce", "wang2020/fig1", "--out", "blocked/deeper"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_one_sentence(capsys, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "Permission denied" in mistake(capsys, "study", "small.toml", "--out", "locked")


def test_a_full_disk_is_one_sentence_and_what_is_stored_stays(capsys, monkeypatch, done):
    (victim, *others) = sorted((done / "runs").iterdir())
    victim.unlink()

    monkeypatch.setattr(os, "fsync", full_disk)
    said = mistake(capsys, "study", "small.toml", "--out", done)
    assert "No space left on device" in said
    assert "what is stored stays" in said
    assert sorted((done / "runs").iterdir()) == others


def test_a_truncated_run_file_is_computed_again_and_named(capsys, done):
    victim = min((done / "runs").iterdir())
    victim.write_bytes(victim.read_bytes()[:1000])
    code, out, err = run(capsys, "figures", done)
    assert code == 0
    assert "small: missing runs: 1" in err
    code, out, _ = run(capsys, "study", "small.toml", "--out", done)
    assert code == 0
    assert "1 computed, 1 stored before" in out
    assert "damaged run files, computed again: 1" in out


def test_data_missing_on_every_worker_are_named_and_other_runs_are_computed(
    capsys, tmp_path, monkeypatch, rng
):
    table = np.column_stack([rng.standard_normal((12, 3)), rng.standard_normal(12)])
    np.savetxt("mine.csv", table, delimiter=",", header="a,b,c,y", comments="")
    sets = '[{ name = "sphere", rows = 24, dim = 4 }, { name = "mine.csv", label = "y" }]'
    text = SMALL.replace('[{ name = "sphere", rows = 24, dim = 4 }]', sets)
    (tmp_path / "two.toml").write_text(text.replace("[20, 30]", "[20]"))
    monkeypatch.setattr("inertial.commands.study.computing", _far_from("mine.csv"))
    code, out, _ = run(capsys, "study", "two.toml", "--json")
    document = json.loads(out)
    assert code == 1
    assert (document["computed"], len(document["failed"])) == (1, 1)
    assert all("mine.csv is not a file" in failed["reason"] for failed in document["failed"])


def _far_from(name):
    """Workers where a file is missing that is there for the process that asks."""
    from contextlib import contextmanager
    from pathlib import Path

    @contextmanager
    def computing(_options):
        def compute(*arguments):
            Path(name).rename("elsewhere")
            in_process(*arguments)

        yield {"engine": compute}

    return computing


def test_figures_of_a_study_are_drawn_without_computing(capsys, done):
    code, out, _ = run(capsys, "figures", done, "--json")
    (study,) = json.loads(out)["studies"]
    assert code == 0
    assert (study["study"], study["missing"]) == ("small", 0)
    names = {os.path.basename(path) for path in study["figures"]}  # noqa: PTH119
    assert names == {
        "convergence-paper-20.png",
        "convergence-paper-30.png",
        "distance-by-width-paper-nesterov.png",
        "patterns-by-width-paper-nesterov.png",
        "forecast-error-paper-nesterov.png",
    }
    folder = done / "figures" / "small"
    assert {path.suffix for path in folder.iterdir()} == {".png", ".svg", ".pdf"}
    assert len(list(folder.iterdir())) == 3 * len(names)


def stored_run(**facts):
    """A stored run whose loss is its width."""
    known = {"data": "digits", "data_sha256": "ab12cd", "n": 5, "d": 2, "rule": "paper", "seed": 0}
    known |= {"status": "finished", "diverged_at": -1, "eta": 0.1, "beta": 0.0, "gamma": 0.0}
    arrays = {name: ("step", np.full(3, float(facts["width"]))) for name in RECORDS}
    return xr.Dataset(arrays, coords={"step": range(3)}, attrs=known | facts)


def test_runs_join_in_their_order_and_gaps_stay_empty():
    runs = [stored_run(optimizer=m, width=w) for m in ("nesterov", "heavy_ball") for w in (30, 20)]
    joined = join_all(runs[:-1])
    assert joined.optimizer.values.tolist() == ["nesterov", "heavy_ball"]
    assert joined.width.values.tolist() == [30, 20]
    assert (
        joined.loss.sel({"optimizer": "nesterov", "width": 20}).values.ravel().tolist() == [20] * 3
    )
    assert np.isnan(joined.loss.sel({"optimizer": "heavy_ball", "width": 20})).all()
    assert (int(joined.n[0]), joined.attrs["rule"]) == (5, "paper")
    other = stored_run(optimizer="nesterov", width=30, data_sha256="ffff00", n=9)
    both = join_all([runs[0], other])
    assert both.data.values.tolist() == ["digits ab12", "digits ffff"]
    assert both.n.values.tolist() == [5, 9]


def test_every_rule_width_and_method_has_its_figures(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(drawing, "save", lambda key, *_: drawn.append(key))
    runs = [stored_run(optimizer=m, width=w) for m in ("nesterov", "heavy_ball") for w in (30, 20)]
    two = tuple(join_all(runs).assign_attrs(rule=rule) for rule in ("paper", "quadratic"))
    paths = drawing.draw(Stored("mine", two, 0), tmp_path)
    assert len(paths) == len(set(paths)) == len(drawn) == 2 * (2 * 3 + 2 * 3)
    assert drawn.count("convergence") == drawn.count("forecast_error") == 4


def test_figures_of_nothing_or_damage_is_one_sentence(capsys, tmp_path, done):
    assert "is not a folder" in mistake(capsys, "figures", "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no finished runs" in mistake(capsys, "figures", "empty")
    (done / "studies" / "small.json").write_text("{")
    assert "small.json is not the index of a study" in mistake(capsys, "figures", done)


def test_reproduce_lists_makes_and_redraws(capsys):
    code, out, _ = run(capsys, "reproduce", "--list", "--json")
    keys = {row["key"] for row in json.loads(out)}
    assert code == 0
    assert keys >= {"liu2022/fig2", "wang2020/fig1"}
    code, out, err = run(capsys, "reproduce", "wang2020/fig1", "--out", "made", "--json")
    document = json.loads(out)
    assert code == 0
    assert "nothing to train, predicted" in err
    assert document["page"] == "made/index.html"
    assert [claim["verdict"] for claim in document["items"][0]["claims"]] == ["holds"] * 4
    code, out, _ = run(capsys, "figures", "made", "--json")
    assert json.loads(out)["items"][0]["claims"] == document["items"][0]["claims"]


def test_a_figure_that_trains_says_what_it_will_take(capsys, monkeypatch):
    tiny = item.Scale("quick", 30, 40, (20, 40), (0,), 8, 30)
    monkeypatch.setitem(item.SCALES, "quick", tiny)
    monkeypatch.setattr(catalog, "found", lambda: (("digits",), ()))
    code, out, err = run(capsys, "reproduce", "liu2022/fig2", "--out", "made")
    assert code == 0
    assert "runs to compute: 3, predicted" in err
    assert "Nesterov ends below gradient descent" in out
    assert "page  made/index.html" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("liu2022/fig22",), "did you mean 'liu2022/fig2'"),
        (("wang2020/fig1", "--scale", "big"), "big"),
        (("wang2020/fig1", "--workers", "-1"), "workers"),
        (("wang2020/fig1", "--workers", "9" * 20), "or 0 for one per core"),
        (("wang2020/fig1", "--workers", "1", "--scheduler", "tcp://x"), "give one of them"),
        (("wang2020/fig1", "--scheduler", ""), "give an address"),
    ],
)
def test_a_mistake_in_reproduce_is_one_sentence(capsys, arguments, words):
    assert words in mistake(capsys, "reproduce", *arguments)
