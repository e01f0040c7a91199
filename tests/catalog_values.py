"""Both sides of every statement on fixed evidence, written out from the papers and nothing else.

`VALUES` holds, for every statement that can be judged, its two sides as functions of the
coordinate, where it is looked at, the margins of its assumptions, and its roundings; evaluated with
mpmath at 30 digits where that is fast enough.  `check` compares a theorem with them.
`benchmarks/mutants.py` changes every constant of the catalogue and asks `check` to notice.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from mpmath import mp, mpf

from catalog_cases import FakeProbes
from inertial.linear.kernel import infinite_gram
from inertial.method.recursion import Recursion, gradient_descent, heavy_ball, nesterov
from inertial.problem.flips import Flips
from inertial.theory.evidence import Evidence, Kernel, Missing, Records
from inertial.theory.start import Start

mp.dps = 30

# --- the evidence ---------------------------------------------------------------------------------

EIGENVALUES = np.array([0.3, 0.5, 1.1, 2.6, 4.7])
L0, LM, N, M = mpf(0.3), mpf(4.7), 5, 8
MU = L0 / 2
LOW, UP = 3 * L0 / 4, LM + L0 / 4
KAPPA = UP / LOW
ROOT = mp.sqrt(KAPPA)
S = 2 / UP
C = mp.sqrt(MU * S)
INPUTS = np.array(
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.6, 0.8], [0.8, 0.0, 0.6]]
)
TARGETS = np.array([1.0, -1.0, 0.5, 2.0, -0.25])
WEIGHTS = np.array(
    [
        [0.3, -1.1, 0.4], [-0.7, 0.2, 0.9], [1.3, 0.5, -0.2], [-0.4, -0.6, 0.1],
        [0.8, 1.4, -1.2], [-1.5, 0.7, 0.6], [0.05, -0.3, 1.1], [0.9, -0.8, -0.5],
    ]
)  # fmt: skip
SIGNS = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0, -1.0])
STEPS = np.arange(7)
NORM = 2.0 * 0.7**STEPS
DISTANCE = 0.01 * (1 - 0.6**STEPS)
CHANGE = 0.002 * STEPS
SPLIT = 5
PHI = 1e-3 * np.outer(0.5 ** np.arange(SPLIT), [1.0, -0.2, 0.4, 0.8, -0.6])
PSI = 1e-3 * np.outer(0.6 ** np.arange(SPLIT), [0.3, 0.1, -0.7, 0.2, 0.5])
RESIDUAL = np.outer(0.7 ** np.arange(SPLIT + 1), [1.0, -1.0, 0.5, 0.25, 1.25])
COUNTS = np.array([3, 0, 2, 5, 1])


@dataclass(frozen=True)
class Split:
    """A residual decomposition with made-up numbers."""

    method: Recursion
    phi: np.ndarray = field(default_factory=PHI.copy)
    psi: np.ndarray = field(default_factory=PSI.copy)
    residual: np.ndarray = field(default_factory=RESIDUAL.copy)
    counts: np.ndarray = field(default_factory=COUNTS.copy)
    radius: float = 1e-4
    identity_error: np.ndarray = field(default_factory=lambda: np.arange(5) * 1e-15)
    printed_error: np.ndarray = field(default_factory=lambda: np.arange(5) * 1e-14)
    step_error: np.ndarray = field(default_factory=lambda: np.arange(5) * 1e-13)


@cache
def start() -> Evidence:
    """A network of eight neurons whose weights are given, not drawn."""
    made = Start(INPUTS, TARGETS, M, seed=0)
    made.__dict__["weights"] = (WEIGHTS, SIGNS)
    return Evidence(Kernel(EIGENVALUES), inputs=INPUTS, at_start=made)


def on_run(method: Recursion) -> Evidence:
    """Records of eight neurons, with probes and a decomposition."""
    records = Records(
        method,
        M,
        "float64",
        STEPS,
        NORM**2 / 2,
        scale=2.0,
        max_distance=DISTANCE,
        pattern_change=CHANGE,
    )
    probes = FakeProbes(
        steps=np.array([0, 3, 6]),
        smallest=np.array([0.25, 0.24, 0.23]),
        largest=np.array([4.6, 4.7, 4.8]),
        drift_spectral=np.array([0.0, 0.1, 0.2]),
        drift_frobenius=np.array([0.0, 0.3, 0.4]),
        flips=Flips(0.1, M, COUNTS, 1.5),
    )
    return replace(start(), along_run=records, probed=probes, decomposed=Split(method))


ETA_N, BETA_N = 1 / (2 * UP), (3 * ROOT - 2) / (3 * ROOT + 2)
ETA_H, RATE_H = mpf(0.2), 1 - mp.sqrt(mpf(0.2) * L0 / 2)


@cache
def kernel() -> Evidence:
    return Evidence(Kernel(EIGENVALUES))


@cache
def descent() -> Evidence:
    """Gradient descent, in float32."""
    evidence = on_run(gradient_descent(0.3))
    return replace(evidence, along_run=replace(evidence.run, precision="float32"))


@cache
def ball() -> Evidence:
    return on_run(heavy_ball(0.2, float(RATE_H**2)))


@cache
def fast() -> Evidence:
    return on_run(nesterov(float(ETA_N), float(BETA_N)))


@cache
def quiet() -> Evidence:
    """A run whose activations change after its first probe only."""
    change = np.where(STEPS > 3, 0.1, 0.0)
    return replace(descent(), along_run=replace(descent().run, pattern_change=change))


# --- what is expected -----------------------------------------------------------------------------

Number = Any
"""A float or an mpmath number."""


@dataclass(frozen=True, eq=False)
class Values:
    """What a statement's parts are; `grid` is count, first and last of the coordinates,
    then the second and third where they are fixed apart."""

    evidence: Callable[[], Evidence]
    left: Callable[[float], Number]
    right: Callable[[float], Number]
    grid: tuple[Number, ...] | None = None
    margins: tuple[Number | None, ...] = ()
    noise: Callable[[int], Number] | None = None
    trivial: Number | None = None
    chance: Number | None = None
    tolerance: float = 1e-9
    relative: float = 1e-9


PD = 1 - N * mpf(2) ** -52 * LM / L0
SHORT = mpf("1e-9")
ROUND = 32 * 2.0**-52 * 2.0
ROUND_32 = 32 * 2.0**-23 * 2.0


def scalar(evidence, left, right, *margins, **more):
    return Values(evidence, lambda _: left, lambda _: right, None, margins, **more)


def at(evidence, grid, left, right, *margins, **more):
    return Values(evidence, left, right, grid, margins, **more)


def by_step(evidence, left, right, *margins, first=0, last=6, **more):
    return Values(evidence, left, right, (int(last - first + 1), first, last), margins, **more)


def spread(low, high, count=60):
    """Eigenvalues from one end to the other, equally spaced in their logarithm."""
    return [float(low) * (float(high) / float(low)) ** (k / (count - 1)) for k in range(count)]


def oscillator(friction, stiffness, time):
    """x and x' of ``x'' + p x' + q x = 0`` from rest at 1."""
    h, t = mpf(friction) / 2, mpf(time)
    w = mp.sqrt(mpf(stiffness) - h**2)
    wave = mp.sin(w * t) / w if abs(w) > 1e-12 else t
    decay = mp.exp(-h * t)
    return mp.re(decay * (mp.cos(w * t) + h * wave)), mp.re(-decay * stiffness * wave)


def bessel(d, l, time):
    """x and x' of ``x'' + d/t x' + l x = 0`` from rest at 1."""
    nu, z = (mpf(d) - 1) / 2, -l * mpf(time) ** 2 / 4
    slope = -l * mpf(time) / (2 * (nu + 1))
    return mp.hyp0f1(nu + 1, z), slope * mp.hyp0f1(nu + 2, z)


FIRST_TIME = mpf("0.1") / mp.sqrt(LM)
TIMES = (121, 0, 20 / mp.sqrt(MU), FIRST_TIME)
AFTER = (120, FIRST_TIME, TIMES[2])
DISTANCES = (401, 0, 10 / mp.sqrt(MU), 1 / (10 * mp.sqrt(MU)))
FRICTION = mp.sqrt(2 * L0)


def worst(value, low=MU, high=LM):
    """Largest of a function of (eigenvalue, coordinate) over the 60 eigenvalues."""
    modes = spread(low, high)
    return lambda t: max(value(mpf(l), t) for l in modes)


def friction_square(l, t):
    return oscillator(FRICTION, l, t)[0] ** 2


def fine(l, t, s, nesterov):
    c = mp.sqrt(MU * s)
    friction = FRICTION + (mp.sqrt(s) * l if nesterov else 0)
    return oscillator(friction, (1 + c) * l, t)[0]


def rate_n(a):
    return (4 + 3 * mpf(a) - mp.sqrt(8 + 16 * mpf(a) + 9 * mpf(a) ** 2)) / 2


RATE_HB = 2 - mp.sqrt(2)


def matrix_power(trace, determinant, count):
    """2 x 2 companion to a power, by repeated squaring."""
    result, base = mp.eye(2), mp.matrix([[trace, -determinant], [1, 0]])
    while count:
        if count & 1:
            result = result * base
        base, count = base * base, count >> 1
    return result


def norm_2(matrix):
    total = sum(entry**2 for entry in matrix)
    area = mp.det(matrix)
    return mp.sqrt((total + mp.sqrt(max(total**2 - 4 * area**2, 0))) / 2)


def ball_power(eta, root, t):
    def value(l, _):
        return norm_2(matrix_power(1 + root**2 - eta * l, root**2, int(t))) / root ** int(t)

    return value


def fast_power(eta, beta, rate, t):
    def value(l, _):
        kept = 1 - eta * l
        return norm_2(matrix_power((1 + beta) * kept, beta * kept, int(t))) / rate ** int(t)

    return value


def decay_steps(rate):
    last = 20 / (1 - float(rate))
    steps = set(range(200)) | {round(200 * (max(last, 400) / 200) ** (k / 799)) for k in range(800)}
    return len(steps), 0, max(steps)


OWN_ETA = L0 / N**2
OWN = 1 - mp.sqrt(L0**2 / N**2 / 2)
SMALL = 1 - L0**2 / N**2 / mpf("0.5")
COMPLEX = 1 - OWN_ETA * LM / (1 + OWN) ** 2


def from_rest(t):
    """Largest ``|z_t|/|z_0|`` from ``xi_0 = xi_{-1}``, by the matrix."""

    def value(l, _):
        power = matrix_power(1 + OWN**2 - OWN_ETA * l, OWN**2, int(t))
        state = power * mp.matrix([1, 1])
        return mp.sqrt((state[0] ** 2 + state[1] ** 2) / 2)

    return worst(value, L0)(t)


def ball_prefactor(root, eta, low, high):
    b = root**2
    gap = min(4 * b - (1 + b - eta * l) ** 2 for l in (low, high))
    return (2 * b + 2) / mp.sqrt(gap)


def fast_prefactor(eta, beta, low, high):
    gap = min(4 * beta * (1 - eta * l) - ((1 + beta) * (1 - eta * l)) ** 2 for l in (low, high))
    return (2 * beta * (1 - eta * low) + 2) / mp.sqrt(gap)


TABLE = 1 - 1 / (2 * ROOT)
CLAIMED = 1 - 1 / (2 * ROOT)
RADIUS_N = mp.sqrt(BETA_N * (1 - ETA_N * LOW))
EDGE_ETA = 1 / (2 * UP)
EDGE = (1 - mp.sqrt(EDGE_ETA * L0)) / (1 + mp.sqrt(EDGE_ETA * L0))
BETWEEN = (1 + EDGE) / 2


def edge_growth(beta, t):
    return fast_power(EDGE_ETA, beta, mp.sqrt(beta * (1 - EDGE_ETA * L0)), t)(L0, 0)


def theta(a):
    return mp.log(1 - mpf(a)) / mp.log(1 - mp.sqrt(mpf(a)))


SHARE = L0**2 / (2 * N**2)
SCALED = [float(1e-6 * (0.5 / 1e-6) ** (k / 24)) for k in range(25)]
TARGET_GRID = (20, mpf("1e-6"), mpf("0.4"))


def c_t(rate, last=4000):
    """Largest ``b^t (1 + b sum_{s<t} b^s)`` for t up to `last`."""
    b, power, total, best = float(rate), 1.0, 0.0, 0.0
    for _ in range(last + 1):
        best = max(best, power * (1 + b * total))
        total += power
        power *= b
    return best


def lemma_9(chain):
    def sides(scaled):
        b = 1 - math.sqrt(scaled / 2)
        ct, middle = c_t(b), 1 / (4 * b * math.sqrt(scaled / 2))
        c = 16 * math.sqrt(2) * ct * scaled / (64 * N)
        return [
            (ct, middle),
            (middle, 1 / math.sqrt(2 * scaled)),
            (c / (1 - b), 1 / (2 * math.sqrt(2) * N)),
        ]

    return lambda scaled: sides(scaled)[chain]


# --- the start, through the network itself --------------------------------------------------------

PRE = WEIGHTS @ INPUTS.T
ON = PRE >= 0
XI = SIGNS @ np.maximum(PRE, 0) / np.sqrt(M) - TARGETS
GRAM = INPUTS @ INPUTS.T * (ON.T.astype(float) @ ON) / M
JACOBIAN = (
    ((ON * SIGNS[:, None] / np.sqrt(M))[:, :, None] * INPUTS).transpose(1, 0, 2).reshape(N, -1)
)
ENDS = np.linalg.eigvalsh(GRAM)[[0, -1]]
PSEUDO = XI @ GRAM @ XI / 2
GRADIENTS = np.linalg.norm((JACOBIAN.T @ XI).reshape(M, 3), axis=1)
ERROR = GRAM - np.array(
    [
        [
            a
            @ b
            * (math.pi - math.acos(max(-1, min(1, a @ b / math.sqrt(a @ a * (b @ b))))))
            / (2 * math.pi)
            for b in INPUTS
        ]
        for a in INPUTS
    ]
)
np.fill_diagonal(ERROR, np.diag(GRAM) - 0.5)
NEAR = 1 - 4 * np.abs(np.linalg.eigvalsh(ERROR)).max() / L0
HALF = 2 * ENDS[0] / L0 - 1
UNIT = np.sqrt(PSEUDO * N / (float(L0) ** 3 * M))


def moved(mode):
    """Largest distance of a neuron along a flow of the linearised network."""
    values, vectors = np.linalg.eigh(GRAM)

    def distance(t):
        change = [(float(mode(mpf(l), t)) - 1) / l for l in values]
        c = vectors @ (np.array(change) * (vectors.T @ XI))
        return np.linalg.norm((JACOBIAN.T @ c).reshape(M, 3), axis=1).max()

    return distance


def block_hessian():
    total = np.zeros(N)
    for r in range(M):
        own = JACOBIAN.reshape(N, M, 3)[:, r]
        total += own @ own.T @ own @ own.T @ XI
    return np.linalg.norm(total)


def least_share(t):
    """Least ``|p(H) xi|^2/|xi|^2`` over degree t by normal equations of the moments xi H^k xi."""
    if t >= N:
        return mpf(0)
    gram, image, moments = mp.matrix(GRAM.tolist()), mp.matrix(XI.tolist()), []
    start = image
    for _ in range(2 * int(t) + 1):
        moments.append((start.T * image)[0])
        image = gram * image
    if t == 0:
        return mpf(1)
    degrees = range(1, int(t) + 1)
    system = mp.matrix([[moments[i + j] for j in degrees] for i in degrees])
    right = mp.matrix([moments[i] for i in degrees])
    return 1 - (right.T * mp.lu_solve(system, right))[0] / moments[0]


def batch_limit(tau, beta):
    """Step size at which ``sum g/(1+g) = 1``, g as for any method with gamma = 0."""

    def gain(eta, l):
        over = tau * eta * l * (1 + beta)
        return over / ((1 - beta) * (2 * (1 + beta) - eta * l))

    def excess(eta):
        return sum(gain(eta, mpf(l)) / (1 + gain(eta, mpf(l))) for l in EIGENVALUES) - 1

    return mp.findroot(excess, (mpf("0.01"), 2 * (1 + beta) / LM * mpf("0.999")), solver="anderson")


def on_batches(batch):
    evidence = ball()
    return replace(evidence, along_run=replace(evidence.run, batch=batch))


BETA_H = RATE_H**2
TRACE = sum(mpf(l) for l in EIGENVALUES)
FEW, MANY = mpf(3) / 8, mpf(1) / 16
C_FEW, C_MANY = (tau * (1 + BETA_H) / (1 - BETA_H) for tau in (FEW, MANY))
LIMIT_FEW, LIMIT_MANY = batch_limit(FEW, BETA_H), batch_limit(MANY, BETA_H)
LOW_FEW, LOW_MANY = (2 * (1 - BETA_H) / (tau * TRACE) for tau in (FEW, MANY))
HIGH = 2 * (1 + BETA_H) / LM
BETWEEN_FEW, BETWEEN_MANY = (2 * (1 + BETA_H) / (c * TRACE + (1 - c) * LM) for c in (C_FEW, C_MANY))
EXPONENTS = {0.5: 3.0, 0.6: 0.5, 1.0: 1.0, 1.5: 2.0}


def power_law(left, right):
    """Exponents are measured at finite steps: half a percent from their limits."""
    return at(kernel, (4, 0.5, 1.5, 0.6, 1.0), left, right, tolerance=5e-3, relative=5e-3)


def slowest(trace, determinant, share=lambda _: 1):
    """Largest ``share(l) x_t^2`` over the eigenvalues, from ``x_0 = x_{-1} = 1``, by the matrix."""

    def value(t):
        found = []
        for l in map(mpf, EIGENVALUES):
            state = matrix_power(trace(l), determinant(l), int(t)) * mp.matrix([1, 1])
            found.append(share(l) * state[0] ** 2)
        return max(found)

    return value


def following(rate):
    """Steps from 1 on until `rate` has decayed."""
    count, _, last = decay_steps(rate)
    return count - 1, 1, last


SLOW_RATE = 1 - L0 / (2 * LM)
SLOW_BETA = mp.sqrt(SLOW_RATE * mpf("0.5"))
FAST_RATE = 1 - mp.sqrt(L0 / LM)
FAST_BETA = (mp.sqrt(LM) - mp.sqrt(L0)) / (mp.sqrt(LM) + mp.sqrt(L0))


def silver(count):
    """Step sizes times L, and the rate (Altschuler and Parrilo 2023, by their recursion)."""
    k, z = LM / L0, L0 / LM

    def psi(t):
        return (1 + k * t) / (1 + t)

    steps = [psi(z)]
    while len(steps) < count:
        root = 1 - z + mp.sqrt(1 + (1 - z) ** 2)
        steps = [*steps[:-1], psi(z / root), *steps[:-1], psi(z * root)]
        z *= root
    return steps, ((1 - z) / (1 + z)) ** 2


def silver_mode(count):
    steps, _ = silver(count)
    return max(mp.fprod(1 - h * mpf(l) / LM for h in steps) ** 2 for l in EIGENVALUES)


def triangle_clearance(low, high):
    """Least angle condition of heavy ball's cycle of three points, with real vectors."""
    root = mp.sqrt(mpf(high) / low)
    eta, beta = 4 / (mp.sqrt(low) + mp.sqrt(high)) ** 2, ((root - 1) / (root + 1)) ** 2
    z = [mp.matrix([mp.cos(2 * mp.pi * k / 3), mp.sin(2 * mp.pi * k / 3)]) for k in range(3)]
    slopes = [((1 + beta) * z[k] - z[(k + 1) % 3] - beta * z[k - 1]) / eta for k in range(3)]
    corners = [(g - low * x) / (high - low) for g, x in zip(slopes, z, strict=True)]
    angles = [-mp.fdot(z[0] - corners[0], other - corners[0]) for other in corners[1:]]
    return min(angles) / mp.fdot(corners[0], corners[0])


