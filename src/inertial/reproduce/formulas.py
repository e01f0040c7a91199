r"""Formulas: the rate of Liu, Tao, Wang and Pan (2022), the exponent of Wang and Abernethy.

.. math:: \rho(\alpha) = \tfrac{1}{2}\bigl(4 + 3\alpha - \sqrt{8 + 16\alpha + 9\alpha^2}\bigr),
          \qquad \theta(\alpha) = \frac{\log(1 - \alpha)}{\log(1 - \sqrt\alpha)}
"""

import numpy as np
import xarray as xr
from jaxtyping import Float

from inertial.method.curve import steps_to
from inertial.method.rules import choose
from inertial.reproduce.item import (
    BISECTED,
    Claim,
    Item,
    Scale,
    counted,
    known,
    of_data,
    of_formula,
)
from inertial.runs.config import DataSet
from inertial.runs.execution import prepare

HEAVY_BALL_RATE = 2 - float(np.sqrt(2))
"""Heavy ball's rate, in the same unit."""

_EARLIER_RATES = {"earlier, 1/4": 0.25, "earlier, 3/7": 3 / 7}
"""Coefficients of the rate that the paper sets its own beside."""

_REDUCTION = 0.01
"""Factor by which the norm of the residual is to fall when iterations are counted."""

_LIMITS = {"gradient_descent": BISECTED, "heavy_ball": 2_000_000}
"""Where counting stops."""


