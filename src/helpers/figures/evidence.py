"""Figures of what speaks for or against an estimate from outside: published estimates, laws, towers."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from helpers.figures import style, words
from helpers.names import FLUX_UNITS, TOTAL_UNITS, pretty_units, source_to_sink, with_units

_MEASURED = {"linestyle": "", "marker": "s", "markersize": 6, "color": style.SITES, "markeredgecolor": "black"}


@style.styled
def published_estimates(table: pd.DataFrame) -> style.BookFigure:
    """Draw every published estimate of the plateau beside this run's: the sink (a), NPP and GPP (b).

    The table is that of :func:`helpers.balance.uncertainty.beside_published`.
    """
    style.require_columns(table, ["flux", "label", "kind", "value", "low", "high"], "published_estimates")
    sink = table["flux"] == "NEP"
    named = table.assign(label=table["label"].where(sink, table["flux"] + ": " + table["label"]))
    parts = [named[sink], named[~sink]]
    figure = style.blank(1.9 + style.row_height(0.27) * len(table))
    heights = [len(part) + 1 for part in parts]
    for axes, part, letter in zip(figure.subplots(2, 1, height_ratios=heights), parts, "ab", strict=True):
        ours = (part["kind"] == "this run").to_numpy()
        places = np.arange(len(part))
        axes.hlines(places[ours], part["low"][ours], part["high"][ours], color=style.OURS, linewidth=2.4)
        axes.plot(part["value"][ours], places[ours], "o", color=style.OURS, markersize=7)
        axes.hlines(places[~ours], part["low"][~ours], part["high"][~ours], color=style.INK, linewidth=2.4)
        axes.plot(part[["low", "high"]][~ours], places[~ours], **style.DIAMOND)
        style.name_rows(axes, part["label"])
        style.panel_letter(axes, letter)
        axes.margins(x=0.08)
    top, below = figure.axes
    top.axvline(0, color="black", linewidth=0.8)
    top.set_xlabel(source_to_sink(TOTAL_UNITS))
    below.set_xlim(left=0)
    below.set_xlabel(with_units("NPP or GPP of the plateau, mean", FLUX_UNITS))
    published = Line2D([], [], label="published, or the ends of a range", **style.DIAMOND)
    keys = [_own("this run, with its interval"), published]
    figure.legend(handles=keys, loc="outside lower center", ncols=style.columns(2))
    told = []
    for row in table.itertuples():
        units = pretty_units(TOTAL_UNITS if row.flux == "NEP" else FLUX_UNITS)
        ends = "" if row.low == row.high else f" ({words.number(row.low)} to {words.number(row.high)})"
        value = f"{words.number(row.value)}{ends}" if np.isfinite(row.value) else ends.strip(" ()")
        told.append(f"{row.flux} of {row.label}: {value} {units}")
    alt = f"Published estimates of the plateau, as diamonds, beside this run's with their intervals. {'; '.join(told)}."
    return style.described(figure, alt, table)


@style.styled
def towers_beside_cells(table: pd.DataFrame, level: float) -> style.BookFigure:
    """Draw what towers measured beside the cells that they stand in: production, respiration, and NEP.

    The table is that of :func:`helpers.balance.towers.tower_table`, and the level that of the cells' intervals.
    """
    pairs = {"GPP and NPP": ("gpp", "npp"), "Reco and Rs": ("reco", "rs"), "NEP": ("nep", "nep")}
    columns = [f"{measured}_gC_m2_yr" for measured, _ in pairs.values()]
    columns += [f"cell_{flux}{end}_gC_m2_yr" for _, flux in pairs.values() for end in ("", "_lower", "_upper")]
    style.require_columns(table, ["site", *columns], "towers_beside_cells")
    figure, row = style.panel_grid(0.8 + 0.5 * len(table), pairs, 3, sharey=True)
    places = np.arange(len(table))
    for axes, (measured, flux) in zip(row, pairs.values(), strict=True):
        low, value, high = (table[f"cell_{flux}{end}_gC_m2_yr"] for end in ("_lower", "", "_upper"))
        axes.hlines(places + 0.12, low, high, color=style.OURS, linewidth=2.4)
        axes.plot(value, places + 0.12, "o", color=style.OURS, markersize=6)
        axes.plot(table[f"{measured}_gC_m2_yr"], places - 0.12, **_MEASURED)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.margins(x=0.08)
        style.name_rows(axes, table["site"])
        axes.set_xlabel(f"[{pretty_units(FLUX_UNITS)}]")
    tower = Line2D([], [], label="tower (a GPP, b Reco, c NEP)", **_MEASURED)
    keys = [tower, _own(f"cell and its {100 * level:.0f} % interval (a NPP, b Rs, c NEP)")]
    figure.legend(handles=keys, loc="outside lower center", ncols=style.columns(2))
    told = [
        f"{row['site']}: {'; '.join(_of_tower(row, *pair) for pair in pairs.values())}"
        for row in table.to_dict("records")
    ]
    alt = (
        f"What {len(table)} towers measured beside the cells that they stand in, with the cells' {100 * level:.0f} % "
        f"intervals, {pretty_units(FLUX_UNITS)}. {'; '.join(told)}."
    )
    return style.described(figure, alt, table)


def _of_tower(row: Mapping[str, float], measured: str, flux: str) -> str:
    """Return the words of what a tower measured and of its cell's interval."""
    low, value, high = (words.number(row[f"cell_{flux}{end}_gC_m2_yr"]) for end in ("_lower", "", "_upper"))
    tower = words.number(row[f"{measured}_gC_m2_yr"])
    names = {"reco": "Reco", "rs": "Rs"}
    measured, flux = (names.get(name, name.upper()) for name in (measured, flux))
    return f"{measured} {tower}, {flux} of the cell {value} ({low} to {high})"


