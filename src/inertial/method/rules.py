r"""Rules that choose step size and momentum from the kernel's spectrum, each with its source.

The published rules know the two ends of the spectrum only.  Real spectra have condition numbers of
1e5 and keep most of the loss in a few modes; `forecast` uses them all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput, fraction, one_of
from inertial.linear.measure import Measure
from inertial.linear.spectrum import Extremes
from inertial.method.bound import unreachable_share
from inertial.method.curve import STEPS_LIMIT, forecast_loss, steps_to
from inertial.method.modes import stability_limit
from inertial.method.race import STEPS, first_to_settle, lowest
from inertial.method.recursion import (
    FAMILIES,
    METHODS,
    Recursion,
    gradient_descent,
    heavy_ball,
    nesterov,
)

DEFAULT_RULE = "forecast"
"""Key of the rule wherever none is given."""

MARGIN = 0.9
"""Share of the stability limit that `forecast` uses: a finite network's kernel differs."""

_MOMENTA = np.r_[np.linspace(0, 0.5, 10, endpoint=False), 1 - np.geomspace(0.5, 5e-4, 40)]
"""Momenta of the candidates: even up to 1/2, beyond that the distance from 1 shrinks."""

_LONG_MOMENTA = 1 - np.geomspace(5e-4, 1e-6, 31)[1:]
"""Momenta beyond these, for targets that take more than 5,000 steps."""

_NODES = 400
"""Eigenvalues are merged into at most this many nodes while candidates are compared."""

Choice = Callable[[Measure, float], Recursion]
"""From a measure and a target share to a method."""


@dataclass(frozen=True)
class Rule:
    """A way to choose step size and momentum: where it comes from, and its choice by method."""

    key: str
    source: str
    choices: Mapping[str, Choice]

    @property
    def methods(self) -> tuple[str, ...]:
        """The papers' methods that the rule defines."""
        return tuple(name for name in METHODS if name in self.choices)


def choose(rule: str, name: str, measure: Measure, *, target: float = 0.01) -> Recursion:
    """Tune the method `name` by the rule of that key.

    Parameters
    ----------
    rule
        A key of `RULES`.
    name
        The method to tune, a key of `FAMILIES`.
    measure
        Spectral measure of the problem.
    target
        Share of the initial loss to reach; only `forecast` uses it.

    Raises
    ------
    InvalidInput
        If the rule or method is unknown, or the rule does not define the method.

    """
    fraction("target", target)
    return defined(rule, (name,)).choices[name](measure, target)


def defined(rule: str, names: Sequence[str]) -> Rule:
    """Return the rule of that key if it defines all methods in `names`; raise otherwise."""
    known = RULES[one_of("rule", rule, RULES)]
    for name in names:
        if one_of("method", name, FAMILIES) not in known.choices:
            raise InvalidInput(
                f"rule {rule!r} does not define {name}, only {', '.join(known.choices)}; leave it "
                "out of the methods, or give another rule."
            )
    return known


def paper_gradient_descent(ends: Extremes) -> Recursion:
    r"""Table 1 of Liu, Pan and Tao (2022): :math:`\eta = \Theta(1/\lambda_{max})`.

    Its open constant makes it :math:`1/\hat\lambda` here, :math:`\hat\lambda = \lambda_{max} +
    \lambda_{min}/4`.
    """
    return gradient_descent(1 / _upper(ends))


def paper_heavy_ball(ends: Extremes) -> Recursion:
    r"""Table 1 of Liu, Pan and Tao (2022) for heavy ball.

    :math:`\eta = 1/\hat\lambda, \beta = (1 - 1/(2\sqrt\kappa))^2` with :math:`\hat\lambda =
    \lambda_{max} + \lambda_{min}/4` and :math:`\kappa = \tfrac{4}{3} \mathrm{cond} + \tfrac{1}{3}`.
    """
    return heavy_ball(1 / _upper(ends), float((1 - 1 / (2 * _root(ends))) ** 2))


