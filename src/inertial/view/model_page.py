"""One page about a stored run of a model: what to use, every figure with its numbers.

Everything on the page is read from the run's arrays and manifest; nothing is trained here.
"""

from typing import Any

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput, one_of, whole
from inertial.runs.measures import share_of_limit, summarize
from inertial.theory.gather import StoredRun
from inertial.view import panels
from inertial.view.page import packed, render
from inertial.view.panels import KNOWN, SCRIPTS, lines_of, mapping, momentum_of, target_of

_NEEDED = ("loss", "forecast_loss", "distance", "kernel_drift", "sharpness", "node", "node_weight")
_ALSO = ("forecast_steps", "start_norm", "eta", "beta", "gamma", "status", "diverged_at")
_FACTS = ("data", "n", "d", "model", "parameters", "rule", "proven", "data_sha256")


def model_page(run: StoredRun, *, command: str | None = None) -> str:
    """Return the page of a run of a model, self-contained.

    Parameters
    ----------
    run
        The run.
    command
        The command that makes this page.

    Raises
    ------
    InvalidInput
        If the arrays are not those of a comparison on a model.

    """
    arrays, manifest = run.arrays, run.manifest
    _check(arrays)
    target = target_of(manifest)
    rows = panels.rows_of(arrays, target, width=1)
    ranking = panels.ranked(rows, target)
    by_key = {row.key: row for row in rows}
    best = by_key[ranking.best.name]
    every = panels.stride([arrays])
    numbers = {name: int(arrays.attrs[name]) for name in ("n", "d", "parameters", "proven")}
    loss = str(mapping(manifest, "model").get("loss", "loss"))
    return render(
        "model_run.html",
        SCRIPTS,
        _document(arrays, every, loss),
        arrays=arrays.attrs | numbers | {"loss": loss},
        manifest=manifest,
        settings=mapping(manifest, "settings"),
        data=mapping(manifest, "data"),
        seeds=arrays.sizes["seed"],
        rows=rows,
        facts={row.key: summarize(arrays, row.key, target) for row in rows},
        by_key=by_key,
        targets=[float(share) for share in arrays.share.values],
        ranking=ranking,
        best=best,
        momentum=momentum_of(best),
        strayed=[row for row in rows if row.unforeseen],
        snippet=lines_of(best, float(arrays.attrs.get("decay", 0.0))),
        every=every,
        steps=int(arrays.step.values[-1]),
        proven=numbers["proven"],
        bounded="bound_loss" in arrays,
        norm=float(arrays.start_norm.mean()),
        nodes=arrays.sizes["rank"],
        forecast_moves="forecast_distance" in arrays,
        command=command,
        **panels.stopping(arrays),
    )


def _check(arrays: xr.Dataset) -> None:
    """Refuse arrays that are not those of a comparison on a model."""
    missing = [name for name in (*_NEEDED, *_ALSO) if name not in arrays.variables]
    missing += [name for name in _FACTS if name not in arrays.attrs]
    if missing:
        raise InvalidInput(
            f"the run lacks {', '.join(missing)}, so it is no comparison on a model; give the "
            "folder that `inertial compare --model` made."
        )
    for name in ("n", "d", "parameters"):
        whole(name, int(arrays.attrs[name]))
    for name in arrays.optimizer.values:
        one_of("method of the run", str(name), KNOWN)


def _document(arrays: xr.Dataset, every: int, loss: str) -> dict[str, Any]:
    """Everything the figures draw."""
    own = {"id": "", "file": "", "group": 0, "others": [], "kernel": _looks(arrays)}
    return {
        "loss": f"loss ({loss})",
        "labels": panels.labels(),
        "panels": [panels.numbers(arrays, every) | own],
        "spectra": [{"id": "", "file": ""} | _nodes(arrays)],
        "widths": [],
    }


def _looks(arrays: xr.Dataset) -> dict[str, Any]:
    """Return the kernel at its looks, as a panel over their steps."""
    names = [str(name) for name in arrays.optimizer.values]
    shares = [share_of_limit(arrays.sel({"optimizer": name})) for name in names]
    looked = arrays[["kernel_drift", "sharpness", "status"]].rename({"look": "step"})
    looked["share_of_limit"] = xr.concat(shares, "optimizer").rename({"look": "step"})
    return panels.numbers(looked.drop_vars("share", errors="ignore")) | {"least": None}


def _nodes(arrays: xr.Dataset) -> dict[str, Any]:
    """Return the nodes of the first start that carry weight, with their weights."""
    first = arrays.isel(optimizer=0, seed=0)
    nodes, weights = (np.asarray(first[name].values, float) for name in ("node", "node_weight"))
    there = (nodes > 0) & (weights > 0)
    return {"eigenvalue": packed(nodes[there]), "weight": packed(weights[there])}
