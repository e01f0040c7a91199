"""What `compare` returns, and how it is said."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from inertial._checks import below_one, one_of, significant
from inertial.linear.measure import RESOLUTION as EXACT
from inertial.method.bound import said_of_zero
from inertial.method.recursion import label
from inertial.runs.measures import (
    Summary,
    partly_at,
    repeated,
    rings_back,
    share_left,
    starts_in,
    stays_from,
    trusted,
)
from inertial.runs.ranking import Ranking, Standing, percent_left, rank
from inertial.runs.settings import COMPANIONS
from inertial.runs.shown import Curve, Shown, columns, count, draw, of_steps
from inertial.runs.tuning import RESOLUTION

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """What `compare` returns: arrays, and a summary of each method; printed, it is a table.

    Parameters
    ----------
    run
        Folder where the run is stored.
    wall_seconds
        How long it took, in seconds.
    arrays
        Everything recorded, over `optimizer`, `seed` and `step`; each array has its unit.
    methods
        One row for each method, in the order asked for.
    target
        Share of the loss at the start that was asked for, in (0, 1).

    """

    run: Path
    wall_seconds: float
    arrays: xr.Dataset
    methods: tuple[Summary, ...]
    target: float

    def of(self, name: str) -> xr.Dataset:
        """Return the arrays of one method by name: ``comparison.of("nesterov").loss``.

        Raises
        ------
        InvalidInput
            If no such method was trained; the nearest name is in the sentence.

        """
        names = [str(known) for known in self.arrays.optimizer.to_numpy()]
        return self.arrays.sel({"optimizer": one_of("method", name, names)})

    @property
    def ranking(self) -> Ranking:
        """Methods in the order in which to choose them."""
        return rank(self.target, [self._standing(row) for row in self.methods])

    def _standing(self, row: Summary) -> Standing:
        steps = row.steps_to[f"{self.target:g}"]
        diverged = int(row.status == "diverged")
        loss = self.of(row.method).loss
        return Standing(
            row.method,
            steps["measured"],
            steps["predicted"],
            share_left(loss),
            diverged,
            partly_at(loss, self.target),
            rings_back(loss, self.target),
            stays_from(loss, self.target),
        )

    @property
    def recommendation(self) -> str:
        """Which method reached the target first, or came nearest to it."""
        best, asked = self.ranking.best, f"{100 * self.target:g} %"
        if self.ranking.reached:
            sooner = [
                f"{label(one.name)} did in {count(one.reached)}, and diverged"
                for one in self.ranking.order
                if one.diverged and one.reached is not None and one.reached < (best.reached or 0)
            ]
            return (
                f"{label(best.name)} reached {asked} of the loss at the start"
                f"{'' if sooner else ' first'}, in {of_steps(best.reached)} (forecast: "
                f"{count(best.forecast)}{''.join(f'; {one}' for one in sooner)})"
                f"{best.staying(repeated(self.arrays))}."
            )
        if best.diverged and best.reached is not None:
            return (
                f"{label(best.name)} reached {asked} of the loss at the start in "
                f"{of_steps(best.reached)} (forecast: {count(best.forecast)}), and diverged, as "
                "every method did in the end; take a smaller step."
            )
        steps = self.arrays.sizes["step"] - 1
        left = f"with {percent_left(best.left, self.target)} left"
        if self.ranking.in_part:
            return (
                f"No method reached {asked} of the loss at the start from every "
                f"{repeated(self.arrays)} in {steps:,} steps; {label(best.name)} did from some, "
                f"{left} on average."
            )
        return (
            f"No method reached {asked} of the loss at the start in {steps:,} steps; "
            f"{label(best.name)} came nearest, {left}."
        )

    @property
    def about(self) -> tuple[str, ...]:
        """What was trained, and how, where that is not the papers' network on all rows."""
        facts, said = self.arrays.attrs, []
        if "model" in facts:
            starts, seeds = starts_in(self.arrays), self.arrays.sizes["seed"]
            said.append(
                f"{facts['model']}, {facts['parameters']:,} parameters; loss {facts['loss']} over "
                f"{facts['n']:,} rows, {starts} start{'s' if starts > 1 else ''}"
                + (f" with {seeds} draws of the batches" if starts < seeds else "")
            )
        if "batch" in facts:
            fresh = facts["order"] == "fresh"
            kind = "fresh rows at each step" if fresh else "epochs of shuffled rows"
            said.append(
                f"batches of {facts['batch']:,} of {facts['n']:,} rows, {kind}; forecast: the "
                "expected loss on fresh ones"
            )
        if "evaluation" in facts:
            said.append(str(facts["evaluation"]))
        if any(row.method == "quasi_hyperbolic" for row in self.methods):
            said.append(
                f"eta of {label('quasi_hyperbolic')} is that of its recursion: (1 - beta) times "
                "the step size that it is given"
            )
        return tuple(said)

    @property
    def trust(self) -> tuple[str, ...]:
        """What no method can reach, and which runs left their forecast, or are likely to."""
        never = out_of_reach(self.arrays, self.target)
        return (*([] if never is None else [never]), *_trust(self.methods, self.target))

    @property
    def unreachable(self) -> float:
        """Share of the loss at the start, the least over the starts, that no gradient method ends.

        Of a model it lies where the kernel is zero as far as single precision shows.  0 for
        other losses than squares, with decay and on batches, where there is no bound.
        """
        return _unreachable(self.arrays)

    @property
    def rows(self) -> list[list[str]]:
        """Cells of the table: the methods, then a title and one cell per method in each row."""
        several = self.arrays.sizes["seed"] > 1
        body = [*_rows(self.methods, self.target, self.arrays.attrs.get("batch"), several=several)]
        if self.ranking.rings:
            found = [self._standing(row).stays for row in self.methods]
            never = f"not within {self.arrays.sizes['step'] - 1:,}"
            every = f"every {over} " if (over := repeated(self.arrays)) else ""
            title = f"{every}stays below {100 * self.target:g} % from step"
            body.append((title, *(never if step is None else count(step) for step in found)))
        return [["", *(label(row.method) for row in self.methods)], *map(list, body)]

    @property
    def _beyond_limit(self) -> bool:
        """Whether a run went where the model linearised there diverges, and is chaotic."""
        return any(row.sharpest is not None and row.sharpest > 1 for row in self.methods)

    @property
    def note(self) -> str:
        """What the table's words mean, and which flows are limits of another method."""
        model, over = "model" in self.arrays.attrs, repeated(self.arrays)
        said = []
        if model or self.ranking.rings:
            said.append(f"steps to: first step there{f', mean over the {over}s' if over else ''}")
        pairs = [pair for row in self.methods for pair in row.steps_to.values()]
        if over and any(pair["measured"] is None for pair in pairs):
            said.append(f"a run's –: not reached from every {over}")
        if any(pair["predicted"] is None for pair in pairs):
            from_ = " from every start" if model or self.arrays.sizes["seed"] > 1 else ""
            said.append(f"a forecast's –: not there{from_} within what was looked at")
        if self.ranking.rings:
            said.append(f"stays below: no {over or 'step'} is above it again, up to the run's end")
        if self._beyond_limit:
            said.append(
                "a run above its stability limit is chaotic: rounding can decide its losses, and "
                "from which step it stays"
            )
        if model:
            start = "each" if starts_in(self.arrays) > 1 else "its"
            said.append(f"forecast: the model linearised at {start} start")
            said.append("kernel moved: the change of its product with the first gradient")
        gap = "roots of both losses" if model else "norms of measured and forecast residual"
        first = "first" if model else "first norm"
        said.append(f"forecast error: largest gap between the {gap}, as a share of the {first}")
        return "\n".join(["; ".join(said), *limits_elsewhere(self.arrays)])

    @property
    def table(self) -> str:
        """All of it: what to believe, a column per method, and where the run is."""
        said = [self.recommendation, *self.about, *self.trust]
        return "\n".join([*said, "", *columns(self.rows), "", self.note, f"run: {self.run}"])

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row per method: setting, losses, steps to each share, movement, trust.

        Losses step by step are those of ``inertial.to_dataframe(comparison.arrays)``.
        """
        import pandas as pd

        rows = []
        for summary in self.methods:
            row = asdict(summary)
            steps, judged, stopping = (row.pop(k) for k in ("steps_to", "trust", "stopping"))
            for share, pair in steps.items():
                row |= {f"steps_to_{share}_{kind}": number for kind, number in pair.items()}
            row |= {f"stopping_{name}": number for name, number in (stopping or {}).items()}
            rows.append(row | {"trust": judged and judged["verdict"]})
        return pd.DataFrame(rows)

    def plot(self) -> "Figure":
        """Draw the mean loss of every method over the starts, its range, and its forecast."""
        curves = []
        for name in map(str, self.arrays.optimizer.values):
            losses = self.arrays.loss.sel({"optimizer": name}).transpose("seed", "step").to_numpy()
            ends = losses.min(axis=0), losses.max(axis=0)
            curves.append(Curve(name, losses.mean(axis=0), False, *ends))
            forecast = self.arrays.forecast_loss.sel({"optimizer": name})
            if "seed" in forecast.dims:
                forecast = forecast.mean("seed")
            curves.append(Curve(name, forecast.to_numpy(), True))
        return draw(curves, target=self.target)


def out_of_reach(arrays: xr.Dataset, target: float) -> str | None:
    """Say that no gradient method gets to a target from any start of a run; None where one may.

    Of a model, whose products are in single precision, it is said that this may be so.
    """
    resolution = RESOLUTION if "node" in arrays else EXACT
    never = said_of_zero(_unreachable(arrays), target, resolution=resolution)
    return None if never is None else f"{never[0].upper()}{never[1:]}."


def limits_elsewhere(arrays: xr.Dataset) -> list[str]:
    """Say of each flow of a run that is not the limit of the method beside it, whose it is."""
    flows = [str(one) for one in arrays.flow.to_numpy()] if "flow_loss" in arrays else []
    said = [COMPANIONS[one].instead for one in flows if one in COMPANIONS]
    return [sentence for sentence in said if sentence]


def _unreachable(arrays: xr.Dataset) -> float:
    return float(arrays.unreachable.min()) if "unreachable" in arrays else 0.0


def _enumerated(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _trust(methods: Sequence[Summary], target: float) -> Iterator[str]:
    """Say first which runs left their forecast, and for which method it is least to be trusted."""
    strayed = [label(row.method) for row in methods if row.unforeseen]
    if strayed:
        yield (
            f"The forecast does not describe this run: {_enumerated(strayed)} diverged, and "
            f"{'its forecast does' if len(strayed) == 1 else 'their forecasts do'} not."
        )
    departed = [label(row.method) for row in methods if row.verdict == "departs"]
    missed = [
        label(row.method)
        for row in methods
        if row.missed and row.trust and row.trust.verdict == "holds" and not row.unforeseen
    ]
    if missed:
        yield (
            f"The runs of {_enumerated(missed)} depart from the forecast to {100 * target:g} %: "
            "what was measured is what counts."
        )
    if departed and not strayed:
        yield (
            f"The forecast to {100 * target:g} % departs from {_enumerated(departed)}: the kernel "
            "moves, and what was measured is what counts."
        )
    known = [(row.trust, row.method) for row in methods if row.trust is not None]
    if known:
        least, name = max(known, key=lambda pair: pair[0].strain)
        whose = f", least for {label(name)}" if len(known) > 1 else ""
        yield f"Trust{' before training' if missed else ''}{whose}: {least.sentence}"


def _rows(
    methods: Sequence[Summary], target: float, batch: int | None, *, several: bool
) -> Iterator[Sequence[str]]:
    """Rows of the table: a title, then one cell per method; rows without a number are left out."""
    yield ("rule", *(row.rule for row in methods))
    yield ("eta", *(_number(row.eta, ".5g") for row in methods))
    yield ("beta", *("–" if isnan(row.beta) else below_one(row.beta, 5) for row in methods))
    for fraction in methods[0].steps_to:
        pairs = [row.steps_to[fraction] for row in methods]
        yield (
            f"steps to {100 * float(fraction):g} %: forecast / run",
            *(f"{count(pair['predicted'])} / {count(pair['measured'])}" for pair in pairs),
        )
        if batch is not None:
            yield (
                f"samples to {100 * float(fraction):g} %: forecast / run",
                *(
                    " / ".join(
                        count(None if (n := pair[key]) is None else n * batch)
                        for key in ("predicted", "measured")
                    )
                    for pair in pairs
                ),
            )
    title = "final loss, mean" if several else "final loss"
    yield (title, *(f"{row.loss_last_mean:.4g}" for row in methods))
    if several:
        yield (
            "final loss, range",
            *(f"{row.loss_last_min:.3g} to {row.loss_last_max:.3g}" for row in methods),
        )
    for title, name, digits in _OPTIONAL:
        values = [getattr(row, name) for row in methods]
        if any(value is not None for value in values):
            yield (title, *(_number(value, digits) for value in values))
    yield from _stopping_rows(methods)
    verdicts = [row.verdict or trusted(row.trust, missed=row.missed) for row in methods]
    if set(verdicts) != {"–"}:
        title = "trust" if methods[0].verdict is None else "the forecast"
        yield (f"{title} to {100 * target:g} %", *verdicts)
    yield ("forecast error", *(_number(row.forecast_error, ".2g") for row in methods))
    if any(row.status != "finished" for row in methods):
        yield ("status", *(row.status for row in methods))


def _stopping_rows(methods: Sequence[Summary]) -> Iterator[Sequence[str]]:
    """Rows about the test rows, each stopping time called what it is."""
    found = [row.stopping or {} for row in methods]
    for title, name in (
        ("stop by the forecast on the test rows", "forecast"),
        ("stop by cross-validation (GCV), training rows alone", "gcv"),
        ("lowest loss on the test rows, run: step", "run"),
        ("its share of the first", "lowest"),
        ("the run above it where the forecast stops", "cost"),
        ("highest accuracy on the test rows", "accuracy"),
    ):
        values = [one.get(name) for one in found]
        if any(value is not None for value in values):
            share = name in {"lowest", "cost", "accuracy"}
            yield (
                title,
                *(
                    f"{significant(100 * value)} %"
                    if share and value is not None
                    else _number(value, ".4g")
                    for value in values
                ),
            )


_OPTIONAL = (
    ("largest distance from start", "max_distance_mean", ".3g"),
    ("changed patterns", "pattern_change_mean", ".2%"),
    ("parameters moved", "movement", ".2%"),
    ("parameters moved, forecast", "movement_forecast", ".2%"),
    ("kernel moved", "kernel_drift", ".2%"),
    ("largest share of the stability limit", "sharpest", ".2f"),
)
"""Rows that a kind of run has: title, entry of `Summary`, format."""


_MANY = 0.995
"""Shares from here on are given as multiples."""


def _number(value: float | None, form: str) -> str:
    """Return a number as it is read, a dash where there is none."""
    if value is None or isnan(value):
        return "–"
    if not form.endswith("%"):
        return f"{value:{form}}"
    return f"{100 * value:.2g} %" if value < _MANY else f"{significant(value)} times"
