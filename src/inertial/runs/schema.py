"""What a stored run may be: the kinds of a manifest's entries, and of its arrays.

Everything that is read passes here once, and what passed needs no further look at its kinds: texts
are texts that can be printed, counts are whole and not negative, recorded quantities have their
dimensions.  What is not there, its readers name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import xarray as xr

from inertial._checks import InvalidInput
from inertial.runs.observables import OBSERVABLES

AGAIN = "make the run again"

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Size = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
_Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
_Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Status = Literal["finished", "diverged", "missing"]
_Precision = Literal["float32", "float64"]
_Coefficient = float | list[float]
_Absent = msgspec.UnsetType
_ABSENT = msgspec.UNSET


class _Part(msgspec.Struct):
    """A part of a document: what is there must fit; unknown entries are ignored."""


class _Settings(_Part):
    width: _Size | _Absent = _ABSENT
    steps: _Size | _Absent = _ABSENT
    seeds: list[_Count] | _Absent = _ABSENT
    methods: list[str] | _Absent = _ABSENT
    rule: str | None = None
    precision: _Precision | _Absent = _ABSENT
    kernel: str | _Absent = _ABSENT
    target: _Share | _Absent = _ABSENT
    flows: list[str] | _Absent = _ABSENT
    decay: Annotated[float, msgspec.Meta(ge=0)] | None = None
    batch: _Size | None = None


class _Method(_Part):
    """A recursion, or an optimiser of optax, which has no more than a step size."""

    name: str
    eta: _Coefficient
    beta: _Coefficient | _Absent = _ABSENT
    gamma: _Coefficient | _Absent = _ABSENT
    start: Literal["zero", "copy"] | _Absent = _ABSENT
    transformation: str | _Absent = _ABSENT

    def __post_init__(self) -> None:
        if self.transformation is not _ABSENT:
            return
        for name in ("beta", "gamma", "start"):
            if getattr(self, name) is _ABSENT:
                raise ValueError(f"Object missing required field `{name}`")


class _Data(_Part):
    name: str
    source: str
    sha256: str
    n: _Count
    d: _Count
    task: str | None = None
    rows: _Count | None = None
    dropped: _Count | None = None
    label: str | None = None
    seed: _Count | None = None
    normalize: bool | None = None
    standardize: bool | None = None
    dedupe: bool | None = None
    test: float | str | None = None
    test_rows: _Count | None = None
    test_sha256: _Hash | None = None


class _Model(_Part):
    text: str
    loss: str
    parameters: _Count
    words: str | _Absent = _ABSENT
    evaluation: str | _Absent = _ABSENT
    source_sha256: _Hash | None = None
    starts: dict[str, _Hash] | _Absent = _ABSENT


class _Threads(_Part):
    xla: _Count
    blas: _Count


class _Machine(_Part):
    system: str | _Absent = _ABSENT
    processor: str | _Absent = _ABSENT
    cores: _Count | _Absent = _ABSENT
    threads: _Threads | _Absent = _ABSENT


class Manifest(_Part):
    """What a manifest may say."""

    result_version: int | _Absent = _ABSENT
    key: str | _Absent = _ABSENT
    settings: _Settings | _Absent = _ABSENT
    methods: list[_Method] | _Absent = _ABSENT
    data: _Data | _Absent = _ABSENT
    model: _Model | _Absent = _ABSENT
    packages: dict[str, str] | _Absent = _ABSENT
    python: str | _Absent = _ABSENT
    machine: _Machine | _Absent = _ABSENT
    commit: str | None = None
    command: str | None = None
    started: str | None = None
    wall_seconds: float | None = None
    cost: dict[str, float] | _Absent = _ABSENT


class _Facts(_Part):
    """What the attributes of a run's arrays may say."""

    title: str | _Absent = _ABSENT
    data: str | _Absent = _ABSENT
    data_sha256: _Hash | _Absent = _ABSENT
    n: _Size | _Absent = _ABSENT
    d: _Size | _Absent = _ABSENT
    optimizer: str | _Absent = _ABSENT
    rule: str | _Absent = _ABSENT
    width: _Size | _Absent = _ABSENT
    model: str | _Absent = _ABSENT
    loss: str | _Absent = _ABSENT
    parameters: _Size | _Absent = _ABSENT
    evaluation: str | _Absent = _ABSENT
    proven: _Count | _Absent = _ABSENT
    seed: _Count | _Absent = _ABSENT
    precision: _Precision | _Absent = _ABSENT
    kernel: str | _Absent = _ABSENT
    target: _Share | _Absent = _ABSENT
    decay: float | _Absent = _ABSENT
    test_rows: _Count | _Absent = _ABSENT
    eta: float | _Absent = _ABSENT
    beta: float | _Absent = _ABSENT
    gamma: float | _Absent = _ABSENT
    status: _Status | _Absent = _ABSENT
    diverged_at: int | _Absent = _ABSENT
    start_norm: float | _Absent = _ABSENT
    batch: _Size | _Absent = _ABSENT
    order: Literal["fresh", "shuffled"] | _Absent = _ABSENT

    def __post_init__(self) -> None:
        if (self.batch is _ABSENT) != (self.order is _ABSENT):
            raise ValueError("`batch` and `order` go together")


