"""The memory that a process may take: least of machine, control groups and address space."""

import resource
import subprocess
import sys

import jax
import numpy as np
import pytest

from inertial import MLP, InvalidInput, Problem, TwoLayerReLU, WideNetwork, _memory, load, nesterov
from inertial.simulation import step
from inertial.simulation.train import train


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with its own control groups, and no limit of the address space."""
    (tmp_path / "proc").mkdir()
    monkeypatch.setattr(_memory, "_PROCESS", tmp_path / "proc")
    monkeypatch.setattr(_memory, "_GROUPS", tmp_path / "groups")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(_memory.resource, "getrlimit", lambda _: unlimited)
    return tmp_path


def limit(place, file, words):
    place.mkdir(parents=True, exist_ok=True)
    (place / file).write_text(f"{words}\n")


def test_without_limits_it_is_the_machine_s(machine):
    (machine / "proc" / "cgroup").write_text("0::/\n")
    limit(machine / "groups", "memory.max", "max")
    assert _memory.available() > 2**28


def test_the_least_limit_on_the_way_to_the_root_counts(machine):
    (machine / "proc" / "cgroup").write_text("0::/job/step\n")
    limit(machine / "groups" / "job" / "step", "memory.max", "max")
    limit(machine / "groups" / "job", "memory.max", 12_345)
    limit(machine / "groups", "memory.max", 99_999)
    assert _memory.available() == 12_345


def test_in_a_container_the_root_has_the_limit(machine):
    (machine / "proc" / "cgroup").write_text("0::/docker/of-outside\n")
    limit(machine / "groups", "memory.max", 777)
    assert _memory.available() == 777


def test_groups_of_the_first_version(machine):
    (machine / "proc" / "cgroup").write_text("5:cpu,memory:/job\n4:pids:/x\n")
    limit(machine / "groups" / "memory" / "job", "memory.limit_in_bytes", 4_321)
    assert _memory.available() == 4_321


def test_what_is_left_of_the_address_space_counts():
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
        from inertial import _memory
        print(_memory.available())
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2**30 < int(done.stdout) < 4 * 2**30


def test_too_much_is_one_sentence_with_its_remedy(monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 2**30)
    _memory.check_memory(2**30, "take less")
    with pytest.raises(InvalidInput, match=r"about 2 GiB of memory and there are 1 .*take less"):
        _memory.check_memory(2**31, "take less")


def test_programs_of_many_shapes_are_dropped_and_those_of_few_are_kept(monkeypatch):
    dropped = []
    monkeypatch.setattr(_memory, "_shapes", set())
    monkeypatch.setattr("jax.clear_caches", lambda: dropped.append(True))
    for _ in range(3):
        for n in range(_memory._PROGRAMS):
            _memory.make_room_for_programs((n, 3))
    assert dropped == []
    _memory.make_room_for_programs(("another", 3))
    assert dropped == [True]


def test_a_run_says_its_shape_before_it_is_compiled(monkeypatch):
    seen = []
    monkeypatch.setattr(step, "make_room_for_programs", seen.append)
    data = load("sphere", n=8, dim=3)
    train(TwoLayerReLU(5, 3), data.x, data.y, nesterov(0.1, 0.5), seed=0, steps=2)
    assert seen == [(8, 3, 5, 3, "float32")]


def test_a_model_whose_training_does_not_fit_is_refused_from_both_sides(monkeypatch):
    """Six times the parameters are needed, drawn or given."""
    size = 4 * (31 * 64 + 65 * 2)
    models = {
        MLP(30, (64,), 2): size,
        WideNetwork(64, 30, outputs=2): 4 * 64 * (30 + 2),
    }
    for model, needed in models.items():
        monkeypatch.setattr(_memory, "available", lambda needed=needed: 6 * needed)
        model.init(jax.random.key(0))
        monkeypatch.setattr(_memory, "available", lambda needed=needed: 6 * needed - 1)
        with pytest.raises(InvalidInput, match="take a smaller model"):
            model.init(jax.random.key(0))
    x, params = np.ones((4, 30)), np.ones((30, 2), np.float32)
    monkeypatch.setattr(_memory, "available", lambda: 6 * params.nbytes - 1)
    with pytest.raises(InvalidInput, match="train fewer of its parameters"):
        Problem.from_apply(lambda w, x: x @ w, params, x, np.ones((4, 2)))
