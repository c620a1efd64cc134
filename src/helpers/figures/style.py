"""What all figures share: width and type sizes, colours with their meaning, panels, named rows, colour scales.

Figures are made without :mod:`matplotlib.pyplot` and inside an ``rc_context``: drawing one leaves no trace in
the session's settings and no figure open behind it. Each is drawn at the width at which the book shows it, so that its
type keeps its size; :meth:`BookFigure.narrow` draws it once more for a phone, its panels in one column.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
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
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import ArrayLike, NDArray

P = ParamSpec("P")
R = TypeVar("R")
#: Width of a figure in inches of 96 px: the book's column of 688 px, a full page in print; and a phone's column.
WIDTH, PHONE_WIDTH = 7.16, 3.6
#: The smallest type, in points: 11 px.
SMALL = 8.3
_width: ContextVar[float] = ContextVar("width of a figure", default=WIDTH)
#: Colour maps of fluxes, of differences, and of NEP with its sign.
FLUX_MAP, DIFFERENCE_MAP, NEP_MAP = "cmc.bamako_r", "cmc.vik", "BrBG"

INK, NO_DATA = "#222222", "#b8b8b8"
SINK, SOURCE = "#01665e", "#8c510a"
#: Colours of what this project calculates, of what it is compared with, and of observations at sites.
OURS, OTHERS, SITES = "#0072b2", "#9cb8c9", "#d55e00"
#: Colours of the one bar that the others are compared with, and of a second series beside ours.
STRONG, SECOND = "#0b5d4a", "#e69f00"
#: The colour of what breaks a limit or misses a truth.
BAD = "#aa3377"
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

#: Colours of what has a name in several figures: the same in each of them.
_NAMED = {
    **{"NPP": "#3b7d2a", "Rs": "#a6611a", "ln Rs": "#a6611a", "Rh": "#dfa03a", "GPP": "#93c360", "Reco": "#6b4a1f"},
    **{"region": OURS, "inside": "#44aa99", "outside": "#cc6677", "cold steppe": "#88aadd"},
    # Schemes of validation, from the kindest, which is light, to the strictest.
    **{"sample to sample": "#c9c9c9", "random folds": "#f0b85a", "leave site out": "#e0824b"},
    **{"blocks of 100 km": "#d06070", "blocks of 250 km": "#a8508c", "blocks of 500 km": "#7a4a9c"},
    **{"distance-matched (kNNDM)": "#3f3f99", "leave region out": "#1f2355"},
    **{"Random forest": OURS, "MODIS": "#999933", "CASA": "#ddaa33", "CASA-CNP": "#b8860b", "GLOPEM": "#aa4499"},
    **{"Miami": "#117733", "Raich 2002": "#882255", "QRFM": "#332288", "CORPSE": "#88ccee", "MIMICS": "#661100"},
}
_CATEGORICAL = (OURS, SECOND, "#009e73", "#cc79a7", "#56b4e9", QUIET, INK)

_STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 8.7,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150.0,
    "figure.facecolor": "white",
    "hatch.linewidth": 0.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
}


class BookFigure(Figure):
    """A figure that a notebook shows as the value of a cell, without pyplot and whatever its backend.

    ``alt`` says what it draws to those who cannot see it, and ``data`` are the numbers behind it.
    """

    alt = ""
    data: pd.DataFrame | None = None
    _again: Callable[[float], BookFigure] | None = None

    def narrow(self) -> BookFigure | None:
        """Return the same figure drawn for a phone; None for one that no function of the book has drawn."""
        return self._again(PHONE_WIDTH) if self._again else None

    def savefig(self, *args: object, **kwargs: object) -> None:
        """Save the figure. Its panels find their places once, however often and in whatever format it is saved."""
        if isinstance(self.get_layout_engine(), ConstrainedLayoutEngine):
            self.draw_without_rendering()
            with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
                self.set_layout_engine(None)  # with "none" it would be drawn twice each time
        super().savefig(*args, **kwargs)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture at its resolution, and the size to show it at: 96 px an inch."""
        picture = BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue(), {"width": round(96 * self.get_figwidth())}


def styled(draw: Callable[P, BookFigure]) -> Callable[P, BookFigure]:
    """Let a function draw with the book's type sizes, whatever the session's own, and leave those alone."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> BookFigure:
        """Draw inside the book's settings."""

        def at(inches: float) -> BookFigure:
            """Draw at a width."""
            token = _width.set(inches)
            try:
                with mpl.rc_context():
                    mpl.rcdefaults()
                    mpl.rcParams.update(_STYLE)
                    return draw(*args, **kwargs)
            finally:
                _width.reset(token)

        figure = at(WIDTH)
        figure._again = at
        return figure

    return inside


def width() -> float:
    """Return the width in inches of the figure that is being drawn."""
    return _width.get()


def on_phone() -> bool:
    """Return whether the figure that is being drawn is the narrow one: its panels stand in one column."""
    return _width.get() < WIDTH


def columns(wanted: int) -> int:
    """Return how many panels stand beside each other: as many as wanted, or one on a phone."""
    return 1 if on_phone() else wanted


def blank(height: float, share: float = 1.0) -> BookFigure:
    """Return an empty figure of a height in inches and of a share of the width, which on a phone is the whole.

    Its panels are arranged by the constrained layout.
    """
    return BookFigure(figsize=(width() if on_phone() else width() * share, height), layout="constrained")


def described(figure: BookFigure, alt: str, data: pd.DataFrame) -> BookFigure:
    """Give a figure its words for those who cannot see it, and the numbers that it draws; return it."""
    figure.alt, figure.data = " ".join(alt.split()), data
    return figure


def letters(n: int) -> list[str]:
    """Return the first n panel letters: a, b, c and so on."""
    return [chr(ord("a") + i) for i in range(n)]


