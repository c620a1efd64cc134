"""Means, totals and areas of fluxes over a map, with numbers worked by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.balance import budgets, carbon
from helpers.errors import DataError

COORDINATES = {"latitude": [36.0, 35.0], "longitude": [90.0, 91.0, 92.0]}
AREA = xr.DataArray([[1.0e4, 1.0e4, 1.0e4], [2.0e4, 2.0e4, 2.0e4]], COORDINATES, name="cell_area")
FLUXES = arrays("float64", (2, 3), elements=st.floats(-1000, 3000))


def flux(values, name="flux"):
    return xr.DataArray(np.broadcast_to(np.asarray(values, float), (2, 3)).copy(), COORDINATES, name=name)


def yearly(values):
    time = pd.date_range("2000-01-01", periods=len(values), freq="YS", name="time")
    return xr.concat([flux(value) for value in values], time)


def test_budget_weights_by_area():
    result = budgets.budget(flux([[100.0] * 3, [400.0] * 3]), AREA)
    assert result == pytest.approx({"mean_gC_m2_yr": 300, "total_TgC_yr": 27, "valid_area_Mkm2": 0.09})


def test_budget_leaves_missing_cells_out_of_mean_and_area():
    result = budgets.budget(flux([[np.nan] * 3, [400.0] * 3]), AREA)
    assert result == pytest.approx({"mean_gC_m2_yr": 400, "total_TgC_yr": 24.0, "valid_area_Mkm2": 0.06})


def test_budget_of_years_counts_each_cells_mean_over_its_valid_years():
    result = budgets.budget(
        yearly([[[100, 100, np.nan], [np.nan] * 3], [[300, 100, np.nan], [400, 400, np.nan]]]), AREA
    )
    assert result == pytest.approx({"mean_gC_m2_yr": 1900 / 6, "total_TgC_yr": 19, "valid_area_Mkm2": 0.06})


def test_budget_of_nothing_is_not_a_number():
    result = budgets.budget(flux(np.nan), AREA)
    assert np.isnan(result["mean_gC_m2_yr"]) and np.isnan(result["total_TgC_yr"]) and result["valid_area_Mkm2"] == 0


def test_the_papers_mean_on_the_papers_area_is_174_and_not_22():
    area = xr.full_like(AREA, 2.56e6 / 6)
    assert budgets.budget(flux(68.06), area)["total_TgC_yr"] == pytest.approx(174.2336)


@given(FLUXES)
def test_total_is_mean_times_area(values):
    result = budgets.budget(flux(values), AREA)
    assert result["total_TgC_yr"] == pytest.approx(result["mean_gC_m2_yr"] * result["valid_area_Mkm2"], abs=1e-9)


@given(FLUXES, FLUXES)
def test_the_budget_of_nep_is_the_difference_of_the_budgets(npp, rh):
    nep = carbon.net_ecosystem_production(flux(npp), flux(rh))
    difference = budgets.budget(flux(npp), AREA)["total_TgC_yr"] - budgets.budget(flux(rh), AREA)["total_TgC_yr"]
    assert budgets.budget(nep, AREA)["total_TgC_yr"] == pytest.approx(difference, abs=1e-9)


def test_fields_on_two_grids_are_refused_rather_than_cut_to_their_overlap():
    shifted = flux(1.0).assign_coords(longitude=[90.5, 91.5, 92.5])
    with pytest.raises(DataError, match="longitude has 3 and 3 cells, from 90.5000 and 90.0000"):
        budgets.budget(shifted, AREA)
    with pytest.raises(DataError, match="latitude has 1 and 2 cells"):
        budgets.budget(flux(1.0).isel(latitude=[0]), AREA)


def test_yearly_budget_has_one_row_per_year():
    table = budgets.yearly_budget(yearly([1.0, [[np.nan] * 3, [2.0] * 3], np.nan]), AREA)
    assert table["year"].tolist() == [2000, 2001, 2002]
    assert table["mean_gC_m2_yr"].tolist() == pytest.approx([1.0, 2.0, np.nan], nan_ok=True)
    assert table["valid_area_Mkm2"].tolist() == pytest.approx([0.09, 0.06, 0])
    assert table["total_TgC_yr"].tolist() == pytest.approx([0.09, 0.12, np.nan], nan_ok=True)


def test_yearly_budget_of_a_climatology_is_refused():
    with pytest.raises(DataError, match="npp has no dimension 'time'"):
        budgets.yearly_budget(flux(1.0, "npp"), AREA)


def test_trend_of_a_straight_rise_is_its_slope_whatever_the_order_of_the_years():
    table = pd.DataFrame({"quantity": "NPP", "year": range(2000, 2019), "total_TgC_yr": 800 + 2.5 * np.arange(19.0)})
    fall = table.assign(quantity="Rs", total_TgC_yr=-table["total_TgC_yr"])
    trend = budgets.trends(pd.concat([table, fall]).sample(frac=1, random_state=1)).set_index("quantity")
    assert trend["sen_slope_TgC_yr2"].to_dict() == pytest.approx({"NPP": 2.5, "Rs": -2.5})
    assert (trend["p_value"] < 0.001).all() and (trend["n_years"] == 19).all()


def test_trend_of_noise_is_not_significant():
    noise = np.random.default_rng(2).normal(800, 20, 19)
    table = pd.DataFrame({"quantity": "NPP", "year": range(2000, 2019), "total_TgC_yr": noise})
    assert budgets.trends(table)["p_value"].iloc[0] > 0.05


def test_budgets_over_common_cells_share_one_area():
    holed = flux([[100.0] * 3, [np.nan, np.nan, 700.0]])
    table = budgets.budget_table({("NPP", "full"): flux([[100.0] * 3, [400.0] * 3]), ("NPP", "holed"): holed}, AREA)
    assert table[["quantity", "product"]].to_numpy().tolist() == [["NPP", "full"], ["NPP", "holed"]]
    assert table["valid_area_Mkm2"].tolist() == pytest.approx([0.09, 0.05])
    assert table["mean_gC_m2_yr"].tolist() == pytest.approx([300, 340])
    assert table["common_area_Mkm2"].tolist() == pytest.approx([0.05, 0.05])
    assert table["common_mean_gC_m2_yr"].tolist() == pytest.approx([220, 340])
    assert table["common_total_TgC_yr"].tolist() == pytest.approx([11, 17])


def test_a_budget_says_of_which_years_it_is_and_nothing_for_the_single_step_of_a_climatology():
    years = pd.DatetimeIndex(["2001-01-01", "2002-01-01", "2004-01-01"], name="time")
    yearly = flux([[100.0] * 3, [400.0] * 3]).expand_dims(time=years)
    fields = {
        ("NPP", "forest"): yearly,
        ("NPP", "climatology"): yearly[:1],
        ("NPP", "map"): flux([[100.0] * 3, [400.0] * 3]),
        ("NPP", "casa"): yearly.assign_attrs(years="2001; their mean for 2002"),
    }
    assert budgets.budget_table(fields, AREA)["years"].tolist() == [
        "2001-2002, 2004",
        "",
        "",
        "2001; their mean for 2002",
    ]


def test_the_budget_of_a_class_counts_a_cell_by_the_class_of_most_years():
    classes = xr.DataArray(
        [[[10.0] * 3, [10.0] * 3], [[16.0] * 3, [10.0] * 3], [[16.0] * 3, [16.0] * 3]],
        dims=("time", "latitude", "longitude"),
    )
    field = flux([[100.0] * 3, [400.0] * 3])
    classes = classes.assign_coords(latitude=field["latitude"], longitude=field["longitude"])
    found = budgets.budget_by_class({"NPP": field}, classes, AREA).set_index("land_cover")["mean_gC_m2_yr"]
    assert found.to_dict() == pytest.approx({16: 100, 10: 400})


def recovered(estimate, truth):
    return budgets.recovery("NPP", estimate, truth, AREA).set_index("statistic")


def test_recovery_compares_over_the_cells_that_the_estimate_covers():
    """Over the first column of 10,000 and 20,000 km2: (100 + 2 x 400) / 3 = 300 of (130 + 2 x 430) / 3 = 330."""
    table = recovered(flux([[100, np.nan, np.nan], [400, np.nan, np.nan]]), flux([[130, 900, 9], [430, 900, 9]]))
    assert table.loc["mean", ["recovered", "true"]].tolist() == pytest.approx([300, 330])
    assert table.loc["total", ["recovered", "true"]].tolist() == pytest.approx([9, 9.9])
    assert table.loc["spread", ["recovered", "true"]].tolist() == pytest.approx([np.sqrt(20_000)] * 2)
    assert table.loc["map RMSE", ["recovered", "true"]].tolist() == pytest.approx([30, 0])


def test_the_error_of_a_map_is_weighted_by_area():
    table = recovered(flux([[100.0] * 3, [100.0] * 3]), flux([[100.0] * 3, [130.0] * 3]))
    assert table.loc["map RMSE", "recovered"] == pytest.approx(np.sqrt(2 / 3) * 30)


def test_recovery_of_a_trend_is_in_totals_per_year():
    rise = yearly([100.0, 110.0, 120.0, 130.0])
    assert recovered(rise, 2 * rise).loc["trend", ["recovered", "true"]].tolist() == pytest.approx([0.9, 1.8])


@pytest.mark.parametrize("few", [flux(1.0), yearly([1.0, 2.0, 3.0])])
def test_recovery_of_few_years_has_no_trend(few):
    assert recovered(few, few).index.tolist() == ["mean", "total", "spread", "map RMSE"]


def test_an_estimate_and_a_truth_of_other_years_are_refused_rather_than_cut_to_their_common_years():
    rise = yearly([100.0, 110.0, 120.0, 130.0])
    with pytest.raises(DataError, match="of the years 2000-2002 and its truth of 2001-2003"):
        recovered(rise[:3], rise[1:])


def test_recovery_on_another_grid_is_refused():
    with pytest.raises(DataError, match="longitude has 3 and 3 cells"):
        recovered(flux(1.0), flux(1.0).assign_coords(longitude=[90.5, 91.5, 92.5]))


@given(FLUXES, FLUXES)
def test_the_spread_and_the_error_are_those_of_the_cells(estimate, truth):
    table, weight = recovered(flux(estimate), flux(truth)), AREA.values / AREA.values.sum()
    for column, values in (("recovered", estimate), ("true", truth)):
        variance = np.sum(weight * (values - np.sum(weight * values)) ** 2)
        assert table.loc["spread", column] == pytest.approx(np.sqrt(variance), abs=1e-6)
    assert table.loc["map RMSE", "recovered"] == pytest.approx(np.sqrt(np.sum(weight * (estimate - truth) ** 2)))


def test_an_estimate_without_a_cell_has_no_spread_and_no_error():
    table = recovered(flux(np.nan), flux(1.0))
    assert table.loc[["mean", "total", "spread", "map RMSE"], "recovered"].isna().all()


def test_means_say_of_which_years_they_are():
    found = budgets.means({"NPP": yearly([1.0, 3.0]), "CASA": flux(5.0).assign_attrs(years="2001")})
    assert float(found["NPP"].mean()) == 2 and found["NPP"].attrs["years"] == "2000-2001"
    assert found["CASA"].attrs["years"] == "2001"


def test_budget_by_class_splits_the_total_and_begins_with_the_largest_class():
    classes = flux([[10, 10, 10], [16, 16, np.nan]])
    table = budgets.budget_by_class({"NPP": flux([[100.0] * 3, [400.0] * 3]), "Rh": flux(100.0)}, classes, AREA)
    assert table["land_cover"].tolist() == [16, 16, 10, 10] and table["quantity"].tolist() == ["NPP", "Rh"] * 2
    assert table["total_TgC_yr"].tolist() == pytest.approx([16, 4, 3, 3])
    assert table["valid_area_Mkm2"].tolist() == pytest.approx([0.04, 0.04, 0.03, 0.03])
