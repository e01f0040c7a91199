"""State of a run on its way, in one file that is always whole.

A checkpoint belongs to a fingerprint of everything its coordinates mean: a run on another machine,
whose basis of the inputs' span may differ, starts again instead of going on from it.
"""

import os
import warnings
import zipfile
import zlib
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from inertial.simulate.train import Checkpoint

DAMAGE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive of arrays raises."""

_FINGERPRINT = "fingerprint"


def write_checkpoint(path: Path, state: Checkpoint, fingerprint: str) -> None:
    """Replace the checkpoint at `path`; a failure is a warning, for the run can do without."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    arrays: dict[str, Any] = {item.name: getattr(state, item.name) for item in fields(Checkpoint)}
    arrays[_FINGERPRINT] = fingerprint
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        warnings.warn(
            f"no checkpoint could be written to {path} ({error.strerror}); the run goes on, but "
            "starts again if it is interrupted.",
            stacklevel=2,
        )
    finally:
        with suppress(OSError):
            partial.unlink()


def read_checkpoint(path: Path, fingerprint: str) -> Checkpoint | None:
    """Return the checkpoint at `path`, or None if there is none, or a damaged or foreign one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored[_FINGERPRINT]) != fingerprint:
                return None
            arrays = {item.name: stored[item.name] for item in fields(Checkpoint)}
    except DAMAGE:
        return None
    return Checkpoint(**{**arrays, "step": int(arrays["step"])})
