r"""A search for step size and momentum by real training, in as few passes as it takes.

One pass is the loss and gradient of all rows.  A setting is a family, its share of the stability
limit at the start and its momentum; for Adam and RMSprop, whose limit at the start says nothing,
the share is that of the best step along the signs of the gradient.  Heavy ball and Nesterov share a
search; gradient descent and the adaptive methods have one each.  The loss has *settled* at the
first step at or below the target after which it stays there for a quarter as many steps again, and
five at least.

1. A few settings race side by side.  The scale of the momentum follows from how far they get: where
   nobody is near the target after :math:`8/(1-\beta)` steps, the next race has the momentum
   :math:`1 - 4/N`, with N steps extrapolated from the best loss.  Where all diverged or came to
   rest, the lowest go on twice as long, and the next race has smaller steps.  A setting that
   was at the target and did not stay is tried again with smaller steps.  Where momentum gets
   nowhere, with three quarters of the passes at most, settings without it race for as many.
   On batches, where the winner took more than 40 steps, and half of them another setting that was
   at the target and did not stay, for noise held it up, smaller steps of that are tried too.
2. Around the winner a pattern search in :math:`(\log_2 s, -\log_2(1-\beta))`, with steps that
   halve when nothing around is better.  Settings of the other family beside the best are tried
   when nothing around is better at the first step, or while there are passes left for them: its
   best may be far away, and takes half as many steps on some tables.  A trial is stopped at the
   step from which it cannot win any more, or, from half of the best one's steps on, when the
   logarithm of its lowest loss would have to fall four times as fast as it did so far.
3. The winner goes on to twice its steps, and twenty more at least, for the sharpness of many models
   grows.  If its loss leaves the target again it counts as 1.15 times its steps, and as twice as
   many if it is not back before twice the step at which it left; the next one may win.  Where it
   wins though it is not back, smaller steps are tried.  On batches it is trained on other draws of
   them as well, for on one the luckiest wins, and counts as the median of them all;
   where it settles on fewer than half of them, smaller steps are tried too, and if those do not
   help, the other family in a search of its own.

The search ends after the trials or passes that it may make, or with its budget.  The measure for
that is a grid of 20 x 20 settings for either family, in runs just long enough to see the best one
settle: search and forecast together take a fiftieth of its passes.  While no setting has settled,
only the passes that it may make bound it, and where the first race was not enough, the search
around the winner has passes of its own.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np
from jaxtyping import Float

from inertial.method.adaptive import ADAPTIVE, Adaptive
from inertial.method.modes import stability_limit
from inertial.method.recursion import FAMILIES, Recursion
from inertial.problem.problem import Trainable
from inertial.simulation import adapted
from inertial.simulation.simulate import Draw

HOLD = (0.25, 5)
"""The loss has to stay at the target for this share of the steps, and this many."""

BUDGET = 13.5
"""Passes of the search and the forecast: this many runs in which the best setting settles.

A fiftieth of the grid are 16 of the runs in which the grid's own best setting settles.
"""

AFTER = 1.5 + 0.6
"""Runs of that length which are kept for the forecast, and for the winner to go on."""

REFINED = 8
"""Runs of that length for the search around a winner that did not settle in the first race."""

HANDICAP = 1.15
"""A setting whose loss leaves the target while it goes on counts as so many times slower."""

LOST = 2.0
"""A setting whose loss leaves the target and does not come back counts as so many times slower."""

_LESS = (0.3, 0.6, 1.2)
"""Powers of two by which the step of a winner whose loss does not come back is made smaller."""

ON = 20
"""Steps for which the winner goes on at least: what diverges takes some to show it."""

LONGEST = 20_000
"""Steps after which a race gives up."""

_DIVERGED = 1e3
"""A loss this many times the first is not waited for."""

_BLOCK = 4
"""Steps between two looks at a trial, at least, while no setting has settled; then half of it."""

_FINEST = 0.12
"""Steps of the pattern search below this, in powers of two, make no difference that holds."""

_LOOK, _FASTER = 1 / 2, 4.0
"""From this share of the best one's steps on, a trial may have to fall so much faster than before.

