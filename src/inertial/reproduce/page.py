"""One page with every item that has been made: figure, claims, verdicts, cost."""

import json
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

from inertial.files import STAYS, folder_in, write
from inertial.reproduce.catalog import ITEMS
from inertial.reproduce.run import item_folder
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
    for folder in (item_folder(out, item.key) for item in ITEMS):
        item = _claims(folder)
        if item is None:
            continue
        verdicts = [claim["verdict"] for claim in item["claims"]]
        found = next((word for word in ("fails", "undecided") if word in verdicts), "holds")
        more = {"folder": folder.name, "verdict": found}
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


def _claims(folder: Path) -> dict[str, Any] | None:
    """Return what is stored of an item's claims, or None if there is nothing or it is damaged."""
    try:
        item: dict[str, Any] = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
        item["title"], item["claims"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return item
