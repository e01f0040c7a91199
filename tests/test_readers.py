"""Readers of files: what comes out, what is refused with which sentence, and what is never done."""

import bz2
import gzip
import io
import lzma
import os
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers import DAMAGES, flip_in_directory
from inertial._checks import InvalidInput
from inertial.data import unpack
from inertial.data.readers import read_csv, read_npz, read_parquet, read_table
from inertial.data.unpack import read_bytes


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_table_takes_the_last_column_and_skips_blank_lines(tmp_path):
    raw = read_table(written(tmp_path, "data.txt", " 1 2.5\t-3\n\n4  5 6e1 \n \n"))
    np.testing.assert_array_equal(raw.x, [[1, 2.5], [4, 5]])
    np.testing.assert_array_equal(raw.y, [-3, 60])
    assert raw.columns == ("1", "2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n\n3 x\n", r"row 2, column '2' of .*data.txt is 'x'; write a finite number"),
        ("1 2\n3 nan\n", r"row 2, column '2' of .*data.txt is 'nan'; write a finite"),
        ("1 2\n-inf 4\n", r"row 2, column '1' of .*data.txt is '-inf'; write a finite"),
        ("1 2\n3 4 5\n", r"line 2 of .*data.txt has 3 cells where the first row has 2"),
        (f"1 2\n3 {'9' * 2000}\n", r"row 2, column '2' of .*data.txt is '999.*write a finite"),
        ("1\n2\n", r"data.txt has 1 columns; give at least one input"),
        ("", r"data.txt has no rows; give"),
    ],
)
def test_table_names_what_is_wrong(tmp_path, text, message):
    with pytest.raises(InvalidInput, match=message):
        read_table(written(tmp_path, "data.txt", text))


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("", None, r"own.csv is empty; give a table with a header and rows"),
        ("a,b\n", "b", r"own.csv has no rows; give"),
        (
            "a,b\n1,2\n3,4\n5,6,7\n",
            "b",
            r"line 4 of .*own.csv has 3 cells where the first row has 2",
        ),
        ("# c\na,b\n1,2\n3,4\n5,6,7\n", "b", r"line 5 of .*own.csv has 3 cells"),
        ("a,b,c\n1,2\n3,4\n", "b", r"header of .*own.csv names 3 columns where the rows have 2"),
        (
            "a b\nmade in 3 4\nmade in 4 4\n",
            "b",
            r"line 2 of .* 4 cells between blanks where the first has 2; write commas",
        ),
        (
            "a b\nred 3 4\nred 4 4\n",
            "b",
            r"header of .* names 2 columns where .* 3 cells; .* quotes",
        ),
        ("<html><body>no</body></html>", "b", r"own.csv holds a web page or XML, not a table"),
        ('[{"a": 1}]', "b", r"own.csv holds JSON, not a table; save it as CSV"),
        ('a,b\n1,"2\n3,4\n', "b", r"own.csv is no table \(.*\); correct it"),
    ],
)
def test_csv_names_what_is_wrong(tmp_path, text, label, message):
    with pytest.raises(InvalidInput, match=message):
        read_csv(written(tmp_path, "own.csv", text), label)


@pytest.mark.parametrize("content", [b"a,b\n1,\x00\n", b"\x00\x01\x02" * 99, b"\x81\x07\x05" * 99])
def test_what_is_no_text_is_refused(tmp_path, content):
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"own.csv is not a text file; give a table as text"):
        read_csv(tmp_path / "own.csv")


TEXT = b"a,b\n1,2\n3,4\n"


def zipped(content, *more):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("own.csv", *more):
            archive.writestr(name, content)
    return file.getvalue()


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": zipped}


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_files_are_read_and_damaged_ones_are_named(tmp_path, ending):
    packed = PACKERS[ending](TEXT)
    path = tmp_path / f"own.csv.{ending}"
    path.write_bytes(packed)
    assert read_bytes(path) == TEXT
    path.write_bytes(packed[:-7])
    with pytest.raises(InvalidInput, match=rf"own.csv.{ending} is truncated or damaged.*again"):
        read_bytes(path)


@pytest.mark.parametrize("ending", PACKERS)
def test_a_bomb_is_stopped_at_the_limit(tmp_path, ending, monkeypatch):
    path = tmp_path / f"own.csv.{ending}"
    path.write_bytes(PACKERS[ending](bytes(2**20 + 1)))
    assert len(path.read_bytes()) < 2**12
    with pytest.raises(
        InvalidInput, match=r"own.csv.* holds more than 1 MiB unpacked; take a part"
    ):
        read_bytes(path, 2**20)
    assert len(read_bytes(path, 2**20 + 1)) == 2**20 + 1
    monkeypatch.setattr(unpack, "_CHUNK", 7)
    with pytest.raises(
        InvalidInput, match=r"own.csv.* holds more than 1 MiB unpacked; take a part"
    ):
        read_bytes(path, 2**20)


def test_several_members_follow_one_another(tmp_path):
    for ending in ("gz", "bz2", "xz"):
        path = tmp_path / f"own.csv.{ending}"
        path.write_bytes(PACKERS[ending](TEXT) + PACKERS[ending](b"5,6\n"))
        assert read_bytes(path) == TEXT + b"5,6\n"


