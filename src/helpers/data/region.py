"""The region: its boxes, the plateau's outline from a file, and the cells and sites that lie in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

import geopandas
import numpy as np
import pandas as pd
import pyproj
import shapely
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from helpers.config import project_root
from helpers.errors import DataError

Numbers = TypeVar("Numbers", NDArray, pd.Series, xr.DataArray)

REGION = (73.0, 18.0, 136.0, 54.0)
"""West, south, east and north of China with its neighbours, degrees: the default grid, and the geography of the virtual
plateau. No longitude of it could be a latitude of it."""

#: West, south, east and north of the plateau as Zeng et al. 2023 state them, degrees.
PAPER_BOX = (73.50, 25.99, 104.67, 39.83)


def read_boundary(path: str | Path, *parts: Path) -> BaseGeometry:
    """Read a boundary, check it, and return all its polygons as one [degrees].

    The path is that of a vector file (shapefile, GeoPackage, GeoJSON) with polygons in longitude and latitude. A
    shapefile needs its .shx, .dbf and .prj beside it; they are found there, whether or not the catalogue names them as
    `parts`. DataError is raised if the file or a part of it is missing, it has no CRS or another one than EPSG:4326, or
    it holds no valid polygon.
    """
    path = Path(path)
    suffixes = (".shp", ".shx", ".dbf", ".prj") if path.suffix == ".shp" else (path.suffix,)
    missing = [path.with_suffix(suffix).name for suffix in suffixes if not path.with_suffix(suffix).is_file()]
    if missing:
        raise DataError(f"boundary {path}: {', '.join(missing)} is missing")
    try:
        table = geopandas.read_file(path)
    except Exception as error:  # pyogrio's errors share no base with OSError
        raise DataError(f"boundary {path} cannot be read as a vector file: {error}") from None
    if table.crs is None or not table.crs.equals(pyproj.CRS.from_epsg(4326), ignore_axis_order=True):
        raise DataError(f"boundary {path}: expected EPSG:4326, found {table.crs}; reproject it with to_crs(4326)")
    if table.empty or not table.geom_type.isin(["Polygon", "MultiPolygon"]).all():
        raise DataError(
            f"boundary {path}: expected polygons, found {sorted(set(table.geom_type.astype(str))) or 'none'}"
        )
    geometry = table.union_all()
    if not geometry.is_valid:
        raise DataError(f"boundary {path}: the polygon is not valid ({shapely.is_valid_reason(geometry)})")
    return geometry


@cache
def china() -> BaseGeometry:
    """Return the outline that the site tables mean by China, of Natural Earth 1:110 million [degrees].

    It is generalised by some tens of kilometres; ``data/borders/make_china.py`` made it.
    """
    return read_boundary(project_root() / "data" / "borders" / "china.geojson")


def contains(geometry: BaseGeometry, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points lie in a polygon [degrees]; the answer is False where a coordinate is missing."""
    shapely.prepare(geometry)
    return shapely.contains_xy(geometry, np.asarray(longitude, "float64"), np.asarray(latitude, "float64"))


def in_box(box: tuple[float, float, float, float], longitude: Numbers, latitude: Numbers) -> Numbers:
    """Tell which points lie in a box of west, south, east and north [degrees], its edges included."""
    west, south, east, north = box
    return (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)


def mask_from_polygon(geometry: BaseGeometry, grid: xr.Dataset) -> xr.DataArray:
    """Tell which cells of a grid (latitude, longitude) have their centre in a polygon [degrees]."""
    return xr.DataArray(
        contains(geometry, *np.meshgrid(grid["longitude"], grid["latitude"])),
        {"latitude": grid["latitude"], "longitude": grid["longitude"]},
        ("latitude", "longitude"),
        "plateau",
        {"long_name": "centre of the cell lies in the boundary", "units": "1"},
    )
