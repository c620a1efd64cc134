"""Figures made of maps: the study area, NPP, Rs, NEP, predictors, errors against a known truth.

Each public function returns a figure. A grid with more cells than a figure has pixels is drawn by every k-th of its
rows and columns (:func:`helpers.figures.panels.thinned`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cartopy.crs as ccrs
import numpy as np
import pandas as pd
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels
from helpers.figures.style import (
    DIFFERENCE_MAP,
    FLUX_MAP,
    FLUX_UNITS,
    INK,
    LAND_COVER,
    NEP_MAP,
    blank,
    diverging_norm,
    letters,
    panel_letter,
    predictor_name,
    require_columns,
    sequential_norm,
    styled,
    with_units,
)

__all__ = ["covariates", "error_against_truth", "fig1_study_area", "fig3_npp", "fig4_rs", "fig5_nep"]

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
def fig3_npp(npp: Mapping[str, xr.DataArray], boundary: BaseGeometry, reference: str = "Random forest") -> Figure:
    """Figure 3: NPP of the forest (a), of the products (left), and forest minus product (right).

    With three products the letters are the paper's: b-d the products, e-g the differences.

    Parameters
    ----------
    npp : mapping of str to xarray.DataArray
        Name -> NPP [g C m-2 yr-1] on (latitude, longitude), one grid for all.
    boundary : shapely geometry
        The plateau's outline in degrees.
    reference : str
        The name of the forest's map.

    Raises
    ------
    ValueError
        If the reference is missing or stands alone, or the maps lie on different grids.
    """
    return _pairs_figure(npp, boundary, reference, "NPP", "figure 3")


@styled
def fig4_rs(
    rs_forest: xr.DataArray,
    rs_other: Mapping[str, xr.DataArray],
    boundary: BaseGeometry,
    reference: str = "Random forest",
) -> Figure:
    """Figure 4: Rs of the forest (a), of another product (b), and forest minus product (c).

    Parameters
    ----------
    rs_forest : xarray.DataArray
        Rs of the forest [g C m-2 yr-1] on (latitude, longitude).
    rs_other : mapping of str to xarray.DataArray
        Name -> Rs of a product on the same grid; more than one adds rows.
    boundary : shapely geometry
        The plateau's outline in degrees.
    reference : str
        The title of the forest's map.

    Raises
    ------
    ValueError
        If there is no product, or the maps lie on different grids.
    """
    return _pairs_figure({reference: rs_forest, **rs_other}, boundary, reference, "Rs", "figure 4")


@styled
def fig5_nep(nep: Mapping[str, xr.DataArray], boundary: BaseGeometry, reference: str = "NEP1") -> Figure:
    """Figure 5: NEP of the forests (a), of the products (left), and NEP1 minus the others (right).

    NEP above zero, a sink, is blue-green; below zero, a source, brown. With four maps the letters are the
    paper's.

    Parameters
    ----------
    nep : mapping of str to xarray.DataArray
        Name -> NEP [g C m-2 yr-1] on (latitude, longitude), one grid for all.
    boundary : shapely geometry
        The plateau's outline in degrees.
    reference : str
        The name of the map that the others are compared with.

    Raises
    ------
    ValueError
        If the reference is missing or stands alone, or the maps lie on different grids.
    """
    return _pairs_figure(nep, boundary, reference, "NEP", "figure 5")


@styled
def flux_map(field: xr.DataArray, boundary: BaseGeometry, name: str) -> Figure:
    """Draw one flux over the plateau: sequential colours, or for NEP diverging ones, brown source and green sink.

    Parameters
    ----------
    field : xarray.DataArray
        The flux [g C m-2 yr-1] on (latitude, longitude).
    boundary : shapely geometry
        The plateau's outline in degrees.
    name : str
        Its name, such as ``NPP``; ``NEP`` has a sign.
    """
    shown = panels.on_plateau(field, boundary)
    signed = name == "NEP"
    cmap, norm = (NEP_MAP, diverging_norm([shown])) if signed else (FLUX_MAP, sequential_norm([shown]))
    figure = blank(4.4)
    axes = panels.map_axes(figure, GridSpec(1, 1, figure)[0])
    panels.map_panel(axes, shown, boundary, cmap=cmap, norm=norm, title=name)
    label = with_units(name, FLUX_UNITS)
    label = f"← source     {label}     sink →" if signed else label
    panels.colour_bar(axes, cmap, norm, [shown], label, orientation="horizontal", shrink=0.7, aspect=35)
    missing = panels.no_data_entry([shown])
    if missing:
        axes.legend(handles=missing, loc="lower left")
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


@styled
def error_against_truth(
    estimate: xr.DataArray,
    truth: xr.DataArray,
    boundary: BaseGeometry,
    land_cover: xr.DataArray,
    name: str,
    units: str = FLUX_UNITS,
) -> Figure:
    """Draw an estimate (a), the truth (b), the error (c), cell against cell (d), the error by land cover (e).

    Parameters
    ----------
    estimate, truth : xarray.DataArray
        Maps of one quantity on (latitude, longitude), on one grid.
    boundary : shapely geometry
        The plateau's outline in degrees.
    land_cover : xarray.DataArray
        IGBP class on the same grid.
    name : str
        The quantity, for the labels; ``NEP`` is drawn in the colours of source and sink.
    units : str
        Its units, as CF writes them.

    Raises
    ------
    ValueError
        If the maps lie on different grids, or no cell has both an estimate and a truth.
    """
    given = panels.shared_grid({"estimate": estimate, "truth": truth, "land cover": land_cover})
    maps = {key: panels.on_plateau(field, boundary) for key, field in given.items()}
    cover = maps.pop("land cover")
    figure = blank(8.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=[2, 1.35])
    _reference_and_others(upper, maps, boundary, name, units)
    left, right = lower.subplots(1, 2)
    _cell_by_cell(left, maps["estimate"], maps["truth"], name, units)
    _error_by_class(right, maps["estimate"] - maps["truth"], cover, units)
    return figure


def _pairs_figure(
    fields: Mapping[str, xr.DataArray], boundary: BaseGeometry, reference: str, quantity: str, name: str
) -> Figure:
    """Return a figure of maps and of their differences from the reference, after checking both."""
    if reference not in fields or len(fields) < 2:
        raise ValueError(
            f"{name}: expected a map {reference!r} and at least one other; there are: {', '.join(fields) or 'none'}"
        )
    maps = panels.shared_grid({reference: fields[reference], **fields})
    figure = blank(0.4 + 2.35 * len(maps))
    cut = {key: panels.on_plateau(field, boundary) for key, field in maps.items()}
    _reference_and_others(figure, cut, boundary, quantity)
    return figure


def _reference_and_others(
    figure: Figure | SubFigure,
    maps: Mapping[str, xr.DataArray],
    boundary: BaseGeometry,
    quantity: str,
    units: str = FLUX_UNITS,
) -> None:
    """Draw the first map, the reference, above the others, and beside each other map the reference minus it.

    A net flux, whose name begins with NEP, is drawn in the colours of source and sink.
    """
    reference, *others = maps
    differences = {name: maps[reference] - maps[name] for name in others}
    shown, changes = list(maps.values()), list(differences.values())
    net = quantity.startswith("NEP")
    cmap, norm = (NEP_MAP, diverging_norm(shown)) if net else (FLUX_MAP, sequential_norm(shown))
    spread = diverging_norm(changes)
    names = letters(1 + 2 * len(others))
    grid = GridSpec(1 + len(others), 2, figure)
    for row, name in enumerate(maps):
        bottom = row == len(others)
        axes = panels.map_axes(figure, grid[row, 0])
        style = {"cmap": cmap, "norm": norm, "bottom_labels": bottom}
        panels.map_panel(axes, maps[name], boundary, letter=names[row], title=name, **style)
        if name in differences:
            axes = panels.map_axes(figure, grid[row, 1])
            style = {"cmap": DIFFERENCE_MAP, "norm": spread, "bottom_labels": bottom, "left_labels": False}
            letter, title = names[row + len(others)], f"{reference} − {name}"
            panels.map_panel(axes, differences[name], boundary, letter=letter, title=title, **style)
    label = with_units(quantity, units)
    other = others[0] if len(others) == 1 else "other"
    bars = [
        (cmap, norm, shown, f"← source     {label}     sink →" if net else label),
        (DIFFERENCE_MAP, spread, changes, with_units(f"{quantity}, {reference} − {other}", units)),
    ]
    _bar_cell(figure, grid[0, 1], bars, panels.no_data_entry(shown + changes))


def _bar_cell(
    figure: Figure | SubFigure,
    place: SubplotSpec,
    bars: Sequence[tuple[str, Normalize, Sequence[xr.DataArray], str]],
    missing: list[Patch],
) -> None:
    """Fill one cell of a figure with colour bars below each other and the legend of grey cells."""
    inner = place.subgridspec(
        2 * len(bars) + 1, 3, width_ratios=[0.06, 1, 0.06], height_ratios=[1.2, 1] * len(bars) + [1.6]
    )
    for i, (cmap, norm, fields, label) in enumerate(bars):
        axes = figure.add_subplot(inner[2 * i + 1, 1])
        panels.colour_bar(axes, cmap, norm, fields, label, cax=axes, orientation="horizontal")
        axes.xaxis.set_major_locator(MaxNLocator(6))
    if missing:
        axes = figure.add_subplot(inner[-1, 1])
        axes.set_axis_off()
        axes.legend(handles=missing, loc="lower center")


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


def _cell_by_cell(axes: Axes, estimate: xr.DataArray, truth: xr.DataArray, name: str, units: str) -> None:
    """Draw the estimate against the truth as the density of cells, with the 1:1 line."""
    both = np.isfinite(estimate.values) & np.isfinite(truth.values)
    if not both.any():
        raise ValueError("estimate and truth have no cell in common; check their masks")
    x, y = truth.values[both], estimate.values[both]
    drawn = axes.hexbin(x, y, gridsize=45, bins="log", mincnt=1, cmap="cmc.oslo_r", linewidths=0)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color="black", linestyle="--", linewidth=1)
    axes.set_xlabel(with_units(f"{name}, truth", units))
    axes.set_ylabel(with_units(f"{name}, estimate", units))
    axes.get_figure().colorbar(drawn, ax=axes, label="cells", pad=0.02, aspect=30)
    panel_letter(axes, "d", "cell by cell")


def _error_by_class(axes: Axes, error: xr.DataArray, land_cover: xr.DataArray, units: str, most: int = 9) -> None:
    """Draw the spread of the error within the most frequent land-cover classes, the largest on top."""
    table = pd.DataFrame({"error": error.values.ravel(), "cover": land_cover.values.ravel()}).dropna()
    if table.empty:
        raise ValueError("no cell with an error has a land cover; check that land_cover lies on the same grid")
    table["name"] = [LAND_COVER[int(cover)][0] for cover in table["cover"]]
    kept = table["name"].value_counts().index[:most][::-1]
    groups = [table.loc[table["name"] == name, "error"] for name in kept]
    axes.axvline(0, color="black", linewidth=0.8)
    axes.boxplot(
        groups,
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#9fc5e8", "linewidth": 0.7},
        medianprops={"color": "black"},
        tick_labels=[name.replace(" forest", "\nforest") for name in kept],
    )
    axes.tick_params(axis="y", length=0, labelsize=7.5)
    axes.set_xlabel(with_units("estimate − truth", units))
    panel_letter(axes, "e", "error by land cover")


def _require_variables(cube: xr.Dataset, names: Sequence[str], figure: str) -> None:
    missing = [name for name in names if name not in cube]
    if missing:
        raise ValueError(f"{figure}: the cube lacks {', '.join(missing)}; it has {', '.join(map(str, cube.data_vars))}")