def paper_nesterov(ends: Extremes) -> Recursion:
    r"""Theorem 1 of Liu, Pan and Tao (2022) for Nesterov's method.

    :math:`\eta = 1/(2\hat\lambda), \beta = (3\sqrt\kappa - 2)/(3\sqrt\kappa + 2)`, with the
    numbers of `paper_heavy_ball`.
    """
    root = _root(ends)
    return nesterov(1 / (2 * _upper(ends)), float((3 * root - 2) / (3 * root + 2)))


def _upper(ends: Extremes) -> float:
    return ends.largest + ends.smallest / 4


def _root(ends: Extremes) -> float:
    return float(np.sqrt(4 / 3 * ends.condition_number + 1 / 3))


def quadratic_gradient_descent(ends: Extremes) -> Recursion:
    r"""Best rate of gradient descent on quadratics with these ends: :math:`2/(\mu + L)`."""
    return gradient_descent(2 / (ends.smallest + ends.largest))


def quadratic_heavy_ball(ends: Extremes) -> Recursion:
    r"""Best rate of heavy ball on quadratics with these ends (Polyak 1964).

    :math:`\eta = 4/(\sqrt L + \sqrt\mu)^2, \beta = ((\sqrt\kappa - 1)/(\sqrt\kappa + 1))^2`.
    """
    low, high = np.sqrt(ends.smallest), np.sqrt(ends.largest)
    return heavy_ball(float(4 / (high + low) ** 2), float(((high - low) / (high + low)) ** 2))


def quadratic_nesterov(ends: Extremes) -> Recursion:
    r"""Best rate of Nesterov's method on quadratics (Lessard, Recht and Packard 2016, Table 1).

    :math:`\eta = 4/(3L + \mu), \beta = (\sqrt{3\kappa+1} - 2)/(\sqrt{3\kappa+1} + 2)`.
    """
    root = np.sqrt(3 * ends.condition_number + 1)
    return nesterov(4 / (3 * ends.largest + ends.smallest), float((root - 2) / (root + 2)))


def wang_gradient_descent(ends: Extremes) -> Recursion:
    r"""Theorem 1 of Wang and Abernethy (2020): :math:`\eta = O(\lambda_{min}/n^2)`, constant 1."""
    return gradient_descent(_wang_step(ends))


def wang_heavy_ball(ends: Extremes) -> Recursion:
    r"""Theorem 2 of Wang and Abernethy (2020).

    :math:`\eta = O(\lambda_{min}/n^2)`, whose open constant is set to 1 here, and
    :math:`\beta = (1 - \sqrt{\eta\lambda_{min}/2})^2`.
    """
    eta = _wang_step(ends)
    beta = float((1 - np.sqrt(eta * ends.smallest / 2)) ** 2)
    if beta == 1:
        raise InvalidInput(
            "the rule wang2020 is for kernels of inputs of norm 1, and with these eigenvalues its "
            "momentum is rounded to 1; take the rule forecast."
        )
    return heavy_ball(eta, beta)


def _wang_step(ends: Extremes) -> float:
    eta = ends.smallest / ends.size**2
    if eta * ends.largest >= 2:  # never of inputs of norm 1: no eigenvalue is above n / 2 there
        raise InvalidInput(
            "the rule wang2020 is for kernels of inputs of norm 1, and with these eigenvalues its "
            f"step size, {eta:.3g}, is beyond the stability limit; take the rule forecast."
        )
    return eta


