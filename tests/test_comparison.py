"""The main job: what it stores, that it repeats, and what its table says."""

import json
import subprocess
import sys
import warnings
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

from inertial import (
    InvalidInput,
    Measure,
    Recursion,
    Settings,
    StabilityWarning,
    TwoLayerReLU,
    compare,
    decompose,
    files,
    finite_gram,
    forecast,
    forecast_loss,
    gradient_descent,
    heavy_ball,
    infinite_gram,
    initial_residual,
    load,
    measure_of,
    nesterov,
    nesterov_varying,
    read_run,
    spectral_radius,
    spectrum_of,
    trust,
    tune,
)
from inertial._checks import Notice
from inertial.method.flow import heavy_ball_flow, high_resolution_heavy_ball, nesterov_flow
from inertial.method.recursion import label
from inertial.problem.model import start_key
from inertial.runs.comparison import compare as run_comparison
from inertial.runs.execution import Prepared, execute
from inertial.runs.measures import summarize, trusted
from inertial.runs.spec import specs
from inertial.simulation.integrate import flow_loss
from inertial.theory.gather import StoredRun
from inertial.view.figures import save_convergence
from inertial.view.run_page import report_page

SMALL = Settings(width=300, seeds=(0, 3), steps=40, rule="paper")


@pytest.fixture(scope="module")
def data():
    return load("digits", n=60)


@pytest.fixture(scope="module")
def result(data, tmp_path_factory):
    return compare(data, SMALL, out=tmp_path_factory.mktemp("runs") / "run", command="as typed")


def test_the_folder_holds_arrays_and_manifest(result, data):
    assert sorted(path.name for path in result.run.iterdir()) == [
        "manifest.json",
        "run.nc",
    ]
    arrays, manifest = read_run(result.run)
    for name in ("loss", "max_distance", "mean_distance", "pattern_change", "forecast_loss"):
        assert arrays[name].dims == ("optimizer", "seed", "step")
        assert arrays[name].shape == (3, 2, 41)
        assert np.isfinite(arrays[name]).all()
    assert list(arrays.optimizer.values) == ["gradient_descent", "heavy_ball", "nesterov"]
    assert list(arrays.seed.values) == [0, 3]
    assert manifest["data"] == json.loads(json.dumps(asdict(data.provenance)))
    assert manifest["settings"] == json.loads(json.dumps(asdict(SMALL)))
    assert manifest["command"] == "as typed"
    for key in ("packages", "commit", "machine", "wall_seconds", "started", "methods"):
        assert key in manifest


def test_all_methods_start_at_one_point_and_momentum_wins(result):
    first = result.arrays.loss.isel(step=0).transpose("optimizer", "seed").values
    assert (first == first[0]).all()
    rows = {row.method: row for row in result.methods}
    assert rows["nesterov"].loss_last_mean < rows["gradient_descent"].loss_last_mean
    assert (result.arrays.pattern_change.isel(step=0) == 0).all()
    assert (result.arrays.max_distance >= result.arrays.mean_distance).all()


def test_the_forecast_starts_where_the_network_does(result):
    measured, linear = result.arrays.loss.isel(step=0), result.arrays.forecast_loss.isel(step=0)
    # The network runs in float32, its initial residual is computed in float64.
    np.testing.assert_allclose(measured, linear, rtol=1e-5)
    errors = {row.method: row.forecast_error for row in result.methods}
    assert errors["gradient_descent"] < 0.05


def test_the_same_settings_give_the_same_bits(data, result, tmp_path):
    again = compare(data, SMALL, out=tmp_path / "again")
    assert again.arrays.identical(result.arrays)
    for folder in (again.run, result.run):
        save_convergence(result.arrays, folder)
    for name in ("convergence.png", "convergence.svg", "run.nc"):
        assert (again.run / name).read_bytes() == (result.run / name).read_bytes()


def test_the_finite_kernel_forecasts_a_wide_network_better(data, tmp_path):
    settings = Settings(methods=("nesterov",), width=2000, seeds=(0,), steps=60, rule="quadratic")
    errors = {
        kernel: compare(data, replace(settings, kernel=kernel), out=tmp_path / kernel)
        .methods[0]
        .forecast_error
        for kernel in ("infinite", "finite")
    }
    assert errors["finite"] < errors["infinite"]


