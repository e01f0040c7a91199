"""The commands: parse, call, print.  Heavy imports wait until a command runs.

Tables and JSON go to standard output; progress, notes and warnings to standard error.  Exit codes:
0, 2 for a mistake in what was passed in, 1 for a failing disk or a failed run of a study, 130 after
Ctrl-C or SIGTERM, 141 for a pipe that was closed.
"""

import os
import shlex
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter

from inertial import __version__
from inertial._checks import InvalidInput, one_of
from inertial.commands.interrupts import every_interrupt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

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


def _whole(_type: object, tokens: "Sequence[Token]") -> int:
    """Read a whole number as it is written; nothing is rounded."""
    try:
        return int(tokens[0].value)
    except ValueError:
        name, text = tokens[0].keyword or "a number", tokens[0].value
        raise InvalidInput(f"{name} is {text!r}; give a whole number.") from None


Whole = Annotated[int, Parameter(converter=_whole)]


@Parameter(name="*")
@dataclass(frozen=True)
class DataOptions:
    """How to load and prepare the data."""

    n: Whole | None = None
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
    dim: Whole = 20
    "Dimension of `sphere`."
    data_seed: Whole = 0
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
    from inertial.commands import printing
    from inertial.runs import advice

    if spectrum is not None:
        printing.check_spectrum_path(spectrum)
    advised = advice.tune(_load(data, options), rule, target=target)
    if spectrum is not None:
        printing.save_eigenvalues(advised.eigenvalues, spectrum)
    printing.show_advice(advised, as_json=json)


@app.command
def compare(
    data: str,
    *,
    methods: Annotated[
        tuple[str, ...] | None, Parameter(consume_multiple=True, negative=())
    ] = None,
    width: Whole = 2000,
    seeds: str = "5",
    steps: Whole = 200,
    rule: str = "paper",
    eta: float | None = None,
    beta: float | None = None,
    target: float = 0.01,
    kernel: Literal["infinite", "finite"] = "infinite",
    precision: Literal["float32", "float64"] = "float32",
    flows: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = (),
    record: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = (),
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
    from inertial.commands import printing
    from inertial.method.recursion import FAMILIES, METHODS
    from inertial.runs.comparison import compare as run_comparison
    from inertial.runs.settings import Settings
    from inertial.view.figures import save_convergence

    settings = Settings(
        methods=METHODS
        if methods is None
        else tuple(one_of("method", word, FAMILIES) for word in _split(methods)),
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
    with printing.progress() as show:
        result = run_comparison(
            _load(data, options), settings, out=out, command=_command(), progress=show
        )
    figure = save_convergence(result.arrays, result.run)
    printing.show_comparison(result, figure, as_json=json)


@app.command
def explore(
    data: str,
    *,
    out: Annotated[Path, Parameter(alias="-o")] = Path("explore.html"),
    runs: Whole = 3,
    steps: Whole = 100,
    width: Whole = 1000,
    target: float = 0.01,
    options: DataOptions = _DEFAULTS,
) -> None:
    """Write an interactive page on DATA: move step size and momentum, see every mode and the loss.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a .csv, .npz or .parquet file.
    out
        File to write.
    runs
        Random starts of each method that are trained to stand beside the forecast.
    steps
        Updates of these runs.
    width
        Neurons of these runs.
    target
        Share of the initial loss that counts as reached.
    """
    from inertial.commands import printing
    from inertial.view.exploration import Trials, page
    from inertial.view.exploration import explore as run_exploration
    from inertial.view.page import write_page

    trials = Trials(seeds=runs, steps=steps, width=width, target=target)
    with printing.progress() as show:
        found = run_exploration(_load(data, options), trials, progress=show)
    write_page(page(found, _command()), out)
    sys.stdout.write(f"page    {out}\n")


@app.command
def report(
    source: Path,
    *,
    out: Annotated[Path, Parameter(alias="-o")] = Path("report.html"),
    audit: bool = True,
    measure: bool = False,
    data_dir: Path | None = None,
) -> None:
    """Write one page about SOURCE: what to use, every figure with its numbers, theorems judged.

    Parameters
    ----------
    source
        Folder of a run (`inertial compare`) or of a study (`inertial study`), or the index of a
        study.
    out
        File to write.
    audit
        Judge the theorems; --no-audit leaves them out and is quicker.
    measure
        Run everything again to measure how the kernels drift. Takes about as long as it did.
    data_dir
        Folder to look in first for the data (default: the one INERTIAL_DATA names).
    """
    from inertial.commands import printing
    from inertial.view import reporting
    from inertial.view.page import write_page

    with printing.progress() as show:
        page = reporting.report(
            source,
            judge=audit,
            measure=measure,
            data_dir=data_dir,
            command=_command(),
            measuring=_command("--measure"),
            progress=show,
        )
    for note in page.notes:
        _say("note", note)
    write_page(page.html, out)
    sys.stdout.write(f"page    {out}\n")


@app.command
def audit(
    runs: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())],
    /,
    *,
    measure: bool = False,
    data_dir: Path | None = None,
    json: bool = False,
    tex: bool = False,
) -> None:
    """Judge every theorem of the papers on stored runs, with margins and missed assumptions.

    Parameters
    ----------
    runs
        Folders that `inertial compare` made, or `inertial study`.
    measure
        Run everything again for what the folders do not hold: kernels along the run, and the exact
        split of the residual. Takes about as long as the runs did.
    data_dir
        Folder to look in for the data first.
    json
        Print one JSON list instead of the table.
    tex
        Print a LaTeX table instead.
    """
    from inertial.commands import printing
    from inertial.view.auditing import audit_folders

    with printing.progress() as show:
        judged = audit_folders(runs, measure=measure, data_dir=data_dir, progress=show)
    printing.show_audit(judged, as_json=json, as_tex=tex)


