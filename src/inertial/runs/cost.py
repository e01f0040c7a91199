r"""What a study will take, from a few steps timed on this machine; `space` adds memory and disk.

Neurons pass in tiles of equal shape, so a step takes :math:`a + b k` for k tiles, and a and b
follow from timing the real trainer on one and on three tiles; between the narrowest and the widest
network of a study they are interpolated.  Setting up a data set is timed on its first rows and
carried on to all of them.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput
from inertial._types import Inputs
from inertial.data import Data
from inertial.linear.expected import spectrum_of
from inertial.linear.measure import Measure
from inertial.method.curve import forecast_loss
from inertial.method.recursion import nesterov
from inertial.problem.model import TwoLayerReLU
from inertial.runs.config import DataSet
from inertial.runs.job import Run, load_data
from inertial.runs.records import write_record
from inertial.runs.space import (
    Shape,
    checkpoint_bytes,
    dimensions,
    file_bytes,
    memory_of,
    spectra_bytes,
)
from inertial.runs.spectra import spectrum_file
from inertial.simulate.span import Span, span
from inertial.simulate.step import layout
from inertial.simulate.train import initial_residual, train

_TIMED_SECONDS = 0.3
"""How long steps of one shape are timed."""

_TIMED_LOOKS = 5
"""Chunks of equal length to time, unless steps take so long that there is no time for them."""

_SETUP_ROWS = 2000
"""Rows on which setting up a data set is timed: a decomposition grows as their cube from here."""

_STORED = 7
"""Arrays in a run's file."""

_SETUP_LOOKS = 4
"""How often that is done at most: once to compile, then to be timed."""


@dataclass(frozen=True)
class Timing:
    """Seconds of a step, of what surrounds a run, and once per shape of the compilation."""

    step: float
    around: float
    compilation: float


@dataclass(frozen=True)
class Prediction:
    """Cost of runs.

    `seconds` is the wall time on `workers` processes, `per_run` that of every run by itself, both
    with setting up; `memory` the largest of a process and `disk` all run files, in bytes.
    """

    seconds: float
    per_run: tuple[float, ...]
    memory: int
    disk: int
    workers: int


def predict(
    runs: Sequence[Run],
    *,
    workers: int = 1,
    warm: bool = False,
    spectra: Path | None = None,
    report: Callable[[str], None] | None = None,
) -> Prediction:
    """Predict the cost of runs, timing a few steps of every kind on this machine.

    Parameters
    ----------
    runs
        Runs in the order they are computed in.
    workers
        Processes that share them; this one stands for any of them.  Each sets up the data and
        compiles by itself, so the first runs of every kind, one a process, are charged with it.
    warm
        Whether this process is the one to compute them, and has compiled what it timed.
    spectra
        Folder with spectra that need not be computed again.
    report
        Called with what is being timed.

    """
    say = report or (lambda _: None)
    seconds, memory, disk = [], [0], 0
    setups: Counter[DataSet] = Counter()
    compiled: Counter[Shape] = Counter()
    sizes = {run.job.data: _widths(run.job.data, runs) for run in runs}
    for run in runs:
        job = run.job
        say(f"timing {job.data.name}")
        shape = Shape(*dimensions(job.data), job.width, job.precision)
        timing = _interpolated(shape, sizes[job.data])
        total = timing.step * (job.steps + 1) + timing.around + _forecast(shape.n, job.steps)
        total += _storing()
        if setups[job.data] < workers:
            known = spectra is not None and spectrum_file(spectra, run.data_sha256).exists()
            total += _setup(job.data, known, warm)
        if compiled[shape] < workers and not (warm and job.width in sizes[job.data]):
            total += timing.compilation
        setups[job.data] += 1
        compiled[shape] += 1
        seconds.append(total)
        memory.append(memory_of(shape))
        disk += file_bytes(shape.n, job.steps)
    extra = checkpoint_bytes(runs, seconds, workers) + spectra_bytes(setups)
    return Prediction(_wall(seconds, workers), tuple(seconds), max(memory), disk + extra, workers)


def _widths(data: DataSet, runs: Sequence[Run]) -> tuple[int, int]:
    widths = [run.job.width for run in runs if run.job.data == data]
    return min(widths), max(widths)


