r"""A theorem as data, and the one function that judges it on what is known of a run.

A theorem says ``left <= right`` at every step (or time, or eigenvalue) under assumptions.  Three
questions are kept apart: whether its assumptions are met, by what signed margin; whether the two
sides compare as it says, with the worst ratio and the first failure; and whether the numbers can
tell, given the rounding of the run.

Verdicts.  `holds`: the assumptions are met and so is the claim.  `violated`: the claim fails beyond
rounding.  `not applicable`: an assumption is missed.  `unverifiable`: the source leaves a constant
open, or the run lacks what is needed.  `vacuous`: the bound is met but never says more than the
trivial one.  `unresolved`: the two sides lie within the rounding of the run.

Three kinds of statement are told apart.  `run`: whether it holds depends on the run, so that it
answers the question whether the theory holds on these data.  `algebra`: a proof covers every run,
and its verdict says nothing about this one.  `misprint`: a slip in its printed form, or a claim
that is never true.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool

from inertial.method.recursion import Recursion
from inertial.theory.evidence import Evidence, Missing
from inertial.theory.start import Series

Form = Literal["printed", "corrected", "only"]
Relation = Literal["at most", "below", "equal"]
Scope = Literal["kernel", "start", "run"]
Kind = Literal["run", "algebra", "misprint"]
Verdict = Literal["holds", "violated", "not applicable", "unverifiable", "vacuous", "unresolved"]
Side = Callable[[Evidence], Series | float]

_MET = -1e-9
"""A margin of at least this counts as met: assumptions that hold with equality round."""


@dataclass(frozen=True)
class Assumption:
    """A condition with a signed margin.

    Parameters
    ----------
    name
        The condition in words.
    margin
        Its margin on some evidence, as a share of what is asked (itself where 0 is asked): at least
        0 where met, None where it cannot be computed.

    """

    name: str
    margin: Callable[[Evidence], float | None]


@dataclass(frozen=True)
class Methods:
    """Methods that a theorem speaks of: a condition on coefficients, with a signed margin.

    Parameters
    ----------
    name
        The condition in words, such as ``gamma = beta > 0, both constant``.
    margin
        At least 0 for the coefficients that meet it.

    """

    name: str
    margin: Callable[[Recursion], float]

    def include(self, method: Recursion) -> bool:
        """Whether a method's coefficients meet the condition."""
        return self.margin(method) >= 0


@dataclass(frozen=True)
class Theorem:
    """One numbered statement of a source, in one form, ready to be judged.

    Parameters
    ----------
    key
        Unique name.
    source
        Authors, year and their label, such as ``Wang and Abernethy (2020), Lemma 3``.
    statement
        What it says, in one sentence of our own.
    covers
        Labels of the results or errata that it stands for.
    left, right
        The two sides as functions of the evidence: one number, or one per step.
    form
        Whether this is the statement as printed, as corrected, or the only form there is.
    erratum
        Identifier of the slip that separates the two forms.
    scope
        What a judgement needs besides the infinite kernel: nothing, a random start, or a run.
    methods
        Methods whose runs it speaks of; all if None.
    batches
        Whether it speaks of runs on batches too.
    always
        Whether a proof covers every run, so that the verdict says nothing about this one; by
        default that of statements on the kernel alone.
    assumptions
        Conditions of the statement.
    relation
        How the sides compare: ``left <= right``, ``left < right`` or ``left = right``.
    at, axis
        Coordinates of the entries of the two sides, and their name; by default 0, 1, 2, ...,
        called steps if a run is judged.
    trivial
        A bound that holds anyway; a right side that never falls below it is vacuous.
    noise
        Rounding of the measured sides, absolute; below it nothing is decided.
    tolerance
        Relative rounding of the two sides' own evaluation, within which they count as equal.
    chance
        Probability over the random start that the source promises at least, for statements with
        one; it returns None where the source leaves it free.
    open
        Why the statement cannot be judged at all: a constant left open by its source, or wording.
    false
        Why no evidence can make the statement hold, for slips that are never true.
    scaling
        Names and numbers of a run whose power of the width the statement gives.

    """

    key: str
    source: str
    statement: str
    covers: tuple[str, ...]
    left: Side | None = None
    right: Side | None = None
    form: Form = "only"
    erratum: str | None = None
    scope: Scope = "kernel"
    methods: Methods | None = None
    batches: bool = False
    always: bool | None = None
    assumptions: tuple[Assumption, ...] = ()
    relation: Relation = "at most"
    at: Side | None = None
    axis: str = ""
    trivial: Side | None = None
    noise: Side | None = None
    tolerance: float = 1e-9
    chance: Callable[[Evidence], float | None] | None = None
    open: str = ""
    false: str = ""
    scaling: tuple[tuple[str, Callable[[Evidence], float]], ...] = ()

    def __post_init__(self) -> None:
        if (self.left is None) != (self.right is None):
            raise ValueError(f"theorem {self.key} has one side only")
        if self.left is None and not self.open:
            raise ValueError(f"theorem {self.key} has neither sides nor a reason for having none")
        if (self.erratum is None) != (self.form == "only"):
            raise ValueError(f"theorem {self.key}: an erratum has two forms, anything else one")
        if not self.axis:
            object.__setattr__(self, "axis", "step" if self.scope == "run" else "entry")
        if self.always is None:
            object.__setattr__(self, "always", self.scope == "kernel")

    @property
    def kind(self) -> Kind:
        """What its verdict tells: something about the run, nothing but algebra, or a misprint."""
        if self.form == "printed" or self.false:
            return "misprint"
        return "algebra" if self.always else "run"


