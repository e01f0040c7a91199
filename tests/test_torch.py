"""PyTorch modules as problems: the numbers of the JAX route, and the module left as it was."""

import copy
import functools
import re
import warnings
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from helpers import run
from inertial import MLP, InvalidInput, Monitor, Problem, compare, heavy_ball, tangent, tune
from inertial._checks import Notice
from inertial.runs.settings import ModelSettings
from inertial.simulation.linearised import linearised_loss
from inertial.simulation.simulate import simulate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
torch = pytest.importorskip("torch")
inertial_torch = pytest.importorskip("inertial.torch")


def digits(n=60):
    x, y = load_digits(return_X_y=True)
    return (x[:n] / 16).astype(np.float32), y[:n]


def module():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.Tanh(), torch.nn.Linear(16, 10))


@pytest.fixture(scope="module")
def pair():
    (x, y), net = digits(), module()
    ours = inertial_torch.problem(net, x, y, loss=torch.nn.CrossEntropyLoss())
    params = [
        (jnp.array(layer.weight.detach().numpy()), jnp.array(layer.bias.detach().numpy()))
        for layer in (net[0], net[2])
    ]
    apply = MLP(64, (16,), 10, "tanh").apply
    return ours, Problem.from_apply(apply, params, x, y, loss="cross_entropy")


def test_products_and_measure_are_those_of_jax(pair):
    ours, theirs = (tangent(problem) for problem in pair)
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-6)
    expected = theirs.product(theirs.start)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(ours.product(ours.start), expected, atol=1e-5 * scale)
    assert ours.measure(6).largest == pytest.approx(theirs.measure(6).largest, rel=1e-5)
    shares = list(ours.shares(ours.start).values())
    np.testing.assert_allclose(shares, list(theirs.shares(theirs.start).values()), rtol=1e-4)


def test_training_and_advice_are_those_of_jax(pair):
    eta, beta, gamma = (np.full(30, value) for value in (0.3, 0.9, 0.9))
    ours, theirs = (problem.advance(problem.begin(), eta, beta, gamma)[1] for problem in pair)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    ours, theirs = (tune(problem, target=0.1, trials=7) for problem in pair)
    assert ours.best.measured_steps == theirs.best.measured_steps
    assert ours.suggestion == theirs.suggestion


def test_the_copied_line_keeps_its_promise_and_the_module_is_left_as_it_was():
    (x, y), net, loss = digits(), module(), torch.nn.CrossEntropyLoss()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    advice = tune(inertial_torch.problem(net, x, y, loss=loss), target=0.1, trials=7)
    assert net.training
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])
    line = advice.lines.splitlines()[1]
    optimiser = eval(line, {"torch": torch, "model": net})  # noqa: S307 - our own line
    losses = []
    for _ in range(advice.best.measured_steps + 1):
        optimiser.zero_grad()
        value = loss(net(torch.tensor(x)), torch.tensor(y))
        losses.append(value.item())
        value.backward()
        optimiser.step()
    assert losses[-1] <= 0.1 * losses[0]


def test_a_loader_gives_all_rows_and_says_that_it_shuffles():
    x, y = digits(20)
    rows = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    loader = torch.utils.data.DataLoader(rows, batch_size=8, shuffle=True)
    with pytest.warns(UserWarning, match="the loader shuffles"):
        problem = inertial_torch.problem(module(), loader, loss=torch.nn.CrossEntropyLoss())
    assert problem.rows == 20
    straight = inertial_torch.problem(module(), x, y, loss="cross_entropy")
    begin = problem.linearise().outputs
    assert problem.loss_of(begin) == pytest.approx(
        straight.loss_of(straight.linearise().outputs), rel=1e-6
    )


def test_a_loader_that_drops_rows_says_how_many():
    rows = torch.utils.data.TensorDataset(*map(torch.tensor, digits(20)))
    loader = torch.utils.data.DataLoader(rows, batch_size=8, drop_last=True)
    with pytest.warns(UserWarning, match="4 rows are left out, since the loader has drop_last"):
        problem = inertial_torch.problem(module(), loader, loss="cross_entropy")
    assert problem.rows == 16
    whole = torch.utils.data.DataLoader(rows, batch_size=5, drop_last=True)
    inertial_torch.problem(module(), whole, loss="cross_entropy")  # no word: it would be an error


