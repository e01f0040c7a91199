"""Compute a study on several processes or machines, with dask.distributed.

This process claims runs and stores what comes back; workers compute.  A worker that dies in mid-run
costs that run's steps since its last checkpoint: the scheduler gives the run to another worker,
which goes on from the checkpoint if it sees the same folder and has the same coordinates.  A run
that fails on one worker, for instance because a data set is missing there, is tried on the others.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inertial._checks import InvalidInput, needed, printable
from inertial.runs.cost import Prediction, predict
from inertial.runs.execution import SAVE_SECONDS, compute
from inertial.runs.spec import Run
from inertial.runs.store import Record
from inertial.runs.study import WAIT_SECONDS, Bar, Folder, Ledger, Progress

if TYPE_CHECKING:
    from distributed import Client, Future

_ONE_CORE = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
"""Environment that keeps a worker to its core."""

_NO_PROFILER = {"distributed.worker.profile.enabled": False}
"""Setting of dask: on Python 3.11 the profiler's look at all threads can stop a worker for good.

It holds a lock that a thread which ends waits for (python/cpython issue 106883, repaired in 3.12).
"""

_PER_CORE = 4
"""How many processes are started for each core at most: each takes some 300 MB by itself."""

_CONNECT_SECONDS = 15
"""How long to wait for a scheduler and its first worker."""

_AHEAD = 1
"""Runs claimed and sent ahead per worker, so that none waits for the next."""

_GATHER_SECONDS = 10
"""How long to wait for a result that is ready."""

_LONELY_SECONDS = 60
"""How long a scheduler may be without workers."""

_TOPIC = "inertial-steps"
"""Events that carry progress from the workers."""


@contextmanager
def local_cluster(workers: int | None) -> Iterator["Client"]:
    """Start fresh processes on this machine, by default one per core.

    They talk over TLS on the loopback interface, with a certificate that is made for this cluster
    and never leaves memory: without it any user of the machine could run code as this one.  What
    they log for their developers, such as a connection that closed first at the end, is not shown.

    Raises
    ------
    InvalidInput
        If there are more than `_PER_CORE` for each core.

    """
    cores = len(os.sched_getaffinity(0))
    count = workers or cores
    if count > (most := _PER_CORE * cores):
        raise InvalidInput(
            f"workers is {printable(count)}, and the cores to be used here are {cores}; give at "
            f"most {most}, or 0 for one per core."
        )
    needed("distributed", "cluster")
    needed("cryptography", "cluster")
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    with (
        dask.config.set(_NO_PROFILER),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=0,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            security=Security.temporary(),  # type: ignore[no-untyped-call]
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            env=_ONE_CORE,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        cluster.sync(_deafen)
        cluster.scale(count)
        client.wait_for_workers(count)
        yield client


async def _deafen() -> None:
    """Block SIGINT in this thread, and so in the workers that it starts.

    A terminal sends Ctrl-C to all processes of a command; this one alone is to answer, and ends the
    workers.  Python's tracker of resources, which the first of them would start, unblocks it.
    """
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def connected(address: str) -> Iterator["Client"]:
    """Connect to a running scheduler, which is trusted: it can run code as whoever asks it.

    Certificates for an address ``tls://`` come from dask's configuration.

    Raises
    ------
    InvalidInput
        If none answers, or it has no worker.

    """
    needed("distributed", "cluster")
    from distributed import Client

    with ExitStack() as opened:
        try:
            client = opened.enter_context(Client(address, timeout=_CONNECT_SECONDS))  # type: ignore[no-untyped-call]
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError, TypeError, RuntimeError):
            raise InvalidInput(
                f"no scheduler with a worker answers at {address}; start dask scheduler and "
                "dask worker, and give the address that the scheduler prints (for tls:// with the "
                "certificates in dask's configuration)."
            ) from None
        yield client


def predictor(client: "Client") -> Callable[..., Prediction]:
    """Return a function that predicts the cost of runs from timings on the workers.

    All of them time at once, for processes that share a machine slow each other down.  The
    prediction is that of the median worker; if none has the data, that of this process.
    """

    def on_workers(runs: Sequence[Run], spectra: Path | None = None) -> Prediction:
        workers = len(_workers(client))
        seen = spectra.resolve() if spectra else None
        task = partial(predict, tuple(runs), workers=workers, spectra=seen)
        with _asked(client):
            futures = [client.submit(task, pure=False) for _ in range(workers)]
            timed: list[Prediction] = client.gather(futures, errors="skip")  # type: ignore[no-untyped-call]
        timed.sort(key=lambda prediction: prediction.seconds)
        return timed[len(timed) // 2] if timed else task()

    return on_workers


def engine(client: "Client", save_seconds: float = SAVE_SECONDS) -> Callable[..., None]:
    """Return a function that computes a ledger's missing runs on a cluster."""

    def compute_all(ledger: Ledger, show: Progress, predicted: Prediction) -> None:
        pool = _Pool(client, ledger, save_seconds)
        bar = Bar(ledger, show, predicted)

        def heard(event: tuple[float, dict[str, Any]]) -> None:
            _, message = event
            if run := ledger.runs.get(message["key"]):
                bar.advance(run)(message["count"])

        client.subscribe_topic(_TOPIC, heard)  # type: ignore[no-untyped-call]
        try:
            while ledger.missing or pool.futures:
                pool.fill()
                if not pool.futures:
                    bar.waiting()
                for run in pool.collect():
                    bar.done(run)
        finally:
            if client.status == "running":
                client.unsubscribe_topic(_TOPIC)  # type: ignore[no-untyped-call]
                client.cancel(list(pool.futures), force=True)  # type: ignore[no-untyped-call]

    return compute_all


