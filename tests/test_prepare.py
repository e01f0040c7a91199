import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inertial._checks import InvalidInput
from inertial.data.parallel import parallel_rows
from inertial.data.prepare import Preparation, infer_task, prepare
from inertial.data.readers import Raw, numbered


def run(x, y=None, *, n=None, task="regression", normalize=False, standardize=False, dedupe=False):
    x = np.array(x, dtype=float)
    y = np.arange(len(x), dtype=float) if y is None else np.array(y, dtype=float)
    steps = Preparation(normalize=normalize, standardize=standardize, dedupe=dedupe)
    return prepare(
        Raw(x, y, numbered(x.shape[1])), steps, n=len(x) if n is None else n, task=task, title="it"
    )


def test_without_steps_the_rows_stay_as_they_are():
    done = run([[3, 4], [0, 7], [5, 12]])
    np.testing.assert_array_equal(done.x, [[3, 4], [0, 7], [5, 12]])
    np.testing.assert_array_equal(done.y, [0, 1, 2])
    assert done.dropped == 0


def test_normalize_gives_unit_norm_and_keeps_targets():
    done = run([[3, 4], [-5, 12]], [7, 8], normalize=True)
    np.testing.assert_allclose(done.x, [[0.6, 0.8], [-5 / 13, 12 / 13]], rtol=1e-15)
    np.testing.assert_array_equal(done.y, [7, 8])


def test_a_constant_column_is_fine_for_unit_norm():
    assert run([[1, 2], [1, 3]], normalize=True).x.shape == (2, 2)


def test_the_first_rows_are_taken():
    np.testing.assert_array_equal(run(np.arange(1, 11)[:, None], n=4).x[:, 0], [1, 2, 3, 4])


def test_standardize_uses_the_rows_taken_and_regression_targets_too():
    x = np.random.default_rng(0).normal(5, 3, size=(50, 3))
    done = run(x, x[:, 0] ** 2, n=40, standardize=True)
    columns = np.column_stack([done.x, done.y])
    # Means and variances of forty numbers of order one: a few roundings each.
    np.testing.assert_allclose(columns.mean(axis=0), 0, rtol=0, atol=1e-14)
    np.testing.assert_allclose(columns.var(axis=0), 1, rtol=1e-14)


def test_standardize_leaves_class_labels_alone():
    done = run([[1, 2], [3, 5], [4, 1]], [1, -1, 1], task="classification", standardize=True)
    np.testing.assert_array_equal(done.y, [1, -1, 1])


def test_standardize_comes_before_normalize():
    done = run([[1, 2], [3, 5], [4, 1]], standardize=True, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(done.x, axis=1), 1, rtol=1e-15)
    assert (done.x < 0).any()


def test_dedupe_drops_multiples_with_their_targets():
    done = run([[1, 2], [2, 4], [-1, -2], [0, 1], [0.1, 0.2]], dedupe=True)
    np.testing.assert_array_equal(done.y, [0, 2, 3])
    assert done.dropped == 2


def test_dedupe_looks_at_the_standardised_rows():
    # (1, 1) and (2, 2) are parallel as they are, but not as seen from the mean.
    x = [[1, 1], [2, 2], [0, 9]]
    assert run(x, dedupe=True).dropped == 1
    assert run(x, dedupe=True, standardize=True).dropped == 0
    # On one ray from the mean, (0, 0), though not from the origin after the shift.
    y = np.array([[1, 2], [2, 4], [-3, -6], [2, -1], [-2, 1]]) + 10
    assert run(y, dedupe=True).dropped == 0
    assert run(y, dedupe=True, standardize=True).dropped == 1


@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=2, max_size=15),
    st.booleans(),
)
def test_after_dedupe_no_row_is_a_multiple_of_another(rows, normalize):
    assume(all(any(row) for row in rows))
    assume(len(rows) - len(parallel_rows(np.array(rows, float))) >= 2)
    done = run(rows, dedupe=True, normalize=normalize)
    assert parallel_rows(done.x) == []
    assert len(done.y) + done.dropped == len(rows)


def test_a_row_at_the_mean_is_zero_and_not_rounding():
    # The mean of the second column is 0.2 only up to rounding.
    x = [[1, 0.1], [2, 0.2], [3, 0.3]]
    with pytest.raises(InvalidInput, match=r"it has inputs that are zero .*row 2 of"):
        run(x, standardize=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": [[1, 2]]}, r"it has fewer than 2 usable rows \(1\); give more data"),
        ({"x": [[1], [2], [3]], "n": 4}, r"n is 4, but it has 3 rows; give an n of at most 3"),
        ({"x": [[1], [2]], "y": [5, 5]}, r"all 2 rows of it have one target, 5; take more"),
        (
            {"x": [[1], [2]], "y": [1, 1], "task": "classification"},
            r"all 2 rows of it belong to one class, 1; take more",
        ),
        (
            {"x": [[1], [2], [3]], "y": [1, 1, 2], "n": 2, "standardize": True},
            r"all 2 rows of it have one target, 1; take more",
        ),
        (
            {"x": [[1, 7], [2, 7]], "standardize": True},
            r"column '2' of it is constant over the 2 rows taken, .*; remove",
        ),
        (
            {"x": [[1, 1e300], [2, -1e300]], "standardize": True},
            r"column '2' of it is too large or too small to square",
        ),
        (
            {"x": [[0, 0], [1, 2], [0, 0]], "normalize": True},
            r"it has inputs that are zero .*rows 1, 3 of those taken; remove them",
        ),
        (
            {"x": [[0]] * 6 + [[1]], "normalize": True, "dedupe": True},
            r"rows 1, 2, 3, 4, 5, \.\.\. of",
        ),
        (
            {"x": [[1, 2], [2, 4], [3, 6]], "dedupe": True},
            r"all 3 rows of it are positive multiples of the first; give",
        ),
    ],
)
def test_refusals_say_what_and_where_and_what_to_do(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        run(**arguments)


def test_task_follows_the_number_of_target_values():
    assert infer_task(np.array([0.0, 1, 1]), None, "it") == "classification"
    assert infer_task(np.array([0.0, 1, 2]), None, "it") == "regression"
    assert infer_task(np.array([0.0, 1, 1]), "regression", "it") == "regression"
    with pytest.raises(InvalidInput, match=r"targets of it have 3 distinct values; give"):
        infer_task(np.array([0.0, 1, 2]), "classification", "it")
