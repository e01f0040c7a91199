"""Writing files whole or not at all, and reading files that may be a stranger's.

What is written appears under its name complete, or not at all, whatever happens on the way: it is
written under a temporary name beside it, which nobody can guess, and renamed.  The temporary file
is locked by whoever writes it, so that the next writer can tell what a killed process left behind,
and removes it.  Only regular files are replaced: devices, pipes and links are refused.

What is read is a regular file of a limited size; below a folder that was given, no link is
followed.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from inertial._checks import InvalidInput

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

ANOTHER = "give another file with -o."
"""Remedy where the user names the file."""

STAYS = "what is stored stays: check the disk or give another folder, and repeat the command."
"""Remedy where a folder of results grows."""

TEXT_BYTES = 64 * 2**20
"""Largest JSON or TOML file that is read."""

_FOLDER = re.compile(r"\..+\.[0-9a-f]{16}\.partial", re.DOTALL)
"""Names of temporary folders."""

_DEPTH = 100
"""Deepest nesting of JSON that is read."""


@contextmanager
def writing(path: Path, *, remedy: str = ANOTHER) -> Iterator[IO[bytes]]:
    """Give a file to write to, which becomes `path` when the block ends well.

    Parameters
    ----------
    path
        A new file, or a regular one to be replaced, in a folder that exists.
    remedy
        What an error message tells the user to do.

    Raises
    ------
    InvalidInput
        If it cannot be written, or is no regular file.

    """
    partial, descriptor = _begun(path, remedy)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - an open descriptor
            yield file
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)
        _keep_name(path.parent)
    except OSError as error:
        raise cannot_write(path, error, remedy) from None
    finally:
        _remove(partial)


def write(path: Path, content: bytes | str, *, remedy: str = ANOTHER) -> None:
    """Write a file, whole or not at all, also if the machine stops; text as UTF-8.

    What UTF-8 cannot say, such as the name of a file in another code, is written as an escape.
    """
    code = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with writing(path, remedy=remedy) as file:
        file.write(code)


def check_writable(path: Path, *, remedy: str = ANOTHER) -> None:
    """Raise InvalidInput before the work if `write` to `path` after it is bound to fail."""
    partial, descriptor = _begun(path, remedy)
    try:
        os.close(descriptor)
    finally:
        _remove(partial)


def folder_in(root: Path, *parts: str, remedy: str = STAYS) -> Path:
    """Return a folder below `root`, made if need be, with no link on the way from `root`."""
    place = below(root, *parts)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_write(place, error, remedy) from None
    return place


def folder_to_keep(path: Path, *, remedy: str) -> Path:
    """Return the folder that a user has named to keep files in, made if need be, and writable.

    Raises
    ------
    InvalidInput
        If it cannot be made or written.

    """
    try:
        place = path.resolve()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise cannot_write(path, error, remedy) from None
    check_writable(place / "file", remedy=remedy)
    return place


def below(root: Path, *parts: str) -> Path:
    """Return the path of plain names below `root`, none of which is a link.

    Raises
    ------
    InvalidInput
        If a name is empty, ``..`` or has a slash in it, or leads elsewhere through a link, or a
        path is none, for instance too long.

    """
    place = root
    for part in parts:
        if part in {"", ".", ".."} or "/" in part or "\0" in part:
            raise InvalidInput(f"{part!r} is not a plain name of a file in {root}; make it again.")
        place = place / part
        try:
            link = place.is_symlink()
        except OSError as error:
            raise InvalidInput(f"{place} cannot be read ({error.strerror}); rename it.") from None
        if link:
            raise InvalidInput(f"{place} is a link; only what lies in {root} itself is used.")
    return place


def read(path: Path, most: int, *, follow: bool = True) -> bytes:
    """Return the content of a regular file of at most `most` bytes.

    Raises
    ------
    InvalidInput
        If it cannot be read, is no regular file, or a link that is not to be followed, or is
        larger.

    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
        try:
            mode = os.fstat(descriptor).st_mode
            content = _content(descriptor, most + 1) if stat.S_ISREG(mode) else b""
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        raise InvalidInput(f"{path} cannot be read ({_reason(error)}); check it.") from None
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise InvalidInput(f"{path} is {kind}; give a regular file.")
    if len(content) > most:
        raise InvalidInput(f"{path} is larger than {most / 2**20:,.0f} MiB, the most that is read.")
    return content


def read_json(path: Path, *, follow: bool = True) -> Any:  # noqa: ANN401 - any document
    """Return the document in a JSON file of limited size and depth.

    Raises
    ------
    InvalidInput
        If the file cannot be read or is no JSON.

    """
    content = read(path, TEXT_BYTES, follow=follow)
    try:
        document = json.loads(content)
    except RecursionError:
        raise InvalidInput(f"{path} nests too deep; make it again.") from None
    except ValueError as error:
        raise InvalidInput(f"{path} is no JSON ({error}); make it again.") from None
    if _deep(document, _DEPTH):
        raise InvalidInput(f"{path} nests deeper than {_DEPTH} levels; make it again.")
    return document


