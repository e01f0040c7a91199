"""The page of a study shows what is stored, names what is not, and runs nothing from a file."""

import csv
import html
import io
import json
import math
import re
import shlex
import shutil
from dataclasses import asdict, replace

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
from inertial import InvalidInput, Measure, Recursion, Settings, compare, load
from inertial.commands.main import main
from inertial.method.trust import limits_of, trust
from inertial.runs.config import Study, parse_study
from inertial.runs.cost import Prediction
from inertial.runs.spec import runs
from inertial.runs.study import Folder, run_study
from inertial.view import panels
from inertial.view.auditing import audit_folders, measured, read, runs_of
from inertial.view.reporting import report
from inertial.view.study_page import as_toml, study_page
from inertial.view.study_panels import arrange
from inertial.view.verdicts import VERDICTS
from test_report import spectrum_figures

__all__ = ["chromium"]

NAUGHTY = "<script>alert(1)</script>"
STUDY = parse_study(
    """
    name = "small"
    data = [{ name = "digits", rows = 40 }, { name = "diabetes", rows = 30, standardize = true }]
    rules = ["paper"]
    widths = [50, 100]
    seeds = [3, 5]
    steps = 20
    """,
    "test",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = Folder(tmp_path_factory.mktemp("study"))
    run_study(
        STUDY, place, predictor=lambda missing, **_: Prediction(1.0, (1.0,) * len(missing), 1, 1, 1)
    )
    return place


@pytest.fixture(scope="module")
def index(folder):
    return json.loads((folder.path / "studies" / "small.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def records(folder):
    return {run.key: folder.read(run) for run in runs(STUDY)}


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "study.html"
    path.write_text(report(folder.path, command="inertial report it").html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def judged(folder):
    return audit_folders([folder.path])


@pytest.fixture(scope="module")
def shared(chromium, file):
    with opened(chromium, file) as view:
        yield view


def test_long_cells_of_the_advice_make_no_tall_rows_on_a_phone(chromium, file):
    with opened(chromium, file, viewport={"width": 390, "height": 844}) as view:
        heights = view.evaluate(
            """() => [...document.querySelectorAll("#advice tbody tr")].map((row) => {
                const cells = row.querySelectorAll("td");
                cells[cells.length - 3].textContent =
                    "3, with every start below it from step 6 to the end";
                return row.getBoundingClientRect().height;
            })"""
        )
        assert max(heights) < 80  # three lines
        assert not scrolls_sideways(view)


@pytest.mark.parametrize("width", [1100, 1280, 1440])
def test_long_cells_of_the_advice_wrap_so_that_all_of_its_columns_are_seen(chromium, file, width):
    words = (
        "3, with every start below it from step 6 to the end",
        "reached from some starts only, by Nesterov",
    )
    with opened(chromium, file, viewport={"width": width, "height": 900}) as view:
        place, room = view.evaluate(
            """(words) => {
                const rows = [...document.querySelectorAll("#advice tbody tr")];
                rows.forEach((row) => {
                    const cells = row.querySelectorAll("td");
                    words.forEach((text, i) => { cells[cells.length - 3 + i].textContent = text; });
                });
                const table = document.getElementById("advice");
                return [table.scrollWidth, table.parentElement.clientWidth];
            }""",
            words,
        )
        assert place <= room


def saved(view, name):
    """Rows of a table saved with the keyboard alone."""
    with view.expect_download() as download:
        view.locator(f'[data-save="{name}"]').press("Enter")
    head, *rows = csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8")))
    return head, rows


def of(index, records, data, width):
    """Stored runs of one panel, by (method, seed)."""
    return {
        (entry["method"], entry["seed"]): records[entry["key"]].arrays
        for entry in index["runs"]
        if entry["data"]["name"] == data and entry["width"] == width and entry["key"] in records
    }


def assert_csv_is(rows, found, names):
    expected = [
        [method, str(seed), str(step), *(float(run[name][step]) for name in names)]
        for (method, seed), run in sorted(found.items())
        for step in range(STUDY.steps + 1)
    ]
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    np.testing.assert_array_equal(
        np.array([row[3:] for row in rows], float), np.array([row[3:] for row in expected], float)
    )


@pytest.mark.parametrize("data", ["digits", "diabetes"])
@pytest.mark.parametrize(
    ("figure", "names"),
    [
        ("convergence", ["loss", "forecast_loss", "bound_loss"]),
        ("distance", ["max_distance", "mean_distance"]),
        ("pattern", ["pattern_change"]),
    ],
)
def test_csv_is_the_store(chromium, file, index, records, data, figure, names):  # noqa: PLR0917
    # A page of its own: Chromium lets one page save ten files in quick succession, no more.
    with opened(chromium, file) as view:
        for width in STUDY.widths:
            head, rows = saved(view, f"{data}-paper-m{width}-{figure}.csv")
            assert head == ["optimizer", "seed", "step", *names]
            assert_csv_is(rows, of(index, records, data, width), names)


@pytest.mark.parametrize("data", ["digits", "diabetes"])
def test_csv_of_the_spectrum_is_that_of_every_run(shared, index, records, data):
    for figure in ("spectrum", "weight"):
        head, rows = saved(shared, f"{data}-{figure}.csv")
        for width in STUDY.widths:
            for run in of(index, records, data, width).values():
                columns, numbers = spectrum_figures(run.eigenvalue.values, run.weight.values)[
                    figure
                ]
                assert head == columns
                np.testing.assert_allclose(np.array(rows, float), numbers, rtol=1e-12)


def test_a_study_is_audited_as_the_same_run_of_compare_is(judged, tmp_path):
    """A panel joined from a study's runs gives the verdicts of `compare` on the same settings."""
    data = load("digits", most=40)
    settings = Settings(width=100, seeds=STUDY.seeds, steps=STUDY.steps, rule="paper")
    alone = audit_folders([compare(data, settings, out=tmp_path / "run").run])
    name = "digits, paper, m = 100"
    assert name in judged.runs
    for entry, other in zip(judged.entries, alone.entries, strict=True):
        assert entry.by_run.get(name, "not applicable") == other.verdict, entry.theorem


def test_the_audit_on_the_page_says_on_which_settings(shared, judged):
    lines = shared.locator("#judged > details")
    shown = lines.evaluate_all("(all) => all.map((one) => one.dataset.theorem)")
    assert shown == [entry.theorem for entry in judged.entries if entry.kind == "run"]
    entry = next(e for e in judged.entries if e.kind == "run" and len(set(e.by_run.values())) > 1)
    line = shared.locator(f'details[data-theorem="{entry.theorem}"]')
    line.locator("summary").click()
    assert line.get_attribute("data-verdict") == entry.verdict
    for verdict in set(entry.by_run.values()):
        named = [run for run, other in entry.by_run.items() if other == verdict]
        there = line.locator(f'.by-run dt:text-is("{verdict}") + dd').inner_text()
        assert there == "; ".join(named)
    missed = [
        (entry, assumption)
        for entry in judged.entries
        for assumption in entry.assumptions
        if entry.by_run and assumption.margin is not None and assumption.margin < 0
    ]
    entry, assumption = missed[0]
    rows = shared.locator(f'details[data-theorem="{entry.theorem}"] th[scope=row]')
    assert f"{assumption.name} ({assumption.where})" in rows.all_text_contents()


def test_the_page_says_which_verdict_of_several_settings_is_shown(shared, judged):
    """The order that the page names is the one by which the audit chooses."""
    caption = shared.locator(".audit > .caption").inner_text()
    said = re.search(r"the most decisive verdict is shown, the first of these: (.*?);", caption)
    order = said[1].split(", ")
    assert sorted(order) == sorted(VERDICTS)
    looked_at = 0
    for entry in judged.entries:
        if entry.frequency is None and len(set(entry.by_run.values())) > 1:
            assert entry.verdict == min(entry.by_run.values(), key=order.index), entry.theorem
            looked_at += 1
    assert looked_at > 5
    assert "in at least one setting" in shared.locator(".audit > .answer").inner_text()


def test_kernels_measured_again_are_drawn_and_saved(chromium, folder, index, tmp_path):
    path = tmp_path / "measured.html"
    shutil.copytree(folder.path / "runs", tmp_path / "runs")
    (tmp_path / "studies").mkdir()
    part = json.dumps(of_data(index, "digits"))
    (tmp_path / "studies" / "small.json").write_text(part, encoding="utf-8")
    text = report(tmp_path, judge=False, measure=True).html
    path.write_text(text, encoding="utf-8")
    run = next(run for run in runs_of(read(tmp_path)) if run.name == "digits, paper, m = 100")
    probes = measured(run).probes
    with opened(chromium, path) as view:
        head, rows = saved(view, "digits-paper-m100-drift.csv")
        assert head == [
            "optimizer",
            "seed",
            "step",
            "drift_spectral",
            "drift_frobenius",
            "smallest",
        ]
        expected = [
            [probe.drift_spectral[t], probe.drift_frobenius[t], probe.smallest[t]]
            for probe in probes.values()
            for t in range(len(probe.steps))
        ]
        np.testing.assert_array_equal(np.array(rows)[:, 3:].astype(float), expected)
        assert view.locator("#unmeasured").count() == 0
        assert accessibility_faults(view) == []
    assert len(text) < 800_000  # with one of the two data sets


def test_without_kernels_the_page_says_how_to_get_them(folder):
    command = "inertial report 'a study' --measure"
    text = report(folder.path, judge=False, measuring=command).html
    assert "inertial report &#39;a study&#39; --measure" in text
    assert "theorems, judged" not in text


def table_of(view, place):
    """Cells of a summary table, a first cell that spans rows repeated in each of them."""
    lines = view.evaluate(
        """(place) => [...document.querySelectorAll(".group table")[place].querySelectorAll("tr")]
            .map((row) => [...row.children].map(
                (cell) => cell.innerText.trim().replaceAll("\u00a0", " ")))""",
        place,
    )
    head, *rows = lines
    filled = []
    for row in rows:
        filled.append(row if len(row) == len(head) else [filled[-1][0], *row])
    return head, filled


def test_the_tables_are_the_statistics_of_the_files(shared, index, records):
    for place, data in enumerate(("digits", "diabetes")):
        head, rows = table_of(shared, place)
        assert len(rows) == 2 * 3
        for i, row in enumerate(rows):
            width, method = STUDY.widths[i // 3], STUDY.methods[i % 3]
            cell = dict(zip(head, row, strict=True))
            assert cell["setting"] == f"m = {width}"
            found = [
                run for (name, _), run in of(index, records, data, width).items() if name == method
            ]
            final = [float(run.loss[-1]) for run in found]
            # Shown with four and three digits.
            assert float(cell["final loss"].replace(",", "")) == pytest.approx(
                np.mean(final), rel=1e-3
            )
            low, high = (float(word.replace(",", "")) for word in cell["range"].split(" to "))
            assert (low, high) == pytest.approx((min(final), max(final)), rel=6e-3)
            error = np.mean(
                [
                    np.abs(np.sqrt(run.loss) - np.sqrt(run.forecast_loss)).max()
                    / math.sqrt(run.loss[0])
                    for run in found
                ]
            )
            assert float(cell["forecast error"]) == pytest.approx(error, rel=0.06)
            reached = [np.flatnonzero(run.loss <= 0.1 * run.loss[0]) for run in found]
            shown = cell["10 %"]
            if all(len(steps) for steps in reached):
                assert float(shown.replace(",", "")) == pytest.approx(
                    np.mean([steps[0] for steps in reached]), abs=0.05
                )
            else:
                assert shown == "–"
            assert cell["runs"] == "2"
            run = found[0]
            measure = Measure(run.eigenvalue.values, run.weight.values)
            made = Recursion(*(run.attrs[name] for name in ("eta", "beta", "gamma")))
            judged = trust(made, measure, width, target=STUDY.target)
            assert cell[f"trust to {100 * STUDY.target:g} %"] == judged.verdict


def test_a_study_judges_few_inputs_by_their_own_limits(index, records):
    for inputs in (2, 5, 6):
        stored = {
            key: run._replace(arrays=run.arrays.assign_attrs(d=inputs))
            for key, run in records.items()
        }
        panels = [panel for group in arrange(index, stored).groups for panel in group.panels]
        found = {row.trust.limits for panel in panels for row in panel.rows}
        assert found == {limits_of(inputs)}


def test_settings_that_failed_are_not_advised(index, records):
    """Where none is quick enough, or all diverged, the table names no method to use."""
    slow = {
        key: run._replace(arrays=run.arrays.assign(loss=xr.ones_like(run.arrays.loss)))
        for key, run in records.items()
    }
    left = {3: 1e-4, 5: 0.0105}  # of 1 % that were asked for, below in the mean
    in_part = {
        key: run._replace(
            arrays=run.arrays.assign(
                loss=left[int(run.arrays.attrs["seed"])] ** (run.arrays.step / 20)
            )
        )
        for key, run in records.items()
    }
    diverged = {
        key: run._replace(arrays=run.arrays.assign_attrs(status="diverged"))
        for key, run in slow.items()
    }
    for stored, words in (
        (slow, "none reached it"),
        (in_part, "0.53 % left on average"),
        (diverged, "every method diverged"),
    ):
        text = study_page(arrange(index, stored), folder="it")
        advice = text.partition('<table id="advice"')[2].partition("</table>")[0]
        assert advice.count(words) == 4
        assert advice.count("reached from some starts only, by ") == 4 * (stored is in_part)
        assert "swatch" not in advice
        rows = re.findall(r"<tr>.*?</tr>", advice, re.DOTALL)[1:]
        groups = arrange(index, stored).groups
        named = [(group.name, panel) for group in groups for panel in group.panels]
        for row, (data, panel) in zip(rows, named, strict=True):
            cell = re.findall(r"<td>([^<]*)</td>", row)[-2]
            found = of(index, stored, data, panel.width)
            steps = [
                np.flatnonzero(run.forecast_loss <= STUDY.target * run.forecast_loss[0])
                for (method, _), run in found.items()
                if method == panel.best.key
            ]
            known = stored is not diverged and all(map(len, steps))
            assert cell == (f"{np.mean([s[0] for s in steps]):.4g}" if known else "–")
        assert "inertial tune DATA" in text
        assert ("Where every method diverged" in text) == (stored is diverged)


def test_a_loss_that_comes_back_above_the_target_is_told_beside_its_first_step(index, records):
    """Heavy ball is there in 2 steps, the others in 4; it is above at step 9 from one start."""
    falls, rings = {}, {}
    for key, run in records.items():
        first = 2 if run.arrays.attrs["optimizer"] == "heavy_ball" else 4
        loss = np.where(np.arange(21) < first, 1.0, 0.005)
        falls[key] = run._replace(arrays=run.arrays.assign(loss=("step", loss.copy())))
        if first == 2 and run.arrays.attrs["seed"] == 3:
            loss[[3, 9]] = 0.5
        rings[key] = run._replace(arrays=run.arrays.assign(loss=("step", loss)))
    for stored, cell in (
        (falls, "<td>2</td>"),
        (rings, "<td>2, with every start below it from step 10 to the end</td>"),
    ):
        text = study_page(arrange(index, stored), folder="it")
        advice = text.partition('<table id="advice"')[2].partition("</table>")[0]
        assert advice.count(cell) == 4
        assert ("from the later step on no start is above it again" in text) == (stored is rings)


def test_the_page_of_a_study_with_one_seed_speaks_of_no_other(index, records):
    """Whatever became of its runs; of two seeds it speaks of means and ranges."""
    entries = [entry for entry in index["runs"] if entry["seed"] == 3]
    one = index | {"study": index["study"] | {"seeds": [3]}, "runs": entries}
    kept = {entry["key"]: records[entry["key"]] for entry in entries}
    several = of_several(study_page(arrange(index, records), folder="it"))
    assert {"Mean over", "means over", "range", "seeds"} <= set(several)
    share = np.ones(21)
    share[[4, 6]] = 0.005
    for loss, status in ((None, "finished"), (share, "finished"), (np.ones(21), "diverged")):
        stored = {
            key: run._replace(
                arrays=(
                    run.arrays if loss is None else run.arrays.assign(loss=("step", loss))
                ).assign_attrs(status=status)
            )
            for key, run in kept.items()
        }
        text = study_page(arrange(one, stored), folder="it")
        assert of_several(text) == []
        assert ("from the later step on the loss is not above it again)" in text) == (loss is share)
        assert ("every method diverged, take a step size" in text) == (status == "diverged")


def test_where_no_forecast_holds_the_page_says_first_what_to_do(index, records):
    """Of the methods to use the least doubtful speaks, so that its remedy is that of the advice."""

    def targets_times(scale):
        return {
            key: run._replace(arrays=run.arrays.assign(weight=scale**2 * run.arrays.weight))
            for key, run in records.items()
        }

    small = study_page(arrange(index, targets_times(1e-3)), folder="it")
    assert 'class="doubted"' not in small
    arranged = arrange(index, targets_times(1e3))
    text = html.unescape(study_page(arranged, folder="it"))
    said = re.findall(r'<p class="doubted">(.*?)</p>', text)
    assert [line.partition(", even for ")[0] for line in said] == ["On digits", "On diabetes"]
    for line, group in zip(said, arranged.groups, strict=True):
        strains = {
            (panel.width, row.label): row.trust
            for panel in group.panels
            for row in panel.rows
            if row.key == panel.ranking.best.name
        }
        assert len(strains) == len(group.panels)
        (width, name), least = min(strains.items(), key=lambda one: one[1].strain)
        assert f"even for {name} (m = {width}), {least.sentence}" in line.replace("\u00a0", " ")
        assert "standardise the targets" in line
    assert text.index('class="doubted"') < text.index('<table id="advice"')


def test_the_width_that_a_study_asks_for_is_given_as_one_of_its_settings(index, records):
    """A study has no option --width."""
    text = html.unescape(study_page(arrange(index, records), folder="it"))
    said = re.findall(r'<p class="doubted">(.*?)</p>', text)
    assert said
    for line in said:
        asked = re.search(r"ask again with (widths = \[(\d+)\]) in the study to train", line)
        followed = re.sub(r"widths = \[.*\]", asked[1], as_toml(asdict(STUDY)))
        assert parse_study(followed, "page").widths == (int(asked[2]),)


def test_commands_to_copy_are_quoted_for_the_shell(index, records):
    folder = "a b; touch $(id)"
    text = html.unescape(study_page(arrange(index, records), folder=folder))
    command = re.search(r"<code>(inertial study .*?)</code>", text).group(1)
    assert shlex.split(command) == ["inertial", "study", "small.toml", "--out", folder]


def test_figures_against_the_width_give_their_numbers(shared, index, records):
    head, rows = saved(shared, "digits-paper-distances.csv")
    assert head == ["optimizer", "width", "max_distance", "pattern_change", "forecast_error"]
    assert len(rows) == 6
    for method, width, *values in rows:
        found = [
            r for (name, _), r in of(index, records, "digits", int(width)).items() if name == method
        ]
        expected = [np.mean([float(r[name][-1]) for r in found]) for name in head[2:4]]
        np.testing.assert_allclose(np.array(values[:2], float), expected, rtol=1e-14)


def test_a_press_hides_a_method_everywhere_and_shows_it_again(shared):
    def lines():
        return shared.locator(".panel svg .c-heavy_ball").count()

    before = lines()
    assert before > 0
    button = shared.locator("#g0-legend").get_by_role("button", name="heavy ball")
    button.focus()
    shared.keyboard.press("Enter")
    assert lines() == 0
    again = shared.locator("#g0-legend").get_by_role("button", name="heavy ball")
    assert again.get_attribute("aria-pressed") == "false"
    # The key that hid it shows it: the focus is where it was.
    shared.keyboard.press("Enter")
    assert lines() == before


def test_panels_of_one_data_set_share_their_scale(shared):
    """The same labels stand at the same heights in both widths, and they differ between data."""
    ticks = """(id) => [...document.querySelectorAll(`#${id} text[text-anchor=end]:not([class])`)]
        .map((t) => [t.textContent, t.getAttribute("y")])"""
    for figure in ("convergence", "distance", "pattern"):
        first, second = (shared.evaluate(ticks, f"g0p{i}-{figure}") for i in (0, 1))
        assert first == second
    assert shared.evaluate(ticks, "g0p0-convergence") != shared.evaluate(ticks, "g1p0-convergence")


def test_the_study_on_the_page_is_the_study(shared):
    text = shared.locator("#toml").inner_text()
    assert parse_study(text, "page") == STUDY
    facts = shared.locator(".facts").inner_text()
    assert "inertial report it" in facts
    assert "small.toml" in facts


@pytest.mark.parametrize("label", [None, 'a "b" \\ \x7f \t é 😀', "<b>"])
def test_any_study_reads_back_from_its_toml(label):
    data = (replace(STUDY.data[0], label=label), STUDY.data[1])
    study = Study("x", data, widths=(7,), rules=("forecast", "paper"), target=1e-5)
    assert parse_study(as_toml(asdict(study)), "page") == study


def test_a_complete_study_lacks_nothing(shared):
    assert shared.locator("#lacking").count() == 0
    assert "24 of 24 runs are stored" in shared.locator(".lede").inner_text()


def of_data(index, name):
    """Return a copy of the index with one of the data sets alone."""
    index = json.loads(json.dumps(index))
    study = index["study"]
    data = [one for one in study["data"] if one["name"] == name]
    entries = [entry for entry in index["runs"] if entry["data"]["name"] == name]
    return {"study": {**study, "data": data}, "runs": entries}


@pytest.fixture(scope="module")
def torn(folder, index, tmp_path_factory):
    """The study of its first data set, with one run deleted, one damaged and one refused."""
    place = tmp_path_factory.mktemp("torn")
    (place / "runs").mkdir()
    (place / "studies").mkdir()
    entries = of_data(index, "digits")["runs"]
    gone, hurt, refused = (entries[i] for i in (1, 4, 8))
    for entry in entries:
        if entry not in (gone, refused):
            content = (folder.path / entry["file"]).read_bytes()
            manifest = (folder.path / entry["file"]).with_suffix(".json").read_bytes()
            (place / entry["file"]).with_suffix(".json").write_bytes(manifest)
            half = content[: len(content) // 2]
            (place / entry["file"]).write_bytes(half if entry is hurt else content)
    refused |= {"state": "failed", "reason": f"no data, says {NAUGHTY}"}
    document = {**of_data(index, "digits"), "runs": entries}
    (place / "studies" / "small.json").write_text(json.dumps(document), encoding="utf-8")
    return place, gone, hurt, refused


def test_what_is_missing_is_named_and_left_out(chromium, torn, records, tmp_path):
    place, gone, hurt, refused = torn
    path = tmp_path / "torn.html"
    path.write_text(report(place).html, encoding="utf-8")
    with opened(chromium, path) as view:
        assert "9 of 12 runs are stored" in view.locator(".lede").inner_text()
        view.locator("#lacking summary").click()
        listed = view.locator("#lacking li").all_inner_texts()
        for entry, state in ((gone, "missing"), (hurt, "damaged"), (refused, "failed")):
            (line,) = [one for one in listed if f"m = {entry['width']}, seed {entry['seed']}" in one
                       and entry["method"].replace("_", " ").lower() in one.lower()]  # fmt: skip
            assert state in line
        assert any(NAUGHTY in line for line in listed)
        document = {"runs": json.loads((place / "studies/small.json").read_text())["runs"]}
        lost = {entry["key"] for entry in (gone, hurt, refused)}
        there = {key: run for key, run in records.items() if key not in lost}
        for width in STUDY.widths:
            _, rows = saved(view, f"digits-paper-m{width}-convergence.csv")
            found = of(document, there, "digits", width)
            assert_csv_is(rows, found, ["loss", "forecast_loss", "bound_loss"])
        _, rows = table_of(view, 0)
        # Heavy ball at width 50 has lost both seeds, Nesterov at width 100 one of two.
        shown = [(row[0], row[1], row[-1]) for row in rows]
        assert ("m = 50", "heavy ball") not in [row[:2] for row in shown]
        assert ("m = 100", "Nesterov", "1 of 2") in shown
        assert sorted(row[-1] for row in shown) == ["1 of 2"] + ["2"] * 4
        # The audit judges what is there: no line speaks of a run that is not.
        assert view.locator(".audit details[data-theorem]").count() > 50
        assert "heavy_ball" not in " ".join(
            line
            for line in view.locator("#judged .why").all_inner_texts()
            if "m = 50," in line and line.startswith("digits")
        )
        assert accessibility_faults(view) == []


def test_statistics_over_stored_seeds_are_those_without_the_missing_ones(records, index):
    found = of(index, records, "digits", 50)
    along = ("optimizer", "seed", "step")

    def arranged(seeds, statuses):
        values = {
            name: [[found["nesterov", seed][name].values for seed in seeds]]
            for name in ("loss", "forecast_loss", "max_distance", "pattern_change")
        }
        return xr.Dataset(
            {name: (along, np.array(array)) for name, array in values.items()}
            | {"status": (along[:2], np.array([statuses], dtype=object))}
            | {name: (along[:1], [0.5]) for name in ("eta", "beta", "gamma")},
            coords={"optimizer": ["nesterov"], "seed": list(seeds), "step": range(STUDY.steps + 1)},
        )

    both = arranged((3, 5), ["finished", "missing"])
    both.loss[:, 1] = np.nan
    (torn,), (alone,) = (
        panels.rows_of(run, 0.01, 60) for run in (both, arranged((3,), ["finished"]))
    )
    assert (torn.stored, torn.seeds, alone.stored, alone.seeds) == (1, 2, 1, 1)
    assert torn.last == alone.last
    assert torn.steps_to == alone.steps_to
    assert (torn.distance, torn.forecast_error) == (alone.distance, alone.forecast_error)


def renamed(index, records):
    """Everything that is a text in a study, trying to break out of the page."""
    study = {**index["study"], "name": NAUGHTY, "rules": [NAUGHTY]}
    study["data"] = [{**data, "name": NAUGHTY, "label": NAUGHTY} for data in study["data"]]
    entries = [
        {**entry, "rule": NAUGHTY, "data": {**entry["data"], "name": NAUGHTY}}
        for entry in index["runs"]
    ]
    texts = {"data": NAUGHTY, "data_source": NAUGHTY, "data_sha256": NAUGHTY, "rule": NAUGHTY}
    return (
        {"study": study, "runs": entries},
        {
            key: record._replace(arrays=record.arrays.assign_attrs(texts))
            for key, record in records.items()
        },
    )


def test_names_from_files_stay_text(chromium, index, records, tmp_path):
    path = tmp_path / "naughty.html"
    some = arrange(*renamed(index, dict(list(records.items())[2:])))
    text = study_page(some, folder=NAUGHTY, command=NAUGHTY)
    assert NAUGHTY not in text
    path.write_text(text, encoding="utf-8")
    with opened(chromium, path) as view:
        assert view.locator("h1").inner_text() == NAUGHTY
        assert view.locator("h2.name").first.inner_text() == NAUGHTY
        assert view.locator("script").count() == 2
        assert view.locator("#advice").inner_text().count(NAUGHTY) >= 2
        names = view.evaluate(
            "[...document.querySelectorAll('[data-save]')].map((b) => b.dataset.save)"
        )
        assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


@pytest.mark.parametrize("options", VIEWS.values(), ids=VIEWS)
def test_no_serious_accessibility_fault(chromium, file, options):
    with opened(chromium, file, **options) as view:
        assert accessibility_faults(view) == []
        assert not scrolls_sideways(view)


def test_the_page_prints(chromium, file):
    with opened(chromium, file) as view:
        pdf = view.pdf(format="A4")
        settle(view)
    # Every statement of the audit is open on paper, in two columns; in one they took 26 sheets.
    assert 2 <= pdf.count(b"/Type /Page\n") <= 20


def test_tables_and_statements_keep_to_the_paper(chromium, file):
    """Else a browser shrinks the whole sheet, or cuts them."""
    with opened(chromium, file) as view:
        view.evaluate("dispatchEvent(new Event('beforeprint'))")
        view.emulate_media(media="print")
        view.set_viewport_size({"width": 688, "height": 1000})  # A4 within its margins
        settle(view)
        assert not scrolls_sideways(view)


def test_on_paper_the_sources_stay_with_the_section_before_them(chromium, file):
    with opened(chromium, file) as view:
        assert footer_on_paper(view) == ["avoid", "provenance-title"]


def test_on_paper_a_legend_stays_with_the_figures_after_it(chromium, file):
    with opened(chromium, file) as view:
        view.emulate_media(media="print")
        legends = view.locator(".legend-row")
        after = legends.evaluate_all("(all) => all.map((one) => getComputedStyle(one).breakAfter)")
    assert after
    assert {*after} == {"avoid"}


def test_on_paper_no_list_is_larger_than_the_words_around_it(chromium, file):
    with opened(chromium, file) as view:
        view.emulate_media(media="print")
        size = "([one]) => parseFloat(getComputedStyle(one).fontSize)"
        kinds = (".by-run", ".more p", "summary")
        sizes = {kind: view.locator(f".audit {kind}").evaluate_all(size) for kind in kinds}
    assert len(set(sizes.values())) == 1, sizes


def test_a_large_study_is_thinned_to_its_size():
    def panel(steps):
        shape = (3, 5, steps + 1)
        names = ("loss", "forecast_loss", "max_distance", "mean_distance", "pattern_change")
        return xr.Dataset(
            {name: (("optimizer", "seed", "step"), np.zeros(shape)) for name in names}
        )

    assert panels.stride([panel(100)] * 9) == 1
    many = [panel(1000)] * 15
    every = panels.stride(many)
    kept = 15 * 5 * 15 * len(range(0, 1001, every))
    # One more step than a share of them, because both ends are kept.
    assert kept <= panels.MOST_NUMBERS + 15 * 5 * 15
    # Base64 of float64 takes 32 bytes for three numbers.
    assert kept * 32 / 3 < 1_000_000


def test_the_command_writes_the_page(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for source in (folder.path, folder.path / "studies" / "small.json"):
        main(["report", str(source), "-o", "page.html"])
        assert "page.html" in capsys.readouterr().out
        assert "report of a study" in (tmp_path / "page.html").read_text(encoding="utf-8")


def refused(source, message, **options):
    with pytest.raises(InvalidInput, match=message) as error:
        report(source, **options)
    assert "\n" not in str(error.value)


def test_what_is_no_study_is_refused_in_one_sentence(index, tmp_path):
    refused(tmp_path, "is not a run")
    (tmp_path / "studies").mkdir()
    first = tmp_path / "studies" / "a.json"
    first.write_text("{}", encoding="utf-8")
    refused(tmp_path, "is not the index of a study")
    first.write_text(json.dumps(index), encoding="utf-8")
    refused(tmp_path, "no run of the study small is stored yet")
    (tmp_path / "studies" / "b.json").write_text("{}", encoding="utf-8")
    refused(tmp_path, r"holds 2 studies; give one of them: .*a\.json, .*b\.json")


@pytest.mark.parametrize("lost", ["methods", "rules", "steps"])
def test_a_damaged_index_is_refused(index, records, lost):
    study = {key: value for key, value in index["study"].items() if key != lost}
    with pytest.raises(InvalidInput, match=r"damaged .*repeat inertial study"):
        arrange({"study": study, "runs": index["runs"]}, records)


def test_a_run_of_something_else_is_refused(index, records):
    key, record = next(iter(records.items()))
    for other, message in (
        (record.arrays.drop_vars("loss"), "lacks loss"),
        (record.arrays.isel(step=slice(5)), "another number of steps"),
    ):
        with pytest.raises(InvalidInput, match=message):
            arrange(index, {**records, key: record._replace(arrays=other)})
