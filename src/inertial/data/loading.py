"""Inputs and targets of an experiment, with a record of where they came from.

`load` takes names, files, and arrays or frames in memory.  Names are of sets that need no files
(digits, diabetes, sphere) and of the six sets of Liu, Pan and Tao (2022, section 5.1), whose image
classes 0 and 1 become the targets +1 and -1.  What becomes of a table's columns stands in
`columns`, how numbers are prepared in `prepare`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import escape
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from inertial._checks import InvalidInput, brief, listed, printable, whole
from inertial._surface import option
from inertial._types import Inputs, Targets
from inertial.data.arrays import from_arrays, from_frame, is_frame, of_texts
from inertial.data.columns import Choices, Numbers, Rows, class_labels, few_valued, numbers
from inertial.data.held_out import Held, check_classes, share_of, split
from inertial.data.lookup import SUFFIXES, TEXTS, kind, locate, own_file
from inertial.data.named import read_named
from inertial.data.prepare import MOST_ROWS, Preparation, cut, infer_task, prepare
from inertial.data.readers import Raw, Table, read_csv, read_npz, read_parquet
from inertial.data.sources import Source, Task, find

MEMORY = "passed in as arrays"
"""Source in the record of data that came from no file."""

SAVED_AS = {"arrays": "arrays.npz", "frame": "frame.parquet"}
"""From the name in such a record to the file that the same data can be saved as."""


@dataclass(frozen=True)
class Provenance:
    """What is needed to say which arrays these are; plain values, so it can be written as JSON.

    Parameters
    ----------
    name
        Name of the data set, or of the file.
    task
        `classification` (targets -1 and 1) or `regression`.
    n, d
        Rows and inputs.
    source
        In words where the bytes came from; for files of one's own the absolute path.
    sha256
        Taken over the shapes and the little-endian float64 bytes of x, then y.
    normalize, standardize, dedupe, constant, raw
        How the rows were prepared, as for `load`.
    rows
        How many were available before the cut to n.
    dropped
        How many of those kept by the cut repeated earlier ones: n are left.
    label
        Column of the targets; None where the set has no columns.
    seed
        Seed of a set that is generated; None for others.
    header, keep, drop
        How a table was read, as for `load`; None where its first line decided.
    notes
        What was guessed, filled or left out on the way.
    test
        Share of the rows that was held out, or where the test rows came from; None without.
    test_rows
        Number of test rows.
    test_sha256
        Their hash, as `sha256`; None without test rows.

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
    test: float | str | None = None
    test_rows: int = 0
    test_sha256: str | None = None


