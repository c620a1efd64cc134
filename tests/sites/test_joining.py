"""Tables of your own among the records of a world: units, sites, pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_places import GRID
from made_records import records

from helpers.errors import DataError
from helpers.sites.joining import join
from helpers.sites.quality import aggregate, control_pairs, quality_control
from helpers.sites.tables import OwnTable

NO_PAIRS = pd.DataFrame(columns=["site", "variable", "source", "rs", "rh", "annual_coverage", "treatment", "quality"])


def world(n: int = 40) -> pd.DataFrame:
    """Return records of NPP of meadows (200 to 590) and of woods (600 to 990), and of Rs, on places of their own."""
    npp = records(n, longitude=80 + np.arange(n) / 10, value=200.0 + 20 * np.arange(n))
    npp["vegetation"] = np.where(npp["value"] < 600, "Grassland: meadow", "Forest")
    return pd.concat([npp, npp.assign(variable="rs")], ignore_index=True)


def table(name: str, n: int = 1, **columns) -> OwnTable:
    """Return a table of your own under a name."""
    given = {"site": [f"own {i}" for i in range(n)], "longitude": 100.0 + np.arange(n), "source": name} | columns
    return OwnTable(Path(f"{name}.csv"), records(n, **given).assign(annual_coverage=1.0), (f"{name}.csv: read",))


def test_without_own_tables_nothing_changes():
    observations, pairs = world(), NO_PAIRS.copy()
    joined = join(observations, pairs, [], GRID)
    assert joined.observations is observations and joined.pairs is pairs and joined.notes == ()


def test_records_and_notes_of_all_tables_are_there():
    joined = join(world(), NO_PAIRS, [table("a"), table("b", longitude=[101.0], site=["other"])], GRID)
    assert joined.observations["source"].tolist()[-2:] == ["a", "b"] and len(joined.observations) == 82
    assert joined.notes == ("a.csv: read", "b.csv: read")


def test_a_table_that_is_named_twice_is_refused(tmp_path):
    again = OwnTable(tmp_path / ".." / tmp_path.name / "a.csv", records(), ())
    with pytest.raises(DataError, match=r"a\.csv: named twice in extra_observations"):
        join(world(), NO_PAIRS, [OwnTable(tmp_path / "a.csv", records(), ()), again], GRID)


# kind: values in another unit


def unit_notes(**columns) -> list[str]:
    """Return what is asked about the units of a table of three values."""
    joined = join(world(), NO_PAIRS, [table("mine", 3, **columns)], GRID)
    return [note for note in joined.notes if "check units?" in note]


@pytest.mark.parametrize(
    ("factor", "vegetation", "unit"),
    [
        (1 / 0.45, "Grassland: steppe", "multiply by 0.45 for herbs"),
        (1 / 0.5, "Grassland", "multiply by 0.5 for wood"),
        (44 / 12, "Grassland", "multiply by 12/44"),
        (1 / 0.45, "", "multiply by 0.45 for herbs"),
    ],
)
def test_a_median_like_that_of_another_unit_is_asked_about(factor, vegetation, unit):
    usual = {"Grassland": 390, "Forest": 790, "": 590}[vegetation.split(":")[0]]
    (note,) = unit_notes(value=np.array([0.9, 1.0, 1.1]) * usual * factor, vegetation=vegetation)
    assert note.startswith("mine.csv: check units? The median of npp, ") and unit in note
    assert f"is {factor:.2g} times" in note


@pytest.mark.parametrize("ratio", [0.6, 1.0, 1.6, 3.0])
def test_an_honest_median_is_not_asked_about(ratio):
    assert unit_notes(value=np.array([0.9, 1.0, 1.1]) * 390 * ratio, vegetation="Grassland") == []


@pytest.mark.parametrize(
    ("ratio", "asked"), [(44 / 12 * 1.08, True), (44 / 12 * 1.13, False), (4.9, False), (5.1, True), (0.19, True)]
)
def test_a_median_is_asked_about_near_a_unit_or_far_from_the_usual(ratio, asked):
    values = np.array([1.0, 1.0, 1.0]) * 390 * ratio
    values[0] = 390  # within the world's, so that the table is not refused
    assert bool(unit_notes(value=values, vegetation="Grassland")) == asked


@pytest.mark.parametrize(("number", "asked"), [(9, False), (10, True)])
def test_a_formation_of_few_records_is_not_compared_alone(number, asked):
    observations = world().query("variable == 'npp'")
    observations["vegetation"] = ["Herbs"] * number + ["Forest"] * (40 - number)
    usual = observations["value"].iloc[:number].median()
    joined = join(observations, NO_PAIRS, [table("mine", 3, value=usual / 0.45, vegetation="Herbs")], GRID)
    assert any("check units?" in note for note in joined.notes) == asked


def test_of_two_records_or_of_manipulated_ones_no_unit_is_asked():
    assert join(world(), NO_PAIRS, [table("mine", 2, value=[1180.0, 1180.0])], GRID).notes == ("mine.csv: read",)
    assert unit_notes(value=1180.0, treatment="warmed") == []


def test_a_flux_that_the_world_lacks_is_compared_with_none():
    assert unit_notes(variable="rh", value=12.0) == []


@pytest.mark.parametrize(("value", "unit"), [(12.0, "t dry matter ha-1"), (2600.0, "kg C ha-1 yr-1")])
def test_a_table_wholly_beyond_the_world_and_far_off_is_refused(value, unit):
    low = world().query("value < 400").assign(vegetation="")
    with pytest.raises(
        DataError, match=r"mine\.csv: column value: .* \(3 records\).* every value lies beyond"
    ) as caught:
        join(low, NO_PAIRS, [table("mine", 3, value=value)], GRID)
    assert unit in str(caught.value)


@pytest.mark.parametrize(
    ("values", "vegetation", "said"),
    [
        ([12.0, 14.0, 250.0], "Grassland", "is 0.036 times"),
        ([79.0, 79.0, 250.0], "Forest", "is 0.1 times that of this world's 20 records of its kind, as values would be"),
    ],
)
def test_a_table_that_reaches_into_the_world_is_asked_about_and_not_refused(values, vegetation, said):
    (note,) = unit_notes(value=values, vegetation=vegetation)
    assert said in note


# kind: one name, several places


def test_one_name_at_two_places_is_two_sites():
    one = table("a", site=["1"], longitude=[91.0], latitude=31.0, value=100.0)
    other = table("b", site=["1"], longitude=[101.0], latitude=35.0, value=700.0)
    joined = join(world(), NO_PAIRS, [one, other], GRID)
    means = aggregate(quality_control(joined.observations, GRID)[0], "site_mean").tail(2)
    assert means[["longitude", "latitude", "value"]].to_numpy().tolist() == [[91, 31, 100], [101, 35, 700]]
    assert "b.csv: a site of the same name lies elsewhere: '1' is '1 (b)' here" in joined.notes


def test_a_name_of_the_world_elsewhere_is_another_site():
    joined = join(world(), NO_PAIRS, [table("a", site=["site 3"])], GRID)
    assert joined.observations["site"].iloc[-1] == "site 3 (a)"


def test_one_name_at_one_place_is_one_site_in_all_tables():
    here = {"site": ["camp"], "longitude": [92.004]}
    near = here | {"longitude": [91.996]}
    joined = join(world(), NO_PAIRS, [table("a", **here), table("b", **near)], GRID)
    assert joined.observations["site"].tolist()[-2:] == ["camp", "camp"]
    assert joined.notes == ("a.csv: read", "b.csv: read")


def test_two_names_at_one_place_are_two_sites_and_told():
    tables = [table("a", site=["camp"], longitude=[92.0]), table("b", site=["meadow"], longitude=[92.0])]
    joined = join(world(), NO_PAIRS, tables, GRID)
    assert joined.observations["site"].tolist()[-2:] == ["camp", "meadow"]
    assert "two sites: 'meadow' at that of 'camp' of a.csv" in joined.notes[-1]


def test_a_place_of_the_world_under_another_name_is_told():
    note = join(world(), NO_PAIRS, [table("a", longitude=[80.3])], GRID).notes[-1]
    assert "'own 0' at that of 'site 3' of this world's records" in note


def test_tables_of_one_name_in_two_folders_have_sites_of_their_own():
    tables = [
        OwnTable(Path(folder) / "a.csv", records(site=["1"], longitude=[place]).assign(annual_coverage=1.0), ())
        for folder, place in (("x", 91.05), ("y", 95.05), ("z", 99.05))
    ]
    assert join(world(), NO_PAIRS, tables, GRID).observations["site"].nunique() == 43


# kind: own Rh


def both(name: str = "own", **columns) -> OwnTable:
    """Return a table with Rs (800, 900) and Rh (400, 450) of two sites, some columns replaced."""
    given = {"variable": ["rs", "rh"] * 2, "site": ["h0", "h0", "h1", "h1"], "longitude": [92.0, 92.0, 93.0, 93.0]}
    return table(name, 4, **(given | {"value": [800.0, 400.0, 900.0, 450.0]} | columns))


def test_own_rs_and_rh_of_one_site_and_year_are_a_pair():
    joined = join(world(), NO_PAIRS, [both()], GRID)
    used, _ = control_pairs(joined.pairs.assign(longitude=92.0, latitude=33.0))
    assert used[["site", "rs", "rh"]].to_numpy().tolist() == [["h0", 800, 400], ["h1", 900, 450]]
    assert list(joined.pairs) == list(NO_PAIRS) and set(joined.pairs["variable"]) == {"rs_rh"}
    assert joined.notes[-1] == "rh of your tables: 2 of 2 records join the pairs of Rs and Rh (2 pairs)"


@pytest.mark.parametrize(
    "columns",
    [
        {"year": [2010, 2011, 2010, 2010]},
        {"year": [np.nan, np.nan, 2010, 2010]},
        {"treatment": ["none", "warmed", "none", "none"]},
        {"quality": ["", "Q", "", ""]},
        {"in_surroundings": [False, False, True, True]},
        {"variable": ["rh", "rh", "rs", "rh"]},
    ],
)
def test_rh_without_its_rs_is_counted_as_such(columns):
    joined = join(world(), NO_PAIRS, [both(**columns)], GRID)
    every = joined.observations["variable"].eq("rh").sum()
    assert joined.pairs["site"].tolist() == ["h1"]
    assert f"1 of {every} records join" in joined.notes[-1] and "only counted" in joined.notes[-1]


def test_plots_of_one_site_and_year_are_one_pair_of_their_means():
    given = {"variable": ["rs", "rs", "rh", "rh"], "site": ["h0"] * 4, "longitude": 92.0}
    (pair,) = join(world(), NO_PAIRS, [both(value=[800.0, 900.0, 400.0, 500.0], **given)], GRID).pairs.itertuples()
    assert (pair.rs, pair.rh) == (850, 450)


def test_rs_and_rh_in_two_tables_are_a_pair_too():
    rs, rh = (
        OwnTable(Path(f"{name}.csv"), both().records.query("variable == @name").reset_index(drop=True), ())
        for name in ("rs", "rh")
    )
    assert len(join(world(), NO_PAIRS, [rs, rh], GRID).pairs) == 2


@pytest.mark.parametrize(("coverage", "expected"), [([1.0, 0.4, 1.0, 1.0], 0.4), ([np.nan, 0.9, 1.0, 1.0], np.nan)])
def test_a_pair_was_measured_as_long_as_the_shorter_of_its_two(coverage, expected):
    own = both()
    long = OwnTable(own.path, own.records.assign(annual_coverage=coverage), ())
    pairs = join(world(), NO_PAIRS, [long], GRID).pairs
    np.testing.assert_equal(pairs["annual_coverage"].tolist(), [expected, 1.0])
    assert len(control_pairs(pairs.assign(longitude=92.0, latitude=33.0))[0]) == 1


def test_pairs_of_the_world_stay_as_they_are():
    pairs = pd.DataFrame({"site": ["w"], "variable": "rs_rh", "source": "db", "rs": [500.0], "rh": [300.0]})
    joined = join(world(), pairs, [both()], GRID).pairs
    pd.testing.assert_frame_equal(joined.iloc[:1], pairs)
    assert len(joined) == 3
