"""Optimisers of optax that are run as they are, by name.

They are no linear recursions: each divides by a running size of the gradient, or takes its sign.
So no measure forecasts them; their forecast is the linearised model, trained by them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inertial._checks import one_of, positive
from inertial.method.adaptive import Adaptive, adam, lines, rmsprop

if TYPE_CHECKING:
    import optax

TRANSFORMATIONS = (
    *("adam", "rmsprop", "adamw", "lion", "adagrad", "nadam"),
    *("amsgrad", "radam", "adabelief", "adamax", "yogi", "lamb"),
)
"""Names in optax; all of them need a step size alone."""

USUAL = 1e-3
"""Step size where no rule chooses one: the one that their papers and libraries begin with."""

_ELSEWHERE: dict[str, Callable[[float], Adaptive]] = {
    "adam": adam,
    "rmsprop": lambda eta: rmsprop(eta, 0.9, eps=1e-4),
}
"""What PyTorch and Keras run with optax's defaults.

optax's RMSprop adds 1e-8 below the root, as Keras does; PyTorch, beside it, comes nearest by 1e-4.
"""


@dataclass(frozen=True)
class Optax:
    """``optax.NAME(eta)``, everything else as it stands in optax.

    Raises
    ------
    InvalidInput
        If the name is not in `TRANSFORMATIONS`, or the step size not positive.

    """

    name: str
    eta: float = USUAL

    def __post_init__(self) -> None:
        one_of("method", self.name, TRANSFORMATIONS)
        positive("eta", self.eta)

    def build(self) -> "optax.GradientTransformation":
        """Return what `simulate` takes."""
        import optax

        made: optax.GradientTransformation = getattr(optax, self.name)(self.eta)
        return made

    @property
    def line(self) -> str:
        """What was run, in optax's words."""
        return f"optax.{self.name}(learning_rate={self.eta:.6g})"

    def lines(self, decay: float = 0.0) -> str:
        """Lines to copy: optax's, and PyTorch's and Keras' where they have the same.

        `decay` is a rate of weight decay, as for `inertial.method.adaptive.lines`.
        """
        line = self.line
        if decay:
            line = f"optax.chain(optax.add_decayed_weights({decay:.6g}), {line})"
        if self.name not in _ELSEWHERE:
            return line
        same = lines(_ELSEWHERE[self.name](self.eta), decay=decay).splitlines()
        return "\n".join([line, *same[1:]])
