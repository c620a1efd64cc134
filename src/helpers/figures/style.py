"""What all figures share: type sizes, colours with their meaning, panels with letters, named rows, colour scales.

Figures are made without :mod:`matplotlib.pyplot` and inside an ``rc_context``: drawing one leaves no trace in
the session's settings and no figure open behind it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import NamedTuple, ParamSpec, TypeVar

import cmcrameri.cm  # noqa: F401  (registers the colour maps "cmc.…")
import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Colormap, Normalize
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

P = ParamSpec("P")
R = TypeVar("R")
#: Width of every figure in inches: 800 px in the book at 100 px an inch, and a full page in print.
WIDTH = 8.0
#: Colour maps of fluxes, of differences, and of NEP with its sign.
FLUX_MAP, DIFFERENCE_MAP, NEP_MAP = "cmc.bamako_r", "cmc.vik", "BrBG"

INK, NO_DATA = "#222222", "#b8b8b8"
SINK, SOURCE = "#01665e", "#8c510a"
#: Colours of what this project calculates, of what it is compared with, and of observations at sites.
OURS, OTHERS, SITES = "#0072b2", "#9cb8c9", "#d55e00"
#: Colours of the one bar that the others are compared with, and of a second series beside ours.
STRONG, SECOND = "#0b5d4a", "#e69f00"
#: Greys: of an area behind the data, of a line that joins two marks, of what is not the subject.
SHADE, LINK, QUIET = "#e3e3e3", "#c9c9c9", "#7a7a7a"
#: The mark of a value from elsewhere: the paper's, or the truth.
DIAMOND = {"linestyle": "", "marker": "D", "markersize": 6, "markerfacecolor": "white", "markeredgecolor": "black"}
#: Colours of the IGBP classes. Light and dark carry the difference where red and green do not.
LAND_COVER: dict[int, str] = dict(
    enumerate(
        (
            *("#06301f", "#0b5a35", "#3d8f68", "#66b08f", "#5a7d2a"),  # 1 to 5: forests
            *("#7b3294", "#b5559b", "#c994c7", "#e3bfe6", "#93c360"),  # 6 to 10: shrubs, savannas, grass
            *("#0b7f8c", "#8f3b0a", "#111111", "#c77440"),  # 11 to 14: wetland, crops, towns, crops and nature
            *("#d9f7ff", "#efe0bd", "#1f6fc0"),  # 15 to 17: snow, barren, water
        ),
        start=1,
    )
)

_CATEGORICAL = (OURS, SECOND, "#009e73", "#cc79a7", "#56b4e9", SITES, QUIET, INK)

_STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150.0,
    "figure.facecolor": "white",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
}


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Let a function draw with the book's type sizes, whatever the session's own, and leave those alone."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        """Draw inside the book's settings."""
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            return draw(*args, **kwargs)

    return inside


class BookFigure(Figure):
    """A figure that a notebook shows as the value of a cell, without pyplot and whatever its backend."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture at its resolution, and the size to show it at: 100 px an inch."""
        picture = BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue(), {"width": round(100 * self.get_figwidth())}


def blank(height: float, width: float = WIDTH) -> BookFigure:
    """Return an empty figure of a size in inches, its panels to be arranged by the constrained layout."""
    return BookFigure(figsize=(width, height), layout="constrained")


def letters(n: int) -> list[str]:
    """Return the first n panel letters: a, b, c and so on."""
    return [chr(ord("a") + i) for i in range(n)]


def panel_letter(axes: Axes, letter: str, title: str = "") -> None:
    """Write a bold panel letter above the left edge of a panel, and a title above its middle."""
    axes.set_title(letter, loc="left", fontweight="bold", fontsize=11)
    axes.set_title(title, loc="center")


