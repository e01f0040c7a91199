"""The report shows the stored numbers, gives them back, and runs nothing from a file."""

import csv
import dataclasses
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import xarray as xr

from browser import (
    VIEWS,
    accessibility_faults,
    chromium,
    footer_on_paper,
    opened,
    scrolls_sideways,
    settle,
)
from helpers import of_several
from inertial import InvalidInput, Settings, compare, load, read_run
from inertial.commands.main import main
from inertial.runs import compared
from inertial.runs.measures import repeated, summarize
from inertial.runs.ranking import Standing
from inertial.theory.audit import AuditEntry
from inertial.theory.gather import StoredRun
from inertial.theory.theorem import Margin
from inertial.view import panels
from inertial.view.auditing import measured
from inertial.view.panels import MOST_NUMBERS
from inertial.view.run_page import report_page

__all__ = ["chromium"]

NAUGHTY = "<script>alert(1)</script>"
LABEL = '"><img src=x onerror=alert(2)>'


def judged(theorem, verdict, **changes):
    """An entry of an audit."""
    entry = AuditEntry(
        theorem=theorem,
        source="Liu, Pan and Tao (2022), Theorem 1",
        statement=f"the loss falls, says {NAUGHTY}",
        form="only",
        erratum=None,
        kind="run",
        verdict=verdict,
        reason="",
        finding=verdict,
        margin=0.25,
        ratio=None,
        first_violation=None,
        axis="step",
        looked_at="",
        where="",
        assumptions=(),
        counts={},
        frequency=None,
        by_run={},
    )
    return dataclasses.replace(entry, **changes)


AUDIT = (
    judged("rate", "holds", assumptions=(Margin("wide <enough>", -3.5), Margin("open", None))),
    judged("bound", "violated", margin=-2.0, first_violation=7, reason="the claim fails"),
    judged("slip", "violated", form="printed", kind="misprint", margin=-1.0),
    judged("width", "unverifiable", margin=None),
)


FLOWS = ("gradient_flow", "nesterov_flow", "high_resolution_nesterov")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A small run whose data, label and command try to break out of the page."""
    data = load("digits", n=40)
    named = dataclasses.replace(data.provenance, name=NAUGHTY, label=LABEL)
    return compare(
        dataclasses.replace(data, provenance=named),
        Settings(width=100, seeds=(3, 5), steps=30, flows=FLOWS, rule="paper"),
        out=tmp_path_factory.mktemp("run") / "run",
        command=f"inertial compare {NAUGHTY}",
    )


@pytest.fixture(scope="module")
def stored(result):
    return read_run(result.run)


def page(arrays, manifest, audit=None, *, probes=None, **words):
    return report_page(StoredRun("run", arrays, manifest, probes=probes or {}), audit, **words)


@pytest.fixture(scope="module")
def probes(stored):
    """Kernels of the run, measured again."""
    arrays, manifest = stored
    return measured(StoredRun("run", arrays, manifest, data=load("digits", n=40))).probes


@pytest.fixture(scope="module")
def file(stored, probes, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    text = page(*stored, AUDIT, probes=probes, command="inertial report run")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shared(chromium, file):
    with opened(chromium, file) as view:
        yield view


def saved(view, name):
    """Text of a file that the page gives when its button is pressed."""
    with view.expect_download() as download:
        view.locator(f'[data-save="{name}"]').click()
    assert download.value.suggested_filename == name
    return download.value.path().read_text(encoding="utf-8")


def rows_of(text):
    head, *rows = csv.reader(io.StringIO(text))
    return head, rows


def long_table(arrays, names, every=1):
    """The rows that a CSV must hold: one per method, seed and step, in the store's order."""
    return [
        [str(method), str(seed), str(step), *values]
        for method in arrays.optimizer.values
        for seed in arrays.seed.values
        for step in arrays.step.values[::every]
        for values in [
            [
                float(arrays[name].sel({"optimizer": method, "seed": seed, "step": step}))
                for name in names
            ]
        ]
    ]


def assert_same(rows, expected):
    """Keys as they are; numbers to the last bit; an empty field where there is none."""
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    read = [[float(cell) if cell else np.nan for cell in row[3:]] for row in rows]
    np.testing.assert_array_equal(read, [row[3:] for row in expected])


