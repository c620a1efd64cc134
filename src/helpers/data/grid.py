"""The target grid, the areas of its cells, and nearest resampling to it."""

import numpy as np
import pyproj
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import xarray as xr

from helpers.errors import DataError

_ELLIPSOID = pyproj.Geod(ellps="WGS84")


def target_grid(west: float, south: float, east: float, north: float, resolution: float) -> xr.Dataset:
    """Return the cell centres of a regular grid in longitude and latitude [degrees], with the CRS and no variables.

    The grid covers the box: edges are moved outwards to multiples of the resolution, the cell size. Latitude begins in
    the north. The function raises a DataError if the box is empty or leaves the globe, or if the resolution is not
    positive.

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
    coords = {
        "latitude": ("latitude", latitude, {"units": "degrees_north", "standard_name": "latitude", "axis": "Y"}),
        "longitude": ("longitude", longitude, {"units": "degrees_east", "standard_name": "longitude", "axis": "X"}),
    }
    return xr.Dataset(coords=coords, attrs={"resolution": float(resolution)}).rio.write_crs("EPSG:4326")


def cell_area(latitude: xr.DataArray | np.ndarray, longitude: xr.DataArray | np.ndarray) -> xr.DataArray:
    r"""Return the area [km2] of each cell (latitude, longitude) of a regular grid on the WGS84 ellipsoid.

    The axes are cell centres [degrees]; the function raises a DataError if they are fewer than two or not evenly
    spaced. The area between the equator and latitude :math:`\varphi` over one radian of longitude is exact,
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
    attributes = {"long_name": "area of the cell on the WGS84 ellipsoid", "standard_name": "cell_area", "units": "km2"}
    return xr.DataArray(
        np.repeat(strip[:, None], columns.size, axis=1),
        {"latitude": rows, "longitude": columns},
        ("latitude", "longitude"),
        "cell_area",
        attributes,
    )


def resample_nearest(source: xr.DataArray, grid: xr.Dataset) -> xr.DataArray:
    """Take for each cell of a grid the value of the source cell that its centre lies in.

    This is what the paper does with every product. A centre on the edge of two source cells takes the eastern or the
    southern one, always. Missing stays missing; the source's other dimensions, name and attributes are kept. DataError
    is raised if the source has no CRS, another one than EPSG:4326 or uneven cells, or does not cover the grid.
    """
    name = source.name or "the raster"
    if source.rio.crs is None:
        raise DataError(f"{name} has no CRS: write it with .rio.write_crs('EPSG:4326') if it is in degrees")
    if source.rio.crs != "EPSG:4326":
        raise DataError(f"{name} is in {source.rio.crs}, expected EPSG:4326: use .rio.reproject('EPSG:4326')")
    # A millionth of a cell decides ties one way, whatever the rounding of the coordinates.
    tie = {"latitude": -1e-6, "longitude": 1e-6}
    nudged = {axis: grid[axis].values + share * _covering_step(source, grid, axis) for axis, share in tie.items()}
    picked = source.sel(nudged, method="nearest")
    return picked.assign_coords(latitude=grid["latitude"], longitude=grid["longitude"])


def cell_edges(field: xr.DataArray | xr.Dataset, axis: str) -> tuple[float, float]:
    """Return the outer edges [degrees] of evenly spaced cells along ``longitude`` or ``latitude``, the lower one first.

    Examples
    --------
    >>> cell_edges(target_grid(90, 30, 92, 31, 0.5), "latitude")
    (30.0, 31.0)
    """
    ends = np.sort(field[axis].values[[0, -1]].astype("float64"))
    half = (ends[1] - ends[0]) / (field.sizes[axis] - 1) / 2
    return float(ends[0] - half), float(ends[1] + half)


def bounds(field: xr.DataArray | xr.Dataset) -> tuple[float, float, float, float]:
    """Return west, south, east and north of evenly spaced cells, see :func:`cell_edges`."""
    (west, east), (south, north) = cell_edges(field, "longitude"), cell_edges(field, "latitude")
    return west, south, east, north


def _covering_step(source: xr.DataArray, grid: xr.Dataset, axis: str) -> float:
    """Return the size of the source's cells along an axis, after checking that they cover the grid."""
    name, target = f"{source.name or 'the raster'}, {axis}", grid[axis].values
    step = abs(_step(source[axis].values, name))
    low, high = cell_edges(source, axis)
    sides = ("southern", "northern") if axis == "latitude" else ("western", "eastern")
    for side, short, at, edge in (
        (sides[0], target.min() < low, target.min(), low),
        (sides[1], target.max() > high, target.max(), high),
    ):
        if short:
            raise DataError(
                f"{name}: does not cover the target grid at its {side} edge: "
                f"cells at {at:g} degrees, the raster ends at {edge:g}; choose a smaller box"
            )
    return step


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
