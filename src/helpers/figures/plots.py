"""Figures of plans for new plots: how designs fared in virtual worlds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from helpers.figures import style, words
from helpers.names import FLUX_UNITS, design_name, pretty_units, with_units

_BASELINE = "strata"


@style.styled
def designs_in_worlds(table: pd.DataFrame) -> style.BookFigure:
    """Draw how the designs differ from random strata in the error of NEP (a), and how the interval of NEP shrinks (b).

    The table is that of :func:`helpers.balance.plots.compared`. In (b) a diamond is what was foretold.
    """
    ends = [f"difference{end}_gC_m2_yr" for end in ("", "_low", "_high")]
    columns = ["design", "plots", "quantity", "n_worlds", "mae_gC_m2_yr", *ends, "width_ratio", "foretold_ratio"]
    style.require_columns(table, columns, "designs_in_worlds")
    drawn = table[(table["quantity"] == "NEP") & (table["plots"] > 0)]
    designs = drawn["design"].unique()
    figure, (left, right) = style.panel_grid(
        0.9 + style.row_height(0.5) * len(designs), ["error of NEP", "width of the interval"], 2, sharey=True
    )
    numbers = sorted(drawn["plots"].unique())
    colours = style.series_colours([f"{n} plots" for n in numbers])
    for n, shift in zip(numbers, np.linspace(-0.2, 0.2, len(numbers)), strict=True):
        rows = drawn[drawn["plots"] == n].set_index("design").reindex(designs)
        places, colour = np.arange(len(designs)) + shift, colours[f"{n} plots"]
        rival = (rows.index != _BASELINE) & rows[ends[0]].notna().to_numpy()
        left.hlines(places[rival], rows[ends[1]][rival], rows[ends[2]][rival], color=colour, linewidth=2.2)
        left.plot(rows[ends[0]][rival], places[rival], "o", color=colour, markersize=6)
        right.hlines(places, rows["width_ratio"], rows["foretold_ratio"], color=style.LINK, linewidth=1.2, zorder=1)
        right.plot(rows["foretold_ratio"], places, **style.DIAMOND | {"markersize": 5})
        right.plot(rows["width_ratio"], places, "o", color=colour, markersize=6)
    _named(left, designs, 0.0, with_units("error less that of random strata", FLUX_UNITS))
    _named(right, designs, 1.0, "width, as a share of that without new plots")
    keys = [Line2D([], [], color=colour, marker="o", linewidth=2.2, label=name) for name, colour in colours.items()]
    keys.append(Line2D([], [], label="foretold (b)", **style.DIAMOND))
    figure.legend(handles=keys, loc="outside lower center", ncols=style.columns(4))
    return style.described(figure, _told(drawn, ends), drawn)


def _named(axes: Axes, designs: np.ndarray, at: float, label: str) -> None:
    """Name the rows of a panel and its axis, and draw the line of no change."""
    axes.axvline(at, color="black", linewidth=0.8, zorder=0)
    axes.margins(x=0.08)
    axes.set_xlabel(label)
    style.name_rows(axes, [design_name(design) for design in designs])


def _told(drawn: pd.DataFrame, ends: list[str]) -> str:
    """Return the words of the figure."""
    told = []
    for row in drawn.to_dict("records"):
        mean, low, high = (words.number(row[end]) for end in ends)
        against = "" if row["design"] == _BASELINE else f"{mean} ({low} to {high}) from random strata, "
        width, foretold = (words.percent(row[f"{kind}_ratio"]) for kind in ("width", "foretold"))
        told.append(
            f"{design_name(row['design'])}, {row['plots']} plots: mean absolute error "
            f"{words.number(row['mae_gC_m2_yr'])}, {against}width {width} of that before, {foretold} foretold"
        )
    return (
        f"How plans for new plots fared in {drawn['n_worlds'].iloc[0]} virtual worlds: the absolute error of NEP less "
        f"that of random strata with its 90 % interval [{pretty_units(FLUX_UNITS)}], and the width of the interval of "
        f"NEP. {'; '.join(told)}."
    )
