"""What `inertial tune --rule optimal` prints."""

import dataclasses
from typing import TYPE_CHECKING, Any

from inertial import _json
from inertial.commands.terminal import console, count, write

if TYPE_CHECKING:
    from inertial.runs.scheduled import ScheduleAdvice

_FIRST = 6
"""Entries that are shown beside each other; the lines to copy have all."""


def show(advice: "ScheduleAdvice", *, as_json: bool) -> None:
    """Print trust, the schedule's first entries, and lines to copy for three libraries."""
    from inertial.method.schedule import keras_lines, to_optax_schedules

    if as_json:
        write(_json.dumps(_document(advice)))
        return
    out, method, n = console(), advice.method, advice.data.n
    out.print(f"Trust: {advice.trust.sentence}")
    out.print(_recommendation(advice), style="bold")
    out.print(_checked(advice))
    eta, beta, _ = method.coefficients(0, min(_FIRST, method.steps or _FIRST))
    out.print(f"eta_t   {', '.join(f'{v:.4g}' for v in eta)}, ...")
    out.print(f"beta_t  {', '.join(f'{v:.4g}' for v in beta)}, ...")
    out.print(
        "\n# for the papers' two-layer ReLU network and the loss\n"
        f"# 0.5 * ((f - y) ** 2).sum() over all {n:,} rows, in full batches"
    )
    rate, momentum = to_optax_schedules(method)
    for name, values in (("RATE", rate), ("MOMENTUM", momentum)):
        out.print(f"{name} = [{', '.join(f'{v:.9g}' for v in values)}]")
    out.print(
        "# optax, with rate, momentum = jnp.array(RATE), jnp.array(MOMENTUM):\n"
        "optax.inject_hyperparams(optax.sgd)(\n"
        "    learning_rate=lambda t: rate[t], momentum=lambda t: momentum[t])\n"
        "# PyTorch, before step t of torch.optim.SGD:\n"
        "for group in optimizer.param_groups: group.update(lr=RATE[t], momentum=MOMENTUM[t])\n"
        "# Keras:"
    )
    out.print(keras_lines(method))


def _recommendation(advice: "ScheduleAdvice") -> str:
    bound = "" if advice.bound is None else f" (no gradient method below {advice.bound})"
    return (
        f"Use the optimal schedule: {advice.steps_to} steps to {advice.target:.3g} of the initial "
        f"loss, forecast at infinite width{bound}."
    )


def _checked(advice: "ScheduleAdvice") -> str:
    run = advice.check
    if run is None:
        return "Unchecked: no network was trained."
    missed = "diverged" if run.diverged else f"not reached in {run.steps:,}"
    measured = missed if run.measured is None else count(run.measured)
    kept = "" if run.kept else " The promise does not hold."
    return (
        f"Checked by a real run (width {run.width:,}, seed {run.seed}): promised "
        f"{count(run.promised)} steps for this start, measured {measured}.{kept}"
    )


def _document(advice: "ScheduleAdvice") -> dict[str, Any]:
    data, method = dataclasses.asdict(advice.data), advice.method
    return {
        "trust": dataclasses.asdict(advice.trust),
        "recommendation": _recommendation(advice),
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