def test_a_loader_over_a_stream_gives_what_it_has():
    """A stream has no length, so that nobody knows how many rows its loader drops."""

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(*map(torch.tensor, digits(20)), strict=True))

    loader = torch.utils.data.DataLoader(Stream(), batch_size=8, drop_last=True)
    assert inertial_torch.problem(module(), loader, loss="cross_entropy").rows == 16


def test_a_module_without_its_data_is_told_where_both_go():
    x, y = digits(20)
    for given in ((module(),), (module(), x), (module(), x, y)):
        with pytest.raises(InvalidInput, match=r"inertial.torch.problem\(module, x, y, loss=...\)"):
            tune(*given)
    assert tune(inertial_torch.problem(module(), x, y, loss="cross_entropy"), trials=0)


def test_a_preconditioner_in_the_order_of_the_parameters_is_theirs():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.z, self.a = (torch.nn.Parameter(torch.eye(3)) for _ in range(2))

        def forward(self, x):
            return (x @ self.z + 3 * x @ self.a)[:, :1]

    x, y = torch.randn(8, 3), torch.randn(8, 1)
    parts = {"z": torch.full((3, 3), 2.0), "a": torch.full((3, 3), 0.5)}
    operator = tangent(inertial_torch.problem(Two(), x, y, loss="half_sum"))
    found = [operator.preconditioned(one).product(np.ones(8)) for one in (parts, [*parts.values()])]
    np.testing.assert_array_equal(*found)
    expected = (2.0 + 0.5 * 9) * (x @ x.T).numpy() @ np.ones(8)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)


def test_class_numbers_stay_whole_for_a_function_of_ones_own():
    x, y, module = torch.randn(8, 3), torch.arange(8) % 2, torch.nn.Linear(3, 2)
    problem = inertial_torch.problem(module, x, y, loss=torch.nn.functional.cross_entropy)
    losses = problem.advance(problem.begin(), *np.array([[0.1, 0.5, 0.0]] * 3).T)[1]
    expected = torch.nn.functional.cross_entropy(module(x), y).item()
    assert losses[0] == pytest.approx(expected, rel=1e-5)
    assert losses[2] < losses[0]


def test_a_loss_of_every_row_is_told_to_give_one_number():
    x, y, module = torch.randn(8, 3), torch.randn(8, 2), torch.nn.Linear(3, 2)
    with pytest.raises(InvalidInput, match="gives 8 numbers; give a function that returns one"):
        inertial_torch.problem(module, x, y, loss=lambda f, y: ((f - y) ** 2).mean(1))
    inertial_torch.problem(module, x, y, loss=lambda f, y: ((f - y) ** 2).mean(1).mean())


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (lambda v: v.mean(1), "the loss <lambda> gives 8 numbers; give a function that returns"),
        (lambda v: v.mean().item(), "the loss <lambda> gives a float; .* without .item"),
        (lambda v: (v.mean(), v), "the loss <lambda> gives a tuple; .* a tensor of one number"),
        (lambda _: None, "the loss <lambda> gives a NoneType; .* a tensor of one number"),
    ],
)
def test_a_loss_that_gives_no_tensor_of_one_number_is_one_sentence(gives, words):
    x, y, module = torch.randn(8, 3), torch.randn(8, 2), torch.nn.Linear(3, 2)
    with pytest.raises(InvalidInput, match="^" + words):
        inertial_torch.problem(module, x, y, loss=lambda f, y: gives((f - y) ** 2))
    inertial_torch.problem(module, x, y, loss=lambda f, y: ((f - y) ** 2).mean())


def test_a_loss_without_a_second_derivative_is_told_to_be_written_otherwise():
    """As clamp, squares and sum say it, the same loss is tuned."""
    torch.manual_seed(0)
    x, y, module = torch.randn(30, 3), torch.arange(30) % 3, torch.nn.Linear(3, 3)
    margin = torch.nn.MultiMarginLoss(p=2)
    with pytest.raises(
        InvalidInput, match=r"no second derivative of the loss MultiMarginLoss .*clamp"
    ):
        tune(inertial_torch.problem(module, x, y, loss=margin), trials=0)

    def written(f, y):
        others = 1 - torch.nn.functional.one_hot(y, 3)
        above = (1 - f.gather(1, y[:, None]) + f).clamp(min=0) ** 2
        return (others * above).sum() / f.numel()

    assert written(module(x), y).item() == pytest.approx(margin(module(x), y).item(), rel=1e-6)
    advice = tune(inertial_torch.problem(module, x, y, loss=written), target=0.9, trials=3)
    assert advice.best.measured_steps is not None


