"""State of a run on its way, in one file that is always whole.

A checkpoint belongs to a fingerprint of everything its coordinates mean: a run on another machine,
whose basis of the inputs' span may differ, starts again instead of going on from it.
"""

import warnings
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from inertial import files
from inertial._checks import InvalidInput, Notice
from inertial.files import folder_in
from inertial.simulate.train import Checkpoint

DAMAGE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive of arrays raises."""

_FINGERPRINT = "fingerprint"


def write_checkpoint(path: Path, state: Checkpoint, fingerprint: str) -> None:
    """Replace the checkpoint at `path`; a failure is a warning, for the run can do without."""
    arrays: dict[str, Any] = {item.name: getattr(state, item.name) for item in fields(Checkpoint)}
    try:
        folder_in(path.parents[1], path.parent.name)
        with files.writing(path) as file:
            np.savez(file, fingerprint=fingerprint, **arrays)
    except InvalidInput as error:
        warnings.warn(
            f"no checkpoint could be written ({error}); the run goes on, but starts again if it "
            "is interrupted.",
            Notice,
            stacklevel=2,
        )


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
