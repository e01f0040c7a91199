"""Train several methods from the same starts and set the forecast beside them.

On data it is the papers' network: data -> kernel -> spectrum -> tuned methods -> runs and exact
forecasts -> a folder.  On a problem it is that model: start -> products -> settings that trials
found -> runs and forecasts of the linearised model -> a folder of the same format.
"""

import dataclasses
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from inertial import files
from inertial._checks import InvalidInput, Notice
from inertial._memory import check_memory
from inertial.data import Data
from inertial.data.loading import Provenance
from inertial.linear.measure import Measure
from inertial.method.batch import Modes, excess, fastest_for_batch, largest_step
from inertial.method.modes import stability_limit
from inertial.method.race import STEPS as RACE
from inertial.method.recursion import FAMILIES, Recursion, label
from inertial.method.rules import DEFAULT_RULE, fastest
from inertial.method.schedule import SCHEDULES
from inertial.problem.devices import first_process
from inertial.problem.problem import Trainable
from inertial.runs import store
from inertial.runs.check import check_batch
from inertial.runs.compared import Comparison
from inertial.runs.execution import (
    Prepared,
    execute,
    execute_resumably,
    forget,
    method_of,
    start_of,
)
from inertial.runs.measures import summarize
from inertial.runs.model_runs import (
    ADAM,
    ModelStart,
    Starts,
    optimiser_of,
    run_model,
    start_of_model,
    starts_of,
)
from inertial.runs.observables import join
from inertial.runs.settings import TRIALS_RULE, ModelSettings, Settings
from inertial.runs.spec import RESULT_VERSION, Spec, model_specs, specs
from inertial.runs.tuning import FORECAST_MARGIN, TRIALS, ModelAdvice, tune_problem
from inertial.simulation.transformations import TRANSFORMATIONS, USUAL, Optax

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

Chosen = Recursion | Optax

_Kind = TypeVar("_Kind", Settings, ModelSettings)

_STORED = (
    *("loss", "max_distance", "mean_distance", "pattern_change", "forecast_loss"),
    *("bound_loss", "unreachable", "forecast_spread", "schedule_eta", "schedule_beta"),
    *("distance", "forecast_distance", "kernel_drift", "sharpness", "node", "node_weight"),
    *("residual", "forecast_steps", "flow_loss", "flow_method"),
    *("test_loss", "test_accuracy", "forecast_test_loss", "forecast_test_accuracy", "gcv"),
    *("status", "diverged_at", "eigenvalue", "weight", "start_eigenvalue", "start_weight"),
    *("eta", "beta", "gamma"),
)

_FIVE = (0, 1, 2, 3, 4)
"""Seeds of a model that draws its starts, unless others are given."""


class StabilityWarning(Notice):
    """A step size above the limit of the linearised dynamics."""


@dataclass(frozen=True)
class _Plan:
    """What is run, with which methods, on what, and what is said of it."""

    wanted: list[Spec]
    methods: Mapping[str, Chosen]
    rules: Mapping[str, str]
    data: Provenance
    settings: Settings | ModelSettings
    run: Callable[[Spec, Callable[[int], None]], xr.Dataset]
    attrs: dict[str, Any]
    manifest: dict[str, Any]
    forget: Callable[[], None] = lambda: None
    "Removes what the runs have left to go on from."


