r"""Liu, Pan and Tao (2022): Nesterov's method with constant momentum.

Their parameters, :math:`\eta = 1/(2\hat\lambda)` and
:math:`\beta = (3\sqrt\kappa - 2)/(3\sqrt\kappa + 2)`; the modes' companion matrices have trace
:math:`(1+\beta)(1-\eta l)` and determinant :math:`\beta(1-\eta l)`.  A width that only serves to
bring H_0 near the infinite kernel is replaced by that event, which can be checked.
"""

import numpy as np

from inertial.theory.catalog.quantities import (
    NESTEROV,
    NESTEROV_ALGORITHM,
    POSITIVE_DEFINITE,
    SHORT_INPUTS,
    Companions,
    admissible,
    agreement,
    free_chance,
    kappa,
    lambda_0,
    nesterov_companions,
    powers,
    radius,
    steps_of,
    unstated,
    upper,
)
from inertial.theory.evidence import Evidence
from inertial.theory.start import Series
from inertial.theory.theorem import Assumption, Form, Theorem

_EARLY = 300
"""A step at which growth at the edge of the momentum's range is looked at, and four times it."""

_KAPPAS = np.geomspace(1.0, 1e8, 81)
"""Condition numbers kappa that a statement for every kappa is looked at."""

_LATE = 400
"""A late step of Nesterov's method with varying momentum."""

_WINDOW = 40
"""Steps that hold several oscillations."""

_FRICTION = 3.0
"""The d of its momentum ``t/(t+d)``."""


def parameters(e: Evidence) -> tuple[float, float]:
    """Return step size and momentum of Theorem 1."""
    root = np.sqrt(kappa(e))
    return 1 / (2 * upper(e)), float((3 * root - 2) / (3 * root + 2))


def _companions(e: Evidence) -> Companions:
    return nesterov_companions(*parameters(e), admissible(e, 0.75 * lambda_0(e), upper(e)))


def _powers(e: Evidence) -> Series:
    """Largest norm of the companions' powers, over those of the radius."""
    root = _root(e)
    return np.asarray(powers(_companions(e), steps_of(root), root).max(axis=1))


def _claimed(e: Evidence) -> float:
    """``1 - 1/(2 sqrt(kappa))``."""
    return 1 - 1 / (2 * float(np.sqrt(kappa(e))))


def prefactor(eta: float, beta: float, low: float, high: float) -> float:
    """Return C of Lemma 2 for eigenvalues between `low` and `high`; infinite at its limits."""
    smallest = -nesterov_companions(eta, beta, np.array([low, high])).discriminant.max()
    if smallest <= 0:
        return np.inf
    return float((2 * beta * (1 - eta * low) + 2) / np.sqrt(smallest))


def _prefactor(e: Evidence) -> float:
    return prefactor(*parameters(e), 0.75 * lambda_0(e), upper(e))


def _root(e: Evidence) -> float:
    """``sqrt(beta (1 - eta lambda))``, the radius on the smallest admitted eigenvalue."""
    eta, beta = parameters(e)
    return float(np.sqrt(beta * (1 - 0.75 * eta * lambda_0(e))))


def _limit(e: Evidence) -> tuple[float, float, float]:
    """Step size, the momentum at the edge of Lemma 2's range, and the smallest eigenvalue."""
    eta, low = 1 / (2 * upper(e)), lambda_0(e)
    root = np.sqrt(eta * low)
    return eta, float((1 - root) / (1 + root)), low


def _growth(e: Evidence, beta: float, steps: Series) -> Series:
    """``|M^k|/r^k`` on the smallest eigenvalue at the given steps k."""
    eta, edge, low = _limit(e)
    companion = nesterov_companions(eta, beta, np.array([low]))
    if beta == edge:
        companion = companion._replace(discriminant=0 * companion.trace)
    return np.asarray(powers(companion, steps, _edge_root(e, beta))[:, 0])


def _edge_root(e: Evidence, beta: float) -> float:
    eta, _, low = _limit(e)
    return float(np.sqrt(beta * (1 - eta * low)))


def _between(e: Evidence) -> float:
    """Return a momentum half way between the edge of Lemma 2's range and 1."""
    return (1 + _limit(e)[1]) / 2


def _edge_steps(e: Evidence) -> Series:
    return steps_of(_edge_root(e, _between(e)))


