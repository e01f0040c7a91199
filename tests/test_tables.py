"""Tables as people have them.

`SAME` lists kinds of writing one table, one per line: all must load to the same numbers as the plain
one, with the note that belongs to the kind.  `DATES` and `MARKS` list how dates and numbers are written.  `REFUSED` lists what is
refused, with a remedy that is followed.
"""

import ast
import bz2
import gzip
import io
import lzma
import os
import re
import subprocess
import sys
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from inertial import InvalidInput, load, tune
from inertial._surface import terminal
from inertial.data import reload
from inertial.data.columns import few_valued
from inertial.linear.kernel import infinite_gram

RNG = np.random.default_rng(7)
ROWS = 24
FRAME = pd.DataFrame(
    {
        "depth": RNG.normal(7, 2, ROWS).round(2),
        "salt": RNG.normal(30, 5, ROWS).round(1),
        "flow": RNG.normal(0, 3, ROWS).round(2),
        "yield": RNG.normal(12, 4, ROWS).round(1),
    }
)
PLAIN = FRAME.to_csv(index=False)


def spelled(**changes):
    return FRAME.to_csv(index=False, **changes)


def lines(text, change):
    """Change every line of a text, given its number from 0."""
    return "\n".join(change(k, line) for k, line in enumerate(text.splitlines())) + "\n"


def zipped(text):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("folder/own.csv", text)
    return file.getvalue()


def parquet(frame, **options):
    file = io.BytesIO()
    frame.to_parquet(file, **options)
    return file.getvalue()


def with_column(name, values, at=0):
    frame = FRAME.copy()
    frame.insert(at, name, values)
    return frame


SAME = [
    # kind, name of the file, content, note
    ("semicolons", "t.csv", spelled(sep=";"), None),
    ("decimal commas", "t.csv", spelled(sep=";", decimal=","), "commas are read as decimal points"),
    ("quoted decimal commas", "t.csv", spelled(decimal=",", quoting=1), "commas are read as"),
    ("tabs", "t.csv", spelled(sep="\t"), None),
    ("tab-separated file", "t.tsv", spelled(sep="\t"), None),
    ("bars", "t.txt", spelled(sep="|"), None),
    ("blanks", "t.dat", spelled(sep=" "), None),
    ("aligned blanks", "t.txt", FRAME.to_string(index=False), None),
    ("aligned texts with blanks", "t.txt", with_column("kind", [f"grown in {k}" for k in FRAME.index]).to_string(index=False).replace(" ", "   ").replace("grown   in   ", "grown in "), "texts"),
    ("ids of their own", "t.csv", with_column("id", 9 + 2 * RNG.permutation(ROWS), 3).to_csv(index=False), "row: id"),
    ("two lines of titles", "t.csv", "spring\n1999\n" + PLAIN, "2 lines are above"),
    ("blanks after commas", "t.csv", PLAIN.replace(",", ", "), None),
    ("quotes", "t.csv", spelled(quoting=1), None),
    ("byte order mark", "t.csv", PLAIN.encode("utf-8-sig"), None),
    ("Excel's line of the separator", "t.csv", "sep=;\n" + spelled(sep=";"), None),
    ("the same for commas", "t.csv", "sep=,\r\n" + PLAIN.replace("\n", "\r\n"), None),
    ("the same for tabs", "t.csv", "sep=\t\n" + spelled(sep="\t"), None),
    ("the same with the tab spelled", "t.csv", "sep=\\t\n" + spelled(sep="\t"), None),
    ("the same behind a byte order mark", "t.csv", ("sep=;\n" + spelled(sep=";")).encode("utf-8-sig"), None),
    ("the same saved as a row", "t.csv", "sep=;;;;\n" + spelled(sep=";"), None),
    ("the same in quotes", "t.csv", '"sep=,"\n' + PLAIN, None),
    ("UTF-16", "t.csv", PLAIN.encode("utf-16"), None),
    ("UTF-32", "t.csv", PLAIN.encode("utf-32"), None),
    ("Windows line ends", "t.csv", PLAIN.replace("\n", "\r\n"), None),
    ("old Mac line ends", "t.csv", PLAIN.replace("\n", "\r"), None),
    ("no last line end", "t.csv", PLAIN.rstrip(), None),
    ("blank lines", "t.csv", "\n" + PLAIN.replace("\n", "\n\n"), None),
    ("gzip", "t.csv.gz", gzip.compress(PLAIN.encode()), None),
    ("bzip2", "t.csv.bz2", bz2.compress(PLAIN.encode()), None),
    ("xz", "t.tsv.xz", lzma.compress(spelled(sep="\t").encode()), None),
    ("zip", "t.csv.zip", zipped(PLAIN), None),
    ("gzip without its ending", "t.csv", gzip.compress(PLAIN.encode()), None),
    ("comment line first", "t.csv", "# measured in spring\n" + PLAIN, "left out as comments"),
    ("comment lines inside", "t.csv", "# a\n" + PLAIN.replace("\n", "\n# b\n", 3), "4 lines are left"),
    ("header in a comment", "t.txt", "# " + spelled(sep=" "), "comment line above the rows is taken"),
    ("title line", "t.csv", "Yields of spring\n" + PLAIN, "1 line is above the table left out"),
    ("trailing empty column", "t.csv", PLAIN.replace("\n", ",\n"), None),
    ("trailing separators below the header", "t.csv", lines(PLAIN, lambda k, s: s + "," * (k > 0)), None),
    ("pandas index", "t.csv", FRAME.to_csv(), "number or name of the row: column 1"),
    ("shuffled pandas index", "t.csv", FRAME.set_axis(RNG.permutation(ROWS)).to_csv(), "name of the row"),
    ("named pandas index", "t.csv", with_column("Unnamed: 0", range(ROWS)).to_csv(index=False), "Unnamed"),
    ("names of rows", "t.csv", FRAME.set_axis([f"r{k}" for k in FRAME.index]).to_csv(), "name of the row"),
    ("R's names of rows", "t.txt", lines(spelled(sep=" "), lambda k, s: f"{k} " * (k > 0) + s), "row names"),
    ("counting column", "t.csv", with_column("id", range(100, 124)).to_csv(index=False), "row: id"),
    ("count from 1 in front", "t.csv", with_column("n", range(1, 25)).to_csv(index=False), "row: n"),
    ("constant column", "t.csv", with_column("year", 1999, 2).to_csv(index=False), "do not vary: year"),
    ("empty column", "t.csv", with_column("void", np.nan, 2).to_csv(index=False), "do not vary: void"),
    ("free text", "t.csv", with_column("name", [f"N. {k}" for k in FRAME.index]).to_csv(index=False), "texts"),
    ("codes like numbers", "t.csv", with_column("c", ["1E3", "B2", "4K7"] * 8, 1).assign(
        c=[f"{k}E{k}" if k % 3 else f"K{k}" for k in FRAME.index]).to_csv(index=False), "texts or dates"),
    ("dates", "t.csv", with_column("d", pd.date_range("2020", periods=ROWS)).to_csv(index=False), "dates"),
    ("empty row", "t.csv", PLAIN + ",,,\n", "1 of 25 rows have no target and are left out"),
    ("thousands", "t.csv", FRAME.assign(flow=[f"{v * 1e5:,.0f}" for v in FRAME.flow]).to_csv(index=False), None),
    ("currency of big numbers", "t.csv", FRAME.assign(depth=FRAME.depth * 1e18).to_csv(index=False), None),
    ("dollars and thousands", "t.csv", FRAME.assign(flow=[f"${v * 1e5:,.0f}" for v in FRAME.flow]).to_csv(index=False), "without their units: flow ($)"),
    ("per cent", "t.csv", FRAME.assign(salt=[f"{v} %" for v in FRAME.salt]).to_csv(index=False), "without their units: salt (%)"),
    ("a unit in the target", "t.csv", FRAME.assign(**{"yield": [f"{v} kg/m²" for v in FRAME["yield"]]}).to_csv(index=False), "without their units: yield (kg/m²)"),
    ("euros in the German way", "t.csv", FRAME.assign(depth=[f"{v:,.2f} €".translate(str.maketrans(",.", ".,")) for v in FRAME.depth * 1e4]).to_csv(index=False, sep=";", decimal=","), "commas are read|without their units"),
    ("named order id", "t.csv", with_column("order id", 9 + 2 * RNG.permutation(ROWS), 3).to_csv(index=False), "row: order id"),
    ("upper-case ending", "T.CSV", PLAIN, None),
    ("Parquet", "t.parquet", parquet(FRAME), None),
    ("Parquet with an index", "t.parquet", parquet(FRAME.set_axis(RNG.permutation(ROWS))), "__index_level_0__"),
    ("Parquet with dates", "t.pq", parquet(with_column("d", pd.date_range("2020", periods=ROWS))), "dates"),
    ("Parquet of decimals", "t.parquet", parquet(FRAME.map(lambda v: Decimal(str(v)))), None),
    ("Parquet of nullable numbers", "t.parquet", parquet(FRAME.astype("Float64")), None),
    ("Parquet of categories", "t.parquet", parquet(FRAME.astype({"salt": "category"})), None),
    ("Parquet of texts of numbers", "t.parquet", parquet(FRAME.astype(str)), None),
]  # fmt: skip


