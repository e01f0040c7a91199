"""One page about a stored run: what was run, what to use, and every figure with its numbers.

Everything on the page is read from the run's arrays and manifest, and from what was measured again
for it; nothing is trained or forecast here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput, one_of, whole
from inertial.method.conventions import in_evaluation
from inertial.runs.compared import limits_elsewhere, out_of_reach
from inertial.runs.measures import repeated, share_of_limit, starts_in, summarize
from inertial.simulation.transformations import TRANSFORMATIONS
from inertial.theory.audit import AuditEntry
from inertial.theory.gather import StoredRun
from inertial.theory.sources import SOURCES
from inertial.view import panels
from inertial.view.page import packed, render
from inertial.view.panels import KNOWN, SCRIPTS, lines_of, mapping, momentum_of, target_of
from inertial.view.verdicts import KINDS, VERDICTS, summary

_NEEDED = ("loss", "eta", "beta", "gamma", "optimizer", "seed", "step")
_FACTS = ("data", "n", "d", "rule", "data_sha256")
_OF_A_MODEL = (
    *("forecast_loss", "distance", "kernel_drift", "sharpness", "node", "node_weight"),
    *("forecast_steps", "start_norm", "status", "diverged_at"),
)
"""What the run of a model stores besides."""

_WHOLE = ("n", "d", "width", "parameters", "proven")
"""Facts that are whole numbers, where they are there."""

_ALONE = {"id": "", "file": ""}
"""What tells the figures of a page with one run apart."""


def report_page(
    run: StoredRun,
    audit: Sequence[AuditEntry] | None = None,
    *,
    command: str | None = None,
    measuring: str | None = None,
) -> str:
    """Return the page of a run of the papers' network, self-contained.

    Parameters
    ----------
    run
        The run, with the kernels where they were measured again.
    audit
        Entries of an audit of this run; without them the page has no such section.
    command
        The command that makes this page.
    measuring
        The command that makes it with the kernels; named where there are none.

    Raises
    ------
    InvalidInput
        If the arrays are not those of a comparison.

    """
    arrays = run.arrays
    _check(arrays, _NEEDED, (*_FACTS, "width", "kernel"))
    context = _context(run, int(arrays.attrs["width"]), arrays.sizes.get("mode", 0))
    rows = context["rows"]
    return render(
        "report.html",
        SCRIPTS,
        _document(
            arrays,
            context["every"],
            {"kernel": panels.kernel(run), "others": panels.others(arrays)},
            panels.spectrum(arrays),
        ),
        **context,
        targets=panels.shares_of(context["ranking"].target),
        optimisers=" and ".join(row.label for row in rows if row.key in TRANSFORMATIONS),
        ends=panels.ends(arrays),
        flows=arrays.flow.values.tolist() if "flow_loss" in arrays else [],
        limits_elsewhere=limits_elsewhere(arrays),
        has={name: name in arrays for name in (*panels.DISTANCES, "pattern_change")},
        others=panels.others(arrays),
        kernel=bool(run.probes),
        measuring=measuring,
        audit=audit,
        summary=summary(audit or ()),
        kinds=KINDS,
        meanings=VERDICTS,
        papers=SOURCES,
        command=command,
    )


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
    arrays = run.arrays
    _check(
        arrays,
        (*_NEEDED, *_OF_A_MODEL),
        (*_FACTS, "model", "parameters", "proven"),
        ("a comparison on a model", "inertial compare --model"),
    )
    loss = str(mapping(run.manifest, "model").get("loss", "loss"))
    evaluation = str(arrays.attrs.get("evaluation", ""))
    context = _context(run, width=1)
    starts = starts_in(arrays)
    draws = arrays.sizes["seed"] if "batch" in arrays.attrs else 1
    if evaluation:
        context["snippet"] = in_evaluation(context["snippet"])
    target = context["ranking"].target
    document = _document(
        arrays, context["every"], {"kernel": _looks(arrays), "others": []}, [_nodes(arrays)]
    )
    return render(
        "model_run.html",
        SCRIPTS,
        document | {"loss": f"loss ({loss})"},
        **context,
        loss=loss,
        starts=starts,
        draws=draws,
        given=len(mapping(mapping(run.manifest, "model"), "starts")),
        over="starts" if starts > 1 else "draws of the batches" if draws > 1 else "",
        evaluation=evaluation,
        facts={row.key: summarize(arrays, row.key, target) for row in context["rows"]},
        targets=[float(share) for share in arrays.share.values],
        norm=float(arrays.start_norm.mean()),
        nodes=arrays.sizes["rank"],
        forecast_moves="forecast_distance" in arrays,
        command=command,
    )


def _check(
    arrays: xr.Dataset,
    needed: Sequence[str],
    facts: Sequence[str],
    of: tuple[str, str] = ("a comparison", "inertial compare"),
) -> None:
    """Refuse arrays that are not those of such a command."""
    missing = [name for name in needed if name not in arrays.variables]
    missing += [name for name in facts if name not in arrays.attrs]
    if missing:
        raise InvalidInput(
            f"the run lacks {', '.join(missing)}, so it is not {of[0]}; give the folder that "
            f"`{of[1]}` made."
        )
    for name in ("n", "d", "width", "parameters"):
        if name in facts:
            whole(name, int(arrays.attrs[name]))
    for name in arrays.optimizer.values:
        one_of("method of the run", str(name), KNOWN)


def _context(run: StoredRun, width: int, modes: int = 0) -> dict[str, Any]:
    """Return what both pages say: the run's facts, its methods in their order, and what to use."""
    arrays, manifest = run.arrays, run.manifest
    target = target_of(manifest)
    rows = panels.rows_of(arrays, target, width)
    by_key = {row.key: row for row in rows}
    ranking = panels.ranked(rows, target)
    best = by_key[ranking.best.name]
    numbers = {name: int(arrays.attrs[name]) for name in _WHOLE if name in arrays.attrs}
    return {
        "arrays": arrays.attrs | numbers,
        "manifest": manifest,
        "settings": mapping(manifest, "settings"),
        "data": mapping(manifest, "data"),
        "seeds": arrays.sizes["seed"],
        "each": repeated(arrays),
        "rows": rows,
        "by_key": by_key,
        "ranking": ranking,
        "best": best,
        "momentum": momentum_of(best),
        "strayed": [row for row in rows if row.unforeseen],
        "snippet": lines_of(
            best,
            float(arrays.attrs.get("decay", 0.0)),
            rows=int(arrays.n) if "batch" in arrays.attrs and "model" not in arrays.attrs else None,
        ),
        "every": panels.stride([arrays], modes),
        "steps": int(arrays.step.values[-1]),
        "bounded": "bound_loss" in arrays,
        "never": out_of_reach(arrays, target),
        **panels.stopping(arrays),
    }


def _document(
    arrays: xr.Dataset, every: int, own: dict[str, Any], spectra: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Everything the figures draw."""
    return {
        "labels": panels.labels(),
        "panels": [panels.numbers(arrays, every) | _ALONE | {"group": 0} | own],
        "spectra": [_ALONE | one for one in spectra],
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
