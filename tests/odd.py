"""Call every public name with odd arguments, one at a time, and print what is no sentence.

Run as a process of its own, because the tests' process checks types before the door does.
"""

import importlib.util
import json
import sys
import tempfile
import warnings
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import scipy.sparse

import inertial

ODD = {
    "none": None,
    "text": "nonsense",
    "truth": True,
    "complex": 1j,
    "not a number": float("nan"),
    "below zero": -1.5,
    "zero": 0,
    "one": 1,
    "tiny": 1e-300,
    "list": [1.0, 2.0],
    "ragged": [[1.0], [2.0, 3.0]],
    "texts": np.array(["a", "b"]),
    "cube": np.zeros((2, 2, 2)),
    "infinite": np.array([[np.inf]]),
    "sparse": scipy.sparse.eye_array(3),
    "frame": pd.DataFrame({"a": ["x"]}),
    "mapping": {"a": 1},
    "object": object(),
    "class": dict,
}

RESULTS = {
    "Advice", "Audit", "BatchAdvice", "BatchForecast", "BatchSizes", "Bound", "Comparison", "Curve",
    "Data", "Extremes", "InvalidInput", "ModelAdvice", "OutputModes", "Page", "Provenance", "Run",
    "ScheduleAdvice", "Spectrum", "StabilityWarning", "Stopping", "Tangent", "Trainable",
    "Trajectory", "Trust",
}  # fmt: skip
"""What functions return, and nobody makes."""


