"""Figures of the study: its area (figure 1), its flow (figure 2), and maps of the predictors."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch
from shapely.geometry.base import BaseGeometry

from helpers.data.grid import bounds
from helpers.figures import panels, style
from helpers.names import class_name, predictor_name, with_units

_DATA, _MODEL, _FLUX, _RESULT = "#dcebf7", "#fdf0d5", "#e3f1e1", "#f3e3ee"

# name: centre x, centre y, width, height, colour, heading, lines below it; those of a run are in _own_texts
_BOXES: dict[str, tuple[float, float, float, float, str, str, str]] = {
    "spatial": (0.17, 0.87, 0.31, 0.2, _DATA, "", ""),
    "ground": (0.5, 0.87, 0.25, 0.2, _DATA, "Ground observations", "NPP, Rs and Rh\nof published field studies"),
    "soil": (0.83, 0.87, 0.25, 0.2, _DATA, "", ""),
    "npp_forest": (0.27, 0.595, 0.32, 0.1, _MODEL, "", ""),
    "rs_forest": (0.73, 0.595, 0.32, 0.1, _MODEL, "", ""),
    "npp": (0.27, 0.395, 0.24, 0.1, _FLUX, "NPP", "carbon input"),
    "rs": (0.6, 0.395, 0.17, 0.1, _FLUX, "Rs", "soil respiration"),
    "rh": (0.87, 0.395, 0.2, 0.1, _FLUX, "Rh", "line from Rs (Eq. 3)"),
    "nep": (0.5, 0.225, 0.36, 0.1, _FLUX, "NEP = NPP − Rh (Eq. 4)", "above zero: carbon sink"),
    "products": (0.14, 0.06, 0.25, 0.11, _DATA, "Other products", "NPP, Rs, Rh"),
    "comparison": (*(0.62, 0.06, 0.54, 0.11, _RESULT, "Comparison"), "scores at the sites (Eqs. 5–8), maps, budgets"),
}

_ARROWS = (
    *(("spatial", "npp_forest"), ("ground", "npp_forest"), ("ground", "rs_forest"), ("soil", "rs_forest")),
    *(("npp_forest", "npp"), ("rs_forest", "rs"), ("rs", "rh"), ("npp", "nep"), ("rh", "nep")),
    *(("nep", "comparison"), ("products", "comparison")),
)

_NPP_SITES = {"marker": "o", "s": 13, "facecolor": "#e8257d", "edgecolor": "white", "linewidth": 0.4}
_RS_SITES = {"marker": "^", "s": 30, "facecolor": "#ffd500", "edgecolor": "black", "linewidth": 0.6}

_PREDICTOR_MAPS = {
    "precipitation": "cmc.oslo_r",
    "temperature": "cmc.lajolla",
    "srad": "cmc.lipari",
    "lai": "cmc.bamako_r",
    "npp_modis": "cmc.bamako_r",
    "soc": "cmc.bilbao",
}


@style.styled
def fig2_flow(npp_predictors: Sequence[str], rs_predictors: Sequence[str]) -> Figure:
    """Figure 2: from maps and ground observations by two forests to NPP, Rs, Rh, NEP and their comparison."""
    own = _own_texts(npp_predictors, rs_predictors)
    figure = style.blank(6.4)
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    for start, end in _ARROWS:
        _arrow(axes, start, end)
    for name, (x, y, width, height, colour, heading, text) in _BOXES.items():
        heading, text = own.get(name, (heading, text))
        corner = (x - width / 2, y - height / 2)
        look = {"boxstyle": "round,pad=0,rounding_size=0.012", "edgecolor": style.INK, "linewidth": 0.9}
        axes.add_patch(FancyBboxPatch(corner, width, height, facecolor=colour, **look))
        top = y + height / 2 - 0.018
        axes.text(x, top, heading, ha="center", va="top", fontweight="bold", fontsize=10)
        axes.text(x, top - 0.042, text, ha="center", va="top", linespacing=1.25)
    return figure


@style.styled
def fig1_study_area(
    cube: xr.Dataset, boundary: BaseGeometry, npp_sites: pd.DataFrame, rs_sites: pd.DataFrame
) -> Figure:
    """Figure 1: the region's land cover with the sites (a), its elevation and its position on the grid (b).

    The cube has ``land_cover`` [IGBP class] and ``elevation`` [m], the tables ``longitude`` and ``latitude``; sites
    outside the panel are not seen. A ValueError is raised if the cube lacks one of the variables.
    """
    sites = {"NPP site": (npp_sites, _NPP_SITES), "Rs site": (rs_sites, _RS_SITES)}
    for name, (table, _) in sites.items():
        if not table.empty:  # a region may have no site of its own
            style.require_columns(table, ["longitude", "latitude"], f"figure 1, {name}s")
    style.require_variables(cube, ["land_cover", "elevation"], "figure 1")
    figure = style.blank(7.2)
    grid = GridSpec(2, 2, figure, width_ratios=[3, 1.25])
    cover, elevation = (panels.within(cube[name], boundary) for name in ("land_cover", "elevation"))
    axes = panels.draw_map(figure, grid[0, 0], cover, boundary, _classes(), "a", "land cover and sites")
    for table, marker in sites.values():
        axes.scatter(table["longitude"], table["latitude"], transform=panels.LONLAT, zorder=5, **marker)
    handles = [_site_entry(name, marker) for name, (_, marker) in sites.items()]
    side = figure.add_subplot(grid[0, 1])
    side.set_axis_off()
    handles += [*_class_entries(cover), *panels.no_data_entry([cover])]
    side.legend(handles=handles, loc="center left", borderaxespad=0, handlelength=1.3)

    heights = style.sequential([elevation], "cmc.batlow")
    panels.draw_map(figure, grid[1, 0], elevation, boundary, heights, "b", "elevation")
    place = figure.add_subplot(grid[1, 1], projection=panels.equal_area(bounds(cube)))
    _position_map(place, cube, boundary)
    bar = place.inset_axes([0, -0.55, 1, 0.09])
    panels.colour_bar(place, heights, with_units("elevation (b)", "m"), cax=bar, orientation="horizontal")
    return figure


@style.styled
def covariates(cube: xr.Dataset, boundary: BaseGeometry, names: Sequence[str]) -> Figure:
    """Draw a map of each predictor, two in a row, each with its own colours and limits.

    The ``units`` of the variables label the colour bars. A ValueError is raised if the cube lacks one of the names.
    """
    style.require_variables(cube, names, "predictor maps")
    rows = -(-len(names) // 2)
    figure = style.blank(2.05 * rows + 1.0)
    shown = {name: panels.within(cube[name], boundary) for name in names}
    places = zip(GridSpec(rows, 2, figure), style.letters(len(names)), shown.items(), strict=False)
    for place, letter, (name, field) in places:
        colours = _PREDICTOR_MAPS.get(name, "cmc.batlow")
        scale = _classes() if name == "land_cover" else style.sequential([field], colours)
        axes = panels.draw_map(figure, place, field, boundary, scale, letter, predictor_name(name))
        if name != "land_cover":
            bar = axes.inset_axes([1.025, 0.04, 0.03, 0.92])
            panels.colour_bar(axes, scale, panels.unit_label(cube[name].attrs["units"]), cax=bar)
    entries = _class_entries(shown["land_cover"]) if "land_cover" in shown else []
    entries += panels.no_data_entry(list(shown.values()))
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _own_texts(npp: Sequence[str], rs: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return heading and lines of the boxes that depend on the predictors of the two forests."""
    shared = set(npp) <= set(rs)
    more = [name for name in rs if not shared or name not in npp]
    lists = [textwrap.fill(", ".join(map(predictor_name, names)), 27) for names in (npp, more)]
    return {
        "spatial": ("Maps", lists[0]),
        "soil": (("The same maps and" if more else "The same maps") if shared else "Maps", lists[1]),
        "npp_forest": ("Random forest of NPP", f"{len(npp)} predictors (Eq. 1)"),
        "rs_forest": ("Random forest of ln Rs", f"{len(rs)} predictors (Eq. 2)"),
    }


