"""Which runs of a study are done, taken, failed or still to do; shared with other processes.

A run is claimed by its lock before it is computed, and looked up once more while the lock is held,
so that no two processes compute it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from inertial.runs.config import Study
from inertial.runs.cost import Prediction
from inertial.runs.job import Run
from inertial.runs.records import Folder

if TYPE_CHECKING:
    from inertial.runs.locks import Lock

Progress = Callable[[str, int, int], None]
"""Called with what is being done, predicted milliseconds done and in all."""

_INDEX_SECONDS = 5.0
"""Least time between two writings of the index along the way."""

_COSTS = (
    "predicted_seconds",
    "seconds",
    "setup_seconds",
    "resumed_at",
    "predicted_memory_bytes",
    "peak_memory_bytes",
)
"""Attributes of a stored run that the index repeats."""

Outcome = Literal["stored before", "computed", "computed elsewhere", "failed"]


@dataclass(frozen=True)
class Failure:
    """A run that could not be computed, and why, in one sentence."""

    run: Run
    reason: str


class Ledger:
    """The runs of a study in a folder, seen from one process."""

    def __init__(self, study: Study, folder: Folder, runs: Sequence[Run]) -> None:
        self.study, self.folder = study, folder
        self.runs = {run.key: run for run in runs}
        self.damaged: list[Run] = []
        self.outcomes: dict[str, Outcome] = {}
        self.failures: list[Failure] = []
        self._costs: dict[str, dict[str, float]] = {}
        self._expected: dict[str, dict[str, float]] = {}
        for key, run in self.runs.items():
            arrays = folder.read(run)
            if arrays is not None:
                self.outcomes[key] = "stored before"
                self._costs[key] = _cost(arrays)
            elif folder.run_file(run).exists():
                self.damaged.append(run)
        self._locks: dict[str, Lock] = {}
        self._indexed = 0.0

    @property
    def missing(self) -> tuple[Run, ...]:
        """Runs that are neither stored nor failed nor claimed here."""
        return tuple(
            run
            for key, run in self.runs.items()
            if key not in self.outcomes and key not in self._locks
        )

    def expect(self, runs: Sequence[Run], predicted: Prediction) -> None:
        """Note what runs are predicted to cost; it is stored with them."""
        for run, seconds in zip(runs, predicted.per_run, strict=True):
            self._expected[run.key] = {
                "predicted_seconds": seconds,
                "predicted_memory_bytes": predicted.memory,
            }

    def claim(self) -> Run | None:
        """Claim the next missing run, or return None if all are done or claimed by others."""
        for run in self.missing:
            lock = self.folder.lock(run)
            if lock is None:
                continue
            if (arrays := self.folder.read(run)) is not None:
                lock.release()
                self._costs[run.key] = _cost(arrays)
                self.outcomes[run.key] = "computed elsewhere"
                continue
            self._locks[run.key] = lock
            return run
        return None

    def store(self, run: Run, arrays: xr.Dataset) -> None:
        """Store a claimed run."""
        whole = arrays.assign_attrs(self._expected.get(run.key, {}))
        self.folder.write(run, whole)
        self._costs[run.key] = _cost(whole)
        self._close(run, "computed")

    def fail(self, run: Run, reason: str) -> None:
        """Note that a claimed run cannot be computed; the others go on."""
        self.failures.append(Failure(run, reason))
        self._close(run, "failed")

    def release(self) -> None:
        """Give up all claims, so that others, or this process later, can have the runs."""
        while self._locks:
            self._locks.popitem()[1].release()

    def write_index(self) -> None:
        """Write the index now."""
        self._indexed = time.monotonic()
        self.folder.write_index(self.study, [self._entry(run) for run in self.runs.values()])

    def _close(self, run: Run, outcome: Outcome) -> None:
        self.outcomes[run.key] = outcome
        self._locks.pop(run.key).release()
        if time.monotonic() - self._indexed > _INDEX_SECONDS:
            self.write_index()

    def _entry(self, run: Run) -> dict[str, Any]:
        outcome = self.outcomes.get(run.key)
        state = "missing" if outcome is None else "failed" if outcome == "failed" else "done"
        reason = next((f.reason for f in self.failures if f.run.key == run.key), None)
        return {
            "key": run.key,
            "state": state,
            "reason": reason,
            "file": str(self.folder.run_file(run).relative_to(self.folder.path)),
            "data_sha256": run.data_sha256,
            "code": run.code,
            **asdict(run.job),
            "cost": self._costs.get(run.key),
        }


def _cost(arrays: xr.Dataset) -> dict[str, float]:
    """Return what a stored run was predicted to cost, and what it did."""
    found = {name: arrays.attrs[name] for name in _COSTS if name in arrays.attrs}
    return {name: np.asarray(value).item() for name, value in found.items()}
