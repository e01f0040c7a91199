"""How good `tune` is on models drawn at random: ``python -m benchmarks.drawn [FROM TO]``.

Rows, network, start, loss and target are drawn by the number of the model: ten kinds of rows, four
kinds of networks (layers drawn as PyTorch draws them, or as He did; residual ones, with layer
normalisation or without), four activations, one to four hidden layers of 16 to 64, targets of 70 %
to 1 %.  The reference is a grid of 160 settings in the same steps written anew, 8 momenta by 10
step sizes for heavy ball and for Nesterov.  With ``--batch`` each step of the search takes a batch,
and the grid the same batches: what each found is then counted on five other draws, in the median,
for on one draw the luckiest of many settings wins.
"""

import argparse
import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from sklearn import datasets

from inertial import Problem, Recursion, heavy_ball, nesterov, tune
from inertial.method.adaptive import Adaptive
from inertial.runs.trials import Search, setting, settled
from inertial.runs.tuning import ModelAdvice
from inertial.simulation.simulate import draws_of
from inertial.simulation.train import batch_rows

SHARES = np.geomspace(0.02, 2.2, 10)
MOMENTA = (0.0, 0.5, 0.7, 0.8, 0.88, 0.94, 0.97, 0.985)
TARGETS = (0.7, 0.5, 0.3, 0.1, 0.05, 0.02, 0.01)
ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu, "tanh": jnp.tanh, "silu": jax.nn.silu}
CONTINUOUS = ("diabetes", "friedman", "sparse", "sine")
BUNDLED = ("diabetes", "breast_cancer", "wine", "digits")
MADE = ("classes with noise", "moons", "friedman", "circles", "sparse", "sine")
MOST = 1_500
SLOW = 1.5


def standard(values: np.ndarray) -> np.ndarray:
    spread = values.std(0)
    return (values - values.mean(0)) / np.where(spread > 0, spread, 1)


def rows(rng: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray]:
    """Draw a kind of rows, and 60 to 239 of them."""
    kind, n = str(rng.choice([*BUNDLED, *MADE])), int(rng.integers(60, 240))
    if kind in BUNDLED:
        table = getattr(datasets, f"load_{kind}")()
        chosen = rng.permutation(len(table.data))[:n]
        x, y = standard(table.data[chosen]), table.target[chosen]
    elif kind == "classes with noise":
        x, y = datasets.make_classification(
            n, 12, n_informative=4, n_classes=int(rng.choice([2, 3])), flip_y=0.1,
            random_state=int(rng.integers(99)),
        )  # fmt: skip
    elif kind == "moons":
        x, y = datasets.make_moons(n, noise=0.2, random_state=1)
    elif kind == "circles":
        x, y = datasets.make_circles(n, noise=0.1, factor=0.5, random_state=1)
    elif kind == "friedman":
        x, y = datasets.make_friedman1(n, noise=1, random_state=1)
    elif kind == "sparse":
        x = rng.standard_normal((n, 30)) * (rng.random((n, 30)) < 0.2)
        y = x[:, :3].sum(1) + 0.1 * rng.standard_normal(n)
    else:
        x = rng.uniform(-1, 1, (n, 1))
        y = np.sin(6 * x[:, 0]) + 0.1 * rng.standard_normal(n)
    x = standard(x) if kind in ("circles", "friedman") else x
    return kind, x.astype(np.float32), standard(y) if kind in CONTINUOUS else y


def network(rng: np.random.Generator, inputs: int, outputs: int) -> tuple[str, list[Any], Any]:
    """Draw a network and its start."""
    activation = str(rng.choice(list(ACTIVATIONS)))
    kind = str(rng.choice(["pytorch", "he", "residual", "normalised"]))
    depth, width = int(rng.integers(1, 5)), int(rng.choice([16, 32, 64]))

    def dense(size: int, to: int) -> tuple[jax.Array, jax.Array]:
        if kind == "he":
            weights = rng.standard_normal((size, to)) * np.sqrt(2 / size)
            return jnp.array(weights, jnp.float32), jnp.zeros(to)
        edge = size**-0.5
        weights, bias = rng.uniform(-edge, edge, (size, to)), rng.uniform(-edge, edge, to)
        return jnp.array(weights, jnp.float32), jnp.array(bias, jnp.float32)

    hidden = [dense(width, width) for _ in range(depth)]
    params = [dense(inputs, width), *hidden, dense(width, outputs)]
    return f"{kind} {width}x{depth} {activation}", params, partial(apply, kind, activation)


def apply(kind: str, activation: str, params: list[Any], x: jax.Array) -> jax.Array:
    act = ACTIVATIONS[activation]
    hidden = x @ params[0][0] + params[0][1]
    for weights, bias in params[1:-1]:
        if kind == "residual":
            hidden = hidden + act(hidden @ weights + bias)
        elif kind == "normalised":
            mean, spread = hidden.mean(-1, keepdims=True), hidden.var(-1, keepdims=True)
            hidden = hidden + act((hidden - mean) / jnp.sqrt(spread + 1e-5) @ weights + bias)
        else:
            hidden = act(hidden) @ weights + bias
    if kind in ("pytorch", "he"):
        hidden = act(hidden)
    return hidden @ params[-1][0] + params[-1][1]


@dataclass(frozen=True)
class Drawn:
    """A model and its start, what it is trained on, and how far."""

    text: str
    params: list[Any]
    model: Callable[[Any, jax.Array], jax.Array]
    x: np.ndarray
    y: np.ndarray
    loss: str
    target: float

    @property
    def problem(self) -> Problem:
        return Problem.from_apply(self.model, self.params, self.x, self.y, loss=self.loss)


