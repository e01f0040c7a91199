"""A run's folder: arrays in one netCDF file, everything else in one JSON manifest.

The folder is written under a temporary name beside its own and renamed when it is complete, so that
it exists whole or not at all.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import dask
import xarray as xr

from inertial._checks import InvalidInput

ARRAYS = "run.nc"
MANIFEST = "manifest.json"

_SEAL = "arrays_sha256"

_PACKAGES = ("inertial", "jax", "jaxlib", "numpy", "scipy", "xarray")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends well, and vanishes otherwise.

    Raises
    ------
    InvalidInput
        If `path` exists already or cannot be created; if it has come to exist meanwhile, the
        finished results are kept under their temporary name.

    """
    if path.exists() or path.is_symlink():
        raise InvalidInput(f"the output folder {path} exists already; give another one with --out.")
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(
            f"the output folder {path} cannot be created ({reason}); give another one with --out."
        ) from None
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    try:
        partial.rename(path)
    except OSError as error:
        raise InvalidInput(
            f"the results cannot be moved to {path} ({error.strerror}); they lie in {partial}."
        ) from None


def write_run(folder: Path, arrays: xr.Dataset, manifest: dict[str, Any]) -> None:
    """Write arrays and manifest of a run, with the arrays' SHA-256, into an existing folder."""
    (folder / ARRAYS).write_bytes(netcdf(arrays))
    sealed = {**manifest, _SEAL: _sha256(folder / ARRAYS)}
    text = json.dumps(sealed, indent=2, sort_keys=True, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def netcdf(arrays: xr.Dataset) -> bytes:
    """Return the content of a netCDF file, made in memory: HDF5 does not survive a full disk."""
    # Where a cluster's client lives, xarray would take a distributed lock, which needs a name.
    with dask.config.set(scheduler="synchronous"):
        return bytes(arrays.to_netcdf(engine="h5netcdf"))


def read_run(folder: str | Path) -> tuple[xr.Dataset, dict[str, Any]]:
    """Read back what `write_run` wrote.

    Raises
    ------
    InvalidInput
        If the folder is not a run, or one of its files is missing, damaged or edited.

    """
    folder = Path(folder)
    for name in (ARRAYS, MANIFEST):
        if not (folder / name).is_file():
            raise InvalidInput(f"{folder} is not a run: it holds no {name}; give a run's folder.")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        arrays = xr.load_dataset(folder / ARRAYS, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(
            f"the run in {folder} is damaged ({error}); make it again with the command in "
            f"its {MANIFEST}."
        ) from None
    if not isinstance(manifest, dict):
        raise InvalidInput(f"{folder / MANIFEST} is no JSON object; make the run again.")
    if manifest.get(_SEAL) != _sha256(folder / ARRAYS):
        raise InvalidInput(
            f"{folder / ARRAYS} is not the file that its manifest was written for (its SHA-256 "
            "differs); make the run again."
        )
    return arrays, manifest


def environment() -> dict[str, Any]:
    """Versions, commit and machine: what a result depends on besides its configuration."""
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "commit": _commit(),
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
        },
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _commit() -> str | None:
    """Commit of the checkout this package runs from, with `+` if it was changed; None elsewhere."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(root), *arguments],  # noqa: S607 - git as the user has it
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
