"""Readers of the published databases, on made-up files and on the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_places import EVERYWHERE, GRID, NOWHERE
from made_records import excluded, fetched, michaletz_file, peng_file, srdb_file, sun_file

from helpers.sites import databases
from helpers.sites.quality import control_pairs, quality_control
from helpers.sites.schema import SCHEMA

ROOT = Path(__file__).parents[2]


def test_srdb_record_becomes_one_row_a_variable(tmp_path):
    read = databases.read_srdb(srdb_file(tmp_path, [{"Rh_annual": 300, "NPP": 250}]), NOWHERE)
    assert read.set_index("variable")["value"].to_dict() == {"rs": 500.0, "rh": 300.0, "npp": 250.0}
    row = read.iloc[0]
    assert (row["vegetation"], row["year"], row["site"]) == ("Grassland", 2010.0, "33.00N 92.00E")
    assert row["reference"] == "Müller (SRDB study 1)"


def test_srdb_npp_is_total_or_the_sum_of_both_parts_but_never_one_part(tmp_path):
    rows = [{"NPP": 250, "ANPP": 90}, {"ANPP": 90, "BNPP": 110}, {"ANPP": 90}, {"BNPP": 110}]
    read = databases.read_srdb(srdb_file(tmp_path, rows), NOWHERE)
    npp = read[read["variable"] == "npp"]
    assert npp["value"].tolist() == [250.0, 200.0]
    assert npp["belowground_share"].iloc[1] == pytest.approx(0.55)


@pytest.mark.parametrize(("text", "treatment"), [(None, "none"), ("None", "none"), ("Warmed", "Warmed")])
def test_srdb_manipulation_empty_or_none_is_unmanipulated(tmp_path, text, treatment):
    read = databases.read_srdb(srdb_file(tmp_path, [{"Manipulation": text}]), NOWHERE)
    assert read["treatment"].tolist() == [treatment]


def test_srdb_flag_of_a_figure_excludes_respiration_but_not_npp(tmp_path):
    rows = [{"NPP": 250, "Quality_flag": "Q01"}, {"NPP": 260, "Quality_flag": "Q01, Q11"}]
    read = databases.read_srdb(srdb_file(tmp_path, rows), NOWHERE)
    assert read[read["variable"] == "npp"]["quality"].tolist() == ["", "Q11"]
    assert read[read["variable"] == "rs"]["quality"].tolist() == ["Q01", "Q01, Q11"]


def test_srdb_duplicate_record_is_a_possible_duplicate(tmp_path):
    read = databases.read_srdb(srdb_file(tmp_path, [{}, {"Duplicate_record": 5961}]), NOWHERE)
    assert read["possible_duplicate"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("row", "places", "expected"),
    [
        ({}, NOWHERE, (False, True, True)),
        ({"Elevation": 1000}, EVERYWHERE, (True, False, True)),
        ({"Elevation": 2500}, NOWHERE, (False, True, True)),
        ({"Elevation": 2499}, NOWHERE, (False, False, False)),
        ({"Elevation": None}, NOWHERE, (False, False, False)),
        ({"Longitude": 110.0}, NOWHERE, (False, False, False)),
        ({"Longitude": 70.0}, NOWHERE, (False, False, False)),
        ({"Latitude": 45.0}, NOWHERE, (False, False, False)),
        ({"Latitude": 20.0}, NOWHERE, (False, False, False)),
        ({"Latitude": None}, EVERYWHERE, (False, False, False)),
    ],
)
def test_srdb_is_in_the_region_inside_the_boundary_or_high_in_its_box(tmp_path, row, places, expected):
    read = databases.read_srdb(srdb_file(tmp_path, [row]), places).iloc[0]
    assert tuple(read[["inside_boundary", "high_in_box", "in_region"]]) == expected


def test_srdb_keeps_neighbours_in_the_region_and_the_surroundings_without_coordinates(tmp_path):
    rows = [{"Country": "India"}, {"Country": "India", "Elevation": 300}, {"Latitude": None, "Longitude": None}]
    read = databases.read_srdb(srdb_file(tmp_path, rows), NOWHERE)
    assert read["record"].tolist() == ["SRDB 0", "SRDB 2"]


def test_a_site_without_both_coordinates_goes_by_its_record(tmp_path):
    rows = [{}, {"Latitude": None}, {"Longitude": None}, {"Latitude": None, "Longitude": None}]
    read = databases.read_srdb(srdb_file(tmp_path, rows), NOWHERE)
    assert read["site"].tolist() == ["33.00N 92.00E", "SRDB 1", "SRDB 2", "SRDB 3"]


OWN = ["own_elevation", "own_temperature", "own_precipitation", "country"]


def test_what_srdb_says_of_a_place_comes_along_with_each_flux_and_pair(tmp_path, monkeypatch):
    path = srdb_file(tmp_path, [{"Rh_annual": 300, "MAT": -2.5, "MAP": 350, "Elevation": 4600}])
    fetched(monkeypatch, srdb=path)
    for table in (databases.read_srdb(path, NOWHERE), databases.rs_rh_pairs(["srdb"], NOWHERE)):
        assert (table[OWN] == [4600, -2.5, 350, "China"]).all(axis=None)


def test_michaletz_has_a_climate_and_sun_only_a_country_of_its_own(tmp_path):
    michaletz = databases.read_michaletz(michaletz_file(tmp_path), NOWHERE)
    assert michaletz[OWN[1:]].to_numpy().tolist() == [[5.5, 700.0, "China"]]
    sun = databases.read_sun2022(sun_file(tmp_path), EVERYWHERE)
    assert sun["country"].tolist() == ["China"] * 5 + ["India"]
    assert not set(OWN[:3]) & set(sun)


def test_michaletz_dry_matter_becomes_carbon_and_only_the_surroundings_stay(tmp_path):
    read = databases.read_michaletz(michaletz_file(tmp_path), NOWHERE)
    assert read["value"].tolist() == [400.0]
    assert read[["unit", "vegetation"]].iloc[0].tolist() == ["g dry matter m-2 yr-1", "Forest: spruce forest"]


def test_sun_entries_pass_or_fail_by_total_share_and_treatment(tmp_path):
    used, flow = quality_control(SCHEMA.validate(databases.read_sun2022(sun_file(tmp_path), NOWHERE)), GRID)
    assert used.set_index("record")["value"].to_dict() == pytest.approx({"Sun 1": 90.0, "Sun 5": 180.0})
    assert excluded(flow) == {"value given": 1, "unmanipulated": 1, "production, not biomass": 1}
    assert used["note"].tolist() == ["", "coordinate may be the middle of a range"]


def test_pairs_of_rs_and_rh_pass_or_fail_by_each_rule(tmp_path, monkeypatch):
    rows = [
        {"Rh_annual": 300},
        {"Rh_annual": 500, "Annual_coverage": 0.5},
        {"Rh_annual": 300, "Manipulation": "Warmed"},
        {"Rh_annual": 300, "Quality_flag": "Q01"},
        {"Rh_annual": 300, "Annual_coverage": 0.49},
        {"Rh_annual": 300, "Annual_coverage": None},
        {"Rh_annual": 501},
        {"Rh_annual": 300, "Latitude": None},
        {"Rh_annual": 300, "Country": "India"},
        {},
    ]
    fetched(monkeypatch, srdb=srdb_file(tmp_path, rows))
    pairs, flow = control_pairs(databases.rs_rh_pairs(["sun2022", "srdb"], NOWHERE))
    assert pairs[["site", "longitude", "latitude", "year", "rs", "rh"]].to_dict("records") == [
        {"site": "33.00N 92.00E", "longitude": 92, "latitude": 33, "year": 2010, "rs": 500, "rh": rh}
        for rh in (300, 500)
    ]
    assert flow["n"].iloc[0] == 8  # those of the surroundings with both fluxes
    assert excluded(flow) == {
        **{"unmanipulated": 1, "no quality flag": 1, "measured long enough": 2, "Rh within Rs": 1, "located": 1}
    }


def test_peng_is_in_carbon_and_says_share_year_and_elevation(tmp_path):
    rows = [{}, {"Begin_year": 2006, "End_year": 2015}, {"site": "CN-x-D01_FI", "TNPP_1": None}]
    read = databases.read_peng(peng_file(tmp_path, rows), EVERYWHERE)
    assert read["value"].tolist() == [200.0, 200.0, pytest.approx(np.nan, nan_ok=True)]
    assert read["year"].tolist() == [2005.0, pytest.approx(np.nan, nan_ok=True), 2005.0]
    assert read["treatment"].tolist() == ["none", "none", "treated plot"]
    first = read.iloc[0]
    assert (first["belowground_share"], first["own_elevation"], first["reference"]) == (0.6, 4500, "Wu et al 2011")
    assert (first["record"], first["vegetation"], first["source"]) == ("Peng ID1", "Grassland", "Peng 2023")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, [(True, True)]),
        ({"z": 2499}, [(True, False)]),
        ({"lon": 79.3, "lat": 30.5}, [(False, True)]),  # India, high in the paper's box
        ({"lon": 79.3, "lat": 28.5, "z": 300}, []),
    ],
)
def test_peng_lies_in_the_surroundings_by_its_coordinates_and_in_the_region_as_srdb_does(tmp_path, row, expected):
    read = databases.read_peng(peng_file(tmp_path, [row]), NOWHERE)
    assert list(zip(read["in_surroundings"], read["in_region"], strict=True)) == expected


def test_pairs_average_to_one_a_site():
    pairs = pd.DataFrame(
        {"site": ["a", "a", "b"], "longitude": 90.0, "latitude": 33.0, "rs": [100.0, 300.0, 50.0], "rh": [50.0, 70, 20]}
    )
    means = databases.pair_site_means(pairs).set_index("site")
    assert means.loc["a", ["longitude", "latitude", "rs", "rh", "n_records"]].tolist() == [90, 33, 200, 60, 2]
    assert len(means) == 2


def test_root_biomass_taken_for_production_is_left_out_of_the_grassland_table():
    read = databases.read_sun2022(ROOT / "data" / "observations" / "sun2022_grassland_npp.csv", NOWHERE)
    _, flow = quality_control(read, GRID)
    counts = flow.set_index("step")["excluded"]
    assert flow["n"].iloc[0] == 234
    assert (counts["value given"], counts["production, not biomass"]) == (20, 19)


def test_srdb_tells_how_much_of_the_year_was_measured(tmp_path):
    read = databases.read_srdb(srdb_file(tmp_path, [{"Annual_coverage": 0.4}, {"Annual_coverage": None}]), NOWHERE)
    assert read["annual_coverage"].tolist() == [pytest.approx(0.4), pytest.approx(np.nan, nan_ok=True)]
