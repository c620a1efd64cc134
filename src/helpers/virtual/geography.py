"""The real ground of the virtual plateau: elevation, land cover and outline, at any coordinates.

The file ``data/virtual/geography.nc`` (0.1 degree, 73-136 E, 18-54 N) comes from ``data/virtual/make_geography.py``;
the folder's ``PROVENANCE.md`` names sources and licences.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import contourpy
import numpy as np
import shapely
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from helpers.config import project_root
from helpers.errors import DataError

#: West, south, east and north of China with its neighbours, degrees: the geography of the virtual world.
REGION = (73.0, 18.0, 136.0, 54.0)
#: West, south, east and north of the plateau as Zeng et al. 2023 state them, degrees.
PAPER_BOX = (73.50, 25.99, 104.67, 39.83)

#: Length of a degree of latitude, and of longitude at the equator, in the virtual world.
KM_PER_DEGREE = 111.2

_CELLS_PER_DEGREE = 10
_OUTLINE_ELEVATION = 2750.0
_OUTLINE_SMOOTHING = 2.0
_OUTLINE_TOLERANCE = 0.02
_SLOPE_SMOOTHING = 5.0


@dataclass(frozen=True, eq=False)
class Geography:
    """Elevation [m] and IGBP class of the region at 0.1 degree, north first, read at any coordinates [degrees]."""

    elevation: NDArray[np.float64]
    land_cover: NDArray[np.uint8]
    smooth_elevation: NDArray[np.float64]

    def elevation_at(self, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.float64]:
        """Return elevation [m], bilinear between cell centres, in the broadcast shape of the coordinates."""
        return _bilinear(self.elevation, longitude, latitude)

    def smooth_elevation_at(self, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.float64]:
        """Return elevation [m] as moving air sees it: smoothed by a Gaussian of 0.5 degree, then bilinear."""
        return _bilinear(self.smooth_elevation, longitude, latitude)

    def land_cover_at(self, longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.uint8]:
        """Return the IGBP class (17 = water) of the cell that holds each coordinate."""
        row, column = _position(self.land_cover.shape, longitude, latitude)
        return self.land_cover[np.floor(row + 0.5).astype(int), np.floor(column + 0.5).astype(int)]


@cache
def geography() -> Geography:
    """Return the embedded geography, read once per process."""
    path = project_root() / "data" / "virtual" / "geography.nc"
    if not path.is_file():
        raise DataError(
            f"{path} is missing: it is part of the repository; restore it with git checkout, "
            "or run data/virtual/make_geography.py"
        )
    with xr.open_dataset(path, engine="h5netcdf") as file:
        elevation = file["elevation"].to_numpy().astype(np.float64)
        land_cover = file["land_cover"].to_numpy().astype(np.uint8)
    return Geography(elevation, land_cover, ndimage.gaussian_filter(elevation, _SLOPE_SMOOTHING, mode="nearest"))


@cache
def plateau_outline() -> shapely.Polygon:
    """Return the outline of the virtual plateau (degrees, EPSG:4326).

    It is the largest connected region where elevation, smoothed by a Gaussian of 0.2 degree, exceeds 2750 m inside the
    paper's box (73.50-104.67 E, 25.99-39.83 N), without holes. The threshold is the middle of the 2500-3000 m by which
    the plateau is commonly outlined (Zhang et al. 2002, Geographical Research 21, 1-8).
    """
    smooth = ndimage.gaussian_filter(geography().elevation, _OUTLINE_SMOOTHING, mode="nearest")
    longitude = REGION[0] + (np.arange(smooth.shape[1]) + 0.5) / _CELLS_PER_DEGREE
    latitude = REGION[3] - (np.arange(smooth.shape[0]) + 0.5) / _CELLS_PER_DEGREE
    contours = contourpy.contour_generator(longitude, latitude, smooth, fill_type="OuterOffset")
    polygons = []
    for points, offsets in zip(*contours.filled(_OUTLINE_ELEVATION, np.inf), strict=True):
        shell = points[offsets[0] : offsets[1]]
        holes = [points[start:stop] for start, stop in zip(offsets[1:-1], offsets[2:], strict=True)]
        polygons.append(shapely.Polygon(shell, holes))
    inside = shapely.union_all(polygons).intersection(shapely.box(*PAPER_BOX))
    largest = max(shapely.get_parts(inside), key=lambda part: part.area)
    return shapely.Polygon(largest.exterior).simplify(_OUTLINE_TOLERANCE)


def refuse_outside(longitude: ArrayLike, latitude: ArrayLike) -> None:
    """Raise a DataError that names the region if any coordinate [degrees] lies outside what the geography covers."""
    longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
    west, south, east, north = REGION
    outside = (longitude < west) | (longitude > east)
    if outside.any() or ((latitude < south) | (latitude > north)).any():
        raise DataError(
            f"the virtual world covers {west:g}-{east:g} E, {south:g}-{north:g} N, but coordinates span "
            f"{longitude.min():g}-{longitude.max():g} E, {latitude.min():g}-{latitude.max():g} N: choose a smaller box"
        )


def _position(shape: tuple[int, int], longitude: ArrayLike, latitude: ArrayLike) -> list[NDArray[np.float64]]:
    """Return fractional row and column (0 = first cell centre), held inside the region; refuse what lies outside it."""
    refuse_outside(longitude, latitude)
    row = np.clip((REGION[3] - np.asarray(latitude, float)) * _CELLS_PER_DEGREE - 0.5, 0, shape[0] - 1)
    column = np.clip((np.asarray(longitude, float) - REGION[0]) * _CELLS_PER_DEGREE - 0.5, 0, shape[1] - 1)
    return list(np.broadcast_arrays(row, column))


def _bilinear(field: NDArray[np.float64], longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.float64]:
    row, column = _position(field.shape, longitude, latitude)
    values = ndimage.map_coordinates(field, [row.ravel(), column.ravel()], order=1, mode="nearest")
    return values.reshape(row.shape)
