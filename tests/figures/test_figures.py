"""Figures: panels, letters, units, colours, orientation, and what they refuse."""

from __future__ import annotations

import socket

import cartopy.crs as ccrs
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex, to_rgba

from helpers.figures.budgets import fig6_components, recovered_versus_true, yearly_budget
from helpers.figures.fits import figS1_rs_rh, fit_scatter, modis_check
from helpers.figures.maps import error_against_truth, fig3_npp, fig4_rs, fig5_nep
from helpers.figures.sites import importance, land_cover_balance, sites_versus_map, validation_scores
from helpers.figures.study import covariates, fig1_study_area, fig2_flow
from helpers.figures.style import LAND_COVER, NO_DATA, diverging_norm, pretty_units, sequential_norm

FLUX = "g C m⁻² yr⁻¹"
BOUNDARY = shapely.affinity.scale(shapely.Point(89, 33).buffer(1, 32), 14, 6)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection: no figure may fetch coastlines or borders."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a figure opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def grid_map(function, units: str = "g C m-2 yr-1", step: float = 1.0) -> xr.DataArray:
    """Return a map of function(longitude, latitude) on a box around the plateau, north first."""
    longitude, latitude = np.arange(73.5, 106, step), np.arange(41.5, 24, -step)
    coords = {"latitude": latitude, "longitude": longitude}
    values = function(*np.meshgrid(longitude, latitude))
    return xr.DataArray(values, coords, ("latitude", "longitude"), attrs={"units": units})


def eastward(scale: float = 1.0) -> xr.DataArray:
    """Return a flux that grows from west to east."""
    return grid_map(lambda x, y: scale * (20 * (x - 70) + y))


def small_cube() -> xr.Dataset:
    """Return predictors on the box: grass in the east, bare ground in the west, one lake."""
    cover = grid_map(lambda x, y: np.where(x > 89, 10.0, 16.0), "1")
    cover.loc[{"latitude": 33.5, "longitude": 90.5}] = 0.0
    return xr.Dataset(
        {
            "land_cover": cover,
            "elevation": grid_map(lambda x, y: 3000 + 50 * (100 - x), "m"),
            "precipitation": grid_map(lambda x, y: 30 * (x - 72), "mm yr-1"),
            "temperature": grid_map(lambda x, y: 35 - y, "degC"),
            "plateau": grid_map(lambda x, y: shapely.contains_xy(BOUNDARY, x, y), "1"),
            "cell_area": grid_map(lambda x, y: 12_000 * np.cos(np.deg2rad(y)), "km2"),
        }
    )


SITES = pd.DataFrame({"longitude": [91.0, 95.0, 99.0], "latitude": [32.0, 34.0, 33.0]})


def panels(figure: mpl.figure.Figure) -> dict[str, mpl.axes.Axes]:
    """Return the panels of a figure by their letter."""
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}


def labels(figure: mpl.figure.Figure) -> str:
    """Return the labels of all axes of a figure, colour bars among them."""
    return "\n".join(axes.get_xlabel() + "\n" + axes.get_ylabel() for axes in figure.axes)


def legend_texts(figure: mpl.figure.Figure) -> set[str]:
    """Return every entry of every legend of a figure."""
    legends = [legend for axes in figure.axes if (legend := axes.get_legend())] + figure.legends
    return {text.get_text() for legend in legends for text in legend.get_texts()}


def mesh_of(axes: mpl.axes.Axes) -> QuadMesh:
    """Return the cells of a map: the last mesh drawn, above the grey ones."""
    return [found for found in axes.collections if isinstance(found, QuadMesh)][-1]


def on_plateau_cells(where: xr.DataArray | bool = True) -> int:
    """Return how many cells of the box have their centre within the outline."""
    return int((grid_map(lambda x, y: shapely.contains_xy(BOUNDARY, x, y)) & where).sum())


