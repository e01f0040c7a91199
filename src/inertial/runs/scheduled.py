"""The rule `optimal`: a step size and a momentum for each step, judged and checked."""

import dataclasses
from dataclasses import dataclass

from inertial._checks import InvalidInput, fraction, whole
from inertial.data import Data, Provenance
from inertial.linear.expected import measure_of, need_of, spectrum_of
from inertial.linear.measure import Measure
from inertial.method.bound import fewest_steps
from inertial.method.curve import steps_to
from inertial.method.recursion import Recursion
from inertial.method.schedule import optimal_schedule
from inertial.method.trust import Trust, trust
from inertial.runs.check import LONGEST, Check, check

OPTIMAL = "optimal"
"""Key of the rule."""

_BEYOND = 3
"""Entries that are made, as a multiple of the steps: a start may take longer than the mean."""


@dataclass(frozen=True)
class ScheduleAdvice:
    """What `tune` returns for the rule `optimal`.

    `steps_to` is the forecast step at the target; `method` has entries for three times as many.
    `bound` is the steps that no gradient method can undercut; `check` a real run, if there was one.
    """

    data: Provenance
    measure: Measure
    target: float
    method: Recursion
    steps_to: int
    trust: Trust
    bound: int | None
    check: Check | None = None


def tune_schedule(
    data: Data, *, target: float = 0.01, width: int = 2000, trials: int = 1
) -> ScheduleAdvice:
    """Make the smoothed optimal schedule for data, and train the papers' network with it once.

    Parameters
    ----------
    data
        What `load` returned.
    target
        Share of the initial loss to reach, in (0, 1).
    width
        Neurons that trust and the run are for.
    trials
        0 for the forecast alone.

    Raises
    ------
    InvalidInput
        If an argument makes no sense, the kernel is singular, or the target is beyond 1,000 steps.

    """
    fraction("target", target)
    whole("width", width)
    whole("trials", trials, least=0)
    dense = need_of(data.x).route == "dense"
    spectrum, measure = spectrum_of(data) if dense else (None, measure_of(data))
    whole_length = optimal_schedule(measure, LONGEST)
    steps = steps_to(whole_length, measure, target)
    if steps is None:
        raise InvalidInput(
            f"the schedule does not reach {target:g} of the loss in {LONGEST:,} steps; take a "
            "larger target, or the rule forecast."
        )
    # Its first entries do not depend on how many are made.
    method = optimal_schedule(measure, max(1, min(LONGEST, _BEYOND * steps)))
    judged = trust(method, measure, width, target=target, rows=len(data.x))
    bound = fewest_steps(measure, target)
    advice = ScheduleAdvice(data.provenance, measure, target, method, steps, judged, bound)
    if not trials:
        return advice
    run = check(method, data, measure, spectrum, name="schedule", width=width, target=target)
    return dataclasses.replace(advice, check=run)
