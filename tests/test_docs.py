"""The documentation names every public name, and its snippets' commands exist.

Building it is `make docs`, which runs every snippet.
"""

import ast
import dataclasses
import importlib
import inspect
import json
import re
import shlex
import textwrap
import tomllib
import typing
from pathlib import Path

import pytest

import inertial
from inertial.commands.main import app, main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.glob("**/*.md") if "_build" not in page.parts)
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))


def public_names():
    """Names that the package's stub exports."""
    stub = (ROOT / "src" / "inertial" / "__init__.pyi").read_text(encoding="utf-8")
    for node in ast.parse(stub).body:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


@pytest.mark.parametrize("name", sorted(public_names()))
def test_every_public_name_stands_in_the_reference_once_and_in_its_overview(name):
    entries = re.findall(
        rf"^\.\. auto(?:function|class|exception):: {name}$", REFERENCE, re.MULTILINE
    )
    assert len(entries) == 1
    overview = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    assert re.search(rf"^   {name}$", overview, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(public_names()))
def test_a_docstring_names_every_parameter_and_the_reference_what_is_returned(name):
    function = getattr(inertial, name)
    if not inspect.isfunction(function):
        return
    words = inspect.getdoc(function)
    signature = inspect.signature(function)
    left = [one for one in signature.parameters if not re.search(rf"\b{one}\b", words)]
    assert left == []
    for kind in (signature.return_annotation, *typing.get_args(signature.return_annotation)):
        if getattr(kind, "__module__", "").startswith("inertial."):
            path = rf"(inertial\.[a-z_.]+\.)?{kind.__name__}"
            assert re.search(rf"^\.\. autoclass:: {path}$", REFERENCE, re.MULTILINE), kind


def public_classes():
    """Classes of the package that the reference describes, or that these hold or return."""
    module, left = "inertial", []
    for line in REFERENCE.splitlines():
        if found := re.match(r"\.\. (?:current|auto)module:: (\S+)", line):
            module = found[1]
        elif found := re.match(r"\.\. autoclass:: (\S+)", line):
            path = found[1] if "." in found[1] else f"{module}.{found[1]}"
            home, _, name = path.rpartition(".")
            left.append(getattr(importlib.import_module(home), name))
    seen = set()
    while left:
        kind = left.pop()
        if isinstance(kind, type) and kind.__module__.startswith("inertial.") and kind not in seen:
            seen.add(kind)
            parts = (part.fget for part in vars(kind).values() if isinstance(part, property))
            hints = [inspect.get_annotations(kind), *map(inspect.get_annotations, parts)]
            left += [hint for found in hints for hint in found.values()]
        left += typing.get_args(kind)
    return sorted(seen, key=lambda kind: kind.__qualname__)


def fields_of(kind):
    """Public names that instances of a class have: declared, or set when one is made."""
    yield from inspect.get_annotations(kind)
    start = vars(kind).get("__init__")
    if inspect.isfunction(start) and not dataclasses.is_dataclass(kind):
        source = ast.parse(textwrap.dedent(inspect.getsource(start)))
        for node in ast.walk(source):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield node.attr


@pytest.mark.parametrize("kind", public_classes(), ids=lambda kind: kind.__qualname__)
def test_every_field_and_method_of_a_public_class_is_described(kind):
    words = inspect.getdoc(kind)
    described = set()
    for names in re.findall(r"^(\w+(?:, \w+)*)\n    \S", words, re.MULTILINE):
        described |= set(names.split(", "))
    fields = {name for name in fields_of(kind) if not name.startswith("_")}
    assert fields - described == set()
    for name, part in vars(kind).items():
        if (
            not name.startswith("_")
            and name not in fields
            and (callable(part) or inspect.isdatadescriptor(part))
        ):
            assert inspect.getdoc(part), name


