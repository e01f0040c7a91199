"""Compute one run: the same numbers wherever and however often it is started.

`execute` is the one way from a `Spec` and a prepared data set to a run's records: the network is
trained, its linearised forecast and its flows are set beside it.  `compute` does it for a study,
with checkpoints and kept spectra.  A process keeps the spectrum of the last data set, because the
runs of a study on one data set follow each other; a study's folder keeps those of large ones.
"""

import hashlib
import resource
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial import files
from inertial._checks import InvalidInput, Notice, printable
from inertial._types import Targets
from inertial.data import Data
from inertial.linear.expected import checked_ends, spectrum_of
from inertial.linear.kernel import finite_gram
from inertial.linear.measure import Measure, dense
from inertial.linear.spectrum import Spectrum, decompose
from inertial.linear.tangent import tangent
from inertial.method.batch import (
    fastest_for_batch,
    forecast_batches,
    forecast_batches_on_rows,
)
from inertial.method.bound import lower_bound, unreachable_share
from inertial.method.curve import steps_to
from inertial.method.modes import spectral_radius, stability_limit
from inertial.method.recursion import FAMILIES, Recursion
from inertial.method.response import decayed_loss
from inertial.method.rules import DEFAULT_RULE, choose
from inertial.method.schedule import SCHEDULES, for_measure
from inertial.problem.devices import agreed, first_process, mesh_of
from inertial.problem.loss import LOSSES, hits_of
from inertial.problem.model import TwoLayerReLU, start_key
from inertial.problem.problem import Problem
from inertial.runs.config import DataSet
from inertial.runs.model_runs import optimiser_of
from inertial.runs.observables import OBSERVABLES, coefficients_of, first_steps, padded
from inertial.runs.settings import COMPANIONS
from inertial.runs.spec import RESULT_VERSION, Run, Spec, load_data
from inertial.runs.stopping import forecasts_of, network_modes, observables_of
from inertial.runs.store import Record, environment, read_record, threads_of, write_record
from inertial.simulation.curves import learning_curve
from inertial.simulation.forecast import forecast
from inertial.simulation.integrate import decayed_flow_loss, flow_loss
from inertial.simulation.simulate import NEURONS, simulate
from inertial.simulation.simulate import Run as Simulated
from inertial.simulation.span import Span, span
from inertial.simulation.train import Checkpoint, initial_residual, train
from inertial.simulation.trajectory import Trajectory
from inertial.simulation.transformations import TRANSFORMATIONS, Optax

SAVE_SECONDS = 30.0
"""Seconds between two checkpoints of a run; shorter runs leave none."""

Advance = Callable[[int], None]
"""Called with the number of steps just done."""

_FORECAST_STEPS = 20_000
"""How far ahead step counts are forecast, whatever the length of the run."""

_BATCH_STEPS = 5_000
"""The same on batches, whose forecast takes a step for a step."""
_DECAY_STEPS = 5_000
"""The same with weight decay, which is run step by step."""

_BOUND_STEPS = 300
"""How far the lower bound is taken; Lanczos' work grows with the square."""

_KEPT_ROWS = 2000
"""Spectra of fewer rows are computed again: that takes seconds."""

_DAMAGE = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, TypeError),
    *(AttributeError, zipfile.BadZipFile, zlib.error),
)
"""What reading a damaged archive of arrays raises."""


@dataclass(frozen=True)
class Prepared:
    """A data set with its spectrum and measure, and the coordinates that training runs in."""

    data: Data
    spectrum: Spectrum
    measure: Measure
    within: Span

    @classmethod
    def of(cls, data: Data, spectra: Path | None = None) -> "Prepared":
        """Decompose the kernel of `data`, or take it from a folder; find the inputs' span."""
        return cls(data, *kept_spectrum(data, spectra), span(data.x))


