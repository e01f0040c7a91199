r"""What mini-batches do to a forecast: expected loss, its spread, stability, best setting, sizes.

Each step takes B of the n rows anew, ``g_B = (n/B) J_B' xi_B``.  The mean of the residual is the
forecast of the full batch; what the batch adds is noise :math:`u_t` with covariance

.. math:: \tau\,(n\,\mathrm{diag}(M_t) - M_t), \qquad M_t = E\,\xi_t \xi_t', \qquad
          \tau = \tfrac{1}{B} \ \text{(with replacement)}, \quad
          \tfrac{n - B}{B (n - 1)} \ \text{(without)}.

Mode by mode, with :math:`T = 1 + \beta - (1+\gamma)\eta l`, :math:`D = \beta - \gamma\eta l`,
:math:`b_0 = -(1+\gamma)\eta l` and :math:`b_1 = \gamma\eta l`, the deviation from the mean obeys
:math:`d_{t+1} = T d_t - D d_{t-1} + b_0 \nu_t + b_1 \nu_{t-1}`, and its moments ``a = E d_t^2``,
``b = E d_t d_{t-1}``, ``c = E d_{t-1}^2`` obey

.. math:: a' = T^2 a - 2TD\,b + D^2 c + b_0^2 v_t + b_1^2 v_{t-1} + 2 T b_0 b_1 v_{t-1}, \quad
          b' = T a - D b + b_0 b_1 v_{t-1}, \quad c' = a.

With eigenvectors spread evenly over the rows (flat) a mode's noise has the power :math:`v_k = \tau
(\sum_j (\mu_j^2 + a_j) - \mu_k^2 - a_k)`; with the eigenvectors V at hand their true overlaps take
its place.  With k outputs a row, diag(M) is block diagonal, with a k x k block a row.  Both leave
out how modes are correlated.  After Velikanov, Kuznedelev and Yarotsky
(2023, arXiv 2206.11124) and Lee, Cheng, Paquette and Paquette (2022, arXiv 2206.01029).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, brief, fraction, one_of, whole
from inertial._types import Eigenvalues, Targets
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Spectrum
from inertial.method.modes import stability_limit
from inertial.method.recursion import FAMILIES, Recursion

MARGIN = 0.9
"""Share of the mean-square limit that `fastest_for_batch` uses at most."""

_HOLD = (0.25, 20)
"""It asks the expected loss to stay below the target for this share of the steps, and this many."""

_RACE_STEPS = 5_000
"""Where it ends if no candidate has reached the target."""

_COARSE, _FINE = 80, 400
"""Nodes that modes are merged into for the whole plane, and around its best candidate."""

_PRUNE_FROM, _PRUNE_TO = 256, 64
"""From this step on, whenever the steps have doubled, the better half of the candidates stays."""

_HALVINGS = 60
"""Bisections of a limit: the last bit of a double."""


@dataclass(frozen=True, eq=False, repr=False)
class BatchForecast:
    """Forecast of a run with fresh batches at steps 0, 1, ...

    Parameters
    ----------
    loss
        Expected loss of all rows.
    mean_loss
        Loss of the full batch's forecast.
    spread
        Standard deviation of the loss for independent normal modes.  Where modes are correlated,
        as on tables, that of runs is larger: up to 2.5 times was measured.

    """

    __repr__ = brief

    loss: Float[np.ndarray, "T"]
    mean_loss: Float[np.ndarray, "T"]
    spread: Float[np.ndarray, "T"]

    def steps_to(self, target: float) -> int | None:
        """First step at which the expected loss is at most this share of its start, or None."""
        reached = np.flatnonzero(self.loss <= fraction("target", target) * self.loss[0])
        return int(reached[0]) if reached.size else None


@dataclass(frozen=True, eq=False)
class Modes:
    """Eigenvalues of a kernel, each as often as `counts` says, with the weights of all of them.

    With k outputs a row, counts and weights are those of one output, an average: N / k in all.
    """

    nodes: Float[np.ndarray, "k"]
    weights: Float[np.ndarray, "k"]
    counts: Float[np.ndarray, "k"]

    @property
    def rows(self) -> int:
        """Number n of rows: eigenvalues in all."""
        return round(float(self.counts.sum()))


def noise_share(batch: int, rows: int, *, replacement: bool = False) -> float:
    r"""Noise of a batch, :math:`\tau`, for batches without or with replacement.

    Raises
    ------
    InvalidInput
        If the batch is not a whole number from 1 to the number of rows.

    """
    if isinstance(batch, bool) or not 1 <= batch <= rows or batch != int(batch):
        raise InvalidInput(f"batch is {batch}; give a whole number of rows from 1 to {rows}.")
    if replacement:
        return 1 / batch
    return (rows - batch) / (batch * (rows - 1)) if rows > 1 else 0.0


def modes_of(measure: Measure | Modes, *, most: int | None = None) -> Modes:
    """Return the modes of a measure that has one node for each row, merged into at most `most`.

    Nodes are merged within bins of equal ratio, at their mean; the outermost ones stay as they are.
    """
    nodes, weights = measure.nodes, measure.weights
    each = measure.counts if isinstance(measure, Modes) else np.ones(len(nodes))
    if most is None or len(nodes) <= most:
        return Modes(nodes, weights, each)
    low = max(float(nodes[0]), 1e-9 * float(nodes[-1]))
    inner = np.searchsorted(np.geomspace(low, float(nodes[-1]), most - 1)[1:-1], nodes[1:-1]) + 1
    bins = np.concatenate([[0], inner, [most - 1]])
    counts = np.bincount(bins, each, most)
    filled = counts > 0
    return Modes(
        np.bincount(bins, each * nodes, most)[filled] / counts[filled],
        np.bincount(bins, weights, most)[filled],
        counts[filled],
    )


def forecast_batches(
    method: Recursion,
    modes: Measure | Modes,
    batch: int,
    steps: int,
    *,
    replacement: bool = False,
) -> BatchForecast:
    """Forecast a run on fresh batches, for eigenvectors that are spread evenly over the rows.

    Parameters
    ----------
    method
        The method; its step belongs to the loss of all rows.
    modes
        Measure with one node for each row, or `Modes`.
    batch
        Rows B in a batch.
    steps
        Last step, at least 1.
    replacement
        Whether a row can come twice in a batch.

    Raises
    ------
    InvalidInput
        If the batch is not a whole number from 1 to the number of rows.

    """
    found = modes_of(modes) if isinstance(modes, Measure) else modes
    noise = _flat(found, noise_share(batch, found.rows, replacement=replacement))
    start = np.sqrt(found.weights)
    return _forecast(_moments(method, found.nodes, start, noise, steps), found.counts)


def distance_on_batches(
    method: Recursion, modes: Measure | Modes, batch: int, steps: int
) -> Float[np.ndarray, "T"]:
    r"""Root mean square of ``|w_t - w_0|`` on fresh batches, at steps 0 to `steps`.

    Gradients of any rows are combinations of the rows of J, so the weights follow from the residual
    alone, :math:`|w_t - w_0|^2 = (\xi_t - \xi_0)' H^+ (\xi_t - \xi_0)`, whose mean is
    :math:`\sum_k ((\mu_k - \mu_{k,0})^2 + a_k) / l_k`.  On all rows it is
    `inertial.method.trust.distance`.

    Parameters
    ----------
    method, modes, batch, steps
        As for `forecast_batches`.

    """
    found = modes_of(modes) if isinstance(modes, Measure) else modes
    noise, start = _flat(found, noise_share(batch, found.rows)), np.sqrt(found.weights)
    where = found.nodes > 0
    nodes, counts = found.nodes[where], found.counts[where]
    with np.errstate(over="ignore", invalid="ignore"):
        squares = [
            (((mean - start) ** 2)[where] + counts * a[where]) @ (1 / nodes)
            for mean, a in _moments(method, found.nodes, start, noise, steps)
        ]
    return np.sqrt(np.where(np.isnan(squares), np.inf, squares))


def _flat(modes: Modes, share: float) -> "Noise":
    """Noise power of eigenvectors that are spread evenly over the rows."""

    def noise(
        mean: Float[np.ndarray, "k"], deviation: Float[np.ndarray, "k"]
    ) -> Float[np.ndarray, "k"]:
        squares = mean**2
        total = squares.sum() + modes.counts @ deviation
        return np.asarray(share * (total - squares / modes.counts - deviation))

    return noise


def forecast_batches_on_rows(
    method: Recursion,
    spectrum: Spectrum,
    residual: Targets,
    batch: int,
    steps: int,
    *,
    outputs: int = 1,
    decay: float = 0.0,
    shrunk: Targets | None = None,
    replacement: bool = False,
) -> BatchForecast:
    r"""Forecast a run on fresh batches with the true overlaps of the eigenvectors.

    With :math:`V_i` the k x N part of the eigenvectors at row i, which has k outputs,

    .. math:: v_k = \tau \Bigl(n \sum_i \bigl((V_i' V_i \mu)_k^2 + \sum_j (V_i' V_i)_{kj}^2 a_j
              \bigr) - \mu_k^2 - a_k\Bigr) :

    a product with an N x N array at each step.  Covariances between modes are left out.

    Parameters
    ----------
    method, batch, steps, replacement
        As for `forecast_batches`.
    spectrum
        Decomposed kernel.
    residual
        ``f(w_0) - y``, shape (N,), row by row.
    outputs
        Outputs k of a row, N = n k.
    decay, shrunk
        Rate alpha of weight decay, and with it ``J w_0``, shape (N,).

    """
    basis = spectrum.basis
    size = len(basis)
    n = size // outputs
    share = noise_share(batch, n, replacement=replacement)
    parts = basis.reshape(n, outputs, size)
    overlaps = basis**2
    if outputs > 1:  # of one output a row, two products with the squares are as good
        overlaps = np.zeros((size, size))
        for part in parts:
            overlaps += (part.T @ part) ** 2

    def noise(
        mean: Float[np.ndarray, "k"], deviation: Float[np.ndarray, "k"]
    ) -> Float[np.ndarray, "k"]:
        at_rows = (basis @ mean).reshape(n, outputs)
        if outputs == 1:
            on_modes = (at_rows[:, 0] ** 2 + overlaps @ deviation) @ overlaps
        else:
            on_modes = overlaps @ deviation
            on_modes += np.sum(np.einsum("ick,ic->ik", parts, at_rows) ** 2, axis=0)
        return np.asarray(share * (n * on_modes - mean**2 - deviation))

    start, nodes = spectrum.modes(residual), spectrum.eigenvalues
    pull = None
    if decay and shrunk is not None:
        pull = decay * (spectrum.modes(shrunk) - start)
    moments = _moments(method, nodes, start, noise, steps, decay=decay, pull=pull)
    return _forecast(moments, np.ones(size))


Noise = Callable[[Float[np.ndarray, "k"], Float[np.ndarray, "k"]], Float[np.ndarray, "k"]]

Moments = tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]
"""Mean and variance of every mode at a step."""


def _moments(
    method: Recursion,
    nodes: Eigenvalues,
    start: Float[np.ndarray, "k"],
    noise: Noise,
    steps: int,
    *,
    decay: float = 0.0,
    pull: Float[np.ndarray, "k"] | None = None,
) -> Iterator[Moments]:
    """Yield mean and variance of every mode at steps 0 to `steps`, for any power of the noise.

    `pull` is what weight decay adds to the gradient in modes besides ``decay`` times the residual.
    """
    etas, betas, gammas = method.coefficients(0, whole("steps", steps))
    mean, before = start, start
    a, b, c = np.zeros((3, len(nodes)))
    power, drive = np.zeros((2, len(nodes)))
    last = 0.0
    shifted, constant = nodes + decay, np.zeros(len(nodes)) if pull is None else pull
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            yield mean, a
            forward, back = etas[t] * nodes, last * nodes
            trace = 1 + betas[t] - (1 + gammas[t]) * etas[t] * shifted
            determinant = betas[t] - gammas[t] * last * shifted
            b0, b1 = -(1 + gammas[t]) * forward, gammas[t] * back
            old, power = power, noise(mean, a)
            shared = b1 * drive * old
            a, b, c = (
                trace**2 * a
                - 2 * trace * determinant * b
                + determinant**2 * c
                + b0**2 * power
                + b1**2 * old
                + 2 * trace * shared,
                trace * a - determinant * b + shared,
                a,
            )
            step = (1 + gammas[t]) * etas[t] - gammas[t] * last
            mean, before = trace * mean - determinant * before - step * constant, mean
            drive, last = b0, etas[t]
    yield mean, a


def _forecast(moments: Iterable[Moments], counts: Float[np.ndarray, "k"]) -> BatchForecast:
    """Sum the moments of all modes: the loss, that of the mean, and its spread."""
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for mean, a in moments:
            squares = mean**2
            mean_loss = 0.5 * squares.sum()
            spread = np.sqrt(squares @ a + 0.5 * counts @ a**2)
            found.append((mean_loss + 0.5 * counts @ a, mean_loss, spread))
    return BatchForecast(*(np.where(np.isnan(part), np.inf, part) for part in np.array(found).T))


def noise_gain(
    eta: Float[np.ndarray, "... 1"],
    beta: Float[np.ndarray, "... 1"],
    gamma: Float[np.ndarray, "... 1"],
    nodes: Eigenvalues,
    share: float,
    decay: float = 0.0,
) -> Float[np.ndarray, "... n"]:
    r"""Return what a mode's stationary variance is, as a multiple of the noise of the others.

    :math:`g = \tau \frac{(b_0^2 + b_1^2)(1 + D) + 2 b_0 b_1 T}{(1 - D)((1 + D)^2 - T^2)}`, infinite
    where the mode itself is unstable.  For heavy ball it is
    :math:`\tau \eta l (1+\beta) / ((1-\beta)(2(1+\beta) - \eta l))`.  Weight decay is in T and D,
    and not in the noise.
    """
    scaled, shifted = eta * nodes, eta * (nodes + decay)
    trace, determinant = 1 + beta - (1 + gamma) * shifted, beta - gamma * shifted
    b0, b1 = -(1 + gamma) * scaled, gamma * scaled
    # (1 + D)^2 - T^2, without the digits that a small eta l would lose.
    width = shifted * (2 * (1 + beta) - (1 + 2 * gamma) * shifted)
    over = (b0**2 + b1**2) * (1 + determinant) + 2 * b0 * b1 * trace
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = share * over / ((1 - determinant) * width)
    return np.where((width > 0) & (determinant < 1), gain, np.where(scaled > 0, np.inf, 0.0))


def excess(
    method: Recursion,
    modes: Measure | Modes,
    batch: int,
    *,
    decay: float = 0.0,
    replacement: bool = False,
) -> float:
    r"""Return :math:`\sum_k g_k / (1 + g_k)`: below 1 the expected loss decays, above it grows."""
    found = modes_of(modes) if isinstance(modes, Measure) else modes
    share = noise_share(batch, found.rows, replacement=replacement)
    eta, beta, gamma = (np.array([value]) for value in method.constant)
    return float(_excess(eta, beta, gamma, found, share, decay)[0])


def _excess(
    eta: Float[np.ndarray, "c"],
    beta: Float[np.ndarray, "c"],
    gamma: Float[np.ndarray, "c"],
    modes: Modes,
    share: float,
    decay: float,
) -> Float[np.ndarray, "c"]:
    gain = noise_gain(eta[:, None], beta[:, None], gamma[:, None], modes.nodes, share, decay)
    with np.errstate(invalid="ignore"):
        part = np.where(np.isinf(gain), 1.0, gain / (1 + gain))
    # An unstable mode alone is too much, also where there is no noise.
    return np.where(np.isinf(gain).any(axis=1), np.inf, part @ modes.counts)


def largest_step(
    name: str,
    beta: float,
    modes: Measure | Modes,
    batch: int,
    *,
    decay: float = 0.0,
    replacement: bool = False,
) -> float:
    """Return the step size from which the expected loss on batches grows, at this momentum.

    Parameters
    ----------
    name
        Key of `FAMILIES`.
    beta
        Momentum.
    modes, batch, replacement
        As for `forecast_batches`.
    decay
        Rate of weight decay.

    """
    found = modes_of(modes) if isinstance(modes, Measure) else modes
    share = noise_share(batch, found.rows, replacement=replacement)
    unit = FAMILIES[one_of("method", name, FAMILIES)](1.0, beta)
    return float(_limits([unit], found, share, decay)[0])


def _limits(
    units: Sequence[Recursion], modes: Modes, share: float, decay: float
) -> Float[np.ndarray, "c"]:
    """Largest step of each family member that is given with step 1: bisected, all at once."""
    scale, beta, gamma = (np.array(v) for v in zip(*(m.constant for m in units), strict=True))
    high = np.array([stability_limit(m) for m in units]) / (modes.nodes[-1] + decay)
    low = np.zeros_like(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        stable = _excess(middle, beta, gamma, modes, share, decay) < 1
        low, high = np.where(stable, middle, low), np.where(stable, high, middle)
    return np.asarray(low / scale)


@dataclass(frozen=True)
class BatchSizes:
    """Sizes of a batch that matter, in rows; neither need be a whole number.

    Parameters
    ----------
    noise_limits_below
        Batch below which noise limits the step size more than curvature does, > 0.
    momentum_pays_above
        Batch from which on momentum pays nearly in full: it saves nearly the share of the steps
        that it saves on all rows.  > 0; infinite where an eigenvalue is 0.  Where it is below the
        other one, the condition number is below 4, and momentum saves half of the steps at most,
        about.

    """

    noise_limits_below: float
    momentum_pays_above: float


def batch_sizes(measure: Measure | Modes) -> BatchSizes:
    r"""Return :math:`\mathrm{tr}H / l_{max}` and :math:`\mathrm{tr}H / (2\sqrt{l_{min} l_{max}})`.

    The measure has one node for each row.  The second one may be larger than the number of rows.
    """
    found = modes_of(measure)
    trace, smallest, largest = found.nodes @ found.counts, found.nodes[0], found.nodes[-1]
    root = 2 * float(np.sqrt(smallest * largest))
    return BatchSizes(float(trace / largest), float(trace / root) if root > 0 else np.inf)


def fastest_for_batch(
    name: str,
    measure: Measure | Modes,
    batch: int,
    *,
    target: float = 0.01,
    margin: float = MARGIN,
    decay: float = 0.0,
    replacement: bool = False,
) -> tuple[Recursion, int | None]:
    """Return the setting whose expected loss on batches reaches the target first, and its steps.

    Momenta from 0 to 0.9995 and step sizes up to `margin` of the mean-square limit run side by side
    on merged modes, then finer ones around the best.  A candidate counts as there when it stays
    below the target for another quarter of its steps, and at least twenty.

    Parameters
    ----------
    name
        The method to tune, a key of `FAMILIES`.
    measure
        Spectral measure with one node for each row, or `Modes`.
    batch
        Rows in a batch.
    target
        Share of the initial loss, in (0, 1).
    margin
        Largest share of the mean-square limit.
    decay
        Rate of weight decay, which moves every eigenvalue up; the target is then that of the
        distance from where it leads.
    replacement
        Whether a row can come twice in a batch.

    Returns
    -------
    tuple[Recursion, int | None]
        The method, and the steps of its expected loss to the target; None if beyond 5,000.

    """
    make = FAMILIES[one_of("method", name, FAMILIES)]
    fraction("target", target)
    share = noise_share(batch, modes_of(measure).rows, replacement=replacement)
    coarse, fine = (modes_of(measure, most=most) for most in (_COARSE, _FINE))
    turning = [0.0] if name == "gradient_descent" else [0.0, *(1 - np.geomspace(0.9, 5e-4, 29))]
    parts = margin * np.linspace(0.05, 1, 20)

    def race(
        momenta: Sequence[float], shares: Float[np.ndarray, "s"], modes: Modes
    ) -> tuple[float, float, Recursion, int | None]:
        limits = _limits([make(1.0, beta) for beta in momenta], modes, share, decay)
        pairs = [(b, s) for b in momenta for s in shares]
        steps = np.repeat(limits, len(shares)) * np.tile(shares, len(momenta))
        methods = [make(float(e), b) for e, (b, _) in zip(steps, pairs, strict=True)]
        best, reached = _race(methods, modes, share, target, decay)
        return *pairs[best], methods[best], reached

    beta, part, *_ = race(turning, parts, coarse)
    near = np.clip(part + margin * np.linspace(-0.05, 0.05, 7), 0.01 * margin, margin)
    distances = (1 - beta) * np.geomspace(1 / 1.3, 1.3, 7)
    momenta = [0.0] if beta == 0 else [float(b) for b in 1 - np.minimum(distances, 1.0)]
    *_, method, reached = race(momenta, np.unique(near), fine)
    return method, reached


def _race(
    methods: Sequence[Recursion], modes: Modes, share: float, target: float, decay: float
) -> tuple[int, int | None]:
    """Run the moments of every candidate; return the first to reach the target and stay there."""
    eta, beta, gamma = (
        np.array(v)[:, None] for v in zip(*(m.constant for m in methods), strict=True)
    )
    scaled, shifted = eta * modes.nodes, eta * (modes.nodes + decay)
    trace, determinant = 1 + beta - (1 + gamma) * shifted, beta - gamma * shifted
    b0, b1 = -(1 + gamma) * scaled, gamma * scaled
    forms = [trace**2, -2 * trace * determinant, determinant**2, b0**2]
    forms += [b1**2 + 2 * trace * b0 * b1, trace, determinant, b0 * b1]
    # The first step has no gradient before it: T and D there are those of start zero.
    mean = np.broadcast_to(np.sqrt(modes.weights), scaled.shape)
    before, gradient = mean, np.zeros_like(scaled)
    a, b, c, power = np.zeros((4, *scaled.shape))
    ids, reached_at = np.arange(len(methods)), np.zeros(len(methods))
    start = modes.weights.sum()
    hold, least = _HOLD
    for t in range(_RACE_STEPS):
        squares = mean**2
        deviation = a @ modes.counts
        loss = squares.sum(axis=1) + deviation
        reached_at[loss > target * start] = t + 1
        settled = np.flatnonzero(reached_at + np.maximum(hold * reached_at, least) <= t)
        if settled.size:
            first = settled[reached_at[settled] == reached_at[settled].min()]
            winner = int(first[np.argmin(loss[first])])
            return int(ids[winner]), int(reached_at[winner])
        if t >= _PRUNE_FROM and t & (t - 1) == 0 and len(ids) > _PRUNE_TO:
            keep = np.sort(np.argsort(loss)[: max(_PRUNE_TO, len(ids) // 2)])
            ids, reached_at = ids[keep], reached_at[keep]
            mean, before, gradient, a, b, c, power, squares, shifted, eta, beta, gamma = (
                part[keep]
                for part in (
                    mean,
                    before,
                    gradient,
                    a,
                    b,
                    c,
                    power,
                    squares,
                    shifted,
                    eta,
                    beta,
                    gamma,
                )
            )
            forms = [form[keep] for form in forms]
            loss, deviation = loss[keep], deviation[keep]
        old, power = power, share * (loss[:, None] - squares / modes.counts - a)
        a, b, c = (
            forms[0] * a + forms[1] * b + forms[2] * c + forms[3] * power + forms[4] * old,
            forms[5] * a - forms[6] * b + forms[7] * old,
            a,
        )
        old_gradient, gradient = gradient, shifted * mean
        mean, before = (
            mean + beta * (mean - before) - gradient - gamma * (gradient - old_gradient),
            mean,
        )
    return int(ids[np.argmin(loss)]), None
