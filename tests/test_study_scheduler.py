"""A study on a scheduler and workers that were started by themselves, as on several machines."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from unittest.mock import Mock

import pytest
import xarray as xr
from distributed import Client, Future
from distributed.comm import CommClosedError

from inertial import InvalidInput
from inertial.commands.main import main
from inertial.runs import cluster, execution
from inertial.runs.cluster import connected, engine
from inertial.runs.config import DataSet, Study
from inertial.runs.cost import Prediction
from inertial.runs.spec import runs
from inertial.runs.study import Folder, Ledger, run_study

pytestmark = pytest.mark.filterwarnings("ignore")  # those of distributed's own shutdown

FILE = """
name = "far"
data = [{ name = "sphere", rows = 24, dim = 4 }]
methods = ["nesterov"]
rules = ["paper"]
widths = [30]
seeds = [0, 1, 2]
steps = 40
"""


def long_study(seeds, steps=8000):
    """Runs of a second or so: long enough to kill the worker that computes one."""
    data = (DataSet("sphere", rows=24, dim=4),)
    return Study("long", data, ("nesterov",), ("paper",), (30,), seeds, steps)


def free(missing, **_):
    return Prediction(1.0, (1.0,) * len(missing), 1, 1, 2)


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """Address of a scheduler, and its two worker processes, all started by dask's command."""
    with started(tmp_path_factory.mktemp("dask"), 2) as (address, _, workers):
        yield address, workers


@contextmanager
def started(folder, count):
    """Start a scheduler and workers; give its address, its process and theirs."""
    contact = folder / "scheduler.json"

    def dask(*words):
        with (folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "dask", *map(str, words)]
            own = cluster._ONE_CORE | {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
            environment = {**os.environ, **own}
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)

    alone = ("--scheduler-file", contact, "--no-dashboard")
    processes = [dask("scheduler", "--host", "127.0.0.1", "--port", "0", *alone)]
    try:
        end = time.monotonic() + 90
        while (address := address_in(contact)) is None:
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.05)
        workers = [dask("worker", *alone, "--nthreads", "1", "--no-nanny") for _ in range(count)]
        processes += workers
        yield address, processes[0], workers
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def address_in(contact):
    """Address in the scheduler's file, or None until that is written to its end."""
    with suppress(FileNotFoundError, json.JSONDecodeError):
        return json.loads(contact.read_text())["address"]
    return None


def alive(client):
    """Ids of the worker processes, by address."""
    return client.run(os.getpid)


def test_the_command_sends_runs_there(far, tmp_path, capsys, monkeypatch):
    address, workers = far
    monkeypatch.chdir(tmp_path)
    (tmp_path / "far.toml").write_text(FILE)
    with connected(address) as client:
        client.wait_for_workers(2, timeout=90)
        assert set(alive(client).values()) == {process.pid for process in workers}
    main(["study", "far.toml", "--scheduler", address, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (document["computed"], document["failed"]) == (3, [])
    assert document["predicted_seconds"] > 0
    stored = [xr.load_dataset(path) for path in (tmp_path / "runs/far/runs").glob("*.nc")]
    assert sorted(run.attrs["seed"] for run in stored) == [0, 1, 2]
    assert all(0 < run.loss[-1] < run.loss[0] for run in stored)


def test_a_worker_killed_in_mid_run_hands_it_to_the_other(far, tmp_path):
    address, workers = far

    def die_after_a_checkpoint():
        """Have the first worker that keeps a checkpoint killed right after that, in mid-run."""
        write = execution.write_checkpoint

        def write_and_die(*arguments):
            write(*arguments)
            with suppress(FileExistsError), (tmp_path / "killed").open("x"):
                os.kill(os.getpid(), signal.SIGKILL)

        execution.write_checkpoint = write_and_die

    study = long_study((0, 1), steps=24_000)
    with connected(address) as client:
        client.wait_for_workers(2, timeout=90)
        client.run(die_after_a_checkpoint)
        report = run_study(study, Folder(tmp_path), engine=engine(client, 0.05), predictor=free)
        assert (report.computed, report.failures) == (2, ())
        assert sum(process.poll() is not None for process in workers) == 1
        straight = run_study(
            study, Folder(tmp_path / "straight"), engine=engine(client), predictor=free
        )
    resumed = [report.folder.read(run) for run in report.runs]
    assert max(run.manifest["cost"]["resumed_at"] for run in resumed) > 0
    for run, again in zip(straight.runs, resumed, strict=True):
        xr.testing.assert_identical(again.arrays, straight.folder.read(run).arrays)


def test_without_workers_the_study_stops_and_what_is_stored_stays(far, tmp_path, monkeypatch):
    address, workers = far
    monkeypatch.setattr(cluster, "_LONELY_SECONDS", 0.2)
    monkeypatch.setattr(cluster, "_GATHER_SECONDS", 2)

    def kill_all():
        while not list(tmp_path.glob("runs/*.nc")):
            time.sleep(0.02)
        for process in workers:
            with suppress(ProcessLookupError):
                process.kill()

    with connected(address) as client:
        threading.Thread(target=kill_all, daemon=True).start()
        with pytest.raises(InvalidInput, match="lost all its workers; what is stored stays"):
            run_study(
                long_study(tuple(range(6))), Folder(tmp_path), engine=engine(client), predictor=free
            )
    assert 1 <= len(list(tmp_path.glob("runs/*.nc"))) < 6
    assert not list((tmp_path / "locks").iterdir())


def test_without_its_scheduler_the_study_stops_and_what_is_stored_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 5)
    (tmp_path / "dask").mkdir()
    with started(tmp_path / "dask", 1) as (address, scheduler, _):

        def kill():
            while not list(tmp_path.glob("runs/*.nc")):
                time.sleep(0.02)
            scheduler.kill()

        with connected(address) as client:
            threading.Thread(target=kill, daemon=True).start()
            with pytest.raises(InvalidInput, match="does not answer any more; what is stored"):
                run_study(
                    long_study(tuple(range(6))),
                    Folder(tmp_path),
                    engine=engine(client),
                    predictor=free,
                )
    assert 1 <= len(list(tmp_path.glob("runs/*.nc"))) < 6
    assert not list((tmp_path / "locks").iterdir())


@pytest.mark.parametrize(
    "error",
    [
        CommClosedError("in gather: Stream is closed"),
        OSError("Timed out trying to connect"),
        RuntimeError("Client is closed. Can't send update-graph message."),
    ],
)
def test_a_scheduler_that_goes_while_it_answers_is_one_sentence(error, tmp_path):
    (run,) = runs(long_study((0,)))
    future = Mock(Future, **{"exception.return_value": None, "result.side_effect": error})
    workers = {"workers": {"tcp://one": {}}}
    client = Mock(
        Client,
        status="closed",
        **{"scheduler_info.return_value": workers, "gather.side_effect": error},
    )
    pool = cluster._Pool(client, Mock(Ledger, folder=Folder(tmp_path)), 1.0)
    pool.futures[future] = cluster._Sent(run)
    with pytest.raises(InvalidInput, match="does not answer any more; what is stored"):
        pool._settle(future)
    with pytest.raises(InvalidInput, match="does not answer any more; what is stored"):
        cluster.predictor(client)([run])
    client.submit.side_effect = error
    with pytest.raises(InvalidInput, match="does not answer any more; what is stored"):
        pool._send(cluster._Sent(run))
