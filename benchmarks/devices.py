"""Two processes, on a core each, against one on one core: ``python -m benchmarks.devices``.

About a minute.  The same network, the same steps; each process counts the seconds of its steps
after they were compiled, and the slower of two counts.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

N, D, M = 2000, 784, 8192
STEPS, LOOKS = 4, 5


def work(index: int, address: str) -> None:
    """Print the seconds of a step of this process."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[index]})
    from inertial import TwoLayerReLU, nesterov
    from inertial.problem.devices import join_processes, mesh_of
    from inertial.simulation import step

    if address:
        join_processes(2, address, index)
    mesh = mesh_of()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, D)) / np.sqrt(D)
    start, signs = TwoLayerReLU(M, D).init(jax.random.key(0))
    problem = step.prepare(x, np.ones(N), start, signs / M**0.5, mesh)
    coefficients = step.device_coefficients(nesterov(1e-3, 0.9), 0, jnp.float32)
    state, times = step.at_rest(problem), []
    for _ in range(LOOKS + 1):
        began = time.perf_counter()
        state, buffers = step.advance(problem, state, coefficients, STEPS, mesh=mesh)
        jax.block_until_ready(buffers)
        times.append((time.perf_counter() - began) / STEPS)
    os.write(3, json.dumps(statistics.median(times[1:])).encode())


def measured(count: int) -> float:
    """Seconds of a step of `count` processes."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}" if count > 1 else ""
    script = "import sys; from benchmarks.devices import work; work(int(sys.argv[1]), sys.argv[2])"
    shell = 'exec "$0" -c "$1" "$2" "$3" 3>&1 1>&2'
    processes = [
        subprocess.Popen(
            ["/bin/sh", "-c", shell, sys.executable, script, str(index), address],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for index in range(count)
    ]
    return max(float(process.communicate()[0]) for process in processes)


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        sys.exit("there is one core; two are needed.")
    pairs = [(measured(1), measured(2)) for _ in range(2)]
    figure = statistics.median(one / two for one, two in pairs)
    print("| measured | figure | bar |\n|---|---|---|")
    print(f"| 2 processes of a core each / 1, n={N}, d={D}, m={M} | {figure:.2f} | ≥ 1.7 |")


if __name__ == "__main__":
    main()
