"""Towers: years from months, which years count, and the cell beside the tower."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance.carbon import Line
from helpers.balance.towers import PARTITION_FACTOR, annual_fluxes, tower_table


def months(site: str, year: int, **changes: float) -> pd.DataFrame:
    """Return a year of a tower, alike in its 12 months [g C m-2 d-1]."""
    daily = {"nee": -1.0, "gpp_night": 3.0, "gpp_day": 4.0, "reco_night": 2.0, "reco_day": 2.5} | changes
    place = {"site": site, "longitude": 90.1, "latitude": 30.9, "year": year}
    return pd.DataFrame(place | {"month": np.arange(1, 13)} | daily)


def test_a_year_is_the_sum_of_monthly_means_times_the_days_of_the_month():
    """In a common year January has 31 of 365 days, February 28."""
    year = months("A", 2003)
    year.loc[1, "nee"] = -11.0
    row = annual_fluxes(year).iloc[0]
    assert row["nep_gC_m2_yr"] == 365 + 10 * 28
    assert (row["gpp_gC_m2_yr"], row["reco_gC_m2_yr"]) == (3.5 * 365, 2.25 * 365)
    assert (row["months"], row["left_out"]) == (12, "")
    assert annual_fluxes(months("A", 2004)).iloc[0]["nep_gC_m2_yr"] == 366


@pytest.mark.parametrize("column", ["nee", "gpp_night", "reco_day"])
def test_a_year_that_lacks_a_month_of_any_flux_is_listed_and_does_not_count(column):
    year = months("A", 2003)
    year.loc[6, column] = np.nan
    row = annual_fluxes(pd.concat([year, months("A", 2004)])).iloc[0]
    assert (row["months"], row["left_out"]) == (11, "11 of 12 months")


@pytest.mark.parametrize(
    ("changes", "ratio"), [({"reco_night": 1.0}, 2.5), ({"gpp_day": 4.8}, 1.6), ({"reco_night": 3.9}, 1.56)]
)
def test_a_year_whose_two_partitions_disagree_does_not_count(changes, ratio):
    row = annual_fluxes(months("A", 2003, **changes)).iloc[0]
    assert row["partition_ratio"] == pytest.approx(ratio)
    assert row["left_out"] == f"night-time and day-time partition differ by a factor of {ratio:.1f}"


def test_partitions_may_differ_by_the_factor():
    assert PARTITION_FACTOR == 1.5
    assert annual_fluxes(months("A", 2003, gpp_day=4.5))["left_out"].tolist() == [""]


def test_a_partition_below_zero_has_failed():
    row = annual_fluxes(months("A", 2003, reco_night=-0.1)).iloc[0]
    assert np.isinf(row["partition_ratio"]) and row["left_out"].endswith("factor of inf")


def cells(**values: tuple[float, float]) -> xr.Dataset:
    """Return maps of two cells, at 90 and at 91 degrees east."""
    grid = {"latitude": [31.0, 30.0], "longitude": [90.0, 91.0]}
    made = {name: (tuple(grid), np.array([pair, (np.nan, np.nan)])) for name, pair in values.items()}
    return xr.Dataset(made, grid)


@pytest.fixture
def beside() -> pd.DataFrame:
    """Two years of a tower that count and one that does not, in the western cell."""
    annual = annual_fluxes(pd.concat([months("A", 2003), months("A", 2005, nee=-2.0), months("A", 2004, gpp_day=9.0)]))
    maps = cells(npp=(300, 1), rs=(500, 2), rh=(310, 3), nep=(-10, 4))
    limits = cells(npp_lower=(260, 1), npp_upper=(330, 1))
    limits = limits.assign(np.log(cells(rs_lower=(440, 1), rs_upper=(550, 1))))
    return tower_table(annual, maps, limits, Line("test", slope=0.6, intercept=10.0, r2=1.0))


def test_a_tower_has_the_mean_of_its_years_that_count(beside):
    (row,) = beside.to_dict("records")
    assert (row["site"], row["years"], row["n_years"], row["n_left_out"]) == ("A", "2003, 2005", 2, 1)
    assert row["nep_gC_m2_yr"] == 1.5 * 365 and row["gpp_gC_m2_yr"] == 3.5 * 365


def test_the_cell_is_the_one_that_the_tower_stands_in(beside):
    row = beside.iloc[0]
    assert row[[f"cell_{flux}_gC_m2_yr" for flux in ("npp", "rs", "rh", "nep")]].tolist() == [300, 500, 310, -10]
    ends = ["npp_lower", "npp_upper", "rs_lower", "rs_upper"]
    assert row[[f"cell_{end}_gC_m2_yr" for end in ends]].tolist() == pytest.approx([260, 330, 440, 550])


def test_the_interval_of_nep_adds_those_of_npp_and_rh_in_quadrature(beside):
    """Low: NPP falls by 40, Rh rises by 0.6 x 50 = 30: 50 together. High: NPP rises by 30, Rh falls by 36: 46.86."""
    row = beside.iloc[0]
    assert row["cell_nep_lower_gC_m2_yr"] == pytest.approx(-10 - 50)
    assert row["cell_nep_upper_gC_m2_yr"] == pytest.approx(-10 + np.hypot(30, 36))
    assert not row["nep_inside"]  # the tower has 547.5


def test_a_tower_whose_nep_lies_in_the_interval_is_inside():
    annual = annual_fluxes(months("A", 2003, nee=-0.05))
    maps = cells(npp=(300, 1), rs=(500, 2), rh=(310, 3), nep=(-10, 4))
    limits = cells(npp_lower=(260, 1), npp_upper=(330, 1)).assign(np.log(cells(rs_lower=(440, 1), rs_upper=(550, 1))))
    assert tower_table(annual, maps, limits, Line("test", 0.6, 10.0, 1.0))["nep_inside"].tolist() == [True]


def test_a_tower_without_a_year_that_counts_has_no_row():
    annual = annual_fluxes(pd.concat([months("A", 2003), months("B", 2003, gpp_day=9.0)]))
    maps = cells(npp=(300, 1), rs=(500, 2), rh=(310, 3), nep=(-10, 4))
    limits = cells(npp_lower=(260, 1), npp_upper=(330, 1), rs_lower=(6, 1), rs_upper=(7, 1))
    assert tower_table(annual, maps, limits, Line("test", 0.6, 10.0, 1.0))["site"].tolist() == ["A"]
