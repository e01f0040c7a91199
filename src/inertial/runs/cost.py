r"""What a study will take, from a few steps timed on this machine.

Neurons pass in tiles of equal shape, so a step takes :math:`a + b k` for k tiles, and a and b
follow from timing the real trainer on one and on three tiles; between the narrowest and the widest
network of a study they are interpolated.  Setting up a data set is timed on its first rows and
extrapolated to all of them.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

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
from inertial.runs.execution import SAVE_SECONDS, kept, spectrum_file
from inertial.runs.spec import Run, load_data
from inertial.runs.store import netcdf
from inertial.simulation.span import Span, saves, span
from inertial.simulation.step import layout, rows_at_once
from inertial.simulation.train import Precision, initial_residual, train

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

_SPAN_ROWS = 1000
"""Above as many rows and columns, inputs are taken to have full rank."""

_FILE_BYTES = 20_000
"""Files of a run without its arrays: attributes, coordinates and the tables of HDF5."""

_ARRAYS = 6
"""Arrays over the steps in a run file, of 8 bytes per entry."""

_KERNEL_COPIES = 4
"""n x n float64 arrays alive at once while the kernel is decomposed: basis and workspace."""

_STATE_COPIES = 8
"""m x r arrays alive at once in training: start, state, their updates, and the draw."""


@dataclass(frozen=True)
class Shape:
    """What the time of a step depends on; `inputs` is the dimension that training runs in."""

    n: int
    d: int
    inputs: int
    width: int
    precision: Precision

    @property
    def itemsize(self) -> int:
        """Bytes of a number in training."""
        return 4 if self.precision == "float32" else 8


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
        compiles by itself, so the first runs of every kind, one per process, are charged with it.
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
    sizes = {run.data: _widths(run.data, runs) for run in runs}
    for run in runs:
        spec = run.spec
        say(f"timing {run.data.name}")
        shape = Shape(*dimensions(run.data), spec.width, spec.precision)
        timing = _interpolated(shape, sizes[run.data])
        total = timing.step * (spec.steps + 1) + timing.around + _forecast(shape.n, spec.steps)
        total += _storing()
        if setups[run.data] < workers:
            known = spectra is not None and spectrum_file(spectra, run.data_sha256).exists()
            total += _setup(run.data, known, warm)
        if compiled[shape] < workers and not (warm and spec.width in sizes[run.data]):
            total += timing.compilation
        setups[run.data] += 1
        compiled[shape] += 1
        seconds.append(total)
        memory.append(memory_of(shape))
        disk += file_bytes(shape.n, spec.steps)
    extra = checkpoint_bytes(runs, seconds, workers) + spectra_bytes(setups)
    return Prediction(_wall(seconds, workers), tuple(seconds), max(memory), disk + extra, workers)


def _widths(data: DataSet, runs: Sequence[Run]) -> tuple[int, int]:
    widths = [run.spec.width for run in runs if run.data == data]
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

    def look(count: int) -> bool:
        looks.append((time.perf_counter(), count))
        elapsed = looks[-1][0] - looks[0][0]
        alike = sum(before == count for _, before in looks[1:])
        return elapsed > 10 * seconds or (elapsed > seconds and alike >= _TIMED_LOOKS)

    network, y, began = TwoLayerReLU(shape.width, shape.d), np.zeros(len(x)), time.perf_counter()
    initial_residual(network, x, y, seed=0, within=within)
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

    Timed on the first rows and extrapolated: the decomposition as n^3, which it follows once the
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
    extrapolated = decomposition * more**3 + spanning * more * min(n, d) / min(rows, d)
    return float(once + extrapolated)


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
    """Seconds to make a run's file, nearly all of them for its parts and not for its length."""
    arrays = xr.Dataset({f"array {i}": ("step", np.zeros(100)) for i in range(_STORED)})
    taken = []
    for _ in range(3):  # the first imports what writes
        began = time.perf_counter()
        netcdf(arrays)
        taken.append(time.perf_counter() - began)
    return min(taken)


def _wall(seconds: Sequence[float], workers: int) -> float:
    """Time until the last of the workers is done, each taking the next run when it is free."""
    free = np.zeros(min(workers, max(1, len(seconds))))
    for taken in seconds:
        free[free.argmin()] += taken
    return float(free.max())


@lru_cache(maxsize=64)
def dimensions(data: DataSet) -> tuple[int, int, int]:
    """Rows, inputs and the dimension that training runs in, of a data set."""
    x = load_data(data).x
    n, d = x.shape
    if min(n, d) <= _SPAN_ROWS:
        return n, d, span(x).x.shape[1]
    return n, d, n if saves(n, d) else d


def memory_of(shape: Shape) -> int:
    """Peak of a process: what it holds by now, and the larger of kernel and training besides."""
    _, neurons = layout(shape.n, shape.width)
    data = 8 * shape.n * (2 * shape.d + shape.inputs)
    kernel = 8 * shape.n**2 * _KERNEL_COPIES
    between = 3 * rows_at_once(shape.n) * neurons
    state = shape.itemsize * (_STATE_COPIES * shape.width * shape.inputs + between)
    state += 2 * shape.n * shape.width // 8
    return _held_now() + data + max(kernel, 8 * shape.n**2 + state)


def kernel_memory(sets: Sequence[DataSet]) -> int:
    """Peak of a process that decomposes kernels and trains nothing, one data set after another."""
    held = [0]
    for data in sets:
        n, d, _ = dimensions(data)
        held.append(16 * n * d + 8 * n**2 * _KERNEL_COPIES)
    return _held_now() + max(held)


def file_bytes(n: int, steps: int) -> int:
    """Return the size of a run's file: arrays over the steps, eigenvalues and weights."""
    return _FILE_BYTES + 8 * (_ARRAYS * (steps + 1) + 2 * n)


def checkpoint_bytes(runs: Sequence[Run], seconds: Sequence[float], workers: int) -> int:
    """Bytes of the checkpoints of runs that are on their way together."""
    sizes = [0]
    for run, taken in zip(runs, seconds, strict=True):
        _, _, inputs = dimensions(run.data)
        itemsize = 4 if run.spec.precision == "float32" else 8
        if taken > SAVE_SECONDS:
            sizes.append(2 * itemsize * inputs * run.spec.width)
    return sum(sorted(sizes)[-workers:])


def spectra_bytes(sets: Iterable[DataSet]) -> int:
    """Bytes of the spectra that are kept in files."""
    rows = [dimensions(data)[0] for data in sets]
    return sum(8 * n * n for n in rows if kept(n))


def _held_now() -> int:
    """Bytes this process has held at most by now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
