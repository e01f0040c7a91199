"""Inputs and targets of an experiment, with a record of where they came from.

`load` knows three kinds of names: sets that need no files (digits, diabetes, sphere), the six sets
of Liu, Pan and Tao (2022, section 5.1), and files of one's own.  Image classes 0 and 1 become the
targets +1 and -1; all other targets stay as they are.  How rows are prepared stands in `prepare`.
"""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from inertial._checks import InvalidInput, whole
from inertial._types import Inputs, Targets
from inertial.data.images import read_cifar, read_idx
from inertial.data.lookup import SUFFIXES, obtain, own_file
from inertial.data.parallel import unit_rows
from inertial.data.prepare import MOST_ROWS, Preparation, infer_task, prepare
from inertial.data.readers import Raw, numbered, read_csv, read_npz, read_parquet, read_table
from inertial.data.sources import Source, Task, find


@dataclass(frozen=True)
class Provenance:
    """What is needed to say which arrays these are; plain values, so it can be written as JSON.

    `source` says in words where the bytes came from.  `sha256` is taken over the shapes and the
    little-endian float64 bytes of x, then y.  `rows` were available before the cut to n, and
    `dropped` of those kept by the cut were multiples of earlier ones: `n` rows are left.
    """

    name: str
    task: Literal["classification", "regression"]
    n: int
    d: int
    source: str
    sha256: str
    normalize: bool
    standardize: bool
    dedupe: bool
    rows: int
    dropped: int
    label: str | None
    seed: int | None


@dataclass(frozen=True)
class Data:
    """Inputs x (n by d) and targets y (n), float64, C-contiguous and read-only."""

    x: Inputs
    y: Targets
    provenance: Provenance


def load(
    name: str | Path,
    *,
    n: int | None = None,
    most: int = MOST_ROWS,
    data_dir: str | Path | None = None,
    label: str | None = None,
    task: Task | None = None,
    normalize: bool = True,
    standardize: bool = False,
    dedupe: bool = False,
    seed: int = 0,
    dim: int = 20,
) -> Data:
    """Load a data set and prepare it.

    Parameters
    ----------
    name
        A name of `catalog`, or the path of a .csv, .npz or .parquet file.
    n
        Rows to take, at least 2; by default all of them, but no more than `most`.
    most
        Rows to take at most when n is not given.
    data_dir
        Folder to look in first, instead of the one INERTIAL_DATA names.
    label
        Target column of a .csv or .parquet file; columns without a header are 1, 2, 3 and so on.
    task
        For files of one's own; by default classification if there are exactly two target values.
    normalize, standardize, dedupe
        The steps of `prepare`.
    seed, dim
        Seed and dimension of sphere, which alone reads them.

    Warns
    -----
    UserWarning
        If a table has fewer rows than were published.

    Raises
    ------
    InvalidInput
        If the data cannot be found or read, or if they cannot be prepared as asked.

    """
    if n is not None:
        whole("n", n, least=2)
    if path := own_file(name):
        raw, origin, title = _read_own(path, label), str(path), str(path)
        task = infer_task(raw.y, task, title)
    else:
        source = find(str(name))
        _refuse_own_options(source, label, task)
        title, task = source.name, source.task
        raw, origin = _read_named(source, n, data_dir, seed, dim)
    steps = Preparation(normalize=normalize, standardize=standardize, dedupe=dedupe)
    done = prepare(raw, steps, n=min(len(raw.y), most) if n is None else n, task=task, title=title)
    x, y = _frozen(done.x), _frozen(done.y)
    return Data(
        x=x,
        y=y,
        provenance=Provenance(
            name=path.name if path else title,
            task=task,
            n=x.shape[0],
            d=x.shape[1],
            source=origin,
            sha256=_digest(x, y),
            normalize=normalize,
            standardize=standardize,
            dedupe=dedupe,
            rows=len(raw.y),
            dropped=done.dropped,
            label=label,
            seed=seed if title == "sphere" else None,
        ),
    )


