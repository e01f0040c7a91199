r"""Wang and Abernethy (2020): heavy ball with :math:`\beta = (1 - \sqrt{\eta\lambda_0/2})^2`.

Statements on the companion matrices are judged on the infinite kernel's spectrum at the paper's own
step size, :math:`\eta = \lambda_0/n^2` with the open constant set to 1; those on iterates on a run.
"""

import numpy as np

from inertial.theory.catalog.quantities import (
    HEAVY_BALL,
    POSITIVE_DEFINITE,
    SHORT_INPUTS,
    Companions,
    admissible,
    agreement,
    free_chance,
    heavy_ball_companions,
    kappa,
    lambda_0,
    powers,
    radius,
    solution,
    steps_of,
    unstated,
    upper,
)
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Theorem

_DOUBLE_ROOT = 1e-6
"""Rounding of a double root, which is the square root of the digits."""

_NU = 1.0
"""The exponent nu > 0 of the published bounds that is looked at."""

_SCALED = np.geomspace(1e-6, 0.5, 25)
"""Values of ``eta lambda_0`` in (0, 1/2]."""

_TARGETS = np.geomspace(1e-6, 0.4, 20)
_SHARES = np.linspace(0.001, 0.999, 200)
_PRINTED_THETA = np.array([[1e-2, 0.1, 0.095390], [1e-4, 0.01, 0.009950]])


def _rate(scaled: float) -> float:
    """``1 - sqrt(eta lambda_0/2)`` from ``eta lambda_0``."""
    return 1 - float(np.sqrt(scaled / 2))


def _own_rate(e: Evidence) -> float:
    return _rate(lambda_0(e) ** 2 / e.kernel.size**2)


def _own_step(e: Evidence) -> float:
    return lambda_0(e) / e.kernel.size**2


def _own_companions(e: Evidence, lowest: float) -> Companions:
    """Companions at the paper's step size, on the modes from `lowest` on."""
    return heavy_ball_companions(_own_step(e), _own_rate(e), admissible(e, lowest))


def _half_companions(e: Evidence) -> Companions:
    return _own_companions(e, lambda_0(e) / 2)


def _own_norm(e: Evidence) -> float:
    return float(powers(_half_companions(e), np.array([1.0]), 1.0).max())


def _own_steps(e: Evidence) -> Series:
    return steps_of(_own_rate(e))


def _from_rest(e: Evidence) -> Series:
    """Largest ``|z_t|/|z_0|`` over the modes from lambda_0 on, started with ``xi_{-1} = xi_0``."""
    companions, rate, steps = _own_companions(e, lambda_0(e)), _own_rate(e), _own_steps(e)
    # xi_t = U_t - beta U_{t-1}, over the rate's power.
    now, before, older = (solution(companions, steps - k, rate) / rate**k for k in range(3))
    beta = companions.determinant
    norms = np.hypot(now - beta * before, before - beta * older)
    return np.asarray(norms.max(axis=1) / np.sqrt(2) * rate**steps)


def _own_decay(e: Evidence, *, additive: bool = False) -> Series:
    """Bound on ``|z_t|/|z_0|``: eq. (9), or eq. (8) with its additive term."""
    extra = 1 / (2 * np.sqrt(2) * e.kernel.size**_NU) / np.sqrt(2) if additive else 0.0
    return np.asarray(_own_rate(e) ** _own_steps(e) + extra)


def prefactor(root: float, eta: float, low: float, high: float) -> float:
    """``(2 beta + 2)/sqrt(min 4 beta - (1 + beta - eta l)^2)`` over two modes, beta = root^2."""
    gap = -heavy_ball_companions(eta, root, np.array([low, high])).discriminant.max()
    return float((2 * root**2 + 2) / np.sqrt(gap)) if gap > 0 else np.inf


def _own_prefactor(e: Evidence) -> float:
    return prefactor(_own_rate(e), _own_step(e), lambda_0(e), e.kernel.largest)


def _own_powers(e: Evidence) -> Series:
    """Largest norm of the companions' powers on the modes from lambda_0 on, over the rate's."""
    norms = powers(_own_companions(e, lambda_0(e)), _own_steps(e), _own_rate(e))
    return np.asarray(norms.max(axis=1))


