"""Our forests beside other products: at the sites, over the plateau, and against a known truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from helpers import carbon, metrics

__all__ = [
    "ComparisonError",
    "beside_paper",
    "budget_by_class",
    "budget_table",
    "chosen",
    "label",
    "labelled",
    "over_common_cells",
    "percent_difference",
    "product_pairs",
    "product_table",
    "recovery",
]

#: The metrics of tables 1 and 2: row name in the paper, key of :func:`helpers.metrics.scores`.
TABLE_METRICS = {"r": "r", "RMSE": "rmse", "PBIAS": "pbias", "MAPE": "mape"}


class ComparisonError(ValueError):
    """Tables that cannot be set side by side; the message names the column or the claim."""


def percent_difference(value: float, reference: float) -> float:
    """Return by how many percent of the reference a value differs from it.

    Examples
    --------
    >>> percent_difference(90.0, 100.0)
    -10.0
    """
    return float((value - reference) / reference * 100) if reference else float("nan")


def product_table(
    observed: pd.Series, products: Mapping[str, pd.Series], forest: Mapping[str, pd.Series], unit: str
) -> pd.DataFrame:
    """Return table 1 or 2: each product and our forest against the observations at the sites.

    A product is scored where it has a value; ``n`` tells at how many sites. As in the paper, a column holds the mean of
    the products' scores, and one by how many percent the forest is better than that mean: of r upwards, of RMSE, MAPE
    and the size of PBIAS downwards.

    Parameters
    ----------
    observed : pandas.Series, n_sites
        Observations, in ``unit``.
    products : mapping of str to pandas.Series
        Values of the other products at the sites, same index.
    forest : mapping of str to pandas.Series
        Values of our forest at the sites, same index: under the first name those that the paper would report, under
        further names those that the forest has not seen.
    unit : str
        Unit of RMSE, as it enters a table's header: ``"gC_m2_yr"``, ``"ln_gC_m2_yr"``.

    Returns
    -------
    pandas.DataFrame
        Columns ``metric``, ``unit``, one a product, ``mean_of_products``, one a forest, ``difference_percent`` (first
        forest). Rows n, r, RMSE, PBIAS, MAPE.
    """
    if not products or not forest:
        raise ComparisonError("a table of products needs at least one product and one forest")
    scores = {name: _scores_where_valid(observed, values) for name, values in {**products, **forest}.items()}
    first = next(iter(forest))
    rows = [{"metric": "n", "unit": "1"} | {name: float(score["n"]) for name, score in scores.items()}]
    for metric, key in TABLE_METRICS.items():
        row: dict[str, object] = {"metric": metric, "unit": {"RMSE": unit, "r": "1"}.get(metric, "percent")}
        row |= {name: scores[name][key] for name in products}
        row["mean_of_products"] = mean = float(np.mean([scores[name][key] for name in products]))
        row |= {name: scores[name][key] for name in forest}
        ours = scores[first][key]
        better = percent_difference(ours, mean) if metric == "r" else -percent_difference(abs(ours), abs(mean))
        rows.append(row | {"difference_percent": better})
    return pd.DataFrame(rows)


def budget_table(fields: Mapping[tuple[str, str], xr.DataArray], cell_area: xr.DataArray) -> pd.DataFrame:
    """Return the budget of each quantity and product, over its own valid cells and over those that all share.

    Products differ in the cells they cover; a difference of totals over different areas is no difference of products.

    Parameters
    ----------
    fields : mapping of (quantity, product) to xarray.DataArray
        Fluxes on one grid, g C m-2 yr-1, missing outside the plateau. ``("NPP", "random forest")`` and the like.
    cell_area : xarray.DataArray, shape (latitude, longitude)
        km2.

    Returns
    -------
    pandas.DataFrame
        Columns ``quantity``, ``product``, ``mean_gC_m2_yr``, ``total_TgC_yr``, ``valid_area_Mkm2`` and, over the cells
        that every field has, ``common_mean_gC_m2_yr``, ``common_total_TgC_yr`` and ``common_area_Mkm2``.
    """
    flat = {key: _mean_map(field) for key, field in fields.items()}
    common = np.logical_and.reduce([field.notnull().to_numpy() for field in flat.values()])
    rows = []
    for (quantity, product), field in flat.items():
        shared = carbon.budget(field.where(xr.DataArray(common, dims=field.dims)), cell_area)
        rows.append(
            {"quantity": quantity, "product": product}
            | carbon.budget(field, cell_area)
            | {f"common_{key.removeprefix('valid_')}": value for key, value in shared.items()}
        )
    return pd.DataFrame(rows)


def chosen(products: xr.Dataset, quantity: str, plateau: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the products of one quantity on the plateau, means over their years.

    Parameters
    ----------
    products : xarray.Dataset
        Variables ``<quantity>_<product>``, g C m-2 yr-1.
    quantity : {"npp", "rs", "rh"}
        The quantity.
    plateau : xarray.DataArray of bool, shape (latitude, longitude)
        Cells of the plateau.

    Returns
    -------
    dict of str to xarray.DataArray
        Maps by product, named as the variable is without its quantity: ``modis``, ``casa_cnp``. MODIS comes first, as
        in the paper's figures, then the others by name.
    """
    names = [str(name).removeprefix(f"{quantity}_") for name in products if str(name).startswith(f"{quantity}_")]
    found = {}
    for name in sorted(names, key=lambda name: (name != "modis", name)):
        field = products[f"{quantity}_{name}"]
        found[name] = _mean_map(field).where(plateau.compute())
    return found


