"""Claims hold and fail where they should, figures need the result alone, the page names all."""

import html
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from browser import chromium, opened
from inertial import InvalidInput, infinite_gram, load
from inertial.commands.reproduce import conclude
from inertial.commands.terminal import announce
from inertial.method.modes import spectral_radius
from inertial.reproduce import beyond, bu2021, catalog, formulas, laws, liu2022, run
from inertial.reproduce.catalog import EMBEDDED, ITEMS, data_sets, find, found
from inertial.reproduce.item import QUICK
from inertial.reproduce.page import write_page
from inertial.reproduce.run import make, redraw
from inertial.runs import execution
from inertial.runs.config import DataSet
from inertial.runs.cost import Prediction
from inertial.runs.spec import load_data
from inertial.runs.store import Record, read_record, write_record

__all__ = ["chromium"]

TINY = replace(QUICK, rows=30, spectrum_rows=30, width=60, widths=(30, 60), seeds=(0, 1), steps=15)
NAN = float("nan")
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
    along = ("data", "optimizer", "width", "seed", "step")
    methods = METHODS if len(values) == 3 else ("nesterov",)
    coords = {"data": ["some"], "optimizer": list(methods), "width": list(widths), "seed": [0, 1]}
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
        ([3, 1, 1.12], ["holds", "fails"]),
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
        loss.loc[{"optimizer": method, "step": 300}] = last  # one step of 21: means 1.19 and 0.96
    claims = liu2022.figure2_claims(xr.Dataset({"loss": loss}))
    assert "last 21 steps" in claims[0].statement
    assert verdicts(claims) == ["fails", "fails"]
    loss.loc[{"optimizer": "nesterov", "step": 300}] = 0.9
    assert verdicts(liu2022.figure2_claims(xr.Dataset({"loss": loss}))) == ["holds", "holds"]


@pytest.mark.parametrize(
    ("last", "expected", "seeds"),
    [
        ([[3, 3], [2, 2], [1, NAN]], ["undecided", "undecided"], "1 of 2 seeds"),
        ([[3, NAN], [2, 2], [1, 1]], ["undecided", "holds"], "1 of 2 seeds"),
        ([[1, NAN], [2, NAN], [2, NAN]], ["fails", "undecided"], "0 of 2 seeds"),
        ([[NAN, NAN]] * 3, ["undecided", "undecided"], "0 of 2 seeds"),
    ],
)
def test_without_a_number_a_claim_is_undecided_unless_a_seed_refutes_it(last, expected, seeds):
    claims = liu2022.figure2_claims(result("loss", np.array(last)[:, None]))
    assert verdicts(claims) == expected
    assert claims[0].seeds == seeds
    assert "a run is missing or diverged on" in claims[0].measured


def test_the_largest_number_of_a_diverged_run_is_unknown():
    # Two steps, the second one NaN: the largest number of the first would be 0.
    stored = result("max_distance", np.array([1, NAN, NAN])[:, None])
    claims = liu2022.method_claims("max_distance", "distance")(stored)
    assert verdicts(claims) == ["undecided"] * 3
    widths = (100, 200, 400)
    for values, expected in (
        ([3, 2, NAN], ["undecided", "undecided"]),
        ([3, 2, 0], ["holds", "undecided"]),  # it falls, but zero has no logarithm
    ):
        stored = result("max_distance", np.array([values]), widths)
        assert verdicts(liu2022.width_claims("max_distance", "distance")(stored)) == expected
    stored = result("loss", np.array([[3, 2, NAN]]), widths)
    stored = stored.assign(forecast_loss=stored.loss + 1)
    assert verdicts(beyond.forecast_claims(stored)) == ["undecided"]


def test_steps_that_were_not_counted_decide_nothing():
    table = liu2022.table1(data_sets(("digits",), TINY, trained=False), TINY)
    assert verdicts(liu2022.table1_claims(table))[-1] != "undecided"
    for method in ("nesterov", "gradient_descent"):
        given_up = table.copy(deep=True)
        given_up["steps_0.01"].loc[{"optimizer": method}] = np.nan
        claim = liu2022.table1_claims(given_up)[-1]
        assert claim.verdict == "undecided"
        assert f"{method} too many to count" in claim.measured


