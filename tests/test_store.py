"""Folders that exist whole or not at all, and damaged ones that are named."""

import hashlib
import io
import json
import os
import subprocess

import h5py
import numpy as np
import pytest
import xarray as xr

from inertial import InvalidInput, files, read_run
from inertial.runs import store


@pytest.fixture
def run(tmp_path):
    arrays = xr.Dataset({"loss": ("step", np.array([2.0, np.nan])), "word": ("optimizer", ["a"])})
    with files.new_folder(tmp_path / "run") as folder:
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
        with files.new_folder(tmp_path / "deep" / "run") as folder:
            (folder / "half").write_text("written")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not (tmp_path / "deep" / "run").exists()
    assert list((tmp_path / "deep").iterdir()) == []


def test_what_a_killed_process_left_of_a_folder_goes_and_what_others_make_stays(tmp_path):
    left = tmp_path / f".run.{'0' * 16}.partial"
    left.mkdir()
    (left / "half").write_text("half")
    (tmp_path / f".{'0' * 16}.partial").mkdir()  # none of ours
    with files.new_folder(tmp_path / "one") as one, files.new_folder(tmp_path / "two") as two:
        assert not left.exists()
        assert one.exists()
        assert two.exists()
    assert len(list(tmp_path.iterdir())) == 3


def test_the_folder_appears_only_when_it_is_complete(tmp_path):
    with files.new_folder(tmp_path / "run") as folder:
        assert not (tmp_path / "run").exists()
        assert folder.parent == tmp_path
    assert (tmp_path / "run").is_dir()


def test_folders_that_cannot_be_made_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"file/run cannot be created .*--out"):
        files.new_folder(tmp_path / "file" / "run").__enter__()
    (tmp_path / "there").mkdir()
    with pytest.raises(InvalidInput, match="exists already"):
        files.new_folder(tmp_path / "there").__enter__()


@pytest.mark.parametrize("name", [store.ARRAYS, store.MANIFEST])
def test_a_missing_file_is_named(run, name):
    path, _ = run
    (path / name).unlink()
    with pytest.raises(InvalidInput, match=f"is not a run: it holds no {name}"):
        read_run(path)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InvalidInput, match=r"nowhere is not a run: there is no such folder"):
        read_run(tmp_path / "nowhere")


def test_a_truncated_file_is_named(run):
    path, _ = run
    whole = (path / store.ARRAYS).read_bytes()
    (path / store.ARRAYS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="is not the file that its manifest was written for"):
        read_run(path)


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_an_edited_manifest_is_named(run, text):
    path, _ = run
    (path / store.MANIFEST).write_text(text)
    with pytest.raises(InvalidInput, match="is no JSON"):
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


