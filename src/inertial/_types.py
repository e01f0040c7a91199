"""Array aliases in the project's symbols.

n samples, d inputs, m neurons (the width), T recorded steps.  Arrays on the host are NumPy float64;
shapes are checked at run time under the tests only (jaxtyping with beartype).
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

Inputs: TypeAlias = Float[np.ndarray, "n d"]
"""Inputs x_i as rows."""

Targets: TypeAlias = Float[np.ndarray, "n"]
"""One real target per row."""

Gram: TypeAlias = Float[np.ndarray, "n n"]
"""A kernel matrix: symmetric, positive semi-definite."""

Eigenvalues: TypeAlias = Float[np.ndarray, "n"]
"""Eigenvalues in ascending order."""
