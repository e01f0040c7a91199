"""`inertial plan`: what a study will take."""

from pathlib import Path
from typing import TYPE_CHECKING

from inertial import _json
from inertial.commands.options import THIS_PROCESS, Out, WorkerOptions, computing
from inertial.commands.terminal import console, costs, write

if TYPE_CHECKING:
    from inertial.runs.cost import Prediction


def plan(
    file: Path,
    *,
    out: Out | None = None,
    options: WorkerOptions = THIS_PROCESS,
    json: bool = False,
) -> None:
    """Predict runs, time, memory and disk of the study in FILE, by timing a few steps.

    Parameters
    ----------
    file
        A TOML file, such as inertial study --template prints.
    out
        Folder of the study (default: runs/NAME); what is stored there costs nothing.
    json
        Print one JSON document instead of words.
    """
    from inertial.runs.config import read_config
    from inertial.runs.cost import predict
    from inertial.runs.spec import load_data, runs
    from inertial.runs.study import Folder, Ledger

    asked = read_config(file)
    folder = Folder(out or Path("runs") / asked.name)
    ledger = Ledger(asked, folder, runs(asked))
    missing = ledger.missing
    shapes = [(data.name, *load_data(data).x.shape) for data in asked.data]
    with computing(options) as means:
        predicted: Prediction = means.get("predictor", predict)(missing, spectra=folder.spectra)
    if json:
        document = {
            "study": asked.name,
            "data": [{"name": name, "n": n, "d": d} for name, n, d in shapes],
            "runs": len(ledger.runs),
            "missing": len(missing),
            "seconds": predicted.seconds,
            "memory_bytes": predicted.memory,
            "disk_bytes": predicted.disk,
            "workers": predicted.workers,
        }
        write(_json.dumps(document))
        return
    words = console()
    words.print(
        f"{asked.name}: {len(ledger.runs)} runs, {len(missing)} of them missing in {folder.path}"
    )
    words.print("; ".join(f"{name}: {n:,} rows of {d:,}" for name, n, d in shapes))
    words.print(f"predicted {costs(predicted)}")
