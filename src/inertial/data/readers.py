"""Readers of files: tables of text, Parquet, and NumPy archives.

`read_csv` and `read_parquet` return a pandas frame and notes on what was guessed or left out;
what becomes of its columns stands in `columns`.  `read_npz` and `read_table` return `Raw`.
A file that is not what it should be raises `InvalidInput`.  Lines, rows and columns count from 1
in messages.  Nothing is ever unpickled.
"""

import io
import re
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Shaped

from inertial import files
from inertial._checks import InvalidInput, listed, printable
from inertial._types import Inputs, Targets
from inertial.data.dialect import MISSING, Dialect, decode, detect
from inertial.data.unpack import MOST_BYTES, check_size, read_bytes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 1 << 14


@dataclass(frozen=True)
class Raw:
    """Inputs (n by d), targets (n), the names of the d columns, and what else is known of them.

    `labels` are whole numbers from 0 that count through `classes`, if the targets are classes.
    """

    x: Inputs
    y: Targets
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    labels: Int[np.ndarray, "n"] | None = None


@dataclass(frozen=True)
class Table:
    """A frame whose columns have names that differ, and notes on how it was read.

    `indexes` are columns that the file itself says are no data but number or name its rows.
    """

    frame: "pd.DataFrame"
    notes: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    decimal: str = "."


def read_table(path: Path) -> Raw:
    """Read a table of numbers separated by spaces or tabs; the last column is the target."""
    text, _ = decode(read_bytes(path), path)
    frame = _parsed(Dialect(text, " ", ".", None, 0, ()), path)
    if frame.shape[1] < 2:
        raise InvalidInput(
            f"{path} has {frame.shape[1]} columns; give at least one input and the target."
        )
    columns = [list(map(_float, column)) for _, column in frame.items()]
    values = np.column_stack(columns)
    if (bad := np.argwhere(~np.isfinite(values))).size:
        i, j = bad[0]
        raise InvalidInput(
            f"row {i + 1}, column '{j + 1}' of {path} is {printable(frame.iloc[i, j])!r}; write a "
            f"finite number there or copy the file again."
        )
    return Raw(values[:, :-1].copy(), values[:, -1].copy(), numbered(values.shape[1] - 1))


def read_csv(path: Path, label: str | None = None, header: bool | None = None) -> Table:  # noqa: FBT001
    """Read a table of text, packed or not; how it is written is found from the text.

    Parameters
    ----------
    path
        File.
    label
        Target column, which tells a header of numbers from a row.
    header
        Whether the first line names the columns; None to find out.

    """
    dialect = detect(read_bytes(path), path, label, header)
    frame = _parsed(dialect, path)
    names, notes, indexes = _names(frame, dialect, path)
    frame.columns = names
    empty = [
        name for k, name in enumerate(names) if name.startswith("column ") and _blank(frame, k)
    ]
    frame = frame.drop(columns=empty)
    return Table(frame, (*dialect.notes, *notes), indexes, dialect.decimal)


def read_npz(path: Path) -> Raw:
    """Read the arrays x (n by d) and y (n) of a NumPy archive."""
    x, y = (_member(path, key) for key in ("x", "y"))
    if x.ndim != 2 or x.shape[1] == 0 or y.shape != x.shape[:1]:
        raise InvalidInput(
            f"{path} has x of shape {x.shape} and y of shape {y.shape}; give x as (n, d) with "
            f"d of at least 1, and y as (n,){reshaped(x, y)}."
        )
    return finite_arrays(x, y, str(path))


