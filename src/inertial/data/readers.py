"""Readers of tables: separated by white space, CSV, NPZ and Parquet.

Each reader takes a path and returns `Raw`: float64 inputs and targets in file order, every number
finite.  A file that is not what it should be raises `InvalidInput`.  Lines, rows and columns
count from 1 in messages.  Nothing is ever unpickled.
"""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from inertial._checks import InvalidInput, one_of
from inertial._types import Inputs, Targets


@dataclass(frozen=True)
class Raw:
    """Inputs (n by d) and targets (n) as a file has them, and the names of the d columns."""

    x: Inputs
    y: Targets
    columns: tuple[str, ...]


def read_table(path: Path) -> Raw:
    """Read a table of numbers separated by spaces or tabs; the last column is the target."""
    lines = [(k, line.split()) for k, line in enumerate(_text(path).splitlines(), start=1)]
    rows = [(k, cells) for k, cells in lines if cells]
    columns = numbered(len(rows[0][1])) if rows else ()
    values = _numbers(rows, columns, path)
    return _split(values, columns, len(columns) - 1, path)


def read_csv(path: Path, label: str | None) -> Raw:
    """Read comma-separated numbers with the target in the column `label`.

    The first line is a header if any of its cells is not a number.  Without a header the columns
    are called 1, 2, 3 and so on.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InvalidInput(f"{path} is not a CSV file ({error}); correct it.") from None
    rows = [(k, cells) for k, cells in lines if any(cells)]
    top = rows[0][1] if rows else []
    if len(top) == 1 and (mark := next((c for c in ";\t|" if c in top[0]), None)):
        raise InvalidInput(f"{path} separates its cells by {mark!r}; write commas between them.")
    headed = not all(_is_number(cell) for cell in top)
    columns = tuple(top) if headed else numbered(len(top))
    target = _target(path, label, columns)
    return _split(_numbers(rows[headed:], columns, path), columns, target, path)


def read_npz(path: Path) -> Raw:
    """Read the arrays x (n by d) and y (n) of a NumPy archive."""
    x, y = (_member(path, key) for key in ("x", "y"))
    if x.ndim != 2 or x.shape[1] == 0 or y.shape != x.shape[:1]:
        raise InvalidInput(
            f"{path} has x of shape {x.shape} and y of shape {y.shape}; give x as (n, d) with "
            f"d of at least 1, and y as (n,)."
        )
    raw = Raw(x.astype(np.float64), y.astype(np.float64), numbered(x.shape[1]))
    _finite(np.column_stack([raw.x, raw.y]), (*raw.columns, "y"), path)
    return raw


def read_parquet(path: Path, label: str | None) -> Raw:
    """Read a Parquet table of numbers with the target in the column `label`."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InvalidInput(
            f"{path} needs the package pyarrow; install it with: pip install 'inertial[parquet]'."
        ) from None
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"{path} cannot be read as Parquet ({reason}); replace it.") from None
    columns = tuple(table.column_names)
    target = _target(path, label, columns)
    for field in table.schema:
        kind = field.type
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        ):
            raise InvalidInput(
                f"column {field.name!r} of {path} holds {kind}, not numbers; drop or encode it."
            )
    # Missing values turn into NaN here, and are then named by row and column.
    values = np.column_stack([column.cast(pa.float64()).to_numpy() for column in table.columns])
    _finite(values, columns, path)
    return _split(values, columns, target, path)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if they are gzip."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InvalidInput(
            f"{path} is truncated or damaged inside its gzip packing; copy or download it again."
        ) from None
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions."
        ) from None


def numbered(count: int) -> tuple[str, ...]:
    """Return the names of `count` columns that have none: 1, 2, 3 and so on."""
    return tuple(str(k) for k in range(1, count + 1))


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not UTF-8 text; give a text file.") from None


def _member(path: Path, key: str) -> Shaped[np.ndarray, "..."]:
    """Return one numeric array of a NumPy archive."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names: list[str] = archive.files
            array: Shaped[np.ndarray, ...] | None = archive[key] if key in names else None
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, OSError):
        raise InvalidInput(
            f"{path} is no .npz archive of plain numeric arrays, or is damaged; write it with "
            f"numpy.savez(path, x=..., y=...)."
        ) from None
    if array is None:
        raise InvalidInput(
            f"{path} holds the arrays {', '.join(names) or 'of an empty archive'} but no {key!r}; "
            f"save x and y in it."
        )
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            f"the array {key!r} in {path} has dtype {array.dtype}; save real numbers."
        )
    return array


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(
    rows: Sequence[tuple[int, list[str]]], columns: tuple[str, ...], path: Path
) -> Float[np.ndarray, "n c"]:
    """Turn the cells of numbered lines into finite numbers, or name the first that is not one."""
    values = np.empty((len(rows), len(columns)))
    for row, (line, cells) in zip(values, rows, strict=True):
        if len(cells) != len(columns):
            raise InvalidInput(
                f"line {line} of {path} has {len(cells)} cells where the first line has "
                f"{len(columns)}; make them equal."
            )
        try:
            row[:] = [float(cell) for cell in cells]
        except ValueError:
            place = next(j for j, cell in enumerate(cells) if not _is_number(cell))
            remedy = "write a number there or remove the line"
            if not any(_is_number(others[place]) for _, others in rows if place < len(others)):
                remedy = "its column has no numbers, remove or encode it"
            raise InvalidInput(
                f"line {line}, column {columns[place]!r} of {path} is {cells[place]!r}; {remedy}."
            ) from None
    _finite(values, columns, path, [line for line, _ in rows])
    return values


def _finite(
    values: Float[np.ndarray, "n c"],
    columns: tuple[str, ...],
    path: Path,
    lines: Iterable[int] | None = None,
) -> None:
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    i, j = np.argwhere(bad)[0]
    place = f"row {i + 1}" if lines is None else f"line {list(lines)[i]}"
    raise InvalidInput(
        f"{place}, column {columns[j]!r} of {path} is {values[i, j]}; write a finite number there "
        f"or remove it."
    )


def _target(path: Path, label: str | None, columns: tuple[str, ...]) -> int:
    """Return the place of the target column."""
    if label is None:
        names = ", ".join(columns) or "none"
        raise InvalidInput(
            f"{path} needs the name of its target column as label; its columns are {names}."
        )
    one_of(f"label for {path}", label, columns)
    if columns.count(label) > 1:
        raise InvalidInput(f"{path} has several columns {label!r}; rename all but one.")
    return columns.index(label)


def _split(
    values: Float[np.ndarray, "n c"], columns: tuple[str, ...], target: int, path: Path
) -> Raw:
    if len(columns) < 2:
        raise InvalidInput(
            f"{path} has {len(columns)} columns; give at least one input and the target."
        )
    names = columns[:target] + columns[target + 1 :]
    return Raw(np.delete(values, target, axis=1), values[:, target].copy(), names)
