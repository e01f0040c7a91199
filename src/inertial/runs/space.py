"""What runs take besides time: memory and disk, from the sizes of their arrays."""

import resource
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from inertial.runs.config import DataSet
from inertial.runs.execution import SAVE_SECONDS
from inertial.runs.job import Run, load_data
from inertial.runs.spectra import kept
from inertial.simulate.span import saves, span
from inertial.simulate.step import layout
from inertial.simulate.train import Precision

_SPAN_ROWS = 1000
"""Above as many rows and columns, inputs are taken to have full rank."""

_FILE_BYTES = 18_000
"""A run file without its arrays: attributes, coordinates and the tables of HDF5."""

_ARRAYS = 6
"""Arrays over the steps in a run file, of 8 bytes an entry."""

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
    state = shape.itemsize * (_STATE_COPIES * shape.width * shape.inputs + 3 * shape.n * neurons)
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
        _, _, inputs = dimensions(run.job.data)
        itemsize = 4 if run.job.precision == "float32" else 8
        if taken > SAVE_SECONDS:
            sizes.append(2 * itemsize * inputs * run.job.width)
    return sum(sorted(sizes)[-workers:])


def spectra_bytes(sets: Iterable[DataSet]) -> int:
    """Bytes of the spectra that are kept in files."""
    rows = [dimensions(data)[0] for data in sets]
    return sum(8 * n * n for n in rows if kept(n))


def _held_now() -> int:
    """Bytes this process has held at most by now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
