"""Schema, readers, quality control and aggregation of observations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pandera.errors
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.data import land_cover as land_covers
from helpers.sites import databases, tables
from helpers.sites import quality as obs
from helpers.sites.schema import SCHEMA

ROOT = Path(__file__).parents[2]


def table(n: int = 1, **columns) -> pd.DataFrame:
    """Make n good, distinct observations, with columns replaced."""
    good = {
        "variable": ["npp"] * n,
        "site": [f"site {i}" for i in range(n)],
        "longitude": 90.0 + np.arange(n),
        "latitude": np.full(n, 33.0),
        "year": np.full(n, 2010.0),
        "value": 200.0 + 50 * np.arange(n),
        "unit": "g C m-2 yr-1",
        "treatment": "none",
        "quality": "",
        "vegetation": "Grassland: alpine meadow",
        "source": "made up",
        "reference": "nobody",
        "in_china": True,
        "on_plateau": True,
        "possible_duplicate": False,
    }
    return SCHEMA.validate(pd.DataFrame(good | columns))


def excluded(flow: pd.DataFrame) -> dict[str, int]:
    """Return the steps that left something out, with how much."""
    counts = flow.groupby("step")["excluded"].sum()
    return counts[counts > 0].to_dict()


def everywhere(longitude, latitude):
    return np.ones(len(longitude), dtype=bool)


def nowhere(longitude, latitude):
    return np.zeros(len(longitude), dtype=bool)


# --- quality control -------------------------------------------------------------------------------------------------


def test_good_observations_all_pass():
    raw = table(5)
    used, flow = obs.quality_control(raw)
    pd.testing.assert_frame_equal(used, raw)
    assert excluded(flow) == {}


@pytest.mark.parametrize(
    ("step", "columns"),
    [
        ("located", {"longitude": [90.0, np.nan, 92.0]}),
        ("located", {"latitude": [33.0, np.nan, 33.0]}),
        ("coordinates in order", {"longitude": [90.0, 33.0, 92.0], "latitude": [33.0, 91.0, 33.0]}),
        ("coordinates in range", {"longitude": [90.0, 10.0, 92.0]}),
        ("coordinates in range", {"latitude": [33.0, -33.0, 33.0]}),
        ("value given", {"value": [200.0, np.nan, 300.0]}),
        ("value positive", {"value": [200.0, 0.0, 300.0]}),
        ("value positive", {"value": [200.0, -5.0, 300.0]}),
        ("value plausible", {"value": [200.0, 25_000.0, 300.0]}),
        ("unmanipulated", {"treatment": ["none", "Warmed", "none"]}),
        ("no quality flag", {"quality": ["", "Q10", ""]}),
        ("production, not biomass", {"belowground_share": [0.9, 0.91, np.nan]}),
        ("no repetition", {"possible_duplicate": [False, True, False]}),
    ],
)
def test_each_rule_leaves_out_what_it_is_for_and_nothing_else(step, columns):
    used, flow = obs.quality_control(table(3, **columns))
    assert list(used.index) == [0, 2]
    assert excluded(flow) == {step: 1}


@pytest.mark.parametrize(("variable", "bound"), [("npp", 3000.0), ("rs", 5000.0), ("rh", 3000.0)])
def test_each_variable_has_its_own_bound_which_itself_is_plausible(variable, bound):
    used, _ = obs.quality_control(table(2, variable=variable, value=[bound, bound * 1.001]))
    assert used["value"].tolist() == [bound]


def test_a_place_outside_the_region_either_way_round_is_out_of_range_and_not_exchanged():
    _, flow = obs.quality_control(table(1, longitude=60.0, latitude=60.0))
    assert excluded(flow) == {"coordinates in range": 1}


def test_the_region_can_be_another_one():
    used, _ = obs.quality_control(table(1, longitude=11.0, latitude=47.0), region=(5.0, 43.0, 17.0, 49.0))
    assert len(used) == 1


def test_domain_is_the_last_step_of_the_flow():
    raw = table(4, in_china=[True, True, True, False], on_plateau=[True, False, False, True])
    used, flow = obs.quality_control(raw, domain="plateau")
    assert list(used.index) == [0, 3]
    assert flow.iloc[-1][["step", "n", "excluded"]].tolist() == ["in the domain: plateau", 2, 2]
    assert len(obs.quality_control(raw, domain="china")[0]) == 3


def test_flow_tells_variables_and_sources_apart():
    raw = table(4, variable=["npp", "npp", "rs", "rs"], source=["a", "b", "a", "a"], quality=["", "Q1", "Q1", "Q1"])
    _, flow = obs.quality_control(raw)
    last = flow.groupby(["variable", "source"])["n"].last()
    assert last.to_dict() == {("npp", "a"): 1, ("npp", "b"): 0, ("rs", "a"): 0}


def test_a_table_without_a_column_of_the_schema_is_refused():
    with pytest.raises(pandera.errors.SchemaError, match="treatment"):
        obs.quality_control(table(1).drop(columns="treatment"))


@st.composite
def messy(draw) -> pd.DataFrame:
    """Draw a table with any mixture of faults."""
    n = draw(st.integers(1, 12))

    def column(*values):
        return draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))

    return table(
        n,
        variable=column("npp", "rs", "rh"),
        site=column("a", "b", "c"),
        longitude=column(90.0, 100.0, 33.0, 200.0, np.nan),
        latitude=column(33.0, 30.0, 91.0, np.nan),
        year=column(2001.0, 2002.0, np.nan),
        value=column(100.0, 100.1, 250.0, -1.0, 1e6, np.nan),
        treatment=column("none", "Warmed"),
        quality=column("", "Q10"),
        source=column("a", "b"),
        in_china=column(True, False),
        on_plateau=column(True, False),
    )


@settings(deadline=None, max_examples=25)
@given(messy(), st.sampled_from([None, "china", "plateau"]))
def test_quality_control_only_ever_removes_rows_and_the_flow_counts_each(raw, domain):
    used, flow = obs.quality_control(raw, domain)
    pd.testing.assert_frame_equal(used, raw.loc[used.index])
    for (variable, source), steps in flow.groupby(["variable", "source"], sort=False):
        mine = (used["variable"] == variable) & (used["source"] == source)
        n = steps["n"].to_numpy()
        assert n[0] == ((raw["variable"] == variable) & (raw["source"] == source)).sum()
        assert n[-1] == mine.sum()
        np.testing.assert_array_equal(n[:-1] - n[1:], steps["excluded"].to_numpy()[1:])


@settings(deadline=None, max_examples=25)
@given(messy())
def test_quality_control_finds_nothing_more_in_what_it_let_pass(raw):
    used, _ = obs.quality_control(raw)
    again, _ = obs.quality_control(used)
    assert list(again.index) == list(used.index)


# --- duplicates ------------------------------------------------------------------------------------------------------


def pair(**columns) -> pd.Series:
    """Tell which of two records of one place, year and value repeat the other, with columns replaced."""
    same = {"longitude": 91.0, "year": 2010.0, "value": 300.0}
    return obs.find_duplicates(table(2, **(same | columns))).tolist()


def test_a_copied_row_repeats_the_first():
    assert pair() == [False, True]


def test_another_source_repeats_within_half_a_percent():
    assert pair(source=["a", "b"], value=[300.0, 301.4]) == [False, True]
    assert pair(source=["a", "b"], value=[300.0, 302.0]) == [False, False]


def test_another_reference_of_one_source_repeats_within_half_a_percent():
    assert pair(reference=["a", "b"], value=[300.0, 301.4]) == [False, True]


def test_plots_of_one_study_that_are_merely_alike_are_not_repetitions():
    assert pair(value=[300.0, 300.5]) == [False, False]


def test_an_unknown_year_matches_any_year_of_another_source_only():
    assert pair(source=["a", "b"], year=[2010.0, np.nan]) == [False, True]
    assert pair(year=[2010.0, np.nan]) == [False, False]
    assert pair(year=[np.nan, np.nan]) == [False, True]


@pytest.mark.parametrize(
    "columns",
    [
        {"year": [2010.0, 2011.0]},
        {"longitude": [91.0, 91.02]},
        {"variable": ["npp", "rs"]},
        {"treatment": ["none", "Warmed"]},
        {"value": [np.nan, np.nan]},
    ],
)
def test_records_that_differ_in_what_matters_are_not_repetitions(columns):
    assert pair(**columns) == [False, False]


def test_of_a_flagged_record_and_its_unflagged_copy_the_unflagged_one_is_used():
    assert pair(quality=["Q01", ""]) == [True, False]


def test_a_copy_of_an_excluded_record_is_not_lost_with_it():
    raw = table(2, longitude=91.0, value=300.0, treatment=["Warmed", "none"])
    used, _ = obs.quality_control(raw)
    assert list(used.index) == [1]


def test_quality_control_leaves_out_a_copy_that_the_table_does_not_tell_of():
    used, flow = obs.quality_control(table(2, longitude=91.0, value=300.0))
    assert list(used.index) == [0]
    assert excluded(flow) == {"no repetition": 1}


def test_three_copies_leave_one():
    assert obs.find_duplicates(table(3, longitude=91.0, value=300.0)).sum() == 2


# --- aggregation -----------------------------------------------------------------------------------------------------


def test_site_mean_and_median_of_a_site():
    raw = table(3, site="one", value=[100.0, 110.0, 300.0], year=[2001.0, 2002.0, 2003.0], longitude=[90.0, 90.0, 90.3])
    mean, median = obs.aggregate(raw, "site_mean").iloc[0], obs.aggregate(raw, "site_median").iloc[0]
    assert (mean["value"], median["value"]) == pytest.approx((170.0, 110.0))
    assert mean["longitude"] == pytest.approx(90.1)
    assert mean["n_records"] == 3


def test_a_site_keeps_its_year_only_if_all_records_share_it():
    raw = table(4, site=["a", "a", "b", "b"], year=[2001.0, 2001.0, 2001.0, np.nan])
    assert obs.aggregate(raw, "site_mean").set_index("site")["year"].to_dict() == pytest.approx(
        {"a": 2001.0, "b": np.nan}, nan_ok=True
    )


def test_a_site_on_the_plateau_in_any_record_is_on_the_plateau():
    raw = table(2, site="a", on_plateau=[False, True], source=["x", "y"])
    site = obs.aggregate(raw, "site_mean").iloc[0]
    assert (site["on_plateau"], site["source"]) == (True, "x; y")


def test_rows_are_left_as_they_are():
    raw = table(3, site="one", belowground_share=0.5)
    pd.testing.assert_frame_equal(obs.aggregate(raw, "rows").drop(columns="n_records"), raw)


def test_variables_of_one_site_stay_apart():
    assert len(obs.aggregate(table(2, site="one", variable=["npp", "rs"]), "site_mean")) == 2


def test_unknown_aggregation_is_refused():
    with pytest.raises(ValueError, match="site_median"):
        obs.aggregate(table(1), "mean")


@settings(deadline=None, max_examples=25)
@given(messy(), st.sampled_from(["site_mean", "site_median"]))
def test_aggregation_keeps_every_site_once_and_stays_in_the_schema(raw, how):
    sites = SCHEMA.validate(obs.aggregate(raw, how))
    expected = raw[["variable", "site"]].drop_duplicates()
    assert sorted(map(tuple, sites[["variable", "site"]].to_numpy())) == sorted(map(tuple, expected.to_numpy()))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(1, 3000)), min_size=1, max_size=20))
def test_weighted_by_their_records_site_means_have_the_mean_of_the_rows(records):
    names, values = zip(*records, strict=True)
    raw = table(len(records), site=list(names), value=list(values))
    sites = obs.aggregate(raw, "site_mean")
    assert np.average(sites["value"], weights=sites["n_records"]) == pytest.approx(raw["value"].mean())


def test_summary_counts_by_formation_and_on_the_plateau():
    raw = table(
        3,
        vegetation=["Forest: spruce", "Forest", ""],
        site=["a", "a", "b"],
        value=[100.0, 300.0, 500.0],
        on_plateau=[True, False, True],
    )
    summary = obs.summarise(raw).set_index("formation")
    forest = summary.loc["Forest"]
    assert (forest["n"], forest["sites"], forest["n_plateau"], forest["mean_plateau_gC_m2_yr"]) == (2, 1, 1, 100.0)
    assert summary.loc["not stated", "sites_plateau"] == 1


# --- land cover ------------------------------------------------------------------------------------------------------


def land_cover(values) -> xr.DataArray:
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims=("latitude", "longitude"))


def test_land_cover_of_the_map_is_weighted_by_area():
    area = xr.DataArray([3.0, 1.0], dims="latitude")
    balance = land_covers.land_cover_balance([10, 10, 1, np.nan], land_cover([[10, 16], [16, np.nan]]), area)
    assert balance.set_index("land_cover")["map_share"].to_dict() == pytest.approx({10: 3 / 7, 16: 4 / 7, 1: 0.0})
    assert balance.set_index("land_cover")["site_share"].to_dict() == pytest.approx({10: 2 / 3, 16: 0.0, 1: 1 / 3})


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(1, 17), min_size=1, max_size=30),
    st.lists(st.integers(1, 17), min_size=4, max_size=4),
    st.lists(st.floats(0.1, 100), min_size=4, max_size=4),
)
def test_shares_of_land_cover_sum_to_one(sites, classes, area):
    balance = land_covers.land_cover_balance(
        sites, land_cover(np.reshape(classes, (2, 2))), land_cover(np.reshape(area, (2, 2)))
    )
    assert balance[["site_share", "map_share"]].sum().to_list() == pytest.approx([1.0, 1.0])
    assert set(balance["land_cover"]) == set(sites) | set(classes)


def test_land_cover_of_no_site_is_refused():
    with pytest.raises(ValueError, match="at least one site"):
        land_covers.land_cover_balance([np.nan], land_cover([[1.0]]), land_cover([[1.0]]))


# --- readers, on made-up files ---------------------------------------------------------------------------------------


def srdb_file(folder: Path, rows: list[dict]) -> Path:
    """Write a made-up file with the columns of SRDB V5 that we read."""
    good = {
        "Study_number": 1,
        "Author": "Müller",
        "Country": "China",
        "Study_midyear": 2010.5,
        "Latitude": 33.0,
        "Longitude": 92.0,
        "Elevation": 4500,
        "Annual_coverage": 1,
        "Ecosystem_type": " Grassland",
        "Rs_annual": 500,
    }
    empty = ("Manipulation", "Quality_flag", "Duplicate_record", "Rh_annual", "NPP", "ANPP", "BNPP")
    frame = pd.DataFrame([dict.fromkeys(empty) | good | {"Record_number": i} | row for i, row in enumerate(rows)])
    path = folder / "srdb-data.csv"
    frame.to_csv(path, index=False, encoding="latin-1")
    return path


def test_srdb_record_becomes_one_row_a_variable(tmp_path):
    read = databases.read_srdb(srdb_file(tmp_path, [{"Rh_annual": 300, "NPP": 250}]), nowhere)
    assert read.set_index("variable")["value"].to_dict() == {"rs": 500.0, "rh": 300.0, "npp": 250.0}
    row = read.iloc[0]
    assert (row["vegetation"], row["year"], row["site"]) == ("Grassland", 2010.0, "33.00N 92.00E")
    assert row["reference"] == "Müller (SRDB study 1)"


def test_srdb_npp_is_total_or_the_sum_of_both_parts_but_never_one_part(tmp_path):
    rows = [{"NPP": 250, "ANPP": 90}, {"ANPP": 90, "BNPP": 110}, {"ANPP": 90}, {"BNPP": 110}]
    read = databases.read_srdb(srdb_file(tmp_path, rows), nowhere)
    npp = read[read["variable"] == "npp"]
    assert npp["value"].tolist() == [250.0, 200.0]
    assert npp["belowground_share"].iloc[1] == pytest.approx(0.55)


@pytest.mark.parametrize(("text", "treatment"), [(None, "none"), ("None", "none"), ("Warmed", "Warmed")])
def test_srdb_manipulation_empty_or_none_is_unmanipulated(tmp_path, text, treatment):
    read = databases.read_srdb(srdb_file(tmp_path, [{"Manipulation": text}]), nowhere)
    assert read["treatment"].tolist() == [treatment]


def test_srdb_flag_of_a_figure_excludes_respiration_but_not_npp(tmp_path):
    rows = [{"NPP": 250, "Quality_flag": "Q01"}, {"NPP": 260, "Quality_flag": "Q01, Q11"}]
    read = databases.read_srdb(srdb_file(tmp_path, rows), nowhere)
    assert read[read["variable"] == "npp"]["quality"].tolist() == ["", "Q11"]
    assert read[read["variable"] == "rs"]["quality"].tolist() == ["Q01", "Q01, Q11"]


def test_srdb_duplicate_record_is_a_possible_duplicate(tmp_path):
    read = databases.read_srdb(srdb_file(tmp_path, [{}, {"Duplicate_record": 5961}]), nowhere)
    assert read["possible_duplicate"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("row", "contains", "rule", "expected"),
    [
        ({}, nowhere, True, True),
        ({}, nowhere, False, False),
        ({}, everywhere, False, True),
        ({"Elevation": 2500}, nowhere, True, True),
        ({"Elevation": 2499}, nowhere, True, False),
        ({"Elevation": None}, nowhere, True, False),
        ({"Longitude": 110.0}, nowhere, True, False),
        ({"Latitude": None}, everywhere, True, False),
    ],
)
def test_srdb_on_plateau_by_boundary_or_by_box_and_elevation(tmp_path, row, contains, rule, expected):
    read = databases.read_srdb(srdb_file(tmp_path, [row]), contains, elevation_rule=rule)
    assert read["on_plateau"].tolist() == [expected]


def test_srdb_keeps_neighbours_on_the_plateau_and_china_without_coordinates(tmp_path):
    rows = [
        {"Country": "India"},
        {"Country": "India", "Elevation": 300},
        {"Latitude": None, "Longitude": None},
    ]
    read = databases.read_srdb(srdb_file(tmp_path, rows), nowhere)
    assert read["record"].tolist() == ["SRDB 0", "SRDB 2"]
    assert read["site"].tolist()[1] == "SRDB 2"


def michaletz_file(folder: Path) -> Path:
    path = folder / "Michaletz2014.csv"
    path.write_text(
        "Index,Lat,Long,NPPTotal_gm2y,BiomeSource,Source\n"
        "1,31.0,101.0,800,spruce forest,Luo (1996); Ni et al. (2001)\n"
        "2,50.0,5.0,1304,beech forest,Cannell (1982)\n"
    )
    return path


def test_michaletz_dry_matter_becomes_carbon_and_only_china_stays(tmp_path):
    read = databases.read_michaletz(michaletz_file(tmp_path), nowhere)
    assert read["value"].tolist() == [400.0]
    assert read[["unit", "vegetation"]].iloc[0].tolist() == ["g dry matter m-2 yr-1", "Forest: spruce forest"]


def sun_file(folder: Path) -> Path:
    path = folder / "sun.csv"
    path.write_text(
        "entry_id,country,longitude,latitude,elevation_srtm_m,veg_type,npp_gDM_m2_yr,bnpp_fraction,flag\n"
        "1,China,91.7,31.9,4656,Alpine meadow,200,0.6,\n"
        "2,China,91.8,31.9,4656,Alpine meadow,2000,0.95,\n"
        "3,China,91.9,31.9,4656,Alpine meadow,,,\n"
        "4,China,92.0,31.9,4656,Alpine meadow,300,0.6,code _FI: a treated plot\n"
        "5,China,92.1,31.9,4656,Alpine meadow,400,0.6,coordinate may be the middle of a range\n"
        "6,India,79.7,30.2,3125,Alpine meadow,500,0.6,\n"
    )
    return path


def test_sun_entries_pass_or_fail_by_total_share_and_treatment(tmp_path):
    used, flow = obs.quality_control(SCHEMA.validate(databases.read_sun2022(sun_file(tmp_path), nowhere)))
    assert used.set_index("record")["value"].to_dict() == pytest.approx({"Sun 1": 90.0, "Sun 5": 180.0})
    assert excluded(flow) == {"value given": 1, "unmanipulated": 1, "production, not biomass": 1}
    assert used["note"].tolist() == ["", "coordinate may be the middle of a range"]


def test_open_databases_come_as_one_table_with_duplicates_told_across_them(tmp_path):
    srdb = srdb_file(tmp_path, [{"Longitude": 101.0, "Latitude": 31.0, "NPP": 401}])
    raw = tables.read_open(srdb=srdb, michaletz=michaletz_file(tmp_path), sun=sun_file(tmp_path), contains=nowhere)
    assert set(raw["source"]) == {"SRDB V5", "Michaletz 2014", "Sun 2022"}
    assert raw[raw["possible_duplicate"]]["source"].tolist() == ["Michaletz 2014"]


def test_pairs_of_rs_and_rh_pass_or_fail_by_each_rule(tmp_path):
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
    srdb = databases.srdb_records(srdb_file(tmp_path, rows))
    assert databases.rs_rh_pairs(srdb)["rh"].tolist() == [300.0, 500.0]
    flow = databases.rs_rh_flow(srdb)
    assert flow["n"].tolist() == [8, 7, 6, 4, 3, 2]
    assert flow["excluded"].tolist() == [0, 1, 1, 2, 1, 1]


def test_pairs_average_to_one_a_site():
    pairs = pd.DataFrame(
        {"site": ["a", "a", "b"], "longitude": 90.0, "latitude": 33.0, "rs": [100.0, 300.0, 50.0], "rh": [50.0, 70, 20]}
    )
    means = databases.pair_site_means(pairs).set_index("site")
    assert means.loc["a", ["rs", "rh", "n_records"]].tolist() == [200.0, 60.0, 2]
    assert len(means) == 2


# --- a table of your own ---------------------------------------------------------------------------------------------


def test_the_example_table_is_in_the_schema():
    read = tables.read_table(ROOT / "data" / "observations" / "example_npp.csv")
    assert len(obs.quality_control(read)[0]) == 2


def test_a_table_may_leave_out_what_has_a_default(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "variable,site,longitude,latitude,year,value,unit,source,in_china\n"
        "rs,Camp,92,33,,512.5,g C m-2 yr-1,mine,TRUE\n"
    )
    read = tables.read_table(path, contains=everywhere).iloc[0]
    assert (read["treatment"], read["quality"], read["possible_duplicate"], read["on_plateau"]) == (
        "none",
        "",
        False,
        True,
    )
    assert np.isnan(read["year"])


def test_a_table_written_from_the_schema_reads_back_the_same(tmp_path):
    raw = table(3, year=[2001.0, np.nan, 2003.0])
    raw.to_csv(tmp_path / "out.csv", index=False)
    pd.testing.assert_frame_equal(tables.read_table(tmp_path / "out.csv"), raw)


# --- documented facts of the real databases --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_files(real_data):
    from helpers.data import catalog, region

    boundary = region.read_boundary(catalog.fetch("boundary")["DBATP_Polygon.shp"])
    return {
        "srdb": catalog.fetch("srdb")["srdb-data.csv"],
        "michaletz": catalog.fetch("michaletz2014")["Michaletz2014.csv"],
        "sun": ROOT / "data" / "observations" / "sun2022_grassland_npp.csv",
        "contains": lambda longitude, latitude: region.contains(boundary, longitude, latitude),
    }


@pytest.fixture(scope="module")
def raw_open(open_files):
    return tables.read_open(**open_files)


@pytest.mark.real_data
def test_the_papers_62_soil_respiration_records_are_found(raw_open):
    used, flow = obs.quality_control(raw_open, domain="plateau")
    rs = used[used["variable"] == "rs"]
    assert flow[flow["variable"] == "rs"]["n"].iloc[-1] == len(rs) == 62
    assert len(rs[["longitude", "latitude"]].drop_duplicates()) == 20
    assert rs["site"].nunique() == 19
    assert rs["value"].mean() == pytest.approx(819.2, abs=0.1)


@pytest.mark.real_data
def test_58_of_them_lie_inside_the_boundary(open_files):
    used, _ = obs.quality_control(tables.read_open(**open_files, elevation_rule=False), domain="plateau")
    assert (used["variable"] == "rs").sum() == 58


@pytest.mark.real_data
def test_site_means_of_rs_and_rh_give_the_papers_line_and_records_a_flatter_one(open_files):
    pairs = databases.rs_rh_pairs(databases.srdb_records(open_files["srdb"]))
    means = databases.pair_site_means(pairs)
    assert len(means) == 53
    slope, intercept = np.polyfit(means["rs"], means["rh"], 1)
    assert slope == pytest.approx(0.617, abs=0.0005)
    assert intercept == pytest.approx(9.955, abs=0.005)
    assert np.corrcoef(means["rs"], means["rh"])[0, 1] ** 2 == pytest.approx(0.775, abs=0.0005)
    assert 0.54 <= np.polyfit(pairs["rs"], pairs["rh"], 1)[0] <= 0.59


@pytest.mark.real_data
def test_npp_on_the_plateau_is_forest_mostly_and_fewer_than_the_papers_394(raw_open):
    used, _ = obs.quality_control(raw_open, domain="plateau")
    summary = obs.summarise(used[used["variable"] == "npp"])
    assert summary.set_index(["source", "formation"])["n"].to_dict() == {
        ("Michaletz 2014", "Forest"): 186,
        ("SRDB V5", "Grassland"): 2,
        ("Sun 2022", "Grassland"): 27,
    }


def test_root_biomass_taken_for_production_is_left_out_of_the_grassland_table():
    read = databases.read_sun2022(ROOT / "data" / "observations" / "sun2022_grassland_npp.csv", nowhere)
    _, flow = obs.quality_control(read)
    counts = flow.set_index("step")["excluded"]
    assert flow["n"].iloc[0] == 234
    assert (counts["value given"], counts["production, not biomass"]) == (20, 19)


def test_srdb_tells_how_much_of_the_year_was_measured(tmp_path):
    read = databases.read_srdb(srdb_file(tmp_path, [{"Annual_coverage": 0.4}, {"Annual_coverage": None}]), nowhere)
    assert read["annual_coverage"].tolist() == [pytest.approx(0.4), pytest.approx(np.nan, nan_ok=True)]
