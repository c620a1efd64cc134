"""Maps of fluxes: place, colours, letters, units, and what they refuse."""

from __future__ import annotations

import functools

import cartopy.crs as ccrs
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from cartopy.mpl.gridliner import Gridliner
from drawn import (
    BOUNDARY,
    FLUX,
    cells_inside,
    drawn_corners,
    eastward,
    grid_map,
    labels,
    legend_texts,
    meshes,
    panels,
    row_names,
    small_cube,
)
from matplotlib.colors import to_hex

from helpers.figures.maps import compare_maps, error_against_truth, flux_map
from helpers.figures.style import NO_DATA


@functools.cache
def npp_figure(n: int = 3) -> mpl.figure.Figure:
    """Return NPP of the forest beside n products; drawn once, and only read."""
    products = {f"product {i}": eastward(0.8 - 0.2 * i) for i in range(n)}
    return compare_maps({"Random forest": eastward(), **products}, BOUNDARY, "NPP")


@functools.cache
def nep_figure() -> mpl.figure.Figure:
    """Return two maps of NEP with sources and sinks; drawn once, and only read."""
    return compare_maps({f"NEP{i}": eastward() - 300 - 100 * i for i in (0, 2)}, BOUNDARY, "NEP")


def test_three_products_have_the_papers_letters():
    assert list(panels(npp_figure())) == ["a", "b", "e", "c", "f", "d", "g"]


def test_any_number_of_products_can_be_compared():
    assert sorted(panels(npp_figure(2))) == list("abcde")


def test_colour_bars_carry_units():
    assert labels(npp_figure()).count(FLUX) == 2


def test_a_field_that_grows_eastwards_grows_to_the_right():
    axes = panels(npp_figure())["a"]
    values, corners = meshes(axes)[-1].get_array(), drawn_corners(axes)
    row = values.shape[0] // 2
    assert np.all(np.diff(values[row].compressed()) > 0)
    assert np.all(np.diff(corners[row, :, 0]) > 0)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_cell_is_drawn_at_its_own_place(order):
    spot = grid_map(lambda x, y: np.where((x == 95.5) & (y == 35.5), 9.0, 1.0)).isel(latitude=order)
    axes = flux_map(spot, BOUNDARY, "NPP").axes[0]
    values = meshes(axes)[-1].get_array().filled(-1)
    row, column = np.unravel_index(np.argmax(values), values.shape)
    found = drawn_corners(axes)[row : row + 2, column : column + 2].mean(axis=(0, 1))
    expected = axes.projection.transform_point(95.5, 35.5, src_crs=ccrs.PlateCarree())
    assert found == pytest.approx(np.array(expected), abs=1e3)


def test_map_is_equal_area():
    corners = drawn_corners(panels(npp_figure())["a"])
    across = corners[1:, 1:] - corners[:-1, :-1]
    along = corners[1:, :-1] - corners[:-1, 1:]
    area = np.abs(across[..., 0] * along[..., 1] - across[..., 1] * along[..., 0]) / 2e6
    latitude = np.deg2rad(np.arange(38.5, 27, -1))
    assert area[:, 0] == pytest.approx(111.32**2 * np.cos(latitude), rel=0.01)


def test_a_panel_shows_the_whole_outline():
    axes = panels(npp_figure())["a"]
    edge = axes.projection.transform_points(ccrs.PlateCarree(), *np.array(BOUNDARY.exterior.coords).T)
    for values, (low, high) in ((edge[:, 0], axes.get_xlim()), (edge[:, 1], axes.get_ylim())):
        assert low < values.min() < values.max() < high
        assert high - low < 1.2 * np.ptp(values)


def test_cells_outside_the_outline_are_not_drawn():
    assert meshes(panels(npp_figure())["a"])[-1].get_array().count() == int(cells_inside().sum())


def test_missing_cells_are_grey_and_named():
    field = eastward()
    figure = flux_map(field.where(field.longitude > 85), BOUNDARY, "NPP")
    grey = meshes(figure.axes[0])[0]
    assert to_hex(grey.cmap(0)) == NO_DATA
    assert grey.get_array().count() == int((cells_inside() & (field.longitude <= 85)).sum())
    assert legend_texts(figure) == {"no data"}


def test_no_data_is_not_named_where_none_is_missing():
    assert "no data" not in legend_texts(npp_figure())