# --- along a run ----------------------------------------------------------------------------------

PAIR = np.hypot(NORM, np.concatenate([NORM[:1], NORM[:-1]]))
R = float(max(DISTANCE) * (1 + 1e-4))
START_ABOVE, START_BELOW = ENDS[0] / LOW - 1, 1 - ENDS[1] / UP
AGREE = mpf("1e-6")
RULE = (SHORT, AGREE, AGREE, START_ABOVE, START_BELOW)
RADIUS_4 = L0 / (64 * N**2)
C_T = c_t(RATE_H, 6)
FLOOR_4 = 16 * math.sqrt(2) * ETA_H * N * RADIUS_4 * C_T * 2 / (1 - RATE_H)
DECAYS_4 = min(1 - PAIR[t] / (RATE_H**t * PAIR[0] + FLOOR_4) for t in range(7))
GAMMA = 12 * ROOT
SMALL_RADIUS = 1 - mpf("1e-4") / (LOW / (360 * N * GAMMA))
# Algorithm 1's first step (1 + beta) eta g_0 is that from xi_{-1} = (I - eta H_0)^{-1} xi_0.
BEFORE = np.linalg.solve(np.eye(N) - float(ETA_N) * GRAM, XI)
PAIR_N = np.hypot(NORM, [np.linalg.norm(BEFORE), *NORM[:-1]])
LOSS_BOUND = [24 * ROOT * CLAIMED**t * PAIR_N[0] for t in range(7)]
DECAYS_E = min(1 - PAIR_N[t] / LOSS_BOUND[t] for t in range(7))
PROOF = (*RULE, SMALL_RADIUS, DECAYS_E)
WIDTH_E = 1 - (48 * 360 * 12 * mp.sqrt(2) * mpf(N) ** 1.5 * KAPPA * 2 / LOW**2) ** 2 / M
NOISE_2 = lambda _: 2 * ROUND  # noqa: E731


