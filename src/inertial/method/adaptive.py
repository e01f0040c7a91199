r"""Adam and RMSprop: their update, their limit, and what they are with a constant preconditioner.

.. math:: m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \quad
          v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \qquad
          w_{t+1} = w_t - \eta\,\frac{m_t / c_1}{\sqrt{v_t / c_2} + \epsilon}

with :math:`c_i = 1 - \beta_i^t` at the t-th update (Kingma and Ba 2015, Algorithm 1), or
:math:`c_i = 1` without correction (Tieleman and Hinton 2012, for :math:`\beta_1 = 0`).

While the second moment stands still, Adam is heavy ball on the preconditioned kernel

.. math:: H_P = J P^{-1} J^T, \qquad P = \mathrm{diag}(\sqrt{\hat v} + \epsilon), \qquad
          \beta = \beta_1, \quad \eta_{hb} = (1-\beta_1)\,\eta

so that every mode decays only if

.. math:: \eta\,\lambda_{max}(H_P) < \frac{2(1+\beta_1)}{1-\beta_1}

which is 38 for :math:`\beta_1 = 0.9` and 2 for RMSprop (Cohen et al. 2022, arXiv 2207.14484).  The
moment does not stand still early in training: there the forecast is the transformation itself on
the linearised model (`inertial.simulation.linearised`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import jax

from inertial._checks import InvalidInput, positive, unit_interval
from inertial.method.recursion import Recursion, heavy_ball

Tree: TypeAlias = Any
"""A list or dictionary of arrays, of JAX or PyTorch."""


class Moments(NamedTuple):
    """m and v, and how many updates they come from."""

    mean: Tree
    square: Tree
    count: Any


@dataclass(frozen=True)
class Adaptive:
    """A method that divides each parameter's step by the root of its second moment.

    It has the two functions of an optax transformation, `init` and `update`, on a tree of arrays of
    JAX or PyTorch.

    Parameters
    ----------
    eta
        Step size, > 0.
    beta1, beta2
        Decay of the first and second moment, in [0, 1).
    eps
        What is added to the root, > 0.
    corrected
        Whether the moments are corrected for their start at zero.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """

    eta: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    corrected: bool = True

    def __post_init__(self) -> None:
        positive("eta", self.eta)
        unit_interval("beta1", self.beta1)
        unit_interval("beta2", self.beta2)
        positive("eps", self.eps)
        if not isinstance(self.corrected, bool):
            raise InvalidInput(f"corrected is {self.corrected!r}; give True or False.")
        if self.beta1 and not self.corrected:
            raise InvalidInput(
                f"beta1 is {self.beta1} without correction of the start; give beta1 = 0 (RMSprop) "
                "or corrected=True (Adam)."
            )

    @property
    def name(self) -> str:
        """`adam` or `rmsprop`."""
        return "adam" if self.corrected else "rmsprop"

    @property
    def limit(self) -> float:
        """Bound on ``eta * lambda_max(H_P)`` below which every mode decays: 38 for Adam's 0.9."""
        return 2 * (1 + self.beta1) / (1 - self.beta1)

    @property
    def constant(self) -> tuple[float, float, float]:
        """Step size, momentum and 0, in the order of a recursion's coefficients."""
        return self.eta, self.beta1, 0.0

    @property
    def keywords(self) -> dict[str, float | tuple[float, float]]:
        """Keywords of ``torch.optim.Adam``, or of ``torch.optim.RMSprop``."""
        if self.corrected:
            return {"lr": self.eta, "betas": (self.beta1, self.beta2), "eps": self.eps}
        return {"lr": self.eta, "alpha": self.beta2, "eps": self.eps}

    @property
    def frozen(self) -> Recursion:
        """The recursion that it is on the preconditioned kernel while that stands still."""
        return heavy_ball((1 - self.beta1) * self.eta, self.beta1)

    def init(self, params: Tree) -> Moments:
        """Return the moments before the first update."""
        zero = jax.tree.map(lambda leaf: 0 * leaf, params)
        return Moments(zero, zero, 0)

    def update(
        self, gradient: Tree, moments: Moments, _params: Tree = None
    ) -> tuple[Tree, Moments]:
        """Return the step ``w_{t+1} - w_t`` and the new moments."""
        b1, b2 = self.beta1, self.beta2
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, moments.mean, gradient)
        square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, moments.square, gradient)
        now = Moments(mean, square, moments.count + 1)
        rate = self.eta / self._correction(b1, now.count)
        return jax.tree.map(lambda m, q: -rate * m * q, mean, self.inverse(now)), now

    def inverse(self, moments: Moments) -> Tree:
        r"""Return :math:`1/(\sqrt{v_t / c_2} + \epsilon)` after an update: the diagonal of P^-1.

        `Tangent.preconditioned` takes it.
        """
        correction = self._correction(self.beta2, moments.count)
        return jax.tree.map(lambda v: 1 / ((v / correction) ** 0.5 + self.eps), moments.square)

    def _correction(self, beta: float, count: Any) -> Any:  # noqa: ANN401 - may be traced
        return 1 - self.corrected * beta**count


