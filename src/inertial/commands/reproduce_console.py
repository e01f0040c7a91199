"""What `inertial reproduce` and `inertial figures` do and print."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from rich.console import Console

from inertial import _json
from inertial._checks import InvalidInput, one_of
from inertial.commands.study_console import Hands, announce, at_work, duration, say, watch
from inertial.reproduce.catalog import EMBEDDED, ITEMS, find, found
from inertial.reproduce.item import SCALES, Item, Verdict
from inertial.reproduce.page import write_page
from inertial.reproduce.run import Made, make, redraw
from inertial.runs.results import read_studies
from inertial.view.drawing import draw


def show_items(*, as_json: bool) -> None:
    """List the items."""
    if as_json:
        rows = [
            {"key": i.key, "title": i.title, "source": i.source, "trains": i.study is not None}
            for i in ITEMS
        ]
        sys.stdout.write(_json.dumps(rows))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for item in ITEMS:
        console.print(f"{item.key:<22} {item.title}")


def reproduce(keys: tuple[str, ...], scale: str, out: Path, hands: Hands, *, as_json: bool) -> None:
    """Make items, print their claims, and write the index page."""
    chosen: tuple[Item, ...] = ITEMS if keys == ("all",) else tuple(find(key) for key in keys)
    size = SCALES[one_of("scale", scale, ("quick", "paper"))]
    names, absent = found()
    notes: tuple[str, ...] = ()
    if absent:
        note = (
            f"not found on this machine and left out: {', '.join(absent)}; "
            f"{' and '.join(EMBEDDED)} are used besides."
        )
        notes = (note,)
        say(note)
    made = []
    try:
        with at_work(hands) as means:
            for item in chosen:
                say(f"{item.key}: {item.title}")
                with watch() as show:
                    one = make(item, size, names, out, progress=show, announce=announce, **means)
                made.append(one)
                if not as_json:
                    _print(one)
    except KeyboardInterrupt:
        say(f"stopped; everything computed is stored in {out}, the same command goes on.")
        sys.exit(130)
    _finish(made, write_page(out, notes), as_json=as_json)


def figures(folder: Path, *, as_json: bool) -> None:
    """Draw everything stored in a folder once more, without computing: items, or else studies."""
    if not folder.is_dir():
        raise InvalidInput(
            f"{folder} is not a folder; give one that inertial reproduce or inertial study wrote."
        )
    if made := redraw(folder):
        if not as_json:
            for one in made:
                sys.stdout.write(f"{one.folder / 'figure.png'}\n")
        _finish(made, write_page(folder), as_json=as_json)
        return
    drawn = [(stored, draw(stored, folder)) for stored in read_studies(folder)]
    if not any(paths for _, paths in drawn):
        raise InvalidInput(
            f"{folder} holds no finished runs; give a folder that inertial reproduce or inertial "
            "study wrote."
        )
    for stored, _ in drawn:
        if stored.missing:
            say(f"{stored.name}: missing runs: {stored.missing}; inertial study computes them.")
    if as_json:
        document = [
            {"study": stored.name, "missing": stored.missing, "figures": list(map(str, paths))}
            for stored, paths in drawn
        ]
        sys.stdout.write(_json.dumps({"studies": document}))
        return
    sys.stdout.write("".join(f"{path}\n" for _, paths in drawn for path in paths))


def _print(one: Made) -> None:
    console = Console(highlight=False, markup=False)
    console.print(f"\n{one.item.key}: {one.item.title} ({one.item.source})", style="bold")
    for claim in one.claims:
        about = ", ".join(word for word in (claim.data, claim.seeds) if word)
        console.print(
            f"  {claim.verdict:<9} {claim.statement}"
            + (f" [{about}]" if about else "")
            + (f": {claim.measured}" if claim.measured else "")
        )
    before = "" if one.predicted is None else f", predicted {duration(one.predicted)}"
    console.print(f"  figure    {one.folder / 'figure.png'}")
    console.print(f"  time      {duration(one.seconds)}{before}")


def _finish(made: list[Made], page: Path, *, as_json: bool) -> None:
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
        sys.stdout.write(_json.dumps(document))
        return
    claims = [claim for one in made for claim in one.claims]
    count = {word: sum(c.verdict == word for c in claims) for word in get_args(Verdict)}
    sys.stdout.write(
        f"\n{len(claims)} claims: {count['holds']} hold, {count['fails']} fail, "
        f"{count['undecided']} undecided\npage  {page}\n"
    )
