"""What is written is whole or not there; what is read is a regular file of limited size."""

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from inertial import InvalidInput, files


def test_a_file_is_replaced_and_keeps_nothing_beside_it(tmp_path):
    path = tmp_path / "page.html"
    for content in ("first", b"second \xe2\x80\x93"):
        files.write(path, content)
    assert path.read_text(encoding="utf-8") == "second –"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_rights_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "page.html", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o640


def pipe(path):
    os.mkfifo(path)


def link(path):
    path.with_name("elsewhere").write_text("kept")
    path.symlink_to("elsewhere")


def dangling(path):
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "kind"),
    [(pipe, "a pipe"), (link, "a link"), (dangling, "a link"), (os.mkdir, "a folder")],
)
def test_only_regular_files_are_replaced(tmp_path, make, kind):
    path = tmp_path / "out"
    make(path)
    before = {entry: entry.lstat() for entry in tmp_path.iterdir()}
    for attempt in (files.check_writable, lambda where: files.write(where, "x")):
        with pytest.raises(InvalidInput, match=f"is {kind}, which is never replaced; give"):
            attempt(path)
    assert {entry: entry.lstat() for entry in tmp_path.iterdir()} == before


def test_a_device_is_not_replaced():
    with pytest.raises(InvalidInput, match="/dev/null is a device"):
        files.write(files.Path("/dev/null"), "x")
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)


@pytest.mark.parametrize("name", ["", ".", "/", "gone/x", "a\0b", "x" * 300, "\udcff/x"])
def test_a_name_that_no_file_can_have_is_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for attempt in (files.check_writable, lambda where: files.write(where, "x")):
        with pytest.raises(InvalidInput, match="give another file with -o"):
            attempt(files.Path(name))
    assert not list(tmp_path.iterdir())


def test_checking_leaves_the_file_as_it_is(tmp_path):
    (tmp_path / "old").write_text("old")
    files.check_writable(tmp_path / "old")
    files.check_writable(tmp_path / "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_what_fails_on_the_way_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "kept"
    path.write_text("old")

    def fail():
        with files.writing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_leaves_goes_with_the_next_write(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    code = f"""
        import time
        from pathlib import Path
        from inertial import files
        with files.writing(Path({str(path)!r})) as file:
            file.write(b"half")
            file.flush()
            print("half", flush=True)
            time.sleep(600)
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "half\n"
    files.write(path, "mine")  # of a writer that lives nothing is removed
    assert len(list(tmp_path.iterdir())) == 2
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert path.read_text() == "mine"
    files.write(path, "new")
    assert list(tmp_path.iterdir()) == [path]


def test_a_planted_link_under_a_temporary_name_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("kept")
    (tmp_path / ".page.guessed.partial").symlink_to("victim")
    names = iter(["guessed", "other"])
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: next(names))
    with pytest.raises(InvalidInput, match="File exists"):
        files.write(tmp_path / "page", "x")
    files.write(tmp_path / "page", "x")
    assert (tmp_path / "victim").read_text() == "kept"


def rewrite(path, letter, until):
    while time.monotonic() < until:
        files.write(path, letter * 200_000)


def test_two_writers_of_one_file_never_mix(tmp_path):
    path, until = tmp_path / "page", time.monotonic() + 2
    files.write(path, "a" * 200_000)
    threads = [threading.Thread(target=rewrite, args=(path, word, until)) for word in "ab"]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        assert len(set(path.read_text())) == 1
        assert path.stat().st_size == 200_000
    for thread in threads:
        thread.join()
    assert list(tmp_path.iterdir()) == [path]


def test_names_below_a_folder_are_plain_and_no_links(tmp_path):
    (tmp_path / "away").symlink_to("/")
    assert files.below(tmp_path, "a", "b") == tmp_path / "a" / "b"
    for name in ("..", "", ".", "a/b", "/etc", "a\0"):
        with pytest.raises(InvalidInput, match="plain name"):
            files.below(tmp_path, name)
    with pytest.raises(InvalidInput, match="cannot be read"):
        files.below(tmp_path, "x" * 300)
    with pytest.raises(InvalidInput, match="is a link"):
        files.folder_in(tmp_path, "away", "deeper")
    assert files.folder_in(tmp_path, "made", "deeper").is_dir()


def opens(path):
    """Run in a child, since a pipe could keep its reader for ever."""
    try:
        files.read(path, 1000)
    except InvalidInput:
        os._exit(7)


def test_pipes_devices_and_folders_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = multiprocessing.get_context("spawn").Process(target=opens, args=(tmp_path / "pipe",))
    reader.start()
    reader.join(timeout=60)
    assert reader.exitcode == 7
    for path, kind in ((files.Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        with pytest.raises(InvalidInput, match=f"{path} is {kind}"):
            files.read(path, 1000)
    with pytest.raises(InvalidInput, match=r"cannot be read \(No such file"):
        files.read(tmp_path / "none", 1000)


def test_no_more_is_read_than_allowed(tmp_path):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(2**40)  # a tebibyte of nothing
    with pytest.raises(InvalidInput, match="larger than 1 MiB"):
        files.read(path, 2**20)
    path.write_bytes(b"x" * 10)
    assert files.read(path, 10) == b"x" * 10
    with pytest.raises(InvalidInput, match="larger"):
        files.read(path, 9)


def test_links_are_followed_only_where_the_reader_named_them(tmp_path):
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    assert files.read_json(tmp_path / "link") == 1
    with pytest.raises(InvalidInput, match="cannot be read"):
        files.read_json(tmp_path / "link", follow=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        ("[" * 100_000, "nests too deep"),
        ("[" * 200 + "]" * 200, "nests deeper than 100"),
        ("1" * 5000, "is no JSON"),
    ],
)
def test_documents_that_are_none_are_one_sentence(tmp_path, text, words):
    path = tmp_path / "file.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInput, match=words):
        files.read_json(path)


def test_an_interrupt_while_the_temporary_file_is_made_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.fcntl, "flock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "page.html", "page")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_the_temporary_file_goes_leaves_nothing(tmp_path, monkeypatch):
    unlink, calls = type(tmp_path).unlink, []

    def interrupted(path, *words, **options):
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        unlink(path, *words, **options)

    monkeypatch.setattr(type(tmp_path), "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.check_writable(tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
