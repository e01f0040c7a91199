"""Change every constant of the formulas, one at a time, and ask the tests to notice.

``.venv/bin/python -m benchmarks.mutants [MODULE...]`` prints a table for docs/theorems-tested.md;
without names it takes the modules of the catalogue.  A number is doubled and halved, an exponent is
moved to both neighbours half a unit apart, and a square root is left out.  Every changed catalogue
is held against the values of tests/catalog_values.py, and every changed module of `FORMULAS`
against its own tests, in this process, until the first differs.
"""

import ast
import sys
import types
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

CATALOG = ROOT / "src/inertial/theory/catalog"
PACKAGE = "inertial.theory.catalog"
METHOD, METHODS = ROOT / "src/inertial/method", "inertial.method"
MODULES = (
    "quantities",
    "kernels",
    "residual",
    "gradient_descent",
    "heavy_ball",
    "nesterov",
    "friction",
    "vanishing",
    "decay_rates",
    "high_resolution",
    "lyapunov",
    "best_possible",
    "power_laws",
    "batches",
    "worst_cases",
)
"""In an order in which each imports only earlier ones."""

FORMULAS = {
    "trust": "tests/test_trust.py",
    "bound": "tests/test_bound.py",
    "schedule": "tests/test_schedule.py",
    "batch": "tests/test_batch.py",
}
"""Modules of `inertial.method`, and the tests that hold their formulas."""

SHAPES = {"axis", "initial", "width", "k"}
"""Keywords whose numbers are about arrays, not about theorems."""


def main() -> None:
    """Run every mutant, and print the table and the survivors."""
    warnings.simplefilter("ignore")
    survivors, counts = [], Counter()
    known = (*MODULES, *FORMULAS)
    chosen = [module for module in known if module in sys.argv[1:]] or MODULES
    for module in chosen:
        folder = METHOD if module in FORMULAS else CATALOG
        source = (folder / f"{module}.py").read_text("utf-8")
        if module in FORMULAS and (red := failing(module, ast.parse(source))):
            sys.exit(f"{module}: {red} fails without a change")
        for line, before, after, tree in mutants(source):
            killed = (failing if module in FORMULAS else killer)(module, tree)
            counts[module, killed is not None] += 1
            if killed is None:
                survivors.append((module, line, before, after))
                sys.stderr.write(f"{module}, line {line}: {before} to {after}\n")
        sys.stderr.write(f"{module}: {counts[module, True]} caught, {counts[module, False]} not\n")
    sys.stdout.write("| module | mutants | caught |\n|---|--:|--:|\n")
    for module in chosen:
        caught, missed = counts[module, True], counts[module, False]
        sys.stdout.write(f"| {module} | {caught + missed} | {caught} |\n")
    caught = sum(number for (_, killed), number in counts.items() if killed)
    total = sum(counts.values())
    sys.stdout.write(f"| all | {total} | {caught} ({caught / total:.1%}) |\n\n")
    for module, line, before, after in survivors:
        sys.stdout.write(f"- {module}, line {line}: `{before}` to `{after}`\n")


def mutants(source: str) -> Iterator[tuple[int, str, str, ast.Module]]:
    """Yield line, old text, new text and the changed tree of every mutant."""
    count = len(list(places(ast.parse(source))))
    for place in range(count):
        _, options = list(places(ast.parse(source)))[place]
        for option in range(len(options)):
            tree = ast.parse(source)
            node, choices = list(places(tree))[place]
            before, line = ast.unparse(node), node.lineno
            replaced = choices[option]
            after = ast.unparse(replaced)
            changed = Replace(node, replaced).visit(tree)
            yield line, before, after, ast.fix_missing_locations(changed)


class Replace(ast.NodeTransformer):
    """Put one node in the place of another."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the new node where the old one stands."""
        return self.new if node is self.old else super().visit(node)


