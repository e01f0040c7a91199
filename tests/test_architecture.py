"""Imports point from lower rooms to higher ones only, and stay on public interfaces."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "inertial"
PAGE = (ROOT.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = [
    ("_types", "_checks", "_door", "_json", "_memory", "_surface", "files"),
    ("data",),
    ("problem",),
    ("torch",),
    ("linear",),
    ("method",),
    ("simulation",),
    ("runs",),
    ("theory",),
    ("view",),
    ("reproduce",),
    ("commands", "__main__"),
]
PRIVATE = ("jax._src", "jax.core", "jax.interpreters", "jax.experimental")

FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imported(path):
    """Names of all modules a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(part):
    """Level of a room; a module that is in none of them fails."""
    return next(i for i, names in enumerate(ROOMS) if part in names)


def inside(path):
    """Modules of this package that a file imports, as the files that hold them."""
    for name in imported(path):
        if not name.startswith("inertial."):
            continue
        place = ROOT.joinpath(*name.split(".")[1:])
        for found in (place.with_suffix(".py"), place / "__init__.py"):
            if found.is_file():
                yield found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_upwards(path):
    own = room_of(path.relative_to(ROOT).with_suffix("").parts[0])
    for other in inside(path):
        part = other.relative_to(ROOT).with_suffix("").parts[0]
        assert room_of(part) <= own, f"{path.name} imports {other.relative_to(ROOT)}"


def test_no_module_imports_itself_by_way_of_others():
    graph = {path: set(inside(path)) - {path} for path in ROOT.rglob("*.py")}
    done, open_ = set(), []

    def walk(path):
        assert path not in open_, [str(p.relative_to(ROOT)) for p in [*open_, path]]
        if path in done:
            return
        open_.append(path)
        for other in graph[path]:
            walk(other)
        open_.pop()
        done.add(path)

    for path in graph:
        walk(path)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_public_interfaces_of_jax(path):
    for module in imported(path):
        assert not module.startswith(PRIVATE), f"{path.name} imports {module}"
    assert "pmap(" not in path.read_text(encoding="utf-8")


def test_every_module_is_reached_from_a_public_name_or_a_command():
    stub = ast.parse((ROOT / "__init__.pyi").read_text(encoding="utf-8"))
    public = {node.module for node in stub.body if isinstance(node, ast.ImportFrom)}
    doors = {"__main__", "torch"}
    waiting = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in public | doors]
    waiting += [ROOT / name / "__init__.py" for name in public if (ROOT / name).is_dir()]
    reached = set()
    while waiting:
        path = waiting.pop()
        if path not in reached and path.is_file():
            reached.add(path)
            waiting += inside(path)
    modules = {path for path in FILES if path.name != "__init__.py"}
    assert modules - reached == set()
    most = int(re.search(r"At most (\d+)\.", PAGE)[1])
    assert len(modules) <= most, "merge modules, or say in docs/architecture.md why there are more"


def test_every_name_on_the_page_exists():
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = {
        name for name in re.findall(r"`([a-z_]+(?:\.\w+)+)", PAGE) if name.split(".")[0] in rooms
    }
    assert {"data.load", "runs.store", "method.rules.choose"} <= named
    for name in named:
        parts, found = name.split("."), None
        for count in range(len(parts), 0, -1):
            if ROOT.joinpath(*parts[:count]).with_suffix(".py").is_file() or (
                ROOT.joinpath(*parts[:count]).is_dir()
            ):
                found = import_module(".".join(["inertial", *parts[:count]]))
                break
        for part in parts[count:]:
            found = getattr(found, part)
