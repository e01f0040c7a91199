import hashlib
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from image_files import cifar_archive, write_cifar, write_idx
from inertial._checks import InvalidInput
from inertial.data import load, lookup, sources
from inertial.data.lookup import fetch, kind, locate, obtain, own_file
from inertial.data.sources import Download

CACHE = lookup._cache
TABLE = b"1 2 3\n4 5 6\n"


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Point the environment, the system folder and the cache into an empty folder."""
    monkeypatch.delenv(lookup.ENVIRONMENT, raising=False)
    monkeypatch.setattr(lookup, "SYSTEM", tmp_path / "system")
    monkeypatch.setattr(lookup, "_cache", lambda: tmp_path / "cache")
    return tmp_path


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "web"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def served(monkeypatch, url, content=TABLE):
    """Let yacht come from `url`, with the digest of `content`."""
    item = Download("uci/yacht/data.txt", url, hashlib.sha256(content).hexdigest())
    others = tuple(source for source in sources.SOURCES if source.name != "yacht")
    yacht = replace(sources.find("yacht"), downloads=(item,))
    monkeypatch.setattr(sources, "SOURCES", (*others, yacht))
    return item


def put(path, content=TABLE):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_cache_is_the_users_own():
    assert "inertial" in CACHE().parts
    assert CACHE().is_absolute()


def test_sets_without_files_are_always_there():
    assert locate("digits").source == "embedded in scikit-learn"
    assert locate("sphere").files == ()


def test_an_own_file_is_located_by_its_path(tmp_path):
    path = put(tmp_path / "own.csv")
    assert locate(path).files == locate(str(path)).files == (path,)
    assert locate(tmp_path / "other.csv") is None


def test_own_files_are_told_from_names(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_file("energy") is None
    assert own_file("own.CSV") == Path("own.CSV")
    assert own_file("~/own.npz") == tmp_path / "own.npz"
    for name in ("folder/energy", "own.pdf", Path("energy"), "own.npz.gz", "own.gz"):
        with pytest.raises(InvalidInput, match=r"cannot be read; give .*.csv, .* .npz, .parquet"):
            own_file(name)


def test_a_spreadsheet_is_to_be_exported():
    for name in ("own.xlsx", "own.ods"):
        with pytest.raises(InvalidInput, match=r"cannot be read; export it as CSV, or give a file"):
            own_file(name)


@pytest.mark.parametrize("name", ["digits", "diabetes", "sphere"])
def test_a_data_folder_that_is_none_is_refused_for_sets_that_need_none(tmp_path, name):
    assert load(name, n=20, data_dir=tmp_path).provenance.n == 20
    with pytest.raises(InvalidInput, match=r"the data folder .*nowhere does not exist; create it"):
        load(name, n=20, data_dir=tmp_path / "nowhere")


def test_a_data_folder_is_refused_beside_data_of_ones_own(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,y\n" + "".join(f"{k},{k * k}\n" for k in range(9)))
    said = r"of your own, and --data-dir \(data_dir=\) is the folder of named sets; leave it out"
    for given in ((path,), ([[1.0], [2.0]], [1.0, 3.0])):
        with pytest.raises(
            InvalidInput, match=rf"{'own.csv is a file' * (given[0] is path)}.*{said}"
        ):
            load(*given, data_dir=tmp_path)


def test_a_home_is_named_at_the_start_only_and_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_file("./~x.csv") == Path("~x.csv") == own_file(Path("./~x.csv"))
    with pytest.raises(InvalidInput, match=r"home folder that does not exist; write the path"):
        own_file("~nobody-here/x.csv")


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.csv", ".csv"), ("a.CSV.GZ", ".csv"), ("a.b.tsv.xz", ".tsv"), ("a.npz", ".npz"), ("a", "")],
)
def test_packing_is_looked_through(name, ending):
    assert kind(Path(name)) == ending


def test_files_unpacked_with_a_dot_are_found(places):
    write_idx(places / "data/mnist", [0, 1])
    for path in list((places / "data/mnist").iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert [path.name for path in locate("mnist", places / "data").files] == [
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte",
    ]


def test_places_are_searched_in_order(places, monkeypatch):
    assert locate("yacht") is None
    cached = put(places / "cache/uci/yacht/data.txt")
    assert locate("yacht").files == (cached,)
    system = put(places / "system/yacht.txt")
    assert locate("yacht").files == (system,)
    from_environment = put(places / "mine/yacht/data.txt")
    monkeypatch.setenv(lookup.ENVIRONMENT, str(places / "mine"))
    assert locate("yacht").files == (from_environment,)
    passed = put(places / "passed/uci/yacht/data.txt")
    assert locate("yacht", places / "passed").files == (passed,)
    # A folder that is passed replaces the one in the environment.
    passed.unlink()
    assert locate("yacht", places / "passed").files == (system,)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("energy", "uci/energy/data.txt"),
        ("energy", "energy/data.txt"),
        ("energy", "energy.txt"),
        ("energy", "uci/energy/data.txt.gz"),
        ("housing", "uci/bostonHousing/data.txt"),
        ("housing", "bostonHousing.txt"),
        ("housing", "housing/data.txt"),
        ("cifar10", "cifar-10-binary.tar.gz"),
    ],
)
def test_single_file_layouts(places, name, path):
    file = put(places / "data" / path)
    found = locate(name, places / "data")
    assert found.files == (file,)
    assert found.source == str(file)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("mnist", "mnist"), ("mnist", "MNIST/raw"), ("fashion-mnist", "fashion-mnist")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_image_layouts(places, name, folder, packed):
    write_idx(places / "data" / folder, [0, 1], packed=packed)
    suffix = ".gz" if packed else ""
    found = locate(name, places / "data")
    assert [path.name for path in found.files] == [
        f"train-images-idx3-ubyte{suffix}",
        f"train-labels-idx1-ubyte{suffix}",
    ]
    assert found.files[0].parent == places / "data" / folder


def test_training_images_go_before_test_images_which_are_named_as_such(places):
    write_idx(places / "data/mnist", [0, 1], part="t10k")
    found = locate("mnist", places / "data")
    assert found.files[1].name == "t10k-labels-idx1-ubyte"
    assert "test files" in found.source
    write_idx(places / "data/MNIST/raw", [0, 1], part="train")
    found = locate("mnist", places / "data")
    assert found.files[1].name == "train-labels-idx1-ubyte"
    assert "test files" not in found.source


def test_half_a_pair_and_four_of_five_batches_are_not_enough(places):
    write_idx(places / "data/mnist", [0, 1])
    (places / "data/mnist/train-labels-idx1-ubyte").unlink()
    assert locate("mnist", places / "data") is None
    write_cifar(places / "data/cifar-10-batches-bin", [0, 1])
    assert len(locate("cifar10", places / "data").files) == 5
    (places / "data/cifar-10-batches-bin/data_batch_4.bin").unlink()
    assert locate("cifar10", places / "data") is None


def test_a_data_folder_must_exist(places, monkeypatch):
    with pytest.raises(InvalidInput, match=r"the data folder .*nowhere does not exist; create"):
        locate("yacht", places / "nowhere")
    monkeypatch.setenv(lookup.ENVIRONMENT, str(places / "gone"))
    with pytest.raises(InvalidInput, match=r"the folder in INERTIAL_DATA, .*gone does not exist"):
        locate("yacht")
    assert locate("digits").files == ()


def test_fetch_puts_the_file_where_locate_finds_it(places, server, monkeypatch):
    folder, url = server
    put(folder / "data.txt")
    item = served(monkeypatch, f"{url}/data.txt")
    assert fetch("yacht") == places / "cache/uci/yacht"
    found = locate("yacht")
    assert found.files == (places / "cache/uci/yacht/data.txt",)
    assert found.files[0].read_bytes() == TABLE
    assert found.source == item.url
    assert fetch("yacht", places / "new") == places / "new/uci/yacht"
    assert locate("yacht", places / "new").source == str(places / "new/uci/yacht/data.txt")


def test_fetch_keeps_what_is_right_and_replaces_what_is_not(places, server, monkeypatch):
    folder, url = server
    served(monkeypatch, f"{url}/data.txt")
    path = put(places / "cache/uci/yacht/data.txt")
    fetch("yacht")  # the server has no such file, so this asks it for nothing
    path.write_bytes(b"damaged")
    put(folder / "data.txt")
    fetch("yacht")
    assert path.read_bytes() == TABLE


def test_obtain_downloads_what_is_nowhere(places, server, monkeypatch):
    folder, url = server
    put(folder / "data.txt")
    served(monkeypatch, f"{url}/data.txt")
    assert obtain("yacht").files == (places / "cache/uci/yacht/data.txt",)


def test_a_file_with_another_digest_is_refused_and_not_kept(places, server, monkeypatch):
    folder, url = server
    put(folder / "data.txt", b"something else")
    item = served(monkeypatch, f"{url}/data.txt")
    with pytest.raises(
        InvalidInput, match=rf"data.txt does not have the SHA-256 {item.sha256}.*at DIR/uci/yacht"
    ):
        fetch("yacht")
    assert [path for path in (places / "cache").rglob("*") if path.is_file()] == []


def test_a_damaged_cache_is_named(places, monkeypatch):
    item = served(monkeypatch, "http://127.0.0.1:9/data.txt")
    put(places / "cache/uci/yacht/data.txt", b"1 2 3\n4 5")
    with pytest.raises(
        InvalidInput, match=rf"cache/uci/yacht/data.txt has the SHA-256 .*{item.sha256}; delete"
    ):
        obtain("yacht")


def test_without_a_network_the_message_says_what_to_put_where(places, monkeypatch):
    served(monkeypatch, "http://127.0.0.1:9/data.txt")
    with pytest.raises(
        InvalidInput,
        match=r"yacht is not on this machine and http://127.0.0.1:9/data.txt could not be "
        r"downloaded \(ConnectionError\); .* put it at DIR/uci/yacht/data.txt, .*INERTIAL_DATA=DIR",
    ):
        obtain("yacht")
    (places / "data").mkdir()
    with pytest.raises(InvalidInput, match=rf"put it at {places}/data/uci/yacht/data.txt\.$"):
        obtain("yacht", places / "data")


def test_a_missing_page_is_a_failed_download(server, monkeypatch):
    _, url = server
    served(monkeypatch, f"{url}/data.txt")
    with pytest.raises(InvalidInput, match=r"could not be downloaded \(HTTPError\); get"):
        fetch("yacht")


def test_sets_without_files_cannot_be_fetched():
    with pytest.raises(InvalidInput, match=r"digits is embedded; load it without fetching"):
        fetch("digits")
    with pytest.raises(InvalidInput, match=r"data is 'yatch'; did you mean 'yacht'"):
        fetch("yatch")


def test_a_fetched_archive_is_verified_whole(places, server, monkeypatch):
    folder, url = server
    content = cifar_archive([("readme", b"text")])
    put(folder / "cifar-10-binary.tar.gz", content)
    item = Download(
        "cifar-10-binary.tar.gz",
        f"{url}/cifar-10-binary.tar.gz",
        hashlib.sha256(content).hexdigest(),
    )
    cifar = replace(sources.find("cifar10"), downloads=(item,))
    monkeypatch.setattr(sources, "SOURCES", (cifar,))
    assert fetch("cifar10") == places / "cache"
    assert obtain("cifar10").files == (places / "cache/cifar-10-binary.tar.gz",)