def drawn(number: int) -> Drawn:
    """Return the model of a number."""
    rng = np.random.default_rng(number)
    kind, x, y = rows(rng)
    classes = 1 if kind in CONTINUOUS else int(y.max() + 1)
    loss = "mse" if classes == 1 else "cross_entropy" if classes > 2 else "binary_cross_entropy"
    if classes > 1 and rng.random() < 0.15:
        y, loss = np.eye(classes)[y], "mse"
    outputs = 1 if loss == "binary_cross_entropy" else classes
    name, params, model = network(rng, x.shape[1], outputs)
    target = float(rng.choice(TARGETS))
    return Drawn(f"{kind}, {name}, {loss}", params, model, x, y, loss, target)


def loss_of(name: str, outputs: jax.Array, y: jax.Array) -> jax.Array:
    if name == "mse":
        return jnp.mean((outputs - y.reshape(outputs.shape)) ** 2)
    if name == "cross_entropy":
        return -jnp.mean(jax.nn.log_softmax(outputs)[jnp.arange(len(y)), y])
    return jnp.mean(jax.nn.softplus(outputs[:, 0]) - y * outputs[:, 0])


def fewest(
    given: Drawn, advice: ModelAdvice, batches: np.ndarray
) -> tuple[int | None, Recursion | None]:
    """Return steps and method of the best setting of the grid; a step takes a row of `batches`."""
    start, unravel = ravel_pytree(given.params)
    x, y = jnp.array(given.x), jnp.array(given.y)

    def value(flat: jax.Array, chosen: jax.Array) -> jax.Array:
        return loss_of(given.loss, given.model(unravel(flat), x[chosen]), y[chosen])

    def run(eta: jax.Array, beta: jax.Array, ahead: jax.Array) -> jax.Array:
        def step(at: tuple[jax.Array, jax.Array], chosen: jax.Array) -> tuple[Any, jax.Array]:
            flat, velocity = at
            slope = jax.grad(value)(flat, chosen)
            velocity = beta * velocity - eta * slope
            move = jnp.where(ahead, beta * velocity - eta * slope, velocity)
            return (flat + move, velocity), value(flat, jnp.arange(len(x)))

        return jax.lax.scan(step, (start, jnp.zeros_like(start)), batches)[1]

    shares, momenta, ahead = (one.ravel() for one in np.meshgrid(SHARES, MOMENTA, (0, 1)))
    limit = 2 * (1 + momenta) / (1 + 2 * momenta * ahead) / advice.largest[0]
    curves = np.asarray(jax.jit(jax.vmap(run))(shares * limit, momenta, ahead), float)
    counts = [settled(curve, advice.target * curve[0]) for curve in curves]
    reached = [i for i, count in enumerate(counts) if count is not None]
    if not reached:
        return None, None
    best = min(reached, key=counts.__getitem__)
    make = nesterov if ahead[best] else heavy_ball
    return counts[best], make(float((shares * limit)[best]), float(momenta[best]))


def on_other_draws(
    given: Drawn, method: Recursion | Adaptive | None, steps: int, batch: int
) -> float | None:
    """Return the median of the steps on five other draws of batches; None if most never settle."""
    if not isinstance(method, Recursion):
        return None
    problem, anywhere = given.problem, setting("heavy_ball", 1.0, 0.5)
    found = []
    for seed in range(1, 6):
        draw = draws_of(problem, batch, "fresh", seed)
        search = Search(problem, 1.0, given.target, trials=0, draws=[draw])
        count = search.alone(anywhere, method, steps).steps
        found.append(np.inf if count is None else count)
    median = statistics.median(found)
    return float(median) if np.isfinite(median) else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.drawn", description=__doc__)
    parser.add_argument("first", nargs="?", type=int, default=0)
    parser.add_argument("end", nargs="?", type=int, default=155)
    parser.add_argument("--batch", type=int)
    given = parser.parse_args()
    ratios: list[float] = []
    alone = 0
    print("| model | target | tune | grid | ratio |\n|---|---|---|---|---|")
    for number in range(given.first, given.end):
        one = drawn(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            advice = tune(one.problem, target=one.target, batch=given.batch)
        ours = advice.best.measured_steps
        steps = MOST if ours is None else min(MOST, max(40, int(1.3 * ours) + 8))
        batches = np.tile(np.arange(len(one.x)), (steps, 1))
        if given.batch is not None:
            batches = batch_rows(len(one.x), given.batch, "fresh", 0, 0, steps)
        grid, best = fewest(one, advice, batches)
        if given.batch is not None:
            longest = 4 * steps
            ours = on_other_draws(one, advice.best.method, longest, given.batch)
            grid = on_other_draws(one, best, longest, given.batch)
        ratio = "-"
        if grid is not None:
            ratios.append(np.inf if ours is None else ours / max(grid, 1))
            ratio = f"{ratios[-1]:.2f}"
        elif ours is not None:
            alone += 1
        print(f"| {number}: {one.text} | {one.target:g} | {ours} | {grid} | {ratio} |", flush=True)
    if not ratios:
        return
    slow = sum(one > SLOW for one in ratios)
    print(
        f"\n{given.end - given.first} models: on {alone} `tune` alone gets there; on the "
        f"{len(ratios)} where the grid does, the ratio is {statistics.median(ratios):.2f} in the "
        f"median, above {SLOW:g} on {slow}, {max(ratios):.2f} at worst."
    )


if __name__ == "__main__":
    main()
