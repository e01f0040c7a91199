"""How one network is trained, and the identity of a run: all that decides its numbers.

Two runs are the same exactly if their `Spec`, their data (SHA-256 of the arrays) and the result
version are.  The version is raised by hand when the numbers that a `Spec` leads to change, which a
test on stored numbers notices; other changes of the code recompute nothing.  The generator of the
start is fixed (`inertial.problem.model`).  Fields that a `Spec` got later count only where they are
given, so that older identities stay.  Versions of libraries are stored with a run but do not
identify it: they change its numbers by rounding only, which the same test holds them to.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import product
from pathlib import Path

from inertial.data import Data, load
from inertial.method.schedule import SCHEDULES
from inertial.problem.model import GENERATOR
from inertial.runs.config import DataSet, Study
from inertial.runs.settings import Kernel, ModelSettings, Settings
from inertial.simulation.train import Order, Precision

RESULT_VERSION = 2
"""Raised by hand whenever the same configuration leads to other numbers."""


_FIRST = 13
"""Fields that a `Spec` had when runs were first stored; later ones count if they are not None."""


@dataclass(frozen=True)
class ModelName:
    """Which model it was that was trained, as far as that can be written down.

    Parameters
    ----------
    text
        What was given: ``mlp:256x2``, ``module:function``, or what the problem calls its model.
    loss
        Name of the loss.
    start_sha256
        Hash of the trained parameters at the start, with their names and shapes.
    source_sha256
        Hash of the file that holds the function; None for a model without one.

    """

    text: str
    loss: str
    start_sha256: str
    source_sha256: str | None = None


@dataclass(frozen=True)
class Spec:
    """How one network is trained, and what is recorded; fields as in `Settings`.

    `width` is 0 where `model` names another network than the papers'.
    """

    method: str
    rule: str
    width: int
    seed: int
    steps: int
    target: float
    precision: Precision
    eta: float | None = None
    beta: float | None = None
    kernel: Kernel = "infinite"
    shares: tuple[float, ...] = ()
    record_residuals: bool = False
    flows: tuple[str, ...] = ()
    model: ModelName | None = None
    batch: int | None = None
    order: Order | None = None
    decay: float | None = None


@dataclass(frozen=True)
class Run:
    """A spec with the data that it is to be run on, and the version of its numbers."""

    spec: Spec
    data: DataSet
    data_sha256: str
    version: int = RESULT_VERSION

    @cached_property
    def key(self) -> str:
        """Identity: hash of spec, data and version, 24 hexadecimal digits.

        The path of a file of one's own does not count, its content does; neither does the target,
        unless the rule is `forecast`, which alone reads it.
        """
        configuration = asdict(self.spec)
        for later in fields(Spec)[_FIRST:]:
            if configuration[later.name] is None:
                del configuration[later.name]
        if self.spec.rule != "forecast":
            del configuration["target"]
        facts = [configuration, self.data_sha256, self.version, GENERATOR]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]

    @property
    def label(self) -> str:
        """How progress and messages name it."""
        spec = self.spec
        name = Path(self.data.name).name
        return f"{name}, {spec.method}, {spec.rule}, m = {spec.width}, seed {spec.seed}"


def specs(settings: Settings) -> Iterator[Spec]:
    """Yield the specs of a comparison; those of one seed follow each other."""
    for seed, method in product(settings.seeds, settings.methods):
        yield Spec(
            method,
            rule_of(settings, method),
            settings.width,
            seed,
            settings.steps,
            settings.target,
            settings.precision,
            settings.eta,
            settings.beta,
            settings.kernel,
            settings.shares,
            settings.record_residuals,
            settings.flows_of(method),
            batch=settings.batch,
            order=None if settings.order == "fresh" else settings.order,
            decay=settings.decay or None,
        )


def rule_of(settings: Settings, method: str) -> str:
    """Say where the step sizes of a linear method come from."""
    if method in SCHEDULES:
        return method
    return "given" if settings.eta is not None else settings.rule


def model_specs(
    settings: ModelSettings, rules: Mapping[str, str], names: Mapping[int, ModelName]
) -> Iterator[Spec]:
    """Yield the specs of a comparison on a model, by its starts' names; a seed's follow each other.

    `rules` says by method where the step size came from.
    """
    for (seed, name), method in product(names.items(), settings.methods):
        yield Spec(
            method,
            rules[method],
            width=0,
            seed=seed,
            steps=settings.steps,
            target=settings.target,
            precision="float32",
            eta=settings.eta,
            beta=settings.beta,
            shares=settings.shares,
            model=name,
            batch=settings.batch,
            order=None if settings.order == "fresh" else settings.order,
        )


def runs(study: Study) -> tuple[Run, ...]:
    """All runs of a study, with their identities; loads every data set once.

    Those on one data set follow each other.

    Raises
    ------
    InvalidInput
        If a data set cannot be loaded.

    """
    hashes = {data: load_data(data).provenance.sha256 for data in study.data}
    grid = product(study.data, study.widths, study.seeds, study.rules, study.methods)
    return tuple(
        Run(
            Spec(method, rule, width, seed, study.steps, study.target, study.precision),
            data,
            hashes[data],
        )
        for data, width, seed, rule, method in grid
    )


def load_data(data: DataSet) -> Data:
    """Load a study's data set."""
    return load(
        data.name,
        most=data.rows,
        n=data.rows if data.name == "sphere" else None,
        label=data.label,
        normalize=data.normalize,
        standardize=data.standardize,
        dedupe=data.dedupe,
        constant=data.constant,
        raw=data.raw,
        seed=data.seed,
        dim=data.dim,
    )
