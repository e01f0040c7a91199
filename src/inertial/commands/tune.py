"""`inertial tune`: step size and momentum for a data set, and how long training will take."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from inertial import _json, files
from inertial._checks import InvalidInput, nonnegative
from inertial.commands.options import (
    DATA,
    ONE_DEVICE,
    DataOptions,
    DeviceOptions,
    Whole,
    Words,
    split,
)
from inertial.commands.terminal import progress, say, show_table, write

if TYPE_CHECKING:
    from inertial.data import Data
    from inertial.linear.measure import Measure
    from inertial.problem.problem import Trainable
    from inertial.runs.advised import Advice
    from inertial.runs.shown import Shown

_WORTH_SAYING = 10.0
"""Seconds from which what a command will take is said beforehand."""

_ANOTHER = "give another path with --spectrum."


@Parameter(name="*")
@dataclass(frozen=True)
class OwnOptions:
    """A spectrum or a kernel of the user's own, instead of data."""

    from_spectrum: Path | None = None
    "Instead of DATA: eigenvalues of J J' of the loss 1/2 sum r^2, in any order (.npy, .npz, .csv)."
    weights: Path | None = None
    "Squared coordinates of the residual in their eigenvectors, in that order (default: equal)."
    kernel: Path | None = None
    "Instead of DATA: the matrix J J' itself, with --residual."
    residual: Path | None = None
    "Outputs minus targets at the start."

    def measure(self) -> "Measure | None":
        """Return the measure of these files, None if there are none."""
        from inertial.data.arrays import read_array
        from inertial.linear.measure import Measure

        if self == OWN:
            return None
        if self.from_spectrum is not None and self.kernel is None and self.residual is None:
            nodes = read_array(self.from_spectrum, vector=True)
            if self.weights is None:
                say("note", "no --weights: every eigenvalue counts the same.")
                return Measure.from_spectrum(nodes)
            return Measure.from_spectrum(nodes, read_array(self.weights, vector=True))
        if (
            self.kernel is None
            or self.residual is None
            or self.weights is not None
            or self.from_spectrum is not None
        ):
            raise InvalidInput(
                "a measure of your own is --from-spectrum, with --weights if you know them, or "
                "--kernel with --residual; give one of the two."
            )
        return Measure.from_kernel(read_array(self.kernel), read_array(self.residual, vector=True))


OWN = OwnOptions()
"""No files of the user's own."""


