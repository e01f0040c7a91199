"""Runs against theorems: every entry of the catalogue judged on every run, seed and method.

A theorem on the infinite kernel is judged once per run, one on the start once per seed, one on
iterates once per seed and method.  The judgements of a theorem become one entry; none is dropped:
the counts say how many of each kind there were, and a violation outweighs everything else.  Of an
order in the width, runs at several widths show the slope, a method and data set at a time.

A statement "with probability at least p" is counted over the starts, with Clopper and Pearson's
(1934) interval at 95 %; it is violated only if the whole interval lies below p.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import binomtest

from inertial.method.recursion import label as called
from inertial.theory.catalog import CATALOG
from inertial.theory.evidence import Evidence, Missing
from inertial.theory.gather import StoredRun, along, at_seed, gather, seeds
from inertial.theory.theorem import Entry, Form, Kind, Margin, Theorem, Verdict, evaluate

if TYPE_CHECKING:
    import pandas as pd

WEIGHT: tuple[Verdict, ...] = (
    "violated",
    "unresolved",
    "holds",
    "vacuous",
    "not applicable",
    "unverifiable",
)
"""Verdicts from the one that outweighs the others down."""

_SEED = ", seed "
"""What stands between a problem and the seed of a start of it."""

_WIDTH = ", m = "
"""What stands between the data of a problem and its width."""

_HELD = ("holds", "vacuous")
_DECIDED = ("violated", "unresolved", *_HELD)


@dataclass(frozen=True)
class Frequency:
    """How many random starts a statement held on.

    Parameters
    ----------
    held, seeds
        Number of starts on which it held in every run, of how many; data, width and seed make a
        start.
    low, high
        Clopper and Pearson's interval for the probability, in [0, 1].
    promised
        Probability that the source gives; None where it leaves that free.
    problems
        Number of problems, data and width, that these starts are of, >= 1: the interval is for the
        starts of all of them together.

    """

    held: int
    seeds: int
    low: float
    high: float
    promised: float | None
    problems: int = 1

    @property
    def counted(self) -> str:
        """On how many starts it held, and of how many problems if there are several."""
        several = f" of {self.problems} problems (data and width)" if self.problems > 1 else ""
        return f"held on {self.held} of {self.seeds} starts{several}"


@dataclass(frozen=True)
class AuditEntry:
    """A theorem's verdict over all runs, seeds and methods.

    Parameters
    ----------
    theorem, source
        Key of the statement, and where it stands.
    statement
        What it says, in TeX.
    form
        `printed` or `corrected` where the source has a misprint, `only` elsewhere.
    erratum
        What is wrong in print; None where nothing is.
    kind
        Whether the verdict says something about the run.
    verdict, reason
        The verdict, and why in one sentence.
    finding
        Comparison of the two sides whatever the assumptions say.
    margin
        Worst ``1 - left/right`` of the judgements with the verdict that decided.  None if the sides
        were never compared.
    ratio
        Worst left/right of that judgement; None as for `margin`.
    first_violation
        Coordinate on `axis` in that judgement; None without a violation.
    axis
        What the sides are compared along.
    looked_at
        At how many coordinates, from where to where.
    where
        The judgement that decided; empty where several give the reason together.
    assumptions
        Worst margins of the judgements that counted.
    counts
        Number of judgements by verdict.
    frequency
        How many starts it held on; None for statements without a probability.
    by_run
        Verdict on each run by itself; empty for a single run.

    """

    theorem: str
    source: str
    statement: str
    form: Form
    erratum: str | None
    kind: Kind
    verdict: Verdict
    reason: str
    finding: Verdict
    margin: float | None
    ratio: float | None
    first_violation: float | int | None
    axis: str
    looked_at: str
    where: str
    assumptions: tuple[Margin, ...]
    counts: dict[str, int]
    frequency: Frequency | None
    by_run: dict[str, Verdict]


@dataclass(frozen=True, repr=False)
class Audit:
    """What `audit` returns.

    Parameters
    ----------
    runs
        Names of the runs.
    notes
        What was noticed about them.
    entries
        One for each theorem of the catalogue.

    """

    runs: tuple[str, ...]
    notes: tuple[str, ...]
    entries: tuple[AuditEntry, ...]

    def of(self, theorem: str) -> AuditEntry:
        """Return the entry of a theorem by its key."""
        return next(entry for entry in self.entries if entry.theorem == theorem)

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row per statement: key, source, what it says, verdict, margin and reason."""
        import pandas as pd

        names = (
            "theorem", "source", "statement", "form", "kind", "verdict", "finding", "margin",
            "ratio", "first_violation", "reason",
        )  # fmt: skip
        rows = [{name: getattr(entry, name) for name in names} for entry in self.entries]
        return pd.DataFrame(rows, columns=pd.Index(names))

    def __repr__(self) -> str:
        counts = Counter(entry.verdict for entry in self.entries if entry.kind == "run")
        said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in WEIGHT if counts[verdict])
        return (
            f"<Audit: {len(self.entries)} statements on {', '.join(self.runs)}; of those that "
            f"depend on the run {said or 'none'}>"
        )