def drift_noise(t):
    return 1e-9 * DISTANCE[t]


def split_norms(t):
    return [np.linalg.norm(RESIDUAL[s]) for s in range(int(t) + 1)]


def ball_remainder(t):
    norms, b = split_norms(t), RATE_H**2
    past = sum(b ** (t - 1 - s) * norms[s] for s in range(int(t)))
    return ETA_H * mp.sqrt(N) / M * 2 * (norms[-1] + b * past)


def fast_remainder(now, before):
    def bound(t):
        norms, b = split_norms(t), BETA_N
        previous = norms[max(int(t) - 1, 0)]
        past = sum(2 * b ** (t + 1 - s) * norms[s] for s in range(int(t)))
        return ETA_N * mp.sqrt(N) / M * (now(b) * norms[-1] + before(b) * previous + past)

    return bound


def a_sample(t):
    return max(abs(PHI[int(t), i]) / COUNTS[i] for i in range(N) if COUNTS[i])


def of_most(t):
    return max(abs(PHI[int(t), i]) for i in range(N)) / 5


def reach(t):
    radius = np.maximum.accumulate(DISTANCE * (1 + 1e-9))[int(t)]
    return np.mean((-radius <= PRE) & (radius > PRE))


def unrolled(t):
    """Error of the residual rebuilt from the remainders at step t >= 1, with full matrices."""
    b, e = float(BETA_N), float(ETA_N)
    state, before = RESIDUAL[0], RESIDUAL[0]
    for s in range(int(t)):
        image = GRAM @ state
        last = GRAM @ before if s else np.zeros(N)
        after = state + b * (state - before) * bool(s) + PHI[s] + PSI[s]
        after = after - e * ((1 + b) * image - b * last)
        state, before = after, state
    return np.abs(state - RESIDUAL[int(t)]).max() / np.abs(RESIDUAL[0]).max()


def buffer(which):
    """2 + the residual after 40 steps of heavy ball's two-term recursion on one of two modes."""
    l, eta, b = (L0, LM)[which], 1 / UP, TABLE**2
    now = before = mpf(1)
    for _ in range(40):
        now, before = now + b * (now - before) - eta * l * now, now
    return 2 + now


def block_printed(which):
    l, eta, b = (L0, LM)[which], 1 / UP, TABLE**2
    now = before = mpf(1)
    for _ in range(40):
        now, before = (1 + b - eta * l) * now - b * l * before, now
    return 2 + now


def varying(scaled, last):
    """``|xi_t|`` of the extrapolated sequence, w and v apart, friction 3."""
    w = v = mpf(1)
    sizes = []
    for t in range(last):
        sizes.append(abs(w))
        v_next = (1 - scaled) * w
        w, v = v_next + mpf(t) / (t + 3) * (v_next - v), v_next
    return sizes


@cache
def envelopes(linear):
    scaled = LM / (4 * UP)
    sizes = varying(scaled, 840)
    if linear:
        sizes = [
            x / (mpf(max(t, 1)) ** mpf(-1.5) * (1 - scaled) ** (mpf(t) / 2))
            for t, x in enumerate(sizes)
        ]
    return max(sizes[400:440]), max(sizes[800:])


