"""Writes NPP of CASA, by months, and of GLO_PEM, by years: GeoTIFFs of 1 km in an Albers projection.

What the true files are called and what numbers they hold is not known: these are like others of their kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyproj
import rasterio
from rasterio import Affine
from rasterio.warp import transform_bounds

from helpers.data.products.interface import Box
from helpers.virtual.archive import fields

_ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +x_0=0 +y_0=0 +units=m +no_defs"
_WGS84, KRASOVSKY = f"{_ALBERS} +datum=WGS84", f"{_ALBERS} +ellps=krass"
_STEP, _MARGIN = 1000.0, 0.1  # m; degrees around the box
#: Options of the files that are written here, as a configuration tells them.
CASA_OPTIONS: Final = {"pattern": "NPP_CASA_{year}_{month}.tif", "period": "month", "scale": 0.01, "nodata": -9999}
GLO_PEM_OPTIONS: Final = {"pattern": "GLOPEM_NPP_{year}.tif", "period": "year", "scale": 1.0}
#: The products differ from :func:`fields.npp` by a factor.
CASA, GLO_PEM = 1.1, 0.9
#: Parts of a year's NPP in its months.
SEASON: Final = (1 - np.cos(2 * np.pi * (np.arange(12) + 0.5) / 12)) / 12


def write_casa(
    folder: Path, box: Box, years: Iterable[int], period: Literal["month", "year"] = "month", *, named: bool = True
) -> list[Path]:
    """Write CASA: int16 in 0.01 g C m-2 a month (0.1 a year, ``NPP_CASA_<year>.tif``), -9999 is missing.

    With ``named`` the files name their projection; the number for missing they do not.
    """
    crs, transform, longitude, latitude = _places(box, _WGS84)
    gap = _gap(box, longitude, latitude)
    unit, paths = (0.01 if period == "month" else 0.1), []
    for year in years:
        npp = CASA * fields.npp(longitude, latitude, year)
        parts = {f"{year}_{month:02d}": npp * SEASON[month - 1] for month in range(1, 13)}
        for name, values in (parts if period == "month" else {str(year): npp}).items():
            counts = np.where(gap, -9999, np.round(values / unit)).astype("int16")
            paths.append(folder / f"NPP_CASA_{name}.tif")
            _write(paths[-1], counts, transform, crs if named else None, None)
    return paths


def write_glo_pem(folder: Path, box: Box, years: Iterable[int]) -> list[Path]:
    """Write GLO_PEM: single precision, g C m-2 yr-1, on the ellipsoid of Krasovsky; the lowest number is missing."""
    crs, transform, longitude, latitude = _places(box, KRASOVSKY)
    gap, lowest = _gap(box, longitude, latitude), float(np.finfo("float32").min)
    paths = []
    for year in years:
        values = np.where(gap, lowest, GLO_PEM * fields.npp(longitude, latitude, year)).astype("float32")
        paths.append(folder / f"GLOPEM_NPP_{year}.tif")
        _write(paths[-1], values, transform, crs, lowest)
    return paths


def _places(box: Box, crs: str) -> tuple[str, Affine, np.ndarray, np.ndarray]:
    """Return a projection, the corner of its cells around a box, and their longitude and latitude."""
    around = (box.west - _MARGIN, box.south - _MARGIN, box.east + _MARGIN, box.north + _MARGIN)
    left, bottom, right, top = transform_bounds("EPSG:4326", crs, *around, densify_pts=100)
    left, top = np.floor(left / _STEP) * _STEP, np.ceil(top / _STEP) * _STEP
    columns, rows = int(np.ceil((right - left) / _STEP)), int(np.ceil((top - bottom) / _STEP))
    x, y = left + (np.arange(columns) + 0.5) * _STEP, top - (np.arange(rows) + 0.5) * _STEP
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    return crs, Affine(_STEP, 0, left, 0, -_STEP, top), *to_degrees.transform(*np.meshgrid(x, y))


def _gap(box: Box, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Tell where there is no value."""
    far = (np.abs(longitude - (box.west + box.east) / 2) > (box.east - box.west) / 2 + _MARGIN) | (
        np.abs(latitude - (box.south + box.north) / 2) > (box.north - box.south) / 2 + _MARGIN
    )
    return far | fields.data_gap(longitude, latitude)


def _write(path: Path, values: np.ndarray, transform: Affine, crs: str | None, nodata: float | None) -> None:
    """Write a GeoTIFF of one band."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = values.shape
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype, "nodata": nodata, "crs": crs, "compress": "lzw"}
    with rasterio.open(path, "w", width=columns, height=rows, transform=transform, **profile) as file:
        file.write(values, 1)
