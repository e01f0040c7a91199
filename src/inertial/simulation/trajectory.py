"""What a run produces: one record per step, whoever simulated it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from inertial._checks import brief
from inertial.method.recursion import Recursion

Status = Literal["finished", "diverged"]


@dataclass(frozen=True, repr=False)
class Trajectory:
    """Records of one run along its steps.

    Parameters
    ----------
    method
        The method that was run.
    steps
        Recorded steps, ascending, shape (T,); a record at step t describes ``w_t``.
    loss
        ``1/2 |f(w_t) - y|^2`` (the sum over samples, not the mean).
    status
        `diverged` if the loss stopped being finite or, in training, passed a thousand times its
        start; the records then end with that step.
    max_distance, mean_distance
        Largest and mean ``|w_r(t) - w_r(0)|`` over the neurons r, where simulated.
    pattern_change
        Share of the pairs (neuron, sample) whose activation differs from the start.
    residual
        ``f(w_t) - y``, shape (T, n), where asked for.
    test_outputs
        Outputs on rows that are held out, shape (T, k), where there are some.

    """

    __repr__ = brief

    method: Recursion
    steps: Int[np.ndarray, "T"]
    loss: Float[np.ndarray, "T"]
    status: Status
    max_distance: Float[np.ndarray, "T"] | None = None
    mean_distance: Float[np.ndarray, "T"] | None = None
    pattern_change: Float[np.ndarray, "T"] | None = None
    residual: Float[np.ndarray, "T n"] | None = None
    test_outputs: Float[np.ndarray, "T k"] | None = None

    @property
    def diverged_at(self) -> int | None:
        """The step at which the run diverged, or None."""
        return int(self.steps[-1]) if self.status == "diverged" else None

    def steps_to(self, fraction: float) -> int | None:
        """First recorded step whose loss is at most `fraction` of the first loss, or None."""
        reached = np.flatnonzero(self.loss <= fraction * self.loss[0])
        return int(self.steps[reached[0]]) if reached.size else None
