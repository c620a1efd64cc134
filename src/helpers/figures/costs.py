"""Figures of what the calculation costs: engines side by side, seconds and memory against size, notebooks.

Each public function returns a figure, and raises ``ValueError`` if a column is missing or there is no row.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.costs import CostLine, of_factor
from helpers.figures.style import INK, blank, letters, panel_letter, require_columns, series_colours, styled

_REFERENCE = "scikit-learn, stacked array"
_OURS, _OTHERS, _R = "#0072b2", "#7a7a7a", "#e69f00"
_COST = ["wall_seconds", "fastest", "slowest", "cpu_seconds"]
_AXES = {
    "cells": "thousand cells",
    "years": "years",
    "trees": "trees",
    "threads": "threads of one process",
    "workers": "worker processes, one thread each",
    "chunk": "cells along a block's side",
}


@styled
def engine_speeds(engines: pd.DataFrame) -> Figure:
    """Draw the rows that each engine predicts in a second, and how many times as many as scikit-learn.

    Parameters
    ----------
    engines : pandas.DataFrame
        ``forest``, ``engine``, ``rows_per_second`` and ``ratio``, see :func:`helpers.costs.read_measurements`.
    """
    require_columns(engines, ["forest", "engine", "rows_per_second", "ratio"], "engine_speeds")
    names = list(dict.fromkeys(engines["engine"]))
    forests = list(dict.fromkeys(engines["forest"]))
    figure = blank(1.0 + 0.3 * len(names))
    row = figure.subplots(1, len(forests), sharey=True, sharex=True, squeeze=False)[0]
    for axes, forest, letter in zip(row, forests, letters(len(forests)), strict=True):
        own = engines[engines["forest"] == forest].set_index("engine")
        places = [names.index(name) for name in own.index]
        colours = [_OURS if name == "pruned groups" else _R if name.startswith("R ") else _OTHERS for name in own.index]
        drawn = axes.barh(places, own["rows_per_second"] / 1000, color=colours, height=0.7)
        axes.bar_label(drawn, [f"{ratio:.2g} x" for ratio in own["ratio"]], padding=3, fontsize=8)
        axes.margins(x=0.15)
        axes.set_xlabel("thousand rows a second; x: by scikit-learn")
        panel_letter(axes, letter, {"npp": "NPP, 7 covariates", "rs": "Rs, 8 covariates"}.get(forest, forest))
    row[0].set_yticks(range(len(names)), labels=names)
    row[0].set_ylim(len(names) - 0.4, -0.6)
    for axes in row:
        axes.tick_params(axis="y", length=0)
    return figure


@styled
def cost_by_factor(table: pd.DataFrame, line: CostLine | None = None) -> Figure:
    """Draw seconds on the clock and of processors against each factor that was varied, all else as in the base case.

    Bars reach from the fastest to the slowest round.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :func:`helpers.costs.cases`.
    line : CostLine, optional
        Of :func:`helpers.costs.cost_line`; drawn through the cells.
    """
    require_columns(table, ["factor", *_AXES, *_COST], "cost_by_factor")
    factors = [factor for factor in _AXES if (table["factor"] == factor).any()] or ["cells"]
    rows = -(-len(factors) // 3)
    figure = blank(2.4 * rows)
    panels = figure.subplots(rows, min(3, len(factors)), squeeze=False).ravel()
    for axes, factor, letter in zip(panels, factors, letters(len(factors)), strict=False):
        _cost_panel(axes, of_factor(table, factor), factor)
        panel_letter(axes, letter)
        if factor == "cells" and line is not None:
            own = of_factor(table, factor)
            ends = np.array([0, own["cells"].max()])
            seconds = line.intercept + line.slope * ends * own["years"].iloc[0] / 1e6
            axes.plot(ends / 1e3, seconds, color=INK, linewidth=0.9)
    for axes in panels[len(factors) :]:
        axes.set_axis_off()
    for axes in panels[:: min(3, len(factors))]:
        axes.set_ylabel("seconds")
    panels[0].legend(loc="upper left")
    return figure


def _cost_panel(axes: Axes, varied: pd.DataFrame, factor: str) -> None:
    """Draw the two kinds of seconds of the cases in which a factor varies."""
    kept = varied[varied["workers"] > 0] if factor == "workers" else varied
    places = kept[factor] / 1e3 if factor == "cells" else kept[factor]
    colours = series_colours(["clock", "processors"])
    axes.vlines(places, kept["fastest"], kept["slowest"], color=colours["clock"], linewidth=1.2)
    marks = {"marker": "o", "linestyle": "none", "markersize": 5}
    axes.plot(places, kept["wall_seconds"], color=colours["clock"], label="on the clock", **marks)
    marks |= {"marker": "s", "markerfacecolor": "none"}
    axes.plot(places, kept["cpu_seconds"], color=colours["processors"], label="of processors", **marks)
    axes.set_xlabel(_AXES[factor])
    axes.set_ylim(0, 1.15 * kept[["slowest", "cpu_seconds"]].max(axis=None))
    axes.set_xlim(0, 1.1 * places.max())
    if factor in ("threads", "workers"):
        axes.set_xticks(sorted(set(places)))


@styled
def memory_against_cells(table: pd.DataFrame) -> Figure:
    """Draw the peak memory against the number of cells, and the size of the covariates beside it.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :func:`helpers.costs.cases`, with ``cube_mb``: the bytes of the cube in memory, MB.
    """
    require_columns(table, ["factor", "cells", "peak_mb", "cube_mb"], "memory_against_cells")
    own = of_factor(table, "cells")
    figure = blank(3.0, 6.0)
    axes = figure.add_subplot()
    axes.plot(own["cells"] / 1e3, own["peak_mb"], "o-", color=_OURS, label="peak of all processes")
    axes.plot(
        own["cells"] / 1e3, own["cube_mb"], "s--", color=_R, markerfacecolor="none", label="the cube, if held whole"
    )
    axes.set_xlabel("thousand cells")
    axes.set_ylabel("memory [MB]")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(loc="best")
    return figure


@styled
def notebook_costs(job: pd.DataFrame) -> Figure:
    """Draw the minutes and the peak memory of each notebook of the whole calculation.

    Parameters
    ----------
    job : pandas.DataFrame
        ``notebook``, ``wall_seconds``, ``cpu_seconds`` and ``peak_mb``, see :func:`helpers.costs.read_measurements`.
    """
    require_columns(job, ["notebook", "wall_seconds", "cpu_seconds", "peak_mb"], "notebook_costs")
    figure = blank(0.9 + 0.34 * len(job))
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(job))
    colours = series_colours(["clock", "processors"])
    left.barh(places - 0.19, job["wall_seconds"] / 60, 0.36, color=colours["clock"], label="on the clock")
    left.barh(places + 0.19, job["cpu_seconds"] / 60, 0.36, color=colours["processors"], label="of processors")
    left.set_xlabel("minutes")
    left.legend(loc="best")
    right.barh(places, job["peak_mb"] / 1024, 0.6, color=_OTHERS)
    right.set_xlabel("peak memory [GB]")
    left.set_yticks(places, labels=[name.replace("_", " ") for name in job["notebook"]])
    left.set_ylim(len(job) - 0.5, -0.5)
    for axes, letter in zip((left, right), "ab", strict=True):
        axes.tick_params(axis="y", length=0)
        panel_letter(axes, letter)
    return figure