def is_regular(path: Path) -> bool:
    """Whether there is a regular file at a path, which is no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def cannot_write(path: Path, error: Exception, remedy: str = STAYS) -> InvalidInput:
    """Say that a file cannot be written, why, and what to do."""
    return InvalidInput(f"{path} cannot be written ({_reason(error)}); {remedy}")


def _content(descriptor: int, most: int) -> bytes:
    """Return at most so many bytes of a file, whose size may be a lie."""
    parts, left = [], most
    while left and (part := os.read(descriptor, min(left, 2**22))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _begun(path: Path, remedy: str) -> tuple[Path, int]:
    """Return the path and the descriptor of a temporary file for `path`."""
    try:
        _refuse_other_kinds(path, remedy)
        sweep(path)
        return _temporary(path)
    except InvalidInput:
        raise
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        raise cannot_write(path, error, remedy) from None


def _refuse_other_kinds(path: Path, remedy: str) -> None:
    """Refuse to replace what is no regular file."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
            raise InvalidInput(f"{path} is {kind}, which is never replaced; {remedy}")


def _temporary(path: Path) -> tuple[Path, int]:
    """Create a locked temporary file beside `path`; return its path and descriptor."""
    while True:
        partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.partial")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(partial, flags, 0o666)
            with suppress(OSError):  # a file system without locks: then nobody sweeps either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _leads_to(partial, descriptor):
                return partial, descriptor
        except KeyboardInterrupt:
            _remove(partial)
            raise
        os.close(descriptor)  # swept before it was locked


def sweep(path: Path) -> None:
    """Remove what killed processes left of this file or folder: what nobody has locked."""
    start = f".{path.name[:200]}."
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    for left in there:
        if left.name.startswith(start) and left.name.endswith(".partial"):
            _sweep_one(left)


def _sweep_one(left: Path) -> None:
    """Remove a temporary file or folder, unless its maker lives."""
    with suppress(OSError):
        descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        finally:
            os.close(descriptor)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends well, and vanishes otherwise.

    What killed processes left of folders beside it goes: each run has a name of its own, so that
    nobody would come back for them.

    Raises
    ------
    InvalidInput
        If `path` exists already or cannot be created; if it has come to exist meanwhile, the
        finished results are kept under another name.

    """
    if path.exists() or path.is_symlink():
        raise InvalidInput(f"the output folder {path} exists already; give another one with --out.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.iterdir():
            if _FOLDER.fullmatch(left.name) and left.is_dir():
                _sweep_one(left)
        partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.partial")
        try:
            partial.mkdir()
            descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except KeyboardInterrupt:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"the output folder {path} cannot be created ({_reason(error)}); give another one with "
            "--out."
        ) from None
    try:
        with suppress(OSError):  # a file system without locks: then nobody sweeps either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _named(partial, path)
        _keep_name(path.parent)
    finally:
        os.close(descriptor)


def _named(partial: Path, path: Path) -> None:
    """Give a finished folder its name, or one beside it if that has been taken meanwhile."""
    try:
        partial.rename(path)
    except OSError as error:
        kept = partial
        with suppress(OSError):
            kept = partial.rename(path.with_name(f"{path.name[:200]}-{secrets.token_hex(4)}"))
        raise InvalidInput(
            f"the results cannot be moved to {path} ({error.strerror}); they lie in {kept}."
        ) from None


def _keep_name(folder: Path) -> None:
    """Let the new name of a file outlive a stop of the machine, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _deep(document: object, levels: int) -> bool:
    """Whether a document nests deeper than so many levels."""
    layer = [document]
    for _ in range(levels):
        layer = [
            item
            for part in layer
            if isinstance(part, list | dict)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
        if not layer:
            return False
    return True


@dataclass
class Lock:
    """An exclusive lock on a file; `release` removes the file."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Remove the file while the lock is held, then give the lock up."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def lock(path: Path) -> Lock | None:
    """Lock `path`, creating it, or return None if another process holds it.

    The operating system holds the lock for its owner: it vanishes with the process, however that
    ends, so there is nothing to time out and no stale owner to detect, on this machine or, over
    NFS, on another one.  The file's text, host and process, is for people.

    The lock counts only if the path still leads to the locked file: the last owner may have removed
    it between opening and locking.

    Raises
    ------
    InvalidInput
        If the folder cannot be written or its file system has no locks.

    """
    while True:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o644)
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


def _remove(partial: Path) -> None:
    """Remove a temporary file, also if an interrupt comes just then."""
    try:
        with suppress(OSError):
            partial.unlink()
    except KeyboardInterrupt:
        with suppress(OSError):
            partial.unlink()
        raise


def _leads_to(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
