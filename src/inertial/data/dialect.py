"""How a text file writes its table: encoding, comments, separator, decimal mark and header.

Everything is found from the text itself.  Where that takes a guess, a note says what was guessed
and how to say otherwise; a line of numbers is never taken for a header, or for a row, without one.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from inertial._checks import InvalidInput, listed
from inertial._surface import option
from inertial.data.aligned import by_position
from inertial.data.unpack import check_size

MISSING = frozenset(
    [
        *("", "?", "-", "--", ".", "..", "*", "na", "n/a", "#n/a", "#n/a n/a", "#na", "<na>"),
        *("null", "nan", "-nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    ]
)
"""Cells that stand for a missing value, in lower case."""

_NO_NUMBER = frozenset(["none", "missing", "n.a.", "n. a.", "k.a.", "k. a.", "n.d.", "n. d."])
"""Words, in lower case, that among numbers are a missing value, and among texts one of them."""

_LONGEST = 1 << 22
"""Bytes that a line may have."""

_SAMPLE = 1 << 18
_RECORDS = 200
_SEPARATORS = ("\t", ";", "|", ",", " ", "  ")
"""Separators in the order of preference; the last is two blanks or more, as in aligned texts."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_POINT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|infinity)", re.IGNORECASE)
_COMMA = re.compile(r"[-+]?(\d+,?\d*|,\d+)([eE][-+]?\d+)?", re.IGNORECASE)
_THOUSANDS = {
    ".": re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?"),
    ",": re.compile(r"[-+]?[1-9]\d{0,2}([. ]\d{3})+(,\d*)?"),
}
_SURE = {
    ".": re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+\.\d+"),
    ",": re.compile(r"[-+]?\d{1,3}(\.\d{3})+,\d+"),
}
"""Numbers with a thousands sign and a decimal mark."""

_GROUPS = 3
"""Numbers with a thousands sign that a column must have to be a witness of it."""

_BETWEEN_THOUSANDS = re.compile(r"(?<=\d)(['’\u00a0\u2009\u202f ])(?=\d{3}(?!\d))")
_FIRST_PART = re.compile(r"\D*(?P<part>[1-9]\d{0,2})(?P<sign>['’\u00a0\u2009\u202f ])\d{3}(?!\d)")

_CURRENCIES = (
    "AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|RUB|SEK|SGD|"
    "THB|TRY|USD|ZAR"
)
"""Codes that stand before an amount."""

_UNIT = re.compile(
    rf"(?P<minus>-(?! ?[\d.,+-]))? ?(?P<before>[$€£¥]|(?:{_CURRENCIES})\b)? ?"
    r"(?P<number>[-+]?[\d.,][\d., ]*(?:[eE][-+]?\d+)?)"
    r"(?P<after> ?(?:[$€£¥%‰]|°?[A-Za-zµΩ][A-Za-z²³/.]{0,5}))?"
)


@dataclass(frozen=True)
class Dialect:
    """A table's text below its header, how to split it, and the names of its columns.

    `names` is None where there is no header; `skipped` lines stand above `body`.
    """

    body: str
    separator: str
    decimal: str
    names: tuple[str, ...] | None
    skipped: int
    notes: tuple[str, ...]


def detect(content: bytes, path: Path, label: str | None, header: bool | None) -> Dialect:  # noqa: FBT001
    """Find the dialect of a text file; `header` says whether there is one, None to find out."""
    _check_lines(content, path)
    text, notes = decode(content, path)
    text, told = _told_separator(text)
    text, skipped, comment, found = _without_comments(text)
    skipped += told is not None
    notes += found
    _refuse_other_kinds(text, path)
    separator = told or _separator(text)
    text, titles = _without_titles(text, separator)
    if titles:
        notes.append(f"{_lines(titles)} above the table left out; remove such lines.")
    if separator in (" ", "  "):
        text, separator, words = _told_apart(text, separator, path, skipped + titles)
        notes += words
    records, ends = _records(text, separator)
    if not records:
        raise InvalidInput(f"{path} is empty; give a table with a header and rows.")
    check_size(len(records[0]), text.count(separator.strip(" ") or " "), path)
    records[0] = [_unquoted(cell) for cell in records[0]]
    decimal, word = _decimal(records, separator)
    notes += [word] if word else []
    above = None if comment is None else _cells(comment, separator)
    if header is None and above and _names_columns(above, records[0], decimal):
        notes[-1] = "the comment line above the rows is taken as the names of the columns."
        return Dialect(text, separator, decimal, tuple(above), skipped + titles, tuple(notes))
    headed, word = _headed(records, decimal, label) if header is None else (header, "")
    if word:
        notes.append(word)
    if not headed:
        return Dialect(text, separator, decimal, None, skipped + titles, tuple(notes))
    body, names = text[_start(text, ends[0]) :], tuple(records[0])
    return Dialect(body, separator, decimal, names, skipped + titles + ends[0], tuple(notes))


