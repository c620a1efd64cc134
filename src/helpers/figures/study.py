"""Figures of the study: its area (figure 1), its flow (figure 2), and maps of the predictors."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch
from shapely.geometry.base import BaseGeometry

from helpers.data.grid import bounds
from helpers.data.variables import units_in_print
from helpers.figures import panels, style, words
from helpers.names import class_name, predictor_name, with_units

_DATA, _MODEL, _FLUX, _RESULT = "#dcebf7", "#fdf0d5", "#e3f1e1", "#f3e3ee"

# name: row from the top, centre x, width, colour, heading, lines below it; those of a run are in _own_texts
_BOXES: dict[str, tuple[int, float, float, str, str, str]] = {
    "spatial": (0, 0.16, 0.31, _DATA, "", ""),
    "ground": (0, 0.5, 0.28, _DATA, "Ground observations", "NPP, Rs and Rh\nof published field studies"),
    "soil": (0, 0.84, 0.31, _DATA, "", ""),
    "npp_forest": (1, 0.27, 0.36, _MODEL, "", ""),
    "rs_forest": (1, 0.73, 0.36, _MODEL, "", ""),
    "npp": (2, 0.27, 0.26, _FLUX, "NPP", "carbon input"),
    "rs": (2, 0.585, 0.23, _FLUX, "Rs", "soil respiration"),
    "rh": (2, 0.865, 0.25, _FLUX, "Rh", "line from Rs (Eq. 3)"),
    "nep": (3, 0.5, 0.42, _FLUX, "NEP = NPP − Rh (Eq. 4)", "above zero: carbon sink"),
    "products": (4, 0.14, 0.27, _DATA, "Other products", "NPP, Rs, Rh"),
    "comparison": (4, 0.64, 0.6, _RESULT, "Comparison", "scores at the sites (Eqs. 5–8), maps, budgets"),
}
#: The same boxes on a phone: two in a row at most.
_ON_PHONE: dict[str, tuple[int, float, float]] = {
    **{"ground": (0, 0.5, 0.98), "spatial": (1, 0.245, 0.47), "soil": (1, 0.755, 0.47)},
    **{"npp_forest": (2, 0.245, 0.47), "rs_forest": (2, 0.755, 0.47), "rs": (3, 0.755, 0.47)},
    **{"npp": (4, 0.245, 0.47), "rh": (4, 0.755, 0.47), "nep": (5, 0.5, 0.8)},
    **{"products": (6, 0.2, 0.38), "comparison": (7, 0.5, 0.98)},
}

_ARROWS = (
    *(("spatial", "npp_forest"), ("ground", "npp_forest"), ("ground", "rs_forest"), ("soil", "rs_forest")),
    *(("npp_forest", "npp"), ("rs_forest", "rs"), ("rs", "rh"), ("npp", "nep"), ("rh", "nep")),
    *(("nep", "comparison"), ("products", "comparison")),
)

_NPP_SITES = {"marker": "o", "s": 13, "facecolor": "#e8257d", "edgecolor": "white", "linewidth": 0.4}
_RS_SITES = {"marker": "^", "s": 30, "facecolor": "#ffd500", "edgecolor": "black", "linewidth": 0.6}

#: Colour maps of predictors: dark is more.
_PREDICTOR_MAPS = {
    "precipitation": "cmc.oslo_r",
    "temperature": "cmc.lajolla_r",
    "srad": "cmc.lipari_r",
    "elevation": "cmc.batlow_r",
    "lai": "cmc.bamako_r",
    "npp_modis": "cmc.bamako_r",
    "soc": "cmc.bilbao_r",
}


@style.styled
def fig2_flow(npp_predictors: Sequence[str], rs_predictors: Sequence[str]) -> style.BookFigure:
    """Figure 2: from maps and ground observations by two forests to NPP, Rs, Rh, NEP and their comparison."""
    boxes, own = _laid_out(), _own_texts(npp_predictors, rs_predictors)
    boxes = {name: (*box[:3], *own.get(name, box[3:])) for name, box in boxes.items()}
    rows, bottom = _rows_of_boxes(boxes)
    figure = style.blank(-bottom)
    axes = figure.add_subplot(xlim=(0, 1), ylim=(bottom, 0))
    axes.set_axis_off()
    # On a phone the observations stand above the maps: their arrows end there, and go on with those of the maps.
    beyond = {"npp_forest": "spatial", "rs_forest": "soil"} if style.on_phone() else {}
    for start, end in _ARROWS:
        _arrow(axes, boxes, rows, start, beyond.get(end, end) if start == "ground" else end)
    for name, (row, x, width, heading, text) in boxes.items():
        top, height = rows[row]
        look = {"boxstyle": "round,pad=0,rounding_size=0.012", "edgecolor": style.INK, "linewidth": 0.9}
        look |= {"facecolor": _BOXES[name][3], "mutation_aspect": style.width()}
        axes.add_patch(FancyBboxPatch((x - width / 2, top - height), width, height, **look))
        axes.text(
            x, top - 0.08, heading, ha="center", va="top", fontweight="bold", fontsize=8.6 if style.on_phone() else 9.5
        )
        axes.text(x, top - 0.27, text, ha="center", va="top", linespacing=1.25, fontsize=8.5)
    told = [(heading, text.replace("\n", " ")) for _, _, _, heading, text in boxes.values()]
    arrows = [f"from {boxes[start][3]} to {boxes[end][3]}" for start, end in _ARROWS]
    alt = (
        f"Flow chart of the method. Boxes: {'; '.join(f'{heading} ({text})' for heading, text in told)}. "
        f"Arrows: {'; '.join(arrows)}."
    )
    data = pd.DataFrame([(boxes[start][3], boxes[end][3]) for start, end in _ARROWS], columns=["from", "to"])
    return style.described(figure, alt, data)


@style.styled
def fig1_study_area(
    cube: xr.Dataset, boundary: BaseGeometry, npp_sites: pd.DataFrame, rs_sites: pd.DataFrame
) -> style.BookFigure:
    """Figure 1: the region's land cover with the sites (a), its elevation and its position on the grid (b).

    The cube has ``land_cover`` [IGBP class] and ``elevation`` [m], the tables ``longitude`` and ``latitude``; sites
    outside the panel are not seen. A ValueError is raised if the cube lacks one of the variables.
    """
    sites = {"NPP site": (npp_sites, _NPP_SITES), "Rs site": (rs_sites, _RS_SITES)}
    for name, (table, _) in sites.items():
        if not table.empty:  # a region may have no site of its own
            style.require_columns(table, ["longitude", "latitude"], f"figure 1, {name}s")
    style.require_variables(cube, ["land_cover", "elevation"], "figure 1")
    cover, elevation = (panels.within(cube[name], boundary) for name in ("land_cover", "elevation"))
    handles = [_site_entry(name, marker) for name, (_, marker) in sites.items()]
    handles += [*_class_entries(cover), *panels.no_data_entry([cover])]
    figure, first, second, beside = _study_places(boundary, len(handles))
    axes = panels.draw_map(figure, first, cover, boundary, _classes(), "a", "land cover and sites")
    for table, marker in sites.values():
        if not table.empty:
            panels.dots(axes, table, boundary, **marker)
    length = panels.scale_bar(axes)
    if style.on_phone():
        figure.legend(handles=handles, loc="outside lower center", handlelength=1.3)
    else:
        side = figure.add_subplot(beside[0])
        side.set_axis_off()
        side.legend(handles=handles, loc="center left", borderaxespad=0, handlelength=1.3)
    heights = style.sequential([elevation], _PREDICTOR_MAPS["elevation"])
    axes = panels.draw_map(figure, second, elevation, boundary, heights, "b", "elevation")
    place = figure.add_subplot(beside[-1])
    _position_map(place, cube, boundary)
    bar = place.inset_axes([0, -0.6, 1, 0.1])
    panels.colour_bar(axes, heights, with_units("elevation (b)", "m"), cax=bar, orientation="horizontal")
    alt = (
        f"Two maps of the region. a: land cover with {len(npp_sites)} NPP sites and {len(rs_sites)} Rs sites, and a "
        f"bar of {length} km; the largest classes are {_largest_classes(cover)}. b: elevation; "
        f"{words.spread(elevation, 'm')}; it is {words.where(elevation)}. A small map shows where the region lies."
    )
    return style.described(figure, alt, panels.table_of({"land_cover": cover, "elevation_m": elevation}))


@style.styled
def covariates(cube: xr.Dataset, boundary: BaseGeometry, names: Sequence[str]) -> style.BookFigure:
    """Draw a map of each predictor, two in a row, each with its own colours and limits; dark is more.

    The ``units`` of the variables label the colour bars. A ValueError is raised if the cube lacks one of the names.
    """
    style.require_variables(cube, names, "predictor maps")
    across = style.columns(2)
    rows = -(-len(names) // across)
    shown = {name: panels.within(cube[name], boundary) for name in names}
    units = {name: units_in_print(name, cube[name].attrs["units"]) for name in names}
    entries = _class_entries(shown["land_cover"]) if "land_cover" in shown else []
    entries += panels.no_data_entry(list(shown.values()))
    height = panels.map_height(boundary, 1.18 * across)
    beside = style.columns(3)  # of more a legend is wider than the maps
    figure = style.blank(height * rows + 0.3 + 0.19 * -(-len(entries) // beside))
    places = zip(GridSpec(rows, across, figure), style.letters(len(names)), shown.items(), strict=False)
    for place, letter, (name, field) in places:
        colours = _PREDICTOR_MAPS.get(name, "cmc.batlow_r")
        scale = _classes() if name == "land_cover" else style.sequential([field], colours, 224 // len(names))
        axes = panels.draw_map(figure, place, field, boundary, scale, letter, predictor_name(name))
        if name != "land_cover":
            bar = axes.inset_axes([1.025, 0.04, 0.03, 0.92])
            panels.colour_bar(axes, scale, panels.unit_label(units[name]), cax=bar)
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=beside, handlelength=1.3, columnspacing=1.3)
    told = {name: f"{words.spread(shown[name], units[name])}; {words.where(shown[name])}" for name in names}
    if "land_cover" in told:
        told["land_cover"] = f"the largest classes are {_largest_classes(shown['land_cover'])}"
    alt = "Maps of the region, one for each covariate. " + " ".join(
        f"{predictor_name(name)}: {text}." for name, text in told.items()
    )
    return style.described(figure, alt, panels.table_of(shown))


def _study_places(
    boundary: BaseGeometry, n_entries: int
) -> tuple[style.BookFigure, SubplotSpec, SubplotSpec, list[SubplotSpec]]:
    """Return the empty figure 1, the places of maps a and b, and those beside, or on a phone below them."""
    if style.on_phone():
        heights = [panels.map_height(boundary), panels.map_height(boundary), 2.0]
        figure = style.blank(sum(heights) + 0.19 * n_entries + 0.5)
        first, second, below = GridSpec(3, 1, figure, height_ratios=heights)
        return figure, first, second, [below]
    figure = style.blank(2 * panels.map_height(boundary, 10 / 7) + 0.4)
    grid = GridSpec(2, 2, figure, width_ratios=[3, 1.25])
    return figure, grid[0, 0], grid[1, 0], [grid[0, 1], grid[1, 1]]


def _own_texts(npp: Sequence[str], rs: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return heading and lines of the boxes that depend on the predictors of the two forests."""
    shared = set(npp) <= set(rs)
    more = [name for name in rs if not shared or name not in npp]
    lists = [", ".join(map(predictor_name, names)) for names in (npp, more)]
    also = "and " * (shared and bool(more))
    return {
        "spatial": ("Maps", textwrap.fill(lists[0], 26)),
        "soil": ("The same maps" if shared else "Maps", textwrap.fill(also + lists[1], 26)),
        "npp_forest": ("Random forest of NPP", f"{len(npp)} predictors (Eq. 1)"),
        "rs_forest": ("Random forest of ln Rs", f"{len(rs)} predictors (Eq. 2)"),
    }


