"""Small maps to draw, and what a test reads from a figure."""

from __future__ import annotations

import functools

import matplotlib as mpl
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from matplotlib.collections import QuadMesh

FLUX = "g C m⁻² yr⁻¹"
BOUNDARY = shapely.affinity.scale(shapely.Point(89, 33).buffer(1, 32), 14, 6)


def grid_map(function, units: str = "g C m-2 yr-1") -> xr.DataArray:
    """Return a map of function(longitude, latitude) on a box around the outline, cells of 1 degree, north first."""
    longitude, latitude = np.arange(73.5, 106), np.arange(41.5, 24, -1)
    coords = {"latitude": latitude, "longitude": longitude}
    values = function(*np.meshgrid(longitude, latitude))
    return xr.DataArray(values, coords, ("latitude", "longitude"), attrs={"units": units})


def eastward(scale: float = 1.0) -> xr.DataArray:
    """Return a flux that grows from west to east."""
    return grid_map(lambda x, y: scale * (20 * (x - 70) + y))


def small_cube() -> xr.Dataset:
    """Return predictors on the box: grass in the east, bare ground in the west, one lake."""
    cover = grid_map(lambda x, y: np.where(x > 89, 10.0, 16.0), "1")
    cover.loc[{"latitude": 33.5, "longitude": 90.5}] = 17.0
    return xr.Dataset(
        {
            "land_cover": cover,
            "elevation": grid_map(lambda x, y: 3000 + 50 * (100 - x), "m"),
            "precipitation": grid_map(lambda x, y: 30 * (x - 72), "mm yr-1"),
            "temperature": grid_map(lambda x, y: 35 - y, "degC"),
            "lai": grid_map(lambda x, y: 0.1 * (x - 72), "1"),
            "in_region": grid_map(lambda x, y: shapely.contains_xy(BOUNDARY, x, y), "1"),
            "cell_area": grid_map(lambda x, y: 12_000 * np.cos(np.deg2rad(y)), "km2"),
        }
    )


@functools.cache
def cells_inside() -> xr.DataArray:
    """Return which cells of the box have their centre within the outline."""
    return grid_map(lambda x, y: shapely.contains_xy(BOUNDARY, x, y))


def panels(figure: mpl.figure.Figure) -> dict[str, mpl.axes.Axes]:
    """Return the panels of a figure by their letter."""
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}


def labels(figure: mpl.figure.Figure) -> str:
    """Return the labels of all axes of a figure, colour bars among them."""
    return "\n".join(axes.get_xlabel() + "\n" + axes.get_ylabel() for axes in figure.axes)


def row_names(axes: mpl.axes.Axes) -> list[str]:
    """Return the names of a panel's rows, from the top of the picture downwards."""
    bottom, top = axes.get_ylim()
    named = sorted(zip(axes.get_yticks(), (text.get_text() for text in axes.get_yticklabels()), strict=True))
    return [name for _, name in (named if bottom > top else named[::-1])]


def legend_texts(figure: mpl.figure.Figure) -> set[str]:
    """Return every entry of every legend of a figure."""
    legends = [legend for axes in figure.axes if (legend := axes.get_legend())] + figure.legends
    return {text.get_text() for legend in legends for text in legend.get_texts()}


def widths(axes: mpl.axes.Axes) -> list[float]:
    """Return the lengths of a panel's bars."""
    return [bar.get_width() for bar in axes.patches]


def meshes(axes: mpl.axes.Axes) -> list[QuadMesh]:
    """Return the cells of a map; the last mesh holds those with a value, above the grey ones."""
    return [found for found in axes.collections if isinstance(found, QuadMesh)]


def drawn_corners(axes: mpl.axes.Axes) -> np.ndarray:
    """Return where the corners of a map's cells are drawn, m in the map's projection."""
    return np.asarray(meshes(axes)[-1].get_coordinates())


def hatched(axes: mpl.axes.Axes) -> list[mpl.patches.PathPatch]:
    """Return what is hatched on a map."""
    return [patch for patch in axes.patches if patch.get_hatch()]


def dots(axes: mpl.axes.Axes) -> np.ndarray:
    """Return where the stipples of a map are, m in its projection."""
    found = [np.column_stack(line.get_data()) for line in axes.lines if line.get_marker() == "."]
    return np.concatenate(found) if found else np.zeros((0, 2))


def ends_of(name: str, low: float, high: float) -> pd.DataFrame:
    """Return the ends of a flux's scale."""
    return pd.DataFrame({"quantity": [name], "low": [low], "high": [high]})


def type_sizes(figure: mpl.figure.Figure) -> list[float]:
    """Return the sizes in points of all type that a reader sees."""
    figure.draw_without_rendering()
    return [
        text.get_fontsize() for text in figure.findobj(mpl.text.Text) if text.get_text().strip() and text.get_visible()
    ]
