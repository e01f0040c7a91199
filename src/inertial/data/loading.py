"""Inputs and targets of an experiment, with a record of where they came from.

`load` takes names, files, and arrays or frames in memory.  Names are of sets that need no files
(digits, diabetes, sphere) and of the six sets of Liu, Pan and Tao (2022, section 5.1), whose image
classes 0 and 1 become the targets +1 and -1.  What becomes of a table's columns stands in
`columns`, how numbers are prepared in `prepare`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from inertial._checks import InvalidInput, printable, whole
from inertial._types import Inputs, Targets
from inertial.data.columns import Choices, Numbers, Rows, class_labels, few_valued, numbers
from inertial.data.lookup import TEXTS, kind, locate, own_file
from inertial.data.memory import from_arrays, from_frame, is_frame
from inertial.data.named import read_named
from inertial.data.prepare import MOST_ROWS, Preparation, cut, infer_task, prepare
from inertial.data.readers import Raw, Table, read_csv, read_npz, read_parquet
from inertial.data.sources import Task, find

_MEMORY = "passed in as arrays"


@dataclass(frozen=True)
class Provenance:
    """What is needed to say which arrays these are; plain values, so it can be written as JSON.

    `source` says in words where the bytes came from, for files of one's own the absolute path.
    `sha256` is taken over the shapes and the little-endian float64 bytes of x, then y.  `rows` were
    available before the cut to n, and `dropped` of those kept by the cut were multiples of earlier
    ones: `n` rows are left.  `notes` say what was guessed, filled or left out on the way.
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
    constant: bool = False
    raw: bool = False
    header: bool | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Data:
    """Inputs x (n by d) and targets y (n), float64, C-contiguous and read-only.

    `columns` names the d inputs.  If the targets are classes, `labels` (n) are whole numbers from 0
    that count through the names in `classes`, of which there may be more than the two that y tells
    apart.
    """

    x: Inputs
    y: Targets
    provenance: Provenance
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    labels: Int[np.ndarray, "n"] | None = None


def load(
    data: Any,  # noqa: ANN401 - a name, a path, a frame, or whatever turns into an array
    y: Any = None,  # noqa: ANN401
    *,
    n: int | None = None,
    most: int = MOST_ROWS,
    data_dir: str | Path | None = None,
    label: str | None = None,
    task: Task | None = None,
    header: bool | None = None,
    keep: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    raw: bool = False,
    normalize: bool = True,
    standardize: bool | None = None,
    constant: bool | None = None,
    dedupe: bool | None = None,
    seed: int = 0,
    dim: int = 20,
) -> Data:
    """Load a data set and prepare it.

    Parameters
    ----------
    data
        A name of `catalog`, the path of a table (text, packed or not, or Parquet) or of an .npz
        file, a pandas frame or series, or an array of inputs, n by d.
    y
        Targets, if `data` holds inputs only.
    n
        Rows to take, at least 2; by default all of them, but no more than `most`.  Of a table a
        sample is taken, of everything else the first n.
    most
        Rows to take at most when n is not given.
    data_dir
        Folder to look in first, instead of the one INERTIAL_DATA names.
    label
        Target column of a table; columns without a header are 1, 2, 3 and so on.
    task
        For data of one's own; by default texts, two values, and few whole values in a table are
        classes.
    header
        Whether the first line of a text names the columns; by default found out.
    keep, drop
        Columns of a table to take in any case, and to leave out.
    raw
        Take a table's numbers as they are: no step but `normalize` unless it is asked for.
    normalize, standardize, constant, dedupe
        The steps of `prepare`; by default a table takes all of them, everything else the first.
    seed, dim
        Seed of a table's sample; seed and dimension of sphere.

    Warns
    -----
    UserWarning
        If a table of the papers has fewer rows than were published.

    Raises
    ------
    InvalidInput
        If the data cannot be found or read, or if they cannot be prepared as asked.

    """
    if n is not None:
        whole("n", n, least=2)
    whole("seed", seed, least=0)
    choices = Choices(label, task, tuple(keep), tuple(drop), raw)
    rows = Rows(n, most, seed)
    given = _read(data, y, choices, rows, header=header, data_dir=data_dir, dim=dim)
    table = given.table and not raw
    steps = Preparation(
        normalize=normalize,
        standardize=table if standardize is None else standardize,
        constant=table if constant is None else constant,
        dedupe=table if dedupe is None else dedupe,
    )
    found = given.numbers
    done = prepare(found.raw, steps, task=found.task, title=given.title)
    notes = found.notes
    if table and (steps.standardize or steps.constant):
        notes += (_as_prepared(steps, found.task),)
    x, targets = _frozen(done.raw.x), _frozen(done.raw.y)
    return Data(
        x=x,
        y=targets,
        columns=done.raw.columns,
        classes=done.raw.classes,
        labels=done.raw.labels,
        provenance=Provenance(
            name=given.name,
            task=found.task,
            n=x.shape[0],
            d=x.shape[1],
            source=given.source,
            sha256=digest(x, targets),
            normalize=steps.normalize,
            standardize=steps.standardize,
            constant=steps.constant,
            dedupe=steps.dedupe,
            rows=found.rows,
            dropped=done.dropped,
            label=label,
            seed=seed if given.seeded else None,
            raw=raw,
            header=header,
            keep=choices.keep,
            drop=choices.drop,
            notes=(*notes, *done.notes),
        ),
    )


