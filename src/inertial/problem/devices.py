"""The devices that one network or one problem is spread over, in one process or in several.

A mesh has one axis.  Along it lie the tiles of the papers' network's neurons, or the rows of any
other problem.  With several processes, each holds its devices' part; what all of them must do alike
(how many steps to take, when to keep the state) is decided by the first.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Shaped

from inertial._checks import InvalidInput, LostProcessError, printable, whole

AXIS = "parts"
"""The axis of every mesh."""

EVERYWHERE, PARTS = PartitionSpec(), PartitionSpec(AXIS)  # type: ignore[no-untyped-call]
"""A copy on every device; and the first dimension of an array cut into as many parts."""

_MOST_DEVICES = 1024
"""Devices of one process at most; no machine has more, and a processor's cost a thread each."""

_MOST_PROCESSES = 2**20
"""Processes at most."""

_ADDRESS = re.compile(r"[^\s:]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}")
_LOOPBACK = ("localhost:", "127.0.0.1:", "[::1]:")

_SILENT_SECONDS = 30
"""Seconds without a sign of life after which a process counts as lost."""


def join_processes(
    count: int,
    coordinator: str | None = None,
    index: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Make this process one of `count` that compute together; before any other work with JAX.

    Parameters
    ----------
    count
        Number of processes.
    coordinator
        ``host:port`` of the first process, the same in all; SLURM says it if absent.
    index
        Which of them this one is, from 0; SLURM says it if absent.
    environment
        Where SLURM's variables are looked for.

    Raises
    ------
    InvalidInput
        If there is neither a coordinator nor SLURM, an index is outside its range, or the others
        cannot be reached.

    """
    whole("processes", count, below=_MOST_PROCESSES + 1)
    started_by_slurm = "SLURM_PROCID" in environment and "SLURM_NTASKS" in environment
    if (coordinator is None or index is None) and not started_by_slurm:
        raise InvalidInput(
            "processes need the address of the first one and a number each; give --coordinator "
            "HOST:PORT and --process-index, or start them with srun."
        )
    if index is None and (started := _counted(environment, "SLURM_NTASKS")) != count:
        raise InvalidInput(
            f"processes is {count} and SLURM has started {started}; give that number."
        )
    found = _counted(environment, "SLURM_PROCID") if index is None else index
    own = whole("process-index", found, least=0, below=count)
    if coordinator is not None and not _ADDRESS.fullmatch(coordinator):
        raise InvalidInput(f"coordinator is {printable(coordinator)!r}; give HOST:PORT.")
    # By default all interfaces would listen, also where all processes are on one machine.
    loopback = coordinator is not None and coordinator.startswith(_LOOPBACK)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            own,
            initialization_timeout=_SILENT_SECONDS,
            heartbeat_timeout_seconds=_SILENT_SECONDS,
            coordinator_bind_address=coordinator if loopback else None,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidInput(
            f"process {own} does not reach the others ({reason}); start all {count} within "
            f"{_SILENT_SECONDS} seconds, with the same --coordinator."
        ) from None


def _counted(environment: Mapping[str, str], name: str) -> int:
    """Return a number that SLURM says."""
    text = environment[name]
    if not re.fullmatch("[0-9]{1,9}", text):
        raise InvalidInput(f"{name} is {printable(text)!r}; unset it, or start with srun.")
    return int(text)


def offer_devices(count: int) -> None:
    """Let this process have so many devices where its processor is the only one.

    To be called before JAX starts; afterwards, and beside accelerators, it changes nothing.
    """
    whole("devices", count, below=_MOST_DEVICES + 1)
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with suppress(RuntimeError):  # JAX has started
        jax.config.update("jax_num_cpu_devices", count)  # type: ignore[no-untyped-call]


@cache
def mesh_of(devices: int = 1) -> Mesh | None:
    """Return a mesh of the first `devices` devices of every process; None for a single one.

    Raises
    ------
    InvalidInput
        If a process has fewer.

    """
    whole("devices", devices, below=_MOST_DEVICES + 1)
    chosen = []
    for process in range(jax.process_count()):
        own = [device for device in jax.devices() if device.process_index == process]
        if len(own) < devices:
            kind = own[0].platform
            more = (
                f"; set XLA_FLAGS=--xla_force_host_platform_device_count={devices} before the start"
                if kind == "cpu"
                else ""
            )
            raise InvalidInput(
                f"devices is {devices} and JAX sees {len(own)} ({kind}){more}, or take fewer."
            )
        chosen += own[:devices]
    if len(chosen) == 1:
        return None
    mesh = Mesh(np.array(chosen), (AXIS,))
    with _standard_output_kept():
        agreed(np.zeros(1), mesh)
    return mesh


@contextmanager
def together() -> Iterator[None]:
    """Say in one sentence that another process has ended, which shows where results are awaited.

    Raises
    ------
    LostProcessError
        If it has.

    """
    try:
        yield
    except jax.errors.JaxRuntimeError:
        if jax.process_count() == 1:
            raise
        raise LostProcessError(
            "another process of this run has ended or cannot be reached; start all of them again "
            "with the same commands; they go on from the last checkpoint, if one is kept."
        ) from None


@contextmanager
def _standard_output_kept() -> Iterator[None]:
    """Send to standard error what the library of the first connection says of it."""
    if jax.process_count() == 1:
        yield
        return
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def first_process() -> bool:
    """Whether this process speaks and writes for all of them."""
    return jax.process_index() == 0


def placed(
    array: Shaped[np.ndarray, "..."] | jax.Array, mesh: Mesh | None, spec: PartitionSpec
) -> jax.Array:
    """Put an array that every process has on the devices of a mesh, each its part."""
    if mesh is None:
        here: jax.Array = jax.device_put(array)  # jax.numpy.asarray compiles a program a shape
        return here
    host = np.asarray(array)
    return jax.make_array_from_callback(
        host.shape, NamedSharding(mesh, spec), lambda part: host[part]
    )


def gathered(array: jax.Array, mesh: Mesh | None) -> Shaped[np.ndarray, "..."]:
    """Return an array from all devices of a mesh on the host of every process."""
    if mesh is not None:
        array = jax.jit(lambda part: part, out_shardings=NamedSharding(mesh, EVERYWHERE))(array)
    return np.array(array.addressable_data(0))


def agreed(values: Float[np.ndarray, "k"], mesh: Mesh | None) -> Float[np.ndarray, "k"]:
    """Return the values that the first process has; all processes must ask at the same time."""
    if mesh is None or jax.process_count() == 1:
        return values
    everyones = jax.make_array_from_callback(
        (mesh.size, len(values)), NamedSharding(mesh, PARTS), lambda _: values[None]
    )
    return np.asarray(gathered(everyones, mesh)[0], float)
