"""Shared settings: deterministic hypothesis, no run-away examples, real data where it is given."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("inertial", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("inertial")


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
