"""Three cases for every theorem: one that holds, one outside its assumptions, one planted lie.

A lie is a piece of evidence, or a number that the right side is multiplied by: a changed constant.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from scipy.linalg import eigvalsh

from inertial.linear.kernel import infinite_gram
from inertial.method.recursion import Recursion, gradient_descent, heavy_ball, nesterov
from inertial.problem.flips import Flips
from inertial.simulation.integrate import ModalSolution
from inertial.theory.evidence import Evidence, Kernel, Records
from inertial.theory.start import Start

STEPS = 41


@dataclass(frozen=True)
class FakeProbes:
    """Kernel measurements made up for a test."""

    steps: np.ndarray = field(default_factory=lambda: np.arange(0, STEPS, 10))
    smallest: np.ndarray = field(default_factory=lambda: np.full(5, 0.45))
    largest: np.ndarray = field(default_factory=lambda: np.full(5, 0.6))
    drift_spectral: np.ndarray = field(default_factory=lambda: np.zeros(5))
    drift_frobenius: np.ndarray = field(default_factory=lambda: np.zeros(5))
    flips: Flips = field(default_factory=lambda: Flips(0.1, 4000, np.ones(4, int), 1.0))


@dataclass(frozen=True)
class FakeSplit:
    """A residual decomposition made up for a test."""

    method: Recursion
    residual: np.ndarray
    phi: np.ndarray
    psi: np.ndarray
    identity_error: np.ndarray = field(default_factory=lambda: np.full(5, 1e-15))
    printed_error: np.ndarray = field(default_factory=lambda: np.full(5, 1e-15))
    step_error: np.ndarray = field(default_factory=lambda: np.full(5, 1e-15))
    counts: np.ndarray = field(default_factory=lambda: np.full(4, 3))
    radius: float = 1e-9


def kernel(*eigenvalues):
    return Evidence(Kernel(np.array(eigenvalues, float)))


def healthy():
    """A well-conditioned kernel."""
    return kernel(*np.geomspace(0.05, 5, 12))


def thin():
    """A kernel that is singular to rounding."""
    return kernel(1e-17, 1.0, 5.0)


def frozen(_, modes, times):
    """A solver for which nothing ever moves."""
    ones = np.ones((len(times), len(modes)))
    return ModalSolution(ones, 0 * ones, closed_form=True)


def flung(_, modes, times):
    """A solver for which everything is far away at once."""
    return ModalSolution(*[np.full((len(times), len(modes)), 1e4)] * 2, closed_form=True)


def of_inputs(x, width=4000):
    """Evidence with a true start on the inputs `x`."""
    y = np.where(np.arange(len(x)) % 2, 1.0, -1.0)
    return Evidence(
        Kernel(eigvalsh(infinite_gram(x))), inputs=x, at_start=Start(x, y, width, seed=3)
    )


@cache
def spread():
    """Four nearly orthogonal inputs and a wide network: every assumption on the start is met."""
    x = np.random.default_rng(5).standard_normal((4, 30))
    return of_inputs(x / np.linalg.norm(x, axis=1, keepdims=True))


def narrow():
    """The same inputs and two neurons: no assumption on the start is met."""
    return of_inputs(spread().x, width=2)


def long_inputs():
    """Inputs of norm 2."""
    return of_inputs(2 * spread().x)


def repeated():
    """Inputs of which two are the same."""
    x = spread().x
    return of_inputs(np.concatenate([x, x[:1]]))


def emptied():
    """A kernel whose smallest eigenvalue was set to 0."""
    values = spread().kernel.eigenvalues.copy()
    values[0] = 0.0
    return replace(spread(), kernel=Kernel(values))


def edit_solver(evidence, solver):
    return replace(evidence, solver=solver)


def records(method, norm=None, **changes):
    """Records of a run whose residual norm halves with every step."""
    t = np.arange(STEPS)
    norm = 2.0 * 0.5**t if norm is None else norm
    values = {
        "method": method,
        "width": 4000,
        "precision": "float64",
        "steps": t,
        "loss": norm**2 / 2,
        "scale": 2.0,
        "max_distance": np.minimum(t, 5) * 0.01,
        "pattern_change": np.minimum(t, 5) * 1e-4,
    }
    return Records(**{**values, **changes})


def run(method, **changes):
    """`spread` with a run of `method`."""
    return replace(spread(), along_run=records(method, **changes))


def own_nesterov():
    """002's parameters for `spread`."""
    low, high = spread().kernel.smallest, spread().kernel.largest
    root = np.sqrt(4 / 3 * high / low + 1 / 3)
    return nesterov(1 / (2 * (high + low / 4)), float((3 * root - 2) / (3 * root + 2)))


