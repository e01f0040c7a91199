"""The main job: train several methods from the same starts and set the exact forecast beside them.

data -> kernel -> spectrum -> tuned methods -> runs and forecasts -> a folder with arrays, manifest
and figure.
"""

import dataclasses
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial import store
from inertial._checks import InvalidInput, fraction, one_of, whole
from inertial._types import MethodName
from inertial.data import Data, Provenance
from inertial.dynamics.flow import (
    Flow,
    gradient_flow,
    heavy_ball_flow,
    high_resolution_heavy_ball,
    high_resolution_nesterov,
    nesterov_flow,
    newton_flow,
)
from inertial.dynamics.forecast import forecast, steps_to
from inertial.dynamics.integrate import flow_loss
from inertial.dynamics.method import Method, gradient_descent, heavy_ball, nesterov
from inertial.dynamics.modes import stability_limit
from inertial.dynamics.train import Precision, initial_residual, train
from inertial.dynamics.trajectory import Trajectory
from inertial.dynamics.tuning import METHODS, choose, defined
from inertial.problem.kernel import finite_gram
from inertial.problem.landscape import Landscape, survey
from inertial.problem.network import Network
from inertial.problem.span import span
from inertial.problem.spectrum import Spectrum, decompose
from inertial.report.figures import save_convergence

Kernel = Literal["infinite", "finite"]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

FRACTIONS = (0.1, 0.001)
"""Shares of the initial loss whose step counts are reported."""


_SEEDS = 2**32
"""Number of different seeds that the random generator tells apart."""

_FORECAST_STEPS = 20_000
"""How far ahead step counts are forecast, whatever the length of the run."""


class StabilityWarning(UserWarning):
    """A step size above the limit of the linearised dynamics."""


@dataclass(frozen=True)
class Companion:
    """A flow and the method that it is a limit of, built from ``mu = lambda_min / 2`` and eta."""

    method: MethodName
    build: Callable[[float, float], Flow]


COMPANIONS = {
    "gradient_flow": Companion("gradient_descent", lambda _mu, _eta: gradient_flow()),
    "newton_flow": Companion("gradient_descent", lambda _mu, _eta: newton_flow()),
    "heavy_ball_flow": Companion("heavy_ball", lambda mu, _eta: heavy_ball_flow(mu)),
    "high_resolution_heavy_ball": Companion("heavy_ball", high_resolution_heavy_ball),
    "nesterov_flow": Companion("nesterov", lambda _mu, _eta: nesterov_flow()),
    "high_resolution_nesterov": Companion("nesterov", high_resolution_nesterov),
}


