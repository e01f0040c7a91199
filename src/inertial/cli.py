"""The commands: parse, call, print.  Heavy imports wait until a command runs.

Tables and JSON go to standard output; progress, notes and warnings to standard error.  Exit codes:
0, 2 for a mistake in what was passed in, 130 after Ctrl-C.
"""

import shlex
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from inertial import __version__
from inertial._checks import InvalidInput, one_of

if TYPE_CHECKING:
    from inertial.data import Data

ROWS = 1_000
"""Rows that a command takes unless --n says otherwise: enough to see everything, in seconds."""

app = App(
    name="inertial",
    help="Momentum on wide neural networks: tune it, train with it, and set the exact forecast of "
    "the linearised network beside the truth.",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
data_app = App(name="data", help="What data there is, where it lies, and how to get it.")
app.command(data_app)


@Parameter(name="*")
@dataclass(frozen=True)
class DataOptions:
    """How to load and prepare the data."""

    n: int | None = None
    "Rows to take, first in file order (default: up to 1,000)."
    data_dir: Path | None = None
    "Folder to look in first (default: the one INERTIAL_DATA names)."
    label: str | None = None
    "Target column of a .csv or .parquet file."
    normalize: bool = True
    "Scale every input to norm 1."
    standardize: bool = False
    "Scale input columns, and the targets of a regression, to mean 0 and variance 1 first."
    dedupe: bool = False
    "Drop every row that is a positive multiple of an earlier one."
    dim: int = 20
    "Dimension of `sphere`."
    data_seed: int = 0
    "Seed of `sphere`."


_DEFAULTS = DataOptions()


@app.command
def tune(
    data: str,
    *,
    rule: str = "forecast",
    target: float = 0.01,
    spectrum: Path | None = None,
    json: bool = False,
    options: DataOptions = _DEFAULTS,
) -> None:
    """Recommend step size and momentum for DATA, and forecast how long training will take.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a .csv, .npz or .parquet file.
    rule
        forecast, paper, quadratic or wang2020.
    target
        Share of the initial loss to reach.
    spectrum
        Write all eigenvalues, ascending, to this .npy file.
    json
        Print one JSON document instead of the table.
    """
    from inertial import advice, printing

    advised = advice.tune(_load(data, options), rule, target=target)
    if spectrum is not None:
        printing.save_eigenvalues(advised.eigenvalues, spectrum)
    printing.show_advice(advised, as_json=json)


@app.command
def compare(
    data: str,
    *,
    methods: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    width: int = 2000,
    seeds: str = "5",
    steps: int = 200,
    rule: str = "paper",
    eta: float | None = None,
    beta: float | None = None,
    target: float = 0.01,
    kernel: Literal["infinite", "finite"] = "infinite",
    precision: Literal["float32", "float64"] = "float32",
    flows: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    record: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    out: Path | None = None,
    json: bool = False,
    options: DataOptions = _DEFAULTS,
) -> None:
    """Train DATA with several methods from the same starts, beside the exact forecast.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a .csv, .npz or .parquet file.
    methods
        Among gradient_descent, heavy_ball and nesterov (default: all).
    width
        Neurons of the hidden layer.
    seeds
        How many random starts, or which ones: `5`, or `3,7,11` (`7,` for one).
    steps
        Number of updates.
    rule
        Where step size and momentum come from: paper, quadratic, wang2020 or forecast.
    eta, beta
        Step size and momentum by hand, instead of a rule.
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
    from inertial import printing
    from inertial.comparison import Settings
    from inertial.comparison import compare as run_comparison
    from inertial.dynamics.tuning import METHODS

    settings = Settings(
        methods=tuple(one_of("method", word, METHODS) for word in _split(methods)) or METHODS,
        width=width,
        seeds=_seeds(seeds),
        steps=steps,
        rule=rule,
        eta=eta,
        beta=beta,
        target=target,
        kernel=kernel,
        precision=precision,
        record_residuals=_records_residuals(record),
        flows=_split(flows),
    )
    command = shlex.join(["inertial", *sys.argv[1:]])
    with printing.progress() as show:
        result = run_comparison(
            _load(data, options), settings, out=out, command=command, progress=show
        )
    printing.show_comparison(result, as_json=json)


@app.command
def doctor(*, data_dir: Path | None = None, json: bool = False) -> None:
    """Show versions, devices, threads, and which data is found where."""
    from inertial import printing

    printing.show_doctor(data_dir, as_json=json)


@data_app.command(name="list")
def data_list(*, data_dir: Path | None = None, json: bool = False) -> None:
    """List the data sets that have a name."""
    from inertial import printing

    printing.show_catalog(data_dir, as_json=json)


@data_app.command
def info(data: str, *, json: bool = False, options: DataOptions = _DEFAULTS) -> None:
    """Load DATA and show its size, source and hash."""
    from inertial import printing

    printing.show_provenance(_load(data, options).provenance, as_json=json)


@data_app.command
def fetch(data: str, *, data_dir: Path | None = None) -> None:
    """Download DATA into the user's cache, unless it is found already."""
    from inertial.data import fetch as download

    sys.stdout.write(f"{download(data, data_dir)}\n")


def _load(name: str, options: DataOptions) -> "Data":
    from inertial.data import load

    loaded = load(
        name,
        n=options.n,
        most=ROWS,
        data_dir=options.data_dir,
        label=options.label,
        normalize=options.normalize,
        standardize=options.standardize,
        dedupe=options.dedupe,
        seed=options.data_seed,
        dim=options.dim,
    )
    taken, rows = loaded.provenance.n, loaded.provenance.rows
    if options.n is None and rows > ROWS:
        _say("note", f"the first {taken:,} of {rows:,} rows are taken; --n takes more.")
    return loaded


def _split(values: tuple[str, ...]) -> tuple[str, ...]:
    """Words that were given apart or with commas between them."""
    return tuple(word for value in values for word in value.split(",") if word)


def _seeds(text: str) -> tuple[int, ...]:
    """Seeds 0, 1, ... of a count, or the ones listed with commas."""
    words = text.split(",")
    try:
        numbers = [int(word) for word in words if word.strip()]
    except ValueError:
        numbers = []
    if not numbers or (len(words) == 1 and numbers[0] < 1):
        raise InvalidInput(f"seeds is {text!r}; give how many (5) or which ones (3,7,11).")
    return tuple(numbers) if len(words) > 1 else tuple(range(numbers[0]))


def _records_residuals(record: tuple[str, ...]) -> bool:
    for word in _split(record):
        one_of("record", word, ("residuals",))
    return bool(record)


def _say(kind: str, text: str) -> None:
    sys.stderr.write(f"inertial: {kind}: {text}\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake ends with one sentence and exit code 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: _say("warning", str(message))
        try:
            app(arguments, exit_on_error=False, print_error=False)
        except (InvalidInput, CycloptsError) as error:
            _say("error", " ".join(str(error).split()))
            sys.exit(2)
        except KeyboardInterrupt:
            _say("note", "stopped; nothing was written.")
            sys.exit(130)


if __name__ == "__main__":
    main()
