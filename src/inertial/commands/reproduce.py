"""`inertial reproduce`: the figures and tables of the papers, made again."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

from cyclopts import Parameter

from inertial import _json
from inertial._checks import one_of
from inertial.commands.options import THIS_PROCESS, Out, WorkerOptions, computing
from inertial.commands.terminal import (
    about,
    announce,
    console,
    duration,
    progress_or_lines,
    say,
    write,
)

if TYPE_CHECKING:
    from inertial.reproduce.run import Outcome


def reproduce(
    items: tuple[str, ...] = (),
    *,
    scale: str = "quick",
    out: Out = Path("reproduced"),
    options: WorkerOptions = THIS_PROCESS,
    list_: Annotated[bool, Parameter(name="--list")] = False,
    json: bool = False,
) -> None:
    """Make figures and tables of the papers again, and check their claims.

    Parameters
    ----------
    items
        PAPER/FIGURE such as liu2022/fig2, or all.
    scale
        quick, or the full size of the papers: paper.
    out
        Folder for figures, runs and the page index.html; what is stored there is not computed.
    list_
        List the items.
    json
        Print one JSON document instead of tables.
    """
    from inertial.reproduce.catalog import EMBEDDED, ITEMS, find, found
    from inertial.reproduce.item import SCALES
    from inertial.reproduce.page import write_page
    from inertial.reproduce.run import make

    if list_ or not items:
        _list(as_json=json)
        return
    chosen = ITEMS if items == ("all",) else tuple(find(key) for key in items)
    size = SCALES[one_of("scale", scale, ("quick", "paper"))]
    names, absent = found()
    notes: tuple[str, ...] = ()
    if absent:
        note = (
            f"not found on this machine and left out: {', '.join(absent)}; "
            f"what takes several data sets has {' and '.join(EMBEDDED)} among them."
        )
        notes = (note,)
        say("note", note)
    made = []
    try:
        with computing(options) as means:
            for item in chosen:
                say("note", f"{item.key}: {item.title}")
                with progress_or_lines() as show:
                    one = make(item, size, names, out, progress=show, announce=announce, **means)
                made.append(one)
                if not json:
                    _show(one)
    except KeyboardInterrupt:
        say("note", f"stopped; everything computed is stored in {out}, the same command goes on.")
        sys.exit(130)
    conclude(made, write_page(out, notes), as_json=json)


def conclude(made: "list[Outcome]", page: Path, *, as_json: bool) -> None:
    """Print how many claims hold and where the page is, or everything as one document."""
    from inertial.reproduce.item import Verdict

    if as_json:
        document = {
            "page": str(page),
            "items": [
                {
                    "item": one.item.key,
                    "folder": str(one.folder),
                    "seconds": one.seconds,
                    "predicted_seconds": one.predicted,
                    "claims": [asdict(claim) for claim in one.claims],
                }
                for one in made
            ],
        }
        write(_json.dumps(document))
        return
    claims = [claim for one in made for claim in one.claims]
    verdicts = {word: sum(c.verdict == word for c in claims) for word in get_args(Verdict)}
    write(
        f"\n{len(claims)} claims: {verdicts['holds']} hold, {verdicts['fails']} fail, "
        f"{verdicts['undecided']} undecided\npage  {page}\n"
    )


def _list(*, as_json: bool) -> None:
    from inertial.reproduce.catalog import ITEMS

    if as_json:
        rows = [
            {"key": i.key, "title": i.title, "source": i.source, "trains": i.study is not None}
            for i in ITEMS
        ]
        write(_json.dumps(rows))
        return
    out = console()
    for item in ITEMS:
        out.print(f"{item.key:<22} {item.title}")


def _show(one: "Outcome") -> None:
    """Print an item's claims, its figure and its time."""
    out = console()
    out.print(f"\n{one.item.key}: {one.item.title} ({one.item.source})", style="bold")
    for claim in one.claims:
        told = ", ".join(word for word in (claim.data, claim.seeds) if word)
        out.print(
            f"  {claim.verdict:<9} {claim.statement}"
            + (f" [{told}]" if told else "")
            + (f": {claim.measured}" if claim.measured else "")
        )
    before = "" if one.predicted is None else f", predicted {about(one.predicted)}"
    out.print(f"  figure    {one.folder / 'figure.png'}")
    out.print(f"  time      {duration(one.seconds)}{before}")
