"""One page with every item that has been made: figure, claims, verdicts, cost."""

import json
from collections import Counter
from pathlib import Path

from inertial.reproduce.catalog import ITEMS
from inertial.reproduce.run import item_folder
from inertial.study.records import cannot_write


def write_page(out: Path, notes: tuple[str, ...] = ()) -> Path:
    """Write ``index.html`` over all items in a folder, and return its path.

    Raises
    ------
    InvalidInput
        If it cannot be written.

    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    items = []
    made = (item_folder(out, item.key) / "claims.json" for item in ITEMS)
    for path in filter(Path.is_file, made):
        item = json.loads(path.read_text(encoding="utf-8"))
        verdicts = [claim["verdict"] for claim in item["claims"]]
        found = next((word for word in ("fails", "undecided") if word in verdicts), "holds")
        more = {"folder": path.parent.name, "verdict": found}
        items.append({**item, **more, "counts": Counter(verdicts)})
    environment = Environment(
        loader=PackageLoader("inertial.reproduce"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    text = environment.get_template("index.html").render(
        items=items,
        notes=notes,
        counts=sum((item["counts"] for item in items), Counter()),
        total=sum(len(item["claims"]) for item in items),
    )
    page = out / "index.html"
    partial = out / ".index.html.partial"
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(page)
    except OSError as error:
        raise cannot_write(page, error) from None
    return page
