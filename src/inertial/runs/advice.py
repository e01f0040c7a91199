"""Advice for a problem, data or a measure: step size and momentum, and how long training takes."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from inertial._checks import (
    InvalidInput,
    fraction,
    measurable,
    nonnegative,
    one_of,
    printable,
    whole,
)
from inertial.data import Data, load
from inertial.linear.expected import measure_of, need_of, spectrum_of
from inertial.linear.measure import RESOLUTION, Measure
from inertial.method.bound import fewest_steps, unreachable_share
from inertial.method.recursion import Recursion
from inertial.method.rules import DEFAULT_RULE, RULES, choose
from inertial.problem.problem import Trainable
from inertial.runs.advised import Advice, forecast_entry
from inertial.runs.batches import BatchAdvice, tune_batch
from inertial.runs.check import (
    LONGEST,
    UNTRAINED,
    Check,
    Starts,
    check,
    from_start,
    judged,
    proposed,
    search,
)
from inertial.runs.scheduled import OPTIMAL, ScheduleAdvice, tune_schedule
from inertial.runs.stopping import horizon, stopping_of_data
from inertial.runs.tuning import TRIALS, ModelAdvice, tune_problem


@overload
def tune(
    data: Trainable,
    /,
    *,
    target: float = 0.1,
    trials: int = ...,
    passes: int = ...,
    methods: Sequence[str] = ...,
    against: Recursion | Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> ModelAdvice: ...


@overload
def tune(  # type: ignore[overload-overlap]  # the rules of constants are any other word
    data: Data,
    rule: Literal["optimal"],
    /,
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    progress: Callable[[str, int, int], None] | None = None,
) -> ScheduleAdvice: ...


@overload
def tune(
    data: Data,
    rule: str = DEFAULT_RULE,
    /,
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    seed: int = 0,
    decay: float = 0.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Advice: ...


@overload
def tune(  # type: ignore[overload-overlap]
    data: Data,
    /,
    *,
    rule: Literal["optimal"],
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    progress: Callable[[str, int, int], None] | None = None,
) -> ScheduleAdvice: ...


@overload
def tune(
    data: Data,
    /,
    *,
    rule: str,
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    seed: int = 0,
    decay: float = 0.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Advice: ...


@overload
def tune(
    data: Data,
    /,
    *,
    batch: int,
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    progress: Callable[[str, int, int], None] | None = None,
) -> BatchAdvice: ...


@overload
def tune(
    data: Measure,
    rule: str = DEFAULT_RULE,
    /,
    *,
    target: float = 0.01,
) -> Advice: ...


@overload
def tune(
    *,
    spectrum: ArrayLike,
    weights: ArrayLike | None = None,
    rule: str = DEFAULT_RULE,
    target: float = 0.01,
) -> Advice: ...


@overload
def tune(
    *,
    kernel: ArrayLike,
    residual: ArrayLike,
    rule: str = DEFAULT_RULE,
    target: float = 0.01,
) -> Advice: ...


@overload
def tune(
    data: object,
    y: object = None,
    **options: Any,  # noqa: ANN401 - those of the way that data takes
) -> Advice | ModelAdvice | BatchAdvice | ScheduleAdvice: ...


def tune(
    data: Any = None,
    y: Any = None,
    *more: Any,
    rule: str | None = None,
    batch: int | None = None,
    spectrum: Any = None,
    weights: Any = None,
    kernel: Any = None,
    residual: Any = None,
    **options: Any,
) -> Advice | ModelAdvice | BatchAdvice | ScheduleAdvice:
    """Recommend step size and momentum: for a problem, data with the papers' network, or a measure.

    Parameters
    ----------
    data
        A problem (`Problem`, or what `inertial.torch.problem` returns), which is tuned by
        `inertial.runs.tuning.tune_problem`; what `load` returned or takes, for the two-layer
        network of infinite width; or a `Measure`.
    y
        Targets, if `data` holds inputs only; or the rule.
    rule
        For data, key of the rule: `forecast`, `paper`, `quadratic` or `wang2020`; or
        `optimal`, the schedule of `inertial.runs.scheduled.tune_schedule`, and constants where its
        promise is not kept.
    batch
        Rows of the batches to tune for instead of all rows, and no rule is asked.  For data, the
        best settings come from `inertial.runs.batches.tune_batch`; for a problem all trials train
        on such batches, fresh ones unless ``order="shuffled"``.
    spectrum, weights
        Instead of data, what `Measure.from_spectrum` takes: no network is trained.
    kernel, residual
        Instead of data, what `Measure.from_kernel` takes: no network is trained.
    options
        `target`, the share of the loss at the start to reach, in (0, 1): 0.1 unless given, and 0.01
        for data; `trials`, the settings that are trained at most (0 for the forecast alone).  For
        data not loaded yet also the options of `load`, such as `label`, but for its seed; for
        data also `width`, the neurons that trust and runs are for, and `seed`, that of the start
        that is trained: the best method is trained once, if it promises at most 1,000 steps; if the
        run is more than 20 % off, settings are searched as for a problem
        (`inertial.runs.check.search`), and if not, a setting for this very start is tried where it
        promises a fifth fewer steps.  `decay` is the rate of weight decay, with
        which step size and limit are those of the shifted eigenvalues, and steps are those of the
        loss without the penalty.  For a problem, which has its own decay, also `methods`, the
        families to search (`gradient_descent`, `heavy_ball`, `nesterov`, `adam`, `rmsprop`; the two
        with momentum unless given), `passes` after which a search ends, `against`, a setting to
        compare with, and `seed`.  `progress`
        is told what is done, how much of it, and of how much.  Where data or problem have test
        rows, the advice has what happens there, and when to stop:
        `inertial.runs.stopping.Stopping`.

    Raises
    ------
    InvalidInput
        If the rule or target makes no sense, or the kernel is singular.

    """
    if more:
        raise InvalidInput(
            "tune takes inputs and targets, or a problem, and all else by name; a model goes with "
            "its data into Problem(model, x, y, loss=...), or where it is PyTorch's into "
            "inertial.torch.problem(module, x, y, loss=...)."
        )
    if isinstance(y, str) and rule is None:
        rule, y = y, None
    own = _own_measure(spectrum, weights, kernel, residual)
    if own is not None and (data is not None or y is not None):
        raise InvalidInput("data and a spectrum or kernel are both given; give one of them.")
    subject, of_load = (data if own is None else own), None
    if not isinstance(subject, Data | Measure) and not hasattr(subject, "linearise"):
        of_load = {name: options.pop(name) for name in _OF_LOAD & set(options)}
        subject, y = _loaded(subject, y, of_load), None
    if y is not None:
        raise InvalidInput("y is given beside data that have targets; leave y out.")
    function, given = _way(subject, rule, batch)
    if function in (tune_batch, tune_schedule) and "decay" in options:
        raise InvalidInput(
            "weight decay goes with rules of constants on all rows; leave decay out, or take "
            "compare with Settings(decay=), which has batches and methods=['optimal'] too."
        )
    taken = [] if isinstance(subject, Measure) else ["batch"]
    if of_load is not None:
        taken.extend(sorted(_OF_LOAD))
    _check_options(function, options, taken)
    advice: Advice | ModelAdvice | BatchAdvice | ScheduleAdvice
    advice = function(subject, *given, **options)
    return advice


def _own_measure(
    spectrum: ArrayLike | None,
    weights: ArrayLike | None,
    kernel: ArrayLike | None,
    residual: ArrayLike | None,
) -> Measure | None:
    """Return the measure of what was given instead of data, or None."""
    if spectrum is not None and kernel is None and residual is None:
        return Measure.from_spectrum(spectrum, weights)
    if kernel is not None and residual is not None and spectrum is None and weights is None:
        return Measure.from_kernel(kernel, residual)
    if any(part is not None for part in (spectrum, weights, kernel, residual)):
        raise InvalidInput(
            "a measure of your own is a spectrum, with weights if you know them, or a kernel with "
            "a residual; give one of the two."
        )
    return None


_OF_LOAD = {
    name
    for name, parameter in inspect.signature(load).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
} - {"seed"}
"""Options of `load`; a seed is that of the start."""


def _loaded(data: object, y: object, options: Mapping[str, Any]) -> Data:
    """Load what `load` takes; anything else is no subject of advice."""
    if data is None:
        raise InvalidInput(
            "there is nothing to tune; give first, without a name, a Problem, x and y, what load() "
            "takes or returned, or a Measure: tune(measure)."
        )
    if any(kind.__module__.startswith("torch.nn.") for kind in type(data).__mro__):
        raise InvalidInput(
            "there is nothing to tune in a PyTorch module alone; give it with its data and loss: "
            "tune(inertial.torch.problem(module, x, y, loss=...))."
        )
    others = callable(data) or hasattr(data, "init")  # a model has no rows
    if others or isinstance(data, bool | int | float | complex | Recursion):
        raise InvalidInput(
            f"there is nothing to tune in a {type(data).__name__!r}; give a Problem, x and y, what "
            "load() takes or returned, or a Measure."
        )
    return load(data, y, **options)


def _way(
    subject: object, rule: str | None, batch: int | None
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the function that tunes a subject, and what it is given besides."""
    if batch is not None:
        if isinstance(subject, Measure):
            raise InvalidInput(
                "batch is given with a measure, which has no rows to draw from; give the data or a "
                "problem, or leave batch out."
            )
        if rule is not None:
            raise InvalidInput("a batch has a rule of its own; leave out the rule or the batch.")
        if isinstance(subject, Data):
            return tune_batch, (batch,)
        return partial(tune_problem, batch=batch), ()
    if isinstance(subject, Data):
        return (
            (tune_schedule, ())
            if rule == OPTIMAL
            else (_tune_data, (DEFAULT_RULE if rule is None else rule,))
        )
    if isinstance(subject, Measure):
        return _tune_measure, (DEFAULT_RULE if rule is None else rule,)
    if rule is not None:
        raise InvalidInput(
            f"rule is {printable(rule)!r}, but a problem is tuned by trials; leave it out."
        )
    return tune_problem, ()