def _check_lines(content: bytes, path: Path) -> None:
    """Refuse a text with a line that no table has, since a line is split as a whole."""
    signs = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero((signs == ord("\n")) | (signs == ord("\r")))
    longest = int(np.diff(ends, prepend=-1, append=len(content)).max()) - 1
    if longest > _LONGEST:
        raise InvalidInput(
            f"{path} has a line of {longest / 2**20:,.0f} MiB, more than a table has; give one row "
            "per line."
        )


def decode(content: bytes, path: Path) -> tuple[str, list[str]]:
    """Return the text in `content`, and a note if its encoding is a guess."""
    known = next((name for mark, name in _BOMS if content.startswith(mark)), None)
    if known is None and b"\0" in content[:_SAMPLE]:
        raise InvalidInput(f"{path} is not a text file; give a table as text, or Parquet.")
    try:
        return _unified(content.decode(known or "utf-8")), []
    except UnicodeDecodeError:
        if known:
            raise InvalidInput(
                f"{path} starts as {known} text but is damaged; save it as UTF-8."
            ) from None
    text = content.decode("cp1252", errors="replace")
    strange = sum(sign < " " and sign not in "\t\r\n\f" for sign in text[:_SAMPLE])
    if strange > len(text[:_SAMPLE]) / 100:
        raise InvalidInput(f"{path} is not a text file; give a table as text, or Parquet.")
    return _unified(text), ["its text is not UTF-8 and is read as Windows-1252; save it as UTF-8."]


def is_number(cell: str, decimal: str = ".") -> bool:
    """Say whether a cell is written as a number."""
    plain = _COMMA if decimal == "," else _POINT
    return bool(plain.fullmatch(cell) or _THOUSANDS[decimal].fullmatch(cell))


def without_unit(cell: str) -> tuple[str, str]:
    """Split a number from its sign or unit, as in -$1,200, 45 % and 3.5 kg; "" if it has none."""
    found = _UNIT.fullmatch(cell)
    if found is None:
        return cell, ""
    parts = (found["before"] or "", (found["after"] or "").strip())
    return (found["minus"] or "") + found["number"].strip(), " ".join(filter(None, parts))


def plainly(cell: str) -> str:
    """Return a number with a plain minus, and without blanks or apostrophes between thousands.

    Brackets around a number are a minus.
    """
    cell = cell.replace("\u2212", "-")
    if cell[:1] == "(" and cell[-1:] == ")":
        cell = f"-{cell[1:-1]}"
    cell = _BETWEEN_THOUSANDS.sub("", cell) if _FIRST_PART.match(cell) else cell
    return re.sub("[\u00a0\u2009\u202f]", " ", cell)


def other_signs(cells: Sequence[str]) -> list[str] | None:
    """Say which signs `plainly` reads in the cells of a column; None if they are no numbers.

    Cells that are all in brackets are none, nor are those like 100 200 and 120'080 if all have such
    a sign and as many digits before it, as numbers of telephones and articles do.
    """
    parted = [found for cell in cells if (found := _FIRST_PART.match(cell))]
    bracketed = [cell for cell in cells if cell.startswith("(")]
    alike = len(parted) == len(cells) and len({len(found["part"]) for found in parted}) == 1
    if alike or len(bracketed) == len(cells):
        return None
    apostrophes = sum(found["sign"] in "'’" for found in parted)
    met = {
        "brackets as minus": bracketed,
        "long minus signs as minus": any("\u2212" in cell for cell in cells),
        "apostrophes as thousands signs": apostrophes,
        "blanks as thousands signs": len(parted) - apostrophes,
    }
    return [words for words, there in met.items() if there]


