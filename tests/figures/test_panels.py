"""The frame of a map: its projection and its graticule follow the region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Proj
from shapely import box

from helpers.data.grid import target_grid
from helpers.figures.maps import flux_map, limits
from helpers.figures.panels import equal_area

#: A projection that keeps areas wherever they lie.
CYLINDER = Proj(proj="cea", ellps="WGS84")
PLATEAU = (73.50, 25.99, 104.67, 39.83)


def test_the_papers_plateau_keeps_its_projection():
    crs = equal_area(PLATEAU).crs.to_dict()
    assert (crs["proj"], crs["lon_0"], crs["lat_0"], crs["lat_1"], crs["lat_2"]) == ("aea", 89, 33, 28, 38)


@pytest.mark.parametrize("bounds", [(-20, -10, 40, 10), (10, -0.4, 12, 0.3), (-60, 60, -20, 84), (-180, -90, 180, -60)])
def test_what_albers_cannot_draw_is_drawn_by_lambert(bounds):
    assert equal_area(bounds).crs.to_dict()["proj"] == "laea"


@settings(deadline=None, max_examples=40)
@given(st.floats(-170, 130), st.floats(-80, 60), st.floats(0.5, 40), st.floats(0.5, 20))
def test_a_degree_of_area_keeps_its_share_wherever_the_region_lies(west, south, width, height):
    """Two cells within the box have the areas on the map that they have on the ellipsoid."""
    crs = equal_area((west, south, west + width, south + height))

    def area(x: float, y: float) -> float:
        """Return the area of a cell of 0.01 degree on the map, divided by that on the ground."""
        corners = np.array([(x, y), (x + 0.01, y), (x + 0.01, y + 0.01), (x, y + 0.01)])
        a, b = crs(*corners.T)
        drawn = 0.5 * abs(np.dot(a, np.roll(b, 1)) - np.dot(b, np.roll(a, 1)))
        east, north = CYLINDER(*corners.T)
        return drawn / (np.ptp(east) * np.ptp(north))

    ends = area(west, south), area(west + width - 0.01, south + height - 0.01)
    assert ends[0] == pytest.approx(ends[1], rel=2e-2)


@pytest.mark.parametrize(
    ("bounds", "east", "north"),
    [
        (PLATEAU, 10, 5),
        ((129.4, 31.0, 145.5, 45.6), 5, 5),
        ((9.1, 45.2, 10.2, 45.9), 0.5, 0.2),
        ((-70, -50, -60, -20), 5, 10),
    ],
)
def test_meridians_and_parallels_cut_a_map_into_four_parts_at_most(bounds, east, north):
    west, south, right, top = bounds
    room = 1
    grid = target_grid(np.floor(west) - room, np.floor(south) - room, np.ceil(right) + room, np.ceil(top) + room, 0.25)
    field = (grid["latitude"] + grid["longitude"]).rename("npp")
    axes = flux_map(field, box(*bounds), "NPP", limits("NPP", field)).axes[0]
    for axis, step, low, high in ((axes.xaxis, east, west, right), (axes.yaxis, north, south, top)):
        named = [text.get_text() for text in axis.get_ticklabels()]
        degrees = np.sort([float(name[:-2]) * (-1 if name[-1] in "WS" else 1) for name in named])
        assert np.allclose(np.diff(degrees), step) and np.allclose(degrees / step, np.round(degrees / step))
        assert 1 <= len(degrees) <= 6 and (high - low) / step <= 4
