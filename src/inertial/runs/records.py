"""The folder of a study: one netCDF file per run, an index, locks and checkpoints.

    runs/KEY.nc            one run, written under another name and renamed
    checkpoints/KEY.npz    state of a run on its way
    spectra/HASH.npz       decomposed kernel of a large data set
    locks/KEY              held by whoever computes the run
    studies/NAME.json      a study, and all its runs with their states: for people and programs

A run is done exactly if its file can be read; the index is written from that and never decides.
A run's file ends with the SHA-256 of everything before, where HDF5 no longer looks: it is compared
before anything else is read, for a damaged file can keep HDF5 from ever coming back.
"""

import hashlib
import io
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from inertial import files
from inertial._checks import InvalidInput
from inertial.files import folder_in
from inertial.runs import store
from inertial.runs.config import Study
from inertial.runs.job import Run
from inertial.runs.locks import Lock, acquire

_SEAL = b"\nSHA-256 "

_MOST_BYTES = 2**36
"""Largest file of a run that is read."""


@dataclass(frozen=True)
class Folder:
    """Where the runs of one or more studies are stored."""

    path: Path

    def run_file(self, run: Run) -> Path:
        """Return the file of a run."""
        return self.path / "runs" / f"{run.key}.nc"

    def checkpoint_file(self, run: Run) -> Path:
        """Return the file a run keeps its state in."""
        return self.path / "checkpoints" / f"{run.key}.npz"

    @property
    def spectra(self) -> Path:
        """Where the spectra of large data sets are kept."""
        return self.path / "spectra"

    def lock(self, run: Run) -> Lock | None:
        """Claim a run for this process; None if another process has it."""
        return acquire(self.path / "locks" / run.key)

    def read(self, run: Run) -> xr.Dataset | None:
        """Return a stored run, or None if it is missing, damaged or another one."""
        return read_record(self.run_file(run), run.key)

    def write(self, run: Run, arrays: xr.Dataset) -> None:
        """Store a run, whole or not at all, and drop its checkpoint."""
        write_record(self.run_file(run), arrays)
        checkpoint = self.checkpoint_file(run)
        files.sweep(checkpoint)
        with suppress(OSError):
            checkpoint.unlink()

    def write_index(self, study: Study, entries: list[dict[str, Any]]) -> None:
        """Write the index of a study."""
        document = {"study": asdict(study), "runs": entries}
        write_json(self.path / "studies" / f"{study.name}.json", document)


def write_record(path: Path, arrays: xr.Dataset) -> None:
    """Write a run to a file, whole or not at all, and sealed."""
    folder_in(path.parents[1], path.parent.name)
    content = store.netcdf(arrays)
    seal = _SEAL + hashlib.sha256(content).hexdigest().encode()
    files.write(path, content + seal, remedy=files.STAYS)


def read_record(path: Path, key: str | None = None) -> xr.Dataset | None:
    """Return the run in a file, or None if there is none, or it is damaged or has another key."""
    try:
        content, _, seal = files.read(path, _MOST_BYTES, follow=False).rpartition(_SEAL)
    except InvalidInput:
        return None
    if hashlib.sha256(content).hexdigest().encode() != seal:
        return None
    record = xr.load_dataset(io.BytesIO(content), engine="h5netcdf")
    return record if key is None or record.attrs["key"] == key else None


def write_json(path: Path, document: object) -> None:
    """Replace a JSON file, unless it says the same already."""
    content = (json.dumps(document, indent=1) + "\n").encode()
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        pass
    folder_in(path.parents[1], path.parent.name)
    files.write(path, content, remedy=files.STAYS)
