"""From a table's columns to numbers: targets, classes, texts, missing cells, indexes.

`numbers` turns a frame into `Raw`, and says in one note each what it did and how to do otherwise:

1. rows without a target are left out, and of the others a seeded sample is taken;
2. columns that number the rows are left out, and those that do not vary;
3. a unit or sign that all numbers of a column have is taken off, as in $1,200 and 45 %;
4. texts of few values become one column per value (one-hot), other texts and dates are left out;
5. missing cells are filled with the column's median.

Texts, and whole numbers of few values, are classes as targets.
"""

import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from inertial._checks import InvalidInput, listed, one_of, printable
from inertial._surface import option
from inertial._types import Targets
from inertial.data.dialect import (
    is_missing,
    is_number,
    other_signs,
    plain_number,
    plainly,
    without_unit,
)
from inertial.data.held_out import NOTHING, Held, check_classes, check_columns, split
from inertial.data.readers import Raw, Table
from inertial.data.sources import Task

if TYPE_CHECKING:
    import pandas as pd

FEW = 20
"""Values up to which a column of texts is encoded."""

_CLASSES = 10
"""Values up to which a target of whole numbers is taken as classes."""

_ROWS_PER_CLASS = 5

_MOST_CLASSES = 1000

_EXACT = 2.0**53
"""From here on, float64 does not hold every whole number."""

_ID_NAMES = frozenset(["index", "id", "rowid", "row_id", "rownames", "row names"])
"""Names, in lower case, of columns that hold one number for each row."""

_COUNT_NAMES = frozenset(
    ["row", "rows", "no", "no.", "nr", "#", "number", "obs", "obs.", "observation", "case", "x"]
)
"""Names, in lower case, that columns have which count the rows."""


_DENSE = 1.1
"""A span of whole numbers below so many times their number leaves few of them out."""

_DATE = re.compile(
    r"(?<![\d:.])(?P<a>\d{4}|\d{1,2})(?P<sign>[-./ ]) ?(?P<b>\d{1,2})(?P=sign) ?"
    r"(?P<c>\d{4}|\d{1,2})(?![\d:])"
)
"""A date of three numbers, of which the first or the last is the year."""

_DATED = re.compile(r"\d{4}|\d:\d|(?<!\d)\d{1,2}[- ]?[A-Za-z]{3,9}[-, ]*\d{2}(?!\d)")
"""What other dates hold: a year of four digits, a time, or a named month between two numbers."""

_EARLIEST = 1500
"""Year before which a cell is taken for no date: M1 would be one of the year 1."""


@dataclass(frozen=True)
class Rows:
    """Which rows to take: n, or if that is None all but no more than `most`; a table's by seed."""

    n: int | None
    most: int
    seed: int

    def count(self, rows: int, title: str) -> int:
        """Return how many of `rows` rows are taken."""
        if self.n is not None and self.n > rows:
            raise InvalidInput(
                f"n is {self.n}, but {title} has {rows} rows; give an n of at most {rows}."
            )
        return min(rows, self.most) if self.n is None else self.n


@dataclass(frozen=True)
class Choices:
    """What a user says about a table; `keep` and `drop` are names of columns.

    `apart` where the targets came beside the inputs, and no column was named.
    """

    label: str | None = None
    task: Task | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    raw: bool = False
    apart: bool = False


@dataclass(frozen=True)
class Numbers:
    """A table's rows as numbers, how many rows had a target, and the notes.

    The last `held` rows are test rows.
    """

    raw: Raw
    task: Task
    rows: int
    notes: tuple[str, ...]
    held: int = 0


