"""Folders of runs: damaged files, edited manifests, and arrays that were changed and sealed again."""

import csv
import hashlib
import io
import json
import os
import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from fuzz.damage import VALUES, damaged, edited
from fuzz.harness import Fault
from inertial import MLP, ModelSettings, Problem, Settings, compare, load
from inertial.runs.frames import to_dataframe, write_csv
from inertial.runs.store import read_run
from inertial.view.auditing import audit_folders
from inertial.view.reporting import report

FORMULA = set("=+-@＝＋－＠")
SHARE = 5
"""One of so many folders that can be read is judged, another becomes a page, another a table."""


def prepare(base: Path) -> list[Path]:
    """Make the runs that are damaged: of the papers' network, of batches, and of a model."""
    data = load("sphere", n=12, dim=3)
    rng = np.random.default_rng(0)
    model = Problem(MLP(3, (4,)), "mse", rng.standard_normal((10, 3)), rng.standard_normal(10))
    network = Settings(
        methods=("gradient_descent", "nesterov"), width=20, seeds=(0,), steps=3, rule="paper",
        flows=("nesterov_flow",), record_residuals=True,
    )  # fmt: skip
    batches = Settings(
        methods=("heavy_ball",),
        width=20,
        seeds=(0,),
        steps=3,
        eta=0.01,
        beta=0.5,
        batch=4,
    )
    of_model = ModelSettings(methods=("heavy_ball",), seeds=(0,), steps=3, eta=0.01, beta=0.5)
    return [
        compare(data, network, out=base / "network").run,
        compare(data, batches, out=base / "batches").run,
        compare(model, of_model, out=base / "model").run,
    ]


def resealed(folder: Path, content: bytes) -> None:
    """Write arrays, and the manifest's hash of them."""
    (folder / "run.nc").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["arrays_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def changed(rng: np.random.Generator, content: bytes) -> bytes:
    """Return a netCDF file with some of its variables, dimensions or attributes changed."""
    held = io.BytesIO(content)
    with h5py.File(held, "r+") as file:
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            names = sorted(file)
            name = names[int(rng.integers(len(names)))]
            match int(rng.integers(7)):
                case 0:
                    del file[name]
                case 1:
                    new = f"{rng.choice(['other', 'x' * 300, 'a b', chr(0x202E)])}{len(names)}"
                    if new not in file:
                        file.move(name, new)
                case 2:
                    value = VALUES[int(rng.integers(len(VALUES)))]
                    place = file if rng.random() < 0.5 else file[name]
                    where = sorted(place.attrs)
                    _attribute(place, str(rng.choice([*where, "new"])) if where else "new", value)
                case 3:
                    links(rng, file, name)
                case _ if isinstance(file[name], h5py.Group):
                    del file[name]
                case _ if file[name].dtype.kind == "f" and 0 < file[name].size < 2**20:
                    values = file[name][...]
                    special = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 5e-324]
                    values.flat[int(rng.integers(values.size))] = rng.choice(special)
                    del file[name]
                    file[name] = values
                case _:
                    shape = file[name].shape
                    del file[name]
                    wider = (*shape, 2) if rng.random() < 0.5 else shape[:-1]
                    kind = str(rng.choice(["f4", "f8", "i8", "S3", "u1"]))
                    file[name] = np.ones(wider).astype(kind)
    return held.getvalue()


def _attribute(place, name: str, value: object) -> None:
    try:
        place.attrs[name] = value
    except (TypeError, ValueError, OSError, OverflowError, KeyError):
        place.attrs[name] = "x"


def links(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    """Replace a variable by what leads elsewhere or is packed."""
    del file[name]
    match int(rng.integers(5)):
        case 0:
            file[name] = h5py.SoftLink("/loss")
        case 1:
            file[name] = h5py.ExternalLink("/etc/passwd", "/")
        case 2:
            file.create_dataset(name, (2**40,), "f8", chunks=(2**10,))
        case 3:
            file.create_dataset(name, data=np.zeros(1000), compression="gzip")
        case _:
            file.create_dataset(name, (8,), "f8", external=[("/etc/hostname", 0, 64)])


def special(rng: np.random.Generator, path: Path) -> None:
    """Replace a file by what is none."""
    path.unlink()
    match int(rng.integers(6)):
        case 0:
            os.mkfifo(path)
        case 1:
            path.mkdir()
        case 2:
            path.symlink_to("/dev/zero")
        case 3:
            path.symlink_to("/etc/passwd")
        case 4:
            path.symlink_to(path)
        case _:
            path.write_bytes(b"")


def spoil(rng: np.random.Generator, arrays: Path, manifest: Path) -> None:
    """Do something to the files of a run."""
    content = arrays.read_bytes()
    match int(rng.integers(8)):
        case 0:
            arrays.write_bytes(damaged(rng, content))
        case 1:
            manifest.write_bytes(damaged(rng, manifest.read_bytes()))
        case 2:
            special(rng, arrays if rng.random() < 0.5 else manifest)
        case 3 | 4:
            text = changed(rng, content)
            arrays.write_bytes(text)
            document = json.loads(manifest.read_text())
            document["arrays_sha256"] = hashlib.sha256(text).hexdigest()
            manifest.write_text(json.dumps(document))
        case _:
            document = edited(rng, json.loads(manifest.read_text()))
            text = json.dumps(document)
            if rng.random() < 0.05:
                text = text.replace("0", "9" * 5000, 1)
            if rng.random() < 0.05:
                text = text.replace("3", "[" * 5000 + "]" * 5000, 1)
            manifest.write_text(text)


def attempt(seed: int, folder: Path, made: list[Path]) -> tuple[str, ...]:
    """Read the run of a seed, judge it, and make some pages."""
    warnings.simplefilter("ignore", RuntimeWarning)  # of infinite records, for example
    rng = np.random.default_rng(seed)
    place = folder / "run"
    shutil.copytree(made[int(rng.choice([0, 0, 1, 2]))], place)
    spoil(rng, place / "run.nc", place / "manifest.json")
    os.chdir(folder)
    read_run(place)
    if seed % SHARE == 0:
        return tuple(f"{note}." for note in audit_folders([place]).notes)
    if seed % SHARE == 1:
        page(place)
    if seed % SHARE == 2:
        table(read_run(place)[0], folder / "table.csv", rows=100)
    return ()


def page(source: Path) -> None:
    """Make a page, in which nothing of a stranger's is markup."""
    if "<script>alert" in report(source, judge=False).html:
        raise Fault("markup in a page")


def table(arrays: xr.Dataset, path: Path, rows: int) -> None:
    """Write a table, of which a spreadsheet computes nothing, with at most so many rows."""
    frame = to_dataframe(arrays)
    write_csv(frame, path)
    cells = [cell for row in csv.reader(path.read_text().splitlines()) for cell in row]
    if any(cell.lstrip()[:1] in FORMULA and not number(cell) for cell in cells if cell.strip()):
        raise Fault("a formula in a table")
    if len(frame) > rows:
        raise Fault(f"a table of {len(frame)} rows")


def number(cell: str) -> bool:
    """Whether a cell is a number."""
    try:
        return float(cell) is not None
    except ValueError:
        return False