@dataclass(frozen=True, repr=False)
class Data:
    """Inputs and targets, float64, C-contiguous and read-only.

    Parameters
    ----------
    x, y
        Inputs, shape (n, d), and targets, shape (n,).
    provenance
        Which arrays these are.
    columns
        Names of the d inputs; empty if they have none.
    classes
        Names of the classes, of which there may be more than the two that y tells apart; empty for
        other targets.
    labels
        Class of each row, a whole number from 0 that counts through `classes`; None for other
        targets.
    test
        The rows that were held out, prepared as the others are; None without.

    """

    __repr__ = brief

    x: Inputs
    y: Targets
    provenance: Provenance
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    labels: Int[np.ndarray, "n"] | None = None
    test: "Data | None" = None


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
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    raw: bool = False,
    normalize: bool = True,
    standardize: bool | None = None,
    constant: bool | None = None,
    dedupe: bool | None = None,
    seed: int = 0,
    dim: int = 20,
    test: Any = None,  # noqa: ANN401 - a share, a path, a frame or a pair of arrays
) -> Data:
    """Load a data set and prepare it.

    Parameters
    ----------
    data
        A name of `catalog`, the path of a table (text, packed or not, or Parquet) or of an .npz
        file, a pandas frame or series, or an array of inputs, n by d.
    y
        Targets, if `data` holds inputs only.  Texts are classes, and beside them an array is taken
        as a table.
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
        Seed of a table's sample and of the rows that are held out; seed and dimension of sphere.
    test
        Rows to hold out: a share in (0, 1), drawn by the seed, of every class alike; or others of
        the same columns, which are matched by name: the path of a file, a frame, or for arrays a
        pair ``(x, y)``.  They are set apart first, so that whatever is fitted is fitted on the
        others, and are found in `Data.test`.

    Warns
    -----
    UserWarning
        If a table of the papers has fewer rows than were published.

    Raises
    ------
    InvalidInput
        If the data cannot be found or read, if they cannot be prepared as asked, or if the test
        rows have other columns, or leave no row of a class.

    """
    if n is not None:
        whole("n", n, least=2)
    whole("seed", seed, least=0)
    choices = Choices(label, task, tuple(keep), tuple(drop), raw)
    rows = Rows(n, most, seed)
    share = None if test is None else share_of(test)
    held = Held(share, seed=seed)
    given = _read(
        data,
        y,
        choices,
        rows,
        header=header,
        data_dir=data_dir,
        dim=dim,
        held=held,
        test=None if share is not None else test,
    )
    table = given.table and not raw
    steps = Preparation(
        normalize=normalize,
        standardize=table if standardize is None else standardize,
        constant=table if constant is None else constant,
        dedupe=table if dedupe is None else dedupe,
    )
    found = given.numbers
    done = prepare(found.raw, steps, task=found.task, title=given.title, held=found.held)
    notes = found.notes
    if table and (steps.standardize or steps.constant):
        notes += (_as_prepared(steps, found.task),)
    x, targets = _frozen(done.raw.x), _frozen(done.raw.y)
    provenance = Provenance(
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
        seed=seed if given.seeded or share is not None else None,
        raw=raw,
        header=header,
        keep=choices.keep,
        drop=choices.drop,
        notes=(*notes, *done.notes),
    )
    about = done.raw.columns, done.raw.classes
    if done.test is None:
        return Data(x, targets, provenance, *about, done.raw.labels)
    z, others = _frozen(done.test.x), _frozen(done.test.y)
    origin = share if share is not None else _origin(test)
    provenance = replace(provenance, test=origin, test_rows=len(z), test_sha256=digest(z, others))
    own = replace(
        provenance,
        n=len(z),
        rows=len(z),
        dropped=0,
        sha256=digest(z, others),
        notes=(),
        test=None,
        test_rows=0,
        test_sha256=None,
    )
    return Data(
        x,
        targets,
        provenance,
        *about,
        done.raw.labels,
        Data(z, others, own, *about, done.test.labels),
    )


def _origin(test: Any) -> str:  # noqa: ANN401
    """Say where test rows of their own came from."""
    return str(Path(test).absolute()) if isinstance(test, str | PathLike) else MEMORY


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
    if source == MEMORY:
        raise InvalidInput(
            f"{name} was passed in as arrays and is not stored; pass the data again."
        )
    own = Path(source)
    if kept["test"] == MEMORY:
        raise InvalidInput(
            f"the test rows of {name} were passed in as arrays and are not stored; pass the data "
            "again."
        )
    is_own = source != name and own.name == name
    if is_own and not own.is_file():
        raise InvalidInput(f"{own} is not a file; give the path of one that exists.")
    if not is_own and locate(name, data_dir) is None:
        raise InvalidInput(f"{name} is not on this machine; run inertial data fetch {name}.")
    try:
        again = load(
            own if is_own else name,
            n=kept["n"]
            + kept["dropped"]
            + (kept["test_rows"] if isinstance(kept["test"], float) else 0),
            data_dir=None if is_own else data_dir,
            task=kept["task"] if is_own else None,
            keep=tuple(kept["keep"]),
            drop=tuple(kept["drop"]),
            seed=kept["seed"] or 0,
            dim=kept["d"],
            test=kept["test"],
            **{option: kept[option] for option in _OPTIONS},
        )
    except InvalidInput:
        if not is_own:
            raise
        raise InvalidInput(
            f"{own} cannot be read as it was recorded; restore the file, or make the run again."
        ) from None
    found = again.provenance
    if (found.sha256, found.test_sha256) != (record["sha256"], kept["test_sha256"]):
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
    "test": (float, str, NoneType),
    "test_rows": (int,),
    "test_sha256": (str, NoneType),
    "header": (bool, NoneType),
    "keep": (list, tuple),
    "drop": (list, tuple),
    **dict.fromkeys(("raw", "normalize", "standardize", "constant", "dedupe"), (bool,)),
}
"""What a record holds of each entry that `reload` needs."""


