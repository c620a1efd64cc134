"""The open databases as one table, and tables of the reader's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from made_places import EVERYWHERE, GRID, NOWHERE, places_of
from made_records import fetched, michaletz_file, peng_file, records, srdb_file, sun_file

from helpers.config import load_config
from helpers.data import region
from helpers.errors import DataError
from helpers.sites import databases, tables
from helpers.sites.places import record_names
from helpers.sites.quality import control_pairs, quality_control, summarise
from helpers.sites.schema import LOWEST, SCHEMA

ROOT = Path(__file__).parents[2]


def test_databases_come_as_one_table_with_duplicates_told_across_them(tmp_path, monkeypatch):
    srdb = srdb_file(tmp_path, [{"Longitude": 101.0, "Latitude": 31.0, "NPP": 401}])
    copy = {"lon": 101.0, "lat": 31.0, "TNPP_1": 401, "Begin_year": 2006, "End_year": 2015}
    others = {"michaletz2014": michaletz_file(tmp_path), "sun2022": sun_file(tmp_path)}
    fetched(monkeypatch, srdb=srdb, peng2023=peng_file(tmp_path, [{}, copy]), **others)
    raw = tables.read_databases(["srdb", "michaletz2014", "sun2022", "peng2023"], NOWHERE)
    assert set(raw["source"]) == {"SRDB V5", "Michaletz 2014", "Sun 2022", "Peng 2023"}
    assert raw[raw["possible_duplicate"]]["source"].tolist() == ["Michaletz 2014", "Peng 2023"]
    turned = tables.read_databases(["peng2023", "sun2022", "michaletz2014", "srdb"], NOWHERE)
    assert turned[turned["possible_duplicate"]]["source"].tolist() == ["Michaletz 2014", "SRDB V5"]


def test_a_product_that_is_no_database_is_refused_by_its_key():
    with pytest.raises(DataError, match="observations: 'elevation' is no site database .* goes in extra_observations"):
        tables.read_databases(["elevation"], NOWHERE)


def test_without_a_database_there_are_no_records_and_without_one_of_pairs_no_pairs():
    assert databases.rs_rh_pairs(["sun2022", "peng2023"], NOWHERE).empty
    raw = tables.read_databases([], NOWHERE)
    assert raw.empty and set(SCHEMA.columns) <= set(raw)


def test_the_example_table_is_in_the_schema():
    read = tables.read_table(ROOT / "data" / "observations" / "example_npp.csv", EVERYWHERE)
    assert len(quality_control(read.records, GRID)[0]) == 2
    assert [note.split(": ", 1)[1] for note in read.notes] == [
        "column treatment: quality control leaves out what is manipulated: fertilized (1)"
    ]


def test_a_table_may_leave_out_what_has_a_default(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("variable,site,longitude,latitude,year,value,unit,source\nrs,Camp,92,33,,512.5,g C m-2 yr-1,mine\n")
    read = tables.read_table(path, EVERYWHERE).records.iloc[0]
    assert (read["treatment"], read["quality"], read["possible_duplicate"]) == ("none", "", False)
    assert (read["in_region"], read["in_surroundings"], read["annual_coverage"]) == (True, True, 1)
    assert np.isnan(read["year"])


def test_a_table_written_from_the_schema_reads_back_the_same(tmp_path):
    raw = records(3, year=[2001.0, np.nan, 2003.0])
    raw.to_csv(tmp_path / "out.csv", index=False)
    read = tables.read_table(tmp_path / "out.csv", EVERYWHERE)
    pd.testing.assert_frame_equal(read.records, raw.assign(annual_coverage=1.0))
    assert read.notes == ()


HEAD = "variable,site,longitude,latitude,year,value,unit,source"


def own(folder, *rows: str, columns: str = ""):
    """Read a table of NPP, each row given from its site on, with further columns."""
    path = folder / "mine.csv"
    lines = [row.replace("|", ",g C m-2 yr-1,mine") for row in rows]
    path.write_text("\n".join([HEAD + columns, *(f"npp,{line}" for line in lines)]) + "\n")
    return tables.read_table(path, places_of(shapely.box(70, 18, 100, 54)))


# kind: words with a closed meaning


@pytest.mark.parametrize("word", ["", "NA", "N/A", "nan", "NaN", "null", "None", "<NA>", "-", "#N/A", " NA "])
def test_a_word_for_missing_means_not_given_in_every_column(tmp_path, word):
    columns = ",treatment,quality,vegetation,possible_duplicate,in_surroundings,in_region,own_elevation,country"
    read = own(tmp_path, f"a,92,33,{word},200|" + f",{word}" * 8, columns=columns)
    row = read.records.iloc[0]
    assert (row["treatment"], row["quality"], row["vegetation"], row["country"]) == ("none", "", "", "")
    assert (row["in_surroundings"], row["in_region"], row["possible_duplicate"]) == (True, True, False)
    assert np.isnan(row["year"]) and np.isnan(row["own_elevation"])
    assert len(quality_control(read.records, GRID)[0]) == 1 and read.notes == ()


@pytest.mark.parametrize(
    ("treatment", "quality"),
    [("control", "good"), ("CK", "OK"), ("Unmanipulated", "Good"), ("none", "valid"), ("untreated", "fine")],
)
def test_words_for_an_untouched_plot_and_a_record_without_doubt_are_used(tmp_path, treatment, quality):
    read = own(tmp_path, f"a,92,33,2010,200|,{treatment},{quality}", columns=",treatment,quality")
    assert len(quality_control(read.records, GRID)[0]) == 1 and read.notes == ()


def test_other_words_exclude_the_record_and_are_told(tmp_path):
    rows = ["a,92,33,2010,200|,warmed,", "b,93,33,2010,210|,contrl,", "c,94,33,2010,220|,,Q12"]
    read = own(tmp_path, *rows, columns=",treatment,quality")
    flow = quality_control(read.records, GRID)[1].set_index("step")["excluded"]
    assert (flow["unmanipulated"], flow["no quality flag"]) == (2, 1)
    manipulated, flagged = read.notes
    assert "manipulated: warmed (1), contrl (1)" in manipulated and "flagged: Q12 (1)" in flagged


@pytest.mark.parametrize("column", ["treatment", "quality"])
@pytest.mark.parametrize("word", ["0", "1", "1.0", "TRUE", "no", "N"])
def test_a_number_or_an_answer_as_a_word_is_refused_with_the_valid_words(tmp_path, column, word):
    with pytest.raises(DataError, match=rf"column {column}, row 2 \('{word}'\): expected empty, (none, control|good)"):
        own(tmp_path, f"a,92,33,2010,200|,{word}", columns=f",{column}")


# kind: flags of place against the outline


@pytest.mark.parametrize("columns", [",in_surroundings,in_region", ",in_china,on_plateau"])
def test_the_outline_decides_and_a_typed_flag_against_it_is_told(tmp_path, columns):
    """The columns may have the names of earlier tables."""
    rows = ["coast,118,26,2010,900|,true,true", "inner,92,33,2010,250|,true,false", "south,78,20,2010,600|,true,"]
    read = own(tmp_path, *rows, columns=columns)
    assert read.records["in_region"].tolist() == [False, True, True]
    assert read.records["in_surroundings"].tolist() == [True, True, False]
    region, surroundings = read.notes
    assert "column in_region, row 2 ('true'), 3 ('false'): is not what the outline says" in region
    assert (
        "column in_surroundings, row 4 ('true'): is not what the outline says; in_surroundings is taken from"
        in surroundings
    )


def test_near_the_coarse_border_of_a_country_the_typed_flag_stays_and_is_told(tmp_path):
    """A quarter of a degree within the northernmost point of the outline, and beyond it."""
    x, y = max(shapely.get_coordinates(EVERYWHERE.surroundings), key=lambda point: point[1])
    assert y < 53.7  # the grid ends at 54
    inner, outer = (f"{name},{x:.3f},{y + step:.3f},2010,200|" for name, step in (("a", -0.25), ("b", 0.25)))
    read = own(tmp_path, f"{inner},false", f"{outer},true", columns=",in_surroundings")
    assert read.records["in_surroundings"].tolist() == [False, True]
    assert "row 2 ('false'), 3 ('true')" in read.notes[0] and "in_surroundings stays as typed" in read.notes[0]


def test_flags_that_agree_with_the_outline_say_nothing(tmp_path):
    assert own(tmp_path, "a,92,33,2010,200|,TRUE,True", columns=",in_surroundings,in_region").notes == ()


# kind: columns with our names


@pytest.mark.parametrize("name", ["elevation", "lai", "cell_temperature", "plateau", "ln_npp", "n_records", "plot id"])
def test_a_column_that_no_rule_reads_is_set_aside_and_told(tmp_path, name):
    read = own(tmp_path, "a,92,33,2010,200|,4700", columns=f",{name}")
    assert name not in read.records
    assert f"set aside, since no rule reads it: column {name}" in read.notes[0]
    assert ("own_elevation" in read.notes[0]) == (name == "elevation")


def test_a_share_below_ground_is_a_number_that_quality_control_reads(tmp_path):
    read = own(tmp_path, "a,92,33,2010,250|,0.95", "b,93,33,2010,260|,0.5", columns=",belowground_share")
    assert quality_control(read.records, GRID)[0]["site"].tolist() == ["b"]


@pytest.mark.parametrize("name", ["belowground_share", "annual_coverage"])
@pytest.mark.parametrize(("cell", "expected"), [("45", "0 to 1 of"), ("half", "a number"), ("-0.1", "0 to 1 of")])
def test_a_share_that_is_none_is_refused(tmp_path, name, cell, expected):
    with pytest.raises(DataError, match=rf"column {name}, row 2 \('{cell}'\): expected {expected}"):
        own(tmp_path, f"a,92,33,2010,200|,{cell}", columns=f",{name}")


def test_a_coverage_that_is_not_given_is_unknown_and_without_the_column_the_whole_year(tmp_path):
    given = own(tmp_path, "a,92,33,2010,200|,NA", "b,93,33,2010,200|,0.4", columns=",annual_coverage")
    np.testing.assert_equal(given.records["annual_coverage"].tolist(), [np.nan, 0.4])
    assert own(tmp_path, "a,92,33,2010,200|").records["annual_coverage"].tolist() == [1.0]


def test_a_record_without_a_name_of_its_own_goes_by_its_site(tmp_path):
    read = own(tmp_path, "a,92,33,2010,200|,", "b,93,33,2010,210|,plot 7", columns=",record")
    assert record_names(read.records).tolist() == ["a", "plot 7"]


# kind: values too small


@pytest.mark.parametrize(("variable", "lowest"), LOWEST.items())
def test_a_value_at_the_least_of_its_flux_is_read_and_one_below_is_refused(tmp_path, variable, lowest):
    path = tmp_path / "mine.csv"
    row = f"{variable},a,92,33,2010,{{}},g C m-2 yr-1,mine\n"
    path.write_text(f"{HEAD}\n" + row.format(lowest))
    assert len(tables.read_table(path, EVERYWHERE).records) == 1
    path.write_text(f"{HEAD}\n" + row.format(lowest - 0.01))
    with pytest.raises(DataError, match=f"at least {lowest:g} g C m-2 yr-1 of {variable}: check units"):
        tables.read_table(path, EVERYWHERE)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([1.8, 2.6, 0.9, 3.9, 1.2], "t C ha-1 yr-1 (multiply by 100)"),
        ([0.18, 0.26, 0.09], "kg C m-2 yr-1 (multiply by 1000)"),
        ([0.9, 1.4, 1.1], "g C m-2 d-1 (multiply by 365)"),
        ([8.1, 9.5], "t dry matter ha-1 yr-1 (multiply by 45"),
    ],
)
def test_values_too_small_are_refused_by_row_with_the_likely_unit(tmp_path, values, unit):
    with pytest.raises(DataError) as caught:
        own(tmp_path, *(f"s{i},{90 + i},33,2010,{value}|" for i, value in enumerate(values)))
    assert f"row 2 ('{values[0]}'), 3 ('{values[1]}')" in str(caught.value) and unit in str(caught.value)


# kind: one name at several places


def test_one_name_at_places_far_apart_is_refused_by_row(tmp_path):
    rows = ["camp,92,33,2010,200|", "other,92,35,2010,200|", "camp,92.11,33,2010,210|"]
    with pytest.raises(DataError, match=r"column site, row 2 \('camp'\), 4 \('camp'\): expected one place"):
        own(tmp_path, *rows)


def test_plots_of_one_site_may_lie_a_cell_apart(tmp_path):
    assert len(own(tmp_path, "camp,92,33,2010,200|", "camp,92.1,33.1,2010,210|").records) == 2


# --- documented facts of the real databases --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plateau(real_data):
    return places_of(region.outline(load_config("open").region).geometry)


@pytest.fixture(scope="module")
def raw_real(plateau):
    return tables.read_databases(load_config("open").observations, plateau)


@pytest.mark.real_data
def test_the_papers_62_soil_respiration_records_are_found(raw_real):
    used, flow = quality_control(raw_real[raw_real["in_region"]], GRID)
    rs = used[used["variable"] == "rs"]
    assert flow[flow["variable"] == "rs"]["n"].iloc[-1] == len(rs) == 62
    assert len(rs[["longitude", "latitude"]].drop_duplicates()) == 20
    assert rs["site"].nunique() == 19
    assert rs["value"].mean() == pytest.approx(819.2, abs=0.1)


@pytest.mark.real_data
def test_the_least_values_of_own_tables_would_leave_out_no_record_of_the_databases(raw_real):
    used, _ = quality_control(raw_real, GRID)
    assert (used["value"] >= used["variable"].map(LOWEST)).all()


@pytest.mark.real_data
def test_58_of_them_lie_inside_the_boundary(raw_real):
    used, _ = quality_control(raw_real[raw_real["in_region"]], GRID)
    assert used.loc[used["variable"] == "rs", "inside_boundary"].sum() == 58


@pytest.mark.real_data
def test_site_means_of_rs_and_rh_give_the_papers_line_and_records_a_flatter_one(plateau):
    pairs, flow = control_pairs(databases.rs_rh_pairs(["srdb"], plateau))
    assert flow["n"].iloc[[0, -1]].tolist() == [269, len(pairs)]
    means = databases.pair_site_means(pairs)
    assert len(means) == 53
    slope, intercept = np.polyfit(means["rs"], means["rh"], 1)
    assert slope == pytest.approx(0.617, abs=0.0005)
    assert intercept == pytest.approx(9.955, abs=0.005)
    assert np.corrcoef(means["rs"], means["rh"])[0, 1] ** 2 == pytest.approx(0.775, abs=0.0005)
    assert 0.54 <= np.polyfit(pairs["rs"], pairs["rh"], 1)[0] <= 0.59


@pytest.mark.real_data
def test_npp_on_the_plateau_is_forest_mostly_and_fewer_than_the_papers_394(raw_real):
    used, _ = quality_control(raw_real[raw_real["in_region"]], GRID)
    summary = summarise(used[used["variable"] == "npp"])
    assert summary.set_index(["source", "formation"])["n"].to_dict() == {
        ("Michaletz 2014", "Forest"): 186,
        ("Peng 2023", "Forest"): 2,
        ("Peng 2023", "Grassland"): 4,
        ("SRDB V5", "Grassland"): 2,
        ("Sun 2022", "Grassland"): 27,
    }
