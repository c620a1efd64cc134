"""Figures of scaling: they draw what the tables say, and refuse what they cannot draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers.costs import CostLine
from helpers.figures.costs import cost_by_factor, engine_speeds, memory_against_cells, notebook_costs

BASE = {"cells": 100_000, "years": 10, "trees": 1500, "threads": 2, "workers": 0, "chunk": 100}


def engines() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "forest": ["npp", "npp", "rs"],
            "engine": ["scikit-learn, stacked array", "pruned groups", "pruned groups"],
            "rows_per_second": [20_000, 160_000, 90_000],
            "ratio": [1.0, 8.0, 5.25],
        }
    )


def cases() -> pd.DataFrame:
    rows = [("base", {}), ("cells", {"cells": 400_000}), ("threads", {"threads": 1}), ("workers", {"workers": 2})]
    table = pd.DataFrame([{"factor": factor, **BASE, **change} for factor, change in rows])
    seconds = table["cells"] / 1e5
    cost = {"wall_seconds": seconds, "fastest": 0.9 * seconds, "slowest": 1.3 * seconds, "cpu_seconds": 2 * seconds}
    return table.assign(**cost, peak_mb=[500, 520, 480, 900], cube_mb=[20, 80, 20, 20])


def job() -> pd.DataFrame:
    names = ["01_data_preparation", "02_npp_random_forest"]
    return pd.DataFrame(
        {"notebook": names, "wall_seconds": [60, 120], "cpu_seconds": [90, 240], "peak_mb": [1024, 2048]}
    )


def panels(figure) -> dict[str, object]:
    """Return the panels by what stands below them."""
    return {axes.get_xlabel(): axes for axes in figure.axes if axes.get_xlabel()}


def test_a_bar_ends_at_the_engines_speed():
    left, _ = engine_speeds(engines()).axes
    assert [bar.get_width() for bar in left.patches] == [20, 160]


def test_a_bar_carries_its_ratio():
    _, right = engine_speeds(engines()).axes
    assert "5.2 x" in [text.get_text() for text in right.texts]


def test_an_engine_that_is_missing_for_a_forest_leaves_its_row_empty():
    _, right = engine_speeds(engines()).axes
    assert [round(bar.get_y() + bar.get_height() / 2) for bar in right.patches] == [1]


def test_only_the_factors_that_were_varied_have_a_panel():
    found = panels(cost_by_factor(cases(), None))
    assert list(found) == ["thousand cells", "threads of one process", "worker processes, one thread each"]


def test_seconds_stand_above_their_cells():
    axes = panels(cost_by_factor(cases(), None))["thousand cells"]
    clock = next(line for line in axes.lines if line.get_label() == "on the clock")
    assert np.allclose([clock.get_xdata(), clock.get_ydata()], [[100, 400], [1, 4]])


def test_the_case_without_a_cluster_is_no_case_of_workers():
    axes = panels(cost_by_factor(cases(), None))["worker processes, one thread each"]
    assert all(list(line.get_xdata()) == [2] for line in axes.lines)


def test_the_line_begins_at_its_intercept():
    axes = panels(cost_by_factor(cases(), CostLine(0.5, 1.0, 2, 1.0)))["thousand cells"]
    drawn = [line.get_ydata() for line in axes.lines if line.get_marker() == "None"]
    assert np.allclose(drawn, [[0.5, 4.5]])


def test_memory_is_drawn_beside_the_size_of_the_cube():
    (axes,) = memory_against_cells(cases()).axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[500, 520], [20, 80]]


def test_each_notebook_has_its_minutes_and_its_memory():
    left, right = notebook_costs(job()).axes
    assert [bar.get_width() for bar in left.patches] == [1, 2, 1.5, 4]
    assert [bar.get_width() for bar in right.patches] == [1, 2]


@pytest.mark.parametrize(
    ("draw", "table", "column"),
    [
        (engine_speeds, engines(), "ratio"),
        (lambda table: cost_by_factor(table, None), cases(), "slowest"),
        (memory_against_cells, cases(), "cube_mb"),
        (notebook_costs, job(), "cpu_seconds"),
    ],
)
def test_a_table_without_a_column_or_without_rows_is_refused(draw, table, column):
    with pytest.raises(ValueError, match=f"lacks {column}"):
        draw(table.drop(columns=column))
    with pytest.raises(ValueError, match="no rows"):
        draw(table.iloc[:0])
