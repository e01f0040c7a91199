"""Costs add up, and what is not timed follows from what is."""

import tracemalloc
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from inertial import load
from inertial.runs import cost, execution
from inertial.runs.config import DataSet, Study
from inertial.runs.cost import Shape, Timing, memory_of, predict
from inertial.runs.execution import kept_spectrum, prepare
from inertial.runs.spec import load_data, runs
from inertial.runs.study import Folder, run_study
from inertial.simulation.step import layout

STUDY = Study(
    "small",
    (DataSet("sphere", rows=24, dim=4),),
    methods=("nesterov",),
    rules=("paper",),
    widths=(20, 30, 40),
    seeds=(0, 1),
    steps=99,
)


@pytest.fixture
def clock(monkeypatch):
    """A step takes m/100 s, what surrounds a run 2 s, its forecast 1 s, compiling 5 s."""
    monkeypatch.setattr(cost, "timed", lambda shape: Timing(shape.width / 100, 2.0, 5.0))
    monkeypatch.setattr(cost, "_forecast", lambda *_: 1.0)


@pytest.fixture
def known(clock, monkeypatch):  # noqa: ARG001 - it goes on from there
    """Besides, setting up takes 7 s and storing a run 0.5 s."""
    monkeypatch.setattr(cost, "_setup", lambda *_: 7.0)
    monkeypatch.setattr(cost, "_storing", lambda: 0.5)


@pytest.mark.usefixtures("known")
def test_time_is_the_sum_of_its_parts():
    predicted = predict(runs(STUDY))
    steps = 100 * 2 * (0.2 + 0.3 + 0.4)
    assert predicted.seconds == pytest.approx(steps + 6 * (2 + 1 + 0.5) + 3 * 5 + 7)
    assert sum(predicted.per_run) == pytest.approx(predicted.seconds)
    # What this process has timed itself, the two ends, it need not compile again.
    assert predict(runs(STUDY), warm=True).seconds == pytest.approx(predicted.seconds - 2 * 5)


@pytest.mark.usefixtures("known")
def test_many_workers_take_no_memory():
    tracemalloc.start()
    assert cost._wall([2.0, 1.0], 10**9) == 2.0
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_workers_share_the_time():
    alone = predict(runs(STUDY))
    shared = predict(runs(STUDY), workers=2)
    assert max(alone.per_run) < shared.seconds < alone.seconds
    assert shared.seconds >= alone.seconds / 2
    many = predict(runs(STUDY), workers=100)
    assert many.seconds == max(many.per_run)


@pytest.mark.usefixtures("known")
def test_every_worker_sets_up_and_compiles_by_itself():
    # Steps, start, forecast and storing at widths 20, 30 and 40, two seeds each; then the rest.
    work = np.array([23.5, 23.5, 33.5, 33.5, 43.5, 43.5])
    for workers, extra in (
        (1, [12, 0, 5, 0, 5, 0]),
        (2, [12, 12, 5, 5, 5, 5]),
        (3, [12, 12, 12, 5, 5, 5]),
        (100, [12, 12, 12, 12, 12, 12]),
    ):
        np.testing.assert_allclose(predict(runs(STUDY), workers=workers).per_run, work + extra)


@pytest.mark.parametrize("d", [4, 64, 300])
def test_a_decomposition_is_carried_on_by_its_powers(monkeypatch, d):
    """A kernel of n rows takes n^3 units and a span n d min(n, d), each 9 more the first time."""
    times = {"now": 0.0}

    def takes(price):
        seen = set()

        def work(part):
            rows = len(getattr(part, "x", part))
            times["now"] += price(rows) + 9 * (rows not in seen)
            seen.add(rows)

        return work

    monkeypatch.setattr(cost.time, "perf_counter", lambda: times["now"])
    data = load("sphere", n=200, dim=d)
    for rows, warm in product((200, 500, 100, 20), (True, False)):
        monkeypatch.setattr(cost, "spectrum_of", takes(lambda n: n**3))
        monkeypatch.setattr(cost, "span", takes(lambda n: n * d * min(n, d)))
        monkeypatch.setattr(cost, "_SETUP_ROWS", rows)
        once = 0 if warm and rows >= 200 else 18
        expected = 200**3 + 200 * d * min(200, d) + once
        assert cost.decomposing(data, warm=warm) == pytest.approx(expected, rel=1e-12)


@pytest.mark.usefixtures("clock")
def test_a_kept_spectrum_is_not_charged(tmp_path, monkeypatch):
    # A decomposition that would take longer than any test: an hour.
    monkeypatch.setattr(cost, "decomposing", lambda *_, **__: 3600.0)
    monkeypatch.setattr(execution, "_KEPT_ROWS", 20)
    study = replace(STUDY, data=(DataSet("sphere", rows=24, dim=4, seed=5),))
    cost._setup.cache_clear()
    assert predict(runs(study), spectra=tmp_path).seconds > 3600
    kept_spectrum(load_data(study.data[0]), tmp_path)
    assert predict(runs(study), spectra=tmp_path).seconds < 3600
    assert predict(runs(study)).seconds > 3600
    cost._setup.cache_clear()