def _double_root(e: Evidence) -> float:
    """``1 - sqrt(eta lambda_n)`` with eta = 1/lambda_max."""
    return 1 - float(np.sqrt(lambda_0(e) / upper(e)))


def _double_root_powers(e: Evidence) -> Series:
    """``|M^t|`` on the smallest mode with ``beta = (1 - sqrt(eta l))^2``, over the rate's power."""
    root = _double_root(e)
    companion = Companions(np.array([2 * root]), np.array([root**2]), 0 * np.array([root]))
    return np.asarray(powers(companion, steps_of(root), root)[:, 0])


def _table_root(e: Evidence) -> float:
    """``sqrt(beta) = 1 - 1/(2 sqrt(kappa))`` of Liu, Pan and Tao's Table 1."""
    return 1 - 1 / (2 * float(np.sqrt(kappa(e))))


def _table_companions(e: Evidence) -> Companions:
    modes = admissible(e, 0.75 * lambda_0(e), upper(e))
    return heavy_ball_companions(1 / upper(e), _table_root(e), modes)


def _table_powers(e: Evidence) -> Series:
    root = _table_root(e)
    return np.asarray(powers(_table_companions(e), steps_of(root), root).max(axis=1))


def _table_prefactor(e: Evidence) -> float:
    return prefactor(_table_root(e), 1 / upper(e), 0.75 * lambda_0(e), upper(e))


def _c_t(rate: float, last: float = np.inf) -> float:
    """``max_{t <= last} bs^t (1 + bs sum_{s<t} bs^s)``, which peaks at ``bs^t = 1/(2 bs)``."""
    peak = -np.log(2 * rate) / np.log(rate)
    steps = np.minimum(np.maximum([np.floor(peak), np.ceil(peak)], 0), last)
    power = rate**steps
    return float((power * (1 + rate * (1 - power) / (1 - rate))).max())


def _lemma_9_sides(e: Evidence) -> tuple[Series, Series]:
    """Two chains of Lemma 9 over ``eta lambda_0``, with ``|xi_0| = 1``."""
    rate, n = np.array([_rate(scaled) for scaled in _SCALED]), e.kernel.size
    c_t = np.array([_c_t(r) for r in rate])
    middle = 1 / (4 * rate * np.sqrt(_SCALED / 2))
    c = 16 * np.sqrt(2) * c_t * _SCALED / (64 * n**_NU)
    left = np.concatenate([c_t, middle, c / (1 - rate)])
    allowed = np.full_like(c, 1 / (2 * np.sqrt(2) * n**_NU))
    return left, np.concatenate([middle, 1 / np.sqrt(2 * _SCALED), allowed])


def theta(share: Series) -> Series:
    """``log(1 - a)/log(1 - sqrt(a))``: the steps of heavy ball over those of gradient descent."""
    return np.asarray(np.log1p(-share) / np.log1p(-np.sqrt(share)))


def _step_counts(e: Evidence) -> Series:
    """Return the steps of heavy ball over those of gradient descent to each target share."""
    share = lambda_0(e) ** 2 / (2 * e.kernel.size**2)
    slow = np.log(_TARGETS) / np.log1p(-share)
    fast = np.log(_TARGETS / 2) / np.log1p(-np.sqrt(share))
    return np.asarray(fast / slow)


def _own_theta(e: Evidence) -> float:
    share = lambda_0(e) ** 2 / (2 * e.kernel.size**2)
    return float(theta(np.array([share]))[0])


def _run_rate(e: Evidence) -> float:
    return _rate(e.run.eta * lambda_0(e))


def _own_momentum(e: Evidence) -> float:
    return agreement(e.run.beta, _run_rate(e) ** 2)


def _decay_with_floor(e: Evidence, nu: float) -> Series:
    """Right side of eq. (8) on a run."""
    start, first = e.run.pair_norm[0], e.run.norm[0]
    floor = first / (2 * np.sqrt(2) * e.kernel.size**nu)
    return np.asarray(_run_rate(e) ** e.run.steps * start + floor)


