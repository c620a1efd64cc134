"""Means, totals and areas of a flux over the cells of a map, by year, and their trends.

Fluxes are in g C m-2 yr-1; cell areas are in km2, with the dimensions latitude and longitude.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pymannkendall
import xarray as xr
from numpy.typing import NDArray

from helpers.data.products.years import spans
from helpers.data.scan import mean_maps, mean_over_years, scan
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
    sums = scan(lambda values, area: _sums(mean_over_years(values), area), [field, cell_area])
    return _area_and_total(*sum(sums.flat))


def _sums(flux: NDArray, area: NDArray) -> NDArray[np.float64]:
    """Return the area of the valid cells of a block, and the sum of flux times area, for each leading axis of it."""
    valid = ~np.isnan(flux)
    filled = np.where(valid, flux, 0.0)
    return np.stack([np.einsum("...ij,ij->...", valid, area), np.einsum("...ij,ij->...", filled, area)], axis=-1)


def _area_and_total(area: float, total: float) -> dict[str, float]:
    """Return a budget from the valid area [km2] and the sum of flux times area [g C m-2 yr-1 km2]."""
    area, total, valid = float(area), float(total), area > 0
    return {
        "mean_gC_m2_yr": total / area if valid else np.nan,
        "total_TgC_yr": total * 1e6 / 1e12 if valid else np.nan,
        "valid_area_Mkm2": area / 1e6,
    }


def yearly_budget(field: xr.DataArray, cell_area: xr.DataArray) -> pd.DataFrame:
    """Return :func:`budget` for each year of a flux: its entries as columns, after ``year``.

    A field without a dimension ``time`` raises a ``DataError``.
    """
    return yearly_budgets({"": field}, cell_area).drop(columns="quantity")


def yearly_budgets(fields: Mapping[str, xr.DataArray], cell_area: xr.DataArray) -> pd.DataFrame:
    """Return :func:`yearly_budget` of several quantities on one grid in one table, with a last column ``quantity``."""
    for field in fields.values():
        if "time" not in field.dims:
            raise DataError(f"{field.name or 'the field'} has no dimension 'time': a yearly budget needs yearly fields")
        same_grid(field, cell_area)

    def by_year(area: NDArray, *fluxes: NDArray) -> list[NDArray]:
        """Return the sums of each flux in a block, year by year."""
        return [_sums(flux, area) for flux in fluxes]

    blocks = scan(by_year, [cell_area, *fields.values()])
    return pd.DataFrame(
        {"year": int(year)} | _area_and_total(*sums) | {"quantity": quantity}
        for number, (quantity, field) in enumerate(fields.items())
        for year, sums in zip(field["time"].dt.year.values, sum(block[number] for block in blocks.flat), strict=True)
    )


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
    for field in fields.values():
        same_grid(field, cell_area)
    sums = sum(scan(_own_and_common, [cell_area, *fields.values()]).flat)
    rows = [
        {"quantity": quantity, "product": product}
        | _area_and_total(*own)
        | {f"common_{key.removeprefix('valid_')}": value for key, value in _area_and_total(*shared).items()}
        | {"years": _years(field)}
        for ((quantity, product), field), own, shared in zip(fields.items(), *sums, strict=True)
    ]
    return pd.DataFrame(rows)


def _own_and_common(area: NDArray, *fluxes: NDArray) -> NDArray[np.float64]:
    """Return the sums of each flux of a block over its own valid cells, and over those that all have."""
    means = np.stack([mean_over_years(flux) for flux in fluxes])
    common = np.where(np.isnan(means).any(axis=0), np.nan, means)
    return np.stack([_sums(means, area), _sums(common, area)])


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
    return recoveries({quantity: estimate}, {quantity: truth}, cell_area)


def recoveries(
    estimates: Mapping[str, xr.DataArray], truths: Mapping[str, xr.DataArray], cell_area: xr.DataArray
) -> pd.DataFrame:
    """Return :func:`recovery` of several quantities in one table, with a truth for each estimate."""
    pairs = [field for name, estimate in estimates.items() for field in (estimate, truths[name])]
    for field in pairs:
        same_grid(field, cell_area)
    for estimate, truth in zip(pairs[::2], pairs[1::2], strict=True):
        _same_years(estimate, truth)
    blocks = scan(_compared, [cell_area, *pairs])
    tables = [
        _recovery(name, estimate, [block[number] for block in blocks.flat])
        for number, (name, estimate) in enumerate(estimates.items())
    ]
    return pd.concat(tables, ignore_index=True)


def _same_years(estimate: xr.DataArray, truth: xr.DataArray) -> None:
    """Refuse an estimate and a truth of other years: xarray would keep their common ones, in silence."""
    if "time" not in estimate.dims or "time" not in truth.dims:
        return
    if not np.array_equal(estimate["time"].values, truth["time"].values):
        years = [spans(field["time"].dt.year.values) for field in (estimate, truth)]
        raise DataError(
            f"{estimate.name or 'the estimate'} is of the years {years[0]} and its truth of {years[1]}; "
            "expected the same: select them first"
        )


def _compared(area: NDArray, *pairs: NDArray) -> list[dict[str, NDArray]]:
    """Return the sums of a block that :func:`_recovery` needs, for each pair of an estimate and its truth."""
    found = []
    for estimate, truth in zip(pairs[::2], pairs[1::2], strict=True):
        both = (estimate, np.where(np.isnan(estimate), np.nan, truth))
        flat = [mean_over_years(field).astype("float64", copy=False) for field in both]
        sums = np.stack([_sums(field, area) for field in flat])
        centre = np.divide(sums[:, 1], sums[:, 0], out=np.zeros(2), where=sums[:, 0] > 0)
        squares = [_sums((field - middle) ** 2, area)[1] for field, middle in zip(flat, centre, strict=True)]
        years = [_sums(field, area) for field in both if field.ndim == 3]
        error = _sums((flat[0] - flat[1]) ** 2, area)
        found.append({"sums": sums, "centre": centre, "squares": np.array(squares), "error": error, "years": years})
    return found


def _recovery(quantity: str, estimate: xr.DataArray, blocks: list[dict[str, NDArray]]) -> pd.DataFrame:
    """Return the table of :func:`recovery` from the sums of all blocks."""
    sums, names = sum(block["sums"] for block in blocks), ("recovered", "true")
    budgets = [_area_and_total(*own) for own in sums]
    means = np.array([found["mean_gC_m2_yr"] for found in budgets])
    # The variance about the mean of all, from those about the mean of each block: no difference of great numbers.
    squares = sum(block["squares"] + block["sums"][:, 0] * (block["centre"] - means) ** 2 for block in blocks)
    area, squared_error = sum(block["error"] for block in blocks)
    with np.errstate(invalid="ignore"):
        spread, error = np.sqrt(squares / sums[:, 0]), np.sqrt(squared_error / area)
    rows = [
        ("mean", "g C m-2 yr-1", means),
        ("total", "Tg C yr-1", [found["total_TgC_yr"] for found in budgets]),
        ("spread", "g C m-2 yr-1", spread),
        ("map RMSE", "g C m-2 yr-1", [error, 0.0]),
    ]
    if estimate.sizes.get("time", 1) > 3:
        yearly = pd.DataFrame(
            {"quantity": name, "year": year} | _area_and_total(*of_year)
            for column, name in enumerate(names)
            for year, of_year in enumerate(sum(block["years"][column] for block in blocks))
        )
        rows.insert(2, ("trend", "Tg C yr-1 per year", trends(yearly)["sen_slope_TgC_yr2"]))
    return pd.DataFrame(
        {"quantity": quantity, "statistic": statistic, "unit": unit} | dict(zip(names, map(float, values), strict=True))
        for statistic, unit, values in rows
    )


def budget_by_class(fields: Mapping[str, xr.DataArray], classes: xr.DataArray, cell_area: xr.DataArray) -> pd.DataFrame:
    """Return the budget of each quantity by land-cover class, the class with the largest area first.

    All fields are on one grid. The classes are those of IGBP, missing outside the area of interest; of yearly ones a
    cell has the class of most years. The columns are ``land_cover``, ``quantity`` and those of :func:`budget`.
    """
    same_grid(classes, cell_area)
    for field in fields.values():
        same_grid(field, cell_area)
    blocks = scan(_by_class, [cell_area, commonest(classes), *fields.values()])
    sums = pd.concat(list(blocks.flat)).groupby(level=["number", "class"]).sum()
    present = sums.loc[-1].sort_values("area", ascending=False, kind="stable").index
    rows = [
        {"land_cover": int(value), "quantity": quantity} | _area_and_total(*sums.loc[(number, value)])
        for value in present
        for number, quantity in enumerate(fields)
    ]
    return pd.DataFrame(rows)


def _by_class(area: NDArray, classes: NDArray, *fluxes: NDArray) -> pd.DataFrame:
    """Return area and sum of a block by the number of the flux and the class; the number -1 is the class itself."""
    present, position = np.unique(classes, return_inverse=True)
    position, n = position.ravel(), np.count_nonzero(~np.isnan(present))  # a class that is missing is the last
    tables = {}
    for number, flux in enumerate((np.zeros(classes.shape), *fluxes), start=-1):
        mean = mean_over_years(flux).ravel()
        valid = ~np.isnan(mean)
        weight = area.ravel()[valid]
        sums = [np.bincount(position[valid], of, len(present))[:n] for of in (weight, weight * mean[valid])]
        tables[number] = pd.DataFrame(dict(zip(("area", "total"), sums, strict=True)), present[:n])
    return pd.concat(tables, names=["number", "class"])


def means(fields: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return the means of fluxes on one grid over their valid years, in memory: what maps and budgets are made from.

    Dask arrays are read once, chunk by chunk, for all of them. The attribute ``years`` says of which years a mean is.
    """
    flat = mean_maps(fields)
    return {name: field.assign_attrs(years=_years(fields[name])) for name, field in flat.items()}


def mean_map(field: xr.DataArray) -> xr.DataArray:
    """Return the mean of one flux over the valid years, in memory, with the attributes that the flux has."""
    return mean_maps({"": field})[""]
