"""The ends of a spectrum against the full decomposition, and the basis against its definition."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from helpers import unit_inputs
from inertial import Extremes, InvalidInput, decompose, extremes, infinite_gram
from inertial.linear import ends as module


@pytest.fixture(params=[4, 10**6], ids=["lanczos", "dense"], autouse=True, scope="module")
def route(request):
    """Every test runs on both routes to the ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DENSE_BELOW", request.param)
        yield request.param


def with_spectrum(rng, eigenvalues):
    basis, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    gram = (basis * eigenvalues) @ basis.T
    return (gram + gram.T) / 2


@given(st.integers(2, 150), st.integers(0, 2**31), st.floats(1.0, 8.0))
def test_both_ends_are_those_of_the_full_decomposition(n, seed, decades):
    rng = np.random.default_rng(seed)
    gram = with_spectrum(rng, np.geomspace(10**-decades, 1.0, n))
    full, ends = scipy.linalg.eigvalsh(gram), extremes(gram)
    # Both sides err by a few n eps of the largest eigenvalue, 1, or by the tolerance asked for.
    bound = 8 * n * np.finfo(float).eps
    assert abs(ends.smallest - full[0]) <= bound + 1e-8 * full[0]
    assert abs(ends.largest - full[-1]) <= bound + 1e-8
    assert ends.condition_number == pytest.approx(full[-1] / full[0], rel=1e-6)


def assert_bounds_hold(gram):
    """The true ends lie within the stated errors, which are small where the matrix allows it."""
    full, ends = scipy.linalg.eigvalsh(gram), extremes(gram)
    # The reference errs as well: LAPACK's backward error is below n eps of the largest.
    own = len(gram) * np.finfo(float).eps * full[-1]
    assert abs(ends.smallest - full[0]) <= ends.smallest_error + own
    assert abs(ends.largest - full[-1]) <= ends.largest_error + own
    # The tolerance asked for (a few times it and once tenfold at the top) and four roundings, each
    # at most n eps times the trace of the matrix that was factorised.
    rounding = len(gram) * np.finfo(float).eps
    assert ends.smallest_error <= 1e-8 * full[0] + 4 * rounding * np.trace(gram)
    assert ends.largest_error <= 3e-7 * full[-1] + 4 * rounding * len(gram) * full[-1]


@given(
    st.integers(5, 120),
    st.integers(1, 60),
    st.floats(0.0, 12.0),
    st.floats(-1.0, 12.0),
    st.sampled_from([1, -1]),
    st.integers(0, 2**31),
)
def test_the_stated_errors_hold_for_clusters(rest, cluster, closeness, decades, end, seed):
    """A cluster 10^-closeness wide at either end, multiplicity included, at any conditioning."""
    rng = np.random.default_rng(seed)
    smallest = 10**-decades
    width = end * 10**-closeness * rng.random(cluster)
    others = np.linspace(2.0, 3.0, rest) * max(smallest, 1.0)
    edge = smallest if end == 1 else 4 * max(smallest, 1.0)
    gram = with_spectrum(rng, np.concatenate([[edge], edge * (1 + width), others]))
    assert_bounds_hold(gram)


@pytest.mark.parametrize("columns", [120, 121, 150, 400], ids=lambda count: f"{count} columns")
def test_the_stated_errors_hold_for_wishart_matrices(rng, columns):
    features = rng.standard_normal((120, columns))
    assert_bounds_hold(features @ features.T / columns)


@pytest.mark.parametrize("gram", [np.eye(40), np.diag(np.geomspace(1e-6, 1e6, 90))])
def test_the_stated_errors_hold_for_diagonal_matrices(gram):
    assert_bounds_hold(gram)


def test_eigenvalues_that_lanczos_missed_stay_within_the_stated_errors(monkeypatch, rng):
    """The factorisations find out, whatever Lanczos says, and the errors still say something."""
    gram = with_spectrum(rng, np.concatenate([[0.95], np.linspace(1.0, 3.0, 60), [3.2]]))

    def eigenvalues(product):
        return np.linalg.eigvalsh(np.array([product(column) for column in np.eye(62)]))

    def second_of_inverse(operator, _):
        return eigenvalues(operator.matvec)[-2], 1e-12

    def second(product, *_):
        return module._End(eigenvalues(product)[1], 1e-12, 1e-12)

    monkeypatch.setattr(module, "_bottom", second)
    monkeypatch.setattr(module, "_top", lambda _: module._Top(3.0, 1e-12, 1e-12, 0.0))
    monkeypatch.setattr(module, "_lanczos", second_of_inverse)
    ends = extremes(gram)
    # The matrix itself and the reference are rounded, a few n eps.
    assert ends.smallest - ends.smallest_error <= 0.95 <= ends.smallest + 1e-12
    assert ends.largest <= 3.2 + 1e-12
    assert ends.largest + ends.largest_error >= 3.2 - 1e-12
    assert ends.smallest_error < 0.5
    assert ends.largest_error < 3.2