def fastest(
    name: str,
    measure: Measure,
    target: float,
    *,
    margin: float = MARGIN,
    steps: int = STEPS_LIMIT,
) -> Recursion:
    """Step size and momentum with the fewest forecast steps until the loss stays at a target.

    They are the fewest of a grid of 50 momenta and 50 shares of the stability limit (at most
    `margin`), and of the `paper` and `quadratic` settings within it, which race
    (`inertial.method.race`); between its points a small target can have a few steps less.  The
    winner is the first whose forecast loss is at most `target` times its start and stays there for
    another quarter of its steps, and at least twenty: the next ring of the loss does not undo it.
    Momenta go to 0.9995, and to 0.999999 if nobody settles within 5,000 steps; if nobody ever does,
    the lowest loss at the last step wins; at the 5,000th where what lies at zero is too much.

    Parameters
    ----------
    name
        The method to tune, a key of `FAMILIES`.
    measure
        Spectral measure of the problem.
    target
        Share of the initial loss, in (0, 1).
    margin
        Largest share of the stability limit.
    steps
        Where the race ends, at least 5,000: with that, momenta stay at 0.9995 at most.

    """
    few, ends = measure.merged(_NODES), measure.ends
    candidates = _candidates(name, ends.largest, margin, _MOMENTA)
    for table in (_PAPER, _QUADRATIC):
        if name in table and not ends.singular:
            method = table[name](ends)
            if method.constant[0] * ends.largest <= margin * stability_limit(method):
                candidates.append(method)
    if name == "gradient_descent":
        return min(candidates, key=partial(_steps_and_loss, few, target))
    winner, last = first_to_settle(candidates, few.nodes, few.weights, target), STEPS - 1
    if winner is None and steps > STEPS and unreachable_share(few) < target:
        candidates += _candidates(name, ends.largest, margin, _LONG_MOMENTA)
        winner = first_to_settle(candidates, few.nodes, few.weights, target, steps=steps)
        last = steps - 1
    if winner is None:
        winner = lowest(candidates, few.nodes, few.weights, last)
    return candidates[winner]


def _steps_and_loss(measure: Measure, target: float, method: Recursion) -> tuple[float, float]:
    """Return the steps to a target and the loss there; the last loss looked at if it is not."""
    steps = steps_to(method, measure, target)
    last = np.array([STEPS_LIMIT if steps is None else steps])
    return np.inf if steps is None else steps, float(forecast_loss(method, measure, last)[0])


def _candidates(
    name: str, largest: float, margin: float, momenta: Float[np.ndarray, "_"]
) -> list[Recursion]:
    """Methods on the grid of momenta and shares of the stability limit."""
    make, shares = FAMILIES[name], margin * np.linspace(0.02, 1, 50)
    if name == "gradient_descent":
        return [make(float(2 * share / largest), 0.0) for share in shares]
    tuned = []
    for beta in momenta:
        unit = make(1.0, float(beta))
        # The step of the recursion may be a multiple of what the family calls its step.
        limit = stability_limit(unit) / largest / unit.constant[0]
        tuned += [make(float(share * limit), float(beta)) for share in shares]
    return tuned


_PAPER = {
    "gradient_descent": paper_gradient_descent,
    "heavy_ball": paper_heavy_ball,
    "nesterov": paper_nesterov,
}
_QUADRATIC = {
    "gradient_descent": quadratic_gradient_descent,
    "heavy_ball": quadratic_heavy_ball,
    "nesterov": quadratic_nesterov,
}
_WANG = {"gradient_descent": wang_gradient_descent, "heavy_ball": wang_heavy_ball}


def _by_ends(table: Mapping[str, Callable[[Extremes], Recursion]]) -> dict[str, Choice]:
    def reading(tune: Callable[[Extremes], Recursion]) -> Choice:
        def choice(measure: Measure, _target: float) -> Recursion:
            if measure.ends.singular:
                raise InvalidInput(
                    "the kernel is singular, and this rule needs a smallest eigenvalue above 0; "
                    "take the rule forecast."
                )
            return tune(measure.ends)

        return choice

    return {name: reading(tune) for name, tune in table.items()}


RULES: dict[str, Rule] = {
    rule.key: rule
    for rule in (
        Rule("paper", "Liu, Pan and Tao (2022), Table 1", _by_ends(_PAPER)),
        Rule(
            "quadratic",
            "Polyak (1964); Lessard, Recht and Packard (2016), Table 1",
            _by_ends(_QUADRATIC),
        ),
        Rule("wang2020", "Wang and Abernethy (2020), Theorems 1 and 2", _by_ends(_WANG)),
        Rule(
            "forecast",
            "this project: fewest forecast steps until the loss stays at the target",
            {name: partial(fastest, name) for name in FAMILIES},
        ),
    )
}
