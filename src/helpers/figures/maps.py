"""Maps of fluxes: one alone, one beside other products, an estimate beside the truth.

A grid with more cells than a figure has pixels is drawn by every k-th of its rows and columns
(:func:`helpers.figures.panels.every_kth_cell`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels, style
from helpers.names import FLUX_UNITS, class_name, source_to_sink, with_units


@style.styled
def flux_map(field: xr.DataArray, boundary: BaseGeometry, name: str) -> Figure:
    """Draw one flux over the region: sequential colours, or for NEP diverging ones, brown source and green sink."""
    shown = panels.within(field, boundary)
    scale, label = _flux_scale(name, [shown])
    figure = style.blank(4.4)
    axes = panels.draw_map(figure, GridSpec(1, 1, figure)[0], shown, boundary, scale, title=name)
    panels.colour_bar(axes, scale, label, orientation="horizontal", shrink=0.7, aspect=35)
    missing = panels.no_data_entry([shown])
    if missing:
        axes.legend(handles=missing, loc="lower left")
    return figure


@style.styled
def compare_maps(fields: Mapping[str, xr.DataArray], boundary: BaseGeometry, name: str) -> Figure:
    """Figures 3 to 5: a flux of the forest (a), of other products (left), and the forest minus each of them (right).

    With three other products the letters are the paper's: b-d the products, e-g the differences. NEP above zero, a
    sink, is blue-green; below zero, a source, brown. The fields are by name, the forest's first. A ValueError is raised
    if there is nothing to compare it with, or the maps lie on different grids.
    """
    if len(fields) < 2:
        raise ValueError(f"maps of {name}: expected two or more to compare; there are: {', '.join(fields) or 'none'}")
    maps = {key: panels.within(field, boundary) for key, field in panels.shared_grid(fields).items()}
    figure = style.blank(0.4 + 2.35 * len(maps))
    _first_and_others(figure, maps, boundary, name)
    return figure


@style.styled
def error_against_truth(
    estimate: xr.DataArray, truth: xr.DataArray, boundary: BaseGeometry, land_cover: xr.DataArray, name: str
) -> Figure:
    """Draw an estimate (a), the truth (b), the error (c), cell against cell (d), the error by land cover (e).

    ``name`` is that of the flux, and ``land_cover`` has IGBP classes. A ValueError is raised if the maps lie on
    different grids, or no cell has both an estimate and a truth.
    """
    given = panels.shared_grid({"estimate": estimate, "truth": truth, "land cover": land_cover})
    maps = {key: panels.within(field, boundary) for key, field in given.items()}
    cover = maps.pop("land cover")
    figure = style.blank(8.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=[2, 1.35])
    _first_and_others(upper, maps, boundary, name)
    left, right = lower.subplots(1, 2)
    _cell_by_cell(left, maps["estimate"], maps["truth"], name)
    _error_by_class(right, maps["estimate"] - maps["truth"], cover)
    return figure


def _flux_scale(name: str, fields: Sequence[xr.DataArray]) -> tuple[style.Scale, str]:
    """Return the colours of a flux and the label of their bar: NEP has a sign."""
    if name == "NEP":
        return style.diverging(fields, style.NEP_MAP), source_to_sink(FLUX_UNITS)
    return style.sequential(fields), with_units(name, FLUX_UNITS)


def _first_and_others(figure: FigureBase, maps: Mapping[str, xr.DataArray], boundary: BaseGeometry, name: str) -> None:
    """Draw the first map above the others, and beside each other map the first minus it."""
    first, *others = maps
    differences = {key: maps[first] - maps[key] for key in others}
    scale, label = _flux_scale(name, list(maps.values()))
    spread = style.diverging(list(differences.values()))
    letter = style.letters(1 + 2 * len(others))
    grid = GridSpec(1 + len(others), 2, figure)
    for row, key in enumerate(maps):
        axes = panels.draw_map(figure, grid[row, 0], maps[key], boundary, scale, letter[row], key)
        if key in differences:
            beside = (letter[row + len(others)], f"{first} − {key}")
            panels.draw_map(figure, grid[row, 1], differences[key], boundary, spread, *beside)
    other = others[0] if len(others) == 1 else "other"
    bars = {label: scale, with_units(f"{name}, {first} − {other}", FLUX_UNITS): spread}
    _bar_cell(axes, grid[0, 1], bars, panels.no_data_entry([*maps.values(), *differences.values()]))


def _bar_cell(panel: GeoAxes, place: SubplotSpec, bars: Mapping[str, style.Scale], missing: list[Patch]) -> None:
    """Fill one cell of a figure with colour bars below each other and the legend of grey cells."""
    figure = panel.get_figure()
    ratios = {"width_ratios": [0.06, 1, 0.06], "height_ratios": [1.2, 1] * len(bars) + [1.6]}
    inner = place.subgridspec(2 * len(bars) + 1, 3, **ratios)
    for i, (label, scale) in enumerate(bars.items()):
        axes = figure.add_subplot(inner[2 * i + 1, 1])
        panels.colour_bar(panel, scale, label, cax=axes, orientation="horizontal")
        axes.xaxis.set_major_locator(MaxNLocator(6))
    if missing:
        axes = figure.add_subplot(inner[-1, 1])
        axes.set_axis_off()
        axes.legend(handles=missing, loc="lower center")


def _cell_by_cell(axes: Axes, estimate: xr.DataArray, truth: xr.DataArray, name: str) -> None:
    """Draw the estimate against the truth as the density of cells, with the 1:1 line."""
    both = np.isfinite(estimate.values) & np.isfinite(truth.values)
    if not both.any():
        raise ValueError("estimate and truth have no cell in common; check their masks")
    x, y = truth.values[both], estimate.values[both]
    drawn = axes.hexbin(x, y, gridsize=45, bins="log", mincnt=1, cmap="cmc.oslo_r", linewidths=0)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color="black", linestyle="--", linewidth=1)
    axes.set_xlabel(with_units(f"{name}, truth", FLUX_UNITS))
    axes.set_ylabel(with_units(f"{name}, estimate", FLUX_UNITS))
    axes.get_figure().colorbar(drawn, ax=axes, label="cells", pad=0.02, aspect=30)
    style.panel_letter(axes, "d", "cell by cell")


def _error_by_class(axes: Axes, error: xr.DataArray, land_cover: xr.DataArray) -> None:
    """Draw the spread of the error within the nine most frequent land-cover classes, the largest on top."""
    table = pd.DataFrame({"error": error.values.ravel(), "cover": land_cover.values.ravel()}).dropna()
    if table.empty:
        raise ValueError("no cell with an error has a land cover; check that land_cover lies on the same grid")
    groups = dict(list(table.groupby("cover")["error"]))
    kept = sorted(groups, key=lambda number: -groups[number].size)[:9]
    axes.axvline(0, color="black", linewidth=0.8)
    boxes = {"positions": range(len(kept)), "orientation": "horizontal", "whis": (5, 95), "showfliers": False}
    look = {"boxprops": {"facecolor": "#9fc5e8", "linewidth": 0.7}, "medianprops": {"color": "black"}}
    axes.boxplot([groups[number] for number in kept], widths=0.6, patch_artist=True, **boxes, **look)
    style.name_rows(axes, [class_name(number).replace(" forest", "\nforest") for number in kept])
    axes.tick_params(axis="y", labelsize=7.5)
    axes.set_xlabel(with_units("estimate − truth", FLUX_UNITS))
    style.panel_letter(axes, "e", "error by land cover")
