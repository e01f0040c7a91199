"""The page of a run on a model: what it says, what it draws, and that it gives the numbers back."""

import dataclasses
import re

import numpy as np
import pytest

from browser import VIEWS, accessibility_faults, chromium, opened, scrolls_sideways
from inertial import MLP, InvalidInput, ModelSettings, Problem, Settings, compare, load, read_run
from inertial.runs.measures import share_of_limit
from inertial.theory.audit import audit
from inertial.theory.gather import StoredRun
from inertial.view.auditing import measured
from inertial.view.figures import convergence
from inertial.view.run_page import model_page, report_page
from test_report import rows_of, saved, spectrum_figures

__all__ = ["chromium"]

METHODS = ("heavy_ball", "adam")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    random = np.random.default_rng(5)
    problem = Problem(MLP(4, (12,)), "mse", random.standard_normal((20, 4)), random.random(20))
    settings = ModelSettings(
        methods=METHODS, seeds=(0, 2), steps=24, eta=0.02, beta=0.8, target=0.5
    )
    folder = tmp_path_factory.mktemp("run") / "run"
    return StoredRun("run", *read_run(compare(problem, settings, out=folder).run))


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(model_page(run, command="inertial report <run>"), encoding="utf-8")
    return path


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_no_serious_accessibility_fault(chromium, file, options):
    with opened(chromium, file, **options) as view:
        assert accessibility_faults(view) == []
        assert not scrolls_sideways(view)


def test_every_figure_is_drawn_and_gives_its_numbers_back(chromium, file, run):
    arrays = run.arrays
    with opened(chromium, file) as view:
        for name in ("convergence", "movement", "drift", "sharpness", "weight"):
            assert view.locator(f"#{name} svg").count(), name
        head, rows = rows_of(saved(view, "movement.csv"))
        assert head == ["optimizer", "seed", "step", "distance", "forecast_distance"]
        stored = arrays.distance.transpose("optimizer", "seed", "step").values.ravel()
        np.testing.assert_array_equal([float(row[3]) for row in rows], stored)
        head, rows = rows_of(saved(view, "drift.csv"))
        assert head[3:] == ["kernel_drift", "sharpness", "share_of_limit"]
        assert [row[2] for row in rows[:9]] == [str(step) for step in arrays.look.values]
        stored = arrays.kernel_drift.transpose("optimizer", "seed", "look").values.ravel()
        np.testing.assert_array_equal([float(row[3]) for row in rows], stored)
        share = share_of_limit(arrays.sel({"optimizer": "heavy_ball"})).values.ravel()
        np.testing.assert_array_equal([float(row[5]) for row in rows[: share.size]], share)
        assert {row[5] for row in rows[share.size :]} == {""}
        head, rows = rows_of(saved(view, "weight.csv"))
        assert head == ["modes", "share", "eigenvalue"]
        first = arrays.isel(optimizer=0, seed=0)
        nodes, weights = first.node.values, first.node_weight.values
        there = (nodes > 0) & (weights > 0)
        _, numbers = spectrum_figures(nodes[there], weights[there])["weight"]
        np.testing.assert_allclose(np.array(rows, float), numbers, rtol=1e-12)


def test_a_forecast_that_grows_leaves_the_figures_and_the_runs_stay_apart(chromium, run, tmp_path):
    """The forecast goes to 1e6; what was measured keeps a tenth of the height at least."""
    arrays = run.arrays.copy(deep=True)
    for name in ("forecast_loss", "forecast_distance"):
        arrays[name].loc[{"optimizer": "heavy_ball"}] *= 1e6 ** (arrays.step / 24)
    path = tmp_path / "grown.html"
    path.write_text(model_page(dataclasses.replace(run, arrays=arrays)), encoding="utf-8")
    with opened(chromium, path) as view:
        for name in ("convergence", "movement"):
            chart = view.locator(f"#{name} > svg").first
            said = "forecast leaves the figure upwards here"
            assert any(said in title for title in chart.locator(".mark title").all_text_contents())
            lines = chart.locator("path.line.c-heavy_ball:not([stroke-dasharray])")
            heights = lines.evaluate_all("(all) => all.map((one) => one.getBBox().height)")
            assert max(heights) > 0.1 * chart.bounding_box()["height"]


