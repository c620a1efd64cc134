"""Writes maps of soil respiration as ORNL has them: the globe in 30 arc-seconds, empty but for a box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.windows import Window

from helpers.data.products.interface import Box
from helpers.virtual.archive import fields

_STEP, _MARGIN = 1 / 120, 12  # degrees; cells
#: The year whose fields stand for the mean, and what the map of 2019 has of that of 2021.
YEAR, OF_1736 = 2010, 0.85


def write_respiration_1928(folder: Path, box: Box) -> list[Path]:
    """Write Rs and Rh of Stell 2021; the files name -9999 as missing."""
    maps = {"soil_Rs_mean.tif": fields.rs, "soil_Rh_mean.tif": fields.rh}
    return [_write(folder / name, box, lambda x, y, of=of: of(x, y, YEAR), -9999.0) for name, of in maps.items()]


def write_respiration_1736(folder: Path, box: Box) -> list[Path]:
    """Write Rs of Warner 2019; what is missing is below zero, and the file does not say so."""
    path = folder / "soil_resp_mean_quantile_regress_forest.tif"
    return [_write(path, box, lambda x, y: OF_1736 * fields.rs(x, y, YEAR), None)]


def _write(path: Path, box: Box, of, nodata: float | None) -> Path:
    """Write a map of which only the box has values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left, top = round((box.west + 180) / _STEP) - _MARGIN, round((90 - box.north) / _STEP) - _MARGIN
    columns = round((box.east - box.west) / _STEP) + 2 * _MARGIN
    rows = round((box.north - box.south) / _STEP) + 2 * _MARGIN
    longitude = -180 + (left + np.arange(columns) + 0.5)[None, :] * _STEP
    latitude = 90 - (top + np.arange(rows) + 0.5)[:, None] * _STEP
    values = np.where(fields.data_gap(longitude, latitude), -9999.0, of(longitude, latitude)).astype("float32")
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "width": 43_200, "height": 21_600, "nodata": nodata}
    profile |= {"crs": "EPSG:4326", "transform": Affine(_STEP, 0, -180, 0, -_STEP, 90), "SPARSE_OK": True}
    packing = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    with rasterio.open(path, "w", **profile, **packing) as file:
        file.write(values, 1, window=Window(left, top, columns, rows))
    return path