class Squares(torch.autograd.Function):
    """An operation of the old form, which has no forward derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


def test_a_layer_without_forward_derivatives_is_one_sentence():
    class Layer(torch.nn.Linear):
        def forward(self, x):
            return Squares.apply(super().forward(x))

    x, y = torch.randn(8, 3), torch.randn(8, 2)
    with pytest.raises(InvalidInput, match=r"cannot be differentiated forwards .*other operations"):
        inertial_torch.problem(Layer(3, 2), x, y)


def mixed(f, y):
    """A number and a class, from outputs side by side."""
    return torch.nn.functional.mse_loss(f[:, 0], y[:, 0]) + torch.nn.functional.cross_entropy(
        f[:, 1:], y[:, 1].long()
    )


def tokens(f, y):
    return torch.nn.functional.cross_entropy(f.reshape(-1, 2, 2), y)


def test_several_inputs_and_targets_stand_side_by_side():
    """Whatever holds them apart is refused with that remedy, which works; rows in a list do."""

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(3, 2), torch.nn.Linear(2, 4)

        def forward(self, x):
            return torch.nn.functional.pad(self.a(x[:, :3]), (0, 2)) + self.b(x[:, 3:])

    torch.manual_seed(0)
    x, y = (torch.randn(20, 3), torch.randn(20, 2)), (torch.randn(20), torch.arange(20) % 3)
    beside = torch.cat(x, 1), torch.stack(y, 1)
    for apart in (y, list(y), {"a": y[0], "b": y[1]}, (y[0], x[0])):
        with pytest.raises(InvalidInput, match=r"targets are a .*side by side in it, which"):
            inertial_torch.problem(Two(), beside[0], apart, loss=mixed)
    for apart in (x, (x[0], x[0]), [x[0], x[0]], {"a": x[0]}):
        with pytest.raises(InvalidInput, match=r"inputs are a .*side by side in it, which"):
            inertial_torch.problem(Two(), apart, beside[1], loss=mixed)
        with pytest.raises(InvalidInput, match="inputs are a "):
            inertial_torch.problem(Two(), *beside, loss=mixed, test=(apart, beside[1]))
    whole = inertial_torch.problem(Two(), *beside, loss=mixed)
    assert tune(whole, target=0.7, trials=3).best.measured_steps is not None
    listed = inertial_torch.problem(Two(), list(beside[0]), tuple(beside[1]), loss=mixed)
    begin = whole.linearise().outputs
    assert listed.loss_of(begin) == whole.loss_of(begin)


def test_outputs_of_more_dimensions_stand_side_by_side_and_are_reshaped_in_the_loss():
    torch.manual_seed(0)
    x, y, flat = torch.randn(20, 3), torch.arange(40).reshape(20, 2) % 2, torch.nn.Linear(3, 4)
    net = torch.nn.Sequential(flat, torch.nn.Unflatten(1, (2, 2)))
    loss = torch.nn.CrossEntropyLoss()
    with pytest.raises(InvalidInput, match=r"\(20, 2, 2\) .* side by side, .* splits and reshapes"):
        inertial_torch.problem(net, x, y, loss=loss)
    problem = inertial_torch.problem(flat, x, y, loss=tokens)
    assert tangent(problem).loss == pytest.approx(loss(net(x), y).item(), rel=1e-6)


def test_a_module_of_other_rows_than_its_inputs_is_one_sentence():
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Flatten(0), torch.nn.Unflatten(0, (2, 16))
    )
    with pytest.raises(InvalidInput, match=r"outputs of shape \(2, 16\) for 8 rows"):
        inertial_torch.problem(net, torch.randn(8, 3), torch.randn(8))


def test_batch_normalisation_without_stored_statistics_is_not_said_to_keep_to_them():
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    for stored in (True, False):
        norm = torch.nn.BatchNorm1d(3, track_running_stats=stored)
        module = torch.nn.Sequential(norm, torch.nn.Linear(3, 1))
        if stored:
            with pytest.warns(Notice, match="keeps to its stored means"):
                inertial_torch.problem(module, x, y)
        else:  # no word: filters make it an error
            with pytest.raises(InvalidInput, match="mixes rows"):
                inertial_torch.problem(module, x, y)


def mean_square(f, y):
    return ((f - y) ** 2).mean()


@pytest.mark.parametrize(
    "loss",
    [torch.nn.MSELoss(), torch.nn.functional.mse_loss, torch.nn.L1Loss(), mean_square],
)
@pytest.mark.parametrize("flat", [False, True])
def test_targets_that_a_loss_would_broadcast_are_named(loss, flat):
    x, module = torch.randn(8, 3), torch.nn.Linear(3, 1)
    y = 0.9 * module(x).detach().reshape(8)
    module = torch.nn.Sequential(module, torch.nn.Flatten(0)) if flat else module
    other, same = (y[:, None], y) if flat else (y, y[:, None])
    words = (
        f"outputs have shape {(8,) if flat else (8, 1)} and the targets {tuple(other.shape)}: in "
        "your own loop the loss would compare each row with all targets; give targets of shape "
        f"{tuple(same.shape)} there."
    )
    with pytest.warns(Notice, match=re.escape(words)):
        inertial_torch.problem(module, x, other, loss=loss)
    inertial_torch.problem(module, x, same, loss=loss)  # no word: filters make it an error
    given = loss(module(x), same)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert loss(module(x), other) > 2 * given


@pytest.mark.parametrize(
    "loss",
    [
        lambda f, y: torch.nn.functional.mse_loss(f.squeeze(1), y),
        lambda f, y: torch.nn.functional.huber_loss(f[:, 0], y, reduction="sum"),
        lambda f, y: torch.nn.functional.binary_cross_entropy_with_logits(f.squeeze(1), y),
    ],
)
def test_a_loss_of_ones_own_is_called_on_the_shapes_of_ones_own_loop(loss):
    torch.manual_seed(0)
    x, y = torch.randn(30, 3), (torch.randn(30) > 0).float()
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    problem = inertial_torch.problem(module, x, y, loss=loss)
    assert tangent(problem).loss == pytest.approx(loss(module(x), y).item(), rel=1e-6)
    steps = problem.advance(problem.begin(), *np.array([[0.01, 0.5, 0.0]] * 9).T)[1]
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.5)
    own = []
    for _ in range(9):
        optimizer.zero_grad()
        value = loss(module(x), y)
        value.backward()
        optimizer.step()
        own.append(value.item())
    np.testing.assert_allclose(steps, own, rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "outputs", "wrong"),
    [(torch.nn.BCEWithLogitsLoss(), 1, (8,)), (torch.nn.CrossEntropyLoss(), 3, (8, 1))],
)
def test_targets_that_a_loss_would_refuse_are_named(loss, outputs, wrong):
    x, y, module = torch.randn(8, 3), torch.arange(8) % 2, torch.nn.Linear(3, outputs)
    y = y if outputs > 1 else y.to(torch.float32)
    right = (8,) if outputs > 1 else (8, 1)
    with pytest.raises((ValueError, RuntimeError)):
        loss(module(x), y.reshape(wrong))
    words = f"the loss would refuse them; give targets of shape {right} there."
    with pytest.warns(Notice, match=re.escape(words)):
        inertial_torch.problem(module, x, y.reshape(wrong), loss=loss)
    inertial_torch.problem(module, x, y.reshape(right), loss=loss)


def test_dropout_and_batch_norm_act_as_in_evaluation():
    x, y = digits(20)
    net = torch.nn.Sequential(
        torch.nn.Linear(64, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(), torch.nn.Linear(8, 10)
    )
    words = "dropout is off and batch normalisation keeps to its stored means .* module.eval"
    with pytest.warns(UserWarning, match=words):
        problem = inertial_torch.problem(net, x, y, loss="cross_entropy")
    advice = tune(problem, target=0.5, trials=3)
    assert "measured on the model itself in evaluation mode" in advice.recommendation
    assert problem.evaluation in advice.table
    assert advice.lines.splitlines()[1].endswith("# after model.eval()")
    with torch.no_grad():
        expected = net.eval()(torch.tensor(x)).numpy()
    np.testing.assert_allclose(problem.linearise().outputs, expected, rtol=1e-5, atol=1e-6)


def test_a_comparison_and_its_page_say_that_they_are_for_evaluation(tmp_path, capsys, monkeypatch):
    """By the words of `tune`, which every start of a model warns of, and a command says once."""
    (tmp_path / "own_dropped.py").write_text(
        "import torch\n\ndef build(inputs, outputs):\n"
        "    return torch.nn.Sequential(torch.nn.Linear(inputs, outputs), torch.nn.Dropout())\n"
    )
    monkeypatch.chdir(tmp_path)
    model = ("digits", "--n", 40, "--model", "own_dropped:build")
    code, out, err = run(
        capsys, "compare", *model, "--methods", "heavy_ball", "--eta", 0.5, "--beta", 0.5,
        "--steps", 12, "--seeds", 3, "--out", "run",
    )  # fmt: skip
    assert code == 0, err
    words = "all of this is for evaluation mode, where dropout is off: call module.eval()"
    assert out.count(words) == err.count(words) == 1
    assert run(capsys, "report", "run", "-o", "run.html")[0] == 0
    page = (tmp_path / "run.html").read_text()
    assert page.count(words.capitalize()) == page.count("  # after model.eval()") == 1
    assert words in run(capsys, "tune", *model, "--trials", 2)[1]
    code, _, err = run(capsys, "explore", *model, "--trials", 0, "--steps", 5, "-o", "explore.html")
    assert (code, err.count(words)) == (0, 1)
    assert words.capitalize() in (tmp_path / "explore.html").read_text()


def test_a_module_that_seeds_itself_has_one_start(tmp_path, capsys, monkeypatch):
    """And the remedy that is named, to take the seed, makes it three."""
    source = (
        "import torch\n\ndef build(inputs, outputs):\n"
        "    torch.manual_seed(0)\n    return torch.nn.Linear(inputs, outputs)\n"
    )
    taken = source.replace("outputs):", "outputs, seed):").replace("(0)", "(seed)")
    monkeypatch.chdir(tmp_path)
    for name, text, starts in (("own_seeded", source, 1), ("own_taking", taken, 3)):
        (tmp_path / f"{name}.py").write_text(text)
        code, out, err = run(
            capsys, "compare", "digits", "--n", 40, "--model", f"{name}:build", "--methods",
            "heavy_ball", "--eta", 0.5, "--beta", 0.5, "--steps", 5, "--seeds", 3, "--out", name,
        )  # fmt: skip
        assert code == 0, err
        said = f"{name}:build gives the same parameters for every seed, so there is one start; "
        assert (said in err) == (starts == 1)
        assert f"{starts} start{'s' if starts > 1 else ''}\n" in out


class Attention(torch.nn.Module):
    """Queries, keys and values of one head, by PyTorch's own function, and a norm."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = torch.nn.Linear(8, 24), torch.nn.LayerNorm(8)

    def forward(self, x):
        parts = self.first(x).chunk(3, -1)
        return self.norm(torch.nn.functional.scaled_dot_product_attention(*parts))


