"""A study in its folder: which runs are done, computing those that are not, reading them back.

    runs/KEY.nc, KEY.json  one run (`inertial.runs.store`)
    checkpoints/KEY.npz    state of a run on its way
    spectra/HASH.npz       decomposed kernel of a large data set
    locks/KEY              held by whoever computes the run
    studies/NAME.json      a study, and all its runs with their states: for people and programs

A run is done exactly if it can be read; the index is written from that and never decides.  A run is
claimed by its lock before it is computed, and looked up once more while the lock is held, so that
no two processes compute it.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import msgspec
import xarray as xr

from inertial import files
from inertial._checks import InvalidInput
from inertial.runs.config import NAME_BYTES, Study
from inertial.runs.cost import Prediction, predict
from inertial.runs.execution import SAVE_SECONDS, compute
from inertial.runs.measures import distinct_names
from inertial.runs.observables import join
from inertial.runs.schema import check_arrays, validated
from inertial.runs.spec import RESULT_VERSION, Run, runs
from inertial.runs.store import Record, read_record, threads_of, write_record

Progress = Callable[[str, int, int], None]
"""Called with what is being done, predicted milliseconds done and in all."""

WAIT_SECONDS = 0.5
"""Time between two looks at runs that other processes compute."""

_INDEX_SECONDS = 5.0
"""Least time between two writings of the index along the way."""

_ALONG = ("data", "optimizer", "width", "seed")
_ALONG_RULES = ("data", "rule", "optimizer", "width", "seed")

Outcome = Literal["stored before", "computed", "computed elsewhere", "failed"]

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[\w-]+$", max_length=NAME_BYTES)]
_Key = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{24}$")]


class _IndexedData(msgspec.Struct):
    name: str


class _IndexedStudy(msgspec.Struct):
    name: _Name
    data: list[_IndexedData]
    methods: list[str]
    rules: list[str]
    widths: list[_Count]
    seeds: list[_Count]
    steps: _Count
    target: float

    def __post_init__(self) -> None:
        for name in ("methods", "rules", "widths", "seeds"):
            _once(name, getattr(self, name))


class _IndexedRun(msgspec.Struct):
    key: _Key
    state: Literal["done", "missing", "failed"]
    data: _IndexedData
    data_sha256: str
    method: str
    rule: str
    width: _Count
    seed: _Count
    result_version: int | None = None
    reason: str | None = None


class _Index(msgspec.Struct):
    """What the index of a study must say."""

    study: _IndexedStudy
    runs: list[_IndexedRun]

    def __post_init__(self) -> None:
        _once("runs", [run.key for run in self.runs])


def _once(name: str, values: Sequence[object]) -> None:
    """Refuse what is named twice: it would become two places of one axis, or be read twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"`{name}` repeats a value")


