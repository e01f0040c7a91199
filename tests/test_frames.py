"""Runs and studies as frames: every number once, beside what tells it apart."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers import run
from inertial import InvalidInput, Settings, compare, load, read_run, read_study, to_dataframe
from inertial.runs.config import DataSet, Study
from inertial.runs.cost import Prediction
from inertial.runs.frames import write_csv
from inertial.runs.spec import runs
from inertial.runs.study import Folder, run_study

SMALL = Study(
    "small",
    (DataSet("sphere", rows=16, dim=3), DataSet("sphere", rows=12, dim=3)),
    methods=("heavy_ball", "gradient_descent"),
    rules=("wang2020", "forecast"),
    widths=(20, 30),
    seeds=(4, 1),
    steps=5,
    target=0.3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("study")
    run_study(
        SMALL,
        Folder(path),
        predictor=lambda missing, **_: Prediction(1.0, (1.0,) * len(missing), 1, 1, 1),
    )
    return path


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    settings = Settings(
        width=20, seeds=(0, 7), steps=6, record_residuals=True, rule="quadratic",
        flows=("gradient_flow", "nesterov_flow"),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("run") / "run"
    compare(load("sphere", n=10, dim=3), settings, out=folder)
    return read_run(folder)[0]


def test_a_study_is_one_set_of_arrays_over_everything_that_varies(folder):
    found = read_study(folder)
    assert dict(found.sizes) == {
        "data": 2, "rule": 2, "optimizer": 2, "width": 2, "seed": 2, "step": 6,
    }  # fmt: skip
    assert list(found.rule.to_numpy()) == ["wang2020", "forecast"]
    assert found.loss.dims == ("data", "rule", "optimizer", "width", "seed", "step")
    assert found.eta.dims == ("data", "rule", "optimizer")
    assert found.attrs == {"study": "small", "target": 0.3}
    assert found.n.to_numpy().tolist() == [16, 12]
    assert (found.status == "finished").all()
    for name in (folder / "studies" / "small.json", str(folder)):
        xr.testing.assert_identical(read_study(name), found)


def test_each_number_of_a_study_is_the_stored_runs_own(folder):
    found, index = read_study(folder), Folder(folder)
    for one in runs(SMALL):
        stored = index.read(one).arrays
        (name,) = found.data[found.n == stored.attrs["n"]].to_numpy()
        place = found.sel(
            data=name, rule=one.spec.rule, optimizer=one.spec.method, width=one.spec.width,
            seed=one.spec.seed,
        )  # fmt: skip
        np.testing.assert_array_equal(place.loss, stored.loss)
        assert float(place.eta) == stored.attrs["eta"]
        assert place.status == "finished"


def test_a_study_in_a_frame_has_one_row_a_run_and_step(folder):
    found = read_study(folder)
    frame = to_dataframe(found)
    assert len(frame) == found.loss.size == 2**5 * 6
    assert list(frame.columns[:6]) == ["data", "rule", "optimizer", "width", "seed", "step"]
    assert len(found.to_dataframe()) == len(frame)  # xarray's own crosses nothing either
    keys = ["data", "rule", "optimizer", "width", "seed", "step"]
    assert not frame.duplicated(keys).any()
    back = frame.set_index(keys).loss
    for place, value in back.sample(20, random_state=0).items():
        assert float(found.loss.sel(dict(zip(keys, place, strict=True)))) == value


def test_missing_runs_are_gaps_in_arrays_and_no_rows(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    next((copy / "runs").glob("*.nc")).unlink()
    found = read_study(copy)
    assert int((found.status == "missing").sum()) == 1
    assert found.loss.count() == found.loss.size - 6
    assert len(to_dataframe(found)) == found.loss.size - 6
    for path in (copy / "runs").glob("*.nc"):
        path.unlink()
    with pytest.raises(InvalidInput, match=r"no run of the study .* can be read; compute it"):
        read_study(copy)


def test_a_study_that_was_stopped_has_all_its_axes(folder, tmp_path):
    """What was not computed is missing, not absent: data sets, rules, widths and seeds."""
    copy, whole = tmp_path / "copy", read_study(folder)
    shutil.copytree(folder, copy)
    kept = Folder(folder).read(runs(SMALL)[0])
    for one in runs(SMALL)[1:]:
        Folder(copy).run_file(one).unlink()
    found = read_study(copy)
    assert found.sizes == whole.sizes
    for axis in ("rule", "optimizer", "width", "seed"):
        assert (found[axis] == whole[axis]).all()
    assert int((found.status == "finished").sum()) == 1
    assert int((found.status == "missing").sum()) == found.status.size - 1
    assert sorted(found.n.values) == [0, kept.arrays.attrs["n"]]
    assert len(to_dataframe(found)) == 6


def test_what_is_no_study_is_refused(tmp_path, folder):
    table = tmp_path / "own.csv"
    table.write_text("a,t\n1,2\n")
    for given, why in (
        (table, "it is not its index, studies/NAME.json"),
        (tmp_path / "nowhere", "there is no such folder"),
    ):
        words = f"{given} is not a study: {why}; give the folder that inertial study wrote."
        with pytest.raises(InvalidInput, match=f"^{re.escape(words)}$"):
            read_study(given)
    with pytest.raises(InvalidInput, match=r"own.csv is a file; give the folder of a run, which"):
        read_run(table)
    with pytest.raises(InvalidInput, match=r"is not a study: it holds no studies/NAME.json"):
        read_study(tmp_path)
    shutil.copytree(folder, tmp_path / "two")
    index = tmp_path / "two" / "studies" / "small.json"
    shutil.copy(index, index.with_name("other.json"))
    with pytest.raises(InvalidInput, match="holds 2 studies; give one of them"):
        read_study(tmp_path / "two")


def test_a_run_in_a_frame_is_crossed_with_nothing(arrays):
    """Steps are not multiplied with samples, modes, flows or shares, as xarray's own frame is."""
    several = arrays.sizes["optimizer"] * arrays.sizes["seed"]
    assert len(to_dataframe(arrays)) == several * 7
    assert len(to_dataframe(arrays, "sample")) == several * 7 * 10
    assert len(to_dataframe(arrays, "share")) == arrays.forecast_steps.count()
    assert len(to_dataframe(arrays, "mode")) == 10
    assert len(to_dataframe(arrays, "flow")) == 2 * 2 * 7
    assert arrays.to_dataframe().shape[0] > 100 * len(to_dataframe(arrays))
    frame = to_dataframe(arrays)
    assert frame.groupby(["optimizer", "seed"]).loss.first().to_dict() == {
        (str(method), int(seed)): float(arrays.loss.sel(optimizer=method, seed=seed)[0])
        for method in arrays.optimizer.to_numpy()
        for seed in arrays.seed.to_numpy()
    }
    assert {"eta", "beta", "gamma", "status", "max_distance", "data", "width"} <= set(frame)
    assert not {"residual", "flow_loss", "eigenvalue", "share"} & set(frame)


