"""Figures of the next plots: where they stand, and what they do to the interval."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels, style, words
from helpers.names import TOTAL_UNITS, pretty_units, source_to_sink, with_units

#: Plots whose number stands on the map: the first to build.
NUMBERED = 10
#: The ground in steps: behind the plots its forms matter, and a picture of few greys takes half of the bytes.
_GROUND = ListedColormap(mpl.colormaps["Greys"](np.linspace(0.04, 0.5, 12)))
_SITES = ({"marker": "o", "s": 11, "color": style.SECOND}, {"marker": "^", "s": 20, "color": style.BAD})
_FIRST = {"marker": "o", "s": 150, "color": style.OURS, "edgecolor": "white", "linewidth": 0.8}
_LINES = ("-", "--", ":")
_LATER = {"marker": "D", "s": 26, "color": style.OURS, "edgecolor": "white", "linewidth": 0.6}


@style.styled
def plan_map(
    elevation: xr.DataArray,
    boundary: BaseGeometry,
    plots: pd.DataFrame,
    sites: Mapping[str, pd.DataFrame],
    outside: xr.DataArray,
    title: str,
) -> style.BookFigure:
    """Draw proposed plots over the region's elevation, the first of them with their number, beside sites that exist.

    The plots have ``plot``, their number in the order in which to build them, ``longitude`` and ``latitude`` [degrees];
    sites, by what they are, have the places. Cells that are ``outside`` the area of applicability, a map of True and
    False on the grid of the elevation [m], are hatched.
    """
    style.require_columns(plots, ["plot", "longitude", "latitude"], "plan_map")
    maps = panels.shared_grid({"elevation": elevation, "outside": outside.astype(float)})
    maps = {key: panels.within(one, boundary) for key, one in maps.items()}
    ground, hatched = maps["elevation"], maps["outside"].where(maps["elevation"].notnull())
    scale = style.sequential([ground])._replace(cmap=_GROUND)
    figure = style.blank(panels.map_height(boundary) + (1.9 if style.on_phone() else 1.4))
    axes = panels.draw_map(figure, GridSpec(1, 1, figure)[0], ground, boundary, scale, title=title)
    label = with_units("elevation", "m")
    panels.colour_bar(axes, scale, label, orientation="horizontal", shrink=0.8, aspect=35, pad=0.02)
    panels.hatch(axes, hatched, boundary)
    entries = _plots_and_sites(axes, boundary, plots, sites)
    entries += [panels.hatch_entry("outside the area of applicability"), *panels.no_data_entry([ground])]
    panels.scale_bar(axes)
    figure.legend(handles=entries, loc="outside lower center", ncols=style.columns(3))
    first = plots.nsmallest(NUMBERED, "plot")
    told = "; ".join(
        f"{row.plot} at {row.latitude:.2f}° N {row.longitude:.2f}° E".replace("-", "−") for row in first.itertuples()
    )
    others = ", ".join(f"{len(table)} rows of the {name}s" for name, table in sites.items())
    share = words.percent(words.share_of(hatched, ground))
    alt = (
        f"Map of {len(plots)} proposed plots, {title}, over the elevation of the region, which lies between "
        f"{words.number(float(ground.min()))} and {words.number(float(ground.max()))} m. The first: {told}. "
        f"Beside them {others}. Hatched, outside the area of applicability: {share} of the area."
    )
    return style.described(figure, alt, plots)


def _plots_and_sites(
    axes: Axes, boundary: BaseGeometry, plots: pd.DataFrame, sites: Mapping[str, pd.DataFrame]
) -> list[Line2D]:
    """Draw sites and plots on a map; return their legend."""
    entries = []
    for (name, table), look in zip(sites.items(), _SITES, strict=False):
        panels.dots(axes, table, boundary, **look)
        entries.append(_entry(name, look))
    numbered = plots["plot"] <= NUMBERED
    for chosen, look in ((~numbered, _LATER), (numbered, _FIRST)):
        if chosen.any():
            panels.dots(axes, plots[chosen], boundary, **look, zorder=7)
            low, high = plots.loc[chosen, "plot"].agg(["min", "max"])
            entries.insert(0, _entry(f"plots {low} to {high}" if high > low else f"plot {low}", look))
    # The first lies on top, its number too.
    for row in plots[numbered].sort_values("plot", ascending=False).itertuples():
        place = panels.equal_area(boundary.bounds)(row.longitude, row.latitude)
        look = {"ha": "center", "va": "center", "color": "white", "fontsize": style.SMALL, "fontweight": "bold"}
        axes.annotate(str(row.plot), place, zorder=8, **look)
    return entries


def _entry(name: str, look: Mapping[str, object]) -> Line2D:
    """Return the legend's entry of a kind of marks."""
    size = min(float(np.sqrt(look["s"])), 9.0)
    marks = {"marker": look["marker"], "color": look["color"], "markeredgecolor": look.get("edgecolor", "white")}
    return Line2D([], [], linestyle="", markersize=size, markeredgewidth=0.5, label=name, **marks)


@style.styled
def interval_by_plots(table: pd.DataFrame) -> style.BookFigure:
    """Draw how the interval of NEP is expected to shrink with the number of plots, for each plan.

    The table has ``measured``, what a plan measures, ``plots``, the ends of the interval, ``total_low_TgC_yr`` and
    ``total_high_TgC_yr`` (a), and its width as a share of that without new plots, ``width_share`` (b).
    """
    columns = ["measured", "plots", "total_low_TgC_yr", "total_high_TgC_yr", "width_share"]
    style.require_columns(table, columns, "interval_by_plots")
    figure, (left, right) = style.panel_grid(2.9, ["interval of NEP", "its width"], 2)
    plans = dict(list(table.groupby("measured", sort=False)))
    told = []
    for (name, rows), colour, line in zip(plans.items(), style.series_colours(plans).values(), _LINES, strict=False):
        look = {"color": colour, "linestyle": line}
        for end in ("low", "high"):
            left.plot(rows["plots"], rows[f"total_{end}_TgC_yr"], label=name if end == "low" else None, **look)
        right.plot(rows["plots"], 100 * rows["width_share"], **look)
        ends = [words.number(rows[f"total_{end}_TgC_yr"].iloc[-1]) for end in ("low", "high")]
        told.append(
            f"{name}, after {rows['plots'].iloc[-1]} plots: {ends[0]} to {ends[1]} {pretty_units(TOTAL_UNITS)}, "
            f"{words.percent(rows['width_share'].iloc[-1])} of the width without them"
        )
    left.axhline(0, color="black", linewidth=0.8)
    left.set_ylabel(source_to_sink(TOTAL_UNITS).replace("     ", " "))
    right.set_ylabel("share of the width without new plots [%]")
    right.set_ylim(0, 103)
    for axes in (left, right):
        axes.set_xlabel("new plots")
        axes.set_xlim(0, table["plots"].max())
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=style.columns(3))
    alt = (
        f"The ends of the interval of NEP to expect against the number of new plots, and its width. {'; '.join(told)}."
    )
    return style.described(figure, alt, table[columns])
