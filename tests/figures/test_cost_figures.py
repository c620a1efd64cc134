"""Figures of scaling: they draw what the tables say, and refuse what they cannot draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers.figures.costs import cost_by_factor, engine_speeds, memory_against_cells, notebook_costs, waits

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
    found = panels(cost_by_factor(cases()))
    assert list(found) == ["thousand cells", "threads of one process", "worker processes, one thread each"]


def test_seconds_stand_above_their_cells():
    axes = panels(cost_by_factor(cases()))["thousand cells"]
    clock = next(line for line in axes.lines if line.get_label() == "on the clock")
    assert np.allclose([clock.get_xdata(), clock.get_ydata()], [[100, 400], [1, 4]])


def test_the_case_without_a_cluster_is_no_case_of_workers():
    axes = panels(cost_by_factor(cases()))["worker processes, one thread each"]
    assert all(list(line.get_xdata()) == [2] for line in axes.lines)


@pytest.mark.parametrize(("factor", "below", "shown"), [("cells", "thousand cells", 1e-3), ("trees", "trees", 1)])
def test_a_line_goes_through_three_sizes_and_begins_at_its_intercept(factor, below, shown):
    rows = [("base", 1000), (factor, 2000), (factor, 4000)]
    base = cases().iloc[0].to_dict()
    table = pd.DataFrame([base | {"factor": name, factor: size} for name, size in rows])
    table["wall_seconds"] = [1.5, 2.5, 4.5]
    (drawn,) = [line for line in panels(cost_by_factor(table))[below].lines if line.get_marker() == "None"]
    assert np.allclose([drawn.get_xdata(), drawn.get_ydata()], [[0, 4000 * shown], [0.5, 4.5]])


def test_two_sizes_have_no_line():
    axes = panels(cost_by_factor(cases()))["thousand cells"]
    assert all(line.get_marker() != "None" for line in axes.lines)


def waited() -> pd.DataFrame:
    """The tests before and after, the environment after alone."""
    rows = [("test", "before", 600.0, 1.0), ("environment", "after", 30.0, np.nan), ("test", "after", 300.0, 0.456)]
    table = pd.DataFrame(rows, columns=["row", "label", "wall_seconds", "ratio"])
    return table.assign(label=pd.Categorical(table["label"], ["before", "after"]))


def test_each_row_has_its_minutes_and_its_ratio_to_the_first():
    (axes,) = waits(waited()).axes
    assert sorted(bar.get_width() for bar in axes.patches) == [0.5, 5, 10]
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["0.46 x"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["make test", "environment from the lock"]


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
        (cost_by_factor, cases(), "slowest"),
        (waits, waited(), "ratio"),
        (memory_against_cells, cases(), "cube_mb"),
        (notebook_costs, job(), "cpu_seconds"),
    ],
)
def test_a_table_without_a_column_or_without_rows_is_refused(draw, table, column):
    with pytest.raises(ValueError, match=f"lacks {column}"):
        draw(table.drop(columns=column))
    with pytest.raises(ValueError, match="no rows"):
        draw(table.iloc[:0])