def put(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return load(put(tmp_path_factory.mktemp("plain"), "t.csv", PLAIN), label="yield")


def test_the_plain_table_is_standardised_with_a_constant_input(plain):
    x = FRAME[["depth", "salt", "flow"]].to_numpy()
    z = np.column_stack([(x - x.mean(0)) / x.std(0), np.ones(ROWS)])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    y = FRAME["yield"].to_numpy()
    np.testing.assert_allclose(plain.x, z, rtol=0, atol=1e-14)
    np.testing.assert_allclose(plain.y, (y - y.mean()) / y.std(), rtol=0, atol=1e-14)
    assert plain.columns == ("depth", "salt", "flow", "constant")
    (note,) = plain.provenance.notes
    assert note == (
        "inputs and targets are standardised, a constant input is added and every row's inputs are "
        "then scaled to norm 1; raw=True takes the numbers as they are but for their norm."
    )


def test_the_note_on_the_preparation_names_the_steps_that_were_taken():
    for options, said in (
        (
            {"normalize": False},
            "inputs and targets are standardised and a constant input is added;",
        ),
        ({"constant": False, "normalize": False}, "inputs and targets are standardised;"),
        (
            {"standardize": False},
            "a constant input is added and every row's inputs are then scaled",
        ),
    ):
        notes = load(FRAME, label="yield", **options).provenance.notes
        assert any(note.startswith(said) for note in notes)


@pytest.mark.parametrize(
    ("name", "content", "note"), [s[1:] for s in SAME], ids=[s[0] for s in SAME]
)
def test_one_table_in_many_spellings_is_the_same_numbers(tmp_path, plain, name, content, note):
    found = load(put(tmp_path, name, content), label="yield")
    # Scales of powers of ten round, all else is exact.
    np.testing.assert_allclose(found.x, plain.x, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(found.y, plain.y)
    assert found.columns == plain.columns
    said = found.provenance.notes[:-1]
    words = [] if note is None else note.split("|")
    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))


TOWNS = with_column("town", ["New York", "Ayr", "Rio de Janeiro", "Paris"] * 6, 2)
PLOTS = with_column("plot", [f"plot {k % 4} north" for k in range(ROWS)], 2)
HOLED = TOWNS.assign(salt=TOWNS.salt.where(TOWNS.index % 7 != 3))


def to_the_left(frame):
    """Return a frame as text of which names and texts begin where their columns begin."""
    cells = [list(frame), *frame.astype(str).to_numpy().tolist()]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(" ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)) for row in cells)


ALIGNED = [
    # kind, the same table as CSV, its text
    ("texts with blanks", TOWNS, TOWNS.to_string(index=False)),
    ("beside an index", TOWNS, TOWNS.to_string()),
    ("to the left", TOWNS, to_the_left(TOWNS)),
    ("nothing in a cell", HOLED, HOLED.to_string(index=False, na_rep="")),
    ("words that stand apart in every line", PLOTS, PLOTS.to_string(index=False)),
    ("the same to the left", PLOTS, to_the_left(PLOTS)),
    ("words that stand apart beside an index", PLOTS[PLOTS.columns[[2, 0, 1, 3, 4]]],
     PLOTS[PLOTS.columns[[2, 0, 1, 3, 4]]].to_string()),
    ("names with blanks", TOWNS.rename(columns={"town": "old town"}),
     TOWNS.rename(columns={"town": "old town"}).to_string(index=False)),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "text"), [s[1:] for s in ALIGNED], ids=[s[0] for s in ALIGNED])
def test_cells_that_hold_blanks_or_nothing_are_told_apart_by_their_places(tmp_path, frame, text):
    found = load(put(tmp_path, "t.txt", text), label="yield")
    plain = load(put(tmp_path, "t.csv", frame.to_csv(index=False)), label="yield")
    assert found.columns == plain.columns
    np.testing.assert_array_equal(found.x, plain.x)
    np.testing.assert_array_equal(found.y, plain.y)
    assert any("where they stand in a line" in note for note in found.provenance.notes)


def test_raw_takes_the_numbers_as_they_are(tmp_path):
    found = load(put(tmp_path, "t.csv", PLAIN), label="yield", raw=True)
    x = FRAME[["depth", "salt", "flow"]].to_numpy()
    np.testing.assert_allclose(found.x, x / np.linalg.norm(x, axis=1, keepdims=True), rtol=1e-15)
    np.testing.assert_array_equal(found.y, FRAME["yield"])


HEADERS = [
    # first line, rows below, label, names of the columns
    ("0,1,2,3", FRAME, "3", "0 1 2"),
    ("1990,1991,1992,1993", FRAME, "1993", "1990 1991 1992"),
    ("400.5,401,401.5,402", FRAME, "402", "400.5 401 401.5"),
    ("city,1990,1991,1992", FRAME.assign(depth=["a", "b"] * 12), "1992", "city_b 1990 1991"),
    ("depth,salt,flow,1", FRAME, "1", "depth salt flow"),
    (None, FRAME, "4", "1 2 3"),
    (None, FRAME.assign(salt=["a", "b", "c"] * 8), "1", "2_a 2_b 2_c 3 4"),
    ("7.44,28.7,?,13.1", FRAME, "1", "2 3 4"),
    ("p,e,1.5,2.5", FRAME.assign(depth=["p", "q"] * 12, salt=["e", "f"] * 12), "3", "1_q 2_f 4"),
    ("p,e,s,2", FRAME.assign(depth=["p", "q"] * 12, salt=["e", "f"] * 12, flow=["s", "t"] * 12),
     "4", "1_q 2_f 3_t"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "rows", "label", "names"), HEADERS)
def test_a_first_line_with_numbers_is_never_taken_without_a_word(
    tmp_path, first, rows, label, names
):
    text = (first + "\n" if first else "") + rows.to_csv(index=False, header=False)
    path = put(tmp_path, "t.csv", text)
    found = load(path, label=label, task="regression")
    assert " ".join(found.columns) == names + " constant"
    headed = first is not None and first[0] not in "7p"
    words = "is taken as the names" if headed else "is read as a row"
    assert sum(words in note for note in found.provenance.notes) == 1
    assert found.provenance.rows == len(text.splitlines()) - headed
    # The note says how to do otherwise, and that works.
    other = load(path, label=text.split("\n")[0].split(",")[-1] if not headed else "4",
                 header=not headed, task="regression")  # fmt: skip
    assert other.provenance.rows == len(text.splitlines()) - (not headed)


def test_texts_without_a_header_are_rows(tmp_path):
    rows = "\n".join(RNG.choice(list("pqrs"), (30, 3)).tolist() and
                     [",".join(row) for row in RNG.choice(list("pq"), (30, 3))])  # fmt: skip
    found = load(put(tmp_path, "t.csv", rows), label="3", dedupe=False, normalize=False)
    assert found.provenance.rows == 30
    assert any("is read as a row" in note for note in found.provenance.notes)


def test_few_texts_become_one_column_a_value_and_missing_ones_a_value_of_their_own(tmp_path):
    frame = with_column("soil", ["clay", "sand", None, "loam"] * 6).assign(wet=["yes", "no"] * 12)
    found = load(put(tmp_path, "t.csv", frame.to_csv(index=False)), label="yield", raw=True,
                 normalize=False)  # fmt: skip
    assert found.columns == (
        "soil_clay", "soil_loam", "soil_missing", "soil_sand", "depth", "salt", "flow", "wet_yes",
    )  # fmt: skip
    np.testing.assert_array_equal(found.x[:4, :4], np.eye(4)[[0, 3, 2, 1]])
    np.testing.assert_array_equal(found.x[:4, -1], [1, 0, 1, 0])
    for note in (
        "encoded as one column per value, two values as one: soil (3 values), wet (2 values); drop=['NAME']",
        "missing cells are one more value of: soil; drop=['NAME']",
    ):
        assert any(word.startswith(note) for word in found.provenance.notes)
    fewer = load(tmp_path / "t.csv", label="yield", drop=("soil", "wet"))
    assert fewer.columns == ("depth", "salt", "flow", "constant")