def sealed(path, content):
    """Put any content in the place of a run's arrays, with its seal, as a stranger could."""
    (path / store.ARRAYS).write_bytes(content)
    manifest = json.loads((path / store.MANIFEST).read_text(encoding="utf-8"))
    manifest["arrays_sha256"] = hashlib.sha256(content).hexdigest()
    (path / store.MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def hdf5(fill):
    """Return the content of an HDF5 file that a function fills."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def elsewhere(file):
    file["loss"] = h5py.ExternalLink("/etc/passwd", "/loss")


def outside(file):
    file.create_dataset("loss", (8,), "f8", external=[("/etc/passwd", 0, 64)])


def virtual(file):
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "loss", (8,))
    file.create_virtual_dataset("loss", layout)


def packed(file):
    file.create_dataset("loss", data=np.zeros(2**22), compression="gzip")


def huge(file):
    file.create_dataset("loss", (2**50,), "f8", chunks=(2**20,))


def soft(file):
    file["loss"] = h5py.SoftLink("/loss")


@pytest.mark.parametrize("fill", [elsewhere, outside, virtual, packed, huge, soft])
def test_arrays_that_lead_elsewhere_or_are_larger_than_their_file_are_refused(run, fill):
    path, _ = run
    sealed(path, hdf5(fill))
    with pytest.raises(InvalidInput, match="is not as it was written"):
        read_run(path)


@pytest.mark.parametrize("content", [b"", b"no arrays", b"\x89HDF\r\n\x1a\n" + b"\0" * 500])
def test_what_is_no_netcdf_is_one_sentence(run, content):
    path, _ = run
    sealed(path, content)
    with pytest.raises(InvalidInput, match="is damaged"):
        read_run(path)


def test_the_seal_is_compared_before_the_arrays_are_opened(run, monkeypatch):
    path, _ = run
    (path / store.ARRAYS).write_bytes(b"damaged")
    monkeypatch.setattr(store.h5py, "File", lambda *_: pytest.fail("opened"))
    with pytest.raises(InvalidInput, match="its SHA-256 differs"):
        read_run(path)


METHOD = {"name": "nesterov", "eta": 0.1, "beta": 0.9, "gamma": 0.9, "start": "zero"}


@pytest.mark.parametrize(
    ("entry", "value", "where"),
    [
        ("settings", [], r"\$.settings"),
        ("settings", {"width": "wide"}, r"\$.settings.width"),
        ("settings", {"seeds": [0, -1]}, r"\$.settings.seeds"),
        ("settings", {"target": 0}, r"\$.settings.target"),
        ("settings", {"width": None}, r"\$.settings.width"),
        ("settings", {"batch": "all"}, r"\$.settings.batch"),
        ("methods", [METHOD | {"eta": "0.1"}], r"\$.methods\[0\].eta"),
        ("methods", [METHOD | {"start": "x"}], r"\$.methods\[0\].start"),
        ("methods", [METHOD | {"start": "\ud800"}], "damaged or edited"),
        ("methods", [{"name": "nesterov", "eta": 1}], r"field `beta` - at `\$.methods\[0\]"),
        ("machine", 3, r"\$.machine"),
        ("data", {"name": "digits"}, r"\$.data"),
        ("packages", {"jax": 1}, r"\$.packages"),
        ("result_version", "new", r"\$.result_version"),
    ],
)
def test_an_entry_of_another_kind_is_named(run, entry, value, where):
    path, arrays = run
    store.write_run(path, arrays, {entry: value})
    with pytest.raises(InvalidInput, match=where):
        read_run(path)


@pytest.mark.parametrize(
    ("attributes", "where"),
    [
        ({"batch": "~/x", "order": "fresh"}, r"\$.batch"),
        ({"batch": 4, "order": "none"}, r"\$.order"),
        ({"batch": 4}, "`batch` and `order` go together"),
        ({"title": 3}, r"\$.title"),
        ({"n": "many"}, r"\$.n"),
        ({"start_norm": "long"}, r"\$.start_norm"),
    ],
)
def test_an_attribute_of_another_kind_is_named(run, attributes, where):
    path, arrays = run
    store.write_run(path, arrays.assign_attrs(attributes), {})
    with pytest.raises(InvalidInput, match=where):
        read_run(path)


def test_a_run_of_another_result_version_is_refused(run):
    path, arrays = run
    store.write_run(path, arrays, {"result_version": store.RESULT_VERSION + 1})
    with pytest.raises(InvalidInput, match=r"has result version .* and this is"):
        read_run(path)


def test_the_dimension_of_older_runs_is_renamed_with_a_note(run):
    path, _ = run
    older = xr.Dataset({"loss": (("method", "step"), np.ones((1, 2)))}, coords={"method": ["a"]})
    store.write_run(path, older, {})
    with pytest.warns(UserWarning, match="'method' is read as 'optimizer'"):
        arrays, _ = read_run(path)
    assert arrays.loss.sel(optimizer="a").values.tolist() == [1, 1]


@pytest.mark.parametrize(
    "loss", [("step", np.array(["a", "b"])), (("step", "more"), np.ones((2, 2)))]
)
def test_records_of_other_dimensions_or_kinds_are_refused(run, loss):
    path, _ = run
    store.write_run(path, xr.Dataset({"loss": loss}), {})
    with pytest.raises(InvalidInput, match="loss"):
        read_run(path)


RUN = {
    "loss": (("optimizer", "seed", "step"), np.ones((1, 1, 2))),
    "status": (("optimizer", "seed"), np.array([["finished"]])),
    "optimizer": ("optimizer", ["nesterov"]),
    "seed": ("seed", [0]),
    "step": ("step", [0, 1]),
}


@pytest.mark.parametrize(
    ("changes", "attributes", "words"),
    [
        ({}, {}, None),
        ({"loss": (*RUN["loss"][:1], -np.ones((1, 1, 2)))}, {}, "loss is negative somewhere"),
        ({"seed": ("seed", ["a"])}, {}, "seed is of another kind"),
        ({"step": ("step", [1, 1])}, {}, "step is empty or names a value twice"),
        ({"status": ("seed", np.array(["finished"]))}, {}, "status has the dimensions seed"),
        ({"status": (*RUN["status"][:1], np.ones((1, 1)))}, {}, "status is of another kind"),
        ({}, {"width": ""}, r"Expected `int`, got `str` - at `\$.width`"),
        ({}, {"n": 0}, r"\$.n"),
        ({}, {"target": 1.5}, r"\$.target"),
        ({}, {"data_sha256": "../x"}, r"\$.data_sha256"),
    ],
)
def test_what_is_no_run_is_named(run, changes, attributes, words):
    path, _ = run
    store.write_run(path, xr.Dataset(RUN | changes, attrs=attributes), {})
    if words is None:
        read_run(path)
        return
    with pytest.raises(InvalidInput, match=words):
        read_run(path)


@pytest.mark.parametrize("lacks", ["flow", "flow_method"])
def test_losses_of_flows_without_their_names_or_methods_are_refused(run, lacks):
    path, _ = run
    flows = {
        "flow_loss": (("flow", "seed", "step"), np.ones((1, 1, 2))),
        "flow": ("flow", ["nesterov_flow"]),
        "flow_method": ("flow", ["nesterov"]),
    }
    store.write_run(path, xr.Dataset(RUN | flows), {})
    read_run(path)
    store.write_run(path, xr.Dataset(RUN | flows).drop_vars(lacks), {})
    with pytest.raises(InvalidInput, match=f"flow_loss is there without {lacks}; make"):
        read_run(path)


@pytest.mark.parametrize("name", [store.ARRAYS, store.MANIFEST])
def test_pipes_and_links_in_a_stranger_s_folder_are_not_opened(run, name):
    path, _ = run
    (path / name).unlink()
    (path / name).symlink_to("/dev/zero")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_run(path)
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(InvalidInput, match="is a pipe"):
        read_run(path)


def test_a_name_in_no_code_is_stored(run):
    path, arrays = run
    store.write_run(path, arrays.assign_attrs(data="caf\udce9.csv"), {"command": "caf\udce9"})
    again, manifest = read_run(path)
    assert again.attrs["data"] == r"caf\udce9.csv"
    assert manifest["command"] == "caf\udce9"


@pytest.mark.parametrize("size", [0, 8, 2**64 - 8])
def test_a_heap_that_hdf5_would_never_leave_is_refused_before_it(tmp_path, size):
    """Texts and references lie in heaps; free space of size 0 there is met again and again."""
    content = bytearray(store.netcdf(xr.Dataset(coords={"optimizer": ["nesterov", "heavy_ball"]})))
    at = content.index(b"GCOL") + 16
    content[at : at + 2], content[at + 8 : at + 16] = b"\0\0", size.to_bytes(8, "little")
    with pytest.raises(
        InvalidInput, match=r"is damaged \(a heap with no end\); make the run again"
    ):
        store._opened(bytes(content), tmp_path)
