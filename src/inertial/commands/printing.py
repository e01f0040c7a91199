"""What the commands print: tables for people, one JSON document for programs."""

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from inertial import _json
from inertial._checks import InvalidInput
from inertial._types import Eigenvalues
from inertial.data import Provenance, catalog, locate
from inertial.method.conventions import snippet
from inertial.runs import store
from inertial.runs.advice import Advice
from inertial.runs.comparison import Comparison
from inertial.runs.summary import Summary
from inertial.theory.audit import Audit
from inertial.view.verdicts import VERDICTS, audit_table, finding, headline

_NAMES = {
    "gradient_descent": "gradient descent",
    "heavy_ball": "heavy ball",
    "nesterov": "Nesterov",
}


_PIPED_WIDTH = 200
"""Columns of tables that no terminal limits."""

_CATALOG_COLUMNS = ("name", "task", "n", "d", "found", "description")


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar with the time left on standard error, if that is a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("kernel and spectrum", total=None)

        def show(label: str, done: int, total: int) -> None:
            bar.update(task, description=label, completed=done, total=total)

        yield show


def show_advice(advice: Advice, *, as_json: bool) -> None:
    """Print the recommendation, the copy-paste lines and the table, or JSON."""
    if as_json:
        sys.stdout.write(_json.dumps(_advice_document(advice)))
        return
    best, data, ends = advice.best, advice.data, advice.extremes
    console = _console()
    console.print(_recommendation(advice), style="bold")
    console.print(
        f"\n# for the loss 0.5 * ((f - y) ** 2).sum() over all {data.n:,} rows;\n"
        f"# for a mean over rows multiply eta by {data.n},\n"
        f"# for a mean of squares without the 0.5 by {data.n / 2:g}"
    )
    console.print(snippet(best.method))
    console.print(
        f"\n{data.name}: n = {data.n:,}, d = {data.d:,}; eigenvalues {ends.smallest:.6g} to "
        f"{ends.largest:.6g}, condition number {ends.condition_number:.5g}"
    )
    table = _table([entry.name for entry in advice.methods])
    for title, cell in (
        ("rule", lambda m: m.rule),
        ("eta", lambda m: f"{m.method.constant[0]:.5g}"),
        ("beta", lambda m: f"{m.method.constant[1]:.5g}"),
        ("spectral radius", lambda m: f"{m.spectral_radius:.6f}"),
        ("stability limit of eta", lambda m: f"{m.stability_limit:.5g}"),
        (f"steps to {100 * advice.target:g} %", lambda m: _count(m.steps_to)),
    ):
        table.add_row(title, *(cell(entry) for entry in advice.methods))
    console.print(table)
    console.print("steps are forecast for the linearised network, from the expected initial loss")


def show_comparison(result: Comparison, figure: Path | None, *, as_json: bool) -> None:
    """Print one row a method and where figure and run are, or JSON."""
    if as_json:
        document = {
            "run": str(result.run),
            "wall_seconds": result.wall_seconds,
            "methods": [asdict(row) for row in result.methods],
        }
        sys.stdout.write(_json.dumps(document))
        return
    console = _console()
    table = _table([row.method for row in result.methods])
    for title, *cells in _comparison_rows(result.methods):
        table.add_row(title, *cells)
    console.print(table)
    console.print(
        "forecast error: largest gap between the norms of measured and forecast residual, "
        "as a share of the first norm"
    )
    seconds = result.wall_seconds
    console.print(
        f"\nrun     {result.run}" if figure is None else f"\nfigure  {figure}\nrun     {result.run}"
    )
    console.print(f"time    {seconds:.1f} s")


def show_audit(audit: Audit, *, as_json: bool, as_tex: bool) -> None:
    """Print verdicts with margins and reasons, as a JSON list, or as a LaTeX table."""
    if as_json:
        sys.stdout.write(_json.dumps([asdict(entry) for entry in audit.entries]))
        return
    if as_tex:
        sys.stdout.write(audit_table(audit.entries))
        return
    console = _console()
    for verdict, meaning in VERDICTS.items():
        entries = [entry for entry in audit.entries if entry.verdict == verdict]
        if not entries:
            continue
        console.print(f"\n{verdict} ({len(entries)}): {meaning}", style="bold")
        for entry in entries:
            console.print(f"  {headline(entry)}\n      {entry.statement}\n      {finding(entry)}")
    for note in audit.notes:
        console.print(f"note: {note}")


def show_catalog(data_dir: Path | None, *, as_json: bool) -> None:
    """Print the named data sets and where each is found."""
    rows = [
        {
            "name": source.name,
            "task": source.task,
            "n": source.n,
            "d": source.d,
            "found": _found(source.name, data_dir),
            "description": source.description,
            "licence": source.licence,
        }
        for source in catalog()
    ]
    if as_json:
        sys.stdout.write(_json.dumps(rows))
        return
    table = Table(box=None, pad_edge=False)
    for title in _CATALOG_COLUMNS:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[title] or "to download") for title in _CATALOG_COLUMNS))
    _console().print(table)


