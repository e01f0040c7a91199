"""Adam and RMSprop: the update of the libraries, the limit from both sides, and the forecast."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_wine

from inertial import MLP, InvalidInput, Problem, TwoLayerReLU, simulate, tangent, tune
from inertial.method.adaptive import Adaptive, adam, lines, rmsprop
from inertial.runs.trials import settled
from inertial.simulation import adapted
from inertial.simulation.linearised import choose_adam, linearised_loss, sign_step
from inertial.simulation.transformations import Optax

TWINS = [
    (adam(0.01), optax.adam(0.01)),
    (adam(0.02, 0.5, 0.9), optax.adam(0.02, 0.5, 0.9)),
    (rmsprop(0.01), optax.rmsprop(0.01, 0.99, eps_in_sqrt=False)),
]


def affine(params, x):
    return x @ params["w"] + params["b"]


@pytest.fixture
def linear(rng):
    x, y = rng.standard_normal((12, 4)), rng.standard_normal((12, 3))
    return Problem.from_apply(affine, {"w": jnp.zeros((4, 3)), "b": jnp.zeros(3)}, x, y)


@pytest.mark.parametrize(("ours", "theirs"), TWINS, ids=lambda m: getattr(m, "name", "optax"))
def test_the_update_is_that_of_optax(linear, ours, theirs):
    run, other = (simulate(linear, method, steps=30) for method in (ours, theirs))
    np.testing.assert_allclose(run.loss, other.loss, rtol=1e-5)  # single precision, 30 steps
    assert run.method == ours.name


@pytest.mark.parametrize(("ours", "theirs"), TWINS, ids=lambda m: getattr(m, "name", "optax"))
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_on_a_linear_model_the_forecast_is_training(rng, ours, theirs, loss):
    x = rng.standard_normal((12, 4))
    y = rng.integers(0, 3, 12) if loss == "cross_entropy" else rng.standard_normal((12, 3))
    # No gradient is 0 up to rounding, whose sign the first steps would follow.
    params = {"w": jnp.asarray(rng.standard_normal((4, 3)), jnp.float32), "b": jnp.arange(3.0)}
    problem = Problem.from_apply(affine, params, x, y, loss=loss)
    measured = simulate(problem, theirs, steps=40).loss
    for method in (ours, theirs):
        forecast = linearised_loss(problem, tangent(problem), method, 40)
        np.testing.assert_allclose(forecast, measured, rtol=2e-4)  # single precision, 40 steps


def test_early_adam_on_a_wide_network_is_that_of_its_linearisation(rng):
    """Forty steps, to a sixth of the loss; the deviation falls with the width."""
    x = rng.standard_normal((20, 6))
    x, y = x / np.linalg.norm(x, axis=1, keepdims=True), np.sign(rng.standard_normal(20))
    gaps = []
    for width in (256, 4096):
        problem = Problem(TwoLayerReLU(width, 6), "half_sum", x, y)
        method = adam(0.1 / np.sqrt(width))
        forecast = linearised_loss(problem, tangent(problem), method, 40)
        measured = simulate(problem, method, steps=40).loss
        gaps.append(np.abs(np.log(measured / forecast)).max())
    assert gaps[1] < gaps[0]
    assert gaps[1] < 0.1


@pytest.mark.parametrize("method", [adam(1.0), adam(1.0, 0.5), rmsprop(1.0)])
@pytest.mark.parametrize("share", [0.97, 1.03])
def test_the_limit_from_both_sides(method, share):
    """With eps far above the gradients the preconditioner is constant, and the limit is exact."""
    eps, curvature = 1e60, 3.0
    step = share * method.limit * eps / curvature
    tried = Adaptive(step, method.beta1, method.beta2, eps, method.corrected)
    w, moments = np.array([1.0]), tried.init(np.array([1.0]))
    sizes = []
    for _ in range(150):
        change, moments = tried.update(curvature * w, moments)
        w = w + change
        sizes.append(abs(w[0]))
    grown = max(sizes[-3:]) / max(sizes[37:40])
    assert grown < 0.1 if share < 1 else grown > 10


def test_the_step_of_the_first_line_search(rng):
    """On a quadratic: no other multiple of the signs lowers the loss as much."""
    x, y = rng.standard_normal((12, 4)), rng.standard_normal((12, 3))
    params = {"w": jnp.asarray(rng.standard_normal((4, 3)), jnp.float32), "b": jnp.arange(3.0)}
    problem = Problem.from_apply(affine, params, x, y)
    found = sign_step(problem, tangent(problem))
    losses = [
        simulate(problem, adam(float(share * found)), steps=1).loss[1]
        for share in (0.98, 1.0, 1.02)
    ]
    assert losses[1] < min(losses[0], losses[2])
    assert choose_adam(problem, tangent(problem)).eta == pytest.approx(found / 2, rel=1e-3)


def test_the_constants_of_the_literature():
    assert adam(1e-3).limit == pytest.approx(38)
    assert rmsprop(1e-3).limit == 2
    assert adam(0.5).frozen.constant == pytest.approx((0.05, 0.9, 0.0))


def test_the_preconditioned_kernel_is_that_of_the_jacobian(rng):
    x, y = rng.standard_normal((7, 3)), rng.standard_normal(7)
    model = MLP(3, (5,), 1, "tanh")
    problem = Problem(model, "half_sum", x, y)
    w = problem.begin().w
    method = adam(0.01)
    gradient = jax.grad(problem.objective)(w, problem.x, problem.targets)
    _, moments = method.update(gradient, method.init(w))
    operator = tangent(problem).preconditioned(method.inverse(moments))
    flat = np.concatenate([np.ravel(g) for g in gradient])
    params = model.init(jax.random.key(0, impl="threefry2x32"))
    parts = jax.tree.leaves(jax.jacobian(model.apply)(params, problem.x))
    jacobian = np.concatenate([np.reshape(part, (7, -1)) for part in parts], axis=1)
    expected = jacobian @ np.diag(1 / (np.abs(flat) + 1e-8)) @ jacobian.T
    ours = np.stack([operator.product(e) for e in np.eye(7)], axis=1)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
    assert sum(operator.shares(np.ones(7)).values()) == pytest.approx(1)
    assert operator.products == 7


def test_a_preconditioner_is_a_tree_of_the_parameters_or_a_list(rng):
    """By the public way: the moments of a tree of parameters give a tree."""
    x, y = rng.standard_normal((7, 3)), rng.standard_normal(7)
    params = {"b": jnp.ones((4, 1)), "a": jnp.full((3, 4), 0.5)}

    def apply(params, x):
        return jnp.tanh(x @ params["a"]) @ params["b"]

    problem, method = Problem.from_apply(apply, params, x, y), adam(0.01)
    gradient = jax.grad(lambda p: ((apply(p, x)[:, 0] - y) ** 2).mean())(params)
    inverse = method.inverse(method.update(gradient, method.init(params))[1])
    found = [
        tangent(problem).preconditioned(one).product(np.ones(7))
        for one in (inverse, jax.tree.leaves(inverse))
    ]
    np.testing.assert_array_equal(*found)
    jacobian = np.concatenate(
        [np.reshape(part, (7, -1)) for part in jax.tree.leaves(jax.jacobian(apply)(params, x))], 1
    )
    scaled = np.concatenate([np.ravel(one) for one in jax.tree.leaves(inverse)])
    expected = 2 / 7 * jacobian @ (scaled * (jacobian.T @ np.ones(7)))  # of the mean of 7 squares
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)
    for wrong in ({"a": inverse["a"]}, [inverse["b"], inverse["a"]], 2.0):
        with pytest.raises(InvalidInput, match="give one number for each trained parameter"):
            tangent(problem).preconditioned(wrong)


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        ({"eta": 0.0}, "eta is 0.0"),
        ({"eta": 0.1, "beta1": 1.0}, "beta1 is 1.0"),
        ({"eta": 0.1, "eps": 0.0}, "eps is 0.0"),
        ({"eta": 0.1, "corrected": False}, "without correction"),
    ],
)
def test_a_mistake_is_one_sentence(words, mistake):
    with pytest.raises(InvalidInput, match=mistake):
        Adaptive(**words)


def test_trees_of_torch_will_do():
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    for method, optimiser in (
        (adam(0.1), torch.optim.Adam([weight], lr=0.1)),
        (rmsprop(0.1), torch.optim.RMSprop([weight], lr=0.1)),
    ):
        ours = {"w": weight.detach().clone()}
        moments = method.init(ours)
        for _ in range(20):
            step, moments = method.update({"w": 2 * ours["w"]}, moments)
            ours = {"w": ours["w"] + step["w"]}
            optimiser.zero_grad()
            (weight**2).sum().backward()
            optimiser.step()
        np.testing.assert_allclose(ours["w"].numpy(), weight.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", [adam(0.05), adam(0.02, 0.7), rmsprop(0.005)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_training_step_by_step_is_that_of_the_copied_lines(method, decay):
    """For optax and PyTorch, with weight decay as well."""
    torch = pytest.importorskip("torch")
    import inertial.torch

    x, y = load_wine(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(13, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    other = inertial.torch.problem(model, x, y, loss="cross_entropy", decay=decay)
    ours = adapted.advance(other, method, adapted.begin(other, method), 12)[1]
    line = lines(method, decay=decay).splitlines()[1]
    optimiser = eval(line, {"torch": torch, "model": model})  # noqa: S307 - our own line
    measured = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(model(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        optimiser.step()
        measured.append(loss.item())
    np.testing.assert_allclose(ours, measured, rtol=1e-4)  # single precision, 12 steps
    net = MLP(13, (8,), 3, "tanh")
    problem = Problem(net, "cross_entropy", x, y, decay=decay)
    ours = adapted.advance(problem, method, adapted.begin(problem, method), 12)[1]
    line = lines(method, decay=decay).splitlines()[0]
    theirs = eval(line, {"optax": optax})  # noqa: S307 - our own line
    run = simulate(Problem(net, "cross_entropy", x, y), theirs, steps=12)
    np.testing.assert_allclose(ours, run.loss[:12], rtol=1e-4)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_pytorchs_line_on_a_page_is_the_run_of_optax(name, decay):
    torch = pytest.importorskip("torch")
    first, second, third = Optax(name, 0.01).lines(decay).splitlines()
    assert third.startswith("keras.optimizers.")
    assert f"L2({decay / 2:.6g})" in third or not decay
    ours = jnp.array([3.0, -0.2, 1e-2])
    weight = torch.nn.Parameter(torch.tensor(np.array(ours)))
    model = torch.nn.ParameterList([weight])
    optimiser = eval(second, {"torch": torch, "model": model})  # noqa: S307 - our own line
    transformation = eval(first, {"optax": optax})  # noqa: S307 - our own line
    memory = transformation.init(ours)
    for _ in range(20):
        step, memory = transformation.update(2 * ours, memory, ours)
        ours = ours + step
        optimiser.zero_grad()
        (weight**2).sum().backward()
        optimiser.step()
    np.testing.assert_allclose(weight.detach().numpy(), ours, atol=1e-3 if name != "adam" else 1e-6)


def test_adam_is_tuned_by_runs_and_keeps_its_promise():
    x, y = load_wine(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    problem = Problem(MLP(13, (16,), 3, "tanh"), "cross_entropy", x, y)
    names = ("adam", "rmsprop", "gradient_descent")
    advice = tune(problem, target=0.2, trials=8, methods=names)
    assert {entry.name for entry in advice.methods} == set(names)
    found = advice.of("adam")
    run = simulate(problem, optax.adam(found.method.eta, b1=found.method.beta1), steps=200)
    assert settled(run.loss, 0.2 * run.loss[0]) == found.measured_steps
    assert 0 < found.share < 10  # of the limit, where the run ended
    assert advice.best.measured_steps == min(entry.measured_steps for entry in advice.methods)
    assert found.method.keywords["betas"] == (found.method.beta1, 0.999)
    usual = simulate(problem, optax.adam(1e-3), steps=200)
    assert found.measured_steps < (settled(usual.loss, 0.2 * usual.loss[0]) or 1000)
    assert "Adam" in str(advice)
    # The penalty counts in another share for each parameter, and the kernel does not know which.
    problem = Problem(MLP(13, (16,), 3, "tanh"), "cross_entropy", x, y, decay=0.01)
    decayed = tune(problem, target=0.5, trials=3, methods="adam")
    assert np.isnan(decayed.best.share)
    assert "where the run ended, not known with weight decay\n" in str(decayed)
    forecast = tune(problem, target=0.2, trials=0, methods="adam")
    chosen = choose_adam(problem, tangent(problem)).eta
    assert forecast.best.method.eta == pytest.approx(chosen, rel=1e-3)  # four digits are kept


def test_where_adam_wins_the_test_rows_say_when_to_stop():
    x, y = load_wine(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    net, held = MLP(13, (16,), 3, "tanh"), (x[1::4], y[1::4])
    problem = Problem(net, "cross_entropy", x[::2], y[::2], test=held)
    advice = tune(problem, target=0.2, trials=4, methods="adam")
    stopping, steps = advice.stopping, advice.best.measured_steps
    assert stopping.name == "adam"
    assert "Adam: the forecast on the test rows is lowest at step" in str(advice)
    eta, beta, _ = advice.best.method.constant
    losses = simulate(
        problem,
        optax.adam(eta, b1=beta),
        steps=len(stopping.run.loss) - 1,
        observables=("test_loss",),
    ).records["test_loss"]
    np.testing.assert_allclose(stopping.run.test_loss[: 2 * steps], losses[: 2 * steps], rtol=1e-3)


def test_modules_of_torch_are_simulated_by_adam():
    torch = pytest.importorskip("torch")
    from inertial.torch import problem as of_torch

    x, y = load_wine(return_X_y=True)
    x, y = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32), torch.tensor(y)
    torch.manual_seed(0)
    net, loss = torch.nn.Linear(13, 3), torch.nn.CrossEntropyLoss()
    run = simulate(
        of_torch(net, x, y, loss=loss, test=(x[:9], y[:9])),
        adam(0.01), steps=20, observables=("test_loss",),
    )  # fmt: skip
    own, losses, held = torch.optim.Adam(net.parameters(), lr=0.01), [], []
    for _ in range(21):
        own.zero_grad()
        value = loss(net(x), y)
        losses.append(value.item())
        held.append(loss(net(x[:9]), y[:9]).item())
        value.backward()
        own.step()
    np.testing.assert_allclose(run.loss, losses, rtol=1e-4)  # single precision
    np.testing.assert_allclose(run.records["test_loss"], held, rtol=1e-4)


def test_methods_to_tune_have_names():
    problem = Problem(MLP(2, (3,), 1), "mse", np.ones((3, 2)), np.ones(3))
    for methods, words in ((("adan",), "did you mean 'adam'"), ((), "methods is empty")):
        with pytest.raises(InvalidInput, match=words):
            tune(problem, methods=methods)