def _recorded(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `reload` needs, or refuse a record that lacks it or holds something else."""
    defaults: dict[str, Any] = {"header": None, "keep": (), "drop": ()}
    defaults |= {"raw": False, "constant": False}
    defaults |= {"test": None, "test_rows": 0, "test_sha256": None}
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
    held: Held,
    test: Any,  # noqa: ANN401
) -> _Given:
    """Read a name, a file, a frame or arrays, take the rows, and hold some out."""
    if isinstance(data, str | PathLike):
        if y is not None:
            raise InvalidInput("y is given beside a name; leave y out, or pass the inputs too.")
        path = own_file(data if isinstance(data, str) else Path(data))
        if path is None:
            _refuse_own_options(str(data), choices, header)
            if test is not None:
                raise InvalidInput(
                    f"test names rows of their own, but {data} is a named set; give a share of its "
                    "rows, such as 0.2."
                )
            return _named(str(data), rows, data_dir, dim, held)
        _refuse_folder(data_dir, f"{path} is a file")
        return _file(path, choices, rows, header, held, test)
    _refuse_folder(data_dir, "the data are")
    if is_frame(data) or (y is not None and of_texts(y)):
        table, choices = from_frame(data, y, choices)
        if test is not None:
            held = _held_frame(test, choices)
        title = "the frame" if is_frame(data) else "the data"
        return _sampled(table, choices, rows, ("frame", MEMORY, title), held)
    _refuse_table_options("the data", choices, header)
    others = None if test is None else _held_arrays(test)
    words = ("arrays", MEMORY, "the data")
    return _first(from_arrays(data, y), choices, rows, words, held, others)


def _held_frame(test: Any, choices: Choices) -> Held:  # noqa: ANN401
    """Return test rows that are a frame with its target, or a frame and its targets."""
    pair = test if isinstance(test, tuple) and len(test) == 2 else (test, None)
    if pair[1] is None and not is_frame(pair[0]):
        raise InvalidInput("the data are a frame and test is not; give a share or a frame.")
    free = replace(choices, label=None) if pair[1] is not None else choices
    table, named = from_frame(pair[0], pair[1], free)
    if named.label != choices.label and named.label is not None:
        table = replace(table, frame=table.frame.rename(columns={named.label: choices.label}))
    return Held(table=table, title="the test frame")


def _held_arrays(test: Any) -> Raw:  # noqa: ANN401
    if not (isinstance(test, tuple) and len(test) == 2):
        raise InvalidInput(
            f"test is {printable(test)!r}; give a share in (0, 1), or test rows as a pair (x, y)."
        )
    return from_arrays(*test)


def _file(
    path: Path,
    choices: Choices,
    rows: Rows,
    header: bool | None,  # noqa: FBT001
    held: Held,
    test: Any,  # noqa: ANN401
) -> _Given:
    if not path.exists():
        raise InvalidInput(f"{path} is not a file; give the path of one that exists.")
    words = path.name, str(path.absolute()), str(path)
    other = None if test is None else _test_path(test, path)
    if kind(path) == ".npz":
        _refuse_table_options(str(path), choices, header)
        others = None if other is None else read_npz(other)
        return _first(read_npz(path), choices, rows, words, held, others)
    if other is not None:
        held = Held(table=_table(other, choices.label, header), title=str(other))
    return _sampled(_table(path, choices.label, header), choices, rows, words, held)


def _table(path: Path, label: str | None, header: bool | None) -> Table:  # noqa: FBT001
    if kind(path) in TEXTS:
        return read_csv(path, label, header)
    if header is not None:
        raise InvalidInput(
            f"header is given, but {path} names its columns; leave --header (header=) out."
        )
    return read_parquet(path)


def _test_path(test: Any, path: Path) -> Path:  # noqa: ANN401
    """Return the path of test rows, which is of the kind of the other one."""
    if not isinstance(test, str | PathLike):
        raise InvalidInput(
            f"test is {printable(test)!r}; give a share in (0, 1), or the path of a file."
        )
    other = Path(test)
    if not other.is_file():
        raise InvalidInput(
            f"test is {printable(other)!r}, which is not a file; give a share in (0, 1), or the "
            "path of a file with the same columns."
        )
    if (kind(other) == ".npz") != (kind(path) == ".npz"):
        raise InvalidInput(
            f"{other} and {path} are of different kinds; give a table beside a table, and an .npz "
            "file beside another."
        )
    return other


def _sampled(
    table: Table, choices: Choices, rows: Rows, words: tuple[str, str, str], held: Held
) -> _Given:
    name, source, title = words
    found = numbers(table, choices, rows, title=title, test=held)
    seeded = len(found.raw.y) < found.rows + (found.held if held.table is not None else 0)
    return _Given(found, name, source, title, table=True, seeded=seeded)


def _named(name: str, rows: Rows, data_dir: str | Path | None, dim: int, held: Held) -> _Given:
    source = find(name)
    raw, origin = read_named(source, rows.n, data_dir, rows.seed, dim)
    taken = cut(raw, rows.count(len(raw.y), name), name)
    found = Numbers(taken, source.task, len(raw.y), _cut_note(taken, raw, rows))
    found = _apart(found, held)
    return _Given(found, name, origin, name, table=False, seeded=name == "sphere")


def _apart(found: Numbers, held: Held, others: Raw | None = None) -> Numbers:
    """Put a share of the rows behind the others, or rows of their own."""
    raw = found.raw
    if others is not None:
        if others.x.shape[1] != raw.x.shape[1]:
            raise InvalidInput(
                f"the test rows have {others.x.shape[1]} columns and the training rows "
                f"{raw.x.shape[1]}; give test rows with the same columns."
            )
        x, y = np.vstack([raw.x, others.x]), np.concatenate([raw.y, others.y])
        classes, labels = class_labels(y)
        if found.task == "classification":
            check_classes(labels, classes, len(raw.y))
        if raw.labels is not None:
            raw = replace(raw, labels=labels, classes=classes)
        return replace(found, raw=replace(raw, x=x, y=y), held=len(others.y))
    if held.share is None:
        return found
    names, kinds = raw.classes, raw.labels
    if kinds is None and found.task == "classification":
        names, kinds = class_labels(raw.y)
    train, test = split(len(raw.y), held.share, held.seed, kinds, names)
    order = np.concatenate([train, test])
    kept = None if raw.labels is None else raw.labels[order]
    moved = replace(raw, x=raw.x[order], y=raw.y[order], labels=kept)
    return replace(found, raw=moved, held=len(test))


def _first(
    raw: Raw,
    choices: Choices,
    rows: Rows,
    words: tuple[str, str, str],
    held: Held,
    others: Raw | None,
) -> _Given:
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
                f"are classes, the distance between two of them means nothing: give a table or a "
                f"frame, load(pandas.DataFrame(x), y), or a model with loss cross_entropy."
            )
    found = _apart(Numbers(taken, task, len(raw.y), tuple(notes)), held, others)
    return _Given(found, name, source, title, table=False, seeded=False)


def _cut_note(taken: Raw, raw: Raw, rows: Rows) -> tuple[str, ...]:
    if rows.n is not None or len(taken.y) == len(raw.y):
        return ()
    return (
        f"the first {len(taken.y):,} of {len(raw.y):,} rows are taken; {option('n')} takes more.",
    )


def _source(name: str) -> Source:
    """Return a named set; a name that none has may be meant as the path of a file that is here."""
    try:
        return find(name)
    except InvalidInput as error:
        beside = sorted(Path().glob(f"{escape(name)}.*")) if name else []
        here = listed([path for path in beside if kind(path) in SUFFIXES], 3)
        hint = f", such as {here}" if here else f", which has an ending: {', '.join(SUFFIXES)}"
        raise InvalidInput(f"{str(error)[:-1]}, or give the path of a file{hint}.") from None


def _refuse_folder(data_dir: str | Path | None, what: str) -> None:
    """Refuse a folder to look in for what is not looked for."""
    if data_dir is not None:
        raise InvalidInput(
            f"{what} of your own, and --data-dir (data_dir=) is the folder of named sets; leave it "
            "out, and give a file by its path."
        )


def _refuse_own_options(name: str, choices: Choices, header: bool | None) -> None:  # noqa: FBT001
    """Refuse options that only data of one's own have."""
    source = _source(name)
    if choices.label is not None:
        raise InvalidInput(
            f"label is {printable(choices.label)!r}, but the targets of {name} are fixed; leave "
            f"--label (label=) out."
        )
    if choices.task not in (None, source.task):
        raise InvalidInput(
            f"task is {choices.task!r}, but {name} is a {source.task}; leave --task (task=) out."
        )
    _refuse_table_options(name, choices, header)


def _refuse_table_options(title: str, choices: Choices, header: bool | None) -> None:  # noqa: FBT001
    if choices.label is not None:
        raise InvalidInput(
            f"label is {printable(choices.label)!r}, but {title} names its targets y; leave "
            f"--label (label=) out."
        )
    if choices.keep or choices.drop or header is not None:
        raise InvalidInput(
            f"--keep, --drop and --header (keep=, drop=, header=) are for tables, and {title} "
            "holds arrays; leave them out."
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
    if steps.normalize:
        parts.append("every row's inputs are then scaled to norm 1")
    said = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    norm = " but for their norm" if steps.normalize else ""
    return f"{said}; {option('raw', True)} takes the numbers as they are{norm}."


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
