"""The commands as a user runs them: output, exit codes, one sentence a mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from helpers import run
from inertial import Measure, load, measure_of, module_source, tune

SMALL = {"--n": "40", "--width": "60", "--seeds": "2", "--steps": "8"}


def comparing(**changes):
    """Words of a small comparison with some options changed or added."""
    options = SMALL | {f"--{name}": str(value) for name, value in changes.items()}
    return ["compare", "digits", *(word for pair in options.items() for word in pair)]


COMPARE = comparing()


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_compare_prints_the_table_and_where_things_are(capsys, tmp_path):
    code, out, err = run(capsys, *COMPARE, "-o", "run")
    assert code == 0, err
    for word in (
        "gradient descent",
        "heavy ball",
        "Nesterov",
        "run/convergence.png",
        "forecast error",
    ):
        assert word in out
    assert (tmp_path / "run" / "run.nc").is_file()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["settings"]["seeds"] == [0, 1]


def test_compare_says_first_whether_its_forecasts_hold(capsys):
    _, out, _ = run(capsys, *COMPARE)
    assert re.match(r"Trust, least for (heavy ball|Nesterov): the forecast .*width 60", out)
    _, out, _ = run(capsys, *comparing(methods="nesterov", eta=5, beta=0.5))
    assert out.startswith("Trust: the forecast does not hold here: the forecast loss grows;")


def test_compare_names_the_methods_that_left_their_forecast(capsys, monkeypatch):
    from inertial.runs import comparison, measures

    def grown(arrays, name, target):
        changed = arrays.copy(deep=True)
        changed.loss[1, 0, 3] = 2000 * changed.loss[1, 0, 0]
        return measures.summarize(changed, name, target)

    monkeypatch.setattr(comparison, "summarize", grown)
    _, out, _ = run(capsys, *COMPARE)
    assert out.startswith(
        "The forecast does not describe this run: heavy ball diverged, and its forecast does not."
    )


def test_compare_json_is_one_document_with_the_promised_keys(capsys):
    code, out, _ = run(capsys, *COMPARE, "--json")
    assert code == 0
    document = json.loads(out)
    assert set(document) == {"run", "wall_seconds", "methods"}
    keys = {
        "method", "rule", "eta", "beta", "loss_first", "loss_last_mean", "loss_last_min",
        "loss_last_max", "max_distance_mean", "pattern_change_mean", "forecast_error", "status",
        "trust", "unforeseen",
    }  # fmt: skip
    assert [row["method"] for row in document["methods"]] == [
        "gradient_descent", "heavy_ball", "nesterov",
    ]  # fmt: skip
    assert all(keys <= set(row) for row in document["methods"])
    for row in document["methods"]:
        assert set(row["trust"]) == {
            "movement", "movement_digits", "strain", "width", "span", "width_needed", "verdict",
            "remedy", "kind", "limits",
        }  # fmt: skip
        assert row["trust"]["width"] == 60
    assert os.path.isdir(document["run"])  # noqa: PTH112


def test_tune_json_has_the_promised_keys_and_the_spectrum_file(capsys, tmp_path):
    code, out, _ = run(capsys, "tune", "digits", "--n", 50, "--json", "--spectrum", "eigs.npy")
    assert code == 0
    document = json.loads(out)
    assert set(document["data"]) == {"name", "n", "d", "task", "sha256"}
    assert set(document["kernel"]) == {"kind", "lambda_min", "lambda_max", "condition_number"}
    for row in document["methods"]:
        assert set(row) == {
            "method", "rule", "eta", "beta", "gamma", "spectral_radius", "stability_limit",
            "steps_to", "settles", "trust",
        }  # fmt: skip
    eigenvalues = np.load(tmp_path / "eigs.npy")
    np.testing.assert_array_equal(eigenvalues, measure_of(load("digits", n=50)).nodes)
    assert document["kernel"]["lambda_max"] == eigenvalues[-1]


def test_tune_begins_with_trust_the_recommendation_and_a_real_run(capsys):
    _, out, _ = run(capsys, "tune", "digits", "--n", 50)
    trust, first, checked, *rest = out.splitlines()
    assert trust.startswith("Trust: the forecast to 1 % holds (width 2,000: movement ")
    assert first.startswith("Use ")
    assert "steps to 0.01 of the initial loss" in first
    assert "no gradient method below " in first
    assert re.search(r"promised \d+ steps for this start, measured \d+", checked)
    assert any(line.startswith("optax.sgd(learning_rate=") for line in rest)
    assert any(line.startswith("torch.optim.SGD(") for line in rest)


def test_the_copied_optax_line_runs(capsys):
    import optax

    _, out, _ = run(capsys, "tune", "digits", "--n", 50, "--rule", "paper")
    line = next(line for line in out.splitlines() if line.startswith("optax.sgd("))
    words = dict(part.split("=") for part in line[len("optax.sgd(") : -1].split(", "))
    settings = {key: value == "True" or float(value) for key, value in words.items()}
    assert optax.sgd(**settings).init(np.zeros(3)) is not None


def test_tune_says_where_the_forecast_does_not_hold_and_searches(capsys):
    """Standardised measurements of a disease on 50 neurons, before and after training."""
    _, out, _ = run(
        capsys,
        "tune",
        "diabetes",
        "--n",
        60,
        "--width",
        50,
        "--trials",
        3,
        "--json",
        "--target",
        0.1,
    )
    document = json.loads(out)
    assert document["trust"]["verdict"] == "does not hold here"
    assert document["trust"]["width_needed"] > 1000
    assert 1 <= len(document["checks"]) <= 3
    kept = document["checks"][0]["kept"]
    assert kept == (len(document["checks"]) == 1)


def test_without_trials_the_forecast_is_marked_unchecked(capsys):
    _, out, _ = run(capsys, "tune", "digits", "--n", 50, "--trials", 0)
    assert out.splitlines()[2].startswith("Unchecked")
    code, _, error = run(capsys, "tune", "digits", "--n", 50, "--trials", -1)
    assert code == 2
    assert "trials is -1" in error


@pytest.fixture
def own(tmp_path):
    """A kernel, a residual and their spectrum, in every form that is read."""
    rng = np.random.default_rng(0)
    j, residual = rng.standard_normal((20, 40)), rng.standard_normal(20)
    kernel = j @ j.T
    nodes, basis = np.linalg.eigh(kernel)
    np.save(tmp_path / "K.npy", np.asfortranarray(kernel))
    np.savez(tmp_path / "r.npz", residual)
    np.savetxt(tmp_path / "r.csv", residual)
    pd.DataFrame(kernel).to_csv(tmp_path / "K.csv")
    np.save(tmp_path / "eigs.npy", nodes[::-1])
    pd.Series(((basis.T @ residual) ** 2)[::-1], name="w").to_csv(tmp_path / "w.csv", index=False)
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "nan.npy", [1.0, np.nan])
    np.savez(tmp_path / "two.npz", a=nodes, b=nodes)
    (tmp_path / "text.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "damaged.npy").write_bytes(b"\x93NUMPY\x01\x00nothing")
    (tmp_path / "own.txt.bak").write_text("1")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("--kernel", "K.npy", "--residual", "r.npz"),
        ("--kernel", "K.csv", "--residual", "r.csv"),
        ("--from-spectrum", "eigs.npy", "--weights", "w.csv"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_kernel_of_ones_own_is_tuned_unchecked_for_its_loss(capsys, words):
    measure = Measure.from_kernel(np.load("K.npy"), np.load("r.npz")["arr_0"])
    code, out, error = run(capsys, "tune", *words)
    assert (code, error) == (0, "")
    assert out == f"{tune(measure)}\n"
    assert "Unchecked: without a network nothing can be trained" in out
    assert "# for the loss 0.5 * (r ** 2).sum()" in out
    document = json.loads(run(capsys, "tune", *words, "--json")[1])
    assert (document["data"], document["trust"], document["checks"]) == (None, None, [])
    assert document["kernel"]["kind"] == "given"
    assert document["kernel"]["lambda_max"] == pytest.approx(measure.largest)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--kernel K.npy", "--kernel with --residual; give one of the two"),
        ("--kernel K.npy --residual r.csv --weights w.csv", "give one of the two"),
        ("--kernel K.npy --residual r.csv --from-spectrum eigs.npy", "give one of the two"),
        ("--from-spectrum eigs.npy digits", "leave the rest out"),
        ("--from-spectrum eigs.npy --n 5", "leave the rest out"),
        ("--from-spectrum eigs.npy --trials 3", "nothing can be trained"),
        ("--from-spectrum none.npy", "none.npy is not a file; give the path"),
        ("--from-spectrum objects.npy", "not an .npy file of plain numbers"),
        ("--from-spectrum damaged.npy", "not an .npy file of plain numbers"),
        ("--from-spectrum nan.npy", "holds NaN"),
        ("--from-spectrum two.npz", "holds 2 arrays; save one"),
        ("--from-spectrum text.csv", "column 'b' holds texts"),
        ("--from-spectrum own.txt.bak", "ends in .npy, .npz or .csv"),
        ("--from-spectrum K.npy", "shape (n,)"),
        ("--from-spectrum eigs.npy --weights r.npz", "the weight -"),
        ("--kernel eigs.npy --residual r.csv", "shape (n, n)"),
        ("digits --module torch --model mlp:8", "--module is the papers' network"),
        ("", "no data are given"),
    ],
)
@pytest.mark.usefixtures("own")
def test_files_that_are_no_measure_are_refused_in_a_sentence(capsys, words, message):
    code, out, error = run(capsys, "tune", *words.split())
    assert (code, out) == (2, "")
    assert message in error
    assert "inertial: error: " in error.splitlines()[-1]


def test_the_module_to_copy_has_the_recommended_optimiser(capsys):
    words = ("tune", "digits", "--n", 30, "--trials", 0, "--width", 64, "--module", "torch")
    _, out, _ = run(capsys, *words)
    advice = tune(load("digits", n=30), trials=0, width=64)
    assert out.endswith(module_source("torch", 64, 64, advice.best.method))


def test_data_commands(capsys):
    code, out, _ = run(capsys, "data", "list", "--json")
    names = {row["name"] for row in json.loads(out)}
    assert code == 0
    assert names >= {
        "digits", "diabetes", "sphere", "fashion-mnist", "mnist", "cifar10", "energy", "housing",
        "yacht",
    }  # fmt: skip
    _, out, _ = run(capsys, "data", "info", "sphere", "--n", 30, "--dim", 4, "--json")
    facts = json.loads(out)
    assert (facts["n"], facts["d"], facts["sha256"]) == (
        30, 4, load("sphere", n=30, dim=4).provenance.sha256,
    )  # fmt: skip
    for command in ("list", "info"):
        code, out, _ = run(capsys, "data", command, *(["digits"] if command == "info" else []))
        assert code == 0
        assert "digits" in out


def test_doctor_names_versions_devices_and_data(capsys, tmp_path):
    _, out, _ = run(capsys, "doctor", "--json")
    document = json.loads(out)
    assert document["devices"]
    assert "jax" in document["packages"]
    assert "digits" in document["data"]
    code, out, _ = run(capsys, "doctor", "--data-dir", tmp_path)
    assert code == 0
    assert "fashion-mnist" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "digitz"], "digits"),
        (["tune", "missing.csv"], "missing.csv"),
        (["tune", "digits", "--n", "1"], "n is 1"),
        (["tune", "digits", "--n", "5000"], "360"),
        (["tune", "digits", "--rule", "papr"], "did you mean 'paper'"),
        (["tune", "digits", "--target", "2"], "target is 2"),
        (["tune", "digits", "--spectrum", "no/such/folder.npy"], "--spectrum"),
        (["tune"], "data"),
        (["tune", "digits", "--no-such-option"], "--no-such-option"),
        (["nonsense"], "nonsense"),
        (comparing(width=0), "width is 0"),
        (comparing(width="many"), "many"),
        (["compare", "digits", "--seeds", "0"], "seeds is '0'"),
        (["compare", "digits", "--seeds", "a,b"], "seeds is 'a,b'"),
        (["compare", "digits", "--methods", "nesterof"], "did you mean 'nesterov'"),
        (["compare", "--methods", "nesterov", "digits"], "put DATA before it"),
        (["compare", "digits", "--record", "weights"], "record is 'weights'"),
        (["compare", "digits", "--rule", "wang2020"], "does not define nesterov"),
        ([*COMPARE, "--out", "."], "exists already"),
        ([*COMPARE, "--data-dir", "nowhere", "--beta", "0.5"], "beta is given without eta"),
    ],
)
def test_a_mistake_is_one_sentence_with_exit_code_2_and_leaves_nothing(
    capsys, tmp_path, arguments, message
):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("inertial: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_step_size_above_the_limit_is_a_warning_not_an_error(capsys):
    code, out, err = run(
        capsys, *COMPARE, "--methods", "nesterov", "--eta", "5", "--beta", "0.9", "--out", "run"
    )
    assert code == 0
    assert "inertial: warning: eta = 5 is not below the stability limit" in err
    assert "Nesterov" in out


def test_seeds_are_a_count_or_a_list(capsys, tmp_path):
    for words, expected in (("3", [0, 1, 2]), ("4,9", [4, 9]), ("7,", [7])):
        run(capsys, *comparing(seeds=words, methods="heavy_ball", out=f"run{words}"))
        manifest = json.loads((tmp_path / f"run{words}" / "manifest.json").read_text())
        assert manifest["settings"]["seeds"] == expected


def test_methods_may_be_parted_by_commas_or_spaces(capsys):
    for words in (["nesterov,heavy_ball"], ["nesterov", "heavy_ball"]):
        _, out, _ = run(capsys, *COMPARE, "--json", "--out", "-".join(words), "--methods", *words)
        assert [row["method"] for row in json.loads(out)["methods"]] == ["nesterov", "heavy_ball"]


def test_only_the_first_thousand_rows_are_taken_and_it_is_said(capsys, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", x=rng.standard_normal((1200, 5)), y=rng.standard_normal(1200))
    _, out, err = run(capsys, "data", "info", "own.npz", "--json")
    assert json.loads(out)["n"] == 1000
    assert "first 1,000 of 1,200 rows" in err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("compare", "digits", "--lr", "0.1"), " Did you mean --eta?"),
        (("compare", "digits", "--momentum=0.9"), " Did you mean --beta?"),
        (("tune", "digits", "--batch-size", "8"), " Did you mean --batch?"),
        (("tune", "digits", "--lr", "0.1"), ""),  # it is what `tune` finds
        (("explore", "digits", "--test=0.2"), "; it is one of inertial tune, inertial compare."),
    ],
)
def test_names_of_other_tools_lead_to_our_options(capsys, words, hint):
    code, _, err = run(capsys, *words)
    assert code == 2
    told = hint if hint.startswith(";") else f".{hint}"
    assert err.strip() == f"inertial: error: Unknown option: {words[2].split('=')[0]}{told}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tune", "own.csv", "price"), "leave it out, or write --label price for a target column."),
        (("report", "run", "price"), "'price' is a word too many for report; leave it out."),
        (("data", "info", "digits", "price"), "a word too many for data info; leave it out"),
    ],
)
def test_a_word_too_many_is_named(capsys, words, told):
    code, _, err = run(capsys, *words)
    assert code == 2
    assert told in err


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        *[("compare", option, value) for option, value in {
            "--width": "50", "--kernel": "finite", "--precision": "float64",
            "--record": "residuals", "--flows": "gradient_flow", "--methods": "optimal",
        }.items()],
        *[("tune", option, value) for option, value in {
            "--width": "50", "--rule": "paper", "--spectrum": "a.npy", "--module": "torch",
        }.items()],
    ],
)  # fmt: skip
def test_help_says_which_options_a_model_does_not_have(capsys, command, option, value):
    code, _, err = run(capsys, command, "sphere", "--n", "9", "--model", "mlp:4x1", option, value)
    assert code == 2, err
    _, out, _ = run(capsys, command, "--help")
    words = re.search(rf" {option} (.*?)│ +--\w", out.replace("\n", " "))
    assert re.search("papers' (network|kernel)", re.sub(r"[│\s]+", " ", words[1]))


def test_help_needs_no_heavy_import():
    code = (
        "import sys; from inertial.commands.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'jax', 'numpy', 'matplotlib', 'xarray', 'scipy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path):
    # A shell may have told its background jobs to ignore the signal.
    code = (
        "import signal, sys; from inertial.commands.main import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "main(sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *comparing(steps=1_000_000, out="run")],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert any(tmp_path.iterdir())
    with process:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=60)
        process.kill()
        err = process.stderr.read()
    assert process.returncode == 130
    assert err.rstrip().endswith("stopped; nothing was left half-written.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "digits", "--n", "20.9"], "--n is '20.9'; give a whole number"),
        (comparing(width=1.5), "--width is '1.5'"),
        (comparing(width=10**12), "GiB of memory"),
        (comparing(seeds="4294967296,"), "seed is 4294967296"),
        (comparing(eta=0.1, rule="quadratic"), "are both given"),
        (comparing(eta=0.1), "without beta, which heavy_ball and nesterov need"),
        (["explore", "digits", "--runs", "0"], "runs is 0"),
        ([*comparing(eta=0.1, beta=0.5), "--methods", "gradient_descent"], "has none"),
        ([*COMPARE, "--methods", ","], "give at least one"),
        (["tune", "digits", "--spectrum", "."], "--spectrum"),
        (["tune", "digits", "--spectrum", "/dev/null"], "--spectrum"),
    ],
)
def test_more_mistakes_are_one_sentence(capsys, tmp_path, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_strange_name_keeps_its_run_and_its_figure(capsys, tmp_path):
    rng = np.random.default_rng(0)
    name = "$\\frac$ \x1b<script>雪.npz"
    np.savez(tmp_path / name, x=rng.standard_normal((20, 3)), y=rng.standard_normal(20))
    words = ["compare", f"./{name}", "--width", "30", "--steps", "3", "--out", "run"]
    code, _, err = run(capsys, *words)
    assert (code, err) == (0, "")
    svg = (tmp_path / "run" / "convergence.svg").read_text(encoding="utf-8")
    assert "<script>" not in svg
    assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own file


def test_doctor_names_a_data_folder_that_is_not_there(capsys, monkeypatch):
    monkeypatch.setenv("INERTIAL_DATA", "/no/such/folder")
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    assert "/no/such/folder" in out


def test_a_folder_that_appears_meanwhile_does_not_cost_the_results(capsys, tmp_path, monkeypatch):
    from inertial.runs import comparison as module

    write = module.store.write_run

    def meanwhile_then_write(*arguments):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "other").write_text("theirs")
        write(*arguments)

    monkeypatch.setattr(module.store, "write_run", meanwhile_then_write)
    code, _, err = run(capsys, *COMPARE, "--out", "run")
    assert code == 2
    assert "they lie in" in err
    kept = [path for path in tmp_path.iterdir() if path.name != "run"]
    assert (kept[0] / "run.nc").is_file()


def test_a_file_in_the_place_of_a_run_is_told_where_the_runs_folder_stands(capsys, tmp_path):
    table = tmp_path / "own.csv"
    table.write_text("a,t\n" + "".join(f"{k},{k * k % 7}\n" for k in range(24)))
    _, made, _ = run(capsys, "compare", table, "--label", "t", "--steps", 3, "--seeds", 1)
    folder = re.search(r"^run +(.*)$", made, re.MULTILINE)[1]
    for given in (table, f"{folder}/manifest.json"):
        for words in (("report", given, "-o", tmp_path / "page.html"), ("audit", given)):
            code, _, err = run(capsys, *words)
            assert code == 2
            assert "is a file; give the folder of a run, which inertial compare prints" in err
            assert "make it again" not in err
            followed = [folder if word == given else word for word in words]
            assert run(capsys, *followed)[0] == 0


def test_a_file_given_without_its_ending_is_named_as_it_is_written(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "homes[1].csv"
    table.write_text("a,t\n" + "".join(f"{k},{k * k % 7}\n" for k in range(24)))
    (tmp_path / "homes[1].pdf").touch()
    (tmp_path / "homes1.csv").touch()
    words = ("--label", "t", "--trials", 0)
    code, _, err = run(capsys, "tune", "homes[1]", *words)
    assert code == 2
    assert "choose one of digits, " in err
    path = re.search(r"or give the path of a file, such as (.*)\.$", err.strip())[1]
    assert path == "homes[1].csv"
    assert run(capsys, "tune", path, *words)[0] == 0
    assert "or give the path of a file, which has an ending: .csv" in run(capsys, "tune", "no")[2]


@pytest.mark.parametrize(
    ("words", "more", "option"),
    [
        (("own.csv", "--label", "t"), ("--task", "regression"), "--task"),
        (("diabetes", "--n", 30), ("--task", "classification"), "--task"),
        (("diabetes", "--n", 30), ("--label", "t"), "--label"),
        (("own.npz",), ("--label", "t"), "--label"),
    ],
)
def test_an_option_to_leave_out_is_named_as_it_is_written(
    capsys, tmp_path, monkeypatch, words, more, option
):
    monkeypatch.chdir(tmp_path)
    x = np.arange(24.0)
    np.savez("own.npz", x=np.column_stack([x, 24 - x]), y=x**2)
    (tmp_path / "own.csv").write_text("a,t\n" + "".join(f"{k},{'uv'[k % 2]}\n" for k in range(24)))
    words = ("tune", *words, "--trials", 0)
    code, _, err = run(capsys, *words, *more)
    assert code == 2
    assert f"leave {option} ({option[2:]}=) out." in err
    assert run(capsys, *words)[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "abc"), "--target is 'abc'; give a number."),
        (("--decay", ""), "--decay is ''; give a number."),
        (("--width", "1e3"), "--width is '1e3'; give a whole number."),
        (("--rule", ""), "rule is ''; choose one of "),
        (("--model", "mlp:4", "--loss", ""), "loss is ''; choose one of "),
    ],
)
def test_a_value_that_is_none_is_named_with_its_option_and_the_remedy(capsys, words, said):
    code, _, err = run(capsys, "tune", "digits", "--n", 20, "--trials", 0, *words)
    assert code == 2
    assert err.startswith(f"inertial: error: {said}")