@pytest.mark.parametrize("word", ["none", "None", "missing", "k. A.", "n.d."])
def test_a_class_named_none_stays_and_among_numbers_it_is_a_missing_cell(tmp_path, word):
    frame = FRAME.assign(fault=[word, "belt", "bearing"] * 8, salt=[word, *FRAME.salt[1:]])
    path = put(tmp_path, "t.csv", frame.to_csv(index=False))
    found = load(path, label="fault", raw=True, normalize=False)
    assert len(found.y) == ROWS
    assert any(f"{word} (8)" in note for note in found.provenance.notes), found.provenance.notes
    assert found.x[0, 1] == FRAME.salt[1:].median()
    assert any("filled with the median: salt (1)" in note for note in found.provenance.notes)
    beside = load(path, label="yield", raw=True, normalize=False)
    assert f"fault_{word}" in beside.columns


@pytest.mark.parametrize(
    "form",
    ["{}${:.2f}", "${}{:.2f}", "{}USD {:.2f}", "USD {}{:.2f}", "{}{:.2f} USD", "{}€ {:,.2f}"],
)
def test_a_minus_stands_before_or_after_a_currency(tmp_path, form):
    """Also as the target, which texts of many values cannot be."""
    values = np.where(np.arange(ROWS) % 3, 1, -1) * (FRAME.depth.to_numpy() * 1e3).round(2)
    cells = [form.format("-" if value < 0 else "", abs(value)) for value in values]
    path = put(tmp_path, "t.csv", FRAME.assign(paid=cells).to_csv(index=False))
    found = load(path, label="paid", raw=True, normalize=False)
    np.testing.assert_allclose(found.y, values, rtol=1e-12)
    inputs = load(path, label="yield", raw=True, normalize=False)
    np.testing.assert_allclose(inputs.x[:, inputs.columns.index("paid")], values, rtol=1e-12)


def test_codes_and_mixed_units_stay_texts(tmp_path):
    codes = [f"A-{k % 3}" for k in range(ROWS)]
    mixed = [f"{k % 3} {'kg' if k % 3 else 'g'}" for k in range(ROWS)]
    some = [f"{k % 3}{' %' if k % 3 else ''}" for k in range(ROWS)]
    frame = FRAME.assign(code=codes, mass=mixed, share=some)
    found = load(put(tmp_path, "t.csv", frame.to_csv(index=False)), label="yield")
    assert {"code_A-1", "mass_0 g", "share_1 %"} <= {*found.columns}
    assert not any("units" in note for note in found.provenance.notes)


def test_test_rows_in_another_unit_are_refused(tmp_path):
    metres, feet = ([f"{v} {unit}" for v in FRAME.depth] for unit in ("m", "ft"))
    train = put(tmp_path, "t.csv", FRAME.assign(depth=metres).to_csv(index=False))
    test = put(tmp_path, "test.csv", FRAME.assign(depth=feet).to_csv(index=False))
    with pytest.raises(
        InvalidInput, match=r"column 'depth' has the unit 'ft' in .* and 'm' in the"
    ):
        load(train, label="yield", test=test)
    test.write_text(FRAME.assign(depth=metres).to_csv(index=False))
    assert load(train, label="yield", test=test).provenance.rows == ROWS


def test_missing_cells_are_filled_with_the_median(tmp_path):
    frame = FRAME.copy()
    frame.loc[[3, 7], "salt"] = np.nan
    found = load(put(tmp_path, "t.csv", frame.to_csv(index=False, na_rep="n/a")), label="yield",
                 raw=True, normalize=False)  # fmt: skip
    np.testing.assert_array_equal(found.x[[3, 7], 1], [frame.salt.median()] * 2)
    assert any("filled with the median: salt (2)" in note for note in found.provenance.notes)


def test_cells_that_are_no_numbers_in_a_column_of_numbers_are_missing_and_named(tmp_path):
    text = lines(PLAIN, lambda k, line: re.sub("^[^,]*", "oops", line) if k == 9 else line)
    found = load(put(tmp_path, "t.csv", text), label="yield", raw=True, normalize=False)
    assert found.x[8, 0] == FRAME.depth.drop(8).median()
    assert any("count as missing: depth (oops)" in note for note in found.provenance.notes)


DAYS = pd.to_datetime(np.array(["2021-01-03", "2021-02-01", "2021-12-11", "1999-03-02"] * 6))
LATE = DAYS.where(np.arange(ROWS) != 5, pd.Timestamp("2021-01-21"))
DATES = [
    # kind, days, how they are written, what is read first where nothing tells it
    *((f"{form} with a 21st", LATE, form, None) for form in (
        "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%m-%d-%Y", "%Y-%m-%d", "%Y/%m/%d", "%d %b %Y", "%B %d, %Y",
        "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%y-%m-%d", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
        "%m.%d.%Y", "%d. %m. %Y", "%d %m %Y", "%a %d.%m.%Y", "%H:%M %d/%m/%Y",
    )),
    ("points", DAYS, "%d.%m.%Y", "day"),
    ("slashes", DAYS, "%m/%d/%Y", "month"),
    ("ISO", DAYS, "%Y-%m-%d", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "form", "first"), [d[1:] for d in DATES], ids=[d[0] for d in DATES]
)
def test_one_order_of_day_and_month_holds_for_a_column_of_dates(tmp_path, days, form, first):
    path = put(tmp_path, "t.csv", with_column("made", days.strftime(form)).to_csv(index=False))
    found = load(path, label="yield", keep=["made"], raw=True, normalize=False)
    np.testing.assert_array_equal(found.x[:, 0], (days - days.min()).days)
    said = [note for note in found.provenance.notes if "may be swapped: made" in note]
    assert [re.search(r"read (\w+) first", note)[1] for note in said] == ([first] if first else [])
    if said:  # Followed:
        text = with_column("made", days.strftime("%Y-%m-%d")).to_csv(index=False)
        after = load(put(tmp_path, "t.csv", text), label="yield", keep=["made"])
        assert not any("swapped" in note for note in after.provenance.notes)


@pytest.mark.parametrize("form", ["M{}", "T{}", "may{}", "sep-{}", "mon {}", "M{:03}", "M12{:02}"])
def test_labels_that_a_reader_of_dates_would_take_stay_texts(tmp_path, form):
    path = put(
        tmp_path,
        "t.csv",
        with_column("made", [form.format(1 + k) for k in range(ROWS)]).to_csv(index=False),
    )
    found = load(path, label="yield", keep=["made"], raw=True, normalize=False)
    assert sum(name.startswith("made_") for name in found.columns) == ROWS


@pytest.mark.parametrize("form", ["%d-%b-%y", "%b %Y", "%Y%m%d", "%d %B %y", "%B %d %Y", "%Y-%m"])
def test_dates_with_a_named_month_or_without_signs_are_read(tmp_path, form):
    months = DAYS.to_period("M").to_timestamp() if "%d" not in form else DAYS
    path = put(
        tmp_path,
        "t.csv",
        with_column("made", [f"{day:{form}}" for day in DAYS]).to_csv(index=False),
    )
    found = load(path, label="yield", keep=["made"], raw=True, normalize=False)
    expected = (
        DAYS.strftime("%Y%m%d").astype(float) if form == "%Y%m%d" else (months - months.min()).days
    )
    np.testing.assert_array_equal(found.x[:, 0], expected)


def test_dates_of_two_ways_of_writing_are_each_read(tmp_path):
    """Those that begin with a year have their own order, whatever that of the others is."""
    written = [day.strftime("%d/%m/%Y" if k % 2 else "%Y-%m-%d") for k, day in enumerate(LATE)]
    path = put(tmp_path, "t.csv", with_column("made", written).to_csv(index=False))
    found = load(path, label="yield", keep=["made"], raw=True, normalize=False)
    np.testing.assert_array_equal(found.x[:, 0], (LATE - LATE.min()).days)


@pytest.mark.parametrize("other", ["01/13/2021", "2021-13-01", "01/01/21 or so"])
def test_cells_that_no_one_order_reads_are_no_dates(tmp_path, other):
    cells = ["13/01/2021", other] * 12
    path = put(tmp_path, "t.csv", with_column("made", cells).to_csv(index=False))
    found = load(path, label="yield", keep=["made"])
    assert any(
        "encoded as one column per value, two values as one: made" in n
        for n in found.provenance.notes
    )


@pytest.mark.parametrize("sign", ["-", "/", "."])
def test_three_numbers_without_a_year_of_two_or_four_digits_are_no_date(tmp_path, sign):
    cells = [sign.join(f"{k % m + 1}" for m in (5, 7, 9)) for k in range(ROWS)]
    path = put(tmp_path, "t.csv", with_column("made", cells).to_csv(index=False))
    found = load(path, label="yield", keep=["made"], raw=True)
    assert {name for name in found.columns if "made" in name} == {f"made_{cell}" for cell in cells}