@pytest.mark.parametrize(
    ("radius", "counts", "expected"),
    [
        ([0.99, 0.9, 0.8], [9, 8, 7], ["holds", "holds", "holds"]),
        ([0.99, 0.96, 0.8], [9, 5, 9], ["fails", "holds", "fails"]),
        ([0.99, 0.9, 0.91], [9, 5, 10], ["holds", "fails", "fails"]),
        ([0.99, NAN, 0.8], [9, 5, 8], ["undecided", "holds", "holds"]),
    ],
)
def test_table1_claims(radius, counts, expected):
    columns = {"radius": radius, "claimed": [0.98, 0.95, 0.9], "steps_0.01": counts}
    table = xr.Dataset(
        {name: (("data", "optimizer"), np.array([values])) for name, values in columns.items()},
        coords={"data": ["some"], "optimizer": list(METHODS)},
    )
    assert verdicts(liu2022.table1_claims(table)) == expected


def test_gradient_descent_is_counted_far_out(monkeypatch):
    limits = []
    monkeypatch.setattr(liu2022, "steps_to", lambda *_, limit: limits.append(limit) or 3)
    liu2022.table1(data_sets(("digits",), TINY, trained=False), TINY)
    assert [limit > 10**12 for limit in limits] == [True, True, False, False, False, False]


def counts_of_eq_10(reduction, plain, momentum):
    alpha = np.array([1e-6, 1e-3])
    columns = {
        "alpha": alpha,
        "bound_plain": np.log(reduction) / np.log(1 - alpha),
        "bound_momentum": np.log(reduction / 2) / np.log(1 - np.sqrt(alpha)),
        "plain": [plain, 7.0],
        "momentum": [momentum, 3.0],
    }
    return xr.Dataset(
        {name: ("data", np.array(values)) for name, values in columns.items()},
        coords={"data": ["some", "other"]},
        attrs={"reduction": reduction},
    )


@pytest.mark.parametrize(
    ("plain", "momentum", "expected"),
    [(2.0, 1.0, "holds"), (2.0, 2.0, "fails"), (NAN, 1.0, "undecided"), (2.0, NAN, "undecided")],
)
def test_iterations_claims(plain, momentum, expected):
    claims = formulas.iterations_claims(counts_of_eq_10(0.01, plain, momentum))
    assert verdicts(claims) == ["fails", "holds", expected, "holds"]
    assert "1.151 times theta" in claims[0].measured
    assert "0.575 times theta" in claims[1].measured
    # log(g/2) = log(g^2) at g = 1/2: above it the reading of Theorem 1 does not help.
    assert verdicts(formulas.iterations_claims(counts_of_eq_10(0.51, 2, 1)))[1] == "fails"


def test_iterations_are_counted_to_the_share_of_the_squared_norm(monkeypatch):
    shares = []
    monkeypatch.setattr(
        formulas, "steps_to", lambda *given, limit: shares.append((given[2], limit)) or 5
    )
    stored = formulas.iterations(data_sets(("digits",), TINY, trained=False), TINY)
    assert [share for share, _ in shares] == [pytest.approx(1e-4)] * 2
    values = np.linalg.eigvalsh(infinite_gram(load("digits", n=30, dedupe=True).x))
    # alpha = lambda_0^2 / (2 n^2) of Theorem 1; 1e-6 for the smallest of 30 eigenvalues.
    alpha = (values[0] / len(values)) ** 2 / 2
    assert stored.alpha.item() == pytest.approx(alpha, rel=1e-6)
    # Where the factors 1 - alpha, and twice 1 - sqrt(alpha), have done their work.
    plain, momentum = stored.bound_plain.item(), stored.bound_momentum.item()
    assert np.exp(plain * np.log1p(-alpha)) == pytest.approx(0.01, rel=1e-5)
    assert 2 * np.exp(momentum * np.log1p(-np.sqrt(alpha))) == pytest.approx(0.01, rel=1e-5)