def is_missing(cell: str, *, among_texts: bool = False) -> bool:
    """Say whether a cell stands for a missing value, among numbers unless said otherwise."""
    word = cell.strip().lower()
    return word in MISSING or (word in _NO_NUMBER and not among_texts)


def plain_number(cell: str, decimal: str) -> str:
    """Return a number without thousands signs, with a decimal point."""
    cell = cell.replace(" ", "").replace("\u00a0", "")
    if _THOUSANDS[decimal].fullmatch(cell):
        cell = cell.replace("," if decimal == "." else ".", "")
    return cell.replace(",", ".") if decimal == "," else cell


def _unified(text: str) -> str:
    """Return `text` with one kind of line end and no NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _lines(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"


def _told_separator(text: str) -> tuple[str, str | None]:
    """Leave out a first line that names the separator, as Excel reads it: sep=; and the like."""
    found = re.match(r'"?sep=(\\t|[\t;,|:])["\t;, ]*(\n|$)', text, re.IGNORECASE)
    if found is None:
        return text, None
    return text[found.end() :], found[1].replace("\\t", "\t")


def _without_comments(text: str) -> tuple[str, int, str | None, list[str]]:
    """Leave out lines that start with # or %; return the last one above the rows without its sign.

    Lines inside the table go too, but only if there are comments above it.
    """
    top = re.match(r"(?:[ \t]*(?:[#%].*)?\n)*", text).end()  # type: ignore[union-attr]
    above = [line for line in text[:top].split("\n") if line.strip()]
    skipped = text.count("\n", 0, top)
    if not above:
        return text[top:], skipped, None, []
    rest, inside = re.subn(r"^[#%].*\n?", "", text[top:], flags=re.MULTILINE)
    note = f"{_lines(len(above) + inside)} left out as comments."
    return rest, skipped, above[-1].strip().lstrip("#%"), [note]


def _start(text: str, lines: int) -> int:
    """Return where the text after so many lines starts."""
    place = 0
    for _ in range(lines):
        place = text.find("\n", place) + 1 or len(text)
    return place


def _refuse_other_kinds(text: str, path: Path) -> None:
    top = text[:500].lstrip().lower()
    if top.startswith(("<!doctype", "<html", "<?xml", "<svg")):
        raise InvalidInput(f"{path} holds a web page or XML, not a table; download the table.")
    if re.match(r'\{\s*"|\[\s*[\[{]', top):
        raise InvalidInput(f"{path} holds JSON, not a table; save it as CSV.")


def _cells(line: str, separator: str) -> list[str]:
    if separator == "  ":
        return re.split(r"\s{2,}", line.strip())
    if separator == " ":
        if '"' not in line:
            return line.split()
        line = " ".join(line.split())
    rows = csv.reader([line.strip(" \n")], delimiter=separator, skipinitialspace=True)
    try:
        return [cell.strip() for cell in next(rows, [])]
    except csv.Error:
        return []


def _unquoted(cell: str) -> str:
    """Return a name without the single quotes that some programs write around it."""
    quoted = len(cell) > 2 and cell[0] == cell[-1] == "'"
    return cell[1:-1].strip() if quoted else cell


def _records(text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """Return the first records, and for each the number of the line that ends it."""
    end = max(_SAMPLE, _start(text, 4))
    lines = [line + "\n" for line in text[:end].split("\n")]
    if len(text) > end:
        lines.pop()
    if separator == "  ":
        split = [(_cells(line, separator), k) for k, line in enumerate(lines[:_RECORDS], start=1)]
        filled = [(cells, k) for cells, k in split if any(cells)]
        return [cells for cells, _ in filled], [k for _, k in filled]
    if separator == " ":
        lines = [" ".join(line.split()) + "\n" for line in lines]
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    records, ends = [], []
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                records.append([cell.strip() for cell in record])
                ends.append(reader.line_num)
            if len(records) == _RECORDS:
                break
    except csv.Error:
        pass
    return records, ends


def _separator(text: str) -> str:
    """Return the separator that gives most records the same number of cells, more than one."""

    def share(separator: str) -> float:
        counts = [len(record) for record in _records(text, separator)[0]]
        width, often = Counter(counts).most_common(1)[0] if counts else (1, 0)
        return often / len(counts) if width > 1 else 0.0

    shares = {separator: share(separator) for separator in _SEPARATORS}
    # Blanks separate words too, so they count only where nothing else separates.
    if max(shares[separator] for separator in _SEPARATORS[:4]) > 0.5:
        shares[" "] = shares["  "] = 0.0
    best = max(_SEPARATORS, key=lambda separator: shares[separator])
    return best if shares[best] > 0 else ","


def _without_titles(text: str, separator: str) -> tuple[str, int]:
    """Leave out lines above a table that have less than half as many cells as most rows."""
    records, ends = _records(text, separator)
    counts = [len(record) for record in records]
    width = Counter(counts).most_common(1)[0][0] if counts else 0
    titles = next((k for k, count in enumerate(counts) if 2 * count >= width), 0)
    if not titles:
        return text, 0
    last = ends[titles - 1]
    return text[_start(text, last) :], last


def _told_apart(text: str, separator: str, path: Path, above: int) -> tuple[str, str, list[str]]:
    """Return a table whose cells blanks separate, or that has tabs after `by_position`, and notes.

    Blanks separate cells if they give every line as many, or the first one less, as R writes the
    names of rows.  Otherwise it is not known which cell of a line is missing, or holds a blank.
    """
    lines = [(k, line) for k, line in enumerate(text.split("\n"), 1) if line.strip()]
    counts = [(k, len(_cells(line, separator))) for k, line in lines]
    width = counts[0][1]
    uneven = [pair for pair in counts if pair[1] != width]
    if separator == "  " or uneven:
        aligned = by_position(text, _numeric)
        if aligned and (uneven or aligned.split("\n")[lines[0][0] - 1].count("\t") != width - 1):
            note = "cells are told apart by where they stand in a line; write commas between them."
            return aligned, "\t", [note]
    widths = {count for _, count in counts[1:]}
    if uneven and widths != {width + 1}:
        line, found = uneven[0]
        raise InvalidInput(
            f"line {line + above} of {path} has {found} cells between blanks where the first has "
            f"{width}; write commas between cells, with quotes around texts that hold commas."
        )
    return text, separator, []


def _numeric(cells: Sequence[str]) -> bool:
    return any(_mostly_numbers(cells, decimal) for decimal in (".", ","))


def _decimal(records: Sequence[Sequence[str]], separator: str) -> tuple[str, str]:
    """Return the decimal mark, and a note where that is a guess.

    It is a comma if cells are written so and none has a point.  Cells like 1,234 and 1.234 alone
    leave it open; a column tells in which numbers below 1,000 stand beside them without a mark.
    """
    cells = [
        without_unit(plainly(cell))[0]
        for record in records
        for cell in record
        if re.search(r"\d[.,]\d", cell)
    ]
    points = [cell for cell in cells if _POINT.fullmatch(cell)]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    of_points, of_commas = (
        sum(bool(_SURE[mark].fullmatch(cell)) for cell in cells) for mark in ".,"
    )
    as_commas = "commas are read as decimal points; leave them out if they are thousands signs."
    if commas and not of_commas and all(_THOUSANDS["."].fullmatch(cell) for cell in commas):
        # 13,100 alone: thousands in a file with points or separated by commas.
        if points or of_points or separator == ",":
            return ".", ""
        sure, cell = _grouped(records, ",")
        as_thousands = (
            f"commas are read as thousands signs; write {cell},000 for {cell} and so on if they "
            "are decimal points."
        )
        return (".", as_thousands if cell else "") if sure else (",", as_commas)
    if commas or of_commas:
        return (",", as_commas) if len(commas) + of_commas > len(points) + of_points else (".", "")
    if separator != "," and all(_THOUSANDS[","].fullmatch(cell) for cell in points):
        sure, cell = _grouped(records, ".")
        if sure or cell:
            return ".", "points are read as decimal points; leave them out if they part thousands."
    return ".", ""


def _grouped(records: Sequence[Sequence[str]], mark: str) -> tuple[bool, str]:
    """Say whether a column tells that the mark parts thousands, and return a number without it.

    Such a column has no other numbers than those like 1,234 and those below 1,000.  It tells if
    some like 1,234,567 are among them and their first parts are not all as long; or if decimals
    would leave a gap, as the largest without the mark is at least half of the smallest with it,
    and a twentieth of those end in 0, which decimals as short as can be never do.
    """
    found = ""
    for k in range(len(records[0])):
        below = [cell for cell in _below(records[1:], k) if not is_missing(cell)]
        cells = [without_unit(plainly(cell))[0].lstrip("+-") for cell in below]
        groups = [
            cell.split(mark)
            for cell in cells
            if re.fullmatch(rf"[1-9]\d{{0,2}}(\{mark}\d{{3}})+", cell)
        ]
        others = [int(cell) for cell in cells if re.fullmatch(r"0|[1-9]\d{0,2}", cell)]
        if len(groups) < _GROUPS or len(groups) + len(others) < len(cells):
            continue
        counts, lengths = {len(parts) for parts in groups}, {len(first) for first, *_ in groups}
        if len(counts) > 1 and len(lengths) > 1:
            return True, ""
        largest = max(others, default=0)
        found = str(largest or found)
        smallest = min(int("".join(parts)) for parts in groups)
        zeros = sum(parts[-1].endswith("0") for parts in groups)
        if 2 * largest >= smallest and 20 * zeros >= len(groups):
            return True, found
    return False, found


def _headed(records: Sequence[Sequence[str]], decimal: str, label: str | None) -> tuple[bool, str]:
    """Say whether the first record is a header, and a note where that is a guess."""
    first, rest = records[0], records[1:]
    numbers = [k for k, cell in enumerate(first) if is_number(cell, decimal)]
    words = [k for k, cell in enumerate(first) if k not in numbers and not is_missing(cell)]
    as_row = (
        f"the first line ({listed(first, 4)}) is read as a row, and the columns are called 1, 2, "
        f"3 and so on; {option('header', True)} takes it as their names."
    )
    as_names = (
        f"the first line ({listed(first, 4)}) is taken as the names of the columns; "
        f"{option('header', False)} reads it as a row."
    )
    plain = {str(k) for k in range(1, len(first) + 1)}
    if label is not None and label in first and label not in plain:
        return True, as_names if numbers else ""
    if not numbers:
        again = sum(first[k] in _below(rest, k) for k in words)
        recurs = len(rest) > 1 and 2 * again > len(words)
        return (False, as_row) if recurs or not words else (True, "")
    if words and not rest:
        return True, as_names
    if _progress(first, numbers, rest, decimal):
        return True, as_names
    over_numbers = [k for k in words if _mostly_numbers(_below(rest, k), decimal)]
    if len(over_numbers) > len(numbers):
        return True, as_names
    return False, as_row


def _names_columns(above: Sequence[str], first: Sequence[str], decimal: str) -> bool:
    """Say whether a comment line names the columns of a table that has no header."""
    return (
        len(above) == len(first)
        and not any(is_number(cell, decimal) for cell in above)
        and any(is_number(cell, decimal) for cell in first)
    )


def _below(rest: Sequence[Sequence[str]], place: int) -> list[str]:
    return [record[place] for record in rest if place < len(record)]


def _mostly_numbers(cells: Sequence[str], decimal: str) -> bool:
    there = [cell for cell in cells if not is_missing(cell)]
    return bool(there) and sum(is_number(cell, decimal) for cell in there) > len(there) / 2


def _progress(
    first: Sequence[str],
    numbers: Sequence[int],
    rest: Sequence[Sequence[str]],
    decimal: str,
) -> bool:
    """Say whether the numbers of the first record count up evenly, as those below it do not.

    So do 0, 1, 2 and so on, years, and wavelengths.  One number alone counts if it is a year.
    """

    def values(record: Sequence[str]) -> list[float] | None:
        try:
            return [float(plain_number(record[k], decimal)) for k in numbers]
        except (ValueError, IndexError):
            return None

    def even(found: list[float] | None) -> bool:
        if not found:
            return False
        if len(found) == 1:
            return found[0].is_integer() and 1800 <= found[0] <= 2100
        steps = [b - a for a, b in pairwise(found)]
        whole = all(value.is_integer() for value in found)
        flat = all(abs(step - steps[0]) <= 1e-6 * abs(steps[0]) for step in steps)
        return steps[0] > 0 and flat and (whole or len(found) > 3)

    top = values(first)
    if not even(top):
        return False
    if top == [float(k) for k in range(len(first))] and len(first) > 1:
        return True
    return sum(even(values(record)) for record in rest) <= len(rest) / 2
