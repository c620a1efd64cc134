"""Figures of the study: its area, its flow, its predictors."""

from __future__ import annotations

import functools

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn import BOUNDARY, legend_texts, meshes, panels, small_cube
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba

from helpers.config import NPP_PREDICTORS, RS_PREDICTORS
from helpers.figures.panels import equal_area
from helpers.figures.study import covariates, fig1_study_area, fig2_flow
from helpers.figures.style import LAND_COVER

SITES = pd.DataFrame({"longitude": [91.0, 95.0, 99.0], "latitude": [32.0, 34.0, 33.0]})
ONE = pd.DataFrame({"longitude": [99.0], "latitude": [31.0]})


@functools.cache
def study_area() -> mpl.figure.Figure:
    """Return figure 1 with one NPP site and three Rs sites; drawn once, and only read."""
    return fig1_study_area(small_cube(), BOUNDARY, ONE, SITES)


def test_study_area_names_the_classes_that_are_present_and_the_sites():
    assert list(panels(study_area())) == ["a", "b"]
    assert legend_texts(study_area()) == {"grassland", "barren", "water", "NPP site", "Rs site"}


def test_study_area_draws_each_class_in_its_legend_colour():
    mesh = meshes(panels(study_area())["a"])[-1]
    assert all(mesh.cmap(mesh.norm(number)) == to_rgba(colour) for number, colour in LAND_COVER.items())


def test_study_area_puts_sites_where_they_lie():
    axes = panels(study_area())["a"]
    marks = [found for found in axes.collections if isinstance(found, PathCollection)]
    (site,) = (found for found in marks if len(found.get_offsets()) == 1)
    assert np.asarray(site.get_offsets())[0] == pytest.approx(np.array(equal_area(BOUNDARY.bounds)(99.0, 31.0)))


def test_study_area_has_a_bar_of_500_km():
    axes = panels(study_area())["a"]
    (bar,) = (line for line in axes.lines if len(line.get_xdata()) == 2)
    assert np.ptp(bar.get_xdata()) == pytest.approx(500_000) and np.ptp(bar.get_ydata()) == 0
    assert "500 km" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("name", ["precipitation", "temperature", "lai", "elevation", "clay_share"])
def test_dark_is_more_in_every_predictor_map(name):
    cube = small_cube().assign(clay_share=small_cube()["lai"])
    cmap = meshes(panels(covariates(cube, BOUNDARY, [name]))["a"])[-1].cmap
    light = cmap(np.linspace(0, 1, 9))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert light[0] > light[-1] + 0.3 and np.all(np.diff(light) < 0.02)


def test_study_area_says_which_column_of_the_sites_is_missing():
    with pytest.raises(ValueError, match="Rs sites: the table lacks latitude"):
        fig1_study_area(small_cube(), BOUNDARY, SITES, SITES.drop(columns="latitude"))


def test_an_unknown_land_cover_class_is_refused():
    cube = small_cube()
    cube["land_cover"] = cube["land_cover"] + 10
    with pytest.raises(ValueError, match="IGBP class from 1 to 17, found 2[0-9]"):
        fig1_study_area(cube, BOUNDARY, SITES, SITES)


def test_nothing_is_cut_off_at_the_edge_of_the_study_area():
    figure = study_area()
    figure.draw_without_rendering()
    extent = figure.get_tightbbox()
    assert extent.x0 >= -0.02 and extent.y0 >= -0.02
    assert extent.x1 <= figure.get_figwidth() + 0.02 and extent.y1 <= figure.get_figheight() + 0.02


def test_predictor_maps_carry_their_units_and_a_legend_of_land_cover():
    cube = small_cube()
    cube["soc"] = cube["lai"].assign_attrs(units="kg m-2")  # as CF has it: of carbon by its name
    figure = covariates(cube, BOUNDARY, ["precipitation", "temperature", "lai", "soc", "land_cover"])
    bars = [child for axes in panels(figure).values() for child in axes.child_axes]
    assert [bar.get_ylabel() for bar in bars] == ["[mm yr⁻¹]", "[°C]", "[dimensionless]", "[kg C m⁻²]"]
    assert "kg C m⁻²" in figure.alt
    assert {"grassland", "barren"} <= legend_texts(figure)


def test_a_predictor_that_the_cube_lacks_is_named():
    with pytest.raises(ValueError, match="lacks soc"):
        covariates(small_cube(), BOUNDARY, ["precipitation", "soc"])


def test_flow_names_every_step_of_the_chain_and_counts_the_predictors():
    texts = " ".join(text.get_text() for text in fig2_flow(NPP_PREDICTORS, RS_PREDICTORS).axes[0].texts)
    assert all(f"(Eq. {i})" in texts for i in range(1, 5)) and "Eqs. 5–8" in texts
    assert f"{len(NPP_PREDICTORS)} predictors (Eq. 1)" in texts and f"{len(RS_PREDICTORS)} predictors (Eq. 2)" in texts


def test_flow_names_the_predictors_of_the_run_own_ones_too():
    texts = [text.get_text() for text in fig2_flow(["temperature"], ["temperature", "clay_share"]).axes[0].texts]
    assert "temperature" in texts and "The same maps" in texts and "and clay share" in texts
    assert "1 predictors (Eq. 1)" in texts and "2 predictors (Eq. 2)" in texts


def test_flow_lists_all_maps_of_soil_respiration_where_they_are_others():
    texts = [text.get_text() for text in fig2_flow(["lai"], ["temperature", "soc"]).axes[0].texts]
    assert texts.count("Maps") == 2 and "temperature, soil organic\ncarbon" in texts


def test_a_region_without_a_site_of_its_own_has_a_study_area():
    figure = fig1_study_area(small_cube(), BOUNDARY, ONE, SITES[:0])
    assert list(panels(figure)) == ["a", "b"]


def test_an_own_predictor_is_drawn_by_its_name():
    cube = small_cube().rename(lai="clay_share")
    assert panels(covariates(cube, BOUNDARY, ["clay_share"]))["a"].get_title() == "clay share"
