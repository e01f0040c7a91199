import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from image_files import cifar_archive, cifar_batches, write_cifar, write_idx
from inertial._checks import InvalidInput
from inertial.data import antiparallel_rows, load, locate, lookup, parallel_rows
from inertial.data.images import CIFAR_BATCHES

REAL = os.environ.get(lookup.ENVIRONMENT)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_data = pytest.mark.skipif(REAL is None, reason="INERTIAL_DATA names no folder of real data")
needs_debian = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """Hide the data of this machine; return an empty data folder."""
    monkeypatch.delenv(lookup.ENVIRONMENT, raising=False)
    monkeypatch.setattr(lookup, "SYSTEM", tmp_path / "system")
    monkeypatch.setattr(lookup, "_cache", lambda: tmp_path / "cache")
    return tmp_path


def assert_well_formed(data):
    record = data.provenance
    assert (record.n, record.d) == data.x.shape == (len(data.y), data.x.shape[1])
    for array in (data.x, data.y):
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        assert array.flags.owndata
        assert not array.flags.writeable
    if record.normalize:
        # Three roundings: of the sum of squares, its root and the quotient.
        np.testing.assert_allclose(np.linalg.norm(data.x, axis=1), 1, rtol=0, atol=2e-15)
    if record.task == "classification":
        assert len(np.unique(data.y)) == 2
    # JSON has lists for tuples, and everything else as it is.
    written = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(record).items()}
    assert json.loads(json.dumps(asdict(record))) == written
    assert len(data.columns) == record.d


def test_digits_are_zeros_against_ones():
    data = load("digits")
    assert_well_formed(data)
    assert data.x.shape == (360, 64)
    assert [(data.y == 1).sum(), (data.y == -1).sum()] == [178, 182]
    assert list(data.y[:4]) == [1, -1, 1, -1]
    assert data.provenance.source.startswith("embedded in scikit-learn ")
    assert data.provenance.seed is None


def test_diabetes_keeps_its_targets():
    data = load("diabetes", n=5)
    assert_well_formed(data)
    assert data.x.shape == (5, 10)
    assert list(data.y) == [151, 75, 141, 206, 135]
    assert (data.provenance.task, data.provenance.rows) == ("regression", 442)


def test_sphere_is_seeded_and_of_any_size():
    data = load("sphere")
    assert_well_formed(data)
    assert data.x.shape == (200, 20)
    other = load("sphere", n=300, dim=3, seed=7)
    assert_well_formed(other)
    assert other.x.shape == (300, 3)
    assert other.provenance.seed == 7
    assert set(other.y) == {1, -1}
    assert load("sphere", n=300, dim=3, seed=7).provenance == other.provenance
    assert load("sphere", n=300, dim=3, seed=8).provenance.sha256 != other.provenance.sha256


def test_sphere_is_uniform():
    # Coordinates have mean 0 and variance 1/3; bounds are five standard errors of 30,000 points.
    x = load("sphere", n=30_000, dim=3, normalize=False).x
    assert np.abs(x.mean(axis=0)).max() < 5 / np.sqrt(3 * 30_000)
    # Archimedes: each coordinate is uniform on [-1, 1], so its square has variance 4/45.
    assert np.abs((x**2).mean(axis=0) - 1 / 3).max() < 5 * np.sqrt(4 / 45 / 30_000)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_images_of_the_first_two_classes(alone, name, packed):
    pixels = write_idx(alone / name, [5, 1, 0, 0, 7, 1], packed=packed)
    data = load(name, data_dir=alone)
    assert_well_formed(data)
    np.testing.assert_array_equal(data.y, [-1, 1, 1, -1])
    expected = pixels[[1, 2, 3, 5]].reshape(4, 9) / 255
    np.testing.assert_allclose(
        data.x, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-15
    )
    assert str(alone / name) in data.provenance.source
    assert data.provenance.rows == 4
    np.testing.assert_array_equal(load(name, data_dir=alone, normalize=False).x, expected)


