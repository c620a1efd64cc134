"""Figures of what the calculation costs: engines side by side, seconds and memory against size, notebooks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.config import NPP_PREDICTORS, RS_PREDICTORS
from helpers.costs import LINEAR, WAITS, of_factor, straight
from helpers.figures import words
from helpers.figures.style import (
    INK,
    OURS,
    QUIET,
    SECOND,
    SMALL,
    BookFigure,
    blank,
    columns,
    described,
    name_rows,
    on_phone,
    panel_grid,
    require_columns,
    row_height,
    styled,
)

_COST = ["wall_seconds", "fastest", "slowest", "cpu_seconds"]
_AXES = {
    "cells": "thousand cells",
    "years": "years",
    "trees": "trees",
    "threads": "threads of one process",
    "workers": "worker processes, one thread each",
    "chunk": "cells along a block's side",
}
_FORESTS = {"npp": f"NPP, {len(NPP_PREDICTORS)} covariates", "rs": f"Rs, {len(RS_PREDICTORS)} covariates"}


@styled
def engine_speeds(engines: pd.DataFrame) -> BookFigure:
    """Draw the rows that each engine predicts per second, and how many times as many as scikit-learn.

    The engines are those of :func:`helpers.costs.read_measurements`.
    """
    require_columns(engines, ["forest", "engine", "rows_per_second", "ratio"], "engine_speeds")
    names, forests = (list(dict.fromkeys(engines[column])) for column in ("engine", "forest"))
    titles = [_FORESTS.get(forest, forest) for forest in forests]
    height = 0.5 + row_height(0.3) * len(names)
    figure, row = panel_grid(height, titles, len(forests), sharey=True, sharex=True)
    told = []
    for axes, forest in zip(row, forests, strict=True):
        own = engines[engines["forest"] == forest]
        colours = [OURS if name == "pruned groups" else SECOND if name.startswith("R ") else QUIET for name in names]
        places = [names.index(name) for name in own["engine"]]
        drawn = axes.barh(places, own["rows_per_second"] / 1000, color=[colours[i] for i in places], height=_breadth())
        axes.bar_label(drawn, [f"{ratio:.2g} x" for ratio in own["ratio"]], padding=3, fontsize=SMALL)
        axes.margins(x=0.15)
        axes.set_xlabel("thousand rows per second; x: by scikit-learn")
        name_rows(axes, names)
        told.append(f"{_FORESTS.get(forest, forest)}: {words.rows(own['engine'], own['ratio'])}")
    alt = f"Bars: rows predicted per second by each engine; how many times as many as scikit-learn, {'; '.join(told)}."
    return described(figure, alt, engines)


@styled
def cost_by_factor(table: pd.DataFrame) -> BookFigure:
    """Draw seconds on the clock and of processors against each factor that was varied, all else as in the base case.

    Bars reach from the fastest to the slowest round. The table is that of :func:`helpers.costs.cases`. Through cells,
    years and trees goes the line of :func:`helpers.costs.straight`.
    """
    require_columns(table, ["factor", *_AXES, *_COST], "cost_by_factor")
    factors = [factor for factor in _AXES if (table["factor"] == factor).any()] or ["cells"]
    across = columns(min(3, len(factors)))
    figure, panels = panel_grid(2.2, [""] * len(factors), across)
    for axes, factor in zip(panels, factors, strict=True):
        _cost_panel(axes, of_factor(table, factor), factor)
        if factor in LINEAR and (line := straight(table, factor)):
            ends = np.array([0, of_factor(table, factor)[factor].max()])
            shown = ends / 1e3 if factor == "cells" else ends
            axes.plot(shown, line.intercept + line.slope * ends, color=INK, linewidth=0.9)
    for axes in panels[::across]:
        axes.set_ylabel("seconds")
    panels[0].legend(loc="upper left")
    told = []
    for factor in factors:
        own = of_factor(table, factor).sort_values(factor)
        ends = [
            f"{words.number(row[factor])}: {words.number(row['wall_seconds'])} s"
            for _, row in own.iloc[[0, -1]].iterrows()
        ]
        told.append(f"{_AXES[factor] if factor != 'cells' else 'cells'} {ends[0]}, {ends[1]}")
    alt = "Seconds on the clock and of processors against each factor, all else as in the base case. On the clock: "
    alt += f"{'; '.join(told)}."
    return described(figure, alt, table)


@styled
def memory_against_cells(table: pd.DataFrame) -> BookFigure:
    """Draw the peak memory against the number of cells, and the size of the covariates beside it.

    The table is that of :func:`helpers.costs.cases`.
    """
    require_columns(table, ["factor", "cells", "peak_mb", "cube_mb"], "memory_against_cells")
    own = of_factor(table, "cells")
    figure = blank(3.0, 0.85)
    axes = figure.add_subplot(xlabel="thousand cells", ylabel="memory [MB]")
    cells = own["cells"] / 1e3
    axes.plot(cells, own["peak_mb"], "o-", color=OURS, label="peak of all processes")
    axes.plot(cells, own["cube_mb"], "s--", color=SECOND, markerfacecolor="none", label="the cube, if held whole")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(loc="best")
    told = [
        f"{words.number(row.cells)} cells: {words.number(row.peak_mb)} MB"
        for row in own.sort_values("cells").itertuples()
    ]
    alt = "Peak memory of all processes against the number of cells, and the size of the covariates if held whole. "
    alt += f"{'; '.join(told)}."
    return described(figure, alt, own)


@styled
def notebook_costs(job: pd.DataFrame) -> BookFigure:
    """Draw the minutes and the peak memory of each notebook of the whole calculation.

    The job is that of :func:`helpers.costs.read_measurements`.
    """
    require_columns(job, ["notebook", "wall_seconds", "cpu_seconds", "peak_mb"], "notebook_costs")
    figure, (left, right) = panel_grid(0.5 + row_height(0.34) * len(job), ["", ""], 2, sharey=True)
    places = np.arange(len(job))
    half = _breadth() / 4
    left.barh(places - half, job["wall_seconds"] / 60, 2 * half, color=OURS, label="on the clock")
    left.barh(places + half, job["cpu_seconds"] / 60, 2 * half, color=SECOND, label="of processors")
    left.set_xlabel("minutes")
    left.legend(loc="best")
    right.barh(places, job["peak_mb"] / 1024, _breadth(), color=QUIET)
    right.set_xlabel("peak memory [GB]")
    for axes in (left, right):
        name_rows(axes, [name.replace("_", " ") for name in job["notebook"]])
    told = [
        f"{row.notebook.replace('_', ' ')}: {words.number(row.wall_seconds / 60)} minutes, "
        f"{words.number(row.peak_mb / 1024)} GB"
        for row in job.itertuples()
    ]
    return described(figure, f"Bars: minutes and peak memory of each notebook. {'; '.join(told)}.", job)


def _breadth() -> float:
    """Return the breadth of a bar: on a phone the name of its row stands above it."""
    return 0.36 if on_phone() else 0.7


@styled
def waits(table: pd.DataFrame) -> BookFigure:
    """Draw the minutes of each row of ``make bench`` under each of its labels, and their ratio to the first.

    The table is that of :func:`helpers.costs.compared`.
    """
    require_columns(table, ["row", "label", "wall_seconds", "ratio"], "waits")
    labels, rows = list(table["label"].cat.categories), list(dict.fromkeys(table["row"]))
    figure = blank(0.8 + len(rows) * (0.15 + 0.2 * len(labels) + 0.25 * on_phone()))
    axes = figure.add_subplot(xlabel="minutes; x: by the first")
    breadth = 0.5 if on_phone() else 0.8
    height = breadth / len(labels)
    for place, label in enumerate(labels):
        own = table[table["label"] == label]
        where = [rows.index(row) + (place + 0.5) * height - breadth / 2 for row in own["row"]]
        colour = QUIET if place == 0 else OURS if place == len(labels) - 1 else SECOND
        drawn = axes.barh(where, own["wall_seconds"] / 60, 0.9 * height, color=colour, label=label)
        ratios = [f"{ratio:.2f} x" if place and np.isfinite(ratio) else "" for ratio in own["ratio"]]
        axes.bar_label(drawn, ratios, padding=3, fontsize=SMALL)
    axes.margins(x=0.15)
    name_rows(axes, [WAITS.get(row, row) for row in rows])
    axes.legend(loc="best")
    told = [
        f"{WAITS.get(row.row, row.row)}, {row.label}: {words.number(row.wall_seconds / 60)} minutes"
        for row in table.itertuples()
    ]
    return described(figure, f"Bars: minutes that people wait, by row and label. {'; '.join(told)}.", table)


def _cost_panel(axes: Axes, varied: pd.DataFrame, factor: str) -> None:
    """Draw the two kinds of seconds of the cases in which a factor varies."""
    kept = varied[varied["workers"] > 0] if factor == "workers" else varied
    places = kept[factor] / 1e3 if factor == "cells" else kept[factor]
    axes.vlines(places, kept["fastest"], kept["slowest"], color=OURS, linewidth=1.2)
    axes.plot(places, kept["wall_seconds"], "o", color=OURS, markersize=5, label="on the clock")
    hollow = {"markerfacecolor": "none", "markersize": 5}
    axes.plot(places, kept["cpu_seconds"], "s", color=SECOND, label="of processors", **hollow)
    axes.set_xlabel(_AXES[factor])
    axes.set_ylim(0, 1.15 * kept[["slowest", "cpu_seconds"]].max(axis=None))
    axes.set_xlim(0, 1.1 * places.max())
    if factor in ("threads", "workers"):
        axes.set_xticks(sorted(set(places)))