def npp_maps(n: int = 3) -> dict[str, xr.DataArray]:
    return {"Random forest": eastward()} | {f"product {i}": eastward(0.8 - 0.2 * i) for i in range(n)}


def budgets() -> pd.DataFrame:
    rows = [
        ("NPP", "Random forest", 320.0, 810.0),
        ("NPP", "MODIS", 160.0, 405.0),
        ("NPP", "CASA", 240.0, 608.0),
        ("Rh", "Random forest", 250.0, 633.0),
        ("Rh", "CASA", 200.0, 506.0),
        ("NEP", "NEP1", 70.0, 177.0),
        ("NEP", "NEP2", -35.0, -89.0),
    ]
    return pd.DataFrame(rows, columns=["quantity", "product", "mean_gC_m2_yr", "total_TgC_yr"])


# ---- maps ------------------------------------------------------------------


def test_npp_has_the_papers_letters_with_three_products():
    assert list(panels(fig3_npp(npp_maps(3), BOUNDARY))) == ["a", "b", "e", "c", "f", "d", "g"]


def test_npp_takes_any_number_of_products():
    assert sorted(panels(fig3_npp(npp_maps(2), BOUNDARY))) == list("abcde")


def test_npp_colour_bars_carry_units():
    assert labels(fig3_npp(npp_maps(), BOUNDARY)).count(FLUX) == 2


def test_a_field_that_grows_eastwards_grows_to_the_right():
    mesh = mesh_of(panels(fig3_npp(npp_maps(), BOUNDARY))["a"])
    values, corners = mesh.get_array(), mesh.get_coordinates()
    row = values.shape[0] // 2
    assert np.all(np.diff(values[row].compressed()) > 0)
    assert np.all(np.diff(corners[row, :, 0]) > 0)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_cell_is_drawn_at_its_own_place(order):
    spot = grid_map(lambda x, y: np.where((x == 95.5) & (y == 35.5), 9.0, 1.0)).isel(latitude=order)
    axes = panels(fig3_npp({"Random forest": spot, "other": spot * 0.5}, BOUNDARY))["a"]
    mesh = mesh_of(axes)
    row, column = np.unravel_index(np.argmax(mesh.get_array().filled(-1)), mesh.get_array().shape)
    found = np.asarray(mesh.get_coordinates())[row : row + 2, column : column + 2].mean(axis=(0, 1))
    expected = axes.projection.transform_point(95.5, 35.5, src_crs=ccrs.PlateCarree())
    assert found == pytest.approx(np.array(expected), abs=1e3)


def test_map_is_equal_area():
    field = eastward()
    mesh = mesh_of(panels(fig4_rs(field, {"other": field * 0.5}, BOUNDARY))["a"])
    corners = np.asarray(mesh.get_coordinates())
    across = corners[1:, 1:] - corners[:-1, :-1]
    along = corners[1:, :-1] - corners[:-1, 1:]
    area = np.abs(across[..., 0] * along[..., 1] - across[..., 1] * along[..., 0]) / 2e6
    latitude = np.deg2rad(np.arange(38.5, 27, -1))
    assert area[:, 0] == pytest.approx(111.32**2 * np.cos(latitude), rel=0.01)


def test_cells_outside_the_outline_are_not_drawn():
    mesh = mesh_of(panels(fig3_npp(npp_maps(), BOUNDARY))["a"])
    assert mesh.get_array().count() == on_plateau_cells()


def test_missing_cells_are_grey_and_named():
    field = eastward()
    holed = field.where(field.longitude > 85)
    figure = fig3_npp({"Random forest": holed, "other": field * 0.5}, BOUNDARY)
    grey = next(found for found in panels(figure)["a"].collections if isinstance(found, QuadMesh))
    assert to_hex(grey.cmap(0)) == NO_DATA
    assert grey.get_array().count() == on_plateau_cells(field.longitude <= 85)
    assert "no data" in legend_texts(figure)


