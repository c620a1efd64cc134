"""Writes yearly means of CMFD 1.6: one netCDF file a variable, packed, rows from the south."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from helpers.data.products.interface import Box
from helpers.virtual.archive import fields

_MISSING, _FIRST, _LAST, _MARGIN = np.int16(-32767), 1979, 2018, 0.2
#: Unit, scale and offset of the packed numbers.
_PACKING = {"temp": ("K", 0.01, 273.15), "prec": ("mm hr-1", 1e-5, 0.2), "srad": ("W m-2", 0.02, 250.0)}


def write_cmfd(
    folder: Path,
    box: Box,
    years: Iterable[int] = range(_FIRST, _LAST + 1),
    *,
    institute: bool = False,
    kind: Literal["NETCDF4", "NETCDF3_CLASSIC"] = "NETCDF4",
) -> list[Path]:
    """Write temperature, precipitation and radiation, with values in the box in some years, in no other place or year.

    With ``institute`` the names are those of older copies, with ITPCAS in them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    latitude, longitude = 15.05 + 0.1 * np.arange(400), 70.05 + 0.1 * np.arange(700)
    rows = np.flatnonzero((latitude > box.south - _MARGIN) & (latitude < box.north + _MARGIN))
    columns = np.flatnonzero((longitude > box.west - _MARGIN) & (longitude < box.east + _MARGIN))
    place = longitude[columns][None, :], latitude[rows][:, None]
    paths = []
    for name, (_, scale, offset) in _PACKING.items():
        counts = np.full((_LAST - _FIRST + 1, 400, 700), _MISSING)
        for year in years:
            values = _mean(name, *place, year)
            counts[year - _FIRST, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = np.round(
                (values - offset) / scale
            )
        middle = "ITPCAS-CMFD" if institute else "CMFD"
        paths.append(folder / f"{name}_{middle}_V0106_B-01_01yr_010deg_{_FIRST}-{_LAST}.nc")
        _write(paths[-1], name, counts, latitude, longitude, kind)
    return paths


def _mean(name: str, longitude: np.ndarray, latitude: np.ndarray, year: int) -> np.ndarray:
    """Return the mean of a year in the file's unit."""
    if name == "temp":
        return fields.temperature(longitude, latitude, year) + 273.15
    if name == "srad":
        return fields.srad(longitude, latitude, year)
    hours = (datetime(year + 1, 1, 1) - datetime(year, 1, 1)).days * 24
    return fields.precipitation(longitude, latitude, year) / hours


def _write(path: Path, name: str, counts: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, kind: str) -> None:
    """Write a file with its axes."""
    import netCDF4

    unit, scale, offset = _PACKING[name]
    with netCDF4.Dataset(path, "w", format=kind) as file:
        for axis, centres, degrees in (("lon", longitude, "degrees_east"), ("lat", latitude, "degrees_north")):
            file.createDimension(axis, centres.size)
            made = file.createVariable(axis, "f4", (axis,))
            made[:], made.units = centres, degrees
            made.long_name = {"lon": "longitude", "lat": "latitude"}[axis]
        file.createDimension("time", None)
        time = file.createVariable("time", "i4", ("time",))
        time.units, time.calendar = "hours since 1900-01-01 00:00:0.0", "gregorian"
        packing = {"zlib": True, "complevel": 1, "chunksizes": (1, 400, 700)} if kind == "NETCDF4" else {}
        made = file.createVariable(name, "i2", ("time", "lat", "lon"), fill_value=_MISSING, **packing)
        made.units, made.missing_value, made.scale_factor, made.add_offset = unit, _MISSING, scale, offset
        made.set_auto_maskandscale(False)
        made[:] = counts
        time[:] = netCDF4.date2num([datetime(year, 7, 1) for year in range(_FIRST, _LAST + 1)], time.units)
