"""How much memory this process may take: of the machine, of its control group, of its own limit."""

import gc
import os
import resource
from pathlib import Path

from inertial._checks import InvalidInput, significant

_UNLIMITED = 2**60
"""Limits from here on are none."""

_PROGRAMS = 16
"""Shapes for which compiled programs are kept."""

_COPIES = 6
"""The start, three arrays of a run's state, the gradient, and what the next step becomes."""

_shapes: set[tuple[object, ...]] = set()
"""Shapes for which programs were compiled since JAX's were dropped last."""

_GROUPS = Path("/sys/fs/cgroup")
_PROCESS = Path("/proc/self")


def available() -> int:
    """Bytes that this process may still take, besides what the machine's other processes hold.

    The least of the machine's memory, the limits of the control groups that it is in, and what is
    left of its address space.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(machine, _group_limit(), _address_space())


def check_memory(needed: int, remedy: str) -> None:
    """Refuse what cannot fit, before the work.

    Raises
    ------
    InvalidInput
        If it needs more memory than there is; the message ends with the remedy.

    """
    there = available()
    if needed > there:
        raise InvalidInput(
            f"this needs about {significant(needed / 2**30)} GiB of memory and there are "
            f"{there / 2**30:.3g} for it; {remedy}."
        )


def check_parameters(size: int) -> None:
    """Refuse a model whose parameters, of so many bytes, cannot be trained here.

    Raises
    ------
    InvalidInput
        If six times the parameters need more memory than there is.

    """
    check_memory(_COPIES * size, "take a smaller model, or train fewer of its parameters")


def make_room_for_programs(shape: tuple[object, ...]) -> None:
    """Drop all of JAX's compiled programs before those of a new shape, if there are many.

    JAX keeps what it compiled for good, 10 to 40 MB for each shape of a training run: a process
    that goes through data sets of changing size would grow without end.  What is needed again is
    compiled again.
    """
    if shape in _shapes:
        return
    if len(_shapes) >= _PROGRAMS:
        import jax

        jax.clear_caches()  # type: ignore[no-untyped-call]
        gc.collect()
        _shapes.clear()
    _shapes.add(shape)


def _group_limit() -> int:
    """Least limit of the control groups that this process is in, of version 2 or 1."""
    limits = [_UNLIMITED]
    for line in _lines(_PROCESS / "cgroup"):
        _, kinds, name = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        root = _GROUPS / "memory" if kinds else _GROUPS
        file = "memory.limit_in_bytes" if kinds else "memory.max"
        place = root / name.lstrip("/")
        # In a container the name may be that of outside, and the limit at the root that of inside.
        for group in (place, *place.parents):
            limits += [int(word) for word in _lines(group / file) if word.isdecimal()]
            if group == root:
                break
    return min(limits)


def _address_space() -> int:
    """Return what is left of the address space that the shell or a batch system allows."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit in {resource.RLIM_INFINITY, -1} or limit >= _UNLIMITED:
        return _UNLIMITED
    taken = [int(line.split()[0]) for line in _lines(_PROCESS / "statm")]
    return max(0, limit - os.sysconf("SC_PAGE_SIZE") * sum(taken))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError):
        return []
