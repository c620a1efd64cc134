"""What every opened product must be: our unit, north first, the field that its file was made from, and else missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray
from rasterio.enums import Resampling

from helpers.data.products.interface import Box
from helpers.data.variables import VARIABLES
from helpers.virtual.archive import fields

Truth = Callable[[NDArray, NDArray], NDArray]


def places(field: xr.DataArray) -> tuple[NDArray, NDArray]:
    """Return longitude and latitude of the cells."""
    to_degrees = pyproj.Transformer.from_crs(field.rio.crs.to_wkt(), "EPSG:4326", always_xy=True)
    return to_degrees.transform(*np.meshgrid(field["x"].values, field["y"].values))


def assert_is(field: xr.DataArray, name: str, truth: Truth, tolerance: float, gap: Truth = fields.data_gap) -> None:
    """Assert that a product is a field wherever there is no gap, and missing there."""
    assert (field.name, field.attrs["units"]) == (name, VARIABLES[name].units)
    assert field.dims == ("y", "x") and field.dtype == "float32"
    assert (np.diff(field["y"]) < 0).all() and (np.diff(field["x"]) > 0).all()
    longitude, latitude = places(field)
    np.testing.assert_array_equal(np.isnan(field.values), gap(longitude, latitude))
    assert np.nanmax(np.abs(field.values - truth(longitude, latitude))) < tolerance


def assert_mean_is(field: xr.DataArray, truth: Truth, resolution: float, tolerance: float, gap=fields.data_gap) -> None:
    """Assert that means over larger cells are the field's own, also of those that have a gap in them."""
    longitude, latitude = places(field)
    clean = field.copy(data=np.where(gap(longitude, latitude), np.nan, truth(longitude, latitude)).astype("float32"))
    found, expected = (
        one.rio.write_nodata(np.nan).rio.reproject("EPSG:4326", resolution=resolution, resampling=Resampling.average)
        for one in (field, clean)
    )
    assert field.isnull().any() and found.notnull().sum() > 3
    np.testing.assert_allclose(found, expected, atol=tolerance)


def assert_covers(field: xr.DataArray, box: Box) -> None:
    """Assert that cells lie on all sides of a box."""
    edges = [(x, y) for x in np.linspace(box.west, box.east, 9) for y in np.linspace(box.south, box.north, 9)]
    to_map = pyproj.Transformer.from_crs("EPSG:4326", field.rio.crs.to_wkt(), always_xy=True)
    x, y = to_map.transform(*np.transpose(edges))
    step = float(field["x"][1] - field["x"][0])
    for axis, at in (("x", x), ("y", y)):
        assert field[axis].min() < at.min() - step and field[axis].max() > at.max() + step