_TEXT, _WHOLE, _REAL = "OU", "iu", "f"

_KINDS = {
    "optimizer": _TEXT,
    "flow": _TEXT,
    "flow_method": _TEXT,
    "status": _TEXT,
    "chosen_by": _TEXT,
    "look": _WHOLE,
    "start_norm": _REAL,
    "seed": _WHOLE,
    "step": _WHOLE,
    "diverged_at": _WHOLE,
    "share": _REAL,
    "eta": _REAL,
    "beta": _REAL,
    "gamma": _REAL,
} | dict.fromkeys(OBSERVABLES, _REAL)
"""Kinds of the variables, as NumPy abbreviates them."""

_OWN = {
    "status": ("optimizer", "seed"),
    "diverged_at": ("optimizer", "seed"),
    "start_norm": ("seed",),
} | dict.fromkeys(("eta", "beta", "gamma", "chosen_by"), ("optimizer",))
"""Dimensions of joined variables that are no observables."""

_SIGNED = (
    *("residual", "forecast_steps", "eigenvalue", "weight"),
    *("start_eigenvalue", "start_weight"),
)
"""Observables that may be negative, or have readers of their own who look."""

_Kind = TypeVar("_Kind")


def validated(document: object, kind: type[_Kind], name: str, remedy: str = AGAIN) -> _Kind:
    """Return a document as what it should be.

    Raises
    ------
    InvalidInput
        If it does not fit; the message says where.

    """
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise InvalidInput(f"{name} is damaged or edited: {error}; {remedy}.") from None


def check_arrays(arrays: xr.Dataset, path: Path) -> None:
    """Refuse arrays of other kinds, dimensions, signs or attributes than a run has."""
    _check_attributes(arrays.attrs, str(path))
    validated(_plain(arrays.attrs), _Facts, str(path))
    for name, values in arrays.variables.items():
        _check_attributes(values.attrs, f"{name} in {path}")
        _check_variable(str(name), values, path)
    needed = {"flow", "flow_method"} if "optimizer" in arrays.dims else {"flow"}
    lacks = " and ".join(sorted(needed - set(arrays.variables)))
    if "flow_loss" in arrays and lacks:
        raise InvalidInput(f"{path}: flow_loss is there without {lacks}; {AGAIN}.")


def _check_variable(name: str, values: xr.Variable, path: Path) -> None:
    kind = _KINDS.get(name)
    if kind is None:
        return
    if values.dtype.kind not in kind or (
        kind == _TEXT and not all(map(_printable, values.data.flat))
    ):
        raise InvalidInput(f"{path}: {name} is of another kind ({values.dtype}); {AGAIN}.")
    if values.dims == (name,):
        if not values.size or len(set(values.data.tolist())) < values.size:
            raise InvalidInput(f"{path}: {name} is empty or names a value twice; {AGAIN}.")
        return
    observable = OBSERVABLES.get(name)
    own = observable.dims if observable else _OWN.get(name, values.dims)
    own = ("step",) if name == "flow_loss" else own
    if values.dims[values.ndim - len(own) :] != own or (observable is None and values.dims != own):
        named = ", ".join(map(str, values.dims))
        raise InvalidInput(f"{path}: {name} has the dimensions {named}; {AGAIN}.")
    if observable and name not in _SIGNED and bool((values.data < 0).any()):
        raise InvalidInput(f"{path}: {name} is negative somewhere; {AGAIN}.")


def _plain(attributes: Mapping[Any, Any]) -> dict[str, object]:
    """Return attributes with NumPy's single numbers as Python's."""
    return {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in attributes.items()
    }


def _check_attributes(attributes: Mapping[Any, Any], where: str) -> None:
    """Refuse texts that no page can hold."""
    for words in attributes.items():
        if not all(_printable(word) for word in words if isinstance(word, str)):
            raise InvalidInput(f"an attribute of {where} is not a text; {AGAIN}.")


def _printable(text: object) -> bool:
    """Whether this is a text that UTF-8 can say."""
    try:
        return isinstance(text, str) and bool(text.encode() or True)
    except UnicodeEncodeError:
        return False
