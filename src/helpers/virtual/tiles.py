"""A virtual world that is too large for memory: made tile by tile, each tile once."""

from collections.abc import Callable, Sequence

import dask.array
import xarray as xr

from helpers.data.cube import TILE


def by_tiles(
    make: Callable[[xr.Dataset, Sequence[int], int], xr.Dataset], grid: xr.Dataset, years: Sequence[int], seed: int
) -> xr.Dataset:
    """Return what a function makes of a grid, dask-backed, one call per tile.

    All variables of a tile come from one call. They are made together when they are computed or written together, as
    ``to_zarr`` does with a dataset. ``make`` is a function of a block of the grid, years and seed, such as
    :func:`helpers.virtual.world.virtual_truth`; cells must not depend on the block that they are in. It is also called
    for the first cell, to see which variables there are.

    The variables are in single precision, in chunks of :data:`TILE` and all years, with the attributes that `make`
    gives. Tiles begin at the north-western cell; the last ones may be smaller.
    """
    cell = make(grid.isel(latitude=[0], longitude=[0]), years, seed)
    axes = {axis: grid[axis].drop_vars("spatial_ref", errors="ignore") for axis in TILE}
    fields = {name: _planned(field, grid) for name, field in cell.items()}
    template = xr.Dataset(fields, dict(cell.coords) | axes, cell.attrs)
    numbers = dask.array.empty(tuple(grid.sizes[axis] for axis in TILE), chunks=tuple(TILE.values()))
    blocks = xr.Dataset({"block": (tuple(TILE), numbers)}, axes, grid.attrs)
    return xr.map_blocks(_tile, blocks, kwargs={"make": make, "years": years, "seed": seed}, template=template)


def _planned(field: xr.DataArray, grid: xr.Dataset) -> tuple[tuple[str, ...], dask.array.Array, dict[str, object]]:
    """Return dimensions, an empty array on the whole grid, and attributes, of a field of one cell."""
    shape = tuple(grid.sizes[dim] if dim in TILE else field.sizes[dim] for dim in field.dims)
    chunks = tuple(TILE.get(dim, -1) for dim in field.dims)
    return field.dims, dask.array.empty(shape, dtype="float32", chunks=chunks), field.attrs


def _tile(
    block: xr.Dataset, make: Callable[[xr.Dataset, Sequence[int], int], xr.Dataset], years: Sequence[int], seed: int
) -> xr.Dataset:
    """Return one tile."""
    return make(block.drop_vars("block"), years, seed).astype("float32")