@app.command
def study(
    file: Path | None = None,
    *,
    out: Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    template: bool = False,
    json: bool = False,
) -> None:
    """Compute what is missing of the study in FILE; interrupt and repeat it at will.

    Parameters
    ----------
    file
        A TOML file: data sets, methods, rules, widths, seeds, steps.
    out
        Folder of the study (default: runs/NAME).
    workers
        Processes on this machine; 0 is one per core (default: this process, with all cores).
    scheduler
        Address of a dask.distributed scheduler to send the runs to instead.
    template
        Print a commented study that runs as it is.
    json
        Print one JSON document at the end.
    """
    from inertial.commands import study_console as console

    if template:
        console.show_template()
        return
    console.conduct(_study_file(file), out, console.Hands(workers, scheduler), as_json=json)


@app.command
def plan(
    file: Path,
    *,
    out: Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    json: bool = False,
) -> None:
    """Predict runs, time, memory and disk of the study in FILE, by timing a few steps.

    Parameters
    ----------
    file
        A TOML file, such as inertial study --template prints.
    out
        Folder of the study (default: runs/NAME); what is stored there costs nothing.
    workers
        Processes on this machine; 0 is one per core (default: this process, with all cores).
    scheduler
        Address of a dask.distributed scheduler to send the runs to instead.
    json
        Print one JSON document instead of words.
    """
    from inertial.commands import study_console as console

    console.show_plan(file, out, console.Hands(workers, scheduler), as_json=json)


@app.command
def reproduce(
    items: tuple[str, ...] = (),
    *,
    scale: str = "quick",
    out: Path = Path("reproduced"),
    workers: int | None = None,
    scheduler: str | None = None,
    list_: Annotated[bool, Parameter(name="--list")] = False,
    json: bool = False,
) -> None:
    """Make figures and tables of the papers again, and check their claims.

    Parameters
    ----------
    items
        PAPER/FIGURE such as liu2022/fig2, or all.
    scale
        quick, or the full size of the papers: paper.
    out
        Folder for figures, runs and the page index.html; what is stored there is not computed.
    workers
        Processes on this machine; 0 is one per core (default: this process, with all cores).
    scheduler
        Address of a dask.distributed scheduler to send the runs to instead.
    list_
        List the items.
    json
        Print one JSON document instead of tables.
    """
    from inertial.commands import reproduce_console as console
    from inertial.commands.study_console import Hands

    if list_ or not items:
        console.show_items(as_json=json)
        return
    console.reproduce(items, scale, out, Hands(workers, scheduler), as_json=json)


@app.command
def figures(folder: Path, *, json: bool = False) -> None:
    """Draw all figures of FOLDER from what is stored, without computing.

    Parameters
    ----------
    folder
        What inertial reproduce or inertial study wrote.
    json
        Print one JSON document instead of paths.
    """
    from inertial.commands import reproduce_console as console

    console.figures(folder, as_json=json)


@app.command
def doctor(*, data_dir: Path | None = None, json: bool = False) -> None:
    """Show versions, devices, threads, and which data is found where.

    Parameters
    ----------
    data_dir
        Folder to look in first for data.
    json
        Print one JSON document instead.
    """
    from inertial.commands import printing

    printing.show_doctor(data_dir, as_json=json)


@data_app.command(name="list")
def data_list(*, data_dir: Path | None = None, json: bool = False) -> None:
    """List the data sets that have a name.

    Parameters
    ----------
    data_dir
        Folder to look in first for data.
    json
        Print one JSON document instead.
    """
    from inertial.commands import printing

    printing.show_catalog(data_dir, as_json=json)


@data_app.command
def info(data: str, *, json: bool = False, options: DataOptions = _DEFAULTS) -> None:
    """Load DATA and show its size, source and hash.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a .csv, .npz or .parquet file.
    json
        Print one JSON document instead.
    """
    from inertial.commands import printing

    printing.show_provenance(_load(data, options).provenance, as_json=json)


@data_app.command
def fetch(data: str, *, data_dir: Path | None = None) -> None:
    """Download DATA into the user's cache, unless it is found already.

    Parameters
    ----------
    data
        A name from `inertial data list`.
    data_dir
        Folder to download into instead.
    """
    from inertial.data import fetch as download
    from inertial.data import locate

    found = None if data_dir else locate(data)
    sys.stdout.write(f"{found.source if found else download(data, data_dir)}\n")


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


def _study_file(file: Path | None) -> Path:
    if file is None:
        raise InvalidInput("no study is given; name a TOML file, or see inertial study --template.")
    return file


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


def _command(*more: str) -> str:
    """Return the command that is running, to be recorded."""
    return shlex.join(["inertial", *sys.argv[1:], *more])


def _say(kind: str, text: str) -> None:
    sys.stderr.write(f"inertial: {kind}: {text}\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake ends with one sentence and exit code 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: _say("warning", str(message))
        try:
            with every_interrupt():
                app(arguments, exit_on_error=False, print_error=False)
        except (InvalidInput, CycloptsError) as error:
            hint = ""
            if isinstance(error, MissingArgumentError) and "--methods" in (arguments or sys.argv):
                hint = " --methods takes every word up to the next option: put DATA before it."
            _say("error", " ".join(str(error).split()) + hint)
            sys.exit(2)
        except MemoryError:
            _say("error", "there is not enough memory for this; take fewer rows, neurons or steps.")
            sys.exit(2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except OSError as error:
            _say("error", f"{error.strerror or error}: {error.filename or 'a file'}; see to it.")
            sys.exit(1)
        except KeyboardInterrupt:
            _say("note", "stopped; nothing was left half-written.")
            sys.exit(130)


if __name__ == "__main__":
    main()