def test_a_singular_data_set_stops_neither_plan_nor_study(tmp_path):
    sets = (DataSet("sphere", rows=30, dim=1), *STUDY.data)
    study = replace(STUDY, data=sets, widths=(20,), seeds=(0,), steps=5)
    assert predict(runs(study)).seconds > 0
    report = run_study(study, Folder(tmp_path))
    assert report.computed == 1
    (failure,) = report.failures
    assert failure.run.data == sets[0]
    assert "smallest eigenvalue is zero" in failure.reason


def test_timing_follows_the_number_of_tiles(monkeypatch):
    # 20,000 neurons pass in many tiles: a + b k from runs of one tile and of three.
    tiles, neurons = layout(10_000, 20_000)
    assert tiles > 3
    widths = []

    def timed(shape):
        widths.append(shape.width)
        count = layout(shape.n, shape.width)[0]
        return Timing(3.0 + 2.0 * count, 1.0 + 2.0 * count, float(count))

    monkeypatch.setattr(cost, "_timed", timed)
    cost.timed.cache_clear()
    timing = cost.timed(Shape(10_000, 5, 5, 20_000, "float32"))
    assert timing.step == pytest.approx(3 + 2 * tiles)
    assert timing.around == pytest.approx(1 + 2 * tiles)
    assert timing.compilation == 3
    assert widths == [neurons, 3 * neurons]
    cost.timed.cache_clear()


@pytest.mark.parametrize("decomposed", [True, False])
@pytest.mark.parametrize("dim", [4, 24, 26, 40])  # 24 rows span 4, 24, 24 (not worth it) and 24
def test_time_is_that_of_the_coordinates_a_run_has(monkeypatch, dim, decomposed):
    monkeypatch.setattr(cost, "_SPAN_ROWS", 1000 if decomposed else 0)
    cost.dimensions.cache_clear()
    data = DataSet("sphere", rows=24, dim=dim)
    assert cost.dimensions(data) == (24, dim, prepare(data).within.x.shape[1])
    cost.dimensions.cache_clear()


@pytest.mark.usefixtures("known")
def test_disk_is_what_the_runs_take(tmp_path):
    study = replace(STUDY, steps=400)
    predicted = predict(runs(study)).disk
    report = run_study(study, Folder(tmp_path), predictor=predict)
    taken = sum(report.folder.run_file(run).stat().st_size for run in report.runs)
    assert 0.7 < predicted / taken < 1.3  # the promise of a plan


@pytest.mark.usefixtures("known")
def test_memory_grows_with_rows_width_and_precision():
    base = Shape(5000, 100, 100, 4000, "float32")
    for change in ({"n": 10_000}, {"width": 2_000_000}):
        assert memory_of(replace(base, **change)) > memory_of(base)
    wide = replace(base, width=100_000)
    assert memory_of(replace(wide, precision="float64")) > memory_of(wide)


def test_the_memory_of_a_kernel_is_what_its_decomposition_takes(monkeypatch):
    """Arrays of 1,400 rows are 1 % of it each; besides n x n there is nothing larger."""
    prepare(DataSet("sphere", rows=20, dim=20))  # what is loaded at the first time
    data = DataSet("sphere", rows=1400, dim=20)
    tracemalloc.start()
    prepare(data)
    _, taken = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    monkeypatch.setattr(cost, "_held_now", lambda: 0)
    predicted = memory_of(Shape(1400, 20, 20, 10, "float64"))
    assert 0.95 < predicted / taken < 1.05


def test_a_forecast_is_timed_on_some_steps_and_extrapolated(monkeypatch):
    looked, clock = [], iter([10.0, 13.0])
    monkeypatch.setattr(cost, "forecast_loss", lambda *given: looked.extend(given[2]))
    monkeypatch.setattr(cost.time, "perf_counter", lambda: next(clock))
    cost._forecast.cache_clear()
    assert cost._forecast(5, 1009) == pytest.approx(3 * 1010 / len(looked))
    assert len(looked) < 200
    cost._forecast.cache_clear()


def test_disk_holds_the_checkpoints_on_their_way_and_the_spectra(monkeypatch):
    some = runs(replace(STUDY, widths=(50, 90, 70), seeds=(0,)))
    long = cost.SAVE_SECONDS + 1
    sphere = STUDY.data[0]
    # Displacement and momentum of the widest that are on their way together, in float32.
    for seconds, workers, widths in (
        ([long, long, long], 1, [90]),
        ([long, long, long], 2, [90, 70]),
        ([long, 1, long], 1, [70]),
        ([1, 1, 1], 3, []),
    ):
        expected = sum(2 * 4 * 4 * width for width in widths)
        assert cost.checkpoint_bytes(some, seconds, workers) == expected
    assert cost.spectra_bytes([sphere]) == 0  # too few rows to be kept
    monkeypatch.setattr(cost, "kept", lambda _: True)
    assert cost.spectra_bytes([sphere, sphere]) == 2 * 24 * 24 * 8


def test_real_steps_are_timed():
    timing = cost.timed(Shape(40, 6, 4, 50, "float32"))
    assert timing.step > 0
    assert timing.around > 0