@dataclass(frozen=True)
class Margin:
    """How far an assumption is met.

    Parameters
    ----------
    name
        The assumption in words.
    margin
        At least 0 where met, below 0 where missed; None where unknown.
    where
        Of several judgements the one that it is the worst of.

    """

    name: str
    margin: float | None
    where: str = ""


@dataclass(frozen=True)
class Entry:
    """A theorem's verdict on one piece of evidence.

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
    verdict, reason
        The verdict, and why in one sentence.
    finding
        How the two sides compare whatever the assumptions say.
    margin
        ``1 - ratio``, or for an equality allowed minus actual relative error; None if the sides
        were not compared.
    ratio
        Largest left/right; None as for `margin`.
    first_violation
        Coordinate on `axis`; None without a violation.
    axis
        What the sides are compared along.
    looked_at
        At how many coordinates, from where to where.
    assumptions
        How far each is met.

    """

    theorem: str
    source: str
    statement: str
    form: Form
    erratum: str | None
    verdict: Verdict
    reason: str
    finding: Verdict
    margin: float | None
    ratio: float | None
    first_violation: float | int | None
    axis: str
    looked_at: str
    assumptions: tuple[Margin, ...]


def evaluate(theorem: Theorem, evidence: Evidence) -> Entry:
    """Judge one theorem on one piece of evidence; what is missing makes it unverifiable."""
    margins = tuple(
        Margin(known.name, _margin(known, evidence)) for known in _conditions(theorem, evidence)
    )
    finding = _compare(theorem, evidence)
    verdict, reason = _judge(theorem, evidence, margins, finding)
    return Entry(
        theorem=theorem.key,
        source=theorem.source,
        statement=theorem.statement,
        form=theorem.form,
        erratum=theorem.erratum,
        verdict=verdict,
        reason=reason,
        finding=finding.verdict,
        margin=finding.margin,
        ratio=finding.ratio,
        first_violation=finding.first,
        axis=theorem.axis,
        looked_at=finding.looked_at,
        assumptions=margins,
    )


class _Finding(NamedTuple):
    """How the two sides compare."""

    verdict: Verdict
    reason: str
    ratio: float | None = None
    margin: float | None = None
    first: float | int | None = None
    looked_at: str = ""


class _Sides(NamedTuple):
    """Both sides with their coordinates and rounding, of one shape."""

    left: Series
    right: Series
    noise: Series
    at: Series