def audit(
    runs: Sequence[StoredRun],
    *,
    theorems: Sequence[Theorem] = CATALOG,
    data_dir: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Audit:
    """Judge every theorem on every run.

    Parameters
    ----------
    runs
        Stored runs, at least one.
    theorems
        What to judge; the whole catalogue by default.
    data_dir
        Folder to look in for data first.
    progress
        Called before every seed with the run and the numbers of seeds judged and in all.

    Raises
    ------
    InvalidInput
        If a run is not a stored comparison, or its eigenvalues are not those of its data.

    """
    notes: list[str] = []
    judgements: dict[str, list[_Judgement]] = {theorem.key: [] for theorem in theorems}
    total = sum(run.arrays.sizes.get("seed", 0) for run in runs)
    done = 0

    def advance(label: str) -> None:
        nonlocal done
        if progress is not None:
            progress(f"judging {label}", done, total)
        done += 1

    for run in runs:
        for unit in _units(run, data_dir, notes, advance):
            for theorem in theorems:
                if theorem.scope == unit.scope and _concerns(theorem, unit.evidence):
                    judgements[theorem.key].append(_judge(theorem, unit))
    entries = tuple(_combine(theorem, judgements[theorem.key]) for theorem in theorems)
    return Audit(tuple(run.name for run in runs), tuple(dict.fromkeys(notes)), entries)


class _Unit(NamedTuple):
    """One piece of evidence, and the random start it belongs to: data, width and seed."""

    scope: str
    run: str
    label: str
    start: str
    evidence: Evidence


class _Judgement(NamedTuple):
    """An entry with its unit's labels and the probability that the source promises there."""

    entry: Entry
    run: str
    label: str
    start: str
    promised: float | None
    size: "_Size | None" = None


class _Size(NamedTuple):
    """What of a run goes with a power of the width, and of which setting at which width it is."""

    setting: Hashable
    width: int
    values: tuple[float, ...]


def _units(
    run: StoredRun,
    data_dir: str | Path | None,
    notes: list[str],
    advance: Callable[[str], None],
) -> Iterator[_Unit]:
    """Yield a run's evidence, one seed after the other, so that one start is held at a time."""
    gathered = gather(run, data_dir=data_dir)
    notes.extend([*gathered.notes, *_diverged(run)])
    data = run.manifest["data"].get("sha256", run.name)
    yield _Unit("kernel", run.name, run.name, "", gathered.evidence)
    for seed in seeds(run):
        label = f"{run.name}, seed {seed}"
        start = f"{data}{_WIDTH}{run.manifest['settings']['width']}{_SEED}{seed}"
        advance(label)
        evidence = at_seed(gathered, seed)
        if "start" in evidence.lacking and "start" not in gathered.evidence.lacking:
            notes.append(f"{run.name}: {evidence.lacking['start']}")
        yield _Unit("start", run.name, label, start, evidence)
        for method, whole, problem in along(gathered, evidence, seed):
            if problem is not None:
                notes.append(f"{label}, {method}: {problem}")
            yield _Unit("run", run.name, f"{label}, {method}", start, whole)


def _diverged(run: StoredRun) -> Iterator[str]:
    """Say which runs diverged, as nothing is known of them afterwards."""
    if "diverged_at" not in run.arrays:
        return
    gone = run.arrays.diverged_at.transpose("optimizer", "seed") >= 0
    if gone.any():
        lost = gone.any("seed")
        names = ", ".join(called(str(name)) for name in lost.optimizer[lost].to_numpy())
        yield (
            f"{run.name}: {int(gone.sum())} of {gone.size} runs diverged ({names}); what is said "
            "of these is of the steps before."
        )


def _concerns(theorem: Theorem, evidence: Evidence) -> bool:
    """Whether the run's method, if it is known, is one that the theorem speaks of."""
    run = evidence.along_run
    return run is None or theorem.methods is None or theorem.methods.include(run.method)


def _judge(theorem: Theorem, unit: _Unit) -> _Judgement:
    promised = None
    if theorem.chance is not None:
        try:
            promised = theorem.chance(unit.evidence)
        except Missing:
            promised = None
    entry = evaluate(theorem, unit.evidence)
    if promised is not None and promised <= 0 and entry.verdict in ("violated", *_HELD):
        reason = "the promised probability is not above 0"
        entry = replace(entry, verdict="vacuous", reason=reason)
    return _Judgement(
        entry,
        unit.run,
        unit.label,
        unit.start,
        promised,
        _size(theorem, unit),
    )


def _size(theorem: Theorem, unit: _Unit) -> _Size | None:
    """Measure what the theorem says the power of the width of; None if the run lacks it."""
    run = unit.evidence.along_run
    if not theorem.scaling or run is None or run.diverged_at is not None:
        return None
    try:
        values = tuple(measure(unit.evidence) for _, measure in theorem.scaling)
    except Missing:
        return None
    data = unit.start.rpartition(_WIDTH)[0]
    return _Size((data, run.method, int(run.steps[-1])), run.width, values)


def _combine(theorem: Theorem, judgements: Sequence[_Judgement]) -> AuditEntry:
    """Join a theorem's judgements into one entry; the weightiest verdict decides."""
    if not judgements:
        return _absent(theorem)
    decisive = min(judgements, key=_rank)
    entries = [judgement.entry for judgement in judgements]
    chosen = [j for j in judgements if j.entry.verdict in _DECIDED] or judgements
    counted = [judgement.entry for judgement in chosen]
    # Numbers are of the runs that the sentence is about: a vacuous run may be nearer to its bound.
    alike = [entry for entry in counted if entry.verdict == decisive.entry.verdict]
    worst = min(alike, key=_nearness)
    verdict, reason, where = decisive.entry.verdict, decisive.entry.reason, decisive.label
    slopes = _slopes(theorem, judgements)
    if slopes and reason == theorem.open:
        reason, where = f"{reason}: {slopes}", ""
    frequency = None
    if theorem.chance is not None:
        promising = [j for j in judgements if j.promised is None or j.promised > 0]
        frequency = _frequency(promising or judgements)
        verdict, reason = _weigh(verdict, reason, frequency)
    return AuditEntry(
        theorem=theorem.key,
        source=theorem.source,
        statement=theorem.statement,
        form=theorem.form,
        erratum=theorem.erratum,
        kind=theorem.kind,
        verdict=verdict,
        reason=reason,
        finding=min((entry.finding for entry in counted), key=WEIGHT.index),
        margin=worst.margin,
        ratio=worst.ratio,
        first_violation=worst.first_violation,
        axis=theorem.axis,
        looked_at=decisive.entry.looked_at,
        where=where,
        assumptions=_worst_margins(chosen),
        counts=dict(Counter(entry.verdict for entry in entries)),
        frequency=frequency,
        by_run=_by_run(theorem, judgements),
    )


def _nearness(entry: Entry) -> tuple[float, bool]:
    """Order entries by their margin; of those without one a violated claim comes first."""
    margin = math.inf if entry.margin is None else entry.margin
    return margin, entry.first_violation is None


def _slopes(theorem: Theorem, judgements: Sequence[_Judgement]) -> str:
    """Say with which power of the width the theorem's numbers go; nothing of a single width.

    Slopes of logarithms by least squares, of means over the seeds that did not diverge.
    """
    settings: dict[Hashable, dict[int, list[tuple[float, ...]]]] = {}
    for size in (judgement.size for judgement in judgements):
        if size is not None:
            settings.setdefault(size.setting, {}).setdefault(size.width, []).append(size.values)
    said = []
    for k, (name, _) in enumerate(theorem.scaling):
        slopes = []
        for widths in settings.values():
            means = np.array([np.mean(values, axis=0)[k] for values in widths.values()])
            if len(means) > 1 and (means > 0).all():
                slopes.append(np.polyfit(np.log(list(widths)), np.log(means), 1)[0])
        if slopes:
            ends = dict.fromkeys(f"{slope:.2f}" for slope in (min(slopes), max(slopes)))
            said.append(f"of the {name} {' to '.join(ends)}")
    return f"{', '.join(said)} (logarithms against log m, means over seeds)" if said else ""


def _by_run(theorem: Theorem, judgements: Sequence[_Judgement]) -> dict[str, Verdict]:
    """Return the verdict on each run by itself; nothing if there is only one."""
    runs: dict[str, list[_Judgement]] = {}
    for judgement in judgements:
        runs.setdefault(judgement.run, []).append(judgement)
    if len(runs) < 2:
        return {}
    return {name: _combine(theorem, part).verdict for name, part in runs.items()}


def _absent(theorem: Theorem) -> AuditEntry:
    """Return the entry of a theorem on methods that no run used."""
    return AuditEntry(
        theorem=theorem.key,
        source=theorem.source,
        statement=theorem.statement,
        form=theorem.form,
        erratum=theorem.erratum,
        kind=theorem.kind,
        verdict="not applicable",
        reason=f"no run of {theorem.methods.name if theorem.methods else 'any method'}",
        finding="unverifiable",
        margin=None,
        ratio=None,
        first_violation=None,
        axis=theorem.axis,
        looked_at="",
        where="",
        assumptions=(),
        counts={},
        frequency=None,
        by_run={},
    )


def _rank(judgement: _Judgement) -> tuple[int, float]:
    """Order judgements by the weight of their verdict, then by the margin that it rests on."""
    entry = judgement.entry
    margins = [entry.margin]
    if entry.verdict == "not applicable":
        margins = [assumption.margin for assumption in entry.assumptions]
    worst = min((margin for margin in margins if margin is not None), default=math.inf)
    return WEIGHT.index(entry.verdict), worst


def _worst_margins(judgements: Sequence[_Judgement]) -> tuple[Margin, ...]:
    """Return the smallest margin of each assumption, and where; None where it is never known."""
    known: dict[str, list[tuple[float, str]]] = {}
    for judgement in judgements:
        for assumption in judgement.entry.assumptions:
            margins = known.setdefault(assumption.name, [])
            if assumption.margin is not None:
                margins.append((assumption.margin, judgement.label))
    return tuple(Margin(name, *min(margins, default=(None, ""))) for name, margins in known.items())


def _frequency(judgements: Sequence[_Judgement]) -> Frequency | None:
    """Count the starts on which the claim held in every run; None if none could be compared."""
    starts: dict[str, bool] = {}
    for judgement in judgements:
        if judgement.entry.finding in (*_HELD, "violated"):
            held = judgement.entry.finding != "violated"
            starts[judgement.start] = starts.get(judgement.start, True) and held
    if not starts:
        return None
    interval = binomtest(sum(starts.values()), len(starts)).proportion_ci(0.95, method="exact")
    promised = [j.promised for j in judgements if j.promised is not None]
    return Frequency(
        held=sum(starts.values()),
        seeds=len(starts),
        low=float(interval.low),
        high=float(interval.high),
        promised=min(promised, default=None),
        problems=len({start.rpartition(_SEED)[0] for start in starts}),
    )


def _weigh(verdict: Verdict, reason: str, frequency: Frequency | None) -> tuple[Verdict, str]:
    """Judge a statement with a probability: single failures do not refute it, frequent ones do."""
    if frequency is None or frequency.promised is None or verdict != "violated":
        return verdict, reason
    if frequency.high < frequency.promised:
        return (
            "violated",
            f"{frequency.counted}, promised with probability {frequency.promised:.3g}",
        )
    return "unresolved", f"{frequency.counted}, which the promised {frequency.promised:.3g} allows"
