"""What a stranger's folder may make a reader's commands do: read that folder, and nothing else."""

import ast
import json
import os
import shutil
import site
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import inertial
from helpers import run
from inertial import InvalidInput, Settings, compare, load
from inertial._checks import plain
from inertial.runs import store
from inertial.runs.config import DataSet, Study
from inertial.runs.cost import Prediction
from inertial.runs.study import Folder, read_index, read_studies, run_study
from inertial.theory.gather import StoredRun, load_again
from inertial.view import auditing


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "run"
    settings = Settings(methods=("nesterov",), width=20, seeds=(0,), steps=3, rule="paper")
    return compare(load("sphere", n=12, dim=3), settings, out=folder).run


def naming(made, **changes):
    arrays, manifest = store.read_run(made)
    manifest = {**manifest, "data": manifest["data"] | changes}
    return StoredRun(str(made), arrays, manifest)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "secret.csv", "source": "{elsewhere}/secret.csv"},
        {"name": "secret.csv", "source": "../elsewhere/secret.csv"},
        {"name": "{elsewhere}/secret.csv", "source": "anything"},
        {"name": "{elsewhere}/secret.csv", "source": "{elsewhere}/secret.csv"},
    ],
)
def test_a_manifest_cannot_name_a_file_to_be_read(made, tmp_path, monkeypatch, changes):
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    secret = tmp_path / "elsewhere" / "secret.csv"
    secret.write_text("password,y\n1,2\n3,4\n")
    where = {k: v.format(elsewhere=secret.parent) for k, v in changes.items()}
    asked = naming(made, task="regression", **where)
    monkeypatch.setattr("inertial.theory.gather.reload", lambda *_: pytest.fail("read"))
    with pytest.raises(InvalidInput) as refused:
        load_again(asked)
    assert "password" not in str(refused.value)


def test_the_reader_says_where_the_file_is(made, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "mine.npz"
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.standard_normal((9, 3)), y=rng.standard_normal(9))
    own = asdict(load(path).provenance)
    asked = naming(made, **json.loads(json.dumps(own)))
    with pytest.raises(InvalidInput, match="with --data-dir"):
        load_again(asked)
    assert load_again(asked, tmp_path).provenance.sha256 == own["sha256"]
    monkeypatch.chdir(tmp_path)
    assert load_again(asked).provenance.sha256 == own["sha256"]


def test_notes_of_an_audit_hold_nothing_that_steers_a_terminal(made, tmp_path):
    place = tmp_path / "run"
    shutil.copytree(made, place)
    document = json.loads((place / store.MANIFEST).read_text())
    document["packages"]["inertial"] = "\x1b[2J"
    document["data"]["name"] = "\u202e"
    (place / store.MANIFEST).write_text(json.dumps(document))
    notes = auditing.audit_folders([place]).notes
    assert "was made by version \\x1b[2J, this is" in " ".join(notes)
    assert "the data \\u202e cannot be loaded" in " ".join(notes)
    assert [plain(note) for note in notes] == list(notes)


def test_a_manifest_cannot_start_a_download(made, monkeypatch):
    monkeypatch.setattr("inertial.data.lookup._download", lambda *_, **__: pytest.fail("network"))
    monkeypatch.setattr("inertial.theory.gather.locate", lambda *_: None)
    with pytest.raises(InvalidInput, match="inertial data fetch energy downloads it"):
        load_again(naming(made, name="energy", source="a web site"))


@pytest.fixture
def folder(tmp_path):
    study = Study(
        "small",
        (DataSet("sphere", rows=12, dim=3),),
        methods=("nesterov",),
        rules=("paper",),
        widths=(20,),
        seeds=(0,),
        steps=3,
    )
    run_study(
        study,
        Folder(tmp_path / "theirs"),
        predictor=lambda missing, **_: Prediction(1.0, (1.0,) * len(missing), 1, 1, 1),
    )
    return tmp_path / "theirs"


def edited(folder, change):
    path = folder / "studies" / "small.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("name", ["../../away", "/tmp/away", "a/b", "..", "", "x" * 300])  # noqa: S108
