"""From a cube to a table of its cells, and back to a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike


def map_table(cube: xr.Dataset, predictors: Sequence[str]) -> pd.DataFrame:
    """Return the plateau's cells as a table: where they lie, and their covariates, means over the years.

    Parameters
    ----------
    cube : xarray.Dataset
        Covariates on the target grid, with ``plateau`` and ``cell_area``.
    predictors : sequence of str
        Names of the covariates. A cell where one is missing is left out, as it is not predicted.

    Returns
    -------
    pandas.DataFrame
        Columns ``latitude``, ``longitude``, ``cell_area`` [km2] and the predictors; a row a cell, in raster order.
    """
    layers = cube[list(predictors)].where(cube["plateau"])
    flat = (layers.mean("time") if "time" in layers.dims else layers).assign(cell_area=cube["cell_area"]).compute()
    valid = np.logical_and.reduce([flat[name].notnull().transpose("latitude", "longitude") for name in predictors])
    rows, columns = np.nonzero(valid)
    place = {"latitude": flat["latitude"].to_numpy()[rows], "longitude": flat["longitude"].to_numpy()[columns]}
    values = {
        name: flat[name].transpose("latitude", "longitude").to_numpy()[rows, columns]
        for name in ("cell_area", *predictors)
    }
    return pd.DataFrame(place | values)


def cell_map(cells: pd.DataFrame, values: ArrayLike, like: xr.DataArray) -> xr.DataArray:
    """Return values of the rows of :func:`map_table` as a map.

    Parameters
    ----------
    cells : pandas.DataFrame, n rows
        With ``latitude`` and ``longitude``.
    values : array_like, shape (n,)
        One value a row.
    like : xarray.DataArray, shape (latitude, longitude)
        A map on the grid that the cells come from.

    Returns
    -------
    xarray.DataArray, shape (latitude, longitude)
        Missing where no row is.
    """
    rows = like.get_index("latitude").get_indexer(cells["latitude"])
    columns = like.get_index("longitude").get_indexer(cells["longitude"])
    grid = {name: like[name] for name in ("latitude", "longitude")}
    found = np.full([axis.size for axis in grid.values()], np.nan)
    found[rows, columns] = values
    return xr.DataArray(found, grid, tuple(grid))