@dataclass(frozen=True)
class _Answer:
    """What came back: the worker that gave it, and the run or the reason why there is none."""

    worker: str
    record: Record | None
    reason: str = ""


@dataclass(frozen=True)
class _Sent:
    """A run on its way, and the workers that have refused it."""

    run: Run
    refused: frozenset[str] = frozenset()


class _Pool:
    """Runs that are claimed here and computed on the workers."""

    def __init__(self, client: "Client", ledger: Ledger, save_seconds: float) -> None:
        self.futures: dict[Future[_Answer], _Sent] = {}
        self._client, self._ledger, self._save_seconds = client, ledger, save_seconds
        self._alone_since: float | None = None

    def fill(self) -> None:
        """Claim and send runs until every worker has one, and some ahead."""
        while len(self.futures) < (1 + _AHEAD) * max(1, len(_workers(self._client))):
            run = self._ledger.claim()
            if run is None:
                return
            self._send(_Sent(run))

    def collect(self) -> list[Run]:
        """Wait a moment, store what has come back, and return the runs that are settled."""
        from distributed import CancelledError, wait

        if not self.futures:
            time.sleep(WAIT_SECONDS)
            return []
        with suppress(TimeoutError, CancelledError):
            wait(  # type: ignore[no-untyped-call]
                list(self.futures), timeout=WAIT_SECONDS, return_when="FIRST_COMPLETED"
            )
        self._check_workers()
        back = [future for future in self.futures if future.done()]  # type: ignore[no-untyped-call]
        return [run for future in back if (run := self._settle(future))]

    def _settle(self, future: "Future[_Answer]") -> Run | None:
        """Store or fail the run of a finished future, or send it to another worker."""
        from distributed import CancelledError, KilledWorker

        sent = self.futures.pop(future)
        try:
            with _asked(self._client):
                error = future.exception(timeout=_GATHER_SECONDS)  # type: ignore[no-untyped-call]
                answer: _Answer | None = (
                    future.result(timeout=_GATHER_SECONDS) if not error else None
                )
        except TimeoutError:  # its worker died with the result: the scheduler has it done again
            self.futures[future] = sent
            return None
        except (CancelledError, KilledWorker) as lost:  # the result is gone for good
            error, answer = lost, None
        if answer is None:
            self._ledger.fail(sent.run, _in_words(error))
            return sent.run
        if answer.record is not None:
            self._ledger.store(sent.run, answer.record)
            return sent.run
        refused = sent.refused | {answer.worker}
        if set(_workers(self._client)) <= refused:
            where = f" (on all {len(refused)} workers)" if len(refused) > 1 else ""
            self._ledger.fail(sent.run, f"{answer.reason}{where}")
            return sent.run
        self._send(_Sent(sent.run, refused))
        return None

    def _send(self, sent: _Sent) -> None:
        folder = self._ledger.folder
        others = sorted(set(_workers(self._client)) - sent.refused) if sent.refused else None
        with _asked(self._client):
            future = self._client.submit(
                _compute,
                sent.run,
                Folder(folder.path.resolve()),
                self._save_seconds,
                workers=others,
                pure=False,
            )
        self.futures[future] = sent

    def _check_workers(self) -> None:
        """Give up if there has been no worker for a while."""
        if _workers(self._client):
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > _LONELY_SECONDS:
            raise InvalidInput(
                "the scheduler has lost all its workers; what is stored stays: start workers and "
                "repeat the command."
            )


def _workers(client: "Client") -> list[str]:
    """Return the addresses of the workers, or say that the scheduler has gone."""
    known = client.scheduler_info(n_workers=-1)
    if "workers" not in known:  # connecting again was given up
        raise _silent()
    return list(known["workers"])


@contextmanager
def _asked(client: "Client") -> Iterator[None]:
    """Say that the scheduler has gone where it does while it is given work or asked for results."""
    try:
        yield
    except TimeoutError:  # a worker died with the result: the scheduler is there
        raise
    except OSError:
        raise _silent() from None
    except Exception:
        if client.status == "closed":
            raise _silent() from None
        raise


def _silent() -> InvalidInput:
    """Return what is raised where the scheduler has gone."""
    return InvalidInput(
        "the scheduler does not answer any more; what is stored stays: start it and its workers, "
        "and repeat the command."
    )


def _compute(run: Run, folder: Folder, save_seconds: float) -> _Answer:
    """Compute a run on a worker; files on the way only where the study's folder is seen."""
    from distributed import get_worker

    worker = get_worker()

    def advance(count: int) -> None:
        worker.log_event(_TOPIC, {"key": run.key, "count": count})

    seen = folder.path.is_dir()
    try:
        record = compute(
            run,
            checkpoint=folder.checkpoint_file(run) if seen else None,
            spectra=folder.spectra if seen else None,
            advance=advance,
            save_seconds=save_seconds,
        )
    except InvalidInput as error:
        return _Answer(worker.address, None, str(error))
    return _Answer(worker.address, record)


def _in_words(error: BaseException) -> str:
    from distributed import CancelledError, KilledWorker

    if isinstance(error, KilledWorker):
        return "the workers that computed it died several times; check their memory."
    if isinstance(error, CancelledError):
        return "the scheduler gave it up; repeat the command."
    return f"it failed on a worker with {type(error).__name__}: {error}"
