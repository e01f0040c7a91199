"""One page with every item that has been made: figure, claims, verdicts, cost."""

from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from inertial._checks import InvalidInput
from inertial.files import STAYS, below, folder_in, read_json, write
from inertial.reproduce.catalog import ITEMS
from inertial.reproduce.item import Claim
from inertial.reproduce.run import item_folder
from inertial.runs.schema import validated
from inertial.view.page import policy


def write_page(out: Path, notes: tuple[str, ...] = ()) -> Path:
    """Write ``index.html`` over all items in a folder that are whole, and return its path.

    Raises
    ------
    InvalidInput
        If it cannot be written.

    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    items = []
    for folder in (item_folder(out, item.key).name for item in ITEMS):
        item = _claims(out, folder)
        if item is None:
            continue
        verdicts = [claim["verdict"] for claim in item["claims"]]
        found = next((word for word in ("fails", "undecided") if word in verdicts), "holds")
        more = {"folder": folder, "verdict": found}
        items.append({**item, **more, "counts": Counter(verdicts)})
    environment = Environment(
        loader=PackageLoader("inertial.reproduce"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    style = (resources.files("inertial.reproduce") / "templates" / "index.css").read_text("utf-8")
    text = environment.get_template("index.html").render(
        style=style,
        policy=policy(style, images="'self' file:"),
        items=items,
        notes=notes,
        counts=sum((item["counts"] for item in items), Counter()),
        total=sum(len(item["claims"]) for item in items),
    )
    page = folder_in(out) / "index.html"
    write(page, f"{text}\n", remedy=STAYS)
    return page


class _Claims(msgspec.Struct):
    """What is stored of an item's claims."""

    item: str
    title: str
    source: str
    scale: str
    seconds: float
    claims: list[Claim]
    predicted_seconds: float | None = None


def _claims(out: Path, folder: str) -> dict[str, Any] | None:
    """Return what is stored of an item's claims, or None if there is nothing or it is damaged."""
    try:
        document = read_json(below(out, folder, "claims.json"))
        return msgspec.to_builtins(validated(document, _Claims, folder))  # type: ignore[no-any-return]
    except InvalidInput:
        return None
