"""`inertial explore`: an interactive page on one data set, for the papers' network or a model."""

from pathlib import Path
from typing import TYPE_CHECKING

from inertial import files
from inertial._checks import InvalidInput
from inertial.commands.options import DATA, DataOptions, Page, Whole, command_line
from inertial.commands.terminal import progress, say, write

if TYPE_CHECKING:
    from inertial.data import Data
    from inertial.runs.exploration import Exploration

_WORTH_SAYING = 60.0
"""Seconds of a decomposition from which on its cost is said beforehand."""


def explore(
    data: str,
    *,
    out: Page = Path("explore.html"),
    runs: Whole | None = None,
    steps: Whole = 100,
    width: Whole | None = None,
    target: float | None = None,
    batch: Whole | None = None,
    model: str | None = None,
    loss: str | None = None,
    trials: Whole | None = None,
    options: DataOptions = DATA,
) -> None:
    """Write an interactive page on DATA: move step size and momentum, see every mode and the loss.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a table (CSV, Parquet) or .npz file.
    out
        File to write.
    runs
        Random starts of each method that are trained to stand beside the forecast (default: 3).
    steps
        Updates of these runs, or more if the best setting of a model takes them to the target.
    width
        Neurons of the papers' network in these runs (default: 1000).
    target
        Share of the initial loss that counts as reached (default: 0.01, or 0.1 with --model).
    batch
        Train, and open the page, on fresh batches of this many rows (default: all rows); the slider
        for the batch is there in any case, and with --model if a batch is given and the loss is one
        of squares.
    model
        Another network than the papers': mlp:256x2 (or mlp:300,100, with :tanh or :gelu behind it),
        or module:function, where function(inputs, outputs) returns (params, apply) for JAX or a
        torch.nn.Module.  It is measured, and trained, from one start.
    loss
        Loss of that model: mse, half_sum, cross_entropy or binary_cross_entropy (default: by the
        targets).
    trials
        Settings of that model that are trained to find the best, at most (default: as many as pay);
        0 takes those of the forecast, unchecked.
    """
    from inertial.view.explorer_page import explorer_page

    for name, given in (("--loss", loss), ("--trials", trials)):
        if given is not None and model is None:
            raise InvalidInput(f"{name} needs a model; give one with --model, such as mlp:256x2.")
    if model is not None and (runs not in {None, 1} or width is not None):
        raise InvalidInput(
            "--runs and --width are for the papers' network; leave them out with --model, which "
            "has its own width and one start."
        )
    files.check_writable(out)
    loaded = options.load(data, model=model)
    if model is None:
        found = _network(
            loaded,
            3 if runs is None else runs,
            steps,
            1000 if width is None else width,
            target,
            batch,
        )
    else:
        found = _model(loaded, model, loss, steps, target, trials, batch=batch)
    files.write(out, explorer_page(found, command_line()))
    write(f"page    {out}\n")


def _network(
    data: "Data", runs: int, steps: int, width: int, target: float | None, batch: int | None
) -> "Exploration":
    from inertial._checks import whole
    from inertial.linear.expected import FULL_SECONDS
    from inertial.runs.exploration import explore as run_exploration
    from inertial.runs.settings import Settings

    seeds, rows = tuple(range(whole("runs", runs))), len(data.x)
    if (seconds := rows**3 * FULL_SECONDS) > _WORTH_SAYING:
        say(
            "note",
            f"the page is about every mode, so the kernel of {rows:,} rows is decomposed, about "
            f"{seconds / 60:.2g} minutes; --n 2000 takes a quarter of one.",
        )
    settings = Settings(
        width=width,
        seeds=seeds,
        steps=steps,
        target=0.01 if target is None else target,
        batch=batch,
    )
    with progress() as show:
        return run_exploration(data, settings, progress=show)


def _model(
    data: "Data",
    model: str,
    loss: str | None,
    steps: int,
    target: float | None,
    trials: int | None,
    *,
    batch: int | None,
) -> "Exploration":
    from inertial.commands.models import starts_of
    from inertial.runs.exploration import explore_model
    from inertial.runs.settings import ModelSettings
    from inertial.runs.tuning import TRIALS

    settings = ModelSettings(steps=steps, target=0.1 if target is None else target, batch=batch)
    starts, most = starts_of(model, data, loss), TRIALS if trials is None else trials
    with progress() as show:
        return explore_model(starts, settings, trials=most, progress=show)
