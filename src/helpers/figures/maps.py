"""Maps of fluxes: one alone, one beside other products, an estimate beside the truth.

A flux has one scale in all figures of a run, by :func:`limits`. The part of a map that may not be used is hatched, and
cells whose interval includes zero are stippled. A grid with more cells than a figure has pixels is drawn by every k-th
of its rows and columns (:func:`helpers.figures.panels.every_kth_cell`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels, style, words
from helpers.names import FLUX_UNITS, class_name, source_to_sink, with_units

_OUTSIDE = "outside the area of applicability"


def limits(name: str, field: xr.DataArray) -> pd.DataFrame:
    """Return the ends of the scale that all maps of a flux have in a run, of two digits, from the run's own map.

    One row: ``quantity``, ``low``, ``high`` [g C m-2 yr-1]. They are near percentiles 2 and 98; a lower one within a
    tenth of the upper becomes zero. Those of NEP lie on both sides of zero, as far as the larger. A map without a
    single value raises a ValueError.
    """
    scale = style.diverging([field]) if name == "NEP" else style.sequential([field])
    low, high = (float(f"{end:.2g}") for end in (scale.norm.vmin, scale.norm.vmax))
    return pd.DataFrame({"quantity": [name], "low": [low], "high": [high if high > low else low + 1.0]})


@style.styled
def flux_map(
    field: xr.DataArray,
    boundary: BaseGeometry,
    name: str,
    ends: pd.DataFrame,
    outside: xr.DataArray | None = None,
    unsure: xr.DataArray | None = None,
    sites: pd.DataFrame | None = None,
) -> style.BookFigure:
    """Draw one flux over the region: sequential colours, or for NEP diverging ones, brown source and green sink.

    The ends of its scale are those of :func:`limits`. Cells that are ``outside`` the area of applicability are
    hatched, those whose interval includes zero, ``unsure``, stippled; both are maps of True and False on the field's
    grid. Sites [longitude, latitude] are dots.
    """
    marks = {"outside": outside, "unsure": unsure}
    maps = {"value": field} | {key: mark.astype(float) for key, mark in marks.items() if mark is not None}
    maps = {key: panels.within(one, boundary) for key, one in panels.shared_grid(maps).items()}
    shown = maps["value"]
    marks = {key: mark.where(shown.notnull()) for key, mark in maps.items() if key != "value"}
    scale, label = _flux_scale(name, ends, [shown])
    figure = style.blank(panels.map_height(boundary) + 1.1)
    axes = panels.draw_map(figure, GridSpec(1, 1, figure)[0], shown, boundary, scale, title=name)
    panels.colour_bar(axes, scale, label, orientation="horizontal", shrink=0.8, aspect=35, pad=0.02)
    entries, said = _mark(axes, shown, marks, boundary, sites)
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=style.columns(len(entries)))
    alt = f"Map of {name} of the region: {_of_map(name, shown)}.{said}"
    return style.described(figure, alt, panels.table_of({name: shown, **marks}))


def _mark(
    axes: Axes,
    shown: xr.DataArray,
    marks: Mapping[str, xr.DataArray],
    boundary: BaseGeometry,
    sites: pd.DataFrame | None,
) -> tuple[list[Artist], str]:
    """Mark the part that may not be used, cells without a sign, and sites; return their legend and their words."""
    entries, said = [], ""
    if "outside" in marks:
        panels.hatch(axes, marks["outside"], boundary)
        entries.append(panels.hatch_entry(_OUTSIDE))
        share = words.percent(words.share_of(marks["outside"], shown))
        said += f" Hatched, {_OUTSIDE}: {share} of the area."
    if "unsure" in marks:
        panels.stipple(axes, marks["unsure"], boundary)
        entries.append(panels.stipple_entry("interval includes zero"))
        said += (
            f" Stippled, interval includes zero: {words.percent(words.share_of(marks['unsure'], shown))} of the area."
        )
    if sites is not None and len(sites):
        panels.dots(axes, sites, boundary)
        entries.append(panels.dots_entry("a site"))
        said += f" Dots: {len(sites)} rows of sites, {_within(sites, boundary)} of them within the outline's box."
    return entries + panels.no_data_entry([shown]), said


@style.styled
def compare_maps(
    fields: Mapping[str, xr.DataArray],
    boundary: BaseGeometry,
    name: str,
    ends: pd.DataFrame,
    outside: xr.DataArray | None = None,
) -> style.BookFigure:
    """Figures 3 to 5: a flux of the forest (a), of other products (left), and the forest minus each of them (right).

    With three other products the letters are the paper's: b-d the products, e-g the differences. NEP above zero, a
    sink, is blue-green; below zero, a source, brown. The fields are by name, the forest's first; the ends of their
    scale are those of :func:`limits`. Where the forest's may not be used, ``outside``, it is hatched. A ValueError is
    raised if there is nothing to compare it with, or the maps lie on different grids.
    """
    if len(fields) < 2:
        raise ValueError(f"maps of {name}: expected two or more to compare; there are: {', '.join(fields) or 'none'}")
    maps, marked = _cut(fields, boundary, outside)
    figure = style.blank(_stack_height(boundary, len(maps)))
    _first_and_others(figure, maps, boundary, name, ends, marked)
    alt = f"Maps of {name}, {words.listed(maps)}, and {next(iter(maps))} minus each other. {_of_maps(name, maps)}"
    return style.described(figure, alt, panels.table_of(maps))


@style.styled
def error_against_truth(
    estimate: xr.DataArray,
    truth: xr.DataArray,
    boundary: BaseGeometry,
    land_cover: xr.DataArray,
    name: str,
    ends: pd.DataFrame,
    outside: xr.DataArray | None = None,
) -> style.BookFigure:
    """Draw an estimate (a), the truth (b), the error (c), cell against cell (d), the error by land cover (e).

    ``name`` is that of the flux, ``ends`` are those of :func:`limits`, and ``land_cover`` has IGBP classes. The part of
    the estimate that may not be used, ``outside``, is hatched. A ValueError is raised if the maps lie on different
    grids, or no cell has both an estimate and a truth.
    """
    given = {"estimate": estimate, "truth": truth, "land cover": land_cover}
    maps, marked = _cut(given, boundary, outside)
    cover = maps.pop("land cover")
    below = 2.9 if style.on_phone() else 3.3
    above = _stack_height(boundary, 2)
    figure = style.blank(above + (2 * below if style.on_phone() else below))
    upper, lower = figure.subfigures(2, 1, height_ratios=[above, figure.get_figheight() - above])
    _first_and_others(upper, maps, boundary, name, ends, marked)
    left, right = lower.subplots(2 if style.on_phone() else 1, style.columns(2)).ravel()
    _cell_by_cell(left, maps["estimate"], maps["truth"], name)
    error = maps["estimate"] - maps["truth"]
    _error_by_class(right, error, cover)
    alt = (
        f"Maps of {name}: estimate, simulated truth, estimate minus truth; cell against cell, and the error by land "
        f"cover. Of the error {words.spread(error, FLUX_UNITS)}; it is {words.where(error)}. {_of_maps(name, maps)}"
    )
    return style.described(figure, alt, panels.table_of(maps | {"error": error, "land_cover": cover}))


def _cut(
    fields: Mapping[str, xr.DataArray], boundary: BaseGeometry, outside: xr.DataArray | None
) -> tuple[dict[str, xr.DataArray], xr.DataArray | None]:
    """Return maps of one grid within the outline, and of their first the part that may not be used."""
    given = dict(fields) if outside is None else {**fields, _OUTSIDE: outside.astype(float)}
    maps = {key: panels.within(field, boundary) for key, field in panels.shared_grid(given).items()}
    marked = maps.pop(_OUTSIDE, None)
    return maps, marked if marked is None else marked.where(next(iter(maps.values())).notnull())


def _flux_scale(name: str, ends: pd.DataFrame, fields: Sequence[xr.DataArray]) -> tuple[style.Scale, str]:
    """Return the colours of a flux and the label of their bar: NEP has a sign."""
    own = ends[ends["quantity"] == name]
    if len(own) != 1:
        raise ValueError(f"maps of {name}: the ends of its scale are missing; there are: {', '.join(ends['quantity'])}")
    low, high = own[["low", "high"]].iloc[0]
    if name == "NEP":
        return style.limited(style.NEP_MAP, low, high, fields), source_to_sink(FLUX_UNITS)
    return style.limited(style.FLUX_MAP, low, high, fields), with_units(name, FLUX_UNITS)


def _stack_height(boundary: BaseGeometry, n_maps: int) -> float:
    """Return the height in inches of the panels of :func:`_first_and_others`."""
    if style.on_phone():
        return (2 * n_maps - 1) * (panels.map_height(boundary) + 0.1) + 2.0
    return n_maps * max(panels.map_height(boundary, 2), 1.6) + 0.4


def _first_and_others(
    figure: FigureBase,
    maps: Mapping[str, xr.DataArray],
    boundary: BaseGeometry,
    name: str,
    ends: pd.DataFrame,
    outside: xr.DataArray | None,
) -> None:
    """Draw the first map above the others, and beside or below each other map the first minus it."""
    first, *others = maps
    differences = {key: maps[first] - maps[key] for key in others}
    scale, label = _flux_scale(name, ends, list(maps.values()))
    spread = style.diverging(list(differences.values()))
    letter = style.letters(1 + 2 * len(others))
    left, right, beside = _places(figure, len(maps))
    for row, key in enumerate(maps):
        axes = panels.draw_map(figure, left[row], maps[key], boundary, scale, letter[row], key)
        drawn = [axes] if row == 0 else []
        if key in differences:
            title = f"{first} − {key}"
            at = (letter[row + len(others)], title)
            drawn.append(panels.draw_map(figure, right[row], differences[key], boundary, spread, *at))
        if outside is not None:
            for axes in drawn:
                panels.hatch(axes, outside, boundary)
    other = others[0] if len(others) == 1 else "other"
    bars = {label: scale, with_units(f"{name}, {first} − {other}", FLUX_UNITS): spread}
    entries = [] if outside is None else [panels.hatch_entry(_OUTSIDE)]
    entries += panels.no_data_entry([*maps.values(), *differences.values()])
    _bar_cell(figure, beside, bars, entries)


def _places(figure: FigureBase, n_maps: int) -> tuple[list[SubplotSpec], list[SubplotSpec], SubplotSpec]:
    """Return the places of the maps, of the differences by the same row, and of the colour bars."""
    if style.on_phone():
        one_map = [1.0, 0.9, *[1.0] * (2 * n_maps - 2)]
        grid = GridSpec(2 * n_maps, 1, figure, height_ratios=one_map)
        maps = [grid[0, 0], *(grid[2 * row, 0] for row in range(1, n_maps))]
        return maps, [grid[2 * row + 1, 0] for row in range(n_maps)], grid[1, 0]
    grid = GridSpec(n_maps, 2, figure)
    return [grid[row, 0] for row in range(n_maps)], [grid[row, 1] for row in range(n_maps)], grid[0, 1]


def _bar_cell(figure: FigureBase, place: SubplotSpec, bars: Mapping[str, style.Scale], entries: list[Patch]) -> None:
    """Fill one cell of a figure with colour bars below each other and the legend of what is marked."""
    ratios = {"width_ratios": [0.06, 1, 0.06], "height_ratios": [1.2, 1] * len(bars) + [2.2]}
    inner = place.subgridspec(2 * len(bars) + 1, 3, **ratios)
    for i, (label, scale) in enumerate(bars.items()):
        axes = figure.add_subplot(inner[2 * i + 1, 1])
        panels.colour_bar(axes, scale, label, cax=axes, orientation="horizontal")
        axes.xaxis.set_major_locator(MaxNLocator(6))
    if entries:
        axes = figure.add_subplot(inner[-1, 1])
        axes.set_axis_off()
        axes.legend(handles=entries, loc="lower center")


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
    breadth = 0.3 if style.on_phone() else 0.6
    axes.boxplot([groups[number] for number in kept], widths=breadth, patch_artist=True, **boxes, **look)
    names = [class_name(number) for number in kept]
    style.name_rows(axes, [name.replace(" forest", "\nforest") if len(name) > 15 else name for name in names])
    axes.set_xlabel(with_units("estimate − truth", FLUX_UNITS))
    style.panel_letter(axes, "e", "error by land cover")


def _of_map(name: str, field: xr.DataArray) -> str:
    """Return the words of one map."""
    said = f"{words.spread(field, FLUX_UNITS)}; it is {words.where(field)}"
    if name == "NEP":
        said += f"; {words.percent(words.share_of(field > 0, field))} of the area is a sink, above zero"
    return said


def _of_maps(name: str, maps: Mapping[str, xr.DataArray]) -> str:
    """Return the words of maps of one flux."""
    return " ".join(f"{key}: {_of_map(name, field)}." for key, field in maps.items())


def _within(sites: pd.DataFrame, boundary: BaseGeometry) -> int:
    """Return how many sites lie within the outline's box."""
    west, south, east, north = boundary.bounds
    return int((sites["longitude"].between(west, east) & sites["latitude"].between(south, north)).sum())