def test_an_archive_holds_one_table(tmp_path):
    path = tmp_path / "own.csv.zip"
    path.write_bytes(zipped(TEXT, "__MACOSX/own.csv"))
    assert read_bytes(path) == TEXT
    path.write_bytes(zipped(TEXT, "other.csv"))
    with pytest.raises(InvalidInput, match=r"is an archive of 2 files; unpack it and give the"):
        read_bytes(path)


@pytest.mark.parametrize("reader", [read_csv, read_table, read_npz, read_parquet])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_only_regular_files_are_read_and_nothing_waits(tmp_path, reader, kind):
    path = tmp_path / "own"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("/dev/zero")
    with pytest.raises(InvalidInput, match=rf"own is a {kind}; give a regular file"):
        reader(path)


def test_npz_reads_x_and_y(tmp_path):
    np.savez(
        tmp_path / "own.npz", x=np.arange(6, dtype=np.float32).reshape(3, 2), y=[True, False, True]
    )
    raw = read_npz(tmp_path / "own.npz")
    assert raw.x.dtype == raw.y.dtype == np.float64
    np.testing.assert_array_equal(raw.x, [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(raw.y, [1, 0, 1])
    np.savez_compressed(
        tmp_path / "own.npz", x=np.asfortranarray(raw.x.astype(">f8")), y=np.array([1, 2, 3], ">i2")
    )
    again = read_npz(tmp_path / "own.npz")
    np.testing.assert_array_equal(again.x, raw.x)
    np.testing.assert_array_equal(again.y, [1, 2, 3])


X = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X, "z": X}, r"own.npz holds the arrays x, z but no 'y'; save"),
        ({"X": X, "y": X[:, 0]}, r"holds the arrays X, y but no 'x'; .* as lower-case names"),
        ({}, r"own.npz holds the arrays of an empty archive but no 'x'"),
        ({"x": X, "y": X}, r"own.npz has x of shape \(3, 2\) and y of shape \(3, 2\); give"),
        ({"x": X, "y": np.ones(2)}, r"own.npz has .*y of shape \(2,\); give"),
        ({"x": X[:, :0], "y": np.ones(3)}, r"own.npz has x of shape \(3, 0\)"),
        ({"x": X, "y": np.array(["a", "b", "c"])}, r"'y' in .*own.npz has dtype <U1; save real"),
        ({"x": X + 1j, "y": np.ones(3)}, r"'x' in .*own.npz has dtype complex128; save real"),
        ({"x": X, "y": np.array([1, np.nan, 2])}, r"row 2, column 'y' of .*own.npz is nan; write"),
        (
            {"x": X / [[1], [1], [np.nan]], "y": np.ones(3)},
            r"row 3, column '1' of .*own.npz is nan",
        ),
    ],
)
def test_npz_names_what_is_wrong(tmp_path, arrays, message):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(InvalidInput, match=message):
        read_npz(tmp_path / "own.npz")


@pytest.mark.parametrize(
    ("x", "y", "remedy"),
    [
        (np.ones((3, 2, 2)), np.ones(3), "x.reshape(len(x), -1)"),
        (np.ones((3, 2)), np.ones((3, 1)), "y.ravel()"),
        (np.ones(3), np.ones(3), "x.reshape(-1, 1)"),
    ],
)
def test_the_call_that_npz_names_gives_the_right_shape(tmp_path, x, y, remedy):
    np.savez(tmp_path / "own.npz", x=x, y=y)
    with pytest.raises(InvalidInput) as refused:
        read_npz(tmp_path / "own.npz")
    assert str(refused.value).endswith(f", with {remedy}.")
    arrays = {"x": x, "y": y}
    arrays[remedy[0]] = eval(remedy, dict(arrays))  # noqa: S307 - the remedy is followed
    np.savez(tmp_path / "own.npz", **arrays)
    assert len(read_npz(tmp_path / "own.npz").y) == 3


