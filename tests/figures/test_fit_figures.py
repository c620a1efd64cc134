"""Figures of fits: scores, importances, effects, lines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn import legend_texts, panels, row_names, widths

from helpers.figures.fits import (
    accumulated_effects,
    figS1_rs_rh,
    fit_scatter,
    importance,
    influential_records,
    modis_check,
    validation_scores,
)


def scores() -> pd.DataFrame:
    rows = [
        (model, unit, scheme, "all", metric, 0.5, 0.4, 0.7)
        for model, unit in (("NPP", "gC_m2_yr"), ("ln Rs", "ln_gC_m2_yr"))
        for scheme in ("random", "knndm")
        for metric in ("r", "rmse", "mape")
    ]
    columns = ["model", "unit", "scheme", "part", "metric", "value", "fold_lowest", "fold_highest"]
    return pd.DataFrame(rows, columns=columns)


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
    assert rows == [["3", "1.00", "0.50", "40.8"], ["3", "1.00", "1.00", "10.0"], ["6", "0.89", "0.75", "29.7"]]


def test_fit_tells_the_sets_apart_without_colour():
    figure = fit_scatter([1, 2, 3, 4], [1, 2, 3, 5], ["training", "verification"] * 2, "ln Rs", "ln(g C m-2 yr-1)")
    shapes = [found.get_paths()[0].vertices.shape for found in figure.axes[0].collections]
    assert shapes[0] != shapes[1]
    assert figure.axes[0].get_xlabel() == "ln Rs, observed [ln(g C m⁻² yr⁻¹)]"


@pytest.mark.parametrize(
    ("observed", "sets", "message"),
    [
        ([1.0, 2.0, 3.0], ["training"] * 4, "one length"),
        ([1.0, 2.0, np.nan, 4.0], ["training"] * 4, "observed"),
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
    assert "r = 1.00\nratio of means = 0.90" in axes.texts[0].get_text()


def test_importance_has_the_greatest_on_top():
    table = pd.DataFrame({"predictor": ["lai", "srad"], "importance": [5.0, 30.0], "sd": [1.0, 1.0]})
    (axes,) = importance(table, "increase of RMSE [%]").axes
    assert row_names(axes) == ["shortwave radiation", "leaf area index"]
    (dots,) = (line for line in axes.lines if line.get_marker() == "o")
    assert list(dots.get_xdata()) == [30.0, 5.0]


def test_validation_scores_have_a_panel_per_model_and_metric_with_its_units():
    drawn = panels(validation_scores(scores(), ["r", "rmse"]))
    assert [(axes.get_title(), axes.get_xlabel()) for axes in drawn.values()] == [
        ("NPP", "correlation r"),
        ("NPP", "RMSE [g C m⁻² yr⁻¹]"),
        ("ln Rs", "correlation r"),
        ("ln Rs", "RMSE [ln(g C m⁻² yr⁻¹)]"),
    ]
    assert row_names(drawn["a"]) == ["random folds", "distance-matched (kNNDM)"]


def test_validation_scores_have_a_bar_over_the_folds_where_these_are_given():
    with_folds = panels(validation_scores(scores(), ["r"]))["a"]
    (bars,) = with_folds.collections
    assert [segment[:, 0].tolist() for segment in bars.get_segments()] == [[0.4, 0.7], [0.4, 0.7]]
    without = validation_scores(scores().drop(columns=["fold_lowest", "fold_highest"]), ["r"])
    assert not panels(without)["a"].collections


def test_accumulated_effects_draw_a_mark_per_site_and_name_the_predictor_with_units():
    effects = pd.DataFrame({"predictor": "srad", "value": [0.0, 1.0], "effect": [-1.0, 1.0], "units": "W m-2"})
    (axes,) = accumulated_effects(effects, pd.DataFrame({"srad": [0.1, 0.5, 0.7]}), ["srad"], "effect").axes
    assert any(line.get_marker() == "|" and len(line.get_xdata()) == 3 for line in axes.lines)
    assert axes.get_xlabel() == "shortwave radiation [W m⁻²]"


def influences(n: int) -> pd.DataFrame:
    """Return changes of a mean, greatest first; the second is of two sites."""
    change = 60.0 * (-0.5) ** np.arange(n)
    return pd.DataFrame(
        {
            "longitude": 92.9,
            "latitude": 34.7,
            "records": ["A 1", "A 2; A 3; A 4", *(f"B {i}" for i in range(n - 2))],
            "n_rows": [1, 3, *[1] * (n - 2)],
            "n_sites": [1, 2, *[1] * (n - 2)],
            "change_gC_m2_yr": change,
            "change_se_gC_m2_yr": 2.0,
        }
    )


def test_influential_records_name_place_and_records_from_the_greatest_down():
    (axes,) = influential_records(influences(3), "NPP").axes
    assert row_names(axes) == ["34.70° N 92.90° E\nA 1", "34.70° N 92.90° E\nA 2 and 2 more", "34.70° N 92.90° E\nB 0"]
    assert sorted(widths(axes)) == [-30.0, 15.0, 60.0]
    assert {text.get_text() for text in axes.texts} == {"+60", "−30", "+15"}
    assert axes.get_xlabel() == "change of mean NPP without these records [g C m⁻² yr⁻¹]"


def test_influential_records_tell_a_site_from_a_neighbourhood_without_colour():
    figure = influential_records(influences(3), "NPP")
    hatched = {bar.get_width(): bar.get_hatch() for bar in figure.axes[0].patches}
    assert hatched == {60.0: None, -30.0: "///", 15.0: None}
    assert legend_texts(figure) == {"one site", "all sites within 50 km of each other"}


def test_influential_records_have_a_whisker_of_one_standard_error_and_twelve_rows_at_most():
    (axes,) = influential_records(influences(14), "Rs").axes
    assert len(row_names(axes)) == 12
    ends = [segment[:, 0] for found in axes.collections for segment in found.get_segments()]
    assert sorted(np.ptp(ends, axis=1)) == pytest.approx([4.0] * 12)
