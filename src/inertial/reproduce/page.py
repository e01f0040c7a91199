"""One page with every item that has been made: figure, claims, verdicts, cost."""

import json
from pathlib import Path

from inertial.study.records import cannot_write

_TEMPLATE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Figures and tables, made again</title>
<style>
  body { font: 15px/1.45 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
  img { max-width: 100%; }
  table { border-collapse: collapse; margin: .6rem 0 2.5rem; font-size: 13px; }
  td, th { border-top: 1px solid #ccc; padding: .2rem .6rem; text-align: left;
           vertical-align: top; }
  .fails { font-weight: bold; }
  .fails::before { content: "\\2717\\a0"; } .holds::before { content: "\\2713\\a0"; }
  .undecided::before { content: "?\\a0"; }
  .quiet { color: #555; }
</style>
<h1>Figures and tables, made again</h1>
{% for note in notes %}<p>{{ note }}</p>{% endfor %}
<table>
<tr><th>item<th>what<th>claims that hold<th>time</tr>
{% for item in items %}
<tr><td><a href="#{{ item.folder }}">{{ item.item }}</a><td>{{ item.title }}
<td class="{{ item.verdict }}">{{ item.holding }} of {{ item.claims | length }}
<td>{{ "%.1f" | format(item.seconds) }} s</tr>
{% endfor %}
</table>
{% for item in items %}
<h2 id="{{ item.folder }}">{{ item.item }}: {{ item.title }}</h2>
<p class="quiet">{{ item.source }}; scale {{ item.scale }}; {{ "%.1f" | format(item.seconds) }} s
{%- if item.predicted_seconds is not none %}, predicted for the runs
{{ "%.1f" | format(item.predicted_seconds) }} s{% endif %}.
<a href="{{ item.folder }}/figure.pdf">PDF</a> <a href="{{ item.folder }}/figure.svg">SVG</a></p>
<img src="{{ item.folder }}/figure.png" alt="{{ item.title }}">
<table>
<tr><th>claim<th>data<th>verdict<th>measured</tr>
{% for claim in item.claims %}
<tr><td>{{ claim.statement }}<td>{{ claim.data }}
<td class="{{ claim.verdict }}">{{ claim.verdict }}
{%- if claim.seeds %} ({{ claim.seeds }}){% endif %}<td>{{ claim.measured }}</tr>
{% endfor %}
</table>
{% endfor %}
</html>
"""


def write_page(out: Path, notes: tuple[str, ...] = ()) -> Path:
    """Write ``index.html`` over all items in a folder, and return its path.

    Raises
    ------
    InvalidInput
        If it cannot be written.

    """
    from jinja2 import Environment, StrictUndefined

    items = []
    for path in sorted(out.glob("*/claims.json")):
        item = json.loads(path.read_text(encoding="utf-8"))
        holding = sum(claim["verdict"] == "holds" for claim in item["claims"])
        whole = holding == len(item["claims"])
        verdict = "holds" if whole else "fails"
        items.append({**item, "folder": path.parent.name, "holding": holding, "verdict": verdict})
    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).from_string(_TEMPLATE)
    page = out / "index.html"
    partial = out / ".index.html.partial"
    try:
        partial.write_text(template.render(items=items, notes=notes) + "\n", encoding="utf-8")
        partial.replace(page)
    except OSError as error:
        raise cannot_write(page, error) from None
    return page
