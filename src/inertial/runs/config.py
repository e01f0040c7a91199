"""A study as a TOML file: data sets x methods x rules x widths x seeds, one number of steps."""

import difflib
import re
import tomllib
import types
import typing
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from inertial import files
from inertial._checks import SEEDS, InvalidInput, measurable, one_of, whole
from inertial.method.recursion import METHODS
from inertial.method.rules import DEFAULT_RULE, defined
from inertial.simulation.train import Precision

TEMPLATE = """\
# A study: every combination of data, methods, rules, widths and seeds is one run.
#   inertial plan FILE.toml     what it will take, without running it
#   inertial study FILE.toml    compute what is missing; interrupt and repeat at will

# Names its folder, runs/NAME, unless --out gives another.
name = "first-look"

# Names from `inertial data list` or files of your own, with how to prepare them:
#   rows         take at most this many (10,000 unless you say otherwise): a sample of a table,
#                else the first in file order; sphere makes as many
#   label        target column of a table (CSV or Parquet)
#   standardize  columns, and targets of a regression, to mean 0 and variance 1
#   constant     add a constant input
#   dedupe       drop rows that are positive multiples of an earlier one
#   raw          without these three, which are what a table of your own gets
#   normalize    inputs to norm 1 (true unless you say otherwise)
#   seed, dim    of the generated set `sphere`; seed also of a table's sample
data = [
    "digits",
    { name = "diabetes", rows = 200, standardize = true, dedupe = true },
]

# gradient_descent, heavy_ball, nesterov
methods = ["gradient_descent", "heavy_ball", "nesterov"]

# Where step size and momentum come from: paper, quadratic, wang2020, forecast.
rules = ["forecast"]

# Neurons of the hidden layer.
widths = [250, 500]

# Random starts; one seed gives all methods the same start.
seeds = [0, 1]

# Updates of every run.
steps = 100

# Share of the initial loss that the rule `forecast` aims at.
target = 0.01

# Arithmetic of training: float32 or float64.
precision = "float32"
"""
"""A commented study that runs as it is."""


NAME_BYTES = 200
"""Longest name of a study: files are named so, with an ending and while they are written."""

_WIDTHS = 2**31
"""Numbers of neurons that arrays can be indexed with."""

_HUGE = 10**100
"""Whole numbers from here on make no sense in any place."""

_Kind = TypeVar("_Kind", "Study", "DataSet")


@dataclass(frozen=True)
class DataSet:
    """A data set and how to prepare it; the names are those of the TOML table.

    `rows` is the most rows taken; everything else as in `inertial.data.load`.
    """

    name: str
    rows: int = 10_000
    label: str | None = None
    raw: bool = False
    normalize: bool = True
    standardize: bool | None = None
    constant: bool | None = None
    dedupe: bool | None = None
    seed: int = 0
    dim: int = 20

    def __post_init__(self) -> None:
        whole("rows", self.rows, least=2)
        whole("seed", self.seed, least=0, below=SEEDS)
        whole("dim", self.dim)


@dataclass(frozen=True)
class Study:
    """Everything that decides the numbers of a study.

    Parameters
    ----------
    name
        Names the study's folder; letters, digits, ``-`` and ``_``, at most `NAME_BYTES` in UTF-8.
    data
        Data sets.
    methods, rules
        Methods, and tuning rules that must define all of them.
    widths, seeds
        Widths m and random starts.
    steps
        Updates of every run.
    target
        Share of the initial loss the rule `forecast` aims at.
    precision
        Arithmetic of training.

    Raises
    ------
    InvalidInput
        If a value makes no sense, or a list is empty or repeats itself.

    """

    name: str
    data: tuple[DataSet, ...]
    methods: tuple[str, ...] = METHODS
    rules: tuple[str, ...] = (DEFAULT_RULE,)
    widths: tuple[int, ...] = (2000,)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    steps: int = 200
    target: float = 0.01
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-]+", self.name):
            raise InvalidInput(f"name is {self.name!r}; use letters, digits, - and _ only.")
        if len(self.name.encode()) > NAME_BYTES:
            raise InvalidInput(
                f"name has {len(self.name.encode())} bytes and files may not be named so; give at "
                f"most {NAME_BYTES}."
            )
        whole("steps", self.steps)
        one_of("precision", self.precision, ("float32", "float64"))
        measurable(self.target, self.precision, "the precision float64")
        for what in ("data", "methods", "rules", "widths", "seeds"):
            values = getattr(self, what)
            if not values or len(set(values)) < len(values):
                raise InvalidInput(f"{what} is empty or repeats a value; give each of them once.")
        for rule in self.rules:
            defined(rule, self.methods)
        for width in self.widths:
            whole("widths", width, below=_WIDTHS)
        for seed in self.seeds:
            whole("seeds", seed, least=0, below=SEEDS)


def read_config(path: str | Path) -> Study:
    """Read a study from a TOML file.

    Raises
    ------
    InvalidInput
        If the file cannot be read, is no TOML, has an unknown or missing key or a value of the
        wrong type (the message names the key and the data set), or describes no sensible study.

    """
    path = Path(path)
    try:
        text = files.read(path, files.TEXT_BYTES).decode("utf-8-sig")
    except InvalidInput as error:
        raise InvalidInput(
            f"the study {path} is none: {error} Give the path of a TOML file, such as inertial "
            "study --template prints."
        ) from None
    except UnicodeDecodeError:
        raise InvalidInput(f"the study {path} is not UTF-8 text; write it as UTF-8.") from None
    return parse_study(text, str(path))


def parse_study(text: str, origin: str) -> Study:
    """Read a study from TOML text; `origin` names it in messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{origin} is not valid TOML: {error}; correct it.") from None
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        table = None
    if table is None or not _modest(table):
        raise InvalidInput(
            f"{origin} is not a study: it nests too deep or has a huge number; take that out."
        )
    if isinstance(table.get("data"), list):
        table["data"] = [
            _data_set(entry, f"{origin}, data set {place}")
            for place, entry in enumerate(table["data"], 1)
        ]
    return _made(Study, table, origin)


def _modest(value: object) -> bool:
    """Whether all whole numbers can be printed; hexadecimal ones have no limit of their own."""
    if isinstance(value, list | dict):
        return all(map(_modest, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or abs(value) < _HUGE


def _data_set(entry: object, where: str) -> DataSet:
    """Turn a name, or a table, into a data set."""
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, dict):
        raise InvalidInput(f"{where} is {entry!r}; give a name, or a table with a name.")
    return _made(DataSet, entry, where)


def _made(kind: type[_Kind], table: dict[str, Any], where: str) -> _Kind:
    """Make a dataclass from a table with its fields as keys, and say where a mistake stands."""
    known = {item.name: item for item in fields(kind)}
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InvalidInput(
                f"{where}: the key {key!r} is unknown; {hint}choose among {', '.join(known)}."
            )
        try:
            values[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError:
            wanted = _in_words(hints[key])
            raise InvalidInput(f"{where}: {key} is {value!r}; give {wanted}.") from None
    for name, item in known.items():
        if item.default is MISSING and name not in values:
            raise InvalidInput(f"{where} has no {name!r}; add it.")
    try:
        return kind(**values)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None


def _in_words(hint: Any) -> str:  # noqa: ANN401 - a type form
    """Say what a field wants."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        item = "data sets" if inner[0] is DataSet else f"values, each {_in_words(inner[0])}"
        return f"a list of {item}"
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(word) for word in inner)
    if origin is types.UnionType:
        return _in_words(inner[0])
    return {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[hint]