def _proof_sides(_: Evidence) -> tuple[Series, Series]:
    """Three inequalities of the proof of Theorem 1, over kappa."""
    root = np.sqrt(_KAPPAS)
    rho = 1 - 1 / (2 * root)
    left = (
        1 / (1 - rho) + rho**2 / (1 - rho) ** 2,
        1 + 2 * rho**2 + rho + rho**3 / (1 - rho),
        2 / (15 * root) + 1 / (30 * _KAPPAS),
    )
    return np.concatenate(left), np.concatenate([4 * _KAPPAS, 3 * root, 1 / (6 * root)])


def _exact_prefactor(k: Series) -> Series:
    """``(12 k^1.5 - 3 k^.5 + 2)/sqrt(k (2k - 1))``."""
    return np.asarray((12 * k**1.5 - 3 * k**0.5 + 2) / np.sqrt(k * (2 * k - 1)))


def _middle(k: Series) -> Series:
    """Return the middle expression of eq. (C.1)."""
    return np.asarray(2 * (9 * k**1.5 - 3 * k**0.5 - 2 * k + 2) / np.sqrt(k * (2 * k - 1)))


def _eta(e: Evidence) -> float:
    return agreement(e.run.eta, parameters(e)[0])


def _beta(e: Evidence) -> float:
    return agreement(e.run.beta, parameters(e)[1])


def _start_above(e: Evidence) -> float:
    return float(e.start.spectrum.eigenvalues[0]) / (0.75 * lambda_0(e)) - 1


def _start_below(e: Evidence) -> float:
    return 1 - float(e.start.spectrum.eigenvalues[-1]) / upper(e)


def _width(e: Evidence) -> float:
    """Margin of the width that the proof asks for, relative to the run's."""
    lam = 0.75 * lambda_0(e)
    size = 48 * 360 * 12 * np.sqrt(2) * e.kernel.size**1.5 * kappa(e) * e.run.norm[0]
    return float((e.run.width - (size / lam**2) ** 2) / e.run.width)


def _pair_norm(e: Evidence) -> Series:
    """``|z_t| = |[xi_t; xi_{t-1}]|``: ``xi_{-1}`` is ``xi_0``, of Algorithm 1 as below.

    Its first step (1 + beta) eta g_0 is that of the recursion from
    ``xi_{-1} = (I - eta H_0)^{-1} xi_0``.
    """
    if e.run.method.start == "copy":
        return e.run.pair_norm
    spectrum = e.start.spectrum
    before = spectrum.modes(e.start.residual) / (1 - e.run.eta * spectrum.eigenvalues)
    return np.asarray(np.hypot(e.run.norm, [np.linalg.norm(before), *e.run.norm[:-1]]))


def _loss_bound(e: Evidence) -> Series:
    """``24 sqrt(kappa) (1 - 1/(2 sqrt(kappa)))^t |z_0|``."""
    return np.asarray(_claimed(e) ** e.run.steps * 24 * float(np.sqrt(kappa(e))) * _pair_norm(e)[0])


def _distance_bound(e: Evidence, *, from_zero: bool) -> float:
    """``48 sqrt(2 n kappa)/(lambda sqrt(m)) |xi_0|``, or with sqrt(5) for sqrt(2)."""
    square = 5 if from_zero else 2
    size = 48 * np.sqrt(square * e.kernel.size * kappa(e)) * e.run.norm[0]
    return float(size / (0.75 * lambda_0(e) * np.sqrt(e.run.width)))


def _gamma(e: Evidence) -> float:
    """``12 sqrt(kappa)``, the gamma of the proof."""
    return 12 * float(np.sqrt(kappa(e)))


def _small_radius(e: Evidence) -> float:
    """Margin of ``R <= lambda/(360 n gamma)``, relative to it."""
    allowed = 0.75 * lambda_0(e) / (360 * e.kernel.size * _gamma(e))
    return 1 - e.decomposition.radius / allowed


def _decays(e: Evidence) -> float:
    """Margin of the decay (E.1) that the proof's induction assumes."""
    return float((1 - _pair_norm(e) / _loss_bound(e)).min())


def _proof_steps(e: Evidence) -> Series:
    return np.arange(len(e.decomposition.phi), dtype=float)


def _remainder_bound(e: Evidence, share: float, *, printed: bool = False) -> Series:
    """``share (1 - 1/(2 sqrt(kappa)))^s |z_0|``, as printed in eq. (E.8) with ``|xi_0|``."""
    first = e.run.norm[0] if printed else _pair_norm(e)[0]
    return np.asarray(share * _claimed(e) ** _proof_steps(e) * first)


def _flip_share(e: Evidence) -> float:
    return 2 / (15 * float(np.sqrt(kappa(e))))


