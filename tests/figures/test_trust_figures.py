"""Figures of uncertainty: what they draw, and the tables they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from helpers.figures.trust import (
    applicability_map,
    budget_interval,
    coverage_checks,
    distance_curves,
    error_maps,
    family,
    variance_bars,
    worlds_held,
)

BOUNDARY = shapely.box(80, 28, 100, 38)


def field(value: float = 1.0) -> xr.DataArray:
    coords = {"latitude": np.arange(40.0, 26, -1), "longitude": np.arange(78.0, 103)}
    ramp = value * np.arange(14 * 25, dtype=float).reshape(14, 25)
    return xr.DataArray(ramp, coords, ("latitude", "longitude"))


def distances() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": ["prediction to sample"] * 3 + ["random folds"] * 2,
            "distance_km": [10.0, 100, 200, 0, 5],
            "wasserstein_km": [0.0, 0, 0, 88, 88],
        }
    )


def scenarios() -> pd.DataFrame:
    row = {"label": "main", "total_TgC_yr": -5.0, "total_low_TgC_yr": -20.0, "total_high_TgC_yr": 9.0}
    return pd.DataFrame([row | {"sink_probability": 0.31}])


def published() -> pd.DataFrame:
    return pd.DataFrame({"label": ["another work"], "low": [22.3], "high": [22.3]})


def sources() -> pd.DataFrame:
    columns = {f"{name}_sd_gC_m2_yr": [3.0, 5.0] for name in ("npp", "rh", "nep")}
    return pd.DataFrame({"label": ["sites", "all together"]} | columns)


def checks() -> pd.DataFrame:
    return pd.DataFrame({"model": ["NPP"], "check": ["out of bag"], "coverage": [0.8], "recalibrated_coverage": [0.91]})


def worlds() -> pd.DataFrame:
    ends = {"low_gC_m2_yr": [-1.0, 5.0], "high_gC_m2_yr": [4.0, 9.0], "mean_gC_m2_yr": [2.0, 7.0]}
    return pd.DataFrame({"part": "inside", **ends, "true_gC_m2_yr": [1.0, 1.0], "held": [1, 0]})


def test_distance_curves_write_w_beside_each_scheme_but_not_beside_the_map() -> None:
    (axes,) = distance_curves({"NPP": distances()}).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["from the map's cells", "random folds, W 88 km"]


def test_distance_curves_need_the_maps_own_distances() -> None:
    with pytest.raises(ValueError, match="prediction to sample"):
        distance_curves({"NPP": distances().iloc[3:]})


def test_budget_interval_writes_the_chance_of_a_sink() -> None:
    figure = budget_interval({"region": np.array([-3.0, -2, -1, 4])}, scenarios(), published(), truth=2.0)
    upper, lower = figure.axes
    assert "a sink in 25 % of draws" in upper.get_legend().get_texts()[0].get_text()
    assert [label.get_text() for label in lower.get_yticklabels()] == ["main, sink: 31 %", "another work"]


def test_worlds_held_counts_the_worlds() -> None:
    (axes,) = worlds_held(worlds()).axes
    assert axes.get_title() == "inside: 1 of 2 held"


def test_variance_bars_have_a_panel_per_flux() -> None:
    assert [axes.get_title() for axes in variance_bars(sources()).axes] == ["NPP", "Rh", "NEP"]


def test_coverage_checks_mark_the_promise() -> None:
    (axes,) = coverage_checks(checks(), 0.9).axes
    assert any(np.allclose(line.get_xdata(), 0.9) for line in axes.lines)


def test_maps_of_errors_have_a_bar_each() -> None:
    figure = error_maps({"width": (field(), "g C m-2 yr-1"), "error": (field(2), "1")}, BOUNDARY)
    assert [len(axes.child_axes) for axes in figure.axes] == [1, 1]
    figure.draw_without_rendering()


def test_the_applicability_map_names_its_three_classes() -> None:
    use = field() % 3
    figure = applicability_map({"NPP": field(0.01), "ln Rs": field(0.01)}, use, BOUNDARY)
    labels = [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]
    assert labels == ["may be used", "too unlike the sites", "land cover without a site"]


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (lambda table: distance_curves({"NPP": table}), distances().drop(columns="wasserstein_km")),
        (lambda table: budget_interval({}, table, published(), None), scenarios().drop(columns="label")),
        (variance_bars, sources().drop(columns="nep_sd_gC_m2_yr")),
        (lambda table: coverage_checks(table, 0.9), checks().drop(columns="coverage")),
        (worlds_held, worlds().drop(columns="held")),
    ],
)
def test_a_table_without_a_column_is_refused(draw, table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="lacks"):
        draw(table)


def test_no_map_is_refused() -> None:
    with pytest.raises(ValueError, match="no map"):
        error_maps({}, BOUNDARY)


def members() -> pd.DataFrame:
    """Two models and the mean of the records, at all sites and on steppe, for one flux."""
    rows = [
        ("mean of the records", 0.0, 0.0, 0.0, np.nan),
        ("one", 0.3, 0.1, 0.5, 300.0),
        ("two", -9.0, -12.0, 0.2, 250.0),
    ]
    columns = ["member", "r2_explained", "r2_low", "r2_high", "map_mean_gC_m2_yr"]
    table = pd.DataFrame(rows, columns=columns).assign(flux="NPP")
    return pd.concat([table.assign(where=where) for where in ("all sites", "steppe")], ignore_index=True)


def test_a_family_shows_each_model_with_its_interval_beside_its_map_and_no_map_of_the_mean():
    left, right = family(members()).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["one", "two"]
    spans = [segment[:, 0].tolist() for lines in left.collections for segment in lines.get_segments()]
    assert spans == [[0.1, 0.5], [-12.0, 0.2]] * 2
    assert [bar.get_width() for bar in right.patches] == [300.0, 250.0]
    assert left.get_xlim()[0] == -2.5  # a score far below zero says no more than that the model fails
    assert left.get_xlabel() == "NPP: R² against the mean of the records"
    with pytest.raises(ValueError, match="r2_low"):
        family(members().drop(columns="r2_low"))
