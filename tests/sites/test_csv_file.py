"""A user's file as text: what is read, and what other forms of file are told."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.errors import DataError
from helpers.sites.csv_file import read_text

NAMES = ("variable", "site", "longitude", "latitude", "value")
HEAD, ROW = ",".join(NAMES), "npp,k1,92.5,33.25,231.5"


def read(folder, content: str | bytes):
    path = folder / "mine.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_text(path, NAMES)


def told(folder, content: str | bytes) -> str:
    with pytest.raises(DataError, match="mine.csv: ") as caught:
        read(folder, content)
    return str(caught.value)


def test_rows_are_numbered_as_in_the_file_and_empty_ones_skipped(tmp_path):
    table = read(tmp_path, f"{HEAD}\n{ROW}\n,,,,\n\n  {ROW}  \n")
    assert table.index.tolist() == [2, 5] and table["variable"].tolist() == ["npp", "npp"]


def test_columns_without_name_and_text_are_left_out_and_others_called_by_their_place(tmp_path):
    table = read(tmp_path, f",{HEAD},,\n7,{ROW},,\n")
    assert list(table) == ["column 1", *NAMES]


@pytest.mark.parametrize("before", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_of_order_and_ends_of_lines_make_no_difference(tmp_path, before, end):
    assert read(tmp_path, before + end.join([HEAD, ROW, ""])).loc[2].tolist() == ROW.split(",")


@given(
    cells=st.lists(
        st.tuples(*[st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1)] * 5), min_size=1, max_size=4
    )
)
def test_any_text_in_quotes_comes_back(tmp_path_factory, cells):
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([NAMES, *cells])
    assert read(tmp_path_factory.mktemp("any"), written.getvalue()).to_numpy().tolist() == [list(row) for row in cells]


@pytest.mark.parametrize(
    ("separator", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars"), (" ", "spaces")]
)
def test_another_separator_is_named(tmp_path, separator, word):
    message = told(tmp_path, "\n".join([HEAD, ROW]).replace(",", separator))
    assert f"columns are separated by {word}; save it as 'CSV UTF-8'" in message


@pytest.mark.parametrize("quote", ["", '"'])
def test_decimal_commas_are_named_with_their_semicolons(tmp_path, quote):
    """As R's write.csv2, with its quotes, and spreadsheets write them."""
    head = ";".join(f"{quote}{name}{quote}" for name in NAMES)
    message = told(tmp_path, f"{head}\n{quote}npp{quote};{quote}k1{quote};92,5;33,25;231\n")
    assert "separated by semicolons and decimals are written with commas; save it" in message


def test_a_text_with_semicolons_is_no_other_separator(tmp_path):
    assert read(tmp_path, f"{HEAD}\nnpp,a;b;c;d;e;f,92,33,200\n").loc[2, "site"] == "a;b;c;d;e;f"


def test_names_with_spaces_are_no_other_separator(tmp_path):
    assert list(read(tmp_path, "Flux of the site,Lon E\n1,2\n")) == ["Flux of the site", "Lon E"]


@pytest.mark.parametrize("hint", ["sep=,", "SEP=;", '"sep=,"'])
def test_a_hint_at_the_separator_is_named(tmp_path, hint):
    separator = hint.strip('"')[-1]
    message = told(tmp_path, f"{hint}\n" + f"{HEAD}\n{ROW}\n".replace(",", separator))
    assert "is a hint to one spreadsheet program and no header; delete it" in message
    assert ("separated by semicolons" in message) == (separator == ";")


def test_row_names_without_a_header_are_named(tmp_path):
    message = told(tmp_path, f'{HEAD}\n"1",{ROW}\n"2",{ROW}\n')
    assert "each row has one cell more than the header: it begins with a row name" in message


@pytest.mark.parametrize("rows", [["npp,k1,92,5,33.2,200", ROW], [f"{ROW},Smith"]])
def test_one_cell_too_many_that_is_no_row_name_is_told_by_its_row(tmp_path, rows):
    assert "row 2 (the header is row 1): more cells than the header, which has 5" in told(
        tmp_path, "\n".join([HEAD, *rows])
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PK\x03\x04rest", "this is a workbook"),
        ((HEAD + "\n" + ROW).encode("utf-16"), "this is UTF-16 text"),
        (b"\xd0\xcf\x11\xe0rest", "this is a workbook"),
        (b"PAR1rest", "this is a Parquet file"),
        (f'{HEAD}\nnpp,"k1,92,33,200\n', "close every quote"),
        (f"{HEAD},value\n{ROW},7\n", "column value stands twice"),
        (
            f'{HEAD}\nnpp,"k1,92,33,200\nnpp,k2",92,33,200\n',
            "row 2 (the header is row 1): a cell goes on after the end",
        ),
        (f"{HEAD}\n{ROW}\nnpp,k\0,92,33,200\n", r"mine.csv: line 3: '\x00', which is no text"),
        ("\n\n ,,\n", "the file is empty"),
    ],
)
def test_a_file_of_another_kind_is_told_what_it_is(tmp_path, content, expected):
    assert expected in told(tmp_path, content)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DataError, match="cannot be read .*expected a CSV file"):
        read_text(tmp_path, NAMES)
