"""From a stored run to evidence: rebuild data and starts, check the records, name what is off.

Whatever cannot be trusted is left out with the reason, so that a theorem that needs it is
unverifiable: data that no longer are those of the run, a start whose loss differs from the recorded
one, records that contradict each other or a second run.  A file without the arrays of a comparison
is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial._checks import InvalidInput, printable
from inertial.data import Data, catalog, given_folder, locate, reload
from inertial.data.loading import MEMORY, SAVED_AS
from inertial.linear.kernel import infinite_gram
from inertial.method.recursion import Recursion
from inertial.simulation.trajectory import Trajectory
from inertial.theory.evidence import Decomposed, Evidence, Kernel, Probes, Records
from inertial.theory.start import Start

_VARIABLES = ("loss", "status", "diverged_at", "eigenvalue", "eta", "beta", "gamma")

_MISSING = "missing"
"""Status of a run that a study still lacks."""

_SAME_LOSS = {"float32": 1e-3, "float64": 1e-9}
"""Relative difference of the first loss up to which a rebuilt start counts as the run's."""

_SAME_NORM = 1e-6
"""Relative difference up to which a loss counts as half the squared residual."""

_SAME_RUN = 1e-3
"""Difference to a second run, as a share of the scale, up to which records are still judged."""

_SAME_MOMENTS = 1e-10
"""Relative difference up to which eigenvalues count as those of a kernel, by trace and squares."""


@dataclass(frozen=True)
class StoredRun:
    """A run as it was read back, with what was measured again for it, by (method, seed).

    `data` replaces loading by the manifest's record; `reruns` are second runs from the same start,
    which the records must agree with.
    """

    name: str
    arrays: xr.Dataset
    manifest: Mapping[str, Any]
    data: Data | None = None
    probes: Mapping[tuple[str, int], Probes] = field(default_factory=dict)
    decompositions: Mapping[tuple[str, int], Decomposed] = field(default_factory=dict)
    reruns: Mapping[tuple[str, int], Trajectory] = field(default_factory=dict)


@dataclass(frozen=True)
class Gathered:
    """A run's evidence without start and records, and what was noticed on the way."""

    run: StoredRun
    evidence: Evidence
    targets: Float[np.ndarray, "n"] | None
    notes: tuple[str, ...]


def gather(run: StoredRun, *, data_dir: str | Path | None = None) -> Gathered:
    """Check a stored run and rebuild its data.

    Raises
    ------
    InvalidInput
        If the run lacks arrays or settings of a comparison, or its eigenvalues are not those of its
        data.

    """
    _check_parts(run)
    notes = []
    made_by = run.manifest.get("packages", {}).get("inertial")
    if made_by != version("inertial"):
        words = f"{printable(made_by)}, this is {version('inertial')}"
        notes.append(f"{run.name} was made by version {words}")
    values = np.asarray(run.arrays["eigenvalue"].values, float)
    if not (np.isfinite(values).all() and values[0] > 0 and (np.diff(values) >= 0).all()):
        raise InvalidInput(
            f"the eigenvalues of {run.name} are not positive and ascending; make the run again."
        )
    evidence = Evidence(Kernel(values))
    data, problem = _data(run, data_dir)
    if data is None:
        notes.append(f"{run.name}: {problem}")
        lacking = {"inputs": problem, "start": problem}
        return Gathered(run, replace(evidence, lacking=lacking), None, tuple(notes))
    _check_moments(run.name, values, data)
    return Gathered(run, replace(evidence, inputs=data.x), data.y, tuple(notes))


def seeds(run: StoredRun) -> list[int]:
    """Seeds on which at least one method is there; a study may lack runs."""
    there = (run.arrays["status"] != _MISSING).any("optimizer")
    return [int(seed) for seed in run.arrays["seed"].values[there.values]]


def at_seed(gathered: Gathered, seed: int) -> Evidence:
    """Add the random start of `seed`, if it is the one that the run recorded."""
    evidence, run = gathered.evidence, gathered.run
    if evidence.inputs is None or gathered.targets is None:
        return evidence
    start = Start(evidence.inputs, gathered.targets, int(run.manifest["settings"]["width"]), seed)
    rebuilt = float(start.residual @ start.residual / 2)
    part = run.arrays.sel({"seed": seed})
    recorded = part["loss"].isel({"step": 0}).values[part["status"].values != _MISSING]
    allowed = _SAME_LOSS[run.manifest["settings"]["precision"]] * rebuilt
    if np.abs(recorded - rebuilt).max() <= allowed:
        return replace(evidence, at_start=start)
    reason = f"the start of seed {seed} has loss {rebuilt:g}, but the run recorded {recorded[0]:g}"
    return replace(evidence, lacking={**evidence.lacking, "start": reason})