On 12 problems this stops 2 % of the settings that are better than the best so far, 0.1 % of the
better quarter of them, and the others after three quarters of its steps.
"""

_REDRAWN, _PATIENCE = 4, 3
"""Settings that are trained on other draws of the batches, and for how many times their steps."""

_SPREAD = 0.35
"""Spread of the settings that are drawn at the end, in powers of two."""

_MISSES = 12
"""Draws in a row that may bring nothing."""

_NEAR = 0.05
"""Settings closer than this in both logarithms are one."""

_HASTE = 2
"""On batches a setting at the target so many times sooner may stay there with less noise."""

_RACED = 0.75
"""Share of the passes that may be made which races with momentum take, at most."""

_OPENING = (
    ("heavy_ball", 0.12, 0.8),
    ("heavy_ball", 0.3, 0.8),
    ("heavy_ball", 0.75, 0.8),
    ("nesterov", 0.3, 0.92),
    ("nesterov", 0.75, 0.92),
    ("gradient_descent", 0.25, 0.0),
    ("gradient_descent", 0.5, 0.0),
    ("gradient_descent", 0.9, 0.0),
    ("adam", 0.25, 0.9),
    ("adam", 0.7, 0.9),
    ("adam", 2.0, 0.9),
    ("rmsprop", 0.12, 0.0),
    ("rmsprop", 0.35, 0.0),
    ("rmsprop", 1.0, 0.0),
)
"""Family, share of the limit and momentum of the first race."""

_BESIDE = ((0.6, 2.0), (0.3, 1.0))
"""From a setting of heavy ball to those of Nesterov that are tried beside it, in u and v.

On the grids of 17 models Nesterov's best are 0.4 and 2.3 away in the median; the nearer to that is
the first.
"""

_MORE_MOMENTUM = (("nesterov", 1.6, 3.0), ("nesterov", 0.6, 2.0), ("heavy_ball", 0.0, 1.5))
"""From a small step that came lowest to settings of more momentum, in family, u and v."""

_FEW = 5
"""Steps of a winner up to which settings of little momentum are tried first."""

_FEW_ON_BATCHES = 40
"""The same on batches: their steps differ less from draw to draw."""

_LITTLE = (("heavy_ball", 0.5, 0.0), ("nesterov", 0.5, 0.5))
"""These: momentum takes more steps than that to help, and the race has none with less than 0.8."""

_NO_MOMENTUM = ("gradient_descent", "rmsprop")

MOMENTUM = ("heavy_ball", "nesterov")
"""The families that are searched together."""

FIRST_STEPS = 16
"""Length of the first race of a search in one family; it doubles."""

_BEYOND = ("nesterov", 2.0, 0.8)
"""A loss whose curvature falls as it falls can start beyond the limit."""


Limit = Callable[[str, float], float]
"""From a family and a momentum to the step size at the limit."""


@dataclass(frozen=True)
class Setting:
    """A point of the search.

    Parameters
    ----------
    family
        The kind of method.
    u
        log2 of the step size's share of the stability limit at the start.
    v
        ``-log2(1 - beta)``, >= 0.

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

    def method(self, largest: "float | Limit") -> Recursion | Adaptive:
        """Return the method for a largest eigenvalue at the start, in digits that can be copied.

        For an adaptive one `largest` is one over the step size that counts as a share of 1; on
        batches it is the limit itself, as a function.
        """
        beta = float(f"{self.beta:.4f}")
        if callable(largest):
            return FAMILIES[self.family](
                float(f"{self.share * largest(self.family, beta):.4g}"), beta
            )
        if self.family in ADAPTIVE:
            return ADAPTIVE[self.family](float(f"{self.share / largest:.4g}"), beta)
        make = FAMILIES[self.family]
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


def handicap(leaves: int | None, *, lost: bool) -> float:
    """How many times slower a setting counts, whose loss leaves the target and may be lost."""
    if leaves is None:
        return 1.0
    return LOST if lost else HANDICAP