def _interpolated(shape: Shape, ends: tuple[int, int]) -> Timing:
    """Interpolate the timing at a width between two that are timed."""
    low, high = (timed(Shape(shape.n, shape.d, shape.inputs, w, shape.precision)) for w in ends)
    share = (shape.width - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.0

    def between(what: str) -> float:
        return float((1 - share) * getattr(low, what) + share * getattr(high, what))

    return Timing(between("step"), between("around"), between("compilation"))


@lru_cache(maxsize=256)
def timed(shape: Shape) -> Timing:
    """Time the real trainer on synthetic inputs of a shape."""
    tiles, neurons = layout(shape.n, shape.width)
    few: Sequence[int] = (tiles,) if tiles <= 3 else (1, 3)
    first, *others = (
        _timed(replace(shape, width=min(neurons * count, shape.width))) for count in few
    )
    if not others:
        return first
    slope = (others[0].step - first.step) / (few[1] - few[0])
    return Timing(
        first.step + slope * (tiles - few[0]),
        # Around the run, the start is measured once, at about half the price of a step in float64.
        first.around + slope * (tiles - few[0]),
        max(first.compilation, others[0].compilation),
    )


class _Enough(Exception):  # noqa: N818 - stops a timing, no error
    """Raised inside the trainer when the timing is done."""


def _timed(shape: Shape) -> Timing:
    """Time the start and the steps of training."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((shape.n, shape.d)) / np.sqrt(shape.d)
    basis = None
    if shape.inputs < shape.d:
        basis = np.linalg.qr(rng.standard_normal((shape.d, shape.inputs)))[0]
    within = Span(x if basis is None else x @ basis, basis)
    cold, step = _trained(shape, x, within)
    warm, _ = _trained(shape, x, within, seconds=0.0)
    return Timing(step, warm, max(0.0, cold - warm))


def _trained(
    shape: Shape, x: Inputs, within: Span, seconds: float = _TIMED_SECONDS
) -> tuple[float, float]:
    """Seconds until the first step is done, and of a step after that."""
    looks: list[tuple[float, int]] = []

    def look(count: int) -> None:
        looks.append((time.perf_counter(), count))
        elapsed = looks[-1][0] - looks[0][0]
        alike = sum(before == count for _, before in looks[1:])
        if elapsed > 10 * seconds or (elapsed > seconds and alike >= _TIMED_LOOKS):
            raise _Enough

    network, y, began = TwoLayerReLU(shape.width, shape.d), np.zeros(len(x)), time.perf_counter()
    initial_residual(network, x, y, seed=0, within=within)
    with suppress(_Enough):
        train(
            network,
            x,
            y,
            nesterov(1e-6, 0.5),
            seed=0,
            steps=100_000,
            precision=shape.precision,
            within=within,
            progress=look,
        )
    # The longest chunks, as in a run; and their median, for other work makes some looks late.
    most = max(count for _, count in looks[1:])
    steps = [(b[0] - a[0]) / b[1] for a, b in pairwise(looks) if b[1] == most]
    return looks[0][0] - began, float(np.median(steps))


@lru_cache(maxsize=64)
def _setup(data: DataSet, known: bool, warm: bool) -> float:  # noqa: FBT001 - for the cache
    """Seconds to load a data set and, unless its spectrum is known, to decompose its kernel."""
    began = time.perf_counter()
    whole = load_data(data)
    loading = time.perf_counter() - began
    if known:
        return loading
    try:
        return loading + decomposing(whole, warm=warm)
    except InvalidInput:  # a singular kernel: its runs will fail and say so
        return loading


def decomposing(data: Data, *, warm: bool) -> float:
    """Seconds to decompose a kernel and find the span of its inputs, with compiling what does.

    Timed on the first rows and carried on: the decomposition as n^3, which it follows once the
    kernel has outgrown the fast memory, and the span as n d min(n, d).  A warm process, the one
    that will do it, has compiled for so many rows when it has timed them all.
    """
    n, d = data.x.shape
    rows = min(n, _SETUP_ROWS)
    part = Data(data.x[:rows], data.y[:rows], data.provenance)
    compiling, decomposition = _twice(lambda: spectrum_of(part))
    beginning, spanning = _twice(lambda: span(part.x))
    more = n / rows
    once = 0.0 if warm and rows == n else compiling + beginning
    carried = decomposition * more**3 + spanning * more * min(n, d) / min(rows, d)
    return float(once + carried)


def _twice(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that work takes longer the first time, as for compiling, and those that it takes."""
    taken: list[float] = []
    while len(taken) < 2 or (len(taken) < _SETUP_LOOKS and sum(taken[1:]) < _TIMED_SECONDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    seconds = min(taken[1:])
    return max(0.0, taken[0] - seconds), seconds


@lru_cache(maxsize=256)
def _forecast(n: int, steps: int) -> float:
    """Seconds of a run's forecast, timed on a tenth of the steps."""
    part = np.arange(0, steps + 1, 10)
    eigenvalues = np.geomspace(1e-4, 1.0, n)
    began = time.perf_counter()
    forecast_loss(nesterov(0.5, 0.9), Measure(eigenvalues, np.ones(n)), part)
    return (time.perf_counter() - began) * (steps + 1) / len(part)


@cache
def _storing() -> float:
    """Seconds to write a run's file, nearly all of them for its parts and not for its length."""
    arrays = xr.Dataset({f"array {i}": ("step", np.zeros(100)) for i in range(_STORED)})
    taken = []
    with TemporaryDirectory() as folder:
        for _ in range(3):  # the first imports what writes
            began = time.perf_counter()
            write_record(Path(folder) / "run.nc", arrays)
            taken.append(time.perf_counter() - began)
    return min(taken)


def _wall(seconds: Sequence[float], workers: int) -> float:
    """Time until the last of the workers is done, each taking the next run when it is free."""
    free = np.zeros(workers)
    for taken in seconds:
        free[free.argmin()] += taken
    return float(free.max())
