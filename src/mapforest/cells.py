"""From a cube to a table of its cells, and back to a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from mapforest.errors import ForestError

SPACE = ("latitude", "longitude")
TOLERANCE = 1e-5  # degrees: coordinates that were float32 once are the same


def chosen_cells(where: xr.DataArray, cube: xr.Dataset) -> NDArray[np.bool_]:
    """Return which cells of a cube are chosen, or say why ``where`` does not choose among them.

    The result is of shape (latitude, longitude). ``where`` is true at the cells that count. It raises ForestError if it
    is not boolean, or not on the cube's coordinates.
    """
    advice = "use the cube's own mask"
    if where.dtype != bool:
        raise ForestError(f"'where' is of type {where.dtype}; expected bool, true at the cells that count: {advice}")
    if set(where.dims) != set(SPACE) or any(where.sizes[axis] != cube.sizes[axis] for axis in SPACE):
        raise ForestError(f"'where' is of size {dict(where.sizes)}, the cube of {dict(cube.sizes)}: {advice}")
    for axis in SPACE:
        own, other = (given[axis].values.astype("float64") for given in (cube, where))
        apart = np.abs(own - other).max(initial=0.0)
        if not apart <= TOLERANCE:
            raise ForestError(
                f"the {axis} of 'where' is not the cube's: they run from {other[0]:g} to {other[-1]:g} and from "
                f"{own[0]:g} to {own[-1]:g}, up to {apart:g} degrees apart: {advice}"
            )
    return where.transpose(*SPACE).values


def commonest(classes: xr.DataArray) -> xr.DataArray:
    """Return the class that each cell has in most years, of equals the lower number; a map without ``time`` stays.

    A year without a class does not count; a cell that never has one is missing. A Dask array stays one.

    Examples
    --------
    >>> commonest(xr.DataArray([[10.0, 7.0], [16.0, 7.0], [16.0, np.nan]], dims=("time", "cell"))).values
    array([16.,  7.])
    """
    if "time" not in classes.dims:
        return classes
    whole = classes.chunk(time=-1) if classes.chunks else classes
    return xr.apply_ufunc(
        _commonest,
        whole,
        input_core_dims=[["time"]],
        dask="parallelized",
        output_dtypes=[classes.dtype],
        keep_attrs=True,
    )


def _commonest(values: NDArray) -> NDArray:
    """Return the commonest class along the last axis."""
    best, most = np.full(values.shape[:-1], np.nan, values.dtype), np.zeros(values.shape[:-1], int)
    for number in np.unique(values[~np.isnan(values)]):
        count = (values == number).sum(axis=-1)
        best, most = np.where(count > most, number, best), np.maximum(count, most)
    return best


def map_table(cube: xr.Dataset, names: Sequence[str], where: xr.DataArray) -> pd.DataFrame:
    """Return cells of a cube as a table: ``latitude``, ``longitude`` and ``names``, a row per cell, in raster order.

    Variables are (latitude, longitude) or (time, latitude, longitude); those with years enter with their means, and
    classes, which have CF's attribute ``flag_values``, with the commonest. A cell of ``where`` at which one is missing
    is left out, as it is not predicted. ``where`` must fit, see :func:`chosen_cells`.
    """
    layers = cube[list(names)].where(xr.DataArray(chosen_cells(where, cube), dims=SPACE))
    yearly = [name for name in names if "time" in layers[name].dims and "flag_values" in cube[name].attrs]
    layers = layers.assign({name: commonest(layers[name]) for name in yearly})
    flat = (layers.mean("time") if "time" in layers.dims else layers).transpose(*SPACE).compute()
    rows, columns = np.nonzero(np.logical_and.reduce([flat[name].notnull() for name in names]))
    place = {"latitude": flat["latitude"].to_numpy()[rows], "longitude": flat["longitude"].to_numpy()[columns]}
    return pd.DataFrame(place | {name: flat[name].to_numpy()[rows, columns] for name in names})


def cell_map(cells: pd.DataFrame, values: ArrayLike, like: xr.DataArray) -> xr.DataArray:
    """Return ``values``, one for each row of :func:`map_table`, as a map on the grid of ``like``.

    The map is missing where no row is. A row that lies on no cell of the grid raises ForestError.
    """
    place = [like.get_index(axis).get_indexer(cells[axis]) for axis in SPACE]
    off = np.minimum(*place) < 0
    if off.any():
        raise ForestError(
            f"{int(off.sum())} rows lie on no cell of the map, the first at position {int(np.argmax(off))}: give a map "
            "on the grid that the rows were taken from"
        )
    grid = {axis: like[axis] for axis in SPACE}
    found = np.full([axis.size for axis in grid.values()], np.nan)
    found[*place] = values
    return xr.DataArray(found, grid, SPACE)
