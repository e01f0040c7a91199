"""One page about a stored run: what was run, what to use, and every figure with its numbers.

Everything on the page is read from the run's arrays and manifest, and from what was measured again
for it; nothing is trained or forecast here.
"""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from inertial._checks import InvalidInput, one_of, whole
from inertial.simulation.transformations import TRANSFORMATIONS
from inertial.theory.audit import AuditEntry
from inertial.theory.gather import StoredRun
from inertial.theory.sources import SOURCES
from inertial.view import panels
from inertial.view.page import render
from inertial.view.panels import KNOWN, SCRIPTS, lines_of, mapping, momentum_of, target_of
from inertial.view.verdicts import KINDS, VERDICTS, summary

_NEEDED = ("loss", "eta", "beta", "gamma", "optimizer", "seed", "step")
_FACTS = ("data", "n", "d", "width", "rule", "kernel", "data_sha256")


def report_page(
    run: StoredRun,
    audit: Sequence[AuditEntry] | None = None,
    *,
    command: str | None = None,
    measuring: str | None = None,
) -> str:
    """Return the page of a run, self-contained.

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
    arrays, manifest = run.arrays, run.manifest
    _check(arrays)
    target = target_of(manifest)
    rows = panels.rows_of(arrays, target, int(arrays.attrs["width"]))
    ranking = panels.ranked(rows, target)
    by_key = {row.key: row for row in rows}
    best = by_key[ranking.best.name]
    every = panels.stride([arrays], arrays.sizes.get("mode", 0))
    return render(
        "report.html",
        SCRIPTS,
        _document(run, every),
        arrays=arrays.attrs | {name: int(arrays.attrs[name]) for name in ("n", "d", "width")},
        manifest=manifest,
        settings=mapping(manifest, "settings"),
        data=mapping(manifest, "data"),
        seeds=arrays.sizes["seed"],
        rows=rows,
        by_key=by_key,
        targets=panels.shares_of(target),
        ranking=ranking,
        best=best,
        strayed=[row for row in rows if row.unforeseen],
        momentum=momentum_of(best),
        optimisers=" and ".join(row.label for row in rows if row.key in TRANSFORMATIONS),
        snippet=lines_of(best, float(arrays.attrs.get("decay", 0.0))),
        ends=panels.ends(arrays),
        every=every,
        steps=int(arrays.step.values[-1]),
        flows="flow_loss" in arrays,
        bounded="bound_loss" in arrays,
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
        **panels.stopping(arrays),
    )


def _check(arrays: xr.Dataset) -> None:
    """Refuse arrays that are not those of a comparison."""
    missing = [name for name in _NEEDED if name not in arrays.variables]
    missing += [name for name in _FACTS if name not in arrays.attrs]
    if missing:
        raise InvalidInput(
            f"the run lacks {', '.join(missing)}, so it is no comparison; give the folder that "
            "`inertial compare` made."
        )
    for name in ("n", "d", "width"):
        whole(name, int(arrays.attrs[name]))
    for name in arrays.optimizer.values:
        one_of("method of the run", str(name), KNOWN)


def _document(run: StoredRun, every: int) -> dict[str, Any]:
    """Everything the figures draw."""
    arrays = run.arrays
    own = {"id": "", "file": "", "group": 0, "others": panels.others(arrays)}
    measured = {"kernel": panels.kernel(run)}
    return {
        "labels": panels.labels(),
        "panels": [panels.numbers(arrays, every) | measured | own],
        "spectra": [{"id": "", "file": ""} | one for one in panels.spectrum(arrays)],
        "widths": [],
    }
