"""The flow framework of the study (figure 2): boxes and arrows."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from helpers.figures.style import INK, blank, styled

__all__ = ["fig2_flow"]

_DATA, _MODEL, _FLUX, _RESULT = "#dcebf7", "#fdf0d5", "#e3f1e1", "#f3e3ee"

# name: (centre x, centre y, width, height, colour, heading, lines below it)
_BOXES = {
    "spatial": (
        *(0.17, 0.87, 0.31, 0.2, _DATA, "Maps"),
        "precipitation, temperature,\nshortwave radiation, land\ncover, elevation, leaf area\nindex, NPP of MODIS",
    ),
    "ground": (
        0.5,
        0.87,
        0.25,
        0.2,
        _DATA,
        "Ground observations",
        "NPP, Rs and Rh\nof published field studies",
    ),
    "soil": (0.83, 0.87, 0.25, 0.2, _DATA, "The same maps and", "soil organic carbon"),
    "npp_forest": (0.27, 0.595, 0.32, 0.1, _MODEL, "Random forest of NPP", "7 predictors (Eq. 1)"),
    "rs_forest": (0.73, 0.595, 0.32, 0.1, _MODEL, "Random forest of ln Rs", "8 predictors (Eq. 2)"),
    "npp": (0.27, 0.395, 0.24, 0.1, _FLUX, "NPP", "carbon input"),
    "rs": (0.6, 0.395, 0.17, 0.1, _FLUX, "Rs", "soil respiration"),
    "rh": (0.87, 0.395, 0.2, 0.1, _FLUX, "Rh", "line from Rs (Eq. 3)"),
    "nep": (0.5, 0.225, 0.36, 0.1, _FLUX, "NEP = NPP − Rh (Eq. 4)", "above zero: carbon sink"),
    "products": (0.14, 0.06, 0.25, 0.11, _DATA, "Other products", "NPP, Rs, Rh"),
    "comparison": (
        *(0.62, 0.06, 0.54, 0.11, _RESULT, "Comparison"),
        "scores at the sites (Eqs. 5–8), maps, plateau budgets",
    ),
}

_ARROWS = (
    ("spatial", "npp_forest"),
    ("ground", "npp_forest"),
    ("ground", "rs_forest"),
    ("soil", "rs_forest"),
    ("npp_forest", "npp"),
    ("rs_forest", "rs"),
    ("rs", "rh"),
    ("npp", "nep"),
    ("rh", "nep"),
    ("nep", "comparison"),
    ("products", "comparison"),
)


@styled
def fig2_flow() -> Figure:
    """Figure 2: from maps and ground observations by two forests to NPP, Rs, Rh, NEP and their comparison."""
    figure = blank(6.4)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for start, end in _ARROWS:
        _arrow(axes, start, end)
    for x, y, width, height, colour, heading, text in _BOXES.values():
        shape = FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.012",
            facecolor=colour,
            edgecolor=INK,
            linewidth=0.9,
        )
        axes.add_patch(shape)
        top = y + height / 2 - 0.018
        axes.text(x, top, heading, ha="center", va="top", fontweight="bold", fontsize=10)
        axes.text(x, top - 0.042, text, ha="center", va="top", fontsize=9, linespacing=1.25)
    return figure


def _arrow(axes: Axes, start: str, end: str) -> None:
    """Draw an arrow from the lower edge of a box to the upper edge of another, or sideways within a row."""
    (x0, y0, width0, height0), (x1, y1, width1, height1) = _BOXES[start][:4], _BOXES[end][:4]
    if y0 == y1:
        tail, head = (x0 + width0 / 2, y0), (x1 - width1 / 2, y1)
    else:
        reach = min(width1 / 2 - 0.03, abs(x0 - x1))
        tail, head = (x0, y0 - height0 / 2), (x1 + (reach if x0 > x1 else -reach), y1 + height1 / 2)
    style = {
        "arrowstyle": "-|>",
        "color": INK,
        "linewidth": 1.1,
        "shrinkA": 0,
        "shrinkB": 0,
        "mutation_scale": 12,
    }
    axes.annotate("", xy=head, xytext=tail, arrowprops=style)
