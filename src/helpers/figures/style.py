"""What all figures share: type sizes, colours, units in labels, panel letters, colour limits.

Figures are made without :mod:`matplotlib.pyplot` and inside an ``rc_context``: drawing one leaves no trace in
the session's settings and no figure open behind it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

WIDTH = 8.0
"""Width of every figure in inches: 800 px in the book at 100 px an inch, and a full page in print."""

FLUX_UNITS = "g C m-2 yr-1"
FLUX_MAP = "cmc.bamako_r"
DIFFERENCE_MAP = "cmc.vik"
NEP_MAP = "BrBG"
NO_DATA = "#b8b8b8"
INK = "#222222"

LAND_COVER: dict[int, tuple[str, str]] = {
    0: ("water", "#1f6fc0"),
    1: ("evergreen needleleaf forest", "#06301f"),
    2: ("evergreen broadleaf forest", "#0b5a35"),
    3: ("deciduous needleleaf forest", "#3d8f68"),
    4: ("deciduous broadleaf forest", "#66b08f"),
    5: ("mixed forest", "#5a7d2a"),
    6: ("closed shrubland", "#7b3294"),
    7: ("open shrubland", "#b5559b"),
    8: ("woody savanna", "#c994c7"),
    9: ("savanna", "#e3bfe6"),
    10: ("grassland", "#93c360"),
    11: ("permanent wetland", "#0b7f8c"),
    12: ("cropland", "#8f3b0a"),
    13: ("urban and built-up", "#111111"),
    14: ("cropland and natural mosaic", "#c77440"),
    15: ("snow and ice", "#d9f7ff"),
    16: ("barren", "#efe0bd"),
    17: ("water", "#1f6fc0"),
}
"""IGBP class -> (name, colour). Light and dark carry the difference where red and green do not."""

_CATEGORICAL = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a7a7a", "#222222")

_PREDICTOR_NAMES = {
    "srad": "shortwave radiation",
    "lai": "leaf area index",
    "npp_modis": "NPP of MODIS",
    "soc": "soil organic carbon",
}

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


def pretty_units(units: str) -> str:
    """Return CF units with raised exponents, as a reader expects them.

    Examples
    --------
    >>> pretty_units("g C m-2 yr-1")
    'g C m⁻² yr⁻¹'
    >>> pretty_units("degC"), pretty_units("1")
    ('°C', '')
    """
    if units in {"1", ""}:
        return ""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return re.sub(r"(?<=[A-Za-z])-?\d+", lambda found: found[0].translate(raised), units.replace("degC", "°C"))


def predictor_name(name: str) -> str:
    """Return a predictor's name in words; an unknown one as it is, with spaces.

    Examples
    --------
    >>> predictor_name("srad"), predictor_name("land_cover")
    ('shortwave radiation', 'land cover')
    """
    return _PREDICTOR_NAMES.get(name, name.replace("_", " "))


def with_units(name: str, units: str) -> str:
    """Return a label such as ``NPP [g C m⁻² yr⁻¹]``; without brackets for a quantity of dimension one."""
    shown = pretty_units(units)
    return f"{name} [{shown}]" if shown else name


def series_colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name, in order, from a palette that colour-blind readers can tell apart."""
    return {name: _CATEGORICAL[i % len(_CATEGORICAL)] for i, name in enumerate(dict.fromkeys(names))}


def sequential_norm(fields: Sequence[xr.DataArray], low: float = 2.0, high: float = 98.0) -> Normalize:
    """Return colour limits that several maps share: percentiles of all their values together.

    Parameters
    ----------
    fields : sequence of xarray.DataArray
        Maps of one quantity; NaN counts for nothing.
    low, high : float
        Percentiles that become the limits. A lower limit within a tenth of the range above zero becomes zero.

    Returns
    -------
    matplotlib.colors.Normalize

    Raises
    ------
    ValueError
        If no map holds a single value.
    """
    bottom, top = (float(limit) for limit in np.percentile(_pooled(fields), [low, high]))
    if 0 < bottom < 0.1 * top:
        bottom = 0.0
    return Normalize(bottom, top if top > bottom else bottom + 1.0)


def diverging_norm(fields: Sequence[xr.DataArray], high: float = 98.0) -> CenteredNorm:
    """Return colour limits that several maps share, centred on zero: a percentile of all absolute values.

    Parameters
    ----------
    fields : sequence of xarray.DataArray
        Maps of one quantity; NaN counts for nothing.
    high : float
        Percentile of the absolute values that becomes half the range.

    Returns
    -------
    matplotlib.colors.CenteredNorm

    Raises
    ------
    ValueError
        If no map holds a single value.
    """
    half = float(np.percentile(np.abs(_pooled(fields)), high))
    return CenteredNorm(0.0, half if half > 0 else 1.0)


def extension(fields: Sequence[xr.DataArray], norm: Normalize) -> str:
    """Return on which ends of a colour bar values lie beyond its limits: neither, min, max or both."""
    values = _pooled(fields)
    below, above = values.min() < norm.vmin, values.max() > norm.vmax
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
        bool(below), bool(above)
    ]


def require_columns(table: pd.DataFrame, columns: Sequence[str], figure: str) -> None:
    """Refuse a table without rows or without the columns that a figure draws.

    Raises
    ------
    ValueError
        Naming the figure, what is missing and what the table has.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{figure}: the table lacks {', '.join(missing)}; expected {', '.join(columns)}; "
            f"it has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError(f"{figure}: the table has no rows; check the step that made it")


def _pooled(fields: Sequence[xr.DataArray]) -> np.ndarray:
    values = np.concatenate([np.asarray(field, dtype=float).ravel() for field in fields])
    values = values[np.isfinite(values)]
    if not values.size:
        raise ValueError("no map holds a single value to draw; check the plateau mask and the step that made the maps")
    return values
