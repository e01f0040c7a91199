"""Advice for training on batches: step size, momentum, steps and samples, and the useful sizes."""

import dataclasses
import math
from dataclasses import dataclass

from inertial._checks import InvalidInput, fraction, whole
from inertial.data import Data, Provenance
from inertial.linear.expected import need_of, spectrum_of
from inertial.linear.measure import Measure
from inertial.method.batch import (
    BatchSizes,
    batch_sizes,
    fastest_for_batch,
    largest_step,
    noise_share,
)
from inertial.method.recursion import METHODS, Recursion
from inertial.runs.check import LONGEST, Check, check


@dataclass(frozen=True)
class BatchMethod:
    """A method tuned for a batch.

    `steps_to` is the step at which the expected loss is at the target, None if beyond 5,000;
    `samples_to` that times the batch; `eta_limit` the step size from which the expected loss grows.
    """

    name: str
    method: Recursion
    eta_limit: float
    steps_to: int | None
    samples_to: int | None


@dataclass(frozen=True)
class BatchAdvice:
    """What `tune` returns for a batch: a row a method, and the sizes that matter.

    `check` is a real run of the best method on such batches, None if there was none.
    """

    data: Provenance
    measure: Measure
    target: float
    batch: int
    sizes: BatchSizes
    methods: tuple[BatchMethod, ...]
    check: Check | None = None

    @property
    def best(self) -> BatchMethod:
        """The method with the fewest steps of the expected loss to the target."""
        return min(self.methods, key=lambda m: math.inf if m.steps_to is None else m.steps_to)


def tune_batch(
    data: Data, batch: int, *, target: float = 0.01, width: int = 2000, trials: int = 1
) -> BatchAdvice:
    """Tune the papers' methods for fresh batches of a size, and train the best one once.

    Parameters
    ----------
    data
        What `load` returned.
    batch
        Rows in a batch, up to all of them.
    target
        Share of the initial loss that the expected loss is to reach, in (0, 1).
    width
        Neurons of the network that is trained.
    trials
        0 for the forecast alone; a run is made if it promises at most 1,000 steps.

    Raises
    ------
    InvalidInput
        If the batch is not a whole number from 1 to the number of rows, another argument makes no
        sense, the kernel is singular, or too large to be decomposed.

    """
    noise_share(batch, len(data.x))
    fraction("target", target)
    whole("width", width)
    whole("trials", trials, least=0)
    if need_of(data.x).route != "dense":
        raise InvalidInput(
            f"the noise of a batch needs every eigenvalue, and {len(data.x):,} rows have too many "
            "to compute; take fewer rows, with n."
        )
    spectrum, measure = spectrum_of(data)
    methods = []
    for name in METHODS:
        method, steps = fastest_for_batch(name, measure, batch, target=target)
        _, beta, _ = method.constant
        limit = largest_step(name, beta, measure, batch)
        samples = None if steps is None else steps * batch
        methods.append(BatchMethod(name, method, limit, steps, samples))
    advice = BatchAdvice(
        data.provenance, measure, target, batch, batch_sizes(measure), tuple(methods)
    )
    best = advice.best
    if not trials or best.steps_to is None or best.steps_to > LONGEST:
        return advice
    run = check(
        best.method, data, measure, spectrum,
        name=best.name, width=width, target=target, batch=batch,
    )  # fmt: skip
    return dataclasses.replace(advice, check=run)