def reload(record: Mapping[str, Any], data_dir: str | Path | None = None) -> Data:
    """Load again what a `Provenance`, written as a mapping, records.

    The record may be a stranger's: nothing is downloaded, and a refusal tells nothing of what the
    file holds.

    Raises
    ------
    InvalidInput
        If the record is none, or the data cannot be found any more or are not those of the record.

    """
    kept = _recorded(record)
    name, source = kept["name"], kept["source"]
    if source == _MEMORY:
        raise InvalidInput(
            f"{name} was passed in as arrays and is not stored; pass the data again."
        )
    own = Path(source)
    is_own = source != name and own.name == name
    if is_own and not own.is_file():
        raise InvalidInput(f"{own} is not a file; give the path of one that exists.")
    if not is_own and locate(name, data_dir) is None:
        raise InvalidInput(f"{name} is not on this machine; run inertial data fetch {name}.")
    try:
        again = load(
            own if is_own else name,
            n=kept["n"] + kept["dropped"],
            data_dir=data_dir,
            task=kept["task"] if is_own else None,
            keep=tuple(kept["keep"]),
            drop=tuple(kept["drop"]),
            seed=kept["seed"] or 0,
            dim=kept["d"],
            **{option: kept[option] for option in _OPTIONS},
        )
    except InvalidInput:
        if not is_own:
            raise
        raise InvalidInput(
            f"{own} cannot be read as it was recorded; restore the file, or make the run again."
        ) from None
    if again.provenance.sha256 != record["sha256"]:
        raise InvalidInput(
            f"{name} is not what it was: its SHA-256 differs from the recorded one; "
            "restore the data, or make the run again."
        )
    return again


_OPTIONS = ("label", "header", "raw", "normalize", "standardize", "constant", "dedupe")

_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "source": (str,),
    "sha256": (str,),
    "task": (str,),
    "label": (str, NoneType),
    "n": (int,),
    "d": (int,),
    "dropped": (int,),
    "seed": (int, NoneType),
    "header": (bool, NoneType),
    "keep": (list, tuple),
    "drop": (list, tuple),
    **dict.fromkeys(("raw", "normalize", "standardize", "constant", "dedupe"), (bool,)),
}
"""What a record holds of each entry that `reload` needs."""


