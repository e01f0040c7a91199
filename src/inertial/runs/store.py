"""One format for everything that is stored: arrays in a netCDF file, the rest in a JSON manifest.

``run.nc`` and ``manifest.json`` of `inertial compare`, ``KEY.nc`` and ``KEY.json`` of a study's run
and ``result.nc`` and ``result.json`` of a reproduced figure are written and read here.  The
manifest holds the SHA-256 of the arrays' file, which is compared before HDF5 opens it, for a
damaged file can keep HDF5 from ever coming back.  A reader takes nothing on trust: what is there is
checked once, here, against one schema, and a file that refers to others is refused.
"""

import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import threadpoolctl
import xarray as xr

from inertial import files
from inertial._checks import InvalidInput, Notice
from inertial.runs.schema import AGAIN, Manifest, check_arrays, validated
from inertial.runs.spec import RESULT_VERSION

ARRAYS = "run.nc"
MANIFEST = "manifest.json"

_SEAL = "arrays_sha256"

_MOST_BYTES = 2**36
"""Largest file of arrays that is read."""

_PACKAGES = ("inertial", "jax", "jaxlib", "numpy", "scipy", "xarray")

_HEAP = b"GCOL\1\0\0\0"
"""What a heap of an HDF5 file begins with."""

_ROOM = 2**20
"""Bytes that names and tables may take beside a file's arrays."""


class Record(NamedTuple):
    """Arrays and manifest, as they are stored together."""

    arrays: xr.Dataset
    manifest: dict[str, Any]


def write_run(folder: Path, arrays: xr.Dataset, manifest: dict[str, Any]) -> None:
    """Write arrays and manifest of a run into an existing folder."""
    write_record(folder / ARRAYS, folder / MANIFEST, Record(arrays, manifest))


def keep_run(arrays: xr.Dataset, manifest: dict[str, Any]) -> Path | None:
    """Write a run into a new folder for temporary files, or return None if that fails too."""
    with suppress(OSError, InvalidInput):
        folder = Path(tempfile.mkdtemp(prefix="inertial-"))
        write_run(folder, arrays, manifest)
        return folder
    return None


def read_run(folder: str | Path) -> tuple[xr.Dataset, dict[str, Any]]:
    """Read back what `write_run` wrote.

    Raises
    ------
    InvalidInput
        If the folder is not a run, or one of its files is missing, damaged or edited, or the run is
        of another result version.

    """
    folder = Path(folder)
    if folder.is_file():
        raise InvalidInput(
            f"{folder} is a file; give the folder of a run, which inertial compare prints behind "
            "run, or of a study, to report, audit or read_study, its folder or studies/NAME.json."
        )
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a run: there is no such folder; give a run's folder.")
    for name in (ARRAYS, MANIFEST):
        if not (folder / name).exists():
            raise InvalidInput(f"{folder} is not a run: it holds no {name}; give a run's folder.")
    record = read_record(folder / ARRAYS, folder / MANIFEST)
    check_arrays(record.arrays, folder)
    found = record.manifest.get("result_version", RESULT_VERSION)
    if found != RESULT_VERSION:
        raise InvalidInput(
            f"the run in {folder} has result version {found} and this is {RESULT_VERSION}; make "
            f"it again with the command in its {MANIFEST}, or install the version that made it."
        )
    return record.arrays, record.manifest


def write_record(arrays_file: Path, manifest_file: Path, record: Record) -> None:
    """Write arrays, then the manifest that makes them count, each whole or not at all.

    Raises
    ------
    InvalidInput
        If a file cannot be written.

    """
    content = netcdf(record.arrays)
    files.write(arrays_file, content, remedy=files.STAYS)
    sealed = {**record.manifest, _SEAL: hashlib.sha256(content).hexdigest()}
    text = json.dumps(sealed, indent=2, sort_keys=True, allow_nan=False)
    files.write(manifest_file, text + "\n", remedy=files.STAYS)


def read_record(arrays_file: Path, manifest_file: Path) -> Record:
    """Read back what `write_record` wrote.

    Raises
    ------
    InvalidInput
        If a file is missing, damaged, edited, or not what it should be.

    """
    manifest = files.read_json(manifest_file, follow=False)
    if not isinstance(manifest, dict):
        raise InvalidInput(f"{manifest_file} is no JSON object; {AGAIN}.")
    validated(manifest, Manifest, str(manifest_file))
    content = files.read(arrays_file, _MOST_BYTES, follow=False)
    if manifest.get(_SEAL) != hashlib.sha256(content).hexdigest():
        raise InvalidInput(
            f"{arrays_file} is not the file that its manifest was written for (its SHA-256 "
            f"differs); {AGAIN}."
        )
    return Record(_opened(content, arrays_file), manifest)