def test_every_page_is_reached_from_the_index():
    reached = set()
    for page in (DOCS / "index.md", DOCS / "models.md", DOCS / "api" / "index.md"):
        text = page.read_text(encoding="utf-8")
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            lines = [line for line in tree.splitlines() if line and not line.startswith(":")]
            targets = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
            reached |= {(page.parent / f"{target}.md").resolve() for target in targets}
    pages = {*PAGES, (DOCS / "frameworks" / "pytorch.md").resolve()} - {DOCS / "index.md"}
    assert reached == pages
    assert (DOCS / "frameworks" / "pytorch.ipynb").is_file()  # the one page that is stored executed


def test_the_stored_notebook_kept_its_promise_and_ran_in_order():
    book = json.loads((DOCS / "frameworks" / "pytorch.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4]
    text = ["".join(out.get("text", "")) for cell in cells for out in cell["outputs"]]
    promised = re.search(r"momentum [0-9.]+: (\d+) steps to 10 %", text[0])
    assert f"after {promised[1]} steps" in text[1]
    assert int(re.search(r": (\d+) steps", text[2])[1]) > int(promised[1])  # of the grid
    assert "image/svg+xml" in cells[-1]["outputs"][0]["data"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_cells_that_draw_say_in_words_what_they_show(page):
    for cell in re.findall(
        r"```\{code-cell\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    ):
        last = cell.rstrip().splitlines()[-1]
        if last == "figure" or last.startswith(("convergence(", "draw(")):
            assert "alt: |" in cell


def test_what_is_handed_over_is_the_recommendation_and_not_the_forecasts_choice():
    """Of a model `best` is the recommendation, so pages of models may read it."""
    shown = {page: page.read_text("utf-8") for page in (ROOT / "README.md", *PAGES)}
    cells = [
        (page, code)
        for page, text in shown.items()
        for code in re.findall(r"(?ms)^```(?:\{code-cell\}|python)\n(.*?)^```", text)
        if page.parent.name != "frameworks" and page.stem != "models"
    ]
    book = json.loads((DOCS / "inertial.ipynb").read_text(encoding="utf-8"))
    cells += [(DOCS / "inertial.ipynb", "".join(cell["source"])) for cell in book["cells"]]
    assert [(page, code) for page, code in cells if re.search(r"\.best\b", code)] == []
    handed = {page.name for page, code in cells if ".setting" in code}
    assert handed == {"README.md", "quickstart.md", "choose.md", "inertial.ipynb"}


def test_the_commands_shown_exist():
    shown = {
        name
        for page in PAGES
        for name in re.findall(
            r"(?:^|`|bin/)inertial ([a-z]+)", page.read_text("utf-8"), re.MULTILINE
        )
    }
    assert {"tune", "compare", "audit"} <= shown
    assert shown <= set(app)


def test_the_notebook_needs_pip_only_and_its_cells_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    book = json.loads((DOCS / "inertial.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    assert cells[0] == '%pip install --quiet "inertial[ode]"'
    names = {}
    for cell in cells[1:]:
        if cell.startswith("!inertial "):
            main(shlex.split(cell)[1:])
            continue
        small = cell.replace("width=1000, seeds=(0, 1, 2), steps=60", "width=30, steps=3")
        exec(small.replace('"digits"', '"digits", n=40'), names)  # noqa: S102 - our own cells
    assert (tmp_path / "report.html").is_file()


def test_the_page_for_language_models_names_commands_and_pages_that_exist():
    text = (DOCS / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# inertial\n\n> ")
    assert set(re.findall(r"`inertial ([a-z]+)", text)) <= set(app)
    for page in re.findall(r"\]\(([^)]+)\.html\)", text):
        assert (DOCS / f"{page}.md").is_file()


def test_an_extra_that_is_named_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sources = [*(ROOT / "src").rglob("*.py"), *PAGES, ROOT / "README.md", DOCS / "llms.txt"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    named = set(re.findall(r"inertial\[([a-z]+)\]", text))
    named |= set(re.findall(r'needed\("[a-z]+", "([a-z]+)"\)', text))
    assert {"ode", "cluster"} <= named
    assert named <= set(project["optional-dependencies"])