def _recorded(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `reload` needs, or refuse a record that lacks it or holds something else."""
    defaults = {"header": None, "keep": (), "drop": (), "raw": False, "constant": False}
    kept = {**defaults, **record}
    for name, kinds in _KINDS.items():
        if name not in kept or type(kept[name]) not in kinds:
            raise InvalidInput(
                f"the record of the data holds no right {name!r}; make the run again."
            )
    if not all(isinstance(word, str) for word in (*kept["keep"], *kept["drop"])):
        raise InvalidInput("the record of the data names no columns; make the run again.")
    return kept


@dataclass(frozen=True)
class _Given:
    """What was read, before the steps: numbers, names, and whether it is a table."""

    numbers: Numbers
    name: str
    source: str
    title: str
    table: bool
    seeded: bool


def _read(
    data: Any,  # noqa: ANN401
    y: Any,  # noqa: ANN401
    choices: Choices,
    rows: Rows,
    *,
    header: bool | None,
    data_dir: str | Path | None,
    dim: int,
) -> _Given:
    """Read a name, a file, a frame or arrays, and take the rows."""
    if isinstance(data, str | PathLike):
        if y is not None:
            raise InvalidInput("y is given beside a name; leave y out, or pass the inputs too.")
        path = own_file(data if isinstance(data, str) else Path(data))
        if path is None:
            _refuse_own_options(str(data), choices, header)
            return _named(str(data), rows, data_dir, dim)
        return _file(path, choices, rows, header)
    if is_frame(data):
        table, choices = from_frame(data, y, choices)
        return _sampled(table, choices, rows, ("frame", _MEMORY, "the frame"))
    _refuse_table_options("the data", choices, header)
    return _first(from_arrays(data, y), choices, rows, ("arrays", _MEMORY, "the arrays"))


def _file(path: Path, choices: Choices, rows: Rows, header: bool | None) -> _Given:  # noqa: FBT001
    if not path.exists():
        raise InvalidInput(f"{path} is not a file; give the path of one that exists.")
    words = path.name, str(path.absolute()), str(path)
    if kind(path) in TEXTS:
        return _sampled(read_csv(path, choices.label, header), choices, rows, words)
    if kind(path) == ".npz":
        _refuse_table_options(str(path), choices, header)
        return _first(read_npz(path), choices, rows, words)
    if header is not None:
        raise InvalidInput(f"header is given, but {path} names its columns; leave header out.")
    return _sampled(read_parquet(path), choices, rows, words)


def _sampled(table: Table, choices: Choices, rows: Rows, words: tuple[str, str, str]) -> _Given:
    name, source, title = words
    found = numbers(table, choices, rows, title=title)
    seeded = len(found.raw.y) < found.rows
    return _Given(found, name, source, title, table=True, seeded=seeded)


def _named(name: str, rows: Rows, data_dir: str | Path | None, dim: int) -> _Given:
    source = find(name)
    raw, origin = read_named(source, rows.n, data_dir, rows.seed, dim)
    taken = cut(raw, rows.count(len(raw.y), name), name)
    found = Numbers(taken, source.task, len(raw.y), _cut_note(taken, raw, rows))
    return _Given(found, name, origin, name, table=False, seeded=name == "sphere")


def _first(raw: Raw, choices: Choices, rows: Rows, words: tuple[str, str, str]) -> _Given:
    """Take the first rows of arrays, and say what their targets look like."""
    name, source, title = words
    task = infer_task(raw.y, choices.task, title)
    taken = cut(raw, rows.count(len(raw.y), title), title)
    notes = list(_cut_note(taken, raw, rows))
    if task == "classification" or few_valued(taken.y):
        classes, labels = class_labels(taken.y)
        taken = replace(taken, classes=classes, labels=labels)
        if len(classes) > 2:
            notes.append(
                f"the targets take {len(classes)} whole values and are read as numbers; if they "
                f"are classes, the distance between two of them means nothing."
            )
    found = Numbers(taken, task, len(raw.y), tuple(notes))
    return _Given(found, name, source, title, table=False, seeded=False)


def _cut_note(taken: Raw, raw: Raw, rows: Rows) -> tuple[str, ...]:
    if rows.n is not None or len(taken.y) == len(raw.y):
        return ()
    return (f"the first {len(taken.y):,} of {len(raw.y):,} rows are taken; --n takes more.",)


def _refuse_own_options(name: str, choices: Choices, header: bool | None) -> None:  # noqa: FBT001
    """Refuse options that only data of one's own have."""
    source = find(name)
    if choices.label is not None:
        raise InvalidInput(
            f"label is {printable(choices.label)!r}, but the targets of {name} are fixed; leave "
            f"label out."
        )
    if choices.task not in (None, source.task):
        raise InvalidInput(
            f"task is {choices.task!r}, but {name} is a {source.task}; leave task out."
        )
    _refuse_table_options(name, choices, header)


def _refuse_table_options(title: str, choices: Choices, header: bool | None) -> None:  # noqa: FBT001
    if choices.label is not None:
        raise InvalidInput(
            f"label is {printable(choices.label)!r}, but {title} names its targets y; leave label "
            f"out."
        )
    if choices.keep or choices.drop or header is not None:
        raise InvalidInput(
            f"keep, drop and header are for tables, and {title} holds arrays; leave them out."
        )


def _as_prepared(steps: Preparation, task: Task) -> str:
    parts = []
    if steps.standardize:
        parts.append(
            "inputs are standardised"
            if task == "classification"
            else "inputs and targets are standardised"
        )
    if steps.constant:
        parts.append("a constant input is added")
    return f"{' and '.join(parts)}; --raw takes the numbers as they are."


def _frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only copy that nothing else can write to."""
    copy = np.array(array, dtype=np.float64, order="C")
    copy.setflags(write=False)
    return copy


def digest(x: Inputs, y: Float[np.ndarray, "n ..."]) -> str:
    """Return the SHA-256 of arrays: their shapes, then the little-endian float64 bytes of x, y."""
    found = hashlib.sha256(f"<f8 {x.shape} {y.shape}\n".encode())
    for array in (x, y):
        found.update(np.ascontiguousarray(array, dtype="<f8").data)
    return found.hexdigest()
