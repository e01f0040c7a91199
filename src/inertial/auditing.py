"""From run folders to an audit: read, measure again where asked, judge.

What a run does not store can be measured again, because its manifest fixes it bit for bit: kernels
at a few steps, and the exact split of the residual over its first steps, in float64.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from inertial import store
from inertial._checks import InvalidInput
from inertial.data import reload
from inertial.dynamics.decomposition import Decomposition, decompose_residual
from inertial.dynamics.method import Method
from inertial.dynamics.probe import KernelProbe, probe
from inertial.problem.network import Network
from inertial.theory.audit import Audit, audit
from inertial.theory.gather import StoredRun

_SAMPLES = 9
"""Steps, evenly spread over the run, at which kernels are measured again."""

_SPLIT_STEPS = 8
"""First steps over which the residual is split again."""


def audit_folders(
    folders: Sequence[str | Path], *, measure: bool = False, data_dir: str | Path | None = None
) -> Audit:
    """Judge every theorem of the catalogue on stored runs.

    Parameters
    ----------
    folders
        Folders of `compare`.
    measure
        Whether to run each method and seed again for what the folders do not hold: kernels at nine
        steps and the split of the first eight residuals.  Takes about as long as the runs did.
    data_dir
        Folder to look in for the data first.

    Raises
    ------
    InvalidInput
        If a folder is no run, or damaged.

    """
    runs = [StoredRun(str(folder), *store.read_run(folder)) for folder in folders]
    if not runs:
        raise InvalidInput("no run is given; give the folders of one or more runs of compare.")
    if measure:
        runs = [measured(run, data_dir) for run in runs]
    return audit(runs, data_dir=data_dir)


def measured(run: StoredRun, data_dir: str | Path | None = None) -> StoredRun:
    """Run every method and seed of a stored run again, and add what was measured.

    Raises
    ------
    InvalidInput
        If the data of the run cannot be loaded.

    """
    settings = run.manifest["settings"]
    data = run.data or reload(run.manifest["data"], data_dir)
    network = Network(settings["width"], data.x.shape[1])
    probes: dict[tuple[str, int], KernelProbe] = {}
    splits: dict[tuple[str, int], Decomposition] = {}
    for record in run.manifest["methods"]:
        method = Method(**record)
        for seed in settings["seeds"]:
            ended = run.arrays.diverged_at.sel({"method": method.name, "seed": seed}).item()
            if ended >= 0:  # nothing holds along a diverged run
                continue
            at = np.unique(np.linspace(0, settings["steps"], _SAMPLES).astype(int))
            _, probes[method.name, seed] = probe(
                network,
                data.x,
                data.y,
                method,
                seed=seed,
                steps=settings["steps"],
                at=at.tolist(),
                precision=settings["precision"],
            )
            splits[method.name, seed] = decompose_residual(
                network,
                data.x,
                data.y,
                method,
                seed=seed,
                steps=min(_SPLIT_STEPS, settings["steps"]),
            )
    return replace(run, data=data, probes=probes, decompositions=splits)
