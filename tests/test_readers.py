import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inertial._checks import InvalidInput
from inertial.data.readers import read_csv, read_npz, read_parquet, read_table


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
        ("1 2\n\n3 x\n", r"line 3, column '2' of .*data.txt is 'x'; write a number"),
        ("1 2\n3 nan\n", r"line 2, column '2' of .*data.txt is nan; write a finite"),
        ("1 2\n\n-inf 4\n", r"line 3, column '1' of .*data.txt is -inf; write a finite"),
        ("1 2\n3 4 5\n", r"line 2 of .*data.txt has 3 cells where the first line has 2"),
        ("1\n2\n", r"data.txt has 1 columns; give at least one input"),
        ("", r"data.txt has 0 columns; give at least one input"),
    ],
)
def test_table_names_what_is_wrong(tmp_path, text, message):
    with pytest.raises(InvalidInput, match=message):
        read_table(written(tmp_path, "data.txt", text))


def test_table_must_be_text(tmp_path):
    path = tmp_path / "data.txt"
    path.write_bytes(b"1 2\n\xff 3\n")
    with pytest.raises(InvalidInput, match=r"data.txt is not UTF-8 text; give"):
        read_table(path)


def test_csv_finds_the_target_by_its_name(tmp_path):
    path = written(tmp_path, "own.csv", '\ufeffage, "size, cm" ,price\n1,2,3\n\n4,5,6\n')
    raw = read_csv(path, "age")
    np.testing.assert_array_equal(raw.x, [[2, 3], [5, 6]])
    np.testing.assert_array_equal(raw.y, [1, 4])
    assert raw.columns[1] == "price"


def test_csv_without_a_header_numbers_its_columns(tmp_path):
    raw = read_csv(written(tmp_path, "own.csv", "1,2,3\n4,5,6\n"), "2")
    np.testing.assert_array_equal(raw.x, [[1, 3], [4, 6]])
    np.testing.assert_array_equal(raw.y, [2, 5])
    assert raw.columns == ("1", "3")


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("a;b;t\n1;2;3\n", "t", r"own.csv separates its cells by ';'; write commas"),
        ("1\t2\n3\t4\n", "1", r"own.csv separates its cells by '\\t'; write commas"),
        ("a,b\n1,2\n", None, r"own.csv needs the name of its target .*label; its columns are a, b"),
        ("1,2\n3,4\n", None, r"own.csv needs .*its columns are 1, 2"),
        ("", None, r"own.csv needs .*its columns are none"),
        ("price,b\n1,2\n", "prize", r"label for .*own.csv is 'prize'; did you mean 'price'"),
        ("a,a\n1,2\n", "a", r"own.csv has several columns 'a'; rename"),
        ("a\n1\n", "a", r"own.csv has 1 columns; give"),
        ("a,b\n1,2\n3,\n", "b", r"line 3, column 'b' of .*own.csv is ''; write a number"),
        ("a,b\nred,2\nblue,2\n", "b", r"line 2, column 'a' .* 'red'; its column has no numbers"),
        ("a,b\n1,2\nyes,2\n", "b", r"line 3, column 'a' of .*own.csv is 'yes'; write a number"),
        ("a,b\n1,2\n\n3,inf\n", "b", r"line 4, column 'b' of .*own.csv is inf; write a finite"),
        ("a,b\n1\n", "b", r"line 2 of .*own.csv has 1 cells where .* 2; make them equal"),
        ('a,b\n1,"' + "2" * 200_000, "b", r"own.csv is not a CSV file .*correct it"),
    ],
)
def test_csv_names_what_is_wrong(tmp_path, text, label, message):
    with pytest.raises(InvalidInput, match=message):
        read_csv(written(tmp_path, "own.csv", text), label)


def test_npz_reads_x_and_y(tmp_path):
    np.savez(
        tmp_path / "own.npz", x=np.arange(6, dtype=np.float32).reshape(3, 2), y=[True, False, True]
    )
    raw = read_npz(tmp_path / "own.npz")
    assert raw.x.dtype == raw.y.dtype == np.float64
    np.testing.assert_array_equal(raw.x, [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(raw.y, [1, 0, 1])


X = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X, "z": X}, r"own.npz holds the arrays x, z but no 'y'; save"),
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


def test_npz_never_unpickles(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the file was unpickled",))

    np.savez(tmp_path / "own.npz", x=X, y=np.array([Trap()] * 3, dtype=object))
    with pytest.raises(InvalidInput, match=r"own.npz is no .npz archive of plain numeric arrays"):
        read_npz(tmp_path / "own.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"text", None])
def test_npz_must_be_an_archive(tmp_path, content):
    path = tmp_path / "own.npz"
    if content is None:
        with path.open("wb") as file:
            np.save(file, X)
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"own.npz is no .npz archive.*numpy.savez"):
        read_npz(path)


def test_parquet_reads_numbers_of_every_kind(tmp_path):
    table = pa.table({"a": [1, 2], "b": [True, False], "c": pa.array([0.5, 1.5], pa.float32())})
    pq.write_table(table, tmp_path / "own.parquet")
    raw = read_parquet(tmp_path / "own.parquet", "b")
    np.testing.assert_array_equal(raw.x, [[1, 0.5], [2, 1.5]])
    np.testing.assert_array_equal(raw.y, [1, 0])
    assert raw.columns == ("a", "c")


@pytest.mark.parametrize(
    ("columns", "label", "message"),
    [
        ({"a": [1], "b": [2]}, None, r"own.parquet needs .*its columns are a, b"),
        ({"a": [1], "b": [2]}, "c", r"label for .*own.parquet is 'c'; .*choose one of a, b"),
        ({"a": ["x"], "b": [2]}, "b", r"column 'a' of .*own.parquet holds string, not numbers"),
        ({"a": [1, None], "b": [2, 3]}, "b", r"row 2, column 'a' of .*own.parquet is nan; write"),
        ({"b": [2]}, "b", r"own.parquet has 1 columns; give"),
    ],
)
def test_parquet_names_what_is_wrong(tmp_path, columns, label, message):
    pq.write_table(pa.table(columns), tmp_path / "own.parquet")
    with pytest.raises(InvalidInput, match=message):
        read_parquet(tmp_path / "own.parquet", label)


def test_parquet_must_be_parquet(tmp_path):
    path = written(tmp_path, "own.parquet", "a,b\n1,2\n")
    with pytest.raises(
        InvalidInput, match=r"own.parquet cannot be read as Parquet \(.+\); replace"
    ):
        read_parquet(path, "b")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        InvalidInput, match=r"own.parquet needs .*pip install 'inertial\[parquet\]'"
    ):
        read_parquet(tmp_path / "own.parquet", "b")
