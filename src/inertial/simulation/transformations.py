"""Optimisers of optax that are run as they are, by name.

They are no linear recursions: each divides by a running size of the gradient, or takes its sign.
So no measure forecasts them; their forecast is the linearised model, trained by them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inertial._checks import one_of, positive

if TYPE_CHECKING:
    import optax

TRANSFORMATIONS = (
    *("adam", "rmsprop", "adamw", "lion", "adagrad", "nadam"),
    *("amsgrad", "radam", "adabelief", "adamax", "yogi", "lamb"),
)
"""Names in optax; all of them need a step size alone."""

USUAL = 1e-3
"""Step size where no rule chooses one: the one that their papers and libraries begin with."""


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
        """Line to copy."""
        return f"optax.{self.name}(learning_rate={self.eta:.6g})"
