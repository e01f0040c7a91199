"""Small problems shared by the tests."""

import errno
import os
import re
from pathlib import Path

import numpy as np

from inertial import (
    Recursion,
    chebyshev,
    gradient_descent,
    heavy_ball,
    nesterov,
    nesterov_varying,
    quasi_hyperbolic,
    triple_momentum,
)
from inertial.commands.main import main


def methods(largest):
    """Every method, at steps that are stable where no eigenvalue is above `largest`."""
    return {
        "gradient descent": gradient_descent(0.9 / largest),
        "heavy ball": heavy_ball(0.9 / largest, 0.9),
        "nesterov": nesterov(0.6 / largest, 0.9),
        "nesterov, copied start": nesterov(0.6 / largest, 0.9, start="copy"),
        "nesterov, t/(t+3)": nesterov_varying(0.6 / largest, 3.0, steps=20_000),
        "any coefficients": Recursion(0.6 / largest, 0.7, 0.3),
        "quasi-hyperbolic": quasi_hyperbolic(3 / largest, 0.9, 0.7),
        "triple momentum": triple_momentum(largest / 300, largest),
        "chebyshev": chebyshev(largest / 300, 2 * largest, steps=20_000),
    }


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


def of_several(page):
    """Return the words of a page that are true of several runs only, but for what it links to."""
    text = page.partition("<main")[2].partition('id="provenance-title"')[0]
    words = (
        r"\b(?:means? over(?! rows)|seeds|starts|any start|each start|some seed|average|range)\b"
    )
    return sorted(set(re.findall(words, re.sub(r"<[^>]*>", " ", text), re.IGNORECASE)))