@dataclass(frozen=True)
class Settings:
    """Everything that decides the numbers of a comparison, besides the data.

    Parameters
    ----------
    methods
        Which methods to run.
    width
        Neurons m of the hidden layer.
    seeds
        One random start each, shared by all methods.
    steps
        Number of updates.
    rule
        Key of the tuning rule.
    eta, beta
        Step size and momentum given by hand instead; momentum goes to the methods that have one.
    target
        Share of the initial loss the rule `forecast` aims at.
    kernel
        Kernel of the forecast: of the infinite network, or of each seed's own start.
    precision
        Arithmetic of training.
    record_residuals
        Whether to store the residual vector of every run at every step.
    flows
        Keys of `COMPANIONS`: flows to solve beside the methods that they are limits of.

    """

    methods: tuple[MethodName, ...] = METHODS
    width: int = 2000
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    steps: int = 200
    rule: str = "paper"
    eta: float | None = None
    beta: float | None = None
    target: float = 0.01
    kernel: Kernel = "infinite"
    precision: Precision = "float32"
    record_residuals: bool = False
    flows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        whole("width", self.width)
        whole("steps", self.steps)
        fraction("target", self.target)
        one_of("kernel", self.kernel, ("infinite", "finite"))
        one_of("precision", self.precision, ("float32", "float64"))
        defined(self.rule, self.methods)
        for seed in self.seeds:
            if whole("seed", seed, least=0) >= _SEEDS:
                raise InvalidInput(f"seed is {seed}; give a whole number below {_SEEDS}.")
        for what, values in (("methods", self.methods), ("seeds", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise InvalidInput(
                    f"{what} is {list(values)}; give at least one, each of them once."
                )
        for flow in self.flows:
            if COMPANIONS[one_of("flow", flow, COMPANIONS)].method not in self.methods:
                raise InvalidInput(
                    f"flow {flow!r} is a limit of {COMPANIONS[flow].method}, which is not among "
                    "the methods; add it with --methods, or leave the flow out."
                )
        if self.beta is not None and self.eta is None:
            raise InvalidInput("beta is given without eta; give both, or neither and a rule.")
        if self.eta is not None and self.rule != "paper":
            raise InvalidInput(f"eta and the rule {self.rule!r} are both given; give one of them.")
        if self.beta is not None and self.methods == ("gradient_descent",):
            raise InvalidInput("beta is given, but gradient descent has none; leave it out.")


@dataclass(frozen=True)
class Summary:
    """One method's row: means over the seeds unless the name says otherwise.

    `steps_to` holds, for each share of the initial loss, the step counts forecast from the seeds'
    own starts and the ones measured; None if a seed did not get there.
    """

    method: MethodName
    rule: str
    eta: float
    beta: float
    gamma: float
    steps_to: dict[str, dict[str, float | None]]
    loss_first: float
    loss_last_mean: float
    loss_last_min: float
    loss_last_max: float
    max_distance_mean: float
    pattern_change_mean: float
    forecast_error: float
    status: str


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
        landscape = survey(data)
        methods = tuple(_method(name, landscape, settings) for name in settings.methods)
        report = progress or (lambda *_: None)
        runs = _run_all(landscape, methods, settings, report)
        arrays = _dataset(runs, landscape, methods, settings)
        summaries = tuple(_summary(arrays, method) for method in methods)
        seconds = time.perf_counter() - began
        manifest = {
            "command": command,
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": seconds,
            "settings": dataclasses.asdict(settings),
            "data": dataclasses.asdict(data.provenance),
            "methods": [dataclasses.asdict(method) for method in methods],
            **store.environment(),
        }
        store.write_run(folder, arrays, manifest)
        save_convergence(arrays, folder)
    return Comparison(path, seconds, arrays, summaries)


@dataclass(frozen=True)
class _Pair:
    """A measured run, its forecast with the step counts to `FRACTIONS`, and its flows' losses."""

    measured: Trajectory
    forecast: Trajectory
    steps_to: tuple[int | None, ...]
    flows: dict[str, Float[np.ndarray, "T"]]


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


def _method(name: MethodName, landscape: Landscape, settings: Settings) -> Method:
    """Choose by the rule, or take what was given by hand; warn above the stability limit."""
    if settings.eta is None:
        return choose(settings.rule, name, landscape, target=settings.target)
    beta = settings.beta or 0.0
    match name:
        case "gradient_descent":
            method = gradient_descent(settings.eta)
        case "heavy_ball":
            method = heavy_ball(settings.eta, beta)
        case "nesterov":
            method = nesterov(settings.eta, beta)
    limit = stability_limit(method) / landscape.extremes.largest
    if method.eta >= limit:
        warnings.warn(
            f"eta = {method.eta:g} is not below the stability limit {limit:.4g} of {name} on this "
            "kernel: the forecast grows, and the network may diverge.",
            StabilityWarning,
            stacklevel=3,
        )
    return method


def _run_all(
    landscape: Landscape, methods: Sequence[Method], settings: Settings, report: Progress
) -> list[list[_Pair]]:
    """Pairs indexed by method, then seed."""
    data = landscape.data
    within = span(data.x)
    total = len(methods) * len(settings.seeds) * (settings.steps + 1)
    done = 0
    runs: list[list[_Pair]] = [[] for _ in methods]
    for seed in settings.seeds:
        network = Network(settings.width, data.x.shape[1])
        spectrum = _forecast_spectrum(landscape, network, seed, settings.kernel)
        residual = initial_residual(network, data.x, data.y, seed=seed, within=within)
        for row, method in zip(runs, methods, strict=True):
            label = f"{method.name}, seed {seed}"

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
                steps_to(method, spectrum.eigenvalues, weights, share, limit=_FORECAST_STEPS)
                for share in FRACTIONS
            )
            flows = _flow_losses(method, spectrum, weights, settings)
            row.append(_Pair(measured, predicted, counts, flows))
            done += settings.steps + 1 - len(measured.steps)
    return runs


def _flow_losses(
    method: Method, spectrum: Spectrum, weights: Float[np.ndarray, "n"], settings: Settings
) -> dict[str, Float[np.ndarray, "T"]]:
    """Losses of the method's flows at the times of its steps, by key."""
    mu = spectrum.extremes.smallest / 2
    steps = np.arange(settings.steps + 1)
    losses = {}
    for key in settings.flows:
        if COMPANIONS[key].method == method.name:
            flow = COMPANIONS[key].build(mu, method.eta)
            times = flow.time(steps, method.eta)
            losses[key] = flow_loss(flow, spectrum.eigenvalues, weights, times)
    return losses


def _forecast_spectrum(
    landscape: Landscape, network: Network, seed: int, kernel: Kernel
) -> Spectrum:
    """Spectrum that the forecast of this seed uses."""
    if kernel == "infinite":
        return landscape.spectrum
    w, _ = network.init(jax.random.key(seed))
    return decompose(finite_gram(landscape.data.x, np.asarray(w)), overwrite=True)


def _dataset(
    runs: Sequence[Sequence[_Pair]],
    landscape: Landscape,
    methods: Sequence[Method],
    settings: Settings,
) -> xr.Dataset:
    """All records over (method, seed, step); NaN after a divergence, which `status` names."""
    length = settings.steps + 1

    def stack(read: Callable[[_Pair], Float[np.ndarray, "T ..."] | None]) -> Any:  # noqa: ANN401
        rows = [[_pad(read(pair), length) for pair in row] for row in runs]
        return np.array(rows)

    along = ("method", "seed", "step")
    variables: dict[str, tuple[tuple[str, ...], Any, dict[str, str]]] = {
        "loss": (along, stack(lambda p: p.measured.loss), {"long_name": "1/2 |f - y|^2"}),
        "max_distance": (
            along,
            stack(lambda p: p.measured.max_distance),
            {"long_name": "largest distance of a neuron from its start"},
        ),
        "mean_distance": (
            along,
            stack(lambda p: p.measured.mean_distance),
            {"long_name": "mean distance of a neuron from its start"},
        ),
        "pattern_change": (
            along,
            stack(lambda p: p.measured.pattern_change),
            {"long_name": "share of changed activation patterns"},
        ),
        "forecast_loss": (
            along,
            stack(lambda p: p.forecast.loss),
            {"long_name": f"loss of the linearised network, {settings.kernel}-width kernel"},
        ),
        "forecast_steps": (
            (*along[:2], "share"),
            np.array([[pair.steps_to for pair in row] for row in runs], dtype=float),
            {"long_name": "forecast step at this share of the initial loss, NaN if far beyond"},
        ),
        "status": (
            along[:2],
            np.array([[pair.measured.status for pair in row] for row in runs], dtype=object),
            {"long_name": "how the run ended"},
        ),
        "diverged_at": (
            along[:2],
            np.array([[_or(pair.measured.diverged_at, -1) for pair in row] for row in runs]),
            {"long_name": "step of the divergence, -1 if there was none"},
        ),
        "eigenvalue": (
            ("mode",),
            landscape.spectrum.eigenvalues,
            {"long_name": "eigenvalues of the infinite-width kernel"},
        ),
        "weight": (
            ("mode",),
            landscape.weights,
            {"long_name": "expected squared modal coordinates of the initial residual"},
        ),
    }
    if settings.record_residuals:
        variables["residual"] = (
            (*along, "sample"),
            stack(lambda p: p.measured.residual),
            {"long_name": "f - y"},
        )
    if settings.flows:
        losses = [
            [pair.flows[key] for row in runs for pair in row if key in pair.flows]
            for key in settings.flows
        ]
        variables["flow_loss"] = (
            ("flow", *along[1:]),
            np.array(losses),
            {"long_name": "loss of the flow on the linearised network, at the steps' times"},
        )
        limits = np.array([COMPANIONS[key].method for key in settings.flows], dtype=object)
        variables["flow_method"] = (("flow",), limits, {"long_name": "method it is a limit of"})
    for name in ("eta", "beta", "gamma"):
        values = np.array([getattr(method, name) for method in methods])
        variables[name] = (("method",), values, {})
    return xr.Dataset(
        variables,
        coords={
            "method": [method.name for method in methods],
            "seed": list(settings.seeds),
            "step": np.arange(length),
            "share": list(FRACTIONS),
            **({"flow": list(settings.flows)} if settings.flows else {}),
        },
        attrs=_attributes(landscape.data.provenance, settings),
    )


def _attributes(provenance: Provenance, settings: Settings) -> dict[str, str | int]:
    return {
        "title": f"inertial compare {provenance.name}",
        "data": provenance.name,
        "n": provenance.n,
        "d": provenance.d,
        "data_sha256": provenance.sha256,
        "width": settings.width,
        "rule": "given" if settings.eta is not None else settings.rule,
        "kernel": settings.kernel,
    }


def _pad(values: Float[np.ndarray, "T ..."] | None, length: int) -> Float[np.ndarray, "L ..."]:
    if values is None:
        raise ValueError("a trainer's record is missing")
    padded = np.full((length, *values.shape[1:]), np.nan)
    padded[: len(values)] = values
    return padded


def _summary(arrays: xr.Dataset, method: Method) -> Summary:
    """One method's row of the table, from the stored arrays."""
    run = arrays.sel({"method": method.name})
    ends = np.where(run.diverged_at < 0, run.sizes["step"] - 1, run.diverged_at)

    def last(name: str) -> Float[np.ndarray, "seed"]:
        return run[name].transpose("seed", "step").values[np.arange(len(ends)), ends]

    diverged = bool((run.status == "diverged").any())
    return Summary(
        method=method.name,
        rule=str(arrays.attrs["rule"]),
        eta=method.eta,
        beta=method.beta,
        gamma=method.gamma,
        steps_to={
            f"{fraction:g}": {
                "predicted": _mean(run.forecast_steps.sel(share=fraction).values),
                "measured": _mean_steps(run.loss, fraction),
            }
            for fraction in FRACTIONS
        },
        loss_first=float(run.loss.isel(step=0).mean()),
        loss_last_mean=float(last("loss").mean()),
        loss_last_min=float(last("loss").min()),
        loss_last_max=float(last("loss").max()),
        max_distance_mean=float(last("max_distance").mean()),
        pattern_change_mean=float(last("pattern_change").mean()),
        forecast_error=_forecast_error(run),
        status="diverged" if diverged else "finished",
    )


def _mean_steps(loss: xr.DataArray, fraction: float) -> float | None:
    """Mean over seeds of the first step at the target; None unless every seed gets there."""
    reached = (loss <= fraction * loss.isel(step=0)).transpose("seed", "step").values
    first = loss.step.values[reached.argmax(axis=1)]
    return _mean(np.where(reached.any(axis=1), first, np.nan))


def _mean(counts: Float[np.ndarray, "seed"]) -> float | None:
    return None if np.isnan(counts).any() else float(counts.mean())


def _forecast_error(run: xr.Dataset) -> float:
    r"""Largest gap of the residual norms over the run, relative to the start, mean over seeds.

    .. math:: \max_t \bigl|\sqrt{L_t} - \sqrt{\hat L_t}\bigr| / \sqrt{L_0}
    """
    gap = np.abs(np.sqrt(run.loss) - np.sqrt(run.forecast_loss))
    return float((gap.max("step") / np.sqrt(run.loss.isel(step=0))).mean())


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
