"""Numbers of a small comparison and of a run of a small study, printed as JSON.

Run by `test_golden.py` in a fresh process, whose environment it chooses.
"""

import json
import sys
from pathlib import Path

from inertial import Settings, compare, load
from inertial.runs.config import DataSet, Study
from inertial.runs.execution import compute
from inertial.runs.spec import runs

OBSERVABLES = ("loss", "forecast_loss", "max_distance", "mean_distance", "pattern_change")


def numbers(folder):
    settings = Settings(
        width=30,
        seeds=(0, 3),
        steps=20,
        rule="paper",
        precision="float64",
        flows=("nesterov_flow",),
    )
    arrays = compare(load("sphere", n=24, dim=4), settings, out=folder / "run").arrays
    study = Study(
        "golden",
        (DataSet("sphere", rows=24, dim=4),),
        methods=("heavy_ball",),
        rules=("paper",),
        widths=(30,),
        seeds=(3,),
        steps=20,
        precision="float64",
    )
    run = compute(runs(study)[0]).arrays
    return {
        **{name: arrays[name].isel(step=20).values.tolist() for name in OBSERVABLES},
        "first": arrays.loss.isel(step=0).values.tolist(),
        "forecast_steps": arrays.forecast_steps.values.tolist(),
        "flow_loss": arrays.flow_loss.isel(step=20).values.tolist(),
        **{name: arrays[name].values.tolist() for name in ("eta", "beta", "gamma")},
        "eigenvalue": arrays.eigenvalue.values[[0, -1]].tolist(),
        "study": {name: float(run[name][20]) for name in OBSERVABLES},
    }


if __name__ == "__main__":
    print(json.dumps(numbers(Path(sys.argv[1])), indent=1))  # noqa: T201
