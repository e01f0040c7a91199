"""One network over several devices and processes, against one device."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from helpers import run
from inertial import InvalidInput
from inertial.problem import devices
from inertial.simulation import step

PROBLEM = """
import sys
import numpy as np
from inertial import TwoLayerReLU, nesterov, train
from inertial._checks import LostProcessError
from inertial.problem.devices import join_processes, offer_devices
rng = np.random.default_rng(0)
x = rng.standard_normal((30, 5))
x /= np.linalg.norm(x, axis=1, keepdims=True)
y = rng.standard_normal(30)
network, method = TwoLayerReLU(700, 5), nesterov(0.1, 0.8)
"""

ALONE = """
offer_devices(8)
for batch, precision, rounding, counts in (
    (None, "float64", 1e-12, (3, 8)), (10, "float64", 1e-12, (8,)), (None, "float32", 1e-4, (2,))
):
    one, *more = (
        train(network, x, y, method, seed=0, steps=60, precision=precision, devices=count,
              record_residual=True, batch=batch)
        for count in (1, *counts)
    )
    for other in more:
        # Sums over the neurons in another order, and a map that contracts.
        np.testing.assert_allclose(other.loss, one.loss, rtol=rounding)
        np.testing.assert_allclose(other.residual, one.residual, rtol=0, atol=rounding)
        np.testing.assert_allclose(other.max_distance, one.max_distance, atol=rounding)
        np.testing.assert_allclose(other.mean_distance, one.mean_distance, atol=rounding)
        if precision == "float64":
            np.testing.assert_array_equal(other.pattern_change, one.pattern_change)
"""

GOING_ON = """
offer_devices(4)
run = dict(seed=0, steps=200, precision="float64", save_seconds=0)
states, seen = [], {}
whole = train(network, x, y, method, devices=4, save=states.append, snapshots=(50,),
              observe=seen.__setitem__, **run)
on = train(network, x, y, method, devices=4, resume=states[1], **run)
np.testing.assert_array_equal(on.loss, whole.loss)
np.testing.assert_array_equal(on.mean_distance, whole.mean_distance)
fewer = train(network, x, y, method, devices=1, resume=states[1], snapshots=(50,),
              observe=lambda step, w: np.testing.assert_allclose(w, seen[step], atol=1e-12), **run)
np.testing.assert_allclose(fewer.loss, whole.loss, rtol=1e-12)
"""

BY_ITSELF = """
run = train(network, x, y, method, seed=0, steps=60, precision="float64")
np.save(sys.argv[3], run.loss)
"""

TOGETHER = f"join_processes(2, sys.argv[1], int(sys.argv[2])){BY_ITSELF}"

LOST = """
import os
join_processes(2, sys.argv[1], int(sys.argv[2]))
if sys.argv[2] == "1":
    def leave(count):
        os._exit(9)
else:
    leave = None
states = []
try:
    train(network, x, y, method, seed=0, steps=10**7, save=states.append, save_seconds=0,
          progress=leave)
except LostProcessError as error:
    print(error, flush=True)
    os._exit(1)
"""


COMPARED = """
import os
from pathlib import Path
from inertial import Settings, compare, load
from inertial.runs import execution
execution.execute.__kwdefaults__["save_seconds"] = 0
folder, name, index, leave = Path(sys.argv[1]), sys.argv[2], int(sys.argv[4]), int(sys.argv[5])
if sys.argv[3]:
    join_processes(2, sys.argv[3], index)
def progress(label, done, total):
    if leave and done > leave:
        os._exit(9)
settings = Settings(methods=("heavy_ball", "nesterov"), width=200, seeds=(0,), steps=150,
                    precision="float64")
try:
    run = compare(load("digits", n=40), settings, out=folder / name, progress=progress,
                  checkpoints=folder / "kept")
except LostProcessError as error:
    print(error, flush=True)
    os._exit(1)
np.save(folder / f"{name}-{index}.npy", run.arrays.loss.values)
"""


MODEL = """
import os
os.environ["JAX_ENABLE_X64"] = "1"
import sys
import jax
import numpy as np
import optax
from inertial import MLP, Problem, TwoLayerReLU, nesterov, simulate, tangent, tune
from inertial._checks import LostProcessError
from inertial.problem.devices import join_processes, offer_devices
rng = np.random.default_rng(0)
x, held = rng.standard_normal((37, 5)), rng.standard_normal((6, 5))

