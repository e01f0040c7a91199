"""What `inertial tune --batch` prints."""

import dataclasses
from typing import TYPE_CHECKING, Any

from inertial import _json
from inertial.commands.terminal import show_table, write

if TYPE_CHECKING:
    from inertial.runs.batches import BatchAdvice


def show(advice: "BatchAdvice", *, as_json: bool) -> None:
    """Print the recommendation for a batch, the lines to copy, and the table."""
    if as_json:
        write(_json.dumps(_document(advice)))
    else:
        show_table(advice)


def _document(advice: "BatchAdvice") -> dict[str, Any]:
    data = dataclasses.asdict(advice.data)
    return {
        "recommendation": advice.recommendation,
        "batch": advice.batch,
        "target": advice.target,
        "data": {key: data[key] for key in ("name", "n", "d", "task", "sha256")},
        "sizes": dataclasses.asdict(advice.sizes),
        "checks": [] if advice.check is None else [advice.check.document],
        "methods": [
            {
                "method": entry.name,
                **dict(zip(("eta", "beta", "gamma"), entry.method.constant, strict=True)),
                "stability_limit": entry.eta_limit,
                "steps_to": entry.steps_to,
                "samples_to": entry.samples_to,
            }
            for entry in advice.methods
        ],
    }
