"""The audit of the paper's arithmetic, its claims beside ours, and what others published."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance import paper
from helpers.errors import DataError


def audited(claim):
    return paper.audit_table().set_index("claim").loc[[claim]]


def test_the_papers_total_is_not_its_mean_times_its_area():
    step = audited("nep_total").iloc[0]
    assert step["arithmetic"] == "68.06 x 2.56" and step["implied"] == pytest.approx(174.2336)
    assert (step["stated"], step["agrees"], step["unit"]) == ("22.3", "no", "Tg C yr-1")


def test_the_papers_mean_is_npp_less_rh_only_if_255_is_rh():
    steps = audited("nep_mean")
    assert steps["arithmetic"].tolist() == ["321.4 - 255.3", "321.4 - (0.62 x 255.3 + 9.01)"]
    assert steps["implied"].tolist() == pytest.approx([66.1, 154.104])
    assert steps["agrees"].tolist() == ["nearly", "no"]


def test_the_papers_four_totals_imply_four_areas():
    steps = audited("area")
    assert steps["implied"].round(2).tolist() == [0.33, 1.43, 1.0, 1.12] and set(steps["agrees"]) == {"no"}


def test_the_papers_underestimates_follow_from_its_means():
    steps = audited("npp_under")
    assert steps["implied"].round(1).tolist() == [32.5, 61.8, 64.4] and set(steps["agrees"]) == {"yes"}


def test_the_papers_r2_of_a_figure_is_not_the_square_of_its_r_in_a_table():
    assert audited("npp_fit_r2").iloc[0]["implied"] == pytest.approx(0.42**2)
    assert audited("rs_fit_r2").iloc[0]["implied"] == pytest.approx(0.7**2)


def test_every_claim_has_a_row_and_ours_stands_in_it():
    table = paper.claims_table({"nep_mean": -100.0}).set_index("id")
    assert len(table) == len(paper.paper_claims())
    assert table.loc["nep_mean", "ours"] == -100 and np.isnan(table.loc["npp_mean", "ours"])
    assert table.loc["npp_under", "paper"] == "30-70"
    assert table.loc["nep_mean", "arithmetic"] == "321.4 - 255.3 = 66.1; 321.4 - (0.62 x 255.3 + 9.01) = 154.1"
    assert table.loc["nep_mean", "agrees"] == "nearly, no" and table.loc["area", "agrees"] == "no"
    assert table.loc["npp_n", ["arithmetic", "agrees"]].tolist() == ["", ""]


def test_a_value_for_what_is_not_a_claim_is_refused():
    with pytest.raises(DataError, match="makes no claim .'nep_maen'."):
        paper.claims_table({"nep_maen": 1.0})


def test_the_paper_has_two_tables():
    assert "qrfm" not in paper.paper_table(1) and "modis" not in paper.paper_table(2)
    with pytest.raises(DataError, match="no table 3; expected 1 or 2"):
        paper.paper_table(3)


def run_tables(products):
    """Return the tables of a run: budgets of the given rows, scores of both forests, the line."""
    budgets = pd.DataFrame(
        products, columns=["quantity", "product", "mean_gC_m2_yr", "total_TgC_yr", "common_mean_gC_m2_yr"]
    )
    scores = [
        {"model": model, "scheme": scheme, "part": "pooled", "metric": metric, "value": value, "n": n}
        for model, n, k in (("NPP", 40, 1), ("ln Rs", 20, 2))
        for scheme, shift in (("random_split", 0), ("knndm", 50))
        for metric, value in (("r", 0.1 * k), ("r2_correlation", 0.2 * k + shift), ("slope", 0.3 * k + shift))
    ]
    fits = pd.DataFrame(
        {"line": ["paper", "site_means"], "slope": [0.6, 0.5], "intercept_gC_m2_yr": [9.0, 20.0], "r2": [0.7, 0.8]}
    )
    area = xr.DataArray([1e6, 2e6, 4e6], dims="cell")
    cube = xr.Dataset({"cell_area": area, "in_region": xr.DataArray([True, False, True], dims="cell")})
    return budgets, pd.DataFrame(scores), fits, cube


def test_our_values_of_the_claims_are_those_of_the_runs_tables():
    rows = [
        ("NPP", "Random forest", 300, 1, 310),
        ("Rh", "Random forest", 200, 2, 210),
        ("Rs", "Random forest", 400, 3, 500),
        ("Rs", "QRFM", 400, 4, 450),
        ("NEP", "Random forest", 100, 250, 100),
        ("NEP", "CASA", -50, -125, -50),
        ("NEP", "Miami", -9, -9, -9),
    ]
    assert paper.our_claims(*run_tables(rows)) == pytest.approx(
        {
            "area": 5,
            "rs_rh_slope": 0.5,
            "rs_rh_intercept": 20,
            "rs_rh_r2": 0.8,
            "npp_n": 40,
            "npp_fit_r2": 0.2,
            "npp_fit_slope": 0.3,
            "rs_n": 20,
            "rs_fit_r2": 0.4,
            "rs_fit_slope": 0.6,
            "qrfm_under": 10,
            "npp_mean": 300,
            "rh_mean": 200,
            "nep_mean": 100,
            "nep_total": 250,
            "nep_mean_casa": -50,
            "nep_total_casa": -125,
        }
    )


def test_a_claim_about_a_product_that_a_run_lacks_is_left_out():
    found = paper.our_claims(*run_tables([("NPP", "Random forest", 300, 1, 310)]))
    assert {"qrfm_under", "nep_mean", "nep_total_modis"}.isdisjoint(found) and found["npp_mean"] == 300


def test_the_papers_means_are_given_for_the_rows_that_a_run_has():
    budgets = pd.DataFrame({"quantity": ["NPP", "NEP", "NEP"], "product": ["Random forest", "Miami", "CASA"]})
    assert paper.paper_means(budgets).to_numpy().tolist() == [["NPP", "Random forest", 321.4], ["NEP", "CASA", -119.65]]


def test_published_sinks_read_ranges_and_negative_numbers():
    table = paper.published_sinks().set_index("label")
    assert table.loc["Wei et al. 2021, to the 2090s", ["low", "high"]].tolist() == [178.0, 318.0]
    assert table.loc["Piao et al. 2012, 1960s", ["low", "high"]].tolist() == [-0.5, -0.5]
    assert table.loc["Wu et al. 2022", ["low", "source"]].tolist() == [43.16, "Wu et al. 2022"]


def test_published_sinks_leave_out_what_is_no_sink():
    assert not paper.published_sinks()["source"].str.contains("Zhao|CLM5|Wang").any()


def test_every_published_number_is_listed_in_the_unit_of_its_flux():
    """374.2 Tg C yr-1 over 2.5 million km2 are 149.68 g C m-2 yr-1; a mean and a sink stay as they are."""
    table = paper.published_estimates(plateau_Mkm2=2.5).set_index(["flux", "source"])
    assert table.loc[("GPP", "Zhao et al. 2025"), "low"] == pytest.approx(374.2 / 2.5)
    assert table.loc[("NPP", "CLM5 study 2024"), ["low", "high"]].tolist() == [256.0, 256.0]
    assert table.loc[("NPP", "Zeng et al. 2023"), "low"] == 321.4
    assert table.loc[("NEP", "Zeng et al. 2023"), "low"] == 22.3
    assert table.loc[("NEP", "Wei et al. 2021"), ["low", "high"]].tolist() == [178.0, 318.0]
    assert paper.published_gpp() == 374.2
