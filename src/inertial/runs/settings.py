"""What decides the numbers of a comparison, besides the data (and the model, if there is one)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from inertial._checks import (
    SEEDS,
    InvalidInput,
    fraction,
    instance,
    measurable,
    nonnegative,
    number,
    one_of,
    whole,
)
from inertial.method.flow import (
    Flow,
    gradient_flow,
    heavy_ball_flow,
    high_resolution_heavy_ball,
    high_resolution_nesterov,
    nesterov_flow,
    newton_flow,
)
from inertial.method.recursion import FAMILIES, METHODS, Recursion
from inertial.method.rules import DEFAULT_RULE, defined
from inertial.method.schedule import SCHEDULES
from inertial.simulation.train import Order, Precision
from inertial.simulation.transformations import TRANSFORMATIONS

Kernel = Literal["infinite", "finite"]

TRIALS_RULE = "trials"
"""Key of a model's default rule: what `tune` recommends for it, found by real trials."""

MODEL_RULES = (TRIALS_RULE, DEFAULT_RULE)
"""Rules for a model; the published ones need a smallest eigenvalue, which products do not give."""

_SHARES = (0.1, 0.01, 0.001)
"""Shares of the initial loss whose step counts are always reported."""


@dataclass(frozen=True)
class Companion:
    """A flow and the method that it is set beside, at the times of whose steps it is solved.

    It is built from eta and ``mu = lambda_min / 2`` of the infinite-width kernel, as the rules are.
    `instead` is a sentence on what it is the limit of; empty where it is that of the method at any
    momentum.
    """

    method: str
    build: Callable[[float, float], Flow]
    instead: str = ""


_CRITICAL = (
    "has friction 2 sqrt(lambda_min/2): it is the limit of momentum near 1 - 2 sqrt(eta "
    "lambda_min/2), not of another that it is set beside."
)

COMPANIONS = {
    "gradient_flow": Companion("gradient_descent", lambda _mu, _eta: gradient_flow()),
    "newton_flow": Companion(
        "gradient_descent",
        lambda _mu, _eta: newton_flow(),
        "The Newton flow is the limit of Newton steps that shrink, not of gradient descent.",
    ),
    "heavy_ball_flow": Companion(
        "heavy_ball", lambda mu, _eta: heavy_ball_flow(mu), f"The heavy ball flow {_CRITICAL}"
    ),
    "high_resolution_heavy_ball": Companion(
        "heavy_ball",
        high_resolution_heavy_ball,
        f"The high-resolution flow of heavy ball {_CRITICAL}",
    ),
    "nesterov_flow": Companion(
        "nesterov",
        lambda _mu, _eta: nesterov_flow(),
        "The Nesterov flow, with friction 3/t, is the limit of shrinking steps with momentum "
        "t/(t + 3), not with the constant momentum that it is set beside.",
    ),
    "high_resolution_nesterov": Companion(
        "nesterov",
        high_resolution_nesterov,
        f"The high-resolution flow of Nesterov's method {_CRITICAL}",
    ),
}


