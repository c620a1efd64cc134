"""One map panel: an equal-area map of a field within the region's outline, and what is marked on it."""

import functools
import textwrap
from collections.abc import Mapping, Sequence

import cartopy.crs as ccrs
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray
from pyproj import Proj
from shapely.geometry.base import BaseGeometry

from helpers.figures.style import INK, NO_DATA, SITES, SMALL, Scale, panel_letter, width
from helpers.names import pretty_units

#: West, south, east and north, in degrees.
Box = tuple[float, float, float, float]
#: Degrees between two meridians or parallels: the least of these that cuts a map into four parts at most.
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60)
#: Kilometres of a scale bar: the longest of these that takes a quarter of the map at most.
_BARS = (2000, 1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)
#: Rows or columns beyond which a map shows every second cell, every third, and so on: a figure has no more pixels.
MOST_CELLS = 800
#: Points of a dot of the stipples, and how many of them cross a map.
_DOT, _DOTS = 1.1, 60
_HATCH = "/////"


@functools.lru_cache(maxsize=4)
def equal_area(box: Box) -> Proj:
    """Return a projection centred on a box of west, south, east and north: what looks large is large.

    Albers' with standard parallels a sixth of the height within the box; Lambert's azimuthal one where the box holds
    the equator or a pole is near, which Albers' cannot draw.
    """
    west, south, east, north = box
    centre = {"central_longitude": round((west + east) / 2), "central_latitude": round((south + north) / 2)}
    sixth = (north - south) / 6
    parallels = (round(south + sixth), round(north - sixth))
    if parallels[0] * parallels[1] <= 0 or max(map(abs, parallels)) > 75:
        return Proj(ccrs.LambertAzimuthalEqualArea(**centre).proj4_init)
    return Proj(ccrs.AlbersEqualArea(**centre, standard_parallels=parallels).proj4_init)


def flat(field: xr.DataArray) -> xr.DataArray:
    """Return a map as (latitude, longitude); a time of a single step is dropped.

    Other dimensions, or several time steps, raise a ValueError: the caller says which of them, or which mean.
    """
    if "time" in field.dims and field.sizes["time"] == 1:
        field = field.isel(time=0, drop=True)
    if set(field.dims) != {"latitude", "longitude"}:
        raise ValueError(
            f"map {field.name!r}: expected dimensions latitude and longitude, "
            f"got {', '.join(map(str, field.dims))}; average over time first, for example with .mean('time')"
        )
    return field.transpose("latitude", "longitude")