@style.styled
def steps(table: pd.DataFrame) -> style.BookFigure:
    """Draw NPP and Rh (a) and the total of NEP (b) after each correction, from the first row down to the last.

    The table is that of :func:`helpers.balance.estimates.step_by_step`.
    """
    columns = ["step", "npp_gC_m2_yr", "rh_gC_m2_yr", "nep_total_TgC_yr"]
    style.require_columns(table, columns, "steps")
    figure, (left, right) = style.panel_grid(
        0.9 + style.row_height(0.42) * len(table), ["NPP and Rh", "NEP"], 2, sharey=True
    )
    places = np.arange(len(table))
    left.hlines(places, table["npp_gC_m2_yr"], table["rh_gC_m2_yr"], color="#888888", linewidth=1.2)
    for (name, colour), look in zip(style.series_colours(["NPP", "Rh"]).items(), "os", strict=True):
        left.plot(table[f"{name.lower()}_gC_m2_yr"], places, look, color=colour, markersize=7, label=name)
    left.set_xlabel(with_units("mean of the region", FLUX_UNITS))
    total = table["nep_total_TgC_yr"]
    bars = style.bars(right, total, style.sign_colours(total))
    right.bar_label(bars, [f"{value:+.0f}".replace("-", "−") for value in total], padding=3, fontsize=style.SMALL)
    right.axvline(0, color="black", linewidth=0.8)
    right.margins(x=0.22)
    right.set_xlabel(source_to_sink(TOTAL_UNITS))
    for axes in (left, right):
        style.name_rows(axes, [textwrap.fill(step, 26) for step in table["step"]])
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    told = [
        f"{row.step}: NPP {words.number(row.npp_gC_m2_yr)}, Rh {words.number(row.rh_gC_m2_yr)} "
        f"{pretty_units(FLUX_UNITS)}, NEP {words.number(row.nep_total_TgC_yr)} {pretty_units(TOTAL_UNITS)}"
        for row in table.itertuples()
    ]
    alt = f"NPP and Rh of the region, and its total NEP, after each correction of the paper's chain. {'; '.join(told)}."
    return style.described(figure, alt, table)


def _own(label: str) -> Line2D:
    """Return the legend's entry of our values and their intervals."""
    return Line2D([], [], color=style.OURS, marker="o", linewidth=2.4, label=label)
