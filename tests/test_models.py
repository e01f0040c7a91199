"""`inertial tune --model`: models by name, and what is refused."""

import json
import sys

import pytest

from helpers import run
from inertial import load


def test_a_perceptron_needs_no_file(capsys):
    code, out, _ = run(
        capsys, "tune", "diabetes", "--n", 50, "--model", "mlp:16x2:tanh", "--standardize",
        "--target", 0.6, "--trials", 6, "--json",
    )  # fmt: skip
    assert code == 0
    document = json.loads(out)
    assert document["model"] == "MLP, 465 parameters"  # 10 x 16 + 16 + 16 x 16 + 16 + 16 + 1
    assert document["loss"] == "mse"
    assert document["checked"]
    # What leaves the target counts as slower, and as twice as slow where it does not come back.
    times = {(False, False): 1, (True, False): 1.15, (True, True): 2}
    best = min(
        (m for m in document["methods"] if m["measured_steps"]),
        key=lambda m: m["measured_steps"] * times[m["leaves_at"] is not None, m["lost"]],
    )
    assert str(best["measured_steps"]) in document["recommendation"]


def test_a_function_of_ones_own(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_model.py").write_text(
        "import jax.numpy as jnp\n\ndef linear(inputs, outputs):\n"
        "    return jnp.zeros((inputs, outputs)), lambda w, x: x @ w\n\n"
        "def nothing(inputs, outputs):\n    return 3\n"
    )
    (tmp_path / "needing.py").write_text("import no_such_package.part\n")
    (tmp_path / "needing_torch.py").write_text("raise ModuleNotFoundError('', name='torch')\n")
    monkeypatch.chdir(tmp_path)
    words = ("tune", "digits", "--n", 40, "--trials", 0, "--model")
    code, out, _ = run(capsys, *words, "own_model:linear")
    assert code == 0
    assert "loss binary_cross_entropy over 40 rows" in out
    assert "not checked by a real run" in out
    for model, mistake in (
        ("own_model:nothing", "return (params, apply)"),
        ("own_model:absent", "has no function 'absent'"),
        ("no_such_model:f", "there is no module 'no_such_model'"),
        ("own.py:f", "in the folder of the file, give own:f."),
        ("./nets/own.py:f", "in the folder of the file, give own:f."),
        ("needing:f", "'needing' imports 'no_such_package', which is not installed; pip install"),
        (
            "needing_torch:f",
            "imports 'torch', which is not installed; pip install 'inertial[torch]'",
        ),
        ("own_model", "give mlp:256x2"),
        ("mlp:256y2", "give mlp:256x2"),
        ("mlp:0x2", "width is 0"),
    ):
        code, _, err = run(capsys, *words, model)
        assert code == 2, model
        assert mistake in err


FAULTY = """import jax.numpy as jnp

def falls(inputs, outputs):
    raise ValueError("\x1b[2J of its own")

def falls_later(inputs, outputs):
    return jnp.zeros((inputs, outputs)), lambda w, x: undefined

def nothing_to_train(inputs, outputs):
    return object(), lambda w, x: x

def infinite(inputs, outputs):
    return jnp.ones((inputs, outputs)), lambda w, x: x @ w / 0
"""


@pytest.mark.parametrize(
    ("model", "mistake"),
    [
        ("faulty:falls", r"fails in line 4 of faulty.py (ValueError: \x1b[2J of its own); "),
        ("faulty:falls_later", "fails in line 7 of faulty.py (NameError: name 'undefined' is not"),
        ("faulty:nothing_to_train", "the parameters are of type object; give floating point"),
        ("faulty:infinite", "outputs at the start are not all finite; check its parameters"),
        ("no_python:f", "the model no_python:f fails (SyntaxError: "),
        ("os:getpid", "the model os:getpid fails (TypeError: "),
        (".faulty:falls", "give mlp:256x2"),
        (":falls", "give mlp:256x2"),
    ],
)
def test_what_goes_wrong_in_a_model_is_one_sentence(tmp_path, monkeypatch, capsys, model, mistake):
    (tmp_path / "faulty.py").write_text(FAULTY)
    (tmp_path / "no_python.py").write_text("def f(:")
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "compare", "digits", "--n", 12, "--model", model)
    assert code == 2
    assert mistake in err.splitlines()[-1]
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        (("--loss", "mse"), "give one with --model"),
        (("--methods", "adam"), "--methods needs a model"),
        (("--model", "mlp:8", "--methods", "adan"), "did you mean 'adam'"),
        (("--model", "mlp:8", "--width", 50), "leave them out with --model"),
        (("--model", "mlp:8", "--rule", "paper"), "leave them out with --model"),
        (("--model", "mlp:8", "--target", 2), "target is 2"),
        (("--model", "mlp:8", "--loss", "mae"), "did you mean 'mse'"),
    ],
)
def test_options_that_do_not_fit(capsys, options, mistake):
    code, _, err = run(capsys, "tune", "digits", "--n", 20, *options)
    assert code == 2
    assert mistake in err


def test_without_a_model_the_lines_say_for_which_network_they_are(capsys):
    code, out, _ = run(capsys, "tune", "digits", "--n", 40)
    assert code == 0
    assert "papers' two-layer ReLU network (--module torch prints it); for a model" in out


def test_a_model_is_trained_on_repeated_rows_and_the_note_that_drops_them_leads_there(
    capsys, tmp_path
):
    counts = {"1st,man,no": 30, "1st,man,yes": 12, "1st,woman,yes": 25}
    counts |= {"2nd,man,no": 40, "2nd,woman,no": 5, "2nd,woman,yes": 20}
    rows = [row for row, count in counts.items() for _ in range(count)]
    table = tmp_path / "ship.csv"
    table.write_text("class,sex,survived\n" + "\n".join(rows) + "\n")
    words = ("tune", table, "--label", "survived", "--trials", 0)
    # The papers' kernel is singular with repeated rows: they go, and nothing offers to keep them.
    code, _, dropped = run(capsys, *words)
    assert code == 0
    assert "128 of 132 rows repeat the inputs" in dropped
    assert "4 are left" in dropped
    assert "--no-dedupe" not in dropped
    refused = run(capsys, *words, "--no-dedupe")
    assert refused[0] == 2
    assert "rows are positive multiples of earlier ones" in refused[2]
    assert "--dedupe" in refused[2]
    # What the note offers in their place keeps every row, as do all three commands.
    assert "--model" in dropped
    code, out, kept = run(capsys, *words, "--model", "mlp:4")
    assert code == 0
    assert "over 132 rows" in out
    assert "and are kept" in kept
    _, out, _ = run(capsys, *words, "--model", "mlp:4", "--dedupe")
    assert "over 4 rows" in out
    for command in ("compare", "explore"):
        own = ("--seeds", 1, "--rule", "forecast") if command == "compare" else ("--trials", 0)
        code, _, kept = run(
            capsys, command, *words[1:4], "--model", "mlp:4", "--steps", 3, *own,
            "-o", tmp_path / command,
        )  # fmt: skip
        assert code == 0, kept
        assert "128 of 132 rows repeat the inputs" in kept
        assert "and are kept" in kept
    # In Python the note's word does the same.
    alone = load(table, label="survived").provenance
    assert alone.n == 4
    assert any("a network of your own (dedupe=False) can be" in note for note in alone.notes)
    assert load(table, label="survived", dedupe=False).provenance.n == 132