class Recurrent(torch.nn.Module):
    """All states of a layer of the LSTM."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.LSTM(8, 4, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0]


def encoder():
    return torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


@pytest.mark.parametrize("inner", [Attention, Recurrent, encoder])
def test_sequences_have_the_products_of_their_dense_jacobian(inner):
    """Fast kernels of these layers have no forward derivative; the dense one is taken backwards."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Unflatten(1, (8, 8)), inner(), torch.nn.Flatten(), torch.nn.LazyLinear(1)
    ).eval()
    x, y = digits(6)
    net(torch.tensor(x))
    problem = inertial_torch.problem(net, x, y[:, None], loss="half_sum")
    operator = tangent(problem)
    rows = []
    for out in net(torch.tensor(x)):
        found = torch.autograd.grad(out, list(net.parameters()), retain_graph=True)
        rows.append(np.concatenate([g.numpy().ravel() for g in found]))
    dense = np.array(rows, float)
    v = np.arange(1.0, 7.0)
    expected = dense @ (dense.T @ v)
    np.testing.assert_allclose(operator.product(v), expected, rtol=1e-4)


WEIGHT = torch.linspace(1, 2, 10)


def weighted(f, y):
    return torch.nn.functional.cross_entropy(f, y, weight=WEIGHT)


def in_place(f, y):
    found = torch.zeros(len(f))
    found[:] = torch.nn.functional.cross_entropy(f, y, weight=WEIGHT, reduction="none")
    return found.sum()


