"""What holds for each figure: words, data, type that can be read, one column on a phone."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from drawn import BOUNDARY, eastward, ends_of, grid_map, panels, small_cube, type_sizes

from helpers.config import NPP_PREDICTORS, RS_PREDICTORS
from helpers.figures import budgets, costs, evidence, fits, maps, plans, plots, sites, study, style, trust

SITES = pd.DataFrame({"longitude": [80.0, 90.0, 99.0], "latitude": [31.0, 33.0, 34.0], "temperature": [-2.0, 1.0, 3.0]})
YEARS = pd.DataFrame(
    {"year": range(2000, 2008), "quantity": "NPP", "total_TgC_yr": [800.0, 810, 790, 805, 815, 800, 820, 811]}
)
SOURCES = pd.DataFrame(
    {"label": ["sites", "all together"], "npp_sd_gC_m2_yr": [30.0, 50.0], "rh_sd_gC_m2_yr": [20.0, 40.0]}
).assign(nep_sd_gC_m2_yr=[36.0, 64.0])
STEPS = pd.DataFrame({"step": ["the paper's chain", "site checks"], "npp_gC_m2_yr": [320.0, 300.0]}).assign(
    rh_gC_m2_yr=[250.0, 310.0], nep_total_TgC_yr=[160.0, -20.0]
)
DESIGNS = pd.DataFrame(
    {"design": ["none", "strata", "strata", "variance", "variance"], "plots": [0, 10, 20, 10, 20], "quantity": "NEP"}
).assign(
    n_worlds=12,
    mae_gC_m2_yr=[9.0, 8.0, 7.0, 7.5, 6.0],
    difference_gC_m2_yr=[0.0, 0.0, 0.0, -0.5, -1.0],
    difference_low_gC_m2_yr=[0.0, 0.0, 0.0, -1.5, -1.8],
    difference_high_gC_m2_yr=[0.0, 0.0, 0.0, 0.4, -0.2],
    width_ratio=[1.0, 0.92, 0.85, 0.9, 0.81],
    foretold_ratio=[1.0, 0.95, 0.9, 0.86, 0.75],
)
PLOTS = SITES.assign(plot=[1, 2, 11])
SHRINKING = pd.DataFrame({"measured": "NPP alone", "plots": [0, 10, 20], "width_share": [1.0, 0.9, 0.8]}).assign(
    total_low_TgC_yr=[-400.0, -380, -350], total_high_TgC_yr=[200.0, 180, 150]
)
WAITS = pd.DataFrame(
    {"row": ["test", "book-open"] * 2, "label": pd.Categorical(["before"] * 2 + ["now"] * 2), "ratio": [1, 1, 0.7, 0.9]}
).assign(wall_seconds=[900.0, 300.0, 630.0, 270.0])


def cube_of_all_classes() -> xr.Dataset:
    """Return predictors with land cover of each class, so that the legend has all names."""
    cube = small_cube()
    cube["land_cover"] = grid_map(lambda x, y: 1 + np.floor(x) % 17, "1")
    return cube


DRAW = {
    "map": lambda: maps.flux_map(eastward(), BOUNDARY, "NPP", ends_of("NPP", 0, 600), sites=SITES),
    "comparison": lambda: maps.compare_maps(
        {"Random forest": eastward(), "MODIS": eastward(0.5)}, BOUNDARY, "NPP", ends_of("NPP", 0, 600)
    ),
    "error": lambda: maps.error_against_truth(
        eastward(), eastward(0.9), BOUNDARY, small_cube()["land_cover"], "NPP", ends_of("NPP", 0, 600)
    ),
    "study area": lambda: study.fig1_study_area(small_cube(), BOUNDARY, SITES, SITES),
    "covariates": lambda: study.covariates(small_cube(), BOUNDARY, ["precipitation", "temperature", "land_cover"]),
    "land cover": lambda: study.covariates(cube_of_all_classes(), BOUNDARY, ["precipitation", "land_cover"]),
    "all classes": lambda: study.fig1_study_area(cube_of_all_classes(), BOUNDARY, SITES, SITES),
    "flow": lambda: study.fig2_flow(NPP_PREDICTORS, RS_PREDICTORS),
    "sites": lambda: sites.sites_versus_map(SITES, small_cube(), ["temperature"]),
    "fit": lambda: fits.fit_scatter(
        np.arange(1.0, 9), np.arange(1.0, 9) ** 1.1, ["training"] * 4 + ["verification"] * 4, "NPP", "g C m-2 yr-1"
    ),
    "years": lambda: budgets.yearly_budget(YEARS),
    "sources": lambda: trust.variance_bars(SOURCES),
    "steps": lambda: evidence.steps(STEPS),
    "waits": lambda: costs.waits(WAITS),
    "designs": lambda: plots.designs_in_worlds(DESIGNS),
    "plan": lambda: plans.plan_map(
        small_cube()["elevation"], BOUNDARY, PLOTS, {"NPP site": SITES, "Rs site": SITES}, eastward() > 500, "NPP alone"
    ),
    "shrinking": lambda: plans.interval_by_plots(SHRINKING),
}


@functools.cache
def figure_of(name: str) -> style.BookFigure:
    """Return a figure; drawn once, and only read."""
    return DRAW[name]()


@functools.cache
def narrow_of(name: str) -> style.BookFigure:
    """Return the same figure for a phone."""
    return figure_of(name).narrow()


@pytest.mark.parametrize("name", DRAW)
def test_a_figure_has_words_of_substance_and_its_data(name):
    figure = figure_of(name)
    assert len(figure.alt) > 150 and "nan" not in figure.alt and "\n" not in figure.alt
    assert len(figure.data) and figure.data.columns.is_unique


@pytest.mark.parametrize("name", DRAW)
def test_no_type_is_smaller_than_11_pixels_at_the_width_at_which_it_is_shown(name):
    for figure, pixels in ((figure_of(name), 688), (narrow_of(name), 346)):
        assert figure.get_figwidth() * 96 <= pixels
        figure.draw_without_rendering()
        assert figure.get_tightbbox().width * 96 <= pixels + 6, "a page makes it narrower, and its type smaller"
        assert min(type_sizes(figure)) * 96 / 72 >= 11


@pytest.mark.parametrize("name", DRAW)
def test_on_a_phone_panels_stand_below_each_other_and_nothing_is_lost(name):
    narrow, wide = narrow_of(name), figure_of(name)
    narrow.draw_without_rendering()
    lettered = panels(narrow)
    assert sorted(lettered) == sorted(panels(wide)) and narrow.alt == wide.alt
    boxes = sorted((axes.get_window_extent() for axes in lettered.values()), key=lambda box: -box.y1)
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in zip(boxes, boxes[1:], strict=False))


@pytest.mark.parametrize("name", DRAW)
def test_nothing_reaches_beyond_the_figure(name):
    for figure in (figure_of(name), narrow_of(name)):
        figure.draw_without_rendering()
        extent = figure.get_tightbbox()
        assert min(extent.x0, extent.y0) > -0.02
        assert extent.x1 < figure.get_figwidth() + 0.02 and extent.y1 < figure.get_figheight() + 0.02


def test_a_name_has_one_colour_whatever_stands_beside_it():
    alone, among = style.series_colours(["MODIS"]), style.series_colours(["a", "Random forest", "MODIS", "b"])
    assert alone["MODIS"] == among["MODIS"] and len(set(among.values())) == 4


def test_the_words_of_a_bar_chart_are_its_values():
    assert "sites 30.0, all together 50.0" in figure_of("sources").alt
    assert "site checks: NPP 300, Rh 310" in figure_of("steps").alt and "NEP −20.0" in figure_of("steps").alt
