"""From soil respiration to heterotrophic respiration and net ecosystem production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import linregress

from helpers.balance.budgets import mean_map, same_grid
from helpers.errors import DataError
from helpers.names import product_name


@dataclass(frozen=True)
class Line:
    """The line Rh = slope x Rs + intercept."""

    label: str  #: Where the line comes from.
    slope: float  #: Heterotrophic share of soil respiration, 1.
    intercept: float  #: g C m-2 yr-1.
    r2: float  #: Share of the variance of Rh that the line explains, 1.
    n: int | None = None  #: Points that it was fitted to; None where that is not known.
    slope_se: float = np.nan  #: Standard errors of the fit; NaN where they are not known.
    intercept_se: float = np.nan  #: Standard errors of the fit; NaN where they are not known.
    residual_sd: float = np.nan  #: Standard deviation of Rh about the line, g C m-2 yr-1; NaN where it is not known.


#: Fields of a line in g C m-2 yr-1: columns of a table carry their unit.
_LINE_FLUXES = ("intercept", "intercept_se", "residual_sd")
#: Eq. 3 of the paper, which gives neither n nor standard errors.
PAPER_LINE = Line("Zeng et al. 2023, Eq. 3", slope=0.62, intercept=9.01, r2=0.77)


def fit_line(pairs: pd.DataFrame, label: str) -> Line:
    """Fit Rh = slope x Rs + intercept by ordinary least squares, as Eq. 3 of the paper.

    The pairs have ``rs`` and ``rh`` [g C m-2 yr-1]; the label says what they are. DataError is raised for a missing
    column, fewer than three complete pairs, or pairs that all have one Rs.

    Examples
    --------
    >>> line = fit_line(pd.DataFrame({"rs": [100.0, 200.0, 400.0], "rh": [70.0, 130.0, 250.0]}), "by hand")
    >>> round(line.slope, 6), round(line.intercept, 6), round(line.r2, 6)
    (0.6, 10.0, 1.0)
    """
    rs, rh = _complete(pairs, label)
    if np.unique(rs).size < 2:
        raise DataError(f"{label}: {len(rs)} complete pairs at one Rs; a line needs three or more, at different Rs")
    fit = linregress(rs, rh)
    error = rh - fit.slope * rs - fit.intercept
    return Line(
        label,
        slope=float(fit.slope),
        intercept=float(fit.intercept),
        r2=float(fit.rvalue**2),
        n=len(rs),
        slope_se=float(fit.stderr),
        intercept_se=float(fit.intercept_stderr),
        residual_sd=float(np.sqrt(np.sum(error**2) / (len(rs) - 2))),
    )


def fit_share(pairs: pd.DataFrame, label: str) -> Line:
    r"""Fit Rh = slope x Rs, a share of Rs without an intercept: the ratio of the two means.

    Where no root respires and no microbe does, Rs is zero and so is Rh: an intercept is not expected, and at low Rs, on
    most of the paper's plateau, it weighs. The ratio estimator suits a scatter that grows with Rs (Cochran 1977,
    section 6.3):

    .. math:: q = \frac{\sum R_h}{\sum R_s},\quad
        s_q = \frac{1}{\overline{R_s}} \sqrt{\frac{\sum (R_h - q R_s)^2}{n (n - 1)}}

    The pairs and the errors are those of :func:`fit_line`; pairs at one Rs will do.

    Examples
    --------
    >>> share = fit_share(pd.DataFrame({"rs": [100.0, 200.0, 300.0], "rh": [70.0, 110.0, 180.0]}), "by hand")
    >>> round(share.slope, 6), share.intercept, round(share.slope_se, 6)
    (0.6, 0.0, 0.028868)
    """
    rs, rh = _complete(pairs, label)
    n, slope = len(rs), rh.sum() / rs.sum()
    squared = np.sum((rh - slope * rs) ** 2)
    return Line(
        label,
        slope=float(slope),
        intercept=0.0,
        r2=float(1 - squared / np.sum((rh - rh.mean()) ** 2)),
        n=n,
        slope_se=float(np.sqrt(squared / (n * (n - 1))) / rs.mean()),
        intercept_se=0.0,
        residual_sd=float(np.sqrt(squared / (n - 1))),
    )


def share_by_biome(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the share of Rs that is Rh by the vegetation of the pairs, the biome with most sites first.

    The pairs are records with ``site``, ``vegetation``, ``rs`` and ``rh`` [g C m-2 yr-1]; each site of a biome counts
    once. The columns are ``biome``, ``n_records``, ``n_sites``, ``rs_gC_m2_yr`` and ``rh_gC_m2_yr`` (means of sites),
    ``share`` and its standard error ``share_se``, which is missing for fewer than three sites.
    """
    sites = pairs.groupby(["vegetation", "site"])[["rs", "rh"]].mean().dropna()
    means = sites.groupby("vegetation").mean().add_suffix("_gC_m2_yr").rename_axis("biome")
    means.insert(0, "n_records", pairs.groupby("vegetation").size())
    means.insert(1, "n_sites", sites.groupby("vegetation").size())
    means["share"] = means["rh_gC_m2_yr"] / means["rs_gC_m2_yr"]
    several = means.index[means["n_sites"] > 2]
    means["share_se"] = pd.Series(
        {biome: fit_share(sites.loc[biome], biome).slope_se for biome in several}, dtype=float
    )
    return means.sort_values("n_sites", ascending=False, kind="stable").reset_index()


