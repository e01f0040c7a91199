"""Problems of any model: products, losses, real steps, and what is refused."""

import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import unit_inputs
from inertial import (
    MLP,
    InvalidInput,
    Problem,
    TwoLayerReLU,
    finite_gram,
    forecast_loss,
    heavy_ball,
    nesterov,
)
from inertial import tangent as tangent_of
from inertial._checks import Notice
from inertial.linear import tangent as tangent_module
from inertial.problem import problem as problem_module
from inertial.problem.loss import LOSSES, Loss, constant_loss, curvature_of
from inertial.simulation import step
from inertial.simulation.linearised import linearised_loss

KEY = jax.random.key(0, impl="threefry2x32")


def affine(params, x):
    return x @ params["w"] + params["b"]


def linear_problem(rng, loss="mse", k=3, n=12):
    x = rng.standard_normal((n, 4))
    y = rng.integers(0, k, n) if loss == "cross_entropy" else rng.standard_normal((n, k))
    if loss == "binary_cross_entropy":
        y = (y > 0).astype(float)
    params = {"w": jnp.array(rng.standard_normal((4, k)), jnp.float32), "b": jnp.zeros(k)}
    return Problem.from_apply(affine, params, x, y, loss=loss)


def dense(problem):
    """The Jacobian of all outputs, by brute force."""
    leaves = problem.begin().w
    found = problem.linearise()
    columns = []
    for i, leaf in enumerate(leaves):
        for j in range(leaf.size):
            direction = [jnp.zeros_like(other) for other in leaves]
            direction[i] = direction[i].ravel().at[j].set(1.0).reshape(leaf.shape)
            columns.append(found.push(direction))
    return np.stack(columns, axis=1)


def test_the_product_on_the_papers_network_is_its_gram_matrix(rng):
    x = unit_inputs(rng, 20, 5)
    model = TwoLayerReLU(64, 5)
    operator = tangent_of(Problem(model, "half_sum", x, np.ones(20)))
    weights, _ = model.init(KEY)
    v = rng.standard_normal(20)
    expected = finite_gram(x, np.asarray(weights, float)) @ v
    # Products are in single precision: 6e-8 a term, 64 neurons.
    np.testing.assert_allclose(operator.product(v), expected, atol=2e-5)


