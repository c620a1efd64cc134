"""One map panel: an equal-area map of a field within the plateau's outline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cartopy.crs as ccrs
import cmcrameri.cm  # noqa: F401  (registers the colour maps "cmc.…")
import numpy as np
import shapely
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from shapely.geometry.base import BaseGeometry

from helpers.figures.style import INK, NO_DATA, extension, panel_letter

PLATEAU_CRS = ccrs.AlbersEqualArea(central_longitude=89, central_latitude=33, standard_parallels=(28, 38))
"""Albers' equal-area projection centred on the plateau: what looks large is large."""

_LONLAT = ccrs.PlateCarree()


def flat(field: xr.DataArray) -> xr.DataArray:
    """Return a map as (latitude, longitude); a time of a single step is dropped.

    Raises
    ------
    ValueError
        If the map has other dimensions, or several time steps: the caller says which of them, or which mean.
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
    """Return maps as (latitude, longitude) after checking that they lie on one grid.

    Raises
    ------
    ValueError
        Naming the first map whose cells differ from those of the first one.
    """
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


#: Rows or columns beyond which a map shows every second cell, every third, and so on: a figure has no more pixels.
MOST_CELLS = 800


def thinned(field: xr.DataArray | xr.Dataset) -> xr.DataArray | xr.Dataset:
    """Return every k-th row and column of a map, in memory, with k = 1 up to :data:`MOST_CELLS` rows and columns.

    A sample of the cells, not means of several: classes stay classes, and the cells keep their spread.
    """
    step = -(-max(field.sizes["latitude"], field.sizes["longitude"]) // MOST_CELLS)
    middle = slice(step // 2, None, step)
    return field.isel(latitude=middle, longitude=middle).compute()


def on_plateau(field: xr.DataArray, boundary: BaseGeometry) -> xr.DataArray:
    """Return a map cut to the outline's box and :func:`thinned`, NaN where a cell's centre is outside the outline.

    Parameters
    ----------
    field : xarray.DataArray
        Values on (latitude, longitude), degrees.
    boundary : shapely geometry
        The outline in degrees east and north.

    Returns
    -------
    xarray.DataArray
        With the coordinate ``inside`` (bool): True where the cell's centre lies within the outline.

    Raises
    ------
    ValueError
        If no cell lies within the outline.
    """
    field = flat(field)
    west, south, east, north = boundary.bounds
    columns = (field.longitude >= west) & (field.longitude <= east)
    rows = (field.latitude >= south) & (field.latitude <= north)
    cut = field.isel(latitude=np.flatnonzero(rows), longitude=np.flatnonzero(columns))
    cut = thinned(cut) if cut.size else cut
    inside = shapely.contains_xy(boundary, *np.meshgrid(cut.longitude, cut.latitude)) if cut.size else np.zeros(0, bool)
    if not inside.any():
        raise ValueError(
            f"map {field.name!r}: no cell lies within the outline ({west:.1f} to {east:.1f} E, "
            f"{south:.1f} to {north:.1f} N); are latitude and longitude swapped?"
        )
    cut = cut.assign_coords(inside=(("latitude", "longitude"), inside))
    return cut.where(cut.inside)


def map_axes(figure: Figure | SubFigure, place: object, projection: ccrs.Projection = PLATEAU_CRS) -> GeoAxes:
    """Return an empty map at a place of a grid of panels."""
    return figure.add_subplot(place, projection=projection)


def map_panel(
    axes: GeoAxes,
    field: xr.DataArray,
    boundary: BaseGeometry,
    *,
    cmap: str | Colormap,
    norm: Normalize,
    letter: str = "",
    title: str = "",
    left_labels: bool = True,
    bottom_labels: bool = True,
) -> QuadMesh:
    """Draw a field within the outline; cells of the plateau without a value are grey.

    Parameters
    ----------
    axes : cartopy.mpl.geoaxes.GeoAxes
        The panel.
    field : xarray.DataArray
        Values on (latitude, longitude). Cells outside the outline are not drawn.
    boundary : shapely geometry
        The outline in degrees east and north.
    cmap : str or matplotlib.colors.Colormap
        Colour map.
    norm : matplotlib.colors.Normalize
        Colour limits.
    letter, title : str
        Panel letter and title.
    left_labels, bottom_labels : bool
        Whether this panel labels the parallels and the meridians.

    Returns
    -------
    matplotlib.collections.QuadMesh
        The cells, in the order of the field's rows and columns.
    """
    shown = on_plateau(field, boundary)
    _frame(axes, boundary)
    x, y = corners(axes.projection, shown)
    missing = np.where(shown.inside & shown.isnull(), 1.0, np.nan)
    if np.isfinite(missing).any():
        axes.pcolormesh(x, y, np.ma.masked_invalid(missing), cmap=ListedColormap([NO_DATA]), rasterized=True)
    mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(shown.values), cmap=cmap, norm=norm, rasterized=True)
    outline(axes, boundary)
    graticule(axes, left_labels=left_labels, bottom_labels=bottom_labels)
    panel_letter(axes, letter, title)
    return mesh


def outline(axes: GeoAxes, boundary: BaseGeometry, width: float = 0.9, colour: str = INK) -> None:
    """Draw the plateau's outline, thinned to what a figure of this size can show."""
    for ring in shapely.get_parts(boundary.simplify(0.01).boundary):
        x, y = _project(axes.projection, *shapely.get_coordinates(ring).T)
        axes.plot(x, y, color=colour, linewidth=width, zorder=4)


