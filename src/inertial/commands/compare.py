"""`inertial compare`: train with several methods from the same starts, beside the forecast."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from inertial import _json
from inertial._checks import one_of
from inertial.commands.options import (
    DATA,
    DataOptions,
    Whole,
    Words,
    command_line,
    read_seeds,
    split,
)
from inertial.commands.terminal import console, progress, table, write

if TYPE_CHECKING:
    from inertial.runs.comparison import Comparison
    from inertial.runs.measures import Summary


def compare(
    data: str,
    *,
    methods: Words | None = None,
    width: Whole = 2000,
    seeds: str = "5",
    steps: Whole = 200,
    rule: str = "forecast",
    eta: float | None = None,
    beta: float | None = None,
    target: float = 0.01,
    kernel: Literal["infinite", "finite"] = "infinite",
    precision: Literal["float32", "float64"] = "float32",
    flows: Words = (),
    record: Words = (),
    out: Path | None = None,
    json: bool = False,
    options: DataOptions = DATA,
) -> None:
    """Train DATA with several methods from the same starts, beside the exact forecast.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a table (CSV, Parquet) or .npz file.
    methods
        Among gradient_descent, heavy_ball and nesterov (default: all).
    width
        Neurons of the hidden layer.
    seeds
        How many random starts, or which ones: `5`, or `3,7,11` (`7,` for one).
    steps
        Number of updates.
    rule
        Where step size and momentum come from: forecast, paper, quadratic or wang2020.
    eta
        Step size by hand, instead of a rule.
    beta
        Momentum by hand, with eta; the methods that have one need it.
    target
        Share of the initial loss the rule `forecast` aims at.
    kernel
        Kernel of the forecast: infinite, or finite for each seed's own.
    precision
        Arithmetic of training: float32 or float64.
    flows
        Flows to set beside the methods: gradient_flow, newton_flow, heavy_ball_flow,
        high_resolution_heavy_ball, nesterov_flow, high_resolution_nesterov.
    record
        What to store besides: `residuals` for every run's residual vector at every step.
    out
        Folder to create (default: runs/compare-DATA-TIME).
    json
        Print one JSON document instead of the table.
    """
    from inertial.method.recursion import FAMILIES, METHODS
    from inertial.runs.comparison import compare as run_comparison
    from inertial.runs.settings import Settings
    from inertial.view.figures import save_convergence

    settings = Settings(
        methods=METHODS
        if methods is None
        else tuple(one_of("method", word, FAMILIES) for word in split(methods)),
        width=width,
        seeds=read_seeds(seeds),
        steps=steps,
        rule=rule,
        eta=eta,
        beta=beta,
        target=target,
        kernel=kernel,
        precision=precision,
        record_residuals=_records_residuals(record),
        flows=split(flows),
    )
    with progress() as show:
        result = run_comparison(
            options.load(data),
            settings,
            out=out,
            command=command_line(),
            progress=show,
            draw=save_convergence,
        )
    figure = next(result.run.glob("convergence.png"), None)
    if json:
        document = {
            "run": str(result.run),
            "wall_seconds": result.wall_seconds,
            "methods": [asdict(row) for row in result.methods],
        }
        write(_json.dumps(document))
    else:
        _show(result, figure)


def _records_residuals(record: tuple[str, ...]) -> bool:
    for word in split(record):
        one_of("record", word, ("residuals",))
    return bool(record)


def _show(result: "Comparison", figure: Path | None) -> None:
    """Print one column per method, and where figure and run are."""
    from inertial.method.recursion import label

    out = console()
    for line in _trust(result.methods):
        out.print(line, style="bold")
    rows = table([label(row.method) for row in result.methods])
    for title, *cells in _rows(result.methods):
        rows.add_row(title, *cells)
    out.print(rows)
    out.print(
        "forecast error: largest gap between the norms of measured and forecast residual, "
        "as a share of the first norm"
    )
    out.print(
        f"\nrun     {result.run}" if figure is None else f"\nfigure  {figure}\nrun     {result.run}"
    )
    out.print(f"time    {result.wall_seconds:.1f} s")


def _trust(methods: "Sequence[Summary]") -> Iterator[str]:
    """Say first which runs left their forecast, and for which method it is least to be trusted."""
    from inertial.method.recursion import label

    strayed = [label(row.method) for row in methods if row.unforeseen]
    if strayed:
        yield (
            f"The forecast does not describe this run: {' and '.join(strayed)} diverged, and their "
            "forecasts do not."
        )
    known = [(row.trust, row.method) for row in methods if row.trust is not None]
    if known:
        least, name = max(known, key=lambda pair: pair[0].strain)
        whose = f", least for {label(name)}" if len(known) > 1 else ""
        yield f"Trust{whose}: {least.sentence}"


def _rows(methods: "Sequence[Summary]") -> Iterator[Sequence[str]]:
    """Rows of the table: a title, then one cell per method."""
    from inertial.runs.shown import count

    yield ("rule", *(row.rule for row in methods))
    yield ("eta", *(f"{row.eta:.5g}" for row in methods))
    yield ("beta", *(f"{row.beta:.5g}" for row in methods))
    for fraction in methods[0].steps_to:
        pairs = [row.steps_to[fraction] for row in methods]
        yield (
            f"steps to {100 * float(fraction):g} %: forecast / run",
            *(f"{count(pair['predicted'])} / {count(pair['measured'])}" for pair in pairs),
        )
    yield ("final loss, mean", *(f"{row.loss_last_mean:.4g}" for row in methods))
    yield (
        "final loss, range",
        *(f"{row.loss_last_min:.3g} to {row.loss_last_max:.3g}" for row in methods),
    )
    yield ("largest distance from start", *(f"{row.max_distance_mean:.3g}" for row in methods))
    yield ("changed patterns", *(f"{100 * row.pattern_change_mean:.2g} %" for row in methods))
    yield ("trust", *("–" if row.trust is None else row.trust.verdict for row in methods))
    yield ("forecast error", *(f"{row.forecast_error:.2g}" for row in methods))
    if any(row.status != "finished" for row in methods):
        yield ("status", *(row.status for row in methods))
