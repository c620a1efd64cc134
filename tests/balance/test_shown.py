"""What notebooks 04 to 06 show: several quantities in one table, products at sites, an interval in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance import budgets, comparison, uncertainty

GRID = {"latitude": [36.5, 35.5], "longitude": [90.5, 91.5]}


def flux(values: list[list[float]], years: int = 0) -> xr.DataArray:
    field = xr.DataArray(values, GRID, ("latitude", "longitude"))
    return field if not years else field.expand_dims(time=pd.date_range("2000-01-01", periods=years, freq="YS"))


AREA = flux([[1e6, 1e6], [2e6, 2e6]])


def test_yearly_budgets_of_several_quantities_keep_their_names_apart():
    fields = {"NPP": flux([[10.0, 10], [10, 10]], 2), "Rh": flux([[4.0, 4], [4, 4]], 2)}
    found = budgets.yearly_budgets(fields, AREA)
    assert found.groupby("quantity")["total_TgC_yr"].first().to_dict() == {"NPP": 60.0, "Rh": 24.0}
    assert found["year"].tolist() == [2000, 2001] * 2 and found.index.is_unique


def test_each_estimate_is_compared_with_its_own_truth():
    estimates = {"NPP": flux([[10.0, 10], [10, 10]]), "Rh": flux([[4.0, 4], [4, 4]])}
    truths = {"Rh": flux([[3.0, 3], [3, 3]]), "NPP": flux([[9.0, 9], [9, 9]])}
    found = budgets.recoveries(estimates, truths, AREA)
    assert found.index.is_unique
    assert found.query("statistic == 'mean'").set_index("quantity")["true"].to_dict() == {"NPP": 9.0, "Rh": 3.0}


@pytest.fixture
def training() -> pd.DataFrame:
    """Four records on the plateau and one beyond, which no map predicts well."""
    places = {"longitude": [90.5, 91.5, 90.5, 91.5, 91.5], "latitude": [36.5, 36.5, 35.5, 35.5, 35.5]}
    values = {"value": [100.0, 200.0, 300.0, 400.0, 9e9], "out_of_bag": [1.0, 2.0, 1.0, 2.0, 9.0]}
    made = pd.DataFrame(places | values).assign(year=np.nan, in_region=[True] * 4 + [False])
    return made.assign(ln_rs=np.log(made["value"]))


@pytest.mark.parametrize(("quantity", "unit"), [("npp", "gC_m2_yr"), ("rs", "ln_gC_m2_yr")])
def test_maps_are_read_at_the_sites_of_the_plateau(training, quantity, unit):
    exact = flux([[100.0, 200], [300, 400]])
    products = xr.Dataset({f"{quantity}_zeta": exact * 2, f"{quantity}_modis": exact, "other": exact})
    found = comparison.table_at_sites(quantity, products, exact, training).set_index("metric")
    assert list(found)[:5] == ["unit", "modis", "zeta", "random_forest", "random_forest_out_of_bag"]
    assert found.loc["n", "modis"] == 4 and found.loc["RMSE", "unit"] == unit
    assert found.loc["RMSE", ["modis", "random_forest"]].tolist() == pytest.approx([0, 0])
    assert found.loc["RMSE", "zeta"] == pytest.approx(np.log(2) if quantity == "rs" else np.sqrt(75_000))


def test_the_table_at_sites_says_of_which_years_a_product_is(training):
    exact = flux([[100.0, 200], [300, 400]])
    products = xr.Dataset({"npp_modis": exact.assign_attrs(years="2001-2018; their mean for 2000"), "npp_own": exact})
    found = comparison.table_at_sites("npp", products, exact, training).set_index("metric")
    assert found.loc["years", ["modis", "own", "random_forest"]].tolist() == ["2001-2018; their mean for 2000", "", ""]
    assert found.loc["r", "modis"] == pytest.approx(1)


def test_a_total_over_cells_counts_each_with_its_area():
    cells = pd.DataFrame({"latitude": [36.5, 35.5, 35.5], "longitude": [90.5, 90.5, 91.5], "area": [1e6, 2e6, 3e6]})
    assert uncertainty.total_over(cells, flux([[1.0, 50.0], [10.0, 100.0]])) == 1 + 20 + 300


def test_drawn_totals_are_those_of_all_sources_under_the_main_assumptions():
    rows = [("all", "main", "region", 10.0), ("all", "main", "region", -5.0), ("all", "naive", "region", 99.0)]
    rows += [("none", "main", "region", 98.0), ("sites", "main", "region", 97.0), ("all", "main", "inside", 1.0)]
    drawn = pd.DataFrame(rows, columns=["varied", "scenario", "part", "nep_gC_m2_yr"]).assign(area_Mkm2=2.0)
    totals = {part: values.tolist() for part, values in uncertainty.total_draws(drawn).items()}
    assert totals == {"region": [20.0, -10.0], "inside": [2.0]}


def test_a_total_is_stated_with_its_interval():
    ends = {"low_gC_m2_yr": -3.6, "high_gC_m2_yr": 20.0, "total_low_TgC_yr": -3.6, "total_high_TgC_yr": 20.0}
    shared = ends | {"scenario": "main", "part": "inside", "sd_gC_m2_yr": 8.0, "valid_area_Mkm2": 1.0}
    fluxes = {"NPP": 30.0, "Rh": 17.6, "NEP": 12.4}
    rows = [
        shared | {"quantity": flux, "mean_gC_m2_yr": mean, "total_TgC_yr": mean} | other
        for flux, mean in fluxes.items()
        for other in ({"scenario": "naive", "total_TgC_yr": 99.0}, {"part": "region", "total_TgC_yr": 99.0}, {})
    ]
    budget = pd.DataFrame(rows)
    assert uncertainty.stated_total(budget, "inside") == "+12 (-4 to +20)"
    assert uncertainty.stated_total(budget, "outside") == "none"


def test_the_intervals_of_worlds_are_judged_by_what_they_held_and_by_how_far_they_missed():
    """Widths of 10; truths inside, inside, 2 below and 1 above: scores 10, 10, 10 + 20 x 2 and 10 + 20 x 1."""
    keys = {"scenario": "main", "part": "region", "quantity": "NEP", "level": 0.9, "held": 1}
    ends = {"low_gC_m2_yr": 0.0, "mean_gC_m2_yr": 4.0, "high_gC_m2_yr": 10.0}
    worlds = pd.DataFrame([keys | ends | {"true_gC_m2_yr": truth} for truth in (5.0, 10.0, -2.0, 11.0)])
    (found,) = uncertainty.coverage_of_worlds(worlds).to_dict("records")
    assert (found["scenario"], found["part"], found["quantity"]) == ("main", "region", "NEP")
    assert (found["worlds"], found["coverage"]) == (4, 0.5)
    assert found["coverage_se"] == pytest.approx(0.25) and found["mean_width_gC_m2_yr"] == 10
    assert found["bias_gC_m2_yr"] == pytest.approx(-2.0)
    assert found["interval_score_gC_m2_yr"] == pytest.approx((10 + 10 + 50 + 30) / 4)


def test_the_worlds_of_the_repository_are_read_without_the_lines_above_their_header():
    assert {"held", "part", "quantity", "scenario", "level", "true_gC_m2_yr"} <= set(uncertainty.worlds_with_truth())
