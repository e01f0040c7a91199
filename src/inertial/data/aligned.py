"""Tables whose columns stand below each other: cells are told apart by where they stand.

A printed frame or a report has cells with blanks in them, or with nothing, so blanks do not
separate its cells.  The places that are blank in every line do.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np

Span = tuple[int, int]
"""First place of a piece of a line, and the one behind its last."""


def by_position(text: str, numeric: Callable[[Sequence[str]], bool]) -> str | None:
    """Return a table with tabs between its cells, None where places do not tell them apart.

    The first line names the columns.  A piece of a text column that stands apart in every line,
    such as a first name, has no name above it and goes with its neighbour: the next one if all
    names end where their columns end, the one before if all begin where they begin.  A first column
    without a name names the rows.  Columns of numbers are joined to nothing.

    Parameters
    ----------
    text
        Lines of the table.
    numeric
        Says whether cells are numbers.

    """
    lines = text.split("\n")
    filled = [line for line in lines if line.strip()]
    if len(filled) < 3 or any(sign in text for sign in '\t"'):
        return None
    pieces = _pieces(filled)
    head, *cells = (_cells(line, pieces) for line in filled)
    columns = list(zip(*cells, strict=True))
    groups = _groups(head, columns, [numeric(c) for c in columns], _alignment(filled[0], pieces))
    if groups is None or len(groups) < 2:
        return None
    spans = [(pieces[group[0]][0], pieces[group[-1]][1]) for group in groups]
    table = [_cells(line, spans) for line in filled]
    if any(_doubtful(column) for column in zip(*table, strict=True)):
        return None
    rows = iter(table)
    return "\n".join("\t".join(next(rows)) if line.strip() else line for line in lines)


def _pieces(lines: Sequence[str]) -> list[Span]:
    """Return the spans between places that are blank in every line."""
    used = np.zeros(max(map(len, lines)) + 1, bool)
    for line in lines:
        used[: len(line)] |= np.frombuffer(line.encode("utf-32-le"), np.uint32) != ord(" ")
    edges = np.flatnonzero(np.diff(used, prepend=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _cells(line: str, spans: Sequence[Span]) -> list[str]:
    return [line[start:end].strip() for start, end in spans]


def _alignment(head: str, pieces: Sequence[Span]) -> str:
    """Say whether all names end where their columns end, or begin where they begin."""
    named = [head[start:end].ljust(end - start) for start, end in pieces if head[start:end].strip()]
    if all(name[-1] != " " for name in named):
        return "right"
    return "left" if all(name[0] != " " for name in named) else ""


def _groups(
    names: Sequence[str], columns: Sequence[Sequence[str]], numbers: Sequence[bool], side: str
) -> list[list[int]] | None:
    """Join the pieces without a name to one with a name; None if that is not clear."""
    first = next((k for k, name in enumerate(names) if name), len(names))
    if first == len(names):
        return None
    index = first
    if side == "right" and not numbers[first]:
        # What counts the rows is no part of a text behind it.
        index = int(first > 0 and _counts(columns[0]))
    groups = [list(range(index))] if index else []
    waiting: list[int] = []
    for k in range(index, len(names)):
        if names[k]:
            if waiting and numbers[k]:
                return None
            groups.append([*waiting, k])
            waiting = []
        elif side == "right":
            waiting.append(k)
        elif side == "left" and not numbers[groups[-1][0]]:
            groups[-1].append(k)
        else:
            return None
    return None if waiting else groups


def _counts(column: Sequence[str]) -> bool:
    """Say whether cells count up from 0 or 1."""
    return any(list(column) == [str(k + start) for k in range(len(column))] for start in (0, 1))


def _doubtful(column: Sequence[str]) -> bool:
    """Say whether a column seems to be several, or has few cells, as if beside its name."""
    name, *cells = column
    words = len(name.split())
    if words > 1 and all(len(cell.split()) == words for cell in cells):
        return True
    several = re.compile(r"[-+\d.,eE]+(\s+[-+\d.,eE]+)+")
    sparse = sum(map(bool, cells)) < len(cells) / 2
    return sparse or "  " in name or any(several.fullmatch(cell) for cell in cells)
