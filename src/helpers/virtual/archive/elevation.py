"""Writes elevation at 90 m: tiles of Copernicus GLO-90, and SRTM in UTM."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from rasterio import Affine
from rasterio.warp import transform_bounds

from helpers.data.products.interface import Box
from helpers.virtual.archive import fields

_MARGIN = 0.02  # degrees


def write_glo90(folder: Path, box: Box) -> list[Path]:
    """Write the tiles of one degree that a box lies in: single precision, metres, no number for missing.

    They are compressed less than the archive's, and have no overviews.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for north in range(math.floor(box.south), math.ceil(box.north)):
        for east in range(math.floor(box.west), math.ceil(box.east)):
            corner = f"{'NS'[north < 0]}{abs(north):02d}_00_{'EW'[east < 0]}{abs(east):03d}_00"
            paths.append(folder / f"Copernicus_DSM_COG_30_{corner}_DEM.tif")
            _write_glo90(paths[-1], east, north)
    return paths


def write_srtm(folder: Path, box: Box) -> list[Path]:
    """Write ``utm_srtm_XX_YY.img.zip``, Erdas Imagine in UTM, int16, -32768 is missing.

    The true tiles cover 5 degrees. These cover what the box has of them, and more to the sides, without values, as
    those do: their edges are slanted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for row in range(math.floor((60 - box.north) / 5), math.ceil((60 - box.south) / 5)):
        for column in range(math.floor((box.west + 180) / 5), math.ceil((box.east + 180) / 5)):
            west, north = 5 * column - 180, 60 - 5 * row
            part = Box(max(box.west - _MARGIN, west), max(box.south - _MARGIN, north - 5),
                       min(box.east + _MARGIN, west + 5), min(box.north + _MARGIN, north))  # fmt: skip
            paths.append(folder / f"utm_srtm_{column + 1:02d}_{row + 1:02d}.img.zip")
            _write_srtm(paths[-1], part, zone=math.floor((west + 2.5 + 180) / 6) + 1)
    return paths


def _write_glo90(path: Path, east: int, north: int) -> None:
    """Write a tile: its cells have whole degrees as centres, so its corner lies half a cell outside its degree."""
    columns = 1200 if -50 <= north < 50 else 800
    width, height = 1 / columns, 1 / 1200
    longitude, latitude = east + np.arange(columns) * width, north + 1 - np.arange(1200) * height
    heights = fields.elevation(longitude[None, :], latitude[:, None]).astype("float32")
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "crs": "EPSG:4326", "width": columns, "height": 1200}
    profile["transform"] = Affine(width, 0, east - width / 2, 0, -height, north + 1 + height / 2)
    packing = {"tiled": True, "blockxsize": 400, "blockysize": 400, "compress": "deflate", "zlevel": 1, "predictor": 2}
    with rasterio.open(path, "w", **profile, **packing) as file:
        file.write(heights, 1)
        file.update_tags(AREA_OR_POINT="Point")


def _write_srtm(path: Path, part: Box, zone: int) -> None:
    """Write a part of the Earth in the UTM zone of its tile."""
    crs, step = f"EPSG:{32600 + zone}", 90.0
    left, bottom, right, top = transform_bounds("EPSG:4326", crs, *part, densify_pts=50)
    columns, rows = int(np.ceil((right - left) / step)), int(np.ceil((top - bottom) / step))
    x, y = left + (np.arange(columns) + 0.5) * step, top - (np.arange(rows) + 0.5) * step
    places = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*np.meshgrid(x, y))
    # A cell that has any of the part is there: no gap between the tiles of two zones.
    inside = (np.abs(places[0] - (part.west + part.east) / 2) < (part.east - part.west) / 2 + 0.001) & (
        np.abs(places[1] - (part.south + part.north) / 2) < (part.north - part.south) / 2 + 0.001
    )
    heights = np.where(inside, np.round(fields.elevation(*places)), -32768).astype("int16")
    profile = {"driver": "HFA", "dtype": "int16", "count": 1, "nodata": -32768, "crs": crs, "width": columns}
    profile |= {"height": rows, "transform": Affine(step, 0, left, 0, -step, top)}
    image = path.with_suffix("")
    with rasterio.open(image, "w", **profile) as file:
        file.write(heights, 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(image, image.name)
    for made in path.parent.glob(f"{image.name}*"):
        if made != path:
            made.unlink()