@dataclass(frozen=True)
class Folder:
    """Where the runs of one or more studies are stored."""

    path: Path

    def run_file(self, run: Run) -> Path:
        """Return the file of a run's arrays."""
        return self.path / "runs" / f"{run.key}.nc"

    def checkpoint_file(self, run: Run) -> Path:
        """Return the file a run keeps its state in."""
        return self.path / "checkpoints" / f"{run.key}.npz"

    @property
    def spectra(self) -> Path:
        """Where the spectra of large data sets are kept."""
        return self.path / "spectra"

    def lock(self, run: Run) -> files.Lock | None:
        """Claim a run for this process; None if another process has it."""
        return files.lock(files.folder_in(self.path, "locks") / run.key)

    def sweep(self, run: Run) -> None:
        """Remove the lock of a stored run, which its owner left if it was killed just then."""
        if (self.path / "locks" / run.key).exists() and (left := self.lock(run)) is not None:
            left.release()

    def read(self, run: Run) -> Record | None:
        """Return a stored run, or None if it is missing, damaged or another one."""
        return self.read_key(run.key)

    def read_key(self, key: str) -> Record | None:
        """Return the stored run of a key, or None if it is missing, damaged or another one."""
        try:
            folder = files.below(self.path, "runs")
            record = read_record(folder / f"{key}.nc", folder / f"{key}.json")
            check_arrays(record.arrays, folder)
        except InvalidInput:
            return None
        return record if record.manifest.get("key") == key else None

    def holds(self, key: str) -> bool:
        """Whether there is a file of a run, readable or not."""
        return (self.path / "runs" / f"{key}.json").exists()

    @property
    def holds_runs(self) -> bool:
        """Whether there is a file of any run."""
        return any((self.path / "runs").glob("*.json"))

    def write(self, run: Run, record: Record) -> None:
        """Store a run, whole or not at all, and drop its checkpoint."""
        folder = files.folder_in(self.path, "runs")
        write_record(folder / f"{run.key}.nc", folder / f"{run.key}.json", record)
        checkpoint = self.checkpoint_file(run)
        files.sweep(checkpoint)
        with suppress(OSError):
            checkpoint.unlink()

    def write_index(self, study: Study, entries: list[dict[str, Any]]) -> None:
        """Write the index of a study, unless it says the same already."""
        document = {"study": asdict(study), "runs": entries}
        text = json.dumps(document, indent=1) + "\n"
        path = files.folder_in(self.path, "studies") / f"{study.name}.json"
        with suppress(InvalidInput):
            if files.read(path, files.TEXT_BYTES) == text.encode():
                return
        files.write(path, text, remedy=files.STAYS)


def read_index(path: Path) -> dict[str, Any]:
    """Return the index of a study, checked.

    Raises
    ------
    InvalidInput
        If it is none, damaged, or its runs are of another result version.

    """
    again = "repeat inertial study, which writes it again"
    try:
        document = files.read_json(path)
        index = validated(document, _Index, "it", again)
    except InvalidInput as error:
        raise InvalidInput(f"{path} is not the index of a study: {error}") from None
    study = index.study
    for run in index.runs:
        if (
            run.method not in study.methods
            or run.rule not in study.rules
            or run.width not in study.widths
            or run.seed not in study.seeds
        ):
            raise InvalidInput(
                f"the index {path} is damaged or edited: {run.key} is not one of its runs; {again}."
            )
        if run.result_version != RESULT_VERSION:
            raise InvalidInput(
                f"the runs of the study {study.name} have result version {run.result_version} and "
                f"this is {RESULT_VERSION}; repeat inertial study, or install the version that "
                "made them."
            )
    found: dict[str, Any] = document
    return found


@dataclass(frozen=True)
class Stored:
    """A study as it lies in a folder: its runs that can be read, and how many cannot.

    `results` holds one data set a rule, as `join_all` returns it.
    """

    name: str
    results: tuple[xr.Dataset, ...]
    missing: int