@pytest.mark.parametrize("loss", list(LOSSES))
def test_the_operator_is_the_curvature_that_a_step_meets(rng, loss):
    problem = linear_problem(rng, loss)
    operator = tangent_of(problem)
    jacobian = dense(problem)
    outputs = operator.linearised.outputs
    n, k = outputs.shape
    hessian = problem.hessian_of(outputs)
    a = np.stack([hessian(e.reshape(n, k)).ravel() for e in np.eye(n * k)], axis=1)
    ours = np.stack([operator.product(e) for e in np.eye(n * k)], axis=1)
    expected = np.sort(np.linalg.eigvals(a @ jacobian @ jacobian.T).real)
    # Independent: eigenvalues of A H, with A from automatic differentiation and J from unit steps.
    np.testing.assert_allclose(np.linalg.eigvalsh((ours + ours.T) / 2), expected, atol=2e-5)
    np.testing.assert_allclose(ours, ours.T, atol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_closed_forms_of_the_curvature_are_those_of_any_loss(rng, loss):
    problem = linear_problem(rng, loss)
    outputs = problem.linearise().outputs
    gradient, hessian = problem.gradient_of(outputs), problem.hessian_of(outputs)
    named = curvature_of(problem.loss, outputs, gradient, hessian)
    other = curvature_of(Loss("own", problem.loss.value), outputs, gradient, hessian)
    for factor in (named, other):
        v = rng.standard_normal(outputs.shape)
        np.testing.assert_allclose(factor.times(factor.transposed(v)), hessian(v), atol=1e-12)
        np.testing.assert_allclose(factor.times(factor.solve(gradient)), gradient, atol=1e-12)


@pytest.mark.parametrize("name", list(LOSSES))
def test_no_constant_outputs_have_a_lower_loss(rng, name):
    """At the constant that is best in closed form the loss is that, and nearby it is higher."""
    problem = linear_problem(rng, name, n=40)
    y, k = problem.y, 3
    if name == "cross_entropy":
        best = np.log(np.bincount(y, minlength=k) / len(y))
    elif name == "binary_cross_entropy":
        best = np.log(y.mean(0) / (1 - y.mean(0)))
    else:
        best = y.mean(0)
    least = constant_loss(problem.loss, y)
    assert problem.loss_of(np.tile(best, (40, 1))) == pytest.approx(least, rel=1e-12)
    for direction in np.eye(k):
        assert problem.loss_of(np.tile(best + 1e-3 * direction, (40, 1))) > least
    assert constant_loss(Loss("own", LOSSES["mse"].value), y) is None


def test_targets_that_a_loss_of_ones_own_would_broadcast_are_named(rng):
    x, y = rng.standard_normal((30, 3)), rng.standard_normal(30)

    def own(f, targets):
        return jnp.mean((f - targets) ** 2)

    for column, other, same in ((True, (30,), (30, 1)), (False, (30, 1), (30,))):
        w = jnp.ones((3, 1) if column else 3)

        def made(shape, loss, w=w):
            return Problem.from_apply(lambda w, x: x @ w, w, x, y.reshape(shape), loss=loss)

        with pytest.warns(Notice, match="would compare each row with all targets") as told:
            problem = made(other, own)
        assert f"give targets of shape {same} there" in str(told[0].message)
        plain, mixed = (float(own(x @ w, y.reshape(shape))) for shape in (same, other))
        outputs = np.asarray(x @ w).reshape(30, 1)
        assert problem.loss_of(outputs) == pytest.approx(plain, rel=1e-6)
        assert abs(mixed - plain) > 0.01 * plain
        made(same, own)  # no word: filters make it an error
        made(other, "mse")  # nor of a loss of ours, which takes both
        made(other, lambda f, t: own(f.reshape(-1), t.reshape(-1)))


@pytest.mark.parametrize(
    ("own", "numbers"),
    [
        (lambda f, y: jnp.mean((f[:, 0] - y) ** 2), True),
        (lambda f, y: optax.huber_loss(f.squeeze(1), y).mean(), True),
        (lambda f, y: optax.sigmoid_binary_cross_entropy(f[:, 0], y).sum(), False),
    ],
)
def test_a_loss_of_ones_own_is_called_on_the_shapes_of_ones_own_loop(rng, own, numbers):
    """Whatever it does with the model's outputs beside targets of the shape they came in."""
    x, y = np.float32(rng.standard_normal((30, 3))), np.float32(rng.standard_normal(30))
    y, w = y if numbers else np.float32(y > 0), jnp.ones((3, 1))
    problem = Problem.from_apply(lambda w, x: x @ w, w, x, y, loss=own)
    f = x @ np.ones((3, 1), np.float32)
    assert problem.loss_of(f) == pytest.approx(float(own(f, y)), rel=1e-6)
    np.testing.assert_allclose(problem.gradient_of(f), jax.grad(own)(f, y), rtol=1e-5, atol=1e-7)
    some = problem.advance(problem.begin(), *np.array([[0.01, 0.5, 0.0]] * 3).T)[1]
    by_hand = [float(own(f, y))]
    velocity = jnp.zeros((3, 1))
    for _ in range(2):
        velocity = 0.5 * velocity - 0.01 * jax.grad(lambda w: own(x @ w, y))(w)
        w = w + velocity
        by_hand.append(float(own(x @ w, y)))
    np.testing.assert_allclose(some, by_hand, rtol=1e-5)


def weighted(f, y):
    return jnp.mean(jnp.linspace(1, 2, 40)[:, None] * (f - y) ** 2)


def guarded(f, y):
    assert f.shape == y.shape
    return jnp.mean((f - y) ** 2)


@pytest.mark.parametrize(
    "own",
    [
        lambda f, y: jnp.mean((f - y) ** 2),
        lambda f, y: jnp.sum((f - y) ** 2) / jnp.sum((y - y.mean()) ** 2),
        lambda f, y: jnp.mean((f - y) ** 2) * y.std(),
        weighted,
        guarded,
    ],
    ids=["squares", "one less R2", "scaled", "weighted", "guarded"],
)
@pytest.mark.parametrize("ordered", [False, True])
def test_targets_of_one_column_are_paired_with_rows_whatever_else_a_loss_does(rng, own, ordered):
    """Sorted by class, beside statistics of all targets, with weights of rows, behind a guard."""
    x, y = np.float32(rng.standard_normal((40, 3))), np.repeat(np.float32([0, 1]), 20)
    y = y if ordered else np.float32(rng.permutation(y) + 0.1 * rng.standard_normal(40))
    with pytest.warns(Notice, match=r"give targets of shape \(40, 1\) there"):
        problem = Problem.from_apply(lambda w, x: x @ w, jnp.ones((3, 1)), x, y, loss=own)
    f = x @ np.ones((3, 1), np.float32)
    assert problem.loss_of(f) == pytest.approx(float(own(f, y[:, None])), rel=1e-5)


def test_starts_of_other_seeds_take_the_targets_as_they_came(rng):
    x, y = np.float32(rng.standard_normal((20, 3))), np.float32(rng.standard_normal(20))

    def own(f, y):
        return jnp.mean((f[:, 0] - y) ** 2)

    first = Problem(MLP(3, (4,)), own, x, y, trainable=lambda name: "0" in name)
    for problem in (first, first.at_seed(1)):
        f = np.float32(problem.linearise().outputs)
        assert problem.loss_of(f) == pytest.approx(float(own(f, y)), rel=1e-5)


@pytest.mark.parametrize("given", [dict, lambda _: None, str])
def test_a_model_that_gives_no_array_is_told_what_to_give(rng, given):
    x, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    name = type(given({})).__name__
    with pytest.raises(InvalidInput, match=rf"gives a {name}; give an array of shape \(n,\)"):
        Problem.from_apply(lambda w, x: given({"y": x @ w}), jnp.ones(3), x, y)


def test_several_inputs_and_targets_stand_side_by_side(rng):
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))

    def own(f, y):
        return jnp.mean((f - y[:, 0]) ** 2) + jnp.mean((f - y[:, 1]) ** 2)

    def apply(w, x):
        return x[:, :3] @ w + x[:, 3:] @ w

    beside = np.hstack([x, x]), y
    made = Problem.from_apply(apply, jnp.ones(3), *beside, loss=own)
    for inputs in ((x, x), [x, x[:, :2]], {"a": x}):
        for held in ({}, {"test": (inputs, y)}):
            given = beside if held else (inputs, y)
            with pytest.raises(
                InvalidInput, match=r"inputs are a .*side by side .* the model splits"
            ):
                Problem.from_apply(apply, jnp.ones(3), *given, loss=own, **held)
    for targets in ((y[:, 0], y[:, 1]), [y, y[:, 1]], {"a": y}):
        with pytest.raises(InvalidInput, match=r"targets are a .*side by side .* the loss splits"):
            Problem.from_apply(apply, jnp.ones(3), beside[0], targets, loss=own)
    listed = Problem.from_apply(apply, jnp.ones(3), list(beside[0]), tuple(y), loss=own)
    np.testing.assert_array_equal(listed.y, made.y)


