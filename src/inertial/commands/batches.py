"""What `inertial tune --batch` prints."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from inertial import _json
from inertial.commands.terminal import console, count, table, write

if TYPE_CHECKING:
    from inertial.method.batch import BatchSizes
    from inertial.runs.batches import BatchAdvice


def show(advice: "BatchAdvice", *, as_json: bool) -> None:
    """Print the recommendation for a batch, the lines to copy, and the table."""
    from inertial.method.conventions import snippet
    from inertial.method.recursion import Recursion, label

    if as_json:
        write(_json.dumps(_document(advice)))
        return
    n, batch = advice.data.n, advice.batch
    out = console()
    out.print(_recommendation(advice), style="bold")
    out.print(_checked(advice))
    out.print(_sizes(advice.sizes, n))
    eta, beta, gamma = advice.best.method.constant
    out.print(
        "\n# for the papers' two-layer ReLU network and the loss "
        "(0.5 * ((f - y) ** 2)).mean() over the batch;\n"
        "# for a mean of squares without the 0.5 divide the step size by 2"
    )
    out.print(snippet(Recursion(eta * n, beta, gamma)))
    out.print(
        f"\n{advice.data.name}: n = {n:,}, batches of {batch:,}; eta below is for the sum over all "
        f"{n:,} rows"
    )
    rows = table([label(entry.name) for entry in advice.methods])
    for title, *cells in _rows(advice):
        rows.add_row(title, *cells)
    out.print(rows)
    out.print(
        "steps are those of the expected loss of all rows, on fresh batches, at infinite width"
    )


def _rows(advice: "BatchAdvice") -> Iterator[Sequence[str]]:
    """Rows of the table: a title, then one cell per method."""
    methods, share = advice.methods, f"{100 * advice.target:g} %"
    yield ("eta", *(f"{m.method.constant[0]:.5g}" for m in methods))
    yield ("beta", *(f"{m.method.constant[1]:.5g}" for m in methods))
    yield ("stability limit of eta", *(f"{m.eta_limit:.5g}" for m in methods))
    yield (f"steps to {share}", *(count(m.steps_to) for m in methods))
    yield (f"samples to {share}", *(count(m.samples_to) for m in methods))


def _recommendation(advice: "BatchAdvice") -> str:
    from inertial.method.recursion import label

    best, plain = advice.best, advice.methods[0]
    eta, beta, _ = best.method.constant
    momentum = f", momentum {beta:.4g}" if beta else ""
    steps = (
        "more than 5,000 steps"
        if best.steps_to is None
        else f"{best.steps_to:,} steps, {best.samples_to:,} samples,"
    )
    beside = (
        "" if best.name == plain.name else f" ({label(plain.name)}: {count(plain.steps_to)} steps)"
    )
    return (
        f"On batches of {advice.batch:,} use {label(best.name)} with eta {eta:.4g}{momentum}: "
        f"{steps} to {advice.target:.3g} of the initial loss, forecast at infinite width{beside}."
    )


def _checked(advice: "BatchAdvice") -> str:
    from inertial.method.recursion import label

    run = advice.check
    if run is None:
        return "Unchecked: no network was trained."
    missed = "diverged" if run.diverged else f"not reached in {run.steps:,}"
    measured = missed if run.measured is None else count(run.measured)
    kept = "" if run.kept else " The promise does not hold."
    return (
        f"Checked by a real run on such batches (width {run.width:,}, seed {run.seed}): "
        f"{label(run.name)} promised {count(run.promised)} steps for this start, measured "
        f"{measured}.{kept}"
    )


def _sizes(sizes: "BatchSizes", rows: int) -> str:
    """Say from which batch on noise matters less, and momentum pays."""
    pays = sizes.momentum_pays_above
    full = (
        f"momentum pays in full from batches of {math.ceil(pays):,}"
        if pays <= rows
        else "momentum does not pay in full on batches of these rows"
    )
    return f"Noise limits the step on batches below {sizes.noise_limits_below:.3g} rows; {full}."


def _document(advice: "BatchAdvice") -> dict[str, Any]:
    data = dataclasses.asdict(advice.data)
    return {
        "recommendation": _recommendation(advice),
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
