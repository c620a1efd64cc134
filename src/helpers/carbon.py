"""From soil respiration to heterotrophic respiration, net ecosystem production and the plateau's budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import pymannkendall
import statsmodels.api as sm
import xarray as xr
from numpy.typing import ArrayLike

__all__ = [
    "PAPER_LINE",
    "CarbonError",
    "Line",
    "back_transform",
    "budget",
    "fit_line",
    "heterotrophic_respiration",
    "line_from_table",
    "line_table",
    "net_ecosystem_production",
    "trends",
    "yearly_budget",
]


class CarbonError(ValueError):
    """Fields that do not fit together; the message names the dimension, the column or the field."""


@dataclass(frozen=True)
class Line:
    """The line Rh = slope x Rs + intercept.

    Parameters
    ----------
    label : str
        Where the line comes from.
    slope : float
        Heterotrophic share of soil respiration, 1.
    intercept : float
        g C m-2 yr-1.
    r2 : float
        Share of the variance of Rh that the line explains, 1.
    n : int or None
        Points that it was fitted to; None where that is not known.
    slope_se, intercept_se : float
        Standard errors of the fit; NaN where they are not known.
    residual_sd : float
        Standard deviation of Rh about the line, g C m-2 yr-1; NaN where it is not known.
    """

    label: str
    slope: float
    intercept: float
    r2: float
    n: int | None = None
    slope_se: float = np.nan
    intercept_se: float = np.nan
    residual_sd: float = np.nan


#: Eq. 3 of the paper. The article gives neither n nor standard errors.
PAPER_LINE = Line("Zeng et al. 2023, Eq. 3", slope=0.62, intercept=9.01, r2=0.77)


def fit_line(pairs: pd.DataFrame, label: str) -> Line:
    """Fit Rh = slope x Rs + intercept by ordinary least squares, as Eq. 3 of the paper.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Columns ``rs`` and ``rh``, g C m-2 yr-1, a row a pair.
    label : str
        What the pairs are.

    Returns
    -------
    Line

    Raises
    ------
    CarbonError
        For a missing column, fewer than three complete pairs, or pairs that all have one Rs.

    Examples
    --------
    >>> line = fit_line(pd.DataFrame({"rs": [100.0, 200.0, 400.0], "rh": [70.0, 130.0, 250.0]}), "by hand")
    >>> round(line.slope, 6), round(line.intercept, 6), round(line.r2, 6)
    (0.6, 10.0, 1.0)
    """
    missing = {"rs", "rh"} - set(pairs.columns)
    if missing:
        raise CarbonError(f"{label}: the pairs lack the columns {sorted(missing)}")
    complete = pairs[["rs", "rh"]].dropna()
    if len(complete) < 3 or complete["rs"].nunique() < 2:
        raise CarbonError(f"{label}: {len(complete)} complete pairs; a line needs three or more, at different Rs")
    fit = sm.OLS(complete["rh"], sm.add_constant(complete["rs"])).fit()
    return Line(
        label,
        slope=float(fit.params["rs"]),
        intercept=float(fit.params["const"]),
        r2=float(fit.rsquared),
        n=len(complete),
        slope_se=float(fit.bse["rs"]),
        intercept_se=float(fit.bse["const"]),
        residual_sd=float(np.sqrt(fit.mse_resid)),
    )


def line_table(lines: Mapping[str, Line]) -> pd.DataFrame:
    """Return lines as a table, a row a line.

    Parameters
    ----------
    lines : mapping of str to Line
        Lines by the names that the parameter ``rs_rh_line`` gives them.

    Returns
    -------
    pandas.DataFrame
        Columns ``line``, ``label``, ``slope``, ``intercept_gC_m2_yr``, ``r2``, ``n``, ``slope_se``,
        ``intercept_se_gC_m2_yr`` and ``residual_sd_gC_m2_yr``.
    """
    table = pd.DataFrame([{"line": name} | asdict(line) for name, line in lines.items()])
    return table.rename(columns={name: f"{name}_gC_m2_yr" for name in _LINE_FLUXES}).astype({"n": "Int64"})


def line_from_table(table: pd.DataFrame, line: str) -> Line:
    """Return a line of :func:`line_table`, as it was or as read back from CSV.

    Raises
    ------
    CarbonError
        If the table has no such line.
    """
    found = table[table["line"] == line]
    if found.empty:
        raise CarbonError(f"the table has no line {line!r}; it has {table['line'].tolist()}")
    row = found.iloc[0].rename(lambda name: name.removesuffix("_gC_m2_yr")).drop("line")
    return Line(**row.drop("n").to_dict(), n=None if pd.isna(row["n"]) else int(row["n"]))


_LINE_FLUXES = ("intercept", "intercept_se", "residual_sd")


def back_transform(ln_rs: xr.DataArray, residuals: ArrayLike, how: str) -> xr.DataArray:
    """Return Rs from its predicted logarithm, by the exponential alone or with the smearing factor.

    The exponential of a mean logarithm is nearer to a median than to a mean: it is too low by the scatter about the
    prediction. Duan's smearing estimate, Rs = exp(ln Rs) x mean(exp(residual)), puts the mean back without a law for
    the scatter (Duan 1983, https://doi.org/10.1080/01621459.1983.10478017). It takes one scatter for all cells.

    Parameters
    ----------
    ln_rs : xarray.DataArray
        Predicted ln Rs, with Rs in g C m-2 yr-1.
    residuals : array_like, shape (n_rows,)
        Observed less predicted ln Rs of the training rows, of trees that did not see them: those of the sample are
        too small for a forest. Missing ones, of rows that every tree saw, do not count.
    how : {"exponential", "smearing"}
        ``exponential``, as the paper; it needs no residuals.

    Returns
    -------
    xarray.DataArray
        Soil respiration, g C m-2 yr-1; missing where ``ln_rs`` is.

    Raises
    ------
    CarbonError
        If ``how`` is none of the two, or smearing has no residual.

    Examples
    --------
    >>> float(back_transform(xr.DataArray(np.log(500.0)), [np.log(0.8), np.log(1.4)], "smearing").round(6))
    550.0
    """
    if how not in {"exponential", "smearing"}:
        raise CarbonError(f"back_transformation is {how!r}; expected exponential or smearing")
    median = np.exp(ln_rs).rename("rs")
    if how == "smearing":
        scatter = np.asarray(residuals, dtype="float64")
        scatter = scatter[np.isfinite(scatter)]
        if not scatter.size:
            raise CarbonError("smearing needs residuals of ln Rs, and all are missing: grow more trees")
        median = median * float(np.exp(scatter).mean())
    return median.assign_attrs(units="g C m-2 yr-1", long_name="soil respiration", back_transformation=how)


def heterotrophic_respiration(rs: xr.DataArray, line: Line = PAPER_LINE) -> xr.DataArray:
    """Return Rh = slope x Rs + intercept (Eq. 3).

    Parameters
    ----------
    rs : xarray.DataArray
        Soil respiration, g C m-2 yr-1.
    line : Line
        The paper's line, or one of :func:`fit_line`.

    Returns
    -------
    xarray.DataArray
        Heterotrophic respiration, g C m-2 yr-1, on the grid of ``rs``.
    """
    rh = line.slope * rs + line.intercept
    return rh.rename("rh").assign_attrs(
        units="g C m-2 yr-1", long_name="heterotrophic respiration", source=f"Rs by the line of {line.label}"
    )


def net_ecosystem_production(npp: xr.DataArray, rh: xr.DataArray) -> xr.DataArray:
    """Return NEP = NPP - Rh (Eq. 4); above zero is a sink.

    Parameters
    ----------
    npp, rh : xarray.DataArray
        Net primary production and heterotrophic respiration on one grid, g C m-2 yr-1.

    Returns
    -------
    xarray.DataArray
        Net ecosystem production, g C m-2 yr-1; missing where either is missing.

    Raises
    ------
    CarbonError
        If the two fields are not on one grid.
    """
    _same_grid(npp, rh)
    return (npp - rh).rename("nep").assign_attrs(units="g C m-2 yr-1", long_name="net ecosystem production")


def budget(field: xr.DataArray, cell_area: xr.DataArray) -> dict[str, float]:
    """Return the area-weighted mean, the total and the valid area of a field, together.

    The mean over the valid cells is sum(F a) / sum(a) with the flux F and the cell area a; the total is mean times
    area.

    Parameters
    ----------
    field : xarray.DataArray
        A flux, g C m-2 yr-1; cells that do not count are missing. With a dimension ``time``, each cell's mean over its
        valid years counts. One that Dask holds is read once, chunk by chunk.
    cell_area : xarray.DataArray, shape (latitude, longitude)
        km2.

    Returns
    -------
    dict
        ``mean_gC_m2_yr``, ``total_TgC_yr`` (1 Tg = 1e12 g) and ``valid_area_Mkm2``; mean and total are NaN where no
        cell is valid.

    Examples
    --------
    >>> grid = {"latitude": [1.0, 0.0], "longitude": [0.0]}
    >>> flux = xr.DataArray([[100.0], [300.0]], grid)
    >>> area = xr.DataArray([[1.0e6], [3.0e6]], grid)
    >>> budget(flux, area)
    {'mean_gC_m2_yr': 250.0, 'total_TgC_yr': 1000.0, 'valid_area_Mkm2': 4.0}
    """
    _same_grid(field, cell_area)
    mean = field.astype("float64")
    mean = mean.mean("time") if "time" in field.dims else mean
    sums = xr.Dataset({"area": cell_area.where(mean.notnull()).sum(), "total": (mean * cell_area).sum()}).compute()
    return _area_and_total(float(sums["area"]), float(sums["total"]))


def _area_and_total(area: float, total: float) -> dict[str, float]:
    """Return a budget from the valid area [km2] and the sum of flux times area [g C m-2 yr-1 km2]."""
    valid = area > 0
    return {
        "mean_gC_m2_yr": total / area if valid else np.nan,
        "total_TgC_yr": total * 1e6 / 1e12 if valid else np.nan,
        "valid_area_Mkm2": area / 1e6,
    }


def yearly_budget(field: xr.DataArray, cell_area: xr.DataArray) -> pd.DataFrame:
    """Return :func:`budget` for each year of a field.

    Parameters
    ----------
    field : xarray.DataArray, dimensions (time, latitude, longitude)
        A flux, g C m-2 yr-1.
    cell_area : xarray.DataArray, shape (latitude, longitude)
        km2.

    Returns
    -------
    pandas.DataFrame
        Columns ``year``, ``mean_gC_m2_yr``, ``total_TgC_yr`` and ``valid_area_Mkm2``.

    Raises
    ------
    CarbonError
        If the field has no dimension ``time``.
    """
    if "time" not in field.dims:
        raise CarbonError(f"{field.name or 'the field'} has no dimension 'time': a yearly budget needs yearly fields")
    _same_grid(field, cell_area)
    space = ("latitude", "longitude")
    sums = {
        "area": cell_area.where(field.notnull()).sum(space),
        "total": (field.astype("float64") * cell_area).sum(space),
    }
    by_year = xr.Dataset(sums).compute()
    return pd.DataFrame(
        {"year": int(year)} | _area_and_total(float(area), float(total))
        for year, area, total in zip(field["time"].dt.year.values, by_year["area"], by_year["total"], strict=True)
    )


def trends(yearly: pd.DataFrame) -> pd.DataFrame:
    """Return the trend of each quantity's yearly totals: Sen's slope with the Mann-Kendall test.

    Parameters
    ----------
    yearly : pandas.DataFrame
        Columns ``quantity``, ``year`` (consecutive) and ``total_TgC_yr``; other columns before them that tell series
        apart, such as ``source``, are kept.

    Returns
    -------
    pandas.DataFrame
        A row a series: ``sen_slope_TgC_yr2`` (Tg C yr-1 per year), ``p_value`` of no trend, ``n_years``.
    """
    keys = [name for name in ("source", "quantity") if name in yearly]
    rows = []
    for key, series in yearly.sort_values("year").groupby(keys, sort=False):
        test = pymannkendall.original_test(series["total_TgC_yr"].to_numpy())
        rows.append(
            dict(zip(keys, key, strict=True))
            | {"sen_slope_TgC_yr2": float(test.slope), "p_value": float(test.p), "n_years": len(series)}
        )
    return pd.DataFrame(rows)


def _same_grid(one: xr.DataArray, other: xr.DataArray) -> None:
    """Refuse fields whose coordinates differ: xarray would keep the common cells, in silence."""
    for dimension in ("latitude", "longitude"):
        a, b = one[dimension].to_numpy(), other[dimension].to_numpy()
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=1e-9):
            raise CarbonError(
                f"{one.name or 'the first field'} and {other.name or 'the second'} are not on one grid: "
                f"{dimension} has {a.size} and {b.size} cells, from {a[0]:.4f} and {b[0]:.4f}; "
                "resample one of them first"
            )
