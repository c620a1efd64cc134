"""The region: its outline from a file, and the cells and sites that lie in it."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pyproj
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import shapely
import xarray as xr
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from helpers.data.grid import _ELLIPSOID
from helpers.errors import DataError

# Longest edge, in degrees, for which a polygon's straight line in longitude and latitude is close to the geodesic.
_LONGEST_EDGE = 0.1


def read_boundary(path: str | Path) -> BaseGeometry:
    """Read a boundary polygon and check it.

    Parameters
    ----------
    path : str or pathlib.Path
        A vector file (shapefile, GeoPackage, GeoJSON) with polygons in longitude and latitude. A shapefile needs its
        .shx, .dbf and .prj beside it.

    Returns
    -------
    shapely geometry
        All polygons of the file as one.

    Raises
    ------
    DataError
        If the file or a part of it is missing, it has no CRS or another one than EPSG:4326, or it holds no
        valid polygon.
    """
    path = Path(path)
    needed = (
        [path.with_suffix(suffix) for suffix in (".shp", ".shx", ".dbf", ".prj")] if path.suffix == ".shp" else [path]
    )
    missing = [part.name for part in needed if not part.is_file()]
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


def polygon_area(geometry: BaseGeometry) -> float:
    """Return the area of a polygon in longitude and latitude on the WGS84 ellipsoid.

    Parameters
    ----------
    geometry : shapely geometry
        Polygon or polygons, degrees. Edges are straight in longitude and latitude, as on a map.

    Returns
    -------
    float
        km2.

    Examples
    --------
    >>> round(polygon_area(shapely.box(90, 30, 91, 31)))
    10642
    """
    parts = [orient(part) for part in shapely.get_parts(shapely.segmentize(geometry, _LONGEST_EDGE))]
    return sum(abs(_ELLIPSOID.geometry_area_perimeter(part)[0]) for part in parts) / 1e6


def contains(geometry: BaseGeometry, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Tell which points lie in a polygon.

    Parameters
    ----------
    geometry : shapely geometry
        Polygon, degrees.
    longitude, latitude : array
        Points, degrees; of one shape.

    Returns
    -------
    array of bool
        False where a coordinate is missing.
    """
    shapely.prepare(geometry)
    return shapely.contains_xy(geometry, np.asarray(longitude, "float64"), np.asarray(latitude, "float64"))


def mask_from_polygon(geometry: BaseGeometry, grid: xr.Dataset) -> xr.DataArray:
    """Tell which cells of a grid have their centre in a polygon.

    Parameters
    ----------
    geometry : shapely geometry
        Polygon, degrees.
    grid : xarray.Dataset
        With coordinates latitude and longitude.

    Returns
    -------
    xarray.DataArray of bool
        Dimensions latitude, longitude.
    """
    columns, rows = np.meshgrid(grid["longitude"].values, grid["latitude"].values)
    return xr.DataArray(
        contains(geometry, columns, rows),
        coords={"latitude": grid["latitude"], "longitude": grid["longitude"]},
        dims=("latitude", "longitude"),
        name="plateau",
        attrs={"long_name": "centre of the cell lies in the boundary", "units": "1"},
    )


#: West, south, east and north of the plateau as Zeng et al. 2023 state them, degrees.
PAPER_BOX = (73.50, 25.99, 104.67, 39.83)