def own_heavy_ball(eta=0.2):
    """003's momentum for `spread`."""
    return heavy_ball(eta, float((1 - np.sqrt(eta * spread().kernel.smallest / 2)) ** 2))


GD, HB, NAG = gradient_descent(0.5), own_heavy_ball(), own_nesterov()
FLAT = np.full(STEPS, 2.0)


def split(method=NAG, **changes):
    """A run of `method` with a decomposition: exactly linear, without remainders."""
    gram, xi = spread().start.gram, [spread().start.residual]
    eta, beta, gamma = method.coefficients(0, 5)
    image = before = np.zeros(4)
    for t in range(5):
        last, image = image, gram @ xi[-1]
        step = beta[t] * before - eta[t] * ((1 + gamma[t]) * image - gamma[t] * last)
        before = step
        xi.append(xi[-1] + step)
    zeros = np.zeros((5, 4))
    values = {"residual": np.array(xi), "phi": zeros, "psi": zeros}
    return replace(run(method), decomposed=FakeSplit(method, **{**values, **changes}))


def probed(changed=None, **changes):
    change = np.zeros(STEPS) if changed is None else changed
    return replace(run(GD, pattern_change=change), probed=FakeProbes(**changes))


def first_step(factor):
    """A Nesterov run whose first step is `factor` times eta g_0."""
    step = factor * NAG.eta * spread().start.gradient_norms.max()
    return run(NAG, max_distance=np.minimum(np.arange(STEPS), 1) * float(step))


def moved_residual():
    good = split().decomposed.residual.copy()
    good[3, 1] += 1e-3
    return split(residual=good)


def linear(method=GD):
    """A run on the constant kernel of `spread`, without flips."""
    loss = np.array([residual @ residual / 2 for residual in linear_residuals(method, STEPS - 1)])
    return run(method, loss=loss, pattern_change=np.zeros(STEPS))


def linear_residuals(method, steps):
    gram, start = spread().start.gram, spread().start.residual
    xi, before = [start], start
    for _ in range(steps):
        step = method.beta * (xi[-1] - before) - method.eta * gram @ xi[-1]
        before = xi[-1]
        xi.append(xi[-1] + step)
    return xi


def too_good():
    """The same, with less loss at step 2 than any polynomial of degree 2 gives."""
    good = linear()
    loss = good.run.loss.copy()
    loss[2] *= 1e-6
    return replace(good, along_run=replace(good.run, loss=loss))


def on_batch(batch, **changes):
    """A run of heavy ball, momentum 0.8, with kernels, on batches of the four rows."""
    return replace(probed(**changes), along_run=records(heavy_ball(0.2, 0.8), batch=batch))


@dataclass(frozen=True)
class Case:
    """`holds` is None where nothing makes it hold, `outside` where it assumes nothing."""

    holds: Callable[[], Evidence] | None
    outside: Callable[[], Evidence] | None
    lie: Callable[[], Evidence] | float


def tight(factor=0.99):
    """Case of a statement on the kernel: a changed constant is the lie."""
    return Case(healthy, thin, factor)


def constant(factor=0.99):
    """Case of a statement without assumptions: a changed constant is the lie."""
    return Case(healthy, None, factor)


def never(outside=thin, lie=healthy):
    """Case of a printed slip that is never true."""
    return Case(None, outside, lie)


def along_flow():
    """Case of a decay along a flow: one that stands still is the lie."""
    return Case(healthy, thin, lambda: edit_solver(healthy(), frozen))


def moves_in_flow():
    """Case of a distance along a flow: one that jumps is the lie."""
    return Case(spread, narrow, lambda: edit_solver(spread(), flung))