def test_a_loss_that_does_not_change_with_the_outputs_is_not_told_to_start_elsewhere(rng):
    x, y = rng.standard_normal((30, 3)), np.ones((30, 1))

    def softmax_of_one(f, y):
        return -(y * jax.nn.log_softmax(f)).mean()

    for seed in range(2):
        problem = Problem(MLP(3, (4,)), softmax_of_one, x, y, seed=seed)
        with pytest.raises(InvalidInput, match="give one output per class, or another loss"):
            tangent_of(problem)
    two = Problem(MLP(3, (4,), 2), softmax_of_one, x, np.hstack([y, 0 * y]))  # followed
    assert tangent_of(two).loss > 0
    zero = Problem.from_apply(lambda w, x: x @ w, jnp.zeros((3, 1)), x, 0 * y)
    with pytest.raises(InvalidInput, match="at a minimum already, give another start"):
        tangent_of(zero)


def test_weights_of_the_measure_are_twice_the_loss(rng):
    for loss in ("mse", "half_sum"):
        operator = tangent_of(linear_problem(rng, loss))
        assert operator.measure(8).total == pytest.approx(2 * operator.loss, rel=1e-12)


@pytest.mark.parametrize("loss", list(LOSSES))
def test_the_array_is_the_operator_and_its_measure_that_of_many_products(rng, loss, monkeypatch):
    operator = tangent_of(linear_problem(rng, loss))
    matrix = operator.matrix()
    v = rng.standard_normal(len(matrix))
    np.testing.assert_allclose(matrix @ v, operator.product(v), atol=1e-5)  # single precision
    np.testing.assert_array_equal(matrix, matrix.T)
    whole, some = operator.measure(), operator.measure(15)  # at most 15 parameters: 15 nodes
    assert whole.proven is None
    for method in (heavy_ball(0.02, 0.8), nesterov(0.01, 0.9)):
        ours, theirs = (forecast_loss(method, m, np.arange(31)) for m in (whole, some))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    monkeypatch.setattr("inertial._memory.available", lambda: 8 * len(matrix) ** 2 - 1)
    with pytest.raises(InvalidInput, match="take fewer rows, or measure"):
        operator.matrix()