def _complete(pairs: pd.DataFrame, label: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Rs and Rh of the complete pairs; refuse too few."""
    missing = {"rs", "rh"} - set(pairs.columns)
    if missing:
        raise DataError(f"{label}: the pairs lack the columns {sorted(missing)}")
    complete = pairs[["rs", "rh"]].dropna()
    if len(complete) < 3:
        raise DataError(f"{label}: {len(complete)} complete pairs; a line needs three or more, at different Rs")
    return complete["rs"].to_numpy(float), complete["rh"].to_numpy(float)


def line_table(lines: Mapping[str, Line]) -> pd.DataFrame:
    """Return lines as a table, one row per line.

    The keys are the names that the parameter ``rs_rh_line`` gives them. The columns are ``line`` (the name) and the
    fields of :class:`Line`, where ``intercept_gC_m2_yr``, ``intercept_se_gC_m2_yr`` and ``residual_sd_gC_m2_yr`` carry
    their unit.
    """
    table = pd.DataFrame([{"line": name} | asdict(line) for name, line in lines.items()])
    return table.rename(columns={name: f"{name}_gC_m2_yr" for name in _LINE_FLUXES}).astype({"n": "Int64"})


def line_from_table(table: pd.DataFrame, line: str) -> Line:
    """Return the line of a name from a :func:`line_table`, also from one that was read back from CSV.

    A name that the table does not have raises a ``DataError``.
    """
    found = table[table["line"] == line]
    if found.empty:
        raise DataError(f"the table has no line {line!r}; it has {table['line'].tolist()}")
    row = found.iloc[0].rename(lambda name: name.removesuffix("_gC_m2_yr")).drop("line")
    return Line(**row.drop("n").to_dict(), n=None if pd.isna(row["n"]) else int(row["n"]))


def heterotrophic_respiration(rs: xr.DataArray, line: Line) -> xr.DataArray:
    """Return Rh = slope x Rs + intercept (Eq. 3), g C m-2 yr-1, on the grid of ``rs``."""
    rh = line.slope * rs + line.intercept
    return rh.rename("rh").assign_attrs(
        units="g C m-2 yr-1", long_name="heterotrophic respiration", source=f"Rs by the line of {line.label}"
    )


def net_ecosystem_production(npp: xr.DataArray, rh: xr.DataArray) -> xr.DataArray:
    """Return NEP = NPP - Rh (Eq. 4), g C m-2 yr-1; above zero is a sink.

    NEP is missing where NPP or Rh is missing. Fields on different grids raise a ``DataError``.
    """
    same_grid(npp, rh)
    return (npp - rh).rename("nep").assign_attrs(units="g C m-2 yr-1", long_name="net ecosystem production")


def balances_of_members(family: xr.Dataset, line: Line) -> dict[str, dict[str, xr.DataArray]]:
    """Return the maps of NPP, Rs, Rh and NEP of each member of a family that has both NPP and Rs, by its name.

    The family has ``npp`` and ``rs`` with a dimension ``member``; the line makes Rh of Rs [all g C m-2 yr-1].
    """
    found = {}
    for member in family["member"].to_numpy():
        npp, rs = (family[name].sel(member=member, drop=True) for name in ("npp", "rs"))
        if npp.notnull().any() and rs.notnull().any():
            rh = heterotrophic_respiration(rs, line)
            found[str(member)] = {"npp": npp, "rs": rs, "rh": rh, "nep": net_ecosystem_production(npp, rh)}
    return found


def product_pairs(
    nep: xr.DataArray,
    npp_products: Mapping[str, xr.DataArray],
    rh_products: Mapping[str, xr.DataArray],
    other_rh: xr.DataArray | None,
) -> dict[str, xr.DataArray]:
    """Return NEP of the forests, and of each product of NPP less an Rh, named as in the paper's figure 5.

    The products go by their names without the quantity, such as ``casa_cnp``. A product of NPP takes the Rh of the same
    model where there is one: a model that is low in both is not a sink for that. Otherwise it takes ``other_rh``, from
    another product of Rs, as the paper's do [all g C m-2 yr-1]; without one it has no NEP. The keys of the result are
    ``Random forest``, then the names of the products of NPP.
    """
    pairs = {product_name("random_forest"): mean_map(nep)}
    for name, npp in npp_products.items():
        rh = rh_products.get(name, other_rh)
        if rh is not None:
            pairs[product_name(name)] = net_ecosystem_production(npp, rh)
    return pairs


def balance_limits(maps: Mapping[str, xr.DataArray], limits: xr.Dataset, line: Line) -> xr.Dataset:
    """Return the interval of NEP in each cell, for one more record there.

    It adds the intervals of NPP and of Rh, by the line from Rs to Rh, as independent errors: in quadrature, upper and
    lower side by themselves. It carries no doubt about the line.

    The maps, without years, are ``npp``, ``rh`` and ``nep`` [g C m-2 yr-1], the limits ``npp_lower``, ``npp_upper``,
    ``rs_lower`` and ``rs_upper`` [ln of that], see :func:`helpers.forests.checks.interval_limits`. The result has
    ``nep_lower`` and ``nep_upper`` [g C m-2 yr-1].
    """
    ends = {}
    for end, other, sign in (("lower", "upper", -1), ("upper", "lower", 1)):  # NEP is low where Rh is high
        rh = line.slope * np.exp(limits[f"rs_{other}"]) + line.intercept
        ends[f"nep_{end}"] = maps["nep"] + sign * np.hypot(limits[f"npp_{end}"] - maps["npp"], rh - maps["rh"])
    return xr.Dataset(ends)
