"""The target grid, areas and nearest resampling."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.data import grid

RESOLUTIONS = st.sampled_from([0.01, 0.05, 0.1, 0.25, 0.5, 1 / 12, 1.0])


@given(west=st.floats(60, 100), south=st.floats(10, 40), width=st.floats(0.5, 20), resolution=RESOLUTIONS)
@settings(max_examples=50)
def test_edges_cover_the_box_by_less_than_a_cell(west: float, south: float, width: float, resolution: float) -> None:
    cells = grid.target_grid(west, south, west + width, south + width, resolution)
    half, slack = resolution / 2, 1e-5 * resolution
    for axis, low in (("longitude", west), ("latitude", south)):
        assert low - resolution - slack < cells[axis].min() - half <= low + slack
        assert low + width - slack <= cells[axis].max() + half < low + width + resolution + slack


def test_the_outer_edges_lie_half_a_cell_beyond_the_centres() -> None:
    cells = grid.target_grid(90, 30, 92, 31.5, 0.5)
    assert (grid.cell_edges(cells, "longitude"), grid.cell_edges(cells, "latitude")) == ((90.0, 92.0), (30.0, 31.5))
    assert grid.bounds(cells) == (90.0, 30.0, 92.0, 31.5)


def test_edges_on_multiples_stay_where_they_are() -> None:
    cells = grid.target_grid(73, 18, 136, 54, 0.1)
    assert dict(cells.sizes) == {"latitude": 360, "longitude": 630}
    assert cells.longitude.values[0] == 73.05


def test_latitude_runs_from_north_to_south() -> None:
    assert (np.diff(grid.target_grid(73, 18, 136, 54, 0.5).latitude) < 0).all()


def test_cells_of_the_globe_add_up_to_the_ellipsoid() -> None:
    cells = grid.target_grid(-180, -90, 180, 90, 0.5)
    area = grid.cell_area(cells.latitude, cells.longitude)
    assert float(area.sum()) / 1e6 == pytest.approx(510.0656, abs=1e-4)


@pytest.mark.parametrize("latitude", [0.05, 26.05, 39.75, 80.05])
def test_a_cell_has_the_area_of_its_polygon(latitude: float) -> None:
    area = grid.cell_area(np.array([latitude + 0.1, latitude]), np.array([90.05, 90.15]))
    # The top and bottom of a cell follow parallels, not geodesics: a fine ring of points follows them.
    ring = shapely.segmentize(shapely.box(90, latitude - 0.05, 90.1, latitude + 0.05), 0.001)
    polygon, _ = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(ring)
    assert area.values[1, 0] == pytest.approx(abs(polygon) / 1e6, rel=1e-6)


def coded(resolution: float, descending: bool = True) -> xr.DataArray:
    """A raster whose values tell where they are: 1000 x longitude + latitude of the cell."""
    cells = grid.target_grid(80, 20, 100, 40, resolution)
    field = (1000 * cells.longitude + cells.latitude).transpose("latitude", "longitude").rename("code")
    field = field if descending else field.sortby("latitude")
    return field.rio.write_crs("EPSG:4326")


@pytest.mark.parametrize("descending", [True, False])
def test_each_cell_takes_the_source_cell_that_its_centre_lies_in(descending: bool) -> None:
    target = grid.target_grid(85, 25, 95, 35, 0.25)
    picked = grid.resample_nearest(coded(0.5, descending), target)
    expected = 1000 * (np.floor(target.longitude / 0.5) * 0.5 + 0.25) + (np.floor(target.latitude / 0.5) * 0.5 + 0.25)
    np.testing.assert_allclose(picked, expected.transpose("latitude", "longitude"))


@pytest.mark.parametrize("descending", [True, False])
def test_centres_on_an_edge_take_the_eastern_and_southern_cell(descending: bool) -> None:
    target = grid.target_grid(85, 25, 95, 35, 0.1)
    picked = grid.resample_nearest(coded(0.05, descending), target)
    expected = 1000 * (target.longitude + 0.025) + (target.latitude - 0.025)
    np.testing.assert_allclose(picked, expected.transpose("latitude", "longitude"))


def test_resampling_keeps_missing_cells_months_and_attributes() -> None:
    source = coded(0.5).expand_dims(month=[1, 2]).copy().assign_attrs(units="1")
    source[1, 20, 20] = np.nan
    picked = grid.resample_nearest(source, grid.target_grid(85, 25, 95, 35, 0.5))
    assert picked.isnull().sum("latitude").sum("longitude").values.tolist() == [0, 1]
    assert picked.attrs["units"] == "1"
