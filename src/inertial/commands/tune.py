"""`inertial tune`: step size and momentum for a data set, and how long training will take."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inertial import _json, files
from inertial._checks import InvalidInput
from inertial.commands.options import DATA, DataOptions, Whole
from inertial.commands.terminal import console, count, say, table, write

if TYPE_CHECKING:
    from inertial.data import Data
    from inertial.method.trust import Trust
    from inertial.runs.advice import Advice

_WORTH_SAYING = 10.0
"""Seconds from which what a command will take is said beforehand."""

_ANOTHER = "give another path with --spectrum."


def tune(
    data: str,
    *,
    rule: str | None = None,
    target: float | None = None,
    width: Whole | None = None,
    model: str | None = None,
    loss: str | None = None,
    trials: Whole | None = None,
    batch: Whole | None = None,
    spectrum: Path | None = None,
    json: bool = False,
    options: DataOptions = DATA,
) -> None:
    """Recommend step size and momentum for DATA, and forecast how long training will take.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a table (CSV, Parquet) or .npz file.
    rule
        forecast, paper, quadratic, wang2020, or optimal for a step size and a momentum for each
        step (default: forecast), for the papers' network.
    target
        Share of the initial loss to reach (default: 0.01, or 0.1 with --model).
    width
        Neurons of the papers' network that the forecast is judged and checked for (default: 2000).
    model
        Another network than the papers': mlp:256x2 (or mlp:300,100, with :tanh or :gelu behind it),
        or module:function, where function(inputs, outputs) returns (params, apply) for JAX or a
        torch.nn.Module.  It is trained to check the recommendation.
    loss
        Loss of that model: mse, half_sum, cross_entropy or binary_cross_entropy (default: by the
        targets).
    trials
        Settings that are trained, at most (default: as many as pay; one if it keeps its promise on
        the papers' network); 0 gives the forecast alone, unchecked.
    batch
        Tune for fresh batches of this many rows instead of all: steps and samples of the expected
        loss, and the sizes at which noise limits the step and momentum pays.
    spectrum
        Write all eigenvalues, ascending, to this .npy file.
    json
        Print one JSON document instead of the table.
    """
    import numpy as np

    from inertial.linear.expected import eigenvalues_of, need_of
    from inertial.method.rules import DEFAULT_RULE
    from inertial.runs import advice

    _check_words(model, rule, loss, batch, spectrum)
    if model is not None:
        if rule is not None or spectrum is not None or width is not None:
            raise InvalidInput(
                "--rule, --width and --spectrum are for the papers' network; leave them out with "
                "--model."
            )
        _tune_model(model, options.load(data), target, loss, trials, as_json=json)
        return
    if spectrum is not None:
        files.check_writable(spectrum, remedy=_ANOTHER)
    loaded = options.load(data)
    need = need_of(loaded.x)
    if need.seconds > _WORTH_SAYING:
        say("note", f"this takes {need}")
    goal = 0.01 if target is None else target
    neurons = 2000 if width is None else width
    if batch is not None or rule == "optimal":
        once = 1 if trials is None else trials
        _tune_specially(loaded, batch, goal, neurons, once, as_json=json)
        return
    advised = advice.tune(
        loaded,
        rule or DEFAULT_RULE,
        target=goal,
        width=neurons,
        trials=6 if trials is None else trials,
    )
    if spectrum is not None:
        with files.writing(spectrum, remedy=_ANOTHER) as file:
            whole = advised.measure.proven is None
            np.save(file, advised.measure.nodes if whole else eigenvalues_of(loaded))
    if json:
        write(_json.dumps(_document(advised)))
    else:
        _show(advised)


def _check_words(
    model: str | None, rule: str | None, loss: str | None, batch: int | None, spectrum: Path | None
) -> None:
    """Refuse options that do not go with each other."""
    if batch is not None and any(word is not None for word in (model, rule, loss, spectrum)):
        raise InvalidInput(
            "--batch is for the papers' network with a rule of its own; leave out --model, --rule, "
            "--loss and --spectrum."
        )
    if loss is not None and model is None:
        raise InvalidInput(
            "--loss needs a model to train; give one with --model, such as mlp:256x2."
        )
    if spectrum is not None and rule == "optimal":
        raise InvalidInput("--spectrum goes with a rule of constants; leave it out with optimal.")


def _tune_specially(
    data: "Data", batch: int | None, target: float, width: int, trials: int, *, as_json: bool
) -> None:
    """Tune for a batch, or with the rule `optimal` if there is none, and print the advice."""
    from inertial.commands import batches, schedules
    from inertial.runs import advice

    if batch is None:
        found = advice.tune(data, "optimal", target=target, width=width, trials=trials)
        schedules.show(found, as_json=as_json)
    else:
        tuned = advice.tune(data, batch=batch, target=target, width=width, trials=trials)
        batches.show(tuned, as_json=as_json)


def _tune_model(
    model: str,
    data: "Data",
    target: float | None,
    loss: str | None,
    trials: int | None,
    *,
    as_json: bool,
) -> None:
    """Tune a model by real runs, and print the advice."""
    from inertial.commands.models import document, problem_of
    from inertial.commands.terminal import progress
    from inertial.runs.tuning import TRIALS, tune_problem

    with progress() as show:
        advice = tune_problem(
            problem_of(model, data, loss),
            target=0.1 if target is None else target,
            trials=TRIALS if trials is None else trials,
            progress=show,
        )
    if as_json:
        write(_json.dumps(document(advice, data)))
    else:
        console().print(str(advice))


def _show(advice: "Advice") -> None:
    """Print the recommendation, the lines to copy, and the table."""
    from inertial.linear.spectrum import known
    from inertial.method.conventions import snippet
    from inertial.method.recursion import label

    best, data, ends = advice.best, advice.data, advice.extremes
    out = console()
    out.print(f"Trust: {advice.best.trust.sentence}")
    out.print(_recommendation(advice), style="bold")
    out.print(_checked(advice))
    out.print(
        "\n# for the papers' two-layer ReLU network; "
        "for a model of your own: inertial tune --model\n"
        f"# for the loss 0.5 * ((f - y) ** 2).sum() over all {data.n:,} rows;\n"
        f"# for a mean over rows multiply eta by {data.n},\n"
        f"# for a mean of squares without the 0.5 by {data.n / 2:g}"
    )
    out.print(snippet(best.method))
    out.print(
        f"\n{data.name}: n = {data.n:,}, d = {data.d:,}; eigenvalues "
        f"{known(ends.smallest, ends.smallest_error)} to "
        f"{known(ends.largest, ends.largest_error)}, condition number "
        f"{known(ends.condition_number, ends.condition_error, 5)}"
    )
    rows = table([label(entry.name) for entry in advice.methods])
    for title, cell in (
        ("rule", lambda m: m.rule),
        ("eta", lambda m: f"{m.method.constant[0]:.5g}"),
        ("beta", lambda m: f"{m.method.constant[1]:.5g}"),
        ("spectral radius", lambda m: f"{m.spectral_radius:.6f}"),
        ("stability limit of eta", lambda m: f"{m.eta_limit:.5g}"),
        (f"steps to {100 * advice.target:g} %", lambda m: count(m.steps_to)),
    ):
        rows.add_row(title, *(cell(entry) for entry in advice.methods))
    out.print(rows)
    out.print("steps are forecast for the linearised network, from the expected initial loss")
    if advice.measure.proven is not None:
        out.print(
            "the measure is that of a block Krylov space: losses are right to a few thousandths"
        )
    if not ends.proven:
        out.print(
            "both ends are from products alone: the smallest eigenvalue may lie below the one given"
        )


def _checked(advice: "Advice") -> str:
    """Promised and measured steps side by side."""
    from inertial.method.recursion import label

    if not advice.checks:
        return "Unchecked: no network was trained."
    first, share = advice.checks[0], f"{advice.target:.3g}"
    got = "diverged" if first.diverged else f"not reached in {first.steps}"
    line = (
        f"Checked by a real run (width {first.width:,}, seed {first.seed}): {label(first.name)} "
        f"promised {count(first.promised)} steps for this start, measured "
        f"{count(first.measured) if first.measured is not None else got}."
    )
    if first.kept:
        return line
    runs, fastest = len(advice.checks), advice.measured
    if fastest is None:
        return f"{line} The promise does not hold; none of {runs} settings reached {share}."
    eta, beta, _ = fastest.method.constant
    return (
        f"{line} The promise does not hold; the fastest of {runs} settings on the real network is "
        f"{label(fastest.name)} with eta {eta:.4g}, momentum {beta:.4g}: {fastest.measured} steps."
    )


def _recommendation(advice: "Advice") -> str:
    from inertial.method.recursion import label

    best = advice.best
    eta, beta, _ = best.method.constant
    momentum = f", momentum {beta:.4g}" if beta else ""
    plain = advice.of("gradient_descent")
    others = []
    if best.name != "gradient_descent":
        others.append(f"gradient descent: {count(plain.steps_to)}")
    if advice.bound is not None:
        others.append(f"no gradient method below {advice.bound}")
    beside = f" ({'; '.join(others)})" if others else ""
    return (
        f"Use {label(best.name)} with eta {eta:.4g}{momentum}: "
        f"{count(best.steps_to)} steps to {advice.target:.3g} of the initial loss, forecast at "
        f"infinite width{beside}."
    )


def _document(advice: "Advice") -> dict[str, Any]:
    data, ends = advice.data, advice.extremes
    return {
        "trust": _trust_document(advice.best.trust),
        "recommendation": _recommendation(advice),
        "bound": advice.bound,
        "checks": [run.document for run in advice.checks],
        "target": advice.target,
        "data": {key: asdict(data)[key] for key in ("name", "n", "d", "task", "sha256")},
        "kernel": {
            "kind": "infinite",
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
                "trust": _trust_document(entry.trust),
            }
            for entry in advice.methods
        ],
    }


def _trust_document(found: "Trust") -> dict[str, Any]:
    return {
        key: getattr(found, key)
        for key in ("movement", "strain", "width", "width_needed", "verdict", "remedy")
    }