@pytest.mark.parametrize("word", ["", "NA", "none"])
def test_missing_dates_are_the_median_of_the_dates(tmp_path, word):
    cells = [*DAYS.strftime("%d.%m.%Y")]
    cells[4] = cells[8] = word
    frame = with_column("made", cells)
    path = put(tmp_path, "t.csv", frame.to_csv(index=False))
    found = load(path, label="yield", keep=["made"], raw=True, normalize=False)
    assert found.columns == ("made", "depth", "salt", "flow")
    there = (DAYS - DAYS.min()).days.to_numpy().astype(float)
    there[[4, 8]] = np.nan
    np.testing.assert_array_equal(
        found.x[:, 0], np.where(np.isnan(there), np.nanmedian(there), there)
    )
    assert any("filled with the median: made (2)" in note for note in found.provenance.notes)
    parsed = frame.assign(made=pd.to_datetime(frame.made, format="%d.%m.%Y", errors="coerce"))
    stamped = load(parsed, label="yield", keep=["made"], raw=True, normalize=False)
    np.testing.assert_array_equal(stamped.x, found.x)


COUNTS = np.array([950, 1230, 2756, 13100, 5, 120, 98765, 4321] * 3)
PLACES = np.array([950, 1.234, 2.756, 13.101, 5, 120, 98.765, 4.321] * 3)
GROUPED = [f"{count:,}" for count in COUNTS]


def swapped(cells):
    return [cell.translate(str.maketrans(",.", ".,")) for cell in cells]


FEW_GROUPED = ["950", "1,234", "2,750", "480", "3,999", "870", "1,500", "620"] * 3
UNEVEN = ["1.125", "2.375", "3.250", "500", "0", "101"] * 4
BESIDE = [f"{1 + 257 * k / 1000:.3f}" if k % 3 else f"{100 + k}" for k in range(ROWS)]
MARKS = [
    # kind, separator, how the numbers are written, the numbers, note
    ("thousands commas, tabs", "\t", GROUPED, COUNTS, "commas are read as thousands signs; write 950,000 for 950"),
    ("thousands commas, semicolons", ";", GROUPED, COUNTS, "commas are read as thousands signs"),
    ("dollars", "\t", [f"${cell}" for cell in GROUPED], COUNTS, "commas are read as thousands signs"),
    ("thousands commas of four numbers", "\t", FEW_GROUPED, [int(cell.replace(",", "")) for cell in FEW_GROUPED], "commas are read as thousands signs; write 950,000 for 950"),
    ("perhaps thousands points, tabs", "\t", swapped(GROUPED), [float(cell) for cell in swapped(GROUPED)], "points are read as decimal points; leave them out"),
    ("perhaps thousands points, semicolons", ";", swapped(FEW_GROUPED), [float(cell) for cell in swapped(FEW_GROUPED)], "points are read as decimal points; leave them out"),
    ("millions with commas", "\t", [f"{count:,}" for count in COUNTS * 100_000], COUNTS * 1e5, None),
    ("thousands and decimals", "\t", [f"{count:,.2f}" for count in COUNTS * 10], COUNTS * 10, None),
    ("as R writes decimals", "\t", [f"{value:g}" for value in PLACES], PLACES, "points are read as decimal points"),
    ("as pandas writes decimals", "\t", [str(value / 1000) for value in COUNTS], COUNTS / 1000, None),
    ("decimals of one length", "\t", [f"{value:.3f}" for value in COUNTS / 1000], COUNTS / 1000, None),
    ("decimals of one length, commas", ";", swapped([f"{value:.3f}" for value in COUNTS / 1000]), COUNTS / 1000, "commas are read as decimal points"),
    ("small decimals and counts", ";", swapped(["0.125", "1.250", "3", "12.375"] * 6), np.array([0.125, 1.25, 3, 12.375] * 6), "commas are read as decimal"),
    ("small decimals with points", ";", ["1.125", "1.250", "3", "12.375"] * 6, np.array([1.125, 1.25, 3, 12.375] * 6), "points are read as decimal"),
    ("short decimals and counts, points", ";", UNEVEN, [float(cell) for cell in UNEVEN], "points are read as decimal"),
    ("short decimals and counts, commas", ";", swapped(UNEVEN), [float(cell) for cell in UNEVEN], "commas are read as decimal"),
    ("decimals of one length beside counts", ";", BESIDE, [float(cell) for cell in BESIDE], "points are read as decimal"),
    ("decimals of one length beside counts, commas", "\t", swapped(BESIDE), [float(cell) for cell in BESIDE], "commas are read as decimal"),
    ("decimals that never end in 0", "\t", swapped([f"{value:g}" for value in PLACES]), PLACES, "commas are read as decimal"),
    ("two with commas", "\t", ["950", "870", "1,230", "1,750", *["480", "620"] * 10], [950, 870, 1.23, 1.75, *[480, 620] * 10], "commas are read as decimal"),
    ("a count beside commas", "\t", ["1,234", "1234", "2,750", "950"] * 6, np.array([1.234, 1234, 2.75, 950] * 6), "commas are read as decimal"),
    ("apostrophes", ";", [f"{count:,}".replace(",", "'") for count in COUNTS], COUNTS, "read as numbers, apostrophes as thousands signs: n"),
    ("Swiss apostrophes and francs", ",", [f"{count:,}.50".replace(",", "’") for count in COUNTS], COUNTS + 0.5, "read as numbers, apostrophes as thousands signs: n"),
    ("blanks", ";", [f"{count:,}".replace(",", " ") for count in COUNTS], COUNTS, "read as numbers, blanks as thousands signs: n"),
    ("blanks in all", ",", [f"{count:,}".replace(",", " ") for count in 1000 + COUNTS], 1000 + COUNTS, "read as numbers, blanks as thousands signs: n"),
    ("no-break blanks", ",", [f"{count:,}".replace(",", "\u00a0") for count in COUNTS], COUNTS, "as thousands signs: n"),
    ("narrow blanks and decimal commas", ";", [f"{count:,}".replace(",", "\u202f") + ",50" for count in COUNTS], COUNTS + 0.5, "commas are read as decimal points|as thousands signs: n"),
    ("blanks and decimal commas alone", ";", [f"{count:,}".replace(",", " ") + ",50" for count in COUNTS], COUNTS + 0.5, "commas are read as decimal points|read as numbers, blanks as thousands signs: n"),
    ("a minus of print", ",", [f"\u2212{count}" if count > 999 else f"{count}" for count in COUNTS], np.where(COUNTS > 999, -COUNTS, COUNTS), "read as numbers, long minus signs as minus: n"),
    ("brackets", ",", [f"({count}.50)" if count > 999 else f"{count}.50" for count in COUNTS], np.where(COUNTS > 999, -1, 1) * (COUNTS + 0.5), "read as numbers, brackets as minus: n"),
    ("brackets and blanks", ",", [f"({count:,})".replace(",", " ") if count > 9999 else f"{count}" for count in COUNTS], np.where(COUNTS > 9999, -1, 1) * COUNTS, "read as numbers, blanks as thousands signs, brackets as minus: n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("separator", "cells", "values", "note"), [m[1:] for m in MARKS], ids=[m[0] for m in MARKS]
)
def test_what_a_comma_or_point_is_shows_in_its_column_or_is_said(
    tmp_path, separator, cells, values, note
):
    frame = pd.DataFrame({"n": cells, "k": 7 * np.arange(ROWS) % 24, "t": ["a", "b"] * 12})
    path = put(tmp_path, "t.txt", frame.to_csv(index=False, sep=separator))
    found = load(path, label="t", raw=True, normalize=False, dedupe=False)
    np.testing.assert_allclose(found.x[:, found.columns.index("n")], values, rtol=1e-15)
    said = [text for text in found.provenance.notes if "read as " in text and "units" not in text]
    words = note.split("|") if note else []
    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))


@pytest.mark.parametrize(("mark", "cells"), [(",", GROUPED), (".", swapped(GROUPED))])
def test_the_remedy_for_a_mark_read_wrongly_works(tmp_path, mark, cells):
    """Thousands written as decimals of one length are decimals, and without the mark thousands."""

    def read(cells):
        frame = pd.DataFrame({"n": cells, "k": 7 * np.arange(ROWS) % 24, "t": ["a", "b"] * 12})
        path = put(tmp_path, "t.tsv", frame.to_csv(index=False, sep="\t"))
        return load(path, label="t", raw=True, normalize=False).x[:, 0]

    longer = [cell if mark in cell else f"{cell}{mark}000" for cell in cells]
    np.testing.assert_array_equal(read(longer), [float(c.replace(mark, ".")) for c in longer])
    np.testing.assert_array_equal(read([cell.replace(mark, "") for cell in cells]), COUNTS)