def test_the_page_speaks_of_this_model_and_of_no_neurons(file):
    text = re.sub(r"<(script|style).*?</\1>", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "none is judged on this model" in text
    assert "MLP</span>, 73 parameters" in text
    assert "under the loss mse" in text
    assert "½ Σ" not in text
    assert "neuron" not in text
    assert "inertial report &lt;run&gt;" in text


def test_a_model_in_evaluation_mode_is_said_to_be_there_and_on_the_line_to_copy(tmp_path):
    random = np.random.default_rng(5)
    problem = Problem.from_apply(
        lambda w, x: x @ w, np.zeros(4), random.standard_normal((20, 4)), random.random(20)
    )
    problem.evaluation = "all of this is for evaluation mode, where dropout is off"
    settings = ModelSettings(methods=("heavy_ball",), steps=24, eta=0.02, beta=0.8, target=0.5)
    result = compare(problem, settings, out=tmp_path / "run")
    assert problem.evaluation in result.table
    run = StoredRun("run", *read_run(result.run))
    assert run.manifest["model"]["evaluation"] == problem.evaluation
    page = model_page(run)
    assert (
        '<p id="evaluation">All of this is for evaluation mode, where dropout is off.</p>' in page
    )
    assert re.search(r"\ntorch\.optim\.SGD\(.*\)  # after model\.eval\(\)\n", page)


def test_a_run_without_the_word_on_evaluation_is_read_as_before(run):
    assert "evaluation" not in run.arrays.attrs
    assert "evaluation" not in run.manifest["model"]
    assert "eval" not in re.sub(r"<script.*?</script>", "", model_page(run), flags=re.DOTALL)


def test_a_run_without_its_records_is_refused_in_one_sentence(run):
    for lost in ("node", "kernel_drift"):
        part = StoredRun("run", run.arrays.drop_vars(lost), run.manifest)
        message = f"lacks {lost}, so it is not a comparison on a model"
        with pytest.raises(InvalidInput, match=message):
            model_page(part)


def test_the_figure_has_loss_movement_and_kernel(run):
    figure = convergence(run.arrays)
    loss, movement, kernel = figure.axes
    lines = {line.get_label(): line for line in loss.lines}
    adam = run.arrays.sel({"optimizer": "adam"})
    np.testing.assert_allclose(lines["Adam"].get_ydata(), adam.loss.mean("seed"))
    drawn = [line.get_ydata() for line in movement.lines]
    share = (adam.distance / adam.start_norm).mean("seed").values
    assert any(np.allclose(values, share) for values in drawn)
    drift = adam.kernel_drift.mean("seed").values
    assert any(np.allclose(line.get_ydata(), drift) for line in kernel.lines)


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """The papers' network, trained by a method of the papers and by one of optax."""
    settings = Settings(methods=METHODS, width=60, seeds=(0,), steps=20, rule="paper", target=0.5)
    folder = tmp_path_factory.mktemp("papers") / "run"
    return StoredRun("run", *read_run(compare(load("digits", n=30), settings, out=folder).run))


def test_an_optimiser_of_optax_trains_the_papers_network_from_the_same_start(papers):
    arrays = papers.arrays
    heavy, adam = (arrays.sel({"optimizer": name}).isel(seed=0) for name in METHODS)
    np.testing.assert_allclose(heavy.loss[0], adam.loss[0], rtol=1e-5)
    # Adam's first step is its step size in every weight with a gradient.
    inputs = load("digits", n=30).x
    moved = float(adam.eta) * np.sqrt((np.abs(inputs).max(0) > 0).sum())
    np.testing.assert_allclose(adam.max_distance[1], moved, rtol=1e-3)
    assert adam.mean_distance[1] <= adam.max_distance[1]
    assert 0 < float(adam.pattern_change[-1]) < 1
    assert float(adam.pattern_change[0]) == 0
    np.testing.assert_allclose(adam.forecast_loss[1], adam.loss[1], rtol=0.1)
    assert papers.manifest["methods"][1]["transformation"].startswith("optax.adam(learning_rate=")


def test_the_theorems_are_judged_on_the_papers_methods_alone(papers):
    alone = StoredRun(
        "run",
        papers.arrays.sel(optimizer=["heavy_ball"]),
        {**papers.manifest, "methods": papers.manifest["methods"][:1]},
    )
    both, one = ([(e.theorem, e.verdict) for e in audit([r]).entries] for r in (papers, alone))
    assert both == one
    assert set(measured(papers).probes) == {("heavy_ball", 0)}


def test_the_report_of_the_papers_network_has_the_optimisers_line(papers):
    text = report_page(papers)
    assert "swatch c-adam" in text
    faster = papers.arrays.copy(deep=True)
    faster.loss[1, :, 1:] = 1e-9 * float(faster.loss[1, 0, 0])
    assert "optax.adam(learning_rate=" in report_page(StoredRun("run", faster, papers.manifest))


def test_adam_is_not_called_gradient_descent(tmp_path):
    """Its momentum is its own, so that it has no beta; and no trial chose its step size."""
    random = np.random.default_rng(5)
    problem = Problem(MLP(4, (12,)), "mse", random.standard_normal((20, 4)), random.random(20))
    settings = ModelSettings(methods=("adam",), seeds=(0,), steps=60, target=0.6)
    run = StoredRun("run", *read_run(compare(problem, settings, out=tmp_path / "run").run))
    page = model_page(run)
    assert "Use <strong>Adam</strong> with step size" in page
    assert "no momentum, which is gradient descent" not in page
    assert "\ntorch.optim.Adam(model.parameters(), lr=" in page
    assert "\nkeras.optimizers.Adam(" in page
    assert "The table says what chose each step size and momentum." in page
