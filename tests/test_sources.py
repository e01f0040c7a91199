import re

import pytest

from inertial._checks import InvalidInput
from inertial.data.sources import catalog, find


def test_the_catalogue_holds_three_sets_without_files_and_six_of_the_papers():
    assert [source.name for source in catalog() if source.origin != "papers"] == [
        "digits",
        "diabetes",
        "sphere",
    ]
    assert [source.name for source in catalog() if source.origin == "papers"] == [
        "fashion-mnist",
        "mnist",
        "cifar10",
        "energy",
        "housing",
        "yacht",
    ]


@pytest.mark.parametrize("source", catalog(), ids=lambda source: source.name)
def test_only_sets_of_the_papers_have_files_and_every_download_is_one_of_them(source):
    assert bool(source.layouts) == bool(source.downloads) == (source.origin == "papers")
    named = {part for layout in source.layouts for part in layout}
    for item in source.downloads:
        assert {item.path, item.path.removesuffix(".gz")} & named
        assert re.fullmatch("[0-9a-f]{64}", item.sha256)
        assert item.url.rsplit("/", 1)[1] == item.path.rsplit("/", 1)[-1]


@pytest.mark.parametrize("source", catalog(), ids=lambda source: source.name)
def test_every_set_says_what_it_is(source):
    assert source.description.endswith(".")
    assert source.citation
    assert source.licence
    assert source.n > 1
    assert source.d > 1


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(
        InvalidInput, match=r"data is 'fashion_mnist'; did you mean 'fashion-mnist'"
    ):
        find("fashion_mnist")
