"""Records that contradict their place, and fluxes that were published twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from made_places import GRID
from made_records import records

from helpers.config import load_config
from helpers.sites import places, quality

STRICT = load_config("open")
AS_PUBLISHED = load_config("open", {"site_checks": "as_published"})


def cube(elevation: float = 4000.0, temperature: float = 0.0, precipitation: float = 400.0) -> xr.Dataset:
    """Make a cube of the same values everywhere; temperature in two years, one degree warmer and colder."""
    axes = {"latitude": np.arange(50.0, 20.0, -1.0), "longitude": np.arange(75.0, 130.0, 1.0)}
    flat = np.ones((30, 55))
    yearly = ("time", *axes), np.stack([flat * (temperature - 1), flat * (temperature + 1)])
    layers = {"elevation": (tuple(axes), flat * elevation), "temperature": yearly}
    layers["precipitation"] = (tuple(axes), flat * precipitation)
    return xr.Dataset(layers, axes | {"time": pd.DatetimeIndex(["2000-01-01", "2001-01-01"])})


def own(n: int = 1, **columns) -> pd.DataFrame:
    """Make records with what their authors say of the place, honest unless replaced."""
    honest = {"own_elevation": 4000.0, "own_temperature": 0.0, "own_precipitation": 400.0, "country": "China"}
    columns = honest | columns
    said = {name: columns.pop(name) for name in honest}
    return records(n, **columns).assign(**said)


@pytest.mark.parametrize(
    ("column", "value", "conflict"),
    [
        ("own_elevation", 5500.0, ""),
        ("own_elevation", 5501.0, "elevation"),
        ("own_elevation", 2500.0, ""),
        ("own_elevation", 2499.0, "elevation"),
        ("own_temperature", 6.0, ""),
        ("own_temperature", 6.1, "temperature"),
        ("own_temperature", -6.0, ""),
        ("own_temperature", -6.1, "temperature"),
        ("own_precipitation", 1000.0, ""),
        ("own_precipitation", 1001.0, "precipitation"),
        ("own_precipitation", 160.0, ""),
        ("own_precipitation", 159.0, "precipitation"),
        ("own_precipitation", 0.0, ""),
        ("country", "India", "country"),
        ("country", "", ""),
        ("own_elevation", np.nan, ""),
    ],
)
def test_a_contradiction_is_more_than_the_limit_at_either_side(column, value, conflict):
    found = places.check_places(own(**{column: value}), cube(), STRICT).iloc[0]
    assert (found["conflict"], found["conflicts"]) == (conflict, int(conflict != ""))


@pytest.mark.parametrize(
    ("setting", "value", "column", "said"),
    [
        ("place_elevation_m", 1400, "own_elevation", 5450.0),
        ("place_temperature_k", 5, "own_temperature", 5.5),
        ("place_precipitation_ratio", 2, "own_precipitation", 900.0),
    ],
)
def test_each_limit_is_a_setting(setting, value, column, said):
    record = own(**{column: said})
    assert places.check_places(record, cube(), STRICT)["conflicts"].tolist() == [0]
    assert places.check_places(record, cube(), load_config("open", {setting: value}))["conflicts"].tolist() == [1]


def test_a_table_that_says_nothing_of_its_places_contradicts_nothing():
    assert places.check_places(records(3), cube(), STRICT)["conflicts"].tolist() == [0, 0, 0]


def test_a_record_off_the_grid_has_no_cell_to_contradict():
    found = places.check_places(own(longitude=[134.0], latitude=[48.0], own_elevation=9000.0), cube(), STRICT)
    assert found["conflicts"].tolist() == [0] and found["cell_elevation"].isna().all()


@pytest.mark.parametrize(
    ("place", "country", "contradicts"),
    [
        ((91.1, 29.7), "China", False),  # Lhasa
        ((85.3, 25.6), "China", True),  # Patna, 200 km from the border
        ((85.3, 25.6), "India", False),
        ((91.1, 29.7), "Nepal", True),
        ((85.98, 27.97), "Nepal", False),  # Zhangmu, where the border is nearer than it is precise
        ((121.0, 23.7), "China", False),  # SRDB counts Taiwan so
    ],
)
def test_a_country_contradicts_coordinates_that_lie_well_beyond_its_border(place, country, contradicts):
    found = places.check_places(own(longitude=place[0], latitude=place[1], country=country), cube(), STRICT)
    assert found["conflict"].tolist() == ["country" if contradicts else ""]


def test_two_contradictions_leave_a_record_out_and_one_is_listed():
    table = own(3, own_elevation=[4000.0, 2000.0, 2000.0], own_temperature=[0.0, 0.0, 12.0])
    checked = places.check_records(table, cube(), STRICT)
    assert checked["left_out"].tolist() == ["", "", "place"]
    assert places.listed(checked).index.tolist() == [1, 2]


def twice(**columns) -> list[str]:
    """Return which of two records of two studies, nearby and of one flux, is left out, with columns replaced."""
    same = {"reference": ["first", "second"], "longitude": [91.0, 91.2], "value": [1000.0, 1000.5], "year": 2010.0}
    table = records(2, **(same | columns))
    return places.republications(table, pd.Series(0, table.index), STRICT).tolist()


def test_a_flux_under_another_study_nearby_was_published_twice_and_the_first_stays():
    assert twice() == ["", "site 0"]


@pytest.mark.parametrize(
    ("columns", "repeats"),
    [
        ({"value": [1000.0, 1001.0]}, True),
        ({"value": [1000.0, 1001.1]}, False),
        ({"value": [1001.0, 1000.0]}, True),
        ({"longitude": [91.0, 91.7]}, True),
        ({"longitude": [91.0, 91.71]}, False),
        ({"latitude": [33.0, 33.7]}, True),
        ({"latitude": [33.0, 33.71]}, False),
        ({"longitude": [91.0, 91.0]}, True),
        ({"year": [2010.0, 2011.0]}, True),
        ({"year": [2010.0, 2012.0]}, False),
        ({"year": [2010.0, np.nan]}, True),
        ({"variable": ["npp", "rs"]}, False),
        ({"reference": "first"}, True),
        ({"reference": "first", "source": ["a", "b"], "longitude": 91.0}, True),
        ({"reference": "first", "longitude": 91.0}, False),
        ({"reference": "first", "year": [2010.0, np.nan]}, False),
    ],
)
def test_one_measurement_is_near_in_value_place_and_year(columns, repeats):
    assert twice(**columns) == ["", "site 0" if repeats else ""]


def test_share_and_distance_are_settings():
    table = records(2, reference=["a", "b"], longitude=[91.0, 92.0], value=[1000.0, 1004.0])
    none = pd.Series(0, table.index)
    wider = load_config("open", {"republication_share": 0.005, "republication_degrees": 1.0})
    assert places.republications(table, none, STRICT).tolist() == ["", ""]
    assert places.republications(table, none, wider).tolist() == ["", "site 0"]


def test_of_one_measurement_the_record_with_the_fewest_contradictions_stays():
    table = own(2, reference=["a", "b"], longitude=[91.0, 91.2], value=500.0, own_temperature=[9.0, 0.0])
    checked = places.check_records(table.assign(record=["A 1", "B 2"]), cube(), STRICT)
    assert checked["republication_of"].tolist() == ["B 2", ""]
    assert checked["left_out"].tolist() == ["first publication", ""]


def test_a_pair_of_rs_and_rh_is_one_measurement_if_its_rs_is():
    table = records(2, variable="rs", reference=["a", "b"], longitude=[91.0, 91.2], value=500.0)
    pairs = table.rename(columns={"value": "rs"}).assign(variable="rs_rh", rh=[300.0, 200.0])
    assert places.check_records(pairs, cube(), STRICT)["left_out"].tolist() == ["", "first publication"]


@st.composite
def scattered(draw) -> pd.DataFrame:
    """Draw records of few values, places, years and studies, so that many agree."""
    n = draw(st.integers(1, 14))

    def column(*values):
        return draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))

    return own(
        n,
        variable=column("npp", "rs"),
        value=column(500.0, 500.4, 500.8, 700.0),
        longitude=column(90.0, 90.5, 91.0),
        year=column(2010.0, 2011.0, np.nan),
        reference=column("a", "b", "c"),
        own_temperature=column(0.0, 10.0, np.nan),
        own_elevation=column(4000.0, 1000.0),
    )


@settings(max_examples=30)
@given(scattered(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_decides_only_which_of_equal_records_stays(table, random):
    order = list(table.index)
    random.shuffle(order)
    one, other = (places.check_records(rows, cube(), STRICT) for rows in (table, table.loc[order]))
    pd.testing.assert_series_equal(one["conflicts"], other["conflicts"].sort_index())
    for reason in ("place", "first publication"):
        left = [
            checked[checked["left_out"] == reason].groupby(["variable", "conflicts"]).size() for checked in (one, other)
        ]
        pd.testing.assert_series_equal(*left)


@settings(max_examples=30)
@given(scattered())
def test_what_is_kept_holds_no_repetition_and_the_flow_counts_the_rest(table):
    used, flow = quality.quality_control(table, GRID)
    checked = places.check_records(used, cube(), STRICT)
    kept, flow = places.leave_out(used, flow, checked, STRICT)
    again = places.republications(kept, checked.loc[kept.index, "conflicts"], STRICT)
    assert (again == "").all() and (checked.loc[kept.index, "left_out"] == "").all()
    for group, steps in flow.groupby(["variable", "source"]):
        assert steps["n"].iloc[0] - steps["excluded"].sum() == steps["n"].iloc[-1]
        assert steps["n"].iloc[-1] == (kept[["variable", "source"]] == group).all(axis=1).sum()


def test_as_published_everything_stays_and_the_flow_says_so():
    table = own(2, own_elevation=1000.0, own_temperature=20.0, value=500.0, reference=["a", "b"])
    used, flow = quality.quality_control(table, GRID)
    kept, flow = places.leave_out(used, flow, places.check_records(used, cube(), STRICT), AS_PUBLISHED)
    pd.testing.assert_frame_equal(kept, used)
    assert flow["excluded"].sum() == 0
    assert flow["reason"].iloc[-2:].str.contains("as_published").all()


def test_records_of_a_part_of_the_table_are_left_out_by_the_check_of_the_whole():
    table = own(3, own_elevation=[1000.0, 4000.0, 1000.0], own_temperature=20.0)
    used, flow = quality.quality_control(table, GRID)
    checked = places.check_records(used, cube(temperature=20.0), STRICT).assign(left_out=["place", "", "place"])
    kept, _ = places.leave_out(used.iloc[1:], flow, checked, STRICT)
    assert kept.index.tolist() == [1]


# --- real files ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(real_data):
    """Return the real observations, the cube, and the check of what passes quality control."""
    from opened import real_world

    here = real_world()
    used, _ = quality.quality_control(here.observations, GRID)
    return here, used, places.check_records(used, here.cube, STRICT)


@pytest.mark.real_data
def test_the_misplaced_records_of_srdb_are_found_by_rule(real):
    here, _, checked = real
    misplaced = checked[checked["left_out"] == "place"].set_index("record")["conflicts"]
    assert misplaced.to_dict() == {"SRDB 9960": 3, "SRDB 3788": 2}
    flagged = here.observations[here.observations["record"].isin([f"SRDB {n}" for n in range(5516, 5521)])]
    assert places.check_places(flagged, here.cube, STRICT)["conflicts"].tolist() == [2] * len(flagged) != []


@pytest.mark.real_data
def test_the_republished_records_of_the_plateau_are_found_and_the_better_placed_ones_stay(real):
    _, _, checked = real
    again = checked[(checked["left_out"] == "first publication") & checked["in_region"]]
    pairs = again.set_index("record")["republication_of"].str.removeprefix("SRDB ").astype(int)
    expected = {7055: 5990, 7056: 5991, 7058: 5993, 7268: 5521, 7269: 5522, 7270: 5523}
    assert pairs.to_dict() == {f"SRDB {number}": first for number, first in expected.items()}


@pytest.mark.real_data
def test_of_62_records_of_rs_54_are_left_and_as_published_62(real):
    _, used, checked = real
    flow = quality.quality_control(used, GRID)[1]
    for settings_, n in ((STRICT, 54), (AS_PUBLISHED, 62)):
        kept, _ = places.leave_out(used, flow, checked, settings_)
        assert ((kept["variable"] == "rs") & kept["in_region"]).sum() == n