def _decays(e: Evidence) -> float:
    """Margin of the bound that Lemma 4 assumes, with its constant C."""
    bound = _run_rate(e) ** e.run.steps * e.run.pair_norm[0] + _floor(e)
    return float((1 - e.run.pair_norm / bound).min())


def _floor(e: Evidence) -> float:
    """``C/(1 - bs)`` with ``C = 16 sqrt(2) eta n R c_T |xi_0|``."""
    rate = _run_rate(e)
    c = 16 * np.sqrt(2) * e.run.eta * e.kernel.size * _radius(e) * _run_c_t(e)
    return float(c * e.run.norm[0] / (1 - rate))


def _radius(e: Evidence) -> float:
    return float(lambda_0(e) / (64 * e.kernel.size ** (1 + _NU)))


def _run_c_t(e: Evidence) -> float:
    return _c_t(_run_rate(e), int(e.run.steps[-1]))


def _distance_bound(e: Evidence) -> Series:
    """``eta sqrt(2n/m) (2/(eta lambda_0) + 32 n R c_T t/lambda_0) |xi_0|`` at step t."""
    eta, low, n = e.run.eta, lambda_0(e), e.kernel.size
    growth = 32 * n * _radius(e) * _run_c_t(e) * e.run.steps / low
    size = np.sqrt(2 * n / e.run.width) * e.run.norm[0]
    return np.asarray(eta * size * (2 / (eta * low) + growth))


_SMALL_STEP = Assumption(
    "eta lambda_0 <= 1/2", lambda e: 1 - 2 * lambda_0(e) ** 2 / e.kernel.size**2
)
_RUN_SMALL_STEP = Assumption("eta lambda_0 <= 1/2", lambda e: 1 - 2 * e.run.eta * lambda_0(e))
_COMPLEX = Assumption(
    "eta lambda_max <= (1 + sqrt(beta))^2",
    lambda e: 1 - _own_step(e) * e.kernel.largest / (1 + _own_rate(e)) ** 2,
)
_OWN_MOMENTUM = Assumption("beta = (1 - sqrt(eta lambda_0/2))^2", _own_momentum)

