"""Our forests beside other products: at the sites, over the region, and against a known truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from helpers.data.cube import sample
from helpers.data.grid import bounds
from helpers.data.region import in_box
from helpers.data.scan import mean_maps
from helpers.errors import DataError
from mapforest import metrics

#: The metrics of tables 1 and 2: row name in the paper, key of :func:`mapforest.metrics.scores`.
_METRICS = {"r": "r", "RMSE": "rmse", "PBIAS": "pbias", "MAPE": "mape"}


def percent_difference(value: float, reference: float) -> float:
    """Return by how many percent of the reference a value differs from it; NaN for a reference of zero.

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

    A product is scored where it has a value; ``n`` tells at how many sites. As in the paper, one column holds the mean
    of the products' scores, and another by how many percent RMSE, MAPE and the size of PBIAS of the forest are lower
    than the mean of the products'. Biases of both signs cancel in a mean, so that of PBIAS is taken of their sizes. The
    paper also gives a percentage for r. It is left empty here: where products hardly correlate with the sites, any
    forest is better by thousands of percent.

    Observations and values at the sites have one index and one unit, which RMSE has too: ``"gC_m2_yr"`` or
    ``"ln_gC_m2_yr"``. Our forest stands under the first name as the paper would report it, under further names by trees
    that have not seen the site. The columns are ``metric``, ``unit``, one per product, ``mean_of_products``, one per
    forest, ``difference_percent`` (first forest); the rows n, r, RMSE, PBIAS, MAPE. Without a product the columns about
    products are empty; without a forest a DataError is raised.
    """
    if not forest:
        raise DataError("a table of products needs at least one forest")
    scores = {name: _scores_where_valid(observed, values) for name, values in {**products, **forest}.items()}
    first = next(iter(forest))
    rows = [{"metric": "n", "unit": "1"} | {name: float(score["n"]) for name, score in scores.items()}]
    for metric, key in _METRICS.items():
        row: dict[str, object] = {"metric": metric, "unit": {"RMSE": unit, "r": "1"}.get(metric, "percent")}
        row |= {name: scores[name][key] for name in products}
        theirs = [scores[name][key] for name in products]
        row["mean_of_products"] = float(np.mean(theirs)) if products else np.nan
        row |= {name: scores[name][key] for name in forest}
        size = float(np.mean(np.abs(theirs))) if products else np.nan
        better = float("nan") if metric == "r" else -percent_difference(abs(scores[first][key]), size)
        rows.append(row | {"difference_percent": better})
    return pd.DataFrame(rows)


def table_at_sites(quantity: str, products: xr.Dataset, forest: xr.DataArray, training: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`product_table` for the maps of one quantity: table 1 of the paper (``npp``) or table 2 (``rs``).

    Rs is compared in log space, as the paper's numbers are. The products are variables ``<quantity>_<product>`` on the
    grid of the forest's map [g C m-2 yr-1]. Of the training table, which has ``out_of_bag``, the sites of the region
    count. The forest stands as ``random_forest``, read off its map as in the paper, and as
    ``random_forest_out_of_bag``. A last row, ``years``, says of which years a product is the mean, where it tells.
    """
    sites = training[training["in_region"]]
    names = _product_names(products, quantity)
    maps = xr.Dataset({name: products[f"{quantity}_{name}"] for name in names} | {"random_forest": forest})
    found = sample(maps, sites, list(maps))
    observed, unit = sites["value"], "gC_m2_yr"
    if quantity == "rs":
        found, observed, unit = np.log(found), sites["ln_rs"], "ln_gC_m2_yr"
    ours = {"random_forest": found["random_forest"], "random_forest_out_of_bag": sites["out_of_bag"]}
    table = product_table(observed, {name: found[name] for name in names}, ours, unit)
    years = {name: products[f"{quantity}_{name}"].attrs.get("years", "") for name in names}
    row = pd.DataFrame([dict.fromkeys(table.columns, "") | years | {"metric": "years"}], dtype=object)
    return pd.concat([table.astype(object), row], ignore_index=True) if any(years.values()) else table


def chosen(products: xr.Dataset, quantity: str, in_region: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the products of one quantity in the region, means over their years.

    The products are variables ``<quantity>_<product>`` [g C m-2 yr-1] of ``npp``, ``rs`` or ``rh``. The keys of the
    result are their names without the quantity, such as ``casa_cnp``: ``modis`` first, as in the paper's figures, then
    by name.
    """
    inside = in_region.compute()
    flat = mean_maps({name: products[f"{quantity}_{name}"] for name in _product_names(products, quantity)})
    return {name: field.where(inside) for name, field in flat.items()}


def over_common_cells(budgets: pd.DataFrame) -> pd.DataFrame:
    """Return the budgets over the cells that all products share, under the column names of the budgets over their own.

    The table comes from :func:`helpers.balance.budgets.budget_table`.
    """
    names = {f"common_{name}": name for name in ("mean_gC_m2_yr", "total_TgC_yr")}
    names["common_area_Mkm2"] = "valid_area_Mkm2"
    return budgets[["quantity", "product", *names]].rename(columns=names)


def beside_paper(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Return a table of :func:`product_table` with the paper's columns beside ours, named ``paper_…``."""
    return table.merge(paper.add_prefix("paper_"), left_on="metric", right_index=True, how="left")


def _product_names(products: xr.Dataset, quantity: str) -> list[str]:
    """Return the products of a quantity: MODIS first, as in the paper's figures, then the others by name."""
    names = [str(name).removeprefix(f"{quantity}_") for name in products if str(name).startswith(f"{quantity}_")]
    return sorted(names, key=lambda name: (name != "modis", name))


def modis_check(cube: xr.Dataset, site_years: pd.DataFrame) -> pd.DataFrame:
    """Return ``npp_modis`` beside yearly MOD17A3 NPP, means of the years, at the sites that lie in the cube.

    The site years are those of :func:`helpers.data.readers.read_modis_npp_sites`. The result has a row for each site
    with both values: ``longitude``, ``latitude``, ``mod17a3`` and ``npp_modis`` [g C m-2 yr-1], ``in_region``.
    """
    inside = in_box(bounds(cube), site_years["longitude"], site_years["latitude"])
    sites = site_years[inside].groupby(["longitude", "latitude"], as_index=False)["npp"].mean()
    found = sample(cube.assign(in_region=cube["in_region"]), sites, ["npp_modis", "in_region"])
    return sites.rename(columns={"npp": "mod17a3"}).join(found).dropna(ignore_index=True)


def _scores_where_valid(observed: pd.Series, predicted: pd.Series) -> dict[str, float]:
    """Return the scores over the sites that have both values."""
    both = pd.DataFrame({"observed": observed, "predicted": predicted}).dropna()
    return metrics.scores(both["observed"], both["predicted"])