def parts(k, count):
    return [f"{100 + (37 * k + 11 * part) % 15}" for part in range(count)]


@pytest.mark.parametrize(
    "cell",
    [
        lambda k: "10.101." + ".".join(parts(k, 2)),
        lambda k: "192.168.178." + parts(k, 1)[0],
        lambda k: f"{1 + k % 2}." + ".".join(parts(k, 2)),
        lambda k: f"{(k * k) % 19 + 1}." + ".".join(parts(k, 1 + k % 2)),
        lambda k: " ".join(parts(k, 2)),
        lambda k: " ".join(parts(k, 3)),
        lambda k: "'".join(parts(k, 2)),
        lambda k: f"{100 + k % 12} {'0' if k % 2 else '1'}80",
    ],
)
def test_addresses_versions_and_numbers_of_articles_stay_texts(tmp_path, cell):
    """Points and blanks between three digits are no thousands signs wherever they stand."""
    cells = [cell(k) for k in range(ROWS)]
    frame = pd.DataFrame({"n": cells, "k": 7 * np.arange(ROWS) % 24, "t": ["a", "b"] * 12})
    path = put(tmp_path, "t.txt", frame.to_csv(index=False, sep=";"))
    found = load(path, label="t", keep=["n"], raw=True, normalize=False)
    assert {name for name in found.columns if name != "k"} == {f"n_{cell}" for cell in cells}
    assert not [
        note for note in found.provenance.notes if "commas" in note or "read as numbers" in note
    ]


def test_lists_of_numbers_do_not_tell_what_the_commas_of_other_columns_are(tmp_path):
    lists = [",".join(parts(k, 2 + k % 2)) for k in range(ROWS)]
    values = (1001 + 257 * np.arange(ROWS)) / 1000
    cells = swapped([f"{value:.3f}" for value in values])
    frame = pd.DataFrame({"n": cells, "list": lists, "t": ["a", "b"] * 12})
    path = put(tmp_path, "t.txt", frame.to_csv(index=False, sep=";"))
    found = load(path, label="t", raw=True, normalize=False)
    np.testing.assert_allclose(found.x[:, found.columns.index("n")], values, rtol=1e-15)


def test_test_rows_have_the_thousands_signs_of_the_training_rows(tmp_path):
    """Test rows alone would not tell: as many digits are before the blank in each."""

    def table(name, numbers):
        cells = [f"{number:,}".replace(",", " ") for number in numbers]
        frame = pd.DataFrame({"n": cells, "k": np.arange(len(cells)) ** 2, "t": ["a", "b"] * 12})
        return put(tmp_path, name, frame.to_csv(index=False))

    other = 120_080 + 1000 * np.arange(ROWS)
    train, test = table("train.csv", COUNTS), table("test.csv", other)
    found = load(train, label="t", test=test, raw=True, normalize=False, dedupe=False)
    np.testing.assert_array_equal(found.test.x[:, found.columns.index("n")], other)


@pytest.mark.parametrize("cells", [["1'234", "1'500", "2'345"] * 8, ["(1)", "(2)", "(3)"] * 8])
def test_test_rows_may_have_signs_where_training_rows_have_none(tmp_path, cells):
    """A column of plain numbers is one of numbers, however those of the test rows are written."""

    def table(name, numbers):
        frame = pd.DataFrame({"n": numbers, "k": np.arange(ROWS) ** 2, "t": ["a", "b"] * 12})
        return put(tmp_path, name, frame.to_csv(index=False))

    train, test = table("train.csv", 100 + np.arange(ROWS)), table("test.csv", cells)
    found = load(train, label="t", test=test, raw=True, normalize=False, dedupe=False)
    expected = [1234, 1500, 2345] if "'" in cells[0] else [-1, -2, -3]
    np.testing.assert_array_equal(found.test.x[:3, found.columns.index("n")], expected)


def test_numbers_that_are_all_in_brackets_stay_texts(tmp_path):
    path = put(
        tmp_path,
        "t.csv",
        with_column("error", [f"({k % 4}.5)" for k in range(ROWS)]).to_csv(index=False),
    )
    assert "error_(0.5)" in load(path, label="yield").columns


def test_an_unknown_separator_is_met_with_those_that_are_read(tmp_path):
    path = put(tmp_path, "t.csv", spelled(sep="~"))
    with pytest.raises(
        InvalidInput, match=r"has 1 column; .* with commas, semicolons, tabs, bars or"
    ):
        load(path, label="yield")


def test_true_and_false_are_numbers_in_csv_and_in_parquet(tmp_path):
    frame = with_column("wet", [True, False, False] * 8)
    loaded = [
        load(put(tmp_path, f"t{ending}", content), label="yield")
        for ending, content in ((".csv", frame.to_csv(index=False)), (".parquet", parquet(frame)))
    ]
    assert loaded[0].provenance.sha256 == loaded[1].provenance.sha256
    assert loaded[0].columns[0] == "wet"


TWO = [
    (["no", "yes"] * 12, ("no", "yes")),
    ([True, False] * 12, ("False", "True")),
    ([0, 1] * 12, ("0", "1")),
    ([2.5, 1.5] * 12, ("1.5", "2.5")),
]


@pytest.mark.parametrize(("target", "classes"), TWO)
def test_two_values_are_classes_and_the_note_says_which_is_which(tmp_path, target, classes):
    path = put(tmp_path, "t.csv", FRAME.assign(t=target).to_csv(index=False))
    found = load(path, label="t")
    assert found.classes == classes
    np.testing.assert_array_equal(found.labels, [str(v) == classes[1] for v in target])
    np.testing.assert_array_equal(found.y, 2.0 * found.labels - 1)
    note = f"the target 't' is +1 for {classes[1]} (12), -1 for {classes[0]} (12)."
    assert note in found.provenance.notes


def test_more_classes_are_kept_as_labels_and_y_tells_the_largest_from_the_others(tmp_path):
    target = ["a", "b", "b", "c"] * 6
    found = load(put(tmp_path, "t.csv", FRAME.assign(t=target).to_csv(index=False)), label="t")
    assert (found.classes, found.provenance.task) == (("a", "b", "c"), "classification")
    np.testing.assert_array_equal(found.labels, [0, 1, 1, 2] * 6)
    np.testing.assert_array_equal(found.y, [-1, 1, 1, -1] * 6)
    note = (
        "the target 't' has 3 classes, a (6), b (12), c (6); the papers' network has one output, "
    )
    said = [word for word in found.provenance.notes if word.startswith(note)]
    assert "so its target is +1 for b and -1 for the others; a model under cross_entropy" in said[0]


def test_few_whole_values_are_classes_unless_told_otherwise(tmp_path):
    path = put(tmp_path, "t.csv", FRAME.assign(t=[1, 2, 2, 3] * 6).to_csv(index=False))
    found = load(path, label="t")
    assert found.classes == ("1", "2", "3")
    assert any("task='regression' takes the numbers" in note for note in found.provenance.notes)
    numbers = load(path, label="t", task="regression")
    assert (numbers.classes, numbers.labels) == ((), None)
    np.testing.assert_allclose(numbers.y[:4], np.array([-2, 0, 0, 2]) / np.sqrt(2), atol=1e-14)


def test_classes_look_whole_and_few_and_frequent():
    assert few_valued(np.repeat([1.0, 2, 3], 5))
    assert not few_valued(np.repeat([1.0, 2, 3], 5)[1:])
    assert not few_valued(np.repeat([1.0, 2, 3.5], 5))
    assert not few_valued(np.repeat([1.0, 2], 9))
    assert not few_valued(np.repeat(np.arange(11.0), 9))


def test_a_sorted_table_is_sampled_with_a_seed_and_not_cut(tmp_path):
    frame = pd.DataFrame({"a": RNG.normal(size=300), "b": np.repeat(["x", "y"], 150)})
    path = put(tmp_path, "t.csv", frame.to_csv(index=False))
    found = load(path, label="b", most=100)
    # A fair sample of 100 has 50 of each; four standard deviations of such a sample are 17.
    assert abs((found.y == 1).sum() - 50) < 17
    record = found.provenance
    assert (record.rows, record.n, record.seed) == (300, 100, 0)
    note = "100 of 300 rows are taken, at random with seed 0; n= takes more, seed= others."
    assert note in record.notes
    assert load(path, label="b", n=100).provenance.sha256 == record.sha256
    assert load(path, label="b", n=100, seed=1).provenance.sha256 != record.sha256
    whole = load(path, label="b")
    assert whole.provenance.seed is None
    # Rows keep the order of the file.
    assert (np.diff(found.y) >= 0).all()


