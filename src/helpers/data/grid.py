"""The target grid, cell areas, the plateau polygon and its mask, and nearest resampling."""

from __future__ import annotations

import numpy as np
import pyproj
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import xarray as xr

from helpers.errors import DataError

_ELLIPSOID = pyproj.Geod(ellps="WGS84")


def target_grid(west: float, south: float, east: float, north: float, resolution: float) -> xr.Dataset:
    """Return the cell centres of a regular grid in longitude and latitude.

    Parameters
    ----------
    west, south, east, north : float
        Box to cover, degrees. Edges are moved outwards to multiples of the resolution.
    resolution : float
        Cell size, degrees.

    Returns
    -------
    xarray.Dataset
        Coordinates ``latitude`` (north first), ``longitude`` and the CRS; no variables.

    Raises
    ------
    DataError
        If the box is empty or leaves the globe, or the resolution is not positive.

    Examples
    --------
    >>> grid = target_grid(73.04, 26.0, 74.0, 26.96, 0.25)
    >>> grid.longitude.values[[0, -1]], grid.latitude.values[[0, -1]]
    (array([73.125, 73.875]), array([26.875, 26.125]))
    """
    if not resolution > 0:
        raise DataError(f"resolution is {resolution}: expected a cell size above 0 degrees")
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise DataError(
            f"box {west} to {east} E, {south} to {north} N: expected west < east and south < north, "
            "within -180..180 and -90..90"
        )
    # Rounding forgives the noise of binary fractions: 73 / 0.1 is 730, not 729.999….
    first_column, last_row = (int(np.floor(round(edge / resolution, 6))) for edge in (west, south))
    last_column, first_row = (int(np.ceil(round(edge / resolution, 6))) for edge in (east, north))
    longitude = np.round((np.arange(first_column, last_column) + 0.5) * resolution, 9)
    latitude = np.round((np.arange(first_row, last_row, -1) - 0.5) * resolution, 9)
    grid = xr.Dataset(
        coords={
            "latitude": (
                "latitude",
                latitude,
                {"units": "degrees_north", "standard_name": "latitude", "axis": "Y"},
            ),
            "longitude": (
                "longitude",
                longitude,
                {"units": "degrees_east", "standard_name": "longitude", "axis": "X"},
            ),
        },
        attrs={"resolution": float(resolution)},
    )
    return grid.rio.write_crs("EPSG:4326")


def cell_area(latitude: xr.DataArray | np.ndarray, longitude: xr.DataArray | np.ndarray) -> xr.DataArray:
    r"""Return the area of each cell of a regular grid on the WGS84 ellipsoid.

    Parameters
    ----------
    latitude, longitude : array of shape (rows,), (columns,)
        Cell centres, evenly spaced, degrees; at least two of each.

    Returns
    -------
    xarray.DataArray
        km2; dimensions latitude, longitude.

    Notes
    -----
    Exact: the area between the equator and latitude :math:`\varphi` over one radian of longitude is
    :math:`\frac{b^2}{2}\left[\frac{s}{1 - e^2 s^2} + \frac{1}{e}\,\mathrm{artanh}(e s)\right]` with
    :math:`s = \sin\varphi` (Snyder 1987, Eq. 3-12, the authalic latitude).

    Examples
    --------
    >>> area = cell_area(np.arange(89.5, -90, -1), np.arange(-179.5, 180))
    >>> round(float(area.sum()) / 1e6, 4)
    510.0656
    """
    rows, columns = np.asarray(latitude, "float64"), np.asarray(longitude, "float64")
    height, width = abs(_step(rows, "latitude")), abs(_step(columns, "longitude"))
    north, south = np.minimum(rows + height / 2, 90), np.maximum(rows - height / 2, -90)
    strip = (_area_from_equator(north) - _area_from_equator(south)) * np.deg2rad(width)
    return xr.DataArray(
        np.broadcast_to(strip[:, None], (rows.size, columns.size)).copy(),
        coords={"latitude": rows, "longitude": columns},
        dims=("latitude", "longitude"),
        name="cell_area",
        attrs={
            "units": "km2",
            "long_name": "area of the cell on the WGS84 ellipsoid",
            "standard_name": "cell_area",
        },
    )


def resample_nearest(source: xr.DataArray, grid: xr.Dataset) -> xr.DataArray:
    """Take for each cell of a grid the value of the source cell that its centre lies in.

    This is what the paper does with every product. A centre on the edge of two source cells takes the eastern or the
    southern one, always.

    Parameters
    ----------
    source : xarray.DataArray
        With a CRS and evenly spaced latitude and longitude; other dimensions are kept.
    grid : xarray.Dataset
        With coordinates latitude and longitude.

    Returns
    -------
    xarray.DataArray
        On the grid's coordinates, with the source's name and attributes. Missing stays missing.

    Raises
    ------
    DataError
        If the source has no CRS, another one than EPSG:4326, or does not cover the grid.
    """
    name = source.name or "the raster"
    if source.rio.crs is None:
        raise DataError(
            f"{name} has no CRS: write it with .rio.write_crs('EPSG:4326') if it is in longitude and latitude"
        )
    if not source.rio.crs == "EPSG:4326":
        raise DataError(
            f"{name} is in {source.rio.crs}, expected EPSG:4326: reproject it with .rio.reproject('EPSG:4326')"
        )
    picked = source.isel(
        latitude=_nearest_index(source["latitude"].values, grid["latitude"].values, f"{name}, latitude"),
        longitude=_nearest_index(source["longitude"].values, grid["longitude"].values, f"{name}, longitude"),
    )
    return picked.assign_coords(latitude=grid["latitude"], longitude=grid["longitude"])


def _nearest_index(source: np.ndarray, target: np.ndarray, name: str) -> np.ndarray:
    """Return for each target centre the index of the evenly spaced source cell that it lies in."""
    step = _step(source, name)
    low, high = np.sort(source[[0, -1]].astype("float64")) + np.array([-0.5, 0.5]) * abs(step)
    sides = ("southern", "northern") if "latitude" in name else ("western", "eastern")
    for side, short, at, edge in (
        (sides[0], target.min() < low, target.min(), low),
        (sides[1], target.max() > high, target.max(), high),
    ):
        if short:
            raise DataError(
                f"{name}: does not cover the target grid at its {side} edge: "
                f"cells at {at:g} degrees, the raster ends at {edge:g}"
            )
    position = (target - float(source[0])) / step
    # A millionth of a cell decides ties one way, whatever the rounding of the coordinates.
    nudge = 1e-6 * np.sign(step if "longitude" in name else -step)
    return np.clip(np.floor(position + 0.5 + nudge), 0, source.size - 1).astype("int64")


def _step(centres: np.ndarray, name: str) -> float:
    """Return the spacing of evenly spaced centres."""
    centres = np.asarray(centres, "float64")
    if centres.size < 2:
        raise DataError(f"{name}: expected at least two cells, got {centres.size}")
    step = (centres[-1] - centres[0]) / (centres.size - 1)
    if step == 0 or not np.allclose(np.diff(centres), step, rtol=1e-3, atol=0):
        raise DataError(f"{name}: expected evenly spaced cell centres")
    return float(step)


def _area_from_equator(latitude: np.ndarray) -> np.ndarray:
    """Return the area between the equator and a latitude over one radian of longitude, km2."""
    eccentricity = np.sqrt(_ELLIPSOID.es)
    sine = np.sin(np.deg2rad(latitude))
    sum_ = sine / (1 - _ELLIPSOID.es * sine**2) + np.arctanh(eccentricity * sine) / eccentricity
    return (_ELLIPSOID.b / 1e3) ** 2 / 2 * sum_
