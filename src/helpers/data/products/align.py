"""Brings any product to the target grid, block by block, once: the aligned layer is kept beside the product's files."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import dask.array
import numpy as np
import rasterio
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import xarray as xr
from numpy.typing import NDArray

from helpers.data.grid import bounds
from helpers.data.products import lockfile, years
from helpers.data.products.interface import Box, Product
from helpers.data.products.session import needed
from helpers.errors import DataError
from mapforest import blocks

BLOCK = 400
"""Rows and columns of a block: a year of the paper's box in 5 s and 0.4 GB; half as many take twice the time."""
_DEGREES = 4.0  # of a block at most: of coarse cells, 400 rows would take in a continent at 90 m
_NPP = frozenset({"npp", "npp_modis"})  # one quantity, as a predictor and as a product to compare with
_FETCHING = frozenset({"transports", "session", "lockfile"})
#: GDAL's own cache of blocks, MB: left alone it takes a twentieth of the machine's memory.
_CACHE_MB = 64


def align(array: xr.DataArray, target: xr.Dataset, how: str) -> xr.DataArray:
    """Return a product on the cells of a target grid, or of a block of it (:func:`helpers.data.grid.target_grid`).

    The array has the dimensions y and x and its CRS, and is NaN where there is no value. ``nearest`` gives each cell
    the value of the product's cell that its centre lies in, ``average`` the mean of the values in it, weighted by their
    area, and ``mode`` the commonest of them: what is NaN counts in neither. A cell beyond the array is NaN.
    """
    odc = needed("odc.geo.xr")
    shape = target.sizes["latitude"], target.sizes["longitude"]
    values = np.full(shape, np.nan, "float32")
    if min(array.shape) > 1:  # else there is nothing of the product here
        source = array.astype("float32").rename({array.dims[0]: "y", array.dims[1]: "x"})
        moved = odc.xr_reproject(
            source, _geobox(target, how), resampling=how, src_nodata=np.nan, dst_nodata=np.nan, tolerance=0.0
        )
        values = moved.values
    axes = {axis: target[axis].drop_vars("spatial_ref", errors="ignore") for axis in ("latitude", "longitude")}
    return xr.DataArray(values, axes, tuple(axes), array.name, dict(array.attrs))


def _geobox(target: xr.Dataset, how: str) -> Any:
    """Return a grid as odc-geo has it; the size of its cells is known, so that one cell is a grid, too."""
    geobox = needed("odc.geo.geobox")
    size = target.attrs["resolution"]
    # A centre on the edge of two cells takes the eastern or the southern one, as in resample_nearest: a millionth of a
    # cell decides it, whatever the rounding.
    nudge = 1e-6 * size if how == "nearest" else 0.0
    west = float(target["longitude"][0]) - size / 2 + nudge
    north = float(target["latitude"][0]) + size / 2 - nudge
    place = rasterio.Affine(size, 0, west, 0, -size, north)
    return geobox.GeoBox((target.sizes["latitude"], target.sizes["longitude"]), place, "EPSG:4326")


@dataclass(frozen=True)
class _Work:
    """What a worker needs to align a block."""

    product: Product
    files: tuple[Path, ...]
    years: tuple[int | None, ...]
    how: str
    variable: str
    #: The whole product for each year, of one that is small.
    whole: tuple[xr.DataArray, ...]

    def on(self, target: xr.Dataset) -> NDArray[np.float32]:
        """Return the values of all years on a block of the grid."""
        box, parts = box_of(target), []
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
            for at, year in enumerate(self.years):
                native = self.whole[at] if self.whole else self.product.open(self.files, box, year)
                if native.name != self.variable and not {native.name, self.variable} <= _NPP:
                    raise DataError(f"{self.product.key} gives {native.name}, and stands for {self.variable}")
                parts.append(align(native, target, self.how).values)
        return np.stack(parts)


def box_of(target: xr.Dataset) -> Box:
    """Return the edges of a grid or of a block of it, also of a single row or column."""
    half = target.attrs["resolution"] / 2
    x, y = target["longitude"].values, target["latitude"].values
    return Box(float(x[0]) - half, float(y[-1]) - half, float(x[-1]) + half, float(y[0]) + half)