@dataclass(eq=False)
class Trial:
    """A setting, its method, the losses of its run so far, and how it ended.

    Parameters
    ----------
    setting, method
        Where it is in the search, and what was run.
    outcome
        `settled`, `stopped` (it could not win any more), `diverged` or `running`.
    steps
        Step at which the loss settled at the target; None if it did not.
    leaves
        Step before twice as many, or twenty more, at which a run that settled is above the target
        again; None if it stays there.
    lost
        Whether it leaves, and is not at the target again before twice that step.
    losses
        Loss at steps 0, 1, ...
    state
        Where the run can go on; None before its first step and when it has ended.
    watched
        Whether it went on to where `leaves` and `lost` are known.
    draws
        Steps on other draws of the batches, None where it did not settle; empty if none were made.

    """

    setting: Setting
    method: Recursion | Adaptive
    outcome: str = "running"
    steps: int | None = None
    leaves: int | None = None
    lost: bool = False
    losses: Float[np.ndarray, "t"] = field(default_factory=lambda: np.empty(0))
    state: Any = field(default=None, repr=False)
    watched: bool = False
    draws: tuple[int | None, ...] = ()

    @property
    def typical(self) -> float:
        """The median of `counts` and the steps on other draws, if there are some."""
        return typical(self.counts, self.draws)

    @property
    def fails(self) -> bool:
        """Whether its loss leaves and is lost, or settles on fewer than half of the draws."""
        return self.lost or math.isinf(self.typical)

    @property
    def counts(self) -> float:
        """Steps, times `HANDICAP` or `LOST` if it leaves the target; infinite if not settled."""
        if self.steps is None:
            return math.inf
        return self.steps * handicap(self.leaves, lost=self.lost)


def typical(counts: float, draws: Sequence[int | None]) -> float:
    """Return the median of the steps on one draw and on others, infinite where it never settled."""
    return statistics.median([counts, *(math.inf if one is None else one for one in draws)])


def settled(losses: Float[np.ndarray, "t"], level: float) -> int | None:
    """First step at or below `level` that is followed by a quarter as many there, five at least."""
    above = np.flatnonzero(~(losses <= level))
    edges = np.concatenate([[-1], above, [len(losses)]])
    for before, after in itertools.pairwise(edges):
        first = int(before) + 1
        if after - first > held(first):
            return first
    return None


def held(steps: int) -> int:
    """Return the steps after the first `steps` for which a loss has to stay at the target."""
    share, least = HOLD
    return max(least, math.ceil(share * steps))