def panel_grid(height: float, titles: Iterable[object], columns: int, **options: object) -> tuple[Figure, list[Axes]]:
    """Return a figure of a height in inches with a lettered panel per title; a place that is left over stays empty.

    Panels go row by row. The options are those of :meth:`matplotlib.figure.Figure.subplots`.
    """
    titles = list(titles)
    figure = blank(height)
    panels = figure.subplots(-(-len(titles) // columns), columns, squeeze=False, **options).ravel()
    for axes in panels[len(titles) :]:
        axes.remove()
    panels = list(panels[: len(titles)])
    for axes, letter, title in zip(panels, letters(len(titles)), titles, strict=True):
        panel_letter(axes, letter, str(title))
    return figure, panels


def name_rows(axes: Axes, names: Sequence[str], spare: float = 0.0) -> None:
    """Name the rows of a panel, the first on top, spare rows around all; the caller draws row i at a height of i."""
    axes.set_yticks(range(len(names)), labels=list(names))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4 + spare, -0.6 - spare)


def bars(axes: Axes, values: ArrayLike, colours: str | Sequence[str]) -> BarContainer:
    """Draw a bar for each row of :func:`name_rows`, and return the bars."""
    look = {"height": 0.62, "color": colours, "edgecolor": INK, "linewidth": 0.5}
    return axes.barh(range(len(values)), values, **look)


def cumulative(axes: Axes, values: ArrayLike, **look: object) -> None:
    """Draw the share of values at or below each of them."""
    axes.step(np.sort(values), np.arange(1, len(values) + 1) / len(values), where="post", **look)
    axes.set_ylim(0, 1.02)


def series_colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name, in order, from a palette that colour-blind readers can tell apart."""
    return {name: _CATEGORICAL[i % len(_CATEGORICAL)] for i, name in enumerate(dict.fromkeys(names))}


def sign_colours(nep: ArrayLike) -> NDArray[np.str_]:
    """Return for each NEP the colour of a sink, above zero, or of a source."""
    return np.where(np.asarray(nep) > 0, SINK, SOURCE)


class Scale(NamedTuple):
    """The colours of one or several maps: colour map, limits, and at which ends of the bar values lie beyond them."""

    cmap: str | Colormap
    norm: Normalize
    extend: str = "neither"


def sequential(fields: Sequence[xr.DataArray], cmap: str = FLUX_MAP) -> Scale:
    """Return a scale that several maps share: from percentile 2 to percentile 98 of all their values together.

    A lower limit within a tenth of the upper one above zero becomes zero. Maps without a single value raise a
    ValueError.
    """
    values = _pooled(fields)
    bottom, top = (float(limit) for limit in np.percentile(values, [2, 98]))
    if 0 < bottom < 0.1 * top:
        bottom = 0.0
    return _scale(cmap, Normalize(bottom, top if top > bottom else bottom + 1.0), values)


def diverging(fields: Sequence[xr.DataArray], cmap: str = DIFFERENCE_MAP) -> Scale:
    """Return a scale that several maps share, centred on zero: up to percentile 98 of all absolute values.

    Maps without a single value raise a ValueError.
    """
    values = _pooled(fields)
    half = float(np.percentile(np.abs(values), 98))
    return _scale(cmap, CenteredNorm(0.0, half if half > 0 else 1.0), values)


def require_columns(table: pd.DataFrame, columns: Sequence[str], figure: str) -> None:
    """Raise a ValueError that names figure and columns for a table without rows or without a column that is drawn."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{figure}: the table lacks {', '.join(missing)}; expected {', '.join(columns)}; "
            f"it has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError(f"{figure}: the table has no rows; check the step that made it")


def require_variables(cube: xr.Dataset, names: Sequence[str], figure: str) -> None:
    """Raise a ValueError for a cube without the variables that a figure draws."""
    missing = [name for name in names if name not in cube]
    if missing:
        raise ValueError(f"{figure}: the cube lacks {', '.join(missing)}; it has {', '.join(map(str, cube.data_vars))}")


def _scale(cmap: str, norm: Normalize, values: NDArray[np.float64]) -> Scale:
    """Return a scale whose bar ends in an arrow where a value lies beyond the limits."""
    below, above = bool(values.min() < norm.vmin), bool(values.max() > norm.vmax)
    return Scale(cmap, norm, "both" if below and above else "min" if below else "max" if above else "neither")


def _pooled(fields: Sequence[xr.DataArray]) -> NDArray[np.float64]:
    """Return all values of several maps that are numbers."""
    values = np.concatenate([np.asarray(field, dtype=float).ravel() for field in fields])
    values = values[np.isfinite(values)]
    if not values.size:
        raise ValueError("no map holds a single value to draw; check the region's mask and the step that made the maps")
    return values