@cache
def bessel_peak():
    """Largest ``tau^6 x(tau)^2`` of the d/t flow, d = 9; it lies near tau = 6."""

    def size(tau):
        return tau**6 * bessel(9, 1, tau)[0] ** 2

    taus = [mpf(k) / 100 for k in range(50, 3000)]
    best = max(taus, key=size)
    return max(size(best + mpf(k) / 1000) for k in range(-20, 21))


def slide_gap(s):
    modes = spread(MU, LM)
    times = [0, *spread(FIRST_TIME, TIMES[2], 120)]
    p = float(FRICTION)

    def value(friction, stiffness, t):
        h = friction / 2
        w = np.sqrt(np.asarray(stiffness - h**2, complex))
        wave = np.where(abs(w) > 1e-7, np.sin(w * t) / np.where(abs(w) > 1e-7, w, 1), t)
        return (np.exp(-h * t) * (np.cos(w * t) + h * wave)).real

    l, t = np.array(modes), np.array(times)[:, None]
    s = float(s)
    fine = value(p + math.sqrt(s) * l, (1 + math.sqrt(float(MU) * s)) * l, t)
    return np.abs(fine - value(p, l, t)).max()


TINY = 1e-6 * MU / LM**2
TINY_STEPS = [TINY, TINY / 4, TINY / 16]


def lyapunov_rate(flow, form, l):
    """Smallest generalised eigenvalue of -(M A + A' M) against M, by the quadratic formula."""
    friction, stiffness = flow(l)
    m = form(l)
    a = mp.matrix([[0, 1], [-stiffness, -friction]])
    k = -(m * a + (m * a).T)
    # det(K - r M) = 0
    second = mp.det(m)
    first = -(k[0, 0] * m[1, 1] + k[1, 1] * m[0, 0] - 2 * k[0, 1] * m[0, 1])
    last = mp.det(k)
    return (-first - mp.sqrt(max(first**2 - 4 * second * last, 0))) / (2 * second)


def square_form(a, b):
    return mp.matrix([[a * a, a * b], [a * b, b * b]])


def fine_form(nesterov):
    def form(l):
        mixed = FRICTION + (mp.sqrt(S) * l if nesterov else 0)
        return (
            (1 + C) * l / 2 * square_form(mpf(1), mpf(0))
            + square_form(mpf(0), mpf(1)) / 4
            + square_form(mixed, mpf(1)) / 4
        )

    return form


def fine_flow(nesterov):
    return lambda l: (FRICTION + (mp.sqrt(S) * l if nesterov else 0), (1 + C) * l)


def friction_form(l):
    return square_form(mpf(1), mpf(0)) * l / 2 + square_form(mp.sqrt(MU), mpf(1)) / 2


MODES = (60, MU, LM)
FINE_MODES = (60, MU, UP)


def state(l):
    """The state that the derivative is looked at on the mode l, out of 60."""
    modes = spread(MU, UP)
    k = int(np.argmin(np.abs(np.array(modes) - float(l))))
    angle = mpf("0.1") + mpf("2.9") * k / 59
    return mp.cos(angle), mp.sqrt(l) * mp.sin(angle)


def stated(l):
    d, v = state(mpf(l))
    return (
        mp.sqrt(MU) * v**2
        + mp.sqrt(S) / 2 * l * v**2
        + (1 + C) * FRICTION * l * d**2 / 2
        + mp.sqrt(S) / 2 * (1 + C) * (l * d) ** 2
    )


def energy_ratio(power):
    """Largest ``V(t)/V(previous t)`` of the d/t flow over the modes, d = 6."""
    times = spread(FIRST_TIME, TIMES[2], 120)
    k = 12 - power

    def energy(l, t):
        x, v = bessel(6, l, t)
        return (
            t**power * l * x**2 / 2 + mpf(k) ** 2 * t ** (power - 2) / 8 * (x + 2 * t / k * v) ** 2
        )

    def ratio(t):
        i = int(np.argmin(np.abs(np.array(times) - t)))
        modes = spread(MU, LM)
        return max(energy(mpf(l), mpf(times[i])) / energy(mpf(l), mpf(times[i - 1])) for l in modes)

    return ratio


def exponent(nesterov):
    def value(l):
        p, q = (FRICTION + (mp.sqrt(S) * mpf(l) if nesterov else 0)), (1 + C) * mpf(l)
        return p / 2 - mp.sqrt(max(p**2 / 4 - q, 0))

    return value


def speed(c):
    return (1 + mpf(c)) * mp.sqrt(12) / (mp.sqrt(2) - RATE_HB / (2 * mp.sqrt(2)))


def slow_decay(prefactor):
    return lambda t: prefactor * mp.exp(-mp.sqrt(MU) * mpf(t))


ALPHAS = (25, mpf("0.02"), mpf("0.5"))
KAPPAS = (81, 1, mpf("1e8"))


def middle(k):
    k = mpf(k)
    return 2 * (9 * k**1.5 - 3 * mp.sqrt(k) - 2 * k + 2) / mp.sqrt(k * (2 * k - 1))


def exact_c(k):
    k = mpf(k)
    return (12 * k**1.5 - 3 * mp.sqrt(k) + 2) / mp.sqrt(k * (2 * k - 1))


@dataclass(frozen=True, eq=False)
class Chains:
    """Several inequalities stacked over one grid of `count` coordinates."""

    evidence: Callable[[], Evidence]
    parts: tuple[Callable[[float], tuple[Number, Number]], ...]
    grid: tuple[int, Number, Number]
    margins: tuple[Number | None, ...] = ()
    tolerance: float = 1e-9
    relative: float = 1e-9


def rho(k):
    return 1 - 1 / (2 * mp.sqrt(mpf(k)))


def fine_worst(nesterov):
    """Worst loss over the pseudo-loss at 0, over three step sizes up to the largest."""

    def value(t):
        found = []
        for s in (S / 1000, S / 10, S):
            scale = 1
            if nesterov:
                scale = mp.exp(rate_n(mp.sqrt(2 * L0 * s) / 4) * mp.sqrt(MU) * mpf(t))
            modes = spread(MU, LM)
            found.append(max(fine(mpf(l), t, s, nesterov) ** 2 / l for l in modes) * scale)
        return max(found)

    return value