def test_the_array_of_many_outputs_holds_nothing_else_of_its_size(rng):
    """Blocks of products: at most 1.5 arrays of 2,000 x 2,000, the result included."""
    x, y = rng.standard_normal((2000, 2)), rng.standard_normal(2000)
    problem = Problem.from_apply(lambda w, x: x @ w, jnp.ones(2), x, y, loss="half_sum")
    operator = tangent_of(problem)
    operator.product(np.ones(2000))
    tracemalloc.start()
    matrix = operator.matrix()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(matrix, x @ x.T, atol=1e-5)
    assert peak <= 1.5 * matrix.nbytes


def test_the_largest_eigenvalue_is_within_its_bound(rng):
    problem = linear_problem(rng)
    operator = tangent_of(problem)
    value, bound = operator.lanczos(4).largest
    jacobian = dense(problem) * np.sqrt(2 / 36)
    exact = np.linalg.eigvalsh(jacobian @ jacobian.T)
    assert np.abs(exact - value).min() <= bound + 1e-5 * exact[-1]


@pytest.mark.parametrize("method", [heavy_ball(0.05, 0.8), nesterov(0.05, 0.9)])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_on_a_linear_model_training_is_the_linearised_recursion(rng, method, loss):
    problem = linear_problem(rng, loss)
    expected = linearised_loss(problem, tangent_of(problem), method, 40)
    _, losses = problem.advance(problem.begin(), *method.coefficients(0, 41))
    np.testing.assert_allclose(losses, expected, rtol=2e-5)  # single precision, 40 steps


@pytest.mark.parametrize("method", [heavy_ball(0.05, 0.8), nesterov(0.03, 0.8)])
def test_steps_are_those_of_optax(rng, method):
    x, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    model = MLP(4, (16, 16), 1, "tanh")
    problem = Problem(model, "mse", x, y)
    _, losses = problem.advance(problem.begin(), *method.coefficients(0, 70))
    eta, beta, gamma = method.constant
    optimiser = optax.sgd(eta, beta, nesterov=gamma > 0)
    params = model.init(KEY)

    def loss(params):
        return jnp.mean((model.apply(params, problem.x)[:, 0] - jnp.asarray(y, jnp.float32)) ** 2)

    state, expected = optimiser.init(params), []
    for _ in range(70):
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimiser.update(gradient, state)
        params = optax.apply_updates(params, updates)
        expected.append(float(value))
    np.testing.assert_allclose(losses, expected, rtol=1e-3)  # rounding grows over 70 steps


def test_advancing_in_parts_gives_the_same_bits(rng):
    problem = linear_problem(rng)
    method = nesterov(0.05, 0.9)
    _, once = problem.advance(problem.begin(), *method.coefficients(0, 100))
    state, first = problem.advance(problem.begin(), *method.coefficients(0, 37))
    _, second = problem.advance(state, *method.coefficients(37, 63))
    np.testing.assert_array_equal(np.concatenate([first, second]), once)