def netcdf(arrays: xr.Dataset) -> bytes:
    """Return the content of a netCDF file, made in memory: HDF5 does not survive a full disk."""
    # Where a cluster's client lives, xarray would take a distributed lock, which needs a name.
    dask = sys.modules.get("dask")
    with dask.config.set(scheduler="synchronous") if dask else nullcontext():
        return bytes(_encodable(arrays).to_netcdf(engine="h5netcdf"))


def _encodable(arrays: xr.Dataset) -> xr.Dataset:
    """Replace what UTF-8 cannot say in attributes, such as the name of a file in another code."""
    words = {name: value for name, value in arrays.attrs.items() if isinstance(value, str)}
    return arrays.assign_attrs(
        {name: word.encode("utf-8", "backslashreplace").decode() for name, word in words.items()}
    )


def _opened(content: bytes, path: Path) -> xr.Dataset:
    """Return the arrays in a file's content, which were sealed but may be a stranger's."""
    _refuse_endless(content, path)
    try:
        _refuse_references(content, path)
        arrays = xr.load_dataset(io.BytesIO(content), engine="h5netcdf")
    except InvalidInput:
        raise
    except Exception as error:  # noqa: BLE001 - HDF5 and its readers raise anything
        raise InvalidInput(
            f"{path} is damaged ({type(error).__name__}: {error}); {AGAIN}."
        ) from None
    if "method" in arrays.dims:
        warnings.warn(
            f"{path} is of an older version: its dimension 'method' is read as 'optimizer'.",
            Notice,
            stacklevel=2,
        )
        arrays = arrays.rename({"method": "optimizer"})
    return arrays


def _refuse_endless(content: bytes, path: Path) -> None:
    """Refuse heaps of texts and references that HDF5 would go through for ever.

    A heap is its mark, version and size, 16 bytes, and objects one after the other: number, count,
    size, and as many bytes, rounded up to eights (HDF5 File Format Specification 3.0, III.E).  The
    object of number 0 is what is free, with its own 16 bytes in its size: of size 0, it is met
    again and again.
    """
    at = content.find(_HEAP)
    while at >= 0:
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        place, end = at + 16, at + size
        while place + 16 <= end <= len(content):
            taken = int.from_bytes(content[place + 8 : place + 16], "little")
            if content[place : place + 2] != b"\0\0":
                taken = 16 + -(-taken // 8) * 8
            place += taken
            if taken < 16:
                break
        if size < 16 or end > len(content) or place > end or place + 16 <= end:
            raise InvalidInput(f"{path} is damaged (a heap with no end); {AGAIN}.")
        at = content.find(_HEAP, at + len(_HEAP))


def _refuse_references(content: bytes, path: Path) -> None:
    """Refuse what no file of ours has: links, data in other files, packed data or too many."""
    with h5py.File(io.BytesIO(content), "r") as file:
        size = 0
        stack = [file]
        while stack:
            group = stack.pop()
            for name in group:
                link = group.get(name, getlink=True)
                part = group[name] if isinstance(link, h5py.HardLink) else None
                if isinstance(part, h5py.Group):
                    stack.append(part)
                    continue
                if (
                    not isinstance(part, h5py.Dataset)
                    or part.external
                    or part.is_virtual
                    or part.id.get_create_plist().get_nfilters()
                ):
                    raise InvalidInput(
                        f"{path} is not as it was written: {name} refers to elsewhere or is "
                        f"packed; {AGAIN}."
                    )
                size += part.size * part.dtype.itemsize
                if size > len(content) + _ROOM:
                    raise InvalidInput(
                        f"{path} is not as it was written: its arrays are larger than the file; "
                        f"{AGAIN}."
                    )


@cache
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
            "threads": {"xla": _xla_threads(), "blas": _blas_threads()},
        },
    }


def threads_of(manifest: Mapping[str, Any]) -> str | None:
    """Say with how many threads a record was computed; None where its manifest does not.

    Sums over parts that threads take differ by rounding with their number.
    """
    threads = manifest.get("machine", {}).get("threads")
    if threads is None:
        return None
    xla, blas = threads["xla"], threads["blas"]
    return str(xla) if xla == blas else f"{xla} ({blas} of BLAS)"


def _xla_threads() -> int:
    single = "--xla_cpu_multi_thread_eigen=false" in os.environ.get("XLA_FLAGS", "")
    return 1 if single else len(os.sched_getaffinity(0))


def _blas_threads() -> int:
    found = threadpoolctl.threadpool_info()
    return max((pool["num_threads"] for pool in found if pool["user_api"] == "blas"), default=1)


def _commit() -> str | None:
    """Commit of the checkout this package runs from, with `+` if it was changed; None elsewhere."""
    root = Path(__file__).resolve().parents[3]
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