def arguments(folder):
    """Keywords of a call that works, for every public name; lists where arrays are asked for."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    gram = x @ x.T + np.eye(6)
    method = inertial.heavy_ball(0.05, 0.5)
    measure = inertial.Measure.from_kernel(gram, y)
    spectrum = inertial.decompose(gram)
    data = inertial.load(x, y)
    network = inertial.TwoLayerReLU(4, 3)
    problem = inertial.Problem(inertial.MLP(3, (4,)), "mse", x, y)
    state = inertial.Settings(methods=("heavy_ball",), width=4, seeds=(0,), steps=2)
    run = inertial.compare(data, state, out=folder / "first")
    by_hand = {"eta": 0.1, "beta": 0.5}
    loss = {"loss": "mean", "rows": 6}
    few = {"measure": measure, "steps": 3}
    batches = {"batch": 2, "steps": 3, "replacement": False}
    return {
        "Adaptive": {"eta": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "corrected": True},
        "MLP": {"inputs": 3, "hidden": (4,), "outputs": 1, "activation": "relu"},
        "Measure": {"nodes": [1.0, 2.0], "weights": [1.0, 1.0]},
        "ModelSettings": {
            "methods": ["heavy_ball"], "seeds": [0], "steps": 3, "rule": "forecast", "target": 0.5,
        },
        "Monitor": {"problem": problem, "method": method, "every": 2, "products": 3, "target": 0.5},
        "Problem": {"model": inertial.MLP(3, (4,)), "loss": "mse", "x": x, "y": y, "seed": 0},
        "Recursion": {"eta": 0.1, "beta": 0.5, "gamma": 0.5, "start": "zero"},
        "Settings": {
            "methods": ["heavy_ball"], "width": 4, "seeds": [0], "steps": 3, "rule": "paper",
            "target": 0.5, "kernel": "infinite", "precision": "float32", "flows": (),
        },
        "TorchSchedule": {"optimizer": None, "method": inertial.optimal_schedule(measure, 3)},
        "TwoLayerReLU": {"width": 4, "inputs": 3},
        "WideNetwork": {"width": 4, "inputs": 3, "depth": 1, "activation": "relu"},
        "expected_kernels": {"network": inertial.WideNetwork(4, 3), "x": x.tolist()},
        "expected_measure": {
            "problem": inertial.Problem(inertial.WideNetwork(4, 3), "mse", x, y),
        },
        "network_modes": {"data": data, "spectrum": spectrum, "width": 4, "seed": 0},
        "adam": {"eta": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8},
        "amplification": {"method": method, "eigenvalues": [1.0, 2.0], "steps": [0, 1]},
        "audit_folders": {"folders": [folder / "first"], "measure": False},
        "averaged": by_hand,
        "batch_sizes": {"measure": measure},
        "chebyshev": {"smallest": 0.5, "largest": 2.0, "steps": 3},
        "compare": {"data": data, "settings": state, "out": None},
        "conjugate_gradients": {"problem": problem, "steps": 3},
        "decompose": {"gram": gram.tolist()},
        "extremes": {"gram": gram.tolist()},
        "fastest_for_batch": {"name": "heavy_ball", "measure": measure, "batch": 2, "target": 0.5},
        "fewest_steps": {"measure": measure, "target": 0.5, "resolution": 1e-13, "limit": 10},
        "finite_gram": {"x": x.tolist(), "w": x.tolist()},
        "forecast": {"method": method, "spectrum": spectrum, "residual": list(y), "steps": [0, 1]},
        "forecast_batches": {"method": method, "modes": measure, **batches},
        "forecast_batches_on_rows": {
            "method": method, "spectrum": spectrum, "residual": list(y), **batches,
        },
        "forecast_loss": {"method": method, "measure": measure, "steps": [0, 1, 2]},
        "from_sgd": {"learning_rate": 0.1, "momentum": 0.9, "dampening": 0.1, **loss, "steps": 5},
        "gradient_descent": {"eta": 0.1},
        "heavy_ball": by_hand,
        "infinite_gram": {"x": x.tolist()},
        "initial_residual": {"network": network, "x": x, "y": y, "seed": 0},
        "largest_step": {"name": "nesterov", "beta": 0.5, "modes": measure, "batch": 2},
        "learning_curve": {"problem": problem, "method": method, "steps": 3},
        "load": {"data": x, "y": y, "n": 4, "most": 100, "task": "regression", "seed": 0, "dim": 3},
        "log_determinant": {"x": x.tolist(), "probes": 2, "steps": 3, "seed": 0},
        "unreachable_share": {"measure": measure, "resolution": 1e-13},
        "lower_bound": {**few, "resolution": 1e-13},
        "measure_of": {"data": data},
        "plot_measure": {"measure": measure},
        "module_source": {
            "library": "torch", "width": 4, "inputs": 3, "method": method, **loss,
        },
        "movement": {"method": method, "width": 4, **few},
        "nesterov": {**by_hand, "start": "zero"},
        "nesterov_varying": {"eta": 0.1, "friction": 3.0, "steps": 3},
        "optimal_schedule": {**few, "smoothing": 0.01, "reach": 1.05},
        "output_covariance": {"x": x.tolist()},
        "output_modes": {"problem": problem},
        "quasi_hyperbolic": {**by_hand, "nu": 0.7},
        "read_run": {"folder": folder / "first"},
        "read_study": {"source": folder / "none"},
        "report": {"source": folder / "first", "judge": False, "measure": False},
        "rmsprop": {"eta": 0.1, "decay": 0.9, "eps": 1e-8},
        "roots": {"method": method, "eigenvalues": [1.0, 2.0]},
        "simulate": {"problem": problem, "method": method, "steps": 2, "observables": ["loss"]},
        "spectral_radius": {"method": method, "eigenvalues": [1.0, 2.0]},
        "spectrum_of": {"data": data},
        "stability_limit": {"method": method},
        "steps_to": {"method": method, "measure": measure, "fraction": 0.5, "limit": 100},
        "tangent": {"problem": problem},
        "to_dataframe": {"arrays": run.arrays, "over": "step"},
        "to_keras": {"method": method, **loss},
        "to_keras_schedules": {"method": inertial.optimal_schedule(measure, 3), **loss},
        "to_optax": {"method": method, **loss},
        "to_optax_schedules": {"method": inertial.optimal_schedule(measure, 3), **loss},
        "to_torch": {"method": method, **loss},
        "train": {
            "network": network, "x": x, "y": y, "method": method, "seed": 0, "steps": 2,
            "precision": "float32",
        },
        "triple_momentum": {"smallest": 0.5, "largest": 2.0},
        "trust": {"method": method, "measure": measure, "width": 4, "target": 0.5, "rows": 6},
        "tune": {"data": data, "rule": "paper", "target": 0.5, "trials": 0, "width": 4},
    }  # fmt: skip


def methods_of_objects():
    """Calls that are no public names, with keywords that work; PyTorch's where it is installed."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    start = np.zeros((3, 1), np.float32)
    problem = inertial.Problem.from_apply(lambda w, x: x @ w, start, x, y)
    monitor = inertial.Monitor(problem, {"lr": 0.1}, every=1)
    calls = {"Monitor.look": (monitor.look, {"step": 0, "params": start})}
    for kind in (inertial.TwoLayerReLU, inertial.WideNetwork):
        calls[f"{kind.__name__}.init"] = (kind(4, 3).init, {"key": jax.random.key(0)})
    calls["MLP.init"] = (inertial.MLP(3, (4,)).init, {"key": jax.random.key(0)})
    if importlib.util.find_spec("torch") is not None:
        import torch

        problem_of = importlib.import_module("inertial.torch").problem
        module, (x, y) = torch.nn.Linear(3, 1), (x.astype("f4"), y.astype("f4"))
        words = {"module": module, "x": x, "y": y, "loss": "mse", "test": (x, y), "decay": 0.1}
        calls["torch.problem"] = (problem_of, words)
        looked = inertial.Monitor(problem_of(module, x, y), {"lr": 0.1}).look
        calls["Monitor.look of a module"] = (looked, {"step": 0, "params": module})
    return calls


def outcome(call, words):
    """Return what is wrong with how a call ends: nothing, if it answers or says why not."""
    try:
        call(**words)
    except inertial.InvalidInput as error:
        text = str(error)
        return (
            None if text.endswith(".") and ("; " in text or ": " in text) else f"no remedy: {text}"
        )
    except Exception as error:  # noqa: BLE001 - what must not happen
        return f"{type(error).__name__}: {str(error)[:100]}"
    return None


def main():
    warnings.simplefilter("ignore")
    wrong, left = [], []
    with tempfile.TemporaryDirectory() as folder:
        valid = arguments(Path(folder))
        left = sorted({*inertial.__all__} - RESULTS - {*valid})
        calls = {name: (getattr(inertial, name), words) for name, words in valid.items()}
        for name, (call, words) in (calls | methods_of_objects()).items():
            if name not in {"read_study", "TorchSchedule"} and (said := outcome(call, words)):
                wrong.append(f"{name}: {said}")
            for word in words:
                for kind, odd in ODD.items():
                    if said := outcome(call, words | {word: odd}):
                        wrong.append(f"{name}({word}={kind}): {said}")
    json.dump({"wrong": wrong, "left": left}, sys.stdout)


if __name__ == "__main__":
    main()
