"""Quality control of observations, their repetitions, aggregation and counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_places import GRID
from made_records import excluded, records

from helpers.errors import DataError
from helpers.sites import quality
from helpers.sites.schema import SCHEMA

# --- quality control -------------------------------------------------------------------------------------------------


def test_good_observations_all_pass():
    raw = records(5)
    used, flow = quality.quality_control(raw, GRID)
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
    used, flow = quality.quality_control(records(3, **columns), GRID)
    assert list(used.index) == [0, 2]
    assert excluded(flow) == {step: 1}


@pytest.mark.parametrize(("variable", "bound"), [("npp", 3000.0), ("rs", 5000.0), ("rh", 3000.0)])
def test_each_variable_has_its_own_bound_which_itself_is_plausible(variable, bound):
    used, _ = quality.quality_control(records(2, variable=variable, value=[bound, bound + 0.5]), GRID)
    assert used["value"].tolist() == [bound]


def test_a_place_outside_the_grid_either_way_round_is_out_of_range_and_not_exchanged():
    _, flow = quality.quality_control(records(1, longitude=60.0, latitude=60.0), GRID)
    assert excluded(flow) == {"coordinates in range": 1}


@pytest.mark.parametrize(("longitude", "latitude"), [(73.0, 18.0), (136.0, 54.0)])
def test_the_corners_of_the_grid_are_in_it(longitude, latitude):
    assert len(quality.quality_control(records(1, longitude=longitude, latitude=latitude), GRID)[0]) == 1


@pytest.mark.parametrize("place", [(72.9, 30.0), (136.1, 30.0), (90.0, 17.9), (90.0, 54.1)])
def test_just_beyond_the_grid_is_out_of_range(place):
    _, flow = quality.quality_control(records(1, longitude=place[0], latitude=place[1]), GRID)
    assert excluded(flow) == {"coordinates in range": 1}


def test_a_table_without_below_ground_shares_has_no_root_biomass():
    raw = records(2).drop(columns="belowground_share", errors="ignore")
    assert len(quality.quality_control(raw, GRID)[0]) == 2


def test_flow_tells_variables_and_sources_apart():
    raw = records(4, variable=["npp", "npp", "rs", "rs"], source=["a", "b", "a", "a"], quality=["", "Q1", "Q1", "Q1"])
    _, flow = quality.quality_control(raw, GRID)
    assert flow.index.tolist() == list(range(len(flow)))
    last = flow.groupby(["variable", "source"])["n"].last()
    assert last.to_dict() == {("npp", "a"): 1, ("npp", "b"): 0, ("rs", "a"): 0}


def test_a_table_without_a_column_of_the_schema_is_refused():
    with pytest.raises(pandera.errors.SchemaError, match="treatment"):
        quality.quality_control(records(1).drop(columns="treatment"), GRID)


@st.composite
def messy(draw) -> pd.DataFrame:
    """Draw a table with any mixture of faults."""
    n = draw(st.integers(1, 12))

    def column(*values):
        return draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))

    return records(
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
        in_surroundings=column(True, False),
        in_region=column(True, False),
    )


@settings(max_examples=25)
@given(messy())
def test_quality_control_only_removes_rows_counts_each_and_finds_nothing_more_the_second_time(raw):
    used, flow = quality.quality_control(raw, GRID)
    pd.testing.assert_frame_equal(used, raw.loc[used.index])
    for (variable, source), steps in flow.groupby(["variable", "source"], sort=False):
        mine = (used["variable"] == variable) & (used["source"] == source)
        n = steps["n"].to_numpy()
        assert n[0] == ((raw["variable"] == variable) & (raw["source"] == source)).sum()
        assert n[-1] == mine.sum()
        np.testing.assert_array_equal(n[:-1] - n[1:], steps["excluded"].to_numpy()[1:])
    assert list(quality.quality_control(used, GRID)[0].index) == list(used.index)


# --- duplicates ------------------------------------------------------------------------------------------------------


def pair(**columns) -> pd.Series:
    """Tell which of two records of one place, year and value repeat the other, with columns replaced."""
    same = {"longitude": 91.0, "year": 2010.0, "value": 300.0}
    return quality.find_duplicates(records(2, **(same | columns))).tolist()


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
    assert pair(source=["a", "b"], year=[np.nan, 2010.0]) == [False, True]
    assert pair(source=["a", "b"], year=[np.nan, np.nan]) == [False, True]
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
    raw = records(2, longitude=91.0, value=300.0, treatment=["Warmed", "none"])
    used, _ = quality.quality_control(raw, GRID)
    assert list(used.index) == [1]


def test_quality_control_leaves_out_a_copy_that_the_table_does_not_tell_of():
    used, flow = quality.quality_control(records(2, longitude=91.0, value=300.0), GRID)
    assert list(used.index) == [0]
    assert excluded(flow) == {"no repetition": 1}


def test_three_copies_leave_one():
    assert quality.find_duplicates(records(3, longitude=91.0, value=300.0)).sum() == 2


# --- aggregation -----------------------------------------------------------------------------------------------------


def test_site_mean_and_median_of_a_site():
    raw = records(
        3, site="one", value=[100.0, 110.0, 300.0], year=[2001.0, 2002.0, 2003.0], longitude=[90.0, 90.0, 90.3]
    )
    mean, median = quality.aggregate(raw, "site_mean").iloc[0], quality.aggregate(raw, "site_median").iloc[0]
    assert (mean["value"], median["value"]) == pytest.approx((170.0, 110.0))
    assert mean["longitude"] == pytest.approx(90.1)
    assert mean["n_records"] == 3


def test_a_site_keeps_its_year_only_if_all_records_share_it():
    raw = records(4, site=["a", "a", "b", "b"], year=[2001.0, 2001.0, 2001.0, np.nan])
    assert quality.aggregate(raw, "site_mean").set_index("site")["year"].to_dict() == pytest.approx(
        {"a": 2001.0, "b": np.nan}, nan_ok=True
    )


def test_a_site_on_the_plateau_in_any_record_is_on_the_plateau():
    raw = records(2, site="a", in_region=[False, True], source=["x", "y"])
    site = quality.aggregate(raw, "site_mean").iloc[0]
    assert (site["in_region"], site["source"]) == (True, "x; y")


def test_rows_are_left_as_they_are():
    raw = records(3, site="one", belowground_share=0.5)
    pd.testing.assert_frame_equal(quality.aggregate(raw, "rows").drop(columns="n_records"), raw)


def test_variables_of_one_site_stay_apart():
    assert len(quality.aggregate(records(2, site="one", variable=["npp", "rs"]), "site_mean")) == 2


def test_unknown_aggregation_is_refused():
    with pytest.raises(DataError, match="aggregation is 'mean'; expected rows, site_mean or site_median"):
        quality.aggregate(records(1), "mean")


@settings(max_examples=25)
@given(messy(), st.sampled_from(["site_mean", "site_median"]))
def test_aggregation_keeps_every_site_once_and_stays_in_the_schema(raw, how):
    sites = SCHEMA.validate(quality.aggregate(raw, how))
    expected = raw[["variable", "site"]].drop_duplicates()
    assert sorted(map(tuple, sites[["variable", "site"]].to_numpy())) == sorted(map(tuple, expected.to_numpy()))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(1, 3000)), min_size=1, max_size=20))
def test_weighted_by_their_records_site_means_have_the_mean_of_the_rows(given_records):
    names, values = zip(*given_records, strict=True)
    raw = records(len(names), site=list(names), value=list(values))
    sites = quality.aggregate(raw, "site_mean")
    assert np.average(sites["value"], weights=sites["n_records"]) == pytest.approx(raw["value"].mean())


def test_summary_counts_by_formation_and_on_the_plateau():
    raw = records(
        3,
        vegetation=["Forest: spruce", "Forest", ""],
        site=["a", "a", "b"],
        value=[100.0, 300.0, 500.0],
        in_region=[True, False, True],
    )
    summary = quality.summarise(raw).set_index("formation")
    forest = summary.loc["Forest"]
    assert (forest["n"], forest["sites"], forest["n_region"], forest["mean_region_gC_m2_yr"]) == (2, 1, 1, 100.0)
    assert summary.loc["not stated", "sites_region"] == 1
