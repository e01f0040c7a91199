"""What decides the numbers of a comparison, besides the data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from inertial._checks import SEEDS, InvalidInput, fraction, number, one_of, whole
from inertial.method.flow import (
    Flow,
    gradient_flow,
    heavy_ball_flow,
    high_resolution_heavy_ball,
    high_resolution_nesterov,
    nesterov_flow,
    newton_flow,
)
from inertial.method.recursion import METHODS
from inertial.method.rules import DEFAULT_RULE, defined
from inertial.simulation.train import Precision

Kernel = Literal["infinite", "finite"]

_SHARES = (0.1, 0.01, 0.001)
"""Shares of the initial loss whose step counts are always reported."""


@dataclass(frozen=True)
class Companion:
    """A flow and the method that it is a limit of.

    It is built from eta and ``mu = lambda_min / 2`` of the infinite-width kernel, as the rules are.
    """

    method: str
    build: Callable[[float, float], Flow]


COMPANIONS = {
    "gradient_flow": Companion("gradient_descent", lambda _mu, _eta: gradient_flow()),
    "newton_flow": Companion("gradient_descent", lambda _mu, _eta: newton_flow()),
    "heavy_ball_flow": Companion("heavy_ball", lambda mu, _eta: heavy_ball_flow(mu)),
    "high_resolution_heavy_ball": Companion("heavy_ball", high_resolution_heavy_ball),
    "nesterov_flow": Companion("nesterov", lambda _mu, _eta: nesterov_flow()),
    "high_resolution_nesterov": Companion("nesterov", high_resolution_nesterov),
}


@dataclass(frozen=True)
class Settings:
    """Everything that decides the numbers of a comparison, besides the data.

    Parameters
    ----------
    methods
        Which methods to run.
    width
        Neurons m of the hidden layer.
    seeds
        One random start each, shared by all methods.
    steps
        Number of updates.
    rule
        Key of the tuning rule.
    eta, beta
        Step size and momentum given by hand instead; the methods that have momentum need both.
    target
        Share of the initial loss the rule `forecast` aims at.
    kernel
        Kernel of the forecast: of the infinite network, or of each seed's own start.
    precision
        Arithmetic of training.
    record_residuals
        Whether to store the residual vector of every run at every step.
    flows
        Keys of `COMPANIONS`: flows to solve beside the methods that they are limits of.

    """

    methods: tuple[str, ...] = METHODS
    width: int = 2000
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    steps: int = 200
    rule: str = DEFAULT_RULE
    eta: float | None = None
    beta: float | None = None
    target: float = 0.01
    kernel: Kernel = "infinite"
    precision: Precision = "float32"
    record_residuals: bool = False
    flows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._convert()
        fraction("target", self.target)
        one_of("kernel", self.kernel, ("infinite", "finite"))
        one_of("precision", self.precision, ("float32", "float64"))
        defined(self.rule, self.methods)
        for what, values in (("methods", self.methods), ("seeds", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise InvalidInput(
                    f"{what} is {list(values)}; give at least one, each of them once."
                )
        for flow in self.flows:
            if COMPANIONS[one_of("flow", flow, COMPANIONS)].method not in self.methods:
                raise InvalidInput(
                    f"flow {flow!r} is a limit of {COMPANIONS[flow].method}, which is not among "
                    "the methods; add it with --methods, or leave the flow out."
                )
        if self.beta is not None and self.eta is None:
            raise InvalidInput("beta is given without eta; give both, or neither and a rule.")
        if self.eta is not None and self.rule != DEFAULT_RULE:
            raise InvalidInput(f"eta and the rule {self.rule!r} are both given; give one of them.")
        with_momentum = [method for method in self.methods if method != "gradient_descent"]
        if self.eta is not None and self.beta is None and with_momentum:
            raise InvalidInput(
                f"eta is given without beta, which {' and '.join(with_momentum)} need; give both "
                "(0 is no momentum)."
            )
        if self.beta is not None and self.methods == ("gradient_descent",):
            raise InvalidInput("beta is given, but gradient descent has none; leave it out.")

    def _convert(self) -> None:
        """Turn NumPy's numbers, ranges, sets and lists into the plain values that are stored."""
        plain = {
            "width": whole("width", self.width),
            "steps": whole("steps", self.steps),
            "methods": _words("methods", self.methods),
            "flows": _words("flows", self.flows),
            "seeds": tuple(
                whole("seed", seed, least=0, below=SEEDS) for seed in _listed("seeds", self.seeds)
            ),
            "record_residuals": bool(self.record_residuals),
            **{
                name: None if getattr(self, name) is None else number(name, getattr(self, name))
                for name in ("eta", "beta", "target")
            },
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def flows_of(self, method: str) -> tuple[str, ...]:
        """Flows that are limits of a method."""
        return tuple(key for key in self.flows if COMPANIONS[key].method == method)

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of the initial loss whose step counts are reported, the target among them."""
        return tuple(sorted({*_SHARES, self.target}, reverse=True))


def _listed(what: str, values: object) -> list[Any]:
    """List what can be iterated over, a set in ascending order."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidInput(f"{what} is {values!r}; give a list of them.")
    return sorted(values) if isinstance(values, set | frozenset) else list(values)


def _words(what: str, values: object) -> tuple[str, ...]:
    return tuple(str(word) for word in _listed(what, values))