def test_no_data_is_not_named_where_none_is_missing():
    assert "no data" not in legend_texts(fig3_npp(npp_maps(), BOUNDARY))


def test_panels_of_one_quantity_share_their_limits():
    drawn = panels(fig3_npp(npp_maps(), BOUNDARY))
    limits = {letter: (mesh_of(axes).norm.vmin, mesh_of(axes).norm.vmax) for letter, axes in drawn.items()}
    assert len({limits[letter] for letter in "abcd"}) == 1
    assert len({limits[letter] for letter in "efg"}) == 1


def test_difference_is_forest_minus_product():
    maps = {"Random forest": eastward(), "other": eastward() - 30}
    drawn = panels(fig3_npp(maps, BOUNDARY))["c"]
    assert mesh_of(drawn).get_array().compressed() == pytest.approx(30)
    assert drawn.get_title() == "Random forest − other"


def test_nep_and_its_differences_are_centred_on_zero():
    nep = {f"NEP{i}": eastward() - 300 - 100 * i for i in range(1, 5)}
    for axes in panels(fig5_nep(nep, BOUNDARY)).values():
        norm = mesh_of(axes).norm
        assert norm(0.0) == pytest.approx(0.5)


def test_nep_shows_source_in_brown_and_sink_in_blue_green():
    nep = {"NEP1": eastward() - 300, "NEP2": eastward() - 500}
    figure = fig5_nep(nep, BOUNDARY)
    mesh = mesh_of(panels(figure)["a"])
    red, _, blue, _ = mesh.cmap(mesh.norm(-400.0))
    assert red > blue
    red, _, blue, _ = mesh.cmap(mesh.norm(400.0))
    assert blue > red
    assert "← source" in labels(figure) and "sink →" in labels(figure)


def test_rs_has_letters_a_b_c():
    assert list(panels(fig4_rs(eastward(), {"QRFM": eastward(0.9)}, BOUNDARY))) == list("abc")


def test_only_outer_panels_label_the_graticule():
    drawn = panels(fig3_npp(npp_maps(), BOUNDARY))
    named = {
        letter: (
            any(tick.get_text() for tick in axes.get_xticklabels()),
            any(tick.get_text() for tick in axes.get_yticklabels()),
        )
        for letter, axes in drawn.items()
    }
    assert named["a"] == (False, True) and named["d"] == (True, True) and named["g"] == (True, False)


def test_maps_on_two_grids_are_refused():
    with pytest.raises(ValueError, match="'other': its latitude differs.*resample"):
        fig3_npp({"Random forest": eastward(), "other": eastward().isel(latitude=slice(1, None))}, BOUNDARY)


def test_a_missing_reference_is_named():
    with pytest.raises(ValueError, match="'forest'.*Random forest, product 0"):
        fig3_npp(npp_maps(1), BOUNDARY, reference="forest")


def test_several_years_are_refused():
    years = xr.concat([eastward(), eastward()], pd.Index([2000, 2001], name="time"))
    with pytest.raises(ValueError, match="average over time first"):
        fig4_rs(years, {"other": years}, BOUNDARY)


def test_a_single_time_step_is_a_map():
    step = eastward().expand_dims(time=[np.datetime64("2010-01-01", "ns")])
    assert list(panels(fig4_rs(step, {"other": step * 0.5}, BOUNDARY))) == list("abc")


def test_swapped_coordinates_are_suspected():
    field = eastward().rename(latitude="longitude", longitude="latitude")
    with pytest.raises(ValueError, match="latitude and longitude swapped"):
        fig4_rs(field, {"other": field}, BOUNDARY)


def test_maps_without_a_value_are_refused():
    with pytest.raises(ValueError, match="no map holds a single value"):
        fig4_rs(eastward() * np.nan, {"other": eastward() * np.nan}, BOUNDARY)


# ---- study area and predictors ---------------------------------------------


