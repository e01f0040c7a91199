"""Measure every bar of docs/benchmarks.md: ``python -m benchmarks [NAME...] [--write FILE]``.

Machines are shared and noisy, so each figure is a ratio: both sides run in turn, A B A B, and the
median of the pairwise ratios is quoted.  Peak memory is that of a process of its own.  Scripts that
print a table of their own are run, and their rows taken over; ``--json FILE`` writes all rows with
the machine.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from benchmarks import memory
from inertial import (
    Settings,
    compare,
    decompose,
    extremes,
    forecast_loss,
    infinite_gram,
    load,
    nesterov,
)
from inertial.data import catalog, locate
from inertial.linear.expected import measure_of, spectrum_of
from inertial.linear.lanczos import lanczos, product_with
from inertial.linear.measure import Measure
from inertial.method.rules import METHODS, choose, fastest
from inertial.problem.model import TwoLayerReLU
from inertial.runs.settings import COMPANIONS
from inertial.simulation import step
from inertial.simulation.integrate import flow_loss
from inertial.simulation.span import Span, span
from inertial.simulation.train import train
from inertial.view.auditing import audit_folders

FULL = (10_000, 784, 20_000)
SHAPES = {(1000, 784, 2000): "≥ 0.85", FULL: "≥ 0.94", (360, 51, 2000): "≥ 0.85"}
"""Shapes of a step, and the bar of its rate over that of its matrix products."""

PAIRS_OF_FULL = 5
"""Pairs at the full size, where a step takes ten seconds."""

METHOD = nesterov(1e-3, 0.9)

Row = tuple[str, str, str]
"""What was measured, the figure, the bar it has to pass."""


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began


def ratio(ours: Callable[[], object], other: Callable[[], object], pairs: int = 9) -> float:
    """Median of ``time of other / time of ours`` over runs in turn: above 1, ours is faster."""
    ours(), other()
    return 1 / statistics.median(seconds(ours) / seconds(other) for _ in range(pairs))


def sphere(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    data = load("sphere", n=n, dim=d)
    return data.x, data.y


def stepper(n: int, d: int, m: int, steps: int) -> Callable[[], object]:
    """`steps` training steps of the package, diagnostics included."""
    x, y = sphere(n, d)
    start, signs = TwoLayerReLU(m, d).init(jax.random.key(0))
    problem = step.prepare(x, y, start, signs / m**0.5)
    coefficients = step.device_coefficients(METHOD, 0, jnp.float32)
    state = step.at_rest(problem)

    def run() -> object:
        nonlocal state  # each call takes the run further, as training does
        state, buffers = step.advance(problem, state, coefficients, steps)
        return state, buffers

    return run


def products(n: int, d: int, m: int, steps: int) -> Callable[[], object]:
    """The two matrix products of a step, on whole arrays, and nothing else."""
    key = jax.random.key(0)
    x, w, z = (jax.random.normal(key, shape) for shape in ((n, d), (m, d), (n, m)))

    @jax.jit
    def pair(x: jax.Array, w: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return x @ w.T, z.T @ x

    return lambda: [pair(x, w, z) for _ in range(steps)]


def autodiff(n: int, d: int, m: int, steps: int) -> Callable[[], object]:
    """A plain jitted automatic-differentiation step of the same loss and method."""
    step, state = memory.plain_step(n, d, m)

    def run() -> object:
        carry = state
        for _ in range(steps):
            carry = step(*carry)
        return carry

    return run


def torch_autograd(n: int, d: int, m: int, steps: int) -> Callable[[], object]:
    """The same in PyTorch with its own optimiser."""
    import torch

    x, y = (torch.tensor(v, dtype=torch.float32) for v in sphere(n, d))
    w = torch.randn(m, d, requires_grad=True)
    a = torch.sign(torch.randn(m)) / m**0.5
    optimiser = torch.optim.SGD([w], lr=METHOD.eta, momentum=METHOD.beta, nesterov=True)

    def run() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            loss = 0.5 * ((torch.relu(x @ w.T) @ a - y) ** 2).sum()
            loss.backward()
            optimiser.step()

    return run


def steps_rows() -> Iterator[Row]:
    """Speed of a step against its own products, automatic differentiation and PyTorch."""
    others = {"matrix products alone": (products, ""), "plain autodiff": (autodiff, "≥ 1.0")}
    try:
        import torch  # noqa: F401

        others["PyTorch autograd"] = (torch_autograd, "≥ 1.2")
    except ImportError:
        yield "step against PyTorch autograd", "PyTorch is not installed", "≥ 1.2"
    for (n, d, m), limit in SHAPES.items():
        count = min(step.CHUNK, max(1, int(2e10 / (n * d * m))))
        ours = stepper(n, d, m, count)
        for name, (other, bar) in others.items():
            pairs = PAIRS_OF_FULL if (n, d, m) == FULL else 9
            figure = ratio(ours, other(n, d, m, count), pairs)
            yield f"step rate / {name}, n={n}, d={d}, m={m}", f"{figure:.2f}", bar or limit


def memory_rows() -> Iterator[Row]:
    """Peak memory at the papers' full size, and of the kernel."""
    n, d, m = FULL
    ours = peak("train", n, d, m)
    plain = peak("autodiff", n, d, m)
    yield (
        f"peak memory of a step / plain autodiff, n={n}, d={d}, m={m}",
        f"{ours / plain:.2f} ({ours / 2**20:.0f} MiB / {plain / 2**20:.0f} MiB)",
        "≤ 0.3",
    )
    arrays = peak("kernel", n, d, m) / (8 * n**2)
    yield f"peak memory of the kernel matrix, in n x n arrays, n={n}", f"{arrays:.2f}", "≤ 3"