@pytest.mark.parametrize(("given", "word"), [([0.0954, 0.00995], "holds"), ([0.06, 0.01], "fails")])
def test_the_printed_values_of_theta_are_compared_to_one_digit(monkeypatch, given, word):
    stored = formulas.theta((), TINY)
    monkeypatch.setattr(formulas, "exponent", lambda _: np.array(given))
    assert verdicts(formulas.theta_claims(stored))[2] == word


def test_a_claim_counts_seeds():
    last = np.array([[[3, 3]], [[2, 2]], [[1, 4]]])
    claim = liu2022.figure2_claims(result("loss", last))[0]
    assert (claim.verdict, claim.seeds, claim.data) == ("fails", "1 of 2 seeds", "some")


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (-0.5, ["holds", "holds"]),
        (-0.69, ["holds", "holds"]),
        (-0.71, ["holds", "fails"]),
        (-0.31, ["holds", "holds"]),
        (-0.29, ["holds", "fails"]),
        (0, ["fails", "fails"]),
        (0.5, ["fails", "fails"]),
    ],
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
        ([2, 3, 1], ["fails", "holds", "holds"]),
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
    plain, heavy, nesterov = (table.sel({"optimizer": m}) for m in METHODS)
    assert float(heavy.beta) == pytest.approx((1 - 0.5 / np.sqrt(kappa)) ** 2)
    assert float(heavy.radius) == pytest.approx(1 - 0.5 / np.sqrt(kappa))
    assert float(nesterov.radius) ** 2 == pytest.approx(
        float(nesterov.beta) * (1 - float(nesterov.eta) * values[0])
    )
    assert float(nesterov.claimed) == pytest.approx(1 - 0.5 / np.sqrt(kappa))
    assert float(heavy.claimed) == pytest.approx(1 - 0.25 / np.sqrt(kappa))
    assert float(plain.claimed) == pytest.approx(1 - 1 / kappa)
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


def illustrated(smallest=0.01, **losses):
    """A stored illustration whose flows obey every claim, but for those given as functions of t."""
    time = np.geomspace(0.02, 600, 3000) / np.sqrt(smallest)
    flows = {
        "gradient_flow": lambda t: np.exp(-2 * smallest * t),
        "heavy_ball_flow": lambda t: 0.5 * np.exp(-np.sqrt(2 * smallest) * t),
        "d3": lambda t: 1 / (1 + t**3),
        "d6": lambda t: 1 / (1 + (t / 10) ** 6),
    } | losses
    names = [*list(flows)[:2], "nesterov_flow, d = 3", "nesterov_flow, d = 6"]
    return xr.Dataset(
        {"flow_loss": (("flow", "time"), np.array([flow(time) for flow in flows.values()]))},
        coords={"flow": names, "time": time},
        attrs={"data": "some", "lambda_min": smallest, "first": 1.0, "first_pseudo": 0.6},
    )


def decaying(first, rate):
    return lambda t: first * np.exp(-rate * np.sqrt(0.02) * t)


def bent(t):
    """Of the right mean rate over what is seen, but not straight."""
    return 0.5 * np.exp(-np.sqrt(0.02) * t * (0.7 + 0.6 * t * np.sqrt(0.02) / 27))


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, []),
        ({"heavy_ball_flow": bent}, [2]),
        ({"heavy_ball_flow": decaying(0.5, 1.2)}, [2]),
        ({"heavy_ball_flow": decaying(0.5, 0.4)}, [0, 1, 2]),
        ({"heavy_ball_flow": decaying(1.2, 1)}, [1]),
        ({"heavy_ball_flow": decaying(150, 1)}, [1]),
        ({"heavy_ball_flow": decaying(450, 1)}, [0, 1]),
        ({"d3": lambda t: 1 / (1 + t**3.5)}, [3]),
        ({"d6": lambda t: 1 / (1 + (t / 10) ** 5.5)}, [4]),
        ({"d6": lambda t: 1e-6 / (1 + (t / 10) ** 6)}, [5]),
    ],
)
def test_every_claim_about_the_flows_can_fail(changed, failing):
    words = verdicts(bu2021.illustration_claims(illustrated(**changed)))
    assert [place for place, word in enumerate(words) if word != "holds"] == failing
    assert "undecided" not in words