def points(axes: GeoAxes, longitude: np.ndarray, latitude: np.ndarray, **marker: object) -> None:
    """Draw sites on a map."""
    x, y = _project(axes.projection, np.asarray(longitude, float), np.asarray(latitude, float))
    axes.scatter(x, y, zorder=5, **marker)


def graticule(
    axes: GeoAxes, step: tuple[float, float] = (10, 5), left_labels: bool = True, bottom_labels: bool = True
) -> None:
    """Draw meridians and parallels and label them where they meet the left and the bottom edge."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    corners_x, corners_y = np.meshgrid(np.linspace(left, right, 20), np.linspace(bottom, top, 20))
    lonlat = _LONLAT.transform_points(axes.projection, corners_x, corners_y)
    west, south = np.nanmin(lonlat[..., :2], axis=(0, 1))
    east, north = np.nanmax(lonlat[..., :2], axis=(0, 1))
    lines = {"linewidth": 0.4, "color": "#777777", "alpha": 0.6, "zorder": 3, "linestyle": (0, (4, 3))}
    ticks_x, ticks_y = {}, {}
    for meridian in np.arange(np.ceil(west / step[0]), np.floor(east / step[0]) + 1) * step[0]:
        x, y = _project(axes.projection, np.full(200, meridian), np.linspace(south - 1, north + 1, 200))
        axes.plot(x, y, **lines)
        ticks_x[float(np.interp(bottom, y, x))] = f"{meridian:g}°E"
    for parallel in np.arange(np.ceil(south / step[1]), np.floor(north / step[1]) + 1) * step[1]:
        x, y = _project(axes.projection, np.linspace(west - 1, east + 1, 200), np.full(200, parallel))
        axes.plot(x, y, **lines)
        ticks_y[float(np.interp(left, x, y))] = f"{parallel:g}°N"
    _edge_ticks(axes, "x", ticks_x, (left, right), bottom_labels)
    _edge_ticks(axes, "y", ticks_y, (bottom, top), left_labels)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def colour_bar(
    axes: Axes | Sequence[Axes],
    cmap: str | Colormap,
    norm: Normalize,
    fields: Sequence[xr.DataArray],
    label: str,
    **place: object,
) -> Colorbar:
    """Draw the colour bar of one or several panels, with arrows where values lie beyond its limits.

    Parameters
    ----------
    axes : matplotlib.axes.Axes or sequence of them
        The panels beside which it stands; with ``cax`` in ``place``, the axes that hold it.
    cmap, norm
        Colours and limits of the panels.
    fields : sequence of xarray.DataArray
        The maps drawn, cut to the plateau: whether any value lies beyond the limits.
    label : str
        Name and units of the quantity.
    **place
        Options of :meth:`matplotlib.figure.Figure.colorbar`.

    Returns
    -------
    matplotlib.colorbar.Colorbar
    """
    figure = (axes if isinstance(axes, Axes) else axes[0]).get_figure()
    where = {} if "cax" in place else {"ax": axes}
    scale = ScalarMappable(norm, cmap)
    return figure.colorbar(scale, extend=extension(fields, norm), label=label, **where, **place)


def no_data_entry(fields: Sequence[xr.DataArray]) -> list[Patch]:
    """Return the legend's entry for grey cells, or nothing when every cell of the plateau has a value."""
    missing = any(bool((field.inside & field.isnull()).any()) for field in fields)
    return [Patch(facecolor=NO_DATA, edgecolor=INK, linewidth=0.4, label="no data")] if missing else []


def _frame(axes: GeoAxes, boundary: BaseGeometry, margin: float = 0.03) -> None:
    """Fit a panel to the outline with a margin around it."""
    x, y = _project(axes.projection, *shapely.get_coordinates(boundary.segmentize(0.5)).T)
    room = margin * (x.max() - x.min())
    axes.set_xlim(x.min() - room, x.max() + room)
    axes.set_ylim(y.min() - room, y.max() + room)
    axes.spines["geo"].set_linewidth(0.7)


def _project(projection: ccrs.Projection, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    projected = projection.transform_points(_LONLAT, longitude, latitude)
    return projected[..., 0], projected[..., 1]


def corners(projection: ccrs.Projection, field: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the cells of a grid in a projection, one row and column more than cells."""
    edges = np.meshgrid(_edges(field.longitude.values), _edges(field.latitude.values))
    return _project(projection, *edges)


def _edges(centres: np.ndarray) -> np.ndarray:
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _edge_ticks(axes: GeoAxes, side: str, ticks: dict[float, str], limits: tuple[float, float], labelled: bool) -> None:
    within = {place: text for place, text in ticks.items() if limits[0] < place < limits[1]}
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_visible(True)
    axis.set_ticks(list(within), labels=list(within.values()) if labelled else [""] * len(within))
    axes.tick_params(axis=side, length=2.5 if labelled else 0, labelsize=8)