def codes(f, y):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return (f - torch.nn.Embedding(10, 10)(y).detach()).pow(2).mean()


def normed(f, y):
    return torch.nn.functional.cross_entropy(torch.nn.BatchNorm1d(10).eval()(f), y)


class Holding(torch.nn.Module):
    """A loss with a tensor that is no buffer, which `to` does not convert."""

    def __init__(self):
        super().__init__()
        self.held = torch.eye(10) + 0.1

    def forward(self, f, y):
        return torch.nn.functional.cross_entropy(f @ self.held, y)


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        (weighted, 10),
        (in_place, 10),
        (codes, 10),
        (normed, 10),
        (Holding(), 10),
        (torch.nn.CrossEntropyLoss(label_smoothing=0.1), 10),
        (torch.nn.CrossEntropyLoss(weight=torch.linspace(1, 2, 10)), 10),
        (torch.nn.HuberLoss(), 1),
        (torch.nn.MSELoss(reduction="sum"), 1),
        (torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0])), 1),
    ],
)
def test_other_losses_of_torch_keep_their_settings(loss, outputs):
    """Loss, curvature and training are the loss's own, in double precision whatever it holds."""
    x, y = digits(20)
    if outputs == 1:
        y = (y % 2).astype(np.float32)[:, None]
    net = torch.nn.Sequential(module(), torch.nn.Linear(10, outputs))
    problem = inertial_torch.problem(net, x, y, loss=loss)
    begin = problem.linearise().outputs
    expected = loss(torch.tensor(begin, dtype=torch.float32), torch.tensor(y)).item()
    assert problem.loss_of(begin) == pytest.approx(expected, rel=1e-5)
    along = np.cos(np.arange(begin.size)).reshape(begin.shape)
    above, below = (problem.gradient_of(begin + sign * 1e-6 * along) for sign in (1, -1))
    numeric = (above - below) / 2e-6
    scale = np.abs(numeric).max()
    np.testing.assert_allclose(problem.hessian_of(begin)(along), numeric, atol=1e-6 * scale)
    advice = tune(problem, target=0.7, trials=7)
    assert advice.best.measured_steps is not None


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_a_loss_that_changes_what_it_holds_is_one_sentence(kind, weight):
    (x, y), calls = digits(20), torch.zeros((), dtype=kind)

    def counting(f, y):
        found = torch.nn.functional.cross_entropy(f, y, weight=weight)
        calls.add_(1)
        return found

    with pytest.raises(InvalidInput, match=r"^the loss changes a tensor .* targets alone, .*$"):
        inertial_torch.problem(module(), x, y, loss=counting)