def test_study_area_names_the_classes_that_are_present_and_the_sites():
    figure = fig1_study_area(small_cube(), BOUNDARY, SITES, SITES)
    assert list(panels(figure)) == ["a", "b"]
    assert legend_texts(figure) == {"grassland", "barren", "water", "NPP site", "Rs site"}


def test_study_area_draws_each_class_in_its_legend_colour():
    mesh = mesh_of(panels(fig1_study_area(small_cube(), BOUNDARY, SITES, SITES))["a"])
    assert mesh.cmap(mesh.norm(10)) == to_rgba(LAND_COVER[10][1])


def test_study_area_puts_sites_where_they_lie():
    site = pd.DataFrame({"longitude": [99.0], "latitude": [31.0]})
    axes = panels(fig1_study_area(small_cube(), BOUNDARY, site, SITES))["a"]
    drawn = [tuple(np.asarray(found.get_offsets())[0]) for found in axes.collections if len(found.get_offsets()) == 1]
    assert drawn[-1] == pytest.approx(axes.projection.transform_point(99.0, 31.0, src_crs=ccrs.PlateCarree()))


def test_study_area_says_which_column_of_the_sites_is_missing():
    with pytest.raises(ValueError, match="Rs sites: the table lacks latitude"):
        fig1_study_area(small_cube(), BOUNDARY, SITES, SITES.drop(columns="latitude"))


def test_an_unknown_land_cover_class_is_refused():
    cube = small_cube()
    cube["land_cover"] = cube["land_cover"] + 10
    with pytest.raises(ValueError, match="IGBP classes 0 to 17"):
        fig1_study_area(cube, BOUNDARY, SITES, SITES)


def test_predictor_maps_carry_their_units_and_a_legend_of_land_cover():
    figure = covariates(small_cube(), BOUNDARY, ["precipitation", "temperature", "land_cover"])
    bars = [child for axes in panels(figure).values() for child in axes.child_axes]
    assert [bar.get_ylabel() for bar in bars] == ["[mm yr⁻¹]", "[°C]"]
    assert {"grassland", "barren"} <= legend_texts(figure)


def test_a_predictor_that_the_cube_lacks_is_named():
    with pytest.raises(ValueError, match="lacks soc"):
        covariates(small_cube(), BOUNDARY, ["precipitation", "soc"])


# ---- truth -----------------------------------------------------------------


def test_error_map_is_estimate_minus_truth():
    cube = small_cube()
    figure = error_against_truth(eastward() - 25, eastward(), BOUNDARY, cube["land_cover"], "NPP")
    drawn = panels(figure)
    assert sorted(drawn) == list("abcde")
    assert mesh_of(drawn["c"]).get_array().compressed() == pytest.approx(-25)
    assert [tick.get_text() for tick in drawn["e"].get_yticklabels()][-1] in {"grassland", "barren"}


def test_recovered_and_true_values_stand_on_one_row():
    table = pd.DataFrame(
        {
            "statistic": ["mean", "mean", "trend"],
            "quantity": ["NPP", "NEP", "NPP"],
            "recovered": [310.0, 30.0, 1.0],
            "true": [300.0, 50.0, 2.0],
            "unit": ["g C m-2 yr-1", "g C m-2 yr-1", "Tg C yr-2"],
        }
    )
    figure = recovered_versus_true(table)
    recovered, true, *_ = panels(figure)["a"].lines
    assert list(recovered.get_xdata()) == [310.0, 30.0] and list(true.get_xdata()) == [300.0, 50.0]
    assert list(recovered.get_ydata()) == list(true.get_ydata())
    assert panels(figure)["b"].get_xlabel() == "[Tg C yr⁻²]"


def test_recovered_and_true_values_need_one_unit_a_statistic():
    table = pd.DataFrame(
        [("mean", "NPP", 1.0, 1.0, "g C m-2 yr-1"), ("mean", "NEP", 1.0, 1.0, "Tg C yr-1")],
        columns=["statistic", "quantity", "recovered", "true", "unit"],
    )
    with pytest.raises(ValueError, match="mean has several units"):
        recovered_versus_true(table)