def test_summaries_are_read_from_the_arrays(result):
    loss = result.arrays.loss.sel({"optimizer": "nesterov"}).transpose("seed", "step").values
    row = result.methods[2]
    assert row.loss_first == pytest.approx(loss[:, 0].mean())
    assert row.loss_last_mean == pytest.approx(loss[:, -1].mean())
    assert (row.loss_last_min, row.loss_last_max) == (loss[:, -1].min(), loss[:, -1].max())
    reached = [np.flatnonzero(seed <= 0.1 * seed[0]) for seed in loss]
    measured = row.steps_to["0.1"]["measured"]
    if all(steps.size for steps in reached):
        assert measured == np.mean([steps[0] for steps in reached])
    else:
        assert measured is None
    assert row.steps_to["0.001"]["measured"] is None


def test_printed_it_is_its_table_and_says_first_which_method_got_there(result):
    steps = {row.method: row.steps_to["0.01"]["measured"] for row in result.methods}
    reached = {name: count for name, count in steps.items() if count is not None}
    said = result.recommendation
    if reached:
        assert said.startswith(label(min(reached, key=reached.get)))
    else:
        assert said.startswith("No method reached 1 % of the loss at the start in 40 steps; ")
    assert str(result).startswith(said)
    for row in result.rows:
        assert all(cell in str(result) for cell in row)
    assert repr(result) == f"<Comparison: {said}>"
    assert result._repr_html_().startswith("<pre>")


def test_its_frame_has_a_row_a_method_and_its_figure_a_line_for_run_and_forecast(result):
    frame = result.to_dataframe().set_index("method")
    for row in result.methods:
        assert frame.loc[row.method, "loss_last_mean"] == row.loss_last_mean
        assert frame.loc[row.method, "trust"] == row.trust.verdict
        forecast = row.steps_to["0.01"]["predicted"]
        found = frame.loc[row.method, "steps_to_0.01_predicted"]
        assert found == forecast if forecast is not None else np.isnan(found)
    (axes,) = result.plot().axes
    solid = [line for line in axes.lines if len(line.get_xdata()) == 41]
    assert len(solid) == 2 * len(result.methods)
    mean = result.arrays.loss.sel({"optimizer": "nesterov"}).mean("seed")
    shares = (mean / mean[0]).to_numpy()
    assert any(np.allclose(line.get_ydata(), shares, rtol=1e-12) for line in solid)


def test_a_method_is_taken_by_name_and_a_slip_is_met_by_the_nearest(result):
    xr.testing.assert_identical(result.of("nesterov"), result.arrays.sel({"optimizer": "nesterov"}))
    with pytest.raises(InvalidInput, match="did you mean 'nesterov'"):
        result.of("nestrov")


def test_predicted_steps_are_those_of_the_forecast(result):
    for row in result.methods:
        loss = result.arrays.forecast_loss.sel({"optimizer": row.method})
        reached = (loss <= 0.1 * loss.isel(step=0)).transpose("seed", "step").values
        predicted = row.steps_to["0.1"]["predicted"]
        if reached.any(axis=1).all():
            assert predicted == np.mean(reached.argmax(axis=1))
        else:
            assert predicted > 40


def test_recorded_residuals_have_the_recorded_losses(data, tmp_path):
    settings = replace(SMALL, record_residuals=True, seeds=(1,), methods=("heavy_ball",))
    arrays = compare(data, settings, out=tmp_path / "run").arrays
    assert arrays.residual.dims == ("optimizer", "seed", "step", "sample")
    np.testing.assert_allclose(0.5 * (arrays.residual**2).sum("sample"), arrays.loss, rtol=1e-12)


