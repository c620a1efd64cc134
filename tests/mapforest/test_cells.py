"""Cells as a table and back as a map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mapforest.cells import cell_map, map_table
from mapforest.errors import ForestError

PLACE = {"latitude": [31.0, 30.0], "longitude": [90.0, 91.0, 92.0]}
ALL = xr.DataArray(np.ones((2, 3), bool), PLACE)


@pytest.fixture
def cube() -> xr.Dataset:
    """Height 0 to 5 in raster order; warmth of two years, 1 and 3 everywhere."""
    warmth = xr.DataArray([1.0, 3.0], dims="time") * xr.ones_like(ALL, dtype=float)
    return xr.Dataset({"height": (("longitude", "latitude"), [[0.0, 3], [1, 4], [2, 5]]), "warmth": warmth}, PLACE)


def test_a_table_holds_the_chosen_cells_in_raster_order_with_their_means(cube) -> None:
    found = map_table(cube, ["warmth", "height"], ALL.where(ALL["longitude"] > 90, False))
    expected = {
        "latitude": [31.0, 31.0, 30.0, 30.0],
        "longitude": [91.0, 92.0, 91.0, 92.0],
        "warmth": [2.0] * 4,
        "height": [1.0, 2.0, 4.0, 5.0],
    }
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected))


def test_a_cell_where_a_variable_is_missing_is_left_out(cube) -> None:
    cube["warmth"] = cube["warmth"].where(cube["longitude"] < 92)
    assert map_table(cube, ["warmth", "height"], ALL)["height"].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert len(map_table(cube, ["height"], ALL)) == 6


def test_no_cell_gives_no_row(cube) -> None:
    assert map_table(cube, ["height"], xr.zeros_like(ALL)).shape == (0, 3)


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_table_comes_back_as_the_map_that_it_was(chosen) -> None:
    field = xr.DataArray(np.arange(6.0).reshape(2, 3), PLACE)
    where = xr.DataArray(np.reshape(chosen, (2, 3)), PLACE)
    cells = map_table(field.to_dataset(name="field"), ["field"], where)
    xr.testing.assert_equal(cell_map(cells, cells["field"], field), field.where(where))


def test_a_row_off_the_map_is_refused() -> None:
    cells = pd.DataFrame({"latitude": [30.0, 30.5], "longitude": [90.0, 91.0]})
    with pytest.raises(ForestError, match="1 rows lie on no cell of the map, the first at position 1"):
        cell_map(cells, [5.0, 7.0], ALL)


def test_a_mask_on_another_grid_is_refused(cube) -> None:
    with pytest.raises(ForestError, match="the latitude of 'where' is not the cube's"):
        map_table(cube, ["height"], ALL.assign_coords(latitude=[30.0, 31.0]))