def test_flows_without_a_number_decide_nothing():
    def missing(t):
        return np.full_like(t, np.nan)

    words = verdicts(bu2021.illustration_claims(illustrated(heavy_ball_flow=missing)))
    assert words == ["undecided"] * 3 + ["holds", "holds", "undecided"]
    words = verdicts(bu2021.illustration_claims(illustrated(d6=missing)))
    assert words == ["holds"] * 4 + ["undecided"] * 2


def test_the_first_pseudo_loss_weighs_by_the_kernel():
    (data,) = data_sets(("digits",), TINY, trained=False)
    prepared = execution.prepare(data)
    gram = infinite_gram(prepared.data.x)
    vectors = np.linalg.eigh(gram)[1]
    weights = prepared.measure.weights
    stored = bu2021.illustration((data,), TINY)
    rebuilt = vectors * np.sqrt(weights)
    assert stored.attrs["first_pseudo"] == pytest.approx(np.sum(rebuilt * (gram @ rebuilt)) / 2)
    assert stored.attrs["first"] == pytest.approx(np.sum(rebuilt**2) / 2)
    assert stored.run.size == 3


def test_the_phase_diagram_agrees_with_the_stability_limit():
    data = data_sets(("digits",), TINY, trained=False)
    stored = beyond.phase(data, TINY)
    assert verdicts(beyond.phase_claims(stored)) == ["holds"] * 4
    shifted = stored.assign(limit=stored.limit * 1.1)
    assert verdicts(beyond.phase_claims(shifted))[::2] == ["fails", "fails"]


def test_nesterov_is_faster_than_its_ode_on_power_laws():
    stored = laws.power_laws((), TINY)
    assert verdicts(laws.power_law_claims(stored)) == ["holds"] * 10
    # The ODE's loss for the method's: three exponents are wrong, and nothing is faster.
    loss = stored.loss.copy()
    loss.loc[{"line": "nesterov"}] = loss.sel(line="nesterov_flow").values
    words = verdicts(laws.power_law_claims(stored.assign(loss=loss)))
    assert [place for place, word in enumerate(words) if word == "fails"] == [1, 4, 7, 9]


def test_the_limit_on_batches_crosses_between_the_plateaus():
    data = data_sets(("digits",), TINY, trained=False)
    stored = laws.crossover(data, TINY)
    assert verdicts(laws.crossover_claims(stored)) == ["holds"] * 4
    for name, factor, failing in (
        ("limit", 3.0, [0, 1, 2]),
        ("low", 1.3, [0, 1]),
        ("exact", 1.04, [3]),
    ):
        shifted = stored.assign({name: stored[name] * factor})
        words = verdicts(laws.crossover_claims(shifted))
        assert [place for place, word in enumerate(words) if word == "fails"] == failing, name


def test_an_item_is_made_stored_drawn_and_redrawn_without_computing(tmp_path, monkeypatch):
    made = make(find("liu2022/fig2"), TINY, EMBEDDED, tmp_path, predictor=free)
    assert {claim.data for claim in made.claims} == set(EMBEDDED)
    assert {path.suffix for path in made.folder.glob("figure.*")} == {".png", ".svg", ".pdf"}
    computed = len(list((tmp_path / "runs").glob("*.nc")))
    assert computed == 2 * 3 * 2
    make(find("liu2022/fig5"), TINY, EMBEDDED, tmp_path, predictor=free)
    assert len(list((tmp_path / "runs").glob("*.nc"))) == computed
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
    assert pilots == [[7], [7], [15]]
    assert whole == [30, 30]
    assert count is None
    assert predicted.memory > 0
    assert made.predicted == predicted.seconds > 0


