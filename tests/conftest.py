"""Shared settings: deterministic hypothesis, no run-away examples, real data where it is given."""

import os
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("inertial", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("inertial")

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # What one worker compiled, the other one and the commands they start need not compile again.
    _COMPILED = tempfile.TemporaryDirectory(prefix="compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _COMPILED.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in a job that a script put in the background; the tests of interrupts need it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data sets in their upstream formats."""
    folder = os.environ.get("INERTIAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("INERTIAL_DATA names no folder with the real data sets")
    return Path(folder)