def peak(what: str, n: int, d: int, m: int) -> int:
    """Peak resident bytes of a process doing `what`, less those of one that only imports."""
    command = [sys.executable, "-m", "benchmarks.memory", what, str(n), str(d), str(m)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(json.loads(out)["bytes"])


def spectrum_rows() -> Iterator[Row]:
    """Both ends of the spectrum against all eigenvalues, on real data and on the hardest case.

    Uniform points on a sphere leave hundreds of eigenvalues close to the smallest.
    """
    n = 4000
    names = ["sphere"] if locate("fashion-mnist") is None else ["fashion-mnist", "sphere"]
    for name in names:
        gram = infinite_gram(load(name, n=n, dim=100).x)
        full, ends = scipy.linalg.eigvalsh(gram), extremes(gram)
        error = max(abs(ends.smallest / full[0] - 1), abs(ends.largest / full[-1] - 1))
        figure = ratio(partial(extremes, gram), partial(scipy.linalg.eigvalsh, gram), pairs=3)
        yield (
            f"extreme eigenvalues / scipy.linalg.eigvalsh, {name}, n={n}",
            f"{figure:.2f}",
            "≥ 1.5",
        )
        yield f"the same, largest relative error, {name}", f"{error:.1e}", "≤ 1e-8"


def measure_rows() -> Iterator[Row]:
    """What is known without a full decomposition, against one, and against one factorisation."""
    n = int(os.environ.get("BENCH_ROWS", "10000"))
    name = "sphere" if locate("fashion-mnist") is None else "fashion-mnist"
    for case in dict.fromkeys((name, "sphere")):
        gram = infinite_gram(load(case, n=n, dim=100).x)
        cholesky = seconds(lambda gram=gram: cho_factor(gram))
        # The proof of two crowded ends takes two factorisations by itself.
        for how, proven, bar in (
            ("with residual bounds", False, "≤ 2.0"),
            ("proven", True, "no bar" if case == "sphere" else "≤ 2.0"),
        ):
            ends = seconds(lambda gram=gram, proven=proven: extremes(gram, proven=proven).smallest)
            what = f"extreme eigenvalues {how} / one Cholesky"
            yield f"{what}, {case}, n={n}", f"{ends / cholesky:.2f}", bar
    data = load(name, n=n, dim=100)
    gram = infinite_gram(data.x)
    full = seconds(lambda: decompose(gram).eigenvalues)
    nodes = seconds(lambda: lanczos(product_with(gram), data.y, 80).diagonal)
    yield (
        f"measure with 80 nodes / full decomposition, {name}, n={n}",
        f"{nodes / full:.3f}",
        "≤ 0.1",
    )
    expected = seconds(lambda: measure_of(data).nodes)
    yield f"expected measure / full decomposition, {name}, n={n}", f"{expected / full:.3f}", "≤ 0.1"
    command = [sys.executable, "-m", "inertial", "tune", name, "--n", str(n)]
    whole = seconds(lambda: run_quietly([*command, "--trials", "0"]))
    what = f"full decomposition / `inertial tune {name} --n {n} --trials 0`, seconds"
    yield what, f"{full / whole:.1f} ({full:.0f} s / {whole:.0f} s)", "no bar"
    yield (
        f"peak memory of the expected measure, in n x n arrays, sphere, n={n}",
        f"{peak('measure', n, 100, 1) / (8 * n**2):.2f}",
        "≤ 1.5",
    )


def cho_factor(gram: np.ndarray) -> np.ndarray:
    """One Cholesky factorisation, of a copy."""
    return scipy.linalg.cho_factor(gram, lower=True, check_finite=False)[0]


def run_quietly(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


def residual_rows() -> Iterator[Row]:
    """Losses to step 1,000 from Lanczos at the targets, against the full decomposition."""
    for name in ("fashion-mnist", "energy", "sphere"):
        if name != "sphere" and locate(name) is None:
            continue
        data = load(name, n=min(2000, catalog_rows(name)), dim=100)
        gram = infinite_gram(data.x)
        spectrum = decompose(gram)
        exact = Measure(spectrum.eigenvalues, spectrum.modes(data.y) ** 2)
        methods = [choose("forecast", kind, exact) for kind in METHODS]
        steps, found, product = np.arange(1001), None, product_with(gram)
        for count in (50, 100, 200, 400):
            found = lanczos(product, data.y, count, resume=found)
            gauss, worst = found.measure(), 0.0
            for method in methods:
                ours, full = (forecast_loss(method, m, steps) for m in (gauss, exact))
                seen = full > 1e-300 * full[0]
                worst = max(worst, float(np.abs(ours[seen] / full[seen] - 1).max()))
            if worst <= 1e-9:
                break
        what = f"losses to step 1,000 from {found.steps} nodes, largest relative error, {name}"
        yield f"{what}, n={len(data.y)}", f"{worst:.1e}", "≤ 1e-9"


def race_rows() -> Iterator[Row]:
    """The longest race of settings: 400 modes over ten decades, of which no setting is rid."""
    measure = Measure(np.geomspace(1e-8, 1e2, 400), np.ones(400))
    race = partial(fastest, measure=measure, target=0.01)
    taken = seconds(lambda: [race(name) for name in ("heavy_ball", "nesterov")])
    yield (
        "seconds of two races of 2,500 settings on 400 modes over 5,000 steps",
        f"{taken:.1f}",
        "≤ 5",
    )


def catalog_rows(name: str) -> int:
    """Rows of a named data set."""
    return next((source.n for source in catalog() if source.name == name), 2000) or 2000


def span_rows() -> Iterator[Row]:
    """What training in the inputs' own span saves."""
    n, d, m = 300, 784, 4000
    x, y = sphere(n, d)
    inner = span(x)

    def run(within: Span) -> Callable[[], object]:
        return lambda: train(TwoLayerReLU(m, d), x, y, METHOD, seed=0, steps=40, within=within).loss

    figure = ratio(run(inner), run(Span(x, None)), pairs=5)
    yield (
        f"training in the span (rank {inner.x.shape[1]} of {d}) / without, n={n}, m={m}",
        (f"{figure:.2f}"),
        "no bar",
    )


def modes_rows() -> Iterator[Row]:
    """The modal solution of all flows and methods, with the decomposition that it needs."""
    n, times = 2000, np.arange(200)
    data = load("sphere", n=n, dim=100)
    _, measure = spectrum_of(data)
    methods = [choose("paper", name, measure) for name in METHODS]
    eta, mu = methods[-1].eta, measure.smallest / 2
    flows = [companion.build(mu, eta) for companion in COMPANIONS.values()]
    values, weights = measure.nodes, np.ones(n)
    gram = infinite_gram(data.x)

    def everything() -> None:
        decompose(gram)
        for method in methods:
            forecast_loss(method, Measure(values, weights), times)
        for flow in flows:
            flow_loss(flow, values, weights, flow.time(times, eta))

    figure = 1 / ratio(everything, partial(decompose, gram), pairs=5)
    what = f"{len(flows)} flows and {len(methods)} methods on all modes / their decomposition alone"
    yield f"{what}, n={n}, {len(times)} times", f"{figure:.2f}", "≤ 1.3"


def audit_rows() -> Iterator[Row]:
    """The audit of a run against the run itself, both through the public interface."""
    name = "sphere" if locate("fashion-mnist") is None else "fashion-mnist"
    data = load(name, n=1000, dim=100)
    settings = Settings(width=4000, seeds=(0,), steps=200, record_residuals=True, rule="paper")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        training = seconds(lambda: compare(data, settings, out=run).wall_seconds)
        judging = seconds(lambda: audit_folders([run]).entries and None)
    what = "seconds of the audit / of the run it judges"
    yield (
        f"{what}, {name}, n=1000, m=4000, 200 steps, three methods",
        f"{judging / training:.2f} ({judging:.0f} s / {training:.0f} s)",
        "≤ 1",
    )


TOPICS = {
    "steps": steps_rows,
    "memory": memory_rows,
    "spectrum": spectrum_rows,
    "measure": measure_rows,
    "residual": residual_rows,
    "race": race_rows,
    "modes": modes_rows,
    "audit": audit_rows,
    "span": span_rows,
}
"""Rows that are made here."""

SCRIPTS = ("growth", "function_space", "devices", "beyond_memory", "startup", "sweeps", "products")
"""Modules beside this one that print rows of their own."""


def script_rows(name: str) -> Iterator[Row]:
    """Rows that a module prints, after the two lines of its table's head."""
    out = run_quietly([sys.executable, "-m", f"benchmarks.{name}"]).decode()
    lines = [line.strip("| \n").split(" | ") for line in out.splitlines() if line[:1] == "|"]
    yield from ((what, figure, bar) for what, figure, bar in lines[2:])


def machine() -> dict[str, str | int]:
    """What the figures were taken on."""
    revision = ["git", "describe", "--always", "--dirty"]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": platform.machine(),
        "jax": jax.__version__,
        "numpy": np.__version__,
        "commit": subprocess.run(revision, capture_output=True, check=False)
        .stdout.decode()
        .strip(),
    }


def missed(figure: str, bar: str) -> bool:
    """Whether a figure is on the wrong side of its bar, ``≥ 1.0``, ``≤ 2.0`` or ``0.9 to 1.1``."""
    at = re.match(r"[\d.e+-]+", figure)
    if at is None or not (ends := re.fullmatch(r"([≥≤] )?([\d.e-]+)(?: to ([\d.e-]+))?", bar)):
        return False
    sign, low, high = ends.groups()
    value, edge = float(at[0]), float(low)
    if high is not None:
        return not edge <= value <= float(high)
    return value < edge if sign == "≥ " else value > edge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TOPICS, *SCRIPTS, []])
    parser.add_argument("--write", type=Path, help="replace the table in this file")
    parser.add_argument("--json", type=Path, help="write the rows and the machine to this file")
    arguments = parser.parse_args()
    lines, rows = ["| measured | figure | bar |", "|---|---|---|"], []
    for name in arguments.names or (*TOPICS, *SCRIPTS):
        began = time.perf_counter()
        for what, figure, bar in TOPICS[name]() if name in TOPICS else script_rows(name):
            rows.append({"topic": name, "measured": what, "figure": figure, "bar": bar})
            said = f"{bar}: missed" if missed(figure, bar) else bar
            lines.append(f"| {what} | {figure} | {said} |")
            print(lines[-1], flush=True)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    here = machine()
    lines += ["", f"{here['cores']} cores, {here['processor']}, jax {here['jax']}."]
    if arguments.json:
        whole = {"machine": here, "rows": rows}
        text = json.dumps(whole, indent=1, ensure_ascii=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    if arguments.write:
        text = arguments.write.read_text(encoding="utf-8")
        block = "<!-- table -->\n" + "\n".join(lines) + "\n<!-- end -->"
        text = re.sub(r"<!-- table -->.*<!-- end -->", lambda _: block, text, flags=re.DOTALL)
        arguments.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