def test_a_dimension_without_records_is_named(arrays):
    with pytest.raises(InvalidInput, match="did you mean 'step'"):
        to_dataframe(arrays, "steps")
    with pytest.raises(InvalidInput, match="choose one of step, sample, share, mode"):
        to_dataframe(arrays.drop_vars(["flow_loss", "flow_method"]), "flow")


def test_a_run_as_it_is_read_is_told_apart_from_its_arrays(arrays):
    read = (arrays, {})
    with pytest.raises(InvalidInput, match=r"give read_run\(folder\)\[0\]"):
        to_dataframe(read)
    assert len(to_dataframe(read[0])) > 0


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"])
def test_no_text_in_a_table_is_a_formula(text, tmp_path):
    frame = pd.DataFrame({"data": [text, "plain, quoted", None], "loss": [-1.0, 2.0, np.nan]})
    write_csv(frame.assign(**{text: 0}), tmp_path / "out.csv")
    back = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    expected = r"\r=1" if text == "\r=1" else f"'{text}"  # a bare return would begin a row
    assert back.data.tolist() == [expected, "plain, quoted", ""]
    assert list(back) == ["data", "loss", expected]
    assert back.loss.tolist() == ["-1.0", "2.0", ""]  # numbers below 0 stay numbers


def test_what_a_stranger_adds_makes_no_table_explode(arrays):
    """Variables with dimensions of their own would be crossed with every row of the others."""
    steps = arrays.sizes["step"]
    more = {
        "=a": (("step", "here"), np.ones((steps, 3))),
        "b": (("step", "there"), np.ones((steps, 3))),
        "c": ("step", np.arange(1.0 * steps)),
    }
    frame = to_dataframe(arrays.assign(more))
    assert frame.c.tolist() == frame.step.tolist()
    pd.testing.assert_frame_equal(frame.drop(columns="c"), to_dataframe(arrays))


def test_commands_write_the_same_numbers(capsys, folder, arrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, error = run(capsys, "report", folder, "--no-audit", "--csv", "study.csv")
    assert code == 0, error
    expected = to_dataframe(read_study(folder))
    back = pd.read_csv("study.csv")
    pd.testing.assert_frame_equal(back, expected, check_dtype=False)
    code, out, error = run(
        capsys, "report", folder, "--no-audit", "-o", "other.html", "--csv", "no/where.csv"
    )
    assert (code, out) == (2, "")
    assert "give another file with --csv" in error
    assert not (tmp_path / "other.html").exists()
    assert len(to_dataframe(arrays)) > 0


def test_the_study_command_writes_its_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(
        'name = "tiny"\nmethods = ["nesterov"]\nrules = ["paper"]\nwidths = [20]\nseeds = [0]\n'
        'steps = 3\n[[data]]\nname = "sphere"\nrows = 10\ndim = 3\n'
    )
    code, _, error = run(capsys, "study", "tiny.toml", "--out", "tiny", "--csv", "tiny.csv")
    assert code == 0, error
    back = pd.read_csv("tiny.csv")
    assert back.step.tolist() == [0, 1, 2, 3]
    assert back.optimizer.unique().tolist() == ["nesterov"]


@pytest.mark.parametrize(
    "model", [(), ("--model", "mlp:8", "--rule", "forecast")], ids=["", "model"]
)
def test_compare_writes_its_runs(capsys, tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    command = ("compare", "sphere", "--n", 10, "--steps", 3, "--seeds", 2, *model)
    code, out, error = run(capsys, *command, "--out", "made", "--csv", "made.csv")
    assert code == 0, error
    assert "numbers made.csv" in out
    expected = to_dataframe(read_run(tmp_path / "made")[0])
    back = pd.read_csv("made.csv")
    pd.testing.assert_frame_equal(back, expected, check_dtype=False)
    assert len(back) == 3 * 2 * 4
    code, out, error = run(capsys, *command, "--out", "other", "--csv", "no/where.csv")
    assert (code, out) == (2, "")
    assert "give another file with --csv" in error
    assert not (tmp_path / "other").exists()
