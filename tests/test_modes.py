"""Closed forms of the modal recursion against matrix powers, thresholds and polynomials."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import eval_gegenbauer

from inertial import (
    InvalidInput,
    Measure,
    amplification,
    forecast_loss,
    gradient_descent,
    heavy_ball,
    nesterov,
    nesterov_varying,
    roots,
    spectral_radius,
    stability_limit,
    steps_to,
)

EIGENVALUES = np.array([1e-7, 1e-4, 0.01, 0.3, 0.5, 0.77, 1.0])
STEPS = np.array([0, 1, 2, 3, 7, 20, 101])

etas = st.floats(0.01, 0.99)
betas = st.floats(0.0, 0.99)


def block_matrix(method, eigenvalue):
    """The companion matrix of the residual recursion (Liu, Pan and Tao 2022, eq. 23, corrected)."""
    x = method.constant[0] * eigenvalue
    return np.array(
        [
            [
                1 + method.constant[1] - (1 + method.constant[2]) * x,
                -(method.constant[1] - method.constant[2] * x),
            ],
            [1.0, 0.0],
        ]
    )


def by_matrix_power(method, eigenvalue, step):
    x = method.constant[0] * eigenvalue
    # Start zero is xi_{-1} = xi_0 / (1 - x); start copy is xi_{-1} = xi_0.
    before = 1.0 if method.start == "copy" or method.constant[2] == 0 else 1 / (1 - x)
    return (np.linalg.matrix_power(block_matrix(method, eigenvalue), step) @ [1.0, before])[0]


@given(etas, betas, st.sampled_from(["gradient_descent", "heavy_ball", "zero", "copy"]))
def test_any_step_is_the_matrix_power(share, beta, kind):
    make = {
        "gradient_descent": gradient_descent,
        "heavy_ball": lambda eta: heavy_ball(eta, beta),
        "zero": lambda eta: nesterov(eta, beta),
        "copy": lambda eta: nesterov(eta, beta, start="copy"),
    }[kind]
    # Up to the stability limit: traces and determinants of both signs.
    method = make(share * stability_limit(make(1.0)))
    assume(np.abs(1 - method.constant[0] * EIGENVALUES).min() > 1e-6)  # start zero divides by this
    expected = [[by_matrix_power(method, l, int(t)) for l in EIGENVALUES] for t in STEPS]
    # Near a double root the power's error grows like t^2 eps, here 101^2 eps = 2e-12, times the
    # amplification's own size, which stays of order 1.
    np.testing.assert_allclose(
        amplification(method, EIGENVALUES, STEPS), expected, rtol=1e-9, atol=1e-11
    )


def test_a_double_root_grows_linearly_before_it_decays():
    beta = 0.81
    eta = (1 - np.sqrt(beta)) ** 2
    t = np.array([1, 10, 100])
    factor = amplification(heavy_ball(eta, beta), np.array([1.0]), t)[:, 0]
    # U_t - beta U_{t-1} with U_t = (t + 1) z^t and z = sqrt(beta) = 0.9.
    expected = (t + 1) * 0.9**t - beta * t * 0.9 ** (t - 1)
    np.testing.assert_allclose(factor, expected, rtol=1e-9)


def test_a_near_double_root_keeps_its_digits_for_a_million_steps():
    # 50-digit arithmetic as the other side; the roots differ from 1 by 5e-6.
    mpmath.mp.dps = 50
    beta = mpmath.mpf(1 - 1e-5)
    eta = float((1 - mpmath.sqrt(beta)) ** 2) * 1.0001
    trace = 1 + beta - mpmath.mpf(eta)
    offset = mpmath.sqrt(mpmath.mpc(trace**2 - 4 * beta))
    z, other = (trace + offset) / 2, (trace - offset) / 2

    def u(k):
        return (z ** (k + 1) - other ** (k + 1)) / (z - other)

    for step in (10_000, 100_000, 1_000_000):
        exact = float((u(step) - beta * u(step - 1)).real)
        (value,) = amplification(heavy_ball(eta, float(beta)), np.ones(1), np.array([step]))[0]
        # eta itself is rounded: a relative 1e-16 against a discriminant of 1e-4 of eta, times t.
        assert value == pytest.approx(exact, rel=1e-9)


@given(st.floats(0.05, 1.3), st.integers(1, 9))
def test_varying_momentum_is_a_gegenbauer_polynomial(scaled, friction):
    # With u = 1 - eta l the recursion is the three-term one of C^(d/2): derived here as
    # xi_t = u^(t/2) C_t(sqrt u) / C_t(1); for u < 0 the argument is imaginary, so u > 0 only.
    scaled = min(scaled, 0.999)
    u, order = 1 - scaled, friction / 2
    factor = amplification(nesterov_varying(scaled, float(friction)), np.array([1.0]), STEPS)[:, 0]
    ratio = np.array(
        [
            eval_gegenbauer(int(t), order, np.sqrt(u)) / eval_gegenbauer(int(t), order, 1.0)
            for t in STEPS
        ]
    )
    np.testing.assert_allclose(factor, u ** (STEPS / 2) * ratio, rtol=0, atol=1e-12)


@given(st.floats(0.0, 0.98), st.floats(0.0, 1.0))
def test_the_stability_limit_is_sharp_from_both_sides(beta, share):
    for method in (heavy_ball(1.0, beta), nesterov(1.0, beta)):
        limit = stability_limit(method)
        below, above = np.array([limit * (1 - 1e-6)]), np.array([limit * (1 + 1e-6)])
        assert spectral_radius(method, below) < 1 < spectral_radius(method, above)
        inside = np.array([max(share, 1e-3) * limit * (1 - 1e-6)])
        assert spectral_radius(method, inside) < 1


def test_the_limit_of_varying_momentum_is_four_thirds():
    eventually = np.arange(3000, 3010)
    limit = stability_limit(nesterov_varying(1.0))
    # Its last momentum is 3e-4 short of 1.
    assert limit == pytest.approx(4 / 3, rel=1e-4)
    growth = [
        np.abs(amplification(nesterov_varying(x), np.ones(1), eventually)).max()
        for x in (limit - 0.01, limit + 0.01)
    ]
    assert growth[0] < 1e-3
    assert growth[1] > 1e3


@given(etas, betas)
def test_roots_solve_the_characteristic_polynomial(eta, beta):
    for method in (heavy_ball(eta, beta), nesterov(eta, beta)):
        for eigenvalue, pair in zip(EIGENVALUES, roots(method, EIGENVALUES).T, strict=True):
            expected = np.linalg.eigvals(block_matrix(method, eigenvalue))
            # A double root's two halves part by sqrt(eps) = 1.5e-8 under rounding.
            np.testing.assert_allclose(
                np.sort_complex(pair), np.sort_complex(expected), rtol=0, atol=1e-7
            )


@given(st.floats(0.1, 10.0), etas, betas)
def test_rescaling_step_and_kernel_against_each_other_changes_nothing(scale, eta, beta):
    base = amplification(nesterov(eta, beta), EIGENVALUES, STEPS)
    scaled = amplification(nesterov(eta / scale, beta), scale * EIGENVALUES, STEPS)
    # eta*l differs by an ulp between the sides; 101^2 eps near a double root.
    np.testing.assert_allclose(scaled, base, rtol=1e-8, atol=1e-10)


def test_heavy_ball_has_modulus_sqrt_beta_exactly_while_its_roots_are_complex():
    beta, eta = 0.64, 1.0
    low, high = (1 - 0.8) ** 2, (1 + 0.8) ** 2
    inside = np.linspace(low * 1.001, high * 0.999, 9)
    np.testing.assert_allclose(np.abs(roots(heavy_ball(eta, beta), inside)), 0.8, rtol=1e-12)
    outside = np.array([low * 0.9, high * 1.1])
    for eigenvalue in outside:
        assert spectral_radius(heavy_ball(eta, beta), np.array([eigenvalue])) > 0.8 * 1.001


def test_an_unstable_mode_overflows_to_infinity_not_to_nan():
    far = np.array([5000])
    for method in (gradient_descent(3.0), heavy_ball(5.0, 0.9), nesterov(5.0, 0.9)):
        assert np.isinf(amplification(method, np.ones(1), far)).all()


@pytest.mark.parametrize(
    "method",
    [
        heavy_ball(0.25, 0.25),
        heavy_ball(2.25, 0.25),  # both roots are -1/2
        nesterov(1 / 16, 0.6),
        nesterov(1 / 16, 0.6, start="copy"),
        gradient_descent(1.0),  # both roots are 0
        nesterov(1.0, 0.5),
    ],
)
@pytest.mark.parametrize("beside", [0.0, 1e-15, -1e-15, 1e-9, -1e-9, 1e-3, -1e-3])
def test_at_and_beside_a_double_root_it_is_the_recursion_in_exact_fractions(method, beside):
    eigenvalue = 1.0 + beside
    beta, gamma = Fraction(method.constant[1]), Fraction(method.constant[2])
    scaled = Fraction(method.constant[0]) * Fraction(eigenvalue)
    residual, step = Fraction(1), Fraction(0)
    before = scaled if method.start == "copy" else Fraction(0)
    exact = [residual]
    for _ in range(60):
        gradient = scaled * residual
        step = beta * step - gradient - gamma * (gradient - before)
        residual, before = residual + step, gradient
        exact.append(residual)
    factor = amplification(method, np.array([eigenvalue]), np.arange(61))[:, 0]
    # Two roots sqrt(eps) apart look like one: up to t^2 eps of the root's powers.
    np.testing.assert_allclose(factor, [float(f) for f in exact], rtol=0, atol=60**2 * 2.3e-16)


@pytest.mark.parametrize("method", [heavy_ball(0.3, 0.9), nesterov_varying(0.1)])
def test_steps_before_the_start_and_shares_of_nothing_are_refused(method):
    measure = Measure(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    with pytest.raises(InvalidInput, match="steps holds -1; the start is step 0"):
        forecast_loss(method, measure, np.array([3, -1]))
    for share in (0.0, -0.1):
        with pytest.raises(InvalidInput, match=f"fraction is {share}; give a finite number"):
            steps_to(method, measure, share)