def passes(gram, shift):
    """The smallest Ritz value, and the sizes of the blocks that H was multiplied by for it."""
    columns = []

    def product(block):
        columns.append(block.shape[1])
        return gram @ block

    return module._bottom(product, module._Single.of(gram, shift).solve, len(gram)), columns


def test_a_crowded_beginning_is_found_by_the_steps_for_the_largest(rng):
    """And the shift below it separates what Davidson's method with no shift would not."""
    gram = with_spectrum(rng, np.concatenate([np.linspace(1.0, 1.2, 200), np.linspace(2, 3, 20)]))
    top = module._top(gram)
    assert 0.98 < top.beginning < 1.0
    assert top.value == pytest.approx(3.0, abs=1e-8)
    end, near = passes(gram, top.beginning)
    _, far = passes(gram, 0.0)
    assert end.value == pytest.approx(1.0, abs=1e-8)
    assert len(near) < 0.7 * len(far)


def test_a_block_takes_fewer_passes_over_a_crowded_matrix_than_one_vector(rng, monkeypatch):
    gram = with_spectrum(rng, np.concatenate([np.linspace(1.0, 1.2, 200), np.linspace(2, 3, 20)]))
    found = {}
    for block in (1, 8):
        monkeypatch.setattr(module, "_BLOCK", block)
        found[block] = passes(gram, 0.9)
    (one, singly), (several, together) = found[1], found[8]
    assert set(singly) == {1}
    assert set(together) == {8}
    assert len(together) < 0.5 * len(singly)
    assert one.value == pytest.approx(1.0, rel=1e-8)
    assert several.value == pytest.approx(1.0, rel=1e-8)


def test_what_a_block_adds_to_a_basis_is_orthonormal_and_nothing_else(rng):
    """Columns that lie in the basis, or in one another but for rounding, are left out."""
    basis, _ = np.linalg.qr(rng.standard_normal((40, 5)))
    added = rng.standard_normal((40, 2))
    inside = basis @ rng.standard_normal((5, 3))
    close = inside[:, :1] + 1e-9 * rng.standard_normal((40, 1))
    block = np.hstack([added, inside, 1e6 * added, close])
    new = module._new(block, basis)
    assert new.shape == (40, 3)
    whole = np.hstack([basis, new])
    np.testing.assert_allclose(whole.T @ whole, np.eye(8), rtol=0, atol=1e-14)
    np.testing.assert_allclose(whole @ (whole.T @ block), block, rtol=0, atol=1e-8)


def test_slow_convergence_ends_in_the_full_decomposition(monkeypatch, rng):
    gram, top = with_spectrum(rng, np.append(np.linspace(1.0, 1.0 + 1e-2, 200), 3.0)), module._top
    monkeypatch.setattr(module, "_top", lambda array: top(array)._replace(beginning=0.0))
    for limit, value in {"_MOST": 8, "_STEPS": 3, "_RESTARTS": 1}.items():
        monkeypatch.setattr(module, limit, value)
    full, ends = scipy.linalg.eigvalsh(gram), extremes(gram)
    assert (ends.smallest, ends.largest) == (full[0], full[-1])


def test_no_factorisation_is_reported_as_zero_with_its_rounding(rng):
    """A rank of half the rows: the smallest eigenvalue is rounding, of either sign."""
    features = rng.standard_normal((80, 40))
    gram = features @ features.T
    full, ends = scipy.linalg.eigvalsh(gram), extremes(gram)
    assert ends.singular
    assert abs(full[0] - ends.smallest) <= ends.smallest_error <= 1e-10 * ends.largest


@pytest.mark.parametrize("values", [[-5.0, 1.0], [-2.0, -1.0], [0.0, 0.0], [-1e-3, 1.0]])
def test_a_matrix_that_is_not_positive_is_decomposed(rng, values):
    gram = with_spectrum(rng, np.concatenate([values, np.full(60, values[-1])]))
    full, ends = scipy.linalg.eigvalsh(gram), extremes(gram)
    assert (ends.smallest, ends.largest) == (full[0], full[-1])


@pytest.mark.parametrize("smallest", [1e-3, 0.0, -1.0])
def test_work_inside_the_matrix_leaves_it_as_it_was(rng, smallest):
    """Also where it is singular, or not positive and decomposed in the end."""
    gram = with_spectrum(rng, np.linspace(smallest, 2.0, 60))
    before = gram.copy()
    outside, inside = extremes(gram), extremes(gram, inside=True)
    np.testing.assert_array_equal(gram, before)
    assert outside == inside