def compare(
    data: Data | Trainable | Starts,
    settings: Settings | ModelSettings | None = None,
    *,
    batch: int | None = None,
    out: str | Path | None = None,
    command: str | None = None,
    progress: Progress | None = None,
    draw: Callable[[xr.Dataset, Path], object] | None = None,
    checkpoints: Path | None = None,
) -> Comparison:
    """Train every method on every seed, forecast each, and store everything in a new folder.

    Parameters
    ----------
    data
        What `load` returned, for the papers' network; or a problem, for its own model.
    settings
        Methods, seeds and so on: `Settings` for data, `ModelSettings` for a problem; their defaults
        if absent.
    batch
        Rows whose gradient a step takes: replaces that of the settings.
    out
        Folder to create; by default one under ``runs/`` named after data and time.
    command
        What to record as the command that makes this run again.
    progress
        Called every half second or so.
    draw
        Called with the arrays and the folder before that gets its name: it appears with its
        figures, or not at all.
    checkpoints
        Folder to keep runs of the papers' network in on the way, every half minute and when they
        end: the same comparison goes on from there, and removes them at its end.

    Raises
    ------
    InvalidInput
        If the kernel is singular, the rule does not define a method, the settings are those of the
        other kind, or `out` exists.

    """
    began, started = time.perf_counter(), datetime.now(UTC)
    report = progress or (lambda *_: None)
    given: Settings | ModelSettings
    if isinstance(data, Data):
        given = of_data = _of_kind(settings, Settings)
        if batch is not None:
            given = of_data = dataclasses.replace(of_data, batch=batch)
        if of_data.batch is not None:
            check_batch(data, of_data.batch)
        check_memory(_needed(data, of_data), "take fewer rows, neurons, steps or seeds")
        if checkpoints is not None:
            another = "give another folder with --checkpoint."
            checkpoints = files.folder_to_keep(checkpoints, remedy=another)
        name, planned = data.provenance.name, partial(_network, data, of_data, checkpoints)
    else:
        given = of_model = _of_kind(settings, ModelSettings)
        if batch is not None:
            given = of_model = dataclasses.replace(of_model, batch=batch)
        starts = data if isinstance(data, Starts) else starts_of(data)
        name, planned = starts.data.name, partial(_model, starts, of_model, report)
    path = Path(out) if out else _default_folder(name, started)
    with files.new_folder(path) if first_process() else nullcontext() as folder:
        plan = planned()
        arrays = _joined(plan, _run_all(plan, report))
        summaries = tuple(summarize(arrays, name, given.target) for name in plan.methods)
        seconds = time.perf_counter() - began
        manifest = {
            "result_version": RESULT_VERSION,
            "command": command,
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": seconds,
            "settings": dataclasses.asdict(plan.settings),
            "data": dataclasses.asdict(plan.data),
            "methods": [_written(name, method) for name, method in plan.methods.items()],
            **plan.manifest,
            **store.environment(),
        }
        if folder is not None:
            _write(folder, path, arrays, manifest)
            if draw is not None:
                draw(arrays, folder)
    if first_process():
        plan.forget()
    return Comparison(path, seconds, arrays, summaries, given.target)


def _network(data: Data, settings: Settings, checkpoints: Path | None) -> _Plan:
    """Plan a comparison on the papers' network."""
    prepared = Prepared.of(data)
    wanted = list(specs(settings))
    first = [spec for spec in wanted if spec.seed == settings.seeds[0]]
    methods = {spec.method: method_of(spec, prepared) for spec in first}
    _say_what_is_usual(settings)
    of_starts = settings.kernel == "finite"
    if not of_starts and (settings.batch is not None or settings.eta is not None):
        _warn_of_network(methods, prepared.measure, settings, "this kernel", stacklevel=6)
    starts: dict[int, Any] = {}

    def run(spec: Spec, advance: Callable[[int], None]) -> xr.Dataset:
        if spec.seed not in starts:
            starts.clear()
            starts[spec.seed] = start_of(spec, prepared)
            if of_starts:  # where a rule, which tunes for the infinite network, may be above it
                own, whose = starts[spec.seed].measure, f"the kernel of seed {spec.seed}'s start"
                _warn_of_network(methods, own, settings, whose, stacklevel=7)
        method, start = methods[spec.method], starts[spec.seed]
        shared = {"start": start, "advance": advance, "devices": settings.devices}
        if checkpoints is None:
            return execute(spec, prepared, method, **shared)
        return execute_resumably(spec, prepared, method, checkpoints, **shared)

    def clean() -> None:
        if checkpoints is not None:
            for spec in wanted:
                forget(spec, prepared, methods[spec.method], checkpoints)

    rule = "given" if settings.eta is not None else settings.rule
    attrs = {"width": settings.width, "rule": rule, "kernel": settings.kernel}
    attrs |= _of_batch(settings)
    attrs |= _of_test(settings.decay, None if data.test is None else len(data.test.y))
    rules = {name: _rule_of(name, rule, settings.eta) for name in methods}
    return _Plan(wanted, methods, rules, data.provenance, settings, run, attrs, {}, clean)