def test_cifar_from_batches_and_from_the_archive_is_the_same(alone):
    write_cifar(alone / "one/cifar-10-batches-bin", [0, 3, 1])
    (alone / "two").mkdir()
    batches, _ = cifar_batches([0, 3, 1])
    archive = cifar_archive(list(zip(CIFAR_BATCHES, batches, strict=True)))
    (alone / "two/cifar-10-binary.tar.gz").write_bytes(archive)
    one, two = (load("cifar10", data_dir=alone / folder) for folder in ("one", "two"))
    assert_well_formed(one)
    assert one.x.shape == (10, 3072)
    assert one.provenance.sha256 == two.provenance.sha256
    assert one.provenance.source != two.provenance.source


def test_tables_of_the_papers(alone):
    (alone / "uci/energy").mkdir(parents=True)
    (alone / "uci/energy/data.txt").write_text("3 4 10\n5 -12 20\n\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="has 2 of the 768 rows"):
        data = load("energy", data_dir=alone)
    assert_well_formed(data)
    np.testing.assert_allclose(data.x, [[0.6, 0.8], [5 / 13, -12 / 13]], rtol=1e-15)
    np.testing.assert_array_equal(data.y, [10, 20])
    # Two values, but the set is a regression.
    assert data.provenance.task == "regression"


@pytest.mark.parametrize(
    ("name", "folder", "rows"),
    [("energy", "energy", 768), ("housing", "bostonHousing", 506), ("yacht", "yacht", 308)],
)
def test_a_table_that_was_cut_off_at_a_line_is_warned_of(alone, name, folder, rows):
    """The row counts are those of the publications; a whole table gives no warning."""
    path = alone / f"uci/{folder}/data.txt"
    path.parent.mkdir(parents=True)
    lines = [f"{k + 1} 1 {k}" for k in range(rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert load(name, data_dir=alone).provenance.rows == rows  # a warning would be an error
    path.write_text("\n".join(lines[:-1]), encoding="utf-8")
    sentence = f"{path} has {rows - 1} of the {rows} rows of {name}; replace it if that is not"
    with pytest.warns(UserWarning, match=re.escape(sentence)):
        cut = load(name, n=10, data_dir=alone)
    assert cut.provenance.rows == rows - 1


def test_own_files_of_three_kinds_agree(tmp_path):
    x, y = np.array([[3.0, 4], [6, 8], [0, 2]]), np.array([0.5, 2.5, 1.5])
    csv, npz, parquet = (tmp_path / f"own{suffix}" for suffix in (".csv", ".npz", ".parquet"))
    csv.write_text("a,b,t\n3,4,.5\n6,8,2.5\n0,2,1.5\n", encoding="utf-8")
    np.savez(npz, x=x, y=y)
    pq.write_table(pa.table({"a": x[:, 0], "b": x[:, 1], "t": y}), parquet)
    loaded = [load(csv, label="t", raw=True), load(str(npz)), load(parquet, label="t", raw=True)]
    for data in loaded:
        assert_well_formed(data)
        np.testing.assert_allclose(data.x, [[0.6, 0.8], [0.6, 0.8], [0, 1]], rtol=1e-15)
        np.testing.assert_array_equal(data.y, y)
    assert len({data.provenance.sha256 for data in loaded}) == 1
    assert loaded[0].provenance.source == str(csv)
    assert (loaded[0].provenance.name, loaded[0].provenance.label) == ("own.csv", "t")


def test_own_classes_stay_as_they_are_and_the_task_can_be_given(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x=np.eye(3), y=[0, 1, 0])
    data = load(path)
    assert data.provenance.task == "classification"
    np.testing.assert_array_equal(data.y, [0, 1, 0])
    assert load(path, task="regression").provenance.task == "regression"
    # Two rows of a regression have two values too: the task is that of all rows.
    np.savez(path, x=np.eye(3), y=[0, 1, 2])
    assert load(path, n=2).provenance.task == "regression"


def test_columns_that_do_not_vary_are_left_out_of_standardised_sets():
    data = load("digits", standardize=True)
    assert_well_formed(data)
    assert data.x.shape == (360, 64 - 12)
    assert any("do not vary over the rows taken: 1, " in note for note in data.provenance.notes)


def test_dedupe_is_counted(tmp_path):
    np.savez(tmp_path / "own.npz", x=[[1, 2], [3, 6], [2, 1], [-1, -2]], y=[1, 2, 3, 4])
    data = load(tmp_path / "own.npz", n=3, dedupe=True)
    assert_well_formed(data)
    record = data.provenance
    assert (record.rows, record.n, record.dropped, record.dedupe) == (4, 2, 1, True)
    np.testing.assert_array_equal(data.y, [1, 3])
    kept = load(tmp_path / "own.npz")
    assert parallel_rows(kept.x) == [(0, 1)]
    assert antiparallel_rows(kept.x) == [(0, 3)]


def test_digest_is_of_the_shapes_and_the_little_endian_bytes(tmp_path):
    x, y = np.array([[3.0, 4], [6, 9]]), np.array([0.5, 2.5])
    np.savez(tmp_path / "own.npz", x=x, y=y)
    data = load(tmp_path / "own.npz", normalize=False)
    header = b"<f8 (2, 2) (2,)\n"
    content = header + x.astype("<f8").tobytes() + y.astype("<f8").tobytes()
    assert data.provenance.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"x": np.array([[3, 4], [6, np.nextafter(9, 10)]])},
        {"y": np.array([0.5, np.nextafter(2.5, 3)])},
        {"x": np.array([[3, 4, 0], [6, 9, 0]])},
        {"x": np.array([[6.0, 9], [3, 4]]), "y": np.array([2.5, 0.5])},
    ],
)
def test_digest_notices_every_change(tmp_path, change):
    arrays = {"x": np.array([[3.0, 4], [6, 9]]), "y": np.array([0.5, 2.5])}
    np.savez(tmp_path / "one.npz", **arrays)
    np.savez(tmp_path / "two.npz", **arrays | change)
    one, two = (load(tmp_path / f"{name}.npz", normalize=False) for name in ("one", "two"))
    assert one.provenance.sha256 != two.provenance.sha256