def test_blocks_of_rows_change_nothing(rng, monkeypatch):
    x, y = rng.standard_normal((21, 4)), rng.standard_normal(21)
    problem = Problem(MLP(4, (8,), 1, "gelu"), "mse", x, y)
    v = rng.standard_normal(21)
    whole = tangent_of(problem).product(v)
    monkeypatch.setattr(problem_module, "BLOCK", 5)
    np.testing.assert_allclose(tangent_of(problem).product(v), whole, rtol=1e-4, atol=1e-6)


def test_products_with_the_kernel_and_steps_of_the_papers_network_keep_single_precision(rng):
    """By the word for it: on GPUs the default rounds factors to ten bits."""
    problem = Problem(MLP(3, (8,)), "mse", rng.standard_normal((5, 3)), np.ones(5))
    texts = [problem._linear.lower(problem.begin().w, problem.x).as_text()]
    laid = step.prepare(np.eye(3), np.ones(3), jnp.ones((7, 3)), jnp.ones(7))
    coefficients = step.device_coefficients(heavy_ball(0.1, 0.5), 0, jnp.float32)
    texts.append(step.advance.lower(laid, step.at_rest(laid), coefficients, 3).as_text())
    for text in texts:
        assert "precision = [HIGHEST, HIGHEST]" in text
        assert "precision = [DEFAULT" not in text


def test_one_compilation_a_shape(rng):
    problem = linear_problem(rng)
    operator = tangent_of(problem)
    operator.product(operator.start)
    before = problem_module._pull._cache_size(), problem_module._push._cache_size()
    operator.measure(8)
    tangent_module.tangent(problem).measure(4)
    assert (problem_module._pull._cache_size(), problem_module._push._cache_size()) == before


def test_steps_are_compiled_once_whatever_the_method_the_seed_and_their_number(rng):
    problem = Problem(MLP(3, (8,)), "mse", rng.standard_normal((5, 3)), np.ones(5))
    for one in (problem, problem.at_seed(1)):
        state = one.begin()
        for method, count in ((heavy_ball(0.1, 0.5), 3), (nesterov(0.02, 0.9), 150)):
            state, _ = one.advance(state, *method.coefficients(0, count))
        assert one._advance._cache_size() == 1
    assert one._advance is problem._advance


@pytest.mark.parametrize(
    ("setting", "value"), [("default_prng_impl", "rbg"), ("threefry_partitionable", False)]
)
def test_a_start_depends_on_its_seed_and_not_on_how_the_process_draws(setting, value):
    def starts():
        problem = Problem(MLP(3, (4,)), "mse", np.ones((2, 3)), np.zeros(2), seed=5)
        return problem.parameters_of(), problem.at_seed(6).parameters_of()

    plain = starts()
    with getattr(jax, setting)(value):
        again = starts()
    for one, other in zip(plain, again, strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])


def test_only_what_is_chosen_is_trained(rng):
    x, y = rng.standard_normal((9, 4)), rng.standard_normal((9, 3))
    params = {"w": jnp.ones((4, 3)), "b": jnp.zeros(3), "steps": jnp.array(3)}

    def apply(params, x):
        return x @ params["w"] + params["b"]

    problem = Problem.from_apply(apply, params, x, y, trainable=lambda path: path == "w")
    assert problem.names == ("w",)
    assert problem.parameters == 12
    shares = tangent_of(problem).shares(np.ones(27))
    assert shares == {"w": pytest.approx(1.0)}
    with pytest.raises(InvalidInput, match="'steps' is of type int32; give floating point"):
        Problem.from_apply(apply, params, x, y)
    with pytest.raises(InvalidInput, match="no parameter is trained"):
        Problem.from_apply(apply, params, x, y, trainable=lambda _: False)


CALLS = [0]


def drawing(params, x):
    CALLS[0] += 1
    return x @ params * CALLS[0]


