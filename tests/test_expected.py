"""The expected measure against Monte Carlo, and the words for a singular kernel."""

from functools import cache

import numpy as np
import pytest

from helpers import unit_inputs
from inertial import (
    InvalidInput,
    TwoLayerReLU,
    _memory,
    decompose,
    forecast_loss,
    infinite_gram,
    initial_residual,
    load,
    measure_of,
    spectrum_of,
    steps_to,
)
from inertial.linear import ends as ends_module
from inertial.linear import expected
from inertial.linear.ends import extremes
from inertial.linear.expected import expected_weights, need_of, singular_reason
from inertial.linear.kernel import output_covariance
from inertial.method.rules import choose


def test_expected_weights_are_means_over_random_starts(rng):
    x, y = unit_inputs(rng, 8, 3), rng.standard_normal(8)
    spectrum = decompose(infinite_gram(x))
    weights = expected_weights(spectrum, y, output_covariance(x))
    draws = np.array(
        [
            spectrum.modes(initial_residual(TwoLayerReLU(40, 3), x, y, seed=s)) ** 2
            for s in range(600)
        ]
    )
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - weights) < 5 * error).all()
    assert weights.sum() == pytest.approx(0.5 * np.sum(x**2) + np.sum(y**2))


def test_repeated_rows_are_named_with_the_remedy(tmp_path, rng):
    x = unit_inputs(rng, 80, 4)
    x[7], x[60] = 2 * x[3], x[3]
    np.savez(tmp_path / "own.npz", x=x, y=rng.standard_normal(80))
    data = load(tmp_path / "own.npz")
    for study in (measure_of, spectrum_of):
        with pytest.raises(InvalidInput, match=r"\(4 and 8, 4 and 61; pairs: 2\); .*--dedupe"):
            study(data)
    assert measure_of(load(tmp_path / "own.npz", dedupe=True)).smallest > 0


def test_other_reasons_are_told_apart(rng):
    cross = np.array([[1.0, 0], [0, 1], [np.sqrt(0.5), np.sqrt(0.5)]])
    assert "antiparallel rows 1 and 4" in singular_reason(np.vstack([cross, -cross]))
    assert "nearly parallel" in singular_reason(unit_inputs(rng, 10, 3))
    # Wide norms are not called parallel; a factor 10 below the rounding they are not blamed.
    wide = unit_inputs(rng, 10, 3) * np.geomspace(1e-9, 1, 10)[:, None]
    assert extremes(infinite_gram(wide)).singular
    assert "norms range from 1e-09 to 1," in singular_reason(wide)
    assert not extremes(infinite_gram(wide / np.linalg.norm(wide, axis=1)[:, None])).singular
    narrow = unit_inputs(rng, 10, 3) * np.geomspace(1e-6, 1, 10)[:, None]
    assert "nearly parallel" in singular_reason(narrow)


@pytest.fixture
def blocks(monkeypatch):
    """Let small data take the route of large ones."""
    monkeypatch.setattr(expected, "_FULL_BELOW", 50)
    monkeypatch.setattr(ends_module, "DENSE_BELOW", 50)
    monkeypatch.setattr(expected, "_STEPS", 4)


@cache
def whole(name):
    """Data, the measure of the full decomposition, and every method tuned for it."""
    data = load(name, n=350)
    full = spectrum_of(data)[1]
    methods = ("gradient_descent", "heavy_ball", "nesterov")
    return data, full, {method: choose("forecast", method, full) for method in methods}


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("name", ["digits", "diabetes"])
@pytest.mark.parametrize("route", ["held", "tiled"])
def test_blocks_give_the_measure_of_the_full_decomposition(monkeypatch, name, route):
    """Losses of all three methods within a percent while the loss falls to one percent."""
    data, full, best = whole(name)
    if route == "tiled":
        monkeypatch.setattr(expected, "_SHARE", 0.0)
    assert need_of(data.x).route == route
    ours = measure_of(data)
    assert len(ours.nodes) < len(full.nodes)
    assert ours.total == pytest.approx(full.total, rel=1e-6)
    assert ours.largest == pytest.approx(full.largest, rel=1e-8 if route == "held" else 1e-5)
    assert not ours.ends.proven
    if route == "held":
        assert ours.smallest == pytest.approx(full.smallest, rel=1e-6)
    for method, tuned in best.items():
        steps = np.arange(steps_to(tuned, full, 0.01) + 1)
        if len(steps) < 5000:
            gap = forecast_loss(tuned, ours, steps) / forecast_loss(tuned, full, steps) - 1
            assert np.abs(gap).max() < 0.02
        again = choose("forecast", method, ours)
        assert steps_to(again, full, 0.01) <= 1.02 * steps_to(tuned, full, 0.01) + 1


@pytest.mark.usefixtures("blocks")
def test_progress_tile_by_tile_grows_from_nothing_to_all_of_it(monkeypatch):
    monkeypatch.setattr(expected, "_SHARE", 0.0)
    told = []
    measure_of(load("digits", n=200), progress=lambda *what: told.append(what))
    labels, done, totals = map(list, zip(*told, strict=True))
    assert set(labels) == {"kernel, tile by tile"}
    assert done == sorted(done)
    assert done[0] < 0.2 * totals[0]
    assert done[-1] >= totals[-1] - 1  # sums of parts are rounded down


@pytest.mark.usefixtures("blocks")
def test_a_measure_that_has_no_room_is_refused_with_the_rows_that_have(monkeypatch):
    data = load("digits", n=200)
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 8 * 120 * (4 * 32 * 4 + 2 * 64)}
    monkeypatch.setattr(_memory.os, "sysconf", pages.__getitem__)
    with pytest.raises(InvalidInput, match=r"take at most 120 rows with --n"):
        measure_of(data)
    assert need_of(load("digits", n=120).x).route == "tiled"
