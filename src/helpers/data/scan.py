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
    chunks = next((field.chunks[-2:] for field in given if field.chunks), None)
    if chunks is None and max(field.size for field in given) <= BLOCK_VALUES:
        whole = np.empty((1, 1), dtype=object)
        whole[0, 0] = work(*(field.values for field in given))
        return whole
    if chunks is None:
        chunks = (max(1, BLOCK_VALUES // max(field[..., 0, :].size for field in given)), -1)
    # Fields in memory are cut where a block is worked on: Dask would copy them whole.
    held = {number: field.values for number, field in enumerate(given) if not field.chunks}
    lazy = [number for number in range(len(given)) if number not in held]

    def one(rows: NDArray, columns: NDArray, *blocks: Any) -> NDArray[np.object_]:
        """Return the result of one block as an array of objects, which Dask puts together."""
        place = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        # Dask gives the chunks along time as a list; they are one.
        read = {
            number: block[0] if isinstance(block, list) else block for number, block in zip(lazy, blocks, strict=True)
        }
        found = np.empty((1, 1), dtype=object)
        found[0, 0] = work(*(read[at] if at in read else held[at][place] for at in range(len(given))))
        return found

    pairs = [_numbers(given[0], chunks, 0), (_ROW,), _numbers(given[0], chunks, 1), (_COLUMN,)]
    for number in lazy:
        years = [number] if given[number].ndim == 3 else []
        whole_years = given[number].data.rechunk(dict.fromkeys(range(len(years)), -1))
        pairs += [whole_years, (*years, _ROW, _COLUMN)]
    nothing = np.empty((0, 0), dtype=object)
    return da.blockwise(one, (_ROW, _COLUMN), *pairs, meta=nothing).compute(scheduler="threads")


def _numbers(field: xr.DataArray, chunks: tuple[Any, Any], axis: int) -> da.Array:
    """Return the numbers of the rows of a field (axis 0) or of its columns (axis 1), in chunks."""
    return da.arange(field.sizes[("latitude", "longitude")[axis]], chunks=chunks[axis])


def mean_over_years(values: NDArray, dtype: str | None = "float64") -> NDArray[np.floating]:
    """Return the mean of each cell of a block over its valid years; the sum is taken in ``dtype``, year by year.

    Without ``dtype`` it is taken in the type of the values. A block without years is returned as it is.

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