def test_figures_stay_in_the_folder(capsys, folder, tmp_path, name):
    edited(folder, lambda document: document["study"].update(name=name))
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(capsys, "figures", folder)
    assert (code, out) == (2, "")
    assert "is not the index of a study" in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("at", ["figures", "figures/small"])
def test_figures_do_not_follow_links_out_of_the_folder(capsys, folder, tmp_path, at):
    (tmp_path / "mine").mkdir()
    (folder / at).parent.mkdir(exist_ok=True)
    (folder / at).symlink_to(tmp_path / "mine")
    code, _, err = run(capsys, "figures", folder)
    assert code == 2
    assert "is a link" in err
    assert not list((tmp_path / "mine").iterdir())


def test_the_index_cannot_name_another_file(folder):
    edited(folder, lambda document: document["runs"][0].update(file="/dev/zero"))
    (study,) = read_studies(folder)
    assert study.missing == 0  # the file follows from the key
    path = edited(folder, lambda document: document["runs"][0].update(key="../../etc/passwd"))
    for read in (read_studies, auditing.read):
        with pytest.raises(InvalidInput, match=r"is not the index of a study: .*key"):
            read(folder)
    assert path.exists()


@pytest.mark.parametrize("part", ["methods", "rules", "widths", "seeds"])
def test_what_an_index_names_twice_is_refused(folder, part):
    edited(folder, lambda document: document["study"].update({part: document["study"][part] * 2}))
    for read in (read_studies, auditing.read):
        with pytest.raises(InvalidInput, match=f"`{part}` repeats a value"):
            read(folder)


def test_a_run_that_an_index_names_twice_is_refused(folder):
    edited(folder, lambda document: document.update(runs=document["runs"] * 2))
    with pytest.raises(InvalidInput, match="`runs` repeats a value"):
        read_studies(folder)


@pytest.mark.parametrize("kind", [".nc", ".json"])
def test_a_run_that_is_a_link_or_a_pipe_is_missing(folder, tmp_path, kind):
    (file,) = (folder / "runs").glob(f"*{kind}")
    copy = tmp_path / "copy"
    file.rename(copy)
    file.symlink_to(copy)
    assert read_studies(folder)[0].missing == 1
    file.unlink()
    os.mkfifo(file)
    assert read_studies(folder)[0].missing == 1


def test_a_study_of_another_result_version_is_refused(folder):
    path = edited(folder, lambda document: document["runs"][0].update(result_version=0))
    with pytest.raises(InvalidInput, match=r"have result version 0 and this is .*repeat"):
        read_index(path)


def touched(home, *commands, script=None):
    """Run commands with a home of their own; return what they read, wrote and did besides.

    Parameters
    ----------
    home
        The home folder, with ``work`` to run in.
    commands
        Words of each command.
    script
        Python to run after them.

    """
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "PYTHONDONTWRITEBYTECODE": "1",  # ours, wherever a test has not compiled it yet
        "TMPDIR": str(home / "tmp"),
    }
    for folder in (home / "work", home / "tmp"):
        folder.mkdir(parents=True)
    (home / "work" / "secret.csv").write_text("password,y\n1,2\n3,4\n")
    words = [json.dumps([str(word) for word in command]) for command in commands]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("watched.py"), script or "", *words],
        cwd=home / "work",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert "password" not in done.stdout + done.stderr
    return result["codes"], [(kind, where) for kind, where in result["seen"] if where]


def strangers_run(made, place):
    """Copy a run and let its manifest name files, a download and a model of code."""
    shutil.copytree(made, place)
    path = place / store.MANIFEST
    document = json.loads(path.read_text())
    document["data"] |= {"name": "passwd", "source": "/etc/passwd", "task": "regression"}
    path.write_text(json.dumps(document))


IN_PYTHON = """
import sys
from inertial import InvalidInput, read_run, read_study
run, study = {folders}
read_run(run)[0].load()
read_study(study)
for wrong in (lambda: read_study(run), lambda: read_run(study)):
    try:
        wrong()
    except InvalidInput:
        continue
    raise AssertionError
"""


