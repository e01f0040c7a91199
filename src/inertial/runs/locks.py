"""Who computes a run: one lock file per run, held by the operating system for its owner.

A lock vanishes with the process that holds it, however that process ends, so there is nothing to
time out and no stale owner to detect, on this machine or, over NFS, on another one.  The file's
text, host and process, is for people.
"""

import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from inertial._checks import InvalidInput


@dataclass
class Lock:
    """An exclusive lock on a file; `release` removes the file."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Remove the file while the lock is held, then give the lock up."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def acquire(path: Path) -> Lock | None:
    """Lock `path`, creating it, or return None if another process holds it.

    The lock counts only if the path still leads to the locked file: the last owner may have removed
    it between opening and locking.

    Raises
    ------
    InvalidInput
        If the folder cannot be written or its file system has no locks.

    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InvalidInput(
                f"{path.parent} cannot be written ({error.strerror}); give another folder with "
                "--out."
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise InvalidInput(
                f"the file system of {path.parent} has no locks ({error.strerror}); give a folder "
                "on another one with --out."
            ) from None
        if _leads_to(path, descriptor):
            break
        os.close(descriptor)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
    return Lock(path, descriptor)


def _leads_to(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