def _check_options(
    function: Callable[..., Any], options: Mapping[str, Any], taken: Iterable[str]
) -> None:
    """Name an option that the function does not have; `taken` are those that it does not see."""
    parameters = inspect.signature(function).parameters.values()
    own = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    known = dict.fromkeys(["rule", *taken, *own])
    of_problem = getattr(function, "func", function) is tune_problem
    for name in options:
        if of_problem and name in ("decay", "loss", "test"):
            raise InvalidInput(
                f"{name} is part of a problem; give it to Problem or to inertial.torch.problem."
            )
        one_of("the option", name, known)


def _tune_measure(measure: Measure, rule: str, *, target: float = 0.01) -> Advice:
    """Tune every method that `rule` defines for a measure; no network is trained."""
    if rule == OPTIMAL:
        raise InvalidInput(
            "a measure alone is tuned for a constant step size and momentum; take "
            "optimal_schedule(measure, steps) of inertial for a schedule, or give the data."
        )
    names = RULES[one_of("rule", rule, RULES)].methods
    fraction("target", target)
    stays = unreachable_share(measure)
    if stays >= target:
        raise InvalidInput(
            f"no gradient method gets below {100 * stays:.3g} % of the loss, which lies where the "
            f"kernel is 0 to within {RESOLUTION:g} of its largest eigenvalue, and stays; give a "
            "target above that share."
        )
    entries = [
        forecast_entry(name, choose(rule, name, measure, target=target), rule, measure, target)
        for name in names
    ]
    return Advice(None, measure, target, tuple(entries), fewest_steps(measure, target))


