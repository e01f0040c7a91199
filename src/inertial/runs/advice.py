"""Advice for a data set: step size and momentum of every method, and how long training takes."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np

from inertial._checks import InvalidInput, fraction, one_of, whole
from inertial.data import Data, Provenance
from inertial.linear.expected import measure_of, need_of, spectrum_of
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Extremes
from inertial.method.bound import fewest_steps
from inertial.method.curve import steps_to
from inertial.method.modes import spectral_radius, stability_limit
from inertial.method.recursion import Recursion
from inertial.method.rules import DEFAULT_RULE, RULES, choose
from inertial.method.trust import Trust, trust
from inertial.problem.problem import Trainable
from inertial.runs.batches import BatchAdvice, tune_batch
from inertial.runs.check import LONGEST, Check, check, search
from inertial.runs.scheduled import OPTIMAL, ScheduleAdvice, tune_schedule
from inertial.runs.tuning import ModelAdvice, tune_problem


@dataclass(frozen=True)
class MethodAdvice:
    """A tuned method with its forecast.

    `eta_limit` is the step size below which every mode decays at this momentum; `steps_to` is
    the forecast number of steps to the target, None if beyond the search limit; `trust` says
    whether that holds at the width asked for.
    """

    name: str
    method: Recursion
    rule: str
    spectral_radius: float
    eta_limit: float
    steps_to: int | None
    trust: Trust


@dataclass(frozen=True)
class Advice:
    """What `tune` returns: the data, its expected measure, and one entry per method.

    `bound` is the steps to the target that no gradient method can undercut, on the linearised
    network; `checks` are the real runs, the one of the best method first.
    """

    data: Provenance
    measure: Measure
    target: float
    methods: tuple[MethodAdvice, ...]
    bound: int | None = None
    checks: tuple[Check, ...] = ()

    @property
    def measured(self) -> Check | None:
        """The run that reached the target first, or None."""
        reached = [run for run in self.checks if run.measured is not None]
        return min(reached, key=lambda run: run.measured or 0, default=None)

    @property
    def extremes(self) -> Extremes:
        """Both ends of the kernel's spectrum."""
        return self.measure.ends

    @property
    def best(self) -> MethodAdvice:
        """The method with the fewest forecast steps to the target, or the smallest radius."""
        return min(
            self.methods,
            key=lambda m: (math.inf if m.steps_to is None else m.steps_to, m.spectral_radius),
        )

    def of(self, name: str) -> MethodAdvice:
        """Return the entry of a method by name.

        Raises
        ------
        InvalidInput
            If the rule defines no such method.

        """
        entries = {entry.name: entry for entry in self.methods}
        return entries[one_of("method", name, entries)]


@overload
def tune(
    data: Trainable,
    /,
    *,
    target: float = 0.1,
    trials: int = ...,
    against: Recursion | Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> ModelAdvice: ...


@overload
def tune(  # type: ignore[overload-overlap]  # the rules of constants are any other word
    data: Data,
    rule: Literal["optimal"],
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = 1,
) -> ScheduleAdvice: ...


@overload
def tune(
    data: Data,
    rule: str = DEFAULT_RULE,
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = 6,
) -> Advice: ...


@overload
def tune(
    data: Data,
    /,
    *,
    batch: int,
    target: float = 0.01,
    width: int = 2000,
    trials: int = 1,
) -> BatchAdvice: ...


def tune(
    data: Any,
    rule: str = DEFAULT_RULE,
    *,
    batch: int | None = None,
    **options: Any,
) -> Advice | ModelAdvice | BatchAdvice | ScheduleAdvice:
    """Recommend step size and momentum: for a problem, or for data with the papers' network.

    Parameters
    ----------
    data
        A problem (`Problem`, or what `inertial.torch.problem` returns), which is tuned by
        `inertial.runs.tuning.tune_problem`; or what `load` returned, for the two-layer network of
        infinite width.
    rule
        For data, key of the rule: `forecast`, `paper`, `quadratic` or `wang2020`; or
        `optimal`, the schedule of `inertial.runs.scheduled.tune_schedule`.
    batch
        For data, rows of the fresh batches to tune for instead of all rows; the best settings for
        it come from `inertial.runs.batches.tune_batch`, and no rule is asked.
    options
        `target`, the share of the loss at the start to reach, in (0, 1): 0.1 unless given, and 0.01
        for data; `trials`, the settings that are trained at most (0 for the forecast alone).  For
        data also `width`, the neurons that trust and runs are for: the best method is trained once,
        if it promises at most 1,000 steps, and further settings are tried if the run is more than
        20 % off (`inertial.runs.check.search`).  For a problem also `against`, a setting to compare
        with, `seed` and `progress`.

    Raises
    ------
    InvalidInput
        If the rule or target makes no sense, or the kernel is singular.

    """
    if batch is not None:
        if not isinstance(data, Data) or rule != DEFAULT_RULE:
            raise InvalidInput(
                "a batch is for data that load() returned, and has a rule of its own; leave out "
                "the batch or the rule."
            )
        return tune_batch(data, batch, **options)
    if isinstance(data, Data) and rule == OPTIMAL:
        return tune_schedule(data, **options)
    if isinstance(data, Data):
        return _tune_data(data, rule, **options)
    if not hasattr(data, "linearise"):
        raise InvalidInput(
            f"there is nothing to tune in a {type(data).__name__!r}; give a Problem, or data that "
            "load() returned."
        )
    return tune_problem(data, **options)


def _tune_data(
    data: Data,
    rule: str = DEFAULT_RULE,
    *,
    target: float = 0.01,
    width: int = 2000,
    trials: int = 6,
) -> Advice:
    """Tune every method that `rule` defines, forecast its steps to `target`, check the best."""
    names = RULES[one_of("rule", rule, (*RULES, OPTIMAL))].methods
    fraction("target", target)
    whole("width", width)
    whole("trials", trials, least=0)
    whole_spectrum = need_of(data.x).route == "dense"
    basis, measure = spectrum_of(data) if whole_spectrum else (None, measure_of(data))
    spectrum = np.array([measure.smallest, *measure.nodes, measure.largest])
    entries = []
    for name in names:
        method = choose(rule, name, measure, target=target)
        entries.append(
            MethodAdvice(
                name,
                method,
                rule,
                spectral_radius(method, spectrum),
                stability_limit(method) / measure.largest,
                steps_to(method, measure, target),
                trust(method, measure, width, target=target, rows=len(data.x)),
            )
        )
    advice = Advice(data.provenance, measure, target, tuple(entries), fewest_steps(measure, target))
    best = advice.best
    if not trials or best.steps_to is None or best.steps_to > LONGEST:
        return advice
    run = check(best.method, data, measure, basis, name=best.name, width=width, target=target)
    runs = (run,) if run.kept else search(run, data, measure, basis, trials=trials)
    return dataclasses.replace(advice, checks=runs)
