"""Options that several commands share, and how their words are read.

Commands say what is wrong with an option in one sentence; nothing is rounded or guessed.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, Token

from inertial._checks import InvalidInput, whole
from inertial.commands.terminal import say

if TYPE_CHECKING:
    from inertial.data import Data

ANOTHER_CSV = "give another file with --csv."
ROWS = 1_000
"""Rows that a command takes unless --n says otherwise: enough to see everything, in seconds."""


def read_whole(_type: object, tokens: Sequence[Token]) -> int:
    """Read a whole number as it is written; nothing is rounded."""
    try:
        return int(tokens[0].value)
    except ValueError:
        name, text = tokens[0].keyword or "a number", tokens[0].value
        raise InvalidInput(f"{name} is {text!r}; give a whole number.") from None


Whole = Annotated[int, Parameter(converter=read_whole)]
"""An option that takes a whole number."""

Words = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())]
"""An option that takes every word up to the next option."""

Page = Annotated[Path, Parameter(alias="-o")]
"""An option that names the page to write."""

Out = Annotated[Path, Parameter(alias="-o")]
"""An option that names the folder to write."""


@Parameter(name="*")
@dataclass(frozen=True)
class DataOptions:
    """How to load and prepare the data."""

    n: Whole | None = None
    "Rows to take (default: up to 1,000): a sample of a table, else the first in file order."
    data_dir: Path | None = None
    "Folder to look in first for a named set (default: the one INERTIAL_DATA names)."
    label: str | None = None
    "Target column of a table."
    task: Literal["classification", "regression"] | None = None
    "Take the targets as classes or as numbers (default: found from the targets)."
    header: bool | None = None
    "Whether a table's first line names its columns (default: found from the text)."
    keep: Words = ()
    "Columns of a table that are inputs in any case."
    drop: Words = ()
    "Columns of a table to leave out."
    raw: Annotated[bool, Parameter(negative=())] = False
    "Take a table's numbers as they are: only --normalize."
    normalize: bool = True
    "Scale every input to norm 1."
    standardize: bool | None = None
    "Scale inputs, and targets of a regression, to mean 0 and variance 1 (default: of a table)."
    constant: bool | None = None
    "Add a constant input column (default: to a table)."
    dedupe: bool | None = None
    "Drop rows that are positive multiples of earlier ones (default: of a table, without --model)."
    dim: Whole = 20
    "Dimension of `sphere`."
    data_seed: Whole = 0
    "Seed of a table's sample, and of `sphere`."

    def load(self, name: str, test: str | None = None, *, model: str | None = None) -> "Data":
        """Load and prepare the data set called `name`; say what was guessed or left out.

        `test` is a share of the rows to hold out, or the path of others.  A `model` is trained on
        every row, repeated or not; the papers' kernel is singular with repeated ones.
        """
        from inertial.data import load

        loaded = load(
            name,
            n=self.n,
            most=ROWS,
            data_dir=self.data_dir,
            label=self.label,
            task=self.task,
            header=self.header,
            keep=self.keep,
            drop=self.drop,
            raw=self.raw,
            normalize=self.normalize,
            standardize=self.standardize,
            constant=self.constant,
            dedupe=False if self.dedupe is None and model is not None else self.dedupe,
            seed=self.data_seed,
            dim=self.dim,
            test=test,
        )
        for note in loaded.provenance.notes:
            say("note", note)
        return loaded


@Parameter(name="*")
@dataclass(frozen=True)
class DeviceOptions:
    """On how many devices and processes one network is trained."""

    devices: Whole = 1
    "Devices of each process to spread neurons over, or a model's rows; on a CPU they share cores."
    processes: Whole = 1
    "Processes that train together: start this command that many times, under SLURM with srun."
    coordinator: str | None = None
    "HOST:PORT of the first process, the same for all (default: what SLURM says)."
    process_index: Whole | None = None
    "Which of the processes this one is, from 0 (default: what SLURM says)."

    def begin(self) -> None:
        """Offer the devices and meet the other processes, before JAX starts.

        Raises
        ------
        InvalidInput
            If an option goes with several processes and there is one.

        """
        if self.processes == 1 and (self.coordinator, self.process_index) != (None, None):
            raise InvalidInput(
                "--coordinator and --process-index are for several processes; give --processes."
            )
        if self.devices == 1 and self.processes == 1:
            return
        from inertial.problem.devices import join_processes, offer_devices

        offer_devices(self.devices)
        if self.processes != 1:
            join_processes(self.processes, self.coordinator, self.process_index)

    def folder(self, checkpoint: Path | None, out: Path | None) -> Path | None:
        """Return the folder for checkpoints: the given one, or with processes one beside `out`."""
        if checkpoint is None and self.processes > 1:
            return (Path("runs") if out is None else out.parent) / "checkpoints"
        return checkpoint


ONE_DEVICE = DeviceOptions()
"""The device options as they stand when none is given."""

DATA = DataOptions()
"""The data options as they stand when none is given."""


@Parameter(name="*")
@dataclass(frozen=True)
class WorkerOptions:
    """Which processes compute: this one, a number of local ones, or those of a scheduler."""

    workers: Whole | None = None
    "Processes on this machine; 0 is one per core (default: this process, with all cores)."
    scheduler: str | None = None
    "Address of a dask.distributed scheduler to send the runs to instead."

    def __post_init__(self) -> None:
        if self.workers is not None:
            whole("workers", self.workers, least=0)
            if self.scheduler is not None:
                raise InvalidInput("workers and scheduler are both given; give one of them.")
        if self.scheduler is not None and not self.scheduler.strip():
            raise InvalidInput("scheduler is empty; give an address, such as tls://HOST:8786.")


THIS_PROCESS = WorkerOptions()
"""The worker options as they stand when none is given."""


@contextmanager
def computing(options: WorkerOptions) -> Iterator[dict[str, Any]]:
    """Give the engine and the predictor for `run_study`, as keyword arguments."""
    if options.workers is None and options.scheduler is None:
        yield {}
        return
    from inertial.runs.cluster import connected, engine, local_cluster, predictor

    place = connected(options.scheduler) if options.scheduler else local_cluster(options.workers)
    with place as client:
        yield {"engine": engine(client), "predictor": predictor(client)}


def split(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return words that were given apart or with commas between them."""
    return tuple(word for value in values for word in value.split(",") if word)


def read_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds 0, 1, ... of a count, or the ones listed with commas."""
    words = text.split(",")
    try:
        numbers = [int(word) for word in words if word.strip()]
    except ValueError:
        numbers = []
    if not numbers or (len(words) == 1 and numbers[0] < 1):
        raise InvalidInput(f"seeds is {text!r}; give how many (5) or which ones (3,7,11).")
    return tuple(numbers) if len(words) > 1 else tuple(range(numbers[0]))


def command_line(*more: str) -> str:
    """Return the command that is running, to be recorded."""
    return shlex.join(["inertial", *sys.argv[1:], *more])
