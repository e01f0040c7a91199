r"""Bounds on the part of the residual recursion that flipping neurons cause.

The remainder phi of `inertial.simulate.decomposition` sums, for sample i, over the
:math:`\#S_i^\perp` neurons that can flip alone.  Its size follows from bounds on the gradient,
:math:`|g_r| \le \sqrt{n/m} |\xi|`, and on the steps of the weights, for inputs of norm at most 1.

The weights obey, for any loss,

.. math:: w_t - w_{t-1} = -\eta (\tau g_{t-1} + s_t), \quad
          s_{t+1} = \beta_t s_t + (1 + \gamma_t - \tau) g_t, \quad s_0 = 0

with :math:`\tau = \gamma / \beta`.  For Nesterov's method :math:`s_t = \sum_{i<t} \beta^{t-i} g_i`
(Liu, Pan and Tao 2022, eq. A.3), for heavy ball :math:`s_t = \sum_{i<t} \beta^{t-1-i} g_i`.
"""

import numpy as np
from jaxtyping import Float

from inertial._checks import InvalidInput
from inertial.method.recursion import Recursion


def flip_bound(method: Recursion, norms: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    r"""Bound on ``|phi_t[i]|`` in units of :math:`\eta \sqrt n\, \#S_i^\perp / m`.

    .. math:: (1 + \gamma_t) |\xi_t| + \gamma_t |\xi_{t-1}| + q_{t+1} + \beta_t q_t, \quad
              q_t = \tau |\xi_{t-1}| + \sigma_t, \quad
              \sigma_{t+1} = \beta_t \sigma_t + (1 + \gamma_t - \tau) |\xi_t|

    where q bounds the steps of the weights through their closed form.  Without gradient correction
    it is Wang and Abernethy's (2020, Lemma 1)
    :math:`2 |\xi_t| + 2 \beta \sum_{s<t} \beta^{t-1-s} |\xi_s|`; for Nesterov's method it is
    :math:`(2 + 2\beta) |\xi_t| + 2\beta |\xi_{t-1}| + 2 \sum_{i<t} \beta^{t+1-i} |\xi_i|`, which
    is below Liu, Pan and Tao's (2022, eq. 21), so that theirs holds despite the slip in its proof.

    Parameters
    ----------
    method
        Coefficients of the recursion.
    norms
        :math:`|\xi_0|, ..., |\xi_{T-1}|`, shape (T,).

    """
    _, beta, gamma = method.coefficients(0, len(norms))
    ratio = correction_ratio(method)
    bound = np.empty(len(norms))
    previous = older = 0.0
    for t, norm in enumerate(norms):
        step = ratio * previous + older
        older = beta[t] * older + (1 + gamma[t] - ratio) * norm
        next_step = ratio * norm + older
        bound[t] = (1 + gamma[t]) * norm + gamma[t] * previous + next_step + beta[t] * step
        previous = norm
    return bound


def printed_flip_bound(method: Recursion, norms: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    r"""Bound on ``|phi_t[i]|`` as published, in units of :math:`\eta \sqrt n\, \#S^\perp / m`.

    Liu, Pan and Tao (2022, eq. 21), with :math:`\xi_{-1} = \xi_0` and the largest count:

    .. math:: (2 + 4\beta) |\xi_t| + 3\beta |\xi_{t-1}| + 2 \sum_{i<t} \beta^{t+1-i} |\xi_i|

    with the step's own beta where it varies.  Without gradient correction it is `flip_bound`, as in
    Wang and Abernethy (2020, Lemma 1).
    """
    if method.sequence == "iterate":
        return flip_bound(method, norms)
    beta = method.coefficients(0, len(norms)).beta
    bound = np.empty(len(norms))
    previous, tail = norms[0], 0.0
    for t, norm in enumerate(norms):
        bound[t] = (2 + 4 * beta[t]) * norm + 3 * beta[t] * previous + 2 * beta[t] * tail
        tail = beta[t] * (tail + norm)
        previous = norm
    return bound


def correction_ratio(method: Recursion) -> float:
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