def aligned(
    product: Product,
    files: Sequence[Path],
    grid: xr.Dataset,
    own_years: Sequence[int],
    how: str,
    variable: str,
    folder: Path,
    options: dict[str, Any] | None = None,
    threads: int = 1,
) -> xr.DataArray:
    """Return a product on the whole grid, Dask-backed: for its own years, or without time if it is static.

    ``variable`` is our name of what it is to be; a DataError is raised if it gives another quantity.

    The layer is computed once and kept in the product's ``folder``, in ``aligned/``, in blocks of :data:`BLOCK` cells,
    of coarse ones fewer: on the workers of a Dask cluster where ``DASK_SCHEDULER_ADDRESS`` names one, else on threads.
    A call that was stopped goes on where it ended. What a layer was made from is written into it, the hash of each file
    among it; from anything else (other files, options, code, years or cells) it is made anew.
    """
    where = dict(zip(("time", "latitude", "longitude"), (years.steps(own_years), grid["latitude"], grid["longitude"]),
                     strict=True))  # fmt: skip
    if product.static:
        del where["time"]
    shape = tuple(len(axis) for axis in where.values())
    side = min(BLOCK, max(1, round(_DEGREES / grid.attrs["resolution"])))
    chunks = (*shape[:-2], *(min(side, size) for size in shape[-2:]))
    coords = {
        name: axis if name == "time" else axis.drop_vars("spatial_ref", errors="ignore") for name, axis in where.items()
    }
    template = xr.DataArray(dask.array.zeros(shape, dtype="float32", chunks=chunks), coords, tuple(where), product.key)
    made_from = _made_from(product, files, grid, own_years, how, options or {}) | {"variable": variable}
    name = _digest({part: made_from[part] for part in ("grid", "years", "how", "options", "variable")})[:12]
    store = blocks.BlockStore(folder / "aligned" / f"{name}.zarr", template, made_from)
    if store.finished:
        return store.open()[product.key]
    every = blocks.split(shape[-2:], chunks[-2:])
    asked = (None,) if product.static else tuple(own_years)
    box = Box(*bounds(grid))
    whole = () if product.in_blocks else tuple(product.open(files, box, year).load() for year in asked)
    work = _Work(product, tuple(files), asked, how, variable, whole)
    part = partial(_part, grid)
    with blocks.cluster() as client, closing(store), warnings.catch_warnings():
        left = store.left(every)
        # rasterio opens an array before it tells its place, and says so once.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        if client is None:
            done = blocks.on_threads(lambda block: work.on(part(block)), left, threads)
        else:
            done = blocks.on_cluster(client, _Work.on, work, part, left)
        for block, values in blocks.with_progress(done, f"{product.key}, aligned", len(left)):
            store.write(block, values[0] if product.static else values)
        return store.finish()[product.key]


def _part(grid: xr.Dataset, block: blocks.Block) -> xr.Dataset:
    return grid.isel(latitude=block.latitude, longitude=block.longitude)


def _made_from(
    product: Product,
    files: Sequence[Path],
    grid: xr.Dataset,
    own_years: Sequence[int],
    how: str,
    options: dict[str, Any],
) -> dict[str, str]:
    """Return what an aligned layer is made from, a digest or a word of each part."""
    return {
        "files": _digest([(path.name, lockfile.sha256(path)) for path in files]),
        "grid": _digest([*bounds(grid), grid.attrs["resolution"]]),
        "years": "static" if product.static else years.spans(own_years),
        "how": how,
        "options": _digest(options),
        "code": _digest([inspect.getsource(sys.modules[name]) for name in _code_of(product)]),
    }


def _code_of(product: Product) -> list[str]:
    """Return the modules that read and align a product: its own, this one, and those of products that they use."""
    found: set[str] = set()
    unread = {type(product).__module__, __name__}
    while unread:
        name = unread.pop()
        found.add(name)
        used = (
            value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            for value in vars(sys.modules[name]).values()
        )
        unread |= {one for one in used if isinstance(one, str) and one.startswith(f"{__package__}.")} - found
    # How a file was fetched changes nothing that is read from it: its hash is compared.
    return sorted(name for name in found if name.removeprefix(f"{__package__}.").split(".")[0] not in _FETCHING)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
