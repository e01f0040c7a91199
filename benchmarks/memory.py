"""Peak memory of one piece of work in a process of its own: ``python -m benchmarks.memory ...``."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp

from inertial import TwoLayerReLU, infinite_gram, load, measure_of, nesterov, train
from inertial.simulation.span import Span


def plain_step(n: int, d: int, m: int) -> tuple[Callable[..., tuple], tuple]:
    """A jitted Nesterov step by automatic differentiation of the whole batch, and its state."""
    data = load("sphere", n=n, dim=d)
    x, y = jnp.asarray(data.x, jnp.float32), jnp.asarray(data.y, jnp.float32)
    w, a = TwoLayerReLU(m, d).init(jax.random.key(0))
    output = a / m**0.5

    def loss(w: jax.Array) -> jax.Array:
        return 0.5 * jnp.sum((jnp.maximum(x @ w.T, 0) @ output - y) ** 2)

    @jax.jit
    def step(w: jax.Array, buffer: jax.Array) -> tuple[jax.Array, jax.Array]:
        gradient = jax.grad(loss)(w)
        buffer = 0.9 * buffer + gradient
        return w - 1e-3 * (gradient + 0.9 * buffer), buffer

    return step, (w, jnp.zeros_like(w))


def work(what: str, n: int, d: int, m: int) -> None:
    if what == "autodiff":
        step, state = plain_step(n, d, m)
        for _ in range(2):
            state = jax.block_until_ready(step(*state))
    elif what == "train":
        data = load("sphere", n=n, dim=d)
        whole = Span(data.x, None)
        train(
            TwoLayerReLU(m, d), data.x, data.y, nesterov(1e-3, 0.9), seed=0, steps=1, within=whole
        )
    elif what == "measure":
        measure_of(load("sphere", n=n, dim=d))
    elif what == "kernel":
        infinite_gram(load("sphere", n=n, dim=d).x)


def main() -> None:
    what, *sizes = sys.argv[1:]
    work(what, 10, 3, 8)
    before = peak_kilobytes()
    work(what, *(int(size) for size in sizes))
    sys.stdout.write(json.dumps({"bytes": 1024 * (peak_kilobytes() - before)}))


def peak_kilobytes() -> int:
    """Peak of this program's own memory; getrusage would count its parent's at the fork."""
    return _kilobytes("VmHWM")


def resident_kilobytes() -> int:
    """Return this program's memory now."""
    return _kilobytes("VmRSS")


def _kilobytes(what: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{what}:")[1].split()[0])


if __name__ == "__main__":
    main()
