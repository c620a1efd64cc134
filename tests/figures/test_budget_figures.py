"""Figures of budgets: components, years, recovered and true values."""

from __future__ import annotations

import functools

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn import FLUX, labels, legend_texts, panels, row_names, widths
from matplotlib.colors import to_hex

from helpers.figures.budgets import fig6_components, recovered_versus_true, yearly_budget
from helpers.figures.style import SINK, SOURCE

PAPER = pd.DataFrame({"quantity": ["NPP"], "product": ["Random forest"], "mean_gC_m2_yr": [321.4]})


def budgets() -> pd.DataFrame:
    rows = [
        ("NPP", "Random forest", 320.0, 810.0),
        ("NPP", "MODIS", 160.0, 405.0),
        ("NPP", "CASA", 240.0, 608.0),
        ("Rh", "Random forest", 250.0, 633.0),
        ("Rh", "CASA", 200.0, 506.0),
        ("NEP", "Random forest", 70.0, 177.0),
        ("NEP", "CASA", -35.0, -89.0),
    ]
    return pd.DataFrame(rows, columns=["quantity", "product", "mean_gC_m2_yr", "total_TgC_yr"])


@functools.cache
def components() -> mpl.figure.Figure:
    """Return figure 6; drawn once, and only read."""
    return fig6_components(budgets(), PAPER)


def test_components_have_the_papers_panels():
    assert list(panels(components())) == list("abcdef")
    assert labels(components()).count(FLUX) == 4 and labels(components()).count("difference [%]") == 2
    assert row_names(panels(components())["a"]) == ["Random forest", "MODIS", "CASA"]


def test_components_draw_means_and_differences_in_percent_but_for_nep():
    drawn = panels(components())
    assert widths(drawn["a"]) == [320.0, 160.0, 240.0]
    assert widths(drawn["b"]) == pytest.approx([-50.0, -25.0, -37.5])
    assert widths(drawn["d"]) == pytest.approx([-20.0])
    assert widths(drawn["f"]) == pytest.approx([-105.0])


def test_components_draw_a_sink_and_a_source_in_their_colours():
    assert [to_hex(bar.get_facecolor()) for bar in panels(components())["e"].patches] == [SINK, SOURCE]


def test_components_mark_the_papers_values():
    diamonds = [line for line in panels(components())["a"].lines if line.get_marker() == "D"]
    assert [list(line.get_xdata()) for line in diamonds] == [[321.4]]
    assert "the paper's value" in legend_texts(components())


def test_components_refuse_a_paper_value_without_a_bar():
    with pytest.raises(ValueError, match="NPP GLOPEM"):
        fig6_components(budgets(), PAPER.assign(product="GLOPEM"))


def test_components_say_which_column_is_missing():
    with pytest.raises(ValueError, match="lacks total_TgC_yr"):
        fig6_components(budgets().drop(columns="total_TgC_yr"), PAPER)


def test_components_need_something_to_compare_with():
    with pytest.raises(ValueError, match="at least one product of NPP, Rh or NEP, got none"):
        fig6_components(budgets().drop(index=[1, 2, 4, 6]), PAPER)


def test_a_quantity_without_a_product_has_no_panel_and_no_value_of_the_paper_no_legend():
    figure = fig6_components(budgets().drop(index=4))
    assert list(panels(figure)) == list("abcd")
    assert [panels(figure)[letter].get_title() for letter in "ac"] == ["NPP", "NEP"]
    assert legend_texts(figure) == set()


def test_yearly_trend_is_per_decade():
    years = np.arange(2000, 2010)
    series = pd.DataFrame({"year": years, "quantity": "NPP", "total_TgC_yr": 800 + 2.5 * (years - 2000)})
    assert legend_texts(yearly_budget(series)) == {"trend: +25.0 ± 0.0\nTg C yr⁻¹ a decade"}


def test_the_band_of_a_trend_is_its_confidence_and_what_follows_the_plus_minus_its_slopes():
    """By hand: residuals 1, -2, 1 about a level line give a scatter of √6, and t of one degree at 95 % is 6.314."""
    series = pd.DataFrame({"year": [2000, 2001, 2002], "quantity": "NPP", "total_TgC_yr": [11.0, 8.0, 11.0]})
    figure = yearly_budget(series)
    slope = 10 * 6.3138 * np.sqrt(6 / 2)
    assert legend_texts(figure) == {f"trend: +0.0 ± {slope:.1f}\nTg C yr⁻¹ a decade"}
    (band,) = (found for found in figure.axes[0].collections)
    middle = band.get_paths()[0].vertices
    heights = middle[np.isclose(middle[:, 0], 2001), 1]
    assert np.ptp(heights) / 2 == pytest.approx(6.3138 * np.sqrt(6) / np.sqrt(3), rel=1e-3)


def test_yearly_trend_needs_three_years():
    series = pd.DataFrame({"year": [2000, 2001], "quantity": "NPP", "total_TgC_yr": [1.0, 2.0]})
    with pytest.raises(ValueError, match="three years, got 2"):
        yearly_budget(series)


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
    drawn = panels(recovered_versus_true(table))
    recovered, true, *_ = drawn["a"].lines
    assert list(recovered.get_xdata()) == [310.0, 30.0] and list(true.get_xdata()) == [300.0, 50.0]
    assert list(recovered.get_ydata()) == list(true.get_ydata())
    assert drawn["b"].get_xlabel() == "[Tg C yr⁻²]"


def test_recovered_and_true_values_need_one_unit_per_statistic():
    table = pd.DataFrame(
        [("mean", "NPP", 1.0, 1.0, "g C m-2 yr-1"), ("mean", "NEP", 1.0, 1.0, "Tg C yr-1")],
        columns=["statistic", "quantity", "recovered", "true", "unit"],
    )
    with pytest.raises(ValueError, match="mean has several units"):
        recovered_versus_true(table)
