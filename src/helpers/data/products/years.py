"""What a yearly product gives for the years that it lacks, and how that is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dask.array
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.errors import DataError


def common(wanted: Sequence[int], available: dict[str, Iterable[int]]) -> tuple[int, ...]:
    """Return the wanted years that all products have, by their keys; DataError if there is none."""
    left = [year for year in wanted if all(year in set(years) for years in available.values())]
    if not left:
        have = "; ".join(f"{key} {spans(years) or 'none'}" for key, years in available.items())
        raise DataError(
            f"missing_years is common_years, but no year of {spans(wanted)} is in all products ({have}); "
            "choose own_mean or nearest_year, or other products"
        )
    return tuple(left)


def filled(field: xr.DataArray, years: Sequence[int], policy: str, classes: bool = False) -> xr.DataArray:
    """Return a yearly field for the years of a run, with the attribute ``years`` that says what stands for which.

    The field has the product's own years along ``time``, its first dimension. By ``own_mean`` a year that is lacking
    is the mean of all years of the field, cell by cell over its values; of ``classes`` it is the nearest year, and so
    it is by ``nearest_year``: of two the earlier one. By ``common_years`` nothing may lack. A Dask array stays one.
    """
    own = field["time"].dt.year.values
    lacking = [year for year in years if year not in own]
    if lacking and policy == "common_years":
        raise DataError(f"{field.name}: lacks {spans(lacking)}, and missing_years is common_years")
    by_mean = policy == "own_mean" and not classes
    nearest = [int(np.abs(own - year).argmin()) for year in years]
    # Beyond the last of its own years stands their mean.
    take = [own.size if by_mean and year in lacking else at for year, at in zip(years, nearest, strict=True)]
    if isinstance(field.data, dask.array.Array):
        whole = field.data.rechunk({0: -1})
        data = whole.map_blocks(_taken, take, chunks=((len(years),), *whole.chunks[1:]), dtype=whole.dtype)
    else:
        data = _taken(field.values, take)
    coords = {"time": steps(years)} | {axis: field[axis] for axis in field.dims[1:]}
    return xr.DataArray(data, coords, field.dims, field.name, {**field.attrs, "years": said(own, years, by_mean)})


def _taken(values: NDArray, take: Sequence[int]) -> NDArray:
    """Return the years at some positions; the position after the last one is the mean of all."""
    if max(take) < len(values):
        return values[list(take)]
    valid = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(valid, values, 0).sum(axis=0, dtype="float64") / valid.sum(axis=0)
    return np.concatenate([values, mean[None].astype(values.dtype)])[list(take)]


def steps(years: Sequence[int]) -> pd.DatetimeIndex:
    """Return the time steps of years."""
    return pd.DatetimeIndex([f"{year}-01-01" for year in years], name="time")


def said(own: Sequence[int], years: Sequence[int], by_mean: bool) -> str:
    """Say which years of a product are in a run, and what stands for those that it lacks.

    Where none is lacking, as in a run of the years that all products have, its years beyond the run are not named: no
    mean has them.

    Examples
    --------
    >>> said(np.arange(2001, 2004), [2000, 2001, 2002, 2003], True)
    '2001-2003; their mean for 2000'
    >>> said(np.arange(2001, 2004), [2000, 2001, 2002, 2003], False)
    '2001-2003; the nearest for 2000'
    >>> said(np.arange(2001, 2004), [2002], False)
    '2002'
    """
    lacking = [year for year in years if year not in own]
    standing = f"; {'their mean' if by_mean else 'the nearest'} for {spans(lacking)}" if lacking else ""
    return spans(own if lacking else years) + standing


def spans(years: Iterable[int]) -> str:
    """Name years by their spans.

    Examples
    --------
    >>> spans([2000, 2005, 2003, 2004])
    '2000, 2003-2005'
    """
    ordered = sorted({int(year) for year in years})
    starts = [year for year in ordered if year - 1 not in ordered]
    ends = [year for year in ordered if year + 1 not in ordered]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
