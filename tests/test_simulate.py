"""One way to train: fast paths against the generic one, and optax's own loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inertial import (
    InvalidInput,
    Problem,
    Recursion,
    TwoLayerReLU,
    gradient_descent,
    heavy_ball,
    nesterov,
    simulate,
    to_optax,
)
from inertial.simulation.simulate import OBSERVABLES

METHODS = (gradient_descent(0.05), heavy_ball(0.05, 0.8), nesterov(0.04, 0.8))


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((20, 4))
    return x / np.linalg.norm(x, axis=1, keepdims=True), np.sign(rng.standard_normal(20))


@pytest.fixture(scope="module")
def network(rows):
    return Problem(TwoLayerReLU(64, 4), "half_sum", *rows, seed=3)


@pytest.fixture(scope="module")
def plain(rows):
    """The same network, model and loss in disguise: a function, and a callable loss."""
    model = TwoLayerReLU(64, 4)
    params = model.init(jax.random.key(3, impl="threefry2x32"))

    def half_sum(outputs, y):
        return 0.5 * jnp.sum((outputs - y) ** 2)

    return Problem.from_apply(
        model.apply, params, *rows, loss=half_sum, trainable=TwoLayerReLU.trainable
    )


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_the_tiled_step_is_plain_automatic_differentiation(network, plain, method):
    tiled = simulate(network, method, steps=70, observables=("pattern_change", "max_distance"))
    assert set(tiled.records) == {"loss", "pattern_change", "max_distance"}
    generic = simulate(plain, method, steps=70)
    # Both in float32, 70 steps of sums over 64 neurons in another order.
    np.testing.assert_allclose(tiled.loss, generic.loss, rtol=1e-3)
    np.testing.assert_allclose(tiled.loss[:10], generic.loss[:10], rtol=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_a_recursion_is_the_transformation_that_it_exports(plain, method):
    ours = simulate(plain, method, steps=30)
    theirs = simulate(plain, optax.sgd(**to_optax(method)), steps=30)
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-4)


def test_adam_is_optax_adam(plain):
    run = simulate(plain, optax.adam(0.01), steps=12, observables=("distance",))
    w, x, y = plain.begin().w, plain.x, plain.targets
    optimiser = optax.adam(0.01)
    memory, losses = optimiser.init(w), []
    for _ in range(13):
        loss, gradient = jax.value_and_grad(plain.objective)(w, x, y)
        losses.append(float(loss))
        updates, memory = optimiser.update(gradient, memory, w)
        w = optax.apply_updates(w, updates)
    np.testing.assert_allclose(run.loss, losses, rtol=1e-5)
    # Adam's first step is the step size in every parameter.
    assert run.records["distance"][1] == pytest.approx(0.01 * np.sqrt(64 * 4), rel=1e-3)


def test_records_carry_dimensions_and_units(plain, rows):
    run = simulate(plain, heavy_ball(0.05, 0.8), steps=5, observables=("residual", "outputs"))
    found = run.to_dataset()
    assert found.residual.dims == ("step", "output")
    assert found.outputs.shape == (6, 20)
    assert found.loss.attrs == {"long_name": OBSERVABLES["loss"].long_name, "units": "loss"}
    np.testing.assert_allclose(found.residual, found.outputs - rows[1], atol=1e-6)
    np.testing.assert_allclose(found.loss, 0.5 * (found.residual**2).sum("output"), rtol=1e-5)


def test_a_divergence_ends_the_records(plain):
    run = simulate(plain, gradient_descent(1e6), steps=40, observables=("distance",))
    assert (run.status, run.diverged_at) == ("diverged", len(run.loss) - 1)
    assert len(run.records["distance"]) == len(run.loss)
    assert run.steps_to(0.5) is None


def test_what_cannot_be_recorded_or_run_is_refused(plain):
    with pytest.raises(InvalidInput, match="did you mean 'residual'"):
        simulate(plain, METHODS[0], steps=2, observables=("residuals",))
    with pytest.raises(InvalidInput, match="is for the papers' network"):
        simulate(plain, METHODS[0], steps=2, observables=("pattern_change",))
    with pytest.raises(InvalidInput, match="the schedule has 3 entries and the run takes 5 steps"):
        simulate(plain, Recursion((0.1, 0.1, 0.1)), steps=5)


def test_a_pytorch_module_is_recorded_the_same_way(plain, rows):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    from inertial.torch import problem

    w, a = (np.array(part) for part in TwoLayerReLU(64, 4).init(jax.random.key(3)))
    layer = torch.nn.Linear(4, 64, bias=False)
    layer.weight.data = torch.as_tensor(w)
    signs = torch.nn.Linear(64, 1, bias=False)
    signs.weight.data = torch.as_tensor(a)[None] / 8
    signs.weight.requires_grad_(requires_grad=False)
    module = torch.nn.Sequential(layer, torch.nn.ReLU(), signs)
    given = problem(
        module, *rows, loss=lambda f, y: 0.5 * ((f.reshape(-1) - y.reshape(-1)) ** 2).sum()
    )
    theirs = simulate(given, METHODS[1], steps=8, observables=("distance", "outputs"))
    ours = simulate(plain, METHODS[1], steps=8, observables=("distance", "outputs"))
    for name, values in ours.records.items():
        np.testing.assert_allclose(theirs.records[name], values, rtol=1e-4, atol=1e-6)