def test_a_diverged_run_is_named_and_the_others_finish(data, tmp_path):
    settings = Settings(methods=("gradient_descent", "nesterov"), width=100, seeds=(0,), steps=80,
                        eta=1e3, beta=0.5)  # fmt: skip
    said = "not below the stability limit .* it depends on width and start whether a network does"
    with pytest.warns(StabilityWarning, match=said):
        result = compare(data, settings, out=tmp_path / "run")
    for row in result.methods:
        assert row.status == "diverged"
        assert row.rule == "given"
        run = result.arrays.sel({"optimizer": row.method}).isel(seed=0)
        ended = int(run.diverged_at)
        assert run.loss.isel(step=slice(ended)).notnull().all()
        assert run.loss.isel(step=slice(ended + 1, None)).isnull().all()


def test_a_step_size_below_the_limit_does_not_warn(data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(
            data, Settings(eta=1e-3, beta=0.5, seeds=(0,), width=20, steps=2), out=tmp_path / "run"
        )


def gram_of_a_start(data, width, seed):
    """Sum of [w.x > 0] [w.x' > 0] x.x' over the neurons of a random start, over their number."""
    w, _ = TwoLayerReLU(width, data.x.shape[1]).init(start_key(seed))
    active = (data.x @ np.asarray(w).T > 0).astype(float)
    return active @ active.T * (data.x @ data.x.T) / width


@pytest.mark.parametrize(("share", "warned"), [(1 - 1e-6, False), (1 + 1e-6, True)])
@pytest.mark.parametrize(("name", "unit"), [("heavy_ball", 3.0), ("nesterov", 1.5)])
@pytest.mark.parametrize("kernel", ["infinite", "finite"])
def test_the_warning_begins_at_the_stability_limit(
    data, tmp_path, kernel, name, unit, *, share, warned
):
    """2 (1 + beta) / (1 + 2 gamma) by hand; a full decomposition is exact to far less than 1e-6.

    Of the starts' own kernels that of the sharper start decides, and what is said of trust too.
    """
    grams = [infinite_gram(data.x)]
    if kernel == "finite":
        grams = [gram_of_a_start(data, 400, seed) for seed in (0, 1)]
    largest = [np.linalg.eigvalsh(gram)[-1] for gram in grams]
    eta = share * unit / max(largest)
    seeds = tuple(range(len(grams)))
    settings = Settings(methods=(name,), eta=eta, beta=0.5, seeds=seeds, width=400, steps=1,
                        kernel=kernel)  # fmt: skip
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", StabilityWarning)
        result = compare(data, settings, out=tmp_path / "run")
    said = [str(one.message) for one in seen if issubclass(one.category, StabilityWarning)]
    assert len(said) == warned
    if kernel == "finite":
        assert all(f"on the kernel of seed {np.argmax(largest)}'s start" in one for one in said)
        own = result.arrays.start_eigenvalue.sel({"optimizer": name})
        expected = [np.linalg.eigvalsh(gram) for gram in grams]
        np.testing.assert_allclose(own, expected, atol=1e-12 * max(largest))
        assert (
            "start_eigenvalue"
            not in compare(
                data, replace(settings, kernel="infinite"), out=tmp_path / "other"
            ).arrays
        )


@pytest.mark.parametrize(("share", "grows"), [(0.9, False), (1.1, True)])
def test_trust_in_forecasts_on_the_starts_kernels_is_of_the_sharpest_start(
    data, tmp_path, share, grows
):
    """Judged on each start's own measure, by hand; the worst is said."""
    measures = []
    for seed in (0, 1):
        values, vectors = np.linalg.eigh(gram_of_a_start(data, 300, seed))
        network = TwoLayerReLU(300, data.x.shape[1])
        residual = initial_residual(network, data.x, data.y, seed=seed)
        measures.append(Measure(values, (vectors.T @ residual) ** 2))
    eta = share * 2 / max(one.largest for one in measures)
    settings = Settings(methods=("gradient_descent",), eta=eta, seeds=(0, 1), width=300, steps=5,
                        kernel="finite", target=0.05)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StabilityWarning)
        (row,) = compare(data, settings, out=tmp_path / "run").methods
    expected = [
        trust(gradient_descent(eta), one, 300, target=0.05, inputs=data.x.shape[1])
        for one in measures
    ]
    worst = max(one.strain for one in expected)
    assert np.isinf(worst) == grows
    assert row.trust.strain == pytest.approx(worst, rel=1e-6)