@pytest.mark.parametrize("home", ["open", "closed"])
def test_opening_a_stranger_s_folder_touches_that_folder_and_the_output(
    made, folder, tmp_path, home
):
    """Also in a home that cannot be written: a file stands where libraries keep what is theirs."""
    mine = tmp_path / "home"
    theirs, out = (folder.parent / name for name in ("run", "out"))
    strangers_run(made, theirs)
    out.mkdir()
    data = folder.parent / "data.csv"
    rng = np.random.default_rng(0)
    data.write_text("\n".join(["a,b,y", *(f"{a},{b},{c}" for a, b, c in rng.random((20, 3)))]))
    if home == "closed":
        mine.mkdir()
        for name in (".cache", ".config"):
            (mine / name).write_text("no folder")
    small = ["--label", "y", "--width", 20, "--steps", 3]
    commands = [
        ["report", theirs, "-o", out / "run.html"],
        ["report", folder, "-o", out / "study.html"],
        ["audit", theirs, "--json"],
        ["audit", folder, "--tex"],
        ["figures", folder],
        ["explore", data, *small, "--runs", 1, "-o", out / "explorer.html"],
        ["compare", data, *small, "--seeds", 1, "--out", out / "run"],
    ]
    if home == "open":
        commands = commands[1:3]
    script = IN_PYTHON.format(folders=(str(theirs), str(folder)))
    codes, seen = touched(mine, *commands, script=script)
    assert codes == [0] * len(commands)
    others = [one for one in seen if one[0] not in {"read", "write"}]
    # Matplotlib lists the fonts once, libraries ask for the processor and for shared libraries, a
    # run for the commit of a checkout; else no process, nor a connection.
    fixed = {
        ("fc-list", "--help"),
        ("fc-list", r"--format=%{file}\n"),
        ("uname", "-p"),
        ("/sbin/ldconfig", "-p"),
    }
    assert {event for event, _ in others} <= {"subprocess.Popen"}
    started = {tuple(ast.literal_eval(words)[1]) for _, words in others}
    assert {words for words in started if words[0] != "git"} <= fixed
    seen = [one for one in seen if one[0] in {"read", "write"}]
    own = [mine / name for name in (".cache", ".config", "tmp")]  # of libraries, not of the reader
    for kind, where in seen:
        path = Path(where)
        allowed = [theirs, folder, out, data] if kind == "read" else [out, folder / "figures"]
        ours = [*map(Path, {sys.prefix, sys.base_prefix, *site.getsitepackages()})]
        ours += [Path(inertial.__file__).parents[2], Path(json.__file__).parent]
        system = [*ours, *map(Path, ("/usr", "/lib", "/etc", "/proc", "/sys", "/dev"))]
        allowed += [*own, *(system if kind == "read" else [Path("/dev/null")])]
        assert any(path.is_relative_to(one.resolve()) for one in allowed), (kind, where)
        assert where not in {"/etc/passwd", "/etc/shadow"}
    assert {path.name for path in mine.iterdir()} <= {"work", "tmp", ".cache", ".config"}
    assert [path.name for path in (mine / "work").iterdir()] == ["secret.csv"]


CODE = """
from pathlib import Path
import jax.numpy as jnp
Path("imported").touch()
def linear(inputs, outputs):
    return jnp.zeros((inputs, outputs)), lambda w, x: x @ w
"""


def test_a_run_that_names_a_model_does_not_import_it(capsys, tmp_path, monkeypatch):
    """Not even from the folder that the reader is in, and that the stranger may have sent."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.py").write_text(CODE)
    small = ("--n", 12, "--steps", 3, "--target", 0.5, "--rule", "forecast")
    words = ("compare", "digits", *small, "--model", "theirs:linear", "--out", "run")
    assert run(capsys, *words)[0] == 0
    mark = tmp_path / "imported"
    mark.unlink()
    monkeypatch.delitem(sys.modules, "theirs")
    codes = [
        run(capsys, "report", "run", "-o", "page.html")[0],
        run(capsys, "report", "run", "--no-audit", "-o", "page.html")[0],
        run(capsys, "audit", "run")[0],
    ]
    assert set(codes) <= {0, 2}
    assert (tmp_path / "page.html").is_file()
    store.read_run("run")
    assert not mark.exists()
    assert "theirs" not in sys.modules
