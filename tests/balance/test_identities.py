"""Laws that every run's numbers keep: each holds for sound input, and tells of input that was spoiled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.balance import budgets, identities
from helpers.data.grid import cell_area, target_grid
from helpers.errors import DataError

GRID = {"latitude": [36.5, 35.5, 34.5], "longitude": [90.5, 91.5]}
YEARS = pd.DatetimeIndex(["2001-01-01", "2002-01-01"], name="time")
AREA = cell_area(np.array(GRID["latitude"]), np.array(GRID["longitude"]))
REGION = xr.DataArray([[True, True], [True, True], [True, False]], GRID, ("latitude", "longitude"))
CLASSES = xr.DataArray([[10.0, 10.0], [16.0, 16.0], [5.0, np.nan]], GRID, ("latitude", "longitude"))


def yearly(values: np.ndarray) -> xr.DataArray:
    """Return six cells of two years, the second with a flux 20 larger, missing outside of the region."""
    flat = xr.DataArray(np.reshape(values, (3, 2)).astype("float32"), GRID, ("latitude", "longitude")).where(REGION)
    return xr.concat([flat, flat + 20], YEARS).rename("npp")


def balance(**changes: xr.DataArray) -> dict[str, xr.DataArray]:
    maps = {"npp": yearly(np.arange(100, 700, 100)), "rs": yearly(np.arange(300, 900, 100))} | changes
    maps = {"rh": 0.6 * maps["rs"]} | maps
    return {"nep": maps["npp"] - maps["rh"]} | maps


def without(field: xr.DataArray, row: int, column: int) -> xr.DataArray:
    """Return a field without the value of a cell in its second year."""
    there = xr.zeros_like(field, bool)
    there[1, row, column] = True
    return field.where(~there)


def fluxes() -> dict[str, xr.DataArray]:
    maps = balance()
    return {"NPP": maps["npp"], "Rh": maps["rh"], "NEP": maps["nep"]}


def deviations(checks: list[identities.Check]) -> list[float]:
    return [check.deviation for check in checks if not check.holds]


@pytest.mark.parametrize("chunks", [None, {"latitude": 2, "longitude": 1}])
def test_maps_of_one_chain_keep_all_laws(chunks):
    maps = balance() if chunks is None else {name: field.chunk(chunks) for name, field in balance().items()}
    checks = identities.of_maps(maps, REGION)
    assert len(checks) == 4 and identities.broken(checks) == "" and max(check.deviation for check in checks) == 0


NEP = balance()["nep"]
SPOILED = {
    "a flipped sign": ({"nep": -NEP}, "NEP is NPP - Rh", 2 * float(abs(NEP).max())),
    "one column": ({"nep": NEP.where(NEP.longitude > 91, NEP + 0.02)}, "NEP is NPP - Rh", 0.02),
    "years exchanged": ({"nep": NEP[::-1].assign_coords(time=YEARS)}, "NEP is NPP - Rh", 8.0),
    "a mask that was shifted": ({"nep": NEP.roll(longitude=1)}, "NEP is known where NPP and Rh are", 4.0),
    "a cell of NEP lost": ({"nep": without(NEP, 0, 0)}, "NEP is known where NPP and Rh are", 1.0),
    "a cell of Rs lost": ({"rh": balance()["rh"], "rs": without(balance()["rs"], 1, 1)}, "Rh is known only", 1.0),
    "NPP beyond the region": ({"npp": yearly(np.full(6, 9.0)).fillna(7.0)}, "nothing is known outside", 2.0),
}


@pytest.mark.parametrize("case", SPOILED)
@pytest.mark.parametrize("chunks", [None, 1])
def test_maps_that_were_spoiled_are_told_with_how_far_they_are_off(case, chunks):
    changes, law, off = SPOILED[case]
    maps = {name: field.chunk(chunks or -1) for name, field in balance(**changes).items()}
    found = [check for check in identities.of_maps(maps, REGION, "ours") if not check.holds]
    (named,) = [check for check in found if check.law.startswith(law)]
    assert named.deviation == pytest.approx(off, rel=1e-3)
    assert "ours: " + named.law in identities.broken(found) and named.advice in identities.broken(found)


def test_maps_on_another_grid_are_refused():
    moved = balance(nep=NEP.assign_coords(longitude=[91.5, 92.5]))
    with pytest.raises(DataError, match="not on the same grid"):
        identities.of_maps(moved, REGION)


def test_rs_may_reach_further_than_rh():
    """Cells outside the area of applicability can be left out of Rh and NEP alone."""
    assert identities.broken(identities.of_maps(balance(rh=without(balance()["rh"], 0, 1)), REGION)) == ""


@pytest.mark.parametrize("lazy", [False, True])
def test_a_map_is_known_where_its_predictors_are(lazy):
    soil = xr.DataArray([[1.0, 1.0], [1.0, np.nan], [1.0, 1.0]], GRID, ("latitude", "longitude"))
    lai = without(yearly(np.ones(6)), 0, 0)
    found = (lai * soil).rename("npp")
    predictors = [lai.chunk(1), soil.chunk(1)] if lazy else [lai, soil]
    assert identities.known_where_predictors_are(found, predictors, REGION).holds
    for spoiled, cells in ((found.roll(latitude=1), 6), (found.fillna(1.0), 5), (without(found, 0, 1), 1)):
        check = identities.known_where_predictors_are(spoiled.rename("npp"), predictors, REGION)
        assert (check.deviation, check.holds, check.of) == (cells, False, "npp")


def test_areas_are_those_of_the_grid_to_the_flattening_of_the_earth():
    grid = target_grid(-180, -90, 180, 90, 5)
    area = cell_area(grid["latitude"], grid["longitude"])
    assert 0.005 < identities.areas_of_the_grid(area).deviation < 0.01
    for spoiled in (area * 1e6, area * 100, area.roll(latitude=3), area.assign_coords(latitude=area["latitude"] / 2)):
        assert not identities.areas_of_the_grid(spoiled).holds


def test_a_total_is_the_sum_over_the_cells():
    flat = budgets.means(fluxes())
    assert identities.sums_of_cells(flat, AREA).deviation < 1e-9
    holed = AREA.where(AREA["latitude"] > 35)
    assert not identities.sums_of_cells(flat, holed).holds


TABLE = budgets.budget_table({(name, "forest"): field for name, field in fluxes().items()}, AREA)


def test_the_totals_of_a_table_are_its_means_times_its_areas():
    checks = identities.totals("budgets", TABLE)
    assert len(checks) == 2 and all(check.holds for check in checks)
    in_km2 = TABLE.assign(valid_area_Mkm2=1e6 * TABLE["valid_area_Mkm2"])
    flipped = TABLE.assign(common_total_TgC_yr=-TABLE["common_total_TgC_yr"])
    of_the_paper = TABLE.assign(total_TgC_yr=22.3)
    for spoiled in (in_km2, flipped, of_the_paper):
        assert len(deviations(identities.totals("budgets", spoiled))) == 1
        assert "budgets: a total is mean times area" in identities.broken(identities.totals("budgets", spoiled))


def test_a_total_of_nothing_is_none_and_one_without_a_mean_is_wrong():
    nothing = TABLE.assign(mean_gC_m2_yr=np.nan, total_TgC_yr=np.nan, valid_area_Mkm2=0.0)
    assert identities.broken(identities.totals("budgets", nothing)) == ""
    assert deviations(identities.totals("budgets", TABLE.assign(mean_gC_m2_yr=np.nan))) == pytest.approx(
        [np.nan], nan_ok=True
    )


def test_a_table_without_a_total_has_nothing_to_be_checked():
    assert identities.totals("scores", pd.DataFrame({"rmse_gC_m2_yr": [1.0], "total_TgC_yr": [2.0]})) == []


def test_the_classes_of_land_cover_add_up_to_the_whole():
    flat = budgets.means(fluxes())
    table = budgets.budget_by_class(flat, CLASSES, AREA)
    assert deviations(identities.classes_are_the_whole(table, flat, CLASSES, AREA)) == []
    left_out = table[table["land_cover"] != 16]
    (total, area) = identities.classes_are_the_whole(left_out, flat, CLASSES, AREA)
    lost = table[table["land_cover"] == 16]
    assert total.deviation == pytest.approx(lost["total_TgC_yr"].abs().max()) and not total.holds
    assert area.deviation == pytest.approx(lost["valid_area_Mkm2"].max()) and not area.holds
    twice = pd.concat([table, lost])
    assert deviations(identities.classes_are_the_whole(twice, flat, CLASSES, AREA)) == pytest.approx(
        [total.deviation, area.deviation]
    )


def test_cells_without_a_class_are_of_no_class_and_not_of_the_whole():
    flat, some = budgets.means(fluxes()), CLASSES.where(CLASSES != 5)
    table = budgets.budget_by_class(flat, some, AREA)
    assert deviations(identities.classes_are_the_whole(table, flat, some, AREA)) == []


def test_parts_of_several_scenarios_add_up_in_each():
    whole = pd.DataFrame({"scenario": ["main", "naive"], "total_TgC_yr": [5.0, 7.0], "valid_area_Mkm2": [2.0, 2.0]})
    parts = pd.concat([whole.assign(total_TgC_yr=[2.0, 3.0], valid_area_Mkm2=0.5)] * 2, ignore_index=True)
    parts.loc[2:, ["total_TgC_yr", "valid_area_Mkm2"]] = [[3.0, 1.5], [4.0, 1.5]]
    assert deviations(identities.parts_are_the_whole("parts", parts, whole, ["scenario"])) == []
    exchanged = parts.assign(total_TgC_yr=[2.0, 3.0, 4.0, 3.0])
    assert deviations(identities.parts_are_the_whole("parts", exchanged, whole, ["scenario"])) == [1.0]
    gone = identities.parts_are_the_whole("parts", parts[parts["scenario"] == "main"], whole, ["scenario"])
    assert deviations(gone) == [7.0, 2.0]


def test_the_years_have_the_mean_of_the_whole():
    table = budgets.yearly_budgets(fluxes(), AREA)
    assert len(checks := identities.years_are_the_whole(table, TABLE)) == 2 and deviations(checks) == []
    assert len(deviations(identities.years_are_the_whole(table[table["year"] > 2001], TABLE))) == 1
    turned = table.assign(total_TgC_yr=table["total_TgC_yr"].where(table["year"] > 2001, -table["total_TgC_yr"]))
    assert len(deviations(identities.years_are_the_whole(turned, TABLE))) == 1


def test_of_years_with_other_cells_nothing_is_said():
    maps = {"NPP": without(balance()["npp"], 0, 0)}
    whole = budgets.budget_table({("NPP", "forest"): maps["NPP"]}, AREA)
    assert identities.years_are_the_whole(budgets.yearly_budgets(maps, AREA), whole) == []


def test_nep_of_a_budget_is_what_is_left():
    assert identities.rest_of_rows("budget", TABLE, "total_TgC_yr", ["product"]).holds
    flipped = TABLE.assign(total_TgC_yr=TABLE["total_TgC_yr"].mask(TABLE["quantity"] == "NEP", -TABLE["total_TgC_yr"]))
    check = identities.rest_of_rows("budget", flipped, "total_TgC_yr", ["product"])
    nep = TABLE.set_index("quantity")["total_TgC_yr"]["NEP"]
    assert check.deviation == pytest.approx(2 * abs(nep)) and check.unit == "Tg C yr-1" and not check.holds
    assert identities.rest_of_rows("budget", TABLE, "mean_gC_m2_yr", ["product"]).unit == "g C m-2 yr-1"
    several = pd.concat([TABLE, TABLE.assign(product="other")[:2]])
    assert not identities.rest_of_rows("budget", several, "mean_gC_m2_yr", ["product"]).holds


def test_what_is_kept_says_whether_it_holds_and_has_no_number_where_there_is_none():
    check = identities.Check("a law", "maps", float("nan"), 1.0, "cells", "do this")
    kept = {"law": "a law", "of": "maps", "deviation": None, "tolerance": 1.0, "unit": "cells", "holds": False}
    assert identities.on_record([check]) == [kept]
    assert identities.on_record([check._replace(deviation=1.0)])[0]["holds"] is True


FLUX = arrays("float64", 6, elements=st.floats(0, 3000))


@settings(max_examples=15)
@given(FLUX, FLUX, st.floats(0.1, 10))
def test_laws_hold_for_any_maps_and_any_unit_of_area(npp, rs, scale):
    """To scale all areas scales the totals, and leaves the means."""
    maps = balance(npp=yearly(npp), rs=yearly(rs))
    flat = budgets.means({"NPP": maps["npp"], "Rh": maps["rh"], "NEP": maps["nep"]})
    table, scaled = (
        budgets.budget_table({(name, "forest"): field for name, field in flat.items()}, area)
        for area in (AREA, scale * AREA)
    )
    assert identities.broken(identities.of_maps(maps, REGION)) == ""
    assert identities.broken(identities.totals("budgets", scaled)) == ""
    np.testing.assert_allclose(scaled["mean_gC_m2_yr"], table["mean_gC_m2_yr"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scaled["total_TgC_yr"], scale * table["total_TgC_yr"], rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(FLUX, arrays(bool, 6), st.integers(1, 2))
def test_a_region_that_is_cut_in_two_adds_up_to_the_whole(values, side, row):
    """Whether it is cut cell by cell or along a parallel."""
    flux = yearly(values).rename("npp")
    cut = xr.DataArray(side.reshape(3, 2), GRID, ("latitude", "longitude"))
    whole = budgets.budget_table({("NPP", ""): flux}, AREA)
    parts = [budgets.budget_table({("NPP", ""): flux.where(part)}, AREA) for part in (cut, ~cut)]
    assert deviations(identities.parts_are_the_whole("two", pd.concat(parts), whole, ["quantity"])) == []
    bands = [slice(None, row), slice(row, None)]
    parts = [budgets.budget_table({("NPP", ""): flux.isel(latitude=band)}, AREA[band]) for band in bands]
    assert deviations(identities.parts_are_the_whole("two", pd.concat(parts), whole, ["quantity"])) == []