# ---- budgets ---------------------------------------------------------------


def widths(axes: mpl.axes.Axes) -> list[float]:
    return [bar.get_width() for bar in axes.patches]


def test_components_have_the_papers_panels():
    figure = fig6_components(budgets())
    assert list(panels(figure)) == list("abcdef")
    assert labels(figure).count(FLUX) == 3


def test_components_draw_means_and_percentage_differences():
    drawn = panels(fig6_components(budgets()))
    assert widths(drawn["a"]) == [320.0, 160.0, 240.0]
    assert widths(drawn["b"]) == pytest.approx([-50.0, -25.0, -37.5])
    assert widths(drawn["d"]) == pytest.approx([-20.0])
    assert widths(drawn["f"]) == pytest.approx([-150.0])


def test_components_relate_to_the_size_of_a_negative_reference():
    table = budgets()
    table.loc[table["product"] == "NEP1", "mean_gC_m2_yr"] = -20.0
    assert widths(panels(fig6_components(table))["f"]) == pytest.approx([-75.0])


def test_components_mark_the_papers_values():
    paper = pd.DataFrame({"quantity": ["NPP"], "product": ["Random forest"], "mean_gC_m2_yr": [321.4]})
    figure = fig6_components(budgets(), paper)
    diamonds = [line for line in panels(figure)["a"].lines if line.get_marker() == "D"]
    assert [list(line.get_xdata()) for line in diamonds] == [[321.4]]
    assert "the paper's value" in legend_texts(figure)


def test_components_refuse_a_paper_value_without_a_bar():
    paper = pd.DataFrame({"quantity": ["NPP"], "product": ["GLOPEM"], "mean_gC_m2_yr": [145.0]})
    with pytest.raises(ValueError, match="NPP GLOPEM"):
        fig6_components(budgets(), paper)


def test_components_say_which_column_is_missing():
    with pytest.raises(ValueError, match="lacks total_TgC_yr"):
        fig6_components(budgets().drop(columns="total_TgC_yr"))


def test_components_need_something_to_compare_with():
    with pytest.raises(ValueError, match="product of Rh, got 1"):
        fig6_components(budgets().drop(index=4))


def test_yearly_trend_is_per_decade():
    years = np.arange(2000, 2010)
    series = pd.DataFrame({"year": years, "quantity": "NPP", "total_TgC_yr": 800 + 2.5 * (years - 2000)})
    figure = yearly_budget(series)
    assert any("+25.0 Tg C yr⁻¹\na decade" in text for text in legend_texts(figure))


def test_yearly_trend_needs_three_years():
    series = pd.DataFrame({"year": [2000, 2001], "quantity": "NPP", "total_TgC_yr": [1.0, 2.0]})
    with pytest.raises(ValueError, match="three years, got 2"):
        yearly_budget(series)


# ---- scatter ---------------------------------------------------------------


def test_line_of_rs_and_rh_is_drawn_with_its_slope_and_intercept():
    pairs = pd.DataFrame({"rs": [100.0, 500.0, 900.0], "rh": [70.0, 320.0, 560.0]})
    figure = figS1_rs_rh(pairs, {"paper": (0.62, 9.01, 0.77)}, pairs)
    (line,) = figure.axes[0].lines
    x, y = line.get_data()
    assert y == pytest.approx(0.62 * x + 9.01)
    assert "paper: Rh = 0.62 Rs + 9.0,  R² = 0.77" in legend_texts(figure)