def places(tree: ast.Module) -> Iterator[tuple[ast.expr, list[ast.expr]]]:
    """Yield every node to be changed, with what to put there."""
    skipped = set()
    exponents = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            skipped.update(id(inner) for inner in ast.walk(node.slice))
        if isinstance(node, ast.keyword) and node.arg in SHAPES:
            skipped.update(id(inner) for inner in ast.walk(node.value))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            exponents.add(id(node.right))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value:
            value = node.value
            new = [value + 0.5, value - 0.5] if id(node) in exponents else [2 * value, value / 2]
            yield node, [ast.Constant(v) for v in new]
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.sqrt", "math.sqrt"):
            yield node, [node.args[0]]


def killer(module: str, tree: ast.Module) -> str | None:
    """Return the first statement that differs in the changed catalogue, or what it raises."""
    from catalog_values import check

    originals = {name: import_module(f"{PACKAGE}.{name}") for name in MODULES}
    try:
        for changed in rebuilt(module, tree):
            for theorem in getattr(changed, "THEOREMS", ()):
                if not theorem.open and check(theorem) is not None:
                    return str(theorem.key)
    except Exception as error:  # noqa: BLE001 - a mutant that cannot run is caught
        return repr(error)
    finally:
        for name, original in originals.items():
            sys.modules[f"{PACKAGE}.{name}"] = original
    return None


def failing(module: str, tree: ast.Module) -> str | None:
    """Return the first test that fails with a changed module of `FORMULAS`."""
    original = import_module(f"{METHODS}.{module}")
    made = types.ModuleType(original.__name__)
    failed = Failures()
    try:
        exec(compile(tree, module, "exec"), made.__dict__)  # noqa: S102
    except Exception as error:  # noqa: BLE001 - a mutant that cannot be imported is caught
        return repr(error)
    options = ["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:warnings"]
    with exchanged(original, made), redirect_stdout(StringIO()):
        pytest.main([*options, str(ROOT / FORMULAS[module])], plugins=[failed])
    return failed.first


class Failures:
    """A plugin of pytest that keeps the first test that failed."""

    first: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep its name."""
        if report.failed and self.first is None:
            self.first = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the name of a file that cannot be read."""
        if report.failed and self.first is None:
            self.first = report.nodeid


@contextmanager
def exchanged(original: types.ModuleType, made: types.ModuleType) -> Iterator[None]:
    """Give the functions and numbers of a module those of another, wherever they were imported."""
    pairs = list(parts(original, vars(made), original.__name__))
    before = [getattr(holder, name) for holder, name, _ in pairs]
    try:
        for holder, name, value in pairs:
            setattr(holder, name, value)
        yield
    finally:
        for (holder, name, _), value in zip(pairs, before, strict=True):
            setattr(holder, name, value)


def parts(
    holder: object, new: Mapping[str, object], module: str
) -> Iterator[tuple[object, str, object]]:
    """Yield what to set where: code and defaults of functions, also in classes, and numbers."""
    for name, found in new.items():
        old, value = vars(holder).get(name), found
        if isinstance(old, property) and isinstance(found, property):
            old, value = old.fget, found.fget
        if isinstance(value, int | float) and not name.startswith("__"):
            yield holder, name, value
        elif getattr(old, "__module__", None) != module:
            continue
        elif isinstance(value, types.FunctionType):
            for part in ("__code__", "__defaults__", "__kwdefaults__"):
                yield old, part, getattr(value, part)
        elif isinstance(value, type):
            yield from parts(old, vars(value), module)


def rebuilt(module: str, tree: ast.Module) -> Iterator[types.ModuleType]:
    """Yield the changed module, and anew those that import from it."""
    changed = {module}
    for name in MODULES[MODULES.index(module) :]:
        text = (CATALOG / f"{name}.py").read_text("utf-8")
        if name != module and not any(f"catalog.{other} import" in text for other in changed):
            continue
        changed.add(name)
        made = types.ModuleType(f"{PACKAGE}.{name}")
        sys.modules[f"{PACKAGE}.{name}"] = made
        code = tree if name == module else ast.parse(text)
        exec(compile(code, name, "exec"), made.__dict__)  # noqa: S102
        yield made


if __name__ == "__main__":
    main()