VALUES: dict[str, Values | Chains] = {
    # kernels
    "kernel-positive": scalar(start, N * 2.0**-52 * 4.7, L0, 0.5),
    "kernel-positive-exact": scalar(start, 1, 1),
    "kernel-distinct-inputs-corrected": scalar(start, N * 2.0**-52 * 4.7, L0, 0.5),
    "start-near": scalar(start, np.abs(np.linalg.eigvalsh(ERROR)).max(), L0 / 4, None),
    "start-near-frobenius": scalar(start, np.linalg.norm(ERROR), L0 / 4, None),
    "start-smallest": scalar(start, LOW, ENDS[0], NEAR),
    "start-largest": scalar(start, ENDS[1], UP, NEAR),
    "start-condition": scalar(start, ENDS[1] / ENDS[0], 4 * LM / (3 * L0) + mpf(1) / 3, NEAR),
    "drift-quarter": at(
        descent, (3, 0, 6), lambda t: {0: 0, 3: 0.1, 6: 0.2}[t], lambda _: L0 / 4, None
    ),
    "drift-half": at(
        descent, (3, 0, 6), lambda _: MU, lambda t: {0: 0.25, 3: 0.24, 6: 0.23}[t], None
    ),
    **{
        f"drift-largest-{form}": at(
            descent,
            (3, 0, 6),
            lambda t: {0: 4.6, 3: 4.7, 6: 4.8}[t],
            lambda _, part=part: LM + L0 / part,
            None,
        )
        for form, part in (("printed", 4), ("corrected", 2))
    },
    "drift-allowed": scalar(
        descent,
        np.linalg.norm(
            INPUTS
            @ INPUTS.T
            * (((np.abs(PRE) <= R)[:, :, None] | (np.abs(PRE) <= R)[:, None, :]).sum(0))
            / M
        ),
        2 * N * R,
        SHORT,
        1 - R,
        trivial=np.linalg.norm(INPUTS @ INPUTS.T),
        chance=1 - N**2 * math.exp(-M * R / 10),
    ),
    "drift-worst-case": at(descent, (3, 0, 6), lambda t: {0: 0, 3: 0.3, 6: 0.4}[t], lambda _: 1.5),
    "flippable-count": scalar(
        descent,
        (np.abs(PRE) <= R).sum(0).max(),
        4 * M * R,
        1 - R,
        trivial=M,
        chance=1 - N * math.exp(-M * R),
    ),
    "quarter-bounds-printed": scalar(kernel, L0 / 2, L0 / 4, PD),
    "quarter-bounds-corrected": scalar(kernel, L0 / 2, L0 / 2, PD),
    "pseudo-loss-size-corrected": scalar(start, PSEUDO, ENDS[1] * (XI @ XI) / 2),
    "kernel-constant-printed": by_step(descent, lambda t: CHANGE[int(t)], lambda _: 0),
    "kernel-constant-corrected": at(
        quiet,
        (3, 0, 6),
        lambda t: {0: 0, 3: 0.3, 6: 0.0}[t],
        lambda _: 1e-12 * np.linalg.norm(INPUTS @ INPUTS.T),
    ),
    "gram-indicators-printed": scalar(
        start,
        np.linalg.norm((INPUTS @ INPUTS.T * ON.mean(0)[:, None]) @ XI),
        np.linalg.norm(GRAM @ XI),
    ),
    "gram-indicators-corrected": scalar(
        start, np.linalg.norm(GRAM @ XI), np.linalg.norm(JACOBIAN @ JACOBIAN.T @ XI)
    ),
    "start-upper-extra-printed": scalar(kernel, mpf(1) / 4, mpf(3) / 16, PD, tolerance=1e-3),
    "start-upper-extra-corrected": scalar(kernel, mpf(1) / 4, mpf(1) / 4, PD, tolerance=1e-3),
    # residual
    **{
        key: at(
            run,
            (5, 0, 4),
            (lambda t: 1e-15 * t) if "printed" not in key else (lambda t: 1e-14 * t),
            lambda _: mpf("1e-9"),
        )
        for key, run in {
            "nesterov-recursion": fast,
            "heavy-ball-recursion": ball,
            "remainder-sign-printed": ball,
            "remainder-sign-corrected": ball,
        }.items()
    },
    "heavy-ball-remainder": at(ball, (5, 0, 4), a_sample, ball_remainder, SHORT),
    "nesterov-remainder-printed": at(
        fast, (5, 0, 4), of_most, fast_remainder(lambda b: 2 + 4 * b, lambda b: 3 * b), SHORT
    ),
    "nesterov-remainder-corrected": at(
        fast, (5, 0, 4), of_most, fast_remainder(lambda b: 2 + 2 * b, lambda b: 4 * b), SHORT
    ),
    "nesterov-remainder-sharper": at(
        fast, (5, 0, 4), a_sample, fast_remainder(lambda b: 2 + 2 * b, lambda b: 2 * b), SHORT
    ),
    "unrolled": at(fast, (5, 1, 5), unrolled, lambda _: mpf("1e-7")),
    "weight-steps": at(fast, (5, 1, 5), lambda t: 1e-13 * (t - 1), lambda _: mpf("1e-9")),
    "first-step-printed": scalar(fast, DISTANCE[1], ETA_N * GRADIENTS.max(), tolerance=1e-4),
    "first-step-corrected": scalar(
        fast, DISTANCE[1], (1 + BETA_N) * ETA_N * GRADIENTS.max(), tolerance=1e-4
    ),
    "block-corner-printed": at(
        kernel, (2, 0, 1), lambda k: block_printed(int(k)), lambda k: buffer(int(k))
    ),
    "block-corner-corrected": at(
        kernel, (2, 0, 1), lambda k: buffer(int(k)), lambda k: buffer(int(k))
    ),
    "flip-sets-printed": by_step(ball, reach, lambda t: CHANGE[int(t)]),
    "flip-sets-corrected": by_step(ball, lambda t: CHANGE[int(t)], reach),
    "flip-share": by_step(
        ball,
        lambda t: CHANGE[int(t)],
        lambda t: 4 * DISTANCE[int(t)],
        noise=lambda t: 4e-9 * DISTANCE[t + 1],
        trivial=1,
        first=1,
    ),
    # gradient descent
    "gradient-descent-loss": by_step(
        descent,
        lambda t: NORM[int(t)] ** 2,
        lambda t: (1 - mpf(0.3) * L0 / 2) ** int(t) * 4,
        1 - mpf(0.3) * L0 / 2 - max(abs(1 - mpf(0.3) * ENDS[0]), abs(1 - mpf(0.3) * ENDS[1])),
        noise=lambda t: 2 * NORM[t] * ROUND_32 + ROUND_32**2,
        trivial=4,
    ),
    "gradient-size": scalar(start, GRADIENTS.max(), np.sqrt(N / M) * np.linalg.norm(XI), SHORT),
    # heavy ball
    "companion-printed": scalar(
        kernel, worst(ball_power(OWN_ETA, OWN, 1))(0) * OWN, OWN, PD, SMALL
    ),
    "companion-corrected": scalar(kernel, OWN, OWN, PD, SMALL, COMPLEX, tolerance=1e-6),
    "complex-roots": scalar(kernel, OWN, OWN, PD, SMALL, COMPLEX, tolerance=1e-6),
    "double-root": at(
        kernel,
        decay_steps(1 - mp.sqrt(L0 / UP)),
        lambda t: ball_power(1 / UP, 1 - mp.sqrt(L0 / UP), t)(L0, 0),
        lambda _: 1,
        PD,
        tolerance=1e-6,
        relative=1e-7,
    ),
    "heavy-ball-powers": at(
        kernel,
        decay_steps(TABLE),
        lambda t: worst(ball_power(1 / UP, TABLE, t), LOW, UP)(t),
        lambda _: ball_prefactor(TABLE, 1 / UP, LOW, UP),
        PD,
        relative=1e-7,
    ),
    "heavy-ball-prefactor": scalar(
        kernel, ball_prefactor(TABLE, 1 / UP, LOW, UP), mpf("2.6") * ROOT, PD
    ),
    "heavy-ball-table": scalar(kernel, TABLE, 1 - 1 / (4 * ROOT), PD),
    "decay-printed": at(
        kernel,
        decay_steps(OWN),
        from_rest,
        lambda t: OWN ** int(t) + 1 / (2 * mp.sqrt(2) * N) / mp.sqrt(2),
        PD,
        SMALL,
        COMPLEX,
    ),
    "decay-corrected": at(
        kernel,
        decay_steps(OWN),
        lambda t: worst(ball_power(OWN_ETA, OWN, t), L0)(t),
        lambda _: ball_prefactor(OWN, OWN_ETA, L0, LM),
        PD,
        SMALL,
        COMPLEX,
        relative=1e-7,
    ),
    "decay-without-floor": at(
        kernel, decay_steps(OWN), from_rest, lambda t: OWN ** int(t), PD, SMALL, COMPLEX
    ),
    "decay-on-run": by_step(
        ball,
        lambda t: PAIR[int(t)],
        lambda t: RATE_H ** int(t) * PAIR[0] + 2 / (2 * mp.sqrt(2)),
        1 - mpf(0.2) * L0 / mpf("0.5"),
        AGREE,
        None,
        noise=NOISE_2,
        trivial=PAIR[0],
    ),
    "heavy-ball-distance": by_step(
        ball,
        lambda t: DISTANCE[int(t)],
        lambda t: (
            ETA_H
            * mp.sqrt(mpf(2) * N / M)
            * 2
            * (2 / (ETA_H * L0) + 32 * N * RADIUS_4 * C_T * int(t) / L0)
        ),
        SHORT,
        AGREE,
        DECAYS_4,
        noise=drift_noise,
    ),
    "floor-constants": Chains(
        kernel, tuple(lemma_9(k) for k in range(3)), (25, mpf("1e-6"), mpf("0.5"))
    ),
    "theta-increases": at(
        kernel,
        (199, mpf("0.001") + mpf("0.998") / 199, mpf("0.999")),
        lambda a: theta(a - 0.998 / 199),
        theta,
        relative=1e-7,
    ),
    "step-ratio-printed": at(
        kernel,
        TARGET_GRID,
        lambda g: theta(SHARE) * mp.log(mpf(g) / 2) / mp.log(mpf(g)),
        lambda _: theta(SHARE),
        PD,
        SMALL,
    ),
    "step-ratio-corrected": at(
        kernel,
        TARGET_GRID,
        lambda g: theta(SHARE) * mp.log(mpf(g) / 2) / mp.log(mpf(g)),
        lambda g: theta(SHARE) * mp.log(mpf(g) / 2) / mp.log(mpf(g)),
        PD,
        SMALL,
    ),
    **{
        f"theta-values-{form}": at(
            kernel,
            (2, mpf("1e-4"), mpf("1e-2")),
            lambda a, shown=shown: shown[round(math.log10(a))],
            theta,
            tolerance=1e-4,
        )
        for form, shown in (
            ("printed", {-2: 0.1, -4: 0.01}),
            ("corrected", {-2: 0.09539, -4: 0.00995}),
        )
    },
    # Nesterov
    "nesterov-powers": at(
        kernel,
        decay_steps(RADIUS_N),
        lambda t: worst(fast_power(ETA_N, BETA_N, RADIUS_N, t), LOW, UP)(t),
        lambda _: fast_prefactor(ETA_N, BETA_N, LOW, UP),
        PD,
        relative=1e-7,
    ),
    "nesterov-powers-edge-printed": scalar(
        kernel, edge_growth(EDGE, 1200), 2 * edge_growth(EDGE, 300), PD, relative=1e-7
    ),
    "nesterov-powers-edge-corrected": at(
        kernel,
        decay_steps(mp.sqrt(BETWEEN * (1 - EDGE_ETA * L0))),
        lambda t: edge_growth(BETWEEN, t),
        lambda _: fast_prefactor(EDGE_ETA, BETWEEN, L0, L0),
        PD,
        relative=1e-7,
    ),
    "nesterov-rate-and-prefactor": at(
        kernel,
        (2, 0, 1),
        lambda k: (RADIUS_N, fast_prefactor(ETA_N, BETA_N, LOW, UP))[int(k)],
        lambda k: (1 - 2 / (3 * ROOT), 12 * ROOT)[int(k)],
        PD,
    ),
    "nesterov-middle-printed": at(kernel, KAPPAS, middle, lambda k: 12 * mp.sqrt(mpf(k))),
    "nesterov-middle-corrected": at(kernel, KAPPAS, exact_c, lambda k: 12 * mp.sqrt(mpf(k))),
    "nesterov-norm-printed": scalar(
        kernel, worst(fast_power(ETA_N, BETA_N, 1, 1), LOW, UP)(0), 1, PD
    ),
    "nesterov-norm-corrected": scalar(kernel, RADIUS_N, 1, PD),
    "nesterov-table": scalar(kernel, RADIUS_N, CLAIMED, PD),
    **{
        key: by_step(
            fast,
            lambda t: PAIR_N[int(t)],
            lambda t: LOSS_BOUND[int(t)],
            *RULE,
            *more,
            noise=NOISE_2,
            trivial=PAIR_N[0],
        )
        for key, more in {
            "nesterov-loss": (),
            "nesterov-width-printed": (None,),
            "nesterov-width-corrected": (WIDTH_E,),
        }.items()
    },
    **{
        key: by_step(
            fast,
            lambda t: DISTANCE[int(t)],
            lambda _, square=square: 48 * mp.sqrt(square * N * KAPPA) / (LOW * mp.sqrt(mpf(M))) * 2,
            *RULE,
            noise=drift_noise,
        )
        for key, square in {"nesterov-distance": 2, "nesterov-distance-from-zero": 5}.items()
    },
    "nesterov-flip-part": at(
        fast,
        (5, 0, 4),
        lambda t: np.linalg.norm(PHI[int(t)]),
        lambda t: 2 / (15 * ROOT) * CLAIMED ** int(t) * PAIR_N[0],
        *PROOF,
    ),
    "nesterov-drift-part": at(
        fast,
        (5, 0, 4),
        lambda t: np.linalg.norm(PSI[int(t)]),
        lambda t: 1 / (30 * KAPPA) * CLAIMED ** int(t) * PAIR_N[0],
        *PROOF,
    ),
    **{
        f"nesterov-parts-{form}": at(
            fast,
            (5, 0, 4),
            lambda t: np.linalg.norm(PHI[int(t)] + PSI[int(t)]),
            lambda t, first=first: (2 / (15 * ROOT) + 1 / (30 * KAPPA)) * CLAIMED ** int(t) * first,
            *PROOF,
        )
        for form, first in (("printed", NORM[0]), ("corrected", PAIR_N[0]))
    },
    "nesterov-proof": Chains(
        kernel,
        (
            lambda k: (1 / (1 - rho(k)) + rho(k) ** 2 / (1 - rho(k)) ** 2, 4 * mpf(k)),
            lambda k: (
                1 + 2 * rho(k) ** 2 + rho(k) + rho(k) ** 3 / (1 - rho(k)),
                3 * mp.sqrt(mpf(k)),
            ),
            lambda k: (
                2 / (15 * mp.sqrt(mpf(k))) + 1 / (30 * mpf(k)),
                1 / (6 * mp.sqrt(mpf(k))),
            ),
        ),
        KAPPAS,
        relative=1e-7,
    ),
    "sublinear-printed": scalar(
        kernel,
        envelopes(False)[0] / 8,
        envelopes(False)[1],
        PD,
    ),
    "sublinear-corrected": scalar(
        kernel,
        envelopes(True)[1],
        envelopes(True)[0],
        PD,
        tolerance=0.1,
    ),
    # friction
    "gradient-flow-loss": at(
        kernel, TIMES, worst(lambda l, t: mp.exp(-2 * l * t)), lambda t: mp.exp(-L0 * t), PD
    ),
    **{
        key: at(
            kernel,
            TIMES,
            worst(lambda l, t: friction_square(l, t) / l),
            slow_decay(prefactor),
            PD,
        )
        for key, prefactor in {
            "friction-loss-printed": 1,
            "friction-loss-corrected": 4 / L0,
            "friction-lemma-printed": 2 / L0,
            "friction-lemma-corrected": 4 / L0,
        }.items()
    },
    **{
        f"friction-pseudo-loss-{form}": at(
            kernel, TIMES, worst(friction_square), slow_decay(prefactor), PD
        )
        for form, prefactor in (("printed", 1), ("corrected", 2))
    },
    "friction-coefficient-printed": scalar(kernel, mp.sqrt(2 * L0**2), 2 * mp.sqrt(MU)),
    "friction-coefficient-corrected": scalar(kernel, mp.sqrt(2 * L0), 2 * mp.sqrt(MU)),
    **{
        f"friction-distance-{form}": at(
            start,
            DISTANCES,
            moved(lambda l, t: oscillator(FRICTION, l, t)[0]),
            lambda _, bound=bound: bound,
            SHORT,
            HALF,
        )
        for form, bound in (
            ("printed", mp.sqrt(N * PSEUDO / (9 * M * MU))),
            ("corrected", mpf(8) / 3 * (2 / L0) ** 1.5 * mp.sqrt(N * PSEUDO / M)),
        )
    },
    "friction-beats-gradient-flow": scalar(
        start, L0, mp.sqrt(L0 / 2), SHORT, 1 - 2 * L0 - mpf("1e-6")
    ),
    "friction-true-rate": at(
        kernel,
        TIMES,
        worst(friction_square, L0),
        lambda t: 2 * mp.exp(-mp.sqrt(2 * L0) * t),
        PD,
    ),
    # d/t
    "vanishing-loss": at(
        kernel,
        AFTER,
        worst(lambda l, t: bessel(9, l, t)[0] ** 2),
        lambda t: bessel_peak() * (MU * mpf(t) ** 2) ** -3,
        PD,
        tolerance=1e-6,
        relative=1e-4,
    ),
    **{
        f"vanishing-prefactor-{form}": scalar(kernel, 4, power, PD, tolerance=1e-6, relative=1e-7)
        for form, power in (("printed", 3), ("corrected", 4))
    },
    "vanishing-distance-printed": at(
        kernel,
        (4, 50, 400, 100, 200),
        lambda t: (
            abs(1 - bessel(9, L0, t / mp.sqrt(L0))[0]) / abs(1 - bessel(9, L0, 50 / mp.sqrt(L0))[0])
        ),
        lambda t: 2 * (mpf(t) / 50) ** -6,
        PD,
    ),
    "vanishing-distance-corrected": at(
        kernel,
        (4, 50, 400, 100, 200),
        lambda t: abs(bessel(9, L0, t / mp.sqrt(L0))[0]),
        lambda t: mp.sqrt(bessel_peak()) * mpf(t) ** -3,
        PD,
        relative=1e-4,
    ),
    "vanishing-proof-integral": at(
        kernel,
        (3, 0, 2),
        lambda k: mpf(10) ** (2 + int(k)) - 1,
        lambda _: 2 * (mpf(100) - 1),
        relative=1e-6,
    ),
    # rates
    **{
        f"nesterov-rate-{form}": at(
            kernel,
            ALPHAS,
            lambda a, nine=nine: (
                (4 + 3 * mpf(a) - mp.sqrt(8 + 16 * mpf(a) + nine * mpf(a) ** 2)) / 2
            ),
            rate_n,
            tolerance=1e-6,
            relative=1e-6,
        )
        for form, nine in (("printed", 1), ("corrected", 9))
    },
    "heavy-ball-rate": scalar(kernel, RATE_HB, RATE_HB),
    "nesterov-rate-range": Chains(
        kernel,
        (
            lambda a: (RATE_HB, rate_n(a)),
            lambda a: (rate_n(a), (11 - mp.sqrt(73)) / 4),
        ),
        ALPHAS,
        tolerance=1e-6,
        relative=1e-6,
    ),
    "start-curvature-printed": scalar(kernel, LOW, LOW / 2, PD),
    "start-curvature-corrected": scalar(kernel, 3 * L0 / 8, LOW / 2, PD),
    "speed-constant-printed": at(kernel, (21, 0, 1), speed, lambda _: mp.sqrt(24)),
    "speed-constant-corrected": at(kernel, (15, 0, 1 / mp.sqrt(2)), speed, lambda _: mp.sqrt(24)),
    **{
        f"speed-decay-{form}": at(
            kernel,
            ALPHAS,
            lambda _, shown=shown: mpf(shown),
            lambda a: rate_n(a) / (2 * mp.sqrt(2)),
            relative=1e-6,
        )
        for form, shown in (("printed", "0.292"), ("corrected", "0.207"))
    },
    "nesterov-faster-printed": at(kernel, MODES, exponent(False), exponent(True), PD),
    "nesterov-faster-corrected": at(
        kernel,
        (60, mpf("1.01") * MU, LM),
        exponent(False),
        exponent(True),
        PD,
    ),
    # high resolution
    "activation-force-printed": scalar(kernel, 1 + mp.sqrt(MU) * S, 1 + C, PD),
    "activation-force-corrected": scalar(kernel, 1 + C, 1 + C, PD),
    "hessian-printed": scalar(start, block_hessian(), np.linalg.norm(GRAM @ GRAM @ XI)),
    "hessian-corrected": scalar(
        start, np.linalg.norm(GRAM @ GRAM @ XI), np.linalg.norm(GRAM @ GRAM @ XI)
    ),
    "fine-heavy-ball-loss": at(
        kernel,
        TIMES,
        fine_worst(nesterov=False),
        lambda t: 6 / L0 * mp.exp(-RATE_HB * mp.sqrt(MU) * t),
        PD,
    ),
    **{
        key: at(
            kernel, TIMES, fine_worst(nesterov=True), lambda _, b=b: b, PD, 1 - C, relative=1e-6
        )
        for key, b in {
            "fine-nesterov-loss": 26 / (3 * L0),
            "fine-nesterov-loss-sharper": 8 / L0,
        }.items()
    },
    **{
        key: at(
            start,
            DISTANCES,
            moved(lambda l, t, fast=fast: fine(l, t, S, fast)),
            lambda _, bound=bound: bound,
            SHORT,
            HALF,
        )
        for key, fast, bound in (
            ("fine-heavy-ball-distance-printed", False, 10 * mp.sqrt(6) * UNIT),
            (
                "fine-heavy-ball-distance-corrected",
                False,
                (1 + C)
                * mp.sqrt(12 * PSEUDO * N / (L0 * M))
                / ((mp.sqrt(2 * L0) - RATE_HB * mp.sqrt(MU) / 2) * RATE_HB * mp.sqrt(MU) / 2),
            ),
            ("fine-nesterov-distance", True, 25 * UNIT),
        )
    },
    "slide-same-dynamics-printed": scalar(kernel, 1 + slide_gap(S), 1, PD),
    "slide-same-dynamics-corrected": at(
        kernel,
        (2, TINY / 16, TINY / 4),
        slide_gap,
        lambda s: 0.6 * slide_gap(4 * s),
        PD,
        relative=1e-6,
    ),
    # Lyapunov functions
    "lyapunov-fine-heavy-ball": at(
        kernel,
        FINE_MODES,
        lambda _: RATE_HB * mp.sqrt(MU),
        lambda l: lyapunov_rate(fine_flow(False), fine_form(False), mpf(l)),
        PD,
        relative=1e-7,
    ),
    "lyapunov-fine-nesterov": at(
        kernel,
        FINE_MODES,
        lambda _: rate_n(C / 2) * mp.sqrt(MU),
        lambda l: lyapunov_rate(fine_flow(True), fine_form(True), mpf(l)),
        PD,
        relative=1e-6,
    ),
    "lyapunov-fine-nesterov-derivative": at(kernel, FINE_MODES, stated, stated, PD),
    "lyapunov-friction": at(
        kernel,
        MODES,
        lambda _: mp.sqrt(MU),
        lambda l: lyapunov_rate(lambda l: (FRICTION, l), friction_form, mpf(l)),
        PD,
        relative=1e-7,
    ),
    **{
        key: at(
            kernel,
            (119, spread(FIRST_TIME, TIMES[2], 120)[1], TIMES[2]),
            energy_ratio(power),
            lambda _: 1,
            PD,
            tolerance=1e-8,
            relative=1e-6,
        )
        for key, power in {"lyapunov-vanishing": 2, "lyapunov-vanishing-higher": 4}.items()
    },
    # unit inputs: lambda_0 and the bound 1/2, of this kernel and of two orthogonal inputs
    **{
        f"half-strict-{form}": at(
            start, (2, 0, 1), lambda k: (L0, mpf("0.5"))[int(k)], lambda _: mpf("0.5"), SHORT
        )
        for form in ("printed", "corrected")
    },
    "kernel-distinct-inputs-printed": scalar(
        kernel,
        6
        * 2.0**-52
        * np.linalg.eigvalsh(
            infinite_gram(
                np.array([[math.cos(k * math.pi / 3), math.sin(k * math.pi / 3)] for k in range(6)])
            )
        )[-1],
        0,
        relative=1e-9,
    ),
    # beyond the papers
    "lower-bound": by_step(
        ball,
        lambda t: NORM[0] ** 2 / 2 * least_share(t),
        lambda t: NORM[int(t)] ** 2 / 2,
        -max(CHANGE),
        noise=lambda t: NORM[t] * ROUND + ROUND**2 / 2,
    ),
    "optimal-schedule": by_step(
        start, least_share, least_share, last=4, noise=lambda _: 1e-12, tolerance=1e-6
    ),
    "power-law-gradient-descent": power_law(lambda s: s, lambda s: s),
    "power-law-nesterov": power_law(
        *[lambda s: min(2 * s, s + EXPONENTS[s] / 2)] * 2,
    ),
    "power-law-nesterov-flow": power_law(*[lambda s: min(2 * s, EXPONENTS[s])] * 2),
    "plateau-small-batches": at(
        lambda: on_batches(2),
        (2, 0, 1),
        lambda k: (LOW_FEW, LIMIT_FEW)[int(k)],
        lambda k: (LIMIT_FEW, LOW_FEW / (1 - LM / TRACE))[int(k)],
        PD,
        C_FEW - 1,
    ),
    "plateau-large-batches": at(
        lambda: on_batches(4),
        (2, 0, 1),
        lambda k: (HIGH / (1 + C_MANY * TRACE / LM), LIMIT_MANY)[int(k)],
        lambda k: (LIMIT_MANY, HIGH)[int(k)],
        PD,
        1 - C_MANY,
    ),
    "stability-crossover": at(
        lambda: on_batches(2),
        (2, 0, 1),
        lambda k: (LOW_FEW, LIMIT_FEW)[int(k)],
        lambda k: (LIMIT_FEW, min(BETWEEN_FEW, HIGH))[int(k)],
        PD,
    ),
    "sharpness-large-batches": at(
        lambda: on_batches(4),
        (3, 0, 6),
        lambda t: ETA_H * {0: 4.6, 3: 4.7, 6: 4.8}[t],
        lambda _: 2 * (1 + BETA_H),
        1 - C_MANY,
        1 - ETA_H * 4.6 / (2 * (1 + BETA_H)),
    ),
    "heavy-ball-worst-case": at(
        kernel,
        following(SLOW_RATE),
        slowest(lambda l: 1 + SLOW_BETA - l / (2 * LM), lambda _: SLOW_BETA),
        lambda t: SLOW_RATE ** int(t),
        PD,
        relative=1e-7,
    ),
    "nesterov-worst-case": at(
        kernel,
        following(FAST_RATE),
        slowest(
            lambda l: (1 + FAST_BETA) * (1 - l / LM),
            lambda l: FAST_BETA * (1 - l / LM),
            lambda l: l / (l + L0),
        ),
        lambda t: FAST_RATE ** int(t),
        PD,
        relative=1e-7,
    ),
    "silver-worst-case": at(
        kernel, (4, 1, 8, 2, 4), silver_mode, lambda count: silver(count)[1], PD
    ),
    "heavy-ball-cycle": at(
        lambda: Evidence(Kernel(np.array([1.0, 25.0]))),
        (400, 0, 399),
        lambda _: 1,
        lambda _: 1,
        1 - 2 * mpf(2) ** -52 * 25,
        triangle_clearance(1, 25),
    ),
    "nesterov-deep-rate": by_step(
        fast,
        lambda t: NORM[int(t)] ** 2 / 2,
        lambda t: NORM[0] ** 2 * FAST_RATE ** int(t),
        PD,
        None,
        noise=lambda t: NORM[t] * ROUND + ROUND**2 / 2,
    ),
}

