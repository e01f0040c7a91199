r"""The residual recursion of a finite network, split exactly into a linear part and two remainders.

For every method of `inertial.method.recursion`, with residual :math:`\xi_t = f(w_t) - y` and kernel
matrices :math:`H_t = H(w_t)`,

.. math:: \xi_{t+1} = \xi_t + \beta_t (\xi_t - \xi_{t-1})
          - (1 + \gamma_t) \eta H_0 \xi_t + \gamma_t \eta H_0 \xi_{t-1} + \psi_t + \phi_t

.. math:: \psi_t = \gamma_t \eta (H_{t-1} - H_0) \xi_{t-1} - (1 + \gamma_t) \eta (H_t - H_0) \xi_t

.. math:: \phi_t = (1 + \gamma_t) \eta H_t^\perp \xi_t - \gamma_t \eta H_{t-1}^\perp \xi_{t-1}
          + A_{t+1} - A_t - \beta_t (A_t - A_{t-1})

as long as no neuron leaves its ball of radius R.  Row i of :math:`H^\perp` and entry i of
:math:`A = m^{-1/2} \sum_r a_r \max(w_r \cdot x_i, 0)` count the neurons of
`inertial.problem.flips.flippable` alone.  Three instances:

- Nesterov: Liu, Pan and Tao (2022, Lemma 1); their lemma does not state the assumption on R;
- heavy ball: Wang and Abernethy (2020, Lemma 1), who keep :math:`H_t` in the linear part, which is
  :math:`\psi_t` moved to the left; the sign of :math:`\eta H_t^\perp \xi_t` in their eq. (29) is a
  misprint;
- gradient descent: heavy ball with beta = 0.

Start: the terms with index -1 vanish, :math:`\xi_{-1} = \xi_0` in the momentum term.  This equals
Nesterov's equation with constant gamma = beta and :math:`\xi_{-1} = (I - \eta H_0)^{-1} \xi_0` for
start `zero`, :math:`\xi_{-1} = \xi_0` for start `copy`.  Liu, Pan and Tao combine the latter with
start `zero`, which is off by :math:`-\eta\beta(H_0 - H_0^\perp)\xi_0` in the first step.

The weights obey, for any loss,

.. math:: w_t - w_{t-1} = -\eta (\tau g_{t-1} + s_t), \quad
          s_{t+1} = \beta_t s_t + (1 + \gamma_t - \tau) g_t, \quad s_0 = 0

with :math:`\tau = \gamma / \beta`.  For Nesterov's method :math:`s_t = \sum_{i<t} \beta^{t-i} g_i`
(Liu, Pan and Tao 2022, eq. A.3), for heavy ball :math:`s_t = \sum_{i<t} \beta^{t-1-i} g_i`.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from inertial._checks import InvalidInput, whole
from inertial._types import Inputs, Targets
from inertial.method.recursion import Coefficients, Recursion
from inertial.problem.model import TwoLayerReLU, start_key
from inertial.simulation.kernel_products import Block, Products, lay_out, measure
from inertial.simulation.span import span
from inertial.simulation.train import train
from inertial.simulation.trajectory import Trajectory

_MARGIN = 1e-9
"""Share added to the largest distance: rounding of a second run stays inside the balls."""

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Decomposition:
    r"""The split of one run's residuals over its first T steps, in float64.

    Parameters
    ----------
    method
        The method that was run.
    radius
        Radius R of the balls.
    counts
        Number of neurons that can flip on each sample within R, shape (n,).
    residual
        :math:`\xi_0, ..., \xi_T`, shape (T + 1, n).
    phi, psi
        The two remainders of the module's equation at steps 0, ..., T - 1, shape (T, n).
    max_distance
        Largest ``|w_r(t) - w_r(0)|`` at steps 0, ..., T; the split is exact where it is at most R.
    outside
        Pairs (neuron, sample) whose activation differs from the start although the sets of radius R
        exclude it, shape (T + 1,); 0 wherever `max_distance` is at most R.
    identity_error
        Largest entry of ``|left - right|`` of the recursion, over the largest entry of the first
        residual, shape (T,): rounding.
    printed_error
        The same for the published form: with the sign of Wang and Abernethy (2020, eq. 29) if the
        method has no gradient correction, else with the first step of Liu, Pan and Tao (2022).
    step_error, displacement_error
        Errors of the closed forms of ``w_t - w_{t-1}`` and ``w_t - w_0`` at t = 1, ..., T, over the
        largest entry of these, shape (T,): rounding.

    """

    method: Recursion
    radius: float
    counts: Int[np.ndarray, "n"]
    residual: Float[np.ndarray, "points n"]
    phi: Float[np.ndarray, "T n"]
    psi: Float[np.ndarray, "T n"]
    max_distance: Float[np.ndarray, "points"]
    outside: Int[np.ndarray, "points"]
    identity_error: Float[np.ndarray, "T"]
    printed_error: Float[np.ndarray, "T"]
    step_error: Float[np.ndarray, "T"]
    displacement_error: Float[np.ndarray, "T"]


def decompose_residual(
    network: TwoLayerReLU,
    x: Inputs,
    y: Targets,
    method: Recursion,
    *,
    seed: int,
    steps: int,
    radius: float | None = None,
) -> Decomposition:
    """Run `method` from the start of `seed` and split each of its first `steps` updates exactly.

    A step costs about five of training's.  Besides two bytes per pair (sample, neuron) nothing of
    size n x m is held, and nothing of size m x steps.

    Parameters
    ----------
    network, x, y, method, seed, steps
        As for `inertial.simulation.train.train`.
    radius
        Radius R of the balls.  Without it the method is run once more beforehand, and R is the
        largest distance of that run.

    Returns
    -------
    Decomposition
        Remainders and errors of the identities, step by step.

    Raises
    ------
    InvalidInput
        If the run diverges, `steps` is not a whole number of at least 1, or `radius` is negative.

    """
    whole("steps", steps)
    within = span(x)
    if radius is None:
        run = train(
            network, x, y, method, seed=seed, steps=steps, precision="float64", within=within
        )
        radius = _largest_distance(run)
    with jax.enable_x64(True):
        w, signs = network.init(start_key(seed), jnp.float64)
        start = w if within.basis is None else w @ jnp.asarray(within.basis)
        blocks = lay_out(within.x, y, start, radius)
        record = _run(blocks, signs / np.sqrt(network.width), start, method, steps)
        counts = np.concatenate([np.asarray(block.flippable.sum(axis=1)) for block in blocks])
    phi, psi, error = _evaluate(method, record.products)
    printed_error = _evaluate(method, record.products, printed=True)[2]
    return Decomposition(
        method,
        radius,
        counts,
        residual=record.products.residual,
        phi=phi,
        psi=psi,
        max_distance=record.max_distance,
        outside=record.products.outside,
        identity_error=error,
        printed_error=printed_error,
        step_error=record.step_error[:-1],
        displacement_error=record.displacement_error[:-1],
    )


class _State(NamedTuple):
    """Weights relative to the start, by the recursion and by their closed form.

    `tail` is s_t of the module, `closed` the sum of the steps built from it.
    """

    displacement: Float[Array, "m d"]
    step: Float[Array, "m d"]
    gradient: Float[Array, "m d"]
    tail: Float[Array, "m d"]
    closed: Float[Array, "m d"]


class _Record(NamedTuple):
    """Measurements at w_0, ..., w_T, stacked; the errors are those of the step that follows."""

    products: Products
    max_distance: Float[np.ndarray, "points"]
    step_error: Float[np.ndarray, "points"]
    displacement_error: Float[np.ndarray, "points"]


def _largest_distance(run: Trajectory) -> float:
    """Largest distance of a neuron from its start along `run`, rounded up."""
    if run.max_distance is None or run.diverged_at is not None:
        raise InvalidInput(
            f"the run diverges at step {run.diverged_at}; take fewer steps or a smaller eta."
        )
    return float(run.max_distance.max()) * (1 + _MARGIN)


def _run(
    blocks: list[Block],
    output_weights: Float[Array, "m"],
    start: Float[Array, "m d"],
    method: Recursion,
    steps: int,
) -> _Record:
    """Run the recursion of `inertial.method.recursion` and measure at every point."""
    eta, beta, gamma = _padded(method, steps + 1)
    ratio = np.full_like(beta, _correction_ratio(method))
    state = _State(*(jnp.zeros_like(start) for _ in _State._fields))
    points, weights = [], []
    for row in jnp.asarray(np.stack([eta, beta, gamma, ratio], axis=1)):
        products, gradient = measure(blocks, output_weights, start + state.displacement)
        state, measured = _update(state, gradient, row)
        points.append(products)
        weights.append(np.array(measured))
    stacked = Products(*(np.array(part) for part in zip(*points, strict=True)))
    return _Record(stacked, *np.array(weights).T)


def _correction_ratio(method: Recursion) -> float:
    r"""Return :math:`\tau = \gamma / \beta`: 1 for Nesterov, 0 without gradient correction.

    Raises
    ------
    InvalidInput
        If it, or eta, changes from step to step.

    """
    beta, gamma = (np.atleast_1d(part) for part in (method.beta, method.gamma))
    beta, gamma = np.broadcast_arrays(beta, gamma)
    ratios = gamma[beta > 0] / beta[beta > 0]
    if isinstance(method.eta, tuple) or (ratios.size and np.ptp(ratios) > 0):
        raise InvalidInput(
            "eta or the share gamma / beta changes from step to step, and the residual's split is "
            "for constant ones; give a method with a constant step and share."
        )
    return float(ratios[0]) if ratios.size else 0.0


def _padded(method: Recursion, count: int) -> Coefficients:
    """Coefficients for `count` points; the last takes no step of a schedule."""
    if method.steps is None or method.steps >= count:
        return method.coefficients(0, count)
    rows = method.coefficients(0, count - 1)
    return Coefficients(*(np.append(part, part[-1]) for part in rows))


@jax.jit
def _update(
    state: _State, gradient: Float[Array, "m d"], coefficients: Float[Array, "4"]
) -> tuple[_State, tuple[Array, Array, Array]]:
    """Step by both forms; return the distance so far and the relative differences of the forms."""
    eta, beta, gamma, ratio = coefficients
    correction = gamma * (gradient - state.gradient)
    step = beta * state.step - eta * (gradient + correction)
    displacement = state.displacement + step
    tail = beta * state.tail + (1 + gamma - ratio) * gradient
    closed_step = -eta * (ratio * gradient + tail)
    closed = state.closed + closed_step
    measured = (
        jnp.linalg.norm(state.displacement, axis=1).max(),
        _difference(closed_step, step),
        _difference(closed, displacement),
    )
    return _State(displacement, step, gradient, tail, closed), measured


def _difference(value: Float[Array, "m d"], exact: Float[Array, "m d"]) -> Float[Array, ""]:
    return jnp.abs(value - exact).max() / jnp.maximum(jnp.abs(exact).max(), _TINY)


def _evaluate(
    method: Recursion, products: Products, *, printed: bool = False
) -> tuple[Float[np.ndarray, "T n"], Float[np.ndarray, "T n"], Float[np.ndarray, "T"]]:
    """Return phi, psi and the error of the module's equation, or of its published form."""
    corrected = method.sequence == "extrapolated"
    copied = printed and corrected
    sign = -1 if printed and not corrected else 1
    steps = len(products.residual) - 1
    coefficients = replace(method, start="zero") if printed else method
    eta, beta, gamma = (c[:, None] for c in coefficients.coefficients(0, steps))
    xi = products.residual
    kernel, kernel_before = _with_previous(products.kernel[:-1], copied=copied)
    start, start_before = _with_previous(products.start_kernel[:-1], copied=copied)
    part, part_before = _with_previous(products.flippable_kernel[:-1], copied=copied)
    change, change_before = _with_previous(np.diff(products.flippable_output, axis=0))
    moved = _with_previous(np.diff(xi, axis=0))[1]
    psi = gamma * eta * (kernel_before - start_before) - (1 + gamma) * eta * (kernel - start)
    phi = (
        sign * (1 + gamma) * eta * part - gamma * eta * part_before + change - beta * change_before
    )
    linear = xi[:-1] + beta * moved - (1 + gamma) * eta * start + gamma * eta * start_before
    error = np.abs(xi[1:] - (linear + psi + phi)).max(axis=1)
    return phi, psi, error / np.abs(xi[0]).max()


def _with_previous(
    vectors: Float[np.ndarray, "T n"], *, copied: bool = False
) -> tuple[Float[np.ndarray, "T n"], Float[np.ndarray, "T n"]]:
    """Return `vectors` and the ones a step earlier, before the first zero or a copy of it."""
    first = vectors[:1] if copied else np.zeros_like(vectors[:1])
    return vectors, np.concatenate([first, vectors[:-1]])