def test_a_loss_that_does_not_see_the_outputs_is_one_sentence():
    """In a thread of its own PyTorch has no gradient of it."""

    def elsewhere(f, y):
        with ThreadPoolExecutor() as pool:
            return pool.submit(torch.nn.functional.cross_entropy, f, y).result()

    with pytest.raises(InvalidInput, match="the loss does not change with the outputs"):
        tune(inertial_torch.problem(module(), *digits(20), loss=elsewhere), trials=0)


def test_shares_of_classes_are_targets_of_the_cross_entropy():
    x, y = digits(20)
    shares = np.eye(10, dtype=np.float32)[y]
    problems = [
        inertial_torch.problem(module(), x, targets, loss=torch.nn.CrossEntropyLoss())
        for targets in (y, shares)
    ]
    numbers, soft = (tangent(problem).measure(4) for problem in problems)
    np.testing.assert_allclose(soft.nodes, numbers.nodes, rtol=1e-5)
    np.testing.assert_allclose(soft.weights, numbers.weights, rtol=1e-4)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_single(kind):
    x, y = digits(20)
    x = torch.tensor(x).to(kind).float()
    net = torch.nn.Sequential(module(), torch.nn.BatchNorm1d(10)).eval().to(kind)
    half, single = (
        tangent(inertial_torch.problem(n, x, y, loss="cross_entropy")).measure(8)
        for n in (net, copy.deepcopy(net).float())
    )
    np.testing.assert_allclose(half.nodes, single.nodes, rtol=1e-6)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_targets_in_half_precision_are_taken(kind):
    x = torch.linspace(-1, 1, 60).reshape(20, 3).to(kind)
    net = torch.nn.Linear(3, 3).to(kind)
    made = inertial_torch.problem(net, x, x, loss=torch.nn.MSELoss())
    np.testing.assert_array_equal(made.y, x.float().numpy())


@pytest.mark.parametrize(
    ("loss", "targets", "words"),
    [
        (torch.nn.NLLLoss(), None, "without its last LogSoftmax, and torch.nn.CrossEntropyLoss"),
        (torch.nn.BCELoss(), None, "without its last Sigmoid, and torch.nn.BCEWithLogitsLoss"),
        (torch.nn.KLDivLoss(), None, "without its last LogSoftmax, and .*CrossEntropyLoss.*shares"),
        (torch.nn.CrossEntropyLoss, None, r"is the class .*; call it: CrossEntropyLoss\(\)"),
        (torch.nn.MSELoss(reduction="none"), None, "give it reduction='mean' or 'sum'"),
        (torch.nn.GaussianNLLLoss(), None, "GaussianNLLLoss cannot take outputs"),
        ("cross_entropy", np.array(["a", "b"] * 10), "numpy.unique"),
    ],
)
def test_a_loss_that_does_not_fit_is_one_sentence(loss, targets, words):
    x, y = digits(20)
    given = np.eye(10)[y] if targets is None else targets
    with pytest.raises(InvalidInput, match=words):
        inertial_torch.problem(module(), x, given, loss=loss)


