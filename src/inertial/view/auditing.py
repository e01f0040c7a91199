"""From folders of runs and studies to an audit: read, measure again where asked, judge.

A study is a folder with ``studies/NAME.json``, or that file itself where the folder holds several.

What a run does not store can be measured again, because its manifest fixes it bit for bit: kernels
at a few steps, and the exact split of the residual over its first steps, in float64.  Where the
records part from this second run, the audit says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inertial._checks import InvalidInput, printable
from inertial.data import given_folder
from inertial.problem.model import TwoLayerReLU
from inertial.runs import store
from inertial.runs.study import Folder, index_of, read_index
from inertial.simulation.decomposition import Decomposition, decompose_residual
from inertial.simulation.probe import KernelProbe, probe
from inertial.theory.audit import Audit, audit
from inertial.theory.gather import StoredRun, is_transformation, load_again, recursion_of
from inertial.view.study_panels import StudyPanels, arrange

if TYPE_CHECKING:
    from inertial.simulation.trajectory import Trajectory


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many of them are done, and how many there are."""

_SAMPLES = 9
"""Steps, evenly spread over the run, at which kernels are measured again."""

_SPLIT_STEPS = 8
"""First steps over which the residual is split again."""


def read(source: Path) -> StoredRun | StudyPanels:
    """Read a run or a study.

    Raises
    ------
    InvalidInput
        If there is neither, or what is there is damaged.

    """
    path = index_of(source)
    if path is None:
        return StoredRun(str(source), *store.read_run(source))
    index, folder = read_index(path), Folder(path.parents[1])
    keys = [str(entry["key"]) for entry in index["runs"] if folder.holds(entry["key"])]
    found = {key: folder.read_key(key) for key in keys}
    return arrange(
        index,
        {key: record for key, record in found.items() if record is not None},
        damaged=[key for key, record in found.items() if record is None],
    )


def runs_of(found: StoredRun | StudyPanels) -> list[StoredRun]:
    """Return a run as it is, and of a study one per data set, rule and width."""
    return [found] if isinstance(found, StoredRun) else [panel.run for panel in found.panels]


def audit_folders(
    folders: str | Path | Sequence[str | Path],
    *,
    measure: bool = False,
    data_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Judge every theorem of the catalogue on stored runs.

    Parameters
    ----------
    folders
        One or several folders of `compare`, or of studies: each data set, rule and width of one
        counts as a run.
    measure
        Whether to run each method and seed again for what the folders do not hold: kernels at nine
        steps and the split of the first eight residuals.  The records are held against the second
        run.  Takes about as long as the runs did.
    data_dir
        Folder to look in for the data first.
    progress
        Called along the way.

    Returns
    -------
    Audit
        An entry for every theorem, and what was noticed about the runs.

    Raises
    ------
    InvalidInput
        If a folder is neither a run nor a study, or damaged, or if the one to look in does not
        exist.

    """
    given_folder(data_dir)  # refused where it is none, used or not
    given = [folders] if isinstance(folders, str | Path) else folders
    if not (
        isinstance(given, list | tuple) and given and all(isinstance(f, str | Path) for f in given)
    ):
        raise InvalidInput(
            f"folders is {printable(folders)}; give the folders of one or more runs or studies."
        )
    runs = [run for folder in given for run in runs_of(read(Path(folder)))]
    if measure:
        runs = [measured(run, data_dir, progress) for run in runs]
    return audit(runs, data_dir=data_dir, progress=progress)


def measured(
    run: StoredRun, data_dir: str | Path | None = None, progress: Progress | None = None
) -> StoredRun:
    """Run every method and seed of a stored run again, and add what was measured.

    What diverged, and what a study lacks, is not run.

    Raises
    ------
    InvalidInput
        If the data of the run cannot be loaded.

    """
    settings = run.manifest["settings"]
    data = load_again(run, data_dir)
    network = TwoLayerReLU(settings["width"], data.x.shape[1])
    probes: dict[tuple[str, int], KernelProbe] = {}
    splits: dict[tuple[str, int], Decomposition] = {}
    reruns: dict[tuple[str, int], Trajectory] = {}
    names = [str(name) for name in run.arrays["optimizer"].values]
    records = zip(names, run.manifest["methods"], strict=True)
    methods = {name: recursion_of(one) for name, one in records if not is_transformation(one)}
    pairs = [
        (name, seed)
        for name, seed in product(methods, settings["seeds"])
        if run.arrays.status.sel({"optimizer": name, "seed": seed}).item() == "finished"
    ]
    for place, (name, seed) in enumerate(pairs):
        if progress is not None:
            progress(f"measuring {run.name}, seed {seed}, {name}", place, len(pairs))
        at = np.unique(np.linspace(0, settings["steps"], _SAMPLES).astype(int))
        reruns[name, seed], probes[name, seed] = probe(
            network,
            data.x,
            data.y,
            methods[name],
            seed=seed,
            steps=settings["steps"],
            at=at.tolist(),
            precision=settings["precision"],
            batch=settings.get("batch"),
            order=settings.get("order") or "fresh",
        )
        if settings.get("batch") is not None or isinstance(methods[name].eta, tuple):
            continue  # the split is that of gradients of all rows with a constant step
        splits[name, seed] = decompose_residual(
            network,
            data.x,
            data.y,
            methods[name],
            seed=seed,
            steps=min(_SPLIT_STEPS, settings["steps"]),
        )
    return replace(run, probes=probes, decompositions=splits, reruns=reruns)