def join_all(found: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join stored runs of one rule over (data, optimizer, width, seed); gaps are NaN.

    Data sets of the same name, such as different numbers of rows of one file, are told apart by
    their hash.
    """
    names = distinct_names(run.attrs for run in found)
    named = [run.assign_attrs(data=names[str(run.attrs["data_sha256"])]) for run in found]
    return _sized(join(named, _ALONG), named).assign_attrs(rule=found[0].attrs["rule"])


def _sized(joined: xr.Dataset, runs: Sequence[xr.Dataset]) -> xr.Dataset:
    """Add rows and inputs of every data set, 0 where none of its runs is there."""
    first = {run.attrs["data"]: run.attrs for run in reversed(runs)}
    none = {"n": 0, "d": 0}
    sizes = {k: ("data", [first.get(name, none)[k] for name in joined.data.values]) for k in none}
    return joined.assign(sizes)


def index_of(source: Path) -> Path | None:
    """Find the index of the study at a path: itself, or the only one there; None if there is none.

    Raises
    ------
    InvalidInput
        If the folder holds several studies.

    """
    if source.is_file():
        index = source.absolute()
        return index if (index.parent.name, index.suffix) == ("studies", ".json") else None
    found = sorted((source / "studies").glob("*.json"))
    if len(found) > 1:
        raise InvalidInput(
            f"{source} holds {len(found)} studies; give one of them: "
            f"{', '.join(str(path) for path in found)}."
        )
    return found[0] if found else None


def read_study(source: str | Path) -> xr.Dataset:
    """Return the runs of a study as one set of arrays, without computing anything.

    Parameters
    ----------
    source
        Folder of a study, or its index, ``studies/NAME.json`` below it.

    Returns
    -------
    xr.Dataset
        Records over (data, rule, optimizer, width, seed, step), all that the study has; NaN, and
        the status `missing`, where there is no run, and 0 rows for data sets without any; name and
        target of the study as attributes.

    Raises
    ------
    InvalidInput
        If there is no study, several, a damaged index, or no run that can be read.

    """
    path = index_of(Path(source))
    if path is None:
        here = Path(source)
        why = "it holds no" if here.is_dir() else "it is not its index,"
        why = f"{why} studies/NAME.json" if here.exists() else "there is no such folder"
        raise InvalidInput(
            f"{source} is not a study: {why}; give the folder that inertial study wrote."
        )
    index, folder = read_index(path), Folder(path.parents[1])
    records = {entry["key"]: folder.read_key(entry["key"]) for entry in index["runs"]}
    found = {key: record.arrays for key, record in records.items() if record is not None}
    if not found:
        raise InvalidInput(
            f"no run of the study in {source} can be read; compute it with inertial study."
        )
    study = index["study"]
    known = {str(run.attrs["data_sha256"]): run.attrs["data"] for run in found.values()}
    names = distinct_names(
        entry | {"data": known.get(entry["data_sha256"], entry["data"]["name"])}
        for entry in index["runs"]
    )
    axes = {
        "data": list(names.values()),
        "rule": study["rules"],
        "optimizer": study["methods"],
        "width": study["widths"],
        "seed": study["seeds"],
    }
    placed = [
        found[entry["key"]].assign_attrs(
            data=names[entry["data_sha256"]],
            rule=entry["rule"],
            optimizer=entry["method"],
            width=entry["width"],
            seed=entry["seed"],
        )
        for entry in index["runs"]
        if entry["key"] in found
    ]
    joined = _sized(join(placed, _ALONG_RULES, axes), placed)
    return joined.assign_attrs(study=study["name"], target=study["target"])


def read_studies(path: Path) -> list[Stored]:
    """Read all studies in a folder from their indices, without computing anything.

    Raises
    ------
    InvalidInput
        If an index is damaged.

    """
    folder = files.below(path, "studies")
    return [_read(index, Folder(path)) for index in sorted(folder.glob("*.json"))]


def _read(path: Path, folder: Folder) -> Stored:
    index = read_index(files.below(path.parent, path.name))
    found = [folder.read_key(entry["key"]) for entry in index["runs"]]
    by_rule: dict[str, list[xr.Dataset]] = {}
    for record in found:
        if record is not None:
            by_rule.setdefault(str(record.arrays.attrs["rule"]), []).append(record.arrays)
    results = tuple(join_all(group) for group in by_rule.values())
    return Stored(index["study"]["name"], results, sum(record is None for record in found))


@dataclass(frozen=True)
class Failure:
    """A run that could not be computed, and why, in one sentence."""

    run: Run
    reason: str


class Ledger:
    """Which runs of a study in a folder are done, taken, failed or still to do, for one process."""

    def __init__(self, study: Study, folder: Folder, runs: Sequence[Run]) -> None:
        self.study, self.folder = study, folder
        self.runs = {run.key: run for run in runs}
        self.damaged: list[Run] = []
        self.outcomes: dict[str, Outcome] = {}
        self.failures: list[Failure] = []
        self._costs: dict[str, Mapping[str, float]] = {}
        self.threads: dict[str, str | None] = {}
        self._expected: dict[str, dict[str, float]] = {}
        for key, run in self.runs.items():
            record = folder.read(run)
            if record is not None:
                self.outcomes[key] = "stored before"
                self._note(key, record)
                folder.sweep(run)
            elif folder.holds(key):
                self.damaged.append(run)
        self._locks: dict[str, files.Lock] = {}
        self._indexed = 0.0

    @property
    def missing(self) -> tuple[Run, ...]:
        """Runs that are neither stored nor failed nor claimed here."""
        return tuple(
            run
            for key, run in self.runs.items()
            if key not in self.outcomes and key not in self._locks
        )

    def expect(self, runs: Sequence[Run], predicted: Prediction) -> None:
        """Note what runs are predicted to cost; it is stored with them."""
        for run, seconds in zip(runs, predicted.per_run, strict=True):
            self._expected[run.key] = {
                "predicted_seconds": seconds,
                "predicted_memory_bytes": predicted.memory,
            }

    def claim(self) -> Run | None:
        """Claim the next missing run, or return None if all are done or claimed by others."""
        for run in self.missing:
            lock = self.folder.lock(run)
            if lock is None:
                continue
            if (record := self.folder.read(run)) is not None:
                lock.release()
                self._note(run.key, record)
                self.outcomes[run.key] = "computed elsewhere"
                continue
            self._locks[run.key] = lock
            return run
        return None

    def store(self, run: Run, record: Record) -> None:
        """Store a claimed run."""
        cost = self._expected.get(run.key, {}) | (record.manifest.get("cost") or {})
        whole = Record(record.arrays, record.manifest | {"cost": cost})
        self.folder.write(run, whole)
        self._note(run.key, whole)
        self._close(run, "computed")

    def fail(self, run: Run, reason: str) -> None:
        """Note that a claimed run cannot be computed; the others go on."""
        self.failures.append(Failure(run, reason))
        self._close(run, "failed")

    def release(self) -> None:
        """Give up all claims, so that others, or this process later, can have the runs."""
        while self._locks:
            self._locks.popitem()[1].release()

    def write_index(self) -> None:
        """Write the index now."""
        self._indexed = time.monotonic()
        self.folder.write_index(self.study, [self._entry(run) for run in self.runs.values()])

    def _note(self, key: str, record: Record) -> None:
        self._costs[key] = record.manifest.get("cost") or {}
        self.threads[key] = threads_of(record.manifest)

    def _close(self, run: Run, outcome: Outcome) -> None:
        self.outcomes[run.key] = outcome
        self._locks.pop(run.key).release()
        if time.monotonic() - self._indexed > _INDEX_SECONDS:
            self.write_index()

    def _entry(self, run: Run) -> dict[str, Any]:
        outcome = self.outcomes.get(run.key)
        state = "missing" if outcome is None else "failed" if outcome == "failed" else "done"
        reason = next((f.reason for f in self.failures if f.run.key == run.key), None)
        spec = asdict(run.spec)
        named = ("method", "rule", "width", "seed", "steps", "target", "precision")
        return {
            "key": run.key,
            "state": state,
            "reason": reason,
            "file": str(self.folder.run_file(run).relative_to(self.folder.path)),
            "data": asdict(run.data),
            "data_sha256": run.data_sha256,
            "result_version": run.version,
            **{name: spec[name] for name in named},
            "cost": self._costs.get(run.key),
        }


Engine = Callable[[Ledger, Progress, Prediction], None]
"""Computes all runs that a ledger still misses."""


@dataclass(frozen=True)
class Report:
    """What became of a study.

    `predicted` and `seconds` are the time of what this process had to compute, before and after;
    `threads` says how many runs were computed with which number of threads.
    """

    folder: Folder
    runs: tuple[Run, ...]
    computed: int
    stored_before: int
    computed_elsewhere: int
    damaged: int
    failures: tuple[Failure, ...]
    predicted: Prediction
    seconds: float
    threads: Mapping[str, int]

    @property
    def note(self) -> str | None:
        """Whether the runs had different numbers of threads, in one sentence."""
        if len(self.threads) < 2:
            return None
        counts = ", ".join(f"{runs} with {words}" for words, runs in self.threads.items())
        return (
            f"the runs had different numbers of threads ({counts}): computed again, their numbers "
            "are the same to rounding, and in every bit with the same number only."
        )


def run_study(
    study: Study,
    folder: Folder,
    *,
    progress: Progress | None = None,
    announce: Callable[[Prediction, int], None] | None = None,
    engine: Engine | None = None,
    predictor: Callable[..., Prediction] | None = None,
) -> Report:
    """Compute what is missing of a study.

    Parameters
    ----------
    study
        The study.
    folder
        Where runs are stored; other processes may work on the same one.
    progress
        Called every half second or so.
    announce
        Called with the predicted cost and the number of missing runs before the first starts.
    engine, predictor
        What computes runs, and predicts their cost, as `inertial.runs.cost.predict` does; by
        default this process, one after the other.

    Raises
    ------
    InvalidInput
        If a data set cannot be loaded here, or the folder cannot be written.

    """
    ledger = Ledger(study, folder, runs(study))
    ledger.write_index()
    show = progress or (lambda *_: None)
    missing = ledger.missing
    predicted = (predictor or partial(predict, warm=True))(missing, spectra=folder.spectra)
    ledger.expect(missing, predicted)
    if announce is not None:
        announce(predicted, len(missing))
    began = time.perf_counter()
    try:
        (engine or in_process)(ledger, show, predicted)
    finally:
        ledger.release()
        ledger.write_index()
    outcomes = list(ledger.outcomes.values())
    return Report(
        folder,
        tuple(ledger.runs.values()),
        outcomes.count("computed"),
        outcomes.count("stored before"),
        outcomes.count("computed elsewhere"),
        len(ledger.damaged),
        tuple(ledger.failures),
        predicted,
        time.perf_counter() - began,
        Counter(words for words in ledger.threads.values() if words is not None),
    )


def in_process(
    ledger: Ledger,
    show: Progress,
    predicted: Prediction,
    *,
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Compute one run after the other, and wait for those that other processes compute."""
    bar = Bar(ledger, show, predicted)
    while ledger.missing:
        run = ledger.claim()
        if run is None:
            bar.waiting()
            time.sleep(WAIT_SECONDS)
            continue
        try:
            record = compute(
                run,
                checkpoint=ledger.folder.checkpoint_file(run),
                spectra=ledger.folder.spectra,
                advance=bar.advance(run),
                save_seconds=save_seconds,
            )
        except InvalidInput as error:
            ledger.fail(run, str(error))
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            ledger.fail(run, f"it failed with {type(error).__name__}: {str(error).splitlines()[0]}")
        else:
            ledger.store(run, record)
        bar.done(run)


class Bar:
    """Progress of a ledger in predicted seconds: runs done, and the share of those on the way."""

    def __init__(self, ledger: Ledger, show: Progress, predicted: Prediction) -> None:
        keys = [run.key for run in ledger.missing]
        self._ledger, self._show = ledger, show
        self._weights = dict(zip(keys, predicted.per_run, strict=True))
        self._total = sum(predicted.per_run)
        self._steps: dict[str, int] = {}

    def advance(self, run: Run) -> Callable[[int], None]:
        """Return what is to be called with the number of steps just done of a run."""

        def advance(count: int) -> None:
            self._steps[run.key] = self._steps.get(run.key, 0) + count
            self._draw(run.label)

        return advance

    def done(self, run: Run) -> None:
        """Count a run as done."""
        self._steps.pop(run.key, None)
        self._draw(run.label)

    def waiting(self) -> None:
        """Say that only runs of other processes are left."""
        self._draw("waiting for another process")

    def _draw(self, label: str) -> None:
        # Copies, for a cluster reports steps from another thread; and a run that was stored before
        # has no weight, but another client may be computing it.
        finished = sum(self._weights.get(key, 0.0) for key in list(self._ledger.outcomes))
        partly = sum(
            self._weights.get(key, 0.0) * steps / (self._ledger.runs[key].spec.steps + 1)
            for key, steps in list(self._steps.items())
        )
        self._show(label, round(1000 * (finished + partly)), round(1000 * self._total))