def test_the_cross_entropy_of_shares_has_the_gradient_of_the_divergence():
    f, shares = torch.randn(8, 3), torch.randn(8, 3).softmax(1)
    plain, on_logits = (
        torch.func.grad(loss)(f)
        for loss in (
            lambda f: torch.nn.KLDivLoss(reduction="batchmean")(f.log_softmax(1), shares),
            lambda f: torch.nn.CrossEntropyLoss()(f, shares),
        )
    )
    np.testing.assert_allclose(plain, on_logits, atol=1e-7)


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize(
    ("ignored", "settings"),
    [
        (-100, {}),
        (-1, {"ignore_index": -1, "reduction": "sum"}),
        (0, {"ignore_index": 0}),
        (-1, {"ignore_index": -1, "weight": torch.linspace(1, 2, 10), "label_smoothing": 0.1}),
    ],
)
def test_rows_that_a_cross_entropy_ignores_are_left_out(ignored, settings, column):
    """Losses of a loop of one's own over all rows are those of the problem, step by step."""
    x, y = map(torch.tensor, digits(40))
    y[::3] = ignored
    net, loss = module(), torch.nn.CrossEntropyLoss(**settings)
    words = f"rows are left out, since the loss ignores their target {ignored}"
    given, rate = (y[:, None] if column else y), 0.002 if loss.reduction == "sum" else 0.05
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        problem = inertial_torch.problem(net, x, given, loss=loss, test=(x[:6], given[:6]))
    said = [str(one.message) for one in told if words in str(one.message)]
    gone = int((y == ignored).sum()), int((y[:6] == ignored).sum())
    assert [one.split(" rows")[0] for one in said] == [f"{gone[0]} of 40", f"{gone[1]} of 6"]
    assert (problem.rows, problem.test.rows) == (40 - gone[0], 6 - gone[1])
    found = problem.advance(problem.begin(), *np.array([[rate, 0.5, 0.0]] * 5).T)[1]
    optimizer, own = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.5), []
    for _ in range(5):
        optimizer.zero_grad()
        value = loss(net(x), y)
        value.backward()
        optimizer.step()
        own.append(value.item())
    np.testing.assert_allclose(found, own, rtol=1e-5)


def test_targets_that_are_all_ignored_are_one_sentence():
    x, y = digits(8)
    with pytest.raises(InvalidInput, match="all targets are -100, which the loss ignores"):
        inertial_torch.problem(module(), x, 0 * y - 100, loss=torch.nn.CrossEntropyLoss())


def test_inputs_that_are_not_finite_are_named():
    x, y = digits(20)
    x[3, 2] = np.nan
    with pytest.raises(InvalidInput, match="inputs have entries that are not finite"):
        inertial_torch.problem(module(), x, y, loss="cross_entropy")


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (torch.nn.Flatten, "no parameter that is trained"),
        (lambda: torch.nn.Unflatten(1, (8, 8)), "no parameter that is trained"),
        (lambda: torch.nn.Sequential(module(), torch.nn.Unflatten(1, (2, 5))), r"\(20, 2, 5\)"),
    ],
)
def test_a_mistake_is_one_sentence(net, words):
    with pytest.raises(InvalidInput, match=words):
        inertial_torch.problem(net(), *digits(20), loss="cross_entropy")


