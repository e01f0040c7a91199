"""Small problems shared by the tests."""

import errno
import os
from pathlib import Path

import numpy as np

from inertial.commands.main import main


def unit_inputs(rng, n, d):
    """Rows on the unit sphere."""
    x = rng.standard_normal((n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def residual_and_gradient(w, a, x, y):
    """Residual and gradient of the two-layer ReLU network, written out in NumPy."""
    z = w @ x.T
    scale = a / np.sqrt(len(a))
    residual = scale @ np.maximum(z, 0) - y
    return residual, ((z >= 0) * residual) @ x * scale[:, None]


DAMAGES = [(8, 1), (8, 32), (10, 99)]
"""Offset in an entry of a zip directory, and bits: encrypted, patched, unknown packing."""


def flip_in_directory(path, at, bits):
    """Flip bits in the first entry of the central directory of a zip archive."""
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + at] ^= bits
    path.write_bytes(content)


def full_disk(descriptor):
    """Stand in for os.fsync on a disk that has no room for the files of runs."""
    if ".nc." in Path(f"/proc/self/fd/{descriptor}").readlink().name:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def run(capsys, *arguments):
    """Run the command line in this process; return exit code, standard output and error."""
    code = 0
    try:
        main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    return (code, *capsys.readouterr())
