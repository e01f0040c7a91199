"""The optimal schedule against least squares, against Chebyshev, and as the optimisers run it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inertial import (
    InvalidInput,
    Measure,
    chebyshev,
    forecast_loss,
    heavy_ball,
    nesterov_varying,
    steps_to,
)
from inertial.linear.lanczos import lanczos
from inertial.method.bound import lower_bound
from inertial.method.recursion import from_jacobi
from inertial.method.rules import choose
from inertial.method.schedule import (
    TorchSchedule,
    for_measure,
    keras_lines,
    optimal_schedule,
    to_keras_schedules,
    to_optax_schedules,
)


@pytest.fixture
def measure(rng):
    return Measure(np.sort(10 ** rng.uniform(-3, 0, 60)), rng.exponential(size=60))


def raw(measure, steps):
    """The schedule of the measure as it is."""
    nodes = measure.nodes
    found = lanczos(lambda v: nodes * v, np.sqrt(nodes * measure.weights), steps)
    return from_jacobi(found.diagonal, np.append(0.0, found.off_diagonal**2))


def test_without_smoothing_it_attains_the_bound_at_every_step(measure):
    steps = np.arange(13)
    np.testing.assert_allclose(
        forecast_loss(raw(measure, 12), measure, steps), lower_bound(measure, 12).loss, rtol=1e-8
    )


def test_little_smoothing_comes_close_and_much_tends_to_chebyshev(measure):
    """At a huge share the measure is the arcsine law: Chebyshev of the third kind on [0, top].

    Its residual polynomials are ``sin((2t+1) v) / ((2t+1) sin v)`` at ``l = top sin(v)^2``.
    """
    steps, top = np.arange(9), 1.05 * measure.largest
    close = forecast_loss(optimal_schedule(measure, 8, smoothing=1e-9), measure, steps)
    np.testing.assert_allclose(close, lower_bound(measure, 8).loss, rtol=1e-3)
    v = np.arcsin(np.sqrt(measure.nodes / top))
    t = steps[:, None]
    closed = 0.5 * (np.sin((2 * t + 1) * v) / ((2 * t + 1) * np.sin(v))) ** 2 @ measure.weights
    far = forecast_loss(optimal_schedule(measure, 8, smoothing=1e9), measure, steps)
    np.testing.assert_allclose(far, closed, rtol=1e-6)


def test_it_is_the_best_for_the_smoothed_measure(measure):
    """Its loss on measure plus spread mass is the lower bound of that measure."""
    spread = 1.05 * measure.largest * np.sin(np.pi * (2 * np.arange(1000) + 1) / 4000) ** 2
    nodes = np.concatenate([measure.nodes, spread])
    mass = np.concatenate([measure.weights, np.full(1000, 0.01 * measure.total / 1000)])
    order = np.argsort(nodes)
    smoothed = Measure(nodes[order], mass[order])
    np.testing.assert_allclose(
        forecast_loss(optimal_schedule(measure, 30), smoothed, np.arange(31)),
        lower_bound(smoothed, 30).loss,
        rtol=1e-8,
    )


def test_it_needs_fewer_steps_than_tuned_heavy_ball(measure):
    for target in (0.01, 0.001):
        ours = steps_to(optimal_schedule(measure, 400), measure, target)
        assert ours < steps_to(
            choose("forecast", "heavy_ball", measure, target=target), measure, target
        )


def test_beyond_its_exact_steps_it_stays_stable(measure):
    """No mode up to 1.05 of the largest grows, and the loss goes on falling."""
    method = optimal_schedule(measure, 5000)
    loss = forecast_loss(method, measure, np.array([400, 1000, 2500, 5000]))
    assert (np.diff(loss) < 0).all()
    end = Measure(np.array([1.05 * measure.largest]), np.ones(1))
    assert forecast_loss(method, end, np.arange(401, 5001)).max() < 1.0


def quadratic(rng):
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    hessian = (basis * np.geomspace(1e-2, 1, 6)) @ basis.T
    return hessian, rng.standard_normal(6)


def by_recursion(method, hessian, start, steps):
    eta, beta, _ = method.coefficients(0, steps)
    w, step = start, 0.0
    for t in range(steps):
        step = beta[t] * step - eta[t] * hessian @ w
        w = w + step
    return w


def test_optax_runs_the_schedule(measure, rng):
    method, (hessian, start) = optimal_schedule(measure, 25), quadratic(rng)
    entries = to_optax_schedules(method)
    with jax.enable_x64(True):
        rate, momentum = (jnp.asarray(part) for part in entries)
        optimiser = optax.inject_hyperparams(optax.sgd)(
            learning_rate=lambda t: rate[t], momentum=lambda t: momentum[t]
        )
        w = jnp.asarray(start)
        state = optimiser.init(w)
        for _ in range(25):
            updates, state = optimiser.update(jnp.asarray(hessian) @ w, state, w)
            w = optax.apply_updates(w, updates)
    np.testing.assert_allclose(w, by_recursion(method, hessian, start, 25), rtol=1e-10)


class TorchSGD:
    """The documented update of torch.optim.SGD; no buffer is kept where momentum is 0."""

    def __init__(self, w):
        self.w, self.buffer = w, None
        self.param_groups = [{"lr": 1.0, "momentum": 0.0}]

    def step(self, gradient):
        group = self.param_groups[0]
        if group["momentum"] != 0:
            kept = 0.0 if self.buffer is None else group["momentum"] * self.buffer
            gradient = self.buffer = kept + gradient
        self.w = self.w - group["lr"] * gradient


def test_the_torch_scheduler_runs_the_schedule_and_goes_on_from_a_checkpoint(measure, rng):
    method, (hessian, start) = optimal_schedule(measure, 25), quadratic(rng)
    torch = TorchSGD(start)
    scheduler = TorchSchedule(torch, method)
    for t in range(25):
        if t == 10:
            state, scheduler = scheduler.state_dict(), TorchSchedule(torch, method)
            scheduler.load_state_dict(state)
        torch.step(hessian @ torch.w)
        scheduler.step()
    np.testing.assert_allclose(torch.w, by_recursion(method, hessian, start, 25), rtol=1e-9)
    assert torch.param_groups[0]["lr"] == pytest.approx(method.eta[-1])  # and there it stays


def test_the_loss_only_scales_the_learning_rate(measure):
    method = optimal_schedule(measure, 5)
    plain, mean = to_optax_schedules(method), to_optax_schedules(method, loss="mean", rows=60)
    np.testing.assert_allclose(mean.learning_rate, plain.learning_rate * 30)
    np.testing.assert_array_equal(mean.momentum, plain.momentum)


def test_the_keras_lines_have_its_entries(rng):
    """Run the lines with a stand-in for Keras whose SGD keeps no buffer where momentum is 0."""

    class Callback:
        pass

    class SGD:
        def __init__(self, learning_rate, momentum):
            self.learning_rate, self.momentum, self.iterations, self.v = (
                learning_rate,
                momentum,
                0,
                0.0,
            )

        def update(self, w, gradient):
            self.iterations += 1
            if self.momentum == 0:
                return w - self.learning_rate * gradient
            self.v = self.momentum * self.v - self.learning_rate * gradient
            return w + self.v

    class Keras:
        class callbacks:  # noqa: N801
            pass

        class optimizers:  # noqa: N801
            pass

    Keras.callbacks.Callback, Keras.optimizers.SGD = Callback, SGD
    method, (hessian, start) = chebyshev(0.01, 1.0, steps=20), quadratic(rng)
    names = {"keras": Keras}
    exec(keras_lines(method), names)  # noqa: S102 - the lines are ours
    callback, w = names["Schedule"](), start
    callback.model = type("Model", (), {"optimizer": names["optimizer"]})
    for t in range(20):
        callback.on_train_batch_begin(t)
        w = names["optimizer"].update(w, hessian @ w)
    np.testing.assert_allclose(w, by_recursion(method, hessian, start, 20), rtol=1e-6)
    np.testing.assert_array_equal(to_keras_schedules(method).learning_rate, method.eta)


@pytest.mark.parametrize(
    ("method", "says"),
    [(heavy_ball(0.1, 0.9), "need no schedule"), (nesterov_varying(0.1), "gradient correction")],
)
def test_only_schedules_without_correction_are_exported(method, says):
    with pytest.raises(InvalidInput, match=says):
        to_optax_schedules(method)


@pytest.mark.parametrize(
    "wrong", [{"smoothing": 0.0}, {"reach": 0.9}, {"steps": 0}, {"reach": float("nan")}]
)
def test_arguments_out_of_range(measure, wrong):
    with pytest.raises(InvalidInput):
        optimal_schedule(measure, **{"steps": 5, **wrong})


def test_rules_of_schedules_are_those_of_the_measure(measure):
    assert for_measure("optimal", measure, 30) == optimal_schedule(measure, 30)
    found = for_measure("chebyshev", measure, 30)
    assert found == chebyshev(measure.smallest, measure.largest, steps=30)
    with pytest.raises(InvalidInput, match="rule is 'optimum'; did you mean 'optimal'"):
        for_measure("optimum", measure, 30)


def test_a_hundredth_of_the_mass_is_spread_to_five_percent_beyond_the_largest(measure):
    spelt = optimal_schedule(measure, 20, smoothing=0.01, reach=1.05)
    assert optimal_schedule(measure, 20) == spelt


def test_four_hundred_steps_are_the_measures_own_and_later_ones_are_constant(measure):
    found = optimal_schedule(measure, 403)
    assert len(set(found.eta[400:])) == len(set(found.beta[400:])) == 1
    assert found.beta[400] == 1 - 2 / 400 != found.beta[399]
    assert found.eta[400] != found.eta[399]
    # The largest step at which every mode up to there oscillates: eta l = (1 + sqrt(beta))^2.
    top = 1.05 * measure.largest
    assert found.eta[400] * top == pytest.approx((1 + np.sqrt(1 - 1 / 200)) ** 2, rel=1e-12)


def test_of_the_spread_mass_alone_the_first_steps_are_known(measure):
    """For l times the arcsine law on [0, T]: a = 3T/4, T/2, T/2 and b = T/4, T/4."""
    found = optimal_schedule(measure, 3, smoothing=1e12)
    top = 1.05 * measure.largest
    np.testing.assert_allclose(np.array(found.eta) * top, [4 / 3, 12 / 5, 20 / 7], rtol=1e-9)
    np.testing.assert_allclose(found.beta[1:], [1 / 5, 3 / 7], rtol=1e-9)