def shared_grid(fields: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return maps as (latitude, longitude); a ValueError names the first whose cells are not those of the first map."""
    maps = {name: flat(field) for name, field in fields.items()}
    first = next(iter(maps))
    for name, field in maps.items():
        for dim in ("latitude", "longitude"):
            ours, theirs = maps[first][dim].values, field[dim].values
            if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=0, atol=1e-6):
                raise ValueError(
                    f"map {name!r}: its {dim} differs from that of {first!r}; "
                    "resample both to the target grid first (helpers.data.grid.resample_nearest)"
                )
    return maps


def every_kth_cell(field: xr.DataArray | xr.Dataset) -> xr.DataArray | xr.Dataset:
    """Return every k-th row and column of a map, in memory, with k = 1 up to :data:`MOST_CELLS` rows and columns.

    A sample of the cells, not means of several: classes stay classes, and the cells keep their spread.
    """
    step = -(-max(field.sizes["latitude"], field.sizes["longitude"]) // MOST_CELLS)
    middle = slice(step // 2, None, step)
    return field.isel(latitude=middle, longitude=middle).compute()


def within(field: xr.DataArray, boundary: BaseGeometry) -> xr.DataArray:
    """Return a map cut to the outline's box, by :func:`every_kth_cell`, NaN where a cell's centre is outside.

    The coordinate ``inside`` is True where a cell's centre lies within the outline; where none does, a ValueError is
    raised.
    """
    field = flat(field)
    west, south, east, north = boundary.bounds
    columns = (field.longitude >= west) & (field.longitude <= east)
    rows = (field.latitude >= south) & (field.latitude <= north)
    cut = field.isel(latitude=np.flatnonzero(rows), longitude=np.flatnonzero(columns))
    cut = every_kth_cell(cut) if cut.size else cut
    inside = shapely.contains_xy(boundary, *np.meshgrid(cut.longitude, cut.latitude)) if cut.size else np.zeros(0, bool)
    if not inside.any():
        raise ValueError(
            f"map {field.name!r}: no cell lies within the outline ({west:.1f} to {east:.1f} E, "
            f"{south:.1f} to {north:.1f} N); are latitude and longitude swapped?"
        )
    cut = cut.assign_coords(inside=(("latitude", "longitude"), inside))
    return cut.where(cut.inside)


def map_height(boundary: BaseGeometry, columns: int = 1, most: float = 6.0) -> float:
    """Return the height in inches of a map that shares the figure's width with others, its title included."""
    west, south, east, north = _frame(boundary)
    return min(width() / columns * 0.88 * (north - south) / (east - west), most) + 0.35


def draw_map(
    figure: Figure | SubFigure,
    place: SubplotSpec,
    field: xr.DataArray,
    boundary: BaseGeometry,
    scale: Scale,
    letter: str = "",
    title: str = "",
) -> Axes:
    """Draw a field within the outline at a place of a grid of panels; cells of the region without a value are grey.

    The field comes from :func:`within`. Panels at the left edge of the grid name the parallels, those at its lower
    edge the meridians. The last mesh of the panel holds the cells, in the order of the field's rows and columns. The
    panel's units are metres of :func:`equal_area`.
    """
    axes, box = figure.add_subplot(place), boundary.bounds
    missing = field.inside & field.isnull()
    if missing.any():
        draw_cells(axes, box, xr.where(missing, 1.0, np.nan), Scale(ListedColormap([NO_DATA]), None))
    draw_cells(axes, box, field, scale)
    outline(axes, box, boundary)
    west, south, east, north = _frame(boundary)
    axes.set(xlim=(west, east), ylim=(south, north), aspect="equal")
    graticule(axes, box, place.is_first_col(), place.is_last_row())
    # On a map that is higher than wide a long title would run over the letter.
    panel_letter(axes, letter, textwrap.fill(title, 18) if north - south > east - west else title)
    return axes


def draw_cells(axes: Axes, box: Box, field: xr.DataArray, scale: Scale) -> None:
    """Draw the cells of a map (latitude, longitude) in a box's projection, each with the edges of its own degrees."""
    corners = equal_area(box)(*np.meshgrid(_edges(field.longitude.values), _edges(field.latitude.values)))
    look = {"cmap": scale.cmap, "norm": scale.norm, "rasterized": True, "antialiased": False, "linewidth": 0}
    axes.pcolormesh(*corners, np.ma.masked_invalid(field.values), **look)


def outline(axes: Axes, box: Box, boundary: BaseGeometry, width: float = 0.9, colour: str = INK) -> None:
    """Draw the region's outline in a box's projection."""
    look = {"facecolor": "none", "edgecolor": colour, "linewidth": width, "zorder": 4}
    pixels = axes.bbox.width / axes.get_figure().dpi * 96
    finest = float(f"{(box[2] - box[0]) / pixels / 5:.1g}")  # a fifth of a pixel, or what is near it
    _lay(axes, PathPatch(_outline(boundary, box, finest), **look))


def hatch(axes: Axes, cells: xr.DataArray, boundary: BaseGeometry) -> None:
    """Hatch the cells of a map of :func:`within` that are True: where the field may not be used."""
    marked = cells.values == 1
    if not marked.any():
        return
    edges = (tuple(_edges(cells[side].values)) for side in ("longitude", "latitude"))
    look = {"facecolor": "none", "edgecolor": INK, "linewidth": 0, "alpha": 0.55, "zorder": 3.4}
    _lay(axes, PathPatch(_area(marked.tobytes(), *edges, boundary.bounds), hatch=_HATCH, **look))


def stipple(axes: Axes, cells: xr.DataArray, boundary: BaseGeometry) -> None:
    """Dot the cells of a map of :func:`within` that are True, by a lattice of dots: where the sign is not known."""
    x, y = equal_area(boundary.bounds)(*np.meshgrid(cells.longitude.values, cells.latitude.values))
    step = np.ptp(axes.get_xlim()) / _DOTS
    # Of the cells of each square of the lattice the one next to its middle has the dot.
    squares = pd.DataFrame({"i": np.floor(x / step).ravel(), "j": np.floor(y / step).ravel()})
    squares["away"] = np.hypot(x / step % 1 - 0.5, y / step % 1 - 0.5).ravel()
    middle = squares.groupby(["i", "j"])["away"].idxmin().to_numpy()
    chosen = middle[(cells.values == 1).ravel()[middle]]
    axes.plot(x.ravel()[chosen], y.ravel()[chosen], ".", color=INK, markersize=2 * _DOT, markeredgewidth=0, zorder=3.6)


def dots(axes: Axes, places: pd.DataFrame, boundary: BaseGeometry, **look: object) -> None:
    """Draw sites [longitude, latitude in degrees] as small dots."""
    x, y = equal_area(boundary.bounds)(places["longitude"].to_numpy(float), places["latitude"].to_numpy(float))
    axes.scatter(x, y, **{"s": 9, "color": SITES, "edgecolor": "white", "linewidth": 0.4, "zorder": 5} | look)


def scale_bar(axes: Axes) -> int:
    """Draw a bar of a round number of kilometres in the lower left corner of a map, and return them."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    length = next((km for km in _BARS if 1000 * km <= (east - west) / 4), _BARS[-1])
    x, y = west + 0.04 * (east - west), south + 0.08 * (north - south)
    axes.plot([x, x + 1000 * length], [y, y], color=INK, linewidth=2.5, solid_capstyle="butt", zorder=6)
    axes.annotate(
        f"{length} km", (x + 500 * length, y), (0, 3), textcoords="offset points", ha="center", fontsize=SMALL
    )
    return length


def graticule(axes: Axes, box: Box, name_left: bool, name_below: bool) -> None:
    """Draw the meridians and parallels of a box, and name them where they leave the panel."""
    west, south, east, north = box
    projection = equal_area(box)
    xlim, ylim = axes.get_xlim(), axes.get_ylim()
    meridians, parallels = _round_degrees(west, east, 180), _round_degrees(south, north, 90)
    reach = [
        np.linspace(max(2 * a - b, -most), min(2 * b - a, most), 61)
        for a, b, most in ((west, east, 180), (south, north, 89))
    ]
    look = {"linewidth": 0.4, "color": "#777777", "alpha": 0.6, "linestyle": (0, (4, 3)), "zorder": 3}
    below, left, lines = {}, {}, []
    for degree in meridians:
        x, y = projection(np.full(61, degree), reach[1])
        lines.append(np.column_stack([x, y]))
        below[f"{abs(degree):g}°{'W' if degree < 0 else 'E'}"] = np.interp(ylim[0], y, x)
    for degree in parallels:
        x, y = projection(reach[0], np.full(61, degree))
        lines.append(np.column_stack([x, y]))
        left[f"{abs(degree):g}°{'S' if degree < 0 else 'N'}"] = np.interp(xlim[0], x, y)
    _lay(axes, LineCollection(lines, **look))
    ends = ((axes.xaxis, below, xlim, name_below), (axes.yaxis, left, ylim, name_left))
    for axis, places, (low, high), named in ends:
        seen = {name: place for name, place in places.items() if named and low < place < high}
        axis.set_ticks(list(seen.values()), labels=list(seen))
    axes.tick_params(length=0, pad=2)
    axes.spines[["top", "right"]].set_visible(True)


def colour_bar(axes: Axes, scale: Scale, label: str, **place: object) -> Colorbar:
    """Draw the colour bar of a panel, and of others with the same scale, beside it, or in the axes ``cax``.

    The other options are those of :meth:`matplotlib.figure.Figure.colorbar`.
    """
    where = place if "cax" in place else {"ax": axes, **place}
    bar = ScalarMappable(scale.norm, scale.cmap)
    return axes.get_figure().colorbar(bar, extend=scale.extend, label=label, **where)


def unit_label(units: str) -> str:
    """Return the label of a colour bar beside whose panel the quantity is named: its units alone, as CF writes them."""
    return f"[{pretty_units(units) or 'dimensionless'}]"


def no_data_entry(fields: Sequence[xr.DataArray]) -> list[Patch]:
    """Return the legend's entry for grey cells, or nothing when every cell of the region has a value."""
    missing = any(bool((field.inside & field.isnull()).any()) for field in fields)
    return [swatch(NO_DATA, "no data")] if missing else []


def hatch_entry(label: str) -> Patch:
    """Return the legend's entry of hatched cells."""
    return Patch(facecolor="white", edgecolor=INK, hatch=_HATCH, linewidth=0.3, alpha=0.55, label=label)


def stipple_entry(label: str) -> Line2D:
    """Return the legend's entry of stippled cells."""
    return Line2D([], [], linestyle="", marker=".", color=INK, markersize=3, markeredgewidth=0, label=label)


def dots_entry(label: str) -> Line2D:
    """Return the legend's entry of the sites of :func:`dots`."""
    look = {"markersize": 4, "color": SITES, "markeredgecolor": "white", "markeredgewidth": 0.4}
    return Line2D([], [], linestyle="", marker="o", label=label, **look)


def swatch(colour: str, label: str) -> Patch:
    """Return the legend's entry of a colour."""
    return Patch(facecolor=colour, edgecolor=INK, linewidth=0.3, label=label)


def table_of(fields: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """Return maps of :func:`within` on one grid as a table of the cells that have a value in one of them."""
    inside = next(iter(fields.values())).inside.values
    latitude, longitude = np.meshgrid(
        *(next(iter(fields.values()))[dim].values for dim in ("latitude", "longitude")), indexing="ij"
    )
    columns = {"latitude": latitude[inside].round(5), "longitude": longitude[inside].round(5)}
    columns |= {name: np.asarray(field.values, dtype=float)[inside] for name, field in fields.items()}
    return pd.DataFrame(columns).dropna(how="all", subset=list(fields))


def _edges(centres: ArrayLike) -> NDArray[np.float64]:
    """Return the edges of cells from their centres: half way to the next."""
    centres = np.asarray(centres, float)
    if centres.size == 1:
        return centres + np.array([-0.5, 0.5])
    half = np.diff(centres) / 2
    return np.concatenate([[centres[0] - half[0]], centres[:-1] + half, [centres[-1] + half[-1]]])


def _round_degrees(low: float, high: float, most: float) -> np.ndarray:
    """Return round degrees from one width of a box below it to one above: its projection shows more than the box."""
    step = next((step for step in _STEPS if step >= (high - low) / 4), _STEPS[-1])
    first, last = (np.clip(end, -most, most) / step for end in (2 * low - high, 2 * high - low))
    return np.arange(np.ceil(first), np.floor(last) + 1) * step


@functools.lru_cache(maxsize=4)
def _frame(boundary: BaseGeometry) -> tuple[float, float, float, float]:
    """Return the ends of a map of the outline, west, south, east, north, m in its projection."""
    west, south, east, north = _projected(boundary, boundary.bounds).bounds
    room = 0.03 * (east - west)
    return west - room, south - room, east + room, north + room


def _lay(axes: Axes, artist: Artist) -> None:
    """Lay what has many corners over a map whose ends are known: matplotlib need not look at them for its limits."""
    axes.add_artist(artist).set_in_layout(False)


def _projected(area: BaseGeometry, box: Box) -> BaseGeometry:
    """Return an area in a box's projection."""
    projection = equal_area(box)
    return shapely.transform(area, lambda lonlat: np.column_stack(projection(*lonlat.T)))


@functools.lru_cache(maxsize=8)
def _outline(boundary: BaseGeometry, box: Box, finest: float) -> Path:
    """Return the outline in a box's projection, without what is finer than these degrees; once for all panels."""
    return _path(_projected(boundary.simplify(finest), box))


@functools.lru_cache(maxsize=4)
def _area(marked: bytes, east: tuple[float, ...], north: tuple[float, ...], box: Box) -> Path:
    """Return the area of marked cells between edges in degrees, in a box's projection; once for all panels."""
    rows, columns = np.nonzero(np.frombuffer(marked, bool).reshape(len(north) - 1, len(east) - 1))
    x, y = np.array(east), np.array(north)
    boxes = shapely.box(x[columns], y[rows], x[columns + 1], y[rows + 1])
    area = shapely.coverage_union_all(boxes).simplify(0)
    return _path(_projected(shapely.segmentize(area, 2.0), box))


def _path(area: BaseGeometry) -> Path:
    """Return polygons as a path with their holes."""
    rings = []
    for polygon in shapely.get_parts(area):
        rings += [polygon.exterior, *polygon.interiors]
    return Path.make_compound_path(*(Path(np.asarray(ring.coords), closed=True) for ring in rings))