def _arrow(axes: Axes, start: str, end: str) -> None:
    """Draw an arrow from the lower edge of a box to the upper edge of another, or sideways within a row."""
    (x0, y0, width0, height0), (x1, y1, width1, height1) = _BOXES[start][:4], _BOXES[end][:4]
    if y0 == y1:
        tail, head = (x0 + width0 / 2, y0), (x1 - width1 / 2, y1)
    else:
        reach = min(width1 / 2 - 0.03, abs(x0 - x1))
        tail, head = (x0, y0 - height0 / 2), (x1 + (reach if x0 > x1 else -reach), y1 + height1 / 2)
    look = {"arrowstyle": "-|>", "color": style.INK, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
    axes.annotate("", xy=head, xytext=tail, arrowprops=look)


def _classes() -> style.Scale:
    """Return the colours of the land-cover classes."""
    edges = [*(number - 0.5 for number in style.LAND_COVER), max(style.LAND_COVER) + 0.5]
    return style.Scale(ListedColormap(list(style.LAND_COVER.values())), BoundaryNorm(edges, len(style.LAND_COVER)))


def _class_entries(cover: xr.DataArray) -> list[Patch]:
    """Return the legend of the classes that a map has, the most frequent first."""
    classes, counts = np.unique(cover.values[np.isfinite(cover.values)], return_counts=True)
    names = {number: class_name(number) for number in classes[np.argsort(-counts, kind="stable")]}
    return [panels.swatch(style.LAND_COVER[number], name) for number, name in names.items()]


def _position_map(axes: Axes, cube: xr.Dataset, boundary: BaseGeometry) -> None:
    """Draw the whole grid's relief in grey, its water in blue, and where the region lies in it."""
    cube = panels.every_kth_cell(cube[["elevation", "land_cover"]])
    elevation, water = panels.flat(cube["elevation"]), panels.flat(cube["land_cover"]) == 17
    panels.draw_cells(axes, elevation.where(~water), style.Scale("cmc.grayC_r", Normalize(-500, 7000)))
    panels.draw_cells(axes, xr.where(water, 1.0, np.nan), style.Scale(ListedColormap(["#cfe6f5"]), None))
    panels.outline(axes, boundary, width=1.6, colour="#c2185b")
    panels.graticule(axes, bounds(cube), {"left": "y", "bottom": "x"})
    axes.set_title("position on the grid of the maps", fontsize=8.5)


def _site_entry(label: str, marker: Mapping[str, object]) -> Line2D:
    """Return the legend's entry of a kind of sites."""
    look = {"linestyle": "", "marker": marker["marker"], "markersize": float(marker["s"]) ** 0.5}
    edge = {"markeredgecolor": style.INK, "markeredgewidth": 0.5}
    return Line2D([], [], markerfacecolor=marker["facecolor"], label=label, **look, **edge)