MORE = {
    "stability-crossover": at(
        lambda: on_batches(4),
        (2, 0, 1),
        lambda k: (BETWEEN_MANY, LIMIT_MANY)[int(k)],
        lambda k: (LIMIT_MANY, min(LOW_MANY, HIGH))[int(k)],
        PD,
    ),
    # A slow mode, so that the steps are spread out.
    "double-root": at(
        lambda: Evidence(Kernel(np.array([1e-4, 4.7]))),
        decay_steps(1 - mp.sqrt(mpf(1e-4) / (mpf(4.7) + mpf(1e-4) / 4))),
        lambda t: ball_power(
            1 / (mpf(4.7) + mpf(1e-4) / 4), 1 - mp.sqrt(mpf(1e-4) / (mpf(4.7) + mpf(1e-4) / 4)), t
        )(mpf(1e-4), 0),
        lambda _: 1,
        1 - 2 * mpf(2) ** -52 * mpf(4.7) / mpf(1e-4),
        tolerance=1e-6,
        relative=1e-7,
    ),
    # A mode with 1 + beta < eta l, so that the trace is negative.
    "companion-printed": scalar(
        lambda: Evidence(Kernel(np.array([1.3, 20.0]))),
        worst(
            lambda l, _: norm_2(
                matrix_power(
                    1 + (1 - mp.sqrt(mpf(1.3) ** 2 / 8)) ** 2 - mpf(1.3) / 4 * l,
                    (1 - mp.sqrt(mpf(1.3) ** 2 / 8)) ** 2,
                    1,
                )
            ),
            mpf("0.65"),
            mpf(20),
        )(0),
        1 - mp.sqrt(mpf(1.3) ** 2 / 8),
        1 - 2 * mpf(2) ** -52 * 20 / mpf("1.3"),
        1 - mpf(1.3) ** 2 / 2,
    ),
}
"""Further evidence for a statement, on the other side of a branch."""

