"""Where data is read from: the places searched, and the download.

A set of the papers is searched for, in this order,

1. in the data folder that is passed in, else in the one that INERTIAL_DATA names,
2. in /usr/share/datasets, where distributions install them (Debian: dataset-fashion-mnist),
3. in the user's cache, and then
4. downloaded from its canonical address into the cache, if its SHA-256 is the one written here.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from inertial import files
from inertial._checks import InvalidInput
from inertial.data.sources import Download, Source, find

ENVIRONMENT = "INERTIAL_DATA"
"""The environment variable that names a data folder."""

SYSTEM = Path("/usr/share/datasets")
"""The folder where distributions install data sets."""

TEXTS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
"""Endings of tables of text."""

PACKED = (".gz", ".bz2", ".xz", ".zip")
"""Endings that may follow those of tables of text."""

SUFFIXES = (*TEXTS, ".npz", ".parquet", ".pq")
"""Endings of the files of one's own that can be read."""

_SHEETS = (".xlsx", ".xls", ".xlsm", ".ods")


@dataclass(frozen=True)
class Location:
    """Where data would be read from: in words, and the files, of which embedded sets have none."""

    source: str
    files: tuple[Path, ...]


def own_file(name: str | Path) -> Path | None:
    """Return the path if `name` means a file of one's own: a Path, or text with a dot or slash.

    Raises `InvalidInput` if the file is of a kind that cannot be read.
    """
    if not isinstance(name, Path) and not {".", "/", os.sep} & set(name):
        return None
    path = Path(name)
    if str(name).startswith("~") and len(path.parts) > 1:
        try:
            path = path.expanduser()
        except RuntimeError:
            raise InvalidInput(
                f"{path} names a home folder that does not exist; write the path out."
            ) from None
    if kind(path) not in SUFFIXES:
        sheet = "export it as CSV, or " if kind(path) in _SHEETS else ""
        raise InvalidInput(
            f"{path} cannot be read; {sheet}give a file that ends in "
            f"{', '.join(SUFFIXES)}; tables of text may be packed ({', '.join(PACKED)})."
        )
    return path


def kind(path: Path) -> str:
    """Return the ending that says what a file is, in lower case; packing is looked through."""
    *_, before, last = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    return before if last in PACKED and before in TEXTS else last


def locate(name: str | Path, data_dir: str | Path | None = None) -> Location | None:
    """Return where `load` would read `name` from, or None if it is not on this machine.

    Nothing is read, checked or downloaded.  Raises `InvalidInput` for an unknown name and for a
    data folder that does not exist.
    """
    if path := own_file(name):
        return Location(str(path), (path,)) if path.is_file() else None
    source = find(str(name))
    given_folder(data_dir)  # refused where it is none, used or not
    if source.origin == "embedded":
        return Location("embedded in scikit-learn", ())
    if source.origin == "generated":
        return Location("generated", ())
    for root in (_data_folder(data_dir), SYSTEM, _cache()):
        if root is not None and (found := _files(source, root)):
            return Location(_words(source, found), found)
    return None


def fetch(name: str, data_dir: str | Path | None = None) -> Path:
    """Download a set of the papers and return the folder that holds its files.

    The files go below `data_dir`, which is made if need be, or below the user's cache.  A file
    that is there with the right SHA-256 is kept.  Raises `InvalidInput` for a set that needs no
    files, for an address that cannot be reached, and for a file that is not the expected one.
    """
    root = _cache() if data_dir is None else _expanded(data_dir)
    return _download(find(name), root, remedy_folder=data_dir)


def obtain(name: str, data_dir: str | Path | None = None) -> Location:
    """Return where to read `name` from, downloading it if need be and checking cached files."""
    if found := locate(name, data_dir):
        _check_cached(find(name), found)
        return found
    _download(find(name), _cache(), remedy_folder=_data_folder(data_dir))
    if found := locate(name, data_dir):
        return found
    raise InvalidInput(f"{name} was downloaded to {_cache()} and is gone; load it once more.")


def _expanded(folder: str | Path) -> Path:
    """Return a folder with a home for ``~``, where it comes first and is somebody's."""
    return Path(os.path.expanduser(folder))  # noqa: PTH111 - no error where it is nobody's


def given_folder(data_dir: str | Path | None) -> Path | None:
    """Return the data folder that is passed in, and refuse one that does not exist."""
    return None if not data_dir else _existing(data_dir, "the data folder")


def _data_folder(data_dir: str | Path | None) -> Path | None:
    if data_dir is not None:
        return given_folder(data_dir)
    named = os.environ.get(ENVIRONMENT)
    return _existing(named, f"the folder in {ENVIRONMENT},") if named else None


def _existing(given: str | Path, origin: str) -> Path:
    folder = _expanded(given)
    if not folder.is_dir():
        raise InvalidInput(f"{origin} {folder} does not exist; create it or name another.")
    return folder


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("inertial"))


def _files(source: Source, root: Path) -> tuple[Path, ...]:
    """Return the files of the first complete layout below `root`."""
    for layout in source.layouts:
        names = ([root / part, root / f"{part}.gz"] for part in layout)
        found = [next((path for path in pair if path.is_file()), None) for pair in names]
        if all(found):
            return tuple(path for path in found if path)
    return ()


def _words(source: Source, found: tuple[Path, ...]) -> str:
    cached = {_cache() / item.path: item.url for item in source.downloads}
    if all(path in cached for path in found):
        return ", ".join(cached[path] for path in found)
    words = ", ".join([str(found[0]), *(path.name for path in found[1:])])
    if "t10k" in found[0].name:
        words += " (the test files, as the training files are not there)"
    return words


def _check_cached(source: Source, found: Location) -> None:
    for item in source.downloads:
        path = _cache() / item.path
        if path in found.files and (digest := _digest(path)) != item.sha256:
            raise InvalidInput(
                f"{path} has the SHA-256 {digest} where {item.url} has {item.sha256}; delete "
                f"the file to download it again."
            )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(source: Source, root: Path, *, remedy_folder: str | Path | None) -> Path:
    if not source.downloads:
        raise InvalidInput(f"{source.name} is {source.origin}; load it without fetching.")
    for item in source.downloads:
        _retrieve(source.name, item, root / item.path, _remedy(source, remedy_folder))
    return (root / source.downloads[0].path).parent


def _retrieve(name: str, item: Download, target: Path, remedy: str) -> None:
    """Download a file, whole or not at all, unless it is there already."""
    from pooch import HTTPDownloader
    from requests import RequestException

    if files.is_regular(target) and _digest(target) == item.sha256:
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(target, error, remedy) from None
    with files.writing(target, remedy=remedy) as file:
        received = _Received(file)
        try:
            HTTPDownloader()(item.url, received, None)
        except RequestException as error:
            raise InvalidInput(
                f"{name} is not on this machine and {item.url} could not be downloaded "
                f"({type(error).__name__}); {remedy}"
            ) from None
        if received.digest.hexdigest() != item.sha256:
            raise InvalidInput(
                f"{item.url} does not have the SHA-256 {item.sha256}, so it was not kept; {remedy}"
            )


class _Received:
    """A file that is written, with the hash of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest, self._file = hashlib.sha256(), file

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


def _remedy(source: Source, folder: str | Path | None) -> str:
    shelf = "DIR" if folder is None else str(folder)
    paths = " and ".join(f"{shelf}/{item.path}" for item in source.downloads)
    named = f", then pass DIR as data folder or set {ENVIRONMENT}=DIR" if folder is None else ""
    return f"get it elsewhere and put it at {paths}{named}."
