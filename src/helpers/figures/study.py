"""Figures of the study: its area (figure 1), its flow (figure 2), and maps of the predictors."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import cartopy.crs as ccrs
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

from helpers.data.cube import NPP_PREDICTORS, RS_PREDICTORS
from helpers.figures import panels
from helpers.figures.style import INK, LAND_COVER, Scale, blank, letters, require_columns, sequential, styled
from helpers.names import class_name, predictor_name, with_units

_DATA, _MODEL, _FLUX, _RESULT = "#dcebf7", "#fdf0d5", "#e3f1e1", "#f3e3ee"
_MAPS = textwrap.fill(", ".join(predictor_name(name) for name in NPP_PREDICTORS), 27)
_MORE = ", ".join(predictor_name(name) for name in RS_PREDICTORS if name not in NPP_PREDICTORS)

# name: centre x, centre y, width, height, colour, heading, lines below it
_BOXES: dict[str, tuple[float, float, float, float, str, str, str]] = {
    "spatial": (0.17, 0.87, 0.31, 0.2, _DATA, "Maps", _MAPS),
    "ground": (0.5, 0.87, 0.25, 0.2, _DATA, "Ground observations", "NPP, Rs and Rh\nof published field studies"),
    "soil": (0.83, 0.87, 0.25, 0.2, _DATA, "The same maps and", _MORE),
    "npp_forest": (0.27, 0.595, 0.32, 0.1, _MODEL, "Random forest of NPP", f"{len(NPP_PREDICTORS)} predictors (Eq. 1)"),
    "rs_forest": (0.73, 0.595, 0.32, 0.1, _MODEL, "Random forest of ln Rs", f"{len(RS_PREDICTORS)} predictors (Eq. 2)"),
    "npp": (0.27, 0.395, 0.24, 0.1, _FLUX, "NPP", "carbon input"),
    "rs": (0.6, 0.395, 0.17, 0.1, _FLUX, "Rs", "soil respiration"),
    "rh": (0.87, 0.395, 0.2, 0.1, _FLUX, "Rh", "line from Rs (Eq. 3)"),
    "nep": (0.5, 0.225, 0.36, 0.1, _FLUX, "NEP = NPP − Rh (Eq. 4)", "above zero: carbon sink"),
    "products": (0.14, 0.06, 0.25, 0.11, _DATA, "Other products", "NPP, Rs, Rh"),
    "comparison": (
        *(0.62, 0.06, 0.54, 0.11, _RESULT, "Comparison"),
        "scores at the sites (Eqs. 5–8), maps, plateau budgets",
    ),
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

_CHINA_CRS = ccrs.AlbersEqualArea(central_longitude=105, central_latitude=36, standard_parallels=(25, 47))


@styled
def fig2_flow() -> Figure:
    """Figure 2: from maps and ground observations by two forests to NPP, Rs, Rh, NEP and their comparison."""
    figure = blank(6.4)
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    for start, end in _ARROWS:
        _arrow(axes, start, end)
    for x, y, width, height, colour, heading, text in _BOXES.values():
        corner = (x - width / 2, y - height / 2)
        style = {"boxstyle": "round,pad=0,rounding_size=0.012", "edgecolor": INK, "linewidth": 0.9}
        axes.add_patch(FancyBboxPatch(corner, width, height, facecolor=colour, **style))
        top = y + height / 2 - 0.018
        axes.text(x, top, heading, ha="center", va="top", fontweight="bold", fontsize=10)
        axes.text(x, top - 0.042, text, ha="center", va="top", linespacing=1.25)
    return figure


@styled
def fig1_study_area(
    cube: xr.Dataset, boundary: BaseGeometry, npp_sites: pd.DataFrame, rs_sites: pd.DataFrame
) -> Figure:
    """Figure 1: the plateau's land cover with the sites (a), its elevation and its place in China (b).

    Parameters
    ----------
    cube : xarray.Dataset
        With ``land_cover`` [IGBP class] and ``elevation`` [m] on (latitude, longitude), all China.
    boundary : shapely geometry
        The plateau's outline in degrees.
    npp_sites, rs_sites : pandas.DataFrame
        With ``longitude`` and ``latitude``; sites that lie outside the panel are not seen.

    Raises
    ------
    ValueError
        If a site table lacks a column or the cube lacks a variable.
    """
    sites = {"NPP site": (npp_sites, _NPP_SITES), "Rs site": (rs_sites, _RS_SITES)}
    for name, (table, _) in sites.items():
        require_columns(table, ["longitude", "latitude"], f"figure 1, {name}s")
    _require_variables(cube, ["land_cover", "elevation"], "figure 1")
    figure = blank(7.2)
    grid = GridSpec(2, 2, figure, width_ratios=[3, 1.25])
    cover, elevation = (panels.on_plateau(cube[name], boundary) for name in ("land_cover", "elevation"))
    axes = panels.draw_map(figure, grid[0, 0], cover, boundary, _classes(), "a", "land cover and sites")
    for table, marker in sites.values():
        axes.scatter(table["longitude"], table["latitude"], transform=panels.LONLAT, zorder=5, **marker)
    handles = [_site_entry(name, marker) for name, (_, marker) in sites.items()]
    side = figure.add_subplot(grid[0, 1])
    side.set_axis_off()
    handles += [*_class_entries(cover), *panels.no_data_entry([cover])]
    side.legend(handles=handles, loc="center left", borderaxespad=0, handlelength=1.3)

    heights = sequential([elevation], "cmc.batlow")
    panels.draw_map(figure, grid[1, 0], elevation, boundary, heights, "b", "elevation")
    place = figure.add_subplot(grid[1, 1], projection=_CHINA_CRS)
    _position_map(place, cube, boundary)
    bar = place.inset_axes([0, -0.55, 1, 0.09])
    panels.colour_bar(place, heights, with_units("elevation (b)", "m"), cax=bar, orientation="horizontal")
    return figure


@styled
def covariates(cube: xr.Dataset, boundary: BaseGeometry, names: Sequence[str]) -> Figure:
    """Draw a map of each predictor, two in a row, each with its own colours and limits.

    Parameters
    ----------
    cube : xarray.Dataset
        With the named variables on (latitude, longitude); their ``units`` label the colour bars.
    boundary : shapely geometry
        The plateau's outline in degrees.
    names : sequence of str
        Variables of the cube, in the order of the panels.

    Raises
    ------
    ValueError
        If the cube lacks one of the variables.
    """
    _require_variables(cube, names, "predictor maps")
    rows = -(-len(names) // 2)
    figure = blank(2.05 * rows + 1.0)
    shown = {name: panels.on_plateau(cube[name], boundary) for name in names}
    for place, letter, (name, field) in zip(
        GridSpec(rows, 2, figure), letters(len(names)), shown.items(), strict=False
    ):
        scale = _classes() if name == "land_cover" else sequential([field], _PREDICTOR_MAPS.get(name, "cmc.batlow"))
        axes = panels.draw_map(figure, place, field, boundary, scale, letter, predictor_name(name))
        if name != "land_cover":
            bar = axes.inset_axes([1.025, 0.04, 0.03, 0.92])
            panels.colour_bar(axes, scale, panels.unit_label(cube[name].attrs["units"]), cax=bar)
    entries = _class_entries(shown["land_cover"]) if "land_cover" in shown else []
    entries += panels.no_data_entry(list(shown.values()))
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _arrow(axes: Axes, start: str, end: str) -> None:
    """Draw an arrow from the lower edge of a box to the upper edge of another, or sideways within a row."""
    (x0, y0, width0, height0), (x1, y1, width1, height1) = _BOXES[start][:4], _BOXES[end][:4]
    if y0 == y1:
        tail, head = (x0 + width0 / 2, y0), (x1 - width1 / 2, y1)
    else:
        reach = min(width1 / 2 - 0.03, abs(x0 - x1))
        tail, head = (x0, y0 - height0 / 2), (x1 + (reach if x0 > x1 else -reach), y1 + height1 / 2)
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
    axes.annotate("", xy=head, xytext=tail, arrowprops=style)


def _classes() -> Scale:
    """Return the colours of the land-cover classes."""
    edges = [*(number - 0.5 for number in LAND_COVER), max(LAND_COVER) + 0.5]
    return Scale(ListedColormap(list(LAND_COVER.values())), BoundaryNorm(edges, len(LAND_COVER)))


def _class_entries(cover: xr.DataArray) -> list[Patch]:
    """Return the legend of the classes that a map has, the most frequent first."""
    classes, counts = np.unique(cover.values[np.isfinite(cover.values)], return_counts=True)
    names = {number: class_name(number) for number in classes}
    return [panels.swatch(LAND_COVER[number], names[number]) for number in classes[np.argsort(-counts, kind="stable")]]


def _position_map(axes: Axes, cube: xr.Dataset, boundary: BaseGeometry) -> None:
    """Draw the whole grid's relief in grey, its water in blue, and where the plateau lies in it."""
    cube = panels.every_kth_cell(cube[["elevation", "land_cover"]])
    elevation, water = panels.flat(cube["elevation"]), panels.flat(cube["land_cover"]) == 17
    panels.draw_cells(axes, elevation.where(~water), Scale("cmc.grayC_r", Normalize(-500, 7000)))
    panels.draw_cells(axes, xr.where(water, 1.0, np.nan), Scale(ListedColormap(["#cfe6f5"]), None))
    panels.outline(axes, boundary, width=1.6, colour="#c2185b")
    panels.graticule(axes, 20, 10, {"left": "y", "bottom": "x"})
    axes.set_title("position on the grid of the maps", fontsize=8.5)


def _site_entry(label: str, marker: Mapping[str, object]) -> Line2D:
    """Return the legend's entry of a kind of sites."""
    style = {"linestyle": "", "marker": marker["marker"], "markersize": float(marker["s"]) ** 0.5}
    edge = {"markeredgecolor": INK, "markeredgewidth": 0.5}
    return Line2D([], [], markerfacecolor=marker["facecolor"], label=label, **style, **edge)


def _require_variables(cube: xr.Dataset, names: Sequence[str], figure: str) -> None:
    """Refuse a cube without the variables that a figure draws."""
    missing = [name for name in names if name not in cube]
    if missing:
        raise ValueError(f"{figure}: the cube lacks {', '.join(missing)}; it has {', '.join(map(str, cube.data_vars))}")
