"""A study on a real scheduler with two worker processes, one of which may die or lack the data."""

import gc
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.security import Security

from inertial import InvalidInput
from inertial.runs import cluster
from inertial.runs.cluster import connected, engine, local_cluster, predictor
from inertial.runs.config import DataSet, Study
from inertial.runs.cost import Prediction
from inertial.runs.spec import runs
from inertial.runs.study import Folder, Ledger, run_study

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the cluster's own shutdown

STUDY = Study(
    "small",
    (DataSet("sphere", rows=24, dim=4),),
    methods=("nesterov",),
    rules=("paper",),
    widths=(30,),
    seeds=(0, 1, 2, 3),
    steps=50,
)


def free(missing, **_):
    return Prediction(1.0, (1.0,) * len(missing), 1, 1, 2)


@pytest.fixture(scope="module")
def client():
    with local_cluster(2) as client:
        yield client


def test_more_processes_than_cores_can_bear_are_refused_before_any_starts(monkeypatch):
    def starts(**_):
        raise ChildProcessError

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr("distributed.LocalCluster", starts)
    with pytest.raises(InvalidInput, match="are 3; give at most 12"), local_cluster(13):
        pass
    with pytest.raises(ChildProcessError), local_cluster(12):
        pass


def test_runs_on_workers_are_those_of_one_process(client, tmp_path):
    seen = []
    report = run_study(
        STUDY,
        Folder(tmp_path / "cluster"),
        engine=engine(client),
        predictor=free,
        progress=lambda *what: seen.append(what),
    )
    assert (report.computed, report.failures) == (4, ())
    run_study(STUDY, Folder(tmp_path / "here"), predictor=free)
    for run in report.runs:
        far, here = (Folder(tmp_path / name).read(run).arrays for name in ("cluster", "here"))
        # One core and two may sum in another order: float32 over 24 rows and 50 steps.
        xr.testing.assert_allclose(far, here, rtol=1e-3)
    assert seen[-1][1] == seen[-1][2]


def test_a_worker_that_dies_in_mid_run_costs_nothing_but_time(client, tmp_path):
    study = replace(STUDY, seeds=(0, 1), steps=8000)
    pids = client.run(os.getpid)

    def kill_one():
        while not list(tmp_path.glob("checkpoints/*.npz")):
            time.sleep(0.02)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    report = run_study(study, Folder(tmp_path), engine=engine(client, 0.05), predictor=free)
    killer.join(timeout=1)
    assert not killer.is_alive()
    assert set(client.run(os.getpid).values()) != set(pids.values())
    assert (report.computed, report.failures) == (2, ())
    straight = run_study(
        study, Folder(tmp_path / "straight"), engine=engine(client), predictor=free
    )
    for run in straight.runs:
        xr.testing.assert_identical(
            report.folder.read(run).arrays, straight.folder.read(run).arrays
        )


def test_data_missing_on_one_worker_are_found_on_the_other(client, tmp_path, monkeypatch, rng):
    table = np.column_stack([rng.standard_normal((12, 3)), rng.standard_normal(12)])
    np.savetxt(tmp_path / "mine.csv", table, delimiter=",", header="a,b,c,y", comments="")
    monkeypatch.chdir(tmp_path)
    client.wait_for_workers(2, timeout=30)
    first, second = client.scheduler_info()["workers"]
    client.run(os.chdir, str(tmp_path), workers=[first])
    client.run(os.chdir, "/", workers=[second])
    study = replace(STUDY, data=(DataSet("./mine.csv", label="y"),))
    report = run_study(study, Folder(tmp_path / "one"), engine=engine(client), predictor=free)
    assert [failure.reason for failure in report.failures] == []
    assert report.computed == 4
    (tmp_path / "mine.csv").rename(tmp_path / "only-here.csv")
    client.run(os.chdir, "/", workers=[first])
    other = replace(study, data=(DataSet("./only-here.csv", label="y"),), seeds=(7,))
    report = run_study(other, Folder(tmp_path / "none"), engine=engine(client), predictor=free)
    assert report.computed == 0
    assert "only-here.csv is not a file" in report.failures[0].reason
    assert "on all 2 workers" in report.failures[0].reason


