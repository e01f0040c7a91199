"""Test rows: set apart before anything is fitted, matched by name, every class on both sides."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from helpers import run
from inertial import InvalidInput, load
from inertial.data import reload


@pytest.fixture
def frame():
    """A table with a missing cell, a text, and a target of two texts."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "length": [*rng.normal(50, 9, 39).round(3), np.nan],
            "colour": rng.choice(["red", "green", "blue"], 40),
            "kind": ["a"] * 10 + ["b"] * 30,
        }
    )


def written(tmp_path, frame, name="t.csv"):
    path = tmp_path / name
    frame.to_csv(path, index=False)
    return str(path)


def test_a_share_takes_every_class_alike_by_the_seed(tmp_path, frame):
    path = written(tmp_path, frame)
    data = load(path, label="kind", test=0.2, dedupe=False)
    assert (len(data.y), len(data.test.y)) == (32, 8)
    assert sorted(np.bincount(data.test.labels)) == [2, 6]
    again = load(path, label="kind", test=0.2, dedupe=False)
    np.testing.assert_array_equal(again.test.x, data.test.x)
    other = load(path, label="kind", test=0.2, dedupe=False, seed=1)
    assert not np.array_equal(other.test.x, data.test.x)


def test_scaling_is_fitted_on_the_training_rows():
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 2, (30, 4)), rng.normal(-7, 5, 30)
    data = load(x, y, test=0.3, standardize=True, normalize=False)
    train = (data.x.mean(axis=0), data.x.std(axis=0), data.y.mean(), data.y.std())
    for found, expected in zip(train, (0, 1, 0, 1), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    # Undone with the training rows' mean and spread, the test rows are rows of x.
    places = _places(data, x)
    chosen = np.setdiff1d(np.arange(30), places)
    mean, spread = x[chosen].mean(axis=0), x[chosen].std(axis=0)
    np.testing.assert_allclose(data.test.x, (x[places] - mean) / spread, atol=1e-12)
    spread = y[chosen].std()
    np.testing.assert_allclose(data.test.y, (y[places] - y[chosen].mean()) / spread, atol=1e-12)


def _places(data, x):
    """Places of the test rows in x: the plain split with the same seed."""
    return [int(row[0]) for row in _plain(x, len(data.test.y))]


def _plain(x, count):
    numbered = np.column_stack([np.arange(len(x)), x])
    taken = load(numbered, np.arange(len(x), dtype=float), test=count / len(x), normalize=False)
    return taken.test.x


def test_a_file_has_its_columns_matched_by_name_and_read_as_the_training_rows(tmp_path, frame):
    train, test = frame.iloc[:36], frame.iloc[[0, 20, 39]].copy()
    test.loc[0, "colour"] = "purple"  # no training row has it
    paths = written(tmp_path, train), written(tmp_path, test[["kind", "colour", "length"]], "u.csv")
    data = load(paths[0], label="kind", test=paths[1], normalize=False, dedupe=False)
    whole = load(paths[0], label="kind", normalize=False, dedupe=False)
    np.testing.assert_array_equal(data.x, whole.x)  # the test rows change nothing
    assert data.test.y.tolist() == [-1.0, 1.0, 1.0]
    texts = [name.startswith("colour") for name in data.columns]
    encoded = data.test.x[:, texts] > data.x[:, texts].min(axis=0) + 1e-9
    assert encoded.sum(axis=1).tolist() == [0, 1, 1]
    place = data.columns.index("length")
    column = train["length"]
    filled = (column.median() - column.mean()) / column.std(ddof=0)
    assert data.test.x[2, place] == pytest.approx(filled, abs=1e-9)


def test_test_rows_that_are_training_rows_are_noted(tmp_path, frame):
    path = written(tmp_path, frame.iloc[:36])
    twice = written(tmp_path, frame.iloc[:2], "u.csv")
    data = load(path, label="kind", test=twice)
    assert any("2 of 2 test rows repeat the inputs" in note for note in data.provenance.notes)


def test_what_was_split_can_be_loaded_again_from_its_record(tmp_path, frame):
    path = written(tmp_path, frame)
    for test in (0.25, written(tmp_path, frame.iloc[[1, 30]], "u.csv")):
        data = load(path, label="kind", test=test)
        record = json.loads(json.dumps(dataclasses.asdict(data.provenance)))
        again = reload(record)
        np.testing.assert_array_equal(again.x, data.x)
        np.testing.assert_array_equal(again.test.x, data.test.x)
        with pytest.raises(InvalidInput, match="is not what it was"):
            reload(record | {"test_sha256": "0" * 64})
    named = load("digits", n=50, test=0.2)
    assert (len(named.y), len(named.test.y)) == (40, 10)
    assert reload(dataclasses.asdict(named.provenance)).provenance == named.provenance
    arrays = load(np.eye(6), np.arange(6.0), test=(np.ones((1, 6)), np.ones(1)))
    with pytest.raises(InvalidInput, match="were passed in as arrays"):
        reload(dataclasses.asdict(named.provenance) | {"test": arrays.provenance.test})


@pytest.mark.parametrize("test", [0, 1, -0.2, 1.5, "1.5", "0"])
def test_a_fraction_outside_of_0_and_1_is_refused(test):
    with pytest.raises(InvalidInput, match=r"test is .*; give a number between 0 and 1"):
        load("digits", n=40, test=test)


@pytest.mark.parametrize("test", [0.01, 0.97])
def test_a_fraction_that_leaves_no_rows_of_a_class_is_refused(tmp_path, frame, test):
    path = written(tmp_path, frame)
    with pytest.raises(InvalidInput, match=r"leaves no rows of class|which leaves"):
        load(path, label="kind", test=test)
    rare = pd.concat([frame, frame.iloc[:1].assign(kind="rare")])
    with pytest.raises(InvalidInput, match="no rows of class 'rare'"):
        load(written(tmp_path, rare, "r.csv"), label="kind", test=0.3)


def test_test_rows_of_other_columns_or_classes_are_refused(tmp_path, frame):
    path = written(tmp_path, frame)
    for other, message in (
        (frame.rename(columns={"length": "width"}), "lacks columns of the training rows: length"),
        (frame.assign(kind="c"), "have the class 'c', which no training row has"),
        (frame.assign(kind=np.arange(40)), "holds numbers and that of the training rows texts"),
        (frame.assign(length="long"), "'length' holds numbers in the training rows and none"),
    ):
        with pytest.raises(InvalidInput, match=message):
            load(path, label="kind", test=written(tmp_path, other, "u.csv"))
    with pytest.raises(InvalidInput, match="is not a file"):
        load(path, label="kind", test=str(tmp_path / "none.csv"))
    with pytest.raises(InvalidInput, match="digits is a named set; give a share"):
        load("digits", test=path)
    with pytest.raises(InvalidInput, match="the test rows have 3 columns and the training rows 2"):
        load(np.eye(4)[:, :2] + 1, np.arange(4.0), test=(np.ones((2, 3)), np.ones(2)))


def test_frames_and_arrays_have_test_rows_of_their_own(frame):
    data = load(frame.iloc[:36], label="kind", test=frame.iloc[36:])
    assert len(data.test.y) == 4
    split = load(frame[["length"]].iloc[:36], frame["kind"].iloc[:36].rename("k"),
                 test=(frame[["length"]].iloc[36:], frame["kind"].iloc[36:]))  # fmt: skip
    assert split.test.y.tolist() == data.test.y.tolist()
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((9, 3)), rng.standard_normal((4, 3))
    arrays = load(x, np.arange(9.0), test=(z, np.arange(4.0)), normalize=False)
    np.testing.assert_array_equal(arrays.test.x, z)


def test_the_command_refuses_a_test_file_of_other_columns(tmp_path, frame, capsys):
    paths = written(tmp_path, frame), written(tmp_path, frame[["colour", "kind"]], "u.csv")
    code, out, err = run(capsys, "tune", paths[0], "--label", "kind", "--test", paths[1])
    assert (code, out) == (2, "")
    assert "lacks columns of the training rows: length" in err
