"""Cells as a table and back as a map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mapforest.cells import cell_map, commonest, map_table
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


# --- classes that change from year to year ---------------------------------------------------------------------------


@given(st.lists(st.lists(st.sampled_from([1.0, 7.0, 17.0, np.nan]), min_size=5, max_size=5), min_size=1, max_size=6))
def test_the_commonest_class_is_one_that_no_other_beats_in_memory_and_chunked(years) -> None:
    classes = xr.DataArray(np.array(years, "float32"), dims=("time", "cell"))
    found = commonest(classes)
    for cell, best in zip(classes.values.T, found.values, strict=True):
        count = {number: int((cell == number).sum()) for number in (1.0, 7.0, 17.0)}
        most = max(count.values())
        expected = min(number for number, times in count.items() if times == most) if most else np.nan
        np.testing.assert_equal(best, np.float32(expected))
    np.testing.assert_array_equal(commonest(classes.chunk(time=1, cell=2)), found)
    assert found.dtype == np.float32


def test_classes_enter_a_table_whole_and_numbers_with_their_mean(cube) -> None:
    years = xr.DataArray([10.0, 16.0, 16.0], dims="time") * xr.ones_like(ALL, dtype=float)
    yearly = xr.Dataset({"cover": years.assign_attrs(flag_values=[10, 16]), "warmth": years}, PLACE)
    found = map_table(yearly, ["cover", "warmth"], ALL)
    assert set(found["cover"]) == {16.0} and set(found["warmth"]) == {14.0}