def _conditions(theorem: Theorem, evidence: Evidence) -> tuple[Assumption, ...]:
    """Return the theorem's assumptions, with those on the run's method and batch that it misses."""
    run = evidence.along_run
    if theorem.scope != "run" or run is None:
        return theorem.assumptions
    missed = []
    if theorem.methods is not None and (margin := theorem.methods.margin(run.method)) < 0:
        missed.append(Assumption(theorem.methods.name, lambda _: margin))
    if run.batch is not None and not theorem.batches:
        share = run.batch / evidence.kernel.size
        missed.append(Assumption("every gradient is that of all rows", lambda _: share - 1))
    return (*missed, *theorem.assumptions)


def _margin(assumption: Assumption, evidence: Evidence) -> float | None:
    try:
        margin = assumption.margin(evidence)
    except Missing:
        return None
    return None if margin is None or math.isnan(margin) else float(margin)


def _judge(
    theorem: Theorem, evidence: Evidence, margins: tuple[Margin, ...], finding: _Finding
) -> tuple[Verdict, str]:
    """Combine assumptions and comparison; what is not known never counts as true."""
    missed = [m for m in margins if m.margin is not None and m.margin < _MET]
    if missed:
        worst = min(missed, key=lambda m: m.margin or 0.0)
        return "not applicable", f"assumption missed by {-(worst.margin or 0):.3g}: {worst.name}"
    if theorem.open:
        return "unverifiable", theorem.open
    unknown = [m.name for m in margins if m.margin is None]
    if unknown and finding.verdict != "unverifiable":
        return (
            "unverifiable",
            f"assumption cannot be computed: {unknown[0]}; the claim itself: {finding.verdict}",
        )
    run = evidence.along_run
    diverged = None if theorem.scope != "run" or run is None else run.diverged_at
    if diverged is not None and finding.verdict in ("holds", "vacuous", "unresolved"):
        return "unverifiable", f"the run diverged at step {diverged}"
    return finding.verdict, finding.reason


def _compare(theorem: Theorem, evidence: Evidence) -> _Finding:
    """Evaluate both sides and say how they compare."""
    if theorem.left is None or theorem.right is None:
        return _Finding("unverifiable", theorem.open)
    try:
        with np.errstate(all="ignore"):
            sides = _evaluate_sides(theorem, evidence)
            trivial = None if theorem.trivial is None else np.atleast_1d(theorem.trivial(evidence))
    except Missing as missing:
        return _Finding("unverifiable", str(missing))
    except np.linalg.LinAlgError as error:
        return _Finding("unverifiable", f"the sides cannot be computed ({error})")
    undefined = np.isnan(sides.left) | np.isnan(sides.right)
    undefined |= np.isinf(sides.left) & (sides.left == sides.right)
    if not sides.left.size or undefined.any():
        where = sides.at[undefined][0] if undefined.any() else None
        return _Finding("unverifiable", f"a side is not a number at {theorem.axis} {where}")
    return _decide(theorem, sides, trivial)._replace(looked_at=_looked_at(theorem, sides))


def _looked_at(theorem: Theorem, sides: _Sides) -> str:
    """Say where the sides were compared; nothing for a single pair of numbers."""
    if theorem.axis == "entry" or (len(sides.left) == 1 and theorem.at is None):
        return ""
    count, first, last = len(np.unique(sides.at)), sides.at.min(), sides.at.max()
    return f"{count} values of {theorem.axis} from {first:.4g} to {last:.4g}"


def _evaluate_sides(theorem: Theorem, evidence: Evidence) -> _Sides:
    assert theorem.left is not None  # noqa: S101 - the caller has looked
    assert theorem.right is not None  # noqa: S101
    left = np.atleast_1d(np.asarray(theorem.left(evidence), float))
    right = np.atleast_1d(np.asarray(theorem.right(evidence), float))
    noise = np.asarray(0.0 if theorem.noise is None else theorem.noise(evidence), float)
    left, right, noise = np.broadcast_arrays(left, right, noise)
    default = np.arange(len(left), dtype=float)
    at = default if theorem.at is None else np.asarray(theorem.at(evidence), float)
    return _Sides(left, right, noise, np.broadcast_to(np.atleast_1d(at), left.shape))