def tune(
    data: str | None = None,
    *,
    rule: str | None = None,
    target: float | None = None,
    width: Whole | None = None,
    model: str | None = None,
    loss: str | None = None,
    trials: Whole | None = None,
    passes: Whole | None = None,
    methods: Words | None = None,
    batch: Whole | None = None,
    test: str | None = None,
    decay: float = 0.0,
    module: Literal["torch", "flax", "keras"] | None = None,
    spectrum: Path | None = None,
    json: bool = False,
    own: OwnOptions = OWN,
    options: DataOptions = DATA,
    spread: DeviceOptions = ONE_DEVICE,
) -> None:
    """Recommend step size and momentum for DATA, and forecast how long training will take.

    Parameters
    ----------
    data
        A name from `inertial data list`, or the path of a table (CSV, Parquet) or .npz file.
    rule
        forecast, paper, quadratic, wang2020, or optimal for a step size and a momentum for each
        step (default: forecast), for the papers' network.
    target
        Share of the initial loss to reach (default: 0.01, or 0.1 with --model).
    width
        Neurons of the papers' network that the forecast is judged and checked for (default: 2000).
    model
        Another network than the papers': mlp:256x2 (or mlp:300,100, with :tanh or :gelu behind it),
        or module:function, where function(inputs, outputs) returns (params, apply) for JAX or a
        torch.nn.Module; a parameter seed gets 0, and key jax.random.key(0).  The recommendation is
        the fastest setting that it was trained at.
    loss
        Loss of that model: mse, half_sum, cross_entropy or binary_cross_entropy (default: by the
        targets).
    trials
        Settings that are trained, at most (default: 60; on the papers' network one or two if the
        first keeps its promise); 0 gives the forecast alone, unchecked.
    passes
        Losses with gradient of all rows after which the search for that model ends (default:
        50000).
    methods
        Families to search for that model, of gradient_descent, heavy_ball, nesterov, adam and
        rmsprop (default: heavy_ball,nesterov).
    batch
        Tune for fresh batches of this many rows instead of all: steps and samples of the expected
        loss, and the sizes at which noise limits the step and from which on momentum pays nearly in
        full.  All trials train on such batches.
    test
        Hold out this share of the rows (0.2), or take the rows of this file, with the same columns:
        loss and accuracy there along forecast and real run, and when to stop.
    decay
        Rate of weight decay, as weight_decay of torch.optim.SGD.
    module
        Print the papers' network as a module to copy, with its optimiser: torch, flax or keras.
    spectrum
        Write all eigenvalues of the papers' kernel, ascending, to this .npy file.
    json
        Print one JSON document instead of the table.
    """
    if spread != ONE_DEVICE and model is None:
        raise InvalidInput(
            "--devices and --processes spread the rows of a model; name one with --model, or take "
            "inertial compare."
        )
    spread.begin()
    from inertial.linear.expected import need_of
    from inertial.method.rules import DEFAULT_RULE
    from inertial.runs import advice
    from inertial.runs.tuning import TRIALS

    _check_words(
        model=model, rule=rule, loss=loss, batch=batch, spectrum=spectrum, module=module,
        width=width, methods=methods, passes=passes,
    )  # fmt: skip
    _check_extras(test, nonnegative("decay", decay), batch, rule, model)
    measure = own.measure()
    goal = 0.01 if target is None else target
    if measure is not None:
        given = (
            data,
            width,
            model,
            loss,
            batch,
            module,
            spectrum,
            trials or None,
            test,
            decay or None,
        )
        if any(word is not None for word in given) or options != DATA:
            raise InvalidInput(
                "a spectrum or kernel of your own goes with --rule, --target and --json alone, for "
                "without data nothing can be trained; leave the rest out."
            )
        _print(
            advice.tune(measure, DEFAULT_RULE if rule is None else rule, target=goal), as_json=json
        )
        return
    if data is None:
        raise InvalidInput(
            "no data are given; name DATA, --from-spectrum, or --kernel with --residual."
        )
    if model is not None:
        from inertial.commands.models import problem_of

        loaded = options.load(data, test, model=model)
        problem = problem_of(model, loaded, loss, decay=decay, devices=spread.devices)
        most = (trials, passes)
        _tune_model(problem, loaded, target, most, methods, batch, as_json=json)
        return
    if spectrum is not None:
        files.check_writable(spectrum, remedy=_ANOTHER)
    loaded = options.load(data, test)
    need = need_of(loaded.x)
    if need.seconds > _WORTH_SAYING:
        say("note", f"this takes {need}")
    neurons = 2000 if width is None else width
    if batch is not None or rule == "optimal":
        _tune_specially(loaded, batch, goal, neurons, trials, as_json=json)
        return
    with progress() as show:
        advised = advice.tune(
            loaded,
            DEFAULT_RULE if rule is None else rule,
            target=goal,
            width=neurons,
            trials=TRIALS if trials is None else trials,
            decay=decay,
            progress=show,
        )
    if spectrum is not None:
        _write_spectrum(spectrum, advised.measure, loaded)
    _print(advised, as_json=json, module=module, width=neurons)


def _write_spectrum(path: Path, measure: "Measure", data: "Data") -> None:
    """Write all eigenvalues; those of a Krylov space are not all there are."""
    import numpy as np

    from inertial.linear.expected import eigenvalues_of

    with files.writing(path, remedy=_ANOTHER) as file:
        np.save(file, measure.nodes if measure.proven is None else eigenvalues_of(data))


def _check_extras(
    test: str | None, decay: float, batch: int | None, rule: str | None, model: str | None
) -> None:
    """Refuse test rows and decay where nothing is said of them: a model has decay on batches."""
    way = "--rule optimal" if batch is None else "--batch"
    given = {"--test": "test rows"} if test is not None else {}
    if decay and (model is None or batch is None):
        given["--decay"] = "weight decay"
    if given and (batch is not None or rule == "optimal"):
        raise InvalidInput(
            f"with {way}, tune says nothing of {' and '.join(given.values())}; leave out "
            f"{' and '.join(given)}, or take inertial compare, which has {way} with both."
        )


