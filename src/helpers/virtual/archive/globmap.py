"""Writes GLOBMAP LAI as its archive gives it out: global files of 8 days, or of half months before 2001."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from rasterio import Affine

from helpers.data.products.interface import Box
from helpers.virtual.archive import fields

# Written out here as the archive has them, not taken from the reader that is tested with these files.
_ROWS, _COLUMNS, _STEP, _NORTH, _WEST = 2090, 4950, 360 / 4950, 89.2, -180.0
_MARGIN = 4  # cells of data around the box
#: Stands where there is no value; which number the true files have is not known.
FILL = 2550


def write_globmap(
    folder: Path, box: Box, years: Iterable[int], form: Literal["hdf", "tif"] = "hdf", *, half_months: bool = False
) -> list[Path]:
    """Write leaf area whose mean over the days of a year is that of :func:`fields.lai`, one file per period.

    It waxes and wanes with the seasons. Lakes have :data:`FILL`, barren patches 0.
    """
    rows, columns, longitude, latitude = _window(box)
    lake, gap = fields.lake(longitude, latitude), fields.data_gap(longitude, latitude)
    folder.mkdir(parents=True, exist_ok=True)
    # One array for all files: only its window changes.
    counts = np.full((_ROWS, _COLUMNS), FILL, "int16")
    paths = []
    for year in years:
        mean = fields.lai(longitude, latitude, year)
        for day, season in _seasons(year, half_months).items():
            leaves = np.clip(np.round(100 * season * mean), 0, 1000)
            counts[rows, columns] = np.where(lake, FILL, np.where(gap, 0, leaves))
            name = f"GlobMapLAIV3.A{year}{day:03d}.Global"
            paths.append(folder / (f"{name}.hdf" if form == "hdf" else f"{name}.LAI.tif"))
            (_write_hdf if form == "hdf" else _write_tif)(paths[-1], counts)
    return paths


def _seasons(year: int, half_months: bool) -> dict[int, float]:
    """Return the factor of each period's leaves, by its first day; its mean over the days of the year is 1."""
    starts = list(range(1, 366, 8))
    if half_months:
        starts = [date(year, month, day).timetuple().tm_yday for month in range(1, 13) for day in (1, 16)]
    lengths = np.diff([*starts, 366 + calendar.isleap(year)])
    season = 1 - 0.8 * np.cos(2 * np.pi * (np.array(starts) + lengths / 2 - 15) / 365)
    return dict(zip(starts, season / np.average(season, weights=lengths), strict=True))


def _window(box: Box) -> tuple[slice, slice, np.ndarray, np.ndarray]:
    """Return the rows and columns that have data, and their coordinates."""
    first, last = (int((_NORTH - edge) / _STEP) for edge in (box.north, box.south))
    rows = slice(first - _MARGIN, last + 1 + _MARGIN)
    first, last = (int((edge - _WEST) / _STEP) for edge in (box.west, box.east))
    columns = slice(first - _MARGIN, last + 1 + _MARGIN)
    latitude = _NORTH - (np.arange(rows.start, rows.stop) + 0.5) * _STEP
    longitude = _WEST + (np.arange(columns.start, columns.stop) + 0.5) * _STEP
    return rows, columns, longitude[None, :], latitude[:, None]


def _write_hdf(path: Path, counts: np.ndarray) -> None:
    """Write the one array of a file; nothing in it says where its cells lie."""
    from pyhdf.SD import SD, SDC

    file = SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
    data = file.create("LAI", SDC.INT16, counts.shape)
    data.setcompress(SDC.COMP_DEFLATE, 1)
    data[:] = counts
    data.endaccess()
    file.end()


def _write_tif(path: Path, counts: np.ndarray) -> None:
    """Write a file that somebody converted."""
    profile = {"driver": "GTiff", "dtype": "int16", "count": 1, "width": _COLUMNS, "height": _ROWS, "crs": "EPSG:4326"}
    transform = Affine(_STEP, 0, _WEST, 0, -_STEP, _NORTH)
    with rasterio.open(path, "w", transform=transform, compress="deflate", zlevel=1, **profile) as raster:
        raster.write(counts, 1)
