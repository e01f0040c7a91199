"""Folders of studies: an index and runs that were damaged, edited or replaced by what is no file.

One of `ITEMS` is a folder of figures that were made again.
"""

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzz.damage import VALUES, damaged, edited
from fuzz.harness import Fault
from fuzz.run_folders import page, special, spoil, table
from inertial.reproduce.catalog import find
from inertial.reproduce.item import QUICK
from inertial.reproduce.page import write_page
from inertial.reproduce.run import item_folder, make, redraw
from inertial.runs.config import DataSet, Study
from inertial.runs.cost import Prediction
from inertial.runs.study import Folder, read_studies, read_study, run_study
from inertial.view.auditing import audit_folders
from inertial.view.drawing import draw

SHARE = 20
"""One of so many folders that can be read is judged, another becomes a page, a table or is computed."""

DRAWN = 60
"""One of so many is drawn, which takes a second."""

ITEMS = 20
ITEM = "liu2022-ode/fig1"

Use = Callable[[int, Path], tuple[str, ...]]

NAMES = ["../away", "a/b", "..", "", "x" * 300, "other", "\u202e"]

STUDY = Study(
    "small",
    (DataSet("sphere", rows=12, dim=3),),
    methods=("gradient_descent", "nesterov"),
    rules=("paper",),
    widths=(20,),
    seeds=(0,),
    steps=3,
)


def free(missing, **_) -> Prediction:
    """Predict a cost without timing anything."""
    return Prediction(1.0, (1.0,) * len(missing), 1, 1, 1)


def prepare(base: Path) -> Path:
    """Compute the study and make the figure that are damaged."""
    run_study(STUDY, Folder(base / "study"), predictor=free)
    make(find(ITEM), QUICK, (), base / "items")
    return base


def attempt(seed: int, folder: Path, made: Path) -> tuple[str, ...]:
    """Read the study of a seed; judge, draw or show some; compute some again."""
    warnings.simplefilter("ignore", RuntimeWarning)
    rng = np.random.default_rng(seed)
    place, outside = folder / "study", folder / "outside"
    of_item = rng.random() < 1 / ITEMS
    shutil.copytree(made / ("items" if of_item else "study"), place)
    outside.mkdir()
    use = (_spoil_item if of_item else _spoil)(rng, place, outside)
    os.chdir(folder)
    try:
        return use(seed, place)
    finally:
        if list(outside.iterdir()) != []:
            raise Fault("something was written elsewhere")


def _use(seed: int, place: Path) -> tuple[str, ...]:
    studies = read_studies(place)
    match seed % SHARE:
        case 0:
            return tuple(f"{note}." for note in audit_folders([place]).notes)
        case 1:
            page(place)
        case 2 if seed % DRAWN == 2:
            for stored in studies:
                draw(stored, place)
        case 3:
            table(read_study(place), place.with_name("table.csv"), rows=100)
        case 4:
            run_study(STUDY, Folder(place), predictor=free)
    return ()


def _list(_: int, place: Path) -> tuple[str, ...]:
    """Write the page over all items."""
    write_page(place)
    return ()


def _draw(_: int, place: Path) -> tuple[str, ...]:
    """Draw all items."""
    redraw(place)
    return ()


def _spoil_item(rng: np.random.Generator, place: Path, outside: Path) -> Use:
    """Do something to an item's claims, its result or its folder; return who reads that."""
    folder = item_folder(place, ITEM)
    claims = folder / "claims.json"
    match int(rng.integers(6)):
        case 0:
            claims.write_bytes(damaged(rng, claims.read_bytes()))
        case 1:
            special(rng, claims)
        case 2:
            claims.write_text(json.dumps(edited(rng, json.loads(claims.read_text()))))
        case 3:
            shutil.rmtree(folder)
            folder.symlink_to(outside)
        case _:
            spoil(rng, folder / "result.nc", folder / "result.json")
            return _draw
    return _list


def _spoil(rng: np.random.Generator, place: Path, outside: Path) -> Use:
    """Do something to a study's index, to a run of it, or to its folders; return who reads it."""
    index, run = place / "studies" / "small.json", _run(rng, place)
    match int(rng.integers(10)):
        case 0:
            index.write_bytes(damaged(rng, index.read_bytes()))
        case 1:
            special(rng, index)
        case 2:
            _exchange(rng, place)
        case 3:
            _replace_folder(rng, place, outside)
        case 4 | 5:
            spoil(rng, run.with_suffix(".nc"), run)
        case 6:
            document = json.loads(index.read_text())
            document["study"]["name"] = str(rng.choice([*NAMES, str(outside / "x")]))
            index.write_text(json.dumps(document))
        case _:
            text = json.dumps(edited(rng, json.loads(index.read_text())))
            index.write_text(text.replace("0", "9" * 5000, 1) if rng.random() < 0.05 else text)
    studies = place / "studies"
    if rng.random() < 0.1 and studies.is_dir() and not studies.is_symlink():
        value = VALUES[int(rng.integers(len(VALUES)))]
        (studies / "second.json").write_text(json.dumps(value))
    return _use


def _run(rng: np.random.Generator, place: Path) -> Path:
    return sorted((place / "runs").glob("*.json"))[int(rng.integers(2))]


def _exchange(rng: np.random.Generator, place: Path) -> None:
    """Take a run away, or give it another's name."""
    one, other = _run(rng, place), _run(rng, place)
    match int(rng.integers(3)):
        case 0 if one != other:
            shutil.copy(one, other)
            shutil.copy(one.with_suffix(".nc"), other.with_suffix(".nc"))
        case 1:
            one.unlink()
        case _:
            shutil.copy(one, one.with_name("x.json"))


def _replace_folder(rng: np.random.Generator, place: Path, outside: Path) -> None:
    """Put a link, a file or a pipe where a folder is."""
    below = place / str(rng.choice(["runs", "studies", "locks", "figures", "checkpoints"]))
    if below.exists():
        shutil.rmtree(below)
    match int(rng.integers(3)):
        case 0:
            below.symlink_to(outside)
        case 1:
            below.write_text("x")
        case _:
            os.mkfifo(below)