def test_fit_reports_each_set_and_both_together():
    observed = np.array([0.0, 100.0, 200.0, 0.0, 100.0, 200.0])
    predicted = np.array([50.0, 100.0, 150.0, 10.0, 110.0, 210.0])
    sets = ["training"] * 3 + ["verification"] * 3
    figure = fit_scatter(observed, predicted, sets, "NPP", "g C m-2 yr-1")
    (table,) = figure.axes[1].tables
    cells = table.get_celld()
    rows = [[cells[row, column].get_text().get_text() for column in range(4)] for row in (1, 2, 3)]
    assert rows == [["3", "1.00", "0.50", "40.8"], ["3", "1.00", "1.00", "10"], ["6", "0.89", "0.75", "29.7"]]


def test_fit_tells_the_sets_apart_without_colour():
    figure = fit_scatter([1, 2, 3, 4], [1, 2, 3, 5], ["training", "verification"] * 2, "ln Rs", "1")
    shapes = [found.get_paths()[0].vertices.shape for found in figure.axes[0].collections]
    assert shapes[0] != shapes[1]
    assert figure.axes[0].get_xlabel() == "ln Rs, observed"


@pytest.mark.parametrize(
    ("observed", "sets", "message"),
    [
        ([1.0, 2.0, 3.0], ["training"] * 4, "one length"),
        ([1.0, 2.0, np.nan, 4.0], ["training"] * 4, "4 with 1 incomplete"),
        ([1.0, 2.0, 3.0, 4.0], ["training"] * 3 + ["test"], "unknown: test"),
        ([1.0, 2.0, 3.0, 4.0], ["training"] * 3 + ["verification"], "verification set has 1 point"),
    ],
)
def test_fit_refuses_what_it_cannot_draw(observed, sets, message):
    with pytest.raises(ValueError, match=message):
        fit_scatter(observed, [1.0, 2.0, 3.0, 4.0], sets, "NPP", "g C m-2 yr-1")


def test_modis_check_puts_site_values_on_the_horizontal_axis():
    figure = modis_check(stand_in=[90.0, 180.0, 270.0], site_values=[100.0, 200.0, 300.0])
    (axes,) = figure.axes
    assert np.asarray(axes.collections[0].get_offsets()).tolist() == [[100, 90], [200, 180], [300, 270]]
    assert "ratio of means = 0.90" in axes.texts[0].get_text()


# ---- diagnostics -----------------------------------------------------------


def test_share_beyond_the_sites_is_weighted_by_area():
    cube = small_cube()
    samples = pd.DataFrame({"temperature": [-1.0, 5.0]})
    figure = sites_versus_map(samples, cube, ["temperature"])
    area = cube["cell_area"].where(cube["plateau"])
    beyond = area.where((cube["temperature"] < -1) | (cube["temperature"] > 5)).sum() / area.sum()
    assert panels(figure)["a"].get_title() == f"{100 * float(beyond):.0f} % of the plateau beyond the sites"


def test_sites_that_span_the_plateau_leave_nothing_beyond():
    samples = pd.DataFrame({"temperature": [-50.0, 50.0]})
    title = panels(sites_versus_map(samples, small_cube(), ["temperature"]))["a"].get_title()
    assert title.startswith("0 %")


def test_land_cover_has_no_cumulative_distribution():
    with pytest.raises(ValueError, match="land_cover_balance"):
        sites_versus_map(pd.DataFrame({"land_cover": [10]}), small_cube(), ["land_cover"])


def test_land_cover_shares_are_drawn_by_group():
    table = pd.DataFrame({"land_cover": ["grassland", "barren"], "sites": [90.0, 10.0], "plateau": [60.0, 40.0]})
    figure = land_cover_balance(table)
    assert widths(figure.axes[0]) == [90.0, 10.0, 60.0, 40.0]
    assert legend_texts(figure) == {"sites", "plateau"}


def test_land_cover_shares_must_be_percent():
    table = pd.DataFrame({"land_cover": ["grassland", "barren"], "sites": [0.9, 0.1]})
    with pytest.raises(ValueError, match="add up to 100 %, got sites 1.0"):
        land_cover_balance(table)