def test_a_data_set_that_needs_all_its_rows_is_announced_without_a_time(tmp_path, capsys):
    item = find("liu2022/table1")

    def compute(data, scale):
        if data[0].rows < TINY.rows:
            raise InvalidInput("a column is constant over these rows.")
        return item.compute(data, scale)

    told = replace(item, compute=compute)
    made = make(told, TINY, ("digits",), tmp_path, announce=announce)
    words = capsys.readouterr().err
    assert "nothing to train, predicted time unknown, " in words
    assert "GB of memory" in words
    assert made.predicted is None
    assert json.loads((made.folder / "claims.json").read_text())["predicted_seconds"] is None
    assert "&ndash;" in write_page(tmp_path).read_text()


def test_a_column_that_is_constant_over_the_first_rows_is_no_obstacle(tmp_path, rng):
    table = np.column_stack([np.arange(24) >= 20, rng.standard_normal((24, 3))])
    np.savetxt(tmp_path / "late.csv", table, delimiter=",", header="a,b,c,y", comments="")
    data = DataSet(str(tmp_path / "late.csv"), rows=24, label="y", standardize=True)
    item = find("liu2022/table1")
    assert "data" in item.compute((data,), TINY).dims
    assert run.predict_item(item, (data,), TINY).seconds > 0


def test_a_pilot_times_the_item_apart_from_its_kernels(monkeypatch):
    """Loading 2 s and a kernel 5 s a data set; own work 1 s on a quarter, 4 s on half: c n^2."""
    monkeypatch.setattr(run, "decomposing", lambda *_, **__: 5.0)
    monkeypatch.setattr(run, "prepare", lambda _: None)
    monkeypatch.setattr(run.time, "perf_counter", lambda: next(clock))
    item = replace(find("liu2022/table1"), compute=lambda *_: None)
    data = data_sets(EMBEDDED, TINY, trained=False)
    first, second = (len(load_data(one).y) for one in data)
    for uses, expected in (
        ("all", 2 * (2 + 5) + 16 * (1 + (second / first) ** 2)),
        ("first", 2 + 5 + 16),
        ("none", np.nan),
    ):
        clock = iter([0.0, 9.0, 10.0, 11.0, 20.0, 24.0, 30.0, 32.0, 40.0, 42.0])
        predicted = run.predict_item(replace(item, uses=uses), data, TINY)
        assert predicted.seconds == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("item", [one for one in ITEMS if one.compute is not None])
def test_an_item_uses_the_data_it_says(item):
    """The kernels that it asks for are those of all data sets, of the first, or none."""
    data = data_sets(EMBEDDED, TINY, trained=False)
    asked = []

    def load(one):
        asked.append(one)
        return load_data(one)

    execution._prepared.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "load_data", load)
        for grid in ("_ETAS", "_BETAS"):  # what is asked for does not depend on them
            patch.setattr(beyond, grid, getattr(beyond, grid)[::20])
        item.compute(data, TINY)
    assert asked == {"all": [*data], "first": [data[0]], "none": []}[item.uses]


@given(
    st.integers(0, 2**31),
    st.sampled_from(beyond.MOMENTUM),
    st.floats(0.01, 4),
    st.floats(0, 0.9999),
)
def test_the_ends_of_a_spectrum_decide_the_radius(seed, name, share, beta):
    """As a phase diagram takes them, below and above the limit of stability."""
    values = np.sort(10 ** np.random.default_rng(seed).uniform(-5, 0, 200))
    method = beyond._method(name, share / values[-1], beta)
    whole, ends = (spectral_radius(method, some) for some in (values, values[[0, -1]]))
    assert ends == pytest.approx(whole, rel=1e-7)  # a double root keeps half of the digits


def test_the_page_lists_every_item_and_escapes(tmp_path):
    for key in ("liu2022-ode/fig1", "wang2020/fig1"):
        make(find(key), TINY, (), tmp_path)
    claims = tmp_path / "wang2020-fig1" / "claims.json"
    document = json.loads(claims.read_text())
    document["claims"][0]["measured"] = "<script>"
    claims.write_text(json.dumps(document))
    text = write_page(tmp_path, ("a & b",)).read_text()
    assert "default-src 'none'; script-src 'none'; style-src 'sha256-" in html.unescape(text)
    assert "liu2022-ode/fig1" in text
    assert "4 of 5" in text
    assert "4 of 4" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "a &amp; b" in text
    assert 'src="wang2020-fig1/figure.png"' in text


