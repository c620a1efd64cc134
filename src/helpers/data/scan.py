"""One pass over fields of any size: every chunk is read once, for all that is asked of it.

A Dask expression for each statistic reads a store as often as there are statistics, and makes a dozen arrays of each
chunk. Here one function sees each block of all the fields, and returns what it needs to keep: a few sums, or a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

#: Values of a field that is in memory beyond which it is worked on in blocks of rows: a block stays in fast memory.
BLOCK_VALUES = 2**20
_ROW, _COLUMN = -2, -1  # indices of Dask; along time each field has its own, from 0


def scan(work: Callable[..., Any], fields: Sequence[xr.DataArray]) -> NDArray[np.object_]:
    """Return what ``work`` makes of each block of some fields on one grid; each block of them is read once.

    A field is (latitude, longitude) or has a dimension ``time`` as well, in memory or Dask-backed; ``work`` takes one
    array per field, of all its years: shape ([time,] latitude, longitude). The blocks are the Dask chunks, or whole
    rows of fields in memory, and are worked on side by side. The result has the shape (rows, columns) of the blocks:
    what is summed over it in that order depends on no thread.
    """
    given = [field.transpose("time", "latitude", "longitude", missing_dims="ignore") for field in fields]
    lazy = any(field.chunks for field in given)
    if not lazy and max(field.size for field in given) <= BLOCK_VALUES:
        whole = np.empty((1, 1), dtype=object)
        whole[0, 0] = work(*(field.values for field in given))
        return whole
    pairs: list[Any] = []
    for number, field in enumerate(given):
        pairs += [_in_chunks(field, lazy), (*([number] if field.ndim == 3 else []), _ROW, _COLUMN)]

    def one(*blocks: Any) -> NDArray[np.object_]:
        """Return the result of one block as an array of objects, which Dask puts together."""
        found = np.empty((1, 1), dtype=object)
        # Dask gives the chunks along time as a list; they are one.
        found[0, 0] = work(*(block[0] if isinstance(block, list) else block for block in blocks))
        return found

    nothing = np.empty((0, 0), dtype=object)
    return da.blockwise(one, (_ROW, _COLUMN), *pairs, meta=nothing).compute(scheduler="threads")


def _in_chunks(field: xr.DataArray, lazy: bool) -> da.Array:
    """Return a field as a Dask array of whole years."""
    if field.chunks:
        return field.data.rechunk({0: -1}) if field.ndim == 3 else field.data
    columns = field.sizes["longitude"] * field.sizes.get("time", 1)
    rows = -1 if lazy else max(1, BLOCK_VALUES // columns)
    return da.from_array(field.values, chunks=(*([-1] if field.ndim == 3 else []), rows, -1), name=False)


def mean_over_years(values: NDArray, dtype: str | None = "float64") -> NDArray[np.floating]:
    """Return the mean of each cell of a block over its valid years; the sum is taken in ``dtype``, year by year.

    Without ``dtype`` it is taken in the type of the values.

    A block without years is returned as it is.

    Examples
    --------
    >>> mean_over_years(np.array([[[1.0, np.nan]], [[2.0, 5.0]]]))
    array([[1.5, 5. ]])
    """
    if values.ndim == 2:
        return values
    dtype = dtype or values.dtype
    mean = values.sum(axis=0, dtype=dtype)
    unlike = np.isnan(mean)  # a year is missing, or all are
    mean /= len(values)
    if unlike.any():
        some = values[:, unlike]
        valid = ~np.isnan(some)
        with np.errstate(invalid="ignore"):
            mean[unlike] = np.where(valid, some, 0).sum(axis=0, dtype=dtype) / valid.sum(axis=0).astype(mean.dtype)
    return mean


def mean_maps(fields: Mapping[str, xr.DataArray], dtype: str | None = "float64") -> dict[str, xr.DataArray]:
    """Return the means of fields on one grid over their valid years, in memory, from one pass over them.

    A field without ``time`` stays as it is, in memory. The attributes are those of the fields.
    """
    yearly = {name: field for name, field in fields.items() if "time" in field.dims}
    flat = {name: field.compute() for name, field in fields.items() if name not in yearly}
    if yearly:
        blocks = scan(lambda *arrays: [mean_over_years(values, dtype) for values in arrays], list(yearly.values()))
        for number, (name, field) in enumerate(yearly.items()):
            like = field.isel(time=0, drop=True).transpose("latitude", "longitude")
            whole = np.block([[block[number] for block in row] for row in blocks])
            flat[name] = like.copy(data=whole)
    return {name: flat[name] for name in fields}
