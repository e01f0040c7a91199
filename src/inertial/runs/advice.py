"""Advice for a data set: step size and momentum of every method, and how long training takes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from inertial._checks import InvalidInput, fraction, one_of
from inertial.data import Data, Provenance
from inertial.linear.expected import measure_of
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Extremes
from inertial.method.curve import steps_to
from inertial.method.modes import spectral_radius, stability_limit
from inertial.method.recursion import Recursion
from inertial.method.rules import DEFAULT_RULE, RULES, choose
from inertial.problem.problem import Trainable
from inertial.runs.tuning import ModelAdvice, tune_problem


@dataclass(frozen=True)
class MethodAdvice:
    """A tuned method with its forecast.

    `eta_limit` is the step size below which every mode decays at this momentum; `steps_to` is
    the forecast number of steps to the target, None if beyond the search limit.
    """

    name: str
    method: Recursion
    rule: str
    spectral_radius: float
    eta_limit: float
    steps_to: int | None


@dataclass(frozen=True)
class Advice:
    """What `tune` returns: the data, its expected measure, and one entry per method."""

    data: Provenance
    measure: Measure
    target: float
    methods: tuple[MethodAdvice, ...]

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
def tune(data: Data, rule: str = DEFAULT_RULE, *, target: float = 0.01) -> Advice: ...


def tune(
    data: Any,
    rule: str = DEFAULT_RULE,
    **options: Any,
) -> Advice | ModelAdvice:
    """Recommend step size and momentum: for a problem, or for data with the papers' network.

    Parameters
    ----------
    data
        A problem (`Problem`, or what `inertial.torch.problem` returns), which is tuned by
        `inertial.runs.tuning.tune_problem`; or what `load` returned, for the two-layer network of
        infinite width.
    rule
        For data, key of the rule: `forecast`, `paper`, `quadratic` or `wang2020`.
    options
        `target`, the share of the loss at the start to reach, in (0, 1): 0.1 unless given, and 0.01
        for data.  For a problem also `trials`, the settings that are trained at most (0 for the
        forecast alone), `against`, a setting to compare with, `seed` and `progress`.

    Raises
    ------
    InvalidInput
        If the rule or target makes no sense, or the kernel is singular.

    """
    if isinstance(data, Data):
        return _tune_data(data, rule, **options)
    if not hasattr(data, "linearise"):
        raise InvalidInput(
            f"there is nothing to tune in a {type(data).__name__!r}; give a Problem, or data that "
            "load() returned."
        )
    return tune_problem(data, **options)


def _tune_data(data: Data, rule: str = DEFAULT_RULE, *, target: float = 0.01) -> Advice:
    """Tune every method that `rule` defines and forecast its steps to `target`."""
    names = RULES[one_of("rule", rule, RULES)].methods
    fraction("target", target)
    measure = measure_of(data)
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
            )
        )
    return Advice(data.provenance, measure, target, tuple(entries))