def test_an_existing_folder_is_refused_before_any_work(data, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(InvalidInput, match=r"run exists already; give another one with --out"):
        compare(data, SMALL, out=tmp_path / "run")


def test_nothing_is_left_behind_when_a_run_fails(data, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(data, SMALL, out=tmp_path / "run", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"seeds": ()}, r"seeds is \[\]; give at least one"),
        ({"seeds": (1, 1)}, "each of them once"),
        ({"seeds": (-1,)}, "seed is -1"),
        ({"methods": ("nesterov", "nesterov")}, "each of them once"),
        ({"rule": "quadratc"}, "did you mean 'quadratic'"),
        ({"target": 0.0}, "target is 0.0"),
        ({"beta": 0.9}, "beta is given without eta"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(InvalidInput, match=message):
        Settings(**changes)


def test_advice_is_the_forecast_of_the_expected_loss(data):
    advice = tune(data, target=0.02, trials=0)
    measure = measure_of(data)
    for entry in advice.methods:
        steps = np.array([0, entry.steps_to - 1, entry.steps_to])
        loss = forecast_loss(entry.method, measure, steps)
        assert loss[1] > 0.02 * loss[0] >= loss[2]
        assert entry.method.constant[0] < entry.eta_limit
        assert entry.spectral_radius < 1
    counts = [entry.steps_to for entry in advice.methods]
    assert advice.best.steps_to == min(counts)


def test_the_bound_is_the_least_squares_polynomial_of_the_start_itself(data, result):
    bound = result.arrays.bound_loss
    assert (bound <= result.arrays.forecast_loss * (1 + 1e-9)).all()
    spectrum, _ = spectrum_of(data)
    for seed in SMALL.seeds:
        residual = initial_residual(
            TwoLayerReLU(SMALL.width, data.x.shape[1]), data.x, data.y, seed=seed
        )
        coordinates, scaled = (
            spectrum.modes(residual),
            spectrum.eigenvalues / spectrum.eigenvalues[-1],
        )
        for t in (1, 2, 3, 4):
            powers = scaled[:, None] ** np.arange(1, t + 1)
            (_, left, *_) = np.linalg.lstsq(coordinates[:, None] * powers, coordinates)
            # The residual of training is one in single precision.
            np.testing.assert_allclose(
                bound.sel(seed=seed).isel(optimizer=0, step=t), left[0] / 2, rtol=1e-5
            )


def _left_by_least_squares(data, width, seed):
    """Share of the loss at a start that no weights of the linearised network take away."""
    network = TwoLayerReLU(width, data.x.shape[1])
    residual = np.asarray(initial_residual(network, data.x, data.y, seed=seed), float)
    w, _ = network.init(start_key(seed))
    active = (data.x @ np.asarray(w).T > 0).astype(float)
    features = (active[:, :, None] * data.x[:, None, :]).reshape(len(data.x), -1)  # J, up to signs
    left = residual - features @ np.linalg.lstsq(features, residual)[0]
    return (left @ left) / (residual @ residual)


def test_a_target_in_the_null_space_of_the_finite_kernel_is_said_to_be_out_of_reach(tmp_path):
    """Three neurons with eight inputs reach 24 of 40 outputs, or fewer."""
    random = np.random.default_rng(1)
    data = load(random.standard_normal((40, 8)), random.standard_normal(40))
    settings = Settings(
        methods=("gradient_descent",), width=3, seeds=(2, 3), steps=5, eta=0.05, kernel="finite"
    )
    shares = [_left_by_least_squares(data, 3, seed) for seed in settings.seeds]
    least = min(shares)
    for target, never in ((0.97 * least, True), (1.03 * least, False)):
        result = compare(data, replace(settings, target=target), out=tmp_path / str(never))
        stored = result.arrays.unreachable.isel(optimizer=0)
        np.testing.assert_allclose(stored, shares, rtol=1e-4)
        assert result.unreachable == pytest.approx(least, rel=1e-4)
        said = (
            f"No gradient method reaches {100 * target:g} % on the linearised model: "
            f"{100 * least:.3g} % of the loss at the start lies where its kernel is zero to "
            "within 1e-13 of its largest eigenvalue, and stays."
        )
        assert (said in result.table) == never
        page = report_page(StoredRun("run", *read_run(result.run)))
        assert (said in page) == never
        assert ('id="never"' in page) == never


def test_flows_are_solved_at_the_times_of_their_methods_steps(data, tmp_path):
    keys = ("gradient_flow", "nesterov_flow")
    settings = replace(SMALL, flows=keys, rule="quadratic", seeds=(3,))
    arrays = compare(data, settings, out=tmp_path / "run").arrays
    eigenvalues = arrays.eigenvalue.values
    first = arrays.forecast_loss.isel(step=0, seed=0).sel({"optimizer": "nesterov"}).item()
    assert arrays.flow_loss.dims == ("flow", "seed", "step")
    assert list(arrays.flow_method.values) == ["gradient_descent", "nesterov"]
    np.testing.assert_allclose(arrays.flow_loss.isel(step=0), first)
    # Gradient flow at t = k eta: exp(-2 l eta k), so its log falls by at most 2 lambda_max eta.
    eta = arrays.eta.sel({"optimizer": "gradient_descent"}).item()
    falls = -np.diff(np.log(arrays.flow_loss.sel(flow="gradient_flow").values[0]))
    assert (falls <= 2 * eta * eigenvalues[-1]).all()
    assert (falls >= 2 * eta * eigenvalues[0] * (1 - 1e-9)).all()


def test_flows_stand_beside_a_network_too_narrow_for_its_rows(tmp_path):
    # Of 30 rows, 3 neurons on 4 inputs have a singular kernel; the infinite one is not.
    data = load("sphere", n=30, dim=4)
    settings = replace(
        SMALL,
        methods=("gradient_descent", "heavy_ball"),
        width=3,
        kernel="finite",
        flows=("heavy_ball_flow", "newton_flow"),
        seeds=(3,),
    )
    arrays = compare(data, settings, out=tmp_path / "run").arrays
    assert np.isfinite(arrays.flow_loss).all()
    # Three neurons on four inputs have rank 12; the Newton flow leaves the other 18 modes.
    network = TwoLayerReLU(3, data.x.shape[1])
    w, _ = network.init(jax.random.key(3))
    residual = initial_residual(network, data.x, data.y, seed=3)
    basis = np.linalg.eigh(finite_gram(data.x, np.asarray(w)))[1]
    shares = 0.5 * (basis.T @ residual) ** 2
    time = arrays.eta.sel({"optimizer": "gradient_descent"}).item() * arrays.step.values
    np.testing.assert_allclose(
        arrays.flow_loss.sel(flow="newton_flow").values[0],
        shares[:18].sum() + shares[18:].sum() * np.exp(-2 * time),
        rtol=1e-6,
    )


def test_a_flow_that_is_the_limit_of_another_method_is_said_to_be_one(data, tmp_path):
    flows = ("gradient_flow", "newton_flow", "nesterov_flow", "high_resolution_nesterov")
    few = replace(SMALL, methods=("gradient_descent", "nesterov"), seeds=(0,), steps=2, flows=flows)
    note = compare(data, few, out=tmp_path / "run").note.splitlines()
    assert [line.split(" is the limit of ")[0] for line in note[1:]] == [
        "The Newton flow", "The Nesterov flow, with friction 3/t,",
        "The high-resolution flow of Nesterov's method has friction 2 sqrt(lambda_min/2): it",
    ]  # fmt: skip
    own = replace(few, flows=("gradient_flow",))
    assert "\n" not in compare(data, own, out=tmp_path / "own").note


def test_the_step_size_of_quasi_hyperbolic_momentum_is_said_to_be_that_of_its_recursion(
    data, tmp_path
):
    methods = ("heavy_ball", "quasi_hyperbolic")
    few = replace(SMALL, methods=methods, seeds=(0,), steps=2, rule="forecast", eta=0.05, beta=0.6)
    result = compare(data, few, out=tmp_path / "run")
    own, other = result.methods
    assert (own.eta, other.eta) == pytest.approx((0.05, 0.4 * 0.05))
    said = "is that of its recursion: (1 - beta) times the step size that it is given"
    assert said in result.table
    alone = replace(few, methods=methods[:1])
    assert said not in compare(data, alone, out=tmp_path / "alone").table


@pytest.mark.parametrize("build", [heavy_ball_flow, high_resolution_heavy_ball])
def test_heavy_ball_goes_to_a_flow_of_fixed_friction_at_the_momentum_that_is_said_alone(build):
    """On one mode with mu, by 400 short steps to one time."""
    measure, mu, steps = Measure(np.ones(1), np.ones(1)), 0.25, np.array([400])
    times = np.array([2.0])
    eta = (times[0] / steps[0]) ** 2
    flow_of = build(mu) if build is heavy_ball_flow else build(mu, eta)
    flow = flow_loss(flow_of, measure.nodes, measure.weights, times)[0]
    near, other = (
        forecast_loss(heavy_ball(eta, 1 - friction * np.sqrt(eta)), measure, steps)[0]
        for friction in (2 * np.sqrt(mu), 4 * np.sqrt(mu))
    )
    assert abs(near - flow) < 0.05 * flow
    assert abs(other - flow) > 0.2 * flow


def test_momentum_with_friction_d_over_t_goes_to_that_flow_and_constant_momentum_does_not():
    """On one mode, by 200 short steps to one time."""
    measure, times = Measure(np.ones(1), np.ones(1)), np.array([2.0])
    flow = flow_loss(nesterov_flow(3.0), measure.nodes, measure.weights, times)[0]
    steps = np.array([200])
    eta = (times[0] / steps[0]) ** 2
    varying = forecast_loss(nesterov_varying(eta, 3.0, steps=200), measure, steps)[0]
    constant = forecast_loss(nesterov(eta, 0.8), measure, steps)[0]
    assert abs(varying - flow) < 0.05 * flow
    assert abs(constant - flow) > 0.2 * flow


def test_a_target_has_its_own_row_of_step_counts(data, tmp_path):
    few = replace(SMALL, target=0.2, seeds=(0,), steps=3)
    for row in compare(data, few, out=tmp_path / "run").methods:
        assert list(row.steps_to) == ["0.2", "0.1", "0.01", "0.001"]
        assert row.steps_to["0.2"]["predicted"] <= row.steps_to["0.1"]["predicted"]
    assert few.shares == (0.2, 0.1, 0.01, 0.001)
    assert SMALL.shares == (0.1, 0.01, 0.001)


def test_a_figure_that_cannot_be_drawn_does_not_cost_the_run(data, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    result = compare(data, SMALL, out=tmp_path / "run")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        assert save_convergence(result.arrays, result.run) is None
    arrays, _ = read_run(tmp_path / "run")
    assert "loss" in arrays


def test_a_flow_without_its_method_is_refused():
    with pytest.raises(InvalidInput, match="is set beside nesterov, which is not among"):
        Settings(methods=("heavy_ball",), flows=("nesterov_flow",))
    with pytest.raises(InvalidInput, match="did you mean 'gradient_flow'"):
        Settings(flows=("gradient_flo",))


def test_every_number_of_a_summary_is_recomputed_from_the_arrays(data, tmp_path):
    settings = Settings(
        methods=("heavy_ball",), width=100, seeds=(0, 1), steps=30, eta=0.01, beta=0.7
    )
    result = compare(data, settings, out=tmp_path / "run")
    row, run = result.methods[0], result.arrays.sel({"optimizer": "heavy_ball"})
    assert (row.eta, row.beta, row.gamma) == (0.01, 0.7, 0.0)
    gaps = [
        max(
            abs(run.loss.values[s, t] ** 0.5 - run.forecast_loss.values[s, t] ** 0.5)
            for t in range(31)
        )
        / run.loss.values[s, 0] ** 0.5
        for s in range(2)
    ]
    assert row.forecast_error == pytest.approx(np.mean(gaps))
    assert row.max_distance_mean == pytest.approx(run.max_distance.values[:, -1].mean())
    assert row.pattern_change_mean == pytest.approx(run.pattern_change.values[:, -1].mean())


def test_trust_is_that_of_the_data_and_the_setting(result, data):
    for row in result.methods:
        method = Recursion(row.eta, row.beta, row.gamma)
        assert row.trust == trust(method, measure_of(data), SMALL.width, target=SMALL.target)
        assert row.unforeseen == 0


def test_trust_names_the_target_that_it_is_judged_at(result):
    named = f"trust to {100 * SMALL.target:g} %"
    cells = [trusted(row.trust, missed=row.missed) for row in result.methods]
    assert [named, *cells] in result.rows
    assert f"the forecast to {100 * SMALL.target:g} % " in result.trust[-1]


@pytest.mark.parametrize("missed", [False, True])
def test_what_holds_is_doubted_where_the_runs_depart(result, missed):
    holds = replace(result.methods[0].trust, verdict="holds")
    methods = tuple(
        replace(row, trust=holds, missed=missed and row.method != "nesterov")
        for row in result.methods
    )
    found = replace(result, methods=methods)
    said = (
        "The runs of gradient descent and heavy ball depart from the forecast to 1 %: what was "
        "measured is what counts."
    )
    assert (said in found.table) == missed
    assert ("\nTrust before training, least for" in found.table) == missed
    cells = ["holds; runs depart"] * 2 if missed else ["holds"] * 2
    assert ["trust to 1 %", *cells, "holds"] in found.rows


@pytest.mark.parametrize(("growth", "diverged"), [(999, False), (1001, True)])
def test_a_loss_that_grew_a_thousandfold_diverged_whatever_is_stored(result, growth, diverged):
    arrays = result.arrays.copy(deep=True)
    arrays.loss[1, 0, 5] = growth * arrays.loss[1, 0, 0]
    row = summarize(arrays, "heavy_ball", 0.01)
    assert (row.status, row.unforeseen) == (("finished", 0), ("diverged", 1))[diverged]
    assert summarize(arrays, "nesterov", 0.01).status == "finished"


def test_a_divergence_that_was_forecast_is_not_unforeseen(result):
    arrays = result.arrays.copy(deep=True)
    arrays.loss[1, :, 5] = arrays.forecast_loss[1, :, 5] = np.inf
    row = summarize(arrays, "heavy_ball", 0.01)
    assert (row.status, row.unforeseen) == ("diverged", 0)


def test_the_finite_kernel_is_each_seeds_own(data, tmp_path):
    settings = Settings(
        methods=("nesterov",), width=60, seeds=(0, 1), steps=20, kernel="finite", rule="paper"
    )
    run = compare(data, settings, out=tmp_path / "run").arrays.sel({"optimizer": "nesterov"})
    for row, seed in enumerate((0, 1)):
        network = TwoLayerReLU(60, data.x.shape[1])
        w, _ = network.init(jax.random.key(seed))
        residual = initial_residual(network, data.x, data.y, seed=seed)
        spectrum = decompose(finite_gram(data.x, np.asarray(w)))
        method = nesterov(run.eta.item(), run.beta.item())
        expected = forecast(method, spectrum, residual, np.arange(21)).loss
        np.testing.assert_allclose(run.forecast_loss.values[row], expected, rtol=1e-9)


def test_advice_recomputed_on_the_whole_spectrum(data):
    advice = tune(data, "paper", trials=0)
    for entry in advice.methods:
        method, largest = entry.method, advice.measure.largest
        assert entry.spectral_radius == spectral_radius(method, advice.measure.nodes)
        expected = 2 * (1 + method.constant[1]) / (1 + 2 * method.constant[2]) / largest
        assert entry.eta_limit == pytest.approx(expected)


def test_the_best_advice_reaches_the_target(data):
    advice = tune(data, trials=0)
    unreached = replace(advice.methods[0], steps_to=None, spectral_radius=0.1)
    assert replace(advice, methods=(unreached, advice.methods[1])).best is advice.methods[1]


ODD = """
import sys
import numpy as np
from inertial import InvalidInput, Settings, compare, load, read_run

odd = Settings(
    methods=["nesterov"], width=np.int64(20), seeds=range(2), steps=np.int32(3), rule="paper",
    target=np.float32(0.5), record_residuals=np.bool_(True),
)
assert (odd.methods, odd.seeds, odd.target) == (("nesterov",), (0, 1), 0.5)
assert Settings(seeds={3, 1}).seeds == (1, 3)
assert Settings(seeds=np.arange(3)).seeds == (0, 1, 2)
compare(load("sphere", n=12, dim=3), odd, out=sys.argv[1])
assert read_run(sys.argv[1])[1]["settings"]["seeds"] == [0, 1]
for wrong in ({"seeds": 3}, {"methods": "nesterov"}, {"target": "small"}):
    try:
        Settings(**wrong)
    except InvalidInput as error:
        assert f"{next(iter(wrong))} is" in str(error)
    else:
        raise AssertionError(wrong)
"""


def test_values_of_numpy_ranges_and_sets_are_taken_as_they_are_meant(tmp_path):
    """In a process of its own, for here types are checked before the door."""
    arguments = [sys.executable, "-c", ODD, str(tmp_path / "run")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_was_computed_is_kept_where_the_disk_is_full(data, tmp_path, monkeypatch):
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(kept))
    write = files.write

    def full(path, content, **options):
        if path.parent != kept:
            raise InvalidInput("No space left on device")
        write(path, content, **options)

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(InvalidInput, match=f"the results lie in {kept}"):
        compare(data, FEW, out=tmp_path / "run")
    assert read_run(kept)[0].sizes["step"] == 4
    assert list(tmp_path.iterdir()) == [kept]


FEW = Settings(methods=("nesterov",), width=20, seeds=(0,), steps=3, rule="paper")


@pytest.mark.parametrize("place", ["file", "file/below", "loop", "null"])
def test_a_folder_that_cannot_keep_runs_is_refused_before_the_work(
    data, tmp_path, monkeypatch, place
):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    asked = Path("\0") if place == "null" else tmp_path / place
    monkeypatch.setattr(
        "inertial.runs.comparison.execute_resumably", lambda *_: pytest.fail("work")
    )
    with pytest.raises(
        InvalidInput, match=r"cannot be written .*; give another folder with --check"
    ):
        run_comparison(data, FEW, out=tmp_path / "run", checkpoints=asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", [".", "kept", "link", "deep/er"])
def test_a_folder_that_can_keeps_runs_and_nothing_after_them(data, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    result = run_comparison(data, FEW, out=tmp_path / "run", checkpoints=Path(place))
    assert result.arrays.sizes["step"] == 4
    assert not [path for path in tmp_path.rglob("*.n[pc]*") if path.parent.name != "run"]


def test_a_disk_that_is_full_of_checkpoints_costs_no_comparison(data, tmp_path, monkeypatch):
    write, begun = files.write, files.writing

    def full(path, *more, **options):
        if path.parent.name == "kept":
            raise InvalidInput("No space left on device")
        return (write if more else begun)(path, *more, **options)

    for name in ("write", "writing"):
        monkeypatch.setattr(files, name, full)
    at_once = partial(execute, save_seconds=0)
    monkeypatch.setattr("inertial.runs.execution.execute", at_once)
    few = replace(FEW, steps=300)
    with pytest.warns(Notice, match="not kept|no checkpoint") as messages:
        result = run_comparison(data, few, out=tmp_path / "run", checkpoints=tmp_path / "kept")
    assert read_run(tmp_path / "run")[0].sizes["step"] == result.arrays.sizes["step"] == 301
    words = {str(one.message).split(" (")[0] for one in messages}
    assert {"no checkpoint could be written", "a finished run is not kept"} <= words


def test_a_comparison_is_the_join_of_its_runs(data, result):
    prepared = Prepared.of(data)
    for spec in specs(SMALL):
        one = execute(spec, prepared)
        run = result.arrays.sel(optimizer=spec.method, seed=spec.seed)
        for name in ("loss", "forecast_loss", "pattern_change", "forecast_steps"):
            np.testing.assert_array_equal(run[name], one[name])


def test_what_does_not_fit_in_memory_is_refused_before_the_work(data, tmp_path, monkeypatch):
    monkeypatch.setattr("inertial._memory.available", lambda: 2**10)
    for work in (lambda: compare(data, SMALL, out=tmp_path / "run"), lambda: Prepared.of(data)):
        with pytest.raises(InvalidInput, match=r"GiB of memory and there are .* take fewer"):
            work()
    assert not list(tmp_path.iterdir())
