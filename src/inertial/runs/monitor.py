r"""Watching a training loop of one's own: how near to the edge it runs, and how the kernel moves.

At every look the tangent operator M is taken at the current parameters:

- sharpness: its largest eigenvalue l, and :math:`\eta (l + a)` as a share of the method's limit
  :math:`2(1+\beta)/(1+2\gamma)`, a the rate of weight decay; above 1 the linearised model diverges
  from there;
- drift: :math:`|(H_t - H_0) g| / |H_0 g|` with H = J J' and g the gradient of the loss in the
  outputs at the start: the kernel's own change, without that of the loss's curvature;
- forecast: steps from here to a share of the loss here, by the linearised model, of a run that
  begins here at rest: a loop with momentum has it, and takes other steps.  Without weight decay.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from inertial._checks import InvalidInput, fraction, whole
from inertial._door import door
from inertial.linear.tangent import Tangent, tangent
from inertial.method.conventions import method_of
from inertial.method.curve import steps_to
from inertial.method.modes import stability_limit
from inertial.method.recursion import Recursion
from inertial.problem.problem import Trainable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_LIMIT = 100_000
"""Steps after which a forecast gives up."""


class Monitor:
    """Look at a model every so many steps of a training loop.

    Parameters
    ----------
    problem
        The model with its loss, its start and the rows to look at: a part of them will do.
    method
        What the loop runs: a method, or ``dict(lr=0.01, momentum=0.9, nesterov=True)``.
    every
        Steps between two looks.
    products
        Products with the tangent operator at a look: more forecast more steps.
    target
        Share of the loss at a look whose step is forecast, for squared losses, of a run that begins
        there at rest.

    Attributes
    ----------
    records
        What each look found, as `look` returns it.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """

    @door
    def __init__(
        self,
        problem: Trainable,
        method: Recursion | Mapping[str, Any],
        *,
        every: int = 50,
        products: int = 12,
        target: float = 0.1,
    ) -> None:
        self.problem, self.method = problem, method_of(method, problem.decay)
        self.every, self.products = whole("every", every), whole("products", products)
        self.target = fraction("target", target)
        self.records: list[dict[str, float]] = []
        first = tangent(problem)
        self._probe = problem.gradient_of(first.linearised.outputs)
        self._image = first.plain(self._probe)

    def look(self, step: int, params: Any) -> dict[str, float] | None:  # noqa: ANN401 - any model's
        """Look at the parameters (a tree, or a module) after `step` steps; None between two looks.

        The result has `step`, `loss`, `sharpness`, `share_of_limit`, `kernel_drift`, and for
        squared losses `forecast_steps` of a run that begins there at rest, NaN if the target is not
        reached within the steps that `products` products prove, one fewer than these, and with
        weight decay.  Where the model has diverged, or is at a minimum, all but the loss is NaN: a
        look ends no training.

        Raises
        ------
        InvalidInput
            If `step` is no whole number of at least 0, or the parameters are not the problem's.

        """
        if whole("step", step, least=0) % self.every:
            return None
        state = self.problem.state_of(params)
        try:
            found = self._seen(tangent(self.problem, state))
        except InvalidInput:  # no gradient, or numbers that are not finite
            names = ("sharpness", "share_of_limit", "kernel_drift")
            with np.errstate(invalid="ignore", over="ignore"):
                loss = self.problem.loss_of(self.problem.linearise(state).outputs)
            found = {"loss": loss, **dict.fromkeys(names, np.nan)}
            if self.problem.loss.squared:
                found["forecast_steps"] = np.nan
        self.records.append({"step": float(step), **found})
        return self.records[-1]

    def _seen(self, here: Tangent) -> dict[str, float]:
        sharpness = here.lanczos(self.products).largest[0]
        change = here.plain(self._probe) - self._image
        eta = float(np.asarray(self.method.eta).max())
        with np.errstate(invalid="ignore", divide="ignore"):  # a kernel of zeros has no drift
            drift = float(np.linalg.norm(change) / np.linalg.norm(self._image))
        found = {
            "loss": here.loss,
            "sharpness": sharpness,
            "share_of_limit": eta * (sharpness + self.problem.decay) / stability_limit(self.method),
            "kernel_drift": drift,
        }
        if self.problem.loss.squared:
            measure = here.measure(self.products)
            limit = _LIMIT if measure.proven is None else min(_LIMIT, measure.proven)
            count = None
            if not self.problem.decay:
                count = steps_to(self.method, measure, self.target, limit=limit)
            found["forecast_steps"] = np.nan if count is None else float(count)
        return found

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row per look."""
        import pandas as pd

        return pd.DataFrame(self.records)

    def plot(self) -> "Figure":
        """Draw loss, share of the stability limit and drift of the kernel against steps."""
        from inertial.runs.style import house_style

        with house_style():
            return self._drawn()

    def _drawn(self) -> "Figure":
        from matplotlib.ticker import LogLocator, StrMethodFormatter

        from inertial.runs.style import new_figure, style_of

        figure = new_figure(7, 6)
        style = style_of(self.method.name)
        figure.suptitle(style.label, x=0.01, ha="left", fontsize=9, color="0.3")
        steps = [record["step"] for record in self.records]
        rows = figure.subplots(3, 1, sharex=True)
        for axes, key, label in zip(
            rows,
            ("loss", "share_of_limit", "kernel_drift"),
            (
                "loss",
                "share of the\nstability limit",
                "change of the kernel\nalong the first gradient",
            ),
            strict=True,
        ):
            values = [record[key] for record in self.records]
            axes.plot(steps, values, color=style.colour, marker=style.marker, markersize=4)
            axes.set_ylabel(label)
            axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        losses = [record["loss"] for record in self.records if 0 < record["loss"] < np.inf]
        if losses:
            rows[0].set_yscale("log")
            if max(losses) < 10 * min(losses):  # no power of ten need lie between them
                rows[0].yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5, 7)))
                rows[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                rows[0].yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
        rows[1].axhline(1, color="0.4", lw=0.8, ls=":")
        words = {"ha": "right", "va": "bottom", "fontsize": 8, "color": "0.3"}
        place = rows[1].get_yaxis_transform()
        rows[1].text(0.995, 1, "the linearised model diverges above", transform=place, **words)
        rows[2].set_xlabel("step")
        figure.align_ylabels(rows)
        return figure
