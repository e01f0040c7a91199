"""The door of the package: whatever is passed in, there is an answer or a sentence that helps."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inertial
from inertial import Data, InvalidInput, Measure, forecast_loss, heavy_ball, spectral_radius
from inertial._door import door

ODD = Path(__file__).with_name("odd.py")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """In a process of its own, for here types are checked before the door."""
    done = subprocess.run(
        [sys.executable, str(ODD)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path_factory.mktemp("odd"),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_arguments_that_a_function_does_not_take_are_refused_with_those_that_it_does():
    """What is wrong with the first of them is said first: that is the cause."""

    @door
    def trained(data: Data, steps: int = 3, *, seed: int = 0):
        return data, steps, seed

    data = inertial.load("digits", n=20)
    assert trained(data, 4, seed=2) == (data, 4, 2)
    for call, words in (
        (lambda: trained(np.eye(3), 4, 5), r"^data is array.* give what load\(\) returned"),
        (
            lambda: trained(data, 4, 5),
            r"trained: too many positional .*; give data, steps, seed=\.",
        ),
        (trained, r"trained: missing .*'data'; give data, steps, seed=\."),
        (lambda: trained(data, step=4), r"trained: .* 'step'; give data, steps, seed=\."),
    ):
        with pytest.raises(InvalidInput, match=words):
            call()


def test_odd_arguments_of_every_public_name_end_in_an_answer_or_a_sentence(outcomes):
    assert outcomes["wrong"] == []


def test_no_public_name_is_left_out(outcomes):
    assert outcomes["left"] == []


def test_lists_and_other_arrays_are_what_numpys_are():
    measure, steps = Measure(np.array([1.0, 2.0]), np.array([0.5, 0.5])), np.arange(4)
    expected = forecast_loss(heavy_ball(0.1, 0.5), measure, steps)
    for given in (steps.tolist(), tuple(steps), steps.astype(float), np.array(steps, np.int8)):
        np.testing.assert_array_equal(forecast_loss(heavy_ball(0.1, 0.5), measure, given), expected)
    with pytest.raises(InvalidInput, match=r"steps holds 0\.5; give whole numbers"):
        forecast_loss(heavy_ball(0.1, 0.5), measure, [0.5])


def test_arrays_of_one_letter_have_one_length():
    with pytest.raises(InvalidInput, match="y has 2 where x has 3; give arrays of one length n"):
        inertial.initial_residual(inertial.TwoLayerReLU(4, 2), np.eye(3)[:, :2], [1.0, 2.0], seed=0)


def test_what_is_no_method_is_named_with_what_to_give():
    with pytest.raises(InvalidInput, match=r"method is 0.1; give a Recursion, such as heavy_ball"):
        spectral_radius(0.1, [1.0])


def test_functions_keep_their_names_and_are_loaded_once():
    assert inertial.steps_to.__doc__.startswith("First step whose forecast loss")
    assert inertial.steps_to is inertial.steps_to
    assert isinstance(Measure, type)


@pytest.mark.parametrize("name", sorted(inertial.__all__))
def test_no_public_result_dumps_arrays_on_a_prompt(name, shown):
    if name in shown:
        text = repr(shown[name])
        assert "array(" not in text
        assert len(text) < 600, text


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One object of every public class that holds arrays."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 3)), rng.standard_normal(40)
    data = inertial.load(x, y)
    problem = inertial.Problem(inertial.MLP(3, (8,)), "mse", x, y)
    method = heavy_ball(0.01, 0.5)
    settings = inertial.Settings(width=20, seeds=(0,), steps=4)
    spectrum, measure = inertial.spectrum_of(data)
    return {
        "Advice": inertial.tune(data, trials=0),
        "BatchAdvice": inertial.tune(data, batch=4, trials=0),
        "BatchForecast": inertial.forecast_batches(method, measure, 4, 5),
        "Bound": inertial.lower_bound(measure, 5),
        "Comparison": inertial.compare(data, settings, out=tmp_path_factory.mktemp("c") / "run"),
        "Curve": inertial.learning_curve(problem, method, steps=5),
        "Data": data,
        "Measure": measure,
        "ModelAdvice": inertial.tune(problem, trials=0),
        "OutputModes": inertial.output_modes(problem),
        "Problem": problem,
        "Recursion": inertial.optimal_schedule(measure, 200),
        "Run": inertial.simulate(problem, method, steps=5),
        "Spectrum": spectrum,
        "Tangent": inertial.tangent(problem),
        "Trajectory": inertial.forecast(method, spectrum, y, np.arange(9)),
    }


def test_a_recursion_among_the_names_of_compare_is_told_what_takes_one():
    code = "import inertial; inertial.Settings(methods=(inertial.Recursion(0.1, 0.9, 0.45),))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "InvalidInput: methods holds a Recursion" in done.stderr
    assert "forecast and train run any Recursion" in done.stderr