@pytest.mark.parametrize("kind", [jnp.float16, jnp.bfloat16])
def test_half_precision_is_measured_in_single(kind):
    """The measure is that of the same numbers in single precision, to its rounding."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((30, k)).astype(kind).astype(np.float32) for k in (20, 1))
    params = jnp.asarray(rng.standard_normal((20, 1)), kind)
    half, single = (
        tangent_of(Problem.from_apply(lambda p, x: jnp.tanh(x @ p), p, x, y)).measure(12)
        for p in (params, params.astype(jnp.float32))
    )
    np.testing.assert_allclose(half.nodes, single.nodes, rtol=1e-6)
    np.testing.assert_allclose(half.weights, single.weights, rtol=1e-6)


def test_a_model_is_checked_in_full_precision():
    """To ten bits, as on GPUs, two rows alone have other outputs than among all."""
    asked = []

    def apply(params, x):
        asked.append(jax.config.jax_default_matmul_precision)
        return x @ params

    Problem.from_apply(apply, jnp.ones((4, 3)), np.ones((6, 4)), np.ones((6, 3)))
    assert set(asked) == {"highest"}


def branching(params, x):
    return x @ params if float(x.sum()) > 0 else x @ -params


@pytest.mark.parametrize(
    ("apply", "loss", "y", "words"),
    [
        (drawing, "mse", np.ones((6, 3)), "two answers for the same input"),
        (branching, "mse", np.ones((6, 3)), "not a pure function"),
        (lambda p, x: x @ p, "mse", np.ones(6), "for class numbers give loss='cross_entropy'"),
        (lambda p, x: x @ p, "mse", np.ones((6, 2)), "give one target per output"),
        (lambda p, x: (x @ p)[:, :, None], "mse", np.ones((6, 3)), r"\(n, k\), all out.*resh"),
        (
            lambda p, x: x @ p,
            "cross_entropy",
            np.full(6, 3),
            "whole numbers from 0 to 2, .* leave rows without",
        ),
        (
            lambda p, x: x @ p[:, :1],
            "cross_entropy",
            np.arange(6) - 1.5,
            "one output; .* mse for num",
        ),
        (lambda p, x: x @ p, "cross_entropy", np.ones((6, 3)), "one class number per row"),
        (lambda p, x: x @ p, "binary_cross_entropy", np.full((6, 3), 2.0), r"needs 0 and 1\."),
        (
            lambda p, x: x @ p,
            "binary_cross_entropy",
            np.resize([-1.0, 1.0], (6, 3)),
            r"needs 0 and 1: give \(y \+ 1\) / 2\.",
        ),
        (lambda p, x: x @ p * jnp.inf, "mse", np.ones((6, 3)), "outputs at the start are not all"),
        (lambda p, x: x @ p, "mse", np.full((6, 3), np.nan), "targets have entries"),
        (lambda p, x: x @ p, "cross_entropy", np.array(list("abcabc")), "numpy.unique"),
        (lambda p, x: x @ p, lambda f, y: (f - y) ** 2, np.ones((6, 3)), "gives no number"),
        (
            lambda p, x: x @ p,
            lambda f, y: jnp.mean((f - y) ** 2).item(),
            np.ones((6, 3)),
            "of jax.numpy that returns one, without",
        ),
        (lambda p, x: x @ p, "mae", np.ones((6, 3)), "did you mean 'mse'"),
    ],
)
def test_a_mistake_is_one_sentence(apply, loss, y, words):
    x = np.arange(24.0).reshape(6, 4) / 10
    params = jnp.ones((4, 3))
    with pytest.raises(InvalidInput, match=words):
        Problem.from_apply(apply, params, x, y, loss=loss)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda f, y: jnp.mean(jnp.abs(f - y)), "no curvature"),
        (lambda f, y: jnp.mean(f - y) ** 2, "couples rows"),
        (lambda f, y: jnp.mean(((f - y)[:, None] - (f - y)[None]) ** 2), "couples rows"),
        (lambda f, y: -jnp.mean((f - y) ** 2) / 2, "not convex"),
        (lambda f, y: jnp.mean((f - y) ** 2) * 0, "does not change with the outputs"),
    ],
)
def test_a_loss_that_cannot_be_linearised_is_one_sentence(rng, loss, words):
    x, y = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    problem = Problem.from_apply(lambda p, x: x @ p, jnp.ones((4, 3)), x, y, loss=loss)
    with pytest.raises(InvalidInput, match=words):
        tangent_of(problem)
