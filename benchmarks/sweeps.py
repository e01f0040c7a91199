"""Settings one after the other against all at once: ``python -m benchmarks.sweeps``.

Eight settings of one problem take 64 steps: each by `Problem.advance` as the trials do it, and all
together by `jax.vmap` over the same steps.  Printed are the ratio of the times (above 1, together
is faster) and the largest relative difference of the losses.
"""

import statistics
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.__main__ import seconds
from inertial import MLP, Problem, TwoLayerReLU
from inertial.problem.problem import CHUNK, State, take_steps

SETTINGS, PAIRS = 8, 5

SHAPES = [
    (50, 4, MLP(4, (16,))), (100, 8, MLP(8, (64,))), (360, 64, MLP(64, (64, 64))),
    (1000, 64, MLP(64, (256, 256))), (360, 51, TwoLayerReLU(2000, 51)),
]  # fmt: skip
"""Rows, inputs and model."""


def measured(n: int, d: int, model: MLP | TwoLayerReLU) -> tuple[float, float]:
    """Seconds of the loop over those of all at once, and the difference of their losses."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d)) / d**0.5
    problem = Problem(model, "mse", x, rng.standard_normal(n))
    eta, none = np.linspace(0.001, 0.01, SETTINGS), np.zeros(CHUNK)
    start = problem.begin()
    settings = np.zeros((SETTINGS, CHUNK, 3), np.float32)
    settings[:, :, 0], settings[:, :, 1] = eta[:, None], 0.8
    states: State = jax.tree.map(lambda v: jnp.broadcast_to(v, (SETTINGS, *v.shape)), start)
    steps = jax.vmap(partial(take_steps, problem.objective), in_axes=(0, None, None, 0, None))
    together = jax.jit(steps)

    def loop() -> np.ndarray:
        runs = [problem.advance(start, none + one, none + 0.8, none)[1] for one in eta]
        return np.array(runs)

    def batch() -> np.ndarray:
        return np.asarray(together(states, problem.x, problem.targets, settings, CHUNK)[1], float)

    gap = float(np.abs(batch() / loop() - 1).max())
    ratios = [seconds(loop) / seconds(batch) for _ in range(PAIRS)]
    return statistics.median(ratios), gap


def main() -> None:
    print("| measured | figure | bar |\n|---|---|---|")
    for n, d, model in SHAPES:
        ratio, gap = measured(n, d, model)
        what = f"{SETTINGS} settings, loop / all at once: n={n}, d={d}, {model}"
        print(f"| {what} | {ratio:.2f} (losses differ by {gap:.1e}) | no bar |", flush=True)


if __name__ == "__main__":
    main()
