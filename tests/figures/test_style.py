"""What all figures share: settings, scales, units."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_rgba

from helpers.config import NPP_PREDICTORS, RS_PREDICTORS
from helpers.figures.fits import importance
from helpers.figures.study import fig2_flow
from helpers.figures.style import LAND_COVER, SINK, SOURCE, diverging, sequential, sign_colours
from helpers.names import pretty_units


def test_a_figure_leaves_no_trace_in_the_session():
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 31.0}):
        figure = fig2_flow(NPP_PREDICTORS, RS_PREDICTORS)
        assert mpl.rcParams["font.size"] == 31.0
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
    assert max(text.get_fontsize() for text in figure.axes[0].texts) < 12


def test_a_figure_looks_the_same_whatever_the_sessions_settings():
    table = pd.DataFrame({"predictor": ["lai"], "importance": [1.0], "sd": [0.1]})
    plain = importance(table, "x")
    with mpl.rc_context({"xtick.labelsize": 31.0, "axes.facecolor": "black"}):
        styled = importance(table, "x")
        styled.draw_without_rendering()
    assert styled.axes[0].get_xticklabels()[0].get_fontsize() == plain.axes[0].get_xticklabels()[0].get_fontsize()
    assert styled.axes[0].get_facecolor() == to_rgba("white")


def test_a_figure_shows_itself_in_a_notebook():
    picture, metadata = fig2_flow(NPP_PREDICTORS, RS_PREDICTORS)._repr_png_()
    assert picture.startswith(b"\x89PNG") and metadata == {"width": 687}


def test_shared_limits_are_percentiles_of_all_maps_together():
    scale = sequential([xr.DataArray(np.arange(100.0, 150.0)), xr.DataArray(np.arange(150.0, 201.0))])
    assert (scale.norm.vmin, scale.norm.vmax) == (pytest.approx(102.0), pytest.approx(198.0))
    assert scale.extend == "both"


def test_shared_limits_begin_at_zero_where_the_least_values_are_near_it():
    scale = sequential([xr.DataArray(np.arange(0.0, 101.0))])
    assert scale.norm.vmin == 0.0 and scale.extend == "max"


def test_diverging_limits_ignore_a_few_extreme_cells():
    values = np.concatenate([np.linspace(-10, 5, 999), [1e6]])
    norm = diverging([xr.DataArray(values)]).norm
    assert norm.vmin == -norm.vmax and norm.vmax < 11


def test_only_above_zero_is_a_sink():
    assert sign_colours([-1.0, 0.0, 1.0]).tolist() == [SOURCE, SOURCE, SINK]


def test_each_land_cover_class_has_a_colour_of_its_own():
    assert list(LAND_COVER) == list(range(1, 18)) and len(set(LAND_COVER.values())) == 17


@pytest.mark.parametrize(
    ("cf", "shown"), [("mm yr-1", "mm yr⁻¹"), ("kg C m-2", "kg C m⁻²"), ("km2", "km²"), ("W m-2", "W m⁻²"), ("1", "")]
)
def test_units_are_shown_with_raised_exponents(cf, shown):
    assert pretty_units(cf) == shown
