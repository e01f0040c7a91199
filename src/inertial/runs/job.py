"""One run of a study: what it depends on, and the hash of all of that as its identity.

Two runs are the same exactly if configuration, data (SHA-256 of the arrays) and code are.  The code
is the source of everything that decides a number, and the versions of the libraries below it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib import metadata
from itertools import product
from pathlib import Path

from inertial.data import Data, load
from inertial.runs.config import DataSet, Study
from inertial.simulate.train import Precision

_DECIDING = (
    "_types.py",
    "_checks.py",
    "data",
    "problem",
    "linear",
    "method",
    "simulate",
    "runs/execution.py",
    "runs/spectra.py",
)
"""Sources that decide a run's numbers, below the package."""

_LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Job:
    """The configuration of one run."""

    data: DataSet
    method: str
    rule: str
    width: int
    seed: int
    steps: int
    target: float
    precision: Precision

    @property
    def label(self) -> str:
        """How progress and messages name it."""
        name = Path(self.data.name).name
        return f"{name}, {self.method}, {self.rule}, m = {self.width}, seed {self.seed}"


@dataclass(frozen=True)
class Run:
    """A job with the data and the code it is to be run with."""

    job: Job
    data_sha256: str
    code: str

    @cached_property
    def key(self) -> str:
        """Identity: hash of configuration, data and code, 24 hexadecimal digits.

        The path of a file of one's own does not count, its content does; neither does the target,
        unless the rule is `forecast`, which alone reads it.
        """
        configuration = asdict(self.job) | {"data": self.data_sha256}
        if self.job.rule != "forecast":
            del configuration["target"]
        text = json.dumps([configuration, self.code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def jobs(study: Study) -> Iterator[Job]:
    """Yield the configurations of a study; those on one data set follow each other."""
    for data, width, seed, rule, method in product(
        study.data, study.widths, study.seeds, study.rules, study.methods
    ):
        yield Job(data, method, rule, width, seed, study.steps, study.target, study.precision)


def runs(study: Study) -> tuple[Run, ...]:
    """All runs of a study, with their identities; loads every data set once.

    Raises
    ------
    InvalidInput
        If a data set cannot be loaded.

    """
    hashes = {data: load_data(data).provenance.sha256 for data in study.data}
    return tuple(Run(job, hashes[job.data], code_version()) for job in jobs(study))


@cache
def code_version() -> str:
    """Hash of the deciding sources and the versions of the libraries."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in _DECIDING:
        place = root / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    for name in _LIBRARIES:
        digest.update(f"{name} {metadata.version(name)}\n".encode())
    return digest.hexdigest()


def load_data(data: DataSet) -> Data:
    """Load a study's data set."""
    return load(
        data.name,
        most=data.rows,
        n=data.rows if data.name == "sphere" else None,
        label=data.label,
        normalize=data.normalize,
        standardize=data.standardize,
        constant=data.constant,
        raw=data.raw,
        dedupe=data.dedupe,
        seed=data.seed,
        dim=data.dim,
    )
