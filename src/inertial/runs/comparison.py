"""Train several methods from the same starts and set the exact forecast beside them.

data -> kernel -> spectrum -> tuned methods -> runs and forecasts -> a folder.
"""

import dataclasses
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial._checks import InvalidInput, Notice
from inertial.data import Data
from inertial.linear.expected import spectrum_of
from inertial.linear.kernel import finite_gram
from inertial.linear.measure import Measure, dense
from inertial.linear.spectrum import Spectrum, decompose
from inertial.method.curve import steps_to
from inertial.method.modes import stability_limit
from inertial.method.recursion import FAMILIES, Recursion
from inertial.method.rules import choose
from inertial.problem.model import TwoLayerReLU
from inertial.runs import store
from inertial.runs.arrays import Pair, dataset
from inertial.runs.settings import COMPANIONS, Kernel, Settings
from inertial.runs.summary import Summary, summarize
from inertial.simulate.forecast import forecast
from inertial.simulate.integrate import flow_loss
from inertial.simulate.span import span
from inertial.simulate.train import initial_residual, train

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

_FORECAST_STEPS = 20_000
"""How far ahead step counts are forecast, whatever the length of the run."""


class StabilityWarning(Notice):
    """A step size above the limit of the linearised dynamics."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns: where it is stored, how long it took, arrays and one row a method."""

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

    Raises
    ------
    InvalidInput
        If the kernel is singular, the rule does not define a method, or `out` exists.

    """
    settings = settings or Settings()
    _check_memory(data, settings)
    began, started = time.perf_counter(), datetime.now(UTC)
    path = Path(out) if out else _default_folder(data.provenance.name, started)
    with store.new_folder(path) as folder:
        spectrum, measure = spectrum_of(data)
        methods = {name: _method(name, measure, settings) for name in settings.methods}
        report = progress or (lambda *_: None)
        runs = _run_all(data, spectrum, methods, settings, report)
        arrays = dataset(runs, data.provenance, measure, methods, settings)
        summaries = tuple(summarize(arrays, name) for name in methods)
        seconds = time.perf_counter() - began
        manifest = {
            "command": command,
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": seconds,
            "settings": dataclasses.asdict(settings),
            "data": dataclasses.asdict(data.provenance),
            "methods": [{"name": name, **dataclasses.asdict(m)} for name, m in methods.items()],
            **store.environment(),
        }
        store.write_run(folder, arrays, manifest)
    return Comparison(path, seconds, arrays, summaries)


def _check_memory(data: Data, settings: Settings) -> None:
    """Refuse what cannot fit: weights, sign bits, kernel and records against the memory."""
    n, d, m = data.x.shape[0], data.x.shape[1], settings.width
    bytes_each = 4 if settings.precision == "float32" else 8
    records = len(settings.methods) * len(settings.seeds) * (settings.steps + 1)
    vectors = n if settings.record_residuals else 0
    needed = 6 * bytes_each * m * d + n * m // 8 + 24 * n**2 + 8 * records * (6 + vectors)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise InvalidInput(
            f"this needs about {needed / 2**30:.3g} GiB of memory and the machine has "
            f"{memory / 2**30:.3g}; take fewer rows, neurons, steps or seeds."
        )


def _default_folder(name: str, started: datetime) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return Path("runs") / f"compare-{safe[:80]}-{started:%Y%m%d-%H%M%S-%f}"[:-3]


def _method(name: str, measure: Measure, settings: Settings) -> Recursion:
    """Choose by the rule, or take what was given by hand; warn above the stability limit."""
    if settings.eta is None:
        return choose(settings.rule, name, measure, target=settings.target)
    method = FAMILIES[name](settings.eta, settings.beta or 0.0)
    limit = stability_limit(method) / measure.largest
    if settings.eta >= limit:
        warnings.warn(
            f"eta = {settings.eta:g} is not below the stability limit {limit:.4g} of {name} on "
            "this kernel: the forecast grows, and the network may diverge.",
            StabilityWarning,
            stacklevel=3,
        )
    return method


def _run_all(
    data: Data,
    expected: Spectrum,
    methods: Mapping[str, Recursion],
    settings: Settings,
    report: Progress,
) -> list[list[Pair]]:
    """Pairs indexed by method, then seed."""
    within = span(data.x)
    mu = expected.extremes.smallest / 2
    total = len(methods) * len(settings.seeds) * (settings.steps + 1)
    done = 0
    runs: list[list[Pair]] = [[] for _ in methods]
    for seed in settings.seeds:
        network = TwoLayerReLU(settings.width, data.x.shape[1])
        spectrum = _forecast_spectrum(data, expected, network, seed, settings.kernel)
        residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
        for row, (name, method) in zip(runs, methods.items(), strict=True):
            label = f"{name}, seed {seed}"

            def advance(count: int, label: str = label) -> None:
                nonlocal done
                done += count
                report(label, done, total)

            measured = train(
                network,
                data.x,
                data.y,
                method,
                seed=seed,
                steps=settings.steps,
                precision=settings.precision,
                record_residual=settings.record_residuals,
                within=within,
                progress=advance,
            )
            predicted = forecast(method, spectrum, residual, np.arange(settings.steps + 1))
            weights = spectrum.modes(residual) ** 2
            counts = tuple(
                steps_to(method, dense(spectrum, weights), share, limit=_FORECAST_STEPS)
                for share in settings.shares
            )
            flows = _flow_losses(name, method, spectrum, weights, settings, mu)
            row.append(Pair(measured, predicted, counts, flows))
            done += settings.steps + 1 - len(measured.steps)
    return runs


def _flow_losses(
    name: str,
    method: Recursion,
    spectrum: Spectrum,
    weights: Float[np.ndarray, "n"],
    settings: Settings,
    mu: float,
) -> dict[str, Float[np.ndarray, "T"]]:
    """Losses of the method's flows at the times of its steps, by key."""
    steps = np.arange(settings.steps + 1)
    losses = {}
    for key in settings.flows:
        if COMPANIONS[key].method == name:
            eta, _, _ = method.constant
            flow = COMPANIONS[key].build(mu, eta)
            times = flow.time(steps, eta)
            losses[key] = flow_loss(flow, spectrum.eigenvalues, weights, times)
    return losses


def _forecast_spectrum(
    data: Data, expected: Spectrum, network: TwoLayerReLU, seed: int, kernel: Kernel
) -> Spectrum:
    """Spectrum that the forecast of this seed uses."""
    if kernel == "infinite":
        return expected
    w, _ = network.init(jax.random.key(seed))
    return decompose(finite_gram(data.x, np.asarray(w)), overwrite=True)