def test_data_missing_on_the_workers_are_timed_here(client, tmp_path, monkeypatch, rng):
    table = np.column_stack([rng.standard_normal((12, 3)), rng.standard_normal(12)])
    np.savetxt(tmp_path / "here.csv", table, delimiter=",", header="a,b,c,y", comments="")
    monkeypatch.chdir(tmp_path)
    client.wait_for_workers(2, timeout=30)
    client.run(os.chdir, "/")
    study = replace(STUDY, data=(DataSet("./here.csv", label="y"),))
    predicted = predictor(client)(runs(study))
    assert len(predicted.per_run) == 4
    assert predicted.workers == 2


def test_workers_time_at_once_and_the_median_counts(client, tmp_path, monkeypatch):
    client.wait_for_workers(2, timeout=30)

    def together(runs, *, workers, spectra):
        (tmp_path / str(os.getpid())).touch()
        while len(list(tmp_path.iterdir())) < workers:
            time.sleep(0.01)
        slower = max(tmp_path.iterdir()).name == str(os.getpid())
        return Prediction(7.0 if slower else 3.0, (), len(runs), spectra == tmp_path, workers)

    monkeypatch.setattr(cluster, "predict", together)
    assert predictor(client)(runs(STUDY), spectra=tmp_path) == Prediction(7.0, (), 4, True, 2)


@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_a_result_that_cannot_be_had_fails_its_run_alone(client, tmp_path, monkeypatch, how):
    client.wait_for_workers(2, timeout=30)
    ledger = Ledger(STUDY, Folder(tmp_path), runs(STUDY)[:2])
    pool = cluster._Pool(client, ledger, 30.0)
    pool.fill()
    lost = next(iter(pool.futures))
    run = pool.futures[lost].run
    if how == "cancelled":
        client.cancel([lost], force=True)
    else:
        fail = KilledWorker("run", "a worker", 3)
        result = Future.result

        def had(future, **options):
            if future is lost:
                raise fail
            return result(future, **options)

        monkeypatch.setattr(Future, "result", had)
    while pool.futures:
        pool.collect()
    (failure,) = ledger.failures
    assert failure.run == run
    assert {"cancelled": "gave it up", "killed": "died several times"}[how] in failure.reason
    assert sorted(ledger.outcomes.values()) == ["computed", "failed"]


def test_an_interrupt_of_the_terminal_is_not_for_the_workers(client):
    def blocked():
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    assert list(client.run(blocked).values()) == [True, True]
    assert not blocked()


def test_no_profiler_looks_at_the_threads_of_a_worker(client):
    """On Python 3.11 that look can wait for a thread which waits for it."""

    def callbacks(dask_worker):
        return set(dask_worker.periodic_callbacks)

    assert len(found := client.run(callbacks)) > 0
    assert all("heartbeat" in names and "profile" not in names for names in found.values())


def test_only_who_has_the_certificate_can_talk_to_the_workers(client):
    address = client.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    workers = client.scheduler_info()["workers"]
    assert workers
    assert all(worker.startswith("tls://127.0.0.1:") for worker in workers)
    for door in (address, address.replace("tls", "tcp"), next(iter(workers)).replace("tls", "tcp")):
        gc.collect()  # a refused client that goes while the next one starts would wait for itself
        with pytest.raises((OSError, TypeError, RuntimeError)):
            Client(door, timeout=2)
    gc.collect()
    stranger = Security.temporary()
    with pytest.raises(OSError, match=r"Timed out|refused|certificate"):
        Client(address, security=stranger, timeout=2)


def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch):
    monkeypatch.setattr("inertial.runs.cluster._CONNECT_SECONDS", 1)
    with (
        pytest.raises(InvalidInput, match="no scheduler with a worker answers at tcp"),
        connected("tcp://127.0.0.1:1"),
    ):
        pass


def test_who_finds_no_worker_leaves_no_connection_behind(monkeypatch):
    monkeypatch.setattr("inertial.runs.cluster._CONNECT_SECONDS", 1)
    with LocalCluster(n_workers=0, dashboard_address=None) as lonely:
        with (
            pytest.raises(InvalidInput, match="no scheduler with a worker answers"),
            connected(lonely.scheduler_address),
        ):
            pass
        given_up = time.monotonic() + 60  # the scheduler forgets a closed connection when it can
        while lonely.scheduler.client_comms and time.monotonic() < given_up:
            time.sleep(0.01)
        assert not lonely.scheduler.client_comms
