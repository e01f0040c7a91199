r"""A search for step size and momentum by real training, in as few passes as it takes.

One pass is the loss and gradient of all rows.  A setting is a family (heavy ball or Nesterov), its
share of the stability limit at the start and its momentum.  The loss has *settled* at the first
step at or below the target after which it stays there for a quarter as many steps again, and five
at least.

1. A few settings race side by side.  The scale of the momentum follows from how far they get: where
   nobody is near the target after :math:`8/(1-\beta)` steps, the next race has the momentum
   :math:`1 - 4/N`, with N steps extrapolated from the best loss.
2. Around the winner a pattern search in :math:`(\log_2 s, -\log_2(1-\beta))`, with steps that
   halve when nothing around is better.  A trial is stopped at the step from which it cannot win any
   more, or when it has not got in half of the best one's steps where that was after a quarter.

The search ends after the trials that it may make, or when it has taken eighteen times the
passes of the best run: a grid of 20 x 20 settings for either family takes fifty times as many.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial.method.modes import stability_limit
from inertial.method.recursion import FAMILIES, Recursion
from inertial.problem.problem import Trainable

HOLD = (0.25, 5)
"""The loss has to stay at the target for this share of the steps, and this many."""

BUDGET = (18, 250)
"""Passes of the search: this many runs of the best setting, and at least this many passes."""

LONGEST = 20_000
"""Steps after which a race gives up."""

_DIVERGED = 1e3
"""A loss this many times the first is not waited for."""

_BLOCK = 8
"""Steps between two looks at a trial, at least."""

_FINEST = 0.12
"""Steps of the pattern search below this, in powers of two, make no difference that holds."""

_LOOKS = ((1 / 2, 1 / 4), (3 / 4, 1 / 2))
"""At these shares of the best one's steps a trial must have got where the best was at those."""

_SPREAD = 0.35
"""Spread of the settings that are drawn at the end, in powers of two."""

_MISSES = 12
"""Draws in a row that may bring nothing."""

_NEAR = 0.05
"""Settings closer than this in both logarithms are one."""

_OPENING = (
    ("heavy_ball", 0.12, 0.8),
    ("heavy_ball", 0.3, 0.8),
    ("heavy_ball", 0.75, 0.8),
    ("nesterov", 0.3, 0.92),
    ("nesterov", 0.75, 0.92),
)
"""Family, share of the limit and momentum of the first race."""

_BEYOND = ("nesterov", 2.0, 0.8)
"""A loss whose curvature falls as it falls can start beyond the limit."""


@dataclass(frozen=True)
class Setting:
    """A family, its share of the stability limit at the start, and its momentum.

    In the coordinates of the search: `u` = log2 of the share, `v` = -log2(1 - beta).
    """

    family: str
    u: float
    v: float

    @property
    def share(self) -> float:
        """Share of the stability limit at the start."""
        return float(2.0**self.u)

    @property
    def beta(self) -> float:
        """Momentum."""
        return float(1 - 2.0**-self.v)

    def method(self, largest: float) -> Recursion:
        """Return the method for a largest eigenvalue at the start, in digits that can be copied."""
        make, beta = FAMILIES[self.family], float(f"{self.beta:.4f}")
        unit = make(1.0, beta)
        eta = self.share * stability_limit(unit) / largest / unit.constant[0]
        return make(float(f"{eta:.4g}"), beta)

    def near(self, other: "Setting") -> bool:
        """Whether both are one setting for all that can be told."""
        apart = max(abs(self.u - other.u), abs(self.v - other.v))
        return self.family == other.family and apart < _NEAR


def setting(family: str, share: float, beta: float) -> Setting:
    """Return the setting with a share of the limit and a momentum."""
    return Setting(family, math.log2(share), -math.log2(1 - beta))


@dataclass(eq=False)
class Trial:
    """A setting, its method, the losses of its run so far, and how it ended.

    `outcome` is `settled`, `stopped` (it could not win any more), `diverged` or `running`.
    """

    setting: Setting
    method: Recursion
    outcome: str = "running"
    steps: int | None = None
    losses: Float[np.ndarray, "t"] = field(default_factory=lambda: np.empty(0))
    state: Any = field(default=None, repr=False)


def settled(losses: Float[np.ndarray, "t"], level: float) -> int | None:
    """First step at or below `level` that is followed by a quarter as many there, five at least."""
    above = np.flatnonzero(~(losses <= level))
    edges = np.concatenate([[-1], above, [len(losses)]])
    share, least = HOLD
    for before, after in itertools.pairwise(edges):
        first = int(before) + 1
        if after - first > max(least, math.ceil(share * first)):
            return first
    return None