def _drift_share(e: Evidence) -> float:
    return 1 / (30 * kappa(e))


def _varying(scaled: float) -> Series:
    """``|xi_t|`` of one mode, by the two-sequence form with momentum ``t/(t+d)``."""
    extrapolated = before = 1.0
    sizes = []
    for t in range(2 * _LATE + _WINDOW):
        sizes.append(abs(extrapolated))
        after = extrapolated - scaled * extrapolated
        extrapolated = after + t / (t + _FRICTION) * (after - before)
        before = after
    return np.array(sizes)


def _envelopes(e: Evidence, *, linear: bool) -> tuple[float, float]:
    """Largest ``|xi_t|`` over 40 steps after a late step, and after twice as many.

    With `linear`, over the prediction ``t^{-d/2} (1 - eta l)^{t/2}``.
    """
    scaled = e.kernel.largest / (4 * upper(e))
    sizes, t = _varying(scaled), np.arange(2 * _LATE + _WINDOW)
    if linear:
        sizes = sizes / (t.astype(float) ** (-_FRICTION / 2) * (1 - scaled) ** (t / 2))
    return float(sizes[_LATE : _LATE + _WINDOW].max()), float(sizes[2 * _LATE :].max())


RULE = (
    SHORT_INPUTS,
    Assumption("eta = 1/(2 (lambda_max + lambda_0/4))", _eta),
    Assumption("beta = (3 sqrt(kappa) - 2)/(3 sqrt(kappa) + 2)", _beta),
    Assumption("eigenvalues of H_0 at least 3/4 lambda_0", _start_above),
    Assumption("eigenvalues of H_0 at most lambda_max + lambda_0/4", _start_below),
)

PROOF = (
    *RULE,
    Assumption("no neuron moves beyond lambda/(360 n 12 sqrt(kappa))", _small_radius),
    Assumption("|z_s| decays as in eq. (E.1)", _decays),
)


def _parts(form: Form) -> Theorem:
    """Return eq. (E.8), whose |xi_0| is a slip for |z_0|."""
    printed = form == "printed"
    return Theorem(
        key=f"nesterov-parts-{form}",
        source="Liu, Pan and Tao (2022), eq. (E.8)",
        statement=(
            "Together |phi_s + psi_s| <= (2/(15 sqrt(kappa)) + 1/(30 kappa)) "
            f"(1 - 1/(2 sqrt(kappa)))^s |{'xi' if printed else 'z'}_0|."
        ),
        covers=("002 (E.8)", "E-002-11"),
        form=form,
        erratum="E-002-11",
        scope="run",
        methods=NESTEROV,
        assumptions=PROOF,
        left=lambda e: np.linalg.norm(e.decomposition.phi + e.decomposition.psi, axis=1),
        right=lambda e: _remainder_bound(e, _flip_share(e) + _drift_share(e), printed=printed),
        at=_proof_steps,
    )