@dataclass(frozen=True)
class Settings:
    """Everything that decides the numbers of a comparison, besides the data.

    Parameters
    ----------
    methods
        Which methods to run: names in `FAMILIES`, schedules in `SCHEDULES`, or optimisers of optax
        in `TRANSFORMATIONS`.
    width
        Neurons m of the hidden layer.
    seeds
        One random start each, shared by all methods.
    steps
        Number of updates.
    rule
        Key of the tuning rule; one of `SCHEDULES` sets that schedule beside the methods, which are
        tuned by the rule `forecast`.
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
        Keys of `COMPANIONS`: flows to solve at the times of the steps of the methods that they are
        set beside.  Two are limits of other methods: the Newton flow beside gradient descent, and
        `nesterov_flow`, that of momentum t/(t + 3), beside constant momentum.
    batch
        Rows whose gradient a step takes, all of them if None.  The rule `forecast` then aims at the
        expected loss, and the forecast is that of the expected loss.
    order
        `fresh` for new rows at each step, `shuffled` for epochs.
    decay
        Rate of weight decay, at least 0, for training and forecast.
    devices
        Devices of each process that the neurons are spread over; it changes results by rounding.

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
    batch: int | None = None
    order: Order = "fresh"
    decay: float = 0.0
    devices: int = 1

    def __post_init__(self) -> None:
        self._convert()
        one_of("kernel", self.kernel, ("infinite", "finite"))
        one_of("precision", self.precision, ("float32", "float64"))
        measurable(self.target, self.precision, "the precision float64")
        one_of("order", self.order, ("fresh", "shuffled"))
        instance("rule", self.rule, str, f"give a key of a rule, such as {DEFAULT_RULE!r}")
        given = None if self.rule == DEFAULT_RULE else self.rule
        if self.rule in SCHEDULES:
            methods = tuple(dict.fromkeys((*self.methods, self.rule)))
            object.__setattr__(self, "methods", methods)
            object.__setattr__(self, "rule", DEFAULT_RULE)
        _each_once("methods", self.methods)
        constant = tuple(name for name in self.methods if name not in SCHEDULES)
        defined(self.rule, check_methods(constant) if constant else ())
        check_seeds(self.seeds)
        for flow in self.flows:
            if COMPANIONS[one_of("flow", flow, COMPANIONS)].method not in self.methods:
                raise InvalidInput(
                    f"flow {flow!r} is set beside {COMPANIONS[flow].method}, which is not among "
                    "the methods; add it to them, or leave the flow out."
                )
        check_by_hand(self.methods, self.eta, self.beta, given)
        self._check_batch()
        nonnegative("decay", self.decay)
        others = [method for method in self.methods if method in TRANSFORMATIONS]
        if others and (self.precision == "float64" or self.record_residuals):
            raise InvalidInput(
                f"{' and '.join(others)} run in float32 and record no residuals; leave out the "
                "precision and the record, or these methods."
            )

    def _check_batch(self) -> None:
        """Raise if there is a batch, and something that is defined for all rows only."""
        check_order(self.batch, self.order)
        if self.batch is None:
            return
        alone = [name for name in self.methods if name in (*SCHEDULES, *TRANSFORMATIONS)]
        if alone or self.flows:
            raise InvalidInput(
                f"{' and '.join(alone or self.flows)}: for gradients of all rows; leave that out, "
                "or the batch."
            )

    def _convert(self) -> None:
        """Turn NumPy's numbers, ranges, sets and lists into the plain values that are stored."""
        plain = {
            "width": whole("width", self.width),
            "devices": whole("devices", self.devices),
            "steps": whole("steps", self.steps),
            "methods": _words("methods", self.methods),
            "flows": _words("flows", self.flows),
            "seeds": _seeds(self.seeds),
            "record_residuals": bool(self.record_residuals),
            "batch": None if self.batch is None else whole("batch", self.batch),
            "decay": number("decay", self.decay),
            **_numbers(self),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def flows_of(self, method: str) -> tuple[str, ...]:
        """Flows that are set beside a method."""
        return tuple(key for key in self.flows if COMPANIONS[key].method == method)

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of the initial loss whose step counts are reported, the target among them."""
        return _shares(self.target)


@dataclass(frozen=True)
class ModelSettings:
    """Everything that decides the numbers of a comparison on a model, besides model and data.

    Parameters
    ----------
    methods, steps
        As for `Settings`.
    seeds
        One random start each, shared by all methods; None for five, or the only one of a model
        that comes with its parameters.
    rule
        `trials` for what `tune` recommends for the model, found by real runs from the first start;
        `forecast` for what the linearised model ranks first, unchecked.
    eta, beta
        Step size and momentum given by hand instead, for the loss of the problem.
    target
        Share of the initial loss that the rules aim at and the verdict looks at.
    batch, order
        As for `Settings`; the methods are linear ones then.  The rule `trials` trains on such
        batches too.

    """

    methods: tuple[str, ...] = METHODS
    seeds: tuple[int, ...] | None = None
    steps: int = 200
    rule: str = TRIALS_RULE
    eta: float | None = None
    beta: float | None = None
    target: float = 0.1
    batch: int | None = None
    order: Order = "fresh"

    def __post_init__(self) -> None:
        seeds = None if self.seeds is None else _seeds(self.seeds)
        plain = {
            "steps": whole("steps", self.steps),
            "methods": _words("methods", self.methods),
            "seeds": seeds,
            "batch": None if self.batch is None else whole("batch", self.batch),
            **_numbers(self),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        fraction("target", self.target)
        one_of("rule", self.rule, MODEL_RULES)
        one_of("order", self.order, ("fresh", "shuffled"))
        check_order(self.batch, self.order)
        check_methods(self.methods)
        check_seeds(self.seeds or (0,))
        check_by_hand(
            self.methods, self.eta, self.beta, None if self.rule == TRIALS_RULE else self.rule
        )
        alone = [name for name in self.methods if name in TRANSFORMATIONS]
        if alone and self.batch is not None:
            raise InvalidInput(
                f"{' and '.join(alone)}: for gradients of all rows; leave that out, or the batch."
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of the initial loss whose step counts are reported, the target among them."""
        return _shares(self.target)


def check_methods(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the methods that a rule has to define: the linear recursions.

    Raises
    ------
    InvalidInput
        If a method is unknown, one is there twice, or none.

    """
    _each_once("methods", methods)
    for name in methods:
        one_of("method", name, (*FAMILIES, *TRANSFORMATIONS))
    return tuple(name for name in methods if name in FAMILIES)


def check_order(batch: int | None, order: Order) -> None:
    """Raise if an order of batches is given without them."""
    if batch is None and order != "fresh":
        raise InvalidInput("an order is given without a batch; give both, or neither.")


def check_seeds(seeds: tuple[int, ...]) -> None:
    """Raise if there is no seed, or one is there twice."""
    _each_once("seeds", seeds)


def check_by_hand(
    methods: tuple[str, ...], eta: float | None, beta: float | None, rule: str | None
) -> None:
    """Raise if step size and momentum given by hand are not what the methods need.

    `rule` is the rule if it was given as well.
    """
    if beta is not None and eta is None:
        raise InvalidInput("beta is given without eta; give both, or neither and a rule.")
    if eta is None:
        return
    if rule is not None:
        raise InvalidInput(f"eta and the rule {rule!r} are both given; give one of them.")
    momentum = [name for name in methods if name in FAMILIES and name != "gradient_descent"]
    if beta is None and momentum:
        raise InvalidInput(
            f"eta is given without beta, which {' and '.join(momentum)} need; give both "
            "(0 is no momentum)."
        )
    if beta is not None and not momentum:
        names = " and ".join(methods)
        raise InvalidInput(f"beta is given, but {names} has none; leave it out.")


def _each_once(what: str, values: tuple[Any, ...]) -> None:
    if not values or len(set(values)) < len(values):
        raise InvalidInput(f"{what} is {list(values)}; give at least one, each of them once.")


def _shares(target: float) -> tuple[float, ...]:
    return tuple(sorted({*_SHARES, target}, reverse=True))


def _seeds(values: object) -> tuple[int, ...]:
    return tuple(whole("seed", seed, least=0, below=SEEDS) for seed in _listed("seeds", values))


def _numbers(settings: Settings | ModelSettings) -> dict[str, float | None]:
    return {
        name: None if getattr(settings, name) is None else number(name, getattr(settings, name))
        for name in ("eta", "beta", "target")
    }


def _listed(what: str, values: object) -> list[Any]:
    """List what can be iterated over, a set in ascending order."""
    if isinstance(values, str) or not isinstance(values, Iterable) or hasattr(values, "tocsr"):
        raise InvalidInput(f"{what} is {values!r}; give a list of them.")
    return sorted(values) if isinstance(values, set | frozenset) else list(values)


def _words(what: str, values: object) -> tuple[str, ...]:
    words = _listed(what, values)
    if any(isinstance(word, Recursion) for word in words):
        raise InvalidInput(
            f"{what} holds a Recursion where names are taken; forecast and train run any "
            "Recursion, and a name of your own is one more line in FAMILIES (docs/extend.md)."
        )
    return tuple(str(word) for word in words)