def along(
    gathered: Gathered, evidence: Evidence, seed: int
) -> Iterator[tuple[str, Evidence, str | None]]:
    """Yield every method's name, evidence and what is wrong with its records, for one seed."""
    run = gathered.run
    for index, name in enumerate(str(name) for name in run.arrays["optimizer"].values):
        part = run.arrays.isel({"optimizer": index}).sel({"seed": seed})
        record = run.manifest["methods"][index]
        if part["status"].item() == _MISSING or is_transformation(record):
            continue
        method = recursion_of(record)
        records, problem = _records(part, method, run.manifest["settings"])
        if records is not None and (name, seed) in run.reruns:
            records, problem = _checked(records, run.reruns[name, seed])
        whole = replace(
            evidence,
            along_run=records,
            probed=run.probes.get((name, seed)),
            decomposed=run.decompositions.get((name, seed)),
        )
        if records is None and problem is not None:
            whole = replace(whole, lacking={**evidence.lacking, "run": problem})
        yield name, whole, problem


def is_transformation(record: Mapping[str, Any]) -> bool:
    """Whether a manifest's method is an optimiser of optax, which no theorem is about."""
    return "transformation" in record


def recursion_of(record: Mapping[str, Any]) -> Recursion:
    """Return the method that a manifest records."""
    eta, beta, gamma = (
        tuple(value) if isinstance(value, list) else value
        for value in (record[key] for key in ("eta", "beta", "gamma"))
    )
    return Recursion(eta, beta, gamma, record["start"])


def _check_parts(run: StoredRun) -> None:
    """Refuse what is not a stored comparison on the papers' network."""
    if "model" in run.manifest:
        raise InvalidInput(
            f"{run.name} trained another model than the papers' network, which the theorems are "
            "about; give a run without --model."
        )
    wanted = {
        "array": ([*_VARIABLES, "optimizer", "seed", "step"], run.arrays),
        "manifest entry": (["settings", "data", "methods"], run.manifest),
    }
    for what, (names, found) in wanted.items():
        missing = [name for name in names if name not in found]
        if missing:
            raise InvalidInput(
                f"{run.name} is not a complete comparison: it lacks the {what} {missing[0]}; make "
                "the run again."
            )
    if run.manifest["settings"].get("decay"):
        raise InvalidInput(
            f"{run.name} was trained with weight decay, and the theorems are for training without; "
            "give a run without."
        )
    settings = run.manifest["settings"]
    if not {"width", "precision"} <= set(settings) or settings["precision"] not in _SAME_LOSS:
        raise InvalidInput(f"the settings of {run.name} lack width or precision; make it again.")
    if len(run.manifest["methods"]) != run.arrays.sizes["optimizer"]:
        raise InvalidInput(f"{run.name} lists other methods than it stores; make the run again.")


def load_again(run: StoredRun, data_dir: str | Path | None = None) -> Data:
    """Load a run's data again: the recorded file, or one of its name near the run or in `data_dir`.

    Of data that were passed in as arrays it is the file that they can be saved as.

    What a run records may be a stranger's words.  So a file is read only below the current folder,
    in `data_dir` or near the run, and a named set only where it lies on this machine already.

    Raises
    ------
    InvalidInput
        If they are nowhere to be found, or are not those of the record.

    """
    if run.data is not None:
        return run.data
    record = run.manifest["data"]
    name, source = str(record["name"]), Path(str(record["source"]))
    if str(source) == MEMORY and name in SAVED_AS:
        return _saved(run, record, SAVED_AS[name], given_folder(data_dir))
    if source.name != name or str(source) == name:
        if name not in {one.name for one in catalog()}:
            raise InvalidInput(f"{name} is neither a file nor a named set; pass the data again.")
        if locate(name, data_dir) is None:
            raise InvalidInput(
                f"{name} is not on this machine; inertial data fetch {name} downloads it."
            )
        return reload(record, data_dir)
    for place in _places(source, Path(run.name), given_folder(data_dir)):
        if place.is_file():
            return reload({**record, "source": str(place)}, data_dir)
    raise InvalidInput(
        f"{source.name} is neither below the current folder nor near the run; give the folder that "
        "holds it with --data-dir."
    )


def _saved(run: StoredRun, record: Mapping[str, Any], file: str, data_dir: Path | None) -> Data:
    """Load data that were passed in and saved as a file since; test rows no theorem is about."""
    table = file.endswith(".parquet")
    label = record.get("label") or ("y" if table else None)
    for place in _places(Path(file), Path(run.name), data_dir):
        if place.is_file():
            found = {**record, "name": file, "source": str(place), "label": label}
            if found.get("test") == MEMORY:
                found |= {"test": None, "test_rows": 0, "test_sha256": None}
            return reload(found)
    path = str(Path(run.name) / file)
    how = f"numpy.savez({path!r}, x=x, y=y)"
    if table:
        how = f"frame.to_parquet({path!r}), the target as its column {label!r}"
    raise InvalidInput(f"the data were {MEMORY} and are not stored; save them by {how}.")


def _places(source: Path, run: Path, data_dir: Path | None) -> list[Path]:
    """Return where a recorded file may be, all of them places that the reader has named."""
    given = [] if data_dir is None else [data_dir]
    here = Path.cwd()
    places = [here / source] if (here / source).resolve().is_relative_to(here) else []
    if not source.is_absolute() and ".." not in source.parts:
        places += [folder / source for folder in (*given, run, *run.resolve().parents)]
    return [*places, *(folder / source.name for folder in (*given, run, run.parent))]


