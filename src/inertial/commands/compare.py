"""`inertial compare`: train with several methods from the same starts, beside the forecast."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inertial import _json, files
from inertial._checks import InvalidInput, nonnegative, one_of
from inertial.commands.options import (
    ANOTHER_CSV,
    DATA,
    ONE_DEVICE,
    DataOptions,
    DeviceOptions,
    Out,
    Whole,
    Words,
    command_line,
    read_seeds,
    split,
)
from inertial.commands.terminal import console, progress, say, table, write

if TYPE_CHECKING:
    from inertial.runs.compared import Comparison
    from inertial.runs.settings import ModelSettings, Settings

_OPTIONS = {
    "width": "--width",
    "kernel": "--kernel",
    "precision": "--precision",
    "record_residuals": "--record",
    "flows": "--flows",
}
"""Options of the papers' network alone, by the settings that they are."""


def compare(
    data: str,
    *,
    model: str | None = None,
    loss: str | None = None,
    methods: Words | None = None,
    width: Whole | None = None,
    seeds: str = "5",
    steps: Whole = 200,
    rule: str | None = None,
    eta: float | None = None,
    beta: float | None = None,
    target: float | None = None,
    kernel: Literal["infinite", "finite"] | None = None,
    precision: Literal["float32", "float64"] | None = None,
    flows: Words = (),
    batch: Whole | None = None,
    order: Literal["fresh", "shuffled"] | None = None,
    record: Words = (),
    test: str | None = None,
    decay: float = 0.0,
    checkpoint: Path | None = None,
    out: Out | None = None,
    csv: Path | None = None,
    json: bool = False,
    options: DataOptions = DATA,
    spread: DeviceOptions = ONE_DEVICE,
) -> None:
    """Train DATA with several methods from the same starts, beside the forecast.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a table (CSV, Parquet) or .npz file.
    model
        Another network than the papers': mlp:256x2 (or mlp:300,100, with :tanh or :gelu behind it),
        or module:function, where function(inputs, outputs) returns (params, apply) for JAX or a
        torch.nn.Module; it is called for every start if it takes a seed or a key.
    loss
        Loss of that model: mse, half_sum, cross_entropy or binary_cross_entropy (default: by the
        targets).
    methods
        Among gradient_descent, heavy_ball, nesterov and quasi_hyperbolic (default: the first
        three), optimisers of optax as they are (adam, rmsprop, lion and others), and for the
        papers' network the schedules optimal and chebyshev.
    width
        Neurons of the hidden layer of the papers' network (default: 2000).
    seeds
        How many random starts, or which ones: `5`, or `3,7,11` (`7,` for one).
    steps
        Number of updates.
    rule
        Where step size and momentum come from: forecast, paper, quadratic or wang2020 (default:
        forecast), or optimal or chebyshev for that schedule beside the methods by forecast; with
        --model, trials for what inertial tune finds by real runs, or forecast (default: trials).
    eta
        Step size by hand, instead of a rule.
    beta
        Momentum by hand, with eta; the methods that have one need it.
    target
        Share of the initial loss that is aimed at (default: 0.01, or 0.1 with --model).
    kernel
        Kernel of the papers' network's forecast: infinite, or finite for each seed's own (default:
        infinite).
    precision
        Arithmetic of the papers' network's training: float32 or float64 (default: float32).
    flows
        Flows to set beside the papers' network: gradient_flow, newton_flow, heavy_ball_flow,
        high_resolution_heavy_ball, nesterov_flow (of momentum t/(t + 3)), high_resolution_nesterov.
    batch
        Rows whose gradient a step takes (default: all); the forecast is that of the expected loss.
    order
        Of the batches: fresh rows at each step, or shuffled for epochs (default: fresh).
    record
        What else to store of the papers' network: `residuals` for every run's residual vector at
        every step.
    test
        Hold out this share of the rows (0.2), or take the rows of this file, with the same columns:
        loss and accuracy there along forecast and run, and when to stop.
    decay
        Rate of weight decay, as weight_decay of torch.optim.SGD.
    checkpoint
        Folder to keep unfinished runs of the papers' network in, to go on from (default: with
        --processes, beside the run).
    out
        Folder to create (default: runs/compare-DATA-TIME).
    csv
        Write losses and distances as well, a row per run and step, to this CSV file.
    json
        Print one JSON document instead of the table.
    """
    if model is not None and checkpoint is not None:
        raise InvalidInput("--checkpoint is for the papers' network; leave it out with --model.")
    spread.begin()
    from inertial.problem.devices import first_process
    from inertial.runs.comparison import compare as run_comparison
    from inertial.runs.frames import to_dataframe, write_csv
    from inertial.view.figures import save_convergence

    if csv is not None:
        files.check_writable(csv, remedy=ANOTHER_CSV)
    common = {
        "methods": None if methods is None else split(methods),
        "seeds": read_seeds(seeds),
        "steps": steps,
        "rule": rule,
        "eta": eta,
        "beta": beta,
        "target": target,
        "batch": batch,
        "order": order,
    }
    own = {
        "width": width,
        "kernel": kernel,
        "precision": precision,
        "record_residuals": _records_residuals(record) or None,
        "flows": split(flows) or None,
        "devices": spread.devices if model is None else None,
    }
    nonnegative("decay", decay)
    settings = _settings(model, loss, common, own, decay)
    loaded: Any = options.load(data, test, model=model)
    if model is not None:
        from inertial.commands.models import starts_of

        loaded = starts_of(model, loaded, loss, decay=decay, devices=spread.devices)
        if not loaded.many and batch is None and len(read_seeds(seeds)) > 1:
            say("note", f"{model} takes no seed, so there is one start.")
            settings = replace(settings, seeds=read_seeds(seeds)[:1])
    with progress() as show:
        result = run_comparison(
            loaded,
            settings,
            out=out,
            command=command_line(),
            progress=show,
            draw=save_convergence,
            checkpoints=spread.folder(checkpoint, out),
        )
    if spread.processes > 1 and not first_process():
        return
    figure = next(result.run.glob("convergence.png"), None)
    if csv is not None:
        write_csv(to_dataframe(result.arrays), csv, remedy=ANOTHER_CSV)
    if json:
        document = {
            "run": str(result.run),
            "wall_seconds": result.wall_seconds,
            "methods": [asdict(row) for row in result.methods],
        }
        write(_json.dumps(document))
    else:
        _show(result, figure)
        if csv is not None:
            write(f"numbers {csv}\n")