def adam(eta: float, beta1: float = 0.9, beta2: float = 0.999, *, eps: float = 1e-8) -> Adaptive:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980): ``optax.adam`` and ``torch.optim.Adam``.

    Parameters
    ----------
    eta
        Step size, > 0.
    beta1, beta2
        Decay of the first and second moment, in [0, 1).
    eps
        What is added to the root, > 0.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    return Adaptive(eta, beta1, beta2, eps)


def rmsprop(eta: float, decay: float = 0.99, *, eps: float = 1e-8) -> Adaptive:
    """RMSprop (Tieleman and Hinton 2012) as ``torch.optim.RMSprop`` has it.

    ``optax.rmsprop(eta, decay, eps_in_sqrt=False)`` is the same.

    Parameters
    ----------
    eta
        Step size, > 0.
    decay
        Decay of the second moment, in [0, 1).
    eps
        What is added to the root, > 0.

    Raises
    ------
    InvalidInput
        If a number is outside its range.

    """
    return Adaptive(eta, 0.0, decay, eps, corrected=False)


ADAPTIVE: dict[str, Callable[[float, float], Adaptive]] = {
    "adam": adam,
    "rmsprop": lambda eta, _momentum: rmsprop(eta),
}
"""Adaptive methods with a step size, and a momentum if they have one, by name."""


def lines(method: Adaptive, *, decay: float = 0.0) -> str:
    """Lines to copy for optax, PyTorch and Keras.

    `decay` is the rate of weight decay that is added to the gradient, before it is divided: that of
    ``torch.optim.Adam``, and not of AdamW.
    """
    eta, b1, b2, eps = (f"{x:.6g}" for x in (method.eta, method.beta1, method.beta2, method.eps))
    if method.corrected:
        optax = f"optax.adam({eta}, b1={b1}, b2={b2}, eps={eps})"
        torch = f"torch.optim.Adam(model.parameters(), lr={eta}, betas=({b1}, {b2}), eps={eps}"
        keras = f"keras.optimizers.Adam({eta}, beta_1={b1}, beta_2={b2}, epsilon={eps})"
    else:
        optax = f"optax.rmsprop({eta}, decay={b2}, eps={eps}, eps_in_sqrt=False)"
        torch = f"torch.optim.RMSprop(model.parameters(), lr={eta}, alpha={b2}, eps={eps}"
        # Keras adds its epsilon below the root.
        keras = f"keras.optimizers.RMSprop({eta}, rho={b2}, epsilon={method.eps**2:.6g})"
    if decay:
        optax = f"optax.chain(optax.add_decayed_weights({decay:.6g}), {optax})"
        torch += f", weight_decay={decay:.6g}"
        keras += f"  # and keras.regularizers.L2({decay / 2:.6g}) on every weight"
    return f"{optax}\n{torch})\n{keras}"
