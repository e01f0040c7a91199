"""What `inertial tune --json` prints of each kind of advice."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from inertial.runs.check import first_step

if TYPE_CHECKING:
    from inertial.data import Provenance
    from inertial.runs.advised import Advice
    from inertial.runs.batches import BatchAdvice
    from inertial.runs.scheduled import ScheduleAdvice
    from inertial.runs.tuning import ModelAdvice


def of_advice(advice: "Advice") -> dict[str, Any]:
    """Return the advice for data or a measure as a JSON document."""
    data, ends = advice.data, advice.extremes
    return {
        "trust": advice.best.trust and asdict(advice.best.trust),
        "recommendation": advice.recommendation,
        "setting": dict(zip(("eta", "beta", "gamma"), advice.setting.constant, strict=True)),
        "steps": advice.steps,
        "steps_are": advice.steps_are,
        "share_of_limit": advice.share_of_limit,
        "growth": advice.growth,
        "bound": advice.bound,
        "checks": [run.document for run in advice.checks],
        "decay": advice.decay,
        "floor": advice.floor,
        "stopping": None if advice.stopping is None else advice.stopping.document,
        "target": advice.target,
        "data": data and _facts(data),
        "kernel": {
            "kind": "given" if data is None else "infinite",
            "lambda_min": ends.smallest,
            "lambda_max": ends.largest,
            "condition_number": ends.condition_number,
        },
        "methods": [
            {
                "method": entry.name,
                "rule": entry.rule,
                **dict(zip(("eta", "beta", "gamma"), entry.method.constant, strict=True)),
                "spectral_radius": entry.spectral_radius,
                "stability_limit": entry.eta_limit,
                "steps_to": entry.steps_to,
                "settles": entry.settles,
                "trust": entry.trust and asdict(entry.trust),
            }
            for entry in advice.methods
        ],
    }


def of_batch(advice: "BatchAdvice") -> dict[str, Any]:
    """Return the advice for a batch as a JSON document."""
    return {
        "trust": asdict(advice.trust),
        "recommendation": advice.recommendation,
        "batch": advice.batch,
        "target": advice.target,
        "data": _facts(advice.data),
        "setting": dict(zip(("eta", "beta", "gamma"), advice.setting.constant, strict=True)),
        "steps": advice.steps,
        "steps_are": advice.steps_are,
        "share_of_limit": advice.share_of_limit,
        "growth": advice.growth,
        "sizes": asdict(advice.sizes),
        "search": None
        if advice.searched is None
        else {
            "runs": len(advice.searched.trials),
            "measured": first_step(advice.searched.best.losses, advice.target),
            "settles": advice.searched.best.measured_steps,
            "other_draws": list(advice.searched.draws),
        },
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


def of_schedule(advice: "ScheduleAdvice") -> dict[str, Any]:
    """Return the advice of the rule `optimal` as a JSON document."""
    method = advice.method
    return {
        "trust": asdict(advice.trust),
        "recommendation": advice.recommendation,
        "bound": advice.bound,
        "setting": {name: getattr(advice.setting, name) for name in ("eta", "beta", "gamma")},
        "steps": advice.steps,
        "steps_are": advice.steps_are,
        "share_of_limit": advice.share_of_limit,
        "growth": advice.growth,
        "checks": [run.document for run in (advice.check, *advice.searched) if run is not None],
        "target": advice.target,
        "data": _facts(advice.data),
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


def of_model(advice: "ModelAdvice", data: "Provenance") -> dict[str, Any]:
    """Return the advice for a model on some data as a JSON document."""
    shown = [*advice.methods, *([advice.against] if advice.against else [])]
    return {
        "recommendation": advice.recommendation,
        "target": advice.target,
        "model": advice.model,
        "loss": advice.loss,
        "data": _facts(data),
        "checked": advice.checked,
        "trust": advice.trust,
        "bound": advice.bound,
        "unreachable": advice.unreachable,
        "passes": advice.passes,
        "decay": advice.decay,
        "batch": advice.batch,
        "order": None if advice.batch is None else advice.order,
        "other_draws": list(advice.draws),
        "repeats": list(advice.repeats),
        "repeats_leave": list(advice.repeats_leave),
        "stopping": None if advice.stopping is None else advice.stopping.document,
        "largest_eigenvalue": advice.largest[0],
        "lines": advice.lines.splitlines(),
        "methods": [
            {
                "method": entry.name,
                **dict(zip(("eta", "beta", "gamma"), entry.method.constant, strict=True)),
                "share_of_limit": entry.share,
                "steps_to": entry.steps_to,
                "measured_steps": entry.measured_steps,
                "leaves_at": entry.leaves,
                "lost": entry.lost,
                "trust": entry.trust,
            }
            for entry in shown
        ],
    }


def _facts(data: "Provenance") -> dict[str, Any]:
    """Return what tells data apart."""
    return {key: getattr(data, key) for key in ("name", "n", "d", "task", "sha256")}
