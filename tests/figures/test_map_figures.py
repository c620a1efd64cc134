"""Maps of fluxes: place, colours, letters, units, and what they refuse."""

from __future__ import annotations

import functools

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from drawn import (
    BOUNDARY,
    FLUX,
    cells_inside,
    dots,
    drawn_corners,
    eastward,
    ends_of,
    grid_map,
    hatched,
    labels,
    legend_texts,
    meshes,
    panels,
    row_names,
    small_cube,
)
from matplotlib.colors import to_hex

from helpers.figures.maps import compare_maps, error_against_truth, flux_map, limits
from helpers.figures.panels import equal_area
from helpers.figures.style import NO_DATA

NPP, RS, NEP = ends_of("NPP", 0, 600), ends_of("Rs", 0, 600), ends_of("NEP", -400, 400)


@functools.cache
def npp_figure(n: int = 3) -> mpl.figure.Figure:
    """Return NPP of the forest beside n products; drawn once, and only read."""
    products = {f"product {i}": eastward(0.8 - 0.2 * i) for i in range(n)}
    return compare_maps({"Random forest": eastward(), **products}, BOUNDARY, "NPP", NPP)


@functools.cache
def nep_figure() -> mpl.figure.Figure:
    """Return two maps of NEP with sources and sinks; drawn once, and only read."""
    return compare_maps({f"NEP{i}": eastward() - 300 - 100 * i for i in (0, 2)}, BOUNDARY, "NEP", NEP)


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
    axes = flux_map(spot, BOUNDARY, "NPP", NPP).axes[0]
    values = meshes(axes)[-1].get_array().filled(-1)
    row, column = np.unravel_index(np.argmax(values), values.shape)
    found = drawn_corners(axes)[row : row + 2, column : column + 2].mean(axis=(0, 1))
    assert found == pytest.approx(np.array(equal_area(BOUNDARY.bounds)(95.5, 35.5)), abs=1e3)


def test_map_is_equal_area():
    corners = drawn_corners(panels(npp_figure())["a"])
    across = corners[1:, 1:] - corners[:-1, :-1]
    along = corners[1:, :-1] - corners[:-1, 1:]
    area = np.abs(across[..., 0] * along[..., 1] - across[..., 1] * along[..., 0]) / 2e6
    latitude = np.deg2rad(np.arange(38.5, 27, -1))
    assert area[:, 0] == pytest.approx(111.32**2 * np.cos(latitude), rel=0.01)


def test_a_panel_shows_the_whole_outline():
    axes = panels(npp_figure())["a"]
    edge = np.column_stack(equal_area(BOUNDARY.bounds)(*np.array(BOUNDARY.exterior.coords).T))
    for values, (low, high) in ((edge[:, 0], axes.get_xlim()), (edge[:, 1], axes.get_ylim())):
        assert low < values.min() < values.max() < high
        assert high - low < 1.2 * np.ptp(values)


def test_cells_outside_the_outline_are_not_drawn():
    assert meshes(panels(npp_figure())["a"])[-1].get_array().count() == int(cells_inside().sum())


def test_missing_cells_are_grey_and_named():
    field = eastward()
    figure = flux_map(field.where(field.longitude > 85), BOUNDARY, "NPP", NPP)
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
    drawn = panels(compare_maps(maps, BOUNDARY, "Rs", RS))
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
    named = {
        letter: tuple(
            bool("".join(text.get_text() for text in axis.get_ticklabels())) for axis in (axes.xaxis, axes.yaxis)
        )
        for letter, axes in panels(npp_figure()).items()
    }
    assert {letter: named[letter] for letter in "adeg"} == {
        "a": (False, True),
        "d": (True, True),
        "e": (False, False),
        "g": (True, False),
    }


def test_a_parallel_is_named_where_it_leaves_the_panel():
    axes = flux_map(eastward(), BOUNDARY, "NPP", NPP).axes[0]
    (place,) = (
        tick for tick, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True) if text.get_text() == "35°N"
    )
    _, latitude = equal_area(BOUNDARY.bounds)(axes.get_xlim()[0], place, inverse=True)
    assert latitude == pytest.approx(35, abs=0.05)


def test_a_long_title_is_broken_on_a_map_that_is_higher_than_wide():
    high = shapely.affinity.scale(shapely.Point(89, 33).buffer(1, 32), 2, 6)
    maps = {"Random forest": eastward(), "CASA-CNP": eastward(0.5)}
    titles = [panels(compare_maps(maps, outline, "NPP", NPP))["c"].get_title() for outline in (high, BOUNDARY)]
    assert titles == ["Random forest −\nCASA-CNP", "Random forest − CASA-CNP"]


def test_maps_on_two_grids_are_refused():
    with pytest.raises(ValueError, match="'other': its latitude differs.*resample"):
        compare_maps(
            {"Random forest": eastward(), "other": eastward().isel(latitude=slice(1, None))}, BOUNDARY, "NPP", NPP
        )


def test_a_map_without_another_is_refused():
    with pytest.raises(ValueError, match="maps of NPP: expected two or more to compare; there are: Random forest"):
        compare_maps({"Random forest": eastward()}, BOUNDARY, "NPP", NPP)