def _data(run: StoredRun, data_dir: str | Path | None) -> tuple[Data | None, str]:
    """Return the run's data, or None and why not."""
    record = run.manifest["data"]
    name = printable(record.get("name"))
    try:
        data = load_again(run, data_dir)
    except (InvalidInput, KeyError, TypeError) as error:
        return None, f"the data {name} cannot be loaded ({printable(error, most=None)})"
    if data.provenance.sha256 != record.get("sha256"):
        return None, f"the data {name} are not those of the run (SHA-256 differs)"
    return data, ""


def _check_moments(name: str, values: Float[np.ndarray, "n"], data: Data) -> None:
    """Refuse eigenvalues whose sum or sum of squares is not that of the data's kernel."""
    gram = infinite_gram(data.x)
    same = len(values) == len(gram) and np.allclose(
        [values.sum(), values @ values],
        [np.trace(gram), np.sum(gram**2)],
        rtol=_SAME_MOMENTS,
        atol=0,
    )
    if not same:
        raise InvalidInput(
            f"the eigenvalues stored in {name} are not those of its data; make the run again."
        )


def _records(
    part: xr.Dataset, method: Recursion, settings: Mapping[str, Any]
) -> tuple[Records | None, str | None]:
    """Return the records of one method and seed, or None and what is wrong with them."""
    if not _same_coefficients(part, method):
        return None, "the stored coefficients differ from the manifest's"
    diverged = int(part["diverged_at"])
    length = part.sizes["step"] if diverged < 0 else diverged + 1
    part = part.isel({"step": slice(length)})
    loss = np.asarray(part["loss"].values, float)
    steps = np.asarray(part["step"].values, int)
    if len(steps) < length or not np.array_equal(steps, np.arange(length)):
        return None, "the recorded steps are not complete"
    expected = length if diverged < 0 else length - 1
    if not (np.isfinite(loss[:expected]).all() and (loss[:expected] >= 0).all()):
        return None, "the recorded loss is negative or not finite, though the run did not diverge"
    length = length if np.isfinite(loss[-1]) else length - 1
    residual = _series(part, "residual", length)
    if residual is not None:
        error = np.abs(np.sum(residual**2, axis=1) / 2 - loss[:length])
        if (error > _SAME_NORM * loss[:length]).any():
            step = int(np.argmax(error > _SAME_NORM * loss[:length]))
            return None, f"the loss at step {step} is not half the squared residual stored with it"
    return (
        Records(
            method,
            int(settings["width"]),
            settings["precision"],
            steps[:length],
            loss[:length],
            scale=float(np.sqrt(2 * loss[0])),
            max_distance=_series(part, "max_distance", length),
            pattern_change=_series(part, "pattern_change", length),
            residual=residual,
            diverged_at=None if diverged < 0 else diverged,
            batch=settings.get("batch"),
        ),
        None,
    )


def _same_coefficients(part: xr.Dataset, method: Recursion) -> bool:
    """Whether the arrays hold the coefficients that the manifest gives the method."""
    if method.steps is None:
        stored = [float(part[name]) for name in ("eta", "beta", "gamma")]
        return np.allclose(stored, method.constant, rtol=1e-12, atol=0)
    if not {"schedule_eta", "schedule_beta"} <= set(part):
        return False
    count = part.sizes["step"] - 1
    if count > method.steps:
        return False
    pairs = zip(("schedule_eta", "schedule_beta"), method.coefficients(0, count), strict=False)
    return all(np.allclose(part[k].values[:count], v, rtol=1e-12, atol=0) for k, v in pairs)


def _checked(records: Records, again: Trajectory) -> tuple[Records | None, str | None]:
    """Return records as far as a second run supports them, and where the two part.

    A difference beyond rounding is told; one beyond a thousandth makes the records untrusted.
    """
    count = min(len(records.loss), len(again.loss))
    for what, stored, second, scale in (
        ("norm of the residual", records.norm, np.sqrt(2 * again.loss), records.scale),
        ("largest distance", records.max_distance, again.max_distance, None),
        ("share of changed activations", records.pattern_change, again.pattern_change, None),
    ):
        if stored is None or second is None:
            continue
        size = scale or float(np.abs(second).max()) or 1.0
        gap = np.abs(stored[:count] - second[:count])
        if not (gap > records.rounding / records.scale * size).any():
            continue
        step = int(np.argmax(gap > records.rounding / records.scale * size))
        worst = int(np.argmax(gap))
        problem = (
            f"the records part from a second run at step {step}; at step {worst} the {what} is "
            f"recorded as {stored[worst]:.6g}, and the second run has {second[worst]:.6g}"
        )
        return (records if gap[worst] <= _SAME_RUN * size else None), problem
    return records, None


def _series(part: xr.Dataset, name: str, length: int) -> np.ndarray | None:
    return None if name not in part else np.asarray(part[name].values[:length], float)