def test_digest_is_the_same_in_every_process():
    code = (
        "from inertial.data import load;"
        "print(load('sphere', n=50, dim=5, seed=3).provenance.sha256)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == load("sphere", n=50, dim=5, seed=3).provenance.sha256


def test_importing_loads_none_of_the_heavy_packages():
    code = "import sys, inertial.data;print({'sklearn', 'pooch', 'pyarrow'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "digit"}, "data is 'digit'; did you mean 'digits'"),
        ({"data": "digits", "n": 1}, "n is 1; give a whole number of at least 2"),
        (
            {"data": "digits", "n": 361},
            "n is 361, but digits has 360 rows; give an n of at most 360",
        ),
        ({"data": "digits", "label": "a"}, "label is 'a', but the targets of digits are fixed"),
        ({"data": "digits", "task": "regression"}, "task is 'regression', but digits is a class"),
        (
            {"data": "digits", "keep": ("1",)},
            r"--keep, --drop and --header \(keep=, drop=, header=\) are for tables, and digits",
        ),
        ({"data": "digits", "y": [1, 2]}, "y is given beside a name; leave y out"),
        ({"data": "sphere", "dim": 0}, "dim is 0; give"),
        ({"data": "sphere", "seed": -1}, "seed is -1; give"),
        ({"data": "sphere", "n": 2, "seed": 0}, "all 2 rows of sphere .* take .* another seed"),
        ({"data": "nowhere.csv", "label": "a"}, "nowhere.csv is not a file; give"),
    ],
)
def test_refusals_say_what_and_where_and_what_to_do(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        load(**arguments)


def test_an_archive_has_no_label(tmp_path):
    np.savez(tmp_path / "own.npz", x=np.eye(2), y=[1, 2])
    with pytest.raises(
        InvalidInput, match=r"label is 'a', but .*own.npz names its targets y; leave"
    ):
        load(tmp_path / "own.npz", label="a")


def test_images_of_one_class_are_refused(alone):
    write_idx(alone / "mnist", [1, 1, 5])
    with pytest.raises(InvalidInput, match=r"all 2 rows of mnist belong to one class; take"):
        load("mnist", data_dir=alone)


def test_an_empty_image_is_named(alone):
    write_idx(alone / "mnist", [0, 1, 1])
    path = alone / "mnist/train-images-idx3-ubyte"
    content = path.read_bytes()
    path.write_bytes(content[:25] + bytes(9) + content[34:])
    with pytest.raises(InvalidInput, match=r"mnist has inputs that are zero .*row 2 of"):
        load("mnist", data_dir=alone)


@needs_data
@pytest.mark.parametrize(
    ("name", "shape", "first"),
    [("energy", (768, 8), 15.55), ("housing", (506, 13), 24.0), ("yacht", (308, 6), 0.11)],
)
def test_real_tables(name, shape, first):
    if locate(name, REAL) is None:
        pytest.skip(f"{name} is not in INERTIAL_DATA")
    data = load(name, data_dir=REAL)
    assert_well_formed(data)
    assert data.x.shape == shape
    assert data.y[0] == first
    assert data.provenance.task == "regression"
    assert parallel_rows(data.x) == []


@needs_data
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_real_images(name):
    if locate(name, REAL) is None:
        pytest.skip(f"{name} is not in INERTIAL_DATA")
    data = load(name, n=500, data_dir=REAL)
    assert_well_formed(data)
    assert data.x.shape == (500, {"mnist": 784, "cifar10": 3072}[name])
    # Both sets are about half and half; four standard deviations of a fair coin are 45.
    assert abs((data.y == 1).sum() - 250) < 45
    assert ("test files" in data.provenance.source) == ("t10k" in data.provenance.source)


@needs_debian
def test_fashion_mnist_of_the_system(monkeypatch):
    monkeypatch.delenv(lookup.ENVIRONMENT, raising=False)
    data = load("fashion-mnist")
    assert_well_formed(data)
    assert data.x.shape == (10_000, 784)
    assert data.provenance.rows == 12_000
    assert [(data.y == 1).sum(), (data.y == -1).sum()] == [4982, 5018]
    # The labels begin 9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9, 5, 5, 7, 9, 1.
    assert list(data.y[:5]) == [1, 1, 1, 1, -1]
    assert data.provenance.source.startswith(str(DEBIAN))
    assert parallel_rows(data.x) == []


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [({}, 10_000), ({"n": 10_001}, 10_001), ({"most": 7}, 7), ({"n": 9, "most": 7}, 9)],
)
def test_ten_thousand_rows_are_taken_unless_told_otherwise(tmp_path, arguments, taken):
    path = tmp_path / "own.npz"
    x = np.random.default_rng(0).standard_normal((10_002, 2))
    np.savez(path, x=x, y=x[:, 0])
    data = load(path, **arguments)
    assert (data.provenance.n, data.provenance.rows) == (taken, 10_002)


