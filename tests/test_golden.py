"""The numbers of a small comparison and a small study stay what they are, whatever JAX is told.

If they change on purpose, raise `RESULT_VERSION` in `inertial.runs.spec`, so that stored runs are
computed again, and store the new ones: ``python tests/golden.py FOLDER > tests/golden.json``, with
the new version in it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inertial.runs.spec import RESULT_VERSION

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))


def numbers_of(value):
    if isinstance(value, dict):
        return np.array([numbers_of(part) for part in value.values()])
    return np.array(value)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "0"},
        {"JAX_ENABLE_X64": "1", "JAX_THREEFRY_PARTITIONABLE": "1"},
    ],
    ids=["plain", "another generator", "double precision"],
)
def test_numbers_are_those_of_their_version(tmp_path, environment):
    done = subprocess.run(
        [sys.executable, str(HERE / "golden.py"), str(tmp_path)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert GOLDEN["result_version"] == RESULT_VERSION
    assert found.keys() | {"result_version"} == GOLDEN.keys()
    for name, values in found.items():
        # Twenty steps in float64 of 30 neurons on 24 rows: other libraries sum in another order.
        np.testing.assert_allclose(
            numbers_of(values),
            numbers_of(GOLDEN[name]),
            rtol=1e-10,
            err_msg=f"{name}: if this is meant, raise RESULT_VERSION (see the module)",
        )