@dataclass
class _Columns:
    """What becomes of the columns, kept by kind until the notes are written."""

    blocks: list[Float[np.ndarray, "n k"]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    encoded: list[str] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    dated: list[str] = field(default_factory=list)
    swapped: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    infinite: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    rounded: list[str] = field(default_factory=list)

    def fill(self, name: str, holes: Float[np.ndarray, "k"]) -> None:
        """Note the cells of a column that are infinite or missing."""
        infinite = int(np.isinf(holes).sum())
        for count, told in ((infinite, self.infinite), (len(holes) - infinite, self.filled)):
            if count:
                told.append(f"{printable(name, 30)} ({count:,})")

    def notes(self) -> list[str]:
        """Return one note for each kind that is not empty."""
        few = f"of more than {FEW} values or of one per row"
        out, kept = f"{option('drop', ['NAME'])} leaves one out", option("keep", ["NAME"])
        said = {
            f"encoded as one column per value, two values as one: {{}}; {out}.": self.encoded,
            f"missing cells are one more value of: {{}}; {out}.": self.blank,
            f"left out as texts or dates {few}: {{}}; {kept} encodes one.": self.texts,
            f"dates read as days since the first: {{}}; {out}.": self.dated,
            "days and months may be swapped: {}; write 3 January as 2021-01-03.": self.swapped,
            "cells that are not numbers count as missing: {}; correct them.": self.strange,
            f"missing cells filled with the median: {{}}; {out}.": self.filled,
            "infinite cells, or beyond 1e308, filled with the median: {}; correct them.": (
                self.infinite
            ),
            f"left out as they do not vary: {{}}; {option('raw', True)} keeps them.": (
                self.constant
            ),
            "whole numbers beyond 2^53 are rounded: {}; subtract what they share.": self.rounded,
        }
        return [text.format(listed(names, 5)) for text, names in said.items() if names]


def numbers(
    table: Table, choices: Choices, rows: Rows, *, title: str, test: Held = NOTHING
) -> Numbers:
    """Return the inputs and targets of a table.

    Parameters
    ----------
    table
        Frame, with the notes of its reader.
    choices
        Target column and so on.
    rows
        Rows to take, as a seeded sample if they are not all.
    title
        The table's name in messages.
    test
        Rows to hold out; everything is fitted on the others.

    Raises
    ------
    InvalidInput
        If there is no such target, if it can be neither numbers nor classes, if no input is left,
        or if the test rows have other columns or classes.

    """
    frame, notes = _named(table.frame), list(table.notes)
    label = _label(frame, choices, title)
    plain = _write_plainly(frame, table.decimal)
    if told := {name: met for name, met in plain.items() if met and name not in choices.drop}:
        signs = ", ".join(sorted({sign for met in told.values() for sign in met}))
        notes.append(
            f"read as numbers, {signs}: {listed([printable(name, 30) for name in told], 5)}; "
            f"{option('drop', ['NAME'])} leaves one out."
        )
    units = _strip_units(frame, table.decimal)
    if taken_off := {name: sign for name, sign in units.items() if name not in choices.drop}:
        signs = listed([f"{printable(name, 30)} ({sign})" for name, sign in taken_off.items()], 5)
        notes.append(
            f"read as numbers without their units: {signs}; {option('drop', ['NAME'])} leaves one "
            f"out."
        )
    target, kept, found = _usable(frame.pop(label), table.decimal, title)
    notes += found
    frame = frame.loc[kept]
    indexes = _indexes(frame, table.indexes, choices)
    frame = frame.drop(columns=[*indexes, *choices.drop])
    if indexes:
        notes.append(
            f"left out as the number or name of the row: {listed(indexes, 5)}; "
            f"{option('keep', ['NAME'])} takes one."
        )
    if mixed := [n for n in frame.columns if n not in choices.keep and _may_name_rows(frame[n])]:
        notes.append(
            f"an input, though it has another whole number in every row, as names of rows do: "
            f"{listed(mixed, 5)}; {option('drop', ['NAME'])} leaves one out."
        )
    taken = _sample(len(target), rows, title)
    if len(taken) < len(target):
        notes.append(
            f"{len(taken):,} of {len(target):,} rows are taken, at random with seed {rows.seed}; "
            f"{option('n')} takes more, {option('seed', flag='data-seed')} others."
        )
    whole, target, frame = target, target.iloc[taken], frame.iloc[taken]
    count = len(target)
    if test.table is not None:
        frame, target, words = _appended(
            frame, target, test, label, table.decimal, units=units, plain=plain
        )
        notes += words
    y, task, classes, labels, words = _targets(target, whole, table, choices, label, title)
    if labels is not None:
        check_classes(labels, classes, count)
    if test.share is not None:
        train, held = split(len(y), test.share, test.seed, labels, classes)
        order, count = np.concatenate([train, held]), len(train)
        frame, y, labels = frame.iloc[order], y[order], None if labels is None else labels[order]
    columns = _inputs(frame, table.decimal, choices, count)
    if not columns.blocks:
        raise _no_inputs(columns, indexes, label, title)
    raw = Raw(np.column_stack(columns.blocks), y, tuple(columns.names), classes, labels)
    notes += [*columns.notes(), *words]
    return Numbers(raw, task, len(whole), tuple(notes), len(y) - count)


def _appended(
    frame: "pd.DataFrame",
    target: "pd.Series",
    test: Held,
    label: str,
    decimal: str,
    *,
    units: dict[str, str],
    plain: Collection[str],
) -> tuple["pd.DataFrame", "pd.Series", list[str]]:
    """Return inputs and targets with those of the test rows behind them, and notes."""
    import pandas as pd

    assert test.table is not None  # noqa: S101 - what the caller saw
    other, title = _named(test.table.frame), test.title
    check_columns([label, *frame.columns], list(other.columns), title)
    numeric = [name for name in frame.columns if frame[name].dtype.kind != "O"]
    sure = [*plain, *numeric, *([label] if target.dtype != object else [])]
    _write_plainly(other, test.table.decimal, sure)
    theirs = _strip_units(other, test.table.decimal)
    for name in [label, *frame.columns]:
        if units.get(name) != theirs.get(name):
            raise InvalidInput(
                f"column {printable(name, 30)!r} has the unit {theirs.get(name, '')!r} in {title} "
                f"and {units.get(name, '')!r} in the training rows; write both in the same way."
            )
    found, kept, notes = _usable(other.pop(label), test.table.decimal, title, least=1)
    if (found.dtype == object) != (target.dtype == object):
        kinds = ("numbers", "texts") if target.dtype == object else ("texts", "numbers")
        raise InvalidInput(
            f"the target {printable(label, 30)!r} of {title} holds {kinds[0]} and that of the "
            f"training rows {kinds[1]}; write both in the same way."
        )
    if test.table.decimal != decimal:
        raise InvalidInput(
            f"{title} writes numbers with {test.table.decimal!r} and the training rows with "
            f"{decimal!r}; write both in the same way, and thousands without signs."
        )
    rows = other.loc[kept, list(frame.columns)]
    joined = pd.DataFrame(
        {name: [*frame[name], *rows[name]] for name in frame.columns}
    ).infer_objects()
    both = pd.Series([*target, *found], dtype=target.dtype)
    return joined, both, [f"test rows: {note}" for note in notes]


def class_labels(y: Shaped[np.ndarray, "n"]) -> tuple[tuple[str, ...], Int[np.ndarray, "n"]]:
    """Return the names of classes, in ascending order, and each row's place among them."""
    values, places = np.unique(y, return_inverse=True)
    names = (
        f"{value:g}" if isinstance(value, float | np.floating) else str(value) for value in values
    )
    return tuple(names), places.astype(np.int64)


def few_valued(y: Targets) -> bool:
    """Say whether numbers look like classes: whole, of 3 to 10 values, several rows each."""
    values = np.unique(y)
    whole = bool((values == np.round(values)).all())
    return whole and 2 < len(values) <= _CLASSES and len(y) >= _ROWS_PER_CLASS * len(values)


def _named(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the frame with text as names and the rows numbered."""
    import pandas as pd

    names = [
        " ".join(str(part) for part in name) if isinstance(name, tuple) else str(name)
        for name in frame.columns
    ]
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise InvalidInput(
            f"the table has several columns {printable(twice)!r}; rename all but one."
        )
    return pd.DataFrame({name: frame.iloc[:, k].array for k, name in enumerate(names)}, copy=False)


def _write_plainly(
    frame: "pd.DataFrame", decimal: str, known: Collection[str] = ()
) -> dict[str, list[str]]:
    """Write numbers with other signs plainly, in columns that hold nothing else.

    Changes `frame`; returns the signs met in each of these columns by name.  It is `known` which
    are surely such columns.
    """
    found = {}
    for name in frame.columns:
        if frame[name].dtype.kind != "O":
            continue
        cells = [_cell(value) for value in frame[name]]
        written = [cell for cell in cells if cell is not None]
        plain = [plainly(cell) for cell in written]
        if plain == written or not all(is_number(without_unit(cell)[0], decimal) for cell in plain):
            continue
        met = other_signs(written)
        if met is not None or name in known:
            frame[name] = [None if cell is None else plainly(cell) for cell in cells]
            found[name] = met or []
    return found


def _strip_units(frame: "pd.DataFrame", decimal: str) -> dict[str, str]:
    """Take one unit or sign off all cells of each column of which every number has it.

    Changes `frame`; returns the units of these columns by name.
    """
    found = {}
    for name in frame.columns:
        if frame[name].dtype.kind != "O":
            continue
        cells = [_cell(value) for value in frame[name]]
        written = [cell for cell in cells if cell is not None]
        unit = without_unit(written[0])[1] if written else ""
        if unit and all(without_unit(cell)[1] == unit for cell in written):
            bare = [None if cell is None else without_unit(cell)[0] for cell in cells]
            if all(is_number(cell, decimal) for cell in bare if cell is not None):
                frame[name], found[name] = bare, unit
    return found


def _label(frame: "pd.DataFrame", choices: Choices, title: str) -> str:
    names = list(frame.columns)
    if choices.label is None:
        raise InvalidInput(
            f"{title} needs the name of its target column: pass --label (label=) with one of "
            f"{listed(names) or 'none'}."
        )
    if len(names) < 2:
        raise InvalidInput(
            f"{title} has {len(names)} column; give at least one input and the target, in a "
            f"text with commas, semicolons, tabs, bars or blanks between them."
        )
    for what, words in (
        ("label", (choices.label,)),
        ("keep", choices.keep),
        ("drop", choices.drop),
    ):
        for word in words:
            one_of(f"{what} for {title}", word, names)
    if choices.label in choices.drop:
        raise InvalidInput(f"drop names the target {printable(choices.label)!r}; drop inputs only.")
    return choices.label


def _usable(
    target: "pd.Series", decimal: str, title: str, *, least: int = 2
) -> tuple["pd.Series", Bool[np.ndarray, "n"], list[str]]:
    """Return the targets that are there, which rows those are, and a note on the others."""
    import pandas as pd

    values, _ = _as_numbers(target, decimal)
    if values is None or pd.api.types.is_bool_dtype(target.dtype):
        texts = _texts(target)
        kept = texts.notna().to_numpy()
        found = texts
    else:
        kept = np.isfinite(values)
        found = pd.Series(values)
    if kept.sum() < least:
        lacking = (~kept).sum()
        why = f", since {lacking} {'has' if lacking == 1 else 'have'} no target" if lacking else ""
        raise InvalidInput(
            f"{title} has fewer than {least} usable rows ({kept.sum()}){why}; give more data"
            f"{' or other targets' if lacking else ''}."
        )
    out = np.flatnonzero(~kept)
    cells = [(row + 1, _cell(target.iloc[row])) for row in out]
    strange = [f"{printable(cell, 20)!r} in row {row:,}" for row, cell in cells if cell is not None]
    notes = []
    if strange:
        notes.append(
            f"{len(strange):,} of {len(kept):,} rows have a target that is no number and are left "
            f"out: {listed(strange, 5)}, not counting the header; correct it to keep them."
        )
    if missing := len(out) - len(strange):
        notes.append(
            f"{missing:,} of {len(kept):,} rows have no target and are left out; fill it in "
            f"the file to keep them."
        )
    return found[kept].reset_index(drop=True), kept, notes


def _sample(there: int, rows: Rows, title: str) -> Int[np.ndarray, "k"]:
    """Return the places of the rows to take, ascending."""
    count = rows.count(there, title)
    if count == there:
        return np.arange(there)
    return np.sort(np.random.default_rng(rows.seed).choice(there, count, replace=False))


def _indexes(frame: "pd.DataFrame", known: Sequence[str], choices: Choices) -> list[str]:
    """Return the columns that number or name the rows, unless nothing else would be left."""
    found = []
    for k, name in enumerate(frame.columns):
        if name in choices.keep or name in choices.drop:
            continue
        if name in known or _numbers_rows(frame[name], name.lower(), first=k == 0):
            found.append(name)
    return found if len(found) < len(frame.columns) - len(choices.drop) else []


def _numbers_rows(column: "pd.Series", name: str, *, first: bool) -> bool:
    """Say whether whole numbers only tell rows apart: by their name, or by counting up.

    A first column counts from 0 or 1, one that is called so from anywhere.
    """
    if column.dtype.kind not in "iu" or len(column) < 3:
        return False
    if name in _ID_NAMES or name.endswith((" id", "_id", "-id")):
        return bool(column.is_unique)
    values = column.to_numpy()
    counts = bool((np.diff(values) == 1).all())
    return counts and (name in _COUNT_NAMES or (first and values[0] in (0, 1)))


def _may_name_rows(column: "pd.Series") -> bool:
    """Say whether whole numbers in mixed order are each there once, with few gaps between them."""
    if column.dtype.kind not in "iu" or len(column) < FEW:
        return False
    values = column.to_numpy()
    dense = int(values.max()) - int(values.min()) < _DENSE * len(values)
    return dense and column.is_unique and not column.is_monotonic_increasing


def _inputs(frame: "pd.DataFrame", decimal: str, choices: Choices, fitted: int) -> _Columns:
    """Sort the columns by what becomes of them; all is decided on the first `fitted` rows."""
    done = _Columns()
    for name in frame.columns:
        column = frame[name].reset_index(drop=True)
        values, strange = _as_numbers(column.iloc[:fitted], decimal)
        if values is None:
            _encode(column, name, done, fitted, keep=name in choices.keep)
            continue
        if fitted < len(column):
            values = np.concatenate([values, _test_numbers(column.iloc[fitted:], decimal, name)])
        if strange:
            done.strange.append(f"{printable(name, 30)} ({strange})")
        there = np.isfinite(values)
        known = values[:fitted][there[:fitted]]
        still = known.size == fitted and not choices.raw and np.ptp(known) == 0
        if not known.size or still:
            done.constant.append(name)
            continue
        if not there.all():
            holes = values[~there]
            values = np.where(there, values, np.median(known))
            if np.ptp(values[:fitted]) == 0 and not choices.raw:
                done.constant.append(name)
                continue
            done.fill(name, holes)
        if column.dtype.kind in "iu" and np.abs(values).max() > _EXACT:
            done.rounded.append(name)
        done.blocks.append(values[:, None])
        done.names.append(name)
    return done


def _test_numbers(column: "pd.Series", decimal: str, name: str) -> Float[np.ndarray, "n"]:
    """Return test rows of a column of numbers, NaN for cells that are none; not all may be."""
    values, strange = _as_numbers(column, decimal, share=0.0)
    if values is None or (strange and not np.isfinite(values).any()):
        raise InvalidInput(
            f"column {printable(name, 30)!r} holds numbers in the training rows and none in the "
            "test rows; give test rows of the same columns."
        )
    return values


def _as_numbers(
    column: "pd.Series", decimal: str, share: float = 0.9
) -> tuple[Float[np.ndarray, "n"] | None, str]:
    """Return a column as numbers with NaN for missing ones, None if it is text.

    A share of the cells that are there must be numbers; the first that is not comes back too.
    """
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        if pd.api.types.is_complex_dtype(column.dtype):
            return None, ""
        return column.to_numpy(dtype=np.float64, na_value=np.nan), ""
    if column.dtype.kind in "mM" or isinstance(column.dtype, pd.PeriodDtype):
        return None, ""
    cells = [_cell(value) for value in column]
    written = [cell for cell in cells if cell is not None]
    good = [cell for cell in written if is_number(cell.strip(), decimal)]
    if not written:
        return np.full(len(cells), np.nan), ""
    if len(good) < share * len(written):
        return None, ""
    strange = next((cell for cell in written if not is_number(cell.strip(), decimal)), "")
    return np.array([_value(cell, decimal) for cell in cells]), printable(strange, 20)


def _cell(value: object, *, among_texts: bool = False) -> str | None:
    """Return what a cell of no numeric column says, None if it is missing."""
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    text = str(value).strip()
    return None if is_missing(text, among_texts=among_texts) else text


def _value(cell: str | None, decimal: str) -> float:
    if cell is None or not is_number(cell, decimal):
        return float("nan")
    return float(plain_number(cell, decimal))


def _texts(column: "pd.Series") -> "pd.Series":
    """Return a column as texts, None for missing ones."""
    import pandas as pd

    cells = [
        ("False", "True")[bool(value)]
        if isinstance(value, bool | np.bool_)
        else _cell(value, among_texts=True)
        for value in column
    ]
    return pd.Series(cells, dtype=object)


def _encode(column: "pd.Series", name: str, done: _Columns, fitted: int, *, keep: bool) -> None:
    """Turn texts into one column per value, two values into one column; missing is a value too."""
    from sklearn.preprocessing import OneHotEncoder

    texts = _texts(column)
    count = texts.iloc[:fitted].nunique(dropna=False)
    if count < 2:
        done.constant.append(name)
        return
    if keep and (found := _days(column, fitted)) is not None:
        days, order, sure = found
        holes = np.isnan(days)
        days = np.where(holes, np.median(days[:fitted][~holes[:fitted]]), days)
        if np.ptp(days[:fitted]) == 0:
            done.constant.append(name)
            return
        done.fill(name, np.full(holes.sum(), np.nan))
        done.blocks.append(days[:, None])
        done.names.append(name)
        done.dated.append(name)
        if not sure:
            done.swapped.append(f"{printable(name, 30)} (read {order} first)")
        return
    dated = column.dtype.kind in "mM"
    if not keep and (dated or count > FEW or 2 * count > max(4, fitted)):
        done.texts.append(name)
        return
    if count > _MOST_CLASSES:
        raise InvalidInput(
            f"column {printable(name)!r} has {count:,} different texts, more than "
            f"{_MOST_CLASSES:,}; leave it out of keep."
        )
    encoder = OneHotEncoder(drop="if_binary", sparse_output=False, handle_unknown="ignore")
    cells = texts.fillna("missing").to_numpy(dtype=object)[:, None]
    encoder.fit(cells[:fitted])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts that no training row has get zeros
        block = encoder.transform(cells)
    done.blocks.append(np.asarray(block, np.float64))
    done.names += [str(made) for made in encoder.get_feature_names_out([name])]
    values = texts.iloc[:fitted].nunique()
    done.encoded.append(f"{printable(name, 30)} ({values} value{'s' if values > 1 else ''})")
    if values < count:
        done.blank.append(name)


def _days(column: "pd.Series", fitted: int) -> tuple[Float[np.ndarray, "n"], str, bool] | None:
    """Return dates as days since the first one, None if cells that are there are no dates.

    Missing ones are NaN.  With the days comes what stands first in dates of three numbers, day,
    month or year, and whether a number above 12 tells it.
    """
    import pandas as pd

    cells = [None if _cell(value) is None else value for value in column]
    parts = [_DATE.search(cell) for cell in cells if isinstance(cell, str)]
    order, sure = _order([part for part in parts if part and len(part["a"]) < 4])
    if order is None:
        return None
    plain = [_iso(cell, order) if isinstance(cell, str) else cell for cell in cells]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dates = pd.to_datetime(
            pd.Series(plain, dtype=object), errors="coerce", format="mixed", utc=True
        )
    there = np.array([cell is not None for cell in cells])
    if dates[there].isna().any() or not there[:fitted].any():
        return None
    if dates.dt.year.min() < _EARLIEST:
        return None
    days = (dates - dates.iloc[:fitted].min()) / pd.Timedelta(days=1)
    return np.asarray(days, np.float64), order, sure


def _order(dates: list[re.Match[str]]) -> tuple[str | None, bool]:
    """Return which part of dates like 03/01/2021 is first, None if they differ, and if it is sure.

    A number above 31 is a year.  Where none above 12 tells, it is the day in dates with points
    and else the month.
    """
    if not dates:
        return "", True
    first, second = (max(int(date[part]) for date in dates) for part in "ab")
    if first > 31:
        return "year", True
    if first > 12 and second > 12:
        return None, True
    if first > 12:
        return "day", True
    pointed = all(date["sign"] == "." for date in dates)
    return "day" if pointed and second <= 12 else "month", second > 12


def _iso(cell: str, order: str) -> str | None:
    """Return a date of three numbers as year, month and day, None if it is none."""
    date = _DATE.search(cell)
    if date is None:
        return cell if _DATED.search(cell) else "no date"
    year, month, day = date["c"], date["a"], date["b"]
    if len(date["a"]) == 4 or order == "year":
        year, month, day = date["a"], date["b"], date["c"]
    elif order == "day":
        month, day = day, month
    if len(year) == 1 or int(month) > 12:
        return "no date"
    if len(year) == 2:
        year = f"{20 if int(year) < 69 else 19}{year}"
    return f"{cell[: date.start()]}{year}-{month:0>2}-{day:0>2}{cell[date.end() :]}"


def _no_inputs(columns: _Columns, indexes: Sequence[str], label: str, title: str) -> InvalidInput:
    """Say why no input is left, and which column could be kept."""
    if left := [*columns.texts, *indexes]:
        return InvalidInput(
            f"{title} has no inputs besides {listed(left, 5)}, left out as texts or numbers of "
            f"rows; {option('keep', [printable(left[0])])} takes one."
        )
    return InvalidInput(
        f"{title} has no inputs that vary besides the target {printable(label)!r}; add one."
    )


def _targets(
    target: "pd.Series",
    whole: "pd.Series",
    table: Table,
    choices: Choices,
    label: str,
    title: str,
) -> tuple[Targets, Task, tuple[str, ...], Int[np.ndarray, "n"] | None, list[str]]:
    """Return y, the task, the classes with each row's, and notes.

    Whether values are classes shows in the `whole` table, of which the rows taken may be few.
    """
    counts = whole.value_counts().tolist()
    shown = printable(label, 30)
    values = None if target.dtype == object else target.to_numpy(np.float64)
    if values is None and choices.task == "regression":
        raise InvalidInput(
            f"task is 'regression', but the target {shown!r} of {title} is text; leave "
            f"--task (task=) out."
        )
    source = target.to_numpy() if values is None else values
    classes, labels = class_labels(source)
    if values is not None and _is_regression(values, choices):
        notes = []
        if choices.task is None and few_valued(values):
            notes.append(
                f"the target {shown!r} takes {len(classes)} whole values and is read as numbers; "
                f"{option('task', 'classification')} takes them as classes."
            )
        return values, "regression", (), None, notes
    alone = 2 * counts.count(1) > len(counts) > FEW and values is not None
    if alone or len(classes) > _MOST_CLASSES or _are_too_many(counts):
        what, remedy = "numbers", f"{option('task', 'regression')} takes them as numbers"
        if values is None:
            what, remedy = "texts", _other_targets(table, choices, title)
        raise InvalidInput(
            f"the target {shown!r} of {title} has {len(counts):,} different {what} in "
            f"{sum(counts):,} rows, too many for classes; {remedy}."
        )
    y, notes = _signs(classes, labels, shown)
    if values is not None and choices.raw and len(classes) == 2:
        y, notes = values, []
    thin = sum(counts) < _ROWS_PER_CLASS * len(counts)
    if values is not None and len(classes) > 2 and (choices.task is None or thin):
        notes[-1] = (
            f"{notes[-1][:-1]}; {option('task', 'regression')} takes the numbers themselves."
        )
    return y, "classification", classes, labels, notes


def _are_too_many(counts: list[int]) -> bool:
    """Say whether values, with this many rows each, are so many that they are no classes."""
    return 2 * len(counts) > sum(counts) > 3


def _other_targets(table: Table, choices: Choices, title: str) -> str:
    """Return the remedy for a target of free text: the columns that can be one, if any."""
    if choices.apart:
        return "pass y as numbers, or as names of classes that rows have in common"

    def can_be(name: str) -> bool:
        try:
            target, _, _ = _usable(frame[name], table.decimal, title)
        except InvalidInput:
            return False
        counts = target.value_counts().tolist()
        few = len(counts) <= _MOST_CLASSES and not _are_too_many(counts)
        return target.dtype != object or few

    frame, most = _named(table.frame), 20
    _write_plainly(frame, table.decimal)
    _strip_units(frame, table.decimal)
    others = (name for name in frame if name not in (choices.label, *choices.drop))
    if not (fit := list(islice(filter(can_be, others), most + 1))):
        return "no other column has numbers or repeated texts either; add one that has"
    more = ", ..." if len(fit) > most else ""
    return f"name another column with --label (label=), one of {listed(fit[:most])}{more}"


def _is_regression(values: Targets, choices: Choices) -> bool:
    count = len(np.unique(values))
    if choices.task:
        return choices.task == "regression"
    return count == 1 or (count > 2 and (choices.raw or not few_valued(values)))


def _signs(
    classes: tuple[str, ...], labels: Int[np.ndarray, "n"], shown: str
) -> tuple[Targets, list[str]]:
    """Return +1 and -1 for the two classes, or for the most frequent class and all others."""
    counts = np.bincount(labels, minlength=len(classes))
    chosen = 1 if len(classes) == 2 else int(counts.argmax())
    y = np.where(labels == chosen, 1.0, -1.0)
    named = [f"{name} ({count:,})" for name, count in zip(classes, counts, strict=True)]
    if len(classes) == 1:
        return y, []
    if len(classes) == 2:
        return y, [
            f"the target {shown!r} is +1 for {listed(named[1:])}, -1 for {listed(named[:1])}."
        ]
    note = (
        f"the target {shown!r} has {len(classes)} classes, {listed(named, 5)}; the papers' network "
        f"has one output, so its target is +1 for {printable(classes[chosen], 30)} and -1 for the "
        f"others; a model under cross_entropy has one for each class, in this order."
    )
    return y, [note]
