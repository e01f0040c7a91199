"""Make an item: compute what is missing, store the result, check the claims, draw the figure.

OUT/runs/KEY.nc                one run, shared by all items
OUT/ITEM/result.nc             what figure and claims are functions of
OUT/ITEM/claims.json           checked statements, cost predicted and measured
OUT/ITEM/figure.{png,svg,pdf}
OUT/index.html                 every item with its verdict
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput
from inertial.report.paper_figures import save
from inertial.reproduce.catalog import data_sets, find
from inertial.reproduce.item import Claim, Item, Scale
from inertial.study.cost import Prediction
from inertial.study.ledger import Progress
from inertial.study.records import Folder, cannot_write, read_record, write_json
from inertial.study.runner import Engine, Report, run_study

_VARIABLES = ("loss", "max_distance", "pattern_change", "forecast_loss")


@dataclass(frozen=True)
class Made:
    """An item that has been made."""

    item: Item
    folder: Path
    claims: tuple[Claim, ...]
    predicted: float | None
    seconds: float

    @property
    def failing(self) -> tuple[Claim, ...]:
        """Claims that do not hold."""
        return tuple(claim for claim in self.claims if claim.verdict == "fails")


def item_folder(out: Path, key: str) -> Path:
    """Return the folder of an item."""
    return out / key.replace("/", "-")


def make(
    item: Item,
    scale: Scale,
    names: tuple[str, ...],
    out: Path,
    *,
    progress: Progress | None = None,
    announce: Callable[[Prediction, int], None] | None = None,
    engine: Engine | None = None,
    predictor: Callable[..., Prediction] | None = None,
) -> Made:
    """Make an item.

    Parameters
    ----------
    item, scale
        What, and how large.
    names
        Data sets.
    out
        Folder of all items; runs that are stored there are not computed again.
    progress, announce, engine, predictor
        As in `inertial.study.runner.run_study`.

    Raises
    ------
    InvalidInput
        If nothing could be computed, or the folder cannot be written.

    """
    began = time.perf_counter()
    predicted = None
    if item.study is not None:
        study = item.study(data_sets(names, scale, trained=True), scale)
        report = run_study(
            study,
            Folder(out),
            progress=progress,
            announce=announce,
            engine=engine,
            predictor=predictor,
        )
        result, predicted = gather(report), report.predicted.seconds
    elif item.compute is not None:
        result = item.compute(data_sets(names, scale, trained=False), scale)
    else:
        raise ValueError(f"{item.key} has neither study nor computation")
    result = result.assign_attrs(
        item=item.key, title=item.title, source=item.source, scale=scale.name
    )
    seconds = time.perf_counter() - began
    return _write(item, result, item_folder(out, item.key), predicted, seconds)


def redraw(out: Path) -> list[Made]:
    """Check and draw every stored item below a folder once more, without computing.

    Raises
    ------
    InvalidInput
        If there is none.

    """
    made = []
    for path in sorted(out.glob("*/result.nc")):
        result = read_record(path)
        if result is None:
            raise InvalidInput(f"{path} is damaged; make the item again with inertial reproduce.")
        earlier = json.loads((path.parent / "claims.json").read_text(encoding="utf-8"))
        item = find(str(result.attrs["item"]))
        made.append(
            _write(item, result, path.parent, earlier["predicted_seconds"], earlier["seconds"])
        )
    if not made:
        raise InvalidInput(f"{out} holds no reproduced items; make them with inertial reproduce.")
    return made


def gather(report: Report) -> xr.Dataset:
    """Join the runs of a study over (data, method, width, seed, step)."""
    parts: list[xr.Dataset] = []
    for run in report.runs:
        arrays = report.folder.read(run)
        if arrays is None:
            continue
        facts, one = arrays.attrs, arrays[list(_VARIABLES)]
        along = {k: [facts[k]] for k in ("data", "method", "width", "seed")}
        parts.append(one.drop_attrs().expand_dims(along))
    if not parts:
        reason = report.failures[0].reason if report.failures else "no run is stored"
        raise InvalidInput(f"nothing was computed: {reason}")
    joined = xr.combine_by_coords(parts, combine_attrs="drop")
    if not isinstance(joined, xr.Dataset):
        raise TypeError("runs do not join to one data set")
    return _with_facts(joined, report)


def _with_facts(joined: xr.Dataset, report: Report) -> xr.Dataset:
    """Add n, d, and the rule, and keep the study's order of data sets and methods."""
    facts = {}
    for run in report.runs:
        arrays = report.folder.read(run)
        if arrays is not None:
            facts[str(arrays.attrs["data"])] = arrays.attrs
    names = list(facts)
    methods = list(dict.fromkeys(run.job.method for run in report.runs))
    ordered = joined.reindex({"data": names, "method": methods})
    sizes = {k: ("data", np.array([facts[name][k] for name in names])) for k in ("n", "d")}
    return ordered.assign(sizes).assign_attrs(rule=report.runs[0].job.rule)


def _write(
    item: Item, result: xr.Dataset, folder: Path, predicted: float | None, seconds: float
) -> Made:
    claims = tuple(item.claims(result))
    document = {
        "item": item.key,
        "title": item.title,
        "source": item.source,
        "scale": result.attrs["scale"],
        "predicted_seconds": predicted,
        "seconds": seconds,
        "claims": [asdict(claim) for claim in claims],
    }
    partial = folder / ".result.nc.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        result.to_netcdf(partial, engine="h5netcdf")
        partial.replace(folder / "result.nc")
        save(item.figure, result, folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    write_json(folder / "claims.json", document)
    return Made(item, folder, claims, predicted, seconds)


def failures(made: Sequence[Made]) -> int:
    """Count the claims that fail."""
    return sum(len(one.failing) for one in made)