@pytest.mark.parametrize(("ratio", "expected"), [(0.99, True), (1.01, False)])
def test_singular_means_below_size_times_rounding(ratio, expected):
    size, largest = 50, 7.0
    smallest = ratio * size * float(np.finfo(float).eps) * largest
    ends = Extremes(smallest, largest, 0.0, 0.0, size)
    assert ends.singular is expected
    assert (ends.condition_number == np.inf) is expected


@pytest.mark.parametrize("n", [20, 100])
def test_a_repeated_row_makes_the_kernel_singular(rng, n):
    x = unit_inputs(rng, n, 5)
    x[-1] = x[0]
    ends = extremes(infinite_gram(x))
    assert ends.singular
    assert ends.condition_number == np.inf


def test_modes_and_residuals_are_inverse_and_diagonalise(rng):
    gram = infinite_gram(unit_inputs(rng, 30, 6))
    full = decompose(gram)
    residual = rng.standard_normal((4, 30))
    np.testing.assert_allclose(full.residual(full.modes(residual)), residual, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        full.modes(residual @ gram), full.eigenvalues * full.modes(residual), rtol=0, atol=1e-12
    )
    assert (np.diff(full.eigenvalues) >= 0).all()


def test_nan_is_refused(rng):
    gram = with_spectrum(rng, np.ones(70))
    gram[3, 4] = np.nan
    for solve in (extremes, decompose):
        with pytest.raises(InvalidInput, match="NaN"):
            solve(gram)


def test_a_matrix_that_is_not_symmetric_is_refused_and_its_remedy_works(rng):
    half = rng.standard_normal((300, 300))
    gram = half @ half.T
    tilted = gram.copy()
    tilted[299, 3] *= 1 + 1e-6
    with pytest.raises(InvalidInput, match=r"not symmetric; give .* \(H \+ H\.T\) / 2"):
        decompose(tilted)
    mended = decompose((tilted + tilted.T) / 2)
    np.testing.assert_allclose(mended.eigenvalues, decompose(gram).eigenvalues, atol=1e-3)


@given(st.integers(60, 150), st.integers(0, 2**31), st.floats(1.0, 6.0))
def test_ends_that_are_not_proven_are_within_their_errors_of_eigenvalues(n, seed, decades):
    """And on spectra without clusters they are the outermost ones, to the accuracy asked for."""
    gram = with_spectrum(np.random.default_rng(seed), np.geomspace(10**-decades, 1.0, n))
    full, ends = scipy.linalg.eigvalsh(gram), extremes(gram, proven=False)
    own = n * np.finfo(float).eps
    assert np.abs(full - ends.smallest).min() <= ends.smallest_error + own
    assert np.abs(full - ends.largest).min() <= ends.largest_error + own
    assert ends.smallest == pytest.approx(full[0], rel=1e-6, abs=2 * own)
    assert ends.largest == pytest.approx(full[-1], rel=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 90, 91])
def test_the_factor_in_single_precision_is_an_inverse(rng, monkeypatch, size):
    """Of the matrix less its shift; packed in panels of any width as LAPACK itself packs it."""
    gram = with_spectrum(rng, np.geomspace(0.01, 7.0, size))
    shifted = gram - 0.005 * np.eye(size)
    block, scale = rng.standard_normal((size, 3)), np.diag(gram).max()
    expected, _ = scipy.linalg.lapack.strttf((shifted / scale).astype(np.float32), uplo="L")
    for width in (1, 32, 90, 512):
        monkeypatch.setattr(module, "_PANEL", width)
        packed = module._packed(gram, 0.005, scale).ravel()
        np.testing.assert_allclose(packed, expected, rtol=0, atol=2 * np.finfo(np.float32).eps)
        found = module._Single.of(gram, 0.005).solve(block)
        # Condition 1400, unit rounding 6e-8, some dozens of operations an entry.
        np.testing.assert_allclose(shifted @ found, block, rtol=0, atol=1e-3)


def test_no_factor_in_single_precision_of_what_is_not_positive_or_too_large(rng, monkeypatch):
    gram = with_spectrum(rng, np.geomspace(0.01, 7.0, 90))
    assert module._Single.of(gram, 0.02) is None
    monkeypatch.setattr(module, "_LARGEST", 89)
    assert module._Single.of(gram, 0.0) is None


def test_a_dominant_eigenvalue_is_proven_without_a_factorisation(rng, monkeypatch):
    """The others together are smaller: one factorisation in all, for the smallest."""
    shifts = []
    real = module._Triangles.factorise

    def counted(self, shift, sign=1):
        shifts.append(sign)
        return real(self, shift, sign)

    monkeypatch.setattr(module._Triangles, "factorise", counted)
    gram = with_spectrum(rng, np.concatenate([np.geomspace(0.1, 1.0, 90), [9.0]]))
    monkeypatch.setattr(module, "DENSE_BELOW", 4)
    ends = extremes(gram)
    assert shifts == [1]
    assert ends.proven
    assert abs(ends.largest - 9.0) <= ends.largest_error <= 1e-8 * 9.0