def test_csv_of_the_convergence_holds_flows_beside_their_methods(shared, stored):
    arrays, _ = stored
    head, rows = rows_of(saved(shared, "convergence.csv"))
    assert head == ["optimizer", "seed", "step", "loss", "forecast_loss", "bound_loss", *FLOWS]
    expected = long_table(arrays, ["loss", "forecast_loss", "bound_loss"])
    for row in expected:
        for flow in FLOWS:
            curve = arrays.flow_loss.sel({"flow": flow, "seed": int(row[1]), "step": int(row[2])})
            own = str(arrays.flow_method.sel({"flow": flow}).item()) == row[0]
            row.append(float(curve) if own else np.nan)
    assert_same(rows, expected)


def test_flows_stand_in_the_legend_with_lines_of_their_own(shared):
    button = shared.locator("#convergence .legend button")
    names = button.all_inner_texts()
    assert names[-3:] == ["gradient flow", "Nesterov flow", "high resolution Nesterov"]
    dashes = button.evaluate_all(
        "all => all.map((b) => b.querySelector('path')?.getAttribute('stroke-dasharray'))"
    )
    # Both flows of Nesterov have its colour: their lines differ from each other and the forecast.
    assert len({dashes[3], *dashes[-2:]}) == 3


def test_the_page_takes_the_newton_flow_for_no_limit_of_gradient_descent(stored):
    arrays, manifest = stored
    newton = arrays.assign_coords(flow=["newton_flow", *FLOWS[1:]])
    assert str(arrays.flow_method.attrs["long_name"]) == "method that it is set beside"
    assert "not of gradient descent" in page(newton, manifest)
    assert panels.numbers(newton)["flows"][0]["label"] == "Newton flow"
    assert "Newton" not in page(arrays, manifest)


def test_the_page_says_that_friction_d_over_t_is_no_limit_of_constant_momentum(stored):
    """Only where that flow is drawn."""
    arrays, manifest = stored
    said = (
        "friction 3/t, is the limit of shrinking steps with momentum t/(t + 3), not with the const"
    )
    assert "nesterov_flow" in arrays.flow
    assert said in page(arrays, manifest)
    # A flow is no method of steps, and not bound by what these reach.
    exempt = "it takes no steps, and may lie in the shade"
    assert (exempt in page(arrays, manifest)) == ("bound_loss" in arrays)
    assert exempt not in page(arrays.drop_vars("bound_loss", errors="ignore"), manifest)
    own = arrays.drop_sel(flow="nesterov_flow")
    assert "friction 3/t" not in page(own, manifest)


def test_a_press_hides_a_curve_and_a_press_shows_it_again(shared):
    drawn = shared.locator("#convergence > svg path.line")
    before = drawn.count()
    for name, fewer in (("Nesterov flow", 1), ("forecast", 4), ("Nesterov", 4)):
        button = shared.locator("#convergence .legend").get_by_role("button", name=name, exact=True)
        button.click()
        assert drawn.count() == before - fewer
        button.click()
        assert drawn.count() == before


def test_csv_of_the_kernel_is_what_was_measured(shared, stored, probes):
    arrays, _ = stored
    names = ["drift_spectral", "drift_frobenius", "smallest"]
    for figure in ("drift", "smallest"):
        head, rows = rows_of(saved(shared, f"{figure}.csv"))
        assert head == ["optimizer", "seed", "step", *names]
        expected = [
            [method, str(seed), str(step), *(float(getattr(probe, name)[t]) for name in names)]
            for method in arrays.optimizer.values
            for seed in arrays.seed.values
            for probe in [probes[str(method), int(seed)]]
            for t, step in enumerate(probe.steps)
        ]
        assert_same(rows, expected)


def test_without_kernels_the_page_says_how_to_get_them(chromium, stored, tmp_path):
    path = tmp_path / "bare.html"
    command = f"inertial report '{NAUGHTY}' --measure"
    path.write_text(page(*stored, measuring=command), encoding="utf-8")
    with opened(chromium, path) as view:
        assert command in view.locator("#unmeasured").inner_text()
        assert view.locator("#smallest").count() == 0


def test_a_diverged_run_has_no_kernels_and_leaves_a_gap(chromium, stored, probes, tmp_path):
    path = tmp_path / "gap.html"
    some = {key: probe for key, probe in probes.items() if key != ("heavy_ball", 3)}
    path.write_text(page(*stored, probes=some), encoding="utf-8")
    with opened(chromium, path) as view:
        _, rows = rows_of(saved(view, "drift.csv"))
        assert {tuple(row[:2]) for row in rows} == {(name, str(seed)) for name, seed in some}


