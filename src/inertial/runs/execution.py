"""Compute one run: the same numbers wherever and however often it is started.

A process keeps the spectrum of the last data set, because the runs of a study on one data set
follow each other; a study's folder keeps those of large ones.
"""

import hashlib
import json
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial.data import Data
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Spectrum
from inertial.method.modes import spectral_radius, stability_limit
from inertial.method.recursion import Recursion
from inertial.method.rules import choose
from inertial.problem.model import TwoLayerReLU
from inertial.runs import store
from inertial.runs.checkpoints import read_checkpoint, write_checkpoint
from inertial.runs.config import DataSet
from inertial.runs.job import Job, Run, code_version, load_data
from inertial.runs.spectra import kept_spectrum
from inertial.simulate.forecast import forecast
from inertial.simulate.span import Span, span
from inertial.simulate.train import Checkpoint, initial_residual, train
from inertial.simulate.trajectory import Trajectory

SAVE_SECONDS = 30.0
"""Seconds between two checkpoints of a run; shorter runs leave none."""

Advance = Callable[[int], None]
"""Called with the number of steps just done."""


@dataclass(frozen=True)
class Prepared:
    """A data set with its spectrum and measure, and the coordinates that training runs in."""

    data: Data
    spectrum: Spectrum
    measure: Measure
    within: Span


def execute(
    run: Run,
    *,
    checkpoint: Path | None = None,
    spectra: Path | None = None,
    advance: Advance | None = None,
    save_seconds: float = SAVE_SECONDS,
) -> xr.Dataset:
    """Compute one run.

    Parameters
    ----------
    run
        What to run, on which data and with which code.
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
    xr.Dataset
        `loss`, `max_distance`, `mean_distance`, `pattern_change` and `forecast_loss` over `step`,
        NaN after a divergence; `eigenvalue` and `weight` of the expected start over `mode`;
        configuration, step size and so on as attributes, the data's provenance and the versions as
        JSON, with the seconds since the run began here, at the step `resumed_at`.

    Raises
    ------
    InvalidInput
        If data or code are missing here or not the ones meant, or the kernel is singular.

    """
    job, began = run.job, time.perf_counter()
    _check_code(run)
    prepared = prepare(job.data, spectra, run.data_sha256)
    data = prepared.data
    method = tuned(job.data, job.rule, job.method, job.target, spectra, run.data_sha256)
    network = TwoLayerReLU(job.width, data.x.shape[1])
    fingerprint = _fingerprint(run, method, prepared.within)
    setup = time.perf_counter() - began
    saved = _resume(checkpoint, fingerprint, advance)
    measured = train(
        network,
        data.x,
        data.y,
        method,
        seed=job.seed,
        steps=job.steps,
        precision=job.precision,
        within=prepared.within,
        progress=advance,
        resume=saved,
        save=_saver(checkpoint, fingerprint),
        save_seconds=save_seconds,
    )
    residual = initial_residual(network, data.x, data.y, seed=job.seed, within=prepared.within)
    steps = np.arange(job.steps + 1)
    predicted = forecast(method, prepared.spectrum, residual, steps)
    arrays = _arrays(measured, predicted, prepared.measure, job.steps)
    return arrays.assign_attrs(
        _facts(run, prepared, method),
        status=measured.status,
        diverged_at=-1 if measured.diverged_at is None else measured.diverged_at,
        resumed_at=0 if saved is None else saved.step,
        setup_seconds=setup,
        seconds=time.perf_counter() - began,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


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
    return Prepared(loaded, *kept_spectrum(loaded, spectra), span(loaded.x))


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


def _check_code(run: Run) -> None:
    if code_version() != run.code:
        raise InvalidInput(
            "this machine has another version of inertial or its libraries than the study; "
            "install the same one."
        )


def _fingerprint(run: Run, method: Recursion, within: Span) -> str:
    """Hash of a run, of its method's numbers and of the coordinates its state is in.

    The numbers follow from the run, up to rounding that another machine does otherwise.
    """
    digest = hashlib.sha256(f"{run.key} {method!r} {jax.default_backend()}".encode())
    for part in (within.x, within.basis):
        digest.update(b"" if part is None else np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _resume(path: Path | None, fingerprint: str, advance: Advance | None) -> Checkpoint | None:
    saved = None if path is None else read_checkpoint(path, fingerprint)
    if saved is not None and advance is not None:
        advance(saved.step)
    return saved


def _saver(path: Path | None, fingerprint: str) -> Callable[[Checkpoint], None] | None:
    return None if path is None else lambda state: write_checkpoint(path, state, fingerprint)


def _arrays(
    measured: Trajectory, predicted: Trajectory, measure: Measure, steps: int
) -> xr.Dataset:
    """Join the records over all steps, NaN where a run or its forecast has ended, and the modes."""

    def padded(values: Float[np.ndarray, "t"] | None) -> Float[np.ndarray, "T"]:
        whole = np.full(steps + 1, np.nan)
        if values is not None:
            whole[: len(values)] = values
        return whole

    names = ("loss", "max_distance", "mean_distance", "pattern_change")
    variables = {name: ("step", padded(getattr(measured, name))) for name in names}
    variables["forecast_loss"] = ("step", padded(predicted.loss))
    variables["eigenvalue"] = ("mode", measure.nodes)
    variables["weight"] = ("mode", measure.weights)
    return xr.Dataset(variables, coords={"step": np.arange(steps + 1)})


def _facts(run: Run, prepared: Prepared, method: Recursion) -> dict[str, str | int | float]:
    """Everything a figure or a reader needs to know about a run."""
    job: Job = run.job
    ends, provenance = prepared.measure.ends, prepared.data.provenance
    return {
        "key": run.key,
        "data": provenance.name,
        "data_sha256": provenance.sha256,
        "provenance": json.dumps(asdict(provenance)),
        "environment": _environment(),
        "code": run.code,
        "n": provenance.n,
        "d": provenance.d,
        "optimizer": job.method,
        "rule": job.rule,
        "width": job.width,
        "seed": job.seed,
        "precision": job.precision,
        "target": job.target,
        **dict(zip(("eta", "beta", "gamma"), method.constant, strict=True)),
        "lambda_min": ends.smallest,
        "lambda_max": ends.largest,
        "spectral_radius": spectral_radius(method, prepared.measure.nodes),
        "stability_limit": stability_limit(method) / ends.largest,
    }


@cache
def _environment() -> str:
    """Versions, commit and machine, as JSON."""
    return json.dumps(store.environment())