def finite_arrays(x: Shaped[np.ndarray, "n d"], y: Shaped[np.ndarray, "n"], title: str) -> Raw:
    """Return real arrays as float64, or name the first number that is not finite."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    for values, name in ((x, None), (y[:, None], "y")):
        if not np.isfinite(values).all():
            i, j = np.argwhere(~np.isfinite(values))[0]
            raise InvalidInput(
                f"row {i + 1}, column {name or str(j + 1)!r} of {title} is {values[i, j]}; write "
                f"a finite number there or remove it."
            )
    return Raw(x, y, numbered(x.shape[1]))


def read_parquet(path: Path) -> Table:
    """Read the flat columns of a Parquet table; nested ones are left out with a note."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = files.read(path, MOST_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            file = pq.ParquetFile(pa.BufferReader(content), thrift_string_size_limit=1 << 26)
            schema = file.schema_arrow
            names = list(schema.names)
            check_size(len(names), file.metadata.num_rows * len(names), path)
            _check_distinct(names, path)
            nested = [field.name for field in schema if pa.types.is_nested(field.type)]
            flat = [name for name in names if name not in nested]
            table = _flat_table(file, flat, path)
            indexes = _pandas_indexes(schema, names)
            frame = table.replace_schema_metadata(None).to_pandas(date_as_object=True)
        except (InvalidInput, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - a damaged file makes pyarrow raise anything
            reason = printable(str(error) or type(error).__name__, 80)
            raise InvalidInput(
                f"{path} cannot be read as Parquet ({reason}); replace it."
            ) from None
    notes = (f"left out as lists or structures: {listed(nested, 5)}; flatten them.",)
    return Table(frame, notes if nested else (), indexes)


def numbered(count: int) -> tuple[str, ...]:
    """Return the names of `count` columns that have none: 1, 2, 3 and so on."""
    return tuple(str(k) for k in range(1, count + 1))


def reshaped(x: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> str:
    """Name the calls that would give arrays of the right shapes."""
    calls = []
    if x.ndim == 1 and x.size:
        calls.append("x.reshape(-1, 1)")
    if x.ndim > 2 and x.size:
        calls.append("x.reshape(len(x), -1)")
    if y.ndim == 2 and 1 in y.shape:
        calls.append("y.ravel()")
    if y.ndim == 2 and len(x) == len(y) and not calls:
        return "; a model of several outputs is taken in Python, by inertial.Problem"
    return f", with {' and '.join(calls)}" if calls else ""


def _parsed(dialect: Dialect, path: Path) -> "pd.DataFrame":
    """Let pandas read the rows; a line with more cells than the first one is named."""
    import pandas as pd

    aligned = dialect.separator == "  "
    body = re.sub(r"^\s+|\s+$", "", dialect.body, flags=re.MULTILINE) if aligned else dialect.body
    known = [*MISSING, *(word.upper() for word in MISSING), *(word.title() for word in MISSING)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pd.read_csv(
                io.StringIO(body),
                sep={" ": r"\s+", "  ": r" {2,}"}.get(dialect.separator, dialect.separator),
                header=None,
                decimal=dialect.decimal,
                na_values=sorted(set(known)),
                keep_default_na=False,  # None is one of them, and may be a class
                skipinitialspace=True,
                engine="python" if aligned else "c",
                **({} if aligned else {"low_memory": False}),
            )
    except pd.errors.EmptyDataError:
        raise InvalidInput(f"{path} has no rows; give a table with at least 2.") from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - what pandas raises on damaged text is not listed
        ragged = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if ragged:
            first, line, cells = (int(word) for word in ragged.groups())
            raise InvalidInput(
                f"line {line + dialect.skipped} of {path} has {cells} cells where the first row "
                f"has {first}; make them equal."
            ) from None
        raise InvalidInput(f"{path} is no table ({printable(error, 80)}); correct it.") from None


def _float(cell: object) -> float:
    """Return a cell as a number; what is none, or too large for one, is missing."""
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _blank(frame: "pd.DataFrame", place: int) -> bool:
    return bool(frame.iloc[:, place].isna().all())


def _names(
    frame: "pd.DataFrame", dialect: Dialect, path: Path
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """Return distinct names of the columns, notes, and which columns number or name the rows."""
    width = frame.shape[1]
    if dialect.names is None:
        return list(numbered(width)), [], ()
    names = list(dialect.names)
    indexes: tuple[str, ...] = ()
    while len(names) > width and not names[-1]:
        names.pop()
    while width > len(names) + 1 and _blank(frame, width - 1):
        width -= 1
    if len(names) == width - 1 and not _blank(frame, width - 1) and frame.iloc[:, 0].is_unique:
        # R writes the names of rows without a name of their own.
        names = ["row names", *names]
        indexes = ("row names",)
    if len(names) > width or (len(names) < width and not _blank(frame, width - 1)):
        raise InvalidInput(
            f"the header of {path} names {len(names)} columns where the rows have {width} cells; "
            f"make them equal, with quotes around texts that hold separators."
        )
    width = frame.shape[1]
    names += [""] * (width - len(names))
    if not names[0] or re.fullmatch(r"Unnamed: 0(\.\d+)?|\.\.\.1", names[0]):
        # What pandas and R write for the index has no name and repeats nothing.
        names[0] = names[0] or "column 1"
        first = frame.iloc[:, 0]
        indexes = (names[0],) if first.dtype.kind != "f" and first.is_unique else ()
    seen: dict[str, int] = {}
    notes = []
    for k, name in enumerate(names):
        names[k] = name or f"column {k + 1}"
        seen[names[k]] = seen.get(names[k], 0) + 1
    if twice := [name for name, count in seen.items() if count > 1]:
        notes.append(f"several columns are called {listed(twice, 3)}; rename all but one of each.")
        names = _distinct(names)
    return names, notes, indexes


def _distinct(names: list[str]) -> list[str]:
    """Return names of which the later ones of a kind end in .2, .3 and so on."""
    taken, found = set(names), []
    times: Counter[str] = Counter()
    for name in names:
        new = name
        while times[name] and new in taken:
            times[name] += 1
            new = f"{name}.{times[name]}"
        times[name] = times[name] or 1
        taken.add(new)
        found.append(new)
    return found


def npz_array(path: Path) -> Shaped[np.ndarray, "..."]:
    """Return the only array of a NumPy archive."""
    packed = files.read(path, MOST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, OSError):
        names = []
    if len(names) != 1:
        raise InvalidInput(
            f"{path} holds {len(names)} arrays; save one, with numpy.save or numpy.savez."
        )
    return _member(path, names[0])


def npy_array(content: bytes, title: Path) -> Shaped[np.ndarray, "..."]:
    """Return the array in the bytes of an .npy file."""
    try:
        return _array(content, str(title))
    except (InvalidInput, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a damaged header makes its reader raise anything
        raise InvalidInput(
            f"{title} is not an .npy file of plain numbers or is damaged; write it with numpy.save."
        ) from None


def _member(path: Path, key: str) -> Shaped[np.ndarray, "..."]:
    """Return one numeric array of a NumPy archive, whose header is checked before its numbers."""
    names: list[str] = []
    array: Shaped[np.ndarray, ...] | None = None
    packed = files.read(path, MOST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if key in names:
                with archive.open(f"{key}.npy") as member:
                    content = member.read(MOST_BYTES + 1)
                array = _array(content, f"{key!r} in {path}")
    except (InvalidInput, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a damaged archive makes its reader raise anything
        raise InvalidInput(
            f"{path} is not an .npz archive of plain numeric arrays, or is damaged; write it with "
            f"numpy.savez(path, x=..., y=...)."
        ) from None
    if array is None:
        other = " as lower-case names" if key.upper() in names else ""
        raise InvalidInput(
            f"{path} holds the arrays {listed(names) or 'of an empty archive'} but no {key!r}; "
            f"save x and y in it{other}."
        )
    return array


def _array(content: bytes, title: str) -> Shaped[np.ndarray, "..."]:
    """Return the array in the bytes of an .npy file; its shape must be that of its bytes."""
    if len(content) > MOST_BYTES:
        raise InvalidInput(
            f"the array {title} has more than {MOST_BYTES >> 20} MiB; save fewer rows."
        )
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(title)
    if dtype.kind not in "biuf":
        raise InvalidInput(f"the array {title} has dtype {dtype}; save real numbers.")
    count = int(np.prod(shape, dtype=object))
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(content) - file.tell():
        raise ValueError(title)
    array = np.frombuffer(content, dtype, count, file.tell())
    return array.reshape(shape, order="F" if fortran else "C")


def _check_distinct(names: list[str], path: Path) -> None:
    name, count = Counter(names).most_common(1)[0] if names else ("", 1)
    if count > 1:
        raise InvalidInput(f"{path} has several columns {printable(name)!r}; rename all but one.")


def _flat_table(file: "pq.ParquetFile", columns: list[str], path: Path) -> "pa.Table":
    """Read batch by batch, so that a file that unpacks to too much is stopped on the way."""
    import pyarrow as pa

    batches, held = [], 0
    for batch in file.iter_batches(_BATCH, columns=columns):
        plain = pa.record_batch(
            [_plain(column) for column in batch.columns], names=batch.schema.names
        )
        held += plain.nbytes
        if held > 2 * MOST_BYTES:
            raise InvalidInput(
                f"{path} holds more than {MOST_BYTES >> 19} MiB unpacked; take a part of its rows "
                f"or columns into a file of their own."
            )
        batches.append(plain)
    if not batches:
        raise InvalidInput(f"{path} has no rows; give a table with at least 2.")
    return pa.Table.from_batches(batches)


def _plain(column: "pa.Array") -> "pa.Array":
    """Return a column without dictionaries, and decimals as float64."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.dictionary_decode()
    if pa.types.is_decimal(kind):
        # Through text, since a product with a power of ten would round twice.
        return column.cast(pa.string()).cast(pa.float64())
    return column


def _pandas_indexes(schema: "pa.Schema", names: list[str]) -> tuple[str, ...]:
    """Return the columns that pandas wrote as the index of the frame."""
    try:
        described = (schema.pandas_metadata or {}).get("index_columns", [])
    except ValueError:
        return ()
    return tuple(name for name in described if isinstance(name, str) and name in names)