def _check_words(
    *,
    model: str | None,
    rule: str | None,
    loss: str | None,
    batch: int | None,
    spectrum: Path | None,
    module: str | None,
    width: int | None,
    methods: tuple[str, ...] | None,
    passes: int | None,
) -> None:
    """Refuse options that do not go with each other."""
    if module is not None and (model is not None or batch is not None or rule == "optimal"):
        raise InvalidInput(
            "--module is the papers' network with constant settings; leave it out with "
            "--model, --batch and the rule optimal."
        )
    if batch is not None and (rule is not None or spectrum is not None):
        raise InvalidInput("--batch has a rule of its own; leave out --rule and --spectrum.")
    if model is not None and (rule is not None or spectrum is not None or width is not None):
        raise InvalidInput(
            "--rule, --width and --spectrum are for the papers' network; leave them out with "
            "--model."
        )
    for name, given in (("--methods", methods), ("--loss", loss), ("--passes", passes)):
        if given is not None and model is None:
            raise InvalidInput(
                f"{name} needs a model to train; give one with --model, such as mlp:256x2."
            )
    if spectrum is not None and rule == "optimal":
        raise InvalidInput("--spectrum goes with a rule of constants; leave it out with optimal.")


def _tune_specially(
    data: "Data",
    batch: int | None,
    target: float,
    width: int,
    trials: int | None,
    *,
    as_json: bool,
) -> None:
    """Tune for a batch, or with the rule `optimal` if there is none, and print the advice."""
    from inertial.commands import documents
    from inertial.runs import advice
    from inertial.runs.tuning import TRIALS

    most = TRIALS if trials is None else trials
    if batch is None:
        with progress() as show:
            found = advice.tune(
                data, "optimal", target=target, width=width, trials=most, progress=show
            )
        _show(found, documents.of_schedule(found), as_json=as_json)
    else:
        with progress() as show:
            tuned = advice.tune(
                data, batch=batch, target=target, width=width, trials=most, progress=show
            )
        _show(tuned, documents.of_batch(tuned), as_json=as_json)


def _tune_model(
    problem: "Trainable",
    data: "Data",
    target: float | None,
    most: tuple[int | None, int | None],
    methods: tuple[str, ...] | None,
    batch: int | None,
    *,
    as_json: bool,
) -> None:
    """Tune a model by real runs, and print the advice; of several processes, in the first."""
    from inertial.commands.documents import of_model
    from inertial.problem.devices import first_process
    from inertial.runs.trials import MOMENTUM
    from inertial.runs.tuning import PASSES, TRIALS, tune_problem

    trials, passes = most
    with progress() as show:
        advice = tune_problem(
            problem,
            target=0.1 if target is None else target,
            trials=TRIALS if trials is None else trials,
            passes=PASSES if passes is None else passes,
            methods=MOMENTUM if methods is None else split(methods),
            batch=batch,
            progress=show,
        )
    if first_process():
        _show(advice, of_model(advice, data.provenance), as_json=as_json)


def _show(advice: "Shown", document: dict[str, Any], *, as_json: bool) -> None:
    """Print advice as its table, or the document made of it."""
    if as_json:
        write(_json.dumps(document))
    else:
        show_table(advice)


def _print(
    advice: "Advice", *, as_json: bool, module: str | None = None, width: int | None = None
) -> None:
    """Print the advice, and the module to copy if one is asked for."""
    from inertial.commands.documents import of_advice
    from inertial.method.modules import module_source

    source = None
    if module is not None and width is not None and advice.data is not None:
        inputs = advice.data.d
        source = module_source(module, width, inputs, advice.setting, decay=advice.decay)
    if as_json:
        write(_json.dumps(of_advice(advice) | ({} if source is None else {"module": source})))
        return
    show_table(advice)
    if source is not None:
        write(f"\n# for the loss 0.5 * ((model(x) - y) ** 2).sum()\n{source}")
