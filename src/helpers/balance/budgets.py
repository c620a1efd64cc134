"""Means, totals and areas of a flux over the cells of a map, by year, and their trends.

Fluxes are in g C m-2 yr-1; cell areas are in km2, with the dimensions latitude and longitude.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pymannkendall
import xarray as xr

from helpers.data.products.years import spans
from helpers.errors import DataError
from mapforest.cells import commonest


def budget(field: xr.DataArray, cell_area: xr.DataArray) -> dict[str, float]:
    """Return the area-weighted mean, the total and the valid area of a flux [g C m-2 yr-1], together.

    Over the valid cells, with the flux F and the cell area a [km2], the mean is sum(F a) / sum(a), the total sum(F a).
    Cells that do not count are missing in the field; if it has a dimension ``time``, each cell's mean over its valid
    years counts. A Dask array is read once, chunk by chunk. The keys of the result are ``mean_gC_m2_yr``,
    ``total_TgC_yr`` (1 Tg = 1e12 g) and ``valid_area_Mkm2``; mean and total are NaN where no cell is valid.

    Examples
    --------
    >>> grid = {"latitude": [1.0, 0.0], "longitude": [0.0]}
    >>> flux = xr.DataArray([[100.0], [300.0]], grid)
    >>> area = xr.DataArray([[1.0e6], [3.0e6]], grid)
    >>> budget(flux, area)
    {'mean_gC_m2_yr': 250.0, 'total_TgC_yr': 1000.0, 'valid_area_Mkm2': 4.0}
    """
    same_grid(field, cell_area)
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
    """Return :func:`budget` for each year of a flux: its entries as columns, after ``year``.

    A field without a dimension ``time`` raises a ``DataError``.
    """
    if "time" not in field.dims:
        raise DataError(f"{field.name or 'the field'} has no dimension 'time': a yearly budget needs yearly fields")
    same_grid(field, cell_area)
    space = ("latitude", "longitude")
    area, total = cell_area.where(field.notnull()).sum(space), (field.astype("float64") * cell_area).sum(space)
    by_year = xr.Dataset({"area": area, "total": total}).compute()
    return pd.DataFrame(
        {"year": int(year)} | _area_and_total(float(area), float(total))
        for year, area, total in zip(field["time"].dt.year.values, by_year["area"], by_year["total"], strict=True)
    )


def yearly_budgets(fields: Mapping[str, xr.DataArray], cell_area: xr.DataArray) -> pd.DataFrame:
    """Return :func:`yearly_budget` of several quantities on one grid in one table, with a last column ``quantity``."""
    tables = [yearly_budget(field, cell_area).assign(quantity=quantity) for quantity, field in fields.items()]
    return pd.concat(tables, ignore_index=True)


def trends(yearly: pd.DataFrame) -> pd.DataFrame:
    """Return the trend of each quantity's yearly totals: Sen's slope with the Mann-Kendall test.

    The table has the columns ``quantity``, ``year`` (consecutive) and ``total_TgC_yr``. The result has one row per
    quantity: ``quantity``, ``sen_slope_TgC_yr2`` (Tg C yr-1 per year), ``p_value`` of no trend, and ``n_years``.
    """
    rows = []
    for quantity, series in yearly.sort_values("year").groupby("quantity", sort=False):
        test = pymannkendall.original_test(series["total_TgC_yr"].to_numpy())
        found = {"sen_slope_TgC_yr2": float(test.slope), "p_value": float(test.p), "n_years": len(series)}
        rows.append({"quantity": quantity} | found)
    return pd.DataFrame(rows)


def same_grid(one: xr.DataArray, other: xr.DataArray) -> None:
    """Refuse fields on different grids: xarray would keep their common cells, in silence."""
    for dimension in ("latitude", "longitude"):
        a, b = one[dimension].to_numpy(), other[dimension].to_numpy()
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=1e-9):
            raise DataError(
                f"{one.name or 'the first field'} and {other.name or 'the second'} are not on the same grid: "
                f"{dimension} has {a.size} and {b.size} cells, from {a[0]:.4f} and {b[0]:.4f}; "
                "resample one of them first"
            )


def budget_table(fields: Mapping[tuple[str, str], xr.DataArray], cell_area: xr.DataArray) -> pd.DataFrame:
    """Return the budget of each quantity and product, over its own valid cells and over those that all share.

    Products differ in the cells they cover: their totals may differ only because their areas do. The fields are on one
    grid, are missing outside the region, and have keys such as ``("NPP", "MODIS")``. The columns are ``quantity``,
    ``product``, those of :func:`budget` and, over the cells that every field has, ``common_mean_gC_m2_yr``,
    ``common_total_TgC_yr`` and ``common_area_Mkm2``; last ``years``, those that a field is the mean of: as its
    attribute ``years`` says, else those of its time steps where it has several, else empty.
    """
    flat = {key: mean_map(field) for key, field in fields.items()}
    common = np.logical_and.reduce([field.notnull().to_numpy() for field in flat.values()])
    rows = []
    for (quantity, product), field in flat.items():
        shared = budget(field.where(xr.DataArray(common, dims=field.dims)), cell_area)
        rows.append(
            {"quantity": quantity, "product": product}
            | budget(field, cell_area)
            | {f"common_{key.removeprefix('valid_')}": value for key, value in shared.items()}
            | {"years": _years(fields[quantity, product])}
        )
    return pd.DataFrame(rows)


def _years(field: xr.DataArray) -> str:
    """Say of which years a field is the mean; the single step of a climatology stands for none."""
    steps = field["time"].dt.year.values if field.sizes.get("time", 1) > 1 else []
    return str(field.attrs.get("years", spans(steps)))


def recovery(quantity: str, estimate: xr.DataArray, truth: xr.DataArray, cell_area: xr.DataArray) -> pd.DataFrame:
    """Compare an estimate with a known truth, over the cells that the estimate covers.

    Both are fluxes on one grid [g C m-2 yr-1], yearly where the truth is; ``quantity`` names them. The columns are
    ``quantity``, ``statistic``, ``unit``, ``recovered``, ``true``. Statistics: the area-weighted mean, the total, Sen's
    slope of the yearly totals (with four years or more), the standard deviation over the cells (means over the years),
    and the root mean square error of the map, whose truth is zero.
    """
    columns = {"recovered": estimate, "true": truth.where(estimate.notnull())}
    flat = {name: mean_map(field) for name, field in columns.items()}
    budgets = {name: budget(field, cell_area) for name, field in flat.items()}
    rows = [
        ("mean", "g C m-2 yr-1", {name: found["mean_gC_m2_yr"] for name, found in budgets.items()}),
        ("total", "Tg C yr-1", {name: found["total_TgC_yr"] for name, found in budgets.items()}),
    ]
    if estimate.sizes.get("time", 1) > 3:
        yearly = pd.concat(yearly_budget(field, cell_area).assign(quantity=name) for name, field in columns.items())
        slopes = trends(yearly).set_index("quantity")["sen_slope_TgC_yr2"].to_dict()
        rows.append(("trend", "Tg C yr-1 per year", slopes))
    cell_area = cell_area.compute()
    spread = {name: float(field.weighted(cell_area).std()) for name, field in flat.items()}
    error = float(np.sqrt(((flat["recovered"] - flat["true"]) ** 2).weighted(cell_area).mean()))
    rows.append(("spread", "g C m-2 yr-1", spread))
    rows.append(("map RMSE", "g C m-2 yr-1", {"recovered": error, "true": 0.0}))
    return pd.DataFrame([{"quantity": quantity, "statistic": name, "unit": unit} | found for name, unit, found in rows])


def recoveries(
    estimates: Mapping[str, xr.DataArray], truths: Mapping[str, xr.DataArray], cell_area: xr.DataArray
) -> pd.DataFrame:
    """Return :func:`recovery` of several quantities in one table, with a truth for each estimate."""
    tables = [recovery(name, estimate, truths[name], cell_area) for name, estimate in estimates.items()]
    return pd.concat(tables, ignore_index=True)


def budget_by_class(fields: Mapping[str, xr.DataArray], classes: xr.DataArray, cell_area: xr.DataArray) -> pd.DataFrame:
    """Return the budget of each quantity by land-cover class, the class with the largest area first.

    All fields are on one grid. The classes are those of IGBP, missing outside the area of interest; of yearly ones a
    cell has the class of most years. The columns are
    ``land_cover``, ``quantity`` and those of :func:`budget`.
    """
    classes, cell_area = commonest(classes).compute(), cell_area.compute()
    flat = {quantity: mean_map(field) for quantity, field in fields.items()}
    present = np.unique(classes.to_numpy()[np.isfinite(classes.to_numpy())])
    rows = [
        {"land_cover": int(value), "quantity": quantity} | budget(field.where(classes == value), cell_area)
        for value in sorted(present, key=lambda value: -float(cell_area.where(classes == value).sum()))
        for quantity, field in flat.items()
    ]
    return pd.DataFrame(rows)


def mean_map(field: xr.DataArray) -> xr.DataArray:
    """Return the mean over the valid years, in memory. A yearly Dask array is read once, chunk by chunk."""
    yearly = "time" in field.dims
    return (field.astype("float64").mean("time", keep_attrs=True) if yearly else field).compute()
