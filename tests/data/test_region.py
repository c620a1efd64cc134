"""The plateau's boundary, and what lies in it."""

from __future__ import annotations

import geopandas
import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry.polygon import orient

from helpers.config import load_config
from helpers.data import grid, region
from helpers.data.readers import open_source


def test_the_region_is_the_default_grid_and_holds_the_papers_box() -> None:
    settings = load_config("open")
    assert (settings.west, settings.south, settings.east, settings.north) == region.REGION
    assert shapely.box(*region.REGION).contains(shapely.box(*region.PAPER_BOX))


def test_a_mask_holds_the_cells_whose_centre_is_inside() -> None:
    cells = grid.target_grid(0, 0, 4, 4, 1)
    mask = region.mask_from_polygon(shapely.box(0, 0, 2.6, 1.4), cells)
    assert mask.sum() == 3
    assert mask.sel(latitude=0.5, longitude=[0.5, 1.5, 2.5]).all()


def test_a_point_without_coordinates_is_in_no_polygon() -> None:
    inside = region.contains(shapely.box(0, 0, 1, 1), np.array([0.5, np.nan, 2.0]), np.array([0.5, 0.5, 0.5]))
    assert inside.tolist() == [True, False, False]


def test_a_boundary_of_two_polygons_is_read_as_one(tmp_path) -> None:
    boxes = [shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)]
    geopandas.GeoDataFrame(geometry=boxes, crs=4326).to_file(tmp_path / "b.shp")
    assert region.read_boundary(tmp_path / "b.shp").equals(shapely.union_all(boxes))


@pytest.mark.real_data
def test_the_plateau_and_its_mask_have_the_published_area(real_data) -> None:
    boundary = open_source("boundary")
    cells = grid.target_grid(73, 25, 105, 41, 0.1)
    masked = grid.cell_area(cells.latitude, cells.longitude).where(region.mask_from_polygon(boundary, cells)).sum()
    # A straight line in longitude and latitude is no geodesic: short edges are close to both.
    parts = [orient(part) for part in shapely.get_parts(shapely.segmentize(boundary, 0.1))]
    area = sum(abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(part)[0]) for part in parts) / 1e6
    assert area == pytest.approx(2_542_299, rel=1e-4)
    assert float(masked) == pytest.approx(2_542_299, rel=0.01)
