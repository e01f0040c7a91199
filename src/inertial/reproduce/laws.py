r"""Two results of this project: exponents on power laws, and the limit of the step on batches.

On a measure :math:`\lambda^{s-1} d\lambda` Nesterov's method with momentum t/(t + d) has a loss
like :math:`t^{-\min(2s,\,s + d/2)}`, its ODE one like :math:`t^{-\min(2s,\,d)}`: the discrete
method is faster than its own limit where d < 2s.  On batches heavy ball's limit goes from
:math:`2(1-\beta)/(\tau\,\mathrm{tr}H)` to :math:`2(1+\beta)/\lambda_{max}`, the plateaus of
Andreyev et al. (2026, arXiv 2604.14108), and lies between two closed forms on the way.
"""

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.linear.kernel import infinite_gram
from inertial.linear.measure import Measure
from inertial.method.batch import largest_step, noise_share
from inertial.method.curve import forecast_loss
from inertial.method.flow import nesterov_flow
from inertial.method.recursion import Recursion, gradient_descent, nesterov_varying
from inertial.reproduce.item import Claim, Item, Scale, of_data, of_formula
from inertial.runs.config import DataSet
from inertial.runs.execution import prepare
from inertial.simulation.integrate import flow_loss

CASES = ((1.0, 1.0), (0.6, 0.5), (1.5, 2.0))
"""Exponents s of the measure, each with a friction d below 2s."""

_LAST = 4096
"""Steps that the curves go to; the exponents are measured over the last factor of two."""

_AGREE = 0.02
"""Relative difference up to which a measured exponent is the predicted one."""

_LINES = ("gradient_descent", "nesterov", "nesterov_flow")

BETAS = (0.0, 0.5, 0.9)
"""Momenta of the crossover."""

_BATCHES = 25
"""Batches from one row to all of them, at most."""

_SMALL = 16
"""Rows of the kernel whose exact second moments are followed."""

_STEPS = 1000
"""Steps that they are followed for; growth is looked at over the last tenth."""

_FAR, _HALVINGS = 1.3, 7
"""Factor of the limit within which that of exact moments is bisected, and how often: to 0.4 %."""

_ASIDE = 0.03
"""How far apart both limits may be."""


