"""Training on batches: which rows, whose gradient, and the mean of many runs."""

import jax
import numpy as np
import pytest

from helpers import residual_and_gradient
from inertial import InvalidInput, TwoLayerReLU, gradient_descent, load, nesterov, train
from inertial.simulation.train import batch_rows

NETWORK = TwoLayerReLU(100, 64)


@pytest.fixture(scope="module")
def data():
    return load("digits", n=20)


@pytest.mark.parametrize("order", ["fresh", "shuffled"])
def test_a_step_takes_the_gradient_of_its_rows_times_n_over_their_number(data, order):
    method = gradient_descent(0.05)
    run = train(
        NETWORK, data.x, data.y, method, seed=2, steps=6, batch=4, order=order, precision="float64"
    )
    with jax.enable_x64(True):
        w, a = (np.asarray(part) for part in NETWORK.init(jax.random.key(2), np.float64))
    losses = []
    for rows in batch_rows(20, 4, order, 2, 0, 7):
        residual, _ = residual_and_gradient(w, a, data.x, data.y)
        losses.append(0.5 * residual @ residual)
        _, gradient = residual_and_gradient(w, a, data.x[rows], data.y[rows])
        w = w - method.eta * 5 * gradient
    np.testing.assert_allclose(run.loss, losses, rtol=1e-10)


def test_a_batch_of_all_rows_has_the_bits_of_the_full_batch(data):
    runs = [
        train(NETWORK, data.x, data.y, nesterov(0.02, 0.9), seed=1, steps=10, batch=batch)
        for batch in (None, 20)
    ]
    np.testing.assert_array_equal(runs[0].loss, runs[1].loss)


@pytest.mark.parametrize("order", ["fresh", "shuffled"])
def test_rows_do_not_depend_on_how_a_run_is_cut(order):
    whole = batch_rows(20, 6, order, 5, 0, 40)
    for first in (0, 1, 17, 33):
        np.testing.assert_array_equal(
            batch_rows(20, 6, order, 5, first, 7), whole[first : first + 7]
        )
    assert (batch_rows(20, 6, order, 6, 0, 40) != whole).any()
    assert all(len(set(rows)) == 6 for rows in whole)


def test_an_epoch_has_every_row_once():
    for epoch in batch_rows(20, 5, "shuffled", 0, 0, 8).reshape(2, 20):
        assert sorted(epoch) == list(range(20))


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"batch": 21}, {"batch": 4, "order": "sorted"}])
def test_batches_that_are_none(data, wrong):
    with pytest.raises((InvalidInput, TypeError), match=r"batch is|order"):
        train(NETWORK, data.x, data.y, gradient_descent(0.1), seed=0, steps=2, **wrong)