class Search:
    """The trials of one problem; `passes` counts the steps they took.

    `families` are those of `MOMENTUM`, or one alone; no trial goes on beyond `passes` in all, but
    for the winner and its draws.  All trials see the same batches, of the first of `draws`; all
    rows if there are none.  The fastest are trained on the others in the end.
    `ended` is the state in which the winner's run ended, `compared` whether the other family was
    tried beside the best, `opening` whether the first race was enough, `raced` what the races took
    where it was not, and `short` whether they ended for want of passes.
    """

    def __init__(
        self,
        problem: Trainable,
        largest: float | Limit,
        target: float,
        *,
        trials: int,
        families: Sequence[str] = MOMENTUM,
        longest: int = LONGEST,
        seed: int = 0,
        passes: float = math.inf,
        spent: float = 0.0,
        draws: Sequence[Draw] = (),
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.draws = draws
        self.problem, self.largest, self.most, self.limit = problem, largest, trials, passes
        self.start = problem.loss_of(problem.linearise().outputs)
        self.target, self.level = target, target * self.start
        self.passes, self.trials = spent, list[Trial]()
        self.best: Trial | None = None
        self.progress = progress
        self.families, self.longest = tuple(families), longest
        self.compared = len(self.families) == 1
        self.raced, self.opening, self.short = -math.inf, True, False
        self.ended: Any = None
        self.random = np.random.default_rng(seed)

    def run(self) -> None:
        """Race, then search around the winner."""
        if self.families[0] in MOMENTUM:
            limit, self.limit = self.limit, _RACED * self.limit
            self._races()
            self.short = self.best is None and self.passes >= self.limit
            self.limit = limit
            if self.best is None:
                self._calmer()
            if self.best is None:
                self._without_momentum()
        else:
            self._lengthening(self._own(setting(*one) for one in _OPENING), FIRST_STEPS)
        for trial in self.trials:
            if trial.outcome == "running":
                trial.outcome, trial.state = "stopped", None
        if self.best is not None:
            if self.draws:
                self._steadier()
            self.raced = -math.inf if self.opening else self.passes
            self._around()
            self._scatter()
            self.confirm()

    @property
    def open(self) -> bool:
        """Whether another trial may be made."""
        return len(self.trials) < self.most and self._left > 0

    @property
    def lacks(self) -> str:
        """`trials` or `passes` if the search ended for want of them; empty if it did not."""
        if self.passes >= self.limit or (self.best is None and self.short):
            return "passes"
        return "trials" if len(self.trials) >= self.most else ""

    @property
    def _left(self) -> float:
        """Passes that are left for trials."""
        if self.best is None or self.best.steps is None:
            return self.limit - self.passes
        paid = max((BUDGET - AFTER) * self._run, self.raced + REFINED * self._run)
        return min(paid, self.limit) - self.passes

    @property
    def _run(self) -> int:
        """Length of a run in which the best setting settles."""
        assert self.best is not None  # noqa: S101 - the race has a winner
        assert self.best.steps is not None  # noqa: S101 - it has settled
        return self.best.steps + held(self.best.steps)

    def _scarce(self, kept: int) -> bool:
        """Whether one more trial could leave less than `kept` others need."""
        return self._left < (kept + 1) * self._run or self.most - len(self.trials) <= kept

    def try_out(self, one: Setting) -> Trial:
        """Train with a setting until it has settled or cannot win."""
        trial = self._new(one)
        while trial.outcome == "running":
            self._extend(trial, max(_BLOCK // 2, len(trial.losses) // 8))
        return trial

    def alone(
        self, one: Setting, method: Recursion, longest: int, *, watched: bool = False
    ) -> Trial:
        """Train with a method for at most `longest` steps, outside of the search.

        One that settles goes on as a winner does if it is to be `watched`, and on other draws.
        """
        trial = Trial(one, method, state=self.problem.begin())
        while trial.outcome == "running" and len(trial.losses) < longest:
            done = len(trial.losses)
            count = min(max(_BLOCK, done // 8), longest - done)
            trial.state, losses = self._steps(trial.state, method, done, count)
            trial.losses = np.concatenate([trial.losses, losses])
            self.passes += count
            trial.steps = settled(trial.losses, self.level)
            if trial.steps is not None:
                trial.outcome = "settled"
            elif not (trial.losses <= _DIVERGED * self.start).all():
                trial.outcome = "diverged"
        if trial.outcome == "running":
            trial.outcome = "stopped"
        if watched and trial.steps is not None:
            self._look_on(trial)
        trial.state = None
        return trial

    def _new(self, one: Setting) -> Trial:
        trial = Trial(one, one.method(self.largest))
        self._begin(trial)
        self.trials.append(trial)
        return trial

    def _begin(self, trial: Trial) -> None:
        if isinstance(trial.method, Adaptive):
            trial.state = adapted.begin(self.problem, trial.method)
        else:
            trial.state = self.problem.begin()
        trial.losses = np.empty(0)

    def _extend(self, trial: Trial, count: int) -> None:
        """Take steps, but none beyond the last that a winner needs; judge what came."""
        done = len(trial.losses)
        count = min(count, self._latest(trial) - done)
        if self.best is None and math.isfinite(self.limit):
            count = min(count, math.ceil(self._left))
        count = max(1, count)
        self._advance(trial, count)
        trial.steps = settled(trial.losses, self.level)
        if trial.steps is not None:
            trial.outcome = "settled"
            if self.best is None or trial.counts < self.best.counts:
                self._release(self.best)
                self.best = trial
        elif not (trial.losses <= _DIVERGED * self.start).all():
            trial.outcome = "diverged"
        elif self._hopeless(trial):
            trial.outcome = "stopped"
        if trial.outcome != "running" and trial is not self.best:
            self._release(trial)

    def _latest(self, trial: Trial) -> int:
        """Length of the record of the slowest run that would still be better than the best."""
        if self.best is None:
            return self.longest
        first = math.ceil(self.best.counts)
        return first if len(trial.losses) < first else first + held(first - 1)

    def _hopeless(self, trial: Trial) -> bool:
        done = len(trial.losses)
        if self._left <= 0:
            return True
        if self.best is None:
            return done >= self.longest
        first, lowest = math.ceil(self.best.counts), float(trial.losses.min())
        if done >= first:  # it would have to be at the target by now, and stay
            above = np.flatnonzero(~(trial.losses <= self.level))
            return bool(above.size and above[-1] + 1 >= first)
        if done < _LOOK * first or lowest <= max(self.level, self.best.losses[:done].min()):
            return False  # on a plateau the best one itself did not fall before
        fallen, missing = math.log(self.start / lowest), math.log(lowest / self.level)
        return missing / (first - done) > _FASTER * fallen / done

    def confirm(self) -> None:
        """Let the winner go on; where it leaves, those that are not much slower may win instead.

        Where the winner's loss does not come back, or settles on fewer than half of the draws,
        smaller steps are tried.
        """
        best = self._confirmed()
        self.raced, at = self.passes if best.fails else self.raced, best.setting
        for less in _LESS:
            if best.fails and self.open:
                one = replace(at, u=at.u - less)
                if best.lost:
                    self.try_out(one)
                else:
                    self._try_on_draws(one, _PATIENCE * len(best.losses))
                best = self._confirmed()
        self.ended = best.state
        for trial in self.trials:
            self._release(trial)

    def _try_on_draws(self, one: Setting, longest: int) -> None:
        """Train with a setting on all draws, though it may be slower on the first."""
        method = one.method(self.largest)
        assert isinstance(method, Recursion)  # noqa: S101 - on batches all methods are
        self.trials.append(self.alone(one, method, longest, watched=True))

    def _confirmed(self) -> Trial:
        """Return the best of those that settled, once it has gone on."""
        while True:
            known = [trial for trial in self.trials if trial.draws]
            among = known if len(known) >= _REDRAWN else self.trials
            self.best = min(among, key=lambda trial: (trial.typical, trial.counts))
            if self.best.watched:
                return self.best
            self._look_on(self.best)

    def _look_on(self, trial: Trial) -> None:
        """Let a trial that settled go on, and train with its setting on other draws."""
        self._go_on(trial)
        method, most = trial.method, _PATIENCE * (held(0) + (trial.steps or 0))
        for draw in self.draws[1:]:
            assert isinstance(method, Recursion)  # noqa: S101 - on batches all methods are
            search = Search(self.problem, self.largest, self.target, trials=0, draws=[draw])
            other = search.alone(trial.setting, method, most)
            trial.draws += (other.steps,)
            self.passes += search.passes

    def _go_on(self, trial: Trial) -> None:
        """Train on to twice the steps, `ON` more at least; where the loss leaves, till it is back.

        It has come back at the target before twice the step at which it leaves, or is lost.
        """
        assert trial.steps is not None  # noqa: S101 - it has settled
        end = trial.steps + max(ON, trial.steps)
        if trial.state is None:
            self._begin(trial)
        while len(trial.losses) <= end:
            done = len(trial.losses)
            self._advance(trial, min(max(_BLOCK, done // 8), end + 1 - done))
            above = ~(trial.losses[trial.steps :] <= self.level)
            if trial.leaves is None and above.any():
                trial.leaves = trial.steps + int(np.argmax(above))
                end = 2 * trial.leaves
            if trial.leaves is not None:
                later = trial.losses[trial.leaves :]
                trial.lost = not (later <= self.level).any()
                if not (trial.lost and (later <= _DIVERGED * self.start).all()):
                    break
        trial.watched = True

    @staticmethod
    def _release(trial: Trial | None) -> None:
        if trial is not None:
            trial.state = None

    def _advance(self, trial: Trial, count: int) -> None:
        method, problem = trial.method, self.problem
        if isinstance(method, Adaptive):
            trial.state, losses = adapted.advance(problem, method, trial.state, count)
        else:
            trial.state, losses = self._steps(trial.state, method, len(trial.losses), count)
        trial.losses = np.concatenate([trial.losses, losses])
        self.passes += count
        if self.progress is not None:
            self.progress(f"trials, {self.passes:.0f} passes", len(self.trials), self.most)

    def _steps(
        self,
        state: Any,  # noqa: ANN401 - opaque
        method: Recursion,
        done: int,
        count: int,
    ) -> tuple[Any, Float[np.ndarray, "count"]]:
        batches = [draw(done, count) for draw in self.draws[:1]]
        return self.problem.advance(state, *method.coefficients(done, count), *batches)

    def _races(self) -> None:
        """Race settings of one scale of momentum after another, until one settles."""
        beyond = () if self.problem.loss.squared else (_BEYOND,)
        field_ = self._own(setting(*one) for one in (*_OPENING, *beyond))
        leading: list[Trial] = []
        while field_ and self.open:
            racing = [self._new(one) for one in field_[: self.most - len(self.trials)]]
            scale = 8 * 2 ** min(one.v for one in field_)
            ranked = self._raced(racing, leading, int(scale))
            if self.best is not None:
                return
            self.opening = False
            if not ranked and self._less_far(racing):
                lowest = min(self._standing(self.trials), key=_recent)
                around = [replace(lowest.setting, u=lowest.setting.u - less) for less in range(3)]
                first = min(2 * len(lowest.losses), self.longest)
                self._lengthening(around, first)
                if self.best is None:  # small steps go far with more momentum
                    at = min(self._standing(self.trials), key=_recent).setting
                    more = [Setting(f, at.u + du, at.v + dv) for f, du, dv in _MORE_MOMENTUM]
                    self._lengthening(self._own(more), first)
                return
            if not ranked:  # all diverged, or came to rest above the target
                field_ = self._smaller(field_)
                continue
            needed, leading = self._needed(ranked[0]), ranked[:1]
            for trial in racing:
                if trial not in leading:
                    trial.state, trial.outcome = None, "stopped"
            v = math.log2(min(max(needed / 4, 2 * scale / 8), 4 * scale / 8))
            u = ranked[0].setting.u
            field_ = self._own(
                (
                    Setting("heavy_ball", u, v),
                    Setting("heavy_ball", u - 1, v),
                    Setting("nesterov", u, v + 1),
                )
            )
            if scale > LONGEST:
                return

    def _calmer(self) -> None:
        """Race smaller steps, of less noise, of a setting that did not stay at the target."""
        at: dict[str, tuple[int, Setting]] = {}
        for first, one in self._visitors():
            known = at.get(one.family)
            if known is None or one.u < known[1].u:
                at[one.family] = first, one
        if at:
            first, one = min(at.values(), key=itemgetter(0))
            smaller = [replace(one, u=one.u - less) for less in (1, 2)]
            self._lengthening(smaller, max(FIRST_STEPS, 2 * first), alone=True)

    def _steadier(self) -> None:
        """Try smaller steps where a setting was at the target long before the best one settles."""
        assert self.best is not None  # noqa: S101 - the race has a winner
        first, one = min(self._visitors(), key=itemgetter(0), default=(math.inf, None))
        late = self.best.counts > _FEW_ON_BATCHES and _HASTE * first <= self.best.counts
        if one is not None and late:
            self.opening, self.raced = False, self.passes
            for less in (1, 2, 3):
                if self.open:
                    self.try_out(replace(one, u=one.u - less))

    def _visitors(self) -> Iterator[tuple[int, Setting]]:
        """Yield what was at the target and did not stay, with the first step there."""
        for trial in self._standing(self.trials):
            there = trial.losses <= self.level
            if trial.steps is None and there.any():
                yield int(np.argmax(there)), trial.setting

    def _without_momentum(self) -> None:
        """Race settings of no momentum, for as many passes again: it may rest where they do not."""
        plain = [setting(*one) for one in _OPENING if one[0] == "gradient_descent"]
        limit, self.limit = self.limit, min(self.limit, 2 * self.passes)
        field_ = [replace(one, family=self.families[0]) for one in plain]
        self._lengthening(field_, FIRST_STEPS, alone=True)
        self.limit = limit

    def _raced(self, racing: list[Trial], leading: list[Trial], scale: int) -> list[Trial]:
        """Race, and let those near the target go on; return what falls if none settled.

        Where nothing falls, for more momentum was too much, the leader of the race before goes on.
        """
        for trials in (racing, leading):
            self._race(trials, scale)
            ranked = self._falling(trials)
            near = ranked[:2] if ranked and self._needed(ranked[0]) <= 2 * scale else []
            for longer in (2, 4, 8):
                if near and self.best is None:
                    self._race(near, min(LONGEST, longer * scale))
                    ranked = near = self._falling(near)
            if ranked or self.best is not None:
                return ranked
        self.opening = False
        return self._resumed(racing, scale)

    def _falling(self, trials: list[Trial]) -> list[Trial]:
        """Return the trials that run and do not come to rest, the lowest first."""
        running = [trial for trial in trials if trial.outcome == "running"]
        return sorted((t for t in running if not _rests(t, self._needed(t))), key=_recent)

    def _resumed(self, trials: list[Trial], scale: int) -> list[Trial]:
        """Let the two lowest that came to rest go on, twice as long; return those that fall again.

        A loss rests on a plateau, such as where its mean is fitted, as well as where a step is too
        large.
        """
        resting = self._resting(trials)[:2]
        self._race(resting, 2 * scale)
        return self._falling(resting)

    def _resting(self, trials: list[Trial]) -> list[Trial]:
        """Return the trials that run and are below the start, the lowest first."""
        running = [trial for trial in trials if trial.outcome == "running"]
        return sorted((t for t in running if _recent(t) < math.log(self.start)), key=_recent)

    def _own(self, settings: Iterable[Setting]) -> list[Setting]:
        return [one for one in settings if one.family in self.families]

    def _lengthening(self, field_: list[Setting], first: int, *, alone: bool = False) -> None:
        """Race from a first length on, twice as long again and again, until one settles.

        Where all came to rest the lowest go on, and then the next race has smaller steps, until
        they come less far than any before, or than any of these if they are to be taken `alone`.
        """
        known = len(self.trials) if alone else 0
        while field_ and self.open:
            racing = [self._new(one) for one in field_[: self.most - len(self.trials)]]
            running, length = racing, first
            while running and self.best is None and length <= self.longest:
                self._race(running, length)
                running = self._falling(running)[:2]
                if len(running) == 1:  # one that jumped at the end seems to rest
                    running += self._resting([one for one in racing if one not in running])[:1]
                running = running or self._resumed(racing, length)
                length *= 2
            if self.best is not None or running or self._less_far(racing, known):
                return
            less = 2 if self._standing(racing) else 4
            field_ = [replace(one, u=one.u - less) for one in field_]

    @staticmethod
    def _standing(trials: list[Trial]) -> list[Trial]:
        """Return the trials that did not diverge."""
        return [t for t in trials if t.outcome != "diverged" and np.isfinite(t.losses).all()]

    def _less_far(self, racing: list[Trial], known: int = 0) -> bool:
        """Whether a race in which nothing diverged came less far than one since `known` trials."""
        others = [trial for trial in self.trials[known:] if trial not in racing]
        before = [_recent(trial) for trial in self._standing(others)]
        standing = self._standing(racing) == racing
        return standing and bool(before) and min(before) <= min(map(_recent, racing))

    def _smaller(self, field_: list[Setting]) -> list[Setting]:
        low = min(one.u for one in field_)
        return [Setting(f, low - d, 2.3) for f in self.families for d in (1.5, 3)]

    def _race(self, racing: list[Trial], longest: int) -> None:
        done = min((len(trial.losses) for trial in racing), default=longest)
        while done < longest:
            alive = [t for t in racing if t.outcome == "running"]
            if not alive:
                return
            done += min(max(_BLOCK, done // 8), longest - done)
            for trial in alive:
                if len(trial.losses) < done:
                    self._extend(trial, done - len(trial.losses))

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
        """Search around the best setting, and beside it in the other family."""
        assert self.best is not None  # noqa: S101 - the race has a winner
        few = _FEW_ON_BATCHES if self.draws else _FEW
        if self.families[0] in MOMENTUM and self.best.counts <= few:
            for one in self._own(setting(*one) for one in _LITTLE):
                self.try_out(one)
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
            one = Setting(at.family, at.u + du, self._momentum(at, dv))
            if not any(one.near(trial.setting) for trial in self.trials):
                self.try_out(one)
            misses = 0 if self.best is not before else misses + 1

    @staticmethod
    def _momentum(at: Setting, change: float) -> float:
        """Return v after a change, at least 0; no change without momentum."""
        return at.v if at.family in _NO_MOMENTUM else max(0.0, at.v + change)

    def _neighbours(self, step: float) -> Iterator[Setting]:
        assert self.best is not None  # noqa: S101 - the race has a winner
        at = self.best.setting
        for du, dv in ((1, 0), (0, 1), (0, -1), (-1, 0), (1, -1), (-1, 1)):
            if not self.compared and self._scarce(len(_BESIDE)):
                break
            if dv == 0 or at.family not in _NO_MOMENTUM:
                yield Setting(at.family, at.u + step * du, self._momentum(at, step * dv))
        if step > 0.5 and len(self.families) > 1:
            self.compared = True
            for away, more in _BESIDE:
                if at.family == "heavy_ball":
                    yield Setting("nesterov", at.u + away, at.v + more)
                else:
                    yield Setting("heavy_ball", at.u - away, max(0.0, at.v - more))


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