def test_importance_has_the_greatest_on_top():
    table = pd.DataFrame({"predictor": ["srad", "lai"], "importance": [30.0, 5.0], "sd": [1.0, 1.0]})
    (axes,) = importance(table, "increase of RMSE [%]").axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["leaf area index", "shortwave radiation"]


def test_validation_scores_have_a_panel_a_target_and_score():
    table = pd.DataFrame(
        [(t, s, k, 0.5) for t in ("NPP", "ln Rs") for s in ("random", "block") for k in ("r", "PBIAS [%]")],
        columns=["target", "scheme", "score", "value"],
    )
    drawn = panels(validation_scores(table))
    assert [(axes.get_title(), axes.get_xlabel()) for axes in drawn.values()] == [
        ("NPP", "r"),
        ("NPP", "PBIAS [%]"),
        ("ln Rs", "r"),
        ("ln Rs", "PBIAS [%]"),
    ]
    assert all(len(axes.lines) == 2 for axes in drawn.values())


# ---- what all share --------------------------------------------------------


def test_flow_names_every_step_of_the_chain():
    texts = " ".join(text.get_text() for text in fig2_flow().axes[0].texts)
    assert all(f"(Eq. {i})" in texts for i in range(1, 5)) and "Eqs. 5–8" in texts


def test_a_figure_leaves_no_trace_in_the_session():
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 31.0}):
        figure = fig2_flow()
        assert mpl.rcParams["font.size"] == 31.0
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
    assert max(text.get_fontsize() for text in figure.axes[0].texts) < 12


def test_a_figure_looks_the_same_whatever_the_sessions_settings():
    plain = importance(pd.DataFrame({"predictor": ["lai"], "importance": [1.0], "sd": [0.1]}), "x")
    with mpl.rc_context({"xtick.labelsize": 31.0, "axes.facecolor": "black"}):
        styled = importance(pd.DataFrame({"predictor": ["lai"], "importance": [1.0], "sd": [0.1]}), "x")
        styled.draw_without_rendering()
    assert styled.axes[0].get_xticklabels()[0].get_fontsize() == plain.axes[0].get_xticklabels()[0].get_fontsize()
    assert styled.axes[0].get_facecolor() == to_rgba("white")


def test_a_figure_shows_itself_in_a_notebook():
    picture, metadata = fig2_flow()._repr_png_()
    assert picture.startswith(b"\x89PNG") and metadata == {"width": 800}


def test_nothing_is_cut_off_at_the_edge_of_the_study_area():
    figure = fig1_study_area(small_cube(), BOUNDARY, SITES, SITES)
    figure.draw_without_rendering()
    extent = figure.get_tightbbox()
    assert extent.x0 >= -0.02 and extent.y0 >= -0.02
    assert extent.x1 <= figure.get_figwidth() + 0.02 and extent.y1 <= figure.get_figheight() + 0.02


def test_shared_limits_are_percentiles_of_all_maps_together():
    first = xr.DataArray(np.arange(100.0, 150.0))
    second = xr.DataArray(np.arange(150.0, 201.0))
    norm = sequential_norm([first, second])
    assert (norm.vmin, norm.vmax) == (pytest.approx(102.0), pytest.approx(198.0))


def test_shared_limits_begin_at_zero_where_the_least_values_are_near_it():
    assert sequential_norm([xr.DataArray(np.arange(0.0, 101.0))]).vmin == 0.0


def test_diverging_limits_ignore_a_few_extreme_cells():
    values = np.concatenate([np.linspace(-10, 5, 999), [1e6]])
    norm = diverging_norm([xr.DataArray(values)])
    assert norm.vmin == -norm.vmax and norm.vmax < 11


@pytest.mark.parametrize(
    ("cf", "shown"), [("mm yr-1", "mm yr⁻¹"), ("kg C m-2", "kg C m⁻²"), ("km2", "km²"), ("W m-2", "W m⁻²"), ("1", "")]
)
def test_units_are_shown_with_raised_exponents(cf, shown):
    assert pretty_units(cf) == shown
