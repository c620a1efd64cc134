"""A table in a spreadsheet is read as the same table in a CSV file; what is not certain is told or refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_places import EVERYWHERE

from helpers.config import project_root
from helpers.errors import DataError
from helpers.sites import spreadsheet
from helpers.sites.tables import read_table

HEADER = ["Longitude (°E)", "Latitude (°N)", "Year", "NPP (g C m-2 yr-1)", "Reference"]


def saved(folder: Path, **sheets: list[list[Any]]) -> Path:
    """Write a spreadsheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    path = folder / "mine.xlsx"
    book.save(path)
    return path


def cell_of(tmp_path: Path, column: str, value: Any) -> Any:
    """Return what a cell becomes in the column of that place in the header."""
    row = [91.08, 30.85, 2005, 132.5, "A"]
    row[HEADER.index(column)] = value
    name = spreadsheet._name(column)
    return spreadsheet.read_text(saved(tmp_path, NPP=[HEADER, row])).table.iloc[0][name if name != "npp" else "value"]


def test_the_header_is_found_below_titles_and_records_keep_the_row_of_the_sheet(tmp_path):
    rows = [["Table S1. NPP of sites"], [None], ["No.", *HEADER], [1, 91.08, 30.85, 2005, 132.5, "A"]]
    read = read_table(saved(tmp_path, NPP=rows), EVERYWHERE)
    record = read.records.iloc[0]
    assert (record["variable"], record["value"], record["unit"]) == ("npp", 132.5, "g C m-2 yr-1")
    assert (record["longitude"], record["latitude"], record["year"]) == (91.08, 30.85, 2005)
    assert (record["site"], record["source"], record["reference"]) == ("30.85 N 91.08 E", "mine", "A")
    assert spreadsheet.read_text(tmp_path / "mine.xlsx").table.index.tolist() == ["NPP!4"]


def test_fluxes_in_columns_of_their_own_become_records_and_an_empty_cell_none(tmp_path):
    rows = [["lon", "lat", "Rs (gC/m2/yr)", "Rh (gC/m2/yr)"], [92.0, 34.7, 331, 205], [92.5, 34.7, 300, None]]
    records = read_table(saved(tmp_path, Rs=rows), EVERYWHERE).records
    assert sorted(zip(records["variable"], records["value"], strict=True)) == [("rh", 205), ("rs", 300), ("rs", 331)]
    assert records["year"].isna().all()


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("Longitude (°E)", "101.3167", "101.3167"),
        ("Longitude (°E)", " 101.3167°\u00a0", "101.3167"),
        ("Longitude (°E)", "101°19′E", "101.316667"),
        ("Longitude (°E)", "E101°19'30\"", "101.325000"),
        ("Longitude (°E)", "10°30′W", "-10.500000"),
        ("Longitude (°E)", "101°61′E", "101°61′E"),
        ("Longitude (°E)", "91.37′", "91.37′"),
        ("Longitude (°E)", "91'30''E", "91'30''E"),
        ("Longitude (°E)", "91.5°30′E", "91.5°30′E"),
        ("Longitude (°E)", "91 30.6′ E", "91.510000"),
        ("Latitude (°N)", "37° 37′ N", "37.616667"),
        ("Latitude (°N)", "10.5 S", "-10.500000"),
        ("Latitude (°N)", "\u221210.5", "-10.5"),
        ("Year", "2003-2005", "2004"),
        ("Year", "2003\u20132004", "2003"),
        ("Year", 2003.0, "2003"),
        ("Year", datetime(2003, 7, 1), "2003"),
        ("NPP (g C m-2 yr-1)", "245", "245"),
        ("NPP (g C m-2 yr-1)", datetime(2003, 5, 1), "2003-05-01 00:00:00"),
    ],
)
def test_a_cell_is_read_as_people_write_it(tmp_path, column, value, expected):
    assert cell_of(tmp_path, column, value) == expected


@given(st.floats(0, 89.9), st.sampled_from("NS"))
def test_degrees_and_minutes_are_the_degrees_that_they_were_made_from(degrees, letter):
    whole, minutes = int(degrees), round((degrees - int(degrees)) * 60, 3)
    if minutes < 60:
        text, axis = spreadsheet._angle(f"{whole}°{minutes}′{letter}")
        assert axis == "latitude"
        assert float(text) == pytest.approx((whole + minutes / 60) * (1 if letter == "N" else -1), abs=1e-5)


@pytest.mark.parametrize(
    "unit", ["gC/m2/yr", "g C m-2 yr-1", "g C m\u207b\u00b2 yr\u207b\u00b9", "gC·m-2·a-1", "gC/m2/year"]
)
def test_our_unit_is_known_in_its_usual_spellings(tmp_path, unit):
    rows = [["Longitude", "Latitude", f"NPP ({unit})"], [91.0, 30.0, 100]]
    assert read_table(saved(tmp_path, NPP=rows), EVERYWHERE).records["value"].tolist() == [100]