def _model(starts: Starts, settings: ModelSettings, report: Progress) -> _Plan:
    """Plan a comparison on a model: measure its starts, and choose its methods at the first."""
    drawn = settings.batch is not None
    seeds = settings.seeds or (_FIVE if starts.many or drawn else (0,))
    if len(seeds) > 1 and not starts.many and not drawn:
        warnings.warn(
            "the model comes with its parameters, so there is one start, whatever the seeds.",
            Notice,
            stacklevel=3,
        )
        seeds = seeds[:1]
    report("products with the kernel", 0, 0)
    measured = partial(
        start_of_model, starts, steps=settings.steps, batch=settings.batch, progress=report
    )
    first = measured(seeds[0])
    made = {seed: measured(seed) if starts.many and seed != seeds[0] else first for seed in seeds}
    if not drawn:
        seeds = _different(made, starts.text)
    _say_what_is_usual(settings)
    methods, rules, passes = _tuned(first, settings, report)
    modes = None if first.spectrum is None else first.batch_modes
    if modes is not None and settings.batch is not None:
        _warn_above_batch_limit(methods, modes, settings.batch, first.problem.decay, stacklevel=5)
    elif settings.eta is not None:
        largest = first.measure.largest + first.problem.decay
        _warn_above_limit(methods, largest, "this kernel", stacklevel=5)
    wanted = list(model_specs(settings, rules, {seed: made[seed].name for seed in seeds}))

    def run(spec: Spec, advance: Callable[[int], None]) -> xr.Dataset:
        return run_model(spec, made[spec.seed], methods[spec.method], advance=advance)

    told = first.problem.evaluation
    evaluation = {"evaluation": told} if told else {}
    attrs = {
        "model": starts.text,
        "loss": first.problem.loss.name,
        "parameters": first.parameters,
        **evaluation,
        "rule": "given" if settings.eta is not None else settings.rule,
        **_of_test(
            first.problem.decay, None if first.problem.test is None else first.problem.test.rows
        ),
        **_of_batch(settings),
    }
    manifest = {
        "model": {
            "text": starts.text,
            "words": first.problem.model,
            "loss": first.problem.loss.name,
            "parameters": first.parameters,
            **evaluation,
            "source_sha256": starts.source_sha256,
            "starts": {str(seed): one.name.start_sha256 for seed, one in made.items()},
            "passes_of_the_rule": passes,
        }
    }
    settings = dataclasses.replace(settings, seeds=seeds)
    return _Plan(wanted, methods, rules, starts.data, settings, run, attrs, manifest)


def _different(made: Mapping[int, ModelStart], text: str) -> tuple[int, ...]:
    """Return the seeds without those that give the start of another one, and say so."""
    kept: list[int] = []
    for seed, start in made.items():
        if not any(start.same_as(made[other]) for other in kept):
            kept.append(seed)
    if len(kept) < len(made):
        which = "every seed, so there is one start"
        if len(kept) > 1:
            which = f"some of the {len(made)} seeds, so there are {len(kept)} starts"
        warnings.warn(
            f"{text} gives the same parameters for {which}; let it take a seed or key and draw "
            "them from that alone, or compare with one seed.",
            Notice,
            stacklevel=4,
        )
    return tuple(kept)


def _of_batch(settings: Settings | ModelSettings) -> dict[str, Any]:
    """Return the attributes of runs on batches."""
    return {} if settings.batch is None else {"batch": settings.batch, "order": settings.order}


def _of_test(decay: float, rows: int | None) -> dict[str, Any]:
    """Return the attributes of runs with weight decay, and with test rows."""
    return ({"decay": decay} if decay else {}) | ({} if rows is None else {"test_rows": rows})


