"""One page about a stored run: what was run, what to use, and every figure with its numbers.

Everything on the page is read from the run's arrays and manifest, and from what was measured again
for it; nothing is trained or forecast here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from inertial._checks import InvalidInput, one_of, whole
from inertial.dynamics.conventions import from_sgd, snippet
from inertial.report import panels
from inertial.report.figures import STYLES
from inertial.report.page import packed, render
from inertial.report.verdicts import VERDICTS
from inertial.theory.audit import AuditEntry
from inertial.theory.evidence import Probes

SCRIPTS = ("charts.js", "report.js")

_NEEDED = ("loss", "eta", "beta", "gamma", "method", "seed", "step")
_FACTS = ("data", "n", "d", "width", "rule", "kernel", "data_sha256")
_KERNEL = ("drift_spectral", "drift_frobenius", "smallest")


def report_page(
    arrays: xr.Dataset,
    manifest: Mapping[str, Any],
    audit: Sequence[AuditEntry] | None = None,
    *,
    probes: Mapping[tuple[str, int], Probes] | None = None,
    command: str | None = None,
    measuring: str | None = None,
) -> str:
    """Return the page of a run, self-contained.

    Parameters
    ----------
    arrays, manifest
        What `read_run` returned.
    audit
        Entries of an audit of this run; without them the page has no such section.
    probes
        Kernels measured again along the run, by (method, seed).
    command
        The command that makes this page.
    measuring
        The command that makes it with the kernels; named where there are none.

    Raises
    ------
    InvalidInput
        If the arrays are not those of a comparison.

    """
    _check(arrays)
    rows = panels.rows_of(arrays)
    best = panels.best_of(rows)
    every = panels.stride([arrays])
    ends = _ends(arrays)
    return render(
        "report.html",
        SCRIPTS,
        _document(arrays, every, probes, ends),
        arrays=arrays.attrs | {name: int(arrays.attrs[name]) for name in ("n", "d", "width")},
        manifest=manifest,
        settings=_mapping(manifest, "settings"),
        data=_mapping(manifest, "data"),
        seeds=arrays.sizes["seed"],
        rows=rows,
        targets=panels.TARGETS,
        best=best,
        snippet=snippet(from_sgd(best.row.eta, best.row.beta, nesterov=best.row.gamma > 0)),
        plain=panels.plain_of(rows),
        ends=ends,
        every=every,
        steps=int(arrays.step.values[-1]),
        flows="flow_loss" in arrays,
        has={name: name in arrays for name in (*panels.DISTANCES, "pattern_change")},
        others=panels.others(arrays),
        kernel=bool(probes),
        measuring=measuring,
        audit=audit,
        counts=_counts(audit or ()),
        command=command,
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
    for name in arrays.method.values:
        one_of("method of the run", str(name), STYLES)


def _document(
    arrays: xr.Dataset,
    every: int,
    probes: Mapping[tuple[str, int], Probes] | None,
    ends: tuple[float, float] | None,
) -> dict[str, Any]:
    """Everything the figures draw."""
    own = {"id": "", "file": "", "group": 0, "others": panels.others(arrays)}
    spectrum = (
        {name: packed(np.asarray(arrays[name].values, float)) for name in ("eigenvalue", "weight")}
        if {"eigenvalue", "weight"} <= set(arrays)
        else None
    )
    kernel = None
    if probes:
        kernel = panels.numbers(_kernel(arrays, probes)) | {"least": ends[0] if ends else None}
    return {
        "labels": {key: style.label for key, style in STYLES.items()},
        "panels": [panels.numbers(arrays, every) | own],
        "spectrum": spectrum,
        "kernel": kernel,
    }


def _kernel(arrays: xr.Dataset, probes: Mapping[tuple[str, int], Probes]) -> xr.Dataset:
    """Arrange probes as a panel over the sampled steps; a diverged run has none."""
    steps = next(iter(probes.values())).steps
    methods, seeds = arrays.method.values, arrays.seed.values
    shape = (len(methods), len(seeds), len(steps))
    along = ("method", "seed", "step")
    values = {name: np.full(shape, np.nan) for name in _KERNEL}
    status = np.full(shape[:2], "missing", dtype=object)
    for i, method in enumerate(methods):
        for j, seed in enumerate(seeds):
            probe = probes.get((str(method), int(seed)))
            if probe is not None:
                status[i, j] = "finished"
                for name in _KERNEL:
                    values[name][i, j] = getattr(probe, name)
    return xr.Dataset(
        {name: (along, array) for name, array in values.items()} | {"status": (along[:2], status)},
        coords={"method": methods, "seed": seeds, "step": steps},
    )


def _mapping(manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = manifest.get(key)
    return value if isinstance(value, Mapping) else {}


def _ends(arrays: xr.Dataset) -> tuple[float, float] | None:
    if "eigenvalue" not in arrays:
        return None
    values = arrays.eigenvalue.values
    return float(values[0]), float(values[-1])


def _counts(audit: Sequence[AuditEntry]) -> list[tuple[str, int, str]]:
    """Count the verdicts, with their meaning, without the known slips as printed."""
    found = [entry.verdict for entry in audit if entry.form != "printed"]
    return [(key, found.count(key), meaning) for key, meaning in VERDICTS.items() if key in found]