class Search:
    """The trials of one problem; `passes` counts the steps they took."""

    def __init__(
        self,
        problem: Trainable,
        largest: float,
        target: float,
        *,
        trials: int,
        seed: int = 0,
        spent: float = 0.0,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.problem, self.largest, self.most = problem, largest, trials
        self.start = problem.loss_of(problem.linearise().outputs)
        self.level = target * self.start
        self.passes, self.trials = spent, list[Trial]()
        self.best: Trial | None = None
        self.progress = progress
        self.random = np.random.default_rng(seed)

    def run(self) -> None:
        """Race, then search around the winner."""
        self._races()
        for trial in self.trials:
            if trial.outcome == "running":
                trial.outcome, trial.state = "stopped", None
        if self.best is not None:
            self._around()
            self._scatter()

    @property
    def open(self) -> bool:
        """Whether another trial may be made."""
        if len(self.trials) >= self.most:
            return False
        runs, least = BUDGET
        return self.best is None or self.passes < max(least, runs * (self.best.steps or 1))

    def try_out(self, one: Setting) -> Trial:
        """Train with a setting until it has settled or cannot win."""
        trial = self._new(one)
        while trial.outcome == "running":
            self._extend(trial, max(_BLOCK, len(trial.losses) // 8))
        return trial

    def alone(self, one: Setting, method: Recursion, longest: int) -> Trial:
        """Train with a method for at most `longest` steps, outside of the search."""
        trial = Trial(one, method, state=self.problem.begin())
        while trial.outcome == "running" and len(trial.losses) < longest:
            done = len(trial.losses)
            count = min(max(_BLOCK, done // 8), longest - done)
            coefficients = method.coefficients(done, count)
            trial.state, losses = self.problem.advance(trial.state, *coefficients)
            trial.losses = np.concatenate([trial.losses, losses])
            trial.steps = settled(trial.losses, self.level)
            if trial.steps is not None:
                trial.outcome = "settled"
            elif not (trial.losses <= _DIVERGED * self.start).all():
                trial.outcome = "diverged"
        trial.state = None
        if trial.outcome == "running":
            trial.outcome = "stopped"
        return trial

    def _new(self, one: Setting) -> Trial:
        trial = Trial(one, one.method(self.largest), state=self.problem.begin())
        self.trials.append(trial)
        return trial

    def _extend(self, trial: Trial, count: int) -> None:
        """Take steps, but none beyond the last that a winner needs; judge what came."""
        done = len(trial.losses)
        count = max(1, min(count, self._latest(trial) - done))
        coefficients = trial.method.coefficients(done, count)
        trial.state, losses = self.problem.advance(trial.state, *coefficients)
        self.passes += count
        trial.losses = np.concatenate([trial.losses, losses])
        trial.steps = settled(trial.losses, self.level)
        if trial.steps is not None:
            trial.outcome = "settled"
            if self.best is None or trial.steps < (self.best.steps or math.inf):
                self.best = trial
        elif not (trial.losses <= _DIVERGED * self.start).all():
            trial.outcome = "diverged"
        elif self._hopeless(trial):
            trial.outcome = "stopped"
        if trial.outcome != "running":
            trial.state = None
            if self.progress is not None:
                self.progress(f"trials, {self.passes:.0f} passes", len(self.trials), self.most)

    def _latest(self, trial: Trial) -> int:
        """Length of the record of the slowest run that would still be better than the best."""
        if self.best is None or self.best.steps is None:
            return LONGEST
        first, (share, least) = self.best.steps - 1, HOLD
        for at in (*self._looks(), first + 1):
            if len(trial.losses) < at:
                return at
        return first + max(least, math.ceil(share * first)) + 1

    def _hopeless(self, trial: Trial) -> bool:
        done = len(trial.losses)
        if self.best is None or self.best.steps is None:
            return done >= LONGEST
        first = self.best.steps
        if done >= first:  # it would have to be at the target by now, and stay
            above = np.flatnonzero(~(trial.losses <= self.level))
            return bool(above.size and above[-1] + 1 >= first)
        lowest = np.minimum.accumulate(self.best.losses)
        return any(
            done >= at and trial.losses[:done].min() > lowest[behind]
            for at, behind in zip(self._looks(), self._behind(), strict=True)
        )

    def _looks(self) -> list[int]:
        """Return the steps at which a trial is compared with the best one at an earlier step."""
        assert self.best is not None  # noqa: S101
        return [math.ceil(part * (self.best.steps or 0)) for part, _ in _LOOKS]

    def _behind(self) -> list[int]:
        assert self.best is not None  # noqa: S101
        return [math.floor(part * (self.best.steps or 0)) for _, part in _LOOKS]

    def _races(self) -> None:
        """Race settings of one scale of momentum after another, until one settles."""
        beyond = () if self.problem.loss.squared else (_BEYOND,)
        field_ = [setting(*one) for one in (*_OPENING, *beyond)]
        while field_ and self.open:
            racing = [self._new(one) for one in field_]
            scale = 8 * 2 ** min(one.v for one in field_)
            self._race(racing, int(scale))
            if self.best is not None:
                return
            ranked = self._falling(racing)
            if ranked and self._needed(ranked[0]) <= 2 * scale:
                ranked = ranked[:2]
                for longer in (2, 4, 8):
                    self._race(ranked, min(LONGEST, longer * int(scale)))
                    if self.best is not None:
                        return
                    ranked = self._falling(ranked)
            if not ranked:  # all diverged, or came to rest above the target
                field_ = self._smaller(field_)
                continue
            needed = self._needed(ranked[0])
            for trial in racing:
                trial.state, trial.outcome = None, "stopped"
            v = math.log2(min(max(needed / 4, 2 * scale / 8), 4 * scale / 8))
            u = ranked[0].setting.u
            field_ = [
                Setting("heavy_ball", u, v),
                Setting("heavy_ball", u - 1, v),
                Setting("nesterov", u, v + 1),
            ]
            if scale > LONGEST:
                return

    def _falling(self, trials: list[Trial]) -> list[Trial]:
        """Return the trials that run and do not come to rest, the lowest first."""
        running = [trial for trial in trials if trial.outcome == "running"]
        return sorted((t for t in running if not _rests(t, self._needed(t))), key=_recent)

    @staticmethod
    def _smaller(field_: list[Setting]) -> list[Setting]:
        low = min(one.u for one in field_)
        return [Setting(f, low - d, 2.3) for f in ("heavy_ball", "nesterov") for d in (1.5, 3)]

    def _race(self, racing: list[Trial], longest: int) -> None:
        done = max((len(trial.losses) for trial in racing), default=longest)
        while done < longest:
            alive = [t for t in racing if t.outcome == "running"]
            if not alive:
                return
            count = min(max(_BLOCK, done // 8), longest - done)
            for trial in alive:
                self._extend(trial, done + count - len(trial.losses))
            done += count
        return

    def _needed(self, trial: Trial) -> float:
        """Extrapolate the steps of a run to the target from its last half, on a log scale."""
        losses = np.log(np.maximum(trial.losses, 1e-300))
        half = len(losses) // 2
        middle = len(losses) * 3 // 4
        fall = (losses[half:middle].mean() - losses[middle:].mean()) / (len(losses) / 4)
        if fall <= 0:
            return math.inf
        return float(len(losses) + (losses[middle:].mean() - math.log(self.level)) / fall)

    def _around(self) -> None:
        """Search around the best setting, and once beside it in the other family."""
        step = 0.6
        while step > _FINEST and self.open:
            moved = False
            for one in self._neighbours(step):
                if not self.open:
                    return
                if any(one.near(trial.setting) for trial in self.trials):
                    continue
                before = self.best
                self.try_out(one)
                if self.best is not before:
                    moved = True
                    break
            if not moved:
                step /= 2

    def _scatter(self) -> None:
        """Try settings drawn around the best, where the edge of stability is ragged."""
        misses = 0
        while self.open and misses < _MISSES:
            assert self.best is not None  # noqa: S101 - the race has a winner
            at, before = self.best.setting, self.best
            du, dv = (float(step) for step in self.random.normal(0, _SPREAD, 2))
            one = Setting(at.family, at.u + du, max(0.0, at.v + dv))
            if not any(one.near(trial.setting) for trial in self.trials):
                self.try_out(one)
            misses = 0 if self.best is not before else misses + 1

    def _neighbours(self, step: float) -> Iterator[Setting]:
        assert self.best is not None  # noqa: S101 - the race has a winner
        at = self.best.setting
        for du, dv in ((1, 0), (0, 1), (0, -1), (-1, 0), (1, -1), (-1, 1)):
            yield Setting(at.family, at.u + step * du, max(0.0, at.v + step * dv))
        if step > 0.5:
            if at.family == "heavy_ball":
                yield Setting("nesterov", at.u + 0.3, at.v + 1)
                yield Setting("nesterov", at.u + 0.3, at.v + 2)
            else:
                yield Setting("heavy_ball", at.u - 0.3, max(0.0, at.v - 1))
                yield Setting("heavy_ball", at.u - 0.3, max(0.0, at.v - 2))


def _rests(trial: Trial, needed: float) -> bool:
    """Whether a run comes to rest above the target: a loss t^-a falls by 0.7 of the quarter before.

    The extrapolated steps `needed` say that it does not fall, or four times less than just before.
    """
    at = [len(trial.losses) * part // 4 - 1 for part in (2, 3, 4)]
    before, middle, last = np.log(np.maximum(trial.losses[at], 1e-300))
    return needed > LONGEST or bool(middle - last < (before - middle) / 4)


def _recent(trial: Trial) -> float:
    """Mean of the logarithm of the loss over the last quarter of a run."""
    last = trial.losses[-max(1, len(trial.losses) // 4) :]
    return float(np.log(np.maximum(last, 1e-300)).mean())
