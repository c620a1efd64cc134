"""One map panel: an equal-area map of a field within the region's outline."""

import functools
import textwrap
from collections.abc import Mapping, Sequence

import cartopy.crs as ccrs
import numpy as np
import shapely
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Patch
from shapely.geometry.base import BaseGeometry

from helpers.figures.style import INK, NO_DATA, Scale, panel_letter
from helpers.names import pretty_units

LONLAT = ccrs.PlateCarree()
#: Degrees between two meridians or parallels: the least of these that cuts a map into four parts at most.
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60)
#: Rows or columns beyond which a map shows every second cell, every third, and so on: a figure has no more pixels.
MOST_CELLS = 800


@functools.lru_cache(maxsize=4)
def equal_area(box: tuple[float, float, float, float]) -> ccrs.Projection:
    """Return a projection centred on a box of west, south, east and north: what looks large is large.

    Albers' with standard parallels a sixth of the height within the box; Lambert's azimuthal one where the box holds
    the equator or a pole is near, which Albers' cannot draw.
    """
    west, south, east, north = box
    centre = {"central_longitude": round((west + east) / 2), "central_latitude": round((south + north) / 2)}
    sixth = (north - south) / 6
    parallels = (round(south + sixth), round(north - sixth))
    if parallels[0] * parallels[1] <= 0 or max(map(abs, parallels)) > 75:
        return ccrs.LambertAzimuthalEqualArea(**centre)
    return ccrs.AlbersEqualArea(**centre, standard_parallels=parallels)


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


def draw_map(
    figure: Figure | SubFigure,
    place: SubplotSpec,
    field: xr.DataArray,
    boundary: BaseGeometry,
    scale: Scale,
    letter: str = "",
    title: str = "",
) -> GeoAxes:
    """Draw a field within the outline at a place of a grid of panels; cells of the region without a value are grey.

    The field comes from :func:`in_region`. Panels at the left edge of the grid name the parallels, those at its lower
    edge the meridians. The last mesh of the panel holds the cells, in the order of the field's rows and columns.
    """
    crs = equal_area(boundary.bounds)
    axes = figure.add_subplot(place, projection=crs)
    missing = field.inside & field.isnull()
    if missing.any():
        draw_cells(axes, xr.where(missing, 1.0, np.nan), Scale(ListedColormap([NO_DATA]), None))
    draw_cells(axes, field, scale)
    outline(axes, boundary)
    west, south, east, north = _projected(boundary, crs).bounds
    room = 0.03 * (east - west)
    axes.set_extent((west - room, east + room, south - room, north + room), crs=crs)
    edges = {"left": "y"} if place.is_first_col() else {}
    graticule(axes, boundary.bounds, edges | {"bottom": "x"} if place.is_last_row() else edges)
    # On a map that is higher than wide a long title would run over the letter.
    panel_letter(axes, letter, textwrap.fill(title, 18) if north - south > east - west else title)
    return axes


def draw_cells(axes: GeoAxes, field: xr.DataArray, scale: Scale) -> None:
    """Draw the cells of a map (latitude, longitude) that have a value, each with the edges of its own degrees."""
    look = {"cmap": scale.cmap, "norm": scale.norm, "rasterized": True, "transform": LONLAT}
    axes.pcolormesh(field.longitude.values, field.latitude.values, np.ma.masked_invalid(field.values), **look)


def outline(axes: GeoAxes, boundary: BaseGeometry, width: float = 0.9, colour: str = INK) -> None:
    """Draw the region's outline."""
    look = {"facecolor": "none", "edgecolor": colour, "linewidth": width, "zorder": 4}
    axes.add_geometries([_projected(boundary, axes.projection)], crs=axes.projection, **look)


def graticule(axes: GeoAxes, box: tuple[float, float, float, float], edges: Mapping[str, str]) -> None:
    """Draw the meridians and parallels of a box; ``edges`` names them: {"left": "y", "bottom": "x"}."""
    west, south, east, north = box
    where = {"xlocs": _round_degrees(west, east, 180), "ylocs": _round_degrees(south, north, 90)}
    look = {"linewidth": 0.4, "color": "#777777", "alpha": 0.6, "linestyle": (0, (4, 3)), "zorder": 3}
    text = {"x_inline": False, "y_inline": False, "rotate_labels": False}
    size = {"xlabel_style": {"size": 8}, "ylabel_style": {"size": 8}}
    lines = axes.gridlines(draw_labels=edges or False, **where, **look, **text, **size)
    # Cartopy looks for the labels' places anew in each pass of the layout, along lines of 30 pieces, and bends each
    # piece once more where the projection asks for it. Five pieces move a label by some 6 km, and take less time.
    lines.n_steps = 5


def _round_degrees(low: float, high: float, most: float) -> np.ndarray:
    """Return round degrees from one width of a box below it to one above: its projection shows more than the box."""
    step = next((step for step in _STEPS if step >= (high - low) / 4), _STEPS[-1])
    first, last = (np.clip(end, -most, most) / step for end in (2 * low - high, 2 * high - low))
    return np.arange(np.ceil(first), np.floor(last) + 1) * step


def colour_bar(axes: GeoAxes, scale: Scale, label: str, **place: object) -> Colorbar:
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


def swatch(colour: str, label: str) -> Patch:
    """Return the legend's entry of a colour."""
    return Patch(facecolor=colour, edgecolor=INK, linewidth=0.3, label=label)


@functools.lru_cache(maxsize=4)
def _projected(boundary: BaseGeometry, crs: ccrs.Projection) -> BaseGeometry:
    """Return the outline in a projection, thinned to what a figure of this size can show; once for all panels."""
    thin = boundary.simplify(0.01)
    return shapely.transform(thin, lambda lonlat: crs.transform_points(LONLAT, *lonlat.T)[:, :2])