def rate(_data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Evaluate the rate with the correct and the printed square root."""
    alpha = np.linspace(0.001, 0.5, 500)
    printed = (4 + 3 * alpha - np.sqrt(8 + 16 * alpha + alpha**2)) / 2
    correct = (4 + 3 * alpha - np.sqrt(8 + 16 * alpha + 9 * alpha**2)) / 2
    return xr.Dataset(
        {"correct": ("alpha", correct), "printed": ("alpha", printed)},
        coords={"alpha": alpha},
        attrs={"heavy_ball": HEAVY_BALL_RATE, **_EARLIER_RATES},
    )


def rate_claims(result: xr.Dataset) -> list[Claim]:
    """Increasing, above heavy ball's, up to (11 - sqrt 73)/4, and above the earlier ones."""
    correct, printed = result.correct.values, result.printed.values
    top = (11 - np.sqrt(73)) / 4
    ends = f"{correct[0]:.4f} to {correct[-1]:.4f}"
    # The largest of min{...} over phi, from which the paper derives the formula.
    phi = np.geomspace(1e-2, 1, 400_000)
    some = np.linspace(0, len(correct) - 1, 6).astype(int)
    brute = [_best(float(a), phi) for a in result.alpha.values[some]]
    gap = np.abs(brute - correct[some]).max()
    wrong = np.abs(printed[-1] - correct[-1])
    return [
        of_formula("the rate increases with alpha", bool((np.diff(correct) > 0).all()), ends),
        of_formula(
            "2 - sqrt(2) < rate <= (11 - sqrt(73))/4",
            bool(correct[0] > HEAVY_BALL_RATE and correct[-1] <= top * (1 + 1e-12)),
            f"{ends}, limits {HEAVY_BALL_RATE:.4f} and {top:.4f}",
        ),
        of_formula(
            "the rate exceeds the earlier coefficients 1/4 and 3/7",
            bool(correct[0] > 3 / 7),
            ends,
        ),
        of_formula(
            "the formula is the largest rate its proof allows (brute force over phi)",
            bool(gap < 1e-6),
            f"largest difference {gap:.1e}",
        ),
        of_formula(
            "the same holds for the formula as printed, with alpha^2 for 9 alpha^2",
            bool(wrong < 1e-6),
            f"differs by {wrong:.3f} at alpha = 1/2",
        ),
    ]


def _best(alpha: float, phi: Float[np.ndarray, "k"]) -> float:
    parts = (2 / (3 + 2 * phi), 4 * (1 + alpha) / (2 + 1 / phi), 4 / (1 + phi))
    return float(np.minimum.reduce(parts).max())


def exponent(alpha: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    """Return theta: iterations of heavy ball over those of gradient descent at equal factors."""
    return np.asarray(np.log1p(-alpha) / np.log1p(-np.sqrt(alpha)))


def theta(_data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Evaluate theta on (0, 1)."""
    alpha = np.concatenate([np.geomspace(1e-6, 0.01, 200), np.linspace(0.011, 0.999, 400)])
    return xr.Dataset({"theta": ("alpha", exponent(alpha))}, coords={"alpha": alpha})


def theta_claims(result: xr.Dataset) -> list[Claim]:
    """Below one, increasing, and the two values the paper gives."""
    alpha, value = result.alpha.values, result.theta.values
    given = exponent(np.array([1e-2, 1e-4]))
    small = value[0] / np.sqrt(alpha[0])
    return [
        of_formula(
            "theta < 1 on (0, 1): heavy ball needs fewer iterations",
            bool((value < 1).all()),
            f"largest {value.max():.3f}",
        ),
        of_formula("theta increases with alpha", bool((np.diff(value) > 0).all()), ""),
        of_formula(
            "theta(0.01) = 0.1 and theta(0.0001) = 0.01, to one digit",
            [f"{value:.1g}" for value in given] == ["0.1", "0.01"],
            f"{given[0]:.5f} and {given[1]:.6f}",
        ),
        of_formula(
            "theta is about sqrt(alpha) near 0",
            bool(abs(small - 1) < 0.01),
            f"ratio {small:.4f} at alpha = {alpha[0]:.0e}",
        ),
    ]


def iterations(data: tuple[DataSet, ...], _scale: Scale) -> xr.Dataset:
    """Count iterations of both methods: by the rates of the theorems, and by the exact forecast."""
    names, rows = [], []
    for item in data:
        prepared = prepare(item)
        ends, provenance = prepared.measure.ends, prepared.data.provenance
        plain, momentum = (choose("wang2020", name, prepared.measure) for name in _LIMITS)
        alpha = plain.constant[0] * ends.smallest / 2
        counts = [
            steps_to(method, prepared.measure, _REDUCTION**2, limit=limit)
            for method, limit in zip((plain, momentum), _LIMITS.values(), strict=True)
        ]
        names.append(provenance.name)
        bounds = (
            np.log(_REDUCTION) / np.log1p(-alpha),
            np.log(_REDUCTION / 2) / np.log1p(-np.sqrt(alpha)),
        )
        rows.append((alpha, *bounds, *(np.nan if c is None else c for c in counts), provenance.n))
    keys = ("alpha", "bound_plain", "bound_momentum", "plain", "momentum", "n")
    columns = zip(*rows, strict=True)
    return xr.Dataset(
        {k: ("data", np.array(v)) for k, v in zip(keys, columns, strict=True)},
        coords={"data": names},
        attrs={"reduction": _REDUCTION, "rule": "wang2020"},
    )


def iterations_claims(result: xr.Dataset) -> list[Claim]:
    """Heavy ball needs at most theta times the iterations: of the bounds, and in the forecast."""
    bounds = (result.bound_momentum / result.bound_plain / exponent(result.alpha.values)).values
    worst, reduction = float(bounds.max()), float(result.attrs["reduction"])
    claims = [
        of_formula(
            f"{_AT_MOST_THETA}, as printed",
            worst <= 1,
            f"{worst:.3f} times theta: log(g/2)/log(g) for a reduction g = {reduction:g} of the "
            "norm",
        ),
        of_formula(
            f"{_AT_MOST_THETA}, with Theorem 1 read as it is, for the squared norm",
            worst / 2 <= 1,
            f"{worst / 2:.3f} times theta: log(g/2)/log(g^2)",
        ),
    ]
    for name in (str(value) for value in result.data.values):
        row = result.sel(data=name)
        momentum, plain = float(row.momentum), float(row.plain)
        words = f"{counted(momentum)} against {counted(plain)} iterations"
        claims.append(of_data(_FEWER, name, known(momentum < plain, momentum, plain), words))
    return claims


_AT_MOST_THETA = (
    "counts from Theorems 1 and 2: heavy ball's iterations are at most theta times gradient "
    "descent's (eq. 10)"
)
_FEWER = "heavy ball needs fewer iterations than gradient descent on the exact linearised network"

ITEMS = (
    Item(
        "liu2022-ode/fig1",
        "Rate of Nesterov's high-resolution flow against alpha",
        "Liu, Tao, Wang and Pan (2022), Figure 1",
        rate_claims,
        "rate",
        compute=rate,
        uses="none",
    ),
    Item(
        "wang2020/fig1",
        "Exponent theta(alpha) of the acceleration",
        "Wang and Abernethy (2020), Figure 1",
        theta_claims,
        "theta",
        compute=theta,
        uses="none",
    ),
    Item(
        "wang2020/iterations",
        "Iterations of heavy ball and gradient descent to one percent of the residual",
        "Wang and Abernethy (2020), eq. 10 and remark",
        iterations_claims,
        "iterations",
        compute=iterations,
    ),
)