@pytest.mark.parametrize(
    ("figure", "names"),
    [
        ("distance", ["max_distance", "mean_distance"]),
        ("pattern", ["pattern_change"]),
    ],
)
def test_csv_is_the_store(shared, stored, figure, names):
    arrays, _ = stored
    head, rows = rows_of(saved(shared, f"{figure}.csv"))
    assert head == ["optimizer", "seed", "step", *names]
    assert_same(rows, long_table(arrays, names))


def spectrum_figures(eigenvalues, weights):
    """What the two figures of a spectrum draw, largest eigenvalue first, as their CSV has it."""
    falling, heavy = np.flip(eigenvalues), np.flip(weights)
    share = [heavy[:k].sum() / heavy.sum() for k in range(1, len(heavy) + 1)]
    count = np.arange(len(falling)) + 1
    return {
        "spectrum": (["rank", "eigenvalue"], np.column_stack([count, falling])),
        "weight": (["modes", "share", "eigenvalue"], np.column_stack([count, share, falling])),
    }


@pytest.mark.parametrize("figure", ["spectrum", "weight"])
def test_csv_of_the_spectrum_has_the_numbers_of_its_figure(chromium, file, stored, figure):
    arrays, _ = stored
    columns, numbers = spectrum_figures(arrays.eigenvalue.values, arrays.weight.values)[figure]
    with opened(chromium, file) as view:
        head, rows = rows_of(saved(view, f"{figure}.csv"))
        drawn = view.locator(f"#{figure} svg circle.dot").evaluate_all(
            "(dots) => dots.map((dot) => [dot.cx.baseVal.value, dot.cy.baseVal.value])"
        )
    assert head == columns
    np.testing.assert_allclose(np.array(rows, float), numbers, rtol=1e-12)
    x, y = np.array(drawn).T
    height = numbers[:, 1] if figure == "weight" else np.log(numbers[:, 1])
    assert np.corrcoef(x, np.log(numbers[:, 0]))[0, 1] > 1 - 1e-6  # two digits of a pixel
    assert np.corrcoef(y, height)[0, 1] < -1 + 1e-6


def test_every_figure_is_saved_as_svg(shared):
    names = shared.evaluate(
        "[...document.querySelectorAll('[data-save$=svg]')].map((b) => b.dataset.save)"
    )
    assert names == [
        f"{name}.svg"
        for name in (
            "convergence",
            "spectrum",
            "weight",
            "distance",
            "pattern",
            "drift",
            "smallest",
        )
    ]
    space = "{http://www.w3.org/2000/svg}"
    for name in names:
        root = ET.fromstring(saved(shared, name))  # noqa: S314 - our own page made it
        assert root.tag == f"{space}svg"
        drawn = [*root.iter(f"{space}path"), *root.iter(f"{space}circle")]
        # Style sheets stay behind, so colours must be attributes.
        assert all(one.get("fill") and not one.get("class") for one in drawn)
        assert len({one.get("stroke") for one in drawn}) > 1
        assert root.find(f"{space}title").text
        # The legend goes with the picture.
        host = shared.locator(f"#{name.removesuffix('.svg')}")
        written = [one.text for one in root.iter(f"{space}text")]
        assert set(host.locator(".legend li").all_inner_texts()) <= set(written)


def test_the_curves_drawn_are_mean_and_forecast(shared, stored):
    """Heights of the drawn lines, read back through the axis, are those of the store."""
    arrays, _ = stored
    paths, ticks = shared.evaluate("""() => {
        const svg = document.querySelector("#convergence > svg");
        const text = [...svg.querySelectorAll("text[text-anchor=end]:not([class])")];
        return [[...svg.querySelectorAll("path.line")].map((p) => p.getAttribute("d")),
                text.map((t) => [Number(t.textContent), Number(t.getAttribute("y")) - 4])];
    }""")
    (low, bottom), *_, (high, top) = ticks

    def heights(path):
        y = np.array([float(point.split(" ")[1]) for point in path[1:].split("L")])
        share = (y - bottom) / (top - bottom)
        return low * (high / low) ** share

    mean = arrays.loss.mean("seed").transpose("optimizer", "step").values
    forecast = arrays.forecast_loss.mean("seed").transpose("optimizer", "step").values
    for path, expected in zip(paths, [*mean, *forecast], strict=False):
        # Paths are written to a hundredth of a pixel.
        np.testing.assert_allclose(heights(path), expected, rtol=2e-3)


