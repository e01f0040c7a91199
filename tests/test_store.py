"""Folders that exist whole or not at all, and damaged ones that are named."""

import json
import subprocess

import numpy as np
import pytest
import xarray as xr

from inertial import InvalidInput, read_run
from inertial.runs import store


@pytest.fixture
def run(tmp_path):
    arrays = xr.Dataset({"loss": ("step", np.array([2.0, np.nan])), "word": ("method", ["a"])})
    with store.new_folder(tmp_path / "run") as folder:
        store.write_run(folder, arrays, {"b": 1, "a": [None, "x"]})
    return tmp_path / "run", arrays


def test_what_is_written_is_read_back(run):
    path, arrays = run
    again, manifest = read_run(path)
    xr.testing.assert_equal(again, arrays)
    assert {key: manifest[key] for key in ("a", "b")} == {"b": 1, "a": [None, "x"]}


def test_arrays_that_were_edited_are_named(run):
    path, arrays = run
    other = arrays.assign(loss=arrays.loss * 0.5)
    other.to_netcdf(path / store.ARRAYS, engine="h5netcdf")
    with pytest.raises(InvalidInput, match="is not the file that its manifest was written for"):
        read_run(path)


def test_a_failure_leaves_nothing(tmp_path):
    def fail():
        with store.new_folder(tmp_path / "deep" / "run") as folder:
            (folder / "half").write_text("written")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not (tmp_path / "deep" / "run").exists()
    assert list((tmp_path / "deep").iterdir()) == []


def test_the_folder_appears_only_when_it_is_complete(tmp_path):
    with store.new_folder(tmp_path / "run") as folder:
        assert not (tmp_path / "run").exists()
        assert folder.parent == tmp_path
    assert (tmp_path / "run").is_dir()


def test_folders_that_cannot_be_made_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"file/run cannot be created .*--out"):
        store.new_folder(tmp_path / "file" / "run").__enter__()
    (tmp_path / "there").mkdir()
    with pytest.raises(InvalidInput, match="exists already"):
        store.new_folder(tmp_path / "there").__enter__()


@pytest.mark.parametrize("name", [store.ARRAYS, store.MANIFEST])
def test_a_missing_file_is_named(run, name):
    path, _ = run
    (path / name).unlink()
    with pytest.raises(InvalidInput, match=f"is not a run: it holds no {name}"):
        read_run(path)


def test_a_truncated_file_is_named(run):
    path, _ = run
    whole = (path / store.ARRAYS).read_bytes()
    (path / store.ARRAYS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="is damaged"):
        read_run(path)


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_an_edited_manifest_is_named(run, text):
    path, _ = run
    (path / store.MANIFEST).write_text(text)
    with pytest.raises(InvalidInput, match=r"damaged|no JSON object"):
        read_run(path)


def test_the_environment_names_the_commit_of_this_checkout():
    facts = store.environment()
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert facts["commit"].rstrip("+") == head
    assert set(facts["packages"]) >= {"jax", "numpy", "inertial"}


def test_a_run_without_its_seal_is_refused(run):
    path, _ = run
    manifest = json.loads((path / store.MANIFEST).read_text(encoding="utf-8"))
    (seal,) = manifest.keys() - {"a", "b"}
    del manifest[seal]
    (path / store.MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InvalidInput, match="is not the file that its manifest was written for"):
        read_run(path)


def test_a_manifest_that_was_read_seals_other_arrays_when_written_again(run):
    path, arrays = run
    other = arrays.assign(loss=arrays.loss * 0.5)
    store.write_run(path, other, read_run(path)[1])
    xr.testing.assert_equal(read_run(path)[0], other)
