"""The modules to copy are the papers' network, and train as the network does."""

import os

import jax
import numpy as np
import pytest

from inertial import (
    InvalidInput,
    TwoLayerReLU,
    gradient_descent,
    heavy_ball,
    module_source,
    nesterov,
    train,
)
from inertial.problem.model import start_key

N, D, M, STEPS = 12, 4, 64, 15
ROUNDING = 2e-5
"""Fifteen steps in single precision on losses of order one."""


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, D))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x, rng.standard_normal(N)


def made(library, method, **loss):
    """What the source makes, at the start of seed 0."""
    scope = {}
    exec(module_source(library, M, D, method, **loss), scope)  # noqa: S102 - it is there to be run
    weights, signs = map(np.asarray, TwoLayerReLU(M, D).init(start_key(0)))
    return scope["model"], scope["optimiser"], weights, signs


def torch_losses(method, x, y, decay=0.0):
    torch = pytest.importorskip("torch")
    model, optimiser, weights, signs = made("torch", method, decay=decay)
    model.load_state_dict({"weight": torch.tensor(weights), "signs": torch.tensor(signs)})
    assert [name for name, _ in model.named_parameters()] == ["weight"]
    x, y, losses = torch.tensor(x).float(), torch.tensor(y).float(), []
    for _ in range(STEPS):
        loss = 0.5 * ((model(x) - y) ** 2).sum()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return losses


def torch_mean_losses(method, x, y, decay=0.0):
    torch = pytest.importorskip("torch")
    given = {"loss": "mean", "rows": N, "decay": 2 * decay / N}
    model, optimiser, weights, signs = made("torch", method, **given)
    model.load_state_dict({"weight": torch.tensor(weights), "signs": torch.tensor(signs)})
    x, y, losses = torch.tensor(x).float(), torch.tensor(y).float(), []
    for _ in range(STEPS):
        loss = torch.nn.functional.mse_loss(model(x), y)
        losses.append(0.5 * N * loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return losses


def flax_losses(method, x, y, decay=0.0):
    nnx = pytest.importorskip("flax.nnx")
    model, optimiser, weights, signs = made("flax", method, decay=decay)
    model.weight[...], model.signs[...] = jax.numpy.asarray(weights), jax.numpy.asarray(signs)
    x, y, losses = jax.numpy.asarray(x, "float32"), jax.numpy.asarray(y, "float32"), []
    step = nnx.value_and_grad(lambda model: 0.5 * ((model(x) - y) ** 2).sum())
    for _ in range(STEPS):
        loss, gradient = step(model)
        losses.append(float(loss))
        optimiser.update(model, gradient)
    return losses


def keras_losses(method, x, y, decay=0.0):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    model, optimiser, weights, signs = made("keras", method, decay=decay)
    model.weight.assign(weights.T)
    model.signs.assign(signs)
    losses, penalties = [], []

    def loss(truth, outputs):
        return 0.5 * keras.ops.sum((outputs - truth) ** 2)

    class Losses(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):  # noqa: ARG002 - Keras's own names
            penalties[:] = model.losses

        def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002 - Keras's own names
            losses.append(logs["loss"] - float(sum(penalties)))

    model.compile(optimizer=optimiser, loss=loss)
    model.fit(
        x.astype("float32"), y.astype("float32"),
        batch_size=N, epochs=STEPS, shuffle=False, verbose=0, callbacks=[Losses()],
    )  # fmt: skip
    return losses


@pytest.mark.filterwarnings("ignore")  # what the libraries say of themselves
@pytest.mark.parametrize("run", [torch_losses, torch_mean_losses, flax_losses, keras_losses])
@pytest.mark.parametrize(
    "method",
    [gradient_descent(0.1), heavy_ball(0.1, 0.8), nesterov(0.1, 0.8)],
    ids=lambda m: m.name,
)
def test_a_copied_module_with_its_optimiser_trains_as_the_network_does(run, method, problem):
    x, y = problem
    expected = train(TwoLayerReLU(M, D), x, y, method, seed=0, steps=STEPS - 1).loss
    np.testing.assert_allclose(run(method, x, y), expected, rtol=ROUNDING * STEPS, atol=ROUNDING)


@pytest.mark.filterwarnings("ignore")  # what the libraries say of themselves
@pytest.mark.parametrize("run", [torch_losses, torch_mean_losses, flax_losses, keras_losses])
@pytest.mark.parametrize("method", [heavy_ball(0.1, 0.8), nesterov(0.1, 0.8)], ids=lambda m: m.name)
def test_with_weight_decay_it_trains_as_the_network_does(run, method, problem):
    """With half a unit: without it the losses are others from the second step on."""
    x, y = problem
    given = {"seed": 0, "steps": STEPS - 1}
    expected = train(TwoLayerReLU(M, D), x, y, method, decay=0.5, **given).loss
    without = train(TwoLayerReLU(M, D), x, y, method, **given).loss
    assert (np.abs(expected[2:] - without[2:]) > 0.01 * expected[2:]).all()
    losses = run(method, x, y, decay=0.5)
    np.testing.assert_allclose(losses, expected, rtol=ROUNDING * STEPS, atol=ROUNDING)


def test_what_cannot_be_made_is_refused():
    with pytest.raises(InvalidInput, match="decay is -1"):
        module_source("torch", M, D, decay=-1)
    with pytest.raises(InvalidInput, match="did you mean 'torch'"):
        module_source("pytorch", M, D)
    with pytest.raises(InvalidInput, match="width is 0"):
        module_source("flax", 0, D)
