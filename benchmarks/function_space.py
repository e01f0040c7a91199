"""Modal forecasts against integration in function space: ``python -m benchmarks.function_space``.

About a minute at n = 2,000 (``BENCH_ROWS`` sets n).  Gradient flow, f' = -H (f - y), at 200 times:
by diffrax, which multiplies by H at every stage, and by modes, with and without the decomposition
that they need.
"""

import os

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.__main__ import seconds, sphere
from inertial import decompose, infinite_gram
from inertial.linear.measure import Measure
from inertial.method.flow import gradient_flow
from inertial.simulation.integrate import flow_loss

TIMES = 200
TOLERANCE = 1e-6


def main() -> None:
    n = int(os.environ.get("BENCH_ROWS", "2000"))
    x, y = sphere(n, 100)
    gram = infinite_gram(x)
    whole = decompose(gram)
    times = np.linspace(0.0, 20 / whole.eigenvalues[n // 2], TIMES)

    def modal() -> np.ndarray:
        spectrum = decompose(gram)
        measure = Measure(spectrum.eigenvalues, spectrum.modes(y) ** 2)
        return flow_loss(gradient_flow(), measure.nodes, measure.weights, times)

    with jax.enable_x64(True):
        matrix, start = jnp.asarray(gram), jnp.asarray(-y)

        @jax.jit
        def integrated() -> jax.Array:
            found = diffrax.diffeqsolve(
                diffrax.ODETerm(lambda _t, residual, _args: -(matrix @ residual)),
                diffrax.Tsit5(),
                t0=times[0],
                t1=times[-1],
                dt0=None,
                y0=start,
                saveat=diffrax.SaveAt(ts=jnp.asarray(times)),
                stepsize_controller=diffrax.PIDController(rtol=TOLERANCE, atol=TOLERANCE * 1e-3),
                max_steps=100_000,
            )
            return 0.5 * jnp.sum(found.ys**2, axis=1)

        losses = np.asarray(integrated())
        other = seconds(integrated)
    ours, exact = seconds(modal), modal()
    again = seconds(
        lambda: flow_loss(gradient_flow(), whole.eigenvalues, whole.modes(y) ** 2, times)
    )
    gap = float(np.abs(losses / exact - 1).max())
    what = f"gradient flow at {TIMES} times, n={n}"
    print("| measured | figure | bar |\n|---|---|---|")
    print(f"| {what}: integration / decomposition and modes | {other / ours:.2f} | no bar |")
    print(f"| {what}: integration / modes of a known kernel | {other / again:.0f} | ≥ 10 |")
    print(f"| the integration's largest relative error, tolerance {TOLERANCE:g} | {gap:.1e} | – |")


if __name__ == "__main__":
    main()
