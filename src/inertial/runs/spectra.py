"""Spectra of large kernels, kept in a study's folder so that each is decomposed once.

A decomposition takes a time that grows with the cube of n, reading it back one with the square.
The file's name is the hash of the data's arrays and of the code, so that it cannot be another's;
a zip archive's checksums show damage.
"""

import warnings
from pathlib import Path

import numpy as np

from inertial import files
from inertial._checks import InvalidInput, Notice
from inertial.data import Data
from inertial.files import folder_in
from inertial.linear.expected import checked_ends, spectrum_of
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Spectrum
from inertial.runs.checkpoints import DAMAGE
from inertial.runs.job import code_version

_LEAST_ROWS = 2000
"""Spectra of fewer rows are computed again: that takes seconds."""


def kept_spectrum(data: Data, folder: Path | None) -> tuple[Spectrum, Measure]:
    """Return `spectrum_of` a data set from `folder`, or compute and keep it there.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding.

    """
    if folder is None or not kept(len(data.y)):
        return spectrum_of(data)
    path = spectrum_file(folder, data.provenance.sha256)
    stored = _read(path, data)
    if stored is not None:
        return stored
    spectrum, measure = spectrum_of(data)
    _write(path, spectrum, measure)
    return spectrum, measure


def spectrum_file(folder: Path, data_sha256: str) -> Path:
    """Where the spectrum of a data set is kept, by the hash of its arrays and of the code."""
    return folder / f"{data_sha256[:24]}-{code_version()[:12]}.npz"


def kept(n: int) -> bool:
    """Whether the spectrum of n rows is kept in a file."""
    return n >= _LEAST_ROWS


def _read(path: Path, data: Data) -> tuple[Spectrum, Measure] | None:
    """Return a stored spectrum, or None if there is none or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            spectrum = Spectrum(stored["eigenvalues"], stored["basis"])
            ends = checked_ends(spectrum.extremes, data.x)
            return spectrum, Measure(spectrum.eigenvalues, stored["weights"], ends)
    except DAMAGE:
        return None


def _write(path: Path, spectrum: Spectrum, measure: Measure) -> None:
    """Keep a spectrum, whole or not at all; a failure is a warning, for the run can do without."""
    try:
        folder_in(path.parents[1], path.parent.name)
        with files.writing(path) as file:
            np.savez(
                file,
                eigenvalues=spectrum.eigenvalues,
                basis=spectrum.basis,
                weights=measure.weights,
            )
    except InvalidInput as error:
        warnings.warn(
            f"the spectrum could not be kept ({error}); the run goes on, and the next process "
            "computes it again.",
            Notice,
            stacklevel=2,
        )