NOTHING = Case(None, None, 1.0)
"""For statements that cannot be judged at all."""

CASES = {
    "kernel-positive": Case(spread, repeated, emptied),
    "kernel-positive-exact": Case(spread, None, emptied),
    "kernel-distinct-inputs-printed": never(outside=None),
    "kernel-distinct-inputs-corrected": Case(spread, repeated, emptied),
    "start-near": Case(spread, None, narrow),
    "start-near-frobenius": Case(spread, None, narrow),
    "start-largest": Case(spread, narrow, 0.5),
    "start-smallest": Case(spread, narrow, 0.5),
    "start-condition": Case(spread, narrow, 0.3),
    "drift-quarter": Case(probed, None, lambda: probed(drift_spectral=np.full(5, 0.4))),
    "drift-half": Case(probed, None, lambda: probed(smallest=np.full(5, 0.1))),
    "drift-largest-printed": Case(probed, None, lambda: probed(largest=np.full(5, 0.8))),
    "drift-largest-corrected": Case(probed, None, lambda: probed(largest=np.full(5, 0.9))),
    "drift-allowed": Case(lambda: run(GD), lambda: run(GD, max_distance=np.full(STEPS, 2.0)), 0.1),
    "drift-worst-case": Case(probed, None, lambda: probed(drift_frobenius=np.full(5, 2.0))),
    "flippable-count": Case(
        lambda: run(GD), lambda: run(GD, max_distance=np.full(STEPS, 2.0)), 0.1
    ),
    "start-residual-size": NOTHING,
    "quarter-bounds-printed": never(),
    "quarter-bounds-corrected": tight(),
    "pseudo-loss-size-printed": NOTHING,
    "pseudo-loss-size-corrected": Case(spread, None, 0.3),
    "half-strict-printed": never(outside=long_inputs, lie=spread),
    "half-strict-corrected": Case(spread, long_inputs, 0.99),
    "kernel-constant-printed": Case(
        lambda: run(GD, pattern_change=np.zeros(STEPS)), None, lambda: run(GD)
    ),
    "kernel-constant-corrected": Case(
        probed, None, lambda: probed(drift_frobenius=np.full(5, 1e-3))
    ),
    "gram-indicators-printed": Case(lambda: of_inputs(spread().x[:1]), None, spread),
    "gram-indicators-corrected": Case(spread, None, 1.01),
    "start-upper-extra-printed": never(),
    "start-upper-extra-corrected": tight(1.01),
    "nesterov-recursion": Case(
        split, lambda: split(HB), lambda: split(identity_error=np.full(5, 1e-3))
    ),
    "heavy-ball-recursion": Case(
        lambda: split(HB), split, lambda: split(HB, identity_error=np.full(5, 1e-3))
    ),
    "heavy-ball-remainder": Case(lambda: split(HB), split, lambda: split(HB, phi=np.ones((5, 4)))),
    "nesterov-remainder-printed": Case(
        split, lambda: split(HB), lambda: split(phi=np.ones((5, 4)))
    ),
    "nesterov-remainder-corrected": Case(
        split, lambda: split(HB), lambda: split(phi=np.ones((5, 4)))
    ),
    "nesterov-remainder-sharper": Case(
        split, lambda: split(HB), lambda: split(phi=np.ones((5, 4)))
    ),
    "remainder-sign-printed": Case(
        lambda: split(HB), split, lambda: split(HB, printed_error=np.full(5, 0.4))
    ),
    "remainder-sign-corrected": Case(
        lambda: split(HB), split, lambda: split(HB, identity_error=np.full(5, 0.4))
    ),
    "unrolled": Case(split, None, moved_residual),
    "weight-steps": Case(split, lambda: split(HB), lambda: split(step_error=np.full(5, 1e-3))),
    "first-step-printed": Case(
        lambda: first_step(1), lambda: run(HB), lambda: first_step(1 + NAG.beta)
    ),
    "first-step-corrected": Case(
        lambda: first_step(1 + NAG.beta), lambda: run(HB), lambda: first_step(1)
    ),
    "block-corner-printed": Case(lambda: kernel(1.0, 1.0), None, healthy),
    "block-corner-corrected": constant(1.01),
    "flip-sets-printed": Case(
        lambda: run(GD, pattern_change=np.ones(STEPS)), None, lambda: run(GD)
    ),
    "flip-sets-corrected": Case(
        lambda: run(GD), None, lambda: run(GD, pattern_change=np.ones(STEPS))
    ),
    "flip-share": Case(lambda: run(GD), None, lambda: run(GD, pattern_change=np.ones(STEPS))),
    "width-scaling": NOTHING,
    "gradient-descent-loss": Case(
        lambda: run(GD), lambda: run(gradient_descent(10.0)), lambda: run(GD, norm=FLAT)
    ),
    "gradient-descent-table": NOTHING,
    "gradient-size": Case(spread, long_inputs, 0.1),
    "companion-printed": never(),
    "companion-corrected": tight(),
    "double-root": never(),
    "complex-roots": tight(),
    "heavy-ball-powers": tight(0.5),
    "heavy-ball-prefactor": tight(0.5),
    "heavy-ball-table": tight(0.9),
    "decay-printed": Case(lambda: kernel(0.5), thin, lambda: kernel(*[0.5] * 200)),
    "decay-corrected": tight(1e-3),
    "decay-without-floor": never(),
    "decay-on-run": Case(
        lambda: run(HB), lambda: run(heavy_ball(0.2, 0.1)), lambda: run(HB, norm=FLAT)
    ),
    "heavy-ball-distance": Case(
        lambda: run(HB),
        lambda: run(HB, norm=FLAT),
        lambda: run(HB, max_distance=np.full(STEPS, 1e6)),
    ),
    "floor-constants": constant(),
    "theta-increases": constant(0.9),
    "step-ratio-printed": never(),
    "step-ratio-corrected": tight(1.01),
    "theta-values-printed": never(outside=None),
    "theta-values-corrected": constant(1.01),
    "nesterov-powers": tight(0.3),
    "nesterov-powers-edge-printed": never(),
    "nesterov-powers-edge-corrected": tight(0.5),
    "nesterov-rate-and-prefactor": tight(),
    "nesterov-middle-printed": never(outside=None),
    "nesterov-middle-corrected": constant(0.9),
    "nesterov-norm-printed": never(),
    "nesterov-norm-corrected": tight(0.9),
    "nesterov-table": tight(0.9),
    "nesterov-loss": Case(
        lambda: run(NAG), lambda: run(nesterov(0.1, 0.2)), lambda: run(NAG, norm=FLAT)
    ),
    "nesterov-width-printed": Case(
        lambda: run(NAG), lambda: run(nesterov(0.1, 0.2)), lambda: run(NAG, norm=FLAT)
    ),
    "nesterov-width-corrected": Case(
        lambda: run(NAG, width=10**18),
        lambda: run(NAG),
        lambda: run(NAG, width=10**18, norm=FLAT),
    ),
    "nesterov-distance": Case(
        lambda: run(NAG),
        lambda: run(nesterov(0.1, 0.2)),
        lambda: run(NAG, max_distance=np.full(STEPS, 1e9)),
    ),
    "nesterov-distance-from-zero": Case(
        lambda: run(NAG),
        lambda: run(nesterov(NAG.eta, NAG.beta, start="copy")),
        lambda: run(NAG, max_distance=np.full(STEPS, 1e9)),
    ),
    **{
        key: Case(split, lambda: split(radius=1.0), lambda: split(phi=np.ones((5, 4))))
        for key in ("nesterov-flip-part", "nesterov-parts-printed", "nesterov-parts-corrected")
    },
    "nesterov-drift-part": Case(
        split, lambda: split(radius=1.0), lambda: split(psi=np.ones((5, 4)))
    ),
    "nesterov-proof": constant(),
    "sublinear-printed": never(),
    "sublinear-corrected": tight(1.5),
    "gradient-flow-loss": along_flow(),
    "friction-loss-printed": Case(lambda: kernel(*np.geomspace(8, 80, 12)), thin, healthy),
    "friction-loss-corrected": along_flow(),
    "friction-lemma-printed": never(),
    "friction-lemma-corrected": along_flow(),
    "friction-pseudo-loss-printed": never(),
    "friction-pseudo-loss-corrected": along_flow(),
    "friction-coefficient-printed": Case(lambda: kernel(1.0, 2.0), None, healthy),
    "friction-coefficient-corrected": constant(1.01),
    "friction-distance-printed": Case(lambda: edit_solver(spread(), frozen), narrow, spread),
    "friction-distance-corrected": moves_in_flow(),
    "vanishing-loss-constant": NOTHING,
    "vanishing-loss-slides": NOTHING,
    "vanishing-loss": along_flow(),
    "vanishing-prefactor-printed": never(),
    "vanishing-prefactor-corrected": tight(1.01),
    "vanishing-distance-printed": never(),
    "vanishing-distance-corrected": along_flow(),
    "vanishing-proof-integral": never(outside=None),
    "bootstrap": NOTHING,
    "widths-printed": NOTHING,
    "widths-corrected": NOTHING,
    "friction-beats-gradient-flow": Case(spread, lambda: of_inputs(np.eye(3)), 0.5),
    "friction-true-rate": along_flow(),
    "activation-force-printed": Case(lambda: kernel(0.4, 1.9), thin, healthy),
    "activation-force-corrected": tight(1.01),
    "hessian-printed": Case(lambda: of_inputs(spread().x, width=1), None, spread),
    "hessian-corrected": Case(spread, None, 1.01),
    "nesterov-rate-printed": never(outside=None),
    "nesterov-rate-corrected": constant(1.0001),
    "heavy-ball-rate": constant(1.0001),
    "nesterov-rate-range": constant(),
    "fine-heavy-ball-loss": along_flow(),
    "fine-heavy-ball-distance-printed": moves_in_flow(),
    "fine-heavy-ball-distance-corrected": moves_in_flow(),
    "fine-nesterov-loss": along_flow(),
    "fine-nesterov-loss-sharper": along_flow(),
    "fine-nesterov-distance": moves_in_flow(),
    "start-curvature-printed": never(),
    "start-curvature-corrected": tight(),
    "speed-constant-printed": never(outside=None),
    "speed-constant-corrected": constant(),
    "speed-decay-printed": never(outside=None),
    "speed-decay-corrected": constant(0.9),
    "nesterov-faster-printed": never(),
    "nesterov-faster-corrected": tight(0.9),
    "wording-printed": NOTHING,
    "wording-corrected": NOTHING,
    "slide-same-dynamics-printed": Case(lambda: edit_solver(healthy(), frozen), thin, healthy),
    "slide-same-dynamics-corrected": tight(0.5),
    "lyapunov-fine-heavy-ball": tight(0.9),
    "lyapunov-fine-nesterov": tight(0.9),
    "lyapunov-fine-nesterov-derivative": tight(1.01),
    "lyapunov-friction": tight(),
    "lyapunov-vanishing": along_flow(),
    "lyapunov-vanishing-higher": never(),
    "lower-bound": Case(linear, lambda: run(GD), too_good),
    "optimal-schedule": Case(spread, None, 1.01),
    "power-law-gradient-descent": constant(1.01),
    "power-law-nesterov": constant(1.01),
    "power-law-nesterov-flow": constant(1.01),
    "plateau-small-batches": Case(lambda: on_batch(2), lambda: on_batch(None), 0.5),
    "plateau-large-batches": Case(lambda: on_batch(None), lambda: on_batch(2), 0.5),
    "stability-crossover": Case(lambda: on_batch(3), lambda: run(NAG), 0.5),
    "sharpness-large-batches": Case(
        lambda: on_batch(None),
        lambda: on_batch(1),
        lambda: on_batch(None, largest=np.array([1.0, 20.0, 20.0, 20.0, 20.0])),
    ),
    "heavy-ball-worst-case": tight(),
    "nesterov-worst-case": tight(0.5),
    "silver-worst-case": tight(1.01),
    "heavy-ball-cycle": Case(healthy, lambda: kernel(1.0, 17.0), 1.01),
    "nesterov-deep-rate": Case(
        lambda: run(NAG, norm=2.0 * 0.2 ** np.arange(STEPS)),
        lambda: run(HB),
        lambda: run(NAG, norm=FLAT),
    ),
}
