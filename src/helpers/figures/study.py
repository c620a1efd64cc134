"""The flow framework of the study (figure 2): boxes and arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cartopy.crs as ccrs
import numpy as np
import pandas as pd
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels
from helpers.figures.style import (
    INK,
    LAND_COVER,
    blank,
    letters,
    predictor_name,
    require_columns,
    sequential_norm,
    styled,
    with_units,
)

_DATA, _MODEL, _FLUX, _RESULT = "#dcebf7", "#fdf0d5", "#e3f1e1", "#f3e3ee"

# name: (centre x, centre y, width, height, colour, heading, lines below it)
_BOXES = {
    "spatial": (
        *(0.17, 0.87, 0.31, 0.2, _DATA, "Maps"),
        "precipitation, temperature,\nshortwave radiation, land\ncover, elevation, leaf area\nindex, NPP of MODIS",
    ),
    "ground": (
        0.5,
        0.87,
        0.25,
        0.2,
        _DATA,
        "Ground observations",
        "NPP, Rs and Rh\nof published field studies",
    ),
    "soil": (0.83, 0.87, 0.25, 0.2, _DATA, "The same maps and", "soil organic carbon"),
    "npp_forest": (0.27, 0.595, 0.32, 0.1, _MODEL, "Random forest of NPP", "7 predictors (Eq. 1)"),
    "rs_forest": (0.73, 0.595, 0.32, 0.1, _MODEL, "Random forest of ln Rs", "8 predictors (Eq. 2)"),
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
    ("spatial", "npp_forest"),
    ("ground", "npp_forest"),
    ("ground", "rs_forest"),
    ("soil", "rs_forest"),
    ("npp_forest", "npp"),
    ("rs_forest", "rs"),
    ("rs", "rh"),
    ("npp", "nep"),
    ("rh", "nep"),
    ("nep", "comparison"),
    ("products", "comparison"),
)


@styled
def fig2_flow() -> Figure:
    """Figure 2: from maps and ground observations by two forests to NPP, Rs, Rh, NEP and their comparison."""
    figure = blank(6.4)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for start, end in _ARROWS:
        _arrow(axes, start, end)
    for x, y, width, height, colour, heading, text in _BOXES.values():
        shape = FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.012",
            facecolor=colour,
            edgecolor=INK,
            linewidth=0.9,
        )
        axes.add_patch(shape)
        top = y + height / 2 - 0.018
        axes.text(x, top, heading, ha="center", va="top", fontweight="bold", fontsize=10)
        axes.text(x, top - 0.042, text, ha="center", va="top", fontsize=9, linespacing=1.25)
    return figure


def _arrow(axes: Axes, start: str, end: str) -> None:
    """Draw an arrow from the lower edge of a box to the upper edge of another, or sideways within a row."""
    (x0, y0, width0, height0), (x1, y1, width1, height1) = _BOXES[start][:4], _BOXES[end][:4]
    if y0 == y1:
        tail, head = (x0 + width0 / 2, y0), (x1 - width1 / 2, y1)
    else:
        reach = min(width1 / 2 - 0.03, abs(x0 - x1))
        tail, head = (x0, y0 - height0 / 2), (x1 + (reach if x0 > x1 else -reach), y1 + height1 / 2)
    style = {
        "arrowstyle": "-|>",
        "color": INK,
        "linewidth": 1.1,
        "shrinkA": 0,
        "shrinkB": 0,
        "mutation_scale": 12,
    }
    axes.annotate("", xy=head, xytext=tail, arrowprops=style)


_NPP_SITES = {"marker": "o", "s": 13, "facecolor": "#e8257d", "edgecolor": "white", "linewidth": 0.4}

_RS_SITES = {"marker": "^", "s": 30, "facecolor": "#ffd500", "edgecolor": "black", "linewidth": 0.6}

_PREDICTOR_MAPS = {
    "precipitation": "cmc.oslo_r",
    "temperature": "cmc.lajolla",
    "srad": "cmc.lipari",
    "elevation": "cmc.batlow",
    "lai": "cmc.bamako_r",
    "npp_modis": "cmc.bamako_r",
    "soc": "cmc.bilbao",
}

_CHINA_CRS = ccrs.AlbersEqualArea(central_longitude=105, central_latitude=36, standard_parallels=(25, 47))


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
    for table, name in ((npp_sites, "NPP sites"), (rs_sites, "Rs sites")):
        require_columns(table, ["longitude", "latitude"], f"figure 1, {name}")
    _require_variables(cube, ["land_cover", "elevation"], "figure 1")
    figure = blank(7.2)
    grid = GridSpec(2, 2, figure, width_ratios=[3, 1.25])
    upper, lower = (panels.map_axes(figure, grid[row, 0]) for row in (0, 1))
    classes, missing = _draw_land_cover(upper, cube["land_cover"], boundary, "a", "land cover and sites")
    for table, marker in ((npp_sites, _NPP_SITES), (rs_sites, _RS_SITES)):
        panels.points(upper, table["longitude"], table["latitude"], **marker)
    sites = [_site_handle("NPP site", _NPP_SITES), _site_handle("Rs site", _RS_SITES)]
    _legend_cell(figure, grid[0, 1], [*sites, *classes, *missing])

    elevation = panels.on_plateau(cube["elevation"], boundary)
    norm = sequential_norm([elevation])
    panels.map_panel(lower, elevation, boundary, cmap="cmc.batlow", norm=norm, letter="b", title="elevation")
    place = panels.map_axes(figure, grid[1, 1], _CHINA_CRS)
    _position_map(place, cube, boundary)
    bar = place.inset_axes([0, -0.55, 1, 0.09])
    label = with_units("elevation (b)", "m")
    panels.colour_bar(lower, "cmc.batlow", norm, [elevation], label, cax=bar, orientation="horizontal")
    return figure


@styled
def covariates(cube: xr.Dataset, boundary: BaseGeometry, names: Sequence[str]) -> Figure:
    """Draw a map of each predictor, two in a row, each with its own colours and limits.

    Parameters
    ----------
    cube : xarray.Dataset
        With the named variables on (latitude, longitude); ``units`` and ``long_name`` label the colour bars.
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
    grid = GridSpec(rows, 2, figure)
    classes: list[Patch] = []
    shown = {name: panels.on_plateau(cube[name], boundary) for name in names}
    for i, (letter, name) in enumerate(zip(letters(len(names)), names, strict=True)):
        axes = panels.map_axes(figure, grid[i // 2, i % 2])
        title = predictor_name(name)
        edges = {"left_labels": i % 2 == 0, "bottom_labels": i >= len(names) - 2}
        if name == "land_cover":
            classes, _ = _draw_land_cover(axes, shown[name], boundary, letter, title, **edges)
            continue
        cmap = _PREDICTOR_MAPS.get(name, "cmc.batlow")
        norm = sequential_norm([shown[name]])
        panels.map_panel(axes, shown[name], boundary, cmap=cmap, norm=norm, letter=letter, title=title, **edges)
        label = with_units("", cube[name].attrs.get("units", "")).strip()
        panels.colour_bar(axes, cmap, norm, [shown[name]], label, cax=_beside(axes))
    entries = [*classes, *panels.no_data_entry(list(shown.values()))]
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _legend_cell(figure: Figure, place: SubplotSpec, handles: Sequence[Patch | Line2D]) -> None:
    axes = figure.add_subplot(place)
    axes.set_axis_off()
    axes.legend(handles=handles, loc="center left", borderaxespad=0, handlelength=1.3)


def _beside(axes: GeoAxes) -> Axes:
    """Return the place of a colour bar along the right edge of a map."""
    return axes.inset_axes([1.025, 0.04, 0.03, 0.92])


def _draw_land_cover(
    axes: GeoAxes, field: xr.DataArray, boundary: BaseGeometry, letter: str, title: str, **edges: bool
) -> tuple[list[Patch], list[Patch]]:
    """Draw land cover in its classes' colours; return the legends of those present and of no data."""
    shown = panels.on_plateau(field, boundary)
    classes, counts = np.unique(shown.values[np.isfinite(shown.values)], return_counts=True)
    unknown = sorted(set(classes) - set(LAND_COVER))
    if unknown:
        raise ValueError(f"land_cover: expected IGBP classes 0 to 17, found {unknown}; check the legend of the source")
    cmap = ListedColormap([colour for _, colour in LAND_COVER.values()])
    norm = BoundaryNorm(np.arange(len(LAND_COVER) + 1) - 0.5, len(LAND_COVER))
    panels.map_panel(axes, shown, boundary, cmap=cmap, norm=norm, letter=letter, title=title, **edges)
    entries = {LAND_COVER[int(i)] for i in classes}
    size = {entry: sum(counts[[LAND_COVER[int(i)] == entry for i in classes]]) for entry in entries}
    handles = [
        Patch(facecolor=colour, edgecolor=INK, linewidth=0.3, label=name)
        for name, colour in sorted(entries, key=lambda entry: (-size[entry], entry))
    ]
    return handles, panels.no_data_entry([shown])


def _position_map(axes: GeoAxes, cube: xr.Dataset, boundary: BaseGeometry) -> None:
    """Draw the whole grid's relief in grey, its water in blue, and where the plateau lies in it."""
    cube = panels.thinned(cube[["elevation", "land_cover"]])
    elevation, cover = panels.flat(cube["elevation"]), panels.flat(cube["land_cover"])
    water = cover.isin([0, 17])
    x, y = panels.corners(axes.projection, elevation)
    land = np.ma.masked_invalid(elevation.where(~water))
    axes.pcolormesh(x, y, land, cmap="cmc.grayC_r", norm=Normalize(-500, 7000), rasterized=True)
    sea = np.ma.masked_invalid(xr.where(water, 1.0, np.nan))
    axes.pcolormesh(x, y, sea, cmap=ListedColormap(["#cfe6f5"]), rasterized=True)
    axes.set_xlim(x.min(), x.max())
    axes.set_ylim(y.min(), y.max())
    panels.outline(axes, boundary, width=1.6, colour="#c2185b")
    panels.graticule(axes, step=(20, 10))
    axes.set_title("position on the grid of the maps", fontsize=8.5)


def _site_handle(label: str, marker: Mapping[str, object]) -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="",
        marker=marker["marker"],
        markersize=float(marker["s"]) ** 0.5,
        markerfacecolor=marker["facecolor"],
        markeredgecolor=INK,
        markeredgewidth=0.5,
        label=label,
    )


def _require_variables(cube: xr.Dataset, names: Sequence[str], figure: str) -> None:
    missing = [name for name in names if name not in cube]
    if missing:
        raise ValueError(f"{figure}: the cube lacks {', '.join(missing)}; it has {', '.join(map(str, cube.data_vars))}")