@pytest.mark.parametrize("unit", ["t C ha-1 yr-1", "g m-2 yr-1", "gC/m2/d", "kgC/m2/yr", ""])
def test_another_unit_is_refused_with_its_rows(tmp_path, unit):
    rows = [["Longitude", "Latitude", f"NPP ({unit})" if unit else "NPP"], [91.0, 30.0, 100]]
    with pytest.raises(DataError, match=r"rows as sheet!row.*\n.*column unit, row NPP!2 .*expected g C m-2 yr-1"):
        read_table(saved(tmp_path, NPP=rows), EVERYWHERE)


def test_exchanged_coordinates_are_put_right_where_their_letters_say_so_and_it_is_told(tmp_path):
    rows = [HEADER, ["37°37′N", "101°19′E", None, 245, "C"], [91.0, 30.0, 2001, 245, "C"]]
    read = read_table(saved(tmp_path, NPP=rows), EVERYWHERE)
    assert read.records["longitude"].round(3).tolist() == [101.317, 91.0]
    assert any("row NPP!2: longitude and latitude stand in each other's column" in note for note in read.notes)


def test_exchanged_coordinates_without_letters_are_refused_with_their_row(tmp_path):
    with pytest.raises(DataError, match=r"column longitude, row NPP!2 \('37.6'\): .* latitude and longitude exchanged"):
        read_table(saved(tmp_path, NPP=[HEADER, [37.6, 101.3, 2001, 245, "C"]]), EVERYWHERE)


def test_a_letter_that_contradicts_its_column_alone_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"column longitude, row NPP!2 \('37°37′N'\): expected a number"):
        read_table(saved(tmp_path, NPP=[HEADER, ["37°37′N", 35.2, 2001, 245, "C"]]), EVERYWHERE)


def test_what_is_not_read_is_told(tmp_path):
    rows = [HEADER, [91.0, 30.0, "2001-2003", 245, "C"], [None], ["Note: means of three plots"]]
    notes = read_table(saved(tmp_path, NPP=rows, About=[["who made it"]]), EVERYWHERE).notes
    for told in ("sheet 'About' is not read", "row NPP!4 is taken for a remark: 'Note:", "NPP!2: a span of years"):
        assert any(told in note for note in notes), told
    assert all(note.startswith(str(tmp_path / "mine.xlsx")) for note in notes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.docx", "a text document, .*copy its table into data/observations/template.xlsx"),
        ("a.xls", "save it as .xlsx"),
    ],
)
def test_another_kind_of_file_is_refused_with_what_to_do(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=rf"{name}: this is .*{message}"):
        read_table(tmp_path / name, EVERYWHERE)


def test_a_file_that_is_none_or_not_there_is_told(tmp_path):
    (tmp_path / "mine.xlsx").write_text("no spreadsheet")
    with pytest.raises(DataError, match="mine.xlsx: cannot be read as a spreadsheet"):
        read_table(tmp_path / "mine.xlsx", EVERYWHERE)
    with pytest.raises(DataError, match="other.xlsx: no such file"):
        read_table(tmp_path / "other.xlsx", EVERYWHERE)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["Latitude", "NPP"], [30.0, 100]], "no sheet has a header with longitude and latitude among its first 20"),
        ([HEADER], "no rows below the header"),
        ([[*HEADER, "Lon"], [91.0, 30.0, 2001, 245, "C", 91.0]], "sheet 'NPP': column longitude stands twice"),
        ([HEADER, [91.0, 30.0, 2001, "=1+1", "C"]], "NPP!D2: a formula without a value"),
        ([["Lon (°W)", *HEADER[1:]], [105.0, 40.0, 2001, 245, "C"]], r"'Lon \(°W\)' has degrees to the west or"),
        ([[HEADER[0], "Lat (deg S)", HEADER[3]], [91.0, 30.0, 245]], "name the column latitude"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_told(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_table(saved(tmp_path, NPP=rows), EVERYWHERE)


def test_the_template_has_the_columns_of_the_schema_and_takes_a_record(tmp_path):
    book = openpyxl.load_workbook(project_root() / spreadsheet.TEMPLATE)
    sheet = book["observations"]
    names = [cell.value for cell in sheet[3]]
    row = dict.fromkeys(names) | {"variable": "npp", "site": "Here", "longitude": 91, "latitude": 30, "year": 2001}
    row |= {"value": 200, "unit": "g C m-2 yr-1", "source": "us", "own_elevation": 4200}
    with pytest.raises(DataError, match="no rows below the header"):
        read_table(project_root() / spreadsheet.TEMPLATE, EVERYWHERE)
    sheet.append([row[name] for name in names])
    book.save(tmp_path / "filled.xlsx")
    read = read_table(tmp_path / "filled.xlsx", EVERYWHERE)
    assert read.records[["site", "value", "own_elevation"]].to_numpy().tolist() == [["Here", 200, 4200]]
    assert not any("set aside" in note for note in read.notes)