def test_panels_of_one_quantity_share_their_limits():
    limits = {
        letter: (meshes(axes)[-1].norm.vmin, meshes(axes)[-1].norm.vmax)
        for letter, axes in panels(npp_figure()).items()
    }
    assert len({limits[letter] for letter in "abcd"}) == 1
    assert len({limits[letter] for letter in "efg"}) == 1


def test_difference_is_forest_minus_product():
    maps = {"Random forest": eastward(), "other": eastward() - 30}
    drawn = panels(compare_maps(maps, BOUNDARY, "Rs"))
    assert list(drawn) == list("abc")
    assert meshes(drawn["c"])[-1].get_array().compressed() == pytest.approx(30)
    assert drawn["c"].get_title() == "Random forest − other"


def test_nep_and_its_differences_are_centred_on_zero():
    for axes in panels(nep_figure()).values():
        assert meshes(axes)[-1].norm(0.0) == pytest.approx(0.5)


def test_nep_shows_source_in_brown_and_sink_in_blue_green():
    mesh = meshes(panels(nep_figure())["a"])[-1]
    red, _, blue, _ = mesh.cmap(mesh.norm(-400.0))
    assert red > blue
    red, _, blue, _ = mesh.cmap(mesh.norm(400.0))
    assert blue > red
    assert "← source" in labels(nep_figure()) and "sink →" in labels(nep_figure())


def test_only_outer_panels_label_the_graticule():
    lines = {
        letter: next(found for found in axes.artists if isinstance(found, Gridliner))
        for letter, axes in panels(npp_figure()).items()
    }
    named = {letter: (found.bottom_labels, found.left_labels) for letter, found in lines.items()}
    assert {letter: named[letter] for letter in "adeg"} == {
        "a": (False, "y"),
        "d": ("x", "y"),
        "e": (False, False),
        "g": ("x", False),
    }


def test_a_long_title_is_broken_on_a_map_that_is_higher_than_wide():
    high = shapely.affinity.scale(shapely.Point(89, 33).buffer(1, 32), 2, 6)
    maps = {"Random forest": eastward(), "CASA-CNP": eastward(0.5)}
    titles = [panels(compare_maps(maps, outline, "NPP"))["c"].get_title() for outline in (high, BOUNDARY)]
    assert titles == ["Random forest −\nCASA-CNP", "Random forest − CASA-CNP"]


def test_maps_on_two_grids_are_refused():
    with pytest.raises(ValueError, match="'other': its latitude differs.*resample"):
        compare_maps({"Random forest": eastward(), "other": eastward().isel(latitude=slice(1, None))}, BOUNDARY, "NPP")


def test_a_map_without_another_is_refused():
    with pytest.raises(ValueError, match="maps of NPP: expected two or more to compare; there are: Random forest"):
        compare_maps({"Random forest": eastward()}, BOUNDARY, "NPP")


def test_several_years_are_refused():
    years = xr.concat([eastward(), eastward()], pd.Index([2000, 2001], name="time"))
    with pytest.raises(ValueError, match="average over time first"):
        flux_map(years, BOUNDARY, "Rs")


def test_a_single_time_step_is_a_map():
    step = eastward().expand_dims(time=[np.datetime64("2010-01-01", "ns")])
    assert meshes(flux_map(step, BOUNDARY, "Rs").axes[0])


def test_swapped_coordinates_are_suspected():
    with pytest.raises(ValueError, match="latitude and longitude swapped"):
        flux_map(eastward().rename(latitude="longitude", longitude="latitude"), BOUNDARY, "Rs")


def test_maps_without_a_value_are_refused():
    with pytest.raises(ValueError, match="no map holds a single value"):
        flux_map(eastward() * np.nan, BOUNDARY, "Rs")


def test_error_map_is_estimate_minus_truth():
    figure = error_against_truth(eastward() - 25, eastward(), BOUNDARY, small_cube()["land_cover"], "NPP")
    drawn = panels(figure)
    assert sorted(drawn) == list("abcde")
    assert meshes(drawn["c"])[-1].get_array().compressed() == pytest.approx(-25)
    assert set(row_names(drawn["e"])[:2]) == {"grassland", "barren"} and row_names(drawn["e"])[2] == "water"
    assert drawn["e"].get_xlabel() == f"estimate − truth [{FLUX}]"
