"""Networks that are built from a few characters."""

import re

from inertial._checks import InvalidInput
from inertial.problem.mlp import MLP
from inertial.problem.wide import WideNetwork

NAMES = ("mlp", "wide")
"""What such a text begins with."""

_FORM = re.compile(r"(?P<kind>mlp|wide):(?P<widths>[0-9x,]+)(:(?P<activation>[a-z_]+))?")


def is_named(text: str) -> bool:
    """Whether a text means a network of this module."""
    return text.split(":", maxsplit=1)[0] in NAMES


def parse(text: str, inputs: int, outputs: int) -> MLP | WideNetwork:
    """Read ``mlp:256x2:tanh``, two layers of 256, or ``mlp:300,100``, two of these widths.

    ``wide:4000`` or ``wide:1000x3:erf`` is a `WideNetwork` of which all weights are trained.

    Raises
    ------
    InvalidInput
        If the text has another form.

    """
    found = _FORM.fullmatch(text)
    try:
        widths = () if found is None else _widths(found["widths"])
    except ValueError:
        widths = ()
    wide = found is not None and found["kind"] == "wide"
    if found is None or not widths or (wide and len(set(widths)) > 1):
        raise InvalidInput(
            f"the model is {text!r}; give mlp:256x2 for two hidden layers of 256, mlp:300,100 for "
            "layers of 300 and 100, wide:1000x2 for two of 1,000 that have a limit in the width, "
            "with :tanh or :gelu behind it for another activation than relu."
        )
    activation = found["activation"] or "relu"
    if wide:
        return WideNetwork(widths[0], inputs, outputs, len(widths), activation)
    return MLP(inputs, widths, outputs, activation)


def _widths(text: str) -> tuple[int, ...]:
    if "x" in text:
        width, depth = text.split("x")
        return (int(width),) * int(depth)
    return tuple(int(part) for part in text.split(","))