@dataclass(frozen=True)
class Start:
    """A random start: the network's residual there, and the spectrum that its forecast uses."""

    residual: Targets
    spectrum: Spectrum

    @cached_property
    def measure(self) -> Measure:
        """The measure of this start."""
        return dense(self.spectrum, self.spectrum.modes(self.residual) ** 2)

    @cached_property
    def bound(self) -> Float[np.ndarray, "t"]:
        """Loss at steps 0, 1, ... that no gradient method can beat on the linearised network."""
        return lower_bound(self.measure, _BOUND_STEPS).certain


def start_of(spec: Spec, prepared: Prepared) -> Start:
    """Return the random start of a spec, which all methods share."""
    data, network = prepared.data, TwoLayerReLU(spec.width, prepared.data.x.shape[1])
    residual = initial_residual(network, data.x, data.y, seed=spec.seed, within=prepared.within)
    if spec.kernel == "infinite":
        return Start(residual, prepared.spectrum)
    w, _ = network.init(start_key(spec.seed))
    return Start(residual, decompose(finite_gram(data.x, np.asarray(w)), overwrite=True))


def method_of(spec: Spec, prepared: Prepared) -> Recursion | Optax:
    """Choose the method of a spec by its rule, or take what was given by hand."""
    if spec.method in TRANSFORMATIONS:
        if spec.eta is not None:
            return Optax(spec.method, spec.eta)
        problem = problem_of(spec, prepared.data)
        return optimiser_of(spec.method, problem, tangent(problem))
    measure = prepared.measure.shifted(spec.decay) if spec.decay else prepared.measure
    if spec.method in SCHEDULES:
        return for_measure(spec.method, measure, spec.steps)
    if spec.batch is not None and spec.rule == DEFAULT_RULE:
        return fastest_for_batch(
            spec.method, prepared.measure, spec.batch, target=spec.target, decay=spec.decay or 0.0
        )[0]
    if spec.eta is None:
        return choose(spec.rule, spec.method, measure, target=spec.target)
    return FAMILIES[spec.method](spec.eta, spec.beta or 0.0)


def execute(
    spec: Spec,
    prepared: Prepared,
    method: Recursion | Optax | None = None,
    *,
    start: Start | None = None,
    advance: Advance | None = None,
    resume: Checkpoint | None = None,
    save: Callable[[Checkpoint], None] | None = None,
    save_seconds: float = SAVE_SECONDS,
    devices: int = 1,
) -> xr.Dataset:
    """Train one network, and set the forecast of the linearised one and the flows beside it.

    Parameters
    ----------
    spec
        How.
    prepared
        On what.
    method, start
        What `method_of` and `start_of` return, to share them among runs; computed if absent.
    advance
        Called with the number of steps just done, every half second or so.
    resume, save, save_seconds, devices
        As in `inertial.simulation.train.train`.

    Returns
    -------
    xr.Dataset
        The `OBSERVABLES` of one run over `step`, NaN after a divergence, with what it is as
        attributes.

    """
    data, measure = prepared.data, prepared.measure
    method = method or method_of(spec, prepared)
    start = start or start_of(spec, prepared)
    steps = np.arange(spec.steps + 1)
    measured: Trajectory | Simulated
    if isinstance(method, Optax):
        measured, forecasts = _by_optax(spec, data, method, advance)
    else:
        measured = train(
            TwoLayerReLU(spec.width, data.x.shape[1]),
            data.x,
            data.y,
            method,
            seed=spec.seed,
            steps=spec.steps,
            precision=spec.precision,
            record_residual=spec.record_residuals,
            within=prepared.within,
            batch=spec.batch,
            order=spec.order or "fresh",
            decay=spec.decay or 0.0,
            held_out=None if data.test is None else data.test.x,
            progress=advance,
            resume=resume,
            save=save,
            save_seconds=save_seconds,
            devices=devices,
        )
        forecasts = _forecast(spec, method, start, measure, data)
        if (spec.decay or data.test is not None) and spec.batch is None:
            forecasts |= _with_test_rows(spec, method, start, data)
    if spec.batch is None and not spec.decay:  # gradients of some rows reach further than of all
        forecasts["bound_loss"] = start.bound[: spec.steps + 1]
        forecasts["unreachable"] = np.array(unreachable_share(start.measure))
    found = {
        **_records(measured, data),
        **forecasts,
        "eigenvalue": measure.nodes,
        "weight": measure.weights,
    }
    if spec.kernel == "finite":
        found |= {"start_eigenvalue": start.measure.nodes, "start_weight": start.measure.weights}
    variables = {
        name: (OBSERVABLES[name].dims, padded(name, values, spec.steps + 1))
        for name, values in found.items()
    }
    coords: dict[str, Any] = {"step": steps}
    coords |= {"share": list(spec.shares)} if spec.shares else {}
    coords |= {"flow": list(spec.flows)} if spec.flows else {}
    diverged = measured.diverged_at
    return xr.Dataset(
        variables,
        coords=coords,
        attrs={
            **_facts(spec, prepared, method),
            "status": measured.status,
            "diverged_at": -1 if diverged is None else diverged,
        },
    )