def _laid_out() -> dict[str, tuple[int, float, float, str, str]]:
    """Return the boxes at this width: row, centre, width, heading, text."""
    given = {name: (*box[:3], *box[4:]) for name, box in _BOXES.items()}
    return {name: (*_ON_PHONE[name], *box[3:]) for name, box in given.items()} if style.on_phone() else given


def _rows_of_boxes(
    boxes: Mapping[str, tuple[int, float, float, str, str]],
) -> tuple[dict[int, tuple[float, float]], float]:
    """Return top and height of each row of boxes, in inches below the upper edge, and where the lowest ends."""
    rows, top = {}, -0.03
    for row in sorted({box[0] for box in boxes.values()}):
        lines = max(box[4].count("\n") + 1 for box in boxes.values() if box[0] == row)
        height = 0.34 + 0.16 * lines
        rows[row] = (top, height)
        top -= height + 0.36
    return rows, top + 0.33


def _arrow(
    axes: Axes,
    boxes: Mapping[str, tuple[int, float, float, str, str]],
    rows: Mapping[int, tuple[float, float]],
    start: str,
    end: str,
) -> None:
    """Draw an arrow from the lower edge of a box to the upper edge of another, or sideways within a row."""
    (row0, x0, width0, *_), (row1, x1, width1, *_) = boxes[start], boxes[end]
    (top0, height0), (top1, height1) = rows[row0], rows[row1]
    if row0 == row1:
        tail, head = (x0 + width0 / 2, top0 - height0 / 2), (x1 - width1 / 2, top1 - height1 / 2)
    else:
        reach = min(width1 / 2 - 0.03, abs(x0 - x1))
        tail, head = (x0, top0 - height0), (x1 + (reach if x0 > x1 else -reach), top1)
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