SAMPLES = (
    gradient_descent(0.1),
    heavy_ball(0.1, 0.5),
    nesterov(0.1, 0.5),
    nesterov(0.1, 0.5, start="copy"),
    Recursion(0.1, 0.5, 0.25),
    Recursion(0.1, (0.5, 0.4), (0.5, 0.4)),
)
METHODS = {
    "gradient descent (": (0, -0.5, -0.5, -0.5, -0.5, -1),
    "gradient descent or": (0, 0, -0.5, -0.5, -0.25, -1),
    "heavy ball": (-1, 0, -0.5, -0.5, -0.25, -1),
    "Nesterov's method (": (-1, -0.5, 0, 0, -0.25, -1),
    "Nesterov's method as": (-1, -0.5, 0, -1, -0.25, -1),
}
"""Margins of the conditions on coefficients, by the beginning of their names, on `SAMPLES`."""


# --- the comparison -------------------------------------------------------------------------------


def picks(count):
    """Places at which both sides are compared: the ends, and three between."""
    return sorted({0, min(1, count - 1), count // 3, 2 * count // 3, count - 1})


@cache
def expected(values, coordinates):
    """Both sides of a statement at some coordinates, as floats."""
    parts = (lambda t: (values.left(t), values.right(t)),)
    if isinstance(values, Chains):
        parts = values.parts
    return [tuple(float(side) for side in part(t)) for part in parts for t in coordinates]


def check(theorem):
    """Return what differs from `VALUES` in a theorem; None if all is as it should be."""
    found = _compare(theorem, VALUES[theorem.key])
    if found is None and theorem.key in MORE:
        found = _compare(theorem, MORE[theorem.key])
    if found is None and theorem.methods is not None:
        wanted = next(v for k, v in METHODS.items() if theorem.methods.name.startswith(k))
        margins = [theorem.methods.margin(method) for method in SAMPLES]
        found = None if margins == list(wanted) else f"margins of the methods {margins}"
    return found


def _compare(theorem, values):
    """Compare both sides at some coordinates, then the rest."""
    evidence = values.evidence()
    with np.errstate(all="ignore"):
        sides = [np.atleast_1d(side(evidence)) for side in (theorem.left, theorem.right)]
    left, right = np.broadcast_arrays(*sides)
    count = len(left)
    at = np.arange(count) if theorem.at is None else np.atleast_1d(theorem.at(evidence))
    parts = len(values.parts) if isinstance(values, Chains) else 1
    size = values.grid[0] if values.grid else 1
    if count != size * parts or len(at) != count:
        return f"{count} coordinates"
    inner = picks(size)
    if values.grid is not None:
        ends = [float(v) for v in values.grid[1:]]
        if not close([at.min(), at.max(), *at[1 : len(ends) - 1]], ends, 1e-9):
            return f"coordinates from {at.min()} to {at.max()}"
    coordinates = tuple(float(at[k]) for k in inner)
    places = [k + part * size for part in range(parts) for k in inner]
    wanted = np.array(expected(values, coordinates))
    for name, side, numbers in (("left", left, wanted[:, 0]), ("right", right, wanted[:, 1])):
        if not close(side[places], numbers, values.relative):
            return f"{name} is {side[places]} at {at[places]}, not {numbers}"
    return _details(theorem, values, evidence, places)


def close(actual, wanted, relative):
    """Whether numbers agree relatively; where 0 is wanted, to the rounding of numbers near 1."""
    gap = np.abs(np.subtract(actual, wanted))
    return bool((gap <= np.where(np.equal(wanted, 0), 3e-15, relative * np.abs(wanted))).all())


def _details(theorem, values, evidence, places):
    """Compare margins and roundings; return the first that differs."""
    margins = [margin(assumption, evidence) for assumption in theorem.assumptions]
    if not _same(margins, values.margins, 1e-6):
        return f"margins {margins}, not {values.margins}"
    if theorem.tolerance != values.tolerance:
        return f"tolerance {theorem.tolerance}"
    if isinstance(values, Chains):
        return None
    noise = wanted = ()
    if theorem.noise is not None:
        noise = np.broadcast_to(theorem.noise(evidence), (max(places) + 1,))[places]
    if values.noise is not None:
        wanted = [values.noise(k) for k in places]
    sides = [None if s is None else s(evidence) for s in (theorem.trivial, theorem.chance)]
    found = [*noise, *(None if side is None else np.max(side) for side in sides)]
    same = _same(found, [*wanted, values.trivial, values.chance], 1e-9)
    return None if same else f"noise, trivial bound or chance: {found}"


def _same(found, wanted, relative):
    """Whether numbers are the same, and None where None is wanted."""
    if [one is None for one in found] != [one is None for one in wanted]:
        return False
    pairs = zip(found, wanted, strict=True)
    return all(close([a], [float(b)], relative) for a, b in pairs if a is not None)


def margin(assumption, evidence):
    try:
        return assumption.margin(evidence)
    except Missing:
        return None