def _settings(
    model: str | None,
    loss: str | None,
    common: dict[str, Any],
    own: dict[str, Any],
    decay: float,
) -> "Settings | ModelSettings":
    """Return the settings that were given: of the papers' network, or of a model."""
    from inertial.runs.settings import ModelSettings, Settings

    given = {name: value for name, value in common.items() if value is not None}
    of_network = {name: value for name, value in own.items() if value is not None}
    if model is None:
        if loss is not None:
            raise InvalidInput(
                "--loss needs a model to train; give one with --model, such as mlp:256x2."
            )
        return Settings(**given, **of_network, decay=decay)
    if of_network:
        words = " and ".join(_OPTIONS[name] for name in of_network)
        raise InvalidInput(f"{words}: for the papers' network; leave that out with --model.")
    return ModelSettings(**given)


def _records_residuals(record: tuple[str, ...]) -> bool:
    for word in split(record):
        one_of("record", word, ("residuals",))
    return bool(record)


def _show(result: "Comparison", figure: Path | None) -> None:
    """Print what a comparison says, and where figure and run are."""
    out = console()
    for line in result.about:
        out.print(line)
    for line in result.trust:
        out.print(line, style="bold")
    head, *body = result.rows
    rows = table(head[1:])
    for title, *cells in body:
        rows.add_row(title, *cells)
    out.print(rows)
    out.print(result.note)
    out.print(
        f"\nrun     {result.run}" if figure is None else f"\nfigure  {figure}\nrun     {result.run}"
    )
    out.print(f"time    {result.wall_seconds:.1f} s")