def panel_letter(axes: Axes, letter: str, title: str = "") -> None:
    """Write a bold panel letter above the left edge of a panel, and a title above its middle."""
    axes.set_title(letter, loc="left", fontweight="bold", fontsize=11)
    axes.set_title(title, loc="center")


def panel_grid(height: float, titles: Iterable[object], columns: int, **options: object) -> tuple[Figure, list[Axes]]:
    """Return a figure with a lettered panel per title, rows of a height in inches; a place left over stays empty.

    Panels go row by row, on a phone each in a row of its own. The options are those of
    :meth:`matplotlib.figure.Figure.subplots`.
    """
    titles = list(titles)
    columns = 1 if on_phone() else columns
    rows = -(-len(titles) // columns)
    figure = blank(0.5 + height * rows)
    panels = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for axes in panels[len(titles) :]:
        axes.remove()
    panels = list(panels[: len(titles)])
    for axes, letter, title in zip(panels, letters(len(titles)), titles, strict=True):
        panel_letter(axes, letter, str(title))
        axes.tick_params(labelbottom=True)
    return figure, panels


def row_height(inches: float) -> float:
    """Return the height of a row of :func:`name_rows`: on a phone its name stands above it."""
    return max(inches, 0.4) if on_phone() else inches


def name_rows(axes: Axes, names: Sequence[str], spare: float = 0.0) -> None:
    """Name the rows of a panel, the first on top, spare rows around all; the caller draws row i at a height of i.

    On a phone a name stands within the panel, above what its row draws.
    """
    names = [str(name) for name in names]
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4 + spare, -0.6 - spare)
    if not on_phone():
        axes.set_yticks(range(len(names)), labels=names)
        return
    axes.set_yticks(range(len(names)), labels=[""] * len(names))
    axes.set_ylim(len(names) - 0.5, -0.8)
    axes.spines["left"].set_visible(False)
    place = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "va": "bottom", "ha": "left"}
    for row, name in enumerate(names):
        said = textwrap.shorten(name.replace("-\n", "-").replace("\n", " "), 52, placeholder="…")
        text = axes.annotate(said, (0, row - 0.28), (0, 0), fontsize=SMALL, zorder=6, **place)
        text.set_bbox({"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.4})


def bars(axes: Axes, values: ArrayLike, colours: str | Sequence[str]) -> BarContainer:
    """Draw a bar for each row of :func:`name_rows`, and return the bars."""
    look = {"height": 0.36 if on_phone() else 0.62, "color": colours, "edgecolor": INK, "linewidth": 0.5}
    return axes.barh(range(len(values)), values, **look)


def cumulative(axes: Axes, values: ArrayLike, **look: object) -> None:
    """Draw the share of values at or below each of them."""
    axes.step(np.sort(values), np.arange(1, len(values) + 1) / len(values), where="post", **look)
    axes.set_ylim(0, 1.02)


def series_colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name that colour-blind readers can tell apart.

    What has a name in several figures has one colour in all of them; other names take those that are left, in order.
    """
    names = list(dict.fromkeys(names))
    taken = {_NAMED[name] for name in names if name in _NAMED}
    left = [colour for colour in _CATEGORICAL if colour not in taken]
    others = [name for name in names if name not in _NAMED]
    return {name: _NAMED[name] if name in _NAMED else left[others.index(name) % len(left)] for name in names}


def sign_colours(nep: ArrayLike) -> NDArray[np.str_]:
    """Return for each NEP the colour of a sink, above zero, or of a source."""
    return np.where(np.asarray(nep) > 0, SINK, SOURCE)


class Scale(NamedTuple):
    """The colours of one or several maps: colour map, limits, and at which ends of the bar values lie beyond them."""

    cmap: str | Colormap
    norm: Normalize
    extend: str = "neither"


def limited(cmap: str, low: float, high: float, fields: Sequence[xr.DataArray]) -> Scale:
    """Return a scale of given limits, whose bar ends in an arrow where one of the maps has a value beyond them."""
    norm = CenteredNorm(0.0, high) if low == -high else Normalize(low, high)
    return _scale(cmap, norm, _pooled(fields))


def sequential(fields: Sequence[xr.DataArray], cmap: str = FLUX_MAP, colours: int = 64) -> Scale:
    """Return a scale that several maps share: from percentile 2 to percentile 98 of all their values together.

    A lower limit within a tenth of the upper one above zero becomes zero. Maps without a single value raise a
    ValueError.
    """
    values = _pooled(fields)
    bottom, top = (float(limit) for limit in np.percentile(values, [2, 98]))
    if 0 < bottom < 0.1 * top:
        bottom = 0.0
    return _scale(cmap, Normalize(bottom, top if top > bottom else bottom + 1.0), values, colours)


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


def _scale(cmap: str, norm: Normalize, values: NDArray[np.float64], colours: int = 64) -> Scale:
    """Return a scale whose bar ends in an arrow where a value lies beyond the limits."""
    below, above = bool(values.min() < norm.vmin), bool(values.max() > norm.vmax)
    # Of 64 colours a reader sees none apart, and a picture of two maps keeps them in a palette of 256.
    return Scale(
        mpl.colormaps[cmap].resampled(colours),
        norm,
        "both" if below and above else "min" if below else "max" if above else "neither",
    )


def _pooled(fields: Sequence[xr.DataArray]) -> NDArray[np.float64]:
    """Return all values of several maps that are numbers."""
    values = np.concatenate([np.asarray(field, dtype=float).ravel() for field in fields])
    values = values[np.isfinite(values)]
    if not values.size:
        raise ValueError("no map holds a single value to draw; check the region's mask and the step that made the maps")
    return values