def reload(record: Mapping[str, Any], data_dir: str | Path | None = None) -> Data:
    """Load again what a `Provenance`, written as a mapping, records.

    Raises
    ------
    InvalidInput
        If the data cannot be found any more, or are not those of the record.

    """
    own = Path(record["source"]).suffix.lower() in SUFFIXES
    again = load(
        record["source"] if own else record["name"],
        n=record["n"] + record["dropped"],
        data_dir=data_dir,
        label=record["label"],
        task=record["task"] if own else None,
        normalize=record["normalize"],
        standardize=record["standardize"],
        dedupe=record["dedupe"],
        seed=record["seed"] or 0,
        dim=record["d"],
    )
    if again.provenance.sha256 != record["sha256"]:
        raise InvalidInput(
            f"{record['name']} is not what it was: its SHA-256 differs from the recorded one; "
            "restore the data, or make the run again."
        )
    return again


def _read_own(path: Path, label: str | None) -> Raw:
    if not path.is_file():
        raise InvalidInput(f"{path} is not a file; give the path of one that exists.")
    match path.suffix.lower():
        case ".csv":
            return read_csv(path, label)
        case ".parquet":
            return read_parquet(path, label)
    if label is not None:
        raise InvalidInput(f"label is {label!r}, but {path} names its targets y; leave label out.")
    return read_npz(path)


def _read_named(
    source: Source, n: int | None, data_dir: str | Path | None, seed: int, dim: int
) -> tuple[Raw, str]:
    """Return a named set and where it came from, in words."""
    match source.reader:
        case "digits" | "diabetes":
            return _embedded(source)
        case "sphere":
            raw = _sphere(
                source.n if n is None else n, whole("dim", dim), whole("seed", seed, least=0)
            )
            return raw, "generated by numpy's default_rng"
    place = obtain(source.name, data_dir)
    match source.reader:
        case "idx":
            images, labels = place.files
            return read_idx(images, labels), place.source
        case "cifar":
            return read_cifar(place.files), place.source
        case _:
            return _whole_table(source, place.files[0]), place.source


def _whole_table(source: Source, path: Path) -> Raw:
    """Read a table and warn if it has fewer rows than were published: it may have been cut off."""
    raw = read_table(path)
    if len(raw.y) < source.n:
        warnings.warn(
            f"{path} has {len(raw.y)} of the {source.n} rows of {source.name}; replace it if that "
            "is not meant.",
            stacklevel=4,
        )
    return raw


def _embedded(source: Source) -> tuple[Raw, str]:
    import sklearn
    from sklearn import datasets

    if source.reader == "diabetes":
        x, y = datasets.load_diabetes(return_X_y=True)
    else:
        pixels, digit = datasets.load_digits(n_class=2, return_X_y=True)
        x, y = pixels / 16.0, np.where(digit == 0, 1.0, -1.0)
    columns = numbered(x.shape[1])
    return Raw(x, y, columns), f"embedded in scikit-learn {sklearn.__version__}"


def _sphere(n: int, dim: int, seed: int) -> Raw:
    generator = np.random.default_rng(seed)
    x = unit_rows(generator.standard_normal((n, dim)))
    y = generator.choice([1.0, -1.0], size=n)
    return Raw(x, y, numbered(dim))


def _refuse_own_options(source: Source, label: str | None, task: Task | None) -> None:
    """Refuse options that only files of one's own have."""
    if label is not None:
        raise InvalidInput(
            f"label is {label!r}, but the targets of {source.name} are fixed; leave label out."
        )
    if task not in (None, source.task):
        raise InvalidInput(
            f"task is {task!r}, but {source.name} is a {source.task}; leave task out."
        )


def _frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only copy that nothing else can write to."""
    copy = np.array(array, dtype=np.float64, order="C")
    copy.setflags(write=False)
    return copy


def _digest(x: Inputs, y: Targets) -> str:
    digest = hashlib.sha256(f"<f8 {x.shape} {y.shape}\n".encode())
    for array in (x, y):
        digest.update(np.ascontiguousarray(array, dtype="<f8").data)
    return digest.hexdigest()
