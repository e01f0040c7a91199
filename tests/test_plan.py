"""Costs add up, and what is not timed follows from what is."""

from dataclasses import replace

import pytest

from inertial.study import cost
from inertial.study.config import DataSet, Study
from inertial.study.cost import Shape, Timing, predict
from inertial.study.job import runs
from inertial.study.records import Folder
from inertial.study.runner import run_study

STUDY = Study(
    "small",
    (DataSet("sphere", rows=24, dim=4),),
    methods=("nesterov",),
    widths=(20, 30, 40),
    seeds=(0, 1),
    steps=99,
)


@pytest.fixture
def known(monkeypatch):
    """A step takes m/100 s, what surrounds a run 2 s, compiling 5 s, setting up 7 s."""
    monkeypatch.setattr(cost, "timed", lambda shape: Timing(shape.width / 100, 2.0, 5.0))
    monkeypatch.setattr(cost, "_setup", lambda _: 7.0)
    monkeypatch.setattr(cost, "_forecast", lambda *_: 1.0)


@pytest.mark.usefixtures("known")
def test_time_is_the_sum_of_its_parts():
    predicted = predict(runs(STUDY))
    steps = 100 * 2 * (0.2 + 0.3 + 0.4)
    assert predicted.seconds == pytest.approx(steps + 6 * (2 + 1) + 3 * 5 + 7)
    assert sum(predicted.per_run) == pytest.approx(predicted.seconds)
    # What this process has timed itself, the two ends, it need not compile again.
    assert predict(runs(STUDY), warm=True).seconds == pytest.approx(predicted.seconds - 2 * 5)


@pytest.mark.usefixtures("known")
def test_workers_share_the_time():
    alone = predict(runs(STUDY))
    shared = predict(runs(STUDY), workers=2)
    assert max(alone.per_run) < shared.seconds < alone.seconds
    assert shared.seconds >= alone.seconds / 2
    assert predict(runs(STUDY), workers=100).seconds == max(alone.per_run)


def test_timing_follows_the_number_of_blocks(monkeypatch):
    # 1,280 rows are three blocks of 427, 10,000 are 20 of 500: a + b k from one and three blocks.
    monkeypatch.setattr(
        cost, "_timed", lambda shape, n: Timing(3.0 + 2.0 * (n // (shape.n // 20)), 0.0, 0.0)
    )
    cost.timed.cache_clear()
    assert cost.timed(Shape(10_000, 5, 5, 100, "float32")).step == pytest.approx(3 + 2 * 20)
    cost.timed.cache_clear()


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
        assert cost._memory(replace(base, **change)) > cost._memory(base)
    wide = replace(base, width=100_000)
    assert cost._memory(replace(wide, precision="float64")) > cost._memory(wide)


def test_real_steps_are_timed():
    timing = cost.timed(Shape(40, 6, 4, 50, "float32"))
    assert timing.step > 0
    assert timing.around > 0
