"""Compute what is missing of a study, in this process or on a cluster."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax

from inertial._checks import InvalidInput
from inertial.runs.config import Study
from inertial.runs.cost import Prediction, predict
from inertial.runs.execution import SAVE_SECONDS, execute
from inertial.runs.job import Run, runs
from inertial.runs.ledger import Failure, Ledger, Progress
from inertial.runs.records import Folder

WAIT_SECONDS = 0.5
"""Time between two looks at runs that other processes compute."""

Engine = Callable[[Ledger, Progress, Prediction], None]
"""Computes all runs that a ledger still misses."""


@dataclass(frozen=True)
class Report:
    """What became of a study.

    `predicted` and `seconds` are the time of what this process had to compute, before and after.
    """

    folder: Folder
    runs: tuple[Run, ...]
    computed: int
    stored_before: int
    computed_elsewhere: int
    damaged: int
    failures: tuple[Failure, ...]
    predicted: Prediction
    seconds: float


def run_study(
    study: Study,
    folder: Folder,
    *,
    progress: Progress | None = None,
    announce: Callable[[Prediction, int], None] | None = None,
    engine: Engine | None = None,
    predictor: Callable[..., Prediction] | None = None,
) -> Report:
    """Compute what is missing of a study.

    Parameters
    ----------
    study
        The study.
    folder
        Where runs are stored; other processes may work on the same one.
    progress
        Called every half second or so.
    announce
        Called with the predicted cost and the number of missing runs before the first starts.
    engine, predictor
        What computes runs, and predicts their cost, as `inertial.runs.cost.predict` does; by
        default this process, one after the other.

    Raises
    ------
    InvalidInput
        If a data set cannot be loaded here, or the folder cannot be written.

    """
    ledger = Ledger(study, folder, runs(study))
    ledger.write_index()
    show = progress or (lambda *_: None)
    missing = ledger.missing
    predicted = (predictor or partial(predict, warm=True))(missing, spectra=folder.spectra)
    ledger.expect(missing, predicted)
    if announce is not None:
        announce(predicted, len(missing))
    began = time.perf_counter()
    try:
        (engine or in_process)(ledger, show, predicted)
    finally:
        ledger.release()
        ledger.write_index()
    outcomes = list(ledger.outcomes.values())
    return Report(
        folder,
        tuple(ledger.runs.values()),
        outcomes.count("computed"),
        outcomes.count("stored before"),
        outcomes.count("computed elsewhere"),
        len(ledger.damaged),
        tuple(ledger.failures),
        predicted,
        time.perf_counter() - began,
    )


def in_process(
    ledger: Ledger,
    show: Progress,
    predicted: Prediction,
    *,
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Compute one run after the other, and wait for those that other processes compute."""
    bar = Bar(ledger, show, predicted)
    while ledger.missing:
        run = ledger.claim()
        if run is None:
            bar.waiting()
            time.sleep(WAIT_SECONDS)
            continue
        try:
            arrays = execute(
                run,
                checkpoint=ledger.folder.checkpoint_file(run),
                spectra=ledger.folder.spectra,
                advance=bar.advance(run),
                save_seconds=save_seconds,
            )
        except InvalidInput as error:
            ledger.fail(run, str(error))
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            ledger.fail(run, f"it failed with {type(error).__name__}: {str(error).splitlines()[0]}")
        else:
            ledger.store(run, arrays)
        bar.done(run)


class Bar:
    """Progress of a ledger in predicted seconds: runs done, and the share of those on the way."""

    def __init__(self, ledger: Ledger, show: Progress, predicted: Prediction) -> None:
        keys = [run.key for run in ledger.missing]
        self._ledger, self._show = ledger, show
        self._weights = dict(zip(keys, predicted.per_run, strict=True))
        self._total = sum(predicted.per_run)
        self._steps: dict[str, int] = {}

    def advance(self, run: Run) -> Callable[[int], None]:
        """Return what is to be called with the number of steps just done of a run."""

        def advance(count: int) -> None:
            self._steps[run.key] = self._steps.get(run.key, 0) + count
            self._draw(run.job.label)

        return advance

    def done(self, run: Run) -> None:
        """Count a run as done."""
        self._steps.pop(run.key, None)
        self._draw(run.job.label)

    def waiting(self) -> None:
        """Say that only runs of other processes are left."""
        self._draw("waiting for another process")

    def _draw(self, label: str) -> None:
        # Copies, for a cluster reports steps from another thread; and a run that was stored before
        # has no weight, but another client may be computing it.
        finished = sum(self._weights.get(key, 0.0) for key in list(self._ledger.outcomes))
        partly = sum(
            self._weights.get(key, 0.0) * steps / (self._ledger.runs[key].job.steps + 1)
            for key, steps in list(self._steps.items())
        )
        self._show(label, round(1000 * (finished + partly)), round(1000 * self._total))