def _largest_classes(cover: xr.DataArray) -> str:
    """Return the three most frequent classes of a map with their shares of its area."""
    classes = np.unique(cover.values[np.isfinite(cover.values)])
    shares = {class_name(number): words.share_of(cover == number, cover) for number in classes}
    largest = sorted(shares, key=shares.__getitem__, reverse=True)[:3]
    return words.listed(f"{name} ({words.percent(shares[name])})" for name in largest)


def _position_map(axes: Axes, cube: xr.Dataset, boundary: BaseGeometry) -> None:
    """Draw the whole grid's relief in grey, its water in blue, and where the region lies in it."""
    cube = panels.every_kth_cell(cube[["elevation", "land_cover"]])
    box = bounds(cube)
    elevation, water = panels.flat(cube["elevation"]), panels.flat(cube["land_cover"]) == 17
    panels.draw_cells(axes, box, elevation.where(~water), style.Scale("cmc.grayC_r", Normalize(-500, 7000)))
    panels.draw_cells(axes, box, xr.where(water, 1.0, np.nan), style.Scale(ListedColormap(["#cfe6f5"]), None))
    panels.outline(axes, box, boundary, width=1.6, colour="#c2185b")
    axes.set(aspect="equal")
    panels.graticule(axes, box, True, True)
    axes.set_title("position on the grid", fontsize=style.SMALL)


def _site_entry(label: str, marker: Mapping[str, object]) -> Line2D:
    """Return the legend's entry of a kind of sites."""
    look = {"linestyle": "", "marker": marker["marker"], "markersize": float(marker["s"]) ** 0.5}
    edge = {"markeredgecolor": style.INK, "markeredgewidth": 0.5}
    return Line2D([], [], markerfacecolor=marker["facecolor"], label=label, **look, **edge)