def test_the_table_is_what_compare_says(shared, result):
    cells = shared.evaluate(
        """[...document.querySelectorAll("#summary tr")].map(
            (row) => [...row.children].map((cell) => cell.innerText.trim()))"""
    )
    table = {row[0]: row[1:] for row in cells}
    for column, summary in enumerate(result.methods):
        assert float(table["step size η"][column]) == pytest.approx(summary.eta, rel=1e-4)
        for share, title in (("0.1", "10"), ("0.001", "0.1")):
            measured = summary.steps_to[share]["measured"]
            shown = table[f"steps to {title} % of the loss"][column]
            assert shown == "–" if measured is None else float(shown) == measured
        assert float(table["final loss, mean"][column].replace(",", "")) == pytest.approx(
            summary.loss_last_mean, rel=1e-3
        )
        assert float(table["forecast error"][column].replace(",", "")) == pytest.approx(
            summary.forecast_error, rel=0.06
        )
        assert float(
            table["largest distance from start"][column].replace(",", "")
        ) == pytest.approx(summary.max_distance_mean, rel=6e-3)


def test_names_from_files_stay_text(shared):
    assert shared.locator("h1").inner_text() == f"Momentum on {NAUGHTY}"
    facts = shared.locator(".facts").inner_text()
    assert LABEL in facts
    assert f"inertial compare {NAUGHTY}" in facts
    assert "inertial report run" in facts
    assert shared.locator("script").count() == 2
    assert shared.locator("main img").count() == 0


def test_the_audit_table_opens_by_key_and_keeps_slips_apart(shared):
    filters = shared.locator("[data-filter]")
    assert filters.all_inner_texts() == ["1 violated", "1 holds", "1 unverifiable"]
    shared.locator(".slips > summary").click()
    lines = shared.locator(".audit details[data-theorem]")
    assert lines.evaluate_all("all => all.map((one) => one.dataset.theorem)") == [
        "rate",
        "bound",
        "width",
        "slip",
    ]
    first = lines.nth(0)
    assert not first.locator(".more").is_visible()
    first.locator("summary").focus()
    shared.keyboard.press("Enter")
    text = first.inner_text()
    assert NAUGHTY in text
    assert "wide <enough>" in text
    assert "−3.5" in text
    assert "unknown" in text
    lines.nth(1).locator("summary").click()
    assert "first violated at step 7" in lines.nth(1).inner_text()


@pytest.mark.parametrize(
    ("margin", "said"),
    [(1e-9, "10⁻⁹"), (-8.3e-13, "−8.3·10⁻¹³"), (-1e-12, "−10⁻¹²"), (-3.1e45, "−3.1·10⁴⁵"),
     (0.00012, "0.00012"), (-104_000.0, "−104,000")],
)  # fmt: skip
def test_powers_of_ten_are_written_as_in_the_figures(stored, margin, said):
    text = page(*stored, [judged("one", "holds", margin=margin)])
    assert f'<span class="num">{said}</span>' in text


def test_a_verdict_pressed_leaves_only_its_lines(shared):
    def shown():
        return shared.locator("#judged > details:visible").evaluate_all(
            "all => all.map((one) => one.dataset.theorem)"
        )

    for verdict, expected in (("holds", ["rate"]), ("unverifiable", ["width"])):
        shared.locator(f'[data-filter="{verdict}"]').click()
        assert shown() == expected
    shared.locator('[data-filter="unverifiable"]').click()
    assert shown() == ["rate", "bound", "width"]


def test_without_an_audit_there_is_no_such_section(stored):
    assert "Does the theory hold" not in page(*stored)


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_no_serious_accessibility_fault(chromium, file, options):
    with opened(chromium, file, **options) as view:
        view.locator(".audit summary").first.click()
        assert accessibility_faults(view) == []
        assert not scrolls_sideways(view)