@pytest.mark.parametrize(
    ("values", "keep", "noted"),
    [
        (7 * np.arange(ROWS) % ROWS, (), True),
        (7 * np.arange(ROWS) % ROWS, ("k",), False),
        (np.r_[7 * np.arange(ROWS - 1) % (ROWS - 1), int(1.1 * ROWS) - 1], (), True),
        (np.r_[7 * np.arange(ROWS - 1) % (ROWS - 1), int(1.1 * ROWS) + 1], (), False),
        (np.r_[7 * np.arange(ROWS - 1) % ROWS, 0], (), False),  # one twice
        (1900 + np.arange(ROWS), (), False),  # years
        (7.0 * np.arange(ROWS) % ROWS + 0.5, (), False),
    ],
)
def test_whole_numbers_that_may_name_the_rows_get_a_note_and_are_an_input(
    tmp_path, values, keep, noted
):
    path = put(tmp_path, "t.csv", with_column("k", values, 2).to_csv(index=False))
    found = load(path, label="yield", keep=keep)
    assert "k" in found.columns
    assert any("as names of rows do: k" in note for note in found.provenance.notes) == noted
    if noted:
        left = load(path, label="yield", drop=("k",))
        assert "k" not in left.columns
        assert not any("names of rows" in note for note in left.provenance.notes)


def test_counts_add_up_after_repeated_rows_are_dropped(tmp_path):
    frame = pd.concat([FRAME, FRAME.iloc[:5].assign(**{"yield": 3.0})])
    found = load(put(tmp_path, "t.csv", frame.to_csv(index=False)), label="yield")
    record = found.provenance
    assert (record.rows, record.n, record.dropped) == (29, 24, 5)
    note = (
        "5 of 29 rows repeat the inputs of an earlier one (5 with another target) and are dropped"
    )
    assert any(word.startswith(note) for word in record.notes)


def test_the_same_table_is_reloaded_from_its_record_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = with_column("name", [f"N. {k}" for k in FRAME.index]).assign(t=[1, 2, 2, 3] * 6)
    put(tmp_path, "t.csv", frame.to_csv(index=False, header=False))
    asked = {"label": "6", "task": "regression", "drop": ("2",), "keep": ("1",), "header": False}
    found = load("t.csv", n=20, seed=3, **asked)
    record = found.provenance.__dict__ | {"notes": [], "keep": ["1"], "drop": ["2"]}
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    np.testing.assert_array_equal(reload(record).x, found.x)
    (tmp_path / "t.csv").write_text("secret,words\n1,2\n3,4\n")
    with pytest.raises(
        InvalidInput, match=r"t.csv cannot be read as it was recorded; restore"
    ) as e:
        reload(record)
    assert "secret" not in str(e.value)
    (tmp_path / "t.csv").unlink()
    with pytest.raises(InvalidInput, match=r"t.csv is not a file"):
        reload(record)


