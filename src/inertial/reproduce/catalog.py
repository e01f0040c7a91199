"""All items, and the data sets they are made on."""

from inertial._checks import one_of
from inertial.data import locate
from inertial.reproduce import beyond, bu2021, formulas, laws, liu2022
from inertial.reproduce.item import Item, Scale
from inertial.runs.config import DataSet

ITEMS: tuple[Item, ...] = (
    *liu2022.ITEMS,
    *formulas.ITEMS,
    *bu2021.ITEMS,
    *beyond.ITEMS,
    *laws.ITEMS,
)

PAPERS = ("fashion-mnist", "mnist", "cifar10", "energy", "housing", "yacht")
"""Data sets of Liu, Pan and Tao (2022)."""

EMBEDDED = ("digits", "diabetes")
"""What there is on every machine, taken where a set of the papers is not found."""

_REGRESSION = ("energy", "housing", "yacht", "diabetes")


def find(key: str) -> Item:
    """Return the item of a key; raise `InvalidInput` with the nearest key otherwise."""
    one_of("item", key, [item.key for item in ITEMS])
    return next(item for item in ITEMS if item.key == key)


def found() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the data sets to use, and those of the papers that are not found.

    Nothing is downloaded.  If a set of the papers is missing, the embedded ones are used besides.
    """
    there = tuple(name for name in PAPERS if locate(name) is not None)
    absent = tuple(name for name in PAPERS if name not in there)
    return (there + EMBEDDED if absent else there), absent


def data_sets(names: tuple[str, ...], scale: Scale, *, trained: bool) -> tuple[DataSet, ...]:
    """Return data sets as the items prepare them."""
    rows = scale.rows if trained else scale.spectrum_rows
    return tuple(
        DataSet(name, rows=rows, standardize=name in _REGRESSION, dedupe=True) for name in names
    )
