"""Figures of what the calculation costs: engines side by side, seconds and memory against size, notebooks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.config import NPP_PREDICTORS, RS_PREDICTORS
from helpers.costs import LINEAR, WAITS, of_factor, straight
from helpers.figures.style import INK, OURS, QUIET, SECOND, blank, name_rows, panel_grid, require_columns, styled

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
def engine_speeds(engines: pd.DataFrame) -> Figure:
    """Draw the rows that each engine predicts per second, and how many times as many as scikit-learn.

    The engines are those of :func:`helpers.costs.read_measurements`.
    """
    require_columns(engines, ["forest", "engine", "rows_per_second", "ratio"], "engine_speeds")
    names, forests = (list(dict.fromkeys(engines[column])) for column in ("engine", "forest"))
    titles = [_FORESTS.get(forest, forest) for forest in forests]
    figure, row = panel_grid(1.0 + 0.3 * len(names), titles, len(forests), sharey=True, sharex=True)
    for axes, forest in zip(row, forests, strict=True):
        own = engines[engines["forest"] == forest]
        colours = [OURS if name == "pruned groups" else SECOND if name.startswith("R ") else QUIET for name in names]
        places = [names.index(name) for name in own["engine"]]
        drawn = axes.barh(places, own["rows_per_second"] / 1000, color=[colours[i] for i in places], height=0.7)
        axes.bar_label(drawn, [f"{ratio:.2g} x" for ratio in own["ratio"]], padding=3, fontsize=8)
        axes.margins(x=0.15)
        axes.set_xlabel("thousand rows per second; x: by scikit-learn")
        name_rows(axes, names)
    return figure


@styled
def cost_by_factor(table: pd.DataFrame) -> Figure:
    """Draw seconds on the clock and of processors against each factor that was varied, all else as in the base case.

    Bars reach from the fastest to the slowest round. The table is that of :func:`helpers.costs.cases`. Through cells,
    years and trees goes the line of :func:`helpers.costs.straight`.
    """
    require_columns(table, ["factor", *_AXES, *_COST], "cost_by_factor")
    factors = [factor for factor in _AXES if (table["factor"] == factor).any()] or ["cells"]
    columns = min(3, len(factors))
    figure, panels = panel_grid(2.4 * -(-len(factors) // 3), [""] * len(factors), columns)
    for axes, factor in zip(panels, factors, strict=True):
        _cost_panel(axes, of_factor(table, factor), factor)
        if factor in LINEAR and (line := straight(table, factor)):
            ends = np.array([0, of_factor(table, factor)[factor].max()])
            shown = ends / 1e3 if factor == "cells" else ends
            axes.plot(shown, line.intercept + line.slope * ends, color=INK, linewidth=0.9)
    for axes in panels[::columns]:
        axes.set_ylabel("seconds")
    panels[0].legend(loc="upper left")
    return figure


@styled
def memory_against_cells(table: pd.DataFrame) -> Figure:
    """Draw the peak memory against the number of cells, and the size of the covariates beside it.

    The table is that of :func:`helpers.costs.cases`.
    """
    require_columns(table, ["factor", "cells", "peak_mb", "cube_mb"], "memory_against_cells")
    own = of_factor(table, "cells")
    figure = blank(3.0, 6.0)
    axes = figure.add_subplot(xlabel="thousand cells", ylabel="memory [MB]")
    cells = own["cells"] / 1e3
    axes.plot(cells, own["peak_mb"], "o-", color=OURS, label="peak of all processes")
    axes.plot(cells, own["cube_mb"], "s--", color=SECOND, markerfacecolor="none", label="the cube, if held whole")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(loc="best")
    return figure


@styled
def notebook_costs(job: pd.DataFrame) -> Figure:
    """Draw the minutes and the peak memory of each notebook of the whole calculation.

    The job is that of :func:`helpers.costs.read_measurements`.
    """
    require_columns(job, ["notebook", "wall_seconds", "cpu_seconds", "peak_mb"], "notebook_costs")
    figure, (left, right) = panel_grid(0.9 + 0.34 * len(job), ["", ""], 2, sharey=True)
    places = np.arange(len(job))
    left.barh(places - 0.19, job["wall_seconds"] / 60, 0.36, color=OURS, label="on the clock")
    left.barh(places + 0.19, job["cpu_seconds"] / 60, 0.36, color=SECOND, label="of processors")
    left.set_xlabel("minutes")
    left.legend(loc="best")
    right.barh(places, job["peak_mb"] / 1024, 0.6, color=QUIET)
    right.set_xlabel("peak memory [GB]")
    for axes in (left, right):
        name_rows(axes, [name.replace("_", " ") for name in job["notebook"]])
    return figure


@styled
def waits(table: pd.DataFrame) -> Figure:
    """Draw the minutes of each row of ``make bench`` under each of its labels, and their ratio to the first.

    The table is that of :func:`helpers.costs.compared`.
    """
    require_columns(table, ["row", "label", "wall_seconds", "ratio"], "waits")
    labels, rows = list(table["label"].cat.categories), list(dict.fromkeys(table["row"]))
    figure = blank(0.8 + len(rows) * (0.15 + 0.2 * len(labels)), 6.5)
    axes = figure.add_subplot(xlabel="minutes; x: by the first", xscale="log")
    height = 0.8 / len(labels)
    for place, label in enumerate(labels):
        own = table[table["label"] == label]
        where = [rows.index(row) - 0.4 + (place + 0.5) * height for row in own["row"]]
        colour = QUIET if place == 0 else OURS if place == len(labels) - 1 else SECOND
        drawn = axes.barh(where, own["wall_seconds"] / 60, 0.9 * height, color=colour, label=label)
        words = [f"{ratio:.2f} x" if place and np.isfinite(ratio) else "" for ratio in own["ratio"]]
        axes.bar_label(drawn, words, padding=3, fontsize=8)
    axes.margins(x=0.15)
    name_rows(axes, [WAITS.get(row, row) for row in rows])
    axes.legend(loc="best")
    return figure


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
