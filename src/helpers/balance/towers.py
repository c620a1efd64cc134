"""What eddy-covariance towers measured, beside the cells of the maps that they stand in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from helpers.balance.carbon import Line, balance_limits
from helpers.data.cube import sample

#: How far night-time and day-time partition of a year may lie apart: beyond, one of them has failed.
PARTITION_FACTOR = 1.5

_PARTS = {"gpp": ("gpp_night", "gpp_day"), "reco": ("reco_night", "reco_day")}


def annual_fluxes(monthly: pd.DataFrame) -> pd.DataFrame:
    """Return the fluxes of each tower and year: monthly means times the days of the month, added up.

    GPP and Reco are the mean of the night-time and the day-time partition of NEE. A year counts if it has twelve months
    of every flux, and both partitions agree within :data:`PARTITION_FACTOR`; the others are listed with the reason. The
    months are those of :func:`helpers.data.readers.read_towers`. The columns are ``site``, ``longitude``, ``latitude``,
    ``year``, ``months`` (complete ones), ``gpp_gC_m2_yr``, ``reco_gC_m2_yr``, ``nep_gC_m2_yr`` (= -NEE; above zero is a
    sink), ``partition_ratio`` (the larger of GPP's and Reco's, greater partition over smaller) and ``left_out`` (the
    reason; empty where the year counts).
    """
    fluxes = ["nee", *(name for pair in _PARTS.values() for name in pair)]
    rows = []
    for (site, year), months in monthly.groupby(["site", "year"], sort=True):
        complete = months.dropna(subset=fluxes)
        days = pd.to_datetime({"year": complete["year"], "month": complete["month"], "day": 1}).dt.days_in_month
        total = complete[fluxes].mul(days, axis=0).sum()
        ratios = [max(total[a], total[b]) / min(total[a], total[b]) for a, b in _PARTS.values()]
        # A partition at or below zero is no flux at all: its ratio is negative or infinite.
        ratio = max(ratios) if min(total[name] for pair in _PARTS.values() for name in pair) > 0 else np.inf
        if len(complete) < 12:
            reason = f"{len(complete)} of 12 months"
        elif ratio > PARTITION_FACTOR:
            reason = f"night-time and day-time partition differ by a factor of {ratio:.1f}"
        else:
            reason = ""
        place = {"longitude": months["longitude"].iloc[0], "latitude": months["latitude"].iloc[0]}
        found = {f"{flux}_gC_m2_yr": (total[night] + total[day]) / 2 for flux, (night, day) in _PARTS.items()}
        counted = {"months": len(complete), **found, "nep_gC_m2_yr": -total["nee"], "partition_ratio": ratio}
        rows.append({"site": site, **place, "year": int(year), **counted, "left_out": reason})
    return pd.DataFrame(rows)


def tower_table(annual: pd.DataFrame, maps: xr.Dataset, limits: xr.Dataset, line: Line) -> pd.DataFrame:
    """Return the mean of each tower's years beside the cell that it stands in.

    The interval of NEP is that of :func:`helpers.balance.carbon.balance_limits`.

    The years are those of :func:`annual_fluxes`; a tower without one that counts has no row. The maps, without years,
    are ``npp``, ``rs``, ``rh`` and ``nep`` [g C m-2 yr-1], the limits ``npp_lower``, ``npp_upper``, ``rs_lower`` and
    ``rs_upper`` [ln of that], see :func:`helpers.forests.checks.interval_limits`.

    Returns
    -------
    pandas.DataFrame
        A row per tower: ``site``, ``longitude``, ``latitude``, ``years``, ``n_years``, ``n_left_out``, the tower's
        ``gpp_gC_m2_yr``, ``reco_gC_m2_yr`` and ``nep_gC_m2_yr`` (means of the years), the cell's ``cell_npp_gC_m2_yr``
        and so on, with ``cell_npp_lower_gC_m2_yr`` and ``_upper`` (also of ``rs`` and ``nep``), and ``nep_inside``:
        whether the tower's NEP lies in the interval of its cell.
    """
    used = annual[annual["left_out"] == ""]
    sites = used.groupby("site", sort=True)
    fluxes = ["gpp_gC_m2_yr", "reco_gC_m2_yr", "nep_gC_m2_yr"]
    towers = sites[["longitude", "latitude", *fluxes]].mean()
    towers.insert(2, "years", sites["year"].agg(lambda years: ", ".join(map(str, years))))
    towers.insert(3, "n_years", sites.size())
    towers.insert(4, "n_left_out", annual.groupby("site").size() - sites.size())
    towers = towers.reset_index()
    ends = np.exp(limits[["rs_lower", "rs_upper"]]).assign(limits[["npp_lower", "npp_upper"]])
    ends = ends.assign(balance_limits(maps, limits, line))
    cell = sample(maps, towers, ["npp", "rs", "rh", "nep"])
    cell = cell.join(
        sample(ends, towers, [f"{flux}_{end}" for end in ("lower", "upper") for flux in ("npp", "rs", "nep")])
    )
    inside = towers["nep_gC_m2_yr"].between(cell["nep_lower"], cell["nep_upper"])
    return towers.join(cell.add_prefix("cell_").add_suffix("_gC_m2_yr")).assign(nep_inside=inside)