def _forecast(
    spec: Spec, method: Recursion, start: Start, measure: Measure, data: Data
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return losses, step counts and flows of the linearised network, and a schedule's entries."""
    if spec.batch is not None:
        return _forecast_batches(spec, method, start, data)
    found = {
        "forecast_loss": forecast(
            method, start.spectrum, start.residual, np.arange(spec.steps + 1)
        ).loss
    }
    if spec.shares:
        counts = [
            steps_to(method, start.measure, share, limit=_FORECAST_STEPS) for share in spec.shares
        ]
        found["forecast_steps"] = np.array(counts, dtype=float)
    if spec.flows:
        found["flow_loss"] = _flow_losses(spec, method, start, measure, data)
    if method.steps is not None:
        eta, beta, _ = method.coefficients(0, spec.steps)
        found["schedule_eta"], found["schedule_beta"] = (np.append(v, np.nan) for v in (eta, beta))
    return found


def _forecast_batches(
    spec: Spec, method: Recursion, start: Start, data: Data
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the expected loss on fresh batches with its spread, and its step counts.

    Counts beyond the run come from the forecast without eigenvectors, which there is without decay.
    They are unknown where by the run's end the expected loss on the rows as they are has not
    fallen, or has not reached what that forecast has within the run.
    The network is homogeneous in the hidden layer, so ``J w_0`` are its outputs.
    """
    assert spec.batch is not None  # noqa: S101 - the caller has looked
    near = forecast_batches_on_rows(
        method, start.spectrum, start.residual, spec.batch, spec.steps,
        decay=spec.decay or 0.0, shrunk=start.residual + data.y,
    )  # fmt: skip
    found = {"forecast_loss": near.loss, "forecast_spread": near.spread}
    if spec.shares:
        counts = [near.steps_to(share) for share in spec.shares]
        if None in counts and not spec.decay and near.loss[-1] < near.loss[0]:
            far = forecast_batches(method, start.measure, spec.batch, _BATCH_STEPS)
            beyond = [far.steps_to(share) for share in spec.shares]
            counts = [
                b if c is None and b is not None and b > spec.steps else c
                for c, b in zip(counts, beyond, strict=True)
            ]
        found["forecast_steps"] = np.array(counts, dtype=float)
    return found


def _with_test_rows(
    spec: Spec, method: Recursion, start: Start, data: Data
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the forecast with weight decay, and on test rows."""
    modes = network_modes(
        data, start.spectrum, width=spec.width, seed=spec.seed, decay=spec.decay or 0.0,
        finite=spec.kernel == "finite",
    )  # fmt: skip
    curve = modes.curve(method, spec.steps)
    found = forecasts_of(curve)
    if spec.decay:
        last = _DECAY_STEPS if method.steps is None else method.steps
        losses = decayed_loss(
            method, start.spectrum.eigenvalues, modes.residual.coordinates,
            start.spectrum.modes(modes.train.outputs), last, decay=spec.decay,
        )  # fmt: skip
        found["forecast_steps"] = first_steps(losses, spec.shares)
    return found


def problem_of(spec: Spec, data: Data) -> Problem:
    """Return the papers' network of a spec as a problem."""
    network = TwoLayerReLU(spec.width, data.x.shape[1])
    test = None if data.test is None else (data.test.x, data.test.y)
    return Problem(
        network, "half_sum", data.x, data.y, seed=spec.seed, test=test, decay=spec.decay or 0.0
    )


def _by_optax(
    spec: Spec, data: Data, method: Optax, advance: Advance | None
) -> tuple[Simulated, dict[str, Float[np.ndarray, "..."]]]:
    """Train network and linearised network by an optimiser of optax, in the inputs' coordinates."""
    problem, optimiser = problem_of(spec, data), method.build()
    wanted = (*NEURONS, *observables_of(problem))
    run = simulate(problem, optimiser, steps=spec.steps, observables=wanted, progress=advance)
    curve = learning_curve(problem, optimiser, steps=spec.steps)
    return run, forecasts_of(curve) | {"forecast_steps": first_steps(curve.loss, spec.shares)}


def _records(run: Trajectory | Simulated, data: Data) -> dict[str, Any]:
    """Return what a run has recorded, by name."""
    if isinstance(run, Simulated):
        return dict(run.records)
    names = ("loss", *NEURONS, *(() if run.residual is None else ("residual",)))
    found = {name: getattr(run, name) for name in names}
    if run.test_outputs is None or data.test is None:
        return found
    targets, hits = data.test.y, hits_of(LOSSES["half_sum"], data.y[:, None])
    found["test_loss"] = 0.5 * np.sum((run.test_outputs - targets) ** 2, axis=1)
    if hits is not None:
        found["test_accuracy"] = np.array([hits(f[:, None], targets) for f in run.test_outputs])
    return found


def execute_resumably(
    spec: Spec,
    prepared: Prepared,
    method: Recursion | Optax,
    folder: Path,
    *,
    start: Start,
    advance: Advance,
    devices: int = 1,
) -> xr.Dataset:
    """Return what `execute` does, from where an interrupted process has left it in a folder.

    A finished run is kept there as well; of several processes the first writes, and all read.

    Raises
    ------
    InvalidInput
        If not all processes see the same folder.

    """
    key, fingerprint, state = _kept(spec, prepared, method, folder)
    stored = state.with_suffix(".nc")
    # A state has no outputs on test rows of earlier steps: with some, a run starts again.
    whole = prepared.data.test is not None
    saved, record = None if whole else read_checkpoint(state, fingerprint, spec, prepared), None
    if files.is_regular(stored):
        with suppress(InvalidInput):  # damaged: it is computed again
            record = read_record(stored, stored.with_suffix(".json"))
    own = np.array([0 if saved is None else saved.step, record is not None], float)
    if not np.array_equal(agreed(own, mesh_of(devices)), own):
        raise InvalidInput(
            f"not all processes see the same {folder}; give a folder on a shared file system with "
            "--checkpoint."
        )
    if record is not None:
        _say_other_threads("a run that was finished before", threads_of(record.manifest))
        advance(spec.steps + 1)
        return record.arrays
    if saved is not None:
        advance(saved.step)
    arrays = execute(
        spec,
        prepared,
        method,
        start=start,
        advance=advance,
        resume=saved,
        save=None if whole else lambda reached: write_checkpoint(state, reached, fingerprint),
        devices=devices,
    )
    if first_process():
        manifest = {"key": key, "result_version": RESULT_VERSION, **environment()}
        try:
            files.folder_in(folder.parent, folder.name)
            write_record(stored, stored.with_suffix(".json"), Record(arrays, manifest))
        except InvalidInput as error:
            words = f"a finished run is not kept ({error}); if interrupted, it is trained again."
            warnings.warn(words, Notice, stacklevel=2)
    return arrays


def forget(spec: Spec, prepared: Prepared, method: Recursion | Optax, folder: Path) -> None:
    """Remove what `execute_resumably` has kept of a run, and the folder if that leaves it empty."""
    state = _kept(spec, prepared, method, folder)[2]
    for suffix in (".npz", ".nc", ".json"):
        state.with_suffix(suffix).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _kept(
    spec: Spec, prepared: Prepared, method: Recursion | Optax, folder: Path
) -> tuple[str, str, Path]:
    """Return a run's key and fingerprint, and the file for its state."""
    provenance = prepared.data.provenance
    key = Run(spec, DataSet(provenance.name), provenance.sha256).key
    fingerprint = _fingerprint(key, method, prepared.within, provenance.test_sha256)
    return key, fingerprint, folder / f"{fingerprint[:24]}.npz"


def compute(
    run: Run,
    *,
    checkpoint: Path | None = None,
    spectra: Path | None = None,
    advance: Advance | None = None,
    save_seconds: float = SAVE_SECONDS,
) -> Record:
    """Compute one run of a study.

    Parameters
    ----------
    run
        What to run, on which data and in which version.
    checkpoint
        File to go on from if it is there and fits, and to keep the state in along the way.
    spectra
        Folder to keep the spectra of large data sets in.
    advance
        Called with the number of steps just done, every half second or so.
    save_seconds
        Seconds between two checkpoints.

    Returns
    -------
    Record
        What `execute` returns, and a manifest with settings, data and versions, and the seconds
        since the run began here, at the step `resumed_at`.

    Raises
    ------
    InvalidInput
        If data or code are missing here or not the ones meant, or the kernel is singular.

    """
    spec, began = run.spec, time.perf_counter()
    if run.version != RESULT_VERSION:
        raise InvalidInput(
            f"the study has result version {run.version} and inertial on this machine "
            f"{RESULT_VERSION}; install the same one."
        )
    prepared = prepare(run.data, spectra, run.data_sha256)
    method = tuned(run.data, spec.rule, spec.method, spec.target, spectra, run.data_sha256)
    fingerprint = _fingerprint(run.key, method, prepared.within)
    setup = time.perf_counter() - began
    saved = None if checkpoint is None else read_checkpoint(checkpoint, fingerprint, spec, prepared)
    if saved is not None and advance is not None:
        advance(saved.step)

    def save(state: Checkpoint) -> None:
        if checkpoint is not None:
            write_checkpoint(checkpoint, state, fingerprint)

    arrays = execute(
        spec,
        prepared,
        method,
        advance=advance,
        resume=saved,
        save=None if checkpoint is None else save,
        save_seconds=save_seconds,
    )
    cost = {
        "resumed_at": 0 if saved is None else saved.step,
        "setup_seconds": setup,
        "seconds": time.perf_counter() - began,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    manifest = {
        "key": run.key,
        "result_version": run.version,
        "settings": asdict(spec) | {"methods": [spec.method], "seeds": [spec.seed]},
        "data": asdict(prepared.data.provenance),
        "methods": [{"name": spec.method, **asdict(method)}],
        "cost": cost,
        **environment(),
    }
    return Record(arrays, manifest)


def prepare(data: DataSet, spectra: Path | None = None, sha256: str | None = None) -> Prepared:
    """Load a data set, decompose its kernel and find the span of its inputs; the last is kept.

    With the hash of the arrays that are meant, others are refused; and as the file behind a name
    may change while a process lives, they are loaded anew for another hash.
    """
    return _prepared(data, spectra, sha256)


@lru_cache(maxsize=1)
def _prepared(data: DataSet, spectra: Path | None, sha256: str | None) -> Prepared:
    loaded = load_data(data)
    found = loaded.provenance
    if sha256 not in (None, found.sha256):
        raise InvalidInput(
            f"the data set {found.name} on this machine ({found.source}) differs from the study's; "
            "put the same files there."
        )
    return Prepared.of(loaded, spectra)


@lru_cache(maxsize=32)
def tuned(
    data: DataSet,
    rule: str,
    method: str,
    target: float,
    spectra: Path | None = None,
    sha256: str | None = None,
) -> Recursion:
    """Tune a method for a data set; the hash of its arrays as in `prepare`."""
    return choose(rule, method, prepare(data, spectra, sha256).measure, target=target)


def kept_spectrum(data: Data, folder: Path | None) -> tuple[Spectrum, Measure]:
    """Return `spectrum_of` a data set from `folder`, or compute and keep it there.

    A decomposition takes a time that grows with the cube of n, reading it back one with the
    square; so that of a large kernel is kept.  A zip archive's checksums show damage.

    Raises
    ------
    InvalidInput
        If the kernel is singular to rounding.

    """
    if folder is None or not kept(len(data.y)):
        return spectrum_of(data)
    path = spectrum_file(folder, data.provenance.sha256)
    arrays = _read_arrays(path)
    n = len(data.y)
    if arrays is not None and _fit(arrays, {"eigenvalues": (n,), "basis": (n, n), "weights": (n,)}):
        try:
            spectrum = Spectrum(arrays["eigenvalues"], arrays["basis"])
            ends = checked_ends(spectrum.extremes, data.x)
            return spectrum, Measure(spectrum.eigenvalues, arrays["weights"], ends)
        except _DAMAGE:
            pass
    spectrum, measure = spectrum_of(data)
    _write_arrays(
        path,
        {
            "eigenvalues": spectrum.eigenvalues,
            "basis": spectrum.basis,
            "weights": measure.weights,
        },
        "the spectrum could not be kept ({}); the next process computes it again.",
    )
    return spectrum, measure


def spectrum_file(folder: Path, data_sha256: str) -> Path:
    """Where the spectrum of a data set is kept, by the hash of its arrays and the version."""
    return folder / f"{data_sha256[:24]}-{RESULT_VERSION}.npz"


def kept(n: int) -> bool:
    """Whether the spectrum of n rows is kept in a file."""
    return n >= _KEPT_ROWS


def write_checkpoint(path: Path, state: Checkpoint, fingerprint: str) -> None:
    """Replace the checkpoint at `path`; a failure is a warning, for the run can do without.

    A checkpoint belongs to a fingerprint of everything its coordinates mean: a run on another
    machine, whose basis of the inputs' span may differ, starts again instead of going on from it.
    """
    _write_arrays(
        path,
        {item.name: getattr(state, item.name) for item in fields(Checkpoint)}
        | {"fingerprint": fingerprint, "threads": threads_of(environment()) or ""},
        "no checkpoint could be written ({}); the run goes on, but starts again if interrupted.",
    )


def read_checkpoint(
    path: Path, fingerprint: str, spec: Spec, prepared: Prepared
) -> Checkpoint | None:
    """Return the checkpoint at `path`, or None if there is none that fits: damaged, or foreign.

    One that was written with another number of threads is a notice.
    """
    arrays = _read_arrays(path)
    if arrays is None or str(arrays.pop("fingerprint", "")) != fingerprint:
        return None
    threads, steps = str(arrays.pop("threads", "")), np.size(arrays.get("loss", ()))
    inputs = prepared.data if spec.decay else prepared.within
    neurons = (spec.width, inputs.x.shape[1])
    shapes: dict[str, tuple[int, ...]] = {item.name: (steps,) for item in fields(Checkpoint)} | {
        "step": (),
        "displacement": neurons,
        "momentum": neurons,
        "residual": (steps, len(inputs.x) if spec.record_residuals else 0),
    }
    if not (0 < steps <= spec.steps and _fit(arrays, shapes) and arrays["step"] == steps):
        return None
    _say_other_threads("an interrupted run", threads)
    return Checkpoint(**arrays | {"step": steps})


def _say_other_threads(what: str, before: str | None) -> None:
    """Say that what was computed before had another number of threads than this process."""
    now = threads_of(environment())
    if before and before != now:
        warnings.warn(
            f"{what} had {printable(before)} threads and this process has {now}: the numbers agree "
            "to rounding with those of one go, not in every bit.",
            Notice,
            stacklevel=3,
        )


def _write_arrays(path: Path, arrays: dict[str, Any], failure: str) -> None:
    """Write arrays to an archive in its folder, or warn."""
    try:
        files.folder_in(path.parents[1], path.parent.name)
        with files.writing(path, remedy="check the disk") as file:
            np.savez(file, **arrays)
    except InvalidInput as error:
        warnings.warn(failure.format(str(error)), Notice, stacklevel=3)


def _read_arrays(path: Path) -> dict[str, Any] | None:
    """Return the arrays of an archive, or None if there is none, or a damaged or packed one."""
    try:
        if not files.is_regular(path):
            return None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if any(part.compress_type != zipfile.ZIP_STORED for part in stored.zip.infolist()):
                return None  # not ours, and it may unpack to any size
            return {name: stored[name] for name in stored.files}
    except _DAMAGE:
        return None


def _fit(arrays: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether these are the arrays, of numbers and in these shapes, and no others."""
    return set(arrays) == set(shapes) and all(
        isinstance(array, np.ndarray) and array.dtype.kind in "fi" and array.shape == shapes[name]
        for name, array in arrays.items()
    )


def _fingerprint(
    key: str, method: Recursion | Optax, within: Span, test_sha256: str | None = None
) -> str:
    """Hash of a run, its method's numbers, the coordinates of its state, and its test rows.

    The numbers follow from the run, up to rounding, which another machine or version of JAX does
    otherwise.
    """
    words = (key, repr(method), jax.default_backend(), version("jax"), version("jaxlib"))
    tested = () if test_sha256 is None else (test_sha256,)
    digest = hashlib.sha256(" ".join((*words, *tested)).encode())
    for part in (within.x, within.basis):
        digest.update(b"" if part is None else np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _flow_losses(
    spec: Spec,
    method: Recursion,
    start: Start,
    measure: Measure,
    data: Data,
) -> Float[np.ndarray, "flow T"]:
    """Losses of the method's flows at the times of its steps."""
    steps = np.arange(spec.steps + 1)
    eta, _, _ = method.constant
    losses, own, decay = [], start.measure, spec.decay or 0.0
    for key in spec.flows:
        flow = COMPANIONS[key].build((measure.smallest + decay) / 2, eta)
        times = flow.time(steps, eta)
        if decay:  # the outputs at the start are J w_0: the network is homogeneous in its layer
            first = start.spectrum.modes(start.residual)
            shrunk = first + start.spectrum.modes(data.y)
            losses.append(decayed_flow_loss(flow, own.nodes, first, shrunk, times, decay=decay))
        else:
            losses.append(flow_loss(flow, own.nodes, own.weights, times))
    return np.array(losses)


def _facts(
    spec: Spec, prepared: Prepared, method: Recursion | Optax
) -> dict[str, str | int | float]:
    """Collect what a figure or a reader needs to know about a run."""
    ends, provenance = prepared.measure.ends, prepared.data.provenance
    return {
        "data": provenance.name,
        "data_sha256": provenance.sha256,
        "n": provenance.n,
        "d": provenance.d,
        "optimizer": spec.method,
        "rule": spec.rule,
        "width": spec.width,
        "seed": spec.seed,
        "precision": spec.precision,
        "kernel": spec.kernel,
        "target": spec.target,
        **coefficients_of(method),
        "lambda_min": ends.smallest,
        "lambda_max": ends.largest,
        **_stability(method, prepared.measure),
    }


def _stability(method: Recursion | Optax, measure: Measure) -> dict[str, float]:
    """Return spectral radius and limit of the step size, which constant coefficients have."""
    if isinstance(method, Optax) or method.steps is not None:
        return {"spectral_radius": np.nan, "stability_limit": np.nan}
    return {
        "spectral_radius": spectral_radius(method, measure.nodes),
        "stability_limit": stability_limit(method) / measure.ends.largest,
    }