THEOREMS: tuple[Theorem, ...] = (
    Theorem(
        key="nesterov-powers",
        source="Liu, Pan and Tao (2022), Lemma 2",
        statement=(
            "Powers of the companion have |M^k| <= C (beta (1 - eta lambda))^(k/2), C explicit."
        ),
        covers=("002 L2",),
        assumptions=(POSITIVE_DEFINITE,),
        left=_powers,
        right=_prefactor,
        at=lambda e: steps_of(_root(e)),
        axis="power",
    ),
    Theorem(
        key="nesterov-powers-edge-printed",
        source="Liu, Pan and Tao (2022), Lemma 2",
        statement=(
            "At the smallest admitted momentum |M^k|/r^k stays bounded (its value doubles at most)."
        ),
        covers=("E-002-6",),
        form="printed",
        erratum="E-002-6",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _growth(e, _limit(e)[1], np.array([4.0 * _EARLY])),
        right=lambda e: 2 * _growth(e, _limit(e)[1], np.array([1.0 * _EARLY])),
        false="the double root makes the ratio grow like k",
    ),
    Theorem(
        key="nesterov-powers-edge-corrected",
        source="Liu, Pan and Tao (2022), Lemma 2",
        statement="Strictly inside the range of the momentum |M^k|/r^k is at most C.",
        covers=("E-002-6",),
        form="corrected",
        erratum="E-002-6",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _growth(e, _between(e), _edge_steps(e)),
        right=lambda e: prefactor(_limit(e)[0], _between(e), lambda_0(e), lambda_0(e)),
        at=_edge_steps,
        axis="power",
    ),
    Theorem(
        key="nesterov-rate-and-prefactor",
        source="Liu, Pan and Tao (2022), Lemma 3",
        statement="sqrt(beta (1 - eta lambda)) <= 1 - 2/(3 sqrt(kappa)) and C <= 12 sqrt(kappa).",
        covers=("002 L3",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: np.array([_root(e), _prefactor(e)]),
        right=lambda e: np.array([1 - 2 / (3 * np.sqrt(kappa(e))), 12 * np.sqrt(kappa(e))]),
    ),
    Theorem(
        key="nesterov-middle-printed",
        source="Liu, Pan and Tao (2022), eq. (C.1)",
        statement="The middle expression is at most 12 sqrt(kappa) for every kappa.",
        covers=("E-002-7",),
        form="printed",
        erratum="E-002-7",
        left=lambda _: _middle(_KAPPAS),
        right=lambda _: 12 * np.sqrt(_KAPPAS),
        at=lambda _: _KAPPAS,
        axis="kappa",
        false="it exceeds 12 sqrt(kappa) from kappa = 16.5 on",
    ),
    Theorem(
        key="nesterov-middle-corrected",
        source="Liu, Pan and Tao (2022), eq. (C.1)",
        statement="C <= (12 k^1.5 - 3 k^.5 + 2)/sqrt(k (2k-1)) <= 12 sqrt(k) for every k = kappa.",
        covers=("E-002-7",),
        form="corrected",
        erratum="E-002-7",
        left=lambda _: _exact_prefactor(_KAPPAS),
        right=lambda _: 12 * np.sqrt(_KAPPAS),
        at=lambda _: _KAPPAS,
        axis="kappa",
    ),
    Theorem(
        key="nesterov-norm-printed",
        source="Liu, Pan and Tao (2022), Sections 1 and 4.1",
        statement="The spectral norm of Nesterov's companion matrix is below 1.",
        covers=("E-002-8",),
        form="printed",
        erratum="E-002-8",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: float(powers(_companions(e), np.array([1.0]), 1.0).max()),
        right=lambda _: 1.0,
        relation="below",
        false="the norm is at least 1 for every kernel",
    ),
    Theorem(
        key="nesterov-norm-corrected",
        source="Liu, Pan and Tao (2022), Sections 1 and 4.1",
        statement="The spectral radius of Nesterov's companion matrix is below 1.",
        covers=("E-002-8",),
        form="corrected",
        erratum="E-002-8",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: radius(_companions(e)),
        right=lambda _: 1.0,
        relation="below",
    ),
    Theorem(
        key="nesterov-table",
        source="Liu, Pan and Tao (2022), Table 1",
        statement=(
            "Nesterov at Table 1's parameters decays as (1 - 1/(2 sqrt(kappa)))^t on every mode."
        ),
        covers=("002 Table 1",),
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: radius(_companions(e)),
        right=_claimed,
    ),
    Theorem(
        key="nesterov-loss",
        source="Liu, Pan and Tao (2022), Theorem 1, eq. (29)",
        statement=(
            "Nesterov has |z_t| <= 24 sqrt(kappa) (1 - 1/(2 sqrt(kappa)))^t |z_0|, at any width."
        ),
        covers=("002 Thm1 (29)",),
        scope="run",
        methods=NESTEROV,
        assumptions=RULE,
        left=_pair_norm,
        right=_loss_bound,
        noise=lambda e: 2 * e.run.rounding,
        trivial=lambda e: _pair_norm(e)[0],
    ),
    Theorem(
        key="nesterov-width-printed",
        source="Liu, Pan and Tao (2022), Theorem 1",
        statement="Eq. (29) holds for widths of order n^4 kappa^2/lambda^2.",
        covers=("002 Thm1 (29)", "E-002-4"),
        form="printed",
        erratum="E-002-4",
        scope="run",
        methods=NESTEROV,
        assumptions=(*RULE, unstated("m >= C n^4 kappa^2 log^3(n/delta)/lambda^2")),
        left=_pair_norm,
        right=_loss_bound,
        noise=lambda e: 2 * e.run.rounding,
        trivial=lambda e: _pair_norm(e)[0],
        chance=free_chance,
    ),
    Theorem(
        key="nesterov-width-corrected",
        source="Liu, Pan and Tao (2022), Theorem 1",
        statement=(
            "Eq. (29) holds from the width (48*360*12 sqrt(2) n^1.5 kappa |xi_0|/lambda^2)^2 on."
        ),
        covers=("002 Thm1 (29)", "E-002-4"),
        form="corrected",
        erratum="E-002-4",
        scope="run",
        methods=NESTEROV,
        assumptions=(*RULE, Assumption("the width that the proof asks for", _width)),
        left=_pair_norm,
        right=_loss_bound,
        noise=lambda e: 2 * e.run.rounding,
        trivial=lambda e: _pair_norm(e)[0],
        chance=free_chance,
    ),
    Theorem(
        key="nesterov-distance",
        source="Liu, Pan and Tao (2022), eq. (30)",
        statement=(
            "Nesterov moves no neuron beyond 48 sqrt(2 n kappa)/(lambda sqrt(m)) |xi_0|, at any "
            "width."
        ),
        covers=("002 (30)",),
        scope="run",
        methods=NESTEROV,
        assumptions=RULE,
        left=lambda e: e.run.distance,
        right=lambda e: _distance_bound(e, from_zero=False),
        noise=lambda e: e.run.distance_rounding,
    ),
    Theorem(
        key="nesterov-distance-from-zero",
        source="derived, after Liu, Pan and Tao (2022), eq. (30)",
        statement=(
            "Nesterov's algorithm moves no neuron beyond "
            "48 sqrt(5 n kappa)/(lambda sqrt(m)) |xi_0|, at any width."
        ),
        covers=("002 (30)",),
        scope="run",
        methods=NESTEROV_ALGORITHM,
        assumptions=RULE,
        left=lambda e: e.run.distance,
        right=lambda e: _distance_bound(e, from_zero=True),
        noise=lambda e: e.run.distance_rounding,
    ),
    Theorem(
        key="nesterov-flip-part",
        source="Liu, Pan and Tao (2022), eq. (E.6)",
        statement=(
            "The flips' part of the residual has |phi_s| <= 2/(15 sqrt(kappa)) "
            "(1 - 1/(2 sqrt(kappa)))^s |z_0|."
        ),
        covers=("002 (E.6)",),
        scope="run",
        methods=NESTEROV,
        assumptions=PROOF,
        left=lambda e: np.linalg.norm(e.decomposition.phi, axis=1),
        right=lambda e: _remainder_bound(e, _flip_share(e)),
        at=_proof_steps,
    ),
    Theorem(
        key="nesterov-drift-part",
        source="Liu, Pan and Tao (2022), eq. (E.7)",
        statement=(
            "The drift's part of the residual has |psi_s| <= 1/(30 kappa) "
            "(1 - 1/(2 sqrt(kappa)))^s |z_0|."
        ),
        covers=("002 (E.7)",),
        scope="run",
        methods=NESTEROV,
        assumptions=PROOF,
        left=lambda e: np.linalg.norm(e.decomposition.psi, axis=1),
        right=lambda e: _remainder_bound(e, _drift_share(e)),
        at=_proof_steps,
    ),
    _parts("printed"),
    _parts("corrected"),
    Theorem(
        key="nesterov-proof",
        source="Liu, Pan and Tao (2022), eqs. (E.4) to (E.9)",
        statement=(
            "Three inequalities between powers of 1 - 1/(2 sqrt(kappa)) and kappa hold for kappa "
            ">= 1."
        ),
        covers=("002 E.4-E.9",),
        left=lambda e: _proof_sides(e)[0],
        right=lambda e: _proof_sides(e)[1],
        at=lambda _: np.tile(_KAPPAS, 3),
        axis="kappa",
    ),
    Theorem(
        key="sublinear-printed",
        source="Bu, Xu and Chen (2021), abstract",
        statement="Nesterov with momentum t/(t+d) and fixed eta decays no faster than t^-d.",
        covers=("E-001-8",),
        form="printed",
        erratum="E-001-8",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _envelopes(e, linear=False)[0] * 2.0**-_FRICTION,
        right=lambda e: _envelopes(e, linear=False)[1],
        false="the decay is eventually linear on every mode",
    ),
    Theorem(
        key="sublinear-corrected",
        source="Bu, Xu and Chen (2021), abstract",
        statement=(
            "Nesterov with momentum t/(t+d) decays as t^(-d/2) (1 - eta l)^(t/2), within 10 %."
        ),
        covers=("E-001-8",),
        form="corrected",
        erratum="E-001-8",
        assumptions=(POSITIVE_DEFINITE,),
        left=lambda e: _envelopes(e, linear=True)[1],
        right=lambda e: _envelopes(e, linear=True)[0],
        relation="equal",
        tolerance=0.1,
    ),
)
