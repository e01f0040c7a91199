"""Claims hold and fail where they should, figures need the result alone, the page names all."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from inertial import InvalidInput, infinite_gram, load
from inertial.reproduce import beyond, bu2021, catalog, formulas, liu2022, pilot, run
from inertial.reproduce.catalog import EMBEDDED, ITEMS, data_sets, find, found
from inertial.reproduce.item import QUICK
from inertial.reproduce.page import write_page
from inertial.reproduce.run import make, redraw
from inertial.study.cost import Prediction

TINY = replace(QUICK, rows=30, spectrum_rows=30, width=60, widths=(30, 60), seeds=(0, 1), steps=15)
METHODS = ("gradient_descent", "heavy_ball", "nesterov")


def free(missing, **_):
    return Prediction(1.0, (1.0,) * len(missing), 1, 1, 1)


def verdicts(claims):
    return [claim.verdict for claim in claims]


def result(variable, values, widths=(100,)):
    """A stored result with one data set, two seeds, two steps and given last values."""
    values = np.asarray(values, float)  # (method, width) or (method, width, seed)
    if values.ndim == 2:
        values = np.stack([values, values], axis=-1)
    shape = (1, *values.shape, 2)
    array = np.ones(shape) * 10
    array[..., 1] = values
    if variable != "loss":
        array[..., 0] = 0
    along = ("data", "method", "width", "seed", "step")
    methods = METHODS if len(values) == 3 else ("nesterov",)
    coords = {"data": ["some"], "method": list(methods), "width": list(widths), "seed": [0, 1]}
    return xr.Dataset({variable: (along, array)}, coords={**coords, "step": [0, 1]})


def test_the_keys_of_the_papers_are_there():
    keys = {item.key for item in ITEMS}
    assert len(keys) == len(ITEMS)
    assert keys >= {f"liu2022/fig{k}" for k in range(2, 7)} | {"liu2022/table1"}
    assert keys >= {"liu2022-ode/fig1", "wang2020/fig1", "bu2021/illustration"}
    assert all((item.study is None) != (item.compute is None) for item in ITEMS)
    with pytest.raises(InvalidInput, match="did you mean 'liu2022/fig2'"):
        find("liu2022/fig22")


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ([3, 2, 1], ["holds", "holds"]),
        ([3, 1.95, 2], ["holds", "holds"]),  # 1.03 times heavy ball's: about the same
        ([3, 1, 2], ["holds", "fails"]),
        ([1, 2, 2], ["fails", "holds"]),
    ],
)
def test_convergence_claims(last, expected):
    assert verdicts(liu2022.figure2_claims(result("loss", np.array(last)[:, None]))) == expected


def test_the_end_of_a_run_is_its_last_window():
    stored = result("loss", np.array([3.0, 2, 1])[:, None]).isel(step=0).drop_vars("step")
    steps = np.arange(301)
    loss = stored.loss.expand_dims(step=steps).transpose(..., "step").copy()
    loss[..., -30:] = 1.0
    for method, last in (("nesterov", 5.0), ("heavy_ball", 0.1)):
        loss.loc[{"method": method, "step": 300}] = last  # one step of 21: means 1.19 and 0.96
    claims = liu2022.figure2_claims(xr.Dataset({"loss": loss}))
    assert "last 21 steps" in claims[0].statement
    assert verdicts(claims) == ["fails", "fails"]
    loss.loc[{"method": "nesterov", "step": 300}] = 0.9
    assert verdicts(liu2022.figure2_claims(xr.Dataset({"loss": loss}))) == ["holds", "holds"]


def test_a_claim_counts_seeds():
    last = np.array([[[3, 3]], [[2, 2]], [[1, 4]]])
    claim = liu2022.figure2_claims(result("loss", last))[0]
    assert (claim.verdict, claim.seeds, claim.data) == ("fails", "1 of 2 seeds", "some")


@pytest.mark.parametrize(
    ("power", "expected"),
    [(-0.5, ["holds", "holds"]), (-0.1, ["holds", "fails"]), (0.5, ["fails", "fails"])],
)
def test_width_claims(power, expected):
    widths = (100, 200, 400)
    values = np.array(widths, float)[None] ** power
    claims = liu2022.width_claims("max_distance", "distance")(
        result("max_distance", values, widths)
    )
    assert verdicts(claims) == expected


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        ([1, 3, 2], ["holds", "holds", "holds"]),
        ([1, 2, 3], ["holds", "holds", "fails"]),
        ([4, 3, 2], ["fails", "fails", "holds"]),
    ],
)
def test_method_claims(highest, expected):
    stored = result("pattern_change", np.array(highest)[:, None])
    assert verdicts(liu2022.method_claims("pattern_change", "share")(stored)) == expected


def test_table1_is_the_rules_on_the_analytic_kernel():
    (data,) = data_sets(("digits",), TINY, trained=False)
    table = liu2022.table1((data,), TINY).sel(data="digits")
    values = np.linalg.eigvalsh(infinite_gram(load("digits", n=30, dedupe=True).x))
    # 1e-10 relative to the largest: two eigenvalue routines in float64.
    assert float(table.lambda_min) == pytest.approx(values[0], abs=1e-10 * values[-1])
    assert float(table.lambda_max) == pytest.approx(values[-1])
    kappa = (values[-1] + values[0] / 4) / (0.75 * values[0])
    plain, heavy, nesterov = (table.sel({"method": m}) for m in METHODS)
    assert float(heavy.beta) == pytest.approx((1 - 0.5 / np.sqrt(kappa)) ** 2)
    assert float(heavy.radius) == pytest.approx(1 - 0.5 / np.sqrt(kappa))
    assert float(nesterov.radius) ** 2 == pytest.approx(
        float(nesterov.beta) * (1 - float(nesterov.eta) * values[0])
    )
    assert float(nesterov.claimed) == pytest.approx(1 - 0.5 / np.sqrt(kappa))
    assert float(plain.eta) == pytest.approx(1 / (values[-1] + values[0] / 4))


def test_the_rate_is_confirmed_and_the_misprint_is_not():
    claims = formulas.rate_claims(formulas.rate((), TINY))
    assert verdicts(claims) == ["holds"] * 4 + ["fails"]
    assert "0.120" in claims[-1].measured


def test_theta_is_the_exponent_that_equates_the_factors():
    alpha = np.array([1e-4, 0.01, 0.3])
    theta = formulas.exponent(alpha)
    # (1 - sqrt(alpha))^theta = 1 - alpha, by its definition; 1e-12 for a power in float64.
    np.testing.assert_allclose((1 - np.sqrt(alpha)) ** theta, 1 - alpha, rtol=1e-12)
    assert verdicts(formulas.theta_claims(formulas.theta((), TINY))) == ["holds"] * 4


def test_flows_obey_the_claims_and_a_wrong_friction_does_not():
    data = data_sets(("digits",), TINY, trained=False)
    stored = bu2021.illustration(data, TINY)
    claims = {claim.statement: claim.verdict for claim in bu2021.illustration_claims(stored)}
    assert [v for k, v in claims.items() if "envelope" in k] == ["holds", "holds"]
    swapped = stored.assign_coords(flow=[*stored.flow.values[:2], *stored.flow.values[:1:-1]])
    claims = {claim.statement: claim.verdict for claim in bu2021.illustration_claims(swapped)}
    assert [v for k, v in claims.items() if "envelope" in k] == ["fails", "fails"]


def test_the_phase_diagram_agrees_with_the_stability_limit():
    data = data_sets(("digits",), TINY, trained=False)
    stored = beyond.phase(data, TINY)
    assert verdicts(beyond.phase_claims(stored)) == ["holds"] * 4
    shifted = stored.assign(limit=stored.limit * 1.1)
    assert verdicts(beyond.phase_claims(shifted))[::2] == ["fails", "fails"]


def test_an_item_is_made_stored_drawn_and_redrawn_without_computing(tmp_path, monkeypatch):
    made = make(find("liu2022/fig2"), TINY, EMBEDDED, tmp_path, predictor=free)
    assert {claim.data for claim in made.claims} == set(EMBEDDED)
    assert {path.suffix for path in made.folder.glob("figure.*")} == {".png", ".svg", ".pdf"}
    computed = len(list((tmp_path / "runs").iterdir()))
    assert computed == 2 * 3 * 2
    make(find("liu2022/fig5"), TINY, EMBEDDED, tmp_path, predictor=free)
    assert len(list((tmp_path / "runs").iterdir())) == computed
    before = (made.folder / "figure.svg").read_bytes()
    for path in tmp_path.glob("*/figure.*"):
        path.unlink()
    monkeypatch.setattr(run, "run_study", lambda *_, **__: pytest.fail("computed"))
    again = redraw(tmp_path)
    assert [one.item.key for one in again] == ["liu2022/fig2", "liu2022/fig5"]
    assert again[0].claims == made.claims
    assert (made.folder / "figure.svg").read_bytes() == before


def test_what_trains_nothing_is_announced_before_it_starts(tmp_path):
    item, order = find("liu2022/table1"), []

    def compute(data, scale):
        order.append([one.rows for one in data])
        return item.compute(data, scale)

    told = replace(item, compute=compute)
    made = make(told, TINY, EMBEDDED, tmp_path, announce=lambda *what: order.append(what))
    *pilots, (predicted, count), whole = order
    assert pilots == [[7], [15]]
    assert whole == [30, 30]
    assert count is None
    assert predicted.memory > 0
    assert made.predicted == predicted.seconds > 0


def test_a_pilot_carries_the_time_on_as_a_power_of_the_rows(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 14.0])  # 1 s with a quarter of the rows, 4 s with half
    monkeypatch.setattr(pilot.time, "perf_counter", lambda: next(clock))
    for sets, factor in ((EMBEDDED, 2), (("digits",), 1)):
        clock = iter([0.0, 1.0, 10.0, 14.0])
        data = data_sets(sets, TINY, trained=False)
        item = replace(find("liu2022/table1"), compute=lambda *_: xr.Dataset(coords={"data": [0]}))
        assert pilot.predict_item(item, data, TINY).seconds == pytest.approx(16 * factor)
    clock = iter([0.0, 1.0, 10.0, 11.0])
    item = replace(item, compute=lambda *_: xr.Dataset())  # one data set is all it looks at
    data = data_sets(EMBEDDED, TINY, trained=False)
    assert pilot.predict_item(item, data, TINY).seconds == pytest.approx(1)


def test_the_page_lists_every_item_and_escapes(tmp_path):
    for key in ("liu2022-ode/fig1", "wang2020/fig1"):
        make(find(key), TINY, (), tmp_path)
    claims = tmp_path / "wang2020-fig1" / "claims.json"
    document = json.loads(claims.read_text())
    document["claims"][0]["measured"] = "<script>"
    claims.write_text(json.dumps(document))
    text = write_page(tmp_path, ("a & b",)).read_text()
    assert "liu2022-ode/fig1" in text
    assert "4 of 5" in text
    assert "4 of 4" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "a &amp; b" in text
    assert 'src="wang2020-fig1/figure.png"' in text


def test_redrawing_nothing_does_nothing_and_damage_is_one_sentence(tmp_path):
    assert redraw(tmp_path) == []
    made = make(find("wang2020/fig1"), TINY, (), tmp_path)
    for name in ("claims.json", "result.nc"):
        (made.folder / name).write_bytes(b"not a result")
        with pytest.raises(InvalidInput, match="is damaged"):
            redraw(tmp_path)


def test_without_the_papers_data_the_embedded_ones_are_used(monkeypatch):
    monkeypatch.setattr(catalog, "locate", lambda name: None if name != "yacht" else name)
    names, absent = found()
    assert names == ("yacht", *EMBEDDED)
    assert len(absent) == 5
    monkeypatch.setattr(catalog, "locate", lambda name: name)
    assert found() == (catalog.PAPERS, ())