def batches(*rows):
    return torch.utils.data.DataLoader(list(rows))


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"module": torch.nn.LazyLinear(10)}, "has no values yet; call the module once"),
        ({"module": module().to("meta")}, "has no values yet"),
        ({"x": torch.ones(20, 63)}, r"cannot take inputs of shape \(20, 63\)"),
        ({"x": torch.ones(20, 64, dtype=torch.int64)}, "and type torch.int64"),
        ({"x": torch.eye(64).to_sparse()}, "inputs are sparse, complex or without values"),
        ({"x": torch.ones(())}, "there are no rows"),
        ({"y": 1, "loss": torch.nn.CrossEntropyLoss()}, r"the targets have shape \(\)"),
        ({"test": (torch.ones(20, 64),)}, "test has 1 parts; give inputs and targets"),
        ({"x": batches({"a": 1.0, "b": 2.0}), "y": None}, "the loader gives no pairs"),
        ({"x": batches(("a", "b")), "y": None}, "the loader gives no pairs"),
        ({"x": batches((torch.ones(3), 1), (torch.ones(4), 1)), "y": None}, "of several shapes"),
    ],
)
def test_what_is_no_module_no_tensor_and_no_loader_of_pairs_is_one_sentence(odd, words):
    x, y = digits(20)
    given = {"module": module(), "x": x, "y": y, "loss": "cross_entropy"} | odd
    with pytest.raises(InvalidInput, match=words):
        inertial_torch.problem(**given)


def test_a_loss_without_a_name_of_its_own_is_taken():
    x, y = digits(20)
    loss = functools.partial(torch.nn.functional.cross_entropy, label_smoothing=0.1)
    assert inertial_torch.problem(module(), x, y, loss=loss).loss.name == "partial"


def test_a_monitor_looks_at_the_module_in_another_precision():
    x, y = digits(20)
    net = module()
    monitor = Monitor(inertial_torch.problem(net, x, y, loss="cross_entropy"), {"lr": 0.1}, every=1)
    seen, again = monitor.look(0, net), monitor.look(0, copy.deepcopy(net).double())
    np.testing.assert_equal(seen, again)
    with pytest.raises(InvalidInput, match="have no values"):
        monitor.look(0, copy.deepcopy(net).to("meta"))


def test_the_command_takes_a_module_of_ones_own(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(
        "import torch\n\ndef net(inputs, outputs):\n    torch.manual_seed(0)\n"
        "    return torch.nn.Linear(inputs, outputs)\n"
    )
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(
        capsys, "tune", "diabetes", "--n", 40, "--model", "mine:net", "--trials", 5,
        "--target", 0.7, "--standardize",
    )  # fmt: skip
    assert code == 0
    assert "Linear, 11 parameters; loss mse over 40 rows" in out


def test_a_module_of_torch_is_not_spread_over_devices(tmp_path, monkeypatch):
    """It is refused as a command builds it, and what the sentence asks for works."""
    from inertial import load
    from inertial.commands.models import problem_of

    (tmp_path / "own_net.py").write_text(
        "import torch\n\ndef net(inputs, outputs):\n    return torch.nn.Linear(inputs, outputs)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    data = load("digits", n=20)
    with pytest.raises(InvalidInput, match=r"net is a PyTorch module.*leave out --devices"):
        problem_of("own_net:net", data, None, devices=2)
    assert problem_of("own_net:net", data, None).rows == 20


@pytest.mark.parametrize("name", ["adam", "rmsprop", "adamw"])
def test_a_transformation_of_optax_trains_a_module_as_it_trains_jax(pair, name):
    found = [
        (
            simulate(problem, getattr(optax, name)(0.01), steps=8).loss,
            linearised_loss(problem, tangent(problem), getattr(optax, name)(0.01), 8),
        )
        for problem in pair
    ]
    np.testing.assert_allclose(*found, rtol=1e-4)
    assert found[0][0][-1] < 0.9 * found[0][0][0]


def test_on_batches_a_module_is_trained_by_a_recursion(pair):
    with pytest.raises(InvalidInput, match="give one, or leave out the batch"):
        simulate(pair[0], optax.adam(0.01), steps=3, batch=10)
    assert len(simulate(pair[0], heavy_ball(0.1, 0.5), steps=3, batch=10).loss) == 4


def test_methods_of_optax_are_compared_on_a_module(pair, tmp_path):
    settings = ModelSettings(methods=("heavy_ball", "adam", "lion"), steps=10, target=0.1)
    with pytest.warns(Notice, match="no rule chooses the step size of lion"):
        found = compare(pair[0], settings, out=tmp_path / "c").arrays
    losses = found.loss.sel(optimizer="adam").values.ravel()
    assert losses[-1] < losses[0]
    assert np.isfinite(found.forecast_loss.values).all()


def test_a_loss_without_curvature_is_refused_as_for_jax():
    x = torch.randn(60, 4)
    problem = inertial_torch.problem(torch.nn.Linear(4, 1), x, x[:, :1], loss=torch.nn.L1Loss())
    with pytest.raises(InvalidInput, match="no curvature in the outputs"):
        tune(problem, target=0.5)