def _tuned(
    start: ModelStart, settings: ModelSettings, report: Progress
) -> tuple[dict[str, Chosen], dict[str, str], float]:
    """Choose every method: by hand, by trials, or by forecast where no trial was made of it."""
    methods: dict[str, Chosen] = {}
    rules: dict[str, str] = {}
    linear = [name for name in settings.methods if name in FAMILIES]
    advice = None
    if linear and settings.eta is None:
        trials = TRIALS if settings.rule == TRIALS_RULE else 0
        advice = tune_problem(
            start.problem, target=settings.target, trials=trials, methods=linear, each=True,
            batch=settings.batch, order=settings.order, progress=report,
        )  # fmt: skip
    tuned = () if advice is None else advice.methods
    tried = {one.name: one.method for one in tuned if isinstance(one.method, Recursion)}
    _say_what_none_reached(advice)
    for name in settings.methods:
        rules[name] = _rule_of(name, settings.rule, settings.eta)
        if name in TRANSFORMATIONS:
            methods[name] = (
                Optax(name, settings.eta)
                if settings.eta is not None
                else optimiser_of(name, start.problem, start.operator)
            )
        elif settings.eta is not None:
            methods[name] = FAMILIES[name](settings.eta, settings.beta or 0.0)
        elif name in tried:
            methods[name] = tried[name]
        else:
            rules[name] = DEFAULT_RULE
            methods[name] = _by_forecast(name, start, settings)
    return methods, rules, 0.0 if advice is None else advice.passes


def _by_forecast(name: str, start: ModelStart, settings: ModelSettings) -> Recursion:
    """Return what the linearised model ranks first, by its expected loss on batches if there are.

    Other losses than squares have no expected loss on batches: what is best on all rows is taken.
    """
    decay = start.problem.decay
    if settings.batch is not None and start.spectrum is not None:
        return fastest_for_batch(
            name, start.batch_modes, settings.batch, target=settings.target, margin=FORECAST_MARGIN,
            decay=decay,
        )[0]  # fmt: skip
    return fastest(
        name, start.measure.shifted(decay), settings.target, margin=FORECAST_MARGIN, steps=RACE
    )


def _rule_of(name: str, rule: str, eta: float | None) -> str:
    """Say where a method's step size comes from."""
    if eta is not None:
        return "given" if name not in SCHEDULES else name
    if name in SCHEDULES:
        return name
    if name == ADAM:
        return "first step"
    return "usual" if name in TRANSFORMATIONS else rule


def _say_what_is_usual(settings: Settings | ModelSettings) -> None:
    """Say that no rule chooses the step size of most of optax's optimisers."""
    names = [name for name in settings.methods if name in TRANSFORMATIONS and name != ADAM]
    if names and settings.eta is None:
        warnings.warn(
            f"no rule chooses the step size of {' and '.join(names)}: {USUAL:g} is the usual one; "
            "give another with eta.",
            Notice,
            stacklevel=4,
        )


def _say_what_none_reached(advice: ModelAdvice | None) -> None:
    """Say of which methods no trial reached the target: their setting is no advice."""
    if advice is None or not advice.checked:
        return
    names = [label(one.name) for one in advice.methods if one.measured_steps is None]
    if names:
        left = len(names) < len(advice.methods)
        remedy = "compare it alone for a longer search" if left else "give a larger target"
        warnings.warn(
            f"no trial of {' or '.join(names)} reached {100 * advice.target:g} % of the initial "
            f"loss{' before the search left it' if left else ''}: what is trained is the one that "
            f"came lowest; {remedy}.",
            Notice,
            stacklevel=4,
        )


def _of_kind(settings: object, kind: type[_Kind]) -> _Kind:
    """Return settings of a kind, or its defaults."""
    if settings is None:
        return kind()
    if not isinstance(settings, kind):
        raise InvalidInput(
            f"the settings are a {type(settings).__name__}; give {kind.__name__}: Settings are for "
            "data, ModelSettings for a problem."
        )
    return settings