def label(product: str) -> str:
    """Return how a product is called in figures and tables.

    Examples
    --------
    >>> label("casa_cnp"), label("random_forest"), label("brand_new")
    ('CASA-CNP', 'Random forest', 'BRAND-NEW')
    """
    known = {"random_forest": "Random forest", "miami": "Miami", "raich": "Raich 2002"}
    return known.get(product, product.upper().replace("_", "-"))


def labelled(products: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return maps by the names that figures and tables give them, see :func:`label`."""
    return {label(name): field for name, field in products.items()}


def over_common_cells(budgets: pd.DataFrame) -> pd.DataFrame:
    """Return the budgets over the cells that all products share, under the names of the budgets over their own.

    Parameters
    ----------
    budgets : pandas.DataFrame
        As :func:`budget_table` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``quantity``, ``product``, ``mean_gC_m2_yr``, ``total_TgC_yr`` and ``valid_area_Mkm2``.
    """
    names = {"common_mean_gC_m2_yr": "mean_gC_m2_yr", "common_total_TgC_yr": "total_TgC_yr"}
    names["common_area_Mkm2"] = "valid_area_Mkm2"
    return budgets[["quantity", "product", *names]].rename(columns=names)


def recovery(quantity: str, estimate: xr.DataArray, truth: xr.DataArray, cell_area: xr.DataArray) -> pd.DataFrame:
    """Return what an estimate recovers of a known truth, over the cells that it covers.

    Parameters
    ----------
    quantity : str
        What it is, such as ``NPP``.
    estimate, truth : xarray.DataArray
        Fluxes on one grid, g C m-2 yr-1; yearly where the truth is yearly.
    cell_area : xarray.DataArray, shape (latitude, longitude)
        km2.

    Returns
    -------
    pandas.DataFrame
        Columns ``quantity``, ``statistic``, ``unit``, ``recovered``, ``true``. Statistics: the area-weighted mean, the
        total, Sen's slope of the yearly totals (from four years on), the standard deviation over the cells (means over
        the years), and the root mean square error of the map, whose truth is zero.
    """
    columns = {"recovered": estimate, "true": truth.where(estimate.notnull())}
    flat = {name: _mean_map(field) for name, field in columns.items()}
    budgets = {name: carbon.budget(field, cell_area) for name, field in flat.items()}
    rows = [
        ("mean", "g C m-2 yr-1", {name: found["mean_gC_m2_yr"] for name, found in budgets.items()}),
        ("total", "Tg C yr-1", {name: found["total_TgC_yr"] for name, found in budgets.items()}),
    ]
    if estimate.sizes.get("time", 1) > 3:
        yearly = pd.concat(
            carbon.yearly_budget(field, cell_area).assign(quantity=name) for name, field in columns.items()
        )
        slopes = carbon.trends(yearly).set_index("quantity")["sen_slope_TgC_yr2"].to_dict()
        rows.append(("trend", "Tg C yr-1 per year", slopes))
    cell_area = cell_area.compute()
    spread = {name: float(field.weighted(cell_area).std()) for name, field in flat.items()}
    error = float(np.sqrt(((flat["recovered"] - flat["true"]) ** 2).weighted(cell_area).mean()))
    rows.append(("spread", "g C m-2 yr-1", spread))
    rows.append(("map RMSE", "g C m-2 yr-1", {"recovered": error, "true": 0.0}))
    return pd.DataFrame(
        [{"quantity": quantity, "statistic": statistic, "unit": unit} | values for statistic, unit, values in rows]
    )


def budget_by_class(fields: Mapping[str, xr.DataArray], classes: xr.DataArray, cell_area: xr.DataArray) -> pd.DataFrame:
    """Return the budget of each quantity by land-cover class.

    Parameters
    ----------
    fields : mapping of str to xarray.DataArray
        Fluxes by quantity, on one grid, g C m-2 yr-1.
    classes : xarray.DataArray, shape (latitude, longitude)
        IGBP class, missing outside the area of interest.
    cell_area : xarray.DataArray, shape (latitude, longitude)
        km2.

    Returns
    -------
    pandas.DataFrame
        Columns ``land_cover``, ``quantity``, ``mean_gC_m2_yr``, ``total_TgC_yr`` and ``valid_area_Mkm2``; classes by
        area, largest first.
    """
    classes, cell_area = classes.compute(), cell_area.compute()
    flat = {quantity: _mean_map(field) for quantity, field in fields.items()}
    present = np.unique(classes.to_numpy()[np.isfinite(classes.to_numpy())])
    rows = [
        {"land_cover": int(value), "quantity": quantity} | carbon.budget(field.where(classes == value), cell_area)
        for value in sorted(present, key=lambda value: -float(cell_area.where(classes == value).sum()))
        for quantity, field in flat.items()
    ]
    return pd.DataFrame(rows)


def product_pairs(
    nep: xr.DataArray, npp_products: Mapping[str, xr.DataArray], rh: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Return NEP of the forests and of each product of NPP with one other Rh, named as in figure 5 of the paper.

    Parameters
    ----------
    nep : xarray.DataArray
        NEP of the forests, g C m-2 yr-1.
    npp_products : mapping of str to xarray.DataArray
        NPP by product, g C m-2 yr-1.
    rh : xarray.DataArray
        Rh from the other product of Rs, g C m-2 yr-1.

    Returns
    -------
    dict of str to xarray.DataArray
        ``NEP1`` of the forests, then ``NEP2 (product)`` and so on.
    """
    pairs = {
        f"NEP{number} ({label(product)})": carbon.net_ecosystem_production(npp, rh)
        for number, (product, npp) in enumerate(npp_products.items(), start=2)
    }
    return {"NEP1": _mean_map(nep), **pairs}


def beside_paper(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Return a table of :func:`product_table` with the paper's columns beside ours, named ``paper_…``."""
    return table.merge(paper.add_prefix("paper_"), left_on="metric", right_index=True, how="left")


def _mean_map(field: xr.DataArray) -> xr.DataArray:
    """Return the mean over the valid years, in memory; a yearly field is read once, chunk by chunk."""
    yearly = "time" in field.dims
    return (field.astype("float64").mean("time", keep_attrs=True) if yearly else field).compute()


def _scores_where_valid(observed: pd.Series, predicted: pd.Series) -> dict[str, float]:
    both = pd.DataFrame({"observed": observed, "predicted": predicted}).dropna()
    return metrics.scores(both["observed"], both["predicted"])