class Doubles(MLP):
    def init(self, key):
        return jax.tree.map(lambda leaf: leaf.astype("float64"), super().init(key))

def problem(devices=1, loss="mse", **more):
    target = lambda rows: (rows[:, 0] > 0).astype(int) if loss == "cross_entropy" else rows[:, 0]
    model = Doubles(5, (32, 32), 2 if loss == "cross_entropy" else 1, "tanh")
    return Problem(model, loss, x, target(x), test=(held, target(held)), devices=devices, **more)
"""

ROWS = """
offer_devices(8)
wanted, nag = ("outputs", "residual", "distance", "test_loss"), nesterov(0.05, 0.8)
quartic = lambda f, y: ((f - y) ** 4).sum()
for loss, decay, counts in (
    ("mse", 0.0, (2, 8)), ("cross_entropy", 0.01, (8,)), (quartic, 0.0, (2,))
):
    one, *more = (problem(devices, loss, decay=decay) for devices in (1, *counts))
    v = rng.standard_normal(one.linearise().outputs.size)
    for other in more:
        for method, steps, names in ((nag, 70, ()), (nag, 4, wanted), (optax.adam(1e-2), 4, ())):
            whole, run = (
                simulate(each, method, steps=steps, observables=names) for each in (one, other)
            )
            for name in ("loss", *names):
                np.testing.assert_allclose(run.records[name], whole.records[name],
                                           rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(tangent(other).product(v), tangent(one).product(v),
                                   rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(simulate(more[0].at_seed(3), nag, steps=4).loss,
                               simulate(one.at_seed(3), nag, steps=4).loss, rtol=1e-11)
# The papers' network's neurons instead, in single precision.
losses = [
    simulate(Problem(TwoLayerReLU(100, 5), "half_sum", x, x[:, 0], devices=devices),
             nag, steps=30).loss
    for devices in (1, 8)
]
np.testing.assert_allclose(*losses, rtol=1e-4)
"""

WORK = """
offer_devices(8)
wide = np.tile(x, (64, 1))
def flops(devices):
    one = Problem(Doubles(5, (64, 64), 1, "tanh"), "mse", wide, wide[:, 0], devices=devices)
    gradient = jax.jit(jax.grad(one.objective)).lower(one.begin().w, one.inputs, one.targets)
    if devices > 1:
        parts = [part.data.shape for part in one.inputs.array.addressable_shards]
        assert parts == [(296, 5)] * 8, parts
    return gradient.compile().cost_analysis()["flops"]
assert flops(8) < 0.15 * flops(1)
"""

TUNED = """
if sys.argv[2]:
    join_processes(2, sys.argv[2], int(sys.argv[3]))
one = problem()
advice = tune(one, trials=6)
run = simulate(one, advice.best.method, steps=30, observables=("outputs",))
np.savez(sys.argv[1], loss=run.loss, outputs=run.records["outputs"], nodes=advice.measure.nodes,
         setting=advice.best.method.constant, trials=[trial.losses[-1] for trial in advice.trials])
"""

LEFT = """
join_processes(2, sys.argv[1], int(sys.argv[2]))
leave = (lambda count: os._exit(9)) if sys.argv[2] == "1" else None
try:
    simulate(problem(), nesterov(0.05, 0.8), steps=10**6, progress=leave)
except LostProcessError as error:
    print(error, flush=True)
    os._exit(1)
"""


def started(code, *arguments, problem=PROBLEM):
    """Start Python in a process of its own, with one thread for BLAS and no other flags."""
    own = {"OPENBLAS_NUM_THREADS": "1", "XLA_FLAGS": ""}
    return subprocess.Popen(
        [sys.executable, "-c", problem + code, *map(str, arguments)],
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    """Wait for a process; return its exit code, standard output and error."""
    out, error = process.communicate(timeout=120)
    return process.returncode, out, error


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def test_devices_change_a_run_by_rounding_only():
    """2, 3 and 8 devices of one process give the run of one, all rows or batches."""
    code, _, error = finished(started(ALONE))
    assert code == 0, error


def test_a_run_on_devices_goes_on_from_its_checkpoint():
    """The same bits on as many devices, the same up to rounding on fewer."""
    code, _, error = finished(started(GOING_ON))
    assert code == 0, error


def test_two_processes_give_the_run_of_one(tmp_path):
    address = f"localhost:{free_port()}"
    both = [started(TOGETHER, address, i, tmp_path / f"{i}.npy") for i in (0, 1)]
    for code, out, error in map(finished, both):
        assert code == 0, error
        assert not out  # what the library of the connection prints is no output of ours
    code, _, error = finished(started(BY_ITSELF, "", "", tmp_path / "alone.npy"))
    assert code == 0, error
    first, second, one = (np.load(tmp_path / f"{name}.npy") for name in (0, 1, "alone"))
    np.testing.assert_array_equal(first, second)
    # Two sums over half of the neurons each, instead of one over all.
    np.testing.assert_allclose(first, one, rtol=1e-12)


def test_a_lost_process_is_a_sentence():
    address = f"localhost:{free_port()}"
    both = [started(LOST, address, i) for i in (0, 1)]
    (code, out, error), (other, _, _) = map(finished, both)
    assert other == 9
    assert code == 1, error
    assert out.startswith("another process of this run has ended or cannot be reached; start all")


def test_rows_of_any_problem_over_devices_change_it_by_rounding_only():
    """Runs, products and other starts on 2 and 8 devices, which do not divide 37 rows."""
    code, _, error = finished(started(ROWS, problem=MODEL))
    assert code == 0, error


def test_each_device_has_its_rows_and_their_work_alone():
    code, _, error = finished(started(WORK, problem=MODEL))
    assert code == 0, error


def test_two_processes_tune_a_model_as_one_does(tmp_path):
    address = f"localhost:{free_port()}"
    both = [started(TUNED, tmp_path / f"{i}.npz", address, i, problem=MODEL) for i in (0, 1)]
    for code, _, error in map(finished, both):
        assert code == 0, error
    code, _, error = finished(started(TUNED, tmp_path / "alone.npz", "", "", problem=MODEL))
    assert code == 0, error
    first, second, one = (np.load(tmp_path / f"{name}.npz") for name in (0, 1, "alone"))
    for name in one:
        np.testing.assert_array_equal(first[name], second[name])
        # Gradients are two sums over half of the rows each, instead of one over all.
        np.testing.assert_allclose(first[name], one[name], rtol=1e-9, atol=1e-12)


def test_a_lost_process_of_a_model_is_a_sentence():
    address = f"localhost:{free_port()}"
    both = [started(LEFT, address, i, problem=MODEL) for i in (0, 1)]
    (code, out, error), (other, _, _) = map(finished, both)
    assert (code, other) == (1, 9), error
    assert out.startswith("another process of this run has ended or cannot be reached; start all")


def test_commands_spread_the_rows_of_a_model_over_processes(tmp_path):
    """Both compute, the first prints and writes."""
    address = f"localhost:{free_port()}"
    shared = ["digits", "--n", "30", "--model", "mlp:8x1", "--processes", "2",
              "--coordinator", address]  # fmt: skip
    for words in (["tune", *shared, "--trials", "4", "--json"],
                  ["compare", *shared, "--seeds", "1", "--steps", "9", "--rule", "forecast",
                   "--out", str(tmp_path / "run"), "--json"]):  # fmt: skip
        both = [
            started(
                f"main({[*words, '--process-index', str(i)]})",
                problem="from inertial.commands.main import main; ",
            )
            for i in (0, 1)
        ]
        (first, out, error), (second, nothing, _) = map(finished, both)
        assert (first, second) == (0, 0), error
        assert json.loads(out)
        assert not nothing
    assert (tmp_path / "run" / "run.nc").is_file()


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ((2,), {}, "processes need the address of the first one and a number each; give --coord"),
        ((2, "here:1"), {}, "and a number each"),
        ((2, None, 0), {}, "need the address of the first one"),
        ((0,), {}, "processes is 0; give a whole number of at least 1"),
        ((2, "here:1", 2), {}, "process-index is 2; give a whole number below 2"),
        ((10**20,), {}, "processes is 1.*; give a whole number below"),
        ((2, "here", 0), {}, "coordinator is 'here'; give HOST:PORT"),
        ((2, ":1", 0), {}, "coordinator is ':1'; give HOST:PORT"),
        ((2, "here:" + "9" * 20, 0), {}, "coordinator is 'here:9+'; give HOST:PORT"),
        ((2,), {"SLURM_PROCID": "x", "SLURM_NTASKS": "2"}, "SLURM_PROCID is 'x'; unset it"),
        ((2,), {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, "SLURM has started 4; give that"),
    ],
)
def test_processes_that_cannot_meet_are_refused(arguments, environment, message):
    padded = (*arguments, *[None] * (3 - len(arguments)))
    with pytest.raises(InvalidInput, match=message):
        devices.join_processes(*padded, environment)


@pytest.mark.parametrize(
    ("coordinator", "bound"),
    [
        ("localhost:1", "localhost:1"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("[::1]:1", "[::1]:1"),
        ("127.0.0.1.example:1", None),
        ("10.0.0.1:1", None),
    ],
)
def test_processes_of_one_machine_listen_to_that_machine_alone(monkeypatch, coordinator, bound):
    seen = {}
    monkeypatch.setattr("jax.config.update", lambda *_: None)
    monkeypatch.setattr("jax.distributed.initialize", lambda *_, **named: seen.update(named))
    devices.join_processes(2, coordinator, 0, {})
    assert seen["coordinator_bind_address"] == bound


@pytest.mark.parametrize("count", [0, 1025, 10**20])
def test_no_process_has_so_many_devices(count):
    for ask in (devices.mesh_of, devices.offer_devices):
        with pytest.raises(InvalidInput, match=f"devices is {count}; give a whole number"):
            ask(count)


def test_more_devices_than_there_are_are_refused_with_what_gives_them():
    with pytest.raises(InvalidInput, match=r"devices is 64 and JAX sees .*device_count=64 before"):
        devices.mesh_of(64)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_device_has_as_many_tiles(count):
    for n, width in ((30, 7), (30, 700), (10_000, 20_000), (5, 100_000)):
        tiles, neurons = step.layout(n, width, count)
        assert tiles % count == 0
        assert width <= tiles * neurons < width + tiles


def test_one_device_is_no_mesh():
    assert devices.mesh_of() is None


def test_a_comparison_goes_on_where_a_lost_process_left_it(tmp_path):
    """The run that was finished is not made again, the other one ends with the same numbers."""
    address = f"localhost:{free_port()}"
    both = [
        started(COMPARED, tmp_path, "run", address, i, leave) for i, leave in ((0, 0), (1, 250))
    ]
    (code, out, error), (other, _, _) = map(finished, both)
    assert (code, other) == (1, 9), error
    assert "start all of them again with the same commands" in out
    assert sorted(path.suffix for path in (tmp_path / "kept").iterdir()) >= [".json", ".nc", ".npz"]
    assert not (tmp_path / "run").exists()
    both = [started(COMPARED, tmp_path, "run", address, i, 0) for i in (0, 1)]
    for code, _, error in map(finished, both):
        assert code == 0, error
    assert (tmp_path / "run" / "run.nc").is_file()
    assert not (tmp_path / "kept").exists()
    code, _, error = finished(started(COMPARED, tmp_path, "alone", "", 0, 0))
    assert code == 0, error
    first, second, alone = (
        np.load(tmp_path / f"{name}.npy") for name in ("run-0", "run-1", "alone-0")
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, alone, rtol=1e-12)


def test_options_of_several_processes_are_refused_without_them(capsys):
    code, _, error = run(capsys, "compare", "digits", "--process-index", 0)
    assert code == 2
    assert "are for several processes; give --processes" in error
    code, _, error = run(capsys, "compare", "digits", "--model", "mlp:8x1", "--checkpoint", "kept")
    assert code == 2
    assert "--checkpoint is for the papers' network; leave it out with --model" in error
    code, _, error = run(capsys, "tune", "digits", "--devices", 2)
    assert code == 2
    assert "spread the rows of a model; name one with --model" in error
