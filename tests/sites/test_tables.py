"""The open databases as one table, and tables of the reader's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_records import everywhere, michaletz_file, nowhere, peng_file, records, srdb_file, sun_file

from helpers.sites import databases, tables
from helpers.sites.quality import control_pairs, quality_control, summarise

ROOT = Path(__file__).parents[2]


def test_open_databases_come_as_one_table_with_duplicates_told_across_them(tmp_path):
    srdb = srdb_file(tmp_path, [{"Longitude": 101.0, "Latitude": 31.0, "NPP": 401}])
    copy = {"lon": 101.0, "lat": 31.0, "TNPP_1": 401, "Begin_year": 2006, "End_year": 2015}
    raw = tables.read_open(
        srdb=srdb,
        michaletz=michaletz_file(tmp_path),
        sun=sun_file(tmp_path),
        peng=peng_file(tmp_path, [{}, copy]),
        contains=nowhere,
    )
    assert set(raw["source"]) == {"SRDB V5", "Michaletz 2014", "Sun 2022", "Peng 2023"}
    assert raw[raw["possible_duplicate"]]["source"].tolist() == ["Michaletz 2014", "Peng 2023"]


def test_the_example_table_is_in_the_schema():
    read = tables.read_table(ROOT / "data" / "observations" / "example_npp.csv", nowhere)
    assert len(quality_control(read)[0]) == 2


def test_a_table_may_leave_out_what_has_a_default(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "variable,site,longitude,latitude,year,value,unit,source,in_china\n"
        "rs,Camp,92,33,,512.5,g C m-2 yr-1,mine,TRUE\n"
    )
    read = tables.read_table(path, everywhere).iloc[0]
    assert (read["treatment"], read["quality"], read["possible_duplicate"], read["on_plateau"]) == (
        "none",
        "",
        False,
        True,
    )
    assert np.isnan(read["year"])


def test_a_table_written_from_the_schema_reads_back_the_same(tmp_path):
    raw = records(3, year=[2001.0, np.nan, 2003.0])
    raw.to_csv(tmp_path / "out.csv", index=False)
    pd.testing.assert_frame_equal(tables.read_table(tmp_path / "out.csv", nowhere), raw)


# --- documented facts of the real databases --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_files(real_data):
    from helpers.data import catalog, region

    boundary = region.read_boundary(catalog.fetch("boundary")["DBATP_Polygon.shp"])
    return {
        "srdb": catalog.fetch("srdb")["srdb-data.csv"],
        "michaletz": catalog.fetch("michaletz2014")["Michaletz2014.csv"],
        "sun": ROOT / "data" / "observations" / "sun2022_grassland_npp.csv",
        "peng": catalog.fetch("peng2023")["NPP_dataset.csv"],
        "contains": lambda longitude, latitude: region.contains(boundary, longitude, latitude),
    }


@pytest.fixture(scope="module")
def raw_open(open_files):
    return tables.read_open(**open_files)


@pytest.mark.real_data
def test_the_papers_62_soil_respiration_records_are_found(raw_open):
    used, flow = quality_control(raw_open[raw_open["on_plateau"]])
    rs = used[used["variable"] == "rs"]
    assert flow[flow["variable"] == "rs"]["n"].iloc[-1] == len(rs) == 62
    assert len(rs[["longitude", "latitude"]].drop_duplicates()) == 20
    assert rs["site"].nunique() == 19
    assert rs["value"].mean() == pytest.approx(819.2, abs=0.1)


@pytest.mark.real_data
def test_58_of_them_lie_inside_the_boundary(raw_open):
    used, _ = quality_control(raw_open[raw_open["on_plateau"]])
    assert used.loc[used["variable"] == "rs", "inside_boundary"].sum() == 58


@pytest.mark.real_data
def test_site_means_of_rs_and_rh_give_the_papers_line_and_records_a_flatter_one(open_files):
    pairs, flow = control_pairs(databases.rs_rh_pairs(open_files["srdb"]))
    assert flow["n"].iloc[[0, -1]].tolist() == [269, len(pairs)]
    means = databases.pair_site_means(pairs)
    assert len(means) == 53
    slope, intercept = np.polyfit(means["rs"], means["rh"], 1)
    assert slope == pytest.approx(0.617, abs=0.0005)
    assert intercept == pytest.approx(9.955, abs=0.005)
    assert np.corrcoef(means["rs"], means["rh"])[0, 1] ** 2 == pytest.approx(0.775, abs=0.0005)
    assert 0.54 <= np.polyfit(pairs["rs"], pairs["rh"], 1)[0] <= 0.59


@pytest.mark.real_data
def test_npp_on_the_plateau_is_forest_mostly_and_fewer_than_the_papers_394(raw_open):
    used, _ = quality_control(raw_open[raw_open["on_plateau"]])
    summary = summarise(used[used["variable"] == "npp"])
    assert summary.set_index(["source", "formation"])["n"].to_dict() == {
        ("Michaletz 2014", "Forest"): 186,
        ("Peng 2023", "Forest"): 2,
        ("Peng 2023", "Grassland"): 4,
        ("SRDB V5", "Grassland"): 2,
        ("Sun 2022", "Grassland"): 27,
    }