def test_npz_never_unpickles(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the file was unpickled",))

    np.savez(tmp_path / "own.npz", x=X, y=np.array([Trap()] * 3, dtype=object))
    with pytest.raises(InvalidInput, match=r"own.npz is not an .npz archive of plain numeric"):
        read_npz(tmp_path / "own.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"text", None])
def test_npz_must_be_an_archive(tmp_path, content):
    path = tmp_path / "own.npz"
    if content is None:
        with path.open("wb") as file:
            np.save(file, X)
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"own.npz is not an .npz archive.*numpy.savez"):
        read_npz(path)


@pytest.mark.parametrize(("at", "bits"), DAMAGES)
def test_npz_of_unknown_packing_or_encryption_is_refused(tmp_path, at, bits):
    np.savez(tmp_path / "own.npz", x=X, y=np.ones(3))
    flip_in_directory(tmp_path / "own.npz", at, bits)
    with pytest.raises(InvalidInput, match=r"own.npz is not an .npz archive of plain numeric"):
        read_npz(tmp_path / "own.npz")


@pytest.mark.parametrize("shape", ["(10**15, 2)", "(-3, -2)", "(3, 3)", "(9" + "9" * 4000 + ",)"])
def test_npz_of_an_impossible_shape_is_refused_before_memory_is_taken(tmp_path, shape):
    file = io.BytesIO()
    np.lib.format.write_array(file, X)
    head = file.getvalue()
    place = head.index(b"'shape': ")
    made = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    body = made + b"\n"
    content = head[:6] + b"\x02\x00" + len(body).to_bytes(4, "little") + body + X.tobytes()
    assert place
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", head)
    with pytest.raises(InvalidInput, match=r"own.npz is not an .npz archive of plain numeric"):
        read_npz(tmp_path / "own.npz")


def test_parquet_reads_numbers_of_every_kind(tmp_path):
    table = pa.table({"a": [1, 2], "b": [True, False], "c": pa.array([0.5, 1.5], pa.float32())})
    pq.write_table(table, tmp_path / "own.parquet")
    frame = read_parquet(tmp_path / "own.parquet").frame
    assert list(frame.columns) == ["a", "b", "c"]
    np.testing.assert_array_equal(frame.to_numpy(float), [[1, 1, 0.5], [2, 0, 1.5]])


def test_parquet_leaves_nested_columns_out_and_tells_what_the_index_was(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2, 3], "l": [[1], [2, 3], []]}, index=[5, 3, 9])
    frame.to_parquet(tmp_path / "own.parquet")
    table = read_parquet(tmp_path / "own.parquet")
    assert list(table.frame.columns) == ["a", "__index_level_0__"]
    assert table.indexes == ("__index_level_0__",)
    assert table.notes == ("left out as lists or structures: l; flatten them.",)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "PAR1", "PAR1" * 9, ""])
def test_parquet_must_be_parquet(tmp_path, text):
    path = written(tmp_path, "own.parquet", text)
    with pytest.raises(
        InvalidInput, match=r"own.parquet cannot be read as Parquet \(.+\); replace"
    ):
        read_parquet(path)


def test_parquet_refuses_columns_of_one_name(tmp_path):
    pq.write_table(pa.table([[1, 2], [3, 4]], names=["a", "a"]), tmp_path / "own.parquet")
    with pytest.raises(InvalidInput, match=r"own.parquet has several columns 'a'; rename"):
        read_parquet(tmp_path / "own.parquet")


def test_a_parquet_bomb_is_stopped_before_it_is_read(tmp_path):
    # Run lengths make 138 million equal numbers half a megabyte.
    count = 2**22
    writer = pq.ParquetWriter(tmp_path / "own.parquet", pa.schema([("a", pa.int8())]))
    block = pa.table({"a": pa.array(np.zeros(count, np.int8))})
    for _ in range(33):
        writer.write_table(block)
    writer.close()
    assert (tmp_path / "own.parquet").stat().st_size < 2**20
    with pytest.raises(InvalidInput, match=r"holds 138,412,032 cells where 134,217,728 fit; take"):
        read_parquet(tmp_path / "own.parquet")


def test_texts_that_unpack_to_too_much_are_stopped_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr("inertial.data.readers.MOST_BYTES", 2**20)
    pq.write_table(pa.table({"a": ["x" * 2**14] * 2**14}), tmp_path / "own.parquet")
    assert (tmp_path / "own.parquet").stat().st_size < 2**20
    with pytest.raises(InvalidInput, match=r"holds more than 2 MiB unpacked; take a part"):
        read_parquet(tmp_path / "own.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"," * 2**23, r"has a line of 8 MiB, more than a table has; give one row per line"),
        (b"a,b\n1,2\n" + b"," * 2**23, r"has a line of 8 MiB"),
        (b"a," * 100_000 + b"a\n" + b"1,2\n" * 9, r"holds 100,001 columns where 100,000 fit; take"),
    ],
)
def test_lines_that_no_table_has_are_refused_before_they_are_split(tmp_path, content, message):
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(content))
    with pytest.raises(InvalidInput, match=message):
        read_csv(tmp_path / "own.csv.gz")


def test_too_many_cells_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MOST_CELLS", 9)
    with pytest.raises(InvalidInput, match=r"holds 10 cells where 9 fit; take a part of its rows"):
        read_csv(written(tmp_path, "own.csv", "a,b\n" + "1,2\n" * 9))


def test_later_columns_of_one_name_are_numbered(tmp_path):
    table = read_csv(written(tmp_path, "own.csv", "a,b,a,a.2,a\n" + "1,2,3,4,5\n" * 3))
    assert list(table.frame.columns) == ["a", "b", "a.3", "a.2", "a.4"]
    assert any("several columns are called a" in note for note in table.notes)


def test_a_header_longer_than_the_sample_is_read_whole(tmp_path):
    names = [f"a-rather-long-name-of-column-{k}" for k in range(9_000)]
    text = "\n".join([",".join(names), *[",".join(["1"] * 9_000)] * 3])
    assert len(text.split("\n")[0]) > 2**18
    frame = read_csv(written(tmp_path, "own.csv", text)).frame
    assert list(frame.columns) == names
    assert frame.shape == (3, 9_000)
