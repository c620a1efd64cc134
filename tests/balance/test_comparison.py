"""Tables 1 and 2, budgets side by side, and the audit of the paper's arithmetic."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance import budgets, carbon, comparison
from helpers.balance import paper as audit
from helpers.errors import DataError

OBSERVED = pd.Series([100.0, 200.0, 300.0, 400.0])
LOW = OBSERVED * 0.5
CLOSE = OBSERVED * 1.1


def row(table, metric):
    return table.set_index("metric").loc[metric]


def made_table():
    return comparison.product_table(OBSERVED, {"low": LOW, "flat": OBSERVED * 0 + 200}, {"ours": CLOSE}, "gC_m2_yr")


def test_pbias_of_a_product_that_halves_every_value():
    assert row(made_table(), "PBIAS")["low"] == pytest.approx(-50)


def test_mean_of_products_leaves_our_forest_out():
    rmse = row(made_table(), "RMSE")
    assert rmse["mean_of_products"] == pytest.approx((rmse["low"] + rmse["flat"]) / 2)


def test_difference_is_positive_where_the_forest_errs_less():
    rmse = row(made_table(), "RMSE")
    expected = 100 * (1 - rmse["ours"] / rmse["mean_of_products"])
    assert rmse["difference_percent"] == pytest.approx(expected) and expected > 0


def test_difference_compares_the_size_of_a_bias_not_its_sign():
    table = comparison.product_table(OBSERVED, {"low": OBSERVED * 0.8}, {"ours": OBSERVED * 1.1}, "gC_m2_yr")
    assert row(table, "PBIAS")["difference_percent"] == pytest.approx(50)


@pytest.mark.parametrize("number", [1, 2])
def test_the_papers_own_differences_follow_our_rule(number):
    paper = audit.paper_table(number)
    reference = paper["mean_of_three" if number == 1 else "qrfm"]
    for metric in ("RMSE", "PBIAS", "MAPE"):
        ours = -comparison.percent_difference(abs(paper.loc[metric, "random_forest"]), abs(reference[metric]))
        assert ours == pytest.approx(paper.loc[metric, "difference_percent"], abs=0.4)


def test_a_product_is_scored_where_it_has_values_and_says_at_how_many_sites():
    table = comparison.product_table(OBSERVED, {"holed": LOW.where(LOW > 60)}, {"ours": CLOSE}, "gC_m2_yr")
    assert (row(table, "n")["holed"], row(table, "n")["ours"]) == (3, 4)


def test_paper_columns_stand_beside_ours():
    table = comparison.beside_paper(made_table(), audit.paper_table(1))
    assert row(table, "r")["paper_random_forest"] == 0.42


def test_budgets_over_common_cells_share_one_area():
    coordinates = {"latitude": [35.0], "longitude": [90.0, 91.0]}
    area = xr.DataArray([[1.0e6, 1.0e6]], coordinates)
    full = xr.DataArray([[100.0, 300.0]], coordinates)
    table = budgets.budget_table({("NPP", "full"): full, ("NPP", "holed"): full.where(full < 200)}, area)
    assert table["valid_area_Mkm2"].tolist() == [2.0, 1.0]
    assert table["common_area_Mkm2"].tolist() == [1.0, 1.0]
    assert table["common_mean_gC_m2_yr"].tolist() == [100.0, 100.0]


def audited(claim):
    return audit.audit_table().set_index("claim").loc[[claim]]


def test_the_papers_total_is_not_its_mean_times_its_area():
    step = audited("nep_total").iloc[0]
    assert step["implied"] == pytest.approx(174.2336) and step["agrees"] == "no"


def test_the_papers_four_totals_imply_four_areas():
    assert audited("area")["implied"].round(2).tolist() == [0.33, 1.43, 1.0, 1.12]


def test_the_papers_underestimates_follow_from_its_means():
    steps = audited("npp_under")
    assert steps["implied"].round(1).tolist() == [32.5, 61.8, 64.4] and set(steps["agrees"]) == {"yes"}


def test_every_claim_has_a_row_and_ours_stands_in_it():
    table = audit.claims_table({"nep_mean": -100.0}).set_index("id")
    assert len(table) == len(audit.paper_claims())
    assert table.loc["nep_mean", "ours"] == -100 and np.isnan(table.loc["npp_mean", "ours"])


def test_a_value_for_a_claim_that_is_none_is_refused():
    with pytest.raises(DataError, match="makes no claim .'nep_maen'."):
        audit.claims_table({"nep_maen": 1.0})


def flux_map(values, name="flux"):
    coordinates = {"latitude": [36.0, 35.0], "longitude": [90.0, 91.0]}
    return xr.DataArray(np.asarray(values, dtype=float), coordinates, ["latitude", "longitude"], name=name)


AREA = flux_map(np.full((2, 2), 1.0e6), "cell_area")


def yearly(values):
    return xr.concat(
        [flux_map(v) for v in values], pd.date_range("2000-01-01", periods=len(values), freq="YS", name="time")
    )


def recovered(estimate, truth):
    return budgets.recovery("NPP", estimate, truth, AREA).set_index("statistic")


def test_recovery_compares_over_the_cells_that_the_estimate_covers():
    table = recovered(flux_map([[100, np.nan], [300, np.nan]]), flux_map([[110, 900], [310, 900]]))
    assert (table.loc["mean", "recovered"], table.loc["mean", "true"]) == (200, 210)
    assert table.loc["map RMSE", "recovered"] == pytest.approx(10)


def test_recovery_of_a_trend_is_in_totals_a_year():
    rise = yearly([np.full((2, 2), 100.0 + step) for step in range(6)])
    assert recovered(rise, 2 * rise).loc["trend", ["recovered", "true"]].tolist() == pytest.approx([4.0, 8.0])


def test_recovery_of_a_climatology_has_no_trend():
    assert "trend" not in recovered(flux_map(np.ones((2, 2))), flux_map(np.ones((2, 2)))).index


def test_budget_by_class_splits_the_total():
    flux = flux_map([[100, 200], [300, 400]])
    classes = flux_map([[10, 10], [16, np.nan]])
    table = budgets.budget_by_class({"NPP": flux}, classes, AREA).set_index("land_cover")
    assert table["total_TgC_yr"].to_dict() == {10: 300.0, 16: 300.0}


def test_products_of_a_quantity_are_cut_to_the_plateau_with_modis_first():
    maps = xr.Dataset({name: flux_map(np.ones((2, 2))) for name in ("npp_casa", "npp_modis", "rs_qrfm")})
    found = comparison.chosen(maps, "npp", flux_map([[1, 0], [0, 0]]) > 0)
    assert list(found) == ["modis", "casa"] and int(found["modis"].notnull().sum()) == 1


def test_pairs_are_numbered_as_in_figure_5():
    pairs = carbon.product_pairs(flux_map(np.ones((2, 2))), {"MODIS": flux_map(np.full((2, 2), 5.0))}, AREA * 0 + 2)
    assert list(pairs) == ["NEP1", "NEP2 (MODIS)"] and float(pairs["NEP2 (MODIS)"][0, 0]) == 3


def test_the_papers_means_are_given_for_the_rows_that_a_run_has():
    budgets = pd.DataFrame({"quantity": ["NPP", "NEP"], "product": ["Random forest", "NEP4 (Miami)"]})
    assert audit.paper_means(budgets)["mean_gC_m2_yr"].tolist() == [321.4]
