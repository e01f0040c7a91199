"""`inertial data`: what data there is, where it lies, and how to get it."""

from dataclasses import asdict
from pathlib import Path

from cyclopts import App

from inertial import _json
from inertial._checks import InvalidInput, printable
from inertial.commands.options import DATA, DataOptions
from inertial.commands.terminal import console, write

app = App(name="data", help="What data there is, where it lies, and how to get it.")

_COLUMNS = ("name", "task", "n", "d", "found", "description")


@app.command(name="list")
def list_sets(*, data_dir: Path | None = None, json: bool = False) -> None:
    """List the data sets that have a name.

    Parameters
    ----------
    data_dir
        Folder to look in first for data.
    json
        Print one JSON document instead.
    """
    from rich.table import Table

    from inertial.data import catalog

    rows = [
        {
            "name": source.name,
            "task": source.task,
            "n": source.n,
            "d": source.d,
            "found": place_of(source.name, data_dir),
            "description": source.description,
            "licence": source.licence,
        }
        for source in catalog()
    ]
    if json:
        write(_json.dumps(rows))
        return
    table = Table(box=None, pad_edge=False)
    for title in _COLUMNS:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[title] or "to download") for title in _COLUMNS))
    console().print(table)


@app.command
def info(data: str, *, json: bool = False, options: DataOptions = DATA) -> None:
    """Load DATA and show its size, source and hash.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a table (CSV, Parquet) or .npz file.
    json
        Print one JSON document instead.
    """
    facts = asdict(options.load(data).provenance)
    if json:
        write(_json.dumps(facts))
        return
    out, width = console(), max(map(len, facts))
    del facts["notes"]  # they stand on standard error
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, tuple) else value
        out.print(f"{name:<{width}}  {printable(shown, most=None)}")


@app.command
def fetch(data: str, *, data_dir: Path | None = None) -> None:
    """Download DATA into the user's cache, unless it is found already.

    Parameters
    ----------
    data
        A name from `inertial data list`.
    data_dir
        Folder to download into instead.
    """
    from inertial.data import fetch as download
    from inertial.data import locate

    found = None if data_dir else locate(data)
    write(f"{found.source if found else download(data, data_dir)}\n")


def place_of(name: str, data_dir: Path | None) -> str | None:
    """Say where a set would be read from, or what is wrong with the folder to look in."""
    from inertial.data import locate

    try:
        place = locate(name, data_dir)
    except InvalidInput as error:
        return str(error)
    return None if place is None else place.source
