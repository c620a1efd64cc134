"""Figures of the next plots: places and numbers on the map, and what they do to the interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn import BOUNDARY, hatched, legend_texts, panels, small_cube
from matplotlib.collections import PathCollection

from helpers.figures.panels import equal_area
from helpers.figures.plans import NUMBERED, interval_by_plots, plan_map

SITES = {"NPP site": pd.DataFrame({"longitude": [84.0, 90.0], "latitude": [31.0, 33.0]})}


def plots(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"plot": range(1, n + 1), "longitude": np.linspace(80, 98, n), "latitude": np.linspace(31, 35, n)}
    )


def a_map(n: int):
    cube = small_cube()
    return plan_map(cube["elevation"], BOUNDARY, plots(n), SITES, cube["longitude"] + 0 * cube["lai"] > 94, "both")


def test_the_first_plots_have_their_number_at_their_place():
    figure = a_map(14)
    (axes,) = [axes for axes in figure.axes if axes.get_title() == "both"]
    written = {text.get_text(): text.xy for text in axes.texts if text.get_text().isdigit()}
    assert sorted(map(int, written)) == list(range(1, NUMBERED + 1))
    table = plots(14)
    x, y = equal_area(BOUNDARY.bounds)(table["longitude"][2], table["latitude"][2])
    assert written["3"] == pytest.approx((x, y))
    marks = [found for found in axes.collections if isinstance(found, PathCollection)]
    assert sorted(len(found.get_offsets()) for found in marks) == [2, 4, NUMBERED]
    assert {"plots 1 to 10", "plots 11 to 14", "NPP site"} <= legend_texts(figure) and hatched(axes)


def test_a_short_plan_has_numbers_alone():
    figure = a_map(1)
    assert {"plot 1", "NPP site"} <= legend_texts(figure)
    assert not [text for text in legend_texts(figure) if " to " in text]


def test_its_data_are_the_plots_and_its_words_the_first_of_them():
    figure = a_map(3)
    pd.testing.assert_frame_equal(figure.data, plots(3))
    assert "1 at 31.00° N 80.00° E" in figure.alt and "3 at 35.00° N 98.00° E" in figure.alt


def shrinking() -> pd.DataFrame:
    rows = [(name, k, share**k) for name, share in (("NPP alone", 0.9), ("Rs alone", 0.8)) for k in range(3)]
    table = pd.DataFrame(rows, columns=["measured", "plots", "width_share"])
    return table.assign(total_low_TgC_yr=-400 * table["width_share"], total_high_TgC_yr=200 * table["width_share"])


def test_each_plan_has_both_ends_and_its_width_against_the_number_of_plots():
    figure = interval_by_plots(shrinking())
    drawn = panels(figure)
    ends = [line.get_ydata().tolist() for line in drawn["a"].lines if len(line.get_xdata()) == 3]
    assert ends == [
        pytest.approx([-400, -360, -324]),
        pytest.approx([200, 180, 162]),
        pytest.approx([-400, -320, -256]),
        pytest.approx([200, 160, 128]),
    ]
    assert [line.get_ydata().tolist() for line in drawn["b"].lines] == [
        pytest.approx([100, 90, 81]),
        pytest.approx([100, 80, 64]),
    ]
    assert legend_texts(figure) == {"NPP alone", "Rs alone"}
    assert "Rs alone, after 2 plots: −256 to 128 Tg C yr⁻¹, 64 % of the width" in figure.alt
