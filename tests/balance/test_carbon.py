"""From Rs to Rh and NEP, with numbers worked by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance import carbon
from helpers.errors import DataError

COORDINATES = {"latitude": [36.0, 35.0], "longitude": [90.0, 91.0]}


def flux(values, **where):
    return xr.DataArray(np.broadcast_to(np.asarray(values, float), (2, 2)).copy(), COORDINATES | where)


def test_the_papers_line_turns_819_into_its_heterotrophic_share():
    rh = carbon.heterotrophic_respiration(flux(819.0), carbon.PAPER_LINE)
    assert rh.values == pytest.approx(0.62 * 819 + 9.01)
    assert rh.name == "rh" and rh.attrs["source"] == "Rs by the line of Zeng et al. 2023, Eq. 3"


def test_net_ecosystem_production_is_a_sink_where_more_is_fixed_than_respired():
    assert carbon.net_ecosystem_production(flux(321.4), flux(255.3)).values == pytest.approx(66.1)


def test_net_ecosystem_production_is_missing_where_either_flux_is():
    npp, rh = flux(300.0), flux(200.0)
    npp[0, 0], rh[1, 1] = np.nan, np.nan
    assert carbon.net_ecosystem_production(npp, rh).isnull().values.tolist() == [[True, False], [False, True]]


def test_fields_on_two_grids_have_no_difference():
    with pytest.raises(DataError, match="longitude has 2 and 2 cells, from 90.0000 and 90.5000"):
        carbon.net_ecosystem_production(flux(1.0), flux(1.0, longitude=[90.5, 91.5]))


def test_a_fitted_line_is_that_worked_by_hand():
    """Rs 1, 2, 3, 4 (mean 2.5, squares 5) and Rh 2, 3, 5, 6 (mean 4, squares 10): 7 / 5, r2 7^2 / 50, residuals 0.2."""
    line = carbon.fit_line(pd.DataFrame({"rs": [1.0, 2, 3, 4, 9], "rh": [2.0, 3, 5, 6, np.nan]}), "by hand")
    error = np.sqrt(0.2 / 2)
    expected = (1.4, 0.5, 0.98, 4, error / np.sqrt(5), error * np.sqrt(1 / 4 + 2.5**2 / 5), error)
    found = (line.slope, line.intercept, line.r2, line.n, line.slope_se, line.intercept_se, line.residual_sd)
    assert found == pytest.approx(expected) and line.label == "by hand"


def test_three_pairs_at_two_values_of_rs_are_enough_for_a_line():
    line = carbon.fit_line(pd.DataFrame({"rs": [1.0, 3.0, 3.0], "rh": [2.0, 4.0, 6.0]}), "by hand")
    assert (line.slope, line.intercept, line.n) == (pytest.approx(1.5), pytest.approx(0.5), 3)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"rs": [1.0, 2.0, 3.0]}, "pairs: the pairs lack the columns .'rh'."),
        ({"rs": [1.0, np.nan, 3.0, 4.0], "rh": [1.0, 2.0, np.nan, 4.0]}, "2 complete pairs"),
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
    assert {"intercept_gC_m2_yr", "intercept_se_gC_m2_yr", "residual_sd_gC_m2_yr"} < set(table)


def test_a_line_that_the_table_lacks_is_named():
    with pytest.raises(DataError, match="no line 'other'; it has .'paper'."):
        carbon.line_from_table(carbon.line_table({"paper": carbon.PAPER_LINE}), "other")


def test_pairs_take_their_own_rh_where_there_is_one_and_else_the_other():
    products = {"modis": flux(5.0), "casa_cnp": flux(7.0)}
    nep = xr.concat([flux(1.0), flux(3.0)], pd.Index([2000, 2001], name="time"))
    pairs = carbon.product_pairs(nep, products, {"casa_cnp": flux(6.5), "mimics": flux(100.0)}, flux(2.0))
    assert {name: float(field[0, 0]) for name, field in pairs.items()} == {
        "Random forest": 2,
        "MODIS": 3,
        "CASA-CNP": 0.5,
    }


def test_without_another_product_of_rs_only_those_with_their_own_rh_are_paired():
    products = {"modis": flux(5.0), "casa_cnp": flux(7.0)}
    pairs = carbon.product_pairs(flux(1.0).expand_dims(time=[2000]), products, {"casa_cnp": flux(6.5)}, None)
    assert {name: float(field[0, 0]) for name, field in pairs.items()} == {"Random forest": 1, "CASA-CNP": 0.5}


def test_a_member_has_a_balance_where_it_has_both_fluxes():
    npp = xr.concat([flux(5.0), flux(7.0)], pd.Index(["forest", "paper"], name="member"))
    rs = xr.concat([flux(4.0), flux(np.nan)], pd.Index(["forest", "paper"], name="member"))
    found = carbon.balances_of_members(xr.Dataset({"npp": npp, "rs": rs}), carbon.Line("half", 0.5, 1.0, 1.0))
    assert {name: {k: float(v[0, 0]) for k, v in maps.items()} for name, maps in found.items()} == {
        "forest": {"npp": 5, "rs": 4, "rh": 3, "nep": 2}
    }


PAIRS = pd.DataFrame({"rs": [100.0, 200.0, 300.0], "rh": [70.0, 110.0, 180.0]})


def test_a_share_is_the_ratio_of_the_means_and_has_no_intercept():
    share = carbon.fit_share(PAIRS, "by hand")
    assert (share.slope, share.intercept, share.n) == (pytest.approx(0.6), 0.0, 3)
    # Residuals 10, -10, 0; squares 200; Rh varies by 6200 about its mean of 120.
    assert share.slope_se == pytest.approx(np.sqrt(200 / 6) / 200)
    assert share.residual_sd == pytest.approx(10) and share.r2 == pytest.approx(1 - 200 / 6200)


def test_a_share_follows_the_unit_of_rh_alone():
    assert carbon.fit_share(PAIRS.assign(rh=2 * PAIRS["rh"]), "double").slope == pytest.approx(1.2)
    assert carbon.fit_share(2 * PAIRS, "both").slope == pytest.approx(0.6)


def test_two_pairs_are_too_few_for_a_share():
    with pytest.raises(DataError, match="two: 2 complete pairs"):
        carbon.fit_share(PAIRS[:2], "two")


def test_shares_by_biome_count_each_site_once():
    """Meadow: sites of (100, 40), (200, 80) and the mean (300, 240) of two records; forest: one site."""
    pairs = pd.DataFrame(
        [
            ("meadow", "a", 100.0, 40.0),
            ("meadow", "b", 200.0, 80.0),
            ("meadow", "c", 200.0, 200.0),
            ("meadow", "c", 400.0, 280.0),
            ("forest", "d", 1000.0, 500.0),
        ],
        columns=["vegetation", "site", "rs", "rh"],
    )
    found = carbon.share_by_biome(pairs).set_index("biome")
    assert list(found.index) == ["meadow", "forest"]
    assert found.loc["meadow", ["n_records", "n_sites", "rs_gC_m2_yr", "rh_gC_m2_yr"]].tolist() == [4, 3, 200, 120]
    assert found["share"].tolist() == pytest.approx([0.6, 0.5])
    # Misses of -20, -40 and +60 about 0.6 Rs: their squares are 5600 together.
    assert found.loc["meadow", "share_se"] == pytest.approx(np.sqrt(5600 / 6) / 200)
    assert np.isnan(found.loc["forest", "share_se"])


def test_the_interval_of_nep_adds_those_of_npp_and_of_rh_side_by_side():
    maps = {"npp": flux(10.0), "rh": flux(6.0), "nep": flux(4.0)}
    limits = xr.Dataset({"npp_lower": flux(7.0), "npp_upper": flux(22.0)})
    limits = limits.assign(rs_lower=np.log(flux(2.0)), rs_upper=np.log(flux(20.0)))
    found = carbon.balance_limits(maps, limits, carbon.Line("half", 0.5, 0.0, 1.0))
    # Below: NPP 3 less, Rh 10 instead of 6. Above: NPP 12 more, Rh 1 instead of 6.
    assert float(found["nep_lower"][0, 0]) == pytest.approx(4 - 5)
    assert float(found["nep_upper"][0, 0]) == pytest.approx(4 + 13)