def power_laws(_data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Losses of gradient descent, Nesterov's method and its ODE on three power laws."""
    steps = np.unique(np.geomspace(1, _LAST, 73).astype(int))
    nodes = np.geomspace(1e-14, 1, 4000)
    losses, predicted = [], []
    for s, d in CASES:
        measure = Measure(nodes, nodes**s)
        # The flow oscillates on without damping: it needs closer modes.
        close = np.geomspace(1e-14, 1, 100_000)
        losses.append(
            [
                forecast_loss(gradient_descent(1.0), measure, steps),
                forecast_loss(nesterov_varying(1.0, d, steps=_LAST), measure, steps),
                flow_loss(nesterov_flow(d), close, close**s / 25, steps.astype(float)),
            ]
        )
        predicted.append([s, min(2 * s, s + d / 2), min(2 * s, d)])
    return xr.Dataset(
        {
            "loss": (("case", "line", "step"), np.array(losses)),
            "predicted": (("case", "line"), np.array(predicted)),
            "first": ("case", [0.5 * float((nodes**s).sum()) for s, _ in CASES]),
            "s": ("case", [s for s, _ in CASES]),
            "d": ("case", [d for _, d in CASES]),
        },
        coords={"line": list(_LINES), "step": steps},
    )


def exponents(result: xr.Dataset) -> Float[np.ndarray, "case line"]:
    """Return the exponents over the last factor of two of the steps."""
    steps = result.step.values
    late = steps >= steps[-1] / 2
    logs = np.log(result.loss.values[..., late])
    slopes = np.polyfit(np.log(steps[late]), logs.reshape(-1, late.sum()).T, 1)[0]
    return np.asarray(-slopes.reshape(logs.shape[:2]))


def power_law_claims(result: xr.Dataset) -> list[Claim]:
    """Measured exponents are the predicted ones, and the method's exceeds its ODE's."""
    found, claims = exponents(result), []
    words = dict(zip(_LINES, ("gradient descent", "Nesterov's method", "its ODE"), strict=True))
    for i, (s, d) in enumerate(zip(result.s.values, result.d.values, strict=True)):
        for k, line in enumerate(_LINES):
            wanted = float(result.predicted[i, k])
            claims.append(
                of_formula(
                    f"s = {s:g}, d = {d:g}: the loss of {words[line]} falls like t^-{wanted:g}",
                    bool(abs(found[i, k] / wanted - 1) < _AGREE),
                    f"t^-{found[i, k]:.3f} over the last factor of two, to t = {_LAST:,}",
                )
            )
    claims.append(
        of_formula(
            "the discrete method is faster than its own ODE where d < 2s",
            bool((found[:, 1] > found[:, 2]).all()),
            ", ".join(f"{a:.2f} against {b:.2f}" for _, a, b in found),
        )
    )
    return claims


def crossover(data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Limit of the step on batches, times the largest eigenvalue, with what it lies between."""
    parts = []
    for item in data:
        prepared = prepare(item)
        values = prepared.measure.nodes
        batches = np.unique(np.geomspace(1, len(values), _BATCHES).round().astype(int))
        top, trace = float(values[-1]), float(values.sum())
        tau = np.array([noise_share(int(b), len(values)) for b in batches])
        beta = np.array(BETAS)[:, None]
        c = tau * (1 + beta) / (1 - beta)
        with np.errstate(divide="ignore"):
            low = 2 * (1 - beta) / tau * top / trace
        limits = [
            [largest_step("heavy_ball", b, prepared.measure, int(k)) * top for k in batches]
            for b in BETAS
        ]
        place = ("beta", "place")
        provenance = prepared.data.provenance
        parts.append(
            xr.Dataset(
                {
                    "batch": ("place", batches.astype(float)),
                    "limit": (place, np.array(limits)),
                    "low": (place, low),
                    "between": (place, 2 * (1 + beta) * top / (c * trace + (1 - c) * top)),
                    "slack": ((), 1 - top / trace),
                    "exact": (("beta", "size"), _exact(prepared.data.x)),
                    "n": ((), provenance.n),
                    "d": ((), provenance.d),
                },
                coords={"beta": list(BETAS), "data": provenance.name},
            )
        )
    return xr.concat(parts, "data", join="outer")


def _exact(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "beta 3"]:
    """Limits from all second moments of the first rows, as multiples of the forecast's."""
    gram = infinite_gram(x[:_SMALL])
    n, values = len(gram), np.linalg.eigvalsh(gram)
    measure, start = Measure(np.maximum(values, 0), np.ones(n)), np.ones(n)
    found = np.empty((len(BETAS), 3))
    for i, beta in enumerate(BETAS):
        for k, batch in enumerate((1, 2, n // 2)):
            limit, share = largest_step("heavy_ball", beta, measure, batch), noise_share(batch, n)
            low, high = np.log(1 / _FAR), np.log(_FAR)
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                method = Recursion(float(np.exp(middle)) * limit, beta)
                grows = _grows(method, gram, start, share)
                low, high = (low, middle) if grows else (middle, high)
            found[i, k] = np.exp((low + high) / 2)
    return found


def _grows(
    method: Recursion, gram: Float[np.ndarray, "n n"], start: Float[np.ndarray, "n"], share: float
) -> bool:
    """Whether ``E |xi_t|^2`` grows in the end, from all n x n second moments of heavy ball."""
    eta, beta, _ = method.constant
    n, one = len(gram), np.eye(len(gram))
    mean = np.block([[(1 + beta) * one - eta * gram, -beta * one], [one, np.zeros((n, n))]])
    moment = np.tile(np.outer(start, start), (2, 2))
    logs, size = [], 0.0
    for _ in range(_STEPS):
        here = moment[:n, :n]
        pushed = eta**2 * gram @ (share * (n * np.diag(np.diag(here)) - here)) @ gram
        moment = mean @ moment @ mean.T
        moment[:n, :n] += pushed
        scale = float(np.trace(moment))
        moment, size = moment / scale, size + float(np.log(scale))
        logs.append(size)
    return logs[-1] > logs[-_STEPS // 10]


def crossover_claims(result: xr.Dataset) -> list[Claim]:
    """Check both plateaus, the closed forms, and that exact moments agree with the limit."""
    claims, rounding = [], 1e-9
    beta = result.beta.values
    for name in (str(value) for value in result.data.values):
        part = result.sel(data=name).dropna("place", subset=["batch"])
        limit, low, between = (part[key].values for key in ("limit", "low", "between"))
        small, large = np.minimum(low, between), np.maximum(low, between)
        inside = (limit >= small * (1 - rounding)) & (limit <= large * (1 + rounding))
        first, last = limit[:, 0] / low[:, 0], limit[:, -1] / (2 * (1 + beta))
        claims += [
            of_data(
                "at every batch the limit lies between 2(1 - beta)/(tau tr H) and 2(1 + beta)/"
                "(c tr H + (1 - c) lambda_max), c = tau (1 + beta)/(1 - beta)",
                name,
                bool(inside.all()),
                f"{inside.sum():,} of {inside.size:,} limits",
            ),
            of_data(
                "at a batch of one it is 2(1 - beta)/(tau tr H), to within lambda_max/tr H",
                name,
                bool((first >= 1 - rounding).all() and (first <= 1 / float(part.slack)).all()),
                f"{first.min():.3f} to {first.max():.3f} times that",
            ),
            of_data(
                "at all rows it is 2(1 + beta)/lambda_max",
                name,
                bool((np.abs(last - 1) < rounding).all()),
                f"{last.min():.3f} to {last.max():.3f} times that",
            ),
            of_data(
                f"on the first {_SMALL} rows all second moments begin to grow within 3 % of it",
                name,
                bool((np.abs(part.exact - 1) < _ASIDE).all()),
                f"{float(part.exact.min()):.3f} to {float(part.exact.max()):.3f} times that",
            ),
        ]
    return claims


ITEMS = (
    Item(
        "beyond/power-laws",
        "Exponents on power laws: Nesterov's method is faster than its own ODE",
        "this project",
        power_law_claims,
        "power_laws",
        compute=power_laws,
        uses="none",
    ),
    Item(
        "beyond/batch-limit",
        "Largest step of heavy ball against the batch, between two plateaus",
        "this project, after Andreyev et al. (2026), arXiv 2604.14108",
        crossover_claims,
        "batch_limit",
        compute=crossover,
    ),
)
