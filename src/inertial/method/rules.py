r"""Rules that choose step size and momentum from the kernel's spectrum, each with its source.

The published rules know the two ends of the spectrum only.  Real spectra have condition numbers of
1e5 and keep most of the loss in a few modes; `forecast` uses them all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, fraction, one_of
from inertial._types import Eigenvalues, MethodName
from inertial.linear.landscape import Landscape
from inertial.linear.spectrum import Extremes
from inertial.method.curve import steps_to
from inertial.method.modes import stability_limit
from inertial.method.recursion import Method, gradient_descent, heavy_ball, nesterov

MARGIN = 0.9
"""Share of the stability limit that `forecast` uses: a finite network's kernel differs."""

_HOLD = (0.25, 20)
"""`forecast` asks the loss to stay below the target for this share of the steps, and this many."""

_RACE_STEPS = 5_000
"""Where the race among candidates ends if none has reached the target."""

_NODES = 400
"""Eigenvalues are merged into at most this many nodes while candidates are compared."""

METHODS: tuple[MethodName, ...] = ("gradient_descent", "heavy_ball", "nesterov")


@dataclass(frozen=True)
class Rule:
    """A way to choose step size and momentum: where it comes from and which methods it defines."""

    key: str
    source: str
    choose: Callable[[MethodName, Landscape, float], Method]
    methods: tuple[MethodName, ...] = METHODS


def choose(rule: str, name: MethodName, landscape: Landscape, *, target: float = 0.01) -> Method:
    """Tune the method `name` for a data set by the rule of that key.

    Parameters
    ----------
    rule
        A key of `RULES`.
    name
        The method to tune.
    landscape
        The data set's spectrum and expected weights.
    target
        Share of the initial loss to reach; only `forecast` uses it.

    Raises
    ------
    InvalidInput
        If the rule or method is unknown, or the rule does not define the method.

    """
    fraction("target", target)
    return defined(rule, (name,)).choose(name, landscape, target)


def defined(rule: str, names: Sequence[str]) -> Rule:
    """Return the rule of that key if it defines all methods in `names`; raise otherwise."""
    known = RULES[one_of("rule", rule, RULES)]
    for name in names:
        if one_of("method", name, METHODS) not in known.methods:
            raise InvalidInput(
                f"rule {rule!r} does not define {name}; choose among {', '.join(known.methods)} "
                "with --methods, or another rule."
            )
    return known


def paper(name: MethodName, ends: Extremes) -> Method:
    r"""Table 1 and Theorem 1 of Liu, Pan and Tao (2022).

    With :math:`\hat\lambda = \lambda_{max} + \lambda_{min}/4` and
    :math:`\kappa = \tfrac{4}{3}\,\mathrm{cond} + \tfrac{1}{3}`: heavy ball takes
    :math:`\eta = 1/\hat\lambda, \beta = (1 - 1/(2\sqrt\kappa))^2`; Nesterov
    :math:`\eta = 1/(2\hat\lambda), \beta = (3\sqrt\kappa - 2)/(3\sqrt\kappa + 2)`; gradient descent
    :math:`\eta = \Theta(1/\lambda_{max})`, whose open constant makes it :math:`1/\hat\lambda` here.
    """
    bound = ends.largest + ends.smallest / 4
    root = np.sqrt(4 / 3 * ends.condition_number + 1 / 3)
    if name == "gradient_descent":
        return gradient_descent(1 / bound)
    if name == "heavy_ball":
        return heavy_ball(1 / bound, float((1 - 1 / (2 * root)) ** 2))
    return nesterov(1 / (2 * bound), float((3 * root - 2) / (3 * root + 2)))


def quadratic(name: MethodName, ends: Extremes) -> Method:
    r"""Best asymptotic rate on quadratics with these two ends (Polyak 1964; Lessard et al. 2016).

    Gradient descent :math:`2/(\mu + L)`; heavy ball :math:`\eta = 4/(\sqrt L + \sqrt\mu)^2,
    \beta = ((\sqrt\kappa - 1)/(\sqrt\kappa + 1))^2`; Nesterov :math:`\eta = 4/(3L + \mu),
    \beta = (\sqrt{3\kappa+1} - 2)/(\sqrt{3\kappa+1} + 2)`.
    """
    mu, largest = ends.smallest, ends.largest
    if name == "gradient_descent":
        return gradient_descent(2 / (mu + largest))
    if name == "heavy_ball":
        low, high = np.sqrt(mu), np.sqrt(largest)
        return heavy_ball(float(4 / (high + low) ** 2), float(((high - low) / (high + low)) ** 2))
    root = np.sqrt(3 * ends.condition_number + 1)
    return nesterov(4 / (3 * largest + mu), float((root - 2) / (root + 2)))


def wang_abernethy(name: MethodName, ends: Extremes) -> Method:
    r"""Theorems 1 and 2 of Wang and Abernethy (2020), for gradient descent and heavy ball.

    :math:`\eta = O(\lambda_{min}/n^2)`, whose open constant is set to 1 here, and
    :math:`\beta = (1 - \sqrt{\eta\lambda_{min}/2})^2`.
    """
    eta = ends.smallest / ends.size**2
    if name == "gradient_descent":
        return gradient_descent(eta)
    return heavy_ball(eta, float((1 - np.sqrt(eta * ends.smallest / 2)) ** 2))


