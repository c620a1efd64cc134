"""What a person is told about a table that cannot be used."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from made_places import NOWHERE

from helpers.data import catalog
from helpers.errors import DataError
from helpers.sites import databases, tables
from helpers.sites.quality import quality_control

GOOD = {
    "variable": "npp",
    "site": "Camp",
    "longitude": "92.0",
    "latitude": "33.0",
    "year": "2010",
    "value": "250",
    "unit": "g C m-2 yr-1",
    "source": "mine",
    "in_surroundings": "true",
    "in_region": "true",
}


def own_table(folder, *rows: dict, without: str = ""):
    """Write a table of good rows, with cells replaced and a column left out."""
    frame = pd.DataFrame([GOOD | row for row in rows]).drop(columns=[without] if without else [])
    frame.to_csv(folder / "mine.csv", index=False)
    return folder / "mine.csv"


def message(path) -> str:
    with pytest.raises(DataError) as caught:
        tables.read_table(path, NOWHERE)
    return str(caught.value)


def test_the_table_that_the_faults_are_planted_in_is_good(tmp_path):
    assert len(tables.read_table(own_table(tmp_path, {}, {}), NOWHERE).records) == 2


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"value": "abc"}, r"column value, row 3 \('abc'\): expected a number"),
        ({"value": "1,200"}, r"column value, row 3 \('1,200'\): expected a number"),
        ({"value": ""}, r"column value, row 3 \(''\): expected g C m-2 yr-1, not empty"),
        ({"value": "-3"}, r"column value, row 3 \('-3'\): expected above 0 .* check units"),
        ({"value": "9.9"}, r"column value, row 3 \('9.9'\): expected at least 10 .* check units"),
        ({"value": "25000"}, r"column value, row 3 \('25000'\): expected .* npp 3000.* check units"),
        ({"value": "inf"}, r"column value, row 3 \('inf'\): .* check units"),
        ({"longitude": "33.0", "latitude": "92.0"}, r"column longitude, row 3 \('33.0'\): .*exchanged"),
        ({"longitude": "190.2"}, r"column longitude, row 3 \('190.2'\): expected -180 to 180 degrees east"),
        ({"latitude": "-93"}, r"column latitude, row 3 \('-93'\): expected -90 to 90 degrees north"),
        ({"latitude": ""}, r"column latitude, row 3 \(''\): expected degrees north, not empty"),
        ({"year": "201"}, r"column year, row 3 \('201'\): expected a year from 1900 to 20"),
        ({"year": "May 2010"}, r"column year, row 3 \('May 2010'\): expected a number"),
        ({"variable": "gpp"}, r"column variable, row 3 \('gpp'\): expected one of npp, rs, rh"),
        ({"unit": "t C ha-1 yr-1"}, r"column unit, row 3 \('t C ha-1 yr-1'\): expected g C m-2 yr-1; convert"),
        ({"in_region": "maybe"}, r"column in_region, row 3 \('maybe'\): expected true or false"),
        ({"site": ""}, r"column site, row 3 \(''\): expected a name"),
        ({"source": " "}, r"column source, row 3 \(''\): expected a name"),
    ],
)
def test_a_bad_cell_is_told_with_file_column_row_and_what_was_expected(tmp_path, cells, expected):
    path = own_table(tmp_path, {}, cells)
    told = message(path)
    assert str(path) in told
    assert re.search(expected, told)
    assert told.count("\n- ") == 1


def test_everything_wrong_with_a_table_is_told_at_once(tmp_path):
    told = message(own_table(tmp_path, {"value": "x"}, {"variable": "gpp"}, {"longitude": "33", "latitude": "92"}))
    assert told.count("\n- ") == 3


def test_of_many_bad_rows_the_first_are_named_and_the_rest_counted(tmp_path):
    told = message(own_table(tmp_path, *[{"value": "x"}] * 12))
    assert "6 ('x') and 7 more" in told
    assert "7 ('x')" not in told


def test_a_missing_column_is_named_with_those_expected(tmp_path):
    told = message(own_table(tmp_path, {}, without="latitude"))
    assert "no column latitude;" in told
    assert "example_npp.csv" in told


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in message(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (",".join(GOOD).encode(), "no rows below the header"),
        (
            ";".join(GOOD).encode() + b"\n" + ";".join(GOOD.values()).encode(),
            "separated by semicolons; save it as 'CSV UTF-8', separated by commas, with decimal points",
        ),
        (",".join(GOOD).encode() + b"\nK\xf6nig", "not UTF-8"),
        ((",".join(GOOD) + "\n" + ",".join(GOOD.values()) + ",Smith, J.\n").encode(), "more cells than the header"),
        (
            "\n".join([",".join(GOOD), ",".join(GOOD.values()), ",".join(GOOD.values()) + ",more\n"]).encode(),
            "more cells than the header",
        ),
    ],
)
def test_a_file_that_is_no_such_table_is_told_what_to_do(tmp_path, content, expected):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    assert expected in message(path)


def test_a_row_that_ends_early_is_told(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(",".join(GOOD) + "\nnpp,Camp,92.0\n")
    assert "row 2 (the header is row 1): fewer cells than the header, 3 of 10" in message(path)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("own_elevation", "high", "a number"),
        ("own_elevation", "9001", "-450 to 9000 m, or empty"),
        ("own_temperature", "41", "-40 to 40 degC, or empty"),
        ("own_precipitation", "-1", "0 to 12000 mm yr-1, or empty"),
    ],
)
def test_what_an_author_says_of_a_place_must_be_possible(tmp_path, name, value, expected):
    path = own_table(tmp_path, {name: value}, {name: ""})
    assert f"column {name}, row 2 ({value!r}): expected {expected}" in message(path)


def test_a_record_off_the_grid_is_told_by_row_and_left_out_by_quality_control(tmp_path):
    off = [{"longitude": "9.2", "site": "a"}, {"latitude": "-33", "site": "b"}]
    read = tables.read_table(own_table(tmp_path, {}, *off), NOWHERE)
    note = "row 3 ('9.2'), 4 ('92.0'): outside of the grid, 73 to 136 E and 18 to 54 N; left out by quality control"
    assert [note in one for one in read.notes].count(True) == 1
    kept, flow = quality_control(read.records, NOWHERE.grid)
    assert kept["site"].tolist() == ["Camp"] and flow.set_index("step").loc["coordinates in range", "excluded"] == 2


@pytest.mark.parametrize("reader", [databases.read_srdb, databases.read_michaletz, databases.read_sun2022])
def test_a_database_that_is_another_file_is_told_with_the_columns_it_lacks(tmp_path, reader):
    path = own_table(tmp_path, {})
    with pytest.raises(DataError, match=rf"{re.escape(str(path))}: no column .*; expected .*another file"):
        reader(path, NOWHERE)


def test_a_database_that_is_not_there_is_told_how_to_get(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "fetch", lambda key: {"srdb-data.csv": tmp_path / "srdb-data.csv"})
    with pytest.raises(DataError, match="no such file; expected SRDB V5.*mirror"):
        databases.rs_rh_pairs(["srdb"], NOWHERE)


def test_text_among_the_numbers_of_a_database_is_told_with_its_row(tmp_path):
    path = tmp_path / "Michaletz2014.csv"
    head = "Index,Lat,Long,NPPTotal_gm2y,MAT_C,MAP_mm,BiomeSource,Source\n"
    path.write_text(head + "1,31,101,800,5,700,a,b\n2,31,101,8oo,5,700,a,b\n")
    with pytest.raises(DataError, match=r"column NPPTotal_gm2y, row 3 .*expected a number, found '8oo'"):
        databases.read_michaletz(path, NOWHERE)