def show_provenance(provenance: Provenance, *, as_json: bool) -> None:
    """Print what is known of a loaded data set."""
    facts = asdict(provenance)
    if as_json:
        sys.stdout.write(_json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        _console().print(f"{name:<{width}}  {value}")


def show_doctor(data_dir: Path | None, *, as_json: bool) -> None:
    """Print versions, devices, threads, and the data found."""
    import jax

    facts = store.environment()
    document = {
        **facts,
        "devices": [str(device) for device in jax.devices()],
        "threads": {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "XLA_FLAGS")},
        "INERTIAL_DATA": os.environ.get("INERTIAL_DATA"),
        "data": {source.name: _found(source.name, data_dir) for source in catalog()},
    }
    if as_json:
        sys.stdout.write(_json.dumps(document))
        return
    console = _console()
    versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    console.print(f"Python   {platform.python_version()} on {facts['machine']['system']}")
    console.print(f"packages {versions}")
    console.print(f"commit   {facts['commit'] or 'an installed package'}")
    console.print(f"devices  {', '.join(document['devices'])}")
    threads = ", ".join(f"{k}={v}" for k, v in document["threads"].items() if v) or "all of them"
    console.print(f"threads  {facts['machine']['cores']} cores usable; {threads}")
    for name, place in document["data"].items():
        console.print(f"data     {name:<14} {place or 'to download: inertial data fetch ' + name}")


def save_eigenvalues(eigenvalues: Eigenvalues, path: Path) -> None:
    """Write eigenvalues to an .npy file, whole or not at all."""
    check_spectrum_path(path)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            np.save(file, eigenvalues)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise InvalidInput(
            f"the eigenvalues cannot be written to {path} ({error.strerror}); give another path "
            "with --spectrum."
        ) from None


def check_spectrum_path(path: Path) -> None:
    """Refuse a path that an .npy file cannot take, before any work is done."""
    if not path.name or (path.exists() and not path.is_file()) or not path.parent.is_dir():
        raise InvalidInput(
            f"{str(path)!r} is no file in an existing folder; give another path with --spectrum."
        )


def _recommendation(advice: Advice) -> str:
    best = advice.best
    eta, beta, _ = best.method.constant
    momentum = f", momentum {beta:.4g}" if beta else ""
    plain = advice.of("gradient_descent")
    beside = (
        f" (gradient descent: {_count(plain.steps_to)})" if best.name != "gradient_descent" else ""
    )
    return (
        f"Use {_NAMES[best.name]} with eta {eta:.4g}{momentum}: "
        f"{_count(best.steps_to)} steps to {advice.target:.3g} of the initial loss, forecast at "
        f"infinite width{beside}."
    )


def _advice_document(advice: Advice) -> dict[str, Any]:
    data, ends = advice.data, advice.extremes
    return {
        "recommendation": _recommendation(advice),
        "target": advice.target,
        "data": {key: asdict(data)[key] for key in ("name", "n", "d", "task", "sha256")},
        "kernel": {
            "kind": "infinite",
            "lambda_min": ends.smallest,
            "lambda_max": ends.largest,
            "condition_number": ends.condition_number,
        },
        "methods": [
            {
                "method": entry.name,
                "rule": entry.rule,
                **dict(zip(("eta", "beta", "gamma"), entry.method.constant, strict=True)),
                "spectral_radius": entry.spectral_radius,
                "stability_limit": entry.stability_limit,
                "steps_to": entry.steps_to,
            }
            for entry in advice.methods
        ],
    }


def _comparison_rows(methods: Sequence[Summary]) -> Iterator[Sequence[str]]:
    """Rows of the table: a title, then one cell a method."""
    yield ("rule", *(row.rule for row in methods))
    yield ("eta", *(f"{row.eta:.5g}" for row in methods))
    yield ("beta", *(f"{row.beta:.5g}" for row in methods))
    for fraction in methods[0].steps_to:
        pairs = [row.steps_to[fraction] for row in methods]
        yield (
            f"steps to {100 * float(fraction):g} %: forecast / run",
            *(f"{_count(pair['predicted'])} / {_count(pair['measured'])}" for pair in pairs),
        )
    yield ("final loss, mean", *(f"{row.loss_last_mean:.4g}" for row in methods))
    yield (
        "final loss, range",
        *(f"{row.loss_last_min:.3g} to {row.loss_last_max:.3g}" for row in methods),
    )
    yield ("largest distance from start", *(f"{row.max_distance_mean:.3g}" for row in methods))
    yield ("changed patterns", *(f"{100 * row.pattern_change_mean:.2g} %" for row in methods))
    yield ("forecast error", *(f"{row.forecast_error:.2g}" for row in methods))
    if any(row.status != "finished" for row in methods):
        yield ("status", *(row.status for row in methods))


def _table(methods: Sequence[str]) -> Table:
    """One column a method, beside a column of titles."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in methods:
        table.add_column(_NAMES[name], justify="right")
    return table


def _console() -> Console:
    """Return standard output, without guessing at numbers or markup in users' names."""
    piped = not sys.stdout.isatty()
    width = _PIPED_WIDTH if piped else None
    return Console(highlight=False, markup=False, emoji=False, width=width, soft_wrap=piped)


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}".removesuffix(".0")


def _found(name: str, data_dir: Path | None) -> str | None:
    """Say where a set would be read from, or what is wrong with the folder to look in."""
    try:
        place = locate(name, data_dir)
    except InvalidInput as error:
        return str(error)
    return None if place is None else place.source
