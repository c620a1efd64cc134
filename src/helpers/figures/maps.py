"""Figures made of maps: the study area, NPP, Rs, NEP, predictors, errors against a known truth.

Each public function returns a figure. A grid with more cells than a figure has pixels is drawn by every k-th of its
rows and columns (:func:`helpers.figures.panels.thinned`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels
from helpers.figures.style import (
    DIFFERENCE_MAP,
    FLUX_MAP,
    FLUX_UNITS,
    LAND_COVER,
    NEP_MAP,
    blank,
    diverging_norm,
    letters,
    panel_letter,
    sequential_norm,
    styled,
    with_units,
)


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
