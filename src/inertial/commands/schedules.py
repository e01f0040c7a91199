"""What `inertial tune --rule optimal` prints."""

import dataclasses
from typing import TYPE_CHECKING, Any

from inertial import _json
from inertial.commands.terminal import show_table, write

if TYPE_CHECKING:
    from inertial.runs.scheduled import ScheduleAdvice


def show(advice: "ScheduleAdvice", *, as_json: bool) -> None:
    """Print trust, the schedule's first entries, and lines to copy for three libraries."""
    if as_json:
        write(_json.dumps(_document(advice)))
    else:
        show_table(advice)


def _document(advice: "ScheduleAdvice") -> dict[str, Any]:
    data, method = dataclasses.asdict(advice.data), advice.method
    return {
        "trust": dataclasses.asdict(advice.trust),
        "recommendation": advice.recommendation,
        "bound": advice.bound,
        "checks": [] if advice.check is None else [advice.check.document],
        "target": advice.target,
        "data": {key: data[key] for key in ("name", "n", "d", "task", "sha256")},
        "methods": [
            {
                "method": "schedule",
                "rule": "optimal",
                "eta": method.eta,
                "beta": method.beta,
                "gamma": method.gamma,
                "steps_to": advice.steps_to,
            }
        ],
    }