def _decide(theorem: Theorem, sides: _Sides, trivial: Series | None) -> _Finding:
    """Turn the comparison of every step into one finding."""
    over, undecided, buried = _steps(theorem, sides)
    ratio, margin = _worst(theorem, sides, ~buried)
    single = len(sides.left) == 1 and theorem.at is None
    if over.any():
        first = float(sides.at[over][0])
        where = int(first) if theorem.axis in ("step", "entry") else first
        place = f"first violated at {theorem.axis} {where:g}"
        reason = "the two sides contradict it" if single else place
        if theorem.relation == "below" and margin == 0:
            reason += ", where the sides are equal and the claim is strict"
        return _Finding("violated", reason, ratio, margin, None if single else where)
    if undecided.any() or buried.all():
        at = "" if single else f" at {theorem.axis} {sides.at[undecided | buried][0]:g}"
        return _Finding("unresolved", f"the sides lie within rounding{at}", ratio, margin)
    infinite = np.isposinf(sides.right)
    if infinite.any():
        at = "" if single else f" at {theorem.axis} {sides.at[infinite][0]:g}"
        return _Finding("vacuous", f"the bound is infinite{at}", ratio, margin)
    if trivial is not None and (sides.right >= trivial).all():
        return _Finding("vacuous", "the bound is never below the trivial one", ratio, margin)
    hidden = int(buried.sum())
    places = f"{hidden} step{'' if hidden == 1 else 's'}"
    note = f"; {places} below rounding not counted" if hidden else ""
    shown = "" if ratio is None else f"worst ratio {ratio:.4g}"
    return _Finding("holds", shown + note, ratio, margin)


def _steps(
    theorem: Theorem, sides: _Sides
) -> tuple[Bool[np.ndarray, "T"], Bool[np.ndarray, "T"], Bool[np.ndarray, "T"]]:
    """Per step: whether it fails, lies within rounding, or its bound lies below the rounding.

    Two sides that are the same number, such as a bound at step 0, agree whatever the rounding.
    """
    _, right, noise, _ = sides
    gap, slack, scale = _gap(theorem, sides)
    same = gap == 0
    if theorem.relation == "equal":
        return np.abs(gap) > slack + noise, (noise > 0) & (noise >= scale), np.zeros_like(same)
    over = gap > slack + noise
    if theorem.relation == "below":
        over = gap >= -slack
    buried = (noise > 0) & (right <= noise) & ~over & ~same
    undecided = (noise > 0) & (np.abs(gap) <= noise) & ~same & ~buried & ~over
    return over, undecided, buried


def _gap(theorem: Theorem, sides: _Sides) -> tuple[Series, Series, Series]:
    """Left less right at every step, how much of it is tolerated, and the larger of the two."""
    left, right, _, _ = sides
    scale = np.maximum(np.abs(left), np.abs(right))
    same = left == right
    gap = np.where(same, 0.0, left - np.where(same, 0.0, right))
    return gap, theorem.tolerance * np.where(np.isfinite(scale), scale, 0.0), scale


def _worst(
    theorem: Theorem, sides: _Sides, counted: Bool[np.ndarray, "T"]
) -> tuple[float | None, float | None]:
    """Largest left/right over the counted steps, and the margin it leaves; None if unbounded."""
    if not counted.any():
        return None, None
    left, right, noise = sides.left[counted], sides.right[counted], sides.noise[counted]
    gap, slack, scale = (one[counted] for one in _gap(theorem, sides))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(left <= 0, 0.0, np.where(left == right, 1.0, left / right))
        ratios = np.where((right <= 0) & (left > right), np.inf, ratios)
    if theorem.relation == "equal":
        off = (np.abs(gap) - noise) / np.maximum(scale, np.finfo(float).tiny)
        margin = float(np.min(theorem.tolerance - off))
    elif theorem.relation == "below":
        margin = float(1 - np.where(np.abs(gap) <= slack, 1.0, ratios).max())
    else:
        margin = float(1 - np.where((gap > 0) & (gap <= slack + noise), 1.0, ratios).max())
    ratio = float(ratios.max())
    return _finite(ratio), _finite(margin)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
