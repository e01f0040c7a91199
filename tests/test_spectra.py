"""A large kernel is decomposed once a folder, and a damaged file is no answer."""

import numpy as np
import pytest

from helpers import DAMAGES, flip_in_directory
from inertial import InvalidInput, load
from inertial.runs import execution
from inertial.runs.config import DataSet, Study
from inertial.runs.cost import Prediction
from inertial.runs.execution import _prepared, kept_spectrum, tuned
from inertial.runs.study import Folder, run_study


@pytest.fixture(autouse=True)
def every_size_is_kept(monkeypatch):
    monkeypatch.setattr(execution, "_KEPT_ROWS", 20)
    _prepared.cache_clear()
    tuned.cache_clear()
    yield
    _prepared.cache_clear()
    tuned.cache_clear()


@pytest.fixture
def data():
    return load("sphere", n=30, dim=4)


def counted(monkeypatch):
    calls = []
    decompose = execution.spectrum_of
    monkeypatch.setattr(
        execution, "spectrum_of", lambda data: calls.append(data) or decompose(data)
    )
    return calls


def test_read_back_it_has_the_same_bits(data, tmp_path, monkeypatch):
    calls = counted(monkeypatch)
    first, second = (kept_spectrum(data, tmp_path / "spectra") for _ in range(2))
    assert len(calls) == 1
    for one, other in (
        (first[0].eigenvalues, second[0].eigenvalues),
        (first[0].basis, second[0].basis),
        (first[1].weights, second[1].weights),
    ):
        np.testing.assert_array_equal(one, other)
    kept_spectrum(load("sphere", n=30, dim=4, seed=1), tmp_path / "spectra")
    assert len(calls) == 2
    assert len(list((tmp_path / "spectra").iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_file_is_written_again(data, tmp_path, monkeypatch, damage):
    whole = kept_spectrum(data, tmp_path)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[content.index(whole[0].basis.tobytes(order="A")) + 5] ^= 1
        path.write_bytes(content)
    calls = counted(monkeypatch)
    np.testing.assert_array_equal(kept_spectrum(data, tmp_path)[1].weights, whole[1].weights)
    kept_spectrum(data, tmp_path)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "forged",
    [
        {"basis": np.eye(3)},
        {"basis": np.zeros(4)},
        {"eigenvalues": np.array(["x"] * 24)},
        {"weights": np.zeros(0)},
        {"more": np.zeros(3)},
    ],
    ids=str,
)
def test_other_arrays_are_no_spectrum(data, tmp_path, monkeypatch, forged):
    whole = kept_spectrum(data, tmp_path)
    (path,) = tmp_path.iterdir()
    with np.load(path) as stored:
        np.savez(path, **({**stored} | forged))
    calls = counted(monkeypatch)
    np.testing.assert_array_equal(kept_spectrum(data, tmp_path)[1].weights, whole[1].weights)
    assert len(calls) == 1


@pytest.mark.parametrize(("at", "bits"), DAMAGES)
def test_a_damaged_directory_is_no_answer(data, tmp_path, monkeypatch, at, bits):
    whole = kept_spectrum(data, tmp_path)
    (path,) = tmp_path.iterdir()
    flip_in_directory(path, at, bits)
    calls = counted(monkeypatch)
    np.testing.assert_array_equal(kept_spectrum(data, tmp_path)[1].weights, whole[1].weights)
    assert len(calls) == 1


def test_small_ones_and_those_without_a_folder_leave_no_file(data, tmp_path, monkeypatch):
    kept_spectrum(data, None)
    monkeypatch.setattr(execution, "_KEPT_ROWS", 31)
    kept_spectrum(data, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_a_warning(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="could not be kept"):
        kept_spectrum(data, tmp_path / "file")
    with pytest.raises(InvalidInput, match="smallest eigenvalue is zero"):
        kept_spectrum(load("sphere", n=30, dim=1), tmp_path)


def test_runs_after_an_interruption_use_the_study_s_spectrum(tmp_path, monkeypatch):
    def free(missing, **_):
        return Prediction(1.0, (1.0,) * len(missing), 1, 1, 1)

    sets = (DataSet("sphere", rows=30, dim=4),)
    study = Study("small", sets, ("nesterov",), widths=(20,), seeds=(0,), steps=5)
    calls = counted(monkeypatch)
    first = run_study(study, Folder(tmp_path), predictor=free)
    for cached in (_prepared, tuned):
        cached.cache_clear()  # as in another process
    first.folder.run_file(first.runs[0]).unlink()
    second = run_study(study, Folder(tmp_path), predictor=free)
    assert (second.computed, len(calls)) == (1, 1)
    assert len(list((tmp_path / "spectra").iterdir())) == 1
    assert execution._prepared.cache_info().misses == 1
