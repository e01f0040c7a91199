import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inertial import load
from inertial._checks import InvalidInput
from inertial.data.parallel import parallel_rows
from inertial.data.prepare import Preparation, cut, infer_task, prepare
from inertial.data.readers import Raw, numbered


def run(x, y=None, *, task="regression", **steps):
    """Prepare with the steps named, and return x, y, the rows dropped and the notes."""
    x = np.array(x, dtype=float)
    y = np.arange(len(x), dtype=float) if y is None else np.array(y, dtype=float)
    chosen = dict.fromkeys(("normalize", "standardize", "dedupe", "constant"), False) | steps
    done = prepare(Raw(x, y, numbered(x.shape[1])), Preparation(**chosen), task=task, title="it")
    return SimpleNamespace(
        x=done.raw.x, y=done.raw.y, columns=done.raw.columns, dropped=done.dropped, notes=done.notes
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
    raw = Raw(np.arange(1.0, 11)[:, None], np.arange(10.0), ("1",))
    np.testing.assert_array_equal(cut(raw, 4, "it").x[:, 0], [1, 2, 3, 4])
    np.testing.assert_array_equal(cut(raw, 4, "it").y, [0, 1, 2, 3])
    with pytest.raises(InvalidInput, match=r"n is 11, but it has 10 rows; give an n of at most 10"):
        cut(raw, 11, "it")
    with pytest.raises(
        InvalidInput, match=r"it has fewer than 2 usable rows \(1\); give more data"
    ):
        cut(Raw(raw.x[:1], raw.y[:1], ("1",)), 1, "it")


def test_standardize_uses_the_rows_taken_and_regression_targets_too():
    x = np.random.default_rng(0).normal(5, 3, size=(50, 3))
    done = run(x[:40], x[:40, 0] ** 2, standardize=True)
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
        ({"x": [[1], [2]], "y": [5, 5]}, r"all 2 rows of it have one target, 5; take more"),
        (
            {"x": [[1], [2]], "y": [1, 1], "task": "classification"},
            r"all 2 rows of it belong to one class; take more",
        ),
        (
            {"x": [[1], [2]], "y": [1, 1], "standardize": True},
            r"all 2 rows of it have one target, 1; take more",
        ),
        ({"x": [[1, 7], [1, 7]], "standardize": True}, r"no input column of it varies over the 2"),
        (
            {"x": [[1], [2]], "y": [1, 2e15]},
            r"targets of it reach 2e\+15, .* pass standardize=True",
        ),
        (
            {"x": [[0, 0], [1, 2], [0, 0]], "normalize": True},
            r"it has inputs that are zero .*rows 1, 3 of those taken; .* pass constant=True",
        ),
        (
            {"x": [[0]] * 6 + [[1]], "normalize": True, "dedupe": True},
            r"rows 1, 2, 3, 4, 5, \.\.\. of",
        ),
        (
            {"x": [[1, 2], [2, 4], [3, 6]], "dedupe": True},
            r"all 3 rows of it are positive multiples of the first; pass standardize=True and",
        ),
        (
            {"x": [[1], [2], [3]], "normalize": True},
            r"it has one input column, of one sign, so all 3 rows .*=True and constant=True",
        ),
        (
            {"x": [[1, 9e15], [2, 9e15 + 2], [3, 9e15 + 4]], "normalize": True},
            r"column '2' is so much larger than the others .* standardize=True and constant=True",
        ),
        (
            {"x": [[1], [1], [1 + 4e-16]], "y": [1, 2, 3], "constant": True, "normalize": True},
            r"all 3 rows .* pass standardize=True",
        ),
    ],
)
def test_refusals_say_what_and_where_and_what_to_do(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        run(**arguments)


FOLLOWED = [[[1.0], [2], [3]], [[1, 9e15], [2, 9e15 + 2], [3, 9e15 + 8]], [[0, 1], [0, 0], [1, 0]]]


@pytest.mark.parametrize("x", FOLLOWED, ids=["one column", "a column dominates", "a row of zeros"])
def test_the_remedy_of_one_direction_and_of_zeros_works(x):
    with pytest.raises(InvalidInput, match="constant=True"):
        run(x, normalize=True)
    done = run(x, normalize=True, standardize=True, constant=True)
    assert parallel_rows(done.x) == []
    assert len(done.y) == 3


def test_standardize_leaves_constant_columns_out_and_says_so():
    done = run([[1, 7, 2], [2, 7, 9], [3, 7, 1]], standardize=True)
    assert done.columns == ("1", "3")
    assert any("do not vary over the rows taken: 2." in note for note in done.notes)


def test_standardize_keeps_what_a_large_offset_would_round_away():
    # All columns are exact in float64, so that they differ by a power of two must not matter.
    rng = np.random.default_rng(3)
    small = rng.integers(0, 50, size=(40, 1)).astype(float)
    expected = (small - small.mean()) / small.std()
    for offset, scale in ((2.0**53 - 100, 1), (0, 2.0**600), (0, 2.0**-600), (-(2.0**52), 1)):
        done = run(small * scale + offset, small[:, 0] + rng.normal(size=40), standardize=True)
        np.testing.assert_allclose(done.x, expected, rtol=0, atol=1e-14)


def test_constant_adds_ones_so_that_rows_of_one_direction_differ():
    done = run([[1, 2], [2, 4], [-1, -2]], constant=True, normalize=True)
    assert done.columns[-1] == "constant"
    assert parallel_rows(done.x) == []
    np.testing.assert_allclose(done.x[:, 2] ** -2 - 1, [5, 20, 5], rtol=1e-14)


def test_the_note_on_repeats_has_the_counts_after_the_step():
    x, y = [[1, 2], [2, 4], [0, 1], [3, 6], [5, 1]], [1, 1, 2, 3, 4]
    done = run(x, y, dedupe=True)
    assert (done.dropped, len(done.y)) == (2, 3)
    said = "2 of 5 rows repeat the direction of an earlier one (1 with another target) and are "
    assert any(note.startswith(said + "dropped, 3 are left") for note in done.notes)
    kept = run(x, y, normalize=True)
    assert any("2 of 5 rows repeat" in note and "dedupe=True" in note for note in kept.notes)


def test_targets_of_rows_with_the_same_inputs_are_averaged_in_a_regression():
    x, y = [[1, 2], [3, 4], [1, 2], [1, 2], [2, 4]], [1.0, 5, 3, -1, 7]
    done = run(x, y, dedupe=True, constant=True)
    np.testing.assert_array_equal(done.y, [1, 5, 7])
    assert any("dropped after averaging their targets, 3 are left" in note for note in done.notes)
    # Multiples of one another are not the same inputs.
    np.testing.assert_array_equal(run(x, y, dedupe=True).y, [1, 5])


@pytest.mark.parametrize(
    ("y", "kept"), [([-1, 1, 1, 1, -1], 1), ([-1, 1, 1, -1, -1], -1), ([-1, 1, -1, 1, -1], -1)]
)
def test_rows_with_the_same_inputs_get_their_most_frequent_class(y, kept):
    x = [[1, 2], [3, 4], [1, 2], [1, 2], [2, 4]]
    done = run(x, y, dedupe=True, constant=True, task="classification")
    np.testing.assert_array_equal(done.y, [kept, 1, -1])
    assert any("dropped after counting their classes" in note for note in done.notes)


def test_of_classes_as_frequent_the_first_rows_own_is_taken():
    x = [[1, 2], [1, 2], [3, 4], [3, 4]]
    done = run(x, [-1, 1, 1, -1], dedupe=True, constant=True, task="classification")
    np.testing.assert_array_equal(done.y, [-1, 1])


@pytest.mark.parametrize(("rows", "noted"), [(19, True), (20, False)])
def test_few_rows_get_a_note(rows, noted):
    x = np.random.default_rng(0).normal(size=(rows, 3))
    assert any("rows are few" in note for note in run(x).notes) == noted


@pytest.mark.parametrize(("mean", "noted"), [(2.9, False), (3.1, True)])
def test_targets_that_are_mostly_their_mean_get_a_note(mean, noted):
    # With spread 1 the mean's share is mean^2 / (mean^2 + 1), which is 0.9 at mean 3.
    y = np.tile([1.0, -1.0], 20) + mean
    x = np.random.default_rng(0).normal(size=(40, 3))
    assert any("is their mean" in note for note in run(x, y).notes) == noted
    assert not any("is their mean" in note for note in run(x, y, standardize=True).notes)


@pytest.mark.parametrize(("few", "noted"), [(11, False), (9, True)])
def test_a_rare_class_gets_a_note(few, noted):
    y = np.where(np.arange(100) < few, 1.0, -1.0)
    x = np.random.default_rng(0).normal(size=(100, 3))
    notes = run(x, y, task="classification").notes
    assert any("of one class" in note for note in notes) == noted


def test_task_follows_the_number_of_target_values():
    assert infer_task(np.array([0.0, 1, 1]), None, "it") == "classification"
    assert infer_task(np.array([0.0, 1, 2]), None, "it") == "regression"
    assert infer_task(np.array([0.0, 1, 1]), "regression", "it") == "regression"
    with pytest.raises(InvalidInput, match=r"targets of it have 3 distinct values; give"):
        infer_task(np.array([0.0, 1, 2]), "classification", "it")


def test_rows_that_are_all_the_same_are_sent_to_other_data_and_in_no_circle():
    same = np.ones((5, 2))
    for steps in ({"normalize": True}, {"standardize": True}, {"constant": True, "dedupe": True}):
        with pytest.raises(InvalidInput) as refused:
            run(same, **steps)
        assert "standardize" not in str(refused.value)
        assert re.search(
            r"give (data with at least 2 different inputs|inputs that vary)\.$", str(refused.value)
        )
    # Followed: inputs that vary, in one column.
    same[4, 0] = 2
    for steps in ({"normalize": True}, {"standardize": True}, {"constant": True, "dedupe": True}):
        run(same, **steps)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (lambda c, _: 1.8 * c + 32, True),
        (lambda c, noise: c + 0.1 * noise, True),
        (lambda c, noise: c + noise, False),
        (lambda _, noise: noise, False),
    ],
)
def test_inputs_that_lie_nearly_in_a_plane_are_told(beside, said, rng):
    """A second column that follows the first, for the papers' network; one alone has a verdict."""
    c, noise = rng.standard_normal((2, 40))
    table = pd.DataFrame({"c": c, "f": beside(c, noise), "y": np.sin(2 * c)})
    note = "the inputs lie nearly in a plane"
    assert any(note in line for line in load(table, label="y").provenance.notes) == said
    kept = load(table, label="y", dedupe=False)  # for a model of one's own
    alone = load(table, label="y", drop=("f",))
    assert not any(note in line for line in (*kept.provenance.notes, *alone.provenance.notes))