def test_several_years_are_refused():
    years = xr.concat([eastward(), eastward()], pd.Index([2000, 2001], name="time"))
    with pytest.raises(ValueError, match="average over time first"):
        flux_map(years, BOUNDARY, "Rs", RS)


def test_a_single_time_step_is_a_map():
    step = eastward().expand_dims(time=[np.datetime64("2010-01-01", "ns")])
    assert meshes(flux_map(step, BOUNDARY, "Rs", RS).axes[0])


def test_swapped_coordinates_are_suspected():
    with pytest.raises(ValueError, match="latitude and longitude swapped"):
        flux_map(eastward().rename(latitude="longitude", longitude="latitude"), BOUNDARY, "Rs", RS)


def test_maps_without_a_value_are_refused():
    with pytest.raises(ValueError, match="no map holds a single value"):
        flux_map(eastward() * np.nan, BOUNDARY, "Rs", RS)


def test_error_map_is_estimate_minus_truth():
    figure = error_against_truth(eastward() - 25, eastward(), BOUNDARY, small_cube()["land_cover"], "NPP", NPP)
    drawn = panels(figure)
    assert sorted(drawn) == list("abcde")
    assert meshes(drawn["c"])[-1].get_array().compressed() == pytest.approx(-25)
    assert set(row_names(drawn["e"])[:2]) == {"grassland", "barren"} and row_names(drawn["e"])[2] == "water"
    assert drawn["e"].get_xlabel() == f"estimate − truth [{FLUX}]"


def test_a_flux_has_the_same_scale_in_every_figure_and_an_arrow_where_values_lie_beyond():
    alone = flux_map(eastward(2.0), BOUNDARY, "NPP", NPP)
    norms = [meshes(axes)[-1].norm for axes in (alone.axes[0], panels(npp_figure())["a"], panels(npp_figure())["d"])]
    assert {(norm.vmin, norm.vmax) for norm in norms} == {(0, 600)}


def test_the_ends_of_a_scale_have_two_digits_and_are_those_of_nearly_all_cells():
    found = limits("NPP", grid_map(lambda x, y: np.where((x > 105) & (y > 41), 1e6, 10 * x))).iloc[0]
    assert found["quantity"] == "NPP" and (found["low"], found["high"]) == (740, 1100)


def test_the_ends_of_neps_scale_lie_on_both_sides_of_zero():
    found = limits("NEP", eastward() - 300).iloc[0]
    assert found["low"] == -found["high"] < 0


def test_a_flux_without_the_ends_of_its_scale_is_refused():
    with pytest.raises(ValueError, match="maps of Rs: the ends of its scale are missing; there are: NPP"):
        flux_map(eastward(), BOUNDARY, "Rs", NPP)


def test_the_land_that_may_not_be_used_is_hatched_and_no_other():
    outside = grid_map(lambda x, y: x > 95) == 1
    figure = flux_map(eastward(), BOUNDARY, "NPP", NPP, outside)
    (patch,) = hatched(figure.axes[0])
    x, y = patch.get_path().vertices.T
    longitude, _ = equal_area(BOUNDARY.bounds)(x, y, inverse=True)
    assert longitude.min() == pytest.approx(95, abs=0.01)
    assert "outside the area of applicability" in legend_texts(figure)
    share = float(
        (cells_inside() & outside).weighted(np.cos(np.deg2rad(outside.latitude))).sum()
        / cells_inside().weighted(np.cos(np.deg2rad(outside.latitude))).sum()
    )
    assert f"area of applicability: {100 * share:.0f} %" in figure.alt


def test_cells_whose_interval_includes_zero_are_stippled():
    unsure = grid_map(lambda x, y: y > 34) == 1
    figure = flux_map(eastward() - 300, BOUNDARY, "NEP", NEP, unsure=unsure)
    found = dots(figure.axes[0])
    _, latitude = equal_area(BOUNDARY.bounds)(*found.T, inverse=True)
    assert len(found) > 20 and latitude.min() > 34
    assert not len(dots(flux_map(eastward(), BOUNDARY, "NPP", NPP).axes[0]))


def test_only_what_the_forest_says_is_hatched():
    outside = grid_map(lambda x, y: x > 95) == 1
    maps = {"Random forest": eastward(), "MODIS": eastward(0.5)}
    drawn = panels(compare_maps(maps, BOUNDARY, "NPP", NPP, outside))
    assert {letter: len(hatched(axes)) for letter, axes in drawn.items()} == {"a": 1, "b": 0, "c": 1}


def test_sites_are_dots_at_their_places():
    sites = pd.DataFrame({"longitude": [90.0, 92.0], "latitude": [33.0, 31.0]})
    figure = flux_map(eastward(), BOUNDARY, "NPP", NPP, sites=sites)
    found = next(marks for marks in figure.axes[0].collections if len(marks.get_offsets()) == 2).get_offsets()
    assert np.asarray(found) == pytest.approx(np.column_stack(equal_area(BOUNDARY.bounds)([90, 92], [33, 31])))


def test_the_data_of_a_map_are_its_cells():
    data = npp_figure().data
    assert len(data) == int(cells_inside().sum())
    row = data[(data["latitude"] == 33.5) & (data["longitude"] == 90.5)].iloc[0]
    assert row["Random forest"] == pytest.approx(20 * 20.5 + 33.5) and row["product 1"] == pytest.approx(0.6 * 443.5)