def test_the_page_runs_nothing_and_loads_its_figures_alone(chromium, tmp_path):
    made = make(find("wang2020/fig1"), TINY, (), tmp_path)
    page = write_page(tmp_path)
    with opened(chromium, page, beside=(made.folder.name,)) as view:
        view.locator("img").scroll_into_view_if_needed()
        view.wait_for_function("document.querySelector('img').naturalWidth > 0")


def test_page_and_summary_count_what_is_undecided(tmp_path, capsys):
    made = make(find("wang2020/fig1"), TINY, (), tmp_path)
    claims = made.folder / "claims.json"
    document = json.loads(claims.read_text())
    document["claims"][0]["verdict"] = "undecided"
    claims.write_text(json.dumps(document))
    text = " ".join(write_page(tmp_path).read_text().split())
    assert "3 of 4 claims hold, 0 fail; undecided for want of a number: 1." in text
    assert "3 of 4, 1 undecided" in text
    assert "3 of 4 claims hold, 1 undecided" in text
    first, *others = made.claims
    counted = replace(made, claims=(replace(first, verdict="undecided"), *others))
    conclude([counted], tmp_path / "index.html", as_json=False)
    assert "4 claims: 3 hold, 0 fail, 1 undecided" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["pipe", "link", "kinds", "deep"])
def test_the_page_leaves_out_claims_that_are_none(tmp_path, kind):
    made = make(find("wang2020/fig1"), TINY, (), tmp_path / "items")
    claims = made.folder / "claims.json"
    document = json.loads(claims.read_text())
    claims.unlink()
    if kind == "pipe":
        os.mkfifo(claims)  # reading it would wait for ever
    elif kind == "link":
        (tmp_path / "mine.json").write_text(json.dumps(document))
        claims.symlink_to(tmp_path / "mine.json")
    elif kind == "deep":
        claims.write_text("[" * 100_000)
    else:
        claims.write_text(json.dumps(document | {"claims": [{"verdict": 1}]}))
    assert "wang2020-fig1" not in write_page(tmp_path / "items").read_text()


def test_a_sealed_result_of_other_arrays_is_one_sentence(tmp_path):
    made = make(find("wang2020/fig1"), TINY, (), tmp_path)
    record = read_record(made.folder / "result.nc", made.folder / "result.json")
    other = xr.Dataset(attrs=record.arrays.attrs)
    write_record(
        made.folder / "result.nc", made.folder / "result.json", Record(other, record.manifest)
    )
    with pytest.raises(InvalidInput, match=r"wang2020-fig1 \(its arrays are not those of its item"):
        redraw(tmp_path)


def test_redrawing_nothing_does_nothing_and_damage_is_one_sentence(tmp_path):
    assert redraw(tmp_path) == []
    made = make(find("wang2020/fig1"), TINY, (), tmp_path)
    other = make(find("liu2022-ode/fig1"), TINY, (), tmp_path)
    (made.folder / "claims.json").write_bytes(b"no claims")
    for name in ("result.nc", "result.json"):
        (made.folder / name).write_bytes(b"not a result")
        (other.folder / "figure.png").unlink()
        with pytest.raises(InvalidInput, match=r"wang2020-fig1.* damaged"):
            redraw(tmp_path)
        assert (other.folder / "figure.png").exists()
    page = write_page(tmp_path).read_text()
    assert "liu2022-ode-fig1" in page
    assert "wang2020-fig1" not in page


def test_without_the_papers_data_the_embedded_ones_are_used(monkeypatch):
    monkeypatch.setattr(catalog, "locate", lambda name: None if name != "yacht" else name)
    names, absent = found()
    assert names == ("yacht", *EMBEDDED)
    assert len(absent) == 5
    monkeypatch.setattr(catalog, "locate", lambda name: name)
    assert found() == (catalog.PAPERS, ())