def _tune_data(
    data: Data,
    rule: str,
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = TRIALS,
    seed: int = 0,
    decay: float = 0.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Advice:
    """Tune every method that `rule` defines, forecast its steps to `target`, check the best."""
    names = RULES[one_of("rule", rule, (*RULES, OPTIMAL))].methods
    fraction("target", target)
    whole("width", width)
    if whole("trials", trials, least=0):
        measurable(target, "float32", UNTRAINED)
    dense = need_of(data.x).route == "dense"
    if nonnegative("decay", decay) and not dense:
        raise InvalidInput(
            f"weight decay needs every eigenvalue, and {len(data.x):,} rows have too many; take "
            "fewer with --n, or give a model."
        )
    basis, kernel = spectrum_of(data) if dense else (None, measure_of(data, progress=progress))
    measure = kernel.shifted(decay) if decay else kernel
    starts = None if basis is None else Starts(data, basis, seed)
    own = None if starts is None else starts.at(width)
    floor, targets = 0.0, None
    if decay and basis is not None:
        targets = basis.modes(data.y)
        left = targets * decay / (basis.eigenvalues + decay)
        floor = float(left @ left) / kernel.total
    chosen = {name: choose(rule, name, measure, target=target) for name in names}
    entries = [
        forecast_entry(
            name,
            method,
            rule,
            kernel,
            target,
            targets,
            decay=decay,
            trust=None
            if decay
            else judged(
                method, measure, own, width, target=target, rows=len(data.x), inputs=data.x.shape[1]
            ),
        )
        for name, method in chosen.items()
    ]
    bound = None if decay else fewest_steps(measure, target)
    advice = Advice(
        data.provenance,
        kernel,
        target,
        tuple(entries),
        bound,
        decay=decay,
        floor=floor,
        targets=targets,
    )
    best = advice.best
    if not decay:
        trusted = proposed(
            best.method, measure, starts, width, target=target, rows=len(data.x),
            inputs=data.x.shape[1],
        )  # fmt: skip
        methods = tuple(
            dataclasses.replace(entry, trust=trusted) if entry is best else entry
            for entry in entries
        )
        advice = dataclasses.replace(advice, methods=methods)
    if trials and best.steps_to is not None and best.steps_to <= LONGEST:
        if progress is not None:
            progress("training", 0, 1)
        first = check(
            best.method, data, measure, basis, name=best.name, width=width, seed=seed,
            target=target, decay=decay,
        )  # fmt: skip
        runs: tuple[Check, ...] = (first,)
        if not first.kept:
            runs = search(
                first, data, measure, basis, trials=trials, decay=decay, progress=progress
            )
        elif basis is not None and not decay:
            runs = from_start(first, data, measure, basis, trials=trials)
        advice = dataclasses.replace(advice, checks=runs)
    if data.test is None:
        return advice
    run = advice.replaced or advice.nearest
    name, steps = (
        (best.name, best.steps_to) if run is None else (run.name, run.settles or run.measured)
    )
    stopping = stopping_of_data(
        advice.setting, data, basis, name=name, width=width, seed=seed, steps=horizon(steps),
        train=bool(trials), decay=decay,
    )  # fmt: skip
    return dataclasses.replace(advice, stopping=stopping)
