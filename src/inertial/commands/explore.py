"""`inertial explore`: an interactive page on one data set."""

from pathlib import Path

from inertial import files
from inertial.commands.options import DATA, DataOptions, Page, Whole, command_line
from inertial.commands.terminal import progress, write


def explore(
    data: str,
    *,
    out: Page = Path("explore.html"),
    runs: Whole = 3,
    steps: Whole = 100,
    width: Whole = 1000,
    target: float = 0.01,
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
        Random starts of each method that are trained to stand beside the forecast.
    steps
        Updates of these runs.
    width
        Neurons of these runs.
    target
        Share of the initial loss that counts as reached.
    """
    from inertial.runs.exploration import Trials
    from inertial.runs.exploration import explore as run_exploration
    from inertial.view.explorer_page import explorer_page

    trials = Trials(seeds=runs, steps=steps, width=width, target=target)
    files.check_writable(out)
    with progress() as show:
        found = run_exploration(options.load(data), trials, progress=show)
    files.write(out, explorer_page(found, command_line()))
    write(f"page    {out}\n")