def invented(steps, seeds=5):
    """Arrays of a run of any length."""
    rng = np.random.default_rng(1)
    along, shape = ("optimizer", "seed", "step"), (3, seeds, steps + 1)
    names = ("loss", "forecast_loss", "max_distance", "mean_distance", "pattern_change")
    return xr.Dataset(
        {
            **{name: (along, rng.uniform(1, 2, shape)) for name in names},
            "kernel_drift": (along, rng.uniform(0, 1, shape), {"long_name": "Drift of <H>"}),
            "status": (along[:2], np.full(shape[:2], "finished", dtype=object)),
            **{name: ("optimizer", np.array([0.1, 0.2, 0.3])) for name in ("eta", "beta", "gamma")},
            "eigenvalue": (("mode",), np.geomspace(1e-3, 9, 1000)),
            "weight": (("mode",), np.ones(1000)),
        },
        coords={
            "optimizer": ["gradient_descent", "heavy_ball", "nesterov"],
            "seed": np.arange(seeds),
            "step": np.arange(steps + 1),
        },
        attrs={
            "data": "x", "n": 1000, "d": 5, "width": 9, "rule": "paper", "kernel": "infinite",
            "data_sha256": "0" * 64,
        },
    )  # fmt: skip


def test_a_long_run_is_thinned_and_says_so(chromium, tmp_path):
    arrays = invented(4000)
    text = page(arrays, {})
    assert len(text) < 1_500_000
    every = -(-6 * 3 * 5 * 4001 // MOST_NUMBERS)
    assert every > 1
    path = tmp_path / "long.html"
    path.write_text(text, encoding="utf-8")
    with opened(chromium, path) as view:
        assert f"every {every}th step" in view.locator("main").inner_text()
        assert view.get_by_role("heading", name="Drift of <H>").is_visible()
        head, rows = rows_of(saved(view, "kernel_drift.csv"))
        assert head == ["optimizer", "seed", "step", "kernel_drift"]
        some = arrays.isel({"seed": slice(0, 1)})
        kept = [row for row in rows if row[1] == "0"]
        assert_same(kept, long_table(some, ["kernel_drift"], every))


def test_a_divergence_leaves_gaps_not_faults(chromium, tmp_path):
    arrays = invented(30, seeds=2)
    arrays.loss[1, 0, 12:] = np.nan
    arrays.forecast_loss[1, 0, 8:] = np.inf
    arrays.status[1, 0] = "diverged"
    path = tmp_path / "diverged.html"
    path.write_text(page(arrays, {}), encoding="utf-8")
    with opened(chromium, path) as view:
        table = view.locator("#summary").inner_text()
        assert "diverged runs\t0\t1\t0" in table
        _, rows = rows_of(saved(view, "convergence.csv"))
        gap = next(row for row in rows if row[:3] == ["heavy_ball", "0", "12"])
        assert gap[3] == ""
        assert gap[4] == "Infinity"
        assert len(view.locator("#convergence > svg path.line").nth(1).get_attribute("d")) > 50


def test_a_run_that_left_its_forecast_says_so_in_the_first_sentence(stored):
    arrays, manifest = stored
    grown = arrays.copy(deep=True)
    grown.loss[1, 0, 3] = 2000 * grown.loss[1, 0, 0]
    first = page(grown, manifest).split('<p class="lede">')[1]
    assert first.startswith(
        '<strong id="strayed">The forecast does not describe this run: heavy ball diverged, '
        "and its forecast does not."
    )
    text = page(grown, manifest)
    assert text.index('id="strayed"') < text.index('class="advice"')
    assert 'id="trust"' not in text[: text.index('id="strayed"')]
    assert 'id="strayed"' not in page(arrays, manifest)
    grown.loss[2, 0, 3] = 2000 * grown.loss[2, 0, 0]
    assert "heavy ball and Nesterov diverged, and their forecasts do not." in page(grown, manifest)


def test_the_verdict_stands_before_the_advice_and_in_the_table(stored):
    text = page(*stored)
    title, verdict, advice = (
        text.index(mark) for mark in ('id="advice-title"', 'id="trust"', 'class="advice"')
    )
    assert title < verdict < advice
    rows = panels.rows_of(stored[0], 0.01, 100)
    best = panels.ranked(rows, 0.01).best.name
    trust = next(row.trust for row in rows if row.key == best)
    assert f"{trust.sentence.split(';')[0]}" in text
    assert '<th scope="row">trust to 1 %</th>' in text
    without = page(stored[0].drop_vars("weight"), stored[1])
    assert "movement " not in without


def test_the_page_prints(chromium, file):
    with opened(chromium, file) as view:
        pdf = view.pdf(format="A4")
        settle(view)
    assert pdf.startswith(b"%PDF")
    assert 1 <= pdf.count(b"/Type /Page\n") <= 6
    with opened(chromium, file) as view:
        view.emulate_media(media="print")
        first = "getComputedStyle(document.querySelector('#advice-title').parentElement)"
        assert view.evaluate(f"{first}.breakInside") == "auto"


def test_on_paper_the_sources_stay_with_the_section_before_them(chromium, file):
    with opened(chromium, file) as view:
        assert footer_on_paper(view) == ["avoid", "provenance-title"]


@pytest.mark.parametrize("lost", ["loss", "eta"])
def test_other_arrays_are_refused_in_one_sentence(stored, lost):
    arrays, manifest = stored
    with pytest.raises(InvalidInput, match=f"lacks {lost}.*inertial compare"):
        page(arrays.drop_vars(lost), manifest)


def test_the_command_writes_the_page(result, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["report", str(result.run), "--no-audit", "-o", "page.html"])
    assert "page.html" in capsys.readouterr().out
    assert NAUGHTY not in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        main(["report", str(tmp_path)])
    assert stop.value.code == 2
    assert "is not a run" in capsys.readouterr().err


def test_a_page_names_no_folder_of_a_readers(tmp_path):
    """The table is known by its name and its hash, and found by the run."""
    (tmp_path / "own.csv").write_text(
        "a,b,y\n" + "".join(f"{k},{k * k % 7},{k % 3}\n" for k in range(30))
    )
    data = load(tmp_path / "own.csv", label="y")
    text = page(*read_run(compare(data, Settings(width=20, seeds=(0,), steps=3)).run))
    assert "own.csv" in text
    assert str(tmp_path) not in text
    digits = load("digits", n=20)
    text = page(*read_run(compare(digits, Settings(width=20, seeds=(0,), steps=3)).run))
    assert digits.provenance.source in text
    for place in ("/home/someone/sets/data.txt", r"C:\Users\someone\data.txt"):
        named = dataclasses.replace(digits.provenance, source=place)
        given = dataclasses.replace(digits, provenance=named)
        text = page(*read_run(compare(given, Settings(width=20, seeds=(0,), steps=3)).run))
        assert "data.txt" in text
        assert "someone" not in text


def test_settings_that_failed_are_not_offered(tmp_path):
    """Where none is quick enough, or all diverged, no line to copy stands under the advice."""
    settings = Settings(width=40, seeds=(0,), steps=3, eta=1e-6, beta=0.5)
    arrays, manifest = read_run(compare(load("digits", n=20), settings, out=tmp_path / "run").run)
    diverged = arrays.assign(status=xr.full_like(arrays.status, "diverged"))
    for stored, words in ((arrays, "Nearest came"), (diverged, "every method diverged")):
        text = page(stored, manifest)
        assert words in text
        assert "optax" not in text


def test_what_was_asked_comes_first_and_no_other_target_is_put_in_its_place(tmp_path):
    """A run that reaches a tenth, but not the hundredth that was asked for, says so."""
    settings = Settings(width=200, seeds=(0, 1), steps=5, rule="forecast")
    run = compare(load("digits", n=40), settings, out=tmp_path / "run")
    arrays, manifest = read_run(run.run)
    scaled = arrays.assign(loss=arrays.loss.isel(step=0) * (0.05 + 0.95 * 0.5**arrays.step))
    text = " ".join(page(scaled, manifest).split())
    assert "No method reached 1 % of the initial loss in 5 steps; the forecast was" in text
    forecast = min(entry.steps_to["0.01"]["predicted"] for entry in run.methods)
    assert f"the forecast was {forecast:,.1f}".removesuffix(".0") in text
    assert "Use <strong>" not in text
    assert "reached 10 %" not in text
    assert "from every start" not in text
    assert forecast > 5
    assert "<code>--steps</code> trains longer." in text


def test_a_target_that_some_starts_reached_reads_so(tmp_path, monkeypatch):
    """What is left on average is below the target, and one start never got there."""
    settings = Settings(width=200, seeds=(0, 1), steps=5, rule="forecast")
    run = compare(load("digits", n=40), settings, out=tmp_path / "run")
    arrays, manifest = read_run(run.run)
    shares = xr.DataArray([1e-4, 0.011], dims="seed") ** (arrays.step / 5)
    loss = (arrays.loss.isel(step=0) * shares).transpose(*arrays.loss.dims)
    arrays = arrays.assign(loss=loss)
    text = " ".join(page(arrays, manifest).split())
    assert "No method reached 1 % of the initial loss from every start in 5 steps" in text
    assert (
        len(re.findall(r"reached it from some starts only: 0\.\d+ % of the loss left on", text))
        == 3
    )
    assert re.search(r", from some starts only, with 0\.\d+ % of its loss left on average", text)
    assert "did not reach it" not in text
    methods = tuple(summarize(arrays, row.method, settings.target) for row in run.methods)
    result = dataclasses.replace(run, arrays=arrays, methods=methods)
    said = r"from every {} in 5 steps; .* did from some, with 0\.\d+ % left on "
    assert re.search(said.format("start"), result.recommendation)
    monkeypatch.setattr(compared, "repeated", lambda _: "draw")
    assert re.search(said.format("draw"), result.recommendation)


def test_a_forecast_that_gets_there_from_some_starts_only_reads_so(tmp_path):
    """With decay one start's forecast ends above the target: it is not beyond, it never comes."""
    settings = Settings(width=200, seeds=(0, 1), steps=5, rule="forecast")
    run = compare(load("digits", n=40), settings, out=tmp_path / "run")
    arrays, manifest = read_run(run.run)
    shares = xr.DataArray([0.1, 0.5], dims="seed") ** (arrays.step / 5)
    first = arrays.loss.isel(step=0) * xr.DataArray([1.0, 9.0], dims="seed")
    arrays = arrays.assign(loss=(first * shares).transpose(*arrays.loss.dims))
    for there, asked, each in (
        ([True, False], "no forecast is there from every start.", "there from some starts only"),
        ([False] * 2, "no forecast is there within what was looked at.", "not there within what"),
    ):
        counts = arrays.forecast_steps.where(xr.DataArray(there, dims="seed"))
        text = " ".join(page(arrays.assign(forecast_steps=counts), manifest).split())
        assert f"No method reached 1 % of the initial loss in 5 steps; {asked}" in text
        assert text.count(f"forecast {each}") == 3
    # A share of each start's own loss, not of their sum, in which one counts nine times.
    assert text.count("30 % of the loss left") == 3
    said = dataclasses.replace(run, arrays=arrays).recommendation
    assert said.endswith("came nearest, with 30 % left.")


@pytest.mark.parametrize("rings", [True, False])
def test_a_loss_that_comes_back_above_the_target_is_told_beside_its_first_step(
    result, stored, rings
):
    """Heavy ball is at 1 % first, and back at 63 % up to step 19 from one of its two starts.

    Nesterov has both at 1 % from step 7 on.
    """
    arrays, manifest = stored
    shares = np.ones((3, 2, 31))
    shares[:, :, 7:] = 0.005
    shares[1, :, 4:] = 0.005
    if rings:
        shares[1, 0, [5, 6, 19]] = 0.63
    arrays = arrays.assign(loss=(("optimizer", "seed", "step"), shares))
    assert list(arrays.optimizer.values)[1] == "heavy_ball"
    text = " ".join(page(arrays, manifest).split())
    stays = ", with every start below it from step 20 to the end" if rings else ""
    assert "Use <strong>heavy ball</strong> with" in text
    assert re.search(rf"it reached 1 % of the initial loss in 4 steps \([^)]*\){stays}\.", text)
    assert f"<strong>heavy ball</strong> reached it in 4 steps{stays}; forecast" in text
    assert "<strong>Nesterov</strong> reached it in 7 steps; forecast" in text
    assert text.count("below it from step") == 2 * rings
    assert ("first step there, as a mean over the starts, which" in text) == rings
    assert ("from the later step on no start is above it again" in text) == rings
    methods = tuple(summarize(arrays, row.method, 0.01) for row in result.methods)
    said = dataclasses.replace(result, arrays=arrays, methods=methods)
    assert said.recommendation.endswith(f"){stays}.")
    rows = [row for row in said.rows if "stays below" in row[0]]
    assert rows == [["every start stays below 1 % from step", "7", "20", "7"]] * rings
    assert ("stays below: no start is above it again, up to the run's end" in said.note) == rings
    assert ("steps to: first step there, mean over the starts;" in said.note) == rings
    frame = said.to_dataframe().set_index("method")
    assert frame.loc["heavy_ball", "steps_to_0.01_stays"] == (20 if rings else 4)
    assert frame.loc["nesterov", "steps_to_0.01_stays"] == 7


def test_a_start_that_ends_above_the_target_is_told(result, stored):
    """Heavy ball was at 1 % from both starts and ends above from one; the others come later."""
    arrays, manifest = stored
    shares = np.ones((3, 2, 31))
    shares[0, 0, 9:] = shares[1, :, 4:] = shares[2, :, 7:] = 0.005
    shares[1, 1, 30] = 0.02
    arrays = arrays.assign(loss=(("optimizer", "seed", "step"), shares))
    text = " ".join(page(arrays, manifest).split())
    end = ", with some start above it at the end"
    assert f"<strong>heavy ball</strong> reached it in 4 steps{end}; forecast" in text
    assert text.count(end) == 2
    methods = tuple(summarize(arrays, row.method, 0.01) for row in result.methods)
    said = dataclasses.replace(result, arrays=arrays, methods=methods)
    assert said.recommendation.endswith(f"){end}.")
    assert ["every start stays below 1 % from step", *["not within 30"] * 2, "7"] in said.rows
    assert "a run's –: not reached from every start" in said.note
    shares[:, :, 5:] = 1e-4  # below every share of the table
    arrays = arrays.assign(loss=(("optimizer", "seed", "step"), shares))
    methods = tuple(summarize(arrays, row.method, 0.01) for row in result.methods)
    assert "not reached" not in dataclasses.replace(result, arrays=arrays, methods=methods).note


@pytest.mark.parametrize(
    ("attrs", "rates", "each"),
    [
        ({}, [1, 1], "start"),
        ({"model": "net", "batch": 5}, [1, 2], "start"),
        ({"model": "net", "batch": 5}, [1, 1], "draw"),
        ({"model": "net"}, [1, 1], None),
        ({}, [1], None),
    ],
)
def test_the_step_is_that_of_every_start_or_draw_where_there_are_several(attrs, rates, each):
    scale = xr.DataArray(np.array([rates], float), dims=("optimizer", "seed"))
    arrays = xr.Dataset({"start_norm": scale, "loss": scale.expand_dims(step=3)}, attrs=attrs)
    arrays["node"] = scale.expand_dims(rank=2)
    assert repeated(arrays) == each
    one = Standing("one", 4, 4, 0.005, 0, rings=True, stays=1234)
    words = f"with every {each}" if each else "and stays"
    assert one.staying(each) == f", {words} below it from step 1,234 to the end"
    last = dataclasses.replace(one, stays=None)
    assert (
        last.staying(each) == f", {f'with some {each}' if each else 'and is'} above it at the end"
    )
    for silent in ({"rings": False}, {"reached": None}, {"diverged": 1}):
        assert dataclasses.replace(one, **silent).staying(each) == ""


def test_the_page_of_one_seed_speaks_of_no_other(tmp_path):
    """Whatever became of its run; of two seeds it speaks of means and ranges."""
    settings = Settings(width=200, seeds=(0, 1), steps=30, rule="paper")
    run = compare(load("digits", n=40, test=0.25), settings, out=tmp_path / "run")
    both, manifest = read_run(run.run)
    both["of_their_own"] = both.loss.assign_attrs(long_name="some record")
    several, one = (of_several(page(both.isel(seed=s), manifest)) for s in ([0, 1], [0]))
    assert one == []
    assert {"Mean over", "mean over", "means over", "range", "seeds"} <= set(several)
    arrays = both.isel(seed=[0])
    shares = np.ones(31)
    shares[[4, 6]] = 0.005
    slow = arrays.assign(loss=0 * arrays.loss + xr.DataArray(np.ones(31), dims="step"))
    rings = arrays.assign(loss=0 * arrays.loss + xr.DataArray(shares, dims="step"))
    gone = slow.assign(status=(slow.status.dims, np.full(slow.status.shape, "diverged")))
    for stored, words in (
        (slow, "No method reached 1 % of the initial loss in"),
        (
            rings,
            "stop then; from the later step on the loss is not above it again, up to the end of",
        ),
        (gone, "every method diverged. Take smaller steps"),
    ):
        text = page(stored, manifest)
        assert words in text
        assert of_several(text) == []


def test_a_target_of_ones_own_is_the_one_that_is_advised_on(tmp_path):
    settings = Settings(width=200, seeds=(0,), steps=40, rule="forecast", target=0.2)
    run = compare(load("digits", n=40), settings, out=tmp_path / "run")
    text = " ".join(page(*read_run(run.run)).split())
    least = min(entry.steps_to["0.2"]["measured"] for entry in run.methods)
    assert f"it reached 20 % of the initial loss in {least:.0f} step" in text
