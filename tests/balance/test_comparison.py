"""Tables 1 and 2, products side by side, and MODIS at the sites."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance import comparison, paper
from helpers.errors import DataError

OBSERVED = pd.Series([100.0, 200.0, 300.0, 400.0])
LOW = OBSERVED * 0.5
CLOSE = OBSERVED * 1.1


def made_table(unit="gC_m2_yr"):
    products = {"low": LOW, "flat": OBSERVED * 0 + 200}
    return comparison.product_table(OBSERVED, products, {"ours": CLOSE, "unseen": LOW}, unit)


def row(table, metric):
    return table.set_index("metric").loc[metric]


def test_a_table_of_products_has_the_papers_rows_and_units():
    table = made_table()
    assert table["metric"].tolist() == ["n", "r", "RMSE", "PBIAS", "MAPE"]
    assert table["unit"].tolist() == ["1", "1", "gC_m2_yr", "percent", "percent"]
    assert set(table.columns[2:]) == {"low", "flat", "mean_of_products", "ours", "unseen", "difference_percent"}


def test_a_product_that_halves_every_value_has_the_scores_worked_by_hand():
    low = made_table().set_index("metric")["low"]
    assert low[["n", "r", "RMSE", "PBIAS", "MAPE"]].tolist() == pytest.approx([4, 1, np.sqrt(75_000 / 4), -50, 50])


def test_mean_of_products_leaves_our_forest_out():
    bias = row(made_table(), "PBIAS")
    assert bias["mean_of_products"] == pytest.approx((-50 - 20) / 2)


def test_difference_is_positive_where_the_forest_errs_less():
    rmse = row(made_table(), "RMSE")
    expected = 100 * (1 - rmse["ours"] / rmse["mean_of_products"])
    assert rmse["difference_percent"] == pytest.approx(expected) and expected > 0


def test_a_correlation_has_no_percentage():
    worse = pd.Series([100.0, 300.0, 200.0, 400.0])
    found = row(comparison.product_table(OBSERVED, {"worse": worse}, {"ours": CLOSE}, "gC_m2_yr"), "r")
    assert found["worse"] == pytest.approx(0.8) and np.isnan(found["difference_percent"])


def test_difference_compares_the_size_of_a_bias_not_its_sign():
    table = comparison.product_table(OBSERVED, {"low": OBSERVED * 0.8}, {"ours": OBSERVED * 1.1}, "gC_m2_yr")
    assert row(table, "PBIAS")["difference_percent"] == pytest.approx(50)


def test_biases_of_both_signs_do_not_cancel():
    """Sizes of 20, 20 and 10 %: the forest's is half of theirs, though theirs are 0 on average."""
    products = {"low": OBSERVED * 0.8, "high": OBSERVED * 1.2}
    found = row(comparison.product_table(OBSERVED, products, {"ours": OBSERVED * 1.1}, "gC_m2_yr"), "PBIAS")
    assert found["mean_of_products"] == pytest.approx(0) and found["difference_percent"] == pytest.approx(50)


@pytest.mark.parametrize("number", [1, 2])
def test_the_papers_own_differences_follow_our_rule(number):
    table = paper.paper_table(number)
    reference = table["mean_of_three" if number == 1 else "qrfm"]
    for metric in ("RMSE", "PBIAS", "MAPE"):
        ours = -comparison.percent_difference(abs(table.loc[metric, "random_forest"]), abs(reference[metric]))
        assert ours == pytest.approx(table.loc[metric, "difference_percent"], abs=0.4)


def test_nothing_differs_from_zero_by_a_percentage():
    assert np.isnan(comparison.percent_difference(1.0, 0.0))


def test_a_product_is_scored_where_it_has_values_and_says_at_how_many_sites():
    table = comparison.product_table(OBSERVED, {"holed": LOW.where(LOW > 60)}, {"ours": CLOSE}, "gC_m2_yr")
    assert (row(table, "n")["holed"], row(table, "n")["ours"]) == (3, 4)


def test_a_table_needs_a_forest():
    with pytest.raises(DataError, match="at least one forest"):
        comparison.product_table(OBSERVED, {"low": LOW}, {}, "gC_m2_yr")


def test_without_a_product_the_forest_stands_alone():
    table = comparison.product_table(OBSERVED, {}, {"ours": CLOSE}, "gC_m2_yr")
    beside = comparison.product_table(OBSERVED, {"low": LOW}, {"ours": CLOSE}, "gC_m2_yr")
    assert table["ours"].equals(beside["ours"])
    assert table[["mean_of_products", "difference_percent"]].isna().all(axis=None)


def test_paper_columns_stand_beside_ours():
    table = comparison.beside_paper(made_table(), paper.paper_table(1))
    assert row(table, "r")["paper_random_forest"] == 0.42
    assert np.isnan(row(table, "n")["paper_random_forest"])


def test_budgets_over_common_cells_take_the_names_of_those_over_their_own():
    columns = ["mean_gC_m2_yr", "total_TgC_yr", "valid_area_Mkm2", "common_mean_gC_m2_yr", "common_total_TgC_yr"]
    table = pd.DataFrame(
        [["NPP", "MODIS", 1, 2, 3, 4, 5, 6]], columns=["quantity", "product", *columns, "common_area_Mkm2"]
    )
    assert comparison.over_common_cells(table).to_dict("records") == [
        {"quantity": "NPP", "product": "MODIS", "mean_gC_m2_yr": 4, "total_TgC_yr": 5, "valid_area_Mkm2": 6}
    ]


COORDINATES = {"latitude": [36.0, 35.0], "longitude": [90.0, 91.0]}


def flux(values):
    return xr.DataArray(np.asarray(values, dtype=float), COORDINATES)


def test_products_of_a_quantity_are_cut_to_the_plateau_with_modis_first():
    years = xr.concat([flux([[1, 2], [3, 4]]), flux([[3, 2], [3, 4]])], pd.Index([2000, 2001], name="time"))
    maps = xr.Dataset({"npp_casa": years, "npp_modis": years, "npp_zoo": years, "rs_qrfm": years})
    found = comparison.chosen(maps, "npp", flux([[1, 0], [0, 0]]) > 0)
    assert list(found) == ["modis", "casa", "zoo"]
    np.testing.assert_array_equal(found["casa"], [[2, np.nan], [np.nan, np.nan]])


def test_modis_is_compared_at_the_sites_in_the_cube_with_the_mean_of_their_years():
    """The cube's cells reach from 89.5 to 91.5 E and from 34.5 to 36.5 N; one cell has no value."""
    cube = xr.Dataset({"npp_modis": flux([[10, 20], [30, np.nan]]), "in_region": flux([[1, 0], [1, 1]]) > 0})
    places = [(89.6, 36.4), (89.6, 36.4), (91.4, 36.0), (91.0, 35.0), (91.6, 36.0), (90.0, 34.4)]
    site_years = pd.DataFrame(places, columns=["longitude", "latitude"]).assign(npp=[1.0, 3.0, 5.0, 7.0, 9.0, 11.0])
    found = comparison.modis_check(cube, site_years)
    assert found[["longitude", "mod17a3", "npp_modis"]].to_numpy().tolist() == [[89.6, 2, 10], [91.4, 5, 20]]
    assert found["in_region"].tolist() == [True, False]