def test_digits_are_the_zeros_and_ones_of_scikit_learn():
    from sklearn.datasets import load_digits

    pixels, digit = load_digits(n_class=2, return_X_y=True)
    loaded = load("digits", normalize=False)
    np.testing.assert_array_equal(loaded.x, pixels / 16)
    np.testing.assert_array_equal(loaded.y, np.where(digit == 0, 1, -1))


def test_rows_of_two_indexes_are_not_paired_by_guess():
    frame = pd.DataFrame(np.random.default_rng(0).standard_normal((30, 3)), columns=list("abc"))
    targets = frame.a + frame.b
    mixed = targets.sample(frac=1, random_state=0)
    with pytest.raises(InvalidInput, match=r"different indexes; give y.loc\[x.index\]"):
        load(frame, mixed)
    np.testing.assert_array_equal(load(frame, mixed.loc[frame.index]).y, load(frame, targets).y)
    assert len(load(frame, mixed.to_numpy()).y) == 30
    assert len(load(frame.to_numpy(), mixed).y) == 30  # an array has no labels


@pytest.mark.parametrize(
    ("kind", "remedy"), [("complex128", "x.real or abs"), ("datetime64[s]", "days since the first")]
)
def test_an_array_of_no_real_numbers_is_told_what_to_give(kind, remedy):
    x = np.arange(60).reshape(20, 3).astype(kind)
    with pytest.raises(InvalidInput, match=remedy):
        load(x, np.arange(20.0))