THEOREMS = (
    Theorem(
        key="companion-printed",
        source="Wang and Abernethy (2020), Lemma 3",
        statement=(
            "The spectral norm of heavy ball's companion matrix is at most "
            "1 - sqrt(eta lambda_0/2)."
        ),
        covers=("003 L3", "E-003-1"),
        form="printed",
        erratum="E-003-1",
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP),
        left=_own_norm,
        right=_own_rate,
        false="the norm is at least 1 for every kernel",
    ),
    Theorem(
        key="companion-corrected",
        source="Wang and Abernethy (2020), Lemma 3",
        statement=(
            "The spectral radius of heavy ball's companion matrix is at most "
            "1 - sqrt(eta lambda_0/2)."
        ),
        covers=("003 L3", "E-003-1"),
        form="corrected",
        erratum="E-003-1",
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP, _COMPLEX),
        left=lambda e: radius(_half_companions(e)),
        right=_own_rate,
        tolerance=_DOUBLE_ROOT,
    ),
    Theorem(
        key="double-root",
        source="Wang and Abernethy (2020), eq. (6)",
        statement=(
            "At beta = (1 - sqrt(eta lambda_n))^2 a quadratic has |z_t| <= (1 - sqrt(eta "
            "lambda_n))^t |z_0|."
        ),
        covers=("003 L3",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_double_root_powers,
        right=lambda _: 1.0,
        at=lambda e: steps_of(_double_root(e)),
        axis="step",
        tolerance=_DOUBLE_ROOT,
        false="the double root makes the ratio grow like t",
    ),
    Theorem(
        key="complex-roots",
        source="Wang and Abernethy (2020), Lemma 5",
        statement=(
            "The roots of z^2 - (1 + beta - eta l) z + beta lie within sqrt(beta) for beta >= (1 "
            "- sqrt(eta l))^2."
        ),
        covers=("003 L3",),
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP, _COMPLEX),
        left=lambda e: radius(_half_companions(e)),
        right=lambda e: float(np.sqrt(_half_companions(e).determinant[0])),
        tolerance=_DOUBLE_ROOT,
    ),
    Theorem(
        key="heavy-ball-powers",
        source="derived, after Liu, Pan and Tao (2022), Lemma 2",
        statement=(
            "Powers of the companion at Liu, Pan and Tao's Table 1 have "
            "|M^k| <= C sqrt(beta)^k, C explicit."
        ),
        covers=("HB twin (derived)",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_table_powers,
        right=_table_prefactor,
        at=lambda e: steps_of(_table_root(e)),
        axis="power",
    ),
    Theorem(
        key="heavy-ball-prefactor",
        source="derived, after Liu, Pan and Tao (2022), Lemma 3",
        statement="At Liu, Pan and Tao's Table 1 that constant is at most 2.6 sqrt(kappa).",
        covers=("HB twin (derived)",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_table_prefactor,
        right=lambda e: 2.6 * float(np.sqrt(kappa(e))),
    ),
    Theorem(
        key="heavy-ball-table",
        source="Liu, Pan and Tao (2022), Table 1",
        statement=(
            "Heavy ball at Table 1's parameters decays as (1 - 1/(4 sqrt(kappa)))^t on every mode."
        ),
        covers=("002 Table 1",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: radius(_table_companions(e)),
        right=lambda e: 1 - 1 / (4 * float(np.sqrt(kappa(e)))),
    ),
    Theorem(
        key="decay-printed",
        source="Wang and Abernethy (2020), Theorem 2, eqs. (8) and (9)",
        statement=(
            "From rest |z_t| <= (1 - sqrt(eta lambda_0/2))^t |z_0| + |xi_0|/(2 sqrt(2) n), "
            "for nu = 1 (infinite width)."
        ),
        covers=("003 Thm2 (8),(9)", "E-003-3"),
        form="printed",
        erratum="E-003-3",
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP, _COMPLEX),
        left=_from_rest,
        right=lambda e: _own_decay(e, additive=True),
        at=_own_steps,
        axis="step",
    ),
    Theorem(
        key="decay-corrected",
        source="Wang and Abernethy (2020), Theorem 2, eqs. (8) and (9)",
        statement=(
            "|z_t| <= C (1 - sqrt(eta lambda_0/2))^t |z_0| with the explicit prefactor C, modes "
            "from lambda_0 on."
        ),
        covers=("003 Thm2 (8),(9)", "E-003-3"),
        form="corrected",
        erratum="E-003-3",
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP, _COMPLEX),
        left=_own_powers,
        right=_own_prefactor,
        at=_own_steps,
        axis="step",
    ),
    Theorem(
        key="decay-without-floor",
        source="Wang and Abernethy (2020), Theorem 2, eq. (9)",
        statement="From rest |z_t| <= (1 - sqrt(eta lambda_0/2))^t |z_0| for n to infinity.",
        covers=("003 Thm2 (8),(9)",),
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP, _COMPLEX),
        left=_from_rest,
        right=_own_decay,
        at=_own_steps,
        axis="step",
        false="the first step from rest already exceeds it",
    ),
    Theorem(
        key="decay-on-run",
        source="Wang and Abernethy (2020), Theorem 2, eq. (8)",
        statement=(
            "Heavy ball has |z_t| <= (1 - sqrt(eta lambda_0/2))^t |z_0| + |xi_0|/(2 sqrt(2)), "
            "for nu = 0."
        ),
        covers=("003 Thm2 (8),(9)",),
        scope="run",
        methods=HEAVY_BALL,
        assumptions=(
            _RUN_SMALL_STEP,
            _OWN_MOMENTUM,
            unstated("m >= C n^4/lambda_0^4 log^3(n/delta)"),
        ),
        left=lambda e: e.run.pair_norm,
        right=lambda e: _decay_with_floor(e, 0.0),
        noise=lambda e: 2 * e.run.rounding,
        trivial=lambda e: e.run.pair_norm[0],
        chance=free_chance,
    ),
    Theorem(
        key="heavy-ball-distance",
        source="Wang and Abernethy (2020), Lemma 4",
        statement=(
            "If |z_t| decays as in eq. (16), no neuron of heavy ball moves beyond eta sqrt(2n/m) "
            "(2/(eta lambda_0) + 32 n R c_T t/lambda_0) |xi_0|."
        ),
        covers=("003 L4",),
        scope="run",
        methods=HEAVY_BALL,
        assumptions=(
            SHORT_INPUTS,
            _OWN_MOMENTUM,
            Assumption("|z_t| <= bs^t |z_0| + C/(1 - bs), nu = 1", _decays),
        ),
        left=lambda e: e.run.distance,
        right=_distance_bound,
        noise=lambda e: e.run.distance_rounding,
    ),
    Theorem(
        key="floor-constants",
        source="Wang and Abernethy (2020), Lemma 9",
        statement=(
            "c_T <= 1/(4 bs sqrt(eta lambda_0/2)) <= 1/sqrt(2 eta lambda_0), C/(1-bs) <= "
            "|xi_0|/(2 sqrt(2) n)."
        ),
        covers=("003 L9",),
        left=lambda e: _lemma_9_sides(e)[0],
        right=lambda e: _lemma_9_sides(e)[1],
        at=lambda _: np.tile(_SCALED, 3),
        axis="eta lambda_0",
    ),
    Theorem(
        key="theta-increases",
        source="Wang and Abernethy (2020), Figure 1",
        statement="theta(a) = log(1-a)/log(1-sqrt(a)) increases with a.",
        covers=("003 theta",),
        left=lambda _: theta(_SHARES[:-1]),
        right=lambda _: theta(_SHARES[1:]),
        relation="below",
        at=lambda _: _SHARES[1:],
        axis="alpha",
    ),
    Theorem(
        key="step-ratio-printed",
        source="Wang and Abernethy (2020), eq. (10)",
        statement=(
            "Heavy ball needs at most theta times gradient descent's steps to a target share."
        ),
        covers=("003 (10)", "E-003-4"),
        form="printed",
        erratum="E-003-4",
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP),
        left=_step_counts,
        right=_own_theta,
        at=lambda _: _TARGETS,
        axis="target",
        false="log(g/2)/log(g) exceeds 1 for every target g",
    ),
    Theorem(
        key="step-ratio-corrected",
        source="Wang and Abernethy (2020), eq. (10)",
        statement=(
            "Heavy ball needs theta log(g/2)/log(g) times gradient descent's steps to the share g."
        ),
        covers=("003 (10)", "E-003-4"),
        form="corrected",
        erratum="E-003-4",
        assumptions=(POSITIVE_DEFINITE, _SMALL_STEP),
        left=_step_counts,
        right=lambda e: _own_theta(e) * np.log(_TARGETS / 2) / np.log(_TARGETS),
        relation="equal",
        at=lambda _: _TARGETS,
        axis="target",
    ),
    Theorem(
        key="theta-values-printed",
        source="Wang and Abernethy (2020), eq. (10), remark",
        statement="theta is 0.1 at 1e-2 and 0.01 at 1e-4 (to one digit it is).",
        covers=("E-003-5",),
        form="printed",
        erratum="E-003-5",
        left=lambda _: _PRINTED_THETA[:, 1],
        right=lambda _: theta(_PRINTED_THETA[:, 0]),
        relation="equal",
        at=lambda _: _PRINTED_THETA[:, 0],
        axis="alpha",
        tolerance=1e-4,
        false="the values are rounded",
    ),
    Theorem(
        key="theta-values-corrected",
        source="Wang and Abernethy (2020), eq. (10), remark",
        statement="theta is 0.09539 at 1e-2 and 0.00995 at 1e-4.",
        covers=("E-003-5",),
        form="corrected",
        erratum="E-003-5",
        left=lambda _: _PRINTED_THETA[:, 2],
        right=lambda _: theta(_PRINTED_THETA[:, 0]),
        relation="equal",
        at=lambda _: _PRINTED_THETA[:, 0],
        axis="alpha",
        tolerance=1e-4,
    ),
)