@pytest.mark.parametrize(
    "change",
    [
        {"n": "9"},
        {"n": True},
        {"name": 3},
        {"keep": [1]},
        {"raw": None},
        {"label": ["a"]},
        {"seed": 0.5},
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path, change):
    record = load(put(tmp_path, "t.csv", PLAIN), label="yield").provenance.__dict__
    with pytest.raises(InvalidInput, match=r"the record of the data .*; make the run again"):
        reload(record | change)
    with pytest.raises(InvalidInput, match=r"the record of the data holds no right 'd'"):
        reload({name: value for name, value in record.items() if name != "d"})


def test_a_record_does_not_go_to_the_network(monkeypatch, tmp_path):
    monkeypatch.setenv("INERTIAL_DATA", str(tmp_path))
    monkeypatch.setattr("inertial.data.lookup.SYSTEM", tmp_path)
    monkeypatch.setattr("inertial.data.lookup._cache", lambda: tmp_path)
    monkeypatch.setattr("inertial.data.lookup._download", lambda *_, **__: pytest.fail("downloads"))
    record = load("digits").provenance.__dict__ | {"name": "yacht"}
    with pytest.raises(
        InvalidInput, match=r"yacht is not on this machine; run inertial data fetch"
    ):
        reload(record)


def flag(word):
    """Turn an option of the command line into an argument of load."""
    name, _, value = word.removeprefix("--").partition(" ")
    if not value:
        return {name: True}
    value = value.strip("'")
    return {name: (value,) if name in ("keep", "drop") else value}


def in_python(sentence):
    """Return the arguments that a sentence writes out."""
    written = re.findall(r"\b(\w+)=(\[.*?\]|True|False|'\w+')", sentence)
    return {name: ast.literal_eval(value) for name, value in written}


NAMES = [f"N. {k}" for k in FRAME.index]
REFUSED = [
    # kind, content, arguments, what the sentence names, options that follow it
    ("no label", PLAIN, {}, "pass --label (label=) with one of depth, salt, flow, yield", ["--label salt"]),
    ("wrong label", PLAIN, {"label": "yeild"}, "did you mean 'yield'?", ["--label yield"]),
    ("text target", FRAME.assign(t=NAMES).to_csv(index=False), {"label": "t"},
     "24 different texts in 24 rows, too many for classes; name another column with --label (label=), one of depth, salt, flow, yield.", ["--label depth"]),
    ("text target, first columns no better", pd.DataFrame(
        {"id": [f"A-{k}" for k in FRAME.index], "t": NAMES, "empty": None, "kind": ["a", "b"] * 12,
         "cost": [f"$ {k}" for k in range(1, ROWS + 1)], "left": FRAME.salt}).to_csv(index=False),
     {"label": "t", "drop": ("left",)}, "name another column with --label (label=), one of kind, cost.", ["--label cost"]),
    ("classes asked of many numbers", pd.DataFrame(
        {"x": RNG.normal(size=1200), "t": RNG.normal(size=1200)}).to_csv(index=False),
     {"label": "t", "task": "classification"},
     "has 1,200 different numbers in 1,200 rows, too many for classes; --task regression takes", ["--task regression"]),
    ("classes asked of prices", pd.DataFrame(
        {"x": RNG.normal(size=600), "t": [*range(360), *np.repeat(range(400, 424), 10)]}).to_csv(index=False),
     {"label": "t", "task": "classification"},
     "has 384 different numbers in 600 rows, too many for classes; --task regression takes", ["--task regression"]),
    ("classes asked of prices, some of them frequent", pd.DataFrame(
        {"x": RNG.normal(size=600), "t": [*range(30), *np.repeat([40.5, 50, 60], 190)]}).to_csv(index=False),
     {"label": "t", "task": "classification"},
     "has 33 different numbers in 600 rows, too many for classes; --task regression takes", ["--task regression"]),
    ("only texts", pd.DataFrame({"t": FRAME["yield"], "name": NAMES}).to_csv(index=False), {"label": "t"},
     "has no inputs besides name, left out as texts or numbers of rows; --keep name takes one",
     ["--keep name"]),
    ("one column, raw", FRAME[["depth", "yield"]].to_csv(index=False), {"label": "yield", "raw": True},
     "pass --standardize and --constant", ["--standardize", "--constant"]),
    ("a column dominates, raw", FRAME.assign(depth=9e15 + 2 * RNG.permutation(ROWS)).to_csv(index=False),
     {"label": "yield", "raw": True}, "column 'depth' is so much larger than the others",
     ["--standardize", "--constant"]),
    ("a row of zeros, raw", FRAME.assign(flow=0, salt=0, depth=FRAME.index[::-1]).to_csv(index=False),
     {"label": "yield", "raw": True}, "zero in every column", ["--constant"]),
    ("a huge target, raw", FRAME.assign(t=FRAME.salt * 1e20).to_csv(index=False),
     {"label": "t", "raw": True}, "pass --standardize", ["--standardize"]),
    ("too many rows asked", PLAIN, {"label": "yield", "n": 99}, "give an n of at most 24", ["n 24"]),
    ("dropped target", PLAIN, {"label": "yield", "drop": ("yield",)}, "drop inputs only", ["drop ()"]),
    ("text as numbers", FRAME.assign(t=["a", "b"] * 12).to_csv(index=False),
     {"label": "t", "task": "regression"}, "is text; leave --task (task=) out", ["--task classification"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "arguments", "sentence", "remedy"),
    [r[1:] for r in REFUSED],
    ids=[r[0] for r in REFUSED],
)
def test_every_refusal_is_followed_by_a_remedy_that_works(
    tmp_path, content, arguments, sentence, remedy
):
    path = put(tmp_path, "t.csv", content)
    with pytest.raises(InvalidInput) as refused, terminal():
        load(path, **arguments)
    assert sentence in str(refused.value)
    with pytest.raises(InvalidInput) as refused:
        load(path, **arguments)
    assert not re.search(r"--(?!\w+ \(\w+=\))", str(refused.value))
    if words := in_python(str(refused.value)):
        assert load(path, **arguments | words).y.size
    changes = {"n": 24} if remedy == ["n 24"] else {"drop": ()} if remedy == ["drop ()"] else {}
    for word in remedy if not changes else ():
        changes |= flag(word)
    found = load(path, **arguments | changes)
    assert tune(found, "forecast", trials=0).best.steps_to


def test_numbers_of_hundreds_of_products_are_classes_where_that_is_asked(tmp_path):
    """They have 50 rows each in the table, though of those taken nearly every row is another's."""
    frame = pd.DataFrame({"x": RNG.normal(size=20_000), "product": np.arange(20_000) % 400})
    path = put(tmp_path, "t.csv", frame.to_csv(index=False))
    for n in (None, 300):
        found = load(path, label="product", task="classification", n=n)
        assert len(found.classes) == len(np.unique(found.labels)) > (399 if n is None else 200)
        assert not any("task=" in note for note in found.provenance.notes)


def test_numbers_with_few_rows_each_are_classes_with_a_note_where_that_is_asked():
    frame = pd.DataFrame({"x": RNG.normal(size=90), "price": np.arange(90) % 30})
    found = load(frame, label="price", task="classification")
    assert len(found.classes) == 30
    (note,) = (n for n in found.provenance.notes if "30 classes" in n)
    assert note.endswith("; task='regression' takes the numbers themselves.")
    assert load(frame, label="price", task="regression").provenance.task == "regression"


NOTED = FRAME.assign(
    soil=["clay", "loam", "sand", None] * 6, name=NAMES, fixed=3, salt=[None, *FRAME.salt[1:]],
    flow=[f"{value} %" for value in FRAME.flow], place=np.arange(ROWS),
    made=[f"2020-01-{k + 1:02}" for k in range(ROWS)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("content", "arguments", "count"),
    [
        (NOTED.to_csv(index=False), {"label": "yield", "keep": ["made"]}, 8),
        (FRAME.assign(t=[1, 2, 3, 2] * 6).to_csv(index=False), {"label": "t"}, 2),
        (FRAME.assign(t=[1, 2] * 12).to_csv(index=False), {"label": "t", "raw": True}, 0),
        (FRAME.assign(t=[1, 2, 3, 2] * 6).to_csv(index=False), {"label": "t", "raw": True}, 1),
        (FRAME.assign(t=99 + FRAME.salt).to_csv(index=False), {"label": "t", "raw": True}, 1),
        (FRAME.to_csv(index=False, header=False), {"label": "4"}, 2),
        (FRAME.to_csv(index=False, header=["a", "1990", "b", "c"]), {"label": "c"}, 2),
        (pd.concat([FRAME, FRAME[:3]]).to_csv(index=False), {"label": "yield"}, 2),
        (pd.concat([FRAME, FRAME[:3]]).to_csv(index=False), {"label": "yield", "dedupe": False}, 2),
    ],
)
def test_a_note_names_what_changes_it_in_python_and_in_a_terminal(
    tmp_path, content, arguments, count
):
    """Each argument that a note writes out is followed, with the first column that it names."""
    path = put(tmp_path, "t.csv", content)
    notes = load(path, **arguments).provenance.notes
    with terminal():
        shown = load(path, **arguments).provenance.notes
    followed = 0
    for note, other in zip(notes, shown, strict=True):
        assert "--" not in note
        assert not in_python(other)
        words = in_python(note)
        assert bool(words) == ("--" in other), note
        if "NAME" in note:
            first = re.match(r".*?: (\w+)", note)[1]
            words = {name: [first, *arguments.get(name, ())] for name in words}
        if words:
            followed += 1
            if words.keys() == {"header"} and words["header"] != arguments.get("header"):
                words["label"] = "4" if not words["header"] else content.split(",")[3].split()[0]
            assert note not in load(path, **arguments | words).provenance.notes
    assert followed == count, notes


@pytest.mark.parametrize("name", ["keep", "drop"])
def test_one_name_that_is_no_list_is_refused(name):
    with pytest.raises(InvalidInput, match=rf"{name} is 'salt'; give a list of names"):
        load(FRAME, label="yield", **{name: "salt"})
    assert load(FRAME, label="yield", **{name: ["salt"]}).provenance.__dict__[name] == ("salt",)


def test_a_target_that_is_no_number_is_named_with_its_row_and_can_be_corrected(tmp_path):
    cells = [str(cell) for cell in FRAME["yield"]]
    cells[6], cells[16] = "", "expen\x1bsive"
    frame = FRAME.assign(**{"yield": cells})
    notes = load(frame, label="yield").provenance.notes
    assert any("1 of 24 rows have no target" in note for note in notes)
    (said,) = (note for note in notes if "is no number" in note)
    assert said.startswith("1 of 24 rows have a target that is no number and are left out: ")
    cell, row = re.search(r"'(.*)' in row (\d+), not counting the header", said).groups()
    assert "\x1b" not in said
    assert cell.startswith("expen")
    # Followed: in a file, that row below the header is corrected.
    path = put(tmp_path, "t.csv", frame.to_csv(index=False))
    assert said in load(path, label="yield").provenance.notes
    written = path.read_text().split("\n")
    assert "expen\x1bsive" in written[int(row)]
    written[int(row)] = written[int(row)].replace("expen\x1bsive", "12.5")
    path.write_text("\n".join(written))
    after = load(path, label="yield").provenance
    assert after.rows == 23
    assert not any("no number" in note for note in after.notes)


def test_a_table_of_free_text_alone_has_no_other_target_to_name(tmp_path):
    texts = pd.DataFrame({"t": NAMES, "id": [f"A-{k}" for k in FRAME.index]})
    path = put(tmp_path, "t.csv", texts.to_csv(index=False))
    with pytest.raises(InvalidInput, match=r"no other column has numbers or repeated texts"):
        load(path, label="t")


def test_a_cell_too_few_between_blanks_is_named_and_not_guessed(tmp_path):
    ragged = [*spelled(sep=" ").splitlines(), "7.1 30.2 12.5"]
    path = put(tmp_path, "t.txt", "\n".join(ragged))
    with pytest.raises(
        InvalidInput, match=r"line 26 of .* has 3 cells .* the first has 4; write co"
    ):
        load(path, label="yield")
    path.write_text("\n".join(ragged[:-1]).replace(" ", ",") + "\n7.1,,30.2,12.5\n")
    assert load(path, label="yield").provenance.rows == ROWS + 1


@pytest.mark.parametrize("content", ["a,t\n1,2\n", "a,t\n1,\n2,\n3,\n", "a,t\n1,2\n3,\n"])
def test_too_few_rows_are_refused(tmp_path, content):
    lacking = content.count(",\n")
    why = {0: "; give more data.", 1: ", since 1 has no target", 3: ", since 3 have no target"}
    with pytest.raises(InvalidInput, match=rf"2 usable rows \(\d\){why[lacking]}"):
        load(put(tmp_path, "t.csv", content), label="t")


HOSTILE = "de\x1b[31mpth\u202e\x07"


def test_names_of_columns_never_reach_the_terminal_raw(tmp_path):
    frame = FRAME.rename(columns={"depth": HOSTILE, "salt": "=cmd|'/C calc'!A0"}).assign(
        **{"flow": 1.0, "so\u202eil": NAMES}
    )
    path = put(tmp_path, "t.parquet", parquet(frame))
    found = load(path, label="yield")
    refusals = []
    for arguments in ({}, {"label": "x"}, {"label": HOSTILE, "drop": (HOSTILE,)}):
        with pytest.raises(InvalidInput) as refused:
            load(path, **arguments)
        refusals.append(str(refused.value))
    assert len(found.provenance.notes) == 3
    for text in (*found.provenance.notes, *refusals):
        assert text.isprintable(), text
    assert any("de\\x1b[31mpth\\u202e\\x07" in text for text in refusals)


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_thousands_of_digits_are_missing_cells(tmp_path, digits):
    text = lines(PLAIN, lambda k, s: re.sub("^[^,]*", "9" * digits, s) if k == 3 else s)
    found = load(put(tmp_path, "t.csv", text), label="yield", raw=True, normalize=False)
    assert found.x[2, 0] == FRAME.depth.drop(2).median()
    assert any("beyond 1e308, filled" in note for note in found.provenance.notes)


def test_whole_numbers_beyond_2_53_are_read_alike_from_csv_and_parquet(tmp_path):
    frame = with_column("key", 2**60 + 4096 * RNG.permutation(ROWS), 1)
    loaded = [
        load(put(tmp_path, f"t{ending}", content), label="yield")
        for ending, content in ((".csv", frame.to_csv(index=False)), (".parquet", parquet(frame)))
    ]
    assert loaded[0].provenance.sha256 == loaded[1].provenance.sha256
    assert all(any("beyond 2^53 are rounded: key" in n for n in d.provenance.notes) for d in loaded)
    near = frame.assign(key=frame.key - 2**60)
    small = load(put(tmp_path, "s.csv", near.to_csv(index=False)), label="yield")
    np.testing.assert_allclose(loaded[0].x, small.x, rtol=0, atol=1e-14)


def test_an_id_near_2_53_keeps_its_digits_when_standardised(tmp_path):
    frame = with_column("id", 9007199254740000 + np.arange(ROWS))
    path = put(tmp_path, "t.csv", frame.to_csv(index=False))
    small = with_column("id", np.arange(ROWS))
    other = put(tmp_path, "s.csv", small.to_csv(index=False))
    kept = [load(p, label="yield", keep=("id",)) for p in (path, other)]
    np.testing.assert_allclose(kept[0].x, kept[1].x, rtol=0, atol=1e-14)
    assert kept[0].columns[0] == "id"


# Frames and arrays in memory


def test_a_frame_is_read_like_its_file(plain):
    for found in (
        load(FRAME, label="yield"),
        load(FRAME.drop(columns="yield"), FRAME["yield"]),
        load(FRAME.drop(columns="yield"), FRAME["yield"].tolist()),
        load(FRAME.drop(columns="yield"), FRAME[["yield"]].to_numpy()),
        load(FRAME.astype({"salt": "category", "flow": "Float64"}), label="yield"),
    ):
        np.testing.assert_array_equal(found.x, plain.x)
        np.testing.assert_array_equal(found.y, plain.y)
    assert found.provenance.name == "frame"


def test_series_are_columns():
    found = load(FRAME.depth, pd.Series(["a", "b"] * 12))
    assert (found.columns, found.classes) == (("depth", "constant"), ("a", "b"))


def test_arrays_keep_their_numbers():
    x, y = FRAME[["depth", "salt"]].to_numpy(), FRAME["yield"].to_numpy()
    for found in (load(x, y), load(x.tolist(), y.tolist()), load(x, y[:, None])):
        np.testing.assert_allclose(
            found.x, x / np.linalg.norm(x, axis=1, keepdims=True), rtol=1e-15
        )
        np.testing.assert_array_equal(found.y, y)
    assert found.provenance.source == "passed in as arrays"
    with pytest.raises(
        InvalidInput, match=r"arrays was passed in as arrays and is not stored; pass"
    ):
        reload(found.provenance.__dict__)


@pytest.mark.parametrize("kind", [np.array, pd.Series, list, pd.Categorical])
def test_texts_beside_an_array_are_classes(kind):
    x, y = FRAME[["depth", "salt"]].to_numpy(), ["no", "yes", "yes"] * 8
    found = load(x, kind(y), test=(x[:9], kind(y[:9])))
    assert (found.provenance.task, found.classes) == ("classification", ("no", "yes"))
    np.testing.assert_array_equal(found.labels, [0, 1, 1] * 8)
    np.testing.assert_array_equal(found.test.labels, [0, 1, 1] * 3)
    np.testing.assert_array_equal(found.x, load(pd.DataFrame(x), y).x)


def test_numbers_in_objects_beside_an_array_stay_numbers():
    x, y = FRAME[["depth", "salt"]].to_numpy(), FRAME["yield"].to_numpy()
    np.testing.assert_array_equal(load(x, y.astype(object)).x, load(x, y).x)


def test_a_line_of_the_separator_counts_and_is_believed(tmp_path):
    """Every line here has as many commas as semicolons, and one cell too many is in line 4."""
    text = "sep=;\na;b;y\n1,5;2,5;3\n1,5;2,5;3;4\n"
    with pytest.raises(InvalidInput, match="line 4 of"):
        load(put(tmp_path, "t.csv", text), label="y")
    believed = "sep=|\na,b|c,d|y\n" + "".join(f"{k},1|{k * k % 7},2|{k}\n" for k in range(9))
    assert load(put(tmp_path, "b.csv", believed), label="y", task="regression").columns[:1] == (
        "a,b",
    )


def test_an_infinite_cell_is_told_from_a_missing_one(tmp_path):
    frame = FRAME.copy()
    frame.loc[2, "depth"], frame.loc[3, "depth"], frame.loc[4, "salt"] = np.inf, np.nan, -np.inf
    notes = load(put(tmp_path, "t.parquet", parquet(frame)), label="yield").provenance.notes
    assert any(
        "infinite cells, or beyond 1e308, filled with the median: depth (1), salt (1)" in n
        for n in notes
    )
    assert "missing cells filled with the median: depth (1); drop=['NAME'] leaves one out." in notes


def test_whole_values_of_arrays_are_numbers_with_labels_and_a_note():
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    found = load(x, y)
    assert (found.provenance.task, found.classes) == ("regression", ("0", "1", "2"))
    np.testing.assert_array_equal(found.labels, found.y)
    (said,) = (n for n in found.provenance.notes if "take 3 whole values and are read as num" in n)
    assert "load(pandas.DataFrame(x), y)" in said
    assert load(pd.DataFrame(x), y).provenance.task == "classification"


X = RNG.normal(size=(6, 2))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (scipy.sparse.csr_matrix(X), X[:, 0], r"x is a sparse matrix; pass it as x.toarray\(\)"),
        (scipy.sparse.coo_array(X), X[:, 0], r"x is a sparse matrix; pass it as x.toarray\(\)"),
        (X, None, r"x has no targets; pass them as well: load\(x, y\)"),
        (X[:, 0], X[:, 0], r"x has the shape \(6,\) and y \(6,\); .*, with x.reshape\(-1, 1\)"),
        (X, X, r"x has the shape \(6, 2\) and y \(6, 2\); give x as \(n, d\)"),
        (X[:4], X[:, 0], r"x has the shape \(4, 2\) and y \(6,\)"),
        ([[1, 2], [3]], [1, 2], r"x is not an array of numbers; give rows of the same length"),
        (X, list("abcdef"), r"6 different texts in 6 rows, too many for classes; pass y as num"),
        (X, X[:, 0] * 1j, r"y holds complex128, not real numbers"),
        (
            X.astype(str),
            X[:, 0],
            r"x holds <U.*, not real numbers; pass texts in a pandas DataFrame",
        ),
        (X[:, 0], list("ababab"), r"x has the shape \(6,\); give x as \(n, d\)"),
        (scipy.sparse.csr_matrix(X), list("ababab"), r"x is a sparse matrix"),
        (X * np.nan, X[:, 0], r"row 1, column '1' of the arrays is nan; write a finite number"),
        (None, X[:, 0], r"x has the shape \(\) and y \(6,\)"),
        (FRAME, X[:, 0], r"x has 24 rows and y the shape \(6,\); give y as one target per row"),
        (FRAME, NAMES, r"too many for classes; pass y as numbers, or as names of classes that"),
        (FRAME, [np.nan] * 24, r"\(0\), since 24 have no target; give more data or other targets"),
        (FRAME, FRAME, r"x has 24 rows and y the shape \(24, 4\)"),
    ],
)
def test_what_is_passed_in_wrongly_is_named(x, y, message):
    with pytest.raises(InvalidInput, match=message):
        load(x, y)


def test_a_label_beside_targets_is_refused():
    with pytest.raises(InvalidInput, match=r"label is 'salt', but y holds the targets; leave one"):
        load(FRAME, FRAME["yield"], label="salt")
    with pytest.raises(InvalidInput, match=r"label is 'a', but the data names its targets y"):
        load(X, X[:, 0], label="a")


def test_notes_go_to_standard_error_and_the_kernel_is_regular(tmp_path):
    frame = with_column("name", NAMES)
    put(tmp_path, "t.csv", frame.to_csv(index=False))
    command = [sys.executable, "-m", "inertial", "tune", "t.csv", "--label", "yield"]
    run = subprocess.run(
        [*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    said = [line for line in run.stderr.splitlines() if line.startswith("inertial: note: ")]
    assert len(said) == 2
    assert "name; --keep NAME encodes one." in said[0]


def test_different_rows_of_a_table_are_never_parallel(tmp_path):
    frame = pd.DataFrame({"a": np.arange(1.0, 41) ** 2, "t": RNG.normal(size=40)})
    found = load(put(tmp_path, "t.csv", frame.to_csv(index=False)), label="t")
    assert np.linalg.eigvalsh(infinite_gram(found.x))[0] > 1e-9
