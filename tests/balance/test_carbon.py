"""The chain from Rs to the plateau's budget, with numbers worked by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.balance import budgets, carbon
from helpers.errors import DataError
from mapforest import retransform
from mapforest.errors import ForestError

COORDINATES = {"latitude": [36.0, 35.0], "longitude": [90.0, 91.0, 92.0]}
AREA = xr.DataArray([[1.0e4, 1.0e4, 1.0e4], [2.0e4, 2.0e4, 2.0e4]], COORDINATES, name="cell_area")
FLUXES = arrays("float64", (2, 3), elements=st.floats(-1000, 3000))


def flux(values, name="flux"):
    return xr.DataArray(values, COORDINATES, ["latitude", "longitude"], name=name)


def test_paper_line_turns_819_into_its_heterotrophic_share():
    assert carbon.heterotrophic_respiration(flux(np.full((2, 3), 819.0))).values == pytest.approx(0.62 * 819 + 9.01)


def test_own_line_replaces_the_papers():
    line = carbon.Line("mine", slope=0.5, intercept=-10.0, r2=1.0)
    assert float(carbon.heterotrophic_respiration(flux(np.full((2, 3), 100.0)), line)[0, 0]) == 40.0


def test_net_ecosystem_production_is_a_sink_where_more_is_fixed_than_respired():
    nep = carbon.net_ecosystem_production(flux(np.full((2, 3), 321.4)), flux(np.full((2, 3), 255.3)))
    assert nep.values == pytest.approx(66.1)


def test_net_ecosystem_production_is_missing_where_either_flux_is():
    npp, rh = flux(np.full((2, 3), 300.0)), flux(np.full((2, 3), 200.0))
    npp[0, 0], rh[1, 2] = np.nan, np.nan
    assert int(carbon.net_ecosystem_production(npp, rh).notnull().sum()) == 4


def test_fields_on_two_grids_are_refused_rather_than_cut_to_their_overlap():
    shifted = flux(np.ones((2, 3))).assign_coords(longitude=[90.5, 91.5, 92.5])
    with pytest.raises(DataError, match="longitude has 3 and 3 cells, from 90.0000 and 90.5000"):
        carbon.net_ecosystem_production(flux(np.ones((2, 3))), shifted)


def test_budget_weights_by_area():
    result = budgets.budget(flux([[100.0] * 3, [400.0] * 3]), AREA)
    assert result["mean_gC_m2_yr"] == pytest.approx((3 * 100 + 6 * 400) / 9)


def test_budget_leaves_missing_cells_out_of_mean_and_area():
    result = budgets.budget(flux([[np.nan, np.nan, np.nan], [400.0] * 3]), AREA)
    assert result == pytest.approx({"mean_gC_m2_yr": 400, "total_TgC_yr": 24.0, "valid_area_Mkm2": 0.06})


def test_budget_of_nothing_is_no_number():
    result = budgets.budget(flux(np.full((2, 3), np.nan)), AREA)
    assert np.isnan(result["mean_gC_m2_yr"]) and result["valid_area_Mkm2"] == 0


def test_the_papers_mean_on_the_papers_area_is_174_and_not_22():
    area = xr.full_like(AREA, 2.56e6 / 6)
    assert budgets.budget(flux(np.full((2, 3), 68.06)), area)["total_TgC_yr"] == pytest.approx(174.2336)


@given(FLUXES)
def test_total_is_mean_times_area(values):
    result = budgets.budget(flux(values), AREA)
    assert result["total_TgC_yr"] == pytest.approx(result["mean_gC_m2_yr"] * result["valid_area_Mkm2"], abs=1e-9)


@given(FLUXES, FLUXES)
def test_the_budget_of_nep_is_the_difference_of_the_budgets(npp, rh):
    nep = carbon.net_ecosystem_production(flux(npp), flux(rh))
    difference = budgets.budget(flux(npp), AREA)["total_TgC_yr"] - budgets.budget(flux(rh), AREA)["total_TgC_yr"]
    assert budgets.budget(nep, AREA)["total_TgC_yr"] == pytest.approx(difference, abs=1e-9)


def test_yearly_budget_has_a_row_a_year():
    time = pd.date_range("2000-01-01", periods=3, freq="YS")
    yearly = flux(np.ones((2, 3))).expand_dims(time=time) * xr.DataArray([1.0, 2.0, 3.0], {"time": time})
    table = budgets.yearly_budget(yearly, AREA)
    assert table["year"].tolist() == [2000, 2001, 2002] and table["mean_gC_m2_yr"].tolist() == [1.0, 2.0, 3.0]


def test_yearly_budget_of_a_climatology_is_refused():
    with pytest.raises(DataError, match="no dimension 'time'"):
        budgets.yearly_budget(flux(np.ones((2, 3))), AREA)


def test_fitted_line_recovers_slope_intercept_and_scatter():
    rng = np.random.default_rng(1)
    rs = rng.uniform(100, 1500, 4000)
    line = carbon.fit_line(pd.DataFrame({"rs": rs, "rh": 0.55 * rs + 30 + rng.normal(0, 50, rs.size)}), "made")
    assert (line.slope, line.intercept, line.residual_sd) == pytest.approx((0.55, 30, 50), rel=0.1)
    assert abs(line.slope - 0.55) < 4 * line.slope_se


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"rs": [1.0, 2.0, 3.0]}, "lack the columns .'rh'."),
        ({"rs": [1.0, np.nan, 3.0], "rh": [1.0, 2.0, np.nan]}, "1 complete pairs"),
        ({"rs": [5.0, 5.0, 5.0], "rh": [1.0, 2.0, 3.0]}, "at different Rs"),
    ],
)
def test_pairs_that_fit_no_line_are_refused(pairs, message):
    with pytest.raises(DataError, match=message):
        carbon.fit_line(pd.DataFrame(pairs), "pairs")


def test_a_line_survives_its_table_and_csv(tmp_path):
    lines = {"paper": carbon.PAPER_LINE, "mine": carbon.Line("mine", 0.5, 20.0, 0.8, 12, 0.1, 5.0, 40.0)}
    carbon.line_table(lines).to_csv(tmp_path / "lines.csv", index=False)
    table = pd.read_csv(tmp_path / "lines.csv")
    assert carbon.line_from_table(table, "mine") == lines["mine"]
    assert carbon.line_from_table(table, "paper").n is None


def test_a_line_that_the_table_lacks_is_named():
    with pytest.raises(DataError, match="no line 'other'; it has .'paper'."):
        carbon.line_from_table(carbon.line_table({"paper": carbon.PAPER_LINE}), "other")


def test_smearing_recovers_the_mean_of_skewed_fluxes_that_the_exponential_misses():
    residuals = np.random.default_rng(3).normal(0, 0.6, 20_000)
    ln_rs = flux(np.full((2, 3), np.log(400.0)))
    mean = 400 * np.exp(0.6**2 / 2)
    assert retransform.back_transform(ln_rs, residuals, "smearing").values == pytest.approx(mean, rel=0.02)
    assert retransform.back_transform(ln_rs, residuals, "exponential").values == pytest.approx(400.0)


def test_smearing_passes_over_rows_that_every_tree_saw():
    ln_rs = flux(np.zeros((2, 3)))
    assert retransform.back_transform(ln_rs, [np.nan, np.log(3.0)], "smearing").values == pytest.approx(3.0)


@pytest.mark.parametrize(("residuals", "how"), [([np.nan], "smearing"), ([0.1], "bootstrap")])
def test_a_back_transformation_that_cannot_be_is_refused(residuals, how):
    with pytest.raises(ForestError, match="no residual|expected exponential or smearing"):
        retransform.back_transform(flux(np.zeros((2, 3))), residuals, how)


def test_trend_of_a_straight_rise_is_its_slope():
    yearly = pd.DataFrame({"quantity": "NPP", "year": range(2000, 2019), "total_TgC_yr": 800 + 2.5 * np.arange(19.0)})
    trend = budgets.trends(yearly).iloc[0]
    assert trend["sen_slope_TgC_yr2"] == pytest.approx(2.5) and trend["p_value"] < 0.001


def test_trend_of_noise_is_not_significant():
    noise = np.random.default_rng(2).normal(800, 20, 19)
    yearly = pd.DataFrame({"quantity": "NPP", "year": range(2000, 2019), "total_TgC_yr": noise})
    assert budgets.trends(yearly)["p_value"].iloc[0] > 0.05
