"""Imports point from lower levels to higher ones only, and stay on public interfaces."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "inertial"
LEVELS = [
    {"_types", "_checks", "_json", "interrupts"},
    {"data"},
    {"problem"},
    {"dynamics"},
    {"theory"},
    {"report"},
    {"store"},
    {"advice", "comparison", "exploration"},
    {"printing"},
    {"study"},
    {"reproduce", "stored"},
    {"auditing"},
    {"reporting"},
    {"cli"},
]
WITHIN = {
    "problem": ["network", "kernel", "spectrum", "span", "flips", "landscape"],
    "comparison": ["settings", "records", "summary", "run"],
    "report": [
        "series",
        "figures",
        "scaffold",
        "run_figures",
        "kernel_figures",
        "paper_figures",
        "page",
        "verdicts",
        "panels",
        "run_page",
        "study_runs",
        "study_panels",
        "study_page",
    ],
    "dynamics": [
        "method",
        "conventions",
        "modes",
        "flow",
        "trajectory",
        "integrate",
        "forecast",
        "tuning",
        "step",
        "train",
        "weight_flow",
        "flip_bound",
        "kernel_products",
        "decomposition",
        "probe",
    ],
}
WITHIN["study"] = [
    "config",
    "job",
    "checkpoints",
    "spectra",
    "execution",
    "locks",
    "records",
    "space",
    "cost",
    "results",
    "drawing",
    "ledger",
    "runner",
    "cluster",
    "console",
]
WITHIN["reproduce"] = [
    "item",
    "liu2022",
    "formulas",
    "bu2021",
    "beyond",
    "catalog",
    "pilot",
    "run",
    "page",
    "console",
]
PRIVATE = ("jax._src", "jax.core", "jax.interpreters", "jax.experimental")

FILES = sorted(ROOT.rglob("*.py"))


def imported(path):
    """Names of all modules a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level_of(part):
    return next(i for i, names in enumerate(LEVELS) if part in names)


def parts_of(module):
    return module.split(".")[1:] if module.startswith("inertial.") else []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_upwards(path):
    own = list(path.relative_to(ROOT).with_suffix("").parts)
    if own == ["__init__"]:
        return
    for module in imported(path):
        parts = parts_of(module)
        if not parts or parts == ["__version__"]:
            continue
        if parts[0] == own[0]:
            order = WITHIN.get(own[0], [])
            if len(parts) > 1 and {parts[1], own[-1]} <= set(order):
                assert order.index(parts[1]) <= order.index(own[-1]), f"{own} imports {module}"
            continue
        assert level_of(parts[0]) < level_of(own[0]), f"{own} imports {module}"
        if own[0] == "theory":
            assert parts[:2] != ["dynamics", "train"], "theorems do not train"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_public_interfaces_of_jax(path):
    for module in imported(path):
        assert not module.startswith(PRIVATE), f"{path.name} imports {module}"
    assert "pmap(" not in path.read_text(encoding="utf-8")
