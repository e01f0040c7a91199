"""Train several methods from the same starts and set the exact forecast beside them.

data -> kernel -> spectrum -> tuned methods -> runs and forecasts -> a folder.
"""

import dataclasses
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xarray as xr

from inertial import files
from inertial._checks import InvalidInput, Notice
from inertial._memory import check_memory
from inertial.data import Data
from inertial.method.modes import stability_limit
from inertial.method.recursion import Recursion
from inertial.runs import store
from inertial.runs.execution import Prepared, execute, method_of, start_of
from inertial.runs.measures import Summary, summarize
from inertial.runs.observables import join
from inertial.runs.settings import Settings
from inertial.runs.spec import RESULT_VERSION, Spec, specs

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

_STORED = (
    *("loss", "max_distance", "mean_distance", "pattern_change", "forecast_loss"),
    "bound_loss",
    *("residual", "forecast_steps", "flow_loss", "flow_method"),
    *("status", "diverged_at", "eigenvalue", "weight", "eta", "beta", "gamma"),
)


class StabilityWarning(Notice):
    """A step size above the limit of the linearised dynamics."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns: where it is stored, how long it took, arrays, a row per method."""

    run: Path
    wall_seconds: float
    arrays: xr.Dataset
    methods: tuple[Summary, ...]


def compare(
    data: Data,
    settings: Settings | None = None,
    *,
    out: str | Path | None = None,
    command: str | None = None,
    progress: Progress | None = None,
    draw: Callable[[xr.Dataset, Path], object] | None = None,
) -> Comparison:
    """Train every method on every seed, forecast each, and store everything in a new folder.

    Parameters
    ----------
    data
        What `load` returned.
    settings
        Methods, width, seeds and so on; the defaults if absent.
    out
        Folder to create; by default one under ``runs/`` named after data and time.
    command
        What to record as the command that makes this run again.
    progress
        Called every half second or so.
    draw
        Called with the arrays and the folder before that gets its name: it appears with its
        figures, or not at all.

    Raises
    ------
    InvalidInput
        If the kernel is singular, the rule does not define a method, or `out` exists.

    """
    settings = settings or Settings()
    check_memory(_needed(data, settings), "take fewer rows, neurons, steps or seeds")
    began, started = time.perf_counter(), datetime.now(UTC)
    path = Path(out) if out else _default_folder(data.provenance.name, started)
    with files.new_folder(path) as folder:
        prepared = Prepared.of(data)
        wanted = list(specs(settings))
        methods = {spec.method: method_of(spec, prepared.measure) for spec in wanted}
        if settings.eta is not None:
            _warn_above_limit(methods, prepared.measure.largest)
        runs = _run_all(wanted, prepared, methods, progress or (lambda *_: None))
        arrays = _joined(runs, settings)
        summaries = tuple(summarize(arrays, name, settings.target) for name in methods)
        seconds = time.perf_counter() - began
        manifest = {
            "result_version": RESULT_VERSION,
            "command": command,
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": seconds,
            "settings": dataclasses.asdict(settings),
            "data": dataclasses.asdict(data.provenance),
            "methods": [{"name": name, **dataclasses.asdict(m)} for name, m in methods.items()],
            **store.environment(),
        }
        _write(folder, path, arrays, manifest)
        if draw is not None:
            draw(arrays, folder)
    return Comparison(path, seconds, arrays, summaries)


def _needed(data: Data, settings: Settings) -> int:
    """Bytes of weights, sign bits, kernel and records."""
    (n, d), m = map(int, data.x.shape), settings.width
    bytes_each = 4 if settings.precision == "float32" else 8
    records = len(settings.methods) * len(settings.seeds) * (settings.steps + 1)
    vectors = n if settings.record_residuals else 0
    return 6 * bytes_each * m * d + n * m // 8 + 24 * n**2 + 8 * records * (6 + vectors)


def _write(folder: Path, path: Path, arrays: xr.Dataset, manifest: dict[str, Any]) -> None:
    """Write the results; where that fails, keep them elsewhere and say so."""
    try:
        store.write_run(folder, arrays, manifest)
    except InvalidInput as error:
        kept = store.keep_run(arrays, manifest)
        where = f"the results lie in {kept}" if kept else "the results are lost"
        raise InvalidInput(f"{path} could not be written; {where} ({error})") from None


def _default_folder(name: str, started: datetime) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return Path("runs") / f"compare-{safe[:80]}-{started:%Y%m%d-%H%M%S-%f}"[:-3]


def _warn_above_limit(methods: dict[str, Recursion], largest: float) -> None:
    for name, method in methods.items():
        eta, limit = method.constant[0], stability_limit(method) / largest
        if eta >= limit:
            warnings.warn(
                f"eta = {eta:g} is not below the stability limit {limit:.4g} of {name} on this "
                "kernel: the forecast grows, and the network may diverge.",
                StabilityWarning,
                stacklevel=3,
            )


def _run_all(
    wanted: list[Spec], prepared: Prepared, methods: dict[str, Recursion], report: Progress
) -> list[xr.Dataset]:
    """Compute the runs; those of a seed share its start."""
    total = sum(spec.steps + 1 for spec in wanted)
    runs: list[xr.Dataset] = []
    done, seed = 0, None
    for spec in wanted:
        if spec.seed != seed:
            seed, start = spec.seed, start_of(spec, prepared)

        def advance(count: int, label: str = f"{spec.method}, seed {spec.seed}") -> None:
            nonlocal done
            done += count
            report(label, done, total)

        runs.append(execute(spec, prepared, methods[spec.method], start=start, advance=advance))
        done = sum(before.sizes["step"] for before in runs)
    return runs


def _joined(runs: list[xr.Dataset], settings: Settings) -> xr.Dataset:
    """Join the runs over method and seed, in the order of the settings."""
    axes = {"optimizer": settings.methods, "seed": settings.seeds}
    joined, facts = join(runs, axes=axes), runs[0].attrs
    kept = {name: facts[name] for name in ("data", "n", "d", "data_sha256", "width", "rule")}
    return joined[[name for name in _STORED if name in joined]].assign_attrs(
        title=f"inertial compare {facts['data']}", **kept, kernel=settings.kernel
    )