def _written(name: str, method: Chosen) -> dict[str, Any]:
    """Return a method as the manifest records it."""
    if isinstance(method, Optax):
        return {"name": name, "eta": method.eta, "transformation": method.line}
    return {"name": name, **dataclasses.asdict(method)}


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


def _warn_of_network(
    methods: Mapping[str, Chosen], measure: Measure, settings: Settings, whose: str, stacklevel: int
) -> None:
    """Warn of step sizes at which the forecast of a measure grows, `whose` kernel it is."""
    if settings.batch is not None:
        _warn_above_batch_limit(methods, measure, settings.batch, settings.decay, stacklevel)
    else:
        _warn_above_limit(methods, measure.largest + settings.decay, whose, stacklevel)


def _warn_above_limit(
    methods: Mapping[str, Chosen], largest: float, whose: str, stacklevel: int
) -> None:
    for name, method in methods.items():
        if isinstance(method, Optax) or method.steps is not None:
            continue
        eta, limit = method.constant[0], stability_limit(method) / largest
        if eta >= limit:
            warnings.warn(
                f"eta = {eta:g} is not below the stability limit {limit:.4g} of {name} on {whose}: "
                "the forecast grows, and it depends on width and start whether a network does.",
                StabilityWarning,
                stacklevel,
            )


def _warn_above_batch_limit(
    methods: Mapping[str, Chosen],
    modes: Measure | Modes,
    batch: int,
    decay: float,
    stacklevel: int,
) -> None:
    """Warn of step sizes at which the expected loss on batches grows."""
    for name, method in methods.items():
        if isinstance(method, Recursion) and not excess(method, modes, batch, decay=decay) < 1:
            eta, beta, _ = method.constant
            limit = largest_step(name, beta, modes, batch, decay=decay)
            warnings.warn(
                f"eta = {eta:g} is not below {limit:.4g}, from which on the expected loss of "
                f"{name} grows on batches of {batch}: take a smaller step size or larger batches, "
                "or go by the run.",
                StabilityWarning,
                stacklevel,
            )


def _run_all(plan: _Plan, report: Progress) -> list[xr.Dataset]:
    """Compute the runs; those of a seed follow each other."""
    total = sum(spec.steps + 1 for spec in plan.wanted)
    runs: list[xr.Dataset] = []
    done = 0
    for spec in plan.wanted:

        def advance(count: int, label: str = f"{spec.method}, seed {spec.seed}") -> None:
            nonlocal done
            done += count
            report(label, done, total)

        runs.append(plan.run(spec, advance))
        done = sum(before.sizes["step"] for before in runs)
    return runs


def _joined(plan: _Plan, runs: list[xr.Dataset]) -> xr.Dataset:
    """Join the runs over method and seed, in the order of the settings."""
    seeds = list(dict.fromkeys(spec.seed for spec in plan.wanted))
    joined = join(runs, axes={"optimizer": list(plan.methods), "seed": seeds})
    joined = joined[[name for name in _STORED if name in joined]]
    if {*plan.rules.values()} != {plan.attrs["rule"]}:
        rules = [plan.rules[str(name)] for name in joined.optimizer.values]
        joined["chosen_by"] = ("optimizer", rules)
    if "model" in plan.attrs:
        joined.loss.attrs |= {"long_name": f"loss {plan.attrs['loss']}", "units": "loss"}
        joined.forecast_loss.attrs |= {"long_name": "loss of the linearised model", "units": "loss"}
        plan.attrs["proven"] = min(run.attrs["proven"] for run in runs)
        norms = {run.attrs["seed"]: run.attrs["start_norm"] for run in runs}
        joined["start_norm"] = ("seed", [norms[int(seed)] for seed in joined.seed.values])
    data = plan.data
    facts = {"data": data.name, "n": data.n, "d": data.d, "data_sha256": data.sha256}
    return joined.assign_attrs(title=f"inertial compare {data.name}", **facts, **plan.attrs)
