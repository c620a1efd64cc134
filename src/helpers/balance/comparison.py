"""Our forests beside other products: at the sites, over the plateau, and against a known truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from helpers.balance.budgets import mean_map
from helpers.data.cube import _cell_edges, sample
from helpers.errors import DataError
from mapforest import metrics

#: The metrics of tables 1 and 2: row name in the paper, key of :func:`mapforest.metrics.scores`.
TABLE_METRICS = {"r": "r", "RMSE": "rmse", "PBIAS": "pbias", "MAPE": "mape"}


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
        raise DataError("a table of products needs at least one product and one forest")
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
        found[name] = mean_map(field).where(plateau.compute())
    return found


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


def beside_paper(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Return a table of :func:`product_table` with the paper's columns beside ours, named ``paper_…``."""
    return table.merge(paper.add_prefix("paper_"), left_on="metric", right_index=True, how="left")


def _scores_where_valid(observed: pd.Series, predicted: pd.Series) -> dict[str, float]:
    both = pd.DataFrame({"observed": observed, "predicted": predicted}).dropna()
    return metrics.scores(both["observed"], both["predicted"])


def modis_check(cube: xr.Dataset, site_years: pd.DataFrame) -> pd.DataFrame:
    """Return ``npp_modis`` beside yearly MOD17A3 NPP, means of the years, at the sites that lie in the cube.

    Parameters
    ----------
    cube : xarray.Dataset
        With ``npp_modis`` and ``plateau``.
    site_years : pandas.DataFrame
        As :func:`helpers.data.readers.read_modis_npp_sites` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns ``longitude``, ``latitude``, ``mod17a3`` and ``npp_modis`` [g C m-2 yr-1], ``on_plateau``; a row a site
        that has both.
    """
    west, east = _cell_edges(cube, "longitude")
    south, north = _cell_edges(cube, "latitude")
    inside = site_years["longitude"].between(west, east) & site_years["latitude"].between(south, north)
    sites = site_years[inside].groupby(["longitude", "latitude"], as_index=False)["npp"].mean()
    found = sample(cube.assign(on_plateau=cube["plateau"]), sites, ["npp_modis", "on_plateau"])
    return sites.rename(columns={"npp": "mod17a3"}).join(found).dropna(ignore_index=True)