def fastest(
    name: MethodName,
    eigenvalues: Eigenvalues,
    weights: Float[np.ndarray, "n"],
    target: float,
    *,
    margin: float = MARGIN,
) -> Method:
    """Step size and momentum with the fewest forecast steps to a target loss.

    Candidates on a grid of momentum and share of the stability limit (at most `margin`), and the
    `paper` and `quadratic` settings within it, run the modal recursion side by side.  The winner is
    the first whose forecast loss is at most `target` times its start and stays there for another
    quarter of its steps, and at least twenty: the next ring of the loss does not undo it.  If no
    candidate gets there in 5,000 steps, the lowest loss wins.

    Parameters
    ----------
    name
        The method to tune.
    eigenvalues, weights
        Spectrum in ascending order and expected squared modal coordinates, shape (n,).
    target
        Share of the initial loss, in (0, 1).
    margin
        Largest share of the stability limit.

    """
    nodes, mass = _merge(eigenvalues, weights)
    ends = Extremes(float(eigenvalues[0]), float(eigenvalues[-1]), 0.0, 0.0, len(eigenvalues))
    published = [rule(name, ends) for rule in (paper, quadratic)]
    candidates = _candidates(name, ends.largest, margin) + [
        method
        for method in published
        if method.eta * ends.largest <= margin * stability_limit(method)
    ]
    if name == "gradient_descent":
        return min(candidates, key=lambda m: (steps_to(m, nodes, mass, target) or np.inf, -m.eta))
    return candidates[_race(candidates, nodes, mass, target)]


def _candidates(name: MethodName, largest: float, margin: float) -> list[Method]:
    """Methods on the grid; momentum is even up to 1/2, beyond that its distance from 1 shrinks."""
    if name == "gradient_descent":
        return [gradient_descent(float(2 * share / largest)) for share in _shares(margin)]
    momenta = [*np.linspace(0, 0.5, 10, endpoint=False), *(1 - np.geomspace(0.5, 5e-4, 40))]
    make = nesterov if name == "nesterov" else heavy_ball
    tuned = []
    for beta in momenta:
        limit = stability_limit(make(1.0, float(beta))) / largest
        tuned += [make(float(share * limit), float(beta)) for share in _shares(margin)]
    return tuned


def _shares(margin: float) -> Float[np.ndarray, "50"]:
    return margin * np.linspace(0.02, 1, 50)


def _merge(
    eigenvalues: Eigenvalues, weights: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Merge eigenvalues within bins of equal ratio, each at its weighted mean."""
    if len(eigenvalues) <= _NODES:
        return eigenvalues, weights
    largest = eigenvalues[-1]
    edges = np.geomspace(max(eigenvalues[0], 1e-9 * largest), largest, _NODES)
    bins = np.searchsorted(edges, eigenvalues)
    mass = np.bincount(bins, weights)
    filled = mass > 0
    nodes = np.bincount(bins, weights * eigenvalues)[filled] / mass[filled]
    # The stability limit belongs to the largest eigenvalue itself.
    nodes[-1] = largest
    return nodes, mass[filled]


def _race(
    candidates: Sequence[Method],
    nodes: Float[np.ndarray, "k"],
    mass: Float[np.ndarray, "k"],
    target: float,
) -> int:
    """Run every candidate on every node; return the one that reaches the target and stays."""
    eta, beta, gamma = (
        np.array([getattr(method, name) for method in candidates])
        for name in ("eta", "beta", "gamma")
    )
    scaled = eta[:, None] * nodes
    residual, step, gradient = np.ones_like(scaled), np.zeros_like(scaled), np.zeros_like(scaled)
    reached_at = np.zeros(len(eta))
    threshold = target * mass.sum()
    share, least = _HOLD
    for t in range(_RACE_STEPS):
        loss = residual**2 @ mass
        reached_at[loss > threshold] = t + 1
        settled = np.flatnonzero(reached_at + np.maximum(share * reached_at, least) <= t)
        if settled.size:
            first = settled[reached_at[settled] == reached_at[settled].min()]
            return int(first[np.argmin(loss[first])])
        previous, gradient = gradient, scaled * residual
        step = beta[:, None] * step - gradient - gamma[:, None] * (gradient - previous)
        residual = residual + step
    return int(np.argmin(loss))


RULES: dict[str, Rule] = {
    rule.key: rule
    for rule in (
        Rule(
            "paper",
            "Liu, Pan and Tao (2022), Table 1",
            lambda name, landscape, _: paper(name, landscape.extremes),
        ),
        Rule(
            "quadratic",
            "Polyak (1964); Lessard, Recht and Packard (2016), Table 1",
            lambda name, landscape, _: quadratic(name, landscape.extremes),
        ),
        Rule(
            "wang2020",
            "Wang and Abernethy (2020), Theorems 1 and 2",
            lambda name, landscape, _: wang_abernethy(name, landscape.extremes),
            ("gradient_descent", "heavy_ball"),
        ),
        Rule(
            "forecast",
            "this project: fewest forecast steps on the whole spectrum",
            lambda name, landscape, target: fastest(
                name, landscape.spectrum.eigenvalues, landscape.weights, target
            ),
        ),
    )
}
